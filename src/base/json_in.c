#include "base/json_in.h"

#include <math.h>

enum status json_read_body(const char *text, size_t len, size_t flags, json_t **out, struct error *err)
{
    json_error_t where;
    *out = json_loadb(text, len, flags, &where);
    if (*out)
        return OK;
    if (json_error_code(&where) == json_error_out_of_memory || where.line < 1) /* jansson may not tell which */
        return err_no_memory(err, "the body");
    return err_set(err, ERR_INVALID, "the body is not JSON: %.200s (line %d, column %d)", where.text, where.line,
                   where.column);
}

const char *json_member_text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

bool json_whole_number(const json_t *value, int64_t *out)
{
    double real = json_real_value(value); /* 0 of what is none */
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (json_is_real(value) && real >= -0x1p53 && real <= 0x1p53 && real == trunc(real))
        *out = (int64_t)real;
    else
        return false;
    return true;
}

int64_t json_member_int(const json_t *object, const char *name)
{
    int64_t number;
    return json_whole_number(json_object_get(object, name), &number) ? number : 0;
}
