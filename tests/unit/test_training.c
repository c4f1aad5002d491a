/* test_training.c: what is said of a search's stickers by events and votes; splits; archives. */
#include "store_suite.h"

#include "sticker_store/sticker_events.h"
#include "training/evidence.h"
#include "training/split.h"
#include "training/tar.h"
#include "training/training_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* --- without a database --- */

static void splits_are_by_hash(void **state)
{
    (void)state;
    size_t n[SPLITS] = {0}, held = 0;
    /* As Python's hashlib has it. */
    assert_int_equal(split_of("a"), SPLIT_TEST);
    assert_int_equal(split_of("party time"), SPLIT_DEV);
    assert_int_equal(split_of("café noir"), SPLIT_TRAIN);
    assert_int_equal(split_of("cat"), SPLIT_TRAIN);
    for (int i = 0; i < 10000; i++) {
        char text[16];
        snprintf(text, sizeof text, "q%d", i);
        n[split_of(text)]++;
        held += split_holds_out(text);
    }
    assert_in_range(n[SPLIT_TRAIN], 7850, 8150);
    assert_in_range(n[SPLIT_DEV], 900, 1100);
    assert_in_range(n[SPLIT_TEST], 900, 1100);
    assert_in_range(held, 900, 1100);
    assert_false(split_holds_out(""));
}

static void votes_say_more_than_clicks(void **state)
{
    (void)state;
    static const struct {
        struct evidence_sticker said;
        enum opinion opinion;
        bool voted;
        double score;
    } cases[] = {
        {{.up = 5}, OPINION_GOOD, true, 0.75},
        {{.up = 1, .down = 2, .chosen = 100}, OPINION_BAD, true, 0.4375},
        {{.up = 2, .down = 2, .chosen = 3}, OPINION_NONE, true, 0.5},
        {{.chosen = 1, .skipped = 50}, OPINION_GOOD, false, 0.5},
        {{.skipped = 1}, OPINION_BAD, false, 0.5},
        {{.shown = 9}, OPINION_NONE, false, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct evidence_sticker said = cases[i].said;
        struct training_item item = {.said = &said};
        training_judge(&item);
        assert_int_equal(item.opinion, cases[i].opinion);
        assert_int_equal(item.voted, cases[i].voted);
        assert_true(item.score > cases[i].score - 1e-9 && item.score < cases[i].score + 1e-9);
    }
}

static void archives_have_blocks_and_sums(void **state)
{
    (void)state;
    char folder[256], path[300], *bytes;
    static char data[513];
    struct error err;
    int64_t n;
    tmp_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/x.tar", folder);
    FILE *f = fopen(path, "w+");
    assert_non_null(f);
    assert_int_equal(tar_add(f, "000000001.txt", "cat", 3, &err), OK);
    assert_int_equal(tar_add(f, "000000001.png", data, sizeof data, &err), OK);
    assert_int_equal(tar_add(f, "000000002.txt", "", 0, &err), OK);
    assert_int_equal(tar_end(f, &err), OK);
    assert_int_equal(ftell(f), 512 * (2 + 3 + 1 + 2)); /* headers with content in whole blocks, and the end */
    rewind(f);
    bytes = calloc(1, 512);
    assert_int_equal(fread(bytes, 512, 1, f), 1);
    assert_string_equal(bytes, "000000001.txt");
    assert_string_equal(bytes + 124, "00000000003");
    assert_string_equal(bytes + 257, "ustar");
    assert_string_equal(bytes + 148, "007437"); /* as Python's tarfile has it */
    free(bytes);
    fclose(f);
    assert_int_equal(tar_count(path, ".txt", &n, &err), OK);
    assert_int_equal(n, 2);
    assert_int_equal(tar_count(path, ".png", &n, &err), OK);
    assert_int_equal(n, 1);
    f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 600; i++)
        fputc('x', f);
    fclose(f);
    assert_int_equal(tar_count(path, ".txt", &n, &err), ERR_CORRUPT);
    tmp_remove(folder);
}

/* --- with one --- */

static unsigned char next_id;

