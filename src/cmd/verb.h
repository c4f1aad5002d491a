/* verb.h: commands whose first operand says what to do with the sticker database ("peel user create ann"). */
#ifndef PEEL_CMD_VERB_H
#define PEEL_CMD_VERB_H

#include "base/arena.h"
#include "config/config.h"
#include "sticker_store/sticker_store.h"

struct verb_call {
    const struct config *cfg;
    struct sticker_store *store;
    const char *operand; /* "" when the verb takes none */
    struct arena *arena;
};

struct verb {
    const char *name;
    const char *operand; /* what must follow, "USERNAME"; "": nothing may */
    enum status (*run)(const struct verb_call *call, struct error *err);
};

/* Opens the database, runs the verb that the operands name and returns the exit status; `command` is for messages. */
int cmd_verb(const struct config *cfg, const char *command, const struct verb *verbs, size_t n);

#endif
