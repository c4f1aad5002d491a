/* search_terms.c: the terms of documents, in a table, and the index of them in memory by which they are found.
 *
 * The index follows the table by the numbers of changes (search_changes.c): `since` is the last one that is in it.
 * Changes of this process are put into it at once, before they are followed, which then changes nothing. A file that
 * has it as it was at a number is believed if the database remembers that file, under its tag, with that number or a
 * later one: then the database has not gone back since, to a backup or behind a power cut. */
#include "search_store/search_internal.h"

#include "base/log.h"
#include "base/metric.h"
#include "fts/fts_index.h"
#include "fts/fts_terms.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       128u /* documents that are read at a time */
#define AT_ONCE    256u /* documents that opening reads itself; more are left to search_store_index_read */
#define SAVE_EVERY 32   /* changes, and a part of the documents: */
#define SAVE_PART  256

#define TERMS "t.title, t.words, t.filename, t.folded, t.languages"

/* --- the table --- */

enum status search_store_put_terms(struct db_conn *c, int64_t id, const struct sticker_terms *terms,
                                   const struct buf *languages, struct error *err)
{
    return db_run(c,
                  "INSERT INTO document_terms (document_id, title, words, filename, folded, languages)"
                  " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (document_id) DO UPDATE SET title = excluded.title,"
                  " words = excluded.words, filename = excluded.filename, folded = excluded.folded,"
                  " languages = excluded.languages",
                  DB_ARGS(DB_INT(id), DB_TEXT(terms->title), DB_TEXT(terms->words), DB_TEXT(terms->filename),
                          DB_TEXT(terms->folded), DB_BLOB(buf_str(languages), languages->len)),
                  NULL, err);
}

enum status search_store_remove_terms(struct db_conn *c, int64_t id, struct error *err)
{
    return db_run(c, "DELETE FROM document_terms WHERE document_id = $1", DB_ARGS(DB_INT(id)), NULL, err);
}

/* TERMS, from column `at` on. */
static enum status read_terms(struct db_rows *r, int at, int64_t id, struct arena *a, struct sticker_terms *out)
{
    size_t len;
    *out = (struct sticker_terms){.title = db_text(r, at, a),
                                  .words = db_text(r, at + 1, a),
                                  .filename = db_text(r, at + 2, a),
                                  .folded = db_text(r, at + 3, a)};
    const void *languages = db_bytes(r, at + 4, &len);
    return r->status == OK ? fts_inflate(id, languages, len, a, out, r->err) : r->status;
}

static enum status find_terms(struct db_conn *c, int64_t id, struct arena *a, bool *found, struct sticker_terms *out,
                              struct error *err)
{
    struct db_rows r;
    *found = false;
    db_query(&r, c, "SELECT " TERMS " FROM document_terms t WHERE t.document_id = $1", DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        r.status = read_terms(&r, 0, id, a, out);
        *found = true;
    }
    return db_end(&r);
}

enum status search_store_same_terms(struct db_conn *c, int64_t id, const struct sticker_terms *terms,
                                    const struct buf *languages, bool *same, struct error *err)
{
    struct db_rows r;
    *same = false;
    db_query(&r, c, "SELECT " TERMS " FROM document_terms t WHERE t.document_id = $1", DB_ARGS(DB_INT(id)), err);
    while (db_next(&r)) {
        size_t len;
        const void *stored = db_bytes(&r, 4, &len);
        *same = db_text_is(&r, 0, terms->title) && db_text_is(&r, 1, terms->words) &&
                db_text_is(&r, 2, terms->filename) && db_text_is(&r, 3, terms->folded) && len == languages->len &&
                (len == 0 || memcmp(stored, buf_str(languages), len) == 0);
    }
    return db_end(&r);
}

enum status search_store_terms(struct search_store *s, int64_t id, struct arena *a, struct sticker_terms *out,
                               struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    bool found = false;
    enum status st = find_terms(c, id, a, &found, out, err);
    db_reader_done(s->db, c);
    return st == OK && !found ? err_set(err, ERR_NOT_FOUND, "document %" PRId64 " has no terms", id) : st;
}

/* --- following the table --- */

