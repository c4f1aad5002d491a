/* A tokenizer.json of any kind, or vocab.json, NUL and merges.txt; the first byte chooses. The file is the text, too.
 */
#include "tokenized.h"

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
        check_text(t, text, len);
        tokenizer_close(t);
    }
    return 0;
}
