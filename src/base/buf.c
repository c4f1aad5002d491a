#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.max = max_bytes};
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){.max = b->max};
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = b->no_memory = false;
    if (b->data)
        b->data[0] = '\0';
}

/* Makes room for `more` bytes and the NUL. */
static bool grow(struct buf *b, size_t more)
{
    if (b->failed || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1, cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap = cap > b->max / 2 ? b->max + 1 : cap * 2;
    char *data = realloc(b->data, cap);
    if (!data) {
        b->failed = b->no_memory = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    b->data[b->len] = '\0';
    return true;
}

/* The same; there usually is. */
static inline bool reserve(struct buf *b, size_t more)
{
    return (!b->failed && more < b->cap - b->len && more <= b->max - b->len) || grow(b, more);
}

void buf_reserve(struct buf *b, size_t more)
{
    (void)reserve(b, more < b->max - b->len ? more : b->max - b->len);
}

void buf_append(struct buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    size_t room = b->failed || !b->data ? 0 : b->cap - b->len; /* with the NUL's */
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, args);
    va_end(args);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        if ((size_t)n >= room)
            vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    } else if (room) {
        b->data[b->len] = '\0';
    }
    va_end(again);
}

const char *buf_str(const struct buf *b)
{
    return b->data ? b->data : "";
}

char *buf_take(struct buf *b)
{
    if (!b->failed && !b->data && !reserve(b, 0))
        return NULL;
    if (b->failed)
        return NULL;
    char *data = b->data;
    data[b->len] = '\0';
    *b = (struct buf){.max = b->max};
    return data;
}

enum status buf_status(const struct buf *b, struct error *err)
{
    if (!b->failed)
        return OK;
    if (b->no_memory)
        return err_no_memory(err, "%zu bytes", b->cap + 1);
    return err_set(err, ERR_TOO_LARGE, "more than %zu bytes", b->max);
}

char *buf_strndup(const char *s, size_t len)
{
    return strndup(s, len);
}