struct page {
    struct arena arena;
    struct fts_document docs[PAGE];
    struct sticker_terms terms[PAGE];
    int64_t gone[PAGE];
    size_t n, n_docs, n_gone;
    int64_t last; /* id or number */
};

/* Rows of an id, a number, whether there are terms, and these. Damaged ones are as if they were not there. */
static enum status read_page(struct search_store *s, const char *sql, int64_t after, struct page *p, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    db_query(&r, c, sql, DB_ARGS(DB_INT(after), DB_INT(PAGE)), err);
    while (p->n < PAGE && db_next(&r)) {
        int64_t id = db_int(&r, 0);
        struct sticker_terms *terms = &p->terms[p->n_docs];
        p->n++;
        p->last = db_int(&r, 1);
        enum status st = db_int(&r, 2) ? read_terms(&r, 3, id, &p->arena, terms) : ERR_NOT_FOUND;
        if (st == OK)
            p->docs[p->n_docs++] = (struct fts_document){id, fts_terms_hash(terms), terms};
        else if (st == ERR_NOT_FOUND || st == ERR_CORRUPT)
            p->gone[p->n_gone++] = id;
        else
            r.status = st;
        if (st == ERR_CORRUPT)
            log_warn("a document cannot be found by its terms: %s", err->message);
    }
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status search_store_index_read(struct search_store *s, int64_t newest, bool *more, struct error *err)
{
    struct search_index *x = &s->index;
    struct fts_index *terms = atomic_load(&x->terms);
    bool all = !atomic_load(&x->complete);
    *more = terms && (all || x->since < newest);
    if (!*more)
        return OK;
    struct page *p = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(err, "the index of terms");
    arena_init(&p->arena, (size_t)PAGE * FTS_MAX_PACKED);
    enum status st = all ? read_page(s,
                                     "SELECT t.document_id, t.document_id, 1, " TERMS " FROM document_terms t"
                                     " WHERE t.document_id > $1 ORDER BY t.document_id LIMIT $2",
                                     x->after, p, err)
                         : read_page(s,
                                     "SELECT c.document_id, c.generation, t.document_id IS NOT NULL, " TERMS
                                     " FROM changes c LEFT JOIN document_terms t ON t.document_id = c.document_id"
                                     " WHERE c.generation > $1 ORDER BY c.generation LIMIT $2",
                                     x->since, p, err);
    if (st == OK && p->n_docs)
        st = fts_index_put(terms, p->docs, p->n_docs, err);
    if (st == OK && p->n_gone)
        st = fts_index_remove(terms, p->gone, p->n_gone, err);
    if (st == OK && p->n)
        *(all ? &x->after : &x->since) = p->last;
    if (st == OK && all && p->n < PAGE)
        atomic_store(&x->complete, true);
    *more = all || p->n == PAGE;
    arena_free(&p->arena);
    free(p);
    return st;
}

/* --- opening and saving --- */

/* False: it is not there, or not to be believed, and nothing was loaded. */
static bool load_snapshot(struct search_store *s, const char *path)
{
    struct search_index *x = &s->index;
    struct error err;
    struct search_mark mark;
    int64_t since;
    enum status st = fts_index_load(atomic_load(&x->terms), path, mark.tag, &mark.number, &err);
    if (st == OK && search_store_marked(s, &mark, &since)) {
        x->saved = mark;
        x->since = mark.number;
        return true;
    }
    if (st != ERR_NOT_FOUND)
        log_info("reading the terms from the database: %s", st == OK ? "the snapshot is of another one" : err.message);
    return false;
}

enum status search_store_index_open(struct search_store *s, const char *snapshot, struct error *err)
{
    struct search_index *x = &s->index;
    struct fts_index *terms;
    int64_t newest;
    enum status st = search_store_generation(s, &newest, err); /* before the terms are read */
    if (st == OK && (st = fts_index_open(&terms, err)) == OK)
        atomic_store(&x->terms, terms);
    if (st == OK && snapshot && load_snapshot(s, snapshot)) {
        atomic_store(&x->complete, true);
    } else if (st == OK) {
        search_store_mark_new(&x->saved);
        x->since = newest;
        fts_index_close(terms);
        atomic_store(&x->terms, NULL);
        st = fts_index_open(&terms, err);
        if (st == OK)
            atomic_store(&x->terms, terms);
    }
    bool more = true;
    for (size_t read = 0; st == OK && more && read < AT_ONCE; read += PAGE)
        st = search_store_index_read(s, newest, &more, err);
    return st;
}

void search_store_index_close(struct search_store *s)
{
    fts_index_close(atomic_exchange(&s->index.terms, NULL));
}

enum status search_store_tidy(struct search_store *s, struct error *err)
{
    struct fts_index *terms = atomic_load(&s->index.terms);
    return terms ? fts_index_tidy(terms, err) : OK;
}

enum status search_store_index_save(struct search_store *s, const char *snapshot, struct error *err)
{
    struct search_index *x = &s->index;
    struct fts_index *terms = atomic_load(&x->terms);
    struct fts_index_size size;
    struct search_mark mark = x->saved;
    if (!terms || !atomic_load(&x->complete))
        return OK;
    fts_index_size(terms, &size);
    mark.number = x->since;
    if (mark.number - x->saved.number < SAVE_EVERY + size.documents / SAVE_PART)
        return OK;
    enum status st = search_store_mark(s, &mark, err);
    if (st == OK)
        st = fts_index_save(terms, snapshot, mark.tag, mark.number, err);
    if (st == OK)
        x->saved = mark;
    return st;
}

void search_store_index_metrics(const struct search_store *s, const char *prefix, struct buf *out)
{
    struct fts_index *terms = atomic_load(&s->index.terms);
    struct fts_index_size size = {0};
    char name[64];
    if (terms)
        fts_index_size(terms, &size);
    snprintf(name, sizeof name, "%s_term_documents", prefix);
    metric_one(out, name, "gauge", "Documents in the index of terms.", (double)size.documents);
    snprintf(name, sizeof name, "%s_term_segments", prefix);
    metric_one(out, name, "gauge", "Segments of the index of terms, each of which a search looks up.",
               (double)size.segments);
    snprintf(name, sizeof name, "%s_term_bytes", prefix);
    metric_one(out, name, "gauge", "Bytes of the index of terms, of which a file may be mapped.", (double)size.bytes);
}

/* --- changes of this process --- */

static void warn(const char *filename, const struct error *err)
{
    log_warn("%s is not found by its new terms for a moment: %s", filename, err->message);
}

void search_store_index_put(struct search_store *s, int64_t id, const char *filename, const struct sticker_terms *t)
{
    struct fts_index *terms = atomic_load(&s->index.terms);
    struct error err;
    if (terms && fts_index_put(terms, &(struct fts_document){id, fts_terms_hash(t), t}, 1, &err) != OK)
        warn(filename, &err);
}

void search_store_index_remove(struct search_store *s, int64_t id, const char *filename)
{
    struct fts_index *terms = atomic_load(&s->index.terms);
    struct error err;
    if (terms && fts_index_remove(terms, &id, 1, &err) != OK)
        warn(filename, &err);
}

/* --- searching --- */

static enum status name_documents(void *ctx, const int64_t *ids, size_t n, struct arena *a, const char **out,
                                  struct error *err)
{
    return search_store_filenames(ctx, ids, n, a, out, err);
}

enum status search_store_lexical(struct search_store *s, const struct term_query *q, const struct label_test *passing,
                                 size_t limit, size_t offset, bool named, struct arena *a, struct search_hit **hits,
                                 size_t *n, int64_t *total, struct error *err)
{
    struct fts_hit *found;
    *hits = NULL;
    *n = 0;
    *total = 0;
    if (!atomic_load(&s->index.complete))
        return err_set(err, ERR_UNAVAILABLE, "the index of terms is being read from the database");
    enum status st = fts_index_search(atomic_load(&s->index.terms), q, passing, limit, offset,
                                      named ? name_documents : NULL, s, a, &found, n, total, err);
    if (st != OK || *n == 0)
        return st;
    if (!(*hits = arena_room(a, *n, sizeof **hits)))
        return err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", *n, a->max);
    for (size_t i = 0; i < *n; i++)
        (*hits)[i] = (struct search_hit){.id = found[i].id, .filename = found[i].filename, .score = found[i].score};
    return OK;
}
