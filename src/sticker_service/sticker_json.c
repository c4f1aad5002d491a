#include "sticker_service/sticker_json.h"

#include "base/json_out.h"
#include "base/language.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
#define MEMBER_NUMBER(name) MEMBER_##name,
    STICKER_MEMBERS(MEMBER_NUMBER) MEMBERS
#undef MEMBER_NUMBER
};
#define MEMBERS_ALL  ((1u << MEMBERS) - 1)
#define MEMBERS_HEAD ((1u << MEMBER_url) - 1) /* of a search; those behind them are the sticker's own */
#define KEYWORDS_MAX 1000u

static const char *const member_names[] = {
#define MEMBER_NAME(name) #name,
    STICKER_MEMBERS(MEMBER_NAME)
#undef MEMBER_NAME
};

const char *service_origin(const struct sticker_service *s, const struct http_request *req)
{
    if (s->cfg->public_url && *s->cfg->public_url)
        return s->cfg->public_url;
    const char *host = http_header(req, "Host");
    if (!host || !*host || strlen(host) > 255 ||
        host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]")])
        return "";
    return arena_printf(req->arena, "http%s://%s", req->over_tls ? "s" : "", host);
}

/* The one that addresses have where the request does not say. */
static const char *usual_origin(const struct sticker_service *s)
{
    return s->cfg->public_url ? s->cfg->public_url : "";
}

/* "filename,title" as bits. */
static enum status read_fields(const char *list, uint32_t *members, struct error *err)
{
    *members = 1u << MEMBER_filename; /* which is the key */
    for (const char *s = list; *s;) {
        size_t len = strcspn(s, ","), i = 0;
        while (i < MEMBERS && (strlen(member_names[i]) != len || memcmp(member_names[i], s, len) != 0))
            i++;
        if (i == MEMBERS) {
            err_set(err, ERR_INVALID,
                    "fields has \"%.*s\", which results do not have; they have:", (int)(len < 64 ? len : 64), s);
            for (i = 0; i < MEMBERS; i++) {
                size_t end = strlen(err->message);
                snprintf(err->message + end, sizeof err->message - end, "%s %s", i ? "," : "", member_names[i]);
            }
            return ERR_INVALID;
        }
        *members |= 1u << i;
        s += len + (s[len] == ',');
    }
    return OK;
}

struct sticker_form sticker_form_default(const char *origin)
{
    return (struct sticker_form){.origin = origin, .members = MEMBERS_ALL};
}

enum status sticker_form_params(const struct sticker_service *s, const struct http_request *req,
                                struct sticker_form *out, struct error *err)
{
    const char *fields;
    bool absolute;
    *out = sticker_form_default("");
    enum status st = lang_param(req, &out->lang, err);
    if (st == OK)
        st = bool_param(req, "absolute", *usual_origin(s), &absolute, err);
    if (st == OK && absolute && !(out->origin = service_origin(s, req)))
        st = err_no_memory(err, "an address");
    if (st == OK)
        st = http_param_or(req, "fields", "", &fields, err);
    if (st == OK && *fields)
        st = read_fields(fields, &out->members, err);
    out->usual = st == OK && out->members == MEMBERS_ALL && strcmp(out->origin, usual_origin(s)) == 0;
    return st;
}

enum status sticker_localise(struct sticker_service *s, struct find_result *results, size_t n, const char *lang,
                             struct arena *a, struct error *err)
{
    if (!lang || !n || strcmp(language_code(language_number(lang)), "en") == 0)
        return OK;
    const char **names = arena_array(a, n, sizeof *names), **titles = arena_array(a, n, sizeof *titles);
    if (!names || !titles)
        return err_no_memory(err, "%zu titles", n);
    for (size_t i = 0; i < n; i++)
        names[i] = results[i].sticker->filename;
    enum status st = sticker_store_titles(s->store, names, n, lang, a, titles, err);
    for (size_t i = 0; st == OK && i < n; i++)
        results[i].title = titles[i];
    return st;
}

const char *sticker_alt(const struct find_result *result)
{
    const struct sticker *k = result->sticker;
    return result->title && *result->title ? result->title : *k->title ? k->title : k->filename;
}

/* Nothing in an address needs to be escaped once more. */
void sticker_json_address(const struct sticker_form *form, const struct sticker *k, unsigned width, struct buf *out)
{
    buf_putc(out, '"');
    buf_puts(out, form->origin);
    media_url(out, k->filename, k->sha256, width, false);
    buf_putc(out, '"');
}

static void put_member(const struct sticker_form *form, const struct find_result *r, size_t rank, int member,
                       struct buf *out)
{
    const struct sticker *k = r->sticker;
    switch (member) {
    case MEMBER_filename:
        json_put_string(out, k->filename);
        break;
    case MEMBER_rank:
        buf_printf(out, "%zu", rank);
        break;
    case MEMBER_score:
        json_put_score(out, r->score);
        break;
    case MEMBER_confidence:
        json_put_hundredths(out, r->confidence);
        break;
    case MEMBER_pinned:
        buf_puts(out, "true");
        break;
    case MEMBER_url:
        sticker_json_address(form, k, 0, out);
        break;
    case MEMBER_thumbnail:
        sticker_json_address(form, k, FIND_THUMBNAIL, out);
        break;
    case MEMBER_title:
        json_put_string(out, k->title);
        break;
    case MEMBER_alt:
        json_put_string(out, sticker_alt(r));
        break;
    case MEMBER_rating:
        json_put_string(out, rating_name(k->rating));
        break;
    case MEMBER_animated:
        buf_puts(out, k->animated ? "true" : "false");
        break;
    case MEMBER_mime:
        json_put_string(out, image_mime_is_shown(k->mime) ? k->mime : image_mime(IMAGE_WEBP)); /* of what url gives */
        break;
    case MEMBER_width:
        buf_printf(out, "%d", (int)k->width);
        break;
    case MEMBER_height:
        buf_printf(out, "%d", (int)k->height);
        break;
    case MEMBER_frames:
        buf_printf(out, "%d", (int)k->frames);
        break;
    case MEMBER_duration_ms:
        buf_printf(out, "%d", (int)k->duration_ms);
        break;
    case MEMBER_author:
        json_put_string(out, k->author);
        break;
    case MEMBER_license:
        json_put_string(out, k->license);
        break;
    case MEMBER_source:
        json_put_string(out, k->source);
        break;
    case MEMBER_pack:
        json_put_string(out, k->pack);
        break;
    }
}

