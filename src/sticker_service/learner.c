/* learner.c: what learning does to the database: events become evidence, evidence becomes gains. */
#include "base/log.h"
#include "base/os.h"
#include "sticker_service/learn.h"
#include "text/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MEMORY      (128u << 20) /* of a piece of work */
#define DAY_US      ((double)STORE_DAY_US)
#define MET_ENTRIES (1u << 18)
#define SAMPLED     200u /* looks of a network in a day, by which ranks are judged */
#define MET_FULL    (MET_ENTRIES / 4 * 3)
#define RECALLED    5000u        /* events at once */
#define ALIKE_MOST  50u          /* queries that teach one lesson together */
#define AGAIN_US    STORE_DAY_US /* after which gains are made anew, as votes have become older */
#define ALL_TIMES   50           /* gains of all queries together are made after so many times as long as that takes */
#define ALL_LEAST   0.05         /* a gain over all queries below which it is not told */

/* Who has seen or clicked what today, each once: two tables of hashes, open addressing; when the first is full, it
 * becomes the second, whose entries are forgotten. They have what the log says up to `row`: when the watermark is
 * another row, because another instance has moved it, a pass has failed or everything is learnt anew, they are made to
 * have what it says up to there (recall). */
struct met {
    uint64_t *now, *before; /* [MET_ENTRIES] 0: free */
    size_t n;
    int64_t row;
};

enum { MET_LOOK, MET_CLICK, MET_SAMPLE, MET_PLACE }; /* what a hash is of */

struct learner {
    struct sticker_store *store;
    struct learn_settings settings;
    struct met met;
    int64_t all_us, all_after_us; /* when gains over all queries were made; not before, monotonic */
};

static bool met_has(const uint64_t *table, uint64_t hash)
{
    for (size_t at = hash & (MET_ENTRIES - 1); table[at]; at = (at + 1) & (MET_ENTRIES - 1))
        if (table[at] == hash)
            return true;
    return false;
}

/* Adds it; false: it was there. */
static bool met_first(struct met *m, uint64_t hash)
{
    hash = hash ? hash : 1;
    if (met_has(m->now, hash) || met_has(m->before, hash))
        return false;
    if (m->n >= MET_FULL) {
        uint64_t *swap = m->before;
        m->before = m->now;
        m->now = swap;
        memset(m->now, 0, MET_ENTRIES * sizeof *m->now);
        m->n = 0;
    }
    size_t at = hash & (MET_ENTRIES - 1);
    while (m->now[at])
        at = (at + 1) & (MET_ENTRIES - 1);
    m->now[at] = hash;
    m->n++;
    return true;
}

enum status learner_open(struct sticker_store *store, const struct learn_settings *settings, struct learner **out,
                         struct error *err)
{
    struct learner *l = *out = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(err, "learning");
    l->store = store;
    l->settings = *settings;
    l->met.now = calloc(MET_ENTRIES, sizeof *l->met.now);
    l->met.before = calloc(MET_ENTRIES, sizeof *l->met.before);
    return l->met.now && l->met.before ? sticker_store_learn_open(store, err) : err_no_memory(err, "learning");
}

void learner_close(struct learner *l)
{
    if (!l)
        return;
    free(l->met.now);
    free(l->met.before);
    free(l);
}

/* --- events become evidence --- */

struct reading {
    struct learner *l;
    struct arena *a;
    struct learn_batch *batch;
    struct learn_vote *votes;
    struct learn_clicks *clicks;
    double looked[LEARN_RANKS + 1];
    const char *typed, *key; /* the last query, and what it became */
};

static bool is_click(enum event_action action)
{
    return action == EVENT_CLICK || action == EVENT_COPY || action == EVENT_SHARE || action == EVENT_FAVOURITE;
}

/* What somebody does for the first time today with a sticker for a query: whoever clicks has also looked. */
struct meeting {
    bool seen, clicked;
    bool sampled; /* it is one of those by which ranks are judged */
};

