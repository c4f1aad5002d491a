/* filename.c: what a sticker may be called. */
#include "base/filename.h"

#include "base/utf8.h"
#include <string.h>

enum status filename_check(const char *filename, struct error *err)
{
    size_t len = strlen(filename);
    if (len == 0)
        return err_set(err, ERR_INVALID, "a filename must not be empty");
    if (!utf8_valid(filename, len))
        return err_set(err, ERR_INVALID, "a filename must be valid UTF-8");
    if (utf8_has_control(filename, len))
        return err_set(err, ERR_INVALID, "a filename must not contain control characters");
    if (len > STICKER_FILENAME_MAX)
        return err_set(err, ERR_INVALID, "a filename must not have more than %d bytes, found %zu", STICKER_FILENAME_MAX,
                       len);
    if (strpbrk(filename, "/\\"))
        return err_set(err, ERR_INVALID, "filename \"%s\" must not contain a slash or a backslash", filename);
    if (filename[0] == '.')
        return err_set(err, ERR_INVALID, "filename \"%s\" must not start with a dot", filename);
    return OK;
}
