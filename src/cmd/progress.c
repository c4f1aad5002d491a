#include "cmd/progress.h"

#include "base/os.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR      30
#define DRAW_US  100000
#define PLAIN_US 5000000

void progress_start(struct progress *p, const char *what, bool quiet)
{
    const char *term = getenv("TERM");
    *p = (struct progress){.what = what, .quiet = quiet, .started_us = os_monotonic_us(), .first_done = -1};
    p->terminal = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0);
    p->shown_us = p->started_us;
}

static void draw(const struct progress *p, int64_t done, const char *after)
{
    char bar[BAR + 1];
    double share = (double)done / (double)p->total, seconds = (double)(os_monotonic_us() - p->started_us) / 1e6;
    double rate = seconds > 0 ? (double)(done - p->first_done) / seconds : 0;
    for (int i = 0; i < BAR; i++)
        bar[i] = i < (int)(share * BAR) ? '#' : '.';
    bar[BAR] = '\0';
    if (p->terminal)
        fprintf(stderr, "\r%s [%s] %3.0f%%  %lld of %lld  %.0f/s%s\033[K", p->what, bar, share * 100, (long long)done,
                (long long)p->total, rate, after);
    else
        fprintf(stderr, "%s: %lld of %lld (%.0f%%, %.0f/s%s)\n", p->what, (long long)done, (long long)p->total,
                share * 100, rate, after);
}

void progress_show(struct progress *p, int64_t done, int64_t total)
{
    int64_t now = os_monotonic_us();
    char left[32] = "";
    if (p->first_done < 0)
        p->first_done = done; /* what an earlier run did says nothing about the speed of this one */
    p->total = total;
    if (p->quiet || total <= 0 || now - p->shown_us < (p->terminal ? DRAW_US : PLAIN_US))
        return;
    p->shown_us = now;
    if (done > total)
        done = total;
    if (done > p->first_done && done < total) {
        double wait = (double)(total - done) * (double)(now - p->started_us) / 1e6 / (double)(done - p->first_done);
        if (wait < 360000)
            snprintf(left, sizeof left, ", %d:%02d left", (int)wait / 60, (int)wait % 60);
    }
    draw(p, done, left);
    p->drawn = true;
}

void progress_end(struct progress *p)
{
    char took[32];
    double seconds = (double)(os_monotonic_us() - p->started_us) / 1e6;
    if (p->drawn) {
        snprintf(took, sizeof took, ", %.1f s", seconds);
        draw(p, p->total, took);
        if (p->terminal)
            fputc('\n', stderr);
    }
    p->drawn = false;
}

void progress_clear(struct progress *p)
{
    if (p->drawn && p->terminal)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}