/* What a rank gets anyway holds for all queries, so a network that no token vouches for must not decide it: of what it
 * looks at, ranks are judged by SAMPLED pairs of a query and a sticker a day at most, one for each value of a hash. */
static struct meeting meet(struct reading *r, const struct learn_event *e)
{
    struct met *met = &r->l->met;
    bool known = e->origin.vouched && *e->client;
    struct {
        int64_t who, day;
        uint64_t query, sticker, what;
    } once = {.who = known ? sticker_learn_voter(e->client, &e->origin) : e->origin.person,
              .day = e->at_us / STORE_DAY_US,
              .query = XXH3_64bits(r->key, strlen(r->key)),
              .sticker = XXH3_64bits(e->sticker_id, strlen(e->sticker_id)),
              .what = MET_LOOK};
    struct meeting out = {.seen = met_first(met, XXH3_64bits(&once, sizeof once))};
    once.what = MET_CLICK;
    out.clicked = is_click(e->action) && met_first(met, XXH3_64bits(&once, sizeof once));
    if (!out.seen && !out.clicked)
        return out;
    once.what = MET_SAMPLE;
    uint64_t pair = XXH3_64bits(&once, sizeof once);
    once.who = known ? once.who : e->origin.network;
    once.what = MET_PLACE;
    once.query = pair % SAMPLED;
    once.sticker = 0;
    out.sampled = met_has(met->now, pair) || met_has(met->before, pair) ||
                  (out.seen && met_first(met, XXH3_64bits(&once, sizeof once)) && met_first(met, pair));
    return out;
}

static void read_click(struct reading *r, const struct learn_event *e)
{
    int64_t rank = e->rank < 1 ? 1 : e->rank > LEARN_RANKS ? LEARN_RANKS : e->rank;
    struct meeting m = meet(r, e);
    if (!m.seen && !m.clicked)
        return;
    r->batch->ranks[rank].seen += m.seen && m.sampled;
    r->batch->ranks[rank].clicked += m.clicked && m.sampled;
    r->clicks[r->batch->n_clicks++] = (struct learn_clicks){
        .query = r->key,
        .sticker_id = e->sticker_id,
        .seen = m.seen ? r->looked[rank] : 0,
        .clicked = m.clicked,
        .networks = e->origin.vouched ? LEARN_VOUCHED : INT64_C(1) << e->origin.network % LEARN_NETWORK_BITS,
        .at_us = e->at_us};
}

/* Sets the key of an event's query. */
static enum status read_key(struct reading *r, const struct learn_event *e, struct error *err)
{
    if (r->typed && strcmp(r->typed, e->query) == 0)
        return OK;
    r->typed = e->query;
    return text_fold_query(e->query, TEXT_QUERY_BYTES, r->a, &r->key, err);
}

static enum status read_event(struct reading *r, const struct learn_event *e, struct error *err)
{
    enum status st = read_key(r, e, err);
    bool voted = e->action == EVENT_VOTE_UP || e->action == EVENT_VOTE_DOWN;
    if (st != OK || !*r->key)
        return st;
    if (voted || e->action == EVENT_UNDO)
        r->votes[r->batch->n_votes++] = (struct learn_vote){.query = r->key,
                                                            .sticker_id = e->sticker_id,
                                                            .voter = sticker_learn_voter(e->client, &e->origin),
                                                            .at_us = e->at_us,
                                                            .named = *e->client,
                                                            .vote = e->action == EVENT_VOTE_UP ? 1
                                                                    : voted                    ? -1
                                                                                               : 0,
                                                            .origin = e->origin};
    else if (e->action == EVENT_IMPRESSION || is_click(e->action))
        read_click(r, e);
    return OK;
}

static int by_pair(const void *x, const void *y)
{
    const struct learn_clicks *a = x, *b = y;
    int order = strcmp(a->query, b->query);
    return order ? order : strcmp(a->sticker_id, b->sticker_id);
}

