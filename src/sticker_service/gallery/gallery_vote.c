/* A vote without scripts: a form, answered by a redirect to the page it came from. */
#include "sticker_service/gallery/gallery.h"

#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"
#include "web/form.h"

#include <string.h>

#define FIELDS_MAX 8

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
        return err_no_memory(err, "a vote");
    out->as = form_get(&form, "positive", &out->filename, err) == OK ? "positive" : "negative";
    if (!out->filename && form_get(&form, "negative", &out->filename, err) != OK)
        return err_set(err, ERR_INVALID, "A vote names a sticker as positive or as negative.");
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

void handle_gallery_vote(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct ballot b;
    struct error err;
    const char *site = http_header(req, "Sec-Fetch-Site");
    if (site && strcmp(site, "cross-site") == 0) {
        gallery_send_message(res, 403, "", "Not counted", "Votes come from our own pages.");
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
        gallery_send_error(res, &err, b.query);
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
