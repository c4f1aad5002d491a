/* /admin/import/: files are sent, read (sticker_service/imports.h), shown with what would become of them, and stored
 * when somebody says so; imports are listed and undone. */
#include "base/os.h"
#include "http/multipart.h"
#include "sandbox/sandbox.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"
#include "sticker_service/imports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILES  200
#define MAX_FIELDS 16  /* beside the files */
#define LISTED     50  /* imports */
#define SHOWN      300 /* rows */
#define NAMED      100 /* failures */
#define WORDS_MAX  160 /* bytes that are shown of a sticker's words */
#define IMAGE      96u /* pixels */
#define IMAGE_MS   5000
#define STAGED     "/admin/import/staged"

/* --- sending, and the list --- */

static const char *when_text(int64_t us, struct arena *a)
{
    char when[28];
    os_format_time(us, when);
    return arena_printf(a, "%.10s %.5s", when, when + 11);
}

static bool may_undo(const struct admin_visit *v)
{
    return admin_may(v, "stickers", ADMIN_DELETE) && admin_may(v, "stickers", ADMIN_CHANGE);
}

static enum status fill_imports(const struct admin_visit *v, struct tpl_admin_import *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct import_record *list;
    size_t n;
    enum status st = sticker_store_imports(v->service->store, LISTED, a, &list, &n, err);
    struct tpl_admin_import_imports *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        return err_no_memory(err, "the imports");
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct import_record *r = &list[i];
        rows[i] = (struct tpl_admin_import_imports){.serial = r->number,
                                                    .when = when_text(r->at_us, a),
                                                    .by = r->username,
                                                    .from = r->source,
                                                    .added = r->added,
                                                    .changed = r->changed,
                                                    .failed = r->failed,
                                                    .can_undo = !r->undone_us && may_undo(v),
                                                    .state = r->undone_us   ? admin_say(MESSAGE_admin_import_undone)
                                                             : !r->ended_us ? admin_say(MESSAGE_admin_import_unfinished)
                                                                            : ""};
    }
    page->imports = rows;
    page->n_imports = st == OK ? n : 0;
    return st;
}

static void import_page(const struct admin_visit *v, int status, const char *problem)
{
    struct error err;
    struct buf html;
    struct tpl_admin_import page = {.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_import), "import"),
                                    .problem = problem,
                                    .can_add = admin_may(v, "stickers", ADMIN_ADD),
                                    .max_files = MAX_FILES,
                                    .max_mib = ADMIN_IMPORT >> 20};
    if (fill_imports(v, &page, &err) != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_import(&html, &page, admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_import_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (admin_visit(ctx, req, res, &v) && admin_needs(&v, "stickers", ADMIN_VIEW))
        import_page(&v, 200, NULL);
}

static void to_staged(const struct admin_visit *v, const char *id)
{
    const char *to = arena_printf(v->req->arena, STAGED "?id=%s", id);
    admin_headers(v->res);
    http_redirect(v->res, 303, to ? to : "/admin/import/");
}

static struct admin_who who_of(const struct admin_visit *v)
{
    return (struct admin_who){.username = v->session.user.username, .address = v->address};
}

/* The files of the form, and its csrf. ERR_TOO_LARGE: too many. */
static enum status sort_parts(const struct admin_visit *v, const struct multipart *m, struct import_file *files,
                              size_t *n, const char **csrf, struct error *err)
{
    struct arena *a = v->req->arena;
    *n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct multipart_part *p = &m->parts[i];
        if (!p->filename && strcmp(p->name, "csrf") == 0)
            *csrf = arena_strndup(a, p->data, p->len < 200 ? p->len : 0);
        if (!p->filename || (!*p->filename && !p->len))
            continue;
        if (*n == MAX_FILES)
            return err_set(err, ERR_TOO_LARGE, "%s", admin_say_number(a, MESSAGE_admin_import_most, MAX_FILES));
        files[(*n)++] = (struct import_file){p->filename, p->data, p->len};
    }
    return *n ? OK : err_set(err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_import_choose));
}

