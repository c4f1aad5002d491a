/* /healthz: the process answers. /readyz: it can serve as it should, check by check. /metrics: counts
 * for Prometheus. */
#include "base/json_out.h"
#include "base/os.h"
#include "sticker_service/service.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PEER_TIMEOUT_MS 500u
#define PEER_AGAIN_US   1000000 /* SearchService is asked at most this often */

void healthz_handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    static const char alive[] = "{\"status\":\"alive\"}";
    (void)ctx, (void)req;
    http_body_static(res, 200, "application/json", alive, sizeof alive - 1);
}

static bool search_is_ready(struct sticker_service *s)
{
    int64_t now = os_monotonic_us(), checked = atomic_load(&s->search_checked_us);
    if (checked && now - checked < PEER_AGAIN_US)
        return atomic_load(&s->search_ready);
    struct http_call call = {.method = "GET", .path = "/healthz", .timeout_ms = PEER_TIMEOUT_MS};
    struct buf body;
    int status = 0;
    buf_init(&body, 64u << 10);
    bool ready = http_client_call(s->indexing, &call, &status, &body, NULL) == OK && status == 200;
    buf_free(&body);
    atomic_store(&s->search_ready, ready);
    atomic_store(&s->search_checked_us, now);
    return ready;
}

void readyz_handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    const struct http_server *server = atomic_load(&s->server);
    const char *degraded;
    struct error err = {OK, ""};
    int64_t stickers = 0, queries = 0, pending = 0;
    char last_error[256];
    enum status st = http_param(req, "degraded", &degraded, &err);
    if ((st != OK && st != ERR_NOT_FOUND) || (st == OK && strcmp(degraded, "ok") != 0)) {
        http_problem(res, 400, "degraded must be ok, given once");
        return;
    }
    bool database = sticker_store_ping(s->store, &err) == OK &&
                    sticker_store_count(s->store, &stickers, &queries, &pending, &err) == OK;
    bool search = search_is_ready(s), draining = server && http_server_draining(server);
    bool ready = database && (search || degraded) && !draining;
    outbox_last_error(s->outbox, last_error, sizeof last_error);
    struct buf out;
    buf_init(&out, 8192);
    buf_printf(&out, "{\"status\":\"%s\",\"checks\":{\"database\":{\"status\":\"%s\"",
               draining ? "draining"
               : ready  ? "ready"
                        : "not ready",
               database ? "ok" : "failed");
    if (database) {
        buf_printf(&out, ",\"stickers\":%lld,\"queries\":%lld", (long long)stickers, (long long)queries);
    } else {
        buf_puts(&out, ",\"error\":");
        json_put_string(&out, err.message);
    }
    buf_printf(&out, "},\"search_service\":{\"status\":\"%s\"},\"outbox\":{\"status\":\"ok\",\"pending\":%lld",
               search ? "ok" : "failed", (long long)pending);
    if (pending && last_error[0]) {
        buf_puts(&out, ",\"last_error\":");
        json_put_string(&out, last_error);
    }
    buf_puts(&out, "}}}");
    http_json(res, ready ? 200 : 503, buf_str(&out), out.len);
    buf_free(&out);
}

static void metric(struct buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name, (unsigned long long)value);
}

static uint64_t resident_bytes(void)
{
    struct buf text;
    unsigned long long total = 0, resident = 0;
    buf_init(&text, 4096);
    if (os_read_file("/proc/self/statm", &text, NULL) == OK &&
        sscanf(buf_str(&text), "%llu %llu", &total, &resident) != 2)
        resident = 0;
    buf_free(&text);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

void metrics_handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    (void)req;
    int64_t stickers = 0, queries = 0, pending = 0;
    bool database = sticker_store_count(s->store, &stickers, &queries, &pending, NULL) == OK;
    struct answers_stats answers = answers_stats(s->answers);
    struct buf out;
    buf_init(&out, 1u << 20);
    struct http_server *server = atomic_load(&s->server);
    if (server)
        http_server_metrics(server, &out);
    buf_printf(&out,
               "# HELP peel_build_info The program's version.\n# TYPE peel_build_info gauge\n"
               "peel_build_info{version=\"%s\"} 1\n",
               s->cfg->version);
    metric(&out, "peel_sticker_database_up", "gauge", "1 when the database answers.", database);
    metric(&out, "peel_sticker_stickers", "gauge", "Stickers stored.", (uint64_t)stickers);
    metric(&out, "peel_sticker_queries", "gauge", "Different queries ever searched.", (uint64_t)queries);
    metric(&out, "peel_sticker_search_degraded_total", "counter", "Searches answered without SearchService.",
           atomic_load(&s->degraded));
    metric(&out, "peel_sticker_search_breaker_state", "gauge",
           "Towards SearchService: 0 closed, 1 open, 2 one trial under way.", http_client_breaker(s->search));
    metric(&out, "peel_sticker_search_cache_hits_total", "counter", "Searches answered from memory.", answers.hits);
    metric(&out, "peel_sticker_search_cache_misses_total", "counter", "Searches that had to be made.", answers.misses);
    metric(&out, "peel_sticker_usage_pending", "gauge", "Queries whose counts are not written yet.",
           usage_pending(s->usage));
    metric(&out, "peel_sticker_outbox_pending", "gauge", "Documents that SearchService has still to hear of.",
           (uint64_t)pending);
    metric(&out, "peel_sticker_outbox_delivered_total", "counter", "Documents that SearchService has accepted.",
           outbox_delivered(s->outbox));
    metric(&out, "peel_sticker_thumbnail_bytes", "gauge", "Size of the thumbnail folder.", thumbs_bytes(s->thumbs));
    metric(&out, "process_resident_memory_bytes", "gauge", "Resident memory.", resident_bytes());
    http_body_copy(res, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out), out.len);
    buf_free(&out);
}
