/* Stickers without a search: one by its name, what is similar to it, at random, and where to begin: what is
 * used now, packs with their stickers, and categories. */
#include "sticker_service/api/api.h"

#include "base/json_out.h"
#include "base/os.h"
#include "http/accept.h"
#include "sticker_service/discover.h"
#include "sticker_service/packed.h"
#include "sticker_service/sticker_json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)

#define NO_STICKER "Sticker not found."

static void fail(struct http_response *res, const char *not_found, const struct error *err)
{
    if (err->code == ERR_NOT_FOUND)
        http_problem(res, 404, "%s", not_found);
    else
        http_problem_from(res, err);
}

static void send(const struct http_request *req, struct http_response *res, enum status st, struct buf *out,
                 const char *cache, const char *not_found, struct error *err)
{
    if (st == OK)
        st = buf_status(out, err);
    if (st == OK) {
        http_header_add(res, "Cache-Control", cache);
        send_packed(req, res, 200, "application/json", out, "stickers");
    } else {
        fail(res, not_found, err);
    }
    buf_free(out);
}

static void put_list(const char *name, const char *const *list, size_t n, struct buf *out)
{
    buf_printf(out, ",\"%s\":[", name);
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, list[i]);
    }
    buf_putc(out, ']');
}

/* The path's sticker; ERR_NOT_FOUND. */
static enum status path_sticker(struct sticker_service *s, const struct http_request *req, struct sticker *out,
                                struct error *err)
{
    if (filename_check(req->path_param, NULL) != OK)
        return err_set(err, ERR_NOT_FOUND, "not a filename");
    return sticker_store_get(s->store, req->path_param, req->arena, out, err);
}

void api_sticker_etag(const struct sticker *k, char out[API_ETAG_SIZE])
{
    snprintf(out, API_ETAG_SIZE, "\"%llx\"", (unsigned long long)k->modified_us);
}

void api_send_sticker(struct sticker_service *s, const struct http_request *req, struct http_response *res, int status,
                      const char *cache)
{
    struct sticker_form form;
    struct sticker k;
    struct error err;
    struct buf out;
    char etag[API_ETAG_SIZE];
    buf_init(&out, ANSWER_MAX);
    enum status st = sticker_form_params(s, req, &form, &err);
    if (st == OK)
        st = path_sticker(s, req, &k, &err);
    if (st == OK)
        st = sticker_json_whole(s, &form, &k, req->arena, &out, &err);
    if (st == OK) {
        api_sticker_etag(&k, etag);
        http_header_add(res, "ETag", etag);
        http_header_add(res, "Cache-Control", cache);
        if (req->method == HTTP_GET && http_etag_listed(http_header(req, "If-None-Match"), etag))
            http_body_static(res, 304, "application/json", "", 0);
        else
            http_body_copy(res, status, "application/json", buf_str(&out), out.len);
    } else {
        fail(res, NO_STICKER, &err);
    }
    buf_free(&out);
}

void handle_api_sticker(void *ctx, const struct http_request *req, struct http_response *res)
{
    api_send_sticker(ctx, req, res, 200, "public, max-age=60");
}

/* What a list of stickers is asked for by. */
struct list_params {
    struct sticker_form form;
    struct sticker_filter filter;
    int64_t limit, offset;
};

static enum status list_params(struct sticker_service *s, const struct http_request *req, struct list_params *out,
                               struct error *err)
{
    out->filter = STICKER_FILTER_NONE;
    enum status st = sticker_form_params(s, req, &out->form, err);
    if (st == OK)
        st = http_param_int(req, "limit", 1, FIND_MAX_LIMIT, 10, &out->limit, err);
    return st == OK ? filter_params(req, &out->filter, err) : st;
}

static enum status write_list(struct sticker_service *s, const struct http_request *req, const struct list_params *p,
                              struct find_answer *answer, size_t first, struct buf *out, struct error *err)
{
    enum status st = sticker_localise(s, answer->results, answer->n, p->form.lang, req->arena, err);
    buf_putc(out, '{');
    sticker_json_list(&p->form, answer->results, answer->n, first, out);
    return st;
}

