/* sqlite_fts.c: ranked search over words in English and in the other languages.
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
#include "store/sqlite_fts.h"

#include "base/buf.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_EXPRESSION = 64 << 10 };
static const double K1 = 1.2, B = 0.75, PREFIX_SHARE = 0.2, OTHERS_SHARE = 0.3, MAX_RELATIVE_LENGTH = 5;

/* --- what is in the index --- */

static int64_t count_words(const char *s)
{
    int64_t n = 0;
    for (bool inside = false; *s; s++) {
        n += *s != ' ' && !inside;
        inside = *s != ' ';
    }
    return n;
}

enum status fts_remove(struct db_conn *c, const struct fts_table *t, int64_t id, struct error *err)
{
    enum status st = fts_languages_remove(c, t, id, err);
    return st == OK ? db_run(c, t->remove, DB_ARGS(DB_INT(id)), NULL, err) : st;
}

enum status fts_put(struct db_conn *c, const struct fts_table *t, int64_t id, const struct index_terms *terms,
                    struct error *err)
{
    enum status st = fts_remove(c, t, id, err);
    if (st != OK)
        return st;
    int64_t length = count_words(terms->title) + count_words(terms->words) + count_words(terms->filename);
    int64_t row = (id << FTS_LENGTH_BITS) | (length < FTS_MAX_LENGTH ? length : FTS_MAX_LENGTH);
    st = db_run(c, t->insert,
                DB_ARGS(DB_INT(row), DB_TEXT(terms->title), DB_TEXT(terms->words), DB_TEXT(terms->filename),
                        DB_TEXT(terms->folded)),
                NULL, err);
    return st == OK ? fts_languages_put(c, t, row, terms, err) : st;
}

enum status fts_same(struct db_conn *c, const struct fts_table *t, int64_t id, const struct index_terms *terms,
                     bool *same, struct error *err)
{
    struct db_rows r;
    *same = false;
    db_query(&r, c, t->terms, DB_ARGS(DB_INT(id)), err);
    while (db_next(&r))
        *same = db_text_is(&r, 0, terms->title) && db_text_is(&r, 1, terms->words) &&
                db_text_is(&r, 2, terms->filename) && db_text_is(&r, 3, terms->folded);
    enum status st = db_end(&r);
    return st == OK && *same ? fts_languages_same(c, t, id, terms, same, err) : st;
}

/* --- scores --- */

struct scored {
    int64_t id;
    double score;
};

/* What both passes found. Word i of the query is phrase i of the first expression; a prefix, the last phrase
 * of both, shares the place of the last word. */
struct search {
    const struct index_query *q;
    struct fts_totals totals;
    struct fts_collector words, languages;
    size_t n_stems, n_forms; /* of the query, those that are asked for */
    double word_idf[FTS_MAX_TERMS + 1], prefix_idf;
    double other_idf[FTS_MAX_TERMS + 1], preferred_idf[FTS_MAX_TERMS + 1], other_prefix_idf;
    struct scored *found; /* by id */
    size_t n;
};

static double idf(const struct search *s, double n)
{
    return log(1 + fmax(s->totals.documents - n + 0.5, 0) / (n + 0.5));
}

/* The place of a form's word; of the prefix, the last word's. */
static size_t place(const struct search *s, const struct fts_note *note)
{
    if ((size_t)note->phrase < s->n_forms)
        return s->q->forms[note->phrase].word;
    return s->n_stems ? s->n_stems - 1 : 0;
}

static void weigh_words(struct search *s)
{
    double count[FTS_MAX_TERMS + 1] = {0};
    for (size_t i = 0; i < s->words.n_notes; i++)
        count[s->words.notes[i].phrase]++;
    for (size_t i = 0; i <= s->n_stems; i++)
        s->word_idf[i] = idf(s, count[i]);
    s->prefix_idf = s->word_idf[s->n_stems];
    if (s->n_stems)
        s->prefix_idf = fmin(s->prefix_idf, s->word_idf[s->n_stems - 1]);
}

