/* test_pgvector.c: vectors searched by pgvector, against the exact index over the same vectors. Needs a server that has
 * the extension: PEEL_TEST_PGVECTOR_URL, which tests/api/test_pgvector.py sets. */
#include "store_suite.h"

#include "search_store/search_internal.h"
#include "vectors/vectors_exact.h"
#include <math.h>

enum { DOCUMENTS = 2000, CLUSTERS = 60, DIM = 48, QUERIES = 100, K = 10, BATCH = 250 };

static float noise(unsigned *seed)
{
    float sum = 0; /* nearly normal */
    for (int i = 0; i < 6; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        sum += (float)(*seed >> 8) / (float)(1u << 24) - 0.5f;
    }
    return sum;
}

static void normalize(float *v, size_t dim)
{
    float norm = 0;
    for (size_t i = 0; i < dim; i++)
        norm += v[i] * v[i];
    for (size_t i = 0; i < dim; i++)
        v[i] /= sqrtf(norm);
}

/* Around one of the centres. */
static void any_vector(unsigned *seed, const float *centres, float *out)
{
    *seed = *seed * 1664525u + 1013904223u;
    const float *centre = centres + (*seed >> 16) % CLUSTERS * DIM;
    for (size_t i = 0; i < DIM; i++)
        out[i] = centre[i] + 0.6f * noise(seed);
    normalize(out, DIM);
}

/* As if whoever made an index had been stopped meanwhile. */
static enum status spoil_index(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return db_script(c,
                     "UPDATE pg_index SET indisvalid = false WHERE indexrelid IN"
                     " (SELECT c.oid FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw')",
                     err);
}

static enum status count_valid(struct db_conn *c, void *arg, struct error *err)
{
    return db_get_int(c,
                      "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
                      " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'hnsw' AND i.indisvalid",
                      DB_NONE, arg, NULL, err);
}

/* pglite has one session, and takes a moment to notice that the one before has ended. */
static struct search_store *open_store(struct suite *s)
{
    struct search_store *store = NULL;
    enum status st = ERR_UNAVAILABLE;
    for (int i = 0; i < 50 && st == ERR_UNAVAILABLE; i++) {
        usleep(i ? 100000 : 0);
        st = search_store_open(s->url, 1, &store, &s->err);
    }
    assert_ok(s, st);
    return store;
}

/* Half of them are for all, few are animated, and three are in a pack. */
static struct document label(int i)
{
    return (struct document){.title = "",
                             .words_json = "",
                             .image_sha256 = "11",
                             .pack = i % 1000 == 1 && i < 3000 ? "three" : "",
                             .rating = i % 2 ? RATING_G : RATING_R,
                             .animated = i % 300 == 0};
}

static void put_documents(struct suite *s, struct search_store *store, int64_t *ids)
{
    for (int i = 0; i < DOCUMENTS; i++) {
        char name[32];
        bool changed;
        snprintf(name, sizeof name, "d%d", i);
        struct document doc = label(i);
        doc.filename = name;
        struct sticker_terms none = {"", "", "", "", NULL, 0};
        assert_ok(s, search_store_put(store, &doc, &none, &ids[i], &changed, NULL, &s->err));
    }
}

static void put_vectors(struct suite *s, struct search_store *store, const int64_t *ids, const float *v, int from,
                        int to)
{
    const char *images[BATCH];
    for (int i = 0; i < BATCH; i++)
        images[i] = "11";
    for (int i = from; i < to; i += BATCH)
        assert_ok(s,
                  search_store_vectors_put(store, "test/m", DIM, ids + i, images, v + (size_t)i * DIM, BATCH, &s->err));
}

static size_t nearest(struct suite *s, struct search_store *store, const float *query, size_t k,
                      struct vector_hit **hits)
{
    size_t n;
    assert_ok(s, search_store_vectors_search(store, "test/m", DIM, query, NULL, k, &s->arena, hits, &n, &s->err));
    for (size_t i = 1; i < n; i++)
        assert_true((*hits)[i - 1].score >= (*hits)[i].score);
    return n;
}

