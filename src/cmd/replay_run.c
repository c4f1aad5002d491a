/* replay_run.c: what people searched for comes from the evidence of training sets (training/evidence.h). Only the votes
 * of those voters judge that no training set has; what was seen and chosen is everybody's. */
#include "cmd/replay.h"

#include "base/json_in.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"
#include "eval/snips.h"
#include "http/client.h"
#include "sticker_service/experiments.h"
#include "training/evidence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH      EVIDENCE_DEPTH
#define JUDGED     100u /* stickers of a search, the most voted ones */
#define MEMORY     (512u << 20)
#define ANSWER_MAX (1u << 20)
#define TIMEOUT_MS 10000u

struct seen_at {
    const char *name;
    unsigned rank;
    double shown, chosen;
};
/* A query that is asked again, and what came of it. */
struct asked {
    struct judged_query judged; /* n 0: nobody judged it */
    struct seen_at *seen;
    size_t n_seen;
    char hash[17]; /* by which the sample is taken */
    bool same;     /* both rankings begin alike */
    double overlap, ndcg[2];
    struct snips snips[2];
};
struct list {
    struct asked *queries;
    size_t n;
};

struct job {
    struct replay *r;
    struct arena arena;
    struct http_client *search;
    struct buf params[2]; /* "&algorithm=lexical" */
    struct list log, judged;
    bool quiet;
};

/* --- what was searched --- */

static int by_filename(const void *x, const void *y)
{
    return strcmp(((const struct judgement *)x)->filename, ((const struct judgement *)y)->filename);
}

static int by_hash(const void *x, const void *y)
{
    return strcmp(((const struct asked *)x)->hash, ((const struct asked *)y)->hash);
}

static enum status keep_query(struct job *j, const struct evidence_query *q, struct asked *out, struct error *err)
{
    size_t most = q->n < JUDGED ? q->n : JUDGED;
    *out = (struct asked){.judged = {.query = arena_strdup(&j->arena, q->query),
                                     .language = arena_strdup(&j->arena, q->language),
                                     .relevant = arena_array(&j->arena, most + 1, sizeof *out->judged.relevant)},
                          .seen = arena_array(&j->arena, q->n_seen + 1, sizeof *out->seen)};
    struct judged_query *to = &out->judged;
    to->id = to->query;
    if (!to->query || !to->language || !to->relevant || !out->seen)
        return err_no_memory(err, "the searches (--sample)");
    for (size_t i = 0; i < most; i++) {
        if (q->stickers[i].up <= q->stickers[i].down)
            continue;
        const char *name = arena_strdup(&j->arena, q->stickers[i].name);
        if (!name)
            return err_no_memory(err, "the searches (--sample)");
        to->relevant[to->n++] = (struct judgement){name, 1};
    }
    for (size_t i = 0; i < q->n_seen; i++) {
        struct seen_at *seen = &out->seen[out->n_seen++];
        *seen = (struct seen_at){arena_strdup(&j->arena, q->seen[i].name), q->seen[i].rank, q->seen[i].shown,
                                 q->seen[i].chosen};
        if (!seen->name)
            return err_no_memory(err, "the searches (--sample)");
    }
    if (to->n)
        qsort(to->relevant, to->n, sizeof *to->relevant, by_filename);
    return OK;
}

/* Those with the smallest hashes: a sample that is the same every time. */
static enum status sample(struct job *j, struct evidence *e, size_t most, struct error *err)
{
    struct list *log = &j->log;
    struct evidence_query q;
    bool found = true;
    char last[sizeof log->queries->hash] = "";
    log->queries = arena_array(&j->arena, 2 * most, sizeof *log->queries);
    enum status st = log->queries ? OK : err_no_memory(err, "the searches (--sample)");
    while (st == OK && (st = evidence_next(e, &q, &found, err)) == OK && found) {
        char hex[65];
        os_sha256_hex(q.query, strlen(q.query), hex);
        hex[16] = '\0';
        j->r->known++;
        if (*last && strcmp(hex, last) >= 0)
            continue;
        struct asked *to = &log->queries[log->n];
        st = keep_query(j, &q, to, err);
        memcpy(to->hash, hex, sizeof to->hash);
        if (st == OK && ++log->n == 2 * most) {
            qsort(log->queries, log->n, sizeof *log->queries, by_hash);
            log->n = most;
            memcpy(last, log->queries[most - 1].hash, sizeof last);
        }
    }
    if (st == OK && log->n)
        qsort(log->queries, log->n, sizeof *log->queries, by_hash);
    log->n = log->n < most ? log->n : most;
    return st;
}

