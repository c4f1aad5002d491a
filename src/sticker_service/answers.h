/* answers.h: finished search answers, kept for a moment, because popular queries come in crowds.
 *
 * When an answer has expired, one caller is told so and makes a new one; the others get the old one
 * for at most one more such moment. Memory is bounded: a fixed number of places, of ANSWERS_BYTES each on average; a
 * long answer takes the room of several. */
#ifndef PEEL_STICKER_SERVICE_ANSWERS_H
#define PEEL_STICKER_SERVICE_ANSWERS_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWERS_BYTES     (32u << 10)
#define ANSWERS_MAX_BYTES (4 * ANSWERS_BYTES) /* of one answer; longer ones are not kept */

struct answers;
/* keep_ms 0 or count 0: nothing is kept. */
enum status answers_open(unsigned keep_ms, size_t count, struct answers **out, struct error *err) MUST_CHECK;
void answers_close(struct answers *c);

/* Appends the answer for `key` to out and returns true, or returns false: the caller makes it. */
bool answers_get(struct answers *c, const char *key, struct buf *out) MUST_CHECK;
/* How often answers were cleared: to be asked for before an answer is made. */
unsigned answers_cleared(struct answers *c);
/* Keeps an answer, unless answers were cleared since `cleared` was asked for: then it may be of what was before. */
void answers_put(struct answers *c, const char *key, const char *answer, size_t len, unsigned cleared);
void answers_clear(struct answers *c); /* stickers, pins or synonyms have changed */

struct answers_stats {
    uint64_t hits, misses;
};
struct answers_stats answers_stats(struct answers *c);

#endif
