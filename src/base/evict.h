/* evict.h: a bound on the bytes of a cache's files, which are <dir>/00/... to <dir>/ff/...; those that were longest
 * unused go first, by the time of their last change, which evict_touch sets when a file is used. */
#ifndef PEEL_BASE_EVICT_H
#define PEEL_BASE_EVICT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* What a file is to its cache: nothing that it may remove, a file that counts, or one left over to be removed now. */
enum evict_kind { EVICT_FOREIGN, EVICT_COUNTS, EVICT_LEFT_OVER };

/* Counts the files anew, as other processes may write there too. If they have more than `most` bytes, removes some
 * until nine tenths of `most` are left. *bytes receives what is left. Returns whether files that count were removed. */
bool evict_longest_unused(const char *dir, uint64_t most, enum evict_kind (*kind)(const char *name, int64_t age_s),
                          uint64_t *bytes);
/* The file `fd`, last changed at `changed`, is used; noted at most once in `every_s` seconds. */
void evict_touch(int fd, time_t changed, int64_t every_s);

#endif
