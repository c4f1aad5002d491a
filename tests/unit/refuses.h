/* refuses.h: a folder that is no model: encoder_open says why. */
#ifndef PEEL_TESTS_REFUSES_H
#define PEEL_TESTS_REFUSES_H

#include "cm.h"

#include "model/encoder.h"
#include <string.h>

static inline void expect_refused(const char *dir, const char *says)
{
    struct encoder *e;
    struct error err;
    assert_int_not_equal(encoder_open(dir, "auto", NULL, &e, &err), OK);
    assert_null(e);
    if (!strstr(err.message, says))
        fail_msg("expected \"%s\", found \"%s\"", says, err.message);
}

#endif
