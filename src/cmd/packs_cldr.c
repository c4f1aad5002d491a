/* Unicode's CLDR says what each emoji is called, and by which words people look for it, in some 140 languages:
 * annotations/<tag>/annotations.json for single emoji, annotationsDerived/... for sequences, each
 *
 *     {"annotations":{"identity":{...},"annotations":{"🐱":{"default":["cat","face"],"tts":["cat face"]}}}}
 *
 * Sequences with a skin tone are passed over, as in packs. Copyright Unicode, Inc., Unicode License v3. */
#include "cmd/packs.h"

#include "base/utf8.h"
#include "text/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 4000000u
#define MAX_TEXT    4000u /* bytes of one list */

static const struct pack sources[] = {
    {.name = "cldr-annotations",
     .npm = "cldr-annotations-full",
     .version = "48.2.0",
     .archive = "cldr-annotations-full-48.2.0.tgz",
     .sha512 = "DV7A+rEcgUSNTRsVGNGqBZRmAkGfwhGHO5Q1dRwzBoBnVrHWp804JP7/QJdEc66iHmx3+zLWVIMCFLm0lW7PUQ==",
     .folder = "annotations/"},
    {.name = "cldr-annotations-derived",
     .npm = "cldr-annotations-derived-full",
     .version = "48.2.0",
     .archive = "cldr-annotations-derived-full-48.2.0.tgz",
     .sha512 = "log62km+AOzI7n/NEuNNFV0mg9DWnt67EYCh1RwxZq9dyRuyteB586LT83Ke8TchEfnwI9cIk2P31zO4nTvZmw==",
     .folder = "annotationsDerived/"},
};

struct entry {
    const char *emoji; /* without U+FE0F */
    struct sticker_words words;
};

struct cldr {
    struct entry *items; /* sorted by emoji, then language */
    size_t n, cap;
};

struct reading {
    struct cldr *cldr;
    const struct pack *pack;
    struct arena *arena, scratch; /* scratch: one list */
};

/* The tag in "annotations/<tag>/annotations.json"; false for other files. */
static bool tag_of(const struct pack *pack, const char *path, char out[LANGUAGE_MAX_TAG + 1])
{
    size_t head = strlen(pack->folder);
    if (strncmp(path, pack->folder, head) != 0)
        return false;
    size_t len = strcspn(path + head, "/");
    if (len > LANGUAGE_MAX_TAG || strcmp(path + head + len, "/annotations.json") != 0)
        return false;
    memcpy(out, path + head, len);
    out[len] = '\0';
    return language_valid(out);
}

static bool cldr_wants(void *ctx, const char *path)
{
    const struct reading *r = ctx;
    char tag[LANGUAGE_MAX_TAG + 1];
    return tag_of(r->pack, path, tag);
}

#define MAX_KEY 64u /* bytes */

/* Without U+FE0F; false for a sequence with a skin tone, and for what is too long to be an emoji. */
static bool key_of_emoji(const char *emoji, char out[MAX_KEY])
{
    size_t len = 0, left = strlen(emoji);
    while (left) {
        uint32_t cp;
        size_t n = utf8_decode(emoji, left, &cp);
        if (cp >= 0x1f3fb && cp <= 0x1f3ff)
            return false;
        if (cp != 0xfe0f) {
            if (len + n >= MAX_KEY)
                return false;
            memcpy(out + len, emoji, n);
            len += n;
        }
        emoji += n;
        left -= n;
    }
    out[len] = '\0';
    return len > 0;
}

/* The strings of a list joined to a words cell; NULL when it is not a list of plain text. */
static const char *cldr_join(struct reading *r, const json_t *list)
{
    struct buf b;
    const json_t *item;
    size_t i;
    const char *cell = NULL;
    buf_init(&b, MAX_TEXT);
    arena_reset(&r->scratch);
    json_array_foreach((json_t *)(uintptr_t)list, i, item)
    {
        const char *s = json_string_value(item);
        if (!s || utf8_has_control(s, strlen(s))) {
            buf_free(&b);
            return NULL;
        }
        buf_puts(&b, i ? ", " : "");
        buf_puts(&b, s);
    }
    if (!b.failed) {
        const char *words = text_normalize_words(buf_str(&b), &r->scratch);
        cell = words ? arena_strdup(r->arena, words) : NULL;
    }
    buf_free(&b);
    return cell;
}

