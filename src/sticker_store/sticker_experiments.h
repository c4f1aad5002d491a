/* sticker_experiments.h: two rankings that are compared on live searches, and what came of it; and what is known of new
 * stickers, which searches try. One experiment runs at a time. sticker_store.h's rules hold here too; each change has
 * an entry in the history. */
#ifndef PEEL_STICKER_STORE_STICKER_EXPERIMENTS_H
#define PEEL_STICKER_STORE_STICKER_EXPERIMENTS_H

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_events.h"

#define EXPERIMENT_NAME_MAX    60  /* bytes */
#define EXPERIMENT_RANKING_MAX 500 /* bytes of how a ranking is described */

enum experiment_kind {
    EXPERIMENT_INTERLEAVE, /* each result list mixes both rankings */
    EXPERIMENT_AB,         /* each person gets one of them */
    EXPERIMENT_KINDS
};
extern const char *const experiment_kinds[EXPERIMENT_KINDS]; /* "interleave", "ab" */

/* Of what people did with searches of an experiment. A person is a client, or a single search whose client is not
 * known. What counts for a ranking: stickers that were clicked, copied, shared or voted up, each once a search.
 * The second dimension is TEAM_A - 1, TEAM_B - 1. */
struct experiment_counts {
    int64_t searches;  /* of which there is any event */
    int64_t people[2]; /* A/B: who got this ranking */
    int64_t won[2];    /* A/B: of these, who used a sticker. Interleaving: who used more of this ranking's */
    int64_t tied;      /* interleaving: who used as many of both */
};
struct experiment {
    int64_t id; /* from 1 */
    const char *name;
    enum experiment_kind kind;
    const char *rankings[2];         /* A and B */
    int64_t share;                   /* percent of people who take part */
    int64_t started_us, stopped_us;  /* 0: it runs */
    struct experiment_counts counts; /* of one that was stopped: as they were then */
};

/* Starts it; `name`, `kind`, `rankings` and `share` count. The caller checked them. ERR_CONFLICT: another one runs, or
 * has the name. DURABLE. */
enum status sticker_store_experiment_start(struct sticker_store *s, const struct admin_who *who,
                                           const struct experiment *e, struct error *err) MUST_CHECK;
/* Stops the one that runs, and keeps its counts for ever. `name` NULL: whichever it is. ERR_NOT_FOUND. DURABLE. */
enum status sticker_store_experiment_stop(struct sticker_store *s, const struct admin_who *who, const char *name,
                                          struct error *err) MUST_CHECK;
/* The one that runs; *found false: none does. Without counts. */
enum status sticker_store_experiment_running(struct sticker_store *s, struct arena *a, struct experiment *out,
                                             bool *found, struct error *err) MUST_CHECK;
/* The last ones first, with counts as of now; of the name, unless it is NULL. */
enum status sticker_store_experiments(struct sticker_store *s, const char *name, size_t limit, struct arena *a,
                                      struct experiment **out, size_t *n, struct error *err) MUST_CHECK;

/* --- new stickers --- */
/* The ids of at most `limit` stickers that were created at or after since_us, the newest first; and how many stickers
 * there are in all. */
enum status sticker_store_newest(struct sticker_store *s, int64_t since_us, size_t limit, struct arena *a,
                                 const char ***ids, size_t *n, int64_t *all, struct error *err) MUST_CHECK;
/* What was done with which sticker: events in the order they were stored, after the given row (0 at first). */
struct sticker_act {
    int64_t row;
    enum event_action action;
    const char *sticker_id;
};
enum status sticker_store_acts(struct sticker_store *s, int64_t after, size_t limit, struct arena *a,
                               struct sticker_act **out, size_t *n, struct error *err) MUST_CHECK;

#endif
