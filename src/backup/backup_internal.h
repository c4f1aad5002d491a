/* backup_internal.h: a backup, between the files of this room. */
#ifndef PEEL_BACKUP_BACKUP_INTERNAL_H
#define PEEL_BACKUP_BACKUP_INTERNAL_H

#include "backup/backup.h"
#include "base/arena.h"
#include "db/db.h"

#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_SUMS     "SHA256SUMS"
#define BACKUP_STICKER  "sticker.db"
#define BACKUP_SEARCH   "search.db"
#define BACKUP_MEDIA    "media/"
#define BACKUP_SETTINGS "settings.env"

enum { BACKUP_MEMORY = 2000 << 20 /* a list of files: some 150 bytes each */ };

/* --- backup_sums.c: the list of files --- */
struct backup_sum {
    const char *name;
    char sha256[65];
};
struct backup_sums {
    struct arena arena;
    struct backup_sum *files;
    size_t n, cap;
};
void backup_sums_init(struct backup_sums *s);
void backup_sums_free(struct backup_sums *s);
enum status backup_sums_add(struct backup_sums *s, const char *name, const char *sha256, struct error *err) MUST_CHECK;
void backup_sums_sort(struct backup_sums *s); /* by name, for backup_sums_find */
/* Sorts, and writes the file; `sha256`: of the file. */
enum status backup_sums_write(struct backup_sums *s, const char *folder, char sha256[65], struct error *err) MUST_CHECK;
/* `sha256`: what the file must have. Names that are not of a backup are refused. Sorted. */
enum status backup_sums_read(struct backup_sums *s, const char *folder, const char *sha256,
                             struct error *err) MUST_CHECK;
const struct backup_sum *backup_sums_find(const struct backup_sums *s, const char *name); /* sorted; NULL */
/* The SHA-256 and size of a file. */
enum status backup_hash(const char *path, char sha256[65], int64_t *bytes, struct error *err) MUST_CHECK;
/* Deletes what is in a folder, which stays. */
void backup_empty_folder(const char *folder);

/* --- backup_manifest.c --- */
enum status backup_manifest_write(const char *folder, const struct backup_summary *s, const char *sums_sha256,
                                  struct error *err) MUST_CHECK;
/* ERR_NOT_FOUND: the folder is no backup. ERR_UNSUPPORTED: of a later format. */
enum status backup_manifest_read(const char *folder, struct backup_summary *out, char sums_sha256[65],
                                 struct error *err) MUST_CHECK;
/* Reads the counts and schema versions of the databases that the summary says are in the folder, by these paths. */
enum status backup_count(const char *sticker, const char *search, struct backup_summary *out,
                         struct error *err) MUST_CHECK;
/* ERR_UNSUPPORTED: a schema that this program does not know yet. */
enum status backup_check_schemas(const struct backup_summary *s, struct error *err) MUST_CHECK;

/* --- backup_images.c: the images that a sticker database speaks of, also in its trash --- */
typedef enum status backup_each_image(void *ctx, const char *filename, const char *sha256, struct error *err);
/* *n: how many there are. `each` may be NULL. */
enum status backup_images(const char *sticker_db, backup_each_image *each, void *ctx, int64_t *n,
                          struct error *err) MUST_CHECK;

/* As os_join_path, with an error. */
enum status backup_join(char out[PATH_MAX], const char *folder, const char *name, struct error *err) MUST_CHECK;
/* `progress` may have no function. ERR_CANCELLED. */
enum status backup_show(const struct backup_progress *progress, enum backup_stage stage, int64_t done, int64_t total,
                        struct error *err) MUST_CHECK;

#endif
