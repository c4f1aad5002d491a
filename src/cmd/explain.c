/* peel explain QUERY STICKER: why a search finds a sticker where it does, or does not: what the sticker database knows,
 * and what SearchService says at /api/explain, in sentences or as JSON. */
#include "cmd/cmd.h"
#include "cmd/runtime.h"
#include "http/client.h"
#include "sticker_service/curation.h"
#include "sticker_store/sticker_admin.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 10000u
#define ANSWER_MAX (8u << 20)

/* What the sticker database knows; `known` false: there is no database here. */
struct ours {
    bool known, exists, sent;         /* sent: SearchService has received its last change */
    const struct curation_row **pins; /* [n_pins] of the sticker for the query; in the arena */
    size_t n_pins;
};

static enum status look_up_pins(struct sticker_store *store, const char *query, const char *sticker, struct arena *a,
                                struct ours *out, struct error *err)
{
    struct curation_row *rows;
    size_t n;
    enum status st = curation_check("query", &query, a, err);
    if (st == ERR_INVALID)
        return OK; /* SearchService says what is wrong with it */
    if (st == OK)
        st = sticker_store_curation_list(store, CURATION_PINS, a, &rows, &n, err);
    if (st != OK)
        return st;
    out->pins = arena_array(a, n + 1, sizeof *out->pins);
    if (!out->pins)
        return err_no_memory(err, "pins");
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].values[0], query) == 0 && strcmp(rows[i].values[2], sticker) == 0)
            out->pins[out->n_pins++] = &rows[i];
    return OK;
}

static enum status look_up(const struct config *cfg, const char *query, const char *sticker, struct arena *a,
                           struct ours *out, struct error *err)
{
    static const char *const columns[] = {"indexed"};
    const char *path = config_string(cfg, "sticker-db"), **cells;
    struct sticker_store *store;
    *out = (struct ours){0};
    if (!config_is_set(cfg, "sticker-db-host") && !strstr(path, "://") && access(path, F_OK) != 0)
        return OK;
    enum status st = cmd_find_stickers(cfg, 1, &store, err);
    if (st != OK)
        return st;
    out->known = true;
    st = sticker_store_list_row(store, "stickers", sticker, columns, 1, a, &cells, err);
    out->exists = st == OK;
    out->sent = st == OK && strcmp(cells[0], "1") == 0;
    st = st == ERR_NOT_FOUND ? OK : st;
    if (st == OK && out->exists)
        st = look_up_pins(store, query, sticker, a, out, err);
    sticker_store_close(store);
    return st;
}

static enum status ask(const struct config *cfg, const char *query, const char *sticker, struct arena *a, json_t **out,
                       struct error *err)
{
    const char *lang = config_string(cfg, "lang");
    struct http_client_config to = {.connect_timeout_ms = TIMEOUT_MS, .max_idle = 1};
    struct http_client *client;
    struct buf path, body;
    int status = 0;
    *out = NULL;
    (void)runtime_search_url(cfg, a, &to.base_url);
    enum status st = http_client_open(&to, &client, err);
    if (st != OK)
        return st;
    buf_init(&path, 64u << 10);
    buf_init(&body, ANSWER_MAX);
    buf_puts(&path, "/api/explain?query=");
    http_escape(&path, query, strlen(query));
    buf_puts(&path, "&document=");
    http_escape(&path, sticker, strlen(sticker));
    if (lang) {
        buf_puts(&path, "&lang=");
        http_escape(&path, lang, strlen(lang));
    }
    struct http_call call = {.method = "GET", .path = buf_str(&path), .timeout_ms = TIMEOUT_MS};
    st = buf_status(&path, err);
    if (st == OK)
        st = http_client_call(client, &call, &status, &body, err);
    if (st == OK && !(*out = json_loadb(buf_str(&body), body.len, 0, NULL)))
        st = err_set(err, ERR_CORRUPT, "%s/api/explain answered %d and no JSON", to.base_url, status);
    if (st == OK && status != 200) {
        const char *detail = json_string_value(json_object_get(*out, "detail"));
        st = err_set(err, status == 400 ? ERR_INVALID : ERR_UNAVAILABLE, "SearchService answered %d: %s", status,
                     detail ? detail : "it did not say why");
        json_decref(*out);
        *out = NULL;
    }
    buf_free(&path);
    buf_free(&body);
    http_client_close(client);
    return st;
}

