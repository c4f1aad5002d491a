/* What a query's words find among the documents' words: late interaction (Khattab and Zaharia, "ColBERT", SIGIR
 * 2020) over distinct words, and the likeness of query and document as a whole. */
#include "rank/meanings_internal.h"

#include "base/buf.h"
#include "base/select.h"
#include "base/utf8.h"
#include "text/text.h"
#include "words/spelling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_QUERY   32u /* words of a query */
#define MAX_TRIED   8u  /* of them that nobody knows: finding what was meant takes a millisecond each */
#define MORE        0.15f
#define WHOLE       0.5     /* weight of the likeness as a whole */
#define LEAST_SCORE 0.2     /* of a result */
#define COMMON      50000u  /* words of the lexicon that may have been meant, */
#define RARE        100000u /* and beyond which they may be misspelled */
#define LEAST_NAME  3u      /* letters of a place's name that is searched for: "us" is also another word */
#define MAX_NAMES   4096u   /* bytes of all such names */
#define AHEAD       16u     /* documents that are fetched from memory while one is looked at */
#define BLOCK       32768u  /* slots; 384 KiB of tallies */
#define RANK_SHARE  1.2     /* a word weighs at most this times ln(2 + its rank in English / RANK_FROM); */
#define RANK_FROM   200.0   /* both tuned on the dev split of eval/starter.csv */

/* The library's word nearest to one that nobody knows, the more frequent of two; where none is near, the lexicon's.
 * NULL: none. In the arena. */
static const char *correct(const struct meanings *x, const char *word, struct arena *a)
{
    size_t len = strlen(word);
    uint32_t letters = meanings_letters(word, len), n = lexicon_count(x->lexicon);
    unsigned allowed = spelling_allowed(len), best = allowed + 1;
    const struct entry *found = NULL;
    for (uint32_t i = 0; i < x->n && allowed; i++) {
        const struct entry *e = &x->entries[i];
        if (__builtin_popcount(letters ^ x->letters[i]) > (int)allowed || !e->n) /* each edit changes at most two */
            continue;
        unsigned d = spelling_distance(word, len, e->word, strlen(e->word), allowed);
        if (d < best || (d == best && found && e->n > found->n)) {
            best = d;
            found = e;
        }
    }
    if (found)
        return arena_strdup(a, found->word);
    const char *other = NULL;
    for (uint32_t i = 0; i < n && i < COMMON && allowed; i++) {
        size_t other_len;
        const char *w = lexicon_word(x->lexicon, i, &other_len);
        if (__builtin_popcount(letters ^ meanings_letters(w, other_len)) > (int)allowed)
            continue;
        unsigned d = spelling_distance(word, len, w, other_len, allowed);
        if (d < best) { /* the more frequent come first */
            best = d;
            other = arena_strndup(a, w, other_len);
        }
    }
    return other;
}

/* In any language of the library, too. */
static bool is_in_store(const struct meanings *x, const char *word, struct arena *a)
{
    struct term_query q;
    struct search_hit *hits;
    size_t n;
    int64_t total;
    return text_query(word, strlen(word), LANGUAGE_en, false, a, &q, NULL) != OK ||
           search_store_lexical(x->store, &q, NULL, 1, 0, false, a, &hits, &n, &total, NULL) != OK || n > 0;
}

/* By the library, by WordNet, or so often used that it is no slip: among the rare words are misspelled ones. */
static bool is_known(const struct meanings *x, const struct text_term *t)
{
    uint64_t stem = XXH3_64bits(t->stem, strlen(t->stem));
    for (uint32_t at = meanings_next_of_stem(x, stem, 0); at; at = meanings_next_of_stem(x, stem, at))
        if (x->entries[at - 1].n)
            return true;
    uint32_t word = lexicon_find(x->lexicon, t->folded, strlen(t->folded));
    size_t n = 0;
    if (word != LEXICON_NONE)
        (void)lexicon_relations(x->lexicon, word, &n);
    return word < RARE || n > 0; /* LEXICON_NONE is beyond all */
}

/* 2: a word of the library; 1: a common one of three letters or more; 0: neither. */
static unsigned part_rank(const struct meanings *x, const char *part, size_t len)
{
    uint32_t at = meanings_entry(x, part);
    if (at && x->entries[at - 1].n)
        return 2;
    return len >= 3 && lexicon_find(x->lexicon, part, len) < COMMON;
}

