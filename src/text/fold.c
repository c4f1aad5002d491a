/* A word as it is compared (normal.h), within the bytes that a term may have. */
#include "text/chars.h"
#include "text/normal.h"
#include "text/text_internal.h"

#include "base/utf8.h"

#include <string.h>

bool text_is_ascii(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)word[i] > 127)
            return false;
    return true;
}

size_t text_fold(const char *word, size_t len, char out[TEXT_MAX_FOLDED])
{
    int32_t cps[4 * TEXT_MAX_FOLDED];
    const size_t room = sizeof cps / sizeof *cps;
    size_t n, used = 0;
    if (text_is_ascii(word, len) && len <= TEXT_MAX_FOLDED) { /* most words; there is nothing to strip */
        memcpy(out, word, len);
        return len;
    }
    if (len > room || !chars_fold(word, len, cps, &n)) {
        ptrdiff_t asked = normal_fold(word, len, cps, room);
        if (asked < 0 || (size_t)asked > room)
            return 0;
        n = (size_t)asked;
    }
    for (size_t i = 0; i < n; i++) {
        char bytes[4];
        size_t size = utf8_encode((uint32_t)cps[i], bytes);
        if (used + size > TEXT_MAX_FOLDED)
            continue;
        memcpy(out + used, bytes, size);
        used += size;
    }
    return used;
}

uint32_t text_fold_kana(uint32_t cp)
{
    return (cp >= 0x30a1 && cp <= 0x30f6) || cp == 0x30fd || cp == 0x30fe ? cp - 0x60 : cp;
}
