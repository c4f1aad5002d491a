#include "sticker_service/retention.h"

#include "base/log.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/worker.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY_MS (3600u * 1000)
#define BATCH    200 /* rows in one transaction */
#define PAUSE_MS 20  /* between two of them, so that others get their turns */

struct retention_worker {
    struct sticker_store *store;
    int64_t keep_us[RETENTIONS];
    atomic_uint_fast64_t forgotten[RETENTIONS];
    struct worker *worker;
};

static enum status forget_old(struct retention_worker *r, enum retention what, struct error *err)
{
    int64_t before_us = os_now_us() - r->keep_us[what], from_us = 0;
    uint64_t total = 0;
    size_t n = BATCH;
    enum status st = OK;
    while (st == OK && n == BATCH && !worker_stopping(r->worker)) {
        st = sticker_store_retain(r->store, what, before_us, BATCH, &from_us, &n, err);
        total += n;
        if (n == BATCH)
            worker_rest(r->worker, PAUSE_MS);
    }
    atomic_fetch_add(&r->forgotten[what], total);
    if (total && what != RETAIN_EVENTS)
        log_info("forgot %llu old %s", (unsigned long long)total, retention_names[what]);
    return st;
}

static void run_retention(struct worker *w, void *arg)
{
    struct retention_worker *r = arg;
    struct error err;
    do {
        for (int what = 0; what < RETENTIONS && !worker_stopping(w); what++)
            if (r->keep_us[what] && forget_old(r, (enum retention)what, &err) != OK)
                log_warn("old %s were not forgotten, and are tried again in an hour: %s", retention_names[what],
                         err.message);
    } while (worker_rest(w, EVERY_MS));
}

enum status retention_open(struct sticker_store *store, const int64_t keep_us[RETENTIONS],
                           struct retention_worker **out, struct error *err)
{
    struct retention_worker *r = *out = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(err, "the retention of data");
    r->store = store;
    memcpy(r->keep_us, keep_us, sizeof r->keep_us);
    return worker_open("retention", run_retention, r, &r->worker, err);
}

void retention_close(struct retention_worker *r)
{
    if (!r)
        return;
    worker_close(r->worker);
    free(r);
}

void retention_metrics(const struct retention_worker *r, struct buf *out)
{
    char labels[48];
    metric_family(out, "peel_sticker_forgotten_total", "counter", "Old data that was forgotten.");
    for (int what = 0; what < RETAIN_EVENTS; what++) { /* events are not counted one by one */
        snprintf(labels, sizeof labels, "what=\"%s\"", retention_names[what]);
        metric_value(out, "peel_sticker_forgotten_total", labels, (double)atomic_load(&r->forgotten[what]));
    }
}
