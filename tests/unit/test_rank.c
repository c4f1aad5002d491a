/* The ranking over a small library, with a model and vectors made up for it: legs alone and fused, one that fails,
 * one that is loading, filters. */
#include "cm.h"

#include "base/deadline.h"
#include "rank/explain.h"
#include "rank/fusion_weights.h"
#include "rank/leg.h"
#include "text/text.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#define DOCUMENTS 4

struct setup {
    char folder[64];
    struct search_store *store;
    struct rank_sources sources;
    int64_t ids[DOCUMENTS];
    struct arena arena;
    struct error err;
};

/* --- a model of three directions: what a text begins with decides --- */

static atomic_int encoded; /* texts */

static enum status embed(const struct encoder *e, enum encoder_role role, const char *text, size_t len, float *out,
                         struct error *err)
{
    (void)e;
    atomic_fetch_add(&encoded, 1);
    assert_int_equal(role, ENCODER_QUERY);
    if (text[len - 1] == '!') /* about another thing than it begins with */
        text = "dog";
    if (*text == 'x')
        return err_set(err, ERR_CORRUPT, "the model gives no finite vector");
    if (*text == '?')
        return err_set(err, ERR_NOT_FOUND, "there is no word in it");
    for (int i = 0; i < 3; i++)
        out[i] = *text == 'c' ? i == 0 : *text == 'd' ? i == 1 : i == 2;
    return OK;
}

static double trust_all(const struct encoder *e, bool english)
{
    (void)e, (void)english;
    return 1;
}

static double trust_half(const struct encoder *e, bool english)
{
    (void)e, (void)english;
    return 0.5;
}

static const struct encoder_class certain = {
    .name = "certain", .leg = LEG_vector, .embed_text = embed, .trust = trust_all};
static const struct encoder_class weak = {.name = "weak", .leg = LEG_vector, .embed_text = embed, .trust = trust_half};
static const struct encoder encoders[] = {{&certain, 3}, {&weak, 3}};

/* --- vectors: each document's are the cosines with the three directions --- */

struct table {
    struct vectors base;
    int64_t ids[DOCUMENTS];
    float rows[DOCUMENTS][3];
    size_t count;
};

static enum status table_get(struct vectors *v, int64_t id, float *out, struct error *err)
{
    const struct table *t = (const struct table *)v;
    for (size_t i = 0; i < DOCUMENTS; i++)
        if (t->ids[i] == id) {
            memcpy(out, t->rows[i], sizeof t->rows[i]);
            return OK;
        }
    return err_set(err, ERR_NOT_FOUND, "no vector");
}

static int by_score(const void *a, const void *b)
{
    const struct vectors_hit *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}

static enum status table_search(struct vectors *v, const struct vectors_query *q, struct arena *a,
                                struct vectors_hit **hits, size_t *n, struct error *err)
{
    const struct table *t = (const struct table *)v;
    (void)err;
    *hits = arena_array(a, DOCUMENTS, sizeof **hits);
    for (size_t i = 0; i < DOCUMENTS; i++) {
        float score = 0;
        for (size_t k = 0; k < 3; k++)
            score += q->vector[k] * t->rows[i][k];
        if (t->ids[i] && (!q->passing || label_passes(q->passing, t->ids[i])))
            (*hits)[(*n)++] = (struct vectors_hit){t->ids[i], score};
    }
    qsort(*hits, *n, sizeof **hits, by_score);
    *n = *n < q->k ? *n : q->k;
    return OK;
}

static enum status table_compare(struct vectors *v, const float *vector, const int64_t *ids, size_t n, float *scores,
                                 struct error *err)
{
    for (size_t i = 0; i < n; i++) {
        float row[3];
        bool found = table_get(v, ids[i], row, err) == OK;
        scores[i] = found ? vector[0] * row[0] + vector[1] * row[1] + vector[2] * row[2] : VECTORS_NO_SCORE;
    }
    return OK;
}

static size_t table_count(const struct vectors *v)
{
    return ((const struct table *)v)->count;
}

static enum status table_count_passing(struct vectors *v, const struct label_test *passing,
                                       const struct sticker_filter *filter, size_t *n, struct error *err)
{
    const struct table *t = (const struct table *)v;
    (void)filter, (void)err;
    *n = 0;
    for (size_t i = 0; i < DOCUMENTS; i++)
        *n += label_passes(passing, t->ids[i]);
    return OK;
}

