/* served.c: what is kept of an answer is its text, the draft of its receipts, the draft's length and the outcome. */
#include "sticker_service/served.h"

#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

#define TRAILER 3u  /* bytes behind the text and the draft: the draft's length, and the outcome */
#define CHARGED 64u /* characters of a query that count as one more request for the rate limit: they are more work */
#define KEY_MAX (512u + FIND_TRIAL_KEY + STICKER_FILTER_PACK_MAX + 1024)

static enum status write_kept(const struct find_query *query, const struct served_form *form,
                              const struct find_answer *answer, struct arena *arena, struct buf *out, struct error *err)
{
    form->write(form, query, answer, out);
    size_t began = out->len;
    enum status status = find_draft(query, answer, arena, out, err);
    if (status != OK)
        return status;
    size_t len = out->len - began;
    buf_putc(out, (char)(len & 255));
    buf_putc(out, (char)(len >> 8));
    buf_putc(out, (char)find_outcome(answer));
    return buf_status(out, err);
}

/* The text as it is sent, with one receipt wherever it belongs. */
static enum status write_with_receipt(struct sticker_service *s, const struct buf *kept, struct buf *out,
                                      struct error *err)
{
    const unsigned char *last = (const unsigned char *)kept->data + kept->len;
    size_t draft = last[-3] | (size_t)last[-2] << 8;
    const char *at = kept->data, *end = kept->data + kept->len - TRAILER - draft;
    struct buf receipt;
    buf_init(&receipt, RECEIPT_MAX + 1);
    buf_reserve(out, kept->len + kept->len / 4);
    receipts_sign(s->receipts, end, draft, &receipt);
    for (const char *mark; (mark = memchr(at, SERVED_RECEIPT, (size_t)(end - at))); at = mark + 1) {
        buf_append(out, at, (size_t)(mark - at));
        buf_append(out, receipt.data, receipt.len);
    }
    buf_append(out, at, (size_t)(end - at));
    enum status status = buf_status(&receipt, err);
    buf_free(&receipt);
    return status == OK ? buf_status(out, err) : status;
}

static void write_key(const struct find_query *query, const struct served_form *form, char key[KEY_MAX])
{
    const struct sticker_filter *f = &query->filter;
    const char *pack = f->pack ? f->pack : "", *lang = form->sticker.lang;
    char trial[FIND_TRIAL_KEY];
    snprintf(key, KEY_MAX, "%c %s %s %x %zu %zu %s %s %d %d %zu %s %s", form->key, find_trial_key(&query->trial, trial),
             form->sticker.origin, (unsigned)form->sticker.members, query->limit, query->offset,
             query->lang ? query->lang : "", lang ? lang : "", (int)f->rating_most, (int)f->animated, strlen(pack),
             pack, query->text);
}

enum status served_search(struct sticker_service *s, const struct http_request *req, const struct find_query *asked,
                          const struct served_form *form, bool *refused, struct buf *out, struct error *err)
{
    struct find_query query = *asked;
    struct find_answer answer;
    struct buf kept;
    char key[KEY_MAX];
    *refused = !http_charge(req, (unsigned)utf8_count(query.text, strlen(query.text)) / CHARGED);
    if (*refused)
        return OK;
    find_choose_trial(s, req, &query);
    write_key(&query, form, key);
    buf_init(&kept, SERVED_MAX);
    unsigned cleared = answers_cleared(s->answers);
    enum status status = OK;
    if (!answers_get(s->answers, key, &kept)) {
        usage_expect(s->usage, query.text);
        status = find_stickers(s, req, &query, &answer, err);
        if (status == OK && !form->untitled)
            status = sticker_localise(s, answer.results, answer.n, form->sticker.lang, req->arena, err);
        if (status == OK)
            status = write_kept(&query, form, &answer, req->arena, &kept, err);
        if (status == OK && !answer.degraded)
            answers_put(s->answers, key, kept.data, kept.len, cleared);
    }
    if (status == OK)
        status = write_with_receipt(s, &kept, out, err);
    if (status == OK)
        usage_count(s->usage, query.text, (enum usage_outcome)kept.data[kept.len - 1],
                    receipts_client(s->receipts, req->client));
    buf_free(&kept);
    return status;
}
