/* GET /admin/: how both services are, searches and votes by day (admin_charts.c), and what is searched and voted most,
 * from the ends of the lists' own indexes. */
#include "base/json_in.h"
#include "base/os.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_charts.h"
#include "sticker_service/admin/admin_list.h"
#include "web/html.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define PANEL_ROWS 8
#define BAR_WIDTH  100 /* of the longest bar, in the units of the template's viewBox */
#define MAX_HEALTH 16
#define IMAGE      64u /* pixels wide */

/* The first rows of a list, sorted down by a number. Votes lead to the scores that they are the sum of. */
struct panel {
    enum message title, about, first, second;
    const char *list, *name, *more, *count; /* columns: what a row is called, and the number; more may be NULL */
    const char *behind;                     /* the filter by which the list of scores has a row's, or NULL */
};
static const struct panel panels[] = {
    {MESSAGE_admin_panel_top, MESSAGE_admin_panel_top_about, MESSAGE_admin_query, MESSAGE_admin_searches, "queries",
     "query", NULL, "usage", NULL},
    {MESSAGE_admin_panel_empty, MESSAGE_admin_panel_empty_about, MESSAGE_admin_query, MESSAGE_admin_no_results,
     "queries", "query", NULL, "empty", NULL},
    {MESSAGE_admin_panel_best, MESSAGE_admin_panel_best_about, MESSAGE_admin_sticker, MESSAGE_admin_upvotes, "stickers",
     "filename", NULL, "positives", "sticker"},
    {MESSAGE_admin_panel_worst, MESSAGE_admin_panel_worst_about, MESSAGE_admin_sticker, MESSAGE_admin_downvotes,
     "stickers", "filename", NULL, "negatives", "sticker"},
    {MESSAGE_admin_panel_worst_queries, MESSAGE_admin_panel_worst_queries_about, MESSAGE_admin_query,
     MESSAGE_admin_downvotes, "queries", "query", NULL, "negatives", "query"},
    {MESSAGE_admin_panel_worst_matches, MESSAGE_admin_panel_worst_matches_about, MESSAGE_admin_panel_match,
     MESSAGE_admin_downvotes, "scores", "query", "sticker", "negatives", NULL},
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

/* "/admin/stickers/keywords?query=<query>" */
static const char *keywords_url(const char *query, struct arena *a)
{
    struct buf url;
    buf_init(&url, 8192);
    buf_puts(&url, "/admin/stickers/keywords?query=");
    html_url_part(&url, query);
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
        (struct tpl_admin_dashboard_panels){.title = admin_say(p->title),
                                            .about = admin_say(p->about),
                                            .first = admin_say(p->first),
                                            .second = admin_say(p->second),
                                            .all = arena_printf(a, "/admin/%s/?sort=%s&order=down", p->list, p->count),
                                            .rows = rows};
    if (!rows || !out->all)
        return err_no_memory(err, "the dashboard");
    enum status st = sticker_store_list_page(v->service->store, &ask, a, &page, err);
    if (st != OK)
        return st;
    int64_t most = 1;
    for (size_t i = 0; i < page.n; i++) {
        const char *const *cells = page.rows[i].cells;
        int64_t count = strtoll(cells[0], NULL, 10);
        if (count <= 0)
            break;
        most = i ? most : count;
        rows[i] = (struct tpl_admin_dashboard_panels_rows){
            .name = p->more ? arena_printf(a, "%s: %s", cells[1], cells[2]) : cells[1],
            .edit = edit_url(p->list, page.rows[i].id, a),
            .count = admin_number(count, a),
            .width = 1 + (int64_t)((double)count / (double)most * (BAR_WIDTH - 1))};
        if (strcmp(p->name, "filename") == 0)
            rows[i].image = list_image(cells[1], "", IMAGE, a);
        if (strcmp(p->count, "empty") == 0 && admin_may(v, "stickers", ADMIN_CHANGE))
            rows[i].mend = keywords_url(cells[1], a);
        if (p->behind && admin_may(v, "scores", ADMIN_VIEW) && !(rows[i].behind = scores_url(p, cells[1], a)))
            return err_no_memory(err, "the dashboard");
        if (!rows[i].name || !rows[i].edit || !rows[i].count)
            return err_no_memory(err, "the dashboard");
        out->n_rows = i + 1;
    }
    return OK;
}

/* --- system status --- */

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
                      struct tpl_admin_dashboard_health *rows, const char *id, int64_t n, enum message what,
                      const char *state)
{
    struct buf filter;
    buf_init(&filter, 4096);
    buf_printf(&filter, "state=%s&model=", state);
    html_url_part(&filter, id);
    dashboard_put_number(v, page, rows, admin_say_number(v->req->arena, what, n), "documents", buf_str(&filter));
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
        put_health(page, rows, admin_say(MESSAGE_admin_health_search), true, admin_say(MESSAGE_admin_health_checking),
                   admin_say(MESSAGE_admin_health_reload));
        return;
    }
    if (heard == PEER_AWAY) {
        put_health(page, rows, admin_say(MESSAGE_admin_health_search), false, admin_say(MESSAGE_admin_health_away),
                   admin_say(MESSAGE_admin_health_fallback));
        return;
    }
    const char *algorithm = dashboard_string(status, "algorithm", a);
    put_health(page, rows, admin_say(MESSAGE_admin_health_search), true, admin_say(MESSAGE_admin_health_ok),
               admin_say_text(a, MESSAGE_admin_health_algorithm, "name",
                              algorithm ? algorithm : admin_say(MESSAGE_admin_health_unknown)));
    dashboard_put_number(v, page, rows,
                         admin_say_number(a, MESSAGE_admin_n_documents, json_member_int(status, "documents")),
                         "documents", "");
    json_array_foreach(json_object_get(status, "models"), i, model)
    {
        if (page->n_health == MAX_HEALTH)
            break;
        const char *state = dashboard_string(model, "state", a), *id = dashboard_string(model, "id", a);
        put_health(page, rows, admin_say_text(a, MESSAGE_admin_health_model, "name", id ? id : "?"),
                   state && strcmp(state, "ready") == 0, state, NULL);
        rows[page->n_health - 1].busy = state && strcmp(state, "failed") != 0; /* it loads, or waits for its turn */
        put_model(v, page, rows, id, json_member_int(model, "indexed"), MESSAGE_admin_health_n_indexed, "indexed");
        put_model(v, page, rows, id, json_member_int(model, "pending"), MESSAGE_admin_health_n_waiting, "pending");
        put_model(v, page, rows, id, json_member_int(model, "failed"), MESSAGE_admin_health_n_failed, "failed");
    }
    if (json_array_size(json_object_get(status, "models")) == 0)
        put_health(page, rows, admin_say(MESSAGE_admin_model), true, admin_say(MESSAGE_admin_health_none),
                   admin_say(MESSAGE_admin_health_no_model));
    json_decref(status);
}

