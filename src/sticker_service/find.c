/* find.c: asks SearchService, and adds what our own store knows of the stickers. When SearchService does not answer,
 * or answers rubbish, our own words must do. */
#include "sticker_service/find.h"

#include "base/language.h"
#include "base/log.h"
#include "base/os.h"
#include "http/client_address.h"
#include "sticker_service/find_pins.h"
#include "sticker_service/find_read.h"
#include "sticker_service/trial.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

#define PEER_MAX_BYTES (4u << 20)
#define PINS_WINDOW    1000u /* results that are looked at where a query has pins: SearchService gives no more at once */

struct found {
    struct find_hit *hits;
    size_t n;
    int64_t total;
    unsigned language;                      /* of the query, as SearchService told it, or as was said */
    const char *ranking, *corrected, *legs; /* as it told them; NULL */
    int64_t experiment;                     /* 0: none */
    enum degraded_reason why;               /* of a degraded search: the reason */
};

void media_url(struct buf *out, const char *filename, const char *sha256, unsigned width, bool still)
{
    buf_puts(out, "/media/");
    http_escape(out, filename, strlen(filename));
    buf_putc(out, '?');
    if (width)
        buf_printf(out, "w=%u&", width);
    buf_printf(out, "%sv=%.16s", still ? "still=1&" : "", sha256);
}

/* What is filtered, and nothing where it is not. */
static void put_filter(const struct sticker_filter *f, struct buf *path)
{
    if (f->pack && *f->pack) {
        buf_puts(path, "&pack=");
        http_escape(path, f->pack, strlen(f->pack));
    }
    if (f->rating_most != RATING_R)
        buf_printf(path, "&rating=%s", rating_name(f->rating_most));
    if (f->animated != ANIMATED_ANY)
        buf_printf(path, "&animated=%s", f->animated == ANIMATED_YES ? "true" : "false");
}

struct asking {
    struct sticker_service *s;
    const char *query;
};

/* While SearchService works: a search that is alone has nobody to share the writing of a new query with. */
static void store_if_alone(void *arg)
{
    const struct asking *a = arg;
    const struct http_server *server = atomic_load(&a->s->server);
    if (server && http_server_in_flight(server) == 1)
        usage_store(a->s->usage, a->query);
}

/* params: what else is asked, "" or "&algorithm=lexical". */
static enum status find_by_peer(struct sticker_service *s, const struct http_request *req,
                                const struct find_query *query, const char *params, unsigned timeout_ms,
                                struct found *found, struct error *err)
{
    struct buf path, body;
    buf_init(&path, 8192);
    buf_init(&body, PEER_MAX_BYTES);
    const char *subject = query->like ? query->like : query->text;
    buf_puts(&path, query->like ? "/api/search/?like=" : "/api/search/?query=");
    http_escape(&path, subject, strlen(subject));
    buf_printf(&path, "&limit=%zu&offset=%zu", query->limit, query->offset);
    if (query->lang)
        buf_printf(&path, "&lang=%s", query->lang);
    put_filter(&query->filter, &path);
    buf_puts(&path, params);
    int http_status = 0;
    struct find_read read;
    static const char *const accept[] = {"Accept: text/plain", NULL};
    enum status status = buf_status(&path, err);
    if (status != OK)
        goto out;
    struct asking asking = {s, query->text};
    struct http_call call = {.method = "GET",
                             .path = buf_str(&path),
                             .request_id = req->request_id,
                             .traceparent = req->traceparent,
                             .tracestate = req->tracestate,
                             .timeout_ms = timeout_ms,
                             .headers = accept,
                             .meanwhile = query->like ? NULL : store_if_alone,
                             .arg = &asking};
    bool open = http_client_breaker(s->search) != HTTP_BREAKER_CLOSED;
    int64_t began_us = os_monotonic_us();
    status = http_client_call(s->search, &call, &http_status, &body, err);
    int64_t us = os_monotonic_us() - began_us;
    metric_observe(&s->peer_times, us);
    metric_part_add(METRIC_PEER, us);
    if (status != OK) {
        found->why = status == ERR_TIMEOUT       ? DEGRADED_TIMEOUT
                     : status != ERR_UNAVAILABLE ? DEGRADED_ANSWER
                     : open                      ? DEGRADED_BREAKER
                                                 : DEGRADED_UNAVAILABLE;
        goto out;
    }
    found->why = DEGRADED_ANSWER; /* used only if the answer cannot be read */
    if (http_status != 200) {
        status = err_set(err, ERR_UNAVAILABLE, "SearchService answered %d: %.200s", http_status, buf_str(&body));
        goto out;
    }
    status = find_read(buf_str(&body), body.len, query->limit, req->arena, &read, err);
    if (status != OK)
        goto out;
    found->hits = read.hits;
    found->n = read.n;
    found->total = read.total < 0 ? (int64_t)(query->offset + read.n) : read.total;
    found->ranking = read.ranking;
    found->corrected = read.corrected;
    found->legs = read.legs;
    if (read.language)
        found->language = language_number(read.language);
out:
    buf_free(&path);
    buf_free(&body);
    return status;
}

