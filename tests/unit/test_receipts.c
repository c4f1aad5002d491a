/* test_receipts.c: receipts of searches are read as they were written, by whoever has the database, and by nobody else;
 * what was changed, is too old or not of this world is refused. */
#include "store_suite.h"

#include "sticker_service/receipts.h"

#include <sodium.h>
#include <stdio.h>

struct shop {
    struct suite *suite;
    struct receipts *receipts;
    struct buf draft, text;
};

static void open_shop(struct shop *t, void **state)
{
    *t = (struct shop){.suite = *state};
    assert_ok(t->suite, receipts_open(t->suite->stickers, &t->receipts, &t->suite->err));
    buf_init(&t->draft, 4096);
    buf_init(&t->text, 4096);
}

static void close_shop(struct shop *t)
{
    receipts_close(t->receipts);
    buf_free(&t->draft);
    buf_free(&t->text);
}

/* A draft of n stickers with ids that end in 1, 2, ... */
static void draft(struct shop *t, const char *query, size_t n)
{
    const char *ids[RECEIPT_SHOWN_MAX + 5];
    for (size_t i = 0; i < n; i++)
        ids[i] = arena_printf(&t->suite->arena, "0195f2a0-1111-7000-8000-0000%08zx", i + 1);
    t->draft.len = t->text.len = 0;
    receipt_draft(
        &(struct receipt_draft){
            .query = query, .language = "en", .ranking = "hybrid-1f0c9a37", .offset = 20, .ids = ids, .n = n},
        &t->draft);
    receipts_sign(t->receipts, t->draft.data, t->draft.len, &t->text);
    assert_true(t->text.len > 0 && t->text.len <= RECEIPT_MAX);
}

static enum status read_text(struct shop *t, const char *text, size_t len, struct search_row *out)
{
    return receipts_read(t->receipts, text, len, &t->suite->arena, out, &t->suite->err);
}

static void what_is_written_is_read(void **state)
{
    struct shop t;
    struct search_row row, other;
    open_shop(&t, state);
    draft(&t, "happy cat", 10);
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
    assert_string_equal(row.query, "happy cat");
    assert_string_equal(row.language, "en");
    assert_string_equal(row.ranking, "hybrid-1f0c9a37");
    assert_int_equal(row.offset, 20);
    assert_int_equal(row.n, 10);
    assert_memory_equal(row.shown, ((const unsigned char[]){0, 0, 0, 0, 1, 0, 0, 0, 0, 2}), 10);
    assert_true(row.made_us <= os_now_us() && row.made_us > os_now_us() - 10000000);
    t.text.len = 0;
    receipts_sign(t.receipts, t.draft.data, t.draft.len, &t.text); /* each search has its own */
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &other));
    assert_memory_not_equal(row.id, other.id, STORE_SEARCH_ID);
    draft(&t, "nothing", 0);
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
    assert_int_equal(row.n, 0);
    close_shop(&t);
}

static void the_longest_query_keeps_what_fits(void **state)
{
    struct shop t;
    struct search_row row;
    char query[1021];
    for (size_t i = 0; i < 1020; i += 4)
        memcpy(query + i, "\xf0\x9f\x98\xba", 5);
    open_shop(&t, state);
    draft(&t, query, 100);
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
    assert_string_equal(row.query, query);
    assert_true(row.n >= 5 && row.n < 100);
    query[500] = '\0';
    draft(&t, query, 105);
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
    assert_string_equal(row.query, query);
    assert_int_equal(row.n, 100);
    close_shop(&t);
}