/* A document counts once for a word, in however many languages and forms it has it. */
static void weigh_languages(struct search *s)
{
    double others[FTS_MAX_TERMS + 1] = {0}, preferred[FTS_MAX_TERMS + 1] = {0}, prefix = 0;
    size_t seen[FTS_MAX_TERMS + 1] = {0}, seen_preferred[FTS_MAX_TERMS + 1] = {0};
    for (size_t i = 0; i < s->languages.n_notes; i++) {
        const struct fts_note *note = &s->languages.notes[i];
        size_t at = place(s, note);
        if ((size_t)note->phrase == s->n_forms) {
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
    for (size_t i = 0; i <= s->n_stems; i++) {
        s->other_idf[i] = idf(s, others[i]);
        s->preferred_idf[i] = idf(s, preferred[i]);
    }
    s->other_prefix_idf = fmin(idf(s, prefix), s->other_idf[s->n_stems ? s->n_stems - 1 : 0]);
}

static double part(const struct search *s, double weight, double tf, double length)
{
    double relative = fmin(length / s->totals.average_length, MAX_RELATIVE_LENGTH);
    return weight * tf * (K1 + 1) / (tf + K1 * (1 - B + B * relative));
}

static void add_word(const struct search *s, const struct fts_note *note, double length, double *best)
{
    bool prefix = (size_t)note->phrase == s->n_stems;
    size_t at = prefix && s->n_stems ? s->n_stems - 1 : (size_t)note->phrase;
    double share = s->q->language == LANGUAGE_en ? 1 : OTHERS_SHARE;
    double gain = prefix ? PREFIX_SHARE * part(s, s->prefix_idf, 1, length)
                         : part(s, s->word_idf[note->phrase], note->tf, length);
    best[at] = fmax(best[at], share * gain);
}

static void add_form(const struct search *s, const struct fts_note *note, double length, double *best)
{
    size_t at = place(s, note);
    double gain;
    if ((size_t)note->phrase == s->n_forms)
        gain = (note->preferred ? 1 : OTHERS_SHARE) * PREFIX_SHARE * part(s, s->other_prefix_idf, 1, length);
    else if (note->preferred)
        gain = part(s, s->preferred_idf[at], note->tf, length);
    else
        gain = OTHERS_SHARE * part(s, s->other_idf[at], note->tf, length);
    best[at] = fmax(best[at], gain);
}

/* Both passes met their documents in the order of ids. */
static enum status score(struct search *s, struct error *err)
{
    const struct fts_collector *w = &s->words, *l = &s->languages;
    s->found = reallocarray(NULL, w->n_matches + l->n_matches + 1, sizeof *s->found);
    if (!s->found)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu matches", w->n_matches + l->n_matches);
    weigh_words(s);
    weigh_languages(s);
    for (size_t i = 0, k = 0, at = 0, form = 0; i < w->n_matches || k < l->n_matches;) {
        double best[FTS_MAX_TERMS + 1] = {0}, sum = 0;
        bool in_words = i < w->n_matches && (k == l->n_matches || w->matches[i].id <= l->matches[k].id);
        bool in_languages = k < l->n_matches && (!in_words || w->matches[i].id == l->matches[k].id);
        const struct fts_match *m = in_words ? &w->matches[i] : &l->matches[k];
        for (; in_words && at < w->n_notes && w->notes[at].match == i; at++)
            add_word(s, &w->notes[at], m->length, best);
        for (; in_languages && form < l->n_notes && l->notes[form].match == k; form++)
            add_form(s, &l->notes[form], m->length, best);
        for (size_t word = 0; word <= s->n_stems; word++)
            sum += best[word];
        s->found[s->n++] = (struct scored){m->id, sum};
        i += in_words;
        k += in_languages;
    }
    return OK;
}

/* The score that the k-th best match has, 1 <= k <= n (Hoare's selection; reorders the scores in v). */
static double kth_best(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1, at = k - 1;
    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;
        for (;; i++, j--) {
            while (v[i] > pivot)
                i++;
            while (v[j] < pivot)
                j--;
            if (i >= j)
                break;
            double swap = v[i];
            v[i] = v[j];
            v[j] = swap;
        }
        if (at <= j)
            high = j;
        else
            low = j + 1;
    }
    return v[at];
}

static int by_score_then_name(const void *x, const void *y)
{
    const struct fts_hit *a = x, *b = y;
    int order = (a->score < b->score) - (a->score > b->score);
    return order ? order : strcmp(a->filename, b->filename);
}

/* --- the question --- */

/* Inside double quotes nothing is FTS5 syntax, and a doubled quote is a quote. */
static void quote(struct buf *b, const char *term)
{
    buf_putc(b, '"');
    for (; *term; term++) {
        if (*term == '"')
            buf_putc(b, '"');
        buf_putc(b, *term);
    }
    buf_putc(b, '"');
}

/* {title words filename} : ("cat" OR "park") OR folded : "par" * */
static void words_expression(struct buf *b, const struct search *s, const char *prefix)
{
    for (size_t i = 0; i < s->n_stems; i++) {
        buf_puts(b, i ? " OR " : "{title words filename} : (");
        quote(b, s->q->stems[i]);
    }
    if (s->n_stems)
        buf_putc(b, ')');
    if (prefix) {
        buf_puts(b, s->n_stems ? " OR folded : " : "folded : ");
        quote(b, prefix);
        buf_puts(b, " *");
    }
}

/* "gatos" OR "gat" OR "gato" *: which languages that may be in is seen match by match (sqlite_fts_match.c),
 * because naming a hundred columns takes longer than the search. */
static void languages_expression(struct buf *b, const struct search *s, const char *prefix)
{
    for (size_t i = 0; i < s->n_forms; i++) {
        buf_puts(b, i ? " OR " : "");
        quote(b, s->q->forms[i].stem);
    }
    if (prefix) {
        buf_puts(b, s->n_forms ? " OR " : "");
        quote(b, prefix);
        buf_puts(b, " *");
    }
}

/* Names the matches that can be on the page (the best `wanted`, and whatever ties with the last of them),
 * sorts them, and copies the page. */
static enum status page(struct db_conn *c, const struct fts_table *t, const struct search *s, size_t limit,
                        size_t offset, struct arena *a, struct fts_hit **hits, size_t *n, struct error *err)
{
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX);
    enum status st = OK;
    size_t n_best = 0, wanted = limit > SIZE_MAX - offset ? SIZE_MAX : offset + limit;
    struct fts_hit *best = arena_array(&scratch, s->n, sizeof *best);
    double *scores = arena_array(&scratch, s->n, sizeof *scores);
    if (!best || !scores) {
        st = err_set(err, ERR_NO_MEMORY, "out of memory for %zu matches", s->n);
        goto out;
    }
    for (size_t i = 0; i < s->n; i++)
        scores[i] = s->found[i].score;
    double least = wanted < s->n ? kth_best(scores, s->n, wanted) : 0;
    for (size_t i = 0; i < s->n; i++) {
        const struct scored *m = &s->found[i];
        if (m->score < least)
            continue;
        struct db_rows r;
        best[n_best] = (struct fts_hit){.id = m->id, .score = m->score};
        db_query(&r, c, t->filename, DB_ARGS(DB_INT(m->id)), err);
        if (db_next(&r))
            best[n_best].filename = db_text(&r, 0, &scratch);
        if ((st = db_end(&r)) != OK)
            goto out;
        if (!best[n_best++].filename) {
            st = err_set(err, ERR_CORRUPT, "the word index names row %lld, which does not exist", (long long)m->id);
            goto out;
        }
    }
    qsort(best, n_best, sizeof *best, by_score_then_name);
    size_t count = n_best - offset < limit ? n_best - offset : limit;
    struct fts_hit *copy = arena_array(a, count, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = best[offset + i];
        if (!(copy[i].filename = arena_strdup(a, best[offset + i].filename)))
            copy = NULL;
    }
    if (!copy) {
        st = err_set(err, ERR_NO_MEMORY, "%zu search hits are larger than %zu bytes", count, a->max);
        goto out;
    }
    *hits = copy;
    *n = count;
out:
    arena_free(&scratch);
    return st;
}

