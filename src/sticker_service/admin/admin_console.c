/* admin_console.c: the search console: what people see for a query, what each leg of the search finds, and why a
 * sticker is where it is. What is decided there is in admin_console_decide.c. What the legs find SearchService tells at
 * /api/search/, why at /api/explain. */
#include "base/json_in.h"
#include "base/log.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_list.h"
#include "sticker_service/find.h"
#include "web/html.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX   16384
#define SHOWN     10u
#define LEGS_MAX  8u
#define THUMBNAIL 96u /* pixels wide, shown at half of that */
#define PINS_MAX  (2 * CURATION_MAX_QUERY)

/* The legs, as their weights are called in the URL, and the columns, by the algorithm that each is of. */
static const char *const weight_names[] = {"lexical", "words", "sentence", "vector"};
#define WEIGHTS (sizeof weight_names / sizeof *weight_names)
static const struct {
    const char *algorithm;
    enum message title;
} columns[] = {{"hybrid", MESSAGE_admin_column_hybrid},
               {"lexical", MESSAGE_admin_column_lexical},
               {"words", MESSAGE_admin_column_words},
               {"sentence", MESSAGE_admin_column_sentence},
               {"vector", MESSAGE_admin_column_vector}};
#define COLUMNS (sizeof columns / sizeof *columns)

struct console {
    const struct admin_visit *v;
    struct arena *a;
    const char *query, *lang, *sticker;
    const char *weights[WEIGHTS]; /* as typed; "" as configured */
    bool weighted;                /* one is not "" */
    bool refused;                 /* what was decided here */
    struct tpl_admin_search page;
    struct tpl_admin_search_columns columns[COLUMNS + 1];
};

static enum status no_memory(struct error *err)
{
    return err_no_memory(err, "the search console");
}

/* --- asking SearchService --- */

static void put_weights(const struct console *k, struct buf *path)
{
    const char *before = "&weights=";
    for (size_t i = 0; i < WEIGHTS; i++)
        if (*k->weights[i]) {
            buf_printf(path, "%s%s%%3A", before, weight_names[i]);
            http_escape(path, k->weights[i], strlen(k->weights[i]));
            before = "%2C";
        }
}

/* `document` and `algorithm` may be NULL. */
static enum status ask(const struct console *k, const char *where, const char *algorithm, const char *document,
                       json_t **out, struct error *err)
{
    struct buf path;
    buf_init(&path, URL_MAX);
    buf_printf(&path, "%s?limit=%u&query=", where, SHOWN);
    http_escape(&path, k->query, strlen(k->query));
    if (*k->lang) {
        buf_puts(&path, "&lang=");
        http_escape(&path, k->lang, strlen(k->lang));
    }
    if (algorithm)
        buf_printf(&path, "&algorithm=%s", algorithm);
    if (document) {
        buf_puts(&path, "&document=");
        http_escape(&path, document, strlen(document));
    }
    if (strcmp(where, "/api/explain") == 0)
        put_weights(k, &path);
    enum status st = admin_ask_search(k->v->service, &path, out, err);
    buf_free(&path);
    return st;
}

/* --- columns --- */

/* This page with another sticker to explain. */
static const char *why_url(const struct console *k, const char *filename)
{
    struct buf url;
    buf_init(&url, URL_MAX);
    buf_puts(&url, "/admin/search/?query=");
    html_url_part(&url, k->query);
    buf_puts(&url, "&lang=");
    html_url_part(&url, k->lang);
    for (size_t i = 0; i < WEIGHTS; i++)
        if (*k->weights[i]) {
            buf_printf(&url, "&%s=", weight_names[i]);
            html_url_part(&url, k->weights[i]);
        }
    buf_puts(&url, "&sticker=");
    html_url_part(&url, filename);
    const char *copy = url.failed ? NULL : arena_strdup(k->a, buf_str(&url));
    buf_free(&url);
    return copy;
}

static const char *image_of(const struct console *k, const struct sticker *sticker)
{
    return list_image(sticker->filename, sticker->sha256, THUMBNAIL, k->a);
}

