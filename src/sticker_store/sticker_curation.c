#include "sticker_store/sticker_curation.h"

#include "base/json_out.h"
#include "base/os.h"
#include "sticker_store/sticker_internal.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_TEXT(n)  LIMIT_TEXT_(n)
#define LIMIT_TEXT_(n) #n

const struct curation_names curation_names[CURATION_KINDS] = {
    [CURATION_PINS] = {"pins", "pin", {"query", "language", "sticker", "position"}, 3},
    [CURATION_SYNONYMS] = {"synonyms", "synonym", {"term", "language", "synonyms", "two_way"}, 2},
};

#define SELECT_PINS                                                                                                    \
    "SELECT t.id, t.query, t.language, k.filename, t.position FROM pins t JOIN stickers k ON k.id = t.sticker_id"
#define SELECT_SYNONYMS "SELECT t.id, t.term, t.language, t.synonyms, t.two_way FROM synonyms t"

/* What both kinds are asked in SQL. Changes take $1 the id, $2 to $4 the texts, $5 the number, $6 the time. */
static const struct curation_sql {
    const char *find, *list, *insert, *update, *delete, *count;
    int64_t most;
    const char *crowded; /* selects how many queries have too many; NULL: nobody asks */
} sql[CURATION_KINDS] = {
    [CURATION_PINS] =
        {
            .find = SELECT_PINS " WHERE t.query = $1 AND t.language = $2 AND k.filename = $3",
            .list = SELECT_PINS " ORDER BY t.query, t.language, CASE t.position WHEN 0 THEN 1 ELSE 0 END, t.position,"
                                " t.modified_us DESC, k.filename",
            .insert = "INSERT INTO pins (id, query, language, sticker_id, position, created_us, modified_us)"
                      " SELECT $1, $2, $3, k.id, $5, $6, $6 FROM stickers k WHERE k.filename = $4",
            .update = "UPDATE pins SET query = $2, language = $3,"
                      " sticker_id = (SELECT k.id FROM stickers k WHERE k.filename = $4), position = $5,"
                      " modified_us = $6 WHERE id = $1",
            .delete = "DELETE FROM pins WHERE id = $1",
            .count = "SELECT count(*) FROM pins",
            .most = CURATION_MAX_PINS,
            .crowded = "SELECT count(*) FROM (SELECT query FROM pins GROUP BY query HAVING count(*) > " LIMIT_TEXT(
                CURATION_MAX_QUERY) ") x",
        },
    [CURATION_SYNONYMS] =
        {
            .find = SELECT_SYNONYMS " WHERE t.term = $1 AND t.language = $2",
            .list = SELECT_SYNONYMS " ORDER BY t.term, t.language",
            .insert = "INSERT INTO synonyms (id, term, language, synonyms, two_way, created_us, modified_us)"
                      " VALUES ($1, $2, $3, $4, $5, $6, $6)",
            .update = "UPDATE synonyms SET term = $2, language = $3, synonyms = $4, two_way = $5, modified_us = $6"
                      " WHERE id = $1",
            .delete = "DELETE FROM synonyms WHERE id = $1",
            .count = "SELECT count(*) FROM synonyms",
            .most = CURATION_MAX_SYNONYMS,
        },
};

/* --- rows --- */

struct stored {
    const char *id;
    struct curation_row row;
};

static void read_stored(struct db_rows *r, struct arena *a, void *item)
{
    struct stored *s = item;
    s->id = db_text(r, 0, a);
    for (int i = 0; i < CURATION_COLUMNS - 1; i++)
        s->row.values[i] = db_text(r, i + 1, a);
    s->row.values[CURATION_COLUMNS - 1] = arena_printf(a, "%lld", (long long)db_int(r, CURATION_COLUMNS));
    if (!s->row.values[CURATION_COLUMNS - 1])
        r->status = err_no_memory(r->err, "a row");
}

static bool same_values(const struct curation_row *a, const struct curation_row *b)
{
    for (int i = 0; i < CURATION_COLUMNS; i++)
        if (strcmp(a->values[i], b->values[i]) != 0)
            return false;
    return true;
}

static int64_t number_of(const struct curation_row *row)
{
    return strtoll(row->values[CURATION_COLUMNS - 1], NULL, 10);
}

