/* /admin/stickers/upload/: pictures become stickers, several in one form; with scripts each comes in a request of its
 * own, whose answer is JSON. Each file is taken or refused by itself. */
#include "base/json_out.h"
#include "base/log.h"
#include "base/utf8.h"
#include "http/multipart.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_edit.h"

#include <stdio.h>
#include <string.h>

#define MAX_FILES  50
#define MAX_FIELDS 256         /* beside the files */
#define FILE_ARENA (16u << 20) /* bytes, for one sticker's words and history */
#define FILE_NAME  "{name}"    /* in a title */

static const char *const outcomes[] = {
    [PICTURE_ADDED] = "added", [PICTURE_REPLACED] = "replaced", [PICTURE_UNCHANGED] = "unchanged"};

struct upload {
    struct admin_visit visit;
    struct edit edit; /* what all of the files get */
    struct form form;
    const struct multipart_part *files[MAX_FILES];
    struct tpl_admin_upload_results results[MAX_FILES];
    size_t n, failed;
    bool replace;
    const char *problem;
};

/* --- who may --- */

bool admin_admit(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_ADD))
        return false;
    /* Scripts send the token here, too; that of a form without them is in its body. */
    const char *csrf = http_header(req, "X-CSRF-Token");
    if (csrf && !admin_is_ours(&v, csrf))
        return false;
    if (multipart_is(http_header(req, "Content-Type")))
        return true;
    admin_message(&v, 415, MESSAGE_admin_unsupported,
                  admin_say_text(v.req->arena, MESSAGE_admin_unsupported_text_images, "type", "multipart/form-data"));
    return false;
}

/* --- the answer --- */

static bool wants_json(const struct http_request *req)
{
    const char *accept = http_header(req, "Accept");
    return accept && strncmp(accept, "application/json", 16) == 0;
}

static void put_member(struct buf *out, const char *name, const char *value)
{
    json_put_string(out, name);
    buf_putc(out, ':');
    json_put_string(out, value ? value : "");
}

/* {"message":"","fields":[{"name":"title","problem":"..."}],"results":[{"filename":"...","outcome":"added",...}]} */
static void upload_answer_json(const struct upload *u, int status)
{
    const struct edit *e = &u->edit;
    struct buf out;
    const char *comma = "";
    buf_init(&out, ADMIN_HTML_MAX);
    buf_putc(&out, '{');
    put_member(&out, "message", u->problem);
    buf_puts(&out, ",\"fields\":[");
    for (size_t i = 0; i < e->n; i++)
        if (e->problems[i]) {
            buf_puts(&out, comma);
            buf_putc(&out, '{');
            put_member(&out, "name", e->table->fields[i].name);
            buf_putc(&out, ',');
            put_member(&out, "problem", e->problems[i]);
            buf_putc(&out, '}');
            comma = ",";
        }
    buf_puts(&out, "],\"results\":[");
    for (size_t i = 0; i < u->n && u->results[i].outcome; i++) {
        buf_puts(&out, i ? ",{" : "{");
        put_member(&out, "filename", u->results[i].filename);
        buf_putc(&out, ',');
        put_member(&out, "outcome", u->results[i].outcome);
        buf_putc(&out, ',');
        put_member(&out, "message", u->results[i].message);
        buf_putc(&out, '}');
    }
    buf_puts(&out, "]}");
    admin_headers(u->visit.res);
    if (out.failed)
        http_problem_unfinished(u->visit.res, &out, "an answer");
    else
        http_json(u->visit.res, status, buf_str(&out), out.len);
    buf_free(&out);
}

