#include "rank/leg.h"

#include "base/buf.h"
#include "base/deadline.h"
#include "base/log.h"
#include "rank/trace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#define MANY 50000u /* documents among which searching takes as long as encoding the query: that is worth a thread */

#define LEG_DECLARE(name, help) extern const struct leg leg_##name;
LEG_LIST(LEG_DECLARE)
#define LEG_ENTRY(name, help) [LEG_##name] = &leg_##name,
const struct leg *const legs[LEG_COUNT] = {LEG_LIST(LEG_ENTRY)};

/* Looks up the names of the page. A document that was deleted a moment ago has none and drops out. */
static enum status name_page(struct search_store *store, struct arena *a, struct ranking *out, struct error *err)
{
    int64_t *ids = arena_room(a, out->n + 1, sizeof *ids);
    const char **names = arena_room(a, out->n + 1, sizeof *names);
    if (!ids || !names)
        return err_no_memory(err, "%zu results", out->n);
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

/* Is there more to leave out of the results than the leg knows? Then no page can be asked for alone. */
static bool is_windowed(const struct rank_query *q)
{
    return q->like || q->min_score > -INFINITY;
}

static void trace_hits(const struct rank_query *q, enum leg_number leg, const struct leg_hits *hits)
{
    if (!q->trace)
        return;
    q->trace->legs[leg].took_part = true;
    q->trace->legs[leg].hits = *hits;
}

/* --- one leg --- */

/* `window`: how many results are looked at before the page is cut; 0: the leg makes the page itself. */
static enum status page_of(const struct rank_sources *s, const struct rank_query *q, enum leg_number leg,
                           struct leg_hits *hits, size_t window, struct arena *a, struct ranking *out,
                           struct error *err)
{
    *out = (struct ranking){.legs = 1u << leg, .corrected = hits->corrected};
    trace_hits(q, leg, hits);
    if (window) {
        rank_cut_page(q, hits->items, hits->n, out);
    } else {
        out->items = hits->items;
        out->n = hits->n < q->limit ? hits->n : q->limit;
        out->total = hits->total;
    }
    return name_page(s->store, a, out, err);
}

static size_t window_of(const struct rank_query *q)
{
    return is_windowed(q) ? RANK_WINDOW : 0;
}

/* What the leg has for the page, or for the window. Votes change the order of the first RANK_DEPTH results, so that
 * pages behind them are as they were. */
static enum status ask_page(const struct rank_sources *s, const struct rank_query *q, enum leg_number leg,
                            size_t window, struct arena *a, struct leg_hits *hits, struct error *err)
{
    bool reorder = s->priors && (window || q->offset < RANK_DEPTH);
    size_t limit = window ? window : q->limit, skip = reorder && !window ? q->offset : 0;
    if (reorder && limit + skip < RANK_DEPTH)
        limit = RANK_DEPTH - skip;
    enum status st = legs[leg]->hits(s, q, limit + skip, window || reorder ? 0 : q->offset, a, hits, err);
    if (st != OK || !reorder)
        return st;
    rank_reorder(s->priors, hits->items, hits->n < RANK_DEPTH ? hits->n : RANK_DEPTH);
    skip = skip < hits->n ? skip : hits->n;
    hits->items += skip;
    hits->n -= skip;
    return OK;
}

static enum status rank_leg(const struct rank_sources *s, const struct rank_query *q, enum leg_number leg,
                            size_t window, struct arena *a, struct ranking *out, struct error *err)
{
    struct leg_hits hits;
    enum status st = ask_page(s, q, leg, window, a, &hits, err);
    return st == OK ? page_of(s, q, leg, &hits, window, a, out, err) : st;
}

static enum status rank_lexical(const struct rank_sources *s, const struct rank_query *q, struct arena *a,
                                struct ranking *out, struct error *err)
{
    return rank_leg(s, q, LEG_lexical, window_of(q), a, out, err);
}

/* All that the lexicon finds. Without one, and for what is like a document: terms, whose last one is not taken for the
 * beginning of a longer word. */
static enum status rank_words(const struct rank_sources *s, const struct rank_query *q, struct arena *a,
                              struct ranking *out, struct error *err)
{
    if (s->words && !q->like)
        return rank_leg(s, q, LEG_words, SIZE_MAX, a, out, err);
    struct leg_hits hits;
    size_t window = window_of(q);
    enum status st = leg_lexical_hits(s, q, false, window ? window : q->limit, window ? 0 : q->offset, a, &hits, err);
    return st == OK ? page_of(s, q, LEG_lexical, &hits, window, a, out, err) : st;
}

static enum status rank_by_model(const struct rank_sources *s, const struct rank_query *q, enum leg_number leg,
                                 struct arena *a, struct ranking *out, struct error *err)
{
    size_t window = window_of(q), count = 0;
    enum status st = rank_leg(s, q, leg, window, a, out, err);
    if (st == ERR_NOT_FOUND)
        return err_set(err, ERR_UNAVAILABLE, "%s has no vector of model %s yet", q->like->filename, s->models[leg].id);
    if (st != OK || window || !q->passing)
        return st;
    /* All that pass and have a vector are results. */
    st = vectors_count_passing(s->models[leg].vectors, q->passing, &q->filter, &count, err);
    out->total = (int64_t)(count < VECTORS_MAX_K ? count : VECTORS_MAX_K);
    return st;
}

static enum status rank_vector(const struct rank_sources *s, const struct rank_query *q, struct arena *a,
                               struct ranking *out, struct error *err)
{
    return rank_by_model(s, q, LEG_vector, a, out, err);
}

static enum status rank_sentence(const struct rank_sources *s, const struct rank_query *q, struct arena *a,
                                 struct ranking *out, struct error *err)
{
    return rank_by_model(s, q, LEG_sentence, a, out, err);
}

/* --- all of them --- */

struct hybrid {
    const struct rank_sources *s;
    struct rank_query q; /* as it is understood */
    struct arena *arena;
    struct leg_hits hits[LEG_COUNT];
    double trust[LEG_COUNT], weights[LEG_COUNT];
    bool took_part[LEG_COUNT];
    const struct leg *prepared[LEG_COUNT]; /* [n_prepared] */
    size_t n_prepared;
    const char *corrected;
    struct error err; /* the last leg's that failed */
};

/* What was found so far. */
static enum status gather_found(struct hybrid *h, struct arena *a)
{
    size_t n = 0, at = 0;
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        n += h->hits[leg].n;
    int64_t *ids = arena_room(a, n + 1, sizeof *ids);
    if (!ids)
        return err_no_memory(&h->err, "%zu results", n);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        for (size_t i = 0; i < h->hits[leg].n; i++)
            ids[at++] = h->hits[leg].items[i].id;
    h->q.also = ids;
    h->q.n_also = n;
    return OK;
}

/* A word that has synonyms is known, however odd it is, and a leg that took it for another one is left out. */
static bool is_misunderstood(struct hybrid *h, enum leg_number leg, struct arena *a)
{
    bool matches = false;
    return legs[leg]->corrects && h->hits[leg].corrected && h->s->synonyms &&
           synonyms_match(h->s->synonyms, h->q.text, h->q.text_len, h->q.language, a, &matches, &h->err) == OK &&
           matches;
}

/* A leg that fails, or for which there is no time any more, is left out: the others answer. */
static void ask_leg(struct hybrid *h, enum leg_number leg, struct arena *a)
{
    enum status st = deadline_passed() ? err_set(&h->err, ERR_TIMEOUT, "the search took too long") : OK;
    if (st == OK && legs[leg]->ranks_all)
        st = gather_found(h, a);
    if (st == OK)
        st = legs[leg]->hits(h->s, &h->q, RANK_DEPTH, 0, a, &h->hits[leg], &h->err);
    if (st != OK) {
        h->hits[leg] = (struct leg_hits){0};
        if (h->q.trace)
            h->q.trace->legs[leg].failed = arena_strdup(a, h->err.message);
        if (st != ERR_NOT_FOUND && st != ERR_TIMEOUT) /* of what is like a document that this leg does not know */
            log_warn("hybrid search without the leg \"%s\": %s", legs[leg]->name, h->err.message);
        return;
    }
    if (is_misunderstood(h, leg, a)) {
        h->hits[leg] = (struct leg_hits){0};
        return;
    }
    h->took_part[leg] = true;
    if (legs[leg]->corrects && h->hits[leg].corrected) {
        h->corrected = h->q.text = h->hits[leg].corrected;
        h->q.text_len = strlen(h->corrected);
    }
}

/* Those that correct the spelling go first, those that have a score for every document last. */
enum turn { CORRECTING, PLAIN, PREPARED, RANKING_ALL };
static enum turn turn_of(const struct leg *leg)
{
    return leg->corrects ? CORRECTING : leg->ranks_all ? RANKING_ALL : leg->prepare ? PREPARED : PLAIN;
}

static void ask_turn(struct hybrid *h, enum turn turn)
{
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (h->trust[leg] > 0 && turn_of(legs[leg]) == turn)
            ask_leg(h, leg, h->arena);
}

/* Done at the same time: the plain legs are asked, and each of the others is prepared. */
static void ask_or_prepare(void *arg, size_t share)
{
    struct hybrid *h = arg;
    if (share == 0)
        ask_turn(h, PLAIN);
    else
        h->prepared[share - 1]->prepare(h->s, &h->q);
}

static void ask_legs(struct hybrid *h)
{
    ask_turn(h, CORRECTING);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (h->trust[leg] > 0 && legs[leg]->prepare && vectors_count(h->s->models[leg].vectors) >= MANY)
            h->prepared[h->n_prepared++] = legs[leg];
    pool_for(h->s->pool, 1 + h->n_prepared, ask_or_prepare, h);
    ask_turn(h, PREPARED);
    ask_turn(h, RANKING_ALL);
}

static enum status ask_fallbacks(struct hybrid *h, struct arena *a, struct error *err)
{
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (h->hits[leg].n && h->trust[leg] >= 1)
            return OK;
    enum status st = OK;
    for (enum leg_number leg = 0; leg < LEG_COUNT && st == OK; leg++) {
        bool silent = h->hits[leg].silent;
        if (h->took_part[leg] && legs[leg]->fallback)
            st = legs[leg]->fallback(h->s, &h->q, RANK_DEPTH, a, &h->hits[leg], err);
        h->hits[leg].silent = silent;
    }
    return st;
}

/* The only leg, when it is one that pages: then its pages are the answer, with its own scores. Else LEG_COUNT. */
static enum leg_number only_leg(const struct hybrid *h, bool asked)
{
    enum leg_number only = LEG_COUNT;
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        if (asked ? !h->took_part[leg] : h->trust[leg] <= 0)
            continue;
        if (only != LEG_COUNT)
            return LEG_COUNT;
        only = leg;
    }
    return only != LEG_COUNT && legs[only]->pages && !h->corrected ? only : LEG_COUNT;
}