static const char *title_of(const struct sticker *sticker)
{
    return *sticker->title ? sticker->title : sticker->filename;
}

/* `results`: of SearchService, with `filename` and `score`. */
static enum status fill_items(struct console *k, const json_t *results, struct tpl_admin_search_columns *out,
                              struct error *err)
{
    const char *names[SHOWN];
    double scores[SHOWN];
    struct sticker stickers[SHOWN];
    const json_t *result;
    size_t i, n = 0;
    struct tpl_admin_search_columns_items *items = arena_array(k->a, SHOWN, sizeof *items);
    if (!items)
        return no_memory(err);
    json_array_foreach((json_t *)(uintptr_t)results, i, result)
    {
        if (n == SHOWN)
            break;
        scores[n] = json_number_value(json_object_get(result, "score"));
        if (!(names[n++] = arena_strdup(k->a, json_member_text(result, "filename"))))
            return no_memory(err);
    }
    enum status st = sticker_store_get_many(k->v->service->store, names, n, k->a, stickers, err);
    for (i = 0; i < n && st == OK; i++) {
        if (!stickers[i].filename)
            continue;
        struct tpl_admin_search_columns_items *item = &items[out->n_items++];
        *item = (struct tpl_admin_search_columns_items){.filename = names[i],
                                                        .name = title_of(&stickers[i]),
                                                        .image = image_of(k, &stickers[i]),
                                                        .score = arena_printf(k->a, "%.3f", scores[i]),
                                                        .current = strcmp(names[i], k->sticker) == 0,
                                                        .why = why_url(k, names[i])};
        if (!item->image || !item->score || !item->why)
            return no_memory(err);
    }
    out->items = items;
    return st;
}

/* A column says itself why it is empty, such as that a model is missing. */
static enum status fill_column(struct console *k, enum message title, const char *algorithm, bool weighted,
                               struct error *err)
{
    struct tpl_admin_search_columns *column = &k->columns[k->page.n_columns++];
    struct error why;
    json_t *answer;
    *column = (struct tpl_admin_search_columns){.title = admin_say(title)};
    enum status st = ask(k, weighted ? "/api/explain" : "/api/search/", algorithm, NULL, &answer, &why);
    if (st != OK) {
        column->note = arena_strdup(k->a, why.message);
        return column->note ? OK : no_memory(err);
    }
    column->note = admin_say_number(k->a, MESSAGE_admin_column_found, json_member_int(answer, "total"));
    st = column->note ? fill_items(k, json_object_get(answer, weighted ? "documents" : "results"), column, err)
                      : no_memory(err);
    json_decref(answer);
    return st;
}

static enum status fill_columns(struct console *k, struct error *err)
{
    enum status st = OK;
    if (k->weighted)
        st = fill_column(k, MESSAGE_admin_column_weighted, "hybrid", true, err);
    for (size_t i = 0; i < COLUMNS && st == OK; i++)
        st = fill_column(k, columns[i].title, columns[i].algorithm, false, err);
    k->page.columns = k->columns;
    return st;
}

/* --- what people see --- */

static enum status fill_seen(struct console *k, struct error *err)
{
    struct find_query query = {
        .text = k->query, .lang = *k->lang ? k->lang : NULL, .limit = SHOWN, .filter = STICKER_FILTER_NONE};
    struct find_answer answer;
    enum status st = find_stickers(k->v->service, k->v->req, &query, &answer, err);
    if (st != OK)
        return st;
    struct tpl_admin_search_seen *seen = arena_array(k->a, answer.n + 1, sizeof *seen);
    if (!seen)
        return no_memory(err);
    for (size_t i = 0; i < answer.n; i++) {
        const struct find_result *r = &answer.results[i];
        const char *confidence = r->confidence > 0 ? arena_printf(k->a, "%.2f", r->confidence) : "";
        seen[i] = (struct tpl_admin_search_seen){.filename = r->sticker->filename,
                                                 .name = title_of(r->sticker),
                                                 .image = image_of(k, r->sticker),
                                                 .score = arena_printf(k->a, "%.3f", r->score),
                                                 .confidence = confidence,
                                                 .pinned = r->pinned,
                                                 .current = strcmp(r->sticker->filename, k->sticker) == 0,
                                                 .why = why_url(k, r->sticker->filename)};
        if (!seen[i].image || !seen[i].score || !confidence || !seen[i].why)
            return no_memory(err);
    }
    k->page.seen = seen;
    k->page.n_seen = answer.n;
    k->page.total = answer.total;
    k->page.degraded = answer.degraded;
    k->page.corrected = answer.corrected;
    return OK;
}

