/* peel help: the commands, one of them, or everything as Markdown (docs/OPTIONS.md); peel version. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

static void put_examples(const struct example *examples, struct buf *out)
{
    for (const struct example *e = examples; e->what; e++)
        buf_printf(out, "  %s:\n    %s\n", e->what, e->command);
}

static void print_subcommand(const struct command *command, const struct subcommand *s, struct buf *out)
{
    buf_printf(out, "%s\n\nusage: peel %s %s%s%s [options]\n\nExamples:\n", s->summary, command->name, s->name,
               *s->args ? " " : "", s->args);
    put_examples(s->examples, out);
    config_help(command->name, s->options, out);
    buf_printf(out, "\n`peel help %s` shows all options.\n", command->name);
}

static void print_subcommands(const struct command *command, struct buf *out)
{
    buf_printf(out, "usage: peel %s SUBCOMMAND [options]\n\nSubcommands:\n", command->name);
    for (const struct subcommand *s = command->subcommands; s->name; s++) {
        char usage[80];
        snprintf(usage, sizeof usage, "%s %s", s->name, s->args);
        buf_printf(out, "  %-20s %s\n", usage, s->summary);
    }
    buf_printf(out, "\n`peel help %s %s` shows help for one of them.\n\nExamples:\n", command->name,
               command->subcommands->name);
    for (const struct subcommand *s = command->subcommands; s->name; s++)
        put_examples(s->examples, out);
}

void cmd_print_help(const struct command *command, const struct subcommand *subcommand, struct buf *out)
{
    if (subcommand) {
        print_subcommand(command, subcommand, out);
        return;
    }
    buf_printf(out, "%s\n\n", command->summary);
    if (command->subcommands) {
        print_subcommands(command, out);
    } else {
        const char *args = command->args ? command->args : "";
        buf_printf(out, "usage: peel %s%s%s [options]\n\nExamples:\n", command->name, *args ? " " : "", args);
        put_examples(command->examples, out);
    }
    config_help(command->name, NULL, out);
}

static void overview(struct buf *out)
{
    buf_puts(out, "Peel is a self-hosted search engine for stickers.\n\nusage: peel COMMAND [options]\n\n");
    for (size_t i = 0; i < commands_count; i++)
        buf_printf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
    buf_puts(out, "\n`peel help COMMAND` shows examples and options, `peel --version` the version.\n"
                  "Exit status: 0 success, 1 failure, 2 wrong usage.\n");
}

static void markdown_row(const char *command, const char *subcommand, const char *args, const char *summary,
                         struct buf *out)
{
    buf_printf(out, "| `peel %s%s%s%s", command, *subcommand ? " " : "", subcommand, *args ? " " : "");
    for (const char *p = args; *p; p++) /* a bar would end the cell */
        *p == '|' ? buf_puts(out, "\\|") : buf_putc(out, *p);
    buf_printf(out, "` | %s |\n", summary);
}

static void markdown(struct buf *out)
{
    buf_puts(out, "# Commands and options\n\n"
                  "This file is printed by `peel help --markdown`; it comes from the tables in\n"
                  "`src/config/options.c` and `src/cmd/commands.c`. `peel help COMMAND` shows examples.\n\n"
                  "A flag overrides an environment variable, which overrides a variable ending in `_FILE` (secrets),\n"
                  "which overrides the `.env` file in the working directory (or `--env-file`), which overrides the\n"
                  "default. `DATA` in a default stands for `--data`. Numbers of bytes may end in `K`, `M`, `G`; times\n"
                  "in `ms`, `s`, `m`, `h`. Exit status: 0 success, 1 failure, 2 wrong usage.\n\n"
                  "| Command | What it does |\n|---|---|\n");
    for (size_t i = 0; i < commands_count; i++) {
        const struct command *c = &commands[i];
        if (!c->subcommands)
            markdown_row(c->name, "", c->args ? c->args : "", c->summary, out);
        for (const struct subcommand *s = c->subcommands; s && s->name; s++)
            markdown_row(c->name, s->name, s->args, s->summary, out);
    }
    config_markdown(out);
}

static int help_of(const char *const *args, size_t n, struct buf *out)
{
    const struct command *command = command_find(args[0]);
    if (!command)
        return cmd_usage("there is no command \"%s\"; `peel help` lists them", args[0]);
    const struct subcommand *subcommand = n > 1 ? subcommand_find(command, args[1]) : NULL;
    if (n > 1 && !subcommand)
        return cmd_usage("there is no subcommand \"%s %s\"; see `peel help %s`", args[0], args[1], args[0]);
    cmd_print_help(command, subcommand, out);
    return EXIT_OK;
}

static int man_of(const char *const *args, size_t n, struct buf *out)
{
    const struct command *command = n ? command_find(args[0]) : NULL;
    if (n && !command)
        return cmd_usage("there is no command \"%s\"; `peel help` lists them", args[0]);
    cmd_print_man(command, out);
    return EXIT_OK;
}

int cmd_help(const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    struct buf out;
    int code = EXIT_OK;
    buf_init(&out, 1u << 20);
    if (config_bool(cfg, "markdown"))
        markdown(&out);
    else if (config_bool(cfg, "man"))
        code = man_of(args, n, &out);
    else if (n)
        code = help_of(args, n, &out);
    else
        overview(&out);
    fwrite(buf_str(&out), 1, out.len, stdout);
    buf_free(&out);
    return code;
}

int cmd_version(const struct config *cfg)
{
    struct error err;
    if (config_bool(cfg, "json"))
        return cmd_print_json(json_pack("{s:s}", "version", PEEL_VERSION), &err) == OK ? EXIT_OK : cmd_failed(&err);
    puts("peel " PEEL_VERSION);
    return EXIT_OK;
}
