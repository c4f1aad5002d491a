/* template_emit: checked templates -> C.
 *
 * For each template a struct of its parameters and a function that writes it. A template that extends
 * another is flattened: its function walks the outermost layout and, at each block, the block of the
 * innermost template that gives one; the layout's parameters are a member of its struct.
 *
 * It is one file of more than 600 lines because it is one walk over one syntax tree: a function for each kind of node,
 * which call each other and share the emitter and its scopes. */
#include "template.h"
#include "template_html.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is known inside a for: the item, and where the loop stands. */
struct scope {
    const char *name;
    const struct type *type;
    const char *index, *count;
    const char *element; /* "v->results[r_i]" */
    bool *used;          /* set when the item is */
    const struct scope *up;
};

/* A resolved name. `pointer` and `prefix` are for records: "&v->hero" and "v->hero."; count for lists. */
struct value {
    const struct type *type;
    const char *expr, *pointer, *prefix, *count;
};

struct emitter {
    struct template *all, *leaf;
    const char *static_dir;
    const struct catalogue *messages; /* NULL: none */
    struct buf *out;
    struct buf literal; /* not written yet */
    struct html html;
    int indent;
};

static const char *const type_names[] = {"text", "url", "int", "number", "bool", "raw_html", "a record", "a list"};

static struct template *find_template(struct template *all, const char *name)
{
    for (; all; all = all->next)
        if (strcmp(all->name, name) == 0)
            return all;
    return NULL;
}

/* --- structs --- */

static void emit_fields(struct buf *h, const struct field *f)
{
    static const char *const c_types[] = {"const char *", "const char *", "int64_t ",
                                          "double ",      "bool ",        "const char *"};
    for (; f; f = f->next) {
        const struct type *t = f->type.kind == TYPE_LIST ? f->type.item : &f->type;
        const char *star = f->type.kind == TYPE_LIST ? "*" : "";
        const char *constant = f->type.kind == TYPE_LIST ? "const " : "";
        if (t->kind == TYPE_RECORD)
            buf_printf(h, "    %sstruct %s %s%s;\n", constant, t->c_name, star, f->name);
        else if (c_types[t->kind][strlen(c_types[t->kind]) - 1] == '*')
            buf_printf(h, "    %s%s%s%s; /* %s */\n", c_types[t->kind], f->type.kind == TYPE_LIST ? "const " : "", star,
                       f->name, type_names[t->kind]);
        else
            buf_printf(h, "    %s%s%s%s;\n", constant, c_types[t->kind], star, f->name);
        if (f->type.kind == TYPE_LIST)
            buf_printf(h, "    size_t n_%s;\n", f->name);
    }
}

static void emit_struct_of(struct template *all, struct template *t, struct buf *h, int depth);

/* What must be declared before a struct with these fields: records in place, and templates held by value. */
static void emit_records(struct template *all, const struct template *t, const struct field *f, struct buf *h,
                         int depth)
{
    for (; f; f = f->next) {
        const struct type *type = f->type.kind == TYPE_LIST ? f->type.item : &f->type;
        if (type->kind != TYPE_RECORD)
            continue;
        if (type->template_ref) {
            struct template *of = find_template(all, type->template_ref);
            if (!of)
                fail(t->file, f->line, "'%s' is neither a type nor a template", type->template_ref);
            if (of->extends)
                fail(t->file, f->line, "'%s' extends another template, so it cannot be a type", of->name);
            if (f->type.kind == TYPE_RECORD)
                emit_struct_of(all, of, h, depth + 1);
            continue;
        }
        emit_records(all, t, type->fields, h, depth);
        buf_printf(h, "struct %s {\n", type->c_name);
        emit_fields(h, type->fields);
        buf_puts(h, "};\n");
    }
}

