#include "image_sandbox.h"

#include "image/image_internal.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

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
        read_seed("moving", name, &b);
        buf_init(&pixels, 1 << 20);
        enum status st = image_frames_open(b.data, b.len, 0, &f, &err);
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
    DIR *d = opendir("tests/fuzz/corpus/moving");
    struct dirent *e;
    assert_non_null(d);
    while ((e = readdir(d))) {
        struct buf b;
        struct image_motion whole, part;
        if (e->d_name[0] == '.')
            continue;
        read_seed("moving", e->d_name, &b);
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
    assert_int_equal(image_frames_open(b->data, b->len, 0, &f, &err), OK);
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
        read_seed("moving", names[i / 2], &b);
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

/* Frame i of an animation, from 0, with nothing under transparent pixels; the caller frees it. */
static struct image frame_at(const struct buf *b, uint32_t i)
{
    struct image_frames f;
    struct image im;
    bool more;
    assert_int_equal(image_frames_open(b->data, b->len, 0, &f, NULL), OK);
    for (uint32_t k = 0; k <= i; k++)
        assert_true(image_frames_next(&f, &more, NULL) == OK && more);
    im = f.canvas;
    size_t n = (size_t)im.width * im.height;
    im.pixels = malloc(n * 4);
    assert_non_null(im.pixels);
    memcpy(im.pixels, f.canvas.pixels, n * 4);
    clear_hidden(im.pixels, n);
    image_frames_close(&f);
    return im;
}

static void films_have_the_first_the_middle_and_the_last(void **state)
{
    static const struct {
        const char *name;
        uint32_t n, frames[3];
    } cases[] = {{"walk.webp", 3, {0, 2, 4}},
                 {"disposal2.gif", 3, {0, 2, 4}},
                 {"dispose1blend0.png", 3, {0, 2, 4}},
                 {"blank.gif", 2, {2, 3}},
                 {"specks.webp", 1, {1}}}; /* in which no frame shows enough */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b;
        struct image_film films[2];
        read_seed("moving", cases[i].name, &b);
        struct sandbox_image file = as_file(&b);
        assert_int_equal(image_film(b.data, b.len, 64, &films[0], NULL), OK);
        assert_int_equal(sandbox_film(*state, &file, 64, &films[1], NULL), OK);
        for (int f = 0; f < 2; f++) {
            assert_int_equal(films[f].frames, cases[i].n);
            assert_int_equal(films[f].strip.height, cases[i].n * 18);
            for (uint32_t k = 0; k < cases[i].n; k++) {
                struct image want = frame_at(&b, cases[i].frames[k]), is = image_film_frame(&films[f], k);
                assert_true(is.width == 24 && is.height == 18 && is.channels == 4);
                clear_hidden(is.pixels, 24u * 18);
                assert_memory_equal(is.pixels, want.pixels, 24u * 18 * 4);
                image_free(&want);
            }
            image_free(&films[f].strip);
        }
        buf_free(&b);
    }
}

/* --- Lottie, which only workers draw --- */

static void lotties_are_drawn(void **state)
{
    static const struct {
        const char *name;
        enum image_kind kind;
        uint32_t frames, ms;
    } cases[] = {{"walk.json", IMAGE_LOTTIE, 12, 400},
                 {"inner.json", IMAGE_LOTTIE, 12, 400},
                 {"walk.tgs", IMAGE_TGS, 9, 300}, /* of 18: every second one of 60 a second */
                 {"blank.tgs", IMAGE_TGS, 12, 400},
                 {"walk.lottie", IMAGE_DOTLOTTIE, 12, 400}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf b, webp;
        struct image im;
        struct error err;
        struct sandbox_verdict v;
        read_seed("lottie", cases[i].name, &b);
        buf_init(&webp, 1 << 20);
        struct sandbox_image file = as_file(&b);
        if (sandbox_check(*state, &file, &v, &err) != OK)
            fail_msg("%s: %s", cases[i].name, err.message);
        assert_true(v.kind == cases[i].kind && v.width == 512 && v.height == 512);
        assert_true(v.motion.frames == cases[i].frames && v.motion.duration_ms == cases[i].ms);
        assert_int_equal(sandbox_decode(*state, &file, 64, &im, &err), OK);
        assert_true(im.width == 64 && im.height == 64 && im.channels == 4);
        unsigned red = 0;
        for (size_t p = 0; p < 64u * 64; p++) /* the first disc's colour: 1, 0, 0.2 */
            red += im.pixels[4 * p] > 250 && im.pixels[4 * p + 1] < 5 && im.pixels[4 * p + 2] == 51 &&
                   im.pixels[4 * p + 3] == 255;
        assert_true(red > 30);
        struct image_film film;
        assert_int_equal(sandbox_film(*state, &file, 64, &film, &err), OK);
        assert_true(film.frames >= 2 && film.strip.height == film.frames * 64);
        assert_memory_equal(film.strip.pixels, im.pixels, 64u * 64 * 4);
        assert_memory_not_equal(film.strip.pixels, film.strip.pixels + 64u * 64 * 4, 64u * 64 * 4);
        image_free(&film.strip);
        image_free(&im);
        assert_int_equal(sandbox_animation(*state, &file, 128, IMAGE_WEBP, &webp, &err), OK);
        struct image_motion m = image_motion(webp.data, webp.len);
        assert_true(m.duration_ms == cases[i].ms && m.frames > 5);
        buf_free(&webp);
        buf_free(&b);
    }
}

