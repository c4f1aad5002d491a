#include "sticker_service/compat/compat_parts.h"

#include "base/language.h"
#include "base/os.h"
#include "base/utf8.h"
#include "image/image.h"
#include "sticker_service/auth.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define WHOLE_DRAWING 512u /* pixels wide, of a drawing as a picture */
#define SIDE_UNKNOWN  512u
#define SHARED_DEPTH  50u /* results among which a shared sticker is looked for */
#define EVENTS_MAX    500u
#define PERSON_MAX    512u /* bytes */

/* --- parameters --- */

enum status compat_int(const struct http_request *req, const char *name, int64_t least, int64_t most, int64_t fallback,
                       int64_t *out, struct error *err)
{
    const char *text;
    char *end;
    enum status st = http_param_or(req, name, "", &text, err);
    *out = fallback;
    if (st != OK || !*text)
        return st;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (*end || end == text)
        return err_set(err, ERR_INVALID, "%s must be a whole number", name);
    *out = n < least ? least : n > most ? most : n;
    return OK;
}

enum status compat_query(const struct http_request *req, const char *name, size_t most, const char **out,
                         struct error *err)
{
    enum status st = query_or_empty(req, name, out, err);
    if (st == ERR_INVALID && strcmp(err->message, "Query is too long.") == 0)
        return err_set(err, ERR_TOO_LARGE, "%s is too long", name);
    if (st == OK && !**out)
        return err_set(err, ERR_INVALID, "%s is missing", name);
    if (st == OK && utf8_count(*out, strlen(*out)) > most)
        return err_set(err, ERR_TOO_LARGE, "%s is longer than %zu characters", name, most);
    return st;
}

enum status compat_lang(const struct http_request *req, const char *name, const char **tag, struct error *err)
{
    const char *text;
    enum status st = http_param_or(req, name, "", &text, err);
    *tag = NULL;
    if (st != OK || !*text)
        return st;
    char *copy = arena_strdup(req->arena, text);
    if (!copy)
        return err_no_memory(err, "a language");
    for (char *c = copy; *c; c++)
        *c = *c == '_' ? '-' : *c;
    if (language_valid(copy) && language_number(copy) != LANGUAGE_OTHER)
        *tag = copy;
    return OK;
}

enum status compat_rating(const struct http_request *req, const char *name, enum rating *most, struct error *err)
{
    static const struct {
        const char *name;
        enum rating most;
    } known[] = {{"high", RATING_G}, {"y", RATING_G}, {"medium", RATING_PG}, {"low", RATING_PG_13}, {"off", RATING_R}};
    const char *text;
    enum status st = http_param_or(req, name, "", &text, err);
    *most = RATING_R;
    if (st != OK || rating_parse(text, most))
        return st;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0)
            *most = known[i].most;
    return OK;
}

enum status compat_person(const struct http_request *req, const char *const *names, const char **out, struct error *err)
{
    enum status st = OK;
    *out = "";
    for (; *names && st == OK && !**out; names++)
        st = http_param_or(req, *names, "", out, err);
    if (strlen(*out) > PERSON_MAX)
        *out = "";
    return st;
}

/* --- ids --- */

