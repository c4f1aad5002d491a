/* options.h: the one table that every option of every command comes from: its flag, environment
 * variable, bounds, help and documentation. To add an option, add a row in options.c. */
#ifndef PEEL_CONFIG_OPTIONS_H
#define PEEL_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#define OPTION_PERCENT "percent"
enum option_type {
    OPTION_GROUP,    /* no option: the heading of those that follow */
    OPTION_STRING,   /* least..most bytes */
    OPTION_LIST,     /* a string that may be given several times; in the environment separated by commas */
    OPTION_INT,      /* whole number */
    OPTION_NUMBER,   /* any finite number; this and OPTION_INT with a % behind it where `unit` is OPTION_PERCENT */
    OPTION_BYTES,    /* whole number with an optional K, M, G (KiB, MiB, GiB), binary */
    OPTION_DURATION, /* whole number of `unit` ("ms" or "s"), or with its own ms, s, m, h */
    OPTION_BOOL,     /* --x, --no-x, --x=false; 1/0, true/false, yes/no, on/off */
    OPTION_ENUM      /* one of the words in `unit`, "text|json" */
};

enum option_flags {
    OPTION_SECRET = 1, /* never printed; also read from a file: --x-file, X_FILE */
    OPTION_HIDDEN = 2  /* for the program's own use: not in help */
};

struct option {
    const char *name; /* "search-port": flag --search-port, environment PEEL_SEARCH_PORT */
    enum option_type type;
    const char *fallback; /* default as text; NULL = none; a leading "DATA/" stands for --data */
    double least, most;
    const char *unit;     /* "ms"; the choices of an enum; the placeholder of a string */
    const char *commands; /* " serve status " with a space on both ends; "*" = all */
    unsigned flags;
    const char *env;  /* a second environment name that people know, or NULL */
    const char *flag; /* a second flag for commands that have no option of that name, or NULL */
    const char *help; /* one line */
};

extern const struct option config_options[];
extern const size_t config_options_count;

bool option_taken_by(const struct option *o, const char *command);

#endif
