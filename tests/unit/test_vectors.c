#include "cm.h"

#include "base/buf.h"
#include "base/os.h"
#include "vectors/scan.h"
#include "vectors/vectors_exact.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

static uint64_t seed = 1;

static float uniform(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (float)(seed >> 40) / (float)(1 << 24) - 0.5f;
}

static void random_vector(float *v, size_t dim)
{
    float norm = 0;
    for (size_t i = 0; i < dim; i++) {
        v[i] = uniform() * (i % 7 == 3 ? 8 : 1); /* a few strong components, as CLIP has */
        norm += v[i] * v[i];
    }
    for (size_t i = 0; i < dim; i++)
        v[i] /= sqrtf(norm);
}

static struct vectors_exact *filled(size_t dim, size_t n, float **vectors)
{
    struct vectors_exact *ix;
    struct error err;
    assert_int_equal(vectors_exact_open(dim, &ix, &err), OK);
    *vectors = malloc(n * dim * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        random_vector(*vectors + i * dim, dim);
        assert_int_equal(vectors_exact_put(ix, (int64_t)i, *vectors + i * dim, &err), OK);
    }
    return ix;
}

/* The best k by plain double arithmetic must be what the index says, but for ties within 1e-6. */
static void compare(struct vectors_exact *ix, struct pool *pool, const float *vectors, size_t n, size_t dim, size_t k)
{
    enum { QUERIES = 6 };
    float *queries = malloc(QUERIES * dim * sizeof *queries);
    struct vectors_hit *hits = malloc(QUERIES * k * sizeof *hits);
    size_t counts[QUERIES];
    struct error err;
    for (size_t q = 0; q < QUERIES; q++)
        random_vector(queries + q * dim, dim);
    for (enum vectors_scan scan = VECTORS_INT8; scan <= VECTORS_FP32; scan++) {
        assert_int_equal(vectors_exact_search(ix, pool, queries, QUERIES, k, scan, NULL, hits, counts, &err), OK);
        for (size_t q = 0; q < QUERIES; q++) {
            size_t better = 0, expected = k < n ? k : n;
            assert_int_equal(counts[q], expected);
            double last = 0;
            for (size_t i = 0; i < n; i++) {
                double dot = 0;
                bool listed = false;
                for (size_t d = 0; d < dim; d++)
                    dot += (double)queries[q * dim + d] * (double)vectors[i * dim + d];
                for (size_t h = 0; h < expected; h++)
                    if (hits[q * k + h].id == (int64_t)i) {
                        listed = true;
                        assert_true(fabs(dot - (double)hits[q * k + h].score) < 1e-5);
                    }
                last = (double)hits[q * k + expected - 1].score;
                better += !listed && dot > last + 2e-6;
            }
            assert_int_equal(better, 0);
            for (size_t h = 1; h < expected; h++)
                assert_true(hits[q * k + h - 1].score >= hits[q * k + h].score);
        }
    }
    free(hits);
    free(queries);
}

static void search_is_exact(void **state)
{
    (void)state;
    static const struct {
        size_t dim, n, k;
    } cases[] = {{1, 3, 5}, {3, 50, 10}, {64, 1000, 10}, {100, 700, 1}, {512, 3000, 100}, {513, 257, 10}};
    struct pool *pool;
    struct error err;
    assert_int_equal(pool_open("index", 3, 1, &pool, &err), OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float *vectors;
        struct vectors_exact *ix = filled(cases[i].dim, cases[i].n, &vectors);
        compare(ix, NULL, vectors, cases[i].n, cases[i].dim, cases[i].k);
        free(vectors);
        vectors_exact_close(ix);
    }
    float *vectors; /* several segments, several tasks */
    struct vectors_exact *ix = filled(48, 20000, &vectors);
    compare(ix, pool, vectors, 20000, 48, 10);
    free(vectors);
    vectors_exact_close(ix);
    pool_close(pool);
}

