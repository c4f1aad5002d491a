/* klipy.c: KLIPY's API v1, whose paths begin with the app's key: KEY/gifs/search. */
#include "sticker_service/compat/compat_parts.h"

#include "base/json_in.h"
#include "base/json_out.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_MAX    255u
#define PAGE_DEFAULT 24
#define PAGE_MAX     50
#define PAGES_MAX    1000
#define ANSWER_MAX   (256u << 10)
#define NO_BLUR      "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" /* one clear pixel */

#define STICKERS 1u /* in a form's members: items are called stickers, else gifs */

void klipy_refuse(const struct http_request *req, struct http_response *res, int status, const char *why)
{
    struct buf out;
    (void)req;
    buf_init(&out, ANSWER_MAX);
    buf_puts(&out, "{\"result\":false,\"errors\":{\"message\":[");
    json_put_string(&out, why);
    buf_puts(&out, "]}}");
    http_json(res, status, buf_str(&out), out.len);
    buf_free(&out);
}

/* What follows the key in a path, piece by piece; missing ones are "". */
struct path {
    const char *type, *what, *argument;
};

static bool read_path(const struct http_request *req, struct path *out)
{
    const char *pieces[4] = {"", "", "", ""};
    char *rest = arena_strdup(req->arena, req->path_param);
    size_t n = 0;
    while (rest && n < 4) {
        char *slash = n < 3 ? strchr(rest, '/') : NULL;
        if (slash)
            *slash = '\0';
        pieces[n++] = rest;
        rest = slash ? slash + 1 : NULL;
    }
    *out = (struct path){pieces[1], pieces[2], pieces[3]};
    return n >= 2;
}

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

/* --- items --- */

/* A number of its own: 48 random bits of its id. */
static unsigned long long number_of(const struct sticker *k)
{
    size_t len = strlen(k->id);
    return len > 12 ? strtoull(k->id + len - 12, NULL, 16) : 0;
}

static void put_item(const struct served_form *form, const struct find_result *r, struct buf *out)
{
    static const struct {
        const char *name;
        unsigned width; /* 0: as it is */
    } sizes[] = {{"hd", 0}, {"md", 512}, {"sm", 256}, {"xs", 128}};
    static const struct {
        const char *name, *parameter; /* of the image's address */
    } formats[] = {{"gif", ""}, {"webp", ""}, {"png", "format=png&"}, {"jpg", "format=jpeg&"}};
    const struct sticker *k = r->sticker;
    struct compat_addresses addresses;
    buf_printf(out, "{\"id\":%llu,\"slug\":\"", number_of(k));
    compat_put_id(out, k->filename);
    buf_puts(out, "\",\"title\":");
    json_put_string(out, sticker_alt(r));
    buf_printf(out, ",\"type\":\"%s\",\"tags\":[],\"blur_preview\":\"" NO_BLUR "\",\"file\":{",
               form->sticker.members & STICKERS ? "sticker" : "gif");
    compat_addresses(&addresses, form->sticker.origin, k);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct compat_image image = sizes[i].width ? compat_scaled(k, sizes[i].width, false) : compat_whole(k);
        buf_printf(out, "%s\"%s\":{", i ? "," : "", sizes[i].name);
        for (size_t f = 0; f < sizeof formats / sizeof *formats; f++) {
            buf_puts(out, f ? ",\"" : "\"");
            buf_puts(out, formats[f].name);
            buf_puts(out, "\":{\"url\":");
            compat_put_address(out, &addresses, &image, formats[f].parameter);
            buf_printf(out, ",\"width\":%u,\"height\":%u,\"size\":%lld}", image.width, image.height,
                       (long long)image.bytes);
        }
        buf_putc(out, '}');
    }
    buf_puts(out, "}}");
    buf_free(&addresses.texts);
}

static void write_page(const struct served_form *form, const struct find_query *query, const struct find_answer *answer,
                       struct buf *out)
{
    buf_puts(out, "{\"result\":true,\"data\":{\"data\":[");
    for (size_t i = 0; i < answer->n; i++) {
        buf_puts(out, i ? "," : "");
        put_item(form, &answer->results[i], out);
    }
    buf_printf(out,
               "],\"current_page\":%zu,\"per_page\":%zu,\"has_next\":%s,\"meta\":{\"item_min_width\":0,"
               "\"ad_max_resize_percent\":0}}}",
               query->offset / query->limit + 1, query->limit,
               (int64_t)(query->offset + query->limit) < answer->total ? "true" : "false");
}

