/* fts_index.c: which segments there are. A change makes a new view, of the old one's segments and its own, and puts it
 * in the place of the old one, which lives until the last search that works on it has ended. */
#include "fts/fts_index.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE (256u << 10) /* bytes of segments that a change merges itself: some milliseconds */
#define SHARE   3            /* a segment is merged with the newer ones when they have a third of its size */

struct fts_index {
    pthread_mutex_t change; /* one change at a time; taken before `lock` */
    size_t merging;         /* how many parts, from the first on, a merge has: changes leave them; under `change` */
    pthread_mutex_t lock;   /* of `view`, held for a moment */
    struct fts_view *view;
};

/* --- views --- */

static void drop_dead(struct fts_dead *d)
{
    if (d && atomic_fetch_sub(&d->refs, 1) == 1)
        free(d);
}

void fts_view_drop(struct fts_view *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    for (size_t i = 0; i < v->n; i++) {
        fts_segment_drop(v->parts[i].segment);
        drop_dead(v->parts[i].dead);
    }
    free(v);
}

struct fts_view *fts_view_hold(struct fts_index *ix)
{
    pthread_mutex_lock(&ix->lock);
    struct fts_view *v = ix->view;
    atomic_fetch_add(&v->refs, 1);
    pthread_mutex_unlock(&ix->lock);
    return v;
}

static void publish(struct fts_index *ix, struct fts_view *v)
{
    v->documents = v->words = 0;
    for (size_t i = 0; i < v->n; i++) {
        const struct fts_part *p = &v->parts[i];
        v->documents += (int64_t)p->segment->n_docs - (p->dead ? p->dead->n : 0);
        v->words += p->segment->all_words - (p->dead ? p->dead->words : 0);
    }
    pthread_mutex_lock(&ix->lock);
    struct fts_view *old = ix->view;
    ix->view = v;
    pthread_mutex_unlock(&ix->lock);
    fts_view_drop(old);
}

static struct fts_view *make_view(size_t most)
{
    struct fts_view *v = calloc(1, sizeof *v + (most + 1) * sizeof *v->parts);
    if (v)
        atomic_init(&v->refs, 1);
    return v;
}

static void add_part(struct fts_view *v, const struct fts_part *p)
{
    v->parts[v->n++] = (struct fts_part){fts_segment_hold(p->segment), p->dead};
    if (p->dead)
        atomic_fetch_add(&p->dead->refs, 1);
}

/* A copy of the view, with room for as many more; the caller holds `change`. */
static struct fts_view *copy_view(const struct fts_index *ix, size_t more)
{
    struct fts_view *v = make_view(ix->view->n + more);
    for (size_t i = 0; v && i < ix->view->n; i++)
        add_part(v, &ix->view->parts[i]);
    return v;
}

/* The dead of a part, for the view's own. */
static bool own_dead(struct fts_part *p)
{
    size_t bytes = (p->segment->n_docs + 63) / 64 * sizeof(uint64_t);
    struct fts_dead *d = calloc(1, sizeof *d + bytes);
    if (!d)
        return false;
    if (p->dead) {
        d->n = p->dead->n;
        d->words = p->dead->words;
        memcpy(d->bits, p->dead->bits, bytes);
    }
    atomic_init(&d->refs, 1);
    drop_dead(p->dead);
    p->dead = d;
    return true;
}

/* Marks documents dead in the first n parts of a view that nobody sees yet. */
static bool bury(struct fts_view *v, size_t n, const int64_t *ids, size_t n_ids)
{
    for (size_t i = 0; i < n; i++) {
        struct fts_part *p = &v->parts[i];
        bool owned = false;
        for (size_t k = 0; k < n_ids; k++) {
            uint32_t slot = fts_segment_slot(p->segment, ids[k]);
            if (slot == UINT32_MAX || fts_is_dead(fts_dead_of(p), slot))
                continue;
            if (!owned && !own_dead(p))
                return false;
            owned = true;
            p->dead->bits[slot / 64] |= 1ull << slot % 64;
            p->dead->n++;
            p->dead->words += p->segment->words[slot];
        }
    }
    return true;
}

static enum status no_memory(struct error *err)
{
    return err_no_memory(err, "the index of terms");
}

/* --- merging --- */

static enum status merge_parts(const struct fts_part *parts, size_t n, struct fts_segment **out, struct error *err)
{
    struct fts_source *sources = reallocarray(NULL, n + 1, sizeof *sources);
    *out = NULL;
    if (!sources)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        sources[i] = (struct fts_source){parts[i].segment, fts_dead_of(&parts[i])};
    enum status st = fts_segment_merge(sources, n, out, err);
    free(sources);
    return st;
}

