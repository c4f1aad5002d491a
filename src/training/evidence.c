/* evidence.c: two sorts. The first brings the events of one client in one search together, which says what was chosen
 * and what was skipped. Its results, the scores and the votes go into the second, by search:
 *
 *     folded \0 'a' client \0                   somebody who asked or voted; "" for all who are not known
 *     folded \0 'b' language \0                 of an event's search
 *     folded \0 'c' sticker \0 struct sums      to be added up
 *     folded \0 'd' rank sticker \0 struct seen likewise */
#include "training/evidence.h"

#include "base/sorter.h"
#include "text/text.h"
#include "training/split.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE         1000u
#define PAGE_BYTES   (32u << 20)
#define SORT_BYTES   (24u << 20)
#define FOLDED_BYTES 1020u /* 255 characters */
#define WORD         64    /* bytes of a language's tag and of a ranking's name, with the NUL */
#define SEARCH_SHOWN 128u  /* stickers of one search that are looked at: a receipt has at most 100 */
#define RANKINGS     64u

struct sums {
    int64_t up, down, chosen, shown, skipped;
    int64_t anonymous; /* votes of unknown voters: all votes less those of known ones */
};
struct seen {
    double shown, chosen;
};
struct ranking {
    char name[WORD];
    int64_t events;
};

struct evidence {
    struct evidence_config cfg;
    struct sorter *events, *searches;
    struct arena arena; /* a page of rows, and the folded text of one */
    struct buf record;
    struct ranking rankings[RANKINGS];
    size_t n_rankings;
    int64_t n_events, too_few;
    struct evidence_sticker *stickers; /* [2 * EVIDENCE_STICKERS] */
    struct evidence_seen *seen;        /* [2 * EVIDENCE_SEEN] */
    char query[FOLDED_BYTES + 1], language[WORD];
    unsigned char *held; /* a record that belongs to the next search */
    size_t held_len;
};

/* --- records --- */

static void put_text(struct buf *out, const char *s)
{
    buf_append(out, s, strlen(s) + 1);
}

static enum status add(struct evidence *e, struct sorter *to, struct error *err)
{
    enum status st = buf_status(&e->record, err);
    return st == OK ? sorter_add(to, e->record.data, e->record.len, err) : st;
}

/* A record of the second sort: what is known by `name` of a search. */
static enum status add_fact(struct evidence *e, const char *folded, char kind, const char *name, const void *data,
                            size_t len, struct error *err)
{
    buf_reset(&e->record);
    put_text(&e->record, folded);
    buf_putc(&e->record, kind);
    put_text(&e->record, name);
    buf_append(&e->record, data, len);
    return add(e, e->searches, err);
}

static enum status add_sums(struct evidence *e, const char *folded, const char *sticker, const struct sums *sums,
                            struct error *err)
{
    return add_fact(e, folded, 'c', sticker, sums, sizeof *sums, err);
}

/* The next text of a record; NULL where there is none. */
static const char *take_text(const unsigned char **at, const unsigned char *end)
{
    const unsigned char *nul = *at < end ? memchr(*at, 0, (size_t)(end - *at)) : NULL;
    const char *text = (const char *)*at;
    if (!nul)
        return NULL;
    *at = nul + 1;
    return text;
}

/* --- what is read --- */

static const char *fold(struct evidence *e, const char *query, enum status *st, struct error *err)
{
    const char *folded = "";
    *st = text_fold_query(query, FOLDED_BYTES, &e->arena, &folded, err);
    return folded;
}

static void count_ranking(struct evidence *e, const char *name)
{
    size_t i = 0;
    while (i < e->n_rankings && strncmp(e->rankings[i].name, name, WORD - 1) != 0)
        i++;
    if (i == RANKINGS)
        return;
    if (i == e->n_rankings)
        snprintf(e->rankings[e->n_rankings++].name, WORD, "%s", name);
    e->rankings[i].events++;
}

