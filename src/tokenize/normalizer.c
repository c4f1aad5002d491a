#include "tokenize/normalizer.h"

#include "base/utf8.h"
#include "tokenize/unicode.h"

#include <stdlib.h>
#include <string.h>

#define MAX_STEPS   128 /* model2vec writes one for each punctuation mark */
#define MAX_NESTING 8
#define SUPPORTED                                                                                                      \
    "BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, StripAccents, Strip, Replace, Precompiled, Nmt, Prepend or "     \
    "Sequence"

enum kind { BERT, LOWERCASE, FORM, STRIP_ACCENTS, STRIP, REPLACE, SPACES, PRECOMPILED, NMT, PREPEND };

struct step {
    enum kind kind;
    bool clean, chinese, accents, lower; /* BERT */
    enum unicode_form form;              /* FORM */
    bool left, right;                    /* STRIP */
    char *pattern, *content;             /* REPLACE; SPACES and PREPEND: content only */
    bool any_space;                      /* SPACES: "\s+", not " {2,}" */
    struct charsmap *map;                /* PRECOMPILED */
};

struct normalizer {
    struct step steps[MAX_STEPS];
    size_t n;
};

/* --- loading --- */

static enum status copy(const char *s, char **out, struct error *err)
{
    *out = strdup(s);
    return *out ? OK : err_no_memory(err, "tokenizer");
}

static enum status parse_bert(const json_t *node, struct step *step, struct error *err)
{
    enum status st = member_bool(node, "normalizer", "clean_text", true, &step->clean, err);
    if (st == OK)
        st = member_bool(node, "normalizer", "handle_chinese_chars", true, &step->chinese, err);
    if (st == OK)
        st = member_bool(node, "normalizer", "lowercase", true, &step->lower, err);
    if (st == OK)
        st = member_bool(node, "normalizer", "strip_accents", step->lower, &step->accents, err);
    return st;
}

static enum status parse_replace(const json_t *node, struct step *step, struct error *err)
{
    const json_t *pattern = json_object_get(node, "pattern");
    const char *string = json_string_value(json_object_get(pattern, "String"));
    const char *regex = json_string_value(json_object_get(pattern, "Regex")), *content;
    enum status st = member_string(node, "normalizer", "content", NULL, &content, err);
    if (st == OK)
        st = copy(content, &step->content, err);
    if (st != OK)
        return st;
    if (regex) {
        step->kind = SPACES;
        step->any_space = strcmp(regex, "\\s+") == 0;
        return step->any_space || strcmp(regex, " {2,}") == 0
                   ? OK
                   : err_set(err, ERR_UNSUPPORTED,
                             "normalizer.pattern.Regex: expected \" {2,}\" or \"\\s+\", found \"%.80s\"", regex);
    }
    if (!string || !*string)
        return err_set(err, ERR_INVALID, "normalizer.pattern: expected a String, not empty, or a Regex");
    return copy(string, &step->pattern, err);
}

