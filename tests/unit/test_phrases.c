/* What documents are called, phrase by phrase: which phrases are kept, which are encoded next, and what a search finds,
 * also while documents change. Vectors are made up: tests give each phrase the one that they need. */
#include "cm.h"

#include "rank/phrases.h"

#include "base/utf8.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define DIM  40 /* no multiple of what kernels read at once */
#define MOST 1000

struct setup {
    struct phrases *p;
    struct arena arena;
    struct error err;
};

static struct phrases *open_for(const char *const *languages)
{
    struct language_set set = {0};
    struct phrases *p;
    for (; *languages; languages++)
        language_set_add(&set, language_number(*languages));
    assert_int_equal(phrases_open(DIM, &set, &p, NULL), OK);
    return p;
}

static int begin(void **state)
{
    struct setup *s = calloc(1, sizeof *s);
    assert_non_null(s);
    arena_init(&s->arena, 256 << 20);
    s->p = open_for((const char *const[]){"en", "de", "fr", NULL});
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct setup *s = *state;
    phrases_close(s->p);
    arena_free(&s->arena);
    free(s);
    return 0;
}

/* --- documents and vectors --- */

static void put_as(struct setup *s, int64_t id, const char *title, const char *words_json)
{
    struct document doc = {.id = id, .filename = "a.png", .title = title, .words_json = words_json};
    if (phrases_put(s->p, &doc, &s->err) != OK)
        fail_msg("%s", s->err.message);
}

/* Titled in English, with keywords in it. */
static void put(struct setup *s, int64_t id, const char *title, const char *words)
{
    put_as(s, id, title, arena_printf(&s->arena, "[{\"language\":\"en\",\"words\":\"%s\"}]", words));
}

/* Its direction `axis`, and `lean` of the way to the next one. */
static void direct(float v[DIM], size_t axis, float lean)
{
    memset(v, 0, DIM * sizeof *v);
    v[axis % DIM] = cosf(lean);
    v[(axis + 1) % DIM] = sinf(lean);
}

static struct phrase_text *pending(struct setup *s, const int64_t *of, size_t n_of, size_t most, size_t *n)
{
    struct phrase_text *texts;
    assert_int_equal(phrases_pending(s->p, of, n_of, most, &s->arena, &texts, n, &s->err), OK);
    return texts;
}

static void set_text(struct setup *s, const struct phrase_text *text, size_t axis, float lean)
{
    float v[DIM];
    char code[DIM + sizeof(float)];
    assert_int_equal(phrases_code_size(s->p), sizeof code);
    direct(v, axis, lean);
    phrases_encode(s->p, v, code);
    phrases_set(s->p, text, code);
}

/* The pending phrase `text` of any language gets its vector; the others wait. */
static void set(struct setup *s, const int64_t id, const char *text, size_t axis, float lean)
{
    size_t n;
    struct phrase_text *texts = pending(s, &id, 1, MOST, &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(texts[i].text, text) == 0) {
            set_text(s, &texts[i], axis, lean);
            return;
        }
    fail_msg("\"%s\" is not pending for document %lld", text, (long long)id);
}

/* All that wait get a vector of their own: the direction of their first letter. */
static void set_all(struct setup *s)
{
    for (;;) {
        size_t n;
        struct phrase_text *texts = pending(s, NULL, 0, MOST, &n);
        if (n == 0)
            return;
        for (size_t i = 0; i < n; i++)
            set_text(s, &texts[i], (unsigned char)*texts[i].text % DIM, 0);
    }
}

/* Those of one call, as "en:cat de:katze". */
static const char *told(struct setup *s, const struct phrase_text *texts, size_t n)
{
    const char *all = "";
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(texts[i].len, strlen(texts[i].text));
        all = arena_printf(&s->arena, "%s%s%s:%s", all, i ? " " : "", language_code(texts[i].language), texts[i].text);
    }
    return all;
}

static void expect_pending(struct setup *s, const int64_t *of, size_t n_of, size_t most, const char *expect)
{
    size_t n;
    const struct phrase_text *texts = pending(s, of, n_of, most, &n);
    assert_string_equal(told(s, texts, n), expect);
}

static void expect_count(struct setup *s, size_t encoded, size_t still)
{
    struct phrases_count c = phrases_count(s->p);
    assert_int_equal(c.encoded, encoded);
    assert_int_equal(c.pending, still);
}

/* --- searching --- */

struct found {
    struct phrase_hit *hits;
    size_t n;
};

