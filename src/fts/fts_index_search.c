/* fts_index_search.c: from a query's terms to what the ranking needs to know of each document that has one. The
 * postings of one term after the other, of all segments, are written down, sorted by document, and told to the ranking.
 */
#include "fts/fts_index.h"

#include "base/deadline.h"

#include <stdlib.h>
#include <string.h>

#define ASK_EACH 65536u /* postings between two looks at the clock */

/* A term of the query in a document. */
struct note {
    int64_t id;
    uint16_t length, phrase, tf;
    bool preferred;
};
struct notes {
    struct note *items, *spare; /* [cap] */
    size_t n, cap, asked;       /* asked: the clock was looked at when there were as many */
    bool sorted;
};

static enum status no_memory(struct error *err)
{
    return err_no_memory(err, "the matches of a search");
}

static enum status too_late(struct error *err)
{
    return err_set(err, ERR_TIMEOUT, "the search took too long");
}

static bool reserve_notes(struct notes *all, size_t more)
{
    size_t need = all->n + more, cap = all->cap ? 2 * all->cap : 1024;
    if (all->items && need <= all->cap)
        return true;
    cap = cap > need ? cap : need;
    struct note *grown = reallocarray(all->items, cap, sizeof *grown);
    if (!grown)
        return false;
    all->items = grown;
    all->cap = cap;
    return true;
}

/* There is room for it. */
static inline void add_note(struct notes *all, const struct fts_segment *s, uint32_t slot, uint16_t phrase, uint32_t tf,
                            bool preferred)
{
    int64_t id = s->ids[slot];
    uint32_t words = s->words[slot];
    all->sorted = all->sorted && (all->n == 0 || all->items[all->n - 1].id <= id);
    all->items[all->n++] = (struct note){.id = id,
                                         .length = (uint16_t)(words < FTS_MAX_LENGTH ? words : FTS_MAX_LENGTH),
                                         .phrase = phrase,
                                         .tf = (uint16_t)(tf < FTS_MAX_TF ? tf : FTS_MAX_TF),
                                         .preferred = preferred};
}

/* --- the postings of a term --- */

/* What is looked for in all parts: a term or a prefix, and its number in the query. */
struct asked {
    const struct fts_rank *rank;
    const struct word_form *form; /* of another language; NULL: of any, or of English */
    uint16_t phrase;
    char term[FTS_MAX_TERM + 1];
    size_t len;
};

/* How a set of languages counts; it is mostly the one before. */
struct seen_set {
    uint32_t set;
    uint16_t tf; /* 0: none of them counts */
    bool preferred;
};

static void look_at_set(const struct asked *x, const struct fts_segment *s, uint32_t set, struct seen_set *out)
{
    *out = (struct seen_set){.set = set};
    if (set >= s->n_sets)
        return;
    struct language_set known = s->sets[set];
    bool titled = language_set_has(&known, FTS_SEGMENT_TITLED);
    unsigned n = 0;
    known.bits[FTS_SEGMENT_TITLED / 64] &= ~(1ull << FTS_SEGMENT_TITLED % 64);
    for (size_t i = 0; i < 3; i++) {
        known.bits[i] &= x->form ? x->form->in.bits[i] : UINT64_MAX;
        n += (unsigned)__builtin_popcountll(known.bits[i]);
    }
    out->preferred = language_set_has(&known, x->rank->q->language);
    out->tf = n ? (uint16_t)fts_form_tf(titled, out->preferred, n) : 0;
}

static bool add_term(const struct asked *x, const struct fts_part *part, struct notes *all)
{
    const struct fts_segment *s = part->segment;
    const uint64_t *dead = fts_dead_of(part);
    struct fts_entries e;
    struct seen_set seen = {.set = UINT32_MAX};
    bool sets = x->term[0] == 'l';
    fts_entries_seek(s, x->term, x->len, &e);
    if (!fts_entries_next(&e) || e.len != x->len || memcmp(e.term, x->term, x->len) != 0)
        return true;
    if (!reserve_notes(all, (size_t)(e.postings_end - e.postings))) /* a posting has a byte at least */
        return false;
    for (struct fts_postings p = fts_postings_of(&e); fts_postings_next(&p, s->n_docs);) {
        if (sets && p.value != seen.set)
            look_at_set(x, s, p.value, &seen);
        uint32_t tf = sets ? seen.tf : p.value;
        if (tf && !fts_is_dead(dead, p.slot))
            add_note(all, s, p.slot, x->phrase, tf, sets && seen.preferred);
    }
    return true;
}