/* "icecream" as "ice cream": both parts known, rather by the library, the shorter one as long as can be. NULL: no. */
static const char *split(const struct meanings *x, const char *word, struct arena *a)
{
    char left[LEXICON_MAX_WORD + 1];
    size_t len = strlen(word), best = 0, best_rank = 0;
    for (size_t at = 1; at < len && len <= LEXICON_MAX_WORD; at++) {
        memcpy(left, word, at);
        left[at] = '\0';
        unsigned l = part_rank(x, left, at), r = part_rank(x, word + at, len - at);
        size_t rank = !l || !r ? 0 : (size_t)(l + r) * LEXICON_MAX_WORD + (at < len - at ? at : len - at);
        if (rank > best_rank) {
            best = at;
            best_rank = rank;
        }
    }
    return best ? arena_printf(a, "%.*s %s", (int)best, word, word + best) : NULL;
}

/* Notes, per document that has one of these words and is in a slot below `below`, the most alike one and the sum of
 * all. The documents lie anywhere in memory, so each is fetched ahead, and what is written does not depend on a branch.
 * `seen`: how many were noted before. */
static void mark_alike(const struct entry *e, float score, uint32_t below, uint32_t *seen, struct scratch *m)
{
    uint32_t k = *seen;
    for (; k < e->n && POSTING_OF(e->postings[k]) < below; k++) {
        __builtin_prefetch(&m->tallies[POSTING_OF(e->postings[k + AHEAD < e->n ? k + AHEAD : k])], 1);
        struct tally *t = &m->tallies[POSTING_OF(e->postings[k])];
        float s = score * POSTING_WEIGHT(e->postings[k]);
        m->marked[m->n_marked] = POSTING_OF(e->postings[k]);
        m->n_marked += t->sum <= 0;
        t->best = s > t->best ? s : t->best;
        t->sum += s;
    }
    *seen = k;
}

/* Adds, per document, weight times the likeness of its most alike word, and a share of what is left to 1 for its
 * other words that are alike: of many stickers with one such word each, those with several come first. */
static void add_marked(double weight, struct scratch *m)
{
    for (uint32_t i = 0; i < m->n_marked; i++) {
        __builtin_prefetch(&m->tallies[m->marked[i + AHEAD < m->n_marked ? i + AHEAD : i]], 1);
        struct tally *t = &m->tallies[m->marked[i]];
        float best = t->best, rest = MORE * (t->sum - best);
        m->touched[m->n_touched] = m->marked[i];
        m->n_touched += t->score <= 0;
        t->score += (float)weight * (best + (1 - best) * rest / (1 + rest));
        t->best = t->sum = 0;
    }
    m->n_marked = 0;
}

/* Slots are taken BLOCK at a time, whose tallies the processor's cache has room for. */
static void add_meaning(const struct meanings *x, const struct alike_list *alike, double weight, struct scratch *m)
{
    memset(m->seen, 0, alike->n * sizeof *m->seen);
    for (uint32_t from = 0; from < x->n_slots; from += BLOCK) {
        for (uint32_t i = 0; i < alike->n; i++)
            mark_alike(&x->entries[alike->items[i].entry], alike->items[i].score, from + BLOCK, &m->seen[i], m);
        add_marked(weight, m);
    }
}

static double rarity(const struct meanings *x, const struct alike_list *alike)
{
    double df = 0;
    for (uint32_t i = 0; i < alike->n; i++)
        df += alike->items[i].score >= 1 ? x->entries[alike->items[i].entry].n : 0;
    return log(1 + (x->n_documents + 0.5) / (df + 0.5));
}

static int meanings_by_score(const void *a, const void *b)
{
    const struct meaning_hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

/* Words that text_query leaves out say nothing about a picture. */
static bool counts(const struct term_query *q, const struct text_term *t)
{
    for (size_t i = 0; i < q->n_stems; i++)
        if (q->stems[i] && strcmp(q->stems[i], t->stem) == 0)
            return true;
    return false;
}

/* A word that may be misspelled: of letters alone, apostrophes inside. What has a digit or a sign is no word but a
 * number, an address, a name or a mark, and stays as it is. */
static bool is_plain_word(const char *s, size_t len)
{
    size_t n;
    for (size_t at = 0; at < len; at += n) {
        uint32_t cp;
        n = utf8_decode(s + at, len - at, &cp);
        bool inner = at > 0 && at + n < len && (cp == '\'' || cp == 0x2019);
        enum utf8_kind kind = utf8_kind(cp);
        if (!inner && kind != UTF8_LETTER && kind != UTF8_MARK)
            return false;
    }
    return len > 0;
}

/* The bytes that punctuation has before and behind a word, as in "(hello!)". */
static size_t punctuation_before(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && strchr("\"'([{", s[n]))
        n++;
    return n;
}

