/* GET /admin/: searches and votes by day, what is searched and voted most, from the ends of the lists' own indexes,
 * and how both services are. */
#include "base/json_in.h"
#include "base/os.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"
#include "web/html.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define PANEL_ROWS    8
#define CHART_WIDTH   300 /* as in the template's viewBox, in its units */
#define BAR_STEP      14
#define DAYS_WIDTH    600 /* of the charts by day */
#define DAYS_HEIGHT   120
#define DAYS_FALLBACK 30
#define DAYS_MAX      365
#define MAX_HEALTH    16

/* The first rows of a list, sorted down by a number. Votes lead to the scores that they are the sum of. */
struct panel {
    const char *title, *about, *first, *second;
    const char *list, *name, *more, *count; /* columns: what a row is called, and the number; more may be NULL */
    const char *behind;                     /* the filter by which the list of scores has a row's, or NULL */
};
static const struct panel panels[] = {
    {"Top queries", "All time", "Query", "Searches", "queries", "query", NULL, "usage", NULL},
    {"Searches without results", "Queries without results, all time", "Query", "No results", "queries", "query", NULL,
     "empty", NULL},
    {"Best stickers", "Most upvotes across all queries", "Sticker", "Upvotes", "stickers", "filename", NULL,
     "positives", "sticker"},
    {"Worst stickers", "Most downvotes across all queries", "Sticker", "Downvotes", "stickers", "filename", NULL,
     "negatives", "sticker"},
    {"Worst queries", "Most downvotes across all stickers", "Query", "Downvotes", "queries", "query", NULL, "negatives",
     "query"},
    {"Worst matches", "Query and sticker pairs with the most downvotes", "Query and sticker", "Downvotes", "scores",
     "query", "sticker", "negatives", NULL},
};
#define N_PANELS (sizeof panels / sizeof *panels)

/* "/admin/<list>/edit?id=<id>" */
static const char *edit_url(const char *list, const char *id, struct arena *a)
{
    struct buf url;
    buf_init(&url, 8192);
    buf_printf(&url, "/admin/%s/edit?id=", list);
    html_url_part(&url, id);
    const char *out = url.failed ? NULL : arena_strdup(a, buf_str(&url));
    buf_free(&url);
    return out;
}

/* "/admin/scores/?sticker=<name>&sort=positives&order=down" */
static const char *scores_url(const struct panel *p, const char *name, struct arena *a)
{
    struct buf url;
    buf_init(&url, 8192);
    buf_printf(&url, "/admin/scores/?%s=", p->behind);
    html_url_part(&url, name);
    buf_printf(&url, "&sort=%s&order=down", p->count);
    const char *out = url.failed ? NULL : arena_strdup(a, buf_str(&url));
    buf_free(&url);
    return out;
}

static enum status fill_panel(const struct admin_visit *v, const struct panel *p,
                              struct tpl_admin_dashboard_panels *out, struct error *err)
{
    struct arena *a = v->req->arena;
    const char *columns[] = {p->count, p->name, p->more};
    struct list_page page;
    struct list_ask ask = {.list = p->list,
                           .columns = columns,
                           .n_columns = p->more ? 3 : 2,
                           .sort = p->count,
                           .descending = true,
                           .search = "",
                           .cursor = "",
                           .limit = PANEL_ROWS};
    struct tpl_admin_dashboard_panels_rows *rows = arena_array(a, PANEL_ROWS, sizeof *rows);
    *out =
        (struct tpl_admin_dashboard_panels){.title = p->title,
                                            .about = p->about,
                                            .first = p->first,
                                            .second = p->second,
                                            .all = arena_printf(a, "/admin/%s/?sort=%s&order=down", p->list, p->count),
                                            .rows = rows};
    if (!rows || !out->all)
        return err_no_memory(err, "the dashboard");
    enum status st = sticker_store_list_page(v->service->store, &ask, a, &page, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < page.n; i++) {
        const char *const *cells = page.rows[i].cells;
        int64_t count = strtoll(cells[0], NULL, 10);
        if (count <= 0)
            break;
        int64_t most = i ? rows[0].count : count;
        rows[i] = (struct tpl_admin_dashboard_panels_rows){
            .name = p->more ? arena_printf(a, "%s: %s", cells[1], cells[2]) : cells[1],
            .edit = edit_url(p->list, page.rows[i].id, a),
            .count = count,
            .y = (int64_t)i * BAR_STEP,
            .width = 1 + (int64_t)((double)count / (double)most * (CHART_WIDTH - 1))};
        if (p->behind && admin_may(v, "scores", ADMIN_VIEW) && !(rows[i].behind = scores_url(p, cells[1], a)))
            return err_no_memory(err, "the dashboard");
        if (!rows[i].name || !rows[i].edit)
            return err_no_memory(err, "the dashboard");
        out->n_rows = i + 1;
    }
    out->height = (int64_t)out->n_rows * BAR_STEP;
    return OK;
}

