/* WordPiece: the first byte says what the rest is: a vocab.txt, NUL, a tokenizer_config.json, NUL, a text; or a text
 * for the cased or the uncased vocabulary of tests/golden. */
#include "tokenized.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *golden[2];
    if (size < 2)
        return 0;
    if (!golden[0]) {
        golden[0] = golden_tokenizer("cased");
        golden[1] = golden_tokenizer("uncased");
    }
    const char *s = (const char *)data + 1;
    size_t len = size - 1;
    if (data[0] % 3 > 0) {
        check_text(golden[data[0] % 3 - 1], s, len);
        return 0;
    }
    const char *cut = memchr(s, '\0', len);
    size_t vocab = cut ? (size_t)(cut - s) : len, config = 0, text = 0;
    if (cut) {
        const char *next = memchr(cut + 1, '\0', len - vocab - 1);
        config = next ? (size_t)(next - cut - 1) : len - vocab - 1;
        text = next ? len - vocab - config - 2 : 0;
    }
    struct tokenizer *t;
    struct error err;
    if (tokenizer_parse_wordpiece(s, vocab, config ? cut + 1 : NULL, config, &t, &err) == OK) {
        check_text(t, s + len - text, text);
        tokenizer_close(t);
    }
    return 0;
}
