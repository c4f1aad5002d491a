/* peel eval FILE [ALGORITHM[:MODEL]]...: how well a running SearchService ranks, by judged queries: the tool by
 * which a change of ranking is judged. The first algorithm named is what the others are compared with. */
#include "base/json_out.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"
#include "eval/judged.h"
#include "eval/measures.h"
#include "http/client.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ALGORITHMS 16u
#define MEMORY         (512u << 20)
#define ANSWER_MAX     (1u << 20)
#define TIMEOUT_MS     10000u

struct run {
    const char *name;              /* "hybrid", "vector:openai/clip-vit-base-patch32" */
    const char *algorithm, *model; /* model: NULL = the default */
    double *values;                /* [queries][MEASURES] */
    double *micros;                /* [queries], as seen by the client */
};

struct evaluation {
    struct judged judged;
    struct run runs[MAX_ALGORITHMS];
    size_t n_runs;
    struct http_client *client;
    struct arena arena;
};

/* --- asking --- */

static const char *target(const struct run *run, const struct judged_query *q, struct buf *out)
{
    buf_reset(out);
    buf_printf(out, "/api/search/?limit=%u&algorithm=", MEASURES_DEPTH);
    http_escape(out, run->algorithm, strlen(run->algorithm));
    if (run->model) {
        buf_puts(out, "&model=");
        http_escape(out, run->model, strlen(run->model));
    }
    if (*q->language) {
        buf_puts(out, "&lang=");
        http_escape(out, q->language, strlen(q->language));
    }
    buf_puts(out, "&query=");
    http_escape(out, q->query, strlen(q->query));
    return buf_str(out);
}

static enum status measure_answer(const struct judged_query *q, int status, const struct buf *body,
                                  double out[MEASURES], struct error *err)
{
    const char *results[MEASURES_DEPTH];
    size_t i, n = 0;
    json_t *name, *answer = json_loadb(buf_str(body), body->len, 0, NULL);
    const json_t *filenames = json_object_get(answer, "filenames");
    const char *message = json_string_value(json_object_get(answer, "message"));
    enum status st = OK;
    if (status != 200)
        st = err_set(err, status == 503 ? ERR_UNAVAILABLE : ERR_INVALID, "SearchService answers %d: %.300s", status,
                     message ? message : "no JSON");
    else if (!json_is_array(filenames))
        st = err_set(err, ERR_INVALID, "SearchService's answer has no filenames");
    json_array_foreach(filenames, i, name) if (n < MEASURES_DEPTH && json_is_string(name)) results[n++] =
        json_string_value(name);
    if (st == OK)
        measures_of(q, results, n, out);
    json_decref(answer);
    return st;
}

static enum status eval_ask(struct evaluation *e, struct run *run, size_t i, struct error *err)
{
    const struct judged_query *q = &e->judged.queries[i];
    struct buf path, body;
    int status;
    buf_init(&path, 1u << 16);
    buf_init(&body, ANSWER_MAX);
    struct http_call call = {.method = "GET", .path = target(run, q, &path), .timeout_ms = TIMEOUT_MS};
    enum status st = buf_status(&path, err);
    int64_t begin = os_monotonic_us();
    if (st == OK)
        st = http_client_call(e->client, &call, &status, &body, err);
    run->micros[i] = (double)(os_monotonic_us() - begin);
    if (st == OK)
        st = measure_answer(q, status, &body, run->values + i * MEASURES, err);
    buf_free(&path);
    buf_free(&body);
    return st == OK ? OK : err_prefix(err, "%s, query %.64s (\"%.100s\")", run->name, q->id, q->query);
}

static enum status eval_ask_all(struct evaluation *e, bool quiet, struct error *err)
{
    struct progress progress;
    enum status st = OK;
    progress_start(&progress, "Searching", quiet);
    for (size_t i = 0; i < e->judged.n && st == OK; i++)
        for (size_t r = 0; r < e->n_runs && st == OK; r++) {
            st = eval_ask(e, &e->runs[r], i, err);
            progress_show(&progress, (int64_t)(i * e->n_runs + r + 1), (int64_t)(e->judged.n * e->n_runs));
        }
    st == OK ? progress_end(&progress) : progress_clear(&progress);
    return st;
}

/* --- groups of queries --- */

struct group {
    const char *kind, *name; /* "all" "", "type" "paraphrase", "language" "es" */
    size_t n;
    size_t *queries; /* [n], their numbers */
};