/* What a search tried is in its receipt, whatever room there is. */
static void what_was_tried_is_read(void **state)
{
    struct shop t;
    struct search_row row;
    const char *ids[100];
    unsigned char teams[100];
    char query[801];
    open_shop(&t, state);
    for (size_t i = 0; i < 100; i++) {
        ids[i] = "0195f2a0-1111-7000-8000-000012345678";
        teams[i] = (unsigned char)(i % 3);
    }
    memset(query, 'q', 800);
    for (size_t n = 0; n <= 100; n += 5) {
        query[n * 8] = '\0';
        t.draft.len = t.text.len = 0;
        receipt_draft(&(struct receipt_draft){.query = query,
                                              .language = "en",
                                              .ranking = "hybrid-1f0c9a37+lexical-1f0c9a37",
                                              .ids = ids,
                                              .n = n,
                                              .experiment = 7000000,
                                              .teams = teams,
                                              .tried = n ? 5 : 0,
                                              .propensity = 12345},
                      &t.draft);
        query[n * 8] = 'q';
        receipts_sign(t.receipts, t.draft.data, t.draft.len, &t.text);
        assert_true(t.text.len <= RECEIPT_MAX);
        assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
        assert_int_equal(strlen(row.query), n * 8);
        assert_true(row.n == n || (n > 50 && row.n > 40));
        assert_memory_equal(row.teams, teams, row.n);
        assert_int_equal(row.experiment, 7000000);
        assert_int_equal(row.tried, n ? 5 : 0);
        assert_int_equal(row.propensity, 12345);
    }
    /* An arm is everybody's team. */
    t.draft.len = t.text.len = 0;
    receipt_draft(&(struct receipt_draft){.query = "cat",
                                          .language = "en",
                                          .ranking = "hybrid-1",
                                          .offset = 10,
                                          .ids = ids,
                                          .n = 3,
                                          .experiment = 1,
                                          .arm = TEAM_B,
                                          .tried = 14},
                  &t.draft);
    receipts_sign(t.receipts, t.draft.data, t.draft.len, &t.text);
    assert_ok(t.suite, read_text(&t, buf_str(&t.text), t.text.len, &row));
    assert_memory_equal(row.teams, ((const unsigned char[]){TEAM_B, TEAM_B, TEAM_B}), 3);
    assert_int_equal(row.tried, 0); /* it is not on this page */
    close_shop(&t);
}

static void every_changed_character_is_noticed(void **state)
{
    struct shop t;
    struct search_row row;
    open_shop(&t, state);
    draft(&t, "cat", 3);
    char *text = arena_strdup(&t.suite->arena, buf_str(&t.text));
    for (size_t i = 0; i < t.text.len; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_int_equal(read_text(&t, text, t.text.len, &row), ERR_INVALID);
        text[i] = was;
        assert_int_equal(read_text(&t, text, i, &row), ERR_INVALID);
    }
    assert_int_equal(read_text(&t, "", 0, &row), ERR_INVALID);
    assert_int_equal(read_text(&t, "!", 1, &row), ERR_INVALID);
    memset(text, 'A', t.text.len);
    assert_int_equal(read_text(&t, text, t.text.len, &row), ERR_INVALID);
    close_shop(&t);
}

