/* Pillow's two-pass resampling (libImaging/Resample.c, 9.x): float coefficients normalised to sum 1, then
 * 22-bit fixed point; horizontal first, 8 bits between the passes. Same numbers, same rounding: bit-equal. */
#include "image/resize.h"
#include "image/image_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION RESIZE_PRECISION

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x)
{
    if (x == 0)
        return 1;
    x *= 3.14159265358979323846;
    return sin(x) / x;
}

static double lanczos(double x)
{
    return -3 <= x && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static void taps_free(struct resize_taps *t)
{
    free(t->first);
    free(t->count);
    free(t->weight);
    free(t->high);
    free(t->low);
}

/* The taps of positions [from, from + n) of `in` resized to `out`. */
static enum status taps_make(uint32_t in, uint32_t out, uint32_t from, uint32_t n, enum image_filter filter,
                             struct resize_taps *t, struct error *err)
{
    double (*f)(double) = filter == IMAGE_BILINEAR ? triangle : filter == IMAGE_BICUBIC ? cubic : lanczos;
    double support = filter == IMAGE_BILINEAR ? 1 : filter == IMAGE_BICUBIC ? 2 : 3;
    double scale = (double)in / out, filter_scale = scale < 1 ? 1 : scale;
    support *= filter_scale;
    *t = (struct resize_taps){.n = n, .per = ((size_t)ceil(support) * 2 + 1 + 3) / 4 * 4};
    t->first = malloc(n * sizeof *t->first);
    t->count = malloc(n * sizeof *t->count);
    t->weight = calloc(n * t->per, sizeof *t->weight);
    t->high = calloc(n * t->per, sizeof *t->high);
    t->low = calloc(n * t->per, sizeof *t->low);
    double *k = malloc(t->per * sizeof *k);
    if (!t->first || !t->count || !t->weight || !t->high || !t->low || !k) {
        free(k);
        taps_free(t);
        *t = (struct resize_taps){0};
        return err_no_memory(err, "resize");
    }
    for (uint32_t i = 0; i < n; i++) {
        double center = ((double)from + i + 0.5) * scale, sum = 0, ss = 1 / filter_scale;
        int64_t low = (int64_t)(center - support + 0.5), high = (int64_t)(center + support + 0.5);
        low = low < 0 ? 0 : low;
        high = high > in ? in : high;
        uint32_t count = (uint32_t)(high - low);
        for (uint32_t j = 0; j < count; j++) {
            k[j] = f(((double)j + (double)low - center + 0.5) * ss);
            sum += k[j];
        }
        for (uint32_t j = 0; j < count; j++) {
            double w = (sum != 0 ? k[j] / sum : k[j]) * (1 << PRECISION);
            int32_t fixed = (int32_t)(w < 0 ? w - 0.5 : w + 0.5);
            t->weight[i * t->per + j] = fixed;
            t->high[i * t->per + j] = (int16_t)(fixed >> RESIZE_LOW_BITS);
            t->low[i * t->per + j] = (int16_t)(fixed & ((1 << RESIZE_LOW_BITS) - 1));
        }
        t->first[i] = (uint32_t)low;
        t->count[i] = count;
    }
    free(k);
    return OK;
}

static uint8_t clip8(int32_t v)
{
    v >>= PRECISION;
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void across(const uint8_t *in, size_t available, size_t stride, uint32_t rows, uint32_t channels,
                   const struct resize_taps *t, uint8_t *out)
{
    (void)available;
    for (uint32_t y = 0; y < rows; y++) {
        const uint8_t *line = in + y * stride;
        for (uint32_t x = 0; x < t->n; x++, out += channels) {
            const uint8_t *p = line + (size_t)t->first[x] * channels;
            const int32_t *w = t->weight + x * t->per;
            int32_t sum[4] = {1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)};
            if (channels == 3)
                for (uint32_t j = 0; j < t->count[x]; j++, p += 3) {
                    sum[0] += p[0] * w[j];
                    sum[1] += p[1] * w[j];
                    sum[2] += p[2] * w[j];
                }
            else
                for (uint32_t j = 0; j < t->count[x]; j++, p += 4)
                    for (size_t c = 0; c < 4; c++)
                        sum[c] += p[c] * w[j];
            for (size_t c = 0; c < channels; c++)
                out[c] = clip8(sum[c]);
        }
    }
}

/* Whole rows are added up, which compilers turn into vector code. */
static void down(const uint8_t *in, size_t width, const struct resize_taps *t, int32_t *sum, uint8_t *out)
{
    for (uint32_t y = 0; y < t->n; y++, out += width) {
        for (size_t x = 0; x < width; x++)
            sum[x] = 1 << (PRECISION - 1);
        for (uint32_t j = 0; j < t->count[y]; j++) {
            const uint8_t *line = in + (t->first[y] + j) * width;
            int32_t w = t->weight[y * t->per + j];
            for (size_t x = 0; x < width; x++)
                sum[x] += line[x] * w;
        }
        for (size_t x = 0; x < width; x++)
            out[x] = clip8(sum[x]);
    }
}

const struct resize_kernels resize_plain = {"plain", across, down};

const struct resize_kernels *resize_best(void)
{
#if defined __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return &resize_avx2;
#endif
    return &resize_plain;
}

/* Pillow's RGBA -> RGBa and back (libImaging/Convert.c). */
static void premultiply(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++, p += 4)
        for (size_t c = 0; c < 3; c++) {
            unsigned t = p[c] * p[3] + 128u;
            p[c] = (uint8_t)(((t >> 8) + t) >> 8);
        }
}