static enum status read_event(struct evidence *e, const struct logged_event *event, struct error *err)
{
    enum status st;
    const char *folded = fold(e, event->query, &st, err);
    if (st != OK || !*folded)
        return st;
    e->n_events++;
    if (*event->ranking) /* a vote without a receipt has neither this nor a language */
        count_ranking(e, event->ranking);
    st = add_fact(e, folded, 'a', event->client, "", 0, err);
    if (st == OK && *event->language)
        st = add_fact(e, folded, 'b', event->language, "", 0, err);
    if (st != OK || !*event->sticker || event->rank < 1 || event->rank > UINT32_MAX)
        return st;
    uint32_t rank = (uint32_t)event->rank;
    double weight = event->propensity > 0 ? PROPENSITY_ONE / (double)event->propensity : EVIDENCE_CLIP;
    weight = weight < EVIDENCE_CLIP ? weight : EVIDENCE_CLIP;
    buf_reset(&e->record);
    put_text(&e->record, folded);
    buf_append(&e->record, event->search, sizeof event->search);
    put_text(&e->record, event->client);
    put_text(&e->record, event->sticker);
    buf_putc(&e->record, (char)event->action);
    buf_append(&e->record, &rank, sizeof rank);
    buf_append(&e->record, &weight, sizeof weight);
    return add(e, e->events, err);
}

static enum status read_events(struct evidence *e, struct error *err)
{
    struct logged_event *events;
    size_t n = PAGE;
    enum status st = OK;
    for (int64_t at = e->cfg.after; st == OK && n == PAGE && at < e->cfg.until;) {
        arena_reset(&e->arena);
        st = sticker_store_events_list(e->cfg.store, at, PAGE, &e->arena, &events, &n, err);
        for (size_t i = 0; st == OK && i < n; i++) {
            at = events[i].row;
            if (at <= e->cfg.until)
                st = read_event(e, &events[i], err);
        }
    }
    return st;
}

static enum status read_scores(struct evidence *e, struct error *err)
{
    struct score_row *rows;
    char query[1024] = "", sticker_id[40] = "";
    size_t n = PAGE;
    enum status st = OK;
    while (st == OK && n == PAGE) {
        arena_reset(&e->arena);
        st = sticker_store_export(e->cfg.store, 0, query, sticker_id, PAGE, &e->arena, &rows, &n, err);
        for (size_t i = 0; st == OK && i < n; i++) {
            const struct score_row *r = &rows[i];
            struct sums sums = {.up = r->positives, .down = r->negatives, .anonymous = r->positives + r->negatives};
            const char *folded = fold(e, r->query, &st, err);
            if (e->cfg.voters == EVIDENCE_HELD_OUT)
                sums.up = sums.down = 0;
            if (st == OK && *folded)
                st = add_sums(e, folded, r->sticker, &sums, err);
        }
        if (st == OK && n) {
            snprintf(query, sizeof query, "%s", rows[n - 1].query);
            snprintf(sticker_id, sizeof sticker_id, "%s", rows[n - 1].sticker_id);
        }
    }
    return st;
}

static enum status read_ballot(struct evidence *e, const struct ballot_row *ballot, struct error *err)
{
    enum status st;
    const char *folded = fold(e, ballot->query, &st, err);
    int64_t vote = !split_holds_out(ballot->voter)      ? 0
                   : e->cfg.voters == EVIDENCE_TAUGHT   ? -1 /* it is among the scores */
                   : e->cfg.voters == EVIDENCE_HELD_OUT ? 1
                                                        : 0;
    struct sums sums = {.anonymous = -1};
    *(ballot->positive ? &sums.up : &sums.down) = vote;
    if (st != OK || !*folded)
        return st;
    st = add_fact(e, folded, 'a', ballot->voter, "", 0, err);
    return st == OK ? add_sums(e, folded, ballot->sticker, &sums, err) : st;
}

static enum status read_ballots(struct evidence *e, struct error *err)
{
    struct arena pages[2]; /* the last row of a page says where the next begins */
    struct ballot_row *rows, last = {0};
    size_t n = PAGE;
    enum status st = OK;
    arena_init(&pages[0], PAGE_BYTES);
    arena_init(&pages[1], PAGE_BYTES);
    for (size_t page = 0; st == OK && n == PAGE; page++) {
        struct arena *a = &pages[page % 2];
        arena_reset(a);
        arena_reset(&e->arena);
        st = sticker_store_ballots_list(e->cfg.store, page ? &last : NULL, PAGE, a, &rows, &n, err);
        for (size_t i = 0; st == OK && i < n; i++)
            st = read_ballot(e, &rows[i], err);
        if (st == OK && n)
            last = rows[n - 1];
    }
    arena_free(&pages[0]);
    arena_free(&pages[1]);
    return st;
}

/* --- one client's events in one search --- */

struct shown {
    char name[STICKER_FILENAME_MAX + 1];
    uint32_t rank;
    double weight;
    bool seen, chosen, liked; /* liked: chosen, or voted for */
};
struct visit {
    const char *folded, *client;
    struct shown shown[SEARCH_SHOWN];
    size_t n;
};

