/* The start page and the results of a search. */
#include "sticker_service/gallery/gallery.h"

#include "base/os.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"

#include <ctype.h>
#include <string.h>

#define PAGE_SIZE 24
_Static_assert(GALLERY_PAGE_LAST == FIND_MAX_OFFSET / PAGE_SIZE + 1, "the last page that SearchService ranks");

#define EXAMPLES_MAX 12
#define EXAMPLES_MIN 4       /* fewer are not worth showing */
#define EXAMPLES_US  1000000 /* the start page waits no longer for the next one */
#define POPULAR_MAX  10
#define POPULAR_MIN  3

/* --- what was asked --- */

struct asked {
    const char *query, *part, *voted, *as;
    int64_t page;
    bool typing;
    struct sticker_filter filter;
};

/* Those of a form, in which what was not chosen is empty. */
static enum status read_filter(const struct http_request *req, struct sticker_filter *out, struct error *err)
{
    static const char *const params[] = STICKER_FILTER_PARAMS;
    const char *value;
    enum status status = OK;
    for (size_t i = 0; i < sizeof params / sizeof *params && status == OK; i++)
        if ((status = http_param_or(req, params[i], "", &value, err)) == OK && *value)
            status = sticker_filter_set(out, params[i], value, err);
    return status;
}

static enum status read_asked(const struct http_request *req, struct asked *out, struct error *err)
{
    const char *typing = "";
    *out = (struct asked){.query = "", .page = 1, .filter = STICKER_FILTER_NONE};
    enum status status = query_or_empty(req, "q", &out->query, err);
    if (status == OK)
        status = http_param_int(req, "page", 1, GALLERY_PAGE_LAST, 1, &out->page, err);
    if (status == OK)
        status = http_param_or(req, "part", "", &out->part, err);
    if (status == OK)
        status = http_param_or(req, "typing", "", &typing, err);
    if (status == OK)
        status = http_param_or(req, "voted", "", &out->voted, err);
    if (status == OK)
        status = http_param_or(req, "as", "", &out->as, err);
    if (status == OK)
        status = read_filter(req, &out->filter, err);
    out->typing = status == OK && strcmp(typing, "1") == 0;
    return status;
}

/* --- the start page --- */

/* The searches that a language offers to try: "smiling cat|birthday cake" in pieces. */
static size_t list_examples(struct gallery_visit *v, const char *queries[EXAMPLES_MAX])
{
    size_t n = 0;
    for (const char *s = GALLERY_SAY(v, examples); *s && n < EXAMPLES_MAX;) {
        size_t len = strcspn(s, "|");
        if ((queries[n] = gallery_kept(v, arena_strndup(v->req->arena, s, len))))
            n++;
        s += len + (s[len] == '|');
    }
    return n;
}

/* Finds the best sticker of each example. A search that is slow must not hold the start page up: then there are fewer.
 * One that is down answers from keywords, which is mostly right too. names[i] is "" where nothing was found. *complete:
 * that is as good as it gets. */
static enum status find_examples(struct sticker_service *s, struct gallery_visit *v, const char *const *queries,
                                 size_t n, const char **names, bool *complete, struct error *err)
{
    int64_t end = os_monotonic_us() + EXAMPLES_US;
    struct find_answer answer = {0};
    *complete = true;
    for (size_t i = 0; i < n; i++) {
        struct find_query query = {
            .text = queries[i], .lang = messages_tag(v->messages), .limit = 1, .filter = {.rating_most = RATING_G}};
        names[i] = "";
        if (os_monotonic_us() >= end) {
            *complete = false;
            continue;
        }
        enum status status = find_stickers(s, v->req, &query, &answer, err);
        if (status != OK)
            return status;
        if (answer.n)
            names[i] = answer.results[0].sticker->filename;
        *complete = *complete && !answer.degraded;
    }
    return OK;
}

/* The names of the examples' stickers, one a line, as they were found a moment ago. */
static bool recall_examples(struct sticker_service *s, struct gallery_visit *v, size_t n, const char **names)
{
    struct buf kept;
    buf_init(&kept, ANSWERS_MAX_BYTES);
    bool found = answers_get(s->starts, messages_tag(v->messages), &kept);
    const char *at = buf_str(&kept);
    for (size_t i = 0; i < n && found; i++) {
        size_t len = strcspn(at, "\n");
        found = (names[i] = arena_strndup(v->req->arena, at, len)) != NULL;
        at += len + (at[len] == '\n');
    }
    buf_free(&kept);
    return found;
}

static void keep_examples(struct sticker_service *s, struct gallery_visit *v, size_t n, const char *const *names,
                          unsigned cleared)
{
    struct buf lines;
    buf_init(&lines, ANSWERS_MAX_BYTES);
    for (size_t i = 0; i < n; i++)
        buf_printf(&lines, "%s\n", names[i]);
    if (!lines.failed)
        answers_put(s->starts, messages_tag(v->messages), buf_str(&lines), lines.len, cleared);
    buf_free(&lines);
}