static void merge_clicks(struct learn_clicks *clicks, size_t *n, double half_life_us)
{
    size_t kept = 0;
    if (*n)
        qsort(clicks, *n, sizeof *clicks, by_pair);
    for (size_t i = 0; i < *n; i++) {
        struct learn_clicks *last = kept ? &clicks[kept - 1] : NULL;
        if (!last || by_pair(last, &clicks[i]) != 0)
            clicks[kept++] = clicks[i];
        else
            learn_clicks_add(last, &clicks[i], half_life_us);
    }
    *n = kept;
}

static enum status read_events(struct reading *r, const struct learn_event *events, size_t n, struct error *err)
{
    struct learn_rank ranks[LEARN_RANKS + 1];
    struct learn_bias bias;
    enum status st = sticker_store_learn_ranks(r->l->store, ranks, err);
    learn_bias(ranks, &bias);
    memcpy(r->looked, bias.looked, sizeof r->looked);
    r->votes = arena_array(r->a, n + 1, sizeof *r->votes);
    r->clicks = arena_array(r->a, n + 1, sizeof *r->clicks);
    if (!r->votes || !r->clicks)
        return err_no_memory(err, "%zu events", n);
    for (size_t i = 0; i < n && st == OK; i++)
        st = read_event(r, &events[i], err);
    merge_clicks(r->clicks, &r->batch->n_clicks, r->batch->half_life_us);
    r->batch->votes = r->votes;
    r->batch->clicks = r->clicks;
    return st;
}

/* Makes who was met be what the log says of the watermark's day, from there backwards. */
static enum status recall(struct learner *l, int64_t watermark, struct error *err)
{
    struct arena a;
    struct learn_event *events;
    size_t n;
    int64_t at = watermark, day = -1;
    enum status st = OK;
    if (l->met.row > watermark) {
        memset(l->met.now, 0, MET_ENTRIES * sizeof *l->met.now);
        memset(l->met.before, 0, MET_ENTRIES * sizeof *l->met.before);
        l->met.n = 0;
        l->met.row = 0;
    }
    arena_init(&a, MEMORY);
    for (bool more = at > l->met.row; more && st == OK;) {
        struct reading r = {.l = l, .a = &a};
        arena_reset(&a);
        st = sticker_store_learn_events_before(l->store, l->met.row, at, RECALLED, &a, &events, &n, err);
        more = n == RECALLED;
        for (size_t i = 0; i < n && st == OK; i++) {
            int64_t its = events[i].at_us / STORE_DAY_US;
            day = day < 0 ? its : day;
            if (its != day || l->met.n + 4 > MET_FULL) {
                more = false;
                break;
            }
            at = events[i].row - 1;
            st = read_key(&r, &events[i], err);
            if (st == OK && *r.key)
                (void)meet(&r, &events[i]);
        }
    }
    if (st == OK)
        l->met.row = watermark;
    arena_free(&a);
    return st;
}

enum status learner_read(struct learner *l, size_t limit, bool *more, struct error *err)
{
    struct arena a;
    int64_t numbers[LEARN_NUMBERS];
    struct learn_event *events;
    size_t n;
    struct learn_batch batch = {.half_life_us = l->settings.half_life_days * DAY_US};
    struct reading r = {.l = l, .a = &a, .batch = &batch};
    *more = false;
    arena_init(&a, MEMORY);
    enum status st = sticker_store_learn_numbers(l->store, numbers, err);
    batch.after = numbers[LEARN_WATERMARK];
    batch.forgotten = numbers[LEARN_FORGOTTEN];
    if (st == OK)
        st = recall(l, batch.after, err);
    if (st == OK)
        st = sticker_store_learn_events(l->store, batch.after, limit, &a, &events, &n, &batch.upto, err);
    if (st == OK && batch.upto > batch.after) {
        l->met.row = batch.upto;
        st = read_events(&r, events, n, err);
        if (st == OK)
            st = sticker_store_learn_add(l->store, &batch, err);
        *more = n == limit;
    }
    arena_free(&a);
    return st;
}

