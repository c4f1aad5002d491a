#include "cmd/model_dir.h"
#include "cmd/cmd.h"
#include "cmd/model_hub.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_folder(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The alphabetically first folder with a config.json. */
static bool first_model(const char *models, char dir[PATH_MAX])
{
    DIR *d = opendir(models);
    char best[256] = "";
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/%s/config.json", models, e->d_name);
        size_t len = strlen(e->d_name);
        bool partial = len > 5 && strcmp(e->d_name + len - 5, ".part") == 0;
        if (e->d_name[0] == '.' || partial || n < 0 || n >= PATH_MAX || access(path, R_OK) != 0)
            continue;
        if (!best[0] || strcmp(e->d_name, best) < 0)
            snprintf(best, sizeof best, "%s", e->d_name);
    }
    if (d)
        closedir(d);
    return best[0] && snprintf(dir, PATH_MAX, "%s/%s", models, best) < PATH_MAX;
}

enum status model_find(const struct config *cfg, const char *id, char dir[PATH_MAX], struct error *err)
{
    char models[PATH_MAX];
    enum status st = cmd_models_dir(cfg, models, err);
    if (st != OK)
        return st;
    char name[HUB_MAX_ID + 8];
    if (!id)
        id = config_string(cfg, "model");
    if (!id) {
        if (first_model(models, dir))
            return OK;
        return err_set(err, ERR_NOT_FOUND,
                       "no model in %.200s; `peel model pull openai/clip-vit-base-patch32` gets one, `peel model use"
                       " starter` takes the small one that comes with Peel",
                       models);
    }
    if (strchr("./", id[0]) || (is_folder(id) && strchr(id, '/'))) {
        if (snprintf(dir, PATH_MAX, "%s", id) < PATH_MAX && is_folder(dir))
            return OK;
        return err_set(err, ERR_NOT_FOUND, "model folder %.300s does not exist", id);
    }
    st = hub_dir_name(id, name, err);
    if (st != OK)
        return st;
    if (snprintf(dir, PATH_MAX, "%s/%s", models, name) < PATH_MAX && is_folder(dir))
        return OK;
    return err_set(err, ERR_NOT_FOUND, "there is no model %s in %.200s; `peel model list` shows what is there", name,
                   models);
}

enum status model_open(const struct config *cfg, const char *id, struct model_open *out, struct error *err)
{
    enum clip_precision precision;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t threads = config_int(cfg, "threads");
    *out = (struct model_open){0};
    enum status st = model_find(cfg, id, out->dir, err);
    if (st == OK)
        st = clip_precision_parse(config_string(cfg, "precision"), &precision, err);
    if (threads == 0)
        threads = cores < 1 ? 1 : cores > 256 ? 256 : cores;
    if (st == OK && threads > 1)
        st = pool_open("encoder", (unsigned)threads, 1, &out->pool, err);
    if (st == OK)
        st = clip_open(out->dir, precision, out->pool, &out->clip, err);
    if (st != OK)
        model_close(out);
    return st;
}

void model_close(struct model_open *m)
{
    clip_close(m->clip);
    pool_close(m->pool);
    m->clip = NULL;
    m->pool = NULL;
}