/* As many of those that pass as there are, up to K, and nearly the best of them. */
static void filtered(struct suite *s, struct search_store *store, const int64_t *ids, const float *v,
                     const float *query, struct sticker_filter f, double least)
{
    struct vector_hit *hits;
    size_t n, found = 0, passing = 0;
    float scores[K] = {0}, worst = 2;
    assert_ok(s, search_store_vectors_search(store, "test/m", DIM, query, &f, K, &s->arena, &hits, &n, &s->err));
    for (int i = 0; i < DOCUMENTS; i++) {
        struct document doc = label(i);
        if (!sticker_filter_passes(&f, doc.pack, doc.rating, doc.animated))
            continue;
        float score = 0;
        for (size_t d = 0; d < DIM; d++)
            score += v[(size_t)i * DIM + d] * query[d];
        size_t at = passing < K ? passing : K - 1;
        if (passing < K || score > scores[at]) {
            for (; at && scores[at - 1] < score; at--)
                scores[at] = scores[at - 1];
            scores[at] = score;
        }
        passing++;
        for (size_t k = 0; k < n; k++)
            found += hits[k].id == ids[i];
    }
    assert_int_equal(n, passing < K ? passing : K);
    assert_int_equal(found, n); /* all of them pass */
    size_t best = 0;
    for (size_t k = 0; k < n; k++) {
        best += hits[k].score >= scores[n - 1] - 1e-5f;
        assert_true(hits[k].score <= worst);
        worst = hits[k].score;
    }
    assert_true((double)best >= least * (double)n);
}

static void pgvector_finds_what_the_exact_scan_finds(void **state)
{
    struct suite *s = *state;
    static float centres[CLUSTERS * DIM], v[DOCUMENTS * DIM];
    static int64_t ids[DOCUMENTS];
    unsigned seed = 42;
    struct vectors_exact *exact;
    struct search_store *store = open_store(s);
    assert_ok(s, search_store_vectors_searchable(store, &s->err));
    for (size_t i = 0; i < CLUSTERS * DIM; i++)
        centres[i] = noise(&seed);
    for (size_t i = 0; i < DOCUMENTS; i++)
        any_vector(&seed, centres, v + i * DIM);
    put_documents(s, store, ids);
    int64_t start = os_monotonic_us();
    put_vectors(s, store, ids, v, 0, DOCUMENTS / 2); /* before there is an index, and after */
    assert_ok(s, search_store_vectors_index(store, "test/m", DIM, &s->err));
    put_vectors(s, store, ids, v, DOCUMENTS / 2, DOCUMENTS);
    int64_t valid[3];
    assert_ok(s, search_store_write(store, DB_DURABLE, count_valid, &valid[0], &s->err));
    assert_ok(s, search_store_write(store, DB_DURABLE, spoil_index, NULL, &s->err));
    assert_ok(s, search_store_write(store, DB_DURABLE, count_valid, &valid[1], &s->err));
    assert_ok(s, search_store_vectors_index(store, "test/m", DIM, &s->err)); /* makes that index again */
    assert_ok(s, search_store_write(store, DB_DURABLE, count_valid, &valid[2], &s->err));
    assert_true(valid[0] > 0 && valid[1] == 0 && valid[2] == 1);
    double filled = (double)(os_monotonic_us() - start) / 1e6;
    assert_ok(s, vectors_exact_open(DIM, &exact, &s->err));
    for (size_t i = 0; i < DOCUMENTS; i++)
        assert_ok(s, vectors_exact_put(exact, ids[i], v + i * DIM, &s->err));

    size_t shared = 0;
    int64_t took = 0;
    for (int i = 0; i < QUERIES; i++) {
        float query[DIM];
        struct vectors_hit best[K];
        struct vector_hit *hits;
        size_t n;
        any_vector(&seed, centres, query);
        assert_ok(s, vectors_exact_search(exact, NULL, query, 1, K, VECTORS_FP32, NULL, best, &n, &s->err));
        start = os_monotonic_us();
        assert_int_equal(nearest(s, store, query, K, &hits), K);
        took += os_monotonic_us() - start;
        for (size_t a = 0; a < K; a++)
            for (size_t b = 0; b < K; b++)
                if (hits[a].id == best[b].id) {
                    shared++;
                    assert_true(fabsf(hits[a].score - best[b].score) < 1e-5f); /* from full precision */
                }
    }
    double recall = (double)shared / (QUERIES * K);
    printf("pgvector: recall@%d %.4f of the exact scan, %d vectors of %d numbers put in %.1f s, %.1f ms a search\n", K,
           recall, DOCUMENTS, DIM, filled, (double)took / 1e3 / QUERIES);
    assert_true(recall >= 0.98);

    for (size_t i = 0; i < 5; i++) {
        const float *query = v + i * DIM;
        filtered(s, store, ids, v, query, (struct sticker_filter){NULL, RATING_PG, ANIMATED_ANY}, 0.9);
        filtered(s, store, ids, v, query, (struct sticker_filter){NULL, RATING_R, ANIMATED_YES}, 1);
        filtered(s, store, ids, v, query, (struct sticker_filter){"three", RATING_R, ANIMATED_ANY}, 1);
        filtered(s, store, ids, v, query, (struct sticker_filter){"three", RATING_G, ANIMATED_YES}, 1);
    }

    /* All pages, also beyond what the index gives at once, then fewer documents. */
    struct vector_hit *hits;
    assert_int_equal(nearest(s, store, v, 1, &hits), 1);
    assert_int_equal(hits[0].id, ids[0]);
    assert_true(nearest(s, store, v, 1500, &hits) > 1450);
    int64_t gone;
    assert_ok(s, search_store_delete(store, "d0", &gone, &s->err));
    assert_int_equal(gone, ids[0]);
    assert_int_equal(nearest(s, store, v, 5, &hits), 5);
    for (size_t i = 0; i < 5; i++)
        assert_true(hits[i].id != ids[0]);
    vectors_exact_close(exact);
    search_store_close(store);
}

