#include "web/cookie.h"

#include <assert.h>
#include <string.h>

enum status cookie_get(const char *header, const char *name, struct arena *a, const char **value, struct error *err)
{
    size_t name_len = strlen(name);
    for (const char *at = header ? header : ""; *at;) {
        at += strspn(at, " \t;");
        size_t len = strcspn(at, ";");
        if (len > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
            const char *start = at + name_len + 1;
            size_t n = len - name_len - 1;
            while (n && strchr(" \t", start[n - 1]))
                n--;
            if (n >= 2 && start[0] == '"' && start[n - 1] == '"')
                start++, n -= 2;
            *value = arena_strndup(a, start, n);
            return *value ? OK : err_no_memory(err, "a cookie");
        }
        at += len;
    }
    return err_set(err, ERR_NOT_FOUND, "no cookie %s", name);
}

static bool is_plain(const char *s)
{
    for (; *s; s++)
        if (*s <= ' ' || *s >= 0x7f || strchr("\",;\\", *s))
            return false;
    return true;
}

void cookie_write(struct buf *out, const struct cookie *c)
{
    assert(*c->name && is_plain(c->name) && !strchr(c->name, '=') && is_plain(c->value) && is_plain(c->path));
    buf_printf(out, "%s=%s; Path=%s; HttpOnly; SameSite=Lax", c->name, c->value, c->path);
    if (c->max_age_s)
        buf_printf(out, "; Max-Age=%lld", (long long)(c->max_age_s < 0 ? 0 : c->max_age_s));
    if (c->secure)
        buf_puts(out, "; Secure");
}
