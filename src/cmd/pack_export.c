/* A pack as a file for others: a zip that `peel import` reads, stickers for WhatsApp, or an image pack of Matrix. Each
 * format is a function over the same list of stickers. */
#include "cmd/pack.h"

#include "base/csv.h"
#include "base/os.h"
#include "cmd/cmd.h"
#include "cmd/progress.h"
#include "image/image.h"
#include "sandbox/sandbox.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY      (256u << 20)
#define TABLE_MAX   (64u << 20) /* bytes, as an import reads */
#define WAIT_MS     60000u
#define WA_SIDE     512u /* pixels; these are WhatsApp's limits */
#define WA_TRAY     96u
#define WA_BYTES    (100u << 10)
#define WA_MOVING   (500u << 10) /* bytes, of those that move */
#define WA_LONGEST  10000u       /* ms */
#define WA_LEAST    3u
#define WA_MOST     30u
#define MATRIX_SIDE 512u /* pixels, of drawings */
#define MXC_NOWHERE "mxc://peel.invalid/"

struct pack_file_job {
    struct sticker_store *store;
    struct bucket *bucket;
    struct sandbox *sandbox;
    struct http_client *matrix; /* the homeserver to upload to, or NULL */
    const char *pack, *path;
    struct pack_row row;
    const char *author, *license; /* of the pack, "" where nobody knows */
    const char **names;           /* [n] in the arena */
    size_t n, left_out, written;  /* the latter two: for WhatsApp */
    struct arena arena;
    struct progress progress;
    struct buf image;     /* of the sticker that get_sticker read last */
    struct arena sticker; /* and what is said of it */
};

static enum status find_pack(struct pack_file_job *job, struct error *err)
{
    struct pack_credits by;
    enum status st = sticker_store_pack(job->store, job->pack, &job->arena, &job->row, &by, err);
    if (st == OK)
        st = sticker_store_pack_order(job->store, job->pack, &job->arena, &job->names, &job->n, err);
    job->author = pack_author(&job->row, &by);
    job->license = *job->row.about.license ? job->row.about.license : by.n_licenses == 1 ? by.licenses[0] : "";
    return st;
}

/* A sticker, and its image if it is wanted; until the next call. */
static enum status get_sticker(struct pack_file_job *job, const char *filename, bool with_image, struct sticker *out,
                               struct error *err)
{
    char key[STICKER_FILENAME_MAX + 8];
    snprintf(key, sizeof key, "media/%s", filename);
    arena_reset(&job->sticker);
    buf_reset(&job->image);
    if (cmd_stopped())
        return err_set(err, ERR_CANCELLED, "stopped");
    enum status st = sticker_store_get(job->store, filename, &job->sticker, out, err);
    return st == OK && with_image ? bucket_get(job->bucket, key, &job->image, err) : st;
}

/* The i-th one. */
static enum status next_sticker(struct pack_file_job *job, size_t i, bool with_image, struct sticker *out,
                                struct error *err)
{
    progress_show(&job->progress, (int64_t)i, (int64_t)job->n);
    return get_sticker(job, job->names[i], with_image, out, err);
}

/* --- a zip for `peel import` --- */

static void put_row(struct buf *csv, const struct sticker *k, const struct sticker_words *list, const char *title,
                    bool first)
{
    const char *cells[] = {k->filename,
                           title,
                           list ? list->words : "",
                           list ? list->language : "en",
                           first ? k->author : "",
                           first ? k->license : "",
                           first ? k->source : "",
                           first ? rating_name(k->rating) : "",
                           first ? k->animated ? "true" : "false" : "",
                           first ? k->pack : ""};
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        buf_puts(csv, i ? "," : "");
        csv_put_cell(csv, cells[i]);
    }
    buf_puts(csv, "\r\n");
}

