/* synonyms.c: groups of texts, found by the joined stems of each text that stands for the others. A query's words, one
 * to MAX_WINDOW in a row, are looked up in a sorted list of these keys. */
#include "text/synonyms.h"

#include "base/utf8.h"
#include "text/text_internal.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ANY        LANGUAGE_COUNT /* the language of those for all */
#define MAX_KEY    512u
#define MAX_WINDOW 8u  /* terms of a key; a run without spaces has one for each character */
#define MAX_TERMS  64u /* of a query that are looked at */
#define MAX_STEMS  96u /* that synonyms add to a query, */
#define MAX_FORMS  128u
#define MAX_ALL    128u /* of a query in all, as terms.c has it: its own words must not be left out */
#define SHARE      0.6  /* of what the query's own words count */
#define MEMORY     (64u << 20)

struct group {
    const char *const *texts; /* [n]; the first is the term */
    size_t n;
};
struct key {
    const char *stems; /* joined by spaces */
    unsigned language, group, text;
};
struct synonyms {
    atomic_uint owners;
    struct arena arena;
    struct group *groups;
    struct key *keys; /* sorted by language and stems */
    size_t n_groups, n_keys;
};

enum status synonyms_check_text(const char *text, struct error *err)
{
    size_t len = strlen(text), words = 0;
    if (len < 1 || len > SYNONYMS_MAX_TEXT)
        return err_set(err, ERR_INVALID, "must have 1 to %u bytes, found %zu", SYNONYMS_MAX_TEXT, len);
    if (!utf8_valid(text, len) || utf8_has_control(text, len))
        return err_set(err, ERR_INVALID, "must be one line of UTF-8 without control characters");
    for (const char *at = text; *at; at += strspn(at, " "), words++)
        at += strcspn(at, " ");
    if (words > SYNONYMS_MAX_WORDS)
        return err_set(err, ERR_INVALID, "must have at most %u words, found %zu", SYNONYMS_MAX_WORDS, words);
    return OK;
}

/* --- keys --- */

/* The stems of a text's words in a language; the terms' own ones are English. */
static enum status stems_of(const char *text, size_t len, unsigned language, struct arena *a, const char **out,
                            size_t *n, struct error *err)
{
    struct text_terms terms;
    enum status st = text_split(text, len, MAX_TERMS, true, a, &terms, err);
    for (size_t i = 0; st == OK && i < terms.count; i++) {
        const struct text_term *t = &terms.items[i];
        struct text_stem stems[2];
        out[i] = t->stem;
        if (language == ANY || language == LANGUAGE_en || t->is_emoji || t->is_run)
            continue;
        size_t stemmed;
        bool ok = text_stems(language, t->spelled, stems, &stemmed);
        if (!ok || (stemmed && !(out[i] = arena_strndup(a, stems[0].text, stems[0].len))))
            st = err_no_memory(err, "a query");
    }
    *n = st == OK ? terms.count : 0;
    return st;
}

static bool join(const char *const *stems, size_t n, char out[MAX_KEY])
{
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        size_t more = strlen(stems[i]);
        if (len + more + 2 > MAX_KEY)
            return false;
        if (i)
            out[len++] = ' ';
        memcpy(out + len, stems[i], more);
        len += more;
    }
    out[len] = '\0';
    return n > 0;
}

static int by_key(const void *x, const void *y)
{
    const struct key *a = x, *b = y;
    if (a->language != b->language)
        return a->language < b->language ? -1 : 1;
    int order = strcmp(a->stems, b->stems);
    return order ? order : (a->group > b->group) - (a->group < b->group);
}

/* A set that is being made. */
struct making {
    struct synonyms *s;
    struct arena scratch;
};

static enum status add_key(struct making *k, unsigned language, size_t group, size_t text, struct error *err)
{
    struct synonyms *s = k->s;
    const char *stems[MAX_TERMS], *what = s->groups[group].texts[text];
    char joined[MAX_KEY];
    size_t n;
    arena_reset(&k->scratch);
    enum status st = stems_of(what, strlen(what), language, &k->scratch, stems, &n, err);
    if (st != OK)
        return st;
    if (n > MAX_WINDOW || !join(stems, n, joined))
        return err_set(err, ERR_INVALID, "\"%s\" has no words, or too many characters, to be searched by", what);
    const char *copy = arena_strdup(&s->arena, joined);
    if (!copy)
        return err_no_memory(err, "synonyms");
    s->keys[s->n_keys++] = (struct key){copy, language, (unsigned)group, (unsigned)text};
    return OK;
}

/* --- making a set --- */

static enum status add_text(struct synonyms *s, struct group *g, const char **texts, const char *text,
                            struct error *err)
{
    enum status st = synonyms_check_text(text, err);
    if (st == OK && !(texts[g->n++] = arena_strdup(&s->arena, text)))
        st = err_no_memory(err, "synonyms");
    return st;
}

