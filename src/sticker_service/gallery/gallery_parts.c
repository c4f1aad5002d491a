#include "sticker_service/gallery/gallery_parts.h"

#include "base/language.h"
#include "base/log.h"
#include "sticker_service/gallery/gallery.h"
#include "sticker_service/packed.h"
#include "sticker_service/service.h"
#include "sticker_service/sticker_json.h"
#include "web/assets.h"
#include "web/cookie.h"

#include <stdlib.h>
#include <string.h>

#define COOKIE       "lang"
#define COOKIE_S     (365 * 24 * 3600)
#define VOTER_BYTES  64u   /* of the cookie that tells voters apart */
#define VOTES_MAX    500u  /* of one voter for one query, that are shown */
#define PARAM_MAX    2048u /* bytes of a parameter that goes along to another language */
#define TOO_LONG_MAX 4096  /* bytes of a query that is too long and yet shown, to be shortened */

/* --- the reader --- */

static bool has_messages(const char *tag)
{
    return messages_in(tag) != NULL;
}

/* A language that was chosen; NULL: none, or not one of ours. */
static const char *chosen_language(struct gallery_visit *v)
{
    const struct http_request *req = v->req;
    struct error err;
    const char *tag = NULL;
    if (http_param_or(req, "lang", NULL, &tag, &err) == OK && tag && language_valid(tag) && has_messages(tag)) {
        struct buf cookie;
        buf_init(&cookie, 256);
        cookie_write(&cookie, &(struct cookie){.name = COOKIE,
                                               .value = messages_tag(messages_in(tag)),
                                               .path = "/",
                                               .max_age_s = COOKIE_S,
                                               .secure = req->over_tls});
        http_header_add(v->res, "Set-Cookie", buf_str(&cookie));
        buf_free(&cookie);
        return tag;
    }
    if (cookie_get(http_header(req, "Cookie"), COOKIE, req->arena, &tag, &err) == OK && language_valid(tag) &&
        has_messages(tag))
        return tag;
    return NULL;
}

void gallery_visit(struct gallery_visit *v, const struct http_request *req, struct http_response *res)
{
    *v = (struct gallery_visit){.req = req, .res = res, .messages = messages_at(0)};
    const char *tag = chosen_language(v);
    v->lang = tag ? tag : lang_accepted(req, NULL);
    if (!tag)
        tag = lang_accepted(req, has_messages);
    if (tag)
        v->messages = messages_in(tag);
}

/* --- answering --- */

void gallery_send(struct gallery_visit *v, int status, struct buf *html)
{
    http_header_add(v->res, "Content-Security-Policy", HTML_CSP);
    http_header_add(v->res, "Referrer-Policy", "same-origin");
    http_header_add(v->res, "Cache-Control", "no-cache");
    http_vary(v->res, "Accept-Language, Cookie");
    send_packed(v->req, v->res, status, HTML_TYPE, html, "a page");
}

void gallery_send_message(struct gallery_visit *v, int status, const char *query, const char *heading, const char *text)
{
    struct buf html;
    buf_init(&html, GALLERY_HTML_MAX);
    struct tpl_message page = {.layout = gallery_layout(v, gallery_page_title(v, heading), query),
                               .heading = heading,
                               .text_shown = text,
                               .home_label = GALLERY_SAY(v, home_link)};
    tpl_message(&html, &page, v->messages);
    gallery_send(v, status, &html);
}

/* The query of a request that failed: what is too long stays in the box, to be shortened. */
static const char *query_shown(const struct gallery_visit *v, bool *too_long)
{
    const char *raw = "";
    struct error err;
    *too_long = false;
    if (http_param_or(v->req, "q", "", &raw, &err) != OK)
        return "";
    size_t len = strlen(raw);
    const char *trimmed = raw;
    *too_long = query_trim(&trimmed, &len) == ERR_TOO_LARGE;
    return len > TOO_LONG_MAX ? "" : raw;
}

void gallery_send_error(struct gallery_visit *v, const struct error *err, const char *query)
{
    bool too_long;
    const char *raw = query_shown(v, &too_long), *heading = GALLERY_SAY(v, error_heading);
    query = *query ? query : raw;
    switch (err->code) {
    case ERR_INVALID:
        gallery_send_message(v, 400, query, heading,
                             too_long ? GALLERY_SAY(v, error_too_long) : GALLERY_SAY(v, error_invalid));
        break;
    case ERR_NOT_FOUND:
        gallery_send_message(v, 404, query, GALLERY_SAY(v, error_missing_heading),
                             strncmp(v->req->path, "/sticker/", 9) != 0 ? GALLERY_SAY(v, error_missing)
                                                                        : GALLERY_SAY(v, error_no_sticker));
        break;
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
    case ERR_NO_MEMORY:
    case ERR_IO:
    case ERR_CORRUPT:
        log_warn("gallery: %s", err->message);
        http_header_add(v->res, "Retry-After", "2");
        gallery_send_message(v, 503, query, GALLERY_SAY(v, error_busy_heading), GALLERY_SAY(v, error_busy));
        break;
    default:
        log_error("gallery: %s", err->message);
        gallery_send_message(v, 500, query, heading, GALLERY_SAY(v, error_server));
    }
}

