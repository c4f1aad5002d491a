#include "cmd/style.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool has_colours(FILE *to)
{
    const char *off = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(off && *off) && term && *term && strcmp(term, "dumb") != 0 && isatty(fileno(to));
}

const char *style(FILE *to, enum style what)
{
    static const char *const codes[] = {
        [STYLE_END] = "\033[0m", [STYLE_GOOD] = "\033[32m", [STYLE_WARNING] = "\033[33m", [STYLE_BAD] = "\033[31m"};
    return has_colours(to) ? codes[what] : "";
}
