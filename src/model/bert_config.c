#include "model/bert_internal.h"

#include "base/buf.h"
#include "base/os.h"
#include "model/library.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define POOLING_FOLDER "1_Pooling"
#define DENSE_FOLDER   "2_Dense"

/* Opens a file that may be missing: *out is NULL then. */
static enum status read_optional(const char *dir, const char *name, char *path, json_t **out, struct error *err)
{
    enum status st = encoder_read_json(dir, name, path, PATH_MAX, out, err);
    return st == ERR_NOT_FOUND ? OK : st;
}

/* --- config.json --- */

static enum status read_kind(const char *file, const json_t *root, struct bert_config *c, struct error *err)
{
    static const char *const kinds[] = {"bert", "xlm-roberta", "distilbert"};
    const char *type = json_string_value(json_object_get(root, "model_type"));
    for (enum bert_kind k = BERT_BERT; type && k <= BERT_DISTILBERT; k++)
        if (strcmp(type, kinds[k]) == 0) {
            c->kind = k;
            return OK;
        }
    return err_set(err, ERR_UNSUPPORTED, "%s: model_type: expected bert, xlm-roberta or distilbert, found %.40s", file,
                   type ? type : "something else");
}

/* Is the member what is expected, or missing? */
static enum status expect_string(const char *file, const json_t *root, const char *key, const char *expected,
                                 struct error *err)
{
    const json_t *v = json_object_get(root, key);
    if (!v || json_is_null(v) || (json_is_string(v) && strcmp(json_string_value(v), expected) == 0))
        return OK;
    return err_set(err, ERR_UNSUPPORTED, "%s: %s: expected %s, found %.40s", file, key, expected,
                   json_is_string(v) ? json_string_value(v) : "something else");
}

static enum status read_epsilon(const char *file, const json_t *root, struct bert_config *c, struct error *err)
{
    const json_t *v = json_object_get(root, "layer_norm_eps");
    c->epsilon = 1e-12f;
    if (c->kind == BERT_DISTILBERT || !v)
        return OK;
    double e = json_number_value(v);
    if (!json_is_number(v) || !(e >= 1e-12 && e <= 0.1))
        return err_set(err, ERR_INVALID, "%s: layer_norm_eps must be a number from 1e-12 to 0.1", file);
    c->epsilon = (float)e;
    return OK;
}

static enum status read_sizes(const char *file, const json_t *root, struct bert_config *c, struct error *err)
{
    bool distil = c->kind == BERT_DISTILBERT, roberta = c->kind == BERT_XLM_ROBERTA;
    size_t pad = 0;
    const struct {
        const char *key;
        size_t least, most, standard, *to;
    } sizes[] = {{distil ? "dim" : "hidden_size", 1, 8192, 768, &c->width},
                 {distil ? "n_layers" : "num_hidden_layers", 1, 128, distil ? 6 : 12, &c->layers},
                 {distil ? "n_heads" : "num_attention_heads", 1, 256, 12, &c->heads},
                 {distil ? "hidden_dim" : "intermediate_size", 1, 32768, 3072, &c->mlp},
                 {"vocab_size", 1, 1u << 22, 30522, &c->vocab},
                 {"max_position_embeddings", 4, 1u << 16, 512, &c->positions},
                 {"pad_token_id", 0, (1u << 22) - 1, roberta ? 1 : 0, &pad},
                 {"type_vocab_size", 0, 1024, 2, &c->types}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        enum status st = encoder_json_size(file, root, sizes[i].key, sizes[i].least, sizes[i].most, sizes[i].standard,
                                           sizes[i].to, err);
        if (st != OK)
            return st;
    }
    if (c->width % c->heads != 0)
        return err_set(err, ERR_INVALID, "%s: %s: expected a divisor of %zu, found %zu", file,
                       distil ? "n_heads" : "num_attention_heads", c->width, c->heads);
    c->types = distil ? 0 : c->types;
    c->first_position = roberta ? pad + 1 : 0;
    if (c->positions < c->first_position + 2)
        return err_set(err, ERR_INVALID, "%s: max_position_embeddings: expected %zu or more, found %zu", file,
                       c->first_position + 2, c->positions);
    c->max_tokens = c->positions - c->first_position;
    return OK;
}

static enum status read_main(const char *dir, struct bert_config *c, struct error *err)
{
    char path[PATH_MAX];
    json_t *root;
    enum status st = encoder_read_json(dir, LIBRARY_CONFIG, path, sizeof path, &root, err);
    if (st != OK)
        return st;
    st = read_kind(path, root, c, err);
    if (st == OK)
        st = read_sizes(path, root, c, err);
    if (st == OK)
        st = read_epsilon(path, root, c, err);
    if (st == OK)
        st = expect_string(path, root, c->kind == BERT_DISTILBERT ? "activation" : "hidden_act", "gelu", err);
    if (st == OK)
        st = expect_string(path, root, "position_embedding_type", "absolute", err);
    if (st == OK)
        st = encoder_reliance_parse(path, root, &c->reliance, err);
    json_decref(root);
    return st;
}

