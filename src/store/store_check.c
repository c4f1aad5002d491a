/* store_check.c: what both stores refuse. */
#include "store/store_check.h"

#include "base/utf8.h"
#include "store/db.h"
#include <string.h>

enum status store_check_url(const char *url, unsigned readers, struct error *err)
{
    if (!*url)
        return err_set(err, ERR_INVALID, "the database URL is empty, expected a file path");
    const char *colon = strstr(url, "://");
    if (colon && !db_is_postgres_url(url))
        return err_set(err, ERR_UNSUPPORTED,
                       "database URL scheme \"%.*s\" is not supported, expected a file path or postgresql://",
                       colon - url < 32 ? (int)(colon - url) : 32, url);
    if (readers < 1 || readers > 64)
        return err_set(err, ERR_INVALID, "%u read connections, expected 1 to 64", readers);
    return OK;
}

enum status store_check_filename(const char *filename, struct error *err)
{
    size_t len = strlen(filename);
    if (len == 0)
        return err_set(err, ERR_INVALID, "a filename must not be empty");
    if (!utf8_valid(filename, len))
        return err_set(err, ERR_INVALID, "a filename must be valid UTF-8");
    if (utf8_has_control(filename, len))
        return err_set(err, ERR_INVALID, "a filename must not contain control characters");
    if (len > STORE_MAX_FILENAME)
        return err_set(err, ERR_INVALID, "a filename must not have more than %d bytes, found %zu", STORE_MAX_FILENAME,
                       len);
    if (strpbrk(filename, "/\\"))
        return err_set(err, ERR_INVALID, "filename \"%s\" must not contain a slash or a backslash", filename);
    if (filename[0] == '.')
        return err_set(err, ERR_INVALID, "filename \"%s\" must not start with a dot", filename);
    return OK;
}
