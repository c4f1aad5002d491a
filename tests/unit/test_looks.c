/* test_looks.c: what images look like, and which stickers look alike. */
#include "cm.h"

#include "image/image.h"
#include "import/looks.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIDE 200u

struct colour {
    uint8_t r, g, b;
};

/* A disc with a bar on transparent ground; what changes from one sticker to another are its colours and the bar. */
static struct image draw(struct colour disc, struct colour bar, uint32_t bar_width, uint32_t radius)
{
    struct image im = {.width = SIDE, .height = SIDE, .channels = 4, .pixels = calloc(SIDE * SIDE, 4)};
    assert_non_null(im.pixels);
    for (uint32_t y = 0; y < SIDE; y++)
        for (uint32_t x = 0; x < SIDE; x++) {
            int dx = (int)x - 100, dy = (int)y - 100;
            bool in = (uint32_t)(dx * dx + dy * dy) < radius * radius;
            bool on_bar = in && x > 100 && x < 100 + bar_width && y > 40 && y < 100;
            const struct colour c = on_bar ? bar : disc;
            const uint8_t pixel[4] = {c.r, c.g, c.b, in ? 255 : 0};
            memcpy(im.pixels + 4 * (y * SIDE + x), pixel, 4);
        }
    return im;
}

static struct image_look look_of(const struct image *im)
{
    struct image_look look;
    assert_int_equal(image_look(im, &look, NULL), OK);
    return look;
}

static struct image_look look_of_drawing(struct colour disc, struct colour bar, uint32_t bar_width, uint32_t radius)
{
    struct image im = draw(disc, bar, bar_width, radius);
    struct image_look look = look_of(&im);
    image_free(&im);
    return look;
}

static const struct colour red = {220, 20, 40}, pink = {245, 90, 90}, black = {10, 10, 10}, white = {255, 255, 255};

/* Smaller, and written as another kind of file. */
static struct image_look look_through(enum image_kind kind, uint32_t side)
{
    struct image im = draw(red, black, 20, 90), small, back;
    struct buf file;
    buf_init(&file, 1u << 20);
    assert_int_equal(image_resize(&im, side, side, IMAGE_BICUBIC, &small, NULL), OK);
    assert_int_equal(image_encode(&small, kind, &file, NULL), OK);
    assert_int_equal(image_decode(file.data, file.len, 0, &back, NULL), OK);
    struct image_look look = look_of(&back);
    image_free(&im);
    image_free(&small);
    image_free(&back);
    buf_free(&file);
    return look;
}

static void the_same_picture_is_known_in_other_sizes_and_formats(void **state)
{
    static const enum image_kind kinds[] = {IMAGE_PNG, IMAGE_WEBP, IMAGE_JPEG, IMAGE_GIF};
    struct image_look look = look_of_drawing(red, black, 20, 90);
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (uint32_t side = SIDE; side >= 64; side /= 2) {
            struct image_look other = look_through(kinds[i], side);
            if (!image_looks_alike(&look, &other))
                fail_msg("%s, %u px", image_mime(kinds[i]), side);
        }
}

static void near_twins_are_told_apart(void **state)
{
    struct image_look look = look_of_drawing(red, black, 20, 90);
    const struct image_look twins[] = {look_of_drawing(pink, black, 20, 90), look_of_drawing(red, black, 26, 90),
                                       look_of_drawing(red, white, 20, 90), look_of_drawing(red, black, 20, 84)};
    (void)state;
    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        if (image_looks_alike(&look, &twins[i]))
            fail_msg("twin %zu", i);
    /* On white they are all the same: only their shapes differ. */
    struct image_look disc = look_of_drawing(white, white, 20, 90), smaller = look_of_drawing(white, white, 20, 50);
    assert_false(image_looks_alike(&disc, &smaller));
    struct image_look plain = look;
    memset(plain.luma, 200, sizeof plain - offsetof(struct image_look, luma));
    assert_false(image_looks_alike(&plain, &plain));
    struct image_look wide = look;
    wide.aspect += 8;
    assert_false(image_looks_alike(&look, &wide));
}

