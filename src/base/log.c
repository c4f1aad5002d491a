#include "base/log.h"
#include "base/os.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static struct {
    enum log_level least;
    enum log_format format;
    const char *service;
} logger = {LOG_INFO, LOG_TEXT, "peel"};

static _Thread_local char request_id[64];
static _Thread_local char trace[100]; /* ready members of a JSON object */

void log_setup(enum log_level least, enum log_format format, const char *service)
{
    logger.least = least;
    logger.format = format;
    logger.service = service;
}

void log_set_request_id(const char *id)
{
    snprintf(request_id, sizeof request_id, "%s", id ? id : "");
}

void log_set_trace(const char *traceparent)
{
    trace[0] = '\0';
    if (traceparent)
        snprintf(trace, sizeof trace, ",\"trace_id\":\"%.32s\",\"span_id\":\"%.16s\"", traceparent + 3,
                 traceparent + 36);
}

/* Copies s with control characters (and for JSON also quote and backslash) escaped; stops when full. */
static size_t escape(char *out, size_t cap, const char *s)
{
    size_t n = 0;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        char piece[8];
        if (c < 0x20 || c == 0x7f)
            snprintf(piece, sizeof piece, "\\u%04x", c);
        else if (logger.format == LOG_JSON && (c == '"' || c == '\\'))
            snprintf(piece, sizeof piece, "\\%c", c);
        else
            snprintf(piece, sizeof piece, "%c", c);
        size_t len = strlen(piece);
        if (n + len >= cap)
            break;
        memcpy(out + n, piece, len);
        n += len;
    }
    out[n] = '\0';
    return n;
}

void log_write(enum log_level level, const char *fmt, ...)
{
    if (level < logger.least)
        return;
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char message[1024], safe[LINE_MAX_BYTES - 256], line[LINE_MAX_BYTES], when[28];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    escape(safe, sizeof safe, message);
    os_format_time(os_now_us(), when);
    int n;
    if (logger.format == LOG_JSON)
        n = snprintf(line, sizeof line - 1,
                     "{\"time\":\"%s\",\"level\":\"%s\",\"service\":\"%s\",\"pid\":%d%s%s%s%s,\"message\":\"%s\"}",
                     when, names[level], logger.service, (int)getpid(), request_id[0] ? ",\"request_id\":\"" : "",
                     request_id, request_id[0] ? "\"" : "", trace, safe);
    else
        n = snprintf(line, sizeof line - 1, "%s %-5s %s%s%s%s: %s", when, names[level], logger.service,
                     request_id[0] ? " [" : "", request_id, request_id[0] ? "]" : "", safe);
    if (n < 0)
        return;
    size_t len = strlen(line);
    line[len++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, len);
    (void)written; /* nowhere left to complain to */
}
