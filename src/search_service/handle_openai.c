/* What /v1/ has in common: errors and models in the shape of OpenAI's API, so that its clients understand them. */
#include "search_service/service.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/utf8.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ANSWER_MAX (64u << 10)

static int http_status_of(enum status code)
{
    switch (code) {
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_UNAVAILABLE:
    case ERR_NO_MEMORY:
    case ERR_IO:
    case ERR_CORRUPT:
        return 503;
    case ERR_TIMEOUT:
        return 504;
    default:
        return 500;
    }
}

static void put_string_or_null(struct buf *out, const char *s)
{
    if (s)
        json_put_string(out, s);
    else
        buf_puts(out, "null");
}

void openai_error(struct http_response *res, const struct error *err, const char *param, const char *code)
{
    int status = http_status_of(err->code);
    struct error shown = *err;
    struct buf out;
    if (status >= 500 && err->code != ERR_UNAVAILABLE && err->code != ERR_TIMEOUT) { /* nobody else's matter */
        log_error("%s: %s", status_name(err->code), err->message);
        err_set(&shown, err->code,
                status == 500 ? "Something went wrong on our side." : "The service is not available.");
    }
    utf8_scrub(shown.message);
    if (status == 504) /* asked again, the same work would take as long */
        http_header_add(res, "X-Should-Retry", "false");
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"error\":{\"message\":");
    json_put_string(&out, shown.message);
    buf_printf(&out, ",\"type\":\"%s\",\"param\":", status < 500 ? "invalid_request_error" : "server_error");
    put_string_or_null(&out, param);
    buf_puts(&out, ",\"code\":");
    put_string_or_null(&out, code);
    buf_puts(&out, "}}");
    answer_json(res, status, &out);
}

struct engine_model *openai_model(struct search_service *s, const char *id, struct http_response *res)
{
    struct engine_model *m = engine_find(s->engine, id);
    struct error err;
    struct buf known;
    if (m)
        return m;
    buf_init(&known, 400);
    engine_list_ids(s->engine, &known);
    err_set(&err, ERR_NOT_FOUND, "the model \"%.64s\" does not exist; known: %s", id, buf_str(&known));
    buf_free(&known);
    openai_error(res, &err, "model", "model_not_found");
    return NULL;
}

/* Seconds since 1970 when the folder of a model got its files; 0: not known. */
static long long created(const struct search_service *s, const char *id)
{
    char folder[LIBRARY_MAX_ID], path[PATH_MAX];
    struct stat st;
    if (library_folder(id, folder, NULL) != OK || library_path(s->cfg.models_dir, folder, "", path, NULL) != OK ||
        stat(path, &st) != 0)
        return 0;
    return (long long)st.st_mtim.tv_sec;
}

static void put_model(const struct search_service *s, const struct engine_model *m, struct buf *out)
{
    const char *id = engine_model_id(m), *slash = strchr(id, '/');
    char owner[LIBRARY_MAX_ID];
    snprintf(owner, sizeof owner, "%.*s", slash ? (int)(slash - id) : 0, id);
    buf_puts(out, "{\"id\":");
    json_put_string(out, id);
    buf_printf(out, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":", created(s, id));
    json_put_string(out, owner);
    buf_putc(out, '}');
}

void handle_openai_models(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *models[ENGINE_MAX_MODELS];
    struct buf out;
    (void)req;
    size_t n = engine_models(s->engine, models);
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&out, i ? "," : "");
        put_model(s, models[i], &out);
    }
    buf_puts(&out, "]}");
    answer_json(res, 200, &out);
}

void handle_openai_model(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct buf out;
    const struct engine_model *m = openai_model(s, req->path_param, res);
    if (!m)
        return;
    buf_init(&out, ANSWER_MAX);
    put_model(s, m, &out);
    answer_json(res, 200, &out);
}
