/* admin_tables.h: the one table of what the admin pages look after. A new table is an entry in admin_tables.c, and a
 * list in sticker_store/sticker_admin_tables.c with the same names; its texts are in web/messages/admin.en.ini. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_TABLES_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_TABLES_H

#include "base/arena.h"
#include "web/messages.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_MAX_COLUMNS 24
#define ADMIN_MAX_FILTERS 10
#define ADMIN_MAX_FIELDS  12
#define ADMIN_SILENT      MESSAGE_COUNT /* where nothing is said */

/* KIND_TAGS: words between spaces; a list shows how many there are when they are many */
enum admin_kind { KIND_TEXT, KIND_NUMBER, KIND_TIME, KIND_YES, KIND_PICTURE, KIND_TAGS };
enum admin_column_flag {
    COLUMN_LISTED = 1, /* shown until somebody chooses others */
    COLUMN_SORTS = 2,
    COLUMN_VIEW = 4,  /* of lists alone: exports have all others */
    COLUMN_INLINE = 8 /* can be edited in the list */
};
struct admin_column {
    const char *name;
    enum message label;
    enum admin_kind kind;
    unsigned flags;
};

enum admin_filter_kind { FILTER_CHOICE, FILTER_VALUES, FILTER_DATE };
struct admin_choice {
    const char *value;
    enum message label; /* ADMIN_SILENT: the value itself */
};
struct admin_filter {
    const char *name;
    enum message label;
    enum admin_filter_kind kind;
    const struct admin_choice *choices; /* FILTER_CHOICE */
};

/* FIELD_CHECK: where it is set for many rows or new ones, a choice of yes, no and neither, as is FIELD_RATING */
enum admin_field_kind {
    FIELD_LINE,
    FIELD_NUMBER,
    FIELD_CHECK,
    FIELD_PASSWORD,
    FIELD_CHOICES,
    FIELD_WORDS,
    FIELD_RATING
};
enum admin_field_flag {
    FIELD_REQUIRED = 1,
    FIELD_ADD_ONLY = 2,       /* fixed afterwards */
    FIELD_SUPERUSER_ONLY = 4, /* others cannot set it */
    FIELD_MANY = 8,           /* can be set for many rows at once */
    FIELD_LATER = 16          /* pages and history of earlier releases lack it: then it stays as it is */
};
struct admin_field {
    const char *name;
    enum message label;
    enum admin_field_kind kind;
    unsigned flags;
    size_t max; /* bytes of a line */
    enum message help;
};

struct admin_table {
    const char *name;    /* in URLs and permissions: "stickers" */
    enum message title;  /* "Stickers" */
    enum message count;  /* "{n} stickers" */
    enum message add;    /* "Add a sticker" */
    unsigned rights;     /* what can be done with it at all: enum admin_right */
    const char *object;  /* the column by which a person knows a row */
    const char *sort;    /* at first, descending */
    const char *picture; /* the column with the filename of a row's image; NULL: its id */
    enum message search; /* what the search looks at, for its label */
    struct admin_column columns[ADMIN_MAX_COLUMNS + 1]; /* ended by a name NULL, as are the others */
    struct admin_filter filters[ADMIN_MAX_FILTERS + 1];
    struct admin_field fields[ADMIN_MAX_FIELDS + 1];
    const char *upload; /* the page where rows are added, NULL where a form does */
    bool reindexes;     /* rows can be sent to SearchService again */
    bool remote;        /* rows are SearchService's, not the database's: admin_documents.c */
};

extern const struct admin_table admin_tables[];
extern const size_t admin_table_count;
const struct admin_table *admin_table_find(const char *name); /* NULL if there is none */
/* "1 sticker", "4,072 stickers"; NULL without memory. */
const char *admin_count(const struct admin_table *table, int64_t n, struct arena *a);
const char *admin_number(int64_t n, struct arena *a); /* "4,072" */
/* Whether rows of the table have anything that can be set for many at once. */
bool admin_table_edits_many(const struct admin_table *table);

#endif
