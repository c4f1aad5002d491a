/* test_store_curation.c: the store suite: pins and synonyms with their history and versions. */
#include "store_suite.h"

#include "sticker_store/sticker_curation.h"

static const struct admin_who ann = {.username = "ann", .address = "192.0.2.1"};

static struct curation_row row(const char *a, const char *b, const char *c, const char *d)
{
    return (struct curation_row){{a, b, c, d}};
}

static const char *text_of(struct suite *s, struct sticker_store *store, enum curation_kind kind)
{
    struct curation_row *rows;
    size_t n;
    struct buf out;
    buf_init(&out, 1u << 20);
    assert_ok(s, sticker_store_curation_list(store, kind, &s->arena, &rows, &n, &s->err));
    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s|%s|%s|%s; ", rows[i].values[0], rows[i].values[1], rows[i].values[2], rows[i].values[3]);
    const char *copy = arena_strdup(&s->arena, buf_str(&out));
    buf_free(&out);
    return copy;
}

static void expect(struct suite *s, struct sticker_store *store, enum curation_kind kind, const char *text)
{
    assert_string_equal(text_of(s, store, kind), text);
}

static int64_t version_of(struct suite *s, struct sticker_store *store, enum curation_kind kind)
{
    int64_t version;
    assert_ok(s, sticker_store_curation_version(store, kind, &version, &s->err));
    return version;
}

/* The newest entries of the history: what was done, to what, what it was and is. */
static const char *history(struct suite *s, struct sticker_store *store, size_t n)
{
    static const char *const columns[] = {"username", "action", "model", "object", "before", "after"};
    struct list_ask ask = {.list = "history",
                           .columns = columns,
                           .n_columns = 6,
                           .sort = "at_us",
                           .descending = true,
                           .search = "",
                           .cursor = "",
                           .limit = n};
    struct list_page page;
    char *out = arena_strdup(&s->arena, "");
    assert_ok(s, sticker_store_list_page(store, &ask, &s->arena, &page, &s->err));
    for (size_t i = 0; i < page.n && i < n; i++)
        out = arena_printf(&s->arena, "%s%s %s %s %s %s -> %s\n", out, page.rows[i].cells[0], page.rows[i].cells[1],
                           page.rows[i].cells[2], page.rows[i].cells[3], page.rows[i].cells[4], page.rows[i].cells[5]);
    return out;
}

static void rows_are_put_by_their_keys(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct curation_counts counts;
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    int64_t before = version_of(s, store, CURATION_PINS);
    struct curation_row pins[] = {row("cat", "", "b.png", "2"), row("cat", "", "a.png", "1"),
                                  row("cat", "de", "a.png", "0"), row("ant", "", "a.png", "100")};
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 4, false, &counts, &s->err));
    assert_true(counts.added == 4 && counts.changed == 0 && counts.same == 0 && counts.deleted == 0);
    expect(s, store, CURATION_PINS, "ant||a.png|100; cat||a.png|1; cat||b.png|2; cat|de|a.png|0; ");
    int64_t added = version_of(s, store, CURATION_PINS);
    assert_true(added > before);

    /* the same again changes nothing, one of another place changes, the rest goes when it is replaced */
    pins[1].values[3] = "3";
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 2, false, &counts, &s->err));
    assert_true(counts.added == 0 && counts.changed == 1 && counts.same == 1 && counts.deleted == 0);
    expect(s, store, CURATION_PINS, "ant||a.png|100; cat||b.png|2; cat||a.png|3; cat|de|a.png|0; ");
    assert_string_equal(
        history(s, store, 1),
        "ann change pins cat {\"query\":\"cat\",\"language\":\"\",\"sticker\":\"a.png\",\"position\":\"1\"}"
        " -> {\"query\":\"cat\",\"language\":\"\",\"sticker\":\"a.png\",\"position\":\"3\"}\n");
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 2, true, &counts, &s->err));
    assert_true(counts.same == 2 && counts.deleted == 2);
    expect(s, store, CURATION_PINS, "cat||b.png|2; cat||a.png|3; ");
    int64_t replaced = version_of(s, store, CURATION_PINS);
    assert_true(replaced > added);
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 2, true, &counts, &s->err));
    assert_int_equal(version_of(s, store, CURATION_PINS), replaced);

    struct curation_row synonyms[] = {row("pupper", "", "dog, puppy", "0"), row("gelato", "it", "ice cream", "1")};
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_SYNONYMS, synonyms, 2, false, &counts, &s->err));
    expect(s, store, CURATION_SYNONYMS, "gelato|it|ice cream|1; pupper||dog, puppy|0; ");
    assert_ok(s, sticker_store_curation_delete(store, &ann, CURATION_SYNONYMS, &synonyms[0], &s->err));
    expect(s, store, CURATION_SYNONYMS, "gelato|it|ice cream|1; ");
    assert_int_equal(sticker_store_curation_delete(store, &ann, CURATION_SYNONYMS, &synonyms[0], &s->err),
                     ERR_NOT_FOUND);
    assert_non_null(strstr(history(s, store, 1), "ann delete synonyms pupper {"));
    assert_int_equal(version_of(s, store, CURATION_PINS), replaced);
    sticker_store_close(store);

    store = suite_stickers(s); /* it is all there after a restart */
    expect(s, store, CURATION_PINS, "cat||b.png|2; cat||a.png|3; ");
    expect(s, store, CURATION_SYNONYMS, "gelato|it|ice cream|1; ");
    sticker_store_close(store);
}

