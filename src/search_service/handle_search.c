/* GET /api/search/: one ranked page for a query, or for what is like a document. */
#include "search_service/service.h"

#include "base/json_out.h"
#include "base/log.h"
#include "base/utf8.h"
#include "rank/leg.h"
#include "rank/query_language.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_QUERY  255 /* code points */
#define ANSWER_MAX (2u << 20)

static void answer(struct http_response *res, int status, const char *type, struct buf *text)
{
    if (!text->failed) {
        size_t len = text->len;
        http_body_take(res, status, type, buf_take(text), len);
    } else {
        http_problem_unfinished(res, text, "an answer");
    }
    buf_free(text);
}

void answer_json(struct http_response *res, int status, struct buf *json)
{
    answer(res, status, "application/json", json);
}

const char *search_default_algorithm(const struct search_service *s)
{
    const char *name = s->cfg.algorithm;
    if (name && *name && strcmp(name, "auto") != 0)
        return name;
    return catalog_meanings(s->catalog) || engine_has_model(s->engine) ? "hybrid" : "lexical";
}

static enum status read_algorithm(const struct search_service *s, const struct http_request *req,
                                  const struct rank_algorithm **out, struct error *err)
{
    const char *name;
    enum status st = http_param_or(req, "algorithm", NULL, &name, err);
    if (st != OK)
        return st;
    *out = rank_find(name ? name : search_default_algorithm(s));
    if (*out)
        return OK;
    struct buf known;
    buf_init(&known, 400);
    for (size_t i = 0; i < rank_algorithm_count; i++)
        buf_printf(&known, "%s\"%s\"", i ? ", " : "", rank_algorithms[i].name);
    err_set(err, ERR_INVALID, "algorithm \"%.64s\" is unknown; known: %s", name ? name : s->cfg.algorithm,
            buf_str(&known));
    buf_free(&known);
    return ERR_INVALID;
}

enum status search_read_model(struct search_service *s, const struct http_request *req, struct engine_model **out,
                              struct error *err)
{
    const char *id;
    enum status st = http_param_or(req, "model", NULL, &id, err);
    if (st != OK)
        return st;
    *out = id ? engine_find(s->engine, id) : NULL;
    if (!id || *out)
        return OK;
    struct buf known;
    buf_init(&known, 400);
    engine_list_ids(s->engine, &known);
    err_set(err, ERR_INVALID, "model \"%.64s\" is unknown; known: %s", id, buf_str(&known));
    buf_free(&known);
    return ERR_INVALID;
}

/* `weights`: "lexical:0.5,sentence:1" in the place of those that were configured; legs not named keep theirs. */
static enum status read_weights(const struct http_request *req, double weights[LEG_COUNT], struct error *err)
{
    const char *text;
    enum status st = http_param_or(req, "weights", "", &text, err);
    while (st == OK && *text) {
        size_t len = strcspn(text, ":");
        enum leg_number leg = 0;
        while (leg < LEG_COUNT && !(strlen(legs[leg]->name) == len && memcmp(legs[leg]->name, text, len) == 0))
            leg++;
        char *end = NULL;
        const char *number = text[len] ? text + len + 1 : "";
        double weight = strspn(number, "0123456789.") ? strtod(number, &end) : -1;
        if (leg == LEG_COUNT || weight < 0 || weight > 100 || !end || (*end && *end != ','))
            return err_set(
                err, ERR_INVALID,
                "weights must be like \"lexical:0.5,sentence:1\", with numbers from 0 to 100, found \"%.64s\"", text);
        weights[leg] = weight;
        text = *end ? end + 1 : end;
    }
    return st;
}

static enum status read_min_score(const struct search_service *s, const struct http_request *req, double *out,
                                  struct error *err)
{
    const char *text;
    *out = s->cfg.min_score != 0 ? s->cfg.min_score : -INFINITY;
    enum status st = http_param_or(req, "min_score", NULL, &text, err);
    if (st != OK || !text)
        return st;
    char *end;
    *out = strtod(text, &end);
    if (end == text || *end || !isfinite(*out) || strspn(text, "+-.0123456789eE") != strlen(text))
        return err_set(err, ERR_INVALID, "min_score must be a number, such as 0.2");
    return OK;
}

