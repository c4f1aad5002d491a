#include "web/session.h"

#include "base/os.h"
#include "base/secret.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_token_new(char out[SESSION_TOKEN_SIZE])
{
    unsigned char random[(SESSION_TOKEN_SIZE - 1) / 2];
    os_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(out + 2 * i, 3, "%02x", random[i]);
}

bool session_token_is(const char *s)
{
    return strlen(s) == SESSION_TOKEN_SIZE - 1 && strspn(s, "0123456789abcdef") == SESSION_TOKEN_SIZE - 1;
}

void session_hash(const char *token, char out[SESSION_TOKEN_SIZE])
{
    os_sha256_hex(token, strlen(token), out);
}

void session_csrf(const char *token, char out[SESSION_TOKEN_SIZE])
{
    char text[5 + SESSION_TOKEN_SIZE];
    snprintf(text, sizeof text, "csrf:%s", token);
    os_sha256_hex(text, strlen(text), out);
}

bool session_csrf_ok(const char *token, const char *sent)
{
    char expected[SESSION_TOKEN_SIZE];
    session_csrf(token, expected);
    return sent && secret_equal(sent, expected);
}

static void device_sign(const char *name, const char *username, const char *password_hash, char out[SESSION_TOKEN_SIZE])
{
    unsigned char mac[crypto_auth_hmacsha256_BYTES];
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, (const unsigned char *)password_hash, strlen(password_hash));
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)name, strlen(name) + 1);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)username, strlen(username));
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_bin2hex(out, SESSION_TOKEN_SIZE, mac, sizeof mac);
}

void session_device_new(const char *username, const char *password_hash, char out[SESSION_DEVICE_SIZE])
{
    char name[SESSION_TOKEN_SIZE], sign[SESSION_TOKEN_SIZE];
    session_token_new(name);
    device_sign(name, username, password_hash, sign);
    snprintf(out, SESSION_DEVICE_SIZE, "%s.%s", name, sign);
}

void session_device_key(const char *device, char out[SESSION_TOKEN_SIZE])
{
    snprintf(out, SESSION_TOKEN_SIZE, "%.*s", SESSION_TOKEN_SIZE - 1, device);
}

bool session_device_ok(const char *device, const char *username, const char *password_hash)
{
    char name[SESSION_TOKEN_SIZE], sign[SESSION_TOKEN_SIZE];
    session_device_key(device, name);
    if (strlen(device) != SESSION_DEVICE_SIZE - 1 || !session_token_is(name) || device[SESSION_TOKEN_SIZE - 1] != '.')
        return false;
    device_sign(name, username, password_hash, sign);
    return secret_equal(sign, device + SESSION_TOKEN_SIZE);
}

/* Until when it is valid, and the form's token, are what is signed. */
void session_ticket_new(const char *token, const char *username, const char *password_hash, int64_t until_s,
                        char out[SESSION_TICKET_SIZE])
{
    char text[SESSION_TOKEN_SIZE + 40], sign[SESSION_TOKEN_SIZE];
    snprintf(text, sizeof text, "ticket %" PRId64 " %s", until_s, token);
    device_sign(text, username, password_hash, sign);
    snprintf(out, SESSION_TICKET_SIZE, "%" PRId64 ".%s", until_s, sign);
}

bool session_ticket_ok(const char *ticket, const char *token, const char *username, const char *password_hash,
                       int64_t now_s)
{
    char expected[SESSION_TICKET_SIZE];
    int64_t until_s = strtoll(ticket, NULL, 10);
    session_ticket_new(token, username, password_hash, until_s, expected);
    return until_s > now_s && secret_equal(ticket, expected);
}