static int best_first(const void *x, const void *y)
{
    const struct phrase_hit *a = x, *b = y;
    return a->score != b->score ? (a->score < b->score) - (a->score > b->score) : (a->id > b->id) - (a->id < b->id);
}

/* The hits, best first. */
static struct found ask(struct setup *s, const struct phrase_query *q)
{
    struct found f;
    assert_int_equal(phrases_search(s->p, q, &s->arena, &f.hits, &f.n, &s->err), OK);
    qsort(f.hits, f.n, sizeof *f.hits, best_first);
    return f;
}

static struct phrase_query query(const float *vector, const char *text)
{
    return (struct phrase_query){
        .vector = vector, .text = text, .text_len = strlen(text), .language = LANGUAGE_en, .most = 10};
}

static const struct phrase_hit *hit_of(struct found f, int64_t id)
{
    for (size_t i = 0; i < f.n; i++)
        if (f.hits[i].id == id)
            return &f.hits[i];
    return NULL;
}

#define NEARLY(a, b) assert_true(fabsf((a) - (b)) < 0.02f) /* of int8 codes */

/* --- keeping --- */

static void documents_are_put_and_replaced_and_removed(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    put(s, 1, "cat", "kitten, tom cat");
    expect_pending(s, NULL, 0, MOST, "en:cat en:kitten en:tom cat");
    expect_count(s, 0, 3);
    set_all(s);
    expect_count(s, 3, 0);
    put(s, 1, "cat", "kitten, tom cat"); /* the same again */
    expect_count(s, 3, 0);
    put(s, 1, "cat", "kitten, tiger"); /* one new keyword is one new vector */
    expect_pending(s, NULL, 0, MOST, "en:tiger");
    set_all(s);
    expect_count(s, 4, 0);

    direct(v, 't', 0);
    struct phrase_query q = query(v, "tom cat");
    struct found f = ask(s, &q);
    assert_int_equal(f.n, 1);
    assert_false(f.hits[0].exact);       /* that is not what it is called any more */
    NEARLY(f.hits[0].score, 1);          /* "tiger" */
    put(s, 1, "cat", "kitten, tom cat"); /* a phrase that comes back has its vector still */
    expect_count(s, 4, 0);
    assert_true(ask(s, &q).hits[0].exact);

    phrases_remove(s->p, 1);
    phrases_remove(s->p, 1);
    phrases_remove(s->p, 77);
    phrases_remove(s->p, -1);
    assert_int_equal(ask(s, &q).n, 0);
    expect_count(s, 4, 0);
    put(s, 1, "cat", "kitten, tom cat");
    assert_int_equal(ask(s, &q).n, 1);
    put(s, 1, "", ""); /* without any phrase */
    assert_int_equal(ask(s, &q).n, 0);
}

static void ids_and_lists_are_bounded(void **state)
{
    struct setup *s = *state;
    struct document doc = {.filename = "far.png", .title = "cat", .words_json = "[]"};
    doc.id = -1;
    assert_int_equal(phrases_put(s->p, &doc, &s->err), ERR_TOO_LARGE);
    doc.id = LABELS_MAX_ID + 1;
    assert_int_equal(phrases_put(s->p, &doc, &s->err), ERR_TOO_LARGE);
    assert_non_null(strstr(s->err.message, "id"));
    doc.id = 5;
    doc.words_json = "no JSON at all";
    assert_int_equal(phrases_put(s->p, &doc, &s->err), OK); /* its title counts */
    expect_count(s, 0, 1);

    struct buf many;
    buf_init(&many, 1 << 20);
    for (int i = 0; i < 6000; i++)
        buf_printf(&many, "%sword%d", i ? ", " : "", i);
    put(s, 6, "many", buf_str(&many));
    assert_int_equal(phrases_count(s->p).pending, 1 + 4096);
    buf_reset(&many);
    for (int i = 0; i < 400; i++)
        buf_puts(&many, "ä");
    put(s, 7, buf_str(&many), ""); /* cut between letters, not within one */
    size_t n;
    const int64_t id = 7;
    struct phrase_text *texts = pending(s, &id, 1, MOST, &n);
    assert_int_equal(n, 1);
    assert_int_equal(texts[0].len, 300);
    assert_true(utf8_valid(texts[0].text, texts[0].len));
    buf_free(&many);
}