static void kernels_agree(void **state)
{
    (void)state;
    static const size_t strides[] = {64, 128, 512, 4096};
    for (const struct scan_kernels *const *k = scan_available(); *k; k++) {
        for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
            enum { ROWS = 11 };
            size_t stride = strides[s];
            int8_t *codes = aligned_alloc(64, (ROWS + 4) * stride), *queries = codes + ROWS * stride;
            int32_t sum[ROWS] = {0}, want[4 * ROWS], got[4 * ROWS];
            for (size_t i = 0; i < (ROWS + 4) * stride; i++) {
                long code = lrintf(uniform() * 254);
                codes[i] = (int8_t)(i % 5 == 0 ? (code > 0 ? 127 : -127) : code);
                if (i < ROWS * stride)
                    sum[i / stride] += codes[i];
            }
            for (size_t n = 1; n <= 4; n++) {
                scan_scalar.dot_i8(codes, sum, ROWS, stride, queries, n, want);
                (*k)->dot_i8(codes, sum, ROWS, stride, queries, n, got);
                assert_memory_equal(want, got, n * ROWS * sizeof *got);
            }
            static const uint32_t places[] = {9, 0, 10, 4, 4, 1, 8, 2, 3, 7, 5, 6};
            enum { PLACES = sizeof places / sizeof *places };
            scan_scalar.dot_i8(codes, sum, ROWS, stride, queries, 1, want);
            (*k)->dot_i8_at(codes, sum, places, PLACES, stride, queries, got);
            for (size_t i = 0; i < PLACES; i++)
                assert_int_equal(got[i], want[places[i]]);
            free(codes);
        }
        for (size_t n = 1; n < 100; n++) {
            float a[100], b[100];
            for (size_t i = 0; i < n; i++) {
                a[i] = uniform();
                b[i] = uniform();
            }
            assert_true(fabsf((*k)->dot_f32(a, b, n) - scan_scalar.dot_f32(a, b, n)) < 1e-5f);
        }
    }
}

static void ties_and_replacement(void **state)
{
    (void)state;
    struct vectors_exact *ix;
    struct error err;
    struct vectors_hit hits[4];
    size_t count;
    const float x[2] = {1, 0}, y[2] = {0, 1}, bad[2] = {1, 1}, nan_vector[2] = {NAN, 0};
    float got[2];
    assert_int_equal(vectors_exact_open(0, &ix, &err), ERR_INVALID);
    assert_int_equal(vectors_exact_open(2, &ix, &err), OK);
    assert_int_equal(vectors_exact_search(ix, NULL, x, 1, 4, VECTORS_INT8, NULL, hits, &count, &err), OK);
    assert_int_equal(count, 0);
    assert_int_equal(vectors_exact_put(ix, 9, x, &err), OK);
    assert_int_equal(vectors_exact_put(ix, 4, x, &err), OK);
    assert_int_equal(vectors_exact_put(ix, 7, y, &err), OK);
    assert_int_equal(vectors_exact_put(ix, 1, bad, &err), ERR_INVALID);
    assert_int_equal(vectors_exact_put(ix, 1, nan_vector, &err), ERR_INVALID);
    assert_int_equal(vectors_exact_search(ix, NULL, x, 1, 4, VECTORS_INT8, NULL, hits, &count, &err), OK);
    assert_int_equal(count, 3);
    assert_int_equal(hits[0].id, 4);
    assert_int_equal(hits[1].id, 9);
    assert_int_equal(vectors_exact_put(ix, 4, y, &err), OK);
    assert_int_equal(vectors_exact_count(ix), 3);
    assert_int_equal(vectors_exact_get(ix, 4, got, &err), OK);
    assert_memory_equal(got, y, sizeof y);
    vectors_exact_delete(ix, 9);
    vectors_exact_delete(ix, 9);
    vectors_exact_delete(ix, 12345);
    assert_int_equal(vectors_exact_get(ix, 9, got, &err), ERR_NOT_FOUND);
    assert_int_equal(vectors_exact_search(ix, NULL, x, 1, 4, VECTORS_INT8, NULL, hits, &count, &err), OK);
    assert_int_equal(count, 2);
    assert_true(hits[0].score == 0 && hits[0].id == 4 && hits[1].id == 7);
    assert_int_equal(vectors_exact_search(ix, NULL, x, 1, 0, VECTORS_INT8, NULL, hits, &count, &err), ERR_INVALID);
    vectors_exact_close(ix);
}

enum { CHURN_DOCS = 300, CHURN_DIM = 16 };
struct churn {
    struct vectors_exact *ix;
    atomic_bool stop;
    atomic_int wrong;
};

/* Every document exists all the time, in one of two places: a search must list each exactly once. */
static void *search_all_the_time(void *arg)
{
    struct churn *c = arg;
    float query[CHURN_DIM] = {1};
    struct vectors_hit hits[CHURN_DOCS + 1];
    while (!atomic_load(&c->stop)) {
        size_t count, seen[CHURN_DOCS] = {0};
        struct error err;
        if (vectors_exact_search(c->ix, NULL, query, 1, CHURN_DOCS + 1, VECTORS_INT8, NULL, hits, &count, &err) != OK ||
            count != CHURN_DOCS) {
            atomic_fetch_add(&c->wrong, 1);
            continue;
        }
        for (size_t i = 0; i < count; i++)
            if (seen[hits[i].id]++)
                atomic_fetch_add(&c->wrong, 1);
    }
    return NULL;
}

