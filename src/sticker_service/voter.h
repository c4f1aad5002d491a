/* voter.h: what a voter is known by in the store. */
#ifndef PEEL_STICKER_SERVICE_VOTER_H
#define PEEL_STICKER_SERVICE_VOTER_H

#include "base/arena.h"

/* Of the id that a client sent, or of the gallery's cookie; in the arena, NULL without memory. */
const char *voter_hash(const char *voter, struct arena *a);

#endif
