/* template_parse: the text of one template -> declarations and a tree of nodes.
 *
 * The file is cut at {{ }}, {% %} and {# #}; what is between the braces is read by a small
 * recursive-descent parser over `struct words`. Names are not resolved here. */
#include "template.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    const char *file;
    const char *at, *end;
    int line;
};

/* The inside of one tag, read word by word. */
struct words {
    const char *file;
    int line;
    const char *at, *end;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static void skip_space(struct words *w)
{
    while (w->at < w->end && isspace((unsigned char)*w->at)) {
        if (*w->at == '\n')
            w->line++;
        w->at++;
    }
}

static const char *rest_of(struct words *w)
{
    skip_space(w);
    if (w->at == w->end)
        return "the end of the tag";
    size_t n = (size_t)(w->end - w->at);
    return take_printf("'%.*s'", (int)(n < 24 ? n : 24), w->at);
}

static bool try_symbol(struct words *w, const char *symbol)
{
    skip_space(w);
    size_t n = strlen(symbol);
    if ((size_t)(w->end - w->at) < n || memcmp(w->at, symbol, n) != 0)
        return false;
    w->at += n;
    return true;
}

static void need_symbol(struct words *w, const char *symbol)
{
    if (!try_symbol(w, symbol))
        fail(w->file, w->line, "expected '%s', found %s", symbol, rest_of(w));
}

/* A whole word equal to `word`, such as "with". */
static bool try_word(struct words *w, const char *word)
{
    skip_space(w);
    size_t n = strlen(word);
    if ((size_t)(w->end - w->at) < n || memcmp(w->at, word, n) != 0 || (w->at + n < w->end && is_name_char(w->at[n])))
        return false;
    w->at += n;
    return true;
}

static const char *need_name(struct words *w, const char *what)
{
    skip_space(w);
    const char *start = w->at;
    while (w->at < w->end && is_name_char(*w->at))
        w->at++;
    if (w->at == start || (*start >= '0' && *start <= '9'))
        fail(w->file, w->line, "expected %s (a-z, 0-9 and _), found %s", what, rest_of(w));
    return take_printf("%.*s", (int)(w->at - start), start);
}

static const char *need_string(struct words *w)
{
    need_symbol(w, "\"");
    const char *start = w->at;
    while (w->at < w->end && *w->at != '"' && *w->at != '\n')
        w->at++;
    if (w->at == w->end || *w->at != '"')
        fail(w->file, w->line, "expected a closing '\"'");
    return take_printf("%.*s", (int)(w->at++ - start), start);
}

static void need_end(struct words *w)
{
    skip_space(w);
    if (w->at != w->end)
        fail(w->file, w->line, "expected the end of the tag, found %s", rest_of(w));
}

static struct path need_path(struct words *w)
{
    struct path p = {0};
    do {
        if (p.n == sizeof p.part / sizeof p.part[0])
            fail(w->file, w->line, "a name has at most %zu parts", p.n);
        p.part[p.n++] = need_name(w, "a name");
    } while (w->at < w->end && *w->at == '.' && try_symbol(w, "."));
    return p;
}

static struct operand need_operand(struct words *w)
{
    struct operand o = {0};
    skip_space(w);
    if (w->at < w->end && *w->at == '"') {
        o.kind = OPERAND_STRING;
        o.text = need_string(w);
    } else if (w->at < w->end && (isdigit((unsigned char)*w->at) || *w->at == '-')) {
        const char *start = w->at++;
        while (w->at < w->end && (isdigit((unsigned char)*w->at) || *w->at == '.'))
            w->at++;
        o.kind = OPERAND_NUMBER;
        o.text = take_printf("%.*s", (int)(w->at - start), start);
        char *end;
        strtod(o.text, &end);
        if (*end || w->at[-1] == '.' || strcmp(o.text, "-") == 0)
            fail(w->file, w->line, "'%s' is not a number", o.text);
    } else if (try_word(w, "true")) {
        o = (struct operand){.kind = OPERAND_BOOL, .text = "true"};
    } else if (try_word(w, "false")) {
        o = (struct operand){.kind = OPERAND_BOOL, .text = "false"};
    } else {
        o = (struct operand){.kind = OPERAND_PATH, .path = need_path(w)};
    }
    return o;
}

static struct term *need_condition(struct words *w)
{
    struct term *first = NULL, **end = &first;
    char join = 0;
    for (;;) {
        struct term *t = take(sizeof *t);
        t->join = join;
        t->negate = try_word(w, "not");
        t->left = need_operand(w);
        static const char *const ops[] = {"==", "!=", "<=", ">=", "<", ">"};
        for (size_t i = 0; i < sizeof ops / sizeof ops[0] && !t->op; i++)
            if (try_symbol(w, ops[i]))
                t->op = ops[i];
        if (t->op)
            t->right = need_operand(w);
        *end = t;
        end = &t->next;
        if (try_word(w, "and"))
            join = '&';
        else if (try_word(w, "or"))
            join = '|';
        else
            return first;
    }
}

static const char *const c_words[] = {
    "auto",   "break",    "case",     "char",     "const", "continue", "default", "do",     "double",
    "else",   "enum",     "extern",   "float",    "for",   "goto",     "if",      "inline", "int",
    "long",   "register", "restrict", "return",   "short", "signed",   "sizeof",  "static", "struct",
    "switch", "typedef",  "union",    "unsigned", "void",  "volatile", "while",   "bool",   "true",
    "false",  "not",      "and",      "or",       "loop",  "v",        "out",     "list",   "asset",
    "in",     "with",     "raw_html", "text",     "url",   "number"};

/* A name that becomes a C name, and must not be a word of C or of this language. */
static const char *need_new_name(struct words *w, const char *what)
{
    const char *name = need_name(w, what);
    for (size_t i = 0; i < sizeof c_words / sizeof c_words[0]; i++)
        if (strcmp(name, c_words[i]) == 0)
            fail(w->file, w->line, "'%s' is a reserved word; choose another name", name);
    if (strncmp(name, "n_", 2) == 0)
        fail(w->file, w->line, "names beginning with n_ are kept for the lengths of lists: '%s'", name);
    return name;
}

static struct field *need_fields(struct words *w, const char *c_prefix);

static struct type need_type(struct words *w, const char *c_name)
{
    static const struct {
        const char *word;
        enum type_kind kind;
    } simple[] = {{"text", TYPE_TEXT},     {"url", TYPE_URL},   {"int", TYPE_INT},
                  {"number", TYPE_NUMBER}, {"bool", TYPE_BOOL}, {"raw_html", TYPE_RAW}};
    struct type t = {0};
    if (try_word(w, "list")) {
        t.kind = TYPE_LIST;
        t.item = take(sizeof *t.item);
        *t.item = need_type(w, c_name);
        if (t.item->kind == TYPE_LIST)
            fail(w->file, w->line, "a list cannot hold lists directly: put the inner one into a { record }");
        return t;
    }
    for (size_t i = 0; i < sizeof simple / sizeof simple[0]; i++)
        if (try_word(w, simple[i].word)) {
            t.kind = simple[i].kind;
            return t;
        }
    t.kind = TYPE_RECORD;
    if (try_symbol(w, "{")) {
        t.c_name = c_name;
        t.fields = need_fields(w, c_name);
        return t;
    }
    t.template_ref = need_name(w, "a type: text, url, int, number, bool, raw_html, list, { record } or a template");
    t.c_name = take_printf("tpl_%s", t.template_ref);
    return t;
}

static void add_field(const char *file, struct field **list, struct field *f)
{
    while (*list) {
        if (strcmp((*list)->name, f->name) == 0)
            fail(file, f->line, "'%s' is declared twice (first in line %d)", f->name, (*list)->line);
        list = &(*list)->next;
    }
    *list = f;
}

/* After the "{" of a record: name: type, ... } */
static struct field *need_fields(struct words *w, const char *c_prefix)
{
    struct field *fields = NULL;
    do {
        if (fields && try_symbol(w, "}")) /* a comma after the last one is fine */
            return fields;
        struct field *f = take(sizeof *f);
        f->name = need_new_name(w, "a field's name");
        f->line = w->line;
        need_symbol(w, ":");
        f->type = need_type(w, take_printf("%s_%s", c_prefix, f->name));
        add_field(w->file, &fields, f);
    } while (try_symbol(w, ","));
    need_symbol(w, "}");
    return fields;
}

/* --- cutting the file --- */

struct tag {
    char kind; /* '{' print, '%' statement, 0 end of file */
    struct words words;
};

static bool blank_to_line_start(const char *text, const char *at)
{
    while (at > text && (at[-1] == ' ' || at[-1] == '\t'))
        at--;
    return at == text || at[-1] == '\n';
}

static int count_lines(const char *from, const char *to)
{
    int n = 0;
    for (; from < to; from++)
        n += *from == '\n';
    return n;
}

static void add_literal(struct node ***end, int line, const char *text, size_t len)
{
    if (!len)
        return;
    struct node *n = take(sizeof *n);
    *n = (struct node){.kind = NODE_LITERAL, .line = line, .text = text, .len = len};
    **end = n;
    *end = &n->next;
}

/* Literal text up to the next tag becomes a node; comments vanish. Statements and comments that
 * stand alone in their lines take those lines with them. */
static struct tag next_tag(struct reader *r, const char *text, struct node ***end)
{
    for (;;) {
        const char *open = r->at;
        while (open + 1 < r->end && !(open[0] == '{' && (open[1] == '{' || open[1] == '%' || open[1] == '#')))
            open++;
        if (open + 1 >= r->end) {
            add_literal(end, r->line, r->at, (size_t)(r->end - r->at));
            r->line += count_lines(r->at, r->end);
            r->at = r->end;
            return (struct tag){0};
        }
        char kind = open[1];
        char closing = kind == '{' ? '}' : kind;
        const char *close = open + 2;
        bool quoted = false;
        while (close + 1 < r->end && (quoted || !(close[0] == closing && close[1] == '}'))) {
            if (*close == '"' && kind != '#')
                quoted = !quoted;
            close++;
        }
        int tag_line = r->line + count_lines(r->at, open);
        if (close + 1 >= r->end)
            fail(r->file, tag_line, "'{%c' is never closed by '%c}'", kind, closing);

        const char *literal_end = open, *after = close + 2;
        if (kind != '{' && blank_to_line_start(text, open)) {
            const char *p = after;
            while (p < r->end && (*p == ' ' || *p == '\t' || *p == '\r'))
                p++;
            if (p == r->end || *p == '\n') {
                after = p < r->end ? p + 1 : p;
                while (literal_end > r->at && (literal_end[-1] == ' ' || literal_end[-1] == '\t'))
                    literal_end--;
            }
        }
        add_literal(end, r->line, r->at, (size_t)(literal_end - r->at));
        r->line = tag_line + count_lines(open, after);
        r->at = after;
        if (kind != '#')
            return (struct tag){kind, {r->file, tag_line, open + 2, close}};
    }
}

/* --- statements --- */

struct parser {
    struct reader reader;
    const char *text;
    struct template *t;
    int in_for, in_block;
};

static struct node *parse_until(struct parser *p, const char *const *stops, struct tag *stop, int opened);

static struct node *parse_if(struct parser *p, struct words *w)
{
    static const char *const stops[] = {"elif", "else", "endif", NULL};
    static const char *const last[] = {"endif", NULL};
    struct node *n = take(sizeof *n);
    *n = (struct node){.kind = NODE_IF, .line = w->line, .condition = need_condition(w)};
    need_end(w);
    struct tag stop;
    n->body = parse_until(p, stops, &stop, n->line);
    if (try_word(&stop.words, "elif")) {
        n->rest = parse_if(p, &stop.words);
    } else if (try_word(&stop.words, "else")) {
        need_end(&stop.words);
        n->rest = parse_until(p, last, &stop, n->line);
    }
    return n;
}

static struct node *parse_for(struct parser *p, struct words *w)
{
    static const char *const stops[] = {"else", "endfor", NULL};
    static const char *const last[] = {"endfor", NULL};
    struct node *n = take(sizeof *n);
    *n = (struct node){.kind = NODE_FOR, .line = w->line, .text = need_new_name(w, "a name for the item")};
    if (!try_word(w, "in"))
        fail(w->file, w->line, "expected 'in', found %s", rest_of(w));
    n->path = need_path(w);
    need_end(w);
    struct tag stop;
    p->in_for++;
    n->body = parse_until(p, stops, &stop, n->line);
    p->in_for--;
    if (try_word(&stop.words, "else")) {
        need_end(&stop.words);
        n->rest = parse_until(p, last, &stop, n->line);
    }
    return n;
}

static struct node *parse_block(struct parser *p, struct words *w)
{
    static const char *const stops[] = {"endblock", NULL};
    struct node *n = take(sizeof *n);
    *n = (struct node){.kind = NODE_BLOCK, .line = w->line, .text = need_name(w, "a name for the block")};
    need_end(w);
    if (p->in_for || p->in_block)
        fail(w->file, w->line, "a block cannot stand inside a %s", p->in_for ? "for" : "block");
    struct tag stop;
    p->in_block++;
    n->body = parse_until(p, stops, &stop, n->line);
    p->in_block--;
    return n;
}

/* "with a=b, c=d", or nothing */
static struct argument *parse_arguments(struct words *w)
{
    struct argument *first = NULL, **end = &first;
    if (!try_word(w, "with"))
        return NULL;
    do {
        struct argument *a = take(sizeof *a);
        a->name = need_name(w, "a parameter's name");
        need_symbol(w, "=");
        a->value = need_operand(w);
        *end = a;
        end = &a->next;
    } while (try_symbol(w, ","));
    return first;
}

static struct node *parse_include(struct words *w)
{
    struct node *n = take(sizeof *n);
    *n = (struct node){.kind = NODE_INCLUDE, .line = w->line, .text = need_name(w, "a template's name")};
    n->args = parse_arguments(w);
    if (!n->args) {
        skip_space(w);
        if (w->at < w->end)
            n->path = need_path(w);
    }
    need_end(w);
    return n;
}

static void parse_param(struct parser *p, struct words *w)
{
    struct field *f = take(sizeof *f);
    f->name = need_new_name(w, "a parameter's name");
    f->line = w->line;
    need_symbol(w, ":");
    f->type = need_type(w, take_printf("tpl_%s_%s", p->t->name, f->name));
    need_end(w);
    add_field(w->file, &p->t->params, f);
}

static struct node *parse_print(struct words *w)
{
    struct node *n = take(sizeof *n);
    n->line = w->line;
    struct words after = *w; /* {{ t }} alone is a parameter of that name */
    if (try_word(&after, "t") && (skip_space(&after), after.at != after.end && *after.at != '.')) {
        *w = after;
        n->kind = NODE_SAY;
        n->text = need_name(w, "a message's key");
        n->args = parse_arguments(w);
    } else if (try_word(w, "asset")) {
        n->kind = NODE_ASSET;
        n->text = need_string(w);
    } else if (try_word(w, "raw_html")) {
        n->kind = NODE_RAW;
        n->path = need_path(w);
    } else {
        n->kind = NODE_PRINT;
        n->path = need_path(w);
    }
    need_end(w);
    return n;
}

/* Nodes up to a statement beginning with one of `stops` (left for the caller in *stop), or to the
 * end of the file when stops is NULL. */
static struct node *parse_until(struct parser *p, const char *const *stops, struct tag *stop, int opened)
{
    struct node *first = NULL, **end = &first;
    for (;;) {
        struct tag tag = next_tag(&p->reader, p->text, &end);
        struct words *w = &tag.words;
        if (!tag.kind) {
            if (stops)
                fail(p->t->file, opened, "this is never closed: expected '{%% %s %%}' before the end of the file",
                     stops[0]);
            return first;
        }
        struct node *n = NULL;
        if (tag.kind == '{') {
            n = parse_print(w);
        } else {
            for (size_t i = 0; stops && stops[i]; i++) {
                struct words ahead = *w;
                if (try_word(&ahead, stops[i])) {
                    *stop = tag;
                    return first;
                }
            }
            if (try_word(w, "if"))
                n = parse_if(p, w);
            else if (try_word(w, "for"))
                n = parse_for(p, w);
            else if (try_word(w, "block"))
                n = parse_block(p, w);
            else if (try_word(w, "include"))
                n = parse_include(w);
            else if (try_word(w, "param")) {
                if (stops)
                    fail(w->file, w->line, "param must stand at the top of the file");
                parse_param(p, w);
            } else if (try_word(w, "extends")) {
                if (stops || p->t->extends)
                    fail(w->file, w->line, "extends may stand once, at the top of the file");
                p->t->extends = need_name(w, "a template's name");
                p->t->extends_line = w->line;
                need_end(w);
            } else
                fail(w->file, w->line, "unknown or misplaced statement %s", rest_of(w));
        }
        if (n) {
            *end = n;
            end = &n->next;
        }
    }
}

/* A template that extends another consists of declarations and blocks; white space between is nothing. */
static void check_child(struct template *t)
{
    struct node **link = &t->nodes;
    while (*link) {
        struct node *n = *link;
        if (n->kind == NODE_BLOCK) {
            for (struct node *m = t->nodes; m != n; m = m->next)
                if (strcmp(m->text, n->text) == 0)
                    fail(t->file, n->line, "block '%s' is given twice", n->text);
            link = &n->next;
            continue;
        }
        if (n->kind != NODE_LITERAL || strspn(n->text, " \t\r\n") < n->len)
            fail(t->file, n->line, "a template that extends '%s' has only params and blocks at its top level",
                 t->extends);
        *link = n->next;
    }
}

struct template *template_parse(const char *file, const char *name, const char *text, size_t len)
{
    struct template *t = take(sizeof *t);
    *t = (struct template){.file = file, .name = name};
    struct parser p = {.reader = {file, text, text + len, 1}, .text = text, .t = t};
    t->nodes = parse_until(&p, NULL, NULL, 1);
    if (t->extends)
        check_child(t);
    return t;
}
