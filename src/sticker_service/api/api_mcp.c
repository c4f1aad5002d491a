/* POST /mcp: the Model Context Protocol over HTTP ("Streamable HTTP", 2025-06-18/basic/transports): one message,
 * answered by one of JSON. There are no sessions and no streams. The server has checked the key and where the request
 * comes from. */
#include "mcp/mcp.h"

#include "sticker_service/api/api.h"
#include "sticker_service/service.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct asking {
    const struct http_request *req;
};

static enum status get(void *ctx, const char *target, int *status, struct buf *out, struct error *err)
{
    const struct asking *asking = ctx;
    return http_ask(asking->req, target, status, out, err);
}

/* Drops the answer. */
static void send(struct http_response *res, json_t *answer)
{
    bool refused = json_is_null(json_object_get(answer, "id"));
    char *text = json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (text)
        http_body_take(res, refused ? 400 : 200, "application/json", text, strlen(text));
    else
        http_problem(res, 503, "The service is short of memory at the moment.");
}

void handle_api_mcp(void *ctx, const struct http_request *req, struct http_response *res)
{
    const struct sticker_service *s = ctx;
    const char *revision = http_header(req, "Mcp-Protocol-Version"), *type = http_header(req, "Content-Type");
    static const char json[] = "application/json";
    if (revision && !mcp_knows(revision)) {
        http_problem(res, 400, "Mcp-Protocol-Version: \"%.40s\" is not supported.", revision);
        return;
    }
    if (!type || strncasecmp(type, json, sizeof json - 1) != 0) {
        http_problem(res, 415, "Content-Type must be application/json.");
        return;
    }
    struct asking asking = {req};
    const struct mcp_service service = {get, &asking, s->cfg->version};
    json_t *answer = mcp_answer(&service, req->body, req->body_len, false);
    if (answer)
        send(res, answer);
    else
        http_body_static(res, 202, NULL, "", 0);
}
