/* peel search-service, peel sticker-service: one service in this process, until SIGTERM, SIGINT or
 * SIGHUP, which a thread of their own waits for, so that no handler runs in between. */
#include "base/log.h"
#include "base/os.h"
#include "cmd/admin.h"
#include "cmd/cmd.h"
#include "cmd/observe.h"
#include "cmd/runtime.h"
#include "search_service/search_service.h"
#include "sticker_service/sticker_service.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

/* The first signal makes the descriptor readable. Who sends another does not want to wait any longer. */
static void *wait_for_signals(void *arg)
{
    int fd = (int)(intptr_t)arg, number;
    int64_t stopped_us = 0;
    sigset_t set;
    stop_signals(&set);
    while (sigwait(&set, &number) == 0) {
        if (!stopped_us) {
            stopped_us = os_monotonic_us();
            if (eventfd_write(fd, 1) != 0)
                log_error("cannot tell the service to stop: %s", strerror(errno));
        } else if (os_monotonic_us() - stopped_us > CMD_TWICE_US) {
            log_warn("asked twice to stop; exiting at once");
            _exit(EXIT_FAILED);
        }
    }
    return NULL;
}

/* The descriptor and the thread stay until the process ends. */
static enum status open_stop_fd(int *fd, struct error *err)
{
    pthread_t thread;
    sigset_t set;
    stop_signals(&set);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before there are threads, which inherit it */
    *fd = eventfd(0, EFD_CLOEXEC);
    if (*fd < 0 || pthread_create(&thread, NULL, wait_for_signals, (void *)(intptr_t)*fd) != 0)
        return err_errno(err, "cannot wait for signals");
    pthread_detach(thread);
    return OK;
}

/* Who is told when the service listens. */
struct ready {
    const struct config *cfg;
    const char *service, *host;
    struct runtime_file runtime;
};

/* The supervisor, if there is one; else whoever looks into the data folder. */
static void tell_ready(void *arg, uint16_t port)
{
    struct ready *r = arg;
    struct error err;
    struct arena a;
    int fd = (int)config_int(r->cfg, "ready-fd");
    if (fd >= 0) {
        if (write(fd, "r", 1) != 1)
            log_warn("cannot tell the supervisor: %s", strerror(errno));
        close(fd);
    }
    if (config_int(r->cfg, "listen-fd") >= 0)
        return; /* it opened the socket, and has told */
    arena_init(&a, 4096);
    if (runtime_publish(config_string(r->cfg, "data"), r->service, observe_url(r->host, port, &a), &r->runtime, &err) !=
        OK)
        log_warn("other commands will not find this service: %s", err.message);
    arena_free(&a);
}

/* "CACHE_DIR/name", so that the parts of the program do not count or clean each other's files. */
static enum status cache_folder(const struct config *cfg, const char *name, struct arena *a, const char **out,
                                struct error *err)
{
    *out = arena_printf(a, "%s/%s", config_string(cfg, "cache-dir"), name);
    return *out ? os_mkdirs(*out, err) : err_no_memory(err, "the name of the cache folder");
}

/* What both services are told about HTTP; where an option is 0, a service's own default stays. */
static void read_http_options(const struct config *cfg, const char *host, const char *port, struct ready *ready,
                              struct http_options *out)
{
    ready->host = config_string(cfg, host);
    out->host = config_string(cfg, host);
    out->port = (uint16_t)config_int(cfg, port);
    out->listen_fd = (int)config_int(cfg, "listen-fd");
    if (config_int(cfg, "io-threads"))
        out->io_threads = (unsigned)config_int(cfg, "io-threads");
    if (config_int(cfg, "workers"))
        out->workers = (unsigned)config_int(cfg, "workers");
    out->max_queue = (size_t)config_int(cfg, "max-queue");
    out->max_connections = (unsigned)config_int(cfg, "max-connections");
    out->client_connections = (unsigned)config_int(cfg, "client-connections");
    out->hosts = config_string(cfg, "hosts");
    out->timeout_s = (unsigned)config_int(cfg, "request-timeout-s");
    out->slow_ms = (unsigned)config_int(cfg, "slow-request-ms");
    out->shed_ms = (unsigned)config_int(cfg, "shed-wait-ms");
    out->drain_ms = (unsigned)config_int(cfg, "drain-ms");
    out->finish_ms = (unsigned)config_int(cfg, "shutdown-timeout-ms");
    out->ready = tell_ready;
    out->ready_arg = ready;
}

static int exit_status(enum status st, const struct error *err)
{
    if (st == OK)
        return EXIT_OK;
    log_error("%s", err->message);
    return EXIT_FAILED;
}

