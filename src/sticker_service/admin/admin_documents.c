/* /admin/documents/: what SearchService has indexed. The list is admin_list.c's, whose pages come from here instead
 * of the database; a document has a page of its own, from which its image can be encoded anew. */
#include "base/json_in.h"
#include "base/log.h"
#include "base/os.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"
#include "web/html.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX   200u /* rows, as SearchService gives them */
#define ANSWER_MAX (8u << 20)
#define URL_MAX    16384u
#define MAX_MODELS 16u

/* --- asking SearchService --- */

/* Its JSON; the caller drops the reference. What it refuses is our visitor's mistake: ERR_INVALID, ERR_NOT_FOUND. */
enum status admin_ask_search(struct sticker_service *s, struct buf *path, json_t **out, struct error *err)
{
    struct buf body;
    int http_status = 0;
    *out = NULL;
    enum status st = buf_status(path, err);
    if (st != OK)
        return st;
    buf_init(&body, ANSWER_MAX);
    struct http_call call = {.method = "GET", .path = path->data, .timeout_ms = s->cfg->search_deadline_ms};
    st = http_client_call(s->indexing, &call, &http_status, &body, err);
    if (st == OK)
        *out = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&body);
    if (st != OK || (*out && http_status == 200))
        return st;
    const char *message = json_string_value(json_object_get(*out, "message"));
    if (message && http_status == 404)
        st = err_set(err, ERR_NOT_FOUND, "%.300s", message);
    else if (message && http_status == 400)
        st = err_set(err, ERR_INVALID, "%.300s", message);
    else if (message && http_status == 503)
        st = err_set(err, ERR_UNAVAILABLE, "%.300s", message);
    else
        st = err_set(err, ERR_UNAVAILABLE, "SearchService answered %d to GET %.80s", http_status, call.path);
    json_decref(*out);
    *out = NULL;
    return st;
}

void documents_fail(const struct admin_visit *v, const struct error *err)
{
    if (err->code == ERR_INVALID || err->code == ERR_NOT_FOUND || err->code == ERR_NO_MEMORY) {
        admin_fail(v, err);
        return;
    }
    log_warn("admin: what is indexed is not known: %s", err->message);
    http_header_add(v->res, "Retry-After", "2");
    admin_message(v, 503, MESSAGE_admin_documents_away, admin_say(MESSAGE_admin_documents_away_text));
}

static enum status strange_answer(struct error *err)
{
    return err_set(err, ERR_CORRUPT, "SearchService's answer is not a list of documents");
}

/* --- reading what it says: shown, never trusted --- */

/* A cell as lists have it; NULL without memory. */
static const char *document_cell(const json_t *answer, const json_t *document, const char *column, struct arena *a)
{
    int64_t us = 0;
    if (strcmp(column, "modified_us") == 0) {
        if (os_parse_time(json_member_text(document, "modified"), &us, NULL) != OK)
            us = 0;
        return arena_printf(a, "%" PRId64, us);
    }
    if (strcmp(column, "id") == 0 || strcmp(column, "dim") == 0)
        return arena_printf(a, "%" PRId64, json_member_int(document, column));
    return arena_strdup(a, json_member_text(strcmp(column, "model") == 0 ? answer : document, column));
}

static enum status documents_read_rows(const struct list_ask *ask, const json_t *answer, struct arena *a,
                                       struct list_page *out, struct error *err)
{
    const json_t *documents = json_object_get(answer, "documents"), *document;
    size_t n = json_array_size(documents), i;
    out->rows = arena_array(a, n + 1, sizeof *out->rows);
    if (!out->rows)
        return err_no_memory(err, "documents");
    if (!json_is_array(documents) || n > PAGE_MAX)
        return strange_answer(err);
    json_array_foreach(documents, i, document)
    {
        const char **cells = arena_array(a, ask->n_columns + 1, sizeof *cells);
        struct list_row *row = &out->rows[ask->backwards ? n - 1 - i : i];
        if (filename_check(json_member_text(document, "filename"), NULL) != OK || json_member_int(document, "id") <= 0)
            return strange_answer(err);
        *row = (struct list_row){.id = arena_strdup(a, json_member_text(document, "filename")), .cells = cells};
        for (size_t k = 0; cells && k < ask->n_columns; k++)
            if (!(cells[k] = document_cell(answer, document, ask->columns[k], a)))
                return err_no_memory(err, "documents");
        if (!row->id || !cells)
            return err_no_memory(err, "documents");
    }
    out->n = n;
    return OK;
}

