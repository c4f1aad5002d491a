/* labels.h: in memory, what filters ask of each document, by its id, which is a small number that is never given twice:
 * eight bytes for each. So a search that has ids alone can tell which of them pass, and every filter costs the same.
 *
 *     struct label_test test;
 *     labels_test_begin(l, &filter, &test);
 *     if (label_passes(&test, id)) ...
 *     labels_test_end(&test);
 *
 * Thread-safe: a change waits for the tests that have begun. */
#ifndef PEEL_BASE_LABELS_H
#define PEEL_BASE_LABELS_H

#include "base/filter.h"
#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define LABELS_MAX_ID ((int64_t)1 << 28) /* 2 GiB */

struct label {
    uint32_t pack;  /* the place of its name + 1; 0: there is no such document */
    uint8_t rating; /* enum rating */
    bool animated;
};
struct labels;
enum status labels_open(struct labels **out, struct error *err) MUST_CHECK;
void labels_close(struct labels *l); /* NULL is fine */
/* Adds or replaces. ERR_TOO_LARGE: an id beyond LABELS_MAX_ID. */
enum status labels_put(struct labels *l, int64_t id, const char *pack, enum rating rating, bool animated,
                       struct error *err) MUST_CHECK;
void labels_remove(struct labels *l, int64_t id); /* absent is fine */

/* A filter for many ids. */
struct label_test {
    struct labels *of;
    const struct label *labels; /* [n], by id */
    int64_t n;
    uint32_t pack; /* 0: any; UINT32_MAX: one that no document has */
    enum rating rating_most;
    int animated; /* -1: either */
};
void labels_test_begin(struct labels *l, const struct sticker_filter *f, struct label_test *out);
void labels_test_end(struct label_test *t);

static inline bool label_passes(const struct label_test *t, int64_t id)
{
    if (id < 0 || id >= t->n)
        return false;
    const struct label *l = &t->labels[id];
    return l->pack && (!t->pack || l->pack == t->pack) && l->rating <= (unsigned)t->rating_most &&
           (t->animated < 0 || l->animated == (t->animated > 0));
}

#endif
