/* Packs: all of them, and one with what is known of it and its stickers in their order. */
#include "sticker_service/gallery/gallery.h"

#include "sticker_service/discover.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"

#include <string.h>

#define PAGE_SIZE 96

/* Answers with the page, or with what went wrong; takes it. */
static void send_page(struct gallery_visit *v, enum status st, struct buf *html, struct error *err)
{
    if (st == OK && v->failed)
        st = err_no_memory(err, "a page");
    if (st == OK)
        gallery_send(v, 200, html);
    else
        gallery_send_error(v, err, "");
    buf_free(html);
}

/* --- all of them --- */

static enum status fill_list(struct sticker_service *s, struct gallery_visit *v, struct tpl_packs *page,
                             struct error *err)
{
    struct arena *a = v->req->arena;
    struct collection_facts facts;
    collection_facts(s->collection, a, &facts);
    struct tpl_packs_rows *list = arena_array(a, facts.n_packs + 1, sizeof *list);
    struct sticker *covers = arena_array(a, facts.n_packs + 1, sizeof *covers);
    const char **names = arena_array(a, facts.n_packs + 1, sizeof *names);
    if (!list || !covers || !names)
        return err_no_memory(err, "packs");
    for (size_t i = 0; i < facts.n_packs; i++)
        names[i] = facts.packs[i].cover;
    enum status st = sticker_store_get_many(s->store, names, facts.n_packs, a, covers, err);
    for (size_t i = 0; st == OK && i < facts.n_packs; i++) {
        const struct pack_row *p = &facts.packs[i];
        bool covered = covers[i].filename;
        list[i] = (struct tpl_packs_rows){.pack = p->about.name,
                                          .name = pack_title(&p->about),
                                          .cover = covered ? gallery_image(v, &covers[i], FIND_THUMBNAIL) : NULL,
                                          .still = covered ? gallery_still(v, &covers[i], FIND_THUMBNAIL) : NULL,
                                          .stickers = p->stickers};
    }
    page->rows = list;
    page->n_rows = facts.n_packs;
    return st;
}

void handle_gallery_packs(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct gallery_visit v;
    struct error err;
    struct buf html;
    gallery_visit(&v, req, res);
    buf_init(&html, GALLERY_HTML_MAX);
    struct tpl_packs page = {.layout = gallery_layout(&v, gallery_page_title(&v, GALLERY_SAY(&v, packs)), "")};
    enum status st = fill_list(ctx, &v, &page, &err);
    if (st == OK)
        tpl_packs(&html, &page, v.messages);
    send_page(&v, st, &html, &err);
}

/* --- one --- */

/* "Ann, Bob": whom the pack names, else who made its stickers. */
static const char *say_author(struct gallery_visit *v, const struct pack_row *pack, const struct pack_credits *by)
{
    const char *all = pack->about.author;
    for (size_t i = 0; !*pack->about.author && all && i < by->n_authors; i++)
        all = arena_printf(v->req->arena, "%s%s%s", all, i ? ", " : "", by->authors[i]);
    return gallery_kept(v, all);
}

static enum status fill_stickers(struct sticker_service *s, struct gallery_visit *v, const char *pack, int64_t cursor,
                                 struct tpl_pack *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct sticker_filter filter = STICKER_FILTER_NONE;
    struct find_answer answer;
    struct tpl_card *cards;
    const char **names;
    size_t n;
    filter.pack = pack;
    enum status st = sticker_store_pack_page(s->store, &filter, &cursor, PAGE_SIZE, a, &names, &n, err);
    if (st == OK)
        st = discover_named(s, names, n, a, &answer, err);
    if (st == OK)
        st = gallery_cards(s, v, &answer, NULL, &cards, err);
    if (st != OK)
        return st;
    page->cards = cards;
    page->n_cards = answer.n;
    page->next = cursor ? gallery_kept(v, arena_printf(a, "%lld", (long long)cursor)) : NULL;
    return OK;
}

static enum status pack_page(struct sticker_service *s, struct gallery_visit *v, struct buf *html, struct error *err)
{
    struct pack_row pack;
    struct pack_credits by;
    struct sticker cover;
    struct arena *a = v->req->arena;
    int64_t cursor = 0;
    enum status st = http_param_int(v->req, "cursor", 1, INT64_MAX, 0, &cursor, err);
    if (st == OK && !*v->req->path_param)
        st = err_set(err, ERR_NOT_FOUND, "a pack has a name");
    if (st == OK)
        st = sticker_store_pack(s->store, v->req->path_param, a, &pack, &by, err);
    if (st == OK)
        st = sticker_store_get_many(s->store, (const char *[]){pack.cover}, 1, a, &cover, err);
    if (st != OK)
        return st;
    const char *title = pack_title(&pack.about);
    struct tpl_pack page = {.layout = gallery_layout(v, gallery_page_title(v, title), ""),
                            .pack = pack.about.name,
                            .name = title,
                            .cover = cover.filename ? gallery_image(v, &cover, FIND_THUMBNAIL) : NULL,
                            .still = cover.filename ? gallery_still(v, &cover, FIND_THUMBNAIL) : NULL,
                            .stickers = pack.stickers,
                            .author = say_author(v, &pack, &by),
                            .license = *pack.about.license  ? pack.about.license
                                       : by.n_licenses == 1 ? by.licenses[0]
                                                            : NULL,
                            .source = pack.about.source,
                            .source_url = gallery_source_url(pack.about.source)};
    page.license_url = gallery_license_url(page.license);
    st = fill_stickers(s, v, pack.about.name, cursor, &page, err);
    if (st == OK)
        tpl_pack(html, &page, v->messages);
    return st;
}

void handle_gallery_pack(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct gallery_visit v;
    struct error err;
    struct buf html;
    gallery_visit(&v, req, res);
    buf_init(&html, GALLERY_HTML_MAX);
    enum status st = pack_page(ctx, &v, &html, &err);
    send_page(&v, st, &html, &err);
}
