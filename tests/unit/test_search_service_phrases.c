/* SearchService with models of sentences: what each title and keyword is encoded for, when, and how often; which model
 * is asked in which language; folders that are no models. The models are small random networks (tests/golden/bert):
 * what they find alike means nothing, that they are asked and what of them is kept is what counts. */
#include "search_suite.h"

#include "base/language.h"
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

static struct suite suite;

/* --- model folders --- */

static void read_golden(const char *folder, const char *name, struct buf *out)
{
    char path[300];
    snprintf(path, sizeof path, "tests/golden/bert/%s/%s", folder, name);
    buf_init(out, 4 << 20);
    assert_int_equal(os_read_file(path, out, NULL), OK);
}

static void write_to(struct suite *s, const char *folder, const char *name, const void *bytes, size_t len)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s/%s", s->models, folder, name);
    unlink(path);
    assert_int_equal(os_write_file(path, bytes, len, NULL), OK);
}

/* One of tests/golden/bert under another name. language: "en", or NULL for all. */
static void make_model(struct suite *s, const char *folder, const char *golden, const char *language)
{
    char dir[300], from[300];
    snprintf(dir, sizeof dir, "%s/%s", s->models, folder);
    snprintf(from, sizeof from, "tests/golden/bert/%s", golden);
    assert_int_equal(os_mkdirs(dir, NULL), OK);
    suite_link(from, dir, "1_Pooling");
    suite_link(from, dir, "model.safetensors");
    suite_link(strcmp(golden, "bert") == 0 ? "tests/golden/token_ids/uncased" : "tests/golden/token_ids/unigram", dir,
               "tokenizer.json");
    struct buf text;
    read_golden(golden, "config.json", &text);
    json_t *config = json_loadb(text.data, text.len, 0, NULL);
    assert_non_null(config);
    if (language)
        json_object_set_new(config, "peel", json_pack("{s:s}", "language", language));
    char *written = json_dumps(config, 0);
    write_to(s, folder, "config.json", written, strlen(written));
    free(written);
    json_decref(config);
    buf_free(&text);
}

static void english_model(struct suite *s, const char *folder)
{
    make_model(s, folder, "bert", "en");
}

static void model_of_many(struct suite *s, const char *folder)
{
    make_model(s, folder, "xlm-roberta", NULL);
}

static int begin(void **state)
{
    *state = &suite;
    suite_begin(&suite);
    language_set_add(&suite.cfg.languages, LANGUAGE_en);
    language_set_add(&suite.cfg.languages, LANGUAGE_de);
    language_set_add(&suite.cfg.languages, LANGUAGE_el);
    return 0;
}

static int end(void **state)
{
    suite_end(*state);
    return 0;
}

/* --- asking --- */

static json_t *model_of(json_t *models, const char *id)
{
    json_t *m = suite_model(models, id);
    if (!m)
        fail_msg("there is no model %s", id);
    return m;
}

/* Waits until the model has encoded so many documents and phrases, and waits for none. */
static void settle(struct suite *s, const char *id, json_int_t documents, json_int_t phrases)
{
    json_int_t n = -1, k = -1;
    const char *state = "";
    for (int i = 0; i < 600 * suite_slow(); i++) {
        json_t *a = suite_get(s, "/api/models"), *m = model_of(a, id), *p = json_object_get(m, "phrases");
        bool ready = strcmp(json_string_value(json_object_get(m, "state")), "ready") == 0;
        bool idle = json_integer_value(json_object_get(m, "pending")) == 0 &&
                    json_integer_value(json_object_get(p, "pending")) == 0;
        n = json_integer_value(json_object_get(m, "indexed"));
        k = json_integer_value(json_object_get(p, "indexed"));
        state = ready ? "ready" : "not ready";
        json_decref(a);
        if (ready && idle && n == documents && k == phrases)
            return;
        suite_sleep_ms(20);
    }
    fail_msg("model %s is %s: expected %lld documents and %lld phrases, found %lld and %lld", id, state,
             (long long)documents, (long long)phrases, (long long)n, (long long)k);
}

static bool asks_sentences(struct suite *s, const char *parameters)
{
    json_t *a = suite_search(s, parameters);
    bool asked = suite_has_leg(a, "sentence");
    json_decref(a);
    return asked;
}

/* All results with their scores, which tell by which model they were found. */
static const char *scores(struct suite *s, const char *parameters, char out[2000])
{
    json_t *a = suite_search(s, parameters), *result;
    size_t i;
    out[0] = '\0';
    json_array_foreach(json_object_get(a, "results"), i, result)
    {
        snprintf(out + strlen(out), 2000 - strlen(out), "%s %.6g; ",
                 json_string_value(json_object_get(result, "filename")),
                 json_number_value(json_object_get(result, "score")));
    }
    json_decref(a);
    return out;
}

