/* A batch goes through five steps: all files are read and hashed (in parallel); names are compared with
 * the database and within the batch; new pictures are decoded, as proof that they can be, and their words analysed (in
 * parallel), compared with what stickers look like, and written to the bucket (in parallel); one sync of the bucket,
 * then some transactions make them stickers, and a look into the bucket makes sure that nobody deleted their pictures
 * meanwhile; those that were there already get the words that they lack, and with --update what stickers.csv says. */
#include "import/import.h"

#include "base/log.h"
#include "image/ocr.h"
#include "import/import_alike.h"
#include "import/picture.h"
#include "import/sticker_row.h"
#include "sandbox/sandbox.h"
#include "sticker_store/sticker_imports.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH          64u
#define BATCH_BYTES    (64u << 20) /* of files held in memory at a time; a single one may have IMAGE_MAX_BYTES */
#define BATCH_ARENA    (256u << 20)
#define ITEM_ARENA     (32u << 20)
#define ADD_TRIES      3
#define ADD_AT_ONCE    16u     /* rows of a transaction, for which searches and votes wait */
#define OCR_WAIT_MS    600000u /* for a worker: there is one for each thread */
#define IN_THIS_IMPORT ", in this import (--folder-names tells those of different folders apart)"

enum stage { UNTOUCHED, READ, NEW, CHECKED, REPAIR, WRITTEN, ADDED, SKIPPED, ALIKE, FAILED };

struct work {
    struct import_item *item;
    enum stage stage;
    enum import_outcome there; /* SKIPPED: what became of the sticker that was there */
    struct error why;          /* FAILED */
    struct error bucket_io;    /* the bucket refused: ends the run */
    uint8_t *owned;            /* the bytes, when they were read from a file */
    struct picture picture;
    struct arena arena;            /* of the terms, as threads share none */
    const char *ocr_words;         /* what the picture says; NULL: it was not read */
    struct sticker_terms terms;    /* CHECKED */
    struct import_duplicate alike; /* `like` NULL: it looks like no sticker */
};

struct planned { /* by a dry run */
    struct import_item *item;
    char sha256[sizeof((struct picture *)0)->sha256];
};

struct batch {
    const struct import_run *run;
    struct import_alike *alike;
    struct planned *planned; /* [n_planned], NULL but in a dry run */
    size_t n_planned;
    struct arena arena;
    struct work items[BATCH];
    size_t n;
};

static bool import_run_stopped(const struct import_run *run)
{
    return run->stopped && run->stopped(run->ctx);
}

/* --- step 1: read and hash --- */

static enum status import_read_file(struct work *w, size_t *len, struct error *err)
{
    int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (w->item->follow ? 0 : O_NOFOLLOW);
    struct stat sb;
    int fd = open(w->item->path, flags);
    if (fd < 0)
        return err_errno(err, "cannot be opened");
    enum status st = OK;
    size_t done = 0;
    if (fstat(fd, &sb) != 0)
        st = err_errno(err, "cannot be read");
    else if (!S_ISREG(sb.st_mode))
        st = err_set(err, ERR_INVALID, "not a file any more");
    else if ((st = picture_check_bytes(sb.st_size, err)) == OK && !(w->owned = malloc((size_t)sb.st_size)))
        st = err_no_memory(err, "%lld bytes", (long long)sb.st_size);
    while (st == OK && done < (size_t)sb.st_size) {
        ssize_t n = read(fd, w->owned + done, (size_t)sb.st_size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            st = err_errno(err, "cannot be read");
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(fd);
    *len = done;
    return st;
}

static void read_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if (import_run_stopped(b->run))
        return;
    const struct import_item *item = w->item;
    size_t len = item->len;
    enum status st = filename_check(item->filename, &w->why); /* before the file is touched */
    if (st == OK && item->path)
        st = import_read_file(w, &len, &w->why);
    if (st == OK)
        st = picture_begin(item->filename, item->path ? w->owned : item->data, len, &w->picture, &w->why);
    w->stage = st == OK ? READ : FAILED;
}

/* --- step 2: what is there already --- */

static void clash(struct work *w, const char *with)
{
    picture_clash(with, &w->why);
    w->stage = FAILED;
}

/* Items in stage `from` become NEW, REPAIR (the row is there, the file is not), SKIPPED or FAILED. */
static enum status import_compare(struct batch *b, enum stage from, struct error *err)
{
    const char *names[BATCH];
    struct sticker known[BATCH];
    struct work *asked[BATCH];
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].stage == from) {
            asked[n] = &b->items[i];
            names[n++] = b->items[i].item->filename;
        }
    arena_reset(&b->arena);
    enum status st = n ? sticker_store_get_many(b->run->store, names, n, &b->arena, known, err) : OK;
    if (st != OK)
        return st;
    for (size_t i = 0; i < n; i++) {
        struct work *w = asked[i];
        w->stage = from == READ ? NEW : from;
        if (known[i].filename && strcmp(known[i].sha256, w->picture.sha256) != 0)
            clash(w, "");
        else if (known[i].filename)
            w->stage = from == WRITTEN || b->run->dry || picture_is_in(&w->picture, b->run->bucket) ? SKIPPED : REPAIR;
        for (size_t k = 0; k < i && w->stage == NEW; k++)
            if (asked[k]->stage == NEW && strcmp(names[k], names[i]) == 0) {
                if (strcmp(asked[k]->picture.sha256, w->picture.sha256) == 0)
                    w->stage = SKIPPED;
                else
                    clash(w, IN_THIS_IMPORT);
            }
    }
    return OK;
}

