/* peel import: images into the bucket, their rows into the sticker database.
 *
 * Batches of BATCH files are read, decoded and hashed on all cores, compared with what the database has,
 * written to the bucket, and only then added in one transaction. A stop between the two leaves files in
 * the bucket that no row names; the next run writes them again and adds the rows. */
#include "cmd/import.h"
#include "base/log.h"
#include "base/os.h"
#include "base/pool.h"
#include "bucket/bucket.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "image/image.h"
#include "store/sticker_store.h"
#include "text/text.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH     64u
#define SVG_SIDE  512u /* drawn this large to check that it draws */
#define MAX_TERMS 4096u

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* What is known of one file of the batch. */
struct checked {
    const struct import_item *item;
    struct buf file;
    struct image image; /* size and kind only */
    char sha256[65];
    enum status st;
    struct error err;
    bool wanted; /* not there yet */
};

struct import {
    struct import_list list;
    struct sticker_store *store;
    struct bucket *bucket;
    struct pool *pool;
    struct checked batch[BATCH];
    size_t added, skipped;
};

static void check_one(void *arg, size_t i)
{
    struct checked *c = &((struct import *)arg)->batch[i];
    struct image im = {0};
    buf_init(&c->file, IMAGE_MAX_BYTES);
    c->st = os_read_file(c->item->path, &c->file, &c->err);
    if (c->st == OK)
        c->st = image_decode(buf_str(&c->file), c->file.len, SVG_SIDE, &im, &c->err);
    if (c->st == OK) {
        os_sha256_hex(c->file.data, c->file.len, c->sha256);
        c->image = (struct image){.width = im.width, .height = im.height, .kind = im.kind};
    }
    image_free(&im);
}

static void put_one(void *arg, size_t i)
{
    struct import *im = arg;
    struct checked *c = &im->batch[i];
    char key[STORE_MAX_FILENAME + 8];
    if (c->st != OK || !c->wanted)
        return;
    snprintf(key, sizeof key, "media/%s", c->item->filename);
    c->st = bucket_put(im->bucket, key, c->file.data, c->file.len, &c->err);
}

/* Marks what has to be added; the same name with other content is a failure. */
static enum status compare(struct import *im, size_t n, struct arena *a, struct error *err)
{
    const char *names[BATCH];
    struct sticker there[BATCH];
    for (size_t i = 0; i < n; i++)
        names[i] = im->batch[i].item->filename;
    enum status st = sticker_store_get_many(im->store, names, n, a, there, err);
    for (size_t i = 0; st == OK && i < n; i++) {
        struct checked *c = &im->batch[i];
        if (c->st != OK)
            continue;
        const char *other = there[i].filename ? there[i].sha256 : NULL;
        for (size_t k = 0; k < i && !other; k++) /* twice in this batch */
            if (im->batch[k].wanted && strcmp(names[k], names[i]) == 0)
                other = im->batch[k].sha256;
        c->wanted = !other;
        if (other && strcmp(other, c->sha256) == 0)
            im->skipped++;
        else if (other)
            c->st = err_set(&c->err, ERR_CONFLICT, "a sticker %s with other content is there already", names[i]);
    }
    return st;
}

static enum status analyze(const char *s, struct arena *a, struct text_terms *out, struct error *err)
{
    return text_analyze(s, strlen(s), MAX_TERMS, a, out, err);
}

static enum status make_row(const struct checked *c, struct arena *a, struct sticker *s, struct sticker_terms *t,
                            struct error *err)
{
    const struct import_item *item = c->item;
    struct sticker_words *words = arena_alloc(a, sizeof *words);
    struct text_terms title, terms, filename;
    char *normal = text_normalize_words(item->words, a);
    enum status st = words && normal ? OK : err_set(err, ERR_NO_MEMORY, "out of memory");
    if (st == OK)
        st = analyze(item->title, a, &title, err);
    if (st == OK)
        st = analyze(normal, a, &terms, err);
    if (st == OK)
        st = analyze(item->filename, a, &filename, err);
    if (st != OK)
        return st;
    *words = (struct sticker_words){item->language, normal};
    *s = (struct sticker){.filename = item->filename,
                          .title = item->title,
                          .pack = item->pack,
                          .author = item->author,
                          .license = item->license,
                          .source = item->source,
                          .sha256 = c->sha256,
                          .mime = image_mime(c->image.kind),
                          .bytes = (int64_t)c->file.len,
                          .width = (int32_t)c->image.width,
                          .height = (int32_t)c->image.height,
                          .words = words,
                          .n_words = *normal ? 1 : 0};
    t->title = text_join_stems(&title, a);
    t->words = text_join_stems(&terms, a);
    t->filename = text_join_stems(&filename, a);
    const char *f1 = text_join_folded(&title, a), *f2 = text_join_folded(&terms, a),
               *f3 = text_join_folded(&filename, a);
    t->folded = f1 && f2 && f3 ? arena_printf(a, "%s %s %s", f1, f2, f3) : NULL;
    return t->title && t->words && t->filename && t->folded ? OK : err_set(err, ERR_NO_MEMORY, "out of memory");
}

