/* curation.c: pins are in one sorted array that never changes and is replaced as a whole; who searches takes a
 * reference. One thread looks after the versions in the database, and after the synonyms that SearchService has. */
#include "sticker_service/curation.h"

#include "base/json_out.h"
#include "base/language.h"
#include "base/log.h"
#include "base/os.h"
#include "base/utf8.h"
#include "base/worker.h"
#include "text/text.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS        500u    /* at the database */
#define ASK_US         5000000 /* SearchService for the version that it has */
#define RETRY_US       2000000 /* after it did not answer */
#define TIMEOUT_MS     2000u
#define MEMORY         (64u << 20)
#define BODY_MAX       (6u << 20)
#define ANSWER_MAX     (64u << 10)
#define QUERY_BYTES    1020u /* 255 characters */
#define SYNONYMS_BYTES (SYNONYMS_MAX_EACH * (SYNONYMS_MAX_TEXT + 2))

struct pin_set {
    atomic_uint owners;
    struct arena arena;
    struct curation_row *rows; /* sorted by query */
    size_t n;
};

struct curation {
    struct sticker_store *store;
    struct http_client *search;
    struct answers *answers, *starts;
    struct worker *worker;
    pthread_mutex_t change; /* held by who reads the database; guards the versions read last: */
    int64_t versions[CURATION_KINDS];
    pthread_mutex_t mutex; /* guards what follows */
    struct pin_set *pins;
    struct synonyms *synonyms;
    char *body; /* what SearchService shall have, as JSON, */
    size_t body_len;
    char body_sha256[65];
    atomic_bool delivered;
    atomic_uint changes; /* of the synonyms */
};

/* --- as it is typed, and as it is kept --- */

const char **curation_split(const char *synonyms, struct arena *a, size_t *n)
{
    size_t most = 1;
    for (const char *at = synonyms; *at; at++)
        most += *at == ',';
    const char **out = arena_array(a, most + 1, sizeof *out);
    *n = 0;
    while (out && *synonyms) {
        size_t len = strcspn(synonyms, ",");
        out[*n] = arena_strndup(a, synonyms, len);
        if (!out[(*n)++])
            return NULL;
        synonyms += len;
        synonyms += strspn(synonyms, ", ");
    }
    return out;
}

static enum status check_query(const char **value, struct arena *a, struct error *err)
{
    if (utf8_has_control(*value, strlen(*value)))
        return err_set(err, ERR_INVALID, "This must be one line without control characters.");
    enum status st = text_fold_query(*value, QUERY_BYTES, a, value, err);
    if (st == OK && !**value)
        return err_set(err, ERR_INVALID, "This is needed.");
    return st == OK && utf8_count(*value, strlen(*value)) > 255 ? err_set(err, ERR_INVALID, "At most 255 characters.")
                                                                : st;
}

static enum status check_text(const char **value, struct arena *a, struct error *err)
{
    struct error why;
    if (strlen(*value) > 4 * SYNONYMS_MAX_TEXT)
        return err_set(err, ERR_INVALID, "This is too long.");
    enum status st = text_fold_query(*value, 4 * SYNONYMS_MAX_TEXT, a, value, err);
    if (st == OK && synonyms_check_text(*value, &why) != OK)
        return err_set(err, ERR_INVALID, "\"%.100s\" %s.", *value, why.message);
    return st;
}

static enum status check_synonyms(const char **value, struct arena *a, struct error *err)
{
    if (strlen(*value) > SYNONYMS_BYTES)
        return err_set(err, ERR_INVALID, "This is too long.");
    const char *normal = text_normalize_words(*value, a);
    size_t n = 0;
    const char **texts = normal ? curation_split(normal, a, &n) : NULL;
    if (!texts)
        return err_no_memory(err, "synonyms");
    if (n < 1 || n > SYNONYMS_MAX_EACH)
        return err_set(err, ERR_INVALID, "There must be 1 to %u synonyms, separated by commas.", SYNONYMS_MAX_EACH);
    const char *joined = "";
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        st = check_text(&texts[i], a, err);
        if (st == OK && !(joined = arena_printf(a, "%s%s%s", joined, i ? ", " : "", texts[i])))
            st = err_no_memory(err, "synonyms");
    }
    *value = joined;
    return st;
}

static enum status check_number(const char *value, int64_t most, struct error *err)
{
    size_t len = strlen(value);
    if (len < 1 || len > 9 || strspn(value, "0123456789") != len || strtoll(value, NULL, 10) > most ||
        (len > 1 && *value == '0'))
        return err_set(err, ERR_INVALID, "This must be a whole number from 0 to %lld.", (long long)most);
    return OK;
}