/* `members` as bits; if filename is one of them, an object begins. */
static void put_members(const struct sticker_form *form, const struct find_result *r, size_t rank, uint32_t members,
                        struct buf *out)
{
    for (int i = 0; i < MEMBERS; i++) {
        if (!(members >> i & 1))
            continue;
        buf_puts(out, i == MEMBER_filename ? "{\"" : ",\"");
        buf_puts(out, member_names[i]);
        buf_puts(out, "\":");
        put_member(form, r, rank, i, out);
    }
}

static uint32_t own_members(const struct sticker *k)
{
    uint32_t members = MEMBERS_ALL & ~MEMBERS_HEAD;
    return k->frames < 2 ? members & ~(1u << MEMBER_frames | 1u << MEMBER_duration_ms) : members;
}

void sticker_json_show(const void *ctx, const struct sticker *k, struct buf *out)
{
    const struct sticker_form form = sticker_form_default(usual_origin(ctx));
    put_members(&form, &(struct find_result){.sticker = k}, 0, own_members(k), out);
}

void sticker_json(const struct sticker_form *form, const struct find_result *r, size_t rank, struct buf *out)
{
    const struct sticker *k = r->sticker;
    bool shown = form->usual && !r->title && k->shown && *k->shown;
    uint32_t members = form->members & (shown ? MEMBERS_HEAD : MEMBERS_HEAD | own_members(k));
    if (!rank)
        members &= ~(1u << MEMBER_rank | 1u << MEMBER_score);
    if (!(r->confidence > 0))
        members &= ~(1u << MEMBER_confidence);
    if (!r->pinned)
        members &= ~(1u << MEMBER_pinned);
    put_members(form, r, rank, members, out);
    buf_puts(out, shown ? k->shown : "");
    buf_putc(out, '}');
}

void sticker_json_list(const struct sticker_form *form, const struct find_result *results, size_t n, size_t first,
                       struct buf *out)
{
    buf_puts(out, "\"stickers\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, results[i].sticker->filename);
    }
    buf_puts(out, "],\"results\":[");
    for (size_t i = 0; i < n; i++) {
        buf_puts(out, i ? "," : "");
        sticker_json(form, &results[i], first ? first + i : 0, out);
    }
    buf_putc(out, ']');
}

/* The list in the language, else the English one, else the first that there is; NULL: no words. */
static const struct sticker_words *words_for(const struct sticker *k, const char *lang)
{
    const struct sticker_words *english = NULL, *first = NULL;
    for (size_t i = 0; i < k->n_words; i++) {
        const struct sticker_words *w = &k->words[i];
        if (!w->words || !*w->words)
            continue;
        if (lang && language_number(lang) != LANGUAGE_OTHER && language_number(w->language) == language_number(lang))
            return w;
        if (!english && language_number(w->language) == LANGUAGE_en)
            english = w;
        first = first ? first : w;
    }
    return english ? english : first;
}

enum status sticker_keywords(const struct sticker *k, const char *lang, size_t most, struct arena *a,
                             struct sticker_keywords *out, struct error *err)
{
    const struct sticker_words *words = words_for(k, lang);
    size_t count = 1;
    for (const char *s = words ? words->words : ""; *s; s++)
        count += *s == ',';
    *out = (struct sticker_keywords){.language = words ? words->language : NULL};
    out->list = arena_array(a, count < most ? count : most, sizeof *out->list);
    if (!out->list)
        return err_no_memory(err, "words");
    for (const char *s = words ? words->words : ""; *s && out->n < most;) {
        size_t len = strcspn(s, ","), n = len, at = 0;
        const char *word = s;
        utf8_trim(&word, &n);
        const char *copy = arena_strndup(a, word, n);
        if (!copy)
            return err_no_memory(err, "words");
        while (at < out->n && strcmp(out->list[at], copy) != 0)
            at++;
        if (n && at == out->n)
            out->list[out->n++] = copy;
        s += len + (s[len] == ',');
    }
    return OK;
}

enum status sticker_json_whole(struct sticker_service *s, const struct sticker_form *form, const struct sticker *k,
                               struct arena *a, struct buf *out, struct error *err)
{
    struct find_result result = {.sticker = k};
    struct sticker_keywords words;
    enum status st = sticker_localise(s, &result, 1, form->lang, a, err);
    if (st == OK)
        st = sticker_keywords(k, form->lang, KEYWORDS_MAX, a, &words, err);
    if (st != OK)
        return st;
    sticker_json(form, &result, 0, out);
    if (out->failed)
        return buf_status(out, err);
    out->len--; /* its brace */
    buf_puts(out, ",\"keywords\":[");
    for (size_t i = 0; i < words.n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, words.list[i]);
    }
    buf_puts(out, "]}");
    return buf_status(out, err);
}
