/* A vote without scripts: a form, answered by a redirect to the page it came from. A cookie tells voters apart, so that
 * a vote can be changed and taken back; who never votes gets none. */
#include "sticker_service/gallery/gallery.h"

#include "base/os.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"
#include "web/cookie.h"
#include "web/form.h"

#include <stdio.h>
#include <string.h>

#define FIELDS_MAX   8
#define VOTER_DIGITS 32
#define VOTER_S      (365 * 24 * 3600)

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
        return err_set(err, ERR_INVALID, "A vote must be sent as a form (" FORM_TYPE ").");
    enum status status = form_parse(req->body, req->body_len, FIELDS_MAX, req->arena, &form, err);
    if (status == OK)
        status = form_get(&form, "q", &value, err);
    if (status != OK)
        return err_set(err, status == ERR_NO_MEMORY ? status : ERR_INVALID, "%s", err->message);
    size_t len = strlen(value);
    if (query_trim(&value, &len) != OK)
        return err_set(err, ERR_INVALID, "A vote needs a query of 1 to 255 characters.");
    out->query = arena_strndup(req->arena, value, len);
    if (!out->query)
        return err_no_memory(err, "a vote");
    static const char *const kinds[] = {"positive", "negative", "withdrawn"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds && !out->filename; i++)
        if (form_get(&form, kinds[i], &out->filename, err) == OK)
            out->as = kinds[i];
        else
            out->filename = NULL;
    if (!out->filename)
        return err_set(err, ERR_INVALID, "A vote needs a sticker as positive, negative or withdrawn.");
    status = filename_check(out->filename, err);
    if (status != OK)
        return status;
    if (form_get(&form, "page", &value, err) == OK && strlen(value) <= 4 &&
        strspn(value, "0123456789") == strlen(value))
        for (out->page = 0; *value; value++)
            out->page = out->page * 10 + (*value - '0');
    if (out->page < 1 || out->page > GALLERY_PAGE_LAST)
        out->page = 1;
    out->from_sticker = form_get(&form, "from", &value, err) == OK && strcmp(value, "sticker") == 0;
    return OK;
}

/* Whose vote it is: as the cookie says, or somebody new, who gets one. NULL without memory. */
static const char *find_voter(const struct sticker_service *s, struct gallery_visit *v)
{
    const char *voter = gallery_voter(s, v);
    if (voter)
        return voter;
    char id[VOTER_DIGITS + 1];
    unsigned char bytes[VOTER_DIGITS / 2];
    os_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", bytes[i]);
    struct buf cookie;
    buf_init(&cookie, 256);
    cookie_write(
        &cookie,
        &(struct cookie){
            .name = GALLERY_VOTER, .value = id, .path = "/", .max_age_s = VOTER_S, .secure = v->req->over_tls});
    http_header_add(v->res, "Set-Cookie", buf_str(&cookie));
    buf_free(&cookie);
    return receipts_person(s->receipts, id, false, v->req->arena);
}

static enum status count_ballot(struct sticker_service *s, struct gallery_visit *v, const struct ballot *b,
                                struct error *err)
{
    const char **failed;
    size_t n_failed = 0;
    struct feedback_entry entry = {
        .query = b->query, .voter = find_voter(s, v), .origin = receipts_origin(s->receipts, v->req->client)};
    if (!entry.voter)
        return err_no_memory(err, "a vote");
    if (strcmp(b->as, "positive") == 0)
        entry.positive = &b->filename, entry.n_positive = 1;
    else if (strcmp(b->as, "negative") == 0)
        entry.negative = &b->filename, entry.n_negative = 1;
    else
        entry.withdrawn = &b->filename, entry.n_withdrawn = 1;
    enum status status = sticker_store_feedback(s->store, &entry, 1, v->req->arena, &failed, &n_failed, err);
    return status == OK && n_failed ? err_set(err, ERR_NOT_FOUND, "There is no such sticker.") : status;
}

void handle_gallery_vote(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct ballot b;
    struct error err;
    struct gallery_visit v;
    gallery_visit(&v, req, res);
    enum status status = read_ballot(req, &b, &err);
    if (status == OK)
        status = count_ballot(s, &v, &b, &err);
    if (status != OK) {
        gallery_send_error(&v, &err, b.query);
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
