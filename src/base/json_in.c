#include "base/json_in.h"

const char *json_member_text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    return s ? s : "";
}

int64_t json_member_int(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}
