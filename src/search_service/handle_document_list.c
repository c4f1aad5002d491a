/* GET /api/documents/: a page of documents by id, and what a model has made of each. */
#include "search_service/service.h"

#include "base/json_out.h"
#include "base/os.h"

#include <string.h>

#define LIMIT_MAX  200
#define SEARCH_MAX 1000 /* bytes */
#define ANSWER_MAX (8u << 20)

static const char *const states[] = {[DOCUMENT_INDEXED] = "indexed",
                                     [DOCUMENT_PENDING] = "pending",
                                     [DOCUMENT_FAILED] = "failed",
                                     [DOCUMENT_IMAGELESS] = "imageless"};

void document_put_state(const struct document_row *row, struct buf *out)
{
    buf_printf(out, "\"state\":\"%s\"", states[row->state]);
    if (row->state == DOCUMENT_FAILED) {
        buf_puts(out, ",\"why\":");
        json_put_string(out, row->why);
    }
    if (row->state == DOCUMENT_INDEXED)
        buf_printf(out, ",\"dim\":%lld", (long long)row->dim);
}

static enum status read_state(const struct http_request *req, enum document_state *out, struct error *err)
{
    const char *name;
    *out = DOCUMENT_ANY;
    enum status st = http_param_or(req, "state", "", &name, err);
    if (st != OK || !*name)
        return st;
    for (enum document_state i = DOCUMENT_INDEXED; i <= DOCUMENT_FAILED; i++)
        if (strcmp(name, states[i]) == 0)
            *out = i;
    return *out ? OK : err_set(err, ERR_INVALID, "state must be indexed, pending or failed, found \"%.40s\"", name);
}

static enum status read_ask(struct search_service *s, const struct http_request *req, struct document_ask *ask,
                            struct engine_model **model, struct error *err)
{
    int64_t limit = 0;
    const char *order = "";
    *ask = (struct document_ask){.model = ""};
    enum status st = http_param_int(req, "after", 0, INT64_MAX, 0, &ask->after, err);
    if (st == OK)
        st = http_param_int(req, "limit", 1, LIMIT_MAX, 50, &limit, err);
    if (st == OK)
        st = http_param_or(req, "order", "", &order, err);
    if (st == OK)
        st = http_param_or(req, "q", "", &ask->search, err);
    if (st == OK)
        st = read_state(req, &ask->state, err);
    if (st == OK)
        st = search_read_model(s, req, model, err);
    if (st != OK)
        return st;
    *model = *model ? *model : engine_default(s->engine, LEG_vector);
    if (*order && strcmp(order, "up") != 0 && strcmp(order, "down") != 0)
        return err_set(err, ERR_INVALID, "order must be up or down, found \"%.40s\"", order);
    if (strlen(ask->search) > SEARCH_MAX)
        return err_set(err, ERR_INVALID, "q must have at most %d bytes, found %zu", SEARCH_MAX, strlen(ask->search));
    ask->limit = (size_t)limit;
    ask->descending = strcmp(order, "down") == 0;
    if (*model)
        ask->model = engine_model_id(*model);
    return OK;
}

static void list_put_document(const struct document_row *row, struct buf *out)
{
    char modified[28];
    os_format_time(row->doc.modified_us, modified);
    buf_printf(out, "{\"id\":%lld,\"filename\":", (long long)row->doc.id);
    json_put_string(out, row->doc.filename);
    buf_puts(out, ",\"title\":");
    json_put_string(out, row->doc.title);
    buf_printf(out, ",\"sha256\":\"%s\",\"modified\":\"%s\",", row->doc.image_sha256, modified);
    document_put_state(row, out);
    buf_putc(out, '}');
}

void handle_document_list(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct engine_model *model = NULL;
    struct document_ask ask;
    struct document_page page;
    struct error err;
    struct buf out;
    if (read_ask(s, req, &ask, &model, &err) != OK ||
        search_store_document_page(s->store, &ask, req->arena, &page, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"model\":");
    if (model)
        json_put_string(&out, ask.model);
    else
        buf_puts(&out, "null");
    buf_puts(&out, ",\"documents\":[");
    for (size_t i = 0; i < page.n; i++) {
        buf_puts(&out, i ? "," : "");
        list_put_document(&page.rows[i], &out);
    }
    buf_puts(&out, "],\"next\":");
    if (page.next)
        buf_printf(&out, "%lld}", (long long)page.next);
    else
        buf_puts(&out, "null}");
    answer_json(res, 200, &out);
}
