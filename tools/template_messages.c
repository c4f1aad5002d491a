/* template_messages: the catalogues web/messages/xx.ini -> checked -> C.
 *
 *     # a comment
 *     search_label = Search stickers
 *     results[one] = {n} sticker for “{query}”
 *     results[other] = {n} stickers for “{query}”
 *
 * The first catalogue says which keys there are and which placeholders each has; the others must agree. A message with
 * plural forms has exactly those of its language (src/web/plural.h). The messages of an area, as those of admin.en.ini,
 * are in the first one's language alone. */
#include "template.h"
#include "web/plural.h"

#include <string.h>

#define BLANKS " \t\r"

static struct message *find_message(struct message *m, const char *key)
{
    for (; m; m = m->next)
        if (strcmp(m->key, key) == 0)
            return m;
    return NULL;
}

struct message *messages_find(const struct catalogue *all, const char *key)
{
    struct message *found = NULL;
    for (const struct catalogue *c = all; c && !found; c = c->next)
        if (c == all || c->area)
            found = find_message(c->messages, key);
    return found;
}

bool messages_has_placeholder(const struct message *m, const char *name)
{
    const char *braced = take_printf("{%s}", name);
    for (int i = 0; i < PLURAL_FORMS; i++)
        if (m->forms[i] && strstr(m->forms[i], braced))
            return true;
    return false;
}

/* "{n}" and "{query}" are placeholders; a brace for itself does not occur. */
static void check_braces(const char *file, int line, const char *text)
{
    for (const char *s = text; (s = strpbrk(s, "{}")); s++) {
        size_t len = *s == '{' ? strspn(s + 1, "abcdefghijklmnopqrstuvwxyz_") : 0;
        if (!len || s[1 + len] != '}')
            fail(file, line, "expected a placeholder such as {query}, found '%.16s'", s);
        s += len + 1;
    }
}

static enum plural form_named(const char *file, int line, const char *name)
{
    for (int i = 0; i < PLURAL_FORMS; i++)
        if (strcmp(plural_name((enum plural)i), name) == 0)
            return (enum plural)i;
    fail(file, line, "'%s' is no plural category: zero, one, two, few, many or other", name);
}

/* "key = text" or "key[one] = text" */
static void read_line(struct catalogue *c, int line, const char *start, size_t len)
{
    const char *text = take_printf("%.*s", (int)len, start);
    const char *equals = strchr(text, '=');
    if (!equals)
        fail(c->file, line, "expected 'key = text', found '%.40s'", text);
    size_t key_len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const char *key = take_printf("%.*s", (int)key_len, text), *after = text + key_len;
    enum plural form = PLURAL_OTHER;
    bool plural = *after == '[';
    if (plural) {
        size_t n = strcspn(after + 1, "]");
        form = form_named(c->file, line, take_printf("%.*s", (int)n, after + 1));
        after += n + 1 + (after[n + 1] == ']');
    }
    if (!key_len || after + strspn(after, BLANKS) != equals)
        fail(c->file, line, "a key is made of a-z, 0-9 and _, perhaps with a plural category: key[one]");
    const char *value = equals + 1 + strspn(equals + 1, BLANKS);
    if (!*value)
        fail(c->file, line, "'%s' says nothing", key);
    check_braces(c->file, line, value);
    struct message *m = find_message(c->messages, key);
    if (!m) {
        struct message **end = &c->messages;
        while (*end)
            end = &(*end)->next;
        m = *end = take(sizeof *m);
        *m = (struct message){.key = key, .line = line, .plural = plural, .area = c->area};
    }
    if (m->plural != plural || m->forms[form])
        fail(c->file, line, "'%s' is there twice (first in line %d)", key, m->line);
    m->forms[form] = value;
}

struct catalogue *messages_parse(const char *file, const char *area, const char *tag, const char *text, size_t len)
{
    struct catalogue *c = take(sizeof *c);
    *c = (struct catalogue){.file = file, .tag = tag, .area = area};
    if (!plural_rules(tag))
        fail(file, 1, "nothing is known of plurals in '%s': add it to src/web/plural.c", tag);
    int line = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        const char *from = at, *to = stop;
        line++;
        while (from < to && strchr(BLANKS, *from))
            from++;
        while (to > from && strchr(BLANKS, to[-1]))
            to--;
        if (from < to && *from != '#')
            read_line(c, line, from, (size_t)(to - from));
        at = stop + 1;
    }
    return c;
}

/* --- whether they agree --- */

static void check_forms(const struct catalogue *c, const struct message *m)
{
    unsigned has = 0, needs = m->plural ? plural_rules(c->tag)->forms : 1u << PLURAL_OTHER;
    for (unsigned i = 0; i < PLURAL_FORMS; i++)
        has |= m->forms[i] ? 1u << i : 0;
    for (unsigned i = 0; i < PLURAL_FORMS; i++)
        if ((has ^ needs) >> i & 1)
            fail(c->file, m->line, "'%s' %s the form [%s], which %s %s", m->key, has >> i & 1 ? "has" : "lacks",
                 plural_name((enum plural)i), c->tag, has >> i & 1 ? "does not have" : "needs");
}

/* The next placeholder's name; NULL at the end. */
static const char *next_placeholder(const char **at)
{
    const char *s = strchr(*at, '{');
    if (!s)
        return NULL;
    size_t len = strcspn(s + 1, "}");
    *at = s + len + 1;
    return take_printf("%.*s", (int)len, s + 1);
}

