/* embed: puts static files into the program at build time.
 *
 *     embed OUT_DIR FILE...
 *
 * writes OUT_DIR/assets_gen.h (ASSET_APP_CSS = the fingerprinted URL) and OUT_DIR/assets_gen.c (the
 * bytes, plain and gzipped). See src/web/assets.h. */
#include "base/buf.h"
#include "base/os.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_FILE (4u << 20)

static _Noreturn void fail(const char *path, const char *why)
{
    fprintf(stderr, "embed: %s: %s\n", path, why);
    exit(1);
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {{".css", "text/css; charset=utf-8"},
                                           {".js", "text/javascript; charset=utf-8"},
                                           {".json", "application/json"},
                                           {".svg", "image/svg+xml"},
                                           {".png", "image/png"},
                                           {".webp", "image/webp"},
                                           {".woff2", "font/woff2"},
                                           {".txt", "text/plain; charset=utf-8"}};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    fail(name, "expected a file ending in .css, .js, .json, .svg, .png, .webp, .woff2 or .txt");
}

/* gzip without name and time, so that the same content gives the same bytes. */
static void compress_to(const struct buf *plain, struct buf *out, const char *path)
{
    z_stream z = {0};
    if (deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK)
        fail(path, "zlib cannot start");
    uLong bound = deflateBound(&z, (uLong)plain->len);
    unsigned char *packed = malloc(bound);
    if (!packed)
        fail(path, "out of memory");
    z.next_in = (Bytef *)plain->data;
    z.avail_in = (uInt)plain->len;
    z.next_out = packed;
    z.avail_out = (uInt)bound;
    if (deflate(&z, Z_FINISH) != Z_STREAM_END)
        fail(path, "zlib cannot compress it");
    buf_append(out, packed, (size_t)(bound - z.avail_out));
    deflateEnd(&z);
    free(packed);
}

static void put_bytes(struct buf *out, const char *kind, size_t index, const struct buf *bytes)
{
    buf_printf(out, "static const unsigned char %s_%zu[] = {", kind, index);
    for (size_t i = 0; i < bytes->len; i++)
        buf_printf(out, "%s%u,", i % 24 ? "" : "\n    ", (unsigned char)bytes->data[i]);
    buf_puts(out, "\n};\n");
}

static void put_asset(const char *path, size_t index, struct buf *header, struct buf *bytes, struct buf *table)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *type = type_of(name);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-.") != strlen(name))
        fail(path, "an asset's name is made of a-z, 0-9, _, - and .");
    struct error err;
    struct buf plain, packed;
    buf_init(&plain, MAX_FILE);
    buf_init(&packed, MAX_FILE);
    if (os_read_file(path, &plain, &err) != OK)
        fail(path, err.message);
    if (!plain.len)
        fail(path, "is empty");
    compress_to(&plain, &packed, path);
    bool smaller = packed.len + 64 < plain.len;

    char hash[65];
    os_sha256_hex(plain.data, plain.len, hash);
    hash[12] = '\0';
    const char *dot = strrchr(name, '.');
    char file[300];
    snprintf(file, sizeof file, "%.*s.%s%s", (int)(dot - name), name, hash, dot);

    buf_puts(header, "#define ASSET_");
    for (const char *c = name; *c; c++)
        buf_putc(header, isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_');
    buf_printf(header, " \"/static/%s\"\n", file);
    put_bytes(bytes, "plain", index, &plain);
    if (smaller)
        put_bytes(bytes, "gzip", index, &packed);
    buf_printf(table, "    {\"%s\", \"%s\", \"%s\", \"\\\"%s\\\"\", plain_%zu, sizeof plain_%zu, ", name, file, type,
               hash, index, index);
    if (smaller)
        buf_printf(table, "gzip_%zu, sizeof gzip_%zu},\n", index, index);
    else
        buf_puts(table, "NULL, 0},\n");
    buf_free(&plain);
    buf_free(&packed);
}

static void write_out(const char *dir, const char *name, const struct buf *b)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    struct error err;
    if (b->failed || os_write_file(path, b->data, b->len, &err) != OK)
        fail(path, b->failed ? "is too large" : err.message);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed OUT_DIR FILE...\n");
        return 2;
    }
    struct buf header, bytes, table;
    buf_init(&header, 1u << 20);
    buf_init(&bytes, 64u << 20);
    buf_init(&table, 1u << 20);
    buf_puts(&header, "/* Made by tools/embed. */\n#ifndef PEEL_WEB_ASSETS_GEN_H\n#define PEEL_WEB_ASSETS_GEN_H\n\n"
                      "#include \"web/assets.h\"\n\n");
    for (int i = 2; i < argc; i++)
        put_asset(argv[i], (size_t)i - 2, &header, &bytes, &table);
    buf_puts(&header, "\nextern const struct asset asset_table[];\nextern const size_t asset_count;\n\n#endif\n");

    struct buf source;
    buf_init(&source, 64u << 20);
    buf_puts(&source, "/* Made by tools/embed. */\n#include \"web/assets_gen.h\"\n\n");
    buf_append(&source, bytes.data, bytes.len);
    buf_printf(&source, "const struct asset asset_table[] = {\n%s};\nconst size_t asset_count = %d;\n", buf_str(&table),
               argc - 2);
    write_out(argv[1], "assets_gen.h", &header);
    write_out(argv[1], "assets_gen.c", &source);
    buf_free(&header);
    buf_free(&bytes);
    buf_free(&table);
    buf_free(&source);
    return 0;
}
