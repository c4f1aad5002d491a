/* sticker_history.h: the history as a chain that shows tampering, and what it is read by: `peel audit verify` and the
 * audit log. sticker_store.h's rules hold here too. sticker_history.c explains the chain. */
#ifndef PEEL_STICKER_STORE_STICKER_HISTORY_H
#define PEEL_STICKER_STORE_STICKER_HISTORY_H

#include "sticker_store/sticker_store.h"

#define HISTORY_HASH_SIZE 65 /* hex of a SHA-256, and a NUL */

struct history_entry {
    int64_t row, at_us; /* rows are numbered 1, 2, 3, ... */
    const char *username, *address, *action, *model, *object, *before, *after, *batch;
    const char *hash; /* hex; of this entry and, through the hash before it, of all earlier ones */
    const char *username_proof, *address_proof, *content_proof;
};

enum history_fault_kind {
    HISTORY_CHANGED,  /* entry `row` is not what its hashes say */
    HISTORY_UNLINKED, /* entry `row` does not follow from the one before it: one of them was changed or inserted */
    HISTORY_MISSING,  /* entries `row` to `last` were removed */
    HISTORY_ADDED,    /* entry `row` was inserted after the end */
};
struct history_fault {
    enum history_fault_kind kind;
    int64_t row, last;
};
struct history_report {
    int64_t entries;                                      /* that were read */
    int64_t erased_users, erased_addresses, erased_texts; /* of these, by retention or `peel forget` */
    int64_t faults;                                       /* all that were found, of which `fault` was told */
    int64_t row;                                          /* the last entry and its hash, ... */
    char hash[HISTORY_HASH_SIZE];                         /* to be kept elsewhere and compared later */
};
/* Reads the whole history in its order and calls `fault` for whatever does not fit, `entry` (may be NULL) for each
 * entry. */
struct history_reader {
    void (*fault)(void *ctx, const struct history_fault *fault);
    void (*entry)(void *ctx, const struct history_entry *entry); /* valid during the call */
    void *ctx;
};
enum status sticker_store_history_verify(struct sticker_store *s, const struct history_reader *reader,
                                         struct history_report *out, struct error *err) MUST_CHECK;

/* At most `limit` entries that the audit log does not have yet, in their order; *logged: the last one that it has. */
enum status sticker_store_history_unlogged(struct sticker_store *s, size_t limit, struct arena *a, int64_t *logged,
                                           struct history_entry **out, size_t *n, struct error *err) MUST_CHECK;
/* The audit log has the entries up to `row`. Nothing happens if another process noted more since *logged. DURABLE. */
enum status sticker_store_history_logged(struct sticker_store *s, int64_t before, int64_t row,
                                         struct error *err) MUST_CHECK;

#endif
