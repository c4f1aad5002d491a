/* sticker_recall.c: stickers in memory, for searches, which would otherwise take longer to look ten of them up than all
 * else in this process takes.
 *
 * What is kept of a sticker is kept under its filename and a state of the table: how often this process has changed
 * stickers, and how often anybody has, as triggers count it. A change makes that another state, under which nothing is
 * kept yet; what was kept for the one before falls out in time. The state is asked for before the stickers are, so that
 * what is kept is never older than it. */
#include "sticker_store/sticker_columns.h"
#include "sticker_store/sticker_internal.h"

#include "base/lru.h"
#include "base/os.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (32u << 20)
#define KEPT_ONE   4096u /* bytes of a sticker; longer ones are read each time */

struct recall {
    struct lru *kept;
    atomic_uint_fast64_t ours;           /* changes by this process */
    atomic_int_fast64_t version, due_us; /* as the table was last seen; when to look again */
    store_show *show;                    /* NULL: nothing is shown */
    const void *show_ctx;
};

enum status sticker_recall_open(struct recall **out, struct error *err)
{
    struct recall *r = *out = calloc(1, sizeof *r);
    return r ? lru_open(KEPT_BYTES, KEPT_ONE / 4, &r->kept, err) : err_no_memory(err, "stickers in memory");
}

void sticker_recall_close(struct recall *r)
{
    if (r)
        lru_close(r->kept);
    free(r);
}

void sticker_store_show(struct sticker_store *s, store_show *show, const void *ctx)
{
    s->recall->show = show;
    s->recall->show_ctx = ctx;
}

enum status sticker_write(struct sticker_store *s, db_job *job, void *arg, struct error *err)
{
    enum status st = db_write(s->db, DB_DURABLE, job, arg, err);
    atomic_fetch_add(&s->recall->ours, 1);
    return st;
}

/* --- a sticker as one piece of memory --- */

struct piece {
    size_t len;
    union {
        struct sticker sticker; /* its texts are places in `bytes` */
        char bytes[KEPT_ONE];
    };
};

#define EACH_TEXT(X)                                                                                                   \
    X(0, id, TEXT, )                                                                                                   \
    X(0, filename, TEXT, )                                                                                             \
    X(0, shown, TEXT, )                                                                                                \
    STICKER_COLUMNS(X)

static bool put_text(struct piece *p, const char **text)
{
    size_t len = strlen(*text) + 1;
    if (len > sizeof p->bytes - p->len)
        return false;
    memcpy(p->bytes + p->len, *text, len);
    *text = (const char *)(uintptr_t)p->len;
    p->len += len;
    return true;
}

/* False: it does not fit. */
static bool pack(const struct recall *r, const struct sticker *sticker, struct piece *p)
{
    struct sticker k = *sticker;
    struct buf shown;
    buf_init(&shown, KEPT_ONE);
    if (r->show)
        r->show(r->show_ctx, sticker, &shown);
    bool fits = !shown.failed;
    k.shown = buf_str(&shown);
    p->len = sizeof k;
#define PACK_TEXT(member) fits = fits && put_text(p, &k.member);
#define PACK_INT(member)
#define PACK(place, member, kind, type) PACK_##kind(member)
    EACH_TEXT(PACK)
    p->sticker = k;
    buf_free(&shown);
    return fits;
}

static enum status unpack(const struct piece *p, struct arena *a, struct sticker *out, struct error *err)
{
    char *bytes = arena_alloc(a, p->len);
    if (!bytes)
        return err_no_memory(err, "stickers");
    memcpy(bytes, p->bytes, p->len);
    *out = p->sticker;
#define UNPACK_TEXT(member) out->member = bytes + (uintptr_t)out->member;
#define UNPACK_INT(member)
#define UNPACK(place, member, kind, type) UNPACK_##kind(member)
    EACH_TEXT(UNPACK)
    return OK;
}

/* --- asking --- */

/* The state of the table, of which other processes' part may be STORE_RECALL_MS old. */
static enum status state_of(struct sticker_store *s, char state[48], struct error *err)
{
    struct recall *r = s->recall;
    uint64_t ours = atomic_load(&r->ours);
    int64_t now_us = os_monotonic_us(), due_us = atomic_load(&r->due_us), version;
    enum status st = OK;
    if (now_us >= due_us &&
        atomic_compare_exchange_strong(&r->due_us, &due_us, now_us + STORE_RECALL_MS * INT64_C(1000))) {
        st = db_read_int(s->db, "SELECT version FROM curation_versions WHERE kind = 'stickers'", DB_NONE, &version,
                         NULL, err);
        if (st == OK)
            atomic_store(&r->version, version);
        else
            atomic_store(&r->due_us, 0);
    }
    snprintf(state, 48, "%" PRIu64 " %" PRId64, ours, (int64_t)atomic_load(&r->version));
    return st;
}

enum status sticker_store_recall(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                 struct sticker *out, struct error *err)
{
    char state[48];
    struct piece p;
    size_t n_missing = 0;
    const char **missing = arena_array(a, n + 1, sizeof *missing);
    size_t *places = arena_array(a, n + 1, sizeof *places);
    struct sticker *read = NULL;
    enum status st = missing && places ? state_of(s, state, err) : err_no_memory(err, "%zu stickers", n);
    for (size_t i = 0; i < n && st == OK; i++) {
        if (lru_get(s->recall->kept, state, filenames[i], strlen(filenames[i]), p.bytes, sizeof p.bytes, &p.len)) {
            st = unpack(&p, a, &out[i], err);
        } else {
            places[n_missing] = i;
            missing[n_missing++] = filenames[i];
        }
    }
    if (st != OK || !n_missing)
        return st;
    if (!(read = arena_array(a, n_missing, sizeof *read)))
        return err_no_memory(err, "%zu stickers", n_missing);
    st = sticker_store_get_many(s, missing, n_missing, a, read, err);
    for (size_t i = 0; i < n_missing && st == OK; i++) {
        out[places[i]] = read[i];
        if (read[i].filename && pack(s->recall, &read[i], &p))
            lru_put(s->recall->kept, state, missing[i], strlen(missing[i]), p.bytes, p.len);
    }
    return st;
}
