/* fts_rank.c: ranked search over words in English and in the other languages.
 *
 * The score of a document is a sum over the query's words. A word counts by the best of what it matches:
 *
 *     idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average length))
 *     idf = ln(1 + (N - n + 0.5) / (n + 0.5))         (Robertson & Zaragoza 2009; the 1 keeps it positive)
 *
 * where tf counts 3 in the title, 2 in the words, 1 in the filename, n is how many documents have the word
 * in the preferred language or in any, and length is that of the English words, whatever the language: a list of
 * 130 languages would otherwise be long, and every word in it light. A match in a language that is not the
 * preferred one counts OTHERS_SHARE; a word that is only the beginning of one of the document's counts
 * PREFIX_SHARE of what the whole word in a filename would, and nothing beside the whole word. Document lengths
 * are bounded so that it never outweighs a whole word elsewhere. */
#include "fts/fts_rank.h"

#include "base/select.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double K1 = 1.2, B = 0.75, PREFIX_SHARE = 0.2, OTHERS_SHARE = 0.3, MAX_RELATIVE_LENGTH = 5;
static const double LETTERS_SHARE = 0.1, RUN_SHARE = 0.6;

/* --- what was found --- */

static bool reserve(void **items, size_t need, size_t *cap, size_t size)
{
    size_t more = *cap ? *cap * 2 : 256;
    if (need <= *cap)
        return true;
    more = more > need ? more : need;
    void *grown = reallocarray(*items, more, size);
    if (!grown)
        return false;
    *items = grown;
    *cap = more;
    return true;
}

bool fts_collect_reserve(struct fts_collector *k, size_t notes, size_t matches)
{
    void *all_notes = k->notes, *all_matches = k->matches;
    bool ok = reserve(&all_notes, k->n_notes + notes, &k->cap_notes, sizeof *k->notes) &&
              reserve(&all_matches, k->n_matches + matches, &k->cap_matches, sizeof *k->matches);
    k->notes = all_notes;
    k->matches = all_matches;
    return ok;
}

/* Of a language nobody named, the one that most agree with is the likeliest. */
double fts_form_tf(bool titled, bool preferred, unsigned known)
{
    return (titled ? FTS_WEIGHT_TITLE + FTS_WEIGHT_WORDS : FTS_WEIGHT_WORDS) + (preferred ? 0 : (double)known - 1);
}

struct fts_totals fts_totals_of(int64_t documents, int64_t words)
{
    return (struct fts_totals){.documents = (double)documents,
                               .average_length = words > 0 && documents > 0 ? (double)words / (double)documents : 1};
}

static int64_t count_words(const char *s)
{
    int64_t n = 0;
    for (bool inside = false; *s; s++) {
        n += *s != ' ' && !inside;
        inside = *s != ' ';
    }
    return n;
}

int64_t fts_length(const struct sticker_terms *terms, int64_t *all)
{
    *all = count_words(terms->title) + count_words(terms->words) + count_words(terms->filename);
    return *all < FTS_MAX_LENGTH ? *all : FTS_MAX_LENGTH;
}

static const struct term_trait *trait(const struct fts_rank *r, size_t word)
{
    static const struct term_trait none;
    return r->q->traits && word < r->n_stems ? &r->q->traits[word] : &none;
}

void fts_rank_begin(struct fts_rank *r, const struct term_query *q)
{
    *r = (struct fts_rank){.q = q, .totals = {0, 1}};
    r->prefix = q->prefix && *q->prefix && q->n_stems <= FTS_MAX_TERMS ? q->prefix : NULL;
    r->form_prefix = q->prefix_in_all ? r->prefix : NULL;
    r->n_stems = q->n_stems < FTS_MAX_TERMS ? q->n_stems : FTS_MAX_TERMS;
    for (size_t i = 0; i < r->n_stems; i++)
        if (q->stems[i])
            r->asked[r->n_asked++] = (int)i;
    for (size_t i = 0; i < r->n_stems; i++)
        r->runs = r->runs || trait(r, i)->run;
    while (r->n_forms < q->n_forms && r->n_forms < FTS_MAX_FORMS && q->forms[r->n_forms].word < r->n_stems)
        r->n_forms++;
}

