/* What the service says about itself: to people and peel (/api/status), to supervisors (/healthz,
 * /readyz) and to Prometheus (/metrics). */
#include "search_service/service.h"

#include "base/json_out.h"
#include "base/metric.h"

#define ANSWER_MAX (1u << 20)

void handle_healthz(void *ctx, const struct http_request *req, struct http_response *res)
{
    static const char alive[] = "{\"status\":\"alive\"}";
    (void)ctx, (void)req;
    http_body_static(res, 200, "application/json", alive, sizeof alive - 1);
}

void handle_status(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *models[ENGINE_MAX_MODELS], *chosen = engine_default(s->engine, LEG_vector);
    struct error err;
    struct buf out;
    int64_t documents = 0, pending = 0;
    double rate = 0;
    (void)req;
    buf_init(&out, ANSWER_MAX);
    enum status st = search_store_count(s->store, &documents, &err);
    buf_puts(&out, "{\"version\":");
    json_put_string(&out, s->cfg.version);
    buf_printf(&out, ",\"documents\":%lld,\"algorithm\":", (long long)documents);
    json_put_string(&out, search_default_algorithm(s));
    buf_puts(&out, ",\"model\":");
    if (chosen)
        json_put_string(&out, engine_model_id(chosen));
    else
        buf_puts(&out, "null");
    buf_puts(&out, ",\"models\":[");
    size_t n = engine_models(s->engine, models);
    for (size_t i = 0; i < n && st == OK; i++) {
        struct engine_model_status one;
        buf_puts(&out, i ? ",{" : "{");
        st = model_put_members(s, models[i], &out, &err);
        buf_putc(&out, '}');
        if (st == OK)
            st = engine_model_status(s->engine, models[i], &one, &err);
        if (st == OK && one.state != ENGINE_FAILED) {
            pending += one.pending;
            rate += one.rate;
        }
    }
    struct lru_stats cache = engine_cache_stats(s->engine);
    buf_printf(&out, "],\"queue\":{\"pending\":%lld,\"rate\":%.1f}", (long long)pending, rate);
    buf_printf(&out, ",\"query_cache\":{\"entries\":%zu,\"bytes\":%zu,\"hits\":%llu,\"misses\":%llu}}", cache.entries,
               cache.bytes, (unsigned long long)cache.hits, (unsigned long long)cache.misses);
    if (st == OK)
        answer_json(res, 200, &out);
    else
        http_problem_from(res, &err);
    buf_free(&out);
}

/* Ready means: searches are answered. By words alone counts; the answer says so, and what is missing. */
void handle_readyz(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *m = engine_default(s->engine, LEG_vector);
    for (enum leg_number leg = 0; leg < LEG_COUNT && !m; leg++)
        m = engine_default(s->engine, leg);
    struct error err = {OK, ""};
    struct buf out;
    (void)req;
    const struct http_server *server = atomic_load(&s->server);
    bool draining = server && http_server_draining(server);
    int64_t documents = 0;
    struct error unwritable = {OK, ""};
    bool database = search_store_ping(s->store, &err) == OK && search_store_count(s->store, &documents, &err) == OK;
    bool writable = database && search_store_writable(s->store, &unwritable) == OK;
    buf_init(&out, 16384);
    buf_printf(&out, "{\"status\":\"%s\",\"version\":", draining ? "draining" : database ? "ready" : "not ready");
    json_put_string(&out, s->cfg.version);
    buf_puts(&out, ",\"algorithm\":");
    json_put_string(&out, search_default_algorithm(s));
    buf_printf(&out, ",\"checks\":{\"database\":{\"status\":\"%s\"",
               writable   ? "ok"
               : database ? "read only" /* told, but no reason to take the service out: searches need no more */
                          : "failed");
    if (database)
        buf_printf(&out, ",\"documents\":%lld", (long long)documents);
    if (!writable) {
        buf_puts(&out, ",\"error\":");
        json_put_string(&out, database ? unwritable.message : err.message);
    }
    buf_puts(&out, "},\"model\":{");
    if (m) {
        enum engine_state state = engine_model_state(m);
        struct engine_model_status status;
        buf_printf(&out, "\"status\":\"%s\",\"id\":", state == ENGINE_READY ? "ok" : engine_state_name(state));
        json_put_string(&out, engine_model_id(m));
        if (state == ENGINE_FAILED && engine_model_status(s->engine, m, &status, &err) == OK) {
            buf_puts(&out, ",\"error\":");
            json_put_string(&out, status.error);
        }
        if (state != ENGINE_READY)
            buf_puts(&out, ",\"message\":\"searching without the model until it is loaded\"");
    } else {
        buf_puts(&out, "\"status\":\"none\",\"message\":\"no model is installed; "
                       "peel model pull intfloat/multilingual-e5-small downloads one\"");
    }
    buf_puts(&out, "}}}");
    answer_json(res, database && !draining ? 200 : 503, &out);
}

/* --- metrics --- */

static void of_model(struct buf *out, const char *name, const struct engine_model *m, const char *more, double value)
{
    struct buf labels;
    buf_init(&labels, 1024);
    buf_puts(&labels, "model=\"");
    metric_label(&labels, engine_model_id(m));
    buf_printf(&labels, "\"%s", more);
    metric_value(out, name, buf_str(&labels), value);
    buf_free(&labels);
}

