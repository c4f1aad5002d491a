/* sticker_draw.c: stickers that were not searched for, drawn at random. Each draw looks for the next sticker from a
 * random row number on, so that it costs the same however many there are; behind a gap in the numbers, and where the
 * filter lets little through, some stickers are drawn more often than others. */
#include "db/db_filter.h"
#include "sticker_store/sticker_internal.h"

#define WINDOW 500 /* rows from where a draw begins that are looked at for one that passes */
#define TRIES  4   /* draws for each sticker that is wanted: the same one may come again, or none */

/* SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

#define FIRST(row) "SELECT min(" row ") FROM stickers WHERE $1 = '' OR pack = $1"
#define LAST(row)  "SELECT max(" row ") FROM stickers WHERE $1 = '' OR pack = $1"
/* Of one pack by its index, else from row to row. */
#define DRAW(row, which)                                                                                               \
    "SELECT d." row ", d.filename FROM stickers d WHERE d." row " >= $1 AND " which                                    \
    " AND " DB_PASSES("$3", "$4", "$5") " ORDER BY d." row " LIMIT 1"
#define IN_PACK        "d.pack = $4 AND $2 >= 0"
#define IN_WINDOW(row) "d." row " < $2"

enum status sticker_store_draw(struct sticker_store *s, const struct sticker_filter *f, uint64_t seed, size_t skip,
                               size_t limit, struct arena *a, const char ***filenames, size_t *n, struct error *err)
{
    const char *pack = f->pack ? f->pack : "";
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    int64_t first = 0, last = -1;
    bool found;
    size_t drawn = 0, wanted = skip + limit;
    int64_t *rows = arena_array(a, wanted + 1, sizeof *rows);
    *n = 0;
    *filenames = arena_array(a, limit + 1, sizeof **filenames);
    enum status st = rows && *filenames ? OK : err_no_memory(err, "%zu stickers", wanted);
    if (st == OK)
        st = db_get_int(c, db_sql(c, FIRST("row"), FIRST("rowno")), DB_ARGS(DB_TEXT(pack)), &first, &found, err);
    if (st == OK)
        st = db_get_int(c, db_sql(c, LAST("row"), LAST("rowno")), DB_ARGS(DB_TEXT(pack)), &last, &found, err);
    const char *sql = *pack ? db_sql(c, DRAW("row", IN_PACK), DRAW("rowno", IN_PACK))
                            : db_sql(c, DRAW("row", IN_WINDOW("row")), DRAW("rowno", IN_WINDOW("rowno")));
    for (size_t i = 0; i < TRIES * wanted && drawn < wanted && last >= first && st == OK; i++) {
        int64_t from = first + (int64_t)(next_random(&seed) % (uint64_t)(last - first + 1)), row = 0;
        const char *filename = NULL;
        db_query(&r, c, sql, DB_ARGS(DB_INT(from), DB_INT(from + WINDOW), DB_FILTER(f)), err);
        while (db_next(&r)) {
            row = db_int(&r, 0);
            filename = db_text(&r, 1, a);
        }
        st = db_end(&r);
        size_t at = 0;
        while (at < drawn && rows[at] != row)
            at++;
        if (!filename || at < drawn)
            continue;
        if (drawn >= skip)
            (*filenames)[(*n)++] = filename;
        rows[drawn++] = row;
    }
    db_reader_done(s->db, c);
    return st;
}
