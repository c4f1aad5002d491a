/* The words' index over a small library and a lexicon made for it: what is found, put right, added and taken away,
 * also by many threads at once. */
#include "cm.h"

#include "base/buf.h"
#include "base/labels.h"
#include "base/os.h"
#include "rank/meanings_internal.h"
#include "text/text.h"
#include "words/lexicon.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

struct setup {
    char folder[64];
    struct search_store *store;
    struct meanings *index;
    struct error err;
};

static const char *const library[][2] = {
    {"cat.png", "cat"}, {"dog.png", "dog on a chain"}, {"cake.png", "birthday cake"}, {"car.png", "fast car"}};

static int64_t put(struct setup *s, const char *filename, const char *title)
{
    struct arena a;
    struct sticker_terms terms;
    struct document doc;
    int64_t id;
    bool changed;
    arena_init(&a, 1 << 20);
    assert_int_equal(text_sticker_terms(title, filename, NULL, NULL, 0, &a, &terms, &s->err), OK);
    doc = (struct document){.filename = filename, .title = title, .words_json = "[]", .image_sha256 = ""};
    assert_int_equal(search_store_put(s->store, &doc, &terms, &id, &changed, NULL, &s->err), OK);
    doc.id = id;
    assert_int_equal(meanings_put(s->index, &doc, &s->err), OK);
    arena_free(&a);
    return id;
}

/* cat, kitten and dog lie near each other; cake alone; automobile is a synonym of car without being near. */
static void make_lexicon(const char *path)
{
    static const struct {
        const char *word;
        float angle;
        size_t axis;
    } words[] = {{"cat", 0, 0},      {"dog", 0.9f, 0},    {"car", 0, 2},        {"cake", 0, 4},
                 {"birthday", 0, 6}, {"kitten", 0.3f, 0}, {"fast", 0, 8},       {"automobile", 0, 10},
                 {"chain", 0, 12},   {"bolt", 0, 14},     {"anchor", 3.14f, 0}, {"brick", 3.14f, 2},
                 {"german", 0, 16},  {"germany", 0, 18},  {"south", 0, 20}};
    struct lexicon_builder *b;
    struct error err;
    assert_int_equal(lexicon_builder_open(&b, &err), OK);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        float v[LEXICON_DIM] = {0};
        v[words[i].axis] = cosf(words[i].angle);
        v[words[i].axis + 1] = sinf(words[i].angle);
        assert_int_equal(lexicon_builder_add(b, words[i].word, v, &err), OK);
    }
    assert_int_equal(lexicon_builder_add_phrase(b, "south korea", &err), OK);
    assert_int_equal(lexicon_builder_add_phrase(b, "south korean", &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "automobile", "car", 0.9f, &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "german", "germany", 1, &err), OK);
    assert_int_equal(lexicon_builder_relate(b, "south korean", "south korea", 1, &err), OK);
    assert_int_equal(lexicon_builder_write(b, path, &err), OK);
    lexicon_builder_close(b);
}

static int open_all(void **state)
{
    struct setup *s = calloc(1, sizeof *s);
    char path[96];
    assert_non_null(s);
    tmp_make(s->folder, sizeof s->folder);
    snprintf(path, sizeof path, "%s/search.db", s->folder);
    assert_int_equal(search_store_open(path, 4, &s->store, &s->err), OK);
    assert_int_equal(search_store_index_open(s->store, NULL, &s->err), OK);
    snprintf(path, sizeof path, "%s/en.words", s->folder);
    make_lexicon(path);
    assert_int_equal(meanings_open(path, s->store, NULL, 1, &s->index, &s->err), OK);
    for (size_t i = 0; i < sizeof library / sizeof *library; i++)
        (void)put(s, library[i][0], library[i][1]);
    *state = s;
    return 0;
}

static int close_all(void **state)
{
    struct setup *s = *state;
    meanings_close(s->index);
    search_store_close(s->store);
    tmp_remove(s->folder);
    free(s);
    return 0;
}

