/* A GIF of one or more pictures. The colours of each are chosen by median cut (Heckbert, "Color image quantization for
 * frame buffer display", SIGGRAPH 1982): the box of colours that has the most pixels over the widest range is cut where
 * half of its pixels are on either side, until there are as many boxes as colours; each becomes the mean of its pixels.
 * Colours are counted with 5 bits of each channel. What is more than half transparent is transparent. */
#include "image/image_internal.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

#define BITS        5
#define BINS        (1u << 3 * BITS)
#define MAX_COLOURS 255 /* beside the transparent one */
#define TRANSPARENT MAX_COLOURS

struct bin {
    uint32_t count, sum[3]; /* sums of the 3 bits that the index does not have: of 64 Mpixels they fit */
    uint16_t index;
};

/* The bins [from, to) of a list. */
struct box {
    uint32_t from, to;
    uint64_t count;
    int widest, range; /* the channel that spreads most, and by how much */
};

struct palette {
    struct bin *bins;   /* [BINS] in the order of their index; then only those that have pixels, in that of the boxes */
    uint8_t *colour_of; /* [BINS] of an index */
    struct box boxes[MAX_COLOURS];
    uint32_t n_bins, n_boxes;
};

static unsigned channel_of(const struct bin *b, int channel)
{
    return b->index >> (2 - channel) * BITS & ((1u << BITS) - 1);
}

static size_t index_of(const uint8_t *pixel)
{
    return (size_t)(pixel[0] >> 3) << 2 * BITS | (size_t)(pixel[1] >> 3) << BITS | pixel[2] >> 3;
}

static bool is_clear(const struct image *im, const uint8_t *pixel)
{
    return im->channels == 4 && pixel[3] < 128;
}

static int by_red(const void *a, const void *b)
{
    return (int)channel_of(a, 0) - (int)channel_of(b, 0);
}

static int by_green(const void *a, const void *b)
{
    return (int)channel_of(a, 1) - (int)channel_of(b, 1);
}

static int by_blue(const void *a, const void *b)
{
    return (int)channel_of(a, 2) - (int)channel_of(b, 2);
}

static void count_colours(const struct image *im, struct palette *p)
{
    size_t n = (size_t)im->width * im->height;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *pixel = im->pixels + i * im->channels;
        struct bin *b = &p->bins[index_of(pixel)];
        if (is_clear(im, pixel))
            continue;
        b->count++;
        for (int c = 0; c < 3; c++)
            b->sum[c] += pixel[c] & 7;
    }
    for (uint32_t i = 0; i < BINS; i++) {
        if (!p->bins[i].count)
            continue;
        p->bins[p->n_bins] = p->bins[i];
        p->bins[p->n_bins++].index = (uint16_t)i;
    }
}

static void measure_box(const struct palette *p, struct box *box)
{
    unsigned least[3] = {~0u, ~0u, ~0u}, most[3] = {0};
    box->count = 0;
    for (uint32_t i = box->from; i < box->to; i++) {
        box->count += p->bins[i].count;
        for (int c = 0; c < 3; c++) {
            unsigned value = channel_of(&p->bins[i], c);
            least[c] = value < least[c] ? value : least[c];
            most[c] = value > most[c] ? value : most[c];
        }
    }
    box->widest = 0;
    box->range = 0;
    for (int c = 0; c < 3; c++)
        if (box->from < box->to && (int)(most[c] - least[c]) > box->range) {
            box->range = (int)(most[c] - least[c]);
            box->widest = c;
        }
}

/* Cuts the box in two of at least a bin each. */
static void cut_box(struct palette *p, struct box *box)
{
    static int (*const orders[])(const void *, const void *) = {by_red, by_green, by_blue};
    struct box *rest = &p->boxes[p->n_boxes++];
    qsort(p->bins + box->from, box->to - box->from, sizeof *p->bins, orders[box->widest]);
    uint32_t at = box->from + 1;
    for (uint64_t seen = p->bins[box->from].count; at + 1 < box->to && seen < box->count / 2; at++)
        seen += p->bins[at].count;
    *rest = (struct box){.from = at, .to = box->to};
    box->to = at;
    measure_box(p, box);
    measure_box(p, rest);
}

static void cut_colours(struct palette *p)
{
    p->boxes[0] = (struct box){.to = p->n_bins};
    p->n_boxes = 1;
    measure_box(p, &p->boxes[0]);
    while (p->n_boxes < MAX_COLOURS) {
        struct box *next = NULL;
        for (uint32_t i = 0; i < p->n_boxes; i++) {
            struct box *b = &p->boxes[i];
            if (b->range && (!next || b->count * (uint64_t)b->range > next->count * (uint64_t)next->range))
                next = b;
        }
        if (!next)
            return;
        cut_box(p, next);
    }
}

static void name_colours(struct palette *p, ColorMapObject *map)
{
    for (uint32_t i = 0; i < p->n_boxes; i++) {
        const struct box *box = &p->boxes[i];
        uint64_t sum[3] = {0}, count = box->count ? box->count : 1;
        for (uint32_t j = box->from; j < box->to; j++) {
            const struct bin *b = &p->bins[j];
            p->colour_of[b->index] = (uint8_t)i;
            for (int c = 0; c < 3; c++)
                sum[c] += b->sum[c] + (uint64_t)b->count * channel_of(b, c) * 8;
        }
        map->Colors[i].Red = (GifByteType)((sum[0] + count / 2) / count);
        map->Colors[i].Green = (GifByteType)((sum[1] + count / 2) / count);
        map->Colors[i].Blue = (GifByteType)((sum[2] + count / 2) / count);
    }
}

