/* SearchService with a model of texts and none of images: documents are encoded by their words, found by the leg
 * `sentence`, and encoded anew when their words change. The model is a table of random numbers (tests/golden/static).
 */
#include "search_suite.h"

#include "search_store/search_store.h"

#define MODEL "test/table"

static struct suite suite;

static void put_file(const char *from, const char *dir, const char *name)
{
    char path[400];
    struct buf b;
    buf_init(&b, 4 << 20);
    snprintf(path, sizeof path, "%s/%s", from, name);
    assert_int_equal(os_read_file(path, &b, NULL), OK);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(os_write_file(path, b.data, b.len, NULL), OK);
    buf_free(&b);
}

static int begin(void **state)
{
    char dir[300];
    *state = &suite;
    suite_begin(&suite);
    snprintf(dir, sizeof dir, "%s/test--table", suite.models);
    assert_int_equal(os_mkdirs(dir, NULL), OK);
    put_file("tests/golden/static/plain", dir, "config.json");
    put_file("tests/golden/static/plain", dir, "model.safetensors");
    put_file("tests/golden/token_ids/unigram", dir, "tokenizer.json");
    return 0;
}

static int end(void **state)
{
    suite_end(*state);
    return 0;
}

/* Waits until the model has a vector for `indexed` documents and knows of no other work. */
static void settle(struct suite *s, json_int_t indexed)
{
    for (int i = 0; i < 1200; i++) {
        json_t *a = suite_get(s, "/api/models"), *m = json_array_get(json_object_get(a, "models"), 0);
        assert_string_equal(json_string_value(json_object_get(m, "id")), MODEL);
        bool done = strcmp(json_string_value(json_object_get(m, "state")), "ready") == 0 &&
                    json_integer_value(json_object_get(m, "pending")) == 0 &&
                    json_integer_value(json_object_get(m, "indexed")) == indexed;
        json_decref(a);
        if (done)
            return;
        suite_sleep_ms(25);
    }
    fail_msg("%lld documents were not indexed", (long long)indexed);
}

static const char *first(json_t *answer)
{
    return json_string_value(json_array_get(json_object_get(answer, "filenames"), 0));
}

static void words_are_found_by_sentences(void **state)
{
    struct suite *s = *state;
    suite_start(s);
    suite_put(s, "a.png", "the quick brown fox", "", NULL);
    suite_put(s, "b.png", "lazy dog", "sleeping, tired", NULL);
    suite_put(s, "c.png", "", "", NULL); /* nothing to encode */
    settle(s, 2);

    /* Letters find nothing of these tokens in another order and without the title's end; the vectors do. */
    json_t *a = suite_get(s, "/api/search/?query=brown+quick+xyzzy");
    assert_string_equal(json_string_value(json_object_get(a, "algorithm")), "hybrid"); /* a model is reason enough */
    assert_true(suite_has_leg(a, "sentence") && !suite_has_leg(a, "vector"));
    assert_true(json_is_null(json_object_get(a, "model")));
    assert_string_equal(first(a), "a.png");
    assert_int_equal(json_integer_value(json_object_get(a, "total")), 2);
    json_decref(a);
    a = suite_get(s, "/api/search/?like=b.png");
    assert_true(suite_has_leg(a, "sentence"));
    assert_string_equal(first(a), "a.png");
    json_decref(a);

    a = suite_get(s, "/api/models");
    json_t *m = json_array_get(json_object_get(a, "models"), 0);
    assert_int_equal(json_integer_value(json_object_get(m, "dim")), 16);
    assert_string_equal(json_string_value(json_object_get(m, "leg")), "sentence");
    assert_true(json_is_true(json_object_get(m, "default")) && json_is_null(json_object_get(a, "default")));
    assert_string_equal(json_string_value(json_object_get(m, "precision")), "fp32");
    assert_true(json_integer_value(json_object_get(json_object_get(m, "info"), "vocabulary")) > 0);
    json_decref(a);
}

/* The default of images names a model of texts, as an older `peel model use` may have left it. */
static void each_leg_has_its_own_default(void **state)
{
    struct suite *s = *state;
    suite_start(s);
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"" MODEL "\"}", 200);
    suite_stop(s);
    struct search_store *store;
    struct error err;
    assert_int_equal(search_store_open(s->db, 1, &store, &err), OK);
    assert_int_equal(search_store_setting_set(store, "model.default", MODEL, &err), OK);
    search_store_close(store);
    suite_start(s);
    suite_put(s, "a.png", "the quick brown fox", "", NULL);
    settle(s, 1);
    json_t *a = suite_get(s, "/api/search/?query=quick");
    assert_true(suite_has_leg(a, "sentence") && !suite_has_leg(a, "vector"));
    json_decref(a);
    int status;
    a = suite_ask(s, "GET", "/api/search/?query=quick&algorithm=vector", NULL, NULL, 0, &status);
    assert_int_equal(status, 503);
    json_decref(a);
}

static void changed_words_are_encoded_anew(void **state)
{
    struct suite *s = *state;
    suite_start(s);
    suite_put(s, "a.png", "the quick brown fox", "", NULL);
    suite_put(s, "b.png", "lazy dog", "", NULL);
    settle(s, 2);
    suite_put(s, "b.png", "brown quick", "", NULL);
    suite_put(s, "a.png", "happy birthday", "", NULL);
    settle(s, 2);
    json_t *a = suite_get(s, "/api/search/?query=quick+brown+xyzzy&limit=1");
    assert_true(suite_has_leg(a, "sentence"));
    assert_string_equal(first(a), "b.png");
    json_decref(a);
    suite_put(s, "b.png", "", "", NULL); /* what has no words any more has no vector either */
    settle(s, 1);
    suite_stop(s);
    suite_start(s);
    settle(s, 1);
    suite_send(s, "DELETE", "/api/documents/a.png", NULL, 204);
    settle(s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(words_are_found_by_sentences, begin, end),
        cmocka_unit_test_setup_teardown(each_leg_has_its_own_default, begin, end),
        cmocka_unit_test_setup_teardown(changed_words_are_encoded_anew, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