static enum status read_params(struct sticker_service *s, const struct http_request *req, const struct path *path,
                               struct find_query *query, struct served_form *form, struct error *err)
{
    static const char *const person[] = {"customer_id", NULL};
    int64_t page = 1, size = PAGE_DEFAULT;
    const char *rating;
    *query = (struct find_query){.filter = STICKER_FILTER_NONE};
    *form = (struct served_form){.key = 'k', .write = write_page};
    if (!(form->sticker.origin = service_origin(s, req)))
        return err_no_memory(err, "an address");
    form->sticker.members = is(path->type, "stickers") ? STICKERS : 0;
    enum status st = compat_lang(req, "locale", &form->sticker.lang, err);
    query->lang = form->sticker.lang;
    if (st == OK)
        st = http_param_or(req, "rating", NULL, &rating, err); /* which clients used before */
    if (st == OK)
        st = compat_rating(req, rating ? "rating" : "content_filter", &query->filter.rating_most, err);
    if (st == OK)
        st = compat_int(req, "page", 1, PAGES_MAX, 1, &page, err);
    if (st == OK)
        st = compat_int(req, "per_page", 1, PAGE_MAX, PAGE_DEFAULT, &size, err);
    if (st == OK)
        st = compat_person(req, person, &query->client, err);
    query->limit = (size_t)size;
    query->offset = (size_t)((page - 1) * size);
    return st;
}

static void search(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                   const struct path *path)
{
    struct find_query query;
    struct served_form form;
    struct error err;
    enum status st = read_params(s, req, path, &query, &form, &err);
    if (st == OK)
        st = compat_query(req, "q", QUERY_MAX, &query.text, &err);
    if (st == OK)
        compat_search(s, req, res, &query, &form, klipy_refuse);
    else
        klipy_refuse(req, res, st == ERR_TOO_LARGE ? 422 : compat_status(&err), err.message);
}

static void trending(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                     const struct path *path)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    enum status st = read_params(s, req, path, &query, &form, &err);
    if (st == OK)
        st = discover_trending(s, &query.filter, query.offset, query.limit, req->arena, &answer, &err);
    compat_list(s, req, res, st, &query, &form, &answer, &err, klipy_refuse);
}

/* What a person shared before is not kept by person, and there are no clips: the page is empty. */
static void nothing(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                    const struct path *path)
{
    struct find_query query;
    struct served_form form;
    struct find_answer none = {0};
    struct error err;
    enum status st = read_params(s, req, path, &query, &form, &err);
    compat_list(s, req, res, st, &query, &form, &none, &err, klipy_refuse);
}

static void items(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                  const struct path *path, const char *slugs)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    enum status st = read_params(s, req, path, &query, &form, &err);
    if (st == OK && !slugs)
        st = http_param_or(req, "slugs", "", &slugs, &err);
    if (st == OK)
        st = compat_stickers(s, req, slugs, PAGE_MAX, &answer, &err);
    if (st == OK && !answer.n)
        st = err_set(&err, ERR_NOT_FOUND, "There is no item of this slug");
    query.offset = 0;
    compat_list(s, req, res, st, &query, &form, &answer, &err, klipy_refuse);
}

static enum status write_categories(struct sticker_service *s, const struct http_request *req, const struct path *path,
                                    struct buf *out, struct error *err)
{
    struct find_query query;
    struct served_form form;
    struct category list[DISCOVER_CATEGORIES];
    size_t n = 0;
    enum status st = read_params(s, req, path, &query, &form, err);
    if (st == OK)
        st = discover_categories(s, req, query.lang, &query.filter, list, &n, err);
    buf_printf(out, "{\"result\":true,\"data\":{\"locale\":\"%s\",\"categories\":[", query.lang ? query.lang : "en");
    for (size_t i = 0; i < n && st == OK; i++) {
        struct compat_addresses addresses;
        buf_puts(out, i ? ",{\"category\":" : "{\"category\":");
        json_put_string(out, list[i].name);
        buf_puts(out, ",\"query\":");
        json_put_string(out, list[i].query);
        buf_puts(out, ",\"preview_url\":");
        compat_addresses(&addresses, form.sticker.origin, list[i].cover.sticker);
        compat_put_address(out, &addresses, &(struct compat_image){.thumbnail = 256}, "");
        buf_free(&addresses.texts);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}}");
    return st;
}

/* --- words --- */

