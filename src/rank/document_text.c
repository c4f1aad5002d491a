#include "rank/document_text.h"

#include "base/buf.h"
#include "base/language.h"
#include "base/utf8.h"

#include <jansson.h>
#include <string.h>
#include <xxhash.h>

static const char *member(const json_t *entry, const char *name)
{
    const char *s = json_string_value(json_object_get(entry, name));
    return s ? s : "";
}

/* English if there are words in it, else the first one. */
static unsigned first_language(const json_t *words)
{
    unsigned language = LANGUAGE_OTHER;
    size_t i;
    const json_t *entry;
    json_array_foreach(words, i, entry)
    {
        unsigned number = language_number(member(entry, "language"));
        if (i == 0 || number == LANGUAGE_en)
            language = number;
    }
    return language;
}

static void put_words(const json_t *entry, struct buf *out)
{
    const char *s = member(entry, "words");
    if (*s)
        buf_printf(out, "%s%s", out->len ? ", " : "", s);
}

/* Appends the English words, and says whether there is a list of them. Only that list is parsed: most of what is read
 * at startup is of a hundred other languages. Lists are stored as document.c writes them; what looks like the beginning
 * of one is one, as quotes within a string are escaped. */
static bool put_english(const char *words_json, struct buf *out)
{
    static const char begin[] = "{\"language\":\"";
    bool found = false;
    for (const char *at = words_json; (at = strstr(at, begin)); at++) {
        const char *tag = at + sizeof begin - 1;
        if ((tag[0] | 32) != 'e' || (tag[1] | 32) != 'n' || (tag[2] != '"' && tag[2] != '-'))
            continue;
        json_t *entry = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);
        found = found || entry;
        put_words(entry, out);
        json_decref(entry);
    }
    return found;
}

static void put_first_language(const char *words_json, struct buf *out)
{
    json_t *words = json_loads(words_json, 0, NULL), *entry;
    unsigned language = first_language(words);
    size_t i;
    json_array_foreach(words, i, entry)
    {
        if (language_number(member(entry, "language")) == language)
            put_words(entry, out);
    }
    json_decref(words);
}

enum status document_text(const struct document *doc, struct arena *a, const char **text, size_t *len,
                          struct error *err)
{
    struct buf b;
    buf_init(&b, 256u << 10);
    buf_puts(&b, doc->title);
    if (!put_english(doc->words_json, &b))
        put_first_language(doc->words_json, &b);
    *text = arena_strndup(a, buf_str(&b), b.len);
    *len = b.len;
    buf_free(&b);
    return *text ? OK : err_no_memory(err, "the words of a document");
}

/* The parts between commas, as text_normalize_words leaves them. */
static enum status tell_list(const char *list, unsigned language, document_phrase *tell, void *ctx, struct error *err)
{
    enum status st = OK;
    for (size_t n; *list && st == OK; list += n + (list[n] != '\0')) {
        n = strcspn(list, ",;|");
        const char *phrase = list;
        size_t len = n;
        utf8_trim(&phrase, &len);
        if (len)
            st = tell(ctx, language, phrase, len, err);
    }
    return st;
}

enum status document_phrases(const struct document *doc, document_phrase *tell, void *ctx, struct error *err)
{
    json_t *words = json_loads(doc->words_json, 0, NULL), *entry;
    size_t i, len = strlen(doc->title);
    unsigned first = first_language(words);
    enum status st = len ? tell(ctx, first, doc->title, len, err) : OK;
    for (int turn = 0; turn < 2; turn++)
        json_array_foreach(words, i, entry)
        {
            unsigned language = language_number(member(entry, "language"));
            const char *title = member(entry, "title");
            if ((turn == 0) != (language == first))
                continue;
            if (st == OK && *title)
                st = tell(ctx, language, title, strlen(title), err);
            if (st == OK)
                st = tell_list(member(entry, "words"), language, tell, ctx, err);
        }
    json_decref(words);
    return st;
}

uint64_t document_text_hash(const struct document *doc)
{
    return XXH3_64bits_withSeed(doc->title, strlen(doc->title), XXH3_64bits(doc->words_json, strlen(doc->words_json))) |
           1;
}
