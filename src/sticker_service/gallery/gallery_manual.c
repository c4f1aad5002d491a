/* The documentation: its pages and the search of it. */
#include "sticker_service/gallery/gallery.h"

#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"
#include "web/manual.h"

#include <string.h>

#define MANUAL_HITS 30

static enum status fill_hits(struct arena *a, struct tpl_manual *out, struct error *err)
{
    struct manual_hit *hits;
    size_t n;
    enum status st = manual_search(out->query, MANUAL_HITS, a, &hits, &n, err);
    struct tpl_manual_hits *list = st == OK ? arena_array(a, n + 1, sizeof *list) : NULL;
    if (st == OK && !list)
        st = err_no_memory(err, "a page");
    if (st != OK)
        return st;
    for (size_t i = 0; i < n; i++)
        list[i] = (struct tpl_manual_hits){.name = hits[i].page->name,
                                           .id = hits[i].section->id,
                                           .heading = hits[i].section->heading,
                                           .page_title = hits[i].page->title,
                                           .excerpt = hits[i].excerpt,
                                           .whole = hits[i].section == hits[i].page->sections};
    out->hits = list;
    out->n_hits = n;
    out->searched = true;
    out->title = arena_printf(a, "%zu%s %s for “%s”", n, n == MANUAL_HITS ? " or more" : "",
                              n == 1 ? "result" : "results", out->query);
    return out->title ? OK : err_no_memory(err, "a page");
}

static enum status fill_page(const struct manual_page *page, struct arena *a, struct tpl_manual *out, struct error *err)
{
    struct tpl_manual_sections *list = arena_array(a, page->n_sections + 1, sizeof *list);
    if (!list)
        return err_no_memory(err, "a page");
    for (size_t i = 1; i < page->n_sections; i++)
        list[i - 1] = (struct tpl_manual_sections){.id = page->sections[i].id, .heading = page->sections[i].heading};
    out->sections = list;
    out->n_sections = page->n_sections - 1;
    out->title = page->title;
    out->body = page->html;
    return OK;
}

void handle_manual(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct error err;
    struct gallery_visit v;
    struct tpl_manual t = {.query = "", .body = ""};
    gallery_visit(&v, req, res);
    const char *name = req->path_param ? req->path_param : "";
    const struct manual_page *page = manual_page_by_name(name);
    enum status st = query_or_empty(req, "q", &t.query, &err);
    if (st == OK && !page)
        st = err_set(&err, ERR_NOT_FOUND, "The documentation has no page of this name. /docs/ lists all pages.");
    if (st == OK)
        st = *t.query ? fill_hits(req->arena, &t, &err) : fill_page(page, req->arena, &t, &err);
    if (st != OK) {
        gallery_send_error(&v, &err, "");
        return;
    }
    struct buf html;
    buf_init(&html, GALLERY_HTML_MAX);
    tpl_manual(&html, &t);
    gallery_send(&v, 200, &html);
}