static enum status find_by_own_words(struct sticker_service *s, const struct http_request *req,
                                     const struct find_query *query, struct found *found, struct error *err)
{
    struct term_query q;
    struct store_hit *hits;
    size_t len = strlen(query->text), added;
    struct synonyms *synonyms = curation_synonyms(s->curation);
    enum status status = text_query(query->text, len, found->language, true, NULL, req->arena, &q, err);
    if (status == OK)
        status = synonyms_expand(synonyms, query->text, len, req->arena, &q, &added, err);
    synonyms_close(synonyms);
    if (status == OK && q.n_stems)
        status = sticker_store_search(s->store, &q, &query->filter, query->limit, query->offset, req->arena, &hits,
                                      &found->n, &found->total, err);
    if (status != OK || !q.n_stems)
        return status;
    found->hits = arena_array(req->arena, found->n + 1, sizeof *found->hits);
    if (!found->hits)
        return err_no_memory(err, "%zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        found->hits[i] = (struct find_hit){.filename = hits[i].filename, .score = hits[i].score};
    return OK;
}

/* Logs at most one line a second: an outage would otherwise write one for each search. */
static void tell_degraded(struct sticker_service *s, enum degraded_reason reason, const char *why)
{
    uint64_t count = atomic_fetch_add(&s->degraded[reason], 1) + 1;
    int64_t now = os_monotonic_us(), logged = atomic_load(&s->degraded_logged_us);
    if (now - logged >= 1000000 && atomic_compare_exchange_strong(&s->degraded_logged_us, &logged, now))
        log_warn("SearchService failed, answering from keyword search (%llu times so far for this reason): %s",
                 (unsigned long long)count, why);
}

static enum status join_stickers(struct sticker_service *s, const struct found *found,
                                 const struct sticker_filter *filter, struct arena *arena, struct find_answer *out,
                                 struct error *err)
{
    struct sticker *stickers = arena_array(arena, found->n + 1, sizeof *stickers);
    const char **names = arena_array(arena, found->n + 1, sizeof *names);
    out->results = arena_array(arena, found->n + 1, sizeof *out->results);
    if (!stickers || !names || !out->results)
        return err_no_memory(err, "%zu results", found->n);
    for (size_t i = 0; i < found->n; i++)
        names[i] = found->hits[i].filename;
    enum status status = sticker_store_recall(s->store, names, found->n, arena, stickers, err);
    for (size_t i = 0; status == OK && i < found->n; i++)
        /* What was deleted or changed here is not yet so there. */
        if (stickers[i].filename &&
            sticker_filter_passes(filter, stickers[i].pack, stickers[i].rating, stickers[i].animated))
            out->results[out->n++] = (struct find_result){.sticker = &stickers[i],
                                                          .score = found->hits[i].score,
                                                          .confidence = found->hits[i].confidence,
                                                          .pinned = found->hits[i].pinned,
                                                          .team = found->hits[i].team};
    return status;
}

/* --- experiments --- */

#define FIND_DRAFT_MAX 1000u /* results that SearchService gives at once: pages behind them have ranking A alone */

static struct found nothing_found(const struct find_query *query)
{
    return (struct found){.language = query->lang ? language_number(query->lang) : LANGUAGE_en};
}

/* A ranking that failed is not counted as one of the experiment, whose other one serves. */
static void tell_fallback(struct sticker_service *s, char which, const char *why)
{
    int64_t now = os_monotonic_us(), logged = atomic_load(&s->fallback_logged_us);
    atomic_fetch_add(&s->experiment_fallbacks, 1);
    if ((!logged || now - logged >= 60000000) && atomic_compare_exchange_strong(&s->fallback_logged_us, &logged, now))
        log_warn("ranking %c of the experiment failed, and the other one serves: %s", which, why);
}

/* Both rankings from their beginning, as one list, of which `found` gets the page. */
static enum status merge(const struct find_query *query, struct found sides[2], struct arena *arena,
                         struct found *found, struct error *err)
{
    *found = sides[0];
    found->total = sides[0].total > sides[1].total ? sides[0].total : sides[1].total;
    if (!found->corrected)
        found->corrected = sides[1].corrected;
    if (sides[0].ranking && sides[1].ranking &&
        !(found->ranking = arena_printf(arena, "%.19s+%.19s", sides[0].ranking, sides[1].ranking)))
        return err_no_memory(err, "two rankings");
    size_t most = query->offset + query->limit;
    if ((int64_t)most > found->total)
        most = found->total > 0 ? (size_t)found->total : 0;
    found->hits = arena_array(arena, most + 1, sizeof *found->hits);
    if (!found->hits)
        return err_no_memory(err, "%zu results", most);
    found->n = trial_draft(sides[0].hits, sides[0].n, sides[1].hits, sides[1].n, most, query->trial.seed,
                           query->trial.list & 1, found->hits);
    found->experiment = query->trial.plan->id;
    return OK;
}

static void keep_page(const struct find_query *query, struct found *found)
{
    size_t skipped = query->offset < found->n ? query->offset : found->n;
    found->hits += skipped;
    found->n -= skipped;
}

static enum status find_interleaved(struct sticker_service *s, const struct http_request *req,
                                    const struct find_query *query, unsigned timeout_ms, struct found *found,
                                    struct error *err)
{
    const struct experiment_plan *plan = query->trial.plan;
    struct find_query whole = *query;
    struct found sides[2] = {*found, *found};
    struct error why[2];
    enum status st[2];
    if (query->offset + query->limit > FIND_DRAFT_MAX)
        return find_by_peer(s, req, query, plan->params[0], timeout_ms, found, err);
    whole.offset = 0;
    whole.limit = query->offset + query->limit;
    int64_t began_us = os_monotonic_us();
    st[0] = find_by_peer(s, req, &whole, plan->params[0], timeout_ms / 2, &sides[0], &why[0]);
    int64_t took_ms = (os_monotonic_us() - began_us) / 1000;
    unsigned left_ms = took_ms < timeout_ms ? timeout_ms - (unsigned)took_ms : 1;
    st[1] = find_by_peer(s, req, &whole, plan->params[1], left_ms, &sides[1], &why[1]);
    if (st[0] != OK && st[1] != OK) {
        *found = sides[1];
        return err_set(err, st[1], "%s", why[1].message);
    }
    enum status status = OK;
    if (st[0] == OK && st[1] == OK) {
        status = merge(query, sides, req->arena, found, err);
    } else {
        int failed = st[0] == OK;
        tell_fallback(s, "AB"[failed], why[failed].message);
        *found = sides[!failed];
    }
    keep_page(query, found);
    return status;
}

static enum status find_by_arm(struct sticker_service *s, const struct http_request *req,
                               const struct find_query *query, unsigned timeout_ms, struct found *found,
                               struct error *err)
{
    const struct experiment_plan *plan = query->trial.plan;
    int arm = query->trial.arm == TEAM_B;
    struct found before = *found;
    enum status st = find_by_peer(s, req, query, plan->params[arm], timeout_ms, found, err);
    if (st == OK) {
        found->experiment = plan->id;
        return OK;
    }
    if (st == ERR_TIMEOUT || http_client_breaker(s->search) != HTTP_BREAKER_CLOSED)
        return st;
    tell_fallback(s, "AB"[arm], err -> message);
    *found = before;
    return find_by_peer(s, req, query, plan->params[!arm], timeout_ms, found, err);
}

/* --- asking --- */

/* Asks SearchService, or our own words. */
static enum status ask(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                       struct found *found, bool *degraded, struct error *err)
{
    /* A tenth of the time is kept for the search among our own words. */
    unsigned timeout_ms = s->cfg->search_deadline_ms - s->cfg->search_deadline_ms / 10;
    const struct experiment_plan *plan = query->trial.plan;
    *found = nothing_found(query);
    enum status status = !plan                         ? find_by_peer(s, req, query, "", timeout_ms, found, err)
                         : plan->kind == EXPERIMENT_AB ? find_by_arm(s, req, query, timeout_ms, found, err)
                                                       : find_interleaved(s, req, query, timeout_ms, found, err);
    *degraded = status != OK;
    if (status == OK || query->like)
        return status;
    tell_degraded(s, found->why, err->message);
    return find_by_own_words(s, req, query, found, err);
}

/* --- pins --- */

/* Of a query's pins those for its language, of stickers that are there and pass the filter; where a sticker has one for
 * the language and one for all, the former counts. */
static enum status choose_pins(struct sticker_service *s, const struct find_query *query, unsigned language,
                               struct pin *pins, size_t *n, struct arena *arena, struct error *err)
{
    const char **names = arena_array(arena, *n + 1, sizeof *names);
    struct sticker *stickers = arena_array(arena, *n + 1, sizeof *stickers);
    size_t kept = 0;
    if (!names || !stickers)
        return err_no_memory(err, "%zu pins", *n);
    for (size_t i = 0; i < *n; i++) {
        bool counts = !*pins[i].language || language_number(pins[i].language) == language;
        for (size_t k = 0; k < *n && counts; k++) /* is there a better one? */
            counts = k == i || strcmp(pins[k].sticker, pins[i].sticker) != 0 || !*pins[k].language ||
                     language_number(pins[k].language) != language || (*pins[i].language && i < k);
        if (counts)
            pins[kept++] = pins[i];
    }
    *n = kept;
    for (size_t i = 0; i < *n; i++)
        names[i] = pins[i].sticker;
    enum status status = sticker_store_recall(s->store, names, *n, arena, stickers, err);
    kept = 0;
    for (size_t i = 0; i < *n && status == OK; i++)
        if (stickers[i].filename &&
            (!pins[i].position ||
             sticker_filter_passes(&query->filter, stickers[i].pack, stickers[i].rating, stickers[i].animated)))
            pins[kept++] = pins[i];
    *n = kept;
    return status;
}

/* Hidden ones last, and at one position the one that was changed last first, as they came. */
static void sort_pins(struct pin *pins, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct pin pin = pins[i];
        size_t k = i;
        for (; k > 0 && pins[k - 1].position - 1 > pin.position - 1; k--) /* 0 becomes the greatest */
            pins[k] = pins[k - 1];
        pins[k] = pin;
    }
}