static bool is_indexed(const json_t *answer)
{
    return json_is_true(json_object_get(json_array_get(json_object_get(answer, "documents"), 0), "indexed"));
}

/* --- in sentences --- */

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "?";
}

static double number_of(const json_t *json, const char *name)
{
    return json_number_value(json_object_get(json, name));
}

static const json_t *leg_named(const json_t *list, const char *name)
{
    const json_t *leg;
    size_t i;
    json_array_foreach((json_t *)(uintptr_t)list, i, leg)
    {
        if (strcmp(text_of(leg, "name"), name) == 0)
            return leg;
    }
    return NULL;
}

static void print_query(const json_t *answer)
{
    const char *corrected = json_string_value(json_object_get(answer, "corrected"));
    printf("The query \"%s\" is taken to be in \"%s\"", text_of(answer, "query"), text_of(answer, "language"));
    if (corrected)
        printf(" and searched as \"%s\"", corrected);
    printf(". Algorithm \"%s\" finds %lld stickers.\n", text_of(answer, "algorithm"),
           (long long)json_integer_value(json_object_get(answer, "total")));
}

static void print_place(const json_t *document, const char *sticker)
{
    const json_t *rank = json_object_get(document, "rank"), *confidence = json_object_get(document, "confidence");
    if (rank)
        printf("%s is found at place %lld, with score %.3f", sticker, (long long)json_integer_value(rank),
               number_of(document, "score"));
    else if (json_is_true(json_object_get(document, "left_out")))
        printf("%s is not shown: it is only similar in meaning, and a confidence below %.2f is left out. Its score is "
               "%.3f",
               sticker, number_of(document, "least_confidence"), number_of(document, "score"));
    else
        printf("%s is indexed, but this search does not find it", sticker);
    if (confidence)
        printf(" and confidence %.2f", json_number_value(confidence));
    puts(".");
}

static void print_terms(const json_t *leg)
{
    const json_t *match, *terms = json_object_get(leg, "terms");
    size_t i;
    if (!json_array_size(terms)) {
        fputs(" None of the query's terms is in its title, words or filename.", stdout);
        return;
    }
    fputs(" It has", stdout);
    const char *last = NULL; /* a term's places follow each other */
    json_array_foreach((json_t *)(uintptr_t)terms, i, match)
    {
        const char *term = text_of(match, "term");
        if (last && strcmp(last, term) == 0)
            printf(", %s", text_of(match, "in"));
        else
            printf("%s \"%s\" (%s%s", last ? ")," : "", term,
                   json_is_true(json_object_get(match, "synonym")) ? "by a synonym, in its " : "",
                   text_of(match, "in"));
        last = term;
    }
    fputs(").", stdout);
}

static void print_alike(const json_t *leg)
{
    if (json_object_get(leg, "best_phrase"))
        printf(" The most alike of its phrases is \"%s\" (%s), with cosine %.2f.", text_of(leg, "best_phrase"),
               text_of(leg, "best_phrase_language"), number_of(leg, "best_phrase_similarity"));
    if (json_object_get(leg, "similarity"))
        printf(" As a whole it has cosine %.2f.", number_of(leg, "similarity"));
}

/* One leg: what it made of the query, and of the sticker. */
static void print_leg(const json_t *made, const json_t *leg)
{
    const char *name = text_of(made, "name"), *state = text_of(made, "state");
    printf("  %s: ", name);
    if (strcmp(state, "failed") == 0)
        printf("it failed: %s", text_of(made, "why"));
    else if (strcmp(state, "unused") == 0)
        fputs("it was not asked, as it has nothing to search by here or does not know the language.", stdout);
    else if (strcmp(state, "silent") == 0)
        fputs("the query has nothing that it can search by.", stdout);
    else if (json_object_get(leg, "rank"))
        printf("place %lld of its own results, with score %.3f.",
               (long long)json_integer_value(json_object_get(leg, "rank")), number_of(leg, "score"));
    else if (json_integer_value(json_object_get(made, "found")) == 0)
        fputs("it finds nothing.", stdout);
    else
        printf("not among its first %lld results.", (long long)json_integer_value(json_object_get(made, "found")));
    if (number_of(leg, "adds") > 0)
        printf(" It adds %.3f to the score.", number_of(leg, "adds"));
    if (strcmp(name, "lexical") == 0)
        print_terms(leg);
    print_alike(leg);
    putchar('\n');
}

