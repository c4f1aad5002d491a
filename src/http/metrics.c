/* Requests by route, method and status. Routes of one name (a page and its form) are counted as one. */
#include "base/metric.h"
#include "http/http_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int statuses[] = {200, 204, 206, 302, 303, 304, 400, 401, 403, 404, 405,
                               409, 413, 415, 416, 422, 429, 500, 501, 503, 504};
#define N_STATUS (sizeof statuses / sizeof *statuses)
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "other"};
#define N_METHOD (sizeof methods / sizeof *methods)
#define N_CLASS  4 /* 2xx to 5xx */

struct http_metrics {
    size_t n;
    const struct http_route *routes;
    struct route_metrics {
        size_t same_as;                                 /* the first route of this name */
        _Atomic uint64_t count[N_METHOD][N_STATUS + 1]; /* the last one: any other status */
        struct metric_times times[N_CLASS];
    } route[]; /* [n + 1] */
};

struct http_metrics *http_metrics_new(const struct http_route *routes, size_t n)
{
    struct http_metrics *m = calloc(1, sizeof *m + (n + 1) * sizeof m->route[0]);
    if (!m)
        return NULL;
    m->n = n;
    m->routes = routes;
    for (size_t i = 0; i < n; i++)
        while (strcmp(routes[m->route[i].same_as].name, routes[i].name) != 0)
            m->route[i].same_as++;
    m->route[n].same_as = n;
    return m;
}

void http_metrics_free(struct http_metrics *m)
{
    free(m);
}

void http_metrics_count(struct http_metrics *m, size_t route, unsigned method, int status, int64_t us)
{
    size_t i = 0, j = 0;
    while (i < N_METHOD - 1 && !(method & 1u << i))
        i++;
    while (j < N_STATUS && statuses[j] != status)
        j++;
    struct route_metrics *r = &m->route[m->route[route < m->n ? route : m->n].same_as];
    size_t class = status < 300 ? 0 : status < 400 ? 1 : status < 500 ? 2 : 3;
    atomic_fetch_add_explicit(&r->count[i][j], 1, memory_order_relaxed);
    metric_observe(&r->times[class], us);
}

const struct metric_times *http_metrics_times(const struct http_metrics *m, const char *route)
{
    for (size_t k = 0; k < m->n; k++)
        if (strcmp(m->routes[k].name, route) == 0)
            return &m->route[m->route[k].same_as].times[0];
    return NULL;
}

void http_metrics_write(const struct http_metrics *m, const char *prefix, struct buf *out)
{
    char name[128], labels[160], code[8];
    snprintf(name, sizeof name, "%s_http_requests_total", prefix);
    metric_family(out, name, "counter", "Requests answered.");
    for (size_t k = 0; k <= m->n; k++)
        for (size_t i = 0; i < N_METHOD; i++)
            for (size_t j = 0; j <= N_STATUS; j++) {
                uint64_t n = atomic_load_explicit(&m->route[k].count[i][j], memory_order_relaxed);
                if (!n)
                    continue;
                snprintf(code, sizeof code, "%d", j < N_STATUS ? statuses[j] : 0);
                snprintf(labels, sizeof labels, "route=\"%s\",method=\"%s\",status=\"%s\"",
                         k < m->n ? m->routes[k].name : "none", methods[i], j < N_STATUS ? code : "other");
                metric_value(out, name, labels, (double)n);
            }
    snprintf(name, sizeof name, "%s_http_request_duration_seconds", prefix);
    metric_family(out, name, "histogram", "Time from the request's head to its answer.");
    for (size_t k = 0; k <= m->n; k++)
        for (size_t i = 0; i < N_CLASS; i++) {
            const struct metric_times *t = &m->route[k].times[i];
            uint64_t any = 0;
            for (size_t b = 0; b <= METRIC_BOUNDS; b++)
                any |= atomic_load_explicit(&t->bucket[b], memory_order_relaxed);
            snprintf(labels, sizeof labels, "route=\"%s\",status=\"%zuxx\"", k < m->n ? m->routes[k].name : "none",
                     i + 2);
            if (any)
                metric_histogram(out, name, labels, t);
        }
}
