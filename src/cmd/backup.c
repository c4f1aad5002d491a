/* peel backup FOLDER, peel backup verify FOLDER, peel restore FOLDER. */
#include "backup/backup.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MEMORY     (1u << 20)
#define VECTORS_AT ".index" /* ends the names of SearchService's snapshots in the cache folder */

/* --- progress --- */

struct bars {
    struct progress bar;
    enum backup_stage stage;
    bool begun, quiet;
};

static bool show(void *ctx, enum backup_stage stage, int64_t done, int64_t total)
{
    static const char *const names[] = {[BACKUP_COPIES_DATABASES] = "Copying database pages",
                                        [BACKUP_COPIES_IMAGES] = "Copying images",
                                        [BACKUP_READS] = "Verifying files"};
    struct bars *b = ctx;
    if (!b->begun || b->stage != stage) {
        if (b->begun)
            progress_end(&b->bar);
        progress_start(&b->bar, names[stage], b->quiet);
        b->begun = true;
        b->stage = stage;
    }
    progress_show(&b->bar, done, total);
    return !cmd_stopped();
}

static void end_bars(struct bars *b, enum status st)
{
    if (b->begun)
        st == OK ? progress_end(&b->bar) : progress_clear(&b->bar);
}

/* --- results --- */

static const char *const kinds[] = {"absent", "sqlite", "postgresql"};

static json_t *summary_json(const char *folder, const struct backup_summary *s)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s, s:I, s:I, s:I, s:I, s:I}, s:{s:s, s:I, s:I}, s:{s:b, s:I, s:I, s:I, s:I},"
                     " s:I, s:I}",
                     "folder", folder, "created", s->created, "peel", s->program, "sticker_database", "kind",
                     kinds[s->sticker], "schema", (json_int_t)s->sticker_schema, "stickers", (json_int_t)s->stickers,
                     "queries", (json_int_t)s->queries, "votes", (json_int_t)s->votes, "users", (json_int_t)s->users,
                     "search_database", "kind", kinds[s->search], "schema", (json_int_t)s->search_schema, "documents",
                     (json_int_t)s->documents, "images", "included", s->with_images, "count", (json_int_t)s->images,
                     "linked", (json_int_t)s->linked, "bytes", (json_int_t)s->image_bytes, "missing",
                     (json_int_t)s->missing, "files", (json_int_t)s->files, "bytes", (json_int_t)s->bytes);
}

static void print_summary(const char *did, const char *folder, const struct backup_summary *s)
{
    printf("%s %s, made by peel %s at %s:\n", did, folder, s->program, s->created);
    if (s->sticker == BACKUP_SQLITE)
        printf("  sticker database: %" PRId64 " stickers, %" PRId64 " queries, %" PRId64 " votes, %" PRId64
               " users (schema %" PRId64 ")\n",
               s->stickers, s->queries, s->votes, s->users, s->sticker_schema);
    if (s->search == BACKUP_SQLITE)
        printf("  search database:  %" PRId64 " documents (schema %" PRId64 ")\n", s->documents, s->search_schema);
    if (s->with_images && s->linked)
        printf("  images:           %" PRId64 ", %" PRId64 " of them linked to those of the earlier backup\n",
               s->images, s->linked);
    else if (s->with_images)
        printf("  images:           %" PRId64 "\n", s->images);
    printf("  total:            %" PRId64 " files, %.1f MB\n", s->files, (double)s->bytes / 1e6);
}

/* What the backup does not have; on standard error, so that scripts which keep only that are told. */
static void print_warnings(const struct backup_summary *s)
{
    if (s->sticker == BACKUP_POSTGRES || s->search == BACKUP_POSTGRES)
        fprintf(stderr,
                "peel: %s on a PostgreSQL server and not in this backup; use pg_dump "
                "(docs/howto/backup.md)\n",
                s->sticker != BACKUP_POSTGRES  ? "the search database is"
                : s->search != BACKUP_POSTGRES ? "the sticker database is"
                                               : "both databases are");
    if (s->missing)
        fprintf(stderr,
                "peel: the images of %" PRId64 " stickers were not in the bucket, or not as the database says; "
                "`peel doctor` names them\n",
                s->missing);
}

static int finish(const struct config *cfg, const char *did, const char *folder, const struct backup_summary *s)
{
    struct error err;
    print_warnings(s);
    if (config_bool(cfg, "json"))
        return cmd_print_json(summary_json(folder, s), &err) == OK ? EXIT_OK : cmd_failed(&err);
    print_summary(did, folder, s);
    return EXIT_OK;
}

static int backup_failed(const struct error *err)
{
    if (err->code != ERR_CANCELLED)
        return cmd_failed(err);
    fputs("peel: stopped\n", stderr);
    return EXIT_FAILED;
}

/* --- peel backup --- */

/* The settings as services get them here: of the environment and .env. */
static enum status read_settings(const struct config *cfg, bool secrets, struct buf *out, struct error *err)
{
    struct config *serve;
    const char *file = config_string(cfg, "env-file");
    char option[] = "--env-file";
    char *args[] = {option, (char *)(uintptr_t)file};
    enum status st = config_load("serve", file ? 2 : 0, args, &serve, err);
    if (st != OK)
        return st;
    config_env_file(serve, secrets, out);
    config_free(serve);
    return buf_status(out, err);
}

