/* find.c: asks SearchService, and adds what our own store knows of the stickers. When SearchService does not answer,
 * or answers rubbish, our own words must do. */
#include "sticker_service/find.h"

#include "base/language.h"
#include "base/log.h"
#include "base/os.h"
#include "sticker_service/find_pins.h"
#include "text/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_MAX_BYTES (4u << 20)
#define PINS_WINDOW    1000u /* results that are looked at where a query has pins: SearchService gives no more at once */

struct found {
    struct find_hit *hits;
    size_t n;
    int64_t total;
    unsigned language;        /* of the query, as SearchService told it, or as was said */
    json_t *peer;             /* SearchService's whole answer; NULL when the search is degraded */
    enum degraded_reason why; /* of a degraded search: the reason */
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
static enum status find_read_answer(const struct find_query *query, json_t *peer, struct arena *arena,
                                    struct found *found, struct error *err)
{
    const json_t *results = json_object_get(peer, "results");
    if (!json_is_array(results))
        return err_set(err, ERR_CORRUPT, "SearchService's answer has no array \"results\"");
    size_t n = json_array_size(results);
    if (n > query->limit)
        return err_set(err, ERR_CORRUPT, "SearchService answered %zu results where %zu were asked for", n,
                       query->limit);
    found->hits = arena_array(arena, n + 1, sizeof *found->hits);
    if (!found->hits)
        return err_no_memory(err, "%zu results", n);
    for (size_t i = 0; i < n; i++) {
        const json_t *item = json_array_get(results, i), *name = json_object_get(item, "filename");
        if (!json_is_string(name) || filename_check(json_string_value(name), NULL) != OK)
            return err_set(err, ERR_CORRUPT, "results[%zu].filename of SearchService is not a filename", i);
        found->hits[i].filename = json_string_value(name);
        found->hits[i].score = json_number_value(json_object_get(item, "score"));
        double confidence = json_number_value(json_object_get(item, "confidence"));
        found->hits[i].confidence = confidence > 0 && confidence <= 1 ? confidence : 0;
    }
    found->n = n;
    const json_t *total = json_object_get(peer, "total");
    const char *language = json_string_value(json_object_get(peer, "language"));
    if (language)
        found->language = language_number(language);
    found->total = json_is_integer(total) ? json_integer_value(total) : (json_int_t)(query->offset + n);
    return OK;
}

/* What is filtered, and nothing where it is not. */
static void put_filter(const struct sticker_filter *f, struct buf *path)
{
    if (f->pack && *f->pack) {
        buf_puts(path, "&pack=");
        http_escape(path, f->pack, strlen(f->pack));
    }
    if (f->rating_most != RATING_R)
        buf_printf(path, "&rating=%s", rating_name(f->rating_most));
    if (f->animated != ANIMATED_ANY)
        buf_printf(path, "&animated=%s", f->animated == ANIMATED_YES ? "true" : "false");
}

static enum status find_by_peer(struct sticker_service *s, const struct http_request *req,
                                const struct find_query *query, struct found *found, struct error *err)
{
    struct buf path, body;
    buf_init(&path, 8192);
    buf_init(&body, PEER_MAX_BYTES);
    const char *subject = query->like ? query->like : query->text;
    buf_puts(&path, query->like ? "/api/search/?like=" : "/api/search/?query=");
    http_escape(&path, subject, strlen(subject));
    buf_printf(&path, "&limit=%zu&offset=%zu", query->limit, query->offset);
    if (query->lang)
        buf_printf(&path, "&lang=%s", query->lang);
    put_filter(&query->filter, &path);
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
    found->why = DEGRADED_ANSWER; /* used only if the answer cannot be read */
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
    status = find_read_answer(query, found->peer, req->arena, found, err);
    if (status != OK) {
        json_decref(found->peer);
        *found = (struct found){.why = DEGRADED_ANSWER, .language = found->language};
    }
out:
    buf_free(&path);
    buf_free(&body);
    return status;
}

static enum status find_by_own_words(struct sticker_service *s, const struct http_request *req,
                                     const struct find_query *query, struct found *found, struct error *err)
{
    struct term_query q;
    struct store_hit *hits;
    size_t len = strlen(query->text), added;
    struct synonyms *synonyms = curation_synonyms(s->curation);
    enum status status = text_query(query->text, len, found->language, true, req->arena, &q, err);
    if (status == OK)
        status = synonyms_expand(synonyms, query->text, len, req->arena, &q, &added, err);
    synonyms_close(synonyms);
    if (status == OK && q.n_stems)
        status = sticker_store_search(s->store, &q, &query->filter, query->limit, query->offset, req->arena, &hits,
                                      &found->n, &found->total, err);
    if (status != OK || !q.n_stems)
        return status;
    found->hits = arena_array(req->arena, found->n + 1, sizeof *found->hits);
    if (!found->hits)
        return err_no_memory(err, "%zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        found->hits[i] = (struct find_hit){.filename = hits[i].filename, .score = hits[i].score};
    return OK;
}

/* Logs at most one line a second: an outage would otherwise write one for each search. */
static void tell_degraded(struct sticker_service *s, enum degraded_reason reason, const char *why)
{
    uint64_t count = atomic_fetch_add(&s->degraded[reason], 1) + 1;
    int64_t now = os_monotonic_us(), logged = atomic_load(&s->degraded_logged_us);
    if (now - logged >= 1000000 && atomic_compare_exchange_strong(&s->degraded_logged_us, &logged, now))
        log_warn("SearchService failed, answering from keyword search (%llu times so far for this reason): %s",
                 (unsigned long long)count, why);
}

/* What SearchService says about the whole search, copied into the arena. */
static void read_remarks(const json_t *peer, struct arena *arena, struct find_answer *out)
{
    const json_t *corrected = json_object_get(peer, "corrected"), *legs = json_object_get(peer, "legs");
    const char *ranking = json_string_value(json_object_get(peer, "ranking"));
    char *kept = ranking ? arena_strdup(arena, ranking) : NULL;
    if (kept)
        out->ranking = kept;
    if (json_is_string(corrected))
        out->corrected = arena_strdup(arena, json_string_value(corrected));
    char *text = legs ? json_dumps(legs, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (text)
        out->legs = arena_strdup(arena, text);
    free(text);
}

static enum status join_stickers(struct sticker_service *s, const struct found *found,
                                 const struct sticker_filter *filter, struct arena *arena, struct find_answer *out,
                                 struct error *err)
{
    struct sticker *stickers = arena_array(arena, found->n + 1, sizeof *stickers);
    const char **names = arena_array(arena, found->n + 1, sizeof *names);
    out->results = arena_array(arena, found->n + 1, sizeof *out->results);
    if (!stickers || !names || !out->results)
        return err_no_memory(err, "%zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        names[i] = found->hits[i].filename;
    enum status status = sticker_store_get_many(s->store, names, found->n, arena, stickers, err);
    for (size_t i = 0; status == OK && i < found->n; i++)
        /* What was deleted or changed here is not yet so there. */
        if (stickers[i].filename &&
            sticker_filter_passes(filter, stickers[i].pack, stickers[i].rating, stickers[i].animated))
            out->results[out->n++] = (struct find_result){.sticker = &stickers[i],
                                                          .score = found->hits[i].score,
                                                          .confidence = found->hits[i].confidence,
                                                          .pinned = found->hits[i].pinned};
    return status;
}

/* Asks SearchService, or our own words. */
static enum status ask(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                       struct found *found, bool *degraded, struct error *err)
{
    *found = (struct found){.language = query->lang ? language_number(query->lang) : LANGUAGE_en};
    enum status status = find_by_peer(s, req, query, found, err);
    *degraded = status != OK;
    if (status == OK || query->like)
        return status;
    tell_degraded(s, found->why, err->message);
    return find_by_own_words(s, req, query, found, err);
}

/* --- pins --- */

/* Of a query's pins those for its language, of stickers that are there and pass the filter; where a sticker has one for
 * the language and one for all, the former counts. */
static enum status choose_pins(struct sticker_service *s, const struct find_query *query, unsigned language,
                               struct pin *pins, size_t *n, struct arena *arena, struct error *err)
{
    const char **names = arena_array(arena, *n + 1, sizeof *names);
    struct sticker *stickers = arena_array(arena, *n + 1, sizeof *stickers);
    size_t kept = 0;
    if (!names || !stickers)
        return err_no_memory(err, "%zu pins", *n);
    for (size_t i = 0; i < *n; i++) {
        bool counts = !*pins[i].language || language_number(pins[i].language) == language;
        for (size_t k = 0; k < *n && counts; k++) /* is there a better one? */
            counts = k == i || strcmp(pins[k].sticker, pins[i].sticker) != 0 || !*pins[k].language ||
                     language_number(pins[k].language) != language || (*pins[i].language && i < k);
        if (counts)
            pins[kept++] = pins[i];
    }
    *n = kept;
    for (size_t i = 0; i < *n; i++)
        names[i] = pins[i].sticker;
    enum status status = sticker_store_get_many(s->store, names, *n, arena, stickers, err);
    kept = 0;
    for (size_t i = 0; i < *n && status == OK; i++)
        if (stickers[i].filename &&
            (!pins[i].position ||
             sticker_filter_passes(&query->filter, stickers[i].pack, stickers[i].rating, stickers[i].animated)))
            pins[kept++] = pins[i];
    *n = kept;
    return status;
}

/* Hidden ones last, and at one position the one that was changed last first, as they came. */
static void sort_pins(struct pin *pins, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct pin pin = pins[i];
        size_t k = i;
        for (; k > 0 && pins[k - 1].position - 1 > pin.position - 1; k--) /* 0 becomes the greatest */
            pins[k] = pins[k - 1];
        pins[k] = pin;
    }
}

/* The page as the pins have it. `found` are the first PINS_WINDOW results; a page behind them is asked for by itself.
 */
static enum status arrange(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                           struct pin *pins, size_t n_pins, struct found *found, struct error *err)
{
    struct find_arranged page;
    enum status status = choose_pins(s, query, found->language, pins, &n_pins, req->arena, err);
    if (status != OK)
        return status;
    sort_pins(pins, n_pins);
    status = find_arrange(found->hits, found->n, found->total, pins, n_pins, query->offset, query->limit, req->arena,
                          &page, err);
    if (status != OK)
        return status;
    struct find_query behind = *query;
    behind.offset = query->offset + page.n + page.removed - page.pinned;
    behind.limit = query->limit - page.n;
    if (page.short_of && behind.offset <= FIND_MAX_OFFSET) {
        struct found more;
        bool degraded;
        status = ask(s, req, &behind, &more, &degraded, err);
        if (status == OK)
            find_leave_out(more.hits, &more.n, pins, n_pins);
        for (size_t i = 0; i < more.n && status == OK; i++) {
            page.hits[page.n] = more.hits[i];
            if (!(page.hits[page.n++].filename = arena_strdup(req->arena, more.hits[i].filename)))
                status = err_no_memory(err, "%zu results", more.n);
        }
        json_decref(more.peer);
    }
    found->hits = page.hits;
    found->n = page.n;
    found->total = page.total;
    return status;
}

enum status find_stickers(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                          struct find_answer *out, struct error *err)
{
    struct found found = {0};
    struct find_query asked = *query;
    struct pin *pins = NULL;
    size_t n_pins = 0;
    *out = (struct find_answer){0};
    enum status status = query->like ? OK : curation_pins(s->curation, query->text, req->arena, &pins, &n_pins, err);
    if (status != OK)
        return status;
    if (n_pins) {
        asked.offset = 0;
        asked.limit = PINS_WINDOW;
    }
    status = ask(s, req, &asked, &found, &out->degraded, err);
    if (status != OK && query->like) {
        log_debug("no stickers similar to %s: %s", query->like, err->message);
        *out = (struct find_answer){0};
        return OK;
    }
    if (status == OK && n_pins)
        status = arrange(s, req, query, pins, n_pins, &found, err);
    if (status == OK) {
        out->total = found.total;
        out->ranking = found.peer ? "" : "words";
        out->language = language_code(found.language);
        read_remarks(found.peer, req->arena, out);
        status = join_stickers(s, &found, &query->filter, req->arena, out, err);
    }
    json_decref(found.peer);
    return status;
}

enum status find_draft(const struct find_query *query, const struct find_answer *answer, struct arena *arena,
                       struct buf *out, struct error *err)
{
    const char **ids = arena_array(arena, answer->n + 1, sizeof *ids);
    if (!ids)
        return err_no_memory(err, "%zu results", answer->n);
    for (size_t i = 0; i < answer->n; i++)
        ids[i] = answer->results[i].sticker->id;
    receipt_draft(
        &(struct receipt_draft){query->text, answer->language, answer->ranking, query->offset, ids, answer->n}, out);
    return OK;
}

enum usage_outcome find_outcome(const struct find_answer *answer)
{
    return answer->degraded ? USAGE_DEGRADED : answer->total == 0 ? USAGE_EMPTY : USAGE_FOUND;
}
