/* template_html: a small, strict reader of the HTML that templates are written in. */
#include "template_html.h"
#include "template.h"

#include <ctype.h>
#include <string.h>

static const char *const url_attributes[] = {"href", "src",    "action", "formaction", "poster",
                                             "cite", "srcset", "data",   "ping",       "xlink:href"};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(word, list[i]) == 0)
            return true;
    return false;
}

static void add_to_name(struct html *h, char c)
{
    size_t n = strlen(h->name);
    if (n + 1 < sizeof h->name)
        h->name[n] = (char)tolower((unsigned char)c);
}

static void tag_ends(struct html *h)
{
    static const char *const raw[] = {"script", "style"};
    static const char *const spaced[] = {"pre", "textarea"};
    h->where = !h->closing && is_one_of(h->element, raw, 2) ? HTML_RAW : HTML_TEXT;
    if (is_one_of(h->element, spaced, 2))
        h->keep_space = !h->closing;
}

static void attribute_begins(struct html *h, const char *file, int line)
{
    if (strncmp(h->name, "on", 2) == 0)
        fail(file, line, "event handler attributes (%s=) are refused: attach them in web/static", h->name);
    if (strcmp(h->name, "style") == 0 || strcmp(h->name, "srcdoc") == 0)
        fail(file, line, "the attribute %s= is refused: use a class and web/static", h->name);
    h->is_url = is_one_of(h->name, url_attributes, sizeof url_attributes / sizeof url_attributes[0]);
    h->where = HTML_EQUALS;
}

/* One character of literal text; `next` is the one after it, or 0. */
static void step(struct html *h, const char *file, int line, char c, const char *ahead, size_t left)
{
    switch (h->where) {
    case HTML_TEXT:
        if (c != '<')
            break;
        if (left >= 4 && memcmp(ahead, "<!--", 4) == 0) {
            h->where = HTML_COMMENT;
        } else if (left >= 2 && (isalpha((unsigned char)ahead[1]) || ahead[1] == '/' || ahead[1] == '!')) {
            h->where = HTML_TAG_NAME;
            h->closing = false;
            memset(h->name, 0, sizeof h->name);
        } else {
            fail(file, line, "a '<' that begins no tag: write &lt;");
        }
        break;
    case HTML_TAG_NAME:
        if (c == '/' && !h->name[0]) {
            h->closing = true;
        } else if (isspace((unsigned char)c) || c == '/' || c == '>') {
            memcpy(h->element, h->name, sizeof h->element);
            h->where = HTML_IN_TAG;
            if (c == '>')
                tag_ends(h);
        } else {
            add_to_name(h, c);
        }
        break;
    case HTML_IN_TAG:
        if (c == '>') {
            tag_ends(h);
        } else if (c == '=' || c == '"' || c == '\'' || c == '<') {
            fail(file, line, "unexpected %c inside a tag", c);
        } else if (!isspace((unsigned char)c) && c != '/') {
            memset(h->name, 0, sizeof h->name);
            add_to_name(h, c);
            h->where = HTML_ATTR_NAME;
        }
        break;
    case HTML_ATTR_NAME:
        if (c == '=') {
            attribute_begins(h, file, line);
        } else if (isspace((unsigned char)c) || c == '/') {
            h->where = HTML_IN_TAG;
        } else if (c == '>') {
            tag_ends(h);
        } else {
            add_to_name(h, c);
        }
        break;
    case HTML_EQUALS:
        if (c != '"' && c != '\'')
            fail(file, line, "the value of %s= must be quoted", h->name);
        h->where = HTML_VALUE;
        h->quote = c;
        h->at_start = true;
        break;
    case HTML_VALUE:
        if (c == h->quote)
            h->where = HTML_IN_TAG;
        h->at_start = false;
        break;
    case HTML_COMMENT:
        if (c == '-' && left >= 3 && memcmp(ahead, "-->", 3) == 0) {
            h->where = HTML_IN_TAG; /* the "->" that is left reads as the end of a tag */
            h->closing = true;
            memset(h->element, 0, sizeof h->element);
        }
        break;
    case HTML_RAW:
        if (c == '<' && left >= 2 && ahead[1] == '/') {
            h->where = HTML_TAG_NAME;
            h->closing = false;
            memset(h->name, 0, sizeof h->name);
        } else if (!isspace((unsigned char)c)) {
            fail(file, line, "inline scripts and styles are refused: put them into web/static");
        }
        break;
    }
}

void html_follow(struct html *h, const char *file, int line, const char *text, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        step(h, file, line, c, text + i, len - i);
        line += c == '\n';
        bool blank = c == ' ' || c == '\t' || c == '\n';
        if (!blank || h->keep_space || h->where == HTML_VALUE) {
            buf_putc(out, c);
            h->fresh = false;
            continue;
        }
        /* Of a run of white space with a line break in it, the line break stays. */
        size_t end = i;
        bool breaks = false;
        for (; end < len && (text[end] == ' ' || text[end] == '\t' || text[end] == '\n'); end++)
            breaks = breaks || text[end] == '\n';
        for (size_t k = i + 1; k < end; k++) {
            step(h, file, line, text[k], text + k, len - k);
            line += text[k] == '\n';
        }
        if (!h->fresh && breaks)
            buf_putc(out, '\n');
        else if (!h->fresh)
            buf_append(out, text + i, end - i);
        h->fresh = h->fresh || breaks;
        i = end - 1;
    }
}

void html_settle(struct html *h)
{
    if (h->where == HTML_TAG_NAME)
        memcpy(h->element, h->name, sizeof h->element);
    if (h->where == HTML_TAG_NAME || h->where == HTML_ATTR_NAME)
        h->where = HTML_IN_TAG;
}

bool html_merge(struct html *a, const struct html *b)
{
    if (a->where != b->where || a->keep_space != b->keep_space)
        return false;
    if (a->where == HTML_VALUE && (a->quote != b->quote || a->is_url != b->is_url))
        return false;
    a->at_start = a->at_start || b->at_start;
    a->fresh = a->fresh && b->fresh;
    return true;
}

const char *html_describe(const struct html *h)
{
    static const char *const names[] = {"text",
                                        "a tag's name",
                                        "a tag",
                                        "an attribute's name",
                                        "an unquoted attribute",
                                        "an attribute's value",
                                        "a comment",
                                        "a script or style element"};
    return names[h->where];
}
