/* templates: compiles HTML templates and message catalogues to C at build time.
 *
 *     templates STATIC_DIR OUT_DIR web/messages/en.ini ... web/templates/a.html web/templates/b.html ...
 *
 * writes OUT_DIR/templates.[ch], and OUT_DIR/messages_gen.[ch] when there are catalogues. The first of them is the one
 * that the others are compared with, but for those of an area, such as admin.en.ini. */
#include "template.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1u << 20)

_Noreturn void fail(const char *file, int line, const char *fmt, ...)
{
    fprintf(stderr, "%s:%d: ", file, line);
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void *take(size_t bytes)
{
    void *p = calloc(1, bytes);
    if (!p)
        fail("templates", 0, "out of memory");
    return p;
}

char *take_printf(const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *s = take((size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(args);
    return s;
}

static void read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail(path, 0, "cannot be opened");
    char chunk[4096];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(out, chunk, n);
    if (ferror(f) || out->failed)
        fail(path, 0, "cannot be read, or is over %u bytes", MAX_FILE);
    fclose(f);
    const char *nul = out->len ? memchr(out->data, 0, out->len) : NULL;
    if (nul)
        fail(path, 0, "holds a NUL byte");
}

static void write_file(const char *dir, const char *name, const struct buf *data)
{
    char *path = take_printf("%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data->data, 1, data->len, f) != data->len || fclose(f) != 0)
        fail(path, 0, "cannot be written");
}

/* "web/templates/card.html" -> "card", which must do as a part of a C name. */
static const char *name_of(const char *path, const char *ending)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base), end = strlen(ending);
    if (len <= end)
        fail(path, 0, "expected a file name ending in %s", ending);
    char *name = take_printf("%.*s", (int)(len - end), base);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) || (name[0] >= '0' && name[0] <= '9'))
        fail(path, 0, "a template's name is made of a-z, 0-9 and _, and begins with a letter");
    return name;
}

static bool ends_with(const char *path, const char *ending)
{
    size_t len = strlen(path), end = strlen(ending);
    return len >= end && strcmp(path + len - end, ending) == 0;
}

/* "web/messages/de.ini" is in "de", for all pages; "web/messages/admin.en.ini" in "en", for those of "admin". */
static struct catalogue *read_catalogue(const char *path, const char *text, size_t len)
{
    const char *slash = strrchr(path, '/'), *dot = strchr(slash ? slash : path, '.');
    if (strcmp(dot, ".ini") == 0)
        return messages_parse(path, NULL, name_of(path, ".ini"), text, len);
    const char *tag = take_printf("%.*s", (int)(strlen(dot) - strlen("..ini")), dot + 1);
    return messages_parse(path, name_of(path, dot), tag, text, len);
}

static void write_messages(const char *dir, const struct catalogue *catalogues)
{
    struct buf header, source;
    buf_init(&header, MAX_FILE);
    buf_init(&source, 16 * MAX_FILE);
    messages_check(catalogues);
    messages_emit(catalogues, &header, &source);
    if (header.failed || source.failed)
        fail("templates", 0, "out of memory");
    write_file(dir, "messages_gen.h", &header);
    write_file(dir, "messages_gen.c", &source);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: templates STATIC_DIR OUT_DIR [CATALOGUE.ini...] TEMPLATE.html...\n");
        return 2;
    }
    struct template *all = NULL, **end = &all;
    struct catalogue *catalogues = NULL, **last = &catalogues;
    for (int i = 3; i < argc; i++) {
        struct buf text;
        buf_init(&text, MAX_FILE);
        bool is_catalogue = ends_with(argv[i], ".ini");
        if (!is_catalogue && !ends_with(argv[i], ".html"))
            fail(argv[i], 0, "expected a file name ending in .html");
        read_file(argv[i], &text);
        if (is_catalogue) {
            *last = read_catalogue(argv[i], buf_str(&text), text.len);
            last = &(*last)->next;
        } else {
            *end = template_parse(argv[i], name_of(argv[i], ".html"), buf_str(&text), text.len);
            end = &(*end)->next;
        }
    }
    struct buf header, source;
    buf_init(&header, 16 * MAX_FILE);
    buf_init(&source, 16 * MAX_FILE);
    if (catalogues)
        write_messages(argv[2], catalogues);
    template_emit(all, argv[1], catalogues, &header, &source);
    if (header.failed || source.failed)
        fail("templates", 0, "out of memory");
    write_file(argv[2], "templates.h", &header);
    write_file(argv[2], "templates.c", &source);
    return 0;
}
