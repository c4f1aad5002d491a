/* buf.h: a growing byte buffer that is given its maximum when it is made.
 *
 * Failure is sticky: after an append that did not fit (or found no memory) the buffer stays as it
 * was, `failed` is set and later appends do nothing, so a writer checks once, at the end. */
#ifndef PEEL_BASE_BUF_H
#define PEEL_BASE_BUF_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* always NUL-terminated once non-NULL; NULL while empty */
    size_t len; /* bytes, without the NUL */
    size_t cap, max;
    bool failed, no_memory; /* the latter: that is why */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b);                 /* takes a zeroed or freed one too */
void buf_reset(struct buf *b);                /* length 0, not failed, keeps memory */
void buf_reserve(struct buf *b, size_t more); /* that so many bytes are appended without moving what is there */
void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
const char *buf_str(const struct buf *b); /* "" when empty; borrowed */
char *buf_take(struct buf *b);            /* hands the malloc'ed string over (caller frees); NULL if failed */
enum status buf_status(const struct buf *b, struct error *err) MUST_CHECK; /* ERR_TOO_LARGE, ERR_NO_MEMORY */

/* strndup, out of sight of gcc -fanalyzer, which takes a copy for leaked when it is kept behind a pointer that may have
 * moved. */
char *buf_strndup(const char *s, size_t len) MUST_CHECK;

#endif
