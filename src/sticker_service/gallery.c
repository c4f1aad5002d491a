/* The gallery's handlers: each gathers what a template needs, writes it, and answers with the headers
 * that every page has. */
#include "sticker_service/gallery.h"

#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "sticker_service/search.h"
#include "sticker_service/service.h"
#include "web/apidocs.h"
#include "web/assets.h"
#include "web/form.h"
#include "web/html.h"
#include "web/templates.h"

#include <stdio.h>
#include <string.h>

#define PAGE_SIZE    24
#define PAGE_LAST    (SEARCH_OFFSET_MAX / PAGE_SIZE + 1)
#define SIMILAR      12
#define WORDS_MAX    32         /* shown on a sticker's page */
#define HTML_MAX     (2u << 20) /* of one page */
#define VIEW_WIDTH   1024       /* of the large view, for pictures made of pixels */
#define FIELDS_MAX   8          /* in a vote */
#define TITLE_SUFFIX " · Peel"

/* What the start page offers to try. */
static const char *const examples[] = {"smiling cat", "birthday cake", "rocket",       "sleepy panda",
                                       "heart",       "rain cloud",    "pizza slice",  "dancing",
                                       "good night",  "coffee break",  "party popper", "astronaut"};
#define N_EXAMPLES   (sizeof examples / sizeof *examples)
#define EXAMPLES_MIN 4      /* fewer are not worth showing */
#define EXAMPLES_US  300000 /* the start page waits no longer for the next one */

/* --- answering --- */

static void send_page(struct http_response *res, int status, struct buf *html)
{
    struct error err;
    if (buf_status(html, &err) != OK) {
        log_error("a page was not finished: %s", err.message);
        http_problem(res, 500, "The page could not be made.");
        buf_free(html);
        return;
    }
    http_header_add(res, "Content-Security-Policy", HTML_CSP);
    http_header_add(res, "Referrer-Policy", "same-origin");
    http_header_add(res, "Cache-Control", "no-cache");
    size_t len = html->len;
    http_body_take(res, status, HTML_TYPE, buf_take(html), len);
}

static void send_message(struct http_response *res, int status, const char *query, const char *heading,
                         const char *text)
{
    struct buf html;
    buf_init(&html, HTML_MAX);
    tpl_message(&html, &(struct tpl_message){
                           .layout = {.title = heading, .query = query}, .heading = heading, .text_shown = text});
    send_page(res, status, &html);
}

/* A failure of ours, or a wrong request, as a page. */
static void send_error(struct http_response *res, const struct error *err, const char *query)
{
    switch (err->code) {
    case ERR_INVALID:
        send_message(res, 400, query, "That did not work", err->message);
        break;
    case ERR_NOT_FOUND:
        send_message(res, 404, query, "Nothing here", err->message);
        break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        http_header_add(res, "Retry-After", "2");
        send_message(res, 503, query, "One moment, please", "Peel is very busy. Try again in a few seconds.");
        break;
    default:
        log_error("gallery: %s", err->message);
        send_message(res, 500, query, "That did not work", "Something broke on our side. It has been noted.");
    }
}

/* --- from stickers to what templates show --- */

/* Texts made for one page; NULL (shown as nothing) when a page's memory is used up, which `failed` keeps. */
struct texts {
    struct arena *arena;
    bool failed;
};

static const char *kept(struct texts *t, const char *s)
{
    if (!s)
        t->failed = true;
    return s;
}

static const char *image_url(struct texts *t, const struct sticker *k, unsigned width)
{
    struct buf b;
    buf_init(&b, 4096);
    media_url(&b, k->filename, k->sha256, width);
    const char *url = b.failed ? NULL : arena_strdup(t->arena, buf_str(&b));
    buf_free(&b);
    return kept(t, url);
}

static const char *title_of(const struct sticker *k)
{
    return html_is(k->title) ? k->title : k->filename;
}

static struct tpl_card card_of(struct texts *t, const struct sticker *k, const char *query)
{
    return (struct tpl_card){.filename = k->filename,
                             .title = title_of(k),
                             .thumbnail = image_url(t, k, SEARCH_THUMBNAIL),
                             .author = k->author,
                             .license = k->license,
                             .query = query};
}

static const char *page_url(struct texts *t, const char *query, int64_t page)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_puts(&b, "/?q=");
    html_url_part(&b, query);
    if (page > 1)
        buf_printf(&b, "&page=%lld", (long long)page);
    const char *url = b.failed ? NULL : arena_strdup(t->arena, buf_str(&b));
    buf_free(&b);
    return kept(t, url);
}