enum status curation_check(const char *column, const char **value, struct arena *a, struct error *err)
{
    if (!utf8_valid(*value, strlen(*value)))
        return err_set(err, ERR_INVALID, "This must be valid UTF-8 text.");
    if (strcmp(column, "query") == 0)
        return check_query(value, a, err);
    if (strcmp(column, "term") == 0)
        return check_text(value, a, err);
    if (strcmp(column, "synonyms") == 0)
        return check_synonyms(value, a, err);
    if (strcmp(column, "language") == 0)
        return !**value || language_valid(*value)
                   ? OK
                   : err_set(err, ERR_INVALID, "Use a language tag such as en or pt-BR, or leave it empty for all.");
    if (strcmp(column, "position") == 0)
        return check_number(*value, CURATION_MAX_POSITION, err);
    if (strcmp(column, "two_way") == 0)
        return check_number(*value, 1, err);
    return **value ? OK : err_set(err, ERR_INVALID, "This is needed.");
}

static enum status entry_of(const struct curation_row *row, struct arena *a, struct synonym_entry *out,
                            struct error *err)
{
    *out = (struct synonym_entry){
        .term = row->values[0], .language = row->values[1], .two_way = strcmp(row->values[3], "1") == 0};
    out->synonyms = curation_split(row->values[2], a, &out->n_synonyms);
    return out->synonyms ? OK : err_no_memory(err, "synonyms");
}

enum status curation_check_row(enum curation_kind kind, const struct curation_row *row, struct arena *a,
                               struct error *err)
{
    struct synonym_entry entry;
    struct synonyms *made = NULL;
    struct error why;
    if (kind != CURATION_SYNONYMS)
        return OK;
    enum status st = entry_of(row, a, &entry, err);
    if (st == OK && (st = synonyms_open(&entry, 1, &made, &why)) != OK) {
        const char *text = strncmp(why.message, "synonyms[0]: ", 13) == 0 ? why.message + 13 : why.message;
        st = err_set(err, st, "%.300s", text);
    }
    synonyms_close(made);
    return st;
}

/* --- pins in memory --- */

static void pin_set_close(struct pin_set *s)
{
    if (!s || atomic_fetch_sub(&s->owners, 1) != 1)
        return;
    arena_free(&s->arena);
    free(s);
}

static enum status read_pins(struct curation *c, struct error *err)
{
    struct pin_set *fresh = calloc(1, sizeof *fresh);
    if (!fresh)
        return err_no_memory(err, "pins");
    atomic_init(&fresh->owners, 1);
    arena_init(&fresh->arena, MEMORY);
    enum status st = sticker_store_curation_list(c->store, CURATION_PINS, &fresh->arena, &fresh->rows, &fresh->n, err);
    if (st != OK) {
        pin_set_close(fresh);
        return st;
    }
    pthread_mutex_lock(&c->mutex);
    struct pin_set *old = c->pins;
    c->pins = fresh;
    pthread_mutex_unlock(&c->mutex);
    pin_set_close(old);
    return OK;
}

