/* peel help: the commands, the options of one, or everything as Markdown (docs/OPTIONS.md). */
#include "cmd/cmd.h"

#include <stdio.h>

void cmd_print_help(const struct command *command, struct buf *out)
{
    buf_printf(out, "%s\n\nusage: peel %s%s%s [options]\n", command->summary, command->name, *command->args ? " " : "",
               command->args);
    config_help(command->name, out);
}

static void overview(struct buf *out)
{
    buf_puts(out, "Peel finds stickers by what they show.\n\nusage: peel COMMAND [options]\n\n");
    for (size_t i = 0; i < commands_count; i++)
        buf_printf(out, "  %-16s %s\n", commands[i].name, commands[i].summary);
    buf_puts(out, "\n`peel help COMMAND` shows its options, `peel --version` the version.\n"
                  "Exit status: 0 done, 1 failed, 2 wrong usage.\n");
}

static void markdown(struct buf *out)
{
    buf_puts(out, "# Commands and options\n\n"
                  "This file is printed by `peel help --markdown`; it comes from the tables in\n"
                  "`src/config/options.c` and `src/cmd/commands.c`.\n\n"
                  "A flag wins over an environment variable, this over a variable ending in `_FILE` (secrets),\n"
                  "this over the `.env` file in the working directory (or `--env-file`), this over the default.\n"
                  "`DATA` in a default stands for `--data`. Numbers of bytes may end in `K`, `M`, `G`; times in\n"
                  "`ms`, `s`, `m`, `h`. Exit status: 0 done, 1 failed, 2 wrong usage.\n\n"
                  "| Command | What it does |\n|---|---|\n");
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(out, "| `peel %s", commands[i].name);
        if (*commands[i].args)
            buf_putc(out, ' ');
        for (const char *p = commands[i].args; *p; p++) /* a bar would end the cell */
            *p == '|' ? buf_puts(out, "\\|") : buf_putc(out, *p);
        buf_printf(out, "` | %s |\n", commands[i].summary);
    }
    config_markdown(out);
}

int cmd_help(const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    struct buf out;
    int code = EXIT_OK;
    buf_init(&out, 1u << 20);
    if (config_bool(cfg, "markdown")) {
        markdown(&out);
    } else if (n) {
        const struct command *command = command_find(args[0]);
        if (command)
            cmd_print_help(command, &out);
        else
            code = cmd_usage("there is no command \"%s\"; `peel help` lists them", args[0]);
    } else {
        overview(&out);
    }
    fwrite(buf_str(&out), 1, out.len, stdout);
    buf_free(&out);
    return code;
}
