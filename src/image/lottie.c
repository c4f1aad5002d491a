/* Lottie animations, which are drawings: as JSON, as Telegram's stickers (.tgs: the same, gzipped) and as dotLottie
 * (.lottie: a zip with it). They are drawn by rlottie, which trusts what it reads: only ever where it may crash, in a
 * worker of sandbox.h. What it cannot draw, pictures and text, is refused.
 *
 * A Lottie of 60 frames a second is drawn with 30: there are at most MAX_FPS. */
#include "image/image_internal.h"

#include "base/json_in.h"

#include <archive.h>
#include <archive_entry.h>
#include <math.h>
#include <rlottie_capi.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAX_JSON    (1u << 20) /* bytes, unpacked */
#define MAX_ENTRIES 64         /* of a zip that are looked at */
#define MAX_LAYERS  500u
#define MAX_SECONDS 60
#define MAX_RATE    120 /* frames a second in the file */
#define MAX_FPS     40
#define CHECKED     256u /* the side at which all frames are drawn as a proof */

enum { LAYER_IMAGE = 2, LAYER_TEXT = 5 };

/* --- unpacking --- */

static enum status too_long(struct error *err)
{
    return err_set(err, ERR_TOO_LARGE, "Lottie of more than %u bytes when it is unpacked", MAX_JSON);
}

static enum status inflate_json(const uint8_t *data, size_t len, struct buf *out, struct error *err)
{
    uint8_t part[16384];
    z_stream z = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return err_no_memory(err, "Lottie");
    int rc;
    do {
        z.next_out = part;
        z.avail_out = sizeof part;
        rc = inflate(&z, Z_NO_FLUSH);
        buf_append(out, part, sizeof part - z.avail_out);
    } while (rc == Z_OK && !out->failed);
    inflateEnd(&z);
    if (out->failed)
        return too_long(err);
    return rc == Z_STREAM_END ? OK : err_set(err, ERR_CORRUPT, "Lottie: gzip data that is damaged or incomplete");
}

/* The first animation of a dotLottie: animations/NAME.json, in version 2 a/NAME.json. */
static bool is_animation(const char *path)
{
    size_t len = path ? strlen(path) : 0;
    return len > 5 && strcmp(path + len - 5, ".json") == 0 &&
           (strncmp(path, "animations/", 11) == 0 || strncmp(path, "a/", 2) == 0);
}

static enum status read_entry(struct archive *zip, struct buf *out, struct error *err)
{
    uint8_t part[16384];
    la_ssize_t n;
    while ((n = archive_read_data(zip, part, sizeof part)) > 0 && !out->failed)
        buf_append(out, part, (size_t)n);
    if (out->failed)
        return too_long(err);
    return n == 0 && out->len ? OK : err_set(err, ERR_CORRUPT, "dotLottie: a zip that is damaged or incomplete");
}

static enum status unzip_json(const uint8_t *data, size_t len, struct buf *out, struct error *err)
{
    struct archive_entry *entry;
    struct archive *zip = archive_read_new();
    enum status st = err_set(err, ERR_CORRUPT, "dotLottie: a zip without an animation, damaged or incomplete");
    if (!zip)
        return err_no_memory(err, "dotLottie");
    if (archive_read_support_format_zip_seekable(zip) == ARCHIVE_OK &&
        archive_read_open_memory(zip, data, len) == ARCHIVE_OK)
        for (int i = 0; i < MAX_ENTRIES && archive_read_next_header(zip, &entry) == ARCHIVE_OK; i++)
            if (is_animation(archive_entry_pathname(entry))) {
                st = read_entry(zip, out, err);
                break;
            }
    archive_read_free(zip);
    return st;
}

static enum status unpack(const uint8_t *data, size_t len, struct buf *out, struct error *err)
{
    switch (image_sniff(data, len)) {
    case IMAGE_TGS:
        return inflate_json(data, len, out, err);
    case IMAGE_DOTLOTTIE:
        return unzip_json(data, len, out, err);
    default:
        buf_append(out, data, len);
        return out->failed ? too_long(err) : OK;
    }
}

