/* Drawings by a grammar: each byte of the input chooses what comes next. Well-formed and small, they must be taken when
 * they name nothing but their own parts, and refused when one thing in them names another, wherever and however it
 * is written. What is taken is drawn in a worker, whose memory must stay in bounds; -timeout bounds the time. */
#include "base/buf.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH   8
#define MAX_RSS_KIB (1u << 20) /* of a worker; with a sanitizer's own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct choices {
    const uint8_t *data;
    size_t left;
    struct buf svg;
    unsigned foreign; /* things that name another document */
};

static unsigned choose(struct choices *c, unsigned n)
{
    if (!c->left)
        return 0;
    c->left--;
    return *c->data++ % n;
}

static void put_one_of(struct choices *c, const char *const *list, unsigned n)
{
    buf_puts(&c->svg, list[choose(c, n)]);
}
#define PUT_ONE_OF(c, list) put_one_of(c, list, sizeof(list) / sizeof *(list))

/* --- what may be there --- */

static const char *const own[] = {"#a", "#b", "#", "#data:x", "#http://x/"};
static const char *const others[] = {
    "a.svg#a",    "data:image/svg+xml,x#a", "http://x.example/#a", "file:///etc/passwd", "./#a", "\\64 ata:x", "//x/#a",
    "d&#97;ta:,x"};
static const char *const url_names[] = {"url(", "URL(", "\\75rl(", "u\\52 l(", "\\000075\\000072\\00006C(", "ur\\l("};
static const char *const quotes[] = {"", "&quot;", " ", " &quot;"};
static const char *const properties[] = {"fill", "filter", "mask", "clip-path", "marker-start", "stroke"};
static const char *const noise[] = {"<!-- <image/> -->",   "<?x <!-- ?>",         "<![CDATA[<!--]]>",
                                    "<desc>url(x)</desc>", "&lt;image/&gt;&#65;", "<g b='&lt;!--'/>"};
static const char *const forbidden[] = {
    "<image href='#a'/>",
    "<s:image xmlns:s='http://www.w3.org/2000/svg'/>",
    "<feImage/>",
    "<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='#a'/>",
    "<g xml:base='http://x/'/>",
    "<?xml-stylesheet href='a.css'?>",
    "<style>@import 'a.css';</style>",
    "<style>@\\69mport 'a.css';</style>",
    "<style>@im<!-- -->port 'a.css';</style>",
    "<style><![CDATA[@im]]>po<![CDATA[rt 'a.css';]]></style>",
};

/* A reference: mostly to a part of the drawing. */
static void put_target(struct choices *c)
{
    if (choose(c, 8) == 7) {
        PUT_ONE_OF(c, others);
        c->foreign++;
    } else {
        PUT_ONE_OF(c, own);
    }
}

static void put_url(struct choices *c)
{
    PUT_ONE_OF(c, url_names);
    unsigned quote = choose(c, 4);
    buf_puts(&c->svg, quotes[quote]);
    put_target(c);
    buf_puts(&c->svg, quote & 1 ? "&quot;)" : ")");
}

static void put_attributes(struct choices *c)
{
    static const char *const names[] = {"href", "x:href", "y:href"};
    buf_puts(&c->svg, " width='9' height='9'");
    if (choose(c, 3) == 1) {
        buf_putc(&c->svg, ' ');
        PUT_ONE_OF(c, names);
        buf_puts(&c->svg, "=\"");
        put_target(c);
        buf_puts(&c->svg, choose(c, 4) == 3 ? "\" id=\"a\"" : "\"");
    }
    if (choose(c, 3) == 1) {
        buf_printf(&c->svg, " %s=\"", properties[choose(c, 6)]);
        put_url(c);
        buf_putc(&c->svg, '"');
    }
    if (choose(c, 3) == 1) {
        buf_printf(&c->svg, " style=\"%s: ", properties[choose(c, 6)]);
        put_url(c);
        buf_puts(&c->svg, "; b: '/*'\"");
    }
}