static int64_t tried; /* the rank at which searches try a sticker, one time in four */

/* A search for `query` by a client that saw a.png to e.png and did this: "3 click c.png" would be {CLICK, 2}. */
struct act {
    enum event_action action;
    int sticker;
};
static void visit(struct suite *s, const char *query, const char *client, const struct act *acts, size_t n)
{
    static const char *const names[] = {"a.png", "b.png", "c.png", "d.png", "e.png"};
    unsigned char id[STORE_SEARCH_ID], ids[16][STORE_EVENT_ID], tags[5 * STORE_TAG];
    struct event_row events[16];
    memset(id, ++next_id, sizeof id);
    for (size_t i = 0; i < 5; i++) {
        struct sticker sticker;
        assert_ok(s, sticker_store_get(s->stickers, names[i], &s->arena, &sticker, &s->err));
        assert_true(store_tag(sticker.id, tags + i * STORE_TAG));
    }
    struct search_row search = {.id = id,
                                .made_us = os_now_us(),
                                .query = query,
                                .language = "en",
                                .ranking = "hybrid-1",
                                .shown = tags,
                                .n = 5,
                                .tried = tried,
                                .propensity = PROPENSITY_ONE / 4};
    for (size_t i = 0; i < n; i++) {
        memset(ids[i], next_id, STORE_EVENT_ID);
        ids[i][0] = (unsigned char)i;
        events[i] = (struct event_row){.id = ids[i],
                                       .search = &search,
                                       .action = acts[i].action,
                                       .sticker = names[acts[i].sticker],
                                       .client = client,
                                       .at_us = search.made_us};
    }
    assert_ok(s, sticker_store_events_add(s->stickers, &search, 1, events, n, &s->arena, &s->err));
}

static int set_up(void **state)
{
    suite_setup_stickers(state);
    for (const char *const *name = (const char *const[]){"a.png", "b.png", "c.png", "d.png", "e.png", NULL}; *name;
         name++)
        suite_add(*state, ((struct suite *)*state)->stickers, *name, "x");
    return 0;
}

/* "query/clients/language: a.png +1-0 chosen/shown/skipped, ...; ..." of all searches. */
static const char *told(struct suite *s, struct evidence_config cfg)
{
    struct evidence *e;
    struct evidence_query q;
    bool found;
    const char *out = "";
    cfg.store = s->stickers;
    cfg.folder = s->folder;
    cfg.until = cfg.until ? cfg.until : INT64_MAX;
    assert_ok(s, evidence_open(&cfg, &e, &s->err));
    for (;;) {
        assert_ok(s, evidence_next(e, &q, &found, &s->err));
        if (!found)
            break;
        out = arena_printf(&s->arena, "%s%s/%d/%s:", out, q.query, (int)q.clients, q.language);
        for (size_t i = 0; i < q.n; i++)
            out = arena_printf(&s->arena, "%s %c+%d-%d,%d/%d/%d", out, q.stickers[i].name[0], (int)q.stickers[i].up,
                               (int)q.stickers[i].down, (int)q.stickers[i].chosen, (int)q.stickers[i].shown,
                               (int)q.stickers[i].skipped);
        for (size_t i = 0; i < q.n_seen; i++)
            out = arena_printf(&s->arena, "%s %c@%u=%g/%g", out, q.seen[i].name[0], q.seen[i].rank, q.seen[i].chosen,
                               q.seen[i].shown);
        out = arena_printf(&s->arena, "%s;", out);
    }
    evidence_close(e);
    return out;
}

