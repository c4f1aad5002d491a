/* GET /api/counter/?digit=7&n=1000 */
#include "sticker_service/api/api.h"
#include "sticker_service/counter.h"
#include "sticker_service/service.h"

void handle_api_counter(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct counter_result r;
    struct error err;
    const char *digit, *n;
    enum status status = http_param_or(req, "digit", "7", &digit, &err);
    if (status == OK)
        status = http_param_or(req, "n", "", &n, &err);
    if (status == OK)
        status = counter_count(digit, n, &r, &err);
    if (status != OK) {
        http_problem_from(res, &err);
        return;
    }
    struct buf out;
    buf_init(&out, sizeof r + 64);
    counter_json(&r, &out);
    http_json(res, 200, out.data, out.len);
    buf_free(&out);
}
