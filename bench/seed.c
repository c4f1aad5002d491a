/* Fills the databases of a data folder as if N stickers had been imported and indexed:
 *
 *     build/release/bench/seed DATA N [MODEL DIM]
 *
 * Each sticker sN.png has three words in its title and six beside it in English, four in German and four in French, of
 * 20,000 words each. The n-th is used in proportion to 1 / (n + 30): Mandelbrot's law, fitted to the starter packs,
 * where the most frequent word is in a tenth of the stickers. English words are those of the lexicon where there is one
 * (DATA/bucket/words/english.words), all others are made up. With a model, each sticker has a vector of it, around
 * random centres. No pictures. DATA/words has the English words, one a line, the most frequent first, and DATA/queries
 * has queries of one to three words, drawn as for stickers, no two alike. PEEL_STICKER_DB and PEEL_SEARCH_DB: as for
 * peel. */
#include "base/os.h"
#include "base/pool.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"
#include "text/text.h"
#include "words/lexicon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define N_WORDS   20000
#define N_QUERIES 50000
#define FIRST     300 /* words of the lexicon before it say nothing about a picture: "the" */
#define SHIFT     30
#define CHUNK     500 /* stickers in one transaction */
#define THREADS   32  /* enough that commits are shared */
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
    char words[3][N_WORDS][LEXICON_MAX_WORD + 1]; /* English, German, French */
    double upto[N_WORDS];                         /* sum of the shares of the words 0..i */
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

/* Neighbours in frequency do not look alike. */
static void make_word(char *w, size_t i, size_t language)
{
    for (size_t rest = i * 7919 % N_WORDS + (language + 1) * N_WORDS; rest; rest /= 80) {
        *w++ = "bcdfghklmnprstvw"[rest % 16];
        *w++ = "aeiou"[rest % 80 / 16];
    }
    *w = '\0';
}

static FILE *create(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void make_words(struct seed *s, const char *folder)
{
    char path[4096];
    struct lexicon *lexicon = NULL;
    struct error err;
    snprintf(path, sizeof path, "%s/bucket/words/english.words", folder);
    enum status st = lexicon_open(path, &lexicon, &err);
    if (st != OK && st != ERR_NOT_FOUND) {
        fprintf(stderr, "bench/seed: %s\n", err.message);
        exit(1);
    }
    FILE *f = create(folder, "words");
    for (size_t i = 0; i < N_WORDS; i++) {
        for (size_t language = 0; language < 3; language++)
            make_word(s->words[language][i], i, language);
        if (lexicon) {
            size_t len;
            const char *word = lexicon_word(lexicon, (uint32_t)(FIRST + i), &len);
            snprintf(s->words[0][i], sizeof s->words[0][i], "%.*s", (int)len, word);
        }
        s->upto[i] = (i ? s->upto[i - 1] : 0) + 1.0 / (double)(i + 1 + SHIFT);
        fprintf(f, "%s\n", s->words[0][i]);
    }
    lexicon_close(lexicon);
    if (fclose(f) != 0)
        exit(1);
}

static const char *pick(const struct seed *s, size_t language, uint64_t *state)
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
    return s->words[language][low];
}

static const char *phrase(const struct seed *s, size_t language, size_t n, const char *between, uint64_t *state,
                          struct arena *a)
{
    const char *text = pick(s, language, state);
    for (size_t i = 1; i < n && text; i++)
        text = arena_printf(a, "%s%s%s", text, between, pick(s, language, state));
    if (!text)
        exit(1);
    return text;
}

static void make_queries(const struct seed *s, const char *folder)
{
    struct arena a;
    uint64_t state = 0;
    FILE *f = create(folder, "queries");
    for (size_t i = 0; i < N_QUERIES; i++) {
        arena_init(&a, 4096);
        fprintf(f, "%s\n", phrase(s, 0, 1 + i % 3, " ", &state, &a));
        arena_free(&a);
    }
    if (fclose(f) != 0)
        exit(1);
}

/* Adds normally distributed numbers (Box and Muller), of which the first dimensions vary most. */
static void add_noise(float *v, size_t dim, uint64_t state)
{
    for (size_t i = 0; i < dim; i++)
        v[i] += (float)(pow((double)(i + 1), -0.45) * sqrt(-2 * log(1 - uniform(&state))) *
                        cos(6.283185307179586 * uniform(&state)));
}

/* A unit vector: 50 stickers lie around a centre, and 100 centres around another. Uniform ones would say nothing of an
 * approximate index, as bench/peers/vectors.py has it. */
static void random_vector(const struct seed *s, float *v, uint64_t *state)
{
    uint64_t centre = next(state) % (s->n / 50 + 1), theme = centre % (s->n / 5000 + 1);
    double sum = 0;
    memset(v, 0, s->dim * sizeof *v);
    add_noise(v, s->dim, ~theme);
    add_noise(v, s->dim, ~(centre << 32));
    add_noise(v, s->dim, next(state));
    for (size_t i = 0; i < s->dim; i++)
        sum += (double)v[i] * (double)v[i];
    for (size_t i = 0; i < s->dim; i++)
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
        bool changed;
        const char *name = arena_printf(&a, "s%zu.png", first + i), *title = phrase(s, 0, 3, " ", &state, &a);
        hashes[i] = arena_printf(&a, "%064zx", first + i);
        struct sticker_words *words = arena_array(&a, 3, sizeof *words);
        if (!name || !hashes[i] || !words)
            exit(1);
        words[0] = (struct sticker_words){"en", phrase(s, 0, 6, ", ", &state, &a), ""};
        words[1] = (struct sticker_words){"de", phrase(s, 1, 4, ", ", &state, &a), ""};
        words[2] = (struct sticker_words){"fr", phrase(s, 2, 4, ", ", &state, &a), ""};
        const char *json =
            arena_printf(&a,
                         "[{\"language\":\"en\",\"words\":\"%s\"},{\"language\":\"de\",\"words\":\"%s\"},"
                         "{\"language\":\"fr\",\"words\":\"%s\"}]",
                         words[0].words, words[1].words, words[2].words);
        const char *pack = (first + i) % 2 ? "odd" : "even";
        stickers[i] = (struct sticker){.filename = name,
                                       .title = title,
                                       .pack = pack,
                                       .author = "",
                                       .license = "CC0-1.0",
                                       .source = "",
                                       .sha256 = hashes[i],
                                       .mime = "image/png",
                                       .bytes = 100,
                                       .width = 8,
                                       .height = 8,
                                       .words = words,
                                       .n_words = 3};
        MUST(text_sticker_terms(title, name, NULL, words, 3, &a, &terms[i], &err));
        struct document d = {
            .filename = name, .title = title, .words_json = json, .image_sha256 = hashes[i], .pack = pack};
        MUST(search_store_put(s->search, &d, &terms[i], &ids[i], &changed, NULL, &err));
        if (s->dim)
            random_vector(s, vectors + i * s->dim, &state);
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
    make_queries(&s, argv[1]);
    const char *url = getenv("PEEL_STICKER_DB");
    snprintf(path, sizeof path, "%s/sticker.db", argv[1]);
    MUST(sticker_store_open(url ? url : path, 2, &s.stickers, &err));
    url = getenv("PEEL_SEARCH_DB");
    snprintf(path, sizeof path, "%s/search.db", argv[1]);
    MUST(search_store_open(url ? url : path, 2, &s.search, &err));
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
