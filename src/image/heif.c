/* Stills as AVIF and HEIC (ISO/IEC 23008-12: AV1 or HEVC in a container of boxes), read by libheif, and AVIF written.
 * Of a sequence the first picture counts. libheif and the decoders under it are large, and get hostile files: they run
 * only where they may crash, in a worker of sandbox.h, and with one thread each, as that has little memory. Rotation
 * and mirroring are applied by libheif; EXIF has no say in these files. */
#include "image/image_internal.h"

#include <libheif/heif.h>
#include <string.h>

#define QUALITY       75 /* of 100, as libheif counts: within 1 dB of WebP at 80, and of about its size */
#define SPEED         8  /* of 0 to 9; with 7, a sticker may take a second for a tenth less */
#define MAX_BRANDS    64 /* that are looked at */
#define SCRATCH_BYTES 12 /* a pixel: the planes of a decoder, which may be 16 bit, and libheif's own copy as RGBA */

/* Codecs may be plugins (Ubuntu 24.04, Debian 13). One that cannot be loaded is missed when an image needs it. */
void image_prepare(void)
{
    (void)heif_init(NULL);
}

/* --- what kind it is --- */

enum image_kind image_heif_kind(const uint8_t *data, size_t len)
{
    static const char hevc[][5] = {"heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1"};
    enum image_kind kind = IMAGE_UNKNOWN;
    if (len < 16 || memcmp(data + 4, "ftyp", 4) != 0)
        return IMAGE_UNKNOWN;
    size_t size = image_big_endian(data), end = size < len ? size : len;
    for (size_t at = 8, n = 0; at + 4 <= end && n < MAX_BRANDS; at += at == 8 ? 8 : 4, n++) {
        const char *brand =
            (const char *)data + at; /* the major one, a version, and those that it is compatible with */
        if (memcmp(brand, "avif", 4) == 0 || memcmp(brand, "avis", 4) == 0)
            return IMAGE_AVIF;
        for (size_t i = 0; i < sizeof hevc / sizeof *hevc; i++)
            if (memcmp(brand, hevc[i], 4) == 0)
                kind = IMAGE_HEIC;
    }
    return kind;
}

static const char *name_of(enum image_kind kind)
{
    return kind == IMAGE_AVIF ? "AVIF" : "HEIC";
}

/* --- reading --- */

static enum status status_of(const struct heif_error *e)
{
    switch (e->code) {
    case heif_error_Memory_allocation_error:
        return e->subcode == heif_suberror_Security_limit_exceeded ? ERR_TOO_LARGE : ERR_NO_MEMORY;
    case heif_error_Unsupported_filetype:
    case heif_error_Unsupported_feature:
        return ERR_UNSUPPORTED;
    default:
        return ERR_CORRUPT;
    }
}

static enum status check(struct heif_error e, enum image_kind kind, struct error *err)
{
    int line = (int)strcspn(e.message, "\n");
    return e.code == heif_error_Ok ? OK : err_set(err, status_of(&e), "%s: %.*s", name_of(kind), line, e.message);
}

/* Which decoder to take: of AV1 the one that takes one thread, if it is there; NULL: libheif chooses. */
static const char *decoder_for(enum image_kind kind)
{
    const struct heif_decoder_descriptor *known[8];
    int n = kind == IMAGE_AVIF ? heif_get_decoder_descriptors(heif_compression_AV1, known, 8) : 0;
    for (int i = 0; i < n && i < 8; i++)
        if (strcmp(heif_decoder_descriptor_get_id_name(known[i]), "aom") == 0)
            return "aom";
    return NULL;
}

/* Colours that were multiplied by alpha, as they were. */
static void straighten(struct image *im)
{
    for (size_t i = 0; i < (size_t)im->width * im->height; i++) {
        uint8_t *p = im->pixels + i * 4;
        for (int c = 0; c < 3 && p[3]; c++)
            p[c] = image_straight(p[c], p[3]);
    }
}

static enum status copy_pixels(const struct heif_image *from, struct image *out, struct error *err)
{
    uint32_t width = out->width, height = out->height, channels = out->channels;
    int stride, found_width = heif_image_get_width(from, heif_channel_interleaved);
    int found_height = heif_image_get_height(from, heif_channel_interleaved);
    const uint8_t *pixels = heif_image_get_plane_readonly(from, heif_channel_interleaved, &stride);
    if (!pixels || found_width != (int)width || found_height != (int)height)
        return err_set(err, ERR_CORRUPT, "%s: %d x %d pixels, where its head says %u x %u", name_of(out->kind),
                       found_width, found_height, width, height);
    enum status st = image_allocate(out, width, height, channels, err);
    for (uint32_t y = 0; st == OK && y < height; y++)
        memcpy(out->pixels + (size_t)y * width * channels, pixels + (size_t)y * (size_t)stride,
               (size_t)width * channels);
    return st;
}