/* Cursors are numbers of documents. */
static enum status read_cursors(const struct list_ask *ask, const json_t *answer, struct arena *a,
                                struct list_page *out, struct error *err)
{
    int64_t next = json_member_int(answer, "next");
    const json_t *first = json_array_get(json_object_get(answer, "documents"), 0);
    const char *on = next > 0 ? arena_printf(a, "%" PRId64, next) : "";
    const char *back = !*ask->cursor ? ""
                       : first       ? arena_printf(a, "%" PRId64, json_member_int(first, "id"))
                                     : ask->cursor;
    if (!on || !back)
        return err_no_memory(err, "documents");
    out->next = ask->backwards ? back : on;
    out->previous = ask->backwards ? on : back;
    out->unfinished = *on && !ask->backwards && out->n < ask->limit && out->n < PAGE_MAX;
    return OK;
}

enum status documents_list_page(struct sticker_service *s, const struct list_ask *ask, struct arena *a,
                                struct list_page *out, struct error *err)
{
    struct buf path;
    json_t *answer;
    bool down = ask->descending != ask->backwards;
    *out = (struct list_page){.next = "", .previous = "", .total = -1};
    if (strspn(ask->cursor, "0123456789") != strlen(ask->cursor) || strlen(ask->cursor) > 18)
        return err_set(err, ERR_INVALID, "the position in the list is not valid; open the list again");
    buf_init(&path, URL_MAX);
    buf_printf(&path, "/api/documents/?limit=%zu&order=%s", ask->limit < PAGE_MAX ? ask->limit : PAGE_MAX,
               down ? "down" : "up");
    if (*ask->cursor)
        buf_printf(&path, "&after=%s", ask->cursor);
    if (*ask->search) {
        buf_puts(&path, "&q=");
        http_escape(&path, ask->search, strlen(ask->search));
    }
    for (size_t i = 0; i < ask->n_filters; i++) {
        buf_printf(&path, "&%s=", ask->filters[i].name);
        http_escape(&path, ask->filters[i].value, strlen(ask->filters[i].value));
    }
    enum status st = admin_ask_search(s, &path, &answer, err);
    buf_free(&path);
    if (st == OK)
        st = documents_read_rows(ask, answer, a, out, err);
    if (st == OK)
        st = read_cursors(ask, answer, a, out, err);
    json_decref(answer);
    return st;
}

enum status documents_models(struct sticker_service *s, struct arena *a, const char ***out, size_t *n,
                             struct error *err)
{
    struct buf path;
    json_t *answer;
    const json_t *model;
    size_t i;
    *n = 0;
    if (!(*out = arena_array(a, MAX_MODELS, sizeof **out)))
        return err_no_memory(err, "documents");
    buf_init(&path, 64);
    buf_puts(&path, "/api/models");
    enum status st = admin_ask_search(s, &path, &answer, err);
    buf_free(&path);
    json_array_foreach(json_object_get(answer, "models"), i, model)
    {
        const char *id = arena_strdup(a, json_member_text(model, "id"));
        if (!id)
            st = err_no_memory(err, "documents");
        else if (*n < MAX_MODELS)
            (*out)[(*n)++] = id;
    }
    json_decref(answer);
    return st;
}

/* --- the page of one --- */

struct document_view {
    const char *filename;
    bool known;   /* SearchService has the document */
    bool sticker; /* there is a sticker of this name */
    bool sent;    /* SearchService has received its last change */
};

static enum status find_sticker(const struct admin_visit *v, struct document_view *d, struct error *err)
{
    static const char *const columns[] = {"indexed"};
    const char **cells;
    enum status st =
        sticker_store_list_row(v->service->store, "stickers", d->filename, columns, 1, v->req->arena, &cells, err);
    d->sticker = st == OK;
    d->sent = st == OK && strcmp(cells[0], "1") == 0;
    return st == ERR_NOT_FOUND ? OK : st;
}

