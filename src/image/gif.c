/* GIF: GIF89a, CompuServe 1990; what comes of each frame when the next one is drawn is in section 23. */
#include "image/image_internal.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

/* A file that is being read, frame by frame. */
struct gif {
    const uint8_t *data;
    size_t len, at;
    GifFileType *file;
    struct image before;          /* the canvas as it was before the last frame, where that is to be undone */
    GraphicsControlBlock told;    /* of the frame that comes */
    int disposal;                 /* of the last frame, */
    uint32_t x, y, width, height; /* which was drawn here */
};

static int gif_on_read(GifFileType *file, GifByteType *out, int n)
{
    struct gif *g = file->UserData;
    size_t left = g->len - g->at, take = (size_t)n < left ? (size_t)n : left;
    memcpy(out, g->data + g->at, take);
    g->at += take;
    return (int)take;
}

static enum status broken(int code, struct error *err)
{
    const char *why = GifErrorString(code);
    return err_set(err, ERR_CORRUPT, "GIF: %s", why ? why : "broken");
}

static enum status gif_open(struct gif *g, const uint8_t *data, size_t len, struct error *err)
{
    int code = 0;
    *g = (struct gif){.data = data, .len = len};
    g->file = DGifOpen(g, gif_on_read, &code);
    if (!g->file)
        return broken(code, err);
    return image_check_size(g->file->SWidth > 0 ? (uint64_t)g->file->SWidth : 1,
                            g->file->SHeight > 0 ? (uint64_t)g->file->SHeight : 1, err);
}

static void gif_close(struct gif *g)
{
    int code;
    if (g->file)
        DGifCloseFile(g->file, &code);
    image_free(&g->before);
}

/* Draws the frame whose descriptor was just read, as far as it is on the canvas; interlaced rows come in four passes.
 */
