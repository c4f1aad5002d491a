#include "base/language.h"

#include <string.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

#define CODE(code) #code,
static const char codes[LANGUAGE_COUNT][4] = {"und", LANGUAGE_LIST(CODE)}; /* filled up with zeros */

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

/* The first code of each letter: the list is in the order of letters, but for English before it and what was added
 * behind it. */
static const uint8_t first_of_letter[26] = {
    LANGUAGE_af,  LANGUAGE_ba, LANGUAGE_ca, LANGUAGE_da,  LANGUAGE_el, LANGUAGE_fa,  LANGUAGE_ga,
    LANGUAGE_ha,  LANGUAGE_ia, LANGUAGE_ja, LANGUAGE_ka,  LANGUAGE_lb, LANGUAGE_mai, LANGUAGE_ne,
    LANGUAGE_oc,  LANGUAGE_pa, LANGUAGE_qu, LANGUAGE_rhg, LANGUAGE_sa, LANGUAGE_ta,  LANGUAGE_ug,
    LANGUAGE_vec, LANGUAGE_wo, LANGUAGE_xh, LANGUAGE_yo,  LANGUAGE_zh};
#define ADDED LANGUAGE_yi /* the first code behind the order */

unsigned language_number(const char *tag)
{
    /* Codes of the same or a contained language that browsers and CLDR write differently. */
    static const struct {
        char alias[4];
        unsigned number;
    } aliases[] = {{"nb", LANGUAGE_no}, {"tl", LANGUAGE_fil}, {"iw", LANGUAGE_he},
                   {"in", LANGUAGE_id}, {"cmn", LANGUAGE_zh}, {"arb", LANGUAGE_ar}};
    char code[4] = {0};
    for (size_t i = 0; tag[i] && tag[i] != '-'; i++) {
        char letter = (char)(tag[i] | 32);
        if (i == 3 || letter < 'a' || letter > 'z')
            return LANGUAGE_OTHER;
        code[i] = letter;
    }
    if (!*code)
        return LANGUAGE_OTHER;
    if (memcmp(code, codes[LANGUAGE_en], sizeof code) == 0)
        return LANGUAGE_en;
    for (unsigned i = first_of_letter[*code - 'a']; i < ADDED && codes[i][0] == *code; i++)
        if (memcmp(code, codes[i], sizeof code) == 0)
            return i;
    for (unsigned i = ADDED; i < LANGUAGE_COUNT; i++)
        if (memcmp(code, codes[i], sizeof code) == 0)
            return i;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (memcmp(code, aliases[i].alias, sizeof code) == 0)
            return aliases[i].number;
    return LANGUAGE_OTHER;
}

const char *language_code(unsigned number)
{
    return codes[number];
}
