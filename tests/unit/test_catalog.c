/* What the catalogue of documents does on its own: it reads what searches filter by before a search needs it. */
#include "cm.h"

#include "base/deadline.h"
#include "base/os.h"
#include "search_service/catalog.h"
#include "text/text.h"

#include <stdio.h>
#include <unistd.h>

enum { DOCUMENTS = 3000, WAIT_US = 20 * 1000000 };

static void put_all(struct catalog *c)
{
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        char name[32];
        struct arena a;
        struct sticker_terms terms;
        struct error err;
        int64_t id;
        bool changed;
        arena_init(&a, 1 << 20);
        snprintf(name, sizeof name, "s%u.png", i);
        assert_int_equal(text_sticker_terms("cat", name, NULL, NULL, 0, &a, &terms, &err), OK);
        const struct document doc = {.filename = name,
                                     .title = "cat",
                                     .words_json = "[]",
                                     .image_sha256 = "",
                                     .pack = i % 2 ? "odd" : "even",
                                     .rating = RATING_G};
        assert_int_equal(catalog_put(c, &doc, &terms, &id, &changed, &err), OK);
        arena_free(&a);
    }
}

static enum status tick(void *ctx, struct error *err)
{
    (void)ctx, (void)err;
    return OK;
}

static enum status followed(void *ctx, const struct search_change *changes, size_t n, struct arena *a,
                            struct error *err)
{
    (void)ctx, (void)changes, (void)n, (void)a, (void)err;
    return OK;
}

/* A search whose time is over cannot read the labels of many documents; the thread that follows the database has. */
static void labels_are_read_in_the_background(void **state)
{
    const struct sticker_filter odd = {.pack = "odd", .rating_most = RATING_R};
    const struct catalog_listener listener = {.followed = followed, .tick = tick};
    char folder[64], path[96];
    struct search_store *store;
    struct catalog *c;
    struct label_test test;
    struct error err;
    (void)state;
    tmp_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/search.db", folder);
    assert_int_equal(search_store_open(path, 4, &store, &err), OK);
    assert_int_equal(catalog_open(store, NULL, NULL, 1, &c, &err), OK);
    put_all(c);
    deadline_set(os_monotonic_us(), -1);
    assert_int_equal(catalog_test_begin(c, &odd, &test, &err), ERR_TIMEOUT);
    assert_int_equal(catalog_start(c, &listener, NULL, &err), OK);
    enum status st = ERR_TIMEOUT;
    for (int64_t end = os_monotonic_us() + WAIT_US; st != OK && os_monotonic_us() < end;) {
        usleep(20000);
        st = catalog_test_begin(c, &odd, &test, &err);
    }
    deadline_clear();
    assert_int_equal(st, OK);
    size_t pass = 0;
    for (int64_t id = 0; id <= DOCUMENTS; id++)
        pass += label_passes(&test, id);
    assert_int_equal(pass, DOCUMENTS / 2);
    labels_test_end(&test);
    catalog_close(c);
    search_store_close(store);
    tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(labels_are_read_in_the_background)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
