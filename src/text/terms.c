/* A sticker's terms in all its languages, and a query's. */
#include "text/text_internal.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <string.h>

#define MAX_TERMS   4000u /* of a title, or of the words in one language */
#define MAX_QUERY   64u   /* terms of a piece of a query */
#define MAX_WORDS   128u  /* of a query, with all that stands for one */
#define MIN_PREFIX  3u    /* letters: shorter beginnings of words are completed in English only */
#define PAIR_MOST   3.0   /* that the rarity of two neighbours written together may count */
#define SCRATCH     (32u << 20)
#define MAX_INDEXED (8u << 20) /* bytes of one list of terms */

/* --- stickers --- */

struct indexing {
    struct arena *arena;  /* the result's */
    struct arena scratch; /* one list's */
    struct buf text, out, folded;
    uint8_t language[LANGUAGE_MAX_LISTS]; /* the numbers of the words' languages */
};
_Static_assert(LANGUAGE_COUNT <= UINT8_MAX, "a byte holds a language's number");

static void put_words(struct buf *out, const char *words)
{
    buf_puts(out, out->len && *words ? " " : "");
    buf_puts(out, words);
}

/* Appends the stems of `text` to x->out, and what they are unstemmed to x->folded. */
static enum status put_english(struct indexing *x, const char *text, size_t len, struct error *err)
{
    struct text_terms t;
    enum status st = text_split(text, len, MAX_TERMS, true, &x->scratch, &t, err);
    if (st != OK)
        return st;
    const char *folded = text_join_folded(&t, &x->scratch), *stems = text_join_stems(&t, &x->scratch);
    if (!folded || !stems)
        return err_no_memory(err, "a sticker's terms");
    put_words(&x->folded, folded);
    put_words(&x->out, stems);
    return OK;
}

static void put_signs(struct indexing *x, const char *text, size_t len)
{
    struct text_sign sign;
    for (size_t at = 0; text_next_sign(text, len, &at, &sign);) {
        buf_puts(&x->out, x->out.len ? " " : "");
        buf_append(&x->out, sign.name, sign.name_len);
    }
}

static enum status take_terms(struct indexing *x, const char **out, struct error *err)
{
    enum status st = buf_status(&x->out, err);
    if (st == OK && !(*out = arena_strndup(x->arena, buf_str(&x->out), x->out.len)))
        st = err_no_memory(err, "a sticker's terms");
    return st;
}

/* The English terms of `text`; what they are unstemmed goes to x->folded. */
static enum status english_terms(struct indexing *x, const char *text, size_t len, const char **out, struct error *err)
{
    arena_reset(&x->scratch);
    buf_reset(&x->out);
    enum status st = put_english(x, text, len, err);
    const char *compounds = st == OK ? text_compounds(text, len, TEXT_HYPHENS | TEXT_PHRASES, &x->scratch) : "";
    if (!compounds)
        return err_no_memory(err, "a sticker's terms");
    if (st == OK && *compounds)
        st = put_english(x, compounds, strlen(compounds), err);
    if (st != OK)
        return st;
    put_signs(x, text, len);
    return take_terms(x, out, err);
}

/* A run of few characters has a term more, so that it is told from pieces of longer ones. */
#define ALONE     "1"
#define MAX_WHOLE 4u /* characters of such a run */

/* How many terms, one for each character, the run has that begins with terms[0]. */
static size_t run_length(const struct text_term *terms, size_t n)
{
    size_t i = 0;
    while (i + 1 < n && terms[i].is_run && !terms[i].is_tail && !terms[i].is_only)
        i++;
    return i + 1;
}

/* The n characters with which n terms of a run begin, as the term of a whole run; "" when there are too many. */
struct whole_run {
    char term[4 * MAX_WHOLE + sizeof ALONE];
};
static struct whole_run whole_of(const struct text_term *terms, size_t n)
{
    struct whole_run out = {{0}};
    size_t len = 0;
    for (size_t i = 0; i < n && n <= MAX_WHOLE; i++) {
        uint32_t cp;
        size_t bytes = utf8_decode(terms[i].stem, strlen(terms[i].stem), &cp);
        memcpy(out.term + len, terms[i].stem, bytes);
        len += bytes;
    }
    if (len)
        memcpy(out.term + len, ALONE, sizeof ALONE);
    return out;
}

