/* Many vectors in memory: sorted into lists, of which a search reads the nearest. */
#include "cm.h"

#include "base/buf.h"
#include "base/labels.h"
#include "base/os.h"
#include "vectors/clusters.h"
#include "vectors/vectors_exact.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DIM = 48, ROWS = 6000, CENTRES = 60, QUERIES = 40, DEEP = 200 };

static uint64_t seed = 1;

static float uniform(void)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (float)(seed >> 40) / (float)(1 << 24) - 0.5f;
}

/* A vector of length 1 near a centre, or anywhere (NULL); as with pictures, some directions vary more than others. */
static void vector_near(const float *centre, float *v)
{
    float norm = 0;
    for (size_t i = 0; i < DIM; i++) {
        v[i] = (centre ? centre[i] : 0) + (centre ? 2.0f : 1.0f) * uniform() / sqrtf((float)(i + 1));
        norm += v[i] * v[i];
    }
    for (size_t i = 0; i < DIM; i++)
        v[i] /= sqrtf(norm);
}

struct fixture {
    char dir[64], path[128];
    float centres[CENTRES][DIM];
    struct vectors_exact *ix;
};

static void put_one(struct fixture *f, struct vectors_exact *ix, int64_t id)
{
    float v[DIM];
    struct error err;
    vector_near(f->centres[(size_t)id % CENTRES], v);
    assert_int_equal(vectors_exact_put(ix, id, v, &err), OK);
}

static const char *scratch; /* the folder for vectors that are not sorted yet */

static void tune(struct vectors_exact *ix, double recall)
{
    vectors_exact_tune(ix, &(struct vectors_tuning){.recall = recall, .exact_below = 1000, .folder = scratch});
}

static int set_up(void **state)
{
    static struct fixture f;
    struct error err;
    seed = 1;
    tmp_make(f.dir, sizeof f.dir);
    snprintf(f.path, sizeof f.path, "%s/a.index", f.dir);
    scratch = f.dir;
    assert_int_equal(vectors_exact_open(DIM, &f.ix, &err), OK);
    tune(f.ix, 0.95);
    for (size_t i = 0; i < CENTRES; i++)
        vector_near(NULL, f.centres[i]);
    for (int64_t i = 0; i < ROWS; i++)
        put_one(&f, f.ix, i);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    vectors_exact_close(f->ix);
    tmp_remove(f->dir);
    return 0;
}

static void sort_all(struct fixture *f)
{
    struct error err;
    assert_true(vectors_exact_wants_sort(f->ix));
    assert_int_equal(vectors_exact_sort(f->ix, f->path, "m", 7, NULL, &err), OK);
    assert_false(vectors_exact_wants_sort(f->ix));
}

static size_t lists_of(const struct vectors_exact *ix)
{
    struct vectors_accuracy a;
    vectors_exact_accuracy(ix, &a);
    return a.lists;
}

static size_t search_near(struct vectors_exact *ix, const float *query, size_t k, const struct label_test *passing,
                          struct arena *a, struct vectors_hit **hits)
{
    struct vectors_query ask = {.vector = query, .k = k, .passing = passing};
    struct error err;
    size_t n;
    assert_int_equal(vectors_search(vectors_exact_base(ix), &ask, a, hits, &n, &err), OK);
    return n;
}

/* The share of the exact answers that searches find. */
static double recall_of(struct fixture *f, struct vectors_exact *ix, size_t k, const struct label_test *passing)
{
    struct vectors_hit *exact = malloc(k * sizeof *exact), *hits;
    size_t found = 0, all = 0, expected;
    struct error err;
    struct arena a;
    arena_init(&a, 4 << 20);
    for (size_t q = 0; q < QUERIES; q++) {
        float query[DIM];
        arena_reset(&a);
        vector_near(f->centres[q], query);
        assert_int_equal(vectors_exact_search(ix, NULL, query, 1, k, VECTORS_FP32, passing, exact, &expected, &err),
                         OK);
        size_t n = search_near(ix, query, k, passing, &a, &hits);
        all += expected;
        for (size_t i = 0; i < n; i++) {
            assert_true(i == 0 || hits[i - 1].score >= hits[i].score);
            for (size_t j = 0; j < expected; j++)
                found += hits[i].id == exact[j].id;
        }
    }
    arena_free(&a);
    free(exact);
    return (double)found / (double)all;
}