static size_t punctuation_behind(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && strchr("\"')]}.!?;:,", s[len - 1 - n]))
        n++;
    return n;
}

/* What is right for a piece of the query between white space; NULL: it is right, or no word. Counts in *tried those
 * that had to be looked for. */
static enum status right_piece(const struct meanings *x, const char *s, size_t len, struct arena *a, size_t *tried,
                               const char **right, struct error *err)
{
    struct text_terms terms;
    *right = NULL;
    if (!is_plain_word(s, len))
        return OK;
    enum status st = text_analyze(s, len, 2, a, &terms, err);
    if (st != OK || terms.count != 1)
        return st;
    const struct text_term *t = &terms.items[0];
    if (t->is_emoji || t->is_run || is_known(x, t) || is_in_store(x, t->spelled, a))
        return OK;
    ++*tried;
    *right = correct(x, t->folded, a);
    if (!*right)
        *right = split(x, t->folded, a);
    return OK;
}

/* How many bytes from s on are blanks, or are none. */
static size_t count_blanks(const char *s, size_t len, bool blank)
{
    size_t n = 0;
    while (n < len && (strchr(" \t\n\r", s[n]) != NULL) == blank)
        n++;
    return n;
}

/* The query with its misspelled words put right, everything else as it was typed. */
static enum status put_right(const struct meanings *x, const char *text, size_t len, struct arena *a,
                             const char **corrected, struct error *err)
{
    struct buf out;
    bool changed = false;
    enum status st = OK;
    buf_init(&out, 64u << 10);
    for (size_t at = 0, words = 0, tried = 0, n; at < len && st == OK; at += n) {
        const char *right = NULL;
        n = count_blanks(text + at, len - at, true);
        buf_append(&out, text + at, n);
        at += n;
        n = count_blanks(text + at, len - at, false);
        size_t before = punctuation_before(text + at, n), behind = punctuation_behind(text + at + before, n - before);
        size_t word = n - before - behind;
        if (word && words++ < MAX_QUERY && tried < MAX_TRIED)
            st = right_piece(x, text + at + before, word, a, &tried, &right, err);
        buf_append(&out, text + at, before);
        if (right)
            buf_puts(&out, right);
        else
            buf_append(&out, text + at + before, word);
        buf_append(&out, text + at + n - behind, behind);
        changed = changed || right;
    }
    if (st == OK)
        st = buf_status(&out, err);
    if (st == OK && changed && !(*corrected = arena_strndup(a, buf_str(&out), out.len)))
        st = err_no_memory(err, "the documents' words");
    buf_free(&out);
    return st;
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
    enum status st = text_analyze(text, len, MAX_QUERY, a, &terms, err);
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

/* --- scratch --- */

static void scratch_free(struct scratch *m)
{
    free(m->tallies);
    free(m->alike);
    free(m->partial);
    free(m->dots);
    free(m->touched);
    free(m->words);
    free(m->seen);
    free(m);
}

void meanings_scratch_close(struct meanings *x)
{
    for (struct scratch *m = x->scratch, *next; m; m = next) {
        next = m->next;
        scratch_free(m);
    }
    pthread_mutex_destroy(&x->scratch_lock);
}

static struct scratch *scratch_new(uint32_t slots, uint32_t words)
{
    struct scratch *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->cap_slots = slots;
    m->cap_words = words;
    m->tallies = calloc(slots, sizeof *m->tallies);
    m->alike = calloc(words, sizeof *m->alike);
    m->partial = calloc(slots, sizeof *m->partial);
    m->touched = calloc(2 * (size_t)slots + 2, sizeof *m->touched);
    m->dots = calloc(words, sizeof *m->dots);
    m->words = calloc(words, sizeof *m->words);
    m->seen = calloc(words, sizeof *m->seen);
    if (!m->seen || !m->tallies || !m->alike || !m->partial || !m->dots || !m->touched || !m->words) {
        scratch_free(m);
        return NULL;
    }
    m->marked = m->touched + slots + 1; /* each has one place more, where what does not count is written */
    return m;
}

/* One that no search uses, large enough for the documents of now; NULL: no memory. */
static struct scratch *scratch_take(struct meanings *x)
{
    pthread_mutex_lock(&x->scratch_lock);
    struct scratch *m = x->scratch;
    if (m)
        x->scratch = m->next;
    pthread_mutex_unlock(&x->scratch_lock);
    if (m && m->cap_slots >= x->n_slots && m->cap_words >= x->n)
        return m;
    if (m)
        scratch_free(m);
    return scratch_new(x->cap_slots, x->cap);
}

static void scratch_give(struct meanings *x, struct scratch *m)
{
    for (uint32_t i = 0; i < m->n_touched; i++)
        m->tallies[m->touched[i]].score = 0;
    m->n_touched = 0;
    pthread_mutex_lock(&x->scratch_lock);
    m->next = x->scratch;
    x->scratch = m;
    pthread_mutex_unlock(&x->scratch_lock);
}

/* --- scores --- */

/* What the query is about, and its words' weights in total. */
struct subject {
    _Alignas(64) int8_t codes[WORDS_STRIDE];
    float scale, total; /* scale 0: nothing is known of its words */
};

/* Of documents that share a word with the query, those that are about the same as a whole come first. */
static float with_whole(const struct subject *q, float partial, float cosine)
{
    return q->scale > 0 ? (partial + (float)WHOLE * cosine) / (1 + (float)WHOLE) : partial;
}

static float score_of(const struct meanings *x, const struct subject *q, uint32_t slot, float partial)
{
    int32_t dot = 0;
    if (q->scale > 0)
        x->kernels->dot_i8(x->means.codes + (size_t)slot * WORDS_STRIDE, &x->means.sums[slot], 1, WORDS_STRIDE,
                           q->codes, 1, &dot);
    return with_whole(q, partial, fminf(fmaxf(q->scale * x->means.scales[slot] * (float)dot, 0), 1));
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
static void add_vector(const struct meanings *x, const struct text_term *t, double weight, float whole[LEXICON_DIM])
{
    int8_t codes[WORDS_STRIDE];
    int32_t sum;
    float scale = meanings_codes(x, lexicon_find(x->lexicon, t->folded, strlen(t->folded)), codes, &sum);
    for (size_t i = 0; i < LEXICON_DIM; i++)
        whole[i] += (float)weight * scale * codes[i];
}

static enum status score_all(const struct meanings *x, const struct term_query *q, const struct text_terms *terms,
                             struct arena *a, struct scratch *m, struct subject *subject, struct error *err)
{
    int32_t sum;
    double total = 0;
    float whole[LEXICON_DIM] = {0};
    for (size_t i = 0, n; i < terms->count; i += n) {
        const struct text_term *t = &terms->items[i];
        struct alike_list alike;
        struct phrase phrase = phrase_at(x, terms, i, a);
        n = phrase.n;
        if (n == 1 && (t->is_emoji || !counts(q, t)))
            continue;
        enum status st = n == 1 ? meanings_alike(x, t, m, a, &alike, err)
                                : meanings_alike_term(x, t, n, phrase.entry, phrase.word, m, a, &alike, err);
        if (st != OK)
            return st;
        double weight = weigh(x, t, n, &alike);
        add_meaning(x, &alike, weight, m);
        total += weight;
        for (size_t k = 0; k < n; k++)
            add_vector(x, &t[k], weight, whole);
    }
    subject->scale = meanings_quantize(whole, subject->codes, &sum);
    subject->total = total > 0 ? (float)total : 1;
    return OK;
}

/* Those documents whose score without the likeness as a whole is at least `from`, and below `below`, and that have
 * `least` at least with it. */
struct span {
    float from, below;
    double least;
};

static size_t count_span(const struct scratch *m, const struct span *span)
{
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_touched; i++)
        n += m->partial[i] >= span->from && m->partial[i] < span->below;
    return n;
}

struct hit_list {
    struct meaning_hit *items; /* [n], in the arena */
    size_t n;
};

/* Adds them to `out`. */
static enum status collect_span(const struct meanings *x, const struct subject *q, const struct scratch *m,
                                const struct span *span, const struct label_test *passing, struct arena *a,
                                struct hit_list *out, struct error *err)
{
    struct meaning_hit *hits = arena_array(a, out->n + count_span(m, span) + 1, sizeof *hits);
    if (!hits)
        return err_no_memory(err, "the documents' words");
    if (out->n)
        memcpy(hits, out->items, out->n * sizeof *hits);
    out->items = hits;
    for (uint32_t i = 0; i < m->n_touched; i++) {
        if (m->partial[i] < span->from || m->partial[i] >= span->below)
            continue;
        int64_t id = x->slots[m->touched[i]].id;
        if (passing && !label_passes(passing, id))
            continue;
        double score = (double)score_of(x, q, m->touched[i], m->partial[i]);
        if (score >= span->least)
            hits[out->n++] = (struct meaning_hit){id, score};
    }
    return OK;
}

/* The score of the k-th best, rounded down to where meanings_least_of draws its line; LEAST_SCORE if there are fewer.
 * scores: [hits->n], which this reorders. */
static double kth_best(const struct hit_list *hits, size_t k, double *scores)
{
    for (size_t i = 0; i < hits->n; i++)
        scores[i] = hits->items[i].score;
    double best = k && hits->n >= k ? select_greatest(scores, hits->n, k) : 0;
    return fmax(floor(best * MEANINGS_STEPS) / MEANINGS_STEPS, LEAST_SCORE);
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those that are the best
 * without it; then, of the others, only those that it could still lift to them. */
static enum status meanings_collect(const struct meanings *x, const struct subject *q, struct scratch *m,
                                    const struct label_test *passing, size_t most, struct arena *a,
                                    struct hit_list *out, struct error *err)
{
    const float step = 1.0f / MEANINGS_STEPS;
    for (uint32_t i = 0; i < m->n_touched; i++)
        m->partial[i] = m->tallies[m->touched[i]].score / q->total;
    struct span span = {(float)meanings_reached_by(m->partial, m->n_touched, most), INFINITY, LEAST_SCORE};
    enum status st = collect_span(x, q, m, &span, passing, a, out, err);
    double *scores = st == OK ? arena_array(a, out->n + 1, sizeof *scores) : NULL;
    if (!scores)
        return st == OK ? err_no_memory(err, "the documents' words") : st;
    span.least = kth_best(out, most, scores);
    span.below = span.from;
    for (span.from = 0; (double)with_whole(q, span.from + step, 1) < span.least;)
        span.from += step;
    return collect_span(x, q, m, &span, passing, a, out, err);
}

/* The best first, `most` at most. */
static enum status cut_hits(struct hit_list *hits, size_t most, struct arena *a, struct error *err)
{
    size_t n = 0;
    float *scores = arena_array(a, hits->n + 1, sizeof *scores);
    if (!scores)
        return err_no_memory(err, "the documents' words");
    for (size_t i = 0; i < hits->n; i++)
        scores[i] = (float)hits->items[i].score;
    double least = meanings_least_of(scores, hits->n, most);
    for (size_t i = 0; i < hits->n; i++)
        if (hits->items[i].score >= least)
            hits->items[n++] = hits->items[i];
    if (n)
        qsort(hits->items, n, sizeof *hits->items, meanings_by_score);
    hits->n = n < most ? n : most;
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
    enum status st = text_analyze(text, len, MAX_QUERY, a, &out->terms, err);
    const char *names = st == OK && out->terms.count == 0 ? sign_names(text, len, a) : NULL;
    if (names) {
        text = names;
        len = strlen(names);
        st = text_analyze(text, len, MAX_QUERY, a, &out->terms, err);
    }
    return st == OK ? text_query_stems(text, len, a, &out->query, err) : st;
}

enum status meanings_search(struct meanings *x, const char *text, size_t len, const struct label_test *passing,
                            size_t most, struct arena *a, struct meaning_hit **out, size_t *n, const char **corrected,
                            struct error *err)
{
    struct asked asked;
    struct subject subject;
    struct hit_list hits = {0};
    struct scratch *scratch = NULL;
    *corrected = NULL;
    pthread_rwlock_rdlock(&x->lock);
    enum status st = put_right(x, text, len, a, corrected, err);
    if (st == OK)
        st = *corrected ? read_query(*corrected, strlen(*corrected), a, &asked, err)
                        : read_query(text, len, a, &asked, err);
    if (st == OK && !(scratch = scratch_take(x)))
        st = err_no_memory(err, "the documents' words");
    if (st == OK)
        st = score_all(x, &asked.query, &asked.terms, a, scratch, &subject, err);
    if (st == OK)
        st = meanings_collect(x, &subject, scratch, passing, most, a, &hits, err);
    if (st == OK)
        st = cut_hits(&hits, most, a, err);
    if (scratch)
        scratch_give(x, scratch);
    pthread_rwlock_unlock(&x->lock);
    *out = hits.items;
    *n = st == OK ? hits.n : 0;
    return st;
}
