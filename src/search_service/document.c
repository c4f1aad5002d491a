/* Every member is checked by name before anything is stored; strings are borrowed from the JSON. */
#include "search_service/document.h"

#include "base/buf.h"
#include "base/os.h"
#include "image/image.h"
#include "text/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TITLE     4096u /* bytes */
#define MAX_WORDS     (16u << 10)
#define MAX_LANGUAGE  35u /* RFC 5646 */
#define MAX_LANGUAGES 64u
#define MAX_TERMS     4000u
#define MAX_FOLDED    (4u << 20)

void document_free(struct document_in *in)
{
    json_decref(in->json);
    free(in->words_json);
    free(in->decoded);
    *in = (struct document_in){0};
}

static enum status wrong(struct error *err, const char *member, const char *expected)
{
    return err_set(err, ERR_INVALID, "%s must be %s", member, expected);
}

/* A string without NUL and of at most max bytes; `fallback` when the member is missing. */
static enum status read_string(const json_t *object, const char *key, const char *name, size_t max,
                               const char *fallback, const char **out, struct error *err)
{
    const json_t *v = json_object_get(object, key);
    *out = v ? json_string_value(v) : fallback;
    if (!*out)
        return wrong(err, name, "a string");
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

static enum status read_words(struct document_in *in, struct arena *a, struct error *err)
{
    static const char *const known[] = {"language", "words"};
    json_t *words = json_object_get(in->json, "words"), *entry;
    size_t i;
    struct buf all;
    if (words && !json_is_array(words))
        return wrong(err, "words", "an array");
    if (json_array_size(words) > MAX_LANGUAGES)
        return err_set(err, ERR_INVALID, "words: at most %u entries, found %zu", MAX_LANGUAGES, json_array_size(words));
    buf_init(&all, MAX_LANGUAGES * (MAX_WORDS + 2));
    enum status st = OK;
    json_array_foreach(words, i, entry)
    {
        char name[64];
        const char *language, *text = "";
        snprintf(name, sizeof name, "words[%zu]", i);
        st = json_is_object(entry) ? OK : wrong(err, name, "an object with language and words");
        if (st == OK)
            st = check_members(entry, known, 2, "words: ", err);
        snprintf(name, sizeof name, "words[%zu].language", i);
        if (st == OK)
            st = read_string(entry, "language", name, MAX_LANGUAGE, NULL, &language, err);
        snprintf(name, sizeof name, "words[%zu].words", i);
        if (st == OK)
            st = read_string(entry, "words", name, MAX_WORDS, NULL, &text, err);
        if (st != OK)
            break;
        buf_puts(&all, text);
        buf_puts(&all, ", ");
    }
    in->words_json = st == OK && words ? json_dumps(words, JSON_COMPACT) : strdup("[]");
    in->all_words = arena_strndup(a, buf_str(&all), all.len);
    if (st == OK && (!in->words_json || !in->all_words || all.failed))
        st = err_set(err, ERR_NO_MEMORY, "no memory for the document's words");
    in->doc.words_json = in->words_json;
    buf_free(&all);
    return st;
}

static enum status read_hash(struct document_in *in, struct error *err)
{
    const char *hash;
    enum status st = read_string(in->json, "sha256", "sha256", 64, "", &hash, err);
    if (st != OK)
        return st;
    if (*hash && (strlen(hash) != 64 || strspn(hash, "0123456789abcdefABCDEF") != 64))
        return wrong(err, "sha256", "64 hexadecimal digits");
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
        return wrong(err, "image", "a base64 string");
    size_t cap = json_string_length(v) / 4 * 3 + 3;
    in->decoded = malloc(cap);
    if (!in->decoded)
        return err_set(err, ERR_NO_MEMORY, "no memory for an image of %zu bytes", cap);
    if (sodium_base642bin(in->decoded, cap, json_string_value(v), json_string_length(v), "\r\n", &in->image_len, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return wrong(err, "image", "a base64 string");
    in->image = in->decoded;
    return OK;
}

static enum status read_json(const char *body, size_t len, struct document_in *in, struct arena *a, struct error *err)
{
    static const char *const known[] = {"title", "words", "sha256", "image"};
    json_error_t where;
    in->json = json_loadb(body, len, JSON_REJECT_DUPLICATES, &where);
    if (!in->json)
        return err_set(err, ERR_INVALID, "the body is not JSON: line %d, column %d: %.200s", where.line, where.column,
                       where.text);
    if (!json_is_object(in->json))
        return wrong(err, "the body", "a JSON object");
    enum status st = check_members(in->json, known, sizeof known / sizeof *known, "", err);
    if (st == OK)
        st = read_string(in->json, "title", "title", MAX_TITLE, "", &in->doc.title, err);
    if (st == OK)
        st = read_words(in, a, err);
    if (st == OK)
        st = read_hash(in, err);
    if (st == OK)
        st = read_base64(in, err);
    return st;
}

enum status document_parse(const char *filename, const char *body, size_t len, struct arena *a, struct document_in *out,
                           struct error *err)
{
    *out = (struct document_in){.doc.filename = filename};
    enum status st = read_json(body, len, out, a, err);
    out->doc.image_sha256 = out->sha256;
    if (st != OK)
        document_free(out);
    return st;
}

enum status document_from_image(const char *filename, const struct document *before, const void *image, size_t len,
                                struct arena *a, struct document_in *out, struct error *err)
{
    *out = (struct document_in){.doc.filename = filename, .image = image, .image_len = len};
    json_t *words = before ? json_loads(before->words_json, 0, NULL) : NULL;
    out->json = json_object();
    enum status st = OK;
    if (!out->json || json_object_set_new(out->json, "words", words ? words : json_array()) != 0)
        st = err_set(err, ERR_NO_MEMORY, "no memory for the document");
    if (st == OK)
        st = read_words(out, a, err);
    out->doc.title = before ? before->title : "";
    out->doc.image_sha256 = out->sha256;
    if (st != OK)
        document_free(out);
    return st;
}

enum status document_check_image(struct document_in *in, struct error *err)
{
    enum image_kind kind;
    uint32_t width, height;
    char hash[65];
    struct error why;
    enum status st = image_probe(in->image, in->image_len, &kind, &width, &height, &why);
    if (st != OK)
        return err_set(err, st == ERR_NO_MEMORY ? st : ERR_INVALID, "image: %s", why.message);
    os_sha256_hex(in->image, in->image_len, hash);
    if (*in->sha256 && strcmp(in->sha256, hash) != 0)
        return err_set(err, ERR_INVALID, "sha256 is not that of the image, which is %s", hash);
    memcpy(in->sha256, hash, sizeof hash);
    return OK;
}

static enum status terms_of(const char *text, size_t len, struct arena *a, const char **stems, struct buf *folded,
                            struct error *err)
{
    struct text_terms t;
    enum status st = text_analyze(text, len, MAX_TERMS, a, &t, err);
    if (st != OK)
        return st;
    *stems = text_join_stems(&t, a);
    const char *f = text_join_folded(&t, a);
    if (!*stems || !f)
        return err_set(err, ERR_NO_MEMORY, "no memory for the document's terms");
    if (folded->len && *f)
        buf_putc(folded, ' ');
    buf_puts(folded, f);
    return OK;
}

enum status document_analyze(const struct document_in *in, struct arena *a, struct document_terms *out,
                             struct error *err)
{
    const char *filename = in->doc.filename, *dot = strrchr(filename, '.');
    size_t stem_len = dot && dot > filename ? (size_t)(dot - filename) : strlen(filename);
    struct buf folded;
    buf_init(&folded, MAX_FOLDED);
    enum status st = terms_of(in->doc.title, strlen(in->doc.title), a, &out->title, &folded, err);
    if (st == OK)
        st = terms_of(in->all_words, strlen(in->all_words), a, &out->words, &folded, err);
    if (st == OK)
        st = terms_of(filename, stem_len, a, &out->filename, &folded, err);
    if (st == OK)
        st = buf_status(&folded, err);
    if (st == OK && !(out->folded = arena_strndup(a, buf_str(&folded), folded.len)))
        st = err_set(err, ERR_NO_MEMORY, "no memory for the document's terms");
    buf_free(&folded);
    return st;
}