static const struct vectors_class table_class = {.name = "table",
                                                 .get = table_get,
                                                 .compare = table_compare,
                                                 .search = table_search,
                                                 .count = table_count,
                                                 .count_passing = table_count_passing};
static struct table table;

/* --- the library --- */

static const struct {
    const char *filename, *title;
    float row[3];
} library[DOCUMENTS] = {{"cat.png", "cat", {1, 0, 0}},
                        {"dog.png", "dog", {0, 1, 0}},
                        {"lion.png", "lion", {0.9f, 0, 0.43589f}},
                        {"catalogue.png", "catalogue", {0, 0, 1}}};

static int open_all(void **state)
{
    struct setup *s = calloc(1, sizeof *s);
    char path[96];
    table = (struct table){.base = {&table_class, 3}, .count = DOCUMENTS};
    assert_non_null(s);
    *state = s;
    arena_init(&s->arena, 16 << 20);
    tmp_make(s->folder, sizeof s->folder);
    snprintf(path, sizeof path, "%s/search.db", s->folder);
    assert_int_equal(search_store_open(path, 4, &s->store, &s->err), OK);
    assert_int_equal(search_store_index_open(s->store, NULL, &s->err), OK);
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct sticker_terms terms;
        bool changed;
        struct document doc = {.filename = library[i].filename,
                               .title = library[i].title,
                               .words_json = "[]",
                               .image_sha256 = "",
                               .pack = i < 2 ? "pets" : "other"};
        assert_int_equal(text_sticker_terms(doc.title, doc.filename, NULL, NULL, 0, &s->arena, &terms, &s->err), OK);
        assert_int_equal(search_store_put(s->store, &doc, &terms, &s->ids[i], &changed, NULL, &s->err), OK);
        table.ids[i] = s->ids[i];
        memcpy(table.rows[i], library[i].row, sizeof table.rows[i]);
    }
    s->sources = (struct rank_sources){.store = s->store};
    s->sources.models[LEG_vector] =
        (struct rank_model){.id = "m", .state = "ready", .encoder = &encoders[0], .vectors = &table.base};
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        s->sources.weights[leg] = 1;
    return 0;
}

static int close_all(void **state)
{
    struct setup *s = *state;
    search_store_close(s->store);
    arena_free(&s->arena);
    tmp_remove(s->folder);
    free(s);
    return 0;
}

static struct rank_query query(const char *text)
{
    return (struct rank_query){.text = text,
                               .text_len = strlen(text),
                               .language = LANGUAGE_en,
                               .filter = STICKER_FILTER_NONE,
                               .limit = 10,
                               .min_score = -INFINITY};
}

static enum status rank(struct setup *s, const char *algorithm, const struct rank_query *q, struct ranking *out)
{
    const struct rank_algorithm *a = rank_find(algorithm);
    assert_non_null(a);
    return a->rank(&s->sources, q, &s->arena, out, &s->err);
}

/* All legs together, of which these take part. */
static void rank_hybrid_by(struct setup *s, const struct rank_query *q, unsigned taking_part, struct ranking *out)
{
    assert_int_equal(rank(s, "hybrid", q, out), OK);
    assert_int_equal(out->legs, taking_part);
}

/* The filenames of the page, best first, in one line. */
static const char *names(struct setup *s, const struct ranking *r)
{
    const char *all = "";
    for (size_t i = 0; i < r->n; i++)
        all = arena_printf(&s->arena, "%s%s%s", all, i ? " " : "", r->items[i].filename);
    return all;
}

static void test_table_of_legs_is_whole(void **state)
{
    (void)state;
#define SAME_NAME(leg, help) assert_string_equal(legs[LEG_##leg]->name, #leg);
    LEG_LIST(SAME_NAME)
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        assert_true(legs[leg]->trust && legs[leg]->hits);
    assert_null(rank_find("none"));
}

/* --- fusion --- */

#define NEAR(a, b) assert_true(fabs((a) - (b)) < 1e-9)
#define HITS(array)                                                                                                    \
    {                                                                                                                  \
        .items = (array), .n = sizeof(array) / sizeof *(array)                                                         \
    }

static const double full[LEG_COUNT] = {1, 1, 1, 1};