bool image_gzip_is_json(const uint8_t *data, size_t len)
{
    uint8_t first[64];
    z_stream z = {
        .next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len, .next_out = first, .avail_out = sizeof first};
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
        return false;
    int rc = inflate(&z, Z_SYNC_FLUSH);
    size_t n = sizeof first - z.avail_out, at = 0;
    inflateEnd(&z);
    while (at < n && strchr(" \t\r\n", first[at]))
        at++;
    return (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR) && at < n && first[at] == '{';
}

/* --- what the JSON says --- */

struct head {
    uint32_t width, height, frames, step; /* every so many frames one is drawn */
    double rate;
};

static enum status check_layers(const json_t *layers, size_t *count, struct error *err)
{
    size_t i;
    const json_t *layer;
    if (!json_is_array(layers))
        return err_set(err, ERR_CORRUPT, "Lottie: no list of layers");
    json_array_foreach(layers, i, layer)
    {
        int64_t type = json_member_int(layer, "ty");
        if (++*count > MAX_LAYERS)
            return err_set(err, ERR_TOO_LARGE, "Lottie of more than %u layers", MAX_LAYERS);
        if (type == LAYER_IMAGE || type == LAYER_TEXT)
            return err_set(err, ERR_UNSUPPORTED, "Lottie with %s, which are not drawn: convert them to shapes",
                           type == LAYER_TEXT ? "texts" : "pictures");
    }
    return OK;
}

static enum status check_all_layers(const json_t *root, struct error *err)
{
    size_t i, count = 0;
    const json_t *asset, *assets = json_object_get(root, "assets");
    enum status st = check_layers(json_object_get(root, "layers"), &count, err);
    json_array_foreach(assets, i, asset) if (st == OK && json_object_get(asset, "layers")) st =
        check_layers(json_object_get(asset, "layers"), &count, err);
    return st;
}

static double number(const json_t *root, const char *name)
{
    return json_number_value(json_object_get(root, name));
}

static enum status read_numbers(const json_t *root, struct head *out, struct error *err)
{
    double width = number(root, "w"), height = number(root, "h"), frames = number(root, "op") - number(root, "ip");
    double rate = number(root, "fr");
    if (!(width >= 1 && width <= IMAGE_MAX_SIDE && height >= 1 && height <= IMAGE_MAX_SIDE))
        return err_set(err, ERR_CORRUPT, "Lottie of %g x %g pixels", width, height);
    if (!(rate >= 1 && rate <= MAX_RATE && frames >= 1))
        return err_set(err, ERR_CORRUPT, "Lottie of %g frames, %g a second", frames, rate);
    if (frames > MAX_SECONDS * rate)
        return err_set(err, ERR_TOO_LARGE, "Lottie of %g s: at most %d are allowed", frames / rate, MAX_SECONDS);
    *out = (struct head){.width = (uint32_t)width, .height = (uint32_t)height, .rate = rate};
    out->step = (uint32_t)ceil(rate / MAX_FPS);
    out->frames = ((uint32_t)frames + out->step - 1) / out->step;
    return image_check_size(out->width, out->height, err);
}

static enum status read_head(const struct buf *json, struct head *out, struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(buf_str(json), json->len, 0, &where);
    if (!root)
        return err_set(err, ERR_CORRUPT, "Lottie: not JSON at line %d, column %d: %.80s", where.line, where.column,
                       where.text);
    enum status st = read_numbers(root, out, err);
    if (st == OK)
        st = check_all_layers(root, err);
    json_decref(root);
    return st;
}

/* When frame i, of those that are drawn, begins. */
static double begins_ms(const struct head *h, uint32_t i)
{
    return 1000.0 * i * h->step / h->rate;
}