static enum status match(struct db_conn *c, const char *sql, const struct buf *expression, struct fts_collector *k,
                         struct error *err)
{
    enum status st = buf_status(expression, err);
    if (st != OK || expression->len == 0)
        return st;
    return db_run(c, sql, DB_ARGS(DB_TEXT(expression->data), DB_POINTER(k)), NULL, err);
}

enum status fts_search(struct db *d, const struct fts_table *t, const struct index_query *q, size_t limit,
                       size_t offset, struct arena *a, struct fts_hit **hits, size_t *n, int64_t *total,
                       struct error *err)
{
    struct search s = {.q = q, .words.query = q, .languages.query = q, .totals = {0, 1}};
    struct buf words, languages;
    const char *prefix = q->prefix && *q->prefix && q->n_stems <= FTS_MAX_TERMS ? q->prefix : NULL;
    *hits = NULL;
    *n = 0;
    *total = 0;
    s.n_stems = q->n_stems < FTS_MAX_TERMS ? q->n_stems : FTS_MAX_TERMS;
    while (s.n_forms < q->n_forms && s.n_forms < FTS_MAX_FORMS && q->forms[s.n_forms].word < s.n_stems)
        s.n_forms++;
    s.languages.n_forms = s.n_forms;
    buf_init(&words, MAX_EXPRESSION);
    buf_init(&languages, MAX_EXPRESSION);
    words_expression(&words, &s, prefix);
    languages_expression(&languages, &s, q->prefix_in_all ? prefix : NULL);
    struct db_conn *c = db_reader(d);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        if ((st = match(c, t->match, &words, &s.words, err)) == OK &&
            (st = match(c, t->languages.match, &languages, &s.languages, err)) == OK &&
            (st = db_run(c, t->totals, DB_ARGS(DB_POINTER(&s.totals)), NULL, err)) == OK)
            st = score(&s, err);
        if (st == OK && limit > 0 && offset < s.n)
            st = page(c, t, &s, limit, offset, a, hits, n, err);
        db_snapshot_end(c);
    }
    db_reader_done(d, c);
    if (st == OK)
        *total = (int64_t)s.n;
    fts_collector_free(&s.words);
    fts_collector_free(&s.languages);
    free(s.found);
    buf_free(&words);
    buf_free(&languages);
    return st;
}
