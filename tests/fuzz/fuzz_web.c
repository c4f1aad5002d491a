/* Forms, cookies, headers and descriptions from anybody; and whatever is written as HTML stays text. */
#include "base/utf8.h"
#include "http/accept.h"
#include "web/apidocs.h"
#include "web/cookie.h"
#include "web/form.h"
#include "web/html.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_form(const char *s, size_t size, struct arena *a)
{
    struct form f;
    if (form_parse(s, size, 16, a, &f, NULL) != OK)
        return;
    if (f.count > 16)
        abort();
    for (size_t i = 0; i < f.count; i++)
        if (!utf8_valid(f.fields[i].name, strlen(f.fields[i].name)) ||
            !utf8_valid(f.fields[i].value, strlen(f.fields[i].value)))
            abort();
}

static void check_written(const char *s, struct buf *out)
{
    buf_reset(out);
    html_text(out, s);
    if (strpbrk(buf_str(out), "<>\"'"))
        abort();
    buf_reset(out);
    html_url(out, s);
    if (strpbrk(buf_str(out), "<>\"'\n\t") || strncasecmp(buf_str(out), "javascript:", 11) == 0)
        abort();
    buf_reset(out);
    html_url_part(out, s);
    if (strpbrk(buf_str(out), "<>\"'&/?#: "))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct buf out;
    const char *value;
    arena_init(&a, 4u << 20);
    buf_init(&out, 1u << 20);
    check_form((const char *)data, size, &a);
    if (apidocs_page((const char *)data, size, "http://h", &a, &out, NULL) == OK && !strstr(buf_str(&out), "</html>"))
        abort();
    char *s = arena_strndup(&a, (const char *)data, size);
    if (s) {
        check_written(s, &out);
        if (cookie_get(s, "session", &a, &value, NULL) == OK && strchr(value, ';'))
            abort();
        if (http_accepts(s, "gzip") && !strpbrk(s, "gG*"))
            abort();
        if (http_accepts(s, "image/webp") > 1000 ||
            (http_etag_listed(s, "\"tag\"") && !strstr(s, "\"tag\"") && !strchr(s, '*')))
            abort();
    }
    buf_free(&out);
    arena_free(&a);
    return 0;
}
