/* verb.h: subcommands that work on the sticker database ("peel user create ann"). */
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
    const char *name; /* as in commands.c */
    enum status (*run)(const struct verb_call *call, struct error *err);
};

/* Opens the database, which only "create" makes where there is none, runs the one of `verbs` that the first operand
 * names, which must be among them, and returns the exit status. */
int cmd_verb(const struct config *cfg, const struct verb *verbs);

#endif
