#include "search_service/ranking.h"
#include "rank/document_text.h"

#include "base/log.h"
#include "text/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FUSION_DEPTH 200u /* results of each leg that take part; deeper ones hardly count, and each costs time */
#define RANKING_ALL  SIZE_MAX
#define FUSION_K     60.0 /* Cormack, Clarke and Buettcher, "Reciprocal rank fusion", SIGIR 2009 */

/* --- pages --- */

/* From all results, best first, to the page that was asked for. */
static void cut_page(const struct ranking_query *q, struct ranked *items, size_t n, struct ranking *out)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i].score >= q->min_score && !(q->like && items[i].id == q->like->id))
            items[kept++] = items[i];
    out->total = (int64_t)kept;
    out->items = items + (q->offset < kept ? q->offset : kept);
    out->n = q->offset >= kept ? 0 : kept - q->offset < q->limit ? kept - q->offset : q->limit;
}

/* Looks up the names of the page. A document that was deleted a moment ago has none and drops out. */
static enum status name_page(struct search_store *store, struct arena *a, struct ranking *out, struct error *err)
{
    int64_t *ids = arena_array(a, out->n + 1, sizeof *ids);
    const char **names = arena_array(a, out->n + 1, sizeof *names);
    if (!ids || !names)
        return err_no_memory(err, "the results");
    size_t unnamed = 0, kept = 0;
    for (size_t i = 0; i < out->n; i++)
        if (!out->items[i].filename)
            ids[unnamed++] = out->items[i].id;
    enum status st = unnamed ? search_store_filenames(store, ids, unnamed, a, names, err) : OK;
    if (st != OK)
        return st;
    for (size_t i = 0, k = 0; i < out->n; i++) {
        struct ranked r = out->items[i];
        if (!r.filename)
            r.filename = names[k++];
        if (r.filename)
            out->items[kept++] = r;
    }
    out->total -= (int64_t)(out->n - kept);
    out->n = kept;
    return OK;
}

/* --- the words' leg --- */

static enum status read_words(const struct ranking_query *q, bool complete_last, struct arena *a,
                              struct term_query *out, struct error *err)
{
    const char *text = q->text;
    size_t len = q->text_len;
    enum status st = q->like ? document_text(q->like, a, &text, &len, err) : OK;
    return st == OK ? text_query(text, len, q->language, complete_last && !q->like, a, out, err) : st;
}

static enum status lexical_hits(struct search_store *store, const struct term_query *w, size_t limit, size_t offset,
                                struct arena *a, struct ranked **out, size_t *n, int64_t *total, struct error *err)
{
    struct search_hit *hits;
    *n = 0;
    enum status st = search_store_lexical(store, w, limit, offset, a, &hits, n, total, err);
    if (st != OK)
        return st;
    *out = arena_array(a, *n + 1, sizeof **out);
    if (!*out)
        return err_no_memory(err, "the results");
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (struct ranked){.id = hits[i].id, .filename = hits[i].filename, .score = hits[i].score};
    return OK;
}

static enum status word_hits(const struct ranking_query *q, size_t limit, struct arena *a, struct ranked **out,
                             size_t *n, const char **corrected, struct error *err)
{
    struct meaning_hit *hits;
    enum status st = meanings_search(q->words, q->text, q->text_len, limit, a, &hits, n, corrected, err);
    if (st != OK)
        return st;
    *out = arena_array(a, *n + 1, sizeof **out);
    if (!*out)
        return err_no_memory(err, "the results");
    for (size_t i = 0; i < *n; i++)
        (*out)[i] = (struct ranked){.id = hits[i].id, .score = hits[i].score};
    return OK;
}

static enum status by_words(struct search_store *store, const struct ranking_query *q, bool complete_last,
                            struct arena *a, struct ranking *out, struct error *err)
{
    struct term_query w;
    struct ranked *items;
    size_t n;
    int64_t total;
    bool windowed = q->like || q->min_score > -INFINITY;
    *out = (struct ranking){.legs = RANKING_LEXICAL};
    enum status st = read_words(q, complete_last, a, &w, err);
    if (st == OK)
        st = lexical_hits(store, &w, windowed ? RANKING_WINDOW : q->limit, windowed ? 0 : q->offset, a, &items, &n,
                          &total, err);
    if (st != OK)
        return st;
    if (windowed)
        cut_page(q, items, n, out);
    else
        *out = (struct ranking){.items = items, .n = n, .total = total, .legs = RANKING_LEXICAL};
    return OK;
}

