/* Encoding what has no vector yet, a batch at a time, in order of the documents' numbers.
 *
 * A model's source is the documents' images, of animations a few frames, or their words. Images are fetched and decoded
 * in parallel within a budget of pixels, and encoded together. A batch is committed to memory and store in one step
 * during which no document changes. A batch that was committed is never done again; one that was cut off by a crash is
 * not in the store and is done once more. What can never succeed is recorded with its reason; what may (a disk, a
 * network) is tried again later. */
#include "search_service/engine_internal.h"

#include "base/log.h"
#include "base/os.h"
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH        ENGINE_BATCH
#define BATCH_PIXELS (32u << 20) /* of a batch of several; a single image may have IMAGE_MAX_PIXELS */
#define SVG_SIDE     448u        /* larger than what encoders take in, so that it is only ever made smaller */
#define WAIT_MS      60000u      /* for a worker that decodes an image */
#define LIST_BYTES   (16u << 20) /* a batch's documents, with their words */

enum fate { WAITS, READ, DEFERRED, LATER, FAILED, GONE };

/* A document on its way to a vector. */
struct piece {
    const struct document *doc;
    struct image_film film; /* where the model encodes images */
    const float *vector;    /* when READ and encoded */
    enum fate fate;
    struct error err;
};

struct batch {
    struct engine *e;
    struct piece pieces[BATCH];
    size_t n;
    atomic_size_t pixels;
};

/* --- fetching --- */

/* The image that was sent with the document, else StickerService's. */
static enum status read_image(struct bucket *b, const struct document *doc, struct buf *bytes, struct error *err)
{
    static const char *const folders[] = {"index", "media"};
    char key[512], hash[65] = "";
    enum status st = ERR_NOT_FOUND;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(key, sizeof key, "%s/%s", folders[i], doc->filename);
        buf_reset(bytes);
        st = bucket_get(b, key, bytes, err);
        if (st == ERR_NOT_FOUND)
            continue;
        if (st != OK)
            return st;
        os_sha256_hex(buf_str(bytes), bytes->len, hash);
        if (strcmp(hash, doc->image_sha256) == 0)
            return OK;
        st = err_set(err, ERR_CONFLICT, "%s has the SHA-256 %.12s..., expected %.12s...", key, hash, doc->image_sha256);
    }
    return st;
}

/* Takes the image's pixels from the batch's budget; false when they do not fit beside those of others. */
static bool fits(struct batch *b, const struct sandbox_verdict *v)
{
    size_t pixels = image_is_drawing(v->kind) ? (size_t)SVG_SIDE * SVG_SIDE : (size_t)v->width * v->height;
    if (v->motion.frames > 1 && pixels <= IMAGE_FILM_PIXELS)
        pixels *= IMAGE_FILM_FRAMES;
    size_t before = atomic_fetch_add(&b->pixels, pixels);
    if (before == 0 || before + pixels <= BATCH_PIXELS)
        return true;
    atomic_fetch_sub(&b->pixels, pixels);
    return false;
}

static void fetch_image(void *arg, size_t i)
{
    struct batch *b = arg;
    struct piece *p = &b->pieces[i];
    struct buf bytes;
    os_stand_back();
    buf_init(&bytes, IMAGE_MAX_BYTES);
    struct sandbox_verdict found;
    enum status st = read_image(b->e->cfg.bucket, p->doc, &bytes, &p->err);
    struct sandbox_image file = {
        .data = buf_str(&bytes), .len = bytes.len, .sha256 = p->doc->image_sha256, .wait_ms = WAIT_MS};
    if (st == OK)
        st = sandbox_probe(b->e->cfg.sandbox, &file, &found, &p->err);
    if (st == OK && !fits(b, &found)) {
        p->fate = DEFERRED;
    } else {
        if (st == OK)
            st = sandbox_film(b->e->cfg.sandbox, &file, SVG_SIDE, &p->film, &p->err);
        bool passing =
            st == ERR_IO || st == ERR_UNAVAILABLE || st == ERR_TIMEOUT || st == ERR_DENIED || st == ERR_NO_MEMORY;
        p->fate = st == OK ? READ : passing ? LATER : FAILED;
    }
    buf_free(&bytes);
}

