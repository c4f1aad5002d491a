/* The option table as text for a terminal, and as Markdown. */
#include "config/config.h"
#include "config/options.h"
#include "config/value.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define FLAG_WIDTH 30

static void put_upper(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_putc(out, *name == '-' ? '_' : (char)toupper((unsigned char)*name));
}

static void put_env(struct buf *out, const struct option *o)
{
    buf_puts(out, "PEEL_");
    put_upper(out, o->name);
    if (o->env)
        buf_printf(out, ", %s", o->env);
}

static const char *placeholder(const struct option *o)
{
    switch (o->type) {
    case OPTION_STRING:
    case OPTION_LIST:
        return o->unit;
    case OPTION_ENUM:
        return "WORD";
    case OPTION_BOOL:
    case OPTION_GROUP:
        return "";
    default:
        return "N";
    }
}

/* "one of a|b", "0 to 65535", "1 to 60000 ms" */
static void put_allowed(struct buf *out, const struct option *o, const char *between)
{
    switch (o->type) {
    case OPTION_ENUM:
        for (const char *p = o->unit; *p; p++)
            *p == '|' ? buf_puts(out, between) : buf_putc(out, *p);
        break;
    case OPTION_INT:
    case OPTION_NUMBER:
        buf_printf(out, "%.15g to %.15g", o->least, o->most);
        break;
    case OPTION_BYTES:
    case OPTION_DURATION:
        buf_printf(out, "%.15g to %.15g %s", o->least, o->most, o->unit);
        break;
    default:
        break;
    }
}

static void help_put_default(struct buf *out, const struct option *o)
{
    if (o->type != OPTION_BOOL && o->fallback && *o->fallback)
        buf_printf(out, "%s%s", o->fallback, o->type == OPTION_DURATION ? o->unit : "");
}

/* "default 8000; 0 to 65535; PEEL_PORT" */
static void put_details(struct buf *out, const struct option *o)
{
    if (o->type != OPTION_BOOL && o->fallback && *o->fallback) {
        buf_puts(out, "default ");
        help_put_default(out, o);
        buf_puts(out, "; ");
    }
    size_t before = out->len;
    put_allowed(out, o, ", ");
    if (out->len > before)
        buf_puts(out, "; ");
    put_env(out, o);
    if (o->flags & OPTION_SECRET)
        buf_printf(out, "; secret: also --%s-file and _FILE variables", o->name);
}

static void put_option(struct buf *out, const struct option *o)
{
    char flag[128];
    snprintf(flag, sizeof flag, "--%s %s", o->name, placeholder(o));
    buf_printf(out, "  %-*s %s\n  %*s [", FLAG_WIDTH, flag, o->help, FLAG_WIDTH, "");
    put_details(out, o);
    buf_puts(out, "]\n");
}

static bool is_among(const char *name, const char *names)
{
    size_t len = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += len)
        if ((at == names || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

void config_help(const char *command, const char *only, struct buf *out)
{
    const struct option *group = NULL;
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type == OPTION_GROUP)
            group = o;
        if (!option_taken_by(o, command) || (o->flags & OPTION_HIDDEN) ||
            (only && strcmp(o->name, "data") != 0 && !is_among(o->name, only)))
            continue;
        if (group)
            buf_printf(out, "\n%s:\n", group->name);
        group = NULL;
        put_option(out, o);
    }
    if (!only)
        buf_puts(out, "\nFlags override environment variables, which override the .env file. A value may also be\n"
                      "written as --name=value.\n");
}

void config_roff_text(const char *s, struct buf *out)
{
    bool line_begins = true;
    for (; *s; s++) {
        if (*s == '\\')
            buf_puts(out, "\\e");
        else if (*s == '-')
            buf_puts(out, "\\-");
        else if (line_begins && (*s == '.' || *s == '\''))
            buf_printf(out, "\\&%c", *s);
        else
            buf_putc(out, *s);
        line_begins = *s == '\n';
    }
}

void config_roff(const char *command, struct buf *out)
{
    const struct option *group = NULL;
    struct buf text;
    buf_init(&text, 4096);
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type == OPTION_GROUP)
            group = o;
        if (!option_taken_by(o, command) || (o->flags & OPTION_HIDDEN))
            continue;
        if (group)
            buf_printf(out, ".SS %s\n", group->name);
        group = NULL;
        buf_puts(out, ".TP\n\\fB");
        buf_reset(&text);
        buf_printf(&text, "--%s", o->name);
        config_roff_text(buf_str(&text), out);
        buf_printf(out, "\\fR%s\\fI%s\\fR\n", *placeholder(o) ? " " : "", placeholder(o));
        config_roff_text(o->help, out);
        buf_puts(out, ".\n.br\n");
        buf_reset(&text);
        buf_puts(&text, "[");
        put_details(&text, o);
        buf_puts(&text, "]\n");
        config_roff_text(buf_str(&text), out);
    }
    buf_free(&text);
}

static void help_put_row(struct buf *out, const struct option *o)
{
    buf_printf(out, "| `--%s` | ", o->name);
    put_env(out, o);
    if (o->flags & OPTION_SECRET)
        buf_puts(out, " (and `_FILE`)");
    buf_puts(out, " | ");
    help_put_default(out, o);
    buf_puts(out, " | ");
    put_allowed(out, o, ", ");
    buf_printf(out, " | %s | ", o->help);
    if (strcmp(o->commands, "*") == 0) {
        buf_puts(out, "all");
    } else { /* " a b " -> "a, b" */
        size_t len = strlen(o->commands);
        for (size_t i = 1; i + 1 < len; i++)
            o->commands[i] == ' ' ? buf_puts(out, ", ") : buf_putc(out, o->commands[i]);
    }
    buf_puts(out, " |\n");
}

void config_markdown(struct buf *out)
{
    for (size_t i = 0; i < config_options_count; i++) {
        const struct option *o = &config_options[i];
        if (o->type == OPTION_GROUP)
            buf_printf(out,
                       "\n## %s\n\n| Option | Environment | Default | Allowed | Meaning | Commands |\n"
                       "|---|---|---|---|---|---|\n",
                       o->name);
        else if (!(o->flags & OPTION_HIDDEN))
            help_put_row(out, o);
    }
}
