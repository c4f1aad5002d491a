/* Opening and reading. The file stays mapped: only the words that are asked for are ever in memory. */
#include "words/lexicon.h"

#include "base/os.h"
#include "words/lexicon_format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct lexicon {
    struct os_map map;
    uint32_t n;
    const float *scales;
    const uint32_t *offsets, *sorted, *starts, *relations;
    const int8_t *codes;
    const char *letters;
};

static int lexicon_compare(const struct lexicon *l, uint32_t word, const char *s, size_t len)
{
    size_t n;
    const char *w = lexicon_word(l, word, &n);
    int order = memcmp(w, s, n < len ? n : len);
    return order ? order : (n > len) - (n < len);
}

static enum status check_header(const struct lexicon_header *h, size_t len, struct error *err)
{
    if (memcmp(h->magic, LEXICON_MAGIC, 8) != 0 || h->version != LEXICON_VERSION)
        return err_set(err, ERR_CORRUPT, "expected a lexicon of version %u", LEXICON_VERSION);
    if (h->dim != LEXICON_DIM || h->words == 0 || h->words > LEXICON_MAX_WORDS)
        return err_set(err, ERR_CORRUPT, "expected 1 to %u words of %u numbers, found %u of %u", LEXICON_MAX_WORDS,
                       LEXICON_DIM, h->words, h->dim);
    if (h->relations > LEXICON_MAX_RELATIONS || h->letters > h->words * LEXICON_MAX_WORD)
        return err_set(err, ERR_CORRUPT, "%u relations or %u letters are too many", h->relations, h->letters);
    size_t expected =
        sizeof *h + (size_t)h->words * (4 * 4 + LEXICON_DIM) + 2 * 4 + 4 * (size_t)h->relations + h->letters;
    if (len != expected)
        return err_set(err, ERR_CORRUPT, "expected %zu bytes, found %zu", expected, len);
    return OK;
}

static enum status check_fields(const struct lexicon *l, const struct lexicon_header *h, struct error *err)
{
    if (l->offsets[0] != 0 || l->offsets[l->n] != h->letters || l->starts[0] != 0 || l->starts[l->n] != h->relations)
        return err_set(err, ERR_CORRUPT, "its lists do not begin and end where they should");
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->offsets[i + 1] <= l->offsets[i] || l->offsets[i + 1] - l->offsets[i] > LEXICON_MAX_WORD)
            return err_set(err, ERR_CORRUPT, "word %u: expected 1 to %u bytes", i, LEXICON_MAX_WORD);
        if (l->starts[i + 1] < l->starts[i])
            return err_set(err, ERR_CORRUPT, "word %u: its relations end before they begin", i);
        if (!(l->scales[i] >= 0 && l->scales[i] <= 1))
            return err_set(err, ERR_CORRUPT, "word %u: expected a scale of 0 to 1", i);
    }
    for (uint32_t i = 0; i < h->relations; i++)
        if (LEXICON_RELATED(l->relations[i]) >= l->n)
            return err_set(err, ERR_CORRUPT, "relation %u: there is no word %u", i, LEXICON_RELATED(l->relations[i]));
    for (uint32_t i = 0; i < l->n; i++) {
        size_t len;
        if (l->sorted[i] >= l->n)
            return err_set(err, ERR_CORRUPT, "sorted word %u: there is no word %u", i, l->sorted[i]);
        const char *w = lexicon_word(l, l->sorted[i], &len);
        if (i && lexicon_compare(l, l->sorted[i - 1], w, len) >= 0)
            return err_set(err, ERR_CORRUPT, "sorted word %u is out of order", i);
    }
    return OK;
}

enum status lexicon_open(const char *path, struct lexicon **out, struct error *err)
{
    struct lexicon *l = *out = calloc(1, sizeof *l);
    struct lexicon_header h = {0};
    if (!l)
        return err_no_memory(err, "the lexicon");
    enum status st = os_map_file(path, &l->map, err);
    if (st == OK) {
        if (l->map.len >= sizeof h) {
            memcpy(&h, l->map.data, sizeof h);
            st = check_header(&h, l->map.len, err);
        } else {
            st = err_set(err, ERR_CORRUPT, "expected at least %zu bytes, found %zu", sizeof h, l->map.len);
        }
        if (st == OK && XXH3_64bits(l->map.data + sizeof h, l->map.len - sizeof h) != h.checksum)
            st = err_set(err, ERR_CORRUPT, "its checksum is wrong");
        if (st == OK) {
            l->n = h.words;
            l->scales = (const float *)(const void *)(l->map.data + sizeof h);
            l->offsets = (const uint32_t *)(const void *)(l->scales + l->n);
            l->sorted = l->offsets + l->n + 1;
            l->starts = l->sorted + l->n;
            l->relations = l->starts + l->n + 1;
            l->codes = (const int8_t *)(l->relations + h.relations);
            l->letters = (const char *)(l->codes + (size_t)l->n * LEXICON_DIM);
            st = check_fields(l, &h, err);
        }
        if (st != OK && err)
            err_prefix(err, "%.300s", path);
    }
    if (st != OK) {
        lexicon_close(l);
        *out = NULL;
    }
    return st;
}

void lexicon_close(struct lexicon *l)
{
    if (l)
        os_unmap(&l->map);
    free(l);
}

uint64_t lexicon_checksum(const struct lexicon *l)
{
    return ((const struct lexicon_header *)l->map.data)->checksum;
}

uint32_t lexicon_count(const struct lexicon *l)
{
    return l->n;
}

const char *lexicon_word(const struct lexicon *l, uint32_t word, size_t *len)
{
    *len = l->offsets[word + 1] - l->offsets[word];
    return l->letters + l->offsets[word];
}

uint32_t lexicon_find(const struct lexicon *l, const char *word, size_t len)
{
    uint32_t low = 0, high = l->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = lexicon_compare(l, l->sorted[middle], word, len);
        if (order == 0)
            return l->sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return LEXICON_NONE;
}

const int8_t *lexicon_codes(const struct lexicon *l, uint32_t word, float *scale)
{
    *scale = l->scales[word];
    return l->codes + (size_t)word * LEXICON_DIM;
}

const uint32_t *lexicon_relations(const struct lexicon *l, uint32_t word, size_t *n)
{
    *n = l->starts[word + 1] - l->starts[word];
    return l->relations + l->starts[word];
}
