/* Passwords: hashed, checked, bounded, and refused when they are easy to guess; secrets encrypted; one-time codes. */
#include "cm.h"

#include "base/password.h"
#include "base/sanitized.h"
#include "base/secret.h"
#include "base/totp.h"
#include "web/qr.h"
#include "web/session.h"

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
    if (SANITIZED)
        skip();
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

static void expect_password(const char *password, enum status status)
{
    struct error err;
    if (password_check(password, "marianne", NULL, &err) != status)
        fail_msg("\"%s\": %s", password, status == OK ? err.message : "was accepted");
}

static void test_easy_passwords(void **state)
{
    static const char *const easy[] = {
        "12345678",     "87654321",     "aaaaaaaa",     "abcdefgh", "qwertyuiop",       "QWERTZUI",
        "asdfasdf",     "password",     "Password123!", "P4ssw0rd", "passwordpassword", "marianne",
        "Marianne1234", "adminadmin",   "peelpeel",     "sticker1", "stickers2026",     "letmein!!",
        "1q1q1q",       "iloveyoupeel", "welcome1",     "tester123"};
    static const char *const good[] = {"correct horse", "a long password", "battery staple",      "x7Kp2mQz",
                                       "tr0ub4dor&3",   "änderung heute",  "marianne likes trees"};
    char long_one[SECRET_MOST_PASSWORD + 2];
    (void)state;
    for (size_t i = 0; i < sizeof easy / sizeof *easy; i++)
        expect_password(easy[i], ERR_INVALID);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect_password(good[i], OK);
    memset(long_one, 'x', sizeof long_one - 1);
    long_one[sizeof long_one - 1] = '\0';
    expect_password(long_one, ERR_INVALID);
}

static void test_denied_passwords(void **state)
{
    char folder[256], path[300];
    struct error err;
    (void)state;
    tmp_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/denied", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("dragonfly\r\n\nTrustNo1\nshadowfax", f);
    fclose(f);
    assert_int_equal(password_check("Dragonfly", "ann", path, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "list of common passwords"));
    assert_int_equal(password_check("shadowfax2026!", "ann", path, &err), ERR_INVALID);
    assert_int_equal(password_check("trustno1", "ann", path, &err), ERR_INVALID);
    assert_int_equal(password_check("dragonflies", "ann", path, &err), OK);
    assert_int_equal(password_check("dragonfly", "ann", "/nonexistent/list", &err), ERR_IO);
    tmp_remove(folder);
}

static void test_sealed(void **state)
{
    char sealed[256], again[256], out[64];
    struct error err;
    (void)state;
    assert_int_equal(secret_seal("a key of some length", "JBSWY3DP", sealed, sizeof sealed, &err), OK);
    assert_int_equal(secret_seal("a key of some length", "JBSWY3DP", again, sizeof again, &err), OK);
    assert_memory_equal(sealed, "box:", 4);
    assert_null(strstr(sealed, "JBSW"));
    assert_string_not_equal(sealed, again);
    assert_int_equal(secret_open("a key of some length", sealed, out, sizeof out, &err), OK);
    assert_string_equal(out, "JBSWY3DP");
    assert_int_equal(secret_open("another key", sealed, out, sizeof out, &err), ERR_CORRUPT);
    assert_int_equal(secret_open(NULL, sealed, out, sizeof out, &err), ERR_CORRUPT);
    sealed[70] = sealed[70] == 'a' ? 'b' : 'a';
    assert_int_equal(secret_open("a key of some length", sealed, out, sizeof out, &err), ERR_CORRUPT);
    assert_int_equal(secret_open("key", "nonsense", out, sizeof out, &err), ERR_CORRUPT);
    assert_int_equal(secret_open("key", "box:00", out, sizeof out, &err), ERR_CORRUPT);
    assert_int_equal(secret_seal(NULL, "JBSWY3DP", sealed, sizeof sealed, &err), OK);
    assert_string_equal(sealed, "plain:JBSWY3DP");
    assert_int_equal(secret_open("a key", sealed, out, sizeof out, &err), OK);
    assert_string_equal(out, "JBSWY3DP");
    assert_int_equal(secret_open("a key", sealed, out, 8, &err), ERR_CORRUPT); /* no room */
}

