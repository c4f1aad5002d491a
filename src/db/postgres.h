/* postgres.h: what only PostgreSQL has: values that are arrays; private to src/db, src/fts and the stores. */
#ifndef PEEL_DB_POSTGRES_H
#define PEEL_DB_POSTGRES_H

#include "db/db.h"

/* An array of bigint or bytea, item by item:
 *     pg_array(&it, &r, column);
 *     while (pg_item(&it, &data, &len)) // data NULL: SQL's; a bigint has 8 bytes, see pg_read_int */
struct pg_items {
    const unsigned char *at, *end;
    size_t left;
};
void pg_array(struct pg_items *it, struct db_rows *r, int column); /* no items when it is NULL */
bool pg_item(struct pg_items *it, const unsigned char **data, size_t *len);
int64_t pg_read_int(const unsigned char bytes[8]);

#endif
