/* /api/priors: what votes taught about documents, sent by StickerService change by change; /api/priors/version: how far
 * that is. */
#include "search_service/service.h"

static void answer_version(struct search_service *s, struct http_response *res)
{
    struct prior_version v = priors_version(s->priors);
    struct buf out;
    buf_init(&out, 1024);
    buf_printf(&out, "{\"epoch\":%lld,\"version\":%lld}", (long long)v.epoch, (long long)v.version);
    answer_json(res, 200, &out);
}

void handle_priors_version(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    answer_version(ctx, res);
}

void handle_priors_post(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct error err;
    if (priors_put(s->priors, req->body, req->body_len, &err) == OK)
        answer_version(s, res);
    else
        http_problem_from(res, &err);
}
