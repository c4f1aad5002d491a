/* engine_phrases.c: the vectors of phrases, and of documents, which are their means: from the store where it has them,
 * else encoded, in small batches, so that a new document never waits long for its turn. */
#include "search_service/engine_internal.h"

#include "base/os.h"

#include <stdlib.h>
#include <string.h>

#define BATCH      64u
#define SLICE_US   100000 /* of filling, before new documents are looked for */
#define PAGE       100u
#define PAGE_BYTES (64u << 20) /* a page of documents, with their words */

/* Those that are asked for and that the model knows. */
static struct language_set languages_of(const struct engine *e, const struct engine_model *m)
{
    struct language_set set = {0};
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        if (language_set_has(&e->cfg.languages, i) && engine_model_knows(m, i))
            language_set_add(&set, i);
    return set;
}

/* One page, while nothing can change. */
static enum status read_page(struct engine *e, struct phrases *p, int64_t *after, size_t *n, struct error *err)
{
    struct arena a;
    struct document *docs;
    arena_init(&a, PAGE_BYTES);
    catalog_lock(e->cfg.catalog);
    enum status st = search_store_documents(e->cfg.store, *after, PAGE, &a, &docs, n, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        st = phrases_put(p, &docs[i], err);
    catalog_unlock(e->cfg.catalog);
    if (st == OK && *n)
        *after = docs[*n - 1].id;
    arena_free(&a);
    return st;
}

/* Models differ in what they call unlike: a cosine near 0 or, as those of the E5 family do, near 0.8. */
static enum status measure_unlike(struct engine_model *m, struct error *err)
{
    static const char *const texts[] = {
        "cat",    "tax return", "violin",  "heavy rain", "good morning", "battery",  "mountain",      "pizza",
        "so sad", "rocket",     "wedding", "no idea",    "dentist",      "football", "birthday cake", "envelope"};
    enum { N = sizeof texts / sizeof *texts };
    size_t lens[N], dim = encoder_dim(m->encoder);
    double sum = 0;
    float *vectors = malloc(N * dim * sizeof *vectors);
    for (size_t i = 0; i < N; i++)
        lens[i] = strlen(texts[i]);
    enum status st = vectors ? encoder_embed_texts(m->encoder, ENCODER_QUERY, texts, lens, N, vectors, err)
                             : err_no_memory(err, "%d vectors", N);
    for (size_t i = 0; i < N && st == OK; i++)
        for (size_t k = 0; k < i * dim; k++) /* through the vectors before it */
            sum += (double)vectors[i * dim + k % dim] * (double)vectors[k];
    double unlike = sum / (N * (N - 1) / 2.0);
    m->unlike = st == OK && unlike > 0 ? (unlike < 0.95 ? unlike : 0.95) : 0;
    free(vectors);
    return st == ERR_NO_MEMORY ? st : OK; /* a model of few words may know none of these */
}

enum status engine_load_phrases(struct engine *e, struct engine_model *m, struct error *err)
{
    struct language_set languages = languages_of(e, m);
    struct phrases *p;
    int64_t after = 0;
    if (m->class->source != ENCODER_WORDS || atomic_load(&m->phrases))
        return OK;
    enum status st = measure_unlike(m, err);
    if (st == OK)
        st = phrases_open(encoder_dim(m->encoder), &languages, &p, err);
    if (st != OK)
        return st;
    atomic_store(&m->phrases, p); /* from here on it is told of changes */
    for (size_t n = PAGE; n == PAGE && st == OK;)
        st = worker_stopping(e->worker) ? err_set(err, ERR_CANCELLED, "stopped") : read_page(e, p, &after, &n, err);
    return st;
}

struct fill {
    struct engine *e;
    struct engine_model *m;
    struct phrases *phrases;
    struct phrase_text *texts;   /* [n] */
    struct phrase_vector *known; /* [n] as the store has them */
    struct phrase_vector *made;  /* [n_made] as they go to the store */
    struct arena *arena;
    size_t n, n_made;
};

/* The phrase's vector from the encoder, or NULL where that refuses the text. */
static enum status encode_one(struct fill *f, size_t i, float *vector, const float **out, struct error *err)
{
    struct error why;
    enum status st = encoder_embed_text(f->m->encoder, ENCODER_QUERY, f->texts[i].text, f->texts[i].len, vector, &why);
    *out = st == OK ? vector : NULL;
    return st == ERR_NO_MEMORY ? err_set(err, st, "%s", why.message) : OK;
}

/* vectors: out[f->n], NULL for what the store has and for what the encoder refuses. */
static enum status encode_missing(struct fill *f, const float **vectors, struct error *err)
{
    size_t dim = encoder_dim(f->m->encoder), n = 0;
    const char *texts[BATCH];
    size_t lens[BATCH], owner[BATCH];
    float *room = arena_array(f->arena, f->n * dim, sizeof *room);
    if (!room)
        return err_no_memory(err, "%zu vectors", f->n);
    for (size_t i = 0; i < f->n; i++)
        if (!f->known[i].code) {
            owner[n] = i;
            texts[n] = f->texts[i].text;
            lens[n++] = f->texts[i].len;
        }
    if (n == 0)
        return OK;
    struct error refused;
    enum status st = encoder_embed_texts(f->m->encoder, ENCODER_QUERY, texts, lens, n, room, &refused);
    for (size_t k = 0; k < n && st == OK; k++)
        vectors[owner[k]] = room + k * dim;
    if (st == OK || st == ERR_NO_MEMORY)
        return st == OK ? OK : err_set(err, st, "%s", refused.message);
    st = OK;
    for (size_t k = 0; k < n && st == OK; k++) /* one of them is refused: each by itself */
        st = encode_one(f, owner[k], room + k * dim, &vectors[owner[k]], err);
    return st;
}

static enum status take_vectors(struct fill *f, const float *const *vectors, struct error *err)
{
    size_t bytes = phrases_code_size(f->phrases);
    for (size_t i = 0; i < f->n; i++) {
        if (!vectors[i])
            continue;
        void *code = arena_alloc(f->arena, bytes);
        if (!code)
            return err_no_memory(err, "%zu vectors", f->n);
        phrases_encode(f->phrases, vectors[i], code);
        f->known[i].code = code;
        f->made[f->n_made++] = f->known[i];
    }
    enum status st =
        f->n_made ? search_store_phrases_put(f->e->cfg.store, f->m->files.id, f->made, f->n_made, err) : OK;
    for (size_t i = 0; i < f->n && st == OK; i++)
        phrases_set(f->phrases, &f->texts[i], f->known[i].code);
    return st;
}

static enum status fill_batch(struct fill *f, struct error *err)
{
    const float **vectors = arena_array(f->arena, f->n, sizeof *vectors);
    f->known = arena_array(f->arena, f->n, sizeof *f->known);
    f->made = arena_array(f->arena, f->n, sizeof *f->made);
    if (!vectors || !f->known || !f->made)
        return err_no_memory(err, "%zu phrases", f->n);
    for (size_t i = 0; i < f->n; i++)
        f->known[i] = (struct phrase_vector){.text = f->texts[i].text, .bytes = phrases_code_size(f->phrases)};
    enum status st = search_store_phrases_get(f->e->cfg.store, f->m->files.id, f->known, f->n, f->arena, err);
    if (st == OK)
        st = encode_missing(f, vectors, err);
    return st == OK ? take_vectors(f, vectors, err) : st;
}

/* A batch of those without a vector: of these documents, or of all. *n: how many. */
static enum status fill_pending(struct engine *e, struct engine_model *m, const int64_t *of, size_t n_of, size_t *n,
                                struct error *err)
{
    struct arena a;
    struct fill f = {.e = e, .m = m, .phrases = atomic_load(&m->phrases), .arena = &a};
    arena_init(&a, 8u << 20);
    enum status st = phrases_pending(f.phrases, of, n_of, BATCH, &a, &f.texts, &f.n, err);
    if (st == OK && f.n)
        st = fill_batch(&f, err);
    *n = st == OK ? f.n : 0;
    arena_free(&a);
    return st;
}

enum status engine_fill_phrases(struct engine *e, struct engine_model *m, size_t *n, struct error *err)
{
    int64_t until = os_monotonic_us() + SLICE_US;
    enum status st = OK;
    *n = 0;
    for (size_t filled = 1; filled && st == OK && atomic_load(&m->phrases) && os_monotonic_us() < until; *n += filled)
        st = fill_pending(e, m, NULL, 0, &filled, err);
    return st;
}

enum status engine_encode_documents(struct engine *e, struct engine_model *m, const struct document *const *docs,
                                    size_t n, float *vectors, bool *made, struct error *err)
{
    struct phrases *p = atomic_load(&m->phrases);
    int64_t ids[ENGINE_BATCH];
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        ids[i] = docs[i]->id;
        st = phrases_put(p, docs[i], err);
    }
    for (size_t filled = 1; filled && st == OK && n;) /* documents may have thousands */
        st = worker_stopping(e->worker) ? err_set(err, ERR_CANCELLED, "stopped")
                                        : fill_pending(e, m, ids, n, &filled, err);
    for (size_t i = 0; i < n && st == OK; i++)
        made[i] = phrases_mean(p, ids[i], vectors + i * encoder_dim(m->encoder));
    return st;
}
