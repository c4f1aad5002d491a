#include "base/deadline.h"

#include "base/os.h"

#include <sys/socket.h>

static _Thread_local struct {
    int64_t until_us;
    int fd;
    bool passed; /* and stays so */
} deadline = {.fd = -1};

void deadline_set(int64_t until_us, int fd)
{
    deadline.until_us = until_us;
    deadline.fd = fd;
    deadline.passed = false;
}

void deadline_clear(void)
{
    deadline_set(0, -1);
}

bool deadline_passed(void)
{
    char byte;
    if (deadline.passed || (!deadline.until_us && deadline.fd < 0))
        return deadline.passed;
    deadline.passed = (deadline.until_us && os_monotonic_us() > deadline.until_us) ||
                      (deadline.fd >= 0 && recv(deadline.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0);
    return deadline.passed;
}
