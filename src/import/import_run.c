/* A batch goes through five steps: all files are read and hashed (in parallel); names are compared with
 * the database and within the batch; new pictures are decoded, as proof that they can be, written to the
 * bucket, and their words analysed (in parallel); one sync of the bucket, then one transaction makes them stickers, and
 * a look into the bucket makes sure that nobody deleted their pictures meanwhile; those that were there already get the
 * words that they lack, and with --update what stickers.csv says. */
#include "import/import.h"
#include "import/picture.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH          64u
#define BATCH_BYTES    (64u << 20) /* of files held in memory at a time; a single one may have IMAGE_MAX_BYTES */
#define BATCH_ARENA    (256u << 20)
#define ITEM_ARENA     (32u << 20)
#define ADD_TRIES      3
#define IN_THIS_IMPORT ", in this import (--folder-names tells those of different folders apart)"

enum stage { UNTOUCHED, READ, NEW, REPAIR, WRITTEN, SKIPPED, FAILED };

struct work {
    const struct import_item *item;
    enum stage stage;
    struct error why;       /* FAILED */
    struct error bucket_io; /* the bucket refused: ends the run */
    uint8_t *owned;         /* the bytes, when they were read from a file */
    struct picture picture;
    struct arena arena;         /* of the terms, as threads share none */
    struct sticker_terms terms; /* WRITTEN */
};

struct planned { /* by a dry run */
    const struct import_item *item;
    char sha256[sizeof((struct picture *)0)->sha256];
};

struct batch {
    const struct import_run *run;
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
    return text_sticker_terms(s->title, w->item->filename, s->words, s->n_words, &w->arena, &w->terms, &w->why);
}

static void decode_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if ((w->stage != NEW && w->stage != REPAIR) || import_run_stopped(b->run))
        return;
    if (w->stage == NEW && picture_check(&w->picture, b->run->sandbox, &w->why) != OK)
        w->stage = FAILED;
    else if (w->stage == NEW && analyze_words(w) != OK)
        w->stage = FAILED;
    else if (b->run->dry || picture_put(&w->picture, b->run->bucket, true, &w->bucket_io) == OK)
        w->stage = w->stage == NEW ? WRITTEN : SKIPPED;
}

/* --- step 4: rows --- */

/* The WRITTEN items become rows, and are ADDED in the report. */
static enum status add_rows(struct batch *b, size_t *added, struct error *err)
{
    struct sticker stickers[BATCH];
    struct sticker_terms terms[BATCH];
    enum status st = OK;
    *added = 0;
    for (int tries = 0; tries < ADD_TRIES; tries++) {
        size_t n = 0;
        arena_reset(&b->arena);
        for (size_t i = 0; i < b->n; i++) {
            const struct work *w = &b->items[i];
            const struct import_item *item = w->item;
            if (w->stage != WRITTEN)
                continue;
            stickers[n] = item->sticker;
            terms[n] = w->terms;
            picture_describe(&w->picture, &stickers[n]);
            if (item->animated_said)
                stickers[n].animated = item->sticker.animated;
            n++;
        }
        st = n ? sticker_store_add(b->run->store, stickers, terms, n, err) : OK;
        if (st == OK)
            *added = n;
        if (st != ERR_CONFLICT)
            return st;
        st = import_compare(b, WRITTEN, err); /* somebody else was faster with one of them */
        if (st != OK)
            return st;
    }
    return err_set(err, ERR_CONFLICT, "stickers of the same names are being added by others again and again");
}

static void keep_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if (w->stage == WRITTEN)
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

/* What became of the stickers that were there already. */
struct changes {
    size_t updated, outdated; /* as in struct import_list */
};

/* Makes of *s what this import wants it to be; *wanted: whether that is something else, and is to be written. */
static enum status change_sticker(struct batch *b, const struct import_item *item, struct sticker *s,
                                  struct changes *out, bool *wanted, struct error *err)
{
    enum status st = item->parts ? merge_words(item, &b->arena, s, wanted, err)
                                 : import_update_sticker(item, &b->arena, s, wanted, err);
    if (st == OK && *wanted && !item->parts && !b->run->update) {
        out->outdated++;
        *wanted = false;
    }
    return st;
}

