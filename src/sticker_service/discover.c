#include "sticker_service/discover.h"

#include "base/os.h"
#include "sticker_service/sticker_json.h"
#include "web/messages.h"

#include <string.h>

#define CATEGORIES_US 1000000 /* for all their searches: those that are slower are left out */

enum status discover_named(struct sticker_service *s, const char *const *filenames, size_t n, struct arena *a,
                           struct find_answer *out, struct error *err)
{
    struct sticker *stickers = arena_array(a, n + 1, sizeof *stickers);
    *out = (struct find_answer){.ranking = "", .language = "en"};
    out->results = arena_array(a, n + 1, sizeof *out->results);
    if (!stickers || !out->results)
        return err_no_memory(err, "%zu stickers", n);
    enum status st = sticker_store_get_many(s->store, filenames, n, a, stickers, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (stickers[i].filename)
            out->results[out->n++].sticker = &stickers[i];
    out->total = (int64_t)out->n;
    return st;
}

enum status discover_random(struct sticker_service *s, const struct sticker_filter *filter, uint64_t seed, size_t limit,
                            struct arena *a, struct find_answer *out, struct error *err)
{
    const char **names;
    size_t n;
    enum status st = sticker_store_draw(s->store, filter, seed, 0, limit, a, &names, &n, err);
    return st == OK ? discover_named(s, names, n, a, out, err) : st;
}

static bool is_among(const char *const *names, size_t n, const char *name)
{
    size_t i = 0;
    while (i < n && strcmp(names[i], name) != 0)
        i++;
    return i < n;
}

enum status discover_trending(struct sticker_service *s, const struct sticker_filter *filter, size_t offset,
                              size_t limit, struct arena *a, struct find_answer *out, struct error *err)
{
    const char **names, **others = NULL;
    size_t n = 0, n_others = 0, end = offset + limit < DISCOVER_TRENDING_MAX ? offset + limit : DISCOVER_TRENDING_MAX;
    const char **page = arena_array(a, end + 1, sizeof *page);
    if (!page)
        return err_no_memory(err, "%zu stickers", end);
    enum status st = sticker_store_trending(s->store, filter, os_now_us(), end, a, &names, &n, err);
    if (st == OK && n < end)
        st = sticker_store_draw(s->store, filter, (uint64_t)(os_now_us() / STORE_DAY_US), 0, end, a, &others, &n_others,
                                err);
    if (st != OK)
        return st;
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        page[count++] = names[i];
    for (size_t i = 0; i < n_others && count < end; i++)
        if (!is_among(names, n, others[i]))
            page[count++] = others[i];
    offset = offset < count ? offset : count;
    st = discover_named(s, page + offset, count - offset, a, out, err);
    out->total = (int64_t)count + (count == end && end < DISCOVER_TRENDING_MAX); /* there may be more */
    return st;
}

/* The next piece of "a|b|c", in the arena; NULL at the end or without memory. */
static const char *next_piece(const char **at, struct arena *a)
{
    size_t len = strcspn(*at, "|");
    const char *piece = *at;
    *at += len + ((*at)[len] == '|');
    return len ? arena_strndup(a, piece, len) : NULL;
}

enum status discover_categories(struct sticker_service *s, const struct http_request *req, const char *lang,
                                const struct sticker_filter *filter, struct category out[DISCOVER_CATEGORIES],
                                size_t *n, bool *complete, struct error *err)
{
    static const char *const ids[DISCOVER_CATEGORIES] = {"smileys",    "people",  "animals", "food", "travel",
                                                         "activities", "objects", "symbols", "flags"};
    const struct messages *messages = lang ? messages_in(lang) : NULL;
    messages = messages ? messages : messages_at(0);
    const char *at = messages_get(messages, MESSAGE_categories);
    int64_t end = os_monotonic_us() + CATEGORIES_US;
    *n = 0;
    *complete = true;
    for (size_t i = 0; i < DISCOVER_CATEGORIES; i++) {
        struct find_answer answer;
        struct category c = {.id = ids[i]};
        c.name = next_piece(&at, req->arena);
        c.query = next_piece(&at, req->arena);
        if (!c.name || !c.query)
            return err_no_memory(err, "categories");
        if (os_monotonic_us() >= end) {
            *complete = false;
            return OK;
        }
        struct find_query query = {.text = c.query, .lang = messages_tag(messages), .limit = 1, .filter = *filter};
        enum status st = find_stickers(s, req, &query, &answer, err);
        if (st != OK)
            return st;
        *complete = *complete && !answer.degraded;
        if (answer.n) {
            c.cover = answer.results[0];
            out[(*n)++] = c;
        }
    }
    return OK;
}