/* The page as the pins have it. `found` are the first PINS_WINDOW results; a page behind them is asked for by itself.
 */
static enum status arrange(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                           struct pin *pins, size_t n_pins, struct found *found, struct error *err)
{
    struct find_arranged page;
    enum status status = choose_pins(s, query, found->language, pins, &n_pins, req->arena, err);
    if (status != OK)
        return status;
    sort_pins(pins, n_pins);
    status = find_arrange(found->hits, found->n, found->total, pins, n_pins, query->offset, query->limit, req->arena,
                          &page, err);
    if (status != OK)
        return status;
    struct find_query behind = *query;
    behind.offset = query->offset + page.n + page.removed - page.pinned;
    behind.limit = query->limit - page.n;
    if (page.short_of && behind.offset <= FIND_MAX_OFFSET) {
        struct found more;
        bool degraded;
        status = ask(s, req, &behind, &more, &degraded, err);
        if (status == OK)
            find_leave_out(more.hits, &more.n, pins, n_pins);
        for (size_t i = 0; i < more.n && status == OK; i++)
            page.hits[page.n++] = more.hits[i];
    }
    found->hits = page.hits;
    found->n = page.n;
    found->total = page.total;
    return status;
}

static enum status find_ranked(struct sticker_service *s, const struct http_request *req,
                               const struct find_query *query, struct find_answer *out, struct error *err)
{
    struct found found = {0};
    struct find_query asked = *query;
    struct pin *pins = NULL;
    size_t n_pins = 0;
    *out = (struct find_answer){0};
    enum status status = query->like ? OK : curation_pins(s->curation, query->text, req->arena, &pins, &n_pins, err);
    if (status != OK)
        return status;
    if (n_pins) {
        asked.offset = 0;
        asked.limit = PINS_WINDOW;
    }
    status = ask(s, req, &asked, &found, &out->degraded, err);
    if (status != OK && query->like) {
        log_debug("no stickers similar to %s: %s", query->like, err->message);
        *out = (struct find_answer){0};
        return OK;
    }
    if (status == OK && n_pins)
        status = arrange(s, req, query, pins, n_pins, &found, err);
    if (status != OK)
        return status;
    out->total = found.total;
    out->ranking = found.ranking ? found.ranking : out->degraded ? "words" : "";
    out->language = language_code(found.language);
    out->corrected = found.corrected;
    out->legs = found.legs;
    out->experiment = found.experiment;
    out->arm = query->trial.arm;
    return join_stickers(s, &found, &query->filter, req->arena, out, err);
}

