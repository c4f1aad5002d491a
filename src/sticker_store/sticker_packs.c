/* sticker_packs.c: which packs stickers are in, what is said of a pack, and the order of its stickers.
 *
 * A pack is what stickers have in their column `pack`; table packs only adds to that, and has no row for most.
 *
 * Order: stickers.place is STICKER_PLACE_FIRST and up, below 0, for stickers that were put in order, and 0 for all
 * others, which come after them as they were added. So a new sticker is the last one of its pack, and nothing needs to
 * be counted. */
#include "db/db_filter.h"
#include "sticker_store/sticker_internal.h"

#include "base/os.h"

#include <string.h>

#define ORDER_PAGE 1000u
/* A cursor is a place and a row in one number: the row has the lower 40 bits. */
#define ROW_BITS 40
#define ROW_MASK ((INT64_C(1) << ROW_BITS) - 1)

const char *pack_title(const struct pack_about *about)
{
    return *about->title ? about->title : about->name;
}

const char *pack_author(const struct pack_row *pack, const struct pack_credits *credits)
{
    return *pack->about.author ? pack->about.author : credits->n_authors ? credits->authors[0] : "";
}

/* The columns of a struct pack_row; the mildest rating comes first in `cover`, and is cut off. `where`: which stickers.
 */
#define PACK_ROWS(where)                                                                                               \
    "SELECT g.pack, g.stickers, g.animated, g.positives, g.negatives, g.rating_most, g.cover, coalesce(p.title, ''),"  \
    " coalesce(p.author, ''), coalesce(p.license, ''), coalesce(p.source, ''), coalesce(k.filename, ''),"              \
    " coalesce(p.modified_us, 0) FROM (SELECT pack, count(*) AS stickers, CAST(sum(animated) AS bigint) AS animated,"  \
    " CAST(sum(positives) AS bigint) AS positives, CAST(sum(negatives) AS bigint) AS negatives,"                       \
    " max(rating) AS rating_most, min(CAST(rating AS text) || filename) AS cover FROM stickers" where                  \
    " GROUP BY pack) g LEFT JOIN packs p ON p.name = g.pack"                                                           \
    " LEFT JOIN stickers k ON k.filename = p.cover AND k.pack = g.pack"

static struct pack_row read_pack(struct db_rows *r, struct arena *a)
{
    const char *cover = db_text(r, 6, a), *chosen = db_text(r, 11, a);
    return (struct pack_row){.about = {.name = db_text(r, 0, a),
                                       .title = db_text(r, 7, a),
                                       .author = db_text(r, 8, a),
                                       .license = db_text(r, 9, a),
                                       .source = db_text(r, 10, a),
                                       .cover = chosen},
                             .modified_us = db_int(r, 12),
                             .stickers = db_int(r, 1),
                             .animated = db_int(r, 2),
                             .positives = db_int(r, 3),
                             .negatives = db_int(r, 4),
                             .rating_most = (enum rating)db_int(r, 5),
                             .cover = *chosen ? chosen : cover + (*cover != '\0')};
}

enum status sticker_store_packs(struct sticker_store *s, size_t limit, struct arena *a, struct pack_row **out,
                                size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *packs = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, PACK_ROWS("") " ORDER BY g.stickers DESC, g.pack LIMIT $1", DB_ARGS(DB_INT(db_limit(limit))), err);
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
    db_query(&r, c, PACK_ROWS(" WHERE pack = $1"), DB_ARGS(DB_TEXT(pack)), err);
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

/* --- order --- */

/* By the index of places. */
#define PAGE(row)                                                                                                      \
    "SELECT d.place, d." row ", d.filename FROM stickers d WHERE d.pack = $4 AND (d.place, d." row                     \
    ") > ($1, $2) AND " DB_PASSES("$3", "$4", "$5") " ORDER BY d.place, d." row " LIMIT $6"

enum status sticker_store_pack_page(struct sticker_store *s, const struct sticker_filter *f, int64_t *after,
                                    size_t limit, struct arena *a, const char ***filenames, size_t *n,
                                    struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    int64_t at = 0, last = 0, place = (*after >> ROW_BITS) + STICKER_PLACE_FIRST, row = *after & ROW_MASK;
    const char **names = *filenames = arena_array(a, limit + 1, sizeof *names);
    size_t found = 0;
    *n = 0;
    if (names)
        db_query(&r, c, db_sql(c, PAGE("row"), PAGE("rowno")),
                 DB_ARGS(DB_INT(place), DB_INT(row), DB_FILTER(f), DB_INT(db_limit(limit + 1))), err);
    while (names && db_next(&r)) {
        last = at;
        at = (db_int(&r, 0) - STICKER_PLACE_FIRST) << ROW_BITS | db_int(&r, 1);
        names[found++] = db_text(&r, 2, a);
    }
    enum status st = names ? db_end(&r) : err_no_memory(err, "%zu stickers", limit);
    *n = found < limit ? found : limit;
    *after = found > limit ? last : 0;
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_pack_order(struct sticker_store *s, const char *pack, struct arena *a, const char ***stickers,
                                     size_t *n, struct error *err)
{
    struct sticker_filter filter = STICKER_FILTER_NONE;
    const char **all = NULL, **page;
    int64_t after = 0;
    size_t found, cap = 0;
    enum status st;
    filter.pack = pack;
    *n = 0;
    do {
        st = sticker_store_pack_page(s, &filter, &after, ORDER_PAGE, a, &page, &found, err);
        if (st == OK && *n + found > cap) {
            const char **grown = arena_array(a, cap = 2 * (*n + found), sizeof *grown);
            if (!grown)
                return err_no_memory(err, "the names of the stickers");
            if (all)
                memcpy(grown, all, *n * sizeof *all);
            all = grown;
        }
        for (size_t i = 0; st == OK && i < found; i++)
            all[(*n)++] = page[i];
    } while (st == OK && after);
    *stickers = all;
    return st;
}

/* --- changes --- */

static enum status about_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct pack_about *const *list = arg;
    enum status st = OK;
    for (const struct pack_about *p = list[0]; p < list[1] && st == OK; p++)
        st = db_run(c,
                    "INSERT INTO packs (name, title, author, license, source, cover, created_us, modified_us)"
                    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (name) DO NOTHING",
                    DB_ARGS(DB_TEXT(p->name), DB_TEXT(p->title), DB_TEXT(p->author), DB_TEXT(p->license),
                            DB_TEXT(p->source), DB_TEXT(p->cover), DB_INT(os_now_us())),
                    NULL, err);
    return st;
}

