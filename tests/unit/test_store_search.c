/* test_store_search.c: the store suite: documents, the lexical search, vectors, settings. It is one file of more than
 * 600 lines because the whole suite runs as one program over either database (tests/api/test_postgres_search.py). */
#include "store_suite.h"

#include "base/deadline.h"
#include "base/labels.h"

#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Terms are the texts themselves. */
static int64_t put(struct suite *s, struct search_store *store, const char *filename, const char *title,
                   const char *words, const char *image, bool *changed)
{
    struct document doc = {.filename = filename, .title = title, .words_json = words, .image_sha256 = image};
    struct sticker_terms terms = {.title = title, .words = words, .filename = filename, .folded = title};
    int64_t id = 0;
    bool any;
    assert_ok(s, search_store_put(store, &doc, &terms, &id, changed ? changed : &any, NULL, &s->err));
    assert_true(id > 0);
    return id;
}

static void documents_come_and_go(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    bool changed;
    int64_t a = put(s, store, "a.png", "cat", "kitten", "11", &changed), id, count;
    assert_true(changed);
    assert_int_equal(put(s, store, "a.png", "cat", "kitten", "11", &changed), a);
    assert_false(changed);
    assert_int_equal(put(s, store, "a.png", "tiger", "kitten", "11", &changed), a);
    assert_true(changed);
    int64_t b = put(s, store, "b.png", "dog", "", "", &changed);
    struct document got;
    assert_ok(s, search_store_get(store, "a.png", &s->arena, &got, &s->err));
    assert_int_equal(got.id, a);
    assert_string_equal(got.title, "tiger");
    assert_string_equal(got.words_json, "kitten");
    assert_string_equal(got.image_sha256, "11");
    assert_true(got.modified_us > got.created_us);
    assert_int_equal(search_store_get(store, "c.png", &s->arena, &got, &s->err), ERR_NOT_FOUND);

    int64_t ids[] = {b, 999, a};
    const char *names[3];
    assert_ok(s, search_store_filenames(store, ids, 3, &s->arena, names, &s->err));
    assert_string_equal(names[0], "b.png");
    assert_null(names[1]);
    assert_string_equal(names[2], "a.png");

    assert_ok(s, search_store_delete(store, "b.png", &id, &s->err));
    assert_int_equal(id, b);
    assert_int_equal(search_store_delete(store, "b.png", &id, &s->err), ERR_NOT_FOUND);
    assert_ok(s, search_store_filenames(store, ids, 3, &s->arena, names, &s->err));
    assert_null(names[0]);
    assert_null(names[1]);
    assert_string_equal(names[2], "a.png");
    assert_ok(s, search_store_count(store, &count, &s->err));
    assert_int_equal(count, 1);
    search_store_close(store);
    store = suite_search(s);
    assert_true(put(s, store, "b.png", "dog", "", "", NULL) > b); /* ids are never reused */
    struct document bad = {.filename = "a/b", .title = "", .words_json = "", .image_sha256 = ""};
    struct sticker_terms none = {"", "", "", "", NULL, 0};
    assert_int_equal(search_store_put(store, &bad, &none, &id, &changed, NULL, &s->err), ERR_INVALID);
    search_store_close(store);
}

/* Without names come the best, of equal ones those with the lowest ids, in the order of ids. */
static void expect_unnamed(struct suite *s, struct search_store *store, const struct term_query *q, size_t total)
{
    struct search_hit *all, *hits;
    size_t n, place;
    int64_t found;
    assert_ok(s, search_store_lexical(store, q, NULL, total, 0, false, &s->arena, &all, &n, &found, &s->err));
    assert_true(found == (int64_t)total && n == total);
    for (size_t limit = 1; limit <= total; limit++) {
        assert_ok(s, search_store_lexical(store, q, NULL, limit, 0, false, &s->arena, &hits, &n, &found, &s->err));
        assert_true(found == (int64_t)total && n == limit);
        for (size_t i = 0, at = 0; i < total; i++) {
            place = 0; /* how many are better */
            for (size_t k = 0; k < total; k++)
                place += all[k].score > all[i].score || (all[k].score == all[i].score && all[k].id < all[i].id);
            if (place >= limit)
                continue;
            assert_null(hits[at].filename);
            assert_true(hits[at].id == all[i].id && hits[at].score == all[i].score);
            assert_true(at == 0 || hits[at].id > hits[at - 1].id);
            at++;
        }
    }
}

static void expect_hits(struct suite *s, struct search_store *store, const char *const *stems, size_t n_stems,
                        const char *prefix, size_t limit, size_t offset, int64_t total, const char *expect)
{
    struct search_hit *hits;
    size_t n;
    int64_t found;
    char got[1024] = "";
    assert_ok(s, search_store_lexical(store, ENGLISH(stems, n_stems, prefix), NULL, limit, offset, true, &s->arena,
                                      &hits, &n, &found, &s->err));
    for (size_t i = 0; i < n; i++) {
        struct document doc;
        assert_ok(s, search_store_get(store, hits[i].filename, &s->arena, &doc, &s->err));
        assert_int_equal(doc.id, hits[i].id);
        assert_true(i == 0 || hits[i].score <= hits[i - 1].score);
        strcat(got, i ? " " : "");
        strcat(got, hits[i].filename);
    }
    assert_string_equal(got, expect);
    assert_int_equal(found, total);
    expect_unnamed(s, store, ENGLISH(stems, n_stems, prefix), (size_t)total);
}
#define HITS(store, prefix, total, expect, ...)                                                                        \
    expect_hits(s, store, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})), prefix, 10, \
                0, total, expect)

static void ranks_titles_words_filenames_prefixes(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct sticker_terms t[] = {
        {"x y", "x y", "cat", "x y", NULL, 0},
        {"x y", "cat y", "x", "x y", NULL, 0},
        {"cat y", "x y", "x", "cat y", NULL, 0},
        {"x y", "x y", "x", "catalog y", NULL, 0},
    };
    static const char *const names[] = {"in-filename", "in-words", "in-title", "in-prefix"};
    int64_t id;
    bool changed;
    for (size_t i = 0; i < COUNT(t); i++) {
        struct document doc = {.filename = names[i], .title = "", .words_json = "", .image_sha256 = ""};
        assert_ok(s, search_store_put(store, &doc, &t[i], &id, &changed, NULL, &s->err));
    }
    for (int i = 0; i < 8; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%d", i);
        put(s, store, name, "x", "y", "", NULL);
    }
    HITS(store, NULL, 3, "in-title in-words in-filename", "cat");
    HITS(store, "cat", 4, "in-title in-words in-filename in-prefix", "cat");
    search_store_close(store);
}

