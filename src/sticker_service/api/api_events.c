/* POST /api/events/: what people did with the stickers of a search, in the words of User Behavior Insights 1.3
 * (github.com/o19s/ubi), each event with the receipt of its search. One request, one transaction. An event that cannot
 * be taken is named in the answer, and the others are taken. */
#include "base/json_in.h"
#include "base/json_out.h"
#include "base/os.h"
#include "base/utf8.h"
#include "sticker_service/api/api.h"
#include "sticker_service/api/json_body.h"
#include "sticker_service/auth.h"
#include "sticker_service/service.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define EVENTS_MAX 500u
#define CHARGED    20u  /* events that count as one more request for the rate limit: they are more work */
#define ID_MAX     128u /* characters of what a client calls an event or a person */
#define RANK_MAX   (100000 + RECEIPT_SHOWN_MAX)
#define SKEW_US    (300 * INT64_C(1000000)) /* that a client's clock may be wrong */

/* What a request has become so far. */
struct intake {
    struct sticker_service *service;
    struct arena *arena;
    struct search_row *searches; /* [n_searches], each receipt once */
    const char **receipts;       /* their texts, of which the request's JSON is the owner */
    size_t n_searches;
    struct event_row *events; /* [n] */
    size_t *index;            /* [n]: which of the request's events each is */
    size_t n;
    const char **why; /* [all]: why an event of the request was not taken, or NULL */
    size_t all;
    struct origin origin; /* of the request */
};

/* A string of 1 to `most` characters; "" if it is missing, which only an optional one may be. */
static enum status read_string(const json_t *event, size_t i, const char *member, bool optional, size_t most,
                               const char **out, struct error *err)
{
    char name[64];
    const json_t *value = json_object_get(event, member);
    *out = "";
    snprintf(name, sizeof name, "events[%zu].%s", i, member);
    if (!value)
        return optional ? OK : err_set(err, ERR_INVALID, "%s is missing", name);
    enum status st = json_check_string(value, name, err);
    if (st != OK)
        return st;
    size_t count = utf8_count(json_string_value(value), json_string_length(value));
    if (count < 1 || count > most)
        return err_set(err, ERR_INVALID, "%s must have 1 to %zu characters", name, most);
    *out = json_string_value(value);
    return OK;
}

static enum status read_action(const json_t *event, size_t i, enum event_action *out, struct error *err)
{
    const char *name;
    enum status st = read_string(event, i, "action_name", false, ID_MAX, &name, err);
    if (st != OK)
        return st;
    for (size_t k = 0; k < EVENT_ACTIONS; k++)
        if (strcmp(event_actions[k], name) == 0) {
            *out = (enum event_action)k;
            return OK;
        }
    err_set(err, ERR_INVALID, "events[%zu].action_name \"%.64s\" is unknown; known:", i, name);
    for (size_t k = 0; k < EVENT_ACTIONS; k++) {
        size_t len = strlen(err->message);
        snprintf(err->message + len, sizeof err->message - len, "%s %s", k ? "," : "", event_actions[k]);
    }
    return ERR_INVALID;
}

static enum status read_position(const json_t *event, size_t i, struct error *err)
{
    const json_t *value = json_object_get(event, "position");
    int64_t position;
    if (value && (!json_whole_number(value, &position) || position < 1 || position > RANK_MAX))
        return err_set(err, ERR_INVALID, "events[%zu].position must be a whole number from 1 to %d", i, RANK_MAX);
    return OK;
}

/* When it happened: now, unless it says so; not before its search, and not in the future. */
static enum status read_timestamp(const json_t *event, size_t i, const struct search_row *search, int64_t *out,
                                  struct error *err)
{
    const char *text;
    int64_t now = os_now_us();
    enum status st = read_string(event, i, "timestamp", true, ID_MAX, &text, err);
    *out = now;
    if (st != OK || !*text)
        return st;
    if (os_parse_time(text, out, err) != OK)
        return err_set(err, ERR_INVALID,
                       "events[%zu].timestamp must be a time as in ISO 8601, such as"
                       " \"2026-01-31T12:00:00Z\"",
                       i);
    if (*out > now + SKEW_US)
        return err_set(err, ERR_INVALID, "events[%zu].timestamp is in the future", i);
    if (*out < search->made_us - SKEW_US)
        return err_set(err, ERR_INVALID, "events[%zu].timestamp is before the search of its query_id", i);
    *out = *out > now ? now : *out;
    return OK;
}

/* Events of one search come together, so the last receipts are looked at first. */
static enum status read_receipt(struct intake *in, const json_t *event, size_t i, const struct search_row **out,
                                struct error *err)
{
    const char *text;
    struct error why;
    enum status st = read_string(event, i, "query_id", false, RECEIPT_MAX, &text, err);
    if (st != OK)
        return st;
    for (size_t k = in->n_searches; k-- > 0;)
        if (strcmp(in->receipts[k], text) == 0) {
            *out = &in->searches[k];
            return OK;
        }
    st = receipts_read(in->service->receipts, text, strlen(text), in->arena, &in->searches[in->n_searches], &why);
    if (st != OK)
        return err_set(err, st, "events[%zu].query_id %s", i, why.message);
    in->receipts[in->n_searches] = text;
    *out = &in->searches[in->n_searches++];
    return OK;
}

/* An app may count its events for each search, and nobody can use up the ids of others, whose receipts they do not
 * have. */
