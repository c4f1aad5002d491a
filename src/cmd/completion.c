/* peel completion bash|zsh|fish: scripts made from the tables of commands and options. They ask nothing of peel while
 * somebody types. */
#include "cmd/cmd.h"
#include "config/options.h"

#include <stdio.h>
#include <string.h>

static bool option_is_shown(const struct option *o, const char *command)
{
    return option_taken_by(o, command) && !(o->flags & OPTION_HIDDEN);
}

static bool takes_value(const struct option *o)
{
    return o->type != OPTION_BOOL;
}

static bool takes_file(const struct option *o)
{
    static const char *const kinds[] = {"DIR", "FILE", "PATH", "DIR|URL", "PATH|URL"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if ((o->type == OPTION_STRING || o->type == OPTION_LIST) && strcmp(o->unit, kinds[i]) == 0)
            return true;
    return false;
}

/* "sticker|search" with a space between each two; nothing unless operands are such words. */
static void put_choices(const char *args, struct buf *out)
{
    size_t len = args ? strlen(args) : 0, in = len && args[0] == '[' && args[len - 1] == ']';
    if (!len || strspn(args + in, "abcdefghijklmnopqrstuvwxyz|") != len - 2 * in)
        return;
    for (size_t i = in; i < len - in; i++)
        buf_putc(out, args[i] == '|' ? ' ' : args[i]);
}

/* All that may come after "peel COMMAND", but options. */
static void put_operands(const struct command *c, struct buf *out)
{
    put_choices(c->args, out);
    for (const struct subcommand *s = c->subcommands; s && s->name; s++)
        buf_printf(out, "%s%s", s == c->subcommands ? "" : " ", s->name);
    for (size_t i = 0; i < commands_count && strcmp(c->name, "help") == 0; i++)
        buf_printf(out, "%s%s", i ? " " : "", commands[i].name);
}

/* --- bash --- */

static void bash_values(struct buf *out)
{
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type != OPTION_ENUM)
            continue;
        buf_printf(out, "    --%s) COMPREPLY=($(compgen -W \"", o->name);
        for (const char *p = o->unit; *p; p++)
            buf_putc(out, *p == '|' ? ' ' : *p);
        buf_puts(out, "\" -- \"$cur\")); return ;;\n");
    }
    buf_puts(out, "    ");
    for (size_t i = 0, n = 0; i < config_options_count; i++)
        if (config_options[i].type != OPTION_GROUP && config_options[i].type != OPTION_ENUM &&
            takes_value(&config_options[i]) && !(config_options[i].flags & OPTION_HIDDEN))
            buf_printf(out, "%s--%s", n++ ? "|" : "", config_options[i].name);
    buf_puts(out, ") return ;; # a file, or anything\n");
}

static void bash_script(struct buf *out)
{
    buf_puts(out, "# bash completion of peel: eval \"$(peel completion bash)\"\n_peel()\n{\n"
                  "    local cur=${COMP_WORDS[COMP_CWORD]} flags= operands=\n    COMPREPLY=()\n"
                  "    case ${COMP_WORDS[COMP_CWORD - 1]} in\n");
    bash_values(out);
    buf_puts(out, "    esac\n    if ((COMP_CWORD == 1)); then\n        COMPREPLY=($(compgen -W \"");
    for (size_t i = 0; i < commands_count; i++)
        buf_printf(out, "%s ", commands[i].name);
    buf_puts(out, "--help --version\" -- \"$cur\"))\n        return\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(out, "    %s)\n        operands=\"", commands[i].name);
        put_operands(&commands[i], out);
        buf_puts(out, "\"\n        flags=\"");
        for (size_t k = 0; k < config_options_count; k++)
            if (option_is_shown(&config_options[k], commands[i].name))
                buf_printf(out, "--%s ", config_options[k].name);
        buf_puts(out, "--help\" ;;\n");
    }
    buf_puts(out, "    esac\n    if [[ $cur == -* ]]; then\n        COMPREPLY=($(compgen -W \"$flags\" -- \"$cur\"))\n"
                  "    elif ((COMP_CWORD == 2)); then\n        COMPREPLY=($(compgen -W \"$operands\" -- \"$cur\"))\n"
                  "    fi\n}\ncomplete -o bashdefault -o default -F _peel peel\n");
}

/* --- zsh --- */

/* In single quotes, where also the characters of `special` have a meaning. */
static void put_quoted(const char *s, const char *special, struct buf *out)
{
    for (; *s; s++) {
        if (*s == '\'')
            buf_puts(out, "'\\''");
        else if (strchr(special, *s))
            buf_printf(out, "\\%c", *s);
        else
            buf_putc(out, *s);
    }
}

static void zsh_option(const struct option *o, struct buf *out)
{
    buf_printf(out, " \\\n        '%s--%s[", o->type == OPTION_LIST ? "*" : "", o->name);
    put_quoted(o->help, "[]\\", out);
    buf_putc(out, ']');
    if (takes_value(o)) {
        buf_putc(out, ':');
        put_quoted(o->name, ":\\", out);
        buf_putc(out, ':');
    }
    if (o->type == OPTION_ENUM) {
        buf_putc(out, '(');
        for (const char *p = o->unit; *p; p++)
            buf_putc(out, *p == '|' ? ' ' : *p);
        buf_putc(out, ')');
    } else if (takes_file(o)) {
        buf_puts(out, "_files");
    }
    buf_putc(out, '\'');
}

