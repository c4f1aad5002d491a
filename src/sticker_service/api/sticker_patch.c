#include "sticker_service/api/sticker_patch.h"

#include "base/utf8.h"
#include "sticker_service/sticker_write.h"
#include "text/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* NULL is "", the absence of a text. */
static enum status read_line(const json_t *value, const char *name, const char **out, struct error *err)
{
    *out = json_is_null(value) ? "" : json_string_value(value);
    if (!*out)
        return err_set(err, ERR_INVALID, "%s must be a string or null", name);
    size_t len = strlen(*out);
    if (len > STICKER_LINE_MAX)
        return err_set(err, ERR_INVALID, "%s must have at most %u bytes, not %zu", name, STICKER_LINE_MAX, len);
    if (utf8_has_control(*out, len))
        return err_set(err, ERR_INVALID, "%s must not have control characters", name);
    return OK;
}

static enum status read_rating(const json_t *value, struct sticker *k, struct error *err)
{
    const char *name = json_is_null(value) ? rating_name(RATING_G) : json_string_value(value);
    return name && rating_parse(name, &k->rating) ? OK : err_set(err, ERR_INVALID, "rating must be g, pg, pg-13 or r");
}

/* ["cat","kitten"], "cat, kitten" or null, as they are kept. */
static enum status read_keywords(const json_t *value, const char *name, struct arena *a, const char **out,
                                 struct error *err)
{
    const char *all = json_is_null(value) ? "" : json_string_value(value);
    size_t i;
    const json_t *item;
    if (json_is_array(value)) {
        all = "";
        json_array_foreach((json_t *)(uintptr_t)value, i, item)
        {
            if (!json_is_string(item))
                return err_set(err, ERR_INVALID, "%s[%zu] must be a string", name, i);
            if (strlen(all) + json_string_length(item) > 2 * STICKER_WORDS_MAX)
                return err_set(err, ERR_INVALID, "%s has too many keywords", name);
            all = arena_printf(a, "%s%s%s", all, i ? ", " : "", json_string_value(item));
            if (!all)
                return err_no_memory(err, "keywords");
        }
    }
    if (!all)
        return err_set(err, ERR_INVALID, "%s must be an array of strings, a string or null", name);
    if (strlen(all) > 2 * STICKER_WORDS_MAX || utf8_has_control(all, strlen(all)))
        return err_set(err, ERR_INVALID, "%s has too many keywords, or control characters", name);
    *out = text_normalize_words(all, a);
    if (!*out)
        return err_no_memory(err, "keywords");
    return strlen(*out) <= STICKER_WORDS_MAX ? OK : err_set(err, ERR_INVALID, "%s has too many keywords", name);
}

/* The sticker's words while they are changed: room for those that it has, and for new languages. */
struct words {
    struct sticker_words *list;
    size_t n;
};

static struct sticker_words *words_in(struct words *w, const char *language)
{
    for (size_t i = 0; i < w->n; i++)
        if (strcmp(w->list[i].language, language) == 0)
            return &w->list[i];
    w->list[w->n] = (struct sticker_words){language, "", ""};
    return &w->list[w->n++];
}

static enum status read_languages(const json_t *object, const char *member, struct words *w, struct arena *a,
                                  struct error *err)
{
    const char *language;
    const json_t *value;
    bool titles = strcmp(member, "titles") == 0;
    if (!json_is_object(object))
        return err_set(err, ERR_INVALID, "%s must be an object with a member for each language", member);
    json_object_foreach((json_t *)(uintptr_t)object, language, value)
    {
        const char *name = arena_printf(a, "%s.%.40s", member, language), *text;
        if (!name)
            return err_no_memory(err, "a sticker");
        if (!language_valid(language))
            return err_set(err, ERR_INVALID, "%s: \"%.64s\" is no language tag, such as \"es\" or \"pt-BR\"", member,
                           language);
        enum status st = titles ? read_line(value, name, &text, err) : read_keywords(value, name, a, &text, err);
        if (st != OK)
            return st;
        struct sticker_words *of = words_in(w, language);
        *(titles ? &of->title : &of->words) = text;
    }
    return OK;
}

static int by_language(const void *a, const void *b)
{
    return strcmp(((const struct sticker_words *)a)->language, ((const struct sticker_words *)b)->language);
}

static enum status patch_words(const json_t *patch, struct sticker *k, struct arena *a, struct error *err)
{
    const json_t *titles = json_object_get(patch, "titles"), *keywords = json_object_get(patch, "keywords");
    struct words w = {.n = k->n_words};
    if (!titles && !keywords)
        return OK;
    w.list = arena_array(a, k->n_words + json_object_size(titles) + json_object_size(keywords) + 1, sizeof *w.list);
    if (!w.list)
        return err_no_memory(err, "a sticker");
    for (size_t i = 0; i < k->n_words; i++)
        w.list[i] = k->words[i];
    enum status st = titles ? read_languages(titles, "titles", &w, a, err) : OK;
    if (st == OK && keywords)
        st = read_languages(keywords, "keywords", &w, a, err);
    size_t n = 0; /* a language that is new and stays empty falls away; an emptied one stays, as a sign of that */
    for (size_t i = 0; i < w.n; i++)
        if (i < k->n_words || *w.list[i].words || *w.list[i].title)
            w.list[n++] = w.list[i];
    if (n)
        qsort(w.list, n, sizeof *w.list, by_language);
    k->words = w.list;
    k->n_words = n;
    return st;
}

enum status sticker_patch(const json_t *patch, struct sticker *k, struct arena *a, struct error *err)
{
    const struct {
        const char *name, **to;
    } lines[] = {{"title", &k->title},
                 {"pack", &k->pack},
                 {"author", &k->author},
                 {"license", &k->license},
                 {"source", &k->source}};
    const char *name;
    const json_t *value;
    if (!json_is_object(patch))
        return err_set(err, ERR_INVALID, "a sticker's changes must be a JSON object");
    json_object_foreach((json_t *)(uintptr_t)patch, name, value)
    {
        enum status st = OK;
        size_t i = 0;
        while (i < sizeof lines / sizeof *lines && strcmp(lines[i].name, name) != 0)
            i++;
        if (i < sizeof lines / sizeof *lines) {
            st = read_line(value, name, lines[i].to, err);
        } else if (strcmp(name, "rating") == 0) {
            st = read_rating(value, k, err);
        } else if (strcmp(name, "animated") == 0) {
            k->animated = json_is_true(value);
            st = json_is_boolean(value) ? OK : err_set(err, ERR_INVALID, "animated must be true or false");
        } else if (strcmp(name, "titles") != 0 && strcmp(name, "keywords") != 0) {
            st = err_set(err, ERR_INVALID,
                         "\"%.40s\" cannot be changed; title, titles, keywords, pack, rating, animated, author, license"
                         " and source can",
                         name);
        }
        if (st != OK)
            return st;
    }
    return patch_words(patch, k, a, err);
}
