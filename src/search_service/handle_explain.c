/* GET /api/explain: why a search ranks as it does: what each leg made of the query, and of one document, or of the
 * first results, what each leg said and what it added to the score. It is the search itself, asked for all its results
 * and followed by a trace (rank/trace.h). */
#include "search_service/service.h"

#include "base/filename.h"
#include "base/json_out.h"
#include "rank/document_text.h"
#include "rank/explain.h"
#include "rank/trace.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (4u << 20)
#define FIRST      10 /* results explained when no document is named */
#define FIRST_MAX  50

struct explanation {
    struct search_service *s;
    struct search_request r;
    struct rank_trace trace;
    struct ranking ranking;
    struct rank_query asked; /* the query with its spelling corrected */
    struct arena arena;
    struct buf out;
};

static enum status explain_read(struct explanation *x, const struct http_request *req, const char **document,
                                int64_t *first, struct error *err)
{
    enum status st = search_request_read(x->s, req, &x->r, err);
    if (st == OK && x->r.query.like)
        st = err_set(err, ERR_INVALID, "like is not supported here: only searches for a query can be explained");
    if (st == OK)
        st = http_param_int(req, "limit", 1, FIRST_MAX, FIRST, first, err);
    if (st == OK && (st = http_param(req, "document", document, err)) == ERR_NOT_FOUND)
        return OK;
    return st == OK ? filename_check(*document, err) : st;
}

/* The search as it would be, but for how many results it shows. */
static enum status explain_rank(struct explanation *x, struct error *err)
{
    x->r.query.trace = &x->trace;
    x->r.query.limit = RANK_MAX_LIMIT;
    x->r.query.offset = 0;
    enum status st = search_request_rank(x->s, &x->r, &x->arena, &x->ranking, err);
    x->asked = x->r.query;
    x->asked.trace = NULL;
    if (x->ranking.corrected) {
        x->asked.text = x->ranking.corrected;
        x->asked.text_len = strlen(x->ranking.corrected);
    }
    return st;
}

/* --- the query --- */

static const char *state_of(const struct rank_trace_leg *t)
{
    return t->failed ? "failed" : !t->took_part ? "unused" : t->hits.silent ? "silent" : "answered";
}

static void put_legs(struct explanation *x)
{
    buf_puts(&x->out, ",\"legs\":[");
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++) {
        const struct rank_trace_leg *t = &x->trace.legs[leg];
        buf_printf(&x->out, "%s{\"name\":\"%s\",\"state\":\"%s\"", leg ? "," : "", legs[leg]->name, state_of(t));
        if (t->failed) {
            buf_puts(&x->out, ",\"why\":");
            json_put_string(&x->out, t->failed);
        }
        if (x->r.sources.models[leg].id) {
            buf_puts(&x->out, ",\"model\":");
            json_put_string(&x->out, x->r.sources.models[leg].id);
        }
        buf_printf(&x->out, ",\"trust\":%.4g,\"configured_weight\":%.4g,\"weight\":%.4g,\"found\":%zu}", t->trust,
                   x->r.sources.weights[leg], t->weight, t->hits.n);
    }
    buf_putc(&x->out, ']');
}

static void put_query(struct explanation *x)
{
    buf_puts(&x->out, "{\"query\":");
    json_put_string(&x->out, x->r.query.text);
    buf_printf(&x->out, ",\"language\":\"%s\",\"algorithm\":\"%s\"", language_code(x->r.query.language),
               x->r.algorithm->name);
    if (x->ranking.corrected) {
        buf_puts(&x->out, ",\"corrected\":");
        json_put_string(&x->out, x->ranking.corrected);
    }
    if (x->trace.kind)
        buf_printf(&x->out, ",\"kind\":\"%s\"", x->trace.kind);
    buf_printf(&x->out, ",\"total\":%lld", (long long)x->ranking.total);
    put_legs(x);
}

/* --- a document --- */

static const struct ranked *item_of(const struct ranked *items, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].id == id)
            return &items[i];
    return NULL;
}

/* Its place among a leg's results, which may be in any order; equal ones stand by id. */
static size_t place_of(const struct leg_hits *hits, const struct ranked *item)
{
    size_t before = 0;
    for (size_t i = 0; i < hits->n; i++)
        before +=
            hits->items[i].score > item->score || (hits->items[i].score == item->score && hits->items[i].id < item->id);
    return before + 1;
}

static enum status put_terms(struct explanation *x, int64_t id, struct error *err)
{
    struct sticker_terms terms;
    struct explain_match *matches;
    size_t n = 0;
    enum status st = search_store_terms(x->s->store, id, &x->arena, &terms, err);
    if (st == OK)
        st = explain_terms(&x->r.sources, &x->asked, &terms, &x->arena, &matches, &n, err);
    if (st == ERR_NOT_FOUND)
        st = OK;
    buf_puts(&x->out, ",\"terms\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(&x->out, i ? ",{\"term\":" : "{\"term\":");
        json_put_string(&x->out, matches[i].term);
        buf_printf(&x->out, ",\"in\":\"%s\"%s}", matches[i].in, matches[i].synonym ? ",\"synonym\":true" : "");
    }
    buf_putc(&x->out, ']');
    return st;
}

static enum status put_alike(struct explanation *x, enum leg_number leg, int64_t id, struct error *err)
{
    struct explain_alike alike;
    enum status st = explain_alike(&x->r.sources, leg, &x->asked, id, &x->arena, &alike, err);
    if (st == ERR_NOT_FOUND || st == ERR_UNAVAILABLE)
        return OK;
    if (st != OK)
        return st;
    buf_printf(&x->out, ",\"similarity\":%.4f", alike.whole);
    if (alike.phrase) {
        buf_puts(&x->out, ",\"best_phrase\":");
        json_put_string(&x->out, alike.phrase);
        buf_printf(&x->out, ",\"best_phrase_language\":\"%s\",\"best_phrase_similarity\":%.4f",
                   language_code(alike.language), alike.alike);
    }
    return OK;
}

