#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN       16u
#define BLOCK_BYTES 8192u

struct arena_block {
    struct arena_block *next; /* older blocks; the newest is the head */
    size_t cap, used;
    _Alignas(ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max = max_bytes};
}

/* As it is left by who had it before. */
static void *take(struct arena *a, size_t bytes)
{
    if (bytes > a->max - a->used)
        return NULL;
    size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (rounded < bytes)
        return NULL;
    struct arena_block *b = a->head;
    if (!b || rounded > b->cap - b->used) {
        size_t cap = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        if (b && cap < 2 * b->cap && 2 * b->cap <= a->max)
            cap = 2 * b->cap; /* grow geometrically, so that large phases need few blocks */
        b = malloc(sizeof *b + cap);
        if (!b)
            return NULL;
        *b = (struct arena_block){.next = a->head, .cap = cap};
        a->head = b;
    }
    void *p = b->data + b->used;
    b->used += rounded;
    a->used += bytes;
    return p;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    void *p = take(a, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / size)
        return NULL;
    return arena_alloc(a, count * size);
}

void *arena_room(struct arena *a, size_t count, size_t size)
{
    return size && count > SIZE_MAX / size ? NULL : take(a, count * size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *p = take(a, n + 1);
    if (p && n)
        memcpy(p, s, n);
    if (p)
        p[n] = '\0';
    return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
    return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

void arena_reset(struct arena *a)
{
    while (a->head && a->head->next) {
        struct arena_block *b = a->head;
        a->head = b->next;
        free(b);
    }
    if (a->head)
        a->head->used = 0;
    a->used = 0;
}

void arena_free(struct arena *a)
{
    arena_reset(a);
    free(a->head);
    a->head = NULL;
}
