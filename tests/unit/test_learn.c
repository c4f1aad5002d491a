/* test_learn.c: what votes and clicks teach: the formulas against numbers worked out by hand, the evidence in the
 * store, and simulations: of people who vote against others, and of clicks by people of whom it is known what they
 * want. */
#include "store_suite.h"

#include "sticker_service/learn.h"
#include "sticker_store/sticker_events.h"
#include "sticker_store/sticker_internal.h"
#include "sticker_store/sticker_privacy.h"
#include "sticker_store/sticker_webhooks.h"

#include <math.h>
#include <stdio.h>

#define DAY   STORE_DAY_US
#define HALF  (180 * (double)DAY)
#define NEVER 1e30

static const struct admin_who ann = {.username = "ann", .address = ""};

/* --- formulas --- */

static struct learn_ballot ballot(int vote, int64_t voter, int64_t network)
{
    return (struct learn_ballot){.vote = vote, .voter = voter, .network = network, .weight = 1};
}

/* `up` and `down` voters, two in each network. */
static struct learn_tally crowd(int up, int down)
{
    static struct learn_ballot ballots[1000];
    static const struct learn_bias bias;
    struct learn_tally t;
    for (int i = 0; i < up + down; i++)
        ballots[i] = ballot(i < up ? 1 : -1, i + 1, i / 2);
    learn_tally(ballots, (size_t)(up + down), NULL, &bias, 0.5, NEVER, 0, &t);
    return t;
}

static void votes_are_bounded_by_how_sure_they_are(void **state)
{
    static const struct {
        int up, down;
        double gain;
    } cases[] = {{0, 60, -0.8359}, {60, 0, 0.8359}, {3, 0, 0},       {4, 0, 0.0178},
                 {10, 0, 0.3581},  {50, 50, 0},     {50, 10, 0.4757}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct learn_tally t = crowd(cases[i].up, cases[i].down);
        assert_true(fabs(t.votes - cases[i].gain) < 0.0001);
        assert_true(fabs(t.gain - 0.7 * cases[i].gain) < 0.0001);
    }
    assert_true(fabs(learn_vote_gain(0.96, 25, 0.8) - 0.1509) < 0.0001);
    assert_true(learn_up_share(99, 0) == 0.5);
    assert_true(learn_up_share(60, 40) == 0.6);
    assert_true(learn_up_share(1000, 0) == 0.7 && learn_up_share(0, 1000) == 0.3);
}

static void a_crowd_is_three_people_of_two_networks(void **state)
{
    static const struct learn_bias bias;
    struct learn_ballot b[200];
    struct learn_tally t;
    (void)state;
    assert_true(crowd(2, 0).votes == 0);
    for (int i = 0; i < 200; i++)
        b[i] = ballot(-1, i, 7);
    learn_tally(b, 200, NULL, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.voters == 200 && t.networks == 1 && t.votes == 0);
    assert_true(fabs(t.downs - 3) < 1e-9); /* what one network weighs */
    for (int i = 0; i < 200; i++)
        b[i] = ballot(-1, i, i ? 7 : 8);
    learn_tally(b, 200, NULL, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.networks == 2 && fabs(t.downs - 4) < 1e-9 && t.votes < 0);
    for (int i = 0; i < 10; i++) {
        b[i] = ballot(-1, i, 7);
        b[i].vouched = true;
    }
    learn_tally(b, 10, NULL, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.networks == 2 && fabs(t.downs - 10) < 1e-9 && fabs(t.votes + 0.3581) < 0.0001);
}

static void old_votes_count_less(void **state)
{
    static const struct learn_bias bias;
    struct learn_ballot b[4];
    struct learn_tally t;
    (void)state;
    for (int i = 0; i < 4; i++) {
        b[i] = ballot(1, i, i);
        b[i].at_us = (i % 2) * 180 * DAY;
    }
    learn_tally(b, 4, NULL, &bias, 0.5, HALF, 180 * DAY, &t);
    assert_true(fabs(t.ups - 3) < 1e-9);
}

static void clicks_count_by_what_their_rank_gets_anyway(void **state)
{
    struct learn_rank ranks[LEARN_RANKS + 1] = {{0}};
    struct learn_bias bias;
    struct learn_tally t;
    (void)state;
    ranks[1] = (struct learn_rank){1000, 400};
    ranks[2] = (struct learn_rank){1000, 200};
    learn_bias(ranks, &bias);
    assert_false(bias.estimated);
    assert_true(fabs(bias.looked[2] - 0.61557) < 0.0001 && fabs(bias.looked[10] - 0.19953) < 0.0001);
    assert_true(fabs(bias.rate - 600 / 1615.57) < 0.0001);
    ranks[1] = (struct learn_rank){100000, 40000};
    ranks[2] = (struct learn_rank){100000, 20000};
    learn_bias(ranks, &bias);
    assert_true(bias.estimated);
    assert_true(fabs(bias.looked[1] - 1) < 1e-9 && fabs(bias.looked[2] - 0.5) < 0.01);
    assert_true(fabs(bias.rate - 0.4) < 0.01);

    struct learn_clicks c = {.seen = 100, .clicked = 60, .networks = LEARN_VOUCHED};
    learn_tally(NULL, 0, &c, &bias, 0.5, NEVER, 0, &t);
    assert_true(fabs(t.clicks - log2(70.0 / (100 * bias.rate + 10))) < 1e-9 && t.by_clicks);
    c.networks = 4;
    learn_tally(NULL, 0, &c, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.clicks == 0);
    c = (struct learn_clicks){.seen = 1000, .clicked = 0, .networks = LEARN_VOUCHED};
    learn_tally(NULL, 0, &c, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.clicks == -1 && fabs(t.gain + 0.75) < 1e-9 && t.by_clicks);
    c = (struct learn_clicks){.seen = 100, .clicked = 1000, .networks = LEARN_VOUCHED};
    learn_tally(NULL, 0, &c, &bias, 0.5, NEVER, 0, &t);
    assert_true(t.clicks == 1 && fabs(t.gain - 0.3) < 1e-9 && t.by_clicks);
}

