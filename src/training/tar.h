/* tar.h: archives in the form that POSIX calls ustar (IEEE Std 1003.1), which WebDataset's shards have. Without times
 * and owners: the same content makes the same bytes. */
#ifndef PEEL_TRAINING_TAR_H
#define PEEL_TRAINING_TAR_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Adds a file. `name`: 1 to 100 bytes of ASCII; at most 8 GiB. */
enum status tar_add(FILE *out, const char *name, const void *data, size_t len, struct error *err) MUST_CHECK;
/* Two empty blocks, the mark of the end. */
enum status tar_end(FILE *out, struct error *err) MUST_CHECK;
/* How many files of an archive that tar_add wrote have names that end so. */
enum status tar_count(const char *path, const char *ending, int64_t *n, struct error *err) MUST_CHECK;

#endif