/* The row with this key; *found false: there is none. */
static enum status find_row(struct db_conn *c, enum curation_kind kind, const struct curation_row *row, struct arena *a,
                            bool *found, struct stored *out, struct error *err)
{
    struct db_rows r;
    const struct db_arg key[] = {DB_TEXT(row->values[0]), DB_TEXT(row->values[1]), DB_TEXT(row->values[2])};
    db_query(&r, c, sql[kind].find, key, curation_names[kind].keys, err);
    for (*found = false; db_next(&r); *found = true)
        read_stored(&r, a, out);
    return db_end(&r);
}

static enum status write_row(struct db_conn *c, const char *statement, const char *id, const struct curation_row *row,
                             int64_t *changed, struct error *err)
{
    return db_run(c, statement,
                  DB_ARGS(DB_TEXT(id), DB_TEXT(row->values[0]), DB_TEXT(row->values[1]), DB_TEXT(row->values[2]),
                          DB_INT(number_of(row)), DB_INT(os_now_us())),
                  changed, err);
}

static enum status sticker_exists(struct db_conn *c, enum curation_kind kind, const struct curation_row *row,
                                  struct error *err)
{
    int64_t one;
    bool found = true;
    enum status st = OK;
    if (kind == CURATION_PINS)
        st = db_get_int(c, "SELECT 1 FROM stickers WHERE filename = $1", DB_ARGS(DB_TEXT(row->values[2])), &one, &found,
                        err);
    return st == OK && !found ? err_set(err, ERR_INVALID, "There is no sticker \"%.255s\".", row->values[2]) : st;
}

static enum status check_limits(struct db_conn *c, enum curation_kind kind, struct error *err)
{
    int64_t n = 0, crowded = 0;
    enum status st = db_get_int(c, sql[kind].count, DB_NONE, &n, NULL, err);
    if (st == OK && sql[kind].crowded)
        st = db_get_int(c, sql[kind].crowded, DB_NONE, &crowded, NULL, err);
    if (st == OK && n > sql[kind].most)
        return err_set(err, ERR_INVALID, "There may be at most %lld %s.", (long long)sql[kind].most,
                       curation_names[kind].list);
    if (st == OK && crowded)
        return err_set(err, ERR_INVALID, "One query may have at most %d pins.", CURATION_MAX_QUERY);
    return st;
}

/* --- the admin's forms: one row, by its id --- */

static const char *field(const struct admin_change *ch, const char *name)
{
    for (size_t i = 0; i < ch->n_fields; i++)
        if (strcmp(ch->fields[i].name, name) == 0)
            return ch->fields[i].value;
    return "";
}

static enum status change_fields(struct db_conn *c, enum curation_kind kind, const struct admin_change *ch,
                                 struct arena *a, struct error *err)
{
    const struct curation_names *names = &curation_names[kind];
    struct curation_row row;
    struct stored other;
    bool taken;
    char id[37];
    for (int i = 0; i < CURATION_COLUMNS; i++)
        row.values[i] = field(ch, names->columns[i]);
    enum status st = sticker_exists(c, kind, &row, err);
    if (st == OK)
        st = find_row(c, kind, &row, a, &taken, &other, err);
    if (st == OK && taken && (!ch->id || strcmp(other.id, ch->id) != 0))
        return err_set(err, ERR_INVALID, "There is a %s of \"%.100s\" already.", names->one, row.values[0]);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_ADD) {
        os_uuid7(id);
        st = write_row(c, sql[kind].insert, id, &row, NULL, err);
    } else {
        st = write_row(c, sql[kind].update, ch->id, &row, NULL, err);
    }
    return st == OK ? check_limits(c, kind, err) : st;
}

enum status sticker_change_curation(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    enum curation_kind kind = strcmp(ch->list, "pins") == 0 ? CURATION_PINS : CURATION_SYNONYMS;
    struct arena a;
    enum status st = OK;
    if (ch->op != CHANGE_ADD)
        st = sticker_check_seen(
            c, kind == CURATION_PINS ? STICKER_SEEN(c, "pins", "id") : STICKER_SEEN(c, "synonyms", "id"), ch, err);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_DELETE)
        return db_run(c, sql[kind].delete, DB_ARGS(DB_TEXT(ch->id)), NULL, err);
    arena_init(&a, 1u << 20);
    st = change_fields(c, kind, ch, &a, err);
    arena_free(&a);
    return st;
}