static enum status parse_into(const json_t *node, struct normalizer *n, int nesting, struct error *err)
{
    static const struct {
        const char *type;
        enum kind kind;
        enum unicode_form form;
    } known[] = {
        {"BertNormalizer", BERT, 0},
        {"Lowercase", LOWERCASE, 0},
        {"NFC", FORM, UNICODE_NFC},
        {"NFD", FORM, UNICODE_NFD},
        {"NFKC", FORM, UNICODE_NFKC},
        {"NFKD", FORM, UNICODE_NFKD},
        {"StripAccents", STRIP_ACCENTS, 0},
        {"Strip", STRIP, 0},
        {"Replace", REPLACE, 0},
        {"Precompiled", PRECOMPILED, 0},
        {"Nmt", NMT, 0},
        {"Prepend", PREPEND, 0},
    };
    const char *type, *text;
    enum status st = member_string(node, "normalizer", "type", NULL, &type, err);
    if (st != OK)
        return st;
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(node, "normalizers");
        if (!json_is_array(list))
            return err_set(err, ERR_INVALID, "normalizer.normalizers: expected an array, found %s",
                           member_type_name(list));
        if (nesting == MAX_NESTING)
            return err_set(err, ERR_TOO_LARGE, "normalizer: sequences nested deeper than %d", MAX_NESTING);
        for (size_t i = 0; st == OK && i < json_array_size(list); i++)
            st = parse_into(json_array_get(list, i), n, nesting + 1, err);
        return st;
    }
    size_t k = 0;
    while (k < sizeof known / sizeof *known && strcmp(type, known[k].type) != 0)
        k++;
    if (k == sizeof known / sizeof *known)
        return err_set(err, ERR_UNSUPPORTED, "normalizer.type: expected " SUPPORTED ", found \"%.40s\"", type);
    if (n->n == MAX_STEPS)
        return err_set(err, ERR_TOO_LARGE, "normalizer: more than %d steps", MAX_STEPS);
    struct step *step = &n->steps[n->n++];
    step->kind = known[k].kind;
    step->form = known[k].form;
    switch (known[k].kind) {
    case BERT:
        return parse_bert(node, step, err);
    case STRIP:
        st = member_bool(node, "normalizer", "strip_left", true, &step->left, err);
        return st == OK ? member_bool(node, "normalizer", "strip_right", true, &step->right, err) : st;
    case REPLACE:
        return parse_replace(node, step, err);
    case PRECOMPILED:
        st = member_string(node, "normalizer", "precompiled_charsmap", NULL, &text, err);
        return st == OK ? charsmap_parse_base64(text, &step->map, err) : st;
    case PREPEND:
        st = member_string(node, "normalizer", "prepend", NULL, &text, err);
        return st == OK ? copy(text, &step->content, err) : st;
    default:
        return OK;
    }
}

static enum status make(struct normalizer **out, struct error *err)
{
    *out = calloc(1, sizeof **out);
    return *out ? OK : err_no_memory(err, "tokenizer");
}

enum status normalizer_parse(const json_t *node, struct normalizer **out, struct error *err)
{
    enum status st = make(out, err);
    if (st == OK && node && !json_is_null(node))
        st = parse_into(node, *out, 0, err);
    if (st != OK) {
        normalizer_free(*out);
        *out = NULL;
    }
    return st;
}

enum status normalizer_bert(const json_t *config, struct normalizer **out, struct error *err)
{
    static const char file[] = "tokenizer_config.json";
    enum status st = make(out, err);
    if (st != OK)
        return st;
    struct step *step = &(*out)->steps[(*out)->n++];
    *step = (struct step){.kind = BERT, .clean = true};
    st = member_bool(config, file, "do_lower_case", true, &step->lower, err);
    if (st == OK)
        st = member_bool(config, file, "tokenize_chinese_chars", true, &step->chinese, err);
    if (st == OK)
        st = member_bool(config, file, "strip_accents", step->lower, &step->accents, err);
    if (st != OK) {
        normalizer_free(*out);
        *out = NULL;
    }
    return st;
}

enum status normalizer_precompiled(struct charsmap *map, struct normalizer **out, struct error *err)
{
    enum status st = make(out, err);
    if (st != OK)
        charsmap_free(map);
    else if (map)
        (*out)->steps[(*out)->n++] = (struct step){.kind = PRECOMPILED, .map = map};
    return st;
}

void normalizer_free(struct normalizer *n)
{
    if (!n)
        return;
    for (size_t i = 0; i < n->n; i++) {
        free(n->steps[i].pattern);
        free(n->steps[i].content);
        charsmap_free(n->steps[i].map);
    }
    free(n);
}

/* --- the steps: each reads text->data and appends to text->spare --- */

static void put(struct buf *out, uint32_t cp)
{
    char enc[4];
    if (cp < 128)
        buf_putc(out, (char)cp);
    else
        buf_append(out, enc, utf8_encode(cp, enc));
}

