/* peel duplicates list, merge, differ: stickers that look alike. To list them, it first looks at images that nobody has
 * looked at: of stickers stored by earlier releases, or restored from the trash. */
#include "base/os.h"
#include "base/pool.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "import/looks.h"
#include "import/picture.h"
#include "import/sticker_merge.h"
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>

#define PAGE        64u
#define PAGE_ARENA  (4u << 20)
#define IMAGE_ARENA (4u << 20) /* a sticker with its words */
#define GROUP_ARENA (512u << 20)
#define MERGE_ARENA (256u << 20)

struct duplicates {
    const struct config *cfg;
    struct sticker_store *store;
    struct bucket *bucket;
    struct sandbox *sandbox;
    struct pool *pool;
    const char **names; /* [PAGE] of a page of those without a look */
    struct error failed[PAGE];
    size_t n_failed;
};

/* --- looking --- */

static void look_at_one(void *arg, size_t i)
{
    struct duplicates *d = arg;
    char key[STICKER_FILENAME_MAX + 8];
    struct arena a;
    struct buf content;
    struct sticker row;
    struct picture p;
    struct error *err = &d->failed[i];
    arena_init(&a, IMAGE_ARENA);
    buf_init(&content, IMAGE_MAX_BYTES + 1);
    snprintf(key, sizeof key, "media/%s", d->names[i]);
    *err = (struct error){.code = OK};
    enum status st = cmd_stopped() ? err_set(err, ERR_CANCELLED, "stopped")
                                   : sticker_store_get(d->store, d->names[i], &a, &row, err);
    if (st == OK)
        st = bucket_get(d->bucket, key, &content, err);
    if (st == OK)
        st = picture_begin(d->names[i], content.data, content.len, &p, err);
    if (st == OK)
        st = picture_check(&p, d->sandbox, err);
    if (st == OK)
        st = sticker_store_look_set(d->store, d->names[i], p.sha256, &p.look, sizeof p.look, err);
    err->code = st == ERR_NOT_FOUND ? OK : st; /* deleted meanwhile */
    buf_free(&content);
    arena_free(&a);
}

static enum status look_at_page(struct duplicates *d, size_t n, struct error *err)
{
    pool_for(d->pool, n, look_at_one, d);
    for (size_t i = 0; i < n; i++) {
        if (d->failed[i].code == OK)
            continue;
        if (d->failed[i].code == ERR_CANCELLED) {
            *err = d->failed[i];
            return ERR_CANCELLED;
        }
        fprintf(stderr, "failed: %s: %s\n", d->names[i], d->failed[i].message);
        d->n_failed++;
    }
    return OK;
}

static enum status look_at_new(struct duplicates *d, struct error *err)
{
    struct progress progress;
    struct arena a;
    int64_t after = 0, total = 0, queries, pending;
    size_t n = 1, done = 0;
    arena_init(&a, PAGE_ARENA);
    enum status st = sticker_store_count(d->store, &total, &queries, &pending, err);
    progress_start(&progress, "Looking at images", config_bool(d->cfg, "quiet"));
    while (st == OK && n) {
        arena_reset(&a);
        st = sticker_store_lookless(d->store, sizeof(struct image_look), &after, PAGE, &a, &d->names, &n, err);
        if (st == OK && n)
            st = look_at_page(d, n, err);
        if ((done += n) && n)
            progress_show(&progress, (int64_t)done, total);
    }
    st == OK &&done ? progress_end(&progress) : progress_clear(&progress);
    arena_free(&a);
    return st;
}

/* --- showing --- */

static enum status print_json(const struct duplicates *d, const struct looks_group *groups, size_t n, struct error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *group = json_array();
        for (size_t k = 0; k < groups[i].n; k++)
            json_array_append_new(group, json_string(groups[i].filenames[k]));
        json_array_append_new(list, group);
    }
    return cmd_print_json(json_pack("{s:o, s:I}", "groups", list, "failed", (json_int_t)d->n_failed), err);
}

static enum status print_text(const struct looks_group *groups, size_t n)
{
    size_t stickers = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < groups[i].n; k++)
            printf("%s%s", k ? "  " : "", groups[i].filenames[k]);
        putchar('\n');
        stickers += groups[i].n;
    }
    if (n)
        printf("%zu stickers in %zu group%s look alike\n", stickers, n, n == 1 ? "" : "s");
    else
        puts("no two stickers look alike");
    return OK;
}

