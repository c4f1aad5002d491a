/* The stores alone: build/release/bench/store [stickers]
 * Writes per second with the durability that the headers promise, at 1 and 64 threads, beside what fsync alone allows
 * on this disk; reads at 1 and 2 threads. Databases are made in a new folder under $TMPDIR (or .) and removed.
 * PEEL_BENCH_POSTGRES=postgresql://.../name, a database that is not there yet: the lexical search on PostgreSQL beside
 * SQLite's, as a ratio. */
#include "base/os.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECONDS 2
#define DIM     512
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != OK) {                                                                                            \
            fprintf(stderr, "bench/store: %s: %s\n", #call, err.message);                                              \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

static const char *const words[] = {"cat",   "dog",   "park", "heart", "smile",  "pizza", "sun",   "moon",
                                    "car",   "tree",  "blue", "red",   "party",  "sad",   "happy", "winter",
                                    "music", "phone", "book", "sleep", "coffee", "fish",  "bird",  "flower"};
enum { N_WORDS = sizeof words / sizeof *words };

struct bench {
    struct sticker_store *stickers;
    struct search_store *search;
    size_t n; /* stickers in it */
    void (*one)(struct bench *b, struct arena *a, unsigned *seed);
    atomic_bool stop;
    atomic_ullong done;
    atomic_uint threads;
};

static unsigned next(unsigned *seed)
{
    return (*seed = *seed * 1103515245u + 12345u) >> 8;
}

static void feedback(struct bench *b, struct arena *a, unsigned *seed)
{
    char query[32], up[32], down[32];
    const char *positive = up, *negative = down, **failed;
    size_t n_failed;
    struct error err;
    snprintf(query, sizeof query, "query %u", next(seed) % 1000);
    snprintf(up, sizeof up, "s%zu.png", next(seed) % b->n);
    snprintf(down, sizeof down, "s%zu.png", next(seed) % b->n);
    struct feedback_entry e = {
        .query = query, .positive = &positive, .n_positive = 1, .negative = &negative, .n_negative = 1};
    MUST(sticker_store_feedback(b->stickers, &e, 1, a, &failed, &n_failed, &err));
}

static void ensure_known(struct bench *b, struct arena *a, unsigned *seed)
{
    char query[32];
    struct error err;
    (void)a;
    snprintf(query, sizeof query, "query %u", next(seed) % 1000);
    MUST(sticker_store_query_ensure(b->stickers, query, &err));
}

static void ensure_new(struct bench *b, struct arena *a, unsigned *seed)
{
    char query[64];
    struct error err;
    (void)a;
    os_uuid7(query);
    (void)seed;
    MUST(sticker_store_query_ensure(b->stickers, query, &err));
}

static void usage_100(struct bench *b, struct arena *a, unsigned *seed)
{
    char text[100][32];
    struct query_usage rows[100];
    struct error err;
    (void)a;
    for (int i = 0; i < 100; i++) {
        snprintf(text[i], sizeof text[i], "query %u", next(seed) % 1000);
        rows[i] = (struct query_usage){.query = text[i], .searches = 1};
    }
    MUST(sticker_store_usage_add(b->stickers, rows, 100, &err));
}

static void get_ten(struct bench *b, struct arena *a, unsigned *seed)
{
    char text[10][32];
    const char *names[10];
    struct sticker out[10];
    struct error err;
    for (int i = 0; i < 10; i++) {
        snprintf(text[i], sizeof text[i], "s%zu.png", next(seed) % b->n);
        names[i] = text[i];
    }
    MUST(sticker_store_get_many(b->stickers, names, 10, a, out, &err));
}

static void lexical(struct bench *b, struct arena *a, const char *const *stems, size_t n_stems, const char *prefix)
{
    struct search_hit *hits;
    size_t n;
    int64_t total;
    struct error err;
    struct term_query q = {.stems = stems, .n_stems = n_stems, .prefix = prefix, .language = LANGUAGE_en};
    MUST(search_store_lexical(b->search, &q, NULL, 10, 0, true, a, &hits, &n, &total, &err));
}

static void search_two(struct bench *b, struct arena *a, unsigned *seed)
{
    char rare[16];
    snprintf(rare, sizeof rare, "w%u", next(seed) % 2000);
    const char *stems[] = {words[next(seed) % N_WORDS], rare};
    lexical(b, a, stems, 2, rare);
}

static void search_typing(struct bench *b, struct arena *a, unsigned *seed)
{
    const char *word = words[next(seed) % N_WORDS];
    char prefix[3] = {word[0], word[1], '\0'};
    const char *stems[] = {words[next(seed) % N_WORDS], prefix};
    lexical(b, a, stems, 2, prefix);
}

static void search_common(struct bench *b, struct arena *a, unsigned *seed)
{
    const char *stems[] = {"sticker", words[next(seed) % N_WORDS]};
    lexical(b, a, stems, 2, NULL);
}

static const struct {
    const char *what;
    void (*one)(struct bench *b, struct arena *a, unsigned *seed);
} lexical_searches[] = {
    {"lexical, common + rare word (~8% match)", search_two},
    {"lexical, word + two typed letters", search_typing},
    {"lexical, a word that every sticker has", search_common},
};
enum { LEXICAL = sizeof lexical_searches / sizeof *lexical_searches };

static void *worker(void *arg)
{
    struct bench *b = arg;
    struct arena a;
    arena_init(&a, 64 << 20);
    unsigned seed = 1 + atomic_fetch_add(&b->threads, 1u) * 7919u;
    while (!atomic_load(&b->stop)) {
        b->one(b, &a, &seed);
        atomic_fetch_add(&b->done, 1u);
        arena_reset(&a);
    }
    arena_free(&a);
    return NULL;
}

/* Microseconds that one takes. */
static double measure(struct bench *b, const char *what, void (*one)(struct bench *, struct arena *, unsigned *),
                      unsigned threads)
{
    pthread_t t[64];
    b->one = one;
    atomic_store(&b->stop, false);
    atomic_store(&b->done, 0);
    int64_t start = os_monotonic_us();
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&t[i], NULL, worker, b) != 0)
            exit(1);
    sleep(SECONDS);
    atomic_store(&b->stop, true);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    double seconds = (double)(os_monotonic_us() - start) / 1e6, done = (double)atomic_load(&b->done);
    printf("%-52s %2u threads %10.0f /s %9.1f us each\n", what, threads, done / seconds,
           seconds * 1e6 * threads / done);
    return seconds * 1e6 * threads / done;
}