static enum status fill_pins(struct console *k, struct error *err)
{
    struct pin *pins;
    size_t n;
    enum status st = curation_pins(k->v->service->curation, k->query, k->a, &pins, &n, err);
    struct tpl_admin_search_pins *rows = st == OK ? arena_array(k->a, n + 1, sizeof *rows) : NULL;
    if (st == OK && !rows)
        return no_memory(err);
    for (size_t i = 0; i < n && st == OK; i++) {
        rows[i] = (struct tpl_admin_search_pins){
            .sticker = pins[i].sticker,
            .language = pins[i].language,
            .what = pins[i].position ? admin_say_text(k->a, MESSAGE_admin_pin_place, "place",
                                                      arena_printf(k->a, "%u", pins[i].position))
                                     : admin_say(MESSAGE_admin_pin_hidden)};
        if (!rows[i].what)
            return no_memory(err);
    }
    k->page.pins = rows;
    k->page.n_pins = st == OK ? n : 0;
    return st;
}

/* --- why a sticker is where it is --- */

static enum status say(struct console *k, struct tpl_admin_search_why *lines, const char *text, struct error *err)
{
    if (!text)
        return no_memory(err);
    lines[k->page.n_why++].text_shown = text;
    return OK;
}

static const char *hundredths(struct console *k, const json_t *of, const char *name)
{
    return arena_printf(k->a, "%.2f", json_number_value(json_object_get(of, name)));
}

static enum status say_place(struct console *k, const json_t *document, struct tpl_admin_search_why *lines,
                             struct error *err)
{
    const json_t *rank = json_object_get(document, "rank");
    double score = json_number_value(json_object_get(document, "score"));
    const char *text;
    if (!json_is_true(json_object_get(document, "indexed")))
        text = admin_say(MESSAGE_admin_why_unknown);
    else if (rank)
        text = messages_text(
            k->a, admin_messages(), MESSAGE_admin_why_place,
            (const struct message_arg[]){
                {.name = "place", .text = arena_printf(k->a, "%lld", (long long)json_integer_value(rank))},
                {.name = "score", .text = arena_printf(k->a, "%.3f", score)}},
            2);
    else if (json_is_true(json_object_get(document, "left_out")))
        text = messages_text(
            k->a, admin_messages(), MESSAGE_admin_why_left_out,
            (const struct message_arg[]){{.name = "confidence", .text = hundredths(k, document, "confidence")},
                                         {.name = "least", .text = hundredths(k, document, "least_confidence")}},
            2);
    else
        text = admin_say(MESSAGE_admin_why_no_leg);
    return say(k, lines, text, err);
}

static enum status say_pins(struct console *k, struct tpl_admin_search_why *lines, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < k->page.n_pins && st == OK && k->page.n_why < 4; i++)
        if (strcmp(k->page.pins[i].sticker, k->sticker) == 0)
            st = say(k, lines,
                     admin_say_text(k->a,
                                    strcmp(k->page.pins[i].what, admin_say(MESSAGE_admin_pin_hidden)) == 0
                                        ? MESSAGE_admin_why_hidden
                                        : MESSAGE_admin_why_pinned,
                                    "what", k->page.pins[i].what),
                     err);
    return st;
}

