/* GET /api/search/: asks SearchService, adds titles and image addresses from our own store, and counts
 * the search. When SearchService does not answer, or answers rubbish, our own words must do: then the
 * answer says "degraded":true and is never kept. */
#include "sticker_service/search.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/os.h"
#include "text/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_MAX_BYTES (1u << 20)
#define ANSWER_MAX     (1u << 20)

struct ask {
    const char *query; /* NULL with `like` */
    const char *like;  /* a filename: what is like that sticker; NULL with `query` */
    const char *lang;  /* a tag, or NULL */
    size_t limit, offset;
};

struct hit {
    const char *filename;
    double score;
};

struct found {
    struct hit *hits;
    size_t n;
    int64_t total;
    json_t *peer;             /* SearchService's whole answer; NULL when degraded, */
    enum degraded_reason why; /* and then for this reason */
};

void media_url(struct buf *out, const char *filename, const char *sha256, unsigned width)
{
    buf_puts(out, "/media/");
    http_escape(out, filename, strlen(filename));
    if (width)
        buf_printf(out, "?w=%u&v=%.16s", width, sha256);
    else
        buf_printf(out, "?v=%.16s", sha256);
}

/* Reads {"results":[{"filename","score"}...],"total":n}; strings stay owned by the JSON. */
static enum status read_answer(const struct ask *ask, json_t *peer, struct arena *arena, struct found *found,
                               struct error *err)
{
    const json_t *results = json_object_get(peer, "results");
    if (!json_is_array(results))
        return err_set(err, ERR_CORRUPT, "SearchService's answer has no array \"results\"");
    size_t n = json_array_size(results);
    if (n > ask->limit)
        return err_set(err, ERR_CORRUPT, "SearchService answered %zu results where %zu were asked for", n, ask->limit);
    found->hits = arena_array(arena, n + 1, sizeof *found->hits);
    if (!found->hits)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu results", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(results, i), *name = json_object_get(item, "filename");
        if (!json_is_string(name) || filename_check(json_string_value(name), NULL) != OK)
            return err_set(err, ERR_CORRUPT, "results[%zu].filename of SearchService is not a filename", i);
        found->hits[i].filename = json_string_value(name);
        found->hits[i].score = json_number_value(json_object_get(item, "score"));
    }
    found->n = n;
    const json_t *total = json_object_get(peer, "total");
    found->total = json_is_integer(total) ? json_integer_value(total) : (json_int_t)(ask->offset + n);
    return OK;
}

static enum status search_peer(struct sticker_service *s, const struct http_request *req, const struct ask *ask,
                               struct found *found, struct error *err)
{
    struct buf path, body;
    buf_init(&path, 8192);
    buf_init(&body, PEER_MAX_BYTES);
    const char *subject = ask->like ? ask->like : ask->query;
    buf_puts(&path, ask->like ? "/api/search/?like=" : "/api/search/?query=");
    http_escape(&path, subject, strlen(subject));
    buf_printf(&path, "&limit=%zu&offset=%zu", ask->limit, ask->offset);
    if (ask->lang)
        buf_printf(&path, "&lang=%s", ask->lang);
    int http_status = 0;
    enum status status = buf_status(&path, err);
    if (status != OK)
        goto out;
    /* A tenth of the time is kept for the search among our own words. */
    struct http_call call = {.method = "GET",
                             .path = buf_str(&path),
                             .request_id = req->request_id,
                             .traceparent = req->traceparent,
                             .tracestate = req->tracestate,
                             .timeout_ms = s->cfg->search_deadline_ms - s->cfg->search_deadline_ms / 10};
    bool open = http_client_breaker(s->search) != HTTP_BREAKER_CLOSED;
    int64_t began_us = os_monotonic_us();
    status = http_client_call(s->search, &call, &http_status, &body, err);
    int64_t us = os_monotonic_us() - began_us;
    metric_observe(&s->peer_times, us);
    metric_part_add(METRIC_PEER, us);
    if (status != OK) {
        found->why = status == ERR_TIMEOUT       ? DEGRADED_TIMEOUT
                     : status != ERR_UNAVAILABLE ? DEGRADED_ANSWER
                     : open                      ? DEGRADED_BREAKER
                                                 : DEGRADED_UNAVAILABLE;
        goto out;
    }
    found->why = DEGRADED_ANSWER; /* should it be needed */
    if (http_status != 200) {
        status = err_set(err, ERR_UNAVAILABLE, "SearchService answered %d: %.200s", http_status, buf_str(&body));
        goto out;
    }
    json_error_t json_err;
    found->peer = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, &json_err);
    if (!found->peer) {
        status = err_set(err, ERR_CORRUPT, "SearchService's answer is not JSON: %s", json_err.text);
        goto out;
    }
    status = read_answer(ask, found->peer, req->arena, found, err);
    if (status != OK) {
        json_decref(found->peer);
        *found = (struct found){.why = DEGRADED_ANSWER};
    }