/* --- encoding --- */

/* vectors: room for [BATCH, dim], here and below. */
static enum status encode_words(struct engine *e, struct batch *b, struct engine_model *m, float *vectors,
                                struct error *err)
{
    const struct document *docs[BATCH];
    bool made[BATCH] = {false};
    for (size_t i = 0; i < b->n; i++)
        docs[i] = b->pieces[i].doc;
    enum status st = engine_encode_documents(e, m, docs, b->n, vectors, made, err);
    for (size_t i = 0; i < b->n && st == OK; i++) {
        struct piece *p = &b->pieces[i];
        p->vector = vectors + i * encoder_dim(m->encoder);
        p->fate = made[i] ? READ : FAILED;
        if (!made[i])
            err_set(&p->err, ERR_NOT_FOUND, "the model understands none of its title and keywords");
    }
    return st;
}

/* When the encoder refuses the batch, its images go one by one, and the one that is refused becomes FAILED. */
static enum status encode_images(struct engine *e, struct batch *b, struct engine_model *m, float *vectors,
                                 struct error *err)
{
    struct image_film films[BATCH];
    struct piece *owner[BATCH];
    size_t n = 0, dim = encoder_dim(m->encoder);
    for (size_t i = 0; i < b->n; i++)
        if (b->pieces[i].fate == READ) {
            owner[n] = &b->pieces[i];
            owner[n]->vector = vectors + n * dim;
            films[n++] = b->pieces[i].film;
        }
    if (n == 0)
        return OK;
    int64_t began_us = os_monotonic_us();
    enum status st = encoder_embed_films(m->encoder, films, n, vectors, err);
    metric_observe(&e->times.images, os_monotonic_us() - began_us);
    atomic_fetch_add_explicit(&e->times.encoded, n, memory_order_relaxed);
    if (st == OK || st == ERR_NO_MEMORY)
        return st;
    for (size_t i = 0; i < n; i++) {
        st = encoder_embed_films(m->encoder, &films[i], 1, vectors + i * dim, &owner[i]->err);
        if (st == ERR_NO_MEMORY)
            return err_set(err, st, "%s", owner[i]->err.message);
        if (st != OK)
            owner[i]->fate = FAILED;
    }
    return OK;
}

/* --- committing --- */

/* Is the document still what was read when the batch began? */
static enum status still_same(struct engine *e, const struct engine_model *m, const struct document *doc, bool *same,
                              struct error *err)
{
    struct arena a;
    struct document now;
    arena_init(&a, LIST_BYTES);
    enum status st = search_store_get(e->cfg.store, doc->filename, &a, &now, err);
    *same = st == OK && now.id == doc->id && strcmp(engine_source_of(m, &now), engine_source_of(m, doc)) == 0;
    arena_free(&a);
    return st == ERR_NOT_FOUND ? OK : st;
}

/* The vectors of the pictures that are still READ, moved together at the front of `vectors`. */
static enum status commit_vectors(struct engine *e, struct engine_model *m, const struct batch *b, float *vectors,
                                  struct error *err)
{
    struct vectors *v = atomic_load(&m->vectors);
    size_t dim = encoder_dim(m->encoder), n = 0, put = 0;
    int64_t ids[BATCH];
    const char *sources[BATCH];
    for (size_t i = 0; i < b->n; i++) {
        const struct piece *p = &b->pieces[i];
        if (p->fate != READ)
            continue;
        memmove(vectors + n * dim, p->vector, dim * sizeof *vectors);
        ids[n] = p->doc->id;
        sources[n++] = engine_source_of(m, p->doc);
    }
    enum status st = OK;
    while (put < n && (st = vectors_put(v, ids[put], vectors + put * dim, err)) == OK)
        put++;
    if (st == OK && n)
        st = search_store_vectors_put(e->cfg.store, m->files.id, dim, ids, sources, vectors, n, err);
    while (st != OK && put > 0)
        vectors_remove(v, ids[--put]);
    return st == OK ? vectors_refresh(v, err) : st;
}