static void one_wrong_row_undoes_all(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct curation_counts counts;
    suite_add(s, store, "a.png", "a");
    struct curation_row pins[] = {row("cat", "", "a.png", "1"), row("cat", "", "none.png", "2")};
    assert_int_equal(sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 2, false, &counts, &s->err),
                     ERR_INVALID);
    assert_string_equal(s->err.message, "pins[1]: There is no sticker \"none.png\".");
    expect(s, store, CURATION_PINS, "");
    assert_string_equal(history(s, store, 5), "");
    sticker_store_close(store);
}

static void there_are_so_many_at_most(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct curation_counts counts;
    size_t n = CURATION_MAX_SYNONYMS;
    struct curation_row *rows = arena_array(&s->arena, n + 1, sizeof *rows);
    assert_non_null(rows);
    for (size_t i = 0; i <= n; i++)
        rows[i] = row(arena_printf(&s->arena, "term %zu", i), "", "cat", "0");
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_SYNONYMS, rows, n, false, &counts, &s->err));
    assert_int_equal(sticker_store_curation_put(store, &ann, CURATION_SYNONYMS, rows + n, 1, false, &counts, &s->err),
                     ERR_INVALID);
    assert_string_equal(s->err.message, "There may be at most 2000 synonyms.");
    for (size_t i = 0; i <= CURATION_MAX_QUERY; i++) {
        char *name = arena_printf(&s->arena, "%03zu.png", i);
        suite_add(s, store, name, "x");
        rows[i] = row("cat", "", name, "1");
    }
    assert_int_equal(
        sticker_store_curation_put(store, &ann, CURATION_PINS, rows, CURATION_MAX_QUERY + 1, false, &counts, &s->err),
        ERR_INVALID);
    assert_string_equal(s->err.message, "One query may have at most 100 pins.");
    assert_ok(
        s, sticker_store_curation_put(store, &ann, CURATION_PINS, rows, CURATION_MAX_QUERY, false, &counts, &s->err));
    sticker_store_close(store);
}

