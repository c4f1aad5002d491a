/* Every member is checked by name before anything is stored; strings are borrowed from the JSON. */
#include "search_service/document.h"

#include "base/buf.h"
#include "base/json_in.h"
#include "base/os.h"
#include "text/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE_WAIT_MS 10000u /* for a worker that looks at an image */
#define MAX_TITLE     4096u  /* bytes */
#define MAX_WORDS     (16u << 10)
/* Of all words as they are stored: signs that JSON escapes, such as control characters, would make them six times as
 * long, and pages of documents are read into memory of a fixed size. */
#define MAX_STORED (2 * LANGUAGE_MAX_BYTES + (64u << 10))

void document_free(struct document_in *in)
{
    json_decref(in->json);
    free(in->words_json);
    free(in->decoded);
    *in = (struct document_in){0};
}

static enum status document_expected(struct error *err, const char *member, const char *expected)
{
    return err_set(err, ERR_INVALID, "%s must be %s", member, expected);
}

/* A string without NUL and of at most max bytes; `fallback` when the member is missing. */
static enum status document_read_string(const json_t *object, const char *key, const char *name, size_t max,
                                        const char *fallback, const char **out, struct error *err)
{
    const json_t *v = json_object_get(object, key);
    *out = v ? json_string_value(v) : fallback;
    if (!*out)
        return document_expected(err, name, "a string");
    if (v && json_string_length(v) > max)
        return err_set(err, ERR_INVALID, "%s is too long: at most %zu bytes, found %zu", name, max,
                       json_string_length(v));
    return OK;
}

static enum status check_members(const json_t *object, const char *const *known, size_t n, const char *where,
                                 struct error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        size_t i = 0;
        while (i < n && strcmp(known[i], key) != 0)
            i++;
        if (i == n)
            return err_set(err, ERR_INVALID, "%s\"%.64s\" is not a member of a document", where, key);
    }
    return OK;
}

/* One entry of "words"; its strings stay owned by the JSON. */
static enum status document_read_language(const json_t *entry, size_t i, struct sticker_words *out, struct error *err)
{
    static const char *const known[] = {"language", "title", "words"};
    char name[64];
    *out = (struct sticker_words){0};
    snprintf(name, sizeof name, "words[%zu]", i);
    enum status st = json_is_object(entry) ? OK : document_expected(err, name, "an object with language and words");
    if (st == OK)
        st = check_members(entry, known, sizeof known / sizeof *known, "words: ", err);
    snprintf(name, sizeof name, "words[%zu].language", i);
    if (st == OK)
        st = document_read_string(entry, "language", name, LANGUAGE_MAX_TAG, NULL, &out->language, err);
    if (st == OK && !language_valid(out->language))
        st = document_expected(err, name, "a language tag, such as \"en\" or \"pt-BR\"");
    snprintf(name, sizeof name, "words[%zu].title", i);
    if (st == OK)
        st = document_read_string(entry, "title", name, MAX_TITLE, "", &out->title, err);
    snprintf(name, sizeof name, "words[%zu].words", i);
    return st == OK ? document_read_string(entry, "words", name, MAX_WORDS, NULL, &out->words, err) : st;
}

static enum status document_read_words(struct document_in *in, struct arena *a, struct error *err)
{
    json_t *words = json_object_get(in->json, "words"), *entry;
    size_t i, bytes = 0;
    if (words && !json_is_array(words))
        return document_expected(err, "words", "an array");
    if (json_array_size(words) > LANGUAGE_MAX_LISTS)
        return err_set(err, ERR_INVALID, "words: at most %u entries, found %zu", LANGUAGE_MAX_LISTS,
                       json_array_size(words));
    struct sticker_words *lists = arena_array(a, json_array_size(words) + 1, sizeof *lists);
    enum status st = lists ? OK : err_no_memory(err, "the document's words");
    in->words = lists;
    json_array_foreach(words, i, entry)
    {
        if (st != OK || (st = document_read_language(entry, i, &lists[i], err)) != OK)
            break;
        bytes += strlen(lists[i].title) + strlen(lists[i].words);
        in->n_words++;
    }
    if (st == OK && bytes > LANGUAGE_MAX_BYTES)
        st =
            err_set(err, ERR_INVALID, "words: at most %u bytes in all languages, found %zu", LANGUAGE_MAX_BYTES, bytes);
    in->words_json = st == OK && words ? json_dumps(words, JSON_COMPACT) : strdup("[]");
    if (st == OK && !in->words_json)
        st = err_no_memory(err, "the document's words");
    if (st == OK && strlen(in->words_json) > MAX_STORED)
        st = err_set(err, ERR_INVALID, "words: at most %u bytes as JSON, found %zu; are there control characters?",
                     MAX_STORED, strlen(in->words_json));
    in->doc.words_json = in->words_json;
    return st;
}

static enum status read_hash(struct document_in *in, struct error *err)
{
    const char *hash;
    enum status st = document_read_string(in->json, "sha256", "sha256", 64, "", &hash, err);
    if (st != OK)
        return st;
    if (*hash && (strlen(hash) != 64 || strspn(hash, "0123456789abcdefABCDEF") != 64))
        return document_expected(err, "sha256", "64 hexadecimal digits");
    for (size_t i = 0; hash[i]; i++)
        in->sha256[i] = (char)(hash[i] >= 'A' && hash[i] <= 'F' ? hash[i] + 32 : hash[i]);
    return OK;
}

