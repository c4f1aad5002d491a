#include "base/deadline.h"

#include "base/os.h"

#include <sys/socket.h>

#define LOOK_US 1000 /* between two looks at the socket */

static _Thread_local struct {
    int64_t until_us, look_us; /* look_us: when the socket is looked at again */
    int fd;
    bool passed; /* and stays so */
} deadline = {.fd = -1};

void deadline_set(int64_t until_us, int fd)
{
    deadline.until_us = until_us;
    deadline.look_us = 0;
    deadline.fd = fd;
    deadline.passed = false;
}

void deadline_clear(void)
{
    deadline_set(0, -1);
}

static bool peer_gone(int64_t now_us)
{
    char byte;
    if (deadline.fd < 0 || now_us < deadline.look_us)
        return false;
    deadline.look_us = now_us + LOOK_US;
    return recv(deadline.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

bool deadline_passed(void)
{
    if (deadline.passed || (!deadline.until_us && deadline.fd < 0))
        return deadline.passed;
    int64_t now_us = os_monotonic_us();
    deadline.passed = (deadline.until_us && now_us > deadline.until_us) || peer_gone(now_us);
    return deadline.passed;
}