void handle_admin_import(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct multipart m;
    struct error err;
    const char *csrf = NULL;
    char id[37];
    size_t n = 0;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_ADD))
        return;
    struct import_file *files = arena_array(req->arena, MAX_FILES, sizeof *files);
    enum status st = files ? multipart_parse(http_header(req, "Content-Type"), req->body, req->body_len,
                                             MAX_FILES + MAX_FIELDS, req->arena, &m, &err)
                           : err_no_memory(&err, "an import");
    enum status sorted = st == OK ? sort_parts(&v, &m, files, &n, &csrf, &err) : st;
    if (st == OK && !admin_is_ours(&v, csrf))
        return;
    const struct admin_who who = who_of(&v);
    st = sorted == OK ? imports_stage(v.service->imports, &who, files, n, id, &err) : sorted;
    if (st == OK)
        to_staged(&v, id);
    else if (st == ERR_INVALID || st == ERR_TOO_LARGE || st == ERR_CONFLICT)
        import_page(&v, st == ERR_INVALID ? 400 : st == ERR_CONFLICT ? 409 : 413, err.message);
    else
        admin_fail(&v, &err);
}

/* --- what was sent --- */

/* The staged import that the request names, held; NULL: the answer has been given. */
static struct staged *staged_wanted(const struct admin_visit *v, const char *id)
{
    struct staged *s = imports_hold(v->service->imports, id, v->session.user.username);
    if (!s)
        admin_message(v, 404, MESSAGE_admin_not_found, admin_say(MESSAGE_admin_import_gone));
    return s;
}

static const char *outcome_of(const struct import_item *item)
{
    static const enum message said[] = {[IMPORT_NEW] = MESSAGE_admin_import_new,
                                        [IMPORT_SAME] = MESSAGE_admin_import_same,
                                        [IMPORT_CHANGED] = MESSAGE_admin_import_change,
                                        [IMPORT_OUTDATED] = MESSAGE_admin_import_outdated,
                                        [IMPORT_REFUSED] = MESSAGE_admin_import_refused};
    return item->outcome == IMPORT_UNDECIDED ? "" : admin_say(said[item->outcome]);
}

/* In English, or in the first language that there is. */
static const char *words_of(const struct sticker *k, struct arena *a)
{
    size_t i = 0;
    while (i < k->n_words && strcmp(k->words[i].language, "en") != 0)
        i++;
    const char *words = i < k->n_words ? k->words[i].words : k->n_words ? k->words[0].words : "";
    size_t len = strlen(words) < WORDS_MAX ? strlen(words) : WORDS_MAX;
    while (len < strlen(words) && len && words[len] != ',')
        len--;
    return arena_printf(a, "%.*s%s", (int)len, words, words[len] ? ", …" : "");
}

static enum status fill_rows(const struct staged *s, struct arena *a, struct tpl_admin_import_staged *page,
                             struct error *err)
{
    const struct import_list *l = &s->list;
    size_t n = l->n < SHOWN ? l->n : SHOWN;
    struct tpl_admin_import_staged_rows *rows = arena_array(a, n + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "the rows");
    for (size_t i = 0; i < n; i++) {
        const struct import_item *item = &l->items[i];
        const struct sticker *k = &item->sticker;
        rows[i] = (struct tpl_admin_import_staged_rows){
            .place = (int64_t)i,
            .name = arena_strdup(a, item->filename),
            .label = arena_strdup(a, k->title),
            .words = words_of(k, a),
            .pack = arena_strdup(a, k->pack),
            .rating = rating_name(k->rating),
            .outcome = outcome_of(item),
            .why = item->why ? arena_strdup(a, item->why) : NULL,
            .like = item->like ? arena_strdup(a, item->like) : NULL,
            .image =
                item->outcome == IMPORT_REFUSED ? NULL : arena_printf(a, "/admin/import/image?id=%s&n=%zu", s->id, i)};
    }
    page->rows = rows;
    page->n_rows = n;
    page->more = (int64_t)(l->n - n);
    return OK;
}