static void emit_struct_of(struct template *all, struct template *t, struct buf *h, int depth)
{
    if (t->emitted)
        return;
    if (depth > 16)
        fail(t->file, 1, "contains or extends itself");
    if (t->parent)
        emit_struct_of(all, t->parent, h, depth + 1);
    emit_records(all, t, t->params, h, depth);
    buf_printf(h, "/* %s */\nstruct tpl_%s {\n", t->file, t->name);
    if (t->parent)
        buf_printf(h, "    struct tpl_%s %s;\n", t->parent->name, t->parent->name);
    emit_fields(h, t->params);
    if (!t->parent && !t->params)
        buf_puts(h, "    char nothing;\n");
    buf_puts(h, "};\n\n");
    t->emitted = true;
}

/* --- names --- */

static const struct field *fields_of(const struct emitter *e, const struct type *record)
{
    return record->template_ref ? find_template(e->all, record->template_ref)->params : record->fields;
}

static struct value value_of_field(const char *prefix, const struct field *f)
{
    return (struct value){.type = &f->type,
                          .expr = take_printf("%s%s", prefix, f->name),
                          .pointer = take_printf("&%s%s", prefix, f->name),
                          .prefix = take_printf("%s%s.", prefix, f->name),
                          .count = take_printf("%sn_%s", prefix, f->name)};
}

static struct field *find_field(const struct field *f, const char *name)
{
    for (; f; f = f->next)
        if (strcmp(f->name, name) == 0)
            return (struct field *)(uintptr_t)f;
    return NULL;
}

static void list_names(struct buf *names, const struct field *f)
{
    for (; f; f = f->next)
        buf_printf(names, "%s%s", names->len ? ", " : "", f->name);
}

/* How the function of e->leaf reaches the parameters of `t`, which it is or extends. */
static const char *prefix_of(const struct emitter *e, const struct template *t)
{
    const char *prefix = "v->";
    for (const struct template *at = e->leaf; at != t; at = at->parent)
        prefix = take_printf("%s%s.", prefix, at->parent->name);
    return prefix;
}

static struct value loop_value(const struct emitter *e, const struct template *t, int line, const struct path *p,
                               const struct scope *scope)
{
    static const struct type integer = {.kind = TYPE_INT}, truth = {.kind = TYPE_BOOL};
    (void)e;
    if (!scope)
        fail(t->file, line, "'loop' is known only inside a for");
    const char *what = p->n == 2 ? p->part[1] : "";
    if (strcmp(what, "index") == 0)
        return (struct value){.type = &integer, .expr = take_printf("(int64_t)%s + 1", scope->index)};
    if (strcmp(what, "first") == 0)
        return (struct value){.type = &truth, .expr = take_printf("%s == 0", scope->index)};
    if (strcmp(what, "last") == 0)
        return (struct value){.type = &truth, .expr = take_printf("%s + 1 == %s", scope->index, scope->count)};
    fail(t->file, line, "a loop has index, first and last, not '%s'", what);
}

static struct value resolve(struct emitter *e, const struct template *t, int line, const struct path *p,
                            const struct scope *scope)
{
    struct value v = {0};
    struct buf names;
    buf_init(&names, 4096);
    if (strcmp(p->part[0], "loop") == 0)
        return loop_value(e, t, line, p, scope);
    for (const struct scope *s = scope; s && !v.type; s = s->up) {
        buf_printf(&names, "%s%s", names.len ? ", " : "", s->name);
        if (strcmp(s->name, p->part[0]) == 0) {
            *s->used = true;
            v = (struct value){
                .type = s->type, .expr = s->element, .pointer = s->name, .prefix = take_printf("%s->", s->name)};
        }
    }
    for (const struct template *at = t; at && !v.type; at = at->parent) {
        struct field *f = find_field(at->params, p->part[0]);
        list_names(&names, at->params);
        if (f) {
            f->used = true;
            v = value_of_field(prefix_of(e, at), f);
        }
    }
    if (!v.type)
        fail(t->file, line, "unknown name '%s' (known here: %s)", p->part[0], names.len ? buf_str(&names) : "nothing");
    for (size_t i = 1; i < p->n; i++) {
        if (v.type->kind != TYPE_RECORD)
            fail(t->file, line, "'%s' is %s and has no '%s'", p->part[i - 1], type_names[v.type->kind], p->part[i]);
        const struct field *fields = fields_of(e, v.type);
        struct field *f = find_field(fields, p->part[i]);
        if (!f) {
            buf_reset(&names);
            list_names(&names, fields);
            fail(t->file, line, "'%s' has no '%s' (it has: %s)", p->part[i - 1], p->part[i], buf_str(&names));
        }
        f->used = true;
        v = value_of_field(v.prefix, f);
    }
    return v;
}