/* Numbers are never used again, so that the last ones of a library of few documents may be far up. */
static void ids_far_up_take_little_memory(void **state)
{
    struct setup *s = *state;
    struct arena a;
    struct phrase_hit *hits;
    float v[DIM];
    size_t n;
    put(s, 2000000, "cat", "");
    set_all(s);
    direct(v, 0, 0);
    struct phrase_query q = {.vector = v, .text = "cat", .text_len = 3, .language = LANGUAGE_en, .most = 10};
    arena_init(&a, 16 << 20);
    if (phrases_search(s->p, &q, &a, &hits, &n, &s->err) != OK)
        fail_msg("%s", s->err.message);
    assert_int_equal(n, 1);
    assert_int_equal(hits[0].id, 2000000);
    arena_free(&a);
}

static void put_numbered(struct setup *s, int64_t id, int round)
{
    struct buf words;
    buf_init(&words, 64 << 10);
    for (int i = 0; i < 500; i++)
        buf_printf(&words, "%sr%d.%d", i ? ", " : "", round, i);
    put(s, id, "stays", buf_str(&words));
    buf_free(&words);
}

/* Words that come and go do not pile up; whose vector is on its way may be gone when it comes. */
static void phrases_that_nobody_has_make_room(void **state)
{
    struct setup *s = *state;
    size_t n, bytes = 0;
    put(s, 2, "other", "");
    for (int round = 0; round < 100; round++) {
        struct arena a = s->arena;
        arena_init(&s->arena, 256 << 20);
        put_numbered(s, 1, round);
        struct phrase_text *late = pending(s, NULL, 0, MOST, &n);
        if (round == 4) {
            put_numbered(s, 1, 1000);
            put_numbered(s, 1, 1001);
            put_numbered(s, 1, 1002);
            put_numbered(s, 1, 1003);
            for (size_t i = 0; i < n; i++)
                set_text(s, &late[i], 1, 0);
            assert_int_equal(phrases_count(s->p).pending, 500);
            put_numbered(s, 1, round);
        }
        set_all(s);
        expect_count(s, phrases_count(s->p).encoded, 0);
        bytes = round == 10 ? phrases_count(s->p).bytes : bytes;
        arena_free(&s->arena);
        s->arena = a;
    }
    assert_int_equal(phrases_count(s->p).bytes, bytes);
    struct language_set in = {0}, none = {0};
    phrases_languages(s->p, "r98.499", 7, &none);
    assert_false(language_set_has(&none, LANGUAGE_en));
    phrases_languages(s->p, "r99.499", 7, &in);
    assert_true(language_set_has(&in, LANGUAGE_en));
    float v[DIM];
    struct phrase_hit *hits;
    direct(v, 'o' % DIM, 0); /* as set_all has it */
    struct phrase_query q = {.vector = v, .text = "?", .text_len = 1, .language = LANGUAGE_en, .most = 1};
    assert_int_equal(phrases_search(s->p, &q, &s->arena, &hits, &n, &s->err), OK);
    assert_true(n > 0 && hits[0].id == 2 && hits[0].score > 0.99f);
}

/* What is the same in print is the same phrase. */
static void case_and_composition_do_not_count(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    put(s, 1, "Café", "CAFÉ, cafe\u0301, Cafe\u0301,  café ");
    put(s, 2, "CAFE\u0301", "");
    expect_pending(s, NULL, 0, MOST, "en:café");
    set_all(s);
    direct(v, 0, 0);
    struct phrase_query q = query(v, "café");
    struct found f = ask(s, &q);
    assert_int_equal(f.n, 2);
    assert_true(f.hits[0].exact && f.hits[1].exact);
    put(s, 3, "vi\u00ea\u0323t", ""); /* as keyboards for Vietnamese on Windows write it */
    put(s, 4, "VI\u1ec6T", "");
    expect_count(s, 1, 1);
}

static void phrase_of_many_documents_is_one(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    for (int64_t id = 1; id <= 500; id++)
        put(s, id, "cat", "animal, pet");
    expect_count(s, 0, 3);
    set_all(s);
    expect_count(s, 3, 0);
    direct(v, 'c', 0);
    struct phrase_query q = query(v, "cat");
    struct found f = ask(s, &q);
    assert_int_equal(f.n, 500);
    for (size_t i = 0; i < f.n; i++) {
        assert_int_equal(f.hits[i].id, i + 1); /* equal ones by id */
        assert_true(f.hits[i].exact);
    }
    for (int64_t id = 1; id <= 500; id += 2)
        phrases_remove(s->p, id);
    assert_int_equal(ask(s, &q).n, 250);
}

