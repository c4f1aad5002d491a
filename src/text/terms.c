/* A sticker's terms in all its languages, and a query's. */
#include "text/text_internal.h"

#include "base/buf.h"

#include <string.h>

#define MAX_TERMS   4000u /* of a title, or of the words in one language */
#define MAX_QUERY   64u   /* terms of a query */
#define MAX_FORMS   256u  /* of all its words */
#define MIN_PREFIX  3u    /* letters: shorter beginnings of words are completed in English only */
#define SCRATCH     (32u << 20)
#define MAX_INDEXED (8u << 20) /* bytes of one list of terms */

/* --- stickers --- */

struct indexing {
    struct arena *arena;  /* the result's */
    struct arena scratch; /* one list's */
    struct buf text, out, folded;
    struct text_stemmers stemmers;
};

/* The English terms of `text`; what they are unstemmed goes to x->folded. */
static enum status english_terms(struct indexing *x, const char *text, size_t len, const char **out, struct error *err)
{
    struct text_terms t;
    arena_reset(&x->scratch);
    enum status st = text_split(text, len, MAX_TERMS, true, &x->scratch, &t, err);
    if (st != OK)
        return st;
    const char *folded = text_join_folded(&t, &x->scratch);
    *out = text_join_stems(&t, x->arena);
    if (!folded || !*out)
        return err_no_memory(err, "a sticker's terms");
    if (x->folded.len && *folded)
        buf_putc(&x->folded, ' ');
    buf_puts(&x->folded, folded);
    return OK;
}

/* A word of one character has a second term, so that it is told from the end of a longer word. */
#define ALONE "1"

/* The terms of `text` in another language. */
static enum status foreign_terms(struct indexing *x, unsigned language, const char *text, size_t len, const char **out,
                                 struct error *err)
{
    struct text_terms t;
    arena_reset(&x->scratch);
    enum status st = text_split(text, len, MAX_TERMS, false, &x->scratch, &t, err);
    if (st != OK)
        return st;
    buf_reset(&x->out);
    for (size_t i = 0; i < t.count; i++) {
        const struct text_term *term = &t.items[i];
        struct text_stem stems[2];
        if (term->is_emoji || term->is_run) {
            buf_puts(&x->out, x->out.len ? " " : "");
            buf_puts(&x->out, term->stem);
            if (term->is_only)
                buf_printf(&x->out, " %s" ALONE, term->stem);
            continue;
        }
        size_t n = text_stems(&x->stemmers, language, term->spelled, stems);
        for (size_t k = 0; k < n; k++) {
            buf_puts(&x->out, x->out.len ? " " : "");
            buf_append(&x->out, stems[k].text, stems[k].len);
        }
    }
    st = buf_status(&x->out, err);
    if (st == OK && !(*out = arena_strndup(x->arena, buf_str(&x->out), x->out.len)))
        st = err_no_memory(err, "a sticker's terms");
    return st;
}

/* Titles, or titles and words, of all tags of one language. */
static void terms_gather(struct buf *out, const struct sticker_words *words, size_t n, unsigned language,
                         bool with_words)
{
    buf_reset(out);
    for (size_t i = 0; i < n; i++) {
        if (language_number(words[i].language) != language)
            continue;
        if (words[i].title && *words[i].title) {
            buf_puts(out, words[i].title);
            buf_puts(out, ", ");
        }
        if (with_words) {
            buf_puts(out, words[i].words);
            buf_puts(out, ", ");
        }
    }
}

static enum status index_languages(struct indexing *x, const struct sticker_words *words, size_t n,
                                   struct sticker_terms *out, struct error *err)
{
    struct language_set done = {{0}};
    struct language_terms *terms = arena_array(x->arena, n + 1, sizeof *terms);
    enum status st = terms ? OK : err_no_memory(err, "a sticker's terms");
    language_set_add(&done, LANGUAGE_en);
    out->languages = terms;
    for (size_t i = 0; i < n && st == OK; i++) {
        unsigned language = language_number(words[i].language);
        if (language_set_has(&done, language))
            continue;
        language_set_add(&done, language);
        struct language_terms *t = &terms[out->n_languages++];
        t->language = language;
        terms_gather(&x->text, words + i, n - i, language, false);
        st = foreign_terms(x, language, buf_str(&x->text), x->text.len, &t->title, err);
        if (st != OK)
            break;
        terms_gather(&x->text, words + i, n - i, language, true);
        st = foreign_terms(x, language, buf_str(&x->text), x->text.len, &t->words, err);
        if (st == OK && !*t->words) /* an emptied list */
            out->n_languages--;
    }
    return st;
}

static enum status terms_check(const struct sticker_words *words, size_t n, struct error *err)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(words[i].words) + (words[i].title ? strlen(words[i].title) : 0);
    if (n > LANGUAGE_MAX_LISTS)
        return err_set(err, ERR_TOO_LARGE, "words in %zu languages: at most %u are allowed", n, LANGUAGE_MAX_LISTS);
    if (bytes > LANGUAGE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%zu bytes of words in all languages: at most %u are allowed", bytes,
                       LANGUAGE_MAX_BYTES);
    return OK;
}

