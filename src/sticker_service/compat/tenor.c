/* tenor.c: Tenor's API v2, which KLIPY and GIPHY serve too. Errors are those of Google's APIs. */
#include "sticker_service/compat/compat_parts.h"

#include "base/json_out.h"
#include "base/os.h"

#include <string.h>

#define QUERY_MAX     255u
#define LIMIT_DEFAULT 20
#define LIMIT_MAX     50
#define ANSWER_MAX    (256u << 10)

/* What media_formats may have. `width`: about how wide; 0: as it is. Those that Peel cannot make, videos, are left out.
 */
static const struct {
    const char *name;
    unsigned width;
    bool still;
} formats[] = {{"gif", 0, false},
               {"mediumgif", 512, false},
               {"tinygif", 220, false},
               {"nanogif", 90, false},
               {"preview", 220, true},
               {"webp", 0, false},
               {"tinywebp", 220, false},
               {"webp_transparent", 0, false},
               {"tinywebp_transparent", 220, false},
               {"nanowebp_transparent", 90, false},
               {"gif_transparent", 0, false},
               {"tinygif_transparent", 220, false},
               {"nanogif_transparent", 90, false}};
#define FORMATS     (sizeof formats / sizeof *formats)
#define FORMATS_ALL ((1u << FORMATS) - 1)
#define SHUFFLED    (1u << FORMATS) /* in the form's members, beside the formats: in any order */

void tenor_refuse(const struct http_request *req, struct http_response *res, int status, const char *why)
{
    struct buf out;
    (void)req;
    buf_init(&out, ANSWER_MAX);
    buf_printf(&out, "{\"error\":{\"code\":%d,\"message\":", status);
    json_put_string(&out, why);
    buf_printf(&out, ",\"status\":\"%s\"}}",
               status == 403   ? "PERMISSION_DENIED"
               : status == 404 ? "NOT_FOUND"
               : status == 429 ? "RESOURCE_EXHAUSTED"
               : status == 504 ? "DEADLINE_EXCEEDED"
               : status >= 500 ? "UNAVAILABLE"
                               : "INVALID_ARGUMENT");
    http_json(res, status, buf_str(&out), out.len);
    buf_free(&out);
}

/* Texts are short and too long ones are a wrong argument here. */
static void send(const struct http_request *req, struct http_response *res, enum status st, struct buf *out,
                 struct error *err)
{
    if (st == ERR_TOO_LARGE)
        err->code = ERR_INVALID;
    compat_send(req, res, st, out, err, tenor_refuse);
}

/* --- posts --- */

static void put_media(const struct served_form *form, const struct sticker *k, struct buf *out)
{
    struct compat_addresses addresses;
    bool some = false;
    compat_addresses(&addresses, form->sticker.origin, k);
    buf_puts(out, "\"media_formats\":{");
    for (size_t i = 0; i < FORMATS; i++) {
        if (!(form->sticker.members >> i & 1))
            continue;
        struct compat_image image =
            formats[i].width ? compat_scaled(k, formats[i].width, formats[i].still) : compat_whole(k);
        buf_puts(out, some ? ",\"" : "\"");
        buf_puts(out, formats[i].name);
        buf_puts(out, "\":{\"url\":");
        compat_put_address(out, &addresses, &image, "");
        buf_printf(out, ",\"dims\":[%u,%u],\"duration\":0,\"preview\":\"\",\"size\":%lld}", image.width, image.height,
                   (long long)image.bytes);
        some = true;
    }
    buf_putc(out, '}');
    buf_free(&addresses.texts);
}

static void put_page(const struct served_form *form, const struct sticker *k, struct buf *out)
{
    buf_putc(out, '"');
    buf_puts(out, form->sticker.origin);
    buf_puts(out, "/sticker/");
    compat_put_id(out, k->filename);
    buf_putc(out, '"');
}

static void put_post(const struct served_form *form, const struct find_result *r, struct buf *out)
{
    const struct sticker *k = r->sticker;
    buf_puts(out, "{\"id\":\"");
    compat_put_id(out, k->filename);
    buf_puts(out, "\",\"title\":");
    json_put_string(out, sticker_alt(r));
    buf_putc(out, ',');
    put_media(form, k, out);
    buf_printf(out, ",\"created\":%.6f,\"content_description\":", (double)k->created_us / 1e6);
    json_put_string(out, sticker_alt(r));
    buf_puts(out, ",\"itemurl\":");
    put_page(form, k, out);
    buf_puts(out, ",\"url\":");
    put_page(form, k, out);
    buf_puts(out, k->animated ? ",\"tags\":[],\"flags\":[\"sticker\"],\"hasaudio\":false}"
                              : ",\"tags\":[],\"flags\":[\"sticker\",\"static\"],\"hasaudio\":false}");
}

