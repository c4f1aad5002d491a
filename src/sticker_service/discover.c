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
    size_t n = 0, n_others = 0, count = 0, most = offset + limit + 1; /* the last tells whether there are more */
    most = most < DISCOVER_TRENDING_MAX ? most : DISCOVER_TRENDING_MAX;
    const char **all = arena_array(a, most, sizeof *all);
    if (!all)
        return err_no_memory(err, "%zu stickers", most);
    enum status st =
        sticker_store_trending(s->store, filter, s->cfg->query_clients, os_now_us(), most, a, &names, &n, err);
    if (st == OK && n < most)
        st = sticker_store_draw(s->store, filter, (uint64_t)(os_now_us() / STORE_DAY_US), 0, most, a, &others,
                                &n_others, err);
    if (st != OK)
        return st;
    for (size_t i = 0; i < n; i++)
        all[count++] = names[i];
    for (size_t i = 0; i < n_others && count < most; i++)
        if (!is_among(names, n, others[i]))
            all[count++] = others[i];
    offset = offset < count ? offset : count;
    st = discover_named(s, all + offset, count - offset < limit ? count - offset : limit, a, out, err);
    out->total = (int64_t)count;
    return st;
}

/* --- categories --- */

/* The next piece of "a|b|c", in the arena; NULL at the end or without memory. */
static const char *next_piece(const char **at, char end, struct arena *a)
{
    const char ends[] = {end, '\0'};
    size_t len = strcspn(*at, ends);
    const char *piece = *at;
    *at += len + ((*at)[len] == end);
    return arena_strndup(a, piece, len);
}

/* The first sticker of each category, its name on a line of its own, which is empty where nothing is found. *complete:
 * SearchService answered for all, in time. */
static enum status find_covers(struct sticker_service *s, const struct http_request *req, const char *lang,
                               const struct sticker_filter *filter, const struct category *list, struct buf *lines,
                               bool *complete, struct error *err)
{
    int64_t end = os_monotonic_us() + CATEGORIES_US;
    enum status st = OK;
    *complete = true;
    for (size_t i = 0; i < DISCOVER_CATEGORIES && st == OK; i++) {
        struct find_query query = {.text = list[i].query, .lang = lang, .limit = 1, .filter = *filter};
        struct find_answer answer = {0};
        if (os_monotonic_us() < end)
            st = find_stickers(s, req, &query, &answer, err);
        else
            answer.degraded = true;
        *complete = *complete && !answer.degraded;
        buf_puts(lines, answer.n ? answer.results[0].sticker->filename : "");
        buf_putc(lines, '\n');
    }
    return st;
}

/* The same, as it was found a while ago. */
static enum status recall_covers(struct sticker_service *s, const struct http_request *req, const char *lang,
                                 const struct sticker_filter *filter, const struct category *list, struct buf *lines,
                                 struct error *err)
{
    bool complete;
    const char *key = arena_printf(req->arena, "categories %s %d %d %s", lang, (int)filter->rating_most,
                                   (int)filter->animated, filter->pack ? filter->pack : "");
    unsigned cleared = answers_cleared(s->starts);
    if (!key)
        return err_no_memory(err, "categories");
    if (answers_get(s->starts, key, lines))
        return buf_status(lines, err);
    enum status st = find_covers(s, req, lang, filter, list, lines, &complete, err);
    if (st == OK)
        st = buf_status(lines, err);
    if (st == OK && complete && lines->len > DISCOVER_CATEGORIES) /* an empty library is soon filled */
        answers_put(s->starts, key, lines->data, lines->len, cleared);
    return st;
}

enum status discover_categories(struct sticker_service *s, const struct http_request *req, const char *lang,
                                const struct sticker_filter *filter, struct category out[DISCOVER_CATEGORIES],
                                size_t *n, struct error *err)
{
    static const char *const ids[DISCOVER_CATEGORIES] = {"smileys",    "people",  "animals", "food", "travel",
                                                         "activities", "objects", "symbols", "flags"};
    struct category all[DISCOVER_CATEGORIES];
    const struct messages *messages = lang ? messages_in(lang) : NULL;
    messages = messages ? messages : messages_at(0);
    const char *at = messages_get(messages, MESSAGE_categories), *names[DISCOVER_CATEGORIES];
    struct find_answer covers;
    struct buf lines;
    *n = 0;
    for (size_t i = 0; i < DISCOVER_CATEGORIES; i++) {
        all[i] = (struct category){.id = ids[i]};
        if (!(all[i].name = next_piece(&at, '|', req->arena)) || !(all[i].query = next_piece(&at, '|', req->arena)))
            return err_no_memory(err, "categories");
    }
    buf_init(&lines, ANSWERS_MAX_BYTES);
    enum status st = recall_covers(s, req, messages_tag(messages), filter, all, &lines, err);
    at = buf_str(&lines);
    for (size_t i = 0; i < DISCOVER_CATEGORIES && st == OK; i++)
        if (!(names[i] = next_piece(&at, '\n', req->arena)))
            st = err_no_memory(err, "categories");
    buf_free(&lines);
    if (st == OK)
        st = discover_named(s, names, DISCOVER_CATEGORIES, req->arena, &covers, err);
    for (size_t i = 0, k = 0; i < DISCOVER_CATEGORIES && st == OK && k < covers.n; i++)
        if (strcmp(covers.results[k].sticker->filename, names[i]) == 0) {
            out[*n] = all[i];
            out[(*n)++].cover = covers.results[k++];
        }
    return st;
}
