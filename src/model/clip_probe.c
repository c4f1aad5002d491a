/* Which precision keeps this checkpoint's vectors? A fixed set of texts and pictures is encoded in fp32,
 * then in the faster precisions, fastest first; the first whose vectors all stay within a cosine of 0.995
 * is taken. CLIP models have channels far larger than the rest, so that int8 is good for some checkpoints
 * and not for others: it has to be tried. One precision is in memory at a time, so that the peak is the
 * size of the fp32 weights. What was found is kept beside the model (peel-probe.json) and found again by
 * the files' sizes and times and the kernels' names; a folder that cannot be written is no error. */
#include "model/clip_internal.h"

#include "base/log.h"
#include "base/os.h"
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LEAST_COSINE 0.995f
#define VERSION      1 /* of the probe set: older findings are not used */
#define N_IMAGES     6

static const char *const texts[] = {"a cat",
                                    "cat in a park",
                                    "a photo of a dog wearing sunglasses",
                                    "happy birthday!",
                                    "an astronaut riding a horse on the moon, digital art",
                                    "crying face",
                                    "two hands making a heart",
                                    "I am so tired of mondays",
                                    "🎉 party",
                                    "404 not found",
                                    "a red car parked in front of a small house with a green door and many flowers",
                                    "ok"};
#define N_TEXTS (sizeof texts / sizeof *texts)

/* --- the probe set's vectors --- */

/* Value 0..1 of picture `kind` at x, y in 0..1: a ramp, a board, a disk on white, stripes, noise, rings. */
static float picture(unsigned kind, unsigned channel, float x, float y, uint32_t *noise)
{
    float dx = x - 0.45f, dy = y - 0.55f, r = sqrtf(dx * dx + dy * dy);
    *noise = *noise * 1664525u + 1013904223u;
    switch (kind) {
    case 0:
        return channel == 0 ? x : channel == 1 ? y : 1 - x;
    case 1:
        return ((int)(x * 8) + (int)(y * 8)) % 2 ? 0.9f : 0.15f * (float)channel;
    case 2:
        return r > 0.35f ? 1 : channel == 0 ? 0.95f : channel == 1 ? 0.75f : 0.1f;
    case 3:
        return 0.5f + 0.5f * sinf(40 * (x + 0.5f * y) + 2 * (float)channel);
    case 4:
        return (float)(*noise >> 8) / 0x1p24f;
    default:
        return 0.5f + 0.5f * cosf((30 + 10 * (float)channel) * r);
    }
}

static void draw(unsigned kind, size_t size, float *pixels)
{
    uint32_t noise = 1;
    for (unsigned channel = 0; channel < 3; channel++)
        for (size_t y = 0; y < size; y++)
            for (size_t x = 0; x < size; x++) {
                float v = picture(kind, channel, (float)x / (float)size, (float)y / (float)size, &noise);
                *pixels++ = (v - 0.45f) / 0.27f; /* about what preprocessing makes of it */
            }
}

/* out: [N_TEXTS + N_IMAGES, dim], normalised. */
static enum status encode_all(const struct clip *m, const struct tokenizer *tokenizer, float *out, struct error *err)
{
    const struct clip_config *c = &m->config;
    size_t dim = c->dim, n = 0;
    enum status st = OK;
    int32_t *ids = malloc(c->context * sizeof *ids);
    float *pixels = malloc(3 * c->image_size * c->image_size * sizeof *pixels);
    if (!ids || !pixels)
        st = err_no_memory(err, "probing the model");
    for (size_t i = 0; st == OK && i < N_TEXTS; i++) {
        st = tokenizer_encode(tokenizer, texts[i], strlen(texts[i]), c->context, ids, &n, err);
        if (st == OK)
            st = clip_encode_ids(m, ids, n, out + i * dim, err);
    }
    for (unsigned i = 0; st == OK && i < N_IMAGES; i++) {
        draw(i, c->image_size, pixels);
        st = clip_encode_pixels(m, pixels, 1, out + (N_TEXTS + i) * dim, err);
    }
    for (size_t i = 0; st == OK && i < N_TEXTS + N_IMAGES; i++)
        st = encoder_normalize(out + i * dim, dim, err);
    free(ids);
    free(pixels);
    return st;
}

static float least_cosine(const float *a, const float *b, size_t n, size_t dim)
{
    float least = 1;
    for (size_t i = 0; i < n; i++) {
        float dot = 0;
        for (size_t j = 0; j < dim; j++)
            dot += a[i * dim + j] * b[i * dim + j];
        least = fminf(least, dot);
    }
    return least;
}

static bool good(struct probe_cosines c)
{
    return c.text >= LEAST_COSINE && c.image >= LEAST_COSINE;
}

/* --- what was found before --- */

struct findings {
    char key[512];
    bool probed[CLIP_INT8 + 1];
    struct probe_cosines cosines[CLIP_INT8 + 1];
};

static void make_key(const char *dir, char *out, size_t cap)
{
    static const char *const files[] = {"config.json",    "model.safetensors", "model.safetensors.index.json",
                                        "tokenizer.json", "vocab.json",        "merges.txt"};
    size_t at = (size_t)snprintf(out, cap, "%d %s %s", VERSION, kernels_get(KERNEL_BF16, ISA_BEST)->name,
                                 kernels_get(KERNEL_INT8, ISA_BEST)->name);
    for (size_t i = 0; i < sizeof files / sizeof *files && at < cap; i++) {
        char path[PATH_MAX];
        struct stat sb;
        if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, files[i]) < sizeof path && stat(path, &sb) == 0)
            at += (size_t)snprintf(out + at, cap - at, " %s:%" PRId64 ":%" PRId64 ".%09ld", files[i],
                                   (int64_t)sb.st_size, (int64_t)sb.st_mtim.tv_sec, sb.st_mtim.tv_nsec);
    }
}

