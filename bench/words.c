/* The trial: 10% of the distinct phrases of OpenMoji's stickers are hidden from the index by a random
 * seed, and looked for; right is every sticker that had the phrase.
 *   build/release/bench/words LEXICON OPENMOJI.JSON [SEED [COPIES]]  -> recall@1, recall@10, nothing found, latency
 * COPIES: so many times each sticker, for the latency in a large library. */
#include "base/os.h"
#include "rank/rank.h"
#include "text/text.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#define MOST 1000u

struct trial {
    char query[256];
};

static bool is_hidden(const char *phrase, unsigned seed)
{
    return XXH3_64bits_withSeed(phrase, strlen(phrase), seed) % 10 == 0;
}

/* Is the phrase one of these, which commas separate? */
static bool among(const char *phrases, const char *phrase)
{
    size_t len = strlen(phrase);
    for (const char *at = phrases; (at = strstr(at, phrase)); at++)
        if ((at == phrases || at[-1] == ' ' || at[-1] == ',') && (at[len] == '\0' || at[len] == ',') &&
            (at == phrases || at[-1] == ',' || (at - phrases >= 2 && at[-2] == ',')))
            return true;
    return false;
}

static enum status put(struct search_store *store, const char *name, const char *title, const char *words,
                       struct error *err)
{
    struct arena a;
    struct sticker_terms terms;
    struct sticker_words list = {.language = "en", .title = "", .words = words};
    int64_t id;
    bool changed;
    arena_init(&a, 1u << 22);
    json_t *o = json_pack("[{s:s,s:s}]", "language", "en", "words", words);
    char *text = json_dumps(o, 0);
    struct document doc = {.filename = name, .title = title, .words_json = text, .image_sha256 = ""};
    enum status st = text_sticker_terms(title, name, NULL, &list, 1, &a, &terms, err);
    if (st == OK)
        st = search_store_put(store, &doc, &terms, &id, &changed, NULL, err);
    free(text);
    json_decref(o);
    arena_free(&a);
    return st;
}

/* "" for what is no string: the data has numbers among them. */
static const char *member(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static void measure(const char *name, struct search_store *store, struct meanings *words, const struct trial *trials,
                    size_t n, const json_t *all)
{
    size_t first = 0, ten = 0, none = 0;
    struct error err;
    int64_t begin = os_monotonic_us();
    for (size_t i = 0; i < n; i++) {
        struct rank_sources sources = {.store = store, .words = words, .weights = {1, 1, 1}};
        struct rank_query q = {.text = trials[i].query,
                               .text_len = strlen(trials[i].query),
                               .language = LANGUAGE_en,
                               .filter = STICKER_FILTER_NONE,
                               .limit = 10,
                               .min_score = -INFINITY};
        struct arena a;
        struct ranking r;
        arena_init(&a, 64u << 20);
        if (rank_find(name)->rank(&sources, &q, &a, &r, &err) != OK) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        none += r.n == 0;
        for (size_t k = 0; k < r.n; k++) {
            const json_t *item = json_array_get(all, strtoul(r.items[k].filename, NULL, 10));
            if (among(member(item, "tags"), trials[i].query) || among(member(item, "openmoji_tags"), trials[i].query)) {
                ten++;
                first += k == 0;
                break;
            }
        }
        arena_free(&a);
    }
    printf("%-8s recall@1 %5.1f%%  recall@10 %5.1f%%  nothing %4.1f%%  %7.0f us a query\n", name,
           100.0 * (double)first / (double)n, 100.0 * (double)ten / (double)n, 100.0 * (double)none / (double)n,
           (double)(os_monotonic_us() - begin) / (double)n);
}

int main(int argc, char **argv)
{
    static struct trial trials[MOST];
    struct search_store *store;
    struct meanings *words;
    struct error err;
    size_t n = 0, i;
    unsigned seed = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 1;
    unsigned long copies = argc > 4 ? strtoul(argv[4], NULL, 10) : 1;
    char dir[] = "/tmp/peel-words-XXXXXX", path[64];
    json_t *item, *all = argc > 2 ? json_load_file(argv[2], 0, NULL) : NULL;
    if (!all || !mkdtemp(dir))
        return fprintf(stderr, "usage: words LEXICON OPENMOJI.JSON [SEED [COPIES]]\n"), 2;
    snprintf(path, sizeof path, "%s/s.db", dir);
    if (search_store_open(path, 1, &store, &err) != OK || search_store_index_open(store, NULL, &err) != OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    json_array_foreach(all, i, item)
    {
        char kept[4096] = "", filename[64], tags[4096];
        const char *title = member(item, "annotation");
        if (json_is_integer(json_object_get(item, "skintone")) || *member(item, "skintone") ||
            strstr(member(item, "group"), "flags") || strstr(member(item, "group"), "extras"))
            continue;
        snprintf(tags, sizeof tags, "%s, %s", member(item, "tags"), member(item, "openmoji_tags"));
        char *save, *tag = strtok_r(tags, ",", &save);
        for (; tag; tag = strtok_r(NULL, ",", &save)) {
            tag += *tag == ' ';
            if (*tag && is_hidden(tag, seed)) {
                size_t k = 0;
                while (k < n && strcmp(trials[k].query, tag) != 0)
                    k++;
                if (k == n && n < MOST)
                    snprintf(trials[n++].query, sizeof trials->query, "%s", tag);
            } else if (*tag) {
                size_t len = strlen(kept);
                snprintf(kept + len, sizeof kept - len, "%s%s", len ? ", " : "", tag);
            }
        }
        for (unsigned long copy = 0; copy < copies; copy++) {
            snprintf(filename, sizeof filename, "%zu.%lu.svg", i, copy);
            if (put(store, filename, title, kept, &err) != OK)
                return fprintf(stderr, "%s\n", err.message), 1;
        }
    }
    if (meanings_open(argv[1], store, NULL, 1, &words, &err) != OK)
        return fprintf(stderr, "%s\n", err.message), 1;
    printf("%zu queries\n", n);
    measure("lexical", store, words, trials, n, all);
    measure("words", store, words, trials, n, all);
    measure("hybrid", store, words, trials, n, all);
    meanings_close(words);
    search_store_close(store);
    json_decref(all);
    for (i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/s.db%s", dir, (const char *[]){"", "-wal", "-shm"}[i]);
        unlink(path);
    }
    rmdir(dir);
    return 0;
}