static void expect_same(struct suite *s, const char *a, const char *b, bool same)
{
    char first[2000], second[2000];
    scores(s, a, first);
    scores(s, b, second);
    if ((strcmp(first, second) == 0) != same)
        fail_msg("%s and %s: expected %s, found %s and %s", a, b, same ? "the same" : "others", first, second);
}

/* words: "en:cat, kitten;de:katze" */
static void put(struct suite *s, const char *filename, const char *title, const char *words)
{
    json_t *lists = json_array();
    char path[200];
    while (*words) {
        size_t n = strcspn(words, ";");
        json_array_append_new(lists,
                              json_pack("{s:s%, s:s%}", "language", words, (size_t)2, "words", words + 3, n - 3));
        words += n + (words[n] == ';');
    }
    json_t *document = json_pack("{s:s, s:o}", "title", title, "words", lists);
    char *body = json_dumps(document, 0);
    snprintf(path, sizeof path, "/api/documents/%s", filename);
    suite_send(s, "PUT", path, body, 200);
    free(body);
    json_decref(document);
}

/* One number from the database of a service that is stopped, or 0 where the statement has none. */
static int64_t ask_db(struct suite *s, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(s->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int step = sqlite3_step(stmt);
    int64_t value = step == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
    assert_true(step == SQLITE_ROW || step == SQLITE_DONE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

/* Every phrase gets the code of the first one: what is encoded anew shows. */
static void mark_all(struct suite *s)
{
    ask_db(s, "UPDATE phrase_vectors SET code = (SELECT code FROM phrase_vectors p WHERE p.model_id ="
              " phrase_vectors.model_id ORDER BY phrase LIMIT 1)");
}

static int64_t unmarked(struct suite *s)
{
    return ask_db(s, "SELECT count(*) FROM phrase_vectors WHERE code <> (SELECT code FROM phrase_vectors p WHERE"
                     " p.model_id = phrase_vectors.model_id ORDER BY phrase LIMIT 1)");
}

/* --- tests --- */

static bool finds(struct suite *s, const char *parameters, const char *filename)
{
    json_t *a = suite_search(s, parameters), *name;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(a, "filenames"), i, name)
    {
        found = found || strcmp(json_string_value(name), filename) == 0;
    }
    json_decref(a);
    return found;
}

/* Also while thousands of phrases in other languages wait for their turn. */
static void a_document_is_found_by_meaning_within_a_second(void **state)
{
    struct suite *s = *state;
    char words[1200], name[32];
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "first.png", "first", "");
    settle(s, "test/many", 1, 1);
    for (int i = 0; i < 100; i++) {
        size_t n = 0;
        n += (size_t)snprintf(words, sizeof words, "de:");
        for (int k = 0; k < 40; k++)
            n += (size_t)snprintf(words + n, sizeof words - n, "%swort %d.%d", k ? ", " : "", i, k);
        snprintf(name, sizeof name, "n%d.png", i);
        snprintf(words + n, sizeof words - n, ";en:number %d", i);
        put(s, name, name, words);
    }
    int64_t start = os_monotonic_us(), took;
    put(s, "new.png", "surprise", "en:gift, present");
    assert_true(finds(s, "query=one+more+present&algorithm=lexical", "new.png"));
    do {
        took = os_monotonic_us() - start;
        if (took > 1000000 * suite_slow())
            fail_msg("it was not found after %.2f s", (double)took / 1e6);
        suite_sleep_ms(5);
    } while (!finds(s, "query=one+more+present&algorithm=sentence&limit=200", "new.png"));
    printf("found by meaning after %.0f ms\n", (double)took / 1e3);
    json_t *a = suite_search(s, "query=Present&algorithm=sentence");
    assert_string_equal(json_string_value(json_array_get(json_object_get(a, "filenames"), 0)), "new.png");
    json_decref(a);
    settle(s, "test/many", 102, 1 + 100 * 42 + 3); /* the titles are file names here */
}

/* A phrase is encoded once, whoever has it, whatever else a document has, and also over a restart. */
static void only_what_is_new_is_encoded(void **state)
{
    struct suite *s = *state;
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten, pet;de:katze, kater");
    put(s, "b.png", "Cat", "en:pet, tiger;de:Katze");
    settle(s, "test/many", 2, 6);
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors"), 6);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors WHERE length(code) <> 32 + 4"), 0);
    mark_all(s);

    suite_start(s); /* nothing is encoded anew */
    settle(s, "test/many", 2, 6);
    put(s, "a.png", "cat", "en:kitten, pet, mouser;de:katze, kater"); /* one more keyword */
    settle(s, "test/many", 2, 7);
    put(s, "c.png", "tiger", "de:kater"); /* others have all of it, though a tiger in English; and for every language */
    settle(s, "test/many", 3, 10);
    put(s, "b.png", "Cat", "en:pet, tiger;de:Katze"); /* no change */
    put(s, "b.png", "Cat", "en:pet");                 /* less */
    suite_send(s, "DELETE", "/api/documents/c.png", NULL, 204);
    settle(s, "test/many", 2, 10);
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors"), 7);
    assert_int_equal(unmarked(s), 1); /* the mouser */
    assert_int_equal(ask_db(s, "SELECT phrase = 'mouser' FROM phrase_vectors WHERE code <> (SELECT code FROM"
                               " phrase_vectors ORDER BY phrase LIMIT 1)"),
                     1);

    /* What the database has of another size, or damaged, is made anew. */
    ask_db(s, "UPDATE phrase_vectors SET code = x'00' WHERE phrase = 'cat'");
    suite_start(s);
    settle(s, "test/many", 2, 6); /* nobody has a tiger any more */
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors WHERE length(code) <> 32 + 4"), 0);
}

