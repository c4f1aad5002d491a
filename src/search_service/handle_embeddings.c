/* POST /v1/embeddings: vectors of texts, in the shape of OpenAI's API.
 *
 * One request may take long, so that searches must not wait for it: at most `max_embedding` of them run at once and
 * others are answered 503; a text is encoded on the worker's thread alone; and a request that is not done after
 * embeddings_ms is given up. */
#include "search_service/service.h"

#include "base/json_in.h"
#include "base/json_out.h"
#include "base/os.h"

#include <endian.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TEXTS    2048u
#define NUMBER_BYTES 18u  /* of a number in JSON, with its comma, at most */
#define ITEM_BYTES   128u /* of an embedding in JSON without its numbers */
#define SLICE_TEXTS  16u  /* encoded together, which is faster; too few for the encoder to share them among threads */
#define SLICE_TOKENS 512u /* of them, unless the last one has more: the time is looked at in between */

struct embeddings {
    struct search_service *service;
    struct engine_model *model;
    const struct encoder *encoder;
    json_t *body;        /* owns the texts */
    const json_t *input; /* a string or an array of n */
    size_t n;            /* texts */
    enum encoder_role role;
    bool base64;
    int64_t start_us;
    size_t tokens;            /* that the model read */
    const char *param, *code; /* of an error, or NULL; static or owned by `body` */
    float *vectors;           /* [SLICE_TEXTS, dim] */
    uint32_t *words;          /* [dim]: one of them in little-endian order */
    char *text;               /* the same in base64 */
    size_t text_cap;
};

static enum status refuse(struct embeddings *e, const char *param, struct error *err, const char *expected)
{
    e->param = param;
    return err_set(err, ERR_INVALID, "%s must be %s", param, expected);
}

/* --- reading the request --- */

/* A member of the body; NULL where it is missing or null. */
static const json_t *member(const struct embeddings *e, const char *name)
{
    const json_t *v = json_object_get(e->body, name);
    return json_is_null(v) ? NULL : v;
}

static enum status check_members(struct embeddings *e, struct error *err)
{
    static const char *const known[] = {"model", "input", "encoding_format", "dimensions", "input_type", "user"};
    const char *key;
    json_t *value;
    json_object_foreach(e->body, key, value)
    {
        size_t i = 0;
        while (i < sizeof known / sizeof *known && strcmp(known[i], key) != 0)
            i++;
        if (i == sizeof known / sizeof *known)
            return err_set(err, ERR_INVALID,
                           "\"%.64s\" is unknown; expected model, input, encoding_format, dimensions, input_type, user",
                           key);
    }
    return OK;
}

static enum status parse_body(struct embeddings *e, const struct http_request *req, struct error *err)
{
    enum status st = json_read_body(req->body, req->body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e->body, err);
    if (st != OK)
        return st;
    if (!json_is_object(e->body))
        return err_set(err, ERR_INVALID, "the body must be a JSON object with model and input");
    return check_members(e, err);
}

static bool is_string(const json_t *v, const char *s)
{
    return json_is_string(v) && json_string_length(v) == strlen(s) && strcmp(json_string_value(v), s) == 0;
}

/* A string that is one of two: *second says which; the first where it is missing. */
static enum status read_choice(struct embeddings *e, const char *name, const char *const choices[2], bool *second,
                               struct error *err)
{
    const json_t *v = member(e, name);
    char expected[64];
    *second = is_string(v, choices[1]);
    if (!v || *second || is_string(v, choices[0]))
        return OK;
    snprintf(expected, sizeof expected, "\"%s\" or \"%s\"", choices[0], choices[1]);
    return refuse(e, name, err, expected);
}

/* Text i; NULL: there is something else. `name` gets what to call it. */
static const char *text_at(const struct embeddings *e, size_t i, size_t *len, char name[32])
{
    const json_t *v = json_is_array(e->input) ? json_array_get(e->input, i) : e->input;
    if (json_is_array(e->input))
        snprintf(name, 32, "input[%zu]", i);
    else
        snprintf(name, 32, "input");
    *len = json_string_length(v);
    return json_string_value(v);
}

static enum status check_text(const struct embeddings *e, size_t i, struct error *err)
{
    char name[32];
    size_t len;
    const char *text = text_at(e, i, &len, name);
    const json_t *v = json_array_get(e->input, i);
    if (json_is_integer(v) || json_is_array(v))
        return err_set(err, ERR_INVALID, "%s is not a text: token ids are not accepted, because each model has its own",
                       name);
    if (!text)
        return err_set(err, ERR_INVALID, "%s must be a string", name);
    if (len == 0)
        return err_set(err, ERR_INVALID, "%s must not be empty", name);
    if (len > ENCODER_MAX_BYTES)
        return err_set(err, ERR_INVALID, "%s is too long: at most %d bytes, found %zu", name, ENCODER_MAX_BYTES, len);
    if (memchr(text, '\0', len))
        return err_set(err, ERR_INVALID, "%s must not contain the character U+0000", name);
    return OK;
}

