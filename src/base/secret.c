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

#define BOX      "box:"
#define PLAIN    "plain:"
#define BOX_TEXT 256 /* bytes, at most */

/* A text is no key of the right length, but its hash is. */
static void box_key(const char *text, unsigned char key[crypto_secretbox_KEYBYTES])
{
    static const char context[] = "peel secret box";
    crypto_generichash(key, crypto_secretbox_KEYBYTES, (const unsigned char *)text, strlen(text),
                       (const unsigned char *)context, sizeof context - 1);
}

enum status secret_seal(const char *key, const char *text, char *out, size_t cap, struct error *err)
{
    unsigned char box[crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + BOX_TEXT];
    unsigned char secret[crypto_secretbox_KEYBYTES];
    size_t len = strlen(text), size = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + len;
    size_t needed = key ? sizeof BOX + 2 * size : sizeof PLAIN + len;
    if (len > BOX_TEXT || needed > cap || sodium_init() < 0)
        return err_set(err, ERR_INTERNAL, "a secret of %zu bytes cannot be encrypted", len);
    if (!key) {
        memcpy(out, PLAIN, sizeof PLAIN - 1);
        memcpy(out + sizeof PLAIN - 1, text, len + 1);
        return OK;
    }
    os_random(box, crypto_secretbox_NONCEBYTES);
    box_key(key, secret);
    crypto_secretbox_easy(box + crypto_secretbox_NONCEBYTES, (const unsigned char *)text, len, box, secret);
    memcpy(out, BOX, sizeof BOX - 1);
    sodium_bin2hex(out + sizeof BOX - 1, 2 * size + 1, box, size);
    sodium_memzero(secret, sizeof secret);
    return OK;
}

enum status secret_open(const char *key, const char *sealed, char *out, size_t cap, struct error *err)
{
    unsigned char box[crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES + BOX_TEXT];
    unsigned char secret[crypto_secretbox_KEYBYTES];
    size_t size = 0, around = crypto_secretbox_NONCEBYTES + crypto_secretbox_MACBYTES;
    if (strncmp(sealed, PLAIN, sizeof PLAIN - 1) == 0 && strlen(sealed) - sizeof PLAIN + 1 < cap) {
        memcpy(out, sealed + sizeof PLAIN - 1, strlen(sealed) - sizeof PLAIN + 2);
        return OK;
    }
    const char *hex = sealed + sizeof BOX - 1;
    if (strncmp(sealed, BOX, sizeof BOX - 1) != 0 || sodium_init() < 0 ||
        sodium_hex2bin(box, sizeof box, hex, strlen(hex), NULL, &size, NULL) != 0 || size < around ||
        size - around >= cap)
        return err_set(err, ERR_CORRUPT, "a secret in the database is damaged");
    if (!key)
        return err_set(err, ERR_CORRUPT, "a secret in the database is encrypted, and there is no key");
    box_key(key, secret);
    int rc = crypto_secretbox_open_easy((unsigned char *)out, box + crypto_secretbox_NONCEBYTES,
                                        size - crypto_secretbox_NONCEBYTES, box, secret);
    sodium_memzero(secret, sizeof secret);
    out[rc == 0 ? size - around : 0] = '\0';
    return rc == 0 ? OK : err_set(err, ERR_CORRUPT, "a secret in the database was encrypted with another key");
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
