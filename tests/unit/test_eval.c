/* Measures against numbers worked out by hand, both forms of judgements and what is refused in them. */
#include "cm.h"

#include "base/os.h"
#include "eval/judged.h"
#include "eval/measures.h"
#include "eval/snips.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct files {
    char dir[64], first[96], second[96];
    struct arena a;
};

static int setup(void **state)
{
    static struct files f;
    snprintf(f.dir, sizeof f.dir, "%s/peel-eval-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.first, sizeof f.first, "%s/first", f.dir);
    snprintf(f.second, sizeof f.second, "%s/second", f.dir);
    arena_init(&f.a, 16u << 20);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct files *f = *state;
    unlink(f->first);
    unlink(f->second);
    rmdir(f->dir);
    arena_free(&f->a);
    return 0;
}

static void put(const char *path, const char *text)
{
    struct error err;
    assert_int_equal(os_write_file(path, text, strlen(text), &err), OK);
}

static void near(double a, double b)
{
    if (fabs(a - b) > 1e-9)
        fail_msg("%.12f is not %.12f", a, b);
}

static void test_measures(void **state)
{
    (void)state;
    struct judgement relevant[] = {{"a", 2}, {"b", 1}, {"c", 2}};
    struct judged_query q = {.id = "1", .query = "x", .relevant = relevant, .n = 3};
    double m[MEASURES];
    measures_of(&q, (const char *[]){"x", "b", "y", "a"}, 4, m);
    near(m[MEASURE_RECALL_1], 0);
    near(m[MEASURE_RECALL_10], 2.0 / 3);
    near(m[MEASURE_HIT_10], 1);
    near(m[MEASURE_MRR], 0.5);
    near(m[MEASURE_NDCG_10], (1 / log2(3) + 2 / log2(5)) / (2 + 2 / log2(3) + 1 / log2(4)));
    near(m[MEASURE_NOTHING], 0);
    measures_of(&q, (const char *[]){"c", "a", "b"}, 3, m);
    for (size_t i = 0; i < MEASURE_NOTHING; i++)
        near(m[i], 1);
    measures_of(&q, NULL, 0, m);
    for (size_t i = 0; i < MEASURE_NOTHING; i++)
        near(m[i], 0);
    near(m[MEASURE_NOTHING], 1);
}

/* Beyond ten a result counts for MRR alone, beyond a hundred for nothing; more relevant ones than ten are no
 * reproach. */
static void test_depth(void **state)
{
    (void)state;
    struct judgement relevant[12];
    char names[200][12];
    const char *results[200];
    double m[MEASURES];
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof names[i], "%03d", i);
        results[i] = names[i];
    }
    for (int i = 0; i < 12; i++)
        relevant[i] = (struct judgement){names[i], 1};
    struct judged_query q = {.relevant = relevant, .n = 12};
    measures_of(&q, results, 200, m);
    near(m[MEASURE_RECALL_10], 1);
    near(m[MEASURE_NDCG_10], 1);
    relevant[0].filename = names[10];
    q.n = 1;
    measures_of(&q, results, 200, m);
    near(m[MEASURE_RECALL_10], 0);
    near(m[MEASURE_MRR], 1.0 / 11);
    relevant[0].filename = names[100];
    measures_of(&q, results, 200, m);
    near(m[MEASURE_MRR], 0);
}

static void test_intervals(void **state)
{
    (void)state;
    double same[50], coin[400], worse[400];
    for (int i = 0; i < 50; i++)
        same[i] = 0.25;
    struct interval v = measures_interval(same, NULL, 50, 1);
    near(v.low, 0.25);
    near(v.high, 0.25);
    for (int i = 0; i < 400; i++) {
        coin[i] = i % 2;
        worse[i] = coin[i] - 0.1;
    }
    v = measures_interval(coin, NULL, 400, 1); /* 0.5 +- 1.96 * 0.5 / sqrt(400) */
    near(v.value, 0.5);
    assert_true(fabs(v.low - 0.451) < 0.008 && fabs(v.high - 0.549) < 0.008);
    v = measures_interval(coin, worse, 400, 1); /* paired: the noise they share is no noise */
    assert_true(fabs(v.low - 0.1) < 1e-6 && fabs(v.high - 0.1) < 1e-6);
    v = measures_interval(coin, NULL, 200, 2); /* every second one is 0 */
    near(v.value, 0);
    near(v.high, 0);
    near(measures_interval(coin, NULL, 0, 1).value, 0);
}

/* Shares of sums, not means of shares: 3 of 12, and 3 + 8 of 12 + 8. */
static void test_snips(void **state)
{
    (void)state;
    struct snips a[40] = {{1, 10}, {2, 2}}, b[40] = {{1, 10}, {2, 2}}, all[40];
    near(snips_interval(a, NULL, 2).value, 0.25);
    near(snips_interval(a, b, 40).value, 0);
    b[2] = (struct snips){8, 8};
    near(snips_interval(b, a, 40).value, 11.0 / 20 - 0.25);
    near(snips_interval(a, NULL, 0).value, 0);
    near(snips_interval(a + 2, NULL, 38).high, 0); /* nothing was seen */
    for (size_t i = 0; i < 40; i++) {
        all[i] = (struct snips){1, 1};
        a[i] = (struct snips){(double)(i % 2), 2};
    }
    struct interval v = snips_interval(all, a, 40);
    near(v.value, 0.75);
    assert_true(v.low > 0.6 && v.low < 0.75 && v.high > 0.75 && v.high < 0.9);
}