/* What nobody vouches for counts no more than so many networks can say. */
static void clicks_of_few_networks_count_little(void **state)
{
    static const struct learn_bias bias = {.rate = 0.5};
    static const struct {
        int64_t networks;
        double weight; /* of 60 clicks where 20 were expected */
    } cases[] = {{1, 0}, {3, 2.0324 / 40}, {1023, 10.89 / 40}, {INT64_MAX, 1}, {LEARN_VOUCHED | 1, 1}};
    struct learn_tally t;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct learn_clicks c = {.seen = 40, .clicked = 60, .networks = cases[i].networks};
        learn_tally(NULL, 0, &c, &bias, 0.5, NEVER, 0, &t);
        double clicks = log2((60 * cases[i].weight + 10) / (20 * cases[i].weight + 10));
        assert_true(fabs(t.clicks - fmin(1, clicks)) < 0.0001);
    }
}

static void many_votes_leave_little_to_clicks(void **state)
{
    static const struct learn_bias bias = {.rate = 0.5};
    struct learn_clicks c = {.seen = 1000, .networks = LEARN_VOUCHED};
    static const double shares[] = {0.75, 0.525, 0.3};
    (void)state;
    for (int i = 0; i < 3; i++) { /* 0, 5 and 10 votes */
        struct learn_ballot b[10];
        struct learn_tally t;
        for (int k = 0; k < 5 * i; k++)
            b[k] = ballot(k % 2 ? 1 : -1, k + 1, k);
        learn_tally(b, (size_t)(5 * i), &c, &bias, 0.5, NEVER, 0, &t);
        assert_true(t.votes == 0 && fabs(t.gain + shares[i]) < 1e-9);
    }
}

static void gains_are_kept_as_text(void **state)
{
    struct buf text;
    const struct learn_gain gains[] = {{"0123", 0.414, false}, {"abc", -1, true}};
    struct learn_gain read;
    (void)state;
    buf_init(&text, 1000);
    learn_gain_write(&gains[0], &text);
    learn_gain_write(&gains[1], &text);
    assert_string_equal(buf_str(&text), "0123 0.41\nabc -1.00 c\n");
    const char *at = buf_str(&text);
    assert_true(learn_gain_read(&at, &read) && strcmp(read.sticker_id, "0123") == 0 && fabs(read.gain - 0.41) < 1e-9 &&
                !read.by_clicks);
    assert_true(learn_gain_read(&at, &read) && strcmp(read.sticker_id, "abc") == 0 && read.by_clicks);
    assert_false(learn_gain_read(&at, &read));
    buf_free(&text);
}

/* --- the store --- */

static int set_up(void **state)
{
    suite_setup_stickers(state);
    struct suite *s = *state;
    suite_add(s, s->stickers, "a.png", "a");
    suite_add(s, s->stickers, "b.png", "b");
    assert_ok(s, sticker_store_learn_open(s->stickers, &s->err));
    return 0;
}

/* A vote as an app hands it over: 1, -1 or 0, of a voter (0: not named) from a network. */
static void vote(struct suite *s, const char *query, const char *sticker, int how, int64_t voter, int64_t network)
{
    char hash[65];
    const char **failed;
    size_t n;
    snprintf(hash, sizeof hash, "%016llx%048d", (unsigned long long)voter, 0);
    struct feedback_entry e = {
        .query = query, .voter = voter ? hash : NULL, .origin = {1000 + network, network, false}};
    if (how > 0)
        e.positive = &sticker, e.n_positive = 1;
    else if (how < 0)
        e.negative = &sticker, e.n_negative = 1;
    else
        e.withdrawn = &sticker, e.n_withdrawn = 1;
    assert_ok(s, sticker_store_query_ensure(s->stickers, query, &s->err));
    assert_ok(s, sticker_store_feedback(s->stickers, &e, 1, &s->arena, &failed, &n, &s->err));
    assert_int_equal(n, 0);
}

