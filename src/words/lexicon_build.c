/* Making the file. Vectors are kept as int8 from the moment they arrive, so 300 MB of text need 30 MB here.
 * The mean of all vectors and the two directions in which they differ most say how frequent a word is rather than
 * what it means, and make all look alike: they are taken out (Mu and Viswanath, "All-but-the-Top", ICLR 2018). */
#include "words/lexicon.h"

#include "base/buf.h"
#include "base/os.h"
#include "words/lexicon_format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS  1048576u /* of the hash table: a power of two, more than twice LEXICON_MAX_WORDS */
#define KEPT   280000u  /* words with a vector */
#define COMMON 2u       /* directions that are removed besides the mean */
#define MANY   10000u   /* fewer words have no common directions worth removing */
#define ROUNDS 30       /* of the power iteration: enough for directions that stand out */

struct lexicon_builder {
    uint32_t n, n_pairs, cap_pairs;
    float *scales;
    int8_t *codes;
    char (*words)[LEXICON_MAX_WORD + 1];
    uint32_t *slots; /* number + 1, by hash */
    uint64_t *pairs; /* word << 32 | related << 8 | strength */
};

enum status lexicon_builder_open(struct lexicon_builder **out, struct error *err)
{
    struct lexicon_builder *b = *out = calloc(1, sizeof *b);
    if (b) {
        b->scales = calloc(LEXICON_MAX_WORDS, sizeof *b->scales);
        b->codes = calloc(LEXICON_MAX_WORDS, LEXICON_DIM);
        b->words = calloc(LEXICON_MAX_WORDS, sizeof *b->words);
        b->slots = calloc(SLOTS, sizeof *b->slots);
        if (b->scales && b->codes && b->words && b->slots)
            return OK;
    }
    lexicon_builder_close(b);
    *out = NULL;
    return err_no_memory(err, "the lexicon");
}

void lexicon_builder_close(struct lexicon_builder *b)
{
    if (!b)
        return;
    free(b->scales);
    free(b->codes);
    free(b->words);
    free(b->slots);
    free(b->pairs);
    free(b);
}

/* The slot of a word, or the free one where it belongs. */
static uint32_t *slot_of(const struct lexicon_builder *b, const char *word)
{
    uint32_t at = (uint32_t)XXH3_64bits(word, strlen(word)) & (SLOTS - 1);
    while (b->slots[at] && strcmp(b->words[b->slots[at] - 1], word) != 0)
        at = (at + 1) & (SLOTS - 1);
    return &b->slots[at];
}

/* scale is such that the cosine is scale * scale * dot; a vector of zeros stays one. */
static void quantize(const float *v, int8_t *codes, float *scale)
{
    float most = 0, norm = 0;
    for (size_t i = 0; i < LEXICON_DIM; i++)
        most = fmaxf(most, fabsf(v[i]));
    for (size_t i = 0; i < LEXICON_DIM; i++) {
        codes[i] = (int8_t)(most > 0 ? lrintf(v[i] / most * 127) : 0);
        norm += (float)(codes[i] * codes[i]);
    }
    *scale = norm > 0 ? 1 / sqrtf(norm) : 0;
}

#define LETTERS "abcdefghijklmnopqrstuvwxyz0123456789"

enum status lexicon_builder_add(struct lexicon_builder *b, const char *word, const float vector[LEXICON_DIM],
                                struct error *err)
{
    size_t len = strlen(word);
    if (!len || len > LEXICON_MAX_WORD || b->n >= KEPT || strspn(word, LETTERS) != len)
        return OK;
    for (size_t i = 0; i < LEXICON_DIM; i++)
        if (!(fabsf(vector[i]) < 1000))
            return err_set(err, ERR_CORRUPT, "the vector of \"%s\": expected numbers below 1000", word);
    uint32_t *slot = slot_of(b, word);
    if (*slot)
        return OK;
    memcpy(b->words[b->n], word, len + 1);
    quantize(vector, b->codes + (size_t)b->n * LEXICON_DIM, &b->scales[b->n]);
    *slot = ++b->n;
    return OK;
}

