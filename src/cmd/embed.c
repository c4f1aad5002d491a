/* peel tokenize --model DIR TEXT; peel embed --model DIR --text TEXT | --image FILE: JSON for scripts. */
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/model_dir.h"
#include "model/clip_config.h"
#include "sandbox/sandbox.h"
#include "tokenize/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USUAL_CONTEXT 77

int cmd_tokenize(const struct config *cfg)
{
    const char *const *args;
    char dir[PATH_MAX];
    struct error err;
    struct tokenizer *tokenizer = NULL;
    struct clip_config sizes;
    size_t n = 0;
    config_args(cfg, &args);
    enum status st = model_find(cfg, NULL, dir, &err);
    if (st == OK)
        st = tokenizer_open(dir, &tokenizer, &err);
    if (st != OK)
        return cmd_failed(&err);
    /* A folder with tokenizer files alone is enough; the context length is then CLIP's. */
    size_t context = clip_config_load(dir, &sizes, NULL) == OK ? sizes.context : USUAL_CONTEXT;
    int32_t *ids = malloc(context * sizeof *ids);
    st = ids ? tokenizer_encode(tokenizer, args[0], strlen(args[0]), context, ids, &n, &err)
             : err_no_memory(&err, "a request");
    tokenizer_close(tokenizer);
    if (st == OK) {
        for (size_t i = 0; i < n; i++)
            printf("%s%d", i ? ", " : "[", ids[i]);
        puts("]");
    }
    free(ids);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}

static enum status embed_file(const struct encoder *e, const char *path, float *out, struct error *err)
{
    struct buf file;
    struct image_film film = {0};
    struct sandbox *sandbox = NULL;
    buf_init(&file, IMAGE_MAX_BYTES);
    enum status st = os_read_file(path, &file, err);
    if (st == OK)
        st = sandbox_open(1, &sandbox, err);
    struct sandbox_image bytes = {.data = file.data, .len = file.len, .wait_ms = 1000};
    if (st == OK)
        st = sandbox_film(sandbox, &bytes, 512, &film, err);
    if (st == OK)
        st = encoder_embed_films(e, &film, 1, out, err);
    sandbox_close(sandbox);
    image_free(&film.strip);
    buf_free(&file);
    return st == OK ? OK : err_prefix(err, "%.300s", path);
}

int cmd_embed(const struct config *cfg)
{
    const char *text = config_string(cfg, "text"), *path = config_string(cfg, "image");
    struct model_open m;
    struct error err;
    if (!text == !path)
        return cmd_usage("peel embed: exactly one of --text and --image is needed");
    if (model_open(cfg, NULL, &m, &err) != OK)
        return cmd_failed(&err);
    float *vector = malloc(encoder_dim(m.encoder) * sizeof *vector);
    enum status st = !vector ? err_no_memory(&err, "a request")
                     : text  ? encoder_embed_text(m.encoder, ENCODER_QUERY, text, strlen(text), vector, &err)
                             : embed_file(m.encoder, path, vector, &err);
    if (st == OK) {
        for (size_t i = 0; i < encoder_dim(m.encoder); i++)
            printf("%s%.9g", i ? ", " : "[", (double)vector[i]);
        puts("]");
    }
    free(vector);
    model_close(&m);
    return st == OK ? EXIT_OK : cmd_failed(&err);
}