void fts_rank_end(struct fts_rank *r)
{
    free(r->words.matches);
    free(r->words.notes);
    free(r->languages.matches);
    free(r->languages.notes);
    free(r->found);
}

/* --- scores --- */

struct fts_scored {
    int64_t id;
    double score;
};

static double idf(const struct fts_rank *r, double n)
{
    return log(1 + fmax(r->totals.documents - n + 0.5, 0) / (n + 0.5));
}

/* The place of a form's word; of the prefix, the last word's. */
static size_t place(const struct fts_rank *r, const struct fts_note *note)
{
    if ((size_t)note->phrase < r->n_forms)
        return r->q->forms[note->phrase].word;
    return r->n_stems ? r->n_stems - 1 : 0;
}

/* What a word's rarity among the documents is worth, given what else is known of it. */
static double worth(const struct fts_rank *r, size_t word, double idf)
{
    const struct term_trait *t = trait(r, word);
    if (t->most > 0)
        idf = fmin(idf, t->most);
    if (t->share > 0)
        idf *= t->share;
    return t->sign && !t->drawn && r->drawn[t->sign] ? LETTERS_SHARE * idf : idf;
}

/* Which signs are found as a whole. */
static void note_drawn(struct fts_rank *r)
{
    for (int pass = 0; pass < 2; pass++) {
        const struct fts_collector *k = pass ? &r->languages : &r->words;
        for (size_t i = 0; i < k->n_notes; i++) {
            size_t phrase = (size_t)k->notes[i].phrase, end = pass ? r->n_forms : r->n_stems;
            const struct term_trait *t = trait(r, pass ? place(r, &k->notes[i]) : phrase);
            if (phrase < end && t->drawn)
                r->drawn[t->sign] = true;
        }
    }
}

/* What nobody typed counts less than what somebody did, however rare it is. */
static void bound_synonyms(const struct fts_rank *r, double *idf)
{
    double best = 0;
    for (size_t i = 0; i < r->n_stems; i++)
        if (trait(r, i)->share <= 0)
            best = fmax(best, idf[i]);
    for (size_t i = 0; i < r->n_stems && best > 0; i++)
        if (trait(r, i)->share > 0)
            idf[i] = fmin(idf[i], trait(r, i)->share * best);
}

static void weigh_words(struct fts_rank *r)
{
    double count[FTS_MAX_TERMS + 1] = {0};
    for (size_t i = 0; i < r->words.n_notes; i++)
        count[r->words.notes[i].phrase]++;
    for (size_t i = 0; i <= r->n_stems; i++)
        r->word_idf[i] = worth(r, i, idf(r, count[i]));
    bound_synonyms(r, r->word_idf);
    r->prefix_idf = r->word_idf[r->n_stems];
    if (r->n_stems)
        r->prefix_idf = fmin(r->prefix_idf, r->word_idf[r->n_stems - 1]);
}

/* A document counts once for a word, in however many languages and forms it has it. */
static void weigh_languages(struct fts_rank *r)
{
    double others[FTS_MAX_TERMS + 1] = {0}, preferred[FTS_MAX_TERMS + 1] = {0}, prefix = 0;
    size_t seen[FTS_MAX_TERMS + 1] = {0}, seen_preferred[FTS_MAX_TERMS + 1] = {0};
    for (size_t i = 0; i < r->languages.n_notes; i++) {
        const struct fts_note *note = &r->languages.notes[i];
        size_t at = place(r, note);
        if ((size_t)note->phrase == r->n_forms) {
            prefix++;
            continue;
        }
        if (seen[at] != note->match + 1)
            others[at]++;
        seen[at] = note->match + 1;
        if (note->preferred && seen_preferred[at] != note->match + 1) {
            preferred[at]++;
            seen_preferred[at] = note->match + 1;
        }
    }
    for (size_t i = 0; i <= r->n_stems; i++) {
        r->other_idf[i] = worth(r, i, idf(r, others[i]));
        r->preferred_idf[i] = worth(r, i, idf(r, preferred[i]));
    }
    bound_synonyms(r, r->other_idf);
    bound_synonyms(r, r->preferred_idf);
    r->other_prefix_idf = fmin(idf(r, prefix), r->other_idf[r->n_stems ? r->n_stems - 1 : 0]);
}

