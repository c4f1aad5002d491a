/* gallery_parts.h: what the gallery's pages have in common; private to gallery*.c. */
#ifndef PEEL_STICKER_SERVICE_GALLERY_GALLERY_PARTS_H
#define PEEL_STICKER_SERVICE_GALLERY_GALLERY_PARTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/server.h"
#include "sticker_service/find.h"
#include "web/html.h"
#include "web/messages.h"
#include "web/templates.h"
#include <stdbool.h>

#define GALLERY_HTML_MAX  (2u << 20) /* of one page */
#define GALLERY_PAGE_LAST 4167       /* of results */
#define GALLERY_SOCIAL    512u       /* pixels: the width of the image that others show with a link */

/* One request for a page, and whose eyes it is for. */
struct gallery_visit {
    const struct http_request *req;
    struct http_response *res;
    const struct messages *messages; /* in which the page speaks */
    const char *lang;                /* the reader's language, also where there are no messages in it; NULL: unknown */
    bool failed;                     /* a text found no memory, and is NULL */
};
/* Finds the language: ?lang=, the cookie that an earlier ?lang= left, Accept-Language, English. */
void gallery_visit(struct gallery_visit *v, const struct http_request *req, struct http_response *res);
#define GALLERY_SAY(v, key) messages_get((v)->messages, MESSAGE_##key)

/* Answers with a page and the headers that every page has; takes the buffer. */
void gallery_send(struct gallery_visit *v, int status, struct buf *html);
/* A page that says one thing. `query` is what the search box holds. */
void gallery_send_message(struct gallery_visit *v, int status, const char *query, const char *heading,
                          const char *text);
/* A failure of ours, or a wrong request, as a page. */
void gallery_send_error(struct gallery_visit *v, const struct error *err, const char *query);

/* What layout.html needs. */
struct tpl_layout gallery_layout(struct gallery_visit *v, const char *title, const char *query);

/* Texts made for one page; NULL (shown as nothing) when its memory is used up, which v->failed keeps. */
const char *gallery_kept(struct gallery_visit *v, const char *s); /* s, having looked whether it is NULL */
const char *gallery_image(struct gallery_visit *v, const struct sticker *k, unsigned width); /* width 0: as it is */
/* For people who do not want motion; NULL where there is none. */
const char *gallery_still(struct gallery_visit *v, const struct sticker *k, unsigned width);
/* "/?q=cat&pack=openmoji&page=2" */
const char *gallery_results_url(struct gallery_visit *v, const char *query, const struct sticker_filter *filter,
                                int64_t page);
/* service_origin; NULL when it is not known. */
const char *gallery_origin(const struct sticker_service *s, struct gallery_visit *v);
const char *gallery_page_title(struct gallery_visit *v, const char *name); /* "name · Peel" */
const char *gallery_title(const struct sticker *k);                        /* its filename when it has none */
const char *gallery_license_url(const char *license);                      /* where it can be read; NULL: unknown */
const char *gallery_source_url(const char *source);                        /* NULL: it is no address */
const char *gallery_pack_title(struct sticker_service *s, struct gallery_visit *v, const char *pack);
/* Gives each sticker its title in the reader's language, where it has one. */
enum status gallery_localise(struct sticker_service *s, struct gallery_visit *v, struct sticker **stickers, size_t n,
                             struct error *err) MUST_CHECK;
struct tpl_card gallery_card(struct gallery_visit *v, const struct sticker *k, const char *query);
/* The stickers of an answer as cards, with titles in the reader's language. */
enum status gallery_cards(struct sticker_service *s, struct gallery_visit *v, const struct find_answer *answer,
                          const char *query, struct tpl_card **cards, struct error *err) MUST_CHECK;

/* The voter of the cookie that a vote without scripts leaves (gallery_vote.c), hashed; NULL: there is none. */
#define GALLERY_VOTER "voter"
const char *gallery_voter(const struct sticker_service *s, struct gallery_visit *v);
/* Gives each card the vote that this voter has for the query. */
enum status gallery_votes(struct sticker_service *s, struct gallery_visit *v, const char *query, struct tpl_card *cards,
                          size_t n, struct error *err) MUST_CHECK;
/* What is said after a vote: as is "positive", "negative" or "withdrawn", else "". */
const char *gallery_thanks(const struct gallery_visit *v, const char *as);

#endif