static enum status read_input(struct embeddings *e, struct error *err)
{
    e->input = member(e, "input");
    e->n = json_is_array(e->input) ? json_array_size(e->input) : 1;
    if (!json_is_array(e->input) && !json_is_string(e->input))
        return refuse(e, "input", err, "a string or an array of strings");
    e->param = "input";
    if (e->n == 0)
        return err_set(err, ERR_INVALID, "input must not be empty");
    if (e->n > MAX_TEXTS)
        return err_set(err, ERR_INVALID, "input: at most %u texts, found %zu", MAX_TEXTS, e->n);
    enum status st = OK;
    for (size_t i = 0; i < e->n && st == OK; i++)
        st = check_text(e, i, err);
    e->param = st == OK ? NULL : e->param;
    return st;
}

static enum status read_options(struct embeddings *e, struct error *err)
{
    static const char *const formats[] = {"float", "base64"}, *const types[] = {"query", "document"};
    bool document = false;
    int64_t number;
    enum status st = read_choice(e, "encoding_format", formats, &e->base64, err);
    if (st == OK)
        st = read_choice(e, "input_type", types, &document, err);
    e->role = document ? ENCODER_DOCUMENT : ENCODER_QUERY;
    const json_t *dimensions = member(e, "dimensions");
    if (st == OK && dimensions && (!json_whole_number(dimensions, &number) || number < 1))
        st = refuse(e, "dimensions", err, "a whole number above 0");
    return st;
}

/* The body as far as it says nothing about the model. */
static enum status read_request(struct embeddings *e, const struct http_request *req, struct error *err)
{
    enum status st = parse_body(e, req, err);
    const json_t *model = member(e, "model");
    if (st == OK && (!json_is_string(model) || strlen(json_string_value(model)) != json_string_length(model)))
        st = refuse(e, "model", err, "the id of a model, a string");
    if (st == OK)
        st = read_options(e, err);
    return st == OK ? read_input(e, err) : st;
}

/* The encoder of the model, and whether the request suits it. */
static enum status read_encoder(struct embeddings *e, struct error *err)
{
    struct engine_model_status status;
    const char *id = engine_model_id(e->model);
    e->encoder = engine_model_encoder(e->model);
    if (!e->encoder) {
        e->param = "model";
        e->code = "model_not_ready";
        enum status st = engine_model_status(e->service->engine, e->model, &status, err);
        return st != OK ? st
                        : err_set(err, ERR_UNAVAILABLE, "the model \"%s\" is not ready, its state is %s%s%s", id,
                                  engine_state_name(status.state), *status.error ? ": " : "", status.error);
    }
    const json_t *dimensions = member(e, "dimensions");
    if (!dimensions || json_member_int(e->body, "dimensions") == (int64_t)encoder_dim(e->encoder))
        return OK;
    e->param = "dimensions";
    return err_set(err, ERR_INVALID, "dimensions must be %zu, which is what \"%s\" has, or missing",
                   encoder_dim(e->encoder), id);
}

/* --- encoding --- */

static enum status check_time(const struct embeddings *e, size_t done, struct error *err)
{
    const struct search_service_config *cfg = &e->service->cfg;
    const struct http_server *server = atomic_load(&e->service->server);
    int64_t us = os_monotonic_us() - e->start_us;
    if (us > (int64_t)cfg->embeddings_ms * 1000)
        return err_set(err, ERR_TIMEOUT, "%zu of %zu texts were encoded within %u ms; ask for fewer at once", done,
                       e->n, cfg->embeddings_ms);
    /* Others finish in the time that stopping leaves them. */
    if (server && http_server_draining(server) && us > (int64_t)cfg->http.finish_ms * 1000 / 2)
        return err_set(err, ERR_UNAVAILABLE, "the service is stopping; ask again");
    return OK;
}

static void put_vector(const struct embeddings *e, const float *vector, struct buf *out)
{
    size_t dim = encoder_dim(e->encoder);
    if (e->base64) {
        for (size_t i = 0; i < dim; i++) {
            memcpy(&e->words[i], &vector[i], sizeof *e->words);
            e->words[i] = htole32(e->words[i]);
        }
        buf_printf(out, "\"%s\"",
                   sodium_bin2base64(e->text, e->text_cap, (const unsigned char *)e->words, dim * sizeof *e->words,
                                     sodium_base64_VARIANT_ORIGINAL));
        return;
    }
    for (size_t i = 0; i < dim; i++) {
        buf_putc(out, i ? ',' : '[');
        json_put_score(out, (double)vector[i]);
    }
    buf_putc(out, ']');
}

/* Texts that are encoded together. */
struct slice {
    size_t first, n, tokens;
    const char *texts[SLICE_TEXTS];
    size_t lens[SLICE_TEXTS];
    bool cut[SLICE_TEXTS];
};

