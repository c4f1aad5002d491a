/* fts_postgres_search.c: the postings of a query's terms, brought together document by document for the ranking. */
#include "fts/fts_postgres.h"
#include "fts/fts_rows.h"

#include <stdlib.h>
#include <string.h>

/* A document that one term of the query is in. */
struct posting {
    int64_t id;
    uint32_t length, tf;
    const unsigned char *languages;
    size_t n_languages;
};
struct list {
    struct posting *items; /* by id; the prefix has documents several times, once for each word that begins so */
    size_t n, at;
    int phrase;
};
struct lists {
    struct list *items;
    size_t n;
};

static int matches_by_id(const void *x, const void *y)
{
    const struct posting *a = x, *b = y;
    return (a->id > b->id) - (a->id < b->id);
}

static enum status read_list(struct db_rows *r, bool languages, struct arena *a, struct list *out)
{
    struct pg_items postings, sets = {0};
    const unsigned char *bytes, *set;
    size_t len, n_set;
    pg_array(&postings, r, 2);
    if (languages)
        pg_array(&sets, r, 3);
    out->items = arena_array(a, postings.left + 1, sizeof *out->items);
    if (!out->items)
        return r->status = err_no_memory(r->err, "%zu matches", postings.left);
    bool sorted = true;
    while (pg_item(&postings, &bytes, &len)) {
        int64_t value = len == 8 ? pg_read_int(bytes) : 0;
        struct posting *p = &out->items[out->n++];
        *p = (struct posting){.id = value >> FTS_POSTGRES_ID_SHIFT,
                              .length = (uint32_t)(value >> FTS_POSTGRES_LENGTH_SHIFT) & FTS_MAX_LENGTH,
                              .tf = (uint32_t)value & FTS_MAX_TF};
        if (languages && pg_item(&sets, &set, &n_set)) {
            p->languages = arena_alloc(a, n_set + 1);
            if (!p->languages)
                return r->status = err_no_memory(r->err, "matches");
            if (n_set)
                memcpy((void *)(uintptr_t)p->languages, set, n_set);
            p->n_languages = n_set;
        }
        sorted = sorted && (out->n < 2 || p[-1].id <= p->id);
    }
    if (!sorted)
        qsort(out->items, out->n, sizeof *out->items, matches_by_id);
    return OK;
}

/* A query's term as the index has it; false when it can be in none. */
static bool spell(const char *term, char kind, struct arena *a, struct db_bytes *out)
{
    char spelled[FTS_MAX_TERM + 1];
    size_t len = fts_spell(term, kind, spelled);
    if (!len)
        return false;
    char *copy = arena_strndup(a, spelled, len);
    *out = (struct db_bytes){copy, len};
    return copy != NULL;
}

/* Whatever begins with it: from `low` up to, but without, `high`. */
static bool spell_range(const char *prefix, char kind, struct arena *a, struct db_bytes *low, struct db_bytes *high)
{
    if (!spell(prefix, kind, a, low))
        return false;
    char *next = arena_strndup(a, low->data, low->len);
    size_t len = low->len;
    if (!next)
        return false;
    while (len > 1 && (unsigned char)next[len - 1] == 0xff)
        len--;
    next[len - 1]++;
    *high = (struct db_bytes){next, len};
    return true;
}

static enum status collect_note(const struct fts_rank *r, struct fts_collector *into, const struct list *list,
                                size_t from, size_t to)
{
    const struct term_query *q = r->q;
    bool words = into == &r->words, titled = false, preferred = false;
    if (words)
        return fts_collect_note(into, list->phrase, list->items[from].tf, false) ? OK : ERR_NO_MEMORY;
    const struct word_form *form = (size_t)list->phrase < r->n_forms ? &q->forms[list->phrase] : NULL;
    struct language_set known = {0};
    unsigned n_known = 0;
    for (size_t i = from; i < to; i++) {
        const struct posting *p = &list->items[i];
        titled = titled || p->tf == FTS_TITLED;
        for (size_t k = 0; k < p->n_languages; k++) {
            unsigned language = p->languages[k];
            if (language >= LANGUAGE_COUNT || language_set_has(&known, language) ||
                (form && !language_set_has(&form->in, language)))
                continue;
            language_set_add(&known, language);
            n_known++;
            preferred = preferred || language == q->language;
        }
    }
    if (!n_known)
        return OK;
    return fts_collect_note(into, list->phrase, fts_form_tf(titled, preferred, n_known), preferred) ? OK
                                                                                                    : ERR_NO_MEMORY;
}

