#include "cmd/installation.h"

#include "base/json_in.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_US 300000

enum status installation_open(const struct config *cfg, struct arena *a, struct installation *out, struct error *err)
{
    *out = (struct installation){.cfg = cfg};
    if (runtime_sticker_url(cfg, a, &out->sticker_url) == RUNTIME_NONE)
        out->sticker_url = NULL;
    if (runtime_search_url(cfg, a, &out->search_url) == RUNTIME_NONE)
        out->search_url = NULL;
    return observer_open(out->sticker_url, out->search_url, &out->observer, err);
}

void installation_close(struct installation *i)
{
    observed_free(&i->seen);
    observer_close(i->observer);
    i->observer = NULL;
}

static enum status installation_count(struct installation *i, struct error *err)
{
    struct sticker_store *store;
    i->database = cmd_has_stickers(i->cfg);
    if (!i->database)
        return OK;
    enum status st = cmd_open_stickers(i->cfg, 1, &store, err);
    if (st == OK)
        st = sticker_store_count(store, &i->stickers, &i->queries, &i->pending, err);
    sticker_store_close(store);
    return st;
}

enum status installation_look(struct installation *i, struct error *err)
{
    observed_free(&i->seen);
    observer_look(i->observer, &i->seen);
    return installation_count(i, err);
}

static enum status check_services(const struct installation *i, struct error *err)
{
    if (i->seen.search && i->seen.sticker)
        return OK;
    const char *url = i->seen.search ? i->sticker_url : i->search_url;
    return err_set(err, ERR_UNAVAILABLE, "%s does not %s%s; %lld changes are waiting",
                   i->seen.search ? "StickerService" : "SearchService", url ? "answer at " : "run", url ? url : "",
                   (long long)i->pending);
}

enum status installation_watch(struct installation *i, struct error *err)
{
    struct progress progress;
    progress_start(&progress, "Indexing", config_bool(i->cfg, "quiet"));
    enum status st = OK;
    while (st == OK && (i->pending > 0 || i->seen.images_ahead > 0)) {
        st = cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped") : check_services(i, err);
        if (st != OK)
            break;
        int64_t ahead = i->pending + i->seen.images_ahead, done = i->stickers + i->seen.images - i->pending;
        progress_show(&progress, done, done + ahead);
        usleep(LOOK_US);
        st = installation_look(i, err);
    }
    if (st == OK)
        progress_end(&progress);
    else
        progress_clear(&progress);
    return st;
}

enum installation_index installation_index(const struct installation *i)
{
    const json_t *check = json_object_get(json_object_get(i->seen.sticker, "checks"), "index");
    const char *says = json_string_value(json_object_get(check, "status"));
    if (says && strcmp(says, "unknown") != 0) /* it compares what does not change meanwhile */
        return strcmp(says, "ok") == 0 ? INDEX_COMPLETE : strcmp(says, "differs") == 0 ? INDEX_DIFFERS : INDEX_UNKNOWN;
    if (!i->seen.search || !i->database || i->pending > 0)
        return INDEX_UNKNOWN;
    return i->seen.documents == i->stickers ? INDEX_COMPLETE : INDEX_DIFFERS;
}
