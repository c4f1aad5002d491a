/* What MHD lets pass in a request's head but RFC 9112 does not. A proxy in front may read such a head otherwise than
 * we do, and then take a part of one request for the next one (request smuggling): it is refused, and the connection
 * ends with it. */
#include "http/http_internal.h"

#include <string.h>
#include <strings.h>

struct head {
    unsigned hosts, lengths, codings;
    const char *coding;
    const char *bad_name, *bad_value, *bad_line; /* names of fields */
    bool sees_lines;
    const char *last, *next_line; /* the last field's name; where the next one must begin */
};

/* 0.9.75 (Debian 12, Ubuntu 22.04) ends a value at its first NUL, takes LF alone for the end of a line, and glues a
 * folded line to the field's name: "Ho: x" and then " st" are "Host: x" to it. Its fields lie where they were received,
 * with NUL for the colon and for both CR and LF, so that each begins where the line before it ended. (Behind the head
 * there are always bytes of the same memory, its structs for the fields.) Other versions keep their fields otherwise.
 */
static bool mhd_shows_lines(void)
{
    return strcmp(MHD_get_version(), "0.9.75") == 0;
}

/* Is the field one line, right behind the field before it? */
static bool is_whole_line(struct head *h, const char *name, size_t name_len, const char *value, size_t value_len)
{
    const char *s = name + name_len + 1;
    bool follows = !h->next_line || name == h->next_line;
    if (!follows || !value || value < s)
        return false;
    while (s != value && (*s == ' ' || *s == '\t'))
        s++;
    h->last = name;
    h->next_line = value + value_len + 2;
    return s == value && value[value_len] == '\0' && value[value_len + 1] == '\0';
}

static bool is_token(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f || strchr("\"(),/:;<=>?@[\\]{}", s[i]))
            return false;
    return len > 0;
}

static bool is_plain(const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (((unsigned char)s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f)
            return false;
    return true;
}

static enum MHD_Result see_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                 const char *value, size_t value_len)
{
    (void)kind;
    struct head *h = cls;
    if (!is_token(name, name_len))
        h->bad_name = name;
    else if (!is_plain(value, value_len))
        h->bad_value = name;
    else if (h->sees_lines && !is_whole_line(h, name, name_len, value, value_len))
        h->bad_line = h->bad_line ? h->bad_line : name; /* those behind it are not where they should be either */
    else if (strcasecmp(name, "Host") == 0)
        h->hosts++;
    else if (strcasecmp(name, "Content-Length") == 0)
        h->lengths++;
    else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        h->codings++;
        h->coding = value;
    }
    return MHD_YES;
}

enum status http_check_head(struct MHD_Connection *connection, const char *version, struct error *err)
{
    struct head h = {.sees_lines = mhd_shows_lines()};
    bool old = strcmp(version, "HTTP/1.0") == 0;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, see_field, &h);
    if (h.bad_name)
        return err_set(err, ERR_INVALID, "header: \"%.60s\" is not a name", h.bad_name);
    if (h.bad_value)
        return err_set(err, ERR_INVALID, "header %.60s: control characters are not allowed", h.bad_value);
    if (h.next_line && (h.next_line[0] || h.next_line[1]) && !h.bad_line) /* no empty line there */
        h.bad_line = h.last;
    if (h.bad_line)
        return err_set(err, ERR_INVALID, "header %.60s: expected one line that ends with CRLF and holds no NUL",
                       h.bad_line);
    if (h.hosts > 1 || (h.hosts == 0 && !old))
        return err_set(err, ERR_INVALID, "header Host must be given once");
    if (h.lengths > 1)
        return err_set(err, ERR_INVALID, "header Content-Length must be given once");
    if (h.codings && (h.lengths || old))
        return err_set(err, ERR_INVALID, "header Transfer-Encoding: not allowed with Content-Length or HTTP/1.0");
    if (h.codings > 1 || (h.coding && strcasecmp(h.coding, "chunked") != 0))
        return err_set(err, ERR_UNSUPPORTED, "header Transfer-Encoding: only chunked is supported");
    return OK;
}
