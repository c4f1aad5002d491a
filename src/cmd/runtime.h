/* runtime.h: which services run on a data folder, and where, so that commands find those of their own data instead of
 * whatever answers at the default ports.
 *
 * Whoever opens a service's socket (the service, or `peel serve` for both) keeps a file DATA/run/SERVICE-PID.json:
 *
 *     {"service":"search-service","pid":123,"url":"http://127.0.0.1:8118","started":"2026-...Z","version":"0.1.0"}
 *
 * and holds a lock (flock) on it as long as it lives. A file that nobody locks is a leftover of a process that was
 * killed, whoever has its number by now; readers pass it over, and the next service removes it. */
#ifndef PEEL_CMD_RUNTIME_H
#define PEEL_CMD_RUNTIME_H

#include "base/arena.h"
#include "base/status.h"
#include "config/config.h"

#include <limits.h>

#define RUNTIME_STICKER "sticker-service"
#define RUNTIME_SEARCH  "search-service"

struct runtime_file {
    int fd; /* -1: there is none */
    char path[PATH_MAX];
};
/* Says that `service` runs on the folder at `url`. The file appears at once and whole. */
enum status runtime_publish(const char *data, const char *service, const char *url, struct runtime_file *out,
                            struct error *err) MUST_CHECK;
void runtime_withdraw(struct runtime_file *f); /* removes it; fd -1 is fine */

/* The address of the service that was started last on the folder, in the arena; NULL: none runs. */
const char *runtime_url(const char *data, const char *service, struct arena *a);

/* Where a service is: as the options say, else where one runs on the data folder, else nowhere: *url is then what the
 * options have by default. The URL lives as long as the config and the arena. */
enum runtime_found { RUNTIME_GIVEN, RUNTIME_RUNNING, RUNTIME_NONE };
enum runtime_found runtime_sticker_url(const struct config *cfg, struct arena *a, const char **url);
enum runtime_found runtime_search_url(const struct config *cfg, struct arena *a, const char **url);

#endif
