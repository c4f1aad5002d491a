/* PUT, PATCH and DELETE of /api/stickers/<filename>, and POST /api/stickers/bulk, for a token whose user may do the
 * same in the admin.
 *
 * A sticker's ETag is when it was last changed. If-Match makes sure that nobody else has changed it since: the tag goes
 * into the transaction, so that of two who changed the same version one is answered 412. A weak tag (W/) counts like a
 * strong one: proxies that compress weaken it. */
#include "base/json_in.h"
#include "base/json_out.h"
#include "base/log.h"
#include "http/accept.h"
#include "http/multipart.h"
#include "sticker_service/api/api.h"
#include "sticker_service/api/once.h"
#include "sticker_service/api/sticker_patch.h"
#include "sticker_service/auth.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_write.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINES_MAX   1000u
#define LINE_ARENA  (16u << 20)
#define LINES_COST  20u /* lines that count as one more request for the rate limit: they are more work */
#define ANSWER_MAX  (2u << 20)
#define SEEN_NOBODY 1 /* a time at which no sticker was changed */
#define PARTS_MAX   2u

/* Somebody who writes. */
struct writer {
    struct sticker_service *s;
    const struct http_request *req;
    struct http_response *res;
    struct user user;
    const char *permissions;
    struct admin_who who;
};

/* False: the answer has been given. */
static bool begin(struct writer *w, void *ctx, const struct http_request *req, struct http_response *res)
{
    *w = (struct writer){.s = ctx, .req = req, .res = res};
    if (!auth_user(w->s->store, req, res, &w->user) ||
        !auth_permissions(w->s->store, req, res, &w->user, &w->permissions))
        return false;
    w->who = (struct admin_who){.username = w->user.username, .address = req->client};
    return true;
}

static bool needs(const struct writer *w, const char *right)
{
    return auth_needs(w->res, &w->user, w->permissions, "stickers", right);
}

bool api_admit(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct writer w;
    if (!begin(&w, ctx, req, res))
        return false;
    return auth_may(&w.user, w.permissions, "stickers", "add") || needs(&w, "change");
}

/* --- what may go wrong --- */

static int status_of(const struct error *err, const struct request_once *once)
{
    switch (err->code) {
    case ERR_CONFLICT:
        return once && once->once.was == ONCE_OTHER_BODY ? 422 : 412;
    case ERR_CORRUPT:
        return 422;
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_UNSUPPORTED:
        return 415;
    default:
        return 0; /* ours, as http_problem_from has it */
    }
}

static void fail(const struct writer *w, const struct error *err, const struct request_once *once)
{
    int status = status_of(err, once);
    if (status)
        http_problem(w->res, status, "%s", err->code == ERR_NOT_FOUND ? "Sticker not found." : err->message);
    else
        http_problem_from(w->res, err);
}

/* modified_us that the row must have, by an If-Match (may be NULL); 0: whatever it is. */
static int64_t seen_by(const char *if_match, const struct sticker *k)
{
    char etag[API_ETAG_SIZE];
    if (!if_match || strcmp(if_match, "*") == 0)
        return 0;
    api_sticker_etag(k, etag);
    return http_etag_listed(if_match, etag) ? k->modified_us : SEEN_NOBODY;
}

/* --- one change --- */

/* A change of one sticker: by a request, or by a line of one. */
struct wish {
    const char *filename, *if_match;
    const json_t *patch; /* NULL: it is to be deleted */
    struct request_once *once;
    struct arena *arena;
};

static enum status make_change(const struct wish *wish, const struct sticker *known, struct sticker *now,
                               struct admin_change *out, struct error *err)
{
    int64_t seen_us = seen_by(wish->if_match, known);
    *now = *known;
    if (!wish->patch)
        return sticker_delete_change(known, seen_us, wish->arena, out, err);
    const char *before = sticker_state(known, wish->arena);
    enum status st = before ? sticker_patch(wish->patch, now, wish->arena, err) : err_no_memory(err, "a sticker");
    return st == OK ? sticker_row_change(now, false, before, seen_us, wish->arena, out, err) : st;
}

