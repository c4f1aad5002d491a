/* GET and POST /admin/webhooks/: webhooks and their last deliveries, for whoever has webhooks.view; those with
 * webhooks.change add and remove them, and send again. A secret is shown in the answer to the form that added it. */
#include "base/os.h"
#include "sticker_service/admin/admin.h"

#include <stdlib.h>
#include <string.h>

#define LISTED 50
#define FIELDS 16

/* The number in the field or parameter; 0: none. */
static int64_t number_of(const char *text)
{
    size_t len = strlen(text);
    return len && len < 18 && strspn(text, "0123456789") == len ? strtoll(text, NULL, 10) : 0;
}

static const char *time_text(int64_t us, struct arena *a)
{
    char when[28];
    os_format_time(us, when);
    return arena_printf(a, "%.10s %.8s", when, when + 11);
}

static const char *state_of(const struct webhook *w, struct arena *a)
{
    if (*w->disabled)
        return admin_say_text(a, MESSAGE_admin_webhooks_disabled, "text", w->disabled);
    if (w->failures)
        return admin_say_number(a, MESSAGE_admin_webhooks_failing, w->failures);
    return admin_say(MESSAGE_admin_webhooks_enabled);
}

/* With room to break the line: "sticker.created, sticker.removed". */
static const char *events_of(const struct webhook *w, struct arena *a)
{
    const char *list = *w->events ? "" : admin_say(MESSAGE_admin_webhooks_all);
    for (const char *at = w->events; *at && list; at += strcspn(at, ","), at += *at == ',')
        list = arena_printf(a, "%s%s%.*s", list, *list ? ", " : "", (int)strcspn(at, ","), at);
    return list;
}

static enum status fill_webhooks(const struct admin_visit *v, struct tpl_admin_webhooks *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct webhook *list;
    size_t n;
    enum status st = sticker_store_webhook_list(v->service->store, 0, a, &list, &n, err);
    struct tpl_admin_webhooks_webhooks *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        return err_no_memory(err, "webhooks");
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct webhook *w = &list[i];
        rows[i] = (struct tpl_admin_webhooks_webhooks){.id = w->id,
                                                       .address = w->url,
                                                       .events = events_of(w, a),
                                                       .state = state_of(w, a),
                                                       .waiting = w->waiting,
                                                       .enabled = !*w->disabled};
        if (w->id == page->chosen)
            page->chosen_url = w->url;
    }
    page->webhooks = rows;
    page->n_webhooks = st == OK ? n : 0;
    if (!page->chosen_url)
        page->chosen = 0;
    return st;
}

static enum status fill_deliveries(const struct admin_visit *v, struct tpl_admin_webhooks *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct webhook_delivery *list;
    size_t n;
    enum status st = sticker_store_webhook_deliveries(v->service->store, page->chosen, LISTED, a, &list, &n, err);
    struct tpl_admin_webhooks_deliveries *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        return err_no_memory(err, "deliveries");
    for (size_t i = 0; st == OK && i < n; i++) {
        const struct webhook_delivery *d = &list[i];
        const char *status = arena_printf(a, "%lld", (long long)d->status);
        rows[i] = (struct tpl_admin_webhooks_deliveries){
            .seq = d->seq,
            .event = d->event,
            .object = d->object,
            .when = time_text(d->at_us, a),
            .attempts = d->attempts,
            .failed = !d->delivered_us && *d->error,
            .result = d->delivered_us ? admin_say_text(a, MESSAGE_admin_webhooks_delivered, "text", status)
                      : *d->error     ? d->error
                                      : admin_say(MESSAGE_admin_webhooks_not_sent)};
    }
    page->deliveries = rows;
    page->n_deliveries = st == OK ? n : 0;
    return st;
}

/* `form`: what was sent and is wrong, or NULL. */
static enum status fill_events(const struct admin_visit *v, const struct form *form, struct tpl_admin_webhooks *page,
                               struct error *err)
{
    struct tpl_admin_webhooks_events *rows = arena_array(v->req->arena, WEBHOOK_TEST, sizeof *rows);
    if (!rows)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < WEBHOOK_TEST; i++) {
        rows[i] = (struct tpl_admin_webhooks_events){.name = webhook_events[i], .checked = !form};
        for (size_t k = 0; form && k < form->count; k++)
            rows[i].checked |=
                strcmp(form->fields[k].name, "event") == 0 && strcmp(form->fields[k].value, webhook_events[i]) == 0;
    }
    page->events = rows;
    page->n_events = WEBHOOK_TEST;
    return OK;
}