/* What the table says of an English query; NULL for one of which sentences say nothing. */
static const struct fusion_fit *fit_of(const char *text)
{
    return &fusion_fits[!text ? FUSION_LETTERS : strchr(text, ' ') ? FUSION_ENGLISH : FUSION_WORD];
}

static double weight(const char *text, enum leg_number leg)
{
    return fit_of(text)->weights[leg];
}

static double confidence(const char *text, double score)
{
    const struct fusion_fit *fit = fit_of(text);
    return 1 / (1 + exp(-(fit->slope * fmin(score, FUSION_SURE) + fit->offset)));
}

/* The score at which results have this confidence. */
static double score_of(const char *text, double sure)
{
    const struct fusion_fit *fit = fit_of(text);
    return (log(sure / (1 - sure)) - fit->offset) / fit->slope;
}

static void fused(struct setup *s, const struct rank_query *q, const struct leg_hits *hits, const double *weights,
                  struct ranking *out)
{
    assert_int_equal(fuse(q, hits, weights, NULL, &s->arena, out, &s->err), OK);
}

static const struct ranked *by_id(const struct ranking *r, int64_t id)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->items[i].id == id)
            return &r->items[i];
    return NULL;
}

static void test_table_of_weights_is_whole(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < FUSION_KINDS; kind++) {
        const struct fusion_fit *fit = &fusion_fits[kind];
        double sum = 0;
        for (size_t leg = 0; leg < LEG_COUNT; leg++) {
            assert_true(isfinite(fit->weights[leg]) && fit->weights[leg] >= 0);
            sum += fit->weights[leg];
        }
        assert_true(sum > 0);
        assert_true(isfinite(fit->offset) && (kind == FUSION_LETTERS ? fit->slope == 0 : fit->slope > 0));
    }
}

/* Each leg in its own scale: shares of the best, a range from the worst to the best, or as they are. */
static void test_scores_are_added_by_learnt_weights(void **state)
{
    struct setup *s = *state;
    static const char *const texts[] = {"cat", "cat in a hat"};
    for (size_t i = 0; i < 2; i++) {
        struct ranked lexical[] = {{.id = 1, .score = 8}, {.id = 2, .score = 4}};
        struct ranked vector[] = {{.id = 2, .score = 0.5}, {.id = 3, .score = 0.35}, {.id = 1, .score = 0.1}};
        struct ranked words[] = {{.id = 3, .score = 0.75}};
        struct ranked sentence[] = {{.id = 1, .score = 1.5}, {.id = 2, .score = 0.9}, {.id = 4, .score = 0.8}};
        struct leg_hits hits[LEG_COUNT] = {[LEG_lexical] = HITS(lexical),
                                           [LEG_vector] = HITS(vector),
                                           [LEG_words] = HITS(words),
                                           [LEG_sentence] = HITS(sentence)};
        struct rank_query q = query(texts[i]);
        struct ranking r;
        double l = weight(texts[i], LEG_lexical), v = weight(texts[i], LEG_vector), w = weight(texts[i], LEG_words),
               m = weight(texts[i], LEG_sentence);
        fused(s, &q, hits, full, &r);
        assert_int_equal(r.n, 4);
        assert_int_equal(r.total, 4);
        NEAR(by_id(&r, 1)->score, l + 1.5 * m);
        NEAR(by_id(&r, 2)->score, 0.5 * l + v + 0.9 * m);
        /* the leg of sentences has a score for all: that of a document that it did not tell of is at most its last */
        NEAR(by_id(&r, 3)->score, 0.625 * v + 0.75 * w + 0.8 * m);
        NEAR(by_id(&r, 4)->score, 0.8 * m);
        for (size_t k = 0; k < r.n; k++) {
            NEAR(r.items[k].confidence, confidence(texts[i], r.items[k].score));
            assert_true(k == 0 || (r.items[k].score <= r.items[k - 1].score &&
                                   r.items[k].confidence <= r.items[k - 1].confidence));
        }
        const double own[LEG_COUNT] = {[LEG_lexical] = 0.5, [LEG_vector] = 0, [LEG_words] = 3, [LEG_sentence] = 1};
        fused(s, &q, hits, own, &r); /* the weights of the query and of the options count too */
        NEAR(by_id(&r, 2)->score, 0.25 * l + 0.9 * m);
        NEAR(by_id(&r, 3)->score, 2.25 * w + 0.8 * m);
    }
}

