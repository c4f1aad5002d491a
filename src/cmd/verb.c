#include "cmd/verb.h"

#include "cmd/cmd.h"

#include <string.h>

int cmd_verb(const struct config *cfg, const struct verb *verbs)
{
    const char *const *args;
    size_t n_args = config_args(cfg, &args);
    const struct verb *verb = verbs;
    while (strcmp(args[0], verb->name) != 0)
        verb++;
    struct error err;
    struct arena a;
    struct verb_call call = {.cfg = cfg, .operand = n_args > 1 ? args[1] : "", .arena = &a};
    arena_init(&a, 64u << 20);
    bool makes = strcmp(verb->name, "create") == 0; /* the first user may come before the service */
    enum status st = (makes ? cmd_open_stickers : cmd_find_stickers)(cfg, 1, &call.store, &err);
    if (st == OK)
        st = verb->run(&call, &err);
    sticker_store_close(call.store);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
