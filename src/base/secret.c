#include "base/secret.h"

#include "base/os.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SECRET_HASH_SIZE >= crypto_pwhash_argon2id_STRBYTES, "room for libsodium's string");

/* OPSLIMIT/MEMLIMIT_INTERACTIVE: 2 passes over 64 MiB, the second choice of RFC 9106 scaled to a
 * machine that serves searches meanwhile. */
#define PASSES crypto_pwhash_argon2id_OPSLIMIT_INTERACTIVE
#define MEMORY crypto_pwhash_argon2id_MEMLIMIT_INTERACTIVE

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

bool secret_check_password(const char *password, const char *hash)
{
    size_t len = strlen(password);
    if (len > SECRET_MOST_PASSWORD || strlen(hash) >= SECRET_HASH_SIZE || sodium_init() < 0)
        return false;
    char padded[SECRET_HASH_SIZE] = {0}; /* the library may look at all of it */
    memcpy(padded, hash, strlen(hash));
    return crypto_pwhash_argon2id_str_verify(padded, password, len) == 0;
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
