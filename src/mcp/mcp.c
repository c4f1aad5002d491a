#include "mcp/mcp.h"

#include "base/json_in.h"
#include "http/client.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_MAX  (64u << 10)
#define ANSWER_MAX  (4u << 20)
#define IMAGE_MAX   (8u << 20)
#define IMAGE_WIDTH 512
#define PARAMS_MAX  7

enum { RPC_PARSE = -32700, RPC_REQUEST = -32600, RPC_METHOD = -32601, RPC_PARAMS = -32602 }; /* JSON-RPC 2.0, 5.1 */

static const char *const revisions[] = {"2025-06-18", "2025-03-26"}; /* newest first */

bool mcp_knows(const char *revision)
{
    for (size_t i = 0; i < sizeof revisions / sizeof *revisions; i++)
        if (strcmp(revisions[i], revision) == 0)
            return true;
    return false;
}

/* --- the tools --- */

enum param_kind { PARAM_TEXT, PARAM_WHOLE, PARAM_FLAG };

struct param {
    const char *name; /* of the argument, and of StickerService's parameter */
    const char *about;
    enum param_kind kind;
    bool required;
};

struct tool {
    const char *name, *title, *about;
    const char *path, *always; /* what is asked, and with which parameters whatever the arguments are */
    bool one;                  /* the first argument is the last part of the path: a sticker, whose image comes along */
    struct param params[PARAMS_MAX + 1]; /* ended by a name NULL */
};

#define PARAM_LANG                                                                                                     \
    {                                                                                                                  \
        "lang", "Language of the user, such as \"en\" or \"pt-BR\"", PARAM_TEXT, false                                 \
    }

static const struct tool tools[] = {
    {.name = "search_stickers",
     .title = "Search stickers",
     .about =
         "Find stickers for what somebody means: a thing, a feeling, a situation or an emoji, in any language; the "
         "best is first. Show a sticker by its url, with alt as its text, and name author and license.",
     .path = "/api/search/",
     .always = "fields=filename,title,alt,url,thumbnail,mime,width,height,animated,rating,author,license,source,pack"
               "&absolute=1",
     .params = {{"query", "What the sticker should show or say, at most 255 characters", PARAM_TEXT, true},
                {"limit", "Number of stickers, 1 to 100; default: 10", PARAM_WHOLE, false},
                {"offset", "Number of stickers to skip; default: 0", PARAM_WHOLE, false},
                PARAM_LANG,
                {"rating", "At most this rating: g, pg, pg-13 or r", PARAM_TEXT, false},
                {"pack", "Only stickers of this pack", PARAM_TEXT, false},
                {"animated", "Only animated stickers, or only others", PARAM_FLAG, false}}},
    {.name = "suggest",
     .title = "Suggest searches",
     .about = "Complete the beginning of a search with words that find stickers.",
     .path = "/api/suggest/",
     .params = {{"prefix", "The beginning of a word or phrase", PARAM_TEXT, true},
                {"limit", "Number of suggestions; default: 8", PARAM_WHOLE, false},
                PARAM_LANG}},
    {.name = "get_sticker",
     .title = "Look at a sticker",
     .about = "Get a sticker by its filename: its image, and what is known of it.",
     .path = "/api/stickers/",
     .always = "absolute=1",
     .one = true,
     .params = {{"filename", "Filename, as search_stickers gives it", PARAM_TEXT, true}, PARAM_LANG}},
};
#define TOOLS (sizeof tools / sizeof *tools)

static json_t *describe_tool(const struct tool *tool)
{
    static const char *const types[] = {[PARAM_TEXT] = "string", [PARAM_WHOLE] = "integer", [PARAM_FLAG] = "boolean"};
    json_t *properties = json_object(), *required = json_array();
    for (const struct param *p = tool->params; p->name; p++) {
        json_object_set_new(properties, p->name,
                            json_pack("{s:s, s:s}", "type", types[p->kind], "description", p->about));
        if (p->required)
            json_array_append_new(required, json_string(p->name));
    }
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:o, s:o, s:b}, s:{s:b, s:b}}", "name", tool->name, "title", tool->title,
                     "description", tool->about, "inputSchema", "type", "object", "properties", properties, "required",
                     required, "additionalProperties", 0, "annotations", "readOnlyHint", 1, "openWorldHint", 0);
}

static json_t *list_tools(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < TOOLS; i++)
        json_array_append_new(list, describe_tool(&tools[i]));
    return json_pack("{s:o}", "tools", list);
}

/* --- asking StickerService --- */