static enum status apply(const struct writer *w, const struct wish *wish, struct error *err)
{
    struct sticker known = {.filename = wish->filename}, now;
    struct admin_change change;
    enum status st = filename_check(wish->filename, err);
    if (st != OK)
        return st;
    st = sticker_store_get(w->s->store, wish->filename, wish->arena, &known, err);
    if (st == ERR_NOT_FOUND && wish->once && !wish->patch) /* perhaps this very request deleted it before */
        st = sticker_delete_change(&known, 0, wish->arena, &change, err);
    else if (st == OK)
        st = make_change(wish, &known, &now, &change, err);
    if (st != OK)
        return st;
    size_t n = change.op == CHANGE_DELETE || change.seen_us == SEEN_NOBODY || strcmp(change.before, change.after) != 0;
    if (!n && !wish->once)
        return OK;
    st = sticker_store_change_once(w->s->store, &w->who, &change, n, wish->once ? &wish->once->once : NULL, err);
    if (st == OK && n)
        sticker_written(w->s, !wish->patch);
    return st;
}

static void tell_replayed(const struct writer *w, const struct request_once *once)
{
    if (once && once->once.was == ONCE_REPLAYED)
        http_header_add(w->res, "Idempotency-Replayed", "true");
}

static void change_one(struct writer *w, const json_t *patch)
{
    struct request_once again;
    struct wish wish = {.filename = w->req->path_param,
                        .if_match = http_header(w->req, "If-Match"),
                        .patch = patch,
                        .arena = w->req->arena};
    struct error err;
    bool keyed = false;
    enum status st = once_read(w->req, 0, &again, &keyed, &err);
    wish.once = keyed ? &again : NULL;
    if (st == OK)
        st = apply(w, &wish, &err);
    if (st != OK) {
        fail(w, &err, wish.once);
        return;
    }
    tell_replayed(w, wish.once);
    if (patch)
        api_send_sticker(w->s, w->req, w->res, 200, "no-store");
    else
        http_body_static(w->res, 204, NULL, "", 0);
}

void handle_api_sticker_patch(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct writer w;
    struct error err;
    json_t *patch;
    if (!begin(&w, ctx, req, res) || !needs(&w, "change"))
        return;
    if (json_read_body(req->body, req->body_len, JSON_REJECT_DUPLICATES, &patch, &err) == OK)
        change_one(&w, patch);
    else
        http_problem_from(res, &err);
    json_decref(patch);
}

void handle_api_sticker_delete(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct writer w;
    if (begin(&w, ctx, req, res) && needs(&w, "delete"))
        change_one(&w, NULL);
}

/* --- pictures --- */

/* A PUT: the picture, and what is said of it (NULL: nothing). */
struct put {
    const struct writer *w;
    const char *data;
    size_t len;
    json_t *patch;
    struct sticker row;
};

static enum status read_form(struct put *p, const char *type, struct error *err)
{
    const struct http_request *req = p->w->req;
    struct multipart form;
    enum status st = multipart_parse(type, req->body, req->body_len, PARTS_MAX, req->arena, &form, err);
    for (size_t i = 0; i < form.n && st == OK; i++) {
        const struct multipart_part *part = &form.parts[i];
        if (strcmp(part->name, "image") == 0 && !p->data) {
            p->data = part->data;
            p->len = part->len;
        } else if (strcmp(part->name, "sticker") == 0 && !p->patch) {
            if ((st = json_read_body(part->data, part->len, JSON_REJECT_DUPLICATES, &p->patch, err)) != OK)
                err_prefix(err, "sticker");
        } else {
            st = err_set(err, ERR_INVALID, "the form must have the parts image and sticker, once each; found \"%.40s\"",
                         part->name);
        }
    }
    return st == OK && !p->data ? err_set(err, ERR_INVALID, "the form has no part image") : st;
}

/* That of any image, of those that are stickers though they are none (WebM, Lottie), or of bytes. */
static bool is_image_type(const char *type)
{
    size_t len = strcspn(type, "; ");
    for (enum image_kind kind = IMAGE_UNKNOWN; kind < IMAGE_KINDS; kind++)
        if (strlen(image_mime(kind)) == len && strncasecmp(type, image_mime(kind), len) == 0)
            return true;
    return strncasecmp(type, "image/", 6) == 0;
}