/* Those of files that are no row; of what was stored, all. */
static enum status fill_failures(const struct staged *s, struct arena *a, struct tpl_admin_import_staged *page,
                                 struct error *err)
{
    const struct import_list *l = &s->list;
    size_t n = s->state == STAGED_READY ? s->found_failures : l->n_failures, shown = n < NAMED ? n : NAMED;
    struct tpl_admin_import_staged_failures *rows = arena_array(a, shown + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "the failures");
    for (size_t i = 0; i < shown; i++)
        rows[i] = (struct tpl_admin_import_staged_failures){.name = arena_strdup(a, l->failures[i].name),
                                                            .reason = arena_strdup(a, l->failures[i].reason)};
    page->failures = rows;
    page->n_failures = shown;
    page->refused = (int64_t)n;
    const char *names = "";
    for (size_t i = 0; names && i < l->ignored && i < IMPORT_IGNORED_NAMED; i++)
        names = arena_printf(a, "%s%s%s", names, i ? ", " : "", l->ignored_names[i] ? l->ignored_names[i] : "?");
    if (l->ignored && names)
        page->ignored = admin_say_text(a, MESSAGE_admin_import_ignored, "text",
                                       l->ignored > IMPORT_IGNORED_NAMED ? arena_printf(a, "%s, …", names) : names);
    return OK;
}

static enum status fill_packs(const struct staged *s, struct arena *a, struct tpl_admin_import_staged *page,
                              struct error *err)
{
    const struct import_list *l = &s->list;
    struct tpl_admin_import_staged_packs *rows = arena_array(a, l->n_packs + 1, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "the packs");
    for (size_t i = 0; i < l->n_packs && i < NAMED; i++) {
        const struct pack_about *p = &l->packs[i];
        const char *by = *p->author ? admin_say_text(a, MESSAGE_admin_import_by_whom, "name", p->author) : "";
        rows[page->n_packs++] = (struct tpl_admin_import_staged_packs){
            .name = arena_strdup(a, p->title && *p->title ? p->title : p->name),
            .about = arena_printf(a, "%s%s%s", by, *p->license ? ", " : "", p->license)};
    }
    page->packs = rows;
    return OK;
}

static enum status fill_left(const struct staged *s, struct arena *a, struct tpl_admin_import_staged *page,
                             struct error *err)
{
    struct tpl_admin_import_staged_left *rows = arena_array(a, STAGED_LEFT, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "the names");
    for (size_t i = 0; i < STAGED_LEFT && s->left[i]; i++)
        rows[page->n_left++].name = arena_strdup(a, s->left[i]);
    page->left = rows;
    return OK;
}

static void count_outcomes(const struct import_list *l, struct tpl_admin_import_staged *page)
{
    for (size_t i = 0; i < l->n; i++) {
        page->fresh += l->items[i].outcome == IMPORT_NEW;
        page->same += l->items[i].outcome == IMPORT_SAME;
        page->changed += l->items[i].outcome == IMPORT_CHANGED;
        page->outdated += l->items[i].outcome == IMPORT_OUTDATED;
    }
}

static const char *heading_of(const struct staged *s, struct arena *a)
{
    switch (s->state) {
    case STAGED_READING:
        return admin_say(MESSAGE_admin_import_reading);
    case STAGED_READY:
        return admin_say(MESSAGE_admin_import_ready);
    case STAGED_STORING:
        return admin_say(MESSAGE_admin_import_storing);
    case STAGED_STORED:
        return admin_say(MESSAGE_admin_import_stored);
    case STAGED_UNDOING:
        return admin_say_number(a, MESSAGE_admin_import_undoing, s->number);
    case STAGED_UNDONE:
        break;
    }
    return admin_say_number(a, s->problem.code ? MESSAGE_admin_import_undo_stopped : MESSAGE_admin_import_undo_done,
                            s->number);
}

static const char *result_of(const struct staged *s, struct arena *a)
{
    const struct import_list *l = &s->list;
    const struct message_arg stored[] = {
        {.name = "added", .number = (int64_t)l->added, .is_number = true},
        {.name = "changed", .number = (int64_t)l->updated, .is_number = true},
        {.name = "same", .number = (int64_t)(l->skipped - l->updated), .is_number = true},
        {.name = "failed", .number = (int64_t)l->failed, .is_number = true}};
    const struct message_arg undone[] = {{.name = "removed", .number = (int64_t)s->removed, .is_number = true},
                                         {.name = "restored", .number = (int64_t)s->restored, .is_number = true},
                                         {.name = "left", .number = (int64_t)s->n_left, .is_number = true}};
    if (s->state == STAGED_STORED)
        return messages_text(a, admin_messages(), MESSAGE_admin_import_done, stored, 4);
    return s->state == STAGED_UNDONE ? messages_text(a, admin_messages(), MESSAGE_admin_import_undo_result, undone, 3)
                                     : NULL;
}