/* Those that are asked for; those of no known language; and for a document that has nothing else, what there is. */
static void languages_that_are_kept(void **state)
{
    struct setup *s = *state;
    put_as(s, 1, "dog",
           "[{\"language\":\"en\",\"words\":\"puppy\"},{\"language\":\"de-CH\",\"title\":\"Hund\",\"words\":\"Welpe\"},"
           "{\"language\":\"es\",\"words\":\"perro\"},{\"language\":\"tlh\",\"words\":\"targh\"}]");
    expect_count(s, 0, 5); /* all but Spanish */
    struct language_set in = {0};
    phrases_languages(s->p, "hund", 4, &in);
    assert_true(language_set_has(&in, LANGUAGE_de));
    phrases_languages(s->p, "targh", 5, &in);
    assert_true(language_set_has(&in, LANGUAGE_OTHER));
    assert_false(language_set_has(&in, LANGUAGE_en));
    in = (struct language_set){0};
    phrases_languages(s->p, "perro", 5, &in);
    phrases_languages(s->p, "Hund", 4, &in); /* not as text_lower makes it */
    phrases_languages(s->p, "", 0, &in);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        assert_false(language_set_has(&in, i));

    put_as(s, 2, "gato", "[{\"language\":\"es\",\"words\":\"felino\"},{\"language\":\"fr\",\"words\":\"chat\"}]");
    size_t n;
    const int64_t id = 2;
    const struct phrase_text *texts = pending(s, &id, 1, MOST, &n);
    assert_string_equal(told(s, texts, n), "und:gato und:felino");
    phrases_languages(s->p, "chat", 4, &in);
    assert_true(language_set_has(&in, LANGUAGE_fr)); /* the language that is known is one of its own */
    phrases_remove(s->p, 2);
    in = (struct language_set){0};
    phrases_languages(s->p, "chat", 4, &in); /* of no document that is there */
    assert_false(language_set_has(&in, LANGUAGE_fr));
}

/* --- who is encoded next --- */

static void english_is_encoded_first_then_what_is_asked(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    put_as(s, 1, "dog",
           "[{\"language\":\"en\",\"words\":\"puppy\"},{\"language\":\"fr\",\"words\":\"chien, chiot, toutou\"},"
           "{\"language\":\"de\",\"words\":\"hund, welpe\"},{\"language\":\"tlh\",\"words\":\"targh\"}]");
    direct(v, 0, 0);
    struct phrase_query q = query(v, "hund");
    q.language = LANGUAGE_de;
    (void)ask(s, &q);
    size_t n;
    const char *const order[] = {"und:targh", "en:dog en:puppy", "de:hund de:welpe", "fr:chien fr:chiot fr:toutou"};
    bool seen[2] = {false, false};
    for (size_t i = 0; i < 4; i++) {
        struct phrase_text *texts = pending(s, NULL, 0, MOST, &n);
        const char *now = told(s, texts, n);
        if (i < 2) { /* English and none, one of them after the other */
            bool first = strcmp(now, order[0]) == 0;
            assert_true(first || strcmp(now, order[1]) == 0);
            assert_false(seen[first]);
            seen[first] = true;
        } else {
            assert_string_equal(now, order[i]);
        }
        for (size_t k = 0; k < n; k++)
            set_text(s, &texts[k], k, 0);
    }
    expect_pending(s, NULL, 0, MOST, "");
    /* Nobody asked: then the longer list. */
    phrases_close(s->p);
    s->p = open_for((const char *const[]){"en", "de", "fr", NULL});
    put_as(s, 1, "dog",
           "[{\"language\":\"de\",\"words\":\"hund\"},{\"language\":\"fr\",\"words\":\"chien, chiot, toutou\"},"
           "{\"language\":\"en\",\"words\":\"dog\"}]");
    set(s, 1, "dog", 0, 0);
    expect_pending(s, NULL, 0, 2, "fr:chien fr:chiot");
    expect_pending(s, NULL, 0, 2, "fr:chien fr:chiot"); /* until they have their vectors */
    put(s, 2, "cat", "");                               /* English that comes later goes first all the same */
    expect_pending(s, NULL, 0, 2, "en:cat");
}

