#include "cmd/model_hub.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/os.h"
#include "http/client.h"
#include "http/download.h"

#include <ctype.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAX_LISTING (8u << 20)
#define MAX_FILES   256
#define SPARE_BYTES (64u << 20) /* left free on the disk */

/* It stands in URLs and in a file; usually 40 hexadecimal digits. */
#define COMMIT_CHARACTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-"

struct file {
    char name[128];
    uint64_t size;
    char sha256[65], git_sha1[41]; /* "" when the hub does not say */
};

struct repo {
    char endpoint[256], id[LIBRARY_MAX_ID], revision[128], commit[64];
    const char *token; /* NULL: none is sent there */
    struct file files[MAX_FILES];
    size_t n;
    uint64_t total;
};

/* Splits what the user typed into endpoint, id and revision. */
static enum status parse_what(const struct hub_pull *p, struct repo *r, struct error *err)
{
    const char *rest = p->what, *revision = p->revision ? p->revision : "main";
    const char *endpoint = p->endpoint && *p->endpoint ? p->endpoint : HUB_ENDPOINT;
    size_t endpoint_len = strlen(endpoint);
    const char *scheme = strstr(p->what, "://");
    if (scheme) {
        const char *path = strchr(scheme + 3, '/');
        if (!path || (strncmp(p->what, "https://", 8) != 0 && strncmp(p->what, "http://", 7) != 0))
            return err_set(err, ERR_INVALID, "model URL: expected https://host/owner/name, found \"%.120s\"", p->what);
        endpoint = p->what;
        endpoint_len = (size_t)(path - p->what);
        rest = path + 1;
    }
    while (endpoint_len && endpoint[endpoint_len - 1] == '/')
        endpoint_len--;
    const char *tree = strstr(rest, "/tree/");
    size_t id_len = tree ? (size_t)(tree - rest) : strlen(rest);
    while (id_len && rest[id_len - 1] == '/')
        id_len--;
    if (tree && !p->revision)
        revision = tree + 6;
    if (endpoint_len >= sizeof r->endpoint || id_len >= sizeof r->id || strlen(revision) >= sizeof r->revision)
        return err_set(err, ERR_INVALID, "model \"%.80s\": name, endpoint or revision is too long", p->what);
    snprintf(r->endpoint, sizeof r->endpoint, "%.*s", (int)endpoint_len, endpoint);
    snprintf(r->id, sizeof r->id, "%.*s", (int)id_len, rest);
    snprintf(r->revision, sizeof r->revision, "%s", revision);
    char unused[LIBRARY_MAX_ID];
    if (!strchr(r->id, '/'))
        return err_set(err, ERR_INVALID, "model id: expected owner/name, found \"%.80s\"", r->id);
    return library_folder(r->id, unused, err);
}

/* A token goes to the hub that it was made for, and over TLS: not to whoever is named in a URL. */
static const char *token_for(const struct hub_pull *p, const struct repo *r)
{
    static const char *const here[] = {"http://127.0.0.1", "http://localhost", "http://[::1]"};
    const char *endpoint = p->endpoint && *p->endpoint ? p->endpoint : HUB_ENDPOINT;
    size_t len = strlen(endpoint);
    bool safe = strncmp(r->endpoint, "https://", 8) == 0;
    while (len && endpoint[len - 1] == '/')
        len--;
    for (size_t i = 0; i < sizeof here / sizeof *here; i++) {
        size_t n = strlen(here[i]);
        safe = safe || (strncmp(r->endpoint, here[i], n) == 0 && (!r->endpoint[n] || r->endpoint[n] == ':'));
    }
    if (!p->token || !*p->token || (safe && strlen(r->endpoint) == len && strncmp(r->endpoint, endpoint, len) == 0))
        return p->token;
    log_warn("the token is not sent to %s: %s", r->endpoint,
             safe ? "it belongs to the hub of --hf-endpoint" : "that is not https");
    return NULL;
}

/* --- what the repository holds --- */

static void copy_hex(char *out, size_t cap, const char *hex)
{
    out[0] = '\0';
    if (hex && strlen(hex) == cap - 1 && strspn(hex, "0123456789abcdefABCDEF") == cap - 1)
        memcpy(out, hex, cap);
}

static enum status fetch_json(const char *url, const char *token, json_t **out, struct error *err)
{
    struct buf body;
    json_error_t je;
    buf_init(&body, MAX_LISTING);
    *out = NULL;
    enum status st = http_fetch(url, token, &body, err);
    if (st == OK && !(*out = json_loadb(buf_str(&body), body.len, 0, &je)))
        st = err_set(err, ERR_INVALID, "%.200s: answered something that is not JSON: %s", url, je.text);
    buf_free(&body);
    return st;
}