static enum status gif_draw(struct gif *g, struct image *out, struct error *err)
{
    const GifImageDesc *d = &g->file->Image;
    const ColorMapObject *map = d->ColorMap ? d->ColorMap : g->file->SColorMap;
    static const int start[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    if (!map)
        return err_set(err, ERR_CORRUPT, "GIF: no colour map");
    GifPixelType *line = malloc((size_t)d->Width * sizeof *line);
    if (!line)
        return err_no_memory(err, "GIF");
    enum status st = OK;
    for (int pass = 0; pass < (d->Interlace ? 4 : 1); pass++) {
        for (int y = d->Interlace ? start[pass] : 0; st == OK && y < d->Height; y += d->Interlace ? step[pass] : 1) {
            if (DGifGetLine(g->file, line, d->Width) != GIF_OK) {
                st = broken(g->file->Error, err);
                break;
            }
            if ((uint32_t)y >= g->height)
                continue;
            uint8_t *to = out->pixels + ((size_t)(g->y + (uint32_t)y) * out->width + g->x) * 4;
            for (uint32_t x = 0; x < g->width; x++, to += 4) {
                if (line[x] == g->told.TransparentColor || line[x] >= map->ColorCount)
                    continue;
                const GifColorType *color = &map->Colors[line[x]];
                to[0] = color->Red;
                to[1] = color->Green;
                to[2] = color->Blue;
                to[3] = 255;
            }
        }
    }
    free(line);
    return st;
}

/* Of an application, NETSCAPE2.0: how often all is shown again. */
static void read_loops(const GifByteType *name, const GifByteType *block, uint32_t *loops)
{
    if (loops && name[0] == 11 && memcmp(name + 1, "NETSCAPE2.0", 11) == 0 && block[0] >= 3 && block[1] == 1) {
        uint32_t again = block[2] | (uint32_t)block[3] << 8;
        *loops = again ? again + 1 : 0;
    }
}

static enum status read_extension(struct gif *g, uint32_t *loops, struct error *err)
{
    int code;
    GifByteType *block, name[12] = {0};
    if (DGifGetExtension(g->file, &code, &block) != GIF_OK)
        return broken(g->file->Error, err);
    while (block) {
        if (code == GRAPHICS_EXT_FUNC_CODE && block[0] >= 4)
            (void)DGifExtensionToGCB(block[0], block + 1, &g->told);
        else if (code == APPLICATION_EXT_FUNC_CODE)
            read_loops(name, block, loops);
        memcpy(name, block, block[0] < 11 ? 1 : 12);
        if (DGifGetExtensionNext(g->file, &block) != GIF_OK)
            return broken(g->file->Error, err);
    }
    return OK;
}

/* Reads records up to the descriptor of a frame; *found is false at the end, which a file may lack. */
static enum status find_frame(struct gif *g, bool *found, uint32_t *loops, struct error *err)
{
    g->told = (GraphicsControlBlock){.TransparentColor = NO_TRANSPARENT_COLOR};
    for (*found = false; g->at < g->len;) {
        GifRecordType type;
        if (DGifGetRecordType(g->file, &type) != GIF_OK)
            return broken(g->file->Error, err);
        if (type == IMAGE_DESC_RECORD_TYPE) {
            *found = true;
            return DGifGetImageDesc(g->file) == GIF_OK ? OK : broken(g->file->Error, err);
        }
        if (type != EXTENSION_RECORD_TYPE)
            return OK;
        enum status st = read_extension(g, loops, err);
        if (st != OK)
            return st;
    }
    return OK;
}

static enum status check_frame(const GifImageDesc *d, struct error *err)
{
    if (d->Width < 1 || d->Height < 1 || d->Left < 0 || d->Top < 0)
        return err_set(err, ERR_CORRUPT, "GIF: frame of %d x %d pixels", d->Width, d->Height);
    return OK;
}

/* The first frame, and the size of the canvas: the screen, and where that frame does not fit on it, larger, as browsers
 * make it. */
static enum status find_first(struct gif *g, uint32_t *width, uint32_t *height, uint32_t *loops, struct error *err)
{
    bool found;
    const GifImageDesc *d = &g->file->Image;
    enum status st = find_frame(g, &found, loops, err);
    if (st == OK && !found)
        st = err_set(err, ERR_CORRUPT, "GIF: holds no frame");
    if (st == OK)
        st = check_frame(d, err);
    if (st != OK)
        return st;
    int right = d->Left + d->Width, bottom = d->Top + d->Height;
    *width = (uint32_t)(right > g->file->SWidth ? right : g->file->SWidth);
    *height = (uint32_t)(bottom > g->file->SHeight ? bottom : g->file->SHeight);
    return image_check_size(*width, *height, err);
}

/* The part of the canvas that the frame covers. */
static void place_frame(struct gif *g, const struct image *canvas)
{
    const GifImageDesc *d = &g->file->Image;
    g->x = (uint32_t)d->Left < canvas->width ? (uint32_t)d->Left : canvas->width;
    g->y = (uint32_t)d->Top < canvas->height ? (uint32_t)d->Top : canvas->height;
    g->width = (uint32_t)d->Width < canvas->width - g->x ? (uint32_t)d->Width : canvas->width - g->x;
    g->height = (uint32_t)d->Height < canvas->height - g->y ? (uint32_t)d->Height : canvas->height - g->y;
}

enum status image_gif(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct gif g;
    uint32_t width, height;
    enum status st = gif_open(&g, data, len, err);
    if (st == OK)
        st = find_first(&g, &width, &height, NULL, err);
    if (st == OK && probe) {
        out->width = width;
        out->height = height;
    } else if (st == OK) {
        st = image_allocate(out, width, height, 4, err);
        place_frame(&g, out);
        if (st == OK)
            st = gif_draw(&g, out, err);
    }
    gif_close(&g);
    return st;
}

/* --- all frames --- */

static enum status open_frames(const uint8_t *data, size_t len, struct image_frames *f, struct error *err)
{
    uint32_t width, height;
    struct gif *g = f->state = malloc(sizeof *g);
    if (!g)
        return err_no_memory(err, "GIF");
    f->loops = 1;
    enum status st = gif_open(g, data, len, err);
    if (st == OK)
        st = find_first(g, &width, &height, &f->loops, err);
    return st == OK ? image_allocate(&f->canvas, width, height, 4, err) : st;
}

/* Does with the last frame what it asked for, and keeps what the next one will have undone. */
static enum status dispose(struct gif *g, struct image_frames *f, struct error *err)
{
    size_t bytes = (size_t)f->canvas.width * f->canvas.height * 4;
    if (f->read && g->disposal == DISPOSE_BACKGROUND)
        image_clear_part(&f->canvas, g->x, g->y, g->width, g->height);
    else if (f->read && g->disposal == DISPOSE_PREVIOUS && g->before.pixels)
        memcpy(f->canvas.pixels, g->before.pixels, bytes);
    g->disposal = g->told.DisposalMode;
    if (g->disposal != DISPOSE_PREVIOUS)
        return OK;
    enum status st = g->before.pixels ? OK : image_allocate(&g->before, f->canvas.width, f->canvas.height, 4, err);
    if (st == OK)
        memcpy(g->before.pixels, f->canvas.pixels, bytes);
    return st;
}

static enum status next_frame(struct image_frames *f, bool *more, struct error *err)
{
    struct gif *g = f->state;
    enum status st = OK;
    *more = true;
    if (f->read)
        st = find_frame(g, more, &f->loops, err);
    if (st == OK && *more)
        st = check_frame(&g->file->Image, err);
    if (st == OK && *more)
        st = dispose(g, f, err);
    if (st != OK || !*more)
        return st;
    f->duration_ms = image_frame_ms((uint64_t)g->told.DelayTime * 10);
    place_frame(g, &f->canvas);
    return gif_draw(g, &f->canvas, err);
}

static void close_frames(struct image_frames *f)
{
    if (f->state)
        gif_close(f->state);
    free(f->state);
    image_free(&f->canvas);
}

const struct image_frames_class image_gif_frames = {open_frames, next_frame, close_frames, NULL};