static void pending_of_documents_are_those_of_their_first_language(void **state)
{
    struct setup *s = *state;
    put_as(s, 1, "dog",
           "[{\"language\":\"de\",\"words\":\"hund\"},{\"language\":\"en\",\"words\":\"puppy\"}]"); /* English it is */
    put_as(s, 2, "Tier", "[{\"language\":\"de\",\"words\":\"hund, tier\"},{\"language\":\"fr\",\"words\":\"chien\"}]");
    put_as(s, 3, "Hund", "[{\"language\":\"de\",\"words\":\"tier\"}]");
    put(s, 4, "puppy", "");
    const int64_t one[] = {1}, two[] = {2, 3}, all[] = {1, 2, 3, 4, 1, 999, -1};
    expect_pending(s, one, 1, MOST, "en:dog en:puppy");
    expect_pending(s, two, 2, MOST, "de:tier de:hund"); /* each once */
    expect_pending(s, all, 7, MOST, "en:dog en:puppy de:tier de:hund");
    expect_pending(s, all, 7, 3, "en:dog en:puppy de:tier");
    set(s, 1, "puppy", 0, 0);
    expect_pending(s, all, 7, MOST, "en:dog de:tier de:hund");
    phrases_remove(s->p, 1);
    expect_pending(s, all, 7, MOST, "de:tier de:hund");
    expect_pending(s, NULL, 0, MOST, "und:tier und:hund"); /* nobody has a dog, or needs one encoded */
}

/* A phrase that lost its document before it had a vector is forgotten, until another one comes with it. */
static void phrases_that_come_back_are_pending_again(void **state)
{
    struct setup *s = *state;
    put(s, 1, "cat", "");
    put(s, 2, "dog", "");
    phrases_remove(s->p, 1);
    expect_count(s, 0, 1); /* nothing waits for ever */
    set_all(s);
    expect_count(s, 1, 0);
    put(s, 3, "dog", "cat");
    expect_pending(s, NULL, 0, MOST, "en:cat");
    set_all(s);
    expect_count(s, 2, 0);
}

static void vectors_are_set_once(void **state)
{
    struct setup *s = *state;
    float v[DIM], mean[DIM];
    char code[DIM + sizeof(float)];
    size_t n;
    put(s, 1, "cat", "kitten, tiger, lion, panther");
    struct phrase_text *texts = pending(s, NULL, 0, MOST, &n);
    assert_int_equal(n, 5);
    phrases_set(s->p, &texts[0], NULL); /* refused: it has none and waits for none */
    expect_count(s, 0, 4);
    set_text(s, &texts[0], 3, 0);
    expect_count(s, 0, 4);
    assert_false(phrases_mean(s->p, 1, mean));
    set_text(s, &texts[1], 5, 0);
    set_text(s, &texts[1], 6, 0); /* the first one stays */
    assert_true(phrases_mean(s->p, 1, mean));
    direct(v, 5, 0);
    for (size_t i = 0; i < DIM; i++)
        NEARLY(mean[i], v[i]);
    /* What a damaged database may hold is none. */
    static const float scales[] = {0, -1, NAN, INFINITY, 2};
    for (size_t i = 0; i < sizeof scales / sizeof *scales && i < 3; i++) {
        memset(code, 127, DIM);
        memcpy(code + DIM, &scales[i], sizeof *scales);
        phrases_set(s->p, &texts[2 + i], code);
    }
    expect_count(s, 1, 0);
    put(s, 2, "wolf", "fox");
    texts = pending(s, NULL, 0, MOST, &n);
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        memcpy(code + DIM, &scales[3 + i], sizeof *scales);
        phrases_set(s->p, &texts[i], code);
    }
    expect_count(s, 1, 0);
    assert_false(phrases_mean(s->p, 2, mean));
    direct(v, 5, 0);
    struct phrase_query q = query(v, "dog");
    assert_int_equal(ask(s, &q).n, 1);
}

static void forgotten_vectors_are_pending_again(void **state)
{
    struct setup *s = *state;
    float v[DIM], mean[DIM];
    size_t n;
    put(s, 1, "cat", "kitten, tiger");
    put(s, 2, "dog", "");
    struct phrase_text *texts = pending(s, NULL, 0, MOST, &n);
    phrases_set(s->p, &texts[0], NULL);
    set_all(s);
    phrases_remove(s->p, 2);
    expect_count(s, 3, 0);
    phrases_forget(s->p);
    expect_count(s, 0, 3); /* also the one that was refused, but not the dog */
    expect_pending(s, NULL, 0, MOST, "en:cat en:kitten en:tiger");
    assert_false(phrases_mean(s->p, 1, mean));
    direct(v, 'k', 0);
    struct phrase_query q = query(v, "?");
    assert_int_equal(ask(s, &q).n, 0);
    set_all(s);
    NEARLY(hit_of(ask(s, &q), 1)->score, 1);
}