static enum status list_files(struct repo *r, const char *token, struct error *err)
{
    struct buf url;
    json_t *root = NULL;
    buf_init(&url, 4096);
    buf_printf(&url, "%s/api/models/%s/revision/", r->endpoint, r->id);
    http_escape(&url, r->revision, strlen(r->revision));
    buf_puts(&url, "?blobs=true");
    enum status st = buf_status(&url, err);
    if (st == OK)
        st = fetch_json(buf_str(&url), token, &root, err);
    if (st != OK)
        goto out;
    const char *commit = json_string_value(json_object_get(root, "sha"));
    const json_t *siblings = json_object_get(root, "siblings"), *one;
    size_t i;
    if (!commit || !*commit || strlen(commit) >= sizeof r->commit || commit[strspn(commit, COMMIT_CHARACTERS)] ||
        !json_is_array(siblings)) {
        st = err_set(err, ERR_INVALID, "%.200s: expected sha and siblings in the answer", buf_str(&url));
        goto out;
    }
    snprintf(r->commit, sizeof r->commit, "%s", commit);
    r->n = 0;
    r->total = 0;
    json_array_foreach(siblings, i, one)
    {
        const char *name = json_string_value(json_object_get(one, "rfilename"));
        const json_t *size = json_object_get(one, "size"), *lfs = json_object_get(one, "lfs");
        if (!name || !library_wants(name) || strlen(name) >= sizeof r->files[0].name)
            continue;
        if (!json_is_integer(size) || json_integer_value(size) < 0 || r->n == MAX_FILES) {
            st = err_set(err, ERR_INVALID, "%s: the hub's listing has no size for %s, or too many files", r->id, name);
            goto out;
        }
        struct file *f = &r->files[r->n++];
        snprintf(f->name, sizeof f->name, "%s", name);
        f->size = (uint64_t)json_integer_value(size);
        copy_hex(f->sha256, sizeof f->sha256, json_string_value(json_object_get(lfs, "sha256")));
        copy_hex(f->git_sha1, sizeof f->git_sha1, lfs ? NULL : json_string_value(json_object_get(one, "blobId")));
        r->total += f->size;
    }
out:
    json_decref(root);
    buf_free(&url);
    return st;
}

static bool hub_has(const struct repo *r, const char *name)
{
    for (size_t i = 0; i < r->n; i++)
        if (strcmp(r->files[i].name, name) == 0)
            return true;
    return false;
}

static bool has_weights(const struct repo *r)
{
    return hub_has(r, "model.safetensors") || hub_has(r, "model.safetensors.index.json");
}

/* Older repositories hold safetensors only in the pull request of the hub's conversion bot. */
static enum status find_conversion(struct repo *r, const char *token, struct error *err)
{
    char url[600];
    json_t *root;
    snprintf(url, sizeof url, "%s/api/models/%s/discussions", r->endpoint, r->id);
    enum status st = fetch_json(url, token, &root, err);
    if (st != OK)
        return st;
    const json_t *one;
    size_t i;
    bool found = false;
    json_array_foreach(json_object_get(root, "discussions"), i, one)
    {
        const char *author = json_string_value(json_object_get(json_object_get(one, "author"), "name"));
        const char *title = json_string_value(json_object_get(one, "title"));
        if (!found && author && strcmp(author, "SFconvertbot") == 0 && title && strstr(title, "safetensors")) {
            snprintf(r->revision, sizeof r->revision, "refs/pr/%lld",
                     (long long)json_integer_value(json_object_get(one, "num")));
            found = true;
        }
    }
    json_decref(root);
    return found ? OK
                 : err_set(err, ERR_UNSUPPORTED, "%s at %s has no model.safetensors, and no conversion of it was found",
                           r->id, r->revision);
}

static enum status check_listing(const struct repo *r, struct error *err)
{
    if (!hub_has(r, LIBRARY_CONFIG))
        return err_set(err, ERR_UNSUPPORTED, "%s has no config.json: not a Transformers checkpoint", r->id);
    if (!hub_has(r, "tokenizer.json") && !(hub_has(r, "vocab.json") && hub_has(r, "merges.txt")) &&
        !hub_has(r, "vocab.txt") && !hub_has(r, "sentencepiece.bpe.model"))
        return err_set(err, ERR_UNSUPPORTED,
                       "%s has neither tokenizer.json nor vocab.json and merges.txt, vocab.txt or "
                       "sentencepiece.bpe.model",
                       r->id);
    return OK;
}

/* --- getting it --- */

static enum status check_disk(const struct repo *r, const char *dir, struct error *err)
{
    struct statvfs vfs;
    uint64_t have = 0;
    for (size_t i = 0; i < r->n; i++) {
        char path[PATH_MAX];
        struct stat sb;
        if (os_join_path(path, dir, r->files[i].name) && stat(path, &sb) == 0)
            have += (uint64_t)sb.st_size;
    }
    if (statvfs(dir, &vfs) != 0)
        return err_errno(err, "cannot ask for free space of %s", dir);
    uint64_t available = (uint64_t)vfs.f_bavail * vfs.f_frsize, need = r->total > have ? r->total - have : 0;
    if (available < need + SPARE_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%s needs %llu MB more on the disk of %s, but only %llu MB are free", r->id,
                       (unsigned long long)(need >> 20), dir, (unsigned long long)(available >> 20));
    return OK;
}