/* Tags between commas; "*": all. */
static enum status read_languages(const char *list, struct language_set *out, struct error *err)
{
    *out = (struct language_set){0};
    language_set_add(out, LANGUAGE_en);
    for (unsigned i = 0; i < LANGUAGE_COUNT && strcmp(list, "*") == 0; i++)
        language_set_add(out, i);
    if (strcmp(list, "*") == 0)
        return OK;
    for (size_t n; *list; list += n + (list[n] == ',')) {
        char tag[LANGUAGE_MAX_TAG + 1];
        n = strcspn(list, ",");
        snprintf(tag, sizeof tag, "%.*s", (int)(n < sizeof tag ? n : sizeof tag - 1), list);
        if (n > LANGUAGE_MAX_TAG || !language_valid(tag))
            return err_set(err, ERR_INVALID, "--sentence-languages: expected tags such as es,pt-BR, found \"%.64s\"",
                           tag);
        language_set_add(out, language_number(tag));
    }
    return OK;
}

int cmd_search_service(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct bucket_s3 s3;
    struct ready ready = {.cfg = cfg, .service = RUNTIME_SEARCH, .runtime = {.fd = -1}};
    struct search_service_config service = {
        .max_body = (size_t)config_int(cfg, "max-body-bytes"),
        .deadline_ms = (unsigned)config_int(cfg, "search-deadline-ms"),
        .embeddings_ms = (unsigned)config_int(cfg, "embeddings-timeout-ms"),
        .connections = (unsigned)config_int(cfg, "search-db-connections"),
        .bucket = config_string(cfg, "bucket"),
        .s3 = &s3,
        .models_dir = config_string(cfg, "models-dir"),
        .model = config_string(cfg, "model"),
        .precision = config_string(cfg, "precision"),
        .vector_recall = config_number(cfg, "vector-recall"),
        .vector_exact_below = (size_t)config_int(cfg, "vector-exact-below"),
        .stored_vectors = strcmp(config_string(cfg, "vectors"), "pgvector") == 0,
        .threads = (unsigned)config_int(cfg, "threads"),
        .query_cache_bytes = (size_t)config_int(cfg, "query-cache-bytes"),
        .algorithm = config_string(cfg, "algorithm"),
        .min_score = config_number(cfg, "min-score"),
        .votes_weight = config_number(cfg, "votes-weight"),
        .version = PEEL_VERSION,
    };
#define LEG_WEIGHT(name, help) service.weights[LEG_##name] = config_number(cfg, #name "-weight");
    LEG_LIST(LEG_WEIGHT)
    read_http_options(cfg, "search-host", "search-port", &ready, &service.http);
    service.http.management_port = (uint16_t)config_int(cfg, "search-management-port");
    arena_init(&a, 1u << 16);
    enum status st = open_stop_fd(&service.http.stop_fd, &err);
    if (st == OK)
        st = read_languages(config_string(cfg, "sentence-languages"), &service.languages, &err);
    if (st == OK)
        st = cmd_make_data(cfg, &err);
    if (st == OK)
        st = cmd_search_token(cfg, false, &a, &service.http.token, &err);
    if (st == OK)
        st = cmd_bucket_s3(cfg, &a, &s3, &err);
    if (st == OK)
        st = cmd_database(cfg, "search", &a, &service.search_db, &err);
    if (st == OK)
        st = cache_folder(cfg, "index", &a, &service.cache_dir, &err);
    if (st == OK && cmd_models_mirrored(cfg)) {
        service.mirror_models = true; /* weights are mapped, so they must be files here */
        st = cache_folder(cfg, "models", &a, &service.models_dir, &err);
    }
    if (st == OK)
        st = cmd_words_file(cfg, &a, &service.words, &err);
    if (st == OK && cmd_words_mirrored(cfg))
        st = cache_folder(cfg, "words", &a, &service.words_dir, &err);
    if (st == OK)
        st = search_service_run(&service, &err);
    runtime_withdraw(&ready.runtime);
    arena_free(&a);
    return exit_status(st, &err);
}

static enum status service_ensure_admin(const struct config *cfg, struct error *err)
{
    struct sticker_store *store;
    enum status st = cmd_open_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = admin_ensure(store, cfg, false, err);
    sticker_store_close(store);
    return st;
}