/* The filename of the best result, "" for none; and what was put right. */
static const char *best(struct setup *s, const char *query, double *score, char corrected[64])
{
    static _Thread_local char name[64];
    struct arena a;
    struct meaning_hit *hits;
    const char *right, *found = NULL;
    size_t n;
    arena_init(&a, 4 << 20);
    assert_int_equal(
        meanings_search(s->index, query, strlen(query), NULL, 100, true, NULL, &a, &hits, &n, &right, &s->err), OK);
    snprintf(corrected, 64, "%s", right ? right : "");
    if (n)
        assert_int_equal(search_store_filenames(s->store, &hits[0].id, 1, &a, &found, &s->err), OK);
    *score = n ? hits[0].score : 0;
    snprintf(name, sizeof name, "%s", found ? found : "");
    arena_free(&a);
    return name;
}

static void finds(void **state)
{
    struct setup *s = *state;
    static const char *const table[][3] = {
        {"cat", "cat.png", ""},
        {"cats", "cat.png", ""},
        {"kitten", "cat.png", ""},
        {"automobile", "car.png", ""},
        {"the cake", "cake.png", ""},
        {"birhtday", "cake.png", "birthday"},
        {"brithday cake", "cake.png", "birthday cake"},
        {"bolt", "", ""},
        {"zzzzzzz", "", ""},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double score;
        char corrected[64];
        assert_string_equal(best(s, table[i][0], &score, corrected), table[i][1]);
        assert_string_equal(corrected, table[i][2]);
        assert_true(score >= 0 && score <= 1);
    }
}

static void scores_are_calibrated(void **state)
{
    struct setup *s = *state;
    double exact, near, synonym;
    char corrected[64];
    (void)best(s, "cat", &exact, corrected);
    (void)best(s, "kitten", &near, corrected);
    (void)best(s, "automobile", &synonym, corrected);
    assert_true(exact > 0.99);
    assert_true(near < exact && near > 0.5);
    assert_true(synonym < exact && synonym > 0.5);
}

/* The words of a term, and words written together, mean more than each alone. */
static void terms_are_kept_together(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    (void)put(s, "weather.png", "dog is hot");
    (void)put(s, "sausage.png", "hot dog");
    assert_string_equal(best(s, "hot dog", &score, corrected), "sausage.png");
    assert_string_equal(best(s, "the hot dog", &score, corrected), "sausage.png");
    assert_string_equal(best(s, "hotdog", &score, corrected), "sausage.png");
    assert_string_equal(corrected, ""); /* it is known written together, too */
    struct arena a;
    struct meaning_hit *hits;
    const char *right;
    size_t n;
    arena_init(&a, 4 << 20);
    assert_int_equal(meanings_search(s->index, "hot dog", 7, NULL, 100, true, NULL, &a, &hits, &n, &right, &s->err),
                     OK);
    for (size_t i = 1; i < n; i++)
        assert_true(hits[i].score < 0.8 * hits[0].score);
    arena_free(&a);
}