static void test_csv(void **state)
{
    struct files *f = *state;
    struct judged j;
    struct error err;
    put(f->first, "\xef\xbb\xbfid,split,type,language,query,relevant\r\n"
                  "q1,dev,word,en,\"cat, black\",cat.svg dog.svg:1\r\n"
                  "q2,test,word,es,gato,cat.svg:3\r\n");
    assert_int_equal(judged_read_csv(f->first, NULL, &f->a, &j, &err), OK);
    assert_int_equal(j.n, 2);
    assert_string_equal(j.queries[0].query, "cat, black");
    assert_int_equal(judged_grade(&j.queries[0], "cat.svg"), JUDGED_GRADE);
    assert_int_equal(judged_grade(&j.queries[0], "dog.svg"), 1);
    assert_int_equal(judged_grade(&j.queries[0], "bird.svg"), 0);
    assert_string_equal(j.queries[1].language, "es");
    assert_int_equal(judged_read_csv(f->first, "test", &f->a, &j, &err), OK);
    assert_int_equal(j.n, 1);
    assert_string_equal(j.queries[0].id, "q2");
    assert_int_equal(judged_read_csv(f->first, "other", &f->a, &j, &err), ERR_INVALID);
    put(f->first, "relevant,query\ncat.svg,cat\n");
    assert_int_equal(judged_read_csv(f->first, NULL, &f->a, &j, &err), OK);
    assert_string_equal(j.queries[0].id, "line 2");
    assert_string_equal(j.queries[0].type, "");
}

static void test_bad_csv(void **state)
{
    struct files *f = *state;
    static const struct {
        const char *text, *complaint;
    } bad[] = {
        {"", "no column \"query\""},
        {"query\ncat\n", "no column \"relevant\""},
        {"query,relevant\n", "no queries"},
        {"query,relevant\ncat\n", "line 2 has 1 fields"},
        {"query,relevant\n,cat.svg\n", "line 2 has no query"},
        {"query,relevant\ncat,\n", "no relevant sticker"},
        {"query,relevant\ncat,a.svg:0\n", "a grade is 1 to 100"},
        {"query,relevant\ncat,a.svg:x\n", "a grade is 1 to 100"},
        {"query,relevant\ncat,a.svg:999999999999999999999\n", "a grade is 1 to 100"},
        {"query,relevant\ncat,a.svg a.svg:1\n", "names a.svg twice"},
        {"query,relevant\n\"cat,a.svg\n", "a quote is never closed"},
        {"query,relevant\ncat\x81,a.svg\n", "neither UTF-8 nor Windows-1252"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct judged j;
        struct error err;
        put(f->first, bad[i].text);
        assert_int_equal(judged_read_csv(f->first, NULL, &f->a, &j, &err), ERR_INVALID);
        if (!strstr(err.message, bad[i].complaint) || !strstr(err.message, f->first))
            fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i].complaint);
    }
    assert_int_equal(judged_read_csv("/does/not/exist", NULL, &f->a, &(struct judged){0}, NULL), ERR_NOT_FOUND);
}

static void test_trec(void **state)
{
    struct files *f = *state;
    struct judged j;
    struct error err;
    put(f->first, "2\tblack cat\n1\tdog\r\n\n");
    put(f->second, "2 0 cat.svg 2\n2 0 dog.svg 0\n1 Q0 dog.svg 1\n2\t0\tkitten.svg\t1\n2 0 lion.svg -1\n");
    assert_int_equal(judged_read_trec(f->first, f->second, &f->a, &j, &err), OK);
    assert_int_equal(j.n, 2);
    assert_string_equal(j.queries[1].query, "black cat");
    assert_int_equal(j.queries[1].n, 2);
    assert_int_equal(judged_grade(&j.queries[1], "kitten.svg"), 1);
    assert_int_equal(judged_grade(&j.queries[1], "dog.svg"), 0);
    static const struct {
        const char *topics, *qrels, *complaint;
    } bad[] = {
        {"", "", "no queries"},
        {"1 dog\n", "", "expected an id, a tab and a query"},
        {"\tdog\n", "", "line 1: expected an id"},
        {"1\tdog\n1\tcat\n", "", "query 1 is there twice"},
        {"1\tdog\n", "", "query 1 has no relevant sticker"},
        {"1\tdog\n", "1 0 dog.svg\n", "line 1: expected \"id 0 filename grade\""},
        {"1\tdog\n", "1 0 dog.svg 1 x\n", "line 1: expected"},
        {"1\tdog\n", "1 0 dog.svg 1.5\n", "line 1: expected"},
        {"1\tdog\n", "\n2 0 dog.svg 1\n", "line 2: there is no query 2"},
        {"1\tdog\n", "1 0 dog.svg 1\n1 0 dog.svg 2\n", "names dog.svg twice"},
        {"1\tdog\xff\n", "", "not text in UTF-8"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(f->first, bad[i].topics);
        put(f->second, bad[i].qrels);
        assert_int_equal(judged_read_trec(f->first, f->second, &f->a, &j, &err), ERR_INVALID);
        if (!strstr(err.message, bad[i].complaint))
            fail_msg("\"%s\" does not say \"%s\"", err.message, bad[i].complaint);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measures),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_snips),
        cmocka_unit_test_setup_teardown(test_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_csv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_trec, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