out:
    buf_free(&path);
    buf_free(&body);
    return status;
}

static enum status search_own_words(struct sticker_service *s, const struct http_request *req, const struct ask *ask,
                                    struct found *found, struct error *err)
{
    struct index_query q;
    struct store_hit *hits;
    unsigned language = ask->lang ? language_number(ask->lang) : LANGUAGE_en;
    enum status status = text_query(ask->query, strlen(ask->query), language, true, req->arena, &q, err);
    if (status == OK && q.n_stems)
        status = sticker_store_search(s->store, &q, ask->limit, ask->offset, req->arena, &hits, &found->n,
                                      &found->total, err);
    if (status != OK || !q.n_stems)
        return status;
    found->hits = arena_array(req->arena, found->n + 1, sizeof *found->hits);
    if (!found->hits)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        found->hits[i] = (struct hit){hits[i].filename, hits[i].score};
    return OK;
}

/* An outage would otherwise write a line per search: one a second says as much. */
static void tell_degraded(struct sticker_service *s, enum degraded_reason reason, const char *why)
{
    uint64_t count = atomic_fetch_add(&s->degraded[reason], 1) + 1;
    int64_t now = os_monotonic_us(), told = atomic_load(&s->degraded_told_us);
    if (now - told >= 1000000 && atomic_compare_exchange_strong(&s->degraded_told_us, &told, now))
        log_warn("answering from own words (%llu times so far for this reason): %s", (unsigned long long)count, why);
}

/* What SearchService says about the whole search, copied into the arena. */
static void read_remarks(const json_t *peer, struct arena *arena, struct search_answer *out)
{
    const json_t *corrected = json_object_get(peer, "corrected"), *legs = json_object_get(peer, "legs");
    if (json_is_string(corrected))
        out->corrected = arena_strdup(arena, json_string_value(corrected));
    char *text = legs ? json_dumps(legs, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text)
        out->legs = arena_strdup(arena, text);
    free(text);
}

static enum status join_stickers(struct sticker_service *s, const struct found *found, struct arena *arena,
                                 struct search_answer *out, struct error *err)
{
    struct sticker *stickers = arena_array(arena, found->n + 1, sizeof *stickers);
    const char **names = arena_array(arena, found->n + 1, sizeof *names);
    out->results = arena_array(arena, found->n + 1, sizeof *out->results);
    if (!stickers || !names || !out->results)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        names[i] = found->hits[i].filename;
    enum status status = sticker_store_get_many(s->store, names, found->n, arena, stickers, err);
    for (size_t i = 0; status == OK && i < found->n; i++)
        if (stickers[i].filename) /* else deleted here, not yet there */
            out->results[out->n++] = (struct search_result){&stickers[i], found->hits[i].score};
    return status;
}

enum status search_run(struct sticker_service *s, const struct http_request *req, const char *query, const char *lang,
                       size_t limit, size_t offset, struct search_answer *out, struct error *err)
{
    const struct ask ask = {.query = query, .lang = lang, .limit = limit, .offset = offset};
    struct found found = {0};
    *out = (struct search_answer){0};
    enum status status = search_peer(s, req, &ask, &found, err);
    out->degraded = status != OK;
    if (status != OK) {
        tell_degraded(s, found.why, err->message);
        status = search_own_words(s, req, &ask, &found, err);
    }
    if (status == OK) {
        out->total = found.total;
        read_remarks(found.peer, req->arena, out);
        status = join_stickers(s, &found, req->arena, out, err);
    }
    json_decref(found.peer);
    return status;
}