/* --- many rows, by their keys --- */

struct curation_job {
    const struct admin_who *who;
    enum curation_kind kind;
    const struct curation_row *rows;
    size_t n;
    bool replace;
    struct curation_counts counts;
    struct arena arena; /* emptied after each row */
};

/* {"query":"cat","language":"","sticker":"cat.png","position":"1"}, as forms have it. */
static void row_json(enum curation_kind kind, const struct curation_row *row, struct buf *out)
{
    buf_reset(out);
    for (int i = 0; i < CURATION_COLUMNS; i++) {
        buf_printf(out, "%s\"%s\":", i ? "," : "{", curation_names[kind].columns[i]);
        json_put_string(out, row->values[i]);
    }
    buf_putc(out, '}');
}

static enum status note_row(struct db_conn *c, const struct curation_job *job, enum change_op op,
                            const struct curation_row *before, const struct curation_row *after, struct error *err)
{
    struct buf was, is;
    buf_init(&was, 64u << 10);
    buf_init(&is, 64u << 10);
    if (before)
        row_json(job->kind, before, &was);
    if (after)
        row_json(job->kind, after, &is);
    struct admin_change ch = {.op = op,
                              .list = curation_names[job->kind].list,
                              .object = (after ? after : before)->values[0],
                              .before = buf_str(&was),
                              .after = buf_str(&is)};
    enum status st = buf_status(&was, err);
    if (st == OK)
        st = buf_status(&is, err);
    if (st == OK)
        st = sticker_note_change(c, job->who, &ch, err);
    buf_free(&was);
    buf_free(&is);
    return st;
}

static enum status put_row(struct db_conn *c, struct curation_job *job, const struct curation_row *row,
                           struct error *err)
{
    struct stored before;
    bool found = false;
    char id[37];
    arena_reset(&job->arena);
    enum status st = sticker_exists(c, job->kind, row, err);
    if (st == OK)
        st = find_row(c, job->kind, row, &job->arena, &found, &before, err);
    if (st != OK)
        return st;
    if (found && same_values(&before.row, row)) {
        job->counts.same++;
        return OK;
    }
    os_uuid7(id);
    st = write_row(c, found ? sql[job->kind].update : sql[job->kind].insert, found ? before.id : id, row, NULL, err);
    job->counts.added += !found;
    job->counts.changed += found;
    if (st == OK)
        st = note_row(c, job, found ? CHANGE_UPDATE : CHANGE_ADD, found ? &before.row : NULL, row, err);
    return st;
}

static enum status remove_row(struct db_conn *c, struct curation_job *job, const struct stored *row, struct error *err)
{
    enum status st = db_run(c, sql[job->kind].delete, DB_ARGS(DB_TEXT(row->id)), NULL, err);
    job->counts.deleted++;
    return st == OK ? note_row(c, job, CHANGE_DELETE, &row->row, NULL, err) : st;
}

static enum status read_rows(struct db_conn *c, const char *select, const struct db_arg *args, size_t n_args,
                             struct arena *a, struct stored **out, size_t *n, struct error *err)
{
    struct db_rows r;
    void *items = NULL;
    size_t cap = 0;
    db_query(&r, c, select, args, n_args, err);
    for (*n = 0; db_next(&r) && db_grow(&r, a, &items, *n, &cap, sizeof **out); ++*n)
        read_stored(&r, a, (struct stored *)items + *n);
    *out = items;
    return db_end(&r);
}

static enum status read_all(struct db_conn *c, enum curation_kind kind, struct arena *a, struct stored **out, size_t *n,
                            struct error *err)
{
    return read_rows(c, sql[kind].list, DB_NONE, a, out, n, err);
}

enum status sticker_unpin(struct db_conn *c, const char *filename, const struct admin_who *who, struct error *err)
{
    struct curation_job job = {.who = who, .kind = CURATION_PINS};
    struct arena a;
    struct stored *pins;
    size_t n = 0;
    arena_init(&a, 64u << 20);
    enum status st = read_rows(c, SELECT_PINS " WHERE k.filename = $1 ORDER BY t.query, t.language",
                               DB_ARGS(DB_TEXT(filename)), &a, &pins, &n, err);
    for (size_t i = 0; i < n && st == OK; i++)
        st = remove_row(c, &job, &pins[i], err);
    arena_free(&a);
    return st;
}

