#include "model/encoder_parts.h"

#include "base/buf.h"
#include "base/os.h"
#include "model/library.h"
#include "tokenize/tokenizer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum status encoder_reliance_parse(const char *file, const json_t *root, struct encoder_reliance *out,
                                   struct error *err)
{
    const json_t *peel = json_object_get(root, "peel"), *weight = json_object_get(peel, "hybrid_weight");
    const json_t *language = json_object_get(peel, "language");
    if (weight && (!json_is_number(weight) || json_number_value(weight) < 0 || json_number_value(weight) > 1))
        return err_set(err, ERR_INVALID, "%s: peel.hybrid_weight: expected a number from 0 to 1", file);
    if (language && (!json_is_string(language) || strcmp(json_string_value(language), "en") != 0))
        return err_set(err, ERR_INVALID, "%s: peel.language: expected en, or nothing for all languages", file);
    out->weight = weight ? json_number_value(weight) : 1;
    out->english = language != NULL;
    return OK;
}

double encoder_reliance_for(const struct encoder_reliance *r, bool english_query)
{
    return english_query || !r->english ? r->weight : 0;
}

/* How many tokens the words are in all; 0: that cannot be told. */
static size_t count_tokens(const struct tokenizer *t, const char *const *words, size_t n)
{
    size_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t ids[64];
        size_t found;
        if (tokenizer_encode(t, words[i], strlen(words[i]), 64, ids, &found, NULL) != OK)
            return 0;
        sum += found - tokenizer_info(t)->n_start - tokenizer_info(t)->n_end;
    }
    return sum;
}

bool encoder_is_english(const struct tokenizer *t)
{
    static const char *const english[] = {"thank", "good", "morning", "tomorrow", "friend", "beautiful"};
    static const char *const others[] = {"спасибо", "ευχαριστώ", "ありがとう", "감사합니다", "धन्यवाद", "freundschaft"};
    enum { N = sizeof english / sizeof *english };
    _Static_assert(N == sizeof others / sizeof *others, "as many of both");
    size_t known = count_tokens(t, english, N), foreign = count_tokens(t, others, N);
    return known && known <= N && foreign >= 3 * (size_t)N;
}

enum status encoder_normalize(float *v, size_t n, struct error *err)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i] * (double)v[i];
    if (!(sum > 1e-30 && sum < 1e30))
        return err_set(err, ERR_CORRUPT, "the model gives no finite vector: its weights are damaged");
    float inverse = (float)(1 / sqrt(sum));
    for (size_t i = 0; i < n; i++)
        v[i] *= inverse;
    return OK;
}

size_t encoder_text_bytes(const char *text, size_t len)
{
    if (len <= TOKENIZER_MAX_BYTES)
        return len;
    len = TOKENIZER_MAX_BYTES;
    while (len > TOKENIZER_MAX_BYTES - 4 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return len;
}

enum status encoder_read_json(const char *dir, const char *name, char *path, size_t cap, json_t **out,
                              struct error *err)
{
    struct buf text;
    json_error_t where;
    *out = NULL;
    if ((size_t)snprintf(path, cap, "%s/%s", dir, name) >= cap)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    buf_init(&text, LIBRARY_CONFIG_BYTES);
    enum status st = os_read_file(path, &text, err);
    if (st == OK && !(*out = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, &where)))
        st = err_set(err, ERR_INVALID, "%s: not JSON: %s (line %d)", path, where.text, where.line);
    buf_free(&text);
    if (st == OK && !json_is_object(*out)) {
        json_decref(*out);
        *out = NULL;
        st = err_set(err, ERR_INVALID, "%s: must be a JSON object", path);
    }
    return st;
}

enum status encoder_json_size(const char *file, const json_t *root, const char *key, size_t least, size_t most,
                              size_t standard, size_t *out, struct error *err)
{
    const json_t *v = json_object_get(root, key);
    *out = standard;
    if (!v || json_is_null(v))
        return OK;
    if (!json_is_integer(v))
        return err_set(err, ERR_INVALID, "%s: %s must be a whole number", file, key);
    json_int_t n = json_integer_value(v);
    if (n < (json_int_t)least || n > (json_int_t)most)
        return err_set(err, ERR_INVALID, "%s: %s: expected %zu to %zu, found %" JSON_INTEGER_FORMAT, file, key, least,
                       most, n);
    *out = (size_t)n;
    return OK;
}
