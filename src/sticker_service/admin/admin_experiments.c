/* GET and POST /admin/experiments/: what people prefer of two rankings (docs/EXPERIMENTS.md), for those who may see
 * votes; whoever may change pins may start and stop experiments. */
#include "base/os.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/trial.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTED 50
#define FIELDS 8
/* Of the template's picture: the axis lies between these edges. */
enum { AXIS_FROM = 14, AXIS_WIDTH = 372 };

typedef struct tpl_admin_experiments_experiments shown;

/* A message with up to three texts that are filled in; name NULL: there are no more. */
static const char *say(struct arena *a, enum message key, const char *n1, const char *t1, const char *n2,
                       const char *t2, const char *n3, const char *t3)
{
    const struct message_arg args[] = {{.name = n1, .text = t1}, {.name = n2, .text = t2}, {.name = n3, .text = t3}};
    return messages_text(a, admin_messages(), key, args, n3 ? 3 : n2 ? 2 : 1);
}

static const char *percent(struct arena *a, double value, bool sign)
{
    return arena_printf(a, sign ? "%+.1f" : "%.1f", 100 * value);
}

/* The figures of one, on an axis from 0 to 1, or from -reach to reach for a difference. */
static void draw(const struct experiment *e, const struct trial_result *r, struct arena *a, shown *out)
{
    bool ab = e->kind == EXPERIMENT_AB;
    double reach = 0.05;
    while (ab && reach < 1 && reach < fmax(-r->low, r->high))
        reach = fmin(1, 2 * reach);
    double from = ab ? -reach : 0, width = ab ? 2 * reach : 1;
    double low = fmax(0, (r->low - from) / width), high = fmin(1, (r->high - from) / width);
    out->low = AXIS_FROM + lround(AXIS_WIDTH * low);
    out->width = lround(AXIS_WIDTH * (high - low));
    out->value = AXIS_FROM + lround(AXIS_WIDTH * (r->value - from) / width);
    out->label_low = ab ? arena_printf(a, "A +%.0f%%", 100 * reach) : "A 100%";
    out->label_high = ab ? arena_printf(a, "B +%.0f%%", 100 * reach) : "B 100%";
    out->label_middle = admin_say(MESSAGE_admin_experiments_alike);
    const char *v = percent(a, r->value, ab), *l = percent(a, r->low, ab), *h = percent(a, r->high, ab);
    out->picture = say(a, ab ? MESSAGE_admin_experiments_difference_text : MESSAGE_admin_experiments_share_text,
                       "value", v, "low", l, "high", h);
}

static const char *sum_of(const struct experiment *e, int which, struct arena *a)
{
    const char *won = arena_printf(a, "%lld", (long long)e->counts.won[which]);
    const char *all = arena_printf(a, "%lld", (long long)e->counts.people[which]);
    return e->kind == EXPERIMENT_AB ? say(a, MESSAGE_admin_experiments_of, "n", won, "all", all, NULL, NULL) : won;
}

static void show(const struct experiment *e, struct arena *a, shown *out)
{
    char from[28], to[28];
    struct trial_result r;
    trial_judge(e->kind, &e->counts, &r);
    os_format_time(e->started_us, from);
    os_format_time(e->stopped_us, to);
    from[10] = to[10] = ' ';
    from[16] = to[16] = '\0';
    bool ab = e->kind == EXPERIMENT_AB;
    const char *method = admin_say(ab ? MESSAGE_admin_experiments_ab : MESSAGE_admin_experiments_interleave);
    const char *p = arena_printf(a, "%.2g", r.p);
    *out = (shown){.name = e->name,
                   .running = !e->stopped_us,
                   .method = say(a, MESSAGE_admin_experiments_part, "method", method, "text",
                                 arena_printf(a, "%lld", (long long)e->share), NULL, NULL),
                   .times = e->stopped_us ? say(a, MESSAGE_admin_experiments_ran, "from", from, "to", to, NULL, NULL)
                                          : admin_say_text(a, MESSAGE_admin_experiments_running_since, "text", from),
                   .ranking_a = e->rankings[0],
                   .ranking_b = e->rankings[1],
                   .searches = e->counts.searches,
                   .sum_a = sum_of(e, 0, a),
                   .sum_b = sum_of(e, 1, a),
                   .tied = e->counts.tied,
                   .ab = ab,
                   .decided = r.better != TEAM_NONE,
                   .verdict = admin_say_text(a,
                                             r.better == TEAM_A   ? MESSAGE_admin_experiments_a_better
                                             : r.better == TEAM_B ? MESSAGE_admin_experiments_b_better
                                                                  : MESSAGE_admin_experiments_undecided,
                                             "text", p),
                   .warning = r.balance_p < TRIAL_BALANCE ? admin_say(MESSAGE_admin_experiments_unbalanced) : ""};
    draw(e, &r, a, out);
}