static void most_of_the_nearest_are_found(void **state)
{
    struct fixture *f = *state;
    assert_true(recall_of(f, f->ix, 10, NULL) == 1.0); /* unsorted is exact */
    sort_all(f);
    assert_int_equal(vectors_exact_count(f->ix), ROWS);
    assert_true(lists_of(f->ix) > 200);
    tune(f->ix, 0.5);
    double low = recall_of(f, f->ix, 10, NULL);
    assert_true(low > 0.5 && low < 0.9);
    tune(f->ix, 0.95);
    assert_true(recall_of(f, f->ix, 10, NULL) > 0.93);
    assert_true(recall_of(f, f->ix, DEEP, NULL) > 0.93);
    assert_true(recall_of(f, f->ix, 1500, NULL) == 1.0); /* deeper than lists are tuned for */
    tune(f->ix, 1);
    assert_int_equal(lists_of(f->ix), 0);
    assert_true(recall_of(f, f->ix, 10, NULL) == 1.0);
}

static void few_vectors_are_searched_exactly(void **state)
{
    struct fixture *f = *state;
    struct error err;
    vectors_exact_tune(f->ix, &(struct vectors_tuning){.recall = 0.95, .exact_below = ROWS + 1});
    assert_false(vectors_exact_wants_sort(f->ix));
    assert_int_equal(vectors_exact_sort(f->ix, f->path, "m", 7, NULL, &err), OK); /* saves */
    assert_int_equal(lists_of(f->ix), 0);
    tune(f->ix, 1);
    assert_false(vectors_exact_wants_sort(f->ix));
    tune(f->ix, 0.95);
    assert_true(vectors_exact_wants_sort(f->ix));
}

static void filters_are_inside(void **state)
{
    struct fixture *f = *state;
    struct labels *labels;
    struct error err;
    struct arena a;
    static const char *const packs[] = {"half", "quarter", "rare"};
    assert_int_equal(labels_open(&labels, &err), OK);
    for (int64_t i = 0; i < ROWS; i++) {
        size_t turn = (size_t)(i / CENTRES); /* packs have some of each centre */
        const char *pack = turn % 2 ? packs[0] : turn % 4 ? packs[1] : i % 500 == 0 ? packs[2] : "other";
        assert_int_equal(labels_put(labels, i, pack, RATING_G, i % 2, &err), OK);
    }
    sort_all(f);
    arena_init(&a, 1 << 20);
    for (size_t p = 0; p < 3; p++) {
        struct sticker_filter filter = STICKER_FILTER_NONE;
        struct label_test test;
        filter.pack = packs[p];
        labels_test_begin(labels, &filter, &test);
        assert_true(recall_of(f, f->ix, 10, &test) > 0.93);
        struct vectors_hit *hits;
        size_t n = search_near(f->ix, f->centres[1], 20, &test, &a, &hits);
        assert_int_equal(n, p == 2 ? 3 : 20);
        for (size_t i = 0; i < n; i++)
            assert_true(label_passes(&test, hits[i].id));
        labels_test_end(&test);
    }
    /* nothing near half of the queries is animated */
    struct label_test test;
    labels_test_begin(labels, &(struct sticker_filter){.rating_most = RATING_R, .animated = ANIMATED_YES}, &test);
    assert_true(recall_of(f, f->ix, 10, &test) > 0.93);
    labels_test_end(&test);
    arena_free(&a);
    labels_close(labels);
}

