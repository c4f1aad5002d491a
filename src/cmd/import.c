/* peel import [--update] [--merge-duplicates] [--dry-run] [--strict] [--ocr] [--pack NAME]... [FILE|FOLDER]... */
#include "import/import.h"

#include "base/csv.h"
#include "base/os.h"
#include "base/utf8.h"
#include "cmd/cmd.h"
#include "cmd/packs_download.h"
#include "cmd/progress.h"
#include "cmd/runtime.h"
#include "cmd/style.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define SOURCE_MAX  500u  /* bytes of names, then no more are added */
#define SHOWN_MAX   1000u /* failures; --report and --json have all */
#define ALIKE_SHOWN 20u   /* likewise */

static atomic_bool signalled; /* read by the threads that decode, which a volatile is not for */

static void import_on_signal(int number)
{
    (void)number;
    atomic_store(&signalled, true);
}

static bool import_stopped(void *ctx)
{
    (void)ctx;
    return atomic_load(&signalled);
}

/* The first signal lets the batch finish, the second ends the process: which loses nothing either. */
static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = import_on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
}

static void import_show(void *ctx, size_t done, size_t total)
{
    progress_show(ctx, (int64_t)done, (int64_t)total);
}

/* Names come from other people's files: what is no text, or could steer a terminal, becomes "?". */
static const char *safe_text(const char *s, struct buf *out)
{
    size_t len = strlen(s);
    bool valid = utf8_valid(s, len);
    buf_reset(out);
    while (len) {
        uint32_t cp;
        size_t n = valid ? utf8_decode(s, len, &cp) : 1;
        if (valid ? !utf8_has_control(s, n) : *s >= ' ' && *s <= '~')
            buf_append(out, s, n);
        else
            buf_putc(out, '?');
        s += n;
        len -= n;
    }
    return buf_str(out);
}

static void import_report_failures(const struct import_list *l)
{
    struct buf name, reason;
    buf_init(&name, 1u << 16);
    buf_init(&reason, 1u << 16);
    size_t shown = l->n_failures < SHOWN_MAX ? l->n_failures : SHOWN_MAX;
    for (size_t i = 0; i < shown; i++)
        fprintf(stderr, "%sfailed%s: %s: %s\n", style(stderr, STYLE_BAD), style(stderr, STYLE_END),
                safe_text(l->failures[i].name, &name), safe_text(l->failures[i].reason, &reason));
    if (l->failed > shown)
        fprintf(stderr, "... and %zu more\n", l->failed - shown);
    buf_free(&name);
    buf_free(&reason);
}

/* "looks like cat.png (which is there)", and what became of it. NULL: no memory. */
static const char *say_alike(const struct import_duplicate *d, struct buf *safe, struct arena *a)
{
    return arena_printf(a, "looks like %s (%s)%s", safe_text(d->like, safe),
                        d->here ? "in this import" : "which is there", d->merged ? ", which has its words now" : "");
}

static void import_report_alike(const struct import_list *l)
{
    struct buf name, like;
    buf_init(&name, 1u << 16);
    buf_init(&like, 1u << 16);
    size_t shown = l->n_duplicates < ALIKE_SHOWN ? l->n_duplicates : ALIKE_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const char *said = say_alike(&l->duplicates[i], &like, l->arena);
        fprintf(stderr, "%s %s\n", safe_text(l->duplicates[i].name, &name), said ? said : "looks like another one");
    }
    if (l->n_duplicates > shown)
        fprintf(stderr, "... and %zu more (--report and --json have all)\n", l->n_duplicates - shown);
    buf_free(&name);
    buf_free(&like);
}

static void import_report_ignored(const struct import_list *l)
{
    struct buf name;
    buf_init(&name, 1u << 16);
    printf("; %zu other file%s ignored (", l->ignored, l->ignored == 1 ? "" : "s");
    for (size_t i = 0; i < l->ignored && i < IMPORT_IGNORED_NAMED; i++)
        printf("%s%s", i ? ", " : "", safe_text(l->ignored_names[i] ? l->ignored_names[i] : "?", &name));
    printf("%s)", l->ignored > IMPORT_IGNORED_NAMED ? ", ..." : "");
    buf_free(&name);
}

static void import_report(const struct import_list *l, bool dry, bool complete)
{
    import_report_failures(l);
    import_report_alike(l);
    printf("%s%zu added, %zu skipped (already there), %zu failed", dry ? "dry run: " : "", l->added, l->skipped,
           l->failed);
    if (l->updated)
        printf("; %zu of these updated", l->updated);
    if (l->outdated)
        printf("; %zu of these differ from stickers.csv (--update changes them)", l->outdated);
    if (l->merged)
        printf("; %zu merged into stickers that look alike", l->merged);
    if (l->n_duplicates > l->merged)
        printf("; %zu look%s like others (--merge-duplicates merges them)", l->n_duplicates - l->merged,
               l->n_duplicates - l->merged == 1 ? "s" : "");
    if (l->ignored)
        import_report_ignored(l);
    puts(complete ? "" : "; stopped, run the same command again to continue");
}

