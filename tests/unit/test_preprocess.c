#include "cm.h"

#include "model/preprocess.h"
#include "noise.h"

#include <math.h>
#include <string.h>

/* tests/golden/preprocess.txt is made by preprocess.py beside it. */
static void agrees_with_pillow_and_numpy(void **state)
{
    (void)state;
    FILE *f = fopen("tests/golden/preprocess.txt", "r");
    unsigned channels, w, h, side, cases = 0;
    char config[256];
    assert_non_null(f);
    while (fscanf(f, "%u %u %u %255s %u", &channels, &w, &h, config, &side) == 5) {
        struct preprocess p;
        struct error err;
        struct image im = noise(w, h, channels);
        float *out = malloc(3 * (size_t)side * side * sizeof *out);
        assert_int_equal(preprocess_parse(config, strlen(config), side, &p, &err), OK);
        assert_int_equal(preprocess_image(&p, &im, out, &err), OK);
        for (int i = 0; i < 62; i++) {
            unsigned at;
            float want;
            assert_int_equal(fscanf(f, "%u %f", &at, &want), 2);
            if (fabsf(out[at] - want) > 2e-6f)
                fail_msg("%ux%u, %u channels, %s: value %u is %g, expected %g", w, h, channels, config, at,
                         (double)out[at], (double)want);
        }
        free(out);
        image_free(&im);
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 20);
}

static void wrong_configs_are_named(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"[]", "object"},
        {"{", "line 1"},
        {"{\"size\":0}", "size"},
        {"{\"size\":{\"height\":3}}", "size.width"},
        {"{\"crop_size\":\"x\"}", "crop_size"},
        {"{\"crop_size\":100}", "100 x 100"},
        {"{\"resample\":9}", "resample"},
        {"{\"image_std\":[1,0,1]}", "image_std"},
        {"{\"image_mean\":[1,0]}", "image_mean"},
        {"{\"do_center_crop\":false}", "height and width"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct preprocess p;
        struct error err;
        assert_int_not_equal(preprocess_parse(cases[i][0], strlen(cases[i][0]), 224, &p, &err), OK);
        if (!strstr(err.message, cases[i][1]))
            fail_msg("%s: \"%s\"", cases[i][0], err.message);
    }
}

static void extreme_shapes(void **state)
{
    (void)state;
    struct preprocess p;
    struct error err;
    float *out = malloc(3 * 224 * 224 * sizeof *out);
    assert_int_equal(preprocess_parse("{}", 2, 224, &p, &err), OK);
    struct image line = noise(16000, 1, 3), dot = noise(1, 1, 4);
    assert_int_equal(preprocess_image(&p, &line, out, &err), OK); /* of 3,584,000 px, the middle 224 */
    assert_int_equal(preprocess_image(&p, &dot, out, &err), OK);
    image_free(&line);
    image_free(&dot);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_pillow_and_numpy),
        cmocka_unit_test(wrong_configs_are_named),
        cmocka_unit_test(extreme_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
