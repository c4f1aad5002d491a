/* Index snapshots. Half of the inputs get their checksums put right first, so that what lies behind them is
 * reached; vectors_file.c is included for its private struct header. */
#include "vectors/vectors_file.c" /* NOLINT(bugprone-suspicious-include) */

#include <sys/mman.h>

#define DIM 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct vectors_exact *ix;
    struct error err;
    struct header h;
    if (size > 1u << 16)
        return 0;
    uint8_t *copy = malloc(size + 1);
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    if (!copy || fd < 0)
        abort();
    memcpy(copy, data, size);
    if (size >= HEADER_BYTES && (data[size - 1] & 1)) {
        memcpy(&h, copy, sizeof h);
        h.body_sum = XXH3_64bits(copy + HEADER_BYTES, size - HEADER_BYTES);
        h.header_sum = XXH3_64bits(&h, offsetof(struct header, header_sum));
        memcpy(copy, &h, sizeof h);
    }
    if (write(fd, copy, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (vectors_exact_load(path, "m", DIM, 7, &ix, &err) == OK) {
        const float query[DIM] = {1, 0, 0};
        struct vectors_hit hits[4];
        size_t count;
        if (vectors_exact_search(ix, NULL, query, 1, 4, VECTORS_INT8, NULL, hits, &count, &err) != OK || count > 4)
            abort();
        vectors_exact_tune(ix, &(struct vectors_tuning){.recall = 0.9}); /* from the nearest lists, if there are any */
        struct vectors_query near = {.vector = query, .k = 2};
        struct vectors_hit *found;
        struct arena a;
        arena_init(&a, 1 << 20);
        if (vectors_search(vectors_exact_base(ix), &near, &a, &found, &count, &err) != OK || count > 2)
            abort();
        arena_free(&a);
        vectors_exact_tend(ix);
        if (vectors_exact_put(ix, 1, query, &err) != OK)
            abort();
        vectors_exact_delete(ix, 2);
        vectors_exact_close(ix);
    }
    close(fd);
    free(copy);
    return 0;
}
