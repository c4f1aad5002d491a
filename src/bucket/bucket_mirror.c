/* Folders of a remote bucket as folders of this machine, for what must be mapped: models.
 *
 * "<dir>/<name>/.mirror" lists the files with their ETags. A folder that changes is built beside, in
 * "<name>.part", whose own .mirror grows by a line with each complete file, and then takes the old one's
 * place. Who has the old files mapped keeps them. */
#include "base/log.h"
#include "base/os.h"
#include "bucket/bucket_s3_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST  ".mirror"
#define MAX_NAME  128
#define MAX_FILES 4096u
#define MAX_LIST  (4u << 20)
#define TELL_US   5000000

struct file {
    char folder[MAX_NAME], name[MAX_NAME], etag[BUCKET_MAX_ETAG];
    uint64_t size;
};
struct listing {
    struct file *files; /* [n] */
    size_t n, skip;     /* skip: bytes of "<folder>/" before each key */
};

/* "file" or "folder/file", neither hidden. */
static bool mirror_is_file(const char *name)
{
    const char *slash = strchr(name, '/');
    return !slash || (name[0] != '.' && slash != name && slash[1] && slash[1] != '.' && !strchr(slash + 1, '/'));
}

static enum status on_object(void *ctx, const char *key, const char *etag, uint64_t size, struct error *err)
{
    struct listing *l = ctx;
    const char *rest = key + l->skip, *slash = strchr(rest, '/');
    size_t folder = slash ? (size_t)(slash - rest) : 0;
    if (!slash || !mirror_is_file(slash + 1) || folder >= MAX_NAME || strlen(slash + 1) >= MAX_NAME ||
        etag[strcspn(etag, " \t\n")])
        return OK; /* not "<name>/<file>" or "<name>/<folder>/<file>" */
    if (l->n == MAX_FILES)
        return err_set(err, ERR_TOO_LARGE, "bucket: more than %u files in folders to copy", MAX_FILES);
    struct file *f = &l->files[l->n++];
    *f = (struct file){.size = size};
    snprintf(f->folder, sizeof f->folder, "%.*s", (int)folder, rest);
    snprintf(f->name, sizeof f->name, "%s", slash + 1);
    snprintf(f->etag, sizeof f->etag, "%s", etag);
    return OK;
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

struct mirror {
    struct s3 *s;
    const char *dir, *folder; /* where to, and below which key */
    bool (*stopped)(void *ctx);
    void *ctx;
    const struct file *files; /* of one folder: [n] */
    size_t n;
    uint64_t done, total; /* bytes */
    int fd;
    uint64_t before; /* bytes of the files before the one in fd */
    int64_t told_us;
    char final[PATH_MAX - MAX_NAME - 16], part[PATH_MAX - MAX_NAME - 8];
};

static void mirror_put_line(const struct file *f, struct buf *out)
{
    buf_printf(out, "%llu %s %s\n", (unsigned long long)f->size, f->etag, f->name);
}

/* Does the folder's manifest have this file, and the folder the bytes? */
static bool mirror_has(const char *folder, const struct buf *manifest, const struct file *f)
{
    char path[PATH_MAX];
    struct stat sb;
    struct buf line;
    buf_init(&line, 1024);
    buf_putc(&line, '\n');
    mirror_put_line(f, &line);
    bool listed = manifest->len && strstr(buf_str(manifest), buf_str(&line));
    buf_free(&line);
    return listed && snprintf(path, sizeof path, "%s/%s", folder, f->name) < PATH_MAX && stat(path, &sb) == 0 &&
           (uint64_t)sb.st_size == f->size;
}

static void read_manifest(const char *folder, struct buf *out)
{
    char path[PATH_MAX];
    buf_init(out, MAX_LIST);
    if (snprintf(path, sizeof path, "%s/" MANIFEST, folder) >= PATH_MAX || os_read_file(path, out, NULL) != OK)
        buf_reset(out);
}

static enum status write_manifest(const char *folder, const struct buf *text, struct error *err)
{
    char path[PATH_MAX];
    if (text->failed || snprintf(path, sizeof path, "%s/" MANIFEST, folder) >= PATH_MAX)
        return err_set(err, ERR_INVALID, "mirror: the list of %.200s is too long", folder);
    return os_write_file(path, buf_str(text), text->len, err);
}

static bool tell(void *ctx)
{
    struct mirror *m = ctx;
    struct stat sb;
    int64_t now = os_monotonic_us();
    if (now - m->told_us >= TELL_US) {
        uint64_t here = fstat(m->fd, &sb) == 0 ? (uint64_t)sb.st_size : 0;
        m->told_us = now;
        log_info("bucket: copying %s: %llu of %llu MB", m->files[0].folder,
                 (unsigned long long)((m->before + here) / 1000000), (unsigned long long)(m->total / 1000000));
    }
    return m->stopped && m->stopped(m->ctx);
}

static enum status mirror_make_folder(const struct mirror *m, const struct file *f, struct error *err)
{
    const char *slash = strchr(f->name, '/');
    char path[PATH_MAX];
    if (!slash)
        return OK;
    snprintf(path, sizeof path, "%s/%.*s", m->part, (int)(slash - f->name), f->name);
    return os_mkdirs(path, err);
}

static enum status fetch_file(struct mirror *m, const struct file *f, struct error *err)
{
    char path[PATH_MAX], tmp[PATH_MAX], key[BUCKET_MAX_KEY + 1];
    struct bucket_fetched got = {0};
    if (snprintf(path, sizeof path, "%s/%s", m->part, f->name) >= PATH_MAX ||
        snprintf(tmp, sizeof tmp, "%s/.new", m->part) >= PATH_MAX ||
        snprintf(key, sizeof key, "%s/%s/%s", m->folder, f->folder, f->name) >= (int)sizeof key)
        return err_set(err, ERR_INVALID, "mirror: a name below %.200s is too long", m->part);
    m->fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (m->fd < 0)
        return err_errno(err, "cannot make %s", tmp);
    enum status st = s3_download(m->s, key, NULL, m->fd, f->size, tell, m, &got, err);
    if (st == OK && strcmp(got.etag, f->etag) != 0)
        st = err_set(err, ERR_CONFLICT, "s3://%s/%s%s changed while it was copied", m->s->name, m->s->prefix, key);
    if (st == OK && fsync(m->fd) != 0)
        st = err_errno(err, "cannot finish %s", tmp);
    if (close(m->fd) != 0 && st == OK)
        st = err_errno(err, "cannot close %s", tmp);
    m->fd = -1;
    if (st == OK && rename(tmp, path) != 0)
        st = err_errno(err, "cannot rename %s", tmp);
    if (st != OK)
        unlink(tmp);
    return st;
}

/* Completes the folder m->part: files stay that a stopped call left there, unchanged ones come from the present
 * folder, and the rest from the bucket. */
static enum status fill(struct mirror *m, const struct buf *old, struct error *err)
{
    struct buf begun, done;
    enum status st = os_mkdirs(m->part, err);
    if (st != OK)
        return st;
    read_manifest(m->part, &begun);
    buf_init(&done, MAX_LIST);
    buf_putc(&done, '\n'); /* so that each line has a newline before it too */
    m->before = 0;
    for (size_t i = 0; st == OK && i < m->n; i++) {
        const struct file *f = &m->files[i];
        char from[PATH_MAX], to[PATH_MAX];
        snprintf(from, sizeof from, "%s/%s", m->final, f->name);
        snprintf(to, sizeof to, "%s/%s", m->part, f->name);
        if (!mirror_has(m->part, &begun, f)) {
            unlink(to);
            st = mirror_make_folder(m, f, err);
            if (st == OK && (!mirror_has(m->final, old, f) || link(from, to) != 0))
                st = fetch_file(m, f, err);
        }
        m->before += f->size;
        if (st == OK) {
            mirror_put_line(f, &done);
            st = write_manifest(m->part, &done, err);
        }
    }
    buf_free(&begun);
    buf_free(&done);
    return st;
}

static enum status mirror_replace(const struct mirror *m, struct error *err)
{
    char old[PATH_MAX];
    snprintf(old, sizeof old, "%s.old.part", m->final);
    nftw(old, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (rename(m->final, old) != 0 && errno != ENOENT)
        return err_errno(err, "cannot rename %s", m->final);
    enum status st = os_place(m->part, m->final, err);
    if (st == OK)
        nftw(old, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return st;
}

static enum status one_folder(struct mirror *m, struct error *err)
{
    bool model = false, current = true;
    struct buf old;
    const char *name = m->files[0].folder;
    m->total = 0;
    for (size_t i = 0; i < m->n; i++) {
        model = model || strcmp(m->files[i].name, "config.json") == 0;
        m->total += m->files[i].size;
    }
    if (!model)
        return OK;
    if (snprintf(m->final, sizeof m->final, "%s/%s", m->dir, name) >= (int)sizeof m->final ||
        snprintf(m->part, sizeof m->part, "%s.part", m->final) >= (int)sizeof m->part)
        return err_set(err, ERR_INVALID, "mirror: the path of %.200s is too long", m->dir);
    read_manifest(m->final, &old);
    size_t lines = 0;
    for (size_t i = 0; i < old.len; i++)
        lines += old.data[i] == '\n';
    for (size_t i = 0; current && i < m->n; i++)
        current = mirror_has(m->final, &old, &m->files[i]);
    enum status st = OK;
    if (!current || lines != m->n + 1) {
        int64_t start = os_monotonic_us();
        m->told_us = start;
        log_info("bucket: copying %s, %llu MB in %zu files", name, (unsigned long long)(m->total / 1000000), m->n);
        st = fill(m, &old, err);
        if (st == OK)
            st = mirror_replace(m, err);
        if (st == OK)
            log_info("bucket: copied %s in %.1f s", name, (double)(os_monotonic_us() - start) / 1e6);
    }
    buf_free(&old);
    return st;
}

static enum status mirror_lock(const char *dir, int *fd, struct error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/.lock", dir) >= PATH_MAX)
        return err_set(err, ERR_INVALID, "mirror: the path of %.200s is too long", dir);
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    while (*fd >= 0 && flock(*fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return err_errno(err, "cannot lock %s", path);
    return *fd >= 0 ? OK : err_errno(err, "cannot open %s", path);
}

enum status bucket_mirror(struct bucket *b, const char *folder, const char *dir, bool (*stopped)(void *ctx), void *ctx,
                          struct error *err)
{
    if (!bucket_s3_is(b))
        return err_set(err, ERR_UNSUPPORTED, "mirror: a bucket that is a folder needs no copy");
    int fd = -1;
    struct listing l = {.skip = strlen(folder) + 1};
    struct mirror *m = calloc(1, sizeof *m);
    l.files = calloc(MAX_FILES, sizeof *l.files);
    enum status st = m && l.files ? os_mkdirs(dir, err) : err_no_memory(err, "mirror");
    if (st == OK)
        st = mirror_lock(dir, &fd, err);
    if (st == OK)
        st = s3_list((struct s3 *)b, folder, stopped, ctx, on_object, &l, err);
    if (st == OK)
        *m = (struct mirror){
            .s = (struct s3 *)b, .dir = dir, .folder = folder, .stopped = stopped, .ctx = ctx, .fd = -1};
    for (size_t i = 0; st == OK && i < l.n; i += m->n) {
        m->files = &l.files[i];
        m->n = 0;
        while (i + m->n < l.n && strcmp(l.files[i + m->n].folder, l.files[i].folder) == 0)
            m->n++;
        st = one_folder(m, err);
    }
    if (fd >= 0)
        close(fd);
    free(l.files);
    free(m);
    return st;
}