/* A status other than 200 is an error with StickerService's own message. */
static enum status mcp_get(const struct mcp_service *s, const char *target, struct buf *out, struct error *err)
{
    int status = 0;
    enum status st = s->get(s->ctx, target, &status, out, err);
    if (st != OK || status == 200)
        return st;
    json_t *problem = json_loadb(buf_str(out), out->len, 0, NULL);
    const char *message = json_member_text(problem, "message");
    if (*message)
        st = err_set(err, ERR_INVALID, "%s", message);
    else
        st = err_set(err, ERR_UNAVAILABLE, "StickerService answered with status %d.", status);
    json_decref(problem);
    return st;
}

static enum status mcp_get_json(const struct mcp_service *s, const char *target, json_t **out, struct error *err)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    enum status st = mcp_get(s, target, &answer, err);
    if (st == OK)
        st = json_read_body(buf_str(&answer), answer.len, 0, out, err);
    buf_free(&answer);
    return st;
}

static enum status append_value(const struct param *p, const json_t *value, struct buf *target, struct error *err)
{
    static const char *const expected[] = {
        [PARAM_TEXT] = "a string", [PARAM_WHOLE] = "a whole number", [PARAM_FLAG] = "true or false"};
    int64_t whole;
    if (p->kind == PARAM_TEXT && json_is_string(value))
        http_escape(target, json_string_value(value), json_string_length(value));
    else if (p->kind == PARAM_WHOLE && json_whole_number(value, &whole))
        buf_printf(target, "%lld", (long long)whole);
    else if (p->kind == PARAM_FLAG && json_is_boolean(value))
        buf_puts(target, json_is_true(value) ? "true" : "false");
    else
        return err_set(err, ERR_INVALID, "%s must be %s", p->name, expected[p->kind]);
    return OK;
}

static enum status check_names(const struct tool *tool, json_t *arguments, struct error *err)
{
    const char *name;
    json_t *value;
    json_object_foreach(arguments, name, value)
    {
        const struct param *p = tool->params;
        while (p->name && strcmp(p->name, name) != 0)
            p++;
        if (!p->name)
            return err_set(err, ERR_INVALID, "%s has no argument \"%.60s\"", tool->name, name);
    }
    return OK;
}

/* What a call asks of StickerService: "/api/search/?query=cat". */
static enum status write_target(const struct tool *tool, json_t *arguments, struct buf *target, struct error *err)
{
    enum status st = check_names(tool, arguments, err);
    buf_puts(target, tool->path);
    for (const struct param *p = tool->params; p->name && st == OK; p++) {
        const json_t *value = json_object_get(arguments, p->name);
        bool first = p == tool->params;
        if (!first && value)
            buf_printf(target, "&%s=", p->name);
        else if (first && !tool->one)
            buf_printf(target, "?%s%s%s=", tool->always ? tool->always : "", tool->always ? "&" : "", p->name);
        if (value || p->required)
            st = append_value(p, value, target, err);
        if (first && tool->one)
            buf_printf(target, "?%s", tool->always);
    }
    return st == OK ? buf_status(target, err) : st;
}

/* --- answering a call --- */

static void append_text(json_t *content, const json_t *said)
{
    char *text = json_dumps(said, JSON_COMPACT);
    json_array_append_new(content, json_pack("{s:s, s:s}", "type", "text", "text", text ? text : ""));
    free(text);
}

/* Thumbnails are WebP; an image of which none can be made comes as it is. */
static const char *image_type(const struct buf *image, const json_t *sticker)
{
    bool webp = image->len > 12 && memcmp(image->data, "RIFF", 4) == 0 && memcmp(image->data + 8, "WEBP", 4) == 0;
    return webp ? "image/webp" : json_member_text(sticker, "mime");
}

static enum status append_image(const struct mcp_service *s, const json_t *said, json_t *content, struct error *err)
{
    const char *filename = json_member_text(said, "filename");
    struct buf target, image;
    char *text = NULL;
    buf_init(&target, TARGET_MAX);
    buf_init(&image, IMAGE_MAX);
    buf_puts(&target, "/media/");
    http_escape(&target, filename, strlen(filename));
    buf_printf(&target, "?w=%d", IMAGE_WIDTH);
    enum status st = buf_status(&target, err);
    if (st == OK)
        st = mcp_get(s, buf_str(&target), &image, err);
    size_t len = sodium_base64_ENCODED_LEN(image.len, sodium_base64_VARIANT_ORIGINAL);
    if (st == OK && !(text = malloc(len)))
        st = err_no_memory(err, "the image");
    if (st == OK) {
        sodium_bin2base64(text, len, (const unsigned char *)image.data, image.len, sodium_base64_VARIANT_ORIGINAL);
        json_array_append_new(
            content, json_pack("{s:s, s:s, s:s}", "type", "image", "data", text, "mimeType", image_type(&image, said)));
    }
    free(text);
    buf_free(&image);
    buf_free(&target);
    return st;
}

