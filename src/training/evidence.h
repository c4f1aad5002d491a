/* evidence.h: what people said and did about the stickers of a search, added up from the log, the scores and the votes.
 * The room src/training makes training sets and judgements of it (training.h). It sees base, text and sticker_store.
 *
 * Searches are one if text_fold_query makes one text of them. Any number of events is read in the same memory: they are
 * sorted in files (base/sorter.h). */
#ifndef PEEL_TRAINING_EVIDENCE_H
#define PEEL_TRAINING_EVIDENCE_H

#include "sticker_store/sticker_events.h"

#define EVIDENCE_STICKERS 1000 /* of a search: those of which most is known */
#define EVIDENCE_SEEN     500  /* likewise */
#define EVIDENCE_DEPTH    10   /* ranks of which it is known what was seen there */
#define EVIDENCE_CLIP     10.0 /* the most that something seen counts: 1 / propensity is larger where it is rare */

/* Whose votes, and whose events, count. (The others are clients all the same.) */
enum evidence_voters {
    EVIDENCE_ALL,
    EVIDENCE_TAUGHT,  /* but those who are kept for judging (split.h) */
    EVIDENCE_HELD_OUT /* only the votes of those */
};
struct evidence_config {
    struct sticker_store *store; /* borrowed, as is the next */
    const char *folder;          /* for temporary files */
    int64_t after, until;        /* events with numbers above the one, up to the other */
    int64_t min_clients; /* only searches of so many; votes and events of unknown clients count as one client's */
    enum evidence_voters voters;
    bool seen; /* tell that too */
};

struct evidence_sticker {
    char name[STICKER_FILENAME_MAX + 1];
    int64_t up, down;
    int64_t chosen;  /* in how many searches it was clicked, copied, shared or made a favourite */
    int64_t shown;   /* in how many it was seen */
    int64_t skipped; /* in how many it was seen and not chosen, and one below it was (Joachims, KDD 2002) */
};
/* A sticker that was seen at a rank, by everybody's events. */
struct evidence_seen {
    char name[STICKER_FILENAME_MAX + 1];
    unsigned rank;        /* 1 .. EVIDENCE_DEPTH */
    double shown, chosen; /* weighted by 1 / propensity */
};
struct evidence_query {
    const char *query;    /* folded */
    const char *language; /* that most searches were in; "" where no search is known */
    int64_t clients;
    const struct evidence_sticker *stickers; /* by strength, falling, then by name */
    size_t n;
    int64_t dropped; /* stickers beyond EVIDENCE_STICKERS */
    const struct evidence_seen *seen;
    size_t n_seen;
};

struct evidence;
/* Reads everything. */
enum status evidence_open(const struct evidence_config *cfg, struct evidence **out, struct error *err) MUST_CHECK;
/* The next search, by its bytes, until the next call; *found is false at the end. */
enum status evidence_next(struct evidence *e, struct evidence_query *out, bool *found, struct error *err) MUST_CHECK;
/* Of what was read: events, and searches of too few clients so far. */
int64_t evidence_events(const struct evidence *e);
int64_t evidence_too_few(const struct evidence *e);
/* The rankings that events were of, with their numbers; false past the last. */
bool evidence_ranking(const struct evidence *e, size_t i, const char **name, int64_t *events);
void evidence_close(struct evidence *e); /* NULL is fine */

#endif
