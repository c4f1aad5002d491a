/* sticker_admin.h: what the admin pages ask of the sticker store, beside sticker_store.h, whose rules hold
 * here too: lists of everything, changes with their history, who is logged in, how often somebody tried to. */
#ifndef PEEL_STICKER_STORE_STICKER_ADMIN_H
#define PEEL_STICKER_STORE_STICKER_ADMIN_H

#include "sticker_store/sticker_store.h"

/* --- sessions --- (a session is known by the SHA-256 of its token, which only the browser has) */
struct session {
    struct user user;
    const char *permissions; /* of the user's groups: "stickers.view stickers.change", "" without any */
    int64_t created_us, seen_us;
};
enum status sticker_store_session_add(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                      const char *address, const char *browser, struct error *err) MUST_CHECK;
/* NOT_FOUND when there is none, when it began most_us ago or was last used idle_us ago, or its user is not active.
 * That it is used is noted once a minute. */
enum status sticker_store_session_get(struct sticker_store *s, const char *hash_hex, int64_t idle_us, int64_t most_us,
                                      struct arena *a, struct session *out, struct error *err) MUST_CHECK;
/* Of a user, those that have not run out, the last used first. */
struct session_row {
    const char *hash_hex, *address, *browser;
    int64_t created_us, seen_us;
};
enum status sticker_store_session_list(struct sticker_store *s, const char *user_id, int64_t idle_us, int64_t most_us,
                                       struct arena *a, struct session_row **out, size_t *n,
                                       struct error *err) MUST_CHECK;
/* Ends one of the user's sessions, or all but this one. *ended: how many. DURABLE. */
enum status sticker_store_session_end_own(struct sticker_store *s, const char *user_id, const char *hash_hex,
                                          bool others, int64_t *ended, struct error *err) MUST_CHECK;
/* Ended sessions stay ended: DURABLE. One that does not exist is OK. */
enum status sticker_store_session_end(struct sticker_store *s, const char *hash_hex, struct error *err) MUST_CHECK;

/* --- throttling of logins --- kept in the database, so that it holds for all StickerServices together and over
 * their restarts. */
struct login_rule {
    const char *key;    /* "account admin", "address 192.0.2.1" */
    int64_t free;       /* attempts before there is any delay, which then doubles with each, from 1 s */
    int64_t longest_us; /* the longest delay */
};
#define LOGIN_FORGOTTEN_US (3600 * 1000000ll) /* since the last attempt */
/* Counts an attempt for each rule, as a failure until login_succeeded says otherwise, and sets *wait_us to 0; or,
 * within a rule's delay after its last attempt, counts nothing and says how long it still lasts. */
enum status sticker_store_login_try(struct sticker_store *s, const struct login_rule *rules, size_t n, int64_t *wait_us,
                                    struct error *err) MUST_CHECK;
/* Forgets the failures of the first rule, and one of each of the others. */
enum status sticker_store_login_succeeded(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err) MUST_CHECK;
/* Takes the attempt back: it could not be checked, and is no failure. */
enum status sticker_store_login_unchecked(struct sticker_store *s, const struct login_rule *rules, size_t n,
                                          struct error *err) MUST_CHECK;

/* --- lists --- the names of lists, columns and filters are those in sticker_admin_tables.c.
 *
 * A page costs about the same at a hundred rows and at a million. When a search or a filter matches at most
 * LIST_MATCHES rows, these are collected and sorted. Otherwise rows are met often enough on a walk along the sort's
 * index, which looks at no more than LIST_WALK rows: a page may then have fewer rows than asked for and still a
 * next one. Of a search that matches more than LIST_MATCHES rows only so many are looked at. */
#define LIST_MATCHES 5000
#define LIST_WALK    2000

struct admin_pair { /* a filter and its value, or a field and its new value */
    const char *name, *value;
};
struct list_ask {
    const char *list;
    const char *const *columns;
    size_t n_columns;
    const char *sort; /* a column that sorts */
    bool descending;
    const char *search;       /* as typed, "" for none */
    const char *const *words; /* [n_words] of the search, folded */
    size_t n_words;
    const struct admin_pair *filters;
    size_t n_filters;
    const char *cursor; /* of an earlier page with the same sort, "" for the first */
    bool backwards;     /* the page before the cursor */
    size_t limit;
    bool thorough;          /* looks at as many rows as it takes */
    const int64_t *numbers; /* [n_numbers] NULL: a page of those that match; else just these rows, if they are there */
    size_t n_numbers;       /* 1000 at most */
};
struct list_row {
    const char *id;
    const char *const *cells; /* [n_columns]; numbers in decimal */
};
struct list_page {
    struct list_row *rows;
    size_t n;
    const char *next, *previous; /* cursors; "" where there is nothing more */
    bool unfinished;             /* next is for looking further, at rows that may match */
    bool cut;                    /* the search matches more than LIST_MATCHES rows */
    int64_t total;               /* -1: unknown */
    bool about;                  /* total is an estimate */
};
/* ERR_INVALID: a cursor or a filter's value that is none. */
enum status sticker_store_list_page(struct sticker_store *s, const struct list_ask *ask, struct arena *a,
                                    struct list_page *out, struct error *err) MUST_CHECK;
/* The numbers of all rows that match, in order, whatever ask's cursor and limit: an export asks once which rows match,
 * and then for pages of these. The caller frees them. */
enum status sticker_store_list_numbers(struct sticker_store *s, const struct list_ask *ask, int64_t **numbers,
                                       size_t *n, struct error *err) MUST_CHECK;
