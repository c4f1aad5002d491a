#include "image/image_internal.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const uint8_t *data;
    size_t len, at;
};

static int gif_on_read(GifFileType *gif, GifByteType *out, int n)
{
    struct source *s = gif->UserData;
    size_t left = s->len - s->at, take = (size_t)n < left ? (size_t)n : left;
    memcpy(out, s->data + s->at, take);
    s->at += take;
    return (int)take;
}

static enum status broken(int code, struct error *err)
{
    const char *why = GifErrorString(code);
    return err_set(err, ERR_CORRUPT, "GIF: %s", why ? why : "broken");
}

/* Paints the frame whose descriptor was just read; interlaced rows come in four passes. */
static enum status gif_draw(GifFileType *gif, int transparent, struct image *out, struct error *err)
{
    const GifImageDesc *d = &gif->Image;
    const ColorMapObject *map = d->ColorMap ? d->ColorMap : gif->SColorMap;
    static const int start[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    if (!map)
        return err_set(err, ERR_CORRUPT, "GIF: no colour map");
    GifPixelType *line = malloc((size_t)d->Width * sizeof *line);
    if (!line)
        return err_no_memory(err, "GIF");
    enum status st = OK;
    for (int pass = 0; pass < (d->Interlace ? 4 : 1); pass++) {
        for (int y = d->Interlace ? start[pass] : 0; st == OK && y < d->Height; y += d->Interlace ? step[pass] : 1) {
            if (DGifGetLine(gif, line, d->Width) != GIF_OK) {
                st = broken(gif->Error, err);
                break;
            }
            uint8_t *to = out->pixels + ((size_t)(d->Top + y) * out->width + (size_t)d->Left) * 4;
            for (int x = 0; x < d->Width; x++, to += 4) {
                if (line[x] == transparent || line[x] >= map->ColorCount)
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

/* Reads records up to the descriptor of the first frame. *transparent: the index of the colour that is, or -1. */
static enum status find_frame(GifFileType *gif, int *transparent, struct error *err)
{
    *transparent = -1;
    for (;;) {
        GifRecordType type;
        if (DGifGetRecordType(gif, &type) != GIF_OK)
            return broken(gif->Error, err);
        if (type == IMAGE_DESC_RECORD_TYPE)
            return DGifGetImageDesc(gif) == GIF_OK ? OK : broken(gif->Error, err);
        if (type != EXTENSION_RECORD_TYPE)
            return err_set(err, ERR_CORRUPT, "GIF: holds no frame");
        int code;
        GifByteType *block;
        if (DGifGetExtension(gif, &code, &block) != GIF_OK)
            return broken(gif->Error, err);
        while (block) {
            GraphicsControlBlock gcb;
            if (code == GRAPHICS_EXT_FUNC_CODE && DGifExtensionToGCB(block[0], block + 1, &gcb) == GIF_OK)
                *transparent = gcb.TransparentColor;
            if (DGifGetExtensionNext(gif, &block) != GIF_OK)
                return broken(gif->Error, err);
        }
    }
}

/* The screen; where the first frame does not fit on it, browsers make it larger. */
static enum status canvas_size(const GifFileType *gif, uint64_t *width, uint64_t *height, struct error *err)
{
    const GifImageDesc *d = &gif->Image;
    if (d->Width < 1 || d->Height < 1 || d->Left < 0 || d->Top < 0)
        return err_set(err, ERR_CORRUPT, "GIF: frame of %d x %d pixels", d->Width, d->Height);
    int right = d->Left + d->Width, bottom = d->Top + d->Height;
    *width = (uint64_t)(right > gif->SWidth ? right : gif->SWidth);
    *height = (uint64_t)(bottom > gif->SHeight ? bottom : gif->SHeight);
    return OK;
}

enum status image_gif(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct source s = {.data = data, .len = len};
    uint64_t width = 0, height = 0;
    int code = 0, transparent;
    GifFileType *gif = DGifOpen(&s, gif_on_read, &code);
    if (!gif)
        return broken(code, err);
    enum status st = image_check_size(gif->SWidth > 0 ? (uint64_t)gif->SWidth : 1,
                                      gif->SHeight > 0 ? (uint64_t)gif->SHeight : 1, err);
    if (st == OK)
        st = find_frame(gif, &transparent, err);
    if (st == OK)
        st = canvas_size(gif, &width, &height, err);
    if (st == OK && probe) {
        st = image_check_size(width, height, err);
        out->width = (uint32_t)width;
        out->height = (uint32_t)height;
    } else if (st == OK) {
        st = image_allocate(out, width, height, 4, err);
        if (st == OK)
            st = gif_draw(gif, transparent, out, err);
    }
    DGifCloseFile(gif, &code);
    return st;
}
