/* member.h: members of a tokenizer.json, of the type that is expected, with errors that name them.
 *
 * `where` is the path of the object, such as "normalizer" or "model". An absent member, or null, gives `fallback`. */
#ifndef PEEL_TOKENIZE_MEMBER_H
#define PEEL_TOKENIZE_MEMBER_H

#include "base/status.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define MEMBER_MAX_FILE (32u << 20) /* bytes of one file */

/* `what` is the file's name. The caller frees *out by json_decref. Duplicate members and NULs are errors. With
 * `any_int` a whole number may be of any size and is read as a real: transformers writes 10^30 for "no maximum". */
enum status member_load(const char *what, const char *text, size_t len, bool any_int, json_t **out,
                        struct error *err) MUST_CHECK;

enum status member_bool(const json_t *object, const char *where, const char *name, bool fallback, bool *out,
                        struct error *err) MUST_CHECK;
/* Without a fallback (NULL) an absent member is an error. *out lives as long as `object`, or the fallback. */
enum status member_string(const json_t *object, const char *where, const char *name, const char *fallback,
                          const char **out, struct error *err) MUST_CHECK;
/* A whole number in [least, most]. */
enum status member_int(const json_t *object, const char *where, const char *name, json_int_t least, json_int_t most,
                       json_int_t fallback, json_int_t *out, struct error *err) MUST_CHECK;

/* "object", "array", "string", ...: for messages. */
const char *member_type_name(const json_t *value);

#endif
