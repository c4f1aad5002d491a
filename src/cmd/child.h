/* child.h: one supervised process: this program again with another subcommand, given a listening
 * socket that outlives it. */
#ifndef PEEL_CMD_CHILD_H
#define PEEL_CMD_CHILD_H

#include "base/status.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
    const char *command; /* "search-service" */
    char **environment;  /* borrowed; see config_environ */
    int listen_fd;       /* kept open here too, so that no connection is refused meanwhile */
    pid_t pid;           /* 0 = not running */
    int ready_fd;        /* becomes readable when it answers requests; -1 after that */
    bool ever_ready;
    int64_t started_us, restart_us; /* monotonic; restart_us: not before then */
    unsigned backoff_ms;
};

void child_init(struct child *c, const char *command, char **environment, int listen_fd);
/* The child ends with SIGTERM when this process dies, however it dies. */
enum status child_start(struct child *c, struct error *err) MUST_CHECK;
/* Call when ready_fd is readable. True if it is ready now; false: it died before. */
bool child_read_ready(struct child *c) MUST_CHECK;
/* Collects the process if it has ended: true, with what to tell in `why`, waitpid's status in *status and
 * restart_us set. */
bool child_reap(struct child *c, int *status, char *why, size_t why_cap) MUST_CHECK;

#endif