static enum status read_log(const struct config *cfg, struct job *j, struct error *err)
{
    struct sticker_store *store = NULL;
    struct evidence *e = NULL;
    struct evidence_config ec = {.folder = config_string(cfg, "data"),
                                 .min_clients = config_int(cfg, "min-clients"),
                                 .voters = EVIDENCE_HELD_OUT,
                                 .seen = true};
    enum status st = cmd_find_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = sticker_store_events_end(store, &ec.until, err);
    ec.store = store;
    if (st == OK)
        st = evidence_open(&ec, &e, err);
    if (st == OK)
        st = sample(j, e, (size_t)config_int(cfg, "sample"), err);
    evidence_close(e);
    sticker_store_close(store);
    return st;
}

static enum status read_judged(const struct config *cfg, struct job *j, struct error *err)
{
    struct judged file;
    if (!j->r->judged)
        return OK;
    enum status st = judged_read_csv(j->r->judged, config_string(cfg, "split"), &j->arena, &file, err);
    if (st == OK && !(j->judged.queries = arena_array(&j->arena, file.n + 1, sizeof *j->judged.queries)))
        st = err_no_memory(err, "the judged queries");
    for (size_t i = 0; st == OK && i < file.n; i++)
        j->judged.queries[j->judged.n++].judged = file.queries[i];
    return st;
}

/* --- asking --- */

struct answer {
    char language[8];
    const char *names[DEPTH];
    size_t n;
};

static enum status read_answer(int http_status, const struct buf *body, struct arena *a, struct answer *out,
                               struct error *err)
{
    size_t i;
    json_t *name, *answer = json_loadb(buf_str(body), body->len, 0, NULL);
    const json_t *names = json_object_get(answer, "filenames");
    const char *message = json_string_value(json_object_get(answer, "message"));
    enum status st = OK;
    out->n = 0;
    snprintf(out->language, sizeof out->language, "%s", json_member_text(answer, "language"));
    if (http_status != 200)
        st = err_set(err, http_status == 503 ? ERR_UNAVAILABLE : ERR_INVALID, "SearchService answers %d: %.300s",
                     http_status, message ? message : "no JSON");
    else if (!json_is_array(names))
        st = err_set(err, ERR_INVALID, "SearchService's answer has no filenames");
    json_array_foreach(names, i, name) if (st == OK && out->n < DEPTH && json_is_string(name))
    {
        if (!(out->names[out->n++] = arena_strdup(a, json_string_value(name))))
            st = err_no_memory(err, "an answer");
    }
    json_decref(answer);
    return st;
}

static enum status ask(struct job *j, const struct judged_query *q, size_t side, struct arena *a, struct answer *out,
                       struct error *err)
{
    struct buf path, body;
    int http_status = 0;
    buf_init(&path, 1u << 16);
    buf_init(&body, ANSWER_MAX);
    buf_printf(&path, "/api/search/?limit=%u%s", DEPTH, buf_str(&j->params[side]));
    if (*q->language) {
        buf_puts(&path, "&lang=");
        http_escape(&path, q->language, strlen(q->language));
    }
    buf_puts(&path, "&query=");
    http_escape(&path, q->query, strlen(q->query));
    struct http_call call = {.method = "GET", .path = buf_str(&path), .timeout_ms = TIMEOUT_MS};
    enum status st = buf_status(&path, err);
    if (st == OK)
        st = http_client_call(j->search, &call, &http_status, &body, err);
    if (st == OK)
        st = read_answer(http_status, &body, a, out, err);
    buf_free(&path);
    buf_free(&body);
    return st == OK ? OK : err_prefix(err, "ranking %c, query \"%.100s\"", (int)('A' + side), q->query);
}

