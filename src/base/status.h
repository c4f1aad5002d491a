/* status.h: one status enum, and an error that says what went wrong.
 *
 * The room src/base holds what every other room needs and knows nothing of Peel's services: errors, memory, buffers,
 * text, JSON, logging, metrics, threads, files and clocks, and the few words that several rooms must agree on (ratings,
 * languages, search terms, legs). It sees no other room.
 *
 * Every fallible function returns enum status and fills a struct error that the caller owns:
 *
 *     struct error err;
 *     if (thing_open(path, &thing, &err) != OK) { log_error("%s", err.message); return 1; }
 *
 * `err` may be NULL when only the code matters. Messages name the thing, what was expected and
 * what was found. Programming errors are asserts, never statuses. */
#ifndef PEEL_BASE_STATUS_H
#define PEEL_BASE_STATUS_H

#define MUST_CHECK              __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

enum status {
    OK = 0,
    ERR_INVALID,     /* the input is wrong; the message says where */
    ERR_NOT_FOUND,   /* the named thing does not exist */
    ERR_CONFLICT,    /* it exists already, or with other content */
    ERR_TOO_LARGE,   /* over a stated bound */
    ERR_DENIED,      /* not allowed */
    ERR_NO_MEMORY,   /* allocation failed */
    ERR_IO,          /* the operating system refused; message carries strerror */
    ERR_CORRUPT,     /* stored data fails its own checks */
    ERR_UNSUPPORTED, /* valid, but not something this program does */
    ERR_UNAVAILABLE, /* a peer is down or overloaded: try again later */
    ERR_TIMEOUT,     /* a deadline passed */
    ERR_CANCELLED,   /* stopped on request */
    ERR_INTERNAL     /* our own bug */
};

struct error {
    enum status code;
    char message[512]; /* NUL-terminated UTF-8, one line, no final period needed */
};

/* Fills *err (if not NULL) and returns `code`, so that `return err_set(err, ERR_IO, ...)` works. */
enum status err_set(struct error *err, enum status code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set with ERR_NO_MEMORY; the message is "no memory for ..." */
enum status err_no_memory(struct error *err, const char *what, ...) PRINTF_LIKE(2, 3);

/* As err_set with ERR_IO, appending ": " and strerror(errno). */
enum status err_errno(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "prefix: " before the message that is already there. Returns err->code; err must not be NULL. */
enum status err_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "not found", "timeout", ...: static, never NULL. */
const char *status_name(enum status code);

#endif
