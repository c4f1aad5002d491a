/* sticker_packs.c: which packs stickers are in, and what is in a pack. */
#include "db/db_filter.h"
#include "sticker_store/sticker_internal.h"

/* The columns of a struct pack_row; the mildest rating comes first in its last one, and is cut off. */
#define PACK_ROW                                                                                                       \
    "SELECT pack, count(*), CAST(sum(animated) AS bigint), CAST(sum(positives) AS bigint),"                            \
    " CAST(sum(negatives) AS bigint), max(rating), min(CAST(rating AS text) || filename) FROM stickers"

static struct pack_row read_pack(struct db_rows *r, struct arena *a)
{
    const char *cover = db_text(r, 6, a);
    return (struct pack_row){.name = db_text(r, 0, a),
                             .stickers = db_int(r, 1),
                             .animated = db_int(r, 2),
                             .positives = db_int(r, 3),
                             .negatives = db_int(r, 4),
                             .rating_most = (enum rating)db_int(r, 5),
                             .cover = cover + (*cover != '\0')};
}

enum status sticker_store_packs(struct sticker_store *s, size_t limit, struct arena *a, struct pack_row **out,
                                size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *packs = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, PACK_ROW " GROUP BY pack ORDER BY count(*) DESC, pack LIMIT $1", DB_ARGS(DB_INT(db_limit(limit))),
             err);
    while (db_next(&r) && db_grow(&r, a, &packs, *n, &cap, sizeof(struct pack_row)))
        ((struct pack_row *)packs)[(*n)++] = read_pack(&r, a);
    *out = packs;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

#define MOST_FREQUENT(column)                                                                                          \
    "SELECT " column " FROM stickers WHERE pack = $1 AND " column " <> '' GROUP BY " column                            \
    " ORDER BY count(*) DESC, " column " LIMIT $2"

static enum status most_frequent(struct db_conn *c, const char *sql, const char *pack, struct arena *a,
                                 const char *list[PACK_CREDITS], size_t *n, struct error *err)
{
    struct db_rows r;
    db_query(&r, c, sql, DB_ARGS(DB_TEXT(pack), DB_INT(PACK_CREDITS)), err);
    while (db_next(&r))
        list[(*n)++] = db_text(&r, 0, a);
    return db_end(&r);
}

enum status sticker_store_pack(struct sticker_store *s, const char *pack, struct arena *a, struct pack_row *out,
                               struct pack_credits *credits, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = (struct pack_row){0};
    *credits = (struct pack_credits){0};
    db_query(&r, c, PACK_ROW " WHERE pack = $1 GROUP BY pack", DB_ARGS(DB_TEXT(pack)), err);
    while (db_next(&r))
        *out = read_pack(&r, a);
    enum status st = db_end(&r);
    if (st == OK && !out->stickers)
        st = err_set(err, ERR_NOT_FOUND, "there is no pack \"%.100s\"", pack);
    if (st == OK)
        st = most_frequent(c, MOST_FREQUENT("author"), pack, a, credits->authors, &credits->n_authors, err);
    if (st == OK)
        st = most_frequent(c, MOST_FREQUENT("license"), pack, a, credits->licenses, &credits->n_licenses, err);
    db_reader_done(s->db, c);
    return st;
}

/* By the index of packs. */
#define PAGE(row)                                                                                                      \
    "SELECT d." row ", d.filename FROM stickers d WHERE d.pack = $3 AND d." row                                        \
    " > $1 AND " DB_PASSES("$2", "$3", "$4") " ORDER BY d." row " LIMIT $5"

enum status sticker_store_pack_page(struct sticker_store *s, const struct sticker_filter *f, int64_t *after,
                                    size_t limit, struct arena *a, const char ***filenames, size_t *n,
                                    struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    int64_t row = 0, last = 0;
    const char **names = *filenames = arena_array(a, limit + 1, sizeof *names);
    size_t found = 0;
    *n = 0;
    if (names)
        db_query(&r, c, db_sql(c, PAGE("row"), PAGE("rowno")),
                 DB_ARGS(DB_INT(*after), DB_FILTER(f), DB_INT(db_limit(limit + 1))), err);
    while (names && db_next(&r)) {
        last = row;
        row = db_int(&r, 0);
        names[found++] = db_text(&r, 1, a);
    }
    enum status st = names ? db_end(&r) : err_no_memory(err, "%zu stickers", limit);
    *n = found < limit ? found : limit;
    *after = found > limit ? last : 0;
    db_reader_done(s->db, c);
    return st;
}