static void compare(struct asked *q, const struct answer answers[2])
{
    const struct answer *a = &answers[0], *b = &answers[1];
    size_t both = 0, most = a->n > b->n ? a->n : b->n;
    q->same = a->n == b->n;
    for (size_t i = 0; i < a->n; i++) {
        q->same = q->same && strcmp(a->names[i], b->names[i]) == 0;
        for (size_t k = 0; k < b->n; k++)
            both += strcmp(a->names[i], b->names[k]) == 0;
    }
    q->overlap = most ? (double)both / (double)most : 1;
    for (size_t side = 0; side < 2; side++) {
        double measures[MEASURES];
        if (q->judged.n) {
            measures_of(&q->judged, answers[side].names, answers[side].n, measures);
            q->ndcg[side] = measures[MEASURE_NDCG_10];
        }
        for (size_t i = 0; i < q->n_seen; i++) {
            const struct seen_at *s = &q->seen[i];
            if (s->rank <= answers[side].n && strcmp(answers[side].names[s->rank - 1], s->name) == 0) {
                q->snips[side].seen += s->shown;
                q->snips[side].chosen += s->chosen;
            }
        }
    }
}

static enum status ask_all(struct job *j, struct list *list, const char *what, struct error *err)
{
    struct progress progress;
    struct arena a;
    enum status st = OK;
    arena_init(&a, 1u << 20);
    progress_start(&progress, what, j->quiet);
    for (size_t i = 0; i < list->n && st == OK; i++) {
        struct answer answers[2];
        arena_reset(&a);
        st = ask(j, &list->queries[i].judged, 0, &a, &answers[0], err);
        if (st == OK && j->r->only && strcmp(j->r->only, answers[0].language) != 0)
            answers[1] = answers[0];
        else if (st == OK)
            st = ask(j, &list->queries[i].judged, 1, &a, &answers[1], err);
        if (st == OK)
            compare(&list->queries[i], answers);
        if (st == OK && cmd_stopped())
            st = err_set(err, ERR_CANCELLED, "stopped");
        progress_show(&progress, (int64_t)i + 1, (int64_t)list->n);
    }
    st == OK ? progress_end(&progress) : progress_clear(&progress);
    arena_free(&a);
    return st;
}

/* Whether both rankings can be asked at all, which also a log without searches must find out. */
static enum status try_both(struct job *j, struct error *err)
{
    const struct judged_query query = {.query = "cat", .language = ""};
    struct answer answer;
    struct arena a;
    enum status st = OK;
    arena_init(&a, 1u << 20);
    for (size_t side = 0; side < 2 && st == OK; side++)
        st = ask(j, &query, side, &a, &answer, err);
    arena_free(&a);
    return st;
}

/* --- adding up --- */

static void conclude(struct replay *r, struct replay_measure *m)
{
    bool decides = m->judges && m->n >= REPLAY_LEAST;
    r->decides = r->decides || decides;
    if (decides && m->gain.high < 0)
        m->verdict = REPLAY_WORSE;
    else if (decides && m->gain.low > 0)
        m->verdict = REPLAY_BETTER;
    if (m->verdict > r->verdict)
        r->verdict = m->verdict;
    r->n_measures++;
}

static enum status measure_ndcg(struct job *j, const struct list *list, const char *name, struct error *err)
{
    struct replay_measure *m = &j->r->measures[j->r->n_measures];
    double *values = arena_array(&j->arena, 2 * list->n + 1, sizeof *values);
    *m = (struct replay_measure){.name = name, .judges = true};
    if (!values)
        return err_no_memory(err, "the measures");
    for (size_t i = 0; i < list->n; i++)
        if (list->queries[i].judged.n) {
            memcpy(values + 2 * m->n, list->queries[i].ndcg, 2 * sizeof *values);
            m->n++;
        }
    for (size_t side = 0; side < 2; side++)
        m->sides[side] = measures_interval(values + side, NULL, m->n, 2);
    m->gain = measures_interval(values + 1, values, m->n, 2);
    conclude(j->r, m);
    return OK;
}

