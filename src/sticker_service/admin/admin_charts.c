/* admin_charts.c: searches and votes by day, drawn as SVG with axes, a grid and a strip for each day that says its
 * numbers; the table below the charts has the same numbers. */
#include "sticker_service/admin/admin_charts.h"
#include "base/os.h"
#include "sticker_service/admin/admin_tables.h"

#include <stddef.h>
#include <string.h>

#define DAYS_FALLBACK 30
#define DAYS_MAX      365
/* In the units of the template's viewBox: the plot lies within these edges. */
enum { WIDTH = 640, HEIGHT = 220, LEFT = 56, RIGHT = 12, TOP = 10, BOTTOM = 28 };
enum { GRID = 4, DATES = 3 }; /* steps of the grid, and dates below it */

static const int64_t ranges[] = {7, DAYS_FALLBACK, 90, DAYS_MAX};
#define N_RANGES (sizeof ranges / sizeof *ranges)

static const char *day_text(int64_t day, struct arena *a)
{
    char text[28];
    os_format_time(day * STORE_DAY_US, text);
    return arena_strndup(a, text, strlen("2026-01-01"));
}

/* Two lines of one chart. */
struct lines {
    enum message title, first_name, second_name;
    size_t first, second; /* offsets into struct day_row */
};
static const struct lines lines[] = {
    {MESSAGE_admin_chart_searches, MESSAGE_admin_searches, MESSAGE_admin_no_results, offsetof(struct day_row, searches),
     offsetof(struct day_row, empty)},
    {MESSAGE_admin_chart_votes, MESSAGE_admin_upvotes, MESSAGE_admin_downvotes, offsetof(struct day_row, positives),
     offsetof(struct day_row, negatives)},
};
#define N_LINES (sizeof lines / sizeof *lines)

static int64_t value_of(const struct day_row *day, size_t offset)
{
    int64_t value;
    memcpy(&value, (const char *)day + offset, sizeof value);
    return value;
}

/* The days of a chart, and what their places and values are in its drawing. */
struct plot {
    const struct day_row *days; /* [n] the last is today */
    size_t n;
    int64_t last; /* today's number */
    int64_t step; /* between the lines of the grid, of which there are at most GRID */
    int64_t top;  /* the value of the uppermost */
};

static int64_t x_of(const struct plot *p, size_t i)
{
    return LEFT + (int64_t)(i * (WIDTH - LEFT - RIGHT) / (p->n - 1));
}

static int64_t y_of(const struct plot *p, int64_t value)
{
    return TOP + (HEIGHT - TOP - BOTTOM) - value * (HEIGHT - TOP - BOTTOM) / p->top;
}

/* 1, 2 or 5 times a power of ten, so that GRID steps reach the greatest value. */
static void scale(struct plot *p, int64_t most)
{
    static const int64_t nice[] = {1, 2, 5};
    p->step = 1;
    for (int64_t power = 1, i = 0; p->step * GRID < most; i++) {
        power *= i && i % 3 == 0 ? 10 : 1;
        p->step = nice[i % 3] * power;
    }
    p->top = p->step * ((most + p->step - 1) / p->step);
    if (p->top < p->step)
        p->top = p->step;
}

