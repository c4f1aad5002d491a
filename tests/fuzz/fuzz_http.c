/* What a client may send, to both services as they are: request lines, fields, queries, ranges, conditions, votes and
 * other bodies, several requests in a row. A request that does not say how its body ends gets a Content-Length, so
 * that a changed body still arrives. Nobody waits for ever, no answer is 500, and what is called JSON is JSON. */
#include "served.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The request, with the length of its body where it says nothing of one. */
static void complete(const uint8_t *data, size_t size, struct buf *out)
{
    const char *text = (const char *)data, *end = memmem(text, size, "\r\n\r\n", 4);
    size_t head = end ? (size_t)(end - text) : size, body = end ? size - head - 4 : 0;
    buf_reset(out);
    buf_append(out, text, head);
    if (!end)
        return;
    if (body && !strcasestr(buf_str(out), "\nContent-Length:") && !strcasestr(buf_str(out), "\nTransfer-Encoding:"))
        buf_printf(out, "\r\nContent-Length: %zu", body);
    buf_append(out, text + head, size - head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint16_t search, stickers;
    static struct buf request, answer;
    if (!stickers) {
        served_begin();
        search = served_search();
        stickers = served_stickers(search);
        buf_init(&request, 1u << 20);
        buf_init(&answer, 64u << 20);
    }
    complete(data, size, &request);
    bool of_head = request.len > 5 && memcmp(request.data, "HEAD ", 5) == 0;
    served_ask(stickers, request.data, request.len, &answer);
    served_check(&answer, of_head);
    served_ask(search, request.data, request.len, &answer);
    served_check(&answer, of_head);
    return 0;
}
