#include "model/clip_config.h"

#include "base/buf.h"
#include "base/os.h"
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define MAX_CONFIG_BYTES (1u << 20)
#define MAX_IMAGE_TOKENS 4097u

/* A section of the file. Some old checkpoints repeat it under "<name>_dict", which then wins. */
struct section {
    const char *file, *name;
    const json_t *main, *dict;
};

static const json_t *config_member(const struct section *s, const char *key)
{
    const json_t *v = json_object_get(s->dict, key);
    if (!v || json_is_null(v))
        v = json_object_get(s->main, key);
    return v && !json_is_null(v) ? v : NULL;
}

static enum status config_size(const struct section *s, const char *key, size_t least, size_t most, size_t standard,
                               size_t *out, struct error *err)
{
    const json_t *v = config_member(s, key);
    *out = standard;
    if (!v)
        return OK;
    if (!json_is_integer(v))
        return err_set(err, ERR_INVALID, "%s: %s%s must be a whole number", s->file, s->name, key);
    json_int_t n = json_integer_value(v);
    if (n < (json_int_t)least || n > (json_int_t)most)
        return err_set(err, ERR_INVALID, "%s: %s%s: expected %zu to %zu, found %" JSON_INTEGER_FORMAT, s->file, s->name,
                       key, least, most, n);
    *out = (size_t)n;
    return OK;
}

static enum status get_tower(const struct section *s, const struct clip_tower_config *standard,
                             struct clip_tower_config *out, struct error *err)
{
    const struct {
        const char *key;
        size_t most, standard, *to;
    } sizes[] = {{"hidden_size", 8192, standard->width, &out->width},
                 {"intermediate_size", 32768, standard->mlp, &out->mlp},
                 {"num_hidden_layers", 128, standard->layers, &out->layers},
                 {"num_attention_heads", 256, standard->heads, &out->heads}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        enum status st = config_size(s, sizes[i].key, 1, sizes[i].most, sizes[i].standard, sizes[i].to, err);
        if (st != OK)
            return st;
    }
    if (out->width % out->heads != 0)
        return err_set(err, ERR_INVALID, "%s: %snum_attention_heads: expected a divisor of hidden_size %zu, found %zu",
                       s->file, s->name, out->width, out->heads);

    out->act = CLIP_QUICK_GELU;
    const json_t *act = config_member(s, "hidden_act");
    if (act) {
        const char *name = json_string_value(act);
        if (!name || (strcmp(name, "quick_gelu") != 0 && strcmp(name, "gelu") != 0))
            return err_set(err, ERR_UNSUPPORTED, "%s: %shidden_act: expected quick_gelu or gelu, found %.40s", s->file,
                           s->name, name ? name : "something else");
        out->act = strcmp(name, "gelu") == 0 ? CLIP_GELU : CLIP_QUICK_GELU;
    }
    out->epsilon = standard->epsilon;
    const json_t *eps = config_member(s, "layer_norm_eps");
    if (eps) {
        double e = json_number_value(eps);
        if (!json_is_number(eps) || !(e >= 1e-12 && e <= 0.1))
            return err_set(err, ERR_INVALID, "%s: %slayer_norm_eps must be a number from 1e-12 to 0.1", s->file,
                           s->name);
        out->epsilon = (float)e;
    }
    return OK;
}

static enum status get_section(const char *file, const json_t *root, const char *key, const char *shown,
                               struct section *out, struct error *err)
{
    char dict_key[32];
    snprintf(dict_key, sizeof dict_key, "%s_dict", key);
    *out = (struct section){file, shown, json_object_get(root, key), json_object_get(root, dict_key)};
    if (out->main && !json_is_null(out->main) && !json_is_object(out->main))
        return err_set(err, ERR_INVALID, "%s: %s must be an object", file, key);
    if (out->dict && !json_is_null(out->dict) && !json_is_object(out->dict))
        return err_set(err, ERR_INVALID, "%s: %s must be an object", file, dict_key);
    return OK;
}