/* English comes first, as the first row's title is the sticker's own. */
static void put_rows(struct buf *csv, const struct sticker *k)
{
    const struct sticker_words *english = NULL;
    for (size_t i = 0; i < k->n_words && !english; i++)
        english = strcmp(k->words[i].language, "en") == 0 ? &k->words[i] : NULL;
    put_row(csv, k, english, k->title, true);
    for (size_t i = 0; i < k->n_words; i++)
        if (&k->words[i] != english)
            put_row(csv, k, &k->words[i], k->words[i].title ? k->words[i].title : "", false);
}

static void put_credit(struct buf *credits, const struct sticker *k)
{
    buf_printf(credits, "%s: \"%s\", by %s, licence: %s%s%s\n", k->filename, k->title,
               *k->author ? k->author : "an unknown author", *k->license ? k->license : "unknown",
               *k->source ? ", from " : "", k->source);
}

/* What is said of the pack as a whole, which stickers.csv has no place for. */
static enum status add_about(const struct pack_file_job *job, struct zip_writer *z, struct error *err)
{
    const struct pack_about *about = &job->row.about;
    json_t *root =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", about->name, "title", pack_title(about), "author",
                  about->author, "license", about->license, "source", about->source, "cover", about->cover);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    enum status st = text ? zip_add(z, "pack.json", text, strlen(text), err) : err_no_memory(err, "the pack");
    free(text);
    json_decref(root);
    return st;
}

static enum status write_zip(struct pack_file_job *job, struct error *err)
{
    struct zip_writer *z;
    struct sticker k;
    struct buf csv, credits;
    buf_init(&csv, TABLE_MAX);
    buf_init(&credits, TABLE_MAX);
    buf_printf(&credits, "%s%s%s%s%s%s%s\n\n", pack_title(&job->row.about), *job->author ? ", by " : "", job->author,
               *job->license ? ", licence: " : "", job->license, *job->row.about.source ? ", from " : "",
               job->row.about.source);
    buf_puts(&csv, "filename,title,words,language,author,license,source,rating,animated,pack\r\n");
    enum status st = zip_create(job->path, &z, err);
    for (size_t i = 0; st == OK && i < job->n; i++) {
        st = next_sticker(job, i, true, &k, err);
        if (st == OK) {
            put_rows(&csv, &k);
            put_credit(&credits, &k);
            st = zip_add(z, k.filename, job->image.data, job->image.len, err);
        }
    }
    if (st == OK)
        st = buf_status(&csv, err);
    if (st == OK)
        st = buf_status(&credits, err);
    if (st == OK)
        st = zip_add(z, "stickers.csv", csv.data, csv.len, err);
    if (st == OK)
        st = zip_add(z, "CREDITS.txt", credits.data, credits.len, err);
    if (st == OK && job->row.modified_us)
        st = add_about(job, z, err);
    buf_free(&csv);
    buf_free(&credits);
    return zip_close(z, st, err);
}

/* --- WhatsApp --- */

/* The image that was read last, still, as the icon of the pack in WhatsApp's tray. */
static enum status add_tray(struct pack_file_job *job, struct zip_writer *z, struct error *err)
{
    struct sandbox_image file = {.data = job->image.data, .len = job->image.len, .wait_ms = WAIT_MS};
    struct image im = {0}, tray = {0};
    struct buf out;
    buf_init(&out, 8u << 20);
    enum status st = sandbox_decode(job->sandbox, &file, WA_TRAY, &im, err);
    if (st == OK)
        st = image_fit_square(&im, WA_TRAY, &tray, err);
    if (st == OK)
        st = image_encode(&tray, IMAGE_PNG, &out, err);
    if (st == OK)
        st = zip_add(z, "tray.png", out.data, out.len, err);
    buf_free(&out);
    image_free(&im);
    image_free(&tray);
    return st;
}

