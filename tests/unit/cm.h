/* cm.h: what every unit test includes before anything else: cmocka, and a temporary folder. */
#ifndef PEEL_TESTS_CM_H
#define PEEL_TESTS_CM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A query in English (base/language.h) from its stems. */
#define ENGLISH(words, count, beginning)                                                                               \
    (&(struct term_query){.stems = (words), .n_stems = (count), .prefix = (beginning), .language = LANGUAGE_en})

/* Makes a new folder and returns its path in `out` (at least 64 bytes). */
static inline char *tmp_make(char *out, size_t cap)
{
    const char *base = getenv("TMPDIR");
    snprintf(out, cap, "%s/peel-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(out));
    return out;
}

static inline int tmp_remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

static inline void tmp_remove(const char *path)
{
    nftw(path, tmp_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
