/* backup_verify.c: whether a backup is what it was when it was made. */
#include "backup/backup_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct lacking {
    const struct backup_sums *sums;
    int64_t n;
    char first[256];
};

static enum status look_for(void *ctx, const char *filename, const char *sha256, struct error *err)
{
    struct lacking *l = ctx;
    char key[sizeof BACKUP_MEDIA + 256];
    (void)err;
    snprintf(key, sizeof key, BACKUP_MEDIA "%s", filename);
    const struct backup_sum *sum = backup_sums_find(l->sums, key);
    if (sum && strcmp(sum->sha256, sha256) == 0)
        return OK;
    if (l->n++ == 0)
        snprintf(l->first, sizeof l->first, "%s", filename);
    return OK;
}

/* Those that the bucket had lost when the backup was made are known. */
static enum status check_images(const char *database, const struct backup_sums *sums, int64_t missing,
                                struct error *err)
{
    struct lacking l = {.sums = sums};
    int64_t n;
    enum status st = backup_images(database, look_for, &l, &n, err);
    return st == OK && l.n > missing
               ? err_set(err, ERR_CORRUPT, "the image of %s is not in the backup (%" PRId64 " are missing)", l.first,
                         l.n)
               : st;
}

static enum status check_hashes(const char *folder, const struct backup_sums *sums,
                                const struct backup_progress *progress, struct error *err)
{
    char path[PATH_MAX], sha256[65];
    int64_t bytes;
    enum status st = OK;
    for (size_t i = 0; i < sums->n && st == OK; i++) {
        const struct backup_sum *sum = &sums->files[i];
        st = backup_show(progress, BACKUP_READS, (int64_t)i, (int64_t)sums->n, err);
        if (st == OK)
            st = backup_join(path, folder, sum->name, err);
        if (st == OK)
            st = backup_hash(path, sha256, &bytes, err);
        if (st == OK && strcmp(sha256, sum->sha256) != 0)
            st = err_set(err, ERR_CORRUPT, "%s is damaged: its SHA-256 is not that in " BACKUP_SUMS, path);
    }
    return st == OK ? backup_show(progress, BACKUP_READS, (int64_t)sums->n, (int64_t)sums->n, err) : st;
}

static enum status check_database(const char *folder, const char *name, const struct backup_sums *sums,
                                  struct error *err)
{
    char path[PATH_MAX];
    if (!backup_sums_find(sums, name))
        return err_set(err, ERR_CORRUPT, "%s: " BACKUP_SUMS " does not list %s", folder, name);
    enum status st = backup_join(path, folder, name, err);
    return st == OK ? db_file_check(path, err) : st;
}

static enum status check_databases(const char *folder, const struct backup_sums *sums, const struct backup_summary *s,
                                   struct error *err)
{
    char path[PATH_MAX];
    enum status st = s->sticker == BACKUP_SQLITE ? check_database(folder, BACKUP_STICKER, sums, err) : OK;
    if (st == OK && s->search == BACKUP_SQLITE)
        st = check_database(folder, BACKUP_SEARCH, sums, err);
    if (st != OK || s->sticker != BACKUP_SQLITE || !s->with_images)
        return st;
    st = backup_join(path, folder, BACKUP_STICKER, err);
    return st == OK ? check_images(path, sums, s->missing, err) : st;
}

enum status backup_verify(const char *folder, const struct backup_progress *progress, struct backup_summary *out,
                          struct error *err)
{
    struct backup_sums sums;
    char sha256[65];
    backup_sums_init(&sums);
    enum status st = backup_manifest_read(folder, out, sha256, err);
    if (st == OK)
        st = backup_sums_read(&sums, folder, sha256, err);
    if (st == OK)
        st = check_hashes(folder, &sums, progress, err);
    if (st == OK)
        st = check_databases(folder, &sums, out, err);
    backup_sums_free(&sums);
    return st;
}