/* Though it has no title, and more keywords in another language than are kept. */
static void english_comes_first_wherever_it_stands(void **state)
{
    struct setup *s = *state;
    struct buf words;
    size_t n;
    const int64_t id = 1;
    buf_init(&words, 1 << 20);
    buf_puts(&words, "[{\"language\":\"fr\",\"words\":\"chat");
    for (int i = 0; i < 5000; i++)
        buf_printf(&words, ", mot%d", i);
    buf_puts(&words, "\"},{\"language\":\"en\",\"words\":\"cat, kitten\"}]");
    put_as(s, 1, "", buf_str(&words));
    buf_free(&words);
    const struct phrase_text *texts = pending(s, &id, 1, MOST, &n);
    assert_string_equal(told(s, texts, n), "en:cat en:kitten");
}

static void mean_is_of_the_first_language(void **state)
{
    struct setup *s = *state;
    float mean[DIM];
    put_as(s, 1, "dog", "[{\"language\":\"de\",\"words\":\"hund\"},{\"language\":\"en\",\"words\":\"puppy, hound\"}]");
    assert_false(phrases_mean(s->p, 1, mean));
    set(s, 1, "dog", 0, 0);
    set(s, 1, "puppy", 2, 0);
    set(s, 1, "hound", 2, 0);
    size_t n;
    struct phrase_text *texts = pending(s, NULL, 0, MOST, &n);
    assert_string_equal(told(s, texts, n), "de:hund");
    set_text(s, texts, 9, 0);
    assert_true(phrases_mean(s->p, 1, mean));
    double norm = 0;
    for (size_t i = 0; i < DIM; i++)
        norm += (double)mean[i] * (double)mean[i];
    assert_true(fabs(norm - 1) < 1e-5);
    NEARLY(mean[2], 2 * mean[0]);
    NEARLY(mean[9], 0);
    put_as(s, 2, "Hund", "[{\"language\":\"de\",\"words\":\"hund\"}]");
    assert_true(phrases_mean(s->p, 2, mean));
    NEARLY(mean[9], 1);
    put_as(s, 3, "opposites", "[{\"language\":\"en\",\"words\":\"day\"}]");
    float v[DIM] = {[4] = 1}, w[DIM] = {[4] = -1};
    char code[DIM + sizeof(float)];
    const int64_t id = 3;
    texts = pending(s, &id, 1, MOST, &n);
    assert_int_equal(n, 2);
    phrases_encode(s->p, v, code);
    phrases_set(s->p, &texts[0], code);
    phrases_encode(s->p, w, code);
    phrases_set(s->p, &texts[1], code);
    assert_false(phrases_mean(s->p, 3, mean)); /* they cancel out, and nothing is divided by 0 */
    assert_false(phrases_mean(s->p, 999, mean));
    assert_false(phrases_mean(s->p, -1, mean));
}

/* --- finding --- */

static void best_phrase_counts(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    put(s, 1, "cat", "animal");
    put(s, 2, "dog", "animal");
    put(s, 3, "tree", "");
    set(s, 1, "cat", 1, 0);
    set(s, 1, "animal", 1, 0.9f);
    set(s, 2, "dog", 8, 0);
    direct(v, 1, 0.1f);
    struct phrase_query q = query(v, "kitten");
    struct found f = ask(s, &q);
    assert_int_equal(f.n, 2); /* "tree" has no vector yet */
    assert_int_equal(f.hits[0].id, 1);
    NEARLY(f.hits[0].score, cosf(0.1f));
    NEARLY(f.hits[1].score, cosf(0.8f));
    assert_false(f.hits[0].exact || f.hits[1].exact);
    direct(v, 1, 0); /* the very vector, but of another text */
    assert_false(hit_of(ask(s, &q), 1)->exact);
    assert_true(hit_of(ask(s, &q), 1)->score < 1);
    q = query(v, "tree"); /* letters do without a vector */
    f = ask(s, &q);
    assert_int_equal(f.hits[0].id, 3);
    assert_true(f.hits[0].exact && f.hits[0].score == 1);
    q = query(v, "");
    assert_int_equal(ask(s, &q).n, 2);
}

