/* password.h: which passwords are refused (NIST SP 800-63B, 5.1.1.2: those that people who guess try first). */
#ifndef PEEL_BASE_PASSWORD_H
#define PEEL_BASE_PASSWORD_H

#include "base/status.h"

/* ERR_INVALID says what is wrong, in a sentence for whoever chose it: the length (see secret.h), or that it is easy to
 * guess: little is left of it without the username, names of this product, the most common words of passwords, repeated
 * characters and sequences ("abcd", "4321", "qwer"). `deny_file`: more passwords that are refused, one a line, whatever
 * their case and with any digits after them; NULL or "": none. It is read each time. */
enum status password_check(const char *password, const char *username, const char *deny_file,
                           struct error *err) MUST_CHECK;

#endif
