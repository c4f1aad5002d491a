/* What an image looks like, in few bytes, by which the same picture is known in another size or format.
 *
 * It is the idea of perceptual hashes (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
 * 2010: shrink, compare), with the means of cells themselves in place of the signs of their frequencies. Emoji and
 * other symmetric drawings have frequencies near 0, whose signs are noise: on the starter packs 64-bit hashes of the
 * DCT differ in up to 28 bits between two sizes of a picture, while no cell's mean differs by more than 9 of 255; and
 * unlike a count of bits, the largest difference of a cell tells pictures apart that differ in one small place.
 * docs/DUPLICATES.md has the measurements. */
#include "image/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of 255, between the same cells of two images. */
#define LUMA_DIFFERS   IMAGE_LOOK_KEY_DIFFERS
#define CHROMA_DIFFERS 8
#define ALPHA_DIFFERS  24
#define FLAT           16
#define ASPECT_DIFFERS 4 /* of 64 to a doubling: 4 % */

#define SIDE  IMAGE_LOOK_LUMA
#define CELLS (SIDE * SIDE)

static uint8_t look_byte(double x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x + 0.5);
}

/* The mean of a square of cells, `n` to a side, whose first one is (x, y) of these. */
static double mean_of(const double cells[CELLS], size_t x, size_t y, size_t n)
{
    double sum = 0;
    for (size_t row = y * n; row < (y + 1) * n; row++)
        for (size_t column = x * n; column < (x + 1) * n; column++)
            sum += cells[row * SIDE + column];
    return sum / (double)(n * n);
}

static void put_means(const double cells[CELLS], size_t side, uint8_t *out)
{
    for (size_t i = 0; i < side * side; i++)
        out[i] = look_byte(mean_of(cells, i % side, i / side, SIDE / side));
}

/* Rec. 601 luma and colour differences, of colours on white. */
static void describe_cells(const struct image *small, struct image_look *out)
{
    double y[CELLS], cb[CELLS], cr[CELLS], alpha[CELLS];
    for (size_t i = 0; i < CELLS; i++) {
        const uint8_t *p = small->pixels + i * small->channels;
        double a = small->channels == 4 ? p[3] / 255.0 : 1, on_white[3];
        for (size_t k = 0; k < 3; k++)
            on_white[k] = p[k] * a + 255 * (1 - a);
        y[i] = 0.299 * on_white[0] + 0.587 * on_white[1] + 0.114 * on_white[2];
        cb[i] = 128 + 0.564 * (on_white[2] - y[i]);
        cr[i] = 128 + 0.713 * (on_white[0] - y[i]);
        alpha[i] = 255 * a;
    }
    put_means(y, IMAGE_LOOK_LUMA, out->luma);
    put_means(cb, IMAGE_LOOK_CHROMA, out->cb);
    put_means(cr, IMAGE_LOOK_CHROMA, out->cr);
    put_means(alpha, IMAGE_LOOK_ALPHA, out->alpha);
}

enum status image_look(const struct image *im, struct image_look *out, struct error *err)
{
    struct image small = {0};
    enum status st = image_resize(im, SIDE, SIDE, IMAGE_BILINEAR, &small, err);
    if (st != OK)
        return st;
    out->aspect = look_byte(128 + 64 * log2((double)im->width / im->height));
    describe_cells(&small, out);
    image_free(&small);
    return OK;
}

static bool is_near(const uint8_t *a, const uint8_t *b, size_t n, int most)
{
    int differs = 0;
    for (size_t i = 0; i < n; i++) {
        int d = abs(a[i] - b[i]);
        differs = d > differs ? d : differs;
    }
    return differs <= most;
}

static bool is_opaque(const struct image_look *l)
{
    for (size_t i = 0; i < sizeof l->alpha; i++)
        if (l->alpha[i] != 255)
            return false;
    return true;
}

static bool is_flat(const uint8_t *cells, size_t n)
{
    int least = 255, most = 0;
    for (size_t i = 0; i < n; i++) {
        least = cells[i] < least ? cells[i] : least;
        most = cells[i] > most ? cells[i] : most;
    }
    return most - least <= FLAT;
}

/* One colour all over: nothing by which it could be known again. */
static bool is_plain(const struct image_look *l)
{
    return is_flat(l->luma, sizeof l->luma) && is_flat(l->cb, sizeof l->cb) && is_flat(l->cr, sizeof l->cr) &&
           is_flat(l->alpha, sizeof l->alpha);
}

bool image_looks_alike(const struct image_look *a, const struct image_look *b)
{
    return abs(a->aspect - b->aspect) <= ASPECT_DIFFERS && is_near(a->luma, b->luma, sizeof a->luma, LUMA_DIFFERS) &&
           is_near(a->cb, b->cb, sizeof a->cb, CHROMA_DIFFERS) && is_near(a->cr, b->cr, sizeof a->cr, CHROMA_DIFFERS) &&
           (is_near(a->alpha, b->alpha, sizeof a->alpha, ALPHA_DIFFERS) || is_opaque(a) || is_opaque(b)) &&
           !is_plain(a) && !is_plain(b);
}

void image_look_key(const struct image_look *l, uint8_t out[IMAGE_LOOK_KEY])
{
    for (size_t i = 0; i < IMAGE_LOOK_KEY; i++) {
        unsigned sum = 0; /* of a square of 4 x 4 cells: the eight squares of the two rows in the middle */
        for (size_t k = 0; k < 16; k++)
            sum += l->luma[(4 + i / 4 * 4 + k / 4) * SIDE + i % 4 * 4 + k % 4];
        out[i] = (uint8_t)(sum / 16);
    }
}