/* "dog" in title, words; the most alike phrase is "dog face" (en), 0.83; as a whole 0.79 */
static const char *what_it_sees(struct console *k, const json_t *leg)
{
    const json_t *match, *terms = json_object_get(leg, "terms");
    const char *last = "", *text = "";
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)terms, i, match)
    {
        const char *term = json_member_text(match, "term"), *in = json_member_text(match, "in");
        if (strcmp(term, last) == 0)
            text = arena_printf(k->a, "%s, %s", text, in);
        else
            text = arena_printf(k->a, "%s%s“%s”%s in %s", text, *text ? "; " : "", term,
                                json_is_true(json_object_get(match, "synonym")) ? " (a synonym)" : "", in);
        if (!text)
            return NULL;
        last = term;
    }
    if (json_is_array(terms) && !*text)
        text = admin_say(MESSAGE_admin_leg_no_terms);
    if (json_object_get(leg, "best_phrase"))
        text = arena_printf(k->a, "the most alike phrase is “%s” (%s), %.2f; ", json_member_text(leg, "best_phrase"),
                            json_member_text(leg, "best_phrase_language"),
                            json_number_value(json_object_get(leg, "best_phrase_similarity")));
    if (text && json_object_get(leg, "similarity"))
        text = arena_printf(k->a, "%sas a whole %.2f", text, json_number_value(json_object_get(leg, "similarity")));
    return text;
}

/* A number, or "" where there is none. */
static const char *figure(struct console *k, const json_t *object, const char *name, const char *format)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_number(value))
        return "";
    return strcmp(format, "%lld") == 0 ? arena_printf(k->a, "%lld", (long long)json_integer_value(value))
                                       : arena_printf(k->a, "%.3f", json_number_value(value));
}

static const char *state_of(struct console *k, const json_t *made)
{
    const char *state = json_member_text(made, "state");
    if (strcmp(state, "failed") == 0)
        return admin_say_text(k->a, MESSAGE_admin_leg_failed, "why", json_member_text(made, "why"));
    return strcmp(state, "unused") == 0   ? admin_say(MESSAGE_admin_leg_unused)
           : strcmp(state, "silent") == 0 ? admin_say(MESSAGE_admin_leg_silent)
                                          : admin_say(MESSAGE_admin_leg_answered);
}

static enum status fill_legs(struct console *k, const json_t *answer, const json_t *document, struct error *err)
{
    const json_t *made, *legs = json_object_get(document, "legs");
    size_t i;
    struct tpl_admin_search_legs *rows = arena_array(k->a, LEGS_MAX, sizeof *rows);
    if (!rows)
        return no_memory(err);
    json_array_foreach(json_object_get(answer, "legs"), i, made)
    {
        const json_t *leg = json_array_get(legs, i); /* in the same order */
        if (i == LEGS_MAX || !leg)
            break;
        rows[i] = (struct tpl_admin_search_legs){.name = arena_strdup(k->a, json_member_text(made, "name")),
                                                 .state = state_of(k, made),
                                                 .place = figure(k, leg, "rank", "%lld"),
                                                 .score = figure(k, leg, "score", "%.3f"),
                                                 .weight = figure(k, made, "weight", "%.3f"),
                                                 .adds = figure(k, leg, "adds", "%.3f"),
                                                 .says = what_it_sees(k, leg)};
        if (!rows[i].name || !rows[i].state || !rows[i].place || !rows[i].score || !rows[i].weight || !rows[i].adds ||
            !rows[i].says)
            return no_memory(err);
        k->page.n_legs = i + 1;
    }
    k->page.legs = rows;
    return OK;
}

/* Also tells the language of the query, without a sticker too. */
static enum status fill_why(struct console *k, struct error *err)
{
    struct tpl_admin_search_why *lines = arena_array(k->a, 8, sizeof *lines);
    struct error why;
    json_t *answer;
    if (!lines)
        return no_memory(err);
    k->page.why = lines;
    enum status st = ask(k, "/api/explain", "hybrid", *k->sticker ? k->sticker : "-", &answer, &why);
    if (st != OK && st != ERR_NO_MEMORY && k->page.problem)
        return OK; /* of two problems the first is told */
    if (st != OK && st != ERR_NO_MEMORY) {
        k->page.problem = admin_say_text(k->a, MESSAGE_admin_search_unexplained, "why", why.message);
        return k->page.problem ? OK : no_memory(err);
    }
    if (st != OK)
        return no_memory(err);
    const json_t *document = json_array_get(json_object_get(answer, "documents"), 0);
    if (!(k->page.language = arena_strdup(k->a, json_member_text(answer, "language"))))
        st = no_memory(err);
    if (st == OK && *k->sticker) {
        st = say_place(k, document, lines, err);
        if (st == OK)
            st = say_pins(k, lines, err);
        if (st == OK && json_is_true(json_object_get(document, "indexed")))
            st = fill_legs(k, answer, document, err);
    }
    json_decref(answer);
    return st;
}

