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
#define GROW        8u      /* how many times as many documents are compared as a whole in the next round */
#define ROWS        64u     /* documents that are compared as a whole at a time */
#define RANK_SHARE  1.2     /* a word weighs at most this times ln(2 + its rank in English / RANK_FROM); */
#define RANK_FROM   200.0   /* both tuned on the dev split of eval/starter.csv */

/* Have two words more than `allowed` letters that only one of them has? */
static bool differ(uint32_t letters, uint32_t others, unsigned allowed)
{
    uint32_t left = letters ^ others;
    for (; left && allowed; allowed--)
        left &= left - 1;
    return left != 0;
}

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
        if (differ(letters, x->letters[i], allowed) || !e->n)
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
        if (differ(letters, meanings_letters(w, other_len), allowed))
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

/* A word or term of the query that counts, and the documents' words that are like it. */
struct asked_word {
    struct alike_list alike;
    float weight;
    uint32_t *seen; /* [alike.n] how many of each one's postings were looked at, in the arena */
};

/* In the three functions below what is written does not depend on a branch, and what is counted stays in registers. */

/* Notes, per document of the block that has one of these words, the most alike one and the sum of all. */
static void mark_alike(const struct entry *e, float score, uint32_t from, uint32_t *seen, struct scratch *m)
{
    const float scores[] = {score * POSTING_WEIGHT(0), score * POSTING_WEIGHT(1)};
    uint32_t k = *seen, n = e->n, n_marked = m->n_marked, *marked = m->marked;
    const uint32_t *postings = e->postings;
    struct likeness *likeness = m->likeness;
    for (; k < n && POSTING_OF(postings[k]) - from < MEANINGS_BLOCK; k++) {
        uint32_t place = POSTING_OF(postings[k]) - from;
        struct likeness l = likeness[place];
        float s = scores[postings[k] % 2];
        marked[n_marked] = place;
        n_marked += l.sum <= 0;
        likeness[place] = (struct likeness){s > l.best ? s : l.best, l.sum + s};
    }
    *seen = k;
    m->n_marked = n_marked;
}

/* Adds, per document, weight times the likeness of its most alike word, and a share of what is left to 1 for its
 * other words that are alike: of many stickers with one such word each, those with several come first. */
static void add_marked(float weight, struct scratch *m)
{
    uint32_t n_scored = m->n_scored, *scored = m->scored;
    float *scores = m->scores;
    for (uint32_t i = 0, n = m->n_marked; i < n; i++) {
        uint32_t place = m->marked[i];
        struct likeness l = m->likeness[place];
        float score = scores[place], rest = MORE * (l.sum - l.best);
        scored[n_scored] = place;
        n_scored += score <= 0;
        scores[place] = score + weight * (l.best + (1 - l.best) * rest / (1 + rest));
        m->likeness[place] = (struct likeness){0};
    }
    m->n_marked = 0;
    m->n_scored = n_scored;
}

/* The documents of the block whose share of `total` is at least `least`. */
static void take_scores(uint32_t from, float total, float least, struct scratch *m)
{
    uint32_t n_slots = 0, *slots = m->slots;
    float *partial = m->partial;
    for (uint32_t i = 0, n = m->n_scored; i < n; i++) {
        uint32_t place = m->scored[i];
        float share = m->scores[place] / total;
        slots[n_slots] = from + place;
        partial[n_slots] = share;
        n_slots += share >= least;
        m->scores[place] = 0;
    }
    m->n_scored = 0;
    m->n_slots = n_slots;
}