/* Appends the terms of `text` in another language to x->out. */
static enum status put_foreign(struct indexing *x, unsigned language, const char *text, size_t len, struct error *err)
{
    struct text_terms t;
    enum status st = text_split(text, len, MAX_TERMS, false, &x->scratch, &t, err);
    size_t run = 0; /* terms of it that are left */
    for (size_t i = 0; st == OK && i < t.count; i++) {
        const struct text_term *term = &t.items[i];
        struct text_stem stems[2];
        if (term->is_run && run == 0) {
            run = run_length(term, t.count - i);
            put_words(&x->out, whole_of(term, run).term);
        }
        run -= run > 0;
        if (term->is_emoji || term->is_run) {
            put_words(&x->out, term->stem);
            continue;
        }
        size_t n;
        if (!text_stems(language, term->spelled, stems, &n))
            st = err_no_memory(err, "a sticker's terms");
        for (size_t k = 0; k < n; k++) {
            buf_puts(&x->out, x->out.len ? " " : "");
            buf_append(&x->out, stems[k].text, stems[k].len);
        }
    }
    return st;
}

/* `before`, and behind it the terms of x->text in another language. */
static enum status foreign_terms(struct indexing *x, unsigned language, const char *before, const char **out,
                                 struct error *err)
{
    const char *text = buf_str(&x->text);
    size_t len = x->text.len;
    arena_reset(&x->scratch);
    buf_reset(&x->out);
    buf_puts(&x->out, before);
    enum status st = put_foreign(x, language, text, len, err);
    const char *compounds = st == OK ? text_compounds(text, len, TEXT_HYPHENS | TEXT_PHRASES, &x->scratch) : "";
    if (!compounds)
        return err_no_memory(err, "a sticker's terms");
    if (st == OK && *compounds)
        st = put_foreign(x, language, compounds, strlen(compounds), err);
    if (st != OK)
        return st;
    put_signs(x, text, len);
    return take_terms(x, out, err);
}

