/* sticker_privacy.h: forgetting: what is old, on its own, and what somebody asks for (`peel forget`). docs/PRIVACY.md
 * says what is stored at all. sticker_store.h's rules hold here too. */
#ifndef PEEL_STICKER_STORE_STICKER_PRIVACY_H
#define PEEL_STICKER_STORE_STICKER_PRIVACY_H

#include "sticker_store/sticker_admin.h"

/* --- what is old --- */
enum retention {
    RETAIN_QUERIES,    /* searches without votes and pins, since they were last made */
    RETAIN_VOTERS,     /* whose vote it was; the vote stays counted */
    RETAIN_ADDRESSES,  /* of the history's entries, which stay */
    RETAIN_SESSIONS,   /* unused */
    RETAIN_LOGINS,     /* attempts to log in */
    RETAIN_KEYS,       /* idempotency keys of feedback */
    RETAIN_DELIVERIES, /* to webhooks */
    RETAIN_EVENTS,     /* by the day of their search, and these searches (see sticker_events.h); bursts of votes */
    RETENTIONS
};
extern const char *const retention_names[RETENTIONS]; /* "queries", in metrics and logs */
/* Forgets at most `limit` of those older than before_us, the oldest first; *n: how many, and less than `limit` when
 * none are left. Of events, which go by whole days, *n only says whether some are left. *from_us is 0 for the first
 * batch of a round, and is moved on to where the next one begins. */
enum status sticker_store_retain(struct sticker_store *s, enum retention what, int64_t before_us, size_t limit,
                                 int64_t *from_us, size_t *n, struct error *err) MUST_CHECK;

/* --- what somebody asks for --- */
struct forgotten {
    int64_t searches, scores, votes, pins, events; /* rows deleted, or scores that changed, */
    int64_t history;                               /* and entries of the history that were erased */
};
/* Each is one transaction with one entry in the history, which does not say what was forgotten. `dry`: only counts.
 * DURABLE.
 *
 * A search: its text as it was typed, `pin`, as pins have it, and `key`, as votes teach it; with its scores, votes,
 * pins, events and what was learnt of it. In the history its text is erased from the entries of searches, scores and
 * pins, and from exports that looked for it. */
enum status sticker_store_forget_search(struct sticker_store *s, const struct admin_who *who, const char *query,
                                        const char *pin, bool dry, struct forgotten *out, struct error *err) MUST_CHECK;
/* The votes of a voter (see feedback_entry), which are also taken out of the sums, and their events. voters: the hashes
 * by which the voter is known. */
enum status sticker_store_forget_voter(struct sticker_store *s, const struct admin_who *who, const char *const *voters,
                                       size_t n, bool dry, struct forgotten *out, struct error *err) MUST_CHECK;
/* A user in the history and the trash, under whatever pseudonym is made up: without addresses, and without what their
 * own account was changed to. The account stays as it is. */
enum status sticker_store_forget_user(struct sticker_store *s, const struct admin_who *who, const char *username,
                                      bool dry, struct forgotten *out, struct error *err) MUST_CHECK;

#endif