/* The same as WebP of the best quality that fits. */
static enum status encode_still(struct sandbox *sandbox, const struct sandbox_image *file, struct buf *out,
                                struct error *err)
{
    static const float qualities[] = {90, 75, 60, 45, 30, 15};
    struct image im = {0}, square = {0};
    enum status st = sandbox_decode(sandbox, file, WA_SIDE, &im, err);
    if (st == OK)
        st = image_fit_square(&im, WA_SIDE, &square, err);
    for (size_t i = 0; st == OK && i < sizeof qualities / sizeof *qualities && (!i || out->len > WA_BYTES); i++) {
        buf_reset(out);
        st = image_encode_webp(&square, qualities[i], out, err);
    }
    image_free(&im);
    image_free(&square);
    return st;
}

/* An animation likewise, of which frames go, too; what is longer is cut off. */
static enum status encode_moving(struct sandbox *sandbox, const struct sandbox_image *file, struct buf *out,
                                 struct error *err)
{
    static const struct image_square tries[] = {{WA_SIDE, 75, 25, WA_LONGEST},
                                                {WA_SIDE, 50, 40, WA_LONGEST},
                                                {WA_SIDE, 30, 66, WA_LONGEST},
                                                {WA_SIDE, 10, 100, WA_LONGEST}};
    enum status st = OK;
    for (size_t i = 0; st == OK && i < sizeof tries / sizeof *tries && (!i || out->len > WA_MOVING); i++) {
        buf_reset(out);
        st = sandbox_square_animation(sandbox, file, &tries[i], out, err);
    }
    return st;
}

static enum status add_wa_sticker(struct pack_file_job *job, struct zip_writer *z, size_t number, bool moving,
                                  struct error *err)
{
    struct sandbox_image file = {.data = job->image.data, .len = job->image.len, .wait_ms = WAIT_MS};
    struct buf out;
    char name[32];
    unsigned most = moving ? WA_MOVING : WA_BYTES;
    buf_init(&out, IMAGE_MAX_BYTES);
    snprintf(name, sizeof name, "%02zu.webp", number);
    enum status st = (moving ? encode_moving : encode_still)(job->sandbox, &file, &out, err);
    if (st == OK && out.len > most)
        st = err_set(err, ERR_TOO_LARGE, "it does not fit into %u bytes", most);
    if (st == OK)
        st = zip_add(z, name, out.data, out.len, err);
    buf_free(&out);
    return st;
}

/* Stickers that all move, or none does, as WhatsApp wants them in a file. */
struct wa_group {
    const char **names; /* [n] in the arena */
    size_t n;
    bool moving;
};

/* All are stills where too few move. */
static enum status split_by_motion(struct pack_file_job *job, struct wa_group groups[2], struct error *err)
{
    struct sticker k;
    enum status st = OK;
    groups[0] = (struct wa_group){.names = arena_array(&job->arena, job->n, sizeof *job->names)};
    groups[1] = (struct wa_group){.names = arena_array(&job->arena, job->n, sizeof *job->names), .moving = true};
    if (!groups[0].names || !groups[1].names)
        return err_no_memory(err, "the names of the stickers");
    for (size_t i = 0; st == OK && i < job->n; i++) {
        st = get_sticker(job, job->names[i], false, &k, err);
        struct wa_group *g = &groups[st == OK && k.animated && k.frames != 1];
        g->names[g->n++] = job->names[i];
    }
    if (groups[1].n < WA_LEAST) {
        groups[0] = (struct wa_group){.names = job->names, .n = job->n};
        groups[1].n = 0;
    }
    return st;
}

