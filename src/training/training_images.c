/* training_images.c: images with what people found them by. A caption is a search for which the sticker was voted up.
 *
 * WebDataset has a sample for each pair, in an order by their hashes, so that a program that reads shards one after the
 * other meets them mixed. TSV and imagefolder have each image once. */
#include "training/training_internal.h"

#include "base/json_out.h"
#include "base/os.h"
#include "training/tar.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_BYTES (33u << 20)
#define HASH_BYTES  16u

/* --- pairs, sorted --- */

static bool webdataset(const struct training *t)
{
    return strcmp(t->cfg.kind, "webdataset") == 0;
}

/* What is said of a pair beside its caption, as members of an object. */
static void put_facts(struct buf *out, const struct training_query *q, const struct training_item *item,
                      size_t negatives)
{
    buf_puts(out, "\"query\":");
    json_put_string(out, q->query);
    buf_puts(out, ",\"language\":");
    json_put_string(out, q->language);
    buf_printf(out, ",\"up\":%lld,\"down\":%lld,\"score\":%.4f,\"negatives\":[", (long long)item->said->up,
               (long long)item->said->down, item->score);
    for (size_t i = 0; i < q->n_bad && i < negatives; i++) {
        const struct training_item *bad = &q->items[q->n_good + i];
        buf_puts(out, i ? ",{\"sticker\":" : "{\"sticker\":");
        json_put_string(out, bad->said->name);
        buf_printf(out, ",\"kind\":\"%s\"}", bad->voted ? "voted" : "skipped_above");
    }
    buf_puts(out, "]");
}

/* split, hash of the pair, sticker \0 query \0 facts; or split, sticker \0, place among its captions, query \0. */
static enum status add_pair(struct training *t, struct sorter *to, const struct training_query *q,
                            const struct training_item *item, struct error *err)
{
    char pair[2048], hex[65];
    buf_reset(&t->text);
    buf_putc(&t->text, (char)q->split);
    if (webdataset(t)) {
        snprintf(pair, sizeof pair, "%s\n%s", q->query, item->said->name);
        os_sha256_hex(pair, strlen(pair), hex);
        buf_append(&t->text, hex, HASH_BYTES);
    }
    buf_append(&t->text, item->said->name, strlen(item->said->name) + 1);
    if (!webdataset(t))
        buf_printf(&t->text, "%05d", (int)(10000 * (1 - item->score)));
    buf_append(&t->text, q->query, strlen(q->query) + 1);
    if (webdataset(t))
        put_facts(&t->text, q, item, (size_t)t->cfg.negatives);
    enum status st = buf_status(&t->text, err);
    if (st == OK)
        st = sorter_add(to, t->text.data, t->text.len, err);
    buf_reset(&t->text);
    return st;
}

static enum status sort_pairs(struct training *t, struct sorter **out, struct error *err)
{
    struct training_query q;
    bool found = true;
    int64_t pairs = 0;
    enum status st = sorter_open(t->state, TRAINING_SORT_BYTES, out, err);
    while (st == OK && (st = training_next(t, &q, &found, err)) == OK && found) {
        int64_t before = pairs;
        for (size_t i = 0; i < q.n_good && q.items[i].voted && st == OK; i++, pairs++)
            st = add_pair(t, *out, &q, &q.items[i], err);
        t->queries[q.split] += pairs > before;
    }
    t->done = 0;
    t->total = pairs;
    return st == OK ? sorter_end(*out, err) : st;
}

/* A pair as it comes back; it lives in the arena. */
struct pair {
    enum split split;
    const char *sticker, *query, *facts;
};

static enum status next_pair(struct training *t, struct sorter *from, struct pair *out, bool *found, struct error *err)
{
    const void *record;
    size_t len, skip = webdataset(t) ? HASH_BYTES : 0;
    arena_reset(&t->arena);
    enum status st = training_go_on(t, err);
    if (st == OK)
        st = sorter_next(from, &record, &len, err);
    *found = st == OK && record;
    if (!*found)
        return st;
    t->done++;
    char *copy = arena_strndup(&t->arena, record, len);
    if (!copy)
        return err_no_memory(err, "a pair");
    out->split = (enum split)copy[0];
    out->sticker = copy + 1 + skip;
    out->query = out->sticker + strlen(out->sticker) + 1 + (skip ? 0 : 5);
    out->facts = out->query + strlen(out->query) + 1;
    return OK;
}

/* An image that cannot be had is no failure: *extension is NULL then. */
static enum status get_image(struct training *t, const struct sticker *sticker, struct buf *image,
                             const char **extension, struct error *err)
{
    *extension = NULL;
    buf_reset(image);
    enum status st = t->cfg.image(t->cfg.ctx, sticker, image, extension, err);
    if (st == OK)
        return OK;
    *extension = NULL;
    return st == ERR_NOT_FOUND || st == ERR_CORRUPT || st == ERR_TOO_LARGE || st == ERR_UNSUPPORTED ? OK : st;
}

/* --- WebDataset --- */