/* As many words as a document may have, each byte of which JSON stores as two. Fails where `sign` takes too many. */
static void put_long(struct suite *s, const char *filename, char sign, int status)
{
    char word[16376 + 1], path[100];
    memset(word, sign, sizeof word - 1);
    word[sizeof word - 1] = '\0';
    word[0] = 'a';
    json_t *lists = json_array();
    for (int i = 0; i < 16; i++) {
        char tag[8];
        snprintf(tag, sizeof tag, "de-%c%c", 'A' + i, 'A' + i);
        json_array_append_new(lists, json_pack("{s:s, s:s}", "language", tag, "words", word));
    }
    json_t *document = json_pack("{s:o}", "words", lists);
    char *body = json_dumps(document, 0);
    snprintf(path, sizeof path, "/api/documents/%s", filename);
    suite_send(s, "PUT", path, body, status);
    free(body);
    json_decref(document);
}

/* A batch of the largest documents that are accepted is encoded, and keeps no others from it. */
static void the_largest_documents_are_encoded(void **state)
{
    struct suite *s = *state;
    char name[32];
    model_of_many(s, "test--many");
    suite_start(s);
    put_long(s, "refused.png", '\x01', 400);
    for (int i = 0; i < 17; i++) {
        snprintf(name, sizeof name, "n%d.png", i);
        put_long(s, name, '"', 200);
    }
    put(s, "last.png", "cat", "");
    settle(s, "test/many", 18, 3);
    suite_stop(s);
    suite_start(s); /* and read at the next start */
    settle(s, "test/many", 18, 3);
}

/* What is like a document is a list of the same length and order, whichever pages it is asked for in. */
static void pages_of_what_is_alike_fit_together(void **state)
{
    enum { DOCUMENTS = 1010 };
    struct suite *s = *state;
    char name[32], title[32];
    model_of_many(s, "test--many");
    suite_start(s);
    for (int i = 0; i < DOCUMENTS; i++) {
        snprintf(name, sizeof name, "n%d.png", i);
        snprintf(title, sizeof title, "word%d", i);
        put(s, name, title, "");
    }
    settle(s, "test/many", DOCUMENTS, DOCUMENTS);
    static const char *const asked[] = {"like=n5.png", "query=good+word&min_score=-5"};
    for (size_t k = 0; k < sizeof asked / sizeof *asked; k++) {
        json_int_t total = -1, found = 0;
        for (int offset = 0; offset < DOCUMENTS + 100; offset += 100) {
            char parameters[200];
            snprintf(parameters, sizeof parameters, "%s&algorithm=sentence&limit=100&offset=%d", asked[k], offset);
            json_t *a = suite_search(s, parameters);
            json_int_t told = json_integer_value(json_object_get(a, "total"));
            if (total >= 0 && told != total)
                fail_msg("%s: total is %lld, then %lld", parameters, (long long)total, (long long)told);
            total = told;
            found += (json_int_t)json_array_size(json_object_get(a, "filenames"));
            json_decref(a);
        }
        assert_int_equal(found, total);
    }
}