/* --- step 3: decode and write --- */

static enum status analyze_words(struct work *w)
{
    const struct sticker *s = &w->item->sticker;
    return text_sticker_terms(s->title, w->item->filename, w->ocr_words, s->words, s->n_words, &w->arena, &w->terms,
                              &w->why);
}

/* Pictures of the starter packs, which come as bytes, have words already. One that cannot be read is imported without:
 * `peel ocr` tries again. */
static void read_text(const struct import_run *run, struct work *w)
{
    struct buf words;
    struct error why;
    if (!run->ocr || run->dry || !w->item->path)
        return;
    buf_init(&words, OCR_MAX_BYTES + 1);
    const struct sandbox_image file = {.data = w->picture.data, .len = w->picture.len, .wait_ms = OCR_WAIT_MS};
    if (sandbox_words(run->ocr, &file, &words, &why) != OK)
        log_warn("%s: its text cannot be read: %s", w->item->filename, why.message);
    else
        w->ocr_words = arena_strdup(&w->arena, buf_str(&words));
    buf_free(&words);
}

static void decode_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if (w->stage != NEW || import_run_stopped(b->run))
        return;
    w->stage = FAILED;
    if (picture_check(&w->picture, b->run->sandbox, &w->why) != OK)
        return;
    read_text(b->run, w);
    if (analyze_words(w) == OK)
        w->stage = CHECKED;
}

static void write_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if ((w->stage != CHECKED && w->stage != REPAIR) || import_run_stopped(b->run))
        return;
    if (b->run->dry || picture_put(&w->picture, b->run->bucket, true, &w->bucket_io) == OK)
        w->stage = w->stage == CHECKED ? WRITTEN : SKIPPED;
}

/* Pictures of packs that Peel knows are what they are: nobody can do anything about those that look alike. */
static enum status compare_looks(struct batch *b, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < b->n && st == OK; i++) {
        struct work *w = &b->items[i];
        bool ask = !w->item->parts;
        if (w->stage != CHECKED)
            continue;
        st = import_alike_find(b->alike, &w->picture, ask, ask && b->run->merge_duplicates, &w->alike, err);
        if (w->alike.merged)
            w->stage = ALIKE;
    }
    return st;
}

static void give_words(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct work *w = &b->items[i];
        if (w->stage == ALIKE && import_alike_give(b->run, w->alike.like, &w->item->sticker, &w->why) != OK)
            w->stage = FAILED;
    }
}

/* --- step 4: rows --- */

/* The row of a WRITTEN item; *k is its sticker. */
static enum status make_row(struct batch *b, const struct work *w, struct sticker *k, struct admin_change *out,
                            struct error *err)
{
    *k = w->item->sticker;
    picture_describe(&w->picture, k);
    if (w->item->animated_said)
        k->animated = w->item->sticker.animated;
    k->ocr_words = w->ocr_words;
    k->ocr_by = w->ocr_words ? b->run->ocr_languages : NULL;
    const char *digest = sticker_digest(k, &b->arena);
    *out = (struct admin_change){.op = CHANGE_ADD,
                                 .list = "stickers",
                                 .sticker = k,
                                 .terms = &w->terms,
                                 .object = k->filename,
                                 .before = "",
                                 .after = digest};
    return digest ? OK : err_no_memory(err, "a sticker");
}

