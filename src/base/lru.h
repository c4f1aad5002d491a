/* lru.h: values by key in memory, least recently used out first, bounded in bytes. Thread-safe. A key is two strings,
 * such as a model and a text. */
#ifndef PEEL_BASE_LRU_H
#define PEEL_BASE_LRU_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lru;
/* max_bytes 0: nothing is ever kept. value_bytes: about how large a value is, for the table. */
enum status lru_open(size_t max_bytes, size_t value_bytes, struct lru **out, struct error *err) MUST_CHECK;
void lru_close(struct lru *c); /* NULL is fine */

/* Copies the value to out[cap]; *size receives its bytes. False when it is not there, or larger than cap. */
bool lru_get(struct lru *c, const char *space, const char *key, size_t len, void *out, size_t cap, size_t *size);
/* Copies value[size]; a failed allocation only means that nothing is kept. */
void lru_put(struct lru *c, const char *space, const char *key, size_t len, const void *value, size_t size);

struct lru_stats {
    uint64_t hits, misses;
    size_t entries, bytes;
};
struct lru_stats lru_stats(struct lru *c);

#endif
