/* metric.h: counts and times for Prometheus, in its text format 0.0.4, and where the time of one request went.
 *
 * Times are histograms of relaxed atomics with fixed bounds from 0.1 ms to 10 s: no locks. */
#ifndef PEEL_BASE_METRIC_H
#define PEEL_BASE_METRIC_H

#include "base/buf.h"
#include <stdatomic.h>
#include <stdint.h>

#define METRIC_BOUNDS 16
struct metric_times { /* all zero: nothing observed yet */
    _Atomic uint64_t bucket[METRIC_BOUNDS + 1], sum_us;
};
void metric_observe(struct metric_times *t, int64_t us);
uint64_t metric_count(const struct metric_times *t);
/* The time within which the part `q` (0..1) of what was observed was done, in microseconds: exact to the histogram's
 * bounds, and between them as if times were spread evenly. 0 without any. */
int64_t metric_quantile_us(const struct metric_times *t, double q);

/* Appended: a family's HELP and TYPE lines, then its samples. `labels`: "" or a=\"b\",c=\"d\" with values that are
 * escaped (metric_label) or need not be. */
void metric_family(struct buf *out, const char *name, const char *type, const char *help);
void metric_value(struct buf *out, const char *name, const char *labels, double value);
void metric_histogram(struct buf *out, const char *name, const char *labels, const struct metric_times *t);
/* A family with one sample without labels. */
void metric_one(struct buf *out, const char *name, const char *type, const char *help, double value);
/* The value of a label: backslash, quote and line feed escaped. */
void metric_label(struct buf *out, const char *value);
/* process_* as Prometheus' own clients name them, and peel_build_info. */
void metric_process(struct buf *out, const char *service, const char *version);

/* --- where the time of the request goes that the calling thread handles --- */
enum metric_part { METRIC_DATABASE, METRIC_PEER, METRIC_MODEL, METRIC_PARTS };
void metric_parts_clear(void);
void metric_part_add(enum metric_part part, int64_t us);
void metric_parts_get(int64_t us[METRIC_PARTS]);

#endif
