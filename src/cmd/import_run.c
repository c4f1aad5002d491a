/* A batch goes through four steps: all files are read and hashed (in parallel); names are compared with
 * the database and within the batch; new pictures are decoded, as proof that they can be, and written to
 * the bucket (in parallel); one sync of the bucket, then one transaction makes them stickers. */
#include "base/os.h"
#include "cmd/import.h"
#include "image/image.h"
#include "text/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define BATCH       64u
#define BATCH_BYTES (64u << 20) /* of files held in memory at a time; a single one may have IMAGE_MAX_BYTES */
#define BATCH_ARENA (64u << 20)
#define MAX_TERMS   4000u
#define SVG_SIDE    512 /* drawn at this size, which is also what the database says of a drawing without one */
#define ADD_TRIES   3

enum stage { UNTOUCHED, READ, NEW, REPAIR, WRITTEN, SKIPPED, FAILED };

struct work {
    const struct import_item *item;
    enum stage stage;
    struct error why;       /* FAILED */
    struct error bucket_io; /* the bucket refused: ends the run */
    const uint8_t *data;
    uint8_t *owned; /* = data, when it was read from a file */
    size_t len;
    char sha256[65];
    struct image shape; /* without pixels */
};

struct batch {
    const struct import_run *run;
    struct arena arena;
    struct work items[BATCH];
    size_t n;
};

static bool is_stopped(const struct import_run *run)
{
    return run->stopped && run->stopped(run->ctx);
}

static void fail(struct work *w)
{
    w->stage = FAILED;
}

/* --- step 1: read and hash --- */

static enum status read_file(struct work *w, struct error *err)
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
    else if (sb.st_size > IMAGE_MAX_BYTES)
        st = err_set(err, ERR_TOO_LARGE, "%lld bytes: at most %u are allowed", (long long)sb.st_size, IMAGE_MAX_BYTES);
    else if (sb.st_size == 0)
        st = err_set(err, ERR_CORRUPT, "the file is empty");
    else if (!(w->owned = malloc((size_t)sb.st_size)))
        st = err_set(err, ERR_NO_MEMORY, "no memory for %lld bytes", (long long)sb.st_size);
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
    w->data = w->owned;
    w->len = done;
    return st;
}

static void read_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    if (is_stopped(b->run))
        return;
    w->data = w->item->data;
    w->len = w->item->len;
    if (store_check_filename(w->item->filename, &w->why) != OK || (w->item->path && read_file(w, &w->why) != OK)) {
        fail(w);
        return;
    }
    os_sha256_hex(w->data, w->len, w->sha256);
    w->stage = READ;
}

/* --- step 2: what is there already --- */

static void key_of(const struct work *w, char key[STORE_MAX_FILENAME + 8])
{
    snprintf(key, STORE_MAX_FILENAME + 8, "media/%s", w->item->filename);
}

static bool bucket_has(struct bucket *bucket, const struct work *w)
{
    char key[STORE_MAX_FILENAME + 8];
    int fd;
    uint64_t size;
    key_of(w, key);
    if (bucket_fd(bucket, key, &fd, &size, NULL) != OK)
        return false;
    close(fd);
    return size == w->len;
}

static void clash(struct work *w, const char *with)
{
    err_set(&w->why, ERR_CONFLICT, "there is another picture of this name, with other content%s", with);
    fail(w);
}

/* Items in stage `from` become NEW, REPAIR (the row is there, the file is not), SKIPPED or FAILED. */
static enum status compare(struct batch *b, enum stage from, struct error *err)
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
        if (known[i].filename && strcmp(known[i].sha256, w->sha256) != 0)
            clash(w, "");
        else if (known[i].filename)
            w->stage = from == WRITTEN || bucket_has(b->run->bucket, w) ? SKIPPED : REPAIR;
        for (size_t k = 0; k < i && w->stage == NEW; k++)
            if (asked[k]->stage == NEW && strcmp(names[k], names[i]) == 0) {
                if (strcmp(asked[k]->sha256, w->sha256) == 0)
                    w->stage = SKIPPED;
                else
                    clash(w, ", in this import");
            }
    }
    return OK;
}

