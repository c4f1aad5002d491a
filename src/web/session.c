#include "web/session.h"

#include "base/os.h"
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

bool session_same_origin(const char *sec_fetch_site, const char *origin, const char *host)
{
    if (sec_fetch_site)
        return strcmp(sec_fetch_site, "same-origin") == 0 || strcmp(sec_fetch_site, "none") == 0;
    if (!origin)
        return true;
    const char *found = strstr(origin, "://");
    return found && host && strcasecmp(found + 3, host) == 0;
}
