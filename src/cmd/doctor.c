/* peel doctor: looks at everything that Peel needs, changes nothing, and says what to do about what is wrong. */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/installation.h"
#include "cmd/style.h"
#include "http/client.h"
#include "http/server.h"
#include "model/library.h"
#include "search_store/search_store.h"
#include "words/lexicon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FINDINGS      48u
#define IMAGES        50u /* looked for in the bucket */
#define LITTLE_BYTES  1e9 /* of free disk */
#define TOO_LITTLE    1e8
#define EARLIEST_US   INT64_C(1767225600000000) /* 2026-01-01, before there was any Peel */
#define CLOCK_SLACK_S 120
#define ASK_MS        500u /* for one answer of a service */

enum state { FINE, WARNING, PROBLEM, STATES };
static const char *const state_names[STATES] = {"ok", "warning", "problem"};

struct finding {
    const char *name; /* "disk" */
    enum state state;
    const char *what, *fix; /* fix: "" when there is nothing to do */
};

struct doctor {
    const struct config *cfg;
    struct arena arena;
    struct installation seen;
    bool counted; /* the sticker database is there and of this program's version: opening it changes nothing */
    struct finding findings[FINDINGS];
    size_t n;
};

/* Texts that find no memory are empty: what was found still counts. */
static void found(struct doctor *d, const char *name, enum state state, const char *what, const char *fix)
{
    if (d->n < FINDINGS)
        d->findings[d->n++] = (struct finding){name, state, what ? what : "", fix ? fix : ""};
}

/* A command of this program for the same data folder. */
static const char *command(struct doctor *d, const char *args)
{
    if (!config_is_set(d->cfg, "data"))
        return arena_printf(&d->arena, "`peel %s`", args);
    return arena_printf(&d->arena, "`peel %s --data %s`", args, config_string(d->cfg, "data"));
}

/* --- folders, disk, clock --- */

static void check_data(struct doctor *d)
{
    const char *data = config_string(d->cfg, "data");
    struct stat sb;
    if (stat(data, &sb) != 0)
        found(d, "data folder", WARNING, arena_printf(&d->arena, "%s: %s", data, strerror(errno)),
              errno == ENOENT ? arena_printf(&d->arena, "%s creates it; another folder: --data", command(d, "serve"))
                              : "let this user into the folders above it");
    else if (!S_ISDIR(sb.st_mode))
        found(d, "data folder", PROBLEM, arena_printf(&d->arena, "%s is not a folder", data),
              "choose another folder with --data");
    else if (access(data, R_OK | W_OK | X_OK) != 0)
        found(d, "data folder", PROBLEM,
              arena_printf(&d->arena, "this user (%u) may not write into %s", (unsigned)geteuid(), data),
              arena_printf(&d->arena, "run Peel as the user %u, who owns it, or change its owner with chown",
                           (unsigned)sb.st_uid));
    else if (sb.st_mode & 0007)
        found(d, "data folder", WARNING,
              arena_printf(&d->arena, "%s, with password hashes, is open to all users (mode %03o)", data,
                           (unsigned)sb.st_mode & 0777),
              arena_printf(&d->arena, "chmod 750 %s", data));
    else
        found(d, "data folder", FINE, arena_printf(&d->arena, "%s can be written", data), "");
}

static void check_disk(struct doctor *d, const char *name, const char *path)
{
    struct statvfs fs;
    if (statvfs(path, &fs) != 0)
        return; /* the folder is not there yet */
    double bytes = (double)fs.f_bavail * (double)fs.f_frsize;
    enum state state = bytes < TOO_LITTLE ? PROBLEM : bytes < LITTLE_BYTES ? WARNING : FINE;
    found(d, name, state, arena_printf(&d->arena, "%.1f GB free for %s", bytes / 1e9, path),
          state == FINE ? "" : "free some space, or move the folder to a larger disk");
    if (fs.f_files && fs.f_favail < 1000)
        found(d, name, PROBLEM, arena_printf(&d->arena, "no more files can be created in %s: no inodes are left", path),
              "delete files there, or move the folder to another disk");
}