static enum status rank_only(struct hybrid *h, enum leg_number leg, struct arena *a, struct ranking *out,
                             struct error *err)
{
    const struct rank_query *q = &h->q;
    struct leg_hits *hits = &h->hits[leg];
    size_t window = window_of(q);
    enum status st = ask_page(h->s, q, leg, window, a, hits, err);
    bool found = st == OK && hits->total > 0;
    if (st == OK && !found && legs[leg]->fallback)
        st = legs[leg]->fallback(h->s, q, RANK_DEPTH, a, hits, err);
    return st == OK ? page_of(h->s, q, leg, hits, found ? window : RANK_DEPTH, a, out, err) : st;
}

static enum status rank_hybrid(const struct rank_sources *s, const struct rank_query *q, struct arena *a,
                               struct ranking *out, struct error *err)
{
    struct hybrid h = {.s = s, .q = *q, .arena = a};
    bool answered = false;
    *out = (struct ranking){0};
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        h.trust[leg] = legs[leg]->trust(s, q);
        h.weights[leg] = s->weights[leg] * h.trust[leg];
        if (q->trace)
            q->trace->legs[leg].trust = h.trust[leg];
    }
    enum leg_number only = only_leg(&h, false);
    if (only == LEG_COUNT) {
        h.q.fused = true;
        ask_legs(&h);
        only = only_leg(&h, true);
    }
    if (only != LEG_COUNT) {
        h.q.fused = false;
        return rank_only(&h, only, a, out, err);
    }
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        answered = answered || h.took_part[leg];
    if (!answered)
        return err_set(err, h.err.code, "%s", h.err.message);
    enum status st = ask_fallbacks(&h, a, err);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (h.took_part[leg])
            trace_hits(q, leg, &h.hits[leg]);
    if (st == OK)
        st = fuse(&h.q, h.hits, h.weights, s->priors, a, out, err);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (h.took_part[leg] && !h.hits[leg].silent)
            out->legs |= 1u << leg;
    out->corrected = h.corrected;
    return st == OK ? name_page(s->store, a, out, err) : st;
}

