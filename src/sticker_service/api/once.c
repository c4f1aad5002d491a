#include "sticker_service/api/once.h"

#include "base/os.h"

#include <string.h>

#define KEY_MAX 255u /* bytes */

enum status once_read(const struct http_request *req, size_t part, struct request_once *r, bool *known,
                      struct error *err)
{
    const char *key = http_header(req, "Idempotency-Key"), *who = http_header(req, "Authorization");
    *known = key != NULL;
    if (!key)
        return OK;
    size_t len = strlen(key);
    for (size_t i = 0; i < len; i++)
        if (key[i] <= ' ' || key[i] > '~')
            return err_set(err, ERR_INVALID, "Idempotency-Key must be visible ASCII characters without spaces");
    if (len < 1 || len > KEY_MAX)
        return err_set(err, ERR_INVALID, "Idempotency-Key must have 1 to %u characters, not %zu", KEY_MAX, len);
    /* a key has no line's end; the whole request's is as older versions made it */
    const char *all = part ? arena_printf(req->arena, "%s\n%s\n%zu", key, who ? who : "", part)
                           : arena_printf(req->arena, "%s\n%s", key, who ? who : "");
    if (!all)
        return err_no_memory(err, "a request");
    os_sha256_hex(all, strlen(all), r->key);
    os_sha256_hex(req->body, req->body_len, r->body);
    r->once = (struct feedback_once){.key = r->key, .body_sha256 = r->body, .now_us = os_now_us()};
    return OK;
}