struct image_motion image_lottie_motion(const uint8_t *data, size_t len)
{
    struct buf json;
    struct head h = {0};
    buf_init(&json, MAX_JSON);
    if (unpack(data, len, &json, NULL) != OK || read_head(&json, &h, NULL) != OK)
        h.frames = 0;
    buf_free(&json);
    return (struct image_motion){h.frames, h.frames ? (uint64_t)round(begins_ms(&h, h.frames)) : 0};
}

/* --- drawing --- */

struct lottie {
    struct buf json;
    struct head head;
    Lottie_Animation *animation;
    size_t drawable; /* frames in rlottie's opinion */
};

static enum status open_frames(const uint8_t *data, size_t len, struct image_frames *f, struct error *err)
{
    struct lottie *l = f->state = calloc(1, sizeof *l);
    if (!l)
        return err_no_memory(err, "Lottie");
    buf_init(&l->json, MAX_JSON);
    enum status st = unpack(data, len, &l->json, err);
    if (st == OK)
        st = read_head(&l->json, &l->head, err);
    if (st != OK)
        return st;
    l->animation = lottie_animation_from_data(buf_str(&l->json), "", "");
    if (!l->animation)
        return err_set(err, ERR_CORRUPT, "Lottie: rlottie cannot read it");
    l->drawable = lottie_animation_get_totalframe(l->animation);
    double side = f->side ? f->side : CHECKED, longer = l->head.width;
    if (l->head.height > l->head.width)
        longer = l->head.height;
    uint32_t width = (uint32_t)(l->head.width * side / longer + 0.5);
    uint32_t height = (uint32_t)(l->head.height * side / longer + 0.5);
    return image_allocate(&f->canvas, width ? width : 1, height ? height : 1, 4, err);
}

static void straighten(struct image *im)
{
    size_t n = (size_t)im->width * im->height;
    for (size_t i = 0; i < n; i++) {
        uint32_t p;
        memcpy(&p, im->pixels + i * 4, 4);
        image_from_argb(p, im->pixels + i * 4);
    }
}

static enum status skip_frame(struct image_frames *f, bool *more, struct error *err)
{
    const struct lottie *l = f->state;
    (void)err;
    *more = f->read < l->head.frames;
    return OK;
}

static enum status next_frame(struct image_frames *f, bool *more, struct error *err)
{
    struct lottie *l = f->state;
    struct image *im = &f->canvas;
    size_t frame = (size_t)f->read * l->head.step;
    if (skip_frame(f, more, err) != OK || !*more)
        return OK;
    if (frame >= l->drawable && l->drawable)
        frame = l->drawable - 1;
    memset(im->pixels, 0, (size_t)im->width * im->height * 4);
    lottie_animation_render(l->animation, frame, (uint32_t *)(void *)im->pixels, im->width, im->height,
                            (size_t)im->width * 4);
    straighten(im);
    f->duration_ms = (uint32_t)(round(begins_ms(&l->head, f->read + 1)) - round(begins_ms(&l->head, f->read)));
    return OK;
}

static void close_frames(struct image_frames *f)
{
    struct lottie *l = f->state;
    if (l) {
        if (l->animation)
            lottie_animation_destroy(l->animation);
        buf_free(&l->json);
    }
    free(l);
    image_free(&f->canvas);
}

const struct image_frames_class image_lottie_frames = {open_frames, next_frame, close_frames, skip_frame};

static enum status probe_lottie(const uint8_t *data, size_t len, struct image *out, struct error *err)
{
    struct buf json;
    struct head h = {0};
    buf_init(&json, MAX_JSON);
    enum status st = unpack(data, len, &json, err);
    if (st == OK)
        st = read_head(&json, &h, err);
    out->width = h.width;
    out->height = h.height;
    buf_free(&json);
    return st;
}

enum status image_lottie(const uint8_t *data, size_t len, bool probe, uint32_t side, struct image *out,
                         struct error *err)
{
    return probe ? probe_lottie(data, len, out, err) : image_first_frame(data, len, side, out, err);
}