static size_t live_bytes(const struct fts_part *p)
{
    uint32_t n = p->segment->n_docs;
    return n ? (size_t)((double)p->segment->bytes * (n - (p->dead ? p->dead->n : 0)) / n) : 0;
}

/* The first of the parts from which on all are to be merged; n: none. Not before `least`, and of at most `most` bytes.
 */
static size_t first_to_merge(const struct fts_view *v, size_t least, size_t most)
{
    size_t newer = 0, first = v->n;
    for (size_t i = v->n; i-- > least;) {
        size_t bytes = live_bytes(&v->parts[i]);
        if (newer + bytes > most)
            break;
        if (i + 1 < v->n && bytes <= newer / SHARE)
            first = i;
        newer += bytes;
    }
    return first;
}

/* Puts a merged segment into the place of the parts of `old` from `first` on, of which some may have died meanwhile,
 * and behind which there may be newer ones. */
static enum status replace(struct fts_index *ix, const struct fts_view *old, size_t first, struct fts_segment *merged,
                           struct error *err)
{
    struct fts_view *v = make_view(ix->view->n);
    int64_t *died = NULL;
    size_t n_died = 0, n_slots = 0;
    for (size_t i = first; i < old->n; i++)
        n_slots += old->parts[i].segment->n_docs;
    bool ok = v && (died = reallocarray(NULL, n_slots + 1, sizeof *died)) != NULL;
    for (size_t i = 0; ok && i < ix->view->n; i++) {
        const struct fts_part *now = &ix->view->parts[i];
        if (i < first || i >= old->n) {
            add_part(v, now);
            continue;
        }
        if (i == first)
            v->parts[v->n++] = (struct fts_part){.segment = fts_segment_hold(merged)};
        for (uint32_t slot = 0; now->dead != old->parts[i].dead && slot < now->segment->n_docs; slot++)
            if (fts_is_dead(fts_dead_of(now), slot) && !fts_is_dead(fts_dead_of(&old->parts[i]), slot))
                died[n_died++] = now->segment->ids[slot];
    }
    ok = ok && bury(v, first + 1, died, n_died);
    free(died);
    if (ok)
        publish(ix, v);
    else
        fts_view_drop(v);
    return ok ? OK : no_memory(err);
}

/* Merges small parts; the caller holds `change`. */
static enum status merge_small(struct fts_index *ix, struct error *err)
{
    struct fts_segment *merged;
    struct fts_view *v = ix->view;
    size_t first = first_to_merge(v, ix->merging, AT_ONCE);
    if (first == v->n)
        return OK;
    enum status st = merge_parts(v->parts + first, v->n - first, &merged, err);
    if (st == OK)
        st = replace(ix, v, first, merged, err);
    fts_segment_drop(merged);
    return st;
}

/* Merges the parts from `first` on while others search and change; with a path, by way of a file. */
static enum status merge_large(struct fts_index *ix, const struct fts_view *v, size_t first, const char *path,
                               const char *tag, int64_t number, struct error *err)
{
    struct fts_segment *merged, *mapped;
    char loaded[FTS_TAG_SIZE];
    enum status st = merge_parts(v->parts + first, v->n - first, &merged, err);
    if (st == OK && path)
        st = fts_segment_save(merged, path, tag, number, err);
    if (st == OK && path && fts_segment_load(path, &mapped, loaded, &number, NULL) == OK) {
        fts_segment_drop(merged);
        merged = mapped;
    }
    pthread_mutex_lock(&ix->change);
    if (st == OK)
        st = replace(ix, v, first, merged, err);
    ix->merging = 0;
    pthread_mutex_unlock(&ix->change);
    fts_segment_drop(merged);
    return st;
}

/* The view whose parts only the caller merges, until merge_large has. */
static struct fts_view *begin_merge(struct fts_index *ix, bool all, size_t *first)
{
    pthread_mutex_lock(&ix->change);
    struct fts_view *v = fts_view_hold(ix);
    *first = all ? 0 : first_to_merge(v, 0, SIZE_MAX);
    ix->merging = all || *first < v->n ? v->n : 0;
    pthread_mutex_unlock(&ix->change);
    return v;
}

enum status fts_index_tidy(struct fts_index *ix, struct error *err)
{
    size_t first;
    struct fts_view *v = begin_merge(ix, false, &first);
    enum status st = first < v->n ? merge_large(ix, v, first, NULL, NULL, 0, err) : OK;
    fts_view_drop(v);
    return st;
}

