/* backup_restore.c: putting a backup back.
 *
 * 1. Nothing is replaced before the whole backup was verified.
 * 2. Each part is first copied beside its place, compared, and synced; then it is renamed.
 * 3. What was there is moved aside, never deleted. The sticker database comes last: whatever stops this, the same
 *    command does it again.
 * Images in S3 cannot be renamed: they are put there before anything else changes. */
#include "backup/backup_internal.h"

#include "base/os.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BESIDE ".restored" /* ends the names of what is not in its place yet */

struct restoring {
    const char *folder;
    struct backup_target *target;
    const struct backup_progress *progress;
    struct backup_sums sums;
    struct backup_summary *out;
    char images[PATH_MAX]; /* a folder beside the images' place; "" where they are in S3, or left out */
};

static enum status add_suffix(char out[PATH_MAX], const char *path, const char *suffix, struct error *err)
{
    int n = snprintf(out, PATH_MAX, "%s%s", path, suffix);
    return n >= 0 && n < PATH_MAX ? OK : err_set(err, ERR_INVALID, "the path of %.200s is too long", path);
}

/* --- is there anything? --- */

static bool has_entries(const char *folder)
{
    bool found = false;
    DIR *d = opendir(folder);
    for (struct dirent *e; d && !found && (e = readdir(d));)
        found = e->d_name[0] != '.';
    if (d)
        closedir(d);
    return found;
}

static enum status check_free(const char *path, bool folder, const struct restoring *r, struct error *err)
{
    bool there = folder ? has_entries(path) : access(path, F_OK) == 0;
    return there && !r->target->force
               ? err_set(err, ERR_CONFLICT,
                         "%s is there already; --force moves what is there aside and restores the backup", path)
               : OK;
}

/* Folds the journal into a database that is there, which fails where somebody uses it. One that is damaged is moved
 * aside as it is, with its journal. */
static enum status check_unused(const char *path, struct error *err)
{
    if (access(path, F_OK) != 0)
        return OK;
    enum status st = db_file_fold(path, err);
    return st == ERR_UNAVAILABLE ? st : OK;
}

static enum status check_database(const char *path, const struct restoring *r, struct error *err)
{
    if (db_is_postgres_url(path))
        return err_set(err, ERR_UNSUPPORTED,
                       "the backup has a SQLite database, which cannot be restored into PostgreSQL: restore it into a "
                       "file, and move it with `peel store copy`");
    enum status st = check_free(path, false, r, err);
    return st == OK ? check_unused(path, err) : st;
}

static enum status check_target(const struct restoring *r, struct error *err)
{
    const struct backup_target *t = r->target;
    enum status st = backup_check_schemas(r->out, err);
    if (st == OK && r->out->sticker == BACKUP_SQLITE)
        st = check_database(t->sticker_db, r, err);
    if (st == OK && r->out->search == BACKUP_SQLITE)
        st = check_database(t->search_db, r, err);
    char media[PATH_MAX];
    if (st != OK || !*r->images)
        return st;
    st = backup_join(media, t->bucket, "media", err);
    return st == OK ? check_free(media, true, r, err) : st;
}

/* --- beside the place --- */

static enum status copy_file(const char *from, const char *to, struct error *err)
{
    struct os_map map;
    enum status st = os_map_file(from, &map, err);
    if (st != OK)
        return st;
    st = os_write_private(to, map.data, map.len, err);
    os_unmap(&map);
    return st;
}

static enum status compare(const struct restoring *r, const char *name, const char *path, struct error *err)
{
    const struct backup_sum *sum = backup_sums_find(&r->sums, name);
    char found[65];
    int64_t bytes;
    enum status st = backup_hash(path, found, &bytes, err);
    return st == OK && (!sum || strcmp(sum->sha256, found) != 0)
               ? err_set(err, ERR_CORRUPT, "%s is not what was written to it", path)
               : st;
}

static enum status copy_database(const struct restoring *r, const char *name, const char *place, struct error *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    enum status st = backup_join(from, r->folder, name, err);
    if (st == OK)
        st = add_suffix(to, place, BESIDE, err);
    if (st == OK)
        st = copy_file(from, to, err);
    return st == OK ? compare(r, name, to, err) : st;
}

static enum status copy_image(const struct restoring *r, struct bucket *to, const char *key, struct error *err)
{
    char path[PATH_MAX];
    struct os_map map;
    enum status st = backup_join(path, r->folder, key, err);
    if (st == OK)
        st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    st = bucket_put_later(to, key, map.data, map.len, err);
    os_unmap(&map);
    return st;
}

static enum status copy_images(const struct restoring *r, struct error *err)
{
    struct bucket *to;
    if (*r->images)
        backup_empty_folder(r->images); /* of a restore that was killed */
    enum status st = bucket_open(*r->images ? r->images : r->target->bucket, r->target->s3, &to, err);
    if (st != OK)
        return st;
    int64_t done = 0;
    for (size_t i = 0; i < r->sums.n && st == OK; i++) {
        const char *key = r->sums.files[i].name;
        if (strncmp(key, BACKUP_MEDIA, sizeof BACKUP_MEDIA - 1) != 0)
            continue;
        st = backup_show(r->progress, BACKUP_COPIES_IMAGES, done++, r->out->images, err);
        if (st == OK)
            st = copy_image(r, to, key, err);
    }
    if (st == OK)
        st = bucket_sync(to, err);
    bucket_close(to);
    return st == OK ? backup_show(r->progress, BACKUP_COPIES_IMAGES, done, done, err) : st;
}

