/* GET /api/search/: one page of stickers for a phrase, as JSON. */
#include "sticker_service/api/api.h"

#include "base/json_out.h"
#include "base/utf8.h"
#include "sticker_service/packed.h"
#include "sticker_service/served.h"

#include <string.h>

#define CLIENT_MAX 128 /* characters */

static void write_answer(const struct served_form *form, const struct find_query *query,
                         const struct find_answer *answer, struct buf *out)
{
    buf_putc(out, '{');
    sticker_json_list(&form->sticker, answer->results, answer->n, query->offset + 1, out);
    buf_puts(out, ",\"query\":");
    json_put_string(out, query->text);
    buf_printf(out, ",\"total\":%lld,\"language\":\"%s\",\"ranking\":", (long long)answer->total, answer->language);
    json_put_string(out, answer->ranking);
    if (answer->corrected) {
        buf_puts(out, ",\"corrected\":");
        json_put_string(out, answer->corrected);
    }
    if (answer->legs)
        buf_printf(out, ",\"legs\":%s", answer->legs);
    buf_puts(out, answer->degraded ? ",\"degraded\":true" : "");
    buf_printf(out, ",\"query_id\":\"%c\"}", SERVED_RECEIPT);
}

/* Who searches, as the client calls the person in events too, and whether new stickers may be tried. */
static enum status trial_params(const struct http_request *req, struct find_query *query, struct error *err)
{
    const char *text;
    enum status st = http_param_or(req, "client_id", "", &query->client, err);
    if (st == OK && utf8_count(query->client, strlen(query->client)) > CLIENT_MAX)
        st = err_set(err, ERR_INVALID, "client_id must have at most %d characters", CLIENT_MAX);
    if (st == OK)
        st = http_param_or(req, "explore", "1", &text, err);
    if (st == OK && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
        st = err_set(err, ERR_INVALID, "explore must be 0 or 1, found \"%.64s\"", text);
    query->known_only = st == OK && *text == '0';
    return st;
}

void handle_api_search(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct find_query query = {.filter = STICKER_FILTER_NONE};
    struct served_form form = {.key = 'a', .write = write_answer};
    struct error err;
    int64_t limit, offset;
    bool refused;
    if (query_param(req, &query.text, &err) != OK || sticker_form_params(s, req, &form.sticker, &err) != OK ||
        http_param_int(req, "limit", 1, FIND_MAX_LIMIT, 10, &limit, &err) != OK ||
        http_param_int(req, "offset", 0, FIND_MAX_OFFSET, 0, &offset, &err) != OK ||
        filter_params(req, &query.filter, &err) != OK || trial_params(req, &query, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    query.lang = form.sticker.lang;
    query.limit = (size_t)limit;
    query.offset = (size_t)offset;
    struct buf out;
    buf_init(&out, SERVED_MAX);
    enum status status = served_search(s, req, &query, &form, &refused, &out, &err);
    if (status != OK) {
        http_problem_from(res, &err);
    } else if (!refused) {
        http_header_add(res, "Cache-Control", "no-store"); /* its receipt is for who asked, and for this answer */
        send_packed(req, res, 200, "application/json", &out, "results");
    }
    buf_free(&out);
}