enum status text_sticker_terms(const char *title, const char *filename, const struct sticker_words *words, size_t n,
                               struct arena *a, struct sticker_terms *out, struct error *err)
{
    struct indexing x = {.arena = a};
    const char *dot = strrchr(filename, '.');
    size_t base = dot && dot > filename ? (size_t)(dot - filename) : strlen(filename);
    *out = (struct sticker_terms){0};
    arena_init(&x.scratch, SCRATCH);
    buf_init(&x.text, 2 * LANGUAGE_MAX_BYTES);
    buf_init(&x.out, MAX_INDEXED);
    buf_init(&x.folded, MAX_INDEXED);
    enum status st = terms_check(words, n, err);
    if (st == OK)
        st = english_terms(&x, title, strlen(title), &out->title, err);
    if (st == OK) {
        terms_gather(&x.text, words, n, LANGUAGE_en, true);
        st = english_terms(&x, buf_str(&x.text), x.text.len, &out->words, err);
    }
    if (st == OK)
        st = english_terms(&x, filename, base, &out->filename, err);
    if (st == OK)
        st = buf_status(&x.folded, err);
    if (st == OK && !(out->folded = arena_strndup(a, buf_str(&x.folded), x.folded.len)))
        st = err_no_memory(err, "a sticker's terms");
    if (st == OK)
        st = index_languages(&x, words, n, out, err);
    text_stemmers_free(&x.stemmers);
    buf_free(&x.text);
    buf_free(&x.out);
    buf_free(&x.folded);
    arena_free(&x.scratch);
    return st;
}

/* --- queries --- */

/* English words that say nothing about a picture; left out when others remain. */
static bool is_filler(const char *word)
{
    static const char *const fillers[] = {"a",    "am",  "an",   "and",  "are", "as",  "at", "be",  "by", "for",
                                          "from", "i",   "in",   "is",   "it",  "me",  "my", "of",  "on", "or",
                                          "so",   "the", "this", "that", "to",  "was", "we", "with"};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        if (strcmp(word, fillers[i]) == 0)
            return true;
    return false;
}

struct forms {
    struct arena *arena;
    struct word_form *items;
    size_t n;
    enum status status;
};

static void terms_add_form(struct forms *f, size_t first, unsigned word, const char *stem, size_t len,
                           unsigned language)
{
    size_t i = first;
    while (i < f->n && (strncmp(f->items[i].stem, stem, len) != 0 || f->items[i].stem[len]))
        i++;
    if (i == MAX_FORMS)
        return;
    if (i == f->n) {
        const char *copy = arena_strndup(f->arena, stem, len);
        if (!copy) {
            f->status = ERR_NO_MEMORY;
            return;
        }
        f->items[f->n++] = (struct word_form){.word = word, .stem = copy};
    }
    language_set_add(&f->items[i].in, language);
}

/* Most languages have a word in the same form, so there are few. */
static void add_forms(struct forms *f, struct text_stemmers *stemmers, unsigned word, const struct text_term *term)
{
    size_t first = f->n;
    struct text_stem stems[2], plain;
    plain.len = text_fold(term->spelled, strlen(term->spelled), plain.text);
    for (unsigned language = 0; language < LANGUAGE_COUNT; language++) {
        if (language == LANGUAGE_en)
            continue;
        if (term->is_emoji || term->is_run) {
            terms_add_form(f, first, word, term->stem, strlen(term->stem), language);
        } else if (!text_has_stemmer(language)) {
            if (plain.len)
                terms_add_form(f, first, word, plain.text, plain.len, language);
        } else {
            size_t n = text_stems(stemmers, language, term->spelled, stems);
            for (size_t i = 0; i < n; i++)
                terms_add_form(f, first, word, stems[i].text, stems[i].len, language);
        }
    }
}

static size_t count_letters(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* A run of characters is complete, but a Chinese word often ends in what it is about. */
static void add_prefix(struct term_query *q, const struct text_term *last)
{
    if (last->is_emoji || (last->is_tail && !last->is_han))
        return;
    size_t n = count_letters(last->folded);
    if (last->is_run || n > 1 || (unsigned char)last->folded[0] > 127)
        q->prefix = last->folded;
    q->prefix_in_all = last->is_run || n >= MIN_PREFIX;
}

enum status text_query(const char *s, size_t len, unsigned language, bool complete, struct arena *a,
                       struct term_query *out, struct error *err)
{
    struct text_terms t;
    struct text_stemmers stemmers = {{0}};
    *out = (struct term_query){.language = language};
    enum status st = text_split(s, len, MAX_QUERY, true, a, &t, err);
    if (st != OK)
        return st;
    const char **stems = arena_array(a, 2 * t.count + 1, sizeof *stems);
    struct forms f = {.arena = a, .items = arena_array(a, MAX_FORMS, sizeof *f.items)};
    if (!stems || !f.items)
        return err_no_memory(err, "a query of %zu words", t.count);
    for (int fillers = 0; fillers < 2 && out->n_stems == 0; fillers++)
        for (size_t i = 0; i < t.count; i++) {
            const struct text_term *term = &t.items[i];
            if (term->is_tail || (language == LANGUAGE_en && !fillers && is_filler(term->folded)))
                continue;
            add_forms(&f, &stemmers, (unsigned)out->n_stems, term);
            stems[out->n_stems++] = term->stem;
            if (!term->is_only)
                continue;
            struct text_term alone = *term; /* a word more, and a rarer one */
            alone.stem = arena_printf(a, "%s" ALONE, term->stem);
            if (!alone.stem) {
                f.status = ERR_NO_MEMORY;
                break;
            }
            add_forms(&f, &stemmers, (unsigned)out->n_stems, &alone);
            stems[out->n_stems++] = alone.stem;
        }
    text_stemmers_free(&stemmers);
    if (f.status != OK)
        return err_set(err, f.status, "no memory for a query of %zu words", t.count);
    out->stems = stems;
    out->forms = f.items;
    out->n_forms = f.n;
    if (complete && t.count)
        add_prefix(out, &t.items[t.count - 1]);
    return OK;
}
