/* sticker_lists.h: how the admin's lists are described, in SQL; private to src/sticker_store. `t` is the list's own
 * table; its rows' numbers, t.rowno, break ties. In the SQL some characters stand for something else: $  a filter's
 * value, what was typed into the search, or an id ?  the words of the search, as FTS5 or to_tsquery wants them #  the
 * column of the row numbers, of a table that is not `t` &  the aggregate that joins texts */
#ifndef PEEL_STICKER_STORE_STICKER_LISTS_H
#define PEEL_STICKER_STORE_STICKER_LISTS_H

#include <stdbool.h>
#include <stdint.h>

struct list_column {
    const char *name, *sql;
    enum { PLAIN, TEXT_SORTS, NUMBER_SORTS } sorts; /* by this column of the table, which has an index */
};
struct list_filter {
    const char *name;
    const char *value;  /* that this is for, or NULL for any */
    bool number;        /* the value is a whole number */
    const char *set;    /* selects the row numbers that match; NULL: they cannot be found without looking at all */
    const char *test;   /* whether the row `t` matches */
    const char *values; /* selects the values there are, or NULL */
};
/* How the rows of each value of a filter are counted. */
struct list_facet_rule {
    const char *filter;
    const char *value; /* of a row `t`, */
    const char *joins; /* with what this adds to it, "" for none */
    int64_t most;      /* rows that may be counted; 0: LIST_MATCHES */
    const char *whole; /* counts the values of the whole table in a shorter way; NULL: there is none */
};
struct list_table {
    const char *name;
    const char *table;           /* the same, as SQL has it */
    const char *id;              /* what a row is known by */
    const char *joins;           /* for its columns, "" for none */
    const char *search;          /* selects the row numbers that match */
    const char *search_postgres; /* NULL: the same */
    const struct list_column *columns;
    const struct list_filter *filters;    /* ended by a name NULL, as columns are, */
    const struct list_facet_rule *facets; /* and these; NULL: none */
    struct {
        const char *what, *count; /* what goes with a row that is deleted, by its id $ */
    } goes[4];
};

#endif
