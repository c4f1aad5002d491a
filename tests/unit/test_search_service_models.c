/* SearchService with models: small random networks from tests/golden, a tokenizer of bytes, pictures of
 * noise. What they mean is nothing; that each is found, kept and forgotten rightly is what counts. It is one file of
 * more than 600 lines because every test needs the same model folders and pictures. */
#include "search_suite.h"

#include "base/utf8.h"
#include "rank/fusion_weights.h"
#include "words/lexicon.h"
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define PICTURES 40

static struct suite suite;

/* --- a model folder --- */

/* The 256 letters of byte-level BPE, with and without "</w>", and the control tokens; no merges. */
static void write_tokenizer(const char *dir)
{
    char path[400], letter[5];
    json_t *vocab = json_object();
    json_int_t id = 3;
    for (unsigned b = 0, next = 256; b < 256; b++) {
        bool own = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        letter[utf8_encode(own ? b : next++, letter)] = '\0';
        json_object_set_new(vocab, letter, json_integer(id++));
        char last[12];
        snprintf(last, sizeof last, "%s</w>", letter);
        json_object_set_new(vocab, last, json_integer(id++));
    }
    json_object_set_new(vocab, "<|startoftext|>", json_integer(598));
    json_object_set_new(vocab, "<|endoftext|>", json_integer(599));
    snprintf(path, sizeof path, "%s/vocab.json", dir);
    assert_int_equal(json_dump_file(vocab, path, 0), 0);
    json_decref(vocab);
    snprintf(path, sizeof path, "%s/merges.txt", dir);
    assert_int_equal(os_write_file(path, "#version: 0.2\n", 14, NULL), OK);
}

static void make_model(struct suite *s, const char *folder)
{
    char dir[300];
    snprintf(dir, sizeof dir, "%s/%s", s->models, folder);
    assert_int_equal(os_mkdirs(dir, NULL), OK);
    suite_link("tests/golden/small", dir, "config.json");
    suite_link("tests/golden/small", dir, "model.safetensors");
    write_tokenizer(dir);
}

static int begin(void **state)
{
    *state = &suite;
    suite_begin(&suite);
    make_model(&suite, "test--small");
    return 0;
}

static int end(void **state)
{
    suite_end(*state);
    return 0;
}

/* --- asking --- */

/* Waits until the model is in `state` and nothing is pending; how many are indexed and failed. */
static void settle(struct suite *s, const char *id, const char *state, json_int_t indexed, json_int_t failed)
{
    json_int_t now_indexed = -1, now_failed = -1;
    for (int i = 0; i < 1200; i++) {
        json_t *status = suite_get(s, "/api/status"), *m = suite_model(status, id);
        bool there = m && strcmp(json_string_value(json_object_get(m, "state")), state) == 0;
        now_indexed = json_integer_value(json_object_get(m, "indexed"));
        now_failed = json_integer_value(json_object_get(m, "failed"));
        bool idle = there && json_integer_value(json_object_get(m, "pending")) == 0;
        json_decref(status);
        if (idle && now_indexed == indexed && now_failed == failed)
            return;
        suite_sleep_ms(50);
    }
    fail_msg("model %s: expected %s, %lld indexed, %lld failed; found %lld and %lld", id, state, (long long)indexed,
             (long long)failed, (long long)now_indexed, (long long)now_failed);
}

static void put_pictures(struct suite *s, int from, int to)
{
    char name[32], sha[65];
    for (int i = from; i < to; i++) {
        snprintf(name, sizeof name, "p%02d.webp", i);
        suite_picture(s, name, (unsigned)i, sha);
        suite_put(s, name, i % 2 ? "odd one" : "even one", "", sha);
    }
}

static const char *legs(json_t *answer)
{
    json_t *l = json_object_get(answer, "legs");
    const char *first = json_string_value(json_array_get(l, 0));
    return json_array_size(l) == 2 ? "both" : first ? first : "none";
}

static double score_at(json_t *answer, size_t i)
{
    return json_number_value(json_object_get(json_array_get(json_object_get(answer, "results"), i), "score"));
}

static const char *name_at(json_t *answer, size_t i)
{
    return json_string_value(json_array_get(json_object_get(answer, "filenames"), i));
}