static enum status commit(struct engine *e, struct engine_model *m, struct batch *b, float *vectors, struct error *err)
{
    catalog_lock(e->cfg.catalog);
    enum status st = OK;
    for (size_t i = 0; i < b->n && st == OK; i++) {
        struct piece *p = &b->pieces[i];
        bool same = true;
        if (p->fate == READ || p->fate == FAILED)
            st = still_same(e, m, p->doc, &same, err);
        if (!same)
            p->fate = GONE;
    }
    if (st == OK)
        st = commit_vectors(e, m, b, vectors, err);
    struct phrases *phrases = atomic_load(&m->phrases);
    for (size_t i = 0; i < b->n && st == OK; i++) {
        const struct piece *p = &b->pieces[i];
        if (p->fate == GONE && phrases)
            phrases_remove(phrases, p->doc->id); /* what it is now comes as new work */
        if (p->fate != FAILED)
            continue;
        log_warn("model %s: cannot encode %s: %s", m->files.id, p->doc->filename, p->err.message);
        st = search_store_vector_failed(e->cfg.store, m->files.id, p->doc->id, p->err.message, err);
    }
    catalog_unlock(e->cfg.catalog);
    return st;
}

/* Where the next batch begins, and what is tried again at the next tick. */
static void advance(struct engine *e, struct engine_model *m, const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const struct piece *p = &b->pieces[i];
        if (p->fate == DEFERRED)
            return;
        m->cursor = p->doc->id;
        if (p->fate != LATER && p->fate != FAILED)
            continue;
        engine_set_error(e, m, p->err.message);
        if (p->fate == LATER && p->doc->id - 1 < m->retry_from)
            m->retry_from = p->doc->id - 1;
    }
}

enum status engine_fill(struct engine *e, struct engine_model *m, size_t *n, struct error *err)
{
    *n = 0;
    if (m->class->source == ENCODER_IMAGE && !e->cfg.bucket)
        return OK;
    pthread_mutex_lock(&e->mutex);
    if (m->work_after < m->cursor)
        m->cursor = m->work_after;
    m->work_after = INT64_MAX;
    pthread_mutex_unlock(&e->mutex);
    struct arena a;
    struct document *docs;
    struct batch *b = calloc(1, sizeof *b);
    float *vectors = malloc(BATCH * encoder_dim(m->encoder) * sizeof *vectors);
    arena_init(&a, LIST_BYTES);
    enum status st = b && vectors ? OK : err_no_memory(err, "a batch of documents");
    size_t found = 0;
    if (st == OK)
        st = search_store_unindexed(e->cfg.store, m->files.id, m->cursor, BATCH, &a, &docs, &found, err);
    if (st == OK && found == 0)
        m->cursor = INT64_MAX; /* to look again at each tick would read all documents */
    if (st != OK || found == 0)
        goto out;
    b->e = e;
    b->n = found;
    for (size_t i = 0; i < found; i++)
        b->pieces[i].doc = &docs[i];
    if (m->class->source == ENCODER_WORDS) {
        st = encode_words(e, b, m, vectors, err);
    } else {
        pool_for(e->decode, found, fetch_image, b);
        st = encode_images(e, b, m, vectors, err);
    }
    if (st == OK)
        st = commit(e, m, b, vectors, err);
    if (st != OK)
        goto out;
    advance(e, m, b);
    for (size_t i = 0; i < found; i++)
        *n += b->pieces[i].fate != DEFERRED;
out:
    for (size_t i = 0; b && i < b->n; i++)
        image_free(&b->pieces[i].film.strip);
    arena_free(&a);
    free(vectors);
    free(b);
    return st;
}