static void test_equal_scores_stand_by_id(void **state)
{
    struct setup *s = *state;
    struct rank_query q = query("cat");
    struct ranking r;
    struct ranked lexical[] = {{.id = 7, .score = 2}, {.id = 3, .score = 2}, {.id = 5, .score = 2}};
    struct ranked vector[] = {{.id = 9, .score = 0.2}, {.id = 7, .score = 0.2}};
    struct leg_hits hits[LEG_COUNT] = {[LEG_lexical] = HITS(lexical), [LEG_vector] = HITS(vector)};
    fused(s, &q, hits, full, &r);
    assert_int_equal(r.n, 4);
    NEAR(by_id(&r, 7)->score, weight(NULL, LEG_lexical) + weight(NULL, LEG_vector));
    NEAR(by_id(&r, 9)->score, weight(NULL, LEG_vector)); /* all alike: none of them is the worst */
    assert_true(by_id(&r, 3)->score == by_id(&r, 5)->score);
    hits[LEG_vector] = (struct leg_hits){0};
    fused(s, &q, hits, full, &r);
    assert_int_equal(r.n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(r.items[i].id, 3 + 2 * i);
        assert_true(r.items[i].score == r.items[0].score);
        assert_true(r.items[i].confidence == 0); /* nothing is said without the leg of sentences */
    }
    fused(s, &q, (struct leg_hits[LEG_COUNT]){0}, full, &r);
    assert_int_equal(r.n + (size_t)r.total, 0);
}

/* What is only alike is shown where it is alike enough; what letters found stays, whatever the model thinks of it. */
static void test_unlikely_results_are_left_out(void **state)
{
    struct setup *s = *state;
    static const char *const texts[] = {"cat", "cat in a hat"};
    for (size_t i = 0; i < 2; i++) {
        double m = weight(texts[i], LEG_sentence), least = score_of(texts[i], RANK_LEAST_CONFIDENCE) / m;
        struct ranked sentence[] = {{.id = 1, .score = least + 0.5},
                                    {.id = 2, .score = least + 1e-6},
                                    {.id = 3, .score = least - 1e-6},
                                    {.id = 4, .score = least - 1},
                                    {.id = 5, .score = least - 2}};
        struct ranked lexical[] = {{.id = 4, .score = 1}, {.id = 6, .score = 1}};
        struct ranked vector[] = {{.id = 1, .score = 0.25}, {.id = 5, .score = 0.2}, {.id = 7, .score = 0.2}};
        struct leg_hits hits[LEG_COUNT] = {
            [LEG_lexical] = HITS(lexical), [LEG_vector] = HITS(vector), [LEG_sentence] = HITS(sentence)};
        const double weights[LEG_COUNT] = {[LEG_sentence] = 1}; /* so that letters do not lift them over the limit */
        struct rank_query q = query(texts[i]);
        struct ranking r;
        fused(s, &q, hits, weights, &r);
        assert_int_equal(r.n, 4);
        assert_int_equal(r.total, 4);
        assert_true(by_id(&r, 1) && by_id(&r, 2) && by_id(&r, 4) && by_id(&r, 6));
        assert_true(by_id(&r, 2)->confidence >= RANK_LEAST_CONFIDENCE);
        assert_true(by_id(&r, 4)->confidence < RANK_LEAST_CONFIDENCE);
        NEAR(by_id(&r, 6)->score, by_id(&r, 4)->score - m); /* as unlike as the last that the leg told of */
        q.offset = 1;
        q.limit = 2;
        fused(s, &q, hits, weights, &r);
        assert_int_equal(r.total, 4);
        assert_int_equal(r.n, 2);
        assert_int_equal(r.items[0].id, 2);
    }
}