static json_int_t total_of(json_t *answer)
{
    return json_integer_value(json_object_get(answer, "total"));
}

/* The model's whole ranking of "x", for comparing before and after. */
static char *ranking(struct suite *s, char *out, size_t cap)
{
    json_t *answer = suite_search(s, "query=x&algorithm=vector&limit=100");
    out[0] = '\0';
    for (size_t i = 0; i < json_array_size(json_object_get(answer, "filenames")); i++)
        snprintf(out + strlen(out), cap - strlen(out), "%s ", name_at(answer, i));
    json_decref(answer);
    return out;
}

/* One number from the database of a service that is stopped. */
static int64_t ask_db(struct suite *s, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open_v2(s->db, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : -1;
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return value;
}

/* --- tests --- */

static void images_are_found_by_vectors(void **state)
{
    struct suite *s = *state;
    suite_start(s);
    put_pictures(s, 0, PICTURES);
    settle(s, "test/small", "ready", PICTURES, 0);

    json_t *a = suite_search(s, "query=anything&algorithm=vector&limit=15");
    assert_string_equal(legs(a), "vector");
    assert_string_equal(json_string_value(json_object_get(a, "model")), "test/small");
    assert_int_equal(total_of(a), PICTURES);
    for (size_t i = 0; i < 14; i++)
        assert_true(score_at(a, i) >= score_at(a, i + 1));
    json_t *page = suite_search(s, "query=anything&algorithm=vector&limit=5&offset=5");
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(name_at(page, i), name_at(a, i + 5));
    json_decref(page);
    char parameters[100];
    snprintf(parameters, sizeof parameters, "query=anything&algorithm=vector&min_score=%.9g", score_at(a, 3));
    json_t *cut = suite_search(s, parameters);
    assert_in_range(total_of(cut), 3, 5); /* what prints alike may round away */
    json_decref(cut);
    json_decref(a);

    /* More like this: itself is not among them, and each has its nearest neighbour first. */
    a = suite_search(s, "like=p03.webp&algorithm=vector&limit=100");
    assert_int_equal(total_of(a), PICTURES - 1);
    for (size_t i = 0; i < PICTURES - 1; i++)
        assert_string_not_equal(name_at(a, i), "p03.webp");
    assert_true(score_at(a, 0) <= 1.0001);
    json_decref(a);

    a = suite_search(s, "query=odd&limit=100"); /* hybrid by default, now that there is a model */
    assert_string_equal(json_string_value(json_object_get(a, "algorithm")), "hybrid");
    assert_string_equal(legs(a), "both");
    assert_int_equal(total_of(a), PICTURES);
    double best = score_at(a, 0);
    const double *weights = fusion_fits[FUSION_LETTERS].weights, words = weights[LEG_lexical],
                 images = weights[LEG_vector];
    assert_true(best <= words + images + 1e-9 && best >= (words > images ? words : images) - 1e-9);
    json_t *first = suite_search(s, "query=odd&limit=10"), *second = suite_search(s, "query=odd&limit=10&offset=10");
    for (size_t i = 0; i < 20; i++)
        assert_string_equal(name_at(i < 10 ? first : second, i % 10), name_at(a, i));
    json_decref(first);
    json_decref(second);
    json_decref(a);
    a = suite_search(s, "query=,,");
    assert_string_equal(legs(a), "vector"); /* no words: the other leg answers */
    json_decref(a);
    a = suite_search(s, "query=odd&algorithm=lexical&limit=1");
    assert_int_equal(total_of(a), PICTURES / 2);
    json_decref(a);

    a = suite_get(s, "/api/status");
    json_t *cache = json_object_get(a, "query_cache");
    assert_int_equal(json_integer_value(json_object_get(cache, "entries")), 3);
    assert_true(json_integer_value(json_object_get(cache, "hits")) >= 3);
    assert_string_equal(json_string_value(json_object_get(a, "algorithm")), "hybrid");
    json_decref(a);
}

static void deleted_and_changed_images_follow(void **state)
{
    struct suite *s = *state;
    char sha[65];
    suite_start(s);
    put_pictures(s, 0, 10);
    settle(s, "test/small", "ready", 10, 0);
    suite_send(s, "DELETE", "/api/documents/p04.webp", NULL, 204);
    json_t *a = suite_search(s, "query=x&algorithm=vector&limit=100");
    assert_int_equal(total_of(a), 9);
    json_decref(a);

    /* p05 becomes the same picture as p06: the nearest to each other, at cosine 1. */
    suite_picture(s, "p05.webp", 6, sha);
    suite_put(s, "p05.webp", "changed", "", sha);
    settle(s, "test/small", "ready", 9, 0);
    a = suite_search(s, "like=p06.webp&algorithm=vector&limit=1");
    assert_string_equal(name_at(a, 0), "p05.webp");
    assert_true(fabs(score_at(a, 0) - 1) < 1e-4);
    json_decref(a);

    /* To be encoded anew, an image is read again: another one is not taken for it, and its own is welcome back. */
    suite_picture(s, "p08.webp", 9, sha);
    suite_send(s, "POST", "/api/documents/p08.webp/reindex", NULL, 200);
    settle(s, "test/small", "ready", 8, 1);
    a = suite_get(s, "/api/documents/?state=failed");
    json_t *one = json_array_get(json_object_get(a, "documents"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "filename")), "p08.webp");
    assert_non_null(strstr(json_string_value(json_object_get(one, "why")), "SHA-256"));
    json_decref(a);
    suite_picture(s, "p08.webp", 8, sha);
    suite_send(s, "POST", "/api/documents/p08.webp/reindex", NULL, 200);
    settle(s, "test/small", "ready", 9, 0);
    a = suite_get(s, "/api/documents/p08.webp");
    one = json_array_get(json_object_get(a, "models"), 0);
    assert_string_equal(json_string_value(json_object_get(one, "state")), "indexed");
    assert_true(json_integer_value(json_object_get(one, "dim")) > 0);
    json_decref(a);
    a = suite_search(s, "like=p08.webp&algorithm=vector&limit=100");
    assert_int_equal(total_of(a), 8); /* all but itself */
    json_decref(a);

    suite_put(s, "p07.webp", "no picture any more", "", NULL);
    a = suite_search(s, "query=x&algorithm=vector&limit=100");
    assert_int_equal(total_of(a), 8);
    json_decref(a);
    /* A document without a vector can still be searched by, in hybrid: by its words. */
    a = suite_search(s, "like=p07.webp");
    assert_string_equal(legs(a), "lexical");
    json_decref(a);
}

