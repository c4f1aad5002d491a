/* One sticker: a large view, its words, whose it is, and what is like it. */
#include "sticker_service/gallery/gallery.h"

#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_json.h"

#include <string.h>

#define SIMILAR    12
#define WORDS_MAX  32   /* shown */
#define VIEW_WIDTH 1024 /* of the large view, for pictures made of pixels */

/* "SVG" */
static const char *picture_format(const struct sticker *k)
{
    static const char *const names[][2] = {{"image/svg+xml", "SVG"},
                                           {"image/png", "PNG"},
                                           {"image/webp", "WebP"},
                                           {"image/jpeg", "JPEG"},
                                           {"image/gif", "GIF"},
                                           {"video/lottie+json", "Lottie"},
                                           {"application/x-tgsticker", "TGS"},
                                           {"application/zip+dotlottie", "dotLottie"},
                                           {"image/avif", "AVIF"},
                                           {"image/heic", "HEIC"},
                                           {"video/webm", "WebM"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(k->mime, names[i][0]) == 0)
            return names[i][1];
    return k->mime;
}

/* "cat.svg" -> "cat.webp" */
static const char *renamed(struct gallery_visit *v, const char *filename, const char *ending)
{
    const char *dot = strrchr(filename, '.');
    size_t len = dot ? (size_t)(dot - filename) : strlen(filename);
    return gallery_kept(v, arena_printf(v->req->arena, "%.*s.%s", (int)len, filename, ending));
}

static const char *picture_bytes(struct gallery_visit *v, int64_t bytes)
{
    if (bytes < 10000)
        return gallery_kept(v, arena_printf(v->req->arena, "%.1f kB", (double)bytes / 1000));
    return bytes < 1000000 ? gallery_kept(v, arena_printf(v->req->arena, "%.0f kB", (double)bytes / 1000))
                           : gallery_kept(v, arena_printf(v->req->arena, "%.1f MB", (double)bytes / 1e6));
}

/* "More like this" */
static enum status fill_similar(struct sticker_service *s, struct gallery_visit *v, const struct sticker *k,
                                struct tpl_sticker *page, struct error *err)
{
    struct find_answer answer;
    struct tpl_card *cards;
    enum status status = find_stickers(
        s, v->req, &(struct find_query){.like = k->filename, .limit = SIMILAR, .filter = STICKER_FILTER_NONE}, &answer,
        err);
    if (status == OK)
        status = gallery_cards(s, v, &answer, NULL, &cards, err);
    if (status == OK) {
        page->similar = cards;
        page->n_similar = answer.n;
    }
    return status;
}

/* For those who show a link to the page: Open Graph and oEmbed. Their addresses are whole ones. */
static void fill_social(const struct sticker_service *s, struct gallery_visit *v, const struct sticker *k,
                        struct tpl_sticker *page)
{
    const char *origin = gallery_origin(s, v);
    if (!origin)
        return;
    struct arena *a = v->req->arena;
    struct buf b;
    buf_init(&b, 8192);
    buf_printf(&b, "%s/sticker/", origin);
    html_url_part(&b, k->filename);
    page->page_url = gallery_kept(v, b.failed ? NULL : arena_strdup(a, buf_str(&b)));
    buf_reset(&b);
    buf_printf(&b, "%s/oembed?url=", origin);
    html_url_part(&b, page->page_url);
    page->oembed = gallery_kept(v, b.failed ? NULL : arena_strdup(a, buf_str(&b)));
    const char *still = gallery_still(v, k, GALLERY_SOCIAL); /* not every service shows what moves */
    page->social_image =
        gallery_kept(v, arena_printf(a, "%s%s", origin, still ? still : gallery_image(v, k, GALLERY_SOCIAL)));
    buf_free(&b);
}

/* In which forms it can be downloaded: as it is, as WebP, and as PNG, which the browser makes. */
static void fill_downloads(struct gallery_visit *v, const struct sticker *k, struct tpl_sticker *page)
{
    page->format = picture_format(k);
    page->original = gallery_image(v, k, 0);
    if (!image_mime_is_shown(k->mime))
        page->original = gallery_kept(v, arena_printf(v->req->arena, "%s&format=original", page->original));
    if (strcmp(k->mime, "image/webp") != 0) {
        page->webp = gallery_image(v, k, GALLERY_SOCIAL);
        page->webp_name = renamed(v, k->filename, "webp");
    }
    if (strcmp(k->mime, "image/png") != 0 && !k->animated)
        page->png_name = renamed(v, k->filename, "png");
}

static enum status sticker_page(struct sticker_service *s, struct gallery_visit *v, const char *query, const char *as,
                                struct buf *html, struct error *err)
{
    struct sticker k;
    struct sticker_keywords words;
    const struct http_request *req = v->req;
    enum status status = filename_check(req->path_param, err);
    if (status == OK)
        status = sticker_store_get(s->store, req->path_param, req->arena, &k, err);
    if (status == ERR_INVALID || status == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "This sticker does not exist, or has been removed.");
    if (status == OK)
        status = gallery_localise(s, v, (struct sticker *[]){&k}, 1, err);
    if (status != OK)
        return status;
    bool drawing = strcmp(k.mime, "image/svg+xml") == 0;
    struct tpl_sticker page = {.layout = gallery_layout(v, gallery_page_title(v, gallery_title(&k)), query),
                               .filename = k.filename,
                               .name = gallery_title(&k),
                               .image = gallery_image(v, &k, drawing || k.width <= VIEW_WIDTH ? 0 : VIEW_WIDTH),
                               .still = gallery_still(v, &k, VIEW_WIDTH),
                               .thumbnail = gallery_image(v, &k, FIND_THUMBNAIL),
                               .back = *query ? gallery_results_url(v, query, NULL, 1) : NULL,
                               .author = k.author,
                               .license = k.license,
                               .license_url = gallery_license_url(k.license),
                               .source = k.source,
                               .source_url = gallery_source_url(k.source),
                               .pack = k.pack,
                               .pack_title = gallery_pack_title(s, v, k.pack),
                               .width = drawing ? 0 : k.width,
                               .height = k.height,
                               .size = picture_bytes(v, k.bytes),
                               .noted = gallery_thanks(v, as)};
    struct tpl_card card = {.filename = k.filename};
    status = *query ? gallery_votes(s, v, query, &card, 1, err) : OK;
    page.voted = card.voted;
    fill_downloads(v, &k, &page);
    fill_social(s, v, &k, &page);
    if (status == OK)
        status = sticker_keywords(&k, v->lang, WORDS_MAX, req->arena, &words, err);
    if (status == OK) {
        page.words = words.list;
        page.n_words = words.n;
        page.language = words.language;
    }
    if (status == OK)
        status = fill_similar(s, v, &k, &page, err);
    if (status == OK && v->failed)
        status = err_no_memory(err, "a page");
    if (status == OK)
        tpl_sticker(html, &page, v->messages);
    return status;
}

void handle_gallery_sticker(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    struct buf html;
    struct gallery_visit v;
    const char *query = "", *as = "";
    gallery_visit(&v, req, res);
    buf_init(&html, GALLERY_HTML_MAX);
    enum status status = query_or_empty(req, "q", &query, &err);
    if (status == OK)
        status = http_param_or(req, "as", "", &as, &err);
    if (status == OK)
        status = sticker_page(ctx, &v, query, as, &html, &err);
    if (status == OK)
        gallery_send(&v, 200, &html);
    else
        gallery_send_error(&v, &err, query);
    buf_free(&html);
}