/* --- new stickers --- */

#define EXPLORE_FROM  4u  /* the first rank that a new sticker may get, */
#define EXPLORE_TO    10u /* and the last; those that get one stand behind it */
#define EXPLORE_DEPTH 40u

/* Swaps one of the results behind EXPLORE_TO, that is new and that chance chooses, with one before. */
static void explore(struct sticker_service *s, const struct find_query *query, struct find_answer *out)
{
    size_t slots[EXPLORE_TO], n_slots = 0, at[EXPLORE_DEPTH], n = 0;
    struct trial_evidence evidence[EXPLORE_DEPTH];
    double chances[EXPLORE_DEPTH];
    uint64_t seed = query->trial.seed;
    for (size_t i = EXPLORE_FROM - 1; i < out->n && i < EXPLORE_DEPTH; i++) {
        if (out->results[i].pinned)
            continue;
        if (i < EXPLORE_TO)
            slots[n_slots++] = i;
        else if (newcomers_find(s->newcomers, out->results[i].sticker->id, &evidence[n]))
            at[n++] = i;
    }
    if (!n || !n_slots)
        return;
    trial_chances(evidence, n, chances);
    size_t slot = slots[trial_random(&seed) % n_slots], choice = trial_choose(chances, n, trial_random(&seed));
    struct find_result moved = out->results[slot];
    out->results[slot] = out->results[at[choice]];
    out->results[at[choice]] = moved;
    double propensity = s->cfg->explore / 100 * chances[choice] / (double)n_slots * PROPENSITY_ONE;
    out->tried = slot + 1;
    out->propensity = propensity >= 1 ? (int64_t)propensity : 1;
}