static double part(const struct fts_rank *r, double weight, double tf, double length)
{
    double relative = length / r->totals.average_length;
    relative = relative < MAX_RELATIVE_LENGTH ? relative : MAX_RELATIVE_LENGTH;
    return weight * tf * (K1 + 1) / (tf + K1 * (1 - B + B * relative));
}

static double others_share(const struct fts_rank *r)
{
    return r->q->alone ? 0 : OTHERS_SHARE;
}

static void rank_add_word(const struct fts_rank *r, const struct fts_note *note, double length, double *best)
{
    bool prefix = (size_t)note->phrase == r->n_stems;
    size_t at = prefix && r->n_stems ? r->n_stems - 1 : (size_t)note->phrase;
    double share = r->q->language == LANGUAGE_en ? 1 : others_share(r);
    double gain = prefix ? PREFIX_SHARE * part(r, r->prefix_idf, 1, length)
                         : part(r, r->word_idf[note->phrase], note->tf, length);
    if (share * gain > best[at])
        best[at] = share * gain;
}

static void add_form(const struct fts_rank *r, const struct fts_note *note, double length, double *best)
{
    size_t at = place(r, note);
    double gain;
    if ((size_t)note->phrase == r->n_forms)
        gain = (note->preferred ? 1 : others_share(r)) * PREFIX_SHARE * part(r, r->other_prefix_idf, 1, length);
    else if (note->preferred)
        gain = part(r, r->preferred_idf[at], note->tf, length);
    else
        gain = others_share(r) * part(r, r->other_idf[at], note->tf, length);
    if (gain > best[at])
        best[at] = gain;
}

/* Of a run of a script without spaces, a document must have RUN_SHARE of the pieces, or a part as a run of its own:
 * a single piece may be the end of one word and the beginning of the next. */
static double sum_gains(const struct fts_rank *r, const double *best)
{
    double sum = 0;
    if (!r->runs) { /* as in most queries */
        for (size_t i = 0; i <= r->n_stems; i++)
            sum += best[i];
        return sum;
    }
    for (size_t i = 0, next; i <= r->n_stems; i = next) {
        unsigned run = trait(r, i)->run;
        double gain = 0, pieces = 0, found = 0;
        bool whole = false;
        for (next = i; next == i || (run && next < r->n_stems && trait(r, next)->run == run); next++) {
            bool has = best[next] > 0, is_whole = trait(r, next)->whole;
            gain += best[next];
            whole = whole || (has && is_whole);
            pieces += !is_whole;
            found += has && !is_whole;
        }
        if (!run || whole || (found > 0 && found >= RUN_SHARE * pieces))
            sum += gain;
    }
    return sum;
}

/* Both passes met their documents in the order of ids. */
enum status fts_rank_score(struct fts_rank *r, struct error *err)
{
    const struct fts_collector *w = &r->words, *l = &r->languages;
    r->found = reallocarray(NULL, w->n_matches + l->n_matches + 1, sizeof *r->found);
    if (!r->found)
        return err_no_memory(err, "%zu matches", w->n_matches + l->n_matches);
    note_drawn(r);
    weigh_words(r);
    weigh_languages(r);
    for (size_t i = 0, k = 0, at = 0, form = 0; i < w->n_matches || k < l->n_matches;) {
        double best[FTS_MAX_TERMS + 1];
        bool in_words = i < w->n_matches && (k == l->n_matches || w->matches[i].id <= l->matches[k].id);
        bool in_languages = k < l->n_matches && (!in_words || w->matches[i].id == l->matches[k].id);
        const struct fts_match *m = in_words ? &w->matches[i] : &l->matches[k];
        for (size_t word = 0; word <= r->n_stems; word++)
            best[word] = 0;
        for (; in_words && at < w->n_notes && w->notes[at].match == i; at++)
            rank_add_word(r, &w->notes[at], m->length, best);
        for (; in_languages && form < l->n_notes && l->notes[form].match == k; form++)
            add_form(r, &l->notes[form], m->length, best);
        double sum = sum_gains(r, best);
        if (sum > 0)
            r->found[r->n++] = (struct fts_scored){m->id, sum};
        i += in_words;
        k += in_languages;
    }
    return OK;
}

