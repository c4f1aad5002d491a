/* value.h: one option's text becomes a checked value. */
#ifndef PEEL_CONFIG_VALUE_H
#define PEEL_CONFIG_VALUE_H

#include "base/arena.h"
#include "base/status.h"
#include "config/options.h"

/* `where` is what the user wrote ("--port", "PEEL_PORT", ".env: line 3: PEEL_PORT"). Numbers, byte
 * counts, durations (in the option's unit) and booleans (0, 1) land in *number. ERR_INVALID: "WHERE:
 * expected a whole number from 0 to 65535, found "abc"". */
enum status value_parse(const struct option *o, const char *where, const char *text, double *number,
                        struct error *err) MUST_CHECK;

/* "a whole number from 0 to 65535", "text, json": what value_parse accepts; into the arena. */
const char *value_expected(const struct option *o, struct arena *a);

#endif