static void answer_page(const struct upload *u, int status)
{
    const struct admin_visit *v = &u->visit;
    struct error err;
    struct buf html;
    struct tpl_admin_field fields[ADMIN_MAX_FIELDS] = {0};
    if (edit_fields(v, &u->edit, fields, &err) != OK) {
        admin_fail(v, &err);
        return;
    }
    for (size_t i = 0; i < u->edit.n; i++)
        if (strcmp(fields[i].name, "animated") == 0)
            fields[i].help = admin_say(MESSAGE_admin_help_upload_animated);
        else if (strcmp(fields[i].name, "title") == 0)
            fields[i].help = admin_say_text(v->req->arena, MESSAGE_admin_upload_file_name, "name", FILE_NAME);
    size_t shown = 0;
    while (shown < u->n && u->results[shown].outcome)
        shown++;
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_upload(
        &html,
        &(struct tpl_admin_upload){.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_upload), "stickers"),
                                   .problem = u->problem,
                                   .max_files = MAX_FILES,
                                   .max_bytes = IMAGE_MAX_BYTES,
                                   .max_mib = IMAGE_MAX_BYTES >> 20,
                                   .max_request_mib = ADMIN_UPLOAD >> 20,
                                   .can_replace = admin_may(v, "stickers", ADMIN_CHANGE),
                                   .replace = u->replace,
                                   .fields = fields,
                                   .n_fields = u->edit.n,
                                   .results = u->results,
                                   .n_results = shown},
        admin_messages());
    admin_send(v->res, status, &html);
}

static void upload_answer(const struct upload *u, int status)
{
    if (wants_json(u->visit.req)) {
        upload_answer_json(u, status);
    } else if (status == 200 && u->n && admin_may(&u->visit, "stickers", ADMIN_VIEW)) {
        admin_headers(u->visit.res);
        http_redirect(u->visit.res, 303, "/admin/stickers/?done=uploaded");
    } else {
        answer_page(u, status);
    }
}

/* --- reading --- */

/* The parts that are no files as a form; the files apart. An input in which nothing was chosen sends a nameless one. */
static enum status sort_parts(struct upload *u, const struct multipart *m, struct error *err)
{
    struct arena *a = u->visit.req->arena;
    size_t bytes = 0;
    u->form.fields = arena_array(a, m->n + 1, sizeof *u->form.fields);
    if (!u->form.fields)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < m->n; i++) {
        const struct multipart_part *p = &m->parts[i];
        if (p->filename) {
            if (!*p->filename && !p->len)
                continue;
            if (u->n == MAX_FILES)
                return err_set(err, ERR_TOO_LARGE, "%s", admin_say_number(a, MESSAGE_admin_upload_most, MAX_FILES));
            u->files[u->n++] = p;
            continue;
        }
        if ((bytes += p->len) > ADMIN_FORM)
            return err_set(err, ERR_TOO_LARGE, "At most %u bytes of text beside the images.", ADMIN_FORM);
        if (!utf8_valid(p->data, p->len) || memchr(p->data, '\0', p->len))
            return err_set(err, ERR_INVALID, "form field %.60s is not well-formed UTF-8 text", p->name);
        const char *value = arena_strndup(a, p->data, p->len);
        if (!value)
            return err_no_memory(err, "a form");
        u->form.fields[u->form.count++] = (struct form_field){p->name, value};
    }
    return OK;
}

/* --- one picture --- */

/* The file's own title, or what was typed with it in the place of {name}. */
static const char *title_for(const char *typed, const char *filename, struct arena *a)
{
    const char *own = picture_title(filename, a), *out = "", *hole;
    if (!*typed)
        return own;
    while (own && out && (hole = strstr(typed, FILE_NAME))) {
        out = arena_printf(a, "%s%.*s%s", out, (int)(hole - typed), typed, own);
        typed = hole + strlen(FILE_NAME);
    }
    return own && out ? arena_printf(a, "%s%s", out, typed) : NULL;
}

/* One file's turn of the form. */
struct turn {
    const struct upload *u;
    struct admin_visit visit; /* with memory for this file only */
    struct edit edit;
};

static enum status upload_add(void *ctx, const struct picture *p, struct admin_change *out, struct error *err)
{
    struct turn *t = ctx;
    struct edit *e = &t->edit;
    const char *key;
    *e = t->u->edit;
    picture_describe(p, &e->sticker);
    for (size_t i = 0; i < e->n; i++) {
        const struct admin_field *f = &e->table->fields[i];
        if (strcmp(f->name, "title") != 0)
            continue;
        e->values[i] = title_for(e->values[i], p->filename, t->visit.req->arena);
        if (!e->values[i])
            return err_no_memory(err, "a title");
        if (strlen(e->values[i]) > f->max)
            return err_set(err, ERR_INVALID, "the title would have more than %zu bytes", f->max);
    }
    return edit_change(&t->visit, e, "", &key, out, err);
}

