/* The folder of models: which folders are models, what they are called, and when their files have changed; which
 * encoder a folder is for. */
#include "cm.h"

#include "base/os.h"
#include "model/encoder.h"
#include "model/library.h"

#include <string.h>

static char models[64];

static int make(void **state)
{
    (void)state;
    tmp_make(models, sizeof models);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    tmp_remove(models);
    return 0;
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[256];
    struct error err;
    snprintf(path, sizeof path, "%s/%s", models, folder);
    assert_int_equal(os_mkdirs(path, &err), OK);
    snprintf(path, sizeof path, "%s/%s/%s", models, folder, name);
    assert_int_equal(os_write_file(path, text, strlen(text), &err), OK);
}

static void test_list(void **state)
{
    (void)state;
    struct library_model *found;
    struct error err;
    size_t n;
    put("openai--clip-vit--b", LIBRARY_CONFIG, "{}");
    put("starter", LIBRARY_CONFIG, "{}");
    put("half--pulled.part", LIBRARY_CONFIG, "{}");
    put("no-config", "model.safetensors", "");
    put("na me", LIBRARY_CONFIG, "{}");
    put(".hidden", LIBRARY_CONFIG, "{}");
    assert_int_equal(library_list(models, &found, &n, &err), OK);
    assert_int_equal(n, 3);
    assert_string_equal(found[0].folder, "half--pulled");
    assert_string_equal(found[0].id, "half/pulled");
    assert_true(found[0].incomplete);
    assert_string_equal(found[1].id, "openai/clip-vit--b"); /* the first "--" alone was a slash */
    assert_false(found[1].incomplete);
    assert_string_equal(found[2].id, "starter");
    free(found);
    assert_true(library_has(models, "starter"));
    assert_false(library_has(models, "no-config"));
    assert_int_equal(library_list("/nonexistent", &found, &n, &err), OK);
    assert_int_equal(n, 0);
    free(found);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", "a/", "/a", "../x", ".x", "a/b/c", "a b", "-x", "a/\xc3\xa9"};
    char folder[LIBRARY_MAX_ID], path[PATH_MAX], longest[300];
    struct error err;
    assert_int_equal(library_folder("openai/clip-vit-base-patch32", folder, &err), OK);
    assert_string_equal(folder, "openai--clip-vit-base-patch32");
    assert_int_equal(library_folder("openai--clip", folder, &err), OK);
    assert_string_equal(folder, "openai--clip");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(library_folder(bad[i], folder, &err), ERR_INVALID);
    memset(longest, 'a', sizeof longest);
    longest[LIBRARY_MAX_ID - 1] = '\0';
    assert_int_equal(library_folder(longest, folder, &err), ERR_INVALID);
    longest[LIBRARY_MAX_ID - 2] = '\0';
    assert_int_equal(library_folder(longest, folder, &err), OK);
    assert_int_equal(library_path("models", "x", LIBRARY_PART, path, &err), OK);
    assert_string_equal(path, "models/x.part");
}

static void test_fingerprint(void **state)
{
    (void)state;
    char path[256], before[65], after[65];
    snprintf(path, sizeof path, "%s/print", models);
    put("print", LIBRARY_CONFIG, "{}");
    put("print", "model.safetensors", "weights");
    library_fingerprint(path, before);
    assert_int_equal(strlen(before), 64);
    put("print", "README.md", "words"); /* says nothing about the vectors */
    library_fingerprint(path, after);
    assert_string_equal(before, after);
    put("print", "model.safetensors", "Weights");
    library_fingerprint(path, after);
    assert_string_not_equal(before, after);
}

static void test_encoder_of_a_folder(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
        enum status status;
    } cases[] = {{"{\"model_type\":\"clip\"}", "", OK},
                 {"{}", "", OK},
                 {"{\"model_type\":\"gpt2\"}", "found gpt2", ERR_UNSUPPORTED},
                 {"{\"model_type\":7}", "found something else", ERR_UNSUPPORTED},
                 {"{", "not JSON", ERR_INVALID}};
    char path[256];
    const struct encoder_class *class;
    struct encoder *e;
    struct error err;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put("typed", LIBRARY_CONFIG, cases[i].json);
        snprintf(path, sizeof path, "%s/typed", models);
        err.message[0] = '\0';
        assert_int_equal(encoder_class_of(path, &class, &err), cases[i].status);
        assert_non_null(strstr(err.message, cases[i].message));
        assert_string_equal(class->name, "clip");
        if (cases[i].status != OK)
            assert_int_equal(encoder_open(path, "auto", NULL, &e, &err), cases[i].status);
    }
    assert_int_equal(encoder_class_of("/nonexistent", &class, &err), ERR_NOT_FOUND);
    assert_int_equal(encoder_check_precision("int8", &err), OK);
    assert_int_equal(encoder_check_precision("int4", &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_list), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_fingerprint), cmocka_unit_test(test_encoder_of_a_folder)};
    return cmocka_run_group_tests(tests, make, drop);
}
