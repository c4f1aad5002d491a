/* POST /api/feedback/: one request, one transaction, and once only for each Idempotency-Key
 * (draft-ietf-httpapi-idempotency-key-header-07). The JSON is checked member by member before
 * anything is counted; unknown members are ignored, so that newer clients may say more. */
#include "base/json_out.h"
#include "base/utf8.h"
#include "sticker_service/api/api.h"
#include "sticker_service/api/json_body.h"
#include "sticker_service/api/once.h"
#include "sticker_service/auth.h"
#include "sticker_service/service.h"
#include "text/text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_MAX  100u
#define STICKERS_MAX 1000u
#define CHARGED      20u  /* stickers that count as one more request for the rate limit: they are more work */
#define VOTER_MAX    128u /* characters */

/* How a member is called in messages: "feedback[1].positive[0]". */
struct feedback_member {
    char name[64];
};

static struct feedback_member feedback_member(const char *fmt, ...) PRINTF_LIKE(1, 2);
static struct feedback_member feedback_member(const char *fmt, ...)
{
    struct feedback_member m;
    va_list args;
    va_start(args, fmt);
    vsnprintf(m.name, sizeof m.name, fmt, args);
    va_end(args);
    return m;
}

/* One of the lists of an entry. `seen` holds the stickers met in this entry. */
static enum status feedback_read_list(const json_t *entry, size_t i, const char *list, json_t *seen,
                                      struct arena *arena, const char *const **out, size_t *n, size_t *all,
                                      struct error *err)
{
    const json_t *array = json_object_get(entry, list);
    if (!array)
        return OK;
    if (!json_is_array(array))
        return err_set(err, ERR_INVALID, "feedback[%zu].%s must be an array of strings", i, list);
    *n = json_array_size(array);
    *all += *n;
    if (*all > STICKERS_MAX)
        return err_set(err, ERR_INVALID, "feedback must name at most %u stickers in all", STICKERS_MAX);
    const char **names = arena_array(arena, *n + 1, sizeof *names);
    if (!names)
        return err_no_memory(err, "feedback");
    for (size_t k = 0; k < *n; k++) {
        const json_t *value = json_array_get(array, k);
        struct feedback_member m = feedback_member("feedback[%zu].%s[%zu]", i, list, k);
        enum status status = json_check_string(value, m.name, err);
        if (status != OK)
            return status;
        names[k] = json_string_value(value);
        size_t len = json_string_length(value);
        if (len < 1 || len > STICKER_FILENAME_MAX)
            return err_set(err, ERR_INVALID, "%s must have 1 to %d bytes", m.name, STICKER_FILENAME_MAX);
        if (json_object_get(seen, names[k]))
            return err_set(err, ERR_INVALID, "%s repeats \"%s\": a sticker may be named once per query", m.name,
                           names[k]);
        if (json_object_set_new(seen, names[k], json_true()) != 0)
            return err_no_memory(err, "feedback");
    }
    *out = names;
    return OK;
}

/* The app's own id of whoever votes. Kept as a hash only. */
static enum status feedback_read_voter(struct sticker_service *s, const json_t *entry, size_t i, bool vouched,
                                       struct arena *arena, const char **out, struct error *err)
{
    const json_t *voter = json_object_get(entry, "voter");
    struct feedback_member m = feedback_member("feedback[%zu].voter", i);
    if (!voter)
        return OK;
    enum status status = json_check_string(voter, m.name, err);
    if (status != OK)
        return status;
    size_t count = utf8_count(json_string_value(voter), json_string_length(voter));
    if (count < 1 || count > VOTER_MAX)
        return err_set(err, ERR_INVALID, "%s must have 1 to %u characters", m.name, VOTER_MAX);
    *out = receipts_person(s->receipts, json_string_value(voter), vouched, arena);
    return *out ? OK : err_no_memory(err, "feedback");
}

/* An app may send what was typed as it keeps it: it only has to be the same query once it is folded. */
static enum status feedback_check_query(const char *typed, const char *searched, const char *name, struct arena *arena,
                                        struct error *err)
{
    const char *keys[2];
    if (strcmp(typed, searched) == 0)
        return OK;
    enum status status = text_fold_query(typed, TEXT_QUERY_BYTES, arena, &keys[0], err);
    if (status == OK)
        status = text_fold_query(searched, TEXT_QUERY_BYTES, arena, &keys[1], err);
    if (status == OK && strcmp(keys[0], keys[1]) != 0)
        status = err_set(err, ERR_INVALID, "%s is not the query of its query_id", name);
    return status;
}

/* The query, which the receipt of its search may say instead. */
static enum status feedback_read_query(struct sticker_service *s, const json_t *entry, size_t i, struct arena *arena,
                                       struct feedback_entry *out, struct error *err)
{
    const json_t *query = json_object_get(entry, "query"), *receipt = json_object_get(entry, "query_id");
    struct feedback_member m = feedback_member("feedback[%zu].query_id", i);
    enum status status = receipt ? json_check_string(receipt, m.name, err) : OK;
    if (status == OK && receipt) {
        struct search_row *search = arena_alloc(arena, sizeof *search);
        struct error why;
        if (!search)
            return err_no_memory(err, "feedback");
        status =
            receipts_read(s->receipts, json_string_value(receipt), json_string_length(receipt), arena, search, &why);
        if (status != OK)
            return err_set(err, status, "%s %s", m.name, why.message);
        out->search = search;
        out->query = search->query;
    }
    m = feedback_member("feedback[%zu].query", i);
    if (status == OK && !query && !receipt)
        status = err_set(err, ERR_INVALID, "%s is missing", m.name);
    if (status == OK && query)
        status = json_check_string(query, m.name, err);
    if (status != OK || !query)
        return status;
    const char *text = json_string_value(query);
    size_t len = json_string_length(query);
    status = query_trim(&text, &len);
    if (status == ERR_INVALID)
        return err_set(err, ERR_INVALID, "%s must not be empty", m.name);
    if (status == ERR_TOO_LARGE)
        return err_set(err, ERR_INVALID, "%s must have at most 255 characters", m.name);
    const char *typed = arena_strndup(arena, text, len);
    if (!typed)
        return err_no_memory(err, "feedback");
    if (out->query)
        return feedback_check_query(typed, out->query, m.name, arena, err);
    out->query = typed;
    return OK;
}