static void model_metrics(struct search_service *s, struct buf *out)
{
    struct engine_model *models[ENGINE_MAX_MODELS];
    struct engine_model_status status[ENGINE_MAX_MODELS];
    size_t n = engine_models(s->engine, models), known = 0;
    for (size_t i = 0; i < n; i++)
        if (engine_model_status(s->engine, models[i], &status[known], NULL) == OK)
            models[known++] = models[i];
    metric_family(out, "peel_search_model_ready", "gauge", "1 when the model is loaded.");
    for (size_t i = 0; i < known; i++)
        of_model(out, "peel_search_model_ready", models[i], "", status[i].state == ENGINE_READY);
    metric_family(out, "peel_search_images", "gauge", "Images by model and state.");
    for (size_t i = 0; i < known; i++) {
        of_model(out, "peel_search_images", models[i], ",state=\"indexed\"", (double)status[i].indexed);
        of_model(out, "peel_search_images", models[i], ",state=\"pending\"", (double)status[i].pending);
        of_model(out, "peel_search_images", models[i], ",state=\"failed\"", (double)status[i].failed);
    }
    metric_family(out, "peel_search_model_bytes", "gauge", "Memory of the packed weights.");
    for (size_t i = 0; i < known; i++)
        of_model(out, "peel_search_model_bytes", models[i], "", (double)status[i].model_bytes);
    metric_family(out, "peel_search_index_bytes", "gauge", "Memory of the vectors.");
    for (size_t i = 0; i < known; i++)
        of_model(out, "peel_search_index_bytes", models[i], "", (double)status[i].vector_bytes);
    metric_family(out, "peel_search_vector_lists", "gauge",
                  "Lists of vectors, of which a search reads the nearest; 0 when it reads all vectors.");
    for (size_t i = 0; i < known; i++)
        of_model(out, "peel_search_vector_lists", models[i], "", (double)status[i].accuracy.lists);
    metric_family(out, "peel_search_vector_recall", "gauge",
                  "Share of the nearest vectors that recent searches found, by how many were asked for.");
    for (size_t i = 0; i < known; i++) {
        of_model(out, "peel_search_vector_recall", models[i], ",nearest=\"10\"", status[i].accuracy.recall_10);
        of_model(out, "peel_search_vector_recall", models[i], ",nearest=\"200\"", status[i].accuracy.recall_200);
    }
    metric_family(out, "peel_search_vector_samples_total", "counter",
                  "Searches that were compared with the exact answer.");
    for (size_t i = 0; i < known; i++)
        of_model(out, "peel_search_vector_samples_total", models[i], "", (double)status[i].accuracy.samples);
}

static void engine_metrics(struct search_service *s, struct buf *out)
{
    const struct engine_times *times = engine_times(s->engine);
    struct lru_stats cache = engine_cache_stats(s->engine);
    metric_family(out, "peel_search_encode_duration_seconds", "histogram",
                  "Time to encode a text or a batch of images.");
    metric_histogram(out, "peel_search_encode_duration_seconds", "input=\"text\"", &times->queries.text);
    metric_histogram(out, "peel_search_encode_duration_seconds", "input=\"images\"", &times->images);
    metric_one(out, "peel_search_images_encoded_total", "counter", "Images encoded.",
               (double)atomic_load(&times->encoded));
    metric_family(out, "peel_search_nearest_duration_seconds", "histogram", "Time to search the vectors.");
    metric_histogram(out, "peel_search_nearest_duration_seconds", "", &times->queries.nearest);
    metric_one(out, "peel_search_query_cache_hits_total", "counter", "Query vectors found in memory.",
               (double)cache.hits);
    metric_one(out, "peel_search_query_cache_misses_total", "counter", "Query vectors that had to be encoded.",
               (double)cache.misses);
    metric_one(out, "peel_search_query_cache_bytes", "gauge", "Memory of the query vectors.", (double)cache.bytes);
}

void handle_metrics(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    int64_t documents = 0;
    struct buf out;
    (void)req;
    bool database = search_store_count(s->store, &documents, NULL) == OK;
    buf_init(&out, ANSWER_MAX);
    struct http_server *server = atomic_load(&s->server);
    if (server)
        http_server_metrics(server, &out);
    search_store_metrics(s->store, "peel_search", &out);
    metric_one(&out, "peel_search_database_up", "gauge", "1 when the database answers.", database);
    if (database)
        metric_one(&out, "peel_search_documents", "gauge", "Documents that can be found.", (double)documents);
    metric_family(&out, "peel_search_searches_total", "counter", "Searches answered, by algorithm.");
    for (size_t i = 0; i < rank_algorithm_count; i++)
        buf_printf(&out, "peel_search_searches_total{algorithm=\"%s\"} %llu\n", rank_algorithms[i].name,
                   (unsigned long long)atomic_load(&s->searches[i]));
    model_metrics(s, &out);
    engine_metrics(s, &out);
    metric_process(&out, "search", s->cfg.version);
    size_t len = out.len;
    if (!out.failed)
        http_body_take(res, 200, "text/plain; version=0.0.4; charset=utf-8", buf_take(&out), len);
    else
        http_problem_unfinished(res, &out, "metrics");
    buf_free(&out);
}