static void lower(struct buf *out, uint32_t cp)
{
    uint32_t low[UNICODE_MAX_LOW];
    if (cp < 128) {
        buf_putc(out, (char)(cp >= 'A' && cp <= 'Z' ? cp + 32 : cp));
        return;
    }
    size_t n = unicode_lower(cp, low);
    for (size_t i = 0; i < n; i++)
        put(out, low[i]);
}

/* What Nmt makes of a code point; 0: it is removed. (NUL itself stays.) */
static uint32_t nmt(uint32_t cp)
{
    if ((cp >= 0x1 && cp <= 0x8) || cp == 0xb || (cp >= 0xe && cp <= 0x1f) || cp == 0x7f || cp == 0x8f || cp == 0x9f)
        return 0;
    if (cp == '\t' || cp == '\n' || cp == 0xc || cp == '\r' || cp == 0x1680 || (cp >= 0x200b && cp <= 0x200f) ||
        cp == 0x2028 || cp == 0x2029 || cp == UNICODE_META || cp == 0xfeff || cp == 0xfffd)
        return ' ';
    return cp;
}

/* Steps that look at one code point at a time, each with its bit. */
enum { CLEAN = 1, CHINESE = 2, NONSPACING = 4, MARKS = 8, LOWER = 16, NMT_ONLY = 32 };

static void each(struct text *text, unsigned what)
{
    const char *s = text->data.data;
    size_t origin = 0;
    for (size_t i = 0, len = text->data.len; i < len;) {
        uint32_t cp;
        bool from_origin = i < text->origin;
        i += utf8_decode(s + i, len - i, &cp);
        bool removed = ((what & CLEAN) && (cp == 0 || unicode_is_control(cp))) ||
                       ((what & NONSPACING) && unicode_is_nonspacing(cp)) || ((what & MARKS) && unicode_is_mark(cp)) ||
                       ((what & NMT_ONLY) && cp && !nmt(cp));
        if (removed)
            continue;
        if (what & NMT_ONLY)
            cp = nmt(cp);
        if ((what & CLEAN) && unicode_is_space(cp))
            cp = ' ';
        if ((what & CHINESE) && unicode_is_chinese(cp)) {
            buf_putc(&text->spare, ' ');
            put(&text->spare, cp);
            buf_putc(&text->spare, ' ');
        } else if (what & LOWER) {
            lower(&text->spare, cp);
        } else {
            put(&text->spare, cp);
        }
        origin = from_origin ? text->spare.len : origin;
    }
    text->origin = origin;
}

/* The origin of a normalization form: as many code points as it becomes by itself. */
static enum status form(enum unicode_form wanted, struct text *text, struct error *err)
{
    const char *s = buf_str(&text->data);
    size_t n = 0, at = 0;
    enum status st = unicode_normalize(wanted, s, text->origin, &text->spare, err);
    if (st == OK && text->origin)
        n = utf8_count(buf_str(&text->spare), text->spare.len);
    buf_reset(&text->spare);
    if (st == OK)
        st = unicode_normalize(wanted, s, text->data.len, &text->spare, err);
    for (uint32_t cp; st == OK && n > 0 && at < text->spare.len; n--)
        at += utf8_decode(text->spare.data + at, text->spare.len - at, &cp);
    text->origin = at;
    return st;
}

static enum status bert(const struct step *step, struct text *text, struct error *err)
{
    bool ascii = unicode_is_ascii(buf_str(&text->data), text->data.len);
    unsigned lowered = step->lower ? LOWER : 0;
    unsigned first = (step->clean ? CLEAN : 0) | (step->chinese && !ascii ? CHINESE : 0);
    if (ascii || !step->accents) { /* no code point is both Chinese and upper case */
        each(text, first | lowered);
        return OK;
    }
    each(text, first);
    text_swap(text);
    enum status st = form(UNICODE_NFD, text, err);
    text_swap(text);
    if (st == OK)
        each(text, NONSPACING | lowered);
    return st;
}