static void test_legs_are_fused_by_score(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("cat");
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &r);
    assert_int_equal(r.total, DOCUMENTS);
    assert_string_equal(r.items[0].filename, "cat.png");
    NEAR(r.items[0].score, weight(NULL, LEG_lexical) + weight(NULL, LEG_vector));
    NEAR(by_id(&r, s->ids[1])->score, 0); /* the least like it of all */
    assert_true(fabs(by_id(&r, s->ids[2])->score - 0.9 * weight(NULL, LEG_vector)) < 1e-6);
    assert_int_equal(rank(s, "vector", &q, &r), OK);
    assert_string_equal(names(s, &r), "cat.png lion.png dog.png catalogue.png");
    s->sources.weights[LEG_vector] = 0; /* its results stay, behind those of the others */
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_int_equal(r.total, DOCUMENTS);
    assert_string_equal(r.items[0].filename, "cat.png");
    NEAR(r.items[0].score, weight(NULL, LEG_lexical));
    assert_true(fabs(r.items[r.n - 1].score) < 1e-12);
    s->sources.weights[LEG_vector] = 1;
}

/* --- legs together --- */

static void test_pages_fit_together(void **state)
{
    struct setup *s = *state;
    struct ranking whole, page;
    struct rank_query q = query("cat");
    assert_int_equal(rank(s, "hybrid", &q, &whole), OK);
    q.limit = 1;
    for (q.offset = 0; q.offset < whole.n; q.offset++) {
        assert_int_equal(rank(s, "hybrid", &q, &page), OK);
        assert_int_equal(page.n, 1);
        assert_int_equal(page.items[0].id, whole.items[q.offset].id);
    }
}

/* The terms of a query were once read before they were known to be there. */
static void test_leg_that_fails_is_left_out(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("xcat"); /* the encoder fails for it; no term is known */
    rank_hybrid_by(s, &q, 1u << LEG_lexical, &r);
    assert_int_equal(rank(s, "vector", &q, &r), ERR_CORRUPT);
    struct arena none;
    arena_init(&none, 1); /* nothing can be had: every leg fails, and a reason is told */
    assert_int_equal(rank_find("hybrid")->rank(&s->sources, &q, &none, &r, &s->err), ERR_NO_MEMORY);
    arena_free(&none);
    deadline_set(1, -1); /* no time for any leg */
    enum status late = rank(s, "hybrid", &q, &r);
    deadline_clear();
    assert_int_equal(late, ERR_TIMEOUT);
}

/* Where there are many documents, another thread encodes the query while terms are looked for: once, and with a model
 * that fails too. */
static void test_query_is_encoded_ahead(void **state)
{
    struct setup *s = *state;
    struct ranking few, many;
    struct rank_query q = query("cat");
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &few);
    assert_int_equal(lru_open(1 << 16, 3 * sizeof(float), &s->sources.cache, &s->err), OK);
    assert_int_equal(pool_open("ahead", 1, 1, &s->sources.pool, &s->err), OK);
    table.count = 1000000;
    atomic_store(&encoded, 0);
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &many);
    assert_int_equal(atomic_load(&encoded), 1);
    assert_int_equal(many.n, few.n);
    for (size_t i = 0; i < few.n; i++) {
        assert_int_equal(many.items[i].id, few.items[i].id);
        NEAR(many.items[i].score, few.items[i].score);
    }
    q = query("xcat"); /* the encoder fails for it */
    rank_hybrid_by(s, &q, 1u << LEG_lexical, &many);
    q = query("cat");
    q.like = &(struct document){.id = s->ids[0], .filename = "cat.png", .title = "cat", .words_json = "[]"};
    q.text = NULL;
    assert_int_equal(rank(s, "hybrid", &q, &many), OK);
    pool_close(s->sources.pool);
    lru_close(s->sources.cache);
    s->sources.pool = NULL;
    s->sources.cache = NULL;
    table.count = DOCUMENTS;
}

static void test_model_that_is_loading_delays_nobody(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("cat");
    struct rank_model ready = s->sources.models[LEG_vector];
    s->sources.models[LEG_vector] = (struct rank_model){.id = "m", .state = "loading"};
    rank_hybrid_by(s, &q, 1u << LEG_lexical, &r);
    assert_int_equal(rank(s, "vector", &q, &r), ERR_UNAVAILABLE);
    assert_non_null(strstr(s->err.message, "loading"));
    s->sources.models[LEG_vector] = (struct rank_model){0};
    assert_int_equal(rank(s, "vector", &q, &r), ERR_UNAVAILABLE);
    assert_non_null(strstr(s->err.message, "no model is installed"));
    s->sources.models[LEG_vector] = ready;
}