static const char *path_text(const struct path *p)
{
    const char *s = p->part[0];
    for (size_t i = 1; i < p->n; i++)
        s = take_printf("%s.%s", s, p->part[i]);
    return s;
}

/* --- C text --- */

void put_c_string(struct buf *out, const char *s, size_t len, int indent)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '\n') {
            buf_puts(out, "\\n");
            if (i + 1 < len)
                buf_printf(out, "\"\n%*s\"", indent, "");
        } else if (c == '"' || c == '\\' || c == '?') /* ? would begin a trigraph */
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\%03o", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

static void line_out(struct emitter *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define MAX_LITERAL 3500 /* C17 promises 4,095 characters */

static void flush(struct emitter *e)
{
    for (size_t at = 0; at < e->literal.len;) {
        size_t n = e->literal.len - at;
        if (n > MAX_LITERAL) {
            n = MAX_LITERAL;
            while (n > 1 && ((unsigned char)e->literal.data[at + n] & 0xC0) == 0x80) /* not inside a character */
                n--;
        }
        buf_printf(e->out, "%*shtml_literal(out, ", e->indent, "");
        put_c_string(e->out, e->literal.data + at, n, e->indent + 18);
        buf_puts(e->out, ");\n");
        at += n;
    }
    buf_reset(&e->literal);
}

static void line_out(struct emitter *e, const char *fmt, ...)
{
    flush(e);
    buf_printf(e->out, "%*s", e->indent, "");
    va_list args;
    va_start(args, fmt);
    char line[2048];
    int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof line)
        fail(e->leaf->file, 1, "a generated line is longer than %zu bytes", sizeof line);
    buf_printf(e->out, "%s\n", line);
}

/* --- conditions --- */

static bool is_texty(enum type_kind k)
{
    return k == TYPE_TEXT || k == TYPE_URL || k == TYPE_RAW;
}

static struct value operand_value(struct emitter *e, const struct template *t, int line, const struct operand *o,
                                  const struct scope *scope)
{
    static const struct type kinds[] = {
        {.kind = TYPE_TEXT}, {.kind = TYPE_NUMBER}, {.kind = TYPE_BOOL}, {.kind = TYPE_INT}};
    if (o->kind == OPERAND_PATH)
        return resolve(e, t, line, &o->path, scope);
    if (o->kind == OPERAND_STRING) {
        struct buf s;
        buf_init(&s, 65536);
        put_c_string(&s, o->text, strlen(o->text), 0);
        return (struct value){.type = &kinds[0], .expr = buf_str(&s)};
    }
    if (o->kind == OPERAND_BOOL)
        return (struct value){.type = &kinds[2], .expr = o->text};
    return (struct value){.type = strchr(o->text, '.') ? &kinds[1] : &kinds[3], .expr = o->text};
}

static const char *comparison(struct emitter *e, const struct template *t, int line, const struct term *term,
                              const struct scope *scope)
{
    struct value a = operand_value(e, t, line, &term->left, scope);
    struct value b = operand_value(e, t, line, &term->right, scope);
    bool equality = term->op[0] == '=' || term->op[0] == '!';
    bool a_number = a.type->kind == TYPE_INT || a.type->kind == TYPE_NUMBER;
    bool b_number = b.type->kind == TYPE_INT || b.type->kind == TYPE_NUMBER;
    if (is_texty(a.type->kind) && is_texty(b.type->kind) && equality)
        return take_printf("%shtml_equal(%s, %s)", term->op[0] == '!' ? "!" : "", a.expr, b.expr);
    if ((a_number && b_number) || (a.type->kind == TYPE_BOOL && b.type->kind == TYPE_BOOL && equality))
        return take_printf("(%s) %s (%s)", a.expr, term->op, b.expr);
    fail(t->file, line, "cannot compare %s %s %s", type_names[a.type->kind], term->op, type_names[b.type->kind]);
}

