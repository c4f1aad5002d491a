/* machine.h: what this machine can do at most, for benchmarks that show how near a model comes to it. */
#ifndef PEEL_BENCH_MACHINE_H
#define PEEL_BENCH_MACHINE_H

#include "base/os.h"
#include "base/pool.h"
#include "model/kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

static inline void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

#define HUGE_PAGE ((size_t)2 << 20)

static inline void *need(size_t bytes)
{
    size_t align = bytes < HUGE_PAGE ? KERNEL_ALIGN : HUGE_PAGE; /* as weights and segments are laid out */
    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
    if (!p)
        fail("out of memory");
    if (bytes >= HUGE_PAGE)
        (void)madvise(p, bytes, MADV_HUGEPAGE);
    memset(p, 1, bytes);
    return p;
}

/* Of this thread: what others do on the machine counts little in it. */
static inline double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

#define READ_BYTES ((size_t)256 << 20)

struct reading {
    const unsigned char *data;
    size_t each;
    uint64_t sums[2];
};

/* One load a cache line is enough to have it brought in. */
static inline void read_share(void *arg, size_t i)
{
    struct reading *r = arg;
    uint64_t sum = 0;
    for (size_t k = i * r->each; k < (i + 1) * r->each; k += 64) {
        uint64_t word;
        __builtin_prefetch(r->data + k + 4096);
        memcpy(&word, r->data + k, sizeof word);
        sum += word;
    }
    r->sums[i] = sum;
}

/* Bytes per microsecond, of memory laid out as the weights are. */
static inline double bandwidth(struct pool *pool, size_t threads)
{
    unsigned char *data = mmap(NULL, READ_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED)
        fail("out of memory");
    (void)madvise(data, READ_BYTES, MADV_HUGEPAGE);
    memset(data, 1, READ_BYTES);
    struct reading r = {.data = data, .each = READ_BYTES / threads};
    double best = 0;
    for (int i = 0; i < 25; i++) {
        double t = pool ? (double)os_monotonic_us() : cpu_us();
        pool_for(pool, threads, read_share, &r);
        double rate = (double)READ_BYTES / ((pool ? (double)os_monotonic_us() : cpu_us()) - t);
        best = rate > best && r.sums[0] ? rate : best;
    }
    munmap(data, READ_BYTES);
    return best;
}

/* Operations (a multiplication and an addition are two) per microsecond on one core. */
static inline double peak(const struct kernels *k)
{
    size_t units = 128, times = 4000;
    uint32_t *w = need(units * k->nr * 4), *x = need(units * k->mr * 4), *out = need(k->nr * k->mr * 4);
    double best = 0;
    for (int i = 0; i < 15; i++) {
        double t = cpu_us();
        for (size_t j = 0; j < times; j++)
            k->tile(k->mr, w, x, units, w, k->nr, out);
        double rate = 2.0 * (double)(units * k->group * k->nr * k->mr * times) / (cpu_us() - t);
        best = rate > best ? rate : best;
    }
    free(w);
    free(x);
    free(out);
    return best;
}

#endif