/* The group's stickers from `first` to before `end`, in the file number `part`, from 1. */
static enum status write_wa_part(struct pack_file_job *job, const struct wa_group *g, size_t first, size_t end,
                                 size_t part, struct error *err)
{
    char path[PATH_MAX], title[STICKER_FILTER_PACK_MAX + 32];
    const char *author = *job->author ? job->author : "unknown";
    size_t stem = strlen(job->path) - strlen(".wastickers");
    struct zip_writer *z = NULL;
    struct sticker k;
    if (snprintf(path, sizeof path, part > 1 ? "%.*s-%zu.wastickers" : "%.*s.wastickers", (int)stem, job->path, part) >=
        (int)sizeof path)
        return err_set(err, ERR_INVALID, "the path of the file is too long");
    snprintf(title, sizeof title, part > 1 ? "%s %zu" : "%s", pack_title(&job->row.about), part);
    enum status st = zip_create(path, &z, err);
    if (st == OK)
        st = zip_add(z, "title.txt", title, strlen(title), err);
    if (st == OK)
        st = zip_add(z, "author.txt", author, strlen(author), err);
    if (st == OK)
        st = get_sticker(job, job->row.cover, true, &k, err);
    if (st == OK)
        st = add_tray(job, z, err);
    for (size_t i = first; st == OK && i < end; i++) {
        progress_show(&job->progress, (int64_t)job->written++, (int64_t)job->n);
        st = get_sticker(job, g->names[i], true, &k, err);
        if (st == OK && add_wa_sticker(job, z, i - first + 1, g->moving, err) != OK)
            st = err_prefix(err, "%.255s", k.filename);
    }
    return zip_close(z, st, err);
}

static enum status write_wastickers(struct pack_file_job *job, struct error *err)
{
    struct wa_group groups[2];
    size_t part = 0;
    if (job->n < WA_LEAST)
        return err_set(err, ERR_INVALID, "WhatsApp wants at least %u stickers in a pack, this one has %zu", WA_LEAST,
                       job->n);
    enum status st = split_by_motion(job, groups, err);
    if (groups[0].n < WA_LEAST) {
        job->left_out = groups[0].n;
        groups[0].n = 0;
    }
    for (const struct wa_group *g = groups; st == OK && g < groups + 2; g++) {
        size_t parts = (g->n + WA_MOST - 1) / WA_MOST; /* all of about the same size */
        for (size_t i = 0; st == OK && i < parts; i++)
            st = write_wa_part(job, g, g->n * i / parts, g->n * (i + 1) / parts, ++part, err);
    }
    return st;
}

/* --- Matrix: MSC2545. Without --matrix-url the addresses of images are placeholders. --- */

/* What clients of Matrix show; all else goes there as PNG. */
static enum status matrix_form(struct pack_file_job *job, struct sticker *k, struct error *err)
{
    static const char *const shown[] = {"image/png", "image/jpeg", "image/gif", "image/webp"};
    struct sandbox_image file = {.data = job->image.data, .len = job->image.len, .wait_ms = WAIT_MS};
    struct image im = {0};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(k->mime, shown[i]) == 0)
            return OK;
    enum status st = sandbox_decode(job->sandbox, &file, MATRIX_SIDE, &im, err);
    buf_reset(&job->image);
    if (st == OK)
        st = image_encode(&im, IMAGE_PNG, &job->image, err);
    k->mime = image_mime(IMAGE_PNG);
    k->bytes = (int64_t)job->image.len;
    k->width = (int32_t)im.width;
    k->height = (int32_t)im.height;
    image_free(&im);
    return st;
}

/* The sticker that was read last, as a member of "images". */
static enum status add_matrix_image(struct pack_file_job *job, struct sticker *k, const char *code, json_t *images,
                                    json_t *about, struct error *err)
{
    const char *url = arena_printf(&job->sticker, MXC_NOWHERE "%.32s", k->sha256);
    enum status st = job->matrix ? matrix_form(job, k, err) : OK;
    if (st == OK && job->matrix)
        st = matrix_upload(job->matrix, code, k->mime, job->image.data, job->image.len, &job->sticker, &url, err);
    if (st != OK)
        return st;
    json_t *image = url ? json_pack("{s:s, s:s, s:{s:i, s:i, s:I, s:s}}", "url", url, "body", k->title, "info", "w",
                                    k->width, "h", k->height, "size", (json_int_t)k->bytes, "mimetype", k->mime)
                        : NULL;
    if (!image || json_object_set_new(images, code, image) != 0)
        return err_no_memory(err, "the pack");
    if (strcmp(k->filename, job->row.cover) == 0)
        json_object_set_new(about, "avatar_url", json_string(url));
    return OK;
}