static void lotties_that_are_cut_off_are_refused(void **state)
{
    static const char *const names[] = {"walk.json", "walk.tgs", "walk.lottie"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf b;
        struct sandbox_verdict v;
        read_seed("lottie", names[i], &b);
        for (size_t part = 0; part < 16; part++) {
            struct error err = {0};
            struct sandbox_image file = as_file(&b);
            file.len = b.len * part / 16;
            assert_int_not_equal(sandbox_check(*state, &file, &v, &err), OK);
            assert_true(strlen(err.message) > 8);
        }
        buf_free(&b);
    }
}

static void refused(struct sandbox *s, const char *text, const char *why)
{
    struct sandbox_verdict v;
    struct error err = {0};
    struct sandbox_image file = {.data = text, .len = strlen(text), .wait_ms = 60000};
    assert_int_not_equal(sandbox_check(s, &file, &v, &err), OK);
    if (!strstr(err.message, why))
        fail_msg("%.60s: %s", text, err.message);
}

static void hostile_lotties_are_refused(void **state)
{
#define SIZED(rest) "{\"v\":\"5.5.2\",\"w\":512,\"h\":512," rest
    refused(*state, SIZED("\"fr\":30,\"ip\":0,\"op\":0,\"layers\":[]}"), "0 frames");
    refused(*state, SIZED("\"fr\":30,\"ip\":0,\"op\":1e9,\"layers\":[]}"), "at most 60 are allowed");
    refused(*state, SIZED("\"fr\":1e9,\"ip\":0,\"op\":3,\"layers\":[]}"), "1e+09 a second");
    refused(*state, SIZED("\"fr\":\"x\",\"ip\":0,\"op\":3,\"layers\":[]}"), "frames");
    refused(*state, SIZED("\"fr\":30,\"ip\":0,\"op\":3,\"layers\":7}"), "no list of layers");
    refused(*state, SIZED("\"fr\":30,\"ip\":0,\"op\":3,\"layers\":[{\"ty\":5}]}"), "texts");
    refused(*state, SIZED("\"fr\":30,\"ip\":0,\"op\":3,\"assets\":[{\"layers\":[{\"ty\":2}]}],\"layers\":[]}"),
            "pictures");
    refused(*state, "{\"w\":60000,\"h\":1,\"fr\":30,\"op\":3,\"layers\":[]}", "60000 x 1");
    refused(*state, SIZED("\"fr\":30,\"op\":3,\"layers\":[}"), "line 1");
    struct buf many;
    buf_init(&many, 3 << 20);
    buf_puts(&many, SIZED("\"fr\":30,\"op\":3,\"layers\":[{}"));
    for (int i = 0; i < 500; i++)
        buf_puts(&many, ",{}");
    buf_puts(&many, "]}");
    refused(*state, buf_str(&many), "more than 500 layers");
    while (many.len < 2u << 20)
        buf_puts(&many, "                                                                ");
    uint8_t small[8192];
    z_stream z = {
        .next_in = (Bytef *)many.data, .avail_in = (uInt)many.len, .next_out = small, .avail_out = sizeof small};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    struct sandbox_verdict v;
    struct error err;
    struct sandbox_image file = {.data = small, .len = sizeof small - z.avail_out, .wait_ms = 60000};
    deflateEnd(&z);
    assert_int_equal(sandbox_check(*state, &file, &v, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "more than 1048576 bytes"));
    buf_free(&many);
}

/* Each inner composition has the one before it ten times; and one has itself. */
static void endless_lotties_end(void **state)
{
    struct buf b;
    struct sandbox_verdict v;
    struct error err;
    for (int endless = 0; endless < 2; endless++) {
        buf_init(&b, 1 << 20);
        buf_puts(&b, SIZED("\"fr\":30,\"ip\":0,\"op\":3,\"assets\":["));
        for (int level = 0; level < 9; level++) {
            buf_printf(&b, "%s{\"id\":\"a%d\",\"layers\":[", level ? "," : "", level);
            for (int i = 0; i < 10; i++)
                buf_printf(&b, "%s{\"ty\":0,\"refId\":\"a%d\",\"ip\":0,\"op\":9,\"w\":512,\"h\":512,\"ks\":{}}",
                           i ? "," : "", endless ? level : level - 1);
            buf_puts(&b, "]}");
        }
        buf_puts(&b, "],\"layers\":[{\"ty\":0,\"refId\":\"a8\",\"ip\":0,\"op\":9,\"w\":512,\"h\":512,\"ks\":{}}]}");
        struct sandbox_image file = as_file(&b);
        enum status st = sandbox_check(*state, &file, &v, &err);
        assert_true(st == ERR_TOO_LARGE || endless); /* of which rlottie leaves out what is inside */
        buf_free(&b);
    }
    read_seed("lottie", "walk.tgs", &b); /* and then others are drawn */
    struct sandbox_image file = as_file(&b);
    assert_int_equal(sandbox_check(*state, &file, &v, &err), OK);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_those_of_pillow),
        cmocka_unit_test(what_is_cut_off_is_refused_or_shorter),
        cmocka_unit_test(bombs_are_refused),
        cmocka_unit_test(renditions_move_as_long_and_as_often),
        cmocka_unit_test(long_renditions_have_fewer_frames),
        cmocka_unit_test(films_have_the_first_the_middle_and_the_last),
        cmocka_unit_test(lotties_are_drawn),
        cmocka_unit_test(lotties_that_are_cut_off_are_refused),
        cmocka_unit_test(hostile_lotties_are_refused),
        cmocka_unit_test(endless_lotties_end),
    };
    return cmocka_run_group_tests(tests, open_sandbox, close_sandbox);
}
