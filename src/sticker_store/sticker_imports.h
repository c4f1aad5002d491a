/* sticker_imports.h: imports, which can be undone: a row for each, whose changes are the entries of the history that
 * have its batch. sticker_store.h's rules hold here too. */
#ifndef PEEL_STICKER_STORE_STICKER_IMPORTS_H
#define PEEL_STICKER_STORE_STICKER_IMPORTS_H

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_history.h"

/* Writes what an import found, all of it or nothing, with an entry in the history for each: CHANGE_ADD as
 * sticker_store_add, CHANGE_UPDATE unless the sticker was modified after seen_us. *written: how many. With who->batch
 * the import is recorded, from the first change on, as one from `source`, such as the names of files. `who` may be
 * NULL: then nothing is noted. ERR_CONFLICT names the filename that exists. DURABLE. */
enum status sticker_store_import(struct sticker_store *s, const struct admin_who *who, const char *source,
                                 const struct admin_change *changes, size_t n, size_t *written,
                                 struct error *err) MUST_CHECK;
/* It has ended, and this became of the rest. *number: its own; 0: it changed nothing and was not recorded. DURABLE. */
enum status sticker_store_import_end(struct sticker_store *s, const char *batch, size_t skipped, size_t failed,
                                     int64_t *number, struct error *err) MUST_CHECK;
/* It was undone, as far as that was possible. DURABLE. */
enum status sticker_store_import_undone(struct sticker_store *s, int64_t number, struct error *err) MUST_CHECK;

struct import_record {
    int64_t number; /* 1, 2, 3, ... */
    const char *batch, *username, *source;
    int64_t added, changed, skipped, failed;
    int64_t at_us, ended_us, undone_us; /* 0: it runs or was broken off; it was not undone */
};
/* Up to `limit` of them, the last ones first. */
enum status sticker_store_imports(struct sticker_store *s, size_t limit, struct arena *a, struct import_record **out,
                                  size_t *n, struct error *err) MUST_CHECK;
/* ERR_NOT_FOUND. */
enum status sticker_store_import_get(struct sticker_store *s, int64_t number, struct arena *a,
                                     struct import_record *out, struct error *err) MUST_CHECK;
/* Up to `limit` entries of the history of one batch, the last ones first; before_row: of an earlier page, INT64_MAX for
 * the first. */
enum status sticker_store_history_batch(struct sticker_store *s, const char *batch, int64_t before_row, size_t limit,
                                        struct arena *a, struct history_entry **out, size_t *n,
                                        struct error *err) MUST_CHECK;

#endif