struct keyed {
    const struct curation_row *row;
    size_t keys;
};

static int by_key(const void *x, const void *y)
{
    const struct keyed *a = x, *b = y;
    for (size_t i = 0; i < a->keys; i++) {
        int order = strcmp(a->row->values[i], b->row->values[i]);
        if (order)
            return order;
    }
    return 0;
}

/* Deletes what is not among the rows of the job. */
static enum status remove_others(struct db_conn *c, struct curation_job *job, struct error *err)
{
    struct arena a;
    struct stored *all;
    size_t n = 0, keys = curation_names[job->kind].keys;
    arena_init(&a, 64u << 20);
    struct keyed *kept = arena_array(&a, job->n + 1, sizeof *kept);
    enum status st = kept ? read_all(c, job->kind, &a, &all, &n, err) : err_no_memory(err, "%zu rows", job->n);
    for (size_t i = 0; i < job->n && kept; i++)
        kept[i] = (struct keyed){&job->rows[i], keys};
    if (st == OK)
        qsort(kept, job->n, sizeof *kept, by_key);
    for (size_t i = 0; i < n && st == OK; i++)
        if (!bsearch(&(struct keyed){&all[i].row, keys}, kept, job->n, sizeof *kept, by_key))
            st = remove_row(c, job, &all[i], err);
    arena_free(&a);
    return st;
}

static enum status put_job(struct db_conn *c, void *arg, struct error *err)
{
    struct curation_job *job = arg;
    enum status st = sticker_history_begin(c, err);
    job->counts = (struct curation_counts){0};
    for (size_t i = 0; i < job->n && st == OK; i++)
        if ((st = put_row(c, job, &job->rows[i], err)) != OK)
            err_prefix(err, "%s[%zu]", curation_names[job->kind].list, i);
    if (st == OK && job->replace)
        st = remove_others(c, job, err);
    return st == OK ? check_limits(c, job->kind, err) : st;
}

enum status sticker_store_curation_put(struct sticker_store *s, const struct admin_who *who, enum curation_kind kind,
                                       const struct curation_row *rows, size_t n, bool replace,
                                       struct curation_counts *counts, struct error *err)
{
    struct curation_job job = {.who = who, .kind = kind, .rows = rows, .n = n, .replace = replace};
    arena_init(&job.arena, 1u << 20);
    enum status st = db_write(s->db, DB_DURABLE, put_job, &job, err);
    arena_free(&job.arena);
    *counts = job.counts;
    return st;
}

static enum status delete_job(struct db_conn *c, void *arg, struct error *err)
{
    struct curation_job *job = arg;
    struct stored row;
    bool found = false;
    job->counts = (struct curation_counts){0};
    arena_reset(&job->arena);
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = find_row(c, job->kind, job->rows, &job->arena, &found, &row, err);
    if (st == OK && !found)
        return err_set(err, ERR_NOT_FOUND, "There is no such %s.", curation_names[job->kind].one);
    return st == OK ? remove_row(c, job, &row, err) : st;
}

enum status sticker_store_curation_delete(struct sticker_store *s, const struct admin_who *who, enum curation_kind kind,
                                          const struct curation_row *row, struct error *err)
{
    struct curation_job job = {.who = who, .kind = kind, .rows = row, .n = 1};
    arena_init(&job.arena, 1u << 20);
    enum status st = db_write(s->db, DB_DURABLE, delete_job, &job, err);
    arena_free(&job.arena);
    return st;
}

enum status sticker_store_curation_list(struct sticker_store *s, enum curation_kind kind, struct arena *a,
                                        struct curation_row **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct stored *all = NULL;
    enum status st = read_all(c, kind, a, &all, n, err);
    db_reader_done(s->db, c);
    *out = arena_array(a, *n + 1, sizeof **out);
    if (st == OK && !*out)
        return err_no_memory(err, "%zu rows", *n);
    for (size_t i = 0; all && i < *n && st == OK; i++)
        (*out)[i] = all[i].row;
    return st;
}

enum status sticker_store_curation_version(struct sticker_store *s, enum curation_kind kind, int64_t *version,
                                           struct error *err)
{
    return db_read_int(s->db, "SELECT version FROM curation_versions WHERE kind = $1",
                       DB_ARGS(DB_TEXT(curation_names[kind].list)), version, NULL, err);
}
