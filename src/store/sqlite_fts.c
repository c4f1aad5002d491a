/* sqlite_fts.c: ranked search in one pass over the matches.
 *
 * FTS5's own bm25() walks each term's matches a second time to count them, and looks up every document's
 * length in a table. Here an auxiliary function notes, for each match, which terms it has and how weighty;
 * a match has at least one of the terms, so when the pass ends these notes also hold how common each term
 * is, and the scores are computed from them:
 *
 *     score = sum over terms of idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average length))
 *     idf   = ln(1 + (N - n + 0.5) / (n + 0.5))       (Robertson & Zaragoza 2009; the 1 keeps it positive)
 *
 * where tf counts 3 in the title, 2 in the words, 1 in the filename. A word that is only the beginning of
 * one of the document's counts PREFIX_SHARE of what the whole word in a filename would, and nothing beside
 * the whole word. Document lengths are bounded so that it never outweighs a whole word elsewhere. */
#include "store/sqlite_fts.h"

#include "base/buf.h"
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

enum {
    LENGTH_BITS = 12,
    MAX_LENGTH = (1 << LENGTH_BITS) - 1,
    MAX_EXPRESSION = 64 << 10,
    FOLDED = 3, /* the column of unstemmed words */
};
static const double K1 = 1.2, B = 0.75, PREFIX_SHARE = 0.2, MAX_RELATIVE_LENGTH = 5;

/* --- what is in the index --- */

static int64_t count_words(const char *s)
{
    int64_t n = 0;
    for (bool inside = false; *s; s++) {
        n += *s != ' ' && !inside;
        inside = *s != ' ';
    }
    return n;
}

enum status fts_remove(struct db_conn *c, const struct fts_table *t, int64_t id, struct error *err)
{
    return db_run(c, t->remove, DB_ARGS(DB_INT(id)), NULL, err);
}

enum status fts_put(struct db_conn *c, const struct fts_table *t, int64_t id, const struct fts_terms *terms,
                    struct error *err)
{
    enum status st = fts_remove(c, t, id, err);
    if (st != OK)
        return st;
    int64_t length = count_words(terms->title) + count_words(terms->words) + count_words(terms->filename);
    int64_t row = (id << LENGTH_BITS) | (length < MAX_LENGTH ? length : MAX_LENGTH);
    return db_run(c, t->insert,
                  DB_ARGS(DB_INT(row), DB_TEXT(terms->title), DB_TEXT(terms->words), DB_TEXT(terms->filename),
                          DB_TEXT(terms->folded)),
                  NULL, err);
}

/* --- one pass over the matches --- */

struct match {
    int64_t id;
    double length, score;
};
struct note { /* term `phrase` is in match `match` */
    size_t match;
    int phrase;
    double tf;
};
struct collector {
    struct match *matches;
    struct note *notes;
    size_t n_matches, n_notes, cap_matches, cap_notes;
    double documents, average_length;
};

static int grow(void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return SQLITE_OK;
    size_t more = *cap ? *cap * 2 : 256;
    void *grown = reallocarray(*items, more, size);
    if (!grown)
        return SQLITE_NOMEM;
    *items = grown;
    *cap = more;
    return SQLITE_OK;
}

static int read_totals(const Fts5ExtensionApi *api, Fts5Context *fts, struct collector *k)
{
    sqlite3_int64 documents, words, all = 0;
    int rc = api->xRowCount(fts, &documents);
    for (int column = 0; column < FOLDED && rc == SQLITE_OK; column++) {
        rc = api->xColumnTotalSize(fts, column, &words);
        all += words;
    }
    k->documents = (double)documents;
    k->average_length = all > 0 && documents > 0 ? (double)all / (double)documents : 1;
    return rc;
}

static int note_phrase(const Fts5ExtensionApi *api, Fts5Context *fts, struct collector *k, int phrase)
{
    static const double weights[] = {3, 2, 1, 1};
    Fts5PhraseIter it;
    int column, offset;
    double tf = 0;
    int rc = api->xPhraseFirst(fts, phrase, &it, &column, &offset);
    if (rc != SQLITE_OK)
        return rc;
    for (; column >= 0; api->xPhraseNext(fts, &it, &column, &offset)) {
        if (column <= FOLDED) /* a damaged index may say anything */
            tf += weights[column];
    }
    if (tf == 0)
        return SQLITE_OK;
    void *notes = k->notes;
    rc = grow(&notes, k->n_notes, &k->cap_notes, sizeof *k->notes);
    k->notes = notes;
    if (rc == SQLITE_OK)
        k->notes[k->n_notes++] = (struct note){.match = k->n_matches, .phrase = phrase, .tf = tf};
    return rc;
}