/* Does an Accept header (may be NULL) name HTML? Programs that take anything get JSON. */
static bool wants_html(const char *accept)
{
    return accept && strstr(accept, "text/html");
}

bool gallery_refuse(void *ctx, const struct http_request *req, struct http_response *res, int status, unsigned retry_s)
{
    (void)ctx;
    struct gallery_visit v;
    if (!wants_html(http_header(req, "Accept")) || strncmp(req->path, "/api/", 5) == 0 ||
        strncmp(req->path, "/media/", 7) == 0)
        return false;
    gallery_visit(&v, req, res);
    bool too_long;
    const char *query = query_shown(&v, &too_long);
    if (status == 404) {
        gallery_send_message(&v, 404, query, GALLERY_SAY(&v, error_missing_heading), GALLERY_SAY(&v, error_missing));
    } else if (status == 403 && strcmp(req->path, "/vote") == 0) {
        gallery_send_message(&v, 403, "", GALLERY_SAY(&v, error_vote_heading), GALLERY_SAY(&v, error_vote_foreign));
    } else if (status == 429) {
        const struct message_arg n[] = {{.name = "n", .number = retry_s, .is_number = true}};
        gallery_send_message(&v, 429, query, GALLERY_SAY(&v, error_limited_heading),
                             messages_text(req->arena, v.messages, MESSAGE_error_limited, n, 1));
    } else if (status == 503) {
        gallery_send_message(&v, 503, query, GALLERY_SAY(&v, error_busy_heading), GALLERY_SAY(&v, error_busy));
    } else {
        return false;
    }
    return true;
}

/* --- the layout --- */

/* The same page in another language: its query string, without `lang`, and then that. "//x" would be another site. */
static const char *page_in(struct gallery_visit *v, const char *tag)
{
    struct buf b;
    buf_init(&b, 16384);
    buf_putc(&b, '/');
    for (const char *s = v->req->path + strspn(v->req->path, "/"); *s; s++) {
        if (*s == '/')
            buf_putc(&b, '/');
        else
            html_url_part(&b, (const char[]){*s, '\0'});
    }
    buf_putc(&b, '?');
    for (size_t i = 0; i < v->req->n_params; i++) {
        const struct http_pair *p = &v->req->params[i];
        if (strcmp(p->name, "lang") == 0 || strcmp(p->name, "part") == 0 || p->value_len > PARAM_MAX ||
            memchr(p->value, 0, p->value_len))
            continue;
        html_url_part(&b, p->name);
        buf_putc(&b, '=');
        html_url_part(&b, p->value);
        buf_putc(&b, '&');
    }
    buf_printf(&b, "lang=%s", tag);
    const char *link =
        b.failed ? arena_printf(v->req->arena, "/?lang=%s", tag) : arena_strdup(v->req->arena, buf_str(&b));
    buf_free(&b);
    return gallery_kept(v, link);
}

struct tpl_layout gallery_layout(struct gallery_visit *v, const char *title, const char *query)
{
    size_t n = 0;
    struct tpl_layout_languages *languages = arena_array(v->req->arena, messages_count, sizeof *languages);
    for (const struct messages *m; languages && (m = messages_at(n)); n++)
        languages[n] = (struct tpl_layout_languages){.tag = messages_tag(m),
                                                     .name = messages_get(m, MESSAGE_language_name),
                                                     .link = page_in(v, messages_tag(m)),
                                                     .current = m == v->messages};
    return (struct tpl_layout){.title = title, .query = query, .languages = languages, .n_languages = n};
}

/* --- from stickers to what templates show --- */

const char *gallery_kept(struct gallery_visit *v, const char *s)
{
    if (!s)
        v->failed = true;
    return s;
}

static const char *image_address(struct gallery_visit *v, const struct sticker *k, unsigned width, bool still)
{
    struct buf b;
    buf_init(&b, 4096);
    media_url(&b, k->filename, k->sha256, width, still);
    const char *url = b.failed ? NULL : arena_strdup(v->req->arena, buf_str(&b));
    buf_free(&b);
    return gallery_kept(v, url);
}

const char *gallery_image(struct gallery_visit *v, const struct sticker *k, unsigned width)
{
    return image_address(v, k, width, false);
}

const char *gallery_still(struct gallery_visit *v, const struct sticker *k, unsigned width)
{
    return k->animated ? image_address(v, k, width, true) : NULL;
}

const char *gallery_page_title(struct gallery_visit *v, const char *name)
{
    const struct message_arg args[] = {{.name = "name", .text = name}};
    return gallery_kept(v, messages_text(v->req->arena, v->messages, MESSAGE_page_title, args, 1));
}

const char *gallery_title(const struct sticker *k)
{
    return html_is(k->title) ? k->title : k->filename;
}

const char *gallery_license_url(const char *license)
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

const char *gallery_source_url(const char *source)
{
    return html_is(source) && strncmp(source, "http", 4) == 0 ? source : NULL;
}

