/* os.h: files, clocks and ids, with errors that name the path. */
#ifndef PEEL_BASE_OS_H
#define PEEL_BASE_OS_H

#include "base/buf.h"
#include "base/status.h"
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* "folder/name"; false when that is longer than a path may be. */
bool os_join_path(char out[PATH_MAX], const char *folder, const char *name) MUST_CHECK;
/* mkdir -p, 0755; what was made survives a power cut. */
enum status os_mkdirs(const char *path, struct error *err) MUST_CHECK;
/* Appends the whole file; ERR_TOO_LARGE past out->max, ERR_NOT_FOUND where absent. */
enum status os_read_file(const char *path, struct buf *out, struct error *err) MUST_CHECK;
/* Writes until all is written; `path` is for the error. */
enum status os_write_all(int fd, const char *path, const void *data, size_t len, struct error *err) MUST_CHECK;
/* Writes to a temporary name in the same folder, fsyncs file and folder, renames over `path`. */
enum status os_write_file(const char *path, const void *data, size_t len, struct error *err) MUST_CHECK;
/* The same with mode 0600, for secrets. */
enum status os_write_private(const char *path, const void *data, size_t len, struct error *err) MUST_CHECK;

/* Opens a new file for writing in the folder of `path`, which is made if it is missing. tmp receives its name,
 * `prefix` and six characters: the caller renames it to `path` or unlinks it. Mode 0600. */
enum status os_open_beside(const char *path, const char *prefix, char tmp[PATH_MAX], int *fd,
                           struct error *err) MUST_CHECK;
/* A new file in this folder that has no name and is gone once it is closed; -1 and errno: there is none. */
int os_scratch_file(const char *folder);
/* Makes a rename to `path` durable, or a new file of that name. */
enum status os_sync_folder_of(const char *path, struct error *err) MUST_CHECK;
/* Renames `tmp`, a file that was synced or a folder of such files, to `path`, durably: after a power cut the old is
 * there or all of the new. Both are in the same folder. ERR_CONFLICT: `path` is a folder that is not empty. */
enum status os_place(const char *tmp, const char *path, struct error *err) MUST_CHECK;

/* A read-only mapping; data is NULL for an empty file. */
struct os_map {
    const unsigned char *data;
    size_t len;
};
enum status os_map_file(const char *path, struct os_map *out, struct error *err) MUST_CHECK;
void os_unmap(struct os_map *m);

int64_t os_now_us(void);       /* microseconds since 1970, wall clock */
int64_t os_monotonic_us(void); /* for durations and deadlines */
/* "2026-01-31T12:00:00.123456Z" into out. */
void os_format_time(int64_t us, char out[28]);
/* ISO 8601 / RFC 3339: date, or date-time with Z or an offset (none = UTC), fraction optional. */
enum status os_parse_time(const char *s, int64_t *us, struct error *err) MUST_CHECK;

/* The calling thread leaves the processor to others that want it, until it ends. Where that is forbidden, it does not.
 */
void os_stand_back(void);

/* RFC 9562 UUID version 7, lower-case text, ascending within a process. */
void os_uuid7(char out[37]);
void os_random(void *out, size_t len);                          /* getrandom; aborts if the kernel has none */
void os_sha256_hex(const void *data, size_t len, char out[65]); /* via libsodium */

#endif