static int by_phrase(const void *x, const void *y)
{
    const struct list *a = x, *b = y;
    return (a->phrase > b->phrase) - (a->phrase < b->phrase);
}

/* Document by document, in the order of ids. */
static enum status collect_postings(const struct fts_rank *r, struct lists *lists, struct fts_collector *into,
                                    struct error *err)
{
    qsort(lists->items, lists->n, sizeof *lists->items, by_phrase);
    for (;;) {
        int64_t id = INT64_MAX;
        uint32_t length = 0;
        size_t before = into->n_notes;
        for (size_t i = 0; i < lists->n; i++) {
            const struct list *l = &lists->items[i];
            if (l->at < l->n && l->items[l->at].id < id) {
                id = l->items[l->at].id;
                length = l->items[l->at].length;
            }
        }
        if (id == INT64_MAX)
            return OK;
        enum status st = OK;
        for (size_t i = 0; i < lists->n && st == OK; i++) {
            struct list *l = &lists->items[i];
            size_t from = l->at;
            while (l->at < l->n && l->items[l->at].id == id)
                l->at++;
            if (l->at > from)
                st = collect_note(r, into, l, from, l->at);
        }
        if (st == OK && into->n_notes > before && !fts_collect_match(into, id, length))
            st = ERR_NO_MEMORY;
        if (st != OK)
            return err_set(err, st, "out of memory for the matches");
    }
}

/* What one pass asks for: terms, each with its phrase, and what begins with the prefix, whose phrase is the last. */
struct question {
    struct db_bytes *terms, low, high;
    int *phrases;
    size_t n;
    int last;
    bool ranged;
    struct lists lists; /* what came */
};

static enum status read_posting(struct db_rows *r, struct fts_rank *rank, struct question *words,
                                struct question *forms, struct arena *a)
{
    int64_t kind = db_int(r, 0), at = db_int(r, 1);
    if (kind == FTS_POSTGRES_TOTALS) {
        struct pg_items it;
        const unsigned char *documents, *all;
        size_t len, len_all;
        pg_array(&it, r, 2);
        if (pg_item(&it, &documents, &len) && pg_item(&it, &all, &len_all) && len == 8 && len_all == 8)
            rank->totals = fts_totals_of(pg_read_int(documents), pg_read_int(all));
        return OK;
    }
    bool languages = kind == FTS_POSTGRES_FORM || kind == FTS_POSTGRES_FORM_PREFIX;
    bool prefix = kind == FTS_POSTGRES_PREFIX || kind == FTS_POSTGRES_FORM_PREFIX;
    struct question *q = languages ? forms : words;
    struct list *list = &q->lists.items[q->lists.n++];
    *list = (struct list){.phrase = prefix ? q->last : q->phrases[at - 1]};
    return read_list(r, languages, a, list);
}

/* All in one statement, which is one trip and sees one moment. */
static enum status ask(struct db_conn *c, const struct fts_postgres *t, const struct sticker_filter *filter,
                       struct fts_rank *rank, struct question *words, struct question *forms, struct arena *a,
                       struct error *err)
{
    enum { OF_TERMS = 6 };
    struct db_rows r;
    const struct sticker_filter none = STICKER_FILTER_NONE;
    const struct db_arg args[] = {
        DB_BLOBS(words->terms, words->n),           DB_BLOB(words->low.data, words->low.len),
        DB_BLOB(words->high.data, words->high.len), DB_BLOBS(forms->terms, forms->n),
        DB_BLOB(forms->low.data, forms->low.len),   DB_BLOB(forms->high.data, forms->high.len),
        DB_FILTER(filter ? filter : &none)};
    if (filter)
        db_query(&r, c, t->search_filtered, args, sizeof args / sizeof *args, err);
    else
        db_query(&r, c, t->search, args, OF_TERMS, err);
    while (db_next(&r) && read_posting(&r, rank, words, forms, a) == OK)
        continue;
    enum status st = db_end(&r);
    if (st == OK)
        st = collect_postings(rank, &words->lists, &rank->words, err);
    return st == OK ? collect_postings(rank, &forms->lists, &rank->languages, err) : st;
}