static enum status create(const struct config *cfg, const char *folder, struct arena *a, struct bars *bars,
                          struct backup_summary *out, struct error *err)
{
    static const char *const kept[] = {"search.token", "totp.key"}; /* secrets of the data folder */
    struct backup_file files[1 + sizeof kept / sizeof *kept];
    struct backup_source source = {.program = PEEL_VERSION, .files = files};
    struct bucket_s3 s3;
    struct buf settings;
    bool secrets = config_bool(cfg, "with-secrets");
    buf_init(&settings, MEMORY);
    enum status st = cmd_database(cfg, "sticker", a, &source.sticker_db, err);
    if (st == OK)
        st = cmd_database(cfg, "search", a, &source.search_db, err);
    if (st == OK)
        st = read_settings(cfg, secrets, &settings, err);
    if (st == OK && config_bool(cfg, "images") && (st = cmd_bucket_s3(cfg, a, &s3, err)) == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &source.bucket, err);
    if (st == OK) {
        files[source.n_files++] = (struct backup_file){"settings.env", buf_str(&settings)};
        for (size_t i = 0; i < sizeof kept / sizeof *kept && secrets && st == OK; i++) {
            const char *secret;
            st = cmd_secret_file(cfg, kept[i], a, &secret, err);
            if (st == OK && secret)
                files[source.n_files++] = (struct backup_file){kept[i], secret};
        }
    }
    if (st == OK) {
        source.earlier = config_string(cfg, "earlier");
        st = backup_create(&source, folder, &(struct backup_progress){show, bars}, out, err);
    }
    bucket_close(source.bucket);
    buf_free(&settings);
    return st;
}

int cmd_backup(const struct config *cfg)
{
    struct arena a;
    struct error err;
    struct backup_summary s;
    struct bars bars = {.quiet = config_bool(cfg, "quiet")};
    const char *const *args;
    size_t n = config_args(cfg, &args);
    bool verify = strcmp(args[0], "verify") == 0;
    if (verify != (n == 2))
        return cmd_usage("usage: peel backup FOLDER, or peel backup verify FOLDER");
    cmd_stop_on_signals();
    arena_init(&a, MEMORY);
    enum status st = verify ? backup_verify(args[1], &(struct backup_progress){show, &bars}, &s, &err)
                            : create(cfg, args[0], &a, &bars, &s, &err);
    arena_free(&a);
    end_bars(&bars, st);
    return st == OK ? finish(cfg, verify ? "Verified" : "Wrote and verified", args[n - 1], &s) : backup_failed(&err);
}

/* --- peel restore --- */

static enum status check_stopped(const struct config *cfg, struct arena *a, struct error *err)
{
    const char *data = config_string(cfg, "data"), *url = runtime_url(data, RUNTIME_STICKER, a);
    if (!url)
        url = runtime_url(data, RUNTIME_SEARCH, a);
    return url ? err_set(err, ERR_UNAVAILABLE, "Peel is running on %s (%s): stop it first", data, url) : OK;
}

/* Snapshots of vectors know their database by a number that the restored one may reach again with other vectors. */
static void remove_snapshots(const char *cache)
{
    char folder[PATH_MAX];
    DIR *d = os_join_path(folder, cache, "index") ? opendir(folder) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t len = strlen(e->d_name), end = strlen(VECTORS_AT);
        if (len > end && strcmp(e->d_name + len - end, VECTORS_AT) == 0)
            unlinkat(dirfd(d), e->d_name, 0);
    }
    if (d)
        closedir(d);
}

static enum status restore(const struct config *cfg, const char *folder, struct arena *a, struct bars *bars,
                           struct backup_target *target, struct backup_summary *out, struct error *err)
{
    struct bucket_s3 s3;
    *target = (struct backup_target){.s3 = &s3, .data = config_string(cfg, "data"), .force = config_bool(cfg, "force")};
    enum status st = cmd_make_data(cfg, err);
    if (st == OK)
        st = check_stopped(cfg, a, err);
    if (st == OK)
        st = cmd_database(cfg, "sticker", a, &target->sticker_db, err);
    if (st == OK)
        st = cmd_database(cfg, "search", a, &target->search_db, err);
    if (st == OK)
        st = cmd_bucket_s3(cfg, a, &s3, err);
    if (st != OK)
        return st;
    if (config_bool(cfg, "images"))
        target->bucket = config_string(cfg, "bucket");
    st = backup_restore(folder, target, &(struct backup_progress){show, bars}, out, err);
    if (st == OK)
        remove_snapshots(config_string(cfg, "cache-dir"));
    return st;
}

int cmd_restore(const struct config *cfg)
{
    struct arena a;
    struct error err;
    struct backup_summary s;
    struct backup_target target;
    struct bars bars = {.quiet = config_bool(cfg, "quiet")};
    const char *const *args;
    config_args(cfg, &args);
    cmd_stop_on_signals();
    arena_init(&a, MEMORY);
    enum status st = restore(cfg, args[0], &a, &bars, &target, &s, &err);
    end_bars(&bars, st);
    arena_free(&a);
    if (st != OK)
        return backup_failed(&err);
    int code = finish(cfg, "Restored", args[0], &s);
    if (target.replaced[0] && !config_bool(cfg, "json"))
        printf("What was there before now has names that end in %s; delete it when you no longer need it.\n",
               target.replaced);
    return code;
}