/* --- what sentence-transformers adds --- */

static bool is_folder(const char *s)
{
    return s && *s && *s != '.' && strlen(s) < BERT_MAX_FOLDER && !strchr(s, '/');
}

/* The folders of the modules Pooling and Dense, from modules.json or as they are always called. *dense "": the file
 * says that there is none. */
static enum status read_modules(const char *dir, char pooling[BERT_MAX_FOLDER], char dense[BERT_MAX_FOLDER],
                                struct error *err)
{
    char path[PATH_MAX];
    struct buf text;
    snprintf(pooling, BERT_MAX_FOLDER, POOLING_FOLDER);
    snprintf(dense, BERT_MAX_FOLDER, DENSE_FOLDER);
    if ((size_t)snprintf(path, sizeof path, "%s/modules.json", dir) >= sizeof path)
        return err_set(err, ERR_INVALID, "%s: path too long", dir);
    buf_init(&text, LIBRARY_CONFIG_BYTES);
    enum status st = os_read_file(path, &text, err);
    json_t *root = st == OK ? json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL) : NULL, *one;
    buf_free(&text);
    if (st == ERR_NOT_FOUND)
        return OK;
    if (st == OK && !json_is_array(root))
        st = err_set(err, ERR_INVALID, "%s: must be a JSON array", path);
    size_t i, n_dense = 0;
    json_array_foreach(root, i, one)
    {
        const char *type = json_string_value(json_object_get(one, "type"));
        const char *folder = json_string_value(json_object_get(one, "path"));
        const char *name = type && strrchr(type, '.') ? strrchr(type, '.') + 1 : type ? type : "something else";
        bool is_dense = strcmp(name, "Dense") == 0, is_pooling = strcmp(name, "Pooling") == 0;
        if (st != OK)
            break;
        if ((is_dense && ++n_dense > 1) ||
            (!is_dense && !is_pooling && strcmp(name, "Transformer") != 0 && strcmp(name, "Normalize") != 0))
            st = err_set(err, ERR_UNSUPPORTED,
                         "%s: module %zu: expected Transformer, Pooling, at most one Dense, or Normalize, found %.40s",
                         path, i, name);
        else if ((is_dense || is_pooling) && !is_folder(folder))
            st = err_set(err, ERR_INVALID, "%s: module %zu: path must be a folder's name", path, i);
        else if (is_dense || is_pooling)
            snprintf(is_dense ? dense : pooling, BERT_MAX_FOLDER, "%s", folder);
    }
    if (st == OK && n_dense == 0)
        dense[0] = '\0';
    json_decref(root);
    return st;
}

static enum status read_pooling(const char *dir, const char *folder, struct bert_config *c, struct error *err)
{
    static const char *const others[] = {"pooling_mode_max_tokens", "pooling_mode_mean_sqrt_len_tokens",
                                         "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"};
    char path[PATH_MAX], name[BERT_MAX_FOLDER + 16];
    json_t *root;
    snprintf(name, sizeof name, "%s/config.json", folder);
    enum status st = read_optional(dir, name, path, &root, err);
    if (st != OK || !root)
        return st;
    const json_t *mode = json_object_get(root, "pooling_mode"); /* as sentence-transformers 6 has it */
    bool cls = json_is_true(json_object_get(root, "pooling_mode_cls_token"));
    bool mean = json_is_true(json_object_get(root, "pooling_mode_mean_tokens")), other = false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        other = other || json_is_true(json_object_get(root, others[i]));
    if (mode) {
        cls = json_is_string(mode) && strcmp(json_string_value(mode), "cls") == 0;
        mean = json_is_string(mode) && strcmp(json_string_value(mode), "mean") == 0;
        other = !cls && !mean;
    }
    if (other || (cls && mean))
        st = err_set(err, ERR_UNSUPPORTED, "%s: expected pooling by either cls or mean tokens, found another", path);
    else if (json_is_false(json_object_get(root, "include_prompt")))
        st = err_set(err, ERR_UNSUPPORTED, "%s: include_prompt: expected true, found false", path);
    c->pooling = cls ? BERT_CLS : BERT_MEAN;
    json_decref(root);
    return st;
}

