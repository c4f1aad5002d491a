/* Which precision keeps this checkpoint's vectors? A fixed set of texts is encoded in fp32, then in the faster
 * precisions, fastest first; the first whose vectors all stay within a cosine of 0.995 is taken. It is tried at every
 * start, since a few short texts take no longer than packing the weights does. One precision is in memory at a time.
 *
 * The same texts show which channels are large, which int8 has to know (bert_weights.c). */
#include "model/bert_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_COSINE 0.995f

/* Short and long, of several scripts; a tokenizer that knows a script not at all gives unknown tokens for it. Texts of
 * a single token are the hardest: errors have nothing to average out over. */
static const char *const probe_texts[] = {
    "a cat",
    "happy birthday!",
    "I am so tired of mondays",
    "two hands making a heart",
    "404 not found",
    "Let's go get a beer after work, shall we? The last one was years ago.",
    "ein müder Hund im Regen",
    "estoy muy feliz por ti",
    "с днём рождения",
    "お誕生日おめでとう",
    "मुझे नींद आ रही है",
    "thumbs up",
    "what?",
    "100",
    "lol",
    "no",
    "ok",
    "!",
};
#define PROBE_TEXTS (sizeof probe_texts / sizeof *probe_texts)

/* out: [PROBE_TEXTS, dim] */
static enum status encode_probe(const struct bert *m, const struct tokenizer *tokenizer, float *out, struct error *err)
{
    size_t lens[PROBE_TEXTS];
    for (size_t i = 0; i < PROBE_TEXTS; i++)
        lens[i] = strlen(probe_texts[i]);
    return bert_encode_texts(m, tokenizer, ENCODER_QUERY, probe_texts, lens, PROBE_TEXTS, out, err);
}

static float least_cosine(const float *a, const float *b, size_t dim)
{
    float least = 1;
    for (size_t i = 0; i < PROBE_TEXTS; i++) {
        float dot = 0;
        for (size_t j = 0; j < dim; j++)
            dot += a[i * dim + j] * b[i * dim + j];
        least = dot < least ? dot : least;
    }
    return least;
}

static enum status reopen(struct bert **m, const char *dir, enum kernel_type type, struct pool *pool,
                          const float *peaks, struct error *err)
{
    bert_close(*m);
    return bert_weights_open(dir, type, ISA_BEST, pool, peaks, m, err);
}

/* Opens the fastest precision that gives nearly the same in the place of *m, which is of fp32 and gave `reference`. */
static enum status choose(struct bert **m, const char *dir, struct pool *pool, const struct tokenizer *tokenizer,
                          const float *peaks, const float *reference, float *vectors, struct error *err)
{
    size_t dim = (*m)->base.dim, at = 0;
    char why[sizeof(*m)->why] = "this CPU has no faster instructions than fp32's";
    bool good = true;
    enum status st = OK;
    for (int p = KERNEL_INT8; st == OK && p > KERNEL_FP32; p--) {
        float cosine = -1;
        if (!kernels_faster((enum kernel_type)p))
            continue;
        st = reopen(m, dir, (enum kernel_type)p, pool, peaks, err);
        if (st == OK && encode_probe(*m, tokenizer, vectors, NULL) == OK)
            cosine = least_cosine(reference, vectors, dim);
        good = cosine >= LEAST_COSINE;
        at += (size_t)snprintf(why + at, sizeof why - at, "%s%s: cosine to fp32 %.4f", at ? "; " : "",
                               bert_precision_name((enum kernel_type)p), (double)cosine);
        if (good)
            break;
    }
    if (st == OK && !good)
        st = reopen(m, dir, KERNEL_FP32, pool, NULL, err);
    if (st == OK)
        memcpy((*m)->why, why, sizeof why);
    return st;
}

enum status bert_probe(struct bert **m, const char *dir, bool int8, struct pool *pool,
                       const struct tokenizer *tokenizer, struct error *err)
{
    size_t dim = (*m)->base.dim, n_peaks = bert_peaks_count(&(*m)->config);
    float *peaks = calloc(n_peaks, sizeof *peaks), *vectors = malloc(2 * PROBE_TEXTS * dim * sizeof *vectors);
    enum status st = peaks && vectors ? OK : err_no_memory(err, "probing %s", dir);
    if (st == OK) {
        (*m)->peaks = peaks;
        st = encode_probe(*m, tokenizer, vectors, err);
        (*m)->peaks = NULL;
    }
    if (st == OK && int8)
        st = reopen(m, dir, KERNEL_INT8, pool, peaks, err);
    else if (st == OK)
        st = choose(m, dir, pool, tokenizer, peaks, vectors, vectors + PROBE_TEXTS * dim, err);
    free(peaks);
    free(vectors);
    return st;
}
