/* search_priors.c: what votes taught about documents, by query. Nothing is kept of a query whose gains are gone, as it
 * may have been erased: other SearchServices read gains anew every few seconds (search_service/priors.c). */
#include "search_store/search_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define SETTING "priors.version" /* "EPOCH VERSION" */

static struct prior_version parse_version(const char *text)
{
    struct prior_version v = {0};
    return sscanf(text, "%" SCNd64 " %" SCNd64, &v.epoch, &v.version) == 2 ? v : (struct prior_version){0};
}

enum status search_store_priors_version(struct search_store *s, struct prior_version *out, struct error *err)
{
    struct arena a;
    const char *text = "";
    arena_init(&a, 1u << 16);
    enum status st = search_store_setting_get(s, SETTING, &a, &text, err);
    *out = parse_version(st == OK ? text : "");
    arena_free(&a);
    return st;
}

struct put_job {
    struct prior_version from, to;
    const struct prior_query *queries;
    size_t n;
};

static enum status put_query(struct db_conn *c, const struct prior_query *q, int64_t version, struct error *err)
{
    enum status st = db_run(c, "DELETE FROM priors WHERE query = $1", DB_ARGS(DB_TEXT(q->query)), NULL, err);
    for (size_t i = 0; i < q->n && st == OK; i++)
        st = db_run(c,
                    "INSERT INTO priors (query, filename, gain, by_clicks) VALUES ($1, $2, $3, $4)"
                    " ON CONFLICT (query, filename) DO NOTHING",
                    DB_ARGS(DB_TEXT(q->query), DB_TEXT(q->rows[i].filename), DB_INT(llround(q->rows[i].gain * 100)),
                            DB_INT(q->rows[i].by_clicks)),
                    NULL, err);
    if (st == OK && !q->n)
        return db_run(c, "DELETE FROM prior_versions WHERE query = $1", DB_ARGS(DB_TEXT(q->query)), NULL, err);
    return st != OK ? st
                    : db_run(c,
                             "INSERT INTO prior_versions (query, version) VALUES ($1, $2)"
                             " ON CONFLICT (query) DO UPDATE SET version = excluded.version",
                             DB_ARGS(DB_TEXT(q->query), DB_INT(version)), NULL, err);
}

static enum status check_version(struct db_conn *c, const struct put_job *job, struct error *err)
{
    struct arena a;
    struct db_rows r;
    struct prior_version now = {0};
    arena_init(&a, 1u << 16);
    db_query(&r, c, "SELECT value FROM settings WHERE key = $1", DB_ARGS(DB_TEXT(SETTING)), err);
    while (db_next(&r))
        now = parse_version(db_text(&r, 0, &a));
    enum status st = db_end(&r);
    arena_free(&a);
    if (st == OK && (now.epoch != job->from.epoch || now.version != job->from.version))
        return err_set(err, ERR_CONFLICT, "the version of what votes taught is %" PRId64 " of epoch %" PRId64,
                       now.version, now.epoch);
    return st;
}

static enum status put_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct put_job *job = arg;
    char version[64];
    enum status st = job->from.version ? check_version(c, job, err)
                                       : db_script(c, "DELETE FROM priors; DELETE FROM prior_versions", err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = put_query(c, &job->queries[i], job->to.version, err);
    snprintf(version, sizeof version, "%" PRId64 " %" PRId64, job->to.epoch, job->to.version);
    return st == OK ? search_store_set(c, SETTING, version, err) : st;
}

enum status search_store_priors_put(struct search_store *s, struct prior_version from, struct prior_version to,
                                    const struct prior_query *queries, size_t n, struct error *err)
{
    return search_store_write(s, DB_DURABLE, put_job, &(struct put_job){from, to, queries, n}, err);
}

static void read_prior(struct db_rows *r, struct arena *a, void *item)
{
    (void)a;
    *(struct prior_row *)item =
        (struct prior_row){.id = db_int(r, 0), .gain = (double)db_int(r, 1) / 100, .by_clicks = db_int(r, 2) != 0};
}

enum status search_store_priors_get(struct search_store *s, const char *query, struct arena *a, struct prior_row **out,
                                    size_t *n, bool *any, struct error *err)
{
    void *rows;
    size_t kept = 0;
    enum status st = db_read_list(s->db,
                                  "SELECT coalesce(d.id, 0), p.gain, p.by_clicks FROM priors p"
                                  " LEFT JOIN documents d ON d.filename = p.filename WHERE p.query = $1 ORDER BY 1",
                                  DB_ARGS(DB_TEXT(query)), read_prior, sizeof **out, a, &rows, n, err);
    *out = rows;
    if (st != OK)
        return st;
    *any = *n > 0;
    for (size_t i = 0; i < *n; i++)
        if ((*out)[i].id)
            (*out)[kept++] = (*out)[i];
    *n = kept;
    return OK;
}

static void read_query(struct db_rows *r, struct arena *a, void *item)
{
    *(const char **)item = db_text(r, 0, a);
}

enum status search_store_priors_changed(struct search_store *s, int64_t after, size_t limit, struct arena *a,
                                        const char ***queries, size_t *n, struct error *err)
{
    void *rows;
    enum status st =
        db_read_list(s->db, "SELECT query FROM prior_versions WHERE version > $1 LIMIT $2",
                     DB_ARGS(DB_INT(after), DB_INT(db_limit(limit))), read_query, sizeof **queries, a, &rows, n, err);
    *queries = rows;
    return st;
}

enum status search_store_priors_count(struct search_store *s, int64_t *queries, struct error *err)
{
    return db_read_int(s->db, "SELECT count(DISTINCT query) FROM priors", DB_NONE, queries, NULL, err);
}
