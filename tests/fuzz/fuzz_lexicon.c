/* Lexicon files. Half of the inputs get their checksum put right, so that what lies behind it is reached. A lexicon
 * that opens can be asked anything. */
#include "words/lexicon.h"
#include "words/lexicon_format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct lexicon *l)
{
    for (uint32_t i = 0; i < lexicon_count(l); i++) {
        size_t len, n;
        float scale;
        const char *word = lexicon_word(l, i, &len);
        if (lexicon_find(l, word, len) == LEXICON_NONE)
            abort();
        const uint32_t *relations = lexicon_relations(l, i, &n);
        for (size_t k = 0; k < n; k++)
            if (LEXICON_RELATED(relations[k]) >= lexicon_count(l))
                abort();
        const int8_t *codes = lexicon_codes(l, i, &scale);
        int sum = 0;
        for (size_t k = 0; k < LEXICON_DIM; k++)
            sum += codes[k];
        if (!(scale >= 0 && scale <= 1) || abs(sum) > 128 * (int)LEXICON_DIM)
            abort();
    }
    (void)lexicon_find(l, "", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct lexicon *l;
    struct error err;
    struct lexicon_header h;
    if (size > 1u << 16)
        return 0;
    uint8_t *copy = malloc(size + 1);
    int fd = memfd_create("lexicon", MFD_CLOEXEC);
    if (!copy || fd < 0)
        abort();
    memcpy(copy, data, size);
    if (size >= sizeof h && (data[size - 1] & 1)) {
        memcpy(&h, copy, sizeof h);
        h.checksum = XXH3_64bits(copy + sizeof h, size - sizeof h);
        memcpy(copy, &h, sizeof h);
    }
    if (write(fd, copy, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (lexicon_open(path, &l, &err) == OK) {
        ask(l);
        lexicon_close(l);
    } else if (l) {
        abort();
    }
    close(fd);
    free(copy);
    return 0;
}
