/* sqlite_schema.c: numbered migrations, applied at open.
 *
 * Table schema_migrations says which were applied and when; its greatest version is the database's.
 * All that are missing run in one transaction that holds the write lock, and the version is read again
 * once the lock is ours: of two processes that start at once, one migrates and the other finds it done. */
#include "db/sqlite.h"

#include "base/os.h"
#include <inttypes.h>
#include <stdio.h>

static enum status schema_read_version(struct db_conn *c, const struct db_schema *schema, int64_t *version,
                                       struct error *err)
{
    int64_t tables, application;
    enum status st;
    if ((st = db_get_int(c, "SELECT count(*) FROM sqlite_schema", DB_NONE, &tables, NULL, err)) != OK ||
        (st = db_get_int(c, "PRAGMA application_id", DB_NONE, &application, NULL, err)) != OK)
        return st;
    *version = 0;
    if (tables == 0)
        return OK;
    if (application != schema->application_id)
        return err_set(err, ERR_UNSUPPORTED,
                       "database %s is not a %s: its application id is 0x%08" PRIx64 ", expected 0x%08" PRIx32, c->name,
                       schema->what, (uint64_t)application, (uint32_t)schema->application_id);
    if ((st = db_get_int(c, "SELECT max(version) FROM schema_migrations", DB_NONE, version, NULL, err)) != OK)
        return st;
    if (*version > schema->count)
        return err_set(err, ERR_UNSUPPORTED,
                       "database %s has schema version %" PRId64 ", this program knows up to %" PRId64
                       ": use a newer peel",
                       c->name, *version, schema->count);
    if (*version < 1)
        return err_set(err, ERR_CORRUPT, "database %s is damaged: schema version %" PRId64, c->name, *version);
    return OK;
}

static enum status schema_apply(struct db_conn *c, const struct db_schema *schema, struct error *err)
{
    int64_t version;
    enum status st = schema_read_version(c, schema, &version, err);
    if (st != OK)
        return st;
    if (version == 0) {
        char mark[64];
        snprintf(mark, sizeof mark, "PRAGMA application_id = %" PRId32, schema->application_id);
        if ((st = db_script(c, mark, err)) != OK ||
            (st = db_script(c,
                            "CREATE TABLE schema_migrations (version INTEGER PRIMARY KEY,"
                            " applied_us INTEGER NOT NULL) STRICT",
                            err)) != OK)
            return st;
    }
    for (; version < schema->count; version++) {
        if ((st = db_script(c, schema->migrations[version], err)) != OK ||
            (st = db_run(c, "INSERT INTO schema_migrations (version, applied_us) VALUES (?1, ?2)",
                         DB_ARGS(DB_INT(version + 1), DB_INT(os_now_us())), NULL, err)) != OK) {
            err_prefix(err, "migration %" PRId64 " of %s", version + 1, schema->what);
            return st;
        }
    }
    return OK;
}

enum status sqlite_migrate(struct db_conn *c, const struct db_schema *schema, struct error *err)
{
    int64_t version;
    enum status st = schema_read_version(c, schema, &version, err);
    if (st != OK || version == schema->count)
        return st;
    /* FULL: what the program relies on afterwards must not vanish in a power loss. */
    if ((st = db_script(c, "PRAGMA synchronous = FULL; BEGIN EXCLUSIVE", err)) != OK)
        return st;
    st = schema_apply(c, schema, err);
    if (st == OK)
        st = db_script(c, "COMMIT", err);
    if (sqlite_in_transaction(c))
        (void)!db_script(c, "ROLLBACK", NULL);
    (void)!db_script(c, "PRAGMA synchronous = NORMAL", NULL);
    return st;
}
