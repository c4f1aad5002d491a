#include "sticker_service/gallery/gallery_parts.h"

#include "base/log.h"
#include "sticker_service/find.h"
#include "sticker_service/service.h"

#include <string.h>

/* --- answering --- */

void gallery_send(struct http_response *res, int status, struct buf *html)
{
    struct error err;
    if (buf_status(html, &err) != OK) {
        log_error("a page was not finished: %s", err.message);
        http_problem(res, 500, "The page could not be made.");
        buf_free(html);
        return;
    }
    http_header_add(res, "Content-Security-Policy", HTML_CSP);
    http_header_add(res, "Referrer-Policy", "same-origin");
    http_header_add(res, "Cache-Control", "no-cache");
    http_header_add(res, "Vary", "Accept-Language");
    size_t len = html->len;
    http_body_take(res, status, HTML_TYPE, buf_take(html), len);
}

void gallery_send_message(struct http_response *res, int status, const char *query, const char *heading,
                          const char *text)
{
    struct buf html;
    buf_init(&html, GALLERY_HTML_MAX);
    tpl_message(&html, &(struct tpl_message){
                           .layout = {.title = heading, .query = query}, .heading = heading, .text_shown = text});
    gallery_send(res, status, &html);
}

void gallery_send_error(struct http_response *res, const struct error *err, const char *query)
{
    switch (err->code) {
    case ERR_INVALID:
        gallery_send_message(res, 400, query, "That did not work", err->message);
        break;
    case ERR_NOT_FOUND:
        gallery_send_message(res, 404, query, "Nothing here", err->message);
        break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        http_header_add(res, "Retry-After", "2");
        gallery_send_message(res, 503, query, "One moment, please", "Peel is very busy. Try again in a few seconds.");
        break;
    default:
        log_error("gallery: %s", err->message);
        gallery_send_message(res, 500, query, "That did not work", "Something broke on our side. It has been noted.");
    }
}

/* --- from stickers to what templates show --- */

const char *gallery_kept(struct gallery_texts *t, const char *s)
{
    if (!s)
        t->failed = true;
    return s;
}

const char *gallery_image(struct gallery_texts *t, const struct sticker *k, unsigned width)
{
    struct buf b;
    buf_init(&b, 4096);
    media_url(&b, k->filename, k->sha256, width);
    const char *url = b.failed ? NULL : arena_strdup(t->arena, buf_str(&b));
    buf_free(&b);
    return gallery_kept(t, url);
}

const char *gallery_title(const struct sticker *k)
{
    return html_is(k->title) ? k->title : k->filename;
}

struct tpl_card gallery_card(struct gallery_texts *t, const struct sticker *k, const char *query)
{
    return (struct tpl_card){.filename = k->filename,
                             .title = gallery_title(k),
                             .thumbnail = gallery_image(t, k, FIND_THUMBNAIL),
                             .author = k->author,
                             .license = k->license,
                             .query = query};
}

const char *gallery_results_url(struct gallery_texts *t, const char *query, int64_t page)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_puts(&b, "/?q=");
    html_url_part(&b, query);
    if (page > 1)
        buf_printf(&b, "&page=%lld", (long long)page);
    const char *url = b.failed ? NULL : arena_strdup(t->arena, buf_str(&b));
    buf_free(&b);
    return gallery_kept(t, url);
}

const char *gallery_thanks(const char *as)
{
    if (strcmp(as, "positive") == 0)
        return "Thank you. Counted: it fits.";
    return strcmp(as, "negative") == 0 ? "Thank you. Counted: it does not fit." : "";
}