/* The cells of one row. NOT_FOUND. */
enum status sticker_store_list_row(struct sticker_store *s, const char *list, const char *id,
                                   const char *const *columns, size_t n, struct arena *a, const char ***cells,
                                   struct error *err) MUST_CHECK;
/* Values that a filter may have, in order, at most 200; none where it has no such list. */
enum status sticker_store_list_values(struct sticker_store *s, const char *list, const char *filter, struct arena *a,
                                      const char ***out, size_t *n, struct error *err) MUST_CHECK;
/* How many of the rows that match have each value of `filter`, most first, at most 200; the search and the other
 * filters count, the filter's own value does not. *n is 0 where too many match to be counted while somebody waits. */
struct list_facet {
    const char *value;
    int64_t count;
};
enum status sticker_store_list_facet(struct sticker_store *s, const struct list_ask *ask, const char *filter,
                                     struct arena *a, struct list_facet **out, size_t *n, struct error *err) MUST_CHECK;
/* The row after `id` in that order, whatever ask's cursor; *next is "" after the last. */
enum status sticker_store_list_next(struct sticker_store *s, const struct list_ask *ask, const char *id,
                                    struct arena *a, const char **next, struct error *err) MUST_CHECK;
/* What deleting these rows takes along: "votes", 12. Only what there is any of; at most 4 lines. */
struct list_goes {
    const char *what;
    int64_t count;
};
enum status sticker_store_list_goes(struct sticker_store *s, const char *list, const char *const *ids, size_t n_ids,
                                    struct list_goes out[4], size_t *n, struct error *err) MUST_CHECK;

/* --- changes --- */
struct admin_who {
    const char *username, *address;
    const char *batch; /* the same for all entries that are made, and undone, together; NULL: none */
};
enum change_op {
    CHANGE_ADD,
    CHANGE_UPDATE,
    CHANGE_DELETE,
    CHANGE_REINDEX,
    CHANGE_PICTURE,
    CHANGE_RESTORE, /* of list "trash": `sticker` with its words, as sticker_store_trash_get gave it */
    CHANGE_LOGIN,   /* from here on no row changes, there is a history entry alone; `id` is NULL */
    CHANGE_LOGOUT,
    CHANGE_PASSWORD,
    CHANGE_EXPORT,
    CHANGE_FORGET,
    CHANGE_TWO_FACTOR
};
struct admin_change {
    enum change_op op;
    const char *list;
    const char *id;                /* the row; NULL for CHANGE_ADD */
    int64_t seen_us;               /* its modified_us as the person saw it; 0: whatever it is */
    const struct sticker *sticker; /* for list "stickers"; CHANGE_PICTURE: only what its image is counts ... */
    const struct sticker_terms *terms;
    /* ... and for the others. "packs", by name: "title", "author", "license", "source" and "cover", "name" where it is
     * to be another one, and its stickers as "sticker", each in its turn, where their order is. */
    const struct admin_pair *fields;
    size_t n_fields;
    const char *object;         /* for the history: what a person calls it, */
    const char *before, *after; /* and JSON, "" where there is none */
    bool done;                  /* the change itself was made already: only its entry is added */
};
/* Who changes users, tokens and stickers by the functions of sticker_store.h: each change gets its history entry, in
 * the same transaction. Borrowed; NULL, as after opening: a service, which keeps its own. Before others share the
 * store. */
void sticker_store_act_as(struct sticker_store *s, const struct admin_who *who);
/* All changes and their history entries, or none. ERR_CONFLICT: somebody changed it since seen_us.
 * ERR_INVALID: the name is taken, or the last superuser would go; ERR_NOT_FOUND. DURABLE. */
enum status sticker_store_change(struct sticker_store *s, const struct admin_who *who,
                                 const struct admin_change *changes, size_t n, struct error *err) MUST_CHECK;

/* The same for a request that may come again, as sticker_store_feedback_once: when once->was is ONCE_REPLAYED, nothing
 * was changed now. `once` may be NULL. */
enum status sticker_store_change_once(struct sticker_store *s, const struct admin_who *who,
                                      const struct admin_change *changes, size_t n, struct feedback_once *once,
                                      struct error *err) MUST_CHECK;

/* --- the trash: deleted stickers, see sticker_trash.c --- */
/* With its words. NOT_FOUND. */
enum status sticker_store_trash_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                                    struct error *err) MUST_CHECK;
/* Marks what was deleted before that time, so that it cannot be restored, and names at most `limit` marked ones, whose
 * images are to be deleted now. DURABLE. */
enum status sticker_store_trash_due(struct sticker_store *s, int64_t before_us, size_t limit, struct arena *a,
                                    const char ***filenames, size_t *n, struct error *err) MUST_CHECK;
/* The image of a marked one is deleted: so is its row. DURABLE. */
enum status sticker_store_trash_gone(struct sticker_store *s, const char *filename, struct error *err) MUST_CHECK;

/* --- saved views: lists with a filter, sort and columns, of one user --- */
struct saved_view {
    const char *id, *name, *query; /* `query`: of the list's URL */
};
#define SAVED_VIEWS_MAX 30 /* of a user, in one list */
enum status sticker_store_views(struct sticker_store *s, const char *user_id, const char *list, struct arena *a,
                                struct saved_view **out, size_t *n, struct error *err) MUST_CHECK;
/* Replaces one of the same name. ERR_TOO_LARGE: too many. DURABLE, as is deleting; one that is not there is OK. */
enum status sticker_store_view_save(struct sticker_store *s, const char *user_id, const char *list, const char *name,
                                    const char *query, struct error *err) MUST_CHECK;
enum status sticker_store_view_delete(struct sticker_store *s, const char *user_id, const char *id,
                                      struct error *err) MUST_CHECK;

#endif