/* An answer that is kept for a moment, like those of searches; `name` tells routes apart. */
static enum status write_kept(struct sticker_service *s, const struct http_request *req, const struct list_params *p,
                              const char *name,
                              enum status (*write)(struct sticker_service *s, const struct http_request *req,
                                                   const struct list_params *p, struct buf *out, struct error *err),
                              struct buf *out, struct error *err)
{
    char key[640 + STICKER_FILTER_PACK_MAX];
    snprintf(key, sizeof key, "%s %lld %lld %x %s %s %d %d %s", name, (long long)p->limit, (long long)p->offset,
             (unsigned)p->form.members, p->form.origin, p->form.lang ? p->form.lang : "", (int)p->filter.rating_most,
             (int)p->filter.animated, p->filter.pack ? p->filter.pack : "");
    unsigned cleared = answers_cleared(s->answers);
    if (answers_get(s->answers, key, out))
        return OK;
    enum status st = write(s, req, p, out, err);
    if (st == OK && !out->failed)
        answers_put(s->answers, key, out->data, out->len, cleared);
    return st;
}

void handle_api_similar(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct list_params p;
    struct find_answer answer;
    struct sticker k;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = list_params(s, req, &p, &err);
    if (st == OK)
        st = http_param_int(req, "offset", 0, FIND_MAX_OFFSET, 0, &p.offset, &err);
    if (st == OK)
        st = path_sticker(s, req, &k, &err);
    struct find_query query = {
        .like = req->path_param, .limit = (size_t)p.limit, .offset = (size_t)p.offset, .filter = p.filter};
    if (st == OK)
        st = find_stickers(s, req, &query, &answer, &err);
    if (st == OK)
        st = write_list(s, req, &p, &answer, query.offset + 1, &out, &err);
    if (st == OK)
        buf_printf(&out, ",\"total\":%lld}", (long long)answer.total);
    send(req, res, st, &out, "public, max-age=60", NO_STICKER, &err);
}

void handle_api_random(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct list_params p;
    struct find_answer answer;
    struct error err;
    struct buf out;
    uint64_t seed;
    os_random(&seed, sizeof seed);
    buf_init(&out, ANSWER_MAX);
    enum status st = list_params(s, req, &p, &err);
    if (st == OK)
        st = discover_random(s, &p.filter, seed, (size_t)p.limit, req->arena, &answer, &err);
    if (st == OK)
        st = write_list(s, req, &p, &answer, 0, &out, &err);
    buf_putc(&out, '}');
    send(req, res, st, &out, "no-store", NO_STICKER, &err);
}

/* --- where to begin --- */

static void put_cover(const struct sticker_form *form, const struct sticker *k, struct buf *out)
{
    buf_puts(out, ",\"cover\":");
    sticker_json_address(form, k, FIND_THUMBNAIL, out);
}

/* An object's members, without its end. */
static void put_pack(const struct sticker_form *form, const struct pack_row *pack, const struct sticker *cover,
                     struct buf *out)
{
    const char *const texts[][2] = {{"title", pack_title(&pack->about)},
                                    {"author", pack->about.author},
                                    {"license", pack->about.license},
                                    {"source", pack->about.source}};
    buf_puts(out, "{\"name\":");
    json_put_string(out, pack->about.name);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!*texts[i][1])
            continue;
        buf_printf(out, ",\"%s\":", texts[i][0]);
        json_put_string(out, texts[i][1]);
    }
    buf_printf(out, ",\"stickers\":%lld,\"animated\":%lld,\"rating\":\"%s\"", (long long)pack->stickers,
               (long long)pack->animated, rating_name(pack->rating_most));
    if (cover)
        put_cover(form, cover, out);
}