static void images_may_come_along(void **state)
{
    struct suite *s = *state;
    char sha[65], path[300], encoded[20000], body[21000];
    struct buf file;
    int status;
    suite_start(s);
    suite_picture(s, "elsewhere.webp", 1, sha);
    snprintf(path, sizeof path, "%s/media/elsewhere.webp", s->bucket);
    buf_init(&file, 1u << 20);
    assert_int_equal(os_read_file(path, &file, NULL), OK);
    json_t *a = suite_ask(s, "PUT", "/api/documents/raw.webp", "image/webp", file.data, file.len, &status);
    assert_int_equal(status, 200);
    json_decref(a);

    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < file.len; i += 3) {
        unsigned v = 0, have = file.len - i < 3 ? (unsigned)(file.len - i) : 3;
        for (unsigned k = 0; k < 3; k++)
            v = v << 8 | (k < have ? (unsigned char)file.data[i + k] : 0);
        for (unsigned k = 0; k < 4; k++)
            encoded[n++] = k <= have ? digits[v >> (18 - 6 * k) & 63] : '=';
        assert_true(n + 5 < sizeof encoded);
    }
    encoded[n] = '\0';
    snprintf(body, sizeof body, "{\"title\":\"sent along\",\"image\":\"%s\"}", encoded);
    suite_send(s, "PUT", "/api/documents/sent.webp", body, 200);
    snprintf(body, sizeof body, "{\"sha256\":\"%064d\",\"image\":\"%s\"}", 0, encoded);
    suite_send(s, "PUT", "/api/documents/sent.webp", body, 400);
    settle(s, "test/small", "ready", 2, 0);
    a = suite_search(s, "like=raw.webp&algorithm=vector");
    assert_string_equal(name_at(a, 0), "sent.webp");
    assert_true(fabs(score_at(a, 0) - 1) < 1e-4);
    json_decref(a);
    a = suite_get(s, "/api/documents/sent.webp");
    assert_string_equal(json_string_value(json_object_get(a, "sha256")), sha);
    json_decref(a);
    suite_send(s, "DELETE", "/api/documents/sent.webp", NULL, 204);
    snprintf(path, sizeof path, "%s/index/sent.webp", s->bucket);
    assert_int_not_equal(access(path, F_OK), 0);
    buf_free(&file);
}

