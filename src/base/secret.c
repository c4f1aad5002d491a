#include "base/secret.h"

#include "base/os.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(SECRET_HASH_SIZE >= crypto_pwhash_argon2id_STRBYTES, "room for libsodium's string");

/* OPSLIMIT/MEMLIMIT_INTERACTIVE: 2 passes over 64 MiB, the second choice of RFC 9106 scaled to a
 * machine that serves searches meanwhile. */
#define PASSES   crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE
#define MEMORY   crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE
#define KEY_SIZE 32 /* of libsodium's strings */

enum status secret_hash_password(const char *password, char out[SECRET_HASH_SIZE], struct error *err)
{
    size_t len = strlen(password);
    if (len < SECRET_LEAST_PASSWORD || len > SECRET_MOST_PASSWORD)
        return err_set(err, ERR_INVALID, "a password must have %d to %d bytes, not %zu", SECRET_LEAST_PASSWORD,
                       SECRET_MOST_PASSWORD, len);
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium does not start");
    memset(out, 0, SECRET_HASH_SIZE);
    if (crypto_pwhash_argon2id_str(out, password, len, PASSES, MEMORY) != 0)
        return err_no_memory(err, "hashing a password: 64 MiB are needed");
    return OK;
}

struct hashed {
    unsigned kib, passes;
    unsigned char salt[crypto_pwhash_argon2id_SALTBYTES], key[KEY_SIZE];
};

static bool read_base64(const char *text, unsigned char *out, size_t len)
{
    size_t got = 0;
    return sodium_base642bin(out, len, text, strlen(text), NULL, &got, NULL,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING) == 0 &&
           got == len;
}

static bool read_hash(const char *hash, struct hashed *out)
{
    char salt[64], key[64], end;
    return sscanf(hash, "$argon2id$v=19$m=%9u,t=%9u,p=1$%63[^$]$%63[^$]%c", &out->kib, &out->passes, salt, key, &end) ==
               4 &&
           read_base64(salt, out->salt, sizeof out->salt) && read_base64(key, out->key, sizeof out->key);
}

/* The library's own check of such a string calls a lack of memory a wrong password. */
enum status secret_check_password(const char *password, const char *hash, struct error *err)
{
    struct hashed stored;
    unsigned char key[KEY_SIZE];
    size_t len = strlen(password);
    if (sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "libsodium does not start");
    if (len > SECRET_MOST_PASSWORD || !read_hash(hash, &stored))
        return err_set(err, ERR_DENIED, "the password is wrong");
    if (crypto_pwhash_argon2id(key, sizeof key, password, len, stored.salt, stored.passes, (size_t)stored.kib << 10,
                               crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
        return err_no_memory(err, "checking a password: %u KiB are needed", stored.kib);
    return sodium_memcmp(key, stored.key, sizeof key) == 0 ? OK : err_set(err, ERR_DENIED, "the password is wrong");
}

const char *secret_dummy_hash(void)
{
    return "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
}

bool secret_equal(const char *a, const char *b)
{
    size_t len = strlen(a);
    return len == strlen(b) && sodium_memcmp(a, b, len) == 0;
}

void secret_random_text(char *out, size_t len)
{
    static const char set[33] = "abcdefghijkmnpqrstuvwxyz23456789";
    os_random(out, len);
    for (size_t i = 0; i < len; i++)
        out[i] = set[(unsigned char)out[i] & 31];
    out[len] = '\0';
}