static const char *truth(struct emitter *e, const struct template *t, int line, const struct term *term,
                         const struct scope *scope)
{
    struct value a = operand_value(e, t, line, &term->left, scope);
    switch (a.type->kind) {
    case TYPE_TEXT:
    case TYPE_URL:
    case TYPE_RAW:
        return take_printf("html_is(%s)", a.expr);
    case TYPE_INT:
    case TYPE_NUMBER:
        return take_printf("%s != 0", a.expr);
    case TYPE_LIST:
        return take_printf("%s > 0", a.count);
    case TYPE_BOOL:
        return a.expr;
    case TYPE_RECORD:
        break;
    }
    fail(t->file, line, "a record is neither true nor false: test one of its fields");
}

/* "and" binds tighter than "or", as in C; each group of ands gets parentheses. */
static const char *condition(struct emitter *e, const struct template *t, int line, const struct term *term,
                             const struct scope *scope)
{
    const char *all = NULL, *group = NULL;
    bool alone = !term->next;
    for (; term; term = term->next) {
        const char *c = term->op ? comparison(e, t, line, term, scope) : truth(e, t, line, term, scope);
        if (term->negate)
            c = take_printf("!(%s)", c);
        else if (!alone)
            c = take_printf("(%s)", c);
        if (term->join == '|') {
            all = all ? take_printf("%s || (%s)", all, group) : take_printf("(%s)", group);
            group = c;
        } else {
            group = group ? take_printf("%s && %s", group, c) : c;
        }
    }
    return all ? take_printf("%s || (%s)", all, group) : group;
}

/* --- nodes --- */

static void emit_nodes(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope);

static void emit_print(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    struct value v = resolve(e, t, n->line, &n->path, scope);
    const char *name = path_text(&n->path);
    enum type_kind kind = v.type->kind;
    if (kind == TYPE_BOOL || kind == TYPE_RECORD || kind == TYPE_LIST)
        fail(t->file, n->line, "'%s' is %s and cannot be written: use if, for or include", name, type_names[kind]);
    if ((n->kind == NODE_RAW) != (kind == TYPE_RAW))
        fail(t->file, n->line,
             kind == TYPE_RAW ? "'%s' is raw_html: write {{ raw_html %s }}, so that everyone sees it"
                              : "'%s' is not raw_html: write {{ %s }}",
             name, name);
    bool in_value = e->html.where == HTML_VALUE;
    if (e->html.where != HTML_TEXT && (!in_value || kind == TYPE_RAW))
        fail(t->file, n->line, "'%s' stands in %s: values belong in text or in quoted attributes", name,
             html_describe(&e->html));
    if (kind == TYPE_RAW)
        line_out(e, "html_unescaped(out, %s);", v.expr);
    else if (kind == TYPE_INT)
        line_out(e, "html_int(out, %s);", v.expr);
    else if (kind == TYPE_NUMBER)
        line_out(e, "html_number(out, %s);", v.expr);
    else if (!in_value || !e->html.is_url)
        line_out(e, "html_text(out, %s);", v.expr);
    else if (!e->html.at_start)
        line_out(e, "html_url_part(out, %s);", v.expr);
    else if (kind == TYPE_URL)
        line_out(e, "html_url(out, %s);", v.expr);
    else
        fail(t->file, n->line, "%s= begins with '%s', which is text: declare it as url", e->html.name, name);
    e->html.at_start = e->html.fresh = false;
}