static enum status feedback_read_entry(struct sticker_service *s, const json_t *entry, size_t i,
                                       const struct origin *origin, struct arena *arena, struct feedback_entry *out,
                                       size_t *all, struct error *err)
{
    if (!json_is_object(entry))
        return err_set(err, ERR_INVALID, "feedback[%zu] must be an object", i);
    enum status status = feedback_read_query(s, entry, i, arena, out, err);
    out->origin = *origin;
    if (status == OK)
        status = feedback_read_voter(s, entry, i, origin->vouched, arena, &out->voter, err);
    if (status != OK)
        return status;
    json_t *seen = json_object();
    if (!seen)
        status = err_no_memory(err, "feedback");
    if (status == OK)
        status = feedback_read_list(entry, i, "positive", seen, arena, &out->positive, &out->n_positive, all, err);
    if (status == OK)
        status = feedback_read_list(entry, i, "negative", seen, arena, &out->negative, &out->n_negative, all, err);
    if (status == OK)
        status = feedback_read_list(entry, i, "withdrawn", seen, arena, &out->withdrawn, &out->n_withdrawn, all, err);
    if (status == OK && out->n_withdrawn && !out->voter)
        status = err_set(err, ERR_INVALID, "feedback[%zu].withdrawn needs a voter, whose vote it takes back", i);
    json_decref(seen);
    return status;
}

static enum status read_feedback(struct sticker_service *s, const json_t *root, const struct origin *origin,
                                 struct arena *arena, struct feedback_entry **out, size_t *n, struct error *err)
{
    if (!json_is_object(root))
        return err_set(err, ERR_INVALID, "the body must be a JSON object with the member feedback");
    const json_t *list = json_object_get(root, "feedback");
    if (!list)
        return err_set(err, ERR_INVALID, "feedback is missing");
    if (!json_is_array(list))
        return err_set(err, ERR_INVALID, "feedback must be an array");
    *n = json_array_size(list);
    if (*n > ENTRIES_MAX)
        return err_set(err, ERR_INVALID, "feedback must have at most %u entries, not %zu", ENTRIES_MAX, *n);
    *out = arena_array(arena, *n + 1, sizeof **out);
    if (!*out)
        return err_no_memory(err, "feedback");
    size_t all = 0;
    for (size_t i = 0; i < *n; i++) {
        enum status status = feedback_read_entry(s, json_array_get(list, i), i, origin, arena, &(*out)[i], &all, err);
        if (status != OK)
            return status;
    }
    return OK;
}

static enum status feedback_parse(struct sticker_service *s, const struct http_request *req, json_t **root,
                                  struct feedback_entry **entries, size_t *n, struct error *err)
{
    bool utf8;
    struct origin origin = auth_origin(s->store, s->receipts, req);
    enum status status = json_body(req, root, &utf8, err);
    if (status == OK)
        status = read_feedback(s, *root, &origin, req->arena, entries, n, err);
    if (status == OK && !utf8)
        status = err_set(err, ERR_INVALID, "the body must be JSON in UTF-8");
    return status;
}

static size_t count_stickers(const struct feedback_entry *entries, size_t n)
{
    size_t stickers = 0;
    for (size_t i = 0; i < n; i++)
        stickers += entries[i].n_positive + entries[i].n_negative + entries[i].n_withdrawn;
    return stickers;
}

void handle_api_feedback(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct sticker_service *s = ctx;
    json_t *root = NULL;
    struct feedback_entry *entries = NULL;
    const char **failed = NULL;
    size_t n = 0, n_failed = 0;
    struct request_once again;
    bool keyed = false;
    struct error err;
    struct buf out;
    buf_init(&out, 2u << 20); /* 1,000 names of 255 bytes, escaped */
    enum status status = once_read(req, 0, &again, &keyed, &err);
    if (status == OK)
        status = feedback_parse(s, req, &root, &entries, &n, &err);
    size_t stickers = status == OK ? count_stickers(entries, n) : 0;
    if (!http_charge(req, (unsigned)(stickers / CHARGED)))
        goto out;
    keyed = keyed && stickers; /* what counts nothing needs no key, which would be kept for a day */
    if (status == OK && n)
        status = sticker_store_feedback_once(s->store, entries, n, keyed ? &again.once : NULL, req->arena, &failed,
                                             &n_failed, &err);
    if (status == OK) {
        buf_puts(&out, "{\"failed\":[");
        for (size_t i = 0; i < n_failed; i++) {
            buf_puts(&out, i ? "," : "");
            json_put_string(&out, failed[i]);
        }
        buf_puts(&out, "]}");
        status = buf_status(&out, &err);
    }
    if (status == OK && keyed && again.once.was == ONCE_REPLAYED)
        http_header_add(res, "Idempotency-Replayed", "true");
    if (status == OK)
        http_json(res, 200, buf_str(&out), out.len);
    else if (status == ERR_CONFLICT && keyed && again.once.was == ONCE_OTHER_BODY)
        http_problem(res, 422, "%s", err.message);
    else
        http_problem_from(res, &err);
out:
    json_decref(root);
    buf_free(&out);
}
