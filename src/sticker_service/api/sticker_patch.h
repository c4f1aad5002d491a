/* sticker_patch.h: what a program wants to be different about a sticker, as a JSON merge patch (RFC 7396):
 * {"title":"Cat","titles":{"de":"Katze"},"keywords":{"en":["cat","kitten"],"fr":null},"pack":null,"rating":"pg"}. */
#ifndef PEEL_STICKER_SERVICE_API_STICKER_PATCH_H
#define PEEL_STICKER_SERVICE_API_STICKER_PATCH_H

#include "sticker_store/sticker_store.h"
#include <jansson.h>

/* Makes the sticker so. ERR_INVALID names the member that is wrong, or that a sticker does not have. Strings live in
 * the arena, or are the patch's. */
enum status sticker_patch(const json_t *patch, struct sticker *k, struct arena *a, struct error *err) MUST_CHECK;

#endif
