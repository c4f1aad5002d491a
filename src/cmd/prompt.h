/* prompt.h: questions on the terminal. */
#ifndef PEEL_CMD_PROMPT_H
#define PEEL_CMD_PROMPT_H

#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>

/* On a terminal asks twice, without echo; otherwise takes the first line of standard input. */
enum status prompt_password(char *out, size_t cap, struct error *err) MUST_CHECK;

/* Asks a question on the terminal; everything but "y" and "yes" means no. ERR_INVALID: there is no terminal to ask on.
 */
enum status prompt_yes(const char *question, bool *yes, struct error *err) MUST_CHECK;

#endif
