/* mcp.h: what assistants and bots find stickers by: the messages of the Model Context Protocol, whichever way they come
 * (https://modelcontextprotocol.io, revisions 2025-06-18 and 2025-03-26). `peel mcp` brings them on standard input,
 * StickerService by HTTP.
 *
 * The room offers tools only and keeps nothing between messages: each call of a tool becomes a request to
 * StickerService or two, by whatever `get` is. It sees base and http. */
#ifndef PEEL_MCP_MCP_H
#define PEEL_MCP_MCP_H

#include "base/buf.h"
#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>

#define MCP_MESSAGE_MAX (1u << 20) /* bytes */

struct mcp_service {
    /* GETs the target, "/api/suggest/?prefix=ca", of StickerService: any answer is OK, with its body in out. */
    enum status (*get)(void *ctx, const char *target, int *status, struct buf *out, struct error *err);
    void *ctx;
    const char *version; /* of Peel */
};

/* The answer to a message, or with `batch` to several in an array, which only revision 2025-03-26 has; the caller drops
 * it. NULL: none is wanted, or there was no memory. One whose id is null says that it was no message. */
json_t *mcp_answer(const struct mcp_service *s, const char *text, size_t len, bool batch);
json_t *mcp_too_large(void); /* the answer to a message of more than MCP_MESSAGE_MAX bytes */
bool mcp_knows(const char *revision);

#endif
