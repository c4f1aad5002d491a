/* Logging in and out of the admin pages: the password, and the second factor of those who have one.
 *
 * Delays after failures grow with each, by account and by address. An account's stay short, because they also keep
 * its owner out while somebody guesses: 30 s allow two guesses a minute, from however many addresses. A browser that
 * the owner has logged in with before has tries of its own. Unknown names are delayed, checked and answered as known
 * ones, so that nobody learns which accounts there are. Wrong codes are delayed too, for longer, because whoever tries
 * them knows the password already. */
#include "sticker_service/admin/admin_login.h"

#include "base/log.h"
#include "base/os.h"
#include "base/secret.h"
#include "base/totp.h"
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
#define NAME_MAX_LEN  150
#define ACCOUNT_US    (30 * 1000000ll)  /* the longest delay after wrong passwords, */
#define CODE_US       (900 * 1000000ll) /* and after wrong codes */
#define CHECK_WAIT_S  5                 /* for a turn to have a password checked */
#define CODE_S        300               /* to enter a code, after the password */
#define BROWSER_SIZE  64                /* bytes of a browser's name */

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
    if (http_param_or(req, "next", "/admin/", &next, &err) != OK)
        next = "/admin/";
    show_login(ctx, req, res, 200, "", next, NULL);
}

/* --- checking --- */

/* At most a few at once; ERR_UNAVAILABLE when no turn came. */
static enum status check_password(struct sticker_service *s, const char *password, const char *hash, struct error *err)
{
    if (!take_turn(&s->password_checks, CHECK_WAIT_S))
        return err_set(err, ERR_UNAVAILABLE, "too many are logging in");
    enum status st = secret_check_password(password, hash, err);
    sem_post(&s->password_checks);
    return st;
}

/* Whose tries are counted: the account's, or those of a device that its owner has logged in from; and the network's.
 * `what` tells tries of one factor from those of the other. */
static enum status set_rules(struct login_attempt *t, const struct user *user, const char *what, int64_t longest_us,
                             struct arena *a, struct error *err)
{
    char network[CLIENT_NETWORK_SIZE], device[SESSION_TOKEN_SIZE];
    bool known_device = user && session_device_ok(t->device, t->username, user->password_hash);
    client_network(t->address, network);
    session_device_key(t->device, device);
    const char *first = known_device ? arena_printf(a, "%sdevice %s", what, device)
                                     : arena_printf(a, "%saccount %s", what, t->username);
    const char *second = arena_printf(a, "address %s", network);
    t->rules[0] = (struct login_rule){first, 5, longest_us};
    t->rules[1] = (struct login_rule){second, 10, 900 * 1000000};
    return first && second ? OK : err_no_memory(err, "an attempt to log in");
}

