#include "sticker_service/admin/admin_login.h"

#include "base/log.h"
#include "sticker_service/admin/admin_tables.h"
#include "sticker_service/auth.h"
#include "web/cookie.h"
#include "web/html.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COOKIE         "peel_session"
#define LIST_QUERY_MAX 8192 /* bytes of a list's query string */

/* --- who is there --- */

static void to_login(const struct http_request *req, struct http_response *res)
{
    struct buf to;
    buf_init(&to, 32768);
    buf_puts(&to, "/admin/login");
    if (req->method == HTTP_GET) {
        buf_puts(&to, "?next=");
        html_url_part(&to, req->path);
        if (*req->raw_query) {
            html_url_part(&to, "?");
            html_url_part(&to, req->raw_query);
        }
    }
    admin_headers(res);
    http_redirect(res, 303, to.failed ? "/admin/login" : buf_str(&to));
    buf_free(&to);
}

bool admin_visit(void *ctx, const struct http_request *req, struct http_response *res, struct admin_visit *out)
{
    struct sticker_service *s = ctx;
    struct error err;
    char hash[SESSION_TOKEN_SIZE], csrf[SESSION_TOKEN_SIZE];
    *out = (struct admin_visit){.service = s, .req = req, .res = res, .address = req->client};
    if (cookie_get(http_header(req, "Cookie"), COOKIE, req->arena, &out->token, NULL) != OK ||
        !session_token_is(out->token)) {
        to_login(req, res);
        return false;
    }
    session_hash(out->token, hash);
    session_csrf(out->token, csrf);
    enum status st = sticker_store_session_get(s->store, hash, s->cfg->session_idle_s * 1000000,
                                               s->cfg->session_most_s * 1000000, req->arena, &out->session, &err);
    if (st == ERR_NOT_FOUND || (st == OK && !admin_may_enter(&out->session.user, out->session.permissions))) {
        to_login(req, res);
        return false;
    }
    if (st == OK && s->cfg->require_totp && !*out->session.user.totp && strcmp(req->path, TWO_FACTOR_PATH) != 0 &&
        strcmp(req->path, "/admin/logout") != 0) {
        admin_headers(res);
        http_redirect(res, 303, TWO_FACTOR_PATH);
        return false;
    }
    if (st == OK && !(out->csrf = arena_strdup(req->arena, csrf)))
        st = err_no_memory(&err, "a page");
    if (st != OK)
        http_problem_from(res, &err);
    return st == OK;
}

/* --- what they may do --- */

bool admin_may_enter(const struct user *user, const char *permissions)
{
    return user->is_active && (user->is_superuser || user->is_staff || *permissions);
}

bool admin_may(const struct admin_visit *v, const char *table, enum admin_right right)
{
    const char *name = right == ADMIN_VIEW     ? "view"
                       : right == ADMIN_ADD    ? "add"
                       : right == ADMIN_CHANGE ? "change"
                                               : "delete";
    const struct admin_table *known = admin_table_find(table);
    if (known && !(known->rights & right))
        return false;
    return auth_may(&v->session.user, v->session.permissions, table, name);
}

bool admin_needs(const struct admin_visit *v, const char *table, enum admin_right right)
{
    if (admin_may(v, table, right))
        return true;
    admin_message(v, 403, MESSAGE_admin_denied, admin_say(MESSAGE_admin_denied_right));
    return false;
}

/* --- forms --- */

bool admin_is_ours(const struct admin_visit *v, const char *csrf)
{
    if (session_csrf_ok(v->token, csrf))
        return true;
    admin_message(v, 403, MESSAGE_admin_expired, admin_say(MESSAGE_admin_expired_text));
    return false;
}

