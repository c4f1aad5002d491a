/* Fixed pieces of work, whose instructions bench/instructions.sh counts:
 *     build/release/bench/instructions list             the pieces' names
 *     build/release/bench/instructions PIECE FOLDER     does it once to warm up, then once within measured()
 * FOLDER: empty, for databases. Run in the repository's root: the models are those of tests/golden. */
#include "base/json_out.h"
#include "base/language.h"
#include "base/os.h"
#include "model/bert_internal.h"
#include "model/clip_internal.h"
#include "rank/meanings.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"
#include "text/text.h"
#include "vectors/vectors_exact.h"
#include "words/lexicon.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        if ((call) != OK) {                                                                                            \
            fprintf(stderr, "bench/instructions: %s: %s\n", #call, err.message);                                       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#define STICKERS 500u
#define ROWS     2000u
#define DIM      512u
#define QUERIES  20u

static const char *const words[] = {"cat",   "dog",   "park", "heart", "smile",  "pizza", "sun",   "moon",
                                    "car",   "tree",  "blue", "red",   "party",  "sad",   "happy", "winter",
                                    "music", "phone", "book", "sleep", "coffee", "fish",  "bird",  "flower"};
enum { N_WORDS = sizeof words / sizeof *words };

struct work {
    struct arena arena; /* empty before each piece */
    struct clip *clip;
    struct bert *bert;
    struct vectors_exact *vectors;
    struct search_store *search;
    struct meanings *meanings;
    struct sticker_store *stickers;
};

static const char *name_of(size_t i, char out[32])
{
    snprintf(out, 32, "s%zu.png", i);
    return out;
}

static const char *title_of(size_t i, char out[64])
{
    snprintf(out, 64, "%s %s number%zu", words[i % N_WORDS], words[i / 7 % N_WORDS], i % 50);
    return out;
}

static void random_vector(float *v, uint32_t seed)
{
    float norm = 0;
    for (size_t i = 0; i < DIM; i++) {
        seed = seed * 1664525u + 1013904223u;
        v[i] = (float)(seed >> 8) / 0x1p24f - 0.5f;
        norm += v[i] * v[i];
    }
    for (size_t i = 0; i < DIM; i++)
        v[i] /= sqrtf(norm);
}

/* --- what is there before --- */

static void open_clip(struct work *w, const char *folder)
{
    struct error err;
    (void)folder;
    MUST(clip_weights_open("tests/golden/small", CLIP_INT8, ISA_BEST, NULL, &w->clip, &err));
}

static void open_sentence(struct work *w, const char *folder)
{
    struct error err;
    (void)folder;
    MUST(bert_weights_open("tests/golden/bert/bert", KERNEL_INT8, ISA_BEST, NULL, NULL, &w->bert, &err));
}

static void open_vectors(struct work *w, const char *folder)
{
    struct error err;
    float v[DIM];
    (void)folder;
    MUST(vectors_exact_open(DIM, &w->vectors, &err));
    for (uint32_t i = 0; i < ROWS; i++) {
        random_vector(v, i + 1);
        MUST(vectors_exact_put(w->vectors, i, v, &err));
    }
}

static void open_search(struct work *w, const char *folder)
{
    struct error err;
    char path[512], name[32], title[64];
    snprintf(path, sizeof path, "%s/search.db", folder);
    MUST(search_store_open(path, 1, &w->search, &err));
    MUST(search_store_index_open(w->search, NULL, &err));
    for (size_t i = 0; i < STICKERS; i++) {
        int64_t id;
        bool changed;
        struct sticker_terms t = {title_of(i, title), title, name_of(i, name), title, NULL, 0};
        struct document d = {.filename = name, .title = title, .words_json = "[]", .image_sha256 = ""};
        MUST(search_store_put(w->search, &d, &t, &id, &changed, NULL, &err));
    }
    MUST(search_store_tidy(w->search, &err));
}

/* The words, of which each four are alike. */
static void make_lexicon(const char *path)
{
    struct lexicon_builder *b;
    struct error err;
    float of_four[DIM], v[DIM];
    MUST(lexicon_builder_open(&b, &err));
    for (uint32_t i = 0; i < N_WORDS; i++) {
        random_vector(of_four, i / 4 + 1000);
        random_vector(v, i + 1);
        for (size_t k = 0; k < LEXICON_DIM; k++)
            v[k] += of_four[k];
        MUST(lexicon_builder_add(b, words[i], v, &err));
    }
    MUST(lexicon_builder_write(b, path, &err));
    lexicon_builder_close(b);
}

static void open_meanings(struct work *w, const char *folder)
{
    struct error err;
    char path[512];
    open_search(w, folder);
    snprintf(path, sizeof path, "%s/english.words", folder);
    make_lexicon(path);
    MUST(meanings_open(path, w->search, NULL, 1, &w->meanings, &err));
}

static void open_stickers(struct work *w, const char *folder)
{
    struct error err;
    char path[512], name[32], title[64];
    snprintf(path, sizeof path, "%s/sticker.db", folder);
    MUST(sticker_store_open(path, 1, &w->stickers, &err));
    for (size_t i = 0; i < STICKERS; i++) {
        struct sticker_words in_english = {"en", title_of(i, title), NULL};
        struct sticker s = {.filename = name_of(i, name),
                            .title = title,
                            .pack = "p",
                            .author = "a",
                            .license = "l",
                            .source = "s",
                            .sha256 = name,
                            .mime = "image/png",
                            .words = &in_english,
                            .n_words = 1};
        struct sticker_terms t = {title, title, name, title, NULL, 0};
        MUST(sticker_store_add(w->stickers, &s, &t, 1, &err));
    }
    for (size_t i = 0; i < QUERIES; i++) {
        snprintf(name, sizeof name, "query %zu", i);
        MUST(sticker_store_query_ensure(w->stickers, name, &err));
    }
}

static void open_nothing(struct work *w, const char *folder)
{
    (void)w, (void)folder;
}

/* --- the pieces --- */

static void clip_text(struct work *w)
{
    static const int32_t ids[] = {0, 300, 301, 302, 303, 304, 305, 2};
    struct error err;
    float *out = arena_array(&w->arena, clip_dim(w->clip), sizeof *out);
    for (int i = 0; i < 20 && out; i++)
        MUST(clip_encode_ids(w->clip, ids, sizeof ids / sizeof *ids, out, &err));
}

static void sentence(struct work *w)
{
    static const int32_t ids[] = {2, 11, 12, 13, 14, 15, 16, 3};
    struct error err;
    float *out = arena_array(&w->arena, w->bert->base.dim, sizeof *out);
    for (int i = 0; i < 20 && out; i++)
        MUST(bert_encode_ids(w->bert, ids, sizeof ids / sizeof *ids, NULL, out, &err));
}

static void scan(struct work *w)
{
    struct vectors_hit hits[10];
    size_t count;
    struct error err;
    float v[DIM];
    random_vector(v, 4711);
    for (int i = 0; i < 10; i++)
        MUST(vectors_exact_search(w->vectors, NULL, v, 1, 10, VECTORS_INT8, NULL, hits, &count, &err));
}

static size_t query_of(size_t i, char out[64])
{
    return (size_t)snprintf(out, 64, "%s %s", words[i % N_WORDS], words[(i + 5) % N_WORDS]);
}

static void lexical(struct work *w)
{
    struct search_hit *hits;
    size_t n;
    int64_t total;
    struct error err;
    for (size_t i = 0; i < QUERIES; i++) {
        char query[64];
        struct term_query q;
        size_t len = query_of(i, query);
        MUST(text_query(query, len, LANGUAGE_en, false, NULL, &w->arena, &q, &err));
        MUST(search_store_lexical(w->search, &q, NULL, 10, 0, true, &w->arena, &hits, &n, &total, &err));
    }
}

static void meanings(struct work *w)
{
    struct meaning_hit *hits;
    const char *corrected;
    size_t n;
    struct error err;
    for (size_t i = 0; i < QUERIES; i++) {
        char query[64];
        size_t len = query_of(i, query);
        MUST(meanings_search(w->meanings, query, len, NULL, 20, true, NULL, &w->arena, &hits, &n, &corrected, &err));
    }
}

/* Fifty results, as GET /api/search/ writes them. */
static void json(struct work *w)
{
    struct buf out;
    char name[32], title[64];
    (void)w;
    buf_init(&out, 1u << 20);
    for (size_t i = 0; i < 50; i++) {
        buf_puts(&out, i ? ",{\"filename\":" : "{\"filename\":");
        json_put_string(&out, name_of(i, name));
        buf_puts(&out, ",\"score\":");
        json_put_score(&out, 1 / (double)(float)(i + 3));
        buf_printf(&out, ",\"confidence\":%.2f,\"title\":", 0.5);
        json_put_string(&out, title_of(i, title));
        buf_puts(&out, "}");
    }
    buf_free(&out);
}

static void feedback(struct work *w)
{
    struct error err;
    for (size_t i = 0; i < QUERIES; i++) {
        char query[32], up[32], down[32];
        const char *positive = name_of(i, up), *negative = name_of(i + 100, down), **failed;
        size_t n_failed;
        snprintf(query, sizeof query, "query %zu", i);
        struct feedback_entry e = {
            .query = query, .positive = &positive, .n_positive = 1, .negative = &negative, .n_negative = 1};
        MUST(sticker_store_feedback(w->stickers, &e, 1, &w->arena, &failed, &n_failed, &err));
    }
}

/* A sticker with words in every language. */
static void terms(struct work *w)
{
    struct sticker_words in[LANGUAGE_COUNT];
    struct sticker_terms out;
    struct error err;
    for (unsigned i = 1; i < LANGUAGE_COUNT; i++)
        in[i - 1] = (struct sticker_words){language_code(i), "cat, sleeping kitten, black", "Cat"};
    MUST(text_sticker_terms("Cat", "cat.png", NULL, in, LANGUAGE_COUNT - 1, &w->arena, &out, &err));
}

static const struct piece {
    const char *name;
    void (*open)(struct work *w, const char *folder);
    void (*run)(struct work *w);
} pieces[] = {
    {"clip-text", open_clip, clip_text},       {"sentence", open_sentence, sentence},
    {"vector-scan", open_vectors, scan},       {"lexical-search", open_search, lexical},
    {"words-search", open_meanings, meanings}, {"json-answer", open_nothing, json},
    {"feedback", open_stickers, feedback},     {"sticker-terms", open_nothing, terms},
};

/* What is counted; by this name. */
void measured(const struct piece *p, struct work *w);

__attribute__((noinline, noclone)) void measured(const struct piece *p, struct work *w)
{
    p->run(w);
}

int main(int argc, char **argv)
{
    struct work w = {0};
    const struct piece *p = NULL;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        if (argc == 2 && strcmp(argv[1], "list") == 0)
            puts(pieces[i].name);
        else if (argc == 3 && strcmp(argv[1], pieces[i].name) == 0)
            p = &pieces[i];
    }
    if (!p)
        return argc == 2 ? 0 : 2;
    arena_init(&w.arena, 64 << 20);
    p->open(&w, argv[2]);
    p->run(&w);
    arena_reset(&w.arena);
    measured(p, &w);
    arena_free(&w.arena);
    clip_close(w.clip);
    bert_close(w.bert);
    vectors_exact_close(w.vectors);
    meanings_close(w.meanings);
    if (w.search)
        search_store_close(w.search);
    if (w.stickers)
        sticker_store_close(w.stickers);
    return 0;
}
