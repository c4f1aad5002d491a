/* packed.h: text that is made for one answer, compressed as the client takes it. */
#ifndef PEEL_STICKER_SERVICE_PACKED_H
#define PEEL_STICKER_SERVICE_PACKED_H

#include "http/server.h"

/* Sends the body, which it takes over: as Accept-Encoding says with zstd or gzip, or as it is when it is short. One
 * that was not finished is answered as http_problem_unfinished does; `what` is for the log, "a page". Nothing in these
 * answers is secret, so that their length may tell what is in them. */
void send_packed(const struct http_request *req, struct http_response *res, int status, const char *type,
                 struct buf *body, const char *what);

#endif