bool admin_form(const struct admin_visit *v, size_t max_fields, struct form *out)
{
    struct error err;
    const char *csrf;
    if (!form_is(http_header(v->req, "Content-Type"))) {
        admin_message(v, 415, MESSAGE_admin_unsupported,
                      admin_say_text(v->req->arena, MESSAGE_admin_unsupported_text, "type", FORM_TYPE));
        return false;
    }
    if (form_parse(v->req->body, v->req->body_len, max_fields, v->req->arena, out, &err) != OK) {
        admin_fail(v, &err);
        return false;
    }
    return admin_is_ours(v, form_get(out, "csrf", &csrf, NULL) == OK ? csrf : NULL);
}

const char *admin_field(const struct form *f, const char *name)
{
    for (size_t i = 0; i < f->count; i++)
        if (strcmp(f->fields[i].name, name) == 0)
            return f->fields[i].value;
    return "";
}

/* --- what every page has --- */

const struct messages *admin_messages(void)
{
    return messages_at(0);
}

const char *admin_say(enum message key)
{
    return key == ADMIN_SILENT ? NULL : messages_get(admin_messages(), key);
}

const char *admin_say_text(struct arena *a, enum message key, const char *name, const char *text)
{
    return messages_text(a, admin_messages(), key, &(struct message_arg){.name = name, .text = text}, 1);
}

const char *admin_say_number(struct arena *a, enum message key, int64_t n)
{
    const struct message_arg number = {.name = "n", .number = n, .is_number = true};
    return messages_text(a, admin_messages(), key, &number, 1);
}

/* One more page of the menu, for those who may see this table. */
static void add_page(const struct admin_visit *v, const char *table, const char *model, enum message title,
                     const char *current, struct tpl_admin_layout_nav *nav, size_t *n)
{
    if (nav && admin_may(v, table, ADMIN_VIEW))
        nav[(*n)++] = (struct tpl_admin_layout_nav){
            .model = model, .title = admin_say(title), .current = strcmp(current, model) == 0};
}

struct tpl_admin_layout admin_layout(const struct admin_visit *v, const char *title, const char *current)
{
    enum { OTHERS = 7 }; /* pages that are no tables */
    struct tpl_admin_layout_nav *nav = arena_array(v->req->arena, admin_table_count + OTHERS, sizeof *nav);
    size_t n = 0;
    current = current ? current : "";
    struct tpl_admin_layout out = {.title = title,
                                   .username = v->session.user.username,
                                   .csrf = v->csrf,
                                   .dashboard = admin_may(v, "dashboard", ADMIN_VIEW),
                                   .dashboard_current = strcmp(current, "dashboard") == 0,
                                   .account_current = strcmp(current, "account") == 0,
                                   .settings = v->session.user.is_superuser,
                                   .settings_current = strcmp(current, "settings") == 0,
                                   .can_upload = admin_may(v, "stickers", ADMIN_ADD),
                                   .can_find = admin_may(v, "stickers", ADMIN_VIEW)};
    add_page(v, "stickers", "search", MESSAGE_admin_search, current, nav, &n);
    add_page(v, "stickers", "import", MESSAGE_admin_import, current, nav, &n);
    add_page(v, "scores", "experiments", MESSAGE_admin_experiments, current, nav, &n);
    for (size_t i = 0; i < admin_table_count; i++) {
        const struct admin_table *table = &admin_tables[i];
        if (strcmp(table->name, "sessions") == 0) /* the account's page leads there */
            out.account_current |= strcmp(current, table->name) == 0;
        else
            add_page(v, table->name, table->name, table->title, current, nav, &n);
        if (strcmp(table->name, "stickers") == 0) {
            add_page(v, "stickers", "packs", MESSAGE_admin_packs, current, nav, &n);
            add_page(v, "stickers", "duplicates", MESSAGE_admin_duplicates, current, nav, &n);
        }
    }
    add_page(v, "scores", "learning", MESSAGE_admin_learning, current, nav, &n);
    add_page(v, "webhooks", "webhooks", MESSAGE_admin_webhooks, current, nav, &n);
    out.nav = nav;
    out.n_nav = n;
    return out;
}