/* What a person can do something about; the rest is ours, and logged. */
static const char *upload_explain(const struct error *err, struct arena *a)
{
    switch (err->code) {
    case ERR_INVALID:
    case ERR_CONFLICT:
    case ERR_TOO_LARGE:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
        return arena_strdup(a, err->message);
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        log_warn("upload: %s", err->message);
        return admin_say(MESSAGE_admin_unavailable_text);
    default:
        log_error("upload: %s", err->message);
        return admin_say(MESSAGE_admin_internal_text);
    }
}

static void take_file(struct upload *u, size_t i)
{
    static const enum message said[] = {[PICTURE_ADDED] = MESSAGE_admin_upload_added,
                                        [PICTURE_REPLACED] = MESSAGE_admin_upload_replaced,
                                        [PICTURE_UNCHANGED] = MESSAGE_admin_upload_unchanged};
    const struct multipart_part *part = u->files[i];
    struct http_request req = *u->visit.req;
    struct turn turn = {.u = u, .visit = u->visit};
    struct admin_who who = {.username = u->visit.session.user.username, .address = u->visit.address};
    struct arena arena;
    struct picture p;
    struct error err;
    enum picture_outcome outcome = PICTURE_UNCHANGED;
    arena_init(&arena, FILE_ARENA);
    req.arena = &arena;
    turn.visit.req = &req;
    const struct picture_upload upload = {.service = u->visit.service,
                                          .who = &who,
                                          .arena = &arena,
                                          .replace = u->replace,
                                          .ctx = &turn,
                                          .add = upload_add};
    enum status st = picture_begin(part->filename, part->data, part->len, &p, &err);
    if (st == OK)
        st = picture_upload(&upload, &p, &outcome, &err);
    u->failed += st != OK;
    u->results[i] = (struct tpl_admin_upload_results){.filename = part->filename,
                                                      .outcome = st == OK ? outcomes[outcome] : "failed",
                                                      .message = st == OK ? admin_say(said[outcome])
                                                                          : upload_explain(&err, u->visit.req->arena)};
    arena_free(&arena);
}

/* --- the page --- */

static bool upload_begin(struct upload *u, void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    memset(u, 0, sizeof *u);
    if (!admin_visit(ctx, req, res, &u->visit) || !admin_needs(&u->visit, "stickers", ADMIN_ADD))
        return false;
    if (edit_start(&u->visit, admin_table_find("stickers"), "", &u->edit, &err) == OK)
        return true;
    admin_fail(&u->visit, &err);
    return false;
}

void handle_admin_upload_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct upload u;
    if (upload_begin(&u, ctx, req, res))
        answer_page(&u, 200);
}

void handle_admin_upload(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct upload u;
    struct multipart m;
    struct error err;
    const char *csrf;
    if (!upload_begin(&u, ctx, req, res))
        return;
    enum status st = multipart_parse(http_header(req, "Content-Type"), req->body, req->body_len, MAX_FILES + MAX_FIELDS,
                                     req->arena, &m, &err);
    if (st == OK)
        st = sort_parts(&u, &m, &err);
    if (st == OK && !admin_is_ours(&u.visit, form_get(&u.form, "csrf", &csrf, NULL) == OK ? csrf : NULL))
        return;
    u.replace = *admin_field(&u.form, "replace");
    if (st == OK && u.replace && !admin_needs(&u.visit, "stickers", ADMIN_CHANGE))
        return;
    if (st == OK)
        st = edit_read(&u.form, &u.edit, req->arena, &err);
    if (st != OK) {
        admin_fail(&u.visit, &err);
        return;
    }
    if (u.edit.wrong || !u.n) {
        u.problem = u.edit.wrong ? admin_say(MESSAGE_admin_upload_wrong) : admin_say(MESSAGE_admin_upload_none);
        upload_answer(&u, 400);
        return;
    }
    for (size_t i = 0; i < u.n; i++)
        take_file(&u, i);
    if (u.failed < u.n)
        outbox_wake(u.visit.service->outbox);
    if (u.failed)
        u.problem = u.failed == u.n ? admin_say(MESSAGE_admin_upload_failed) : admin_say(MESSAGE_admin_upload_some);
    upload_answer(&u, u.failed ? 400 : 200);
}
