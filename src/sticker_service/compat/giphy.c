/* giphy.c: GIPHY's API v1, its emoji of v2, and where its clients tell what people did with results. */
#include "sticker_service/compat/giphy_gif.h"

#include "base/json_in.h"
#include "base/json_out.h"
#include "base/os.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define QUERY_MAX     50u /* characters, as there; longer ones are answered 414 */
#define LIMIT_DEFAULT 25
#define LIMIT_MAX     50
#define OFFSET_MAX    4999
#define TAGS_DEFAULT  5
#define EVENTS_MAX    500u
#define ANSWER_MAX    (1u << 20)

void giphy_refuse(const struct http_request *req, struct http_response *res, int status, const char *why)
{
    struct buf out;
    buf_init(&out, 64u << 10);
    buf_printf(&out, "{\"data\":[],\"meta\":{\"status\":%d,\"msg\":", status);
    json_put_string(&out, why);
    buf_printf(&out, ",\"response_id\":\"%s\"}}", req->request_id);
    http_json(res, status, buf_str(&out), out.len);
    buf_free(&out);
}

/* Of the kinds that the path may name, stickers and gifs are the same library here; of the others there are none. */
static bool is_library(const char *type)
{
    return !type || strcmp(type, "gifs") == 0 || strcmp(type, "stickers") == 0;
}

static bool is_kind(const char *type)
{
    return is_library(type) || strcmp(type, "text") == 0 || strcmp(type, "videos") == 0 || strcmp(type, "clips") == 0;
}

/* Its clients send the id that they tell events by with searches too. */
static enum status read_person(const struct http_request *req, const char **person, struct error *err)
{
    static const char *const names[] = {"customer_id", "random_id", "pingback_id", NULL};
    return compat_person(req, names, person, err);
}

static enum status read_params(struct sticker_service *s, const struct http_request *req, struct find_query *query,
                               struct served_form *form, struct error *err)
{
    int64_t limit = LIMIT_DEFAULT, offset = 0;
    *query = (struct find_query){.filter = STICKER_FILTER_NONE};
    *form = (struct served_form){.key = 'g', .write = giphy_write};
    if (!(form->sticker.origin = service_origin(s, req)))
        return err_no_memory(err, "an address");
    if (strncmp(req->path, "/giphy/v1/stickers/", 19) == 0)
        form->sticker.members |= GIPHY_STICKERS;
    enum status st = compat_lang(req, "lang", &form->sticker.lang, err);
    query->lang = form->sticker.lang;
    if (st == OK)
        st = compat_rating(req, "rating", &query->filter.rating_most, err);
    if (st == OK)
        st = compat_int(req, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, err);
    if (st == OK)
        st = compat_int(req, "offset", 0, OFFSET_MAX, 0, &offset, err);
    if (st == OK)
        st = read_person(req, &query->client, err);
    query->limit = (size_t)limit;
    query->offset = (size_t)offset;
    return st;
}

/* Begins a request for Gifs of a kind. True when it is to be answered; else it has been. */
static bool begin(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                  const char *type, struct find_query *query, struct served_form *form)
{
    struct error err;
    struct find_answer none = {0};
    enum status st =
        is_kind(type) ? read_params(s, req, query, form, &err) : err_set(&err, ERR_NOT_FOUND, "There is nothing here");
    if (st == OK && is_library(type))
        return true;
    if (st == OK)
        compat_list(s, req, res, OK, query, form, &none, &err, giphy_refuse);
    else
        giphy_refuse(req, res, compat_status(&err), err.message);
    return false;
}

/* "@openmoji cat" is a search in a channel, which is a pack here. */
static enum status read_channel(struct find_query *query, struct arena *a, struct error *err)
{
    if (*query->text != '@')
        return OK;
    size_t len = strcspn(query->text, " ");
    query->filter.pack = arena_strndup(a, query->text + 1, len - 1);
    query->text += len + strspn(query->text + len, " ");
    return query->filter.pack ? OK : err_no_memory(err, "a pack");
}