const struct rank_algorithm rank_algorithms[] = {
    {"lexical", rank_lexical},   {"words", rank_words},   {"vector", rank_vector},
    {"sentence", rank_sentence}, {"hybrid", rank_hybrid},
};
const size_t rank_algorithm_count = sizeof rank_algorithms / sizeof *rank_algorithms;

const struct rank_algorithm *rank_find(const char *name)
{
    for (size_t i = 0; i < rank_algorithm_count; i++)
        if (strcmp(rank_algorithms[i].name, name) == 0)
            return &rank_algorithms[i];
    return NULL;
}

void rank_name(const struct rank_algorithm *algorithm, const struct rank_sources *s, char out[RANK_NAME_SIZE])
{
    struct buf b;
    buf_init(&b, 64u << 10);
    buf_printf(&b, "%u %d", RANK_VERSION, s->words != NULL);
    if (s->priors)
        buf_printf(&b, " %a %lld", s->priors->weight, (long long)s->priors->version);
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        buf_printf(&b, " %a %s", s->weights[leg], s->models[leg].id ? s->models[leg].id : "");
    snprintf(out, RANK_NAME_SIZE, "%.20s-%08x", algorithm->name,
             (unsigned)(XXH3_64bits(buf_str(&b), b.len) & UINT32_MAX));
    buf_free(&b);
}