static void check_clock(struct doctor *d)
{
    struct stat sb;
    int64_t now_us = os_now_us();
    const char *path = config_string(d->cfg, "sticker-db");
    char now[28];
    os_format_time(now_us, now);
    bool behind = stat(path, &sb) == 0 && sb.st_mtime > now_us / 1000000 + CLOCK_SLACK_S;
    if (behind || now_us < EARLIEST_US)
        found(d, "clock", PROBLEM,
              arena_printf(&d->arena, "the clock says %.19s, %s", now,
                           behind ? "which is before the last change of the database" : "which is long ago"),
              "set the clock, best by NTP (timedatectl set-ntp true)");
    else
        found(d, "clock", FINE, arena_printf(&d->arena, "%.19s UTC", now), "");
}

/* --- services --- */

static void check_port(struct doctor *d, const char *name, const char *host_option, const char *port_option)
{
    const char *host = config_string(d->cfg, host_option);
    uint16_t port = (uint16_t)config_int(d->cfg, port_option);
    struct error err;
    int fd;
    if (http_listen(host, port, &fd, NULL, &err) == OK) {
        close(fd);
        found(d, name, WARNING, arena_printf(&d->arena, "does not run; its port %u is free", port),
              command(d, "serve"));
    } else {
        found(d, name, PROBLEM, arena_printf(&d->arena, "does not run, and could not: %s", err.message),
              arena_printf(&d->arena, "stop what uses the port, or choose another with --%s", port_option));
    }
}

static void check_version(struct doctor *d, const char *name, const char *url, const json_t *says, const char *state)
{
    const char *version = json_string_value(json_object_get(says, "version"));
    if (version && strcmp(version, PEEL_VERSION) != 0)
        found(d, name, WARNING,
              arena_printf(&d->arena, "%s is %s, of version %s, while this program is of version " PEEL_VERSION, url,
                           state, version),
              "restart the service with the new program");
    else
        found(d, name, FINE,
              arena_printf(&d->arena, "%s is %s%s%s", url, state, version ? ", version " : "", version ? version : ""),
              "");
}

static void check_services(struct doctor *d)
{
    const struct installation *i = &d->seen;
    bool said = config_is_set(d->cfg, "host") || config_is_set(d->cfg, "port"); /* where it is to be, not that it is */
    if (!i->sticker_url || (said && !i->seen.sticker))
        check_port(d, "StickerService", "host", "port");
    else if (!i->seen.sticker)
        found(d, "StickerService", PROBLEM, arena_printf(&d->arena, "%s does not answer", i->sticker_url),
              "look into its log, then restart it");
    else if (i->seen.sticker_ready || !i->seen.search)
        check_version(d, "StickerService", i->sticker_url, i->seen.sticker,
                      i->seen.sticker_ready ? "ready" : "waiting for SearchService");
    else
        found(d, "StickerService", PROBLEM, arena_printf(&d->arena, "%s is not ready", i->sticker_url),
              arena_printf(&d->arena, "see the checks in %s/readyz", i->sticker_url));
    if (!i->search_url)
        check_port(d, "SearchService", "search-host", "search-port");
    else if (!i->seen.search)
        found(d, "SearchService", PROBLEM, arena_printf(&d->arena, "%s does not answer", i->search_url),
              "look into its log, then restart it; searches are answered from keywords meanwhile");
    else
        check_version(d, "SearchService", i->search_url, i->seen.search, "ready");
}

/* What a service answers to a request that changes nothing; 0: nothing. */
static int ask(const char *url, const char *token, const char *method, const char *path)
{
    struct http_client_config cc = {.base_url = url, .token = token, .connect_timeout_ms = ASK_MS};
    struct http_call call = {.method = method, .path = path, .timeout_ms = ASK_MS};
    struct http_client *client;
    struct error err;
    struct buf answer;
    int status = 0;
    if (strcmp(method, "GET") != 0) {
        call.content_type = "application/json";
        call.body = "{}";
        call.body_len = 2;
    }
    buf_init(&answer, 64u << 10);
    if (!url || http_client_open(&cc, &client, &err) != OK)
        return 0;
    if (http_client_call(client, &call, &status, &answer, &err) != OK)
        status = 0;
    http_client_close(client);
    buf_free(&answer);
    return status;
}

/* Whether SearchService takes changes with the token that its callers here have, and refuses them without. A change
 * of the default model to none is refused by itself. */
