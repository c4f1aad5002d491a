#include "cmd/runtime.h"

#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/observe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX 4096u

static bool runtime_folder(const char *data, char out[PATH_MAX])
{
    return os_join_path(out, data, "run");
}

/* "search-service-123.json", for "search-service" */
static bool is_of_service(const char *name, const char *service)
{
    size_t n = strlen(service);
    if (strncmp(name, service, n) != 0 || name[n] != '-')
        return false;
    size_t digits = strspn(name + n + 1, "0123456789");
    return digits && strcmp(name + n + 1 + digits, ".json") == 0;
}

/* Opens it for reading; -1: it cannot be, or nobody holds it and it is removed if `tidy`. */
static int open_held(const char *path, bool tidy)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -1;
    bool held = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (held)
        return fd;
    if (tidy)
        unlink(path);
    close(fd);
    return -1;
}

/* The JSON object in the file, or NULL. Closes it. */
static json_t *read_held(int fd)
{
    char text[FILE_MAX];
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    json_t *o = n > 0 ? json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (json_is_object(o))
        return o;
    json_decref(o);
    return NULL;
}

const char *runtime_url(const char *data, const char *service, struct arena *a)
{
    char folder[PATH_MAX], path[PATH_MAX], newest[64] = "";
    const char *found = NULL;
    DIR *d = runtime_folder(data, folder) ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        int fd =
            is_of_service(e->d_name, service) && os_join_path(path, folder, e->d_name) ? open_held(path, false) : -1;
        json_t *o = fd >= 0 ? read_held(fd) : NULL;
        const char *url = json_string_value(json_object_get(o, "url"));
        const char *started = json_string_value(json_object_get(o, "started"));
        if (url && started && strcmp(started, newest) > 0) {
            snprintf(newest, sizeof newest, "%s", started);
            found = arena_strdup(a, url);
        }
        json_decref(o);
    }
    if (d)
        closedir(d);
    return found;
}

static void remove_leftovers(const char *folder, const char *service)
{
    char path[PATH_MAX];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        int fd =
            is_of_service(e->d_name, service) && os_join_path(path, folder, e->d_name) ? open_held(path, true) : -1;
        if (fd >= 0)
            close(fd);
    }
    if (d)
        closedir(d);
}

static char *describe(const char *service, const char *url)
{
    char started[28];
    os_format_time(os_now_us(), started);
    json_t *o = json_pack("{s:s, s:i, s:s, s:s, s:s}", "service", service, "pid", (int)getpid(), "url", url, "started",
                          started, "version", PEEL_VERSION);
    char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
    json_decref(o);
    return text;
}

enum status runtime_publish(const char *data, const char *service, const char *url, struct runtime_file *out,
                            struct error *err)
{
    char folder[PATH_MAX], name[64], tmp[PATH_MAX];
    out->fd = -1;
    snprintf(name, sizeof name, "%s-%d.json", service, (int)getpid());
    if (!runtime_folder(data, folder) || !os_join_path(out->path, folder, name))
        return err_set(err, ERR_INVALID, "--data: the path is too long");
    enum status st = os_mkdirs(folder, err);
    if (st != OK)
        return st;
    remove_leftovers(folder, service);
    char *text = describe(service, url);
    st = text ? os_open_beside(out->path, ".run-", tmp, &out->fd, err) : err_no_memory(err, "%s", out->path);
    if (st != OK) {
        free(text);
        return st;
    }
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0) /* before anybody can find it by its name */
        st = err_errno(err, "cannot lock %s", tmp);
    if (st == OK)
        st = os_write_all(out->fd, tmp, text, strlen(text), err);
    if (st == OK && rename(tmp, out->path) != 0)
        st = err_errno(err, "cannot create %s", out->path);
    free(text);
    if (st != OK) {
        unlink(tmp);
        close(out->fd);
        out->fd = -1;
    }
    return st;
}

void runtime_withdraw(struct runtime_file *f)
{
    if (f->fd < 0)
        return;
    unlink(f->path);
    close(f->fd);
    f->fd = -1;
}

enum runtime_found runtime_sticker_url(const struct config *cfg, struct arena *a, const char **url)
{
    *url = observe_url(config_string(cfg, "host"), (unsigned)config_int(cfg, "port"), a);
    if (config_is_set(cfg, "host") || config_is_set(cfg, "port"))
        return RUNTIME_GIVEN;
    const char *running = runtime_url(config_string(cfg, "data"), RUNTIME_STICKER, a);
    *url = running ? running : *url;
    return running ? RUNTIME_RUNNING : RUNTIME_NONE;
}

enum runtime_found runtime_search_url(const struct config *cfg, struct arena *a, const char **url)
{
    *url = config_string(cfg, "search-url");
    if (config_is_set(cfg, "search-url"))
        return RUNTIME_GIVEN;
    const char *running = runtime_url(config_string(cfg, "data"), RUNTIME_SEARCH, a);
    *url = running ? running : *url;
    return running ? RUNTIME_RUNNING : RUNTIME_NONE;
}
