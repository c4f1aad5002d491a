/* What a query asks for: which of its words count and how much, and what it is about as a whole. */
#include "rank/meanings_internal.h"

#include "base/buf.h"
#include "text/text.h"

#include <math.h>
#include <string.h>

#define LEAST_NAME 3u     /* letters of a place's name that is searched for: "us" is also another word */
#define MAX_NAMES  4096u  /* bytes of all such names */
#define ENOUGH     16384u /* documents that have one of the words that are like a word of the query */
#define RANK_SHARE 1.2    /* a word weighs at most this times ln(2 + its rank in English / RANK_FROM); */
#define RANK_FROM  200.0  /* both tuned on the dev split of eval/starter.csv */

static double rarity(const struct meanings *x, const struct alike_list *alike)
{
    double df = 0;
    for (uint32_t i = 0; i < alike->n; i++)
        df += alike->items[i].score >= 1 ? x->entries[alike->items[i].entry].n : 0;
    return log(1 + (x->n_documents + 0.5) / (df + 0.5));
}

/* Words that text_query leaves out say nothing about a picture. */
static bool counts(const struct term_query *q, const struct text_term *t)
{
    for (size_t i = 0; i < q->n_stems; i++)
        if (q->stems[i] && strcmp(q->stems[i], t->stem) == 0)
            return true;
    return false;
}

/* The names of signs, for a query of nothing else. NULL: none has one. */
static const char *sign_names(const char *text, size_t len, struct arena *a)
{
    static const struct {
        const char *sign, *name;
    } table[] = {{"+", "plus"},
                 {"-", "minus"},
                 {"*", "asterisk"},
                 {"%", "percent"},
                 {"&", "and"},
                 {"=", "equals"},
                 {"!", "exclamation"},
                 {"?", "question"},
                 {"$", "dollar"},
                 {"#", "number"},
                 {"@", "at email"},
                 {"/", "divide"},
                 {"<", "left"},
                 {">", "right"},
                 {"\u20ac", "euro"},
                 {"\u00a3", "pound"},
                 {"\u00a5", "yen"},
                 {"\u266a", "music"},
                 {"\u2713", "check"},
                 {"\u2192", "right arrow"},
                 {"\u2190", "left arrow"},
                 {"\u2191", "up arrow"},
                 {"\u2193", "down arrow"},
                 {"\u221e", "infinity"}};
    const char *names = NULL;
    for (size_t at = 0; at < len; at++)
        for (size_t i = 0; i < sizeof table / sizeof *table; i++)
            if (strncmp(text + at, table[i].sign, strlen(table[i].sign)) == 0)
                names = arena_printf(a, "%s%s%s", names ? names : "", names ? " " : "", table[i].name);
    return names;
}

/* --- for the search by terms --- */

/* Appends the names of the places that a word or phrase belongs to, each written together. */
static void put_names(const struct meanings *x, const uint32_t *relations, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *w = lexicon_word(x->lexicon, LEXICON_RELATED(relations[i]), &len);
        if (!LEXICON_NAMES(relations[i]) || len < LEAST_NAME)
            continue;
        buf_puts(out, out->len ? " " : "");
        for (size_t k = 0; k < len; k++)
            if (w[k] != ' ')
                buf_putc(out, w[k]);
    }
}

enum status meanings_names(const struct meanings *x, const char *text, size_t len, struct arena *a, const char **names,
                           struct error *err)
{
    struct text_terms terms;
    struct buf out;
    enum status st = text_analyze(text, len, MEANINGS_MAX_QUERY, a, &terms, err);
    if (st != OK)
        return st;
    buf_init(&out, MAX_NAMES);
    for (size_t i = 0, n; i < terms.count; i += n) {
        size_t n_relations = 0;
        const char *phrase = i + 1 < terms.count ? meanings_join(&terms.items[i], 2, false, a) : NULL;
        uint32_t word = phrase ? lexicon_find(x->lexicon, phrase, strlen(phrase)) : LEXICON_NONE;
        n = word == LEXICON_NONE ? 1 : 2;
        const char *folded = terms.items[i].folded;
        if (n == 1)
            word = lexicon_find(x->lexicon, folded, strlen(folded));
        const uint32_t *relations = meanings_relations(x, n == 1 ? folded : phrase, word, &n_relations);
        put_names(x, relations, n_relations, &out);
    }
    *names = arena_strndup(a, buf_str(&out), out.len);
    buf_free(&out);
    return *names ? OK : err_no_memory(err, "the documents' words");
}

double meanings_most(const struct meanings *x, const char *word)
{
    uint32_t rank = meanings_rank(x, word, strlen(word));
    return rank == LEXICON_NONE ? 0 : RANK_SHARE * log(2 + rank / RANK_FROM);
}

/* Several words of a query that are one term. */
struct phrase {
    size_t n;       /* words; 1: they are none */
    uint32_t entry; /* + 1; 0: no sticker has it as a title or keyword */
    uint32_t word;  /* of the lexicon; LEXICON_NONE */
};