static void keys_of_what_is_alike_are_near(void **state)
{
    struct image_look a = look_of_drawing(red, black, 20, 90), b = a;
    uint8_t x[IMAGE_LOOK_KEY], y[IMAGE_LOOK_KEY];
    (void)state;
    for (size_t i = 0; i < sizeof b.luma; i++)
        b.luma[i] = (uint8_t)(b.luma[i] >= 8 ? b.luma[i] - 8 : b.luma[i] + 8);
    assert_true(image_looks_alike(&a, &b));
    image_look_key(&a, x);
    image_look_key(&b, y);
    for (size_t i = 0; i < IMAGE_LOOK_KEY; i++)
        assert_true(abs(x[i] - y[i]) <= IMAGE_LOOK_KEY_DIFFERS);
}

/* --- the collection --- */

static void add_sticker(struct sticker_store *store, const char *filename, const struct image_look *look,
                        int32_t frames, int32_t duration_ms)
{
    const struct sticker_terms terms = {.title = "", .words = "", .filename = "", .folded = ""};
    struct sticker s = {.filename = filename,
                        .title = "",
                        .sha256 = filename,
                        .mime = "image/png",
                        .frames = frames,
                        .duration_ms = duration_ms,
                        .look = look,
                        .look_size = look ? sizeof *look : 0};
    assert_int_equal(sticker_store_add(store, &s, &terms, 1, NULL), OK);
}

static size_t count_groups(struct sticker_store *store, const char *all)
{
    struct looks *looks;
    struct looks_group *groups;
    struct arena a;
    struct buf said;
    size_t n;
    arena_init(&a, 1u << 20);
    buf_init(&said, 1u << 16);
    assert_int_equal(looks_load(store, &looks, NULL), OK);
    assert_int_equal(looks_groups(looks, store, &a, &groups, &n, NULL), OK);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < groups[i].n; k++)
            buf_printf(&said, "%s%s", groups[i].filenames[k], k + 1 < groups[i].n ? " " : ";");
    assert_string_equal(buf_str(&said), all);
    looks_free(looks);
    buf_free(&said);
    arena_free(&a);
    return n;
}

static void stickers_that_look_alike_are_grouped(void **state)
{
    struct image_look cat = look_of_drawing(red, black, 20, 90), twin = look_of_drawing(red, white, 20, 90);
    char folder[] = "/tmp/test_looks.XXXXXX", path[64];
    struct sticker_store *store;
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/sticker.db", folder);
    assert_int_equal(sticker_store_open(path, 1, &store, NULL), OK);
    add_sticker(store, "a.png", &cat, 1, 0);
    add_sticker(store, "b.png", &twin, 1, 0);
    add_sticker(store, "c.png", &cat, 1, 0);
    add_sticker(store, "d.gif", &cat, 5, 1000); /* moves */
    add_sticker(store, "e.gif", &cat, 5, 2000);
    add_sticker(store, "f.gif", &cat, 9, 1050);
    add_sticker(store, "g.png", NULL, 1, 0);
    assert_int_equal(count_groups(store, "a.png c.png;d.gif f.gif;"), 2);
    assert_int_equal(sticker_store_look_set(store, "g.png", "other", &cat, sizeof cat, NULL), OK);
    assert_int_equal(count_groups(store, "a.png c.png;d.gif f.gif;"), 2);
    assert_int_equal(sticker_store_look_set(store, "g.png", "g.png", &cat, sizeof cat, NULL), OK);
    assert_int_equal(count_groups(store, "a.png c.png g.png;d.gif f.gif;"), 2);
    const char *const not_same[] = {"f.gif", "d.gif"};
    assert_int_equal(sticker_store_not_duplicates_add(store, not_same, 2, NULL), OK);
    assert_int_equal(sticker_store_not_duplicates_add(store, not_same, 2, NULL), OK);
    assert_int_equal(count_groups(store, "a.png c.png g.png;"), 1);
    assert_int_equal(sticker_store_delete(store, "a.png", NULL), OK);
    assert_int_equal(count_groups(store, "c.png g.png;"), 1);
    sticker_store_close(store);
    static const char *const files[] = {"sticker.db", "sticker.db-wal", "sticker.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_picture_is_known_in_other_sizes_and_formats),
        cmocka_unit_test(near_twins_are_told_apart),
        cmocka_unit_test(keys_of_what_is_alike_are_near),
        cmocka_unit_test(stickers_that_look_alike_are_grouped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