/* peel_collect(fts, collector): called by SQLite for each match. */
static void collect(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_args,
                    sqlite3_value **args)
{
    struct collector *k = n_args == 1 ? sqlite3_value_pointer(args[0], DB_POINTER_TYPE) : NULL;
    int rc = k ? SQLITE_OK : SQLITE_MISUSE;
    if (rc == SQLITE_OK && k->n_matches == 0)
        rc = read_totals(api, fts, k);
    int phrases = api->xPhraseCount(fts);
    for (int i = 0; i < phrases && rc == SQLITE_OK; i++)
        rc = note_phrase(api, fts, k, i);
    if (rc == SQLITE_OK) {
        void *matches = k->matches;
        rc = grow(&matches, k->n_matches, &k->cap_matches, sizeof *k->matches);
        k->matches = matches;
    }
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(ctx, rc);
        return;
    }
    int64_t row = api->xRowid(fts);
    k->matches[k->n_matches++] =
        (struct match){.id = row >> LENGTH_BITS, .length = (double)(row & MAX_LENGTH), .score = 0};
}

int fts_register(struct sqlite3 *handle)
{
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(handle, "SELECT fts5(?1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL)) == SQLITE_OK)
        sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK && api ? api->xCreateFunction(api, "peel_collect", NULL, collect, NULL) : SQLITE_ERROR;
}

/* --- scores --- */

/* `stem`: the number of the phrase that is the prefix's whole word, or -1; `prefix`: the prefix's, or -1. */
static void score(struct collector *k, int stem, int prefix)
{
    double count[FTS_MAX_TERMS + 1] = {0}, idf[FTS_MAX_TERMS + 1];
    for (size_t i = 0; i < k->n_notes; i++)
        count[k->notes[i].phrase]++;
    for (int i = 0; i <= FTS_MAX_TERMS; i++)
        idf[i] = log(1 + fmax(k->documents - count[i] + 0.5, 0) / (count[i] + 0.5));
    if (prefix >= 0 && stem >= 0)
        idf[prefix] = fmin(idf[prefix], idf[stem]);
    size_t whole = SIZE_MAX; /* the last match that had the whole word */
    for (size_t i = 0; i < k->n_notes; i++) {
        const struct note *note = &k->notes[i];
        struct match *m = &k->matches[note->match];
        double length = fmin(m->length / k->average_length, MAX_RELATIVE_LENGTH);
        double tf = note->phrase == prefix ? 1 : note->tf;
        double part = idf[note->phrase] * tf * (K1 + 1) / (tf + K1 * (1 - B + B * length));
        if (note->phrase == stem)
            whole = note->match;
        if (note->phrase != prefix)
            m->score += part;
        else if (whole != note->match) /* notes of one match are in the order of phrases: the prefix comes last */
            m->score += PREFIX_SHARE * part;
    }
}

/* The score that the k-th best match has, 1 <= k <= n (Hoare's selection; reorders the scores in v). */
static double kth_best(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1, at = k - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (v[i] > pivot)
                i++;
            while (v[j] < pivot)
                j--;
            if (i >= j)
                break;
            double swap = v[i];
            v[i] = v[j];
            v[j] = swap;
        }
        if (at <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[at];
}

static int by_score_then_name(const void *x, const void *y)
{
    const struct fts_hit *a = x, *b = y;
    int order = (a->score < b->score) - (a->score > b->score);
    return order ? order : strcmp(a->filename, b->filename);
}

/* --- the question --- */

/* Inside double quotes nothing is FTS5 syntax, and a doubled quote is a quote. */
static void quote(struct buf *b, const char *term)
{
    buf_putc(b, '"');
    for (; *term; term++) {
        if (*term == '"')
            buf_putc(b, '"');
        buf_putc(b, *term);
    }
    buf_putc(b, '"');
}

/* {title words filename} : ("cat" OR "park") OR folded : "par" * */
static enum status expression(struct buf *b, const char *const *stems, size_t n_stems, const char *prefix,
                              struct error *err)
{
    for (size_t i = 0; i < n_stems; i++) {
        buf_puts(b, i ? " OR " : "{title words filename} : (");
        quote(b, stems[i]);
    }
    if (n_stems)
        buf_putc(b, ')');
    if (prefix) {
        buf_puts(b, n_stems ? " OR folded : " : "folded : ");
        quote(b, prefix);
        buf_puts(b, " *");
    }
    return buf_status(b, err);
}

/* Names the matches that can be on the page (the best `wanted`, and whatever ties with the last of them),
 * sorts them, and copies the page. */
static enum status page(struct db_conn *c, const struct fts_table *t, const struct collector *k, size_t wanted,
                        size_t limit, size_t offset, struct arena *a, struct fts_hit **hits, size_t *n,
                        struct error *err)
{
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX);
    enum status st = OK;
    size_t n_best = 0;
    struct fts_hit *best = arena_array(&scratch, k->n_matches, sizeof *best);
    double *scores = arena_array(&scratch, k->n_matches, sizeof *scores);
    if (!best || !scores) {
        st = err_set(err, ERR_NO_MEMORY, "out of memory for %zu matches", k->n_matches);
        goto out;
    }
    for (size_t i = 0; i < k->n_matches; i++)
        scores[i] = k->matches[i].score;
    double least = wanted < k->n_matches ? kth_best(scores, k->n_matches, wanted) : 0;
    for (size_t i = 0; i < k->n_matches; i++) {
        const struct match *m = &k->matches[i];
        if (m->score < least)
            continue;
        struct db_rows r;
        best[n_best] = (struct fts_hit){.id = m->id, .score = m->score};
        db_query(&r, c, t->filename, DB_ARGS(DB_INT(m->id)), err);
        if (db_next(&r))
            best[n_best].filename = db_text(&r, 0, &scratch);
        if ((st = db_end(&r)) != OK)
            goto out;
        if (!best[n_best++].filename) {
            st = err_set(err, ERR_CORRUPT, "the word index names row %lld, which does not exist", (long long)m->id);
            goto out;
        }
    }
    qsort(best, n_best, sizeof *best, by_score_then_name);
    size_t count = n_best - offset < limit ? n_best - offset : limit;
    struct fts_hit *copy = arena_array(a, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = best[offset + i];
        if (!(copy[i].filename = arena_strdup(a, best[offset + i].filename)))
            copy = NULL;
    }
    if (!copy) {
        st = err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", count, a->max);
        goto out;
    }
    *hits = copy;
    *n = count;
out:
    arena_free(&scratch);
    return st;
}