static void make_id(const struct search_row *search, const char *id, unsigned char out[STORE_EVENT_ID])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, STORE_EVENT_ID);
    crypto_generichash_update(&state, search->id, STORE_SEARCH_ID);
    crypto_generichash_update(&state, (const unsigned char *)id, strlen(id));
    crypto_generichash_final(&state, out, STORE_EVENT_ID);
}

static enum status read_event(struct intake *in, const json_t *event, size_t i, struct event_row *out,
                              struct error *err)
{
    const char *id, *client;
    unsigned char *hash = arena_alloc(in->arena, STORE_EVENT_ID);
    if (!json_is_object(event))
        return err_set(err, ERR_INVALID, "events[%zu] must be an object", i);
    *out = (struct event_row){.id = hash, .client = "", .origin = in->origin};
    enum status st = read_string(event, i, "event_id", false, ID_MAX, &id, err);
    if (st == OK)
        st = read_action(event, i, &out->action, err);
    if (st == OK)
        st = read_receipt(in, event, i, &out->search, err);
    if (st == OK)
        st = read_string(event, i, "object_id", false, STICKER_FILENAME_MAX, &out->sticker, err);
    if (st == OK)
        st = read_position(event, i, err);
    if (st == OK)
        st = read_string(event, i, "client_id", true, ID_MAX, &client, err);
    if (st == OK)
        st = read_timestamp(event, i, out->search, &out->at_us, err);
    if (st == OK && !*client && out->action == EVENT_UNDO)
        st = err_set(err, ERR_INVALID, "events[%zu] takes a vote back and needs a client_id, whose vote it was", i);
    if (st == OK && *client)
        out->client = receipts_person(in->service->receipts, client, in->origin.vouched, in->arena);
    if (st == OK && (!hash || !out->client))
        st = err_no_memory(err, "events");
    if (st == OK)
        make_id(out->search, id, hash);
    return st;
}

static enum status read_events(struct intake *in, const json_t *root, struct error *err)
{
    const json_t *list = json_object_get(root, "events");
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "the body must be a JSON object with the array events");
    size_t n = json_array_size(list);
    if (n < 1 || n > EVENTS_MAX)
        return err_set(err, ERR_INVALID, "events must have 1 to %u entries, not %zu", EVENTS_MAX, n);
    in->all = n;
    in->why = arena_array(in->arena, n, sizeof *in->why);
    in->searches = arena_array(in->arena, n, sizeof *in->searches);
    in->receipts = arena_array(in->arena, n, sizeof *in->receipts);
    in->events = arena_array(in->arena, n, sizeof *in->events);
    in->index = arena_array(in->arena, n, sizeof *in->index);
    if (!in->why || !in->searches || !in->receipts || !in->events || !in->index)
        return err_no_memory(err, "%zu events", n);
    for (size_t i = 0; i < n; i++) {
        struct error why;
        enum status st = read_event(in, json_array_get(list, i), i, &in->events[in->n], &why);
        if (st == OK)
            in->index[in->n++] = i;
        else if (st != ERR_INVALID || !(in->why[i] = arena_strdup(in->arena, why.message)))
            return err_set(err, st == ERR_INVALID ? ERR_NO_MEMORY : st, "%s", why.message);
    }
    return OK;
}

static enum status write_outcome(struct intake *in, struct buf *out, struct error *err)
{
    struct sticker_service *s = in->service;
    size_t accepted = 0, repeated = 0, failed = 0;
    for (size_t k = 0; k < in->n; k++) {
        const struct event_row *e = &in->events[k];
        accepted += e->was == EVENT_NEW;
        repeated += e->was == EVENT_REPEATED;
        if (e->was == EVENT_NEW)
            atomic_fetch_add_explicit(&s->events[e->action], 1, memory_order_relaxed);
        if (e->was == EVENT_NOT_SHOWN &&
            !(in->why[in->index[k]] = arena_printf(
                  in->arena, "events[%zu].object_id is not a sticker that its search showed", in->index[k])))
            return err_no_memory(err, "events");
    }
    buf_printf(out, "{\"accepted\":%zu,\"duplicates\":%zu,\"failed\":[", accepted, repeated);
    for (size_t i = 0; i < in->all; i++) {
        if (!in->why[i])
            continue;
        buf_printf(out, "%s{\"index\":%zu,\"detail\":", failed++ ? "," : "", i);
        json_put_string(out, in->why[i]);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
    atomic_fetch_add_explicit(&s->events_failed, failed, memory_order_relaxed);
    return buf_status(out, err);
}

void handle_api_events(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct intake in = {.service = s, .arena = req->arena, .origin = auth_origin(s->store, s->receipts, req)};
    struct error err;
    struct buf out;
    json_t *root = NULL;
    bool utf8;
    buf_init(&out, 1u << 20);
    enum status st = json_body(req, &root, &utf8, &err);
    if (st == OK)
        st = read_events(&in, root, &err);
    if (http_charge(req, (unsigned)(in.n / CHARGED))) {
        if (st == OK && in.n)
            st = sticker_store_events_add(s->store, in.searches, in.n_searches, in.events, in.n, in.arena, &err);
        if (st == OK)
            st = write_outcome(&in, &out, &err);
        if (st == OK)
            http_json(res, 202, buf_str(&out), out.len);
        else
            http_problem_from(res, &err);
    }
    json_decref(root);
    buf_free(&out);
}
