/* peel migrate: upgrades the databases to the schema that this program needs. The services do so too when they start;
 * this is for those who want to see it succeed first. */
#include "cmd/cmd.h"
#include "search_store/search_store.h"

#include <stdio.h>
#include <string.h>

static enum status migrate_sticker(const struct config *cfg, struct error *err)
{
    struct sticker_store *store;
    enum status st = cmd_open_stickers(cfg, 1, &store, err);
    sticker_store_close(store);
    return st;
}

static enum status migrate_search(const struct config *cfg, struct error *err)
{
    struct arena a;
    struct search_store *store = NULL;
    const char *url;
    arena_init(&a, 1u << 16);
    enum status st = cmd_make_data(cfg, err);
    if (st == OK)
        st = cmd_database(cfg, "search", &a, &url, err);
    if (st == OK)
        st = search_store_open(url, 1, &store, err);
    search_store_close(store);
    arena_free(&a);
    return st;
}

int cmd_migrate(const struct config *cfg)
{
    static const struct {
        const char *name;
        enum status (*migrate)(const struct config *cfg, struct error *err);
    } databases[] = {{"sticker", migrate_sticker}, {"search", migrate_search}};
    const char *const *args;
    const char *only = config_args(cfg, &args) ? args[0] : "";
    struct error err;
    bool json = config_bool(cfg, "json");
    json_t *list = json_array();
    unsigned done = 0;
    for (size_t i = 0; i < sizeof databases / sizeof *databases; i++) {
        if (*only && strcmp(only, databases[i].name) != 0)
            continue;
        if (databases[i].migrate(cfg, &err) != OK) {
            json_decref(list);
            return cmd_failed(&err);
        }
        json_array_append_new(list, json_string(databases[i].name));
        if (!json)
            printf("The %s database is up to date.\n", databases[i].name);
        done++;
    }
    if (done && json)
        return cmd_print_json(json_pack("{s:o}", "up_to_date", list), &err) == OK ? EXIT_OK : cmd_failed(&err);
    json_decref(list);
    return done ? EXIT_OK : cmd_usage("migrate: expected sticker or search, found \"%s\"", only);
}
