/* GET /api/search/: one page of stickers for a phrase, as JSON; each search counts. An answer is kept for a moment, but
 * never one that says "degraded":true; each search gets a receipt of its own. */
#include "sticker_service/api/api.h"
#include "sticker_service/find.h"

#include "base/json_out.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)
#define TRAILER    3u /* bytes behind a kept answer and the draft of its receipt: the draft's length, and the outcome */
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
        buf_printf(out, ",\"rank\":%zu,\"score\":", query->offset + i + 1);
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
    buf_printf(out, ",\"total\":%lld,\"language\":\"%s\",\"ranking\":", (long long)answer->total, answer->language);
    json_put_string(out, answer->ranking);
    if (answer->corrected) {
        buf_puts(out, ",\"corrected\":");
        json_put_string(out, answer->corrected);
    }
    if (answer->legs)
        buf_printf(out, ",\"legs\":%s", answer->legs);
    buf_puts(out, answer->degraded ? ",\"degraded\":true}" : "}");
}

/* What is kept with an answer: how the receipts of its searches begin, and how it counts. */
static enum status write_trailer(const struct find_query *query, const struct find_answer *answer, struct arena *arena,
                                 struct buf *out, struct error *err)
{
    size_t began = out->len;
    enum status status = find_draft(query, answer, arena, out, err);
    if (status != OK)
        return status;
    size_t len = out->len - began;
    buf_putc(out, (char)(len & 255));
    buf_putc(out, (char)(len >> 8));
    buf_putc(out, (char)find_outcome(answer));
    return buf_status(out, err);
}

/* A kept answer as it is sent, with a receipt at its end. */
static enum status write_with_receipt(struct sticker_service *s, const struct buf *kept, struct buf *out,
                                      struct error *err)
{
    const unsigned char *end = (const unsigned char *)kept->data + kept->len;
    size_t draft = end[-3] | (size_t)end[-2] << 8, answer = kept->len - TRAILER - draft;
    buf_append(out, kept->data, answer - 1); /* without its brace */
    buf_puts(out, ",\"query_id\":\"");
    receipts_sign(s->receipts, kept->data + answer, draft, out);
    buf_puts(out, "\"}");
    return buf_status(out, err);
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
    struct buf kept, out;
    buf_init(&kept, ANSWER_MAX);
    buf_init(&out, ANSWER_MAX);
    unsigned cleared = answers_cleared(s->answers);
    enum status status = OK;
    if (!answers_get(s->answers, key, &kept)) {
        status = find_stickers(s, req, &query, &answer, &err);
        if (status == OK) {
            search_write_answer(&query, &answer, &kept);
            status = write_trailer(&query, &answer, req->arena, &kept, &err);
        }
        if (status == OK && !answer.degraded)
            answers_put(s->answers, key, kept.data, kept.len, cleared);
    }
    if (status == OK)
        status = write_with_receipt(s, &kept, &out, &err);
    if (status == OK) {
        size_t len = out.len;
        usage_count(s->usage, query.text, (enum usage_outcome)kept.data[kept.len - 1]);
        http_body_take(res, 200, "application/json", buf_take(&out), len);
    } else {
        http_problem_from(res, &err);
    }
    buf_free(&kept);
    buf_free(&out);
}