struct shard {
    struct training_file file; /* out NULL: there is none, or it was written before a crash */
    int64_t number, samples;   /* samples that were meant for it */
    enum split split;
    bool open, whole; /* whole: of before */
};

static void shard_name(const struct shard *s, char out[64])
{
    snprintf(out, 64, "%s-%06lld.tar", split_names[s->split], (long long)s->number);
}

static enum status shard_open(struct training *t, struct shard *s, struct error *err)
{
    char name[64], path[PATH_MAX];
    int64_t n = 0;
    shard_name(s, name);
    s->open = true;
    s->samples = 0;
    enum status st = training_path(t, name, path, err);
    s->whole = st == OK && access(path, F_OK) == 0;
    if (!s->whole)
        return st == OK ? training_create(t, name, &s->file, err) : st;
    st = tar_count(path, ".txt", &n, err);
    t->rows[s->split] += n;
    t->left_out -= n; /* and one more is left out for each sample that is not read */
    return st;
}

static enum status shard_close(struct shard *s, enum status st, struct error *err)
{
    if (s->file.out && st == OK)
        st = tar_end(s->file.out, err) == OK ? OK : err_prefix(err, "%s", s->file.part);
    s->open = false;
    s->number++;
    return training_close(&s->file, st, err);
}

static enum status put_sample(struct training *t, struct shard *s, const struct pair *p, const struct sticker *sticker,
                              const struct buf *image, const char *extension, struct error *err)
{
    char name[64];
    int64_t number = s->number * t->cfg.shard + s->samples;
    snprintf(name, sizeof name, "%09lld.%s", (long long)number, extension);
    enum status st = tar_add(s->file.out, name, image->data, image->len, err);
    if (st == OK) {
        snprintf(name, sizeof name, "%09lld.txt", (long long)number);
        st = tar_add(s->file.out, name, p->query, strlen(p->query), err);
    }
    buf_reset(&t->text);
    buf_printf(&t->text, "{%s,\"sticker\":", p->facts);
    json_put_string(&t->text, sticker->filename);
    buf_puts(&t->text, ",\"author\":");
    json_put_string(&t->text, sticker->author);
    buf_puts(&t->text, ",\"license\":");
    json_put_string(&t->text, sticker->license);
    buf_puts(&t->text, ",\"source\":");
    json_put_string(&t->text, sticker->source);
    buf_puts(&t->text, "}");
    if (st == OK)
        st = buf_status(&t->text, err);
    if (st == OK) {
        snprintf(name, sizeof name, "%09lld.json", (long long)number);
        st = tar_add(s->file.out, name, t->text.data, t->text.len, err);
    }
    buf_reset(&t->text);
    t->rows[s->split]++;
    return st == OK ? OK : err_prefix(err, "%s", s->file.part);
}

/* A sample of a shard that is there is only credited. */
static enum status take_sample(struct training *t, struct shard *s, const struct pair *p, struct buf *image,
                               struct error *err)
{
    struct sticker sticker;
    const char *extension = NULL;
    enum status st = sticker_store_get(t->cfg.store, p->sticker, &t->arena, &sticker, err);
    if (st == OK)
        st = training_credit(t, &sticker, err);
    if (st == OK && !s->whole)
        st = get_image(t, &sticker, image, &extension, err);
    if (st == OK && extension)
        st = put_sample(t, s, p, &sticker, image, extension, err);
    t->left_out += extension == NULL;
    s->samples++;
    return st == ERR_NOT_FOUND ? OK : st;
}

enum status training_write_webdataset(struct training *t, struct error *err)
{
    struct sorter *pairs = NULL;
    struct shard shard = {.file = {.out = NULL}};
    struct pair p;
    struct buf image;
    bool found = true;
    buf_init(&image, IMAGE_BYTES);
    enum status st = sort_pairs(t, &pairs, err);
    while (st == OK && (st = next_pair(t, pairs, &p, &found, err)) == OK && found) {
        if (shard.open && (shard.samples == t->cfg.shard || shard.split != p.split))
            st = shard_close(&shard, st, err);
        if (shard.split != p.split)
            shard.number = 0;
        shard.split = p.split;
        if (st == OK && !shard.open)
            st = shard_open(t, &shard, err);
        if (st == OK)
            st = take_sample(t, &shard, &p, &image, err);
    }
    if (shard.open)
        st = shard_close(&shard, st, err);
    sorter_close(pairs);
    buf_free(&image);
    return st;
}

/* --- TSV, imagefolder --- */

static bool tsv(const struct training *t)
{
    return strcmp(t->cfg.kind, "tsv") == 0;
}

/* One sticker with its captions. */
struct picture {
    char sticker[STICKER_FILENAME_MAX + 1];
    char file[32]; /* "000000001.webp"; "": it has no image */
    enum split split;
    int64_t number;      /* of the last image */
    struct buf captions; /* of imagefolder: the first as "text", all in a list */
    int64_t n_captions;
};