static void a_beginning_never_outranks_the_whole_word(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    char many[600] = "";
    for (int i = 0; i < 100; i++)
        strcat(many, "word ");
    struct sticker_terms longest = {"", many, "cat", "cat", NULL, 0};
    struct sticker_terms shortest = {"catalog", "", "", "catalog category catfish catapult", NULL, 0};
    struct document doc = {.filename = "whole", .title = "", .words_json = "", .image_sha256 = ""};
    int64_t id;
    bool changed;
    assert_ok(s, search_store_put(store, &doc, &longest, &id, &changed, NULL, &s->err));
    doc.filename = "beginning";
    assert_ok(s, search_store_put(store, &doc, &shortest, &id, &changed, NULL, &s->err));
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%d", i);
        put(s, store, name, "x", "y", "", NULL);
    }
    HITS(store, "cat", 2, "whole beginning", "cat");
    search_store_close(store);
}

static void more_of_the_terms_rank_higher(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    put(s, store, "cat.png", "cat", "", "", NULL);
    put(s, store, "park.png", "park", "", "", NULL);
    put(s, store, "cat-park.png", "cat park", "", "", NULL);
    for (int i = 0; i < 9; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%d", i);
        put(s, store, name, "something", "else", "", NULL);
    }
    HITS(store, NULL, 3, "cat-park.png cat.png park.png", "cat", "park");
    HITS(store, "pa", 3, "cat-park.png cat.png park.png", "cat", "pa");     /* still being typed */
    HITS(store, "park", 3, "cat-park.png cat.png park.png", "cat", "park"); /* nothing beside the whole word */
    HITS(store, NULL, 0, "", "none");
    search_store_close(store);
}

static void pages_are_stable(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    for (int i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%02d", (i * 7) % 30);
        put(s, store, name, "same", "", "", NULL);
    }
    const char *stem[] = {"same"};
    char expect[256];
    for (int offset = 0; offset < 30; offset += 6) {
        snprintf(expect, sizeof expect, "s%02d s%02d s%02d s%02d s%02d s%02d", offset, offset + 1, offset + 2,
                 offset + 3, offset + 4, offset + 5);
        expect_hits(s, store, stem, 1, NULL, 6, (size_t)offset, 30, expect);
    }
    expect_hits(s, store, stem, 1, NULL, 6, 28, 30, "s28 s29");
    expect_hits(s, store, stem, 1, NULL, 6, 30, 30, "");
    expect_hits(s, store, stem, 1, NULL, 0, 0, 30, "");
    expect_hits(s, store, stem, 1, NULL, SIZE_MAX, SIZE_MAX, 30, "");
    expect_hits(s, store, stem, 1, NULL, SIZE_MAX, 29, 30, "s29");
    search_store_close(store);
}

static void hostile_terms_find_what_they_say(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    put(s, store, "a.png", "cat", "", "", NULL);
    put(s, store, "b.png", "u1f431 naïve 猫", "", "", NULL);
    static const char *const hostile[] = {
        "\"", "\"\"", "cat\" OR \"x", "*",        "NEAR(", "AND",  "title:",     "{", ")", "-", "^",
        "",   " ",    "' OR 1=1 --",  "\xff\xfe", "+",     "%s%n", "title : cat"};
    for (size_t i = 0; i < COUNT(hostile); i++) {
        struct search_hit *hits;
        size_t n;
        int64_t total;
        assert_ok(s, search_store_lexical(store, ENGLISH(&hostile[i], 1, hostile[i]), NULL, 10, 0, true, &s->arena,
                                          &hits, &n, &total, &s->err));
        assert_ok(s, search_store_lexical(store, ENGLISH(hostile, i, NULL), NULL, 10, 0, true, &s->arena, &hits, &n,
                                          &total, &s->err));
        assert_ok(s, search_store_lexical(store, ENGLISH(NULL, 0, hostile[i]), NULL, 10, 0, true, &s->arena, &hits, &n,
                                          &total, &s->err));
    }
    HITS(store, NULL, 1, "a.png", "\"", "cat", "*");
    HITS(store, NULL, 1, "b.png", "naïve");
    HITS(store, NULL, 1, "b.png", "猫");
    HITS(store, "u1f4", 1, "b.png", "u1f4");
    expect_hits(s, store, NULL, 0, NULL, 10, 0, 0, "");
    expect_hits(s, store, NULL, 0, "", 10, 0, 0, "");

    const char *many[1000];
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = i == 0 ? "cat" : "dog";
    expect_hits(s, store, many, COUNT(many), "ca", 10, 0, 1, "a.png");
    struct search_hit *hits;
    size_t n;
    int64_t total;
    char *huge = calloc(1, 200001);
    memset(huge, 'x', 200000);
    const char *term = huge;
    assert_int_equal(
        search_store_lexical(store, ENGLISH(&term, 1, NULL), NULL, 10, 0, true, &s->arena, &hits, &n, &total, &s->err),
        ERR_TOO_LARGE);
    free(huge);
    search_store_close(store);
}

static void the_preferred_language_comes_first(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    static const char *const names[] = {"english", "french", "dutch"};
    static const struct language_terms lists[] = {{LANGUAGE_fr, "chat", "chat"}, {LANGUAGE_nl, "chat", "chat"}};
    const struct sticker_terms terms[] = {{"chat", "chat", "x", "chat", NULL, 0},
                                          {"cat", "cat", "x", "cat", &lists[0], 1},
                                          {"hole", "hole", "x", "hole", &lists[1], 1}};
    const char *stem = "chat";
    struct word_form form = {.stem = "chat"};
    struct term_query q = {.stems = &stem, .n_stems = 1, .forms = &form, .n_forms = 1, .language = LANGUAGE_en};
    struct search_hit *hits;
    size_t n;
    int64_t id, total;
    bool changed;
    language_set_add(&form.in, LANGUAGE_fr);
    for (int again = 0; again < 2; again++)
        for (size_t i = 0; i < COUNT(names); i++) {
            struct document doc = {.filename = names[i], .title = "", .words_json = "", .image_sha256 = ""};
            assert_ok(s, search_store_put(store, &doc, &terms[i], &id, &changed, NULL, &s->err));
            assert_int_equal(changed, !again);
        }
    assert_ok(s, search_store_lexical(store, &q, NULL, 10, 0, true, &s->arena, &hits, &n, &total, &s->err));
    assert_int_equal(total, 2); /* not the Dutch one: the form is French */
    assert_string_equal(hits[0].filename, "english");
    q.language = LANGUAGE_fr;
    assert_ok(s, search_store_lexical(store, &q, NULL, 10, 0, true, &s->arena, &hits, &n, &total, &s->err));
    assert_string_equal(hits[0].filename, "french");
    assert_int_equal(n, 2);
    assert_ok(s, search_store_delete(store, "french", &id, &s->err));
    assert_ok(s, search_store_lexical(store, &q, NULL, 10, 0, true, &s->arena, &hits, &n, &total, &s->err));
    assert_int_equal(total, 1);
    search_store_close(store);
}

/* The same documents and questions, here and in the sticker store, whose index is in the database: the same order and
 * scores. */
static const char *any_word(unsigned *seed, struct arena *a)
{
    *seed = *seed * 1103515245u + 12345u;
    unsigned n = *seed >> 16;
    return arena_printf(a, "%c%u%s", 'a' + (char)(n % 3 * n % 5), n % 7 * (n / 7 % 11), n % 4 ? "" : "xy");
}

