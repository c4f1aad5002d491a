#include "base/totp.h"

#include "base/buf.h"
#include "base/os.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 20u
#define ISSUER    "Peel"
#define SHA1_SIZE 20

static const char base32[33] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

void totp_secret_new(char out[TOTP_SECRET_SIZE])
{
    unsigned char random[TOTP_SECRET_SIZE - 1];
    os_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        out[i] = base32[random[i] & 31];
    out[sizeof random] = '\0';
}

bool totp_secret_is(const char *s)
{
    return strlen(s) == TOTP_SECRET_SIZE - 1 && strspn(s, base32) == TOTP_SECRET_SIZE - 1;
}

/* 32 characters of 5 bits are 20 bytes. */
static void decode(const char *secret, unsigned char key[KEY_BYTES])
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t n = 0;
    for (const char *at = secret; *at && n < KEY_BYTES; at++) {
        const char *digit = strchr(base32, *at);
        bits = (bits << 5 | (digit ? (uint32_t)(digit - base32) : 0)) & 0xfff;
        held += 5;
        if (held >= 8) {
            held -= 8;
            key[n++] = (unsigned char)(bits >> held);
        }
    }
}

uint32_t totp_hotp(const unsigned char *key, size_t len, uint64_t counter, unsigned digits)
{
    unsigned char message[8], mac[EVP_MAX_MD_SIZE] = {0};
    unsigned size = 0;
    uint32_t power = 1;
    for (int i = 7; i >= 0; i--, counter >>= 8)
        message[i] = (unsigned char)counter;
    if (!HMAC(EVP_sha1(), key, (int)len, message, sizeof message, mac, &size) || size != SHA1_SIZE)
        abort();
    const unsigned char *at = mac + (mac[SHA1_SIZE - 1] & 15);
    uint32_t number = (uint32_t)(at[0] & 127) << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    while (digits--)
        power *= 10;
    return number % power;
}

uint32_t totp_code(const char *secret, int64_t step)
{
    unsigned char key[KEY_BYTES] = {0};
    decode(secret, key);
    uint32_t code = totp_hotp(key, sizeof key, (uint64_t)step, TOTP_DIGITS);
    explicit_bzero(key, sizeof key);
    return code;
}

static bool read_code(const char *typed, uint32_t *out)
{
    unsigned digits = 0;
    *out = 0;
    for (; *typed; typed++) {
        if (*typed == ' ')
            continue;
        if (*typed < '0' || *typed > '9' || ++digits > TOTP_DIGITS)
            return false;
        *out = *out * 10 + (uint32_t)(*typed - '0');
    }
    return digits == TOTP_DIGITS;
}

bool totp_check(const char *secret, const char *typed, int64_t now_us, int64_t *step)
{
    uint32_t code;
    int64_t now = now_us / TOTP_STEP_US;
    bool right = false;
    if (!read_code(typed, &code))
        return false;
    for (int64_t i = now - 1; i <= now + 1; i++)
        if (totp_code(secret, i) == code) {
            right = true;
            *step = i;
        }
    return right;
}

const char *totp_uri(const char *secret, const char *account, struct arena *a)
{
    struct buf out;
    buf_init(&out, 4096);
    buf_puts(&out, "otpauth://totp/" ISSUER ":");
    for (const unsigned char *at = (const unsigned char *)account; *at; at++)
        if ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9') ||
            strchr("-._~", *at))
            buf_putc(&out, (char)*at);
        else
            buf_printf(&out, "%%%02X", *at);
    buf_printf(&out, "?secret=%s&issuer=" ISSUER, secret);
    const char *uri = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return uri;
}