static void readers_never_miss_a_replaced_vector(void **state)
{
    (void)state;
    struct churn c = {0};
    struct error err;
    pthread_t readers[2];
    float v[CHURN_DIM];
    assert_int_equal(vectors_exact_open(CHURN_DIM, &c.ix, &err), OK);
    for (int64_t i = 0; i < CHURN_DOCS; i++) {
        random_vector(v, CHURN_DIM);
        assert_int_equal(vectors_exact_put(c.ix, i, v, &err), OK);
    }
    for (size_t i = 0; i < 2; i++)
        pthread_create(&readers[i], NULL, search_all_the_time, &c);
    for (int64_t i = 0; i < 15000; i++) { /* enough for several compactions */
        random_vector(v, CHURN_DIM);
        assert_int_equal(vectors_exact_put(c.ix, i % CHURN_DOCS, v, &err), OK);
    }
    atomic_store(&c.stop, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    assert_int_equal(c.wrong, 0);
    assert_int_equal(vectors_exact_count(c.ix), CHURN_DOCS);
    assert_true(vectors_exact_bytes(c.ix) < 4u << 20); /* the dead were swept out */
    vectors_exact_close(c.ix);
}

enum { CROWD_ROWS = 2000 };
struct crowd {
    struct vectors_exact *ix;
    atomic_bool stop;
    atomic_int changed, wrong;
};

static void *change_all_the_time(void *arg)
{
    struct crowd *c = arg;
    float v[CHURN_DIM] = {1};
    struct error err;
    for (int64_t id = 0; !atomic_load(&c->stop) && id < CROWD_ROWS; id++) {
        if (vectors_exact_put(c->ix, id, v, &err) != OK)
            atomic_fetch_add(&c->wrong, 1);
        vectors_exact_delete(c->ix, CROWD_ROWS + id);
        atomic_store(&c->changed, (int)id + 1);
        usleep(200);
    }
    return NULL;
}

static void *search_lists_all_the_time(void *arg)
{
    struct crowd *c = arg;
    const float query[CHURN_DIM] = {1}; /* what has changed is nearest to it */
    while (!atomic_load(&c->stop)) {
        struct vectors_query ask = {.vector = query, .k = 50};
        struct vectors_hit *hits;
        struct error err;
        struct arena a;
        size_t n;
        arena_init(&a, 1 << 16);
        bool ok = vectors_search(vectors_exact_base(c->ix), &ask, &a, &hits, &n, &err) == OK && n == 50;
        for (size_t i = 0; ok && i < n; i++)
            for (size_t j = 0; j < i; j++)
                ok = ok && hits[i].id != hits[j].id && hits[i].id < CROWD_ROWS;
        if (!ok)
            atomic_fetch_add(&c->wrong, 1);
        arena_free(&a);
    }
    return NULL;
}

/* Nothing that changes during a sort is lost, and searches go on. */
static void sorting_beside_changes_and_searches(void **state)
{
    (void)state;
    struct crowd c = {0};
    char dir[64], path[128];
    struct error err;
    struct vectors_accuracy accuracy;
    pthread_t threads[3];
    float v[CHURN_DIM];
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/a.index", dir);
    assert_int_equal(vectors_exact_open(CHURN_DIM, &c.ix, &err), OK);
    vectors_exact_tune(c.ix, &(struct vectors_tuning){.recall = 0.9, .exact_below = 1, .folder = dir});
    for (int64_t i = 0; i < CROWD_ROWS; i++) {
        random_vector(v, CHURN_DIM);
        assert_int_equal(vectors_exact_put(c.ix, i, v, &err), OK);
    }
    pthread_create(&threads[0], NULL, change_all_the_time, &c);
    for (size_t i = 1; i < 3; i++)
        pthread_create(&threads[i], NULL, search_lists_all_the_time, &c);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vectors_exact_sort(c.ix, path, "m", i, NULL, &err), OK);
        vectors_exact_tend(c.ix);
    }
    atomic_store(&c.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.wrong, 0);
    assert_int_equal(vectors_exact_count(c.ix), CROWD_ROWS);
    vectors_exact_accuracy(c.ix, &accuracy);
    assert_true(accuracy.lists > 0 && c.changed > 0);
    for (int64_t id = 0; id < c.changed; id++) {
        assert_int_equal(vectors_exact_get(c.ix, id, v, &err), OK);
        assert_true(v[0] == 1);
    }
    vectors_exact_close(c.ix);
    tmp_remove(dir);
}