/* --- the page --- */

static const char *noted(const char *done)
{
    return strcmp(done, "pinned") == 0    ? admin_say(MESSAGE_admin_noted_pinned)
           : strcmp(done, "hidden") == 0  ? admin_say(MESSAGE_admin_noted_hidden)
           : strcmp(done, "removed") == 0 ? admin_say(MESSAGE_admin_noted_removed)
           : strcmp(done, "synonym") == 0 ? admin_say(MESSAGE_admin_noted_synonym)
                                          : NULL;
}

static enum status fill_weights(struct console *k, struct error *err)
{
    struct tpl_admin_search_weights *weights = arena_array(k->a, WEIGHTS, sizeof *weights);
    if (!weights)
        return no_memory(err);
    for (size_t i = 0; i < WEIGHTS; i++) {
        k->weights[i] = admin_param_text(k->v, weight_names[i]);
        k->weighted = k->weighted || *k->weights[i];
        weights[i] = (struct tpl_admin_search_weights){weight_names[i], k->weights[i]};
    }
    k->page.weights = weights;
    k->page.n_weights = WEIGHTS;
    return OK;
}

static enum status read_params(struct console *k, struct error *err)
{
    const char *lang;
    enum status st = query_or_empty(k->v->req, "query", &k->query, err);
    k->lang = admin_param_text(k->v, "lang");
    k->sticker = admin_param_text(k->v, "sticker");
    if (st == OK)
        st = fill_weights(k, err);
    if (st == OK && *k->lang)
        st = lang_param(k->v->req, &lang, err);
    return st;
}

static enum status fill_page(struct console *k, struct error *err)
{
    enum status st = fill_seen(k, err);
    if (st == OK)
        st = fill_pins(k, err);
    if (st == OK)
        st = fill_why(k, err);
    return st == OK ? fill_columns(k, err) : st;
}

static bool may_all(const struct admin_visit *v, const char *table)
{
    return admin_may(v, table, ADMIN_ADD) && admin_may(v, table, ADMIN_CHANGE) && admin_may(v, table, ADMIN_DELETE);
}

/* `st`: how reading its parameters went. */
static void show(struct console *k, enum status st, struct error *err)
{
    struct buf html;
    const struct admin_visit *v = k->v;
    k->page.admin_layout = admin_layout(v, admin_say(MESSAGE_admin_search), "search");
    k->page.language = "?";
    k->page.asked = st == OK && *k->query;
    if (k->page.asked)
        st = fill_page(k, err);
    if (st != OK && st != ERR_INVALID) {
        admin_fail(v, err);
        return;
    }
    if (st == ERR_INVALID)
        k->page.problem = err->message;
    k->page.query = k->query;
    k->page.lang = k->lang;
    k->page.sticker = k->sticker;
    k->page.can_pin = may_all(v, "pins");
    k->page.can_add_synonyms = may_all(v, "synonyms");
    buf_init(&html, ADMIN_HTML_MAX);
    tpl_admin_search(&html, &k->page, admin_messages());
    admin_send(v->res, st == ERR_INVALID || k->refused ? 400 : 200, &html);
}

void handle_admin_console(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    struct console k = {.v = &v, .a = req->arena, .query = "", .lang = "", .sticker = ""};
    k.page.noted = noted(admin_param_text(&v, "done"));
    enum status st = read_params(&k, &err);
    show(&k, st, &err);
}

void admin_console_refuse(const struct admin_visit *v, const char *query, const char *lang, const char *problem)
{
    struct console k = {.v = v, .a = v->req->arena, .query = query, .lang = lang, .sticker = "", .refused = true};
    struct error err;
    k.page.problem = problem;
    enum status st = fill_weights(&k, &err);
    show(&k, st, &err);
}
