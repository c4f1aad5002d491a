/* backup.c: making a backup while everything goes on.
 *
 * The databases are copied first, all of one moment, then the images that the copy of the sticker database speaks of.
 * An image that was deleted or replaced meanwhile is not the one that the copy means: then both are done again, until
 * nothing is missing, or the same images as in the round before, which the bucket has lost. */
#include "backup/backup_internal.h"

#include "base/os.h"
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IMAGE_MAX = 256 << 20, /* bytes of an image */
    ROUNDS = 10,
    ROUND_US = 200000, /* the row of a replaced image follows soon after the image */
    FOLDERS_OPEN = 16, /* while a tree is removed */
};

struct making {
    const struct backup_source *source;
    const struct backup_progress *progress;
    char folder[PATH_MAX]; /* that is written: of the backup's name and ".partial" */
    int lock;
    struct bucket *to;                     /* the same folder */
    struct backup_sums earlier, kept, now; /* of the earlier backup; images of the round before; of this round */
    struct buf image;
    int64_t done, total; /* images */
    uint64_t lacking;    /* tells apart which images are missing: those of one round from those of another */
    struct backup_summary *out;
};

enum status backup_show(const struct backup_progress *p, enum backup_stage stage, int64_t done, int64_t total,
                        struct error *err)
{
    return !p->show || p->show(p->ctx, stage, done, total) ? OK : err_set(err, ERR_CANCELLED, "stopped");
}

enum status backup_join(char out[PATH_MAX], const char *folder, const char *name, struct error *err)
{
    return os_join_path(out, folder, name) ? OK : err_set(err, ERR_INVALID, "the path of %.200s is too long", name);
}

/* --- the databases --- */

static bool show_pages(void *ctx, int64_t done, int64_t total)
{
    const struct making *m = ctx;
    return backup_show(m->progress, BACKUP_COPIES_DATABASES, done, total, NULL) == OK;
}

static enum status kind_of(const char *url, bool needed, enum backup_database *out, struct error *err)
{
    *out = !url ? BACKUP_ABSENT : db_is_postgres_url(url) ? BACKUP_POSTGRES : BACKUP_SQLITE;
    if (*out == BACKUP_SQLITE && access(url, F_OK) != 0) {
        *out = BACKUP_ABSENT;
        if (needed)
            return err_set(err, ERR_NOT_FOUND, "there is no database %s", url);
    }
    return OK;
}

static enum status copy_databases(const struct making *m, struct error *err)
{
    char sticker[PATH_MAX], search[PATH_MAX];
    struct db_file_copy copies[2];
    size_t n = 0;
    enum status st = backup_join(sticker, m->folder, BACKUP_STICKER, err);
    if (st == OK)
        st = backup_join(search, m->folder, BACKUP_SEARCH, err);
    if (st != OK)
        return st;
    unlink(sticker); /* of an earlier round */
    unlink(search);
    if (m->out->search == BACKUP_SQLITE)
        copies[n++] = (struct db_file_copy){m->source->search_db, search};
    if (m->out->sticker == BACKUP_SQLITE)
        copies[n++] = (struct db_file_copy){m->source->sticker_db, sticker};
    st = n ? db_copy_files(copies, n, show_pages, (void *)(uintptr_t)m, err) : OK;
    return st == OK ? backup_count(sticker, search, m->out, err) : st;
}

/* --- the images --- */

/* Links the image of the earlier backup, if that is whole and of this content. */
static bool link_earlier(const struct making *m, const char *key, const char *sha256, int64_t *bytes)
{
    const struct backup_sum *sum = backup_sums_find(&m->earlier, key);
    char from[PATH_MAX], to[PATH_MAX], found[65];
    if (!sum || strcmp(sum->sha256, sha256) != 0 || !os_join_path(from, m->source->earlier, key) ||
        !os_join_path(to, m->folder, key) || backup_hash(from, found, bytes, NULL) != OK || strcmp(found, sha256) != 0)
        return false;
    unlink(to); /* of an earlier round */
    return link(from, to) == 0;
}

static enum status add_image(struct making *m, const char *key, const char *sha256, int64_t bytes, struct error *err)
{
    m->out->images++;
    m->out->image_bytes += bytes;
    return backup_sums_add(&m->now, key, sha256, err);
}

static void note_missing(struct making *m, const char *sha256)
{
    char first[17];
    snprintf(first, sizeof first, "%.16s", sha256);
    m->lacking ^= strtoull(first, NULL, 16);
    m->out->missing++;
}