static void each_dimension_has_its_own_table(void **state)
{
    struct suite *s = *state;
    struct search_store *store = open_store(s);
    struct document doc = {.filename = "a", .title = "", .words_json = "", .image_sha256 = "11"};
    struct sticker_terms none = {"", "", "", "", NULL, 0};
    const char *image = "11", *hostile = "x\"; DROP TABLE documents; --";
    float v[DIM] = {1}, other[8] = {0, 1};
    struct vector_hit *hits;
    int64_t id;
    size_t n;
    bool changed;
    assert_ok(s, search_store_put(store, &doc, &none, &id, &changed, NULL, &s->err));
    assert_ok(s, search_store_vectors_index(store, hostile, 8, &s->err));
    assert_ok(s, search_store_vectors_put(store, hostile, 8, &id, &image, other, 1, &s->err));
    assert_ok(s, search_store_vectors_index(store, "test/m", DIM, &s->err));
    assert_ok(s, search_store_vectors_put(store, "test/m", DIM, &id, &image, v, 1, &s->err));
    assert_int_equal(nearest(s, store, v, 3, &hits), 1);
    assert_true(hits[0].id == id && hits[0].score == 1);
    assert_ok(s, search_store_vectors_search(store, hostile, 8, other, NULL, 3, &s->arena, &hits, &n, &s->err));
    assert_int_equal(n, 1);

    /* The model changes its dimension: its vectors are forgotten, a table for the other size is made. */
    assert_int_equal(search_store_vectors_index(store, "test/m", 8, &s->err), ERR_CORRUPT);
    assert_ok(s, search_store_vectors_drop(store, "test/m", &s->err));
    assert_ok(s, search_store_vectors_index(store, "test/m", 8, &s->err));
    assert_ok(s, search_store_vectors_put(store, "test/m", 8, &id, &image, other, 1, &s->err));
    assert_ok(s, search_store_vectors_search(store, "test/m", 8, other, NULL, 3, &s->arena, &hits, &n, &s->err));
    assert_int_equal(n, 1);
    assert_int_equal(nearest(s, store, v, 3, &hits), 0);
    assert_int_equal(search_store_vectors_index(store, "test/m", 4001, &s->err), ERR_UNSUPPORTED);
    assert_ok(s, search_store_delete(store, "a", &id, &s->err));
    search_store_close(store);
}

static int setup(void **state)
{
    int rc = suite_setup(state);
    struct suite *s = *state;
    snprintf(s->url, sizeof s->url, "%s", getenv("PEEL_TEST_PGVECTOR_URL"));
    return rc;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_dimension_has_its_own_table, setup, suite_teardown),
        cmocka_unit_test_setup_teardown(pgvector_finds_what_the_exact_scan_finds, setup, suite_teardown),
    };
    if (!getenv("PEEL_TEST_PGVECTOR_URL")) {
        printf(
            "skipped: PEEL_TEST_PGVECTOR_URL names no server (tests/api/test_pgvector.py does)\n0 passed, 0 failed\n");
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