static enum status fill_examples(struct sticker_service *s, struct gallery_visit *v, struct tpl_results *out,
                                 struct error *err)
{
    struct arena *a = v->req->arena;
    const char *queries[EXAMPLES_MAX], *names[EXAMPLES_MAX];
    struct sticker stickers[EXAMPLES_MAX];
    struct tpl_results_examples *list = arena_array(a, EXAMPLES_MAX, sizeof *list);
    size_t n = list_examples(v, queries);
    enum status status = list ? OK : err_no_memory(err, "examples");
    unsigned cleared = answers_cleared(s->starts);
    bool complete;
    if (status == OK && !recall_examples(s, v, n, names)) {
        status = find_examples(s, v, queries, n, names, &complete, err);
        if (status == OK && complete)
            keep_examples(s, v, n, names, cleared);
    }
    if (status == OK)
        status = sticker_store_get_many(s->store, names, n, a, stickers, err);
    for (size_t i = 0; status == OK && i < n; i++) {
        if (stickers[i].filename)
            list[out->n_examples++] =
                (struct tpl_results_examples){.query = queries[i],
                                              .filename = stickers[i].filename,
                                              .thumbnail = gallery_image(v, &stickers[i], FIND_THUMBNAIL),
                                              .still = gallery_still(v, &stickers[i], FIND_THUMBNAIL),
                                              .author = stickers[i].author,
                                              .license = stickers[i].license};
    }
    out->examples = list;
    if (out->n_examples < EXAMPLES_MIN)
        out->n_examples = 0;
    return status;
}

/* Instead of examples, the first stickers by name. */
static enum status fill_some(struct sticker_service *s, struct gallery_visit *v, struct tpl_results *out,
                             struct error *err)
{
    struct find_answer answer = {0};
    struct sticker *stickers;
    struct tpl_card *cards;
    enum status status = sticker_store_list(s->store, "", PAGE_SIZE, v->req->arena, &stickers, &answer.n, err);
    if (status != OK)
        return status;
    answer.results = arena_array(v->req->arena, answer.n + 1, sizeof *answer.results);
    if (!answer.results)
        return err_no_memory(err, "%zu stickers", answer.n);
    for (size_t i = 0; i < answer.n; i++)
        answer.results[i].sticker = &stickers[i];
    status = gallery_cards(s, v, &answer, NULL, &cards, err);
    out->cards = cards;
    out->n_cards = status == OK ? answer.n : 0;
    return status;
}

static void fill_popular(struct sticker_service *s, struct gallery_visit *v, struct tpl_results *out)
{
    const char **list = arena_array(v->req->arena, POPULAR_MAX, sizeof *list);
    out->popular = list;
    if (list)
        out->n_popular = collection_popular(s->collection, v->lang, POPULAR_MAX, v->req->arena, list);
    if (out->n_popular < POPULAR_MIN)
        out->n_popular = 0;
}

static enum status fill_start(struct sticker_service *s, struct gallery_visit *v, struct tpl_results *out,
                              struct error *err)
{
    enum status status = fill_examples(s, v, out, err);
    if (status == OK && !out->n_examples)
        status = fill_some(s, v, out, err);
    fill_popular(s, v, out);
    return status;
}

/* --- filters --- */

static void fill_packs(struct gallery_visit *v, const struct collection_facts *facts, const char *chosen,
                       struct tpl_filters *out)
{
    if (facts->n_packs < 2)
        return;
    struct tpl_filters_packs *packs = arena_array(v->req->arena, facts->n_packs, sizeof *packs);
    for (size_t i = 0; packs && i < facts->n_packs; i++)
        packs[out->n_packs++] = (struct tpl_filters_packs){.name = facts->packs[i].about.name,
                                                           .title = pack_title(&facts->packs[i].about),
                                                           .chosen = html_equal(facts->packs[i].about.name, chosen)};
    out->packs = packs;
}

/* The ratings that there are, but for the last one, which is "all". */
static void fill_ratings(struct gallery_visit *v, const struct collection_facts *facts, enum rating chosen,
                         struct tpl_filters *out)
{
    struct tpl_filters_ratings *ratings = arena_array(v->req->arena, RATING_R + 1, sizeof *ratings);
    for (int i = RATING_G; ratings && i < (int)facts->rating_most; i++) {
        char *label = arena_strdup(v->req->arena, rating_name((enum rating)i));
        for (char *c = label; c && *c; c++)
            *c = (char)toupper((unsigned char)*c);
        ratings[out->n_ratings++] = (struct tpl_filters_ratings){
            .name = rating_name((enum rating)i), .label = gallery_kept(v, label), .chosen = i == (int)chosen};
    }
    out->ratings = ratings;
}

/* Only what makes a difference is offered. */
static struct tpl_filters make_filters(struct sticker_service *s, struct gallery_visit *v, const struct asked *asked)
{
    struct collection_facts facts;
    collection_facts(s->collection, v->req->arena, &facts);
    struct tpl_filters out = {.query = asked->query,
                              .active = !sticker_filter_is_none(&asked->filter),
                              .animated_offered = facts.some_animated && facts.some_still,
                              .clear = gallery_results_url(v, asked->query, NULL, 1)};
    if (asked->filter.animated != ANIMATED_ANY)
        out.animated = asked->filter.animated == ANIMATED_YES ? "true" : "false";
    fill_packs(v, &facts, asked->filter.pack, &out);
    fill_ratings(v, &facts, asked->filter.rating_most, &out);
    out.offered = out.n_packs || out.animated_offered || out.n_ratings;
    return out;
}