static enum status fetch_image(struct making *m, const char *key, const char *sha256, struct error *err)
{
    char found[65];
    buf_reset(&m->image);
    enum status st = bucket_get(m->source->bucket, key, &m->image, err);
    if (st == OK)
        st = bucket_put_later(m->to, key, m->image.data, m->image.len, err);
    if (st == ERR_NOT_FOUND) {
        note_missing(m, sha256);
        return OK;
    }
    if (st != OK)
        return st;
    os_sha256_hex(m->image.data, m->image.len, found);
    if (strcmp(found, sha256) != 0)
        note_missing(m, sha256);
    return add_image(m, key, found, (int64_t)m->image.len, err);
}

static enum status keep_image(void *ctx, const char *filename, const char *sha256, struct error *err)
{
    struct making *m = ctx;
    char key[sizeof BACKUP_MEDIA + 256], path[PATH_MAX];
    struct stat sb;
    int64_t bytes;
    snprintf(key, sizeof key, BACKUP_MEDIA "%s", filename);
    enum status st = backup_show(m->progress, BACKUP_COPIES_IMAGES, m->done++, m->total, err);
    if (st != OK)
        return st;
    const struct backup_sum *kept = backup_sums_find(&m->kept, key);
    if (kept && strcmp(kept->sha256, sha256) == 0 && os_join_path(path, m->folder, key) && stat(path, &sb) == 0)
        return add_image(m, key, sha256, sb.st_size, err);
    if (link_earlier(m, key, sha256, &bytes)) {
        m->out->linked++;
        return add_image(m, key, sha256, bytes, err);
    }
    return fetch_image(m, key, sha256, err);
}

/* What a round before wrote and this one did not find again. */
static void remove_strays(struct making *m)
{
    char path[PATH_MAX];
    for (size_t i = 0; i < m->kept.n; i++)
        if (!backup_sums_find(&m->now, m->kept.files[i].name) && os_join_path(path, m->folder, m->kept.files[i].name))
            unlink(path);
}

static enum status copy_images(struct making *m, struct error *err)
{
    char copy[PATH_MAX];
    const char *database = copy;
    enum status st = backup_join(copy, m->folder, BACKUP_STICKER, err);
    if (st != OK)
        return st;
    if (m->out->sticker == BACKUP_POSTGRES)
        database = m->source->sticker_db;
    m->lacking = 0;
    m->done = m->out->images = m->out->linked = m->out->image_bytes = m->out->missing = 0;
    st = backup_images(database, NULL, NULL, &m->total, err);
    if (st == OK)
        st = backup_images(database, keep_image, m, &m->total, err);
    if (st != OK)
        return st;
    backup_sums_sort(&m->now);
    remove_strays(m);
    return backup_show(m->progress, BACKUP_COPIES_IMAGES, m->total, m->total, err);
}

static enum status copy_all(struct making *m, struct error *err)
{
    int64_t missing = 0;
    uint64_t lacking = 0;
    for (int round = 1;; round++) {
        enum status st = copy_databases(m, err);
        if (st == OK && m->source->bucket)
            st = copy_images(m, err);
        bool same = m->out->missing == missing && m->lacking == lacking; /* missing before the first: none */
        if (st != OK || same || round == ROUNDS)
            return st;
        missing = m->out->missing;
        lacking = m->lacking;
        backup_sums_free(&m->kept);
        m->kept = m->now;
        backup_sums_init(&m->now);
        usleep(ROUND_US);
    }
}

/* --- the other files --- */

static enum status write_small(const struct making *m, const struct backup_file *f, struct error *err)
{
    char path[PATH_MAX];
    enum status st = backup_join(path, m->folder, f->name, err);
    return st == OK ? os_write_private(path, f->text, strlen(f->text), err) : st;
}

static enum status add_sum(struct making *m, const char *name, struct error *err)
{
    char path[PATH_MAX], sha256[65];
    int64_t bytes;
    enum status st = backup_join(path, m->folder, name, err);
    if (st == OK)
        st = backup_hash(path, sha256, &bytes, err);
    if (st != OK)
        return st;
    m->out->bytes += bytes;
    return backup_sums_add(&m->now, name, sha256, err);
}

