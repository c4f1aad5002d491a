/* service.h: what the handlers of StickerService share; private to this room. Every handler's ctx is a
 * struct sticker_service; all its members are thread-safe or fixed after start. */
#ifndef PEEL_STICKER_SERVICE_SERVICE_H
#define PEEL_STICKER_SERVICE_SERVICE_H

#include "base/metric.h"
#include "bucket/bucket.h"
#include "http/client.h"
#include "http/server.h"
#include "sandbox/sandbox.h"
#include "sticker_service/answers.h"
#include "sticker_service/app_keys.h"
#include "sticker_service/audit_log.h"
#include "sticker_service/collection.h"
#include "sticker_service/curation.h"
#include "sticker_service/experiments.h"
#include "sticker_service/imports.h"
#include "sticker_service/learn.h"
#include "sticker_service/newcomers.h"
#include "sticker_service/outbox.h"
#include "sticker_service/peer_status.h"
#include "sticker_service/receipts.h"
#include "sticker_service/retention.h"
#include "sticker_service/sticker_service.h"
#include "sticker_service/thumbs.h"
#include "sticker_service/trash.h"
#include "sticker_service/usage.h"
#include "sticker_service/webhooks.h"
#include "sticker_store/sticker_store.h"
#include <semaphore.h>
#include <stdatomic.h>

/* Why a search was answered without SearchService; "answer": it answered, but not as it should. */
enum degraded_reason { DEGRADED_UNAVAILABLE, DEGRADED_TIMEOUT, DEGRADED_BREAKER, DEGRADED_ANSWER, DEGRADED_REASONS };

/* Whether SearchService has a document for each sticker. */
enum index_state { INDEX_UNKNOWN, INDEX_PENDING, INDEX_OK, INDEX_DIFFERS };

struct sticker_service {
    const struct sticker_service_config *cfg;
    struct sticker_store *store;
    struct bucket *bucket;
    struct http_client *search;   /* searches; its breaker protects customers from a slow peer */
    struct http_client *indexing; /* outbox and readiness: apart, so that slow indexing never opens that breaker */
    struct usage *usage;
    struct receipts *receipts;
    struct experiments *experiments;
    struct newcomers *newcomers;
    struct learn *learn;
    struct app_keys *app_keys;
    struct answers *answers;
    struct answers *starts; /* the stickers of start pages, by language */
    struct collection *collection;
    struct sandbox *sandbox; /* decodes images, for thumbnails and uploads */
    struct curation *curation;
    struct thumbs *thumbs;
    struct outbox *outbox;
    struct webhooks *webhooks;
    struct trash *trash;
    struct imports *imports;
    struct retention_worker *retention;
    struct audit_log *audit_log;        /* NULL: the history is in the database alone */
    sem_t password_checks;              /* how many more may run at once: each takes 64 MiB and 0.1 s */
    sem_t uploads;                      /* one picture at a time is written, so that no two are under one name */
    struct http_server *_Atomic server; /* NULL while it opens, when the first requests may already arrive */
    atomic_uint_fast64_t degraded[DEGRADED_REASONS]; /* answers given without SearchService */
    atomic_uint_fast64_t events[EVENT_ACTIONS];      /* taken, by action */
    atomic_uint_fast64_t events_failed;              /* named in an answer's "failed" */
    atomic_uint_fast64_t experiment_fallbacks;       /* searches of an experiment that had one ranking only */
    atomic_uint_fast64_t explored;                   /* answers with a new sticker that was tried */
    atomic_int_fast64_t fallback_logged_us;          /* when one was last logged, monotonic */
    struct metric_times peer_times;                  /* how long searches at SearchService took */
    atomic_int_fast64_t degraded_logged_us;          /* when a degraded search was last logged, monotonic */
    atomic_int_fast64_t search_checked_us;           /* when /readyz last asked SearchService */
    atomic_bool search_ready;                        /* whether SearchService was ready then */
    atomic_int search_index;                         /* an enum index_state: what the index was like then */
    atomic_int_least64_t search_differs_us; /* since when the numbers of a large index differ; 0: they do not */
    atomic_int_fast64_t search_documents;   /* how many documents it had */
    struct peer_status *peer_status;        /* what the dashboard shows of SearchService */
};

/* Takes one of the turns, unless none comes free within so many seconds. Whoever has one gives it back by sem_post. */
bool take_turn(sem_t *turns, unsigned wait_s) MUST_CHECK;

/* The parameter `name`, trimmed: at most 255 code points, "" when it is absent or blank. In the arena. */
enum status query_or_empty(const struct http_request *req, const char *name, const char **query,
                           struct error *err) MUST_CHECK;
/* As query_or_empty for the `query` parameter, which must not be blank. Messages as the contract has them. */
enum status query_param(const struct http_request *req, const char **query, struct error *err) MUST_CHECK;
/* The `lang` parameter: the tag of a language, NULL when absent. */
enum status lang_param(const struct http_request *req, const char **tag, struct error *err) MUST_CHECK;
/* A parameter that is true or false, or 1 or 0. */
enum status bool_param(const struct http_request *req, const char *name, bool fallback, bool *out,
                       struct error *err) MUST_CHECK;
/* The parameters of a filter, into one that lets everything through. */
enum status filter_params(const struct http_request *req, struct sticker_filter *out, struct error *err) MUST_CHECK;
/* The language that the reader wants most, by Accept-Language (RFC 9110, 12.5.4), of those that suit (NULL: all do):
 * its tag, in the arena; NULL when none is named, or there is no memory. */
const char *lang_accepted(const struct http_request *req, bool (*suits)(const char *tag));
/* Narrows s to what is stored: ERR_INVALID when nothing is left, ERR_TOO_LARGE past 255 code points. */
enum status query_trim(const char **s, size_t *len) MUST_CHECK;

/* Appends "/media/<filename>?v=<hash>", or "/media/<filename>?w=256&v=<hash>" when width is not 0. `still`: what
 * moves shall not, there. */
void media_url(struct buf *out, const char *filename, const char *sha256, unsigned width, bool still);

#endif
