/* style.h: colours of words, only on a terminal, and never with NO_COLOR (no-color.org) or TERM=dumb. */
#ifndef PEEL_CMD_STYLE_H
#define PEEL_CMD_STYLE_H

#include <stdio.h>

enum style { STYLE_END, STYLE_GOOD, STYLE_WARNING, STYLE_BAD };
/* What to print before, and with STYLE_END after, the words: "" where there are no colours. Static. */
const char *style(FILE *to, enum style what);

#endif
