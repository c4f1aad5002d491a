/* test_store_history.c: the store suite: the chain of the history, and what is forgotten without breaking it. */
#include "store_suite.h"

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_curation.h"
#include "sticker_store/sticker_events.h"
#include "sticker_store/sticker_history.h"
#include "sticker_store/sticker_internal.h"
#include "sticker_store/sticker_privacy.h"

#include <pthread.h>

static const struct admin_who ann = {.username = "ann", .address = "192.0.2.1"};

struct found {
    size_t n;
    struct history_fault first;
    struct history_report report;
};

static void hear(void *ctx, const struct history_fault *fault)
{
    struct found *f = ctx;
    if (!f->n++)
        f->first = *fault;
}

static struct found verify(struct suite *s)
{
    struct found f = {0};
    const struct history_reader reader = {.fault = hear, .ctx = &f};
    assert_ok(s, sticker_store_history_verify(s->stickers, &reader, &f.report, &s->err));
    assert_int_equal(f.n, f.report.faults);
    return f;
}

static void expect_fault(struct suite *s, enum history_fault_kind kind, int64_t row, int64_t last)
{
    struct found f = verify(s);
    assert_true(f.n > 0);
    assert_int_equal(f.first.kind, kind);
    assert_int_equal(f.first.row, row);
    assert_int_equal(f.first.last, last);
}

static enum status run_sql(struct db_conn *c, void *arg, struct error *err)
{
    return db_script(c, arg, err);
}

/* What somebody does who can write to the database. */
static void tamper(struct suite *s, const char *sql)
{
    char text[512];
    bool postgres = strstr(s->url, "://");
    snprintf(text, sizeof text, "%s", sql);
    for (char *at; (at = strstr(text, "rowno")) && !postgres;)
        memcpy(at, "rowid", 5);
    assert_ok(s, db_write(s->stickers->db, DB_DURABLE, run_sql, text, &s->err));
}

static void note(struct suite *s, enum change_op op, const char *list, const char *object, const char *after)
{
    const struct admin_change change = {
        .op = op, .list = list, .object = object, .before = "", .after = after, .done = true};
    assert_ok(s, sticker_store_change(s->stickers, &ann, &change, 1, &s->err));
}

static void note_some(struct suite *s, int n)
{
    for (int i = 0; i < n; i++)
        note(s, CHANGE_LOGIN, "users", "ann", "");
}

static void an_untouched_history_is_intact(void **state)
{
    struct suite *s = *state;
    assert_int_equal(verify(s).report.entries, 0);
    note_some(s, 450); /* more than are read at once */
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.entries, 450);
    assert_int_equal(f.report.row, 450);
    char before[HISTORY_HASH_SIZE];
    memcpy(before, f.report.hash, sizeof before);
    sticker_store_close(s->stickers);
    s->stickers = suite_stickers(s);
    note_some(s, 1);
    f = verify(s);
    assert_int_equal(f.n, 0);
    assert_string_not_equal(f.report.hash, before);
}

static void changes_of_an_entry_are_found(void **state)
{
    struct suite *s = *state;
    static const char *const changes[] = {
        "UPDATE history SET username = 'eve' WHERE rowno = 5", "UPDATE history SET address = '' WHERE rowno = 5",
        "UPDATE history SET object = 'bob' WHERE rowno = 5", "UPDATE history SET after = '{}' WHERE rowno = 5",
        "UPDATE history SET username_proof = substr(username_proof, 33), username = 'eve' WHERE rowno = 5"};
    static const char *const unhashed[] = {
        "UPDATE history SET at_us = at_us + 1 WHERE rowno = 5", "UPDATE history SET action = 'logout' WHERE rowno = 5",
        "UPDATE history SET model = 'groups' WHERE rowno = 5", "UPDATE history SET batch = 'x' WHERE rowno = 5"};
    note_some(s, 8);
    tamper(s,
           "CREATE TABLE kept AS SELECT rowno AS k, username, address, object, after, username_proof, at_us, action, "
           "model, batch FROM history");
    for (size_t i = 0; i < sizeof changes / sizeof *changes + sizeof unhashed / sizeof *unhashed; i++) {
        bool proven = i < sizeof changes / sizeof *changes;
        tamper(s, proven ? changes[i] : unhashed[i - sizeof changes / sizeof *changes]);
        expect_fault(s, proven ? HISTORY_CHANGED : HISTORY_UNLINKED, 5, 5);
        assert_int_equal(verify(s).n, 1);
        tamper(s, "UPDATE history SET username = k.username, address = k.address, object = k.object, after = k.after,"
                  " username_proof = k.username_proof, at_us = k.at_us, action = k.action, model = k.model,"
                  " batch = k.batch FROM kept k WHERE k.k = history.rowno");
        assert_int_equal(verify(s).n, 0);
    }
    tamper(s, "DROP TABLE kept");
}