enum status lexicon_builder_add_phrase(struct lexicon_builder *b, const char *phrase, struct error *err)
{
    size_t len = strlen(phrase);
    if (b->n == 0)
        return err_set(err, ERR_INVALID, "a lexicon's phrases come after its words");
    if (len > LEXICON_MAX_WORD || b->n == LEXICON_MAX_WORDS || strspn(phrase, LETTERS " ") != len ||
        !strchr(phrase, ' '))
        return OK;
    uint32_t *slot = slot_of(b, phrase);
    if (*slot)
        return OK;
    memcpy(b->words[b->n], phrase, len + 1);
    *slot = ++b->n;
    return OK;
}

enum status lexicon_builder_relate(struct lexicon_builder *b, const char *x, const char *y, float strength,
                                   struct error *err)
{
    uint32_t i = *slot_of(b, x), k = *slot_of(b, y);
    if (!i || !k || i == k || b->n_pairs == 8 * LEXICON_MAX_RELATIONS)
        return OK;
    if (b->n_pairs == b->cap_pairs) {
        uint32_t cap = b->cap_pairs ? 2 * b->cap_pairs : 65536;
        uint64_t *pairs = realloc(b->pairs, cap * sizeof *pairs);
        if (!pairs)
            return err_no_memory(err, "%u relations", cap);
        b->pairs = pairs;
        b->cap_pairs = cap;
    }
    b->pairs[b->n_pairs++] = (uint64_t)(i - 1) << 32 | (uint64_t)(k - 1) << 8 | (uint64_t)lrintf(strength * 255);
    return OK;
}

static void remove_mean(struct lexicon_builder *b)
{
    double sum[LEXICON_DIM] = {0};
    uint32_t n = 0;
    for (uint32_t w = 0; w<b->n; n += b->scales[w++]> 0)
        for (size_t i = 0; i < LEXICON_DIM; i++)
            sum[i] += (double)(b->scales[w] * b->codes[(size_t)w * LEXICON_DIM + i]);
    for (uint32_t w = 0; w < b->n; w++) {
        float v[LEXICON_DIM];
        int8_t *codes = b->codes + (size_t)w * LEXICON_DIM;
        if (b->scales[w] <= 0) /* a phrase */
            continue;
        for (size_t i = 0; i < LEXICON_DIM; i++)
            v[i] = b->scales[w] * codes[i] - (float)(sum[i] / n);
        quantize(v, codes, &b->scales[w]);
    }
}

