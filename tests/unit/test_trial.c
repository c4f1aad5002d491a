/* test_trial.c: two rankings become one list that is fair to both, a new sticker is tried with the probability that is
 * recorded, and results of experiments are those of the textbooks. */
#include "cm.h"

#include "sticker_service/trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};

#define assert_near(found, expected, tolerance) assert_true(fabs((found) - (expected)) <= (tolerance))

/* A ranking of stickers of one letter each. */
static size_t rank(const char *letters, struct find_hit *out)
{
    size_t n = strlen(letters);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct find_hit){.filename = names[letters[i] - 'a']};
    return n;
}

/* The list as letters, and its teams as "0ab". */
static size_t draft(const char *a, const char *b, size_t most, uint64_t seed, bool mirrored, char *letters, char *teams)
{
    struct find_hit x[16], y[16], out[32];
    size_t n = trial_draft(x, rank(a, x), y, rank(b, y), most, seed, mirrored, out);
    for (size_t i = 0; i < n; i++) {
        letters[i] = *out[i].filename;
        teams[i] = "0ab"[out[i].team];
    }
    letters[n] = teams[n] = '\0';
    return n;
}

static void a_draft_has_each_once_and_begins_as_both_do(void **state)
{
    char letters[33], teams[33], part[33], part_teams[33];
    (void)state;
    for (uint64_t seed = 0; seed < 500; seed++) {
        assert_int_equal(draft("abcdef", "abfedg", 20, seed, false, letters, teams), 7);
        assert_memory_equal(letters, "ab", 2);
        assert_memory_equal(teams, "00", 2);
        for (size_t i = 0; i < 7; i++)
            assert_null(strchr(letters + i + 1, letters[i]));
        /* In each round both choose. */
        assert_true(strncmp(teams + 2, "ab", 2) == 0 || strncmp(teams + 2, "ba", 2) == 0);
        assert_true(strncmp(letters + 2, "cf", 2) == 0 || strncmp(letters + 2, "fc", 2) == 0);
        for (size_t most = 0; most < 7; most++) { /* pages fit together */
            assert_int_equal(draft("abcdef", "abfedg", most, seed, false, part, part_teams), most);
            assert_memory_equal(part, letters, most);
            assert_memory_equal(part_teams, teams, most);
        }
    }
    assert_int_equal(draft("abc", "abc", 20, 1, false, letters, teams), 3);
    assert_string_equal(teams, "000");
    assert_int_equal(draft("", "cab", 20, 1, false, letters, teams), 3); /* one that found nothing */
    assert_string_equal(letters, "cab");
    assert_string_equal(teams, "bbb");
    assert_int_equal(draft("", "", 20, 1, false, letters, teams), 0);
    assert_int_equal(draft("abc", "abcdef", 20, 1, false, letters, teams), 6);
    assert_string_equal(teams, "000bbb");
}

/* Over many seeds each team has each place equally often, and two rankings of which one is reversed are as good as each
 * other to somebody who chooses at random; with a mirrored list, exactly so. */
static void a_draft_is_fair(void **state)
{
    char letters[33], teams[33], other[33], mirror[33];
    enum { SEEDS = 20000 };
    int at[8] = {0}, exact[8] = {0};
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        draft("abcdefgh", "hgfedcba", 8, seed, false, letters, teams);
        draft("abcdefgh", "hgfedcba", 8, seed, true, other, mirror);
        for (int i = 0; i < 8; i++) {
            at[i] += teams[i] == 'a';
            exact[i] += (teams[i] == 'a') - (mirror[i] == 'b');
            assert_int_equal(letters[i] - 'a', 'h' - other[i]);
        }
    }
    for (int i = 0; i < 8; i++) {
        assert_true(fabs(at[i] - SEEDS / 2.0) < 4 * sqrt(SEEDS / 4.0));
        assert_int_equal(exact[i], 0);
    }
}