static void zsh_item(const char *name, const char *summary, struct buf *out)
{
    buf_printf(out, " \\\n        '%s:", name);
    put_quoted(summary, "\\", out);
    buf_putc(out, '\'');
}

static void zsh_operands(const struct command *c, struct buf *out)
{
    struct buf words;
    buf_init(&words, 4096);
    put_operands(c, &words);
    if (c->subcommands) {
        buf_puts(out, "        if ((CURRENT == 3)) && [[ $words[3] != -* ]]; then\n        local -a subcommands=(");
        for (const struct subcommand *s = c->subcommands; s->name; s++)
            zsh_item(s->name, s->summary, out);
        buf_puts(out, ")\n        _describe subcommand subcommands\n        return\n        fi\n");
    }
    buf_puts(out, "        _arguments '1: :'");
    if (c->subcommands)
        buf_puts(out, " '2: :'");
    else if (words.len)
        buf_printf(out, " '2: :(%s)'", buf_str(&words));
    if (c->most_args || c->subcommands)
        buf_puts(out, " '*: :_files'");
    buf_free(&words);
}

static void zsh_script(struct buf *out)
{
    buf_puts(out, "#compdef peel\n_peel()\n{\n    if ((CURRENT == 2)); then\n        local -a commands=(");
    for (size_t i = 0; i < commands_count; i++)
        zsh_item(commands[i].name, commands[i].summary, out);
    buf_puts(out, ")\n        _describe command commands\n        return\n    fi\n    case $words[2] in\n");
    for (size_t i = 0; i < commands_count; i++) {
        buf_printf(out, "    %s)\n", commands[i].name);
        zsh_operands(&commands[i], out);
        for (size_t k = 0; k < config_options_count; k++)
            if (option_is_shown(&config_options[k], commands[i].name))
                zsh_option(&config_options[k], out);
        buf_puts(out, "\n        ;;\n");
    }
    buf_puts(
        out,
        "    esac\n}\nif [[ $funcstack[1] == _peel ]]; then\n    _peel \"$@\"\nelse\n    compdef _peel peel\nfi\n");
}

/* --- fish --- */

/* " -d 'Show a pack\'s stickers'", and the end of the line. */
static void fish_describe(const char *text, struct buf *out)
{
    buf_puts(out, " -d '");
    for (const char *p = text; *p; p++)
        *p == '\'' || *p == '\\' ? buf_printf(out, "\\%c", *p) : buf_putc(out, *p);
    buf_puts(out, "'\n");
}

static void fish_option(const struct option *o, struct buf *out)
{
    buf_puts(out, "complete -c peel -n '__fish_seen_subcommand_from");
    for (size_t i = 0; i < commands_count; i++)
        if (option_is_shown(o, commands[i].name))
            buf_printf(out, " %s", commands[i].name);
    buf_printf(out, "' -l %s", o->name);
    if (o->type == OPTION_ENUM) {
        buf_puts(out, " -xa '");
        for (const char *p = o->unit; *p; p++)
            buf_putc(out, *p == '|' ? ' ' : *p);
        buf_putc(out, '\'');
    } else if (takes_value(o)) {
        buf_puts(out, takes_file(o) ? " -rF" : " -x");
    }
    fish_describe(o->help, out);
}

static void fish_command(const struct command *c, struct buf *out)
{
    struct buf words;
    buf_init(&words, 4096);
    put_operands(c, &words);
    buf_printf(out, "complete -c peel -n __fish_use_subcommand -a %s", c->name);
    fish_describe(c->summary, out);
    for (const struct subcommand *s = c->subcommands; s && s->name; s++) {
        buf_printf(out,
                   "complete -c peel -n '__fish_seen_subcommand_from %s; and test (count (commandline -opc)) = 2' "
                   "-a %s",
                   c->name, s->name);
        fish_describe(s->summary, out);
    }
    if (!c->subcommands && words.len)
        buf_printf(out, "complete -c peel -n '__fish_seen_subcommand_from %s' -a '%s'\n", c->name, buf_str(&words));
    else if (c->most_args)
        buf_printf(out, "complete -c peel -n '__fish_seen_subcommand_from %s' -F\n", c->name);
    buf_free(&words);
}

static void fish_script(struct buf *out)
{
    buf_puts(out, "# fish completion of peel\ncomplete -c peel -f\n");
    for (size_t i = 0; i < commands_count; i++)
        fish_command(&commands[i], out);
    for (size_t i = 0; i < config_options_count; i++)
        if (config_options[i].type != OPTION_GROUP && !(config_options[i].flags & OPTION_HIDDEN))
            fish_option(&config_options[i], out);
}

int cmd_completion(const struct config *cfg)
{
    const char *const *args;
    struct buf out;
    (void)config_args(cfg, &args);
    buf_init(&out, 1u << 20);
    if (strcmp(args[0], "bash") == 0)
        bash_script(&out);
    else if (strcmp(args[0], "zsh") == 0)
        zsh_script(&out);
    else
        fish_script(&out);
    fwrite(buf_str(&out), 1, out.len, stdout);
    buf_free(&out);
    return EXIT_OK;
}