const char *gallery_pack_title(struct sticker_service *s, struct gallery_visit *v, const char *pack)
{
    struct collection_facts facts;
    if (!html_is(pack))
        return pack;
    collection_facts(s->collection, v->req->arena, &facts);
    for (size_t i = 0; i < facts.n_packs; i++)
        if (strcmp(facts.packs[i].about.name, pack) == 0)
            return pack_title(&facts.packs[i].about);
    return pack;
}

enum status gallery_localise(struct sticker_service *s, struct gallery_visit *v, struct sticker **stickers, size_t n,
                             struct error *err)
{
    struct arena *a = v->req->arena;
    if (!v->lang || !n)
        return OK;
    const char **names = arena_array(a, n, sizeof *names), **titles = arena_array(a, n, sizeof *titles);
    if (!names || !titles)
        return err_no_memory(err, "%zu titles", n);
    for (size_t i = 0; i < n; i++)
        names[i] = stickers[i]->filename;
    enum status status = sticker_store_titles(s->store, names, n, v->lang, a, titles, err);
    for (size_t i = 0; status == OK && i < n; i++)
        if (html_is(titles[i]))
            stickers[i]->title = titles[i];
    return status;
}

struct tpl_card gallery_card(struct gallery_visit *v, const struct sticker *k, const char *query)
{
    return (struct tpl_card){.filename = k->filename,
                             .title = gallery_title(k),
                             .thumbnail = gallery_image(v, k, FIND_THUMBNAIL),
                             .still = gallery_still(v, k, FIND_THUMBNAIL),
                             .author = k->author,
                             .license = k->license,
                             .query = query};
}

enum status gallery_cards(struct sticker_service *s, struct gallery_visit *v, const struct find_answer *answer,
                          const char *query, struct tpl_card **cards, struct error *err)
{
    struct arena *a = v->req->arena;
    struct sticker *copies = arena_array(a, answer->n + 1, sizeof *copies);
    struct sticker **stickers = arena_array(a, answer->n + 1, sizeof *stickers);
    *cards = arena_array(a, answer->n + 1, sizeof **cards);
    if (!copies || !stickers || !*cards)
        return err_no_memory(err, "%zu stickers", answer->n);
    for (size_t i = 0; i < answer->n; i++) {
        copies[i] = *answer->results[i].sticker;
        stickers[i] = &copies[i];
    }
    enum status status = gallery_localise(s, v, stickers, answer->n, err);
    for (size_t i = 0; status == OK && i < answer->n; i++)
        (*cards)[i] = gallery_card(v, stickers[i], query);
    return status;
}

static void put_param(struct buf *b, const char *name, const char *value)
{
    buf_printf(b, "&%s=", name);
    html_url_part(b, value);
}

const char *gallery_results_url(struct gallery_visit *v, const char *query, const struct sticker_filter *filter,
                                int64_t page)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_puts(&b, "/?q=");
    html_url_part(&b, query);
    if (filter && html_is(filter->pack))
        put_param(&b, "pack", filter->pack);
    if (filter && filter->animated != ANIMATED_ANY)
        put_param(&b, "animated", filter->animated == ANIMATED_YES ? "true" : "false");
    if (filter && filter->rating_most != RATING_R)
        put_param(&b, "rating", rating_name(filter->rating_most));
    if (page > 1)
        buf_printf(&b, "&page=%lld", (long long)page);
    const char *url = b.failed ? NULL : arena_strdup(v->req->arena, buf_str(&b));
    buf_free(&b);
    return gallery_kept(v, url);
}

const char *gallery_origin(const struct sticker_service *s, struct gallery_visit *v)
{
    const char *origin = gallery_kept(v, service_origin(s, v->req));
    return html_is(origin) ? origin : NULL;
}

const char *gallery_voter(const struct sticker_service *s, struct gallery_visit *v)
{
    struct error err;
    const char *id;
    if (cookie_get(http_header(v->req, "Cookie"), GALLERY_VOTER, v->req->arena, &id, &err) != OK || !*id ||
        strlen(id) > VOTER_BYTES)
        return NULL;
    return receipts_person(s->receipts, id, false, v->req->arena);
}

enum status gallery_votes(struct sticker_service *s, struct gallery_visit *v, const char *query, struct tpl_card *cards,
                          size_t n, struct error *err)
{
    struct vote_row *rows;
    size_t n_rows = 0;
    const char *voter = gallery_voter(s, v);
    if (!voter || !n)
        return OK;
    enum status status = sticker_store_votes(s->store, voter, query, VOTES_MAX, v->req->arena, &rows, &n_rows, err);
    for (size_t i = 0; status == OK && i < n_rows; i++)
        for (size_t k = 0; k < n; k++)
            if (strcmp(cards[k].filename, rows[i].filename) == 0)
                cards[k].voted = rows[i].positive ? "positive" : "negative";
    return status;
}

const char *gallery_thanks(const struct gallery_visit *v, const char *as)
{
    if (strcmp(as, "positive") == 0)
        return GALLERY_SAY(v, voted_good);
    if (strcmp(as, "negative") == 0)
        return GALLERY_SAY(v, voted_bad);
    return strcmp(as, "withdrawn") == 0 ? GALLERY_SAY(v, vote_back) : "";
}