/* --- what was asked --- */

/* The phrase of ?q=, trimmed; "" when there is none. */
static enum status phrase(const struct http_request *req, const char **query, struct error *err)
{
    const char *value;
    enum status status = param_or(req, "q", "", &value, err);
    if (status != OK)
        return status;
    size_t len = strlen(value);
    status = query_trim(&value, &len);
    if (status == ERR_TOO_LARGE)
        return err_set(err, ERR_INVALID, "Query is too long.");
    *query = status == ERR_INVALID ? "" : arena_strndup(req->arena, value, len);
    return *query ? OK : err_set(err, ERR_NO_MEMORY, "no memory for a query");
}

struct asked {
    const char *query, *part, *voted, *as;
    int64_t page;
    bool typing;
};

static enum status read_asked(const struct http_request *req, struct asked *out, struct error *err)
{
    const char *typing = "";
    *out = (struct asked){.query = "", .page = 1};
    enum status status = phrase(req, &out->query, err);
    if (status == OK)
        status = http_param_int(req, "page", 1, PAGE_LAST, 1, &out->page, err);
    if (status == OK)
        status = param_or(req, "part", "", &out->part, err);
    if (status == OK)
        status = param_or(req, "typing", "", &typing, err);
    if (status == OK)
        status = param_or(req, "voted", "", &out->voted, err);
    if (status == OK)
        status = param_or(req, "as", "", &out->as, err);
    out->typing = status == OK && strcmp(typing, "1") == 0;
    return status;
}

static const char *thanks(const char *as)
{
    if (strcmp(as, "positive") == 0)
        return "Thank you. Counted: it fits.";
    return strcmp(as, "negative") == 0 ? "Thank you. Counted: it does not fit." : "";
}

/* --- the start page and results --- */

/* Best results of the examples. A search that is slow or down must not hold the start page up: then, and
 * where the examples find too little (somebody's own stickers), there are none. */
static enum status fill_examples(struct sticker_service *s, const struct http_request *req, struct texts *t,
                                 struct tpl_results *out, struct error *err)
{
    struct tpl_results_examples *list = arena_array(req->arena, N_EXAMPLES, sizeof *list);
    if (!list)
        return err_set(err, ERR_NO_MEMORY, "no memory for examples");
    int64_t end = os_monotonic_us() + EXAMPLES_US;
    struct search_answer answer = {0};
    for (size_t i = 0; i < N_EXAMPLES && os_monotonic_us() < end && !answer.degraded; i++) {
        enum status status = search_run(s, req, examples[i], NULL, 1, 0, &answer, err);
        if (status != OK)
            return status;
        if (!answer.n)
            continue;
        const struct sticker *k = answer.results[0].sticker;
        list[out->n_examples++] = (struct tpl_results_examples){.query = examples[i],
                                                                .filename = k->filename,
                                                                .thumbnail = image_url(t, k, SEARCH_THUMBNAIL),
                                                                .author = k->author,
                                                                .license = k->license};
    }
    out->examples = list;
    if (answer.degraded || out->n_examples < EXAMPLES_MIN)
        out->n_examples = 0;
    return OK;
}

/* Instead of examples, the first stickers by name. */
static enum status fill_some(struct sticker_service *s, const struct http_request *req, struct texts *t,
                             struct tpl_results *out, struct error *err)
{
    struct sticker *stickers;
    size_t n;
    enum status status = sticker_store_list(s->store, "", PAGE_SIZE, req->arena, &stickers, &n, err);
    if (status != OK)
        return status;
    struct tpl_card *cards = arena_array(req->arena, n + 1, sizeof *cards);
    if (!cards)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu stickers", n);
    for (size_t i = 0; i < n; i++)
        cards[i] = card_of(t, &stickers[i], NULL);
    out->cards = cards;
    out->n_cards = n;
    return OK;
}

