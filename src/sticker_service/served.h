/* served.h: a search as customers make it: answered with what was written a moment ago, or anew, counted, and with a
 * receipt of its own. The API and the routes that are like those of other services differ only in how they write it. */
#ifndef PEEL_STICKER_SERVICE_SERVED_H
#define PEEL_STICKER_SERVICE_SERVED_H

#include "sticker_service/find.h"
#include "sticker_service/sticker_json.h"

#define SERVED_MAX (2u << 20) /* bytes of one answer */
/* In what is written: where the receipt's text stands. JSON has no such byte. */
#define SERVED_RECEIPT '\x01'

/* How answers are written. */
struct served_form {
    char key;                    /* one for each way of writing, by which kept answers are told apart */
    bool untitled;               /* titles in the reader's language are not written */
    struct sticker_form sticker; /* its lang is the language of titles */
    void (*write)(const struct served_form *form, const struct find_query *query, const struct find_answer *answer,
                  struct buf *out);
};

/* Appends the answer, to what find_choose_trial makes of the search. The search counts, and costs more of the client's
 * rate limit if it is long: *refused then says that it was answered with 429. An answer that says that it is degraded
 * is never kept. */
enum status served_search(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                          const struct served_form *form, bool *refused, struct buf *out, struct error *err) MUST_CHECK;

#endif
