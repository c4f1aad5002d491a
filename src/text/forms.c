/* forms.c: what a query's words are in all languages but English. Stemming a word in eighteen languages takes longer
 * than all else that is done to a query, and the same words come again and again. */
#include "text/text_internal.h"

#include "base/lru.h"

#include <string.h>

/* A word's forms as they are kept; longer ones, and words with more, are not. */
struct kept_form {
    struct language_set in;
    char stem[40];
};
#define MOST_KEPT 32u /* of a word */

static struct word_form *add_form(struct text_forms *f, unsigned word, const char *stem, size_t len)
{
    const char *copy = f->n < TEXT_MAX_FORMS ? arena_strndup(f->arena, stem, len) : NULL;
    if (!copy) {
        f->status = f->n < TEXT_MAX_FORMS ? ERR_NO_MEMORY : f->status;
        return NULL;
    }
    f->items[f->n] = (struct word_form){.word = word, .stem = copy};
    return &f->items[f->n++];
}

/* The form of these languages too, among those from `first` on. Most languages have a word in the same form, so there
 * are few. */
static void put_form(struct text_forms *f, size_t first, unsigned word, const char *stem, size_t len,
                     const struct language_set *in)
{
    size_t i = first;
    while (i < f->n && (strncmp(f->items[i].stem, stem, len) != 0 || f->items[i].stem[len]))
        i++;
    struct word_form *form = i < f->n ? &f->items[i] : add_form(f, word, stem, len);
    for (size_t k = 0; form && k < 3; k++)
        form->in.bits[k] |= in->bits[k];
}

/* Adds a language to the forms from `first` on that another one has, which has the same stems. */
static void put_language(struct text_forms *f, size_t first, unsigned as, unsigned language)
{
    for (size_t i = first; i < f->n; i++)
        if (language_set_has(&f->items[i].in, as))
            language_set_add(&f->items[i].in, language);
}

/* Of a word of letters. `plain`: the languages in which it is its own stem. */
static void stem_word(struct text_forms *f, unsigned word, const char *spelled, const struct language_set *plain)
{
    size_t first = f->n, n;
    struct text_stem stems[2];
    stems[0].len = text_fold(spelled, strlen(spelled), stems[0].text);
    if (stems[0].len)
        put_form(f, first, word, stems[0].text, stems[0].len, plain);
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        unsigned as = text_stems_as(language);
        struct language_set in = {{0}};
        if (language == LANGUAGE_en || language_set_has(plain, language))
            continue;
        if (as != language) {
            put_language(f, first, as, language);
            continue;
        }
        language_set_add(&in, language);
        if (!text_stems(language, spelled, stems, &n))
            f->status = ERR_NO_MEMORY;
        for (size_t i = 0; i < n; i++)
            put_form(f, first, word, stems[i].text, stems[i].len, &in);
    }
}

static bool take_kept(struct text_forms *f, unsigned word, const char *spelled)
{
    struct kept_form kept[MOST_KEPT];
    size_t size;
    if (!f->kept || !lru_get(f->kept, "", spelled, strlen(spelled), kept, sizeof kept, &size))
        return false;
    for (size_t i = 0; i < size / sizeof *kept; i++) {
        struct word_form *form = add_form(f, word, kept[i].stem, strlen(kept[i].stem));
        if (form)
            form->in = kept[i].in;
    }
    return true;
}

static void keep(struct text_forms *f, size_t first, const char *spelled)
{
    struct kept_form kept[MOST_KEPT];
    size_t n = f->n - first;
    bool fits = f->kept && f->status == OK && f->n < TEXT_MAX_FORMS && n <= MOST_KEPT; /* and none was left out */
    for (size_t i = 0; i < n && fits; i++) {
        const struct word_form *form = &f->items[first + i];
        size_t len = strlen(form->stem);
        if ((fits = len < sizeof kept[i].stem)) {
            kept[i].in = form->in;
            memcpy(kept[i].stem, form->stem, len + 1);
        }
    }
    if (fits)
        lru_put(f->kept, "", spelled, strlen(spelled), kept, n * sizeof *kept);
}

void text_forms_add(struct text_forms *f, unsigned word, const struct text_term *term)
{
    size_t first = f->n;
    bool whole = term->is_emoji || term->is_run, ascii = text_is_ascii(term->spelled, strlen(term->spelled));
    struct language_set plain = {{0}};
    if (!whole && take_kept(f, word, term->spelled))
        return;
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++)
        if (language != LANGUAGE_en && (whole || text_is_stem(language, ascii)))
            language_set_add(&plain, language);
    if (whole) {
        put_form(f, first, word, term->stem, strlen(term->stem), &plain);
        return;
    }
    stem_word(f, word, term->spelled, &plain);
    keep(f, first, term->spelled);
}
