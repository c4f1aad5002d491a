/* store_suite.h: what the store tests share. They are written against the stores' headers alone and run
 * on SQLite in a temporary folder; PEEL_TEST_STORE_URL, a URL in which "{}" stands for a fresh name,
 * runs the same tests on another database. */
#ifndef PEEL_TESTS_STORE_SUITE_H
#define PEEL_TESTS_STORE_SUITE_H

#include "blank_sticker.h"
#include "cm.h"

#include "base/os.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"

#include <string.h>

struct suite {
    char folder[256], url[512];     /* the store's; tests of SQLite's own files find it at <folder>/store.db */
    struct sticker_store *stickers; /* with suite_setup_stickers; else each test opens its own */
    struct arena arena;
    struct error err;
};

#define assert_ok(suite, call)                                                                                         \
    do {                                                                                                               \
        enum status assert_ok_status = (call);                                                                         \
        if (assert_ok_status != OK)                                                                                    \
            fail_msg("%s: %s", #call, (suite)->err.message);                                                           \
    } while (0)

static inline int suite_setup(void **state)
{
    struct suite *s = calloc(1, sizeof *s);
    const char *template = getenv("PEEL_TEST_STORE_URL");
    tmp_make(s->folder, sizeof s->folder);
    const char *braces = template ? strstr(template, "{}") : NULL;
    if (braces)
        snprintf(s->url, sizeof s->url, "%.*s%s%s", (int)(braces - template), template, strrchr(s->folder, '-') + 1,
                 braces + 2);
    else
        snprintf(s->url, sizeof s->url, "%s/store.db", s->folder);
    arena_init(&s->arena, 64 << 20);
    *state = s;
    return 0;
}

static inline int suite_teardown(void **state)
{
    struct suite *s = *state;
    sticker_store_close(s->stickers);
    tmp_remove(s->folder);
    arena_free(&s->arena);
    free(s);
    return 0;
}

static inline struct sticker_store *suite_stickers(struct suite *s)
{
    struct sticker_store *store = NULL;
    assert_ok(s, sticker_store_open(s->url, 4, &store, &s->err));
    return store;
}

static inline int suite_setup_stickers(void **state)
{
    suite_setup(state);
    struct suite *s = *state;
    s->stickers = suite_stickers(s);
    return 0;
}

static inline struct search_store *suite_search(struct suite *s)
{
    struct search_store *store = NULL;
    assert_ok(s, search_store_open(s->url, 4, &store, &s->err));
    assert_ok(s, search_store_index_open(store, NULL, &s->err));
    return store;
}

/* A sticker whose terms are its title's words, as they stand. */
static inline void suite_add(struct suite *s, struct sticker_store *store, const char *filename, const char *title)
{
    struct sticker_words words = {.language = "en", .words = title};
    struct sticker sticker = {.filename = filename,
                              .title = title,
                              .pack = "pack",
                              .author = "author",
                              .license = "MIT",
                              .source = "source",
                              .sha256 = "00",
                              .mime = "image/png",
                              .bytes = 1,
                              .width = 2,
                              .height = 3,
                              .words = &words,
                              .n_words = 1};
    struct sticker_terms terms = {.title = title, .words = "", .filename = "", .folded = title};
    assert_ok(s, sticker_store_add(store, &sticker, &terms, 1, &s->err));
}

#endif