/* --- evidence becomes gains --- */

struct teaching {
    struct learner *l;
    struct arena *a;
    struct learn_bias bias;
    double up_share, half_life_us;
    int64_t now_us;
};

static enum status begin_teaching(struct learner *l, struct arena *a, const int64_t numbers[LEARN_NUMBERS],
                                  struct teaching *t, struct error *err)
{
    struct learn_rank ranks[LEARN_RANKS + 1];
    *t = (struct teaching){.l = l,
                           .a = a,
                           .up_share = learn_up_share(numbers[LEARN_UPS], numbers[LEARN_DOWNS]),
                           .half_life_us = l->settings.half_life_days * DAY_US,
                           .now_us = os_now_us()};
    enum status st = sticker_store_learn_ranks(l->store, ranks, err);
    learn_bias(ranks, &t->bias);
    return st;
}

static int greatest_first(const void *x, const void *y)
{
    const struct learn_gain *a = x, *b = y;
    double p = fabs(a->gain), q = fabs(b->gain);
    return p != q ? (p < q ? 1 : -1) : strcmp(a->sticker_id, b->sticker_id);
}

static int by_sticker(const void *x, const void *y)
{
    const struct learn_gain *a = x, *b = y;
    return strcmp(a->sticker_id, b->sticker_id);
}

/* The greatest ones, by sticker, so that the same gains are the same text. */
static enum status write_gains(struct learn_gain *gains, size_t n, size_t most, struct arena *a, const char **out,
                               struct error *err)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    if (n)
        qsort(gains, n, sizeof *gains, greatest_first);
    n = n < most ? n : most;
    if (n)
        qsort(gains, n, sizeof *gains, by_sticker);
    for (size_t i = 0; i < n; i++)
        learn_gain_write(&gains[i], &text);
    *out = arena_strndup(a, buf_str(&text), text.len);
    enum status st = buf_status(&text, err);
    buf_free(&text);
    return st == OK && !*out ? err_no_memory(err, "gains") : st;
}

static void set_id(struct learn_gain *gain, const char *sticker_id)
{
    size_t len = strlen(sticker_id) < 36 ? strlen(sticker_id) : 36;
    memcpy(gain->sticker_id, sticker_id, len);
    gain->sticker_id[len] = '\0';
}

struct evidence {
    struct learn_ballot *ballots; /* by sticker, as are the clicks */
    struct learn_clicks *clicks;
    size_t n_ballots, n_clicks, ballot, click; /* the next ones */
};

static enum status read_evidence(const struct teaching *t, const char *query, struct evidence *out, struct error *err)
{
    *out = (struct evidence){0};
    enum status st = sticker_store_learn_ballots(t->l->store, query, t->a, &out->ballots, &out->n_ballots, err);
    return st == OK ? sticker_store_learn_clicks(t->l->store, query, t->a, &out->clicks, &out->n_clicks, err) : st;
}

/* The next sticker that anything is known of; NULL: none. */
static const char *next_sticker(const struct teaching *t, struct evidence *e, struct learn_tally *tally)
{
    const char *ballot = e->ballot < e->n_ballots ? e->ballots[e->ballot].sticker_id : NULL;
    const char *click = e->click < e->n_clicks ? e->clicks[e->click].sticker_id : NULL;
    const char *id = !ballot ? click : !click || strcmp(ballot, click) <= 0 ? ballot : click;
    size_t n = 0;
    if (!id)
        return NULL;
    struct learn_ballot *first = ballot ? &e->ballots[e->ballot] : NULL; /* there may be none at all */
    while (first && e->ballot + n < e->n_ballots && strcmp(first[n].sticker_id, id) == 0)
        n++;
    const struct learn_clicks *clicks = click && strcmp(click, id) == 0 ? &e->clicks[e->click] : NULL;
    learn_tally(first, n, clicks, &t->bias, t->up_share, t->half_life_us, t->now_us, tally);
    e->ballot += n;
    e->click += clicks != NULL;
    return id;
}