static enum status cldr_add(struct reading *r, const char *emoji, const struct sticker_words *words, struct error *err)
{
    struct cldr *c = r->cldr;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 65536;
        struct entry *items = cap <= MAX_ENTRIES ? realloc(c->items, cap * sizeof *items) : NULL;
        if (!items)
            return err_no_memory(err, "%zu lists of words", cap);
        c->items = items;
        c->cap = cap;
    }
    const char *copy = arena_strdup(r->arena, emoji);
    if (!copy)
        return err_no_memory(err, "words in many languages");
    c->items[c->n++] = (struct entry){copy, *words};
    return OK;
}

static enum status cldr_read_file(void *ctx, const char *path, const char *data, size_t len, struct error *err)
{
    struct reading *r = ctx;
    char tag[LANGUAGE_MAX_TAG + 1], key[MAX_KEY];
    json_error_t why;
    enum status st = OK;
    const char *emoji, *language = NULL;
    json_t *item, *root = json_loadb(data, len, 0, &why);
    json_t *all = json_object_get(json_object_iter_value(json_object_iter(root)), "annotations");
    if (!root || !tag_of(r->pack, path, tag))
        st = err_set(err, ERR_CORRUPT, "%s: line %d: %.100s", path, why.line, why.text);
    else if (!(language = arena_strdup(r->arena, tag)))
        st = err_no_memory(err, "words in many languages");
    json_object_foreach(all, emoji, item)
    {
        if (st != OK)
            break;
        if (!key_of_emoji(emoji, key))
            continue;
        const char *title = cldr_join(r, json_object_get(item, "tts"));
        const char *words = cldr_join(r, json_object_get(item, "default"));
        if (!title || !words)
            st = err_set(err, ERR_CORRUPT, "%s: %s: expected lists of words of at most %u bytes", path, key, MAX_TEXT);
        else if (*title || *words)
            st = cldr_add(r, key, &(struct sticker_words){.language = language, .title = title, .words = words}, err);
    }
    json_decref(root);
    return st;
}

static int by_emoji(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->emoji, y->emoji);
    return order ? order : strcmp(x->words.language, y->words.language);
}

enum status cldr_open(const struct pack_source *source, struct arena *a, struct cldr **out, struct error *err)
{
    struct cldr *c = *out = calloc(1, sizeof *c);
    enum status st = c ? OK : err_no_memory(err, "words in many languages");
    for (size_t i = 0; st == OK && i < sizeof sources / sizeof *sources; i++) {
        struct reading r = {.cldr = c, .pack = &sources[i], .arena = a};
        const char *path;
        bool release;
        arena_init(&r.scratch, 1u << 20);
        st = pack_fetch(source, r.pack, a, &path, &release, err);
        if (st == OK)
            st = pack_each(path, cldr_wants, cldr_read_file, &r, err);
        arena_free(&r.scratch);
    }
    if (st == OK && c->n)
        qsort(c->items, c->n, sizeof *c->items, by_emoji);
    if (st != OK) {
        cldr_close(c);
        *out = NULL;
    }
    return st;
}

void cldr_close(struct cldr *c)
{
    if (c)
        free(c->items);
    free(c);
}

enum status cldr_words(const struct cldr *c, const char *emoji, struct arena *a, const struct sticker_words **out,
                       size_t *n, struct error *err)
{
    char key[MAX_KEY];
    size_t low = 0, high = c->n;
    *out = NULL;
    *n = 0;
    if (!key_of_emoji(emoji, key))
        return OK;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(c->items[middle].emoji, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < c->n && strcmp(c->items[high].emoji, key) == 0;)
        high++;
    struct sticker_words *words = arena_array(a, high - low + 1, sizeof *words);
    if (!words)
        return err_no_memory(err, "words in many languages");
    for (size_t i = low; i < high; i++)
        if (*n == 0 || strcmp(words[*n - 1].language, c->items[i].words.language) != 0)
            words[(*n)++] = c->items[i].words; /* with and without U+FE0F are one emoji: the first is taken */
    *out = words;
    return OK;
}