/* By power iteration on the second moments, each direction after the ones before it are gone. */
static void remove_common(struct lexicon_builder *b)
{
    static const size_t d = LEXICON_DIM;
    double moments[LEXICON_DIM][LEXICON_DIM] = {{0}}, common[COMMON][LEXICON_DIM];
    for (uint32_t w = 0; w < b->n; w++) {
        const int8_t *codes = b->codes + w * d;
        double scale = (double)b->scales[w] * (double)b->scales[w];
        for (size_t i = 0; i < d; i++)
            for (size_t k = 0; k < d; k++)
                moments[i][k] += scale * codes[i] * codes[k];
    }
    for (size_t c = 0; c < COMMON; c++) {
        double *u = common[c], value = 0;
        for (size_t i = 0; i < d; i++)
            u[i] = 1;
        for (int round = 0; round < ROUNDS; round++) {
            double next[LEXICON_DIM] = {0}, norm = 0;
            for (size_t i = 0; i < d; i++) {
                for (size_t k = 0; k < d; k++)
                    next[i] += moments[i][k] * u[k];
                norm += next[i] * next[i];
            }
            value = sqrt(norm);
            for (size_t i = 0; i < d; i++)
                u[i] = value > 0 ? next[i] / value : 0;
        }
        for (size_t i = 0; i < d; i++)
            for (size_t k = 0; k < d; k++)
                moments[i][k] -= value * u[i] * u[k];
    }
    for (uint32_t w = 0; w < b->n; w++) {
        float v[LEXICON_DIM];
        int8_t *codes = b->codes + w * d;
        double along[COMMON] = {0};
        for (size_t c = 0; c < COMMON; c++)
            for (size_t i = 0; i < d; i++)
                along[c] += common[c][i] * codes[i];
        for (size_t i = 0; i < d; i++)
            v[i] = (float)(codes[i] - along[0] * common[0][i] - along[1] * common[1][i]);
        quantize(v, codes, &b->scales[w]);
    }
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_letters(const void *a, const void *b, void *words)
{
    const char(*w)[LEXICON_MAX_WORD + 1] = words;
    return strcmp(w[*(const uint32_t *)a], w[*(const uint32_t *)b]);
}

static void put_lists(struct lexicon_builder *b, uint32_t *numbers, struct buf *out)
{
    uint32_t at = 0;
    for (uint32_t w = 0; w <= b->n; w++) {
        numbers[w] = at;
        at += w < b->n ? (uint32_t)strlen(b->words[w]) : 0;
    }
    buf_append(out, numbers, (b->n + 1) * sizeof *numbers);
    for (uint32_t w = 0; w < b->n; w++)
        numbers[w] = w;
    qsort_r(numbers, b->n, sizeof *numbers, by_letters, b->words);
    buf_append(out, numbers, b->n * sizeof *numbers);
    at = 0;
    for (uint32_t w = 0; w <= b->n; w++) {
        numbers[w] = at;
        while (at < b->n_pairs && b->pairs[at] >> 32 == w)
            at++;
    }
    buf_append(out, numbers, (b->n + 1) * sizeof *numbers);
    for (uint32_t i = 0; i < b->n_pairs; i++) {
        uint32_t relation = (uint32_t)(b->pairs[i] & 0xff) << 24 | (uint32_t)(b->pairs[i] >> 8 & 0xffffff);
        buf_append(out, &relation, sizeof relation);
    }
}

enum status lexicon_builder_write(struct lexicon_builder *b, const char *path, struct error *err)
{
    struct buf out;
    struct lexicon_header h = {.magic = LEXICON_MAGIC, .version = LEXICON_VERSION, .dim = LEXICON_DIM, .words = b->n};
    uint32_t kept = 0, *numbers;
    if (b->n == 0)
        return err_set(err, ERR_INVALID, "a lexicon needs a word");
    if (!(numbers = calloc(b->n + 1, sizeof *numbers)))
        return err_no_memory(err, "the lexicon");
    remove_mean(b);
    if (b->n >= MANY)
        remove_common(b);
    if (b->n_pairs)
        qsort(b->pairs, b->n_pairs, sizeof *b->pairs, by_number);
    for (uint32_t i = 0; i < b->n_pairs && kept < LEXICON_MAX_RELATIONS; i++) /* the strongest comes last */
        if (i + 1 == b->n_pairs || b->pairs[i] >> 8 != b->pairs[i + 1] >> 8)
            b->pairs[kept++] = b->pairs[i];
    h.relations = b->n_pairs = kept;
    for (uint32_t w = 0; w < b->n; w++)
        h.letters += (uint32_t)strlen(b->words[w]);
    buf_init(&out, 64u << 20);
    buf_append(&out, &h, sizeof h);
    buf_append(&out, b->scales, b->n * sizeof *b->scales);
    put_lists(b, numbers, &out);
    buf_append(&out, b->codes, (size_t)b->n * LEXICON_DIM);
    for (uint32_t w = 0; w < b->n; w++)
        buf_puts(&out, b->words[w]);
    enum status st = buf_status(&out, err);
    if (st == OK) {
        h.checksum = XXH3_64bits((const char *)out.data + sizeof h, out.len - sizeof h);
        memcpy(out.data, &h, sizeof h);
        st = os_write_file(path, out.data, out.len, err);
    }
    buf_free(&out);
    free(numbers);
    return st;
}