/* Of a query: its own; a crowd that is divided is told too, so that nothing else is believed instead. */
static enum status teach_query(const struct teaching *t, struct lesson *lesson, struct error *err)
{
    struct evidence e;
    struct learn_tally tally;
    const char *id;
    size_t n = 0;
    enum status st = read_evidence(t, lesson->query, &e, err);
    struct learn_gain *gains = st == OK ? arena_array(t->a, e.n_ballots + e.n_clicks + 1, sizeof *gains) : NULL;
    if (st == OK && !gains)
        st = err_no_memory(err, "gains");
    while (st == OK && (id = next_sticker(t, &e, &tally)) != NULL) {
        bool crowd = tally.voters >= LEARN_CROWD && tally.networks >= LEARN_NETWORKS;
        if (!crowd && fabs(tally.gain) < 0.005)
            continue;
        gains[n] = (struct learn_gain){.gain = tally.gain, .by_clicks = tally.by_clicks};
        set_id(&gains[n++], id);
    }
    if (st == OK)
        st = write_gains(gains, n, LEARN_STICKERS, t->a, &lesson->gains, err);
    return st == OK ? text_alike_key(lesson->query, t->a, &lesson->terms, err) : st;
}

/* Of queries that mean the same: the mean of what each says. */
static enum status teach_alike(const struct teaching *t, struct lesson *lesson, struct error *err)
{
    struct lesson *queries;
    size_t n_queries, n = 0, kept = 0;
    enum status st =
        sticker_store_lessons_alike(t->l->store, lesson->query, ALIKE_MOST, t->a, &queries, &n_queries, err);
    struct learn_gain *gains = st == OK ? arena_array(t->a, n_queries * LEARN_STICKERS + 1, sizeof *gains) : NULL;
    if (st == OK && !gains)
        return err_no_memory(err, "gains");
    if (st != OK)
        return st;
    for (size_t i = 0; i < n_queries; i++)
        for (const char *text = queries[i].gains; n < n_queries * LEARN_STICKERS && learn_gain_read(&text, &gains[n]);)
            n++;
    if (n)
        qsort(gains, n, sizeof *gains, by_sticker);
    for (size_t i = 0, end; i < n; i = end) {
        struct learn_gain sum = gains[i];
        for (end = i + 1; end < n && strcmp(gains[end].sticker_id, sum.sticker_id) == 0; end++) {
            sum.gain += gains[end].gain;
            sum.by_clicks = sum.by_clicks && gains[end].by_clicks;
        }
        sum.gain /= (double)(end - i);
        gains[kept++] = sum;
    }
    return write_gains(gains, kept, LEARN_STICKERS, t->a, &lesson->gains, err);
}

/* --- over all queries --- */

struct overall {
    const struct teaching *t;
    struct learn_ballot *ballots; /* of the present sticker, by voter */
    size_t n, cap;
    char sticker_id[37];
    struct learn_gain *gains;
    size_t n_gains, gains_cap;
};

/* A voter who voted in several queries has one vote, which is what most of them say. */
static size_t one_for_each_voter(struct learn_ballot *ballots, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0, end; i < n; i = end) {
        struct learn_ballot b = ballots[i];
        int sum = b.vote;
        for (end = i + 1; end < n && ballots[end].voter == b.voter; end++) {
            sum += ballots[end].vote;
            b.at_us = ballots[end].at_us > b.at_us ? ballots[end].at_us : b.at_us;
        }
        b.vote = sum > 0 ? 1 : -1;
        if (sum)
            ballots[kept++] = b;
    }
    return kept;
}

static bool grow(void **items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return true;
    size_t more = *cap ? 2 * *cap : 256;
    void *larger = realloc(*items, more * size);
    if (!larger)
        return false;
    *items = larger;
    *cap = more;
    return true;
}