/* RFC 4226, appendix D; RFC 6238, appendix B. */
static void test_codes_of_the_standards(void **state)
{
    static const unsigned char key[] = "12345678901234567890";
    static const uint32_t hotp[] = {755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489};
    static const struct {
        uint64_t seconds;
        uint32_t code;
    } totp[] = {{59, 94287082},         {1111111109, 7081804},  {1111111111, 14050471},
                {1234567890, 89005924}, {2000000000, 69279037}, {20000000000, 65353130}};
    (void)state;
    for (uint64_t i = 0; i < sizeof hotp / sizeof *hotp; i++)
        assert_int_equal(totp_hotp(key, sizeof key - 1, i, 6), hotp[i]);
    for (size_t i = 0; i < sizeof totp / sizeof *totp; i++)
        assert_int_equal(totp_hotp(key, sizeof key - 1, totp[i].seconds / 30, 8), totp[i].code);
    /* The same key in base32. */
    assert_int_equal(totp_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", 1), 287082);
}

static void test_codes(void **state)
{
    static const char secret[] = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    char made[TOTP_SECRET_SIZE], other[TOTP_SECRET_SIZE];
    const int64_t now = 59 * 1000000; /* step 1, whose code is 287082; 755224 is that of step 0, 359152 of 2 */
    int64_t step = -1;
    (void)state;
    assert_true(totp_check(secret, "287082", now, &step));
    assert_int_equal(step, 1);
    assert_true(totp_check(secret, " 755 224", now, &step));
    assert_int_equal(step, 0);
    assert_true(totp_check(secret, "359152", now, &step));
    assert_int_equal(step, 2);
    static const char *const wrong[] = {"969429", "28708", "2870820", "", "28708a", "-87082", "287082 x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(totp_check(secret, wrong[i], now, &step));
    totp_secret_new(made);
    totp_secret_new(other);
    assert_true(totp_secret_is(made));
    assert_string_not_equal(made, other);
    assert_false(totp_secret_is("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ"));
    assert_false(totp_secret_is("gezdgnbvgy3tqojqgezdgnbvgy3tqojq"));
}

static void test_uri_and_its_picture(void **state)
{
    struct arena a;
    struct error err;
    const char *path;
    int64_t size;
    char long_text[4000];
    (void)state;
    arena_init(&a, 1u << 20);
    const char *uri = totp_uri("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "ann & ö", &a);
    assert_string_equal(uri,
                        "otpauth://totp/Peel:ann%20%26%20%C3%B6?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Peel");
    assert_int_equal(qr_path(uri, &a, &path, &size, &err), OK);
    assert_true(size > 21 + 8 && size < 70);
    assert_memory_equal(path, "M4,4h7v1h-7z", 12); /* the top of the first finder pattern */
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    assert_int_equal(qr_path(long_text, &a, &path, &size, &err), ERR_TOO_LARGE);
    arena_free(&a);
}

static void test_ticket(void **state)
{
    char token[SESSION_TOKEN_SIZE], other[SESSION_TOKEN_SIZE], ticket[SESSION_TICKET_SIZE];
    (void)state;
    session_token_new(token);
    session_token_new(other);
    session_ticket_new(token, "ann", "hash", 1000, ticket);
    assert_true(session_ticket_ok(ticket, token, "ann", "hash", 999));
    assert_false(session_ticket_ok(ticket, token, "ann", "hash", 1000));
    assert_false(session_ticket_ok(ticket, other, "ann", "hash", 999));
    assert_false(session_ticket_ok(ticket, token, "bob", "hash", 999));
    assert_false(session_ticket_ok(ticket, token, "ann", "other", 999));
    ticket[0] = '9'; /* it would last longer */
    assert_false(session_ticket_ok(ticket, token, "ann", "hash", 999));
    assert_false(session_ticket_ok("", token, "ann", "hash", 999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_password),
                                       cmocka_unit_test(no_memory_is_no_wrong_password),
                                       cmocka_unit_test(test_equal_and_random),
                                       cmocka_unit_test(test_easy_passwords),
                                       cmocka_unit_test(test_denied_passwords),
                                       cmocka_unit_test(test_sealed),
                                       cmocka_unit_test(test_codes_of_the_standards),
                                       cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_uri_and_its_picture),
                                       cmocka_unit_test(test_ticket)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
