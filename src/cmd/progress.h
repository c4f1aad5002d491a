/* progress.h: how far something is: a bar with rate and remaining time on a terminal, now and then a
 * plain line otherwise; on standard error. */
#ifndef PEEL_CMD_PROGRESS_H
#define PEEL_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "Importing" */
    bool quiet, terminal, drawn;
    int64_t started_us, shown_us, first_done;
};

/* `what` is borrowed. */
void progress_start(struct progress *p, const char *what, bool quiet);
/* Cheap to call often: draws at most ten times a second (a line every five seconds without a terminal). */
void progress_show(struct progress *p, int64_t done, int64_t total);
/* Removes the bar; what is printed next starts on an empty line. */
void progress_clear(struct progress *p);

#endif
