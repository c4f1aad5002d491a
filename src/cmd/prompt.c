#include "cmd/prompt.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

static enum status read_line(char *out, size_t cap, struct error *err)
{
    if (!fgets(out, (int)cap, stdin))
        return err_set(err, ERR_INVALID, "password: expected a line, found the end of the input");
    size_t len = strcspn(out, "\n");
    if (!out[len] && len + 1 == cap)
        return err_set(err, ERR_INVALID, "password: expected at most %zu bytes", cap - 2);
    if (len && out[len - 1] == '\r')
        len--;
    out[len] = '\0';
    return OK;
}

static enum status prompt_ask(const char *question, char *out, size_t cap, struct error *err)
{
    struct termios old, silent;
    sigset_t set, before;
    if (tcgetattr(STDIN_FILENO, &old) != 0)
        return err_errno(err, "cannot ask for a password");
    /* Ctrl-C waits until the echo is back. */
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGTSTP);
    sigprocmask(SIG_BLOCK, &set, &before);
    silent = old;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    fputs(question, stderr);
    enum status st = read_line(out, cap, err);
    fputc('\n', stderr);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (st == OK && strchr(out, '\x03')) /* Ctrl-C arrived as a character */
        st = err_set(err, ERR_CANCELLED, "cancelled");
    return st;
}

enum status prompt_password(char *out, size_t cap, struct error *err)
{
    char again[1100];
    if (!isatty(STDIN_FILENO))
        return read_line(out, cap, err);
    enum status st = prompt_ask("Password: ", out, cap, err);
    if (st == OK)
        st = prompt_ask("Repeat the password: ", again, cap < sizeof again ? cap : sizeof again, err);
    if (st == OK && strcmp(out, again) != 0)
        st = err_set(err, ERR_INVALID, "the two passwords differ");
    explicit_bzero(again, sizeof again);
    return st;
}

enum status prompt_yes(const char *question, bool *yes, struct error *err)
{
    char answer[16];
    *yes = false;
    if (!isatty(STDIN_FILENO))
        return err_set(err, ERR_INVALID, "standard input is not a terminal to confirm on; confirm with --yes");
    fputs(question, stderr);
    if (!fgets(answer, sizeof answer, stdin)) {
        fputc('\n', stderr);
        return OK;
    }
    answer[strcspn(answer, "\r\n")] = '\0';
    *yes = strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
    return OK;
}