enum status find_stickers(struct sticker_service *s, const struct http_request *req, const struct find_query *query,
                          struct find_answer *out, struct error *err)
{
    struct find_query whole = *query;
    size_t end = query->offset + query->limit;
    if (!query->trial.explore)
        return find_ranked(s, req, query, out, err);
    /* Later pages have what the place was taken from. */
    whole.offset = 0;
    whole.limit = end > EXPLORE_DEPTH ? end : EXPLORE_DEPTH;
    enum status status = find_ranked(s, req, &whole, out, err);
    if (status != OK)
        return status;
    if (!out->degraded)
        explore(s, query, out);
    out->n = out->n < end ? out->n : end;
    size_t skipped = query->offset < out->n ? query->offset : out->n;
    out->results += skipped;
    out->n -= skipped;
    if (out->tried <= query->offset || out->tried > end)
        out->tried = 0;
    atomic_fetch_add(&s->explored, out->tried > 0);
    return OK;
}

/* --- what is tried --- */

#define LISTS    8u  /* that are drawn for a query in an hour: so many answers are kept of it, */
#define EXPLORES 64u /* or of these, those that try a new sticker */
#define HOUR_US  (3600 * INT64_C(1000000))

static uint64_t draw(struct sticker_service *s, const char *text)
{
    return text ? receipts_draw(s->receipts, text) : 0;
}