static enum status fill_results(struct sticker_service *s, const struct http_request *req, const struct asked *asked,
                                struct texts *t, struct tpl_results *out, struct error *err)
{
    struct search_answer answer;
    size_t offset = (size_t)(asked->page - 1) * PAGE_SIZE;
    enum status status = search_run(s, req, asked->query, NULL, PAGE_SIZE, offset, &answer, err);
    if (status != OK)
        return status;
    struct tpl_card *cards = arena_array(req->arena, answer.n + 1, sizeof *cards);
    if (!cards)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu stickers", answer.n);
    for (size_t i = 0; i < answer.n; i++) {
        cards[i] = card_of(t, answer.results[i].sticker, asked->query);
        if (strcmp(cards[i].filename, asked->voted) == 0) {
            cards[i].voted = asked->as;
            out->noted = thanks(asked->as);
        }
    }
    out->cards = cards;
    out->n_cards = answer.n;
    out->total = answer.total;
    out->from = (int64_t)offset + 1;
    out->to = (int64_t)(offset + answer.n);
    out->degraded = answer.degraded;
    out->corrected = answer.corrected;
    if (asked->page > 1)
        out->previous = page_url(t, asked->query, asked->page - 1);
    if (asked->page < PAGE_LAST && answer.total > (int64_t)(offset + PAGE_SIZE))
        out->next = page_url(t, asked->query, asked->page + 1);
    return OK;
}

void gallery_page(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct asked asked;
    struct error err;
    struct texts t = {.arena = req->arena};
    if (read_asked(req, &asked, &err) != OK) {
        send_error(res, &err, "");
        return;
    }
    bool searched = *asked.query;
    if (searched && !asked.typing && !*asked.voted)
        usage_count(s->usage, asked.query);
    if (strcmp(asked.part, "count") == 0) {
        http_body_static(res, 204, "text/plain", "", 0);
        return;
    }
    struct tpl_results results = {.query = asked.query, .page = asked.page};
    results.title = searched ? kept(&t, arena_printf(req->arena, "%s" TITLE_SUFFIX, asked.query))
                             : "Peel: a sticker for what you mean";
    enum status status =
        searched ? fill_results(s, req, &asked, &t, &results, &err) : fill_examples(s, req, &t, &results, &err);
    if (status == OK && !searched && !results.n_examples)
        status = fill_some(s, req, &t, &results, &err);
    if (status == OK && t.failed)
        status = err_set(&err, ERR_NO_MEMORY, "no memory for a page");
    if (status != OK) {
        send_error(res, &err, asked.query);
        return;
    }
    struct buf html;
    buf_init(&html, HTML_MAX);
    if (strcmp(asked.part, "results") == 0)
        tpl_results(&html, &results);
    else
        tpl_gallery(&html, &(struct tpl_gallery){.layout = {.title = results.title, .query = asked.query},
                                                 .results = results,
                                                 .start = !searched});
    send_page(res, 200, &html);
}

/* --- one sticker --- */

static const char *license_url(const char *license)
{
    static const struct {
        const char *name, *url;
    } known[] = {{"CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"},
                 {"CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"},
                 {"CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"},
                 {"CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"},
                 {"CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"},
                 {"MIT", "https://spdx.org/licenses/MIT.html"},
                 {"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"}};
    for (size_t i = 0; license && i < sizeof known / sizeof *known; i++)
        if (strcmp(license, known[i].name) == 0)
            return known[i].url;
    return NULL;
}

/* "cat, kitten" of each language, one by one, each once. */
static enum status fill_words(const struct sticker *k, struct arena *a, struct tpl_sticker *page, struct error *err)
{
    const char **words = arena_array(a, WORDS_MAX, sizeof *words);
    if (!words)
        return err_set(err, ERR_NO_MEMORY, "no memory for words");
    for (size_t i = 0; i < k->n_words; i++)
        for (const char *s = k->words[i].words; *s && page->n_words < WORDS_MAX;) {
            size_t len = strcspn(s, ",");
            const char *word = s;
            size_t n = len;
            utf8_trim(&word, &n);
            const char *copy = arena_strndup(a, word, n);
            if (!copy)
                return err_set(err, ERR_NO_MEMORY, "no memory for words");
            size_t at = 0;
            while (at < page->n_words && strcmp(words[at], copy) != 0)
                at++;
            if (n && at == page->n_words)
                words[page->n_words++] = copy;
            s += len + (s[len] == ',');
        }
    page->words = words;
    return OK;
}

/* "SVG" or "WebP, 256 × 256 pixels" */
static const char *kind_of(struct texts *t, const struct sticker *k)
{
    static const char *const names[][2] = {{"image/svg+xml", "SVG"},
                                           {"image/png", "PNG"},
                                           {"image/webp", "WebP"},
                                           {"image/jpeg", "JPEG"},
                                           {"image/gif", "GIF"}};
    const char *name = k->mime;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(k->mime, names[i][0]) == 0)
            name = names[i][1];
    if (strcmp(name, "SVG") == 0)
        return name;
    return kept(t, arena_printf(t->arena, "%s, %d × %d pixels", name, (int)k->width, (int)k->height));
}

