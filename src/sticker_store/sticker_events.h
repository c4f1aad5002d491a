/* sticker_events.h: what people did with the stickers that searches showed them, as an append-only log, and the keys by
 * which searches and people are known in it. Of a search the log keeps what its receipt says
 * (sticker_service/receipts.h), once the first event of it came. A vote without a receipt is an event with the rank 0,
 * of a search that showed nothing, one for each query and day.
 *
 * Rows are kept by the day of the search: on PostgreSQL each day is a partition of its own. */
#ifndef PEEL_STICKER_STORE_STICKER_EVENTS_H
#define PEEL_STICKER_STORE_STICKER_EVENTS_H

#include "sticker_store/sticker_store.h"

/* --- keys --- */
#define STORE_KEY_BYTES 32
struct store_key {
    int64_t id, created_us;
    unsigned char secret[STORE_KEY_BYTES];
};
/* The keys for `purpose`, the newest first. A new one is made, of `fresh`, if there is none that was created after
 * newer_than_us; those that were replaced by a newer one before replaced_us are deleted. All instances of
 * StickerService get the same. DURABLE. */
enum status sticker_store_keys(struct sticker_store *s, const char *purpose, const unsigned char fresh[STORE_KEY_BYTES],
                               int64_t newer_than_us, int64_t replaced_us, struct arena *a, struct store_key **out,
                               size_t *n, struct error *err) MUST_CHECK;

/* --- events --- */
enum event_action {
    EVENT_IMPRESSION,
    EVENT_CLICK,
    EVENT_COPY,
    EVENT_SHARE,
    EVENT_FAVOURITE,
    EVENT_VOTE_UP,
    EVENT_VOTE_DOWN,
    EVENT_UNDO, /* of a vote */
    EVENT_REPORT,
    EVENT_ACTIONS
};
extern const char *const event_actions[EVENT_ACTIONS]; /* their names: "vote_up" */

#define STORE_SEARCH_DAYS 30 /* after a search there may be events of it */
#define STORE_SEARCH_ID   12 /* bytes of a search's id */
#define STORE_EVENT_ID    16 /* bytes of an event's id */
#define STORE_TAG         5  /* bytes by which a search knows a sticker: the last ones of its id, which are random */
/* Whose choice a sticker was that a search of an experiment showed (sticker_experiments.h). */
enum team { TEAM_NONE, TEAM_A, TEAM_B };
#define PROPENSITY_ONE 1000000
/* False, and all zero, for what is not a UUID's text. */
bool store_tag(const char *uuid, unsigned char tag[STORE_TAG]);
/* A search of which there are events. */
struct search_row {
    const unsigned char *id; /* [STORE_SEARCH_ID] */
    int64_t made_us;
    const char *query; /* as it was typed */
    const char *language, *ranking;
    int64_t offset;             /* of the first sticker shown */
    const unsigned char *shown; /* [n][STORE_TAG] */
    size_t n;
    int64_t experiment;         /* 0: none */
    const unsigned char *teams; /* [n], by enum team; NULL outside of experiments */
    int64_t tried;              /* the rank of a sticker that was put there to try it; 0: none was */
    int64_t propensity;         /* and how probable it was that this one would be there, in millionths */
};
struct event_row {
    const unsigned char *id;         /* [STORE_EVENT_ID] */
    const struct search_row *search; /* one of those of the call */
    enum event_action action;
    const char *sticker; /* its filename */
    int64_t rank;        /* from 1, as the search has it; set by the store */
    const char *client;  /* whatever the caller tells people apart by; "": not known */
    int64_t at_us;
    struct origin origin;
    enum { EVENT_NEW, EVENT_REPEATED, EVENT_NOT_SHOWN } was; /* set */
};
/* Adds events in one transaction: each id once, however often it comes for its search. The sticker must be one that the
 * search showed (EVENT_NOT_SHOWN). Votes of a known client count as those of a voter (sticker_store_feedback), the
 * others like votes without one; the query is added if it is missing. DURABLE. */
enum status sticker_store_events_add(struct sticker_store *s, const struct search_row *searches, size_t n_searches,
                                     struct event_row *events, size_t n, struct arena *a, struct error *err) MUST_CHECK;
/* Deletes events and searches of searches made before before_us, a bounded number at once; *more: some are left. */
enum status sticker_store_events_forget(struct sticker_store *s, int64_t before_us, bool *more,
                                        struct error *err) MUST_CHECK;

/* Events in the order they were stored, after the given row (0 at first). */
struct logged_event {
    int64_t row;
    unsigned char search[STORE_SEARCH_ID];
    enum event_action action;
    const char *query, *language, *ranking;
    const char *sticker; /* its filename; "" once it is deleted */
    const char *client;
    int64_t rank, at_us, stored_us;
    int64_t experiment; /* of its search; 0: none */
    enum team team;     /* whose choice the sticker was; with people in arms: whose arm the search was in */
    int64_t propensity; /* of the sticker to be at this rank, in millionths; all but where a new one was tried */
};
enum status sticker_store_events_list(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                      struct logged_event **out, size_t *n, struct error *err) MUST_CHECK;
/* The number of the last event: events that are stored later have larger ones. */
enum status sticker_store_events_end(struct sticker_store *s, int64_t *row, struct error *err) MUST_CHECK;

/* Searches of which there are events, in the order they were stored, after the given row (0 at first). */
struct logged_search {
    int64_t row;
    unsigned char id[STORE_SEARCH_ID];
    struct search_row search;
};
enum status sticker_store_searches_list(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                        struct logged_search **out, size_t *n, struct error *err) MUST_CHECK;

/* The votes of known voters, by voter, after the given one (NULL at first). */
struct ballot_row {
    const char *voter, *query_id, *sticker_id;
    const char *query, *sticker; /* its filename */
    bool positive;
};
enum status sticker_store_ballots_list(struct sticker_store *s, const struct ballot_row *after, size_t limit,
                                       struct arena *a, struct ballot_row **out, size_t *n,
                                       struct error *err) MUST_CHECK;

#endif
