#include "sticker_service/phrase_list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_BYTES (64u << 20) /* of all phrases */
#define WORDS_MAX  6u          /* of one phrase, that it is found by */
#define SCAN_MAX   5000u       /* keys looked at for one answer: of "a" not all */

#define NEAR_MIN      4u  /* characters: fewer with one of them wrong may be anything */
#define TYPED_MAX     64u /* bytes: longer ones are searched for as they are */
#define SIGNS_MAX     64u /* characters tried at one place */
#define NEAR_SCAN_MAX 200u

struct phrase {
    const char *text, *plain;
    unsigned count;
    enum suggestion_kind kind;
};
struct key {
    const char *at; /* in its phrase's plain form, where a word begins */
    uint32_t phrase;
};
struct phrase_list {
    struct arena texts;
    struct phrase *phrases; /* by plain form once sorted */
    struct key *keys;       /* by what follows `at` */
    size_t n, cap, n_keys;
};

struct phrase_list *phrase_list_new(void)
{
    struct phrase_list *l = calloc(1, sizeof *l);
    if (l)
        arena_init(&l->texts, TEXT_BYTES);
    return l;
}

void phrase_list_free(struct phrase_list *l)
{
    if (!l)
        return;
    arena_free(&l->texts);
    free(l->phrases);
    free(l->keys);
    free(l);
}

void phrase_list_add(struct phrase_list *l, const char *text, const char *plain, enum suggestion_kind kind,
                     unsigned count)
{
    if (!*plain || l->n == PHRASE_LIST_MAX)
        return;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 1024;
        struct phrase *grown = realloc(l->phrases, cap * sizeof *grown);
        if (!grown)
            return;
        l->phrases = grown;
        l->cap = cap;
    }
    const char *own = arena_strdup(&l->texts, text);
    const char *own_plain = own && strcmp(text, plain) == 0 ? own : arena_strdup(&l->texts, plain);
    if (own && own_plain)
        l->phrases[l->n++] = (struct phrase){own, own_plain, count, kind};
}

/* --- sorting --- */

static int by_plain(const void *x, const void *y)
{
    const struct phrase *a = x, *b = y;
    int order = strcmp(a->plain, b->plain);
    return order ? order : (int)a->kind - (int)b->kind;
}

static int by_rest(const void *x, const void *y)
{
    const struct key *a = x, *b = y;
    int order = strcmp(a->at, b->at);
    return order ? order : (a->phrase > b->phrase) - (a->phrase < b->phrase);
}

/* Phrases with one plain form become one, which is of the first kind and counts for all. */
static void join_equal(struct phrase_list *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (kept && strcmp(l->phrases[kept - 1].plain, l->phrases[i].plain) == 0)
            l->phrases[kept - 1].count += l->phrases[i].count;
        else
            l->phrases[kept++] = l->phrases[i];
    }
    l->n = kept;
}

void phrase_list_sort(struct phrase_list *l)
{
    if (l->n)
        qsort(l->phrases, l->n, sizeof *l->phrases, by_plain);
    join_equal(l);
    free(l->keys);
    l->n_keys = 0;
    l->keys = calloc(l->n * WORDS_MAX + 1, sizeof *l->keys);
    if (!l->keys)
        return;
    for (size_t i = 0; i < l->n; i++) {
        const char *at = l->phrases[i].plain;
        for (unsigned words = 0; at && words < WORDS_MAX; words++) {
            l->keys[l->n_keys++] = (struct key){at, (uint32_t)i};
            at = strchr(at, ' ');
            at = at ? at + 1 : NULL;
        }
    }
    if (l->n_keys)
        qsort(l->keys, l->n_keys, sizeof *l->keys, by_rest);
    struct key *fitting = realloc(l->keys, (l->n_keys + 1) * sizeof *fitting);
    l->keys = fitting ? fitting : l->keys;
}

/* --- asking --- */