static enum status run_tool(const struct mcp_service *s, const struct tool *tool, json_t *arguments, json_t *content,
                            json_t **said, struct error *err)
{
    struct buf target;
    buf_init(&target, TARGET_MAX);
    enum status st = write_target(tool, arguments, &target, err);
    if (st == OK)
        st = mcp_get_json(s, buf_str(&target), said, err);
    if (st == OK) {
        json_object_del(*said, "query_id"); /* a receipt for apps, which would only fill the context */
        append_text(content, *said);
        if (tool->one)
            st = append_image(s, *said, content, err);
    }
    buf_free(&target);
    return st;
}

/* The result of a call. What goes wrong with it is for the assistant to read, so it is a result, too. */
static json_t *call_tool(const struct mcp_service *s, const struct tool *tool, json_t *arguments)
{
    struct error err;
    json_t *content = json_array(), *said = NULL;
    if (run_tool(s, tool, arguments, content, &said, &err) == OK)
        return json_pack("{s:o, s:o, s:b}", "content", content, "structuredContent", said, "isError", 0);
    json_decref(content);
    json_decref(said);
    return json_pack("{s:[{s:s, s:s}], s:b}", "content", "type", "text", "text", err.message, "isError", 1);
}

/* --- JSON-RPC --- */

static json_t *rpc_error(json_t *id, int code, const char *message)
{
    return json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error", "code", code, "message", message);
}

static json_t *begin_session(const struct mcp_service *s, const json_t *params)
{
    const char *wanted = json_member_text(params, "protocolVersion");
    const char *revision = mcp_knows(wanted) ? wanted : revisions[0];
    return json_pack("{s:s, s:{s:{}}, s:{s:s, s:s, s:s}, s:s}", "protocolVersion", revision, "capabilities", "tools",
                     "serverInfo", "name", "peel", "title", "Peel", "version", s->version, "instructions",
                     "Answer with a sticker where a picture says it better: search_stickers finds those that fit what "
                     "somebody means.");
}

static json_t *rpc_call(const struct mcp_service *s, json_t *id, const json_t *params)
{
    const char *name = json_member_text(params, "name");
    json_t *arguments = json_object_get(params, "arguments");
    const struct tool *tool = tools;
    while (tool < tools + TOOLS && strcmp(tool->name, name) != 0)
        tool++;
    if (tool == tools + TOOLS)
        return rpc_error(id, RPC_PARAMS, "There is no tool of this name.");
    if (arguments && !json_is_object(arguments))
        return rpc_error(id, RPC_PARAMS, "arguments must be an object.");
    return json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", call_tool(s, tool, arguments));
}

/* The answer to one message; NULL: it wants none (a notification, or an answer), or there was no memory. */
static json_t *rpc_message(const struct mcp_service *s, const json_t *message)
{
    const char *method = json_member_text(message, "method");
    const json_t *params = json_object_get(message, "params");
    json_t *id = json_object_get(message, "id"), *result;
    if (!json_is_object(message) || strcmp(json_member_text(message, "jsonrpc"), "2.0") != 0 ||
        (id && !json_is_string(id) && !json_is_integer(id)))
        return rpc_error(json_null(), RPC_REQUEST, "Expected a JSON-RPC 2.0 message.");
    if (!id || !*method)
        return NULL;
    if (strcmp(method, "tools/call") == 0)
        return rpc_call(s, id, params);
    if (strcmp(method, "initialize") == 0)
        result = begin_session(s, params);
    else if (strcmp(method, "tools/list") == 0)
        result = list_tools();
    else if (strcmp(method, "ping") == 0)
        result = json_object();
    else
        return rpc_error(id, RPC_METHOD, "There is no such method.");
    return json_pack("{s:s, s:O, s:o}", "jsonrpc", "2.0", "id", id, "result", result);
}

/* Several at once, as the revision 2025-03-26 allows: NULL where none wants an answer. */
static json_t *rpc_batch(const struct mcp_service *s, const json_t *messages)
{
    json_t *answers = json_array();
    for (size_t i = 0; i < json_array_size(messages); i++)
        json_array_append_new(answers, rpc_message(s, json_array_get(messages, i)));
    if (json_array_size(answers))
        return answers;
    json_decref(answers);
    return NULL;
}

json_t *mcp_answer(const struct mcp_service *s, const char *text, size_t len, bool batch)
{
    json_t *message = json_loadb(text, len, 0, NULL);
    if (!message)
        return rpc_error(json_null(), RPC_PARSE, "Expected a JSON-RPC message.");
    batch = batch && json_is_array(message) && json_array_size(message);
    json_t *answer = batch ? rpc_batch(s, message) : rpc_message(s, message);
    json_decref(message);
    return answer;
}

json_t *mcp_too_large(void)
{
    return rpc_error(json_null(), RPC_REQUEST, "The message is too large.");
}