/* A receipt that was signed properly, at another time. */
static enum status read_of_time(struct shop *t, int64_t made_s)
{
    struct store_key *keys;
    struct search_row row;
    size_t n, len;
    unsigned char bytes[2000], mac[crypto_auth_hmacsha256_BYTES], unused[STORE_KEY_BYTES] = {0};
    char text[2000];
    assert_ok(t->suite, sticker_store_keys(t->suite->stickers, "receipts", unused, 0, 0, &t->suite->arena, &keys, &n,
                                           &t->suite->err));
    assert_int_equal(sodium_base642bin(bytes, sizeof bytes, buf_str(&t->text), t->text.len, NULL, &len, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    for (int i = 0; i < 4; i++)
        bytes[5 + i] = (unsigned char)(made_s >> 8 * i);
    crypto_auth_hmacsha256(mac, bytes, len - 16, keys[0].secret);
    memcpy(bytes + len - 16, mac, 16);
    sodium_bin2base64(text, sizeof text, bytes, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return read_text(t, text, strlen(text), &row);
}

static void receipts_expire(void **state)
{
    struct shop t;
    int64_t now = os_now_us() / 1000000;
    open_shop(&t, state);
    draft(&t, "cat", 3);
    assert_ok(t.suite, read_of_time(&t, now));
    assert_ok(t.suite, read_of_time(&t, now - 30 * 86400 + 60));
    assert_int_equal(read_of_time(&t, now - 30 * 86400 - 60), ERR_INVALID);
    assert_non_null(strstr(t.suite->err.message, "expired"));
    assert_ok(t.suite, read_of_time(&t, now + 60));
    assert_int_equal(read_of_time(&t, now + 3600), ERR_INVALID);
    assert_non_null(strstr(t.suite->err.message, "has not come yet"));
    close_shop(&t);
}

static void instances_read_each_others(void **state)
{
    struct shop t, other;
    struct search_row row;
    struct store_key *keys;
    unsigned char fresh[STORE_KEY_BYTES] = {7};
    size_t n;
    open_shop(&t, state);
    /* Another instance, at a later time: it makes a key of its own, which the first does not know yet. */
    assert_ok(t.suite, sticker_store_keys(t.suite->stickers, "receipts", fresh, os_now_us() + 1, 0, &t.suite->arena,
                                          &keys, &n, &t.suite->err));
    open_shop(&other, state);
    draft(&other, "from there", 2);
    assert_ok(t.suite, read_text(&t, buf_str(&other.text), other.text.len, &row));
    assert_string_equal(row.query, "from there");
    assert_string_equal(receipts_person(t.receipts, "ann", false, &t.suite->arena),
                        receipts_person(other.receipts, "ann", false, &t.suite->arena));
    assert_string_not_equal(receipts_person(t.receipts, "ann", false, &t.suite->arena),
                            receipts_person(t.receipts, "bob", false, &t.suite->arena));
    assert_string_not_equal(receipts_person(t.receipts, "ann", false, &t.suite->arena),
                            receipts_person(t.receipts, "ann", true, &t.suite->arena));
    close_shop(&other);
    close_shop(&t);
}

static void an_address_is_a_person_of_a_network(void **state)
{
    static const struct {
        const char *one, *other;
        bool person, network; /* they are the same */
    } cases[] = {{"192.0.2.1", "192.0.2.1", true, true},
                 {"192.0.2.1", "192.0.2.2", false, true},
                 {"192.0.2.1", "192.0.3.1", false, false},
                 {"2001:db8:1:2::1", "2001:db8:1:2::9", true, true},
                 {"2001:db8:1:2::1", "2001:db8:1:3::1", false, true},
                 {"2001:db8:1:2::1", "2001:db8:2:2::1", false, false}};
    struct shop t;
    open_shop(&t, state);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct origin one = receipts_origin(t.receipts, cases[i].one);
        struct origin other = receipts_origin(t.receipts, cases[i].other);
        assert_int_equal(one.person == other.person, cases[i].person);
        assert_int_equal(one.network == other.network, cases[i].network);
    }
    assert_int_equal(receipts_origin(t.receipts, "nowhere").network, 0);
    close_shop(&t);
}

static void another_installations_are_not_read(void **state)
{
    struct shop t, other;
    struct search_row row;
    void *elsewhere;
    open_shop(&t, state);
    suite_setup_stickers(&elsewhere);
    open_shop(&other, &elsewhere);
    draft(&other, "cat", 2);
    assert_int_equal(read_text(&t, buf_str(&other.text), other.text.len, &row), ERR_INVALID);
    assert_non_null(strstr(t.suite->err.message, "not a receipt of this installation"));
    assert_string_not_equal(receipts_person(t.receipts, "ann", false, &t.suite->arena),
                            receipts_person(other.receipts, "ann", false, &t.suite->arena));
    close_shop(&other);
    suite_teardown(&elsewhere);
    close_shop(&t);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup_stickers, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_written_is_read),
        T(what_was_tried_is_read),
        T(the_longest_query_keeps_what_fits),
        T(every_changed_character_is_noticed),
        T(receipts_expire),
        T(instances_read_each_others),
        T(an_address_is_a_person_of_a_network),
        T(another_installations_are_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