enum status search_like(struct sticker_service *s, const struct http_request *req, const char *filename, size_t limit,
                        struct search_answer *out, struct error *err)
{
    const struct ask ask = {.like = filename, .limit = limit};
    struct found found = {0};
    *out = (struct search_answer){0};
    if (search_peer(s, req, &ask, &found, err) != OK) {
        log_debug("nothing like %s: %s", filename, err->message);
        return OK;
    }
    out->total = found.total;
    enum status status = join_stickers(s, &found, req->arena, out, err);
    json_decref(found.peer);
    return status;
}

enum usage_outcome search_outcome(const struct search_answer *answer)
{
    return answer->degraded ? USAGE_DEGRADED : answer->total == 0 ? USAGE_EMPTY : USAGE_FOUND;
}

static void write_answer(const struct ask *ask, const struct search_answer *answer, struct buf *out)
{
    buf_puts(out, "{\"stickers\":[");
    for (size_t i = 0; i < answer->n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, answer->results[i].sticker->filename);
    }
    buf_puts(out, "],\"results\":[");
    for (size_t i = 0; i < answer->n; i++) {
        const struct sticker *k = answer->results[i].sticker;
        buf_puts(out, i ? ",{\"filename\":" : "{\"filename\":");
        json_put_string(out, k->filename);
        buf_puts(out, ",\"score\":");
        json_put_score(out, answer->results[i].score);
        buf_puts(out, ",\"url\":\"");
        media_url(out, k->filename, k->sha256, 0);
        buf_puts(out, "\",\"thumbnail\":\"");
        media_url(out, k->filename, k->sha256, SEARCH_THUMBNAIL);
        buf_puts(out, "\",\"title\":");
        json_put_string(out, k->title);
        buf_putc(out, '}');
    }
    buf_puts(out, "],\"query\":");
    json_put_string(out, ask->query);
    buf_printf(out, ",\"total\":%lld", (long long)answer->total);
    if (answer->corrected) {
        buf_puts(out, ",\"corrected\":");
        json_put_string(out, answer->corrected);
    }
    if (answer->legs)
        buf_printf(out, ",\"legs\":%s", answer->legs);
    buf_puts(out, answer->degraded ? ",\"degraded\":true}" : "}");
}

void search_handle(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct ask ask = {0};
    struct search_answer answer;
    struct error err;
    int64_t limit, offset;
    if (query_param(req, &ask.query, &err) != OK || lang_param(req, &ask.lang, &err) != OK ||
        http_param_int(req, "limit", 1, SEARCH_LIMIT_MAX, 10, &limit, &err) != OK ||
        http_param_int(req, "offset", 0, SEARCH_OFFSET_MAX, 0, &offset, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    ask.limit = (size_t)limit;
    ask.offset = (size_t)offset;
    char key[32 + LANGUAGE_MAX_TAG + 1024];
    snprintf(key, sizeof key, "%zu %zu %s %s", ask.limit, ask.offset, ask.lang ? ask.lang : "", ask.query);
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    if (!answers_get(s->answers, key, &out)) {
        enum status status = search_run(s, req, ask.query, ask.lang, ask.limit, ask.offset, &answer, &err);
        if (status == OK) {
            write_answer(&ask, &answer, &out);
            buf_putc(&out, (char)search_outcome(&answer)); /* behind the answer, so that it is kept with it */
            status = buf_status(&out, &err);
        }
        if (status != OK) {
            http_problem_from(res, &err);
            goto out;
        }
        if (!answer.degraded)
            answers_put(s->answers, key, out.data, out.len);
    }
    size_t len = out.len - 1;
    usage_count(s->usage, ask.query, (enum usage_outcome)out.data[len]);
    http_body_take(res, 200, "application/json", buf_take(&out), len);
out:
    buf_free(&out);
}