static void learn_by(struct suite *s, size_t events)
{
    const struct learn_settings settings = {180};
    struct learner *l;
    bool more = true;
    assert_ok(s, learner_open(s->stickers, &settings, &l, &s->err));
    while (more)
        assert_ok(s, learner_read(l, events, &more, &s->err));
    do
        assert_ok(s, learner_teach(l, 3, &more, &s->err));
    while (more);
    learner_close(l);
}

static void learn(struct suite *s)
{
    learn_by(s, 7); /* in several transactions */
}

static void learn_at_once(struct suite *s)
{
    learn_by(s, 5000);
}

static struct learn_explained explain(struct suite *s, const char *query, const char *sticker)
{
    const struct learn_settings settings = {180};
    struct learn_explained x;
    struct learner *l;
    struct sticker k;
    assert_ok(s, sticker_store_get(s->stickers, sticker, &s->arena, &k, &s->err));
    assert_ok(s, learner_open(s->stickers, &settings, &l, &s->err));
    assert_ok(s, learner_explain(l, query, k.id, &s->arena, &x, &s->err));
    learner_close(l);
    return x;
}

static void a_voter_has_one_net_vote(void **state)
{
    struct suite *s = *state;
    struct learn_ballot *b;
    size_t n;
    for (int i = 1; i <= 12; i++)
        vote(s, i % 2 ? "Party  Time" : "party time", "a.png", 1, i, i);
    vote(s, "party time", "a.png", -1, 1, 1); /* of another spelling, and counts as a change */
    vote(s, "party time", "a.png", 0, 2, 2);
    for (int i = 0; i < 3; i++)
        vote(s, "party time", "a.png", 1, 0, 50); /* nobody: one for each address and day */
    learn(s);
    assert_ok(s, sticker_store_learn_ballots(s->stickers, "party time", &s->arena, &b, &n, &s->err));
    assert_int_equal(n, 12);
    struct learn_explained x = explain(s, "PARTY time", "a.png");
    assert_int_equal(x.own.voters, 12);
    assert_true(fabs(x.own.ups - 10.5) < 0.001 && fabs(x.own.downs - 1) < 0.001);
    assert_string_equal(x.from, "query");
    assert_true(x.gain > 0.1);
    assert_string_equal(explain(s, "times of the party", "a.png").from, "alike");
    assert_string_equal(explain(s, "other", "a.png").from, "all");
    assert_string_equal(explain(s, "other", "b.png").from, "nothing");
    learn(s); /* again: nothing is new */
    assert_ok(s, sticker_store_learn_ballots(s->stickers, "party time", &s->arena, &b, &n, &s->err));
    assert_int_equal(n, 12);
}

/* Each ballot counts by how many others the voter had cast that day, in one transaction or in several. */
static void busy_voters_count_less(struct suite *s, void (*learn_some)(struct suite *))
{
    char query[32];
    struct learn_ballot *b;
    size_t n;
    for (int i = 0; i < 25; i++) {
        snprintf(query, sizeof query, "q%d", i);
        vote(s, query, "a.png", 1, 7, 7);
        vote(s, query, "a.png", 1, 8, 8);
    }
    vote(s, "q3", "a.png", 0, 7, 7);  /* taken back: 24 others */
    vote(s, "q4", "a.png", -1, 7, 7); /* changed: 23 others */
    vote(s, "q3", "a.png", 1, 7, 7);  /* and cast again: 24 others */
    learn_some(s);
    static const struct {
        int query, others;
    } expected[] = {{0, 0}, {20, 20}, {3, 24}, {4, 23}};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        snprintf(query, sizeof query, "q%d", expected[i].query);
        assert_ok(s, sticker_store_learn_ballots(s->stickers, query, &s->arena, &b, &n, &s->err));
        assert_int_equal(n, 2);
        const struct learn_ballot *its = b[0].network == 7 ? &b[0] : &b[1];
        assert_true(fabs(its->weight - 1 / sqrt(1 + expected[i].others / 20.0)) < 0.001);
    }
}

static void busy_voters_count_less_in_several_transactions(void **state)
{
    busy_voters_count_less(*state, learn);
}

static void busy_voters_count_less_in_one_transaction(void **state)
{
    busy_voters_count_less(*state, learn_at_once);
}