static enum status put_leg(struct explanation *x, enum leg_number leg, int64_t id, const struct rank_trace_item *fused,
                           struct error *err)
{
    const struct rank_trace_leg *t = &x->trace.legs[leg];
    const struct ranked *item = item_of(t->hits.items, t->hits.n, id);
    buf_printf(&x->out, "%s{\"name\":\"%s\"", leg ? "," : "", legs[leg]->name);
    if (item) {
        buf_printf(&x->out, ",\"rank\":%zu,\"score\":", place_of(&t->hits, item));
        json_put_score(&x->out, item->score);
    }
    if (fused)
        buf_printf(&x->out, ",\"adds\":%.4f", fused->adds[leg]);
    enum status st = leg == LEG_lexical                         ? put_terms(x, id, err)
                     : leg == LEG_sentence || leg == LEG_vector ? put_alike(x, leg, id, err)
                                                                : OK;
    buf_putc(&x->out, '}');
    return st;
}

struct counts {
    size_t of[LANGUAGE_COUNT];
};

static enum status count_phrase(void *ctx, unsigned language, const char *text, size_t len, struct error *err)
{
    (void)text, (void)len, (void)err;
    ((struct counts *)ctx)->of[language]++;
    return OK;
}

/* How many phrases it has in each language, the title counted as one. */
static enum status put_counts(struct explanation *x, const struct document *doc, struct error *err)
{
    struct counts counts = {{0}};
    const char *before = "";
    enum status st = document_phrases(doc, count_phrase, &counts, err);
    buf_puts(&x->out, ",\"phrases\":{");
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        if (counts.of[i]) {
            buf_printf(&x->out, "%s\"%s\":%zu", before, language_code(i), counts.of[i]);
            before = ",";
        }
    buf_putc(&x->out, '}');
    return st;
}

static void put_place(struct explanation *x, int64_t id, const struct rank_trace_item *fused)
{
    const struct ranked *item = item_of(x->ranking.items, x->ranking.n, id);
    if (item)
        buf_printf(&x->out, ",\"rank\":%zu", (size_t)(item - x->ranking.items) + 1);
    if (fused || item) {
        buf_puts(&x->out, ",\"score\":");
        json_put_score(&x->out, item ? item->score : fused->score);
    }
    if (fused && fused->confidence > 0)
        buf_printf(&x->out, ",\"confidence\":%.4f", fused->confidence);
    if (fused && fused->gain != 0)
        buf_printf(&x->out, ",\"learnt\":%.2f", fused->gain);
    if (fused && !item)
        buf_printf(&x->out, ",\"left_out\":true,\"least_confidence\":%.2f", RANK_LEAST_CONFIDENCE);
}

static enum status put_document(struct explanation *x, const char *filename, struct error *err)
{
    struct document doc;
    const struct rank_trace_item *fused = NULL;
    enum status st = search_store_get(x->s->store, filename, &x->arena, &doc, err);
    buf_puts(&x->out, "{\"filename\":");
    json_put_string(&x->out, filename);
    buf_printf(&x->out, ",\"indexed\":%s", st == OK ? "true" : "false");
    if (st == ERR_NOT_FOUND) {
        buf_putc(&x->out, '}');
        return OK;
    }
    if (st != OK)
        return st;
    for (size_t i = 0; i < x->trace.n_items && !fused; i++)
        if (x->trace.items[i].id == doc.id)
            fused = &x->trace.items[i];
    buf_puts(&x->out, ",\"title\":");
    json_put_string(&x->out, doc.title);
    put_place(x, doc.id, fused);
    if (!sticker_filter_passes(&x->r.query.filter, doc.pack, doc.rating, doc.animated))
        buf_puts(&x->out, ",\"filtered\":true");
    st = put_counts(x, &doc, err);
    if (st == OK)
        st = document_put_models(x->s, filename, &x->arena, &x->out, err);
    buf_puts(&x->out, ",\"legs\":[");
    for (enum leg_number leg = 0; leg < LEG_COUNT && st == OK; leg++)
        st = put_leg(x, leg, doc.id, fused, err);
    buf_puts(&x->out, "]}");
    return st;
}

static enum status explain(struct explanation *x, const char *document, size_t first, struct error *err)
{
    put_query(x);
    buf_puts(&x->out, ",\"documents\":[");
    enum status st = document ? put_document(x, document, err) : OK;
    for (size_t i = 0; !document && i < x->ranking.n && i < first && st == OK; i++) {
        buf_puts(&x->out, i ? "," : "");
        st = put_document(x, x->ranking.items[i].filename, err);
    }
    buf_puts(&x->out, "]}");
    return st;
}

void handle_explain(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct explanation x = {.s = ctx};
    const char *document = NULL;
    struct error err;
    int64_t first = 0;
    arena_init(&x.arena, 2 * SEARCH_MAX_BYTES);
    buf_init(&x.out, ANSWER_MAX);
    enum status st = explain_read(&x, req, &document, &first, &err);
    if (st == OK)
        st = explain_rank(&x, &err);
    if (st == OK)
        st = explain(&x, document, (size_t)first, &err);
    if (st == OK)
        answer_json(res, 200, &x.out);
    else
        search_failed(res, &err);
    search_request_end(&x.r);
    buf_free(&x.out);
    arena_free(&x.arena);
}