static void only_lists_of_the_language_are_searched(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    put_as(s, 1, "", "[{\"language\":\"en\",\"words\":\"xx\"},{\"language\":\"de\",\"words\":\"hund\"}]");
    put_as(s, 2, "", "[{\"language\":\"en\",\"words\":\"xx\"},{\"language\":\"fr\",\"words\":\"hot dog\"}]");
    put_as(s, 3, "hello", "[]");                                        /* of no language */
    put_as(s, 4, "Haus", "[{\"language\":\"de\",\"words\":\"heim\"}]"); /* nothing in English */
    put(s, 5, "horse", "");
    set_all(s);
    direct(v, 'h', 0);
    static const struct {
        unsigned language;
        const char *found;
    } cases[] = {{LANGUAGE_de, "1345"},   {LANGUAGE_fr, "2345"}, {LANGUAGE_en, "345"},
                 {LANGUAGE_OTHER, "345"}, {LANGUAGE_es, "345"},  {LANGUAGE_COUNT - 1, "345"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct phrase_query q = query(v, "?");
        q.language = cases[i].language;
        struct found f = ask(s, &q);
        for (int64_t id = 1; id <= 5; id++) {
            const struct phrase_hit *hit = hit_of(f, id);
            assert_non_null(hit);
            NEARLY(hit->score, strchr(cases[i].found, '0' + (char)id) ? 1.0f : 0.0f);
        }
    }
}

/* What is asked for beside the best is told of, where it has a phrase and passes. */
static void also_is_told_of(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    for (int64_t id = 1; id <= 3000; id++)
        put(s, id, arena_printf(&s->arena, "number %lld", (long long)id), "");
    size_t n;
    struct phrase_text *texts = pending(s, NULL, 0, 3000, &n);
    assert_int_equal(n, 3000);
    for (size_t i = 0; i < n; i++)
        set_text(s, &texts[i], 0, 1.5f * (float)i / 3000);
    put_as(s, 4000, "", "[{\"language\":\"fr\",\"words\":\"chien\"}]");
    put(s, 4001, "unencoded", "");
    direct(v, 0, 0);
    struct phrase_query q = query(v, "?");
    struct found f = ask(s, &q);
    assert_true(f.n >= 10 && f.n < 1000);
    assert_null(hit_of(f, 2990));
    const int64_t also[] = {2990, 1, 2990, 4000, 4001, 999999, -5, INT64_MAX};
    q.also = also;
    q.n_also = sizeof also / sizeof *also;
    struct found more = ask(s, &q);
    assert_int_equal(more.n, f.n + 1); /* the last five have nothing to compare with; the second is there already */
    assert_non_null(hit_of(more, 2990));
    NEARLY(hit_of(more, 2990)->score, cosf(1.5f * 2989 / 3000));
    assert_non_null(hit_of(more, 1));
    texts = pending(s, &also[3], 1, MOST, &n);
    set_text(s, texts, 0, 1);
    q.language = LANGUAGE_fr;
    NEARLY(hit_of(ask(s, &q), 4000)->score, cosf(1));
    q.language = LANGUAGE_en;
    texts = pending(s, NULL, 0, MOST, &n);
    assert_string_equal(told(s, texts, n), "und:chien"); /* as it is called nothing in English */
    set_text(s, texts, 0, 1);
    NEARLY(hit_of(ask(s, &q), 4000)->score, cosf(1));
}

/* At least as many as are asked for, if there are, whatever passes and however many phrases each document has. */
static void deep_searches_find_enough(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    size_t n;
    struct buf words;
    buf_init(&words, 1 << 20);
    for (int i = 0; i < 900; i++)
        buf_printf(&words, "%snear %d", i ? ", " : "", i);
    put(s, 1, "near", buf_str(&words)); /* all the best phrases are one document's */
    for (int64_t id = 2; id <= 600; id++)
        put(s, id, arena_printf(&s->arena, "far %lld", (long long)id), "");
    struct phrase_text *texts = pending(s, NULL, 0, 2000, &n);
    assert_int_equal(n, 1500);
    for (size_t i = 0; i < n; i++)
        set_text(s, &texts[i], 0, i < 901 ? 0.001f * (float)i / 901 : 0.5f + (float)i / 1500);
    direct(v, 0, 0);
    static const size_t depths[] = {0, 1, 2, 10, 200, 599, 600, 601, 100000, SIZE_MAX / 2};
    for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
        struct phrase_query q = query(v, "?");
        q.most = depths[i];
        struct found f = ask(s, &q);
        assert_true(f.n >= (depths[i] < 600 ? depths[i] : 600));
        if (f.n)
            assert_int_equal(f.hits[0].id, 1);
        assert_null(f.n < 600 ? hit_of(f, 600) : NULL); /* what is left out is worse than what is there */
    }

    struct labels *labels;
    struct label_test passing;
    struct sticker_filter filter = STICKER_FILTER_NONE;
    filter.pack = "few";
    assert_int_equal(labels_open(&labels, &s->err), OK);
    for (int64_t id = 1; id <= 600; id++)
        assert_int_equal(labels_put(labels, id, id % 25 == 0 ? "few" : "most", RATING_G, false, &s->err), OK);
    labels_test_begin(labels, &filter, &passing);
    struct phrase_query q = query(v, "?");
    const int64_t also[] = {3, 25};
    q.passing = &passing;
    q.also = also;
    q.n_also = 2;
    q.most = 20;
    struct found f = ask(s, &q);
    assert_true(f.n >= 20 && f.n <= 24);
    for (size_t i = 0; i < f.n; i++)
        assert_int_equal(f.hits[i].id % 25, 0);
    assert_int_equal(f.hits[0].id, 25);
    labels_test_end(&passing);
    labels_close(labels);
    buf_free(&words);
}