/* --- step 3: decode and write --- */

/* A name that lies about its content would be served and saved under the wrong kind. */
static enum status check_ending(const char *filename, enum image_kind kind, struct error *err)
{
    static const struct {
        const char *ending;
        enum image_kind kind;
    } endings[] = {{"jpg", IMAGE_JPEG}, {"jpeg", IMAGE_JPEG}, {"jpe", IMAGE_JPEG}, {"jfif", IMAGE_JPEG},
                   {"png", IMAGE_PNG},  {"webp", IMAGE_WEBP}, {"gif", IMAGE_GIF},  {"svg", IMAGE_SVG}};
    const char *dot = strrchr(filename, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (endings[i].kind == kind && strcasecmp(dot + 1, endings[i].ending) == 0)
            return OK;
    return err_set(err, ERR_INVALID, "the content is %s, so the name should end in .%s", image_mime(kind),
                   image_extension(kind));
}

static void decode_one(void *arg, size_t i)
{
    struct batch *b = arg;
    struct work *w = &b->items[i];
    char key[STORE_MAX_FILENAME + 8];
    if ((w->stage != NEW && w->stage != REPAIR) || is_stopped(b->run))
        return;
    if (w->stage == NEW) {
        struct image im;
        if (image_decode(w->data, w->len, SVG_SIDE, &im, &w->why) != OK ||
            check_ending(w->item->filename, im.kind, &w->why) != OK) {
            image_free(&im);
            fail(w);
            return;
        }
        w->shape = im;
        w->shape.pixels = NULL;
        image_free(&im);
    }
    key_of(w, key);
    if (bucket_put_later(b->run->bucket, key, w->data, w->len, &w->bucket_io) == OK)
        w->stage = w->stage == NEW ? WRITTEN : SKIPPED;
}

/* --- step 4: rows --- */

static enum status analyze(const char *text, struct arena *a, struct buf *folded, char **stems, struct error *err)
{
    struct text_terms terms;
    enum status st = text_analyze(text, strlen(text), MAX_TERMS, a, &terms, err);
    if (st != OK)
        return st;
    char *plain = text_join_folded(&terms, a);
    *stems = text_join_stems(&terms, a);
    if (!plain || !*stems)
        return err_set(err, ERR_NO_MEMORY, "too many words in one batch");
    if (folded->len && *plain)
        buf_putc(folded, ' ');
    buf_puts(folded, plain);
    return OK;
}

static enum status make_terms(const struct import_item *item, struct arena *a, struct sticker_terms *out,
                              struct error *err)
{
    struct buf words, folded;
    char *title, *all, *filename;
    const char *dot = strrchr(item->filename, '.');
    char *base = arena_strndup(a, item->filename, dot ? (size_t)(dot - item->filename) : strlen(item->filename));
    buf_init(&words, IMPORT_MAX_LANGUAGES * (IMPORT_MAX_WORDS + 2));
    buf_init(&folded, BATCH_ARENA);
    for (size_t i = 0; i < item->n_words; i++) {
        buf_puts(&words, i ? ", " : "");
        buf_puts(&words, item->words[i].words);
    }
    enum status st = base ? buf_status(&words, err) : err_set(err, ERR_NO_MEMORY, "too many words in one batch");
    if (st == OK)
        st = analyze(item->title, a, &folded, &title, err);
    if (st == OK)
        st = analyze(buf_str(&words), a, &folded, &all, err);
    if (st == OK)
        st = analyze(base, a, &folded, &filename, err);
    if (st == OK)
        st = buf_status(&folded, err);
    if (st == OK) {
        *out = (struct sticker_terms){
            .title = title, .words = all, .filename = filename, .folded = arena_strdup(a, buf_str(&folded))};
        if (!out->folded)
            st = err_set(err, ERR_NO_MEMORY, "too many words in one batch");
    }
    buf_free(&words);
    buf_free(&folded);
    return st;
}

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
            st = make_terms(item, &b->arena, &terms[n], err);
            if (st != OK)
                return err_prefix(err, "%s", item->filename);
            stickers[n++] = (struct sticker){.filename = item->filename,
                                             .title = item->title,
                                             .pack = item->pack,
                                             .author = item->author,
                                             .license = item->license,
                                             .source = item->source,
                                             .sha256 = w->sha256,
                                             .mime = image_mime(w->shape.kind),
                                             .bytes = (int64_t)w->len,
                                             .width = (int32_t)w->shape.width,
                                             .height = (int32_t)w->shape.height,
                                             .words = item->words,
                                             .n_words = item->n_words};
        }
        st = n ? sticker_store_add(b->run->store, stickers, terms, n, err) : OK;
        if (st == OK)
            *added = n;
        if (st != ERR_CONFLICT)
            return st;
        st = compare(b, WRITTEN, err); /* somebody else was faster with one of them */
        if (st != OK)
            return st;
    }
    return err_set(err, ERR_CONFLICT, "stickers of the same names are being added by others again and again");
}