static void what_was_passed_over_above_a_choice_is_skipped(void **state)
{
    struct suite *s = *state;
    /* b was not seen, c was chosen, d was seen below it, a was seen above it. */
    const struct act first[] = {{EVENT_IMPRESSION, 0}, {EVENT_IMPRESSION, 2}, {EVENT_IMPRESSION, 3}, {EVENT_CLICK, 2}};
    /* Both were chosen; chosen twice is chosen once. */
    const struct act second[] = {{EVENT_IMPRESSION, 0}, {EVENT_CLICK, 0}, {EVENT_COPY, 0}, {EVENT_SHARE, 4}};
    const struct act nothing[] = {{EVENT_IMPRESSION, 0}, {EVENT_IMPRESSION, 1}, {EVENT_REPORT, 1}};
    visit(s, "Party  Time", "ann", first, 4);
    visit(s, "party time", "bob", second, 4);
    visit(s, "other", "bob", nothing, 3);
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 1}),
                        "other/1/en:;party time/2/en: a+0-0,1/2/1 c+0-0,1/1/0 e+0-0,1/0/0;");
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 2}),
                        "party time/2/en: a+0-0,1/2/1 c+0-0,1/1/0 e+0-0,1/0/0;");
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 3}), "");
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 1, .after = 4, .until = 8, .seen = true}),
                        "party time/1/en: a+0-0,1/1/0 e+0-0,1/0/0 a@1=1/1 e@5=1/1;");
}

static void what_is_seldom_at_a_rank_counts_more(void **state)
{
    struct suite *s = *state;
    const struct act acts[] = {{EVENT_IMPRESSION, 0}, {EVENT_IMPRESSION, 3}, {EVENT_CLICK, 3}};
    visit(s, "cat", "ann", acts, 3);
    tried = 4;
    visit(s, "cat", "bob", acts, 3);
    tried = 0;
    assert_string_equal(told(s, (struct evidence_config){.seen = true}),
                        "cat/2/en: a+0-0,0/2/2 d+0-0,2/2/0 d@4=5/5 a@1=0/2;");
}

static void those_who_are_not_known_are_one(void **state)
{
    struct suite *s = *state;
    const char *up[] = {"a.png"}, **failed;
    size_t n;
    const struct act votes[] = {{EVENT_VOTE_UP, 0}, {EVENT_VOTE_DOWN, 1}};
    for (int i = 0; i < 7; i++) {
        struct feedback_entry e = {.query = "cat", .positive = up, .n_positive = 1};
        assert_ok(s, sticker_store_query_ensure(s->stickers, "cat", &s->err));
        assert_ok(s, sticker_store_feedback(s->stickers, &e, 1, &s->arena, &failed, &n, &s->err));
    }
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 1}), "cat/1/: a+7-0,0/0/0;");
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 2}), "");
    visit(s, "cat", "ann", votes, 2); /* her votes are among the scores too, and count once */
    assert_string_equal(told(s, (struct evidence_config){.min_clients = 2}), "cat/2/en: a+8-0,0/0/0 b+0-1,0/0/0;");
}

static void voters_who_are_kept_for_judging_teach_nothing(void **state)
{
    struct suite *s = *state;
    const struct act votes[] = {{EVENT_VOTE_UP, 0}, {EVENT_CLICK, 1}};
    char held[16], other[16];
    int i = 0;
    do
        snprintf(held, sizeof held, "v%d", i++);
    while (!split_holds_out(held));
    do
        snprintf(other, sizeof other, "v%d", i++);
    while (split_holds_out(other));
    visit(s, "cat", held, votes, 2);
    visit(s, "cat", other, votes, 2);
    assert_string_equal(told(s, (struct evidence_config){.voters = EVIDENCE_ALL}),
                        "cat/2/en: a+2-0,0/0/0 b+0-0,2/0/0;");
    assert_string_equal(told(s, (struct evidence_config){.voters = EVIDENCE_TAUGHT}),
                        "cat/2/en: a+1-0,0/0/0 b+0-0,1/0/0;");
    assert_string_equal(told(s, (struct evidence_config){.voters = EVIDENCE_HELD_OUT}), "cat/2/en: a+1-0,0/0/0;");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, suite_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_are_by_hash),
        cmocka_unit_test(votes_say_more_than_clicks),
        cmocka_unit_test(archives_have_blocks_and_sums),
        T(what_was_passed_over_above_a_choice_is_skipped),
        T(what_is_seldom_at_a_rank_counts_more),
        T(those_who_are_not_known_are_one),
        T(voters_who_are_kept_for_judging_teach_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