static enum status rank_lexical(struct search_store *store, struct engine *engine, const struct ranking_query *q,
                                struct arena *a, struct ranking *out, struct error *err)
{
    (void)engine;
    return by_words(store, q, true, a, out, err);
}

/* Without a lexicon, and for what is like a document: whole words, the last one is not taken for the beginning
 * of a longer one. */
static enum status rank_words(struct search_store *store, struct engine *engine, const struct ranking_query *q,
                              struct arena *a, struct ranking *out, struct error *err)
{
    (void)engine;
    struct ranked *items;
    size_t n;
    if (!q->words || q->like)
        return by_words(store, q, false, a, out, err);
    *out = (struct ranking){.legs = RANKING_WORDS};
    enum status st = word_hits(q, RANKING_ALL, a, &items, &n, &out->corrected, err);
    if (st != OK)
        return st;
    cut_page(q, items, n, out);
    return name_page(store, a, out, err);
}

/* --- the vectors' leg --- */

static enum status check_model(const struct ranking_query *q, struct error *err)
{
    if (!q->model)
        return err_set(err, ERR_UNAVAILABLE,
                       "no model is installed: \"peel model pull openai/clip-vit-base-patch32\" gets one");
    enum engine_state state = engine_model_state(q->model);
    if (state != ENGINE_READY)
        return err_set(err, ERR_UNAVAILABLE, "model %s is %s", engine_model_id(q->model), engine_state_name(state));
    return OK;
}

