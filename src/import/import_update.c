/* What `peel import --update` makes of a sticker that is there already: what its rows in stickers.csv say takes the
 * place of what it has. Empty cells, and languages without a row, change nothing. */
#include "import/import.h"

#include <string.h>
#include <strings.h>

static void replace_text(const char **text, const char *said, bool *changed)
{
    if (!said || !*said || strcmp(*text, said) == 0)
        return;
    *text = said;
    *changed = true;
}

static void replace_list(struct sticker_words *list, const struct sticker_words *said, bool *changed)
{
    if (!list->title)
        list->title = "";
    replace_text(&list->words, said->words, changed);
    replace_text(&list->title, said->title, changed);
}

static enum status replace_words(const struct sticker *said, struct arena *a, struct sticker *s, bool *changed,
                                 struct error *err)
{
    struct sticker_words *all = arena_array(a, s->n_words + said->n_words + 1, sizeof *all);
    size_t n = s->n_words;
    if (!all)
        return err_set(err, ERR_NO_MEMORY, "too many words in one batch");
    for (size_t i = 0; i < n; i++)
        all[i] = s->words[i];
    for (size_t i = 0; i < said->n_words; i++) {
        size_t k = 0;
        while (k < s->n_words && strcasecmp(all[k].language, said->words[i].language) != 0)
            k++;
        if (k < s->n_words) {
            replace_list(&all[k], &said->words[i], changed);
        } else {
            all[n++] = said->words[i];
            *changed = true;
        }
    }
    s->words = all;
    s->n_words = n;
    return OK;
}

enum status import_update_sticker(const struct import_item *item, struct arena *a, struct sticker *s, bool *changed,
                                  struct error *err)
{
    const struct sticker *said = &item->sticker;
    *changed = false;
    if (item->title_said)
        replace_text(&s->title, said->title, changed);
    replace_text(&s->pack, said->pack, changed);
    replace_text(&s->author, said->author, changed);
    replace_text(&s->license, said->license, changed);
    replace_text(&s->source, said->source, changed);
    if (item->rating_said && s->rating != said->rating) {
        s->rating = said->rating;
        *changed = true;
    }
    if (item->animated_said && s->animated != said->animated) {
        s->animated = said->animated;
        *changed = true;
    }
    return said->n_words ? replace_words(said, a, s, changed, err) : OK;
}
