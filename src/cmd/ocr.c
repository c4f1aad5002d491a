/* peel ocr [--dry-run] [--ocr-languages eng+deu] [PACK]...: reads text in the pictures of stickers, a page of them at a
 * time. Left alone are those that were read in these languages before, those whose text somebody edited, and, unless
 * they are named, the starter packs, of which hardly any has text. So it can be stopped and started again. */
#include "image/ocr.h"
#include "base/os.h"
#include "base/pool.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "import/packs.h"
#include "sandbox/sandbox.h"
#include "text/text.h"

#include <stdio.h>
#include <string.h>

#define PAGE        64u
#define PAGE_MEMORY (256u << 20)
#define WAIT_MS     60000 /* for a process: there is one for each thread */

struct ocr_picture {
    struct sticker sticker;
    struct buf words;
    enum status status;
    struct error why;
};

struct ocr_run {
    const struct config *cfg;
    const char *languages;
    bool dry;
    struct sticker_store *store;
    struct bucket *bucket;
    struct sandbox *sandbox;
    struct pool *pool;
    struct progress progress;
    struct arena arena, page_arena;
    struct ocr_picture page[PAGE];
    size_t n;
    size_t read, with_text, changed, failed;
    json_t *found, *failures;
};

/* --- one page --- */

static bool is_wanted(const struct ocr_run *run, const struct sticker *s)
{
    const char *const *packs;
    size_t n = config_args(run->cfg, &packs), i = 0;
    while (i < n && strcmp(packs[i], s->pack) != 0)
        i++;
    if (n ? i == n : pack_is_starter(s->pack))
        return false;
    return strcmp(s->ocr_by, STICKER_OCR_STAFF) != 0 && strcmp(s->ocr_by, run->languages) != 0;
}

static void read_picture(void *arg, size_t i)
{
    struct ocr_run *run = arg;
    struct ocr_picture *p = &run->page[i];
    char key[16 + STICKER_FILENAME_MAX];
    struct buf file;
    if (cmd_stopped()) {
        p->status = ERR_CANCELLED;
        return;
    }
    buf_init(&file, IMAGE_MAX_BYTES);
    snprintf(key, sizeof key, "media/%s", p->sticker.filename);
    p->status = bucket_get(run->bucket, key, &file, &p->why);
    const struct sandbox_image image = {.data = buf_str(&file), .len = file.len, .wait_ms = WAIT_MS};
    if (p->status == OK)
        p->status = sandbox_words(run->sandbox, &image, &p->words, &p->why);
    buf_free(&file);
}

static void note_failure(struct ocr_run *run, const struct ocr_picture *p)
{
    run->failed++;
    json_array_append_new(run->failures,
                          json_pack("{s:s, s:s}", "name", p->sticker.filename, "reason", p->why.message));
    if (!config_bool(run->cfg, "json"))
        fprintf(stderr, "failed: %s: %s\n", p->sticker.filename, p->why.message);
}

static void note_words(struct ocr_run *run, const struct ocr_picture *p)
{
    run->read++;
    if (!p->words.len)
        return;
    run->with_text++;
    json_array_append_new(run->found,
                          json_pack("{s:s, s:s}", "filename", p->sticker.filename, "words", p->sticker.ocr_words));
    if (run->dry && !config_bool(run->cfg, "json"))
        printf("%s: %s\n", p->sticker.filename, p->sticker.ocr_words);
}

static enum status save_page(struct ocr_run *run, struct error *err)
{
    struct sticker stickers[PAGE];
    struct sticker_terms terms[PAGE];
    size_t n = 0, changed = 0;
    enum status st = OK;
    for (size_t i = 0; st == OK && i < run->n; i++) {
        struct ocr_picture *p = &run->page[i];
        struct sticker *s = &p->sticker;
        if (p->status == ERR_CANCELLED)
            continue;
        if (p->status != OK) {
            note_failure(run, p);
            continue;
        }
        s->ocr_words = buf_str(&p->words);
        s->ocr_by = run->languages;
        note_words(run, p);
        stickers[n] = *s;
        st = text_sticker_terms(s->title, s->filename, s->ocr_words, s->words, s->n_words, &run->page_arena,
                                &terms[n++], err);
    }
    if (st == OK && n && !run->dry)
        st = sticker_store_ocr(run->store, stickers, terms, n, &changed, err);
    run->changed += changed;
    return st;
}

