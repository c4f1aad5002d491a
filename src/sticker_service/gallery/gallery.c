/* The start page and the results of a search. */
#include "sticker_service/gallery/gallery.h"

#include "base/os.h"
#include "sticker_service/find.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"

#include <string.h>

#define PAGE_SIZE 24
_Static_assert(GALLERY_PAGE_LAST == FIND_MAX_OFFSET / PAGE_SIZE + 1, "the last page that SearchService ranks");

/* What the start page offers to try. */
static const char *const examples[] = {"smiling cat", "birthday cake", "rocket",       "sleepy panda",
                                       "heart",       "rain cloud",    "pizza slice",  "dancing",
                                       "good night",  "coffee break",  "party popper", "astronaut"};
#define N_EXAMPLES   (sizeof examples / sizeof *examples)
#define EXAMPLES_MIN 4      /* fewer are not worth showing */
#define EXAMPLES_US  300000 /* the start page waits no longer for the next one */

/* --- what was asked --- */

struct asked {
    const char *query, *part, *voted, *as;
    int64_t page;
    bool typing;
};

static enum status read_asked(const struct http_request *req, struct asked *out, struct error *err)
{
    const char *typing = "";
    *out = (struct asked){.query = "", .page = 1};
    enum status status = query_or_empty(req, "q", &out->query, err);
    if (status == OK)
        status = http_param_int(req, "page", 1, GALLERY_PAGE_LAST, 1, &out->page, err);
    if (status == OK)
        status = param_or(req, "part", "", &out->part, err);
    if (status == OK)
        status = param_or(req, "typing", "", &typing, err);
    if (status == OK)
        status = param_or(req, "voted", "", &out->voted, err);
    if (status == OK)
        status = param_or(req, "as", "", &out->as, err);
    out->typing = status == OK && strcmp(typing, "1") == 0;
    return status;
}

/* --- the start page and results --- */

/* Best results of the examples. A search that is slow or down must not hold the start page up: then, and
 * where the examples find too little (somebody's own stickers), there are none. */
static enum status fill_examples(struct sticker_service *s, const struct http_request *req, struct gallery_texts *t,
                                 struct tpl_results *out, struct error *err)
{
    struct tpl_results_examples *list = arena_array(req->arena, N_EXAMPLES, sizeof *list);
    if (!list)
        return err_no_memory(err, "examples");
    int64_t end = os_monotonic_us() + EXAMPLES_US;
    struct find_answer answer = {0};
    for (size_t i = 0; i < N_EXAMPLES && os_monotonic_us() < end && !answer.degraded; i++) {
        struct find_query query = {.text = examples[i], .lang = "en", .limit = 1, .filter = STICKER_FILTER_NONE};
        enum status status = find_stickers(s, req, &query, &answer, err);
        if (status != OK)
            return status;
        if (!answer.n)
            continue;
        const struct sticker *k = answer.results[0].sticker;
        list[out->n_examples++] = (struct tpl_results_examples){.query = examples[i],
                                                                .filename = k->filename,
                                                                .thumbnail = gallery_image(t, k, FIND_THUMBNAIL),
                                                                .author = k->author,
                                                                .license = k->license};
    }
    out->examples = list;
    if (answer.degraded || out->n_examples < EXAMPLES_MIN)
        out->n_examples = 0;
    return OK;
}

/* Instead of examples, the first stickers by name. */
static enum status fill_some(struct sticker_service *s, const struct http_request *req, struct gallery_texts *t,
                             struct tpl_results *out, struct error *err)
{
    struct sticker *stickers;
    size_t n;
    enum status status = sticker_store_list(s->store, "", PAGE_SIZE, req->arena, &stickers, &n, err);
    if (status != OK)
        return status;
    struct tpl_card *cards = arena_array(req->arena, n + 1, sizeof *cards);
    if (!cards)
        return err_no_memory(err, "%zu stickers", n);
    for (size_t i = 0; i < n; i++)
        cards[i] = gallery_card(t, &stickers[i], NULL);
    out->cards = cards;
    out->n_cards = n;
    return OK;
}

static enum status fill_results(struct sticker_service *s, const struct http_request *req, const struct asked *asked,
                                struct gallery_texts *t, struct tpl_results *out, struct error *err)
{
    struct find_answer answer;
    size_t offset = (size_t)(asked->page - 1) * PAGE_SIZE;
    struct find_query query = {.text = asked->query,
                               .lang = lang_accepted(req),
                               .limit = PAGE_SIZE,
                               .offset = offset,
                               .filter = STICKER_FILTER_NONE};
    enum status status = find_stickers(s, req, &query, &answer, err);
    if (status != OK)
        return status;
    if (!asked->typing && !*asked->voted)
        usage_count(s->usage, asked->query, find_outcome(&answer));
    struct tpl_card *cards = arena_array(req->arena, answer.n + 1, sizeof *cards);
    if (!cards)
        return err_no_memory(err, "%zu stickers", answer.n);
    for (size_t i = 0; i < answer.n; i++) {
        cards[i] = gallery_card(t, answer.results[i].sticker, asked->query);
        if (strcmp(cards[i].filename, asked->voted) == 0) {
            cards[i].voted = asked->as;
            out->noted = gallery_thanks(asked->as);
        }
    }
    out->cards = cards;
    out->n_cards = answer.n;
    out->total = answer.total;
    out->from = (int64_t)offset + 1;
    out->to = (int64_t)(offset + answer.n);
    out->degraded = answer.degraded;
    out->corrected = answer.corrected;
    if (asked->page > 1)
        out->previous = gallery_results_url(t, asked->query, asked->page - 1);
    if (asked->page < GALLERY_PAGE_LAST && answer.total > (int64_t)(offset + PAGE_SIZE))
        out->next = gallery_results_url(t, asked->query, asked->page + 1);
    return OK;
}

void handle_gallery(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    struct asked asked;
    struct error err;
    struct gallery_texts t = {.arena = req->arena};
    if (read_asked(req, &asked, &err) != OK) {
        gallery_send_error(res, &err, "");
        return;
    }
    bool searched = *asked.query;
    if (strcmp(asked.part, "count") == 0) { /* what was typed is what was meant; searched again, for what it found */
        struct find_answer answer;
        struct find_query query = {
            .text = asked.query, .lang = lang_accepted(req), .limit = 1, .filter = STICKER_FILTER_NONE};
        if (searched && find_stickers(s, req, &query, &answer, &err) == OK)
            usage_count(s->usage, asked.query, find_outcome(&answer));
        http_body_static(res, 204, "text/plain", "", 0);
        return;
    }
    struct tpl_results results = {.query = asked.query, .page = asked.page};
    results.title = searched ? gallery_kept(&t, arena_printf(req->arena, "%s" TITLE_SUFFIX, asked.query))
                             : "Peel: a sticker for what you mean";
    enum status status =
        searched ? fill_results(s, req, &asked, &t, &results, &err) : fill_examples(s, req, &t, &results, &err);
    if (status == OK && !searched && !results.n_examples)
        status = fill_some(s, req, &t, &results, &err);
    if (status == OK && t.failed)
        status = err_no_memory(&err, "a page");
    if (status != OK) {
        gallery_send_error(res, &err, asked.query);
        return;
    }
    struct buf html;
    buf_init(&html, GALLERY_HTML_MAX);
    if (strcmp(asked.part, "results") == 0)
        tpl_results(&html, &results);
    else
        tpl_gallery(&html, &(struct tpl_gallery){.layout = {.title = results.title, .query = asked.query},
                                                 .results = results,
                                                 .start = !searched});
    gallery_send(res, 200, &html);
}
