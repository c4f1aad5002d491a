/* What a drawing may hold, read by the XML reader that librsvg uses, so that both see the same elements. It must name
 * nothing but its own parts: no entities, no pictures or documents inside it, and every reference is a "#fragment",
 * in attributes as well as in CSS. What merely takes long to draw is bounded by who draws it (src/sandbox). */
#include "base/buf.h"
#include "base/utf8.h"
#include "image/image_internal.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define MAX_ELEMENTS  50000u
#define SHOWN         40 /* characters */
#define SVG_NAMESPACE "http://www.w3.org/2000/svg"

/* By local name, in any namespace: documents and pictures inside the drawing, and filters whose cost grows with a
 * number in the file. */
static const char *const refused[] = {"image",        "include",      "fallback",         "feImage",
                                      "feTurbulence", "feMorphology", "feConvolveMatrix", NULL};

struct svg_reader {
    struct error *err;
    enum status st;
    size_t elements;
    bool in_style;
    struct buf style; /* the text of the present <style>, whatever comments and sections divide it */
};

/* The first reason counts. The reader goes on, as stopping it would free what its callers still read. */
static PRINTF_LIKE(3, 4) void refuse(struct svg_reader *r, enum status st, const char *fmt, ...)
{
    char why[256];
    va_list args;
    if (r->st != OK)
        return;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    r->st = err_set(r->err, st, "SVG: %s", why);
}

/* --- references --- */

/* How much of a reference an error repeats: its first visible ASCII characters. */
static int shown(const char *s, size_t len)
{
    size_t n = 0;
    while (n < len && n < SHOWN && s[n] > ' ' && s[n] <= '~')
        n++;
    return (int)n;
}

static int hex_value(char c)
{
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
    return at && (c >= '0' && (c <= '9' || c >= 'A')) ? (int)(at - digits) : -1;
}

/* Reads the escape after a backslash (CSS Syntax 4.3.7) and appends what it stands for; returns its length. */
static size_t css_unescape_one(const char *s, size_t len, struct buf *out)
{
    uint32_t cp = 0;
    size_t n = 0;
    if (len && (*s == '\n' || *s == '\f'))
        return 1;
    while (n < len && n < 6 && hex_value(s[n]) >= 0)
        cp = cp * 16 + (uint32_t)hex_value(s[n++]);
    if (!n) {
        buf_append(out, s, len ? 1 : 0);
        return len ? 1 : 0;
    }
    if (cp && cp < 0x80)
        buf_putc(out, (char)cp);
    else
        buf_putc(out, '?'); /* no name or mark that is looked for has other characters */
    if (n + 1 < len && s[n] == '\r' && s[n + 1] == '\n')
        return n + 2;
    return n < len && s[n] && strchr(" \t\r\n\f", s[n]) ? n + 1 : n;
}

/* The place after `word` in s, whatever case its letters have; NULL if it is not there. */
static const char *after_word(const char *s, const char *word)
{
    const char *at = strcasestr(s, word);
    return at ? at + strlen(word) : NULL;
}

/* Every url() in a piece of CSS must be a fragment; a sheet must not import others. Escapes are resolved first and
 * comments are left in place, so that neither can hide anything; a piece that only looks wrong is refused, too. */
static void check_css(struct svg_reader *r, const char *s, size_t len, bool sheet)
{
    struct buf plain;
    if (!len || (!memchr(s, '(', len) && !memchr(s, '@', len) && !memchr(s, '\\', len)))
        return;
    buf_init(&plain, len + 1);
    for (size_t i = 0; i < len;) {
        if (s[i] == '\\') {
            i += 1 + css_unescape_one(s + i + 1, len - i - 1, &plain);
        } else {
            buf_putc(&plain, s[i++]);
        }
    }
    if (plain.failed)
        refuse(r, ERR_NO_MEMORY, "no memory for its styles");
    if (sheet && after_word(buf_str(&plain), "@import"))
        refuse(r, ERR_UNSUPPORTED, "imports a style sheet");
    for (const char *at = buf_str(&plain); (at = after_word(at, "url("));) {
        at += strspn(at, " \t\r\n\f");
        at += *at == '"' || *at == '\'';
        if (*at != '#')
            refuse(r, ERR_UNSUPPORTED, "refers to url(%.*s), which is not a part of it", shown(at, strlen(at)), at);
    }
    buf_free(&plain);
}

/* --- what the XML reader tells --- */

static void check_attribute(struct svg_reader *r, const char *name, const char *prefix, const char *value, size_t len)
{
    if (strcmp(name, "href") == 0 && len && *value != '#')
        refuse(r, ERR_UNSUPPORTED, "refers to \"%.*s\", which is not a part of it", shown(value, len), value);
    if (strcmp(name, "base") == 0 && prefix && strcmp(prefix, "xml") == 0)
        refuse(r, ERR_UNSUPPORTED, "has an xml:base");
    check_css(r, value, len, false);
}