static enum status read_dense(const char *dir, const char *folder, struct bert_config *c, struct error *err)
{
    char path[PATH_MAX], name[BERT_MAX_FOLDER + 16];
    json_t *root = NULL;
    size_t in = c->width;
    snprintf(name, sizeof name, "%s/config.json", folder);
    enum status st = *folder ? read_optional(dir, name, path, &root, err) : OK;
    if (st != OK || !root)
        return st;
    snprintf(c->dense_folder, sizeof c->dense_folder, "%s", folder);
    c->dense_bias = !json_is_false(json_object_get(root, "bias"));
    const char *act = json_string_value(json_object_get(root, "activation_function"));
    const char *last = act && strrchr(act, '.') ? strrchr(act, '.') + 1 : act ? act : "Tanh";
    c->dense_tanh = strcmp(last, "Tanh") == 0;
    if (!c->dense_tanh && strcmp(last, "Identity") != 0)
        st = err_set(err, ERR_UNSUPPORTED, "%s: activation_function: expected Tanh or Identity, found %.40s", path,
                     last);
    if (st == OK)
        st = encoder_json_size(path, root, "in_features", 1, 8192, c->width, &in, err);
    if (st == OK)
        st = encoder_json_size(path, root, "out_features", 1, 8192, c->width, &c->dense, err);
    if (st == OK && in != c->width)
        st = err_set(err, ERR_INVALID, "%s: in_features: expected %zu, found %zu", path, c->width, in);
    json_decref(root);
    return st;
}

static enum status read_max_length(const char *dir, struct bert_config *c, struct error *err)
{
    char path[PATH_MAX];
    json_t *root;
    size_t most = c->max_tokens;
    enum status st = read_optional(dir, "sentence_bert_config.json", path, &root, err);
    if (st == OK && root)
        st = encoder_json_size(path, root, "max_seq_length", 4, 1u << 30, c->max_tokens, &most, err);
    c->max_tokens = most < c->max_tokens ? most : c->max_tokens;
    json_decref(root);
    return st;
}

/* "intfloat--multilingual-e5-small", but not the ones that want instructions. */
static bool is_e5(const char *dir)
{
    char name[PATH_MAX];
    size_t len = strlen(dir);
    while (len && dir[len - 1] == '/')
        len--;
    snprintf(name, sizeof name, "%.*s", (int)len, dir);
    const char *last = strrchr(name, '/') ? strrchr(name, '/') + 1 : name, *e5 = strstr(last, "e5-");
    return e5 && (e5 == last || e5[-1] == '-') && !strstr(last, "instruct");
}

static enum status read_prompts(const char *dir, struct bert_config *c, struct error *err)
{
    /* By role, the first name that there is, as sentence-transformers looks for them. */
    static const char *const names[2][4] = {{"query"}, {"document", "passage", "corpus"}};
    char path[PATH_MAX];
    json_t *root;
    enum status st = read_optional(dir, "config_sentence_transformers.json", path, &root, err);
    const json_t *prompts = json_object_get(root, "prompts");
    const char *standard = json_string_value(json_object_get(root, "default_prompt_name"));
    for (size_t role = 0; role < 2 && st == OK && json_object_size(prompts); role++) {
        const json_t *prompt = NULL;
        for (size_t i = 0; i < 4 && names[role][i] && !prompt; i++)
            prompt = json_object_get(prompts, names[role][i]);
        if (!prompt && standard)
            prompt = json_object_get(prompts, standard);
        const char *text = json_string_value(prompt);
        if ((prompt && !text) || (text && strlen(text) >= BERT_MAX_PREFIX))
            st = err_set(err, ERR_INVALID, "%s: prompts: expected strings of at most %d bytes", path,
                         BERT_MAX_PREFIX - 1);
        else
            snprintf(c->prefix[role], BERT_MAX_PREFIX, "%s", text ? text : "");
    }
    if (st == OK && !json_object_size(prompts) && is_e5(dir)) {
        snprintf(c->prefix[ENCODER_QUERY], BERT_MAX_PREFIX, "query: ");
        snprintf(c->prefix[ENCODER_DOCUMENT], BERT_MAX_PREFIX, "passage: ");
    }
    json_decref(root);
    return st;
}

enum status bert_config_load(const char *dir, struct bert_config *out, struct error *err)
{
    char pooling[BERT_MAX_FOLDER], dense[BERT_MAX_FOLDER];
    memset(out, 0, sizeof *out);
    enum status st = read_main(dir, out, err);
    if (st == OK)
        st = read_modules(dir, pooling, dense, err);
    if (st == OK)
        st = read_pooling(dir, pooling, out, err);
    if (st == OK)
        st = read_dense(dir, dense, out, err);
    if (st == OK)
        st = read_max_length(dir, out, err);
    return st == OK ? read_prompts(dir, out, err) : st;
}