enum status fts_search(struct db *d, const struct fts_table *t, const char *const *stems, size_t n_stems,
                       const char *prefix, size_t limit, size_t offset, struct arena *a, struct fts_hit **hits,
                       size_t *n, int64_t *total, struct error *err)
{
    *hits = NULL;
    *n = 0;
    *total = 0;
    if (prefix && (!*prefix || n_stems > FTS_MAX_TERMS))
        prefix = NULL;
    if (n_stems > FTS_MAX_TERMS)
        n_stems = FTS_MAX_TERMS;
    struct buf expr;
    buf_init(&expr, MAX_EXPRESSION);
    struct collector k = {0};
    struct db_conn *c = NULL;
    enum status st = expression(&expr, stems, n_stems, prefix, err);
    if (st != OK || expr.len == 0)
        goto out;
    c = db_reader(d);
    if ((st = db_snapshot(c, err)) != OK)
        goto out;
    st = db_run(c, t->match, DB_ARGS(DB_TEXT(expr.data), DB_POINTER(&k)), NULL, err);
    if (st == OK && limit > 0 && offset < k.n_matches) {
        score(&k, (int)n_stems - 1, prefix ? (int)n_stems : -1);
        size_t wanted = limit > SIZE_MAX - offset ? SIZE_MAX : offset + limit;
        st = page(c, t, &k, wanted, limit, offset, a, hits, n, err);
    }
    db_snapshot_end(c);
    if (st == OK)
        *total = (int64_t)k.n_matches;
out:
    if (c)
        db_reader_done(d, c);
    free(k.matches);
    free(k.notes);
    buf_free(&expr);
    return st;
}