static void put_report_row(struct buf *out, const char *name, const char *reason, struct buf *safe)
{
    csv_put_cell(out, safe_text(name, safe));
    buf_putc(out, ',');
    csv_put_cell(out, safe_text(reason, safe));
    buf_puts(out, "\r\n");
}

/* --report: "name,reason" and a line for each failure, and each picture that looks like another one, safe for
 * spreadsheets. */
static enum status import_write_report(const char *path, const struct import_list *l, struct error *err)
{
    struct buf text, safe;
    buf_init(&text, SIZE_MAX);
    buf_init(&safe, 1u << 16);
    buf_puts(&text, "name,reason\r\n");
    for (size_t i = 0; i < l->n_failures; i++)
        put_report_row(&text, l->failures[i].name, l->failures[i].reason, &safe);
    for (size_t i = 0; i < l->n_duplicates; i++) {
        const char *said = say_alike(&l->duplicates[i], &safe, l->arena);
        put_report_row(&text, l->duplicates[i].name, said ? said : "looks like another one", &safe);
    }
    enum status st = text.failed ? err_no_memory(err, "the report") : os_write_file(path, text.data, text.len, err);
    buf_free(&text);
    buf_free(&safe);
    return st;
}

/* What happens to what was added. */
static void import_report_next(const struct config *cfg, const struct import_list *l)
{
    struct arena a;
    if (config_bool(cfg, "quiet") || config_bool(cfg, "dry-run"))
        return;
    arena_init(&a, 1u << 16);
    if (l->added)
        puts(runtime_url(config_string(cfg, "data"), RUNTIME_STICKER, &a)
                 ? "The running services are indexing them; `peel status --watch` shows progress."
                 : "They will be indexed when the services run (`peel serve`).");
    arena_free(&a);
    if (l->number)
        printf("`peel undo %lld` takes this import back.\n", (long long)l->number);
}

static enum status import_report_json(const struct import_list *l, bool complete, struct error *err)
{
    json_t *failures = json_array(), *ignored = json_array(), *alike = json_array();
    struct buf name, reason;
    buf_init(&name, 1u << 16);
    buf_init(&reason, 1u << 16);
    for (size_t i = 0; i < l->n_failures; i++)
        json_array_append_new(failures, json_pack("{s:s, s:s}", "name", safe_text(l->failures[i].name, &name), "reason",
                                                  safe_text(l->failures[i].reason, &reason)));
    for (size_t i = 0; i < l->n_duplicates; i++)
        json_array_append_new(alike, json_pack("{s:s, s:s, s:b, s:b}", "name", safe_text(l->duplicates[i].name, &name),
                                               "like", safe_text(l->duplicates[i].like, &reason), "in_this_import",
                                               l->duplicates[i].here, "merged", l->duplicates[i].merged));
    for (size_t i = 0; i < l->ignored && i < IMPORT_IGNORED_NAMED; i++)
        json_array_append_new(ignored, json_string(l->ignored_names[i] ? safe_text(l->ignored_names[i], &name) : "?"));
    buf_free(&name);
    buf_free(&reason);
    return cmd_print_json(
        json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}", "complete", complete, "import",
                  (json_int_t)l->number, "added", (json_int_t)l->added, "skipped", (json_int_t)l->skipped, "failed",
                  (json_int_t)l->failed, "updated", (json_int_t)l->updated, "merged", (json_int_t)l->merged, "ignored",
                  (json_int_t)l->ignored, "failures", failures, "duplicates", alike, "ignored_names", ignored),
        err);
}

static enum status find_all(const struct config *cfg, struct import_list *list, struct error *err)
{
    const char *const *names;
    struct emoji_words *words = NULL;
    enum status st = OK;
    struct pack_source source = {.cache_dir = config_string(cfg, "cache-dir"),
                                 .registry = config_string(cfg, "npm-registry"),
                                 .stopped = import_stopped,
                                 .download = pack_download,
                                 .without = pack_without};
    size_t n = config_list(cfg, "pack", &names);
    if (n)
        st = emoji_words_open(&source, list->arena, &words, err);
    source.words = words;
    for (size_t i = 0; i < n && st == OK; i++)
        st = pack_find(&source, names[i], list, err);
    emoji_words_close(words);
    n = config_args(cfg, &names);
    for (size_t i = 0; i < n && st == OK; i++)
        st = import_find(names[i], import_stopped, NULL, list, err);
    source.words = NULL;
    return st == OK ? emoji_words_give_all(&source, list, err) : st;
}

