#include "web/assets.h"

#include "web/assets_gen.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct asset *asset_by_file(const char *file)
{
    for (size_t i = 0; i < asset_count; i++)
        if (strcmp(asset_table[i].file, file) == 0)
            return &asset_table[i];
    return NULL;
}

const struct asset *asset_by_name(const char *name)
{
    for (size_t i = 0; i < asset_count; i++)
        if (strcmp(asset_table[i].name, name) == 0)
            return &asset_table[i];
    return NULL;
}

/* The next element of a comma-separated header, without spaces around it; NULL at the end. */
static const char *next_element(const char **at, size_t *len)
{
    *at += strspn(*at, " \t,");
    if (!**at)
        return NULL;
    const char *start = *at;
    *at += strcspn(*at, ",");
    *len = (size_t)(*at - start);
    while (*len && strchr(" \t", start[*len - 1]))
        (*len)--;
    return start;
}

bool asset_takes_gzip(const char *accept_encoding)
{
    const char *at = accept_encoding ? accept_encoding : "";
    const char *e;
    size_t len;
    bool any = false;
    while ((e = next_element(&at, &len))) {
        size_t coding = strcspn(e, " \t;,");
        const char *q = memchr(e, '=', len);
        bool wanted = !q || strtod(q + 1, NULL) > 0;
        if (coding == 4 && strncasecmp(e, "gzip", 4) == 0)
            return wanted;
        if (coding == 1 && *e == '*')
            any = wanted;
    }
    return any;
}

bool asset_not_modified(const char *if_none_match, const char *etag)
{
    const char *at = if_none_match ? if_none_match : "";
    const char *e;
    size_t len;
    while ((e = next_element(&at, &len))) {
        if (len == 1 && *e == '*')
            return true;
        if (len > 2 && strncmp(e, "W/", 2) == 0)
            e += 2, len -= 2;
        if (len == strlen(etag) && memcmp(e, etag, len) == 0)
            return true;
    }
    return false;
}
