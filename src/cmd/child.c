#include "cmd/child.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_FIRST_MS 100u
#define BACKOFF_MOST_MS  10000u
#define HEALTHY_US       (30 * 1000000ll) /* after so long a run, the back-off starts anew */

void child_init(struct child *c, const char *command, char **environment, int listen_fd)
{
    *c = (struct child){.command = command,
                        .environment = environment,
                        .listen_fd = listen_fd,
                        .ready_fd = -1,
                        .backoff_ms = BACKOFF_FIRST_MS};
}

/* In the new process: only what is safe after fork. */
static _Noreturn void become(const struct child *c, pid_t parent, int ready_fd, char *const *argv)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(0);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    fcntl(c->listen_fd, F_SETFD, 0);
    fcntl(ready_fd, F_SETFD, 0);
    execve("/proc/self/exe", argv, c->environment);
    _exit(127);
}

enum status child_start(struct child *c, struct error *err)
{
    char listen_fd[16], ready_fd[16];
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0)
        return err_errno(err, "cannot make a pipe for %s", c->command);
    snprintf(listen_fd, sizeof listen_fd, "%d", c->listen_fd);
    snprintf(ready_fd, sizeof ready_fd, "%d", ready[1]);
    char *argv[] = {"peel", (char *)(uintptr_t)c->command, "--listen-fd", listen_fd, "--ready-fd", ready_fd, NULL};
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(c, parent, ready[1], argv);
    close(ready[1]);
    if (pid < 0) {
        close(ready[0]);
        return err_errno(err, "cannot start %s", c->command);
    }
    c->pid = pid;
    c->ready_fd = ready[0];
    c->started_us = os_monotonic_us();
    return OK;
}

bool child_read_ready(struct child *c)
{
    char byte;
    ssize_t n;
    while ((n = read(c->ready_fd, &byte, 1)) < 0 && errno == EINTR)
        continue;
    close(c->ready_fd);
    c->ready_fd = -1;
    c->ever_ready |= n == 1;
    return n == 1;
}

bool child_reap(struct child *c, int *status, char *why, size_t why_cap)
{
    if (!c->pid || waitpid(c->pid, status, WNOHANG) != c->pid)
        return false;
    if (WIFSIGNALED(*status))
        snprintf(why, why_cap, "was killed by signal %d (%s)", WTERMSIG(*status), strsignal(WTERMSIG(*status)));
    else
        snprintf(why, why_cap, "ended with status %d", WEXITSTATUS(*status));
    if (c->ready_fd >= 0)
        close(c->ready_fd);
    c->ready_fd = -1;
    c->pid = 0;
    int64_t now = os_monotonic_us();
    if (now - c->started_us >= HEALTHY_US)
        c->backoff_ms = BACKOFF_FIRST_MS;
    c->restart_us = now + (int64_t)c->backoff_ms * 1000;
    c->backoff_ms = c->backoff_ms * 2 < BACKOFF_MOST_MS ? c->backoff_ms * 2 : BACKOFF_MOST_MS;
    return true;
}
