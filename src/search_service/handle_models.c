/* /api/models: the models that are there, and the calls that change them. Ids hold slashes, so they come
 * in JSON bodies, {"id":"openai/clip-vit-base-patch32"}. */
#include "search_service/service.h"

#include "base/json_in.h"
#include "base/json_out.h"
#include "rank/leg.h"

#include <jansson.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)

enum status model_put_members(struct search_service *s, struct engine_model *m, struct buf *out, struct error *err)
{
    struct engine_model_status st;
    enum status status = engine_model_status(s->engine, m, &st, err);
    if (status != OK)
        return status;
    buf_puts(out, "\"id\":");
    json_put_string(out, engine_model_id(m));
    enum leg_number leg = engine_model_leg(m);
    buf_printf(out, ",\"leg\":\"%s\",\"default\":%s", legs[leg]->name,
               engine_default(s->engine, leg) == m ? "true" : "false");
    buf_printf(out, ",\"state\":\"%s\",\"dim\":%zu,\"precision\":\"%s\"", engine_state_name(st.state), st.dim,
               st.precision);
    if (st.state == ENGINE_READY)
        buf_printf(out, ",\"language\":%s", st.english ? "\"en\"" : "null");
    buf_printf(out, ",\"indexed\":%lld,\"pending\":%lld,\"failed\":%lld,\"rate\":%.1f", (long long)st.indexed,
               (long long)st.pending, (long long)st.failed, st.rate);
    if (leg == LEG_sentence)
        buf_printf(out, ",\"phrases\":{\"indexed\":%zu,\"pending\":%zu}", st.phrases.encoded, st.phrases.pending);
    if (st.accuracy.lists)
        buf_printf(out, ",\"approximate\":{\"lists\":%zu,\"samples\":%llu,\"recall_10\":%.4f,\"recall_200\":%.4f}",
                   st.accuracy.lists, (unsigned long long)st.accuracy.samples, st.accuracy.recall_10,
                   st.accuracy.recall_200);
    buf_printf(out, ",\"memory\":{\"model\":%zu,\"index\":%zu}", st.model_bytes, st.vector_bytes);
    if (*st.error) {
        buf_puts(out, ",\"error\":");
        json_put_string(out, st.error);
    }
    return OK;
}

static void answer_default(struct search_service *s, struct buf *out)
{
    struct engine_model *m = engine_default(s->engine, LEG_vector);
    if (m)
        json_put_string(out, engine_model_id(m));
    else
        buf_puts(out, "null");
}

void handle_models(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *models[ENGINE_MAX_MODELS];
    struct error err;
    struct buf out;
    (void)req;
    size_t n = engine_models(s->engine, models);
    enum status st = OK;
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"default\":");
    answer_default(s, &out);
    buf_puts(&out, ",\"models\":[");
    for (size_t i = 0; i < n && st == OK; i++) {
        buf_puts(&out, i ? ",{" : "{");
        st = model_put_members(s, models[i], &out, &err);
        if (engine_model_state(models[i]) == ENGINE_READY) {
            buf_puts(&out, ",\"info\":");
            engine_model_info(models[i], &out);
        }
        buf_putc(&out, '}');
    }
    buf_puts(&out, "]}");
    if (st == OK)
        answer_json(res, 200, &out);
    else
        http_problem_from(res, &err);
    buf_free(&out);
}

/* The id in the body, in the request's arena. */
static enum status read_id(const struct http_request *req, const char **id, struct error *err)
{
    json_t *body;
    enum status st = json_read_body(req->body, req->body_len, JSON_REJECT_DUPLICATES, &body, err);
    const char *value = json_string_value(json_object_get(body, "id"));
    if (st != OK)
        return st;
    if (!value || json_object_size(body) != 1 || strlen(value) >= LIBRARY_MAX_ID || !*value)
        st = err_set(err, ERR_INVALID, "the body must be {\"id\":\"...\"}, id being a string of 1 to %d bytes",
                     LIBRARY_MAX_ID - 1);
    else if (!(*id = arena_strdup(req->arena, value)))
        st = err_no_memory(err, "the id");
    json_decref(body);
    return st;
}

void handle_model_default(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *m;
    const char *id;
    struct error err;
    struct buf out;
    if (read_id(req, &id, &err) != OK || engine_use(s->engine, id, &m, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"default\":");
    json_put_string(&out, engine_model_id(m));
    buf_printf(&out, ",\"state\":\"%s\"}", engine_state_name(engine_model_state(m)));
    answer_json(res, 200, &out);
}

void handle_model_retry(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    const char *id;
    struct error err;
    if (read_id(req, &id, &err) == OK && engine_retry(s->engine, id, &err) == OK)
        http_body_static(res, 204, "application/json", "", 0);
    else
        http_problem_from(res, &err);
}

void handle_model_forget(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    const char *id;
    struct error err;
    if (read_id(req, &id, &err) == OK && engine_forget_vectors(s->engine, id, &err) == OK)
        http_body_static(res, 204, "application/json", "", 0);
    else
        http_problem_from(res, &err);
}