/* `pos` is the number of those before the page; "" at the end. */
static void write_posts(const struct served_form *form, const struct find_query *query,
                        const struct find_answer *answer, struct buf *out)
{
    size_t order[LIMIT_MAX], n = answer->n < LIMIT_MAX ? answer->n : LIMIT_MAX;
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; form->sticker.members & SHUFFLED && i > 1; i--) { /* Fisher and Yates */
        uint32_t random;
        os_random(&random, sizeof random);
        size_t other = random % i, kept = order[i - 1];
        order[i - 1] = order[other];
        order[other] = kept;
    }
    buf_puts(out, "{\"results\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        put_post(form, &answer->results[order[i]], out);
    }
    buf_puts(out, "]");
    if (query) {
        size_t next = query->offset + query->limit;
        if ((int64_t)next < answer->total)
            buf_printf(out, ",\"next\":\"%zu\"}", next);
        else
            buf_puts(out, ",\"next\":\"\"}");
    } else {
        buf_putc(out, '}');
    }
}

/* "gif,tinygif" as bits; all when it is absent or names none of ours. */
static enum status read_formats(const struct http_request *req, uint32_t *members, struct error *err)
{
    const char *list;
    enum status st = http_param_or(req, "media_filter", "", &list, err);
    *members = 0;
    for (const char *s = list; st == OK && *s;) {
        size_t len = strcspn(s, ",");
        for (size_t i = 0; i < FORMATS; i++)
            if (strlen(formats[i].name) == len && memcmp(formats[i].name, s, len) == 0)
                *members |= 1u << i;
        s += len + (s[len] == ',');
    }
    if (!*members)
        *members = FORMATS_ALL;
    return st;
}

/* "sticker,-static": all of ours are stickers. */
static enum status read_search_filter(const struct http_request *req, struct sticker_filter *filter, struct error *err)
{
    const char *list;
    enum status st = http_param_or(req, "searchfilter", "", &list, err);
    for (const char *s = list; st == OK && *s;) {
        size_t len = strcspn(s, ",");
        if (len == 6 && memcmp(s, "static", len) == 0)
            filter->animated = ANIMATED_NO;
        if (len == 7 && memcmp(s, "-static", len) == 0)
            filter->animated = ANIMATED_YES;
        s += len + (s[len] == ',');
    }
    return st;
}

static enum status read_params(struct sticker_service *s, const struct http_request *req, struct find_query *query,
                               struct served_form *form, struct error *err)
{
    int64_t limit = LIMIT_DEFAULT, offset = 0;
    bool shuffled = false;
    *query = (struct find_query){.filter = STICKER_FILTER_NONE};
    *form = (struct served_form){.key = 't', .write = write_posts};
    if (!(form->sticker.origin = service_origin(s, req)))
        return err_no_memory(err, "an address");
    enum status st = compat_lang(req, "locale", &form->sticker.lang, err);
    query->lang = form->sticker.lang;
    if (st == OK)
        st = compat_rating(req, "contentfilter", &query->filter.rating_most, err);
    if (st == OK)
        st = read_search_filter(req, &query->filter, err);
    if (st == OK)
        st = read_formats(req, &form->sticker.members, err);
    if (st == OK)
        st = compat_int(req, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, err);
    if (st == OK)
        st = compat_int(req, "pos", 0, FIND_MAX_OFFSET, 0, &offset, err);
    if (st == OK)
        st = bool_param(req, "random", false, &shuffled, err);
    if (shuffled)
        form->sticker.members |= SHUFFLED;
    query->limit = (size_t)limit;
    query->offset = (size_t)offset;
    return st;
}

void handle_tenor_search(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct error err;
    enum status st = read_params(ctx, req, &query, &form, &err);
    if (st == OK)
        st = compat_query(req, "q", QUERY_MAX, &query.text, &err);
    if (st == OK)
        compat_search(ctx, req, res, &query, &form, tenor_refuse);
    else
        tenor_refuse(req, res, st == ERR_TOO_LARGE ? 400 : compat_status(&err), err.message);
}

void handle_tenor_featured(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    enum status st = read_params(ctx, req, &query, &form, &err);
    if (st == OK)
        st = discover_trending(ctx, &query.filter, query.offset, query.limit, req->arena, &answer, &err);
    compat_list(ctx, req, res, st, &query, &form, &answer, &err, tenor_refuse);
}