static const char *eval_kind(const struct judged_query *q, size_t kind)
{
    return kind == 0 ? "" : kind == 1 ? q->type : q->language;
}

/* All queries; then those of each type and language, where there are several, in the file's order. */
static enum status make_groups(struct evaluation *e, struct group **out, size_t *n, struct error *err)
{
    static const char *const kinds[] = {"all", "type", "language"};
    size_t cap = 64;
    struct group *groups = arena_array(&e->arena, cap, sizeof *groups);
    *n = 0;
    for (size_t kind = 0; kind < 3 && groups; kind++) {
        size_t first = *n;
        for (size_t i = 0; i < e->judged.n; i++) {
            const char *name = eval_kind(&e->judged.queries[i], kind);
            size_t g = first;
            while (g < *n && strcmp(groups[g].name, name) != 0)
                g++;
            if (g == cap)
                return err_set(err, ERR_TOO_LARGE, "more than %zu types and languages", cap);
            if (g == *n) {
                groups[g] = (struct group){kinds[kind], name, 0, arena_array(&e->arena, e->judged.n, sizeof(size_t))};
                if (!groups[g].queries)
                    return err_no_memory(err, "the groups");
                ++*n;
            }
            groups[g].queries[groups[g].n++] = i;
        }
        if (kind && *n == first + 1) /* one type or language alone: its group would repeat the group of all queries */
            *n = first;
    }
    *out = groups;
    return groups ? OK : err_no_memory(err, "the groups");
}

struct summary {
    struct interval measures[MEASURES];
    struct interval gain; /* of nDCG@10 over the first run, paired by query */
    double ratio;         /* of nDCG@10 to the first run's; NAN where that is 0 */
    double p50, p95;      /* microseconds */
};

