/* /healthz: the process answers. /readyz: it can serve as it should, check by check. /metrics: counts
 * for Prometheus. */
#include "base/json_out.h"
#include "base/metric.h"
#include "base/os.h"
#include "sticker_service/api/api.h"
#include "sticker_service/service.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#define DIFFERS_US      30000000
#define PEER_TIMEOUT_MS 500u
#define PEER_AGAIN_US   1000000 /* SearchService is asked at most this often */

void handle_api_healthz(void *ctx, const struct http_request *req, struct http_response *res)
{
    static const char alive[] = "{\"status\":\"alive\"}";
    (void)ctx, (void)req;
    http_body_static(res, 200, "application/json", alive, sizeof alive - 1);
}

/* The number of documents as SearchService's /readyz tells, -1: unknown. */
static int64_t documents_of_search(struct sticker_service *s)
{
    struct http_call call = {.method = "GET", .path = "/readyz", .timeout_ms = PEER_TIMEOUT_MS};
    struct buf body;
    int status = 0;
    buf_init(&body, 64u << 10);
    json_t *says = NULL;
    if (http_client_call(s->indexing, &call, &status, &body, NULL) == OK && status == 200)
        says = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *database = json_object_get(json_object_get(says, "checks"), "database");
    const json_t *documents = json_object_get(database, "documents");
    int64_t n = json_is_integer(documents) ? json_integer_value(documents) : -1;
    json_decref(says);
    buf_free(&body);
    return n;
}

/* Compares only what nothing changes meanwhile: no sticker was added or deleted between two looks at the database, and
 * no change was waiting. Large numbers may be some seconds old, each of another moment, so they must differ for longer.
 */
static enum index_state compare_index(struct sticker_service *s, int64_t *documents)
{
    int64_t stickers[2], queries, pending[2];
    *documents = -1;
    if (sticker_store_count(s->store, &stickers[0], &queries, &pending[0], NULL) != OK)
        return INDEX_UNKNOWN;
    *documents = documents_of_search(s);
    if (*documents < 0 || sticker_store_count(s->store, &stickers[1], &queries, &pending[1], NULL) != OK)
        return INDEX_UNKNOWN;
    if (pending[0] || pending[1] || stickers[0] != stickers[1])
        return INDEX_PENDING;
    bool same = *documents == stickers[0];
    int64_t since = same ? 0 : atomic_load(&s->search_differs_us), now = os_monotonic_us();
    atomic_store(&s->search_differs_us, same ? 0 : since ? since : now);
    if (same)
        return INDEX_OK;
    return stickers[0] > STORE_COUNT_FRESH && (!since || now - since < DIFFERS_US) ? INDEX_PENDING : INDEX_DIFFERS;
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
    int64_t documents = -1;
    atomic_store(&s->search_index, (int)(ready ? compare_index(s, &documents) : INDEX_UNKNOWN));
    atomic_store(&s->search_documents, documents);
    atomic_store(&s->search_ready, ready);
    atomic_store(&s->search_checked_us, now);
    return ready;
}

/* Told, but no reason to take the service out: it finds what is there. */
static void put_index(struct sticker_service *s, struct buf *out)
{
    static const char *const names[] = {
        [INDEX_UNKNOWN] = "unknown", [INDEX_PENDING] = "pending", [INDEX_OK] = "ok", [INDEX_DIFFERS] = "differs"};
    int64_t documents = atomic_load(&s->search_documents);
    int state = atomic_load(&s->search_index);
    buf_printf(out, ",\"index\":{\"status\":\"%s\"", names[state]);
    if (documents >= 0)
        buf_printf(out, ",\"documents\":%lld", (long long)documents);
    if (state == INDEX_DIFFERS)
        buf_puts(out, ",\"message\":\"SearchService does not have the same number of documents as there are stickers; "
                      "peel reindex --all sends all stickers again\"");
    buf_putc(out, '}');
}

