/* leg_lexical.c: by terms: BM25 in the index of the store. */
#include "rank/leg.h"

#include "base/utf8.h"
#include "rank/document_text.h"
#include "text/text.h"

#include <string.h>

#define LEAST_FAMILY 4u /* letters that words of one family have in common */

static enum status search_terms(const struct rank_sources *s, const struct rank_query *q,
                                const struct term_query *terms, size_t limit, size_t offset, struct arena *a,
                                struct leg_hits *out, struct error *err)
{
    struct search_hit *hits;
    enum status st = search_store_lexical(s->store, terms, q->passing, limit, offset, !q->fused, a, &hits, &out->n,
                                          &out->total, err);
    if (st != OK)
        return st;
    out->items = arena_room(a, out->n + 1, sizeof *out->items);
    if (!out->items)
        return err_no_memory(err, "%zu results", out->n);
    for (size_t i = 0; i < out->n; i++)
        out->items[i] = (struct ranked){.id = hits[i].id, .filename = hits[i].filename, .score = hits[i].score};
    return OK;
}

/* What the lexicon knows about a query in English: which places it is about, and which of its words are frequent. */
static enum status widen_terms(const struct rank_sources *s, const char *text, size_t len, bool complete,
                               struct arena *a, struct term_query *terms, struct error *err)
{
    const char *names = "";
    enum status st = meanings_names(s->words, text, len, a, &names, err);
    if (st == OK && *names) {
        text = arena_printf(a, "%s %.*s", names, (int)len, text);
        st = text ? text_query(text, strlen(text), terms->language, complete, s->forms, a, terms, err)
                  : err_no_memory(err, "a query");
    }
    struct term_trait *traits = st == OK ? arena_room(a, terms->n_stems + 1, sizeof *traits) : NULL;
    if (st == OK && !traits)
        st = err_no_memory(err, "a query");
    for (size_t i = 0; st == OK && i < terms->n_stems; i++) {
        traits[i] = terms->traits[i];
        if (traits[i].word)
            traits[i].most = meanings_most(s->words, traits[i].word);
    }
    if (st == OK)
        terms->traits = traits;
    return st;
}

enum status leg_lexical_terms(const struct rank_sources *s, const struct rank_query *q, bool complete, struct arena *a,
                              struct term_query *out, bool *expanded, struct error *err)
{
    size_t added = 0;
    const char *text = q->text;
    size_t len = q->text_len;
    enum status st = q->like ? document_text(q->like, a, &text, &len, err) : OK;
    if (st == OK)
        st = text_query(text, len, q->language, complete && !q->like, s->forms, a, out, err);
    if (st == OK && s->words && !q->like && q->language == LANGUAGE_en)
        st = widen_terms(s, text, len, complete, a, out, err);
    if (st == OK && s->synonyms && !q->like)
        st = synonyms_expand(s->synonyms, text, len, a, out, &added, err);
    *expanded = st == OK && added > 0;
    return st;
}

enum status leg_lexical_hits(const struct rank_sources *s, const struct rank_query *q, bool complete, size_t limit,
                             size_t offset, struct arena *a, struct leg_hits *out, struct error *err)
{
    struct term_query terms;
    *out = (struct leg_hits){0};
    enum status st = leg_lexical_terms(s, q, complete, a, &terms, &out->expanded, err);
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

/* The query's last word shortened, until something begins like that; by half at most and to four letters at least.
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
    size_t letters = utf8_count(q->text + begin, len - begin), least = (letters + 1) / 2;
    least = least > LEAST_FAMILY ? least : LEAST_FAMILY;
    enum status st = OK;
    while (st == OK && out->n == 0 && letters-- > least) {
        struct term_query terms;
        do
            len--;
        while (((unsigned char)q->text[len] & 0xc0) == 0x80); /* whole code points */
        st = text_query(q->text, len, q->language, true, s->forms, a, &terms, err);
        bool spaced = st == OK && terms.n_stems && !terms.traits[terms.n_stems - 1].run;
        terms.alone = true; /* what is left of a word may be another one elsewhere */
        if (spaced)
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
