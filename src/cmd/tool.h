/* tool.h: runs a program that the system has, such as npm or pip, and waits for it. */
#ifndef PEEL_CMD_TOOL_H
#define PEEL_CMD_TOOL_H

#include "base/status.h"

#include <stdbool.h>

enum tool_output {
    TOOL_ERRORS, /* what it prints on standard error is shown, the rest is not */
    TOOL_ALL,    /* all, on our standard error */
    TOOL_SILENT
};
struct tool {
    const char *const *argv;    /* ended by NULL; the program is looked up in PATH */
    const char *what;           /* "npm pack openmoji@15.1.0", for messages */
    enum tool_output output;    /* standard input is empty */
    bool (*stopped)(void *ctx); /* asked twenty times a second; true ends the program. NULL: never */
    void *ctx;
};
/* ERR_NOT_FOUND: there is no such program. ERR_UNAVAILABLE: it failed. ERR_TIMEOUT: it took longer than ten minutes.
 * ERR_CANCELLED. */
enum status tool_run(const struct tool *t, struct error *err) MUST_CHECK;

#endif
