/* test_fts_index.c: the index of terms in memory: changes, merging, its file, and searches while it changes.
 * tests/unit/test_store_search.c compares what it finds with the indexes of databases. */
#include "cm.h"

#include "fts/fts_index.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <xxhash.h>

enum { DOCS = 120, WORDS = 40 };
static const char tag[FTS_TAG_SIZE] = "a tag";
static struct error err;

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != OK)                                                                                              \
            fail_msg("%s: %s", #call, err.message);                                                                    \
    } while (0)

static struct fts_index *open_index(void)
{
    struct fts_index *ix;
    MUST(fts_index_open(&ix, &err));
    return ix;
}

/* A document's terms, in the arena. */
static struct fts_document document(struct arena *a, int64_t id, unsigned seed)
{
    struct sticker_terms *t = arena_alloc(a, sizeof *t);
    struct language_terms *l = arena_array(a, 2, sizeof *l);
    *t = (struct sticker_terms){.title = arena_printf(a, "all w%u", seed % WORDS),
                                .words = arena_printf(a, "w%u w%u", seed / 7 % WORDS, seed / 11 % WORDS),
                                .filename = arena_printf(a, "w%u", seed / 13 % WORDS),
                                .folded = arena_printf(a, "all w%ux", seed % WORDS),
                                .languages = l,
                                .n_languages = seed % 3};
    l[0] = (struct language_terms){LANGUAGE_de, "alle", arena_printf(a, "alle w%u", seed % 5)};
    l[1] = (struct language_terms){LANGUAGE_fr, "", arena_printf(a, "w%u", seed % 5)};
    return (struct fts_document){id, fts_terms_hash(t), t};
}

static void put(struct fts_index *ix, int64_t id, unsigned seed)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    struct fts_document d = document(&a, id, seed);
    MUST(fts_index_put(ix, &d, 1, &err));
    arena_free(&a);
}

static size_t find(struct fts_index *ix, const char *stem, const char *prefix, struct arena *a, struct fts_hit **hits)
{
    struct word_form form = {.stem = stem, .in = {{~0ull, ~0ull, ~0ull}}};
    const struct term_query q = {.stems = &stem,
                                 .n_stems = 1,
                                 .forms = &form,
                                 .n_forms = 1,
                                 .prefix = prefix,
                                 .prefix_in_all = true,
                                 .language = LANGUAGE_de};
    int64_t total;
    size_t n;
    MUST(fts_index_search(ix, &q, NULL, SIZE_MAX, 0, NULL, NULL, a, hits, &n, &total, &err));
    assert_int_equal(n, total);
    return n;
}

/* Both find the same for every word. */
static void expect_alike(struct fts_index *x, struct fts_index *y)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < WORDS + 2; i++) {
        struct fts_hit *found[2];
        char stem[16], prefix[16];
        snprintf(stem, sizeof stem, i < WORDS ? "w%d" : i == WORDS ? "all" : "alle", i);
        snprintf(prefix, sizeof prefix, "w%d", i % 6);
        size_t n = find(x, stem, i % 3 ? prefix : NULL, &a, &found[0]);
        assert_int_equal(find(y, stem, i % 3 ? prefix : NULL, &a, &found[1]), n);
        for (size_t k = 0; k < n; k++)
            assert_true(found[0][k].id == found[1][k].id && found[0][k].score == found[1][k].score);
        arena_reset(&a);
    }
    arena_free(&a);
}

/* However documents came into it, an index finds what one finds that they were put into once. */
static void changes_leave_what_they_say(void **state)
{
    (void)state;
    struct fts_index *ix = open_index(), *fresh = open_index();
    struct fts_index_size size;
    struct arena a;
    unsigned seeds[DOCS] = {0}, random = 3;
    arena_init(&a, 1 << 20);
    for (int i = 0; i < 6 * DOCS; i++) {
        random = random * 1103515245u + 12345u;
        int64_t id = random / 65536 % DOCS;
        seeds[id] = i % 5 ? random >> 8 | 1 : 0;
        if (seeds[id])
            put(ix, id, seeds[id]);
        else
            MUST(fts_index_remove(ix, &id, 1, &err));
        if (i % 97 == 0)
            MUST(fts_index_tidy(ix, &err));
    }
    struct fts_document all[DOCS];
    size_t n = 0;
    for (int64_t id = DOCS; id-- > 0;)
        if (seeds[id])
            all[n++] = document(&a, id, seeds[id]);
    MUST(fts_index_put(fresh, all, n, &err));
    fts_index_size(ix, &size);
    assert_int_equal(size.documents, n);
    expect_alike(ix, fresh);
    assert_true(fts_index_has(ix, all[0].id, all[0].hash));
    assert_false(fts_index_has(ix, all[0].id, all[0].hash + 1));
    MUST(fts_index_put(ix, all, n, &err)); /* changes nothing */
    struct fts_index_size again;
    fts_index_size(ix, &again);
    assert_int_equal(again.segments, size.segments);
    assert_true(size.segments > 1 && size.segments < 20);
    fts_index_close(ix);
    fts_index_close(fresh);
    arena_free(&a);
}

