/* Logging in and out of the admin pages, and changing one's password.
 *
 * Delays after failures grow with each, by account and by address. An account's stay short, because they also keep
 * its owner out while somebody guesses: 30 s allow two guesses a minute, from however many addresses. A browser that
 * the owner has logged in with before has tries of its own. Unknown names are delayed, checked and answered as known
 * ones, so that nobody learns which accounts there are. */
#include "sticker_service/admin/admin.h"

#include "base/log.h"
#include "base/secret.h"
#include "http/client_address.h"
#include "sticker_service/audit.h"
#include "web/cookie.h"
#include "web/html.h"

#include <stdio.h>
#include <string.h>

#define COOKIE        "peel_session"
#define LOGIN_COOKIE  "peel_login"  /* what the login form's CSRF token is made from: there is no session yet */
#define DEVICE_COOKIE "peel_device" /* a browser that has logged in before */
#define DEVICE_S      (180 * 86400)
#define FIELDS_MAX    16
#define NAME_MAX_LEN  150
#define CHECK_WAIT_S  5 /* for a turn to have a password checked */

/* --- cookies --- */

static void set_cookie(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                       const char *name, const char *value, int64_t max_age_s)
{
    const char *mode = s->cfg->secure_cookies;
    bool secure = strcmp(mode, "always") == 0 || (strcmp(mode, "auto") == 0 && req->over_tls);
    struct buf header;
    buf_init(&header, 512);
    cookie_write(
        &header,
        &(struct cookie){.name = name, .value = value, .path = "/admin", .max_age_s = max_age_s, .secure = secure});
    http_header_add(res, "Set-Cookie", buf_str(&header));
    buf_free(&header);
}

/* --- the login page --- */

/* Only pages of ours: "/admin/...". */
static const char *safe_next(const char *next)
{
    return strncmp(next, "/admin/", 7) == 0 && html_url_is_safe(next) && !strchr(next, '\\') ? next : "/admin/";
}

static void show_login(struct sticker_service *s, const struct http_request *req, struct http_response *res, int status,
                       const char *username, const char *next, const char *problem)
{
    char token[SESSION_TOKEN_SIZE], csrf[SESSION_TOKEN_SIZE];
    struct buf html;
    session_token_new(token);
    session_csrf(token, csrf);
    set_cookie(s, req, res, LOGIN_COOKIE, token, 0);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_login(&html,
                    &(struct tpl_admin_login){.admin_layout = {.title = admin_say(MESSAGE_admin_login)},
                                              .login_csrf = csrf,
                                              .name = username,
                                              .next = safe_next(next),
                                              .problem = problem},
                    admin_messages());
    admin_send(res, status, &html);
}

void handle_admin_login_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    const char *next;
    struct error err;
    if (param_or(req, "next", "/admin/", &next, &err) != OK)
        next = "/admin/";
    show_login(ctx, req, res, 200, "", next, NULL);
}

/* --- checking --- */

/* At most a few at once; ERR_UNAVAILABLE when no turn came. */
static enum status check_password(struct sticker_service *s, const char *password, const char *hash, struct error *err)
{
    if (!admin_take_turn(&s->password_checks, CHECK_WAIT_S))
        return err_set(err, ERR_UNAVAILABLE, "too many are logging in");
    enum status st = secret_check_password(password, hash, err);
    sem_post(&s->password_checks);
    return st;
}

struct attempt {
    const char *username, *password, *next, *address;
    const char *device; /* the browser's cookie, "" for none */
    struct login_rule rules[2];
};

/* Whose tries are counted: the account's, or those of a device that its owner has logged in from; and the network's. */
static enum status set_rules(struct attempt *t, const struct user *user, struct arena *a, struct error *err)
{
    char network[CLIENT_NETWORK_SIZE], device[SESSION_TOKEN_SIZE];
    bool known_device = user && session_device_ok(t->device, t->username, user->password_hash);
    client_network(t->address, network);
    session_device_key(t->device, device);
    const char *first =
        known_device ? arena_printf(a, "device %s", device) : arena_printf(a, "account %s", t->username);
    const char *second = arena_printf(a, "address %s", network);
    t->rules[0] = (struct login_rule){first, 5, 30 * 1000000};
    t->rules[1] = (struct login_rule){second, 10, 900 * 1000000};
    return first && second ? OK : err_no_memory(err, "an attempt to log in");
}

/* OK: *user may enter. ERR_DENIED: wrong. ERR_TIMEOUT: too early, *wait_us. Others, such as ERR_UNAVAILABLE
 * and ERR_NO_MEMORY: it could not be checked, and is no failed attempt. */
static enum status login_check(struct sticker_service *s, struct attempt *t, struct arena *a, struct user *user,
                               int64_t *wait_us, struct error *err)
{
    *wait_us = 0;
    enum status st = sticker_store_user_get(s->store, t->username, a, user, err);
    bool known = st == OK;
    if (st == OK || st == ERR_NOT_FOUND)
        st = set_rules(t, known ? user : NULL, a, err);
    if (st == OK)
        st = sticker_store_login_try(s->store, t->rules, 2, wait_us, err);
    if (st == OK && *wait_us)
        st = err_set(err, ERR_TIMEOUT, "too early");
    if (st != OK)
        return st;
    st = check_password(s, t->password, known ? user->password_hash : secret_dummy_hash(), err);
    if (st == OK && known)
        return sticker_store_login_succeeded(s->store, t->rules, 2, err);
    if (st == OK || st == ERR_DENIED)
        return err_set(err, ERR_DENIED, "wrong");
    if (sticker_store_login_unchecked(s->store, t->rules, 2, NULL) != OK)
        log_warn("an attempt to log in that could not be checked counts as a failed one");
    return st;
}

