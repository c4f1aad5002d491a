/* How a phrase becomes words. Emoji are cut out of the raw text first, because NFKC would take some
 * of them apart (U+2122 into "tm"); what lies between them is normalised and split. ASCII, the usual
 * case, takes a path without tables. */
#include "text/text_internal.h"

#include "base/utf8.h"
#include "text/chars.h"
#include "text/emoji.h"
#include "text/normal.h"

#include <libstemmer.h>
#include <string.h>

#define MAX_TEXT_BYTES (256u << 10)
#define MAX_CELL_WORDS 1000u

struct analysis {
    struct arena *arena;
    struct text_terms *out;
    size_t cap, max_terms;
    bool stemmed;
    enum status status;

    char word[TEXT_MAX_WORD]; /* the word being read, in lower case */
    size_t word_len, elided;  /* bytes; elided: how many precede an apostrophe as in "l'avion" */
    bool word_is_ascii;
};

static struct text_term *push_term(struct analysis *a)
{
    struct text_terms *t = a->out;
    if (a->status != OK || t->count == a->max_terms)
        return NULL;
    if (t->count == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 16;
        struct text_term *items = arena_room(a->arena, cap, sizeof *items);
        if (!items) {
            a->status = ERR_NO_MEMORY;
            return NULL;
        }
        if (t->count)
            memcpy(items, t->items, t->count * sizeof *items);
        t->items = items;
        a->cap = cap;
    }
    return &t->items[t->count++];
}

/* The copy of `like` when that is the same text, else a new one. */
static const char *keep_copy(struct analysis *a, const char *s, size_t len, const char *like)
{
    if (like && strncmp(like, s, len) == 0 && !like[len])
        return like;
    const char *copy = arena_strndup(a->arena, s, len);
    if (!copy)
        a->status = ERR_NO_MEMORY;
    return copy;
}

/* A term that is matched as it stands. */
static void emit_term(struct analysis *a, const char *s, size_t len, struct text_term kind)
{
    struct text_term *t = push_term(a);
    if (!t)
        return;
    *t = kind;
    t->stem = t->folded = t->spelled = keep_copy(a, s, len, NULL);
}

static void word_add(struct analysis *a, uint32_t cp)
{
    char bytes[4];
    size_t n = utf8_encode(cp, bytes);
    if (a->word_len + n > TEXT_MAX_WORD)
        return;
    memcpy(a->word + a->word_len, bytes, n);
    a->word_len += n;
    a->word_is_ascii = a->word_is_ascii && cp < 0x80;
}

/* The stem of a folded word in English: of other letters Porter's rules know nothing. */
static const char *english_stem(struct analysis *a, const char *folded, size_t *len)
{
    for (size_t i = 0; i < *len; i++)
        if ((unsigned char)folded[i] >= 0x80)
            return folded;
    struct sb_stemmer *stemmer = text_stemmer(LANGUAGE_en);
    if (!stemmer) {
        a->status = ERR_NO_MEMORY;
        return folded;
    }
    const sb_symbol *s = sb_stemmer_stem(stemmer, (const sb_symbol *)folded, (int)*len);
    if (!s || sb_stemmer_length(stemmer) <= 0)
        return folded;
    *len = (size_t)sb_stemmer_length(stemmer);
    return (const char *)s;
}

static void word_end(struct analysis *a)
{
    char plain[TEXT_MAX_FOLDED];
    const char *folded = a->word;
    size_t len = a->word_len;
    if (len && !a->word_is_ascii && a->stemmed) {
        len = text_fold(a->word, a->word_len, plain);
        folded = plain;
    }
    struct text_term *t = len ? push_term(a) : NULL;
    if (t) {
        *t = (struct text_term){.folded = keep_copy(a, folded, len, NULL)};
        t->spelled = keep_copy(a, a->word + a->elided, a->word_len - a->elided, t->folded);
        t->stem = t->folded;
        if (a->stemmed && a->status == OK) {
            const char *stem = english_stem(a, folded, &len);
            t->stem = keep_copy(a, stem, len, t->folded);
        }
    }
    a->word_len = a->elided = 0;
    a->word_is_ascii = true;
}

/* An apostrophe inside a word: "cat's" is cat, "don't" is dont, and "l'avion" lavion in English, avion in
 * other languages. Returns how many code points after the apostrophe are dropped with it. */
static size_t apostrophe(struct analysis *a, uint32_t after, bool beyond_is_letter)
{
    if ((after == 's' || after == 'S') && !beyond_is_letter)
        return 1;
    if (!a->elided && a->word_len <= 2 && a->word_is_ascii)
        a->elided = a->word_len;
    return 0;
}

