/* AVIF and HEIC, which only workers read. The files are made by tests/golden/heif.py, which says what they show. */
#include "image_sandbox.h"

#include <stdlib.h>
#include <string.h>

enum { W = 48, H = 32 };

static void assert_pixel(const struct image *im, uint32_t x, uint32_t y, const uint8_t want[4])
{
    const uint8_t *is = im->pixels + ((size_t)y * im->width + x) * im->channels;
    if (im->channels == 4)
        assert_int_equal(is[3], want[3]);
    for (int c = 0; c < 3 && (im->channels == 3 || is[3]); c++)
        assert_in_range(abs(is[c] - want[c]), 0, 5);
}

static void pictures_are_read(void **state)
{
    static const struct {
        const char *name;
        enum image_kind kind;
        uint32_t channels;
        uint8_t red; /* alpha of what is red */
    } cases[] = {{"clear.avif", IMAGE_AVIF, 4, 255},      {"opaque.avif", IMAGE_AVIF, 3, 255},
                 {"turned.avif", IMAGE_AVIF, 4, 255},     {"mirrored.avif", IMAGE_AVIF, 4, 255},
                 {"multiplied.avif", IMAGE_AVIF, 4, 128}, {"moving.avif", IMAGE_AVIF, 4, 255},
                 {"ten_bits.avif", IMAGE_AVIF, 3, 255},   {"clear.heic", IMAGE_HEIC, 4, 255},
                 {"opaque.heic", IMAGE_HEIC, 3, 255}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        struct image im;
        struct error err;
        struct sandbox_verdict v;
        read_seed("image", cases[i].name, &b);
        struct sandbox_image file = as_file(&b);
        if (sandbox_check(*state, &file, &v, &err) != OK)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_true(v.kind == cases[i].kind && v.width == W && v.height == H && v.motion.frames == 1);
        assert_int_equal(sandbox_decode(*state, &file, 64, &im, &err), OK);
        assert_true(im.width == W && im.height == H && im.channels == cases[i].channels);
        assert_pixel(&im, 10, 6, (const uint8_t[]){220, 30, 40, cases[i].red});
        assert_pixel(&im, 38, 6, (const uint8_t[]){255, 255, 255, 0});
        assert_pixel(&im, 10, 26, (const uint8_t[]){255, 255, 255, 0});
        assert_pixel(&im, 38, 26, (const uint8_t[]){20, 60, 210, 255});
        image_free(&im);
        buf_free(&b);
    }
}

static void kinds_are_told_by_brands(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        enum image_kind kind;
    } cases[] = {{"\0\0\0\x18"
                  "ftypavif\0\0\0\0mif1miaf",
                  IMAGE_AVIF},
                 {"\0\0\0\x18"
                  "ftypmif1\0\0\0\0miafavif",
                  IMAGE_AVIF},
                 {"\0\0\0\x18"
                  "ftypheix\0\0\0\0mif1miaf",
                  IMAGE_HEIC},
                 {"\0\0\0\x18"
                  "ftypmsf1\0\0\0\0hevcmiaf",
                  IMAGE_HEIC},
                 {"\0\0\0\x18"
                  "ftypisom\0\0\0\0mp42avc1",
                  IMAGE_UNKNOWN},
                 {"\0\0\0\x14"
                  "ftypisom\0\0\0\0mp42avif",
                  IMAGE_UNKNOWN}, /* the box ends before that */
                 {"\0\0\0\0"
                  "ftypavif\0\0\0\0mif1miaf",
                  IMAGE_UNKNOWN},
                 {"\0\0\0\x18"
                  "ftyqavif\0\0\0\0mif1miaf",
                  IMAGE_UNKNOWN}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t len = 0; len <= 24; len++) { /* and nothing is read beyond the end */
            char *part = malloc(len ? len : 1);
            memcpy(part, cases[i].bytes, len);
            enum image_kind kind = image_sniff(part, len);
            assert_true(kind == cases[i].kind || len < 24);
            free(part);
        }
}

static void files_that_are_cut_off_are_refused(void **state)
{
    static const char *const names[] = {"clear.avif", "ten_bits.avif", "clear.heic"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b;
        struct sandbox_verdict v;
        read_seed("image", names[i], &b);
        for (size_t part = 0; part < 16; part++) {
            struct error err = {0};
            struct sandbox_image file = as_file(&b);
            file.len = b.len * part / 16;
            if (sandbox_check(*state, &file, &v, &err) == OK || strlen(err.message) < 9)
                fail_msg("%s, %zu of %zu bytes: \"%s\"", names[i], file.len, b.len, err.message);
        }
        buf_free(&b);
    }
}

/* What is damaged is read or refused with a sentence, and the next file is read. */
static void damage_ends_with_its_file(void **state)
{
    static const char *const names[] = {"clear.avif", "clear.heic"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b;
        struct sandbox_verdict v;
        struct error err = {0};
        size_t refused = 0;
        read_seed("image", names[i], &b);
        struct sandbox_image file = as_file(&b);
        for (size_t at = 5; at < b.len; at += 11) {
            b.data[at] ^= 0x55;
            if (sandbox_check(*state, &file, &v, &err) != OK) {
                refused++;
                assert_true(strlen(err.message) > 8);
            }
            b.data[at] ^= 0x55;
        }
        assert_true(refused > 5);
        assert_int_equal(sandbox_check(*state, &file, &v, &err), OK);
        buf_free(&b);
    }
}

static void put_size(struct buf *b, uint32_t width, uint32_t height)
{
    const uint8_t size[8] = {(uint8_t)(width >> 24),  (uint8_t)(width >> 16),  (uint8_t)(width >> 8),  (uint8_t)width,
                             (uint8_t)(height >> 24), (uint8_t)(height >> 16), (uint8_t)(height >> 8), (uint8_t)height};
    size_t boxes = 0;
    for (char *at = b->data, *box; (box = memmem(at, b->len - (size_t)(at - b->data), "ispe", 4));
         at = box + 16, boxes++)
        memcpy(box + 8, size, sizeof size);
    assert_true(boxes > 0);
}

static void wrong_sizes_are_refused(void **state)
{
    static const struct {
        uint32_t width, height;
        enum status status;
        const char *why;
    } cases[] = {{60000, 60000, ERR_TOO_LARGE, "60000x60000"},    {16000, 16000, ERR_TOO_LARGE, "16000 x 16000"},
                 {0x80000000u, 1, ERR_TOO_LARGE, "2147483648x1"}, {0, 0, ERR_CORRUPT, "0 x 0"},
                 {4000, 3000, ERR_CORRUPT, "4000 x 3000"},        {16, 16, ERR_CORRUPT, "16 x 16"}};
    static const char *const names[] = {"opaque.avif", "opaque.heic"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct buf b;
            struct error err = {0};
            struct sandbox_verdict v;
            read_seed("image", names[n], &b);
            put_size(&b, cases[i].width, cases[i].height);
            struct sandbox_image file = as_file(&b);
            if (sandbox_check(*state, &file, &v, &err) != cases[i].status || !strstr(err.message, cases[i].why))
                fail_msg("%s, %u x %u: \"%s\"", names[n], cases[i].width, cases[i].height, err.message);
            buf_free(&b);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures_are_read),
        cmocka_unit_test(kinds_are_told_by_brands),
        cmocka_unit_test(files_that_are_cut_off_are_refused),
        cmocka_unit_test(damage_ends_with_its_file),
        cmocka_unit_test(wrong_sizes_are_refused),
    };
    return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