/* A leg that is relied on only in part does not keep the others from shortening a word that nobody knows. */
static void test_fallback_only_where_nothing_certain_is_found(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("cataloxxx");
    s->sources.models[LEG_vector].encoder = &encoders[1];
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_non_null(by_id(&r, s->ids[3])); /* to the vectors it is as unlike as can be */
    NEAR(by_id(&r, s->ids[3])->score, weight(NULL, LEG_lexical));
    NEAR(by_id(&r, s->ids[0])->score, 0.5 * weight(NULL, LEG_vector));
    s->sources.models[LEG_vector].encoder = &encoders[0]; /* one that is relied on in full has found something */
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_int_equal(r.n, DOCUMENTS);
    NEAR(by_id(&r, s->ids[3])->score, 0);
    NEAR(by_id(&r, s->ids[0])->score, weight(NULL, LEG_vector));
}

/* What is left of a word may be another word in a language that nobody asked for: "ахах" is an oyster in Chuvash. */
static void test_fallback_stays_in_the_query_s_language(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct sticker_terms terms;
    bool changed;
    int64_t id;
    const struct sticker_words words = {.language = "cv", .words = "ахах"};
    const struct document doc = {.filename = "oyster.png", .title = "", .words_json = "[]", .image_sha256 = ""};
    struct rank_query q = query("ахаха");
    struct rank_model ready = s->sources.models[LEG_vector];
    s->sources.models[LEG_vector] = (struct rank_model){0};
    assert_int_equal(text_sticker_terms("", "oyster.png", NULL, &words, 1, &s->arena, &terms, &s->err), OK);
    assert_int_equal(search_store_put(s->store, &doc, &terms, &id, &changed, NULL, &s->err), OK);
    q.language = LANGUAGE_ru;
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_int_equal(r.n, 0);
    q.language = LANGUAGE_cv;
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_string_equal(names(s, &r), "oyster.png");
    q = query("catxyz"); /* no shorter than four letters */
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_int_equal(r.n, 0);
    assert_int_equal(search_store_delete(s->store, "oyster.png", &id, &s->err), OK);
    s->sources.models[LEG_vector] = ready;
}

static void test_more_like_a_document_leaves_it_out(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct document like;
    struct rank_query q = {.language = LANGUAGE_en, .filter = STICKER_FILTER_NONE, .limit = 10, .min_score = -INFINITY};
    assert_int_equal(search_store_get(s->store, "cat.png", &s->arena, &like, &s->err), OK);
    q.like = &like;
    assert_int_equal(rank(s, "vector", &q, &r), OK);
    assert_string_equal(names(s, &r), "lion.png dog.png catalogue.png");
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_string_equal(r.items[0].filename, "lion.png");
}

static void test_every_leg_honours_the_filter(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct labels *labels;
    struct label_test pets;
    struct rank_query q = query("cat");
    q.filter.pack = "pets";
    assert_int_equal(labels_open(&labels, &s->err), OK);
    for (size_t i = 0; i < DOCUMENTS; i++)
        assert_int_equal(labels_put(labels, s->ids[i], i < 2 ? "pets" : "other", RATING_G, false, &s->err), OK);
    labels_test_begin(labels, &q.filter, &pets);
    q.passing = &pets;
    assert_int_equal(rank(s, "vector", &q, &r), OK);
    assert_string_equal(names(s, &r), "cat.png dog.png");
    assert_int_equal(r.total, 2);
    assert_int_equal(rank(s, "lexical", &q, &r), OK);
    assert_string_equal(names(s, &r), "cat.png");
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_string_equal(names(s, &r), "cat.png dog.png");
    labels_test_end(&pets);
    labels_close(labels);
}

/* The phrases of the library's documents with the model's vectors, as the engine would make them. */
static struct phrases *make_phrases(struct setup *s)
{
    struct language_set english = {0};
    struct phrases *p;
    struct phrase_text *texts;
    size_t n;
    language_set_add(&english, LANGUAGE_en);
    assert_int_equal(phrases_open(3, &english, &p, &s->err), OK);
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct document doc = {
            .id = s->ids[i], .filename = library[i].filename, .title = library[i].title, .words_json = "[]"};
        assert_int_equal(phrases_put(p, &doc, &s->err), OK);
    }
    assert_int_equal(phrases_pending(p, NULL, 0, 100, &s->arena, &texts, &n, &s->err), OK);
    assert_int_equal(n, DOCUMENTS);
    for (size_t i = 0; i < n; i++) {
        float v[3];
        char code[3 + sizeof(float)];
        assert_int_equal(phrases_code_size(p), sizeof code);
        assert_int_equal(embed(NULL, ENCODER_QUERY, texts[i].text, texts[i].len, v, &s->err), OK);
        phrases_encode(p, v, code);
        phrases_set(p, &texts[i], code);
    }
    return p;
}