/* An error of text i names it, and is the request's where the text has nothing that the model knows. */
static enum status name_text(struct embeddings *e, size_t i, struct error *err)
{
    char name[32];
    size_t len;
    if (err->code != ERR_INVALID && err->code != ERR_NOT_FOUND)
        return err->code;
    text_at(e, i, &len, name);
    e->param = "input";
    err->code = ERR_INVALID;
    return err_prefix(err, "%s", name);
}

/* The texts from `first` on that are encoded next. */
static enum status cut_slice(struct embeddings *e, size_t first, struct slice *s, struct error *err)
{
    char name[32];
    *s = (struct slice){.first = first};
    while (first + s->n < e->n && s->n < SLICE_TEXTS && s->tokens < SLICE_TOKENS) {
        size_t i = s->n, tokens;
        s->texts[i] = text_at(e, first + i, &s->lens[i], name);
        if (encoder_count_tokens(e->encoder, e->role, s->texts[i], s->lens[i], &tokens, &s->cut[i], err) != OK)
            return name_text(e, first + i, err);
        s->tokens += tokens;
        s->n++;
    }
    return OK;
}

static enum status encode_slice(struct embeddings *e, const struct slice *s, struct error *err)
{
    enum status st = encoder_embed_texts(e->encoder, e->role, s->texts, s->lens, s->n, e->vectors, err);
    if (st != ERR_INVALID && st != ERR_NOT_FOUND)
        return st;
    for (size_t i = 0; i < s->n; i++) /* which one was it? */
        if (encoder_embed_text(e->encoder, e->role, s->texts[i], s->lens[i], e->vectors, err) != OK)
            return name_text(e, s->first + i, err);
    return err_set(err, ERR_INTERNAL, "%zu texts fail together, although each alone succeeds", s->n);
}

static void put_slice(struct embeddings *e, const struct slice *s, struct buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t index = s->first + i;
        buf_printf(out, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":", index ? "," : "", index);
        put_vector(e, e->vectors + i * encoder_dim(e->encoder), out);
        buf_puts(out, s->cut[i] ? ",\"truncated\":true}" : "}");
    }
    e->tokens += s->tokens;
}

static enum status encode_all(struct embeddings *e, struct buf *out, struct error *err)
{
    size_t dim = encoder_dim(e->encoder);
    struct slice s = {0};
    enum status st = OK;
    e->text_cap = sodium_base64_ENCODED_LEN(dim * sizeof *e->words, sodium_base64_VARIANT_ORIGINAL);
    e->vectors = malloc(SLICE_TEXTS * dim * sizeof *e->vectors);
    e->words = malloc(dim * sizeof *e->words);
    e->text = malloc(e->text_cap);
    if (!e->vectors || !e->words || !e->text)
        return err_no_memory(err, "a vector of %zu numbers", dim);
    buf_init(out, e->n * (dim * NUMBER_BYTES + ITEM_BYTES) + 1024);
    buf_puts(out, "{\"object\":\"list\",\"data\":[");
    for (size_t done = 0; done < e->n && st == OK; done += s.n) {
        st = check_time(e, done, err);
        if (st == OK)
            st = cut_slice(e, done, &s, err);
        if (st == OK)
            st = encode_slice(e, &s, err);
        if (st == OK)
            put_slice(e, &s, out);
    }
    buf_puts(out, "],\"model\":");
    json_put_string(out, engine_model_id(e->model));
    buf_printf(out, ",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}", e->tokens, e->tokens);
    return st;
}

static void answer_embeddings(struct embeddings *e, const struct http_request *req, struct http_response *res)
{
    struct buf out = {0};
    struct error err;
    enum status st = read_request(e, req, &err);
    if (st == OK && !(e->model = openai_model(e->service, json_string_value(member(e, "model")), res)))
        return;
    if (st == OK)
        st = read_encoder(e, &err);
    if (st == OK)
        st = encode_all(e, &out, &err);
    if (st == ERR_UNAVAILABLE || st == ERR_NO_MEMORY)
        http_header_add(res, "Retry-After", "5");
    if (st == OK)
        answer_json(res, 200, &out);
    else
        openai_error(res, &err, e->param, e->code);
    buf_free(&out);
}

static unsigned max_embedding(const struct search_service *s)
{
    unsigned threads = engine_threads(s->engine), workers = s->cfg.http.workers;
    unsigned half = (threads < workers ? threads : workers) / 2;
    return half ? half : 1;
}

void handle_embeddings(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct search_service *s = ctx;
    struct embeddings e = {.service = s, .start_us = os_monotonic_us()};
    unsigned most = max_embedding(s);
    struct error err;
    if (atomic_fetch_add(&s->embedding, 1) < most) {
        answer_embeddings(&e, req, res);
    } else {
        err_set(&err, ERR_UNAVAILABLE, "too many requests for embeddings: at most %u are answered at once", most);
        http_header_add(res, "Retry-After", "1");
        openai_error(res, &err, NULL, "busy");
    }
    atomic_fetch_sub(&s->embedding, 1);
    json_decref(e.body);
    free(e.vectors);
    free(e.words);
    free(e.text);
}
