#include "import/sticker_row.h"

#include "base/json_out.h"
#include "base/os.h"
#include "text/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define STATE_MAX (1u << 20)

/* {"en":"cat"}: words or titles; a language without a title is left out of these. */
static void put_languages(struct buf *out, const struct sticker *k, bool titles)
{
    const char *comma = "";
    buf_putc(out, '{');
    for (size_t i = 0; i < k->n_words; i++) {
        const struct sticker_words *w = &k->words[i];
        if (titles && !(w->title && *w->title))
            continue;
        buf_puts(out, comma);
        json_put_string(out, w->language);
        buf_putc(out, ':');
        json_put_string(out, titles ? w->title : w->words);
        comma = ",";
    }
    buf_putc(out, '}');
}

static int by_language(const void *a, const void *b)
{
    return strcmp(((const struct sticker_words *)a)->language, ((const struct sticker_words *)b)->language);
}

/* Its words as the store will have them: by language, and of two lists of a language one. False: no memory. */
static bool sort_words(struct sticker *k, struct arena *a)
{
    struct sticker_words *list = arena_array(a, k->n_words + 1, sizeof *list);
    size_t n = 0;
    for (size_t i = 0; list && i < k->n_words; i++) {
        size_t same = 0;
        while (same < n && strcmp(list[same].language, k->words[i].language) != 0)
            same++;
        if (same == n)
            list[n++] = k->words[i];
        else if (!(list[same].words = arena_printf(a, "%s, %s", list[same].words, k->words[i].words)))
            return false;
    }
    if (list && n)
        qsort(list, n, sizeof *list, by_language);
    k->words = list;
    k->n_words = n;
    return list;
}

const char *sticker_state(const struct sticker *said, struct arena *a)
{
    struct sticker sorted = *said, *k = &sorted;
    if (!sort_words(k, a))
        return NULL;
    const char *const lines[][2] = {{"title", k->title},
                                    {"pack", k->pack},
                                    {"author", k->author},
                                    {"license", k->license},
                                    {"source", k->source},
                                    {"rating", rating_name(k->rating)},
                                    {"animated", k->animated ? "1" : "0"},
                                    {"ocr_words", k->ocr_words}};
    struct buf out;
    buf_init(&out, STATE_MAX);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        buf_printf(&out, "%c\"%s\":", i ? ',' : '{', lines[i][0]);
        json_put_string(&out, lines[i][1] ? lines[i][1] : "");
    }
    buf_puts(&out, ",\"words\":");
    put_languages(&out, k, false);
    buf_puts(&out, ",\"titles\":");
    put_languages(&out, k, true);
    buf_putc(&out, '}');
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

const char *sticker_digest(const struct sticker *k, struct arena *a)
{
    char hex[65];
    struct sticker said = *k;
    if (!k->ocr_by || strcmp(k->ocr_by, STICKER_OCR_STAFF) != 0)
        said.ocr_words = ""; /* nobody said them, and `peel ocr` may read them later */
    const char *state = sticker_state(&said, a);
    const char *all = state ? arena_printf(a, "%s %s", state, k->sha256) : NULL;
    if (!all)
        return NULL;
    os_sha256_hex(all, strlen(all), hex);
    return arena_printf(a, "{\"state\":\"%s\"}", hex);
}

static const char *member(json_t *object, const char *name, struct arena *a)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? arena_strdup(a, text) : "";
}

static enum status words_from_state(json_t *state, struct arena *a, struct sticker *k, struct error *err)
{
    json_t *words = json_object_get(state, "words"), *titles = json_object_get(state, "titles"), *value;
    struct sticker_words *list = arena_array(a, json_object_size(words) + 1, sizeof *list);
    const char *language;
    k->n_words = 0;
    k->words = list;
    json_object_foreach(list ? words : NULL, language, value)
    {
        struct sticker_words *w = &list[k->n_words++];
        *w = (struct sticker_words){.language = arena_strdup(a, language),
                                    .words = member(words, language, a),
                                    .title = member(titles, language, a)};
        if (!w->language || !w->words || !w->title)
            list = NULL;
    }
    return list ? OK : err_no_memory(err, "a sticker");
}

