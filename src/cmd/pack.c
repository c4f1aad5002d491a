/* peel pack list: the packs that the stickers belong to, the largest first. */
#include "cmd/cmd.h"
#include "cmd/verb.h"

#include <stdio.h>

#define MOST 100000u

static enum status pack_list(const struct verb_call *call, struct error *err)
{
    struct pack_row *packs;
    size_t n;
    enum status st = sticker_store_packs(call->store, MOST, call->arena, &packs, &n, err);
    if (st == OK && config_bool(call->cfg, "json")) {
        json_t *list = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(list,
                                  json_pack("{s:s, s:I, s:I}", "pack", packs[i].name, "stickers",
                                            (json_int_t)packs[i].stickers, "animated", (json_int_t)packs[i].animated));
        return cmd_print_json(list, err);
    }
    for (size_t i = 0; st == OK && i < n; i++)
        printf("%-32s %8lld stickers\n", *packs[i].name ? packs[i].name : "(no pack)", (long long)packs[i].stickers);
    if (st == OK && !n)
        puts("There are no stickers yet; `peel import --pack openmoji` downloads some.");
    return st;
}

int cmd_pack(const struct config *cfg)
{
    static const struct verb verbs[] = {{"list", pack_list}};
    return cmd_verb(cfg, verbs);
}
