/* /api/documents/<filename>: what StickerService tells us to index, to encode anew, and to forget.
 *
 * A JSON body describes the document; its image, named by "sha256", is read from the bucket's media/ when
 * it is needed. Changes have threads of their own, which stand back behind searches. An image may also come along, as
 * base64 in "image" or as the whole body: it is then kept under index/ in the bucket, because every later model needs
 * it too. */
#include "search_service/service.h"

#include "base/filename.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "search_service/document.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DOCUMENT_BYTES (32u << 20) /* memory for the words and terms of one document, beside the texts of the body */

static enum status keep_image(struct search_service *s, struct document_in *in, struct error *err)
{
    char key[512];
    if (!s->bucket)
        return err_set(err, ERR_INVALID, "image: this service has no bucket to store it in");
    enum status st = document_check_image(in, s->sandbox, err);
    snprintf(key, sizeof key, "index/%s", in->doc.filename);
    return st == OK ? bucket_put(s->bucket, key, in->image, in->image_len, err) : st;
}

static enum status read_image_body(struct search_service *s, const struct http_request *req, struct arena *a,
                                   struct document_in *in, struct error *err)
{
    struct document before;
    enum status st = search_store_get(s->store, req->path_param, a, &before, err);
    if (st != OK && st != ERR_NOT_FOUND)
        return st;
    return document_from_image(req->path_param, st == OK ? &before : NULL, req->body, req->body_len, a, in, err);
}

static enum status store_document(struct search_service *s, struct document_in *in, struct arena *a, int64_t *id,
                                  bool *changed, struct error *err)
{
    struct sticker_terms terms;
    enum status st = document_analyze(in, a, &terms, err);
    return st == OK ? catalog_put(s->catalog, &in->doc, &terms, id, changed, err) : st;
}

static bool is_image(const char *type)
{
    return strncasecmp(type, "image/", 6) == 0;
}

static bool is_json(const char *type)
{
    size_t len = strcspn(type, "; ");
    return len == 0 || (len == 16 && strncasecmp(type, "application/json", 16) == 0);
}

void handle_document_put(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct document_in in = {0};
    struct arena a;
    struct error err;
    int64_t id = 0;
    bool changed = false;
    const char *type = http_header(req, "Content-Type");
    type = type ? type : "";
    os_stand_back();
    if (!is_image(type) && !is_json(type)) {
        http_problem(res, 415, "Content-Type must be application/json or image/*, found \"%.64s\"", type);
        return;
    }
    arena_init(&a, DOCUMENT_BYTES + req->body_len);
    enum status st = filename_check(req->path_param, &err);
    if (st == OK)
        st = is_image(type) ? read_image_body(s, req, &a, &in, &err)
                            : document_parse(req->path_param, req->body, req->body_len, &a, &in, &err);
    if (st == OK && in.image)
        st = keep_image(s, &in, &err);
    if (st == OK)
        st = store_document(s, &in, &a, &id, &changed, &err);
    if (st == OK) {
        struct buf out;
        buf_init(&out, 4096);
        buf_puts(&out, "{\"filename\":");
        json_put_string(&out, req->path_param);
        buf_printf(&out, ",\"id\":%lld,\"changed\":%s}", (long long)id, changed ? "true" : "false");
        answer_json(res, 200, &out);
    } else {
        http_problem_from(res, &err);
    }
    document_free(&in);
    arena_free(&a);
}

void handle_document_delete(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct error err;
    char key[512];
    os_stand_back();
    enum status st = filename_check(req->path_param, &err);
    if (st == OK)
        st = catalog_remove(s->catalog, req->path_param, &err);
    if (st == OK && s->bucket) {
        snprintf(key, sizeof key, "index/%s", req->path_param);
        if (bucket_delete(s->bucket, key, &err) != OK)
            log_warn("cannot delete %s from the bucket: %s", key, err.message);
    }
    if (st == OK || st == ERR_NOT_FOUND)
        http_body_static(res, 204, "application/json", "", 0);
    else
        http_problem_from(res, &err);
}

void handle_document_reindex(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct error err;
    struct buf out;
    int64_t id;
    os_stand_back();
    enum status st = filename_check(req->path_param, &err);
    if (st == OK)
        st = catalog_reindex(s->catalog, req->path_param, &id, &err);
    if (st != OK) {
        http_problem_from(res, &err);
        return;
    }
    buf_init(&out, 4096);
    buf_puts(&out, "{\"filename\":");
    json_put_string(&out, req->path_param);
    buf_printf(&out, ",\"id\":%lld}", (long long)id);
    answer_json(res, 200, &out);
}

enum status document_put_models(struct search_service *s, const char *filename, struct arena *a, struct buf *out,
                                struct error *err)
{
    struct engine_model *models[ENGINE_MAX_MODELS];
    struct document_page page;
    size_t n = engine_models(s->engine, models);
    enum status st = OK;
    buf_puts(out, ",\"models\":[");
    for (size_t i = 0; i < n && st == OK; i++) {
        struct document_ask ask = {.model = engine_model_id(models[i]), .filename = filename, .search = "", .limit = 1};
        st = search_store_document_page(s->store, &ask, a, &page, err);
        if (st != OK || !page.n)
            continue;
        buf_puts(out, i ? ",{\"id\":" : "{\"id\":");
        json_put_string(out, ask.model);
        buf_putc(out, ',');
        document_put_state(&page.rows[0], out);
        buf_putc(out, '}');
    }
    buf_putc(out, ']');
    return st;
}

void handle_document_get(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct document doc;
    struct error err;
    struct buf out;
    if (search_store_get(s->store, req->path_param, req->arena, &doc, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    char created[28], modified[28];
    os_format_time(doc.created_us, created);
    os_format_time(doc.modified_us, modified);
    buf_init(&out, 8u << 20);
    buf_printf(&out, "{\"id\":%lld,\"filename\":", (long long)doc.id);
    json_put_string(&out, doc.filename);
    buf_puts(&out, ",\"title\":");
    json_put_string(&out, doc.title);
    buf_printf(&out, ",\"words\":%s,\"sha256\":\"%s\",\"created\":\"%s\",\"modified\":\"%s\",\"pack\":", doc.words_json,
               doc.image_sha256, created, modified);
    json_put_string(&out, doc.pack);
    buf_printf(&out, ",\"rating\":\"%s\",\"animated\":%s,\"ocr_words\":", rating_name(doc.rating),
               doc.animated ? "true" : "false");
    json_put_string(&out, doc.ocr_words);
    enum status st = document_put_models(s, req->path_param, req->arena, &out, &err);
    buf_putc(&out, '}');
    if (st == OK) {
        answer_json(res, 200, &out);
        return;
    }
    buf_free(&out);
    http_problem_from(res, &err);
}