static enum status add_rows(struct import *im, size_t n, struct arena *a, struct error *err)
{
    struct sticker rows[BATCH];
    struct sticker_terms terms[BATCH];
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        struct checked *c = &im->batch[i];
        if (c->st != OK || !c->wanted)
            continue;
        c->st = make_row(c, a, &rows[count], &terms[count], &c->err);
        count += c->st == OK;
    }
    if (!count)
        return OK;
    enum status st = sticker_store_add(im->store, rows, terms, count, err);
    if (st == OK)
        im->added += count;
    return st;
}

static enum status import_batch(struct import *im, size_t first, size_t n, struct error *err)
{
    struct arena a;
    arena_init(&a, 256u << 20);
    memset(im->batch, 0, sizeof im->batch);
    for (size_t i = 0; i < n; i++)
        im->batch[i].item = &im->list.items[first + i];
    pool_for(im->pool, n, check_one, im);
    enum status st = compare(im, n, &a, err);
    if (st == OK) {
        pool_for(im->pool, n, put_one, im);
        st = add_rows(im, n, &a, err);
    }
    for (size_t i = 0; i < n; i++) {
        struct checked *c = &im->batch[i];
        if (st == OK && c->st != OK)
            st = import_list_fail(&im->list, c->item->path, c->err.message, err);
        buf_free(&c->file);
    }
    arena_free(&a);
    return st;
}

static enum status import_all(struct import *im, bool quiet, struct error *err)
{
    struct progress bar;
    enum status st = OK;
    progress_start(&bar, "Importing", quiet);
    for (size_t i = 0; st == OK && i < im->list.n && !stopped; i += BATCH) {
        size_t n = im->list.n - i < BATCH ? im->list.n - i : BATCH;
        st = import_batch(im, i, n, err);
        progress_show(&bar, (int64_t)(i + n), (int64_t)im->list.n);
    }
    progress_clear(&bar);
    return st;
}

static enum status make_list(struct import_list *l, const struct config *cfg, struct error *err)
{
    const char *const *packs, *const *paths;
    char cache[PATH_MAX];
    size_t n_packs = config_list(cfg, "pack", &packs), n_paths = config_args(cfg, &paths);
    enum status st = OK;
    if (snprintf(cache, sizeof cache, "%s/packs", config_string(cfg, "cache-dir")) >= (int)sizeof cache)
        return err_set(err, ERR_INVALID, "cache folder's name is too long");
    for (size_t i = 0; st == OK && i < n_packs && !stopped; i++)
        st = import_list_pack(l, packs[i], cache, err);
    for (size_t i = 0; st == OK && i < n_paths && !stopped; i++)
        st = import_list_path(l, paths[i], err);
    return st;
}

int cmd_import(const struct config *cfg)
{
    struct error err;
    struct sigaction sa = {.sa_handler = on_signal};
    const char *const *items;
    if (config_list(cfg, "pack", &items) + config_args(cfg, &items) == 0)
        return cmd_usage("peel import: expected files, folders or --pack; packs: %s", import_pack_names());
    struct import *im = calloc(1, sizeof *im);
    if (!im)
        return cmd_failed(&(struct error){ERR_NO_MEMORY, "out of memory"});
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    import_list_init(&im->list);
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    /* twice the cores: half of them wait for the disk */
    enum status st = pool_open("import", cores > 0 && cores < 64 ? 2 * (unsigned)cores : 4, 1, &im->pool, &err);
    if (st == OK)
        st = os_mkdirs(config_string(cfg, "data"), &err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &im->bucket, &err);
    if (st == OK)
        st = sticker_store_open(config_string(cfg, "sticker-db"), 1, &im->store, &err);
    if (st == OK)
        st = make_list(&im->list, cfg, &err);
    if (st == OK)
        st = import_all(im, config_bool(cfg, "quiet"), &err);
    for (size_t i = 0; i < im->list.n_failures; i++)
        fprintf(stderr, "failed: %s: %s\n", im->list.failures[i].what, im->list.failures[i].why);
    printf("%zu added, %zu skipped (already there), %zu failed%s\n", im->added, im->skipped, im->list.n_failures,
           stopped ? "; stopped, the same command continues" : "");
    int code = st != OK ? cmd_failed(&err) : im->list.n_failures || stopped ? EXIT_FAILED : EXIT_OK;
    sticker_store_close(im->store);
    bucket_close(im->bucket);
    pool_close(im->pool);
    import_list_free(&im->list);
    free(im);
    return code;
}
