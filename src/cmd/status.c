/* peel status [--json] [--watch]: the sticker database, and what the services say if they run. */
#include "cmd/cmd.h"
#include "cmd/observe.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct picture {
    bool database; /* there is one */
    int64_t stickers, queries, pending;
    const char *sticker_url, *search_url; /* NULL: it does not run on this data folder */
    struct observed seen;
};

/* What the database counts, without making one where there is none. */
static enum status status_count(const struct config *cfg, struct picture *p, struct error *err)
{
    const char *path = config_string(cfg, "sticker-db");
    struct sticker_store *store;
    p->database = config_is_set(cfg, "sticker-db-host") || strstr(path, "://") || access(path, F_OK) == 0;
    if (!p->database)
        return OK;
    enum status st = cmd_open_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = sticker_store_count(store, &p->stickers, &p->queries, &p->pending, err);
    sticker_store_close(store);
    return st;
}

static json_t *service_json(const char *url, bool ready, json_t *says)
{
    return json_pack("{s:s?, s:b, s:b, s:O?}", "url", url, "answers", says != NULL, "ready", ready, "status", says);
}

static enum status print_json(const struct picture *p, struct error *err)
{
    json_t *json =
        json_pack("{s:b, s:I, s:I, s:I, s:o, s:o}", "database", p->database, "stickers", (json_int_t)p->stickers,
                  "queries", (json_int_t)p->queries, "pending", (json_int_t)p->pending, "sticker_service",
                  service_json(p->sticker_url, p->seen.sticker_ready, p->seen.sticker), "search_service",
                  service_json(p->search_url, p->seen.search != NULL, p->seen.search));
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

static void print_text(const struct config *cfg, const struct picture *p)
{
    if (!p->database)
        printf("No sticker database at %s yet.\n", config_string(cfg, "sticker-db"));
    else
        printf("%lld stickers, %lld queries, %lld changes waiting to be indexed\n", (long long)p->stickers,
               (long long)p->queries, (long long)p->pending);
    if (p->sticker_url)
        printf("StickerService %s: %s\n", p->sticker_url,
               p->seen.sticker_ready ? "ready"
               : p->seen.sticker     ? "not ready"
                                     : "no answer");
    else
        puts("StickerService does not run on this data folder (elsewhere: --host, --port)");
    if (!p->search_url)
        puts("SearchService  does not run on this data folder (elsewhere: --search-url)");
    else if (!p->seen.search)
        printf("SearchService  %s: no answer\n", p->search_url);
    if (!p->seen.search)
        return;
    const char *algorithm = json_string_value(json_object_get(p->seen.search, "algorithm"));
    printf("SearchService  %s: %lld documents, algorithm %s\n", p->search_url, (long long)p->seen.documents,
           algorithm ? algorithm : "?");
    print_models(json_object_get(p->seen.search, "models"));
}

static enum status status_look(const struct config *cfg, struct observer *o, struct picture *p, struct error *err)
{
    observed_free(&p->seen);
    observer_look(o, &p->seen);
    return status_count(cfg, p, err);
}

/* Until nothing is pending. The database says what is pending for SearchService; what lies ahead there
 * it says itself. */
static enum status status_watch(const struct config *cfg, struct observer *o, struct picture *p, struct error *err)
{
    struct progress progress;
    progress_start(&progress, "Indexing", config_bool(cfg, "quiet"));
    enum status st = OK;
    while (st == OK && (p->pending > 0 || p->seen.images_ahead > 0)) {
        if (!p->seen.search || !p->seen.sticker)
            st = err_set(err, ERR_UNAVAILABLE, "%s does not %s; %lld changes are waiting",
                         p->seen.search ? "StickerService" : "SearchService",
                         (p->seen.search ? p->sticker_url : p->search_url) ? "answer" : "run", (long long)p->pending);
        if (st != OK)
            break;
        int64_t done = p->seen.documents + p->seen.images;
        progress_show(&progress, done, done + p->pending + p->seen.images_ahead);
        usleep(300000);
        st = status_look(cfg, o, p, err);
    }
    progress_clear(&progress);
    return st;
}

int cmd_status(const struct config *cfg)
{
    struct error err;
    struct arena a;
    struct observer *o = NULL;
    struct picture p = {0};
    arena_init(&a, 1u << 16);
    if (runtime_sticker_url(cfg, &a, &p.sticker_url) == RUNTIME_NONE)
        p.sticker_url = NULL;
    if (runtime_search_url(cfg, &a, &p.search_url) == RUNTIME_NONE)
        p.search_url = NULL;
    enum status st = observer_open(p.sticker_url, p.search_url, &o, &err);
    if (st == OK)
        st = status_look(cfg, o, &p, &err);
    if (st == OK && config_bool(cfg, "watch"))
        st = status_watch(cfg, o, &p, &err);
    if (st == OK && config_bool(cfg, "json"))
        st = print_json(&p, &err);
    else if (st == OK)
        print_text(cfg, &p);
    observed_free(&p.seen);
    observer_close(o);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