/* `page` has what is chosen, was typed, and what was wrong with it. */
static void send_page(const struct admin_visit *v, int status, const struct form *form, struct tpl_admin_webhooks *page)
{
    struct error err;
    struct buf html;
    enum status st = fill_webhooks(v, page, &err);
    if (st == OK && page->chosen)
        st = fill_deliveries(v, page, &err);
    if (st == OK)
        st = fill_events(v, form, page, &err);
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    page->admin_layout = admin_layout(v, admin_say(MESSAGE_admin_webhooks), "webhooks");
    page->can_change = admin_may(v, "webhooks", ADMIN_CHANGE);
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_webhooks(&html, page, admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_webhooks(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "webhooks", ADMIN_VIEW))
        return;
    bool done = *admin_param_text(&v, "done");
    send_page(&v, 200, NULL,
              &(struct tpl_admin_webhooks){.chosen = number_of(admin_param_text(&v, "id")),
                                           .noted = done ? admin_say(MESSAGE_admin_webhooks_changed) : NULL});
}

/* --- changes --- */

/* "sticker.created,sticker.removed", as the boxes say; all of them: "". */
static enum status chosen_events(const struct form *form, struct buf *out, struct error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < form->count; i++)
        if (strcmp(form->fields[i].name, "event") == 0)
            buf_printf(out, "%s%s", n++ ? "," : "", form->fields[i].value);
    if (!n)
        return err_set(err, ERR_INVALID, "Choose at least one event.");
    enum status st = buf_status(out, err);
    if (st == OK)
        st = webhook_events_check(buf_str(out), err);
    if (n == WEBHOOK_TEST)
        buf_reset(out);
    return st;
}

static enum status add(const struct admin_visit *v, const struct admin_who *who, const struct form *form,
                       struct tpl_admin_webhooks *page, struct error *err)
{
    char secret[WEBHOOK_SECRET_SIZE];
    struct buf events;
    struct webhook w = {.url = admin_field(form, "url"), .secret = secret};
    int64_t id;
    buf_init(&events, 1024);
    enum status st = webhook_url_check(w.url, err);
    if (st == OK)
        st = chosen_events(form, &events, err);
    w.events = buf_str(&events);
    webhook_secret_new(secret);
    if (st == OK)
        st = sticker_store_webhook_add(v->service->store, who, &w, &id, err);
    if (st == OK && !(page->secret = arena_strdup(v->req->arena, secret)))
        st = err_no_memory(err, "the secret: remove the webhook and add it again");
    buf_free(&events);
    return st;
}

static enum status change(const struct admin_visit *v, const struct form *form, const char *action, int64_t id,
                          struct tpl_admin_webhooks *page, struct error *err)
{
    struct sticker_store *store = v->service->store;
    const struct admin_who who = {.username = v->session.user.username, .address = v->address};
    int64_t seq;
    if (strcmp(action, "add") == 0)
        return add(v, &who, form, page, err);
    if (strcmp(action, "remove") == 0)
        return sticker_store_webhook_remove(store, &who, id, err);
    if (strcmp(action, "enable") == 0)
        return sticker_store_webhook_disable(store, &who, id, "", err);
    if (strcmp(action, "disable") == 0)
        return sticker_store_webhook_disable(store, &who, id, admin_say(MESSAGE_admin_webhooks_off), err);
    if (strcmp(action, "test") == 0)
        return sticker_store_webhook_test(store, id, &seq, err);
    if (strcmp(action, "resend") == 0)
        return sticker_store_webhook_resend(store, number_of(admin_field(form, "seq")), err);
    return err_set(err, ERR_INVALID, "The action must be add, remove, enable, disable, test or resend.");
}

void handle_admin_webhooks_change(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS, &form) || !admin_needs(&v, "webhooks", ADMIN_CHANGE))
        return;
    const char *action = admin_field(&form, "action");
    struct tpl_admin_webhooks page = {.chosen = number_of(admin_field(&form, "id"))};
    enum status st = change(&v, &form, action, page.chosen, &page, &err);
    webhooks_wake(v.service->webhooks);
    if (st == OK && page.secret) {
        send_page(&v, 200, NULL, &page);
    } else if (st == OK) {
        const char *to = strcmp(action, "remove") == 0
                             ? "/admin/webhooks/?done=1"
                             : arena_printf(req->arena, "/admin/webhooks/?done=1&id=%lld", (long long)page.chosen);
        admin_headers(res);
        http_redirect(res, 303, to ? to : "/admin/webhooks/");
    } else if (st == ERR_INVALID || st == ERR_CONFLICT || st == ERR_NOT_FOUND || st == ERR_TOO_LARGE) {
        bool adding = strcmp(action, "add") == 0;
        page.problem = arena_strdup(req->arena, err.message);
        page.address = admin_field(&form, "url");
        send_page(&v, st == ERR_CONFLICT ? 409 : st == ERR_NOT_FOUND ? 404 : 400, adding ? &form : NULL, &page);
    } else {
        admin_fail(&v, &err);
    }
}
