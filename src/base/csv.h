/* csv.h: CSV records (RFC 4180) from memory, one at a time, as spreadsheets write them: LF alone ends a line too, and
 * fields are separated by commas, semicolons, tabs or bars. */
#ifndef PEEL_BASE_CSV_H
#define PEEL_BASE_CSV_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include <stddef.h>

#define CSV_MAX_FIELDS 32u
#define CSV_MAX_FIELD  (64u << 10) /* bytes */

struct csv {
    const char *at, *end;
    size_t line;        /* of what is read next, from 1 */
    size_t record_line; /* where the last record began */
    struct arena *arena;
    char separator; /* the one that the first line has most of, or names as in "sep=;"; at first a comma */
};

/* text: as charset.h reads it; ERR_INVALID names the line. It is borrowed until the last record was read; fields live
 * in the arena. */
enum status csv_open(const char *text, size_t len, struct arena *a, struct csv *out, struct error *err) MUST_CHECK;
/* The next record in which there is something; *n is 0 at the end. ERR_INVALID ("line 7: ..."), ERR_TOO_LARGE; the next
 * call goes on in the line after the one where the record began. */
enum status csv_next(struct csv *c, const char *fields[CSV_MAX_FIELDS], size_t *n, struct error *err) MUST_CHECK;

/* Appends a cell; what a spreadsheet would run as a formula is made text by an apostrophe in front. */
void csv_put_cell(struct buf *out, const char *s);
/* The text that csv_put_cell was given, from a field of a record: it, or what follows its apostrophe. */
const char *csv_read_cell(const char *field);

#endif