/* All terms that begin so: which documents have one, each once, as bits. */
static bool add_prefix(const struct asked *x, const struct fts_part *part, struct notes *all)
{
    const struct fts_segment *s = part->segment;
    const uint64_t *dead = fts_dead_of(part);
    size_t n = s->n_docs / 64 + 1u, found = 0;
    uint64_t *any = NULL, *preferred = NULL;
    struct fts_entries e;
    struct seen_set seen = {.set = UINT32_MAX};
    bool ok = true, sets = x->term[0] == 'l';
    fts_entries_seek(s, x->term, x->len, &e);
    while (ok && fts_entries_next(&e) && e.len >= x->len && memcmp(e.term, x->term, x->len) == 0) {
        if (!any) {
            ok = (any = calloc(2 * n, sizeof *any)) != NULL;
            preferred = any + n;
        }
        for (struct fts_postings p = fts_postings_of(&e); ok && fts_postings_next(&p, s->n_docs);) {
            if (sets && p.value != seen.set)
                look_at_set(x, s, p.value, &seen);
            any[p.slot / 64] |= (uint64_t)(!sets || seen.tf) << p.slot % 64;
            preferred[p.slot / 64] |= (uint64_t)(sets && seen.preferred) << p.slot % 64;
        }
    }
    for (size_t i = 0; any && i < n; i++)
        found += (size_t)__builtin_popcountll(any[i]);
    ok = ok && reserve_notes(all, found);
    for (size_t i = 0; any && ok && i < n; i++)
        for (uint64_t bits = any[i]; bits; bits &= bits - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(bits);
            uint32_t slot = (uint32_t)(64 * i) + bit;
            if (!fts_is_dead(dead, slot))
                add_note(all, s, slot, x->phrase, 1, preferred[i] >> bit & 1);
        }
    free(any);
    return ok;
}

static enum status look_up(const struct fts_view *v, const char *term, char kind, bool prefix, struct asked *x,
                           struct notes *all, struct error *err)
{
    bool ok = true;
    x->len = fts_spell(term, kind, x->term);
    for (size_t i = 0; i < v->n && x->len && ok; i++)
        ok = prefix ? add_prefix(x, &v->parts[i], all) : add_term(x, &v->parts[i], all);
    if (ok && all->n - all->asked > ASK_EACH) {
        all->asked = all->n;
        if (deadline_passed())
            return too_late(err);
    }
    return ok ? OK : no_memory(err);
}

/* --- by document --- */

/* Stable: by the bytes of the ids, the lowest first (radix sort). */
static bool sort_notes(struct notes *all)
{
    int64_t most = 0;
    struct note *from = all->items, *to = reallocarray(NULL, all->n + 1, sizeof *to);
    if (!to)
        return false;
    all->spare = to;
    for (size_t i = 0; i < all->n; i++)
        most |= from[i].id;
    for (unsigned shift = 0; shift < 64 && (uint64_t)most >> shift; shift += 8) {
        size_t starts[257] = {0};
        for (size_t i = 0; i < all->n; i++)
            starts[((uint64_t)from[i].id >> shift & 255) + 1]++;
        for (size_t i = 0; i < 256; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < all->n; i++)
            to[starts[(uint64_t)from[i].id >> shift & 255]++] = from[i];
        struct note *other = from;
        from = to;
        to = other;
    }
    all->items = from;
    all->spare = to;
    return true;
}

