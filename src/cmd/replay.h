/* replay.h: searches that people made, asked again of two rankings, to see whether the second one loses. */
#ifndef PEEL_CMD_REPLAY_H
#define PEEL_CMD_REPLAY_H

#include "config/config.h"
#include "eval/measures.h"

#include <jansson.h>
#include <stdbool.h>

#define REPLAY_LEAST 20u /* searches, or judged queries: of fewer nothing is concluded */

enum replay_verdict { REPLAY_UNDECIDED, REPLAY_BETTER, REPLAY_WORSE };

struct replay_measure {
    const char *name;
    size_t n;                       /* queries that it is of */
    struct interval sides[2], gain; /* of A and of B; B less A, paired by query */
    bool judges;                    /* false: it is told, and nothing follows from it */
    enum replay_verdict verdict;    /* of B: whether the interval of the gain leaves 0 out */
};
struct replay {
    const char *rankings[2]; /* as experiments_params reads them (sticker_service/experiments.h) */
    const char *only;        /* a language: searches in others keep ranking A; NULL: none */
    const char *judged;      /* a file of judged queries, or NULL */
    /* set: */
    int64_t known, replayed; /* searches of enough clients; those of them that were asked again */
    double changed, overlap; /* share of searches whose first ten differ; mean share of stickers that are in both */
    struct replay_measure measures[3];
    size_t n_measures;
    enum replay_verdict verdict; /* worse if by any measure, else better if by any */
    bool decides;                /* some measure that judges has enough queries */
};
/* Reads the log, and asks the running SearchService, both as the options say. */
enum status replay_run(const struct config *cfg, struct replay *r, struct error *err) MUST_CHECK;
void replay_print(const struct replay *r);
json_t *replay_json(const struct replay *r);

#endif
