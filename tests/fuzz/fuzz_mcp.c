/* Messages of the Model Context Protocol, one or several: a byte that says how the service answers, then the text. What
 * is answered is JSON-RPC, and what is asked of the service is a target without spaces and control characters. */
#include "mcp/mcp.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static enum status get(void *ctx, const char *target, int *status, struct buf *out, struct error *err)
{
    static const char *const answers[] = {"{\"filename\":\"a b/.png\",\"mime\":\"image/png\",\"query_id\":\"x\"}",
                                          "{\"message\":\"Sticker not found.\"}", "[1]", "RIFF____WEBPVP8 ", ""};
    unsigned how = *(const unsigned char *)ctx;
    check(*target == '/' && strlen(target) == strcspn(target, " \t\r\n\"<>\\"));
    if (how & 128)
        return err_set(err, ERR_TIMEOUT, "no answer");
    buf_puts(out, answers[how % 5]);
    *status = how & 64 ? 404 : 200;
    return OK;
}

static void check_answer(const json_t *answer)
{
    const json_t *result = json_object_get(answer, "result"), *error = json_object_get(answer, "error");
    check(json_is_object(answer) && json_object_get(answer, "id") && !result != !error);
    check(strcmp(json_string_value(json_object_get(answer, "jsonrpc")), "2.0") == 0);
    check(!error || json_is_integer(json_object_get(error, "code")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char how = size ? data[0] : 0;
    const struct mcp_service service = {get, &how, "0"};
    if (!size)
        return 0;
    json_t *answer = mcp_answer(&service, (const char *)data + 1, size - 1, how & 32);
    for (size_t i = 0; i < json_array_size(answer); i++)
        check_answer(json_array_get(answer, i));
    if (answer && !json_is_array(answer))
        check_answer(answer);
    json_decref(answer);
    return 0;
}
