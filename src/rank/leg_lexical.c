/* leg_lexical.c: by terms: BM25 in the store. */
#include "rank/leg.h"

#include "rank/document_text.h"
#include "text/text.h"

static enum status search_terms(const struct rank_sources *s, const struct rank_query *q,
                                const struct term_query *terms, size_t limit, size_t offset, struct arena *a,
                                struct leg_hits *out, struct error *err)
{
    struct search_hit *hits;
    enum status st =
        search_store_lexical(s->store, terms, &q->filter, limit, offset, a, &hits, &out->n, &out->total, err);
    if (st != OK)
        return st;
    out->items = arena_array(a, out->n + 1, sizeof *out->items);
    if (!out->items)
        return err_no_memory(err, "%zu results", out->n);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = (struct ranked){.id = hits[i].id, .filename = hits[i].filename, .score = hits[i].score};
    return OK;
}

enum status leg_lexical_hits(const struct rank_sources *s, const struct rank_query *q, bool complete, size_t limit,
                             size_t offset, struct arena *a, struct leg_hits *out, struct error *err)
{
    struct term_query terms;
    const char *text = q->text;
    size_t len = q->text_len;
    *out = (struct leg_hits){0};
    enum status st = q->like ? document_text(q->like, a, &text, &len, err) : OK;
    if (st == OK)
        st = text_query(text, len, q->language, complete && !q->like, a, &terms, err);
    if (st != OK)
        return st;
    out->silent = terms.n_stems == 0;
    return search_terms(s, q, &terms, limit, offset, a, out, err);
}

static double lexical_trust(const struct rank_sources *s, const struct rank_query *q)
{
    (void)s, (void)q;
    return 1;
}

static enum status lexical_hits(const struct rank_sources *s, const struct rank_query *q, size_t limit, size_t offset,
                                struct arena *a, struct leg_hits *out, struct error *err)
{
    return leg_lexical_hits(s, q, true, limit, offset, a, out, err);
}

/* The query's last word shortened, until something begins like that; by half at most and to four bytes at least.
 * Words of one family begin alike: "abuelita", "Hündchen", "Geburtstagstorte", "mouthless". */
static enum status lexical_family(const struct rank_sources *s, const struct rank_query *q, size_t limit,
                                  struct arena *a, struct leg_hits *out, struct error *err)
{
    *out = (struct leg_hits){0};
    if (q->like)
        return OK;
    size_t begin = q->text_len, len = q->text_len;
    while (begin > 0 && q->text[begin - 1] != ' ')
        begin--;
    size_t least = (len - begin) / 2 > 4 ? (len - begin) / 2 : 4;
    enum status st = OK;
    while (st == OK && out->n == 0 && len > begin + least) {
        struct term_query terms;
        do
            len--;
        while (((unsigned char)q->text[len] & 0xc0) == 0x80); /* whole code points */
        if (len < begin + least)
            break;
        st = text_query(q->text, len, q->language, true, a, &terms, err);
        if (st == OK && terms.n_stems)
            st = search_terms(s, q, &terms, limit, 0, a, out, err);
    }
    return st;
}

const struct leg leg_lexical = {
    .name = "lexical",
    .trust = lexical_trust,
    .hits = lexical_hits,
    .fallback = lexical_family,
    .pages = true,
    .scale = LEG_SCALE_BEST,
};