enum status sticker_store_packs_about(struct sticker_store *s, const struct pack_about *packs, size_t n,
                                      struct error *err)
{
    if (!n)
        return OK;
    const struct pack_about *list[] = {packs, packs + n};
    return db_write(s->db, DB_DURABLE, about_job, list, err);
}

static const char *field_of(const struct admin_change *ch, const char *name)
{
    for (size_t i = 0; i < ch->n_fields; i++)
        if (strcmp(ch->fields[i].name, name) == 0)
            return ch->fields[i].value;
    return "";
}

/* A pack takes what is said of it to its new name, unless something is said of that already. */
static enum status rename_pack(struct db_conn *c, const char *from, const char *to, struct error *err)
{
    enum status st = db_run(c,
                            "UPDATE packs SET name = $2, modified_us = $3 WHERE name = $1"
                            " AND NOT EXISTS (SELECT 1 FROM packs WHERE name = $2)",
                            DB_ARGS(DB_TEXT(from), DB_TEXT(to), DB_INT(os_now_us())), NULL, err);
    return st == OK ? db_run(c, "DELETE FROM packs WHERE name = $1", DB_ARGS(DB_TEXT(from)), NULL, err) : st;
}

static enum status check_seen(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    int64_t modified;
    bool found;
    enum status st = db_get_int(c, STICKER_SEEN(c, "packs", "name"), DB_ARGS(DB_TEXT(ch->id)), &modified, &found, err);
    return st == OK && found && ch->seen_us && modified != ch->seen_us
               ? err_set(err, ERR_CONFLICT, "Someone else has changed it in the meantime.")
               : st;
}

static enum status put_order(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    int64_t place = STICKER_PLACE_FIRST;
    enum status st = OK;
    for (size_t i = 0; i < ch->n_fields && st == OK; i++) {
        if (strcmp(ch->fields[i].name, "sticker") != 0)
            continue;
        if (place == 0)
            return err_set(err, ERR_TOO_LARGE, "The pack has too many stickers to be put in order.");
        st = db_run(c, "UPDATE stickers SET place = $3 WHERE filename = $1 AND pack = $2 AND place <> $3",
                    DB_ARGS(DB_TEXT(ch->fields[i].value), DB_TEXT(ch->id), DB_INT(place++)), NULL, err);
    }
    return st;
}

enum status sticker_change_pack(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    enum status st = sticker_alone(c, err);
    if (st == OK && *field_of(ch, "name"))
        return rename_pack(c, ch->id, field_of(ch, "name"), err);
    if (st == OK)
        st = check_seen(c, ch, err);
    if (st == OK)
        st = db_run(
            c,
            "INSERT INTO packs (name, title, author, license, source, cover, created_us, modified_us)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (name) DO UPDATE SET title = excluded.title,"
            " author = excluded.author, license = excluded.license, source = excluded.source, cover = excluded.cover,"
            " modified_us = excluded.modified_us",
            DB_ARGS(DB_TEXT(ch->id), DB_TEXT(field_of(ch, "title")), DB_TEXT(field_of(ch, "author")),
                    DB_TEXT(field_of(ch, "license")), DB_TEXT(field_of(ch, "source")), DB_TEXT(field_of(ch, "cover")),
                    DB_INT(os_now_us())),
            NULL, err);
    return st == OK ? put_order(c, ch, err) : st;
}

enum status sticker_pack_forget(struct db_conn *c, const char *filename, struct error *err)
{
    return db_run(c,
                  "DELETE FROM packs WHERE name = (SELECT pack FROM trash WHERE filename = $1)"
                  " AND NOT EXISTS (SELECT 1 FROM stickers WHERE pack = packs.name)"
                  " AND NOT EXISTS (SELECT 1 FROM trash WHERE pack = packs.name AND filename <> $1)",
                  DB_ARGS(DB_TEXT(filename)), NULL, err);
}
