/* Video stickers, which only workers decode. The files are made by tests/golden/webm.py, which says what they show. */
#include "image_sandbox.h"

#include "image/webm_read.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint32_t width, height, frames, ms;
    bool clear; /* has alpha */
} videos[] = {{"clear.webm", 32, 24, 6, 200, true}, {"opaque.webm", 32, 24, 6, 200, false},
              {"odd.webm", 33, 25, 6, 600, true},   {"blank.webm", 32, 24, 6, 200, true},
              {"live.webm", 32, 24, 6, 200, true},  {"full.webm", 32, 24, 6, 200, false},
              {"sound.webm", 32, 24, 6, 200, true}};
enum { VIDEOS = sizeof videos / sizeof *videos };

static void near(int is, int want, int most, const char *name)
{
    if (abs(is - want) > most)
        fail_msg("%s: %d, expected %d", name, is, want);
}

static void videos_are_decoded(void **state)
{
    for (size_t i = 0; i < VIDEOS; i++) {
        struct buf b;
        struct image im;
        struct error err;
        struct sandbox_verdict v;
        read_seed("webm", videos[i].name, &b);
        struct sandbox_image file = as_file(&b);
        if (sandbox_check(*state, &file, &v, &err) != OK)
            fail_msg("%s: %s", videos[i].name, err.message);
        assert_true(v.kind == IMAGE_WEBM && v.width == videos[i].width && v.height == videos[i].height);
        assert_int_equal(v.motion.frames, videos[i].frames);
        near((int)v.motion.duration_ms, (int)videos[i].ms, 1, videos[i].name);
        assert_int_equal(sandbox_decode(*state, &file, 0, &im, &err), OK);
        assert_true(im.width == v.width && im.height == v.height && im.channels == 4);
        /* the square of the first frame that shows one: its right half, and what is beside it */
        uint32_t x = strcmp(videos[i].name, "blank.webm") == 0 ? 10 + 8 : 8;
        const uint8_t *in = im.pixels + ((size_t)12 * im.width + x) * 4;
        const uint8_t *out = im.pixels + ((size_t)12 * im.width + 29) * 4;
        static const uint8_t red[] = {220, 30, 40, 255};
        for (int c = 0; c < 4; c++)
            near(in[c], red[c], 24, videos[i].name);
        near(out[3], videos[i].clear ? 0 : 255, 8, videos[i].name);
        near(in[3 - 4 * 6], videos[i].clear ? 128 : 255, 24, videos[i].name);
        if (!videos[i].clear)
            near(out[1], 255, 8, videos[i].name);
        image_free(&im);
        buf_free(&b);
    }
}

static void a_video_of_one_frame_is_a_still(void **state)
{
    struct buf b;
    struct sandbox_verdict v;
    struct error err;
    read_seed("webm", "still.webm", &b);
    struct sandbox_image file = as_file(&b);
    assert_int_equal(sandbox_check(*state, &file, &v, &err), OK);
    assert_true(v.motion.frames == 1 && v.width == 32);
    buf_free(&b);
}

static void renditions_move(void **state)
{
    struct buf b, webp;
    struct error err;
    read_seed("webm", "odd.webm", &b);
    buf_init(&webp, 1 << 20);
    struct sandbox_image file = as_file(&b);
    assert_int_equal(sandbox_animation(*state, &file, 64, IMAGE_WEBP, &webp, &err), OK);
    struct image_motion m = image_motion(webp.data, webp.len);
    assert_true(m.duration_ms == 600 && m.frames == 6);
    buf_free(&webp);
    buf_free(&b);
}

static void refused(struct sandbox *s, const char *name, const struct buf *b, size_t len, const char *why)
{
    struct sandbox_verdict v;
    struct error err = {.message = ""};
    struct sandbox_image file = as_file(b);
    file.len = len;
    if (sandbox_check(s, &file, &v, &err) == OK || !strstr(err.message, why) || strlen(err.message) < 9)
        fail_msg("%s, %zu of %zu bytes: \"%s\"", name, len, b->len, err.message);
}

static void videos_that_are_cut_off_are_refused(void **state)
{
    for (size_t i = 0; i < VIDEOS; i++) {
        struct buf b;
        read_seed("webm", videos[i].name, &b);
        if (strcmp(videos[i].name, "live.webm") != 0) /* which does not say how long it is */
            for (size_t part = 0; part < 16; part++)
                refused(*state, videos[i].name, &b, b.len * part / 16, "");
        buf_free(&b);
    }
}

static void other_codecs_are_refused(void **state)
{
    struct buf b;
    read_seed("webm", "vp8.webm", &b);
    refused(*state, "vp8.webm", &b, b.len, "not VP9");
    buf_free(&b);
    read_seed("webm", "ten_bits.webm", &b);
    refused(*state, "ten_bits.webm", &b, b.len, "more than 8 bits");
    buf_free(&b);
}

/* --- files that are put together here --- */

/* An element whose length takes 4 bytes. */
static void put(struct buf *b, uint32_t id, const void *data, size_t len)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        if (id >> shift)
            buf_append(b, &(uint8_t){(uint8_t)(id >> shift)}, 1);
    buf_append(b, (uint8_t[]){(uint8_t)(0x10 | len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len}, 4);
    buf_append(b, data, len);
}

