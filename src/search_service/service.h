/* service.h: what the handlers of SearchService share; private to this room. Every handler's ctx is a
 * struct search_service, whose members are thread-safe or fixed after start. */
#ifndef PEEL_SEARCH_SERVICE_SERVICE_H
#define PEEL_SEARCH_SERVICE_SERVICE_H

#include "bucket/bucket.h"
#include "http/server.h"
#include "sandbox/sandbox.h"
#include "search_service/catalog.h"
#include "search_service/engine.h"
#include "search_service/priors.h"
#include "search_service/search_service.h"
#include "search_service/thesaurus.h"
#include "search_store/search_store.h"
#include <stdatomic.h>

struct search_service {
    struct search_service_config cfg; /* with the defaults filled in */
    struct search_store *store;
    struct bucket *bucket;   /* NULL: none */
    struct sandbox *sandbox; /* decodes images */
    struct catalog *catalog;
    struct engine *engine;
    struct thesaurus *thesaurus;
    struct priors *priors;
    struct lru *forms;                  /* of the words of queries */
    struct http_server *_Atomic server; /* NULL while it opens, when the first requests may already arrive */
    atomic_uint_fast64_t searches[8];   /* answered, by place in rank_algorithms */
    atomic_uint embedding;              /* requests to /v1/embeddings under way */
};

/* handle_search.c */
void handle_search(void *ctx, const struct http_request *req, struct http_response *res);
/* What a search asks for. Strings are in the request's arena. */
#define SEARCH_MAX_BYTES (64u << 20) /* of memory that one search may take */
struct search_request {
    struct rank_query query;
    struct document like; /* what `query.like` points at */
    const struct rank_algorithm *algorithm;
    struct engine_model *model; /* in the place of its leg's default; NULL: none */
    struct rank_sources sources;
    struct synonyms *synonyms; /* shared with the thesaurus */
    bool priors;               /* votes count */
};
/* From here on the search has the time that one may take (base/deadline.h). *out stays where it is, as it points into
 * itself, until search_request_end, also after an error. ERR_INVALID, and ERR_NOT_FOUND for a document that `like`
 * names. */
enum status search_request_read(struct search_service *s, const struct http_request *req, struct search_request *out,
                                struct error *err) MUST_CHECK;
/* Tells the query's language and ranks. ERR_UNAVAILABLE: a model that it needs is missing or loading. */
enum status search_request_rank(struct search_service *s, struct search_request *r, struct arena *a,
                                struct ranking *out, struct error *err) MUST_CHECK;
void search_request_end(struct search_request *r);
/* Answers with the error of a search. */
void search_failed(struct http_response *res, const struct error *err);

/* handle_explain.c */
void handle_explain(void *ctx, const struct http_request *req, struct http_response *res);
/* The name of the algorithm of searches that name none, at this moment. */
const char *search_default_algorithm(const struct search_service *s);
/* The model that `model=` names; NULL: it names none. ERR_INVALID names the known ones. */
enum status search_read_model(struct search_service *s, const struct http_request *req, struct engine_model **out,
                              struct error *err) MUST_CHECK;

/* handle_documents.c */
void handle_document_put(void *ctx, const struct http_request *req, struct http_response *res);
void handle_document_delete(void *ctx, const struct http_request *req, struct http_response *res);
void handle_document_get(void *ctx, const struct http_request *req, struct http_response *res);
void handle_document_reindex(void *ctx, const struct http_request *req, struct http_response *res);
/* Appends what each model has made of a document: ,"models":[{"id","state",...}]. */
enum status document_put_models(struct search_service *s, const char *filename, struct arena *a, struct buf *out,
                                struct error *err) MUST_CHECK;

/* handle_document_list.c */
void handle_document_list(void *ctx, const struct http_request *req, struct http_response *res);
/* Appends what a model has made of a document, as members of a JSON object: "state":"failed","why":"...". */
void document_put_state(const struct document_row *row, struct buf *out);

/* handle_models.c */
void handle_models(void *ctx, const struct http_request *req, struct http_response *res);
void handle_model_default(void *ctx, const struct http_request *req, struct http_response *res);
void handle_model_retry(void *ctx, const struct http_request *req, struct http_response *res);
void handle_model_forget(void *ctx, const struct http_request *req, struct http_response *res);
/* Appends one model as the members of a JSON object, without the braces. */
enum status model_put_members(struct search_service *s, struct engine_model *m, struct buf *out,
                              struct error *err) MUST_CHECK;

/* handle_priors.c */
void handle_priors_version(void *ctx, const struct http_request *req, struct http_response *res);
void handle_priors_post(void *ctx, const struct http_request *req, struct http_response *res);

/* handle_synonyms.c */
void handle_synonyms_get(void *ctx, const struct http_request *req, struct http_response *res);
void handle_synonyms_put(void *ctx, const struct http_request *req, struct http_response *res);
void handle_synonyms_version(void *ctx, const struct http_request *req, struct http_response *res);

/* handle_embeddings.c */
void handle_embeddings(void *ctx, const struct http_request *req, struct http_response *res);

/* handle_openai.c */
void handle_openai_models(void *ctx, const struct http_request *req, struct http_response *res);
void handle_openai_model(void *ctx, const struct http_request *req, struct http_response *res);
/* Answers with an error in OpenAI's shape. `param`, which member of the request is wrong, and `code`, for programs, may
 * be NULL. After a timeout it says that the same request need not be sent again. */
void openai_error(struct http_response *res, const struct error *err, const char *param, const char *code);
/* By id or folder; NULL: unknown, and then it has answered, naming the known ones. */
struct engine_model *openai_model(struct search_service *s, const char *id, struct http_response *res);

/* handle_status.c */
void handle_status(void *ctx, const struct http_request *req, struct http_response *res);
void handle_healthz(void *ctx, const struct http_request *req, struct http_response *res);
void handle_readyz(void *ctx, const struct http_request *req, struct http_response *res);
void handle_metrics(void *ctx, const struct http_request *req, struct http_response *res);

/* Answers with what was built, or with 500 when it did not fit; frees the buffer. */
void answer_json(struct http_response *res, int status, struct buf *json);

#endif
