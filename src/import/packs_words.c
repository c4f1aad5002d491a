/* Where words come from, and the table of those that were read, sorted by emoji.
 *
 * From emojibase only what CLDR has not is taken: its names and tags are CLDR's own in all of its languages, and
 * beyond them there are only the two-letter codes of countries. */
#include "import/packs_words.h"

#include "base/utf8.h"
#include "text/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ENTRIES 4000000u
#define MAX_FILES   8u /* kinds of files in one source */

struct word_file {
    const char *path;     /* below the archive's first folder; one "*" may stand for the language */
    const char *language; /* NULL: the one in the path */
    enum status (*read)(struct words_reader *r, json_t *root, struct error *err); /* or, if this is NULL: */
    enum status (*scan)(struct words_reader *r, const char *text, size_t len, struct error *err);
};

/* In the order in which their words are merged. */
static const struct word_source {
    const char *title; /* for people */
    struct pack pack;
    struct word_file files[MAX_FILES];
} sources[] = {
    {.title = "Unicode CLDR",
     .pack = {.name = "cldr-annotations",
              .npm = "cldr-annotations-full",
              .version = "48.2.0",
              .archive = "cldr-annotations-full-48.2.0.tgz",
              .sha512 = "DV7A+rEcgUSNTRsVGNGqBZRmAkGfwhGHO5Q1dRwzBoBnVrHWp804JP7/QJdEc66iHmx3+zLWVIMCFLm0lW7PUQ=="},
     .files = {{"annotations/*/annotations.json", NULL, NULL, words_scan_cldr}}},
    {.title = "Unicode CLDR for sequences",
     .pack = {.name = "cldr-annotations-derived",
              .npm = "cldr-annotations-derived-full",
              .version = "48.2.0",
              .archive = "cldr-annotations-derived-full-48.2.0.tgz",
              .sha512 = "log62km+AOzI7n/NEuNNFV0mg9DWnt67EYCh1RwxZq9dyRuyteB586LT83Ke8TchEfnwI9cIk2P31zO4nTvZmw=="},
     .files = {{"annotationsDerived/*/annotations.json", NULL, NULL, words_scan_cldr}}},
    {.title = "emojilib",
     .pack = {.name = "emojilib",
              .npm = "emojilib",
              .version = "4.0.3",
              .archive = "emojilib-4.0.3.tgz",
              .sha512 = "KbWiYre9aRSaPbHrHZIz9zmoM+21LAsK1VFJtnTh1VCtWE/rNMDviGhQTmselFl95dhqtGlY22iH0leG5BuW0g=="},
     .files = {{"dist/emoji-en-US.json", "en", words_read_emojilib}}},
    {.title = "emojibase",
     .pack = {.name = "emojibase-data",
              .npm = "emojibase-data",
              .version = "17.0.0",
              .archive = "emojibase-data-17.0.0.tgz",
              .sha512 = "Yvgb5AWoHViHV/gq1qr5ZAarcBip+B27/ZLRsUJkbgAEaLlZ/fof9g882LTpmEpyhBNEC0m2SEmItljHsTygjA=="},
     .files = {{"en/data.json", "en", words_read_emoticons},
               {"en/shortcodes/emojibase.json", "en", words_read_shortcodes},
               {"en/shortcodes/github.json", "en", words_read_shortcodes},
               {"en/shortcodes/joypixels.json", "en", words_read_shortcodes},
               {"ru/shortcodes/emojibase-native.json", "ru", words_read_shortcodes},
               {"sv/shortcodes/emojibase-native.json", "sv", words_read_shortcodes}}},
};

#define SOURCES (sizeof sources / sizeof *sources)

struct entry {
    const char *emoji; /* without U+FE0F */
    struct sticker_words words;
    unsigned source, order; /* of the entry within all, as it was read */
};

struct emoji_words {
    struct entry *items; /* sorted by emoji, language, source and order */
    size_t n, cap;
};

/* --- reading --- */

