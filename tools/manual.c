/* manual: puts the documentation into the program at build time.
 *
 *     manual OUT_DIR FILE.md...
 *
 * writes OUT_DIR/manual_gen.c: each Markdown page as HTML, and the text of its sections, which is what /docs searches
 * (src/web/manual.h). Files are named as seen from the root of the repository. Links between them become links below
 * /docs/; links to other files of the repository, and pictures, become text. Raw HTML is shown as it was typed, except
 * lines that are comments, which are left out. Fails on links to pages that do not exist, and on links with another
 * scheme than http, https and mailto. */
#include "base/buf.h"
#include "base/os.h"

#include <ctype.h>
#include <md4c-html.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PAGE     (1u << 20)
#define MAX_ALL      (16u << 20)
#define MAX_PATH     512
#define MAX_SECTIONS 200

struct section {
    size_t id, heading, text; /* where they are in `kept` */
};

struct page {
    const char *path; /* "docs/howto/votes.md" */
    char name[MAX_PATH];
    size_t title, html, html_len;
    struct section sections[MAX_SECTIONS];
    size_t n_sections;
};

static struct page *pages;
static size_t n_pages;
static struct buf kept; /* all texts of the program, each with a NUL behind it */

static _Noreturn void fail(const char *path, const char *why, const char *what)
{
    fprintf(stderr, "manual: %s: %s%s%s\n", path, why, *what ? ": " : "", what);
    exit(1);
}

static size_t keep(const char *text, size_t len)
{
    size_t at = kept.len;
    buf_append(&kept, text, len);
    buf_putc(&kept, '\0');
    return at;
}

/* --- names and links --- */

/* "docs/SEARCH_SERVICE.md" is "search-service", and "docs/README.md" the index, "". */
static void name_page(struct page *p)
{
    const char *slash = strrchr(p->path, '/'), *base = slash ? slash + 1 : p->path, *dot = strrchr(base, '.');
    if (!dot || strcmp(dot, ".md") != 0 || (size_t)(dot - base) >= sizeof p->name)
        fail(p->path, "expected a file ending in .md", "");
    for (size_t i = 0; base + i < dot; i++)
        p->name[i] = base[i] == '_' ? '-' : (char)tolower((unsigned char)base[i]);
    if (strcmp(p->name, "readme") == 0)
        *p->name = '\0';
    for (const struct page *other = pages; other < p; other++)
        if (strcmp(other->name, p->name) == 0)
            fail(p->path, "has the name of", other->path);
}

