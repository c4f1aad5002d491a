#include "model/library.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/os.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Ids stand in metrics and paths, so their characters are few. */
#define NAME_CHARACTERS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define FINGERPRINT_BYTES (1u << 20) /* of each file: safetensors' header and the first tensors */

/* --- names --- */

static bool is_name(const char *s, size_t len)
{
    if (!len || !isalnum((unsigned char)s[0]))
        return false;
    return strspn(s, NAME_CHARACTERS) >= len;
}

enum status library_folder(const char *id, char folder[LIBRARY_MAX_ID], struct error *err)
{
    const char *slash = strchr(id, '/');
    size_t owner = slash ? (size_t)(slash - id) : 0;
    bool good = slash ? is_name(id, owner) && is_name(slash + 1, strlen(slash + 1)) : is_name(id, strlen(id));
    if (!good || strlen(id) + 2 > LIBRARY_MAX_ID)
        return err_set(err, ERR_INVALID, "model id: expected owner/name of at most %d bytes, found \"%.160s\"",
                       LIBRARY_MAX_ID - 2, id);
    if (slash)
        snprintf(folder, LIBRARY_MAX_ID, "%.*s--%s", (int)owner, id, slash + 1);
    else
        snprintf(folder, LIBRARY_MAX_ID, "%s", id);
    return OK;
}

/* A folder's name as an id: the first "--" was a slash. */
static void put_id(struct library_model *m)
{
    const char *cut = strstr(m->folder, "--");
    memcpy(m->id, m->folder, sizeof m->id);
    if (cut && cut > m->folder && cut[2])
        snprintf(m->id, sizeof m->id, "%.*s/%s", (int)(cut - m->folder), m->folder, cut + 2);
}

enum status library_path(const char *models, const char *folder, const char *suffix, char out[PATH_MAX],
                         struct error *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s%s", models, folder, suffix);
    return n >= 0 && n < PATH_MAX ? OK : err_set(err, ERR_INVALID, "models folder's name is too long");
}

bool library_has(const char *models, const char *folder)
{
    char path[PATH_MAX];
    return library_path(models, folder, "/" LIBRARY_CONFIG, path, NULL) == OK && access(path, R_OK) == 0;
}

/* --- the list --- */

static int by_folder(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* False: this is no model. */
static bool read_model(const char *models, const char *name, struct library_model *out)
{
    static const char part[] = LIBRARY_PART;
    size_t len = strlen(name), suffix = sizeof part - 1;
    char path[PATH_MAX];
    struct stat sb;
    *out = (struct library_model){.incomplete = len > suffix && strcmp(name + len - suffix, part) == 0};
    len -= out->incomplete ? suffix : 0;
    if (out->incomplete
            ? library_path(models, name, "", path, NULL) != OK || stat(path, &sb) != 0 || !S_ISDIR(sb.st_mode)
            : !library_has(models, name))
        return false;
    if (len < 1 || len >= sizeof out->folder || strspn(name, NAME_CHARACTERS) < len) {
        log_warn("ignoring %.1000s/%s: a model's name has 1 to %d letters, digits, \".\", \"_\" or \"-\"", models, name,
                 LIBRARY_MAX_ID - 1);
        return false;
    }
    memcpy(out->folder, name, len);
    put_id(out);
    return true;
}

enum status library_list(const char *models, struct library_model **out, size_t *n, struct error *err)
{
    struct dirent **found = NULL;
    int count = models && *models ? scandir(models, &found, is_visible, by_folder) : 0;
    count = count < 0 ? 0 : count;
    *n = 0;
    *out = calloc((size_t)count + 1, sizeof **out);
    for (int i = 0; i < count; i++) {
        if (*out && read_model(models, found[i]->d_name, &(*out)[*n]))
            ++*n;
        free(found[i]);
    }
    free(found);
    return *out ? OK : err_no_memory(err, "the list of models");
}

/* --- fingerprints --- */

/* Appends the name, size and first megabyte of a file, or nothing if it is not there. */
static void sample_file(const char *dir, const char *name, struct buf *out)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);
    int fd = n > 0 && (size_t)n < sizeof path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    struct stat sb;
    if (fd >= 0 && fstat(fd, &sb) == 0) {
        buf_printf(out, "%s %lld\n", name, (long long)sb.st_size);
        char chunk[16384];
        ssize_t got;
        for (size_t all = 0; all < FINGERPRINT_BYTES && (got = read(fd, chunk, sizeof chunk)) > 0; all += (size_t)got)
            buf_append(out, chunk, (size_t)got);
    }
    if (fd >= 0)
        close(fd);
}

/* What a model's folder may hold; of some a change makes other vectors. New ones go to the end: their order is part of
 * the fingerprint. tokenizer_config.json is not in it, though BERT's reads it, since CLIP's folders have one that was
 * never read: their images would all be encoded again. */
static const struct {
    const char *name;
    bool is_printed;
} files[] = {{LIBRARY_CONFIG, true},
             {"preprocessor_config.json", true},
             {"model.safetensors", true},
             {"tokenizer.json", true},
             {"merges.txt", true},
             {"vocab.json", false}, /* what it says follows from merges.txt */
             {"tokenizer_config.json", false},
             {"model.safetensors.index.json", false},
             {"vocab.txt", true},
             {"sentencepiece.bpe.model", true},
             /* what sentence-transformers adds */
             {"modules.json", true},
             {"sentence_bert_config.json", true},
             {"config_sentence_transformers.json", true},
             {"1_Pooling/config.json", true},
             {"2_Dense/config.json", true},
             {"2_Dense/model.safetensors", true}};
#define N_FILES (sizeof files / sizeof *files)

bool library_wants(const char *name)
{
    for (size_t i = 0; i < N_FILES; i++)
        if (strcmp(name, files[i].name) == 0)
            return true;
    unsigned part, parts; /* model-00001-of-00002.safetensors */
    int end = 0;
    return sscanf(name, "model-%5u-of-%5u.safetensors%n", &part, &parts, &end) == 2 && end && !name[end];
}

void library_fingerprint(const char *dir, char out[65])
{
    struct buf all;
    buf_init(&all, (FINGERPRINT_BYTES + 65536) * N_FILES);
    for (size_t i = 0; i < N_FILES; i++)
        if (files[i].is_printed)
            sample_file(dir, files[i].name, &all);
    os_sha256_hex(buf_str(&all), all.len, out);
    buf_free(&all);
}