static const char *size_of(struct texts *t, int64_t bytes)
{
    if (bytes < 10000)
        return kept(t, arena_printf(t->arena, "%.1f kB", (double)bytes / 1000));
    return bytes < 1000000 ? kept(t, arena_printf(t->arena, "%.0f kB", (double)bytes / 1000))
                           : kept(t, arena_printf(t->arena, "%.1f MB", (double)bytes / 1e6));
}

/* "More like this": what a search for its title finds beside itself; not counted as a search. */
static enum status fill_similar(struct sticker_service *s, const struct http_request *req, const struct sticker *k,
                                struct texts *t, struct tpl_sticker *page, struct error *err)
{
    const char *title = title_of(k);
    size_t len = strlen(title);
    if (query_trim(&title, &len) != OK)
        return OK;
    struct search_answer answer;
    struct tpl_card *cards = arena_array(req->arena, SIMILAR + 1, sizeof *cards);
    const char *query = arena_strndup(req->arena, title, len);
    if (!cards || !query)
        return err_set(err, ERR_NO_MEMORY, "no memory for similar stickers");
    enum status status = search_run(s, req, query, NULL, SIMILAR + 1, 0, &answer, err);
    for (size_t i = 0; status == OK && i < answer.n && page->n_similar < SIMILAR; i++)
        if (strcmp(answer.results[i].sticker->filename, k->filename) != 0)
            cards[page->n_similar++] = card_of(t, answer.results[i].sticker, NULL);
    page->similar = cards;
    return status;
}

static enum status sticker_page(struct sticker_service *s, const struct http_request *req, const char *query,
                                const char *as, struct buf *html, struct error *err)
{
    struct sticker k;
    struct texts t = {.arena = req->arena};
    enum status status = store_check_filename(req->path_param, err);
    if (status == OK)
        status = sticker_store_get(s->store, req->path_param, req->arena, &k, err);
    if (status == ERR_INVALID || status == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "There is no such sticker, or not any more.");
    if (status != OK)
        return status;
    bool drawing = strcmp(k.mime, "image/svg+xml") == 0;
    struct tpl_sticker page = {
        .layout = {.title = kept(&t, arena_printf(req->arena, "%s" TITLE_SUFFIX, title_of(&k))), .query = query},
        .filename = k.filename,
        .name = title_of(&k),
        .image = image_url(&t, &k, drawing || k.width <= VIEW_WIDTH ? 0 : VIEW_WIDTH),
        .original = image_url(&t, &k, 0),
        .back = *query ? page_url(&t, query, 1) : NULL,
        .author = k.author,
        .license = k.license,
        .license_url = license_url(k.license),
        .source = k.source,
        .source_url = html_is(k.source) && strncmp(k.source, "http", 4) == 0 ? k.source : NULL,
        .pack = k.pack,
        .kind = kind_of(&t, &k),
        .size = size_of(&t, k.bytes),
        .voted = as,
        .noted = thanks(as)};
    status = fill_words(&k, req->arena, &page, err);
    if (status == OK)
        status = fill_similar(s, req, &k, &t, &page, err);
    if (status == OK && t.failed)
        status = err_set(err, ERR_NO_MEMORY, "no memory for a page");
    if (status == OK)
        tpl_sticker(html, &page);
    return status;
}

void gallery_sticker(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    struct buf html;
    const char *query = "", *as = "";
    buf_init(&html, HTML_MAX);
    enum status status = phrase(req, &query, &err);
    if (status == OK)
        status = param_or(req, "as", "", &as, &err);
    if (status == OK)
        status = sticker_page(ctx, req, query, as, &html, &err);
    if (status == OK)
        send_page(res, 200, &html);
    else
        send_error(res, &err, query);
    buf_free(&html);
}

/* --- a vote without scripts --- */

struct ballot {
    const char *query, *filename, *as;
    int64_t page;
    bool from_sticker;
};