/* Makes rows of up to ADD_AT_ONCE of the WRITTEN items, which are ADDED then; *n: how many. */
static enum status add_some(struct batch *b, size_t *n, struct error *err)
{
    struct sticker stickers[ADD_AT_ONCE];
    struct admin_change changes[ADD_AT_ONCE];
    struct work *items[ADD_AT_ONCE];
    size_t written;
    enum status st = OK;
    *n = 0;
    arena_reset(&b->arena);
    for (size_t i = 0; i < b->n && *n < ADD_AT_ONCE && st == OK; i++)
        if (b->items[i].stage == WRITTEN) {
            items[*n] = &b->items[i];
            st = make_row(b, &b->items[i], &stickers[*n], &changes[*n], err);
            ++*n;
        }
    if (st == OK && *n)
        st = sticker_store_import(b->run->store, b->run->who, b->run->source, changes, *n, &written, err);
    for (size_t i = 0; i < *n && st == OK; i++)
        items[i]->stage = ADDED;
    return st;
}

static enum status add_rows(struct batch *b, size_t *added, struct error *err)
{
    *added = 0;
    for (int conflicts = 0; conflicts < ADD_TRIES;) {
        size_t n;
        enum status st = add_some(b, &n, err);
        if (st == ERR_CONFLICT) { /* somebody else was faster with one of them */
            conflicts++;
            st = import_compare(b, WRITTEN, err);
        } else if (st == OK) {
            *added += n;
            if (n == 0)
                return OK;
        }
        if (st != OK)
            return st;
    }
    return err_set(err, ERR_CONFLICT, "stickers of the same names are being added by others again and again");
}

static void keep_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if (w->stage == ADDED)
        w->bucket_io.code = picture_keep(&w->picture, b->run->bucket, &w->bucket_io);
}

/* --- step 5: changes to those that were there --- */

static const struct sticker_words *find_list(const struct sticker_words *words, size_t n, const char *language)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i].language, language) == 0)
            return &words[i];
    return NULL;
}

/* What the sticker has, and the lists of the pack in languages that it has none in. A list that is there stays as
 * it is, also one that somebody emptied; but one that nobody changed since an import made it becomes that of today. */
static enum status merge_words(const struct import_item *item, struct arena *a, struct sticker *s, bool *changed,
                               struct error *err)
{
    const struct sticker *found = &item->sticker;
    struct sticker_words *all = arena_array(a, s->n_words + found->n_words + 1, sizeof *all);
    size_t n = 0;
    *changed = false;
    if (!all)
        return err_set(err, ERR_NO_MEMORY, "too many words in one batch");
    for (size_t i = 0; i < s->n_words; i++) {
        const struct sticker_words *today = find_list(found->words, found->n_words, s->words[i].language);
        bool made = false;
        all[n] = s->words[i];
        if (today && strcmp(all[n].words, today->words) != 0) {
            enum status st = import_made_words(item->parts, item->n_parts, &all[n], item->emoji, a, &made, err);
            if (st != OK)
                return st;
            all[n].words = made ? today->words : all[n].words;
            *changed = *changed || made;
        }
        n++;
    }
    for (size_t i = 0; i < found->n_words; i++)
        if (!find_list(s->words, s->n_words, found->words[i].language)) {
            all[n++] = found->words[i];
            *changed = true;
        }
    s->words = all;
    s->n_words = n;
    return OK;
}

/* Makes of *s what this import wants it to be; *wanted: whether that is something else, and is to be written. */
static enum status change_sticker(struct batch *b, struct work *w, struct sticker *s, bool *wanted, struct error *err)
{
    const struct import_item *item = w->item;
    enum status st = item->parts ? merge_words(item, &b->arena, s, wanted, err)
                                 : import_update_sticker(item, &b->arena, s, wanted, err);
    w->there = *wanted ? IMPORT_CHANGED : IMPORT_SAME;
    if (*wanted && !item->parts && !b->run->update) {
        w->there = IMPORT_OUTDATED;
        *wanted = false;
    }
    return st;
}