static enum status fill_models(const json_t *answer, struct arena *a, struct tpl_admin_document *page,
                               struct error *err)
{
    const json_t *model;
    size_t i;
    struct tpl_admin_document_models *rows = arena_array(a, MAX_MODELS, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "documents");
    json_array_foreach(json_object_get(answer, "models"), i, model)
    {
        if (i == MAX_MODELS)
            break;
        rows[i] = (struct tpl_admin_document_models){.id = arena_strdup(a, json_member_text(model, "id")),
                                                     .state = arena_strdup(a, json_member_text(model, "state")),
                                                     .why = arena_strdup(a, json_member_text(model, "why")),
                                                     .dim = json_member_int(model, "dim")};
        if (!rows[i].id || !rows[i].state || !rows[i].why)
            return err_no_memory(err, "documents");
        rows[i].failed = strcmp(rows[i].state, "failed") == 0;
        page->n_models = i + 1;
    }
    page->models = rows;
    return OK;
}

static enum status fill_document(const struct admin_visit *v, struct document_view *d, struct tpl_admin_document *page,
                                 struct error *err)
{
    struct arena *a = v->req->arena;
    struct buf path;
    json_t *answer;
    buf_init(&path, URL_MAX);
    buf_puts(&path, "/api/documents/");
    http_escape(&path, d->filename, strlen(d->filename));
    enum status st = admin_ask_search(v->service, &path, &answer, err);
    buf_free(&path);
    d->known = st == OK;
    if (st == ERR_NOT_FOUND && d->sticker)
        return OK;
    if (st == OK)
        st = fill_models(answer, a, page, err);
    if (st == OK) {
        page->place = json_member_int(answer, "id");
        page->name = arena_strdup(a, json_member_text(answer, "title"));
        page->sha256 = arena_strdup(a, json_member_text(answer, "sha256"));
        page->modified = arena_strdup(a, json_member_text(answer, "modified"));
        if (!page->name || !page->sha256 || !page->modified)
            st = err_no_memory(err, "documents");
    }
    json_decref(answer);
    return st;
}

void handle_admin_document_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct document_view d = {0};
    struct error err;
    struct buf html;
    const char *done = "";
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "documents", ADMIN_VIEW))
        return;
    enum status st = http_param(req, "id", &d.filename, &err);
    if (st == OK)
        st = filename_check(d.filename, &err);
    if (st == OK)
        st = http_param_or(req, "done", "", &done, &err);
    struct tpl_admin_document page = {.admin_layout = admin_layout(&v, d.filename, "documents"),
                                      .filename = d.filename};
    if (st == OK)
        st = find_sticker(&v, &d, &err);
    if (st == OK)
        st = fill_document(&v, &d, &page, &err);
    if (st != OK) {
        documents_fail(&v, &err);
        return;
    }
    page.known = d.known;
    page.delivery = !d.sticker ? admin_say(MESSAGE_admin_document_foreign)
                    : d.sent   ? admin_say(MESSAGE_admin_document_sent)
                               : admin_say(MESSAGE_admin_document_waits);
    page.can_see_sticker = d.sticker && admin_may(&v, "stickers", ADMIN_VIEW);
    page.can_reindex = d.sticker && admin_may(&v, "documents", ADMIN_CHANGE);
    page.noted = strcmp(done, "reindexed") == 0 ? admin_say(MESSAGE_admin_document_queued) : NULL;
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_document(&html, &page, admin_messages());
    admin_send(res, 200, &html);
}

/* --- encoding anew --- */

enum status admin_reindex(const struct admin_visit *v, const char *const *filenames, size_t n, struct error *err)
{
    struct admin_change *changes = arena_array(v->req->arena, n + 1, sizeof *changes);
    struct admin_who who = {.username = v->session.user.username, .address = v->address};
    if (!changes)
        return err_no_memory(err, "documents");
    for (size_t i = 0; i < n; i++)
        changes[i] = (struct admin_change){.op = CHANGE_REINDEX,
                                           .list = "stickers",
                                           .id = filenames[i],
                                           .object = filenames[i],
                                           .before = "",
                                           .after = ""};
    enum status st = sticker_store_change(v->service->store, &who, changes, n, err);
    if (st == OK)
        outbox_wake(v->service->outbox);
    return st;
}

void handle_admin_document_reindex(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct buf to;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, 8, &form) || !admin_needs(&v, "documents", ADMIN_CHANGE))
        return;
    const char *filename = admin_field(&form, "id");
    if (admin_reindex(&v, &filename, 1, &err) != OK) {
        admin_fail(&v, &err);
        return;
    }
    buf_init(&to, URL_MAX);
    buf_puts(&to, "/admin/documents/edit?done=reindexed&id=");
    html_url_part(&to, filename);
    admin_headers(res);
    http_redirect(res, 303, to.failed ? "/admin/documents/" : buf_str(&to));
    buf_free(&to);
}