static enum status read_put(struct put *p, struct error *err)
{
    const char *type = http_header(p->w->req, "Content-Type");
    if (multipart_is(type))
        return read_form(p, type, err);
    if (type && !is_image_type(type))
        return err_set(err, ERR_UNSUPPORTED, "Content-Type must be that of an image, or multipart/form-data");
    p->data = p->w->req->body;
    p->len = p->w->req->body_len;
    return OK;
}

static enum status put_add(void *ctx, const struct picture *picture, struct admin_change *out, struct error *err)
{
    struct put *p = ctx;
    struct arena *a = p->w->req->arena;
    const char *title = picture_title(picture->filename, a);
    if (!title)
        return err_no_memory(err, "a title");
    p->row = (struct sticker){.title = title, .pack = "", .author = "", .license = "", .source = ""};
    picture_describe(picture, &p->row);
    enum status st = p->patch ? sticker_patch(p->patch, &p->row, a, err) : OK;
    return st == OK ? sticker_row_change(&p->row, true, "", 0, a, out, err) : st;
}

static enum status put_update(void *ctx, const struct sticker *known, struct admin_change *out, struct error *err)
{
    struct put *p = ctx;
    struct arena *a = p->w->req->arena;
    const char *before = sticker_state(known, a);
    p->row = *known;
    enum status st = before ? sticker_patch(p->patch, &p->row, a, err) : err_no_memory(err, "a sticker");
    if (st == OK)
        st = sticker_row_change(&p->row, false, before, 0, a, out, err);
    if (st == OK && strcmp(out->before, out->after) == 0)
        out->op = CHANGE_ADD; /* there is nothing to change */
    return st;
}

/* What is there under the name, by which If-Match and If-None-Match are judged. False: the answer has been given. */
static bool check_conditions(const struct writer *w, bool *exists, int64_t *seen_us)
{
    struct sticker known;
    struct error err;
    const char *if_match = http_header(w->req, "If-Match"), *if_none = http_header(w->req, "If-None-Match");
    enum status st = filename_check(w->req->path_param, &err);
    if (st == OK)
        st = sticker_store_get(w->s->store, w->req->path_param, w->req->arena, &known, &err);
    *exists = st == OK;
    if (st != OK && st != ERR_NOT_FOUND) {
        fail(w, &err, NULL);
        return false;
    }
    *seen_us = *exists ? seen_by(if_match, &known) : 0;
    if (!needs(w, *exists ? "change" : "add"))
        return false;
    if ((!*exists && if_match) || *seen_us == SEEN_NOBODY)
        http_problem(w->res, 412, *exists ? "Someone else has changed it in the meantime." : "Sticker not found.");
    else if (*exists && if_none)
        http_problem(w->res, 412, "A sticker of this name exists.");
    else
        return true;
    return false;
}

void handle_api_sticker_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct writer w;
    struct put p = {.w = &w};
    struct picture picture;
    struct error err;
    enum picture_outcome outcome;
    bool exists;
    int64_t seen_us;
    if (!begin(&w, ctx, req, res) || !check_conditions(&w, &exists, &seen_us))
        return;
    enum status st = read_put(&p, &err);
    struct picture_upload upload = {.service = w.s,
                                    .who = &w.who,
                                    .arena = req->arena,
                                    .replace = exists || !http_header(req, "If-None-Match"),
                                    .seen_us = seen_us,
                                    .ctx = &p,
                                    .add = put_add,
                                    .update = p.patch ? put_update : NULL};
    if (st == OK)
        st = picture_begin(req->path_param, p.data, p.len, &picture, &err);
    if (st == OK)
        st = picture_upload(&upload, &picture, &outcome, &err);
    if (st == OK) {
        sticker_written(w.s, false);
        api_send_sticker(w.s, req, res, outcome == PICTURE_ADDED ? 201 : 200, "no-store");
    } else {
        fail(&w, &err, NULL);
    }
    json_decref(p.patch);
}

/* --- many --- */