/* What came after the sort is found at once, what was removed is not, and both survive a restart. */
static void changes_after_the_sort(void **state)
{
    struct fixture *f = *state;
    struct vectors_exact *loaded;
    struct vectors_hit *hits;
    struct error err;
    struct arena a;
    float own[DIM];
    sort_all(f);
    size_t lists = lists_of(f->ix);
    for (int64_t id = 0; id < 300; id++)
        put_one(f, f->ix, id * 20 + (id % 2) * ROWS); /* half of them replaced, half new */
    for (int64_t id = 1; id < 250; id++)
        vectors_exact_delete(f->ix, id * 20 + 1);
    assert_int_equal(vectors_exact_save(f->ix, f->path, "m", 8, &err), OK);
    assert_int_equal(vectors_exact_load(f->path, "m", DIM, 8, &loaded, &err), OK);
    tune(loaded, 0.95);
    assert_int_equal(lists_of(loaded), lists);
    arena_init(&a, 4 << 20);
    for (size_t k = 0; k < 2; k++) {
        struct vectors_exact *ix = k ? loaded : f->ix;
        assert_int_equal(vectors_exact_count(ix), ROWS + 150 - 249);
        assert_true(recall_of(f, ix, 10, NULL) > 0.93);
        for (int64_t id = 0; id < 300; id++) {
            arena_reset(&a);
            assert_int_equal(vectors_exact_get(ix, id * 20 + (id % 2) * ROWS, own, &err), OK);
            assert_int_equal(search_near(ix, own, 1, NULL, &a, &hits), 1);
            assert_true(hits[0].score > 0.9999f);
        }
        assert_int_equal(vectors_exact_get(ix, 21, own, &err), ERR_NOT_FOUND);
    }
    /* as many again: time to sort them in */
    for (int64_t id = 0; id < 5000; id++)
        put_one(f, loaded, 2 * ROWS + id);
    assert_true(vectors_exact_wants_sort(loaded));
    assert_int_equal(vectors_exact_sort(loaded, f->path, "m", 9, NULL, &err), OK);
    assert_true(recall_of(f, loaded, 10, NULL) > 0.93);
    /* most of them die: the rest moves together, still in lists */
    for (int64_t id = 0; id < 5000; id++)
        vectors_exact_delete(loaded, 2 * ROWS + id);
    for (int64_t id = 0; id < ROWS; id++)
        if (id / CENTRES % 2)
            vectors_exact_delete(loaded, id);
    assert_int_equal(lists_of(loaded), lists);
    tune(loaded, 0.5); /* so that searches do read lists, not everything */
    double recall = recall_of(f, loaded, 10, NULL);
    assert_true(recall > 0.5 && recall < 1);
    vectors_exact_close(loaded);
    arena_free(&a);
}

/* Does this process have a file of the folder mapped that has no name? */
static bool maps_scratch(const char *folder)
{
    char line[PATH_MAX + 200];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps))
        found |= strstr(line, folder) && strstr(line, "(deleted)");
    fclose(maps);
    return found;
}

static void unsorted_vectors_lie_in_a_file_if_there_can_be_one(void **state)
{
    struct fixture *f = *state;
    struct vectors_exact *ix;
    struct error err;
    assert_true(maps_scratch(f->dir));
    sort_all(f);
    assert_false(maps_scratch(f->dir));
    scratch = "/nonexistent";
    assert_int_equal(vectors_exact_open(DIM, &ix, &err), OK);
    tune(ix, 0.95);
    for (int64_t i = 0; i < ROWS; i++)
        put_one(f, ix, i);
    assert_true(recall_of(f, ix, 10, NULL) == 1.0);
    assert_int_equal(vectors_exact_sort(ix, f->path, "m", 7, NULL, &err), OK);
    assert_true(recall_of(f, ix, 10, NULL) > 0.93);
    vectors_exact_close(ix);
}

static void damaged_lists_are_noticed(void **state)
{
    struct fixture *f = *state;
    struct vectors_exact *loaded;
    struct error err;
    struct buf file;
    sort_all(f);
    buf_init(&file, 16 << 20);
    assert_int_equal(os_read_file(f->path, &file, &err), OK);
    const size_t damaged[] = {300, 310, 400, file.len - 1, file.len - 3000, file.len - 20000};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        file.data[damaged[i]] ^= 4;
        assert_int_equal(os_write_file(f->path, file.data, file.len, &err), OK);
        assert_int_equal(vectors_exact_load(f->path, "m", DIM, 7, &loaded, &err), ERR_CORRUPT);
        file.data[damaged[i]] ^= 4;
    }
    memcpy(file.data, "PEELIX01", 8); /* of an earlier version: read from the database again */
    assert_int_equal(os_write_file(f->path, file.data, file.len, &err), OK);
    assert_int_equal(vectors_exact_load(f->path, "m", DIM, 7, &loaded, &err), ERR_CORRUPT);
    buf_free(&file);
}

static bool stop_later(void *arg)
{
    int *left = arg;
    return (*left)-- <= 0;
}

