/* totp.h: one-time codes of authenticator apps: TOTP (RFC 6238) on HOTP (RFC 4226), with HMAC-SHA-1, 6 digits and steps
 * of 30 s, because that is what all apps know; HMAC does not need SHA-1 to be free of collisions. Aborts if OpenSSL has
 * no SHA-1. */
#ifndef PEEL_BASE_TOTP_H
#define PEEL_BASE_TOTP_H

#include "base/arena.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOTP_DIGITS      6
#define TOTP_SECRET_SIZE 33 /* 160 random bits in base32 (RFC 4648), and a NUL */
#define TOTP_STEP_US     INT64_C(30000000)

void totp_secret_new(char out[TOTP_SECRET_SIZE]);
bool totp_secret_is(const char *s); /* 32 capital letters and digits 2 to 7 */

/* HOTP of any key, for one counter, with 6 to 8 digits. */
uint32_t totp_hotp(const unsigned char *key, size_t len, uint64_t counter, unsigned digits);
/* The code of a step, which is the time in microseconds since 1970 / TOTP_STEP_US. */
uint32_t totp_code(const char *secret, int64_t step);
/* Whether `typed`, 6 digits with or without spaces, is the code of the step at now_us, the one before or the one after:
 * *step. Takes as long for every code. */
bool totp_check(const char *secret, const char *typed, int64_t now_us, int64_t *step);

/* otpauth://totp/..., which apps read from a QR code. `account`: a username. NULL without memory. */
const char *totp_uri(const char *secret, const char *account, struct arena *a);

#endif