static bool ascii_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void ascii_segment(struct analysis *a, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (ascii_alnum(c))
            word_add(a, c >= 'A' && c <= 'Z' ? (uint32_t)(c + 32) : c);
        else if (c == '\'' && a->word_len && i + 1 < len && ascii_alnum((unsigned char)s[i + 1]))
            i += apostrophe(a, (unsigned char)s[i + 1], i + 2 < len && ascii_alnum((unsigned char)s[i + 2]));
        else
            word_end(a);
    }
    word_end(a);
}

/* --- text beyond ASCII --- */

static bool text_in(uint32_t cp, uint32_t first, uint32_t last)
{
    return cp >= first && cp <= last;
}

/* Scripts written without spaces, or (Hangul) with endings grown on: matched by bigrams. */
static bool is_unspaced(uint32_t cp)
{
    if (cp < 0x0e00)
        return false;
    return text_in(cp, 0x0e00, 0x0eff) ||                                /* Thai, Lao */
           text_in(cp, 0x1000, 0x109f) || text_in(cp, 0x1780, 0x17ff) || /* Myanmar, Khmer */
           text_in(cp, 0x1100, 0x11ff) || text_in(cp, 0xa960, 0xa97f) || /* Hangul */
           text_in(cp, 0xac00, 0xd7ff) || text_in(cp, 0x3130, 0x318f) || /* Hangul */
           text_in(cp, 0x3041, 0x30ff) || text_in(cp, 0x31f0, 0x31ff) || /* Kana */
           text_in(cp, 0x1b000, 0x1b16f) ||                              /* old Kana */
           text_in(cp, 0x2e80, 0x2fdf) || text_in(cp, 0x3005, 0x3007) || /* Han */
           text_in(cp, 0x3021, 0x3029) || text_in(cp, 0x3400, 0x4dbf) || /* Han */
           text_in(cp, 0x4e00, 0x9fff) || text_in(cp, 0xf900, 0xfaff) || /* Han */
           text_in(cp, 0x20000, 0x3ffff);                                /* Han */
}

static bool text_is_word(uint32_t cp)
{
    return cp < 0x80 ? ascii_alnum((unsigned char)cp) : chars_is_word(cp);
}

bool text_is_han(uint32_t cp)
{
    return text_in(cp, 0x2e80, 0x2fdf) || text_in(cp, 0x3005, 0x3007) || text_in(cp, 0x3400, 0x9fff) ||
           text_in(cp, 0xf900, 0xfaff) || text_in(cp, 0x20000, 0x3ffff);
}

/* Every character of the run starts a term: bigrams, and the last one alone, so that a single typed
 * character finds each word holding it by prefix. */
static size_t bigrams(struct analysis *a, const int32_t *cps, size_t n)
{
    size_t run = 1;
    while (run < n && is_unspaced((uint32_t)cps[run]) && text_is_word((uint32_t)cps[run]))
        run++;
    for (size_t i = 0; i < run; i++) {
        char bytes[8];
        bool last = i + 1 == run;
        struct text_term kind = {.is_run = true,
                                 .is_tail = last && run > 1,
                                 .is_only = run == 1,
                                 .is_han = last && text_is_han((uint32_t)cps[i])};
        size_t len = utf8_encode(text_fold_kana((uint32_t)cps[i]), bytes);
        if (!last)
            len += utf8_encode(text_fold_kana((uint32_t)cps[i + 1]), bytes + len);
        emit_term(a, bytes, len, kind);
    }
    return run;
}

/* In the arena; NULL: a->status says why, or that there is nothing. */
static int32_t *normal_of(struct analysis *a, const char *s, size_t len, size_t *n)
{
    int32_t *cps = arena_room(a->arena, len, sizeof *cps);
    *n = 0;
    if (!cps || chars_normal(s, len, cps, n)) {
        a->status = cps ? OK : ERR_NO_MEMORY;
        return cps;
    }
    ptrdiff_t need = normal_text(s, len, cps, len);
    if (need > (ptrdiff_t)len) {
        if (!(cps = arena_room(a->arena, (size_t)need, sizeof *cps)))
            a->status = ERR_NO_MEMORY;
        else
            need = normal_text(s, len, cps, (size_t)need);
    }
    if (need < 0)
        a->status = ERR_INVALID;
    *n = need < 0 ? 0 : (size_t)need;
    return a->status == OK ? cps : NULL;
}