static void failures_are_recorded_and_tried_again_when_told(void **state)
{
    struct suite *s = *state;
    char sha[65], path[300];
    suite_start(s);
    put_pictures(s, 0, 5);
    suite_picture(s, "other.webp", 99, sha);
    suite_put(s, "lost.webp", "its file is missing", "", sha);
    suite_put(s, "p01.webp", "its file is another", "", sha);
    snprintf(path, sizeof path, "%s/media/broken.png", s->bucket);
    assert_int_equal(os_write_file(path, "\x89PNG\r\n\x1a\nrubbish", 15, NULL), OK);
    os_sha256_hex("\x89PNG\r\n\x1a\nrubbish", 15, sha);
    suite_put(s, "broken.png", "no picture", "", sha);
    settle(s, "test/small", "ready", 4, 3);
    json_t *a = suite_get(s, "/api/status"), *m = suite_model(a, "test/small");
    assert_non_null(json_object_get(m, "error"));
    json_decref(a);
    char names[1024];
    assert_string_equal(suite_names(s, "/api/search/?query=missing&algorithm=lexical", names), "lost.webp");

    suite_picture(s, "lost.webp", 99, sha);
    suite_send(s, "POST", "/api/models/retry", "{\"id\":\"test/small\"}", 204);
    settle(s, "test/small", "ready", 5, 2);
}

static void a_restart_changes_nothing(void **state)
{
    struct suite *s = *state;
    char before[2048], after[2048], path[300];
    struct stat sb;
    suite_start(s);
    put_pictures(s, 0, PICTURES);
    settle(s, "test/small", "ready", PICTURES, 0);
    ranking(s, before, sizeof before);
    suite_stop(s);
    snprintf(path, sizeof path, "%s/test--small.index", s->cache);
    assert_int_equal(stat(path, &sb), 0); /* the snapshot */

    suite_start(s);
    settle(s, "test/small", "ready", PICTURES, 0);
    assert_string_equal(ranking(s, after, sizeof after), before);
    suite_stop(s);

    /* A snapshot that is damaged, cut off, stale or gone is rebuilt. */
    for (int damage = 0; damage < 4; damage++) {
        if (damage == 0) {
            int64_t at = sb.st_size / 2;
            FILE *f = fopen(path, "r+");
            assert_non_null(f);
            fseek(f, at, SEEK_SET);
            int c = fgetc(f);
            fseek(f, at, SEEK_SET);
            fputc(c ^ 0x55, f);
            fclose(f);
        } else if (damage == 1) {
            assert_int_equal(truncate(path, 100), 0);
        } else if (damage == 2) {
            ask_db(s, "UPDATE models SET generation = generation + 1");
        } else {
            assert_int_equal(unlink(path), 0);
        }
        suite_start(s);
        settle(s, "test/small", "ready", PICTURES, 0);
        assert_string_equal(ranking(s, after, sizeof after), before);
        suite_stop(s);
    }
    assert_int_equal(ask_db(s, "SELECT count(*) FROM vectors WHERE modified_us <> created_us"), 0);
}

static json_int_t lists_of(struct suite *s)
{
    json_t *status = suite_get(s, "/api/status"), *m = suite_model(status, "test/small");
    json_int_t lists = json_integer_value(json_object_get(json_object_get(m, "approximate"), "lists"));
    json_decref(status);
    return lists;
}