static enum status end_sticker(struct overall *o, struct error *err)
{
    struct learn_tally tally;
    size_t n = one_for_each_voter(o->ballots, o->n);
    learn_tally(o->ballots, n, NULL, &o->t->bias, o->t->up_share, o->t->half_life_us, o->t->now_us, &tally);
    o->n = 0;
    if (fabs(tally.gain) < ALL_LEAST)
        return OK;
    if (!grow((void **)&o->gains, o->n_gains, &o->gains_cap, sizeof *o->gains))
        return err_no_memory(err, "gains");
    struct learn_gain *gain = &o->gains[o->n_gains++];
    *gain = (struct learn_gain){.gain = tally.gain, .by_clicks = tally.by_clicks};
    set_id(gain, o->sticker_id);
    return OK;
}

static enum status tell_ballot(void *ctx, const struct learn_ballot *ballot, struct error *err)
{
    struct overall *o = ctx;
    enum status st = OK;
    if (o->n && strcmp(ballot->sticker_id, o->sticker_id) != 0)
        st = end_sticker(o, err);
    if (st == OK && !grow((void **)&o->ballots, o->n, &o->cap, sizeof *o->ballots))
        st = err_no_memory(err, "ballots");
    if (st != OK)
        return st;
    struct learn_gain id;
    set_id(&id, ballot->sticker_id);
    memcpy(o->sticker_id, id.sticker_id, sizeof o->sticker_id);
    o->ballots[o->n] = *ballot;
    o->ballots[o->n++].sticker_id = NULL;
    return OK;
}

static enum status teach_all(const struct teaching *t, struct lesson *lesson, struct error *err)
{
    struct overall o = {.t = t};
    enum status st = sticker_store_learn_all_ballots(t->l->store, tell_ballot, &o, err);
    if (st == OK && o.n)
        st = end_sticker(&o, err);
    if (st == OK)
        st = write_gains(o.gains, o.n_gains, LEARN_ALL_STICKERS, t->a, &lesson->gains, err);
    free(o.ballots);
    free(o.gains);
    return st;
}

/* That takes long where there is much: it is done now and then. */
static enum status add_overall(const struct teaching *t, struct lesson *lessons, size_t *n, struct error *err)
{
    struct learner *l = t->l;
    int64_t began = os_monotonic_us();
    struct lesson all;
    if (began < l->all_after_us)
        return OK;
    enum status st = sticker_store_lesson(l->store, "", t->a, &all, err);
    if (st != OK || (!all.due && t->now_us - l->all_us < AGAIN_US))
        return st;
    l->all_us = t->now_us;
    if (!all.due)
        return OK;
    st = teach_all(t, &all, err);
    l->all_after_us = os_monotonic_us() + ALL_TIMES * (os_monotonic_us() - began);
    lessons[(*n)++] = all;
    return st;
}

enum status learner_teach(struct learner *l, size_t limit, bool *more, struct error *err)
{
    struct arena a;
    struct teaching t;
    struct lesson *due, *lessons = NULL;
    int64_t numbers[LEARN_NUMBERS], changed = 0;
    size_t n = 0;
    *more = false;
    arena_init(&a, MEMORY);
    enum status st = sticker_store_learn_numbers(l->store, numbers, err);
    if (st == OK && numbers[LEARN_FROZEN]) {
        arena_free(&a);
        return OK;
    }
    if (st == OK)
        st = begin_teaching(l, &a, numbers, &t, err);
    if (st == OK)
        st = sticker_store_lessons_due(l->store, t.now_us - AGAIN_US, limit, &a, &due, &n, err);
    *more = st == OK && n == limit;
    if (st == OK && !(lessons = arena_array(&a, n + 1, sizeof *lessons)))
        st = err_no_memory(err, "lessons");
    for (size_t i = 0; i < n && st == OK; i++) {
        lessons[i] = due[i];
        st = strncmp(due[i].query, TEXT_ALIKE, 1) == 0 ? teach_alike(&t, &lessons[i], err)
                                                       : teach_query(&t, &lessons[i], err);
    }
    if (st == OK)
        st = add_overall(&t, lessons, &n, err);
    if (st == OK && n)
        st = sticker_store_lessons_set(l->store, lessons, n, &changed, err);
    *more = *more || changed; /* those of queries alike are due now */
    arena_free(&a);
    return st;
}