static void unicode_segment(struct analysis *a, const char *s, size_t len)
{
    size_t n;
    const int32_t *cps = normal_of(a, s, len, &n);
    if (!cps)
        return;
    for (size_t i = 0; i < n; i++) {
        uint32_t cp = (uint32_t)cps[i];
        if (text_is_word(cp) && is_unspaced(cp)) {
            word_end(a);
            i += bigrams(a, cps + i, n - i) - 1;
        } else if (text_is_word(cp)) {
            word_add(a, cp);
        } else if ((cp == '\'' || cp == 0x2019) && a->word_len && i + 1 < n && text_is_word((uint32_t)cps[i + 1])) {
            i += apostrophe(a, (uint32_t)cps[i + 1], i + 2 < n && text_is_word((uint32_t)cps[i + 2]));
        } else {
            word_end(a);
        }
    }
    word_end(a);
}

static void segment(struct analysis *a, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] >= 0x80) {
            unicode_segment(a, s, len);
            return;
        }
    ascii_segment(a, s, len);
}

/* One term for the whole sequence; for a joined one (family, heart on fire) also one for each part. */
static void emit_emoji(struct analysis *a, const char *s, size_t len)
{
    char name[EMOJI_MAX_NAME];
    size_t n = emoji_name(s, len, name);
    const struct text_term kind = {.is_emoji = true};
    emit_term(a, name, n, kind);
    for (size_t at = 0; emoji_part(s, len, &at, name, &n);)
        emit_term(a, name, n, kind);
}

enum status text_split(const char *s, size_t len, size_t max_terms, bool stemmed, struct arena *arena,
                       struct text_terms *out, struct error *err)
{
    *out = (struct text_terms){0};
    if (len > MAX_TEXT_BYTES)
        return err_set(err, ERR_TOO_LARGE, "text of %zu bytes: at most %u", len, MAX_TEXT_BYTES);
    struct analysis a = {.arena = arena, .out = out, .max_terms = max_terms, .stemmed = stemmed, .word_is_ascii = true};
    size_t start = 0;
    for (size_t i = 0; i < len && a.status == OK && out->count < max_terms;) {
        size_t n = emoji_may_begin((unsigned char)s[i]) ? emoji_sequence(s + i, len - i) : 0;
        if (n) {
            segment(&a, s + start, i - start);
            emit_emoji(&a, s + i, n);
            start = i += n;
        } else {
            i++;
        }
    }
    if (a.status == OK && out->count < max_terms)
        segment(&a, s + start, len - start);
    if (a.status == ERR_INVALID)
        return err_set(err, ERR_INVALID, "text is not valid UTF-8");
    if (a.status != OK)
        return err_set(err, a.status, "no memory for the terms of a text of %zu bytes", len);
    return OK;
}

enum status text_analyze(const char *s, size_t len, size_t max_terms, struct arena *arena, struct text_terms *out,
                         struct error *err)
{
    return text_split(s, len, max_terms, true, arena, out, err);
}

static char *terms_join(const struct text_terms *t, struct arena *arena, bool stems)
{
    size_t need = 1;
    for (size_t i = 0; i < t->count; i++)
        need += strlen(stems ? t->items[i].stem : t->items[i].folded) + 1;
    char *joined_terms = arena_alloc(arena, need);
    if (!joined_terms)
        return NULL;
    char *p = joined_terms;
    for (size_t i = 0; i < t->count; i++) {
        const char *word = stems ? t->items[i].stem : t->items[i].folded;
        size_t n = strlen(word);
        if (i)
            *p++ = ' ';
        memcpy(p, word, n);
        p += n;
    }
    return joined_terms;
}

char *text_join_stems(const struct text_terms *t, struct arena *arena)
{
    return terms_join(t, arena, true);
}

char *text_join_folded(const struct text_terms *t, struct arena *arena)
{
    return terms_join(t, arena, false);
}

char *text_normalize_words(const char *words, struct arena *arena)
{
    size_t len = strlen(words);
    char *out = arena_alloc(arena, 2 * len + 1); /* "a,b" grows to "a, b" */
    struct piece {
        const char *s;
        size_t len;
    } *kept = arena_array(arena, MAX_CELL_WORDS < len ? MAX_CELL_WORDS : len + 1, sizeof *kept);
    if (!out || !kept)
        return NULL;
    size_t n_kept = 0, written = 0;
    for (size_t i = 0; i <= len && n_kept < MAX_CELL_WORDS;) {
        struct piece p = {.s = words + i, .len = strcspn(words + i, ",;|")};
        i += p.len + 1;
        utf8_trim(&p.s, &p.len);
        bool repeated = p.len == 0;
        for (size_t k = 0; k < n_kept && !repeated; k++)
            repeated = kept[k].len == p.len && memcmp(kept[k].s, p.s, p.len) == 0;
        if (repeated)
            continue;
        if (n_kept) {
            memcpy(out + written, ", ", 2);
            written += 2;
        }
        memcpy(out + written, p.s, p.len);
        written += p.len;
        kept[n_kept++] = p;
    }
    out[written] = '\0';
    return out;
}
