/* csv.h: reading comma-separated values (RFC 4180; LF alone and a UTF-8 BOM are taken too).
 *
 *     csv_begin(&c, text, len, &arena);
 *     while ((st = csv_next(&c, &record, &err)) == OK) use(record.cells, record.n);
 *     // ERR_NOT_FOUND is the end */
#ifndef PEEL_CMD_CSV_H
#define PEEL_CMD_CSV_H

#include "base/arena.h"
#include "base/status.h"

#define CSV_MAX_CELLS 64

struct csv {
    const char *at, *end;
    size_t line;
    struct arena *arena;
};
struct csv_record {
    const char *cells[CSV_MAX_CELLS]; /* in the arena */
    size_t n;
    size_t line; /* that it begins on, from 1 */
};

void csv_begin(struct csv *c, const char *text, size_t len, struct arena *arena); /* text is borrowed */
/* ERR_NOT_FOUND at the end; ERR_INVALID names the line: a quote that never ends or ends amid a cell, NUL,
 * too many cells. */
enum status csv_next(struct csv *c, struct csv_record *out, struct error *err) MUST_CHECK;

#endif