static void fill(struct bench *b)
{
    struct error err;
    struct arena a;
    arena_init(&a, 64 << 20);
    unsigned seed = 7;
    int64_t start = os_monotonic_us();
    for (size_t i = 0; i < b->n; i++) {
        char name[32], title[128], sha[32];
        int64_t id;
        bool changed;
        snprintf(name, sizeof name, "s%zu.png", i);
        snprintf(sha, sizeof sha, "%zu", i);
        snprintf(title, sizeof title, "sticker %s %s w%u w%u", words[next(&seed) % N_WORDS],
                 words[next(&seed) % N_WORDS], next(&seed) % 2000, next(&seed) % 2000);
        struct sticker_words w = {"en", title, NULL};
        struct sticker s = {.filename = name,
                            .title = title,
                            .pack = "p",
                            .author = "a",
                            .license = "l",
                            .source = "s",
                            .sha256 = sha,
                            .mime = "image/png",
                            .words = &w,
                            .n_words = 1};
        struct sticker_terms t = {title, title, name, title, NULL, 0};
        struct document d = {.filename = name, .title = title, .words_json = "[]", .image_sha256 = sha};
        struct sticker_terms dt = {title, title, name, title, NULL, 0};
        if (b->stickers)
            MUST(sticker_store_add(b->stickers, &s, &t, 1, &err));
        MUST(search_store_put(b->search, &d, &dt, &id, &changed, NULL, &err));
    }
    double us = (double)(os_monotonic_us() - start);
    printf("filled %s with %zu stickers, one at a time: %.0f us each\n", b->stickers ? "both stores" : "PostgreSQL's",
           b->n, us / (double)b->n);
    for (unsigned i = 0; b->stickers && i < 1000; i++) {
        char query[32];
        snprintf(query, sizeof query, "query %u", i);
        MUST(sticker_store_query_ensure(b->stickers, query, &err));
    }
    arena_free(&a);
}