struct progress {
    const struct hub_pull *pull;
    const char *file;
    uint64_t before, total;
};

static bool hub_on_progress(void *ctx, uint64_t done, uint64_t total)
{
    (void)total;
    const struct progress *g = ctx;
    return !g->pull->progress || g->pull->progress(g->pull->ctx, g->file, g->before + done, g->total);
}

/* The folder that a file of the repository lies in, below `dir`. */
static enum status make_folder(const char *dir, const char *name, struct error *err)
{
    const char *slash = strrchr(name, '/');
    char path[PATH_MAX];
    if (!slash)
        return OK;
    if ((size_t)snprintf(path, sizeof path, "%s/%.*s", dir, (int)(slash - name), name) >= sizeof path)
        return err_set(err, ERR_INVALID, "models folder's name is too long");
    return os_mkdirs(path, err);
}

static enum status get_files(const struct hub_pull *p, const struct repo *r, const char *dir, struct error *err)
{
    struct progress g = {.pull = p, .total = r->total};
    enum status st = OK;
    for (size_t i = 0; st == OK && i < r->n; i++) {
        const struct file *f = &r->files[i];
        char path[PATH_MAX], url[1024];
        struct stat sb;
        if (!os_join_path(path, dir, f->name))
            return err_set(err, ERR_INVALID, "models folder's name is too long");
        snprintf(url, sizeof url, "%s/%s/resolve/%s/%s", r->endpoint, r->id, r->commit, f->name);
        g.file = f->name;
        if (stat(path, &sb) != 0 || (uint64_t)sb.st_size != f->size) {
            struct http_download d = {.url = url,
                                      .path = path,
                                      .token = r->token,
                                      .size = f->size,
                                      .sha256 = f->sha256[0] ? f->sha256 : NULL,
                                      .git_sha1 = f->git_sha1[0] ? f->git_sha1 : NULL,
                                      .progress = hub_on_progress,
                                      .ctx = &g};
            st = make_folder(dir, f->name, err);
            if (st == OK)
                st = http_download(&d, err);
        }
        g.before += f->size;
        if (st == OK && p->progress && !p->progress(p->ctx, f->name, g.before, g.total))
            st = err_set(err, ERR_CANCELLED, "stopped");
    }
    return st;
}

/* Says where the model came from, for `peel model list`; its presence marks a complete pull. */
static enum status write_origin(const struct repo *r, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    json_t *o = json_pack("{s:s,s:s,s:s,s:s,s:I}", "id", r->id, "endpoint", r->endpoint, "revision", r->revision,
                          "commit", r->commit, "bytes", (json_int_t)r->total);
    char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
    json_decref(o);
    if (!text)
        return err_no_memory(err, "a request");
    enum status st = os_join_path(path, dir, "origin.json") ? OK : ERR_INVALID; /* as long as others that fitted */
    if (st == OK)
        st = os_write_file(path, text, strlen(text), err);
    free(text);
    return st;
}

enum status hub_pull(const struct hub_pull *p, char dir_name[LIBRARY_MAX_ID], struct error *err)
{
    struct error local;
    err = err ? err : &local;
    char part[PATH_MAX], final[PATH_MAX];
    struct stat sb;
    struct repo *r = calloc(1, sizeof *r);
    if (!r)
        return err_no_memory(err, "a request");
    enum status st = parse_what(p, r, err);
    if (st == OK)
        st = library_folder(r->id, dir_name, err);
    if (st != OK)
        goto out;
    r->token = token_for(p, r);
    if ((st = library_path(p->models_dir, dir_name, "", final, err)) != OK ||
        (st = library_path(p->models_dir, dir_name, LIBRARY_PART, part, err)) != OK)
        goto out;
    if (stat(final, &sb) == 0)
        goto out; /* complete: usable without a network */
    st = os_mkdirs(part, err);
    if (st == OK)
        st = list_files(r, r->token, err);
    if (st == OK && !has_weights(r)) {
        st = find_conversion(r, r->token, err);
        if (st == OK)
            st = list_files(r, r->token, err);
        if (st == OK && !has_weights(r))
            st = err_set(err, ERR_UNSUPPORTED, "%s at %s has no model.safetensors", r->id, r->revision);
    }
    if (st == OK)
        st = check_listing(r, err);
    if (st == OK)
        st = check_disk(r, part, err);
    if (st == OK)
        st = get_files(p, r, part, err);
    if (st == OK)
        st = write_origin(r, part, err);
    if (st == OK)
        st = os_place(part, final, err);
    if (st != OK)
        rmdir(part); /* succeeds only when nothing was fetched */
out:
    free(r);
    return st;
}