static void bursts_wait_for_a_decision(void **state)
{
    struct suite *s = *state;
    struct burst *bursts;
    size_t n;
    for (int i = 1; i <= 101; i++)
        vote(s, "cat", "a.png", -1, i, i);
    vote(s, "dog", "a.png", -1, 1, 1);
    const struct webhook hook = {.url = "https://x/", .events = "votes.held", .secret = ""};
    struct webhook_delivery *told;
    int64_t id;
    assert_ok(s, sticker_store_webhook_add(s->stickers, &ann, &hook, &id, &s->err));
    learn(s);
    assert_ok(s, sticker_store_webhook_next(s->stickers, id, 10, &s->arena, &told, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(told[0].object, "cat");
    assert_memory_equal(told[0].data, "{\"query\":\"cat\",\"hour\":\"", 22);
    assert_non_null(strstr(told[0].data, ":00:00.000000Z\",\"votes\":101,\"usual\":10}"));
    assert_ok(s, sticker_store_bursts(s->stickers, 10, &s->arena, &bursts, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(bursts[0].query, "cat");
    assert_int_equal(bursts[0].votes, 101);
    assert_int_equal(bursts[0].state, BURST_HELD);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 0);
    assert_ok(s, sticker_store_burst_decide(s->stickers, &ann, "cat", bursts[0].hour, BURST_RELEASED, &s->err));
    learn(s);
    assert_true(explain(s, "cat", "a.png").gain < -0.3);
    assert_ok(s, sticker_store_burst_decide(s->stickers, &ann, "cat", bursts[0].hour, BURST_DROPPED, &s->err));
    learn(s);
    assert_true(explain(s, "cat", "a.png").gain == 0);
    assert_int_equal(sticker_store_burst_decide(s->stickers, &ann, "dog", bursts[0].hour, BURST_DROPPED, &s->err),
                     ERR_NOT_FOUND);
}

static enum status sql_job(struct db_conn *c, void *sql, struct error *err)
{
    return db_script(c, sql, err);
}

static void run_sql(struct suite *s, const char *sql)
{
    assert_ok(s, db_write(s->stickers->db, DB_DURABLE, sql_job, (void *)(uintptr_t)sql, &s->err));
}

/* The log of a query's votes, moved by so many hours. */
static void move_events(struct suite *s, int hours)
{
    char sql[128];
    snprintf(sql, sizeof sql, "UPDATE events SET stored_us = stored_us - %lld", hours * (long long)STORE_HOUR_US);
    run_sql(s, sql);
}

static int64_t number(struct suite *s, const char *sql)
{
    int64_t n = 0;
    assert_ok(s, db_read_int(s->stickers->db, sql, DB_NONE, &n, NULL, &s->err));
    return n;
}

static size_t held(struct suite *s)
{
    struct burst *bursts;
    size_t n, held = 0;
    assert_ok(s, sticker_store_bursts(s->stickers, 100, &s->arena, &bursts, &n, &s->err));
    for (size_t i = 0; i < n; i++)
        held += bursts[i].state == BURST_HELD;
    return held;
}

static void a_burst_is_found_behind_others(void **state)
{
    struct suite *s = *state;
    for (int i = 1; i <= 101; i++)
        vote(s, "cat", "a.png", -1, i, i);
    move_events(s, 1);
    vote(s, "cat", "a.png", 1, 500, 500); /* in the hour after it, and read together with it */
    learn_at_once(s);
    assert_int_equal(held(s), 1);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 1);
    assert_ok(s, sticker_store_learn_reset(s->stickers, &ann, true, &s->err));
    learn_at_once(s);
    assert_int_equal(held(s), 1);
}

static void one_network_or_voter_cannot_have_others_held(void **state)
{
    struct suite *s = *state;
    for (int i = 1; i <= 10; i++)
        vote(s, "cat", "a.png", 1, i, i);
    for (int i = 0; i < 100; i++)
        vote(s, "cat", "a.png", i % 2 ? 1 : -1, 1, 1);
    for (int i = 1; i <= 100; i++)
        vote(s, "cat", "a.png", -1, 1000 + i, 77);
    learn(s);
    assert_int_equal(held(s), 0);
    assert_int_equal(explain(s, "cat", "a.png").own.networks, 11);
    assert_true(number(s, "SELECT votes FROM vote_hours") < 60); /* nor raise what is usual */
    for (int i = 0; i < 2; i++)
        vote(s, "dog", "a.png", i ? 0 : 1, 1, 1);
    learn(s);
    assert_int_equal(number(s, "SELECT votes FROM vote_hours WHERE query = 'dog'"), 0);
}

static void what_is_usual_cannot_be_raised_in_an_hour(void **state)
{
    struct suite *s = *state;
    for (int i = 1; i <= 90; i++)
        vote(s, "cat", "a.png", -1, i, i);
    learn(s);
    run_sql(s, "UPDATE vote_hours SET hour = hour - 1; UPDATE ballots SET at_us = at_us - 3600000000");
    for (int i = 101; i <= 250; i++)
        vote(s, "cat", "a.png", -1, i, i);
    learn(s);
    assert_int_equal(held(s), 1);
}

static void one_network_cannot_crowd_out_others(void **state)
{
    struct suite *s = *state;
    for (int i = 1; i <= 12; i++)
        vote(s, "cat", "a.png", 1, i, i);
    learn(s);
    double gain = explain(s, "cat", "a.png").gain;
    assert_true(gain > 0.2);
    run_sql(s, "INSERT INTO ballots (query, sticker_id, voter, vote, weight, network, vouched, at_us)"
               " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)"
               " SELECT query, sticker_id, 1000 + i, -1, 1000000, 77, 0, at_us + i FROM n,"
               " (SELECT * FROM ballots LIMIT 1) b");
    assert_true(explain(s, "cat", "a.png").own.ups > 11.9);
    run_sql(s, "UPDATE lessons SET due = 1");
    learn(s);
    assert_true(explain(s, "cat", "a.png").gain > 0.05); /* as with one such voter */
}

static size_t forget_events(struct suite *s, int64_t before_us)
{
    int64_t from_us = 0;
    size_t n, rounds = 0;
    do {
        assert_true(++rounds < 10);
        assert_ok(s, sticker_store_retain(s->stickers, RETAIN_EVENTS, before_us, 40, &from_us, &n, &s->err));
    } while (n == 40);
    return rounds;
}

static void bursts_are_forgotten_with_events(void **state)
{
    static const enum burst_state decisions[] = {BURST_HELD, BURST_RELEASED, BURST_DROPPED};
    static const char *const queries[] = {"cat", "dog", "sun"};
    struct suite *s = *state;
    struct learn_counts counts;
    struct burst *bursts;
    size_t n;
    for (size_t i = 0; i < 3; i++)
        for (int k = 1; k <= 101; k++)
            vote(s, queries[i], "a.png", -1, k, k);
    learn(s);
    assert_ok(s, sticker_store_bursts(s->stickers, 10, &s->arena, &bursts, &n, &s->err));
    assert_int_equal(n, 3);
    int64_t after_us = (bursts[0].hour + 1) * STORE_HOUR_US;
    for (size_t i = 1; i < 3; i++)
        assert_ok(s, sticker_store_burst_decide(s->stickers, &ann, queries[i], bursts[0].hour, decisions[i], &s->err));
    assert_int_equal(forget_events(s, after_us - 1), 1);
    assert_ok(s, sticker_store_bursts(s->stickers, 10, &s->arena, &bursts, &n, &s->err));
    assert_int_equal(n, 3);
    assert_int_equal(forget_events(s, after_us), 4); /* one hour at once */
    assert_ok(s, sticker_store_bursts(s->stickers, 10, &s->arena, &bursts, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, sticker_store_learn_count(s->stickers, &counts, &s->err));
    assert_int_equal(counts.ballots, 101);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(explain(s, queries[i], "a.png").own.voters, decisions[i] == BURST_RELEASED ? 101 : 0);
}

static void what_was_learnt_can_be_forgotten_and_learnt_again(void **state)
{
    struct suite *s = *state;
    struct learn_counts counts;
    bool changed;
    int64_t n;
    for (int i = 1; i <= 20; i++)
        vote(s, "cat", "a.png", i % 5 ? 1 : -1, i, i);
    learn(s);
    double gain = explain(s, "cat", "a.png").gain;
    assert_true(gain > 0);
    assert_ok(s, sticker_store_learn_freeze(s->stickers, &ann, true, &changed, &s->err));
    for (int i = 21; i <= 80; i++)
        vote(s, "cat", "a.png", -1, i, i);
    learn(s);
    assert_true(explain(s, "cat", "a.png").gain == gain);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 80);
    assert_ok(s, sticker_store_learn_freeze(s->stickers, &ann, false, &changed, &s->err));
    learn(s);
    assert_true(explain(s, "cat", "a.png").gain < 0);
    assert_ok(s, sticker_store_learn_reset(s->stickers, &ann, false, &s->err));
    learn(s);
    assert_ok(s, sticker_store_learn_count(s->stickers, &counts, &s->err));
    assert_true(counts.ballots == 0 && counts.queries == 0 && counts.version == 0);
    assert_ok(s, sticker_store_learn_reset(s->stickers, &ann, true, &s->err));
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 80);
    assert_ok(s, sticker_store_learn_rescore(s->stickers, &ann, &n, &s->err));
    assert_int_equal(n, 0); /* scores are what the log says */

    /* Whose votes they were is forgotten; what they teach is not. */
    int64_t from = 0;
    size_t forgot;
    assert_ok(s, sticker_store_retain(s->stickers, RETAIN_VOTERS, os_now_us() + 1, 1000, &from, &forgot, &s->err));
    assert_int_equal(forgot, 80);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 80);
    vote(s, "cat", "a.png", 1, 1, 1);
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 81);
}