/* An edit in the moment between reading and writing wins: the next import sees to the rest. */
static enum status change_those_there(struct batch *b, struct changes *out, struct error *err)
{
    struct sticker stickers[BATCH];
    struct sticker_terms terms[BATCH];
    size_t n = 0;
    enum status st = OK;
    *out = (struct changes){0};
    arena_reset(&b->arena);
    for (size_t i = 0; i < b->n && st == OK; i++) {
        const struct work *w = &b->items[i];
        bool wanted = false;
        if (w->stage != SKIPPED)
            continue;
        st = sticker_store_get(b->run->store, w->item->filename, &b->arena, &stickers[n], err);
        if (st == ERR_NOT_FOUND) { /* deleted just now */
            st = OK;
            continue;
        }
        if (st == OK)
            st = change_sticker(b, w->item, &stickers[n], out, &wanted, err);
        if (st != OK || !wanted)
            continue;
        const struct sticker *s = &stickers[n];
        st = text_sticker_terms(s->title, s->filename, s->words, s->n_words, &b->arena, &terms[n++], err);
    }
    if (b->run->dry)
        out->updated = n;
    return st == OK && n && !b->run->dry
               ? sticker_store_update_unmodified(b->run->store, stickers, terms, n, &out->updated, err)
               : st;
}

/* --- dry runs: what later batches would have found in the database --- */

static size_t plan(struct batch *b)
{
    size_t before = b->n_planned;
    for (size_t i = 0; i < b->n; i++) {
        const struct work *w = &b->items[i];
        if (w->stage != WRITTEN)
            continue;
        struct planned *p = &b->planned[b->n_planned++];
        p->item = w->item;
        memcpy(p->sha256, w->picture.sha256, sizeof p->sha256);
    }
    return b->n_planned - before;
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
        if (strcmp(p->sha256, b->planned[first].sha256) == 0) {
            list->skipped++;
            continue;
        }
        picture_clash(IN_THIS_IMPORT, &why);
        import_list_fail(list, p->item->path ? p->item->path : p->item->filename, why.message);
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

static enum status import_run_batch(struct batch *b, size_t *added, struct changes *changes, struct error *err)
{
    *added = 0;
    *changes = (struct changes){0};
    pool_for(b->run->pool, b->n, read_one, b);
    enum status st = import_compare(b, READ, err);
    if (st != OK)
        return st;
    pool_for(b->run->pool, b->n, decode_one, b);
    if ((st = bucket_failed(b, err)) != OK)
        return st;
    if (b->run->dry) {
        *added = plan(b);
        return change_those_there(b, changes, err);
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
    return st == OK ? change_those_there(b, changes, err) : st;
}

static void import_settle(struct batch *b, size_t added, const struct changes *changes, struct import_list *list)
{
    list->added += added;
    list->updated += changes->updated;
    list->outdated += changes->outdated;
    for (size_t i = 0; i < b->n; i++) {
        struct work *w = &b->items[i];
        list->skipped += w->stage == SKIPPED;
        if (w->stage == FAILED)
            import_list_fail(list, w->item->path ? w->item->path : w->item->filename, w->why.message);
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
    arena_init(&b->arena, BATCH_ARENA);
    if (!run->dry)
        bucket_tidy(run->bucket, "media");
    for (size_t next = 0; st == OK && next < list->n;) {
        size_t bytes = 0, added;
        struct changes changes;
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
            st = import_run_batch(b, &added, &changes, err);
        if (st == OK)
            import_settle(b, added, &changes, list);
        free_items(b);
        if (st == OK && import_run_stopped(run) && list->added + list->skipped + list->failed < list->n)
            st = err_set(err, ERR_CANCELLED, "stopped");
        if (run->progress)
            run->progress(run->ctx, next, list->n);
    }
    if (st == OK && run->dry)
        settle_planned(b, list);
    else if (st == OK)
        st = sticker_store_packs_about(run->store, list->packs, list->n_packs, err);
    arena_free(&b->arena);
    free(b->planned);
    free(b);
    return st;
}