/* *wanted: *s became what is to be written. */
static enum status change_one(struct batch *b, struct work *w, struct sticker *s, bool *wanted,
                              struct admin_change *out, struct error *err)
{
    *wanted = false;
    enum status st = sticker_store_get(b->run->store, w->item->filename, &b->arena, s, err);
    if (st == ERR_NOT_FOUND) /* deleted just now */
        return OK;
    struct sticker before = *s;
    if (st == OK)
        st = change_sticker(b, w, s, wanted, err);
    if (st != OK || !*wanted)
        return st;
    const char *state = sticker_state(&before, &b->arena);
    return state ? sticker_row_change(s, false, state, s->modified_us, &b->arena, out, err)
                 : err_no_memory(err, "a sticker");
}

/* An edit in the moment between reading and writing wins: the next import sees to the rest. */
static enum status change_those_there(struct batch *b, size_t *updated, struct error *err)
{
    struct sticker stickers[BATCH];
    struct admin_change changes[BATCH];
    size_t n = 0;
    enum status st = OK;
    *updated = 0;
    arena_reset(&b->arena);
    for (size_t i = 0; i < b->n && st == OK; i++) {
        bool wanted = false;
        if (b->items[i].stage == SKIPPED)
            st = change_one(b, &b->items[i], &stickers[n], &wanted, &changes[n], err);
        n += wanted;
    }
    if (b->run->dry)
        *updated = n;
    return st == OK && n && !b->run->dry
               ? sticker_store_import(b->run->store, b->run->who, b->run->source, changes, n, updated, err)
               : st;
}

/* --- dry runs: what later batches would have found in the database --- */

static size_t plan(struct batch *b)
{
    size_t before = b->n_planned;
    for (size_t i = 0; i < b->n; i++) {
        struct work *w = &b->items[i];
        if (w->stage != WRITTEN)
            continue;
        w->stage = ADDED;
        struct planned *p = &b->planned[b->n_planned++];
        p->item = w->item;
        memcpy(p->sha256, w->picture.sha256, sizeof p->sha256);
    }
    return b->n_planned - before;
}

static void refuse(struct import_list *list, struct import_item *item, const char *why)
{
    item->outcome = IMPORT_REFUSED;
    item->why = arena_strdup(list->arena, why);
    import_list_fail(list, item->path ? item->path : item->filename, why);
}

static int by_name(const void *a, const void *b)
{
    const struct planned *x = a, *y = b;
    int order = strcmp(x->item->filename, y->item->filename);
    return order ? order : (x->item > y->item) - (x->item < y->item);
}

static void settle_planned(struct batch *b, struct import_list *list)
{
    if (b->n_planned)
        qsort(b->planned, b->n_planned, sizeof *b->planned, by_name);
    for (size_t i = 1, first = 0; i < b->n_planned; i++) {
        const struct planned *p = &b->planned[i];
        struct error why;
        if (strcmp(p->item->filename, b->planned[first].item->filename) != 0) {
            first = i;
            continue;
        }
        list->added--;
        p->item->outcome = IMPORT_SAME;
        if (strcmp(p->sha256, b->planned[first].sha256) == 0) {
            list->skipped++;
            continue;
        }
        picture_clash(IN_THIS_IMPORT, &why);
        refuse(list, p->item, why.message);
    }
}

static enum status bucket_failed(const struct batch *b, struct error *err)
{
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].bucket_io.code != OK) {
            *err = b->items[i].bucket_io;
            return err->code;
        }
    return OK;
}

static enum status import_run_batch(struct batch *b, size_t *added, size_t *updated, struct error *err)
{
    *added = *updated = 0;
    pool_for(b->run->pool, b->n, read_one, b);
    enum status st = import_compare(b, READ, err);
    if (st != OK)
        return st;
    pool_for(b->run->pool, b->n, decode_one, b);
    if ((st = compare_looks(b, err)) != OK)
        return st;
    pool_for(b->run->pool, b->n, write_one, b);
    if ((st = bucket_failed(b, err)) != OK)
        return st;
    if (b->run->dry) {
        *added = plan(b);
        return change_those_there(b, updated, err);
    }
    bool wrote = false;
    for (size_t i = 0; i < b->n; i++)
        wrote = wrote || b->items[i].stage == WRITTEN || b->items[i].stage == SKIPPED;
    st = wrote ? bucket_sync(b->run->bucket, err) : OK;
    if (st == OK)
        st = add_rows(b, added, err);
    if (st == OK && *added) {
        pool_for(b->run->pool, b->n, keep_one, b);
        st = bucket_failed(b, err);
    }
    if (st == OK)
        give_words(b);
    return st == OK ? change_those_there(b, updated, err) : st;
}