/* From so many vectors on, they are sorted in the background; the next start has them sorted. */
static void many_vectors_lie_in_lists(void **state)
{
    struct suite *s = *state;
    char before[2048], after[2048];
    suite_start(s);
    put_pictures(s, 0, PICTURES);
    settle(s, "test/small", "ready", PICTURES, 0);
    ranking(s, before, sizeof before);
    assert_int_equal(lists_of(s), 0);
    suite_stop(s);
    s->cfg.vector_exact_below = PICTURES;
    for (int starts = 0; starts < 2; starts++) {
        suite_start(s);
        settle(s, "test/small", "ready", PICTURES, 0);
        for (int i = 0; i < 1200 && !lists_of(s); i++)
            suite_sleep_ms(50);
        assert_true(lists_of(s) > 1);
        assert_string_equal(ranking(s, after, sizeof after), before);
        suite_stop(s);
    }
    s->cfg.vector_recall = 1;
    suite_start(s);
    settle(s, "test/small", "ready", PICTURES, 0);
    assert_int_equal(lists_of(s), 0);
    assert_string_equal(ranking(s, after, sizeof after), before);
}

static void a_kill_in_the_middle_is_resumed(void **state)
{
    struct suite *s = *state;
    char before[4096], after[4096];
    suite_start(s);
    put_pictures(s, 0, 3 * PICTURES);
    suite_kill(s);
    for (int kills = 0; kills < 4; kills++) { /* each time a little more is done */
        suite_start(s);
        suite_sleep_ms(20 + 30 * kills);
        suite_kill(s);
    }
    suite_start(s);
    settle(s, "test/small", "ready", 3 * PICTURES, 0);
    ranking(s, before, sizeof before);
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM vectors WHERE modified_us <> created_us"), 0); /* none twice */
    suite_start(s);
    settle(s, "test/small", "ready", 3 * PICTURES, 0);
    assert_string_equal(ranking(s, after, sizeof after), before);
}

static void models_stand_side_by_side(void **state)
{
    struct suite *s = *state;
    make_model(s, "other");
    make_model(s, "half--pulled.part"); /* passed over */
    suite_start(s);
    put_pictures(s, 0, 10);
    settle(s, "test/small", "ready", 10, 0);
    settle(s, "other", "ready", 10, 0);
    json_t *a = suite_get(s, "/api/models");
    assert_string_equal(json_string_value(json_object_get(a, "default")), "other"); /* the first by name */
    assert_int_equal(json_array_size(json_object_get(a, "models")), 2);
    assert_true(json_is_object(json_object_get(suite_model(a, "other"), "info")));
    json_decref(a);
    a = suite_search(s, "query=x&model=test/small");
    assert_string_equal(json_string_value(json_object_get(a, "model")), "test/small");
    json_decref(a);
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"test--small\"}", 200);
    a = suite_search(s, "query=x");
    assert_string_equal(json_string_value(json_object_get(a, "model")), "test/small");
    json_decref(a);

    /* One that arrives while the service runs needs no restart either. */
    make_model(s, "late--comer");
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"late/comer\"}", 200);
    settle(s, "late/comer", "ready", 10, 0);
    a = suite_search(s, "query=x");
    assert_string_equal(json_string_value(json_object_get(a, "model")), "late/comer");
    json_decref(a);
    int status;
    a = suite_ask(s, "GET", "/api/search/?query=x&model=nobody", NULL, NULL, 0, &status);
    assert_int_equal(status, 400);
    assert_non_null(
        strstr(json_string_value(json_object_get(a, "detail")), "\"other\", \"test/small\", \"late/comer\""));
    json_decref(a);
    suite_kill(s);
    suite_start(s); /* and it is remembered */
    settle(s, "late/comer", "ready", 10, 0);
    a = suite_get(s, "/api/models");
    assert_string_equal(json_string_value(json_object_get(a, "default")), "late/comer");
    json_decref(a);
    suite_send(s, "POST", "/api/models/forget", "{\"id\":\"other\"}", 204);
    settle(s, "other", "ready", 10, 0); /* encoded anew */
}