static void check_token(struct doctor *d)
{
    static const char method[] = "PUT", path[] = "/api/models/default";
    static const char same[] = "give both services the same --search-token, or start them by `peel serve`";
    const char *token = NULL, *url = d->seen.search_url;
    struct stat sb;
    struct error err;
    const char *file = arena_printf(&d->arena, "%s/search.token", config_string(d->cfg, "data"));
    if (cmd_search_token(d->cfg, false, &d->arena, &token, &err) != OK)
        found(d, "search token", PROBLEM, arena_strdup(&d->arena, err.message), same);
    else if (file && stat(file, &sb) == 0 && sb.st_mode & 0077)
        found(d, "search token", WARNING,
              arena_printf(&d->arena, "%s can be read by others (mode %03o)", file, (unsigned)sb.st_mode & 0777),
              arena_printf(&d->arena, "chmod 600 %s", file));
    if (!d->seen.seen.search)
        return;
    int without = ask(url, NULL, method, path), with = token ? ask(url, token, method, path) : without;
    if (with == 401)
        found(d, "search token", PROBLEM,
              token ? "SearchService refuses the token that is configured here: changes are not indexed"
                    : "SearchService needs a token, and none is configured here: changes are not indexed",
              same);
    else if (without && without != 401)
        found(d, "search token", WARNING, "SearchService accepts changes from anybody who reaches its port", same);
    else if (with)
        found(d, "search token", FINE, "SearchService accepts it, and refuses changes without it", "");
}

/* A listener of its own for health checks and metrics, where one is configured. */
static void check_management(struct doctor *d, const char *name, bool runs, const char *host_option,
                             const char *port_option)
{
    unsigned port = (unsigned)config_int(d->cfg, port_option);
    const char *url = observe_url(config_string(d->cfg, host_option), port, &d->arena);
    if (!port)
        return;
    if (!runs)
        check_port(d, name, host_option, port_option);
    else if (ask(url, NULL, "GET", "/healthz") == 200)
        found(d, name, FINE, arena_printf(&d->arena, "%s answers", url), "");
    else
        found(d, name, PROBLEM, arena_printf(&d->arena, "%s does not answer", url),
              arena_printf(&d->arena, "start the service with --%s %u", port_option, port));
}

static void check_index(struct doctor *d)
{
    const struct installation *i = &d->seen;
    long long stickers = (long long)i->stickers, documents = (long long)i->seen.documents;
    enum installation_index index = installation_index(i);
    if (index == INDEX_DIFFERS)
        found(d, "search index", PROBLEM,
              arena_printf(&d->arena, "SearchService has %lld documents for %lld stickers", documents, stickers),
              command(d, "reindex --all"));
    else if (index == INDEX_COMPLETE)
        found(d, "search index", FINE, arena_printf(&d->arena, "%lld documents for %lld stickers", documents, stickers),
              "");
    else if (i->pending > 0)
        found(d, "search index", WARNING, arena_printf(&d->arena, "%lld changes are waiting", (long long)i->pending),
              i->seen.search && i->seen.sticker ? command(d, "status --watch") : "start both services");
    else if (i->seen.search && i->seen.sticker)
        found(d, "search index", WARNING, "changes were made just now, so that nothing can be compared",
              "run it again in some seconds");
}

/* --- databases --- */

typedef enum status inspect(const char *url, int64_t *version, int64_t *known, struct error *err);

/* True when it is there and of this program's version. */
static bool check_database(struct doctor *d, const char *which, const char *name, inspect *look, const char *damaged)
{
    const char *url;
    struct error err;
    int64_t version, known;
    enum status st = cmd_database(d->cfg, which, &d->arena, &url, &err);
    if (st == OK && !strstr(url, "://") && access(url, F_OK) != 0) {
        found(d, name, WARNING, arena_printf(&d->arena, "there is none at %s yet", url), command(d, "serve"));
        return false;
    }
    if (st == OK)
        st = look(url, &version, &known, &err);
    if (st != OK)
        found(d, name, PROBLEM, arena_strdup(&d->arena, err.message),
              st == ERR_CORRUPT ? damaged : "check its address, its rights and whether its server runs");
    else if (version > known)
        found(d, name, PROBLEM,
              arena_printf(&d->arena, "has schema %lld, of a newer Peel; this program knows %lld", (long long)version,
                           (long long)known),
              "use the newer program");
    else if (version < known)
        found(d, name, WARNING,
              arena_printf(&d->arena, "has schema %lld, of an older Peel; this program needs %lld", (long long)version,
                           (long long)known),
              arena_printf(&d->arena, "back it up, then %s", command(d, "migrate")));
    else
        found(d, name, FINE,
              arena_printf(&d->arena, "schema %lld%s", (long long)version, strstr(url, "://") ? "" : ", whole"), "");
    return st == OK && version == known;
}

