/* Packs of real stickers from the npm registry, at pinned versions: `npm pack` fetches (it knows the
 * registry, proxies and credentials that this machine uses), we check the SHA-512 that npm publishes.
 * Where npm is absent the project's own release is taken, if it has one in the same layout; its archive has
 * no stable checksum, so what is used of it is checked instead (see `content`). */
#include "base/buf.h"
#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cmd/import.h"
#include "http/download.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct pack {
    const char *name, *npm, *version;
    const char *tarball; /* the name that `npm pack` gives it */
    const char *sha512;  /* base64, as npm's `integrity` has it */
    const char *release; /* the project's own archive; NULL: none of that layout */
    const char *content; /* SHA-256 over the data file, which names all the rest; NULL with no release */
} packs[] = {
    {"fluent3d", "@lobehub/fluent-emoji-3d", "1.1.0", "lobehub-fluent-emoji-3d-1.1.0.tgz",
     "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==", NULL, NULL},
    {"openmoji", "openmoji", "17.0.0", "openmoji-17.0.0.tgz",
     "EBnYrNGdcdw+OSXmENeNE1yBNRu6tOraTmoOyUbJkTmvT/+XETp8RZLSJFzD3lrPc5N9CzsyPnRTk0Vp4UaI9w==",
     "https://github.com/hfg-gmuend/openmoji/archive/refs/tags/17.0.0.tar.gz",
     "ab181dd523021dfbe2b98a13d96ab384b7b3014d17815261bc267fb39d9a211b"},
};
#define FLUENT3D      (&packs[0])
#define OPENMOJI      (&packs[1])
#define OPENMOJI_DATA "data/openmoji.json"

const char *import_pack_names(void)
{
    return "fluent3d, openmoji";
}

/* --- getting a pack --- */

/* Runs a program without a shell; its output goes to standard error. */
static enum status run(const char *const argv[], const char *what, struct error *err)
{
    pid_t pid;
    int status;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        return err_set(err, rc == ENOENT ? ERR_NOT_FOUND : ERR_IO, "%s: %s: %s", what, argv[0], strerror(rc));
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND, "%s: cannot run %s", what, argv[0]);
    if (WEXITSTATUS(status) != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s: %s ended with status %d", what, argv[0], WEXITSTATUS(status));
    return OK;
}

static enum status check_sha512(const char *path, const char *want, struct error *err)
{
    struct os_map map;
    unsigned char hash[crypto_hash_sha512_BYTES];
    char text[128];
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    crypto_hash_sha512(hash, map.data, map.len);
    os_unmap(&map);
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    if (strcmp(text, want) != 0) {
        unlink(path);
        return err_set(err, ERR_CORRUPT, "%s: sha512: expected %s, found %s", path, want, text);
    }
    return OK;
}

static enum status check_content(const char *dir, const char *want, struct error *err)
{
    struct os_map map;
    char path[PATH_MAX], found[65];
    snprintf(path, sizeof path, "%.4000s/" OPENMOJI_DATA, dir);
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    os_sha256_hex(map.data, map.len, found);
    os_unmap(&map);
    return strcmp(found, want) == 0 ? OK
                                    : err_set(err, ERR_CORRUPT, "%s: sha256: expected %s, found %s", path, want, found);
}

static enum status fetch(const struct pack *p, const char *cache, const char *tarball, bool *own, struct error *err)
{
    char spec[128];
    snprintf(spec, sizeof spec, "%s@%s", p->npm, p->version);
    const char *const npm[] = {"npm", "pack", spec, "--silent", "--pack-destination", cache, NULL};
    *own = false;
    enum status st = access(tarball, R_OK) == 0 ? OK : run(npm, p->name, err);
    if (st == OK)
        return check_sha512(tarball, p->sha512, err);
    if (st == ERR_NOT_FOUND && !p->release)
        return err_set(err, ERR_UNAVAILABLE, "pack %s comes from npm, which is not installed", p->name);
    if (st != ERR_NOT_FOUND)
        return st;
    *own = true;
    struct http_download d = {.url = p->release, .path = tarball, .size = HTTP_SIZE_UNKNOWN};
    return http_download(&d, err);
}

