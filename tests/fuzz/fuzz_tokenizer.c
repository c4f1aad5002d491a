/* Tokenizer files and texts: the first byte chooses what the rest is. */
#include "tokenize/tokenizer.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *text = (const char *)data + 1;
    size_t len = size - 1;
    struct tokenizer *t;
    struct error err;
    enum status st;
    if (data[0] & 1) {
        st = tokenizer_parse_json(text, len, &t, &err);
    } else {
        const char *cut = memchr(text, '\0', len);
        size_t first = cut ? (size_t)(cut - text) : len;
        st = tokenizer_parse_vocab(text, first, text + first, len - first, &t, &err);
    }
    if (st == OK) {
        int32_t ids[16];
        size_t n;
        st = tokenizer_encode(t, text, len, 16, ids, &n, &err);
        tokenizer_close(t);
    }
    return 0;
}
