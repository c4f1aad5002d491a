/* import_table.h: what a stickers.csv or stickers.json says of the pictures of its folder and of the folders below, a
 * row for each picture and language. */
#ifndef PEEL_IMPORT_IMPORT_TABLE_H
#define PEEL_IMPORT_IMPORT_TABLE_H

#include "import/import.h"

enum table_column {
    TABLE_FILENAME,
    TABLE_TITLE,
    TABLE_WORDS,
    TABLE_LANGUAGE,
    TABLE_AUTHOR,
    TABLE_LICENSE,
    TABLE_SOURCE,
    TABLE_RATING,
    TABLE_ANIMATED,
    TABLE_PACK,
    TABLE_EMOJI,
    TABLE_COLUMNS
};

struct table_row {
    const char *cells[TABLE_COLUMNS]; /* "" where there is nothing; the filename as NFC, with slashes between folders */
    struct sticker_words words;
    size_t place; /* its line, or its entry in the JSON array, from 1 */
    bool bad;     /* it was a failure: its picture waits until it is right */
    bool used;
};
#define IMPORT_ABOUT "pack.json"
struct import_table {
    const char *name; /* "stickers.csv"; "" when the folder has none */
    bool foreign;     /* made of lists of other programs (import_lists.c), */
    bool complete;    /* that name all stickers: other pictures, also below, are parts of programs; */
    bool png_is_icon; /* and its PNG files are icons; */
    bool about;       /* made by `peel pack export`: IMPORT_ABOUT says more of its pack */
    const char *pack, *author, *license; /* what lists say of all pictures of the folder; "" */
    const char *cover;                   /* ... and the one that stands for the pack; "" */
    struct table_row *items;             /* by filename, then place */
    size_t n, cap;
};

bool import_table_is(const char *filename);
/* Reads the folder's. Rows that cannot be taken become failures of the list, and the others are there; ERR_INVALID,
 * ERR_TOO_LARGE: the whole table cannot be read. */
enum status import_table_read(const char *folder, struct import_list *list, struct import_table *out,
                              struct error *err) MUST_CHECK;
/* Adds a row to the folder's table, unless it is no good, which is a failure then. values[TABLE_COLUMNS]: NULL where
 * there is nothing. Sort afterwards. ERR_NO_MEMORY. */
enum status import_table_add(struct import_table *t, struct import_list *list, const char *folder,
                             const char *const *values, size_t place, struct error *err) MUST_CHECK;
void import_table_free(struct import_table *t);
/* The rows of a picture: *n of them from the result on; NULL: none. */
struct table_row *import_table_rows(const struct import_table *t, const char *filename, size_t *n);
/* "line 7" or "entry 7". */
const char *import_table_place(const struct import_table *t, const struct table_row *r, struct arena *a);
/* Capital or small, as spreadsheets like it; "" is g. */
bool import_table_rating(const char *cell, enum rating *out);

#endif
