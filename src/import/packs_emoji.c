/* The words of emoji, in all languages, for stickers that show them. */
#include "import/packs.h"

#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

#define MOST_EMOJI 8u /* of one sticker, that give it words */

/* A part, and where it stood. */
struct placed {
    struct sticker_words words;
    size_t place;
};

/* By language, English first, then as they came. */
static int by_language(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    bool x_en = strcmp(x->words.language, "en") == 0, y_en = strcmp(y->words.language, "en") == 0;
    int order = x_en != y_en ? y_en - x_en : strcmp(x->words.language, y->words.language);
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

/* Own words and those of each emoji, sorted. */
static enum status collect(const struct emoji_words *more, const char *emoji, const struct sticker_words *own,
                           size_t n_own, struct arena *a, struct sticker_words **out, size_t *n, struct error *err)
{
    struct sticker_words *found[MOST_EMOJI];
    size_t counts[MOST_EMOJI], kinds = 0, total = n_own;
    enum status st = OK;
    while (more && *emoji && kinds < MOST_EMOJI && st == OK) {
        size_t len = strcspn(emoji, " ");
        const char *one = arena_strndup(a, emoji, len);
        st = one ? emoji_words_find(more, one, a, &found[kinds], &counts[kinds], err)
                 : err_no_memory(err, "the words of emoji");
        total += st == OK ? counts[kinds++] : 0;
        emoji += len + strspn(emoji + len, " ");
    }
    struct placed *all = st == OK ? arena_array(a, total + 1, sizeof *all) : NULL;
    *out = st == OK ? arena_array(a, total + 1, sizeof **out) : NULL;
    *n = 0;
    if (!all || !*out)
        return st == OK ? err_no_memory(err, "the words of emoji") : st;
    for (size_t i = 0; i < n_own; i++)
        all[(*n)++].words = own[i];
    for (size_t k = 0; k < kinds; k++)
        for (size_t i = 0; i < counts[k]; i++)
            all[(*n)++].words = found[k][i];
    for (size_t i = 0; i < *n; i++)
        all[i].place = i;
    qsort(all, *n, sizeof *all, by_language);
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = all[i].words;
    return OK;
}

enum status emoji_words_give(const struct emoji_words *more, const char *emoji, const struct sticker_words *own,
                             size_t n_own, struct arena *a, struct import_item *item, struct error *err)
{
    struct sticker_words *parts;
    const struct sticker_words *merged;
    enum status st = collect(more, emoji, own, n_own, a, &parts, &item->n_parts, err);
    item->parts = parts;
    item->emoji = emoji;
    if (st == OK)
        st = import_merge_words(parts, item->n_parts, a, &merged, &item->sticker.n_words, err);
    struct sticker_words *lists = st == OK ? arena_array(a, item->sticker.n_words + 1, sizeof *lists) : NULL;
    bool ok = lists != NULL;
    for (size_t i = 0; ok && i < item->sticker.n_words; i++) {
        lists[i] = merged[i];
        ok = (lists[i].words = import_words_without_region(emoji, merged[i].words, a)) != NULL;
    }
    item->sticker.words = lists;
    return st != OK || ok ? st : err_no_memory(err, "the words of emoji");
}

/* "😀 😂" as keywords. */
static const char *as_keywords(const char *emoji, struct arena *a)
{
    struct buf out;
    buf_init(&out, IMPORT_MAX_TITLE * 2);
    for (; *emoji; emoji++)
        *emoji == ' ' ? buf_puts(&out, ", ") : buf_putc(&out, *emoji);
    const char *words = arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return words;
}

static enum status give(const struct emoji_words *more, struct import_item *item, struct arena *a, struct error *err)
{
    size_t n = item->sticker.n_words;
    struct sticker_words *own = arena_array(a, n + 1, sizeof *own);
    const char *keywords = as_keywords(item->emoji, a);
    if (!own || !keywords)
        return err_no_memory(err, "the words of emoji");
    for (size_t i = 0; i < n; i++)
        own[i] = item->sticker.words[i];
    own[n] = (struct sticker_words){.language = "en", .words = keywords};
    enum status st = emoji_words_give(more, item->emoji, own, n + 1, a, item, err);
    for (size_t i = 0; st == OK && i < item->n_parts && !item->title_said; i++)
        if (strcmp(item->parts[i].language, "en") == 0 && item->parts[i].title && *item->parts[i].title) {
            item->sticker.title = item->parts[i].title;
            item->title_said = true;
        }
    item->parts = NULL; /* these lists are what was said of it, and --update replaces them */
    item->n_parts = 0;
    return st;
}

enum status emoji_words_give_all(const struct pack_source *source, struct import_list *list, struct error *err)
{
    struct emoji_words *words = NULL;
    enum status st = OK;
    for (size_t i = 0; i < list->n && st == OK; i++) {
        struct import_item *item = &list->items[i];
        if (!item->emoji || item->parts)
            continue;
        if (!words)
            st = emoji_words_open(source, list->arena, &words, err);
        if (st == OK)
            st = give(words, item, list->arena, err);
    }
    emoji_words_close(words);
    return st;
}