/* A model of English alone is not asked what is in another language, whichever is the first by name. */
static void each_language_has_its_model(void **state)
{
    struct suite *s = *state;
    struct buf config;
    make_model(s, "english");
    char path[300];
    snprintf(path, sizeof path, "%s/english/config.json", s->models);
    buf_init(&config, 1 << 20);
    assert_int_equal(os_read_file(path, &config, NULL), OK);
    json_t *json = json_loadb(config.data, config.len, 0, NULL);
    assert_non_null(json);
    json_object_set_new(json, "peel", json_pack("{s:s}", "language", "en"));
    unlink(path);
    assert_int_equal(json_dump_file(json, path, 0), 0);
    json_decref(json);
    buf_free(&config);
    suite_start(s);
    put_pictures(s, 0, 4);
    settle(s, "test/small", "ready", 4, 0);
    settle(s, "english", "ready", 4, 0);
    static const char *const cases[][2] = {{"query=cat", "english"},
                                           {"query=%CE%B3%CE%AC%CF%84%CE%B1", "test/small"},
                                           {"query=%CE%B3%CE%AC%CF%84%CE%B1&algorithm=vector", "test/small"},
                                           {"query=schlaf+gut&lang=en", "test/small"},
                                           {"query=xyzzy&lang=de", "test/small"},
                                           {"query=xyzzy&lang=de&model=english&algorithm=vector", "english"},
                                           {"like=p01.webp", "english"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *a = suite_search(s, cases[i][0]);
        const char *model = json_string_value(json_object_get(a, "model"));
        if (!model || strcmp(model, cases[i][1]) != 0)
            fail_msg("%s: expected %s, found %s", cases[i][0], cases[i][1], model ? model : "none");
        json_decref(a);
    }
    json_t *a =
        suite_get(s, "/api/documents/?state=indexed"); /* lists tell of the default, which is the first by name */
    assert_int_equal(json_array_size(json_object_get(a, "documents")), 4);
    json_decref(a);
}

static void settle_failed(struct suite *s, const char *id)
{
    for (int i = 0; i < 400; i++) {
        json_t *status = suite_get(s, "/api/status"), *m = suite_model(status, id);
        bool failed = strcmp(json_string_value(json_object_get(m, "state")), "failed") == 0;
        if (failed)
            assert_non_null(json_object_get(m, "error"));
        json_decref(status);
        if (failed)
            return;
        suite_sleep_ms(25);
    }
    fail_msg("model %s did not fail", id);
}

static void a_default_that_does_not_load_leaves_words(void **state)
{
    struct suite *s = *state;
    char path[300], names[1024];
    snprintf(path, sizeof path, "%s/broken", s->models);
    assert_int_equal(os_mkdirs(path, NULL), OK);
    snprintf(path, sizeof path, "%s/broken/config.json", s->models);
    assert_int_equal(os_write_file(path, "{}", 2, NULL), OK);
    suite_start(s);
    put_pictures(s, 0, 4);
    settle_failed(s, "broken");
    settle(s, "test/small", "ready", 4, 0);
    json_t *a = suite_get(s, "/readyz");
    json_t *model = json_object_get(json_object_get(a, "checks"), "model");
    assert_string_equal(json_string_value(json_object_get(model, "status")), "failed");
    json_decref(a);
    a = suite_search(s, "query=odd"); /* nobody chose it: another one that is ready answers */
    assert_string_equal(legs(a), "both");
    assert_string_equal(json_string_value(json_object_get(a, "model")), "test/small");
    json_decref(a);
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"broken\"}", 200);
    settle_failed(s, "broken");
    assert_string_equal(suite_names(s, "/api/search/?query=odd", names), "p01.webp p03.webp"); /* as somebody did now */
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"test/small\"}", 200);
    a = suite_search(s, "query=odd");
    assert_string_equal(legs(a), "both");
    json_decref(a);
    suite_link("tests/golden/small", s->models, "model.safetensors"); /* a file among folders is passed over */
    unlink(path);
    snprintf(path, sizeof path, "%s/broken", s->models);
    suite_link("tests/golden/small", path, "config.json");
    suite_link("tests/golden/small", path, "model.safetensors");
    write_tokenizer(path);
    suite_send(s, "PUT", "/api/models/default", "{\"id\":\"broken\"}", 200); /* repaired: loaded now */
    settle(s, "broken", "ready", 4, 0);
}