struct names_of {
    struct db_conn *conn;
    const struct fts_postgres *table;
};

static enum status postgres_filenames(struct db_conn *c, const struct fts_postgres *t, const int64_t *ids, size_t n,
                                      struct arena *a, const char **out, struct error *err)
{
    struct db_rows r;
    memset(out, 0, n * sizeof *out);
    db_query(&r, c, t->filenames, DB_ARGS(DB_INTS(ids, n)), err);
    while (db_next(&r)) {
        int64_t at = db_int(&r, 0);
        out[at - 1] = db_text(&r, 1, a);
    }
    return db_end(&r);
}

static enum status postgres_names(void *ctx, const int64_t *ids, size_t n, struct arena *a, const char **out,
                                  struct error *err)
{
    const struct names_of *of = ctx;
    return postgres_filenames(of->conn, of->table, ids, n, a, out, err);
}

static enum status question_init(struct question *q, size_t n, struct arena *a, struct error *err)
{
    *q = (struct question){.terms = arena_array(a, n + 1, sizeof *q->terms),
                           .phrases = arena_array(a, n + 1, sizeof *q->phrases),
                           .last = (int)n,
                           .lists.items = arena_array(a, n + 1, sizeof *q->lists.items)};
    return q->terms && q->phrases && q->lists.items ? OK : err_no_memory(err, "a query");
}

static enum status make_questions(const struct fts_rank *r, struct question *words, struct question *forms,
                                  struct arena *a, struct error *err)
{
    size_t bytes = r->prefix ? strlen(r->prefix) : 0;
    enum status st = question_init(words, r->n_stems, a, err);
    if (st == OK)
        st = question_init(forms, r->n_forms, a, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < r->n_asked; i++) {
        const char *stem = r->q->stems[r->asked[i]];
        bytes += strlen(stem);
        words->phrases[words->n] = r->asked[i];
        words->n += spell(stem, 's', a, &words->terms[words->n]);
    }
    for (size_t i = 0; i < r->n_forms; i++) {
        bytes += strlen(r->q->forms[i].stem);
        forms->phrases[forms->n] = (int)i;
        forms->n += spell(r->q->forms[i].stem, 'l', a, &forms->terms[forms->n]);
    }
    words->ranged = r->prefix && spell_range(r->prefix, 'f', a, &words->low, &words->high);
    forms->ranged = r->form_prefix && spell_range(r->form_prefix, 'l', a, &forms->low, &forms->high);
    return bytes <= FTS_MAX_ASKED
               ? OK
               : err_set(err, ERR_TOO_LARGE, "the query's terms have %zu bytes, at most %d are looked for", bytes,
                         FTS_MAX_ASKED);
}

static enum status search_once(struct db_conn *c, const struct fts_postgres *t, const struct term_query *q,
                               const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                               struct fts_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct fts_rank r;
    struct arena scratch;
    struct question words, forms;
    *hits = NULL;
    *n = 0;
    *total = 0;
    fts_rank_begin(&r, q);
    arena_init(&scratch, SIZE_MAX);
    enum status st = make_questions(&r, &words, &forms, &scratch, err);
    if (st == OK && (words.n || forms.n || words.ranged || forms.ranged)) {
        st = ask(c, t, filter, &r, &words, &forms, &scratch, err);
        if (st == OK)
            st = fts_rank_score(&r, err);
        if (st == OK)
            st = fts_rank_page(&r, limit, offset, postgres_names, &(struct names_of){c, t}, a, hits, n, err);
    }
    if (st == OK)
        *total = (int64_t)r.n;
    fts_rank_end(&r);
    arena_free(&scratch);
    return st;
}

/* A document that is deleted between the search and the look-up of its name makes the search begin again. */
enum status fts_postgres_search(struct db_conn *c, const struct fts_postgres *t, const struct term_query *q,
                                const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                                struct fts_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    enum status st = search_once(c, t, q, filter, limit, offset, a, hits, n, total, err);
    for (int again = 0; again < 3 && st == ERR_CORRUPT; again++)
        st = search_once(c, t, q, filter, limit, offset, a, hits, n, total, err);
    return st;
}
