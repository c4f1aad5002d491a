/* Opens the parts of SearchService in the order of their needs, serves, and closes them in reverse. */
#include "search_service/search_service.h"

#include "base/log.h"
#include "rank/leg.h"
#include "sandbox/sandbox.h"
#include "search_service/service.h"
#include "text/text.h"

#include <poll.h>
#include <stdio.h>

#define FORMS_BYTES   (4u << 20)
#define IMAGE_WORKERS 2 /* beside the heavy one; docs/PROTECTION.md says what they may take */

static bool service_stopped(void *ctx)
{
    const struct search_service *s = ctx;
    struct pollfd stop = {.fd = s->cfg.http.stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

/* When the bucket does not answer, what was copied earlier is used, and it is not asked a second time; without models
 * and words, search goes by letters alone. */
static void mirror_bucket(struct search_service *s)
{
    struct error err;
    enum status st = OK;
    if (s->cfg.mirror_models)
        st = bucket_mirror(s->bucket, "models", s->cfg.models_dir, service_stopped, s, &err);
    if (st == OK && s->cfg.words_dir)
        st = bucket_mirror(s->bucket, "words", s->cfg.words_dir, service_stopped, s, &err);
    if (st != OK && st != ERR_CANCELLED)
        log_error("cannot update the local copies of models and words in the bucket: %s", err.message);
}

const char *search_service_model_setting(enum leg_number leg, char out[64])
{
    /* that of images as it was called when there was one leg with models */
    snprintf(out, 64, leg == LEG_vector ? "model.default" : "model.default.%s", legs[leg]->name);
    return out;
}

enum status search_service_run(const struct search_service_config *cfg, struct error *err)
{
    struct search_service s = {.cfg = *cfg};
    struct http_server *http = NULL;
    struct search_service_config *c = &s.cfg;
    struct http_options *o = &c->http;
    o->host = o->host && *o->host ? o->host : "127.0.0.1";
    o->io_threads = o->io_threads ? o->io_threads : 1;
    o->workers = o->workers ? o->workers : 4;
    o->max_queue = o->max_queue ? o->max_queue : 1024;
    o->max_connections = o->max_connections ? o->max_connections : 1024;
    o->timeout_s = o->timeout_s ? o->timeout_s : 30;
    c->version = c->version ? c->version : "";
    c->max_body = c->max_body ? c->max_body : 12u << 20;
    c->deadline_ms = c->deadline_ms ? c->deadline_ms : 2000;
    c->embeddings_ms = c->embeddings_ms ? c->embeddings_ms : 30000;
    double weights = 0;
    for (size_t leg = 0; leg < LEG_COUNT; leg++)
        weights += c->weights[leg];
    for (size_t leg = 0; leg < LEG_COUNT && weights <= 0; leg++)
        c->weights[leg] = 1;
    const struct http_route routes[] = {
        {HTTP_GET, "/api/search/", handle_search, HTTP_BRIEF, 0, "search"},
        {HTTP_GET, "/api/explain", handle_explain, 0, 0, "explain"},
        {HTTP_GET, "/api/documents/", handle_document_list, 0, 0, "document_list"},
        {HTTP_POST, "/api/documents/{filename}/reindex", handle_document_reindex, HTTP_ASIDE, 0, "document_reindex"},
        {HTTP_GET, "/api/documents/{filename}", handle_document_get, 0, 0, "document_get"},
        {HTTP_PUT, "/api/documents/{filename}", handle_document_put, HTTP_ASIDE, c->max_body, "document_put"},
        {HTTP_DELETE, "/api/documents/{filename}", handle_document_delete, HTTP_ASIDE, 0, "document_delete"},
        {HTTP_GET, "/api/synonyms", handle_synonyms_get, 0, 0, "synonyms"},
        {HTTP_PUT, "/api/synonyms", handle_synonyms_put, 0, THESAURUS_MAX_BYTES, "synonyms_put"},
        {HTTP_GET, "/api/synonyms/version", handle_synonyms_version, 0, 0, "synonyms_version"},
        {HTTP_POST, "/api/priors", handle_priors_post, 0, PRIORS_MAX_BYTES, "priors_post"},
        {HTTP_GET, "/api/priors/version", handle_priors_version, 0, 0, "priors_version"},
        {HTTP_GET, "/api/models", handle_models, 0, 0, "models"},
        {HTTP_PUT, "/api/models/default", handle_model_default, 0, 4096, "model_default"},
        {HTTP_POST, "/api/models/retry", handle_model_retry, 0, 4096, "model_retry"},
        {HTTP_POST, "/api/models/forget", handle_model_forget, 0, 4096, "model_forget"},
        {HTTP_POST, "/v1/embeddings", handle_embeddings, 0, 4u << 20, "embeddings"},
        {HTTP_GET, "/v1/models", handle_openai_models, 0, 0, "openai_models"},
        {HTTP_GET, "/v1/models/{id...}", handle_openai_model, 0, 0, "openai_model"},
        {HTTP_GET, "/api/status", handle_status, 0, 0, "status"},
        {HTTP_GET, "/healthz", handle_healthz, HTTP_INLINE | HTTP_URGENT, 0, "healthz"},
        {HTTP_GET, "/readyz", handle_readyz, HTTP_URGENT, 0, "readyz"},
        {HTTP_GET, "/metrics", handle_metrics, HTTP_URGENT, 0, "metrics"},
    };
    unsigned readers = c->connections        ? c->connections
                       : o->workers + 2 < 64 ? o->workers + 2
                                             : 64; /* the engine has two threads */
    enum status st = search_store_open(c->search_db, readers, &s.store, err);
    if (st == OK && c->stored_vectors)
        st = search_store_vectors_searchable(s.store, err);
    if (st == OK && c->bucket && *c->bucket)
        st = bucket_open(c->bucket, c->s3, &s.bucket, err);
    if (st == OK && s.bucket)
        mirror_bucket(&s);
    if (st == OK)
        st = catalog_open(s.store, c->words, c->cache_dir, c->threads ? c->threads : pool_cores(), &s.catalog, err);
    if (st == OK)
        st = sandbox_open(IMAGE_WORKERS, &s.sandbox, err);
    if (st == OK)
        st = thesaurus_open(s.store, &s.thesaurus, err);
    if (st == OK)
        st = priors_open(s.store, c->votes_weight, &s.priors, err);
    if (st == OK)
        st = lru_open(FORMS_BYTES, TEXT_KEPT_BYTES, &s.forms, err);
    struct engine_config engine = {.store = s.store,
                                   .catalog = s.catalog,
                                   .bucket = s.bucket,
                                   .sandbox = s.sandbox,
                                   .models_dir = c->models_dir,
                                   .cache_dir = c->cache_dir,
                                   .model = c->model,
                                   .precision = c->precision,
                                   .languages = c->languages,
                                   .stored_vectors = c->stored_vectors,
                                   .vector_recall = c->vector_recall,
                                   .vector_exact_below = c->vector_exact_below,
                                   .threads = c->threads,
                                   .query_cache_bytes = c->query_cache_bytes};
    if (st == OK)
        st = engine_open(&engine, &s.engine, err);
    struct http_server_config server = {.http = *o,
                                        .routes = routes,
                                        .n_routes = sizeof routes / sizeof *routes,
                                        .ctx = &s,
                                        .metrics_prefix = "peel_search"};
    if (st == OK)
        st = http_server_open(&server, &http, err);
    if (st == OK) {
        atomic_store(&s.server, http);
        st = http_server_serve(http, err);
        sandbox_stop(s.sandbox, o->finish_ms / 2); /* what waits for an image is done by the next start */
        http_server_close(http, o->finish_ms);
    }
    engine_close(s.engine);
    lru_close(s.forms);
    sandbox_close(s.sandbox);
    priors_close(s.priors);
    thesaurus_close(s.thesaurus);
    catalog_close(s.catalog);
    bucket_close(s.bucket);
    search_store_close(s.store);
    return st;
}
