/* Passwords: hashed, checked, bounded. */
#include "cm.h"

#include "base/secret.h"

#include <string.h>

static void test_password(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE], other[SECRET_HASH_SIZE], long_one[SECRET_MOST_PASSWORD + 2];
    struct error err;
    assert_int_equal(secret_hash_password("correct horse", hash, &err), OK);
    assert_memory_equal(hash, "$argon2id$", 10);
    assert_null(strstr(hash, "correct"));
    assert_true(secret_check_password("correct horse", hash));
    assert_false(secret_check_password("correct hors", hash));
    assert_false(secret_check_password("", hash));
    assert_int_equal(secret_hash_password("correct horse", other, &err), OK);
    assert_string_not_equal(hash, other); /* salted */
    assert_false(secret_check_password("correct horse", "not a hash"));
    assert_false(secret_check_password("correct horse", ""));
    assert_false(secret_check_password("", secret_dummy_hash()));
    assert_int_equal(secret_hash_password("seven77", hash, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "8 to 1024 bytes, not 7"));
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    assert_int_equal(secret_hash_password(long_one, hash, &err), ERR_INVALID);
}

static void test_equal_and_random(void **state)
{
    (void)state;
    char a[21], b[21];
    assert_true(secret_equal("abc", "abc"));
    assert_false(secret_equal("abc", "abd"));
    assert_false(secret_equal("abc", "ab"));
    assert_true(secret_equal("", ""));
    secret_random_text(a, 20);
    secret_random_text(b, 20);
    assert_int_equal(strlen(a), 20);
    assert_string_not_equal(a, b);
    assert_int_equal(strspn(a, "abcdefghijkmnpqrstuvwxyz23456789"), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_password), cmocka_unit_test(test_equal_and_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