/* --- the bucket --- */

/* Some of the stickers' images, evenly by name. */
static enum status count_images(struct doctor *d, struct bucket *b, size_t *looked, size_t *missing, const char **first,
                                struct error *err)
{
    struct sticker_store *store = NULL;
    struct sticker *stickers;
    size_t n = 0;
    *looked = *missing = 0;
    enum status st = d->counted ? cmd_open_stickers(d->cfg, 1, &store, err) : OK;
    if (st == OK && store)
        st = sticker_store_list(store, "", IMAGES, &d->arena, &stickers, &n, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        bool there;
        const char *key = arena_printf(&d->arena, "media/%s", stickers[i].filename);
        st = key ? bucket_exists(b, key, &there, err) : err_no_memory(err, "an image's key");
        if (st == OK && !there && !(*missing)++)
            *first = stickers[i].filename;
        *looked += st == OK;
    }
    sticker_store_close(store);
    return st;
}

static void check_bucket(struct doctor *d)
{
    const char *url = config_string(d->cfg, "bucket"), *first = "";
    struct bucket_s3 s3;
    struct bucket *b = NULL;
    struct error err;
    size_t looked, missing;
    if (!bucket_url_is_remote(url) && access(url, F_OK) != 0) {
        found(d, "images", WARNING, arena_printf(&d->arena, "there is no folder %s yet", url),
              command(d, "import --pack openmoji"));
        return;
    }
    enum status st = cmd_bucket_s3(d->cfg, &d->arena, &s3, &err);
    if (st == OK && !bucket_url_is_remote(url) && access(url, R_OK | W_OK | X_OK) != 0)
        st = err_set(&err, ERR_DENIED, "this user (%u) may not write into %s", (unsigned)geteuid(), url);
    if (st == OK)
        st = bucket_open(url, &s3, &b, &err);
    if (st == OK)
        st = count_images(d, b, &looked, &missing, &first, &err);
    bucket_close(b);
    if (st != OK)
        found(d, "images", PROBLEM, arena_strdup(&d->arena, err.message), "check --bucket, its rights and its keys");
    else if (missing)
        found(d, "images", PROBLEM,
              arena_printf(&d->arena, "%zu of %zu images are missing, such as %s", missing, looked, first),
              "restore the bucket from a backup, or import the same files again");
    else
        found(d, "images", FINE, arena_printf(&d->arena, "%s: %zu of %zu looked for are there", url, looked, looked),
              "");
}

/* --- words and models --- */

static void check_words(struct doctor *d)
{
    struct lexicon *lexicon;
    struct error err;
    const char *path;
    enum status st = cmd_words_file(d->cfg, &d->arena, &path, &err);
    if (st == OK)
        st = lexicon_open(path, &lexicon, &err);
    if (st == OK) {
        found(d, "words", FINE, arena_printf(&d->arena, "%u words", lexicon_count(lexicon)), "");
        lexicon_close(lexicon);
    } else if (st == ERR_NOT_FOUND) {
        found(d, "words", WARNING, "there is no lexicon: search does not know what English words mean",
              command(d, "words pull"));
    } else {
        found(d, "words", PROBLEM, arena_strdup(&d->arena, err.message), command(d, "words pull"));
    }
}

static void check_loaded(struct doctor *d)
{
    size_t i;
    json_t *m;
    json_array_foreach(json_object_get(d->seen.seen.search, "models"), i, m)
    {
        const char *id = json_string_value(json_object_get(m, "id"));
        const char *state = json_string_value(json_object_get(m, "state"));
        const char *error = json_string_value(json_object_get(m, "error"));
        if (id && state && strcmp(state, "failed") == 0)
            found(d, "models", PROBLEM,
                  arena_printf(&d->arena, "%s failed: %s", id, error ? error : "its log says why"),
                  command(d, arena_printf(&d->arena, "model verify %s", id)));
    }
}

