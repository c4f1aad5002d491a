/* GET /api/search/: one page of stickers for a phrase, as JSON; each search counts. An answer is kept for a moment, but
 * never one that says "degraded":true. */
#include "sticker_service/api/api.h"
#include "sticker_service/find.h"

#include "base/json_out.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define CHARGED    64u /* characters of a query that count as one more request for the rate limit: they are more work */

static void search_write_answer(const struct find_query *query, const struct find_answer *answer, struct buf *out)
{
    buf_puts(out, "{\"stickers\":[");
    for (size_t i = 0; i < answer->n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, answer->results[i].sticker->filename);
    }
    buf_puts(out, "],\"results\":[");
    for (size_t i = 0; i < answer->n; i++) {
        const struct sticker *k = answer->results[i].sticker;
        buf_puts(out, i ? ",{\"filename\":" : "{\"filename\":");
        json_put_string(out, k->filename);
        buf_puts(out, ",\"score\":");
        json_put_score(out, answer->results[i].score);
        if (answer->results[i].confidence > 0)
            buf_printf(out, ",\"confidence\":%.2f", answer->results[i].confidence);
        if (answer->results[i].pinned)
            buf_puts(out, ",\"pinned\":true");
        buf_puts(out, ",\"url\":\"");
        media_url(out, k->filename, k->sha256, 0);
        buf_puts(out, "\",\"thumbnail\":\"");
        media_url(out, k->filename, k->sha256, FIND_THUMBNAIL);
        buf_puts(out, "\",\"title\":");
        json_put_string(out, k->title);
        buf_printf(out, ",\"rating\":\"%s\",\"animated\":%s}", rating_name(k->rating), k->animated ? "true" : "false");
    }
    buf_puts(out, "],\"query\":");
    json_put_string(out, query->text);
    buf_printf(out, ",\"total\":%lld", (long long)answer->total);
    if (answer->corrected) {
        buf_puts(out, ",\"corrected\":");
        json_put_string(out, answer->corrected);
    }
    if (answer->legs)
        buf_printf(out, ",\"legs\":%s", answer->legs);
    buf_puts(out, answer->degraded ? ",\"degraded\":true}" : "}");
}

static enum status filter_param(const struct http_request *req, struct sticker_filter *out, struct error *err)
{
    static const char *const params[] = STICKER_FILTER_PARAMS;
    const char *value;
    enum status st = OK;
    for (size_t i = 0; i < sizeof params / sizeof *params && st == OK; i++)
        if ((st = param_or(req, params[i], NULL, &value, err)) == OK && value)
            st = sticker_filter_set(out, params[i], value, err);
    return st;
}

void handle_api_search(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct find_query query = {.filter = STICKER_FILTER_NONE};
    struct find_answer answer;
    struct error err;
    int64_t limit, offset;
    if (query_param(req, &query.text, &err) != OK || lang_param(req, &query.lang, &err) != OK ||
        http_param_int(req, "limit", 1, FIND_MAX_LIMIT, 10, &limit, &err) != OK ||
        http_param_int(req, "offset", 0, FIND_MAX_OFFSET, 0, &offset, &err) != OK ||
        filter_param(req, &query.filter, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    if (!http_charge(req, (unsigned)utf8_count(query.text, strlen(query.text)) / CHARGED))
        return;
    query.limit = (size_t)limit;
    query.offset = (size_t)offset;
    char key[64 + LANGUAGE_MAX_TAG + STICKER_FILTER_PACK_MAX + 1024];
    const struct sticker_filter *f = &query.filter;
    const char *pack = f->pack ? f->pack : "";
    snprintf(key, sizeof key, "%zu %zu %s %d %d %zu %s %s", query.limit, query.offset, query.lang ? query.lang : "",
             (int)f->rating_most, (int)f->animated, strlen(pack), pack, query.text);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    unsigned cleared = answers_cleared(s->answers);
    if (!answers_get(s->answers, key, &out)) {
        enum status status = find_stickers(s, req, &query, &answer, &err);
        if (status == OK) {
            search_write_answer(&query, &answer, &out);
            buf_putc(&out, (char)find_outcome(&answer)); /* behind the answer, so that it is kept with it */
            status = buf_status(&out, &err);
        }
        if (status != OK) {
            http_problem_from(res, &err);
            goto out;
        }
        if (!answer.degraded)
            answers_put(s->answers, key, out.data, out.len, cleared);
    }
    size_t len = out.len - 1;
    usage_count(s->usage, query.text, (enum usage_outcome)out.data[len]);
    http_body_take(res, 200, "application/json", buf_take(&out), len);
out:
    buf_free(&out);
}
