/* db_inspect.c: what is in a database, for `peel doctor`, which must change nothing. */
#include "db/db.h"

#include <inttypes.h>

static enum status check_sqlite(struct db_conn *c, const struct db_schema *schema, const char *name, struct error *err)
{
    int64_t application;
    struct db_rows r;
    bool whole = false;
    enum status st = db_get_int(c, "PRAGMA application_id", DB_NONE, &application, NULL, err);
    if (st == OK && application != schema->application_id)
        return err_set(err, ERR_UNSUPPORTED, "%s is not a %s", name, schema->what);
    if (st != OK)
        return st;
    db_query(&r, c, "PRAGMA quick_check(1)", DB_NONE, err);
    while (db_next(&r))
        whole = db_text_is(&r, 0, "ok");
    st = db_end(&r);
    return st == OK && !whole ? err_set(err, ERR_CORRUPT, "%s is damaged: SQLite's quick_check fails", name) : st;
}

static enum status check_postgres(struct db_conn *c, const struct db_schema *schema, const char *name,
                                  struct error *err)
{
    int64_t known;
    enum status st = db_get_int(c, "SELECT count(*) FROM schema_migrations WHERE what = $1",
                                DB_ARGS(DB_TEXT(schema->what)), &known, NULL, err);
    return st == OK && !known ? err_set(err, ERR_UNSUPPORTED, "%s is not a %s", name, schema->what) : st;
}

enum status db_inspect(const char *url, const struct db_schema *schema, int64_t *version, struct error *err)
{
    struct db *d = NULL;
    enum status st = db_open(url, 1, NULL, &d, err);
    if (st != OK)
        return st;
    struct db_conn *c = db_reader(d);
    st = db_is_postgres(c) ? check_postgres(c, schema, db_name(d), err) : check_sqlite(c, schema, db_name(d), err);
    if (st == OK)
        st = db_get_int(c, "SELECT max(version) FROM schema_migrations", DB_NONE, version, NULL, err);
    db_reader_done(d, c);
    db_close(d);
    return st;
}
