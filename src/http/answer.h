/* answer.h: the answer to an HTTP/1.1 request (RFC 9112) out of its bytes, as they come. It does no I/O.
 *
 *     struct http_answer a;
 *     http_answer_begin(&a, false, &body);
 *     while (!a.done && (n = read(fd, piece, sizeof piece)) > 0)
 *         st = http_answer_take(&a, piece, n, &err);
 */
#ifndef PEEL_HTTP_ANSWER_H
#define PEEL_HTTP_ANSWER_H

#include "base/buf.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_answer {
    int status; /* 100 to 999; 0: not here yet */
    bool begun; /* some of it is here */
    bool done;  /* all of it is here */
    bool keeps; /* when it is done: the connection is good for another request */

    /* What follows is answer.c's. */
    struct buf *body;
    bool bodyless, chunked, sized;
    enum {
        ANSWER_STATUS,
        ANSWER_FIELDS,
        ANSWER_SIZED,
        ANSWER_TO_END,
        ANSWER_CHUNK,
        ANSWER_CHUNK_DATA,
        ANSWER_CHUNK_END,
        ANSWER_TRAILER
    } state;
    uint64_t left;     /* of a body that is sized, or of a chunk */
    size_t head_bytes; /* of lines since the beginning, or the last chunk */
    char line[512];    /* the beginning of the line that is coming: of longer ones nothing else is asked */
    size_t line_len;
};

/* bodyless: it answers HEAD. The body is appended to *body, which lives as long as *a is used. */
void http_answer_begin(struct http_answer *a, bool bodyless, struct buf *body);
/* Takes the next bytes. ERR_TOO_LARGE, ERR_NO_MEMORY: the body does not fit into its buffer; ERR_UNAVAILABLE: this is
 * no HTTP. */
enum status http_answer_take(struct http_answer *a, const char *data, size_t len, struct error *err) MUST_CHECK;
/* The peer has closed the connection: ERR_UNAVAILABLE if something is missing. */
enum status http_answer_end(struct http_answer *a, struct error *err) MUST_CHECK;

#endif