enum status sticker_from_state(const char *state, struct arena *a, struct sticker *k, struct error *err)
{
    json_t *root = json_loads(state, 0, NULL);
    const char *rating = json_string_value(json_object_get(root, "rating"));
    if (!json_is_object(json_object_get(root, "words")) || !rating || !rating_parse(rating, &k->rating)) {
        json_decref(root);
        return err_set(err, ERR_INVALID, "the history does not say what it was");
    }
    k->title = member(root, "title", a);
    k->pack = member(root, "pack", a);
    k->author = member(root, "author", a);
    k->license = member(root, "license", a);
    k->source = member(root, "source", a);
    const char *animated = member(root, "animated", a);
    k->animated = animated && strcmp(animated, "1") == 0;
    bool ok = k->title && k->pack && k->author && k->license && k->source && animated;
    enum status st = ok ? words_from_state(root, a, k, err) : err_no_memory(err, "a sticker");
    json_decref(root);
    return st;
}

enum status sticker_row_change(const struct sticker *k, bool is_new, const char *before, int64_t seen_us,
                               struct arena *a, struct admin_change *out, struct error *err)
{
    struct sticker_terms *terms = arena_array(a, 1, sizeof *terms);
    const char *after = sticker_state(k, a);
    if (!terms || !after)
        return err_no_memory(err, "a sticker");
    enum status st = text_sticker_terms(k->title, k->filename, k->ocr_words, k->words, k->n_words, a, terms, err);
    *out = (struct admin_change){.op = is_new ? CHANGE_ADD : CHANGE_UPDATE,
                                 .list = "stickers",
                                 .id = is_new ? NULL : k->filename,
                                 .seen_us = seen_us,
                                 .sticker = k,
                                 .terms = terms,
                                 .object = k->filename,
                                 .before = before,
                                 .after = after};
    return st;
}

/* "cat, kitten" of "cat" and "kitten, cat". NULL without memory. */
static const char *join_words(const char *list, const char *more, struct arena *a)
{
    const char *both = arena_printf(a, "%s, %s", list, more);
    const char *joined = both ? text_normalize_words(both, a) : NULL;
    return joined && strlen(joined) > STICKER_WORDS_MAX ? list : joined;
}

enum status sticker_merge_words(const struct sticker *from, struct arena *a, struct sticker *into, bool *changed,
                                struct error *err)
{
    struct sticker_words *all = arena_array(a, into->n_words + from->n_words + 1, sizeof *all);
    size_t n = into->n_words;
    *changed = false;
    if (!all)
        return err_no_memory(err, "the words of a sticker");
    for (size_t i = 0; i < n; i++)
        all[i] = into->words[i];
    for (size_t i = 0; i < from->n_words; i++) {
        size_t k = 0;
        while (k < n && strcmp(all[k].language, from->words[i].language) != 0)
            k++;
        if (k == n) {
            all[n++] = from->words[i];
            *changed = true;
            continue;
        }
        const char *was = text_normalize_words(all[k].words, a);
        const char *joined = was ? join_words(was, from->words[i].words, a) : NULL;
        if (!joined)
            return err_no_memory(err, "the words of a sticker");
        if (strcmp(joined, was) != 0) {
            all[k].words = joined;
            *changed = true;
        }
    }
    into->words = all;
    into->n_words = n;
    return OK;
}

enum status sticker_delete_change(const struct sticker *k, int64_t seen_us, struct arena *a, struct admin_change *out,
                                  struct error *err)
{
    const char *before = sticker_state(k, a);
    *out = (struct admin_change){.op = CHANGE_DELETE,
                                 .list = "stickers",
                                 .id = k->filename,
                                 .seen_us = seen_us,
                                 .object = k->filename,
                                 .before = before,
                                 .after = ""};
    return before ? OK : err_no_memory(err, "a sticker");
}
