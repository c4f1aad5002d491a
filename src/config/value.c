#include "config/value.h"

#include "base/utf8.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct suffix {
    const char *name;
    double factor;
};
static const struct suffix byte_suffixes[] = {{"", 1},        {"B", 1},         {"K", 1024},       {"KIB", 1024},
                                              {"M", 1048576}, {"MIB", 1048576}, {"G", 1073741824}, {"GIB", 1073741824},
                                              {NULL, 0}};
static const struct suffix time_suffixes[] = {{"ms", 1},     {"s", 1e3},     {"m", 60e3},
                                              {"h", 3600e3}, {"d", 86400e3}, {NULL, 0}};

static const char *bound(double v, char out[32])
{
    snprintf(out, 32, "%.15g", v);
    return out;
}

const char *value_expected(const struct option *o, struct arena *a)
{
    char least[32], most[32];
    const char *text = NULL;
    bound(o->least, least), bound(o->most, most);
    switch (o->type) {
    case OPTION_GROUP:
        break;
    case OPTION_STRING:
    case OPTION_LIST:
        text = o->least == o->most ? arena_printf(a, "text of %s bytes", most)
                                   : arena_printf(a, "text of %s to %s bytes", least, most);
        break;
    case OPTION_INT:
        text = arena_printf(a, "a whole number from %s to %s", least, most);
        break;
    case OPTION_NUMBER:
        text = arena_printf(a, "a number from %s to %s", least, most);
        break;
    case OPTION_BYTES:
        text = arena_printf(a, "a number of bytes from %s to %s (K, M and G may follow)", least, most);
        break;
    case OPTION_DURATION:
        text = arena_printf(a, "a whole number of %s from %s to %s (or with ms, s, m, h, d)", o->unit, least, most);
        break;
    case OPTION_BOOL:
        text = "true or false";
        break;
    case OPTION_ENUM:
        text = arena_printf(a, "one of %s", o->unit);
        break;
    }
    return text ? text : "";
}

static enum status value_refuse(const struct option *o, const char *where, const char *text, struct error *err)
{
    struct arena a;
    arena_init(&a, 8192);
    if (o->flags & OPTION_SECRET)
        err_set(err, ERR_INVALID, "%s: expected %s, found something else (%zu bytes, not shown)", where,
                value_expected(o, &a), strlen(text));
    else if (strlen(text) > 100)
        err_set(err, ERR_INVALID, "%s: expected %s, found %zu bytes", where, value_expected(o, &a), strlen(text));
    else
        err_set(err, ERR_INVALID, "%s: expected %s, found \"%s\"", where, value_expected(o, &a), text);
    arena_free(&a);
    return ERR_INVALID;
}

static bool choice(const char *choices, const char *text)
{
    size_t len = strlen(text);
    for (const char *at = choices; len;) {
        size_t n = strcspn(at, "|");
        if (n == len && memcmp(at, text, n) == 0)
            return true;
        if (!at[n])
            return false;
        at += n + 1;
    }
    return false;
}

static bool boolean(const char *text, double *number)
{
    static const char *const no[] = {"0", "false", "no", "off"}, *const yes[] = {"1", "true", "yes", "on"};
    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, no[i]) == 0 || strcasecmp(text, yes[i]) == 0) {
            *number = strcasecmp(text, yes[i]) == 0;
            return true;
        }
    }
    return false;
}

/* Digits with an optional minus; the rest of the text is returned, NULL if there is no number. */
static const char *whole(const char *text, double *number)
{
    const char *digits = text + (*text == '-');
    size_t n = strspn(digits, "0123456789");
    if (n == 0 || n > 15) /* 15 digits are exact in a double, and more than any bound */
        return NULL;
    *number = strtod(text, NULL);
    return digits + n;
}

static bool with_suffix(const char *rest, const struct suffix *suffixes, double *number, double per)
{
    for (const struct suffix *s = suffixes; s->name; s++) {
        if (strcasecmp(rest, s->name) == 0) {
            *number = *number * s->factor / per;
            return *number == floor(*number);
        }
    }
    return false;
}

/* The end of a number: a percentage may say so, as 10%. */
static bool ends(const struct option *o, const char *rest)
{
    return !*rest || (strcmp(rest, "%") == 0 && strcmp(o->unit, OPTION_PERCENT) == 0);
}

enum status value_parse(const struct option *o, const char *where, const char *text, double *number, struct error *err)
{
    size_t len = strlen(text);
    const char *rest = text;
    char *end;
    bool good = utf8_valid(text, len) && !utf8_has_control(text, len);
    *number = 0;
    if (!good)
        return err_set(err, ERR_INVALID, "%s: the value holds control characters or is not UTF-8", where);
    switch (o->type) {
    case OPTION_GROUP:
        assert(false && "a group has no value");
        break;
    case OPTION_STRING:
    case OPTION_LIST:
        good = (double)len >= o->least && (double)len <= o->most;
        break;
    case OPTION_BOOL:
        good = boolean(text, number);
        break;
    case OPTION_ENUM:
        good = choice(o->unit, text);
        break;
    case OPTION_INT:
        good = (rest = whole(text, number)) && ends(o, rest);
        break;
    case OPTION_BYTES:
        good = (rest = whole(text, number)) && with_suffix(rest, byte_suffixes, number, 1);
        break;
    case OPTION_DURATION:
        good = (rest = whole(text, number)) &&
               (!*rest || with_suffix(rest, time_suffixes, number, strcmp(o->unit, "s") == 0 ? 1e3 : 1));
        break;
    case OPTION_NUMBER:
        errno = 0;
        *number = strtod(text, &end);
        good = (isdigit((unsigned char)text[0]) || strchr("-.", text[0])) && end != text && ends(o, end) &&
               isfinite(*number);
        break;
    }
    bool ranged =
        o->type == OPTION_INT || o->type == OPTION_BYTES || o->type == OPTION_DURATION || o->type == OPTION_NUMBER;
    if (good && ranged)
        good = *number >= o->least && *number <= o->most;
    return good ? OK : value_refuse(o, where, text, err);
}
