/* admin_list.h: what a list's URL says, which its page, its export and bulk actions share. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_LIST_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_LIST_H

#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"

#define LIST_MAX_WORDS 16 /* of a search */

/* All strings live in the request's arena. */
struct list_state {
    const struct admin_table *table;
    const char *search, *sort, *cursor;
    bool descending, backwards;
    const char *values[ADMIN_MAX_FILTERS]; /* as typed */
    struct admin_pair filters[ADMIN_MAX_FILTERS];
    size_t n_filters;
    bool shown[ADMIN_MAX_COLUMNS];          /* columns of the table that the page has */
    bool chosen;                            /* ... because somebody chose them */
    const char *columns[ADMIN_MAX_COLUMNS]; /* what to ask for: the caller's choice */
    size_t n_columns;
    const char *words[LIST_MAX_WORDS];
    size_t n_words;
};
/* ERR_INVALID: a sort or filter that there is not. */
enum status list_state_read(const struct admin_visit *v, const struct admin_table *table, struct list_state *out,
                            struct error *err) MUST_CHECK;
/* The state of the list that a page was reached from: its parameter `list`, see admin_list_param. */
enum status list_state_kept(const struct admin_visit *v, const struct admin_table *table, struct list_state *out,
                            struct error *err) MUST_CHECK;
/* The query string of its URL, with the page; "" where it is how the list begins. NULL without memory. */
const char *list_state_query(const struct list_state *s, struct arena *a);
/* The same for the store; it borrows from `s`. */
struct list_ask list_state_ask(const struct list_state *s, size_t limit, bool thorough);
/* A page from the database, or from SearchService. */
enum status list_state_page(struct sticker_service *s, const struct admin_table *table, const struct list_ask *ask,
                            struct arena *a, struct list_page *out, struct error *err) MUST_CHECK;
void list_state_fail(const struct admin_visit *v, const struct admin_table *table,
                     const struct error *err); /* its page */

/* --- admin_list_parts.c: what a list's page has beside its rows --- */
enum status list_fill_filters(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                              struct error *err) MUST_CHECK;
enum status list_fill_columns(const struct list_state *s, struct arena *a, struct tpl_admin_list *out,
                              struct error *err) MUST_CHECK;
enum status list_fill_views(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                            struct error *err) MUST_CHECK;
/* What was done before, as admin_to_list says it. */
enum status list_fill_noted(const struct admin_visit *v, const struct list_state *s, struct tpl_admin_list *out,
                            struct error *err) MUST_CHECK;

/* The URL of a row's image, `width` pixels wide; `sha256` may be "". "" for a filename that is none, NULL without
 * memory. */
const char *list_image(const char *filename, const char *sha256, unsigned width, struct arena *a);

#endif