/* Tells the ranking of what was found, document by document, and begins anew. */
static enum status tell(struct notes *all, const struct label_test *passing, struct fts_collector *into,
                        struct error *err)
{
    if (deadline_passed())
        return too_late(err);
    if (!all->sorted && !sort_notes(all))
        return no_memory(err);
    bool ok = fts_collect_reserve(into, all->n, all->n);
    for (size_t i = 0, next; i < all->n && ok; i = next) {
        const struct note *first = &all->items[i];
        bool passes = !passing || label_passes(passing, first->id);
        for (next = i; next < all->n && all->items[next].id == first->id; next++) {
            const struct note *note = &all->items[next];
            if (passes && ok)
                ok = fts_collect_note(into, note->phrase, note->tf, note->preferred);
        }
        if (passes && ok)
            ok = fts_collect_match(into, first->id, first->length);
    }
    free(all->spare);
    free(all->items);
    *all = (struct notes){.sorted = true};
    return ok ? OK : no_memory(err);
}

static enum status check_size(const struct fts_rank *r, struct error *err)
{
    size_t bytes = r->prefix ? strlen(r->prefix) : 0;
    for (size_t i = 0; i < r->n_asked; i++)
        bytes += strlen(r->q->stems[r->asked[i]]);
    for (size_t i = 0; i < r->n_forms; i++)
        bytes += strlen(r->q->forms[i].stem);
    return bytes <= FTS_MAX_ASKED
               ? OK
               : err_set(err, ERR_TOO_LARGE, "the query's terms have %zu bytes, at most %d are looked for", bytes,
                         FTS_MAX_ASKED);
}

static enum status collect(const struct fts_view *v, const struct label_test *passing, struct fts_rank *r,
                           struct error *err)
{
    struct notes all = {.sorted = true};
    struct asked x = {.rank = r};
    enum status st = check_size(r, err);
    for (size_t i = 0; i < r->n_asked && st == OK; i++) {
        x.phrase = (uint16_t)r->asked[i];
        st = look_up(v, r->q->stems[r->asked[i]], 's', false, &x, &all, err);
    }
    x.phrase = (uint16_t)r->n_stems;
    if (st == OK && r->prefix)
        st = look_up(v, r->prefix, 'f', true, &x, &all, err);
    if (st == OK)
        st = tell(&all, passing, &r->words, err);
    for (size_t i = 0; i < r->n_forms && st == OK; i++) {
        x.phrase = (uint16_t)i;
        x.form = &r->q->forms[i];
        st = look_up(v, x.form->stem, 'l', false, &x, &all, err);
    }
    x.phrase = (uint16_t)r->n_forms;
    x.form = NULL;
    if (st == OK && r->form_prefix)
        st = look_up(v, r->form_prefix, 'l', true, &x, &all, err);
    if (st == OK)
        st = tell(&all, passing, &r->languages, err);
    free(all.spare);
    free(all.items);
    return st;
}

/* --- the page --- */

struct naming {
    fts_names *names;
    void *ctx;
};

/* "" for documents that are gone. */
static enum status name_all(void *ctx, const int64_t *ids, size_t n, struct arena *a, const char **out,
                            struct error *err)
{
    const struct naming *naming = ctx;
    enum status st = naming->names(naming->ctx, ids, n, a, out, err);
    for (size_t i = 0; i < n && st == OK; i++)
        out[i] = out[i] ? out[i] : "";
    return st;
}

static void leave_out_nameless(struct fts_hit *hits, size_t *n, int64_t *total)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!hits[i].filename || *hits[i].filename)
            hits[kept++] = hits[i];
    *total -= (int64_t)(*n - kept);
    *n = kept;
}

enum status fts_index_search(struct fts_index *ix, const struct term_query *q, const struct label_test *passing,
                             size_t limit, size_t offset, fts_names *names, void *ctx, struct arena *a,
                             struct fts_hit **hits, size_t *n, int64_t *total, struct error *err)
{
    struct fts_rank r;
    struct fts_view *v = fts_view_hold(ix);
    *hits = NULL;
    *n = 0;
    *total = 0;
    fts_rank_begin(&r, q);
    r.totals = fts_totals_of(v->documents, v->words);
    enum status st = collect(v, passing, &r, err);
    fts_view_drop(v);
    if (st == OK)
        st = fts_rank_score(&r, err);
    if (st == OK)
        st = fts_rank_page(&r, limit, offset, names ? name_all : NULL, &(struct naming){names, ctx}, a, hits, n, err);
    if (st == OK)
        *total = (int64_t)r.n;
    leave_out_nameless(*hits, n, total);
    fts_rank_end(&r);
    return st;
}