/* The longest one from word `i` on that some sticker has, written together perhaps, or that the lexicon knows. */
static struct phrase phrase_at(const struct meanings *x, const struct text_terms *terms, size_t i, struct arena *a)
{
    for (size_t n = WORDS_MAX_TERM; n > 1; n--) {
        struct phrase p = {.n = n, .word = LEXICON_NONE};
        const char *s = i + n <= terms->count ? meanings_join(terms->items + i, n, false, a) : NULL;
        if (!s)
            continue;
        p.entry = meanings_entry(x, s);
        p.word = lexicon_find(x->lexicon, s, strlen(s));
        if (n == 2 && !p.entry && (s = arena_printf(a, "%s%s", terms->items[i].folded, terms->items[i + 1].folded)))
            p.entry = meanings_entry(x, s);
        if (p.entry && !x->entries[p.entry - 1].n)
            p.entry = 0;
        size_t n_relations = 0;
        if (p.word != LEXICON_NONE)
            (void)lexicon_relations(x->lexicon, p.word, &n_relations);
        if (p.entry || n_relations)
            return p;
    }
    return (struct phrase){.n = 1, .word = LEXICON_NONE};
}

/* What a word or phrase may weigh: how rare it is among the documents and, a word, in English. */
static double weigh(const struct meanings *x, const struct text_term *t, size_t n, const struct alike_list *alike)
{
    double weight = rarity(x, alike), most = n == 1 ? meanings_most(x, t->folded) : 0;
    return most > 0 ? fmin(weight, most) : weight;
}

/* Adds the vector of a word to what the query is about. */
static void add_vector(const struct meanings *x, const struct text_term *t, double weight, float whole[WORDS_STRIDE])
{
    int8_t codes[WORDS_STRIDE];
    int32_t sum;
    float scale = meanings_codes(x, lexicon_find(x->lexicon, t->folded, strlen(t->folded)), codes, &sum);
    for (size_t i = 0; i < LEXICON_DIM; i++)
        whole[i] += (float)weight * scale * codes[i];
}

/* words: [MEANINGS_MAX_QUERY], of which *n are set. */
static enum status ask_words(const struct meanings *x, const struct term_query *q, const struct text_terms *terms,
                             struct arena *a, struct scratch *m, struct asked_word *words, size_t *n_words,
                             struct subject *subject, struct error *err)
{
    int32_t sum;
    double total = 0;
    float whole[WORDS_STRIDE] = {0};
    *n_words = 0;
    for (size_t i = 0, n; i < terms->count; i += n) {
        const struct text_term *t = &terms->items[i];
        struct asked_word *w = &words[*n_words];
        struct phrase phrase = phrase_at(x, terms, i, a);
        n = phrase.n;
        if (n == 1 && (t->is_emoji || !counts(q, t)))
            continue;
        enum status st = n == 1 ? meanings_alike(x, t, m, a, &w->alike, err)
                                : meanings_alike_term(x, t, n, phrase.entry, phrase.word, m, a, &w->alike, err);
        if (st != OK)
            return st;
        double weight = weigh(x, t, n, &w->alike);
        w->weight = (float)weight;
        ++*n_words;
        total += weight;
        for (size_t k = 0; k < n; k++)
            add_vector(x, &t[k], weight, whole);
    }
    subject->scale = meanings_quantize(whole, subject->codes, &sum);
    subject->total = total > 0 ? (float)total : 1;
    return OK;
}

/* The words of a query, and those of them that count. */
struct asked {
    struct text_terms terms;
    struct term_query query;
};

static enum status read_query(const char *text, size_t len, struct arena *a, struct asked *out, struct error *err)
{
    text = text_without_signs(text, len, a);
    if (!text)
        return err_no_memory(err, "a query");
    enum status st = text_analyze(text, len, MEANINGS_MAX_QUERY, a, &out->terms, err);
    const char *names = st == OK && out->terms.count == 0 ? sign_names(text, len, a) : NULL;
    if (names) {
        text = names;
        len = strlen(names);
        st = text_analyze(text, len, MEANINGS_MAX_QUERY, a, &out->terms, err);
    }
    return st == OK ? text_query_stems(text, len, a, &out->query, err) : st;
}

enum status meanings_search(struct meanings *x, const char *text, size_t len, const struct label_test *passing,
                            size_t most, bool in_order, struct pool *pool, struct arena *a, struct meaning_hit **out,
                            size_t *n, const char **corrected, struct error *err)
{
    struct asked asked;
    struct subject subject;
    struct asked_word words[MEANINGS_MAX_QUERY];
    struct scratch *scratch = NULL;
    size_t n_words = 0;
    *corrected = NULL;
    *n = 0;
    pthread_rwlock_rdlock(&x->lock);
    enum status st = meanings_put_right(x, text, len, a, corrected, err);
    if (st == OK)
        st = *corrected ? read_query(*corrected, strlen(*corrected), a, &asked, err)
                        : read_query(text, len, a, &asked, err);
    if (st == OK && !(scratch = meanings_scratch_take(x)))
        st = err_no_memory(err, "the documents' words");
    if (st == OK)
        st = ask_words(x, &asked.query, &asked.terms, a, scratch, words, &n_words, &subject, err);
    for (size_t w = 0; st == OK && w < n_words; w++)
        meanings_alike_enough(x, passing, most > ENOUGH ? most : ENOUGH, &words[w].alike);
    if (st == OK)
        st = meanings_best(x, &subject, words, n_words, passing, most, in_order, pool, scratch, a, out, n, err);
    if (scratch)
        meanings_scratch_give(x, scratch);
    pthread_rwlock_unlock(&x->lock);
    return st;
}
