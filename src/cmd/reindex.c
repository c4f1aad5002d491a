/* peel reindex --all: queues every sticker for SearchService, for one whose database was lost, replaced or restored.
 * Images are encoded again only where their vectors are missing. */
#include "cmd/cmd.h"
#include "cmd/installation.h"

#include <stdio.h>

static enum status reindex_queue(const struct config *cfg, struct error *err)
{
    struct sticker_store *store;
    enum status st = cmd_find_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = sticker_store_outbox_refill(store, err);
    sticker_store_close(store);
    return st;
}

static enum status reindex_report(const struct installation *i, enum status watched, struct error *err)
{
    bool indexed = watched == OK && i->sticker_url && i->search_url;
    if (config_bool(i->cfg, "json"))
        return cmd_print_json(json_pack("{s:I, s:b, s:I}", "queued", (json_int_t)i->stickers, "indexed", indexed,
                                        "pending", (json_int_t)i->pending),
                              err);
    if (indexed)
        printf("Indexed %lld stickers again.\n", (long long)i->stickers);
    else
        printf("Queued %lld stickers. %s\n", (long long)i->stickers,
               watched == ERR_CANCELLED ? "Indexing continues; `peel status --watch` shows progress."
                                        : "They will be indexed when both services run (`peel serve`).");
    return OK;
}

int cmd_reindex(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct installation i;
    if (!config_bool(cfg, "all"))
        return cmd_usage("peel reindex: expected --all, which sends every sticker to SearchService again");
    arena_init(&a, 1u << 16);
    cmd_stop_on_signals();
    enum status st = installation_open(cfg, &a, &i, &err), watched = OK;
    if (st == OK)
        st = reindex_queue(cfg, &err);
    if (st == OK)
        st = installation_look(&i, &err);
    if (st == OK && i.sticker_url && i.search_url)
        st = watched = installation_watch(&i, &err);
    if (st == OK || watched == ERR_CANCELLED)
        st = reindex_report(&i, watched, &err);
    installation_close(&i);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
