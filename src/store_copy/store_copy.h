/* store_copy.h: a whole database into a new one: from SQLite to PostgreSQL, back, or between two of a kind.
 *
 * Tables are copied in the order of their keys, some rows to a transaction, so that a copy that was interrupted goes on
 * where it ended. Until it is whole the new database is marked as half-copied, and no service opens it. At the end both
 * are read from beginning to end, and every table must have the same rows and the same checksum. The room is the only
 * one that knows the tables of both stores; it sees base, db, fts and both stores, and only src/cmd sees it. */
#ifndef PEEL_STORE_COPY_STORE_COPY_H
#define PEEL_STORE_COPY_STORE_COPY_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_COPY_TABLES = 48 };
struct store_copied {
    const char *what; /* "sticker database" */
    struct {
        const char *name;
        int64_t rows;
        char sha256[65]; /* of all rows, each chained to those before it; the same in either kind of database */
    } tables[STORE_COPY_TABLES];
    size_t n;
};
/* False: stop, and leave the rest to the next time. */
typedef bool store_copy_progress(void *ctx, int64_t done, int64_t total);

/* `from` is only read, as it is at one moment; it must be of this program's version. `to` must be new (missing, or a
 * PostgreSQL database without tables), or an unfinished copy. ERR_UNSUPPORTED also names a table or column that would
 * be lost, because nobody told this program of it. ERR_CONFLICT when the checksums differ: `from` changed since the
 * copy was begun, and `to` must be begun again. ERR_CANCELLED when the progress function said so. */
enum status store_copy(const char *from, const char *to, store_copy_progress *progress, void *ctx,
                       struct store_copied *out, struct error *err) MUST_CHECK;

#endif