/* One line of a bulk request, {"filename":"cat.png","title":"Cat"} or {"filename":"cat.png","delete":true}. */
static enum status do_line(const struct writer *w, const char *text, size_t len, size_t number, struct arena *arena,
                           struct request_once *again, json_t **json, const char **filename, struct error *err)
{
    struct wish wish = {.arena = arena};
    bool keyed;
    enum status st = json_read_body(text, len, JSON_REJECT_DUPLICATES, json, err);
    if (st != OK)
        return st;
    wish.filename = json_string_value(json_object_get(*json, "filename"));
    wish.if_match = json_string_value(json_object_get(*json, "if_match"));
    bool deletes = json_is_true(json_object_get(*json, "delete"));
    if (!wish.filename || !(*filename = arena_strdup(arena, wish.filename)))
        return err_set(err, ERR_INVALID, "filename must be a string");
    wish.filename = *filename;
    if (wish.if_match && !(wish.if_match = arena_strdup(arena, wish.if_match)))
        return err_no_memory(err, "a line");
    json_object_del(*json, "filename");
    json_object_del(*json, "if_match");
    json_object_del(*json, "delete");
    if (deletes && json_object_size(*json))
        return err_set(err, ERR_INVALID, "a line that deletes a sticker changes nothing else");
    if (!auth_may(&w->user, w->permissions, "stickers", deletes ? "delete" : "change"))
        return err_set(err, ERR_DENIED, "This token's user may not %s stickers.", deletes ? "delete" : "change");
    wish.patch = deletes ? NULL : *json;
    st = once_read(w->req, number, again, &keyed, err);
    wish.once = keyed ? again : NULL;
    return st == OK ? apply(w, &wish, err) : st;
}

/* {"line":1,"filename":"cat.png","status":200} or with "detail", which says what is wrong. */
static void answer_line(const struct writer *w, const char *text, size_t len, size_t number, struct arena *arena,
                        struct buf *out)
{
    struct error err;
    struct request_once again = {.once.was = ONCE_COUNTED};
    json_t *json = NULL;
    const char *filename = NULL;
    enum status st = do_line(w, text, len, number, arena, &again, &json, &filename, &err);
    int status = st == OK ? 200 : st == ERR_DENIED ? 403 : status_of(&err, &again);
    if (!status)
        log_error("line %zu of a bulk request: %s", number, err.message);
    buf_printf(out, "{\"line\":%zu", number);
    if (filename) {
        buf_puts(out, ",\"filename\":");
        json_put_string(out, filename);
    }
    buf_printf(out, ",\"status\":%d", status ? status : 503);
    if (st != OK) {
        buf_puts(out, ",\"detail\":");
        json_put_string(out, st == ERR_NOT_FOUND ? "Sticker not found."
                             : status            ? err.message
                                                 : "The service is not available at the moment.");
    }
    buf_puts(out, "}\n");
    json_decref(json);
}

static size_t count_lines(const char *text, size_t len)
{
    size_t n = len && text[len - 1] != '\n';
    for (const char *at = text, *end = text + len; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        n++;
    return n;
}

void handle_api_sticker_bulk(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct writer w;
    struct arena arena;
    struct buf out;
    struct error err;
    size_t n = count_lines(req->body, req->body_len), number = 0;
    if (!begin(&w, ctx, req, res))
        return;
    if (!auth_may(&w.user, w.permissions, "stickers", "delete") && !needs(&w, "change"))
        return;
    if (!n || n > LINES_MAX) {
        http_problem(res, 400, "The body must have 1 to %u lines of JSON, found %zu.", LINES_MAX, n);
        return;
    }
    if (!http_charge(req, (unsigned)n / LINES_COST))
        return;
    arena_init(&arena, LINE_ARENA);
    buf_init(&out, ANSWER_MAX);
    for (const char *at = req->body, *end = at + req->body_len; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        answer_line(&w, at, (size_t)((newline ? newline : end) - at), number + 1, &arena, &out);
        arena_reset(&arena);
        at = newline ? newline + 1 : end;
    }
    arena_free(&arena);
    if (buf_status(&out, &err) == OK) {
        size_t len = out.len;
        http_header_add(res, "Cache-Control", "no-store");
        http_body_take(res, 200, "application/x-ndjson", buf_take(&out), len);
    } else {
        http_problem_from(res, &err);
    }
    buf_free(&out);
}
