#include "store_suite.h"

#include "base/csv.h"
#include "sticker_service/export.h"
#include <jansson.h>
#include <string.h>

static void add_sticker(struct sticker_store *s, const char *filename)
{
    struct sticker k = blank_sticker(filename);
    struct sticker_terms t = {"", "", "", "", NULL, 0};
    struct error err;
    if (sticker_store_add(s, &k, &t, 1, &err) != OK)
        fail_msg("%s", err.message);
}

static void vote(struct sticker_store *s, const char *query, const char *sticker)
{
    const char *const stickers[] = {sticker};
    struct feedback_entry e = {.query = query, .positive = stickers, .n_positive = 1};
    struct arena a;
    const char **failed;
    size_t n;
    arena_init(&a, 1 << 20);
    assert_int_equal(sticker_store_query_ensure(s, query, NULL), OK);
    assert_int_equal(sticker_store_feedback(s, &e, 1, &a, &failed, &n, NULL), OK);
    assert_int_equal(n, 0);
    arena_free(&a);
}

/* Reads everything, `cap` bytes at a time. */
static void read_all(struct sticker_store *s, enum export_format format, int64_t since, size_t cap, struct buf *out)
{
    struct feedback_export *x;
    struct error err;
    char chunk[4096];
    ssize_t n;
    assert_int_equal(feedback_export_open(s, format, since, &x, &err), OK);
    while ((n = feedback_export_read(x, chunk, cap, &err)) > 0)
        buf_append(out, chunk, (size_t)n);
    assert_int_equal(n, 0);
    assert_int_equal(feedback_export_read(x, chunk, cap, &err), 0);
    feedback_export_close(x);
}

static void empty(void **state)
{
    struct suite *s = *state;
    struct buf out;
    buf_init(&out, 1 << 20);
    read_all(s->stickers, EXPORT_CSV, 0, 7, &out);
    assert_string_equal(buf_str(&out), "query,usage,sticker,positives,negatives,created,modified\r\n");
    buf_reset(&out);
    read_all(s->stickers, EXPORT_NDJSON, 0, 7, &out);
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static void cells_are_safe(void **state)
{
    struct suite *s = *state;
    struct buf out;
    buf_init(&out, 1 << 20);
    add_sticker(s->stickers, "a,b.png");
    vote(s->stickers, "=HYPERLINK(\"x\")", "a,b.png");
    vote(s->stickers, "+1", "a,b.png");
    vote(s->stickers, "-1", "a,b.png");
    vote(s->stickers, "@x", "a,b.png");
    vote(s->stickers, "two\nlines", "a,b.png");
    vote(s->stickers, "plain", "a,b.png");
    read_all(s->stickers, EXPORT_CSV, 0, 64, &out);
    assert_non_null(strstr(buf_str(&out), "\r\n\"'=HYPERLINK(\"\"x\"\")\",0,\"a,b.png\",1,0,"));
    assert_non_null(strstr(buf_str(&out), "\r\n\"'+1\",0,"));
    assert_non_null(strstr(buf_str(&out), "\r\n\"'-1\",0,"));
    assert_non_null(strstr(buf_str(&out), "\r\n\"'@x\",0,"));
    assert_non_null(strstr(buf_str(&out), "\r\n\"two\nlines\",0,"));
    assert_non_null(strstr(buf_str(&out), "\r\nplain,0,"));
    buf_reset(&out);
    read_all(s->stickers, EXPORT_NDJSON, 0, 64, &out);
    assert_non_null(strstr(buf_str(&out), "{\"query\":\"=HYPERLINK(\\\"x\\\")\",\"usage\":0,\"sticker\":\"a,b.png\","));
    buf_free(&out);
}

/* Several pages, read in chunks that divide nothing: every row once, in order, the same each time. */
static void many_pages(void **state)
{
    struct suite *s = *state;
    enum { STICKERS = 9, QUERIES = 130 };
    for (int i = 0; i < STICKERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d.png", i);
        add_sticker(s->stickers, name);
    }
    for (int q = 0; q < QUERIES; q++)
        for (int i = 0; i < STICKERS; i++) {
            char query[32], name[32];
            snprintf(query, sizeof query, "query %03d", q);
            snprintf(name, sizeof name, "s%d.png", i);
            vote(s->stickers, query, name);
        }
    struct buf small, large;
    buf_init(&small, 4 << 20);
    buf_init(&large, 4 << 20);
    read_all(s->stickers, EXPORT_NDJSON, 0, 13, &small);
    read_all(s->stickers, EXPORT_NDJSON, 0, 4096, &large);
    assert_int_equal(small.len, large.len);
    assert_memory_equal(small.data, large.data, small.len);
    int rows = 0;
    char *line, *save = NULL, before[96] = "";
    for (line = strtok_r(small.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save), rows++) {
        json_t *row = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(row);
        char now[96];
        snprintf(now, sizeof now, "%s|%s", json_string_value(json_object_get(row, "query")),
                 json_string_value(json_object_get(row, "sticker")));
        assert_true(strcmp(before, now) < 0);
        memcpy(before, now, sizeof now);
        json_decref(row);
    }
    assert_int_equal(rows, STICKERS * QUERIES);
    buf_reset(&large);
    read_all(s->stickers, EXPORT_NDJSON, os_now_us() + 3600 * 1000000ll, 4096, &large);
    assert_int_equal(large.len, 0);
    buf_free(&small);
    buf_free(&large);
}

static void formats(void **state)
{
    (void)state;
    enum export_format format;
    struct error err;
    assert_int_equal(export_format_parse("ndjson", &format, &err), OK);
    assert_int_equal(format, EXPORT_NDJSON);
    assert_string_equal(export_extension(format), "ndjson");
    assert_int_equal(export_format_parse("xlsx", &format, &err), ERR_INVALID);
    assert_string_equal(err.message, "format must be csv or ndjson");
}

/* Whatever is exported is what is imported. */
static void cells_are_read_as_they_were(void **state)
{
    static const char *const texts[] = {
        "cat", "",       "'",   "'cat",         "''cat",       "=1",      "'=1",     "+1",     "-1",
        "@x",  "\tx",    "\rx", "\nx",          "\uff1d1",     "\uff0b1", "\uff0d1", "\uff20", "'\uff1d",
        "\"",  "'\"a\"", "a,b", "two\r\nlines", "'two\nlines", "<3",      "~"};
    struct suite *s = *state;
    struct buf out;
    struct csv csv;
    const char *fields[CSV_MAX_FIELDS];
    size_t n, last = sizeof texts / sizeof *texts - 1;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i <= last; i++) {
        csv_put_cell(&out, texts[i]);
        buf_puts(&out, i < last ? "," : "\r\n");
    }
    assert_ok(s, csv_open(buf_str(&out), out.len, &s->arena, &csv, &s->err));
    assert_ok(s, csv_next(&csv, fields, &n, &s->err));
    assert_int_equal(n, last + 1);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(csv_read_cell(fields[i]), texts[i]);
    assert_string_equal(csv_read_cell("'typed by hand"), "'typed by hand");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(empty, suite_setup_stickers, suite_teardown),
        cmocka_unit_test_setup_teardown(cells_are_safe, suite_setup_stickers, suite_teardown),
        cmocka_unit_test_setup_teardown(cells_are_read_as_they_were, suite_setup_stickers, suite_teardown),
        cmocka_unit_test_setup_teardown(many_pages, suite_setup_stickers, suite_teardown),
        cmocka_unit_test(formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
