/* sticker_service.h: the service that customers, the ML team and admins talk to: search (a proxy that
 * counts usage), feedback, analytics, counter, images, health. The contract is docs/openapi.json.
 * The core of the room has what its inner rooms share (api, compat, gallery, admin), which do not see each other; they
 * meet in the table of routes, in sticker_service.c. The room sees its store, http, web, bucket, text and image, and
 * knows SearchService by HTTP only.
 *
 *     struct sticker_service_config cfg = sticker_service_defaults();
 *     cfg.database = "data/sticker.db", cfg.bucket = "data", cfg.cache_dir = "data/cache";
 *     cfg.search_url = "http://127.0.0.1:8118", cfg.http.stop_fd = pipe_end;
 *     if (sticker_service_run(&cfg, &err) != OK) ...
 */
#ifndef PEEL_STICKER_SERVICE_H
#define PEEL_STICKER_SERVICE_H

#include "base/status.h"
#include "bucket/bucket.h"
#include "http/server.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An option and where its value comes from, for the settings page of the admin. */
struct service_setting {
    const char *group, *name, *value; /* the value of a secret is not among them: "" */
    const char *source;               /* "default", "flag", "environment", "file" and so on */
    const char *help;
    bool secret;
};

/* All strings are borrowed until sticker_service_run returns. */
struct sticker_service_config {
    struct http_options http;

    const char *database;       /* sticker_store_open's url */
    unsigned connections;       /* connections to it; on SQLite those that read */
    const char *bucket;         /* bucket_open's url; images are "media/<filename>" in it */
    const struct bucket_s3 *s3; /* how a bucket in S3 is reached; may be NULL for a folder */
    const char *cache_dir;      /* thumbnails; made if absent, may be emptied at any time */
    const char *imports_dir;    /* what staff send to be imported; NULL: /tmp */
    const char *downloads;      /* cache of commands, whose words of emoji imports use; NULL: none */
    const char *data;           /* folder of the lock that imports take; NULL: they take none */
    uint64_t cache_bytes;       /* the most that thumbnails may take there */

    const char *search_url;      /* SearchService, "http://127.0.0.1:8118" */
    const char *search_token;    /* what it wants to see; NULL: nothing */
    unsigned search_deadline_ms; /* within which a search is answered, degraded if need be */
    unsigned search_connect_ms;
    unsigned search_idle;      /* pooled connections */
    unsigned breaker_failures; /* in a row, then no calls for breaker_retry_ms */
    unsigned breaker_retry_ms;

    const char *public_url; /* "https://peel.example", before addresses in answers; NULL or "": as clients reach us */

    unsigned query_clients;    /* different clients that search for a query before others see it, 1..STORE_CROWD */
    unsigned usage_flush_ms;   /* counts are written at most this much later */
    unsigned answer_cache_ms;  /* how long a finished answer is reused; 0 = never */
    size_t answer_cache_count; /* answers kept; ANSWERS_BYTES each on average */
    double explore;            /* percent of searches that try a new sticker; 0: none */
    unsigned outbox_poll_ms;   /* how often entries of other processes are looked for */
    unsigned outbox_parallel;  /* documents on their way at once, 1..64 */
    bool webhook_private;      /* webhooks may be at private and loopback addresses */
    int64_t session_idle_s, session_most_s; /* an admin session ends after this long unused, or in all */
    const char *password_deny_list;         /* a file of passwords that are refused; NULL: none */
    const char *totp_key;                   /* encrypts the secrets of two-factor authentication; NULL: nothing does */
    bool require_key;                       /* apps need a key, see app_keys.h */
    bool require_totp;                      /* nobody uses the admin pages without two-factor authentication */
    int64_t query_days, voter_days, event_days, address_days; /* see retention.h; 0: for ever */
    const char *audit_log;                                    /* see audit_log.h; NULL or "": none */
    double votes_half_life_days;                              /* after which a vote teaches half as much */
    int64_t trash_days;                     /* that deleted stickers can be restored; 0: they go at once */
    const struct service_setting *settings; /* [n_settings] what the settings page shows; may be NULL */
    size_t n_settings;
    const char *secure_cookies; /* "always", "never", or "auto": as trusted proxies say */
    const char *version;        /* for /metrics */
};

struct sticker_service_config sticker_service_defaults(void);

/* Opens everything, serves until stop_fd is readable, then finishes requests in flight, writes what
 * is pending and closes. Blocks. */
enum status sticker_service_run(const struct sticker_service_config *cfg, struct error *err) MUST_CHECK;

#endif