/* Lists grow while they are used, and every phrase keeps its own vector. */
static void many_phrases_keep_their_vectors(void **state)
{
    struct setup *s = *state;
    float v[DIM];
    for (int64_t id = 1; id <= 3000; id++) {
        const char *title = arena_printf(&s->arena, "phrase %lld", (long long)id);
        put(s, id, title, "");
        set(s, id, title, (size_t)id, 0.002f * (float)id / DIM);
    }
    expect_count(s, 3000, 0);
    assert_true(phrases_count(s->p).bytes >= 3000 * DIM);
    for (int64_t id = 1; id <= 3000; id += 97) {
        direct(v, (size_t)id, 0.002f * (float)id / DIM);
        const int64_t also[] = {id};
        struct phrase_query q = query(v, "?");
        q.also = also;
        q.n_also = 1;
        NEARLY(hit_of(ask(s, &q), id)->score, 1);
    }
}

/* --- many at once --- */

static atomic_bool stop;

static void *search_on(void *arg)
{
    struct setup *s = arg;
    size_t wrong = 0;
    float v[DIM];
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        struct arena a;
        struct phrase_hit *hits;
        size_t n;
        struct language_set in = {0};
        arena_init(&a, 64 << 20);
        direct(v, i, 0);
        const int64_t also[] = {i % 100, 1000};
        struct phrase_query q = query(v, "steady");
        q.also = also;
        q.n_also = 2;
        q.language = i % 2 ? LANGUAGE_de : LANGUAGE_en;
        size_t exact = 0;
        wrong += phrases_search(s->p, &q, &a, &hits, &n, NULL) != OK;
        for (size_t k = 0; k < n; k++)
            exact += hits[k].id == 1000 && hits[k].exact;
        wrong += exact != 1;
        phrases_languages(s->p, "steady", 6, &in);
        wrong += !language_set_has(&in, LANGUAGE_en) || phrases_count(s->p).encoded > 100000;
        wrong += !phrases_mean(s->p, 1000, v);
        arena_free(&a);
    }
    return (void *)wrong;
}

static void searches_go_on_while_documents_change(void **state)
{
    struct setup *s = *state;
    pthread_t threads[3];
    put(s, 1000, "steady", "");
    set_all(s);
    atomic_store(&stop, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, s), 0);
    for (int64_t i = 0; i < 1500; i++) {
        int64_t id = i % 100;
        if (i % 7 == 3)
            phrases_remove(s->p, id);
        else
            put(s, id, arena_printf(&s->arena, "round %lld", (long long)i), "one, two");
        if (i % 5 == 0)
            set_all(s);
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    set_all(s);
    assert_int_equal(phrases_count(s->p).pending, 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        T(documents_are_put_and_replaced_and_removed),
        T(ids_and_lists_are_bounded),
        T(ids_far_up_take_little_memory),
        T(phrases_that_nobody_has_make_room),
        T(case_and_composition_do_not_count),
        T(phrase_of_many_documents_is_one),
        T(languages_that_are_kept),
        T(english_is_encoded_first_then_what_is_asked),
        T(pending_of_documents_are_those_of_their_first_language),
        T(phrases_that_come_back_are_pending_again),
        T(vectors_are_set_once),
        T(forgotten_vectors_are_pending_again),
        T(english_comes_first_wherever_it_stands),
        T(mean_is_of_the_first_language),
        T(best_phrase_counts),
        T(only_lists_of_the_language_are_searched),
        T(also_is_told_of),
        T(deep_searches_find_enough),
        T(many_phrases_keep_their_vectors),
        T(searches_go_on_while_documents_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