/* Titles, words, or both, of all tags of one language, from the given one on. */
enum { TITLES = 1, WORDS = 2 };
static void terms_gather(struct indexing *x, const struct sticker_words *words, size_t n, size_t from,
                         unsigned language, int what)
{
    buf_reset(&x->text);
    for (size_t i = from; i < n; i++) {
        if (x->language[i] != language)
            continue;
        if ((what & TITLES) && words[i].title && *words[i].title) {
            buf_puts(&x->text, words[i].title);
            buf_puts(&x->text, ", ");
        }
        if (what & WORDS) {
            buf_puts(&x->text, words[i].words);
            buf_puts(&x->text, ", ");
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
        unsigned language = x->language[i];
        if (language_set_has(&done, language))
            continue;
        language_set_add(&done, language);
        struct language_terms *t = &terms[out->n_languages++];
        t->language = language;
        terms_gather(x, words, n, i, language, TITLES);
        st = foreign_terms(x, language, "", &t->title, err);
        if (st != OK)
            break;
        terms_gather(x, words, n, i, language, WORDS);
        st = foreign_terms(x, language, t->title, &t->words, err);
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

enum status text_sticker_terms(const char *title, const char *filename, const char *ocr_words,
                               const struct sticker_words *words, size_t n, struct arena *a, struct sticker_terms *out,
                               struct error *err)
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
    for (size_t i = 0; st == OK && i < n; i++)
        x.language[i] = (uint8_t)language_number(words[i].language);
    if (st == OK)
        st = english_terms(&x, title, strlen(title), &out->title, err);
    if (st == OK) {
        terms_gather(&x, words, n, 0, LANGUAGE_en, TITLES | WORDS);
        st = english_terms(&x, buf_str(&x.text), x.text.len, &out->words, err);
    }
    if (st == OK) {
        buf_reset(&x.text);
        buf_append(&x.text, filename, base);
        if (ocr_words && *ocr_words)
            buf_printf(&x.text, ", %s", ocr_words);
        st = english_terms(&x, buf_str(&x.text), x.text.len, &out->filename, err);
    }
    if (st == OK)
        st = buf_status(&x.folded, err);
    if (st == OK && !(out->folded = arena_strndup(a, buf_str(&x.folded), x.folded.len)))
        st = err_no_memory(err, "a sticker's terms");
    if (st == OK)
        st = index_languages(&x, words, n, out, err);
    buf_free(&x.text);
    buf_free(&x.out);
    buf_free(&x.folded);
    arena_free(&x.scratch);
    return st;
}

/* --- queries --- */

bool text_is_filler(const char *word, size_t len)
{
    static const char *const fillers[] = {"a",    "am",  "an",   "and",  "are", "as",  "at", "be",  "by", "for",
                                          "from", "i",   "in",   "is",   "it",  "me",  "my", "of",  "on", "or",
                                          "so",   "the", "this", "that", "to",  "was", "we", "with"};
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++)
        if (strlen(fillers[i]) == len && memcmp(word, fillers[i], len) == 0)
            return true;
    return false;
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

/* A query as it is taken in, word by word. */
struct asking {
    struct arena *arena;
    struct term_query *q;
    struct text_forms forms;
    const char **stems; /* [MAX_WORDS], as traits */
    struct term_trait *traits;
    unsigned signs, runs;  /* so far */
    struct text_term last; /* word of the text, if it ends in one */
    bool fillers, ends_in_word, only_stems;
};

static void ask_term(struct asking *k, const struct text_term *term, struct term_trait trait, bool in_all)
{
    size_t n = k->q->n_stems;
    if (n == MAX_WORDS)
        return;
    if (in_all && !k->only_stems)
        text_forms_add(&k->forms, (unsigned)n, term);
    k->stems[n] = trait.whole ? NULL : term->stem;
    k->traits[n] = trait;
    k->q->n_stems++;
}

static void ask_word(struct asking *k, const struct text_term *term, unsigned sign, unsigned run)
{
    if (term->is_tail ||
        (k->q->language == LANGUAGE_en && !k->fillers && text_is_filler(term->folded, strlen(term->folded))))
        return;
    const char *word = term->is_emoji || term->is_run ? NULL : term->folded;
    ask_term(k, term, (struct term_trait){.sign = sign, .run = run, .word = word}, true);
}

/* A part of a run as what some sticker has from end to end. */
static void ask_whole(struct asking *k, const struct text_term *terms, size_t n, struct term_trait trait)
{
    struct text_term term = terms[0];
    term.stem = arena_strdup(k->arena, whole_of(terms, n).term);
    if (!term.stem)
        k->forms.status = ERR_NO_MEMORY;
    else
        ask_term(k, &term, trait, true);
}

/* A syllable or kana inside a word says nothing, a Chinese character or the first syllable may. */
static bool may_be_whole(const struct text_term *terms, size_t at, size_t n)
{
    uint32_t cp;
    (void)utf8_decode(terms[at].stem, strlen(terms[at].stem), &cp);
    return n > 1 || text_is_han(cp) || (at == 0 && cp >= 0xac00 && cp <= 0xd7a3);
}

/* All parts of a run of n characters that are short enough, n > 1. */
static void ask_wholes(struct asking *k, const struct text_term *terms, size_t n, struct term_trait trait)
{
    for (size_t from = 0; from < n; from++)
        for (size_t len = 1; len <= MAX_WHOLE && from + len <= n; len++)
            if (may_be_whole(terms, from, len) && (n > 2 || len == n))
                ask_whole(k, terms + from, len, trait);
}

/* The words of a piece of the query. */
static enum status ask_words(struct asking *k, const char *s, size_t len, unsigned sign, struct error *err)
{
    struct text_terms t;
    enum status st = text_split(s, len, MAX_QUERY, true, k->arena, &t, err);
    size_t run = 0; /* terms of it that are left */
    for (size_t i = 0; st == OK && i < t.count; i++) {
        const struct text_term *term = &t.items[i];
        if (term->is_run && run == 0) {
            run = run_length(term, t.count - i);
            k->runs++;
            ask_wholes(k, term, run, (struct term_trait){.sign = sign, .run = k->runs, .whole = true});
        }
        ask_word(k, term, sign, term->is_run ? k->runs : 0);
        run -= run > 0;
    }
    if (st == OK && t.count) {
        k->last = t.items[t.count - 1];
        k->ends_in_word = sign == 0;
    }
    return st;
}

static void ask_drawn(struct asking *k, const char *name, size_t len)
{
    const char *stem = arena_strndup(k->arena, name, len);
    if (!stem) {
        k->forms.status = ERR_NO_MEMORY;
        return;
    }
    const struct text_term term = {.stem = stem, .folded = stem, .spelled = stem, .is_emoji = true};
    ask_term(k, &term, (struct term_trait){.sign = k->signs, .drawn = true}, true);
}

/* A sign is asked for as a whole, as its emoji, and by its letters. */
static enum status ask_sign(struct asking *k, const char *s, const struct text_sign *sign, struct error *err)
{
    char emoji[EMOJI_MAX_NAME];
    k->signs++;
    k->ends_in_word = false;
    ask_drawn(k, sign->name, sign->name_len);
    size_t len = text_sign_emoji(sign, emoji);
    if (len)
        ask_drawn(k, emoji, len);
    return ask_words(k, s + sign->at, sign->len, k->signs, err);
}

static enum status ask_compounds(struct asking *k, const char *s, size_t len, unsigned which, struct term_trait trait,
                                 struct error *err)
{
    struct text_terms t;
    const char *compounds = text_compounds(s, len, which, k->arena);
    if (!compounds)
        return err_no_memory(err, "a query");
    enum status st = text_split(compounds, strlen(compounds), MAX_QUERY, true, k->arena, &t, err);
    for (size_t i = 0; st == OK && i < t.count; i++) {
        bool asked = false;
        for (size_t n = 0; n < k->q->n_stems; n++)
            asked = asked || (k->stems[n] && strcmp(k->stems[n], t.items[i].stem) == 0);
        if (!asked)
            ask_term(k, &t.items[i], trait, trait.drawn);
    }
    return st;
}

/* Words between signs; one with hyphens is asked for as written together, and by its parts. */
static enum status ask_text(struct asking *k, const char *s, size_t len, struct error *err)
{
    enum status st = OK;
    size_t from = 0, start;
    for (size_t at = 0; st == OK && text_next_hyphenated(s, len, &at, &start); from = at) {
        st = ask_words(k, s + from, start - from, 0, err);
        k->signs++;
        if (st == OK)
            st = ask_compounds(k, s + start, at - start, TEXT_HYPHENS,
                               (struct term_trait){.sign = k->signs, .drawn = true}, err);
        if (st == OK)
            st = ask_words(k, s + start, at - start, k->signs, err);
    }
    return st == OK ? ask_words(k, s + from, len - from, 0, err) : st;
}

static enum status ask_all(struct asking *k, const char *s, size_t len, struct error *err)
{
    enum status st = OK;
    struct text_sign sign;
    size_t from = 0;
    for (size_t at = 0; st == OK && text_next_sign(s, len, &at, &sign); from = at) {
        st = ask_text(k, s + from, sign.at - from, err);
        if (st == OK)
            st = ask_sign(k, s, &sign, err);
    }
    return st == OK ? ask_text(k, s + from, len - from, err) : st;
}

static enum status ask_query(const char *s, size_t len, unsigned language, bool only_stems, bool complete,
                             struct lru *kept, struct arena *a, struct term_query *out, struct error *err)
{
    *out = (struct term_query){.language = language};
    struct asking k = {
        .arena = a,
        .q = out,
        .only_stems = only_stems,
        .forms = {.arena = a, .kept = kept, .items = arena_room(a, TEXT_MAX_FORMS, sizeof *k.forms.items)},
        .stems = arena_room(a, MAX_WORDS, sizeof *k.stems),
        .traits = arena_room(a, MAX_WORDS, sizeof *k.traits)};
    if (!k.stems || !k.forms.items || !k.traits)
        return err_no_memory(err, "a query");
    /* Neighbours written together come first, since what may be unfinished is the last word. */
    enum status st = ask_compounds(&k, s, len, TEXT_PHRASES, (struct term_trait){0}, err);
    if (st == OK)
        st = ask_compounds(&k, s, len, TEXT_NEIGHBOURS, (struct term_trait){.most = PAIR_MOST}, err);
    size_t n = out->n_stems;
    if (st == OK)
        st = ask_all(&k, s, len, err);
    if (st == OK && out->n_stems == n) {
        k.fillers = true;
        st = ask_all(&k, s, len, err);
    }
    if (st != OK)
        return st;
    if (k.forms.status != OK)
        return err_set(err, k.forms.status, "no memory for a query of %zu words", out->n_stems);
    out->stems = k.stems;
    out->traits = k.traits;
    out->forms = k.forms.items;
    out->n_forms = k.forms.n;
    if (complete && k.ends_in_word)
        add_prefix(out, &k.last);
    return OK;
}

enum status text_query(const char *s, size_t len, unsigned language, bool complete, struct lru *kept, struct arena *a,
                       struct term_query *out, struct error *err)
{
    return ask_query(s, len, language, false, complete, kept, a, out, err);
}

enum status text_query_stems(const char *s, size_t len, struct arena *a, struct term_query *out, struct error *err)
{
    return ask_query(s, len, LANGUAGE_en, true, false, NULL, a, out, err);
}