static enum status read_base64(struct document_in *in, struct error *err)
{
    const json_t *v = json_object_get(in->json, "image");
    if (!v || json_is_null(v))
        return OK;
    if (!json_is_string(v))
        return document_expected(err, "image", "a base64 string");
    size_t cap = json_string_length(v) / 4 * 3 + 3;
    in->decoded = malloc(cap);
    if (!in->decoded)
        return err_no_memory(err, "an image of %zu bytes", cap);
    if (sodium_base642bin(in->decoded, cap, json_string_value(v), json_string_length(v), "\r\n", &in->image_len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return document_expected(err, "image", "a base64 string");
    in->image = in->decoded;
    return OK;
}

/* What searches filter by. */
static enum status read_labels(struct document_in *in, struct error *err)
{
    const char *rating;
    const json_t *animated = json_object_get(in->json, "animated");
    enum status st = document_read_string(in->json, "pack", "pack", STICKER_FILTER_PACK_MAX, "", &in->doc.pack, err);
    if (st == OK)
        st = document_read_string(in->json, "rating", "rating", MAX_TITLE, rating_name(RATING_G), &rating, err);
    if (st == OK && !rating_parse(rating, &in->doc.rating))
        st = document_expected(err, "rating", "\"g\", \"pg\", \"pg-13\" or \"r\"");
    if (st == OK && animated && !json_is_boolean(animated))
        st = document_expected(err, "animated", "true or false");
    in->doc.animated = json_is_true(animated);
    return st;
}

static enum status document_read_json(const char *body, size_t len, struct document_in *in, struct arena *a,
                                      struct error *err)
{
    static const char *const known[] = {"title", "words", "sha256", "image", "pack", "rating", "animated", "ocr_words"};
    enum status st = json_read_body(body, len, JSON_REJECT_DUPLICATES, &in->json, err);
    if (st == OK && !json_is_object(in->json))
        st = document_expected(err, "the body", "a JSON object");
    if (st == OK)
        st = check_members(in->json, known, sizeof known / sizeof *known, "", err);
    if (st == OK)
        st = document_read_string(in->json, "title", "title", MAX_TITLE, "", &in->doc.title, err);
    if (st == OK)
        st = document_read_words(in, a, err);
    if (st == OK)
        st = document_read_string(in->json, "ocr_words", "ocr_words", MAX_TITLE, "", &in->doc.ocr_words, err);
    if (st == OK)
        st = read_hash(in, err);
    if (st == OK)
        st = read_labels(in, err);
    if (st == OK)
        st = read_base64(in, err);
    return st;
}

enum status document_parse(const char *filename, const char *body, size_t len, struct arena *a, struct document_in *out,
                           struct error *err)
{
    *out = (struct document_in){.doc.filename = filename};
    enum status st = document_read_json(body, len, out, a, err);
    out->doc.image_sha256 = out->sha256;
    if (st != OK)
        document_free(out);
    return st;
}

enum status document_from_image(const char *filename, const struct document *before, const void *image, size_t len,
                                struct arena *a, struct document_in *out, struct error *err)
{
    *out = (struct document_in){.doc = before ? *before : (struct document){.title = "", .pack = "", .ocr_words = ""},
                                .image = image,
                                .image_len = len};
    out->doc.filename = filename;
    json_t *words = before ? json_loads(before->words_json, 0, NULL) : NULL;
    out->json = json_object();
    enum status st = OK;
    if (!out->json || json_object_set_new(out->json, "words", words ? words : json_array()) != 0)
        st = err_no_memory(err, "the document");
    if (st == OK)
        st = document_read_words(out, a, err);
    out->doc.image_sha256 = out->sha256;
    if (st != OK)
        document_free(out);
    return st;
}

enum status document_check_image(struct document_in *in, struct sandbox *sandbox, struct error *err)
{
    struct sandbox_verdict found;
    char hash[65];
    struct error why;
    struct sandbox_image file = {.data = in->image, .len = in->image_len, .wait_ms = IMAGE_WAIT_MS};
    enum status st = sandbox_probe(sandbox, &file, &found, &why);
    if (st != OK)
        return err_set(err, st == ERR_NO_MEMORY || st == ERR_UNAVAILABLE ? st : ERR_INVALID, "image: %s", why.message);
    os_sha256_hex(in->image, in->image_len, hash);
    if (*in->sha256 && strcmp(in->sha256, hash) != 0)
        return err_set(err, ERR_INVALID, "sha256 is not that of the image, which is %s", hash);
    memcpy(in->sha256, hash, sizeof hash);
    return OK;
}

enum status document_analyze(const struct document_in *in, struct arena *a, struct sticker_terms *out,
                             struct error *err)
{
    return text_sticker_terms(in->doc.title, in->doc.filename, in->doc.ocr_words, in->words, in->n_words, a, out, err);
}
