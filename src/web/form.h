/* form.h: bodies of type application/x-www-form-urlencoded (WHATWG URL, section 5). */
#ifndef PEEL_WEB_FORM_H
#define PEEL_WEB_FORM_H

#include "base/arena.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

#define FORM_TYPE "application/x-www-form-urlencoded"

/* Names and values are valid UTF-8 without NUL, in the order sent; memory from the arena. */
struct form_field {
    const char *name, *value;
};
struct form {
    struct form_field *fields;
    size_t count;
};

/* Whether a Content-Type header (may be NULL) says that the body is such a form. */
bool form_is(const char *content_type) MUST_CHECK;
/* ERR_INVALID (bad %XX, NUL, not UTF-8: naming the field), ERR_TOO_LARGE past max_fields. */
enum status form_parse(const char *body, size_t len, size_t max_fields, struct arena *a, struct form *out,
                       struct error *err) MUST_CHECK;
/* The single value of a field: ERR_NOT_FOUND if absent, ERR_INVALID if given twice. */
enum status form_get(const struct form *f, const char *name, const char **value, struct error *err) MUST_CHECK;

#endif
