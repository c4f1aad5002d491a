#include "sticker_service/export.h"
#include "base/csv.h"

#include "base/json_out.h"
#include "base/os.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS  500u
#define PAGE_BYTES (4u << 20) /* 500 rows of the longest query and filename, every byte escaped, fit */

struct feedback_export {
    struct sticker_store *store;
    enum export_format format;
    int64_t since_us;
    char after_query[1024]; /* 255 code points at most; the last row that was written */
    char after_sticker[40]; /* its id */
    struct arena arena;     /* one page of rows */
    struct buf text;        /* that page, written out */
    size_t sent;            /* bytes of text already handed over */
    bool ended;
};

enum status export_format_parse(const char *s, enum export_format *out, struct error *err)
{
    if (strcmp(s, "csv") == 0)
        *out = EXPORT_CSV;
    else if (strcmp(s, "ndjson") == 0)
        *out = EXPORT_NDJSON;
    else
        return err_set(err, ERR_INVALID, "format must be csv or ndjson");
    return OK;
}

const char *export_mime(enum export_format f)
{
    return f == EXPORT_CSV ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";
}

const char *export_extension(enum export_format f)
{
    return f == EXPORT_CSV ? "csv" : "ndjson";
}

enum status feedback_export_open(struct sticker_store *store, enum export_format format, int64_t since_us,
                                 struct feedback_export **out, struct error *err)
{
    struct feedback_export *x = *out = calloc(1, sizeof *x);
    if (!x)
        return err_no_memory(err, "an export");
    x->store = store;
    x->format = format;
    x->since_us = since_us;
    arena_init(&x->arena, PAGE_BYTES);
    buf_init(&x->text, PAGE_BYTES);
    if (format == EXPORT_CSV)
        buf_puts(&x->text, "query,usage,sticker,positives,negatives,created,modified\r\n");
    return OK;
}

void feedback_export_close(struct feedback_export *x)
{
    if (!x)
        return;
    arena_free(&x->arena);
    buf_free(&x->text);
    free(x);
}

static void feedback_put_row(struct feedback_export *x, const struct score_row *r)
{
    struct buf *out = &x->text;
    char created[28], modified[28];
    os_format_time(r->created_us, created);
    os_format_time(r->modified_us, modified);
    if (x->format == EXPORT_CSV) {
        csv_put_cell(out, r->query);
        buf_printf(out, ",%lld,", (long long)r->usage);
        csv_put_cell(out, r->sticker);
        buf_printf(out, ",%lld,%lld,%s,%s\r\n", (long long)r->positives, (long long)r->negatives, created, modified);
    } else {
        buf_puts(out, "{\"query\":");
        json_put_string(out, r->query);
        buf_printf(out, ",\"usage\":%lld,\"sticker\":", (long long)r->usage);
        json_put_string(out, r->sticker);
        buf_printf(out, ",\"positives\":%lld,\"negatives\":%lld,\"created\":\"%s\",\"modified\":\"%s\"}\n",
                   (long long)r->positives, (long long)r->negatives, created, modified);
    }
}

/* Puts the next page into x->text. */
static enum status feedback_next_page(struct feedback_export *x, struct error *err)
{
    struct score_row *rows;
    size_t n;
    arena_reset(&x->arena);
    enum status status = sticker_store_export(x->store, x->since_us, x->after_query, x->after_sticker, PAGE_ROWS,
                                              &x->arena, &rows, &n, err);
    if (status != OK)
        return status;
    x->ended = n < PAGE_ROWS;
    for (size_t i = 0; i < n; i++)
        feedback_put_row(x, &rows[i]);
    if (n) {
        const struct score_row *last = &rows[n - 1];
        size_t query = strlen(last->query) + 1, sticker = strlen(last->sticker_id) + 1;
        if (query > sizeof x->after_query || sticker > sizeof x->after_sticker)
            return err_set(err, ERR_CORRUPT,
                           "the store holds a query or the id of a sticker that is longer than is allowed");
        memcpy(x->after_query, last->query, query);
        memcpy(x->after_sticker, last->sticker_id, sticker);
    }
    return buf_status(&x->text, err);
}

ssize_t feedback_export_read(struct feedback_export *x, char *out, size_t cap, struct error *err)
{
    if (x->sent == x->text.len) {
        x->sent = 0;
        if (x->text.len)
            buf_reset(&x->text);
        if (!x->ended && feedback_next_page(x, err) != OK)
            return -1;
    }
    size_t n = x->text.len - x->sent;
    n = n < cap ? n : cap;
    if (n)
        memcpy(out, x->text.data + x->sent, n);
    x->sent += n;
    return (ssize_t)n;
}
