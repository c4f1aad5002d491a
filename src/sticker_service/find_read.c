#include "sticker_service/find_read.h"

#include "base/buf.h"
#include "base/filename.h"
#include "base/json_out.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum status too_many(size_t n, size_t limit, struct error *err)
{
    return err_set(err, ERR_CORRUPT, "SearchService answered %zu results where %zu were asked for", n, limit);
}

static enum status read_hit(const char *name, double score, double confidence, struct arena *a, struct find_read *out,
                            struct error *err)
{
    if (!name || filename_check(name, NULL) != OK)
        return err_set(err, ERR_CORRUPT, "results[%zu].filename of SearchService is not a filename", out->n);
    struct find_hit *hit = &out->hits[out->n++];
    *hit = (struct find_hit){.filename = arena_strdup(a, name),
                             .score = score,
                             .confidence = confidence > 0 && confidence <= 1 ? confidence : 0};
    return hit->filename ? OK : err_no_memory(err, "a result");
}

/* --- JSON --- */

static const char *kept_string(const json_t *peer, const char *member, struct arena *a)
{
    const char *text = json_string_value(json_object_get(peer, member));
    return text ? arena_strdup(a, text) : NULL;
}

/* {"results":[{"filename","score"}...],"total":n}. */
static enum status read_json(const json_t *peer, size_t limit, struct arena *a, struct find_read *out,
                             struct error *err)
{
    const json_t *results = json_object_get(peer, "results"), *total = json_object_get(peer, "total");
    const json_t *legs = json_object_get(peer, "legs");
    if (!json_is_array(results))
        return err_set(err, ERR_CORRUPT, "SearchService's answer has no array \"results\"");
    size_t n = json_array_size(results);
    if (n > limit)
        return too_many(n, limit, err);
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        const json_t *item = json_array_get(results, i);
        st = read_hit(json_string_value(json_object_get(item, "filename")),
                      json_number_value(json_object_get(item, "score")),
                      json_number_value(json_object_get(item, "confidence")), a, out, err);
    }
    char *text = legs ? json_dumps(legs, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    out->total = json_is_integer(total) ? json_integer_value(total) : -1;
    out->language = kept_string(peer, "language", a);
    out->ranking = kept_string(peer, "ranking", a);
    out->corrected = kept_string(peer, "corrected", a);
    out->legs = text ? arena_strdup(a, text) : NULL;
    free(text);
    return st;
}

/* --- lines --- */

/* "lexical words" as a JSON array. */
static enum status read_legs(char *names, struct arena *a, struct find_read *out, struct error *err)
{
    struct buf json;
    char *rest = names;
    buf_init(&json, 4096);
    for (const char *name; (name = strtok_r(rest, " ", &rest));) {
        buf_putc(&json, json.len ? ',' : '[');
        json_put_string(&json, name);
    }
    buf_puts(&json, json.len ? "]" : "[]");
    enum status st = buf_status(&json, err);
    out->legs = st == OK ? arena_strdup(a, buf_str(&json)) : NULL;
    buf_free(&json);
    return st;
}

/* A JSON string, as a query may have line breaks. */
static enum status read_corrected(const char *text, struct arena *a, struct find_read *out, struct error *err)
{
    json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
    out->corrected = json_is_string(json) ? arena_strdup(a, json_string_value(json)) : NULL;
    json_decref(json);
    return out->corrected ? OK : err_set(err, ERR_CORRUPT, "SearchService corrected a query to %.40s", text);
}

/* "language en": what is said of the whole search. Other names are of later versions. */
static enum status read_remark(char *line, struct arena *a, struct find_read *out, struct error *err)
{
    char *value = strchr(line, ' ');
    if (!value)
        return err_set(err, ERR_CORRUPT, "SearchService's answer has the line \"%.40s\"", line);
    *value++ = '\0';
    if (strcmp(line, "total") == 0)
        out->total = strtoll(value, NULL, 10);
    else if (strcmp(line, "language") == 0)
        out->language = value;
    else if (strcmp(line, "ranking") == 0)
        out->ranking = value;
    else if (strcmp(line, "corrected") == 0)
        return read_corrected(value, a, out, err);
    else if (strcmp(line, "legs") == 0)
        return read_legs(value, a, out, err);
    return OK;
}

/* "0.5 0.25 cat.png": score, confidence and filename. */
static enum status read_result(char *line, struct arena *a, struct find_read *out, struct error *err)
{
    char *end, *name = NULL;
    double confidence = 0, score = strtod(line, &end);
    if (end != line && *end == ' ' && isfinite(score)) {
        char *at = end + 1;
        confidence = strtod(at, &end);
        name = end != at && *end == ' ' ? end + 1 : NULL;
    }
    return read_hit(name, score, confidence, a, out, err);
}

/* Remarks, an empty line, results. */
static enum status read_lines(char *at, size_t limit, struct arena *a, struct find_read *out, struct error *err)
{
    enum status st = OK;
    bool results = false;
    for (char *end; st == OK && *at; at = end + 1) {
        if (!(end = strchr(at, '\n')))
            return err_set(err, ERR_CORRUPT, "SearchService's answer ends within a line");
        *end = '\0';
        if (!results && end == at)
            results = true;
        else if (!results)
            st = read_remark(at, a, out, err);
        else
            st = out->n < limit ? read_result(at, a, out, err) : too_many(out->n + 1, limit, err);
    }
    return st != OK || results ? st : err_set(err, ERR_CORRUPT, "SearchService's answer has no results");
}

enum status find_read(const char *body, size_t len, size_t limit, struct arena *a, struct find_read *out,
                      struct error *err)
{
    *out = (struct find_read){.hits = arena_array(a, limit + 1, sizeof *out->hits), .total = -1};
    if (!out->hits)
        return err_no_memory(err, "%zu results", limit);
    if (len && body[0] != '{' && !memchr(body, '\0', len)) {
        char *text = arena_strndup(a, body, len);
        return text ? read_lines(text, limit, a, out, err) : err_no_memory(err, "SearchService's answer");
    }
    json_error_t json_err;
    json_t *peer = json_loadb(body, len, JSON_REJECT_DUPLICATES, &json_err);
    if (!peer)
        return err_set(err, ERR_CORRUPT, "SearchService's answer is not JSON: %s", json_err.text);
    enum status st = read_json(peer, limit, a, out, err);
    json_decref(peer);
    return st;
}
