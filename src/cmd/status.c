/* peel status [--json] [--watch]: the sticker database, and what the services say if they run. */
#include "cmd/cmd.h"
#include "cmd/installation.h"
#include "cmd/style.h"

#include <stdio.h>

static const char *index_name(const struct installation *i)
{
    static const char *const names[] = {
        [INDEX_UNKNOWN] = "unknown", [INDEX_COMPLETE] = "complete", [INDEX_DIFFERS] = "differs"};
    return names[installation_index(i)];
}

static json_t *service_json(const char *url, bool ready, json_t *says)
{
    return json_pack("{s:s?, s:b, s:b, s:O?}", "url", url, "answers", says != NULL, "ready", ready, "status", says);
}

static enum status print_json(const struct installation *i, struct error *err)
{
    json_t *json =
        json_pack("{s:b, s:I, s:I, s:I, s:s, s:o, s:o}", "database", i->database, "stickers", (json_int_t)i->stickers,
                  "queries", (json_int_t)i->queries, "pending", (json_int_t)i->pending, "index", index_name(i),
                  "sticker_service", service_json(i->sticker_url, i->seen.sticker_ready, i->seen.sticker),
                  "search_service", service_json(i->search_url, i->seen.search != NULL, i->seen.search));
    return cmd_print_json(json, err);
}

static void print_models(const json_t *models)
{
    size_t i;
    json_t *m;
    json_array_foreach(models, i, m)
    {
        const char *id = json_string_value(json_object_get(m, "id"));
        const char *state = json_string_value(json_object_get(m, "state"));
        printf("  model %s: %s, %lld images indexed, %lld pending, %lld failed\n", id ? id : "?", state ? state : "?",
               (long long)json_integer_value(json_object_get(m, "indexed")),
               (long long)json_integer_value(json_object_get(m, "pending")),
               (long long)json_integer_value(json_object_get(m, "failed")));
    }
}

static void print_search(const struct installation *i)
{
    if (!i->search_url) {
        puts("SearchService  does not run on this data folder (elsewhere: --search-url)");
        return;
    }
    if (!i->seen.search) {
        printf("SearchService  %s: %sno answer%s\n", i->search_url, style(stdout, STYLE_BAD), style(stdout, STYLE_END));
        return;
    }
    const char *algorithm = json_string_value(json_object_get(i->seen.search, "algorithm"));
    printf("SearchService  %s: %lld documents, algorithm %s\n", i->search_url, (long long)i->seen.documents,
           algorithm ? algorithm : "?");
    print_models(json_object_get(i->seen.search, "models"));
}

static void print_text(const struct installation *i)
{
    if (!i->database)
        printf("No sticker database at %s yet.\n", config_string(i->cfg, "sticker-db"));
    else
        printf("%lld stickers, %lld queries, %lld changes waiting to be indexed\n", (long long)i->stickers,
               (long long)i->queries, (long long)i->pending);
    enum style how = i->seen.sticker_ready ? STYLE_GOOD : STYLE_BAD;
    if (i->sticker_url)
        printf("StickerService %s: %s%s%s\n", i->sticker_url, style(stdout, how),
               i->seen.sticker_ready ? "ready"
               : i->seen.sticker     ? "not ready"
                                     : "no answer",
               style(stdout, STYLE_END));
    else
        puts("StickerService does not run on this data folder (elsewhere: --host, --port)");
    print_search(i);
    if (installation_index(i) == INDEX_DIFFERS)
        printf("%sThe search index is out of step%s: SearchService has %lld documents for %lld stickers. "
               "`peel reindex --all` sends all stickers again.\n",
               style(stdout, STYLE_WARNING), style(stdout, STYLE_END), (long long)i->seen.documents,
               (long long)i->stickers);
}

int cmd_status(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct installation i;
    arena_init(&a, 1u << 16);
    enum status st = installation_open(cfg, &a, &i, &err);
    if (st == OK)
        st = installation_look(&i, &err);
    if (st == OK && config_bool(cfg, "watch"))
        st = installation_watch(&i, &err);
    if (st == OK && config_bool(cfg, "json"))
        st = print_json(&i, &err);
    else if (st == OK)
        print_text(&i);
    installation_close(&i);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
