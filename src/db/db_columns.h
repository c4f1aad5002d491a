/* db_columns.h: a table's columns, declared once, and the parts of statements that are made of the declaration.
 *
 *     #define NOTE_COLUMNS(X)               \
 *         X(5, title, TEXT, const char *)   \
 *         X(6, stars, INT, int32_t)
 *
 * A line says which parameter of a statement has the value ($5; any number that is free), the name of the column and of
 * the struct's member, how db.h has it (DB_TEXT, DB_INT), and the member's type. Columns that statements treat in a way
 * of their own, as keys and times, are left out. So a new column is a line here, a member, and a migration. */
#ifndef PEEL_DB_DB_COLUMNS_H
#define PEEL_DB_DB_COLUMNS_H

#include "db/db.h"

#define DB_COLUMN_NAME(place, column, kind, type)  ", " #column
#define DB_COLUMN_VALUE(place, column, kind, type) ", $" #place
#define DB_COLUMN_SET(place, column, kind, type)   #column " = $" #place ", "
#define DB_COLUMN_ONE(place, column, kind, type)   +1 /* to count them */

/* In the braces of an array of struct db_arg; `row` points to the struct. A text that is NULL is written as "". */
#define DB_COLUMN_ARG(place, column, kind, type) [place - 1] = DB_WRITE_##kind(row->column),
#define DB_WRITE_TEXT(text)                      DB_TEXT((text) ? (text) : "")
#define DB_WRITE_INT(number)                     DB_INT(number)
/* Reads them from the column `at` of the rows `r` on, in their order; texts go into the arena `a`. */
#define DB_COLUMN_READ(place, column, kind, type) row->column = (type)DB_READ_##kind(r, at++, a);
#define DB_READ_TEXT(r, at, a)                    db_text(r, at, a)
#define DB_READ_INT(r, at, a)                     db_int(r, at)

#endif