/* The phrases that were encoded are kept; the documents that they are of come with the next start. */
static void stopping_does_not_wait_for_thousands_of_phrases(void **state)
{
    enum { DOCUMENTS = 17, PHRASES = 1699 };
    struct suite *s = *state;
    char name[32];
    struct buf words;
    model_of_many(s, "test--many");
    suite_start(s);
    buf_init(&words, 32 << 10);
    for (int i = 0; i < DOCUMENTS; i++) {
        buf_reset(&words);
        buf_puts(&words, "en:");
        for (int k = 0; k < PHRASES; k++)
            buf_printf(&words, "%sw%d.%d", k ? "," : "", i, k);
        snprintf(name, sizeof name, "n%d.png", i);
        put(s, name, name, buf_str(&words));
    }
    buf_free(&words);
    int64_t start = os_monotonic_us();
    suite_stop(s);
    int64_t took = os_monotonic_us() - start;
    if (ask_db(s, "SELECT count(*) FROM phrase_vectors") >= DOCUMENTS * PHRASES && took > 300000)
        fail_msg("it stopped after %.2f s, when all phrases were encoded", (double)took / 1e6);
}

/* "Drops its vectors; a loaded model encodes everything anew." */
static void what_is_forgotten_is_encoded_anew(void **state)
{
    struct suite *s = *state;
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten, pet;de:katze, kater");
    put(s, "b.png", "dog", "en:pet");
    settle(s, "test/many", 2, 6);
    suite_stop(s);
    mark_all(s);
    suite_start(s);
    settle(s, "test/many", 2, 6);
    suite_send(s, "POST", "/api/models/forget", "{\"id\":\"test/many\"}", 204);
    settle(s, "test/many", 2, 6);
    assert_true(asks_sentences(s, "query=kitten"));
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors"), 6);
    assert_int_equal(unmarked(s), 5);
}

/* Models of English alone are asked in English; where another model knows the query's language, that is asked. */
static void each_language_has_its_model(void **state)
{
    struct suite *s = *state;
    english_model(s, "test--en");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten, happy birthday;el:γάτα, γατάκι;de:katze");
    put(s, "b.png", "dog", "en:puppy, quick brown fox;el:σκύλος;de:hund");
    settle(s, "test/en", 2, 6);
    assert_true(asks_sentences(s, "query=happy+birthday"));
    assert_true(asks_sentences(s, "query=happy+birthday&lang=en"));
    assert_false(asks_sentences(s, "query=%CE%B3%CE%AC%CF%84%CE%B1")); /* γάτα */
    assert_false(asks_sentences(s, "query=%CE%B3%CE%AC%CF%84%CE%B1&lang=en"));
    assert_false(asks_sentences(s, "query=schlaf+gut&lang=en"));
    suite_stop(s);

    model_of_many(s, "test--many");
    suite_start(s);
    settle(s, "test/en", 2, 6);
    settle(s, "test/many", 2, 11);
    static const char *const queries[] = {"query=%CE%B3%CE%AC%CF%84%CE%B1&algorithm=sentence",
                                          "query=schlaf+gut&algorithm=sentence", "query=katze&algorithm=sentence",
                                          "query=kitten&algorithm=sentence", "query=good+cat&algorithm=sentence"};
    char with[200], without[200];
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(with, sizeof with, "%s&model=test/%s", queries[i], i < 3 ? "many" : "en");
        snprintf(without, sizeof without, "%s&model=test/%s", queries[i], i < 3 ? "en" : "many");
        expect_same(s, queries[i], with, true);
        expect_same(s, queries[i], without, false);
    }
    assert_true(asks_sentences(s, "query=%CE%B3%CE%AC%CF%84%CE%B1"));

    /* One that somebody chose is asked wherever it knows the language. */
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"test/many\"}", 200);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(with, sizeof with, "%s&model=test/many", queries[i]);
        expect_same(s, queries[i], with, true);
    }
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"test/en\"}", 200);
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        snprintf(with, sizeof with, "%s&model=test/%s", queries[i], i < 3 ? "many" : "en");
        expect_same(s, queries[i], with, true);
    }
}

/* Of two that would do, the first by name, which is also named as the default. */
static void the_first_by_name_is_asked(void **state)
{
    struct suite *s = *state;
    english_model(s, "a--en");
    make_model(s, "b--en", "xlm-roberta", "en");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten");
    put(s, "b.png", "dog", "en:puppy");
    settle(s, "a/en", 2, 4);
    settle(s, "b/en", 2, 4);
    json_t *a = suite_get(s, "/api/models");
    assert_true(json_is_true(json_object_get(model_of(a, "a/en"), "default")));
    json_decref(a);
    expect_same(s, "query=good+cat&algorithm=sentence", "query=good+cat&algorithm=sentence&model=a/en", true);
    expect_same(s, "query=good+cat&algorithm=sentence", "query=good+cat&algorithm=sentence&model=b/en", false);
}

