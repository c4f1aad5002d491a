/* sticker_learn.h: what the log of events says about which sticker fits which query, and what was made of it.
 *
 * A learning pass reads events behind a watermark and adds them up, in transactions that move the watermark, so that
 * whatever happens each event counts once:
 *
 *     ballots      one net vote of a voter for a query and a sticker
 *     clicks       how often a sticker was looked at and clicked for a query, decayed
 *     click_ranks  the same by rank, for all queries
 *     vote_hours   how many votes a query got in an hour, which shows bursts
 *     lessons      for each query the gains of its stickers; `due` while there is something new; the version by which
 *                  SearchService is told of changes
 *     learning     numbers by name
 *
 * Queries are keys (text_fold_query). sticker_service/learn.h is who does it. */
#ifndef PEEL_STICKER_STORE_STICKER_LEARN_H
#define PEEL_STICKER_STORE_STICKER_LEARN_H

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_events.h"

#define LEARN_RANKS        50      /* deeper ranks count as this one */
#define LEARN_STICKERS     300     /* of one query, those with most evidence */
#define LEARN_ALL_STICKERS 2000    /* of all queries together */
#define LEARN_BALLOTS      20000   /* of one query */
#define LEARN_BURST_TIMES  10      /* more votes in an hour than so many times the usual are held, */
#define LEARN_BURST_LEAST  10      /* and this is what is usual at least */
#define LEARN_USUAL_HOURS  720     /* in which it is looked for what is usual: the mean of those with votes, */
#define LEARN_USUAL_LEAST  24      /* of at least so many */
#define LEARN_BURST_SHARED 20      /* votes in an hour of one network that nobody vouches for: the rest is no burst */
#define LEARN_NAMELESS     0.5     /* the weight of a vote without a voter */
#define LEARN_MILLION      1000000 /* weights and sums of clicks are stored in millionths */

#define LEARN_NETWORK_BITS 63        /* by which learn_clicks tells networks apart, and */
#define LEARN_VOUCHED      INT64_MIN /* the one that says that a token vouched for somebody */

/* --- numbers --- */
enum learn_number {
    LEARN_WATERMARK, /* the last row of the log that was learnt */
    LEARN_FROZEN,    /* 1: gains stay as they are */
    LEARN_EPOCH,     /* changes with each reset: what was handed over before counts for nothing */
    LEARN_SINCE,     /* since when the log has all votes, microseconds since 1970 */
    LEARN_UPS,       /* ballots by vote */
    LEARN_DOWNS,
    LEARN_VERSION,   /* of the lesson that changed last */
    LEARN_FORGOTTEN, /* how often something was erased: what was read before may not be added any more */
    LEARN_NUMBERS
};
/* Reads all numbers; on first use makes the epoch and the beginning of the log. */
enum status sticker_store_learn_open(struct sticker_store *s, struct error *err) MUST_CHECK;
enum status sticker_store_learn_numbers(struct sticker_store *s, int64_t out[LEARN_NUMBERS],
                                        struct error *err) MUST_CHECK;
enum status sticker_store_learn_freeze(struct sticker_store *s, const struct admin_who *who, bool frozen, bool *changed,
                                       struct error *err) MUST_CHECK;
/* Forgets what was learnt. again: and learns it anew from the log, as far as that goes back; else only from what comes
 * from now on. */
enum status sticker_store_learn_reset(struct sticker_store *s, const struct admin_who *who, bool again,
                                      struct error *err) MUST_CHECK;
/* How many votes taught something that are older than the log, so that nothing can learn it again. */
enum status sticker_store_learn_older(struct sticker_store *s, int64_t *n, struct error *err) MUST_CHECK;
/* Sets the scores whose first vote is in the log to what the log says. *n: how many were other than that. */
enum status sticker_store_learn_rescore(struct sticker_store *s, const struct admin_who *who, int64_t *n,
                                        struct error *err) MUST_CHECK;

/* --- evidence --- */
struct learn_event {
    int64_t row;
    enum event_action action;
    const char *query; /* as typed; the caller makes the key */
    const char *sticker_id;
    const char *client; /* a hash, or "" */
    int64_t rank, at_us;
    struct origin origin;
};
/* Events behind a row of the log, in their order; *upto: the last one, or the row up to which there is nothing else.
 * None can come before that any more. */
enum status sticker_store_learn_events(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                       struct learn_event **out, size_t *n, int64_t *upto,
                                       struct error *err) MUST_CHECK;
/* Events in (after, upto] that are no votes, the last one first. */
enum status sticker_store_learn_events_before(struct sticker_store *s, int64_t after, int64_t upto, size_t limit,
                                              struct arena *a, struct learn_event **out, size_t *n,
                                              struct error *err) MUST_CHECK;
/* The number by which a voter is known here: of the client's hash; of the address where there is none. */
int64_t sticker_learn_voter(const char *client, const struct origin *origin);