static void chances_add_up(void **state)
{
    static const struct trial_evidence evidence[] = {{0, 0}, {0, 0}, {5, 1}, {1, 30}, {40, 10}};
    double chances[TRIAL_MOST];
    (void)state;
    for (size_t n = 1; n <= 5; n++) {
        double sum = 0;
        trial_chances(evidence, n, chances);
        for (size_t i = 0; i < n; i++)
            sum += chances[i];
        assert_near(sum, 1, 1e-9);
        assert_near(chances[0], n > 1 ? chances[1] : 1, 1e-9);
    }
    /* P(X > Y) of Beta(2, 1) and Beta(1, 1): the mean of the first. */
    trial_chances((const struct trial_evidence[]){{1, 0}, {0, 0}}, 2, chances);
    assert_near(chances[0], 2.0 / 3, 1e-4);
    /* Of Beta(3, 2) and Beta(2, 3): the integral of 12 (x^2 - x^3) (6 x^2 - 8 x^3 + 3 x^4). */
    trial_chances((const struct trial_evidence[]){{2, 1}, {1, 2}}, 2, chances);
    assert_near(chances[0], 53.0 / 70, 1e-4);
    struct trial_evidence many[TRIAL_MOST];
    for (size_t i = 0; i < TRIAL_MOST; i++)
        many[i] = (struct trial_evidence){(double)(i * i * i), (double)(i * 1000)};
    trial_chances(many, TRIAL_MOST, chances);
    for (size_t i = 0; i < TRIAL_MOST; i++)
        assert_true(chances[i] >= 0 && chances[i] <= 1);
}

static void choices_have_their_chances(void **state)
{
    static const double chances[] = {0.1, 0.7, 0, 0.2};
    int n[4] = {0};
    uint64_t seed = 7;
    (void)state;
    for (int i = 0; i < 100000; i++)
        n[trial_choose(chances, 4, trial_random(&seed))]++;
    for (int i = 0; i < 4; i++)
        assert_true(fabs(n[i] - chances[i] * 100000) < 600);
    assert_int_equal(n[2], 0);
    assert_int_equal(trial_choose(chances, 1, UINT64_MAX), 0);
}

/* Exact sums of binomial coefficients. */
static void the_sign_test_is_that_of_the_textbooks(void **state)
{
    static const struct {
        int64_t heads, n;
        double p;
    } known[] = {{0, 0, 1},
                 {1, 2, 1},
                 {0, 5, 0.0625},
                 {5, 5, 0.0625},
                 {9, 10, 0.021484375},
                 {8, 10, 0.109375},
                 {60, 100, 0.05688793364098078},
                 {61, 100, 0.035200200217704813}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_near(trial_sign_test(known[i].heads, known[i].n), known[i].p, 1e-9);
    assert_near(trial_sign_test(500000, 1000001), 1, 1e-6); /* n is odd: both middles */
    assert_true(trial_sign_test(400000, 1000000) < 1e-300);
}

static void results_name_the_better_one(void **state)
{
    struct trial_result r;
    (void)state;
    trial_judge(EXPERIMENT_INTERLEAVE, &(struct experiment_counts){.won = {39, 61}, .tied = 50}, &r);
    assert_int_equal(r.better, TEAM_B);
    assert_int_equal(r.n, 100);
    assert_near(r.value, 0.61, 1e-9);
    assert_near(r.low, 0.512, 1e-3);
    assert_near(r.high, 0.700, 1e-3);
    trial_judge(EXPERIMENT_INTERLEAVE, &(struct experiment_counts){.won = {60, 40}}, &r);
    assert_int_equal(r.better, TEAM_NONE);
    trial_judge(EXPERIMENT_INTERLEAVE, &(struct experiment_counts){0}, &r);
    assert_true(r.p == 1 && r.value == 0.5 && r.low == 0 && r.high == 1);
    /* Newcombe's example: 56 of 70 and 48 of 80 differ by 0.2, with 0.0524 to 0.3339. */
    trial_judge(EXPERIMENT_AB, &(struct experiment_counts){.people = {80, 70}, .won = {48, 56}}, &r);
    assert_near(r.value, 0.2, 1e-9);
    assert_near(r.low, 0.0524, 1e-4);
    assert_near(r.high, 0.3339, 1e-4);
    assert_near(r.p, 0.008045, 1e-6);
    assert_int_equal(r.better, TEAM_B);
    assert_near(r.balance_p, 0.41422, 1e-4);
    trial_judge(EXPERIMENT_AB, &(struct experiment_counts){.people = {1000, 1200}, .won = {100, 600}}, &r);
    assert_true(r.balance_p < 0.001 && r.better == TEAM_NONE);
    trial_judge(EXPERIMENT_AB, &(struct experiment_counts){.people = {3, 0}}, &r);
    assert_true(r.p == 1 && r.low == -1 && r.high == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_has_each_once_and_begins_as_both_do),
        cmocka_unit_test(a_draft_is_fair),
        cmocka_unit_test(chances_add_up),
        cmocka_unit_test(choices_have_their_chances),
        cmocka_unit_test(the_sign_test_is_that_of_the_textbooks),
        cmocka_unit_test(results_name_the_better_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
