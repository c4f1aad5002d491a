/* experiments.h: the experiment that runs, as searches need it. The database has it (sticker_experiments.h), whoever
 * started it; here it is in memory, read again twice a second. Thread-safe. */
#ifndef PEEL_STICKER_SERVICE_EXPERIMENTS_H
#define PEEL_STICKER_SERVICE_EXPERIMENTS_H

#include "http/client.h"
#include "sticker_service/answers.h"
#include "sticker_store/sticker_experiments.h"

struct experiments;
/* Everything is borrowed until experiments_close. `answers` are cleared when another experiment runs, or none. */
enum status experiments_open(struct sticker_store *store, struct answers *answers, struct experiments **out,
                             struct error *err) MUST_CHECK;
void experiments_close(struct experiments *x); /* NULL is fine */
/* After a change made here: looks at once. */
void experiments_changed(struct experiments *x);

struct experiment_plan {
    int64_t id;
    enum experiment_kind kind;
    unsigned share;        /* percent of people who take part */
    const char *params[2]; /* of SearchService's search: "&algorithm=lexical" */
};
/* In the arena; NULL: none runs, or there is no memory. */
const struct experiment_plan *experiments_running(struct experiments *x, struct arena *a);

/* Appends what SearchService is asked for a ranking that somebody described by "algorithm=hybrid weights=words:0", with
 * spaces or & between its parts; "" is the ranking of all searches. ERR_INVALID says what is wrong. */
enum status experiments_params(const char *ranking, struct buf *params, struct error *err) MUST_CHECK;
/* Checks an experiment before it is started, and asks SearchService whether it knows both rankings. ERR_INVALID says
 * what is wrong; ERR_UNAVAILABLE, ERR_TIMEOUT. */
enum status experiments_check(struct http_client *search, const struct experiment *e, struct error *err) MUST_CHECK;

#endif
