/* /api/documents/<filename>: what StickerService tells us to index and to forget.
 *
 * A JSON body describes the document; "sha256" names its image, which is read from the bucket's media/
 * when it is needed. An image may also come along, as base64 in "image" or as the whole body: it is then
 * kept under index/ in the bucket, because every later model needs it too. */
#include "search_service/service.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "image/image.h"
#include "store/sticker_store.h"
#include "text/text.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TITLE      4096u /* bytes */
#define MAX_WORDS      (16u << 10)
#define MAX_LANGUAGE   35u /* RFC 5646 */
#define MAX_LANGUAGES  64u
#define MAX_TERMS      4000u
#define DOCUMENT_BYTES (8u << 20) /* memory for the terms of one document */

struct incoming {
    struct document doc;
    json_t *json;           /* owns what doc borrows */
    char *words_json;       /* malloc'ed */
    const char *all_words;  /* of all languages; in the arena */
    unsigned char *decoded; /* malloc'ed, when the image came as base64 */
    const void *image;      /* NULL: none came */
    size_t image_len;
    char hash[65];
};

static void incoming_free(struct incoming *in)
{
    json_decref(in->json);
    free(in->words_json);
    free(in->decoded);
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

static enum status read_words(struct incoming *in, struct arena *a, struct error *err)
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

static enum status read_hash(struct incoming *in, struct error *err)
{
    const char *hash;
    enum status st = read_string(in->json, "sha256", "sha256", 64, "", &hash, err);
    if (st != OK)
        return st;
    if (*hash && (strlen(hash) != 64 || strspn(hash, "0123456789abcdefABCDEF") != 64))
        return wrong(err, "sha256", "64 hexadecimal digits");
    for (size_t i = 0; hash[i]; i++)
        in->hash[i] = (char)(hash[i] >= 'A' && hash[i] <= 'F' ? hash[i] + 32 : hash[i]);
    return OK;
}

static enum status read_base64(struct incoming *in, struct error *err)
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

static enum status read_json(const struct http_request *req, struct incoming *in, struct arena *a, struct error *err)
{
    static const char *const known[] = {"title", "words", "sha256", "image"};
    json_error_t where;
    in->json = json_loadb(req->body, req->body_len, JSON_REJECT_DUPLICATES, &where);
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

/* The body is the image; what is known of the document stays as it is. */
static enum status read_raw(struct search_service *s, const struct http_request *req, struct incoming *in,
                            struct arena *a, struct error *err)
{
    const char *filename = in->doc.filename;
    struct document before;
    in->image = req->body;
    in->image_len = req->body_len;
    enum status st = search_store_get(s->store, filename, a, &before, err);
    if (st == ERR_NOT_FOUND)
        before = (struct document){.title = "", .words_json = "[]"};
    else if (st != OK)
        return st;
    in->json = json_object();
    json_t *words = json_loads(before.words_json, 0, NULL);
    if (!in->json || json_object_set_new(in->json, "words", words ? words : json_array()) != 0)
        return err_set(err, ERR_NO_MEMORY, "no memory for the document");
    st = read_words(in, a, err);
    in->doc.title = before.title;
    return st;
}

/* An image that came along is really one, is what sha256 says, and is kept. */
static enum status keep_image(struct search_service *s, struct incoming *in, struct error *err)
{
    if (!in->image)
        return OK;
    enum image_kind kind;
    uint32_t width, height;
    char hash[65], key[512];
    if (!s->bucket)
        return err_set(err, ERR_INVALID, "image: this service has no bucket to keep it in");
    enum status st = image_probe(in->image, in->image_len, &kind, &width, &height, err);
    if (st != OK) {
        err_prefix(err, "image");
        return err->code == ERR_NO_MEMORY ? st : err_set(err, ERR_INVALID, "%s", err->message);
    }
    os_sha256_hex(in->image, in->image_len, hash);
    if (*in->hash && strcmp(in->hash, hash) != 0)
        return err_set(err, ERR_INVALID, "sha256 is not that of the image, which is %s", hash);
    memcpy(in->hash, hash, sizeof hash);
    snprintf(key, sizeof key, "index/%s", in->doc.filename);
    return bucket_put(s->bucket, key, in->image, in->image_len, err);
}

/* --- terms --- */

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

static enum status store_document(struct search_service *s, struct incoming *in, struct arena *a, int64_t *id,
                                  bool *changed, struct error *err)
{
    struct document_terms terms;
    struct buf folded;
    const char *filename = in->doc.filename, *dot = strrchr(filename, '.');
    size_t stem_len = dot && dot > filename ? (size_t)(dot - filename) : strlen(filename);
    buf_init(&folded, DOCUMENT_BYTES);
    enum status st = terms_of(in->doc.title, strlen(in->doc.title), a, &terms.title, &folded, err);
    if (st == OK)
        st = terms_of(in->all_words, strlen(in->all_words), a, &terms.words, &folded, err);
    if (st == OK)
        st = terms_of(filename, stem_len, a, &terms.filename, &folded, err);
    if (st == OK)
        st = buf_status(&folded, err);
    terms.folded = buf_str(&folded);
    in->doc.image_sha256 = in->hash;
    if (st == OK) {
        struct document before;
        engine_change_begin(s->engine);
        enum status found = search_store_get(s->store, filename, a, &before, err);
        st = found == ERR_NOT_FOUND ? OK : found;
        if (st == OK)
            st = search_store_put(s->store, &in->doc, &terms, id, changed, err);
        if (st == OK && found == OK && strcmp(before.image_sha256, in->hash) != 0)
            engine_drop_document(s->engine, before.id);
        engine_change_end(s->engine);
        if (st == OK && *changed && *in->hash)
            engine_has_work(s->engine, *id);
    }
    buf_free(&folded);
    return st;
}

/* --- handlers --- */

static bool is_image(const char *type)
{
    return strncasecmp(type, "image/", 6) == 0;
}

static bool is_json(const char *type)
{
    size_t len = strcspn(type, "; ");
    return len == 0 || (len == 16 && strncasecmp(type, "application/json", 16) == 0);
}

void handle_document_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct incoming in = {.doc.filename = req->path_param};
    struct arena a;
    struct error err;
    int64_t id = 0;
    bool changed = false;
    const char *type = http_header(req, "Content-Type");
    type = type ? type : "";
    if (!is_image(type) && !is_json(type)) {
        http_problem(res, 415, "Content-Type must be application/json or image/*, found \"%.64s\"", type);
        return;
    }
    arena_init(&a, DOCUMENT_BYTES);
    enum status st = store_check_filename(req->path_param, &err);
    if (st == OK)
        st = is_image(type) ? read_raw(s, req, &in, &a, &err) : read_json(req, &in, &a, &err);
    if (st == OK)
        st = keep_image(s, &in, &err);
    if (st == OK)
        st = store_document(s, &in, &a, &id, &changed, &err);
    if (st == OK) {
        struct buf out;
        buf_init(&out, 4096);
        buf_puts(&out, "{\"filename\":");
        json_put_string(&out, req->path_param);
        buf_printf(&out, ",\"id\":%lld,\"changed\":%s}", (long long)id, changed ? "true" : "false");
        answer_json(res, 200, &out);
    } else {
        http_problem_from(res, &err);
    }
    incoming_free(&in);
    arena_free(&a);
}

void handle_document_delete(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct error err;
    int64_t id;
    char key[512];
    enum status st = store_check_filename(req->path_param, &err);
    if (st == OK) {
        engine_change_begin(s->engine);
        st = search_store_delete(s->store, req->path_param, &id, &err);
        if (st == OK)
            engine_drop_document(s->engine, id);
        engine_change_end(s->engine);
    }
    if (st == OK && s->bucket) {
        snprintf(key, sizeof key, "index/%s", req->path_param);
        if (bucket_delete(s->bucket, key, &err) != OK)
            log_warn("%s stays in the bucket: %s", key, err.message);
    }
    if (st == OK || st == ERR_NOT_FOUND)
        http_body_static(res, 204, "application/json", "", 0);
    else
        http_problem_from(res, &err);
}

void handle_document_get(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct document doc;
    struct error err;
    struct buf out;
    if (search_store_get(s->store, req->path_param, req->arena, &doc, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    char created[28], modified[28];
    os_format_time(doc.created_us, created);
    os_format_time(doc.modified_us, modified);
    buf_init(&out, 8u << 20);
    buf_puts(&out, "{\"filename\":");
    json_put_string(&out, doc.filename);
    buf_puts(&out, ",\"title\":");
    json_put_string(&out, doc.title);
    buf_printf(&out, ",\"words\":%s,\"sha256\":\"%s\",\"created\":\"%s\",\"modified\":\"%s\"}", doc.words_json,
               doc.image_sha256, created, modified);
    answer_json(res, 200, &out);
}