static const char *problem_of(const struct staged *s, struct arena *a)
{
    switch (s->problem.code) {
    case OK:
        return NULL;
    case ERR_INVALID:
    case ERR_CONFLICT:
    case ERR_TOO_LARGE:
    case ERR_NOT_FOUND:
        return arena_strdup(a, s->problem.message);
    default: /* it was logged */
        return admin_say(MESSAGE_admin_unavailable_text);
    }
}

/* All texts are copied: the page is written while the import is held. */
static enum status fill_staged(const struct admin_visit *v, const struct staged *s,
                               struct tpl_admin_import_staged *page, struct error *err)
{
    struct arena *a = v->req->arena;
    bool undo = !s->source;
    *page = (struct tpl_admin_import_staged){.id = arena_strdup(a, s->id),
                                             .from = undo ? NULL : arena_strdup(a, s->source),
                                             .heading = heading_of(s, a),
                                             .working = s->state == STAGED_READING || s->state == STAGED_STORING ||
                                                        s->state == STAGED_UNDOING,
                                             .ready = s->state == STAGED_READY,
                                             .can_update = admin_may(v, "stickers", ADMIN_CHANGE),
                                             .done = (int64_t)atomic_load(&s->done),
                                             .total = (int64_t)atomic_load(&s->total)};
    page->admin_layout = admin_layout(v, page->heading, "import");
    if (page->working)
        return OK;
    page->problem = problem_of(s, a);
    page->noted = result_of(s, a);
    page->without_words = s->without_words && page->ready;
    if (undo)
        return fill_left(s, a, page, err);
    count_outcomes(&s->list, page);
    enum status st = fill_failures(s, a, page, err);
    if (st == OK)
        st = fill_packs(s, a, page, err);
    return st == OK && page->ready ? fill_rows(s, a, page, err) : st;
}

static void staged_page(const struct admin_visit *v, struct staged *s)
{
    struct tpl_admin_import_staged page;
    struct error err;
    struct buf html;
    enum status st = fill_staged(v, s, &page, &err);
    imports_release(v->service->imports);
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    if (page.working)
        http_header_add(v->res, "Refresh", "1");
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_import_staged(&html, &page, admin_messages());
    admin_send(v->res, 200, &html);
}

void handle_admin_import_staged_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct staged *s;
    if (admin_visit(ctx, req, res, &v) && admin_needs(&v, "stickers", ADMIN_VIEW) &&
        (s = staged_wanted(&v, admin_param_text(&v, "id"))))
        staged_page(&v, s);
}

/* The rows that shall be left out: *n of them. NULL: no memory. */
static size_t *read_leave(const struct admin_visit *v, const struct form *form, size_t *n)
{
    size_t *leave = arena_array(v->req->arena, form->count + 1, sizeof *leave);
    *n = 0;
    for (size_t i = 0; leave && i < form->count; i++)
        if (strcmp(form->fields[i].name, "leave") == 0)
            leave[(*n)++] = strtoul(form->fields[i].value, NULL, 10);
    return leave;
}

void handle_admin_import_staged(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct staged *s;
    enum status st = OK;
    size_t n;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, SHOWN + MAX_FIELDS, &form) ||
        !admin_needs(&v, "stickers", ADMIN_ADD))
        return;
    bool update = *admin_field(&form, "update"), store = strcmp(admin_field(&form, "action"), "store") == 0;
    if (update && !admin_needs(&v, "stickers", ADMIN_CHANGE))
        return;
    const char *id = admin_field(&form, "id");
    const size_t *leave = read_leave(&v, &form, &n);
    if (!leave)
        st = err_no_memory(&err, "a form");
    else if (!(s = staged_wanted(&v, id)))
        return;
    else {
        if (s->state == STAGED_READY && store)
            st = imports_store(v.service->imports, s, leave, n, update, &err);
        else if (!store)
            imports_discard(v.service->imports, s);
        imports_release(v.service->imports);
    }
    if (st != OK) {
        admin_fail(&v, &err);
    } else if (store) {
        to_staged(&v, id);
    } else {
        admin_headers(res);
        http_redirect(res, 303, "/admin/import/");
    }
}

