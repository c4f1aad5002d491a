#include "sticker_service/trash.h"

#include "base/log.h"
#include "base/os.h"
#include "base/worker.h"
#include "sticker_store/sticker_admin.h"

#include <stdio.h>
#include <stdlib.h>

#define EVERY_MS (3600u * 1000)
#define ROUND    200 /* stickers */

struct trash {
    struct sticker_store *store;
    struct bucket *bucket;
    sem_t *uploads;
    int64_t days;
    struct worker *worker;
};

/* The image first: a row without one is still known, an image without a row would be forgotten. A name that is a
 * sticker's again keeps its image. */
static enum status delete_for_good(struct trash *t, const char *filename, struct arena *a, struct error *err)
{
    char key[STICKER_FILENAME_MAX + 8];
    struct sticker other;
    snprintf(key, sizeof key, "media/%s", filename);
    while (sem_wait(t->uploads) != 0)
        continue;
    enum status st = sticker_store_get(t->store, filename, a, &other, err);
    if (st == ERR_NOT_FOUND)
        st = bucket_delete(t->bucket, key, err);
    if (st == OK)
        st = sticker_store_trash_gone(t->store, filename, err);
    sem_post(t->uploads);
    return st;
}

/* *more: a whole round was due. */
static enum status empty_trash(struct trash *t, bool *more, struct error *err)
{
    struct arena a;
    const char **due;
    size_t n = 0, gone = 0;
    arena_init(&a, 4u << 20);
    enum status st = sticker_store_trash_due(t->store, os_now_us() - t->days * STORE_DAY_US, ROUND, &a, &due, &n, err);
    for (size_t i = 0; st == OK && i < n && !worker_stopping(t->worker); i++) {
        st = delete_for_good(t, due[i], &a, err);
        gone += st == OK;
    }
    arena_free(&a);
    if (gone)
        log_info("%zu stickers of the trash were deleted permanently", gone);
    *more = st == OK && n == ROUND;
    return st;
}

static void run_trash(struct worker *w, void *arg)
{
    struct trash *t = arg;
    struct error err;
    bool more;
    do {
        if (empty_trash(t, &more, &err) != OK)
            log_warn("the trash could not be emptied, and is tried again in an hour: %s", err.message);
    } while ((more && !worker_stopping(w)) || worker_rest(w, EVERY_MS));
}

enum status trash_open(struct sticker_store *store, struct bucket *bucket, sem_t *uploads, int64_t days,
                       struct trash **out, struct error *err)
{
    struct trash *t = *out = calloc(1, sizeof *t);
    if (!t)
        return err_no_memory(err, "the trash");
    *t = (struct trash){.store = store, .bucket = bucket, .uploads = uploads, .days = days};
    return worker_open("trash", run_trash, t, &t->worker, err);
}

void trash_close(struct trash *t)
{
    if (!t)
        return;
    worker_close(t->worker);
    free(t);
}

void trash_wake(struct trash *t)
{
    worker_wake(t->worker);
}