static enum status write_matrix(struct pack_file_job *job, struct error *err)
{
    struct sticker k;
    json_t *images = json_object(), *about = json_pack("{s:s, s:[s], s:s}", "display_name", pack_title(&job->row.about),
                                                       "usage", "sticker", "attribution", job->author);
    enum status st = images && about ? OK : err_no_memory(err, "the pack");
    for (size_t i = 0; st == OK && i < job->n; i++) {
        st = next_sticker(job, i, job->matrix != NULL, &k, err);
        const char *dot = st == OK ? strrchr(k.filename, '.') : NULL;
        const char *code =
            st == OK ? arena_strndup(&job->sticker, k.filename, dot ? (size_t)(dot - k.filename) : strlen(k.filename))
                     : NULL;
        if (st == OK)
            st = code ? add_matrix_image(job, &k, code, images, about, err) : err_no_memory(err, "the pack");
    }
    json_t *root = json_pack("{s:o, s:o}", "images", images, "pack", about);
    char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
    if (st == OK)
        st = text ? os_write_file(job->path, text, strlen(text), err) : err_no_memory(err, "the pack");
    if (st == OK && !job->matrix)
        fprintf(stderr, "The addresses of the images are placeholders (" MXC_NOWHERE
                        "...): with --matrix-url and --matrix-token-file they are uploaded and get real ones.\n");
    free(text);
    json_decref(root);
    return st;
}

/* --- all of them --- */

static bool ends_with(const char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    return n > m && strcmp(s + n - m, ending) == 0;
}

enum status pack_export(const struct config *cfg, struct sticker_store *store, const char *pack, const char *path,
                        struct error *err)
{
    static const struct {
        const char *ending;
        enum status (*write)(struct pack_file_job *job, struct error *err);
    } formats[] = {{".zip", write_zip}, {".wastickers", write_wastickers}, {".json", write_matrix}};
    struct pack_file_job job = {.store = store, .pack = pack, .path = path};
    struct bucket_s3 s3 = {0};
    size_t f = 0;
    while (f < sizeof formats / sizeof *formats && !ends_with(path, formats[f].ending))
        f++;
    if (f == sizeof formats / sizeof *formats)
        return err_set(err, ERR_INVALID, "%.200s: expected a name that ends in .zip, .wastickers or .json", path);
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "%.200s is there already", path);
    cmd_stop_on_signals();
    arena_init(&job.arena, MEMORY);
    arena_init(&job.sticker, MEMORY);
    buf_init(&job.image, IMAGE_MAX_BYTES);
    enum status st = find_pack(&job, err);
    if (st == OK)
        st = cmd_bucket_s3(cfg, &job.arena, &s3, err);
    if (st == OK)
        st = bucket_open(config_string(cfg, "bucket"), &s3, &job.bucket, err);
    if (st == OK)
        st = sandbox_open(1, &job.sandbox, err);
    if (st == OK && formats[f].write == write_matrix)
        st = matrix_open(cfg, &job.matrix, err);
    if (st == OK) {
        progress_start(&job.progress, "Exporting", config_bool(cfg, "quiet"));
        st = formats[f].write(&job, err);
        st == OK ? progress_end(&job.progress) : progress_clear(&job.progress);
    }
    size_t exported = job.n - job.left_out;
    if (st == OK && job.left_out)
        fprintf(stderr,
                "Left out %zu sticker%s that cannot move: a file for WhatsApp moves or not, and has at least %u.\n",
                job.left_out, job.left_out == 1 ? "" : "s", WA_LEAST);
    if (st == OK && config_bool(cfg, "json"))
        st = cmd_print_json(json_pack("{s:I}", "exported", (json_int_t)exported), err);
    else if (st == OK)
        printf("Exported %zu sticker%s.\n", exported, exported == 1 ? "" : "s");
    http_client_close(job.matrix);
    sandbox_close(job.sandbox);
    bucket_close(job.bucket);
    buf_free(&job.image);
    arena_free(&job.sticker);
    arena_free(&job.arena);
    return st;
}