enum status login_check(struct sticker_service *s, struct login_attempt *t, struct arena *a, struct user *user,
                        int64_t *wait_us, struct error *err)
{
    *wait_us = 0;
    enum status st = sticker_store_user_get(s->store, t->username, a, user, err);
    bool known = st == OK;
    if (st == OK || st == ERR_NOT_FOUND)
        st = set_rules(t, known ? user : NULL, "", ACCOUNT_US, a, err);
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

void recovery_hash(const char *typed, char hash[65])
{
    char code[RECOVERY_CHARS + 1];
    size_t n = 0;
    for (; *typed && n < RECOVERY_CHARS; typed++)
        if ((*typed >= 'a' && *typed <= 'z') || (*typed >= '0' && *typed <= '9'))
            code[n++] = *typed;
        else if (*typed >= 'A' && *typed <= 'Z')
            code[n++] = (char)(*typed - 'A' + 'a');
    os_sha256_hex(code, n, hash);
}

/* ERR_DENIED where it is neither a fresh code of the app nor a recovery code. A secret that cannot be read leaves the
 * recovery codes. */
static enum status check_factor(struct sticker_service *s, const struct user *user, const char *code, struct error *err)
{
    char secret[TOTP_SECRET_SIZE], hash[65];
    int64_t step;
    bool right = false;
    enum status st = secret_open(s->cfg->totp_key, user->totp, secret, sizeof secret, err);
    if (st != OK)
        log_error("two-factor authentication of \"%s\": %s; `peel user totp-reset %s` turns it off", user->username,
                  err->message, user->username);
    else if (totp_check(secret, code, os_now_us(), &step))
        st = sticker_store_totp_step(s->store, user->id, step, &right, err);
    explicit_bzero(secret, sizeof secret);
    if (right || (st != OK && st != ERR_CORRUPT))
        return st;
    recovery_hash(code, hash);
    st = sticker_store_recovery_use(s->store, user->id, hash, &right, err);
    return st == OK && !right ? err_set(err, ERR_DENIED, "wrong code") : st;
}

enum status login_check_code(struct sticker_service *s, struct login_attempt *t, const struct user *user,
                             const char *code, struct arena *a, int64_t *wait_us, struct error *err)
{
    *wait_us = 0;
    if (!*user->totp)
        return OK;
    enum status st = set_rules(t, user, "code ", CODE_US, a, err);
    if (st == OK)
        st = sticker_store_login_try(s->store, t->rules, 2, wait_us, err);
    if (st == OK && *wait_us)
        st = err_set(err, ERR_TIMEOUT, "too early");
    if (st == OK)
        st = check_factor(s, user, code, err);
    return st == OK ? sticker_store_login_succeeded(s->store, t->rules, 2, err) : st;
}

/* --- logging in --- */

/* "Firefox on Linux": enough to know one's own sessions by, and no more is kept. */
static void browser_name(const struct http_request *req, char out[BROWSER_SIZE])
{
    static const char *const browsers[][2] = {
        {"Edg/", "Edge"},        {"OPR/", "Opera"},     {"SamsungBrowser/", "Samsung Internet"},
        {"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"}, {"CriOS/", "Chrome"},
        {"Chrome/", "Chrome"},   {"Safari/", "Safari"}, {"curl/", "curl"}};
    static const char *const systems[][2] = {{"Android", "Android"}, {"iPhone", "iPhone"},  {"iPad", "iPad"},
                                             {"Windows", "Windows"}, {"Mac OS X", "macOS"}, {"CrOS", "ChromeOS"},
                                             {"Linux", "Linux"}};
    const char *agent = http_header(req, "User-Agent"), *browser = NULL, *system = NULL;
    for (size_t i = 0; agent && !browser && i < sizeof browsers / sizeof *browsers; i++)
        browser = strstr(agent, browsers[i][0]) ? browsers[i][1] : NULL;
    for (size_t i = 0; agent && !system && i < sizeof systems / sizeof *systems; i++)
        system = strstr(agent, systems[i][0]) ? systems[i][1] : NULL;
    snprintf(out, BROWSER_SIZE, "%s%s%s", browser ? browser : admin_say(MESSAGE_admin_unknown_browser),
             system ? " on " : "", system ? system : "");
}

/* A new token each time, so that one planted before the login is worth nothing. */
static enum status begin_session(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                                 const struct user *user, const char *address, struct session *session,
                                 struct error *err)
{
    char token[SESSION_TOKEN_SIZE], hash[SESSION_TOKEN_SIZE], browser[BROWSER_SIZE];
    session_token_new(token);
    session_hash(token, hash);
    browser_name(req, browser);
    enum status st = sticker_store_session_add(s->store, user->id, hash, address, browser, err);
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

/* What the forms of both steps have; *token is the form's own, of its cookie. False: not from our page, or too old. */
static bool read_attempt(const struct http_request *req, struct form *form, struct login_attempt *t, const char **token)
{
    *t = (struct login_attempt){.username = "", .password = "", .next = "", .address = req->client, .device = ""};
    if (!form_is(http_header(req, "Content-Type")) ||
        form_parse(req->body, req->body_len, LOGIN_FIELDS, req->arena, form, NULL) != OK)
        return false;
    t->username = admin_field(form, "username");
    t->password = admin_field(form, "password");
    t->next = admin_field(form, "next");
    if (strlen(t->username) > NAME_MAX_LEN)
        t->username = "";
    if (cookie_get(http_header(req, "Cookie"), DEVICE_COOKIE, req->arena, &t->device, NULL) != OK)
        t->device = "";
    return cookie_get(http_header(req, "Cookie"), LOGIN_COOKIE, req->arena, token, NULL) == OK &&
           session_token_is(*token) && session_csrf_ok(*token, admin_field(form, "csrf"));
}

static void enter(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                  const struct login_attempt *t, const struct user *user)
{
    char device[SESSION_DEVICE_SIZE];
    end_old_session(s, req);
    session_device_new(user->username, user->password_hash, device);
    set_cookie(s, req, res, DEVICE_COOKIE, device, DEVICE_S);
    log_info("\"%s\" logged in from %s", user->username, t->address);
    set_cookie(s, req, res, LOGIN_COOKIE, "x", -1);
    admin_headers(res);
    http_redirect(res, 303, safe_next(t->next));
}

/* Says when somebody may try again; the text for the page. */
static const char *say_wait(const struct http_request *req, struct http_response *res, const char *address,
                            int64_t wait_us)
{
    char seconds[32];
    int64_t wait_s = wait_us / 1000000 + 1;
    log_warn("a login had to wait, from %s", address);
    snprintf(seconds, sizeof seconds, "%lld", (long long)wait_s);
    http_header_add(res, "Retry-After", seconds);
    return admin_say_number(req->arena, MESSAGE_admin_login_wait, wait_s);
}

/* The form of the second step. `token` is that of the first, to which the ticket belongs. */
static void show_code(struct http_response *res, int status, const struct login_attempt *t, const char *token,
                      const char *ticket, const char *problem)
{
    char csrf[SESSION_TOKEN_SIZE];
    struct buf html;
    session_csrf(token, csrf);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_code(&html,
                   &(struct tpl_admin_code){.admin_layout = {.title = admin_say(MESSAGE_admin_code_heading)},
                                            .login_csrf = csrf,
                                            .ticket = ticket,
                                            .name = t->username,
                                            .next = safe_next(t->next),
                                            .problem = problem},
                   admin_messages());
    admin_send(res, status, &html);
}

static void show_busy(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                      const struct login_attempt *t, const struct error *err)
{
    log_error("login: %s", err->message);
    http_header_add(res, "Retry-After", "2");
    show_login(s, req, res, 503, t->username, t->next, admin_say(MESSAGE_admin_login_busy));
}

void handle_admin_login(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct login_attempt t;
    struct form form;
    struct user user;
    struct session session;
    struct error err;
    char ticket[SESSION_TICKET_SIZE];
    const char *token;
    int64_t wait_us;
    if (!read_attempt(req, &form, &t, &token)) {
        show_login(s, req, res, 403, t.username, t.next, admin_say(MESSAGE_admin_login_expired));
        return;
    }
    enum status st = login_check(s, &t, req->arena, &user, &wait_us, &err);
    if (st == OK && *user.totp) {
        session_ticket_new(token, user.username, user.password_hash, os_now_us() / 1000000 + CODE_S, ticket);
        show_code(res, 200, &t, token, ticket, NULL);
        return;
    }
    if (st == OK)
        st = begin_session(s, req, res, &user, t.address, &session, &err);
    if (st == OK) {
        enter(s, req, res, &t, &user);
    } else if (st == ERR_DENIED) {
        log_warn("a login failed, from %s", t.address);
        show_login(s, req, res, 401, t.username, t.next, admin_say(MESSAGE_admin_login_wrong));
    } else if (st == ERR_TIMEOUT && wait_us) {
        show_login(s, req, res, 429, t.username, t.next, say_wait(req, res, t.address, wait_us));
    } else {
        show_busy(s, req, res, &t, &err);
    }
}

void handle_admin_code(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct login_attempt t;
    struct form form;
    struct user user;
    struct session session;
    struct error err;
    const char *token;
    int64_t wait_us = 0;
    bool ours = read_attempt(req, &form, &t, &token);
    const char *ticket = ours ? admin_field(&form, "ticket") : "";
    enum status st = ours ? sticker_store_user_get(s->store, t.username, req->arena, &user, &err) : ERR_NOT_FOUND;
    if (st == ERR_NOT_FOUND ||
        (st == OK && !session_ticket_ok(ticket, token, user.username, user.password_hash, os_now_us() / 1000000))) {
        show_login(s, req, res, 403, t.username, t.next, admin_say(MESSAGE_admin_code_late));
        return;
    }
    if (st == OK)
        st = login_check_code(s, &t, &user, admin_field(&form, "code"), req->arena, &wait_us, &err);
    if (st == ERR_DENIED) {
        log_warn("a login failed at its second factor, from %s", t.address);
        show_code(res, 401, &t, token, ticket, admin_say(MESSAGE_admin_code_wrong));
        return;
    }
    if (st == ERR_TIMEOUT && wait_us) {
        show_code(res, 429, &t, token, ticket, say_wait(req, res, t.address, wait_us));
        return;
    }
    if (st == OK)
        st = begin_session(s, req, res, &user, t.address, &session, &err);
    if (st == OK)
        enter(s, req, res, &t, &user);
    else if (st == ERR_DENIED)
        show_login(s, req, res, 401, t.username, t.next, admin_say(MESSAGE_admin_login_wrong));
    else
        show_busy(s, req, res, &t, &err);
}

void handle_admin_logout(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    char hash[SESSION_TOKEN_SIZE];
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, LOGIN_FIELDS, &form))
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