static enum status parse_root(const char *file, const json_t *root, struct clip_config *out, struct error *err)
{
    static const struct clip_tower_config text_standard = {512, 12, 8, 2048, CLIP_QUICK_GELU, 1e-5f};
    static const struct clip_tower_config vision_standard = {768, 12, 12, 3072, CLIP_QUICK_GELU, 1e-5f};
    if (!json_is_object(root))
        return err_set(err, ERR_INVALID, "%s: must be a JSON object", file);
    const json_t *type = json_object_get(root, "model_type");
    if (type && (!json_is_string(type) || strcmp(json_string_value(type), "clip") != 0))
        return err_set(err, ERR_UNSUPPORTED, "%s: model_type: expected clip, found %.40s", file,
                       json_is_string(type) ? json_string_value(type) : "something else");
    struct section top = {file, "", root, NULL}, text, vision;
    enum status st = get_section(file, root, "text_config", "text_config.", &text, err);
    if (st == OK)
        st = get_section(file, root, "vision_config", "vision_config.", &vision, err);
    if (st == OK)
        st = get_tower(&text, &text_standard, &out->text, err);
    if (st == OK)
        st = get_tower(&vision, &vision_standard, &out->vision, err);
    size_t end = 0, channels = 0;
    const struct {
        const struct section *from;
        const char *key;
        size_t least, most, standard, *to;
    } sizes[] = {{&top, "projection_dim", 1, 4096, 512, &out->dim},
                 {&text, "vocab_size", 3, 1u << 20, 49408, &out->vocab},
                 {&text, "max_position_embeddings", 2, 4096, 77, &out->context},
                 {&text, "eos_token_id", 0, (1u << 20) - 1, 49407, &end},
                 {&vision, "num_channels", 1, 64, 3, &channels},
                 {&vision, "image_size", 1, 4096, 224, &out->image_size},
                 {&vision, "patch_size", 1, 256, 32, &out->patch_size}};
    for (size_t i = 0; st == OK && i < sizeof sizes / sizeof *sizes; i++)
        st = config_size(sizes[i].from, sizes[i].key, sizes[i].least, sizes[i].most, sizes[i].standard, sizes[i].to,
                         err);
    if (st == OK)
        st = encoder_reliance_parse(file, root, &out->reliance, err);
    if (st != OK)
        return st;
    out->end_id = (int32_t)end;
    if (channels != 3)
        return err_set(err, ERR_UNSUPPORTED, "%s: vision_config.num_channels: expected 3, found %zu", file, channels);
    if (out->patch_size > out->image_size)
        return err_set(err, ERR_INVALID, "%s: vision_config.patch_size: expected at most image_size %zu, found %zu",
                       file, out->image_size, out->patch_size);
    if (clip_config_image_tokens(out) > MAX_IMAGE_TOKENS)
        return err_set(err, ERR_INVALID, "%s: image_size %zu and patch_size %zu make %zu tokens: expected at most %u",
                       file, out->image_size, out->patch_size, clip_config_image_tokens(out), MAX_IMAGE_TOKENS);
    return OK;
}

enum status clip_config_parse(const char *name, const char *json, size_t len, struct clip_config *out,
                              struct error *err)
{
    json_error_t jerr;
    memset(out, 0, sizeof *out);
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &jerr);
    if (!root)
        return err_set(err, ERR_INVALID, "%s: not JSON: %s (line %d)", name, jerr.text, jerr.line);
    enum status st = parse_root(name, root, out, err);
    json_decref(root);
    return st;
}

enum status clip_config_load(const char *dir, struct clip_config *out, struct error *err)
{
    char path[PATH_MAX];
    if ((size_t)snprintf(path, sizeof path, "%s/config.json", dir) >= sizeof path)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    struct buf text;
    buf_init(&text, MAX_CONFIG_BYTES);
    enum status st = os_read_file(path, &text, err);
    if (st == OK)
        st = clip_config_parse(path, buf_str(&text), text.len, out, err);
    buf_free(&text);
    return st;
}
