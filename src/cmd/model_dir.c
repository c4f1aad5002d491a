#include "cmd/model_dir.h"
#include "cmd/cmd.h"
#include "model/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_folder(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The first model by name; ERR_NOT_FOUND: there is none. */
static enum status first_model(const char *models, char dir[PATH_MAX], struct error *err)
{
    struct library_model *found;
    size_t n, i = 0;
    enum status st = library_list(models, &found, &n, err);
    if (st != OK)
        return st;
    while (i < n && found[i].incomplete)
        i++;
    if (i < n)
        st = library_path(models, found[i].folder, "", dir, err);
    else
        st = err_set(err, ERR_NOT_FOUND,
                     "there is no model in %.200s; `peel model pull intfloat/multilingual-e5-small` downloads one,"
                     " `peel model use starter` uses the small one that comes with Peel",
                     models);
    free(found);
    return st;
}

enum status model_find(const struct config *cfg, const char *id, char dir[PATH_MAX], struct error *err)
{
    char models[PATH_MAX];
    enum status st = cmd_models_dir(cfg, models, err);
    if (st != OK)
        return st;
    char name[LIBRARY_MAX_ID];
    if (!id)
        id = config_string(cfg, "model");
    if (!id)
        return first_model(models, dir, err);
    if (strchr("./", id[0]) || (is_folder(id) && strchr(id, '/'))) {
        if (snprintf(dir, PATH_MAX, "%s", id) < PATH_MAX && is_folder(dir))
            return OK;
        return err_set(err, ERR_NOT_FOUND, "model folder %.300s does not exist", id);
    }
    st = library_folder(id, name, err);
    if (st != OK)
        return st;
    if (library_path(models, name, "", dir, NULL) == OK && is_folder(dir))
        return OK;
    return err_set(err, ERR_NOT_FOUND, "there is no model %s in %.200s; `peel model list` lists the installed ones",
                   name, models);
}

enum status model_open(const struct config *cfg, const char *id, struct model_open *out, struct error *err)
{
    int64_t threads = config_int(cfg, "threads");
    *out = (struct model_open){0};
    enum status st = model_find(cfg, id, out->dir, err);
    if (st == OK)
        st = encoder_check_precision(config_string(cfg, "precision"), err);
    if (threads == 0)
        threads = pool_cores();
    if (st == OK && threads > 1)
        st = pool_open("encoder", (unsigned)threads, 1, &out->pool, err);
    if (st == OK)
        st = encoder_open(out->dir, config_string(cfg, "precision"), out->pool, &out->encoder, err);
    if (st != OK)
        model_close(out);
    return st;
}

void model_close(struct model_open *m)
{
    encoder_close(m->encoder);
    pool_close(m->pool);
    m->encoder = NULL;
    m->pool = NULL;
}