/* "0.8 ms", "1.2 s" */
static const char *say_time(int64_t us, struct arena *a)
{
    return us < 1000000 ? arena_printf(a, "%.3g ms", (double)us / 1e3) : arena_printf(a, "%.3g s", (double)us / 1e6);
}

static void fill_times(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                       struct tpl_admin_dashboard_health *rows)
{
    struct arena *a = v->req->arena;
    const struct http_server *server = atomic_load(&v->service->server);
    const struct metric_times *t = server ? http_server_times(server, "search") : NULL;
    uint64_t n = t ? metric_count(t) : 0;
    if (!n) {
        put_health(page, rows, admin_say(MESSAGE_admin_health_api), true, admin_say(MESSAGE_admin_health_none_yet),
                   admin_say(MESSAGE_admin_health_no_search));
        return;
    }
    const struct message_arg times[] = {{.name = "half", .text = say_time(metric_quantile_us(t, .5), a)},
                                        {.name = "most", .text = say_time(metric_quantile_us(t, .99), a)},
                                        {.name = "n", .number = (int64_t)n, .is_number = true}};
    put_health(page, rows, admin_say(MESSAGE_admin_health_api), true, admin_say(MESSAGE_admin_health_ok),
               messages_text(a, admin_messages(), MESSAGE_admin_health_times, times, 3));
}

/* "12.3 GB" */
static const char *say_bytes(double bytes, struct arena *a)
{
    return bytes < 1e9 ? arena_printf(a, "%.0f MB", bytes / 1e6) : arena_printf(a, "%.1f GB", bytes / 1e9);
}

#define DISK_LEAST .05 /* of a disk: with less free, somebody should look */

/* The disk that thumbnails are on, and with the usual set-up everything else, too. */
static void fill_disk(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                      struct tpl_admin_dashboard_health *rows)
{
    struct arena *a = v->req->arena;
    struct statvfs disk;
    struct stat database;
    if (statvfs(v->service->cfg->cache_dir, &disk) != 0 || !disk.f_blocks)
        return;
    double unit = (double)disk.f_frsize, available = (double)disk.f_bavail * unit, size = (double)disk.f_blocks * unit;
    bool good = available > DISK_LEAST * size;
    bool known = stat(v->service->cfg->database, &database) == 0;
    const struct message_arg sizes[] = {
        {.name = "free", .text = say_bytes(available, a)},
        {.name = "size", .text = say_bytes(size, a)},
        {.name = "thumbnails", .text = say_bytes((double)thumbs_stats(v->service->thumbs).bytes, a)},
        {.name = "database", .text = known ? say_bytes((double)database.st_size, a) : ""}};
    const char *more = messages_text(
        a, admin_messages(), known ? MESSAGE_admin_health_space_database : MESSAGE_admin_health_space, sizes, 4);
    put_health(page, rows, admin_say(MESSAGE_admin_health_disk), good,
               good ? admin_say(MESSAGE_admin_health_ok) : admin_say(MESSAGE_admin_health_full), more);
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
    put_health(page, rows, admin_say(MESSAGE_admin_health_database), true, admin_say(MESSAGE_admin_health_ok), NULL);
    dashboard_put_number(v, page, rows, admin_say_number(a, MESSAGE_admin_n_stickers, stickers), "stickers", "");
    dashboard_put_number(v, page, rows, admin_say_number(a, MESSAGE_admin_n_queries, queries), "queries", "");
    outbox_last_error(s->outbox, last_error, sizeof last_error);
    bool stuck = pending && last_error[0];
    put_health(page, rows, admin_say(MESSAGE_admin_health_outbox), !stuck,
               stuck ? admin_say(MESSAGE_admin_health_failing) : admin_say(MESSAGE_admin_health_ok),
               stuck ? arena_strdup(a, last_error) : NULL);
    dashboard_put_number(v, page, rows, admin_say_number(a, MESSAGE_admin_health_pending, pending), "stickers",
                         "indexed=no");
    fill_search(v, page, rows);
    fill_times(v, page, rows);
    fill_disk(v, page, rows);
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
    admin_message(v, 403, MESSAGE_admin_denied, admin_say(MESSAGE_admin_denied_all));
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
    struct tpl_admin_dashboard page = {
        .admin_layout = admin_layout(&v, admin_say(MESSAGE_admin_dashboard), "dashboard"), .panels = shown};
    enum status st = dashboard_days(&v, &page, &err);
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
    tpl_admin_dashboard(&html, &page, admin_messages());
    admin_send(res, 200, &html);
}
