/* A Content-Type header, a line break, and a body: what is found lies inside the body and is text where it should be.
 */
#include "base/utf8.h"
#include "http/multipart.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PARTS 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *s)
{
    size_t len = strlen(s);
    if (!utf8_valid(s, len) || utf8_has_control(s, len))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    struct arena a;
    struct multipart m;
    if (!line)
        return 0;
    arena_init(&a, 4u << 20);
    char *type = arena_strndup(&a, (const char *)data, (size_t)(line - data));
    size_t len = size - (size_t)(line + 1 - data);
    char *body = malloc(len ? len : 1); /* of its own, so that a look beyond its end is seen */
    if (!type || !body)
        abort();
    memcpy(body, line + 1, len);
    if (multipart_parse(type, body, len, MAX_PARTS, &a, &m, NULL) == OK) {
        const char *at = body;
        if (m.n > MAX_PARTS)
            abort();
        for (size_t i = 0; i < m.n; i++) {
            const struct multipart_part *p = &m.parts[i];
            check_text(p->name);
            if (p->filename)
                check_text(p->filename);
            if (p->data < at || p->len > (size_t)(body + len - p->data))
                abort();
            at = p->data + p->len;
        }
    }
    free(body);
    arena_free(&a);
    return 0;
}
