/* fts_segment_merge.c: many segments as one. Their entries are met in the order of terms, by a heap of walks. */
#include "fts/fts_segment.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>

struct place { /* of a document */
    int64_t id;
    uint32_t source, slot;
};
struct posting {
    uint32_t slot, value;
};

struct merge {
    struct arena arena; /* of all but the postings and the writer */
    const struct fts_source *sources;
    size_t n;
    uint32_t **slots;   /* [n][n_docs] what a slot becomes; UINT32_MAX: nothing */
    uint32_t **sets;    /* [n][n_sets] what a set of languages becomes; UINT32_MAX: it is not known yet */
    struct place *docs; /* [n_docs] */
    uint32_t n_docs;
    struct fts_entries *walks; /* [n] */
    size_t *heap, n_heap;      /* of those that have an entry, the one with the least term first */
    struct posting *postings;  /* of the term at hand */
    size_t n_postings, cap_postings;
    struct fts_writer writer;
};

static int places_by_id(const void *x, const void *y)
{
    const struct place *a = x, *b = y;
    return (a->id > b->id) - (a->id < b->id);
}

static bool number_documents(struct merge *m)
{
    size_t most = 0;
    for (size_t i = 0; i < m->n; i++)
        most += m->sources[i].segment->n_docs;
    m->docs = most < UINT32_MAX / 2 ? arena_array(&m->arena, most + 1, sizeof *m->docs) : NULL;
    if (!m->docs)
        return false;
    for (size_t i = 0; i < m->n; i++) {
        const struct fts_segment *s = m->sources[i].segment;
        m->slots[i] = arena_array(&m->arena, s->n_docs + 1u, sizeof **m->slots);
        m->sets[i] = arena_array(&m->arena, s->n_sets + 1u, sizeof **m->sets);
        if (!m->slots[i] || !m->sets[i])
            return false;
        memset(m->sets[i], 0xff, s->n_sets * sizeof **m->sets);
        for (uint32_t slot = 0; slot < s->n_docs; slot++) {
            m->slots[i][slot] = UINT32_MAX;
            if (!fts_is_dead(m->sources[i].dead, slot))
                m->docs[m->n_docs++] = (struct place){s->ids[slot], (uint32_t)i, slot};
        }
    }
    if (m->n > 1)
        qsort(m->docs, m->n_docs, sizeof *m->docs, places_by_id);
    for (uint32_t i = 0; i < m->n_docs; i++)
        m->slots[m->docs[i].source][m->docs[i].slot] = i;
    return true;
}

/* --- the heap --- */

static int compare_walks(const struct merge *m, size_t x, size_t y)
{
    const struct fts_entries *a = &m->walks[x], *b = &m->walks[y];
    int order = memcmp(a->term, b->term, a->len < b->len ? a->len : b->len);
    return order ? order : (a->len > b->len) - (a->len < b->len);
}

static void sink_walk(struct merge *m, size_t at)
{
    for (size_t child; (child = 2 * at + 1) < m->n_heap; at = child) {
        if (child + 1 < m->n_heap && compare_walks(m, m->heap[child + 1], m->heap[child]) < 0)
            child++;
        if (compare_walks(m, m->heap[at], m->heap[child]) <= 0)
            return;
        size_t other = m->heap[at];
        m->heap[at] = m->heap[child];
        m->heap[child] = other;
    }
}

/* The first walk goes on. */
static void advance_walk(struct merge *m)
{
    if (!fts_entries_next(&m->walks[m->heap[0]]))
        m->heap[0] = m->heap[--m->n_heap];
    sink_walk(m, 0);
}

static void begin_walks(struct merge *m)
{
    for (size_t i = 0; i < m->n; i++) {
        fts_entries_seek(m->sources[i].segment, "", 0, &m->walks[i]);
        if (fts_entries_next(&m->walks[i]))
            m->heap[m->n_heap++] = i;
    }
    for (size_t i = m->n_heap; i-- > 0;)
        sink_walk(m, i);
}

/* --- entries --- */

