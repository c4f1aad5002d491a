/* spare.h: what a test itself allocates does not fail, only what it tests. Included before anything else of a test. */
#ifndef PEEL_TESTS_SPARE_H
#define PEEL_TESTS_SPARE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_aligned_alloc(size_t align, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
#undef strdup
#undef strndup
#define malloc        __real_malloc
#define calloc        __real_calloc
#define realloc       __real_realloc
#define aligned_alloc __real_aligned_alloc
#define strdup        __real_strdup
#define strndup       __real_strndup

#endif