/* For the settings page. */
static enum status read_settings(const struct config *cfg, struct arena *a, struct sticker_service_config *out,
                                 struct error *err)
{
    struct config_setting *settings;
    enum status st = config_settings(cfg, a, &settings, &out->n_settings, err);
    struct service_setting *rows = st == OK ? arena_array(a, out->n_settings + 1, sizeof *rows) : NULL;
    if (st != OK)
        return st;
    if (!rows)
        return err_no_memory(err, "options");
    for (size_t i = 0; i < out->n_settings; i++)
        rows[i] = (struct service_setting){.group = settings[i].group,
                                           .name = settings[i].name,
                                           .value = settings[i].value,
                                           .source = settings[i].source,
                                           .help = settings[i].help,
                                           .secret = settings[i].secret};
    out->settings = rows;
    return OK;
}

int cmd_sticker_service(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct bucket_s3 s3;
    struct ready ready = {.cfg = cfg, .service = RUNTIME_STICKER, .runtime = {.fd = -1}};
    struct sticker_service_config service = sticker_service_defaults();
    read_http_options(cfg, "host", "port", &ready, &service.http);
    service.http.management_port = (uint16_t)config_int(cfg, "management-port");
    service.http.cors_origins = config_string(cfg, "cors-origins");
    service.http.rate_limit = (unsigned)config_int(cfg, "rate-limit");
    service.http.rate_burst = (unsigned)config_int(cfg, "rate-burst");
    service.http.trusted_proxies = config_string(cfg, "trusted-proxies");
    service.connections = (unsigned)config_int(cfg, "sticker-db-connections");
    service.bucket = config_string(cfg, "bucket");
    service.s3 = &s3;
    service.cache_bytes = (uint64_t)config_int(cfg, "cache-bytes");
    service.search_url = config_string(cfg, "search-url");
    service.search_deadline_ms = (unsigned)config_int(cfg, "search-timeout-ms");
    service.search_connect_ms = (unsigned)config_int(cfg, "connect-timeout-ms");
    service.breaker_failures = (unsigned)config_int(cfg, "breaker-failures");
    service.breaker_retry_ms = (unsigned)config_int(cfg, "breaker-retry-ms");
    service.query_clients = (unsigned)config_int(cfg, "query-clients");
    service.public_url = config_string(cfg, "public-url");
    service.usage_flush_ms = (unsigned)config_int(cfg, "usage-flush-ms");
    service.answer_cache_ms = (unsigned)config_int(cfg, "search-cache-ms");
    service.session_idle_s = config_int(cfg, "session-idle-s");
    service.session_most_s = config_int(cfg, "session-most-s");
    service.require_key = config_bool(cfg, "require-key");
    service.require_totp = config_bool(cfg, "require-totp");
    service.password_deny_list = config_string(cfg, "password-deny-list");
    service.query_days = config_int(cfg, "query-days");
    service.explore = config_number(cfg, "explore");
    service.voter_days = config_int(cfg, "voter-days");
    service.event_days = config_int(cfg, "event-days");
    service.votes_half_life_days = config_number(cfg, "votes-half-life-days");
    service.address_days = config_int(cfg, "address-days");
    service.audit_log = config_string(cfg, "audit-log");
    service.webhook_private = config_bool(cfg, "webhook-private");
    service.trash_days = config_int(cfg, "trash-days");
    service.secure_cookies = config_string(cfg, "secure-cookies");
    service.version = PEEL_VERSION;

    arena_init(&a, 1u << 16);
    enum status st = open_stop_fd(&service.http.stop_fd, &err);
    if (st == OK)
        st = read_settings(cfg, &a, &service, &err);
    if (st == OK)
        st = service_ensure_admin(cfg, &err);
    if (st == OK)
        st = cmd_bucket_s3(cfg, &a, &s3, &err);
    if (st == OK)
        st = cmd_database(cfg, "sticker", &a, &service.database, &err);
    if (st == OK)
        st = cache_folder(cfg, "thumbs", &a, &service.cache_dir, &err);
    if (st == OK)
        st = cache_folder(cfg, "imports", &a, &service.imports_dir, &err);
    service.downloads = config_string(cfg, "cache-dir");
    service.data = config_string(cfg, "data");
    service.http.spool = service.imports_dir;
    if (st == OK)
        st = cmd_search_token(cfg, false, &a, &service.search_token, &err);
    if (st == OK)
        st = cmd_totp_key(cfg, false, &a, &service.totp_key, &err);
    if (st == OK && *service.password_deny_list && access(service.password_deny_list, R_OK) != 0)
        st = err_errno(&err, "--password-deny-list: cannot read %s", service.password_deny_list);
    if (st == OK)
        st = sticker_service_run(&service, &err);
    runtime_withdraw(&ready.runtime);
    arena_free(&a);
    return exit_status(st, &err);
}