/* Puts the image where its rows say that it is. */
static enum status place_image(struct training *t, struct picture *pic, struct buf *image, struct error *err)
{
    struct sticker sticker;
    const char *extension = NULL;
    char name[96], path[PATH_MAX];
    pic->file[0] = '\0';
    pic->number++;
    enum status st = sticker_store_get(t->cfg.store, pic->sticker, &t->arena, &sticker, err);
    if (st == OK)
        st = get_image(t, &sticker, image, &extension, err);
    if (st == ERR_NOT_FOUND || (st == OK && !extension))
        t->left_out++;
    if (st != OK || !extension)
        return st == ERR_NOT_FOUND ? OK : st;
    snprintf(pic->file, sizeof pic->file, "%09lld.%s", (long long)pic->number, extension);
    snprintf(name, sizeof name, "%s/%s", tsv(t) ? "images" : split_names[pic->split], pic->file);
    st = training_path(t, name, path, err);
    if (st == OK)
        st = os_write_file(path, image->data, image->len, err);
    return st == OK ? training_credit(t, &sticker, err) : st;
}

/* pandas, by which open_clip reads it, takes a quotation mark for the beginning of a quoted field. */
static void put_quoted(struct buf *out, const char *s)
{
    bool quotes = strchr(s, '"') != NULL;
    if (quotes)
        buf_putc(out, '"');
    for (; *s; s++) {
        if (*s == '"')
            buf_putc(out, '"');
        buf_putc(out, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
    }
    if (quotes)
        buf_putc(out, '"');
}

static enum status picture_ends(struct training *t, struct picture *pic, struct training_file *to, struct error *err)
{
    if (!pic->n_captions || tsv(t))
        return OK;
    buf_reset(&t->text);
    buf_printf(&t->text, "{\"file_name\":\"%s\",%s],\"sticker\":", pic->file, buf_str(&pic->captions));
    json_put_string(&t->text, pic->sticker);
    buf_puts(&t->text, "}\n");
    enum status st = buf_status(&pic->captions, err);
    buf_reset(&pic->captions);
    pic->n_captions = 0;
    t->rows[pic->split]++;
    return st == OK ? training_put(t, to, err) : st;
}

static enum status put_caption(struct training *t, struct picture *pic, const char *query, struct training_file *to,
                               struct error *err)
{
    if (!*pic->file)
        return OK;
    if (tsv(t)) {
        buf_printf(&t->text, "images/%s\t", pic->file);
        put_quoted(&t->text, query);
        buf_putc(&t->text, '\n');
        t->rows[pic->split]++;
        return training_put(t, to, err);
    }
    if (!pic->n_captions) {
        buf_puts(&pic->captions, "\"text\":");
        json_put_string(&pic->captions, query);
    }
    if (pic->n_captions < EVIDENCE_STICKERS) {
        buf_puts(&pic->captions, pic->n_captions ? "," : ",\"captions\":[");
        json_put_string(&pic->captions, query);
        pic->n_captions++;
    }
    return OK;
}

static enum status make_folders(struct training *t, struct error *err)
{
    char path[PATH_MAX];
    enum status st = OK;
    for (size_t i = 0; i < (tsv(t) ? 1 : SPLITS) && st == OK; i++) {
        st = training_path(t, tsv(t) ? "images" : split_names[i], path, err);
        if (st == OK && mkdir(path, 0777) != 0 && errno != EEXIST)
            st = err_errno(err, "%s", path);
    }
    return st;
}

static enum status write_pictures(struct training *t, struct sorter *pairs, struct training_file files[SPLITS],
                                  struct error *err)
{
    struct picture pic = {.number = 0};
    struct buf image;
    struct pair p;
    bool found = true;
    enum status st = OK;
    buf_init(&image, IMAGE_BYTES);
    buf_init(&pic.captions, 4u << 20);
    while (st == OK && (st = next_pair(t, pairs, &p, &found, err)) == OK && found) {
        bool first = strcmp(pic.sticker, p.sticker) != 0;
        if (first || pic.split != p.split) {
            st = picture_ends(t, &pic, &files[pic.split], err);
            snprintf(pic.sticker, sizeof pic.sticker, "%s", p.sticker);
            pic.split = p.split;
            if (st == OK)
                st = place_image(t, &pic, &image, err);
        }
        if (st == OK)
            st = put_caption(t, &pic, p.query, &files[pic.split], err);
    }
    if (st == OK)
        st = picture_ends(t, &pic, &files[pic.split], err);
    buf_free(&pic.captions);
    buf_free(&image);
    return st;
}

enum status training_write_images(struct training *t, struct error *err)
{
    struct training_file files[SPLITS] = {{.out = NULL}};
    struct sorter *pairs = NULL;
    enum status st = make_folders(t, err);
    if (st == OK)
        st = sort_pairs(t, &pairs, err);
    if (st == OK)
        st = training_create_splits(t, tsv(t) ? ".tsv" : "/metadata.jsonl", files, err);
    for (size_t i = 0; i < SPLITS && st == OK && tsv(t); i++) {
        buf_puts(&t->text, "filepath\ttitle\n");
        st = training_put(t, &files[i], err);
    }
    if (st == OK)
        st = write_pictures(t, pairs, files, err);
    sorter_close(pairs);
    return training_close_splits(files, st, err);
}
