/* What a misspelled word of a query was meant to be. */
#include "rank/meanings_internal.h"

#include "base/buf.h"
#include "base/utf8.h"
#include "words/spelling.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_TRIED 8u      /* words that nobody knows: finding what was meant takes a millisecond each */
#define COMMON    50000u  /* words of the lexicon that may have been meant, */
#define RARE      100000u /* and beyond which they may be misspelled */

bool meanings_read_common(struct meanings *x)
{
    uint32_t n = lexicon_count(x->lexicon);
    x->n_common = n < COMMON ? n : COMMON;
    x->common = calloc(x->n_common + 1u, sizeof *x->common);
    for (uint32_t i = 0; x->common && i < x->n_common; i++) {
        size_t len;
        const char *word = lexicon_word(x->lexicon, i, &len);
        x->common[i] = meanings_letters(word, len);
    }
    return x->common;
}

/* Have two words more than `allowed` letters that only one of them has? */
static bool differ(uint32_t letters, uint32_t others, unsigned allowed)
{
    uint32_t left = letters ^ others;
    for (; allowed; allowed--) /* as often for all words, so that the processor foretells the branch */
        left &= left - 1;
    return left != 0;
}

/* The library's word nearest to one that nobody knows, the more frequent of two; where none is near, the lexicon's.
 * NULL: none. In the arena. */
static const char *correct(const struct meanings *x, const char *word, struct arena *a)
{
    size_t len = strlen(word);
    uint32_t letters = meanings_letters(word, len);
    unsigned allowed = spelling_allowed(len), best = allowed + 1;
    const struct entry *found = NULL;
    for (uint32_t i = 0; i < x->n && allowed; i++) {
        const struct entry *e = &x->entries[i];
        if (differ(letters, x->letters[i], allowed) || !e->n)
            continue;
        unsigned d = spelling_distance(word, len, e->word, strlen(e->word), allowed);
        if (d < best ||
            (d == best && found && (e->n > found->n || (e->n == found->n && strcmp(e->word, found->word) < 0)))) {
            best = d;
            found = e;
        }
    }
    if (found)
        return arena_strdup(a, found->word);
    const char *other = NULL;
    for (uint32_t i = 0; i < x->n_common && allowed; i++) {
        if (differ(letters, x->common[i], allowed))
            continue;
        size_t other_len;
        const char *w = lexicon_word(x->lexicon, i, &other_len);
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
    return text_query(word, strlen(word), LANGUAGE_en, false, NULL, a, &q, NULL) != OK ||
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

enum status meanings_put_right(const struct meanings *x, const char *text, size_t len, struct arena *a,
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
        if (word && words++ < MEANINGS_MAX_QUERY && tried < MAX_TRIED)
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