static void see(struct visit *v, const char *sticker, enum event_action action, uint32_t rank, double weight)
{
    size_t i = 0;
    while (i < v->n && strcmp(v->shown[i].name, sticker) != 0)
        i++;
    if (i == SEARCH_SHOWN || strlen(sticker) > STICKER_FILENAME_MAX)
        return;
    struct shown *s = &v->shown[i];
    if (i == v->n) {
        *s = (struct shown){.rank = rank, .weight = weight};
        memcpy(s->name, sticker, strlen(sticker) + 1);
        v->n++;
    }
    bool chosen = action == EVENT_CLICK || action == EVENT_COPY || action == EVENT_SHARE || action == EVENT_FAVOURITE;
    s->seen = s->seen || action == EVENT_IMPRESSION;
    s->chosen = s->chosen || chosen;
    s->liked = s->liked || chosen || action == EVENT_VOTE_UP;
}

static enum status visit_ends(struct evidence *e, const struct visit *v, struct error *err)
{
    uint32_t lowest = 0;
    enum status st = OK;
    bool taught = e->cfg.voters == EVIDENCE_ALL || (e->cfg.voters == EVIDENCE_TAUGHT && !split_holds_out(v->client));
    for (size_t i = 0; i < v->n; i++)
        if (v->shown[i].liked && v->shown[i].rank > lowest)
            lowest = v->shown[i].rank;
    for (size_t i = 0; i < v->n && st == OK; i++) {
        const struct shown *s = &v->shown[i];
        struct sums sums = {.chosen = s->chosen, .shown = s->seen, .skipped = s->seen && !s->liked && s->rank < lowest};
        if (taught)
            st = add_sums(e, v->folded, s->name, &sums, err);
        if (st != OK || !e->cfg.seen || s->rank > EVIDENCE_DEPTH || !(s->seen || s->chosen))
            continue;
        struct seen seen = {s->weight, s->chosen ? s->weight : 0};
        char name[STICKER_FILENAME_MAX + 2];
        name[0] = (char)s->rank;
        memcpy(name + 1, s->name, strlen(s->name) + 1);
        st = add_fact(e, v->folded, 'd', name, &seen, sizeof seen, err);
    }
    return st;
}

/* Takes a record of the first sort apart. *key_len: of the search and the client. */
static bool split_event(const unsigned char *record, size_t len, size_t *key_len, const char **client,
                        const char **sticker, enum event_action *action, uint32_t *rank, double *weight)
{
    const unsigned char *at = record, *end = record + len;
    if (!take_text(&at, end) || (size_t)(end - at) < STORE_SEARCH_ID)
        return false;
    at += STORE_SEARCH_ID;
    *client = take_text(&at, end);
    *key_len = (size_t)(at - record);
    *sticker = take_text(&at, end);
    if (!*client || !*sticker || (size_t)(end - at) != 1 + sizeof *rank + sizeof *weight)
        return false;
    *action = (enum event_action) * at;
    memcpy(rank, at + 1, sizeof *rank);
    memcpy(weight, at + 1 + sizeof *rank, sizeof *weight);
    return true;
}

static enum status visits(struct evidence *e, struct error *err)
{
    struct visit *v = calloc(1, sizeof *v);
    unsigned char *key = malloc(SORTER_RECORD_MAX);
    size_t key_len = 0, client_at = 0;
    enum status st = v && key ? sorter_end(e->events, err) : err_no_memory(err, "the events of a search");
    const void *record = NULL;
    size_t len;
    while (st == OK && (st = sorter_next(e->events, &record, &len, err)) == OK && record) {
        const char *client, *sticker;
        enum event_action action;
        uint32_t rank;
        double weight;
        size_t n;
        if (!split_event(record, len, &n, &client, &sticker, &action, &rank, &weight)) {
            st = err_set(err, ERR_INTERNAL, "a record of an event cannot be read");
            break;
        }
        if (n != key_len || memcmp(key, record, n) != 0) {
            v->folded = (const char *)key;
            v->client = (const char *)key + client_at;
            st = visit_ends(e, v, err);
            memcpy(key, record, n);
            key_len = n;
            client_at = (size_t)(client - (const char *)record);
            v->n = 0;
        }
        see(v, sticker, action, rank, weight);
    }
    if (st == OK && v->n) {
        v->folded = (const char *)key;
        v->client = (const char *)key + client_at;
        st = visit_ends(e, v, err);
    }
    free(v);
    free(key);
    sorter_close(e->events);
    e->events = NULL;
    return st;
}

/* --- opening --- */