void admin_headers(struct http_response *res)
{
    http_header_add(res, "Content-Security-Policy", HTML_CSP);
    http_header_add(res, "Referrer-Policy", "same-origin");
    http_header_add(res, "Cross-Origin-Opener-Policy", "same-origin");
    http_header_add(res, "Cross-Origin-Resource-Policy", "same-origin");
    http_header_add(res, "Cache-Control", "no-store");
}

void admin_send(struct http_response *res, int status, struct buf *html)
{
    admin_headers(res);
    if (html->failed) {
        http_problem_unfinished(res, html, "an admin page");
        buf_free(html);
        return;
    }
    size_t len = html->len;
    http_body_take(res, status, HTML_TYPE, buf_take(html), len);
}

void admin_message(const struct admin_visit *v, int status, enum message heading, const char *text)
{
    const char *said = admin_say(heading);
    struct buf html;
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_message(&html,
                      &(struct tpl_admin_message){.admin_layout = admin_layout(v, said, NULL),
                                                  .heading = said,
                                                  .text_shown = text,
                                                  .home_label = admin_say(MESSAGE_admin_message_home)},
                      admin_messages());
    admin_send(v->res, status, &html);
}

void admin_fail(const struct admin_visit *v, const struct error *err)
{
    switch (err->code) {
    case ERR_INVALID:
        admin_message(v, 400, MESSAGE_admin_invalid, err->message);
        break;
    case ERR_NOT_FOUND:
        admin_message(v, 404, MESSAGE_admin_not_found, err->message);
        break;
    case ERR_CONFLICT:
        admin_message(v, 409, MESSAGE_admin_conflict, err->message);
        break;
    case ERR_DENIED:
        admin_message(v, 403, MESSAGE_admin_denied, err->message);
        break;
    case ERR_TOO_LARGE:
        admin_message(v, 413, MESSAGE_admin_too_much, err->message);
        break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_NO_MEMORY:
    case ERR_IO:
    case ERR_CORRUPT:
        log_warn("admin: %s", err->message);
        http_header_add(v->res, "Retry-After", "2");
        admin_message(v, 503, MESSAGE_admin_unavailable, admin_say(MESSAGE_admin_unavailable_text));
        break;
    default:
        log_error("admin: %s", err->message);
        admin_message(v, 500, MESSAGE_admin_internal, admin_say(MESSAGE_admin_internal_text));
    }
}

const struct admin_table *admin_wanted(const struct admin_visit *v, bool remote)
{
    const struct admin_table *table = admin_table_find(v->req->path_param);
    if (table && (remote || !table->remote))
        return table;
    admin_message(v, 404, MESSAGE_admin_not_found, admin_say(MESSAGE_admin_no_list));
    return NULL;
}

const char *admin_param_text(const struct admin_visit *v, const char *name)
{
    const char *value;
    return http_param_or(v->req, name, "", &value, NULL) == OK ? value : "";
}

const char *admin_list_param(const struct admin_visit *v)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%&=+";
    const char *list;
    if (http_param_or(v->req, "list", "", &list, NULL) != OK || strlen(list) > LIST_QUERY_MAX ||
        strspn(list, allowed) != strlen(list))
        return "";
    return list;
}

const char *admin_list_url(const struct admin_visit *v, const struct admin_table *table)
{
    const char *list = admin_list_param(v);
    return arena_printf(v->req->arena, "/admin/%s/%s%s", table->name, *list ? "?" : "", list);
}

void admin_to_list(const struct admin_visit *v, const struct admin_table *table, const char *done)
{
    const char *list = admin_list_param(v);
    const char *to = arena_printf(v->req->arena, "/admin/%s/?%s%sdone=%s", table->name, list, *list ? "&" : "", done);
    admin_headers(v->res);
    http_redirect(v->res, 303, to ? to : "/admin/");
}
