#include "cm.h"

#include "base/json_out.h"
#include "sticker_service/answers.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_json.h"
#include "sticker_service/sticker_service.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool got(struct answers *c, const char *key, const char *want)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    bool found = answers_get(c, key, &b);
    if (found)
        assert_string_equal(buf_str(&b), want);
    else
        assert_int_equal(b.len, 0);
    buf_free(&b);
    return found;
}

static void kept_for_a_while(void **state)
{
    (void)state;
    struct answers *c;
    assert_int_equal(answers_open(200, 64, &c, NULL), OK);
    assert_false(got(c, "a", ""));
    answers_put(c, "a", "one", 3, answers_cleared(c));
    assert_true(got(c, "a", "one"));
    assert_false(got(c, "b", ""));
    answers_put(c, "a", "two", 3, answers_cleared(c));
    assert_true(got(c, "a", "two"));
    struct answers_stats stats = answers_stats(c);
    assert_int_equal(stats.hits, 2);
    assert_int_equal(stats.misses, 2);
    answers_close(c);
}

/* After its time one caller is asked to renew, the others get the old one once more, then it is gone. */
static void one_caller_renews(void **state)
{
    (void)state;
    struct answers *c;
    assert_int_equal(answers_open(200, 64, &c, NULL), OK);
    answers_put(c, "a", "old", 3, answers_cleared(c));
    usleep(210000);
    assert_false(got(c, "a", ""));
    assert_true(got(c, "a", "old"));
    answers_put(c, "a", "new", 3, answers_cleared(c));
    assert_true(got(c, "a", "new"));
    usleep(210000);
    assert_false(got(c, "a", ""));
    usleep(210000);
    assert_false(got(c, "a", ""));
    assert_false(got(c, "a", ""));
    answers_close(c);
}

static void bounds(void **state)
{
    (void)state;
    struct answers *c;
    char *large = calloc(1, ANSWERS_MAX_BYTES + 1);
    assert_non_null(large);
    assert_int_equal(answers_open(60000, 16, &c, NULL), OK);
    answers_put(c, "large", large, ANSWERS_MAX_BYTES + 1, answers_cleared(c));
    assert_false(got(c, "large", ""));
    int kept = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 1000; i++) {
            char key[16];
            snprintf(key, sizeof key, "k%d", i);
            if (pass == 0)
                answers_put(c, key, key, strlen(key), answers_cleared(c));
            else
                kept += got(c, key, key);
        }
    assert_in_range(kept, 1, 16);
    answers_clear(c);
    assert_false(got(c, "k999", ""));
    answers_put(c, "late", "old", 3, answers_cleared(c) - 1); /* begun before the change */
    assert_false(got(c, "late", ""));
    answers_close(c);
    assert_int_equal(answers_open(0, 16, &c, NULL), OK);
    answers_put(c, "a", "one", 3, answers_cleared(c));
    assert_false(got(c, "a", ""));
    answers_close(c);
    answers_close(NULL);
    free(large);
}

static void json_text(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 4096);
    json_put_string(&b, "a\"b\\c\n\x01</script>\xe2\x80\xa8\xe2\x80\xaa\xf0\x9f\x90\xb1");
    assert_string_equal(buf_str(&b), "\"a\\\"b\\\\c\\u000a\\u0001\\u003c/script>\\u2028\xe2\x80\xaa\xf0\x9f\x90\xb1\"");
    buf_reset(&b);
    json_put_string(&b, "");
    json_put_score(&b, 0.5);
    json_put_score(&b, (double)NAN);
    assert_string_equal(buf_str(&b), "\"\"0.50");
    buf_free(&b);
}

/* A sticker is the same text whether it is written anew or taken from what is kept with it. */
static void json_sticker(void **state)
{
    (void)state;
    struct sticker_service_config cfg = {.public_url = "https://peel.example"};
    struct sticker_service s = {.cfg = &cfg};
    struct sticker k = {.id = "1",
                        .filename = "cat \"a\".png",
                        .title = "Cat",
                        .pack = "p",
                        .author = "",
                        .license = "l",
                        .source = "s",
                        .sha256 = "0123456789abcdef0123456789abcdef",
                        .mime = "image/png",
                        .width = 3,
                        .height = 4};
    struct sticker_form form = sticker_form_default(cfg.public_url);
    for (int i = 0; i < 16; i++) {
        struct buf shown, anew, kept;
        struct find_result r = {.sticker = &k, .score = 0.25, .confidence = i & 1 ? 0.5 : 0, .pinned = i & 2};
        k.frames = i & 4 ? 2 : 1;
        k.shown = NULL;
        buf_init(&shown, 4096);
        buf_init(&anew, 4096);
        buf_init(&kept, 4096);
        sticker_json_show(&s, &k, &shown);
        form.usual = true;
        sticker_json(&form, &r, i & 8 ? 2 : 0, &anew);
        k.shown = buf_str(&shown);
        sticker_json(&form, &r, i & 8 ? 2 : 0, &kept);
        assert_string_equal(buf_str(&kept), buf_str(&anew));
        r.title = "Katze";
        buf_reset(&kept);
        sticker_json(&form, &r, 1, &kept);
        assert_non_null(strstr(buf_str(&kept), "\"title\":\"Cat\",\"alt\":\"Katze\""));
        form.usual = false;
        form.origin = "";
        buf_reset(&kept);
        sticker_json(&form, &r, 1, &kept);
        assert_null(strstr(buf_str(&kept), "peel.example"));
        form.origin = cfg.public_url;
        buf_free(&shown);
        buf_free(&anew);
        buf_free(&kept);
    }
}

static void check_numbers(double x)
{
    struct buf b;
    char expected[512];
    buf_init(&b, 4096);
    json_put_score(&b, x);
    buf_putc(&b, ' ');
    json_put_hundredths(&b, x);
    snprintf(expected, sizeof expected, "%.9g %.2f", x, x);
    assert_string_equal(buf_str(&b), expected);
    buf_free(&b);
}

static void json_numbers(void **state)
{
    (void)state;
    static const double some[] = {0,     1,         -1,    0.5,         0.125,     0.375,  0.995, 0.005,
                                  0.015, 1e-4,      1e-5,  9e-5,        1e8,       1e9,    1e300, 5e-324,
                                  0.1,   0.01,      0.001, 99999999.96, 10,        12.25,  100.5, 1234567,
                                  3.14,  2.0000001, 1e17,  0.999995,    9.9999999, 1.0 / 3};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++)
        for (int step = -2; step <= 2; step++) {
            double x = some[i];
            for (int k = 0; k < (step < 0 ? -step : step); k++)
                x = nextafter(x, step < 0 ? -INFINITY : INFINITY);
            check_numbers(x);
        }
    srand(1);
    for (int i = 0; i < 20000; i++) {
        double x = ldexp((double)rand() / RAND_MAX, rand() % 44 - 16);
        check_numbers(x);
        check_numbers((double)(float)x);
        check_numbers(ldexp(rand() % 4096, -(rand() % 20))); /* halves, which are rounded to even */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_for_a_while), cmocka_unit_test(one_caller_renews), cmocka_unit_test(bounds),
        cmocka_unit_test(json_text),        cmocka_unit_test(json_numbers),      cmocka_unit_test(json_sticker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
