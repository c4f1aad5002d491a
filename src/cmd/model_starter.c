#include "cmd/model_starter.h"

#include "base/os.h"
#include "model/library.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const files[] = {"model.safetensors",     "vocab.json", "merges.txt",  "preprocessor_config.json",
                                    "tokenizer_config.json", "README.md",  LIBRARY_CONFIG};

/* Where it was shipped to. */
static enum status starter_find(char dir[PATH_MAX], struct error *err)
{
    /* a source tree, its build folders, an installation */
    static const char *const places[] = {"models/" STARTER, "../../models/" STARTER, "../share/peel/models/" STARTER};
    char program[PATH_MAX], path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n < 0)
        return err_errno(err, "cannot read /proc/self/exe");
    program[n] = '\0';
    *strrchr(program, '/') = '\0'; /* an absolute name */
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (os_join_path(dir, program, places[i]) && os_join_path(path, dir, LIBRARY_CONFIG) && access(path, R_OK) == 0)
            return OK;
    return err_set(err, ERR_NOT_FOUND, "the starter model is neither in %.1000s/%s nor in %.1000s/%s", program,
                   places[0], program, places[2]);
}

static enum status starter_copy(const char *from, const char *to, const char *name, struct error *err)
{
    char source[PATH_MAX], target[PATH_MAX];
    struct os_map map;
    if (!os_join_path(source, from, name) || !os_join_path(target, to, name))
        return err_set(err, ERR_INVALID, "models folder's name is too long");
    enum status st = os_map_file(source, &map, err);
    if (st != OK)
        return st;
    st = os_write_file(target, map.data, map.len, err);
    os_unmap(&map);
    return st;
}

enum status starter_install(const char *models, struct error *err)
{
    char from[PATH_MAX], final[PATH_MAX], part[PATH_MAX];
    if (!os_join_path(final, models, STARTER) || !os_join_path(part, models, STARTER LIBRARY_PART))
        return err_set(err, ERR_INVALID, "models folder's name is too long");
    if (access(final, F_OK) == 0)
        return OK;
    enum status st = starter_find(from, err);
    if (st == OK)
        st = os_mkdirs(part, err);
    for (size_t i = 0; st == OK && i < sizeof files / sizeof *files; i++)
        st = starter_copy(from, part, files[i], err);
    if (st == OK)
        st = os_place(part, final, err);
    return st == ERR_CONFLICT ? OK : st; /* another was quicker */
}
