/* confine.h: takes from this process everything that decoding an image does not need; private to this room.
 *
 * In this order: limits of memory (above what is mapped already), processor time in all, open files, file sizes (0) and
 * core dumps (0); no new privileges; Landlock, so that only fonts can be read; and seccomp, so that there are no
 * sockets, no programs, no signals to others, and nothing is opened where Landlock does not guard it. Without Landlock
 * (it is off, or forbidden by the sandbox around us), only fonts that are in memory already can be drawn. */
#ifndef PEEL_SANDBOX_CONFINE_H
#define PEEL_SANDBOX_CONFINE_H

#include "base/status.h"

/* In the calling process, for ever. `cpu_s`: for all of its life. `warm_up` is called where no file can be opened
 * later. */
enum status sandbox_confine(unsigned memory_mib, unsigned cpu_s, void (*warm_up)(void), struct error *err) MUST_CHECK;

#endif
