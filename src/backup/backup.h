/* backup.h: everything of Peel's that cannot be made again, in one folder: made while the services run, checked, and
 * put back.
 *
 *     manifest.json   what this is: versions, schemas, counts, and the SHA-256 of the list of files
 *     SHA256SUMS      a line for each other file, as sha256sum writes them
 *     sticker.db      StickerService's database, one file
 *     search.db       SearchService's database; both are of one moment
 *     media/          the images of all stickers of sticker.db, also of those in its trash
 *     settings.env    the settings of the services, mode 0600
 *     search.token    SearchService's token, mode 0600; only where secrets are wanted
 *
 * A database on a PostgreSQL server is not in it, but the images of its stickers are. A folder under its own name is
 * complete: it is written under another one, read again, and then renamed. The room sees base, db, bucket and the
 * schemas of both stores; only src/cmd sees it. */
#ifndef PEEL_BACKUP_BACKUP_H
#define PEEL_BACKUP_BACKUP_H

#include "base/status.h"
#include "bucket/bucket.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum backup_stage { BACKUP_COPIES_DATABASES, BACKUP_COPIES_IMAGES, BACKUP_READS };
/* How far a stage is: pages of databases, images, or files that are read to be checked. False: stop. */
struct backup_progress {
    bool (*show)(void *ctx, enum backup_stage stage, int64_t done, int64_t total);
    void *ctx;
};

/* A small file that is kept as it is, with mode 0600. */
struct backup_file {
    const char *name, *text;
};

struct backup_source {
    const char *sticker_db, *search_db; /* paths or PostgreSQL's URLs; of SearchService NULL: it has none here */
    struct bucket *bucket;              /* NULL: without images */
    const char *earlier;                /* a backup whose equal images are linked instead of copied; NULL: none */
    const char *program;                /* version, for the manifest */
    const struct backup_file *files;
    size_t n_files;
};

enum backup_database { BACKUP_ABSENT, BACKUP_SQLITE, BACKUP_POSTGRES };
struct backup_summary {
    char created[28], program[32];
    enum backup_database sticker, search; /* SQLite's are in the folder */
    int64_t sticker_schema, search_schema;
    int64_t stickers, queries, votes, users, documents; /* of the databases in the folder */
    bool with_images;
    int64_t images, linked, image_bytes;
    int64_t missing; /* images that the bucket does not have, or not as the database says */
    int64_t files, bytes;
};

/* Makes `folder`, which must not be there. ERR_CONFLICT: it is, or another backup into it is running. */
enum status backup_create(const struct backup_source *source, const char *folder,
                          const struct backup_progress *progress, struct backup_summary *out,
                          struct error *err) MUST_CHECK;

/* Reads every file: its SHA-256, the databases' integrity_check, and that each sticker of the database has its image.
 * ERR_CORRUPT and ERR_NOT_FOUND name the first file that is wrong. */
enum status backup_verify(const char *folder, const struct backup_progress *progress, struct backup_summary *out,
                          struct error *err) MUST_CHECK;

/* Where to. Strings are borrowed. */
struct backup_target {
    const char *sticker_db, *search_db; /* paths */
    const char *bucket;                 /* a folder or S3's URL; NULL: the images are left out */
    const struct bucket_s3 *s3;
    const char *data;  /* gets the small files, but for settings.env and those that are there */
    bool force;        /* what is there is moved aside */
    char replaced[40]; /* set: what the names of files that were moved aside end in; "" without any */
};
/* Verifies the backup, copies it beside the target, and renames each part into its place when all are whole: images,
 * the search database, the sticker database. Nobody may use the target. ERR_CONFLICT: something is there already;
 * ERR_UNAVAILABLE: a database is in use; ERR_UNSUPPORTED: the backup has a newer schema, or is of another format. */
enum status backup_restore(const char *folder, struct backup_target *target, const struct backup_progress *progress,
                           struct backup_summary *out, struct error *err) MUST_CHECK;

#endif