/* What has a name in one language only is found in others, by a model that knows both. */
static void documents_are_found_in_other_languages(void **state)
{
    struct suite *s = *state;
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "a.png", "Hund", "de:welpe");
    put(s, "b.png", "cat", "en:kitten");
    settle(s, "test/many", 2, 6); /* what it is called in German counts as of no language, too */
    static const char *const queries[] = {"good+dog", "kitten", "schlaf+gut", "%CE%B3%CE%AC%CF%84%CE%B1"};
    for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
        char parameters[100];
        snprintf(parameters, sizeof parameters, "query=%s&algorithm=sentence", queries[i]);
        assert_true(finds(s, parameters, "a.png") && finds(s, parameters, "b.png"));
    }
}

static void only_languages_that_are_asked_for_are_encoded(void **state)
{
    struct suite *s = *state;
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "a.png", "cat", "de:katze;fr:chat, minou;es:gato");
    put(s, "b.png", "chien", "fr:toutou"); /* nothing else: these are of no language, and everybody finds them */
    settle(s, "test/many", 2, 6);
    assert_true(finds(s, "query=toutou&algorithm=sentence&limit=1", "b.png"));
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM phrase_vectors WHERE phrase IN ('chat', 'minou', 'gato')"), 0);
    language_set_add(&s->cfg.languages, LANGUAGE_fr);
    mark_all(s);
    suite_start(s);
    settle(s, "test/many", 2, 10); /* a language more */
    suite_stop(s);
    assert_int_equal(unmarked(s), 2);
    s->cfg.languages = (struct language_set){0};
    suite_start(s);
    settle(s, "test/many", 2, 4); /* titles are English only where something says so: here all are of no language */
}

/* --- folders that are no models --- */

static void settle_failed(struct suite *s, const char *id, const char *why)
{
    for (int i = 0; i < 400 * suite_slow(); i++) {
        json_t *models = suite_get(s, "/api/models"), *m = model_of(models, id);
        const char *error = json_string_value(json_object_get(m, "error"));
        bool failed = strcmp(json_string_value(json_object_get(m, "state")), "failed") == 0;
        if (failed && (!error || !strstr(error, why)))
            fail_msg("model %s: expected \"%s\", found %s", id, why, error ? error : "no reason");
        json_decref(models);
        if (failed)
            return;
        suite_sleep_ms(25);
    }
    fail_msg("model %s did not fail", id);
}

static void bad_folders_keep_nobody_from_searching(void **state)
{
    struct suite *s = *state;
    struct buf weights;
    static const char shape[] = "{\"model_type\":\"bert\",\"hidden_size\":24,\"num_attention_heads\":4,"
                                "\"num_hidden_layers\":3,\"intermediate_size\":36,\"vocab_size\":4000,"
                                "\"max_position_embeddings\":40,\"type_vocab_size\":2,\"layer_norm_eps\":1e-12,"
                                "\"hidden_act\":\"gelu\"}";
    make_model(s, "bad--shape", "bert", "en");
    write_to(s, "bad--shape", "config.json", shape, sizeof shape - 1);
    make_model(s, "bad--cut", "bert", "en");
    read_golden("bert", "model.safetensors", &weights);
    write_to(s, "bad--cut", "model.safetensors", weights.data, weights.len - 100);
    make_model(s, "bad--json", "bert", "en");
    write_to(s, "bad--json", "config.json", "{\"model_type\":", 14);
    make_model(s, "bad--language", "bert", "xx");
    make_model(s, "bad--tokenizer", "bert", "en");
    write_to(s, "bad--tokenizer", "tokenizer.json", "{}", 2);
    make_model(s, "bad--nan", "bert", "en");
    memset((char *)weights.data + weights.len - 4000, 0xff, 4000); /* NaN in float16 */
    write_to(s, "bad--nan", "model.safetensors", weights.data, weights.len);
    make_model(s, "bad--empty", "bert", "en");
    write_to(s, "bad--empty", "model.safetensors", "", 0);
    english_model(s, "good--en");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten");
    assert_true(finds(s, "query=kitten&algorithm=lexical", "a.png")); /* whatever is still loading */
    settle_failed(s, "bad/shape", "bad--shape");
    settle_failed(s, "bad/cut", "bad--cut");
    settle_failed(s, "bad/json", "config.json");
    settle_failed(s, "bad/language", "language");
    settle_failed(s, "bad/tokenizer", "tokenizer");
    settle_failed(s, "bad/nan", "finite");
    settle_failed(s, "bad/empty", "bad--empty");
    settle(s, "good/en", 1, 2);
    assert_true(asks_sentences(s, "query=kitten"));
    assert_true(finds(s, "query=kitten&algorithm=sentence", "a.png"));
    put(s, "b.png", "dog", "en:puppy"); /* the changes go on, too */
    settle(s, "good/en", 2, 4);
    suite_send(s, "DELETE", "/api/documents/a.png", NULL, 204);
    settle(s, "good/en", 1, 4);
    int status;
    json_t *a = suite_ask(s, "GET", "/api/search/?query=x&algorithm=sentence&model=bad/nan", NULL, NULL, 0, &status);
    assert_int_equal(status, 503);
    assert_non_null(strstr(json_string_value(json_object_get(a, "detail")), "bad/nan"));
    json_decref(a);
    buf_free(&weights);
}