enum status fts_index_save(struct fts_index *ix, const char *path, const char tag[FTS_TAG_SIZE], int64_t number,
                           struct error *err)
{
    size_t first;
    struct fts_view *v = begin_merge(ix, true, &first);
    enum status st = merge_large(ix, v, first, path, tag, number, err);
    fts_view_drop(v);
    return st;
}

/* --- changes --- */

bool fts_index_has(struct fts_index *ix, int64_t id, uint64_t hash)
{
    struct fts_view *v = fts_view_hold(ix);
    bool has = false;
    for (size_t i = v->n; i-- > 0 && !has;) {
        uint32_t slot = fts_segment_slot(v->parts[i].segment, id);
        has = slot != UINT32_MAX && !fts_is_dead(fts_dead_of(&v->parts[i]), slot) &&
              v->parts[i].segment->hashes[slot] == hash;
    }
    fts_view_drop(v);
    return has;
}

/* The newest part replaces what the others have of these documents. */
static enum status append(struct fts_index *ix, struct fts_segment *s, const int64_t *ids, size_t n, struct error *err)
{
    pthread_mutex_lock(&ix->change);
    struct fts_view *v = copy_view(ix, 1);
    bool ok = v && bury(v, v->n, ids, n);
    if (ok && s)
        add_part(v, &(struct fts_part){.segment = s});
    enum status st = ok ? OK : no_memory(err);
    if (ok)
        publish(ix, v);
    else
        fts_view_drop(v);
    if (st == OK && s)
        st = merge_small(ix, err);
    pthread_mutex_unlock(&ix->change);
    return st;
}

enum status fts_index_remove(struct fts_index *ix, const int64_t *ids, size_t n, struct error *err)
{
    return append(ix, NULL, ids, n, err);
}

enum status fts_index_put(struct fts_index *ix, const struct fts_document *docs, size_t n, struct error *err)
{
    struct arena a;
    arena_init(&a, SIZE_MAX);
    struct fts_part *parts = arena_array(&a, n + 1, sizeof *parts);
    int64_t *ids = arena_array(&a, n + 1, sizeof *ids);
    size_t n_new = 0;
    struct fts_segment *all = NULL;
    if (!parts || !ids) {
        arena_free(&a);
        return no_memory(err);
    }
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        if (fts_index_has(ix, docs[i].id, docs[i].hash))
            continue;
        ids[n_new] = docs[i].id;
        st = fts_segment_make(&docs[i], &parts[n_new++].segment, err);
    }
    if (st == OK && n_new == 1)
        all = fts_segment_hold(parts[0].segment);
    else if (st == OK && n_new)
        st = merge_parts(parts, n_new, &all, err);
    if (st == OK && all)
        st = append(ix, all, ids, n_new, err);
    fts_segment_drop(all);
    for (size_t i = 0; i < n_new; i++)
        fts_segment_drop(parts[i].segment);
    arena_free(&a);
    return st;
}

/* --- opening --- */

enum status fts_index_load(struct fts_index *ix, const char *path, char tag[FTS_TAG_SIZE], int64_t *number,
                           struct error *err)
{
    struct fts_segment *s;
    enum status st = fts_segment_load(path, &s, tag, number, err);
    if (st == OK)
        st = append(ix, s, NULL, 0, err);
    fts_segment_drop(s);
    return st;
}

enum status fts_index_open(struct fts_index **out, struct error *err)
{
    struct fts_index *ix = *out = calloc(1, sizeof *ix);
    if (!ix || !(ix->view = make_view(0))) {
        free(ix);
        *out = NULL;
        return no_memory(err);
    }
    pthread_mutex_init(&ix->change, NULL);
    pthread_mutex_init(&ix->lock, NULL);
    return OK;
}

void fts_index_close(struct fts_index *ix)
{
    if (!ix)
        return;
    fts_view_drop(ix->view);
    pthread_mutex_destroy(&ix->change);
    pthread_mutex_destroy(&ix->lock);
    free(ix);
}

void fts_index_size(struct fts_index *ix, struct fts_index_size *out)
{
    struct fts_view *v = fts_view_hold(ix);
    *out = (struct fts_index_size){.documents = v->documents, .segments = v->n};
    for (size_t i = 0; i < v->n; i++)
        out->bytes += v->parts[i].segment->bytes;
    fts_view_drop(v);
}