/* --- day by day --- */

static const int64_t ranges[] = {7, DAYS_FALLBACK, 90, DAYS_MAX};
#define N_RANGES (sizeof ranges / sizeof *ranges)

/* Two lines: `first` is drawn through, `second` dashed. */
struct lines {
    const char *title, *about;
    size_t first, second; /* offsets into struct day_row */
};
static const struct lines lines[] = {
    {"Searches per day", "searches; dashed: those that found nothing", offsetof(struct day_row, searches),
     offsetof(struct day_row, empty)},
    {"Votes per day", "upvotes; dashed: downvotes", offsetof(struct day_row, positives),
     offsetof(struct day_row, negatives)},
};
#define N_LINES (sizeof lines / sizeof *lines)

static int64_t value_of(const struct day_row *day, size_t offset)
{
    int64_t value;
    memcpy(&value, (const char *)day + offset, sizeof value);
    return value;
}

/* A polyline's points, from left to right; the greatest value touches the top. */
static const char *chart_points(const struct day_row *days, size_t n, size_t offset, int64_t most, struct arena *a)
{
    struct buf out;
    buf_init(&out, 32 * DAYS_MAX);
    for (size_t i = 0; i < n; i++) {
        double x = (double)(i * DAYS_WIDTH) / (double)(n - 1);
        double y = 1 + (DAYS_HEIGHT - 2) * (1 - (double)value_of(&days[i], offset) / (double)most);
        buf_printf(&out, i ? " %.1f,%.1f" : "%.1f,%.1f", x, y);
    }
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

static enum status fill_lines(const struct lines *l, const struct day_row *days, size_t n,
                              struct tpl_admin_dashboard_charts *out, struct arena *a, struct error *err)
{
    int64_t most = 0, first = 0, second = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t up = value_of(&days[i], l->first), down = value_of(&days[i], l->second);
        first += up;
        second += down;
        most = up > most ? up : most;
        most = down > most ? down : most;
    }
    int64_t top = most ? most : 1;
    *out = (struct tpl_admin_dashboard_charts){
        .title = l->title,
        .about = arena_printf(a, "Line: %s. In all %lld and %lld, at most %lld in a day.", l->about, (long long)first,
                              (long long)second, (long long)most),
        .first = chart_points(days, n, l->first, top, a),
        .second = chart_points(days, n, l->second, top, a)};
    return out->about && out->first && out->second ? OK : err_no_memory(err, "the dashboard");
}

static const char *day_text(int64_t day, struct arena *a)
{
    char text[28];
    os_format_time(day * STORE_DAY_US, text);
    return arena_strndup(a, text, strlen("2026-01-01"));
}

