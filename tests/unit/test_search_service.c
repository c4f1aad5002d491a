/* SearchService without a model: documents, the lexical search, and every wrong request. */
#include "search_suite.h"

static struct suite suite;

static int begin(void **state)
{
    *state = &suite;
    suite_begin(&suite);
    suite_start(&suite);
    return 0;
}

static int begin_with_small_bodies(void **state)
{
    *state = &suite;
    suite_begin(&suite);
    suite.cfg.max_body = 60000; /* what fits the socket's buffer: the client has sent it all by the 413 */
    suite_start(&suite);
    return 0;
}

static int end(void **state)
{
    suite_end(*state);
    return 0;
}

static void documents_are_found_by_their_words(void **state)
{
    struct suite *s = *state;
    char names[1024];
    suite_put(s, "cat.png", "Sleeping cat", "kitten, \xf0\x9f\x90\xb1", NULL);
    suite_put(s, "dog.png", "Happy dog", "puppy, park", NULL);
    suite_put(s, "catfish.png", "Fish", "catfish", NULL);
    suite_put(s, "park_bench-01.png", "Bench", "", NULL);
    assert_string_equal(suite_names(s, "/api/search/?query=cats", names), "cat.png");
    assert_string_equal(suite_names(s, "/api/search?query=%F0%9F%90%B1", names), "cat.png");
    assert_string_equal(suite_names(s, "/api/search/?query=cat", names), "cat.png catfish.png");
    assert_string_equal(suite_names(s, "/api/search/?query=cat&algorithm=words", names), "cat.png");
    assert_string_equal(suite_names(s, "/api/search/?query=in+the+park", names), "dog.png park_bench-01.png");
    assert_string_equal(suite_names(s, "/api/search/?query=zebra", names), "");
    assert_string_equal(suite_names(s, "/api/search/?query=!!!", names), "");
    assert_string_equal(suite_names(s, "/api/search/?query=%22cat%22+OR+*", names), "cat.png");

    suite_put(s, "cat.png", "A lion", "", NULL);
    assert_string_equal(suite_names(s, "/api/search/?query=kitten", names), "");
    suite_send(s, "DELETE", "/api/documents/cat.png", NULL, 204);
    suite_send(s, "DELETE", "/api/documents/cat.png", NULL, 204);
    assert_string_equal(suite_names(s, "/api/search/?query=lion", names), "");
}

static void a_search_by_letters_is_filtered(void **state)
{
    struct suite *s = *state;
    char names[1024];
    static const char *const documents[][2] = {
        {"/api/documents/a.png", "{\"title\":\"cat\",\"pack\":\"Farm & garden\"}"},
        {"/api/documents/b.png", "{\"title\":\"cat\",\"rating\":\"pg-13\",\"pack\":\"Farm\"}"},
        {"/api/documents/c.gif", "{\"title\":\"cat\",\"rating\":\"r\",\"animated\":true,\"pack\":\"Farm & garden\"}"}};
    static const char *const cases[][2] = {{"", "a.png b.png c.gif"},
                                           {"&pack=", "a.png b.png c.gif"},
                                           {"&rating=g", "a.png"},
                                           {"&rating=pg", "a.png"},
                                           {"&rating=pg-13", "a.png b.png"},
                                           {"&rating=r", "a.png b.png c.gif"},
                                           {"&animated=true", "c.gif"},
                                           {"&animated=false", "a.png b.png"},
                                           {"&pack=Farm", "b.png"},
                                           {"&pack=Farm+%26+garden", "a.png c.gif"},
                                           {"&pack=farm", ""},
                                           {"&pack=Farm+%26+garden&rating=pg&animated=false", "a.png"}};
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        suite_send(s, "PUT", documents[i][0], documents[i][1], 200);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200];
        snprintf(path, sizeof path, "/api/search/?query=cat&algorithm=lexical%s", cases[i][0]);
        assert_string_equal(suite_names(s, path, names), cases[i][1]);
    }
}

