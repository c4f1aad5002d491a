/* sorter.h: sorts more records than fit into memory: runs of as many as fit are sorted and written to temporary files,
 * and merged when they are read.
 *
 *     sorter_open(folder, 16u << 20, &s, &err);
 *     while (...) sorter_add(s, record, len, &err);
 *     sorter_end(s, &err);
 *     while (sorter_next(s, &record, &len, &err) == OK && record) ...
 *     sorter_close(s);
 */
#ifndef PEEL_BASE_SORTER_H
#define PEEL_BASE_SORTER_H

#include "base/status.h"
#include <stddef.h>

#define SORTER_RECORD_MAX (64u << 10) /* bytes */

struct sorter;
/* `folder`: where temporary files are, which have no name and go with the process. `memory`: bytes for records, at
 * least twice SORTER_RECORD_MAX; merging takes 4 MiB. */
enum status sorter_open(const char *folder, size_t memory, struct sorter **out, struct error *err) MUST_CHECK;
/* Records are bytes, in the order of memcmp, a shorter one before what it begins. */
enum status sorter_add(struct sorter *s, const void *record, size_t len, struct error *err) MUST_CHECK;
/* There are no more; now they can be read, once. */
enum status sorter_end(struct sorter *s, struct error *err) MUST_CHECK;
/* The next one, which is valid until the next call; NULL at the end. */
enum status sorter_next(struct sorter *s, const void **record, size_t *len, struct error *err) MUST_CHECK;
void sorter_close(struct sorter *s); /* NULL is fine */

#endif