static void unpremultiply(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++, p += 4)
        for (size_t c = 0; c < 3 && p[3] != 0 && p[3] != 255; c++) {
            unsigned v = 255u * p[c] / p[3];
            p[c] = (uint8_t)(v > 255 ? 255 : v);
        }
}

/* The input lines that the vertical pass reads: [*first, *first + *count). */
static void lines_read(const struct resize_taps *t, uint32_t *first, uint32_t *count)
{
    uint32_t end = t->first[t->n - 1] + t->count[t->n - 1];
    *first = t->first[0];
    *count = end - *first;
}

enum status resize_with(const struct resize_kernels *k, const struct image *in, uint32_t width, uint32_t height,
                        enum image_filter filter, uint32_t x, uint32_t y, uint32_t out_width, uint32_t out_height,
                        struct image *out, struct error *err)
{
    size_t channels = in->channels, stride = in->width * channels;
    uint32_t first = 0, lines = in->height;
    struct resize_taps wide = {0}, high = {0};
    uint8_t *copy = NULL, *middle = NULL;
    int32_t *sum = NULL;
    *out = (struct image){.kind = in->kind};
    if ((uint64_t)x + out_width > width || (uint64_t)y + out_height > height)
        return err_set(err, ERR_INVALID, "resize: part outside %u x %u pixels", width, height);
    enum status st = image_allocate(out, out_width, out_height, in->channels, err);
    if (st == OK)
        st = taps_make(in->width, width, x, out_width, filter, &wide, err);
    if (st == OK)
        st = taps_make(in->height, height, y, out_height, filter, &high, err);
    if (st != OK)
        goto out;

    /* A pass that changes nothing is skipped, as in Pillow. */
    bool same_width = width == in->width && out_width == width, same_height = height == in->height;
    if (!same_height)
        lines_read(&high, &first, &lines);
    else {
        first = y;
        lines = out_height;
    }
    for (uint32_t i = 0; i < high.n; i++)
        high.first[i] -= same_height ? 0 : first;
    const uint8_t *from = in->pixels + first * stride;
    size_t from_bytes = lines * stride, middle_bytes = lines * (size_t)out_width * channels;
    bool alpha = channels == 4 && (width != in->width || height != in->height);
    if ((alpha && !(copy = malloc(from_bytes))) || (!same_width && !(middle = malloc(middle_bytes))) ||
        !(sum = malloc(out_width * channels * sizeof *sum))) {
        st = err_no_memory(err, "resize");
        goto out;
    }
    if (alpha) {
        memcpy(copy, from, from_bytes);
        premultiply(copy, from_bytes / 4);
        from = copy;
    }
    if (!same_width) {
        k->across(from, from_bytes, stride, lines, in->channels, &wide, middle);
        from = middle;
    }
    if (!same_height)
        k->down(from, out_width * channels, &high, sum, out->pixels);
    else
        memcpy(out->pixels, from, middle_bytes);
    if (alpha)
        unpremultiply(out->pixels, (size_t)out_width * out_height);
out:
    free(sum);
    free(middle);
    free(copy);
    taps_free(&wide);
    taps_free(&high);
    if (st != OK)
        image_free(out);
    return st;
}

enum status image_resize_part(const struct image *in, uint32_t width, uint32_t height, enum image_filter filter,
                              uint32_t x, uint32_t y, uint32_t out_width, uint32_t out_height, struct image *out,
                              struct error *err)
{
    return resize_with(resize_best(), in, width, height, filter, x, y, out_width, out_height, out, err);
}

enum status image_resize(const struct image *in, uint32_t width, uint32_t height, enum image_filter filter,
                         struct image *out, struct error *err)
{
    return image_resize_part(in, width, height, filter, 0, 0, width, height, out, err);
}
