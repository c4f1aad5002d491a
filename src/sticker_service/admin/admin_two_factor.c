/* Turning one's own two-factor authentication on and off.
 *
 * The page shows a new secret each time, which its form sends back with a code made from it; nothing is stored before.
 * Both ways ask for the password too, so that a session that somebody left open is not enough. */
#include "sticker_service/admin/admin_login.h"

#include "base/log.h"
#include "base/os.h"
#include "base/secret.h"
#include "base/totp.h"
#include "sticker_service/audit.h"
#include "web/qr.h"

#include <string.h>

#define SEALED_SIZE 256

struct two_factor_page {
    int status;
    const char *secret; /* that a code was made from; NULL: a new one */
    const char *noted, *password_problem, *code_problem;
    const struct tpl_admin_two_factor_codes *codes; /* [RECOVERY_CODES], NULL: none */
};

/* "ABCD EFGH ..." */
static const char *in_fours(const char *text, char between, struct arena *a)
{
    size_t len = strlen(text), n = 0;
    char *out = arena_array(a, len + len / 4 + 1, 1);
    for (size_t i = 0; out && i < len; i++) {
        if (i && i % 4 == 0)
            out[n++] = between;
        out[n++] = text[i];
    }
    if (out)
        out[n] = '\0';
    return out;
}

static enum status fill_secret(const struct admin_visit *v, const char *secret, struct tpl_admin_two_factor *page,
                               struct error *err)
{
    struct arena *a = v->req->arena;
    char made[TOTP_SECRET_SIZE];
    if (!secret) {
        totp_secret_new(made);
        secret = arena_strdup(a, made);
        explicit_bzero(made, sizeof made);
    }
    const char *uri = secret ? totp_uri(secret, v->session.user.username, a) : NULL;
    page->secret = secret;
    page->secret_shown = secret ? in_fours(secret, ' ', a) : NULL;
    if (!uri || !page->secret_shown)
        return err_no_memory(err, "a page");
    return qr_path(uri, a, &page->qr_path, &page->qr_size, err);
}

static void show_two_factor(const struct admin_visit *v, const struct two_factor_page *p)
{
    struct error err;
    struct buf html;
    struct tpl_admin_two_factor page = {.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_two_factor), NULL),
                                        .on = *v->session.user.totp,
                                        .must = v->service->cfg->require_totp,
                                        .codes = p->codes,
                                        .n_codes = p->codes ? RECOVERY_CODES : 0,
                                        .noted = p->noted,
                                        .password_problem = p->password_problem,
                                        .code_problem = p->code_problem};
    enum status st = OK;
    if (page.on && !p->codes)
        st = sticker_store_recovery_left(v->service->store, v->session.user.id, &page.left, &err);
    else if (!p->codes)
        st = fill_secret(v, p->secret, &page, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_two_factor(&html, &page, admin_messages());
    admin_send(v->res, p->status, &html);
}

void handle_admin_two_factor_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (admin_visit(ctx, req, res, &v))
        show_two_factor(&v, &(struct two_factor_page){.status = 200});
}

/* New recovery codes: as they are shown, and as they are kept. */
static enum status make_codes(struct arena *a, struct tpl_admin_two_factor_codes **shown, const char ***hashes,
                              struct error *err)
{
    *shown = arena_array(a, RECOVERY_CODES, sizeof **shown);
    *hashes = arena_array(a, RECOVERY_CODES, sizeof **hashes);
    for (size_t i = 0; *shown && *hashes && i < RECOVERY_CODES; i++) {
        char code[RECOVERY_CHARS + 1], hash[65];
        secret_random_text(code, RECOVERY_CHARS);
        recovery_hash(code, hash);
        (*shown)[i].code = in_fours(code, '-', a);
        (*hashes)[i] = arena_strdup(a, hash);
        if (!(*shown)[i].code || !(*hashes)[i])
            return err_no_memory(err, "recovery codes");
    }
    return *shown && *hashes ? OK : err_no_memory(err, "recovery codes");
}

static enum status note(const struct admin_visit *v, bool on, struct error *err)
{
    const char *username = v->session.user.username;
    log_info("\"%s\" turned two-factor authentication %s from %s", username, on ? "on" : "off", v->address);
    return audit_note(v->service->store, username, v->address, CHANGE_TWO_FACTOR, "users", username,
                      on ? "{\"two_factor\":\"on\"}" : "{\"two_factor\":\"off\"}", err);
}

/* ERR_DENIED: the code was not made from the secret. */
static enum status turn_on(struct admin_visit *v, const char *secret, const char *code, struct two_factor_page *page,
                           struct error *err)
{
    char sealed[SEALED_SIZE], session[SESSION_TOKEN_SIZE];
    struct tpl_admin_two_factor_codes *codes;
    const char **hashes;
    int64_t step;
    if (!totp_check(secret, code, os_now_us(), &step))
        return err_set(err, ERR_DENIED, "wrong code");
    session_hash(v->token, session);
    enum status st = make_codes(v->req->arena, &codes, &hashes, err);
    if (st == OK)
        st = secret_seal(v->service->cfg->totp_key, secret, sealed, sizeof sealed, err);
    if (st == OK)
        st = sticker_store_totp_set(v->service->store, v->session.user.username, sealed, step, hashes, RECOVERY_CODES,
                                    session, err);
    if (st == OK)
        st = note(v, true, err);
    page->codes = codes;
    page->noted = admin_say(MESSAGE_admin_two_factor_turned_on);
    v->session.user.totp = "on";
    return st;
}

static enum status turn_off(struct admin_visit *v, struct two_factor_page *page, struct error *err)
{
    char session[SESSION_TOKEN_SIZE];
    session_hash(v->token, session);
    enum status st = sticker_store_totp_set(v->service->store, v->session.user.username, "", 0, NULL, 0, session, err);
    if (st == OK)
        st = note(v, false, err);
    page->noted = admin_say(MESSAGE_admin_two_factor_turned_off);
    v->session.user.totp = "";
    return st;
}

void handle_admin_two_factor(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    struct user user;
    struct two_factor_page page = {.status = 200};
    int64_t wait_us;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, LOGIN_FIELDS, &form))
        return;
    const char *secret = admin_field(&form, "secret"), *code = admin_field(&form, "code");
    bool on = *v.session.user.totp;
    if ((!on && !totp_secret_is(secret)) || (on && v.service->cfg->require_totp)) {
        show_two_factor(&v, &(struct two_factor_page){.status = 400});
        return;
    }
    struct login_attempt t = {.username = v.session.user.username,
                              .password = admin_field(&form, "password"),
                              .address = v.address,
                              .device = ""};
    enum status st = login_check(v.service, &t, req->arena, &user, &wait_us, &err);
    if (st == ERR_DENIED)
        page.password_problem = admin_say(MESSAGE_admin_password_wrong);
    if (st == OK) {
        st = on ? login_check_code(v.service, &t, &user, code, req->arena, &wait_us, &err)
                : turn_on(&v, secret, code, &page, &err);
        if (st == ERR_DENIED)
            page.code_problem = admin_say(MESSAGE_admin_code_wrong);
        if (st == OK && on)
            st = turn_off(&v, &page, &err);
    }
    if (st == ERR_TIMEOUT && wait_us)
        page.password_problem = admin_say(MESSAGE_admin_password_wait);
    if (page.password_problem || page.code_problem) {
        page.status = 400;
        page.secret = on ? NULL : secret;
    } else if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    show_two_factor(&v, &page);
}
