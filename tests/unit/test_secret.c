/* Passwords: hashed, checked, bounded. */
#include "cm.h"

#include "base/secret.h"

#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_password(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE], other[SECRET_HASH_SIZE], long_one[SECRET_MOST_PASSWORD + 2];
    struct error err;
    assert_int_equal(secret_hash_password("correct horse", hash, &err), OK);
    assert_memory_equal(hash, "$argon2id$", 10);
    assert_null(strstr(hash, "correct"));
    assert_int_equal(secret_check_password("correct horse", hash, &err), OK);
    assert_int_equal(secret_check_password("correct hors", hash, &err), ERR_DENIED);
    assert_int_equal(secret_check_password("", hash, &err), ERR_DENIED);
    assert_int_equal(secret_hash_password("correct horse", other, &err), OK);
    assert_string_not_equal(hash, other); /* salted */
    assert_int_equal(secret_check_password("correct horse", "not a hash", &err), ERR_DENIED);
    assert_int_equal(secret_check_password("correct horse", "", &err), ERR_DENIED);
    assert_int_equal(secret_check_password("", secret_dummy_hash(), &err), ERR_DENIED);
    assert_int_equal(secret_hash_password("seven77", hash, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "8 to 1024 bytes, not 7"));
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    assert_int_equal(secret_hash_password(long_one, hash, &err), ERR_INVALID);
}

/* In a process of its own, whose address space may not grow. */
static void no_memory_is_no_wrong_password(void **state)
{
    (void)state;
    char hash[SECRET_HASH_SIZE];
    struct error err;
    assert_int_equal(secret_hash_password("correct horse", hash, &err), OK);
    pid_t child = fork();
    if (child == 0) {
        struct rlimit none = {1 << 20, 1 << 20};
        _exit(setrlimit(RLIMIT_AS, &none) == 0 ? (int)secret_check_password("correct horse", hash, &err) : 255);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), ERR_NO_MEMORY);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_password),
                                       cmocka_unit_test(no_memory_is_no_wrong_password),
                                       cmocka_unit_test(test_equal_and_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