void compat_put_id(struct buf *out, const char *filename)
{
    http_escape(out, filename, strlen(filename));
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* "%2C" is a comma; NULL when it is not written so. */
static const char *unescape(const char *id, struct arena *a)
{
    char *out = arena_strdup(a, id), *to = out;
    for (const char *s = id; out && *s; s++) {
        if (*s != '%') {
            *to++ = *s;
            continue;
        }
        int high = hex_digit(s[1]), low = high < 0 ? -1 : hex_digit(s[2]);
        if (low < 0)
            return NULL;
        *to++ = (char)(high << 4 | low);
        s += 2;
    }
    if (out)
        *to = '\0';
    return out;
}

enum status compat_sticker(struct sticker_service *s, const struct http_request *req, const char *id,
                           struct sticker *out, struct error *err)
{
    enum status st = ERR_NOT_FOUND;
    err_set(err, ERR_NOT_FOUND, "there is no sticker of this id");
    if (filename_check(id, NULL) == OK)
        st = sticker_store_get(s->store, id, req->arena, out, err);
    const char *name = st == ERR_NOT_FOUND && strchr(id, '%') ? unescape(id, req->arena) : NULL;
    if (name && filename_check(name, NULL) == OK)
        st = sticker_store_get(s->store, name, req->arena, out, err);
    return st;
}

enum status compat_stickers(struct sticker_service *s, const struct http_request *req, const char *ids, size_t most,
                            struct find_answer *out, struct error *err)
{
    *out = (struct find_answer){.ranking = "", .language = "en"};
    out->results = arena_array(req->arena, most, sizeof *out->results);
    if (!out->results)
        return err_no_memory(err, "%zu stickers", most);
    for (const char *at = ids; *at && out->n < most;) {
        size_t len = strcspn(at, ",");
        const char *id = arena_strndup(req->arena, at, len);
        struct sticker *k = arena_alloc(req->arena, sizeof *k);
        if (!id || !k)
            return err_no_memory(err, "%zu stickers", most);
        enum status st = compat_sticker(s, req, id, k, err);
        if (st == OK)
            out->results[out->n++].sticker = k;
        else if (st != ERR_NOT_FOUND)
            return st;
        at += len + (at[len] == ',');
    }
    out->total = (int64_t)out->n;
    return OK;
}

/* --- images --- */

static bool is_drawing(const struct sticker *k)
{
    return image_mime_is_drawing(k->mime);
}

static struct compat_image at_width(const struct sticker *k, unsigned thumbnail)
{
    struct compat_image image = {.thumbnail = thumbnail};
    uint32_t width = k->width > 0 ? (uint32_t)k->width : SIDE_UNKNOWN;
    uint32_t height = k->height > 0 ? (uint32_t)k->height : SIDE_UNKNOWN;
    image_thumbnail_size(width, height, is_drawing(k), thumbnail, &image.width, &image.height);
    return image;
}

struct compat_image compat_whole(const struct sticker *k)
{
    if (is_drawing(k))
        return at_width(k, WHOLE_DRAWING);
    return (struct compat_image){.width = k->width > 0 ? (uint32_t)k->width : SIDE_UNKNOWN,
                                 .height = k->height > 0 ? (uint32_t)k->height : SIDE_UNKNOWN,
                                 .bytes = k->bytes};
}

static const unsigned widths[COMPAT_WIDTHS] = {0, 64, 128, 256, 512, 1024};

struct compat_image compat_scaled(const struct sticker *k, unsigned width, bool still)
{
    size_t i = 1;
    while (i + 1 < COMPAT_WIDTHS && widths[i] < width)
        i++;
    if (k->animated && !still && k->width > 0 && (uint32_t)k->width <= widths[i])
        return compat_whole(k);
    struct compat_image image = at_width(k, widths[i]);
    image.still = still && k->animated;
    return image;
}

void compat_addresses(struct compat_addresses *a, const char *origin, const struct sticker *k)
{
    *a = (struct compat_addresses){.origin = origin, .sticker = k};
    buf_init(&a->texts, 16384);
}

static void write_address(struct buf *out, const struct compat_addresses *a, const struct compat_image *image,
                          const char *more)
{
    buf_putc(out, '"');
    buf_puts(out, a->origin);
    buf_puts(out, "/media/");
    compat_put_id(out, a->sticker->filename);
    buf_putc(out, '?');
    if (image->thumbnail)
        buf_printf(out, "w=%u&", image->thumbnail);
    buf_puts(out, image->still ? "still=1&" : "");
    buf_puts(out, more);
    buf_puts(out, "v=");
    buf_append(out, a->sticker->sha256, strnlen(a->sticker->sha256, 16));
    buf_putc(out, '"');
}

void compat_put_address(struct buf *out, struct compat_addresses *a, const struct compat_image *image, const char *more)
{
    size_t i = 0;
    while (i + 1 < COMPAT_WIDTHS && widths[i] != image->thumbnail)
        i++;
    if (*more) {
        write_address(out, a, image, more);
        return;
    }
    struct compat_address *made = &a->made[i][image->still];
    if (!made->len) {
        made->at = a->texts.len;
        write_address(&a->texts, a, image, "");
        made->len = a->texts.len - made->at;
    }
    buf_append(out, a->texts.data + made->at, made->len);
    out->failed = out->failed || a->texts.failed;
}

/* --- events --- */

/* An event's id says what happened, so that one that comes again counts once. */
static void event_id(const struct compat_event *e, unsigned char id[STORE_EVENT_ID])
{
    crypto_generichash_state state;
    const char *const parts[] = {e->receipt, e->id, e->person, event_actions[e->action]};
    crypto_generichash_init(&state, NULL, 0, STORE_EVENT_ID);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        crypto_generichash_update(&state, (const unsigned char *)parts[i], strlen(parts[i]) + 1);
    crypto_generichash_update(&state, (const unsigned char *)&e->at_us, sizeof e->at_us);
    crypto_generichash_final(&state, id, STORE_EVENT_ID);
}

/* False: it cannot be taken. */
static bool read_event(struct sticker_service *s, const struct http_request *req, const struct compat_event *e,
                       const struct origin *origin, struct search_row *search, struct event_row *out)
{
    struct error err;
    struct sticker k;
    int64_t now = os_now_us();
    unsigned char *id = arena_alloc(req->arena, STORE_EVENT_ID);
    const char *person = *e->person ? receipts_person(s->receipts, e->person, origin->vouched, req->arena) : "";
    if (!id || !person || strlen(e->receipt) > RECEIPT_MAX ||
        receipts_read(s->receipts, e->receipt, strlen(e->receipt), req->arena, search, &err) != OK ||
        compat_sticker(s, req, e->id, &k, &err) != OK)
        return false;
    event_id(e, id);
    bool plausible = e->at_us >= search->made_us && e->at_us <= now;
    *out = (struct event_row){.id = id,
                              .search = search,
                              .action = e->action,
                              .sticker = k.filename,
                              .client = person,
                              .origin = *origin,
                              .at_us = plausible ? e->at_us : now};
    return true;
}

enum status compat_events(struct sticker_service *s, const struct http_request *req, const struct compat_event *events,
                          size_t n, struct error *err)
{
    n = n < EVENTS_MAX ? n : EVENTS_MAX;
    struct search_row *searches = arena_array(req->arena, n + 1, sizeof *searches);
    struct event_row *rows = arena_array(req->arena, n + 1, sizeof *rows);
    struct origin origin = auth_origin(s->store, s->receipts, req);
    size_t taken = 0;
    if (!searches || !rows)
        return err_no_memory(err, "%zu events", n);
    for (size_t i = 0; i < n; i++)
        taken += read_event(s, req, &events[i], &origin, &searches[taken], &rows[taken]);
    enum status st = taken ? sticker_store_events_add(s->store, searches, taken, rows, taken, req->arena, err) : OK;
    for (size_t i = 0; i < taken && st == OK; i++)
        if (rows[i].was == EVENT_NEW)
            atomic_fetch_add_explicit(&s->events[rows[i].action], 1, memory_order_relaxed);
    return st;
}

enum status compat_event_of_query(struct sticker_service *s, const struct http_request *req, const char *query,
                                  const char *lang, const char *id, const char *person, enum event_action action,
                                  struct error *err)
{
    struct find_query asked = {
        .text = query, .lang = lang, .limit = SHARED_DEPTH, .filter = STICKER_FILTER_NONE, .client = person};
    struct find_answer answer;
    struct buf draft, receipt;
    find_choose_trial(s, req, &asked);
    enum status st = find_stickers(s, req, &asked, &answer, err);
    if (st != OK || answer.degraded)
        return st;
    buf_init(&draft, RECEIPT_DRAFT_MAX * 2);
    buf_init(&receipt, RECEIPT_MAX + 1);
    st = find_draft(&asked, &answer, req->arena, &draft, err);
    if (st == OK)
        st = buf_status(&draft, err);
    if (st == OK) {
        receipts_sign(s->receipts, draft.data, draft.len, &receipt);
        st = buf_status(&receipt, err);
    }
    struct compat_event event = {.receipt = buf_str(&receipt), .id = id, .person = person, .action = action};
    if (st == OK)
        st = compat_events(s, req, &event, 1, err);
    buf_free(&draft);
    buf_free(&receipt);
    return st;
}

/* --- answers --- */

int compat_status(const struct error *err)
{
    switch (err->code) {
    case ERR_INVALID:
        return 400;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_TOO_LARGE:
        return 414;
    case ERR_TIMEOUT:
        return 504;
    default:
        return 503;
    }
}

void compat_send(const struct http_request *req, struct http_response *res, enum status st, struct buf *out,
                 const struct error *err, compat_refusal *refuse)
{
    struct error why;
    if (st == OK && (st = buf_status(out, &why)) != OK)
        err = &why;
    if (st == OK) {
        size_t len = out->len;
        http_body_take(res, 200, "application/json", buf_take(out), len);
    } else {
        int status = compat_status(err);
        if (status >= 500)
            http_header_add(res, "Retry-After", "2");
        refuse(req, res, status, status >= 500 ? "The service cannot answer at the moment" : err->message);
    }
    buf_free(out);
}

void compat_search(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                   const struct find_query *query, const struct served_form *form, compat_refusal *refuse)
{
    struct buf out;
    struct error err;
    bool refused;
    buf_init(&out, SERVED_MAX);
    enum status st = served_search(s, req, query, form, &refused, &out, &err);
    if (refused)
        buf_free(&out);
    else
        compat_send(req, res, st, &out, &err, refuse);
}

void compat_list(struct sticker_service *s, const struct http_request *req, struct http_response *res, enum status st,
                 const struct find_query *query, const struct served_form *form, struct find_answer *answer,
                 struct error *err, compat_refusal *refuse)
{
    struct buf written, out;
    buf_init(&written, SERVED_MAX);
    buf_init(&out, SERVED_MAX);
    if (st == OK)
        st = sticker_localise(s, answer->results, answer->n, form->sticker.lang, req->arena, err);
    if (st == OK) {
        form->write(form, query, answer, &written);
        st = buf_status(&written, err);
    }
    /* There was no search, so there is no receipt. */
    const char *at = buf_str(&written), *end = at + written.len;
    for (const char *mark; st == OK && (mark = memchr(at, SERVED_RECEIPT, (size_t)(end - at))); at = mark + 1)
        buf_append(&out, at, (size_t)(mark - at));
    buf_append(&out, at, (size_t)(end - at));
    buf_free(&written);
    compat_send(req, res, st, &out, err, refuse);
}

static bool begins(const char *path, const char *with)
{
    return strncmp(path, with, strlen(with)) == 0;
}

bool compat_refuse(const struct http_request *req, struct http_response *res, int status)
{
    compat_refusal *refuse = begins(req->path, "/tenor/")   ? tenor_refuse
                             : begins(req->path, "/giphy/") ? giphy_refuse
                             : begins(req->path, "/klipy/") ? klipy_refuse
                                                            : NULL;
    if (!refuse)
        return false;
    refuse(req, res, status,
           status == 401   ? "A known API key is needed"
           : status == 404 ? "There is nothing here"
           : status == 403 ? "Pages of this site may not send this"
           : status == 429 ? "Too many requests"
                           : "The service is busy");
    return true;
}