static const char *any_words(unsigned *seed, unsigned n, struct arena *a)
{
    const char *s = "";
    for (unsigned i = 0; i < n; i++)
        s = arena_printf(a, "%s%s%s", s, i ? " " : "", any_word(seed, a));
    return s;
}

static enum status take_label(void *ctx, int64_t id, const char *pack, enum rating rating, bool animated,
                              struct error *err)
{
    return labels_put(ctx, id, pack, rating, animated, err);
}

static void the_index_ranks_as_databases_do(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct sticker_store *stickers;
    struct labels *labels;
    char url[600];
    snprintf(url, sizeof url, "%s_stickers", s->url);
    assert_ok(s, sticker_store_open(url, 4, &stickers, &s->err));
    unsigned seed = 7;
    int64_t id, total[2];
    bool changed;
    for (int i = 0; i < 400; i++) { /* some of them twice */
        char name[32];
        snprintf(name, sizeof name, "s%03d.png", i * 7 % 300);
        struct language_terms lists[3];
        for (unsigned k = 0; k < 3; k++)
            lists[k] = (struct language_terms){1 + k * 40 + seed / 65536 % 9, any_words(&seed, k, &s->arena),
                                               any_words(&seed, 1 + seed / 65536 % 4, &s->arena)};
        const char *title = any_words(&seed, 1 + seed / 65536 % 3, &s->arena);
        struct sticker_terms terms = {.title = title,
                                      .words = any_words(&seed, seed / 65536 % 6, &s->arena),
                                      .filename = any_word(&seed, &s->arena),
                                      .folded = arena_printf(&s->arena, "%s Z%d", title, i % 50),
                                      .languages = lists,
                                      .n_languages = seed / 65536 % 4};
        struct document doc = {.filename = name,
                               .title = title,
                               .words_json = "",
                               .image_sha256 = "",
                               .pack = i % 3 ? "Pets" : "pets",
                               .rating = (enum rating)(i % 4),
                               .animated = i % 5 < 2};
        struct sticker sticker = blank_sticker(name);
        sticker.title = title;
        sticker.pack = doc.pack;
        sticker.rating = doc.rating;
        sticker.animated = doc.animated;
        assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, NULL, &s->err));
        if (i >= 300)
            assert_ok(s, sticker_store_delete(stickers, name, &s->err));
        assert_ok(s, sticker_store_add(stickers, &sticker, &terms, 1, &s->err));
        if (i % 50 == 0)
            assert_ok(s, search_store_tidy(store, &s->err));
    }
    assert_ok(s, labels_open(&labels, &s->err));
    assert_ok(s, search_store_labels(store, take_label, labels, &s->err));
    size_t found = 0;
    for (int i = 0; i < 600; i++) { /* the second half of them filtered */
        const char *stems[4];
        struct word_form forms[8];
        struct term_query q = {.stems = stems, .n_stems = (size_t)i % 4, .forms = forms, .prefix_in_all = i % 2};
        for (size_t k = 0; k < q.n_stems; k++) {
            stems[k] = any_word(&seed, &s->arena);
            for (unsigned f = 0; f < seed / 65536 % 3; f++) {
                struct word_form *form = &forms[q.n_forms++];
                *form = (struct word_form){.word = (unsigned)k, .stem = f ? any_word(&seed, &s->arena) : stems[k]};
                for (unsigned l = 1; l < LANGUAGE_COUNT; l++)
                    if (f || l % 2)
                        language_set_add(&form->in, l);
            }
        }
        q.language = i % 5 ? LANGUAGE_en : 41 + (unsigned)i % 9;
        q.prefix = i % 3 == 0 ? NULL : i % 3 == 1 ? "z1" : arena_strndup(&s->arena, any_word(&seed, &s->arena), 2);
        struct search_hit *hits;
        struct store_hit *expected;
        struct label_test passing;
        size_t n[2];
        struct sticker_filter filter = {i % 7 == 0 ? "Pets" : NULL, (enum rating)(i % 4), ANIMATED_ANY};
        filter.animated = i % 3 == 0 ? ANIMATED_ANY : i % 3 == 1 ? ANIMATED_YES : ANIMATED_NO;
        labels_test_begin(labels, &filter, &passing);
        assert_ok(s, search_store_lexical(store, &q, i < 300 ? NULL : &passing, 20, (size_t)i % 7, true, &s->arena,
                                          &hits, &n[0], &total[0], &s->err));
        labels_test_end(&passing);
        assert_ok(s, sticker_store_search(stickers, &q, i < 300 ? NULL : &filter, 20, (size_t)i % 7, &s->arena,
                                          &expected, &n[1], &total[1], &s->err));
        assert_int_equal(total[0], total[1]);
        assert_int_equal(n[0], n[1]);
        found += n[0];
        for (size_t k = 0; k < n[0]; k++) {
            assert_string_equal(hits[k].filename, expected[k].filename);
            assert_true(hits[k].score == expected[k].score);
        }
    }
    assert_true(found > 1000);
    labels_close(labels);
    sticker_store_close(stickers);
    search_store_close(store);
}

/* Of thirty. */
static const char *few_words(unsigned *seed, unsigned n, struct arena *a)
{
    const char *s = "";
    for (unsigned i = 0; i < n; i++) {
        *seed = *seed * 1103515245u + 12345u;
        s = arena_printf(a, "%s%sw%u", s, i ? " " : "", (*seed >> 16) % 30);
    }
    return s;
}

/* Documents whose words in other languages changed several times are found as if they had been put once. */
static void changed_words_are_found_as_if_new(void **state)
{
    struct suite *s = *state;
    char path[300], name[32];
    struct search_store *stores[2] = {suite_search(s), NULL};
    unsigned seed = 11;
    int64_t id, total[2];
    bool changed;
    size_t found = 0;
    snprintf(path, sizeof path, "%s/fresh.db", s->folder);
    assert_ok(s, search_store_open(path, 4, &stores[1], &s->err));
    assert_ok(s, search_store_index_open(stores[1], NULL, &s->err));
    for (int i = 0; i < 40; i++)
        for (int round = 0; round < 6; round++) {
            struct language_terms lists[6];
            size_t n_lists = (size_t)(i + round) % 7;
            for (unsigned k = 0; k < n_lists; k++)
                lists[k] = (struct language_terms){1 + k * 9, few_words(&seed, k % 3, &s->arena),
                                                   few_words(&seed, 1 + seed / 65536 % 4, &s->arena)};
            if (n_lists && seed / 65536 % 5 == 0) /* what the index takes for two terms, or another one */
                lists[0].words = arena_printf(&s->arena, "%s-A1 %s", few_words(&seed, 1, &s->arena), lists[0].words);
            struct sticker_terms terms = {"title", "title", "name", "title", lists, n_lists};
            struct document doc = {.filename = name, .title = "title", .words_json = "", .image_sha256 = ""};
            snprintf(name, sizeof name, "s%02d.png", i);
            for (int k = 0; k < (round == 5 ? 2 : 1); k++)
                assert_ok(s, search_store_put(stores[k], &doc, &terms, &id, &changed, NULL, &s->err));
        }
    for (int i = 0; i < 400; i++) {
        struct word_form form = {.word = 0, .stem = i % 50 ? few_words(&seed, 1, &s->arena) : "a1"};
        const char *none = NULL;
        struct term_query q = {
            .stems = &none, .n_stems = 1, .forms = &form, .n_forms = 1, .language = 1 + (unsigned)i % 4 * 9};
        struct search_hit *hits[2];
        size_t n[2];
        for (unsigned l = 1; l < LANGUAGE_COUNT; l += 9)
            language_set_add(&form.in, l);
        for (int k = 0; k < 2; k++)
            assert_ok(s, search_store_lexical(stores[k], &q, NULL, 50, 0, true, &s->arena, &hits[k], &n[k], &total[k],
                                              &s->err));
        assert_int_equal(n[0], n[1]);
        found += n[0];
        for (size_t k = 0; k < n[0]; k++) {
            assert_string_equal(hits[0][k].filename, hits[1][k].filename);
            assert_true(hits[0][k].score - hits[1][k].score < 1e-9 && hits[1][k].score - hits[0][k].score < 1e-9);
        }
    }
    assert_true(found > 300);
    search_store_close(stores[0]);
    search_store_close(stores[1]);
}

