/* progress.h: how far something is: a bar with rate and remaining time on a terminal, now and then a
 * plain line otherwise; on standard error. */
#ifndef PEEL_CMD_PROGRESS_H
#define PEEL_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "Importing" */
    bool quiet, terminal, drawn;
    int64_t started_us, shown_us, first_done, total;
};

/* `what` is borrowed. */
void progress_start(struct progress *p, const char *what, bool quiet);
/* Cheap to call often: draws at most ten times a second (a line every five seconds without a terminal). */
void progress_show(struct progress *p, int64_t done, int64_t total);
/* It is done: a bar that was drawn stays, at 100%, with the time that it took. What is printed next starts on a line of
 * its own. */
void progress_end(struct progress *p);
/* It was given up: removes the bar. Does nothing after progress_end. */
void progress_clear(struct progress *p);

#endif