/* The same placeholders, but for {n}, which may be missing where a word says the number. */
static void check_placeholders(const struct catalogue *c, const struct message *m, enum plural form,
                               const struct message *of, const char *first_file)
{
    const char *name, *mine = m->forms[form], *theirs = of->forms[PLURAL_OTHER];
    for (const char *at = mine; (name = next_placeholder(&at));)
        if (!messages_has_placeholder(of, name))
            fail(c->file, m->line, "'%s' has {%s}, which is not in %s", m->key, name, first_file);
    for (const char *at = theirs; (name = next_placeholder(&at));)
        if (!strstr(mine, take_printf("{%s}", name)) && (form == PLURAL_OTHER || strcmp(name, "n") != 0))
            fail(c->file, m->line, "'%s[%s]' lacks {%s}", m->key, plural_name(form), name);
}

static void check_message(const struct catalogue *c, const struct message *m, const struct catalogue *first)
{
    const struct message *of = find_message(first->messages, m->key);
    if (!of)
        fail(c->file, m->line, "'%s' is not in %s", m->key, first->file);
    if (m->plural != of->plural)
        fail(c->file, m->line, "'%s' %s plural forms, in %s it %s", m->key, m->plural ? "has" : "has no", first->file,
             of->plural ? "has them" : "has none");
    check_forms(c, m);
    if (m->plural && !strstr(m->forms[PLURAL_OTHER], "{n}"))
        fail(c->file, m->line, "'%s[other]' lacks {n}", m->key);
    for (int i = 0; i < PLURAL_FORMS; i++)
        if (m->forms[i])
            check_placeholders(c, m, (enum plural)i, of, first->file);
}

/* Messages that nobody translates need only agree with themselves. */
static void check_area(const struct catalogue *c, const struct catalogue *all)
{
    const char *prefix = take_printf("%s_", c->area);
    if (c == all || strcmp(c->tag, all->tag) != 0)
        fail(c->file, 1, "the messages of '%s' are in one language, that of the first catalogue, which is for all",
             c->area);
    for (const struct message *m = c->messages; m; m = m->next) {
        if (strncmp(m->key, prefix, strlen(prefix)) != 0)
            fail(c->file, m->line, "'%s' does not begin with '%s'", m->key, prefix);
        if (messages_find(all, m->key) != m)
            fail(c->file, m->line, "'%s' is in another catalogue as well", m->key);
        check_message(c, m, c);
    }
}

void messages_check(const struct catalogue *all)
{
    for (const struct catalogue *c = all; c; c = c->next) {
        if (c->area) {
            check_area(c, all);
            continue;
        }
        for (const struct message *m = c->messages; m; m = m->next)
            check_message(c, m, all);
        for (const struct message *m = all->messages; m; m = m->next)
            if (!find_message(c->messages, m->key))
                fail(c->file, 1, "'%s' is missing", m->key);
    }
}

/* --- C --- */

static void emit_texts(const struct message *m, struct buf *source)
{
    for (; m; m = m->next) {
        buf_printf(source, "    [MESSAGE_%s] = {", m->key);
        for (int i = 0; i < PLURAL_FORMS; i++) {
            buf_puts(source, i ? ", " : "");
            if (m->forms[i])
                put_c_string(source, m->forms[i], strlen(m->forms[i]), 0);
            else
                buf_puts(source, "NULL");
        }
        buf_puts(source, "},\n");
    }
}

/* Those of areas stand last, so that other languages end before them. */
static void emit_keys(const struct catalogue *all, struct buf *header)
{
    const char *at = "MESSAGE_TRANSLATED";
    buf_puts(header, "enum message {\n");
    for (const struct message *m = all->messages; m; m = m->next)
        buf_printf(header, "    MESSAGE_%s,\n", m->key);
    buf_printf(header, "    MESSAGE_TRANSLATED, /* what follows is in %s only */\n", all->tag);
    for (const struct catalogue *c = all; c; c = c->next)
        for (const struct message *m = c->area ? c->messages : NULL; m; m = m->next, at = NULL)
            buf_printf(header, "    MESSAGE_%s%s%s,\n", m->key, at ? " = " : "", at ? at : "");
    buf_printf(header, "    MESSAGE_COUNT%s%s\n};\n", at ? " = " : "", at ? at : "");
}

void messages_emit(const struct catalogue *all, struct buf *header, struct buf *source)
{
    buf_puts(header, "/* Made by tools/templates from web/messages; changes belong there. */\n"
                     "#ifndef PEEL_WEB_MESSAGES_GEN_H\n#define PEEL_WEB_MESSAGES_GEN_H\n\n");
    emit_keys(all, header);
    buf_puts(header, "\n#endif\n");

    buf_puts(source, "/* Made by tools/templates from web/messages; changes belong there. */\n"
                     "#include \"web/messages.h\"\n");
    for (const struct catalogue *c = all; c; c = c->next) {
        if (c->area)
            continue;
        buf_printf(source, "\n/* %s */\nstatic const char *const in_%s[%s][6] = {\n", c->file, c->tag,
                   c == all ? "MESSAGE_COUNT" : "MESSAGE_TRANSLATED");
        emit_texts(c->messages, source);
        for (const struct catalogue *more = c == all ? all->next : NULL; more; more = more->next)
            if (more->area) {
                buf_printf(source, "    /* %s */\n", more->file);
                emit_texts(more->messages, source);
            }
        buf_puts(source, "};\n");
    }
    buf_puts(source, "\nconst struct messages messages_all[] = {\n");
    for (const struct catalogue *c = all; c; c = c->next)
        if (!c->area)
            buf_printf(source, "    {\"%s\", in_%s},\n", c->tag, c->tag);
    buf_puts(source, "};\nconst size_t messages_count = sizeof messages_all / sizeof *messages_all;\n");
}