/* What a commit cannot be faster than: 4 KiB appended and synced. */
static void fsync_alone(const char *folder)
{
    char path[512], page[4096] = {0};
    snprintf(path, sizeof path, "%s/fsync", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600), n = 0;
    int64_t start = os_monotonic_us(), now = start;
    for (; fd >= 0 && now - start < 1000000; n++, now = os_monotonic_us())
        if (write(fd, page, sizeof page) != sizeof page || fdatasync(fd) != 0)
            break;
    printf("%-52s  1 threads %10.0f /s %9.1f us each\n", "fdatasync of 4 KiB alone", n / 1.0,
           (double)(now - start) / (n ? n : 1));
    if (fd >= 0)
        close(fd);
    unlink(path);
}

int main(int argc, char **argv)
{
    struct bench b = {.n = argc > 1 ? (size_t)atol(argv[1]) : 4000};
    struct error err;
    const char *tmp = getenv("TMPDIR");
    char folder[256], stickers[300], search[300];
    snprintf(folder, sizeof folder, "%s/peel-bench-XXXXXX", tmp ? tmp : ".");
    if (b.n < 1 || !mkdtemp(folder))
        return 1;
    snprintf(stickers, sizeof stickers, "%s/stickers.db", folder);
    snprintf(search, sizeof search, "%s/search.db", folder);
    MUST(sticker_store_open(stickers, 16, &b.stickers, &err));
    MUST(search_store_open(search, 16, &b.search, &err));
    MUST(search_store_index_open(b.search, NULL, &err));
    fsync_alone(folder);
    fill(&b);
    (void)measure(&b, "feedback, 2 votes, on the disk when answered", feedback, 1);
    (void)measure(&b, "feedback, 2 votes, on the disk when answered", feedback, 64);
    (void)measure(&b, "query_ensure, known", ensure_known, 1);
    (void)measure(&b, "query_ensure, known", ensure_known, 2);
    (void)measure(&b, "query_ensure, new", ensure_new, 1);
    (void)measure(&b, "query_ensure, new", ensure_new, 64);
    (void)measure(&b, "usage_add, 100 queries", usage_100, 1);
    (void)measure(&b, "get_many, 10 stickers", get_ten, 1);
    (void)measure(&b, "get_many, 10 stickers", get_ten, 2);
    double sqlite[LEXICAL], postgres[LEXICAL];
    for (size_t i = 0; i < LEXICAL; i++)
        sqlite[i] = measure(&b, lexical_searches[i].what, lexical_searches[i].one, 1);
    (void)measure(&b, lexical_searches[0].what, lexical_searches[0].one, 2);
    const char *url = getenv("PEEL_BENCH_POSTGRES");
    if (url && *url) {
        struct bench other = {.n = b.n};
        MUST(search_store_open(url, 4, &other.search, &err));
        MUST(search_store_index_open(other.search, NULL, &err));
        fill(&other);
        /* What autovacuum does within a minute: the index alone is read from then on. */
        if (system("psql \"$PEEL_BENCH_POSTGRES\" -qc 'VACUUM ANALYZE'") != 0)
            fprintf(stderr, "bench/store: no psql: measured before the first vacuum\n");
        for (size_t i = 0; i < LEXICAL; i++)
            postgres[i] = measure(&other, lexical_searches[i].what, lexical_searches[i].one, 1);
        for (size_t i = 0; i < LEXICAL; i++)
            printf("%-52s PostgreSQL takes %.2f times as long as SQLite\n", lexical_searches[i].what,
                   postgres[i] / sqlite[i]);
        search_store_close(other.search);
    }
    sticker_store_close(b.stickers);
    search_store_close(b.search);
    unlink(stickers);
    unlink(search);
    return rmdir(folder);
}