static enum status describe(struct making *m, struct error *err)
{
    char sha256[65];
    enum status st = OK;
    m->out->bytes = m->out->image_bytes;
    if (m->out->sticker == BACKUP_SQLITE)
        st = add_sum(m, BACKUP_STICKER, err);
    if (st == OK && m->out->search == BACKUP_SQLITE)
        st = add_sum(m, BACKUP_SEARCH, err);
    for (size_t i = 0; st == OK && i < m->source->n_files; i++)
        if ((st = write_small(m, &m->source->files[i], err)) == OK)
            st = add_sum(m, m->source->files[i].name, err);
    m->out->files = (int64_t)m->now.n;
    if (st == OK)
        st = backup_sums_write(&m->now, m->folder, sha256, err);
    return st == OK ? backup_manifest_write(m->folder, m->out, sha256, err) : st;
}

/* --- the folder --- */

static int remove_entry(const char *path, const struct stat *sb, int type, struct FTW *ftw)
{
    (void)sb;
    return ftw->level == 0 ? 0 : type == FTW_DP ? rmdir(path) : unlink(path);
}

/* What is in the folder; the folder itself stays, as its lock is held. */
void backup_empty_folder(const char *folder)
{
    nftw(folder, remove_entry, FOLDERS_OPEN, FTW_DEPTH | FTW_PHYS);
}

/* An unfinished folder of a backup that was killed is used again; one that is locked is being written. */
static enum status begin_folder(struct making *m, const char *folder, struct error *err)
{
    m->lock = -1;
    if (rmdir(folder) != 0 && errno != ENOENT) /* an empty one is as good as none */
        return err_set(err, ERR_CONFLICT, "%s is there already: a backup goes into a new folder", folder);
    size_t len = strlen(folder);
    while (len > 1 && folder[len - 1] == '/')
        len--;
    int n = snprintf(m->folder, sizeof m->folder, "%.*s.partial", (int)len, folder);
    if (n < 0 || n >= (int)sizeof m->folder)
        return err_set(err, ERR_INVALID, "the path of the backup is too long");
    enum status st = bucket_open(m->folder, NULL, &m->to, err); /* makes it */
    if (st != OK)
        return st;
    m->lock = open(m->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (m->lock < 0 || fchmod(m->lock, 0700) != 0) /* password hashes will be in it */
        return err_errno(err, "cannot open %s", m->folder);
    if (flock(m->lock, LOCK_EX | LOCK_NB) != 0)
        return err_set(err, ERR_CONFLICT, "another backup into %s is running", folder);
    backup_empty_folder(m->folder);
    char media[PATH_MAX];
    st = backup_join(media, m->folder, "media", err);
    return st == OK ? os_mkdirs(media, err) : st;
}

static enum status finish_folder(struct making *m, const char *folder, struct error *err)
{
    struct backup_summary again;
    enum status st = bucket_sync(m->to, err);
    if (st == OK)
        st = backup_verify(m->folder, m->progress, &again, err);
    return st == OK ? os_place(m->folder, folder, err) : st;
}

static enum status read_earlier(struct making *m, struct error *err)
{
    struct backup_summary earlier;
    char sha256[65];
    if (!m->source->earlier)
        return OK;
    enum status st = backup_manifest_read(m->source->earlier, &earlier, sha256, err);
    return st == OK ? backup_sums_read(&m->earlier, m->source->earlier, sha256, err) : st;
}

enum status backup_create(const struct backup_source *source, const char *folder,
                          const struct backup_progress *progress, struct backup_summary *out, struct error *err)
{
    struct making m = {.source = source, .progress = progress, .lock = -1, .out = out};
    *out = (struct backup_summary){.with_images = source->bucket != NULL};
    os_format_time(os_now_us(), out->created);
    snprintf(out->program, sizeof out->program, "%s", source->program);
    backup_sums_init(&m.earlier);
    backup_sums_init(&m.kept);
    backup_sums_init(&m.now);
    buf_init(&m.image, IMAGE_MAX);
    enum status st = kind_of(source->sticker_db, true, &out->sticker, err);
    if (st == OK)
        st = kind_of(source->search_db, false, &out->search, err);
    if (st == OK)
        st = read_earlier(&m, err);
    if (st == OK && (st = begin_folder(&m, folder, err)) == OK) {
        st = copy_all(&m, err);
        if (st == OK)
            st = describe(&m, err);
        if (st == OK)
            st = finish_folder(&m, folder, err);
        if (st != OK) {
            backup_empty_folder(m.folder);
            rmdir(m.folder);
        }
    }
    if (m.lock >= 0)
        close(m.lock);
    bucket_close(m.to);
    buf_free(&m.image);
    backup_sums_free(&m.now);
    backup_sums_free(&m.kept);
    backup_sums_free(&m.earlier);
    return st;
}
