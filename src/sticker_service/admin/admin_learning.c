/* /admin/learning/: how much votes and clicks taught, and bursts of votes, which count only once somebody has released
 * them. */
#include "base/os.h"
#include "sticker_service/admin/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURSTS 200u

static const char *hour_text(int64_t hour, struct arena *a)
{
    char when[28];
    os_format_time(hour * STORE_HOUR_US, when);
    return arena_printf(a, "%.10s %.5s", when, when + 11);
}

static enum status fill_bursts(const struct admin_visit *v, struct tpl_admin_learning *page, struct error *err)
{
    bool may_decide = admin_may(v, "scores", ADMIN_CHANGE);
    static const enum message states[] = {[BURST_HELD] = MESSAGE_admin_learning_held,
                                          [BURST_RELEASED] = MESSAGE_admin_learning_released,
                                          [BURST_DROPPED] = MESSAGE_admin_learning_dropped};
    struct arena *a = v->req->arena;
    struct burst *bursts;
    size_t n;
    enum status st = sticker_store_bursts(v->service->store, BURSTS, a, &bursts, &n, err);
    struct tpl_admin_learning_bursts *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        return err_no_memory(err, "bursts");
    for (size_t i = 0; i < n && st == OK; i++) {
        const struct burst *b = &bursts[i];
        rows[i] = (struct tpl_admin_learning_bursts){.query = b->query,
                                                     .hour = b->hour,
                                                     .when = hour_text(b->hour, a),
                                                     .votes = b->votes,
                                                     .usual = b->usual,
                                                     .state = admin_say(states[b->state & 3]),
                                                     .can_release = may_decide && b->state != BURST_RELEASED,
                                                     .can_drop = may_decide && b->state != BURST_DROPPED};
        if (!rows[i].when)
            st = err_no_memory(err, "bursts");
    }
    page->bursts = rows;
    page->n_bursts = n;
    return st;
}

void handle_admin_learning(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct buf html;
    struct learn_counts counts;
    int64_t numbers[LEARN_NUMBERS];
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "scores", ADMIN_VIEW))
        return;
    enum status st = sticker_store_learn_count(v.service->store, &counts, &err);
    if (st == OK)
        st = sticker_store_learn_numbers(v.service->store, numbers, &err);
    struct tpl_admin_learning page = {.admin_layout = admin_layout(&v, admin_say(MESSAGE_admin_learning), "learning")};
    if (st == OK)
        st = fill_bursts(&v, &page, &err);
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    page.frozen = numbers[LEARN_FROZEN];
    page.votes = counts.ballots;
    page.voters = counts.voters;
    page.queries = counts.queries;
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_learning(&html, &page, admin_messages());
    admin_send(res, 200, &html);
}

void handle_admin_learning_decide(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "scores", ADMIN_CHANGE) || !admin_form(&v, 8, &form))
        return;
    const struct admin_who who = {.username = v.session.user.username, .address = v.address};
    bool release = strcmp(admin_field(&form, "decision"), "release") == 0;
    enum status st = release || strcmp(admin_field(&form, "decision"), "drop") == 0
                         ? OK
                         : err_set(&err, ERR_INVALID, "The decision must be release or drop.");
    if (st == OK)
        st = sticker_store_burst_decide(v.service->store, &who, admin_field(&form, "query"),
                                        strtoll(admin_field(&form, "hour"), NULL, 10),
                                        release ? BURST_RELEASED : BURST_DROPPED, &err);
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    admin_headers(res);
    http_redirect(res, 303, "/admin/learning/");
}