static enum status read_all(struct evidence *e, struct error *err)
{
    enum status st = sorter_open(e->cfg.folder, SORT_BYTES, &e->searches, err);
    if (st == OK)
        st = sorter_open(e->cfg.folder, SORT_BYTES, &e->events, err);
    if (st == OK)
        st = read_events(e, err);
    if (st == OK)
        st = visits(e, err);
    if (st == OK)
        st = read_scores(e, err);
    if (st == OK)
        st = read_ballots(e, err);
    return st == OK ? sorter_end(e->searches, err) : st;
}

enum status evidence_open(const struct evidence_config *cfg, struct evidence **out, struct error *err)
{
    struct evidence *e = *out = calloc(1, sizeof *e);
    if (!e)
        return err_no_memory(err, "evidence");
    e->cfg = *cfg;
    arena_init(&e->arena, PAGE_BYTES);
    buf_init(&e->record, SORTER_RECORD_MAX);
    e->stickers = calloc(2 * EVIDENCE_STICKERS, sizeof *e->stickers);
    e->seen = calloc(2 * EVIDENCE_SEEN, sizeof *e->seen);
    e->held = malloc(SORTER_RECORD_MAX);
    enum status st = e->stickers && e->seen && e->held ? read_all(e, err) : err_no_memory(err, "evidence");
    if (st == OK)
        return OK;
    evidence_close(e);
    *out = NULL;
    return st;
}

void evidence_close(struct evidence *e)
{
    if (!e)
        return;
    sorter_close(e->events);
    sorter_close(e->searches);
    arena_free(&e->arena);
    buf_free(&e->record);
    free(e->stickers);
    free(e->seen);
    free(e->held);
    free(e);
}

int64_t evidence_events(const struct evidence *e)
{
    return e->n_events;
}

int64_t evidence_too_few(const struct evidence *e)
{
    return e->too_few;
}

bool evidence_ranking(const struct evidence *e, size_t i, const char **name, int64_t *events)
{
    if (i >= e->n_rankings)
        return false;
    *name = e->rankings[i].name;
    *events = e->rankings[i].events;
    return true;
}

/* --- a search --- */

static int64_t strength(const struct evidence_sticker *s)
{
    return 10 * (s->up + s->down) + s->chosen + s->skipped;
}

static int strongest(const void *x, const void *y)
{
    const struct evidence_sticker *a = x, *b = y;
    int64_t of_a = strength(a), of_b = strength(b);
    return of_a != of_b ? (of_a < of_b) - (of_a > of_b) : strcmp(a->name, b->name);
}

static int most_seen(const void *x, const void *y)
{
    const struct evidence_seen *a = x, *b = y;
    int order = (a->shown < b->shown) - (a->shown > b->shown);
    order = order ? order : (a->rank > b->rank) - (a->rank < b->rank);
    return order ? order : strcmp(a->name, b->name);
}

/* A search as it grows while its records are read. */
struct gathering {
    struct evidence *e;
    struct evidence_query *out;
    struct sums sums; /* of out->stickers[n - 1] */
    char last[STICKER_FILENAME_MAX + 2];
    char kind;          /* of the last record */
    int64_t same, most; /* searches of the last language, and of the one that most were in */
    bool unknown;       /* somebody who is not known asked or voted */
};

static void sticker_ends(struct gathering *g)
{
    struct evidence_query *q = g->out;
    struct evidence *e = g->e;
    if (g->kind != 'c')
        return;
    const struct sums *s = &g->sums;
    g->unknown = g->unknown || s->anonymous > 0;
    if (s->up <= 0 && s->down <= 0 && s->chosen == 0 && s->skipped == 0)
        return;
    struct evidence_sticker *to = &e->stickers[q->n++];
    *to = (struct evidence_sticker){.up = s->up > 0 ? s->up : 0,
                                    .down = s->down > 0 ? s->down : 0,
                                    .chosen = s->chosen,
                                    .shown = s->shown,
                                    .skipped = s->skipped};
    memcpy(to->name, g->last, strlen(g->last) + 1);
    if (q->n == 2 * EVIDENCE_STICKERS) {
        qsort(e->stickers, q->n, sizeof *e->stickers, strongest);
        q->dropped += EVIDENCE_STICKERS;
        q->n = EVIDENCE_STICKERS;
    }
}

static void language_ends(struct gathering *g)
{
    if (g->kind != 'b' || g->same <= g->most)
        return;
    g->most = g->same;
    snprintf(g->e->language, sizeof g->e->language, "%.63s", g->last);
}

static void thing_ends(struct gathering *g)
{
    language_ends(g);
    sticker_ends(g);
}

