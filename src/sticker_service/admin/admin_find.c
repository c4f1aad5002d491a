/* What the scripts of the admin pages look up: GET /admin/find?q=, the stickers that a search finds, for the preview of
 * a title and for the command palette; counted as nobody's search. And GET /admin/trash/image?id=, which shows a
 * deleted sticker to those who may see the trash. */
#include "base/json_out.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/find.h"

#include <stdio.h>
#include <unistd.h>

#define FOUND 12u
#define IMAGE 64u /* pixels wide */

static void put_pair(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_put_string(out, value ? value : "");
}

void handle_admin_find(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct buf out;
    struct find_query query = {.limit = FOUND, .filter = STICKER_FILTER_NONE};
    struct find_answer found = {0};
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    enum status st = query_or_empty(req, "q", &query.text, &err);
    if (st == OK && *query.text)
        st = find_stickers(v.service, req, &query, &found, &err);
    if (st != OK) {
        http_problem_from(res, &err);
        return;
    }
    buf_init(&out, ADMIN_HTML_MAX);
    buf_printf(&out, "{\"degraded\":%s,\"stickers\":[", found.degraded ? "true" : "false");
    for (size_t i = 0; i < found.n; i++) {
        const struct sticker *s = found.results[i].sticker;
        buf_puts(&out, i ? ",{" : "{");
        put_pair(&out, "filename", s->filename);
        buf_putc(&out, ',');
        put_pair(&out, "title", s->title);
        buf_putc(&out, ',');
        put_pair(&out, "image", list_image(s->filename, s->sha256, IMAGE, req->arena));
        buf_putc(&out, '}');
    }
    buf_puts(&out, "]}");
    admin_headers(res);
    if (out.failed)
        http_problem_unfinished(res, &out, "an answer");
    else
        http_json(res, 200, buf_str(&out), out.len);
    buf_free(&out);
}

void handle_admin_trash_image(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct sticker s;
    const char *id;
    char key[STICKER_FILENAME_MAX + 8];
    int fd = -1;
    uint64_t size = 0;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "trash", ADMIN_VIEW))
        return;
    enum status st = http_param(req, "id", &id, &err);
    if (st == OK)
        st = filename_check(id, &err);
    if (st == OK)
        st = sticker_store_trash_get(v.service->store, id, req->arena, &s, &err);
    if (st == OK) {
        snprintf(key, sizeof key, "media/%s", s.filename);
        const struct thumb wanted = {IMAGE, IMAGE_WEBP, s.animated ? THUMB_POSTER : THUMB_STILL};
        st = thumbs_get(v.service->thumbs, v.service->bucket, key, s.sha256, &wanted, &fd, &size, &err);
    }
    if (st != OK) {
        http_problem(res, st == ERR_UNAVAILABLE ? 503 : 404, "There is no such image.");
        return;
    }
    admin_headers(res);
    http_body_fd(res, 200, "image/webp", fd, 0, size);
}
