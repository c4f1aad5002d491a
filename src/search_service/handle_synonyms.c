/* /api/synonyms: the set of synonyms that searches use, sent by StickerService as a whole; /api/synonyms/version:
 * whether it is still that one. */
#include "search_service/service.h"

#define MEMORY (2 * THESAURUS_MAX_BYTES)

static void put_version(struct search_service *s, struct buf *out)
{
    char version[65];
    thesaurus_version(s->thesaurus, version);
    struct synonyms *synonyms = thesaurus_synonyms(s->thesaurus);
    buf_printf(out, "{\"version\":\"%s\",\"count\":%zu", version, synonyms_count(synonyms));
    synonyms_close(synonyms);
}

void handle_synonyms_version(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)req;
    struct buf out;
    buf_init(&out, 1024);
    put_version(ctx, &out);
    buf_putc(&out, '}');
    answer_json(res, 200, &out);
}

void handle_synonyms_get(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct arena a;
    struct buf out;
    struct error err;
    const char *json;
    (void)req;
    arena_init(&a, MEMORY);
    if (thesaurus_json(s->thesaurus, &a, &json, &err) == OK) {
        buf_init(&out, MEMORY);
        buf_puts(&out, *json ? json : "{\"synonyms\":[]}");
        answer_json(res, 200, &out);
    } else {
        http_problem_from(res, &err);
    }
    arena_free(&a);
}

void handle_synonyms_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct buf out;
    struct error err;
    bool changed;
    if (thesaurus_put(s->thesaurus, req->body, req->body_len, &changed, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    buf_init(&out, 1024);
    put_version(s, &out);
    buf_printf(&out, ",\"changed\":%s}", changed ? "true" : "false");
    answer_json(res, 200, &out);
}