static void a_sort_can_be_stopped(void **state)
{
    struct fixture *f = *state;
    struct error err;
    for (int times = 0; times < 40; times += 9) {
        int left = times;
        enum status st = vectors_exact_sort(f->ix, f->path, "m", 7, &(struct vectors_stop){stop_later, &left}, &err);
        assert_int_equal(st, ERR_CANCELLED);
        assert_int_equal(lists_of(f->ix), 0);
    }
    assert_true(recall_of(f, f->ix, 10, NULL) == 1.0);
    assert_true(access(f->path, F_OK) != 0);
}

static void searches_are_compared_with_the_exact_answer(void **state)
{
    struct fixture *f = *state;
    struct vectors *v = vectors_exact_base(f->ix);
    struct vectors_accuracy accuracy;
    struct vectors_hit *hits;
    struct arena a;
    arena_init(&a, 1 << 20);
    vectors_tend(v);
    vectors_accuracy(v, &accuracy);
    assert_true(accuracy.lists == 0 && accuracy.samples == 0 && accuracy.recall_10 == 1);
    sort_all(f);
    vectors_tend(v); /* nobody has searched */
    for (int i = 0; i < 3; i++)
        search_near(f->ix, f->centres[5], 10, NULL, &a, &hits);
    vectors_tend(v);
    search_near(f->ix, f->centres[6], 10, NULL, &a, &hits);
    vectors_tend(v); /* too soon after the first one */
    vectors_accuracy(v, &accuracy);
    assert_int_equal(accuracy.samples, 1);
    assert_true(accuracy.lists > 0 && accuracy.recall_10 >= 0.5 && accuracy.recall_200 >= 0.5);
    assert_true(accuracy.recall_10 <= 1 && accuracy.recall_200 <= 1);
    arena_free(&a);
}

/* Vectors in three directions make lists that have but one. */
static void clusters_are_what_is_alike(void **state)
{
    (void)state;
    enum { N = 900, STRIDE = 64 };
    int8_t *codes = aligned_alloc(64, N * STRIDE);
    const int8_t *rows[N];
    float scale[N];
    int32_t dots[64];
    struct clusters c;
    struct error err;
    memset(codes, 0, N * STRIDE);
    for (size_t i = 0; i < N; i++) {
        codes[i * STRIDE + i % 3] = 127;
        codes[i * STRIDE + 3 + i % 5] = (int8_t)(i % 7);
        rows[i] = codes + i * STRIDE;
        scale[i] = 1.0f / 127;
    }
    const struct clusters_sample sample = {rows, scale, N}, none = {rows, scale, 0};
    assert_int_equal(clusters_train(scan_available()[0], 8, STRIDE, &sample, 9, NULL, &c, &err), OK);
    assert_true(c.groups == 3 && c.lists >= 9 && c.lists <= 12);
    uint32_t list[3];
    for (size_t i = 0; i < N; i++) {
        uint32_t at = clusters_list(&c, scan_available()[0], STRIDE, rows[i], dots);
        struct clusters_rank ranks[16];
        clusters_nearest(&c, scan_available()[0], STRIDE, rows[i], c.lists, dots, ranks);
        assert_int_equal(ranks[0].list, at);
        for (uint32_t k = 1; k < c.lists; k++)
            assert_true(ranks[k - 1].score >= ranks[k].score);
        assert_true(c.codes[(c.groups + at) * STRIDE + i % 3] > 100);
        list[i % 3] = at;
    }
    assert_true(list[0] != list[1] && list[1] != list[2] && list[0] != list[2]);
    clusters_free(&c);
    assert_int_equal(clusters_train(scan_available()[0], 8, STRIDE, &none, 9, NULL, &c, &err), ERR_INVALID);
    free(codes);
}

int main(void)
{
#define WITH_ROWS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_are_what_is_alike),
        WITH_ROWS(most_of_the_nearest_are_found),
        WITH_ROWS(few_vectors_are_searched_exactly),
        WITH_ROWS(filters_are_inside),
        WITH_ROWS(changes_after_the_sort),
        WITH_ROWS(unsorted_vectors_lie_in_a_file_if_there_can_be_one),
        WITH_ROWS(damaged_lists_are_noticed),
        WITH_ROWS(a_sort_can_be_stopped),
        WITH_ROWS(searches_are_compared_with_the_exact_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
