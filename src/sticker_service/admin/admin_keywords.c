/* GET /admin/stickers/keywords?query=&q=: makes a query that found nothing find something: one searches for stickers
 * that show it, and its words become keywords of the one that is chosen. The form sends what a bulk edit of one row
 * would. */
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/find.h"

#define FOUND 24u
#define IMAGE 128u /* pixels wide */

void handle_admin_keywords_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct buf html;
    struct find_query find = {.limit = FOUND, .filter = STICKER_FILTER_NONE};
    struct find_answer found = {0};
    const char *query;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_CHANGE))
        return;
    enum status st = query_or_empty(req, "query", &query, &err);
    if (st == OK)
        st = query_or_empty(req, "q", &find.text, &err);
    if (st == OK && !*find.text)
        find.text = query;
    if (st == OK && *find.text)
        st = find_stickers(v.service, req, &find, &found, &err);
    struct tpl_admin_keywords_stickers *rows = st == OK ? arena_array(req->arena, found.n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        st = err_no_memory(&err, "stickers");
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    for (size_t i = 0; i < found.n; i++) {
        const struct sticker *s = found.results[i].sticker;
        rows[i] = (struct tpl_admin_keywords_stickers){.filename = s->filename,
                                                       .name = *s->title ? s->title : s->filename,
                                                       .image = list_image(s->filename, s->sha256, IMAGE, req->arena)};
    }
    struct tpl_admin_keywords page = {.admin_layout =
                                          admin_layout(&v, admin_say(MESSAGE_admin_keywords_title), "stickers"),
                                      .query = query,
                                      .search = find.text,
                                      .stickers = rows,
                                      .n_stickers = found.n};
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_keywords(&html, &page, admin_messages());
    admin_send(res, 200, &html);
}
