#include "tokenize/pretokenizer.h"

#include "base/utf8.h"
#include "tokenize/unicode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STEPS   16
#define MAX_NESTING 8
#define SUPPORTED   "BertPreTokenizer, WhitespaceSplit, Punctuation, Metaspace or Sequence"

enum kind { BERT, WHITESPACE_SPLIT, PUNCTUATION, METASPACE };
enum behavior { REMOVED, ISOLATED, MERGED_WITH_PREVIOUS, MERGED_WITH_NEXT, CONTIGUOUS };
enum prepend { ALWAYS, FIRST, NEVER };

struct step {
    enum kind kind;
    enum behavior behavior; /* PUNCTUATION */
    uint32_t replacement;   /* METASPACE */
    enum prepend prepend;
    bool split;
};

struct pretokenizer {
    struct step steps[MAX_STEPS];
    size_t n;
};

/* --- loading --- */

/* The place of `value` among `names`, which end with NULL. */
static enum status choose(const json_t *node, const char *name, const char *const *names, const char *fallback,
                          size_t *out, struct error *err)
{
    const char *value;
    enum status st = member_string(node, "pre_tokenizer", name, fallback, &value, err);
    if (st != OK)
        return st;
    for (*out = 0; names[*out]; ++*out)
        if (strcmp(value, names[*out]) == 0)
            return OK;
    char known[128] = "";
    for (size_t i = 0, n = 0; names[i] && n < sizeof known; i++)
        n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", names[i]);
    return err_set(err, ERR_UNSUPPORTED, "pre_tokenizer.%s: expected one of %s, found \"%.40s\"", name, known, value);
}

static enum status parse_metaspace(const json_t *node, struct step *step, struct error *err)
{
    static const char *const schemes[] = {"always", "first", "never", NULL};
    const char *replacement;
    size_t scheme = ALWAYS;
    bool prefix = true;
    enum status st = member_string(node, "pre_tokenizer", "replacement", UNICODE_META_S, &replacement, err);
    if (st == OK &&
        (!*replacement || utf8_decode(replacement, strlen(replacement), &step->replacement) != strlen(replacement)))
        st = err_set(err, ERR_INVALID, "pre_tokenizer.replacement: expected one character, found \"%.40s\"",
                     replacement);
    if (st == OK)
        st = choose(node, "prepend_scheme", schemes, "always", &scheme, err);
    if (st == OK)
        st = member_bool(node, "pre_tokenizer", "add_prefix_space", true, &prefix, err);
    if (st == OK)
        st = member_bool(node, "pre_tokenizer", "split", true, &step->split, err);
    if (st == OK && !prefix && scheme != NEVER && !json_is_null(json_object_get(node, "prepend_scheme")) &&
        json_object_get(node, "prepend_scheme"))
        st = err_set(err, ERR_INVALID, "pre_tokenizer.add_prefix_space: false, with the prepend_scheme \"%s\"",
                     schemes[scheme]);
    step->prepend = prefix ? (enum prepend)scheme : NEVER;
    return st;
}

static enum status parse_into(const json_t *node, struct pretokenizer *p, int nesting, struct error *err)
{
    static const char *const types[] = {"BertPreTokenizer", "WhitespaceSplit", "Punctuation", "Metaspace", NULL};
    static const char *const behaviors[] = {"Removed",        "Isolated",   "MergedWithPrevious",
                                            "MergedWithNext", "Contiguous", NULL};
    const char *type;
    enum status st = member_string(node, "pre_tokenizer", "type", NULL, &type, err);
    if (st != OK)
        return st;
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(node, "pretokenizers");
        if (!json_is_array(list))
            return err_set(err, ERR_INVALID, "pre_tokenizer.pretokenizers: expected an array, found %s",
                           member_type_name(list));
        if (nesting == MAX_NESTING)
            return err_set(err, ERR_TOO_LARGE, "pre_tokenizer: sequences nested deeper than %d", MAX_NESTING);
        for (size_t i = 0; st == OK && i < json_array_size(list); i++)
            st = parse_into(json_array_get(list, i), p, nesting + 1, err);
        return st;
    }
    size_t kind = 0, behavior = ISOLATED;
    while (types[kind] && strcmp(type, types[kind]) != 0)
        kind++;
    if (!types[kind])
        return err_set(err, ERR_UNSUPPORTED, "pre_tokenizer.type: expected " SUPPORTED ", found \"%.40s\"", type);
    if (p->n == MAX_STEPS)
        return err_set(err, ERR_TOO_LARGE, "pre_tokenizer: more than %d steps", MAX_STEPS);
    struct step *step = &p->steps[p->n++];
    step->kind = (enum kind)kind;
    if (step->kind == PUNCTUATION)
        st = choose(node, "behavior", behaviors, "Isolated", &behavior, err);
    step->behavior = (enum behavior)behavior;
    return step->kind == METASPACE ? parse_metaspace(node, step, err) : st;
}

static enum status make(struct pretokenizer **out, struct error *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? OK : err_no_memory(err, "tokenizer");
}

enum status pretokenizer_parse(const json_t *node, struct pretokenizer **out, struct error *err)
{
    enum status st = make(out, err);
    if (st == OK && node && !json_is_null(node))
        st = parse_into(node, *out, 0, err);
    if (st != OK) {
        pretokenizer_free(*out);
        *out = NULL;
    }
    return st;
}