/* A new token each time, so that one planted before the login is worth nothing. */
static enum status begin_session(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                                 const struct user *user, const char *address, struct session *session,
                                 struct error *err)
{
    char token[SESSION_TOKEN_SIZE], hash[SESSION_TOKEN_SIZE];
    session_token_new(token);
    session_hash(token, hash);
    enum status st = sticker_store_session_add(s->store, user->id, hash, address, err);
    if (st == OK)
        st = sticker_store_session_get(s->store, hash, INT64_MAX / 2, INT64_MAX / 2, req->arena, session, err);
    if (st == OK && !admin_may_enter(&session->user, session->permissions))
        st = err_set(err, ERR_NOT_FOUND, "not for the admin pages");
    if (st == OK)
        st = audit_note(s->store, user->username, address, CHANGE_LOGIN, "users", user->username, "", err);
    if (st == OK)
        set_cookie(s, req, res, COOKIE, token, s->cfg->session_most_s);
    else if (st == ERR_NOT_FOUND) { /* The password is right, but this user may not enter the admin: answer as if it
                                       were wrong. */
        if (sticker_store_session_end(s->store, hash, err) == OK)
            st = err_set(err, ERR_DENIED, "wrong");
    }
    return st;
}

/* The session that the browser had before. */
static void end_old_session(struct sticker_service *s, const struct http_request *req)
{
    const char *token;
    char hash[SESSION_TOKEN_SIZE];
    struct error err;
    if (cookie_get(http_header(req, "Cookie"), COOKIE, req->arena, &token, NULL) != OK || !session_token_is(token))
        return;
    session_hash(token, hash);
    if (sticker_store_session_end(s->store, hash, &err) != OK)
        log_warn("a session was not ended: %s", err.message);
}

static bool read_attempt(const struct http_request *req, struct attempt *t)
{
    struct form form;
    const char *token;
    if (!form_is(http_header(req, "Content-Type")) ||
        form_parse(req->body, req->body_len, FIELDS_MAX, req->arena, &form, NULL) != OK)
        return false;
    *t = (struct attempt){.username = admin_field(&form, "username"),
                          .password = admin_field(&form, "password"),
                          .next = admin_field(&form, "next"),
                          .address = req->client};
    if (strlen(t->username) > NAME_MAX_LEN)
        t->username = "";
    if (cookie_get(http_header(req, "Cookie"), DEVICE_COOKIE, req->arena, &t->device, NULL) != OK)
        t->device = "";
    return cookie_get(http_header(req, "Cookie"), LOGIN_COOKIE, req->arena, &token, NULL) == OK &&
           session_token_is(token) && session_csrf_ok(token, admin_field(&form, "csrf"));
}

void handle_admin_login(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct attempt t = {.username = "", .next = ""};
    struct user user;
    struct session session;
    struct error err;
    char device[SESSION_DEVICE_SIZE];
    int64_t wait_us;
    if (!read_attempt(req, &t)) {
        show_login(s, req, res, 403, t.username, t.next, admin_say(MESSAGE_admin_login_expired));
        return;
    }
    enum status st = login_check(s, &t, req->arena, &user, &wait_us, &err);
    if (st == OK)
        st = begin_session(s, req, res, &user, t.address, &session, &err);
    if (st == OK) {
        end_old_session(s, req);
        session_device_new(user.username, user.password_hash, device);
        set_cookie(s, req, res, DEVICE_COOKIE, device, DEVICE_S);
        log_info("\"%s\" logged in from %s", session.user.username, t.address);
        set_cookie(s, req, res, LOGIN_COOKIE, "x", -1);
        admin_headers(res);
        http_redirect(res, 303, safe_next(t.next));
    } else if (st == ERR_DENIED) {
        log_warn("a login failed, from %s", t.address);
        show_login(s, req, res, 401, t.username, t.next, admin_say(MESSAGE_admin_login_wrong));
    } else if (st == ERR_TIMEOUT && wait_us) {
        char seconds[32];
        int64_t wait_s = wait_us / 1000000 + 1;
        log_warn("a login had to wait, from %s", t.address);
        snprintf(seconds, sizeof seconds, "%lld", (long long)wait_s);
        http_header_add(res, "Retry-After", seconds);
        show_login(s, req, res, 429, t.username, t.next,
                   admin_say_number(req->arena, MESSAGE_admin_login_wait, wait_s));
    } else {
        log_error("login: %s", err.message);
        http_header_add(res, "Retry-After", "2");
        show_login(s, req, res, 503, t.username, t.next, admin_say(MESSAGE_admin_login_busy));
    }
}

void handle_admin_logout(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    char hash[SESSION_TOKEN_SIZE];
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form))
        return;
    session_hash(v.token, hash);
    if (sticker_store_session_end(v.service->store, hash, &err) != OK ||
        audit_note(v.service->store, v.session.user.username, v.address, CHANGE_LOGOUT, "users",
                   v.session.user.username, "", &err) != OK) {
        admin_fail(&v, &err);
        return;
    }
    log_info("\"%s\" logged out from %s", v.session.user.username, v.address);
    set_cookie(v.service, req, res, COOKIE, "x", -1);
    admin_headers(res);
    http_header_add(res, "Clear-Site-Data", "\"cache\"");
    http_redirect(res, 303, "/admin/login");
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
    struct attempt t;
    char hash[SECRET_HASH_SIZE], session[SESSION_TOKEN_SIZE];
    int64_t wait_us;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS_MAX, &form))
        return;
    const char *wanted = admin_field(&form, "new"), *again = admin_field(&form, "again");
    t = (struct attempt){
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
    if (st == OK && (st = secret_hash_password(wanted, hash, &err)) == ERR_INVALID) {
        show_password(&v, 400, NULL, err.message, NULL, NULL);
        return;
    }
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
