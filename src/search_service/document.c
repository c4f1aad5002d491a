/* Every member is checked by name before anything is stored. */
#include "search_service/document.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/json_scan.h"
#include "base/os.h"
#include "text/text.h"

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

enum member { TITLE, WORDS, SHA256, IMAGE, PACK, RATING, ANIMATED, OCR_WORDS, MEMBERS };
static const char *const member_names[MEMBERS] = {"title", "words",  "sha256",   "image",
                                                  "pack",  "rating", "animated", "ocr_words"};
enum list_member { LIST_LANGUAGE, LIST_TITLE, LIST_WORDS, LIST_MEMBERS };
static const char *const list_names[LIST_MEMBERS] = {"language", "title", "words"};

void document_free(struct document_in *in)
{
    free(in->words_json);
    free(in->decoded);
    *in = (struct document_in){0};
}

static enum status document_expected(struct error *err, const char *member, const char *expected)
{
    return err_set(err, ERR_INVALID, "%s must be %s", member, expected);
}

/* A string of at most max bytes. */
static enum status document_read_string(struct json_scan *s, const char *name, size_t max, const char **out,
                                        size_t *len, struct error *err)
{
    if (json_scan_kind(s) != '"')
        return document_expected(err, name, "a string");
    *out = json_scan_string(s, len);
    if (!*out)
        return json_scan_end(s, err);
    if (*len > max)
        return err_set(err, ERR_INVALID, "%s is too long: at most %zu bytes, found %zu", name, max, *len);
    return OK;
}

/* The name of a member that is not among those seen; *which: its number among the n known. */
static enum status read_name(struct json_scan *s, const char *const *known, size_t n, const char *where, unsigned *seen,
                             unsigned *which, struct error *err)
{
    const char *name = json_scan_name(s);
    if (!name)
        return json_scan_end(s, err);
    for (*which = 0; *which < n && strcmp(known[*which], name) != 0;)
        ++*which;
    if (*which == n)
        return err_set(err, ERR_INVALID, "%s\"%.64s\" is not a member of a document", where, name);
    if (*seen & 1u << *which)
        return err_set(err, ERR_INVALID, "%s\"%s\" is there twice: a JSON object has each member once", where, name);
    *seen |= 1u << *which;
    return OK;
}

static enum status read_list_member(struct json_scan *s, size_t i, enum list_member which, struct sticker_words *out,
                                    size_t *bytes, struct error *err)
{
    static const size_t most[LIST_MEMBERS] = {LANGUAGE_MAX_TAG, MAX_TITLE, MAX_WORDS};
    const char **const text[LIST_MEMBERS] = {&out->language, &out->title, &out->words};
    char name[64];
    size_t len;
    snprintf(name, sizeof name, "words[%zu].%s", i, list_names[which]);
    enum status st = document_read_string(s, name, most[which], text[which], &len, err);
    if (st == OK && which == LIST_LANGUAGE && !language_valid(out->language))
        st = document_expected(err, name, "a language tag, such as \"en\" or \"pt-BR\"");
    *bytes += st == OK && which != LIST_LANGUAGE ? len : 0;
    return st;
}

/* One entry of "words". */
static enum status document_read_language(struct json_scan *s, size_t i, struct sticker_words *out, size_t *bytes,
                                          struct error *err)
{
    char name[64];
    unsigned seen = 0, which;
    size_t n = 0;
    *out = (struct sticker_words){.title = ""};
    snprintf(name, sizeof name, "words[%zu]", i);
    enum status st = json_scan_kind(s) == '{' ? OK : document_expected(err, name, "an object with language and words");
    while (st == OK && json_scan_next(s, "{}", &n)) {
        st = read_name(s, list_names, LIST_MEMBERS, "words: ", &seen, &which, err);
        if (st == OK)
            st = read_list_member(s, i, which, out, bytes, err);
    }
    for (unsigned k = 0; k < LIST_MEMBERS && st == OK && !s->wrong; k++)
        if (k != LIST_TITLE && !(seen & 1u << k)) {
            snprintf(name, sizeof name, "words[%zu].%s", i, list_names[k]);
            st = document_expected(err, name, "a string");
        }
    return st;
}

static enum status document_read_words(struct json_scan *s, struct document_in *in, struct error *err)
{
    struct sticker_words *lists = arena_array(s->arena, LANGUAGE_MAX_LISTS, sizeof *lists);
    size_t bytes = 0, n = 0;
    if (!lists)
        return err_no_memory(err, "the document's words");
    if (json_scan_kind(s) != '[')
        return document_expected(err, "words", "an array");
    enum status st = OK;
    while (st == OK && json_scan_next(s, "[]", &n))
        st = n <= LANGUAGE_MAX_LISTS
                 ? document_read_language(s, n - 1, &lists[n - 1], &bytes, err)
                 : err_set(err, ERR_INVALID, "words: at most %u entries, found more", LANGUAGE_MAX_LISTS);
    if (st == OK && bytes > LANGUAGE_MAX_BYTES)
        st =
            err_set(err, ERR_INVALID, "words: at most %u bytes in all languages, found %zu", LANGUAGE_MAX_BYTES, bytes);
    in->words = lists;
    in->n_words = n;
    return st;
}

