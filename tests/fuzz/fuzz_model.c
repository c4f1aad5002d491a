/* Model folders as a stranger may have made them: config.json, the weights and whatever else a kind of model reads. An
 * input is a good folder of tests/golden, chosen by its first byte, and patches: a byte that chooses the file, then
 * either (even) 3 bytes of where and one to put there, or (odd) two numbers of config.json to swap for others. A model
 * that opens also encodes. */
#include "base/os.h"
#include "model/encoder.h"

#include <dirent.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *folder, *tokenizer; /* below tests/golden; the latter NULL: it has none */
} good[] = {{"bert/bert", "uncased"},
            {"bert/distilbert", "unigram"},
            {"bert/xlm-roberta", "unigram"},
            {"static/mapped", "unigram"},
            {"static/plain", "unigram"},
            {"static/words", "uncased"},
            {"tiny", NULL}};
#define MODELS    (sizeof good / sizeof *good)
#define MAX_FILES 8
#define HEAD      12288 /* of a file, where patches are put; behind that weights are numbers, any of which will do */

static struct model {
    size_t n;
    struct {
        char name[64];
        struct buf bytes;
    } files[MAX_FILES];
} models[MODELS];
static struct model *filled;
static size_t root_len;
static char folder[64];

static int add_file(const char *path, const char *name)
{
    if (filled->n == MAX_FILES)
        return -1;
    snprintf(filled->files[filled->n].name, sizeof filled->files[0].name, "%s", name);
    buf_init(&filled->files[filled->n].bytes, 4u << 20);
    return os_read_file(path, &filled->files[filled->n++].bytes, NULL) == OK ? 0 : -1;
}

static int add_found(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)ftw;
    return flag == FTW_F ? add_file(path, path + root_len + 1) : 0;
}

static int remove_one(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)flag, (void)ftw;
    return remove(path);
}

static void leave(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void begin(void)
{
    const char *tmp = getenv("TMPDIR");
    char root[96];
    for (size_t i = 0; i < MODELS; i++) {
        root_len = (size_t)snprintf(root, sizeof root, "tests/golden/%s", good[i].folder);
        filled = &models[i];
        if (nftw(root, add_found, 8, FTW_PHYS) != 0)
            abort();
        snprintf(root, sizeof root, "tests/golden/token_ids/%s/tokenizer.json", good[i].tokenizer);
        if (good[i].tokenizer && add_file(root, "tokenizer.json") != 0)
            abort();
    }
    snprintf(folder, sizeof folder, "%.40s/peel-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        abort();
    atexit(leave);
}

/* Puts one of the numbers that sizes may not be in the place of the nth number of a JSON text. */
static void swap_number(struct buf *json, unsigned nth, unsigned value)
{
    static const char *const numbers[] = {"0", "-1", "1", "3", "4294967296", "1e9", "null", "\"x\"", "[]", "0.5"};
    struct buf out;
    const char *text = buf_str(json), *end = text + json->len, *at = text;
    for (;; nth--) {
        while (at < end && (*at < '0' || *at > '9'))
            at++;
        if (at == end)
            return;
        if (!nth)
            break;
        while (at < end && *at >= '0' && *at <= '9')
            at++;
    }
    const char *rest = at;
    while (rest < end && *rest >= '0' && *rest <= '9')
        rest++;
    buf_init(&out, 1u << 20);
    buf_append(&out, text, (size_t)(at - text));
    buf_puts(&out, numbers[value % 10]);
    buf_append(&out, rest, (size_t)(end - rest));
    buf_free(json);
    *json = out;
}

static void write_model(const struct model *model, const uint8_t *data, size_t size)
{
    struct buf files[MAX_FILES];
    for (size_t i = 0; i < model->n; i++) {
        buf_init(&files[i], 4u << 20);
        buf_append(&files[i], model->files[i].bytes.data, model->files[i].bytes.len);
    }
    for (; size >= 5; data += 5, size -= 5) {
        struct buf *file = &files[data[0] / 2 % model->n];
        size_t at = (size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3];
        if (data[0] % 2 && file->data[0] == '{')
            swap_number(file, data[3] % 64, data[4]);
        else if (data[1] & 0x80)
            file->len = at % (file->len + 1) ? at % (file->len + 1) : file->len; /* cut off */
        else
            file->data[at % (file->len < HEAD ? file->len : HEAD)] = (char)data[4];
    }
    for (size_t i = 0; i < model->n; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", folder, model->files[i].name);
        *strrchr(path, '/') = '\0';
        if (os_mkdirs(path, NULL) != OK)
            abort();
        snprintf(path, sizeof path, "%s/%s", folder, model->files[i].name);
        if (os_write_file(path, files[i].data, files[i].len, NULL) != OK)
            abort();
        buf_free(&files[i]);
    }
}

static void encode(const struct encoder *e)
{
    struct error err;
    float *v = calloc(encoder_dim(e), sizeof *v);
    if (!v)
        abort();
    (void)encoder_embed_text(e, ENCODER_QUERY, "cat in a park", 13, v, &err);
    free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct encoder *e;
    struct error err = {.message = ""};
    if (!*folder)
        begin();
    if (!size)
        return 0;
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    if (mkdir(folder, 0700) != 0)
        abort();
    write_model(&models[data[0] % MODELS], data + 1, size - 1);
    if (encoder_open(folder, "fp32", NULL, &e, &err) == OK) {
        encode(e);
        encoder_close(e);
    } else if (e || !err.message[0]) {
        abort();
    }
    return 0;
}
