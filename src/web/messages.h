/* messages.h: what pages say, in several languages.
 *
 * The catalogues are web/messages/xx.ini, compiled into the program with the templates (docs/TEMPLATES.md): every key
 * of English has a message in each language, with the same placeholders, which the build checks. What the admin says is
 * English only, web/messages/admin.en.ini: other languages say it in English too. Templates write
 * {{t key}} and {{t key with n=total, query=query}}; C code uses what follows. Everything is static and thread-safe. */
#ifndef PEEL_WEB_MESSAGES_H
#define PEEL_WEB_MESSAGES_H

#include "base/arena.h"
#include "base/buf.h"
#include "web/messages_gen.h" /* enum message: MESSAGE_key for each key */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct messages; /* those of one language */

const struct messages *messages_at(size_t i); /* in the order of the build, English first; NULL past the last */
/* By a tag's primary language, without regard to case: "pt-BR" is "pt". NULL: there is no such catalogue. */
const struct messages *messages_in(const char *tag);
const char *messages_tag(const struct messages *m); /* "pt" */

/* What a placeholder {name} stands for: a text (NULL is empty), or a number, which is written as the language does.
 * {n} also chooses among the plural forms. */
struct message_arg {
    const char *name, *text;
    int64_t number;
    bool is_number;
};

/* A message without placeholders, as it is. Static. */
const char *messages_get(const struct messages *m, enum message key);
/* Appends it escaped, for an element's text or an attribute's value. In text, each text that is filled in stands in
 * <bdi>, so that a query in Arabic does not turn the sentence around. */
enum message_place { MESSAGE_IN_TEXT, MESSAGE_IN_VALUE };
void messages_html(struct buf *out, const struct messages *m, enum message key, enum message_place place,
                   const struct message_arg *args, size_t n);
/* Unescaped, in the arena; NULL without memory. */
const char *messages_text(struct arena *a, const struct messages *m, enum message key, const struct message_arg *args,
                          size_t n);
/* "4,072" */
void messages_number(struct buf *out, const struct messages *m, int64_t n);

/* What the build makes (messages_gen.c). */
struct messages {
    const char *tag;
    /* [key][enum plural]; NULL where the language has no such form of it. Up to MESSAGE_TRANSLATED; English has all. */
    const char *const (*forms)[6];
};
extern const struct messages messages_all[];
extern const size_t messages_count;

#endif
