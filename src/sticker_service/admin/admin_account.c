/* One's own account: where one is logged in, and one's password. */
#include "sticker_service/admin/admin_login.h"

#include "base/log.h"
#include "base/os.h"
#include "base/password.h"
#include "base/secret.h"
#include "sticker_service/audit.h"

#include <string.h>

/* --- where one is logged in --- */

static enum status fill_sessions(const struct admin_visit *v, struct tpl_admin_account *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct session_row *rows;
    char here[SESSION_TOKEN_SIZE], when[28];
    size_t n;
    session_hash(v->token, here);
    enum status st =
        sticker_store_session_list(v->service->store, v->session.user.id, v->service->cfg->session_idle_s * 1000000,
                                   v->service->cfg->session_most_s * 1000000, a, &rows, &n, err);
    if (st != OK)
        return st;
    struct tpl_admin_account_sessions *out = arena_array(a, n + 1, sizeof *out);
    if (!out)
        return err_no_memory(err, "a page");
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct tpl_admin_account_sessions){
            .hash = rows[i].hash_hex,
            .browser = *rows[i].browser ? rows[i].browser : admin_say(MESSAGE_admin_unknown_browser),
            .address = rows[i].address,
            .here = strcmp(rows[i].hash_hex, here) == 0};
        os_format_time(rows[i].created_us, when);
        out[i].began = arena_printf(a, "%.10s %.5s UTC", when, when + 11);
        out[i].began_time = arena_strndup(a, when, 19);
        os_format_time(rows[i].seen_us, when);
        out[i].seen = arena_printf(a, "%.10s %.5s UTC", when, when + 11);
        out[i].seen_time = arena_strndup(a, when, 19);
        page->others |= !out[i].here;
    }
    page->sessions = out;
    page->n_sessions = n;
    return OK;
}

static void show_account(const struct admin_visit *v, const char *noted)
{
    struct error err;
    struct buf html;
    struct tpl_admin_account page = {.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_account), "account"),
                                     .two_factor = *v->session.user.totp,
                                     .all_sessions = admin_may(v, "sessions", ADMIN_VIEW),
                                     .noted = noted};
    if (fill_sessions(v, &page, &err) != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_account(&html, &page, admin_messages());
    admin_send(v->res, 200, &html);
}

void handle_admin_account_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (admin_visit(ctx, req, res, &v))
        show_account(&v, NULL);
}

/* Ends one session of one's own, or all others. */
void handle_admin_account(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    char here[SESSION_TOKEN_SIZE];
    int64_t ended = 0;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, LOGIN_FIELDS, &form))
        return;
    const char *which = admin_field(&form, "session");
    bool others = strcmp(which, "others") == 0;
    session_hash(v.token, here);
    enum status st =
        sticker_store_session_end_own(v.service->store, v.session.user.id, others ? here : which, others, &ended, &err);
    if (st == OK && ended)
        st = audit_note(v.service->store, v.session.user.username, v.address, CHANGE_DELETE, "sessions",
                        v.session.user.username, arena_printf(req->arena, "{\"sessions\":%lld}", (long long)ended),
                        &err);
    if (st != OK)
        admin_fail(&v, &err);
    else
        show_account(&v, admin_say_number(req->arena, MESSAGE_admin_account_ended, ended));
}

/* --- one's own password --- */

static void show_password(const struct admin_visit *v, int status, const char *old_problem, const char *new_problem,
                          const char *again_problem, const char *noted)
{
    struct buf html;
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_password(
        &html,
        &(struct tpl_admin_password){.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_password_change), NULL),
                                     .old_problem = old_problem,
                                     .new_problem = new_problem,
                                     .again_problem = again_problem,
                                     .noted = noted},
        admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_password_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (admin_visit(ctx, req, res, &v))
        show_password(&v, 200, NULL, NULL, NULL, NULL);
}

void handle_admin_password(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct user user;
    struct login_attempt t;
    char hash[SECRET_HASH_SIZE], session[SESSION_TOKEN_SIZE];
    int64_t wait_us;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, LOGIN_FIELDS, &form))
        return;
    const char *wanted = admin_field(&form, "new"), *again = admin_field(&form, "again");
    t = (struct login_attempt){
        .username = v.session.user.username, .password = admin_field(&form, "old"), .address = v.address, .device = ""};
    enum status st = login_check(v.service, &t, req->arena, &user, &wait_us, &err);
    if (st == ERR_DENIED || (st == ERR_TIMEOUT && wait_us)) {
        show_password(&v, 400,
                      st == ERR_DENIED ? admin_say(MESSAGE_admin_password_wrong)
                                       : admin_say(MESSAGE_admin_password_wait),
                      NULL, NULL, NULL);
        return;
    }
    if (st == OK && strcmp(wanted, again) != 0) {
        show_password(&v, 400, NULL, NULL, admin_say(MESSAGE_admin_password_differ), NULL);
        return;
    }
    if (st == OK)
        st = password_check(wanted, t.username, v.service->cfg->password_deny_list, &err);
    if (st == ERR_INVALID) {
        show_password(&v, 400, NULL, err.message, NULL, NULL);
        return;
    }
    if (st == OK)
        st = secret_hash_password(wanted, hash, &err);
    session_hash(v.token, session);
    if (st == OK)
        st = sticker_store_user_passwd(v.service->store, t.username, hash, session, &err);
    if (st == OK)
        st = audit_note(v.service->store, t.username, v.address, CHANGE_PASSWORD, "users", t.username, "", &err);
    if (st == OK)
        log_info("\"%s\" changed their password from %s", t.username, v.address);
    if (st == OK)
        show_password(&v, 200, NULL, NULL, NULL, admin_say(MESSAGE_admin_password_changed));
    else
        admin_fail(&v, &err);
}