/* The words in the one form in which they are stored. */
static enum status write_words(struct document_in *in, struct error *err)
{
    struct buf out;
    buf_init(&out, 8 * LANGUAGE_MAX_BYTES);
    buf_putc(&out, '[');
    for (size_t i = 0; i < in->n_words; i++) {
        const struct sticker_words *w = &in->words[i];
        buf_puts(&out, i ? ",{\"language\":" : "{\"language\":");
        json_put_plain(&out, w->language);
        if (*w->title) {
            buf_puts(&out, ",\"title\":");
            json_put_plain(&out, w->title);
        }
        buf_puts(&out, ",\"words\":");
        json_put_plain(&out, w->words);
        buf_putc(&out, '}');
    }
    buf_putc(&out, ']');
    enum status st = buf_status(&out, err);
    if (st == OK && out.len > MAX_STORED)
        st = err_set(err, ERR_INVALID, "words: at most %u bytes as JSON, found %zu; are there control characters?",
                     MAX_STORED, out.len);
    if (st == OK)
        in->doc.words_json = in->words_json = buf_take(&out);
    buf_free(&out);
    return st;
}

static enum status read_hash(struct json_scan *s, struct document_in *in, struct error *err)
{
    const char *hash;
    size_t len;
    enum status st = document_read_string(s, "sha256", 64, &hash, &len, err);
    if (st != OK)
        return st;
    if (*hash && (len != 64 || strspn(hash, "0123456789abcdefABCDEF") != 64))
        return document_expected(err, "sha256", "64 hexadecimal digits");
    for (size_t i = 0; hash[i]; i++)
        in->sha256[i] = (char)(hash[i] >= 'A' && hash[i] <= 'F' ? hash[i] + 32 : hash[i]);
    return OK;
}

static enum status read_base64(struct json_scan *s, struct document_in *in, struct error *err)
{
    const char *image;
    size_t len;
    if (json_scan_literal(s, "null"))
        return OK;
    if (json_scan_kind(s) != '"')
        return document_expected(err, "image", "a base64 string");
    if (!(image = json_scan_string(s, &len)))
        return json_scan_end(s, err);
    size_t cap = len / 4 * 3 + 3;
    in->decoded = malloc(cap);
    if (!in->decoded)
        return err_no_memory(err, "an image of %zu bytes", cap);
    if (sodium_base642bin(in->decoded, cap, image, len, "\r\n", &in->image_len, NULL, sodium_base64_VARIANT_ORIGINAL) !=
        0)
        return document_expected(err, "image", "a base64 string");
    in->image = in->decoded;
    return OK;
}

static enum status read_rating(struct json_scan *s, struct document_in *in, struct error *err)
{
    const char *rating;
    size_t len;
    enum status st = document_read_string(s, "rating", MAX_TITLE, &rating, &len, err);
    if (st == OK && !rating_parse(rating, &in->doc.rating))
        st = document_expected(err, "rating", "\"g\", \"pg\", \"pg-13\" or \"r\"");
    return st;
}

static enum status read_animated(struct json_scan *s, struct document_in *in, struct error *err)
{
    in->doc.animated = json_scan_literal(s, "true");
    return in->doc.animated || json_scan_literal(s, "false") ? OK : document_expected(err, "animated", "true or false");
}

static enum status read_member(struct json_scan *s, enum member which, struct document_in *in, struct error *err)
{
    size_t len;
    switch (which) {
    case TITLE:
        return document_read_string(s, "title", MAX_TITLE, &in->doc.title, &len, err);
    case WORDS:
        return document_read_words(s, in, err);
    case SHA256:
        return read_hash(s, in, err);
    case IMAGE:
        return read_base64(s, in, err);
    case PACK:
        return document_read_string(s, "pack", STICKER_FILTER_PACK_MAX, &in->doc.pack, &len, err);
    case RATING:
        return read_rating(s, in, err);
    case ANIMATED:
        return read_animated(s, in, err);
    case OCR_WORDS:
        return document_read_string(s, "ocr_words", MAX_TITLE, &in->doc.ocr_words, &len, err);
    case MEMBERS:
        break;
    }
    return OK;
}

static enum status document_read_json(struct json_scan *s, struct document_in *in, struct error *err)
{
    unsigned seen = 0, which;
    size_t n = 0;
    if (json_scan_kind(s) != '{')
        return document_expected(err, "the body", "a JSON object");
    enum status st = OK;
    while (st == OK && json_scan_next(s, "{}", &n)) {
        st = read_name(s, member_names, MEMBERS, "", &seen, &which, err);
        if (st == OK)
            st = read_member(s, which, in, err);
    }
    return st == OK ? json_scan_end(s, err) : st;
}

static const struct document empty_document = {.title = "", .pack = "", .ocr_words = "", .rating = RATING_G};

enum status document_parse(const char *filename, const char *body, size_t len, struct arena *a, struct document_in *out,
                           struct error *err)
{
    struct json_scan s;
    *out = (struct document_in){.doc = empty_document};
    out->doc.filename = filename;
    json_scan_begin(&s, body, len, a);
    enum status st = document_read_json(&s, out, err);
    if (st == OK)
        st = write_words(out, err);
    out->doc.image_sha256 = out->sha256;
    if (st != OK)
        document_free(out);
    return st;
}

enum status document_from_image(const char *filename, const struct document *before, const void *image, size_t len,
                                struct arena *a, struct document_in *out, struct error *err)
{
    struct json_scan s;
    const char *words = before ? before->words_json : "[]";
    *out = (struct document_in){.doc = before ? *before : empty_document, .image = image, .image_len = len};
    out->doc.filename = filename;
    json_scan_begin(&s, words, strlen(words), a);
    enum status st = document_read_words(&s, out, err);
    if (st == OK)
        st = json_scan_end(&s, err);
    if (st == OK)
        st = write_words(out, err);
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