bool words_key(const char *emoji, char out[WORDS_MAX_KEY])
{
    size_t len = 0, left = strlen(emoji);
    while (left) {
        uint32_t cp;
        size_t n = utf8_decode(emoji, left, &cp);
        if (cp >= 0x1f3fb && cp <= 0x1f3ff)
            return false;
        if (cp != 0xfe0f) {
            if (len + n >= WORDS_MAX_KEY)
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

static enum status push_entry(struct words_reader *r, const char *emoji, const char *title, const char *words,
                              struct error *err)
{
    struct emoji_words *w = r->words;
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 65536;
        struct entry *items = cap <= MAX_ENTRIES ? realloc(w->items, cap * sizeof *items) : NULL;
        if (!items)
            return err_no_memory(err, "%zu lists of words", cap);
        w->items = items;
        w->cap = cap;
    }
    struct entry *e = &w->items[w->n];
    *e = (struct entry){.emoji = arena_strdup(r->arena, emoji), .source = r->source, .order = (unsigned)w->n};
    e->words = (struct sticker_words){.language = r->language,
                                      .title = title ? arena_strdup(r->arena, title) : NULL,
                                      .words = arena_strdup(r->arena, words)};
    if (!e->emoji || !e->words.words || (title && !e->words.title))
        return err_no_memory(err, "the words of emoji");
    w->n++;
    return OK;
}

enum status words_add_joined(struct words_reader *r, const char *key, const char *title, const char *words,
                             struct error *err)
{
    if (utf8_has_control(words, strlen(words)) || (title && utf8_has_control(title, strlen(title))))
        return err_set(err, ERR_CORRUPT, "%s: %s: expected plain words", r->path, key);
    const char *normal = text_normalize_words(words, &r->scratch);
    const char *name = text_normalize_words(title ? title : "", &r->scratch);
    if (!normal || !name)
        return err_no_memory(err, "the words of emoji");
    return *normal || *name ? push_entry(r, key, title ? name : NULL, normal, err) : OK;
}

static bool is_plain(const json_t *v)
{
    return json_is_string(v) && !utf8_has_control(json_string_value(v), json_string_length(v)) &&
           json_string_length(v) == strlen(json_string_value(v));
}

/* Appends a string, or the strings of a list, cleaned; false if it is neither. */
static bool put_words(struct words_reader *r, const json_t *list,
                      const char *(*clean)(struct words_reader *r, const char *s), struct buf *out)
{
    size_t n = json_is_array(list) ? json_array_size(list) : list != NULL;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_is_array(list) ? json_array_get(list, i) : list;
        if (!is_plain(v))
            return false;
        const char *s = clean ? clean(r, json_string_value(v)) : json_string_value(v);
        if (!s)
            continue;
        buf_puts(out, out->len ? ", " : "");
        buf_puts(out, s);
    }
    return !out->failed;
}

enum status words_add(struct words_reader *r, const char *emoji, const json_t *title, const json_t *list,
                      const char *(*clean)(struct words_reader *r, const char *s), struct error *err)
{
    char key[WORDS_MAX_KEY];
    struct buf title_buf, words;
    enum status st = OK;
    if (!words_key(emoji, key))
        return OK;
    arena_reset(&r->scratch);
    buf_init(&title_buf, WORDS_MAX_TEXT);
    buf_init(&words, WORDS_MAX_TEXT);
    if (!put_words(r, title, NULL, &title_buf) || !put_words(r, list, clean, &words))
        st =
            err_set(err, ERR_CORRUPT, "%s: %s: expected plain words of at most %u bytes", r->path, key, WORDS_MAX_TEXT);
    else
        st = words_add_joined(r, key, title ? buf_str(&title_buf) : NULL, buf_str(&words), err);
    buf_free(&title_buf);
    buf_free(&words);
    return st;
}

/* The file of this source that `path` is; its language, where the path says it, goes to `tag`. */
static const struct word_file *file_at(const struct word_source *source, const char *path,
                                       char tag[LANGUAGE_MAX_TAG + 1])
{
    for (const struct word_file *f = source->files; f < source->files + MAX_FILES && f->path; f++) {
        size_t head = strcspn(f->path, "*");
        if (!f->path[head] && strcmp(path, f->path) == 0)
            return f;
        if (!f->path[head] || strncmp(path, f->path, head) != 0)
            continue;
        size_t len = strcspn(path + head, "/");
        if (len > LANGUAGE_MAX_TAG || strcmp(path + head + len, f->path + head + 1) != 0)
            continue;
        memcpy(tag, path + head, len);
        tag[len] = '\0';
        if (language_valid(tag))
            return f;
    }
    return NULL;
}

struct reading {
    struct words_reader reader;
    const struct word_source *source;
    bool seen[MAX_FILES];
};

static bool words_wanted(void *ctx, const char *path)
{
    const struct reading *reading = ctx;
    char tag[LANGUAGE_MAX_TAG + 1];
    return file_at(reading->source, path, tag) != NULL;
}

static enum status read_file(void *ctx, const char *path, const char *data, size_t len, struct error *err)
{
    struct reading *reading = ctx;
    struct words_reader *r = &reading->reader;
    char tag[LANGUAGE_MAX_TAG + 1];
    json_error_t why = {.text = "it is not wanted"};
    const struct word_file *file = file_at(reading->source, path, tag);
    json_t *root = file && file->read ? json_loadb(data, len, 0, &why) : NULL;
    enum status st;
    r->path = path;
    r->language = file && !file->language ? arena_strdup(r->arena, tag) : file ? file->language : NULL;
    if (!file || (file->read && !root))
        st = err_set(err, ERR_CORRUPT, "%s: line %d: %.100s", path, why.line, why.text);
    else if (!r->language)
        st = err_no_memory(err, "the words of emoji");
    else
        st = file->read ? file->read(r, root, err) : file->scan(r, data, len, err);
    if (st == OK)
        reading->seen[file - reading->source->files] = true;
    json_decref(root);
    return st;
}

static enum status read_archive(struct emoji_words *w, unsigned source, const char *path, struct arena *a,
                                struct error *err)
{
    struct reading reading = {.reader = {.words = w, .source = source, .arena = a}, .source = &sources[source]};
    const struct word_file *files = sources[source].files;
    size_t before = w->n;
    arena_init(&reading.reader.scratch, 1u << 20);
    enum status st = pack_each(path, words_wanted, read_file, &reading, err);
    for (size_t i = 0; st == OK && i < MAX_FILES && files[i].path; i++)
        if (!reading.seen[i])
            st = err_set(err, ERR_CORRUPT, "%s: %s is missing", path, files[i].path);
    arena_free(&reading.reader.scratch);
    if (st != OK)
        w->n = before;
    return st;
}

enum status emoji_words_read(struct emoji_words *w, const char *npm, const char *path, struct arena *a,
                             struct error *err)
{
    for (unsigned i = 0; i < SOURCES; i++)
        if (strcmp(sources[i].pack.npm, npm) == 0)
            return read_archive(w, i, path, a, err);
    return err_set(err, ERR_NOT_FOUND, "no source of words is called \"%.60s\"", npm);
}

static int by_emoji(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(x->emoji, y->emoji);
    if (order == 0)
        order = strcmp(x->words.language, y->words.language);
    if (order == 0)
        order = (int)x->source - (int)y->source;
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

struct emoji_words *emoji_words_new(void)
{
    return calloc(1, sizeof(struct emoji_words));
}

void emoji_words_sort(struct emoji_words *w)
{
    if (w->n)
        qsort(w->items, w->n, sizeof *w->items, by_emoji);
}

enum status emoji_words_open(const struct pack_source *source, struct arena *a, struct emoji_words **out,
                             struct error *err)
{
    struct emoji_words *w = *out = emoji_words_new();
    if (!w)
        return err_no_memory(err, "the words of emoji");
    for (unsigned i = 0; i < SOURCES; i++) {
        const char *path;
        bool release;
        enum status st = pack_fetch(source, &sources[i].pack, a, &path, &release, err);
        if (st == OK)
            st = read_archive(w, i, path, a, err);
        if (st == ERR_CANCELLED) {
            emoji_words_close(w);
            *out = NULL;
            return st;
        }
        if (st != OK && source->without)
            source->without(source->ctx, sources[i].title, err->message);
    }
    emoji_words_sort(w);
    return OK;
}

void emoji_words_close(struct emoji_words *w)
{
    if (w)
        free(w->items);
    free(w);
}

/* --- looking up --- */

enum status emoji_words_find(const struct emoji_words *w, const char *emoji, struct arena *a,
                             struct sticker_words **out, size_t *n, struct error *err)
{
    char key[WORDS_MAX_KEY];
    size_t low = 0, high = w->n;
    *out = NULL;
    *n = 0;
    if (!words_key(emoji, key))
        return OK;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(w->items[middle].emoji, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (high < w->n && strcmp(w->items[high].emoji, key) == 0)
        high++;
    struct sticker_words *lists = *out = arena_array(a, high - low + 1, sizeof *lists);
    if (!lists)
        return err_no_memory(err, "the words of emoji");
    for (size_t i = low; i < high; i++) {
        const struct entry *e = &w->items[i], *last = i > low ? e - 1 : NULL;
        if (!last || last->source != e->source || strcmp(last->words.language, e->words.language) != 0) {
            lists[(*n)++] = e->words;
            continue;
        }
        struct sticker_words *list = &lists[*n - 1]; /* several files of one source, or with and without U+FE0F */
        list->words = arena_printf(a, "%s, %s", list->words, e->words.words);
        if (!list->words)
            return err_no_memory(err, "the words of emoji");
    }
    return OK;
}