static void other_weights_under_an_old_name_encode_anew(void **state)
{
    struct suite *s = *state;
    char path[300];
    suite_start(s);
    put_pictures(s, 0, 6);
    settle(s, "test/small", "ready", 6, 0);
    suite_stop(s);
    int64_t first = ask_db(s, "SELECT min(created_us) FROM vectors");
    snprintf(path, sizeof path, "%s/test--small/preprocessor_config.json", s->models);
    static const char other[] = "{\"do_resize\":true,\"size\":64,\"do_center_crop\":true,\"crop_size\":64,"
                                "\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.5,0.5],\"resample\":2}";
    assert_int_equal(os_write_file(path, other, sizeof other - 1, NULL), OK);
    suite_start(s);
    settle(s, "test/small", "ready", 6, 0);
    suite_stop(s);
    assert_true(ask_db(s, "SELECT min(created_us) FROM vectors") > first);

    /* Vectors of another size, as a foreign database would have them: named, and made anew. */
    ask_db(s, "UPDATE vectors SET vector = x'00112233', modified_us = 5, created_us = 5 WHERE document_id = 3");
    ask_db(s, "UPDATE models SET generation = generation + 1");
    suite_start(s);
    settle(s, "test/small", "ready", 6, 0);
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM vectors WHERE length(vector) <> 4 * 48"), 0);
}

/* --- changing while searching --- */

static atomic_bool stop_searching;

static void *search_on(void *arg)
{
    struct suite *s = arg;
    size_t wrong = 0;
    for (unsigned i = 0; !atomic_load(&stop_searching); i++) {
        static const char *const paths[] = {"/api/search/?query=odd&limit=50", "/api/search/?query=x&algorithm=vector",
                                            "/api/search/?like=p00.webp", "/api/search/?query=even&algorithm=lexical"};
        struct http_call call = {.method = "GET", .path = paths[i % 4], .timeout_ms = 60000};
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
    char name[32], sha[65], path[64];
    suite_start(s);
    put_pictures(s, 0, PICTURES);
    settle(s, "test/small", "ready", PICTURES, 0);
    atomic_store(&stop_searching, false);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, search_on, s), 0);
    unsigned last[PICTURES] = {0}, seed = 1;
    for (unsigned round = 0; round < 150; round++) {
        seed = seed * 1103515245u + 12345u;
        unsigned i = 1 + seed / 65536 % (PICTURES - 1);
        snprintf(name, sizeof name, "p%02u.webp", i);
        snprintf(path, sizeof path, "/api/documents/%s", name);
        if (round % 3 == 0) {
            suite_send(s, "DELETE", path, NULL, 204);
            last[i] = 0;
        } else {
            suite_picture(s, name, 1000 + round, sha);
            suite_put(s, name, "changed", "", sha);
            last[i] = 1000 + round;
        }
    }
    /* In the end every picture is put once more; nothing of the middle may remain. */
    for (unsigned i = 1; i < PICTURES; i++) {
        snprintf(name, sizeof name, "p%02u.webp", i);
        suite_picture(s, name, last[i] = 5000 + i / 2, sha);
        suite_put(s, name, "final", "", sha);
    }
    settle(s, "test/small", "ready", PICTURES, 0);
    atomic_store(&stop_searching, true);
    for (size_t i = 0; i < 3; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    json_t *a = suite_search(s, "query=x&algorithm=vector&limit=100");
    assert_int_equal(total_of(a), PICTURES);
    assert_int_equal(json_array_size(json_object_get(a, "filenames")), PICTURES);
    json_decref(a);
    for (unsigned i = 2; i + 1 < PICTURES; i += 2) { /* pairs that show the same */
        snprintf(path, sizeof path, "like=p%02u.webp&algorithm=vector&limit=1", i);
        snprintf(name, sizeof name, "p%02u.webp", i + 1);
        a = suite_search(s, path);
        assert_string_equal(name_at(a, 0), name);
        assert_true(fabs(score_at(a, 0) - 1) < 1e-4);
        json_decref(a);
    }
    suite_stop(s);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM vectors"), PICTURES);
    assert_int_equal(ask_db(s, "SELECT count(*) FROM vector_failures"), 0);
}

static void write_lexicon(const char *path)
{
    static const char *const near[] = {"cat", "kitten"};
    struct lexicon_builder *b;
    assert_int_equal(lexicon_builder_open(&b, NULL), OK);
    for (size_t i = 0; i < 2; i++) {
        float v[LEXICON_DIM] = {cosf(0.3f * (float)i), sinf(0.3f * (float)i)};
        assert_int_equal(lexicon_builder_add(b, near[i], v, NULL), OK);
    }
    assert_int_equal(lexicon_builder_write(b, path, NULL), OK);
    lexicon_builder_close(b);
}

