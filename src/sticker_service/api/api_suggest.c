/* GET /api/suggest/: what somebody may be typing. Answered from memory, so that it can be asked with every key. */
#include "sticker_service/api/api.h"

#include "base/json_out.h"
#include "sticker_service/service.h"

#define ANSWER_MAX    (64u << 10)
#define LIMIT_DEFAULT 8

static void write_suggestions(const struct suggestion *list, size_t n, struct buf *out)
{
    static const char *const kinds[] = {
        [SUGGESTION_QUERY] = "query", [SUGGESTION_TITLE] = "title", [SUGGESTION_WORD] = "word"};
    buf_puts(out, "{\"suggestions\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? ",{\"text\":" : "{\"text\":");
        json_put_string(out, list[i].text);
        buf_printf(out, ",\"kind\":\"%s\"}", kinds[list[i].kind]);
    }
    buf_puts(out, "]}");
}

void handle_api_suggest(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct suggestion list[COLLECTION_SUGGESTIONS];
    struct error err;
    struct buf out;
    const char *prefix, *lang;
    int64_t limit;
    if (query_or_empty(req, "prefix", &prefix, &err) != OK || lang_param(req, &lang, &err) != OK ||
        http_param_int(req, "limit", 1, COLLECTION_SUGGESTIONS, LIMIT_DEFAULT, &limit, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    if (!*prefix) {
        http_problem(res, 400, "Please provide a prefix.");
        return;
    }
    size_t n = collection_suggest(s->collection, prefix, lang, (size_t)limit, req->arena, list);
    buf_init(&out, ANSWER_MAX);
    write_suggestions(list, n, &out);
    if (buf_status(&out, &err) == OK) {
        http_header_add(res, "Cache-Control", "public, max-age=60");
        http_json(res, 200, buf_str(&out), out.len);
    } else {
        http_problem_from(res, &err);
    }
    buf_free(&out);
}