static enum status copy_beside(const struct restoring *r, struct error *err)
{
    enum status st = OK;
    if (r->out->sticker == BACKUP_SQLITE)
        st = copy_database(r, BACKUP_STICKER, r->target->sticker_db, err);
    if (st == OK && r->out->search == BACKUP_SQLITE)
        st = copy_database(r, BACKUP_SEARCH, r->target->search_db, err);
    if (st == OK && r->target->bucket && r->out->with_images)
        st = copy_images(r, err);
    return st;
}

/* --- into the place --- */

static enum status name_aside(const struct restoring *r, const char *path, const char *suffix, char from[PATH_MAX],
                              char to[PATH_MAX], struct error *err)
{
    char aside[PATH_MAX];
    enum status st = add_suffix(from, path, suffix, err);
    if (st == OK)
        st = add_suffix(aside, path, r->target->replaced, err);
    return st == OK ? add_suffix(to, aside, suffix, err) : st;
}

static enum status move_aside(const struct restoring *r, const char *path, const char *suffix, struct error *err)
{
    char from[PATH_MAX], to[PATH_MAX];
    enum status st = name_aside(r, path, suffix, from, to, err);
    return st != OK || rename(from, to) == 0 || errno == ENOENT ? st : err_errno(err, "cannot move %s aside", from);
}

/* The old file gets a second name, so that there is a database in the place at any moment. Its journal, which only a
 * damaged one still has, must not be taken for one of the new. */
static enum status place_database(const struct restoring *r, const char *place, struct error *err)
{
    char from[PATH_MAX], old[PATH_MAX], aside[PATH_MAX];
    enum status st = add_suffix(from, place, BESIDE, err);
    if (st == OK)
        st = name_aside(r, place, "", old, aside, err);
    if (st == OK && link(old, aside) != 0 && errno != ENOENT)
        st = move_aside(r, place, "", err); /* a file system without links */
    if (st == OK)
        st = move_aside(r, place, "-wal", err);
    if (st == OK)
        st = move_aside(r, place, "-shm", err);
    return st == OK ? os_place(from, place, err) : st;
}

static enum status place_images(const struct restoring *r, struct error *err)
{
    char from[PATH_MAX], media[PATH_MAX];
    enum status st = backup_join(from, r->images, "media", err);
    if (st == OK)
        st = backup_join(media, r->target->bucket, "media", err);
    if (st != OK)
        return st;
    rmdir(media); /* an empty one is as good as none */
    st = move_aside(r, media, "", err);
    if (st == OK && rename(from, media) != 0 && errno != ENOENT) /* there are no images */
        st = err_errno(err, "cannot rename %s", from);
    rmdir(r->images);
    return st == OK ? os_sync_folder_of(media, err) : st;
}

/* What a service makes itself when it is not there; the settings stay in the backup, for a person to read. */
static enum status place_small(const struct restoring *r, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < r->sums.n && st == OK; i++) {
        const char *name = r->sums.files[i].name;
        char from[PATH_MAX], to[PATH_MAX];
        if (strchr(name, '/') || strcmp(name, BACKUP_STICKER) == 0 || strcmp(name, BACKUP_SEARCH) == 0 ||
            strcmp(name, BACKUP_SETTINGS) == 0)
            continue;
        st = backup_join(from, r->folder, name, err);
        if (st == OK)
            st = backup_join(to, r->target->data, name, err);
        if (st == OK && access(to, F_OK) != 0)
            st = copy_file(from, to, err);
    }
    return st;
}

static enum status place_all(const struct restoring *r, struct error *err)
{
    enum status st = place_small(r, err);
    if (st == OK && *r->images)
        st = place_images(r, err);
    if (st == OK && r->out->search == BACKUP_SQLITE)
        st = place_database(r, r->target->search_db, err);
    if (st == OK && r->out->sticker == BACKUP_SQLITE)
        st = place_database(r, r->target->sticker_db, err);
    return st == OK ? backup_count(r->target->sticker_db, r->target->search_db, r->out, err) : st;
}

static bool anything_there(const struct restoring *r)
{
    char media[PATH_MAX];
    return (r->out->sticker == BACKUP_SQLITE && access(r->target->sticker_db, F_OK) == 0) ||
           (r->out->search == BACKUP_SQLITE && access(r->target->search_db, F_OK) == 0) ||
           (*r->images && os_join_path(media, r->target->bucket, "media") && has_entries(media));
}

/* ".replaced-20260131T120000Z" */
static void name_replaced(struct restoring *r)
{
    char now[28];
    os_format_time(os_now_us(), now);
    snprintf(r->target->replaced, sizeof r->target->replaced, ".replaced-%.4s%.2s%.2sT%.2s%.2s%.2sZ", now, now + 5,
             now + 8, now + 11, now + 14, now + 17);
}

enum status backup_restore(const char *folder, struct backup_target *target, const struct backup_progress *progress,
                           struct backup_summary *out, struct error *err)
{
    struct restoring r = {.folder = folder, .target = target, .progress = progress, .out = out};
    char sha256[65];
    target->replaced[0] = '\0';
    backup_sums_init(&r.sums);
    enum status st = backup_manifest_read(folder, out, sha256, err);
    if (st == OK && out->with_images && target->bucket && !bucket_url_is_remote(target->bucket))
        st = backup_join(r.images, target->bucket, BESIDE, err);
    if (st == OK)
        st = check_target(&r, err);
    if (st == OK)
        st = backup_verify(folder, progress, out, err);
    if (st == OK)
        st = backup_sums_read(&r.sums, folder, sha256, err);
    if (st == OK)
        st = copy_beside(&r, err);
    if (st == OK && anything_there(&r))
        name_replaced(&r);
    if (st == OK)
        st = place_all(&r, err);
    backup_sums_free(&r.sums);
    return st;
}
