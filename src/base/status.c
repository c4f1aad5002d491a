#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Takes out what is no whole character: "%.64s" may have cut one in two, and what was found may have been none. */
static void keep_characters(char *text)
{
    char *to = text;
    for (const unsigned char *at = (const unsigned char *)text; *at;) {
        size_t len = *at < 0x80                  ? 1
                     : *at >= 0xc2 && *at < 0xe0 ? 2
                     : *at >= 0xe0 && *at < 0xf0 ? 3
                     : *at < 0xf5                ? 4
                                                 : 0;
        size_t have = *at >= 0x80 && *at < 0xc2 ? 0 : len > 0;
        while (have && have < len && (at[have] & 0xc0) == 0x80)
            have++;
        if (have && have == len) {
            memmove(to, at, len);
            to += len;
            at += len;
        } else {
            at++;
        }
    }
    *to = '\0';
}

static enum status set(struct error *err, enum status code, const char *prefix, const char *suffix, const char *fmt,
                       va_list args)
{
    if (!err)
        return code;
    char text[sizeof err->message]; /* arguments may point into err->message */
    size_t len = strlen(prefix);
    memcpy(text, prefix, len + 1);
    int n = vsnprintf(text + len, sizeof text - len, fmt, args);
    len = n < 0 ? len : strlen(text);
    if (suffix)
        snprintf(text + len, sizeof text - len, ": %s", suffix);
    keep_characters(text);
    err->code = code;
    memcpy(err->message, text, sizeof text);
    return code;
}

enum status err_set(struct error *err, enum status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    set(err, code, "", NULL, fmt, args);
    va_end(args);
    return code;
}

enum status err_no_memory(struct error *err, const char *what, ...)
{
    va_list args;
    va_start(args, what);
    set(err, ERR_NO_MEMORY, "no memory for ", NULL, what, args);
    va_end(args);
    return ERR_NO_MEMORY;
}

enum status err_errno(struct error *err, const char *fmt, ...)
{
    char reason[128];
    const char *text = strerror_r(errno, reason, sizeof reason);
    va_list args;
    va_start(args, fmt);
    set(err, ERR_IO, "", text, fmt, args);
    va_end(args);
    return ERR_IO;
}

enum status err_prefix(struct error *err, const char *fmt, ...)
{
    char old[sizeof err->message];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, fmt);
    set(err, err->code, "", old, fmt, args);
    va_end(args);
    return err->code;
}

const char *status_name(enum status code)
{
    switch (code) {
    case OK:
        return "ok";
    case ERR_INVALID:
        return "invalid";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_TOO_LARGE:
        return "too large";
    case ERR_DENIED:
        return "denied";
    case ERR_NO_MEMORY:
        return "out of memory";
    case ERR_IO:
        return "input/output error";
    case ERR_CORRUPT:
        return "corrupt";
    case ERR_UNSUPPORTED:
        return "unsupported";
    case ERR_UNAVAILABLE:
        return "unavailable";
    case ERR_TIMEOUT:
        return "timeout";
    case ERR_CANCELLED:
        return "cancelled";
    case ERR_INTERNAL:
        return "internal error";
    }
    return "unknown status";
}
