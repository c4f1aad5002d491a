#include "base/labels.h"

#include "base/buf.h"
#include "base/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct labels {
    pthread_rwlock_t lock;
    struct label *labels; /* [cap], by id */
    int64_t cap;
    char **packs; /* [n_packs], names that were ever met */
    uint32_t n_packs;
    uint32_t *table, table_size; /* place + 1 by the hash of the name; a power of two, at most half full */
};

enum status labels_open(struct labels **out, struct error *err)
{
    struct labels *l = *out = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(err, "the documents' labels");
    worker_rwlock_init(&l->lock);
    return OK;
}

void labels_close(struct labels *l)
{
    if (!l)
        return;
    for (uint32_t i = 0; i < l->n_packs; i++)
        free(l->packs[i]);
    free(l->packs);
    free(l->table);
    free(l->labels);
    pthread_rwlock_destroy(&l->lock);
    free(l);
}

/* Where the pack's place + 1 stands, or would stand. The table must have room. */
static uint32_t *pack_place(const struct labels *l, const char *pack)
{
    uint32_t at = (uint32_t)XXH3_64bits(pack, strlen(pack)) & (l->table_size - 1);
    while (l->table[at] && strcmp(l->packs[l->table[at] - 1], pack) != 0)
        at = (at + 1) & (l->table_size - 1);
    return &l->table[at];
}

static bool grow_packs(struct labels *l)
{
    uint32_t size = l->table_size ? 2 * l->table_size : 64;
    char **packs = realloc(l->packs, size / 2 * sizeof *packs);
    l->packs = packs ? packs : l->packs;
    uint32_t *table = packs ? calloc(size, sizeof *table) : NULL;
    if (!table)
        return false;
    free(l->table);
    l->table = table;
    l->table_size = size;
    for (uint32_t i = 0; i < l->n_packs; i++)
        *pack_place(l, l->packs[i]) = i + 1;
    return true;
}

/* The pack's place + 1, made if it is new; 0: no memory. */
static uint32_t take_pack(struct labels *l, const char *pack)
{
    if (2 * (l->n_packs + 1) > l->table_size && !grow_packs(l))
        return 0;
    uint32_t *place = pack_place(l, pack);
    if (!*place) {
        l->packs[l->n_packs] = buf_strndup(pack, strlen(pack));
        if (!l->packs[l->n_packs])
            return 0;
        *place = ++l->n_packs;
    }
    return *place;
}

static bool grow_labels(struct labels *l, int64_t id)
{
    int64_t cap = id < 2 * l->cap ? 2 * l->cap : id + 1024;
    struct label *labels = realloc(l->labels, (size_t)cap * sizeof *labels);
    if (!labels)
        return false;
    memset(labels + l->cap, 0, (size_t)(cap - l->cap) * sizeof *labels);
    l->labels = labels;
    l->cap = cap;
    return true;
}

enum status labels_put(struct labels *l, int64_t id, const char *pack, enum rating rating, bool animated,
                       struct error *err)
{
    if (id < 0 || id > LABELS_MAX_ID)
        return err_set(err, ERR_TOO_LARGE, "a document's label has no room for the id %lld", (long long)id);
    pthread_rwlock_wrlock(&l->lock);
    uint32_t place = id < l->cap || grow_labels(l, id) ? take_pack(l, pack) : 0;
    if (place)
        l->labels[id] = (struct label){place, (uint8_t)rating, animated};
    pthread_rwlock_unlock(&l->lock);
    return place ? OK : err_no_memory(err, "the documents' labels");
}

void labels_remove(struct labels *l, int64_t id)
{
    pthread_rwlock_wrlock(&l->lock);
    if (id >= 0 && id < l->cap)
        l->labels[id] = (struct label){0};
    pthread_rwlock_unlock(&l->lock);
}

void labels_test_begin(struct labels *l, const struct sticker_filter *f, struct label_test *out)
{
    pthread_rwlock_rdlock(&l->lock);
    *out = (struct label_test){.of = l,
                               .labels = l->labels,
                               .n = l->cap,
                               .rating_most = f->rating_most,
                               .animated = f->animated == ANIMATED_ANY ? -1 : f->animated == ANIMATED_YES};
    if (f->pack && *f->pack) {
        uint32_t place = l->table_size ? *pack_place(l, f->pack) : 0;
        out->pack = place ? place : UINT32_MAX;
    }
}

void labels_test_end(struct label_test *t)
{
    pthread_rwlock_unlock(&t->of->lock);
}