static int64_t ups(struct suite *s)
{
    int64_t numbers[LEARN_NUMBERS];
    assert_ok(s, sticker_store_learn_numbers(s->stickers, numbers, &s->err));
    return numbers[LEARN_UPS];
}

static void a_voter_can_be_forgotten(void **state)
{
    struct suite *s = *state;
    struct forgotten n;
    char hash[65];
    for (int i = 1; i <= 5; i++)
        vote(s, "cat", "a.png", 1, i, i);
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 5);
    snprintf(hash, sizeof hash, "%016llx%048d", 3ull, 0);
    assert_ok(s, sticker_store_forget_voter(s->stickers, &ann, (const char *[]){hash}, 1, false, &n, &s->err));
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 4);
    assert_int_equal(ups(s), 4);
    assert_ok(s, sticker_store_forget_search(s->stickers, &ann, "cat", "cat", false, &n, &s->err));
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 0);
    assert_string_equal(explain(s, "cat", "a.png").from, "nothing");
    assert_int_equal(ups(s), 0);
}

/* A pass reads the log, somebody is forgotten, and then it adds what it has read. */
static void what_is_forgotten_meanwhile_is_not_learnt(void **state)
{
    struct suite *s = *state;
    struct forgotten forgotten;
    struct learn_event *events;
    int64_t numbers[LEARN_NUMBERS];
    size_t n;
    vote(s, "cat", "a.png", 1, 3, 3);
    assert_ok(s, sticker_store_learn_numbers(s->stickers, numbers, &s->err));
    struct learn_batch batch = {.half_life_us = HALF, .forgotten = numbers[LEARN_FORGOTTEN]};
    assert_ok(s, sticker_store_learn_events(s->stickers, 0, 10, &s->arena, &events, &n, &batch.upto, &s->err));
    assert_int_equal(n, 1);
    struct learn_vote read = {.query = "cat", .sticker_id = events[0].sticker_id, .voter = 3, .named = true, .vote = 1};
    batch.votes = &read;
    batch.n_votes = 1;
    assert_ok(s, sticker_store_forget_voter(s->stickers, &ann, &events[0].client, 1, false, &forgotten, &s->err));
    assert_ok(s, sticker_store_learn_add(s->stickers, &batch, &s->err));
    assert_true(batch.late);
    learn(s);
    assert_int_equal(explain(s, "cat", "a.png").own.voters, 0);
}

