/* gallery_parts.h: what the gallery's pages have in common; private to gallery*.c. */
#ifndef PEEL_STICKER_SERVICE_GALLERY_GALLERY_PARTS_H
#define PEEL_STICKER_SERVICE_GALLERY_GALLERY_PARTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/server.h"
#include "sticker_store/sticker_store.h"
#include "web/html.h"
#include "web/templates.h"
#include <stdbool.h>

#define GALLERY_HTML_MAX  (2u << 20) /* of one page */
#define GALLERY_PAGE_LAST 4167       /* of results */
#define TITLE_SUFFIX      " · Peel"

/* Answers with a page and the headers that every page has; takes the buffer. */
void gallery_send(struct http_response *res, int status, struct buf *html);
/* A page that says one thing. */
void gallery_send_message(struct http_response *res, int status, const char *query, const char *heading,
                          const char *text);
/* A failure of ours, or a wrong request, as a page. */
void gallery_send_error(struct http_response *res, const struct error *err, const char *query);

/* Texts made for one page; NULL (shown as nothing) when a page's memory is used up, which `failed` keeps. */
struct gallery_texts {
    struct arena *arena;
    bool failed;
};
const char *gallery_kept(struct gallery_texts *t, const char *s); /* s, having looked whether it is NULL */
const char *gallery_image(struct gallery_texts *t, const struct sticker *k, unsigned width); /* width 0: as it is */
const char *gallery_results_url(struct gallery_texts *t, const char *query, int64_t page);
const char *gallery_title(const struct sticker *k); /* its filename when it has none */
struct tpl_card gallery_card(struct gallery_texts *t, const struct sticker *k, const char *query);

/* What is said after a vote: as is "positive" or "negative", else "". */
const char *gallery_thanks(const char *as);

#endif
