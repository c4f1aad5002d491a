/* secret.h: passwords, kept as argon2id strings ("$argon2id$v=19$...", RFC 9106, through libsodium). */
#ifndef PEEL_BASE_SECRET_H
#define PEEL_BASE_SECRET_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

#define SECRET_HASH_SIZE      128 /* bytes with the NUL */
#define SECRET_LEAST_PASSWORD 8   /* bytes */
#define SECRET_MOST_PASSWORD  1024

/* 64 MiB and about 0.1 s of work, on purpose. ERR_INVALID names the bound on the length that was missed. */
enum status secret_hash_password(const char *password, char out[SECRET_HASH_SIZE], struct error *err) MUST_CHECK;
/* As slow. ERR_DENIED: another password's, or no hash of argon2id; ERR_NO_MEMORY: nobody knows. Call it with
 * secret_dummy_hash for users that do not exist, so that the time taken does not tell. */
enum status secret_check_password(const char *password, const char *hash, struct error *err) MUST_CHECK;
const char *secret_dummy_hash(void); /* static; no password matches */
/* Encrypts a text (XSalsa20-Poly1305) with a key, which may be any text: "box:" and hex. Without a key (NULL) it is
 * "plain:" and the text. Opening: ERR_CORRUPT when the key is another one, or the text was changed. */
enum status secret_seal(const char *key, const char *text, char *out, size_t cap, struct error *err) MUST_CHECK;
enum status secret_open(const char *key, const char *sealed, char *out, size_t cap, struct error *err) MUST_CHECK;
/* Compares without telling by its time where the difference is (lengths may be told). */
bool secret_equal(const char *a, const char *b) MUST_CHECK;
/* `len` characters from a set without look-alikes (5 bits each), then a NUL. */
void secret_random_text(char *out, size_t len);

#endif
