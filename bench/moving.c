/* Animated renditions, 256 pixels wide: build/release/bench/moving. Processor time of one thread; the pictures are made
 * here: discs that wander, on nothing. What it is held against: the time that the animation itself lasts. */
#include "base/buf.h"
#include "image/image_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SIDE   512u
#define FRAMES 60u
#define DISCS  12u

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void stop(const struct error *err)
{
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static void draw_disc(struct image *im, unsigned disc, unsigned frame)
{
    double turn = 6.283 * frame / FRAMES + disc, radius = 20.0 + 5 * disc;
    double x = SIDE / 2 + 150 * cos(turn), y = SIDE / 2 + 150 * sin(1.7 * turn);
    for (int dy = (int)-radius; dy <= (int)radius; dy++)
        for (int dx = (int)-radius; dx <= (int)radius; dx++)
            if (dx * dx + dy * dy <= radius * radius) {
                uint8_t *p = im->pixels + (((size_t)(y + dy)) * SIDE + (size_t)(x + dx)) * 4;
                const uint8_t colour[] = {(uint8_t)(disc * 40), (uint8_t)(disc * 90), 200, 255};
                memcpy(p, colour, 4);
            }
}

static void make_gif(struct buf *out)
{
    struct error err;
    struct image_gif_writer *w;
    struct image im = {.width = SIDE, .height = SIDE, .channels = 4};
    im.pixels = malloc((size_t)SIDE * SIDE * 4);
    if (!im.pixels || image_gif_begin(SIDE, SIDE, 0, out, &w, &err) != OK)
        exit(1);
    for (unsigned i = 0; i < FRAMES; i++) {
        memset(im.pixels, 0, (size_t)SIDE * SIDE * 4);
        for (unsigned d = 0; d < DISCS; d++)
            draw_disc(&im, d, i);
        if (image_gif_add(w, &im, 4, &err) != OK)
            stop(&err);
    }
    if (image_gif_finish(w, &err) != OK)
        stop(&err);
    image_gif_free(w);
    image_free(&im);
}

/* 180 frames, 60 a second, as Telegram's stickers have. */
static void make_lottie(struct buf *out)
{
    buf_puts(out, "{\"v\":\"5.5.2\",\"fr\":60,\"ip\":0,\"op\":180,\"w\":512,\"h\":512,\"layers\":[");
    for (unsigned d = 0; d < DISCS; d++)
        buf_printf(
            out,
            "%s{\"ty\":4,\"ip\":0,\"op\":180,\"ks\":{\"p\":{\"a\":1,\"k\":[{\"t\":0,\"s\":[80,%u],\"e\":[430,%u],"
            "\"i\":{\"x\":[0.5],\"y\":[1]},\"o\":{\"x\":[0.5],\"y\":[0]}},{\"t\":180,\"s\":[430,%u]}]}},\"shapes\":["
            "{\"ty\":\"gr\",\"it\":[{\"ty\":\"el\",\"p\":{\"k\":[0,0]},\"s\":{\"k\":[%u,60]}},"
            "{\"ty\":\"st\",\"c\":{\"k\":[0,0,0,1]},\"o\":{\"k\":100},\"w\":{\"k\":6}},"
            "{\"ty\":\"fl\",\"c\":{\"k\":[1,0.%u,0.2,1]},\"o\":{\"k\":100}},{\"ty\":\"tr\"}]}]}",
            d ? "," : "", 60 + 30 * d, 60 + 30 * d, 60 + 30 * d, 90 + 8 * d, d % 9);
    buf_puts(out, "]}");
}

static void measure(const char *name, const struct buf *file, uint32_t width, struct buf *out)
{
    struct error err;
    struct image_motion whole;
    buf_init(out, IMAGE_MAX_BYTES);
    double t0 = cpu_ms();
    if (image_check_frames(buf_str(file), file->len, &whole, &err) != OK)
        stop(&err);
    double t1 = cpu_ms();
    if (image_animation(buf_str(file), file->len, width, IMAGE_WEBP, out, &err) != OK)
        stop(&err);
    double t2 = cpu_ms();
    struct image_motion made = image_motion(out->data, out->len);
    printf("%-7s checked in %4.0f ms, %u px wide as WebP in %4.0f ms: %u frames, %zu KB, lasts %llu ms\n", name,
           t1 - t0, width, t2 - t1, made.frames, out->len / 1000, (unsigned long long)made.duration_ms);
}

int main(void)
{
    struct buf gif, lottie, webp, small;
    buf_init(&gif, IMAGE_MAX_BYTES);
    buf_init(&lottie, 1 << 20);
    make_gif(&gif);
    make_lottie(&lottie);
    measure("GIF", &gif, SIDE, &webp);
    measure("GIF", &gif, 256, &small);
    buf_free(&small);
    measure("WebP", &webp, 256, &small);
    buf_free(&small);
    measure("Lottie", &lottie, 256, &small);
    buf_free(&small);
    buf_free(&webp);
    buf_free(&lottie);
    buf_free(&gif);
    return 0;
}