static void answers_follow_the_contract(void **state)
{
    struct suite *s = *state;
    suite_put(s, "a.png", "tree", "", NULL);
    json_t *json = suite_get(s, "/api/search/?query=tree"), *result;
    assert_string_equal(json_string_value(json_object_get(json, "algorithm")), "lexical");
    assert_true(json_is_null(json_object_get(json, "model")));
    assert_int_equal(json_integer_value(json_object_get(json, "total")), 1);
    assert_int_equal(json_array_size(json_object_get(json, "legs")), 1);
    result = json_array_get(json_object_get(json, "results"), 0);
    assert_true(json_number_value(json_object_get(result, "score")) > 0);
    json_decref(json);

    int status;
    json = suite_ask(s, "PUT", "/api/documents/a.png", "application/json", "{\"title\":\"tree\"}", 16, &status);
    assert_int_equal(status, 200);
    json_decref(json);
    json = suite_ask(s, "PUT", "/api/documents/a.png", "application/json", "{\"title\":\"tree\"}", 16, &status);
    assert_true(json_is_false(json_object_get(json, "changed"))); /* said twice, done once */
    json_decref(json);

    json = suite_get(s, "/api/documents/a.png");
    assert_string_equal(json_string_value(json_object_get(json, "title")), "tree");
    assert_string_equal(json_string_value(json_object_get(json, "pack")), "");
    assert_string_equal(json_string_value(json_object_get(json, "rating")), "g");
    assert_true(json_is_false(json_object_get(json, "animated")));
    json_decref(json);
    suite_send(s, "PUT", "/api/documents/a.png",
               "{\"title\":\"tree\",\"pack\":\"Wood\",\"rating\":\"pg-13\",\"animated\":true}", 200);
    json = suite_get(s, "/api/documents/a.png");
    assert_string_equal(json_string_value(json_object_get(json, "pack")), "Wood");
    assert_string_equal(json_string_value(json_object_get(json, "rating")), "pg-13");
    assert_true(json_is_true(json_object_get(json, "animated")));
    json_decref(json);
    json = suite_get(s, "/api/status");
    assert_int_equal(json_integer_value(json_object_get(json, "documents")), 1);
    assert_string_equal(json_string_value(json_object_get(json, "algorithm")), "lexical");
    assert_int_equal(json_array_size(json_object_get(json, "models")), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(json, "queue"), "pending")), 0);
    json_decref(json);
    json = suite_get(s, "/api/models/");
    assert_true(json_is_null(json_object_get(json, "default")));
    json_decref(json);
    json = suite_get(s, "/readyz");
    assert_string_equal(json_string_value(json_object_get(json, "status")), "ready");
    const json_t *model = json_object_get(json_object_get(json, "checks"), "model");
    assert_string_equal(json_string_value(json_object_get(model, "status")), "none");
    assert_non_null(strstr(json_string_value(json_object_get(model, "message")), "peel model pull"));
    json_decref(json);
    json_decref(suite_get(s, "/healthz"));
    struct buf text;
    buf_init(&text, 1u << 20);
    struct http_call call = {.method = "GET", .path = "/metrics", .timeout_ms = 10000};
    assert_int_equal(http_client_call(s->client, &call, &status, &text, NULL), OK);
    assert_non_null(strstr(buf_str(&text), "\npeel_search_documents 1\n"));
    assert_non_null(strstr(buf_str(&text), "peel_search_searches_total{algorithm=\"lexical\"} 1\n"));
    buf_free(&text);
}

static void pages_fit_together(void **state)
{
    struct suite *s = *state;
    char name[64], path[128], names[1024], all[4096] = "";
    for (int i = 0; i < 45; i++) {
        snprintf(name, sizeof name, "s%02d.png", i * 7 % 45);
        suite_put(s, name, "same words", "", NULL);
    }
    for (int offset = 0; offset < 50; offset += 10) {
        snprintf(path, sizeof path, "/api/search/?query=words&limit=10&offset=%d", offset);
        strcat(strcat(all, suite_names(s, path, names)), " ");
        json_t *json = suite_get(s, path);
        assert_int_equal(json_integer_value(json_object_get(json, "total")), 45);
        json_decref(json);
    }
    for (int i = 0; i < 45; i++) { /* ties by filename */
        snprintf(name, sizeof name, "s%02d.png ", i);
        assert_memory_equal(all + i * 8, name, 8);
    }
    assert_int_equal(strlen(all), 45 * 8);
    assert_string_equal(suite_names(s, "/api/search/?query=words&limit=2&min_score=1e9", names), "");
    assert_string_equal(suite_names(s, "/api/search/?query=words&limit=2&offset=1&min_score=0", names),
                        "s01.png s02.png");
    assert_string_equal(suite_names(s, "/api/search/?like=s01.png&limit=3", names), "s00.png s02.png s03.png");
}

