/* Snapshots of the index of terms. Half of the inputs get their checksum put right first, so that what lies behind it
 * is reached; fts_segment.c is included for its private struct head. */
#include "fts/fts_segment.c" /* NOLINT(bugprone-suspicious-include) */

#include "fts/fts_index.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(struct fts_index *ix)
{
    struct arena a;
    struct fts_hit *hits;
    size_t n;
    int64_t total;
    const char *stem = "cat";
    const struct word_form form = {.stem = "cat", .in = {{~0ull, ~0ull, ~0ull}}};
    const struct term_query q = {
        .stems = &stem, .n_stems = 1, .prefix = "c", .prefix_in_all = true, .forms = &form, .n_forms = 1};
    const struct sticker_terms terms = {"cat", "", "", "cat", NULL, 0};
    int64_t id = 2;
    arena_init(&a, 1 << 24);
    if (fts_index_search(ix, &q, NULL, 10, 0, NULL, NULL, &a, &hits, &n, &total, NULL) != OK || (int64_t)n > total)
        abort();
    if (fts_index_put(ix, &(struct fts_document){1, 7, &terms}, 1, NULL) != OK || !fts_index_has(ix, 1, 7) ||
        fts_index_remove(ix, &id, 1, NULL) != OK || fts_index_tidy(ix, NULL) != OK)
        abort();
    if (fts_index_search(ix, &q, NULL, 10, 0, NULL, NULL, &a, &hits, &n, &total, NULL) != OK || n == 0)
        abort();
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], tag[FTS_TAG_SIZE];
    struct fts_index *ix;
    struct head h;
    int64_t number;
    if (size > 1u << 16)
        return 0;
    uint8_t *copy = malloc(size + 1);
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    if (!copy || fd < 0)
        abort();
    memcpy(copy, data, size);
    if (size >= sizeof h && (data[size - 1] & 1) == 0) {
        memcpy(&h, copy, sizeof h);
        h.sum = sum_of(&h, copy + sizeof h, size - sizeof h);
        memcpy(copy, &h, sizeof h);
    }
    if (write(fd, copy, size) != (ssize_t)size || fts_index_open(&ix, NULL) != OK)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fts_index_load(ix, path, tag, &number, NULL) == OK)
        use(ix);
    fts_index_close(ix);
    close(fd);
    free(copy);
    return 0;
}