/* `query` or `like`, one of the two. */
static enum status read_subject(struct search_service *s, const struct http_request *req, struct rank_query *q,
                                struct document *like, struct error *err)
{
    const char *query, *name;
    enum status st = http_param_or(req, "query", NULL, &query, err);
    if (st == OK)
        st = http_param_or(req, "like", NULL, &name, err);
    if (st != OK)
        return st;
    if (name && query)
        return err_set(err, ERR_INVALID, "give either query or like");
    if (name) {
        q->like = like;
        return search_store_get(s->store, name, req->arena, like, err);
    }
    q->text = query ? query : "";
    q->text_len = strlen(q->text);
    utf8_trim(&q->text, &q->text_len);
    if (q->text_len == 0)
        return err_set(err, ERR_INVALID, "Please provide a query.");
    if (utf8_count(q->text, q->text_len) > MAX_QUERY)
        return err_set(err, ERR_INVALID, "Query is too long.");
    return OK;
}

/* `lang`: what is said of the query's language; LANGUAGE_OTHER where nothing is. */
static enum status read_language(const struct http_request *req, unsigned *out, struct error *err)
{
    const char *tag;
    *out = LANGUAGE_OTHER;
    enum status st = http_param_or(req, "lang", NULL, &tag, err);
    if (st != OK || !tag)
        return st;
    if (!language_valid(tag))
        return err_set(err, ERR_INVALID, "lang must be a language tag, such as \"es\" or \"pt-BR\", found \"%.64s\"",
                       tag);
    *out = language_number(tag);
    return OK;
}

static unsigned language_of(struct search_service *s, const struct rank_query *q, struct arena *a)
{
    struct query_language_ask ask = {.text = q->text,
                                     .len = q->text_len,
                                     .hint = q->language,
                                     .words = catalog_meanings(s->catalog),
                                     .phrases = engine_phrases(s->engine)};
    if (q->like)
        return q->language ? q->language : LANGUAGE_en;
    return query_language(&ask, a);
}

static enum status read_filter(const struct http_request *req, struct sticker_filter *out, struct error *err)
{
    static const char *const params[] = STICKER_FILTER_PARAMS;
    const char *value;
    enum status st = OK;
    for (size_t i = 0; i < sizeof params / sizeof *params && st == OK; i++)
        if ((st = http_param_or(req, params[i], NULL, &value, err)) == OK && value)
            st = sticker_filter_set(out, params[i], value, err);
    return st;
}

static void write_answer(const struct rank_algorithm *algorithm, const struct rank_sources *sources,
                         const struct rank_query *q, const struct ranking *r, struct buf *out)
{
    buf_puts(out, "{\"filenames\":[");
    for (size_t i = 0; i < r->n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, r->items[i].filename);
    }
    buf_puts(out, "],\"results\":[");
    for (size_t i = 0; i < r->n; i++) {
        buf_puts(out, i ? ",{\"filename\":" : "{\"filename\":");
        json_put_string(out, r->items[i].filename);
        buf_puts(out, ",\"score\":");
        json_put_score(out, r->items[i].score);
        if (r->items[i].confidence > 0) {
            buf_puts(out, ",\"confidence\":");
            json_put_hundredths(out, r->items[i].confidence);
        }
        buf_putc(out, '}');
    }
    buf_printf(out, "],\"algorithm\":\"%s\",\"model\":", algorithm->name);
    if (r->legs & 1u << LEG_vector)
        json_put_string(out, sources->models[LEG_vector].id);
    else
        buf_puts(out, "null");
    const char *before = "";
    buf_puts(out, ",\"legs\":[");
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (r->legs & 1u << leg) {
            buf_printf(out, "%s\"%s\"", before, legs[leg]->name);
            before = ",";
        }
    char ranking[RANK_NAME_SIZE];
    rank_name(algorithm, sources, ranking);
    buf_printf(out, "],\"language\":\"%s\",\"ranking\":\"%s\"", language_code(q->language), ranking);
    if (r->corrected) {
        buf_puts(out, ",\"corrected\":");
        json_put_string(out, r->corrected);
    }
    buf_printf(out, ",\"total\":%lld}", (long long)r->total);
}

/* The same for StickerService, which asks for it by `Accept: text/plain`: lines cost it far less to read. */
static void write_lines(const struct rank_algorithm *algorithm, const struct rank_sources *sources,
                        const struct rank_query *q, const struct ranking *r, struct buf *out)
{
    char ranking[RANK_NAME_SIZE];
    rank_name(algorithm, sources, ranking);
    buf_printf(out, "total %lld\nlanguage %s\nranking %s\nlegs ", (long long)r->total, language_code(q->language),
               ranking);
    for (enum leg_number leg = 0; leg < LEG_COUNT; leg++)
        if (r->legs & 1u << leg)
            buf_printf(out, "%s ", legs[leg]->name);
    if (r->corrected) {
        buf_puts(out, "\ncorrected ");
        json_put_string(out, r->corrected);
    }
    buf_puts(out, "\n\n");
    for (size_t i = 0; i < r->n; i++) {
        json_put_score(out, r->items[i].score);
        buf_putc(out, ' ');
        json_put_hundredths(out, r->items[i].confidence > 0 ? r->items[i].confidence : 0.0);
        buf_putc(out, ' ');
        buf_puts(out, r->items[i].filename);
        buf_putc(out, '\n');
    }
}

