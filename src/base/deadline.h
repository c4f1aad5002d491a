/* deadline.h: until when the calling thread's work is wanted. Whoever begins the work says so; what works long asks now
 * and then, and gives up with ERR_TIMEOUT. It belongs to the thread, so that nothing in between needs to pass it on. */
#ifndef PEEL_BASE_DEADLINE_H
#define PEEL_BASE_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* until_us: of os_monotonic_us, 0 for no end. fd: a socket on whose other end somebody waits for it, -1 for none; the
 * work is over when that end is closed. */
void deadline_set(int64_t until_us, int fd);
void deadline_clear(void);
bool deadline_passed(void); /* mostly some nanoseconds; false where none is set */

#endif