/* --- clicks --- */

/* Searches that showed a.png, and what somebody with an address of a network did with it. */
static void act(struct suite *s, const char *query, enum event_action action, int64_t network)
{
    unsigned char search_id[STORE_SEARCH_ID], tag[STORE_TAG], id[STORE_EVENT_ID];
    struct sticker k;
    os_random(search_id, sizeof search_id);
    os_random(id, sizeof id);
    assert_ok(s, sticker_store_get(s->stickers, "a.png", &s->arena, &k, &s->err));
    assert_true(store_tag(k.id, tag));
    struct search_row search = {
        .id = search_id, .made_us = os_now_us(), .query = query, .language = "", .ranking = "", .shown = tag, .n = 1};
    struct event_row e = {.id = id,
                          .search = &search,
                          .action = action,
                          .sticker = "a.png",
                          .client = "",
                          .at_us = os_now_us(),
                          .origin = {1000 + network, network, false}};
    assert_ok(s, sticker_store_events_add(s->stickers, &search, 1, &e, 1, &s->arena, &s->err));
    assert_int_equal(e.was, EVENT_NEW);
}

static void ten_people_click(struct suite *s)
{
    for (int i = 1; i <= 10; i++)
        act(s, "cat", i % 2 ? EVENT_CLICK : EVENT_IMPRESSION, i);
}

static void read_all(struct suite *s, struct learner *l)
{
    bool more = true;
    while (more)
        assert_ok(s, learner_read(l, 7, &more, &s->err));
}

static void assert_clicks(struct suite *s, double seen, double clicked)
{
    struct learn_clicks *clicks;
    struct learn_rank ranks[LEARN_RANKS + 1];
    size_t n;
    assert_ok(s, sticker_store_learn_clicks(s->stickers, "cat", &s->arena, &clicks, &n, &s->err));
    assert_int_equal(n, 1);
    assert_true(fabs(clicks[0].seen - seen) < 0.01 && fabs(clicks[0].clicked - clicked) < 0.01);
    assert_ok(s, sticker_store_learn_ranks(s->stickers, ranks, &s->err));
    assert_int_equal(ranks[1].seen, lround(seen));
    assert_int_equal(ranks[1].clicked, lround(clicked));
}

static void a_person_counts_once_a_day_whoever_reads_the_log(void **state)
{
    struct suite *s = *state;
    const struct learn_settings settings = {180};
    struct learner *first, *second;
    assert_ok(s, learner_open(s->stickers, &settings, &first, &s->err));
    assert_ok(s, learner_open(s->stickers, &settings, &second, &s->err));
    ten_people_click(s);
    read_all(s, first);
    assert_clicks(s, 10, 5);
    ten_people_click(s);
    read_all(s, second); /* another instance, or the same one after a restart */
    assert_clicks(s, 10, 5);
    act(s, "cat", EVENT_CLICK, 11);
    read_all(s, second);
    act(s, "cat", EVENT_CLICK, 11);
    read_all(s, first);
    assert_clicks(s, 11, 6);
    assert_ok(s, sticker_store_learn_reset(s->stickers, &ann, true, &s->err)); /* while it runs */
    read_all(s, first);
    assert_clicks(s, 11, 6);
    learner_close(first);
    learner_close(second);
}

static void one_network_does_not_decide_what_ranks_get(void **state)
{
    struct suite *s = *state;
    struct learn_rank ranks[LEARN_RANKS + 1];
    char query[32];
    ten_people_click(s);
    for (int i = 0; i < 600; i++) {
        snprintf(query, sizeof query, "q%d", i);
        act(s, query, EVENT_IMPRESSION, 77);
    }
    act(s, "q1", EVENT_CLICK, 78);
    learn(s);
    assert_ok(s, sticker_store_learn_ranks(s->stickers, ranks, &s->err));
    assert_in_range(ranks[1].seen, 150, 211); /* a value of the hash is missed by 600 in one of twenty cases */
    assert_int_equal(ranks[1].clicked, 6);
    assert_int_equal(number(s, "SELECT count(*) FROM clicks"), 601);
}

