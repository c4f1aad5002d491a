/* admin.h: the frame of the admin pages: who is there, what they may do, and what every page looks like.
 *
 *     void some_page(void *ctx, const struct http_request *req, struct http_response *res)
 *     {
 *         struct admin_visit v;
 *         if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "queries", ADMIN_VIEW))
 *             return; // the answer has been given: the login page, or 403
 *         struct buf html;
 *         buf_init(&html, ADMIN_HTML_MAX);
 *         tpl_some(&html, &(struct tpl_some){.admin_layout = admin_layout(&v, title, "queries"), ...},
 *                  admin_messages());
 *         admin_send(res, 200, &html);
 *     }
 *
 * The room sees the core of StickerService and the rooms below it, neither api nor gallery.
 *
 * Pages are server-rendered and work without scripts. Every form is a POST that carries the layout's csrf, and is
 * read by admin_form, which checks it. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_H

#include "http/server.h"
#include "sticker_service/service.h"
#include "sticker_store/sticker_admin.h"
#include "web/form.h"
#include "web/messages.h"
#include "web/session.h"
#include "web/templates.h"
#include <stdbool.h>

#define ADMIN_HTML_MAX   (2u << 20)
#define ADMIN_FORM_SMALL 8192u        /* bytes of a form with a few short fields */
#define ADMIN_FORM       (2u << 20)   /* of one with words in many languages */
#define ADMIN_UPLOAD     (64u << 20)  /* of one with pictures */
#define ADMIN_IMPORT     (512u << 20) /* of one with archives, which is kept in a file */

enum admin_right { ADMIN_VIEW = 1, ADMIN_ADD = 2, ADMIN_CHANGE = 4, ADMIN_DELETE = 8 };

struct admin_table;
struct admin_visit {
    struct sticker_service *service;
    const struct http_request *req;
    struct http_response *res;
    struct session session;
    const char *token, *csrf; /* in the request's arena, like all strings here */
    const char *address;      /* of the client */
};

/* Whether somebody is logged in; otherwise the answer has been given. */
bool admin_visit(void *ctx, const struct http_request *req, struct http_response *res,
                 struct admin_visit *out) MUST_CHECK;
/* "dashboard", or a name of admin_tables. Superusers may do everything; staff what auth.c says; groups add to it. */
bool admin_may(const struct admin_visit *v, const char *table, enum admin_right right) MUST_CHECK;
/* The same, answering 403 where not. */
bool admin_needs(const struct admin_visit *v, const char *table, enum admin_right right) MUST_CHECK;
/* Reads the form that was sent, at most max_fields; otherwise the answer has been given: not a form, or not from
 * one of our pages. */
bool admin_form(const struct admin_visit *v, size_t max_fields, struct form *out) MUST_CHECK;
/* As the second half of admin_form, for forms read otherwise; `csrf` may be NULL. */
bool admin_is_ours(const struct admin_visit *v, const char *csrf) MUST_CHECK;
const char *admin_field(const struct form *f, const char *name); /* "" where it is missing */

/* What the pages say, web/messages/admin.en.ini, in English: there is no other language of it. */
const struct messages *admin_messages(void);
const char *admin_say(enum message key); /* one without placeholders; NULL for ADMIN_SILENT */
/* With the placeholder {name}, or {n}; NULL without memory. */
const char *admin_say_text(struct arena *a, enum message key, const char *name, const char *text);
const char *admin_say_number(struct arena *a, enum message key, int64_t n);

/* `current`: the table that the page is about, or NULL. */
struct tpl_admin_layout admin_layout(const struct admin_visit *v, const char *title, const char *current);
void admin_headers(struct http_response *res);                            /* that all admin answers have */
void admin_send(struct http_response *res, int status, struct buf *html); /* takes the page's memory */
void admin_message(const struct admin_visit *v, int status, enum message heading, const char *text);
void admin_fail(const struct admin_visit *v, const struct error *err); /* a failure, or a wrong request, as a page */
/* The table that the URL names, which may be SearchService's only where `remote`; NULL if there is none, and then the
 * answer has been given. */
const struct admin_table *admin_wanted(const struct admin_visit *v, bool remote) MUST_CHECK;
const char *admin_param_text(const struct admin_visit *v, const char *name); /* of the URL; "" without it */
/* Pages that were reached from a list carry its query string as the parameter `list`, so that one returns to the same
 * filter, sort and page. "" without one, or where it is no query string. */
const char *admin_list_param(const struct admin_visit *v);
/* "/admin/<table>/?<list>"; NULL without memory. */
const char *admin_list_url(const struct admin_visit *v, const struct admin_table *table);
/* Back to its list, which says what was done: a word that admin_list.c knows, and more of the query string after it,
 * such as "&n=3". */
void admin_to_list(const struct admin_visit *v, const struct admin_table *table, const char *done);

/* Encodes the images of these stickers anew, with a history entry each: SearchService is told as soon as it answers.
 * All or none; ERR_NOT_FOUND. */
enum status admin_reindex(const struct admin_visit *v, const char *const *filenames, size_t n,
                          struct error *err) MUST_CHECK;

/* --- for admin_list.c: what SearchService has, as lists of the database are. ERR_UNAVAILABLE, ERR_TIMEOUT. --- */
enum status documents_list_page(struct sticker_service *s, const struct list_ask *ask, struct arena *a,
                                struct list_page *out, struct error *err) MUST_CHECK;
enum status documents_models(struct sticker_service *s, struct arena *a, const char ***out, size_t *n,
                             struct error *err) MUST_CHECK;
void documents_fail(const struct admin_visit *v,
                    const struct error *err); /* as admin_fail, but names the service that is away */

/* What SearchService answers to GET `path`, for json_decref. ERR_NOT_FOUND and ERR_INVALID as it says; ERR_UNAVAILABLE,
 * ERR_TIMEOUT. */
struct json_t;
enum status admin_ask_search(struct sticker_service *s, struct buf *path, struct json_t **out,
                             struct error *err) MUST_CHECK;

/* The search console for this query, with what was wrong with what somebody decided there. */
void admin_console_refuse(const struct admin_visit *v, const char *query, const char *lang, const char *problem);

/* --- for admin_login.c --- */
bool admin_may_enter(const struct user *user, const char *permissions) MUST_CHECK;

/* Handlers. */
void handle_admin_dashboard(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_login_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_login(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_code(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_logout(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_password_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_password(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_account_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_account(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_two_factor_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_two_factor(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_list(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_export(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_edit_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_edit(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_delete_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_upload_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_upload(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_staged_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_staged(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_image(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_undo_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_import_undo(void *ctx, const struct http_request *req, struct http_response *res);
/* Decides whether an upload's body is read (see http/server.h): only for users who are logged in, may add stickers
 * and send it from our page. */
bool admin_admit(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_document_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_document_reindex(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_console(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_console_decide(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_view(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_trash_image(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_undo(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_keywords_page(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_learning(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_learning_decide(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_settings(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_experiments(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_experiments_change(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_packs(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_packs_change(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_duplicates(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_duplicates_change(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_webhooks(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_webhooks_change(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_find(void *ctx, const struct http_request *req, struct http_response *res);
void handle_admin_action(void *ctx, const struct http_request *req, struct http_response *res);

#endif