/* The days are those of UTC, and the last is today; those without a row had nothing. */
static enum status fill_days(const struct admin_visit *v, struct tpl_admin_dashboard *page, struct error *err)
{
    struct arena *a = v->req->arena;
    int64_t range, today = os_now_us() / STORE_DAY_US;
    struct day_row days[DAYS_MAX] = {{0}}, *found;
    size_t n_found, i = 0;
    enum status st = http_param_int(v->req, "days", 1, DAYS_MAX, DAYS_FALLBACK, &range, err);
    if (st != OK)
        return st;
    while (i < N_RANGES && ranges[i] != range)
        i++;
    if (i == N_RANGES)
        return err_set(err, ERR_INVALID, "days must be 7, 30, 90 or 365");
    size_t n = (size_t)range;
    struct tpl_admin_dashboard_ranges *links = arena_array(a, N_RANGES, sizeof *links);
    struct tpl_admin_dashboard_charts *charts = arena_array(a, N_LINES, sizeof *charts);
    struct tpl_admin_dashboard_days *rows = arena_array(a, n, sizeof *rows);
    if (!links || !charts || !rows)
        return err_no_memory(err, "the dashboard");
    for (i = 0; i < N_RANGES; i++) {
        links[i] = (struct tpl_admin_dashboard_ranges){.days = ranges[i],
                                                       .link = arena_printf(a, "/admin/?days=%d", (int)ranges[i]),
                                                       .current = ranges[i] == range};
        if (!links[i].link)
            return err_no_memory(err, "the dashboard");
    }
    st = sticker_store_days(v->service->store, today - range + 1, today, a, &found, &n_found, err);
    for (i = 0; st == OK && i < n_found; i++)
        days[found[i].day - (today - range + 1)] = found[i];
    for (i = 0; st == OK && i < N_LINES; i++)
        st = fill_lines(&lines[i], days, n, &charts[i], a, err);
    for (i = 0; st == OK && i < n; i++) {
        const struct day_row *d = &days[n - 1 - i];
        rows[i] = (struct tpl_admin_dashboard_days){.day = day_text(today - (int64_t)i, a),
                                                    .searches = d->searches,
                                                    .empty = d->empty,
                                                    .degraded = d->degraded,
                                                    .positives = d->positives,
                                                    .negatives = d->negatives};
        if (!rows[i].day)
            st = err_no_memory(err, "the dashboard");
    }
    page->ranges = links;
    page->n_ranges = N_RANGES;
    page->charts = charts;
    page->n_charts = N_LINES;
    page->days = rows;
    page->n_days = n;
    if (st == OK) {
        page->until = rows[0].day;
        page->since = rows[n - 1].day;
    }
    return st;
}

/* --- how it is --- */

static void put_health(struct tpl_admin_dashboard *page, struct tpl_admin_dashboard_health *rows, const char *part,
                       bool good, const char *state, const char *more)
{
    if (page->n_health < MAX_HEALTH)
        rows[page->n_health++] =
            (struct tpl_admin_dashboard_health){.part = part, .good = good, .state = state, .more = more};
}

/* A number of the last row, which leads to the list behind it for those who may see that: "/admin/<list>/?<filter>". */
static void dashboard_put_number(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                                 struct tpl_admin_dashboard_health *rows, const char *label, const char *list,
                                 const char *filter)
{
    struct arena *a = v->req->arena;
    struct tpl_admin_dashboard_health *row = &rows[page->n_health - 1];
    struct tpl_admin_dashboard_health_numbers *numbers = arena_array(a, row->n_numbers + 1, sizeof *numbers);
    if (!numbers || !label)
        return;
    for (size_t i = 0; i < row->n_numbers; i++)
        numbers[i] = row->numbers[i];
    numbers[row->n_numbers].label = label;
    if (admin_may(v, list, ADMIN_VIEW))
        numbers[row->n_numbers].link = arena_printf(a, "/admin/%s/%s%s", list, *filter ? "?" : "", filter);
    row->numbers = numbers;
    row->n_numbers++;
}

static void put_model(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                      struct tpl_admin_dashboard_health *rows, const char *id, long long n, const char *what,
                      const char *state)
{
    struct buf filter;
    buf_init(&filter, 4096);
    buf_printf(&filter, "state=%s&model=", state);
    html_url_part(&filter, id);
    dashboard_put_number(v, page, rows, arena_printf(v->req->arena, "%lld %s", n, what), "documents", buf_str(&filter));
    buf_free(&filter);
}

/* A string that outlives the answer; what SearchService says is shown, never trusted. */
static const char *dashboard_string(const json_t *of, const char *name, struct arena *a)
{
    const char *value = json_string_value(json_object_get(of, name));
    return value ? arena_strndup(a, value, strnlen(value, 300)) : NULL;
}

