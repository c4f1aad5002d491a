#include "image/image_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jerror.h wants to come after it */
#include <jpeglib.h>

#include <jerror.h>

#define MAX_SCANS 100 /* of a progressive file: more is an attack on our time */

struct source {
    struct jpeg_error_mgr mgr;
    jmp_buf out;
    bool truncated;
    char message[JMSG_LENGTH_MAX];
};

static void jpeg_on_error(j_common_ptr c)
{
    struct source *s = (struct source *)(void *)c->err;
    s->mgr.format_message(c, s->message);
    longjmp(s->out, 1);
}

/* libjpeg goes on with gray when data ends early; we do not. */
static void on_message(j_common_ptr c, int level)
{
    struct source *s = (struct source *)(void *)c->err;
    if (level < 0 && (s->mgr.msg_code == JWRN_JPEG_EOF || s->mgr.msg_code == JWRN_HIT_MARKER)) {
        s->truncated = true;
        s->mgr.format_message(c, s->message);
    }
}

static void jpeg_on_progress(j_common_ptr c)
{
    struct source *s = (struct source *)(void *)c->err;
    if (((j_decompress_ptr)c)->input_scan_number <= MAX_SCANS)
        return;
    snprintf(s->message, sizeof s->message, "more than %d scans", MAX_SCANS);
    longjmp(s->out, 1);
}

/* Adobe writes CMYK inverted; both kinds become RGB as Pillow and browsers show them. */
static void cmyk_to_rgb(const uint8_t *in, uint8_t *out, size_t n, bool inverted)
{
    for (size_t i = 0; i < n; i++) {
        unsigned k = inverted ? in[4 * i + 3] : 255u - in[4 * i + 3];
        for (size_t c = 0; c < 3; c++) {
            unsigned v = inverted ? in[4 * i + c] : 255u - in[4 * i + c];
            unsigned t = v * k + 128;
            out[3 * i + c] = (uint8_t)((t + (t >> 8)) >> 8);
        }
    }
}

/* All coefficients are kept until the last scan of a progressive file. */
static uint64_t coefficient_bytes(j_decompress_ptr c)
{
    uint64_t blocks = 0;
    if (!jpeg_has_multiple_scans(c))
        return 0;
    for (int i = 0; i < c->num_components; i++) {
        const jpeg_component_info *part = &c->comp_info[i];
        blocks += ((uint64_t)part->width_in_blocks + (uint64_t)part->h_samp_factor) *
                  ((uint64_t)part->height_in_blocks + (uint64_t)part->v_samp_factor);
    }
    return blocks * sizeof(JBLOCK);
}

enum status image_jpeg(const uint8_t *data, size_t len, bool probe, struct image *out, struct error *err)
{
    struct jpeg_decompress_struct c;
    struct jpeg_progress_mgr progress = {.progress_monitor = jpeg_on_progress};
    struct source s = {.truncated = false};
    uint8_t *volatile line = NULL;
    volatile enum status st = OK;
    c.err = jpeg_std_error(&s.mgr);
    s.mgr.error_exit = jpeg_on_error;
    s.mgr.emit_message = on_message;
    if (setjmp(s.out)) {
        st = err_set(err, ERR_CORRUPT, "JPEG: %s", s.message);
        goto out;
    }
    jpeg_create_decompress(&c);
    c.progress = &progress;
    jpeg_mem_src(&c, data, len);
    jpeg_read_header(&c, TRUE);
    st = image_check_size(c.image_width, c.image_height, err);
    out->width = c.image_width;
    out->height = c.image_height;
    out->scratch = coefficient_bytes(&c);
    if (st != OK || probe)
        goto out;
    bool cmyk = c.jpeg_color_space == JCS_CMYK || c.jpeg_color_space == JCS_YCCK;
    c.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    c.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&c);
    st = image_allocate(out, c.output_width, c.output_height, 3, err);
    if (st == OK && cmyk && !(line = malloc((size_t)c.output_width * 4)))
        st = err_no_memory(err, "JPEG");
    while (st == OK && c.output_scanline < c.output_height) {
        uint8_t *to = out->pixels + (size_t)c.output_scanline * out->width * 3;
        JSAMPROW row = cmyk ? line : to;
        if (jpeg_read_scanlines(&c, &row, 1) == 1 && cmyk)
            cmyk_to_rgb(line, to, out->width, c.saw_Adobe_marker);
        if (s.truncated)
            st = err_set(err, ERR_CORRUPT, "JPEG: %s", s.message);
    }
    if (st == OK)
        jpeg_finish_decompress(&c);
    if (s.truncated && st == OK)
        st = err_set(err, ERR_CORRUPT, "JPEG: %s", s.message);
out:
    free(line);
    jpeg_destroy_decompress(&c);
    return st;
}

struct sink {
    struct jpeg_destination_mgr mgr;
    struct buf *out;
    JOCTET block[4096];
};

static void sink_begin(j_compress_ptr c)
{
    struct sink *s = (struct sink *)(void *)c->dest;
    s->mgr.next_output_byte = s->block;
    s->mgr.free_in_buffer = sizeof s->block;
}

static boolean sink_full(j_compress_ptr c)
{
    struct sink *s = (struct sink *)(void *)c->dest;
    buf_append(s->out, s->block, sizeof s->block);
    sink_begin(c);
    return TRUE;
}

static void sink_end(j_compress_ptr c)
{
    struct sink *s = (struct sink *)(void *)c->dest;
    buf_append(s->out, s->block, sizeof s->block - s->mgr.free_in_buffer);
}

enum status image_encode_jpeg(const struct image *im, int quality, struct buf *out, struct error *err)
{
    struct jpeg_compress_struct c;
    struct source s = {.truncated = false};
    struct sink sink = {
        .mgr = {.init_destination = sink_begin, .empty_output_buffer = sink_full, .term_destination = sink_end},
        .out = out};
    volatile enum status st = OK;
    c.err = jpeg_std_error(&s.mgr);
    s.mgr.error_exit = jpeg_on_error;
    if (setjmp(s.out)) {
        st = err_no_memory(err, "JPEG"); /* nothing else can go wrong: the sides are within the format's bounds */
        goto out;
    }
    jpeg_create_compress(&c);
    c.dest = &sink.mgr;
    c.image_width = im->width;
    c.image_height = im->height;
    c.input_components = (int)im->channels;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, quality, TRUE);
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height) {
        JSAMPROW row = im->pixels + (size_t)c.next_scanline * im->width * im->channels;
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    st = buf_status(out, err);
out:
    jpeg_destroy_compress(&c);
    return st;
}
