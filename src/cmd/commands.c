/* The table of subcommands, and what they have in common. */
#include "base/log.h"
#include "cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"counter", "", 0, 0, cmd_counter, "How often a digit is written in 1..n"},
    {"embed", "", 0, 0, cmd_embed, "The normalised vector of a text or an image, as JSON"},
    {"help", "[COMMAND]", 0, 1, cmd_help, "Commands, or the options of one"},
    {"model", "pull|list|info|verify|use [ID]", 1, 2, cmd_model, "Get, inspect, check and choose models"},
    {"tokenize", "TEXT", 1, 1, cmd_tokenize, "The token ids of a text, as JSON"},
};
const size_t commands_count = sizeof commands / sizeof *commands;

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < commands_count; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

int cmd_failed(const struct error *err)
{
    fprintf(stderr, "peel: %s\n", err->message);
    return EXIT_FAILED;
}

int cmd_usage(const char *fmt, ...)
{
    va_list args;
    fputs("peel: ", stderr);
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_USAGE;
}

void cmd_log_setup(const struct config *cfg, const char *service)
{
    static const char *const levels[] = {"debug", "info", "warn", "error"};
    const char *level = config_string(cfg, "log-level");
    enum log_level least = LOG_INFO;
    for (unsigned i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(level, levels[i]) == 0)
            least = (enum log_level)i;
    log_setup(least, strcmp(config_string(cfg, "log-format"), "json") == 0 ? LOG_JSON : LOG_TEXT, service);
}
