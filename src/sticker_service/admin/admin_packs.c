/* GET and POST /admin/packs/: all packs, and with ?pack= one: what is said of it, and the order of its stickers.
 * Whoever may see stickers sees packs, and whoever may change stickers changes them.
 *
 * The order is a column of numbers. Each number that was changed moves its sticker to that place, and the others close
 * ranks; so a form with the stickers of one page is enough. */
#include "base/json_out.h"
#include "base/utf8.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/admin/admin_tables.h"
#include "sticker_service/sticker_write.h"
#include "web/html.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 1000 /* packs */
#define PAGE   100  /* stickers */
#define FIELDS (3 * PAGE + 16)
#define IMAGE  64u        /* pixels wide */
#define STATE  (1u << 20) /* bytes of a history entry */

enum { TITLE, AUTHOR, LICENSE, SOURCE, COVER, LINES };
static const char *const lines[LINES] = {"title", "author", "license", "source", "cover"};

/* A sticker that is to have another place, from 1. */
struct move {
    const char *sticker;
    int64_t was, place;
};

struct pack_edit {
    const struct admin_visit *v;
    struct pack_row row;
    const char **order; /* [n] its stickers */
    size_t n;
    int64_t page;              /* from 1 */
    const char *values[LINES]; /* as they are, or were typed */
    struct move moves[PAGE];   /* by place */
    size_t n_moves;
    const char *problem;
};

/* --- all of them --- */

static void send_list(const struct admin_visit *v)
{
    struct arena *a = v->req->arena;
    struct pack_row *packs;
    struct error err;
    struct buf html;
    size_t n, shown = 0;
    enum status st = sticker_store_packs(v->service->store, LISTED, a, &packs, &n, &err);
    struct tpl_admin_packs_packs *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        st = err_no_memory(&err, "packs");
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const struct pack_row *p = &packs[i];
        if (*p->about.name)
            rows[shown++] = (struct tpl_admin_packs_packs){.name = p->about.name,
                                                           .title_shown = pack_title(&p->about),
                                                           .image = list_image(p->cover, "", IMAGE, a),
                                                           .author = p->about.author,
                                                           .license = p->about.license,
                                                           .rating = rating_name(p->rating_most),
                                                           .stickers = admin_number(p->stickers, a),
                                                           .up = admin_number(p->positives, a),
                                                           .down = admin_number(p->negatives, a)};
    }
    struct tpl_admin_packs page = {
        .admin_layout = admin_layout(v, admin_say(MESSAGE_admin_packs), "packs"), .packs = rows, .n_packs = shown};
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_packs(&html, &page, admin_messages());
    admin_send(v->res, 200, &html);
}

/* --- one --- */

static enum status open_pack(const struct admin_visit *v, const char *name, struct pack_edit *out, struct error *err)
{
    struct pack_credits by;
    struct arena *a = v->req->arena;
    *out = (struct pack_edit){.v = v};
    enum status st = http_param_int(v->req, "page", 1, INT64_MAX / PAGE, 1, &out->page, err);
    if (st == OK)
        st = sticker_store_pack(v->service->store, name, a, &out->row, &by, err);
    if (st == OK)
        st = sticker_store_pack_order(v->service->store, name, a, &out->order, &out->n, err);
    const struct pack_about *about = &out->row.about;
    const char *values[] = {about->title, about->author, about->license, about->source, about->cover};
    memcpy(out->values, values, sizeof values);
    return st;
}

static enum status fill_stickers(const struct pack_edit *e, struct tpl_admin_pack *page, struct error *err)
{
    struct arena *a = e->v->req->arena;
    size_t first = (size_t)(e->page - 1) * PAGE, n = first < e->n ? e->n - first : 0;
    n = n < PAGE ? n : PAGE;
    struct sticker *found = arena_array(a, n + 1, sizeof *found);
    struct tpl_admin_pack_stickers *rows = arena_array(a, n + 1, sizeof *rows);
    if (!found || !rows)
        return err_no_memory(err, "stickers");
    enum status st =
        n ? sticker_store_get_many(e->v->service->store, (const char *const *)e->order + first, n, a, found, err) : OK;
    for (size_t i = 0; st == OK && i < n; i++) {
        int64_t place = (int64_t)(first + i) + 1;
        rows[i] = (struct tpl_admin_pack_stickers){.filename = e->order[first + i],
                                                   .name = found[i].filename ? found[i].title : "",
                                                   .image = list_image(e->order[first + i], "", IMAGE, a),
                                                   .was = place,
                                                   .place = place};
        for (size_t k = 0; k < e->n_moves; k++)
            if (strcmp(e->moves[k].sticker, rows[i].filename) == 0)
                rows[i].place = e->moves[k].place;
    }
    page->stickers = rows;
    page->n_stickers = st == OK ? n : 0;
    page->page = e->page;
    page->previous = e->page > 1 ? e->page - 1 : 0;
    page->next = first + n < e->n ? e->page + 1 : 0;
    return st;
}

