/* Fills the databases of a data folder as if N stickers had been imported and indexed:
 *
 *     build/release/bench/seed DATA N [MODEL DIM]
 *
 * Each sticker sN.png has three words in its title and six beside it, of 20,000 made-up words of which the n-th is used
 * in proportion to 1/n (Zipf), as in a language. With a model, each has a random unit vector of it. No pictures. What
 * the words are goes to DATA/words, one a line, the most frequent first. */
#include "base/os.h"
#include "base/pool.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"
#include "text/text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define N_WORDS 20000
#define CHUNK   500 /* stickers in one transaction */
#define THREADS 32  /* enough that commits are shared */
#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != OK) {                                                                                            \
            fprintf(stderr, "bench/seed: %s: %s\n", #call, err.message);                                               \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

struct seed {
    struct sticker_store *stickers;
    struct search_store *search;
    size_t n, dim;
    const char *model;
    char words[N_WORDS][16];
    double upto[N_WORDS]; /* sum of 1/1 .. 1/(i + 1) */
};

static uint64_t next(uint64_t *state) /* Vigna's splitmix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state)
{
    return (double)(next(state) >> 11) / 9007199254740992.0;
}

static void make_words(struct seed *s, const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/words", folder);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < N_WORDS; i++) {
        char *w = s->words[i];
        size_t rest = i * 7919 % N_WORDS + N_WORDS; /* neighbours in frequency do not look alike */
        for (; rest; rest /= 80) {
            *w++ = "bcdfghklmnprstvw"[rest % 16];
            *w++ = "aeiou"[rest % 80 / 16];
        }
        s->upto[i] = (i ? s->upto[i - 1] : 0) + 1.0 / (double)(i + 1);
        fprintf(f, "%s\n", s->words[i]);
    }
    if (fclose(f) != 0)
        exit(1);
}

static const char *pick(const struct seed *s, uint64_t *state)
{
    double x = uniform(state) * s->upto[N_WORDS - 1];
    size_t low = 0, high = N_WORDS - 1;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (s->upto[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return s->words[low];
}

static char *stems(const char *s, struct arena *a)
{
    struct text_terms t;
    struct error err;
    MUST(text_analyze(s, strlen(s), 256, a, &t, &err));
    return text_join_stems(&t, a);
}

/* A unit vector with normally distributed components (Box and Muller), so that its direction is uniform. */
static void random_vector(float *v, size_t dim, uint64_t *state)
{
    double sum = 0;
    for (size_t i = 0; i < dim; i++) {
        double x = sqrt(-2 * log(1 - uniform(state))) * cos(6.283185307179586 * uniform(state));
        v[i] = (float)x;
        sum += x * x;
    }
    for (size_t i = 0; i < dim; i++)
        v[i] /= (float)sqrt(sum);
}

static void fill_chunk(void *arg, size_t chunk)
{
    struct seed *s = arg;
    struct error err;
    struct arena a;
    arena_init(&a, 64 << 20);
    size_t first = chunk * CHUNK, n = s->n - first < CHUNK ? s->n - first : CHUNK;
    uint64_t state = chunk + 1;
    struct sticker *stickers = arena_array(&a, n, sizeof *stickers);
    struct sticker_terms *terms = arena_array(&a, n, sizeof *terms);
    int64_t *ids = arena_array(&a, n, sizeof *ids);
    const char **hashes = arena_array(&a, n, sizeof *hashes);
    float *vectors = arena_array(&a, n * (s->dim ? s->dim : 1), sizeof *vectors);
    if (!stickers || !terms || !ids || !hashes || !vectors)
        exit(1);
    for (size_t i = 0; i < n; i++) {
        char name[32], sha[65], title[64], text[128], json[192];
        bool changed;
        snprintf(name, sizeof name, "s%zu.png", first + i);
        snprintf(sha, sizeof sha, "%064zx", first + i);
        snprintf(title, sizeof title, "%s %s %s", pick(s, &state), pick(s, &state), pick(s, &state));
        snprintf(text, sizeof text, "%s, %s, %s, %s, %s, %s", pick(s, &state), pick(s, &state), pick(s, &state),
                 pick(s, &state), pick(s, &state), pick(s, &state));
        snprintf(json, sizeof json, "[{\"language\":\"en\",\"words\":\"%s\"}]", text);
        struct sticker_words *words = arena_alloc(&a, sizeof *words);
        *words = (struct sticker_words){"en", arena_strdup(&a, text), NULL};
        stickers[i] = (struct sticker){.filename = arena_strdup(&a, name),
                                       .title = arena_strdup(&a, title),
                                       .pack = (first + i) % 2 ? "odd" : "even",
                                       .author = "",
                                       .license = "CC0-1.0",
                                       .source = "",
                                       .sha256 = hashes[i] = arena_strdup(&a, sha),
                                       .mime = "image/png",
                                       .bytes = 100,
                                       .width = 8,
                                       .height = 8,
                                       .words = words,
                                       .n_words = 1};
        struct sticker_terms t = {stems(title, &a), stems(text, &a), stems(name, &a), text, NULL, 0};
        terms[i] = (struct sticker_terms){t.title, t.words, t.filename, words->words, NULL, 0};
        struct document d = {.filename = name, .title = title, .words_json = json, .image_sha256 = sha};
        MUST(search_store_put(s->search, &d, &t, &ids[i], &changed, NULL, &err));
        if (s->dim)
            random_vector(vectors + i * s->dim, s->dim, &state);
    }
    MUST(sticker_store_add(s->stickers, stickers, terms, n, &err));
    if (s->dim)
        MUST(search_store_vectors_put(s->search, s->model, s->dim, ids, hashes, vectors, n, &err));
    arena_free(&a);
}

/* SearchService knows it all already. */
static void empty_outbox(struct seed *s)
{
    struct error err;
    struct arena a;
    size_t n;
    arena_init(&a, 64 << 20);
    do {
        struct outbox_item *items;
        arena_reset(&a);
        MUST(sticker_store_outbox_next(s->stickers, INT64_MAX, 1000, &a, &items, &n, &err));
        int64_t seq[1000];
        for (size_t i = 0; i < n; i++)
            seq[i] = items[i].seq;
        MUST(sticker_store_outbox_done(s->stickers, seq, n, &err));
    } while (n);
    arena_free(&a);
}

int main(int argc, char **argv)
{
    static struct seed s;
    struct error err;
    struct pool *pool;
    char path[4096];
    if (argc != 3 && argc != 5) {
        fprintf(stderr, "usage: seed DATA N [MODEL DIM]\n");
        return 2;
    }
    s.n = strtoul(argv[2], NULL, 10);
    s.model = argc == 5 ? argv[3] : NULL;
    s.dim = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
    (void)mkdir(argv[1], 0700);
    make_words(&s, argv[1]);
    snprintf(path, sizeof path, "%s/sticker.db", argv[1]);
    MUST(sticker_store_open(path, 2, &s.stickers, &err));
    snprintf(path, sizeof path, "%s/search.db", argv[1]);
    MUST(search_store_open(path, 2, &s.search, &err));
    MUST(pool_open("seed", THREADS, 1, &pool, &err));
    int64_t start = os_monotonic_us();
    pool_for(pool, (s.n + CHUNK - 1) / CHUNK, fill_chunk, &s);
    empty_outbox(&s);
    printf("seeded %zu stickers%s in %.1f s\n", s.n, s.dim ? " with vectors" : "",
           (double)(os_monotonic_us() - start) / 1e6);
    pool_close(pool);
    sticker_store_close(s.stickers);
    search_store_close(s.search);
    return 0;
}
