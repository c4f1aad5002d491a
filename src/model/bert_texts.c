/* bert_texts.c: texts -> vectors. The texts of a group go through the network together, so that the weights are read
 * once for all of them: that is how thousands of keywords are encoded. Threads of the pool take a share of the texts
 * each. */
#include "model/bert_internal.h"

#include <stdlib.h>
#include <string.h>

/* Rows of a group, unless one text alone has more: enough for reading the weights to cost little, few enough for what
 * lies between two products to stay in the second-level cache. */
#define GROUP_ROWS 64
#define SHARE      32 /* texts */

struct share {
    enum status st;
    struct error err;
};

struct batch {
    const struct bert *m;
    const struct tokenizer *tokenizer;
    const char *prefix;
    const char *const *texts;
    const size_t *lens;
    size_t n;
    float *out;
    struct share *shares;
};

/* Texts that were tokenised and not yet encoded. */
struct group {
    int32_t *ids; /* [GROUP_ROWS + max_tokens] */
    size_t lens[SHARE], n, rows;
};

/* Appends text i behind the prefix. */
static enum status group_add(struct group *g, const struct batch *b, size_t i, struct error *err)
{
    size_t before = strlen(b->prefix), len = encoder_text_bytes(b->texts[i], b->lens[i]);
    char *whole = before ? malloc(before + len) : NULL;
    if (before && !whole)
        return err_no_memory(err, "a text of %zu bytes", len);
    if (before) {
        memcpy(whole, b->prefix, before);
        memcpy(whole + before, b->texts[i], len);
    }
    const char *text = before ? whole : b->texts[i];
    enum status st = tokenizer_encode(b->tokenizer, text, encoder_text_bytes(text, before + len),
                                      b->m->config.max_tokens, g->ids + g->rows, &g->lens[g->n], err);
    free(whole);
    if (st == OK)
        g->rows += g->lens[g->n++];
    return st;
}

/* Encodes the first n texts of the group, to `out`, and takes them out of it. */
static enum status group_encode(struct group *g, const struct batch *b, size_t n, float *out, struct error *err)
{
    size_t rows = 0;
    for (size_t i = 0; i < n; i++)
        rows += g->lens[i];
    enum status st = bert_encode_group(b->m, g->ids, g->lens, n, NULL, out, err);
    g->n -= n;
    g->rows -= rows;
    memmove(g->ids, g->ids + rows, g->rows * sizeof *g->ids);
    memmove(g->lens, g->lens + n, g->n * sizeof *g->lens);
    return st;
}

static enum status encode_share(const struct batch *b, size_t first, size_t last, struct error *err)
{
    struct group g = {.ids = malloc((GROUP_ROWS + b->m->config.max_tokens) * sizeof *g.ids)};
    size_t dim = b->m->base.dim, done = first;
    enum status st = g.ids ? OK : err_no_memory(err, "%zu tokens", b->m->config.max_tokens);
    for (size_t i = first; st == OK && i < last; i++) {
        st = group_add(&g, b, i, err);
        if (st != OK && b->n > 1 && err)
            err_prefix(err, "text %zu", i);
        bool full = g.rows > GROUP_ROWS && g.n > 1;
        if (st == OK && full) { /* all but the one that does not fit any more */
            st = group_encode(&g, b, g.n - 1, b->out + done * dim, err);
            done = i;
        }
        if (st == OK && (g.rows >= GROUP_ROWS || i + 1 == last)) {
            st = group_encode(&g, b, g.n, b->out + done * dim, err);
            done = i + 1;
        }
    }
    free(g.ids);
    return st;
}

static void run_share(void *arg, size_t i)
{
    const struct batch *b = arg;
    size_t first = i * SHARE, last = first + SHARE < b->n ? first + SHARE : b->n;
    b->shares[i].st = encode_share(b, first, last, &b->shares[i].err);
}

enum status bert_encode_texts(const struct bert *m, const struct tokenizer *tokenizer, enum encoder_role role,
                              const char *const *texts, const size_t *lens, size_t n, float *out, struct error *err)
{
    struct batch b = {m, tokenizer, m->config.prefix[role], texts, lens, n, out, NULL};
    size_t n_shares = (n + SHARE - 1) / SHARE;
    if (n_shares == 1)
        return encode_share(&b, 0, n, err);
    b.shares = n ? malloc(n_shares * sizeof *b.shares) : NULL;
    if (n && !b.shares)
        return err_no_memory(err, "a batch of %zu texts", n);
    pool_for(m->pool, n_shares, run_share, &b);
    enum status st = OK;
    for (size_t i = 0; st == OK && i < n_shares; i++)
        if (b.shares[i].st != OK)
            st = err_set(err, b.shares[i].st, "%s", b.shares[i].err.message);
    free(b.shares);
    return st;
}