/* What is no word, or not only letters, stays as it was typed. */
static void only_words_are_put_right(void **state)
{
    struct setup *s = *state;
    static const char *const table[][2] = {
        {"birhtday 3000", "birthday 3000"},
        {"cat 3000", ""},
        {"i <3 birhtday!! :D", "i <3 birthday!! :D"},
        {"(birhtday)", "(birthday)"},
        {"birhtday <b>caek</b>", "birthday <b>caek</b>"},
        {"http://birhtday.com", ""},
        {"birhtday@caek", ""},
        {"#birhtday", ""},
        {"birhtday_cake", ""},
        {"birhtday2", ""},
        {"0xbirhtday", ""},
        {"birhtday-cake", ""},
        {"C++ c4ke", ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        double score;
        char corrected[64];
        (void)best(s, table[i][0], &score, corrected);
        assert_string_equal(corrected, table[i][1]);
    }
}

/* Those of a country, and what is of it, name it; in one word or several. */
static void countries_are_found_by_their_people(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    struct arena a;
    const char *names;
    (void)put(s, "kr.png", "flag: South Korea");
    (void)put(s, "de.png", "flag: Germany");
    assert_string_equal(best(s, "german", &score, corrected), "de.png");
    assert_string_equal(best(s, "germans", &score, corrected), "de.png");
    assert_string_equal(best(s, "south korean", &score, corrected), "kr.png");
    assert_string_equal(best(s, "the south korean flag", &score, corrected), "kr.png");
    arena_init(&a, 1 << 20);
    assert_int_equal(meanings_names(s->index, "a German cat", 12, &a, &names, &s->err), OK);
    assert_string_equal(names, "germany");
    assert_int_equal(meanings_names(s->index, "South Korean", 12, &a, &names, &s->err), OK);
    assert_string_equal(names, "southkorea");
    assert_int_equal(meanings_names(s->index, "automobile", 10, &a, &names, &s->err), OK);
    assert_string_equal(names, ""); /* a synonym is no name */
    arena_free(&a);
}

static void what_is_written_together_is_found(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    (void)put(s, "net.png", "wifi");
    (void)put(s, "cone.png", "ice cream");
    assert_string_equal(best(s, "wi-fi", &score, corrected), "net.png");
    assert_string_equal(best(s, "icecream", &score, corrected), "cone.png");
    assert_string_equal(corrected, "");
}

/* The most frequent words of English weigh least, rare ones as their rarity says, unknown ones too. */
static void frequent_words_weigh_little(void **state)
{
    struct setup *s = *state;
    assert_true(meanings_most(s->index, "cat") > 0.5);
    assert_true(meanings_most(s->index, "cat") < meanings_most(s->index, "brick"));
    assert_true(meanings_most(s->index, "nosuchword") <= 0);
}

static void signs_are_left_to_others(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    (void)put(s, "three.png", "3 d");
    assert_string_equal(best(s, "<3", &score, corrected), "");
    assert_string_equal(best(s, ":D", &score, corrected), "");
    assert_string_equal(best(s, "cat :D", &score, corrected), "cat.png");
}

static void signs_have_names(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    (void)put(s, "sum.png", "plus");
    assert_string_equal(best(s, "+", &score, corrected), "sum.png");
    assert_string_equal(best(s, "{}", &score, corrected), "");
}

static void follows_changes(void **state)
{
    struct setup *s = *state;
    double score;
    char corrected[64];
    int64_t id = put(s, "brick.png", "brick");
    assert_string_equal(best(s, "brick", &score, corrected), "brick.png");
    assert_int_equal(put(s, "brick.png", "anchor"), id);
    assert_string_equal(best(s, "brick", &score, corrected), "");
    assert_string_equal(best(s, "anchor", &score, corrected), "brick.png");
    meanings_remove(s->index, id);
    assert_string_equal(best(s, "anchor", &score, corrected), "");
    meanings_remove(s->index, 999999); /* one that was never there */
    meanings_close(s->index);          /* and all over from the store */
    char path[96];
    snprintf(path, sizeof path, "%s/en.words", s->folder);
    assert_int_equal(meanings_open(path, s->store, NULL, 1, &s->index, &s->err), OK);
    assert_string_equal(best(s, "anchor", &score, corrected), "brick.png");
    assert_string_equal(best(s, "kitten", &score, corrected), "cat.png");
}

static bool is_among(const struct meaning_hit *one, const struct meaning_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (hits[i].id == one->id)
            return fabs(hits[i].score - one->score) < 1e-9;
    return false;
}

/* The few best are looked for without looking at all: they are the same ones, in order or not. */
static void the_few_best_are_the_first_of_all(void **state)
{
    struct setup *s = *state;
    static const char *const words[] = {"cat",  "dog",        "car",   "cake", "birthday", "kitten",
                                        "fast", "automobile", "chain", "bolt", "anchor",   "brick"};
    static const char *const queries[] = {"cat", "kitten cake", "fast car", "dog birthday bolt", "anchor"};
    for (unsigned i = 0; i < 300; i++) {
        char name[32], title[64];
        snprintf(name, sizeof name, "s%u.png", i);
        snprintf(title, sizeof title, "%s %s %s", words[i % 12], words[i / 3 % 12], words[i * i / 7 % 12]);
        (void)put(s, name, title);
    }
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
        for (size_t most = 1; most < 200; most = most * 3 / 2 + 1) {
            struct arena a;
            struct meaning_hit *all, *few;
            const char *right;
            size_t n_all, n_few, n, len = strlen(queries[q]);
            arena_init(&a, 4 << 20);
            assert_int_equal(
                meanings_search(s->index, queries[q], len, NULL, 1000, true, NULL, &a, &all, &n_all, &right, &s->err),
                OK);
            assert_int_equal(
                meanings_search(s->index, queries[q], len, NULL, most, true, NULL, &a, &few, &n_few, &right, &s->err),
                OK);
            assert_true(n_few > 0 && n_few <= most && n_few <= n_all);
            for (size_t i = 0; i < n_few; i++) {
                assert_int_equal(few[i].id, all[i].id);
                assert_true(fabs(few[i].score - all[i].score) < 1e-9);
            }
            assert_int_equal(
                meanings_search(s->index, queries[q], len, NULL, most, false, NULL, &a, &few, &n, &right, &s->err), OK);
            assert_int_equal(n, n_few);
            for (size_t i = 0; i < n; i++)
                assert_true(is_among(&few[i], all, n));
            arena_free(&a);
        }
}

/* Puts a document that is in no store. */
static void put_words(struct setup *s, int64_t id, const char *title)
{
    const struct document doc = {.id = id, .filename = "a.png", .title = title, .words_json = "[]", .image_sha256 = ""};
    assert_int_equal(meanings_put(s->index, &doc, &s->err), OK);
}

/* How many documents a search finds that have one of these ids. */
static size_t count_found(struct setup *s, const char *query, const struct label_test *passing, int64_t from,
                          int64_t below)
{
    struct arena a;
    struct meaning_hit *hits;
    const char *right;
    size_t n, found = 0;
    arena_init(&a, 64 << 20);
    assert_int_equal(
        meanings_search(s->index, query, strlen(query), passing, 1000, false, NULL, &a, &hits, &n, &right, &s->err),
        OK);
    for (size_t i = 0; i < n; i++)
        found += hits[i].id >= from && hits[i].id < below;
    arena_free(&a);
    return found;
}

/* How many words are left of cat and kitten when so many documents are enough. */
static uint32_t count_words(struct setup *s, const struct label_test *passing, size_t enough)
{
    struct alike items[] = {{meanings_entry(s->index, "cat") - 1, 1}, {meanings_entry(s->index, "kitten") - 1, 0.9f}};
    struct alike_list list = {items, 2};
    meanings_alike_enough(s->index, passing, enough, &list);
    assert_int_equal(list.items[0].entry, meanings_entry(s->index, "cat") - 1);
    return list.n;
}

/* Where very many documents have a word itself, alike words no longer count, unless a filter lets few of these pass. */
static void enough_documents_leave_out_alike_words(void **state)
{
    enum { CATS = 500, ALIKE = 20 };
    struct setup *s = *state;
    struct labels *labels;
    struct label_test passing;
    assert_int_equal(labels_open(&labels, &s->err), OK);
    for (int64_t id = 1000; id < 1000 + ALIKE; id++) {
        put_words(s, id, "kitten");
        assert_int_equal(labels_put(labels, id, "no cats", RATING_G, false, &s->err), OK);
    }
    for (int64_t id = 2000; id < 2000 + 2 * CATS; id++) { /* every other one is a brick */
        put_words(s, id, id % 2 ? "brick" : "cat");
        assert_int_equal(labels_put(labels, id, id % 2 ? "no cats" : "cats", RATING_G, false, &s->err), OK);
    }
    assert_int_equal(count_words(s, NULL, CATS - 1), 1);
    assert_int_equal(count_words(s, NULL, CATS + 2), 2);
    labels_test_begin(labels, &(struct sticker_filter){.rating_most = RATING_G}, &passing);
    assert_int_equal(count_words(s, &passing, CATS / 2), 1);
    labels_test_end(&passing);
    labels_test_begin(labels, &(struct sticker_filter){.rating_most = RATING_R, .pack = "no cats"}, &passing);
    assert_int_equal(count_words(s, &passing, CATS - 1), 2);
    assert_int_equal(count_found(s, "cat", &passing, 1000, 2000), ALIKE);
    labels_test_end(&passing);
    labels_close(labels);
}

/* So many documents that several threads share them: they find what one does. */
static void threads_find_what_one_does(void **state)
{
    enum { MANY = 150000 };
    struct setup *s = *state;
    static const char *const words[] = {"cat", "dog", "car", "cake", "birthday", "kitten", "fast", "chain"};
    static const char *const queries[] = {"cat", "kitten cake", "fast car", "dog birthday chain"};
    struct pool *pool;
    assert_int_equal(pool_open("words", 3, 1, &pool, &s->err), OK);
    for (int64_t i = 0; i < MANY; i++) {
        char title[64];
        snprintf(title, sizeof title, "%s %s rare%d", words[i % 8], words[i / 5 % 8], (int)(i * i / 977 % 1000));
        put_words(s, 1000 + i, title);
    }
    for (size_t q = 0; q < sizeof queries / sizeof *queries; q++)
        for (size_t most = 10; most <= MANY; most *= 200) {
            struct arena a;
            struct meaning_hit *one, *several;
            const char *right;
            size_t n_one, n_several, len = strlen(queries[q]);
            arena_init(&a, 64 << 20);
            assert_int_equal(
                meanings_search(s->index, queries[q], len, NULL, most, true, NULL, &a, &one, &n_one, &right, &s->err),
                OK);
            assert_int_equal(meanings_search(s->index, queries[q], len, NULL, most, true, pool, &a, &several,
                                             &n_several, &right, &s->err),
                             OK);
            assert_true(n_one > 0);
            assert_int_equal(n_one, n_several);
            for (size_t i = 0; i < n_one; i++) {
                assert_int_equal(one[i].id, several[i].id);
                assert_true(one[i].score == several[i].score);
            }
            arena_free(&a);
        }
    pool_close(pool);
}

static void reopen(struct setup *s, const char *snapshot)
{
    char path[96];
    snprintf(path, sizeof path, "%s/en.words", s->folder);
    meanings_close(s->index);
    assert_int_equal(meanings_open(path, s->store, snapshot, 3, &s->index, &s->err), OK);
}

static void expect_all(struct setup *s)
{
    double score;
    char corrected[64];
    assert_string_equal(best(s, "kitten", &score, corrected), "cat.png");
    assert_string_equal(best(s, "birthday cakes", &score, corrected), "cake.png");
    assert_string_equal(best(s, "chain", &score, corrected), "dog.png");
    assert_string_equal(best(s, "brick", &score, corrected), "");
    assert_string_equal(best(s, "anchor", &score, corrected), "new.png");
}

/* Whether anything had to be saved again. */
static bool saves(struct setup *s, const char *snapshot)
{
    int64_t newest;
    (void)unlink(snapshot);
    assert_int_equal(search_store_generation(s->store, &newest, &s->err), OK);
    assert_int_equal(meanings_save(s->index, snapshot, newest, &s->err), OK);
    return access(snapshot, F_OK) == 0;
}

static void a_snapshot_is_as_good_as_the_documents(void **state)
{
    struct setup *s = *state;
    char snapshot[96];
    snprintf(snapshot, sizeof snapshot, "%s/snapshot", s->folder);
    int64_t id = put(s, "gone.png", "brick"), other = put(s, "new.png", "bolt");
    assert_true(saves(s, snapshot));
    reopen(s, snapshot);
    assert_false(saves(s, snapshot)); /* nothing was analysed, */

    (void)put(s, "gone.png", "brick wall");
    assert_true(saves(s, snapshot));
    assert_int_equal(search_store_delete(s->store, "gone.png", &id, &s->err), OK); /* and what others changed is */
    struct meanings *kept = s->index;
    s->index = NULL;
    assert_int_equal(put(s, "new.png", "anchor"), other);
    s->index = kept;
    reopen(s, snapshot);
    expect_all(s);
    assert_true(saves(s, snapshot));
}

/* All documents, read by one thread and by several. */
static void threads_read_what_one_does(void **state)
{
    struct setup *s = *state;
    static const char *const words[] = {"cat", "dog", "car", "cake", "birthday", "fast", "chain"};
    size_t found[2][3];
    char path[96];
    snprintf(path, sizeof path, "%s/en.words", s->folder);
    for (unsigned i = 0; i < 2500; i++) {
        char name[32], title[64];
        snprintf(name, sizeof name, "s%u.png", i);
        snprintf(title, sizeof title, "%s rare%u", words[i % 7], i * i / 97 % 100);
        (void)put(s, name, title);
    }
    for (unsigned several = 0; several < 2; several++) {
        static const char *const queries[] = {"cat", "birthday", "rare7"};
        meanings_close(s->index);
        assert_int_equal(meanings_open(path, s->store, NULL, several ? 3 : 1, &s->index, &s->err), OK);
        for (size_t q = 0; q < 3; q++)
            found[several][q] = count_found(s, queries[q], NULL, 0, INT64_MAX);
    }
    assert_true(found[0][0] > 357 && found[0][2] > 0);
    assert_memory_equal(found[0], found[1], sizeof found[0]);
}

static void a_damaged_snapshot_is_not_believed(void **state)
{
    struct setup *s = *state;
    char snapshot[96];
    struct buf file;
    snprintf(snapshot, sizeof snapshot, "%s/snapshot", s->folder);
    (void)put(s, "new.png", "anchor");
    assert_true(saves(s, snapshot));
    buf_init(&file, 1 << 20);
    assert_int_equal(os_read_file(snapshot, &file, &s->err), OK);
    for (size_t i = 0; i < file.len; i += 1 + i / 16) {
        file.data[i] ^= 0x41;
        assert_int_equal(os_write_file(snapshot, file.data, file.len, &s->err), OK);
        reopen(s, snapshot);
        expect_all(s);
        file.data[i] ^= 0x41;
    }
    for (size_t len = 0; len < file.len; len += 1 + file.len / 20) {
        assert_int_equal(os_write_file(snapshot, file.data, len, &s->err), OK);
        reopen(s, snapshot);
        expect_all(s);
    }
    buf_free(&file);
}

struct crowd {
    struct setup *s;
    atomic_bool stop;
    atomic_int searches;
};

static void *search_on(void *arg)
{
    struct crowd *c = arg;
    struct setup mine = {.store = c->s->store, .index = c->s->index};
    while (!atomic_load(&c->stop)) {
        double score;
        char corrected[64];
        assert_string_equal(best(&mine, "kitten", &score, corrected), "cat.png");
        atomic_fetch_add(&c->searches, 1);
    }
    return NULL;
}

static void searches_go_on_during_changes(void **state)
{
    struct crowd c = {.s = *state};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, &c), 0);
    for (int i = 0; i < 200 || atomic_load(&c.searches) < 100; i++) {
        char name[32], title[64];
        snprintf(name, sizeof name, "new%d.png", i % 50);
        snprintf(title, sizeof title, "thing number%d fast", i);
        int64_t id = put(c.s, name, title);
        if (i % 3 == 0)
            meanings_remove(c.s->index, id);
    }
    atomic_store(&c.stop, true);
    for (size_t i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
    const struct CMUnitTest tests[] = {T(finds),
                                       T(scores_are_calibrated),
                                       T(terms_are_kept_together),
                                       T(signs_have_names),
                                       T(only_words_are_put_right),
                                       T(countries_are_found_by_their_people),
                                       T(what_is_written_together_is_found),
                                       T(frequent_words_weigh_little),
                                       T(signs_are_left_to_others),
                                       T(follows_changes),
                                       T(the_few_best_are_the_first_of_all),
                                       T(enough_documents_leave_out_alike_words),
                                       T(threads_find_what_one_does),
                                       T(a_snapshot_is_as_good_as_the_documents),
                                       T(threads_read_what_one_does),
                                       T(a_damaged_snapshot_is_not_believed),
                                       T(searches_go_on_during_changes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
