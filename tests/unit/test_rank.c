/* The ranking over a small library, with a model and vectors made up for it: legs alone and fused, one that fails,
 * one that is loading, filters. */
#include "cm.h"

#include "rank/leg.h"
#include "text/text.h"

#include <math.h>
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

static enum status embed(const struct encoder *e, enum encoder_role role, const char *text, size_t len, float *out,
                         struct error *err)
{
    (void)e, (void)len;
    assert_int_equal(role, ENCODER_QUERY);
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

static size_t table_count(const struct vectors *v)
{
    (void)v;
    return DOCUMENTS;
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
    table = (struct table){.base = {&table_class, 3}};
    assert_non_null(s);
    arena_init(&s->arena, 16 << 20);
    tmp_make(s->folder, sizeof s->folder);
    snprintf(path, sizeof path, "%s/search.db", s->folder);
    assert_int_equal(search_store_open(path, 4, &s->store, &s->err), OK);
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct sticker_terms terms;
        bool changed;
        struct document doc = {.filename = library[i].filename,
                               .title = library[i].title,
                               .words_json = "[]",
                               .image_sha256 = "",
                               .pack = i < 2 ? "pets" : "other"};
        assert_int_equal(text_sticker_terms(doc.title, doc.filename, NULL, 0, &s->arena, &terms, &s->err), OK);
        assert_int_equal(search_store_put(s->store, &doc, &terms, &s->ids[i], &changed, NULL, &s->err), OK);
        table.ids[i] = s->ids[i];
        memcpy(table.rows[i], library[i].row, sizeof table.rows[i]);
    }
    s->sources = (struct rank_sources){.store = s->store};
    s->sources.models[LEG_vector] = (struct rank_model){"m", "ready", &encoders[0], &table.base};
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        s->sources.weights[leg] = 1;
    *state = s;
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

static void test_legs_are_fused_by_rank(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("cat");
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &r);
    assert_int_equal(r.total, DOCUMENTS);
    assert_string_equal(r.items[0].filename, "cat.png");
    assert_true(fabs(r.items[0].score - (fuse_score(1, 1) + fuse_score(1, 1))) < 1e-12);
    assert_int_equal(rank(s, "vector", &q, &r), OK);
    assert_string_equal(names(s, &r), "cat.png lion.png dog.png catalogue.png");
    s->sources.weights[LEG_vector] = 0; /* its results stay, behind those of the others */
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    assert_string_equal(r.items[0].filename, "cat.png");
    assert_true(fabs(r.items[r.n - 1].score) < 1e-12);
    s->sources.weights[LEG_vector] = 1;
}

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
    bool found = false;
    for (size_t i = 0; i < r.n; i++)
        found = found || (strcmp(r.items[i].filename, "catalogue.png") == 0 && r.items[i].score > fuse_score(0.5, 1));
    assert_true(found);
    s->sources.models[LEG_vector].encoder = &encoders[0]; /* one that is relied on in full has found something */
    assert_int_equal(rank(s, "hybrid", &q, &r), OK);
    for (size_t i = 0; i < r.n; i++)
        assert_true(r.items[i].score <= fuse_score(1, 1));
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

/* Its model is another than that of the leg `vector`, and what it finds is fused with the rest. */
static void test_sentences_are_a_leg_of_their_own(void **state)
{
    struct setup *s = *state;
    struct ranking r;
    struct rank_query q = query("dog");
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector, &r);
    s->sources.models[LEG_sentence] = (struct rank_model){"t", "ready", &encoders[0], &table.base};
    rank_hybrid_by(s, &q, 1u << LEG_lexical | 1u << LEG_vector | 1u << LEG_sentence, &r);
    assert_string_equal(r.items[0].filename, "dog.png");
    assert_true(fabs(r.items[0].score - 3 * fuse_score(1, 1)) < 1e-12);
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_int_equal(r.legs, 1u << LEG_sentence);
    assert_string_equal(r.items[0].filename, "dog.png");
    q = query("? cat"); /* the models know nothing of it */
    rank_hybrid_by(s, &q, 1u << LEG_lexical, &r);
    assert_string_equal(r.items[0].filename, "cat.png");
    assert_int_equal(rank(s, "sentence", &q, &r), OK);
    assert_int_equal(r.n, 0);
    s->sources.models[LEG_sentence] = (struct rank_model){0};
    assert_int_equal(rank(s, "sentence", &q, &r), ERR_UNAVAILABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_of_legs_is_whole),
        cmocka_unit_test(test_legs_are_fused_by_rank),
        cmocka_unit_test(test_pages_fit_together),
        cmocka_unit_test(test_leg_that_fails_is_left_out),
        cmocka_unit_test(test_model_that_is_loading_delays_nobody),
        cmocka_unit_test(test_fallback_only_where_nothing_certain_is_found),
        cmocka_unit_test(test_more_like_a_document_leaves_it_out),
        cmocka_unit_test(test_every_leg_honours_the_filter),
        cmocka_unit_test(test_sentences_are_a_leg_of_their_own),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