void handle_tenor_posts(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct find_query query;
    struct served_form form;
    struct find_answer answer;
    struct error err;
    const char *ids;
    enum status st = read_params(ctx, req, &query, &form, &err);
    if (st == OK)
        st = http_param_or(req, "ids", "", &ids, &err);
    if (st == OK && !*ids)
        st = err_set(&err, ERR_INVALID, "ids is missing");
    if (st == OK)
        st = compat_stickers(ctx, req, ids, LIMIT_MAX, &answer, &err);
    compat_list(ctx, req, res, st, NULL, &form, &answer, &err, tenor_refuse);
}

/* --- words --- */

static void put_category(const struct served_form *form, const char *term, const char *locale,
                         const struct sticker *cover, struct buf *out)
{
    struct compat_addresses addresses;
    buf_puts(out, "{\"searchterm\":");
    json_put_string(out, term);
    buf_puts(out, ",\"path\":\"");
    buf_puts(out, form->sticker.origin);
    buf_puts(out, "/tenor/v2/search?q=");
    http_escape(out, term, strlen(term));
    if (locale) {
        buf_puts(out, "&locale=");
        buf_puts(out, locale);
    }
    buf_puts(out, "\",\"image\":");
    compat_addresses(&addresses, form->sticker.origin, cover);
    compat_put_address(out, &addresses, &(struct compat_image){.thumbnail = 256}, "");
    buf_free(&addresses.texts);
    buf_puts(out, ",\"name\":");
    json_put_string(out, term);
    buf_putc(out, '}');
}

static enum status write_categories(struct sticker_service *s, const struct http_request *req, struct buf *out,
                                    struct error *err)
{
    struct find_query query;
    struct served_form form;
    struct category list[DISCOVER_CATEGORIES];
    size_t n = 0;
    enum status st = read_params(s, req, &query, &form, err);
    if (st == OK)
        st = discover_categories(s, req, query.lang, &query.filter, list, &n, err);
    buf_puts(out, "{\"tags\":[");
    for (size_t i = 0; i < n && st == OK; i++) {
        buf_puts(out, i ? "," : "");
        put_category(&form, list[i].query, query.lang, list[i].cover.sticker, out);
    }
    buf_puts(out, "]}");
    return st;
}

void handle_tenor_categories(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = write_categories(ctx, req, &out, &err);
    send(req, res, st, &out, &err);
}

static void put_terms(const char *const *terms, size_t n, struct buf *out)
{
    buf_puts(out, "{\"results\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, terms[i]);
    }
    buf_puts(out, "]}");
}

/* Also search_suggestions, which are of searches near the one that was made. */
void handle_tenor_autocomplete(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct suggestion found[COLLECTION_SUGGESTIONS];
    const char *terms[COLLECTION_SUGGESTIONS] = {0}, *q, *lang;
    struct error err;
    struct buf out;
    int64_t limit;
    size_t n = 0;
    buf_init(&out, ANSWER_MAX);
    enum status st = compat_query(req, "q", QUERY_MAX, &q, &err);
    if (st == OK)
        st = compat_lang(req, "locale", &lang, &err);
    if (st == OK)
        st = compat_int(req, "limit", 1, COLLECTION_SUGGESTIONS, COLLECTION_SUGGESTIONS, &limit, &err);
    if (st == OK)
        n = collection_suggest(s->collection, q, lang, (size_t)limit, req->arena, found);
    for (size_t i = 0; i < n; i++)
        terms[i] = found[i].text;
    put_terms(terms, n, &out);
    send(req, res, st, &out, &err);
}

void handle_tenor_trending_terms(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    const char *terms[LIMIT_MAX] = {0}, *lang;
    struct error err;
    struct buf out;
    int64_t limit;
    size_t n = 0;
    buf_init(&out, ANSWER_MAX);
    enum status st = compat_lang(req, "locale", &lang, &err);
    if (st == OK)
        st = compat_int(req, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &limit, &err);
    if (st == OK)
        n = collection_popular(s->collection, lang, (size_t)limit, req->arena, terms);
    put_terms(terms, n, &out);
    send(req, res, st, &out, &err);
}

/* Clients read an answer, and want JSON. */
void handle_tenor_registershare(void *ctx, const struct http_request *req, struct http_response *res)
{
    const char *id, *q, *lang;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = http_param_or(req, "id", "", &id, &err);
    if (st == OK && !*id)
        st = err_set(&err, ERR_INVALID, "id is missing");
    if (st == OK)
        st = query_or_empty(req, "q", &q, &err);
    if (st == OK)
        st = compat_lang(req, "locale", &lang, &err);
    if (st == OK && *q)
        st = compat_event_of_query(ctx, req, q, lang, id, "", EVENT_SHARE, &err);
    buf_puts(&out, "{\"status\":\"ok\"}");
    send(req, res, st, &out, &err);
}
