/* The options about the bucket, for every command that opens it; models on their way into it, and the lexicon on its
 * way into it and out of it. */
#include "base/os.h"
#include "cmd/cmd.h"
#include "model/library.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum status cmd_bucket_s3(const struct config *cfg, struct arena *a, struct bucket_s3 *out, struct error *err)
{
    *out = (struct bucket_s3){.endpoint = config_string(cfg, "s3-endpoint"),
                              .region = config_string(cfg, "s3-region"),
                              .addressing = config_string(cfg, "s3-addressing"),
                              .access_key = config_string(cfg, "s3-access-key"),
                              .secret_key = config_string(cfg, "s3-secret-key"),
                              .session_token = config_string(cfg, "s3-session-token"),
                              .cache_dir = arena_printf(a, "%s/bucket", config_string(cfg, "cache-dir")),
                              .cache_bytes = (uint64_t)config_int(cfg, "bucket-cache-bytes"),
                              .timeout_ms = (unsigned)config_int(cfg, "s3-timeout-ms")};
    return out->cache_dir ? OK : err_no_memory(err, "bucket");
}

bool cmd_models_mirrored(const struct config *cfg)
{
    return bucket_url_is_remote(config_string(cfg, "bucket")) && !config_is_set(cfg, "models-dir");
}

enum status cmd_models_dir(const struct config *cfg, char out[PATH_MAX], struct error *err)
{
    int n = cmd_models_mirrored(cfg) ? snprintf(out, PATH_MAX, "%s/models", config_string(cfg, "cache-dir"))
                                     : snprintf(out, PATH_MAX, "%s", config_string(cfg, "models-dir"));
    return n >= 0 && n < PATH_MAX ? OK : err_set(err, ERR_INVALID, "models folder's name is too long");
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* The config comes last: a folder without one is no model yet to those who copy it meanwhile. */
static int config_last(const struct dirent **a, const struct dirent **b)
{
    int x = strcmp((*a)->d_name, LIBRARY_CONFIG) == 0, y = strcmp((*b)->d_name, LIBRARY_CONFIG) == 0;
    return x != y ? x - y : strcmp((*a)->d_name, (*b)->d_name);
}

/* The files of a folder and of the folders in it, below the key. */
static enum status put_folder(struct bucket *b, const char *folder, const char *key, bool inner, struct error *err)
{
    struct dirent **files = NULL;
    char path[PATH_MAX], below[PATH_MAX];
    enum status st = OK;
    int n = scandir(folder, &files, not_hidden, config_last);
    if (n < 0)
        return err_errno(err, "cannot read %s", folder);
    for (int i = 0; i < n && st == OK; i++) {
        const char *name = files[i]->d_name;
        struct os_map map;
        struct stat sb;
        if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path ||
            snprintf(below, sizeof below, "%s/%s", key, name) >= (int)sizeof below)
            st = err_set(err, ERR_INVALID, "the path of %s is too long", name);
        else if (stat(path, &sb) != 0)
            st = err_errno(err, "cannot read %s", path);
        else if (S_ISDIR(sb.st_mode))
            st = inner ? OK : put_folder(b, path, below, true, err);
        else if ((st = os_map_file(path, &map, err)) == OK) {
            st = bucket_put(b, below, map.data, map.len, err);
            os_unmap(&map);
        }
    }
    for (int i = 0; i < n; i++)
        free(files[i]);
    free(files);
    return st;
}

enum status cmd_bucket_put_model(const struct config *cfg, const char *models, const char *name, struct error *err)
{
    struct arena a;
    struct bucket_s3 s3;
    struct bucket *b = NULL;
    char path[PATH_MAX], key[PATH_MAX];
    arena_init(&a, 1 << 20);
    enum status st = cmd_bucket_s3(cfg, &a, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &b, err);
    if (st == OK && snprintf(path, sizeof path, "%s/%s", models, name) >= (int)sizeof path)
        st = err_set(err, ERR_INVALID, "models folder's name is too long");
    if (st == OK) {
        snprintf(key, sizeof key, "models/%s", name);
        st = put_folder(b, path, key, false, err);
    }
    bucket_close(b);
    arena_free(&a);
    return st;
}

/* --- the lexicon --- */

/* In the bucket it is a folder with a config.json, which comes last, as a model is: SearchService copies both alike. */
#define WORDS_FOLDER "words/english"

bool cmd_words_mirrored(const struct config *cfg)
{
    return bucket_url_is_remote(config_string(cfg, "bucket")) && !config_is_set(cfg, "words");
}

enum status cmd_words_file(const struct config *cfg, struct arena *a, const char **out, struct error *err)
{
    *out = cmd_words_mirrored(cfg)
               ? arena_printf(a, "%s/" WORDS_FOLDER "/english.words", config_string(cfg, "cache-dir"))
               : config_string(cfg, "words");
    return *out ? OK : err_no_memory(err, "the lexicon's path");
}

static enum status put_words(struct bucket *b, const char *path, bool replace, struct error *err)
{
    static const char config[] = "{\"peel\": {\"lexicon\": \"english.words\"}}\n";
    struct os_map map;
    bool there = false;
    enum status st = replace ? OK : bucket_exists(b, WORDS_FOLDER "/" LIBRARY_CONFIG, &there, err);
    if (st != OK || there || (st = os_map_file(path, &map, err)) != OK)
        return st;
    st = bucket_put(b, WORDS_FOLDER "/english.words", map.data, map.len, err);
    os_unmap(&map);
    return st == OK ? bucket_put(b, WORDS_FOLDER "/" LIBRARY_CONFIG, config, sizeof config - 1, err) : st;
}

enum status cmd_bucket_put_words(const struct config *cfg, bool replace, struct error *err)
{
    struct arena a;
    struct bucket_s3 s3;
    struct bucket *b = NULL;
    const char *path;
    if (!cmd_words_mirrored(cfg))
        return OK;
    arena_init(&a, 1 << 16);
    enum status st = cmd_bucket_s3(cfg, &a, &s3, err);
    if (st == OK)
        st = cmd_words_file(cfg, &a, &path, err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &b, err);
    if (st == OK)
        st = put_words(b, path, replace, err);
    bucket_close(b);
    arena_free(&a);
    return st;
}