static enum status read_ballot(const struct http_request *req, struct ballot *out, struct error *err)
{
    struct form form;
    const char *value;
    *out = (struct ballot){.query = "", .page = 1};
    if (!form_is(http_header(req, "Content-Type")))
        return err_set(err, ERR_INVALID, "A vote comes as a form (" FORM_TYPE ").");
    enum status status = form_parse(req->body, req->body_len, FIELDS_MAX, req->arena, &form, err);
    if (status == OK)
        status = form_get(&form, "q", &value, err);
    if (status != OK)
        return err_set(err, status == ERR_NO_MEMORY ? status : ERR_INVALID, "%s", err->message);
    size_t len = strlen(value);
    if (query_trim(&value, &len) != OK)
        return err_set(err, ERR_INVALID, "A vote belongs to a query of 1 to 255 characters.");
    out->query = arena_strndup(req->arena, value, len);
    if (!out->query)
        return err_set(err, ERR_NO_MEMORY, "no memory for a vote");
    out->as = form_get(&form, "positive", &out->filename, err) == OK ? "positive" : "negative";
    if (!out->filename && form_get(&form, "negative", &out->filename, err) != OK)
        return err_set(err, ERR_INVALID, "A vote names a sticker as positive or as negative.");
    status = store_check_filename(out->filename, err);
    if (status != OK)
        return status;
    if (form_get(&form, "page", &value, err) == OK && strlen(value) <= 4 &&
        strspn(value, "0123456789") == strlen(value))
        for (out->page = 0; *value; value++)
            out->page = out->page * 10 + (*value - '0');
    if (out->page < 1 || out->page > PAGE_LAST)
        out->page = 1;
    out->from_sticker = form_get(&form, "from", &value, err) == OK && strcmp(value, "sticker") == 0;
    return OK;
}

void gallery_vote(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct ballot b;
    struct error err;
    const char *site = http_header(req, "Sec-Fetch-Site");
    if (site && strcmp(site, "cross-site") == 0) {
        send_message(res, 403, "", "Not counted", "Votes come from our own pages.");
        return;
    }
    const char **failed;
    size_t n_failed = 0;
    enum status status = read_ballot(req, &b, &err);
    if (status == OK) {
        bool positive = strcmp(b.as, "positive") == 0;
        struct feedback_entry entry = {.query = b.query};
        *(positive ? &entry.positive : &entry.negative) = &b.filename;
        *(positive ? &entry.n_positive : &entry.n_negative) = 1;
        status = sticker_store_feedback(s->store, &entry, 1, req->arena, &failed, &n_failed, &err);
    }
    if (status == OK && n_failed)
        status = err_set(&err, ERR_NOT_FOUND, "There is no such sticker, or not any more.");
    if (status != OK) {
        send_error(res, &err, b.query);
        return;
    }
    struct buf to;
    buf_init(&to, 8192);
    buf_puts(&to, b.from_sticker ? "/sticker/" : "/");
    if (b.from_sticker)
        html_url_part(&to, b.filename);
    buf_puts(&to, "?q=");
    html_url_part(&to, b.query);
    if (!b.from_sticker) {
        buf_printf(&to, "&page=%lld&voted=", (long long)b.page);
        html_url_part(&to, b.filename);
    }
    buf_printf(&to, "&as=%s", b.as);
    http_redirect(res, 303, buf_str(&to));
    buf_free(&to);
}

/* --- files and the reference --- */

static void send_asset(const struct http_request *req, struct http_response *res, const struct asset *a,
                       const char *cache_control)
{
    http_header_add(res, "Cache-Control", cache_control);
    http_header_add(res, "ETag", a->etag);
    if (a->gzip)
        http_header_add(res, "Vary", "Accept-Encoding");
    if (asset_not_modified(http_header(req, "If-None-Match"), a->etag)) {
        http_body_static(res, 304, a->type, "", 0);
    } else if (a->gzip && asset_takes_gzip(http_header(req, "Accept-Encoding"))) {
        http_header_add(res, "Content-Encoding", "gzip");
        http_body_static(res, 200, a->type, a->gzip, a->gzip_len);
    } else {
        http_body_static(res, 200, a->type, a->data, a->len);
    }
}

void gallery_static(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    const struct asset *a = asset_by_file(req->path_param);
    if (a)
        send_asset(req, res, a, ASSET_CACHE_CONTROL);
    else
        http_problem(res, 404, "No such file.");
}

void gallery_openapi(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    http_header_add(res, "Access-Control-Allow-Origin", "*");
    send_asset(req, res, asset_by_name("openapi.json"), "no-cache");
}

void gallery_docs(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct error err;
    struct buf html;
    buf_init(&html, HTML_MAX);
    const struct asset *a = asset_by_name("openapi.json");
    const char *host = http_header(req, "Host");
    const char *server = arena_printf(req->arena, "http://%s", host ? host : "localhost:8000");
    enum status status = server ? apidocs_page((const char *)a->data, a->len, server, req->arena, &html, &err)
                                : err_set(&err, ERR_NO_MEMORY, "no memory for a page");
    if (status == OK)
        send_page(res, 200, &html);
    else
        send_error(res, &err, "");
    buf_free(&html);
}
