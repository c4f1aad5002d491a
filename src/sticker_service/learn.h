/* learn.h: votes and clicks teach which stickers fit a query. A thread reads the log of events (sticker_events.h), adds
 * up what people said (sticker_learn.h), makes gains of it (learn_gain.h), and hands those that changed over to
 * SearchService, which multiplies scores by them. A vote is there within seconds. docs/LEARNING.md describes it for
 * those who run it.
 *
 * Several StickerServices on a database each do so; what one has done another finds done. */
#ifndef PEEL_STICKER_SERVICE_LEARN_H
#define PEEL_STICKER_SERVICE_LEARN_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "http/client.h"
#include "sticker_service/answers.h"
#include "sticker_service/learn_gain.h"
#include "sticker_store/sticker_learn.h"

struct learn;
struct learn_settings {
    double half_life_days; /* after which a vote or click counts half */
};
/* Everything is borrowed until learn_close. What is kept in `answers` and `starts` is cleared when SearchService has
 * other gains. */
enum status learn_open(struct sticker_store *store, struct http_client *search, struct answers *answers,
                       struct answers *starts, const struct learn_settings *settings, struct learn **out,
                       struct error *err) MUST_CHECK;
void learn_close(struct learn *l); /* NULL is fine */

/* The parts of a pass, for tests, measurements and commands, without a thread of their own.
 * Reads up to `limit` events of the log; *more: there are others. */
struct learner;
enum status learner_open(struct sticker_store *store, const struct learn_settings *settings, struct learner **out,
                         struct error *err) MUST_CHECK;
void learner_close(struct learner *l);
enum status learner_read(struct learner *l, size_t limit, bool *more, struct error *err) MUST_CHECK;
/* Makes the gains of up to `limit` queries, unless learning is frozen. */
enum status learner_teach(struct learner *l, size_t limit, bool *more, struct error *err) MUST_CHECK;

/* What is known about one sticker and query, as typed. */
struct learn_explained {
    const char *query;          /* its key */
    struct learn_tally own;     /* of this query */
    struct learn_tally overall; /* votes of all queries */
    struct learn_bias bias;
    double up_share;
    bool frozen;
    double gain;      /* that SearchService is or will be told for the query; */
    const char *from; /* "query", "alike", "all" or "nothing" */
    int64_t version;  /* of the lesson */
};
enum status learner_explain(struct learner *l, const char *query, const char *sticker_id, struct arena *a,
                            struct learn_explained *out, struct error *err) MUST_CHECK;

void learn_metrics(struct learn *l, struct buf *out);

#endif