/* --- results --- */

static enum status fill_receipt(struct sticker_service *s, struct gallery_visit *v, const struct find_query *query,
                                const struct find_answer *answer, struct tpl_results *out, struct error *err)
{
    struct buf draft, receipt;
    buf_init(&draft, RECEIPT_DRAFT_MAX);
    buf_init(&receipt, RECEIPT_MAX + 1);
    enum status status = find_draft(query, answer, v->req->arena, &draft, err);
    if (status == OK) {
        receipts_sign(s->receipts, buf_str(&draft), draft.len, &receipt);
        out->receipt = gallery_kept(v, arena_strdup(v->req->arena, buf_str(&receipt)));
    }
    buf_free(&draft);
    buf_free(&receipt);
    return status;
}

static enum status fill_results(struct sticker_service *s, struct gallery_visit *v, const struct asked *asked,
                                struct tpl_results *out, struct error *err)
{
    struct find_answer answer;
    struct tpl_card *cards;
    size_t offset = (size_t)(asked->page - 1) * PAGE_SIZE;
    struct find_query query = {.text = asked->query,
                               .lang = v->lang,
                               .limit = PAGE_SIZE,
                               .offset = offset,
                               .filter = asked->filter,
                               .client = gallery_voter(s, v)};
    find_choose_trial(s, v->req, &query);
    enum status status = find_stickers(s, v->req, &query, &answer, err);
    if (status != OK)
        return status;
    if (!asked->typing && !*asked->voted)
        usage_count(s->usage, asked->query, find_outcome(&answer), receipts_client(s->receipts, v->req->client));
    status = gallery_cards(s, v, &answer, asked->query, &cards, err);
    if (status != OK)
        return status;
    status = gallery_votes(s, v, asked->query, cards, answer.n, err);
    if (status == OK)
        status = fill_receipt(s, v, &query, &answer, out, err);
    if (status != OK)
        return status;
    if (*asked->voted)
        out->noted = gallery_thanks(v, asked->as);
    out->cards = cards;
    out->n_cards = answer.n;
    out->total = answer.total;
    out->from = (int64_t)offset + 1;
    out->to = (int64_t)(offset + answer.n);
    out->degraded = answer.degraded;
    out->corrected = answer.corrected;
    out->filters = make_filters(s, v, asked);
    if (answer.total == 0)
        fill_popular(s, v, out);
    int64_t last = (answer.total + PAGE_SIZE - 1) / PAGE_SIZE; /* where "previous" leads to from beyond it */
    if (asked->page > 1 && last > 0)
        out->previous =
            gallery_results_url(v, asked->query, &asked->filter, asked->page - 1 < last ? asked->page - 1 : last);
    if (asked->page < GALLERY_PAGE_LAST && answer.total > (int64_t)(offset + PAGE_SIZE))
        out->next = gallery_results_url(v, asked->query, &asked->filter, asked->page + 1);
    return OK;
}

/* What was typed is what was meant; searched again, for what it found. */
static void count_search(struct sticker_service *s, struct gallery_visit *v, const struct asked *asked)
{
    struct error err;
    struct find_answer answer;
    struct find_query query = {.text = asked->query, .lang = v->lang, .limit = 1, .filter = asked->filter};
    if (*asked->query && find_stickers(s, v->req, &query, &answer, &err) == OK)
        usage_count(s->usage, asked->query, find_outcome(&answer), receipts_client(s->receipts, v->req->client));
    http_body_static(v->res, 204, "text/plain", "", 0);
}

void handle_gallery(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct asked asked;
    struct error err;
    struct gallery_visit v;
    gallery_visit(&v, req, res);
    if (read_asked(req, &asked, &err) != OK) {
        gallery_send_error(&v, &err, "");
        return;
    }
    bool searched = *asked.query;
    if (strcmp(asked.part, "count") == 0) {
        count_search(s, &v, &asked);
        return;
    }
    struct tpl_results results = {.query = asked.query, .page = asked.page};
    results.title = searched ? gallery_page_title(&v, asked.query) : GALLERY_SAY(&v, site_title);
    enum status status = searched ? fill_results(s, &v, &asked, &results, &err) : fill_start(s, &v, &results, &err);
    struct tpl_gallery page = {.start = !searched};
    if (status == OK) {
        page.layout = gallery_layout(&v, results.title, asked.query);
        page.results = results;
    }
    if (status == OK && v.failed)
        status = err_no_memory(&err, "a page");
    if (status != OK) {
        gallery_send_error(&v, &err, asked.query);
        return;
    }
    struct buf html;
    buf_init(&html, GALLERY_HTML_MAX);
    if (strcmp(asked.part, "results") == 0)
        tpl_results(&html, &results, v.messages);
    else
        tpl_gallery(&html, &page, v.messages);
    gallery_send(&v, 200, &html);
}
