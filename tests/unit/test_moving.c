#include "cm.h"

#include "base/os.h"
#include "image/image_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#define CORPUS "tests/fuzz/corpus/moving"

static void read_file(const char *name, struct buf *out)
{
    char path[128];
    snprintf(path, sizeof path, CORPUS "/%s", name);
    buf_init(out, 1 << 20);
    assert_int_equal(os_read_file(path, out, NULL), OK);
}

/* What lies under transparent pixels is nobody's business. */
static void clear_hidden(uint8_t *rgba, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rgba[4 * i + 3] == 0)
            memset(rgba + 4 * i, 0, 4);
}

/* The poster, whose pixels may be without alpha, is this frame. */
static void assert_is_poster(const char *name, const struct buf *b, const uint8_t *frame)
{
    struct image im;
    assert_int_equal(image_decode(b->data, b->len, 0, &im, NULL), OK);
    size_t n = (size_t)im.width * im.height;
    if (im.channels == 4)
        clear_hidden(im.pixels, n);
    for (size_t i = 0; i < n; i++)
        if (memcmp(im.pixels + i * im.channels, frame + i * 4, im.channels) != 0)
            fail_msg("%s: another poster", name);
    image_free(&im);
}

/* tests/golden/moving.txt and the files are made by moving.py beside it. */
static void frames_are_those_of_pillow(void **state)
{
    (void)state;
    FILE *list = fopen("tests/golden/moving.txt", "r");
    char name[64], want[65], got[65];
    unsigned frames, ms, seen = 0;
    int poster;
    assert_non_null(list);
    while (fscanf(list, "%63s %u %u %64s %d", name, &frames, &ms, want, &poster) == 5) {
        struct buf b, pixels;
        struct image_frames f;
        struct image_motion checked, told;
        struct error err;
        bool more = true;
        read_file(name, &b);
        buf_init(&pixels, 1 << 20);
        enum status st = image_frames_open(b.data, b.len, &f, &err);
        size_t n = (size_t)f.canvas.width * f.canvas.height;
        while (st == OK && (st = image_frames_next(&f, &more, &err)) == OK && more) {
            buf_append(&pixels, f.canvas.pixels, n * 4);
            clear_hidden((uint8_t *)pixels.data + pixels.len - n * 4, n);
        }
        if (st != OK)
            fail_msg("%s: %s", name, err.message);
        os_sha256_hex(pixels.data, pixels.len, got);
        if (strcmp(got, want) != 0)
            fail_msg("%s: other pixels than Pillow", name);
        assert_int_equal(image_check_frames(b.data, b.len, &checked, NULL), OK);
        told = image_motion(b.data, b.len);
        assert_true(checked.frames == frames && checked.duration_ms == ms);
        assert_true(told.frames == frames && told.duration_ms == ms);
        if (poster >= 0)
            assert_is_poster(name, &b, (uint8_t *)pixels.data + (size_t)poster * n * 4);
        image_frames_close(&f);
        buf_free(&pixels);
        buf_free(&b);
        seen++;
    }
    fclose(list);
    assert_int_equal(seen, 16);
}

/* What is cut off anywhere has fewer frames, or is refused with a reason; its poster is never worse than its first
 * frame. */
static void what_is_cut_off_is_refused_or_shorter(void **state)
{
    (void)state;
    DIR *d = opendir(CORPUS);
    struct dirent *e;
    assert_non_null(d);
    while ((e = readdir(d))) {
        struct buf b;
        struct image_motion whole, part;
        if (e->d_name[0] == '.')
            continue;
        read_file(e->d_name, &b);
        assert_int_equal(image_check_frames(b.data, b.len, &whole, NULL), OK);
        for (size_t i = 0; i < 16; i++) {
            struct error err = {0};
            struct image im;
            size_t len = b.len * i / 16;
            char *cut = malloc(len ? len : 1);
            assert_non_null(cut);
            memcpy(cut, b.data, len);
            if (image_check_frames(cut, len, &part, &err) == OK)
                assert_true(part.frames < whole.frames);
            else
                assert_true(strlen(err.message) > 8);
            if (image_decode(cut, len, 0, &im, &err) == OK)
                image_free(&im);
            free(cut);
        }
        buf_free(&b);
    }
    closedir(d);
}

/* A file of few bytes whose frames would take minutes. */
static void bombs_are_refused(void **state)
{
    (void)state;
    static const char frame[] = "!\xf9\x04\x00\x01\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0";
    struct buf b;
    struct error err;
    struct image_motion m;
    for (unsigned side = 1; side <= 8192; side += 8191) {
        buf_init(&b, 1 << 20);
        buf_append(&b, "GIF89a", 6);
        const uint8_t screen[] = {side & 255, (uint8_t)(side >> 8), side & 255, (uint8_t)(side >> 8), 0x80, 0, 0};
        buf_append(&b, screen, sizeof screen);
        buf_append(&b, "\0\0\0\xff\xff\xff", 6);
        for (unsigned i = 0; i < (side == 1 ? IMAGE_MAX_FRAMES + 1 : 9); i++)
            buf_append(&b, frame, sizeof frame - 1);
        buf_puts(&b, ";");
        assert_int_equal(image_check_frames(b.data, b.len, &m, &err), ERR_TOO_LARGE);
        assert_non_null(
            strstr(err.message, side == 1 ? "more than 4096 frames of 1 x 1" : "more than 8 frames of 8192"));
        buf_free(&b);
    }
    buf_init(&b, 1 << 20);
    buf_append(&b, "GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff", 19);
    for (int i = 0; i < 2; i++)
        buf_append(&b, "!\xf9\x04\0\xff\xff\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0", 23);
    assert_int_equal(image_check_frames(b.data, b.len, &m, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "1200 s: at most 600"));
    buf_free(&b);
}

