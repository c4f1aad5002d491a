#include "sticker_service/api/json_body.h"

#include "base/json_in.h"
#include "base/utf8.h"

#include <string.h>

/* Copies the body with every byte that is not UTF-8 spelled as an escaped NUL, which no string may hold: so the check
 * of the strings names the member in which it stands. */
static void spell_out_bad_bytes(const char *body, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len;) {
        size_t n = 1;
        while (n <= 4 && n <= len - i && !utf8_valid(body + i, n))
            n++;
        if (n <= 4 && n <= len - i) {
            buf_append(out, body + i, n);
            i += n;
        } else {
            buf_puts(out, "\\u0000");
            i++;
        }
    }
}

enum status json_body(const struct http_request *req, json_t **root, bool *utf8, struct error *err)
{
    /* Whole numbers as reals, as there may be one of any size in what nobody looks at. */
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL;
    *utf8 = utf8_valid(req->body, req->body_len);
    if (*utf8)
        return json_read_body(req->body, req->body_len, flags, root, err);
    struct buf copy;
    buf_init(&copy, 6 * req->body_len);
    spell_out_bad_bytes(req->body, req->body_len, &copy);
    enum status st = buf_status(&copy, err);
    *root = NULL;
    if (st == OK)
        st = json_read_body(buf_str(&copy), copy.len, flags, root, err);
    buf_free(&copy);
    return st == ERR_INVALID ? err_set(err, ERR_INVALID, "the body must be JSON in UTF-8") : st;
}

enum status json_check_string(const json_t *value, const char *name, struct error *err)
{
    if (!json_is_string(value))
        return err_set(err, ERR_INVALID, "%s must be a string", name);
    if (strlen(json_string_value(value)) != json_string_length(value))
        return err_set(err, ERR_INVALID, "%s must be UTF-8 text without NUL characters", name);
    return OK;
}