static void removed_and_inserted_entries_are_found(void **state)
{
    struct suite *s = *state;
    note_some(s, 9);
    tamper(s, "DELETE FROM history WHERE rowno = 4");
    expect_fault(s, HISTORY_MISSING, 4, 4);
    tamper(s, "DELETE FROM history WHERE rowno IN (5, 6)");
    expect_fault(s, HISTORY_MISSING, 4, 6);
    tamper(s, "INSERT INTO history (rowno, at_us, username, address, action, model, object, before, after, hash,"
              " username_proof, address_proof, content_proof) SELECT 4, at_us, 'eve', address, action, model, object,"
              " before, after, hash, username_proof, address_proof, content_proof FROM history WHERE rowno = 3");
    expect_fault(s, HISTORY_CHANGED, 4, 4);
    tamper(s, "DELETE FROM history WHERE rowno <= 6");
    expect_fault(s, HISTORY_MISSING, 1, 6);
}

static void the_end_is_watched_too(void **state)
{
    struct suite *s = *state;
    note_some(s, 5);
    tamper(s, "DELETE FROM history WHERE rowno = 5");
    expect_fault(s, HISTORY_MISSING, 5, 5);
    tamper(s, "UPDATE history_head SET last = 4, hash = (SELECT hash FROM history WHERE rowno = 4)");
    assert_int_equal(verify(s).n, 0); /* only who noted the last hash elsewhere finds this */
    tamper(s, "INSERT INTO history (rowno, at_us, username, address, action, model, object, before, after)"
              " VALUES (5, 1, 'eve', '', 'login', 'users', 'eve', '', '')");
    expect_fault(s, HISTORY_CHANGED, 5, 5);
}

static void older_entries_are_anchored(void **state)
{
    struct suite *s = *state;
    note_some(s, 250);
    tamper(s, "UPDATE history SET hash = '', username_proof = '', address_proof = '', content_proof = '';"
              "DELETE FROM history_head; DELETE FROM history WHERE rowno < 20"); /* as a schema without hashes has it */
    sticker_store_close(s->stickers);
    s->stickers = suite_stickers(s);
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.entries, 231);
    note_some(s, 1);
    assert_int_equal(verify(s).report.row, 251);
    tamper(s, "UPDATE history SET object = 'eve' WHERE rowno = 30");
    expect_fault(s, HISTORY_CHANGED, 30, 30);
}

static void *note_many(void *arg)
{
    struct suite *s = arg;
    struct error err;
    const struct admin_change change = {
        .op = CHANGE_LOGIN, .list = "users", .object = "bob", .before = "", .after = "", .done = true};
    for (int i = 0; i < 25; i++)
        if (sticker_store_change(s->stickers, &ann, &change, 1, &err) != OK)
            return s;
    return NULL;
}

/* Several processes on one database: two stores with four threads each. */
static void writers_at_once_make_one_chain(void **state)
{
    struct suite *s = *state, other = *s;
    pthread_t threads[8];
    void *failed;
    other.stickers = suite_stickers(s);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, note_many, i % 2 ? s : &other), 0);
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    sticker_store_close(other.stickers);
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.entries, 200);
}