static void strip(const struct step *step, struct text *text)
{
    const char *s = buf_str(&text->data);
    size_t start = 0, end = 0, len = text->data.len;
    bool leading = step->left;
    for (size_t i = 0; i < len;) {
        uint32_t cp;
        i += utf8_decode(s + i, len - i, &cp);
        bool space = unicode_is_space(cp);
        leading = leading && space;
        if (leading)
            start = i;
        if (!space || !step->right)
            end = i;
    }
    text->origin = text->origin > start ? text->origin - start : 0;
    if (end > start)
        buf_append(&text->spare, s + start, end - start);
}

static void replace(const struct step *step, struct text *text)
{
    const char *s = buf_str(&text->data), *end = s + text->data.len;
    size_t n = strlen(step->pattern), origin = 0;
    for (const char *p = s;;) {
        const char *found = p < end ? memmem(p, (size_t)(end - p), step->pattern, n) : NULL;
        size_t at = (size_t)(p - s), to = (size_t)((found ? found : end) - s);
        buf_append(&text->spare, p, to - at);
        origin = at < text->origin ? text->spare.len - (to > text->origin ? to - text->origin : 0) : origin;
        if (!found)
            break;
        buf_puts(&text->spare, step->content);
        origin = to + n <= text->origin ? text->spare.len : origin; /* counts as the last byte that it replaces */
        p = found + n;
    }
    text->origin = origin;
}

/* Length in bytes of the white space at s that the step replaces, by " {2,}" or "\s+". */
static size_t space_run(const struct step *step, const char *s, size_t len)
{
    size_t run = 0;
    while (run < len) {
        uint32_t cp;
        size_t one = utf8_decode(s + run, len - run, &cp);
        if (step->any_space ? !unicode_is_space(cp) : cp != ' ')
            break;
        run += one;
    }
    return run == 1 && !step->any_space ? 0 : run;
}

static void replace_spaces(const struct step *step, struct text *text)
{
    const char *s = buf_str(&text->data);
    size_t origin = 0;
    for (size_t i = 0, len = text->data.len; i < len;) {
        uint32_t cp;
        size_t run = space_run(step, s + i, len - i);
        size_t one = run ? run : utf8_decode(s + i, len - i, &cp);
        if (run)
            buf_puts(&text->spare, step->content);
        else
            buf_append(&text->spare, s + i, one);
        i += one;
        origin = i <= text->origin ? text->spare.len : origin;
    }
    text->origin = origin;
}

static enum status apply(const struct step *step, struct text *text, struct error *err)
{
    switch (step->kind) {
    case BERT:
        return bert(step, text, err);
    case LOWERCASE:
        each(text, LOWER);
        return OK;
    case FORM:
        return form(step->form, text, err);
    case STRIP_ACCENTS:
        each(text, MARKS);
        return OK;
    case STRIP:
        strip(step, text);
        return OK;
    case REPLACE:
        replace(step, text);
        return OK;
    case SPACES:
        replace_spaces(step, text);
        return OK;
    case PRECOMPILED:
        return charsmap_apply(step->map, buf_str(&text->data), text->data.len, &text->spare, &text->origin, err);
    case NMT:
        each(text, NMT_ONLY);
        return OK;
    case PREPEND:
        if (text->data.len) {
            buf_puts(&text->spare, step->content);
            text->origin += text->origin ? text->spare.len : 0;
            buf_append(&text->spare, text->data.data, text->data.len);
        }
        return OK;
    }
    return err_set(err, ERR_INTERNAL, "normalizer step %d", (int)step->kind);
}

enum status normalizer_apply(const struct normalizer *n, struct text *text, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; st == OK && i < n->n; i++) {
        st = apply(&n->steps[i], text, err);
        if (st == OK)
            st = buf_status(&text->spare, err);
        text_swap(text);
    }
    return st;
}
