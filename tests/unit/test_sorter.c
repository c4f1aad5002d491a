/* test_sorter.c: sorting in memory and in files, beside qsort. */
#include "cm.h"

#include "base/sorter.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY (2u * SORTER_RECORD_MAX)

static int texts(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

/* Sorts n texts of a few to some hundred bytes, of which some are equal. */
static void sorts(size_t n)
{
    char folder[256], **all = calloc(n + 1, sizeof *all);
    struct sorter *s;
    struct error err;
    uint32_t random = 1;
    const void *record;
    size_t len, at = 0;
    tmp_make(folder, sizeof folder);
    assert_non_null(all);
    assert_int_equal(sorter_open(folder, MEMORY, &s, &err), OK);
    for (size_t i = 0; i < n; i++) {
        random = random * 1664525u + 1013904223u;
        assert_true(asprintf(&all[i], "%u%*s", random >> 20, (int)(random >> 24), "x") > 0);
        assert_int_equal(sorter_add(s, all[i], strlen(all[i]), &err), OK);
    }
    qsort(all, n, sizeof *all, texts);
    assert_int_equal(sorter_end(s, &err), OK);
    while (sorter_next(s, &record, &len, &err) == OK && record) {
        assert_true(at < n);
        assert_int_equal(len, strlen(all[at]));
        assert_memory_equal(record, all[at], len);
        free(all[at++]);
    }
    assert_int_equal(at, n);
    sorter_close(s);
    free(all);
    assert_int_equal(remove(folder), 0); /* no file is left */
}

static void records_come_in_order(void **state)
{
    (void)state;
    sorts(0);
    sorts(1);
    sorts(100);   /* in memory */
    sorts(5000);  /* in some runs */
    sorts(60000); /* in more runs than are merged at once */
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    static char large[SORTER_RECORD_MAX + 1];
    struct sorter *s;
    struct error err;
    const void *record;
    size_t len;
    assert_int_equal(sorter_open("/nonexistent", MEMORY, &s, &err), OK);
    assert_int_equal(sorter_add(s, large, sizeof large, &err), ERR_TOO_LARGE);
    assert_int_equal(sorter_add(s, large, sizeof large - 1, &err), OK);
    assert_int_equal(sorter_add(s, "", 0, &err), OK);
    assert_int_equal(sorter_add(s, large, sizeof large - 1, &err), ERR_IO); /* a run is needed, in that folder */
    assert_non_null(strstr(err.message, "/nonexistent"));
    sorter_close(s);
    assert_int_equal(sorter_open("/tmp", MEMORY, &s, &err), OK);
    assert_int_equal(sorter_add(s, "a", 1, &err), OK);
    assert_int_equal(sorter_add(s, "", 0, &err), OK);
    assert_int_equal(sorter_end(s, &err), OK);
    assert_int_equal(sorter_next(s, &record, &len, &err), OK);
    assert_non_null(record);
    assert_int_equal(len, 0);
    sorter_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
