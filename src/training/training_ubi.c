/* training_ubi.c: searches and events with the names of User Behavior Insights 1.3 (https://github.com/o19s/ubi).
 *
 * "ubi" has one object a line. "opensearch" has a line before each that says where _bulk puts it, by an id of its own,
 * so that what is loaded twice is there once. */
#include "training/training_internal.h"

#include "base/json_out.h"
#include "base/os.h"
#include "text/text.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PAGE         1000u
#define FOLDED_BYTES 1020u

struct name {
    unsigned char tag[STORE_TAG];
    char *filename;
};
struct ubi {
    struct training *t;
    uint64_t *allowed; /* hashes of the searches of enough clients, sorted */
    size_t n_allowed, cap_allowed;
    struct name *names; /* of all stickers, by tag */
    size_t n_names, cap_names;
    struct sorter *searches; /* id, '0' for one that an event in the export is of, '1' and its line */
};

/* --- what may be told --- */

static uint64_t hash(const char *text)
{
    char hex[65];
    os_sha256_hex(text, strlen(text), hex);
    hex[16] = '\0';
    return strtoull(hex, NULL, 16);
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static bool grow(void *items, size_t n, size_t *cap, size_t size)
{
    void **list = items;
    if (n < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 1024;
    void *bigger = reallocarray(*list, more, size);
    if (!bigger)
        return false;
    *list = bigger;
    *cap = more;
    return true;
}

static enum status read_allowed(struct ubi *u, struct error *err)
{
    const char *query = "";
    enum status st = OK;
    while (st == OK && (st = training_next_text(u->t, &query, err)) == OK && query) {
        if (!grow(&u->allowed, u->n_allowed, &u->cap_allowed, sizeof *u->allowed))
            return err_no_memory(err, "%zu searches", u->n_allowed);
        u->allowed[u->n_allowed++] = hash(query);
        u->t->queries[split_of(query)]++;
    }
    if (st == OK && u->n_allowed)
        qsort(u->allowed, u->n_allowed, sizeof *u->allowed, by_number);
    return st;
}

/* The search as it is told; NULL: it may not be, or (st) something failed. */
static const char *allowed(struct ubi *u, const char *query, enum status *st, struct error *err)
{
    const char *folded;
    *st = text_fold_query(query, FOLDED_BYTES, &u->t->arena, &folded, err);
    if (*st != OK)
        return NULL;
    uint64_t key = hash(folded);
    return u->n_allowed && bsearch(&key, u->allowed, u->n_allowed, sizeof key, by_number) ? folded : NULL;
}

/* --- stickers by their tags --- */

static int by_tag(const void *x, const void *y)
{
    const struct name *a = x, *b = y;
    return memcmp(a->tag, b->tag, STORE_TAG);
}

static enum status read_names(struct ubi *u, struct error *err)
{
    char after[STICKER_FILENAME_MAX + 1] = "";
    struct sticker *stickers;
    size_t n = PAGE;
    enum status st = OK;
    while (st == OK && n == PAGE) {
        arena_reset(&u->t->arena);
        st = sticker_store_list(u->t->cfg.store, after, PAGE, &u->t->arena, &stickers, &n, err);
        for (size_t i = 0; st == OK && i < n; i++) {
            if (!grow(&u->names, u->n_names, &u->cap_names, sizeof *u->names) ||
                !(u->names[u->n_names].filename = buf_strndup(stickers[i].filename, strlen(stickers[i].filename))))
                return err_no_memory(err, "the names of stickers");
            (void)store_tag(stickers[i].id, u->names[u->n_names++].tag);
        }
        if (st == OK && n)
            snprintf(after, sizeof after, "%s", stickers[n - 1].filename);
    }
    if (st == OK && u->n_names)
        qsort(u->names, u->n_names, sizeof *u->names, by_tag);
    return st;
}

static const char *name_of(const struct ubi *u, const unsigned char *tag)
{
    struct name key;
    memcpy(key.tag, tag, STORE_TAG);
    const struct name *found = u->n_names ? bsearch(&key, u->names, u->n_names, sizeof key, by_tag) : NULL;
    return found ? found->filename : "";
}

/* --- lines --- */

static bool bulk(const struct ubi *u)
{
    return strcmp(u->t->cfg.kind, "opensearch") == 0;
}

static void put_id(struct buf *out, const unsigned char id[STORE_SEARCH_ID])
{
    char hex[2 * STORE_SEARCH_ID + 1];
    buf_puts(out, sodium_bin2hex(hex, sizeof hex, id, STORE_SEARCH_ID));
}

/* In milliseconds, as OpenSearch keeps times. */
static void put_time(struct buf *out, int64_t us)
{
    char text[28];
    os_format_time(us, text);
    buf_printf(out, "%.23sZ", text);
}

static void put_search(const struct ubi *u, struct buf *out, const struct search_row *s, const char *query)
{
    if (bulk(u)) {
        buf_puts(out, "{\"index\":{\"_index\":\"ubi_queries\",\"_id\":\"");
        put_id(out, s->id);
        buf_puts(out, "\"}}\n");
    }
    buf_puts(out, "{\"application\":\"peel\",\"query_id\":\"");
    put_id(out, s->id);
    buf_puts(out, "\",\"user_query\":");
    json_put_string(out, query);
    buf_puts(out, ",\"timestamp\":\"");
    put_time(out, s->made_us);
    buf_puts(out, "\",\"object_id_field\":\"filename\",\"query_attributes\":{\"language\":");
    json_put_string(out, s->language);
    buf_puts(out, ",\"ranking\":");
    json_put_string(out, s->ranking);
    buf_printf(out, ",\"offset\":%lld,\"split\":\"%s\"},\"query_response_id\":\"", (long long)s->offset,
               split_names[split_of(query)]);
    put_id(out, s->id);
    buf_puts(out, "\",\"query_response_hit_ids\":[");
    for (size_t i = 0; i < s->n; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, name_of(u, s->shown + i * STORE_TAG));
    }
    buf_puts(out, "]}\n");
}

static void put_event(const struct ubi *u, struct buf *out, const struct logged_event *e, const char *query)
{
    if (bulk(u))
        buf_printf(out, "{\"index\":{\"_index\":\"ubi_events\",\"_id\":\"%lld\"}}\n", (long long)e->row);
    buf_printf(out, "{\"application\":\"peel\",\"action_name\":\"%s\",\"query_id\":\"",
               (unsigned)e->action < EVENT_ACTIONS ? event_actions[e->action] : "unknown");
    put_id(out, e->search);
    buf_puts(out, "\",\"client_id\":");
    json_put_string(out, e->client);
    buf_puts(out, ",\"timestamp\":\"");
    put_time(out, e->at_us);
    buf_puts(out, "\",\"user_query\":");
    json_put_string(out, query);
    buf_puts(out, ",\"event_attributes\":{\"object\":{\"object_id\":");
    json_put_string(out, e->sticker);
    buf_puts(out, ",\"object_id_field\":\"filename\"}");
    if (e->rank > 0) /* of a sticker that a search showed */
        buf_printf(out, ",\"position\":{\"ordinal\":%lld},\"propensity\":%g", (long long)e->rank,
                   (double)e->propensity / PROPENSITY_ONE);
    if (e->experiment)
        buf_printf(out, ",\"experiment\":%lld,\"team\":%s", (long long)e->experiment,
                   e->team == TEAM_A   ? "\"A\""
                   : e->team == TEAM_B ? "\"B\""
                                       : "null");
    buf_puts(out, "}}\n");
}

/* --- files --- */

static enum status mark_search(struct ubi *u, const unsigned char id[STORE_SEARCH_ID], struct error *err)
{
    unsigned char record[STORE_SEARCH_ID + 1];
    memcpy(record, id, STORE_SEARCH_ID);
    record[STORE_SEARCH_ID] = '0';
    return sorter_add(u->searches, record, sizeof record, err);
}

static enum status write_events(struct ubi *u, struct training_file *to, struct error *err)
{
    struct training *t = u->t;
    struct logged_event *events;
    size_t n = PAGE;
    enum status st = OK;
    for (int64_t at = t->cfg.after; st == OK && n == PAGE && at < t->until;) {
        arena_reset(&t->arena);
        st = training_go_on(t, err);
        if (st == OK)
            st = sticker_store_events_list(t->cfg.store, at, PAGE, &t->arena, &events, &n, err);
        for (size_t i = 0; st == OK && i < n && (at = events[i].row) <= t->until; i++) {
            const char *query = allowed(u, events[i].query, &st, err);
            if (!query)
                continue;
            put_event(u, &t->text, &events[i], query);
            t->rows[split_of(query)]++;
            st = mark_search(u, events[i].search, err);
            if (st == OK)
                st = training_put(t, to, err);
        }
    }
    return st;
}

static enum status sort_searches(struct ubi *u, struct error *err)
{
    struct training *t = u->t;
    struct logged_search *searches;
    size_t n = PAGE;
    int64_t at = 0;
    enum status st = OK;
    while (st == OK && n == PAGE) {
        arena_reset(&t->arena);
        st = training_go_on(t, err);
        if (st == OK)
            st = sticker_store_searches_list(t->cfg.store, at, PAGE, &t->arena, &searches, &n, err);
        for (size_t i = 0; st == OK && i < n; i++) {
            at = searches[i].row;
            const char *query = allowed(u, searches[i].search.query, &st, err);
            if (!query)
                continue;
            buf_append(&t->text, searches[i].id, STORE_SEARCH_ID);
            buf_putc(&t->text, '1');
            put_search(u, &t->text, &searches[i].search, query);
            st = buf_status(&t->text, err);
            if (st == OK)
                st = sorter_add(u->searches, t->text.data, t->text.len, err);
            buf_reset(&t->text);
        }
    }
    return st == OK ? sorter_end(u->searches, err) : st;
}

/* Those with a mark. */
static enum status write_searches(struct ubi *u, struct training_file *to, struct error *err)
{
    unsigned char marked[STORE_SEARCH_ID] = {0};
    const void *record = NULL;
    size_t len;
    enum status st = sort_searches(u, err);
    while (st == OK && (st = sorter_next(u->searches, &record, &len, err)) == OK && record) {
        const char *line = (const char *)record + STORE_SEARCH_ID;
        if (*line == '0')
            memcpy(marked, record, sizeof marked);
        else if (memcmp(marked, record, sizeof marked) == 0) {
            buf_append(&u->t->text, line + 1, len - STORE_SEARCH_ID - 1);
            st = training_put(u->t, to, err);
        }
    }
    return st;
}

enum status training_write_ubi(struct training *t, struct error *err)
{
    struct ubi u = {.t = t};
    struct training_file events = {.out = NULL}, queries = {.out = NULL};
    enum status st = read_allowed(&u, err);
    if (st == OK)
        st = read_names(&u, err);
    if (st == OK)
        st = sorter_open(t->state, TRAINING_SORT_BYTES, &u.searches, err);
    if (st == OK)
        st = training_create(t, "ubi_events.ndjson", &events, err);
    if (st == OK)
        st = training_create(t, "ubi_queries.ndjson", &queries, err);
    if (st == OK)
        st = write_events(&u, &events, err);
    if (st == OK)
        st = write_searches(&u, &queries, err);
    st = training_close(&events, st, err);
    st = training_close(&queries, st, err);
    for (size_t i = 0; i < u.n_names; i++)
        free(u.names[i].filename);
    free(u.names);
    free(u.allowed);
    sorter_close(u.searches);
    return st;
}
