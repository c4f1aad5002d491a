#include "rank/document_text.h"

#include "base/buf.h"
#include "base/language.h"

#include <jansson.h>

enum status document_text(const struct document *doc, struct arena *a, const char **text, size_t *len,
                          struct error *err)
{
    struct buf b;
    buf_init(&b, 256u << 10);
    buf_puts(&b, doc->title);
    json_t *words = json_loads(doc->words_json, 0, NULL), *entry;
    size_t i;
    unsigned language = LANGUAGE_OTHER;
    json_array_foreach(words, i, entry)
    {
        const char *tag = json_string_value(json_object_get(entry, "language"));
        unsigned number = language_number(tag ? tag : "");
        if (i == 0 || number == LANGUAGE_en)
            language = number;
    }
    json_array_foreach(words, i, entry)
    {
        const char *tag = json_string_value(json_object_get(entry, "language"));
        const char *s = json_string_value(json_object_get(entry, "words"));
        if (language_number(tag ? tag : "") != language)
            continue;
        if (s && *s)
            buf_printf(&b, "%s%s", b.len ? ", " : "", s);
    }
    json_decref(words);
    *text = arena_strndup(a, buf_str(&b), b.len);
    *len = b.len;
    buf_free(&b);
    return *text ? OK : err_no_memory(err, "the words of a document");
}