static void hybrid_without_a_model_goes_by_words(void **state)
{
    struct suite *s = *state;
    char names[1024];
    suite_put(s, "a.png", "red apple", "", NULL);
    suite_put(s, "b.png", "red", "apple tree", NULL);
    json_t *json = suite_get(s, "/api/search/?query=apple&algorithm=hybrid");
    assert_string_equal(json_string_value(json_object_get(json, "algorithm")), "hybrid");
    assert_int_equal(json_array_size(json_object_get(json, "legs")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "legs"), 0)), "lexical");
    assert_int_equal(json_integer_value(json_object_get(json, "total")), 2);
    json_decref(json);
    char page[1024];
    suite_names(s, "/api/search/?query=apple&algorithm=hybrid", names);
    suite_names(s, "/api/search/?query=apple&algorithm=hybrid&limit=1", page);
    assert_memory_equal(names, page, strlen(page));
    json = suite_get(s, "/api/search/?query=apple&algorithm=hybrid");
    double scores[2];
    for (size_t i = 0; i < 2; i++)
        scores[i] = json_number_value(json_object_get(json_array_get(json_object_get(json, "results"), i), "score"));
    json_decref(json);
    assert_true(scores[0] > scores[1] && scores[1] > 0);
    char usual[64], other[64];
    for (int i = 0; i < 2; i++) {
        json = suite_get(s, i ? "/api/search/?query=apple&algorithm=hybrid&weights=lexical:0.5,words:0"
                              : "/api/search/?query=apple&algorithm=hybrid");
        snprintf(i ? other : usual, sizeof usual, "%s", json_string_value(json_object_get(json, "ranking")));
        json_decref(json);
    }
    assert_string_not_equal(usual, other);
    char least[100];
    snprintf(least, sizeof least, "/api/search/?query=apple&algorithm=hybrid&min_score=%.6f",
             (scores[0] + scores[1]) / 2);
    assert_string_equal(suite_names(s, least, page), "a.png");
    int status;
    json = suite_ask(s, "GET", "/api/search/?query=apple&algorithm=vector", NULL, NULL, 0, &status);
    assert_int_equal(status, 503);
    assert_non_null(strstr(json_string_value(json_object_get(json, "detail")), "peel model pull"));
    json_decref(json);
}

static void expect_refused(struct suite *s, const char *method, const char *path, const char *type, const char *body,
                           size_t len, int expect, const char *names_it)
{
    int status;
    json_t *json = suite_ask(s, method, path, type, body, len, &status);
    const char *detail = json_string_value(json_object_get(json, "detail"));
    if (status != expect || !detail || !strstr(detail, names_it))
        fail_msg("%s %s %.100s: expected %d \"%s\", found %d \"%s\"", method, path, body ? body : "", expect, names_it,
                 status, detail ? detail : "");
    assert_string_equal(json_string_value(json_object_get(json, "message")), detail);
    json_decref(json);
}

