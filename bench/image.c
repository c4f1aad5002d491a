/* Decoding and preprocessing of photos: build/release/bench/image FILE... Medians on one thread. */
#include "base/buf.h"
#include "base/os.h"
#include "model/preprocess.h"

#include <stdio.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    struct preprocess p;
    struct error err;
    size_t n = argc > 1 ? (size_t)argc - 1 : 0;
    double *decode = calloc(n + 1, sizeof *decode), *prepare = calloc(n + 1, sizeof *prepare);
    float *pixels = malloc(sizeof(float) * 3 * 224 * 224);
    if (!n || !decode || !prepare || !pixels || preprocess_parse("{}", 2, 224, &p, &err) != OK)
        return 1;
    for (size_t i = 0; i < n; i++) {
        struct buf b;
        struct image im;
        buf_init(&b, IMAGE_MAX_BYTES);
        if (os_read_file(argv[i + 1], &b, &err) != OK) {
            fprintf(stderr, "%s\n", err.message);
            return 1;
        }
        int64_t t0 = os_monotonic_us();
        if (image_decode(b.data, b.len, 224, &im, &err) != OK)
            return 1;
        int64_t t1 = os_monotonic_us();
        if (preprocess_image(&p, &im, pixels, &err) != OK)
            return 1;
        int64_t t2 = os_monotonic_us();
        decode[i] = (double)(t1 - t0) / 1000;
        prepare[i] = (double)(t2 - t1) / 1000;
        image_free(&im);
        buf_free(&b);
    }
    qsort(decode, n, sizeof *decode, ascending);
    qsort(prepare, n, sizeof *prepare, ascending);
    printf("%zu images: decode %.2f ms, resize + crop + normalise %.2f ms\n", n, decode[n / 2], prepare[n / 2]);
    free(decode);
    free(prepare);
    free(pixels);
    return 0;
}