/* It does not judge: where stickers were always at the ranks of one ranking, only those places count at which the other
 * one has the same sticker, and what two rankings agree on is chosen more often than the rest. */
static enum status measure_snips(struct job *j, struct error *err)
{
    struct replay_measure *m = &j->r->measures[j->r->n_measures];
    struct snips *sides[2];
    *m = (struct replay_measure){.name = "SNIPS@10, chosen of seen"};
    for (size_t side = 0; side < 2; side++)
        if (!(sides[side] = arena_array(&j->arena, j->log.n + 1, sizeof **sides)))
            return err_no_memory(err, "the measures");
    for (size_t i = 0; i < j->log.n; i++) {
        const struct asked *q = &j->log.queries[i];
        if (q->snips[0].seen <= 0 || q->snips[1].seen <= 0) /* nothing is known of one of them */
            continue;
        for (size_t side = 0; side < 2; side++)
            sides[side][m->n] = q->snips[side];
        m->n++;
    }
    for (size_t side = 0; side < 2; side++)
        m->sides[side] = snips_interval(sides[side], NULL, m->n);
    m->gain = snips_interval(sides[1], sides[0], m->n);
    conclude(j->r, m);
    return OK;
}

static enum status add_up(struct job *j, struct error *err)
{
    struct replay *r = j->r;
    r->replayed = (int64_t)j->log.n;
    for (size_t i = 0; i < j->log.n; i++) {
        r->changed += !j->log.queries[i].same;
        r->overlap += j->log.queries[i].overlap;
    }
    if (j->log.n) {
        r->changed /= (double)j->log.n;
        r->overlap /= (double)j->log.n;
    }
    enum status st = r->judged ? measure_ndcg(j, &j->judged, "nDCG@10, judged queries", err) : OK;
    if (st == OK)
        st = measure_ndcg(j, &j->log, "nDCG@10, votes held out", err);
    return st == OK ? measure_snips(j, err) : st;
}

enum status replay_run(const struct config *cfg, struct replay *r, struct error *err)
{
    struct job j = {.r = r, .quiet = config_bool(cfg, "quiet")};
    struct http_client_config client = {.connect_timeout_ms = 2000, .max_idle = 1};
    enum status st = OK;
    arena_init(&j.arena, MEMORY);
    for (size_t side = 0; side < 2; side++) {
        buf_init(&j.params[side], 4096);
        if (st == OK && (st = experiments_params(r->rankings[side], &j.params[side], err)) != OK)
            st = err_prefix(err, "ranking %c", (int)('A' + side));
    }
    (void)runtime_search_url(cfg, &j.arena, &client.base_url);
    if (st == OK)
        st = http_client_open(&client, &j.search, err);
    if (st == OK)
        st = read_judged(cfg, &j, err);
    if (st == OK)
        st = read_log(cfg, &j, err);
    if (st == OK)
        st = try_both(&j, err);
    if (st == OK && !j.log.n && !j.judged.n)
        st = err_set(err, ERR_NOT_FOUND,
                     "there is nothing to compare by: no search of at least %lld people (--min-clients) is in the log;"
                     " judged queries can be named with --judged",
                     (long long)config_int(cfg, "min-clients"));
    if (st == OK)
        st = ask_all(&j, &j.judged, "Asking judged queries", err);
    if (st == OK)
        st = ask_all(&j, &j.log, "Replaying", err);
    if (st == OK)
        st = add_up(&j, err);
    if (j.search)
        http_client_close(j.search);
    for (size_t side = 0; side < 2; side++)
        buf_free(&j.params[side]);
    arena_free(&j.arena);
    return st;
}
