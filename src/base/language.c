#include "base/language.h"

#include <string.h>
#include <strings.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define CODE(code) #code,
static const char *const codes[LANGUAGE_COUNT] = {"und", LANGUAGE_LIST(CODE)};

bool language_valid(const char *tag)
{
    size_t part = strspn(tag, LETTERS);
    if (part < 2 || part > 8 || strlen(tag) > LANGUAGE_MAX_TAG)
        return false;
    for (tag += part; *tag == '-'; tag += part) {
        tag++;
        part = strspn(tag, LETTERS "0123456789");
        if (part < 1 || part > 8)
            return false;
    }
    return !*tag;
}

unsigned language_number(const char *tag)
{
    /* Codes of the same or a contained language that browsers and CLDR write differently. */
    static const struct {
        const char *alias;
        unsigned number;
    } aliases[] = {{"nb", LANGUAGE_no}, {"tl", LANGUAGE_fil}, {"iw", LANGUAGE_he},
                   {"in", LANGUAGE_id}, {"cmn", LANGUAGE_zh}, {"arb", LANGUAGE_ar}};
    size_t len = strcspn(tag, "-");
    for (unsigned i = 1; i < LANGUAGE_COUNT; i++)
        if (codes[i][0] == (tag[0] | 32) && strncasecmp(codes[i], tag, len) == 0 && !codes[i][len])
            return i;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strncasecmp(aliases[i].alias, tag, len) == 0 && !aliases[i].alias[len])
            return aliases[i].number;
    return LANGUAGE_OTHER;
}

const char *language_code(unsigned number)
{
    return codes[number];
}
