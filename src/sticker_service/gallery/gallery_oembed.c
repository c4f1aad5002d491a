/* oEmbed (https://oembed.com, 2.3): what a program that was given the link to a sticker's page may show of it. */
#include "sticker_service/gallery/gallery.h"

#include "base/json_out.h"
#include "image/image.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"
#include "web/form.h"

#include <string.h>

#define ANSWER_MAX (64u << 10)
#define WIDTH_MAX  GALLERY_SOCIAL
#define URL_MAX    4096u
#define PAGES      "/sticker/"

/* A piece of a path as text; signs that mean something in forms stand for themselves there. */
static enum status unescape(const char *piece, size_t len, struct arena *a, const char **out, struct error *err)
{
    struct buf field;
    struct form form;
    buf_init(&field, 4 * URL_MAX);
    buf_puts(&field, "f=");
    for (size_t i = 0; i < len; i++)
        if (piece[i] && strchr("+&=;", piece[i]))
            buf_printf(&field, "%%%02X", (unsigned char)piece[i]);
        else
            buf_putc(&field, piece[i]);
    enum status status = buf_status(&field, err);
    if (status == OK)
        status = form_parse(buf_str(&field), field.len, 1, a, &form, err);
    if (status == OK)
        status = form_get(&form, "f", out, err);
    if (status == OK)
        status = filename_check(*out, err);
    buf_free(&field);
    return status == ERR_NO_MEMORY ? status
           : status == OK          ? OK
                                   : err_set(err, ERR_NOT_FOUND, "url is not the page of a sticker.");
}

/* The filename in "https://peel.example/sticker/cat.svg?q=cat", whatever the host: proxies may know us by several
 * names. ERR_NOT_FOUND for another page. */
static enum status filename_of(const char *url, struct arena *a, const char **filename, struct error *err)
{
    const char *host = strstr(url, "://"), *path = host ? strchr(host + 3, '/') : url;
    if (strlen(url) > URL_MAX || !path || strncmp(path, PAGES, strlen(PAGES)) != 0)
        return err_set(err, ERR_NOT_FOUND, "url is not the page of a sticker.");
    path += strlen(PAGES);
    return unescape(path, strcspn(path, "?#/"), a, filename, err);
}

struct shown {
    unsigned thumbnail;    /* its width as the address of the image has it, */
    int64_t width, height; /* and the size that the image then has */
};

/* The largest thumbnail that fits; ERR_NOT_FOUND: none does. */
static enum status choose_size(const struct sticker *k, int64_t max_width, int64_t max_height, struct shown *out,
                               struct error *err)
{
    static const unsigned widths[] = {WIDTH_MAX, 256, 128, 64};
    bool drawing = image_mime_is_drawing(k->mime), known = k->width > 0 && k->height > 0;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        uint32_t w = widths[i], h = widths[i];
        if (known)
            image_thumbnail_size((uint32_t)k->width, (uint32_t)k->height, drawing, widths[i], &w, &h);
        *out = (struct shown){widths[i], w, h};
        if (w <= max_width && h <= max_height)
            return OK;
    }
    return err_set(err, ERR_NOT_FOUND, "No image of this sticker is as small as %lld x %lld pixels.",
                   (long long)max_width, (long long)max_height);
}

static void write_oembed(const struct sticker_service *s, struct gallery_visit *v, const struct sticker *k,
                         const struct shown *as, struct buf *out)
{
    const char *origin = gallery_origin(s, v);
    buf_printf(out, "{\"version\":\"1.0\",\"type\":\"photo\",\"width\":%lld,\"height\":%lld,\"title\":",
               (long long)as->width, (long long)as->height);
    json_put_string(out, gallery_title(k));
    buf_puts(out, ",\"url\":");
    struct buf url;
    buf_init(&url, 8192);
    const char *still = gallery_still(v, k, as->thumbnail);
    buf_printf(&url, "%s%s", origin ? origin : "", still ? still : gallery_image(v, k, as->thumbnail));
    json_put_string(out, buf_str(&url));
    if (html_is(k->author)) {
        buf_puts(out, ",\"author_name\":");
        json_put_string(out, k->author);
    }
    if (html_is(k->license)) {
        buf_puts(out, ",\"license\":");
        json_put_string(out, k->license);
    }
    buf_puts(out, ",\"provider_name\":\"Peel\"");
    if (origin) {
        buf_puts(out, ",\"provider_url\":");
        json_put_string(out, origin);
    }
    buf_puts(out, ",\"cache_age\":3600}");
    out->failed = out->failed || url.failed;
    buf_free(&url);
}

void handle_gallery_oembed(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct gallery_visit v;
    struct sticker k;
    struct error err;
    struct buf out;
    struct shown as;
    const char *url, *format, *filename;
    int64_t width, height;
    gallery_visit(&v, req, res);
    if (http_param_or(req, "url", "", &url, &err) != OK || http_param_or(req, "format", "json", &format, &err) != OK ||
        http_param_int(req, "maxwidth", 1, 100000, WIDTH_MAX, &width, &err) != OK ||
        http_param_int(req, "maxheight", 1, 100000, WIDTH_MAX, &height, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    if (!*url) {
        http_problem(res, 400, "Please provide the url of a sticker's page.");
        return;
    }
    if (strcmp(format, "json") != 0) {
        http_problem(res, 501, "format must be json, found \"%.20s\"", format);
        return;
    }
    buf_init(&out, ANSWER_MAX);
    enum status status = filename_of(url, req->arena, &filename, &err);
    if (status == OK)
        status = sticker_store_get(s->store, filename, req->arena, &k, &err);
    if (status == OK)
        status = gallery_localise(s, &v, (struct sticker *[]){&k}, 1, &err);
    if (status == OK)
        status = choose_size(&k, width, height, &as, &err);
    if (status == OK) {
        write_oembed(s, &v, &k, &as, &out);
        status = v.failed ? err_no_memory(&err, "an answer") : buf_status(&out, &err);
    }
    if (status == OK) {
        http_header_add(res, "Access-Control-Allow-Origin", "*");
        http_vary(res, "Accept-Language, Cookie");
        http_json(res, 200, buf_str(&out), out.len);
    } else {
        http_problem_from(res, &err);
    }
    buf_free(&out);
}
