/* GET /admin/: what is searched and voted, from the ends of the lists' own indexes, and how both services are. */
#include "sticker_service/admin.h"
#include "sticker_service/admin_models.h"
#include "web/html.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define PANEL_ROWS      8
#define CHART_WIDTH     300 /* as in the template's viewBox, in its units */
#define BAR_STEP        14
#define MAX_HEALTH      16
#define PEER_TIMEOUT_MS 250u /* that a peer which hangs may cost the page */
#define PEER_ANSWER     (256u << 10)

/* The first rows of a list, sorted down by a number. */
struct panel {
    const char *title, *about, *first, *second;
    const char *list, *name, *more, *count; /* columns: what a row is called, and the number; more may be NULL */
};
static const struct panel panels[] = {
    {"Most used queries", "Since counting began.", "Query", "Searched", "queries", "query", NULL, "usage"},
    {"Most votes for", "A query and a sticker that it found.", "Query and sticker", "Fits", "scores", "query",
     "sticker", "positives"},
    {"Most votes against", "A query and a sticker that it found.", "Query and sticker", "Does not", "scores", "query",
     "sticker", "negatives"},
};
#define N_PANELS (sizeof panels / sizeof *panels)

static enum status no_memory(struct error *err)
{
    return err_set(err, ERR_NO_MEMORY, "no memory for the dashboard");
}

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
        return no_memory(err);
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
        if (!rows[i].name || !rows[i].edit)
            return no_memory(err);
        out->n_rows = i + 1;
    }
    out->height = (int64_t)out->n_rows * BAR_STEP;
    return OK;
}

/* --- how it is --- */

static void put_health(struct tpl_admin_dashboard *page, struct tpl_admin_dashboard_health *rows, const char *part,
                       bool good, const char *state, const char *more)
{
    if (page->n_health < MAX_HEALTH)
        rows[page->n_health++] =
            (struct tpl_admin_dashboard_health){.part = part, .good = good, .state = state, .more = more};
}

static long long number(const json_t *of, const char *name)
{
    return (long long)json_integer_value(json_object_get(of, name));
}

/* A string that outlives the answer; what SearchService says is shown, never trusted. */
static const char *string(const json_t *of, const char *name, struct arena *a)
{
    const char *value = json_string_value(json_object_get(of, name));
    return value ? arena_strndup(a, value, strnlen(value, 300)) : NULL;
}

/* /api/status of SearchService; NULL where there is no such answer in time. The caller drops the reference. */
static json_t *ask_search(struct sticker_service *s)
{
    struct http_call call = {.method = "GET", .path = "/api/status", .timeout_ms = PEER_TIMEOUT_MS};
    struct buf body;
    int status = 0;
    json_t *answer = NULL;
    if (http_client_breaker(s->search) == HTTP_BREAKER_OPEN)
        return NULL; /* known to be away: not asked again for a page */
    buf_init(&body, PEER_ANSWER);
    if (http_client_call(s->indexing, &call, &status, &body, NULL) == OK && status == 200)
        answer = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, NULL);
    buf_free(&body);
    return answer;
}

static void fill_search(const struct admin_visit *v, struct tpl_admin_dashboard *page,
                        struct tpl_admin_dashboard_health *rows)
{
    struct arena *a = v->req->arena;
    json_t *status = ask_search(v->service), *model;
    size_t i;
    if (!status) {
        put_health(page, rows, "SearchService", false, "unreachable", "Searches are answered by words only.");
        return;
    }
    put_health(page, rows, "SearchService", true, "ok",
               arena_printf(a, "%lld documents, algorithm %s", number(status, "documents"),
                            json_is_string(json_object_get(status, "algorithm")) ? string(status, "algorithm", a)
                                                                                 : "unknown"));
    json_array_foreach(json_object_get(status, "models"), i, model)
    {
        const char *state = string(model, "state", a), *id = string(model, "id", a);
        put_health(page, rows, arena_printf(a, "Model %s", id ? id : "?"), state && strcmp(state, "ready") == 0, state,
                   arena_printf(a, "%lld images indexed, %lld waiting, %lld failed", number(model, "indexed"),
                                number(model, "pending"), number(model, "failed")));
    }
    if (json_array_size(json_object_get(status, "models")) == 0)
        put_health(page, rows, "Model", true, "none", "Searches go by words.");
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
        return no_memory(err);
    enum status st = sticker_store_count(s->store, &stickers, &queries, &pending, err);
    if (st != OK)
        return st;
    put_health(page, rows, "Database", true, "ok",
               arena_printf(a, "%lld stickers, %lld queries", (long long)stickers, (long long)queries));
    outbox_last_error(s->outbox, last_error, sizeof last_error);
    bool stuck = pending && last_error[0];
    put_health(page, rows, "Outbox", !stuck, stuck ? "failing" : "ok",
               stuck ? arena_printf(a, "%lld to send; %s", (long long)pending, last_error)
                     : arena_printf(a, "%lld to send", (long long)pending));
    fill_search(v, page, rows);
    return OK;
}

/* Who may not see it is sent to the first list that they may see. */
static void elsewhere(const struct admin_visit *v)
{
    for (size_t i = 0; i < admin_models_count; i++) {
        const char *name = admin_models[i].name, *to = arena_printf(v->req->arena, "/admin/%s/", name);
        if (to && admin_may(v, name, ADMIN_VIEW)) {
            admin_headers(v->res);
            http_redirect(v->res, 303, to);
            return;
        }
    }
    admin_message(v, 403, "Not allowed", "Your account may see no list. A superuser can allow it, through a group.");
}

void dashboard_page(void *ctx, const struct http_request *req, struct http_response *res)
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
    enum status st = fill_health(&v, &page, &err);
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
