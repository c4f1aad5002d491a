/* GET and POST /admin/duplicates/: stickers that look alike, a group beside each other. Whoever may see stickers sees
 * them; whoever may change and delete stickers merges a group, and whoever may change them says that it is none. */
#include "base/os.h"
#include "import/looks.h"
#include "import/sticker_merge.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/sticker_write.h"

#include <string.h>

#define MOST   100000 /* stickers, which take a second to compare; `peel duplicates list` takes any number */
#define LISTED 50     /* groups */
#define SHOWN  24     /* stickers of a group */
#define FIELDS (SHOWN + 8)
#define IMAGE  128u /* pixels wide */

static enum status fill_group(const struct admin_visit *v, const struct looks_group *group,
                              struct tpl_admin_duplicates_groups *out, struct error *err)
{
    struct arena *a = v->req->arena;
    size_t n = group->n < SHOWN ? group->n : SHOWN, shown = 0;
    struct sticker *found = arena_array(a, n, sizeof *found);
    struct tpl_admin_duplicates_groups_stickers *rows = arena_array(a, n, sizeof *rows);
    if (!found || !rows)
        return err_no_memory(err, "stickers");
    enum status st = sticker_store_get_many(v->service->store, group->filenames, n, a, found, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct sticker *k = &found[i];
        if (!k->filename)
            continue;
        rows[shown] = (struct tpl_admin_duplicates_groups_stickers){
            .filename = k->filename,
            .name = k->title,
            .image = list_image(k->filename, k->sha256, IMAGE, a),
            .about = arena_printf(a, "%d × %d, %.0f KiB", k->width, k->height, (double)k->bytes / 1024),
            .first = shown == 0};
        shown++;
    }
    out->stickers = rows;
    out->n_stickers = shown;
    out->heading = st == OK && shown ? rows[0].name : "";
    return st;
}

static enum status fill_groups(const struct admin_visit *v, struct tpl_admin_duplicates *page, struct error *err)
{
    struct arena *a = v->req->arena, names;
    struct looks *looks = NULL;
    struct looks_group *groups;
    size_t n = 0;
    arena_init(&names, SIZE_MAX); /* of looks_groups, whatever there is of them */
    enum status st = looks_load(v->service->store, &looks, err);
    if (st == OK)
        st = looks_groups(looks, v->service->store, &names, &groups, &n, err);
    size_t shown = n < LISTED ? n : LISTED;
    struct tpl_admin_duplicates_groups *rows = st == OK ? arena_array(a, shown + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        st = err_no_memory(err, "stickers");
    for (size_t i = 0; st == OK && i < shown; i++) {
        rows[i].serial = (int64_t)i + 1;
        st = fill_group(v, &groups[i], &rows[i], err);
    }
    page->groups = rows;
    page->n_groups = st == OK ? shown : 0;
    page->more = (int64_t)(n - shown);
    looks_free(looks);
    arena_free(&names);
    return st;
}

static void send_page(const struct admin_visit *v, int status, struct tpl_admin_duplicates *page)
{
    struct error err;
    struct buf html;
    int64_t stickers, queries, pending;
    enum status st = sticker_store_count(v->service->store, &stickers, &queries, &pending, &err);
    page->too_many = st == OK && stickers > MOST;
    if (st == OK && !page->too_many)
        st = fill_groups(v, page, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    page->admin_layout = admin_layout(v, admin_say(MESSAGE_admin_duplicates), "duplicates");
    page->can_change = admin_may(v, "stickers", ADMIN_CHANGE);
    page->can_merge = page->can_change && admin_may(v, "stickers", ADMIN_DELETE);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_duplicates(&html, page, admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_duplicates(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    const char *done = admin_param_text(&v, "done");
    send_page(&v, 200,
              &(struct tpl_admin_duplicates){.noted = strcmp(done, "merge") == 0
                                                          ? admin_say(MESSAGE_admin_duplicates_merged)
                                                      : *done ? admin_say(MESSAGE_admin_duplicates_different)
                                                              : NULL});
}

/* --- changes --- */

/* The stickers that are ticked, the one that is kept first; returns how many. */
static size_t read_names(const struct form *form, const char *names[SHOWN])
{
    const char *keep = admin_field(form, "keep");
    size_t n = 0;
    for (size_t i = 0; i < form->count && n < SHOWN; i++) {
        const char *value = form->fields[i].value;
        if (strcmp(form->fields[i].name, "name") != 0)
            continue;
        names[n] = value;
        if (strcmp(value, keep) == 0) {
            names[n] = names[0];
            names[0] = value;
        }
        n++;
    }
    return n;
}

static enum status merge(const struct admin_visit *v, const char *const *names, size_t n, struct error *err)
{
    char batch[37];
    os_uuid7(batch);
    const struct admin_who who = {.username = v->session.user.username, .address = v->address, .batch = batch};
    enum status st = sticker_merge(v->service->store, &who, names, n, v->req->arena, err);
    if (st == OK)
        sticker_written(v->service, true);
    return st;
}

void handle_admin_duplicates_change(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    const char *names[SHOWN];
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS, &form) || !admin_needs(&v, "stickers", ADMIN_CHANGE))
        return;
    const char *action = admin_field(&form, "action");
    bool merges = strcmp(action, "merge") == 0;
    if (merges && !admin_needs(&v, "stickers", ADMIN_DELETE))
        return;
    size_t n = read_names(&form, names);
    if (n < 2 || (!merges && strcmp(action, "differ") != 0) ||
        (merges && strcmp(names[0], admin_field(&form, "keep")) != 0)) {
        send_page(&v, 400, &(struct tpl_admin_duplicates){.problem = admin_say(MESSAGE_admin_duplicates_choose)});
        return;
    }
    enum status st =
        merges ? merge(&v, names, n, &err) : sticker_store_not_duplicates_add(v.service->store, names, n, &err);
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    admin_headers(res);
    http_redirect(res, 303, merges ? "/admin/duplicates/?done=merge" : "/admin/duplicates/?done=differ");
}