static int64_t generation(struct suite *s, struct search_store *store, const char *model)
{
    int64_t g;
    assert_ok(s, search_store_vectors_generation(store, model, &g, &s->err));
    return g;
}

static int64_t vectors(struct suite *s, struct search_store *store, const char *model)
{
    int64_t count;
    assert_ok(s, search_store_vectors_count(store, model, &count, &s->err));
    return count;
}

static void expect_unindexed(struct suite *s, struct search_store *store, const char *model, const char *expect)
{
    struct document *docs;
    size_t n;
    char got[256] = "";
    assert_ok(s, search_store_unindexed(store, model, 0, 100, &s->arena, &docs, &n, &s->err));
    for (size_t i = 0; i < n; i++) {
        assert_true(i == 0 || docs[i].id > docs[i - 1].id);
        strcat(got, docs[i].filename);
        strcat(got, " ");
    }
    assert_string_equal(got, expect);
}

static void vectors_follow_their_documents(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    int64_t ids[] = {put(s, store, "a", "a", "", "11", NULL), put(s, store, "b", "b", "", "22", NULL),
                     put(s, store, "c", "c", "", "33", NULL), put(s, store, "none", "d", "", "", NULL), 12345};
    const char *images[] = {"11", "stale", "33", "", "55"};
    float v[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    assert_int_equal(generation(s, store, "m"), 0);
    expect_unindexed(s, store, "m", "a b c ");
    assert_ok(s, search_store_vectors_put(store, "m", 2, ids, images, v, 3, &s->err));
    assert_ok(s, search_store_vectors_put(store, "m", 2, ids + 4, images + 4, v, 1, &s->err)); /* deleted meanwhile */
    assert_int_equal(vectors(s, store, "m"), 2); /* b's image is another by now */
    assert_int_equal(vectors(s, store, "other"), 0);
    int64_t g = generation(s, store, "m");
    assert_true(g > 0);
    expect_unindexed(s, store, "m", "b ");
    expect_unindexed(s, store, "other", "a b c ");
    struct vectors_progress at;
    assert_ok(s, search_store_vectors_progress(store, "m", &at, &s->err));
    assert_true(at.indexed == 2 && at.pending == 1 && at.failed == 0);
    assert_ok(s, search_store_vector_failed(store, "other", ids[0], "no such image", &s->err));
    assert_ok(s, search_store_vectors_progress(store, "other", &at, &s->err));
    assert_true(at.indexed == 0 && at.pending == 2 && at.failed == 1);

    struct vector_row *rows;
    size_t n;
    assert_ok(s, search_store_vectors_page(store, "m", 2, 0, 1, &s->arena, &rows, &n, &s->err));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].document_id, ids[0]);
    assert_memory_equal(rows[0].vector, v, 2 * sizeof *v);
    assert_ok(s, search_store_vectors_page(store, "m", 2, ids[0], 10, &s->arena, &rows, &n, &s->err));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].document_id, ids[2]);
    assert_memory_equal(rows[0].vector, v + 4, 2 * sizeof *v);
    assert_ok(s, search_store_vectors_page(store, "none", 2, 0, 10, &s->arena, &rows, &n, &s->err));
    assert_int_equal(n, 0);

    /* a row of another size is named */
    assert_int_equal(search_store_vectors_page(store, "m", 3, 0, 10, &s->arena, &rows, &n, &s->err), ERR_CORRUPT);
    char named[32];
    snprintf(named, sizeof named, "document %lld", (long long)ids[0]);
    assert_non_null(strstr(s->err.message, named));
    assert_int_equal(search_store_vectors_put(store, "m", 0, ids, images, v, 1, &s->err), ERR_INVALID);
    assert_int_equal(search_store_vectors_put(store, "", 2, ids, images, v, 1, &s->err), ERR_INVALID);

    assert_ok(s, search_store_vector_failed(store, "m", ids[1], "not an image", &s->err));
    assert_ok(s, search_store_vector_failed(store, "m", 12345, "deleted meanwhile", &s->err));
    expect_unindexed(s, store, "m", "");
    assert_int_equal(generation(s, store, "m"), g);

    /* new words leave vectors alone, a new image drops them, and forgives the failure */
    put(s, store, "a", "new title", "", "11", NULL);
    assert_int_equal(vectors(s, store, "m"), 2);
    assert_int_equal(generation(s, store, "m"), g);
    put(s, store, "a", "new title", "", "12", NULL);
    put(s, store, "b", "b", "", "23", NULL);
    assert_int_equal(vectors(s, store, "m"), 1);
    assert_true(generation(s, store, "m") > g);
    expect_unindexed(s, store, "m", "a b ");
    g = generation(s, store, "m");
    int64_t id;
    assert_ok(s, search_store_delete(store, "c", &id, &s->err));
    assert_int_equal(vectors(s, store, "m"), 0);
    assert_true(generation(s, store, "m") > g);

    g = generation(s, store, "m");
    assert_ok(s, search_store_vector_failed(store, "m", ids[1], "again", &s->err));
    assert_ok(s, search_store_vectors_drop(store, "m", &s->err));
    assert_ok(s, search_store_vectors_drop(store, "never seen", &s->err));
    expect_unindexed(s, store, "m", "a b ");
    assert_true(generation(s, store, "m") > g);
    search_store_close(store);
}

/* Those of one model, as "cat:12 dog:-": the first byte of each and how many there are. */
static void expect_phrases(struct suite *s, struct search_store *store, const char *model, size_t bytes,
                           const char *const *texts, const char *expect)
{
    struct phrase_vector phrases[8];
    char got[300] = "";
    size_t n = 0;
    for (; texts[n]; n++)
        phrases[n] = (struct phrase_vector){.text = texts[n], .code = "stale", .bytes = bytes};
    assert_ok(s, search_store_phrases_get(store, model, phrases, n, &s->arena, &s->err));
    for (size_t i = 0; i < n; i++) {
        const char *code = phrases[i].code;
        assert_string_equal(phrases[i].text, texts[i]);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%s%.*s", i ? " " : "", code ? (int)bytes : 1,
                 code ? code : "-");
    }
    assert_string_equal(got, expect);
}

