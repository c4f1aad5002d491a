/* Unigram: the first byte says what the rest is: a sentencepiece.bpe.model; a charsmap, after whose length in two
 * bytes a text follows; or a text for one of the two vocabularies of tests/golden. */
#include "tokenize/charsmap.h"
#include "tokenized.h"

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_charsmap(const char *s, size_t len)
{
    size_t map = len < 2 ? 0 : (size_t)(unsigned char)s[0] << 8 | (unsigned char)s[1];
    struct charsmap *m;
    struct error err;
    struct buf out;
    if (len < 2 || map > len - 2 || charsmap_parse(s + 2, map, &m, &err) != OK)
        return;
    const char *text = s + 2 + map;
    size_t text_len = len - 2 - map;
    if (text_len > 0 && utf8_valid(text, text_len)) {
        uint32_t cp;
        size_t origin = utf8_decode(text, text_len, &cp);
        buf_init(&out, 1 << 20);
        if (charsmap_apply(m, text, text_len, &out, &origin, &err) == OK)
            must(utf8_valid(buf_str(&out), out.len) && origin <= out.len, "a normalized text that is no UTF-8");
        buf_free(&out);
    }
    charsmap_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *golden[2];
    if (size < 2)
        return 0;
    if (!golden[0]) {
        golden[0] = golden_tokenizer("unigram");
        golden[1] = golden_tokenizer("xlmr");
    }
    const char *s = (const char *)data + 1;
    struct tokenizer *t;
    struct error err;
    switch (data[0] % 4) {
    case 0:
        if (tokenizer_parse_sentencepiece(s, size - 1, &t, &err) == OK) {
            check_text(t, "a b  c\xcc\x81", 8);
            tokenizer_close(t);
        }
        return 0;
    case 1:
        check_charsmap(s, size - 1);
        return 0;
    default:
        check_text(golden[data[0] % 4 - 2], s, size - 1);
        return 0;
    }
}