static void score_block(const struct meanings *x, uint32_t from, struct asked_word *words, size_t n, struct scratch *m)
{
    for (size_t w = 0; w < n; w++) {
        const struct alike_list *alike = &words[w].alike;
        for (uint32_t i = 0; i < alike->n; i++)
            mark_alike(&x->entries[alike->items[i].entry], alike->items[i].score, from, &words[w].seen[i], m);
        add_marked(words[w].weight, m);
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
    free(m->likeness);
    free(m->scores);
    free(m->marked);
    free(m->scored);
    free(m->slots);
    free(m->partial);
    free(m->dots);
    free(m->alike);
    free(m->words);
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

static struct scratch *scratch_new(uint32_t words)
{
    struct scratch *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->cap_words = words;
    m->likeness = calloc(MEANINGS_BLOCK, sizeof *m->likeness);
    m->scores = calloc(MEANINGS_BLOCK, sizeof *m->scores);
    m->marked = calloc(MEANINGS_BLOCK + 1, sizeof *m->marked); /* one more, where what does not count is written */
    m->scored = calloc(MEANINGS_BLOCK + 1, sizeof *m->scored);
    m->slots = calloc(MEANINGS_BLOCK + 1, sizeof *m->slots);
    m->partial = calloc(MEANINGS_BLOCK + 1, sizeof *m->partial);
    m->dots = calloc(words, sizeof *m->dots);
    m->alike = calloc(words, sizeof *m->alike);
    m->words = calloc(words, sizeof *m->words);
    if (!m->likeness || !m->scores || !m->marked || !m->scored || !m->slots || !m->partial || !m->dots || !m->alike ||
        !m->words) {
        scratch_free(m);
        return NULL;
    }
    return m;
}

/* One that no search uses, large enough for the words of now; NULL: no memory. */
static struct scratch *scratch_take(struct meanings *x)
{
    pthread_mutex_lock(&x->scratch_lock);
    struct scratch *m = x->scratch;
    if (m)
        x->scratch = m->next;
    pthread_mutex_unlock(&x->scratch_lock);
    if (m && m->cap_words >= x->n)
        return m;
    if (m)
        scratch_free(m);
    return scratch_new(x->cap);
}

static void scratch_give(struct meanings *x, struct scratch *m)
{
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

/* Below it no document can reach a score: what it would need if it were about the same. A step less, as numbers are
 * rounded. */
static float least_partial(const struct subject *q, double score)
{
    return (float)(q->scale > 0 ? score * (1 + WHOLE) - WHOLE : score) - 1.0f / MEANINGS_STEPS;
}

/* Compares documents with the query as a whole: cosines[n] of those in these slots, n <= ROWS. Their vectors lie
 * anywhere in memory, so they are brought together first. */
static void compare_whole(const struct meanings *x, const struct subject *q, const uint32_t *slots, size_t n,
                          float *cosines)
{
    _Alignas(64) int8_t codes[ROWS * WORDS_STRIDE] = {0};
    int32_t sums[ROWS] = {0}, dots[ROWS];
    for (size_t i = 0; i < n; i++) {
        memcpy(codes + i * WORDS_STRIDE, x->means.codes + (size_t)slots[i] * WORDS_STRIDE, WORDS_STRIDE);
        sums[i] = x->means.sums[slots[i]];
        cosines[i] = x->means.scales[slots[i]];
    }
    x->kernels->dot_i8(codes, sums, n, WORDS_STRIDE, q->codes, 1, dots);
    for (size_t i = 0; i < n; i++)
        cosines[i] = fminf(fmaxf(q->scale * cosines[i] * (float)dots[i], 0), 1);
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

/* words: [MAX_QUERY], of which *n are set. */
static enum status ask_words(const struct meanings *x, const struct term_query *q, const struct text_terms *terms,
                             struct arena *a, struct scratch *m, struct asked_word *words, size_t *n_words,
                             struct subject *subject, struct error *err)
{
    int32_t sum;
    double total = 0;
    float whole[LEXICON_DIM] = {0};
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
        if (!(w->seen = arena_array(a, w->alike.n + 1u, sizeof *w->seen)))
            return err_no_memory(err, "the documents' words");
        memset(w->seen, 0, w->alike.n * sizeof *w->seen);
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

/* The best of the documents looked at so far: those with a score of `least` at least. */
struct best {
    const struct label_test *passing;
    size_t most;
    double least;
    struct meaning_hit *items; /* [n] of cap, in the arena */
    double *scores;            /* [cap] to work with */
    size_t n, cap;
};

/* Room for so many more. */
static enum status best_reserve(struct best *b, size_t more, struct arena *a, struct error *err)
{
    if (b->items && more <= b->cap - b->n)
        return OK;
    size_t cap = 2 * (b->n + more);
    struct meaning_hit *items = arena_array(a, cap + 1, sizeof *items);
    b->scores = arena_array(a, cap + 1, sizeof *b->scores);
    if (!items || !b->scores)
        return err_no_memory(err, "the documents' words");
    if (b->n)
        memcpy(items, b->items, b->n * sizeof *items);
    b->items = items;
    b->cap = cap;
    return OK;
}

/* Raises `least` to the score of the `most`-th, rounded down to where meanings_least_of draws its line, and leaves out
 * what is below. */
static void best_raise(struct best *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++)
        b->scores[i] = b->items[i].score;
    double last = b->most && b->n >= b->most ? select_greatest(b->scores, b->n, b->most) : 0;
    b->least = fmax(floor(last * MEANINGS_STEPS) / MEANINGS_STEPS, b->least);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].score >= b->least)
            b->items[kept++] = b->items[i];
    b->n = kept;
}

/* Adds those of n documents, n <= ROWS, that are among the best so far. */
static void add_rows(const struct meanings *x, const struct subject *q, const uint32_t *slots, const float *partial,
                     size_t n, struct best *b)
{
    float cosines[ROWS] = {0};
    if (n && q->scale > 0)
        compare_whole(x, q, slots, n, cosines);
    for (size_t i = 0; i < n; i++) {
        double score = (double)with_whole(q, partial[i], cosines[i]);
        int64_t id = score >= b->least ? x->slots[slots[i]].id : 0;
        if (score >= b->least && (!b->passing || label_passes(b->passing, id)))
            b->items[b->n++] = (struct meaning_hit){id, score};
    }
}

/* Adds those of the block's documents that have at least `from`, and less than `below`, without the likeness as a
 * whole. */
static void add_span(const struct meanings *x, const struct subject *q, const struct scratch *m, float from,
                     float below, struct best *b)
{
    uint32_t slots[ROWS];
    float partial[ROWS];
    size_t n = 0;
    for (uint32_t i = 0; i < m->n_slots; i++) {
        slots[n] = m->slots[i];
        partial[n] = m->partial[i];
        n += m->partial[i] >= from && m->partial[i] < below;
        if (n == ROWS) {
            add_rows(x, q, slots, partial, n, b);
            n = 0;
        }
    }
    add_rows(x, q, slots, partial, n, b);
    best_raise(b);
}

/* The greatest step from which on there are `wanted` documents; 0 if there are fewer. */
static float step_of(const uint32_t counts[MEANINGS_STEPS], size_t wanted)
{
    size_t above = 0, step = MEANINGS_STEPS;
    while (step > 0 && above < wanted)
        above += counts[--step];
    return (float)step / MEANINGS_STEPS;
}

/* How alike two are as a whole is a look at a far place in memory for each document. So first those of the block that
 * are the best without it; then, in rounds, more of the others, as long as it could still lift them to the best. */
static enum status add_block(const struct meanings *x, const struct subject *q, const struct scratch *m,
                             struct arena *a, struct best *b, struct error *err)
{
    uint32_t counts[MEANINGS_STEPS] = {0};
    float below = INFINITY;
    meanings_count_steps(m->partial, m->n_slots, counts);
    for (size_t wanted = b->most; below > 0 && below > least_partial(q, b->least);
         wanted = wanted > SIZE_MAX / GROW ? SIZE_MAX : wanted * GROW) {
        float from = fmaxf(step_of(counts, wanted), least_partial(q, b->least));
        if (from >= below) /* many are alike: a larger round */
            continue;
        enum status st = best_reserve(b, m->n_slots, a, err);
        if (st != OK)
            return st;
        add_span(x, q, m, from, below, b);
        below = from;
    }
    return OK;
}

static enum status find_best(const struct meanings *x, const struct subject *q, struct asked_word *words, size_t n,
                             struct scratch *m, struct arena *a, struct best *b, struct error *err)
{
    enum status st = OK;
    for (uint32_t from = 0; from < x->n_slots && st == OK; from += MEANINGS_BLOCK) {
        score_block(x, from, words, n, m);
        take_scores(from, q->total, least_partial(q, b->least), m);
        st = add_block(x, q, m, a, b, err);
    }
    return st;
}

/* The best first, `most` at most. */
static enum status cut_hits(struct best *b, struct arena *a, struct error *err)
{
    size_t n = 0;
    float *scores = arena_array(a, b->n + 1, sizeof *scores);
    if (!scores)
        return err_no_memory(err, "the documents' words");
    for (size_t i = 0; i < b->n; i++)
        scores[i] = (float)b->items[i].score;
    double least = meanings_least_of(scores, b->n, b->most);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].score >= least)
            b->items[n++] = b->items[i];
    if (n)
        qsort(b->items, n, sizeof *b->items, meanings_by_score);
    b->n = n < b->most ? n : b->most;
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
    struct asked_word words[MAX_QUERY];
    struct best best = {.passing = passing, .most = most, .least = LEAST_SCORE};
    struct scratch *scratch = NULL;
    size_t n_words = 0;
    *corrected = NULL;
    pthread_rwlock_rdlock(&x->lock);
    enum status st = put_right(x, text, len, a, corrected, err);
    if (st == OK)
        st = *corrected ? read_query(*corrected, strlen(*corrected), a, &asked, err)
                        : read_query(text, len, a, &asked, err);
    if (st == OK && !(scratch = scratch_take(x)))
        st = err_no_memory(err, "the documents' words");
    if (st == OK)
        st = ask_words(x, &asked.query, &asked.terms, a, scratch, words, &n_words, &subject, err);
    if (st == OK)
        st = find_best(x, &subject, words, n_words, scratch, a, &best, err);
    if (st == OK)
        st = cut_hits(&best, a, err);
    if (scratch)
        scratch_give(x, scratch);
    pthread_rwlock_unlock(&x->lock);
    *out = best.items;
    *n = st == OK ? best.n : 0;
    return st;
}