static void an_older_click_counts_less_wherever_they_meet(void **state)
{
    struct learn_clicks old = {.seen = 4, .clicked = 2, .networks = 1, .at_us = 0};
    struct learn_clicks sum = {.seen = 1, .clicked = 1, .networks = 2, .at_us = DAY};
    (void)state;
    learn_clicks_add(&sum, &old, (double)DAY);
    assert_true(fabs(sum.seen - 3) < 1e-9 && fabs(sum.clicked - 2) < 1e-9 && sum.networks == 3 && sum.at_us == DAY);
    learn_clicks_add(&old, &(struct learn_clicks){.seen = 1, .clicked = 1, .networks = 2, .at_us = DAY}, (double)DAY);
    assert_true(fabs(old.seen - 3) < 1e-9 && fabs(old.clicked - 2) < 1e-9 && old.at_us == DAY);
}

/* --- simulations --- */

static uint32_t seed = 1;
static double draw(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

#define RESULTS 40
static double score_at(int rank) /* falls as those of searches do */
{
    return 1 / (1 + 0.06 * (rank - 1));
}

static int rank_of(int before, double gain)
{
    double score = score_at(before) * (1 + 0.3 * gain);
    int rank = 1;
    for (int r = 1; r <= RESULTS; r++)
        rank += r != before && score_at(r) > score;
    return rank;
}

/* 50 honest people of 50 networks, of whom 45 think that the sticker fits, and attackers who say it does not: each with
 * an address in a network of its own, from which come `names` voters. */
static struct learn_tally attack(int addresses, int names)
{
    static struct learn_ballot b[50 + 100 * 100];
    static const struct learn_bias bias;
    struct learn_tally t;
    int n = 0;
    for (int i = 0; i < 50; i++)
        b[n] = ballot(i < 45 ? 1 : -1, n, 1 + i), n++;
    for (int i = 0; i < addresses; i++)
        for (int k = 0; k < names; k++)
            b[n] = ballot(-1, n, 1000 + i), n++;
    learn_tally(b, (size_t)n, NULL, &bias, 0.5, NEVER, 0, &t);
    return t;
}

static void attackers_win_little(void **state)
{
    static const int addresses[] = {0, 1, 10, 100};
    int honest = rank_of(10, attack(0, 1).gain);
    (void)state;
    printf("attackers' addresses | names of each | gain | from rank 10 to\n");
    for (size_t i = 0; i < 4; i++)
        for (int names = 1; names <= 100; names *= 100) {
            struct learn_tally t = attack(addresses[i], names);
            int rank = rank_of(10, t.gain);
            printf("%20d | %13d | %+.2f | %d\n", addresses[i], names, t.gain, rank);
            if (addresses[i] <= 1)
                assert_true(rank <= honest + 1);
            assert_true(rank <= 10 + 19);
        }
}

/* Attackers of so many networks, each with three votes against a sticker of which nothing else is known, and with views
 * at rank 1 on so many days, none of them with a click. */
static double attack_unknown(int networks, bool vote, int days)
{
    static struct learn_ballot b[300];
    static const struct learn_bias bias = {.rate = 0.3};
    struct learn_clicks c = {.seen = networks * days};
    struct learn_tally t;
    for (int i = 0; i < 3 * networks; i++)
        b[i] = ballot(-1, i, i / 3);
    for (int i = 0; i < networks && i < LEARN_NETWORK_BITS; i++)
        c.networks |= INT64_C(1) << i;
    learn_tally(b, vote ? 3u * (size_t)networks : 0, &c, &bias, 0.5, NEVER, 0, &t);
    return 0 - t.gain;
}

/* That clicks count more where there are no votes is of no use to who can vote. */
static void attackers_do_best_with_votes(void **state)
{
    static const int networks[] = {1, 2, 3, 5, 10, 100};
    (void)state;
    printf("networks | votes | views on a day | on 100 days | and votes\n");
    for (size_t i = 0; i < sizeof networks / sizeof *networks; i++) {
        double votes = attack_unknown(networks[i], true, 0), once = attack_unknown(networks[i], false, 1);
        double views = attack_unknown(networks[i], false, 100), both = attack_unknown(networks[i], true, 100);
        printf("%8d | %.2f | %.2f | %.2f | %.2f\n", networks[i], votes, once, views, both);
        assert_true(once <= views && views <= votes + LEARN_CLICK_SHARE && both <= votes + LEARN_CLICK_SHARE);
        assert_true(networks[i] > 1 || views == 0);
    }
}

/* Queries with RESULTS stickers whose true relevance has little to do with where they stand. People look at rank k with
 * probability 1 / k^0.7 (ten results), click by relevance, and sometimes vote; 2% are against whatever fits. */
#define QUERIES 50
struct world {
    double truth[QUERIES][RESULTS], gains[QUERIES][RESULTS];
    struct learn_clicks clicks[QUERIES][RESULTS];
    struct learn_ballot ballots[QUERIES][RESULTS][400];
    int n_ballots[QUERIES][RESULTS];
    struct learn_rank ranks[LEARN_RANKS + 1];
    int64_t ups, downs;
};

static void rank_query(const struct world *w, int q, int order[RESULTS])
{
    double scores[RESULTS];
    for (int i = 0; i < RESULTS; i++) {
        scores[i] = score_at(i + 1) * (1 + 0.3 * w->gains[q][i]);
        int k = i;
        for (; k > 0 && scores[order[k - 1]] < scores[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

static double ndcg(const struct world *w)
{
    double sum = 0;
    for (int q = 0; q < QUERIES; q++) {
        int order[RESULTS];
        double best[RESULTS], got = 0, ideal = 0;
        rank_query(w, q, order);
        for (int i = 0; i < RESULTS; i++) {
            int k = i;
            for (; k > 0 && best[k - 1] < w->truth[q][i]; k--)
                best[k] = best[k - 1];
            best[k] = w->truth[q][i];
        }
        for (int i = 0; i < 10; i++) {
            got += (exp2(3 * w->truth[q][order[i]]) - 1) / log2(i + 2);
            ideal += (exp2(3 * best[i]) - 1) / log2(i + 2);
        }
        sum += got / ideal;
    }
    return sum / QUERIES;
}

static void search_once(struct world *w, int person)
{
    int q = (int)(draw() * draw() * QUERIES), order[RESULTS];
    bool attacker = draw() < 0.02;
    rank_query(w, q, order);
    for (int k = 0; k < 10; k++) {
        int i = order[k];
        struct learn_clicks *c = &w->clicks[q][i];
        double fits = attacker ? 1 - w->truth[q][i] : w->truth[q][i];
        bool looks = draw() < pow(k + 1, -0.7), clicks = looks && draw() < 0.05 + 0.6 * fits;
        w->ranks[k + 1].seen++;
        w->ranks[k + 1].clicked += clicks;
        c->seen += pow(k + 1, -0.7);
        c->clicked += clicks;
        c->networks = LEARN_VOUCHED;
        if (looks && draw() < 0.02 && w->n_ballots[q][i] < 400) {
            int vote = draw() < fits ? 1 : -1;
            w->ballots[q][i][w->n_ballots[q][i]++] = ballot(vote, person, person);
            w->ups += vote > 0;
            w->downs += vote < 0;
        }
    }
}

static void teach(struct world *w)
{
    static struct learn_ballot copy[400];
    struct learn_bias bias;
    struct learn_tally t;
    learn_bias(w->ranks, &bias);
    for (int q = 0; q < QUERIES; q++)
        for (int i = 0; i < RESULTS; i++) {
            size_t n = (size_t)w->n_ballots[q][i];
            memcpy(copy, w->ballots[q][i], n * sizeof *copy);
            learn_tally(copy, n, &w->clicks[q][i], &bias, learn_up_share(w->ups, w->downs), NEVER, 0, &t);
            w->gains[q][i] = t.gain;
        }
}

static void learning_raises_what_people_find(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    (void)state;
    assert_non_null(w);
    for (int q = 0; q < QUERIES; q++)
        for (int i = 0; i < RESULTS; i++)
            w->truth[q][i] = draw() < 0.2 ? 0.5 + draw() / 2 : 0.3 * draw() * score_at(i + 1);
    double before = ndcg(w);
    printf("searches | true nDCG@10\n%8d | %.3f\n", 0, before);
    for (int n = 1; n <= 20000; n++) {
        search_once(w, n);
        if (n % 500 == 0)
            teach(w);
        if (n % 5000 == 0)
            printf("%8d | %.3f\n", n, ndcg(w));
    }
    assert_true(ndcg(w) >= before + 0.05);
    free(w);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, suite_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(votes_are_bounded_by_how_sure_they_are),
        cmocka_unit_test(a_crowd_is_three_people_of_two_networks),
        cmocka_unit_test(old_votes_count_less),
        cmocka_unit_test(clicks_count_by_what_their_rank_gets_anyway),
        cmocka_unit_test(clicks_of_few_networks_count_little),
        cmocka_unit_test(many_votes_leave_little_to_clicks),
        cmocka_unit_test(gains_are_kept_as_text),
        cmocka_unit_test(attackers_win_little),
        cmocka_unit_test(attackers_do_best_with_votes),
        cmocka_unit_test(learning_raises_what_people_find),
        T(a_voter_has_one_net_vote),
        T(busy_voters_count_less_in_several_transactions),
        T(busy_voters_count_less_in_one_transaction),
        T(bursts_wait_for_a_decision),
        T(a_burst_is_found_behind_others),
        T(one_network_or_voter_cannot_have_others_held),
        T(what_is_usual_cannot_be_raised_in_an_hour),
        T(one_network_cannot_crowd_out_others),
        T(bursts_are_forgotten_with_events),
        T(what_was_learnt_can_be_forgotten_and_learnt_again),
        T(a_voter_can_be_forgotten),
        T(what_is_forgotten_meanwhile_is_not_learnt),
        T(a_person_counts_once_a_day_whoever_reads_the_log),
        T(one_network_does_not_decide_what_ranks_get),
        cmocka_unit_test(an_older_click_counts_less_wherever_they_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
