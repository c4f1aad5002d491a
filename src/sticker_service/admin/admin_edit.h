/* admin_edit.h: one row as a form has it: what the pages of admin_edit.c, admin_bulk.c and uploads share. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_EDIT_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_EDIT_H

#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"
#include "sticker_service/sticker_write.h"
#include <string.h>

/* All strings live in the request's arena. */
struct edit {
    const struct admin_table *table;
    const char *id; /* "" for a new one */
    const char *object, *seen;
    const char *values[ADMIN_MAX_FIELDS], *before[ADMIN_MAX_FIELDS], *problems[ADMIN_MAX_FIELDS];
    bool fixed[ADMIN_MAX_FIELDS];
    struct sticker sticker;      /* as it is, and then as it shall be */
    struct sticker_words *words; /* by language */
    size_t n_words, n;
    const char **typed; /* [n_typed] languages that the form had */
    size_t n_typed;
    bool touchable; /* not for superusers alone */
    bool wrong, conflict;
};

/* Names of tables and fields, and values. */
static inline bool edit_same(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* The row `id` of the table as it is, or a new one for "". ERR_NOT_FOUND. */
enum status edit_row(const struct admin_visit *v, const struct admin_table *table, const char *id, struct edit *out,
                     struct error *err) MUST_CHECK;
/* The same for a form: `fixed` is what this person may not change. */
enum status edit_start(const struct admin_visit *v, const struct admin_table *table, const char *id, struct edit *out,
                       struct error *err) MUST_CHECK;
/* Is the field a choice in which nothing may be chosen? Then a row stays as it is, and a new one is as its picture. */
bool edit_is_open(const struct edit *e, const struct admin_field *f);
/* The values and words that edit_json wrote. ERR_INVALID: it is not of that kind. */
enum status edit_from_json(const char *text, struct edit *e, struct arena *a, struct error *err) MUST_CHECK;
/* As somebody wants it: of words, languages that the form does not name stay as they are; with a field `only`, so do
 * all other fields. What is wrong with it stands in `problems`, and `wrong` is set. */
enum status edit_read(const struct form *form, struct edit *e, struct arena *a, struct error *err) MUST_CHECK;
/* {"title":"Cat","words":{"en":"cat"},"titles":{"de":"Katze"}} as it stands in values and words; passwords only as
 * "changed". NULL without memory. */
const char *edit_json(const struct edit *e, struct arena *a);
/* What is to be written, with its history; it borrows from `e` and the request's arena. Parameters as edit_save. */
enum status edit_change(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                        struct admin_change *out, struct error *err) MUST_CHECK;
/* Writes it. `before`: JSON, "" for a new one; *key: a new token, to be shown once. A new sticker's
 * `sticker` has all that its picture says. As sticker_store_change, and ERR_INVALID for too many words. */
enum status edit_save(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                      struct error *err) MUST_CHECK;
/* After rows of the table were written: whoever uses them looks at them soon. */
void edit_written(const struct admin_visit *v, const struct admin_table *table);
/* admin_edit_beside.c: what the page of one row has beside its form: a sticker's votes and history, and of a history
 * entry, how to undo it. */
enum status edit_beside(const struct admin_visit *v, const struct edit *e, struct tpl_admin_form *out,
                        struct error *err) MUST_CHECK;
/* The fields for a page: out[e->n], zeroed. */
enum status edit_fields(const struct admin_visit *v, const struct edit *e, struct tpl_admin_field *out,
                        struct error *err) MUST_CHECK;

#endif
