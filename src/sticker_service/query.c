/* What a query is, the same for search, feedback and analytics: 1 to 255 code points of UTF-8 without
 * NUL, white space around it removed, otherwise stored as given. */
#include "base/language.h"
#include "base/utf8.h"
#include "sticker_service/service.h"

#include <string.h>

#define QUERY_MAX 255u /* code points */

enum status query_trim(const char **s, size_t *len)
{
    utf8_trim(s, len);
    if (!*len)
        return ERR_INVALID;
    return utf8_count(*s, *len) > QUERY_MAX ? ERR_TOO_LARGE : OK;
}

enum status param_or(const struct http_request *req, const char *name, const char *fallback, const char **value,
                     struct error *err)
{
    enum status status = http_param(req, name, value, err);
    if (status != ERR_NOT_FOUND)
        return status;
    *value = fallback;
    return OK;
}

enum status query_param(const struct http_request *req, const char **query, struct error *err)
{
    const char *value;
    enum status status = param_or(req, "query", "", &value, err);
    if (status != OK)
        return status;
    size_t len = strlen(value);
    status = query_trim(&value, &len);
    if (status == ERR_INVALID)
        return err_set(err, ERR_INVALID, "Please provide a query.");
    if (status == ERR_TOO_LARGE)
        return err_set(err, ERR_INVALID, "Query is too long.");
    *query = arena_strndup(req->arena, value, len);
    return *query ? OK : err_set(err, ERR_NO_MEMORY, "no memory for a query");
}

enum status lang_param(const struct http_request *req, const char **tag, struct error *err)
{
    enum status status = param_or(req, "lang", NULL, tag, err);
    if (status == OK && *tag && !language_valid(*tag))
        return err_set(err, ERR_INVALID, "lang must be a language tag, such as \"es\" or \"pt-BR\", found \"%.64s\"",
                       *tag);
    return status;
}