static size_t retain(struct suite *s, enum retention what, int64_t before_us, size_t limit)
{
    int64_t from_us = 0;
    size_t n, total = 0;
    do {
        assert_ok(s, sticker_store_retain(s->stickers, what, before_us, limit, &from_us, &n, &s->err));
        total += n;
    } while (n == limit);
    return total;
}

static void addresses_go_and_the_chain_stays(void **state)
{
    struct suite *s = *state;
    note_some(s, 7);
    assert_int_equal(retain(s, RETAIN_ADDRESSES, os_now_us() - 1000000000, 3), 0);
    assert_int_equal(retain(s, RETAIN_ADDRESSES, os_now_us() + 1, 3), 7);
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.erased_addresses, 7);
    tamper(s, "UPDATE history SET address = '192.0.2.9' WHERE rowno = 2"); /* not even back again */
    expect_fault(s, HISTORY_CHANGED, 2, 2);
}

static void vote(struct suite *s, const char *query, const char *voter, bool positive)
{
    const char *names[] = {"cat.png"}, **failed;
    size_t n_failed;
    struct feedback_entry entry = {.query = query, .voter = voter};
    if (positive)
        entry.positive = names, entry.n_positive = 1;
    else
        entry.negative = names, entry.n_negative = 1;
    assert_ok(s, sticker_store_feedback(s->stickers, &entry, 1, &s->arena, &failed, &n_failed, &s->err));
}

static void add_queries(struct suite *s)
{
    static const char *const queries[] = {"voted", "pinned", "once", "Private Words"};
    const struct curation_row pin = {{"pinned", "", "cat.png", "1"}};
    struct curation_counts counts;
    suite_add(s, s->stickers, "cat.png", "cat");
    for (size_t i = 0; i < 4; i++)
        assert_ok(s, sticker_store_query_ensure(s->stickers, queries[i], &s->err));
    vote(s, "voted", NULL, true);
    assert_ok(s, sticker_store_curation_put(s->stickers, &ann, CURATION_PINS, &pin, 1, false, &counts, &s->err));
}

static int64_t count(struct suite *s, const char *sql)
{
    int64_t n;
    assert_ok(s, db_read_int(s->stickers->db, sql, DB_NONE, &n, NULL, &s->err));
    return n;
}

static void old_searches_are_forgotten_unless_they_matter(void **state)
{
    struct suite *s = *state;
    add_queries(s);
    assert_int_equal(retain(s, RETAIN_QUERIES, os_now_us() - 1000000000, 1), 0);
    assert_int_equal(retain(s, RETAIN_QUERIES, os_now_us() + 1, 1), 2);
    assert_int_equal(count(s, "SELECT count(*) FROM queries"), 2);
    assert_int_equal(count(s, "SELECT count(*) FROM queries WHERE query IN ('voted', 'pinned')"), 2);
    static const char *const columns[] = {"query"}, *const words[] = {"private"};
    struct list_ask ask = {.list = "queries",
                           .columns = columns,
                           .n_columns = 1,
                           .sort = "modified_us",
                           .search = "private",
                           .words = words,
                           .n_words = 1,
                           .cursor = "",
                           .limit = 5};
    struct list_page page;
    assert_ok(s, sticker_store_list_page(s->stickers, &ask, &s->arena, &page, &s->err));
    assert_int_equal(page.n, 0);
}

static void voters_are_forgotten_and_votes_stay(void **state)
{
    struct suite *s = *state;
    add_queries(s);
    vote(s, "once", "v1", true);
    vote(s, "once", "v2", false);
    assert_int_equal(retain(s, RETAIN_VOTERS, os_now_us() - 1000000000, 10), 0);
    assert_int_equal(retain(s, RETAIN_VOTERS, os_now_us() + 1, 10), 2);
    assert_int_equal(count(s, "SELECT count(*) FROM votes"), 0);
    assert_int_equal(count(s, "SELECT positives + negatives FROM queries WHERE query = 'once'"), 2);
}