static void on_element(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_namespaces,
                       const xmlChar **namespaces, int n, int n_defaulted, const xmlChar **attributes)
{
    (void)prefix, (void)n_namespaces, (void)namespaces, (void)n_defaulted;
    struct svg_reader *r = ctx;
    if (!r->elements && (!uri || strcmp((const char *)uri, SVG_NAMESPACE) != 0))
        refuse(r, ERR_UNSUPPORTED,
               "its <%.40s> lacks xmlns=\"" SVG_NAMESPACE "\", without which browsers do not draw it",
               (const char *)name);
    if (r->in_style)
        refuse(r, ERR_UNSUPPORTED, "has an element in a <style>");
    for (size_t i = 0; refused[i]; i++)
        if (strcmp((const char *)name, refused[i]) == 0)
            refuse(r, ERR_UNSUPPORTED, "has a <%s>, which is not drawn here", refused[i]);
    if (++r->elements > MAX_ELEMENTS)
        refuse(r, ERR_TOO_LARGE, "more than %u elements", MAX_ELEMENTS);
    for (int i = 0; i < n && r->st == OK; i++) {
        const xmlChar **a = attributes + (size_t)i * 5; /* local name, prefix, namespace, value and its end */
        check_attribute(r, (const char *)a[0], (const char *)a[1], (const char *)a[3], (size_t)(a[4] - a[3]));
    }
    r->in_style = strcmp((const char *)name, "style") == 0;
    buf_reset(&r->style);
}

static void on_element_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    (void)name, (void)prefix, (void)uri;
    struct svg_reader *r = ctx;
    if (r->in_style)
        check_css(r, buf_str(&r->style), r->style.len, true);
    r->in_style = false;
}

static void on_text(void *ctx, const xmlChar *text, int len)
{
    struct svg_reader *r = ctx;
    if (r->in_style)
        buf_append(&r->style, text, (size_t)len);
}

static void on_instruction(void *ctx, const xmlChar *target, const xmlChar *data)
{
    (void)data;
    if (strcasecmp((const char *)target, "xml-stylesheet") == 0)
        refuse(ctx, ERR_UNSUPPORTED, "names a style sheet");
}

static void on_entity(void *ctx, const xmlChar *name, int type, const xmlChar *public_id, const xmlChar *system_id,
                      xmlChar *content)
{
    (void)name, (void)type, (void)public_id, (void)system_id, (void)content;
    refuse(ctx, ERR_UNSUPPORTED, "declares entities");
}

static void on_unparsed_entity(void *ctx, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id,
                               const xmlChar *notation)
{
    (void)name, (void)public_id, (void)system_id, (void)notation;
    refuse(ctx, ERR_UNSUPPORTED, "declares entities");
}

/* Defaults of attributes would come from there. */
static void on_attribute_list(void *ctx, const xmlChar *element, const xmlChar *name, int type, int has_default,
                              const xmlChar *value, xmlEnumeration *tree)
{
    (void)element, (void)name, (void)type, (void)has_default, (void)value;
    xmlFreeEnumeration(tree);
    refuse(ctx, ERR_UNSUPPORTED, "declares attributes");
}

static void on_xml_error(void *ctx, xmlError *error)
{
    (void)ctx, (void)error; /* xmlCtxtGetLastError has it, and nothing is printed */
}

static enum status not_well_formed(xmlParserCtxt *xml, struct error *err)
{
    const xmlError *e = xmlCtxtGetLastError(xml);
    const char *why = e && e->message && utf8_valid(e->message, strlen(e->message)) ? e->message : "it is not XML\n";
    return err_set(err, ERR_CORRUPT, "SVG: line %d: %.*s", e ? e->line : 0, (int)strcspn(why, "\n"), why);
}

enum status image_svg_check(const uint8_t *data, size_t len, struct error *err)
{
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_element,
                         .endElementNs = on_element_end,
                         .characters = on_text,
                         .ignorableWhitespace = on_text,
                         .cdataBlock = on_text,
                         .processingInstruction = on_instruction,
                         .entityDecl = on_entity,
                         .unparsedEntityDecl = on_unparsed_entity,
                         .attributeDecl = on_attribute_list,
                         .serror = on_xml_error};
    struct svg_reader r = {.err = err};
    xmlParserCtxt *xml = xmlCreateMemoryParserCtxt((const char *)data, (int)len);
    if (!xml)
        return err_no_memory(err, "SVG");
    *xml->sax = sax;
    xml->userData = &r;
    buf_init(&r.style, len + 1);
    xmlCtxtUseOptions(xml, XML_PARSE_NONET | XML_PARSE_NOENT); /* as librsvg reads */
    int failed = xmlParseDocument(xml);
    if (r.st == OK && (failed || !xml->wellFormed))
        r.st = not_well_formed(xml, err);
    else if (r.st == OK && r.style.failed)
        r.st = err_no_memory(err, "SVG");
    buf_free(&r.style);
    xmlFreeParserCtxt(xml);
    return r.st;
}
