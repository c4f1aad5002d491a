/* sqlite.h: between SQLite's files; private to src/db and src/fts. db.h says what others need. */
#ifndef PEEL_DB_SQLITE_H
#define PEEL_DB_SQLITE_H

#include "db/db_driver.h"

#define SQLITE_POINTER_TYPE "peel" /* of DB_POINTER, for sqlite3_value_pointer */

/* The connection keeps `path`, which must outlive it. `schema` may be NULL. */
enum status sqlite_conn_open(const char *path, bool writer, const struct db_schema *schema, struct db_conn **out,
                             struct error *err) MUST_CHECK;
/* One of which nothing is set, for whole files. The file must be there. */
enum status sqlite_conn_open_plain(const char *path, struct db_conn **out, struct error *err) MUST_CHECK;
void sqlite_conn_close(struct db_conn *c); /* NULL is fine */
bool sqlite_in_transaction(struct db_conn *c);
struct sqlite3 *sqlite_handle(struct db_conn *c);
/* What SQLite's result code means; its message is the connection's last. */
enum status sqlite_error(struct db_conn *c, int rc, struct error *err);
enum status sqlite_migrate(struct db_conn *c, const struct db_schema *schema, struct error *err) MUST_CHECK;

struct sqlite_writer;
/* Takes c over, unless it fails. */
enum status sqlite_writer_open(struct db_conn *c, struct sqlite_writer **out, struct error *err) MUST_CHECK;
void sqlite_writer_close(struct sqlite_writer *w); /* NULL is fine */
/* `waited`: notes how long the job waited for its turn. */
enum status sqlite_writer_do(struct sqlite_writer *w, enum db_durability durability, db_job *job, void *arg,
                             struct metric_times *waited, struct error *err) MUST_CHECK;

#endif