/* Leaves the pack's files in `dir`; made only once, under another name first. */
static enum status get_pack(const struct pack *p, const char *cache, char dir[PATH_MAX], struct error *err)
{
    char tarball[PATH_MAX], part[PATH_MAX];
    bool own;
    if (snprintf(dir, PATH_MAX, "%s/%s-%s", cache, p->name, p->version) >= PATH_MAX - 64 ||
        snprintf(tarball, sizeof tarball, "%s/%s", cache, p->tarball) >= PATH_MAX)
        return err_set(err, ERR_INVALID, "cache folder's name is too long");
    if (access(dir, R_OK) == 0)
        return OK;
    snprintf(part, sizeof part, "%.4000s.part", dir);
    enum status st = os_mkdirs(part, err);
    if (st == OK)
        st = fetch(p, cache, tarball, &own, err);
    const char *const tar[] = {"tar", "-xzf", tarball, "-C", part, "--strip-components=1", "--no-same-owner", NULL};
    if (st == OK)
        st = run(tar, p->name, err);
    if (st == OK && own)
        st = check_content(part, p->content, err);
    if (st == OK && rename(part, dir) != 0)
        st = err_errno(err, "cannot rename %s", part);
    if (st == OK)
        unlink(tarball);
    return st;
}

/* --- reading a pack --- */

static enum status load_data(const char *dir, json_t **out, struct error *err)
{
    char path[PATH_MAX];
    json_error_t je;
    snprintf(path, sizeof path, "%.4000s/" OPENMOJI_DATA, dir);
    *out = json_load_file(path, 0, &je);
    if (!json_is_array(*out)) {
        json_decref(*out);
        *out = NULL;
        return err_set(err, ERR_CORRUPT, "%s: %s", path, je.text[0] ? je.text : "expected an array");
    }
    return OK;
}

static const char *member(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));
    return s ? s : "";
}

/* Skin-tone variants carry a number or a text there, the others an empty text. */
static bool is_variant(const json_t *e)
{
    return json_is_number(json_object_get(e, "skintone")) || *member(e, "skintone");
}

/* "Cat face: grinning" -> "cat-face-grinning"; ASCII letters and digits only. */
static void slug(const char *title, char out[100])
{
    size_t n = 0;
    for (; *title && n < 98; title++) {
        if (isalnum((unsigned char)*title))
            out[n++] = (char)tolower((unsigned char)*title);
        else if (n && out[n - 1] != '-')
            out[n++] = '-';
    }
    while (n && out[n - 1] == '-')
        n--;
    out[n] = '\0';
}

/* "1f441-fe0f_200d" -> "1F441-200D": upper case, at least four digits each, without FE0F. */
static void code_key(const char *hex, size_t len, char out[128])
{
    size_t n = 0;
    for (size_t i = 0; i < len;) {
        size_t end = i;
        while (end < len && isxdigit((unsigned char)hex[end]))
            end++;
        size_t digits = end - i;
        if (digits && !(digits == 4 && strncasecmp(hex + i, "fe0f", 4) == 0) && n + digits + 6 < 128) {
            if (n)
                out[n++] = '-';
            for (size_t pad = digits; pad < 4; pad++)
                out[n++] = '0';
            for (size_t k = i; k < end; k++)
                out[n++] = (char)toupper((unsigned char)hex[k]);
        }
        i = end + 1;
    }
    out[n] = '\0';
}