/* --pack-key, as 64 hex digits. */
static enum status read_pack_key(const struct config *cfg, struct import_list *list, unsigned char key[IMPORT_KEY_SIZE],
                                 struct error *err)
{
    const char *hex = config_string(cfg, "pack-key");
    size_t len = 0;
    if (!hex)
        return OK;
    if (sodium_hex2bin(key, IMPORT_KEY_SIZE, hex, strlen(hex), NULL, &len, NULL) != 0 || len != IMPORT_KEY_SIZE)
        return err_set(err, ERR_INVALID, "--pack-key: expected %u hex digits", 2 * IMPORT_KEY_SIZE);
    list->pack_key = key;
    return OK;
}

static void add_sources(struct buf *out, const char *const *names, size_t n)
{
    struct buf safe;
    buf_init(&safe, 1u << 16);
    for (size_t i = 0; i < n && out->len < SOURCE_MAX; i++)
        buf_printf(out, "%s%s", out->len ? ", " : "", safe_text(names[i], &safe));
    buf_free(&safe);
}

/* "openmoji, cats.zip", for the list of imports. NULL: no memory. */
static const char *import_source(const struct config *cfg, struct arena *a)
{
    const char *const *names;
    struct buf out;
    buf_init(&out, 1u << 16);
    size_t n = config_list(cfg, "pack", &names);
    add_sources(&out, names, n);
    n = config_args(cfg, &names);
    add_sources(&out, names, n);
    const char *source = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return source;
}

static enum status import(const struct config *cfg, struct import_list *list, struct error *err)
{
    struct admin_who who = *cmd_who();
    char batch[37];
    struct import_run run = {.stopped = import_stopped,
                             .who = &who,
                             .source = import_source(cfg, list->arena),
                             .progress = import_show,
                             .merge_duplicates = config_bool(cfg, "merge-duplicates"),
                             .update = config_bool(cfg, "update"),
                             .dry = config_bool(cfg, "dry-run")};
    unsigned char pack_key[IMPORT_KEY_SIZE];
    struct progress progress;
    struct bucket_s3 s3;
    int fd = -1;
    os_uuid7(batch);
    who.batch = batch;
    enum status st = run.source ? cmd_open_stickers(cfg, 1, &run.store, err) : err_no_memory(err, "the import");
    if (st == OK)
        st = import_lock(config_string(cfg, "data"), &fd, err);
    if (st == OK)
        st = read_pack_key(cfg, list, pack_key, err);
    if (st == OK)
        st = find_all(cfg, list, err);
    list->pack_key = NULL;
    if (st == OK && list->failed && config_bool(cfg, "strict"))
        st = err_set(err, ERR_INVALID, "--strict: nothing was imported, as not everything is right");
    if (st == OK)
        st = cmd_bucket_s3(cfg, list->arena, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &run.bucket, err);
    if (st == OK && config_bool(cfg, "ocr"))
        run.ocr_languages = config_string(cfg, "ocr-languages");
    if (st == OK) {
        progress_start(&progress, "Importing", config_bool(cfg, "quiet"));
        run.ctx = &progress;
        st = import_run_wide(&run, list, err);
        st == OK ? progress_end(&progress) : progress_clear(&progress);
    }
    bucket_close(run.bucket);
    sticker_store_close(run.store);
    if (fd >= 0)
        close(fd);
    return st;
}

int cmd_import(const struct config *cfg)
{
    const char *const *names;
    struct arena arena;
    struct import_list list;
    struct error err;
    if (!config_args(cfg, &names) && !config_list(cfg, "pack", &names))
        return cmd_usage("nothing to import: name files, folders or --pack %s", pack_names());
    catch_signals();
    os_stand_back(); /* running services come first; threads and workers take over from this one */
    arena_init(&arena, IMPORT_MAX_MEMORY);
    import_list_init(&list, &arena);
    list.folder_names = config_bool(cfg, "folder-names");
    enum status st = import(cfg, &list, &err);
    int code = st == OK && !list.failed ? EXIT_OK : EXIT_FAILED;
    if (st != OK && st != ERR_CANCELLED)
        code = cmd_failed(&err);
    const char *report = config_string(cfg, "report");
    if (report && import_write_report(report, &list, &err) != OK)
        code = cmd_failed(&err);
    if (!config_bool(cfg, "json")) {
        import_report(&list, config_bool(cfg, "dry-run"), st == OK);
        import_report_next(cfg, &list);
    } else if (import_report_json(&list, st == OK, &err) != OK) {
        code = cmd_failed(&err);
    }
    import_list_free(&list);
    arena_free(&arena);
    return code;
}