/* Leaves f->probed false where there is nothing, or nothing for these files. */
static void findings_read(const char *path, struct findings *f)
{
    struct buf text;
    buf_init(&text, 65536);
    json_t *root = os_read_file(path, &text, NULL) == OK ? json_loadb(buf_str(&text), text.len, 0, NULL) : NULL;
    const char *key = json_string_value(json_object_get(root, "key"));
    for (enum clip_precision p = CLIP_BF16; key && strcmp(key, f->key) == 0 && p <= CLIP_INT8; p++) {
        const json_t *c = json_object_get(json_object_get(root, "cosines"), clip_precision_name(p));
        const json_t *t = json_object_get(c, "text"), *i = json_object_get(c, "image");
        if (json_is_number(t) && json_is_number(i)) {
            f->probed[p] = true;
            f->cosines[p] = (struct probe_cosines){(float)json_number_value(t), (float)json_number_value(i)};
        }
    }
    json_decref(root);
    buf_free(&text);
}

static void findings_write(const char *path, const struct findings *f)
{
    struct error err;
    json_t *cosines = json_object(), *root = json_pack("{s:s, s:o}", "key", f->key, "cosines", cosines);
    for (enum clip_precision p = CLIP_BF16; p <= CLIP_INT8; p++)
        if (f->probed[p])
            json_object_set_new(
                cosines, clip_precision_name(p),
                json_pack("{s:f, s:f}", "text", (double)f->cosines[p].text, "image", (double)f->cosines[p].image));
    char *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    if (text && os_write_file(path, text, strlen(text), &err) != OK)
        log_debug("model: cannot save the result of the precision test: %s", err.message);
    free(text);
    json_decref(root);
}

/* --- the choice --- */

static void explain(struct clip *m, const struct findings *f)
{
    size_t at = 0;
    m->why[0] = '\0';
    for (enum clip_precision p = CLIP_INT8; p >= CLIP_BF16; p--) {
        m->probed[p] = f->probed[p];
        m->cosines[p] = f->cosines[p];
        if (f->probed[p] && at < sizeof m->why)
            at += (size_t)snprintf(m->why + at, sizeof m->why - at, "%s%s: cosine to fp32 %.4f (texts), %.4f (images)",
                                   at ? "; " : "", clip_precision_name(p), (double)f->cosines[p].text,
                                   (double)f->cosines[p].image);
    }
    if (at == 0)
        snprintf(m->why, sizeof m->why, "this CPU has no faster instructions than fp32's");
    log_info("model: precision %s, kernels %s (%s; at least %.3f is needed)", clip_precision_name(m->precision),
             m->text.k->name, m->why, (double)LEAST_COSINE);
}

static bool may_try(enum clip_precision p)
{
    return kernels_faster(p == CLIP_INT8 ? KERNEL_INT8 : KERNEL_BF16);
}

enum status clip_probe_open(const char *dir, struct pool *pool, const struct tokenizer *tokenizer, struct clip **out,
                            struct error *err)
{
    *out = NULL;
    struct clip *m = NULL;
    struct findings f = {0};
    char path[PATH_MAX];
    float *reference = NULL, *other = NULL;
    size_t dim = 0;
    bool news = false;
    enum status st = OK;
    if ((size_t)snprintf(path, sizeof path, "%s/peel-probe.json", dir) >= sizeof path)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    make_key(dir, f.key, sizeof f.key);
    findings_read(path, &f);
    for (enum clip_precision p = CLIP_INT8; p >= CLIP_BF16; p--) {
        if (!may_try(p) || (f.probed[p] && !good(f.cosines[p])))
            continue;
        if (!f.probed[p] && !reference) {
            st = clip_weights_open(dir, CLIP_FP32, ISA_BEST, pool, &m, err);
            if (st != OK)
                goto out;
            dim = m->config.dim;
            reference = malloc((N_TEXTS + N_IMAGES) * dim * sizeof *reference);
            other = malloc((N_TEXTS + N_IMAGES) * dim * sizeof *other);
            st = reference && other ? encode_all(m, tokenizer, reference, err) : err_no_memory(err, "probing %s", dir);
            if (st != OK)
                goto out;
            clip_close(m);
            m = NULL;
        }
        st = clip_weights_open(dir, p, ISA_BEST, pool, &m, err);
        if (st != OK)
            goto out;
        if (!f.probed[p]) {
            news = f.probed[p] = true;
            if (encode_all(m, tokenizer, other, NULL) == OK)
                f.cosines[p] = (struct probe_cosines){
                    least_cosine(reference, other, N_TEXTS, dim),
                    least_cosine(reference + N_TEXTS * dim, other + N_TEXTS * dim, N_IMAGES, dim)};
        }
        if (good(f.cosines[p]))
            break;
        clip_close(m);
        m = NULL;
    }
    if (!m)
        st = clip_weights_open(dir, CLIP_FP32, ISA_BEST, pool, &m, err);
    if (st != OK)
        goto out;
    if (news)
        findings_write(path, &f);
    explain(m, &f);
    *out = m;
    m = NULL;
out:
    clip_close(m);
    free(reference);
    free(other);
    return st;
}
