#include "http/answer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HEAD_MAX    (256u << 10) /* bytes of lines */
#define RESERVE_MAX (64u << 10)  /* bytes of memory on a peer's word that a body comes */

void http_answer_begin(struct http_answer *a, bool bodyless, struct buf *body)
{
    a->status = 0;
    a->begun = a->done = false;
    a->keeps = true;
    a->body = body;
    a->bodyless = bodyless;
    a->chunked = a->sized = false;
    a->state = ANSWER_STATUS;
    a->left = 0;
    a->head_bytes = a->line_len = 0;
}

static enum status broken(const struct http_answer *a, const char *expected, struct error *err)
{
    return err_set(err, ERR_UNAVAILABLE, "the answer is not HTTP: expected %s, found \"%.40s\"", expected, a->line);
}

/* "HTTP/1.1 200 OK" */
static enum status take_status(struct http_answer *a, struct error *err)
{
    const char *s = a->line;
    if (strncmp(s, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)s[7]) || s[8] != ' ' || s[9] < '1' || s[9] > '9' ||
        !isdigit((unsigned char)s[10]) || !isdigit((unsigned char)s[11]) || (s[12] && s[12] != ' '))
        return broken(a, "a status line", err);
    a->status = 100 * (s[9] - '0') + 10 * (s[10] - '0') + (s[11] - '0');
    a->keeps = s[7] != '0';
    a->state = ANSWER_FIELDS;
    return OK;
}

/* The value of the field in the line if that is its name, without spaces around it; NULL: it is another one. */
static char *field_value(struct http_answer *a, const char *name)
{
    size_t len = strlen(name), end = a->line_len;
    if (strncasecmp(a->line, name, len) != 0 || a->line[len] != ':')
        return NULL;
    while (end > len + 1 && (a->line[end - 1] == ' ' || a->line[end - 1] == '\t'))
        a->line[--end] = '\0';
    return a->line + len + 1 + strspn(a->line + len + 1, " \t");
}

static enum status take_length(struct http_answer *a, const char *value, struct error *err)
{
    uint64_t length = 0;
    size_t digits = strspn(value, "0123456789");
    for (size_t i = 0; i < digits && digits <= 18; i++)
        length = 10 * length + (uint64_t)(value[i] - '0');
    if (!digits || digits > 18 || value[digits] || (a->sized && length != a->left))
        return broken(a, "one length", err);
    a->sized = true;
    a->left = length;
    return OK;
}

static enum status take_field(struct http_answer *a, struct error *err)
{
    const char *value;
    if ((value = field_value(a, "Content-Length")))
        return take_length(a, value, err);
    if ((value = field_value(a, "Transfer-Encoding"))) {
        if (a->chunked || strcasecmp(value, "chunked") != 0)
            return broken(a, "the transfer coding chunked", err);
        a->chunked = true;
    } else if ((value = field_value(a, "Connection"))) {
        a->keeps = a->keeps && !strcasestr(value, "close");
    }
    return OK;
}

/* What comes behind the head (RFC 9112, 6.3). */
static enum status end_head(struct http_answer *a, struct error *err)
{
    if (a->status < 200) { /* another head follows */
        if (a->status == 101)
            return broken(a, "HTTP/1.1 to go on", err);
        http_answer_begin(a, a->bodyless, a->body);
        a->begun = true;
        return OK;
    }
    if (a->bodyless || a->status == 204 || a->status == 304) {
        a->done = true;
    } else if (a->chunked) {
        a->keeps = a->keeps && !a->sized;
        a->state = ANSWER_CHUNK;
    } else if (a->sized) {
        a->state = ANSWER_SIZED;
        a->done = a->left == 0;
        buf_reserve(a->body, a->left < RESERVE_MAX ? (size_t)a->left : RESERVE_MAX);
    } else {
        a->keeps = false;
        a->state = ANSWER_TO_END;
    }
    return OK;
}

/* "1a;name=value": how long a chunk is. */
static enum status take_chunk_size(struct http_answer *a, struct error *err)
{
    size_t digits = strspn(a->line, "0123456789abcdefABCDEF");
    if (!digits || digits > 15 || (a->line[digits] && !strchr("; \t", a->line[digits])))
        return broken(a, "the size of a chunk", err);
    a->left = 0;
    for (size_t i = 0; i < digits; i++) {
        int c = tolower((unsigned char)a->line[i]);
        a->left = a->left << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    a->head_bytes = 0;
    a->state = a->left ? ANSWER_CHUNK_DATA : ANSWER_TRAILER;
    return OK;
}

static enum status end_line(struct http_answer *a, struct error *err)
{
    if (a->line_len && a->line[a->line_len - 1] == '\r')
        a->line_len--;
    a->line[a->line_len] = '\0';
    enum status st = OK;
    if (a->state == ANSWER_STATUS) {
        st = take_status(a, err);
    } else if (a->state == ANSWER_FIELDS) {
        st = a->line_len ? take_field(a, err) : end_head(a, err);
    } else if (a->state == ANSWER_CHUNK) {
        st = take_chunk_size(a, err);
    } else if (a->state == ANSWER_CHUNK_END) {
        st = a->line_len ? broken(a, "the end of a chunk", err) : OK;
        a->state = ANSWER_CHUNK;
    } else { /* a trailer, of which we want nothing */
        a->done = !a->line_len;
    }
    a->line_len = 0;
    return st;
}

/* Takes bytes of a line, of which *used is how many. */
static enum status take_line(struct http_answer *a, const char *data, size_t len, size_t *used, struct error *err)
{
    const char *end = memchr(data, '\n', len);
    size_t n = end ? (size_t)(end - data) : len, room = sizeof a->line - 1 - a->line_len;
    *used = n + (end != NULL);
    a->head_bytes += *used;
    if (a->head_bytes > HEAD_MAX)
        return err_set(err, ERR_UNAVAILABLE, "the answer has a head of more than %u bytes", HEAD_MAX);
    memcpy(a->line + a->line_len, data, n < room ? n : room);
    a->line_len += n < room ? n : room;
    return end ? end_line(a, err) : OK;
}

static enum status take_body(struct http_answer *a, const char *data, size_t len, size_t *used, struct error *err)
{
    *used = a->state != ANSWER_TO_END && a->left < len ? (size_t)a->left : len;
    buf_append(a->body, data, *used);
    if (a->state != ANSWER_TO_END && (a->left -= *used) == 0) {
        a->done = a->state == ANSWER_SIZED;
        a->state = ANSWER_CHUNK_END;
    }
    if (!a->body->failed)
        return OK;
    return a->body->no_memory ? err_no_memory(err, "the answer")
                              : err_set(err, ERR_TOO_LARGE, "answer of more than %zu bytes", a->body->max);
}

enum status http_answer_take(struct http_answer *a, const char *data, size_t len, struct error *err)
{
    enum status st = OK;
    a->begun = a->begun || len;
    for (size_t used; len && !a->done && st == OK; data += used, len -= used) {
        bool body = a->state == ANSWER_SIZED || a->state == ANSWER_TO_END || a->state == ANSWER_CHUNK_DATA;
        st = (body ? take_body : take_line)(a, data, len, &used, err);
    }
    a->keeps = a->keeps && !len; /* nobody has asked for more */
    return st;
}

enum status http_answer_end(struct http_answer *a, struct error *err)
{
    a->done = a->done || a->state == ANSWER_TO_END;
    return a->done ? OK : err_set(err, ERR_UNAVAILABLE, "the connection was closed before the answer was complete");
}