static void sessions_logins_and_keys_end(void **state)
{
    struct suite *s = *state;
    const struct user user = {.username = "bob", .password_hash = "x", .is_active = true};
    const struct login_rule rule = {"account bob", 5, 1000000};
    struct user got;
    int64_t wait;
    assert_ok(s, sticker_store_user_add(s->stickers, &user, &s->err));
    assert_ok(s, sticker_store_user_get(s->stickers, "bob", &s->arena, &got, &s->err));
    assert_ok(s, sticker_store_session_add(s->stickers, got.id, "aa", "192.0.2.7", "Firefox", &s->err));
    assert_ok(s, sticker_store_login_try(s->stickers, &rule, 1, &wait, &s->err));
    for (enum retention what = RETAIN_SESSIONS; what <= RETAIN_LOGINS; what++) {
        assert_int_equal(retain(s, what, os_now_us() - 1000000000, 10), 0);
        assert_int_equal(retain(s, what, os_now_us() + 1, 10), 1);
    }
    assert_int_equal(retain(s, RETAIN_KEYS, os_now_us() + 1, 10), 0);
}

static void a_search_is_forgotten_everywhere(void **state)
{
    struct suite *s = *state;
    struct forgotten n;
    const struct curation_row pin = {{"private words", "", "cat.png", "2"}};
    struct curation_counts counts;
    add_queries(s);
    assert_ok(s, sticker_store_query_ensure(s->stickers, "other", &s->err));
    vote(s, "Private Words", "v1", true);
    assert_ok(s, sticker_store_curation_put(s->stickers, &ann, CURATION_PINS, &pin, 1, false, &counts, &s->err));
    note(s, CHANGE_UPDATE, "queries", "Private Words", "{\"query\":\"Private Words\",\"usage\":\"1\"}");
    note(s, CHANGE_DELETE, "scores", "cat.png", "{\"query\":\"Private Words\",\"sticker\":\"cat.png\"}");
    note(s, CHANGE_UPDATE, "queries", "other", "{\"query\":\"other\"}");
    for (int dry = 1; dry >= 0; dry--) {
        assert_ok(s,
                  sticker_store_forget_search(s->stickers, &ann, "Private Words", "private words", dry, &n, &s->err));
        assert_int_equal(n.searches, 1);
        assert_int_equal(n.scores, 1);
        assert_int_equal(n.votes, 1);
        assert_int_equal(n.pins, 1);
        assert_int_equal(n.history, 3);
        assert_int_equal(count(s, "SELECT count(*) FROM queries WHERE query = 'Private Words'"), dry);
    }
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE before || after || object LIKE '%rivate%'"), 0);
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE object = 'other'"), 1);
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE action = 'forget'"), 1);
    assert_int_equal(count(s, "SELECT positives FROM stickers"), 1); /* that of "voted" */
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.erased_texts, 3);
}

static void a_voter_is_forgotten_with_their_votes(void **state)
{
    struct suite *s = *state;
    struct forgotten n;
    add_queries(s);
    vote(s, "voted", "v1", true);
    vote(s, "once", "v1", false);
    vote(s, "once", "v2", false);
    for (int dry = 1; dry >= 0; dry--) {
        assert_ok(s,
                  sticker_store_forget_voter(s->stickers, &ann, (const char *[]){"v1", "other"}, 2, dry, &n, &s->err));
        assert_int_equal(n.votes, 2);
        assert_int_equal(n.scores, 2);
    }
    assert_int_equal(count(s, "SELECT positives FROM queries WHERE query = 'voted'"), 1);
    assert_int_equal(count(s, "SELECT negatives FROM queries WHERE query = 'once'"), 1);
    assert_int_equal(count(s, "SELECT count(*) FROM votes WHERE voter = 'v1'"), 0);
}

