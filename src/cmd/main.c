/* The command line: finds the command, reads its options, runs it. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

static int unknown_command(const char *name)
{
    const char *names[64];
    size_t n = 0;
    for (; n < commands_count && n < sizeof names / sizeof *names; n++)
        names[n] = commands[n].name;
    const char *near = config_suggest(name, names, n);
    if (near)
        return cmd_usage("there is no command \"%s\"; did you mean \"%s\"?", name, near);
    return cmd_usage("there is no command \"%s\"; `peel help` lists them", name);
}

static int check_args(const struct command *command, const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    if (n >= command->least_args && n <= command->most_args)
        return EXIT_OK;
    if (n > command->most_args)
        return cmd_usage("peel %s: unexpected \"%s\"; usage: peel %s%s%s [options]", command->name,
                         args[command->most_args], command->name, *command->args ? " " : "", command->args);
    return cmd_usage("usage: peel %s %s [options]", command->name, command->args);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("peel " PEEL_VERSION);
        return EXIT_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    const struct command *command = command_find(name);
    if (!command)
        return unknown_command(name);

    struct error err;
    struct config *cfg = NULL;
    if (config_load(command->name, argc > 2 ? argc - 2 : 0, argv + (argc > 2 ? 2 : 1), &cfg, &err) != OK)
        return cmd_usage("%s", err.message);
    int code;
    if (config_help_wanted(cfg)) {
        struct buf out;
        buf_init(&out, 1u << 20);
        cmd_print_help(command, &out);
        fwrite(buf_str(&out), 1, out.len, stdout);
        buf_free(&out);
        code = EXIT_OK;
    } else {
        code = check_args(command, cfg);
        if (code == EXIT_OK) {
            cmd_log_setup(cfg, command->name);
            code = command->run(cfg);
        }
    }
    config_free(cfg);
    if (fflush(stdout) != 0 && code == EXIT_OK) {
        perror("peel: standard output");
        code = EXIT_FAILED;
    }
    return code;
}