/* What a value is in the new segment; UINT32_MAX: none, as it was damaged, or for want of memory. */
static uint32_t translate(struct merge *m, size_t source, bool is_set, uint32_t value)
{
    const struct fts_segment *s = m->sources[source].segment;
    if (!is_set)
        return value;
    if (value >= s->n_sets)
        return UINT32_MAX;
    uint32_t *known = &m->sets[source][value];
    if (*known == UINT32_MAX)
        *known = fts_writer_set(&m->writer, &s->sets[value]);
    return *known;
}

static bool add_postings(struct merge *m, size_t source)
{
    const struct fts_entries *e = &m->walks[source];
    uint32_t n_docs = m->sources[source].segment->n_docs;
    size_t most = m->n_postings + (size_t)(e->postings_end - e->postings);
    if (most > m->cap_postings) {
        size_t cap = 2 * most;
        struct posting *grown = reallocarray(m->postings, cap, sizeof *grown);
        if (!grown)
            return false;
        m->postings = grown;
        m->cap_postings = cap;
    }
    for (struct fts_postings p = fts_postings_of(e); fts_postings_next(&p, n_docs);) {
        uint32_t slot = m->slots[source][p.slot];
        if (slot == UINT32_MAX)
            continue;
        uint32_t value = translate(m, source, e->term[0] == 'l', p.value);
        if (value != UINT32_MAX)
            m->postings[m->n_postings++] = (struct posting){slot, value};
    }
    return true;
}

static int postings_by_slot(const void *x, const void *y)
{
    const struct posting *a = x, *b = y;
    return (a->slot > b->slot) - (a->slot < b->slot);
}

/* The least term, of all segments that have it. */
static bool merge_term(struct merge *m)
{
    char term[FTS_MAX_TERM + 1];
    size_t first = m->heap[0], len = m->walks[first].len, n = 0;
    bool ok = true;
    memcpy(term, m->walks[first].term, len);
    m->n_postings = 0;
    do {
        ok = ok && add_postings(m, m->heap[0]);
        advance_walk(m);
        n++;
    } while (m->n_heap && m->walks[m->heap[0]].len == len && memcmp(m->walks[m->heap[0]].term, term, len) == 0);
    if (n > 1)
        qsort(m->postings, m->n_postings, sizeof *m->postings, postings_by_slot);
    for (size_t i = 0; i < m->n_postings; i++)
        fts_writer_posting(&m->writer, m->postings[i].slot, m->postings[i].value);
    fts_writer_term(&m->writer, term, len);
    return ok;
}

static enum status end_merge(struct merge *m, struct fts_segment **out, struct error *err)
{
    int64_t *ids = arena_array(&m->arena, m->n_docs + 1u, sizeof *ids);
    uint64_t *hashes = arena_array(&m->arena, m->n_docs + 1u, sizeof *hashes);
    uint32_t *words = arena_array(&m->arena, m->n_docs + 1u, sizeof *words);
    if (!ids || !hashes || !words)
        return err_no_memory(err, "the index of terms");
    for (uint32_t i = 0; i < m->n_docs; i++) {
        const struct place *p = &m->docs[i];
        const struct fts_segment *s = m->sources[p->source].segment;
        ids[i] = p->id;
        hashes[i] = s->hashes[p->slot];
        words[i] = s->words[p->slot];
    }
    return fts_writer_end(&m->writer, ids, hashes, words, m->n_docs, out, err);
}

enum status fts_segment_merge(const struct fts_source *sources, size_t n, struct fts_segment **out, struct error *err)
{
    struct merge m = {.sources = sources, .n = n};
    *out = NULL;
    arena_init(&m.arena, SIZE_MAX);
    fts_writer_begin(&m.writer);
    m.slots = arena_array(&m.arena, n + 1, sizeof *m.slots);
    m.sets = arena_array(&m.arena, n + 1, sizeof *m.sets);
    m.walks = arena_array(&m.arena, n + 1, sizeof *m.walks);
    m.heap = arena_array(&m.arena, n + 1, sizeof *m.heap);
    bool ok = m.slots && m.sets && m.walks && m.heap && number_documents(&m);
    if (ok)
        begin_walks(&m);
    while (ok && m.n_heap)
        ok = merge_term(&m);
    enum status st = ok ? end_merge(&m, out, err) : err_no_memory(err, "the index of terms");
    fts_writer_free(&m.writer);
    free(m.postings);
    arena_free(&m.arena);
    return st;
}