static enum status run_batch(struct batch *b, size_t *added, struct error *err)
{
    *added = 0;
    pool_for(b->run->pool, b->n, read_one, b);
    enum status st = compare(b, READ, err);
    if (st != OK)
        return st;
    pool_for(b->run->pool, b->n, decode_one, b);
    for (size_t i = 0; i < b->n; i++)
        if (b->items[i].bucket_io.code != OK) {
            *err = b->items[i].bucket_io;
            return err->code;
        }
    bool wrote = false;
    for (size_t i = 0; i < b->n; i++)
        wrote = wrote || b->items[i].stage == WRITTEN || b->items[i].stage == SKIPPED;
    st = wrote ? bucket_sync(b->run->bucket, err) : OK;
    return st == OK ? add_rows(b, added, err) : st;
}

static void settle(struct batch *b, size_t added, struct import_list *list)
{
    list->added += added;
    for (size_t i = 0; i < b->n; i++) {
        struct work *w = &b->items[i];
        list->skipped += w->stage == SKIPPED;
        if (w->stage == FAILED)
            import_list_fail(list, w->item->path ? w->item->path : w->item->filename, w->why.message);
        free(w->owned);
    }
}

enum status import_run(const struct import_run *run, struct import_list *list, struct error *err)
{
    struct batch *b = calloc(1, sizeof *b);
    enum status st = OK;
    if (!b)
        return err_set(err, ERR_NO_MEMORY, "no memory to import");
    b->run = run;
    arena_init(&b->arena, BATCH_ARENA);
    bucket_tidy(run->bucket, "media");
    for (size_t next = 0; st == OK && next < list->n;) {
        size_t bytes = 0, added;
        memset(b->items, 0, sizeof b->items);
        for (b->n = 0; b->n < BATCH && next < list->n; b->n++, next++) {
            bytes += list->items[next].len;
            if (b->n && bytes > BATCH_BYTES)
                break;
            b->items[b->n].item = &list->items[next];
        }
        if (is_stopped(run))
            st = err_set(err, ERR_CANCELLED, "stopped");
        else
            st = run_batch(b, &added, err);
        if (st == OK)
            settle(b, added, list);
        else
            for (size_t i = 0; i < b->n; i++)
                free(b->items[i].owned);
        if (st == OK && is_stopped(run) && list->added + list->skipped + list->failed < list->n)
            st = err_set(err, ERR_CANCELLED, "stopped");
        if (run->progress)
            run->progress(run->ctx, next, list->n);
    }
    arena_free(&b->arena);
    free(b);
    return st;
}