/* Title and words that the data file has for one emoji. */
static enum status describe(struct import_list *l, const json_t *e, struct import_item *item, struct error *err)
{
    char *kind = arena_strdup(&l->arena, member(e, "subgroups"));
    for (char *p = kind; p && *p; p++)
        if (*p == '-')
            *p = ' ';
    item->title = arena_strdup(&l->arena, member(e, "annotation"));
    item->words = arena_printf(&l->arena, "%s, %s, %s, %s", member(e, "emoji"), member(e, "tags"),
                               member(e, "openmoji_tags"), kind ? kind : "");
    item->language = "en";
    return kind && item->title && item->words ? OK : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum status list_openmoji(struct import_list *l, const char *dir, const json_t *data, struct error *err)
{
    size_t i;
    const json_t *e;
    enum status st = OK;
    json_array_foreach(data, i, e)
    {
        const char *hex = member(e, "hexcode");
        char name[100];
        if (is_variant(e) || !*hex || strlen(hex) > 100 || strspn(hex, "0123456789ABCDEF-") != strlen(hex))
            continue;
        struct import_item item = {.pack = OPENMOJI->name,
                                   .license = "CC BY-SA 4.0",
                                   .author = arena_strdup(&l->arena, member(e, "openmoji_author")),
                                   .source = "https://openmoji.org"};
        slug(member(e, "annotation"), name);
        item.path = arena_printf(&l->arena, "%s/color/svg/%s.svg", dir, hex);
        item.filename = arena_printf(&l->arena, "openmoji-%s-%s.svg", name, hex);
        if (!item.author || !item.path || !item.filename)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        st = describe(l, e, &item, err);
        if (st == OK)
            st = import_list_add(l, &item, err);
        if (st != OK)
            break;
    }
    return st;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_webp(const struct dirent *d)
{
    const char *dot = strrchr(d->d_name, '.');
    return dot && strcmp(dot, ".webp") == 0;
}

/* The emoji that `key` is drawn for: without flags and skin tones, which the pack's list leaves out. */
static const json_t *lookup(const json_t *by_key, const char *key)
{
    const json_t *e = json_object_get(by_key, key);
    return e && strcmp(member(e, "group"), "flags") != 0 ? e : NULL;
}

static enum status list_fluent3d(struct import_list *l, const char *dir, const json_t *data, struct error *err)
{
    char assets[PATH_MAX], key[128], name[100];
    struct dirent **files = NULL;
    json_t *by_key = json_object();
    size_t i;
    json_t *e;
    json_array_foreach(data, i, e)
    {
        code_key(member(e, "hexcode"), strlen(member(e, "hexcode")), key);
        if (!is_variant(e))
            json_object_set(by_key, key, e);
    }
    snprintf(assets, sizeof assets, "%.4000s/assets", dir);
    int n = scandir(assets, &files, is_webp, by_name);
    enum status st = n < 0 ? err_errno(err, "cannot read %s", assets) : OK;
    for (int f = 0; f < n; f++) {
        code_key(files[f]->d_name, strlen(files[f]->d_name) - strlen(".webp"), key);
        const json_t *found = st == OK ? lookup(by_key, key) : NULL;
        if (found) {
            struct import_item item = {.pack = FLUENT3D->name,
                                       .license = "MIT",
                                       .author = "Microsoft",
                                       .source = "https://github.com/microsoft/fluentui-emoji"};
            slug(member(found, "annotation"), name);
            item.path = arena_printf(&l->arena, "%s/%s", assets, files[f]->d_name);
            item.filename = arena_printf(&l->arena, "fluent3d-%s-%s.webp", name, key);
            st = item.path && item.filename ? describe(l, found, &item, err)
                                            : err_set(err, ERR_NO_MEMORY, "out of memory");
            if (st == OK)
                st = import_list_add(l, &item, err);
            json_object_del(by_key, key); /* some are there with and without FE0F */
        }
        free(files[f]);
    }
    free(files);
    json_decref(by_key);
    return st;
}

enum status import_list_pack(struct import_list *l, const char *name, const char *cache, struct error *err)
{
    char dir[PATH_MAX], words[PATH_MAX];
    json_t *data = NULL;
    const struct pack *p = NULL;
    for (size_t i = 0; i < sizeof packs / sizeof *packs; i++)
        if (strcmp(packs[i].name, name) == 0)
            p = &packs[i];
    if (!p)
        return err_set(err, ERR_INVALID, "there is no pack \"%.80s\"; packs: %s", name, import_pack_names());
    enum status st = get_pack(p, cache, dir, err);
    if (st == OK)
        st = get_pack(OPENMOJI, cache, words, err); /* whose data file names the emoji of both */
    if (st == OK)
        st = load_data(words, &data, err);
    if (st == OK)
        st = p == OPENMOJI ? list_openmoji(l, dir, data, err) : list_fluent3d(l, dir, data, err);
    json_decref(data);
    return st;
}