static int64_t phrases_of(const char *model, struct suite *s, struct search_store *store, const char *const *texts)
{
    struct phrase_vector phrases[8];
    int64_t n = 0;
    for (size_t i = 0; texts[i]; i++) {
        phrases[i] = (struct phrase_vector){.text = texts[i], .bytes = 4};
        assert_ok(s, search_store_phrases_get(store, model, &phrases[i], 1, &s->arena, &s->err));
        n += phrases[i].code != NULL;
    }
    return n;
}

/* One for each model and text, in letters as they are: who keeps phrases has them in small letters. */
static void vectors_of_phrases_are_kept(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    static const char *const texts[] = {"cat",     "Cat",  "caf\u00e9", "cafe\u0301", "\U0001f600 % _ ' \" \\ NUL",
                                        "no such", "cat ", NULL};
    struct phrase_vector put_now[] = {
        {"cat", "ab\0d", 4}, {"caf\u00e9", "efgh", 4}, {"\U0001f600 % _ ' \" \\ NUL", "\xff\xfe\n\0", 4}};
    assert_int_equal(phrases_of("m", s, store, texts), 0); /* nobody knows the model */
    assert_ok(s, search_store_phrases_put(store, "m", put_now, 3, &s->err));
    assert_int_equal(phrases_of("m", s, store, texts), 3);
    assert_int_equal(phrases_of("other", s, store, texts), 0);
    struct phrase_vector cat = {"cat", NULL, 4};
    assert_ok(s, search_store_phrases_get(store, "m", &cat, 1, &s->arena, &s->err));
    assert_memory_equal(cat.code, "ab\0d", 4);
    assert_ok(s, search_store_phrases_put(store, "m", put_now, 0, &s->err));
    assert_ok(s, search_store_phrases_get(store, "m", NULL, 0, &s->arena, &s->err));

    /* Again, and two of a kind in one go. */
    struct phrase_vector again[] = {{"cat", "1234", 4}, {"dog", "5678", 4}, {"dog", "5678", 4}};
    assert_ok(s, search_store_phrases_put(store, "m", again, 3, &s->err));
    expect_phrases(s, store, "m", 4, (const char *const[]){"dog", "cat", "bird", NULL}, "5678 1234 -");

    /* Those of another size, of a model whose folder has changed, are none, and are replaced. */
    expect_phrases(s, store, "m", 5, (const char *const[]){"dog", "cat", NULL}, "- -");
    assert_ok(s, search_store_phrases_put(store, "m", &(struct phrase_vector){"dog", "56789", 5}, 1, &s->err));
    expect_phrases(s, store, "m", 5, (const char *const[]){"dog", "cat", NULL}, "56789 -");

    /* They are a model's own, need no document, and go with its vectors. */
    assert_ok(s, search_store_phrases_put(store, "other", again, 2, &s->err));
    int64_t g = generation(s, store, "m");
    put(s, store, "cat.png", "cat", "", "", NULL);
    int64_t id;
    assert_ok(s, search_store_delete(store, "cat.png", &id, &s->err));
    assert_int_equal(generation(s, store, "m"), g);
    expect_phrases(s, store, "m", 4, (const char *const[]){"cat", NULL}, "1234");
    search_store_close(store);
    store = suite_search(s);
    expect_phrases(s, store, "m", 4, (const char *const[]){"cat", NULL}, "1234");
    assert_ok(s, search_store_vectors_drop(store, "m", &s->err));
    expect_phrases(s, store, "m", 4, (const char *const[]){"cat", "dog", NULL}, "- -");
    expect_phrases(s, store, "other", 4, (const char *const[]){"cat", "dog", NULL}, "1234 5678");
    search_store_close(store);
}

/* "a b -": documents that changed, by name, in order; "-" for one that is gone. */
static int64_t expect_changes(struct suite *s, struct search_store *store, int64_t since, const char *expect)
{
    struct search_change *changes;
    size_t n;
    int64_t newest, last = since;
    char got[256] = "";
    for (bool more = true; more;) { /* pages of two */
        assert_ok(s, search_store_changes(store, last, 2, &s->arena, &changes, &n, &s->err));
        for (size_t i = 0; i < n; i++) {
            assert_true(changes[i].generation > last && changes[i].doc.id > 0);
            last = changes[i].generation;
            strcat(got, changes[i].doc.filename ? changes[i].doc.filename : "-");
            strcat(got, " ");
        }
        more = n == 2;
    }
    assert_string_equal(got, expect);
    assert_ok(s, search_store_generation(store, &newest, &s->err));
    assert_int_equal(last, newest);
    return newest;
}

/* What a model for words made of them stays while the image changes, and the other way round. */
static void a_vector_is_stale_when_its_own_source_changes(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    static const float v[2] = {1, 0};
    struct sticker_terms terms = {.title = "cat", .words = "", .filename = "a", .folded = "cat"};
    struct document doc = {.filename = "a", .title = "cat", .words_json = "[]", .image_sha256 = "11"}, got;
    struct vectors_progress p;
    int64_t id = put(s, store, "a", "cat", "[]", "11", NULL), n, bare = put(s, store, "b", "", "[]", "22", NULL);
    bool changed, stale;
    assert_ok(s, search_store_model_source(store, "words", SEARCH_WORDS, &s->err));
    assert_ok(s, search_store_model_source(store, "images", SEARCH_IMAGE, &s->err));
    expect_unindexed(s, store, "words", "a "); /* the other has no words */
    expect_unindexed(s, store, "images", "a b ");
    assert_ok(s, search_store_get(store, "a", &s->arena, &got, &s->err));
    assert_int_equal(strlen(got.words_sha256), 64);
    assert_ok(s, search_store_vectors_put(store, "words", 2, &id, &got.words_sha256, v, 1, &s->err));
    assert_ok(s, search_store_vectors_put(store, "images", 2, &id, &got.image_sha256, v, 1, &s->err));
    struct sticker_filter pets = {.pack = "pets", .rating_most = RATING_R};
    assert_ok(s, search_store_vectors_passing(store, "words", &pets, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, search_store_vectors_passing(store, "words", &STICKER_FILTER_NONE, &n, &s->err));
    assert_int_equal(n, 1);
    assert_ok(s, search_store_vectors_progress(store, "words", &p, &s->err));
    assert_int_equal(p.indexed, 1);
    assert_int_equal(p.pending, 0);

    doc.title = "lion"; /* other words */
    assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, &stale, &s->err));
    assert_true(changed && stale);
    assert_ok(s, search_store_vectors_count(store, "words", &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, search_store_vectors_count(store, "images", &n, &s->err));
    assert_int_equal(n, 1);
    expect_unindexed(s, store, "words", "a ");
    /* one that was made of the words as they were comes too late */
    assert_ok(s, search_store_vectors_put(store, "words", 2, &id, &got.words_sha256, v, 1, &s->err));
    expect_unindexed(s, store, "words", "a ");
    assert_ok(s, search_store_get(store, "a", &s->arena, &got, &s->err));
    assert_ok(s, search_store_vectors_put(store, "words", 2, &id, &got.words_sha256, v, 1, &s->err));

    doc.image_sha256 = "33"; /* another image */
    assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, &stale, &s->err));
    assert_true(changed && stale);
    assert_ok(s, search_store_vectors_count(store, "words", &n, &s->err));
    assert_int_equal(n, 1);
    expect_unindexed(s, store, "images", "a b ");
    assert_ok(s, search_store_vector_failed(store, "words", bare, "no words", &s->err));
    assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, &stale, &s->err));
    assert_false(changed || stale);
    search_store_close(store);
}

