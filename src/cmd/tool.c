#include "cmd/tool.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_US (10 * 60 * 1000000ll)
#define POLL_US 50000
#define KILL_US 5000000 /* after SIGTERM */

extern char **environ;

static bool tool_stopped(const struct tool *t)
{
    return t->stopped && t->stopped(t->ctx);
}

static enum status wait_for(const struct tool *t, pid_t pid, struct error *err)
{
    int status, tick = 0;
    int64_t end = os_monotonic_us() + MOST_US;
    enum status st = OK;
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid)
            break;
        if (got < 0 && errno != EINTR)
            return err_errno(err, "%s", t->what);
        if (st == OK && (tool_stopped(t) || os_monotonic_us() > end)) {
            st = tool_stopped(t) ? err_set(err, ERR_CANCELLED, "stopped")
                                 : err_set(err, ERR_TIMEOUT, "%s: no answer for 10 minutes", t->what);
            kill(pid, SIGTERM);
        }
        if (st != OK && ++tick > KILL_US / POLL_US)
            kill(pid, SIGKILL);
        usleep(POLL_US);
    }
    if (st != OK)
        return st;
    if (tool_stopped(t)) /* the same Ctrl-C ended the program */
        return err_set(err, ERR_CANCELLED, "stopped");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        return err_set(err, ERR_NOT_FOUND, "%s cannot be run", t->argv[0]);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return err_set(err, ERR_UNAVAILABLE, "%s failed%s", t->what,
                       t->output == TOOL_SILENT ? "" : "; what it said stands above");
    return OK;
}

enum status tool_run(const struct tool *t, struct error *err)
{
    posix_spawn_file_actions_t files;
    pid_t pid;
    if (posix_spawn_file_actions_init(&files) != 0)
        return err_no_memory(err, "%s", t->what);
    int rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = t->output == TOOL_ALL ? posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO)
                                   : posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0 && t->output == TOOL_SILENT)
        rc = posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
    if (rc == 0) /* posix_spawn changes none of the strings */
        rc = posix_spawnp(&pid, t->argv[0], &files, NULL, (char *const *)(uintptr_t)t->argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc == ENOENT || rc == EACCES)
        return err_set(err, ERR_NOT_FOUND, "%s is not installed", t->argv[0]);
    if (rc != 0) {
        errno = rc;
        return err_errno(err, "%s", t->what);
    }
    return wait_for(t, pid, err);
}
