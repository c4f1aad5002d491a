#include "web/plural.h"

#include <stddef.h>
#include <string.h>

#define HAS(form) (1u << PLURAL_##form)

static enum plural always_other(int64_t n)
{
    (void)n;
    return PLURAL_OTHER;
}

static enum plural one_is_one(int64_t n)
{
    return n == 1 ? PLURAL_ONE : PLURAL_OTHER;
}

/* "un millón de ...": whole millions take a preposition. */
static enum plural spanish(int64_t n)
{
    return n == 1 ? PLURAL_ONE : n != 0 && n % 1000000 == 0 ? PLURAL_MANY : PLURAL_OTHER;
}

static enum plural zero_is_one(int64_t n)
{
    return n == 0 || n == 1 ? PLURAL_ONE : n % 1000000 == 0 ? PLURAL_MANY : PLURAL_OTHER;
}

static enum plural arabic(int64_t n)
{
    static const enum plural small[] = {PLURAL_ZERO, PLURAL_ONE, PLURAL_TWO};
    if (n >= 0 && n <= 2)
        return small[n];
    int64_t rest = n % 100;
    return rest >= 3 && rest <= 10 ? PLURAL_FEW : rest >= 11 ? PLURAL_MANY : PLURAL_OTHER;
}

const struct plural_rules *plural_rules(const char *tag)
{
    static const struct plural_rules all[] = {
        {"en", HAS(ONE) | HAS(OTHER), one_is_one, ",", 1000},
        {"de", HAS(ONE) | HAS(OTHER), one_is_one, ".", 1000},
        {"es", HAS(ONE) | HAS(MANY) | HAS(OTHER), spanish, ".", 10000},
        {"fr", HAS(ONE) | HAS(MANY) | HAS(OTHER), zero_is_one, "\u202f", 1000},
        {"pt", HAS(ONE) | HAS(MANY) | HAS(OTHER), zero_is_one, ".", 1000},
        {"ja", HAS(OTHER), always_other, ",", 1000},
        {"zh", HAS(OTHER), always_other, ",", 1000},
        {"ko", HAS(OTHER), always_other, ",", 1000},
        {"ar", HAS(ZERO) | HAS(ONE) | HAS(TWO) | HAS(FEW) | HAS(MANY) | HAS(OTHER), arabic, ",", 1000},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].tag, tag) == 0)
            return &all[i];
    return NULL;
}

const char *plural_name(enum plural form)
{
    static const char *const names[PLURAL_FORMS] = {"zero", "one", "two", "few", "many", "other"};
    return names[form];
}