/* The placeholders of a message, each with its value. */
static void emit_fillings(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    for (const struct argument *a = n->args; a; a = a->next) {
        struct value v = operand_value(e, t, n->line, &a->value, scope);
        if (v.type->kind == TYPE_INT)
            line_out(e, "{.name = \"%s\", .number = %s, .is_number = true},", a->name, v.expr);
        else if (v.type->kind == TYPE_TEXT)
            line_out(e, "{.name = \"%s\", .text = %s},", a->name, v.expr);
        else
            fail(t->file, n->line, "{%s} takes a text or an int, not %s", a->name, type_names[v.type->kind]);
    }
}

static void emit_say(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    const struct catalogue *c = e->messages;
    const struct message *m = c ? messages_find(c, n->text) : NULL;
    if (!m)
        fail(t->file, n->line, "there is no message '%s' in %s", n->text, c ? c->file : "a catalogue: none was given");
    if (m->area && strncmp(t->name, take_printf("%s_", m->area), strlen(m->area) + 1) != 0)
        fail(t->file, n->line, "message '%s' is in one language only: it belongs in templates named %s_...", n->text,
             m->area);
    size_t given = 0, wanted = 0;
    for (const struct argument *a = n->args; a; a = a->next, given++)
        if (!messages_has_placeholder(m, a->name))
            fail(t->file, n->line, "'%s' has no placeholder {%s}", n->text, a->name);
    const char *seen = "";
    for (const char *s = m->forms[PLURAL_OTHER]; (s = strchr(s, '{')); s++) {
        const char *name = take_printf("{%.*s}", (int)strcspn(s + 1, "}"), s + 1);
        if (strstr(seen, name))
            continue;
        seen = take_printf("%s%s", seen, name);
        wanted++;
    }
    if (given < wanted)
        fail(t->file, n->line, "'%s' needs %s", n->text, seen);
    bool in_value = e->html.where == HTML_VALUE;
    if ((e->html.where != HTML_TEXT && !in_value) || (in_value && e->html.is_url))
        fail(t->file, n->line, "message '%s' stands in %s: messages belong in text or in attributes that hold text",
             n->text, in_value ? "a URL" : html_describe(&e->html));
    const char *place = in_value || m->area ? "MESSAGE_IN_VALUE" : "MESSAGE_IN_TEXT"; /* an area's: without <bdi> */
    if (n->args) {
        line_out(e, "messages_html(out, in, MESSAGE_%s, %s, (const struct message_arg[]){", n->text, place);
        e->indent += 4;
        emit_fillings(e, t, n, scope);
        e->indent -= 4;
        line_out(e, "}, %zu);", given);
    } else {
        line_out(e, "messages_html(out, in, MESSAGE_%s, %s, NULL, 0);", n->text, place);
    }
    e->html.at_start = e->html.fresh = false;
}