/* --- explaining --- */

static bool find_gain(const char *gains, const char *sticker_id, double *out)
{
    struct learn_gain gain;
    while (learn_gain_read(&gains, &gain))
        if (strcmp(gain.sticker_id, sticker_id) == 0) {
            *out = gain.gain;
            return true;
        }
    return false;
}

/* Where the gain comes from that searches are or will be told. */
static enum status explain_gain(const struct teaching *t, const char *sticker_id, struct learn_explained *out,
                                struct error *err)
{
    static const struct {
        const char *from;
        double share;
    } sources[] = {{"query", 1}, {"alike", LEARN_FROM_ALIKE}, {"all", LEARN_FROM_ALL}};
    const char *keys[3] = {out->query, "", ""};
    enum status st = text_alike_key(out->query, t->a, &keys[1], err);
    out->from = "nothing";
    for (size_t i = 0; i < 3 && st == OK && strcmp(out->from, "nothing") == 0; i++) {
        struct lesson lesson;
        double gain;
        if (i == 1 && !*keys[1])
            continue;
        st = sticker_store_lesson(t->l->store, keys[i], t->a, &lesson, err);
        if (st == OK && i == 0)
            out->version = lesson.version;
        if (st == OK && find_gain(lesson.gains, sticker_id, &gain)) {
            out->gain = gain * sources[i].share;
            out->from = sources[i].from;
        }
    }
    return st;
}

static enum status keep_sticker(void *ctx, const struct learn_ballot *ballot, struct error *err)
{
    struct overall *o = ctx;
    return strcmp(ballot->sticker_id, o->sticker_id) == 0 ? tell_ballot(ctx, ballot, err) : OK;
}

static enum status explain_overall(const struct teaching *t, const char *sticker_id, struct learn_explained *out,
                                   struct error *err)
{
    struct overall o = {.t = t};
    struct learn_gain id;
    set_id(&id, sticker_id);
    memcpy(o.sticker_id, id.sticker_id, sizeof o.sticker_id);
    enum status st = sticker_store_learn_all_ballots(t->l->store, keep_sticker, &o, err);
    if (st == OK && o.n)
        learn_tally(o.ballots, one_for_each_voter(o.ballots, o.n), NULL, &t->bias, t->up_share, t->half_life_us,
                    t->now_us, &out->overall);
    free(o.ballots);
    return st;
}

enum status learner_explain(struct learner *l, const char *query, const char *sticker_id, struct arena *a,
                            struct learn_explained *out, struct error *err)
{
    struct teaching t;
    struct evidence e;
    struct learn_tally tally;
    int64_t numbers[LEARN_NUMBERS];
    const char *id;
    *out = (struct learn_explained){0};
    enum status st = text_fold_query(query, TEXT_QUERY_BYTES, a, &out->query, err);
    if (st == OK && !*out->query)
        return err_set(err, ERR_INVALID, "the query must not be empty");
    if (st == OK)
        st = sticker_store_learn_numbers(l->store, numbers, err);
    if (st == OK)
        st = begin_teaching(l, a, numbers, &t, err);
    if (st == OK)
        st = read_evidence(&t, out->query, &e, err);
    if (st != OK)
        return st;
    while ((id = next_sticker(&t, &e, &tally)) != NULL)
        if (strcmp(id, sticker_id) == 0)
            out->own = tally;
    out->bias = t.bias;
    out->up_share = t.up_share;
    out->frozen = numbers[LEARN_FROZEN] != 0;
    st = explain_overall(&t, sticker_id, out, err);
    return st == OK ? explain_gain(&t, sticker_id, out, err) : st;
}
