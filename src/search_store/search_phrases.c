/* search_phrases.c: the vectors of phrases, which many documents may have: one for each model and text. */
#include "search_store/search_internal.h"

#include <string.h>

struct phrases_job {
    const char *model;
    const struct phrase_vector *phrases;
    size_t n;
};

/* In SQLite one by one. */
static enum status put_each(struct db_conn *c, const struct phrases_job *job, int64_t model, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = db_run(
            c,
            "INSERT INTO phrase_vectors (model_id, phrase, code) VALUES ($1, $2, $3)"
            " ON CONFLICT (model_id, phrase) DO UPDATE SET code = excluded.code",
            DB_ARGS(DB_INT(model), DB_TEXT(job->phrases[i].text), DB_BLOB(job->phrases[i].code, job->phrases[i].bytes)),
            NULL, err);
    return st;
}

/* In PostgreSQL all in one round trip. */
static enum status put_together(struct db_conn *c, const struct phrases_job *job, int64_t model, struct arena *a,
                                struct error *err)
{
    struct db_bytes *texts = arena_array(a, job->n + 1, sizeof *texts),
                    *codes = arena_array(a, job->n + 1, sizeof *codes);
    if (!texts || !codes)
        return err_no_memory(err, "%zu phrases", job->n);
    for (size_t i = 0; i < job->n; i++) {
        texts[i] = (struct db_bytes){job->phrases[i].text, strlen(job->phrases[i].text)};
        codes[i] = (struct db_bytes){job->phrases[i].code, job->phrases[i].bytes};
    }
    return db_run(c,
                  "INSERT INTO phrase_vectors (model_id, phrase, code)"
                  " SELECT DISTINCT ON (t.phrase) $1, convert_from(t.phrase, 'UTF8'), t.code"
                  " FROM unnest($2, $3) t (phrase, code)"
                  " ON CONFLICT (model_id, phrase) DO UPDATE SET code = excluded.code",
                  DB_ARGS(DB_INT(model), DB_BLOBS(texts, job->n), DB_BLOBS(codes, job->n)), NULL, err);
}

static enum status phrases_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct phrases_job *job = arg;
    struct arena a;
    int64_t model;
    arena_init(&a, SIZE_MAX);
    enum status st = search_store_touch_model(c, job->model, 0, &model, err);
    if (st == OK)
        st = db_is_postgres(c) ? put_together(c, job, model, &a, err) : put_each(c, job, model, err);
    arena_free(&a);
    return st;
}

enum status search_store_phrases_put(struct search_store *s, const char *model, const struct phrase_vector *phrases,
                                     size_t n, struct error *err)
{
    struct phrases_job job = {model, phrases, n};
    return search_store_write(s, DB_FAST, phrases_job, &job, err);
}

/* The code of the first row, of the size that is expected. */
static enum status read_code(struct db_conn *c, const char *model, struct phrase_vector *phrase, struct arena *a,
                             struct error *err)
{
    struct db_rows r;
    db_query(&r, c,
             "SELECT code FROM phrase_vectors WHERE model_id = (SELECT id FROM models WHERE name = $1) AND phrase = $2",
             DB_ARGS(DB_TEXT(model), DB_TEXT(phrase->text)), err);
    bool full = false;
    while (db_next(&r)) {
        size_t bytes;
        const void *code = db_bytes(&r, 0, &bytes);
        void *copy = code && bytes == phrase->bytes ? arena_alloc(a, bytes) : NULL;
        full = full || (code && bytes == phrase->bytes && !copy);
        if (copy)
            phrase->code = memcpy(copy, code, bytes);
    }
    enum status st = db_end(&r);
    return st == OK && full ? err_no_memory(err, "the vectors of phrases") : st;
}

enum status search_store_phrases_get(struct search_store *s, const char *model, struct phrase_vector *phrases, size_t n,
                                     struct arena *a, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        phrases[i].code = NULL;
        st = read_code(c, model, &phrases[i], a, err);
    }
    db_reader_done(s->db, c);
    return st;
}