/* An event of a search, by its number, of a client. */
static void add_event(struct suite *s, unsigned char id, const char *query, const char *client)
{
    unsigned char search_id[STORE_SEARCH_ID], event_id[STORE_EVENT_ID], tag[STORE_TAG];
    struct sticker cat;
    memset(search_id, *query, sizeof search_id);
    memset(event_id, id, sizeof event_id);
    assert_ok(s, sticker_store_get(s->stickers, "cat.png", &s->arena, &cat, &s->err));
    assert_true(store_tag(cat.id, tag));
    const struct search_row search = {
        .id = search_id, .made_us = os_now_us(), .query = query, .language = "", .ranking = "r", .shown = tag, .n = 1};
    struct event_row event = {.id = event_id,
                              .search = &search,
                              .action = EVENT_CLICK,
                              .sticker = "cat.png",
                              .client = client,
                              .at_us = search.made_us};
    assert_ok(s, sticker_store_events_add(s->stickers, &search, 1, &event, 1, &s->arena, &s->err));
}

static void events_are_forgotten_too(void **state)
{
    struct suite *s = *state;
    struct forgotten n;
    add_queries(s);
    add_event(s, 1, "voted", "c1");
    add_event(s, 2, "voted", "c2");
    add_event(s, 3, "once", "c1");
    assert_ok(s, sticker_store_forget_voter(s->stickers, &ann, (const char *[]){"c1"}, 1, false, &n, &s->err));
    assert_int_equal(n.events, 2);
    assert_int_equal(count(s, "SELECT count(*) FROM events WHERE action = 1"), 1);
    assert_int_equal(count(s, "SELECT count(*) FROM events"), 2); /* the vote that there is of it */
    assert_int_equal(count(s, "SELECT count(*) FROM searches WHERE query = 'voted'"), 2);
    assert_int_equal(count(s, "SELECT count(*) FROM searches"), 2);
    assert_ok(s, sticker_store_forget_search(s->stickers, &ann, "voted", "voted", false, &n, &s->err));
    assert_int_equal(n.events, 2);
    assert_int_equal(count(s, "SELECT count(*) FROM searches"), 0);
    add_event(s, 4, "once", "c1");
    assert_int_equal(retain(s, RETAIN_EVENTS, os_now_us() - STORE_DAY_US, 10), 0);
    assert_int_equal(count(s, "SELECT count(*) FROM events"), 1);
    retain(s, RETAIN_EVENTS, os_now_us() + 2 * STORE_DAY_US, 10);
    assert_int_equal(count(s, "SELECT count(*) FROM events"), 0);
}

static void a_user_is_forgotten_in_the_history(void **state)
{
    struct suite *s = *state;
    struct forgotten n;
    const struct admin_who root = {.username = "root", .address = "192.0.2.8"};
    note_some(s, 3);
    note(s, CHANGE_UPDATE, "stickers", "cat.png", "{}");
    assert_ok(s, sticker_store_forget_user(s->stickers, &root, "ann", false, &n, &s->err));
    assert_int_equal(n.history, 4 + 3); /* who did it, and on whose account */
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE username = 'ann' OR object = 'ann'"), 0);
    assert_int_equal(count(s, "SELECT count(DISTINCT username) FROM history"), 2);
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE address = '192.0.2.1'"), 0);
    assert_int_equal(count(s, "SELECT count(*) FROM history WHERE object = 'cat.png'"), 1);
    struct found f = verify(s);
    assert_int_equal(f.n, 0);
    assert_int_equal(f.report.erased_users, 4);
}

static void the_audit_log_takes_entries_in_order(void **state)
{
    struct suite *s = *state;
    struct history_entry *entries;
    int64_t logged;
    size_t n;
    note_some(s, 5);
    assert_ok(s, sticker_store_history_unlogged(s->stickers, 3, &s->arena, &logged, &entries, &n, &s->err));
    assert_int_equal(n, 3);
    assert_int_equal(entries[2].row, 3);
    assert_ok(s, sticker_store_history_logged(s->stickers, logged, 3, &s->err));
    assert_ok(s, sticker_store_history_logged(s->stickers, logged, 1, &s->err)); /* another process was further */
    assert_ok(s, sticker_store_history_unlogged(s->stickers, 9, &s->arena, &logged, &entries, &n, &s->err));
    assert_int_equal(logged, 3);
    assert_int_equal(n, 2);
    assert_int_equal(entries[0].row, 4);
}