/* --- answers --- */

static void results_have_a_confidence_that_falls(void **state)
{
    struct suite *s = *state;
    char name[32], title[64];
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten");
    json_t *a = suite_search(s, "query=kitten"), *result;
    assert_null(json_object_get(json_array_get(json_object_get(a, "results"), 0), "confidence")); /* letters alone */
    json_decref(a);
    suite_stop(s);
    english_model(s, "test--en");
    suite_start(s);
    for (int i = 0; i < 30; i++) {
        snprintf(name, sizeof name, "n%02d.png", i);
        snprintf(title, sizeof title, "number %d of the happy kittens", i);
        put(s, name, title, "");
    }
    settle(s, "test/en", 31, 32);
    static const char *const queries[] = {"query=kitten&limit=100", "query=happy+birthday+number&limit=100",
                                          "query=cat&limit=100"};
    for (size_t k = 0; k < sizeof queries / sizeof *queries; k++) {
        double last = 1;
        size_t i;
        a = suite_search(s, queries[k]);
        assert_true(suite_has_leg(a, "sentence"));
        assert_true(json_array_size(json_object_get(a, "results")) > 0);
        json_array_foreach(json_object_get(a, "results"), i, result)
        {
            json_t *confidence = json_object_get(result, "confidence");
            assert_true(json_is_real(confidence));
            assert_true(json_real_value(confidence) >= 0 && json_real_value(confidence) <= last);
            last = json_real_value(confidence);
        }
        json_decref(a);
    }
    assert_true(finds(s, "query=kitten&limit=1", "a.png")); /* its very keyword */
}

static json_t *named(json_t *list, const char *name)
{
    json_t *item;
    size_t i;
    json_array_foreach(list, i, item)
    {
        if (strcmp(json_string_value(json_object_get(item, "name")), name) == 0)
            return item;
    }
    fail_msg("there is no \"%s\"", name);
    return NULL;
}

static bool has_match(json_t *leg, const char *term, const char *in)
{
    json_t *match;
    size_t i;
    json_array_foreach(json_object_get(leg, "terms"), i, match)
    {
        if (strcmp(json_string_value(json_object_get(match, "term")), term) == 0 &&
            strcmp(json_string_value(json_object_get(match, "in")), in) == 0)
            return true;
    }
    return false;
}