static void changes_are_listed_in_their_order(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    int64_t at = expect_changes(s, store, 0, ""), id;
    int64_t ids[] = {put(s, store, "a", "a", "", "11", NULL), put(s, store, "b", "b", "", "22", NULL),
                     put(s, store, "c", "c", "", "33", NULL), 12345};
    const char *images[] = {"11", "22", "33", "44"};
    float v[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const float *got[3];
    int64_t three = expect_changes(s, store, at, "a b c ");
    put(s, store, "c", "c", "", "33", NULL); /* nothing new */
    expect_changes(s, store, three, "");
    put(s, store, "a", "another", "", "11", NULL);
    at = expect_changes(s, store, three, "a ");
    assert_ok(s, search_store_vectors_put(store, "m", 2, ids, images, v, 3, &s->err));
    assert_ok(s, search_store_vectors_get(store, "m", 2, ids + 1, 3, &s->arena, got, &s->err));
    assert_true(got[0] && got[1] && !got[2]);
    assert_memory_equal(got[1], v + 4, 2 * sizeof *v);
    at = expect_changes(s, store, at, "a b c ");
    assert_ok(s, search_store_delete(store, "b", &id, &s->err));
    assert_ok(s, search_store_document_forget(store, "a", &id, &s->err));
    at = expect_changes(s, store, at, "- a ");
    assert_ok(s, search_store_vectors_drop(store, "m", &s->err));
    expect_changes(s, store, at, "c ");
    expect_changes(s, store, 0, "- a c ");
    search_store_close(store);
}

static int64_t expect_page(struct suite *s, struct search_store *store, struct document_ask ask, const char *expect)
{
    static const char states[] = "?ipf-";
    struct document_page page;
    char got[256] = "";
    ask.search = ask.search ? ask.search : "";
    ask.limit = ask.limit ? ask.limit : 10;
    assert_ok(s, search_store_document_page(store, &ask, &s->arena, &page, &s->err));
    for (size_t i = 0; i < page.n; i++) {
        size_t len = strlen(got);
        const struct document_row *row = &page.rows[i];
        snprintf(got + len, sizeof got - len, "%s:%c ", row->doc.filename, states[row->state]);
        assert_int_equal(row->dim, row->state == DOCUMENT_INDEXED ? 2 : 0);
        assert_string_equal(row->why, row->state == DOCUMENT_FAILED ? "not an image" : "");
    }
    assert_string_equal(got, expect);
    return page.next;
}
#define PAGE(expect, ...) expect_page(s, store, (struct document_ask){.model = "m", __VA_ARGS__}, expect)

static void pages_of_documents_say_what_a_model_has_made(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    int64_t ids[] = {put(s, store, "a cat", "a", "", "11", NULL), put(s, store, "b%Cat", "b", "", "22", NULL),
                     put(s, store, "c dog", "c", "", "33", NULL), put(s, store, "d", "d", "", "", NULL),
                     put(s, store, "e cat", "e", "", "55", NULL)};
    const char *images[] = {"11", "22", "33", "", "55"};
    float v[] = {1, 2, 3, 4};
    assert_ok(s, search_store_vectors_put(store, "m", 2, ids, images, v, 2, &s->err));
    assert_ok(s, search_store_vectors_put(store, "other", 2, ids + 4, images + 4, v, 1, &s->err));
    assert_ok(s, search_store_vector_failed(store, "m", ids[2], "not an image", &s->err));

    assert_int_equal(PAGE("a cat:i b%Cat:i c dog:f d:- e cat:p ", .state = DOCUMENT_ANY), 0);
    assert_int_equal(PAGE("e cat:p d:- c dog:f b%Cat:i a cat:i ", .descending = true), 0);
    assert_int_equal(PAGE("a cat:i b%Cat:i ", .limit = 2), ids[1]);
    assert_int_equal(PAGE("c dog:f d:- ", .limit = 2, .after = ids[1]), ids[3]);
    assert_int_equal(PAGE("e cat:p ", .limit = 2, .after = ids[3]), 0);
    assert_int_equal(PAGE("b%Cat:i a cat:i ", .after = ids[2], .descending = true, .limit = 2), 0);
    assert_int_equal(PAGE("", .after = ids[4]), 0);
    PAGE("a cat:i b%Cat:i ", .state = DOCUMENT_INDEXED);
    assert_int_equal(PAGE("b%Cat:i ", .state = DOCUMENT_INDEXED, .descending = true, .limit = 1), ids[1]);
    PAGE("e cat:p ", .state = DOCUMENT_PENDING);
    PAGE("c dog:f ", .state = DOCUMENT_FAILED);
    PAGE("a cat:i b%Cat:i e cat:p ", .search = "CAT");
    PAGE("b%Cat:i ", .search = "%");
    PAGE("", .search = "' OR 1 --");
    PAGE("b%Cat:i ", .state = DOCUMENT_INDEXED, .search = "b");
    PAGE("e cat:p ", .state = DOCUMENT_PENDING, .search = "cat");
    PAGE("", .state = DOCUMENT_FAILED, .search = "cat");
    PAGE("c dog:f ", .filename = "c dog");
    PAGE("c dog:f ", .filename = "c dog", .state = DOCUMENT_FAILED);
    PAGE("", .filename = "c dog", .state = DOCUMENT_INDEXED);
    PAGE("", .filename = "c dog", .state = DOCUMENT_PENDING);
    PAGE("", .filename = "none");
    expect_page(s, store, (struct document_ask){.model = ""}, "a cat:p b%Cat:p c dog:p d:- e cat:p ");

    /* forgotten by all models: offered as unindexed, and the generations grow */
    int64_t g = generation(s, store, "m"), other = generation(s, store, "other"), id;
    assert_ok(s, search_store_document_forget(store, "a cat", &id, &s->err));
    assert_int_equal(id, ids[0]);
    assert_ok(s, search_store_document_forget(store, "c dog", &id, &s->err));
    assert_ok(s, search_store_document_forget(store, "e cat", &id, &s->err));
    assert_int_equal(search_store_document_forget(store, "none", &id, &s->err), ERR_NOT_FOUND);
    PAGE("a cat:p b%Cat:i c dog:p d:- e cat:p ", .state = DOCUMENT_ANY);
    expect_unindexed(s, store, "m", "a cat c dog e cat ");
    assert_true(generation(s, store, "m") > g && generation(s, store, "other") > other);
    search_store_close(store);
}

static void settings_are_kept(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    const char *value;
    assert_ok(s, search_store_setting_get(store, "model", &s->arena, &value, &s->err));
    assert_string_equal(value, "");
    assert_ok(s, search_store_setting_set(store, "model", "clip", &s->err));
    assert_ok(s, search_store_setting_set(store, "model", "siglip", &s->err));
    search_store_close(store);
    store = suite_search(s);
    assert_ok(s, search_store_setting_get(store, "model", &s->arena, &value, &s->err));
    assert_string_equal(value, "siglip");
    assert_ok(s, search_store_ping(store, &s->err));
    search_store_close(store);
}

/* What searches filter by is part of a document, like its words. */
static void documents_have_pack_rating_and_animated(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct sticker_terms terms = {"", "", "", "", NULL, 0};
    struct document doc = {.filename = "a.gif", .title = "", .words_json = "[]", .image_sha256 = "11"}, got, *all;
    struct document_page page;
    struct document_ask ask = {.model = "", .search = "", .limit = 1};
    int64_t id;
    size_t n;
    bool changed;
    assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, NULL, &s->err));
    assert_ok(s, search_store_get(store, "a.gif", &s->arena, &got, &s->err));
    assert_true(*got.pack == '\0' && got.rating == RATING_G && !got.animated);
    for (int i = 0; i < 3; i++) {
        doc.pack = i >= 0 ? "Pets" : "";
        doc.rating = i >= 1 ? RATING_PG_13 : RATING_G;
        doc.animated = i >= 2;
        for (int again = 0; again < 2; again++) {
            assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, NULL, &s->err));
            assert_int_equal(changed, !again);
        }
        assert_ok(s, search_store_get(store, "a.gif", &s->arena, &got, &s->err));
        assert_true(strcmp(got.pack, "Pets") == 0 && got.rating == doc.rating && got.animated == doc.animated);
    }
    assert_string_equal(got.words_json, "[]");
    assert_string_equal(got.image_sha256, "11");
    assert_ok(s, search_store_unindexed(store, "m", 0, 10, &s->arena, &all, &n, &s->err));
    assert_true(n == 1 && strcmp(all[0].pack, "Pets") == 0);
    assert_ok(s, search_store_document_page(store, &ask, &s->arena, &page, &s->err));
    assert_true(page.n == 1 && page.rows[0].doc.animated && page.rows[0].state == DOCUMENT_PENDING);
    assert_string_equal(page.rows[0].doc.words_json, "");
    search_store_close(store);
}

