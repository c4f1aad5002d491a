/* GET /api/analytics/ and /api/analytics/export: what people searched for and thought of the answers;
 * for the tokens of staff, and of those whose groups may view queries and scores. */
#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "sticker_service/api/api.h"
#include "sticker_service/audit.h"
#include "sticker_service/auth.h"
#include "sticker_service/export.h"
#include "sticker_service/service.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (64u << 20) /* some 200,000 scored stickers of one query */

void handle_api_analytics(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct user user;
    if (!auth_analytics(s->store, req, res, &user))
        return;
    struct error err;
    const char *query;
    int64_t usage;
    struct score_row *rows;
    size_t n;
    struct arena arena; /* a query may have more scores than a request's own memory holds */
    struct buf out;
    arena_init(&arena, ANSWER_MAX);
    buf_init(&out, ANSWER_MAX);
    enum status status = query_param(req, &query, &err);
    if (status == OK)
        status = usage_analytics(s->usage, query, &arena, &usage, &rows, &n, &err);
    if (status != OK)
        goto out;
    buf_puts(&out, "{\"query\":{\"query\":");
    json_put_string(&out, query);
    buf_printf(&out, ",\"usage\":%lld},\"feedback scores\":[", (long long)usage);
    for (size_t i = 0; i < n; i++) {
        buf_puts(&out, i ? ",{\"sticker\":" : "{\"sticker\":");
        json_put_string(&out, rows[i].sticker);
        buf_printf(&out, ",\"positives\":%lld,\"negatives\":%lld}", (long long)rows[i].positives,
                   (long long)rows[i].negatives);
    }
    buf_puts(&out, "]}");
    status = buf_status(&out, &err);
out:
    if (status == ERR_NOT_FOUND)
        http_problem(res, 404, "Query not found.");
    else if (status != OK)
        http_problem_from(res, &err);
    else
        http_json(res, 200, out.data, out.len);
    arena_free(&arena);
    buf_free(&out);
}

static ssize_t export_next(void *state, char *out, size_t cap)
{
    struct error err;
    ssize_t n = feedback_export_read(state, out, cap, &err);
    if (n < 0)
        log_error("an export was interrupted: %s", err.message);
    return n;
}

static void export_done(void *state)
{
    feedback_export_close(state);
}

void handle_api_export(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct user user;
    if (!auth_analytics(s->store, req, res, &user))
        return;
    struct error err;
    const char *text;
    enum export_format format = EXPORT_CSV;
    int64_t since_us = 0;
    struct feedback_export *x = NULL;
    enum status status = http_param_or(req, "format", "", &text, &err);
    if (status == OK)
        status = export_format_parse(text, &format, &err);
    if (status != OK)
        goto out;
    status = http_param(req, "since", &text, &err);
    if (status == ERR_NOT_FOUND)
        status = OK;
    else if (status == OK && (status = os_parse_time(text, &since_us, &err)) != OK)
        err_prefix(&err, "since");
    if (status == OK)
        status = usage_flush(s->usage, &err);
    if (status == OK)
        status = feedback_export_open(s->store, format, since_us, &x, &err);
    if (status == OK) {
        const char *since = since_us ? arena_printf(req->arena, "{\"since\":\"%s\"}", text) : "";
        status = audit_note(s->store, user.username, req->client, CHANGE_EXPORT, "scores", export_extension(format),
                            since, &err);
        if (status != OK)
            feedback_export_close(x);
    }
out:
    if (status != OK) {
        http_problem_from(res, &err);
        return;
    }
    log_info("\"%s\" exports the feedback with a token from %s", user.username, req->client);
    char when[28], disposition[96];
    os_format_time(os_now_us(), when);
    snprintf(disposition, sizeof disposition, "attachment; filename=\"peel-feedback-%.10s.%s\"", when,
             export_extension(format));
    http_header_add(res, "Content-Disposition", disposition);
    http_header_add(res, "Cache-Control", "no-store");
    http_body_stream(res, 200, export_mime(format), export_next, export_done, x);
}