enum status pretokenizer_bert(struct pretokenizer **out, struct error *err)
{
    enum status st = make(out, err);
    if (st == OK)
        (*out)->steps[(*out)->n++] = (struct step){.kind = BERT};
    return st;
}

enum status pretokenizer_xlm_roberta(struct pretokenizer **out, struct error *err)
{
    enum status st = make(out, err);
    if (st != OK)
        return st;
    (*out)->steps[(*out)->n++] = (struct step){.kind = WHITESPACE_SPLIT};
    (*out)->steps[(*out)->n++] =
        (struct step){.kind = METASPACE, .replacement = UNICODE_META, .prepend = ALWAYS, .split = true};
    return OK;
}

void pretokenizer_free(struct pretokenizer *p)
{
    free(p);
}

/* --- splitting --- */

struct delimiter {
    bool (*is)(uint32_t cp);
    uint32_t only; /* where `is` is NULL */
    enum behavior behavior;
};

/* Splits one word at its delimiters, each of which is one code point. */
static bool split_word(struct text *text, struct word word, const struct delimiter *by)
{
    const char *s = text->data.data;
    size_t own = text->n_words, end = (size_t)word.at + word.len;
    size_t held = SIZE_MAX; /* where a delimiter that waits for what follows begins */
    bool ok = true, after_delimiter = false;
    for (size_t i = word.at, start = i; ok && i < end; start = i) {
        uint32_t cp;
        i += utf8_decode(s + i, end - i, &cp);
        bool found = by->is ? by->is(cp) : cp == by->only;
        while (!found && i < end) { /* what is no delimiter is one run */
            size_t one = utf8_decode(s + i, end - i, &cp);
            if (by->is ? by->is(cp) : cp == by->only)
                break;
            i += one;
        }
        struct word *last = text->n_words > own ? &text->words[text->n_words - 1] : NULL;
        switch (by->behavior) {
        case REMOVED:
            ok = found || text_add(text, start, i - start);
            break;
        case ISOLATED:
            ok = text_add(text, start, i - start);
            break;
        case MERGED_WITH_PREVIOUS:
            if (found && !after_delimiter && last)
                last->len += (uint32_t)(i - start);
            else
                ok = text_add(text, start, i - start);
            break;
        case MERGED_WITH_NEXT:
            if (found) {
                ok = held == SIZE_MAX || text_add(text, held, start - held);
                held = start;
            } else {
                ok = text_add(text, held == SIZE_MAX ? start : held, i - (held == SIZE_MAX ? start : held));
                held = SIZE_MAX;
            }
            break;
        case CONTIGUOUS:
            if (found == after_delimiter && last)
                last->len += (uint32_t)(i - start);
            else
                ok = text_add(text, start, i - start);
            break;
        }
        after_delimiter = found;
    }
    return ok && (held == SIZE_MAX || text_add(text, held, end - held));
}

static enum status split(struct text *text, const struct delimiter *by, struct error *err)
{
    size_t n;
    text_set_aside(text, &n);
    for (size_t i = 0; i < n; i++)
        if (!split_word(text, text->old[i], by))
            return err_no_memory(err, "tokenizer");
    return OK;
}

static enum status metaspace(const struct step *step, struct text *text, struct error *err)
{
    char sign[4];
    size_t n, sign_len = utf8_encode(step->replacement, sign), origin = 0;
    text_set_aside(text, &n);
    for (size_t i = 0; i < n; i++) {
        const char *s = text->data.data + text->old[i].at;
        size_t len = text->old[i].len, at = text->spare.len;
        bool has = *s == ' ' || (len >= sign_len && memcmp(s, sign, sign_len) == 0);
        bool wanted = step->prepend == ALWAYS || (step->prepend == FIRST && text->old[i].at < text->origin);
        if (wanted && !has)
            buf_append(&text->spare, sign, sign_len);
        for (size_t k = 0; k < len; k++) {
            if (s[k] == ' ')
                buf_append(&text->spare, sign, sign_len);
            else
                buf_putc(&text->spare, s[k]);
            origin = text->old[i].at + k < text->origin ? text->spare.len : origin;
        }
        if (!text_add(text, at, text->spare.len - at))
            return err_no_memory(err, "tokenizer");
    }
    text->origin = origin;
    enum status st = buf_status(&text->spare, err);
    text_swap(text);
    const struct delimiter by = {.only = step->replacement, .behavior = MERGED_WITH_NEXT};
    return st == OK && step->split ? split(text, &by, err) : st;
}

enum status pretokenizer_apply(const struct pretokenizer *p, struct text *text, struct error *err)
{
    static const struct delimiter spaces = {.is = unicode_is_space, .behavior = REMOVED};
    text->n_words = 0;
    enum status st = text_add(text, 0, text->data.len) ? OK : err_no_memory(err, "tokenizer");
    for (size_t i = 0; st == OK && i < p->n; i++) {
        const struct step *step = &p->steps[i];
        struct delimiter punctuation = {.is = unicode_is_punctuation,
                                        .behavior = step->kind == BERT ? ISOLATED : step->behavior};
        if (step->kind == METASPACE) {
            st = metaspace(step, text, err);
            continue;
        }
        if (step->kind != PUNCTUATION)
            st = split(text, &spaces, err);
        if (st == OK && step->kind != WHITESPACE_SPLIT)
            st = split(text, &punctuation, err);
    }
    return st;
}