/* "../ADMIN.md", seen from docs/howto/votes.md, is docs/ADMIN.md. */
static void resolve(const char *from, const char *link, size_t len, char out[MAX_PATH])
{
    const char *slash = strrchr(from, '/');
    size_t n = slash ? (size_t)(slash - from) + 1 : 0;
    if (n + len + 1 > MAX_PATH)
        fail(from, "the path of a link is too long", link);
    memcpy(out, from, n);
    for (const char *end = link + len; link < end;) {
        size_t part = strcspn(link, "/");
        part = part < (size_t)(end - link) ? part : (size_t)(end - link);
        if (part == 2 && memcmp(link, "..", 2) == 0) {
            if (n < 2)
                fail(from, "a link leaves the repository", link);
            for (n--; n && out[n - 1] != '/';)
                n--;
        } else {
            size_t more = part + (link + part < end);
            memcpy(out + n, link, more);
            n += more;
        }
        link += part + (link + part < end);
    }
    out[n] = '\0';
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Appends where the link leads in the served pages; false when it leads to nothing that is served. */
static bool put_link(const struct page *p, const char *href, struct buf *out)
{
    char path[MAX_PATH];
    if (*href == '#' || begins(href, "https://") || begins(href, "http://") || begins(href, "mailto:")) {
        buf_puts(out, href);
        return true;
    }
    if (strchr(href, ':'))
        fail(p->path, "a link with another scheme than http, https and mailto", href);
    size_t len = strcspn(href, "#");
    resolve(p->path, href, len, path);
    for (size_t i = 0; i < n_pages; i++)
        if (strcmp(pages[i].path, path) == 0) {
            buf_printf(out, "/docs/%s%s", pages[i].name, href + len);
            return true;
        }
    if (strcmp(path, "docs/openapi.json") == 0) {
        buf_puts(out, "/api/openapi.json");
        return true;
    }
    if (begins(path, "docs/") && strstr(path, ".md"))
        fail(p->path, "a link to a page that does not exist", path);
    return false;
}

/* --- HTML --- */

/* Appends what the characters of `html` say, without tags. */
static void put_text(struct buf *out, const char *html, size_t len)
{
    static const char *const entities[][2] = {{"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&quot;", "\""}};
    static const char *const inside[] = {"a", "code", "em", "strong"}; /* tags that part no words */
    for (const char *at = html, *end = html + len; at < end; at++) {
        if (*at == '<') {
            const char *name = at + 1 + (at[1] == '/');
            size_t n = strcspn(name, " >");
            bool parts = true;
            for (size_t i = 0; i < sizeof inside / sizeof *inside; i++)
                parts = parts && !(strlen(inside[i]) == n && memcmp(inside[i], name, n) == 0);
            at += strcspn(at, ">");
            if (parts && out->len && out->data[out->len - 1] != ' ')
                buf_putc(out, ' ');
            continue;
        }
        char c = *at == '\n' || *at == '\t' ? ' ' : *at;
        for (size_t i = 0; c == '&' && i < sizeof entities / sizeof *entities; i++)
            if (begins(at, entities[i][0])) {
                at += strlen(entities[i][0]) - 1;
                c = *entities[i][1];
                break;
            }
        if (c != ' ' || (out->len && out->data[out->len - 1] != ' '))
            buf_putc(out, c);
    }
}

/* As GitHub makes them, so that a link works in both places: "What's indexed" is "whats-indexed". */
static void put_slug(struct buf *out, const char *heading)
{
    for (const char *c = heading; *c; c++) {
        unsigned char u = (unsigned char)*c;
        if (u >= 0x80 || isalnum(u) || u == '-' || u == '_')
            buf_putc(out, (char)tolower(u));
        else if (u == ' ')
            buf_putc(out, '-');
    }
}

struct writer {
    struct page *page;
    const char *html; /* as md4c wrote it */
    struct buf out;
    size_t text_from; /* in `html`: where the text of the section begins */
    size_t n_tables;
    bool linked; /* inside <a>, which was written */
    bool in_table;
};

static void end_section(struct writer *w, size_t at)
{
    struct buf text;
    buf_init(&text, MAX_PAGE);
    if (w->page->n_sections) {
        put_text(&text, w->html + w->text_from, at - w->text_from);
        w->page->sections[w->page->n_sections - 1].text = keep(buf_str(&text), text.len);
    }
    buf_free(&text);
}

/* <h2>Words</h2> becomes <h2 id="words">Words</h2> and begins a section. Returns where it ends. */
static size_t put_heading(struct writer *w, size_t at)
{
    struct page *p = w->page;
    const char *inner = w->html + at + 4, *end = strstr(inner, "</h");
    struct buf heading, id;
    buf_init(&heading, 4096);
    buf_init(&id, 4096);
    put_text(&heading, inner, (size_t)(end - inner));
    put_slug(&id, buf_str(&heading));
    for (size_t i = 0; i < p->n_sections; i++)
        if (strcmp(kept.data + p->sections[i].id, buf_str(&id)) == 0)
            fail(p->path, "two headings have the same anchor", buf_str(&id));
    if (p->n_sections == MAX_SECTIONS)
        fail(p->path, "too many headings", "");
    if ((w->html[at + 2] == '1') != !p->n_sections)
        fail(p->path, "expected one heading of the first level, at the beginning", buf_str(&heading));
    end_section(w, at);
    p->sections[p->n_sections++] =
        (struct section){keep(buf_str(&id), id.len), keep(buf_str(&heading), heading.len), 0};
    size_t to = (size_t)(end - w->html) + 5;
    buf_printf(&w->out, "<h%c id=\"%s\">", w->html[at + 2], buf_str(&id));
    w->text_from = to;
    buf_free(&heading);
    buf_free(&id);
    return at + 4;
}

/* Returns where the tag ends. */
static size_t put_anchor(struct writer *w, size_t at)
{
    char href[MAX_PATH];
    const char *from = w->html + at + strlen("<a href=\"");
    size_t len = strcspn(from, "\"");
    if (len >= sizeof href)
        fail(w->page->path, "a link is too long", from);
    memcpy(href, from, len);
    href[len] = '\0';
    struct buf link;
    buf_init(&link, 4096);
    w->linked = put_link(w->page, href, &link);
    if (w->linked)
        buf_printf(&w->out, "<a href=\"%s\">", buf_str(&link));
    buf_free(&link);
    return at + strcspn(w->html + at, ">") + 1;
}

/* Pictures are not compiled in: what they show is said instead. Returns where the tag ends. */
static size_t put_picture(struct writer *w, size_t at)
{
    size_t len = strcspn(w->html + at, ">");
    const char *alt = strstr(w->html + at, "alt=\"");
    if (!alt || alt > w->html + at + len)
        fail(w->page->path, "a picture without a text", "");
    alt += strlen("alt=\"");
    buf_printf(&w->out, "<em>Picture: %.*s</em>", (int)strcspn(alt, "\""), alt);
    return at + len + 1;
}

/* What is at `at`; returns what follows it. */
static size_t put_html(struct writer *w, size_t at)
{
    static const char *const changes[][2] = {
        {"</table>", "</table></div>"}, {"<pre>", "<pre tabindex=\"0\">"}, {"<th></th>", "<td></td>"}};
    const char *s = w->html + at;
    if (w->in_table && begins(s, "\\|")) { /* md4c leaves the backslash in code */
        buf_putc(&w->out, '|');
        return at + 2;
    }
    if (s[0] != '<') {
        buf_putc(&w->out, *s);
        return at + 1;
    }
    if (s[1] == 'h' && isdigit((unsigned char)s[2]) && s[3] == '>')
        return put_heading(w, at);
    if (begins(s, "<a href=\""))
        return put_anchor(w, at);
    if (begins(s, "</a>")) {
        buf_puts(&w->out, w->linked ? "</a>" : "");
        return at + 4;
    }
    if (begins(s, "<img"))
        return put_picture(w, at);
    if (begins(s, "<table>")) {
        buf_printf(&w->out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Table %zu\"><table>",
                   ++w->n_tables);
        w->in_table = true;
        return at + 7;
    }
    w->in_table = w->in_table && !begins(s, "</table>");
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        if (begins(s, changes[i][0])) {
            buf_puts(&w->out, changes[i][1]);
            return at + strlen(changes[i][0]);
        }
    buf_putc(&w->out, '<');
    return at + 1;
}

static void append(const MD_CHAR *text, MD_SIZE len, void *out)
{
    buf_append(out, text, len);
}

/* Leaves out lines that are a comment; those in code blocks begin with spaces or stand for themselves. */
static void without_comments(const struct buf *in, struct buf *out)
{
    bool fenced = false;
    for (const char *line = buf_str(in); *line;) {
        size_t len = strcspn(line, "\n") + 1;
        len = line[len - 1] ? len : len - 1;
        if (begins(line, "```"))
            fenced = !fenced;
        if (fenced || !begins(line, "<!--"))
            buf_append(out, line, len);
        line += len;
    }
}

static void make_page(struct page *p)
{
    struct error err;
    struct buf raw, text, html;
    struct writer w = {.page = p};
    buf_init(&raw, MAX_PAGE);
    buf_init(&text, MAX_PAGE);
    buf_init(&html, MAX_PAGE);
    buf_init(&w.out, MAX_PAGE);
    if (os_read_file(p->path, &raw, &err) != OK)
        fail(p->path, err.message, "");
    without_comments(&raw, &text);
    if (md_html(buf_str(&text), (MD_SIZE)text.len, append, &html, MD_FLAG_TABLES | MD_FLAG_NOHTML, 0) != 0)
        fail(p->path, "md4c cannot read it", "");
    w.html = buf_str(&html);
    for (size_t at = 0; at < html.len;)
        at = put_html(&w, at);
    end_section(&w, html.len);
    if (!p->n_sections || raw.failed || html.failed || w.out.failed)
        fail(p->path, "is empty or too large", "");
    p->title = p->sections[0].heading;
    p->html = keep(buf_str(&w.out), w.out.len);
    p->html_len = w.out.len;
    buf_free(&raw);
    buf_free(&text);
    buf_free(&html);
    buf_free(&w.out);
}

/* --- C --- */

static void put_program(struct buf *out)
{
    buf_puts(out, "/* Made by tools/manual. */\n#include \"web/manual.h\"\n\nstatic const unsigned char kept[] = {");
    for (size_t i = 0; i < kept.len; i++)
        buf_printf(out, "%s%u,", i % 24 ? "" : "\n    ", (unsigned char)kept.data[i]);
    buf_puts(out, "\n};\n#define AT(n) ((const char *)kept + (n))\n");
    for (size_t i = 0; i < n_pages; i++) {
        buf_printf(out, "static const struct manual_section sections_%zu[] = {\n", i);
        for (size_t k = 0; k < pages[i].n_sections; k++)
            buf_printf(out, "    {AT(%zu), AT(%zu), AT(%zu)},\n", pages[i].sections[k].id, pages[i].sections[k].heading,
                       pages[i].sections[k].text);
        buf_puts(out, "};\n");
    }
    buf_puts(out, "const struct manual_page manual_pages[] = {\n");
    for (size_t i = 0; i < n_pages; i++)
        buf_printf(out, "    {\"%s\", AT(%zu), AT(%zu), sections_%zu, %zu},\n", pages[i].name, pages[i].title,
                   pages[i].html, i, pages[i].n_sections);
    buf_printf(out, "};\nconst size_t manual_count = %zu;\n", n_pages);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: manual OUT_DIR FILE.md...\n");
        return 2;
    }
    n_pages = (size_t)argc - 2;
    pages = calloc(n_pages, sizeof *pages);
    buf_init(&kept, MAX_ALL);
    if (!pages)
        fail(argv[1], "out of memory", "");
    for (size_t i = 0; i < n_pages; i++) {
        pages[i].path = argv[i + 2];
        name_page(&pages[i]);
    }
    for (size_t i = 0; i < n_pages; i++)
        make_page(&pages[i]);
    struct buf out;
    struct error err;
    char path[4096];
    buf_init(&out, 8 * MAX_ALL);
    put_program(&out);
    snprintf(path, sizeof path, "%s/manual_gen.c", argv[1]);
    if (out.failed || os_write_file(path, out.data, out.len, &err) != OK)
        fail(path, out.failed ? "is too large" : err.message, "");
    buf_free(&out);
    buf_free(&kept);
    free(pages);
    return 0;
}