/* ERR_NOT_FOUND: the document of `like` has no vector. */
static enum status vector_hits(struct engine *engine, const struct ranking_query *q, size_t k, struct arena *a,
                               struct ranked **out, size_t *n, struct error *err)
{
    enum status st = check_model(q, err);
    if (st != OK)
        return st;
    size_t count = engine_searched(q->model);
    k = k > VECTORS_MAX_K ? VECTORS_MAX_K : k;
    k = k > count ? (count ? count : 1) : k;
    float *vector = arena_array(a, engine_dim(q->model), sizeof *vector);
    struct vectors_hit *hits;
    *out = arena_array(a, k, sizeof **out);
    if (!vector || !*out)
        return err_no_memory(err, "the results");
    if (q->like)
        st = engine_vector(engine, q->model, q->like->id, vector, err);
    else
        st = engine_embed(engine, q->model, q->text, q->text_len, vector, err);
    if (st == OK)
        st = engine_nearest(engine, q->model, vector, k, a, &hits, n, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        (*out)[i] = (struct ranked){.id = hits[i].id, .score = (double)hits[i].score};
    return st;
}

static enum status rank_vector(struct search_store *store, struct engine *engine, const struct ranking_query *q,
                               struct arena *a, struct ranking *out, struct error *err)
{
    struct ranked *items;
    size_t n = 0;
    bool windowed = q->like || q->min_score > -INFINITY;
    *out = (struct ranking){.legs = RANKING_VECTOR};
    size_t k = q->offset + q->limit;
    enum status st = vector_hits(engine, q, windowed && k < RANKING_WINDOW ? RANKING_WINDOW : k, a, &items, &n, err);
    if (st == ERR_NOT_FOUND)
        return err_set(err, ERR_UNAVAILABLE, "%s has no vector of model %s yet", q->like->filename,
                       engine_model_id(q->model));
    if (st != OK)
        return st;
    cut_page(q, items, n, out);
    if (!windowed) { /* everything that has a vector is a result, the last one the least like it */
        size_t all = engine_searched(q->model);
        out->total = (int64_t)(all < VECTORS_MAX_K ? all : VECTORS_MAX_K);
    }
    return name_page(store, a, out, err);
}

/* --- both --- */

struct fused {
    struct ranked item;
    unsigned lexical, vector, words; /* ranks from 1; 0: not among that leg's results */
};

static int by_id(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    return (a->item.id > b->item.id) - (a->item.id < b->item.id);
}

/* Equal scores: the better lexical rank first, then vector, then words; no two share all. */
static int by_fused_score(const void *x, const void *y)
{
    const struct fused *a = x, *b = y;
    if (a->item.score != b->item.score)
        return a->item.score < b->item.score ? 1 : -1;
    unsigned la = a->lexical - 1u, lb = b->lexical - 1u; /* 0, absent, becomes the largest */
    unsigned va = a->vector - 1u, vb = b->vector - 1u;
    unsigned wa = a->words - 1u, wb = b->words - 1u;
    return la != lb ? (la > lb) - (la < lb) : va != vb ? (va > vb) - (va < vb) : (wa > wb) - (wa < wb);
}

static double fused_score(const struct ranking_query *q, const struct fused *f)
{
    return (f->lexical ? q->weight_lexical / (FUSION_K + f->lexical) : 0) +
           (f->vector ? q->weight_vector / (FUSION_K + f->vector) : 0) +
           (f->words ? q->weight_words / (FUSION_K + f->words) : 0);
}

static enum status fuse(const struct ranking_query *q, const struct ranked *lexical, size_t n_lexical,
                        const struct ranked *vector, size_t n_vector, const struct ranked *words, size_t n_words,
                        struct arena *a, struct ranking *out, struct error *err)
{
    size_t n = n_lexical + n_vector + n_words, merged = 0;
    struct fused *all = arena_array(a, n + 1, sizeof *all);
    struct ranked *items = arena_array(a, n + 1, sizeof *items);
    if (!all || !items)
        return err_no_memory(err, "the results");
    for (size_t i = 0; i < n_lexical; i++)
        all[i] = (struct fused){.item = lexical[i], .lexical = (unsigned)i + 1};
    for (size_t i = 0; i < n_vector; i++)
        all[n_lexical + i] = (struct fused){.item = vector[i], .vector = (unsigned)i + 1};
    for (size_t i = 0; i < n_words; i++)
        all[n_lexical + n_vector + i] = (struct fused){.item = words[i], .words = (unsigned)i + 1};
    qsort(all, n, sizeof *all, by_id);
    for (size_t i = 0; i < n; i++) {
        struct fused *last = merged ? &all[merged - 1] : NULL;
        if (last && last->item.id == all[i].item.id) {
            last->lexical += all[i].lexical;
            last->vector += all[i].vector;
            last->words += all[i].words;
            if (!last->item.filename)
                last->item.filename = all[i].item.filename;
        } else {
            all[merged++] = all[i];
        }
    }
    for (size_t i = 0; i < merged; i++)
        all[i].item.score = fused_score(q, &all[i]);
    qsort(all, merged, sizeof *all, by_fused_score);
    for (size_t i = 0; i < merged; i++)
        items[i] = all[i].item;
    cut_page(q, items, merged, out);
    return OK;
}

/* For a query that nothing answers: its last word shortened, until something begins like that; by half at most and
 * to four bytes at least. Words of one family begin alike: "abuelita", "Hündchen", "Geburtstagstorte", "mouthless". */
static enum status family_hits(struct search_store *store, const struct ranking_query *q, struct arena *a,
                               struct ranked **out, size_t *n, struct error *err)
{
    size_t begin = q->text_len, len = q->text_len;
    while (begin > 0 && q->text[begin - 1] != ' ')
        begin--;
    size_t least = (len - begin) / 2 > 4 ? (len - begin) / 2 : 4;
    enum status st = OK;
    while (st == OK && *n == 0 && len > begin + least) {
        struct term_query w;
        int64_t total;
        do
            len--;
        while (((unsigned char)q->text[len] & 0xc0) == 0x80); /* whole code points */
        if (len < begin + least)
            break;
        st = text_query(q->text, len, q->language, true, a, &w, err);
        if (st == OK && w.n_stems)
            st = lexical_hits(store, &w, FUSION_DEPTH, 0, a, out, n, &total, err);
    }
    return st;
}

/* As rank_hybrid without vectors: pages of words, with the scores that their ranks alone give. */
static enum status fuse_words_alone(struct search_store *store, const struct ranking_query *q, struct arena *a,
                                    struct ranking *out, struct error *err)
{
    struct term_query w;
    struct ranked *items;
    size_t n;
    int64_t total;
    bool windowed = q->like || q->min_score > -INFINITY;
    enum status st = read_words(q, true, a, &w, err);
    if (st == OK)
        st = lexical_hits(store, &w, windowed ? RANKING_WINDOW : q->limit, windowed ? 0 : q->offset, a, &items, &n,
                          &total, err);
    if (st != OK)
        return st;
    if (st == OK && total == 0 && !q->like)
        st = family_hits(store, q, a, &items, &n, err);
    if (st != OK)
        return st;
    if (windowed || total == 0)
        return fuse(q, items, n, NULL, 0, NULL, 0, a, out, err);
    for (size_t i = 0; i < n; i++)
        items[i].score = fused_score(q, &(struct fused){.lexical = (unsigned)(q->offset + i) + 1});
    out->items = items;
    out->n = n;
    out->total = total;
    return OK;
}

/* A leg that cannot answer is left out: no model yet, no lexicon, or a query without a word. */
static enum status rank_hybrid(struct search_store *store, struct engine *engine, const struct ranking_query *q,
                               struct arena *a, struct ranking *out, struct error *err)
{
    struct term_query w;
    struct ranked *lexical = NULL, *vector = NULL, *words = NULL;
    size_t n_lexical = 0, n_vector = 0, n_words = 0;
    int64_t total;
    struct ranking_query right = *q;
    const char *corrected = NULL;
    unsigned legs = 0;
    enum status st = OK;
    *out = (struct ranking){.legs = RANKING_LEXICAL};
    if (q->words && !q->like && q->language == LANGUAGE_en) { /* the lexicon is English */
        st = word_hits(q, FUSION_DEPTH, a, &words, &n_words, &corrected, err);
        if (st != OK)
            return st;
        legs |= RANKING_WORDS;
    }
    if (corrected) {
        right.text = corrected;
        right.text_len = strlen(corrected);
    }
    double trust = 0; /* in the vectors */
    if (check_model(q, NULL) == OK && engine_searched(q->model) > 0)
        trust = q->like ? 1 : engine_hybrid_weight(q->model, q->language == LANGUAGE_en);
    right.weight_vector *= trust;
    if (trust > 0) {
        st = vector_hits(engine, &right, FUSION_DEPTH, a, &vector, &n_vector, err);
        if (st == OK)
            legs |= RANKING_VECTOR;
        else if (st != ERR_NOT_FOUND)
            log_warn("a hybrid search goes by words only: %s", err->message);
    }
    if (!legs)
        return fuse_words_alone(store, q, a, out, err);
    st = read_words(&right, true, a, &w, err);
    if (st == OK && w.n_stems)
        st = lexical_hits(store, &w, FUSION_DEPTH, 0, a, &lexical, &n_lexical, &total, err);
    if (st == OK && n_lexical + n_words == 0 && (n_vector == 0 || trust < 1) && !q->like)
        st = family_hits(store, &right, a, &lexical, &n_lexical, err);
    if (st == OK)
        st = fuse(&right, lexical, n_lexical, vector, n_vector, words, n_words, a, out, err);
    out->legs = legs | (w.n_stems ? RANKING_LEXICAL : 0);
    out->corrected = corrected;
    return st == OK ? name_page(store, a, out, err) : st;
}

const struct ranking_algorithm ranking_algorithms[] = {
    {"lexical", rank_lexical},
    {"words", rank_words},
    {"vector", rank_vector},
    {"hybrid", rank_hybrid},
};
const size_t ranking_algorithm_count = sizeof ranking_algorithms / sizeof *ranking_algorithms;

const struct ranking_algorithm *ranking_find(const char *name)
{
    for (size_t i = 0; i < ranking_algorithm_count; i++)
        if (strcmp(ranking_algorithms[i].name, name) == 0)
            return &ranking_algorithms[i];
    return NULL;
}
