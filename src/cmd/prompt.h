/* prompt.h: asking for a password. */
#ifndef PEEL_CMD_PROMPT_H
#define PEEL_CMD_PROMPT_H

#include "base/status.h"
#include <stddef.h>

/* On a terminal asks twice, without echo; otherwise takes the first line of standard input. */
enum status prompt_password(char *out, size_t cap, struct error *err) MUST_CHECK;

#endif
