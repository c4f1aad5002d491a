/* fts_sqlite.c: what is in the two FTS5 tables, and what they are asked. */
#include "fts/fts_sqlite.h"

#include "base/buf.h"
#include <string.h>

enum { MAX_EXPRESSION = 64 << 10 };

/* --- what is in the index --- */

/* From the first table. Even a DELETE of nothing makes FTS5 write what it has gathered in this transaction. */
static enum status remove_words(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct error *err)
{
    int64_t one;
    bool there;
    enum status st = db_get_int(c, t->there, DB_ARGS(DB_INT(id)), &one, &there, err);
    return st == OK && there ? db_run(c, t->remove, DB_ARGS(DB_INT(id)), NULL, err) : st;
}

enum status fts_sqlite_remove(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct error *err)
{
    enum status st = fts_languages_remove(c, t, id, err);
    return st == OK ? remove_words(c, t, id, err) : st;
}

enum status fts_sqlite_put(struct db_conn *c, const struct fts_sqlite *t, int64_t id, const struct sticker_terms *terms,
                           struct error *err)
{
    bool changed;
    int64_t all, row = id << FTS_LENGTH_BITS | fts_length(terms, &all);
    enum status st = fts_languages_change(c, t, row, terms, &changed, err);
    if (st == OK)
        st = changed ? remove_words(c, t, id, err) : fts_sqlite_remove(c, t, id, err);
    if (st != OK)
        return st;
    st = db_run(c, t->insert,
                DB_ARGS(DB_INT(row), DB_TEXT(terms->title), DB_TEXT(terms->words), DB_TEXT(terms->filename),
                        DB_TEXT(terms->folded)),
                NULL, err);
    return st == OK && !changed ? fts_languages_put(c, t, row, terms, err) : st;
}

enum status fts_sqlite_get(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct arena *a, bool *found,
                           struct sticker_terms *out, struct error *err)
{
    struct db_rows r;
    *out = (struct sticker_terms){0};
    *found = false;
    db_query(&r, c, t->terms, DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        *found = true;
        out->title = db_text(&r, 0, a);
        out->words = db_text(&r, 1, a);
        out->filename = db_text(&r, 2, a);
        out->folded = db_text(&r, 3, a);
    }
    enum status st = db_end(&r);
    return st == OK && *found ? fts_languages_get(c, t, id, a, out, err) : st;
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
static void words_expression(struct buf *b, const struct fts_rank *r)
{
    for (size_t i = 0; i < r->n_asked; i++) {
        buf_puts(b, i ? " OR " : "{title words filename} : (");
        quote(b, r->q->stems[r->asked[i]]);
    }
    if (r->n_asked)
        buf_putc(b, ')');
    if (r->prefix) {
        buf_puts(b, r->n_asked ? " OR folded : " : "folded : ");
        quote(b, r->prefix);
        buf_puts(b, " *");
    }
}

/* "gatos" OR "gat" OR "gato" *: which languages that may be in is seen match by match (fts_sqlite_match.c),
 * because naming a hundred columns takes longer than the search. */
static void languages_expression(struct buf *b, const struct fts_rank *r)
{
    for (size_t i = 0; i < r->n_forms; i++) {
        buf_puts(b, i ? " OR " : "");
        quote(b, r->q->forms[i].stem);
    }
    if (r->form_prefix) {
        buf_puts(b, r->n_forms ? " OR " : "");
        quote(b, r->form_prefix);
        buf_puts(b, " *");
    }
}

/* `sql` has the parameters of the filter when there is one. */
static enum status match(struct db_conn *c, const char *sql, const struct buf *expression, struct fts_pass *pass,
                         const struct sticker_filter *filter, struct error *err)
{
    enum status st = buf_status(expression, err);
    if (st != OK || expression->len == 0)
        return st;
    if (filter)
        return db_run(c, sql, DB_ARGS(DB_TEXT(expression->data), DB_POINTER(pass), DB_FILTER(filter)), NULL, err);
    return db_run(c, sql, DB_ARGS(DB_TEXT(expression->data), DB_POINTER(pass)), NULL, err);
}

struct names_of {
    struct db_conn *conn;
    const struct fts_sqlite *table;
};

static enum status sqlite_filenames(struct db_conn *c, const struct fts_sqlite *t, const int64_t *ids, size_t n,
                                    struct arena *a, const char **out, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct db_rows r;
        db_query(&r, c, t->filename, DB_ARGS(DB_INT(ids[i])), err);
        out[i] = db_next(&r) ? db_text(&r, 0, a) : NULL;
        st = db_end(&r);
    }
    return st;
}

static enum status sqlite_names(void *ctx, const int64_t *ids, size_t n, struct arena *a, const char **out,
                                struct error *err)
{
    const struct names_of *of = ctx;
    return sqlite_filenames(of->conn, of->table, ids, n, a, out, err);
}

enum status fts_sqlite_search(struct db_conn *c, const struct fts_sqlite *t, const struct term_query *q,
                              const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                              struct fts_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct fts_rank r;
    struct buf words, languages;
    *hits = NULL;
    *n = 0;
    *total = 0;
    fts_rank_begin(&r, q);
    buf_init(&words, MAX_EXPRESSION);
    buf_init(&languages, MAX_EXPRESSION);
    words_expression(&words, &r);
    languages_expression(&languages, &r);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        const char *in_words = filter ? t->match_filtered : t->match;
        const char *in_languages = filter ? t->languages.match_filtered : t->languages.match;
        if ((st = match(c, in_words, &words, &(struct fts_pass){&r, &r.words}, filter, err)) == OK &&
            (st = match(c, in_languages, &languages, &(struct fts_pass){&r, &r.languages}, filter, err)) == OK &&
            (st = db_run(c, t->totals, DB_ARGS(DB_POINTER(&r.totals)), NULL, err)) == OK)
            st = fts_rank_score(&r, err);
        if (st == OK)
            st = fts_rank_page(&r, limit, offset, sqlite_names, &(struct names_of){c, t}, a, hits, n, err);
        db_snapshot_end(c);
    }
    if (st == OK)
        *total = (int64_t)r.n;
    fts_rank_end(&r);
    buf_free(&words);
    buf_free(&languages);
    return st;
}
