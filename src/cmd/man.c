/* peel help --man [COMMAND]: manual pages, from the tables of commands and options, in roff's macros "man". */
#include "cmd/cmd.h"

#include <ctype.h>
#include <string.h>

static void put_name(const struct command *command, bool upper, struct buf *out)
{
    struct buf name;
    buf_init(&name, 256);
    buf_printf(&name, "peel%s%s", command ? "-" : "", command ? command->name : "");
    for (size_t i = 0; upper && i < name.len; i++)
        name.data[i] = (char)toupper((unsigned char)name.data[i]);
    config_roff_text(buf_str(&name), out);
    buf_free(&name);
}

static void put_head(const struct command *command, const char *summary, struct buf *out)
{
    buf_puts(out, ".TH ");
    put_name(command, true, out);
    buf_puts(out, " 1 \"\" \"peel " PEEL_VERSION "\" \"Peel\"\n.SH NAME\n");
    put_name(command, false, out);
    buf_puts(out, " \\- ");
    config_roff_text(summary, out);
    buf_puts(out, "\n.SH SYNOPSIS\n");
}

static void put_synopsis(const char *command, const char *subcommand, const char *args, struct buf *out)
{
    buf_puts(out, "\\fBpeel ");
    config_roff_text(command, out);
    if (*subcommand)
        buf_printf(out, " %s", subcommand);
    buf_puts(out, "\\fR");
    if (*args)
        buf_puts(out, " ");
    config_roff_text(args, out);
    buf_puts(out, " [\\fIoptions\\fR]\n");
}

static void man_put_examples(const struct example *examples, bool first, struct buf *out)
{
    for (const struct example *e = examples; e->what; e++, first = false) {
        buf_puts(out, first ? "" : ".PP\n");
        config_roff_text(e->what, out);
        buf_puts(out, ":\n.PP\n.RS 4\n.nf\n");
        config_roff_text(e->command, out);
        buf_puts(out, "\n.fi\n.RE\n");
    }
}

static void put_tail(struct buf *out)
{
    buf_puts(out, ".SH EXIT STATUS\n0 success, 1 failure, 2 wrong usage.\n"
                  ".SH ENVIRONMENT\nEach option can be set by the environment variable named with it. Flags override "
                  "environment variables, which override the file .env in the working directory.\n");
}

static void page_of_command(const struct command *command, struct buf *out)
{
    put_head(command, command->summary, out);
    if (!command->subcommands)
        put_synopsis(command->name, "", command->args ? command->args : "", out);
    for (const struct subcommand *s = command->subcommands; s && s->name; s++) {
        put_synopsis(command->name, s->name, s->args, out);
        buf_puts(out, s[1].name ? ".br\n" : "");
    }
    buf_puts(out, command->subcommands ? ".SH SUBCOMMANDS\n" : "");
    for (const struct subcommand *s = command->subcommands; s && s->name; s++) {
        buf_printf(out, ".TP\n\\fB%s\\fR ", s->name);
        config_roff_text(s->args, out);
        buf_putc(out, '\n');
        config_roff_text(s->summary, out);
        buf_puts(out, ".\n");
    }
    buf_puts(out, ".SH EXAMPLES\n");
    man_put_examples(command->examples, true, out);
    for (const struct subcommand *s = command->subcommands; s && s->name; s++)
        man_put_examples(s->examples, s == command->subcommands, out);
    buf_puts(out, ".SH OPTIONS\n");
    config_roff(command->name, out);
    put_tail(out);
    buf_puts(out, ".SH SEE ALSO\n.BR peel (1)\n");
}

static void page_of_peel(struct buf *out)
{
    put_head(NULL, "a self-hosted search engine for stickers", out);
    buf_puts(out, "\\fBpeel\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
                  ".SH DESCRIPTION\nAn app sends a phrase and gets the stickers that fit it best. One program contains "
                  "both services and the commands that look after them.\n.SH COMMANDS\n");
    for (size_t i = 0; i < commands_count; i++) {
        buf_puts(out, ".TP\n.BR ");
        put_name(&commands[i], false, out);
        buf_puts(out, " (1)\n");
        config_roff_text(commands[i].summary, out);
        buf_puts(out, ".\n");
    }
    put_tail(out);
}

void cmd_print_man(const struct command *command, struct buf *out)
{
    command ? page_of_command(command, out) : page_of_peel(out);
}
