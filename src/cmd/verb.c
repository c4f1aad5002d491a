#include "cmd/verb.h"

#include "cmd/cmd.h"

#include <string.h>

/* "create, list or revoke" */
static void list_verbs(const struct verb *verbs, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", verbs[i].name);
}

int cmd_verb(const struct config *cfg, const char *command, const struct verb *verbs, size_t n)
{
    const char *const *args;
    size_t n_args = config_args(cfg, &args);
    const struct verb *verb = NULL;
    for (size_t i = 0; i < n && !verb; i++)
        if (strcmp(args[0], verbs[i].name) == 0)
            verb = &verbs[i];
    if (!verb) {
        struct buf known;
        buf_init(&known, 400);
        list_verbs(verbs, n, &known);
        int status = cmd_usage("peel %s: expected %s, found \"%s\"", command, buf_str(&known), args[0]);
        buf_free(&known);
        return status;
    }
    if (n_args != (*verb->operand ? 2 : 1))
        return cmd_usage("usage: peel %s %s%s%s", command, verb->name, *verb->operand ? " " : "", verb->operand);

    struct error err;
    struct arena a;
    struct verb_call call = {.cfg = cfg, .operand = n_args > 1 ? args[1] : "", .arena = &a};
    arena_init(&a, 64u << 20);
    enum status st = cmd_open_stickers(cfg, 1, &call.store, &err);
    if (st == OK)
        st = verb->run(&call, &err);
    sticker_store_close(call.store);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