static void a_file_has_all_of_it(void **state)
{
    (void)state;
    char folder[64], path[100], loaded[FTS_TAG_SIZE];
    int64_t number, id = 5;
    struct fts_index *ix = open_index(), *other = open_index();
    struct fts_index_size size;
    snprintf(path, sizeof path, "%s/x", tmp_make(folder, sizeof folder));
    assert_int_equal(fts_index_load(other, path, loaded, &number, &err), ERR_NOT_FOUND);
    MUST(fts_index_save(ix, path, tag, 1, &err)); /* an empty one */
    for (int i = 0; i < DOCS; i++)
        put(ix, i, (unsigned)i * 2654435761u);
    MUST(fts_index_remove(ix, &id, 1, &err));
    MUST(fts_index_save(ix, path, tag, 42, &err));
    fts_index_size(ix, &size);
    assert_int_equal(size.segments, 1);
    MUST(fts_index_load(other, path, loaded, &number, &err));
    assert_string_equal(loaded, tag);
    assert_int_equal(number, 42);
    expect_alike(ix, other);
    put(ix, 3, 77); /* what is mapped is also changed */
    put(other, 3, 77);
    expect_alike(ix, other);
    fts_index_close(ix);
    fts_index_close(other);
    tmp_remove(folder);
}

/* A damaged file is refused, or finds something wrong when somebody made its checksum right; it never does harm. */
static void a_damaged_file_does_no_harm(void **state)
{
    enum { HEAD = 104, SUM = HEAD - 8 };
    (void)state;
    char folder[64], path[100], loaded[FTS_TAG_SIZE];
    int64_t number;
    size_t refused = 0, used = 0;
    struct fts_index *ix = open_index();
    struct buf file;
    struct arena a;
    arena_init(&a, 1 << 20);
    buf_init(&file, 1 << 20);
    snprintf(path, sizeof path, "%s/x", tmp_make(folder, sizeof folder));
    for (int i = 0; i < 20; i++)
        put(ix, i, (unsigned)i * 2654435761u);
    MUST(fts_index_save(ix, path, tag, 42, &err));
    fts_index_close(ix);
    MUST(os_read_file(path, &file, &err));
    for (size_t at = 0; at < file.len; at += at < HEAD ? 1 : 3) {
        char *bytes = file.data, was = bytes[at], sum[8];
        memcpy(sum, bytes + SUM, sizeof sum);
        bytes[at] ^= (char)(at % 2 ? 0x80 : 0x03);
        for (int mended = 0; mended < 2; mended++) {
            uint64_t now = XXH3_64bits_withSeed(bytes + HEAD, file.len - HEAD, XXH3_64bits(bytes, SUM));
            if (mended)
                memcpy(bytes + SUM, &now, sizeof now);
            FILE *f = fopen(path, "wb");
            assert_true(f && fwrite(bytes, 1, file.len, f) == file.len && fclose(f) == 0);
            ix = open_index();
            enum status st = fts_index_load(ix, path, loaded, &number, &err);
            assert_true(mended || st == ERR_CORRUPT || st == ERR_CONFLICT);
            refused += st != OK;
            used += st == OK;
            if (st == OK) {
                struct fts_hit *hits;
                find(ix, "w3", "w", &a, &hits);
                find(ix, "alle", "a", &a, &hits);
                put(ix, 3, 7);
                MUST(fts_index_save(ix, path, tag, 1, &err));
                arena_reset(&a);
            }
            fts_index_close(ix);
        }
        bytes[at] = was;
        memcpy(bytes + SUM, sum, sizeof sum);
    }
    assert_true(refused > 100 && used > 100);
    FILE *f = fopen(path, "wb"); /* a short one */
    assert_true(f && fwrite(file.data, 1, 50, f) == 50 && fclose(f) == 0);
    ix = open_index();
    assert_int_equal(fts_index_load(ix, path, loaded, &number, &err), ERR_CORRUPT);
    fts_index_close(ix);
    arena_free(&a);
    buf_free(&file);
    tmp_remove(folder);
}

struct race {
    struct fts_index *ix;
    const char *path;
    atomic_bool stop;
};

static void *search_on(void *arg)
{
    struct race *r = arg;
    size_t wrong = 0;
    while (!atomic_load(&r->stop)) {
        struct arena a;
        struct fts_hit *hits;
        arena_init(&a, 1 << 20);
        wrong += find(r->ix, "all", NULL, &a, &hits) != DOCS;
        arena_free(&a);
    }
    return (void *)(uintptr_t)wrong;
}

static void *tidy_on(void *arg)
{
    struct race *r = arg;
    size_t wrong = 0;
    for (int i = 0; !atomic_load(&r->stop); i++)
        wrong += (i % 4 ? fts_index_tidy(r->ix, NULL) : fts_index_save(r->ix, r->path, tag, i, NULL)) != OK;
    return (void *)(uintptr_t)wrong;
}

/* A document that is replaced is found at every moment, once. */
static void searches_see_every_document(void **state)
{
    (void)state;
    char folder[64], path[100];
    struct race r = {.ix = open_index(), .path = path};
    pthread_t threads[3];
    snprintf(path, sizeof path, "%s/x", tmp_make(folder, sizeof folder));
    for (int i = 0; i < DOCS; i++)
        put(r.ix, i, (unsigned)i);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i ? search_on : tidy_on, &r), 0);
    for (unsigned i = 0; i < 400; i++)
        put(r.ix, i * 7 % DOCS, 1000 + i);
    atomic_store(&r.stop, true);
    for (int i = 0; i < 3; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    struct fts_index *fresh = open_index();
    for (unsigned i = 0; i < DOCS; i++) {
        unsigned last = i;
        for (unsigned k = 0; k < 400; k++)
            last = k * 7 % DOCS == i ? 1000 + k : last;
        put(fresh, i, last);
    }
    expect_alike(r.ix, fresh);
    fts_index_close(fresh);
    fts_index_close(r.ix);
    tmp_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_leave_what_they_say),
        cmocka_unit_test(a_file_has_all_of_it),
        cmocka_unit_test(a_damaged_file_does_no_harm),
        cmocka_unit_test(searches_see_every_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
