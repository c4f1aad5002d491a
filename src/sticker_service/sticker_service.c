/* Opens the parts of StickerService in the order of their needs, serves, and closes them in reverse. */
#include "sticker_service/sticker_service.h"

#include "base/log.h"
#include "http/cors.h"
#include "import/picture.h"
#include "mcp/mcp.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/api/api.h"
#include "sticker_service/compat/compat.h"
#include "sticker_service/gallery/gallery.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_json.h"

#include <string.h>

#define STARTS_MS       60000
#define STARTS_COUNT    64
#define PASSWORD_CHECKS 2          /* at once: logging in must not take all memory, nor all processors from searches */
#define CURATION_BODY   (8u << 20) /* all pins, or all synonyms */

#define IMAGE_WORKERS 2 /* beside the heavy one; docs/PROTECTION.md says what they may take */

static const struct http_route routes[] = {
    {HTTP_GET, "/api/search/", handle_api_search, HTTP_KEYED, 0, "search"},
    {HTTP_POST, "/api/feedback/", handle_api_feedback, HTTP_KEYED, 1u << 20, "feedback"},
    {HTTP_POST, "/api/events/", handle_api_events, HTTP_KEYED, 1u << 20, "events"},
    {HTTP_GET, "/api/analytics/", handle_api_analytics, HTTP_COSTLY, 0, "analytics"},
    {HTTP_GET, "/api/analytics/export", handle_api_export, HTTP_COSTLY, 0, "export"},
    {HTTP_POST, "/api/stickers/bulk", handle_api_sticker_bulk, HTTP_COSTLY, API_BULK, "sticker_bulk"},
    {HTTP_GET, "/api/stickers/{filename}", handle_api_sticker, HTTP_KEYED, 0, "sticker"},
    {HTTP_PUT, "/api/stickers/{filename}", handle_api_sticker_put, HTTP_ADMITS | HTTP_ASIDE | HTTP_COSTLY, API_PICTURE,
     "sticker_put"},
    {HTTP_PATCH, "/api/stickers/{filename}", handle_api_sticker_patch, 0, API_WORDS, "sticker_patch"},
    {HTTP_DELETE, "/api/stickers/{filename}", handle_api_sticker_delete, 0, 0, "sticker_delete"},
    {HTTP_GET, "/api/stickers/{filename}/similar", handle_api_similar, HTTP_KEYED, 0, "similar"},
    {HTTP_GET, "/api/random/", handle_api_random, HTTP_KEYED, 0, "random"},
    {HTTP_GET, "/api/trending/", handle_api_trending, HTTP_KEYED, 0, "trending"},
    {HTTP_GET, "/api/packs/", handle_api_packs, HTTP_KEYED, 0, "packs"},
    {HTTP_GET, "/api/packs/{pack...}", handle_api_pack, HTTP_KEYED, 0, "pack"},
    {HTTP_GET, "/api/categories/", handle_api_categories, HTTP_KEYED, 0, "categories"},
    {HTTP_GET, "/api/suggest/", handle_api_suggest, HTTP_INLINE | HTTP_KEYED, 0, "suggest"},
    {HTTP_GET, "/api/pins/", handle_api_pins, HTTP_COSTLY, 0, "pins"},
    {HTTP_POST, "/api/pins/", handle_api_pins_put, HTTP_COSTLY, CURATION_BODY, "pins_put"},
    {HTTP_DELETE, "/api/pins/", handle_api_pins_delete, 0, 0, "pins_delete"},
    {HTTP_GET, "/api/synonyms/", handle_api_synonyms, HTTP_COSTLY, 0, "synonyms"},
    {HTTP_POST, "/api/synonyms/", handle_api_synonyms_put, HTTP_COSTLY, CURATION_BODY, "synonyms_put"},
    {HTTP_DELETE, "/api/synonyms/", handle_api_synonyms_delete, 0, 0, "synonyms_delete"},
    {HTTP_POST, "/mcp", handle_api_mcp, HTTP_ASIDE | HTTP_KEYED, MCP_MESSAGE_MAX, "mcp"},
    {HTTP_GET, "/api/counter/", handle_api_counter, HTTP_INLINE, 0, "counter"},
    {HTTP_GET, "/media/{filename}", handle_api_media, HTTP_UNLIMITED | HTTP_ASIDE, 0, "media"},
    {HTTP_GET, "/healthz", handle_api_healthz, HTTP_INLINE | HTTP_UNLIMITED | HTTP_URGENT, 0, "healthz"},
    {HTTP_GET, "/readyz", handle_api_readyz, HTTP_UNLIMITED | HTTP_URGENT, 0, "readyz"},
    {HTTP_GET, "/metrics", handle_api_metrics, HTTP_UNLIMITED | HTTP_URGENT, 0, "metrics"},
    {HTTP_GET, "/", handle_gallery, 0, 0, "gallery"},
    {HTTP_GET, "/sticker/{filename}", handle_gallery_sticker, 0, 0, "gallery_sticker"},
    {HTTP_POST, "/vote", handle_gallery_vote, 0, GALLERY_VOTE, "gallery_vote"},
    {HTTP_GET, "/oembed", handle_gallery_oembed, 0, 0, "oembed"},
    {HTTP_GET, "/static/{file}", handle_gallery_static, HTTP_INLINE | HTTP_UNLIMITED, 0, "static"},
    {HTTP_GET, "/peel-picker.js", handle_gallery_script, HTTP_INLINE | HTTP_UNLIMITED, 0, "picker"},
    {HTTP_GET, "/peel-client.js", handle_gallery_script, HTTP_INLINE | HTTP_UNLIMITED, 0, "picker"},
    {HTTP_GET, "/peel-parts.js", handle_gallery_script, HTTP_INLINE | HTTP_UNLIMITED, 0, "picker"},
    {HTTP_GET, "/peel-picker.json", handle_picker_texts, HTTP_INLINE | HTTP_UNLIMITED, 0, "picker"},
    {HTTP_GET, "/demo", handle_demo, 0, 0, "demo"},
    {HTTP_GET, "/packs/", handle_gallery_packs, 0, 0, "gallery_packs"},
    {HTTP_GET, "/packs/{pack...}", handle_gallery_pack, 0, 0, "gallery_packs"},
    {HTTP_GET, "/tenor/v2/search", handle_tenor_search, HTTP_KEYED, 0, "tenor_search"},
    {HTTP_GET, "/tenor/v2/featured", handle_tenor_featured, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/posts", handle_tenor_posts, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/categories", handle_tenor_categories, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/autocomplete", handle_tenor_autocomplete, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/search_suggestions", handle_tenor_autocomplete, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/trending_terms", handle_tenor_trending_terms, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/tenor/v2/registershare", handle_tenor_registershare, HTTP_KEYED, 0, "tenor"},
    {HTTP_GET, "/giphy/v1/gifs/search/tags", handle_giphy_tags, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/tags/related/{term}", handle_giphy_related_tags, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/trending/searches", handle_giphy_trending_searches, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/channels/search", handle_giphy_channels, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/gifs/categories", handle_giphy_categories, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/gifs/categories/{path...}", handle_giphy_category, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/emoji", handle_giphy_emoji, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v2/emoji", handle_giphy_emoji, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v2/emoji/{id}/variations", handle_giphy_variations, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/randomid", handle_giphy_randomid, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/gifs", handle_giphy_gifs, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/{type}/search", handle_giphy_search, HTTP_KEYED, 0, "giphy_search"},
    {HTTP_GET, "/giphy/v1/{type}/trending", handle_giphy_trending, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/{type}/translate", handle_giphy_translate, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/{type}/random", handle_giphy_random, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/{type}/related", handle_giphy_related, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/{type}/animate", handle_giphy_trending, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/gifs/{id}", handle_giphy_gif, HTTP_KEYED, 0, "giphy"},
    {HTTP_GET, "/giphy/v1/internal/gifs/{id}", handle_giphy_gif, HTTP_KEYED, 0, "giphy"},
    {HTTP_POST, "/giphy/v2/pingback", handle_giphy_pingback, 0, COMPAT_BODY, "giphy_pingback"},
    {HTTP_GET, "/giphy/v2/pingback_simple", handle_giphy_pingback_simple, 0, 0, "giphy_pingback"},
    {HTTP_GET | HTTP_POST | HTTP_DELETE, "/klipy/api/v1/{path...}", handle_klipy, HTTP_KEYED, COMPAT_BODY, "klipy"},
    {HTTP_GET, "/api/openapi.json", handle_openapi, HTTP_INLINE, 0, "openapi"},
    {HTTP_GET, "/api/docs", handle_docs, 0, 0, "docs"},
    {HTTP_GET, "/docs/", handle_manual, 0, 0, "manual"},
    {HTTP_GET, "/docs/{page}", handle_manual, 0, 0, "manual"},
    {HTTP_GET, "/admin/", handle_admin_dashboard, 0, 0, "admin"},
    {HTTP_GET, "/admin/login", handle_admin_login_page, 0, 0, "admin_login"},
    {HTTP_POST, "/admin/login", handle_admin_login, HTTP_COSTLY, ADMIN_FORM_SMALL, "admin_login"},
    {HTTP_POST, "/admin/login/code", handle_admin_code, HTTP_COSTLY, ADMIN_FORM_SMALL, "admin_login"},
    {HTTP_POST, "/admin/logout", handle_admin_logout, 0, ADMIN_FORM_SMALL, "admin_logout"},
    {HTTP_GET, "/admin/password", handle_admin_password_page, 0, 0, "admin_password"},
    {HTTP_POST, "/admin/password", handle_admin_password, 0, ADMIN_FORM_SMALL, "admin_password"},
    {HTTP_GET, "/admin/account", handle_admin_account_page, 0, 0, "admin_account"},
    {HTTP_POST, "/admin/account", handle_admin_account, 0, ADMIN_FORM_SMALL, "admin_account"},
    {HTTP_GET, "/admin/two-factor", handle_admin_two_factor_page, 0, 0, "admin_two_factor"},
    {HTTP_POST, "/admin/two-factor", handle_admin_two_factor, HTTP_COSTLY, ADMIN_FORM_SMALL, "admin_two_factor"},
    {HTTP_GET, "/admin/stickers/upload/", handle_admin_upload_page, 0, 0, "admin_upload"},
    {HTTP_POST, "/admin/stickers/upload/", handle_admin_upload, HTTP_ADMITS | HTTP_ASIDE, ADMIN_UPLOAD, "admin_upload"},
    {HTTP_GET, "/admin/import/", handle_admin_import_page, 0, 0, "admin_import"},
    {HTTP_POST, "/admin/import/", handle_admin_import, HTTP_ADMITS | HTTP_ASIDE | HTTP_SPOOL, ADMIN_IMPORT,
     "admin_import"},
    {HTTP_GET, "/admin/import/staged", handle_admin_import_staged_page, 0, 0, "admin_import_staged"},
    {HTTP_POST, "/admin/import/staged", handle_admin_import_staged, 0, ADMIN_FORM, "admin_import_staged"},
    {HTTP_GET, "/admin/import/image", handle_admin_import_image, HTTP_ASIDE, 0, "admin_import_image"},
    {HTTP_GET, "/admin/import/undo", handle_admin_import_undo_page, 0, 0, "admin_import_undo"},
    {HTTP_POST, "/admin/import/undo", handle_admin_import_undo, 0, ADMIN_FORM_SMALL, "admin_import_undo"},
    {HTTP_GET, "/admin/documents/edit", handle_admin_document_page, 0, 0, "admin_document"},
    {HTTP_POST, "/admin/documents/reindex", handle_admin_document_reindex, 0, ADMIN_FORM_SMALL, "admin_document"},
    {HTTP_GET, "/admin/search/", handle_admin_console, 0, 0, "admin_console"},
    {HTTP_POST, "/admin/search/", handle_admin_console_decide, 0, ADMIN_FORM_SMALL, "admin_console"},
    {HTTP_GET, "/admin/stickers/keywords", handle_admin_keywords_page, 0, 0, "admin_keywords"},
    {HTTP_GET, "/admin/trash/image", handle_admin_trash_image, HTTP_ASIDE, 0, "admin_trash_image"},
    {HTTP_POST, "/admin/history/undo", handle_admin_undo, 0, ADMIN_FORM_SMALL, "admin_undo"},
    {HTTP_GET, "/admin/packs/", handle_admin_packs, 0, 0, "admin_packs"},
    {HTTP_POST, "/admin/packs/", handle_admin_packs_change, 0, ADMIN_FORM, "admin_packs"},
    {HTTP_GET, "/admin/duplicates/", handle_admin_duplicates, HTTP_ASIDE, 0, "admin_duplicates"},
    {HTTP_POST, "/admin/duplicates/", handle_admin_duplicates_change, HTTP_ASIDE, ADMIN_FORM_SMALL, "admin_duplicates"},
    {HTTP_GET, "/admin/webhooks/", handle_admin_webhooks, 0, 0, "admin_webhooks"},
    {HTTP_POST, "/admin/webhooks/", handle_admin_webhooks_change, 0, ADMIN_FORM_SMALL, "admin_webhooks"},
    {HTTP_GET, "/admin/settings", handle_admin_settings, 0, 0, "admin_settings"},
    {HTTP_GET, "/admin/experiments/", handle_admin_experiments, 0, 0, "admin_experiments"},
    {HTTP_POST, "/admin/experiments/", handle_admin_experiments_change, 0, ADMIN_FORM_SMALL, "admin_experiments"},
    {HTTP_GET, "/admin/learning/", handle_admin_learning, 0, 0, "admin_learning"},
    {HTTP_POST, "/admin/learning/", handle_admin_learning_decide, 0, ADMIN_FORM_SMALL, "admin_learning"},
    {HTTP_GET, "/admin/find", handle_admin_find, 0, 0, "admin_find"},
    {HTTP_POST, "/admin/{table}/views", handle_admin_view, 0, ADMIN_FORM_SMALL, "admin_views"},
    {HTTP_GET, "/admin/{table}/", handle_admin_list, 0, 0, "admin_list"},
    {HTTP_GET, "/admin/{table}/export", handle_admin_export, HTTP_COSTLY, 0, "admin_export"},
    {HTTP_GET, "/admin/{table}/edit", handle_admin_edit_page, 0, 0, "admin_edit"},
    {HTTP_POST, "/admin/{table}/edit", handle_admin_edit, 0, ADMIN_FORM, "admin_edit"},
    {HTTP_GET, "/admin/{table}/delete", handle_admin_delete_page, 0, 0, "admin_delete"},
    {HTTP_POST, "/admin/{table}/action", handle_admin_action, 0, ADMIN_FORM, "admin_action"},
};

/* Who may send a large body: an app with a token, or somebody on the admin's pages. */
static bool admit(void *ctx, const struct http_request *req, struct http_response *res)
{
    return strncmp(req->path, "/api/", 5) == 0 ? api_admit(ctx, req, res) : admin_admit(ctx, req, res);
}

static void which_app(void *ctx, const struct http_request *req, unsigned cost, bool again, struct http_app *out)
{
    struct sticker_service *s = ctx;
    app_keys_ask(s->app_keys, req, cost, again, out);
}

struct sticker_service_config sticker_service_defaults(void)
{
    return (struct sticker_service_config){
        .http = {.host = "127.0.0.1",
                 .port = 8000,
                 .listen_fd = -1,
                 .io_threads = 2,
                 .workers = 32,
                 .max_queue = 1024,
                 .max_connections = 1024,
                 .timeout_s = 30,
                 .rate_burst = 200,
                 .stop_fd = -1,
                 .finish_ms = 5000},
        .connections = 8,
        .cache_bytes = 512u << 20,
        .search_deadline_ms = 2000,
        .search_connect_ms = 500,
        .search_idle = 64,
        .breaker_failures = 5,
        .breaker_retry_ms = 1000,
        .query_clients = 5,
        .usage_flush_ms = 500,
        .answer_cache_ms = 1000,
        .answer_cache_count = 1024,
        .explore = 10,
        .outbox_poll_ms = 300,
        .outbox_parallel = 4, /* as many threads has SearchService for changes, by default */
        .session_idle_s = 3600,
        .session_most_s = 43200,
        .trash_days = 30,
        .query_days = 90,
        .voter_days = 400,
        .event_days = 90,
        .votes_half_life_days = 180,
        .address_days = 90,
        .secure_cookies = "auto",
        .version = "",
    };
}

static enum status open_retention(struct sticker_service *s, struct error *err)
{
    const struct sticker_service_config *cfg = s->cfg;
    const int64_t keep_us[RETENTIONS] = {[RETAIN_QUERIES] = cfg->query_days * STORE_DAY_US,
                                         [RETAIN_VOTERS] = cfg->voter_days * STORE_DAY_US,
                                         [RETAIN_EVENTS] = cfg->event_days * STORE_DAY_US,
                                         [RETAIN_ADDRESSES] = cfg->address_days * STORE_DAY_US,
                                         [RETAIN_SESSIONS] = cfg->session_most_s * 1000000,
                                         [RETAIN_LOGINS] = LOGIN_FORGOTTEN_US,
                                         [RETAIN_KEYS] = STORE_ONCE_US,
                                         [RETAIN_DELIVERIES] = STORE_DELIVERIES_US};
    return retention_open(s->store, keep_us, &s->retention, err);
}

static enum status look_at_picture(void *ctx, const char *filename, struct error *err)
{
    struct sticker_service *s = ctx;
    while (sem_wait(&s->uploads) != 0)
        continue;
    enum status st = picture_look(filename, s->bucket, s->sandbox, s->store, err);
    sem_post(&s->uploads);
    return st;
}

/* In the form of whoever is asked: another service's, or a page. */
static bool refuse(void *ctx, const struct http_request *req, struct http_response *res, int status, unsigned retry_s)
{
    return compat_refuse(req, res, status) || gallery_refuse(ctx, req, res, status, retry_s);
}

static enum status open_parts(struct sticker_service *s, struct error *err)
{
    const struct sticker_service_config *cfg = s->cfg;
    struct http_client_config search = {.base_url = cfg->search_url,
                                        .token = cfg->search_token,
                                        .connect_timeout_ms = cfg->search_connect_ms,
                                        .max_idle = cfg->search_idle,
                                        .breaker_failures = cfg->breaker_failures,
                                        .breaker_retry_ms = cfg->breaker_retry_ms};
    struct http_client_config indexing = search;
    indexing.max_idle = cfg->outbox_parallel;
    indexing.breaker_failures = 0; /* the outbox has its own back-off */
    if (cfg->public_url && *cfg->public_url && !cors_is_origin(cfg->public_url))
        return err_set(err, ERR_INVALID,
                       "public-url: expected an origin such as https://peel.example, without a final slash, found"
                       " \"%.80s\"",
                       cfg->public_url);
    enum status status = sticker_store_open(cfg->database, cfg->connections, &s->store, err);
    if (status == OK) {
        sticker_store_show(s->store, sticker_json_show, s);
        status = bucket_open(cfg->bucket, cfg->s3, &s->bucket, err);
    }
    if (status == OK)
        status = sandbox_open(IMAGE_WORKERS, &s->sandbox, err);
    if (status == OK)
        status = thumbs_open(cfg->cache_dir, cfg->cache_bytes, cfg->http.workers / 2, s->sandbox, &s->thumbs, err);
    if (status == OK)
        status = http_client_open(&search, &s->search, err);
    if (status == OK)
        status = http_client_open(&indexing, &s->indexing, err);
    if (status == OK)
        status = answers_open(cfg->answer_cache_ms, cfg->answer_cache_count, &s->answers, err);
    if (status == OK)
        status = answers_open(cfg->answer_cache_ms ? STARTS_MS : 0, STARTS_COUNT, &s->starts, err);
    if (status == OK)
        status = collection_open(s->store, cfg->query_clients, &s->collection, err);
    if (status == OK)
        status = curation_open(s->store, s->indexing, s->answers, s->starts, &s->curation, err);
    if (status == OK)
        status = app_keys_open(s->store, cfg->require_key, &s->app_keys, err);
    if (status == OK)
        status = receipts_open(s->store, &s->receipts, err);
    if (status == OK)
        status = experiments_open(s->store, s->answers, &s->experiments, err);
    if (status == OK)
        status = newcomers_open(s->store, &s->newcomers, err);
    if (status == OK)
        status = learn_open(s->store, s->indexing, s->answers, s->starts,
                            &(struct learn_settings){cfg->votes_half_life_days}, &s->learn, err);
    if (status == OK)
        status = usage_open(s->store, cfg->usage_flush_ms, &s->usage, err);
    if (status == OK)
        status = peer_status_open(s->indexing, s->search, &s->peer_status, err);
    if (status == OK)
        status = outbox_open(s->store, s->indexing, cfg->outbox_poll_ms, cfg->outbox_parallel, look_at_picture, s,
                             &s->outbox, err);
    if (status == OK)
        status = webhooks_open(s, &s->webhooks, err);
    if (status == OK)
        status = trash_open(s->store, s->bucket, &s->uploads, cfg->trash_days, &s->trash, err);
    if (status == OK)
        status = imports_open(s, &s->imports, err);
    if (status == OK)
        status = open_retention(s, err);
    if (status == OK && cfg->audit_log && *cfg->audit_log)
        status = audit_log_open(s->store, cfg->audit_log, &s->audit_log, err);
    if (status != OK)
        return status;
    struct http_server_config server = {.http = cfg->http,
                                        .routes = routes,
                                        .n_routes = sizeof routes / sizeof *routes,
                                        .ctx = s,
                                        .admit = admit,
                                        .app = which_app,
                                        .refuse = refuse,
                                        .metrics_prefix = "peel_sticker"};
    struct http_server *http = NULL;
    status = http_server_open(&server, &http, err);
    atomic_store(&s->server, http);
    return status;
}

static void close_parts(struct sticker_service *s)
{
    sandbox_stop(s->sandbox, s->cfg->http.finish_ms / 2); /* or requests would wait for images past their time */
    http_server_close(atomic_load(&s->server), s->cfg->http.finish_ms);
    audit_log_close(s->audit_log);
    retention_close(s->retention);
    imports_close(s->imports);
    trash_close(s->trash);
    webhooks_close(s->webhooks);
    outbox_close(s->outbox);
    peer_status_close(s->peer_status);
    usage_close(s->usage);
    newcomers_close(s->newcomers);
    experiments_close(s->experiments);
    learn_close(s->learn);
    receipts_close(s->receipts);
    app_keys_close(s->app_keys);
    collection_close(s->collection);
    curation_close(s->curation);
    answers_close(s->starts);
    answers_close(s->answers);
    http_client_close(s->indexing);
    http_client_close(s->search);
    thumbs_close(s->thumbs);
    sandbox_close(s->sandbox);
    bucket_close(s->bucket);
    sticker_store_close(s->store);
}

enum status sticker_service_run(const struct sticker_service_config *cfg, struct error *err)
{
    struct sticker_service s = {.cfg = cfg};
    sem_init(&s.password_checks, 0, PASSWORD_CHECKS);
    sem_init(&s.uploads, 0, 1);
    enum status status = open_parts(&s, err);
    if (status == OK)
        status = http_server_serve(s.server, err);
    close_parts(&s);
    sem_destroy(&s.uploads);
    sem_destroy(&s.password_checks);
    return status;
}