/* "pack=cats%20%26%20dogs": the list of its stickers. NULL without memory. */
static const char *list_of(const struct pack_edit *e)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_puts(&b, "pack=");
    html_url_part(&b, e->row.about.name);
    const char *out = b.failed ? NULL : arena_strdup(e->v->req->arena, buf_str(&b));
    buf_free(&b);
    return out;
}

static void send_pack(const struct pack_edit *e, int status)
{
    struct arena *a = e->v->req->arena;
    const struct admin_visit *v = e->v;
    const struct pack_row *p = &e->row;
    struct error err;
    struct buf html;
    const char *title = pack_title(&p->about);
    struct tpl_admin_pack page = {.admin_layout = admin_layout(v, title, "packs"),
                                  .name = p->about.name,
                                  .heading = title,
                                  .image = list_image(p->cover, "", 128, a),
                                  .noted = *admin_param_text(v, "done") ? admin_say(MESSAGE_admin_packs_saved) : NULL,
                                  .problem = e->problem,
                                  .seen = arena_printf(a, "%lld", (long long)p->modified_us),
                                  .count = p->stickers,
                                  .up = admin_number(p->positives, a),
                                  .down = admin_number(p->negatives, a),
                                  .rating = rating_name(p->rating_most),
                                  .title_value = e->values[TITLE],
                                  .author = e->values[AUTHOR],
                                  .license = e->values[LICENSE],
                                  .source = e->values[SOURCE],
                                  .cover = e->values[COVER],
                                  .list_query = list_of(e),
                                  .can_change = admin_may(v, "stickers", ADMIN_CHANGE),
                                  .can_delete = admin_may(v, "stickers", ADMIN_DELETE)};
    if (fill_stickers(e, &page, &err) != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_pack(&html, &page, admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_packs(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct pack_edit e;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    const char *name = admin_param_text(&v, "pack");
    if (!*name)
        send_list(&v);
    else if (open_pack(&v, name, &e, &err) == OK)
        send_pack(&e, 200);
    else
        admin_fail(&v, &err);
}

/* --- changes --- */

static int by_place(const void *a, const void *b)
{
    const struct move *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

/* The numbers that were changed. */
static void read_moves(const struct form *form, struct pack_edit *e)
{
    struct move m = {0};
    for (size_t i = 0; i < form->count; i++) {
        const char *name = form->fields[i].name, *value = form->fields[i].value;
        if (strcmp(name, "sticker") == 0)
            m = (struct move){.sticker = value};
        else if (strcmp(name, "was") == 0)
            m.was = strtoll(value, NULL, 10);
        else if (strcmp(name, "place") == 0 && m.sticker && e->n_moves < PAGE) {
            size_t digits = strspn(value, "0123456789");
            m.place = digits && digits < 10 && !value[digits] ? strtoll(value, NULL, 10) : 0;
            if (m.place < 1)
                e->problem = admin_say(MESSAGE_admin_packs_place);
            else if (m.place != m.was)
                e->moves[e->n_moves++] = m;
            m.sticker = NULL;
        }
    }
    qsort(e->moves, e->n_moves, sizeof *e->moves, by_place);
}

/* Puts the stickers in the order that the moves make. A sticker that is gone meanwhile moves nothing. */
static enum status reorder(struct pack_edit *e, struct error *err)
{
    const char **out = arena_array(e->v->req->arena, e->n + 1, sizeof *out);
    struct move found[PAGE];
    size_t n_found = 0, n = 0, next = 0;
    if (!out)
        return err_no_memory(err, "stickers");
    for (size_t k = 0; k < e->n_moves; k++)
        for (size_t i = 0; i < e->n; i++)
            if (e->order[i] && strcmp(e->order[i], e->moves[k].sticker) == 0) {
                e->moves[k].was = (int64_t)i + 1;
                found[n_found++] = e->moves[k];
                e->order[i] = NULL;
                break;
            }
    for (size_t i = 0; n < e->n;) {
        while (i < e->n && !e->order[i])
            i++;
        bool moved = next < n_found && (i == e->n || found[next].place <= (int64_t)n + 1);
        out[n++] = moved ? found[next++].sticker : e->order[i++];
    }
    memcpy(e->moves, found, n_found * sizeof *found);
    e->n_moves = n_found;
    e->order = out;
    return OK;
}

/* {"title":"Cats",...,"places":{"cat.png":3}}, for the history; NULL without memory. */
static const char *state_of(const struct pack_edit *e, const char *const *values, bool after)
{
    struct buf out;
    buf_init(&out, STATE);
    for (size_t i = 0; i < LINES; i++) {
        buf_printf(&out, "%c\"%s\":", i ? ',' : '{', lines[i]);
        json_put_string(&out, values[i]);
    }
    for (size_t k = 0; k < e->n_moves; k++) {
        buf_puts(&out, k ? "," : ",\"places\":{");
        json_put_string(&out, e->moves[k].sticker);
        buf_printf(&out, ":%lld", (long long)(after ? e->moves[k].place : e->moves[k].was));
    }
    buf_puts(&out, e->n_moves ? "}}" : "}");
    const char *text = out.failed ? NULL : arena_strdup(e->v->req->arena, buf_str(&out));
    buf_free(&out);
    return text;
}

static enum status save(struct pack_edit *e, int64_t seen_us, struct error *err)
{
    struct arena *a = e->v->req->arena;
    const struct admin_who who = {.username = e->v->session.user.username, .address = e->v->address};
    const struct pack_about *about = &e->row.about;
    const char *was[] = {about->title, about->author, about->license, about->source, about->cover};
    enum status st = e->n_moves ? reorder(e, err) : OK;
    size_t n = 0;
    struct admin_pair *fields = arena_array(a, LINES + e->n, sizeof *fields);
    const char *before = state_of(e, was, false), *after = state_of(e, e->values, true);
    if (st == OK && (!fields || !before || !after))
        st = err_no_memory(err, "the pack");
    for (size_t i = 0; st == OK && i < LINES; i++)
        fields[n++] = (struct admin_pair){lines[i], e->values[i]};
    for (size_t i = 0; st == OK && e->n_moves && i < e->n; i++)
        fields[n++] = (struct admin_pair){"sticker", e->order[i]};
    const struct admin_change change = {.op = CHANGE_UPDATE,
                                        .list = "packs",
                                        .id = about->name,
                                        .seen_us = seen_us,
                                        .fields = fields,
                                        .n_fields = n,
                                        .object = about->name,
                                        .before = before,
                                        .after = after};
    return st == OK ? sticker_store_change(e->v->service->store, &who, &change, 1, err) : st;
}

/* What was typed; e->problem: why it cannot be. */
static void read_lines(const struct form *form, struct pack_edit *e)
{
    bool known = false;
    for (size_t i = 0; i < LINES; i++) {
        const char *value = admin_field(form, lines[i]);
        size_t len = strlen(value);
        utf8_trim(&value, &len);
        const char *kept = arena_strndup(e->v->req->arena, value, len);
        e->values[i] = kept ? kept : "";
        if (!kept || len > STICKER_LINE_MAX || utf8_has_control(value, len))
            e->problem = admin_say(MESSAGE_admin_packs_line);
    }
    if (strcmp(e->values[TITLE], e->row.about.name) == 0)
        e->values[TITLE] = "";
    for (size_t i = 0; i < e->n && !known; i++)
        known = strcmp(e->order[i], e->values[COVER]) == 0;
    if (*e->values[COVER] && !known)
        e->problem = admin_say(MESSAGE_admin_packs_no_cover);
}

static const char *saved_url(const struct pack_edit *e)
{
    const char *list = list_of(e);
    return list ? arena_printf(e->v->req->arena, "/admin/packs/?%s&page=%lld&done=1", list, (long long)e->page) : NULL;
}

void handle_admin_packs_change(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct pack_edit e;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS, &form) || !admin_needs(&v, "stickers", ADMIN_CHANGE))
        return;
    enum status st = open_pack(&v, admin_param_text(&v, "pack"), &e, &err);
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    read_lines(&form, &e);
    read_moves(&form, &e);
    if (e.problem) {
        send_pack(&e, 400);
        return;
    }
    st = save(&e, strtoll(admin_field(&form, "seen"), NULL, 10), &err);
    if (st == OK) {
        const char *to = saved_url(&e);
        admin_headers(res);
        http_redirect(res, 303, to ? to : "/admin/packs/");
    } else if (st == ERR_CONFLICT) {
        struct pack_edit now;
        st = open_pack(&v, e.row.about.name, &now, &err);
        now.problem = admin_say(MESSAGE_admin_packs_conflict);
        memcpy(now.values, e.values, sizeof now.values);
        if (st == OK)
            send_pack(&now, 409);
        else
            admin_fail(&v, &err);
    } else {
        admin_fail(&v, &err);
    }
}