static struct rank_model sentence_model(struct phrases *p)
{
    return (struct rank_model){
        .id = "t", .state = "ready", .encoder = &encoders[0], .vectors = &table.base, .phrases = p};
}

#define LETTERS_AND_BOTH (1u << LEG_lexical | 1u << LEG_vector | 1u << LEG_sentence)

/* Its model is another than that of the leg `vector`, and what it finds is fused with the rest. */
static void test_sentences_are_a_leg_of_their_own(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("dog");
    struct phrases *p = make_phrases(s);
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &r);
    s->sources.models[LEG_sentence] = sentence_model(p);
    rank_hybrid_by(s, &q, LETTERS_AND_BOTH, &r);
    assert_string_equal(r.items[0].filename, "dog.png");
    double best = weight("dog", LEG_lexical) + weight("dog", LEG_vector) + 1.5 * weight("dog", LEG_sentence);
    NEAR(r.items[0].score, best);
    NEAR(r.items[0].confidence, confidence("dog", best));
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_int_equal(r.legs, 1u << LEG_sentence);
    assert_string_equal(r.items[0].filename, "dog.png");
    NEAR(r.items[0].score, 1.5); /* a phrase of it, letter for letter, and its whole */
    assert_int_equal(r.total, DOCUMENTS);
    q = query("? cat"); /* the models know nothing of it */
    rank_hybrid_by(s, &q, 1u << LEG_lexical, &r);
    assert_string_equal(r.items[0].filename, "cat.png");
    assert_true(r.items[0].confidence == 0);
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_int_equal(r.n, 0);
    q = query("\xf0\x9f\x90\xb6 !"); /* nor of a dog's face, though `embed` has a vector for it */
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_int_equal(r.n, 0);
    s->sources.models[LEG_sentence] = (struct rank_model){0};
    assert_int_equal(rank(s, "sentence", &q, &r), ERR_UNAVAILABLE);
    phrases_close(p);
}

/* The mean of the best phrase and the whole, 0 for what is as unlike as texts are that have nothing in common. */
static void test_sentences_score_phrase_and_whole(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct phrases *p = make_phrases(s);
    struct rank_query q = query("CAT"), other = query("cats"), page;
    s->sources.models[LEG_sentence] = sentence_model(p);
    s->sources.models[LEG_sentence].unlike = 0.5;
    assert_int_equal(rank(s, "sentence", &other, &r),
                     OK); /* no phrase is that, though "cat" and "catalogue" begin so */
    assert_string_equal(names(s, &r), "cat.png catalogue.png lion.png dog.png");
    assert_true(fabs(by_id(&r, s->ids[0])->score - 1) < 1e-3 && by_id(&r, s->ids[0])->score < 1);
    assert_true(fabs(by_id(&r, s->ids[3])->score - 0) < 1e-3);   /* its phrase is the same, the whole is not */
    assert_true(fabs(by_id(&r, s->ids[2])->score + 0.1) < 1e-3); /* the other way round: (0.45 - 0.5) / 0.5 */
    assert_true(fabs(by_id(&r, s->ids[1])->score - -1) < 1e-3);
    assert_int_equal(rank(s, "sentence", &q, &r), OK); /* the same letters but for their case */
    NEAR(by_id(&r, s->ids[0])->score, 1.5);
    assert_true(by_id(&r, s->ids[3])->score < 1e-3);
    page = q;
    page.limit = 1;
    for (page.offset = 0; page.offset < DOCUMENTS; page.offset++) {
        struct ranking one;
        assert_int_equal(rank(s, "sentence", &page, &one), OK);
        assert_int_equal(one.n, 1);
        assert_int_equal(one.total, DOCUMENTS);
        assert_int_equal(one.items[0].id, r.items[page.offset].id);
    }
    page.limit = 2; /* what other legs found is told of in any case */
    page.offset = 0;
    struct leg_hits hits;
    assert_int_equal(legs[LEG_sentence]->hits(&s->sources, &page, 1, 0, &s->arena, &hits, &s->err), OK);
    assert_int_equal(hits.n, 1);
    page.also = &s->ids[1];
    page.n_also = 1;
    assert_int_equal(legs[LEG_sentence]->hits(&s->sources, &page, 1, 0, &s->arena, &hits, &s->err), OK);
    bool told = false;
    for (size_t i = 0; i < hits.n; i++)
        told = told || hits.items[i].id == s->ids[1];
    assert_true(told);
    s->sources.models[LEG_sentence] = (struct rank_model){0};
    phrases_close(p);
}