struct learn_vote {
    const char *query, *sticker_id;
    int64_t voter, at_us;
    bool named; /* the voter is one that the client told us */
    int vote;   /* 1, -1, or 0: withdrawn */
    struct origin origin;
};
struct learn_clicks {
    const char *query, *sticker_id;
    double seen, clicked; /* seen: each counts as much as its rank is looked at */
    int64_t networks;     /* a bit for each, of LEARN_NETWORK_BITS, and LEARN_VOUCHED */
    int64_t at_us;        /* the last one */
};
/* Adds what is known of the same query and sticker at another time; the older one counts less. */
void learn_clicks_add(struct learn_clicks *sum, const struct learn_clicks *more, double half_life_us);
struct learn_rank {
    int64_t seen, clicked;
};
struct learn_batch {
    int64_t after, upto; /* rows of the log: all in between is in here */
    int64_t forgotten;   /* LEARN_FORGOTTEN, from before the log was read */
    const struct learn_vote *votes;
    size_t n_votes;
    const struct learn_clicks *clicks; /* each query and sticker once */
    size_t n_clicks;
    struct learn_rank ranks[LEARN_RANKS + 1]; /* by rank */
    double half_life_us;
    bool late; /* set: the watermark was another one, or something was erased, and nothing was done */
};
enum status sticker_store_learn_add(struct sticker_store *s, struct learn_batch *batch, struct error *err) MUST_CHECK;
enum status sticker_store_learn_ranks(struct sticker_store *s, struct learn_rank ranks[LEARN_RANKS + 1],
                                      struct error *err) MUST_CHECK;

struct learn_ballot {
    const char *sticker_id;
    int64_t voter, network, at_us;
    int vote;
    bool vouched;
    double weight;
};
/* The evidence of a query, without held and dropped bursts, by sticker. Of more than LEARN_BALLOTS a part: the vouched
 * ones first, then the latest of each network, so that nobody can crowd out all others. */
enum status sticker_store_learn_ballots(struct sticker_store *s, const char *query, struct arena *a,
                                        struct learn_ballot **out, size_t *n, struct error *err) MUST_CHECK;
enum status sticker_store_learn_clicks(struct sticker_store *s, const char *query, struct arena *a,
                                       struct learn_clicks **out, size_t *n, struct error *err) MUST_CHECK;
/* Tells of all ballots, by sticker and voter, borrowed for the call. */
typedef enum status sticker_learn_tell(void *ctx, const struct learn_ballot *ballot, struct error *err);
enum status sticker_store_learn_all_ballots(struct sticker_store *s, sticker_learn_tell *tell, void *ctx,
                                            struct error *err) MUST_CHECK;

/* --- lessons --- */
struct lesson {
    const char *query;
    int64_t due, version;
    const char *gains; /* as learn_gain.h has them; "": none */
    const char *terms; /* the key of a lesson for all queries that mean the same, which becomes due when this one
                          changes; "": none */
};
/* Queries of which there is something new, the longest waiting ones first; those computed before old_us too. */
enum status sticker_store_lessons_due(struct sticker_store *s, int64_t old_us, size_t limit, struct arena *a,
                                      struct lesson **out, size_t *n, struct error *err) MUST_CHECK;
enum status sticker_store_lesson(struct sticker_store *s, const char *query, struct arena *a, struct lesson *out,
                                 struct error *err) MUST_CHECK;
/* What was made of lessons with these numbers of `due`; those that have another one since stay due. Lessons with other
 * gains than before get the next versions. *changed: how many did. */
enum status sticker_store_lessons_set(struct sticker_store *s, const struct lesson *lessons, size_t n, int64_t *changed,
                                      struct error *err) MUST_CHECK;
/* Lessons with a version above `after`, ascending; those without gains too. */
enum status sticker_store_lessons_changed(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                                          struct lesson **out, size_t *n, struct error *err) MUST_CHECK;
/* The lessons of queries with these terms that have gains. */
enum status sticker_store_lessons_alike(struct sticker_store *s, const char *terms, size_t limit, struct arena *a,
                                        struct lesson **out, size_t *n, struct error *err) MUST_CHECK;
/* The names of stickers, NULL for those that are gone. */
enum status sticker_store_learn_names(struct sticker_store *s, const char *const *ids, size_t n, struct arena *a,
                                      const char **out, struct error *err) MUST_CHECK;
/* Deletes those without gains that are not due, up to that version, which SearchService has. */
enum status sticker_store_lessons_tidy(struct sticker_store *s, int64_t version, struct error *err) MUST_CHECK;
struct learn_counts {
    int64_t ballots, voters, queries, due, version, held; /* queries: with gains; held: bursts */
};
enum status sticker_store_learn_count(struct sticker_store *s, struct learn_counts *out, struct error *err) MUST_CHECK;

/* --- bursts --- */
enum burst_state { BURST_NONE, BURST_HELD, BURST_RELEASED, BURST_DROPPED };
extern const char *const burst_states[]; /* "held" and so on */
struct burst {
    const char *query;
    int64_t hour, votes, usual;
    enum burst_state state;
};
/* The newest first. */
enum status sticker_store_bursts(struct sticker_store *s, size_t limit, struct arena *a, struct burst **out, size_t *n,
                                 struct error *err) MUST_CHECK;
/* ERR_NOT_FOUND: nothing of that query and hour was held. With a history entry. */
enum status sticker_store_burst_decide(struct sticker_store *s, const struct admin_who *who, const char *query,
                                       int64_t hour, enum burst_state to, struct error *err) MUST_CHECK;

#endif
