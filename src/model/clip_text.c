/* The text tower. Its causal mask means that a row never sees what comes after it: rows past the end
 * token are not computed, and the start token's keys and values are the same in every text. */
#include "model/clip_internal.h"

#include <assert.h>
#include <string.h>

static size_t end_of_text(const struct clip_config *c, const int32_t *ids, size_t n)
{
    size_t at = 0;
    if (c->end_id == CLIP_END_HIGHEST) {
        for (size_t i = 1; i < n; i++)
            if (ids[i] > ids[at])
                at = i;
        return at;
    }
    for (size_t i = 0; i < n; i++)
        if (ids[i] == c->end_id)
            return i;
    return 0; /* as transformers has it */
}

static void embed(const struct clip *m, int32_t id, size_t position, float *out)
{
    size_t width = m->text.width;
    const float *place = m->positions + position * width;
    if (m->precision == CLIP_FP32) {
        const float *row = (const float *)m->tokens + (size_t)id * width;
        for (size_t i = 0; i < width; i++)
            out[i] = row[i] + place[i];
    } else {
        const uint16_t *row = (const uint16_t *)m->tokens + (size_t)id * width;
        for (size_t i = 0; i < width; i++) {
            uint32_t bits = (uint32_t)row[i] << 16;
            float f;
            memcpy(&f, &bits, sizeof f);
            out[i] = f + place[i];
        }
    }
}

enum status clip_encode_ids(const struct clip *m, const int32_t *ids, size_t n, float *out, struct error *err)
{
    const struct tower *t = &m->text;
    if (n < 1 || n > m->config.context)
        return err_set(err, ERR_INVALID, "text of %zu tokens: expected 1 to %zu", n, m->config.context);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= m->config.vocab)
            return err_set(err, ERR_INVALID, "token %d at %zu: expected 0 to %zu", ids[i], i, m->config.vocab - 1);
    size_t end = end_of_text(&m->config, ids, n);
    size_t past = end > 0 && ids[0] == m->start_id ? 1 : 0, rows = end + 1 - past;
    struct scratch s;
    enum status st = scratch_open(t, NULL, 1, rows, rows + past, 0, &s, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < rows; i++)
        embed(m, ids[past + i], past + i, s.x + i * t->width);
    /* On the calling thread alone: a text takes a millisecond, less than it may wait for a pool that encodes
     * images, and texts come from many threads at once. */
    struct run run = {.causal = true, .past = past ? m->start_kv : NULL, .keep = rows - 1};
    tower_run(t, &run, &s);
    t->k->layer_norm(s.kept, t->width, m->text_norm.gain, m->text_norm.bias, t->epsilon, s.kept);
    linear(t->k, NULL, &m->text_project, s.kept, t->width, 1, s.packed, ACT_NONE, false, out, m->config.dim);
    scratch_close(&s);
    return OK;
}

enum status clip_set_start(struct clip *m, int32_t id, struct error *err)
{
    assert(id >= 0 && (size_t)id < m->config.vocab);
    struct scratch s;
    enum status st = scratch_open(&m->text, NULL, 1, 1, 1, 0, &s, err);
    if (st != OK)
        return st;
    embed(m, id, 0, s.x);
    tower_run(&m->text, &(struct run){.causal = true, .capture = m->start_kv}, &s);
    m->start_id = id;
    scratch_close(&s);
    return OK;
}
