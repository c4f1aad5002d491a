#include "sticker_service/find_pins.h"

#include <string.h>

static const struct pin *pin_of(const struct pin *pins, size_t n, const char *filename)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(pins[i].sticker, filename) == 0)
            return &pins[i];
    return NULL;
}

void find_leave_out(struct find_hit *hits, size_t *n, const struct pin *pins, size_t n_pins)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!pin_of(pins, n_pins, hits[i].filename))
            hits[kept++] = hits[i];
    *n = kept;
}

/* What a pinned sticker says of itself: its own score, where the search found it. */
static struct find_hit pinned_hit(const struct pin *pin, const struct find_hit *hits, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(hits[i].filename, pin->sticker) == 0)
            return (struct find_hit){pin->sticker, hits[i].score, hits[i].confidence, true, TEAM_NONE};
    return (struct find_hit){pin->sticker, 0, 0, true, TEAM_NONE};
}

enum status find_arrange(const struct find_hit *hits, size_t n, int64_t total, const struct pin *pins, size_t n_pins,
                         size_t offset, size_t limit, struct arena *a, struct find_arranged *out, struct error *err)
{
    struct find_hit *rest = arena_array(a, n + 1, sizeof *rest);
    size_t n_rest = n, next = 0, from = 0;
    *out = (struct find_arranged){.hits = arena_array(a, limit + 1, sizeof *out->hits)};
    if (!rest || !out->hits)
        return err_no_memory(err, "%zu results", n);
    if (n)
        memcpy(rest, hits, n * sizeof *rest);
    find_leave_out(rest, &n_rest, pins, n_pins);
    while (out->pinned < n_pins && pins[out->pinned].position)
        out->pinned++;
    out->removed = n - n_rest;
    out->total = total - (int64_t)out->removed + (int64_t)out->pinned;
    for (size_t at = 0; at < offset + limit; at++) {
        struct find_hit hit;
        if (next < out->pinned && (pins[next].position <= at + 1 || from == n_rest))
            hit = pinned_hit(&pins[next++], hits, n);
        else if (from < n_rest)
            hit = rest[from++];
        else
            break;
        if (at >= offset)
            out->hits[out->n++] = hit;
    }
    out->short_of = out->n < limit && total > (int64_t)n;
    return OK;
}
