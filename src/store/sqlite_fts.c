/* sqlite_fts.c: asks FTS5 for every match once, unsorted, and keeps the best of them here: that counts
 * the total on the way, and looks up filenames only for what can appear on the asked page. */
#include "store/sqlite_fts.h"

#include "base/buf.h"
#include <stdlib.h>
#include <string.h>

enum { MAX_EXPRESSION = 64 << 10 };

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
    if (n_stems > FTS_MAX_TERMS)
        n_stems = FTS_MAX_TERMS;
    for (size_t i = 0; i < n_stems; i++) {
        buf_puts(b, i ? " OR " : "{title words filename} : (");
        quote(b, stems[i]);
    }
    if (n_stems)
        buf_putc(b, ')');
    if (prefix && *prefix) {
        buf_puts(b, n_stems ? " OR folded : " : "folded : ");
        quote(b, prefix);
        buf_puts(b, " *");
    }
    return buf_status(b, err);
}

static int by_score(const void *x, const void *y)
{
    const struct fts_hit *a = x, *b = y;
    return (a->score < b->score) - (a->score > b->score);
}

static int by_score_then_name(const void *x, const void *y)
{
    const struct fts_hit *a = x, *b = y;
    int order = by_score(a, b);
    return order ? order : strcmp(a->filename, b->filename);
}

static enum status match(struct db_conn *c, const struct fts_tables *t, const char *expr, struct arena *a,
                         struct fts_hit **hits, size_t *n, struct error *err)
{
    struct db_rows r;
    void *items = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, t->match, DB_ARGS(DB_TEXT(expr)), err);
    while (db_next(&r) && db_grow(&r, a, &items, *n, &cap, sizeof **hits)) {
        *hits = items;
        (*hits)[(*n)++] = (struct fts_hit){.row = db_int(&r, 0), .score = -db_double(&r, 1)};
    }
    return db_end(&r);
}

/* Names the hits that can be among the first `wanted`: those and whatever ties with the last of them. */
static enum status name(struct db_conn *c, const struct fts_tables *t, struct fts_hit *hits, size_t n, size_t wanted,
                        struct arena *a, size_t *named, struct error *err)
{
    qsort(hits, n, sizeof *hits, by_score);
    size_t i = 0;
    for (; i < n && (i < wanted || hits[i].score >= hits[wanted - 1].score); i++) {
        struct db_rows r;
        db_query(&r, c, t->filename, DB_ARGS(DB_INT(hits[i].row)), err);
        if (db_next(&r))
            hits[i].filename = db_text(&r, 0, a);
        enum status st = db_end(&r);
        if (st != OK)
            return st;
        if (!hits[i].filename)
            return err_set(err, ERR_CORRUPT, "the word index names row %lld, which does not exist",
                           (long long)hits[i].row);
    }
    qsort(hits, i, sizeof *hits, by_score_then_name);
    *named = i;
    return OK;
}

enum status fts_search(struct db *d, const struct fts_tables *t, const char *const *stems, size_t n_stems,
                       const char *prefix, size_t limit, size_t offset, struct arena *a, struct fts_hit **hits,
                       size_t *n, int64_t *total, struct error *err)
{
    *hits = NULL;
    *n = 0;
    *total = 0;
    struct buf expr;
    buf_init(&expr, MAX_EXPRESSION);
    struct db_conn *c = NULL;
    size_t matches = 0, named = 0;
    struct fts_hit *all = NULL;
    enum status st = expression(&expr, stems, n_stems, prefix, err);
    if (st != OK || expr.len == 0)
        goto out;
    c = db_reader(d);
    if ((st = db_snapshot(c, err)) != OK)
        goto out;
    st = match(c, t, expr.data, a, &all, &matches, err);
    size_t wanted = limit > SIZE_MAX - offset ? SIZE_MAX : offset + limit;
    if (st == OK && limit > 0 && offset < matches)
        st = name(c, t, all, matches, wanted, a, &named, err);
    db_snapshot_end(c);
    if (st != OK)
        goto out;
    *total = (int64_t)matches;
    if (offset < named) {
        *hits = all + offset;
        *n = named - offset < limit ? named - offset : limit;
    }
out:
    if (c)
        db_reader_done(d, c);
    buf_free(&expr);
    return st;
}