static bool in_experiment(struct sticker_service *s, struct arena *a, const char *client, struct find_query *query)
{
    const struct experiment_plan *plan = experiments_running(s->experiments, a);
    struct find_trial *t = &query->trial;
    if (!plan)
        return false;
    uint64_t person = draw(s, arena_printf(a, "person\n%lld\n%s", (long long)plan->id, client));
    if (person % 100 >= plan->share)
        return false;
    t->plan = plan;
    t->list = (unsigned)(person / 100 % LISTS);
    if (plan->kind == EXPERIMENT_AB)
        t->arm = t->list & 1 ? TEAM_B : TEAM_A;
    else /* of each two lists one is the other's mirror */
        t->seed = draw(s, arena_printf(a, "list\n%lld\n%lld\n%u\n%s", (long long)plan->id,
                                       (long long)(os_now_us() / HOUR_US), t->list / 2, query->text));
    return true;
}

void find_choose_trial(struct sticker_service *s, const struct http_request *req, struct find_query *query)
{
    struct arena *a = req->arena;
    struct find_trial *t = &query->trial;
    const char *client = query->client;
    char network[CLIENT_NETWORK_SIZE];
    if (!client || !*client)
        client_network(req->client, network), client = network;
    *t = (struct find_trial){0};
    if (query->like || in_experiment(s, a, client, query) || query->known_only || !newcomers_any(s->newcomers) ||
        query->offset + query->limit < EXPLORE_FROM || query->offset >= EXPLORE_DEPTH || s->cfg->explore <= 0)
        return;
    t->list = (unsigned)(draw(s, arena_printf(a, "explorer\n%s", client)) % EXPLORES);
    uint64_t seed =
        draw(s, arena_printf(a, "explore\n%lld\n%u\n%s", (long long)(os_now_us() / HOUR_US), t->list, query->text));
    t->explore = (double)(trial_random(&seed) % 1000000) < s->cfg->explore * 10000;
    t->seed = seed;
}

const char *find_trial_key(const struct find_trial *t, char key[FIND_TRIAL_KEY])
{
    snprintf(key, FIND_TRIAL_KEY, "%lld %d %u %d", t->plan ? (long long)t->plan->id : 0, (int)t->arm,
             (t->plan && t->arm == TEAM_NONE) || t->explore ? t->list : 0, t->explore);
    return key;
}

enum status find_draft(const struct find_query *query, const struct find_answer *answer, struct arena *arena,
                       struct buf *out, struct error *err)
{
    const char **ids = arena_array(arena, answer->n + 1, sizeof *ids);
    unsigned char *teams = arena_alloc(arena, answer->n + 1);
    if (!ids || !teams)
        return err_no_memory(err, "%zu results", answer->n);
    for (size_t i = 0; i < answer->n; i++) {
        ids[i] = answer->results[i].sticker->id;
        teams[i] = (unsigned char)answer->results[i].team;
    }
    receipt_draft(&(struct receipt_draft){.query = query->text,
                                          .language = answer->language,
                                          .ranking = answer->ranking,
                                          .offset = query->offset,
                                          .ids = ids,
                                          .n = answer->n,
                                          .experiment = answer->experiment,
                                          .arm = answer->arm,
                                          .teams = answer->arm == TEAM_NONE ? teams : NULL,
                                          .tried = answer->tried,
                                          .propensity = answer->propensity},
                  out);
    return OK;
}

enum usage_outcome find_outcome(const struct find_answer *answer)
{
    return answer->degraded ? USAGE_DEGRADED : answer->total == 0 ? USAGE_EMPTY : USAGE_FOUND;
}
