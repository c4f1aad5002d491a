/* The results of a search as pins arrange them: places, hidden stickers, totals, pages that fit together. */
#include "cm.h"

#include "sticker_service/find_pins.h"

#include <string.h>

static struct error err;

/* Results r1.png, r2.png, ..., as one line of the page. */
static const char *page(size_t n, int64_t total, const struct pin *pins, size_t n_pins, size_t offset, size_t limit,
                        struct find_arranged *got, struct arena *a)
{
    struct find_hit *hits = arena_array(a, n + 1, sizeof *hits);
    assert_non_null(hits);
    for (size_t i = 0; i < n; i++) {
        hits[i] = (struct find_hit){arena_printf(a, "r%zu", i + 1), 1.0 / (double)(i + 1), 0.5, false, TEAM_NONE};
        assert_non_null(hits[i].filename);
    }
    assert_int_equal(find_arrange(hits, n, total, pins, n_pins, offset, limit, a, got, &err), OK);
    assert_true(got->n <= limit);
    char *out = arena_strdup(a, "");
    for (size_t i = 0; i < got->n; i++)
        out = arena_printf(a, "%s%s%s%s", out, i ? " " : "", got->hits[i].filename, got->hits[i].pinned ? "*" : "");
    return out;
}

static void pins_are_at_their_places(void **state)
{
    (void)state;
    static const struct pin first[] = {{"x", "", 1}}, third[] = {{"r5", "", 3}}, both[] = {{"x", "", 1}, {"y", "", 1}},
                            hidden[] = {{"r1", "", 0}}, far[] = {{"x", "", 100}},
                            mixed[] = {{"r4", "", 1}, {"x", "", 2}, {"r2", "", 0}, {"nobody", "", 0}};
    const struct {
        const struct pin *pins;
        size_t n_pins, offset, limit;
        const char *expect;
        int64_t total;
    } cases[] = {
        {NULL, 0, 0, 10, "r1 r2 r3 r4 r5", 5},
        {first, 1, 0, 10, "x* r1 r2 r3 r4 r5", 6},
        {first, 1, 0, 2, "x* r1", 6},
        {first, 1, 2, 2, "r2 r3", 6},
        {third, 1, 0, 10, "r1 r2 r5* r3 r4", 5}, /* once only */
        {third, 1, 2, 1, "r5*", 5},
        {both, 2, 0, 3, "x* y* r1", 7}, /* one of two at one place makes room */
        {hidden, 1, 0, 10, "r2 r3 r4 r5", 4},
        {far, 1, 0, 10, "r1 r2 r3 r4 r5 x*", 6}, /* where the results end */
        {mixed, 4, 0, 10, "r4* x* r1 r3 r5", 5},
        {mixed, 4, 1, 3, "x* r1 r3", 5},
        {mixed, 4, 9, 3, "", 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct find_arranged got;
        arena_init(&a, 1u << 20);
        const char *found = page(5, 5, cases[i].pins, cases[i].n_pins, cases[i].offset, cases[i].limit, &got, &a);
        if (strcmp(found, cases[i].expect) != 0 || got.total != cases[i].total || got.short_of)
            fail_msg("case %zu: expected \"%s\" of %lld, found \"%s\" of %lld", i, cases[i].expect,
                     (long long)cases[i].total, found, (long long)got.total);
        arena_free(&a);
    }
    struct arena a;
    struct find_arranged got;
    arena_init(&a, 1u << 20);
    (void)page(5, 5, third, 1, 0, 10, &got, &a);
    assert_true(got.hits[2].score == 0.2 && got.hits[2].confidence == 0.5); /* its own, as the search found it */
    (void)page(5, 5, first, 1, 0, 10, &got, &a);
    assert_true(got.hits[0].score == 0 && got.hits[0].confidence == 0);
    (void)page(0, 0, first, 1, 0, 10, &got, &a); /* nothing else is found */
    assert_int_equal(got.n, 1);
    arena_free(&a);
}

/* Whatever the pins and the pages, all pages together are one list, in which everything stands once. */
static void pages_fit_together(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        struct arena a;
        struct find_arranged got;
        struct pin pins[12];
        size_t n_pins = seed % 13, n = seed * 7 % 40, limit = 1 + seed % 9;
        arena_init(&a, 16u << 20);
        for (size_t i = 0; i < n_pins; i++) { /* by position, each of another sticker, some of them results */
            pins[i] = (struct pin){arena_printf(&a, "r%zu", i * 5 + 1), "", (unsigned)(i * 2 + seed % 3 + 1)};
            assert_non_null(pins[i].sticker);
        }
        for (size_t i = n_pins - n_pins / 3; i < n_pins; i++)
            pins[i].position = 0;
        const char *whole = page(n, (int64_t)n, pins, n_pins, 0, 1000, &got, &a);
        int64_t total = got.total;
        assert_int_equal(got.n, total);
        char *pieces = arena_strdup(&a, "");
        for (size_t offset = 0; offset < (size_t)total; offset += limit) {
            const char *piece = page(n, (int64_t)n, pins, n_pins, offset, limit, &got, &a);
            pieces = arena_printf(&a, "%s%s%s", pieces, offset ? " " : "", piece);
            assert_int_equal(got.total, total);
        }
        assert_string_equal(pieces, whole);
        arena_free(&a);
    }
}

/* Behind what was searched at once the page says where to go on. */
static void a_page_may_go_on_behind(void **state)
{
    (void)state;
    static const struct pin pins[] = {{"x", "", 1}, {"r3", "", 2}, {"r2", "", 0}};
    struct arena a;
    struct find_arranged got;
    arena_init(&a, 1u << 20);
    /* of 100 results 10 are known: x r3 r1 r4 r5 r6 r7 r8 r9 r10 | r11 ... */
    assert_string_equal(page(10, 100, pins, 3, 8, 4, &got, &a), "r9 r10");
    assert_true(got.short_of);
    assert_int_equal(8 + got.n + got.removed - got.pinned, 10); /* the eleventh result is next */
    (void)page(10, 100, pins, 3, 20, 4, &got, &a);
    assert_int_equal(got.n, 0);
    assert_true(got.short_of);
    assert_int_equal(20 + got.n + got.removed - got.pinned, 20);
    (void)page(10, 100, pins, 3, 0, 4, &got, &a);
    assert_false(got.short_of);
    struct find_hit behind[] = {{.filename = "r11"}, {.filename = "r2"}, {.filename = "r12"}};
    size_t n = 3;
    find_leave_out(behind, &n, pins, 3);
    assert_int_equal(n, 2);
    assert_string_equal(behind[1].filename, "r12");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pins_are_at_their_places),
        cmocka_unit_test(pages_fit_together),
        cmocka_unit_test(a_page_may_go_on_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