void handle_api_readyz(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    const struct http_server *server = atomic_load(&s->server);
    const char *degraded;
    struct error err = {OK, ""}, unwritable = {OK, ""};
    int64_t stickers = 0, queries = 0, pending = 0;
    char last_error[256];
    enum status st = http_param(req, "degraded", &degraded, &err);
    if ((st != OK && st != ERR_NOT_FOUND) || (st == OK && strcmp(degraded, "ok") != 0)) {
        http_problem(res, 400, "degraded must be ok, given once");
        return;
    }
    bool database = sticker_store_ping(s->store, &err) == OK &&
                    sticker_store_count(s->store, &stickers, &queries, &pending, &err) == OK;
    bool writable = database && sticker_store_writable(s->store, &unwritable) == OK;
    bool search = search_is_ready(s), draining = server && http_server_draining(server);
    bool ready = database && ((search && writable) || degraded) && !draining;
    outbox_last_error(s->outbox, last_error, sizeof last_error);
    struct buf out;
    buf_init(&out, 8192);
    buf_printf(&out, "{\"status\":\"%s\",\"version\":", draining ? "draining" : ready ? "ready" : "not ready");
    json_put_string(&out, s->cfg->version);
    buf_printf(&out, ",\"checks\":{\"database\":{\"status\":\"%s\"",
               writable   ? "ok"
               : database ? "read only"
                          : "failed");
    if (database)
        buf_printf(&out, ",\"stickers\":%lld,\"queries\":%lld", (long long)stickers, (long long)queries);
    if (!writable) {
        buf_puts(&out, ",\"error\":");
        json_put_string(&out, database ? unwritable.message : err.message);
    }
    buf_printf(&out, "},\"search_service\":{\"status\":\"%s\"},\"outbox\":{\"status\":\"ok\",\"pending\":%lld",
               search ? "ok" : "failed", (long long)pending);
    if (pending && last_error[0]) {
        buf_puts(&out, ",\"last_error\":");
        json_put_string(&out, last_error);
    }
    buf_putc(&out, '}');
    put_index(s, &out);
    buf_puts(&out, "}}");
    http_json(res, ready ? 200 : 503, buf_str(&out), out.len);
    buf_free(&out);
}

static void cache_metrics(struct sticker_service *s, struct buf *out)
{
    struct answers_stats answers = answers_stats(s->answers);
    struct thumbs_stats thumbs = thumbs_stats(s->thumbs);
    metric_one(out, "peel_sticker_search_cache_hits_total", "counter", "Searches answered from memory.",
               (double)answers.hits);
    metric_one(out, "peel_sticker_search_cache_misses_total", "counter", "Searches not found in memory.",
               (double)answers.misses);
    metric_one(out, "peel_sticker_thumbnail_hits_total", "counter", "Thumbnails found in the cache.",
               (double)thumbs.hits);
    metric_one(out, "peel_sticker_thumbnail_misses_total", "counter", "Thumbnails created.", (double)thumbs.misses);
    struct sandbox_stats images = sandbox_stats(s->sandbox);
    metric_one(out, "peel_sticker_images_decoded_total", "counter", "Images given to workers.", (double)images.images);
    metric_one(out, "peel_sticker_images_heavy_total", "counter", "Images given to the heavy worker.",
               (double)images.heavy);
    metric_one(out, "peel_sticker_image_workers_killed_total", "counter",
               "Workers that died at work, or were killed for taking too long.", (double)images.killed);
    metric_one(out, "peel_sticker_images_refused_total", "counter",
               "Images refused because no worker was free, or because they had been too complex before.",
               (double)(images.refused + images.known));
    metric_one(out, "peel_sticker_thumbnail_bytes", "gauge", "Size of the thumbnail folder.", (double)thumbs.bytes);
}

static void search_metrics(struct sticker_service *s, struct buf *out)
{
    static const char *const reasons[DEGRADED_REASONS] = {"unavailable", "timeout", "breaker", "answer"};
    char labels[40];
    metric_family(out, "peel_sticker_search_degraded_total", "counter", "Searches answered without SearchService.");
    for (size_t i = 0; i < DEGRADED_REASONS; i++) {
        snprintf(labels, sizeof labels, "reason=\"%s\"", reasons[i]);
        metric_value(out, "peel_sticker_search_degraded_total", labels, (double)atomic_load(&s->degraded[i]));
    }
    metric_family(out, "peel_sticker_search_peer_duration_seconds", "histogram", "Time of calls to SearchService.");
    metric_histogram(out, "peel_sticker_search_peer_duration_seconds", "", &s->peer_times);
    metric_one(out, "peel_sticker_search_breaker_state", "gauge",
               "Towards SearchService: 0 closed, 1 open, 2 one trial under way.", http_client_breaker(s->search));
}