static void emit_asset(struct emitter *e, const struct template *t, const struct node *n)
{
    if (access(take_printf("%s/%s", e->static_dir, n->text), R_OK) != 0 || strchr(n->text, '/'))
        fail(t->file, n->line, "there is no asset '%s' in %s", n->text, e->static_dir);
    if (e->html.where != HTML_VALUE || !e->html.is_url || !e->html.at_start)
        fail(t->file, n->line, "an asset is a URL: it stands at the start of href=, src= and the like");
    char *macro = take_printf("ASSET_%s", n->text);
    for (char *c = macro; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    line_out(e, "html_literal(out, %s);", macro);
    e->html.at_start = e->html.fresh = false;
}

static void merge(struct emitter *e, const struct template *t, int line, const struct html *other, const char *what)
{
    html_settle(&e->html);
    if (!html_merge(&e->html, other))
        fail(t->file, line, "%s: one way ends in %s, the other in %s", what, html_describe(&e->html),
             html_describe(other));
}

static void emit_if(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    struct html before = e->html;
    line_out(e, "if (%s) {", condition(e, t, n->line, n->condition, scope));
    e->indent += 4;
    emit_nodes(e, t, n->body, scope);
    flush(e);
    e->indent -= 4;
    html_settle(&e->html);
    struct html after = e->html;
    e->html = before;
    if (n->rest) {
        line_out(e, "} else {");
        e->indent += 4;
        emit_nodes(e, t, n->rest, scope);
        flush(e);
        e->indent -= 4;
    }
    line_out(e, "}");
    merge(e, t, n->line, &after, "the branches of this if do not meet");
}

static void emit_for(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    struct value list = resolve(e, t, n->line, &n->path, scope);
    if (list.type->kind != TYPE_LIST)
        fail(t->file, n->line, "'%s' is %s, not a list", path_text(&n->path), type_names[list.type->kind]);
    for (const struct scope *s = scope; s; s = s->up)
        if (strcmp(s->name, n->text) == 0)
            fail(t->file, n->line, "'%s' is the item of an outer for", n->text);
    for (const struct template *at = t; at; at = at->parent)
        if (find_field(at->params, n->text))
            fail(t->file, n->line, "'%s' is a parameter already", n->text);
    const struct type *item = list.type->item;
    bool used = false;
    struct scope inner = {.used = &used,
                          .name = n->text,
                          .type = item,
                          .index = take_printf("%s_i", n->text),
                          .count = list.count,
                          .element = take_printf("%s[%s_i]", list.expr, n->text),
                          .up = scope};
    struct html before = e->html;
    if (n->rest) {
        line_out(e, "if (%s == 0) {", list.count);
        e->indent += 4;
        emit_nodes(e, t, n->rest, scope);
        flush(e);
        e->indent -= 4;
        line_out(e, "}");
        merge(e, t, n->line, &before, "the else of this for does not end where it began");
        e->html = before;
    }
    line_out(e, "for (size_t %s = 0; %s < %s; %s++) {", inner.index, inner.index, list.count, inner.index);
    e->indent += 4;
    struct buf *outer = e->out, body;
    buf_init(&body, 16u << 20);
    e->out = &body;
    emit_nodes(e, t, n->body, &inner);
    flush(e);
    e->out = outer;
    if (item->kind == TYPE_RECORD && used)
        line_out(e, "const struct %s *%s = &%s;", item->c_name, n->text, inner.element);
    buf_append(e->out, buf_str(&body), body.len);
    e->out->failed = e->out->failed || body.failed;
    e->indent -= 4;
    line_out(e, "}");
    merge(e, t, n->line, &before, "this for does not end where it began");
}

static bool same_type(const struct type *a, const struct type *b)
{
    if (a->kind == TYPE_LIST && b->kind == TYPE_LIST)
        return same_type(a->item, b->item);
    if (a->kind == TYPE_RECORD && b->kind == TYPE_RECORD)
        return strcmp(a->c_name, b->c_name) == 0;
    return a->kind == b->kind;
}

static void emit_argument(struct emitter *e, const struct template *t, const struct node *n, const struct field *param,
                          const struct argument *a, const struct scope *scope)
{
    struct value v = operand_value(e, t, n->line, &a->value, scope);
    enum type_kind want = param->type.kind, have = v.type->kind;
    bool literal_url = a->value.kind == OPERAND_STRING && want == TYPE_URL;
    if (!same_type(&param->type, v.type) && !(want == TYPE_TEXT && have == TYPE_URL) && !literal_url &&
        !(want == TYPE_NUMBER && have == TYPE_INT))
        fail(t->file, n->line, "parameter '%s' of '%s' is %s, given is %s%s", a->name, n->text, type_names[want],
             type_names[have], want == have ? " of another kind: declare both with the same template as type" : "");
    line_out(e, ".%s = %s,", a->name, v.expr);
    if (want == TYPE_LIST)
        line_out(e, ".n_%s = %s,", a->name, v.count);
}

static void emit_include(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    const struct template *of = find_template(e->all, n->text);
    if (!of)
        fail(t->file, n->line, "there is no template '%s'", n->text);
    e->html.fresh = false;
    if (e->html.where != HTML_TEXT)
        fail(t->file, n->line, "include stands in %s: it belongs in text", html_describe(&e->html));
    if (n->path.n) {
        struct value v = resolve(e, t, n->line, &n->path, scope);
        if (v.type->kind != TYPE_RECORD || strcmp(v.type->c_name, take_printf("tpl_%s", of->name)) != 0)
            fail(t->file, n->line, "'%s' does not hold the parameters of '%s'", path_text(&n->path), of->name);
        line_out(e, "tpl_%s(out, %s%s);", of->name, v.pointer, of->says ? ", in" : "");
        return;
    }
    if (of->extends)
        fail(t->file, n->line, "'%s' extends another template and cannot be included", of->name);
    for (const struct argument *a = n->args; a; a = a->next)
        if (!find_field(of->params, a->name))
            fail(t->file, n->line, "'%s' has no parameter '%s'", of->name, a->name);
    if (!of->params) {
        line_out(e, "tpl_%s(out, &(struct tpl_%s){0}%s);", of->name, of->name, of->says ? ", in" : "");
        return;
    }
    line_out(e, "tpl_%s(out, &(struct tpl_%s){", of->name, of->name);
    e->indent += 4;
    for (const struct field *f = of->params; f; f = f->next) {
        const struct argument *a = n->args;
        while (a && strcmp(a->name, f->name) != 0)
            a = a->next;
        if (!a)
            fail(t->file, n->line, "parameter '%s' of '%s' is missing", f->name, of->name);
        if (f->type.kind == TYPE_RECORD)
            fail(t->file, n->line, "parameter '%s' is a record: include '%s' with one record instead", f->name,
                 of->name);
        emit_argument(e, t, n, f, a, scope);
    }
    e->indent -= 4;
    line_out(e, "}%s);", of->says ? ", in" : "");
}

/* The innermost template that gives this block; its content is seen from there. */
static void emit_block(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    for (const struct template *at = e->leaf; at != t; at = at->parent)
        for (const struct node *b = at->nodes; b; b = b->next)
            if (b->kind == NODE_BLOCK && strcmp(b->text, n->text) == 0) {
                emit_nodes(e, at, b->body, NULL);
                return;
            }
    emit_nodes(e, t, n->body, scope);
}

static void emit_nodes(struct emitter *e, const struct template *t, const struct node *n, const struct scope *scope)
{
    for (; n; n = n->next) {
        if (n->kind != NODE_LITERAL)
            html_settle(&e->html);
        switch (n->kind) {
        case NODE_LITERAL:
            html_follow(&e->html, t->file, n->line, n->text, n->len, &e->literal);
            break;
        case NODE_PRINT:
        case NODE_RAW:
            emit_print(e, t, n, scope);
            break;
        case NODE_ASSET:
            emit_asset(e, t, n);
            break;
        case NODE_SAY:
            emit_say(e, t, n, scope);
            break;
        case NODE_IF:
            emit_if(e, t, n, scope);
            break;
        case NODE_FOR:
            emit_for(e, t, n, scope);
            break;
        case NODE_INCLUDE:
            emit_include(e, t, n, scope);
            break;
        case NODE_BLOCK:
            emit_block(e, t, n, scope);
            break;
        }
    }
}

/* --- whole templates --- */

static bool has_block(const struct node *n, const char *name)
{
    for (; n; n = n->next)
        if ((n->kind == NODE_BLOCK && strcmp(n->text, name) == 0) || has_block(n->body, name) ||
            has_block(n->rest, name))
            return true;
    return false;
}

static void link_parents(struct template *all)
{
    for (struct template *t = all; t; t = t->next) {
        if (!t->extends)
            continue;
        t->parent = find_template(all, t->extends);
        if (!t->parent)
            fail(t->file, t->extends_line, "there is no template '%s'", t->extends);
    }
    for (struct template *t = all; t; t = t->next) {
        int depth = 0;
        for (const struct template *at = t->parent; at; at = at->parent) {
            if (++depth > 16)
                fail(t->file, t->extends_line, "extends itself");
            for (const struct field *f = t->params; f; f = f->next)
                if (find_field(at->params, f->name) || strcmp(f->name, at->name) == 0)
                    fail(t->file, f->line, "'%s' is known from '%s' already", f->name, at->name);
        }
        for (const struct node *b = t->parent ? t->nodes : NULL; b; b = b->next) {
            const struct template *at = t->parent;
            while (at && !has_block(at->nodes, b->text))
                at = at->parent;
            if (!at)
                fail(t->file, b->line, "'%s' has no block '%s'", t->extends, b->text);
        }
    }
}

static bool nodes_say(struct template *all, const struct node *n)
{
    for (; n; n = n->next) {
        const struct template *of = n->kind == NODE_INCLUDE ? find_template(all, n->text) : NULL;
        if (n->kind == NODE_SAY || (of && of->says) || nodes_say(all, n->body) || nodes_say(all, n->rest))
            return true;
    }
    return false;
}

/* Until no more follow from those that are known. */
static void find_those_that_say(struct template *all)
{
    for (bool more = true; more;) {
        more = false;
        for (struct template *t = all; t; t = t->next) {
            bool says = t->says || (t->parent && t->parent->says) || nodes_say(all, t->nodes);
            more = more || says != t->says;
            t->says = says;
        }
    }
}

static const char *signature(const struct template *t)
{
    return take_printf("void tpl_%s(struct buf *out, const struct tpl_%s *v%s)", t->name, t->name,
                       t->says ? ", const struct messages *in" : "");
}

static void emit_template(struct emitter *e, struct template *t)
{
    struct template *root = t;
    while (root->parent)
        root = root->parent;
    struct buf *outer = e->out, body;
    buf_init(&body, 16u << 20);
    e->leaf = t;
    e->html = (struct html){.where = HTML_TEXT, .fresh = true};
    e->indent = 4;
    e->out = &body;
    emit_nodes(e, root, root->nodes, NULL);
    flush(e);
    e->out = outer;
    buf_printf(e->out, "\n/* %s */\n%s\n{\n%s%s%s}\n", t->file, signature(t),
               strstr(buf_str(&body), "v->") ? "" : "    (void)v;\n",
               t->says && !strstr(buf_str(&body), ", in") ? "    (void)in;\n" : "", buf_str(&body));
    e->out->failed = e->out->failed || body.failed;
    if (e->html.where != HTML_TEXT)
        fail(t->file, 1, "the template ends inside %s", html_describe(&e->html));
}

static void check_used(const struct template *t, const struct field *f)
{
    for (; f; f = f->next) {
        const struct type *type = f->type.kind == TYPE_LIST ? f->type.item : &f->type;
        if (!f->used)
            fail(t->file, f->line, "'%s' is declared and never used", f->name);
        if (type->kind == TYPE_RECORD && !type->template_ref)
            check_used(t, type->fields);
    }
}

void template_emit(struct template *all, const char *static_dir, const struct catalogue *messages, struct buf *header,
                   struct buf *source)
{
    link_parents(all);
    find_those_that_say(all);
    buf_puts(header,
             "/* Made by tools/templates from web/templates; changes belong there. Texts may be NULL (empty). */\n"
             "#ifndef PEEL_WEB_TEMPLATES_H\n#define PEEL_WEB_TEMPLATES_H\n\n"
             "#include \"base/buf.h\"\n#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n"
             "struct messages;\n\n");
    for (struct template *t = all; t; t = t->next)
        emit_struct_of(all, t, header, 0);
    for (struct template *t = all; t; t = t->next)
        buf_printf(header, "%s;\n", signature(t));
    buf_puts(header, "\n#endif\n");

    buf_puts(source, "/* Made by tools/templates from web/templates; changes belong there. */\n"
                     "#include \"web/templates.h\"\n\n#include \"web/assets_gen.h\"\n#include \"web/html.h\"\n");
    buf_puts(source, messages ? "#include \"web/messages.h\"\n" : "");
    struct emitter e = {.all = all, .static_dir = static_dir, .messages = messages, .out = source};
    buf_init(&e.literal, 1u << 20);
    for (struct template *t = all; t; t = t->next)
        emit_template(&e, t);
    for (struct template *t = all; t; t = t->next)
        check_used(t, t->params);
}