/* What passes a filter is what a search with it finds and counts, and what labels say. */
static void a_filter_leaves_the_others_out(void **state)
{
    enum { N = 48 };
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    static const char *const packs[] = {"", "Pets", "pets", "O'Brien"}, *const asked[] = {NULL, "", "Pets", "O'Brien",
                                                                                          "'"};
    const char *stem = "cat";
    struct document docs[N];
    int64_t ids[N];
    for (int i = 0; i < N; i++) {
        bool changed;
        struct language_terms spanish = {language_number("es"), "", i % 2 ? "gat" : "cat"};
        struct sticker_terms terms = {i % 2 ? "" : "cat", "", "", i % 2 ? "" : "cat", &spanish, 1};
        docs[i] = (struct document){.filename = arena_printf(&s->arena, "%02d.png", i),
                                    .title = "",
                                    .words_json = "",
                                    .image_sha256 = "",
                                    .pack = packs[i / 8 % 4],
                                    .rating = (enum rating)(i % 4),
                                    .animated = i % 8 > 3};
        assert_ok(s, search_store_put(store, &docs[i], &terms, &ids[i], &changed, NULL, &s->err));
    }
    struct labels *labels;
    assert_ok(s, labels_open(&labels, &s->err));
    assert_ok(s, search_store_labels(store, take_label, labels, &s->err));
    struct word_form form = {.word = 0, .stem = "gat"};
    language_set_add(&form.in, language_number("es"));
    struct term_query q = {.stems = &stem, .n_stems = 1, .forms = &form, .n_forms = 1, .language = LANGUAGE_en};
    for (size_t p = 0; p < COUNT(asked); p++)
        for (int r = 0; r < 4; r++)
            for (int m = 0; m < 3; m++) {
                struct sticker_filter f = {.pack = asked[p], .rating_most = (enum rating)r};
                f.animated = m == 0 ? ANIMATED_ANY : m == 1 ? ANIMATED_YES : ANIMATED_NO;
                struct search_hit *hits, *more;
                size_t n, n_more, passing = 0;
                int64_t total;
                struct label_test passes;
                labels_test_begin(labels, &f, &passes);
                for (int i = 0; i < N; i++) {
                    assert_int_equal(label_passes(&passes, ids[i]),
                                     sticker_filter_passes(&f, docs[i].pack, docs[i].rating, docs[i].animated));
                    passing += label_passes(&passes, ids[i]);
                }
                assert_ok(s,
                          search_store_lexical(store, &q, &passes, 5, 0, true, &s->arena, &hits, &n, &total, &s->err));
                assert_int_equal(total, passing);
                assert_int_equal(n, passing < 5 ? passing : 5);
                assert_ok(s, search_store_lexical(store, &q, &passes, N, n, true, &s->arena, &more, &n_more, &total,
                                                  &s->err));
                assert_int_equal(n + n_more, passing);
                for (size_t i = 0; i < passing; i++) {
                    const struct search_hit *hit = i < n ? &hits[i] : &more[i - n];
                    assert_true(label_passes(&passes, hit->id));
                }
                labels_test_end(&passes);
            }
    labels_close(labels);
    search_store_close(store);
}

/* The filenames that a query finds, best first. */
static const char *found_by(struct suite *s, struct search_store *store, const struct term_query *q)
{
    struct search_hit *hits;
    size_t n;
    int64_t total;
    const char *all = "";
    assert_ok(s, search_store_lexical(store, q, NULL, 100, 0, true, &s->arena, &hits, &n, &total, &s->err));
    assert_int_equal(total, n);
    for (size_t i = 0; i < n; i++)
        all = arena_printf(&s->arena, "%s%s%s", all, i ? " " : "", hits[i].filename);
    return all;
}

static void tidying_changes_no_answer(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct term_query q = {.stems = (const char *const[]){"cat"}, .n_stems = 1, .language = LANGUAGE_en};
    assert_ok(s, search_store_tidy(store, &s->err));
    for (int i = 0; i < 64; i++) {
        char name[32], title[32];
        snprintf(name, sizeof name, "sticker-%d", i);
        snprintf(title, sizeof title, "%s n%d", i % 3 ? "cat" : "dog", i);
        put(s, store, name, title, "else", "", NULL);
    }
    for (int i = 0; i < 64; i += 4) {
        char name[32];
        int64_t id;
        snprintf(name, sizeof name, "sticker-%d", i);
        assert_ok(s, search_store_delete(store, name, &id, &s->err));
    }
    const char *before = found_by(s, store, &q);
    assert_true(strlen(before) > 300);
    assert_ok(s, search_store_tidy(store, &s->err));
    assert_string_equal(found_by(s, store, &q), before);
    put(s, store, "one-more", "cat", "else", "", NULL);
    assert_non_null(strstr(found_by(s, store, &q), "one-more"));
    search_store_close(store);
}