static void snapshots_are_checked(void **state)
{
    (void)state;
    char dir[64], path[128];
    struct error err;
    float *vectors;
    struct vectors_exact *loaded;
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/a.index", dir);
    struct vectors_exact *ix = filled(33, 5000, &vectors);
    vectors_exact_delete(ix, 4999);
    assert_int_equal(vectors_exact_load(path, "m", 33, 7, &loaded, &err), ERR_NOT_FOUND);
    assert_int_equal(vectors_exact_save(ix, path, "m", 7, &err), OK);
    assert_int_equal(vectors_exact_load(path, "m", 33, 8, &loaded, &err), ERR_CONFLICT);
    assert_int_equal(vectors_exact_load(path, "other", 33, 7, &loaded, &err), ERR_CONFLICT);
    assert_int_equal(vectors_exact_load(path, "m", 32, 7, &loaded, &err), ERR_CONFLICT);
    assert_int_equal(vectors_exact_load(path, "m", 33, 7, &loaded, &err), OK);
    compare(loaded, NULL, vectors, 4999, 33, 10);
    /* the mapped rows can be replaced, and new ones follow */
    for (size_t i = 0; i < 5000; i++) {
        random_vector(vectors + i * 33, 33);
        assert_int_equal(vectors_exact_put(loaded, (int64_t)i, vectors + i * 33, &err), OK);
    }
    compare(loaded, NULL, vectors, 5000, 33, 10);
    vectors_exact_close(loaded);
    struct buf file;
    buf_init(&file, 16 << 20);
    assert_int_equal(os_read_file(path, &file, &err), OK);
    static const size_t damaged[] = {0, 9, 13, 30, 200, 290, 300, 4096, 5000};
    for (size_t i = 0; i <= sizeof damaged / sizeof *damaged; i++) {
        size_t at = i < sizeof damaged / sizeof *damaged ? damaged[i] : file.len - 1;
        file.data[at] ^= 4;
        assert_int_equal(os_write_file(path, file.data, file.len, &err), OK);
        assert_int_equal(vectors_exact_load(path, "m", 33, 7, &loaded, &err), ERR_CORRUPT);
        assert_non_null(strstr(err.message, path));
        file.data[at] ^= 4;
    }
    static const size_t lengths[] = {0, 1, 4095, 4096, 100000};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(os_write_file(path, file.data, lengths[i], &err), OK);
        assert_int_equal(vectors_exact_load(path, "m", 33, 7, &loaded, &err), ERR_CORRUPT);
    }
    buf_free(&file);
    free(vectors);
    vectors_exact_close(ix);
    tmp_remove(dir);
}

static void many_are_compared_at_once(void **state)
{
    (void)state;
    float *vectors, query[50], scores[7];
    struct error err;
    struct vectors_exact *ix = filled(50, 3000, &vectors);
    struct vectors *v = vectors_exact_base(ix);
    const int64_t ids[] = {2999, 0, 12345, 7, 7, -1, 1500};
    random_vector(query, 50);
    vectors_remove(v, 1500);
    assert_int_equal(vectors_compare(v, query, ids, 7, scores, &err), OK);
    for (size_t i = 0; i < 7; i++) {
        double sum = 0;
        bool there = ids[i] >= 0 && ids[i] < 3000 && ids[i] != 1500;
        for (size_t k = 0; k < 50 && there; k++)
            sum += (double)query[k] * (double)vectors[(size_t)ids[i] * 50 + k];
        assert_true(fabs((double)scores[i] - (there ? sum : (double)VECTORS_NO_SCORE)) < 5e-3);
    }
    assert_int_equal(vectors_compare(v, query, NULL, 0, NULL, &err), OK);
    vectors_close(v);
    free(vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_is_exact),
        cmocka_unit_test(kernels_agree),
        cmocka_unit_test(ties_and_replacement),
        cmocka_unit_test(readers_never_miss_a_replaced_vector),
        cmocka_unit_test(snapshots_are_checked),
        cmocka_unit_test(many_are_compared_at_once),
        cmocka_unit_test(sorting_beside_changes_and_searches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
