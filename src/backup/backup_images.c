/* backup_images.c: which images a sticker database speaks of. It is only read, whatever its schema's version: a backup
 * comes before an upgrade. */
#include "backup/backup_internal.h"

#include "base/filename.h"
#include <stdio.h>
#include <string.h>

/* The trash came later. What is marked as emptied may have lost its image already. */
#define HAS_TRASH_SQLITE   "SELECT count(*) FROM sqlite_schema WHERE name = 'trash'"
#define HAS_TRASH_POSTGRES "SELECT (to_regclass('trash') IS NOT NULL)::int"
#define IMAGES             "SELECT filename, sha256 FROM stickers"
#define WITH_TRASH         IMAGES " UNION ALL SELECT filename, sha256 FROM trash WHERE emptied = 0"

static enum status read_images(struct db_conn *c, backup_each_image *each, void *ctx, int64_t *n, struct error *err)
{
    struct db_rows r;
    struct arena a;
    int64_t trash;
    enum status st = db_get_int(c, db_sql(c, HAS_TRASH_SQLITE, HAS_TRASH_POSTGRES), DB_NONE, &trash, NULL, err);
    if (st != OK)
        return st;
    st = db_get_int(c, trash ? "SELECT count(*) FROM (" WITH_TRASH ") i" : "SELECT count(*) FROM stickers", DB_NONE, n,
                    NULL, err);
    if (st != OK || !each)
        return st;
    arena_init(&a, 1u << 16);
    db_query(&r, c, trash ? WITH_TRASH : IMAGES, DB_NONE, err);
    while (st == OK && db_next(&r)) {
        arena_reset(&a);
        const char *filename = db_text(&r, 0, &a), *sha256 = db_text(&r, 1, &a);
        st = filename_check(filename, err); /* the database may have been anybody's */
        if (st == OK)
            st = each(ctx, filename, sha256, err);
    }
    enum status ended = db_end(&r);
    arena_free(&a);
    return st == OK ? ended : st;
}

enum status backup_images(const char *sticker_db, backup_each_image *each, void *ctx, int64_t *n, struct error *err)
{
    struct db *d;
    enum status st = db_open(sticker_db, 1, NULL, &d, err);
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(d);
    st = db_snapshot(c, err);
    if (st == OK) {
        st = read_images(c, each, ctx, n, err);
        db_snapshot_end(c);
    }
    db_reader_done(d, c);
    db_close(d);
    return st;
}