static bool may_decide(const struct admin_visit *v)
{
    return admin_may(v, "pins", ADMIN_CHANGE);
}

/* `page` has what was typed, and what was wrong with it. */
static void send_page(const struct admin_visit *v, int status, struct tpl_admin_experiments *page)
{
    struct arena *a = v->req->arena;
    struct experiment *list;
    struct error err;
    struct buf html;
    size_t n;
    enum status st = sticker_store_experiments(v->service->store, NULL, LISTED, a, &list, &n, &err);
    shown *rows = st == OK ? arena_array(a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        st = err_no_memory(&err, "experiments");
    if (st != OK) {
        admin_fail(v, &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        show(&list[i], a, &rows[i]);
    page->admin_layout = admin_layout(v, admin_say(MESSAGE_admin_experiments), "experiments");
    page->experiments = rows;
    page->n_experiments = n;
    page->can_stop = may_decide(v);
    page->can_start = page->can_stop && (!n || list[0].stopped_us);
    if (!page->share)
        page->share = "100";
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_experiments(&html, page, admin_messages());
    admin_send(v->res, status, &html);
}

void handle_admin_experiments(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "scores", ADMIN_VIEW))
        return;
    const char *done = admin_param_text(&v, "done");
    send_page(&v, 200,
              &(struct tpl_admin_experiments){
                  .noted = strcmp(done, "started") == 0   ? admin_say(MESSAGE_admin_experiments_started)
                           : strcmp(done, "stopped") == 0 ? admin_say(MESSAGE_admin_experiments_stopped)
                                                          : ""});
}

static enum status start(const struct admin_visit *v, const struct form *form, struct error *err)
{
    const struct admin_who who = {.username = v->session.user.username, .address = v->address};
    const char *share = admin_field(form, "share");
    struct experiment e = {
        .name = admin_field(form, "name"),
        .kind = strcmp(admin_field(form, "method"), "ab") == 0 ? EXPERIMENT_AB : EXPERIMENT_INTERLEAVE,
        .rankings = {admin_field(form, "a"), admin_field(form, "b")},
        .share = strlen(share) <= 3 && strspn(share, "0123456789") == strlen(share) ? strtol(share, NULL, 10) : 0};
    enum status st = experiments_check(v->service->search, &e, err);
    return st == OK ? sticker_store_experiment_start(v->service->store, &who, &e, err) : st;
}

static enum status stop(const struct admin_visit *v, const struct form *form, struct error *err)
{
    const struct admin_who who = {.username = v->session.user.username, .address = v->address};
    return sticker_store_experiment_stop(v->service->store, &who, admin_field(form, "name"), err);
}

void handle_admin_experiments_change(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, FIELDS, &form) || !admin_needs(&v, "scores", ADMIN_VIEW) ||
        !admin_needs(&v, "pins", ADMIN_CHANGE))
        return;
    bool stops = strcmp(admin_field(&form, "action"), "stop") == 0;
    enum status st = stops ? stop(&v, &form, &err) : start(&v, &form, &err);
    if (st == OK) {
        experiments_changed(v.service->experiments);
        admin_headers(res);
        http_redirect(res, 303, stops ? "/admin/experiments/?done=stopped" : "/admin/experiments/?done=started");
    } else if (st == ERR_NO_MEMORY) {
        admin_fail(&v, &err);
    } else {
        send_page(&v,
                  st == ERR_INVALID     ? 400
                  : st == ERR_CONFLICT  ? 409
                  : st == ERR_NOT_FOUND ? 404
                                        : 503,
                  &(struct tpl_admin_experiments){.problem = arena_strdup(req->arena, err.message),
                                                  .name = stops ? "" : admin_field(&form, "name"),
                                                  .ranking_a = admin_field(&form, "a"),
                                                  .ranking_b = admin_field(&form, "b"),
                                                  .share = stops ? NULL : admin_field(&form, "share"),
                                                  .ab = strcmp(admin_field(&form, "method"), "ab") == 0});
    }
}