static void wrong_requests_are_refused_by_name(void **state)
{
    static const struct {
        const char *path;
        int status;
        const char *names_it;
    } gets[] = {
        {"/api/search/", 400, "Please provide a query."},
        {"/api/search/?query=", 400, "Please provide a query."},
        {"/api/search/?query=+%09%E3%80%80", 400, "Please provide a query."},
        {"/api/search/?query=%FF", 400, "query"},
        {"/api/search/?query=a%00b", 400, "query"},
        {"/api/search/?query=a&query=b", 400, "query"},
        {"/api/search/?query=a&like=b", 400, "like"},
        {"/api/search/?like=absent.png", 404, "absent.png"},
        {"/api/search/?query=a&limit=0", 400, "limit"},
        {"/api/search/?query=a&limit=1001", 400, "limit"},
        {"/api/search/?query=a&limit=ten", 400, "limit"},
        {"/api/search/?query=a&offset=-1", 400, "offset"},
        {"/api/search/?query=a&offset=100001", 400, "offset"},
        {"/api/search/?query=a&rating=pg13", 400, "rating must be g, pg, pg-13 or r, found \"pg13\""},
        {"/api/search/?query=a&rating=", 400, "rating must be"},
        {"/api/search/?query=a&animated=1", 400, "animated must be true or false, found \"1\""},
        {"/api/search/?query=a&animated=true&animated=true", 400, "animated"},
        {"/api/search/?query=a&algorithm=magic", 400, "\"lexical\", \"words\", \"vector\", \"sentence\", \"hybrid\""},
        {"/api/search/?query=a&model=openai/clip", 400, "known: none"},
        {"/api/search/?query=a&weights=lexical", 400, "weights must be like"},
        {"/api/search/?query=a&weights=magic:1", 400, "weights must be like"},
        {"/api/search/?query=a&min_score=high", 400, "min_score"},
        {"/api/search/?query=a&min_score=nan", 400, "min_score"},
        {"/api/search/?query=a&min_score=1x", 400, "min_score"},
        {"/api/search/?query=a&min_score=", 400, "min_score"},
        {"/api/documents/absent.png", 404, "absent.png"},
        {"/api/nothing", 404, ""},
    };
    static const struct {
        const char *body, *names_it;
    } puts[] = {
        {"", "JSON"},
        {"{", "JSON"},
        {"[]", "the body"},
        {"7", "JSON"},
        {"{\"title\":7}", "title"},
        {"{\"title\":null}", "title"},
        {"{\"title\":\"a\\u0000b\"}", "JSON"},
        {"{\"title\":\"\xff\"}", "JSON"},
        {"{\"title\":\"a\",\"title\":\"b\"}", "JSON"},
        {"{\"titel\":\"a\"}", "titel"},
        {"{\"words\":\"cat\"}", "words must be an array"},
        {"{\"words\":[\"cat\"]}", "words[0] must be an object"},
        {"{\"words\":[{\"language\":\"en\",\"words\":\"a\"},{\"words\":\"b\"}]}", "words[1].language"},
        {"{\"words\":[{\"language\":\"en\"}]}", "words[0].words"},
        {"{\"words\":[{\"language\":\"en\",\"words\":[]}]}", "words[0].words must be a string"},
        {"{\"words\":[{\"language\":\"en\",\"words\":\"a\",\"x\":1}]}", "\"x\""},
        {"{\"words\":[{\"language\":\"a-language-tag-of-forty-bytes-and-more-x\",\"words\":\"a\"}]}",
         "words[0].language is too long"},
        {"{\"sha256\":\"abc\"}", "sha256"},
        {"{\"sha256\":5}", "sha256"},
        {"{\"image\":5}", "image"},
        {"{\"image\":\"!!!\"}", "image must be a base64 string"},
        {"{\"image\":\"aGVsbG8=\"}", "image"},
        {"{\"pack\":5}", "pack must be a string"},
        {"{\"rating\":\"pg13\"}", "rating must be \"g\", \"pg\", \"pg-13\" or \"r\""},
        {"{\"rating\":1}", "rating must be a string"},
        {"{\"animated\":\"true\"}", "animated must be true or false"},
        {"{\"sha256\":\"zz1122334455667788990011223344556677889900112233445566778899aabb\"}", "sha256"},
    };
    static const char *const ids[] = {"",        "{}", "[]", "{\"id\":5}", "{\"id\":\"\"}", "{\"id\":\"a\",\"b\":1}",
                                      "nonsense"};
    struct suite *s = *state;
    for (size_t i = 0; i < sizeof gets / sizeof *gets; i++)
        expect_refused(s, "GET", gets[i].path, NULL, NULL, 0, gets[i].status, gets[i].names_it);
    for (size_t i = 0; i < sizeof puts / sizeof *puts; i++)
        expect_refused(s, "PUT", "/api/documents/a.png", "application/json", puts[i].body, strlen(puts[i].body), 400,
                       puts[i].names_it);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        expect_refused(s, "PUT", "/api/models/default", "application/json", ids[i], strlen(ids[i]), 400, "");
    expect_refused(s, "PUT", "/api/models/default", "application/json", "{\"id\":\"no/such\"}", 16, 400, "no/such");
    expect_refused(s, "POST", "/api/models/retry", "application/json", "{}", 2, 400, "id");
    expect_refused(s, "POST", "/api/models/forget", "application/json", "{}", 2, 400, "id");
    expect_refused(s, "PUT", "/api/documents/.hidden", "application/json", "{}", 2, 400, "hidden");
    expect_refused(s, "PUT", "/api/documents/a%0Ab", "application/json", "{}", 2, 400, "");
    expect_refused(s, "PUT", "/api/documents/a.png", "text/plain", "{}", 2, 415, "text/plain");
    expect_refused(s, "PUT", "/api/documents/a.png", "image/png", "not an image", 12, 400, "image");
    expect_refused(s, "POST", "/api/search/", "application/json", "{}", 2, 405, "");
    expect_refused(s, "POST", "/api/documents/a.png", "application/json", "{}", 2, 405, "");

    char *big = malloc(200000);
    assert_non_null(big);
    memset(big, 'x', 200000);
    expect_refused(s, "PUT", "/api/documents/a.png", "application/json", big, 60001, 413, "60000");
    memcpy(big, "{\"title\":\"", 10);
    memcpy(big + 6000, "\"}", 2);
    expect_refused(s, "PUT", "/api/documents/a.png", "application/json", big, 6002, 400, "title is too long");
    memset(big, '[', 50000); /* nested too deeply for any reader */
    expect_refused(s, "PUT", "/api/documents/a.png", "application/json", big, 50000, 400, "JSON");
    snprintf(big, 400, "/api/search/?query=%0256d", 7);
    expect_refused(s, "GET", big, NULL, NULL, 0, 400, "Query is too long.");
    free(big);

    json_t *json = suite_get(s, "/api/status"); /* nothing of it all was kept */
    assert_int_equal(json_integer_value(json_object_get(json, "documents")), 0);
    json_decref(json);
}

