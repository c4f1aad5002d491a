/* The inner loops of models and vector searches, for every instruction set that this CPU has:
 *     build/release/bench/kernels [rounds]
 * One thread, its CPU time. The kernels take turns, `rounds` times (15), and the least time of each counts, as other
 * work on the machine only adds to it. Of matrix products: GOP/s (a multiplication and an addition are two) of one tile
 * with everything in the first-level cache, of 8 rows through a layer's widest matrix (a short text; the weights come
 * from memory), and of 50 rows (a picture). Of scans: ms per 100,000 rows of 512 dimensions. */
#include "model/kernels/kernels.h"
#include "machine.h"
#include "vectors/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  512u
#define MLP    2048u
#define LAYERS 24u /* matrices of 1 to 4 MiB: more than caches hold */

/* --- matrix products --- */

struct product {
    const struct kernels *k;
    struct matrix w[LAYERS];
    struct rows few, many;
    float *out;                       /* [50, MLP] */
    double tile, short_text, picture; /* GOP/s, the best so far */
};

static void product_make(const struct kernels *k, struct product *out)
{
    float *values = need(50 * WIDTH * sizeof *values);
    for (size_t i = 0; i < 50 * WIDTH; i++)
        values[i] = (float)(i * 2654435761u % 4096) / 2048 - 1;
    *out = (struct product){.k = k, .out = need(50 * MLP * sizeof(float))};
    for (size_t l = 0; l < LAYERS; l++) {
        size_t bytes = matrix_bytes(k, MLP, WIDTH);
        void *memory = need(bytes);
        memset(memory, 0, bytes);
        matrix_place(k, MLP, WIDTH, memory, &out->w[l]);
        for (size_t p = 0; p < matrix_panels(k, &out->w[l]); p++)
            matrix_pack_panel(k, &out->w[l], p, values, NULL);
    }
    rows_pack(k, values, WIDTH, 8, WIDTH, NULL, need(rows_bytes(k, 8, WIDTH)), &out->few);
    rows_pack(k, values, WIDTH, 50, WIDTH, NULL, need(rows_bytes(k, 50, WIDTH)), &out->many);
    free(values);
}

static double product_rate(struct product *p, const struct rows *x)
{
    double t = cpu_us();
    for (size_t l = 0; l < LAYERS; l++)
        matmul(p->k, &p->w[l], x, 0, matrix_panels(p->k, &p->w[l]), ACT_NONE, false, p->out, MLP);
    return 2e-3 * (double)x->m * WIDTH * MLP * LAYERS / (cpu_us() - t);
}

static double tile_rate(struct product *p)
{
    size_t times = 4000;
    uint32_t tile[KERNEL_MAX_MR * KERNEL_MAX_NR];
    size_t rows = p->k->mr;
    double t = cpu_us();
    for (size_t i = 0; i < times; i++)
        p->k->tile(rows, p->w[0].panels, p->many.data, p->w[0].units, p->w[0].panels, p->k->nr, tile);
    return 2e-3 * (double)(rows * p->k->nr * WIDTH * times) / (cpu_us() - t);
}

/* --- scans --- */

#define ROWS 100000u

struct scan {
    const struct scan_kernels *k;
    double i8, i8_four, f32; /* ms for all rows, the least so far */
};

struct corpus {
    int8_t *codes;   /* [ROWS, WIDTH] */
    int8_t *queries; /* [SCAN_MAX_QUERIES, WIDTH] */
    int32_t *sum;    /* [ROWS] */
    float *vectors;  /* [ROWS, WIDTH] */
};

static double scan_i8(const struct scan *s, const struct corpus *c, size_t queries)
{
    int32_t dots[SCAN_MAX_QUERIES * 256];
    double t = cpu_us();
    for (size_t r = 0; r < ROWS; r += 256)
        s->k->dot_i8(c->codes + r * WIDTH, c->sum + r, ROWS - r < 256 ? ROWS - r : 256, WIDTH, c->queries, queries,
                     dots);
    return (cpu_us() - t) / 1e3 / (double)queries;
}