/* The first key that is not before the text. */
static size_t first_key(const struct phrase_list *l, const char *text, size_t len)
{
    size_t low = 0, high = l->n_keys;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strncmp(l->keys[middle].at, text, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool knows_word(const struct phrase_list *l, const char *word, size_t len)
{
    for (size_t i = first_key(l, word, len); i < l->n_keys && strncmp(l->keys[i].at, word, len) == 0; i++) {
        char next = l->keys[i].at[len];
        if (next == '\0' || next == ' ')
            return true;
        if ((unsigned char)next > ' ') /* longer words follow, and no whole one any more */
            return false;
    }
    return false;
}

bool phrase_list_knows(const struct phrase_list *l, const char *plain)
{
    for (const char *s = plain; *s;) {
        size_t len = strcspn(s, " ");
        if (!knows_word(l, s, len))
            return false;
        s += len + (s[len] == ' ');
    }
    return *plain != '\0';
}

/* Is the phrase of key x a better suggestion than that of y? What begins as it was typed; what is searched for; what
 * is more frequent; what is shorter. */
static bool is_better(const struct phrase_list *l, const struct key *x, const struct key *y)
{
    const struct phrase *a = &l->phrases[x->phrase], *b = &l->phrases[y->phrase];
    bool a_begins = x->at == a->plain, b_begins = y->at == b->plain;
    if (a_begins != b_begins)
        return a_begins;
    if ((a->kind == SUGGESTION_QUERY) != (b->kind == SUGGESTION_QUERY))
        return a->kind == SUGGESTION_QUERY;
    if (a->count != b->count)
        return a->count > b->count;
    return strlen(a->plain) < strlen(b->plain);
}

/* The best keys met so far, each of another phrase. */
struct best {
    const struct key *keys[COLLECTION_SUGGESTIONS];
    size_t n, limit;
};

/* Adds the keys that begin with the text, looking at no more than `most`. */
static void collect(const struct phrase_list *l, const char *text, size_t len, size_t most, struct best *b)
{
    size_t at = first_key(l, text, len);
    for (size_t seen = 0; b->limit && at < l->n_keys && seen < most; at++, seen++) {
        const struct key *key = &l->keys[at];
        if (strncmp(key->at, text, len) != 0)
            break;
        size_t i = 0;
        while (i < b->n && b->keys[i]->phrase != key->phrase)
            i++;
        if (i < b->n) { /* by another of its words already; the better of both counts */
            if (!is_better(l, key, b->keys[i]))
                continue;
            memmove(&b->keys[i], &b->keys[i + 1], (--b->n - i) * sizeof *b->keys);
        }
        for (i = b->n; i && is_better(l, key, b->keys[i - 1]);)
            i--;
        if (i == b->limit)
            continue;
        b->n = b->n < b->limit ? b->n + 1 : b->n;
        memmove(&b->keys[i + 1], &b->keys[i], (b->n - 1 - i) * sizeof *b->keys);
        b->keys[i] = key;
    }
}

static size_t give(const struct phrase_list *l, const struct best *b, struct arena *a, struct suggestion *out)
{
    size_t given = 0;
    for (size_t i = 0; i < b->n; i++) {
        const struct phrase *p = &l->phrases[b->keys[i]->phrase];
        const char *text = arena_strdup(a, p->text);
        if (text)
            out[given++] = (struct suggestion){text, p->kind};
    }
    return given;
}

static struct best nothing_yet(size_t limit)
{
    return (struct best){.limit = limit < COLLECTION_SUGGESTIONS ? limit : COLLECTION_SUGGESTIONS};
}

size_t phrase_list_find(const struct phrase_list *l, const char *plain, size_t limit, struct arena *a,
                        struct suggestion *out)
{
    struct best b = nothing_yet(limit);
    collect(l, plain, strlen(plain), SCAN_MAX, &b);
    return give(l, &b, a, out);
}

/* --- misspelled --- */

/* Bytes of the character that begins here; valid UTF-8. */
static size_t sign_bytes(const char *s)
{
    unsigned char c = (unsigned char)*s;
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Looks for begin + sign + rest. */
static void collect_joined(const struct phrase_list *l, const char *begin, size_t begin_len, const char *sign,
                           size_t sign_len, const char *rest, struct best *b)
{
    char text[TYPED_MAX + 8];
    size_t rest_len = strlen(rest);
    memcpy(text, begin, begin_len);
    memcpy(text + begin_len, sign, sign_len);
    memcpy(text + begin_len + sign_len, rest, rest_len + 1);
    collect(l, text, begin_len + sign_len + rest_len, NEAR_SCAN_MAX, b);
}

/* What is typed with another character in place of the one at `at`, or with one more before it, of those that phrases
 * have there. */
static void collect_other_signs(const struct phrase_list *l, const char *plain, size_t at, struct best *b)
{
    size_t own = sign_bytes(plain + at), key = first_key(l, plain, at);
    for (unsigned signs = 0; signs < SIGNS_MAX && key < l->n_keys && strncmp(l->keys[key].at, plain, at) == 0;
         signs++) {
        const char *sign = l->keys[key].at + at;
        if (!*sign) {
            key++;
            continue;
        }
        size_t len = sign_bytes(sign);
        collect_joined(l, plain, at, sign, len, plain + at, b);
        if (len != own || memcmp(sign, plain + at, len) != 0)
            collect_joined(l, plain, at, sign, len, plain + at + own, b);
        char after[TYPED_MAX + 8];
        memcpy(after, plain, at);
        memcpy(after + at, sign, len);
        after[at + len] = '\xff'; /* behind all that begins so */
        key = first_key(l, after, at + len + 1);
    }
}

size_t phrase_list_find_near(const struct phrase_list *l, const char *plain, size_t limit, struct arena *a,
                             struct suggestion *out)
{
    struct best b = nothing_yet(limit);
    size_t len = strlen(plain), signs = 0;
    for (size_t at = 0; at < len; at += sign_bytes(plain + at))
        signs++;
    if (signs < NEAR_MIN || len > TYPED_MAX)
        return 0;
    for (size_t at = sign_bytes(plain); at < len; at += sign_bytes(plain + at)) {
        size_t own = sign_bytes(plain + at), next = at + own < len ? sign_bytes(plain + at + own) : 0;
        collect_joined(l, plain, at, "", 0, plain + at + own, &b);
        if (next) {
            char pair[8];
            memcpy(pair, plain + at + own, next);
            memcpy(pair + next, plain + at, own);
            collect_joined(l, plain, at, pair, own + next, plain + at + own + next, &b);
        }
        collect_other_signs(l, plain, at, &b);
    }
    return give(l, &b, a, out);
}