static enum status add_entry(struct making *k, const struct synonym_entry *e, struct error *err)
{
    struct synonyms *s = k->s;
    struct group *g = &s->groups[s->n_groups];
    const char **texts = arena_array(&s->arena, e->n_synonyms + 1, sizeof *texts);
    if (!texts)
        return err_no_memory(err, "synonyms");
    if (e->n_synonyms < 1 || e->n_synonyms > SYNONYMS_MAX_EACH)
        return err_set(err, ERR_INVALID, "\"%.100s\" must have 1 to %u synonyms, found %zu", e->term, SYNONYMS_MAX_EACH,
                       e->n_synonyms);
    if (*e->language && !language_valid(e->language))
        return err_set(err, ERR_INVALID, "language must be a tag, such as \"es\" or \"pt-BR\", found \"%.64s\"",
                       e->language);
    g->texts = texts;
    enum status st = add_text(s, g, texts, e->term, err);
    for (size_t i = 0; i < e->n_synonyms && st == OK; i++)
        st = add_text(s, g, texts, e->synonyms[i], err);
    if (st != OK)
        return err_prefix(err, "the text \"%.100s\"", g->n ? e->synonyms[g->n - 1] : e->term);
    unsigned language = *e->language ? language_number(e->language) : ANY;
    for (size_t i = 0; i < (e->two_way ? g->n : 1) && st == OK; i++)
        st = add_key(k, language, s->n_groups, i, err);
    s->n_groups++;
    return st;
}

enum status synonyms_open(const struct synonym_entry *entries, size_t n, struct synonyms **out, struct error *err)
{
    *out = NULL;
    if (n > SYNONYMS_MAX_ENTRIES)
        return err_set(err, ERR_INVALID, "there may be at most %u synonyms, found %zu", SYNONYMS_MAX_ENTRIES, n);
    struct synonyms *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "synonyms");
    struct making k = {.s = s};
    size_t most = 0;
    for (size_t i = 0; i < n; i++)
        most += entries[i].two_way && entries[i].n_synonyms <= SYNONYMS_MAX_EACH ? entries[i].n_synonyms + 1 : 1;
    atomic_init(&s->owners, 1);
    arena_init(&s->arena, MEMORY);
    arena_init(&k.scratch, 1u << 20);
    s->groups = arena_array(&s->arena, n + 1, sizeof *s->groups);
    s->keys = arena_array(&s->arena, most + 1, sizeof *s->keys);
    enum status st = s->groups && s->keys ? OK : err_no_memory(err, "synonyms");
    for (size_t i = 0; i < n && st == OK; i++)
        if ((st = add_entry(&k, &entries[i], err)) != OK)
            err_prefix(err, "synonyms[%zu]", i);
    arena_free(&k.scratch);
    if (st != OK) {
        synonyms_close(s);
        return st;
    }
    qsort(s->keys, s->n_keys, sizeof *s->keys, by_key);
    *out = s;
    return OK;
}

struct synonyms *synonyms_share(struct synonyms *s)
{
    if (s)
        atomic_fetch_add(&s->owners, 1);
    return s;
}

void synonyms_close(struct synonyms *s)
{
    if (!s || atomic_fetch_sub(&s->owners, 1) != 1)
        return;
    arena_free(&s->arena);
    free(s);
}

size_t synonyms_count(const struct synonyms *s)
{
    return s ? s->n_groups : 0;
}

/* --- finding them in a query --- */

struct matched {
    const struct key *keys[SYNONYMS_MAX_ADDED];
    size_t n;
};

/* All keys with these stems. */
static void look_up(const struct synonyms *s, unsigned language, const char *stems, struct matched *out)
{
    size_t low = 0, high = s->n_keys;
    struct key wanted = {stems, language, 0, 0};
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_key(&s->keys[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < s->n_keys && s->keys[low].language == language && strcmp(s->keys[low].stems, stems) == 0; low++)
        if (out->n < SYNONYMS_MAX_ADDED)
            out->keys[out->n++] = &s->keys[low];
}

static enum status find_in(const struct synonyms *s, const char *text, size_t len, unsigned language, struct arena *a,
                           struct matched *out, struct error *err)
{
    const char *stems[MAX_TERMS];
    char joined[MAX_KEY];
    size_t n;
    enum status st = stems_of(text, len, language, a, stems, &n, err);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 1; k <= MAX_WINDOW && i + k <= n && join(stems + i, k, joined); k++)
            look_up(s, language, joined, out);
    return st;
}

static enum status find(const struct synonyms *s, const char *text, size_t len, unsigned language, struct arena *a,
                        struct matched *out, struct error *err)
{
    out->n = 0;
    if (!s || !s->n_keys)
        return OK;
    enum status st = find_in(s, text, len, language, a, out, err);
    if (st == OK)
        st = find_in(s, text, len, ANY, a, out, err);
    return st;
}

enum status synonyms_match(const struct synonyms *s, const char *text, size_t len, unsigned language, struct arena *a,
                           bool *matches, struct error *err)
{
    struct matched m;
    enum status st = find(s, text, len, language, a, &m, err);
    *matches = st == OK && m.n > 0;
    return st;
}

/* --- adding their terms --- */

