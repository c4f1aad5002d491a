#include "tokenize/member.h"

enum status member_load(const char *what, const char *text, size_t len, bool any_int, json_t **out, struct error *err)
{
    json_error_t je;
    *out = NULL;
    if (len > MEMBER_MAX_FILE)
        return err_set(err, ERR_TOO_LARGE, "%s has more than %u bytes", what, MEMBER_MAX_FILE);
    *out = json_loadb(text, len, JSON_REJECT_DUPLICATES | (any_int ? JSON_DECODE_INT_AS_REAL : 0), &je);
    if (!*out)
        return err_set(err, ERR_INVALID, "%s: line %d: %s", what, je.line, je.text);
    return OK;
}

const char *member_type_name(const json_t *value)
{
    if (!value)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static const json_t *find(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

enum status member_bool(const json_t *object, const char *where, const char *name, bool fallback, bool *out,
                        struct error *err)
{
    const json_t *value = find(object, name);
    *out = value ? json_is_true(value) : fallback;
    if (value && !json_is_boolean(value))
        return err_set(err, ERR_INVALID, "%s.%s: expected true or false, found %s", where, name,
                       member_type_name(value));
    return OK;
}

enum status member_string(const json_t *object, const char *where, const char *name, const char *fallback,
                          const char **out, struct error *err)
{
    const json_t *value = find(object, name);
    *out = value ? json_string_value(value) : fallback;
    if (!*out)
        return err_set(err, ERR_INVALID, "%s.%s: expected a string, found %s", where, name, member_type_name(value));
    return OK;
}

enum status member_int(const json_t *object, const char *where, const char *name, json_int_t least, json_int_t most,
                       json_int_t fallback, json_int_t *out, struct error *err)
{
    const json_t *value = find(object, name);
    *out = value ? json_integer_value(value) : fallback;
    if (value && !json_is_integer(value))
        return err_set(err, ERR_INVALID, "%s.%s: expected a whole number, found %s", where, name,
                       member_type_name(value));
    if (value && (*out < least || *out > most))
        return err_set(err, ERR_INVALID, "%s.%s: expected %lld to %lld, found %lld", where, name, (long long)least,
                       (long long)most, (long long)*out);
    return OK;
}