static void trial_metrics(struct sticker_service *s, struct buf *out)
{
    struct arena a;
    arena_init(&a, 64u << 10);
    metric_one(out, "peel_sticker_experiment_running", "gauge", "1 while an experiment runs.",
               experiments_running(s->experiments, &a) != NULL);
    arena_free(&a);
    metric_one(out, "peel_sticker_experiment_fallbacks_total", "counter",
               "Searches of an experiment in which one of its rankings failed.",
               (double)atomic_load(&s->experiment_fallbacks));
    metric_one(out, "peel_sticker_explored_total", "counter",
               "Results made with a new sticker in a place of its own; each may answer several searches.",
               (double)atomic_load(&s->explored));
}

static void event_metrics(struct sticker_service *s, struct buf *out)
{
    char labels[40];
    metric_family(out, "peel_sticker_events_total", "counter", "Events stored, by action.");
    for (size_t i = 0; i < EVENT_ACTIONS; i++) {
        snprintf(labels, sizeof labels, "action=\"%s\"", event_actions[i]);
        metric_value(out, "peel_sticker_events_total", labels, (double)atomic_load(&s->events[i]));
    }
    metric_one(out, "peel_sticker_events_failed_total", "counter", "Events that could not be taken.",
               (double)atomic_load(&s->events_failed));
}

static void store_metrics(struct sticker_service *s, struct buf *out)
{
    int64_t stickers = 0, queries = 0, pending = 0, oldest_us = 0;
    bool database = sticker_store_count(s->store, &stickers, &queries, &pending, NULL) == OK;
    metric_one(out, "peel_sticker_database_up", "gauge", "1 when the database answers.", database);
    if (database) {
        metric_one(out, "peel_sticker_stickers", "gauge", "Stickers stored.", (double)stickers);
        metric_one(out, "peel_sticker_queries", "gauge", "Different queries ever searched.", (double)queries);
        metric_one(out, "peel_sticker_outbox_pending", "gauge", "Changes waiting to be indexed.", (double)pending);
    }
    if (database && sticker_store_outbox_oldest(s->store, &oldest_us, NULL) == OK) {
        int64_t age_us = oldest_us ? os_now_us() - oldest_us : 0;
        metric_one(out, "peel_sticker_outbox_oldest_seconds", "gauge", "How long the oldest of them waits; 0 for none.",
                   age_us > 0 ? (double)age_us / 1e6 : 0);
    }
    metric_one(out, "peel_sticker_outbox_delivered_total", "counter", "Changes that SearchService has accepted.",
               (double)outbox_delivered(s->outbox));
    metric_one(out, "peel_sticker_synonyms_delivered", "gauge",
               "1 when SearchService has the synonyms of our database.", curation_delivered(s->curation));
    metric_one(out, "peel_sticker_usage_pending", "gauge", "Queries whose counts are not written yet.",
               (double)usage_pending(s->usage));
    if (s->retention) { /* not while it opens */
        retention_metrics(s->retention, out);
        webhooks_metrics(s->webhooks, out);
        learn_metrics(s->learn, out);
        app_keys_metrics(s->app_keys, out);
    }
    sticker_store_metrics(s->store, "peel_sticker", out);
}

void handle_api_metrics(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct buf out;
    (void)req;
    buf_init(&out, 1u << 20);
    struct http_server *server = atomic_load(&s->server);
    if (server)
        http_server_metrics(server, &out);
    trial_metrics(s, &out);
    event_metrics(s, &out);
    store_metrics(s, &out);
    search_metrics(s, &out);
    cache_metrics(s, &out);
    metric_process(&out, "sticker", s->cfg->version);
    http_body_copy(res, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out), out.len);
    buf_free(&out);
}