/* A store's index is read from its file and from what changed since; a file is not believed when the database went
 * back.
 */
static void the_index_is_read_again(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s), *other;
    struct term_query q = {.stems = (const char *const[]){"cat"}, .n_stems = 1, .language = LANGUAGE_en};
    char path[300], name[32];
    int64_t id, newest;
    bool more = true;
    snprintf(path, sizeof path, "%s/terms.snapshot", s->folder);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "sticker-%02d", i);
        put(s, store, name, i % 2 ? "cat" : "dog", "else", "", NULL);
    }
    assert_ok(s, search_store_generation(store, &newest, &s->err));
    assert_ok(s, search_store_index_read(store, newest, &more, &s->err));
    assert_ok(s, search_store_index_save(store, path, &s->err));
    assert_int_equal(access(path, F_OK), 0);
    put(s, store, "sticker-00", "cat", "else", "", NULL);
    assert_ok(s, search_store_delete(store, "sticker-01", &id, &s->err));
    put(s, store, "z", "cat", "else", "", NULL);
    const char *all = found_by(s, store, &q);
    assert_non_null(strstr(all, "sticker-00"));
    for (int i = 0; i < 2; i++) { /* with the file, and without */
        assert_ok(s, search_store_open(s->url, 4, &other, &s->err));
        assert_ok(s, search_store_index_open(other, i ? NULL : path, &s->err));
        assert_string_equal(found_by(s, other, &q), all);
        search_store_close(other);
    }
    /* What another process changes is read. */
    assert_ok(s, search_store_open(s->url, 4, &other, &s->err));
    assert_ok(s, search_store_index_open(other, path, &s->err));
    put(s, store, "a", "cat", "else", "", NULL);
    assert_ok(s, search_store_delete(store, "z", &id, &s->err));
    assert_ok(s, search_store_generation(other, &newest, &s->err));
    for (more = true; more;)
        assert_ok(s, search_store_index_read(other, newest, &more, &s->err));
    assert_string_equal(found_by(s, other, &q), found_by(s, store, &q));
    search_store_close(other);
    /* Another database, with as many changes, does not know the file. */
    snprintf(s->url + strlen(s->url), 8, "%s", strstr(s->url, "store.db") ? "2" : "_2");
    other = suite_search(s);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "other-%02d", i);
        put(s, other, name, "cat", "else", "", NULL);
    }
    all = found_by(s, other, &q);
    search_store_close(other);
    assert_ok(s, search_store_open(s->url, 4, &other, &s->err));
    assert_ok(s, search_store_index_open(other, path, &s->err));
    assert_string_equal(found_by(s, other, &q), all);
    search_store_close(other);
    search_store_close(store);
}

static void searches_end_at_their_deadline(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct term_query q = {.stems = (const char *const[]){"cat"}, .n_stems = 1, .language = LANGUAGE_en};
    struct search_hit *hits;
    size_t n;
    int64_t total;
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "sticker-%d", i);
        put(s, store, name, "cat", "else", "", NULL);
    }
    deadline_set(1, -1);
    enum status late = search_store_lexical(store, &q, NULL, 10, 0, false, &s->arena, &hits, &n, &total, &s->err);
    deadline_clear();
    assert_int_equal(late, ERR_TIMEOUT);
    assert_non_null(strstr(s->err.message, "took too long"));
    assert_ok(s, search_store_lexical(store, &q, NULL, 10, 0, false, &s->arena, &hits, &n, &total, &s->err));
    assert_int_equal(total, 300);
    search_store_close(store);
}

static void traits_of_terms_count(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    put(s, store, "heart", "heart u3cu33", "", "", NULL);
    put(s, store, "three", "3 number", "", "", NULL);
    put(s, store, "many", "want some beer", "", "", NULL);
    put(s, store, "poster", "want want want some some some", "", "", NULL);
    put(s, store, "pieces", "ab", "", "", NULL);
    put(s, store, "whole", "ab1", "", "", NULL);
    put(s, store, "most", "ab bc", "", "", NULL);
    for (int i = 0; i < 9; i++) {
        char name[32];
        snprintf(name, sizeof name, "other-%d", i);
        put(s, store, name, "beer something", "else", "", NULL);
    }
    /* The letters of a sign hardly count where it is found as a whole; and do where it is not. */
    struct term_query q = {.stems = (const char *const[]){"u3cu33", "number"}, .n_stems = 2, .language = LANGUAGE_en};
    q.traits = (struct term_trait[]){{.sign = 1, .drawn = true}, {.sign = 1}, {0}};
    assert_string_equal(found_by(s, store, &q), "heart three");
    q.stems = (const char *const[]){"u3cu34", "number"};
    assert_string_equal(found_by(s, store, &q), "three");
    /* Frequent words count little, however rare they are here. */
    q = (struct term_query){
        .stems = (const char *const[]){"want", "some", "beer"}, .n_stems = 3, .language = LANGUAGE_en};
    assert_true(strncmp(found_by(s, store, &q), "poster many other", 17) == 0);
    q.traits = (struct term_trait[]){{.most = 0.01}, {.most = 0.01}, {0}};
    assert_true(strncmp(found_by(s, store, &q), "many other", 10) == 0);
    /* Of a run without spaces most pieces must be there, or a part as a whole. */
    q = (struct term_query){
        .stems = (const char *const[]){"ab1", "ab", "bc", "cd"}, .n_stems = 4, .language = LANGUAGE_en};
    q.traits = (struct term_trait[]){{.run = 1, .whole = true}, {.run = 1}, {.run = 1}, {.run = 1}};
    assert_string_equal(found_by(s, store, &q), "most whole");
    /* Matches in other languages may be left out. */
    q = (struct term_query){.stems = (const char *const[]){"heart"}, .n_stems = 1, .language = LANGUAGE_de};
    assert_string_equal(found_by(s, store, &q), "heart");
    q.alone = true;
    assert_string_equal(found_by(s, store, &q), "");
    search_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(documents_come_and_go),
        T(documents_have_pack_rating_and_animated),
        T(ranks_titles_words_filenames_prefixes),
        T(the_preferred_language_comes_first),
        T(a_beginning_never_outranks_the_whole_word),
        T(more_of_the_terms_rank_higher),
        T(tidying_changes_no_answer),
        T(the_index_is_read_again),
        T(searches_end_at_their_deadline),
        T(traits_of_terms_count),
        T(pages_are_stable),
        T(hostile_terms_find_what_they_say),
        T(vectors_follow_their_documents),
        T(vectors_of_phrases_are_kept),
        T(a_vector_is_stale_when_its_own_source_changes),
        T(pages_of_documents_say_what_a_model_has_made),
        T(a_filter_leaves_the_others_out),
        T(the_index_ranks_as_databases_do),
        T(changed_words_are_found_as_if_new),
        T(changes_are_listed_in_their_order),
        T(settings_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