static void second_factors_are_kept(void **state)
{
    struct suite *s = *state;
    static const char *const hashes[] = {"aa", "bb"};
    const struct user user = {.username = "bob", .password_hash = "x", .is_active = true};
    struct user got;
    bool fresh;
    int64_t left;
    assert_ok(s, sticker_store_user_add(s->stickers, &user, &s->err));
    assert_int_equal(sticker_store_totp_set(s->stickers, "eve", "x", 1, NULL, 0, "", &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_totp_set(s->stickers, "bob", "sealed", 7, hashes, 2, "", &s->err));
    assert_ok(s, sticker_store_user_get(s->stickers, "bob", &s->arena, &got, &s->err));
    assert_string_equal(got.totp, "sealed");
    assert_ok(s, sticker_store_totp_step(s->stickers, got.id, 7, &fresh, &s->err));
    assert_false(fresh); /* it was the one that turned it on */
    assert_ok(s, sticker_store_totp_step(s->stickers, got.id, 8, &fresh, &s->err));
    assert_true(fresh);
    assert_ok(s, sticker_store_totp_step(s->stickers, got.id, 8, &fresh, &s->err));
    assert_false(fresh);
    assert_ok(s, sticker_store_recovery_use(s->stickers, got.id, "bb", &fresh, &s->err));
    assert_true(fresh);
    assert_ok(s, sticker_store_recovery_use(s->stickers, got.id, "bb", &fresh, &s->err));
    assert_false(fresh);
    assert_ok(s, sticker_store_recovery_left(s->stickers, got.id, &left, &s->err));
    assert_int_equal(left, 1);
    assert_ok(s, sticker_store_totp_set(s->stickers, "bob", "", 0, NULL, 0, "", &s->err));
    assert_ok(s, sticker_store_recovery_left(s->stickers, got.id, &left, &s->err));
    assert_int_equal(left, 0);
}

static void tokens_expire(void **state)
{
    struct suite *s = *state;
    const struct user user = {.username = "bob", .password_hash = "x", .is_active = true};
    struct user got;
    assert_ok(s, sticker_store_user_add(s->stickers, &user, &s->err));
    assert_ok(s, sticker_store_token_add(s->stickers, "bob", "", "aa", os_now_us() + 60000000, &s->err));
    assert_ok(s, sticker_store_token_add(s->stickers, "bob", "", "bb", os_now_us() - 1, &s->err));
    assert_ok(s, sticker_store_token_user(s->stickers, "aa", &s->arena, &got, &s->err));
    assert_int_equal(sticker_store_token_user(s->stickers, "bb", &s->arena, &got, &s->err), ERR_DENIED);
    assert_non_null(strstr(s->err.message, "This token expired on 2"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup_stickers, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(an_untouched_history_is_intact),
        T(changes_of_an_entry_are_found),
        T(removed_and_inserted_entries_are_found),
        T(the_end_is_watched_too),
        T(older_entries_are_anchored),
        T(writers_at_once_make_one_chain),
        T(addresses_go_and_the_chain_stays),
        T(old_searches_are_forgotten_unless_they_matter),
        T(voters_are_forgotten_and_votes_stay),
        T(sessions_logins_and_keys_end),
        T(a_search_is_forgotten_everywhere),
        T(a_voter_is_forgotten_with_their_votes),
        T(events_are_forgotten_too),
        T(a_user_is_forgotten_in_the_history),
        T(the_audit_log_takes_entries_in_order),
        T(second_factors_are_kept),
        T(tokens_expire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
