/* arena.h: memory for one request or one phase, freed whole.
 *
 *     struct arena a;
 *     arena_init(&a, 1 << 20);            // never more than 1 MiB
 *     char *s = arena_printf(&a, "%d", 7); // lives until arena_reset or arena_free
 *     arena_free(&a);
 *
 * THE MEMORY RULE of this program: a pointer that came out of a function taking an arena lives
 * until that arena is reset; every other owned pointer has a matching x_close or x_free; `const`
 * pointers in arguments are borrowed for the call unless the header says otherwise. */
#ifndef PEEL_BASE_ARENA_H
#define PEEL_BASE_ARENA_H

#include "base/status.h"
#include <stddef.h>

struct arena_block;
struct arena {
    struct arena_block *head;
    size_t used; /* bytes handed out since the last reset */
    size_t max;
};

void arena_init(struct arena *a, size_t max_bytes);
void *arena_alloc(struct arena *a, size_t bytes) MUST_CHECK;              /* zeroed, 16-aligned; NULL past max */
void *arena_array(struct arena *a, size_t count, size_t size) MUST_CHECK; /* overflow-checked */
/* The same with anything in it: for large arrays that are written before they are read. */
void *arena_room(struct arena *a, size_t count, size_t size) MUST_CHECK;
char *arena_strdup(struct arena *a, const char *s) MUST_CHECK;
char *arena_strndup(struct arena *a, const char *s, size_t n) MUST_CHECK; /* copies n bytes + NUL */
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
void arena_reset(struct arena *a); /* keeps the first block for reuse */
void arena_free(struct arena *a);

#endif
