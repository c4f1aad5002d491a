/* tokenized.h: what must hold of the ids of any text, for the fuzz targets of tokenizers. */
#ifndef PEEL_TESTS_TOKENIZED_H
#define PEEL_TESTS_TOKENIZED_H

#include "tokenize/tokenizer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TOKENS  4096
#define A_FEW_TOKENS 16

static inline void must(int holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static inline void check_text(const struct tokenizer *t, const char *text, size_t len)
{
    static int32_t all[MOST_TOKENS], few[A_FEW_TOKENS];
    const struct tokenizer_info *info = tokenizer_info(t);
    struct error err;
    size_t n, m;
    if (tokenizer_encode(t, text, len, MOST_TOKENS, all, &n, &err) != OK)
        return;
    must(n >= info->n_start + info->n_end && n <= MOST_TOKENS, "number of tokens");
    for (size_t i = 0; i < n; i++)
        must(all[i] >= 0 && (size_t)all[i] < info->vocab_size, "an id past the vocabulary");
    if (tokenizer_encode(t, text, len, A_FEW_TOKENS, few, &m, &err) != OK)
        must(info->n_start + info->n_end > A_FEW_TOKENS, "a short list fails where a long one does not");
    else if (n <= A_FEW_TOKENS)
        must(m == n && memcmp(few, all, n * sizeof *all) == 0, "the same text, other ids");
    else
        must(m == A_FEW_TOKENS && memcmp(few, all, (m - info->n_end) * sizeof *all) == 0 &&
                 memcmp(few + m - info->n_end, all + n - info->n_end, info->n_end * sizeof *all) == 0,
             "a cut list is no beginning of the whole one");
}

/* Of tests/golden/token_ids; opened once. */
static inline struct tokenizer *golden_tokenizer(const char *name)
{
    char path[128];
    struct tokenizer *t;
    struct error err;
    snprintf(path, sizeof path, "tests/golden/token_ids/%s", name);
    must(tokenizer_open(path, &t, &err) == OK, "run it where tests/golden is");
    return t;
}

#endif
