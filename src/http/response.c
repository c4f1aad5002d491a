#include "base/log.h"
#include "base/utf8.h"
#include "http/http_internal.h"

#include <assert.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char json_mime[] = "application/json; charset=utf-8";

/* RFC 9110's phrases, for the member `title`. */
static const char *reason(int status)
{
    const char *phrase = MHD_get_reason_phrase_for((unsigned)status);
    return phrase ? phrase : "Error";
}

static void set_body(struct http_response *res, int status, const char *type, struct MHD_Response *body)
{
    assert(!res->body);
    res->status = status;
    res->body = body;
    if (type)
        http_header_add(res, "Content-Type", type);
}

void http_header_add(struct http_response *res, const char *name, const char *value)
{
    assert(!strpbrk(value, "\r\n") && !strpbrk(name, "\r\n: "));
    struct http_field *f = arena_alloc(res->arena, sizeof *f);
    if (!f)
        return;
    f->name = arena_strdup(res->arena, name);
    f->value = arena_strdup(res->arena, value);
    if (!f->name || !f->value)
        return;
    f->next = res->fields;
    res->fields = f;
}

void http_header_set(struct http_response *res, const char *name, const char *value)
{
    struct http_field **at = &res->fields;
    while (*at && strcasecmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    http_header_add(res, name, value);
}

void http_vary(struct http_response *res, const char *fields)
{
    const struct http_field *f = res->fields;
    while (f && strcasecmp(f->name, "Vary") != 0)
        f = f->next;
    const char *all = f ? arena_printf(res->arena, "%s, %s", f->value, fields) : fields;
    if (all)
        http_header_set(res, "Vary", all);
}

/* MHD takes non-const pointers for buffers that it only reads. */
static void *unconst(const void *p)
{
    union {
        const void *in;
        void *out;
    } u = {.in = p};
    return u.out;
}

/* Of http_ask: true when the body has been taken. */
static bool keep(struct http_response *res, int status, const void *data, size_t len)
{
    if (!res->into)
        return false;
    res->status = status;
    buf_append(res->into, data, len);
    return true;
}

void http_body_copy(struct http_response *res, int status, const char *type, const void *data, size_t len)
{
    if (keep(res, status, data, len))
        return;
    set_body(res, status, type, MHD_create_response_from_buffer(len, unconst(data), MHD_RESPMEM_MUST_COPY));
}

void http_body_take(struct http_response *res, int status, const char *type, char *data, size_t len)
{
    if (keep(res, status, data, len)) {
        free(data);
        return;
    }
    struct MHD_Response *body = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
    if (!body)
        free(data);
    set_body(res, status, type, body);
}

void http_body_static(struct http_response *res, int status, const char *type, const void *data, size_t len)
{
    if (keep(res, status, data, len))
        return;
    set_body(res, status, type, MHD_create_response_from_buffer(len, unconst(data), MHD_RESPMEM_PERSISTENT));
}

static void keep_file(struct http_response *res, int status, int fd, uint64_t offset, uint64_t len)
{
    char piece[16384];
    res->status = status;
    while (len && !res->into->failed) {
        ssize_t n = pread(fd, piece, len < sizeof piece ? len : sizeof piece, (off_t)offset);
        if (n <= 0) {
            res->status = 503;
            break;
        }
        buf_append(res->into, piece, (size_t)n);
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    close(fd);
}

void http_body_fd(struct http_response *res, int status, const char *type, int fd, uint64_t offset, uint64_t len)
{
    if (res->into) {
        keep_file(res, status, fd, offset, len);
        return;
    }
    struct MHD_Response *body = MHD_create_response_from_fd_at_offset64(len, fd, offset);
    if (!body)
        close(fd);
    set_body(res, status, type, body);
}

struct stream {
    ssize_t (*next)(void *state, char *out, size_t cap);
    void (*done)(void *state);
    void *state;
};

static ssize_t stream_read(void *cls, uint64_t position, char *out, size_t cap)
{
    (void)position;
    struct stream *s = cls;
    ssize_t n = s->next(s->state, out, cap);
    return n > 0 ? n : n == 0 ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void stream_free(void *cls)
{
    struct stream *s = cls;
    if (s->done)
        s->done(s->state);
    free(s);
}

static void keep_stream(struct http_response *res, int status, ssize_t (*next)(void *state, char *out, size_t cap),
                        void (*done)(void *state), void *state)
{
    char piece[16384];
    ssize_t n;
    while ((n = next(state, piece, sizeof piece)) > 0 && !res->into->failed)
        buf_append(res->into, piece, (size_t)n);
    res->status = n < 0 ? 503 : status;
    if (done)
        done(state);
}

void http_body_stream(struct http_response *res, int status, const char *type,
                      ssize_t (*next)(void *state, char *out, size_t cap), void (*done)(void *state), void *state)
{
    if (res->into) {
        keep_stream(res, status, next, done, state);
        return;
    }
    struct stream *s = malloc(sizeof *s);
    struct MHD_Response *body = NULL;
    if (s) {
        *s = (struct stream){next, done, state};
        body = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 64 << 10, stream_read, s, stream_free);
    }
    if (!body) {
        free(s);
        if (done)
            done(state);
    }
    set_body(res, status, type, body);
}

void http_json(struct http_response *res, int status, const char *json, size_t len)
{
    http_body_copy(res, status, json_mime, json, len);
}

void http_problem(struct http_response *res, int status, const char *fmt, ...)
{
    va_list args;
    char detail[1024];
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    utf8_scrub(detail);
    json_t *problem = json_pack("{s:s,s:s,s:i,s:s,s:s}", "type", "about:blank", "title", reason(status), "status",
                                status, "detail", detail, "message", detail);
    char *text = problem ? json_dumps(problem, JSON_COMPACT) : NULL;
    json_decref(problem);
    static const char fallback[] = "{\"type\":\"about:blank\",\"title\":\"Error\"}";
    if (text)
        http_body_take(res, status, "application/problem+json", text, strlen(text));
    else /* no memory */
        http_body_static(res, status, "application/problem+json", fallback, sizeof fallback - 1);
}

void http_problem_from(struct http_response *res, const struct error *err)
{
    switch (err->code) {
    case ERR_INVALID:
        http_problem(res, 400, "%s", err->message);
        return;
    case ERR_DENIED:
        http_problem(res, 403, "%s", err->message);
        return;
    case ERR_NOT_FOUND:
        http_problem(res, 404, "%s", err->message);
        return;
    case ERR_CONFLICT:
        http_problem(res, 409, "%s", err->message);
        return;
    case ERR_TOO_LARGE:
        http_problem(res, 413, "%s", err->message);
        return;
    case ERR_UNSUPPORTED:
        http_problem(res, 415, "%s", err->message);
        return;
    case ERR_UNAVAILABLE:
        log_warn("%s", err->message);
        http_header_add(res, "Retry-After", "1");
        http_problem(res, 503, "The service is not available at the moment.");
        return;
    case ERR_NO_MEMORY:
        log_error("%s", err->message);
        http_header_add(res, "Retry-After", "1");
        http_problem(res, 503, "The service is short of memory at the moment.");
        return;
    case ERR_IO: /* a disk that is full or broken, too many open files */
        log_error("%s", err->message);
        http_header_add(res, "Retry-After", "1");
        http_problem(res, 503, "The service is not available at the moment.");
        return;
    case ERR_CORRUPT:
        log_error("%s", err->message);
        http_header_add(res, "Retry-After", "60");
        http_problem(res, 503, "Data of the service is damaged; this has to wait until it is repaired.");
        return;
    case ERR_TIMEOUT:
        log_warn("%s", err->message);
        http_problem(res, 504, "The service did not answer in time.");
        return;
    default:
        log_error("%s: %s", status_name(err->code), err->message);
        http_problem(res, 500, "Something went wrong on our side.");
    }
}

void http_problem_unfinished(struct http_response *res, const struct buf *answer, const char *what)
{
    struct error err;
    if (buf_status(answer, &err) == OK)
        err_no_memory(&err, "it");
    err_prefix(&err, "%s was not finished", what);
    err.code = err.code == ERR_NO_MEMORY ? ERR_NO_MEMORY : ERR_INTERNAL;
    http_problem_from(res, &err);
}

void http_redirect(struct http_response *res, int status, const char *location)
{
    http_header_add(res, "Location", location);
    http_body_static(res, status, NULL, "", 0);
}

struct MHD_Response *http_response_finish(struct http_response *res)
{
    if (!res->body && res->status) { /* there was no memory for its body */
        res->fields = NULL;
        http_problem_from(res, &(struct error){.code = ERR_NO_MEMORY, .message = "no memory for an answer"});
    } else if (!res->body) {
        log_error("a handler did not answer");
        res->fields = NULL;
        http_problem(res, 500, "Something went wrong on our side.");
    }
    for (const struct http_field *f = res->fields; f && res->body; f = f->next)
        MHD_add_response_header(res->body, f->name, f->value);
    return res->body;
}