static enum status decode(const struct heif_image_handle *picture, struct image *out, struct error *err)
{
    struct heif_image *decoded = NULL;
    struct heif_decoding_options *options = heif_decoding_options_alloc();
    if (!options)
        return err_no_memory(err, "%s", name_of(out->kind));
    options->convert_hdr_to_8bit = 1;
    options->strict_decoding = 1;
    options->decoder_id = decoder_for(out->kind);
    out->channels = heif_image_handle_has_alpha_channel(picture) ? 4 : 3;
    enum heif_chroma chroma = out->channels == 4 ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
    enum status st = check(heif_decode_image(picture, &decoded, heif_colorspace_RGB, chroma, options), out->kind, err);
    if (st == OK)
        st = copy_pixels(decoded, out, err);
    if (st == OK && out->channels == 4 && heif_image_handle_is_premultiplied_alpha(picture))
        straighten(out);
    heif_image_release(decoded);
    heif_decoding_options_free(options);
    return st;
}

static enum status read_picture(struct heif_context *file, const uint8_t *data, size_t len, bool probe,
                                struct image *out, struct error *err)
{
    struct heif_image_handle *picture = NULL;
    heif_context_set_max_decoding_threads(file, 0);
    heif_context_set_maximum_image_size_limit(file, IMAGE_MAX_SIDE);
    enum status st = check(heif_context_read_from_memory_without_copy(file, data, len, NULL), out->kind, err);
    if (st == OK)
        st = check(heif_context_get_primary_image_handle(file, &picture), out->kind, err);
    if (st != OK)
        return st;
    int width = heif_image_handle_get_width(picture), height = heif_image_handle_get_height(picture);
    st = image_check_size(width > 0 ? (uint64_t)width : 0, height > 0 ? (uint64_t)height : 0, err);
    if (st == OK) {
        out->width = (uint32_t)width;
        out->height = (uint32_t)height;
        out->scratch = (uint64_t)out->width * out->height * SCRATCH_BYTES;
    }
    if (st == OK && !probe)
        st = decode(picture, out, err);
    heif_image_handle_release(picture);
    return st;
}

enum status image_heif(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct heif_context *file = heif_context_alloc();
    out->kind = image_sniff(data, len);
    if (!file)
        return err_no_memory(err, "%s", name_of(out->kind));
    enum status st = read_picture(file, data, len, probe, out, err);
    heif_context_free(file);
    return st;
}

/* --- writing --- */

static struct heif_error append(struct heif_context *file, const void *data, size_t len, void *to)
{
    struct buf *out = to;
    (void)file;
    buf_append(out, data, len);
    return (struct heif_error){out->failed ? heif_error_Encoding_error : heif_error_Ok, heif_suberror_Unspecified, ""};
}

/* libheif's copy of the pixels; release it. */
static enum status to_heif(const struct image *im, struct heif_image **out, struct error *err)
{
    int stride, width = (int)im->width, height = (int)im->height;
    enum heif_chroma chroma = im->channels == 4 ? heif_chroma_interleaved_RGBA : heif_chroma_interleaved_RGB;
    enum status st = check(heif_image_create(width, height, heif_colorspace_RGB, chroma, out), IMAGE_AVIF, err);
    if (st == OK)
        st = check(heif_image_add_plane(*out, heif_channel_interleaved, width, height, 8), IMAGE_AVIF, err);
    if (st != OK)
        return st;
    uint8_t *pixels = heif_image_get_plane(*out, heif_channel_interleaved, &stride);
    size_t row = (size_t)im->width * im->channels;
    for (uint32_t y = 0; y < im->height; y++)
        memcpy(pixels + (size_t)y * (size_t)stride, im->pixels + y * row, row);
    return OK;
}

static enum status encode(struct heif_context *file, const struct heif_image *picture, struct error *err)
{
    struct heif_encoder *encoder = NULL;
    enum status st = check(heif_context_get_encoder_for_format(file, heif_compression_AV1, &encoder), IMAGE_AVIF, err);
    if (st == OK)
        st = check(heif_encoder_set_lossy_quality(encoder, QUALITY), IMAGE_AVIF, err);
    if (st == OK)
        st = check(heif_encoder_set_parameter_integer(encoder, "speed", SPEED), IMAGE_AVIF, err);
    if (st == OK)
        st = check(heif_encoder_set_parameter_integer(encoder, "threads", 1), IMAGE_AVIF, err);
    if (st == OK)
        st = check(heif_context_encode_image(file, picture, encoder, NULL, NULL), IMAGE_AVIF, err);
    heif_encoder_release(encoder);
    return st;
}

enum status image_encode_avif(const struct image *im, struct buf *out, struct error *err)
{
    struct heif_writer writer = {.writer_api_version = 1, .write = append};
    struct heif_image *picture = NULL;
    struct heif_context *file = heif_context_alloc();
    if (!file)
        return err_no_memory(err, "AVIF");
    enum status st = to_heif(im, &picture, err);
    if (st == OK)
        st = encode(file, picture, err);
    if (st == OK)
        st = check(heif_context_write(file, &writer, out), IMAGE_AVIF, err);
    if (out->failed)
        st = buf_status(out, err);
    heif_image_release(picture);
    heif_context_free(file);
    return st;
}