static const char *polyline(const struct plot *p, size_t offset, struct arena *a)
{
    struct buf out;
    buf_init(&out, 32 * DAYS_MAX);
    for (size_t i = 0; i < p->n; i++)
        buf_printf(&out, i ? " %d,%d" : "%d,%d", (int)x_of(p, i), (int)y_of(p, value_of(&p->days[i], offset)));
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

static enum status draw_grid(const struct plot *p, struct tpl_admin_dashboard_charts *out, struct arena *a,
                             struct error *err)
{
    struct tpl_admin_dashboard_charts_grid *grid = arena_array(a, GRID + 2, sizeof *grid);
    struct tpl_admin_dashboard_charts_dates *dates = arena_array(a, DATES, sizeof *dates);
    if (!grid || !dates)
        return err_no_memory(err, "the dashboard");
    for (int64_t value = 0; value <= p->top && out->n_grid < GRID + 2; value += p->step)
        grid[out->n_grid++] = (struct tpl_admin_dashboard_charts_grid){
            .y = y_of(p, value), .text_y = y_of(p, value) + 4, .label = admin_number(value, a)};
    for (size_t i = 0; i < DATES; i++) {
        size_t day = i * (p->n - 1) / (DATES - 1);
        const char *text = day_text(p->last - (int64_t)(p->n - 1 - day), a);
        dates[out->n_dates++] = (struct tpl_admin_dashboard_charts_dates){.x = x_of(p, day),
                                                                          .label = text,
                                                                          .anchor = i == 0           ? "start"
                                                                                    : i == DATES - 1 ? "end"
                                                                                                     : "middle"};
        if (!text)
            return err_no_memory(err, "the dashboard");
    }
    out->grid = grid;
    out->dates = dates;
    return OK;
}

/* A strip for each day, which says its numbers when the pointer is on it. */
static enum status draw_days(const struct plot *p, const struct lines *l, struct tpl_admin_dashboard_charts *out,
                             struct arena *a, struct error *err)
{
    struct tpl_admin_dashboard_charts_strips *strips = arena_array(a, p->n, sizeof *strips);
    int64_t width = (WIDTH - LEFT - RIGHT) / (int64_t)(p->n - 1);
    if (!strips)
        return err_no_memory(err, "the dashboard");
    for (size_t i = 0; i < p->n; i++) {
        const char *day = day_text(p->last - (int64_t)(p->n - 1 - i), a);
        strips[i] = (struct tpl_admin_dashboard_charts_strips){
            .x = x_of(p, i) - width / 2,
            .width = width > 1 ? width : 1,
            .middle = x_of(p, i),
            .label = arena_printf(a, "%s: %s %s, %s %s", day ? day : "", admin_say(l->first_name),
                                  admin_number(value_of(&p->days[i], l->first), a), admin_say(l->second_name),
                                  admin_number(value_of(&p->days[i], l->second), a))};
        if (!day || !strips[i].label)
            return err_no_memory(err, "the dashboard");
    }
    out->strips = strips;
    out->n_strips = p->n;
    return OK;
}

static enum status draw(const struct lines *l, struct plot *p, struct tpl_admin_dashboard_charts *out, struct arena *a,
                        struct error *err)
{
    int64_t most = 0, first = 0, second = 0;
    for (size_t i = 0; i < p->n; i++) {
        int64_t up = value_of(&p->days[i], l->first), down = value_of(&p->days[i], l->second);
        first += up;
        second += down;
        most = up > most ? up : most;
        most = down > most ? down : most;
    }
    scale(p, most);
    *out = (struct tpl_admin_dashboard_charts){.title = admin_say(l->title),
                                               .about = admin_say_number(a, MESSAGE_admin_chart_peak, most),
                                               .first_name = admin_say(l->first_name),
                                               .second_name = admin_say(l->second_name),
                                               .first_total = admin_number(first, a),
                                               .second_total = admin_number(second, a),
                                               .first = polyline(p, l->first, a),
                                               .second = polyline(p, l->second, a)};
    if (!out->about || !out->first_total || !out->second_total || !out->first || !out->second)
        return err_no_memory(err, "the dashboard");
    enum status st = draw_grid(p, out, a, err);
    return st == OK ? draw_days(p, l, out, a, err) : st;
}

/* The days are those of UTC, and the last is today; those without a row had nothing. */
enum status dashboard_days(const struct admin_visit *v, struct tpl_admin_dashboard *page, struct error *err)
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
    struct plot plot = {.days = days, .n = n, .last = today};
    for (i = 0; st == OK && i < N_LINES; i++)
        st = draw(&lines[i], &plot, &charts[i], a, err);
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