/* Until a search finds `total`; how long that took. */
static int64_t await_total(struct suite *s, const char *parameters, json_int_t total)
{
    int64_t start = os_monotonic_us(), most = 2000000 * suite_slow();
    for (;;) {
        json_t *answer = suite_search(s, parameters);
        json_int_t now = total_of(answer);
        json_decref(answer);
        int64_t took = os_monotonic_us() - start;
        if (now == total)
            return took;
        if (took > most)
            fail_msg("%s: %lld found after %.1f s, expected %lld", parameters, (long long)now, (double)took / 1e6,
                     (long long)total);
        suite_sleep_ms(20);
    }
}

static void services_on_one_database_follow_each_other(void **state)
{
    struct suite *a = *state, b = *a;
    char lexicon[120], cache[120], here[4000], there[4000];
    snprintf(lexicon, sizeof lexicon, "%s/english.words", a->dir);
    snprintf(cache, sizeof cache, "%s/cache-b", a->dir);
    write_lexicon(lexicon);
    make_model(a, "test--two");
    a->cfg.words = b.cfg.words = lexicon;
    b.cfg.cache_dir = cache;
    suite_start(a);
    suite_start(&b);
    settle(a, "test/small", "ready", 0, 0);
    settle(&b, "test/small", "ready", 0, 0);

    put_pictures(a, 0, 10);
    settle(a, "test/small", "ready", 10, 0);
    int64_t found = await_total(&b, "query=x&algorithm=vector&limit=100", 10);
    suite_put(a, "k.png", "kitten", "", NULL);
    int64_t meant = await_total(&b, "query=kitten&algorithm=words", 1);
    printf("found at the other service after %.2f s by vector, %.2f s by meaning\n", (double)found / 1e6,
           (double)meant / 1e6);
    suite_send(&b, "DELETE", "/api/documents/k.png", NULL, 204);
    suite_send(&b, "DELETE", "/api/documents/p03.webp", NULL, 204);
    char sha[65];
    suite_picture(&b, "p04.webp", 77, sha); /* another image under an old name */
    suite_put(&b, "p04.webp", "even one", "", sha);
    settle(&b, "test/small", "ready", 9, 0);
    await_total(a, "query=kitten&algorithm=words", 0);
    await_total(a, "query=x&algorithm=vector&limit=100", 9);
    for (int i = 0; strcmp(ranking(a, here, sizeof here), ranking(&b, there, sizeof there)) != 0; i++) {
        assert_true(i < 100 * suite_slow());
        suite_sleep_ms(20);
    }

    /* The default follows, too. */
    suite_send(&b, "PUT", "/api/models/default", "{\"id\":\"test/two\"}", 200);
    for (int i = 0;; i++) {
        json_t *status = suite_get(a, "/api/status");
        bool same = strcmp(json_string_value(json_object_get(status, "model")), "test/two") == 0;
        json_decref(status);
        if (same)
            break;
        assert_true(i < 100 * suite_slow());
        suite_sleep_ms(20);
    }
    suite_send(&b, "PUT", "/api/models/default", "{\"id\":\"test/small\"}", 200);

    /* What one did while the other was away; its snapshot is not believed, or caught up with. */
    suite_stop(a);
    suite_send(&b, "DELETE", "/api/documents/p05.webp", NULL, 204);
    suite_start(a);
    settle(a, "test/small", "ready", 8, 0);
    assert_string_equal(ranking(a, here, sizeof here), ranking(&b, there, sizeof there));
    suite_stop(&b);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {T(images_are_found_by_vectors),
                                       T(deleted_and_changed_images_follow),
                                       T(images_may_come_along),
                                       T(failures_are_recorded_and_tried_again_when_told),
                                       T(a_restart_changes_nothing),
                                       T(many_vectors_lie_in_lists),
                                       T(a_kill_in_the_middle_is_resumed),
                                       T(models_stand_side_by_side),
                                       T(each_language_has_its_model),
                                       T(a_default_that_does_not_load_leaves_words),
                                       T(other_weights_under_an_old_name_encode_anew),
                                       T(changes_while_searching_are_right),
                                       T(services_on_one_database_follow_each_other)};
    const char *only = getenv("PEEL_TEST_ONLY"); /* one that runs over any database */
    if (only)
        cmocka_set_test_filter(only);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