static int by_score_then_name(const void *x, const void *y)
{
    const struct fts_hit *a = x, *b = y;
    int order = (a->score < b->score) - (a->score > b->score);
    return order ? order : strcmp(a->filename, b->filename);
}

static enum status name_hits(struct fts_hit *hits, size_t n, fts_names *names, void *ctx, struct arena *a,
                             struct error *err)
{
    int64_t *ids = arena_room(a, n + 1, sizeof *ids);
    const char **filenames = arena_room(a, n + 1, sizeof *filenames);
    if (!ids || !filenames)
        return err_no_memory(err, "%zu matches", n);
    for (size_t i = 0; i < n; i++)
        ids[i] = hits[i].id;
    enum status st = names(ctx, ids, n, a, filenames, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (!(hits[i].filename = filenames[i]))
            st = err_set(err, ERR_CORRUPT, "the word index names row %lld, which does not exist", (long long)ids[i]);
    return st;
}

/* To the arena that the caller gave. */
static enum status copy_page(const struct fts_hit *hits, size_t n, struct arena *a, struct fts_hit **out,
                             struct error *err)
{
    struct fts_hit *copy = *out = arena_room(a, n, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = hits[i];
        if (hits[i].filename && !(copy[i].filename = arena_strdup(a, hits[i].filename)))
            copy = NULL;
    }
    return copy ? OK : err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", n, a->max);
}

/* The best `wanted` matches, by id; of those that are as good as the last one all, or as many as there is room for, the
 * first ones. */
static size_t best_of(const struct fts_rank *r, size_t wanted, bool all, double *scores, struct fts_hit *out)
{
    double least = 0;
    size_t n = 0, equal = 0;
    for (size_t i = 0; i < r->n; i++)
        scores[i] = r->found[i].score;
    if (wanted < r->n)
        least = select_greatest(scores, r->n, wanted);
    for (size_t i = 0; i < wanted && i < r->n; i++)
        equal += scores[i] == least;
    for (size_t i = 0; i < r->n; i++) {
        const struct fts_scored *f = &r->found[i];
        if (f->score > least || (f->score == least && (all || (equal && equal--))))
            out[n++] = (struct fts_hit){.id = f->id, .score = f->score};
    }
    return n;
}

enum status fts_rank_page(const struct fts_rank *r, size_t limit, size_t offset, fts_names *names, void *ctx,
                          struct arena *a, struct fts_hit **hits, size_t *n, struct error *err)
{
    struct arena scratch;
    *hits = NULL;
    *n = 0;
    assert(names || !offset);
    if (limit == 0 || offset >= r->n)
        return OK;
    arena_init(&scratch, SIZE_MAX);
    enum status st = OK;
    size_t n_best = 0, wanted = limit > SIZE_MAX - offset ? SIZE_MAX : offset + limit;
    double *scores = arena_room(&scratch, r->n, sizeof *scores);
    struct fts_hit *best = arena_room(&scratch, r->n, sizeof *best);
    if (!scores || !best)
        st = err_no_memory(err, "%zu matches", r->n);
    else
        n_best = best_of(r, wanted, names != NULL, scores, best);
    if (st == OK && names && (st = name_hits(best, n_best, names, ctx, &scratch, err)) == OK)
        qsort(best, n_best, sizeof *best, by_score_then_name);
    if (st == OK) {
        *n = n_best - offset < limit ? n_best - offset : limit;
        st = copy_page(best + offset, *n, a, hits, err);
    }
    if (st != OK)
        *n = 0;
    arena_free(&scratch);
    return st;
}