static void put_number(struct buf *b, uint32_t id, uint32_t value)
{
    put(b, id, (uint8_t[]){(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value}, 4);
}

/* A video with this size in its head. */
static void put_head(struct buf *b, uint32_t width, uint32_t height)
{
    struct buf video, track, tracks, ebml;
    buf_init(&video, 1000);
    buf_init(&track, 1000);
    buf_init(&tracks, 1000);
    buf_init(&ebml, 1000);
    put_number(&video, 0xb0, width);
    put_number(&video, 0xba, height);
    put_number(&track, 0xd7, 1);
    put_number(&track, 0x83, 1);
    put(&track, 0x86, "V_VP9", 5);
    put(&track, 0xe0, video.data, video.len);
    put(&tracks, 0xae, track.data, track.len);
    put(&ebml, 0x4282, "webm", 4);
    put(b, 0x1a45dfa3, ebml.data, ebml.len);
    buf_append(b, "\x18\x53\x80\x67\xff", 5); /* a segment without an end, as is the cluster */
    put(b, 0x1654ae6b, tracks.data, tracks.len);
    buf_append(b, "\x1f\x43\xb6\x75\xff", 5);
    buf_free(&video);
    buf_free(&track);
    buf_free(&tracks);
    buf_free(&ebml);
}

static void put_frame(struct buf *b, unsigned ms, uint8_t flags, const void *data, size_t len)
{
    struct buf block;
    buf_init(&block, 1 << 16);
    buf_append(&block, (uint8_t[]){0x81, (uint8_t)(ms >> 8), (uint8_t)ms, flags}, 4);
    buf_append(&block, data, len);
    put(b, 0xa3, block.data, block.len);
    buf_free(&block);
}

static void hostile_videos_are_refused(void **state)
{
    struct buf b, seed;
    struct webm_reader r;
    struct webm_frame f;
    bool more;
    read_seed("webm", "opaque.webm", &seed);
    assert_int_equal(webm_open((const uint8_t *)seed.data, seed.len, &r, NULL), OK);
    assert_int_equal(webm_next(&r, &f, &more, NULL), OK);
    buf_init(&b, 1 << 20);
    put_head(&b, 32, 24); /* what is put together here can be read */
    put_frame(&b, 0, 0x80, f.colour, f.colour_len);
    struct sandbox_verdict v;
    struct error err;
    struct sandbox_image file = as_file(&b);
    assert_int_equal(sandbox_check(*state, &file, &v, &err), OK);
    assert_true(v.width == 32 && v.motion.frames == 1);
    put_frame(&b, 5, 0x86, f.colour, f.colour_len);
    refused(*state, "laced", &b, b.len, "several frames in a block");
    static const struct {
        uint32_t width, height;
        const char *why;
    } heads[] = {{0, 24, "0 x 24"},
                 {32, 0xffffffff, "4294967295"},
                 {16384, 16384, "at most"},
                 {33, 24, "32 x 24 pixels, where the head says 33 x 24"}};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        buf_reset(&b);
        put_head(&b, heads[i].width, heads[i].height);
        put_frame(&b, 0, 0x80, f.colour, f.colour_len);
        refused(*state, heads[i].why, &b, b.len, heads[i].why);
    }
    buf_reset(&b);
    put_head(&b, 32, 24);
    refused(*state, "empty", &b, b.len, "without a frame");
    put_frame(&b, 9, 0x80, f.colour, f.colour_len);
    put_frame(&b, 5, 0, f.colour, f.colour_len);
    refused(*state, "order", &b, b.len, "comes after");
    buf_reset(&b);
    put_head(&b, 32, 24);
    for (unsigned i = 0; i < 4097; i++)
        put_frame(&b, i, 0x80, "", 0);
    refused(*state, "frames", &b, b.len, "more than 4096 frames");
    buf_reset(&b);
    put_head(&b, 32, 24);
    put_frame(&b, 0, 0x80, f.colour, f.colour_len);
    put_number(&b, 0xe7, 5000000);
    put_frame(&b, 0, 0x80, f.colour, f.colour_len);
    refused(*state, "hours", &b, b.len, "at most 600");
    buf_reset(&b);
    put_head(&b, 2048, 2048);
    put_frame(&b, 0, 0x80, f.colour, f.colour_len);
    refused(*state, "another size", &b, b.len, "32 x 24 pixels, where the head says 2048 x 2048");
    buf_free(&b);
    buf_free(&seed);
}

/* Whatever is damaged is read, or refused with a sentence, and the next file is read. */
static void damage_ends_with_its_file(void **state)
{
    struct buf b;
    struct sandbox_verdict v;
    struct error err;
    read_seed("webm", "clear.webm", &b);
    struct sandbox_image file = as_file(&b);
    for (size_t at = 0; at < b.len; at += 1 + b.len / 50) {
        ((char *)b.data)[at] ^= 0x55;
        err.message[0] = '\0';
        if (sandbox_check(*state, &file, &v, &err) != OK)
            assert_true(strlen(err.message) > 8);
        ((char *)b.data)[at] ^= 0x55;
    }
    assert_int_equal(sandbox_check(*state, &file, &v, &err), OK);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(videos_are_decoded),        cmocka_unit_test(a_video_of_one_frame_is_a_still),
        cmocka_unit_test(renditions_move),           cmocka_unit_test(videos_that_are_cut_off_are_refused),
        cmocka_unit_test(other_codecs_are_refused),  cmocka_unit_test(hostile_videos_are_refused),
        cmocka_unit_test(damage_ends_with_its_file),
    };
    return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