static enum status write_suggestions(struct sticker_service *s, const struct http_request *req, const char *typed,
                                     struct buf *out, struct error *err)
{
    struct suggestion found[COLLECTION_SUGGESTIONS];
    const char *lang;
    int64_t limit;
    enum status st = *typed ? OK : compat_query(req, "q", QUERY_MAX, &typed, err);
    if (st == OK)
        st = compat_lang(req, "locale", &lang, err);
    if (st == OK)
        st = compat_int(req, "limit", 1, COLLECTION_SUGGESTIONS, 10, &limit, err);
    size_t n = st == OK ? collection_suggest(s->collection, typed, lang, (size_t)limit, req->arena, found) : 0;
    buf_puts(out, "{\"result\":true,\"data\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, found[i].text);
    }
    buf_puts(out, "]}");
    return st;
}

/* --- what people did --- */

/* {"customer_id", "q"}, both optional, and the body too. */
static enum status tell(struct sticker_service *s, const struct http_request *req, const struct path *path,
                        enum event_action action, struct error *err)
{
    json_t *root = NULL;
    enum status st = req->body_len ? json_read_body(req->body, req->body_len, JSON_REJECT_DUPLICATES, &root, err) : OK;
    const char *q = json_member_text(root, "q"), *person = json_member_text(root, "customer_id");
    size_t len = strlen(q);
    if (st == OK && query_trim(&q, &len) == OK && strlen(person) <= 512) {
        const char *query = arena_strndup(req->arena, q, len);
        st = query ? compat_event_of_query(s, req, query, NULL, path->argument, person, action, err)
                   : err_no_memory(err, "a query");
    }
    json_decref(root);
    return st;
}

static enum status post(struct sticker_service *s, const struct http_request *req, const struct path *path,
                        struct error *err)
{
    static const struct {
        const char *name;
        enum event_action action;
    } known[] = {{"share", EVENT_SHARE}, {"view", EVENT_IMPRESSION}, {"report", EVENT_REPORT}};
    struct sticker k;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is(path->what, known[i].name)) {
            enum status st = compat_sticker(s, req, path->argument, &k, err);
            return st == OK ? tell(s, req, path, known[i].action, err) : st;
        }
    return err_set(err, ERR_NOT_FOUND, "There is nothing here");
}

void handle_klipy(void *ctx, const struct http_request *req, struct http_response *res)
{
    static const char alive[] =
        "{\"gifs\":{\"is_alive\":true},\"clips\":{\"is_alive\":false},\"stickers\":{\"is_alive\":true}}";
    struct path path;
    struct error err;
    struct buf out;
    if (!read_path(req, &path)) {
        klipy_refuse(req, res, 404, "There is nothing here");
        return;
    }
    bool clips = is(path.type, "clips"); /* of which there are none */
    bool library = clips || is(path.type, "gifs") || is(path.type, "stickers") || is(path.type, "static-memes") ||
                   is(path.type, "emojis");
    bool get = req->method == HTTP_GET, list = is(path.what, "search") || is(path.what, "trending");
    if (get && library && (is(path.what, "recent") || (clips && list)))
        nothing(ctx, req, res, &path);
    else if (get && library && is(path.what, "search"))
        search(ctx, req, res, &path);
    else if (get && library && is(path.what, "trending"))
        trending(ctx, req, res, &path);
    else if (get && library && is(path.what, "items"))
        items(ctx, req, res, &path, NULL);
    else if (get && library && *path.what && !*path.argument && !is(path.what, "categories"))
        items(ctx, req, res, &path, path.what);
    else if (get && is(path.type, "health-check"))
        http_json(res, 200, alive, sizeof alive - 1);
    else {
        buf_init(&out, ANSWER_MAX);
        enum status st = OK;
        if (get && library && is(path.what, "categories"))
            st = write_categories(ctx, req, &path, &out, &err);
        else if (get && (is(path.type, "search-suggestions") || is(path.type, "autocomplete")))
            st = write_suggestions(ctx, req, path.what, &out, &err);
        else if (req->method == HTTP_POST && library)
            st = post(ctx, req, &path, &err);
        else if (!(req->method == HTTP_DELETE && library && is(path.what, "recent")))
            st = err_set(&err, ERR_NOT_FOUND, "There is nothing here");
        if (st == OK && !out.len)
            buf_puts(&out, "{\"result\":true}");
        compat_send(req, res, st, &out, &err, klipy_refuse);
    }
}