static bool has_synonyms(struct suite *s, json_int_t count, const char *query, const char *expect)
{
    char path[200], names[1024];
    json_t *version = suite_get(s, "/api/synonyms/version");
    bool same = json_integer_value(json_object_get(version, "count")) == count;
    json_decref(version);
    snprintf(path, sizeof path, "/api/search/?query=%s", query);
    return same && strcmp(suite_names(s, path, names), expect) == 0;
}

/* A set replaces the one before, outlasts a kill, and reaches the other SearchService on the database. */
static void synonyms_are_used_and_kept(void **state)
{
    struct suite *s = *state, other = *s;
    char names[1024];
    suite_put(s, "dog.png", "dog", "dog", NULL);
    suite_put(s, "ice.png", "ice cube", "", NULL);
    suite_put(s, "cone.png", "ice cream", "", NULL);
    assert_string_equal(suite_names(s, "/api/search/?query=pupper", names), "");
    suite_send(s, "PUT", "/api/synonyms",
               "{\"synonyms\":[{\"term\":\"puppers\",\"synonyms\":[\"dog\"]},"
               "{\"term\":\"gelato\",\"synonyms\":[\"ice cream\"],\"two_way\":true,\"language\":\"it\"}]}",
               200);
    assert_string_equal(suite_names(s, "/api/search/?query=pupper", names), "dog.png");
    assert_string_equal(suite_names(s, "/api/search/?query=gelato&lang=it", names), "cone.png");
    assert_string_equal(suite_names(s, "/api/search/?query=gelato&lang=en", names), "");
    json_t *why = suite_get(s, "/api/explain?query=pupper&document=dog.png");
    json_t *leg = json_array_get(json_object_get(json_array_get(json_object_get(why, "documents"), 0), "legs"), 0);
    assert_true(json_is_true(json_object_get(json_array_get(json_object_get(leg, "terms"), 0), "synonym")));
    json_decref(why);
    json_t *all = suite_get(s, "/api/synonyms");
    assert_int_equal(json_array_size(json_object_get(all, "synonyms")), 2);
    json_decref(all);

    suite_kill(s);
    suite_start(s);
    assert_true(has_synonyms(s, 2, "pupper", "dog.png"));
    suite_start(&other);
    assert_true(has_synonyms(&other, 2, "pupper", "dog.png"));
    suite_send(&other, "PUT", "/api/synonyms", "{\"synonyms\":[{\"term\":\"ice\",\"synonyms\":[\"dog\"]}]}", 200);
    assert_true(has_synonyms(&other, 1, "pupper", ""));
    for (int i = 0; i < 300 * suite_slow() && !has_synonyms(s, 1, "pupper", ""); i++)
        suite_sleep_ms(20);
    assert_true(has_synonyms(s, 1, "pupper", ""));
    suite_stop(&other);

    static const struct {
        const char *body, *message;
    } wrong[] = {
        {"", "not JSON"},
        {"[]", "the body must be"},
        {"{\"synonyms\":[],\"more\":1}", "the body must be"},
        {"{\"synonyms\":[1]}", "synonyms[0]: it must be an object"},
        {"{\"synonyms\":[{\"synonyms\":[\"a\"]}]}", "synonyms[0]: term must be a string"},
        {"{\"synonyms\":[{\"term\":\"a\"}]}", "synonyms[0]: synonyms must be an array of strings"},
        {"{\"synonyms\":[{\"term\":\"a\",\"synonyms\":[1]}]}", "synonyms[0]: synonyms must be an array of strings"},
        {"{\"synonyms\":[{\"term\":\"a\",\"synonyms\":[]}]}", "synonyms[0]: \"a\" must have 1 to 20 synonyms"},
        {"{\"synonyms\":[{\"term\":\"a\",\"synonyms\":[\"b\"],\"two_way\":1}]}", "two_way must be true or false"},
        {"{\"synonyms\":[{\"term\":\"a\",\"synonyms\":[\"b\"],\"language\":\"no tag\"}]}", "language must be a tag"},
        {"{\"synonyms\":[{\"term\":\"a\",\"synonyms\":[\"b\"],\"terms\":1}]}", "nothing else"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_refused(s, "PUT", "/api/synonyms", "application/json", wrong[i].body, strlen(wrong[i].body), 400,
                       wrong[i].message);
    assert_true(has_synonyms(s, 1, "ice", "ice.png cone.png dog.png"));
    suite_send(s, "PUT", "/api/synonyms", "{\"synonyms\":[]}", 200);
    assert_true(has_synonyms(s, 0, "ice", "ice.png cone.png"));
}

static void documents_survive_a_kill(void **state)
{
    struct suite *s = *state;
    char name[32], names[1024];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "k%d.png", i);
        suite_put(s, name, "survivor", "", NULL);
    }
    suite_kill(s);
    suite_start(s);
    json_t *json = suite_get(s, "/api/search/?query=survivor");
    assert_int_equal(json_integer_value(json_object_get(json, "total")), 20);
    json_decref(json);
    assert_string_equal(suite_names(s, "/api/search/?query=k7", names), "k7.png");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(documents_are_found_by_their_words, begin, end),
        cmocka_unit_test_setup_teardown(a_search_by_letters_is_filtered, begin, end),
        cmocka_unit_test_setup_teardown(answers_follow_the_contract, begin, end),
        cmocka_unit_test_setup_teardown(pages_fit_together, begin, end),
        cmocka_unit_test_setup_teardown(hybrid_without_a_model_goes_by_words, begin, end),
        cmocka_unit_test_setup_teardown(wrong_requests_are_refused_by_name, begin_with_small_bodies, end),
        cmocka_unit_test_setup_teardown(synonyms_are_used_and_kept, begin, end),
        cmocka_unit_test_setup_teardown(documents_survive_a_kill, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