static int by_latency(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static enum status summarize(struct evaluation *e, const struct group *g, size_t r, struct summary *out,
                             struct error *err)
{
    double *values = malloc(g->n * (2 * MEASURES + 1) * sizeof *values);
    if (!values)
        return err_no_memory(err, "the summary");
    double *base = values + g->n * MEASURES, *micros = base + g->n * MEASURES;
    for (size_t i = 0; i < g->n; i++) {
        memcpy(values + i * MEASURES, e->runs[r].values + g->queries[i] * MEASURES, MEASURES * sizeof *values);
        memcpy(base + i * MEASURES, e->runs[0].values + g->queries[i] * MEASURES, MEASURES * sizeof *values);
        micros[i] = e->runs[r].micros[g->queries[i]];
    }
    for (size_t m = 0; m < MEASURES; m++)
        out->measures[m] = measures_interval(values + m, NULL, g->n, MEASURES);
    out->gain = measures_interval(values + MEASURE_NDCG_10, base + MEASURE_NDCG_10, g->n, MEASURES);
    double before = out->measures[MEASURE_NDCG_10].value - out->gain.value;
    out->ratio = before > 1e-9 ? out->measures[MEASURE_NDCG_10].value / before : (double)NAN;
    qsort(micros, g->n, sizeof *micros, by_latency);
    out->p50 = micros[g->n / 2];
    out->p95 = micros[g->n * 95 / 100];
    free(values);
    return OK;
}

/* --- printing --- */

static void print_row(const struct evaluation *e, const struct group *g, size_t r, const struct summary *s)
{
    printf("| %s%s%s | %zu | %s |", g->kind, *g->name ? " " : "", g->name, g->n, e->runs[r].name);
    for (size_t m = 0; m < MEASURES; m++) {
        const struct interval *v = &s->measures[m];
        if (m == MEASURE_MRR)
            printf(" %.3f |", v->value);
        else if (m == MEASURE_NDCG_10)
            printf(" %.3f (%.3f-%.3f) |", v->value, v->low, v->high);
        else
            printf(" %.1f%% |", 100 * v->value);
    }
    if (r == 0)
        printf(" |");
    else
        printf(" %+.3f (%+.3f..%+.3f) |", s->gain.value, s->gain.low, s->gain.high);
    if (isfinite(s->ratio) && r)
        printf(" x%.2f |", s->ratio);
    else
        printf(" |");
    printf(" %.1f |\n", s->p50 / 1000);
}

static void print_head(const struct evaluation *e)
{
    printf("| queries | n | algorithm |");
    for (size_t m = 0; m < MEASURES; m++)
        printf(" %s%s |", measure_names[m], m == MEASURE_NDCG_10 ? " (95%)" : "");
    printf(" nDCG@10 against %s (95%%) | ratio | ms |\n|---|--:|---|", e->runs[0].name);
    for (size_t m = 0; m < MEASURES + 3; m++)
        printf("--:|");
    putchar('\n');
}

static json_t *interval_json(const struct interval *v)
{
    return json_pack("{s:f, s:f, s:f}", "value", v->value, "low", v->low, "high", v->high);
}

static json_t *row_json(const struct evaluation *e, const struct group *g, size_t r, const struct summary *s)
{
    json_t *row = json_pack("{s:s, s:s, s:I, s:s, s:f, s:f}", "kind", g->kind, "name", g->name, "queries",
                            (json_int_t)g->n, "algorithm", e->runs[r].name, "p50_us", s->p50, "p95_us", s->p95);
    for (size_t m = 0; m < MEASURES; m++)
        json_object_set_new(row, measure_names[m], interval_json(&s->measures[m]));
    json_object_set_new(row, "nDCG@10 gain", interval_json(&s->gain));
    json_object_set_new(row, "nDCG@10 ratio", isfinite(s->ratio) ? json_real(s->ratio) : json_null());
    return row;
}

static enum status print_all(struct evaluation *e, bool as_json, struct error *err)
{
    struct group *groups = NULL;
    struct summary s = {0};
    size_t n = 0;
    json_t *rows = json_array();
    enum status st = make_groups(e, &groups, &n, err);
    if (st == OK && !as_json)
        print_head(e);
    for (size_t g = 0; st == OK && g < n; g++)
        for (size_t r = 0; st == OK && r < e->n_runs; r++) {
            st = summarize(e, &groups[g], r, &s, err);
            if (st == OK && as_json)
                json_array_append_new(rows, row_json(e, &groups[g], r, &s));
            else if (st == OK)
                print_row(e, &groups[g], r, &s);
        }
    if (st == OK && as_json)
        return cmd_print_json(rows, err);
    json_decref(rows);
    return st;
}

/* --- the command --- */

static enum status eval_add_run(struct evaluation *e, const char *name, struct error *err)
{
    if (e->n_runs == MAX_ALGORITHMS)
        return err_set(err, ERR_INVALID, "more than %u algorithms", MAX_ALGORITHMS);
    char *algorithm = arena_strdup(&e->arena, name), *colon = algorithm ? strchr(algorithm, ':') : NULL;
    if (colon)
        *colon = '\0';
    struct run run = {.name = name, .algorithm = algorithm, .model = colon ? colon + 1 : NULL};
    run.values = arena_array(&e->arena, e->judged.n * MEASURES, sizeof *run.values);
    run.micros = arena_array(&e->arena, e->judged.n, sizeof *run.micros);
    e->runs[e->n_runs++] = run;
    return algorithm && run.values && run.micros ? OK : err_no_memory(err, "the results");
}

static enum status eval_prepare(const struct config *cfg, struct evaluation *e, struct error *err)
{
    static const char *const usual[] = {"lexical", "words", "hybrid"};
    const char *const *args, *qrels = config_string(cfg, "qrels"), *split = config_string(cfg, "split");
    size_t n = config_args(cfg, &args);
    struct http_client_config client = {.connect_timeout_ms = 2000, .max_idle = 1};
    (void)runtime_search_url(cfg, &e->arena, &client.base_url);
    if (qrels && split)
        return err_set(err, ERR_INVALID, "TREC's files know no splits: give either --qrels or --split");
    enum status st = qrels ? judged_read_trec(args[0], qrels, &e->arena, &e->judged, err)
                           : judged_read_csv(args[0], split, &e->arena, &e->judged, err);
    for (size_t i = 1; st == OK && i < n; i++)
        st = eval_add_run(e, args[i], err);
    for (size_t i = 0; st == OK && n == 1 && i < sizeof usual / sizeof *usual; i++)
        st = eval_add_run(e, usual[i], err);
    return st == OK ? http_client_open(&client, &e->client, err) : st;
}

int cmd_eval(const struct config *cfg)
{
    struct evaluation e = {0};
    struct error err;
    arena_init(&e.arena, MEMORY);
    enum status st = eval_prepare(cfg, &e, &err);
    if (st == OK)
        st = eval_ask_all(&e, config_bool(cfg, "quiet"), &err);
    if (st == OK)
        st = print_all(&e, config_bool(cfg, "json"), &err);
    if (e.client)
        http_client_close(e.client);
    arena_free(&e.arena);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