static enum status write_packs(struct sticker_service *s, const struct sticker_form *form, struct arena *a,
                               struct buf *out, struct error *err)
{
    struct collection_facts facts;
    struct find_answer covers;
    collection_facts(s->collection, a, &facts);
    const char **names = arena_array(a, facts.n_packs + 1, sizeof *names);
    if (!names)
        return err_no_memory(err, "packs");
    for (size_t i = 0; i < facts.n_packs; i++)
        names[i] = facts.packs[i].cover;
    enum status st = discover_named(s, names, facts.n_packs, a, &covers, err);
    buf_puts(out, "{\"packs\":[");
    for (size_t i = 0, k = 0; i < facts.n_packs && st == OK; i++) {
        bool covered = k < covers.n && strcmp(covers.results[k].sticker->filename, facts.packs[i].cover) == 0;
        buf_puts(out, i ? "," : "");
        put_pack(form, &facts.packs[i], covered ? covers.results[k++].sticker : NULL, out);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
    return st;
}

void handle_api_packs(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_form form;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = sticker_form_params(ctx, req, &form, &err);
    if (st == OK)
        st = write_packs(ctx, &form, req->arena, &out, &err);
    send(req, res, st, &out, "public, max-age=60", NO_STICKER, &err);
}

/* p->offset is the cursor, 0 at first. */
static enum status write_pack(struct sticker_service *s, const struct http_request *req, const struct list_params *p,
                              struct buf *out, struct error *err)
{
    struct pack_row pack;
    struct pack_credits credits;
    struct find_answer cover, answer;
    const char **names;
    size_t n;
    int64_t next = p->offset;
    enum status st = sticker_store_pack(s->store, p->filter.pack, req->arena, &pack, &credits, err);
    if (st == OK)
        st = sticker_store_pack_page(s->store, &p->filter, &next, (size_t)p->limit, req->arena, &names, &n, err);
    if (st == OK)
        st = discover_named(s, &pack.cover, 1, req->arena, &cover, err);
    if (st == OK)
        st = discover_named(s, names, n, req->arena, &answer, err);
    if (st != OK)
        return st;
    bool covered = cover.n && cover.results[0].sticker->rating <= p->filter.rating_most;
    st = write_list(s, req, p, &answer, 0, out, err);
    buf_puts(out, ",\"pack\":");
    put_pack(&p->form, &pack, covered ? cover.results[0].sticker : NULL, out);
    put_list("authors", credits.authors, credits.n_authors, out);
    put_list("licenses", credits.licenses, credits.n_licenses, out);
    buf_putc(out, '}');
    if (next)
        buf_printf(out, ",\"next\":\"%lld\"", (long long)next);
    buf_putc(out, '}');
    return st;
}

void handle_api_pack(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct list_params p;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = list_params(ctx, req, &p, &err);
    if (st == OK)
        st = http_param_int(req, "cursor", 1, INT64_MAX, 0, &p.offset, &err);
    if (st == OK && sticker_filter_set(&p.filter, "pack", req->path_param, NULL) != OK)
        st = err_set(&err, ERR_NOT_FOUND, "no name of a pack");
    if (st == OK)
        st = write_kept(ctx, req, &p, "pack", write_pack, &out, &err);
    send(req, res, st, &out, "public, max-age=60", "Pack not found.", &err);
}

static enum status write_categories(struct sticker_service *s, const struct http_request *req,
                                    const struct list_params *p, struct buf *out, struct error *err)
{
    struct category list[DISCOVER_CATEGORIES];
    size_t n = 0;
    enum status st = discover_categories(s, req, p->form.lang, &p->filter, list, &n, err);
    buf_puts(out, "{\"categories\":[");
    for (size_t i = 0; i < n && st == OK; i++) {
        buf_printf(out, "%s{\"id\":\"%s\",\"name\":", i ? "," : "", list[i].id);
        json_put_string(out, list[i].name);
        buf_puts(out, ",\"query\":");
        json_put_string(out, list[i].query);
        put_cover(&p->form, list[i].cover.sticker, out);
        buf_putc(out, '}');
    }
    buf_puts(out, "]}");
    return st;
}

void handle_api_categories(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct list_params p;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = list_params(ctx, req, &p, &err);
    if (st == OK)
        st = write_categories(ctx, req, &p, &out, &err);
    send(req, res, st, &out, "public, max-age=60", NO_STICKER, &err);
}

static void put_queries(struct sticker_service *s, const char *lang, size_t limit, struct arena *a, struct buf *out)
{
    const char *queries[FIND_MAX_LIMIT];
    size_t n = collection_popular(s->collection, lang, limit, a, queries);
    put_list("queries", queries, n, out);
}

static enum status write_trending(struct sticker_service *s, const struct http_request *req,
                                  const struct list_params *p, struct buf *out, struct error *err)
{
    struct find_answer answer;
    enum status st = discover_trending(s, &p->filter, (size_t)p->offset, (size_t)p->limit, req->arena, &answer, err);
    if (st == OK)
        st = write_list(s, req, p, &answer, 0, out, err);
    put_queries(s, p->form.lang, (size_t)p->limit, req->arena, out);
    buf_putc(out, '}');
    return st;
}

void handle_api_trending(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct list_params p;
    struct error err;
    struct buf out;
    buf_init(&out, ANSWER_MAX);
    enum status st = list_params(ctx, req, &p, &err);
    if (st == OK)
        st = http_param_int(req, "offset", 0, DISCOVER_TRENDING_MAX - 1, 0, &p.offset, &err);
    if (st == OK)
        st = write_kept(ctx, req, &p, "trending", write_trending, &out, &err);
    send(req, res, st, &out, "public, max-age=30", NO_STICKER, &err);
}
