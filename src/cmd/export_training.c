#include "cmd/export_training.h"

#include "base/json_out.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "image/image.h"
#include "sandbox/sandbox.h"
#include "sticker_service/audit.h"
#include "training/training.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAWN_WIDTH 512u /* of what training programs cannot read as it is */
#define WAIT_MS     60000u

struct job {
    struct bucket *bucket;
    struct sandbox *sandbox;
    struct progress progress;
    struct buf file;
};

/* Training programs read JPEG, PNG and WebP, so these stay as they are. */
static enum status job_image(void *ctx, const struct sticker *s, struct buf *out, const char **extension,
                             struct error *err)
{
    struct job *job = ctx;
    char key[16 + STICKER_FILENAME_MAX];
    buf_reset(&job->file);
    snprintf(key, sizeof key, "media/%s", s->filename);
    enum status st = bucket_get(job->bucket, key, &job->file, err);
    if (st != OK)
        return st;
    enum image_kind kind = image_sniff(job->file.data, job->file.len);
    if (kind == IMAGE_JPEG || kind == IMAGE_PNG || kind == IMAGE_WEBP) {
        *extension = image_extension(kind);
        buf_append(out, job->file.data, job->file.len);
        return buf_status(out, err);
    }
    *extension = image_extension(IMAGE_WEBP);
    return sandbox_rendition(job->sandbox,
                             &(struct sandbox_image){.data = job->file.data, .len = job->file.len, .wait_ms = WAIT_MS},
                             DRAWN_WIDTH, IMAGE_WEBP, out, err);
}

static bool job_go_on(void *ctx, int64_t done, int64_t total)
{
    struct job *job = ctx;
    progress_show(&job->progress, done, total);
    return !cmd_stopped();
}

/* Before anything is written, as for every export. */
static enum status note(struct sticker_store *store, const struct training_config *t, struct error *err)
{
    struct buf after;
    buf_init(&after, 16u << 10);
    buf_puts(&after, "{\"folder\":");
    json_put_string(&after, t->folder);
    buf_printf(&after, ",\"min_clients\":%" PRId64 "}", t->min_clients);
    enum status st = buf_status(&after, err);
    if (st == OK)
        st = audit_note(store, cmd_who()->username, cmd_who()->address, CHANGE_EXPORT, "scores", t->kind,
                        buf_str(&after), err);
    buf_free(&after);
    return st;
}

static enum status run(const struct config *cfg, struct training_config *t, char **manifest, struct error *err)
{
    struct job job = {0};
    struct bucket_s3 s3 = {0};
    struct arena a;
    arena_init(&a, 1u << 16);
    buf_init(&job.file, IMAGE_MAX_BYTES);
    enum status st = cmd_find_stickers(cfg, 1, &t->store, err);
    if (st == OK)
        st = cmd_bucket_s3(cfg, &a, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &job.bucket, err);
    if (st == OK)
        st = sandbox_open(1, &job.sandbox, err);
    if (st == OK)
        st = note(t->store, t, err);
    if (st == OK) {
        t->image = job_image;
        t->go_on = job_go_on;
        t->ctx = &job;
        progress_start(&job.progress, "Exporting", config_bool(cfg, "quiet"));
        st = training_export(t, manifest, err);
        st == OK ? progress_end(&job.progress) : progress_clear(&job.progress);
    }
    sandbox_close(job.sandbox);
    bucket_close(job.bucket);
    sticker_store_close(t->store);
    buf_free(&job.file);
    arena_free(&a);
    return st;
}

static void print_rows(const char *folder, const char *manifest)
{
    json_t *m = json_loads(manifest, 0, NULL);
    const json_t *rows = json_object_get(m, "rows"), *read = json_object_get(m, "read");
    printf("%s: %" JSON_INTEGER_FORMAT " rows for training, %" JSON_INTEGER_FORMAT " dev, %" JSON_INTEGER_FORMAT
           " test, of %" JSON_INTEGER_FORMAT " searches; %" JSON_INTEGER_FORMAT
           " searches have too few clients (--min-clients).\n",
           folder, json_integer_value(json_object_get(rows, "train")), json_integer_value(json_object_get(rows, "dev")),
           json_integer_value(json_object_get(rows, "test")), json_integer_value(json_object_get(read, "searches")),
           json_integer_value(json_object_get(read, "searches_of_too_few_clients")));
    json_decref(m);
}

int export_training(const struct config *cfg)
{
    struct error err;
    char *manifest = NULL;
    struct training_config t = {.kind = config_string(cfg, "format"),
                                .folder = config_string(cfg, "out"),
                                .program = PEEL_VERSION,
                                .after = config_int(cfg, "after"),
                                .until = config_int(cfg, "until"),
                                .min_clients = config_int(cfg, "min-clients"),
                                .negatives = config_int(cfg, "negatives"),
                                .shard = config_int(cfg, "shard")};
    if (!t.folder)
        return cmd_usage("--format %s writes a folder: name it with --out", t.kind);
    if (config_string(cfg, "since"))
        return cmd_usage("--since is for csv and ndjson; here --after takes the watermark of an earlier manifest.json");
    if (t.until && t.until <= t.after)
        return cmd_usage("--until %" PRId64 " is not behind --after %" PRId64 ": there is nothing between them",
                         t.until, t.after);
    cmd_stop_on_signals();
    enum status st = run(cfg, &t, &manifest, &err);
    if (st != OK)
        return cmd_failed(&err);
    config_bool(cfg, "json") ? (void)puts(manifest) : print_rows(t.folder, manifest);
    free(manifest);
    return EXIT_OK;
}