static enum status show(struct duplicates *d, struct error *err)
{
    struct looks *looks;
    struct looks_group *groups;
    struct arena a;
    size_t n;
    arena_init(&a, GROUP_ARENA);
    enum status st = looks_load(d->store, &looks, err);
    if (st == OK)
        st = looks_groups(looks, d->store, &a, &groups, &n, err);
    if (st == OK)
        st = config_bool(d->cfg, "json") ? print_json(d, groups, n, err) : print_text(groups, n);
    looks_free(looks);
    arena_free(&a);
    return st;
}

static enum status duplicates_open(struct duplicates *d, struct arena *a, struct error *err)
{
    struct bucket_s3 s3;
    unsigned threads = sandbox_workers_of_machine();
    enum status st = cmd_find_stickers(d->cfg, threads, &d->store, err);
    if (st == OK)
        st = cmd_bucket_s3(d->cfg, a, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(d->cfg, "bucket"), &s3, &d->bucket, err);
    if (st == OK)
        st = sandbox_open(threads, &d->sandbox, err);
    return st == OK && threads > 1 ? pool_open("duplicates", threads - 1, 1, &d->pool, err) : st;
}

static enum status duplicates_list(const struct config *cfg, bool *failed, struct error *err)
{
    struct duplicates d = {.cfg = cfg};
    struct arena a;
    cmd_stop_on_signals();
    os_stand_back(); /* running services come first */
    arena_init(&a, 1u << 20);
    enum status st = duplicates_open(&d, &a, err);
    if (st == OK)
        st = look_at_new(&d, err);
    if (st == OK)
        st = show(&d, err);
    pool_close(d.pool);
    sandbox_close(d.sandbox);
    bucket_close(d.bucket);
    sticker_store_close(d.store);
    arena_free(&a);
    *failed = d.n_failed != 0;
    return st;
}

/* --- deciding --- */

static enum status check_named(struct sticker_store *store, const char *const *names, size_t n, struct arena *a,
                               struct error *err)
{
    struct sticker known[STICKER_MERGE_MAX];
    enum status st = sticker_store_get_many(store, names, n, a, known, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (!known[i].filename)
            st = err_set(err, ERR_NOT_FOUND, "there is no sticker \"%.255s\"", names[i]);
    return st;
}

static enum status merge_named(struct sticker_store *store, const char *const *names, size_t n, struct arena *a,
                               struct error *err)
{
    struct admin_who who = *cmd_who();
    char batch[37];
    os_uuid7(batch);
    who.batch = batch;
    return sticker_merge(store, &who, names, n, a, err);
}

/* `merge` KEPT OTHER..., or `differ` NAME NAME... */
static enum status duplicates_decide(const struct config *cfg, bool merge, const char *const *names, size_t n,
                                     struct error *err)
{
    struct sticker_store *store;
    struct arena a;
    arena_init(&a, MERGE_ARENA);
    enum status st = cmd_find_stickers(cfg, 1, &store, err);
    if (st == OK)
        st = check_named(store, names, n, &a, err);
    if (st == OK)
        st = merge ? merge_named(store, names, n, &a, err) : sticker_store_not_duplicates_add(store, names, n, err);
    if (st == OK && config_bool(cfg, "json"))
        st = cmd_print_json(json_pack("{s:I}", merge ? "merged" : "different", (json_int_t)(merge ? n - 1 : n)), err);
    else if (st == OK && merge)
        printf("%s has the words of %zu other sticker%s, now in the trash.\n", names[0], n - 1, n == 2 ? "" : "s");
    else if (st == OK)
        printf("%zu stickers are no longer listed as duplicates of each other.\n", n);
    sticker_store_close(store);
    arena_free(&a);
    return st;
}

int cmd_duplicates(const struct config *cfg)
{
    const char *const *args;
    struct error err;
    bool failed = false;
    size_t n = config_args(cfg, &args);
    enum status st = strcmp(args[0], "list") == 0
                         ? duplicates_list(cfg, &failed, &err)
                         : duplicates_decide(cfg, strcmp(args[0], "merge") == 0, args + 1, n - 1, &err);
    if (st != OK)
        return cmd_failed(&err);
    return failed ? EXIT_FAILED : EXIT_OK;
}