static double scan_f32(const struct scan *s, const struct corpus *c)
{
    volatile float sum = 0;
    double t = cpu_us();
    for (size_t r = 0; r < ROWS; r++)
        sum += s->k->dot_f32(c->vectors, c->vectors + r * WIDTH, WIDTH);
    return (cpu_us() - t) / 1e3;
}

/* --- the table --- */

static void print_cpu(void)
{
    char line[4096];
    FILE *f = fopen("/proc/cpuinfo", "r");
    for (bool named = false; f && fgets(line, sizeof line, f);) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value && !named)
            named = printf("CPU:%s", value + 1) > 0;
        else if (strncmp(line, "flags", 5) == 0 && value) {
            printf("flags:");
            for (char *save, *flag = strtok_r(line + (value - line) + 1, " \n", &save); flag;
                 flag = strtok_r(NULL, " \n", &save))
                if (strncmp(flag, "avx", 3) == 0 || strcmp(flag, "fma") == 0 || strncmp(flag, "amx", 3) == 0)
                    printf(" %s", flag);
            printf("\n");
            break;
        }
    }
    if (f)
        fclose(f);
}

static double best(double a, double b, bool more)
{
    return a == 0 || (more ? b > a : b < a) ? b : a;
}

int main(int argc, char **argv)
{
    static const char *const types[] = {"fp32", "bf16", "int8"};
    struct product products[9];
    struct scan scans[4];
    size_t n_products = 0, n_scans = 0, rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 15;
    for (int isa = ISA_SCALAR; isa <= ISA_BEST; isa++)
        for (int type = KERNEL_FP32; type <= KERNEL_INT8; type++) {
            const struct kernels *k = kernels_get((enum kernel_type)type, (enum kernel_isa)isa);
            if (k->isa == (enum kernel_isa)isa)
                product_make(k, &products[n_products++]);
        }
    for (const struct scan_kernels *const *k = scan_available(); *k && n_scans < 4; k++)
        scans[n_scans++] = (struct scan){.k = *k};
    struct corpus c = {need((size_t)ROWS * WIDTH), need(SCAN_MAX_QUERIES * WIDTH), need(ROWS * sizeof(int32_t)),
                       need((size_t)ROWS * WIDTH * sizeof(float))};
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++) {
        c.codes[i] = (int8_t)(i * 2654435761u % 255 - 127);
        c.vectors[i] = 0.04f;
    }
    double bytes_us = bandwidth(NULL, 1);
    for (size_t round = 0; round < rounds; round++) {
        for (struct product *p = products; p < products + n_products; p++) {
            p->tile = best(p->tile, tile_rate(p), true);
            p->short_text = best(p->short_text, product_rate(p, &p->few), true);
            p->picture = best(p->picture, product_rate(p, &p->many), true);
        }
        for (struct scan *s = scans; s < scans + n_scans; s++) {
            s->i8 = best(s->i8, scan_i8(s, &c, 1), false);
            s->i8_four = best(s->i8_four, scan_i8(s, &c, SCAN_MAX_QUERIES), false);
            s->f32 = best(s->f32, scan_f32(s, &c), false);
        }
    }
    print_cpu();
    printf("read bandwidth of one core: %.1f GB/s\n\n%-6s %-12s %10s %10s %10s   GOP/s\n", bytes_us / 1e3, "type",
           "kernel", "tile", "8 rows", "50 rows");
    for (const struct product *p = products; p < products + n_products; p++)
        printf("%-6s %-12s %10.0f %10.0f %10.0f\n", types[p->k->type], p->k->name, p->tile, p->short_text, p->picture);
    printf("\n%-19s %10s %10s %10s   ms for %u rows of %u dimensions (reading takes %.2f, fp32 %.2f)\n", "scan", "int8",
           "int8 x4", "fp32", ROWS, WIDTH, ROWS * WIDTH / bytes_us / 1e3, 4e-3 * ROWS * WIDTH / bytes_us);
    for (const struct scan *s = scans; s < scans + n_scans; s++)
        printf("%-19s %10.2f %10.2f %10.2f\n", s->k->name, s->i8, s->i8_four, s->f32);
    return 0;
}