/* Forms of the admin: one row, by its id. */
static void rows_change_as_the_admin_has_them(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    static const char *const columns[] = {"query", "sticker", "position", "modified_us"};
    struct admin_pair fields[] = {{"query", "cat"}, {"language", ""}, {"sticker", "a.png"}, {"position", "1"}};
    struct admin_change add = {.op = CHANGE_ADD,
                               .list = "pins",
                               .fields = fields,
                               .n_fields = 4,
                               .object = "cat",
                               .before = "",
                               .after = "{}"};
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    assert_ok(s, sticker_store_change(store, &ann, &add, 1, &s->err));
    assert_int_equal(sticker_store_change(store, &ann, &add, 1, &s->err), ERR_INVALID);
    assert_string_equal(s->err.message, "There is a pin of \"cat\" already.");
    struct list_ask ask = {
        .list = "pins", .columns = columns, .n_columns = 4, .sort = "query", .search = "ca", .cursor = "", .limit = 10};
    struct list_page page;
    assert_ok(s, sticker_store_list_page(store, &ask, &s->arena, &page, &s->err));
    assert_int_equal(page.n, 1);
    assert_string_equal(page.rows[0].cells[1], "a.png");
    struct admin_change change = add;
    change.op = CHANGE_UPDATE;
    change.id = page.rows[0].id;
    change.seen_us = strtoll(page.rows[0].cells[3], NULL, 10);
    fields[2].value = "b.png";
    fields[3].value = "0";
    assert_ok(s, sticker_store_change(store, &ann, &change, 1, &s->err));
    expect(s, store, CURATION_PINS, "cat||b.png|0; ");
    assert_int_equal(sticker_store_change(store, &ann, &change, 1, &s->err), ERR_CONFLICT);
    change.op = CHANGE_DELETE;
    change.seen_us = 0;
    assert_ok(s, sticker_store_change(store, &ann, &change, 1, &s->err));
    expect(s, store, CURATION_PINS, "");

    sticker_store_close(store);
}

/* With its sticker a pin goes: the version tells, and the history too. */
static void pins_go_with_their_sticker(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct curation_counts counts;
    struct curation_row pins[] = {row("cat", "", "b.png", "1"), row("dog", "de", "b.png", "0"),
                                  row("cat", "", "a.png", "2")};
    const struct admin_change delete = {
        .op = CHANGE_DELETE, .list = "stickers", .id = "b.png", .object = "b.png", .before = "{}", .after = ""};
    struct list_goes goes[4];
    size_t n;
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    suite_add(s, store, "c.png", "c");
    assert_ok(s, sticker_store_curation_put(store, &ann, CURATION_PINS, pins, 3, false, &counts, &s->err));
    int64_t version = version_of(s, store, CURATION_PINS);
    assert_ok(s, sticker_store_list_goes(store, "stickers", &(const char *){"b.png"}, 1, goes, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(goes[0].what, "pins");
    assert_int_equal(goes[0].count, 2);
    assert_ok(s, sticker_store_change(store, &ann, &delete, 1, &s->err));
    expect(s, store, CURATION_PINS, "cat||a.png|2; ");
    assert_true(version_of(s, store, CURATION_PINS) > version);
    const char *noted = history(s, store, 3);
    assert_non_null(strstr(noted, "ann delete stickers b.png {} -> \n"));
    assert_non_null(strstr(noted, "ann delete pins cat {\"query\":\"cat\",\"language\":\"\",\"sticker\":\"b.png\","
                                  "\"position\":\"1\"} -> \n"));
    assert_non_null(strstr(noted, "ann delete pins dog {\"query\":\"dog\",\"language\":\"de\",\"sticker\":\"b.png\","
                                  "\"position\":\"0\"} -> \n"));

    version = version_of(s, store, CURATION_PINS); /* one that is not pinned changes nothing */
    assert_ok(s, sticker_store_delete(store, "c.png", &s->err));
    assert_int_equal(version_of(s, store, CURATION_PINS), version);
    assert_ok(s, sticker_store_delete(store, "a.png", &s->err));
    expect(s, store, CURATION_PINS, "");
    assert_true(version_of(s, store, CURATION_PINS) > version);
    sticker_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(rows_are_put_by_their_keys),        T(one_wrong_row_undoes_all),   T(there_are_so_many_at_most),
        T(rows_change_as_the_admin_has_them), T(pins_go_with_their_sticker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