/* --- images of what was sent --- */

static enum status draw_staged(const struct admin_visit *v, const char *path, struct buf *out, struct error *err)
{
    struct buf file;
    buf_init(&file, IMAGE_MAX_BYTES);
    enum status st = os_read_file(path, &file, err);
    const struct sandbox_image image = {.data = buf_str(&file), .len = file.len, .wait_ms = IMAGE_MS};
    if (st == OK)
        st = sandbox_rendition(v->service->sandbox, &image, IMAGE, IMAGE_WEBP, out, err);
    buf_free(&file);
    return st;
}

void handle_admin_import_image(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct staged *s;
    struct buf webp;
    int64_t n;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    const char *path = NULL;
    enum status st = http_param_int(req, "n", 0, IMPORT_MAX_ITEMS, 0, &n, &err);
    if (st == OK && (s = imports_hold(v.service->imports, admin_param_text(&v, "id"), v.session.user.username))) {
        if (s->state == STAGED_READY && (size_t)n < s->list.n && s->list.items[n].path)
            path = arena_strdup(req->arena, s->list.items[n].path);
        imports_release(v.service->imports);
    }
    buf_init(&webp, 16u << 20);
    st = path ? draw_staged(&v, path, &webp, &err) : ERR_NOT_FOUND;
    if (st == OK) {
        size_t len = webp.len;
        admin_headers(res);
        http_body_take(res, 200, "image/webp", buf_take(&webp), len);
    } else {
        http_problem(res, st == ERR_UNAVAILABLE ? 503 : 404, "There is no such image.");
    }
    buf_free(&webp);
}

/* --- undo --- */

/* The import of that number, which was not undone; else the answer has been given. */
static bool undo_wanted(const struct admin_visit *v, const char *number, struct import_record *out)
{
    struct error err;
    size_t len = strlen(number);
    bool valid = len && len < 18 && strspn(number, "0123456789") == len;
    enum status st =
        valid ? sticker_store_import_get(v->service->store, strtoll(number, NULL, 10), v->req->arena, out, &err)
              : err_set(&err, ERR_NOT_FOUND, "%s", admin_say(MESSAGE_admin_import_none));
    if (st != OK)
        admin_fail(v, &err);
    return st == OK;
}

static bool undo_visit(void *ctx, const struct http_request *req, struct http_response *res, struct admin_visit *v)
{
    return admin_visit(ctx, req, res, v) && admin_needs(v, "stickers", ADMIN_DELETE) &&
           admin_needs(v, "stickers", ADMIN_CHANGE);
}

void handle_admin_import_undo_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct import_record r;
    struct buf html;
    if (!undo_visit(ctx, req, res, &v) || !undo_wanted(&v, admin_param_text(&v, "number"), &r))
        return;
    const char *heading = admin_say_number(req->arena, MESSAGE_admin_import_undo_heading, r.number);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_import_undo(&html,
                          &(struct tpl_admin_import_undo){.admin_layout = admin_layout(&v, heading, "import"),
                                                          .heading = heading,
                                                          .serial = r.number,
                                                          .from = r.source,
                                                          .added = r.added,
                                                          .changed = r.changed,
                                                          .trash = v.service->cfg->trash_days > 0},
                          admin_messages());
    admin_send(res, 200, &html);
}

void handle_admin_import_undo(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct import_record r;
    char id[37];
    if (!undo_visit(ctx, req, res, &v) || !admin_form(&v, MAX_FIELDS, &form) ||
        !undo_wanted(&v, admin_field(&form, "number"), &r))
        return;
    const struct admin_who who = who_of(&v);
    if (imports_undo(v.service->imports, &who, r.number, id, &err) == OK)
        to_staged(&v, id);
    else
        admin_fail(&v, &err);
}
