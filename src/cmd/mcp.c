/* peel mcp: the Model Context Protocol on standard input and output: one message a line. Standard output carries
 * messages and nothing else. The program ends when standard input does. */
#include "mcp/mcp.h"

#include "cmd/cmd.h"
#include "cmd/runtime.h"
#include "http/client.h"

#include <stdio.h>

#define CONNECT_MS 2000u
#define CALL_MS    10000u

static enum status get(void *ctx, const char *target, int *status, struct buf *out, struct error *err)
{
    const struct http_call call = {.method = "GET", .path = target, .timeout_ms = CALL_MS};
    return http_client_call(ctx, &call, status, out, err);
}

/* A line without its end; what is too long is read and dropped. False at the end of the input. */
static bool read_line(struct buf *line)
{
    int c;
    buf_reset(line);
    while ((c = getc(stdin)) != EOF && c != '\n')
        buf_putc(line, (char)c);
    return c == '\n' || line->len || line->failed;
}

static enum status serve_lines(const struct mcp_service *s, struct error *err)
{
    struct buf line;
    enum status st = OK;
    buf_init(&line, MCP_MESSAGE_MAX);
    while (st == OK && read_line(&line)) {
        if (!line.failed && !line.len)
            continue;
        json_t *answer = line.failed ? mcp_too_large() : mcp_answer(s, buf_str(&line), line.len, true);
        if (!answer)
            continue;
        if (json_dumpf(answer, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
            st = err_set(err, ERR_IO, "standard output: cannot write an answer");
        json_decref(answer);
    }
    buf_free(&line);
    return st;
}

int cmd_mcp(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct http_client *sticker;
    const char *const *args, *url;
    arena_init(&a, 1u << 16);
    if (config_args(cfg, &args))
        url = args[0];
    else
        (void)runtime_sticker_url(cfg, &a, &url);
    struct http_client_config to = {.base_url = url, .connect_timeout_ms = CONNECT_MS, .max_idle = 1};
    enum status st = http_client_open(&to, &sticker, &err);
    if (st == OK) {
        st = serve_lines(&(struct mcp_service){get, sticker, PEEL_VERSION}, &err);
        http_client_close(sticker);
    }
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
