/* The command line: finds the command, reads its options, runs it. */
#include "cmd/cmd.h"

#include <signal.h>
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

/* "create, list or revoke" */
static void list_subcommands(const struct command *command, struct buf *out)
{
    for (const struct subcommand *s = command->subcommands; s->name; s++)
        buf_printf(out, "%s%s", s == command->subcommands ? "" : s[1].name ? ", " : " or ", s->name);
}

static int check_subcommand(const struct command *command, const char *const *args, size_t n)
{
    const struct subcommand *s = n ? subcommand_find(command, args[0]) : NULL;
    if (s && n - 1 >= s->least && n - 1 <= s->most)
        return EXIT_OK;
    if (s)
        return cmd_usage("usage: peel %s %s%s%s [options]", command->name, s->name, *s->args ? " " : "", s->args);
    struct buf known;
    int status;
    buf_init(&known, 400);
    list_subcommands(command, &known);
    if (n)
        status = cmd_usage("peel %s: expected %s, found \"%s\"", command->name, buf_str(&known), args[0]);
    else
        status = cmd_usage("usage: peel %s SUBCOMMAND [options]; the subcommand is %s", command->name, buf_str(&known));
    buf_free(&known);
    return status;
}

static int check_args(const struct command *command, const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    const char *takes = command->args ? command->args : "";
    if (command->subcommands)
        return check_subcommand(command, args, n);
    if (n >= command->least_args && n <= command->most_args)
        return EXIT_OK;
    if (n > command->most_args)
        return cmd_usage("peel %s: unexpected \"%s\"; usage: peel %s%s%s [options]", command->name,
                         args[command->most_args], command->name, *takes ? " " : "", takes);
    return cmd_usage("usage: peel %s %s [options]", command->name, takes);
}

/* `peel user create --help`: the operands are not known, as nothing was checked. */
static void print_help(const struct command *command, int argc, char **argv)
{
    const struct subcommand *subcommand = NULL;
    struct buf out;
    for (int i = 2; i < argc && !subcommand; i++)
        subcommand = subcommand_find(command, argv[i]);
    buf_init(&out, 1u << 20);
    cmd_print_help(command, subcommand, &out);
    fwrite(buf_str(&out), 1, out.len, stdout);
    buf_free(&out);
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is as a full disk: an error, not the end */
    const char *name = argc > 1 ? argv[1] : "help";
    if (strcmp(name, "--version") == 0)
        name = "version";
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
        print_help(command, argc, argv);
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