/* The last frame, on white, and how all of them move. */
static void read_frames(const struct buf *b, struct image *last, struct image_motion *m, uint32_t *loops)
{
    struct image_frames f;
    struct error err;
    bool more = true;
    *m = (struct image_motion){0};
    *last = (struct image){0};
    assert_int_equal(image_frames_open(b->data, b->len, &f, &err), OK);
    while (image_frames_next(&f, &more, &err) == OK && more) {
        m->frames++;
        m->duration_ms += f.duration_ms;
        image_free(last);
        *last = f.canvas;
        last->pixels = malloc((size_t)last->width * last->height * 4);
        assert_non_null(last->pixels);
        memcpy(last->pixels, f.canvas.pixels, (size_t)last->width * last->height * 4);
    }
    *loops = f.loops;
    image_flatten_white(last);
    image_frames_close(&f);
}

static double mean_difference(const struct image *a, const struct image *b)
{
    double sum = 0;
    size_t n = (size_t)a->width * a->height * a->channels;
    assert_true(a->width == b->width && a->height == b->height && a->channels == b->channels);
    for (size_t i = 0; i < n; i++)
        sum += abs(a->pixels[i] - b->pixels[i]);
    return sum / (double)n;
}

static void renditions_move_as_long_and_as_often(void **state)
{
    (void)state;
    static const char *const names[] = {"disposal1.gif", "disposal2.gif", "disposal3.gif",      "solid.gif",
                                        "walk.webp",     "lossy.webp",    "dispose1blend1.png", "blank.png"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        enum image_kind as = i % 2 ? IMAGE_GIF : IMAGE_WEBP;
        struct buf b, made;
        struct image last[3];
        struct image_motion motion[3];
        uint32_t loops[3];
        struct error err;
        read_file(names[i / 2], &b);
        buf_init(&made, 1 << 20);
        read_frames(&b, &last[0], &motion[0], &loops[0]);
        assert_int_equal(image_animation(b.data, b.len, 64, as, &made, &err), OK); /* not enlarged */
        assert_int_equal(image_sniff(made.data, made.len), as);
        read_frames(&made, &last[1], &motion[1], &loops[1]);
        assert_int_equal(motion[0].frames, motion[1].frames);
        assert_int_equal(motion[0].duration_ms, motion[1].duration_ms);
        assert_int_equal(loops[0], loops[1]);
        if (mean_difference(&last[0], &last[1]) > 6)
            fail_msg("%s as %s: differs by %f", names[i / 2], image_extension(as), mean_difference(&last[0], &last[1]));
        buf_reset(&made);
        assert_int_equal(image_animation(b.data, b.len, 12, as, &made, &err), OK);
        read_frames(&made, &last[2], &motion[2], &loops[2]);
        assert_true(last[2].width == 12 && last[2].height == 9 && motion[2].frames == motion[0].frames);
        buf_reset(&made);
        assert_int_equal(image_animation(b.data, b.len, 12, IMAGE_PNG, &made, &err), OK); /* the poster */
        assert_false(image_is_animated(made.data, made.len));
        for (size_t j = 0; j < 3; j++)
            image_free(&last[j]);
        buf_free(&made);
        buf_free(&b);
    }
}

/* 200 frames of 20 ms, 512 pixels wide: as many as there may be pixels, over the same time. */
static void long_renditions_have_fewer_frames(void **state)
{
    (void)state;
    struct image im = {.width = 512, .height = 512, .channels = 4};
    struct image_gif_writer *w;
    struct image_motion motion[2];
    struct buf gif, webp;
    buf_init(&gif, 8 << 20);
    buf_init(&webp, 8 << 20);
    im.pixels = calloc(512 * 512, 4);
    assert_non_null(im.pixels);
    assert_int_equal(image_gif_begin(512, 512, 0, &gif, &w, NULL), OK);
    for (size_t i = 0; i < 200; i++) {
        memset(im.pixels + i * 4096, 255, 4096); /* rows become white */
        assert_int_equal(image_gif_add(w, &im, 2, NULL), OK);
    }
    assert_int_equal(image_gif_finish(w, NULL), OK);
    image_gif_free(w);
    image_free(&im);
    assert_int_equal(image_animation(gif.data, gif.len, 512, IMAGE_WEBP, &webp, NULL), OK);
    motion[0] = image_motion(gif.data, gif.len);
    motion[1] = image_motion(webp.data, webp.len);
    assert_true(motion[0].frames == 200 && motion[0].duration_ms == 4000);
    assert_true(motion[1].frames > 60 && motion[1].frames <= 96 && motion[1].duration_ms == 4000);
    buf_free(&webp);
    buf_free(&gif);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_those_of_pillow),
        cmocka_unit_test(what_is_cut_off_is_refused_or_shorter),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(renditions_move_as_long_and_as_often),
        cmocka_unit_test(long_renditions_have_fewer_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
