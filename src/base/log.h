/* log.h: one line per event on standard error, text for people or JSON for machines.
 *
 * The logger is the one process-wide object of this program; it is set up once by cmd/ before any
 * thread starts. Lines are written with a single write(2), so threads and processes never mix. */
#ifndef PEEL_BASE_LOG_H
#define PEEL_BASE_LOG_H

#include "base/status.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };

/* `service` ("sticker", "search", ...) is borrowed for the life of the process. */
void log_setup(enum log_level least, enum log_format format, const char *service);

/* The request id that lines of the calling thread carry; copied (at most 63 bytes); NULL clears. */
void log_set_request_id(const char *id);
/* Likewise the ids of a W3C traceparent, which is well-formed; in JSON lines. */
void log_set_trace(const char *traceparent);

/* Control characters in the message are escaped; a line never exceeds 2,048 bytes. */
void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
