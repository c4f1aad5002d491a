/* plural.h: how a language counts and writes numbers, after CLDR 48 (cardinal plural rules for whole numbers, decimal
 * grouping). Of those languages that message catalogues may be in; add one here and in plural.c. */
#ifndef PEEL_WEB_PLURAL_H
#define PEEL_WEB_PLURAL_H

#include <stdint.h>

enum plural { PLURAL_ZERO, PLURAL_ONE, PLURAL_TWO, PLURAL_FEW, PLURAL_MANY, PLURAL_OTHER, PLURAL_FORMS };

struct plural_rules {
    const char *tag;                   /* "pt" */
    unsigned forms;                    /* 1 << enum plural for each category that the language has */
    enum plural (*form_of)(int64_t n); /* which of them a number takes */
    const char *group;                 /* between groups of three digits */
    int64_t group_from;                /* the least number that is grouped */
};

const struct plural_rules *plural_rules(const char *tag); /* NULL: not a language of these */
const char *plural_name(enum plural form);                /* "one" */

#endif