static void gather_sums(struct gathering *g, const void *data, bool fresh)
{
    struct sums s;
    memcpy(&s, data, sizeof s);
    if (fresh)
        g->sums = (struct sums){0};
    g->sums.up += s.up;
    g->sums.down += s.down;
    g->sums.chosen += s.chosen;
    g->sums.shown += s.shown;
    g->sums.skipped += s.skipped;
    g->sums.anonymous += s.anonymous;
}

static void gather_seen(struct gathering *g, const char *name, const void *data, bool fresh)
{
    struct seen s;
    struct evidence_query *q = g->out;
    memcpy(&s, data, sizeof s);
    if (fresh && q->n_seen == 2 * EVIDENCE_SEEN) {
        qsort(g->e->seen, q->n_seen, sizeof *g->e->seen, most_seen);
        q->n_seen = EVIDENCE_SEEN;
    }
    if (fresh) {
        struct evidence_seen *to = &g->e->seen[q->n_seen++];
        *to = (struct evidence_seen){.rank = (unsigned char)name[0]};
        memcpy(to->name, name + 1, strlen(name));
    }
    g->e->seen[q->n_seen - 1].shown += s.shown;
    g->e->seen[q->n_seen - 1].chosen += s.chosen;
}

/* One record, after the search's text. */
static enum status gather(struct gathering *g, const unsigned char *at, const unsigned char *end, struct error *err)
{
    char kind = at < end ? (char)*at++ : 0;
    const char *name = take_text(&at, end);
    size_t len = (size_t)(end - at), expected = kind == 'c'   ? sizeof(struct sums)
                                                : kind == 'd' ? sizeof(struct seen)
                                                              : 0;
    if (!name || strlen(name) >= sizeof g->last || len != expected)
        return err_set(err, ERR_INTERNAL, "a record of a search cannot be read");
    bool fresh = kind != g->kind || strcmp(name, g->last) != 0;
    if (fresh)
        thing_ends(g);
    g->same = fresh ? 1 : g->same + 1;
    if (kind == 'a' && fresh)
        *name ? (void)g->out->clients++ : (void)(g->unknown = true);
    else if (kind == 'c')
        gather_sums(g, at, fresh);
    else if (kind == 'd')
        gather_seen(g, name, at, fresh);
    g->kind = kind;
    if (fresh)
        memcpy(g->last, name, strlen(name) + 1);
    return OK;
}

/* All records of the next search; out->query NULL at the end. */
static enum status gather_search(struct evidence *e, struct evidence_query *out, struct error *err)
{
    struct gathering g = {.e = e, .out = out};
    const void *record = e->held;
    size_t len = e->held_len;
    enum status st = OK;
    *out = (struct evidence_query){.stickers = e->stickers, .seen = e->seen, .language = e->language};
    e->language[0] = '\0';
    if (!len)
        st = sorter_next(e->searches, &record, &len, err);
    for (; st == OK && record; st = sorter_next(e->searches, &record, &len, err)) {
        const unsigned char *at = record, *end = at + len;
        const char *query = take_text(&at, end);
        if (!query || strlen(query) >= sizeof e->query)
            return err_set(err, ERR_INTERNAL, "a record of a search cannot be read");
        if (out->query && strcmp(query, e->query) != 0)
            break;
        if (!out->query)
            out->query = memcpy(e->query, query, strlen(query) + 1);
        if ((st = gather(&g, at, end, err)) != OK)
            return st;
    }
    if (st != OK)
        return st;
    e->held_len = record ? len : 0;
    if (record)
        memmove(e->held, record, len);
    thing_ends(&g);
    out->clients += g.unknown;
    return OK;
}

enum status evidence_next(struct evidence *e, struct evidence_query *out, bool *found, struct error *err)
{
    enum status st;
    while ((st = gather_search(e, out, err)) == OK && out->query && out->clients < e->cfg.min_clients)
        e->too_few++;
    *found = st == OK && out->query;
    if (!*found)
        return st;
    if (out->n)
        qsort(e->stickers, out->n, sizeof *e->stickers, strongest);
    if (out->n_seen)
        qsort(e->seen, out->n_seen, sizeof *e->seen, most_seen);
    if (out->n > EVIDENCE_STICKERS) {
        out->dropped += (int64_t)(out->n - EVIDENCE_STICKERS);
        out->n = EVIDENCE_STICKERS;
    }
    out->n_seen = out->n_seen < EVIDENCE_SEEN ? out->n_seen : EVIDENCE_SEEN;
    return OK;
}