/* An explanation tells of the search that it explains: the same order and scores, the latter the sum of their parts. */
static void a_search_is_explained(void **state)
{
    struct suite *s = *state;
    english_model(s, "test--en");
    suite_start(s);
    put(s, "a.png", "cat", "en:kitten");
    put(s, "b.png", "dog", "en:puppy;de:Katze");
    put(s, "c.png", "happy kittens", "");
    settle(s, "test/en", 3, 5);
    json_t *found = suite_search(s, "query=kitten&lang=en"), *results = json_object_get(found, "results"), *document;
    json_t *why = suite_get(s, "/api/explain?query=kitten&lang=en"), *documents = json_object_get(why, "documents");
    assert_string_equal(json_string_value(json_object_get(why, "language")), "en");
    assert_string_equal(json_string_value(json_object_get(why, "algorithm")), "hybrid");
    assert_string_equal(json_string_value(json_object_get(why, "kind")), "word");
    assert_true(json_equal(json_object_get(why, "total"), json_object_get(found, "total")));
    assert_string_equal(json_string_value(json_object_get(named(json_object_get(why, "legs"), "sentence"), "state")),
                        "answered");
    assert_string_equal(json_string_value(json_object_get(named(json_object_get(why, "legs"), "vector"), "state")),
                        "unused");
    assert_int_equal(json_array_size(documents), json_array_size(results));
    size_t i, k;
    json_array_foreach(documents, i, document)
    {
        json_t *result = json_array_get(results, i), *leg;
        assert_true(json_equal(json_object_get(document, "filename"), json_object_get(result, "filename")));
        assert_true(json_equal(json_object_get(document, "score"), json_object_get(result, "score")));
        assert_int_equal(json_integer_value(json_object_get(document, "rank")), i + 1);
        double sum = 0;
        json_array_foreach(json_object_get(document, "legs"), k, leg) sum +=
            json_number_value(json_object_get(leg, "adds"));
        assert_true(fabs(sum - json_number_value(json_object_get(document, "score"))) < 1e-3);
    }
    json_decref(found);
    json_decref(why);

    why = suite_get(s, "/api/explain?query=kitten&lang=en&document=a.png");
    document = json_array_get(json_object_get(why, "documents"), 0);
    assert_true(json_is_true(json_object_get(document, "indexed")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(document, "phrases"), "en")), 2);
    json_t *sentence = named(json_object_get(document, "legs"), "sentence");
    assert_string_equal(json_string_value(json_object_get(sentence, "best_phrase")), "kitten");
    assert_true(json_number_value(json_object_get(sentence, "best_phrase_similarity")) == 1);
    json_t *lexical = named(json_object_get(document, "legs"), "lexical");
    assert_true(has_match(lexical, "kitten", "words") && !has_match(lexical, "kitten", "title"));
    json_decref(why);

    why = suite_get(s, "/api/explain?query=katze&lang=de&algorithm=lexical&document=b.png");
    document = json_array_get(json_object_get(why, "documents"), 0);
    lexical = named(json_object_get(document, "legs"), "lexical");
    assert_int_equal(json_integer_value(json_object_get(document, "rank")), 1);
    assert_int_equal(json_integer_value(json_object_get(lexical, "rank")), 1);
    assert_true(json_array_size(json_object_get(lexical, "terms")) > 0);
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(lexical, "terms"), 0), "in")),
                        "de");
    json_decref(why);

    /* Weights of its own change the order here, and no search's. */
    why = suite_get(s, "/api/explain?query=kitten&lang=en&weights=sentence:0,lexical:2");
    json_t *legs = json_object_get(why, "legs");
    assert_true(json_number_value(json_object_get(named(legs, "sentence"), "weight")) == 0);
    assert_true(json_number_value(json_object_get(named(legs, "lexical"), "configured_weight")) == 2);
    json_decref(why);

    why = suite_get(s, "/api/explain?query=kitten&document=none.png");
    document = json_array_get(json_object_get(why, "documents"), 0);
    assert_true(json_is_false(json_object_get(document, "indexed")));
    json_decref(why);
    suite_send(s, "GET", "/api/explain?document=a.png", NULL, 400);
    suite_send(s, "GET", "/api/explain?like=a.png", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&document=..%2fa", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&weights=lexical", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&weights=lexical:1x", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&weights=words:-1", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&weights=nobody:1", NULL, 400);
    suite_send(s, "GET", "/api/explain?query=cat&limit=51", NULL, 400);
}

/* What one service encodes the other reads, also for documents that come, change and go while it runs. */
static void services_on_one_database_share_vectors(void **state)
{
    struct suite *a = *state, b = *a;
    char cache[120];
    model_of_many(a, "test--many");
    snprintf(cache, sizeof cache, "%s/cache-b", a->dir);
    b.cfg.cache_dir = cache;
    suite_start(a);
    suite_start(&b);
    settle(a, "test/many", 0, 0);
    settle(&b, "test/many", 0, 0);
    put(a, "a.png", "cat", "en:kitten;de:katze, kater");
    put(a, "b.png", "dog", "en:puppy;de:hund");
    settle(a, "test/many", 2, 7);
    int64_t start = os_monotonic_us();
    settle(&b, "test/many", 2, 7);
    printf("phrases at the other service after %.2f s\n", (double)(os_monotonic_us() - start) / 1e6);
    assert_true(os_monotonic_us() - start < 2000000 * suite_slow());
    expect_same(a, "query=good+cat&algorithm=sentence", "query=good+kitten&algorithm=sentence", false);
    char here[2000], there[2000];
    for (const char *const *q = (const char *const[]){"query=good+cat&algorithm=sentence", "query=schlaf+gut", NULL};
         *q; q++)
        assert_string_equal(scores(a, *q, here), scores(&b, *q, there));
    put(&b, "a.png", "cat", "en:kitten, mouser");
    suite_send(&b, "DELETE", "/api/documents/b.png", NULL, 204);
    settle(&b, "test/many", 1, 8);
    settle(a, "test/many", 1, 8);
    assert_string_equal(scores(a, "query=good+cat&algorithm=sentence", here),
                        scores(&b, "query=good+cat&algorithm=sentence", there));
    suite_stop(&b);
}