/* The terms of synonyms come before the query's own, since what may be unfinished is the last word. */
struct expansion {
    const char *stems[MAX_STEMS];
    struct term_trait traits[MAX_STEMS];
    size_t n_stems;
    struct word_form *forms;
    size_t n_forms;
    unsigned runs; /* numbers that are taken */
    size_t added;
};

static bool is_asked(const struct expansion *x, const struct term_query *own, const struct term_query *q)
{
    for (size_t i = 0; i < q->n_stems; i++) {
        bool asked = false;
        for (size_t k = 0; k < own->n_stems && !asked; k++)
            asked = q->stems[i] && own->stems[k] && strcmp(own->stems[k], q->stems[i]) == 0;
        for (size_t k = 0; k < x->n_stems && !asked; k++)
            asked = q->stems[i] && x->stems[k] && strcmp(x->stems[k], q->stems[i]) == 0;
        if (!asked)
            return false;
    }
    return true;
}

static bool has_runs(const struct term_query *q)
{
    for (size_t i = 0; i < q->n_stems; i++)
        if (q->traits[i].run)
            return true;
    return false;
}

/* The words of a phrase become a run: of the pieces of a run a document must have most. */
static struct term_trait trait_of(const struct term_query *q, size_t i, bool phrase, unsigned run)
{
    struct term_trait t = q->traits[i];
    t.share = SHARE;
    t.sign = 0;
    t.drawn = false;
    t.run = phrase ? run : t.run ? t.run + run : 0;
    return t;
}

static enum status add_synonym(struct expansion *x, const struct term_query *own, const char *text, struct arena *a,
                               struct error *err)
{
    struct term_query q;
    enum status st = text_query(text, strlen(text), own->language, false, NULL, a, &q, err);
    if (st != OK || !q.n_stems || is_asked(x, own, &q) || x->n_stems + q.n_stems > MAX_STEMS ||
        x->n_stems + q.n_stems + own->n_stems > MAX_ALL || x->n_forms + q.n_forms > MAX_FORMS)
        return st;
    bool phrase = q.n_stems > 1 && !has_runs(&q);
    unsigned run = x->runs + 1;
    for (size_t i = 0; i < q.n_forms; i++) {
        struct word_form form = q.forms[i];
        form.word += (unsigned)x->n_stems;
        x->forms[x->n_forms++] = form;
    }
    for (size_t i = 0; i < q.n_stems; i++) {
        struct term_trait t = trait_of(&q, i, phrase, run);
        x->runs = t.run > x->runs ? t.run : x->runs;
        x->traits[x->n_stems] = t;
        x->stems[x->n_stems++] = q.stems[i];
    }
    x->added++;
    return OK;
}

static enum status put_together(const struct expansion *x, struct arena *a, struct term_query *q, struct error *err)
{
    const char **stems = arena_array(a, x->n_stems + q->n_stems + 1, sizeof *stems);
    struct term_trait *traits = arena_array(a, x->n_stems + q->n_stems + 1, sizeof *traits);
    struct word_form *forms = arena_array(a, x->n_forms + q->n_forms + 1, sizeof *forms);
    if (!stems || !traits || !forms)
        return err_no_memory(err, "a query");
    memcpy(stems, x->stems, x->n_stems * sizeof *stems);
    memcpy(traits, x->traits, x->n_stems * sizeof *traits);
    memcpy(forms, x->forms, x->n_forms * sizeof *forms);
    for (size_t i = 0; i < q->n_stems; i++) {
        stems[x->n_stems + i] = q->stems[i];
        traits[x->n_stems + i] = q->traits ? q->traits[i] : (struct term_trait){0};
    }
    for (size_t i = 0; i < q->n_forms; i++) {
        forms[x->n_forms + i] = q->forms[i];
        forms[x->n_forms + i].word += (unsigned)x->n_stems;
    }
    q->stems = stems;
    q->traits = traits;
    q->forms = forms;
    q->n_stems += x->n_stems;
    q->n_forms += x->n_forms;
    return OK;
}

enum status synonyms_expand(const struct synonyms *s, const char *text, size_t len, struct arena *a,
                            struct term_query *q, size_t *added, struct error *err)
{
    struct matched m;
    *added = 0;
    enum status st = find(s, text, len, q->language, a, &m, err);
    if (st != OK || !m.n)
        return st;
    struct expansion *x = arena_alloc(a, sizeof *x);
    if (!x || !(x->forms = arena_array(a, MAX_FORMS, sizeof *x->forms)))
        return err_no_memory(err, "a query");
    for (size_t i = 0; i < q->n_stems && q->traits; i++)
        x->runs = q->traits[i].run > x->runs ? q->traits[i].run : x->runs;
    for (size_t i = 0; i < m.n && st == OK; i++) {
        const struct group *g = &s->groups[m.keys[i]->group];
        for (size_t k = 0; k < g->n && st == OK && x->added < SYNONYMS_MAX_ADDED; k++)
            if (k != m.keys[i]->text)
                st = add_synonym(x, q, g->texts[k], a, err);
    }
    *added = x->added;
    return st == OK && x->added ? put_together(x, a, q, err) : st;
}
