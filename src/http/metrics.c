#include "http/http_internal.h"

#include <stdlib.h>

static const int statuses[] = {200, 204, 206, 302, 303, 304, 400, 401, 403, 404,
                               405, 409, 413, 415, 416, 429, 500, 501, 503, 504};
#define N_STATUS (sizeof statuses / sizeof *statuses)
static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", "other"};
#define N_METHOD (sizeof methods / sizeof *methods)
static const int64_t bounds_us[] = {500,    1000,   2500,   5000,    10000,   25000,   50000,
                                    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
#define N_BUCKET (sizeof bounds_us / sizeof *bounds_us)

struct http_metrics {
    size_t n;
    const struct http_route *routes;
    struct route_metrics {
        _Atomic uint64_t count[N_METHOD][N_STATUS + 1]; /* the last one: any other status */
        _Atomic uint64_t bucket[N_BUCKET + 1], sum_us;
    } route[]; /* [n + 1] */
};

struct http_metrics *http_metrics_new(const struct http_route *routes, size_t n)
{
    struct http_metrics *m = calloc(1, sizeof *m + (n + 1) * sizeof m->route[0]);
    if (m) {
        m->n = n;
        m->routes = routes;
    }
    return m;
}

void http_metrics_free(struct http_metrics *m)
{
    free(m);
}

static void add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void http_metrics_count(struct http_metrics *m, size_t route, unsigned method, int status, int64_t us)
{
    size_t i = 0, j = 0, b = 0;
    while (i < N_METHOD - 1 && !(method & 1u << i))
        i++;
    while (j < N_STATUS && statuses[j] != status)
        j++;
    while (b < N_BUCKET && us > bounds_us[b])
        b++;
    struct route_metrics *r = &m->route[route < m->n ? route : m->n];
    add(&r->count[i][j], 1);
    add(&r->bucket[b], 1);
    add(&r->sum_us, us > 0 ? (uint64_t)us : 0);
}

void http_metrics_write(const struct http_metrics *m, const char *prefix, struct buf *out)
{
    buf_printf(out, "# HELP %s_http_requests_total Requests answered.\n# TYPE %s_http_requests_total counter\n", prefix,
               prefix);
    for (size_t k = 0; k <= m->n; k++)
        for (size_t i = 0; i < N_METHOD; i++)
            for (size_t j = 0; j <= N_STATUS; j++) {
                uint64_t n = atomic_load_explicit(&m->route[k].count[i][j], memory_order_relaxed);
                if (!n)
                    continue;
                buf_printf(out, "%s_http_requests_total{route=\"%s\",method=\"%s\",status=\"", prefix,
                           k < m->n ? m->routes[k].name : "none", methods[i]);
                if (j < N_STATUS)
                    buf_printf(out, "%d\"} %llu\n", statuses[j], (unsigned long long)n);
                else
                    buf_printf(out, "other\"} %llu\n", (unsigned long long)n);
            }
    buf_printf(out,
               "# HELP %s_http_request_duration_seconds Time from the request's head to its answer.\n"
               "# TYPE %s_http_request_duration_seconds histogram\n",
               prefix, prefix);
    for (size_t k = 0; k <= m->n; k++) {
        const struct route_metrics *r = &m->route[k];
        const char *name = k < m->n ? m->routes[k].name : "none";
        uint64_t sum = 0, in_bucket[N_BUCKET + 1];
        for (size_t b = 0; b <= N_BUCKET; b++)
            sum += in_bucket[b] = atomic_load_explicit(&r->bucket[b], memory_order_relaxed);
        if (!sum)
            continue;
        uint64_t below = 0;
        for (size_t b = 0; b < N_BUCKET; b++) {
            below += in_bucket[b];
            buf_printf(out, "%s_http_request_duration_seconds_bucket{route=\"%s\",le=\"%g\"} %llu\n", prefix, name,
                       (double)bounds_us[b] / 1e6, (unsigned long long)below);
        }
        buf_printf(out,
                   "%s_http_request_duration_seconds_bucket{route=\"%s\",le=\"+Inf\"} %llu\n"
                   "%s_http_request_duration_seconds_sum{route=\"%s\"} %.6f\n"
                   "%s_http_request_duration_seconds_count{route=\"%s\"} %llu\n",
                   prefix, name, (unsigned long long)sum, prefix, name,
                   (double)atomic_load_explicit(&r->sum_us, memory_order_relaxed) / 1e6, prefix, name,
                   (unsigned long long)sum);
    }
}