enum status search_request_read(struct search_service *s, const struct http_request *req, struct search_request *out,
                                struct error *err)
{
    int64_t limit = 0, offset = 0, priors = 0;
    *out = (struct search_request){
        .query = {.filter = STICKER_FILTER_NONE},
        .sources = {.store = s->store, .words = catalog_meanings(s->catalog), .forms = s->forms},
        .synonyms = thesaurus_synonyms(s->thesaurus)};
    out->sources.synonyms = out->synonyms;
    memcpy(out->sources.weights, s->cfg.weights, sizeof out->sources.weights);
    struct rank_query *q = &out->query;
    enum status st = read_subject(s, req, q, &out->like, err);
    if (st == OK)
        st = http_param_int(req, "limit", 1, RANK_MAX_LIMIT, 10, &limit, err);
    if (st == OK)
        st = http_param_int(req, "offset", 0, RANK_MAX_OFFSET, 0, &offset, err);
    if (st == OK)
        st = read_algorithm(s, req, &out->algorithm, err);
    if (st == OK)
        st = search_read_model(s, req, &out->model, err);
    if (st == OK)
        st = read_weights(req, out->sources.weights, err);
    if (st == OK)
        st = read_min_score(s, req, &q->min_score, err);
    if (st == OK)
        st = http_param_int(req, "priors", 0, 1, 1, &priors, err);
    if (st == OK)
        st = read_language(req, &q->language, err);
    if (st == OK)
        st = read_filter(req, &q->filter, err);
    out->priors = priors;
    q->limit = (size_t)limit;
    q->offset = (size_t)offset;
    http_deadline(req, s->cfg.deadline_ms, true);
    return st;
}

enum status search_request_rank(struct search_service *s, struct search_request *r, struct arena *a,
                                struct ranking *out, struct error *err)
{
    struct label_test passing;
    struct error why;
    enum status st = OK;
    if (r->priors && r->query.text && priors_find(s->priors, r->query.text, a, &r->sources.priors, &why) != OK)
        log_warn("a search goes without what votes taught: %s", why.message);
    r->query.language = language_of(s, &r->query, a);
    engine_fill_sources(s->engine, r->query.language, &r->sources);
    if (r->model)
        engine_fill_model(r->model, &r->sources);
    if (!sticker_filter_is_none(&r->query.filter) &&
        (st = catalog_test_begin(s->catalog, &r->query.filter, &passing, err)) == OK)
        r->query.passing = &passing;
    if (st == OK)
        st = r->algorithm->rank(&r->sources, &r->query, a, out, err);
    if (r->query.passing)
        labels_test_end(&passing);
    r->query.passing = NULL;
    return st;
}

void search_request_end(struct search_request *r)
{
    synonyms_close(r->synonyms);
}

void search_failed(struct http_response *res, const struct error *err)
{
    if (err->code != ERR_UNAVAILABLE) {
        http_problem_from(res, err);
        return;
    }
    http_header_add(res, "Retry-After", "5"); /* say which model is missing or loading */
    http_problem(res, 503, "%s", err->message);
}

void handle_search(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct search_request r;
    struct arena arena;
    struct ranking ranking;
    struct error err;
    arena_init(&arena, SEARCH_MAX_BYTES);
    if (search_request_read(s, req, &r, &err) != OK) {
        http_problem_from(res, &err);
    } else if (search_request_rank(s, &r, &arena, &ranking, &err) == OK) {
        struct buf out;
        const char *accept = http_header(req, "Accept");
        bool lines = accept && strcmp(accept, "text/plain") == 0;
        buf_init(&out, ANSWER_MAX);
        atomic_fetch_add_explicit(&s->searches[r.algorithm - rank_algorithms], 1, memory_order_relaxed);
        (lines ? write_lines : write_answer)(r.algorithm, &r.sources, &r.query, &ranking, &out);
        answer(res, 200, lines ? "text/plain; charset=utf-8" : "application/json", &out);
    } else {
        search_failed(res, &err);
    }
    search_request_end(&r);
    arena_free(&arena);
}