static enum status read_page(struct ocr_run *run, const struct sticker *stickers, size_t n, struct error *err)
{
    run->n = 0;
    for (size_t i = 0; i < n; i++)
        if (is_wanted(run, &stickers[i])) {
            struct ocr_picture *p = &run->page[run->n++];
            *p = (struct ocr_picture){.sticker = stickers[i]};
            buf_init(&p->words, OCR_MAX_BYTES + 1);
        }
    pool_for(run->pool, run->n, read_picture, run);
    enum status st = save_page(run, err);
    for (size_t i = 0; i < run->n; i++)
        buf_free(&run->page[i].words);
    return st;
}

/* --- all of them --- */

static enum status read_all(struct ocr_run *run, struct error *err)
{
    char after[STICKER_FILENAME_MAX + 1] = "";
    int64_t total, queries, pending, done = 0;
    size_t n = 0;
    enum status st = sticker_store_count(run->store, &total, &queries, &pending, err);
    do {
        struct sticker *stickers;
        arena_reset(&run->page_arena);
        if (st == OK)
            st = sticker_store_list(run->store, after, PAGE, &run->page_arena, &stickers, &n, err);
        if (st != OK || !n)
            break;
        snprintf(after, sizeof after, "%s", stickers[n - 1].filename);
        st = read_page(run, stickers, n, err);
        done += (int64_t)n;
        progress_show(&run->progress, done, total > done ? total : done);
    } while (st == OK && !cmd_stopped());
    return st == OK && cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped") : st;
}

static enum status ocr_report(struct ocr_run *run, bool complete, struct error *err)
{
    if (config_bool(run->cfg, "json"))
        return cmd_print_json(json_pack("{s:b, s:I, s:I, s:I, s:I, s:O, s:O}", "complete", complete, "read",
                                        (json_int_t)run->read, "with_text", (json_int_t)run->with_text, "changed",
                                        (json_int_t)run->changed, "failed", (json_int_t)run->failed, "found",
                                        run->found, "failures", run->failures),
                              err);
    printf("%s%zu read, %zu of them with text, %zu failed", run->dry ? "dry run: " : "", run->read, run->with_text,
           run->failed);
    puts(complete ? "" : "; stopped, run the same command again to continue");
    return OK;
}

static enum status ocr_open_all(struct ocr_run *run, struct error *err)
{
    struct bucket_s3 s3 = {0};
    unsigned threads = sandbox_workers_of_machine();
    enum status st = sandbox_open_ocr(threads, run->languages, &run->sandbox, err);
    if (st == OK)
        st = cmd_find_stickers(run->cfg, 1, &run->store, err);
    if (st == OK)
        st = cmd_bucket_s3(run->cfg, &run->arena, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(run->cfg, "bucket"), &s3, &run->bucket, err);
    if (st == OK && threads > 1)
        st = pool_open("ocr", threads - 1, 1, &run->pool, err);
    return st;
}

int cmd_ocr(const struct config *cfg)
{
    struct error err;
    struct ocr_run run = {.cfg = cfg,
                          .languages = config_string(cfg, "ocr-languages"),
                          .dry = config_bool(cfg, "dry-run"),
                          .found = json_array(),
                          .failures = json_array()};
    cmd_stop_on_signals();
    os_stand_back(); /* running services come first */
    arena_init(&run.arena, 1u << 16);
    arena_init(&run.page_arena, PAGE_MEMORY);
    enum status st = run.found && run.failures ? ocr_open_all(&run, &err) : err_no_memory(&err, "a report");
    if (st == OK) {
        progress_start(&run.progress, "Reading", config_bool(cfg, "quiet"));
        st = read_all(&run, &err);
        st == OK ? progress_end(&run.progress) : progress_clear(&run.progress);
    }
    bool reported = st == OK || st == ERR_CANCELLED;
    if (reported && ocr_report(&run, st == OK, &err) != OK)
        reported = false;
    json_decref(run.found);
    json_decref(run.failures);
    pool_close(run.pool);
    sandbox_close(run.sandbox);
    bucket_close(run.bucket);
    sticker_store_close(run.store);
    arena_free(&run.page_arena);
    arena_free(&run.arena);
    if (!reported)
        return cmd_failed(&err);
    return st == OK && !run.failed ? EXIT_OK : EXIT_FAILED;
}