static enum status copy_pins(const struct pin_set *s, const char *key, struct arena *a, struct pin **out, size_t *n,
                             struct error *err)
{
    size_t low = 0, high = s->n, end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(s->rows[middle].values[0], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (end = low; end < s->n && strcmp(s->rows[end].values[0], key) == 0;)
        end++;
    *out = end > low ? arena_array(a, end - low, sizeof **out) : NULL;
    if (end > low && !*out)
        return err_no_memory(err, "pins");
    for (size_t i = low; i < end; i++) {
        const struct curation_row *row = &s->rows[i];
        struct pin *pin = &(*out)[(*n)++];
        pin->language = arena_strdup(a, row->values[1]);
        pin->sticker = arena_strdup(a, row->values[2]);
        pin->position = (unsigned)strtoul(row->values[3], NULL, 10);
        if (!pin->language || !pin->sticker)
            return err_no_memory(err, "pins");
    }
    return OK;
}

enum status curation_pins(struct curation *c, const char *query, struct arena *a, struct pin **out, size_t *n,
                          struct error *err)
{
    const char *key;
    *n = 0;
    *out = NULL;
    pthread_mutex_lock(&c->mutex);
    struct pin_set *s = c->pins;
    atomic_fetch_add(&s->owners, 1);
    pthread_mutex_unlock(&c->mutex);
    enum status st = s->n ? text_fold_query(query, QUERY_BYTES, a, &key, err) : OK;
    if (st == OK && s->n)
        st = copy_pins(s, key, a, out, n, err);
    pin_set_close(s);
    return st;
}

/* --- synonyms --- */

static void write_entry(const struct synonym_entry *e, struct buf *out)
{
    buf_puts(out, "{\"term\":");
    json_put_string(out, e->term);
    buf_puts(out, ",\"synonyms\":[");
    for (size_t i = 0; i < e->n_synonyms; i++) {
        buf_puts(out, i ? "," : "");
        json_put_string(out, e->synonyms[i]);
    }
    buf_printf(out, "],\"two_way\":%s,\"language\":", e->two_way ? "true" : "false");
    json_put_string(out, e->language);
    buf_putc(out, '}');
}

static enum status read_entries(struct curation *c, struct arena *a, struct synonym_entry **out, size_t *n,
                                struct buf *body, struct error *err)
{
    struct curation_row *rows;
    enum status st = sticker_store_curation_list(c->store, CURATION_SYNONYMS, a, &rows, n, err);
    *out = st == OK ? arena_array(a, *n + 1, sizeof **out) : NULL;
    if (st == OK && !*out)
        st = err_no_memory(err, "synonyms");
    buf_puts(body, "{\"synonyms\":[");
    for (size_t i = 0; st == OK && i < *n; i++) {
        st = entry_of(&rows[i], a, &(*out)[i], err);
        buf_puts(body, i ? "," : "");
        if (st == OK)
            write_entry(&(*out)[i], body);
    }
    buf_puts(body, "]}");
    return st == OK ? buf_status(body, err) : st;
}

static enum status read_synonyms(struct curation *c, struct error *err)
{
    struct arena a;
    struct buf body;
    struct synonym_entry *entries;
    struct synonyms *fresh = NULL;
    size_t n = 0;
    arena_init(&a, MEMORY);
    buf_init(&body, BODY_MAX);
    enum status st = read_entries(c, &a, &entries, &n, &body, err);
    if (st == OK)
        st = synonyms_open(entries, n, &fresh, err);
    if (st == OK) {
        pthread_mutex_lock(&c->mutex);
        struct synonyms *old = c->synonyms;
        free(c->body);
        c->synonyms = fresh;
        c->body_len = body.len;
        os_sha256_hex(body.data, body.len, c->body_sha256);
        c->body = buf_take(&body);
        pthread_mutex_unlock(&c->mutex);
        synonyms_close(old);
        atomic_fetch_add(&c->changes, 1);
        atomic_store(&c->delivered, false);
    }
    buf_free(&body);
    arena_free(&a);
    return st;
}

struct synonyms *curation_synonyms(struct curation *c)
{
    pthread_mutex_lock(&c->mutex);
    struct synonyms *s = synonyms_count(c->synonyms) ? synonyms_share(c->synonyms) : NULL;
    pthread_mutex_unlock(&c->mutex);
    return s;
}

bool curation_delivered(struct curation *c)
{
    return atomic_load(&c->delivered);
}

static void forget_answers(struct curation *c)
{
    answers_clear(c->answers);
    answers_clear(c->starts);
}

/* --- SearchService --- */

static enum status call_search(struct curation *c, const char *method, const char *path, const char *body, size_t len,
                               struct buf *answer, struct error *err)
{
    int status = 0;
    struct http_call call = {.method = method,
                             .path = path,
                             .content_type = body ? "application/json" : NULL,
                             .body = body,
                             .body_len = len,
                             .timeout_ms = TIMEOUT_MS};
    enum status st = http_client_call(c->search, &call, &status, answer, err);
    if (st == OK && status != 200)
        st = err_set(err, status == 404 ? ERR_UNSUPPORTED : ERR_UNAVAILABLE,
                     "SearchService answered %d to %s %s: %.200s", status, method, path, buf_str(answer));
    return st;
}

static enum status ask_version(struct curation *c, char version[65], struct error *err)
{
    struct buf answer;
    buf_init(&answer, ANSWER_MAX);
    enum status st = call_search(c, "GET", "/api/synonyms/version", NULL, 0, &answer, err);
    json_t *json = st == OK ? json_loadb(buf_str(&answer), answer.len, 0, NULL) : NULL;
    const json_t *said = json_object_get(json, "version");
    if (st == OK && (!json_is_string(said) || json_string_length(said) > 64))
        st = err_set(err, ERR_CORRUPT, "SearchService did not say which synonyms it has");
    if (st == OK)
        memcpy(version, json_string_value(said), json_string_length(said) + 1);
    json_decref(json);
    buf_free(&answer);
    return st;
}

/* Makes SearchService have our synonyms. Of several StickerServices on a database each does so; one that sends older
 * ones, because it has not seen a change yet, sends the newer ones when it asks again. */
static enum status deliver(struct curation *c, struct error *err)
{
    char version[65], wanted[65];
    struct buf body, answer;
    buf_init(&body, BODY_MAX);
    buf_init(&answer, ANSWER_MAX);
    unsigned changes = atomic_load(&c->changes);
    pthread_mutex_lock(&c->mutex);
    buf_append(&body, c->body, c->body_len);
    memcpy(wanted, c->body_sha256, sizeof wanted);
    bool none = synonyms_count(c->synonyms) == 0;
    pthread_mutex_unlock(&c->mutex);
    enum status st = ask_version(c, version, err);
    bool send = st == OK && strcmp(version, wanted) != 0 && !(none && !*version);
    if (send)
        st = buf_status(&body, err);
    if (st == OK && send)
        st = call_search(c, "PUT", "/api/synonyms", body.data, body.len, &answer, err);
    if (st == OK && send) {
        log_info("SearchService has been sent the synonyms");
        forget_answers(c);
    }
    if (st == OK && changes == atomic_load(&c->changes))
        atomic_store(&c->delivered, true);
    buf_free(&answer);
    buf_free(&body);
    return st;
}

/* --- looking after it --- */

/* Reads what has changed. */
static enum status look(struct curation *c, struct error *err)
{
    static enum status (*const reads[])(struct curation * c, struct error * err) = {
        [CURATION_PINS] = read_pins, [CURATION_SYNONYMS] = read_synonyms};
    enum status st = OK;
    pthread_mutex_lock(&c->change);
    for (int kind = 0; kind < CURATION_KINDS && st == OK; kind++) {
        int64_t version;
        st = sticker_store_curation_version(c->store, (enum curation_kind)kind, &version, err);
        if (st != OK || version == c->versions[kind])
            continue;
        st = reads[kind](c, err);
        if (st == OK) {
            c->versions[kind] = version;
            forget_answers(c);
        }
    }
    pthread_mutex_unlock(&c->change);
    return st;
}

/* Says once that something fails, and once that it works again. */
static void tell(const char *what, bool *failing, enum status st, const struct error *err)
{
    if (st != OK && !*failing)
        log_warn("%s: %s", what, err->message);
    *failing = st != OK;
}

static void look_until_stopped(struct worker *w, void *arg)
{
    struct curation *c = arg;
    bool unread = false, unsent = false;
    int64_t ask_us = 0;
    do {
        struct error err;
        enum status st = look(c, &err);
        tell("pins and synonyms cannot be read", &unread, st, &err);
        int64_t now = os_monotonic_us();
        if (now < ask_us && (atomic_load(&c->delivered) || unsent))
            continue;
        st = deliver(c, &err);
        tell("SearchService has not received the synonyms", &unsent, st, &err);
        ask_us = now + (st == OK ? ASK_US : st == ERR_UNSUPPORTED ? 6 * ASK_US : RETRY_US);
    } while (worker_rest(w, LOOK_MS));
}

void curation_changed(struct curation *c)
{
    struct error err;
    if (look(c, &err) != OK)
        log_warn("pins and synonyms cannot be read: %s", err.message);
    worker_wake(c->worker);
}

void curation_close(struct curation *c)
{
    if (!c)
        return;
    worker_close(c->worker);
    pin_set_close(c->pins);
    synonyms_close(c->synonyms);
    free(c->body);
    pthread_mutex_destroy(&c->mutex);
    pthread_mutex_destroy(&c->change);
    free(c);
}

enum status curation_open(struct sticker_store *store, struct http_client *search, struct answers *answers,
                          struct answers *starts, struct curation **out, struct error *err)
{
    *out = NULL;
    struct curation *c = calloc(1, sizeof *c);
    if (!c)
        return err_no_memory(err, "pins and synonyms");
    c->store = store;
    c->search = search;
    c->answers = answers;
    c->starts = starts;
    for (int kind = 0; kind < CURATION_KINDS; kind++)
        c->versions[kind] = -1; /* not read yet */
    pthread_mutex_init(&c->change, NULL);
    pthread_mutex_init(&c->mutex, NULL);
    enum status st = look(c, err);
    if (st == OK)
        st = worker_open("curation", look_until_stopped, c, &c->worker, err);
    if (st != OK) {
        curation_close(c);
        return st;
    }
    *out = c;
    return OK;
}