static void print_counts(const json_t *document)
{
    const json_t *value, *models = json_object_get(document, "models");
    const char *language;
    size_t i, languages = json_object_size(json_object_get(document, "phrases"));
    printf("Title and keywords: ");
    json_object_foreach(json_object_get(document, "phrases"), language, value)
    {
        if (strcmp(language, "en") == 0)
            printf("%lld in English, ", (long long)json_integer_value(value));
    }
    printf("%zu language%s in all.\n", languages, languages == 1 ? "" : "s");
    json_array_foreach((json_t *)(uintptr_t)models, i, value)
    {
        printf("Model %s: %s%s%s.\n", text_of(value, "id"), text_of(value, "state"),
               json_object_get(value, "why") ? ": " : "", json_object_get(value, "why") ? text_of(value, "why") : "");
    }
}

static void print_pins(const struct ours *ours, const char *sticker)
{
    for (size_t i = 0; i < ours->n_pins; i++) {
        const char *language = ours->pins[i]->values[1], *position = ours->pins[i]->values[3];
        bool hidden = strcmp(position, "0") == 0;
        printf("%s is %s%s by a pin%s%s%s.\n", sticker, hidden ? "hidden from this query" : "put at place ",
               hidden ? "" : position, *language ? " for searches in \"" : "", language, *language ? "\"" : "");
    }
}

static void print_text(const json_t *answer, const struct ours *ours, const char *sticker)
{
    const json_t *document = json_array_get(json_object_get(answer, "documents"), 0), *made;
    size_t i;
    print_query(answer);
    if (ours->exists && !ours->sent)
        printf("%s has changed, and SearchService does not have the change yet: it waits in the outbox.\n", sticker);
    if (ours->known && !ours->exists)
        printf("%s has been deleted, and SearchService has not removed it yet.\n", sticker);
    if (!is_indexed(answer)) {
        printf("%s is not indexed%s.\n", sticker, ours->exists && !ours->sent ? " yet" : "");
        if (ours->sent)
            puts("SearchService accepted it once and does not have it now: its database may be another one than it "
                 "was.");
        return;
    }
    print_place(document, sticker);
    print_pins(ours, sticker);
    puts("What each leg of the search says:");
    json_array_foreach(json_object_get(answer, "legs"), i, made)
    {
        print_leg(made, leg_named(json_object_get(document, "legs"), text_of(made, "name")));
    }
    print_counts(document);
}

static enum status print_json(json_t *answer, const struct ours *ours, struct error *err)
{
    json_t *pins = json_array();
    for (size_t i = 0; i < ours->n_pins; i++)
        json_array_append_new(pins, json_pack("{s:s, s:I}", "language", ours->pins[i]->values[1], "position",
                                              (json_int_t)strtoll(ours->pins[i]->values[3], NULL, 10)));
    if (ours->known)
        json_object_set_new(answer, "sticker",
                            json_pack("{s:b, s:b, s:O?}", "exists", ours->exists, "sent", ours->sent, "pins", pins));
    json_decref(pins);
    char *text = json_dumps(answer, JSON_INDENT(2));
    if (text)
        puts(text);
    free(text);
    return text ? OK : err_no_memory(err, "an explanation");
}

int cmd_explain(const struct config *cfg)
{
    const char *const *args;
    struct error err;
    struct arena a;
    struct ours ours;
    json_t *answer = NULL;
    config_args(cfg, &args);
    arena_init(&a, 64u << 20);
    enum status st = look_up(cfg, args[0], args[1], &a, &ours, &err);
    if (st == OK)
        st = ask(cfg, args[0], args[1], &a, &answer, &err);
    if (st == OK && ours.known && !ours.exists && !is_indexed(answer))
        st = err_set(&err, ERR_NOT_FOUND, "there is no sticker \"%s\"", args[1]);
    if (st == OK && config_bool(cfg, "json"))
        st = print_json(answer, &ours, &err);
    else if (st == OK)
        print_text(answer, &ours, args[1]);
    json_decref(answer);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