struct image_gif_writer {
    GifFileType *gif;
    struct buf *out;
    uint32_t width, height, loops;
    bool begun, finished;
    struct palette palette;
    struct bin bins[BINS];
    uint8_t colour_of[BINS];
    ColorMapObject *map;
    uint8_t *line; /* [width] */
};

static int gif_on_write(GifFileType *gif, const GifByteType *data, int n)
{
    struct buf *out = gif->UserData;
    buf_append(out, data, (size_t)n);
    return out->failed ? 0 : n;
}

/* What giflib does not do is for want of room or memory. */
static enum status written(const struct image_gif_writer *w, bool done, struct error *err)
{
    enum status st = buf_status(w->out, err);
    return st != OK || done ? st : err_no_memory(err, "GIF");
}

enum status image_gif_begin(uint32_t width, uint32_t height, uint32_t loops, struct buf *out,
                            struct image_gif_writer **to, struct error *err)
{
    int code = 0;
    struct image_gif_writer *w = *to = calloc(1, sizeof *w);
    if (!w)
        return err_no_memory(err, "GIF");
    w->out = out;
    w->width = width;
    w->height = height;
    w->loops = loops;
    w->line = malloc(width);
    w->map = GifMakeMapObject(256, NULL);
    w->gif = w->line && w->map ? EGifOpen(out, gif_on_write, &code) : NULL;
    return w->gif ? OK : err_no_memory(err, "GIF");
}

static void choose_colours(struct image_gif_writer *w, const struct image *im)
{
    memset(w->bins, 0, sizeof w->bins);
    memset(w->colour_of, 0, sizeof w->colour_of);
    memset(&w->palette, 0, sizeof w->palette);
    w->palette.bins = w->bins;
    w->palette.colour_of = w->colour_of;
    count_colours(im, &w->palette);
    cut_colours(&w->palette);
    name_colours(&w->palette, w->map);
}

/* Netscape's extension, by which an animation begins again; without it, it is shown once. */
static bool put_loops(struct image_gif_writer *w)
{
    unsigned again = w->loops ? w->loops - 1 : 0;
    const GifByteType block[] = {1, (GifByteType)again, (GifByteType)(again >> 8)};
    return EGifPutExtensionLeader(w->gif, APPLICATION_EXT_FUNC_CODE) == GIF_OK &&
           EGifPutExtensionBlock(w->gif, 11, "NETSCAPE2.0") == GIF_OK &&
           EGifPutExtensionBlock(w->gif, sizeof block, block) == GIF_OK && EGifPutExtensionTrailer(w->gif) == GIF_OK;
}

/* The colours of the first picture are the file's. */
static bool put_head(struct image_gif_writer *w)
{
    if (w->begun)
        return true;
    w->begun = true;
    EGifSetGifVersion(w->gif, true);
    return EGifPutScreenDesc(w->gif, (int)w->width, (int)w->height, 8, 0, w->map) == GIF_OK &&
           (w->loops == 1 || put_loops(w));
}

static bool put_picture(struct image_gif_writer *w, const struct image *im, bool first, uint32_t hundredths)
{
    GifByteType block[4];
    const GraphicsControlBlock control = {.DisposalMode = hundredths ? DISPOSE_BACKGROUND : DISPOSAL_UNSPECIFIED,
                                          .DelayTime = (int)(hundredths < 65535 ? hundredths : 65535),
                                          .TransparentColor = TRANSPARENT};
    EGifGCBToExtension(&control, block);
    if (((im->channels == 4 || hundredths) &&
         EGifPutExtension(w->gif, GRAPHICS_EXT_FUNC_CODE, sizeof block, block) != GIF_OK) ||
        EGifPutImageDesc(w->gif, 0, 0, (int)im->width, (int)im->height, false, first ? NULL : w->map) != GIF_OK)
        return false;
    for (uint32_t y = 0; y < im->height; y++) {
        const uint8_t *pixel = im->pixels + (size_t)y * im->width * im->channels;
        for (uint32_t x = 0; x < im->width; x++, pixel += im->channels)
            w->line[x] = is_clear(im, pixel) ? TRANSPARENT : w->palette.colour_of[index_of(pixel)];
        if (EGifPutLine(w->gif, w->line, (int)im->width) != GIF_OK)
            return false;
    }
    return true;
}

enum status image_gif_add(struct image_gif_writer *w, const struct image *im, uint32_t hundredths, struct error *err)
{
    bool first = !w->begun;
    choose_colours(w, im);
    return written(w, put_head(w) && put_picture(w, im, first, hundredths), err);
}

enum status image_gif_finish(struct image_gif_writer *w, struct error *err)
{
    int code;
    w->finished = true;
    return written(w, EGifCloseFile(w->gif, &code) == GIF_OK, err); /* writes the end */
}

void image_gif_free(struct image_gif_writer *w)
{
    int code;
    if (!w)
        return;
    if (w->gif && !w->finished)
        EGifCloseFile(w->gif, &code);
    GifFreeMapObject(w->map);
    free(w->line);
    free(w);
}

enum status image_encode_gif(const struct image *im, struct buf *out, struct error *err)
{
    struct image_gif_writer *w;
    enum status st = image_gif_begin(im->width, im->height, 1, out, &w, err);
    if (st == OK)
        st = image_gif_add(w, im, 0, err);
    if (st == OK)
        st = image_gif_finish(w, err);
    image_gif_free(w);
    return st;
}