void handle_giphy_search(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    if (!begin(ctx, req, res, req->path_param, &query, &form))
        return;
    enum status st = compat_query(req, "q", QUERY_MAX, &query.text, &err);
    if (st == OK)
        st = read_channel(&query, req->arena, &err);
    if (st == OK && *query.text) {
        compat_search(ctx, req, res, &query, &form, giphy_refuse);
        return;
    }
    if (st == OK) /* all of a channel */
        st = discover_trending(ctx, &query.filter, query.offset, query.limit, req->arena, &answer, &err);
    compat_list(ctx, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

void handle_giphy_translate(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct error err;
    if (!begin(ctx, req, res, req->path_param, &query, &form))
        return;
    form.sticker.members |= GIPHY_ONE;
    query.limit = 1;
    query.offset = 0;
    enum status st = compat_query(req, "s", QUERY_MAX, &query.text, &err);
    if (st == OK)
        compat_search(ctx, req, res, &query, &form, giphy_refuse);
    else
        giphy_refuse(req, res, compat_status(&err), err.message);
}

static void trending(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                     const char *type)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    if (!begin(s, req, res, type, &query, &form))
        return;
    enum status st = discover_trending(s, &query.filter, query.offset, query.limit, req->arena, &answer, &err);
    compat_list(s, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

void handle_giphy_trending(void *ctx, const struct http_request *req, struct http_response *res)
{
    trending(ctx, req, res, req->path_param);
}

/* Emoji are not kept apart from other stickers. */
void handle_giphy_emoji(void *ctx, const struct http_request *req, struct http_response *res)
{
    trending(ctx, req, res, NULL);
}

void handle_giphy_random(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    uint64_t random;
    if (!begin(ctx, req, res, req->path_param, &query, &form))
        return;
    form.sticker.members |= GIPHY_ONE;
    query.limit = LIMIT_MAX;
    query.offset = 0;
    os_random(&random, sizeof random);
    enum status st = query_or_empty(req, "tag", &query.text, &err);
    if (st == OK && *query.text) {
        st = find_stickers(ctx, req, &query, &answer, &err);
        if (st == OK && answer.n) {
            answer.results += random % answer.n;
            answer.n = 1;
        }
    } else if (st == OK) {
        st = discover_random(ctx, &query.filter, random, 1, req->arena, &answer, &err);
    }
    compat_list(ctx, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

void handle_giphy_related(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct sticker k;
    struct error err;
    const char *id;
    if (!begin(ctx, req, res, req->path_param, &query, &form))
        return;
    enum status st = http_param_or(req, "gif_id", "", &id, &err);
    if (st == OK)
        st = compat_sticker(ctx, req, id, &k, &err);
    if (st == OK) {
        query.like = k.filename;
        st = find_stickers(ctx, req, &query, &answer, &err);
    }
    compat_list(ctx, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

static void one_gif(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                    unsigned shape)
{
    struct find_query query;
    struct served_form form;
    struct sticker k;
    struct error err;
    struct find_result result = {.sticker = &k};
    struct find_answer answer = {.results = &result, .n = 1, .total = 1};
    if (!begin(s, req, res, NULL, &query, &form))
        return;
    form.sticker.members |= shape;
    enum status st = compat_sticker(s, req, req->path_param, &k, &err);
    compat_list(s, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

void handle_giphy_gif(void *ctx, const struct http_request *req, struct http_response *res)
{
    one_gif(ctx, req, res, GIPHY_ONE);
}

/* There is only the emoji itself. */
void handle_giphy_variations(void *ctx, const struct http_request *req, struct http_response *res)
{
    one_gif(ctx, req, res, GIPHY_UNPAGED);
}

void handle_giphy_gifs(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    const char *ids;
    if (!begin(ctx, req, res, NULL, &query, &form))
        return;
    query.offset = 0;
    enum status st = http_param_or(req, "ids", "", &ids, &err);
    if (st == OK && !*ids)
        st = err_set(&err, ERR_INVALID, "ids is missing");
    if (st == OK)
        st = compat_stickers(ctx, req, ids, 100, &answer, &err);
    compat_list(ctx, req, res, st, &query, &form, &answer, &err, giphy_refuse);
}

/* --- categories --- */

static enum status write_categories(struct sticker_service *s, const struct http_request *req,
                                    const struct find_query *query, const struct served_form *form, struct buf *out,
                                    struct error *err)
{
    struct category list[DISCOVER_CATEGORIES];
    size_t n = 0;
    enum status st = discover_categories(s, req, query->lang, &query->filter, list, &n, err);
    size_t first = query->offset < n ? query->offset : n, end = first + query->limit < n ? first + query->limit : n;
    buf_puts(out, "{\"data\":[");
    for (size_t i = first; i < end && st == OK; i++) {
        buf_puts(out, i > first ? ",{\"name\":" : "{\"name\":");
        json_put_string(out, list[i].name);
        buf_printf(out, ",\"name_encoded\":\"%s\",\"subcategories\":[{\"name\":", list[i].id);
        json_put_string(out, list[i].query);
        buf_puts(out, ",\"name_encoded\":\"");
        http_escape(out, list[i].query, strlen(list[i].query));
        buf_puts(out, "\"}],\"gif\":");
        giphy_put_gif(form, &list[i].cover, out);
        buf_putc(out, '}');
    }
    buf_printf(out, "],\"pagination\":{\"total_count\":%zu,\"count\":%zu,\"offset\":%zu}", n, end - first, first);
    giphy_put_meta(out, req->request_id);
    return st;
}

/* Covers are not results of a search, and have no receipt. */
static void drop_receipts(struct buf *out)
{
    size_t to = 0;
    for (size_t i = 0; i < out->len; i++)
        if (out->data[i] != SERVED_RECEIPT)
            out->data[to++] = out->data[i];
    if (out->data)
        out->data[to] = '\0';
    out->len = to;
}

void handle_giphy_categories(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct error err;
    struct buf out;
    if (!begin(ctx, req, res, NULL, &query, &form))
        return;
    buf_init(&out, ANSWER_MAX);
    enum status st = write_categories(ctx, req, &query, &form, &out, &err);
    drop_receipts(&out);
    compat_send(req, res, st, &out, &err, giphy_refuse);
}

/* gifs/categories/animals: there are no smaller ones; gifs/categories/animals/cat: the Gifs of what is searched for. */
void handle_giphy_category(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer none = {0};
    struct error err;
    if (!begin(ctx, req, res, NULL, &query, &form))
        return;
    const char *slash = strchr(req->path_param, '/');
    size_t len = slash ? strlen(slash + 1) : 0;
    query.text = slash ? slash + 1 : "";
    if (len && query_trim(&query.text, &len) == OK && (query.text = arena_strndup(req->arena, query.text, len)))
        compat_search(ctx, req, res, &query, &form, giphy_refuse);
    else
        compat_list(ctx, req, res, OK, &query, &form, &none, &err, giphy_refuse);
}

/* --- words --- */

static void put_names(const char *const *names, size_t n, bool objects, const struct http_request *req, struct buf *out)
{
    buf_puts(out, "{\"data\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        buf_puts(out, objects ? "{\"name\":" : "");
        json_put_string(out, names[i]);
        buf_puts(out, objects ? "}" : "");
    }
    buf_putc(out, ']');
    giphy_put_meta(out, req->request_id);
}

static void tags(struct sticker_service *s, const struct http_request *req, struct http_response *res, enum status st,
                 const char *typed, struct error *err)
{
    struct suggestion found[COLLECTION_SUGGESTIONS];
    const char *names[COLLECTION_SUGGESTIONS] = {0}, *lang;
    struct buf out;
    int64_t limit;
    size_t n = 0;
    buf_init(&out, ANSWER_MAX);
    if (st == OK)
        st = compat_lang(req, "lang", &lang, err);
    if (st == OK)
        st = compat_int(req, "limit", 1, COLLECTION_SUGGESTIONS, TAGS_DEFAULT, &limit, err);
    if (st == OK)
        n = collection_suggest(s->collection, typed, lang, (size_t)limit, req->arena, found);
    for (size_t i = 0; i < n; i++)
        names[i] = found[i].text;
    put_names(names, n, true, req, &out);
    compat_send(req, res, st, &out, err, giphy_refuse);
}

void handle_giphy_tags(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    const char *q = "";
    enum status st = compat_query(req, "q", QUERY_MAX, &q, &err);
    tags(ctx, req, res, st, q, &err);
}

void handle_giphy_related_tags(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    tags(ctx, req, res, OK, req->path_param, &err);
}

void handle_giphy_trending_searches(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    const char *names[LIMIT_MAX] = {0}, *lang;
    struct error err;
    struct buf out;
    size_t n = 0;
    buf_init(&out, ANSWER_MAX);
    enum status st = compat_lang(req, "lang", &lang, &err);
    if (st == OK)
        n = collection_popular(s->collection, lang, 20, req->arena, names);
    put_names(names, n, false, req, &out);
    compat_send(req, res, st, &out, &err, giphy_refuse);
}

/* Packs whose name begins so. */
void handle_giphy_channels(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct collection_facts facts;
    struct error err;
    struct buf out;
    const char *q = "";
    size_t n = 0;
    buf_init(&out, ANSWER_MAX);
    enum status st = compat_query(req, "q", QUERY_MAX, &q, &err);
    collection_facts(s->collection, req->arena, &facts);
    buf_puts(&out, "{\"data\":[");
    for (size_t i = 0; i < facts.n_packs; i++) {
        const struct pack_about *about = &facts.packs[i].about;
        if (strncasecmp(about->name, q, strlen(q)) != 0 && strncasecmp(pack_title(about), q, strlen(q)) != 0)
            continue;
        buf_printf(&out, "%s{\"id\":%zu,\"type\":\"channel\",\"slug\":", n++ ? "," : "", i + 1);
        json_put_string(&out, about->name);
        buf_puts(&out, ",\"display_name\":");
        json_put_string(&out, pack_title(about));
        buf_puts(&out, ",\"content_type\":\"sticker\",\"has_children\":false}");
    }
    buf_printf(&out, "],\"pagination\":{\"total_count\":%zu,\"count\":%zu,\"offset\":0}", n, n);
    giphy_put_meta(&out, req->request_id);
    compat_send(req, res, st, &out, &err, giphy_refuse);
}

void handle_giphy_randomid(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct buf out;
    struct error err;
    uint64_t random[2];
    os_random(random, sizeof random);
    buf_init(&out, ANSWER_MAX);
    buf_printf(&out, "{\"data\":{\"random_id\":\"%016llx%016llx\"}", (unsigned long long)random[0],
               (unsigned long long)random[1]);
    giphy_put_meta(&out, req->request_id);
    compat_send(req, res, OK, &out, &err, giphy_refuse);
}

/* --- what people did --- */

static bool read_action(const char *name, enum event_action *out)
{
    static const struct {
        const char *name;
        enum event_action action;
    } known[] = {
        {"SEEN", EVENT_IMPRESSION}, {"CLICK", EVENT_CLICK}, {"SENT", EVENT_SHARE}, {"FAVORITE", EVENT_FAVOURITE}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i].name) == 0) {
            *out = known[i].action;
            return true;
        }
    return false;
}

/* "<receipt>.<id>", in JSON with the id escaped and whatever a client appends behind a &. False: it is none of ours, or
 * not about a search. */
static bool read_payload(const char *payload, bool escaped, struct arena *a, struct compat_event *out)
{
    const char *dot = strchr(payload, '.');
    if (!dot || dot == payload)
        return false;
    out->receipt = arena_strndup(a, payload, (size_t)(dot - payload));
    out->id = arena_strndup(a, dot + 1, escaped ? strcspn(dot + 1, "&") : strlen(dot + 1));
    return out->receipt && out->id;
}

static void answer_pings(const struct http_request *req, struct http_response *res, enum status st, struct error *err)
{
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"data\":[]");
    giphy_put_meta(&out, req->request_id);
    compat_send(req, res, st, &out, err, giphy_refuse);
}

void handle_giphy_pingback_simple(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    struct compat_event event = {.person = ""};
    const char *payload, *action, *person;
    int64_t ts = 0;
    enum status st = http_param_or(req, "analytics_response_payload", "", &payload, &err);
    if (st == OK)
        st = http_param_or(req, "action_type", "", &action, &err);
    if (st == OK)
        st = read_person(req, &person, &err);
    if (st == OK)
        st = compat_int(req, "ts", 0, INT64_MAX / 1000, 0, &ts, &err);
    if (st == OK && read_payload(payload, false, req->arena, &event) && read_action(action, &event.action)) {
        event.person = person;
        event.at_us = ts * 1000;
        st = compat_events(ctx, req, &event, 1, &err);
    }
    answer_pings(req, res, st, &err);
}

static bool read_ping(const json_t *ping, struct arena *a, struct compat_event *out)
{
    const char *person = json_member_text(ping, "logged_in_user_id");
    int64_t ts = json_member_int(ping, "ts");
    *out = (struct compat_event){.person = *person ? person : json_member_text(ping, "user_id")};
    out->at_us = ts > 0 && ts < INT64_MAX / 1000 ? ts * 1000 : 0;
    return strlen(out->person) <= 512 && read_action(json_member_text(ping, "action_type"), &out->action) &&
           read_payload(json_member_text(ping, "analytics_response_payload"), true, a, out);
}

void handle_giphy_pingback(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    json_t *root = NULL;
    enum status st =
        json_read_body(req->body, req->body_len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &root, &err);
    const json_t *list = json_object_get(root, "events");
    size_t n = json_array_size(list), taken = 0;
    if (st == OK && (!json_is_array(list) || n > EVENTS_MAX))
        st = err_set(&err, ERR_INVALID, "events must be an array of at most %u", EVENTS_MAX);
    struct compat_event *events = st == OK ? arena_array(req->arena, n + 1, sizeof *events) : NULL;
    if (st == OK && !events)
        st = err_no_memory(&err, "%zu events", n);
    for (size_t i = 0; i < n && st == OK; i++)
        taken += read_ping(json_array_get(list, i), req->arena, &events[taken]);
    if (st == OK && !http_charge(req, (unsigned)(n / 20)))
        goto out; /* it was answered */
    if (st == OK)
        st = compat_events(ctx, req, events, taken, &err);
    answer_pings(req, res, st, &err);
out:
    json_decref(root);
}