/* Of a long query the model reads only the beginning, whoever asks; and of signs it knows nothing. */
static void test_explanations_are_of_what_was_read(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct explain_alike alike;
    struct phrases *p = make_phrases(s);
    char text[129];
    memset(text, 'a', sizeof text);
    text[0] = 'c';
    text[128] = '!';
    struct rank_query q = query("cat"), signs = query("!!!");
    q.text = text;
    q.text_len = sizeof text;
    s->sources.models[LEG_sentence] = sentence_model(p);
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_string_equal(r.items[0].filename, "cat.png");
    assert_int_equal(explain_alike(&s->sources, LEG_sentence, &q, s->ids[0], &s->arena, &alike, &s->err), OK);
    NEAR(alike.whole, 1);
    assert_int_equal(explain_alike(&s->sources, LEG_sentence, &signs, s->ids[0], &s->arena, &alike, &s->err),
                     ERR_NOT_FOUND);
    s->sources.models[LEG_sentence] = (struct rank_model){0};
    phrases_close(p);
}

/* In the same scale as for a query; but what is shown then nobody has judged, and nothing is left out. */
static void test_sentences_of_what_is_like_a_document(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct document like;
    struct rank_query q = {.language = LANGUAGE_en, .filter = STICKER_FILTER_NONE, .limit = 10, .min_score = -INFINITY};
    struct phrases *p = make_phrases(s);
    struct rank_model vector = s->sources.models[LEG_vector];
    assert_int_equal(search_store_get(s->store, "cat.png", &s->arena, &like, &s->err), OK);
    q.like = &like;
    s->sources.models[LEG_vector] = (struct rank_model){0};
    s->sources.models[LEG_sentence] = sentence_model(p);
    s->sources.models[LEG_sentence].unlike = 0.5;
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_string_equal(names(s, &r), "lion.png dog.png catalogue.png");
    assert_true(fabs(r.items[0].score - 0.8) < 1e-6); /* (0.9 - 0.5) / 0.5 */
    NEAR(r.items[1].score, -1);
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_string_equal(names(s, &r), "lion.png dog.png catalogue.png");
    for (size_t i = 0; i < r.n; i++)
        assert_true(r.items[i].confidence == 0);
    s->sources.models[LEG_sentence] = (struct rank_model){0};
    s->sources.models[LEG_vector] = vector;
    phrases_close(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_legs_is_whole),
        cmocka_unit_test(test_table_of_weights_is_whole),
        cmocka_unit_test(test_scores_are_added_by_learnt_weights),
        cmocka_unit_test(test_equal_scores_stand_by_id),
        cmocka_unit_test(test_unlikely_results_are_left_out),
        cmocka_unit_test(test_legs_are_fused_by_score),
        cmocka_unit_test(test_pages_fit_together),
        cmocka_unit_test(test_leg_that_fails_is_left_out),
        cmocka_unit_test(test_query_is_encoded_ahead),
        cmocka_unit_test(test_model_that_is_loading_delays_nobody),
        cmocka_unit_test(test_fallback_only_where_nothing_certain_is_found),
        cmocka_unit_test(test_fallback_stays_in_the_query_s_language),
        cmocka_unit_test(test_more_like_a_document_leaves_it_out),
        cmocka_unit_test(test_every_leg_honours_the_filter),
        cmocka_unit_test(test_sentences_are_a_leg_of_their_own),
        cmocka_unit_test(test_sentences_score_phrase_and_whole),
        cmocka_unit_test(test_explanations_are_of_what_was_read),
        cmocka_unit_test(test_sentences_of_what_is_like_a_document),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