static void import_settle(struct batch *b, size_t added, size_t updated, struct import_list *list)
{
    list->added += added;
    list->updated += updated;
    for (size_t i = 0; i < b->n; i++) {
        struct work *w = &b->items[i];
        list->skipped += w->stage == SKIPPED;
        list->merged += w->stage == ALIKE;
        if (w->alike.like && (w->stage == ADDED || w->stage == ALIKE))
            import_list_alike(list, w->item, &w->alike);
        w->item->like = w->alike.like ? arena_strdup(list->arena, w->alike.like) : NULL;
        list->outdated += w->stage == SKIPPED && w->there == IMPORT_OUTDATED;
        if (w->stage == FAILED)
            refuse(list, w->item, w->why.message);
        else if (w->stage == SKIPPED)
            w->item->outcome = w->there ? w->there : IMPORT_SAME;
        else if (w->stage == ALIKE)
            w->item->outcome = IMPORT_CHANGED;
        else if (w->stage == ADDED)
            w->item->outcome = IMPORT_NEW;
    }
}

static void free_items(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        free(b->items[i].owned);
        arena_free(&b->items[i].arena);
    }
}

enum status import_run(const struct import_run *run, struct import_list *list, struct error *err)
{
    struct batch *b = calloc(1, sizeof *b);
    enum status st = OK;
    if (!b)
        return err_no_memory(err, "the import");
    b->run = run;
    if (run->dry && !(b->planned = calloc(list->n + 1, sizeof *b->planned)))
        st = err_no_memory(err, "a dry run");
    if (st == OK)
        st = import_alike_open(run->store, &b->alike, err);
    arena_init(&b->arena, BATCH_ARENA);
    if (!run->dry)
        bucket_tidy(run->bucket, "media");
    for (size_t next = 0; st == OK && next < list->n;) {
        size_t bytes = 0, added = 0, updated = 0;
        memset(b->items, 0, sizeof b->items);
        for (b->n = 0; b->n < BATCH && next < list->n; b->n++, next++) {
            bytes += list->items[next].len;
            if (b->n && bytes > BATCH_BYTES)
                break;
            b->items[b->n].item = &list->items[next];
            arena_init(&b->items[b->n].arena, ITEM_ARENA);
        }
        if (import_run_stopped(run))
            st = err_set(err, ERR_CANCELLED, "stopped");
        else
            st = import_run_batch(b, &added, &updated, err);
        if (st == OK)
            import_settle(b, added, updated, list);
        else
            list->added += added;
        free_items(b);
        if (st == OK && import_run_stopped(run) && list->added + list->skipped + list->merged + list->failed < list->n)
            st = err_set(err, ERR_CANCELLED, "stopped");
        if (run->progress)
            run->progress(run->ctx, next, list->n);
    }
    if (st == OK && run->dry)
        settle_planned(b, list);
    else if (st == OK)
        st = sticker_store_packs_about(run->store, list->packs, list->n_packs, err);
    if (st == OK && !run->dry && run->who && run->who->batch)
        st = sticker_store_import_end(run->store, run->who->batch, list->skipped, list->failed, &list->number, err);
    import_alike_close(b->alike);
    arena_free(&b->arena);
    free(b->planned);
    free(b);
    return st;
}

enum status import_run_wide(const struct import_run *run, struct import_list *list, struct error *err)
{
    struct import_run wide = *run;
    unsigned threads = sandbox_workers_of_machine();
    wide.sandbox = NULL;
    wide.ocr = NULL;
    wide.pool = NULL;
    enum status st = sandbox_open(threads, &wide.sandbox, err);
    if (st == OK && run->ocr_languages)
        st = sandbox_open_ocr(threads, run->ocr_languages, &wide.ocr, err);
    if (st == OK && threads > 1)
        st = pool_open("import", threads - 1, 1, &wide.pool, err);
    if (st == OK)
        st = import_run(&wide, list, err);
    pool_close(wide.pool);
    sandbox_close(wide.ocr);
    sandbox_close(wide.sandbox);
    return st;
}

enum status import_lock(const char *data, int *fd, struct error *err)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/import.lock", data) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "--data: the path is too long");
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (*fd < 0)
        return err_errno(err, "cannot open %s", path);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return OK;
    return errno == EWOULDBLOCK ? err_set(err, ERR_CONFLICT, "another import is running or being undone")
                                : err_errno(err, "cannot lock %s", path);
}
