/* What a query is, the same for search, feedback and analytics: 1 to 255 code points of UTF-8 without
 * NUL, white space around it removed, otherwise stored as given. */
#include "base/language.h"
#include "base/utf8.h"
#include "http/accept.h"
#include "sticker_service/service.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define QUERY_MAX 255u /* code points */

enum status query_trim(const char **s, size_t *len)
{
    utf8_trim(s, len);
    if (!*len)
        return ERR_INVALID;
    return utf8_count(*s, *len) > QUERY_MAX ? ERR_TOO_LARGE : OK;
}

enum status query_or_empty(const struct http_request *req, const char *name, const char **query, struct error *err)
{
    const char *value;
    enum status status = http_param_or(req, name, "", &value, err);
    if (status != OK)
        return status;
    size_t len = strlen(value);
    status = query_trim(&value, &len);
    if (status == ERR_TOO_LARGE)
        return err_set(err, ERR_INVALID, "Query is too long.");
    *query = status == ERR_INVALID ? "" : arena_strndup(req->arena, value, len);
    return *query ? OK : err_no_memory(err, "a query");
}

enum status query_param(const struct http_request *req, const char **query, struct error *err)
{
    enum status status = query_or_empty(req, "query", query, err);
    return status == OK && !**query ? err_set(err, ERR_INVALID, "Please provide a query.") : status;
}

enum status lang_param(const struct http_request *req, const char **tag, struct error *err)
{
    enum status status = http_param_or(req, "lang", NULL, tag, err);
    if (status == OK && *tag && !language_valid(*tag))
        return err_set(err, ERR_INVALID, "lang must be a language tag, such as \"es\" or \"pt-BR\", found \"%.64s\"",
                       *tag);
    return status;
}

enum status bool_param(const struct http_request *req, const char *name, bool fallback, bool *out, struct error *err)
{
    const char *value;
    enum status st = http_param_or(req, name, NULL, &value, err);
    *out = fallback;
    if (st != OK || !value)
        return st;
    *out = strcmp(value, "1") == 0 || strcmp(value, "true") == 0;
    if (!*out && strcmp(value, "0") != 0 && strcmp(value, "false") != 0)
        return err_set(err, ERR_INVALID, "%s must be true or false, found \"%.20s\"", name, value);
    return OK;
}

enum status filter_params(const struct http_request *req, struct sticker_filter *out, struct error *err)
{
    static const char *const params[] = STICKER_FILTER_PARAMS;
    const char *value;
    enum status st = OK;
    for (size_t i = 0; i < sizeof params / sizeof *params && st == OK; i++)
        if ((st = http_param_or(req, params[i], NULL, &value, err)) == OK && value)
            st = sticker_filter_set(out, params[i], value, err);
    return st;
}

const char *lang_accepted(const struct http_request *req, bool (*suits)(const char *tag))
{
    const char *s = http_header(req, "Accept-Language");
    char tag[LANGUAGE_MAX_TAG + 1], best[sizeof tag] = "";
    unsigned best_weight = 0;
    while (s && *s) {
        size_t len = strcspn(s, ","), tag_len = strcspn(s, ",; \t");
        unsigned weight = http_weight(s + tag_len, len - tag_len);
        if (tag_len < sizeof tag && weight > best_weight) {
            memcpy(tag, s, tag_len);
            tag[tag_len] = '\0';
            if (language_valid(tag) && (!suits || suits(tag))) {
                memcpy(best, tag, sizeof best);
                best_weight = weight;
            }
        }
        s += len;
        s += strspn(s, ", \t");
    }
    return *best ? arena_strdup(req->arena, best) : NULL;
}

bool take_turn(sem_t *turns, unsigned wait_s)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += wait_s;
    int rc;
    while ((rc = sem_timedwait(turns, &until)) != 0 && errno == EINTR)
        continue;
    return rc == 0;
}