static void check_models(struct doctor *d)
{
    struct library_model *models = NULL;
    char folder[PATH_MAX];
    struct error err;
    size_t n = 0, whole = 0;
    enum status st = cmd_models_dir(d->cfg, folder, &err);
    if (st == OK)
        st = library_list(folder, &models, &n, &err);
    for (size_t i = 0; st == OK && i < n; i++) {
        whole += !models[i].incomplete;
        if (models[i].incomplete)
            found(d, "models", WARNING, arena_printf(&d->arena, "%s is incomplete", models[i].id),
                  command(d, arena_printf(&d->arena, "model pull %s", models[i].id)));
    }
    if (st != OK)
        found(d, "models", PROBLEM, arena_strdup(&d->arena, err.message), "check --models-dir and its rights");
    else if (!whole)
        found(d, "models", WARNING, "there is no model: search does not know what sentences and images mean",
              command(d, "model pull intfloat/multilingual-e5-small"));
    else
        found(d, "models", FINE, arena_printf(&d->arena, "%zu in %s", whole, folder), "");
    free(models);
    check_loaded(d);
}

/* --- the report --- */

static enum state worst(const struct doctor *d)
{
    enum state worst = FINE;
    for (size_t i = 0; i < d->n; i++)
        worst = d->findings[i].state > worst ? d->findings[i].state : worst;
    return worst;
}

static enum status report_json(const struct doctor *d, struct error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->findings[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "name", f->name, "state", state_names[f->state],
                                              "finding", f->what, "fix", f->fix));
    }
    return cmd_print_json(json_pack("{s:b, s:o}", "ok", worst(d) != PROBLEM, "checks", list), err);
}

static void report(const struct doctor *d)
{
    static const enum style styles[STATES] = {STYLE_GOOD, STYLE_WARNING, STYLE_BAD};
    size_t count[STATES] = {0};
    for (size_t i = 0; i < d->n; i++) {
        const struct finding *f = &d->findings[i];
        count[f->state]++;
        printf("%s%-8s%s %-17s %s\n", style(stdout, styles[f->state]), state_names[f->state], style(stdout, STYLE_END),
               f->name, f->what);
        if (*f->fix)
            printf("%-8s %-17s -> %s\n", "", "", f->fix);
    }
    printf("\n%zu problem%s, %zu warning%s\n", count[PROBLEM], count[PROBLEM] == 1 ? "" : "s", count[WARNING],
           count[WARNING] == 1 ? "" : "s");
}

static void look_at_all(struct doctor *d)
{
    struct error err;
    found(d, "version", FINE, "peel " PEEL_VERSION, "");
    check_data(d);
    check_disk(d, "disk", config_string(d->cfg, "data"));
    check_disk(d, "disk", config_string(d->cfg, "cache-dir"));
    check_clock(d);
    d->counted = check_database(d, "sticker", "sticker database", sticker_store_inspect,
                                "stop Peel and restore a backup of the database");
    (void)check_database(d, "search", "search database", search_store_inspect,
                         "stop SearchService, move the file away, start it again, then peel reindex --all");
    if (!d->counted)
        observer_look(d->seen.observer, &d->seen.seen);
    else if (installation_look(&d->seen, &err) != OK)
        found(d, "sticker database", PROBLEM, arena_strdup(&d->arena, err.message), "");
    check_services(d);
    check_token(d);
    check_management(d, "management port", d->seen.seen.sticker, "host", "management-port");
    check_management(d, "management port", d->seen.seen.search, "search-host", "search-management-port");
    check_index(d);
    check_bucket(d);
    check_words(d);
    check_models(d);
}

int cmd_doctor(const struct config *cfg)
{
    struct doctor d = {.cfg = cfg};
    struct error err;
    arena_init(&d.arena, 64u << 20);
    enum status st = installation_open(cfg, &d.arena, &d.seen, &err);
    if (st == OK)
        look_at_all(&d);
    if (st == OK && config_bool(cfg, "json"))
        st = report_json(&d, &err);
    else if (st == OK)
        report(&d);
    installation_close(&d.seen);
    enum state state = worst(&d);
    arena_free(&d.arena);
    return st != OK ? cmd_failed(&err) : state == PROBLEM ? EXIT_FAILED : EXIT_OK;
}