static void fill_search(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                        struct tpl_admin_dashboard_health *rows)
{
    struct arena *a = v->req->arena;
    json_t *status, *model;
    size_t i;
    enum peer_state heard = peer_status_get(v->service->peer_status, &status);
    if (heard == PEER_ASKED) {
        put_health(page, rows, "SearchService", true, "checking", "Reload this page to see its status.");
        return;
    }
    if (heard == PEER_AWAY) {
        put_health(page, rows, "SearchService", false, "unreachable",
                   "Searches use titles and keywords only until it is back.");
        return;
    }
    const char *algorithm = dashboard_string(status, "algorithm", a);
    put_health(page, rows, "SearchService", true, "ok",
               arena_printf(a, "algorithm %s", algorithm ? algorithm : "unknown"));
    dashboard_put_number(v, page, rows, arena_printf(a, "%" PRId64 " documents", json_member_int(status, "documents")),
                         "documents", "");
    json_array_foreach(json_object_get(status, "models"), i, model)
    {
        if (page->n_health == MAX_HEALTH)
            break;
        const char *state = dashboard_string(model, "state", a), *id = dashboard_string(model, "id", a);
        put_health(page, rows, arena_printf(a, "Model %s", id ? id : "?"), state && strcmp(state, "ready") == 0, state,
                   NULL);
        put_model(v, page, rows, id, json_member_int(model, "indexed"), "images indexed", "indexed");
        put_model(v, page, rows, id, json_member_int(model, "pending"), "waiting", "pending");
        put_model(v, page, rows, id, json_member_int(model, "failed"), "failed", "failed");
    }
    if (json_array_size(json_object_get(status, "models")) == 0)
        put_health(page, rows, "Model", true, "none", "Searches use titles and keywords only.");
    json_decref(status);
}

static enum status fill_health(const struct admin_visit *v, struct tpl_admin_dashboard *page, struct error *err)
{
    struct arena *a = v->req->arena;
    struct sticker_service *s = v->service;
    int64_t stickers, queries, pending;
    char last_error[256];
    struct tpl_admin_dashboard_health *rows = arena_array(a, MAX_HEALTH, sizeof *rows);
    page->health = rows;
    if (!rows)
        return err_no_memory(err, "the dashboard");
    enum status st = sticker_store_count(s->store, &stickers, &queries, &pending, err);
    if (st != OK)
        return st;
    put_health(page, rows, "Database", true, "ok", NULL);
    dashboard_put_number(v, page, rows, arena_printf(a, "%lld stickers", (long long)stickers), "stickers", "");
    dashboard_put_number(v, page, rows, arena_printf(a, "%lld queries", (long long)queries), "queries", "");
    outbox_last_error(s->outbox, last_error, sizeof last_error);
    bool stuck = pending && last_error[0];
    put_health(page, rows, "Outbox", !stuck, stuck ? "failing" : "ok", stuck ? arena_strdup(a, last_error) : NULL);
    dashboard_put_number(v, page, rows, arena_printf(a, "%lld waiting to be indexed", (long long)pending), "stickers",
                         "indexed=no");
    fill_search(v, page, rows);
    return OK;
}

/* Who may not see it is sent to the first list that they may see. */
static void elsewhere(const struct admin_visit *v)
{
    for (size_t i = 0; i < admin_table_count; i++) {
        const char *name = admin_tables[i].name, *to = arena_printf(v->req->arena, "/admin/%s/", name);
        if (to && admin_may(v, name, ADMIN_VIEW)) {
            admin_headers(v->res);
            http_redirect(v->res, 303, to);
            return;
        }
    }
    admin_message(v, 403, "Not allowed",
                  "Your account has no permissions yet. A superuser can grant them through a group.");
}

void handle_admin_dashboard(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    struct buf html;
    struct tpl_admin_dashboard_panels shown[N_PANELS];
    if (!admin_visit(ctx, req, res, &v))
        return;
    if (!admin_may(&v, "dashboard", ADMIN_VIEW)) {
        elsewhere(&v);
        return;
    }
    struct tpl_admin_dashboard page = {.admin_layout = admin_layout(&v, "Dashboard", "dashboard"), .panels = shown};
    enum status st = fill_days(&v, &page, &err);
    if (st == OK)
        st = fill_health(&v, &page, &err);
    for (size_t i = 0; st == OK && i < N_PANELS; i++)
        if (admin_may(&v, panels[i].list, ADMIN_VIEW))
            st = fill_panel(&v, &panels[i], &shown[page.n_panels++], &err);
    if (st != OK) {
        admin_fail(&v, &err);
        return;
    }
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_dashboard(&html, &page);
    admin_send(res, 200, &html);
}