/* --- many at once --- */

static atomic_bool stop_searching;

static void *search_on(void *arg)
{
    struct suite *s = arg;
    size_t wrong = 0;
    for (unsigned i = 0; !atomic_load(&stop_searching); i++) {
        static const char *const paths[] = {"/api/search/?query=kitten&limit=50", "/api/search/?query=schlaf+gut",
                                            "/api/search/?query=%CE%B3%CE%AC%CF%84%CE%B1", "/api/models",
                                            "/api/search/?like=steady.png"};
        struct http_call call = {.method = "GET", .path = paths[i % 5], .timeout_ms = 60000};
        struct buf out;
        int status = 0;
        buf_init(&out, 1u << 20);
        wrong += http_client_call(s->client, &call, &status, &out, NULL) != OK || status != 200;
        buf_free(&out);
    }
    return (void *)wrong;
}

static void changes_while_searching_are_right(void **state)
{
    struct suite *s = *state;
    pthread_t threads[3];
    char name[32], title[64], words[100];
    english_model(s, "test--en");
    model_of_many(s, "test--many");
    suite_start(s);
    put(s, "steady.png", "kitten", "");
    atomic_store(&stop_searching, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, s), 0); /* also while the models load */
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "n%02d.png", i % 20);
        snprintf(title, sizeof title, "title %d", i % 50);
        snprintf(words, sizeof words, "en:kitten, word %d;de:wort %d;el:γάτα", i % 30, i % 25);
        if (i % 9 == 8 && i > 40) {
            char path[64];
            snprintf(path, sizeof path, "/api/documents/%s", name);
            suite_send(s, "DELETE", path, NULL, 204);
        } else {
            put(s, name, title, words);
        }
        if (i == 100)
            suite_send(s, "POST", "/api/models/forget", "{\"id\":\"test/many\"}", 204);
    }
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "n%02d.png", i);
        put(s, name, "final", "en:done;de:fertig");
    }
    for (const char *const *id = (const char *const[]){"test/en", "test/many", NULL}; *id; id++)
        for (int i = 0;; i++) {
            json_t *models = suite_get(s, "/api/models"), *m = model_of(models, *id);
            bool done = json_integer_value(json_object_get(m, "indexed")) == 21 &&
                        json_integer_value(json_object_get(m, "pending")) == 0 &&
                        json_integer_value(json_object_get(json_object_get(m, "phrases"), "pending")) == 0;
            json_decref(models);
            if (done)
                break;
            assert_true(i < 600 * suite_slow());
            suite_sleep_ms(20);
        }
    atomic_store(&stop_searching, true);
    for (size_t i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    json_t *a = suite_search(s, "query=done&algorithm=sentence&limit=100");
    assert_int_equal(json_array_size(json_object_get(a, "filenames")), 21);
    for (size_t i = 0; i < 20; i++) { /* nothing of the middle remains: they are all called the same */
        json_t *result = json_array_get(json_object_get(a, "results"), i);
        assert_true(json_number_value(json_object_get(result, "score")) ==
                    json_number_value(json_object_get(json_array_get(json_object_get(a, "results"), 0), "score")));
    }
    json_decref(a);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {T(a_document_is_found_by_meaning_within_a_second),
                                       T(only_what_is_new_is_encoded),
                                       T(what_is_forgotten_is_encoded_anew),
                                       T(the_largest_documents_are_encoded),
                                       T(pages_of_what_is_alike_fit_together),
                                       T(stopping_does_not_wait_for_thousands_of_phrases),
                                       T(each_language_has_its_model),
                                       T(the_first_by_name_is_asked),
                                       T(documents_are_found_in_other_languages),
                                       T(only_languages_that_are_asked_for_are_encoded),
                                       T(bad_folders_keep_nobody_from_searching),
                                       T(results_have_a_confidence_that_falls),
                                       T(a_search_is_explained),
                                       T(services_on_one_database_share_vectors),
                                       T(changes_while_searching_are_right)};
    const char *only = getenv("PEEL_TEST_ONLY"); /* one that runs over any database */
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