static void put_elements(struct choices *c, int depth)
{
    static const char *const names[] = {"g", "rect", "use", "a", "text", "pattern", "s:g", "unknown"};
    for (unsigned n = choose(c, 4); n > 0 && depth < MAX_DEPTH; n--) {
        const char *name = names[choose(c, 8)];
        switch (choose(c, 24)) {
        case 23:
            PUT_ONE_OF(c, forbidden);
            c->foreign++;
            break;
        case 22:
            buf_puts(&c->svg, "<style>.a { fill: ");
            put_url(c);
            buf_puts(&c->svg, " }</style>");
            break;
        default:
            PUT_ONE_OF(c, noise);
            buf_printf(&c->svg, "<%s", name);
            put_attributes(c);
            buf_putc(&c->svg, '>');
            put_elements(c, depth + 1);
            buf_printf(&c->svg, "</%s>", name);
        }
    }
}

/* --- what must be true --- */

static void fail(const struct choices *c, const char *what, const struct error *err)
{
    fprintf(stderr, "%s: %s\n%s\n", what, err->message, buf_str(&c->svg));
    abort();
}

/* The most that any process that this one started has had in memory, in KiB. */
static unsigned long most_of_children(void)
{
    unsigned long most = 0;
    int pid;
    char path[320], line[256];
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *e; tasks && (e = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/self/task/%s/children", e->d_name);
        FILE *children = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (children && fscanf(children, "%d", &pid) == 1) {
            unsigned long kib = 0;
            snprintf(path, sizeof path, "/proc/%d/status", pid);
            FILE *status = fopen(path, "r");
            while (status && fgets(line, sizeof line, status))
                sscanf(line, "VmHWM: %lu", &kib);
            if (status)
                fclose(status);
            most = kib > most ? kib : most;
        }
        if (children)
            fclose(children);
    }
    if (tasks)
        closedir(tasks);
    return most;
}

static void draw(struct sandbox *sandbox, const struct choices *c)
{
    struct sandbox_image file = {.data = buf_str(&c->svg), .len = c->svg.len, .wait_ms = 1000};
    struct error err = {.message = ""};
    struct buf webp;
    buf_init(&webp, 1u << 20);
    enum status st = sandbox_rendition(sandbox, &file, 64, IMAGE_WEBP, &webp, &err);
    if (st != OK && st != ERR_CORRUPT && st != ERR_TOO_LARGE)
        fail(c, "not drawn", &err);
    if (most_of_children() > MAX_RSS_KIB)
        fail(c, "a worker took too much memory", &err);
    buf_free(&webp);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sandbox *sandbox;
    static unsigned runs;
    struct choices c = {.data = data, .left = size};
    struct error err = {.message = ""};
    enum image_kind kind;
    uint32_t w, h;
    if (!sandbox && sandbox_open(1, &sandbox, &err) != OK)
        abort();
    buf_init(&c.svg, 1u << 20);
    buf_puts(&c.svg,
             "<svg xmlns='http://www.w3.org/2000/svg' xmlns:s='http://www.w3.org/2000/svg' xmlns:x='http://www.w3"
             ".org/1999/xlink' xmlns:y='http://www.w3.org/1999/xlink' viewBox='0 0 9 9'><g id='b'/>");
    while (c.left)
        put_elements(&c, 0);
    buf_puts(&c.svg, "</svg>");
    if (!c.svg.failed) {
        enum status st = image_probe(c.svg.data, c.svg.len, &kind, &w, &h, &err);
        if (c.foreign && st == OK)
            fail(&c, "taken", &err);
        if (!c.foreign && st != OK && st != ERR_TOO_LARGE)
            fail(&c, "refused", &err);
        if (st == OK && runs++ % 16 == 0)
            draw(sandbox, &c);
    }
    buf_free(&c.svg);
    return 0;
}
