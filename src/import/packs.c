#include "import/packs.h"

#include "base/utf8.h"
#include "text/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_FILE "data/openmoji.json"
#define MAX_KEY   128u
#define MAX_SLUG  100u
#define MAX_CELL  2000u /* bytes of a member of the data file */
#define MAX_NAMES 20000u
#define SCRATCH   (1u << 20)

enum { OPENMOJI, FLUENT3D, PACKS };
static const struct pack packs[PACKS] = {
    {.name = "openmoji",
     .title = "OpenMoji",
     .npm = "openmoji",
     .version = "17.0.0",
     .archive = "openmoji-17.0.0.tgz",
     .sha512 = "EBnYrNGdcdw+OSXmENeNE1yBNRu6tOraTmoOyUbJkTmvT/+XETp8RZLSJFzD3lrPc5N9CzsyPnRTk0Vp4UaI9w==",
     .release = "https://github.com/hfg-gmuend/openmoji/archive/refs/tags/17.0.0.tar.gz",
     .content = "fb09a9f4628d8af709675150fad0a649b36181415fb185c206a9ccc622191dd6",
     .folder = "color/svg/",
     .ending = ".svg",
     .license = "CC BY-SA 4.0",
     .home = "https://openmoji.org"},
    {.name = "fluent3d",
     .title = "Fluent Emoji 3D",
     .npm = "@lobehub/fluent-emoji-3d",
     .version = "1.1.0",
     .archive = "lobehub-fluent-emoji-3d-1.1.0.tgz",
     .sha512 = "Wlq2lVStTnr8BDpIJ0pEnTKO4LuDxxqTEhTvRtD1DLRF0me7ogeRQjKoehDHXuVJ2Qaecgl5wRBv60lUAG3h7g==",
     .folder = "assets/",
     .ending = ".webp",
     .license = "MIT",
     .author = "Microsoft",
     .home = "https://github.com/microsoft/fluentui-emoji"},
};

const char *pack_names(void)
{
    return "openmoji or fluent3d";
}

bool pack_is_starter(const char *name)
{
    return strcmp(name, "openmoji") == 0 || strcmp(name, "fluent3d") == 0;
}

/* One entry of the data file that is no variant in skin tone. */
struct name {
    char key[MAX_KEY];
    const char *hexcode, *emoji, *annotation, *author, *words;
};
struct names {
    struct name *items; /* in the order of the file, or sorted by key */
    size_t n;
};

/* "0023-fe0f-20e3" -> "23-20E3": code points without leading zeros and U+FE0F. False if it is no such thing. */
static bool key_of_hex(const char *hex, char out[MAX_KEY])
{
    size_t len = 0;
    out[0] = '\0';
    while (*hex) {
        size_t digits = strspn(hex, "0123456789abcdefABCDEF");
        if (digits < 1 || digits > 6 || (hex[digits] && hex[digits] != '-'))
            return false;
        unsigned long cp = strtoul(hex, NULL, 16);
        if (cp != 0xfe0f)
            len += (size_t)snprintf(out + len, MAX_KEY - len, "%s%lX", len ? "-" : "", cp);
        if (len + 8 > MAX_KEY)
            return false;
        hex += digits + (hex[digits] == '-');
    }
    return len > 0;
}

static bool key_has(const char *key, unsigned long least, unsigned long most, bool all)
{
    for (const char *p = key; *p; p += *p == '-') {
        char *end;
        unsigned long cp = strtoul(p, &end, 16);
        bool in = cp >= least && cp <= most;
        if (in != all)
            return in;
        p = end;
    }
    return all;
}

static bool is_toned(const char *key)
{
    return key_has(key, 0x1f3fb, 0x1f3ff, false);
}

/* Of a country (two regional indicators) or a region (tags). */
static bool is_place_flag(const char *key)
{
    return key_has(key, 0x1f1e6, 0x1f1ff, true) || key_has(key, 0xe0020, 0xe007f, false);
}

static enum status packs_text(const json_t *entry, size_t i, const char *key, struct arena *a, const char **out,
                              struct error *err)
{
    const json_t *v = json_object_get(entry, key);
    size_t len = json_string_length(v);
    if (!json_is_string(v) || len > MAX_CELL || utf8_has_control(json_string_value(v), len))
        return err_set(err, ERR_CORRUPT, DATA_FILE ": [%zu].%s: expected plain text of at most %u bytes", i, key,
                       MAX_CELL);
    *out = arena_strndup(a, json_string_value(v), len);
    return *out ? OK : err_no_memory(err, DATA_FILE);
}

static enum status read_name(const json_t *entry, size_t i, struct arena *a, struct name *out, struct error *err)
{
    const char *tags, *more;
    enum status st = packs_text(entry, i, "hexcode", a, &out->hexcode, err);
    if (st == OK)
        st = packs_text(entry, i, "emoji", a, &out->emoji, err);
    if (st == OK)
        st = packs_text(entry, i, "annotation", a, &out->annotation, err);
    if (st == OK)
        st = packs_text(entry, i, "openmoji_author", a, &out->author, err);
    if (st == OK)
        st = packs_text(entry, i, "tags", a, &tags, err);
    if (st == OK)
        st = packs_text(entry, i, "openmoji_tags", a, &more, err);
    if (st != OK)
        return st;
    if (!key_of_hex(out->hexcode, out->key) || !*out->annotation)
        return err_set(err, ERR_CORRUPT, DATA_FILE ": [%zu]: no code points or no name", i);
    /* Characters of OpenMoji's own, in a private use area, are nothing that anybody could type. */
    bool private = key_has(out->key, 0xe000, 0xf8ff, false) || key_has(out->key, 0xf0000, 0x10ffff, false);
    const char *cell = arena_printf(a, "%s, %s, %s", tags, more, private ? "" : out->emoji);
    out->words = cell ? text_normalize_words(cell, a) : NULL;
    return out->words ? OK : err_no_memory(err, DATA_FILE);
}

static enum status read_names(const char *json, size_t len, struct arena *a, struct names *out, struct error *err)
{
    json_error_t why;
    json_t *root = json ? json_loadb(json, len, 0, &why) : NULL;
    enum status st = OK;
    *out = (struct names){0};
    if (!json_is_array(root) || json_array_size(root) > MAX_NAMES) {
        st = err_set(err, ERR_CORRUPT, "%s", json ? DATA_FILE " is not the expected list" : DATA_FILE " is missing");
        goto out;
    }
    out->items = arena_array(a, json_array_size(root) + 1, sizeof *out->items);
    if (!out->items) {
        st = err_no_memory(err, DATA_FILE);
        goto out;
    }
    for (size_t i = 0; st == OK && i < json_array_size(root); i++) {
        const json_t *entry = json_array_get(root, i), *tone = json_object_get(entry, "skintone");
        if (json_is_string(tone) && !json_string_length(tone)) {
            st = read_name(entry, i, a, &out->items[out->n], err);
            out->n += st == OK;
        }
    }
out:
    json_decref(root);
    return st;
}

/* "cat face" -> "cat-face": the words as they are searched, so letters lose their accents. */
static enum status make_slug(const char *title, char out[MAX_SLUG], struct error *err)
{
    struct arena a;
    struct text_terms terms;
    size_t len = 0;
    arena_init(&a, SCRATCH);
    enum status st = text_analyze(title, strlen(title), 64, &a, &terms, err);
    out[0] = '\0';
    for (size_t i = 0; st == OK && i < terms.count; i++) {
        const char *word = terms.items[i].folded;
        size_t n = strlen(word);
        if (terms.items[i].is_emoji || strspn(word, "abcdefghijklmnopqrstuvwxyz0123456789") != n ||
            len + n + 2 > MAX_SLUG)
            continue;
        len += (size_t)snprintf(out + len, MAX_SLUG - len, "%s-", word);
    }
    arena_free(&a);
    return st;
}

/* The pack's words, in English, come first. */
static enum status add_words(const struct emoji_words *more, const struct name *name, struct arena *a,
                             struct import_item *item, struct error *err)
{
    const struct sticker_words own = {.language = "en", .title = "", .words = name->words};
    return emoji_words_give(more, name->emoji, &own, 1, a, item, err);
}

static enum status packs_add(const struct emoji_words *words, const struct pack *pack, const struct name *name,
                             const struct pack_file *file, struct import_list *out, struct error *err)
{
    char slug[MAX_SLUG];
    struct arena *a = out->arena;
    enum status st = make_slug(name->annotation, slug, err);
    if (st != OK)
        return st;
    struct import_item item = {.data = file->data,
                               .len = file->len,
                               .filename = arena_printf(a, "%s-%s%s%s", pack->name, slug, name->hexcode, pack->ending),
                               .sticker = {.title = name->annotation,
                                           .pack = pack->name,
                                           .author = pack->author ? pack->author : name->author,
                                           .license = pack->license,
                                           .source = pack->home}};
    if (!item.filename)
        return err_no_memory(err, "the pack %s", pack->name);
    st = add_words(words, name, a, &item, err);
    return st == OK ? import_list_add(out, &item, err) : st;
}

static int files_by_name(const void *key, const void *file)
{
    return strcmp(key, ((const struct pack_file *)file)->name);
}

static enum status add_openmoji(const struct emoji_words *words, const struct names *names,
                                const struct pack_files *files, struct import_list *out, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; st == OK && i < names->n; i++) {
        const struct name *name = &names->items[i];
        const struct pack_file *file =
            files->n ? bsearch(name->hexcode, files->items, files->n, sizeof *files->items, files_by_name) : NULL;
        if (file)
            st = packs_add(words, &packs[OPENMOJI], name, file, out, err);
        else
            import_list_fail(out, name->hexcode, "openmoji: its picture is missing in the archive");
    }
    return st;
}

static int names_by_key(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->key, ((const struct name *)b)->key);
}

/* Some pictures are there twice, with and without U+FE0F or a leading zero: the first is taken. */
static enum status add_fluent3d(const struct emoji_words *words, struct names *names, const struct pack_files *files,
                                struct import_list *out, struct error *err)
{
    enum status st = OK;
    bool *taken = arena_array(out->arena, names->n + 1, sizeof *taken);
    if (!taken)
        return err_no_memory(err, "the pack fluent3d");
    if (names->n)
        qsort(names->items, names->n, sizeof *names->items, names_by_key);
    for (size_t i = 0; st == OK && i < files->n; i++) {
        struct name wanted;
        /* regions' flags are named with underscores, which is no key */
        if (!key_of_hex(files->items[i].name, wanted.key) || is_toned(wanted.key) || is_place_flag(wanted.key))
            continue;
        const struct name *name =
            names->n ? bsearch(&wanted, names->items, names->n, sizeof *names->items, names_by_key) : NULL;
        if (!name) {
            import_list_fail(out, files->items[i].name, "fluent3d: OpenMoji's data has no name for it");
        } else if (!taken[name - names->items]) {
            taken[name - names->items] = true;
            st = packs_add(words, &packs[FLUENT3D], name, &files->items[i], out, err);
        }
    }
    return st;
}

/* The files of a pack, and the data file where `data` is asked for. */
static enum status open_pack(const struct pack_source *source, const struct pack *pack, const char *data,
                             struct arena *a, struct pack_files *out, struct error *err)
{
    const char *path;
    char digest[65];
    bool release;
    enum status st = pack_fetch(source, pack, a, &path, &release, err);
    if (st == OK)
        st = pack_unpack(path, pack->folder, pack->ending, data, a, out, err);
    if (st == OK && release)
        st = pack_digest(out, digest, err);
    if (st == OK && release && strcmp(digest, pack->content) != 0) {
        unlink(path);
        st = err_set(err, ERR_CORRUPT, "%s: the content's digest: expected %.16s..., found %.16s...", path,
                     pack->content, digest);
    }
    return st;
}

enum status pack_find(const struct pack_source *source, const char *name, struct import_list *out, struct error *err)
{
    const struct pack *pack = NULL;
    struct pack_files openmoji, files;
    struct names names;
    for (size_t i = 0; i < PACKS; i++)
        if (strcmp(packs[i].name, name) == 0)
            pack = &packs[i];
    if (!pack)
        return err_set(err, ERR_NOT_FOUND, "--pack: expected %s, found \"%.60s\"", pack_names(), name);
    const struct pack_about about = {.name = pack->name,
                                     .title = pack->title,
                                     .author = pack->author ? pack->author : pack->title,
                                     .license = pack->license,
                                     .source = pack->home,
                                     .cover = ""};
    enum status st = open_pack(source, &packs[OPENMOJI], DATA_FILE, out->arena, &openmoji, err);
    if (st == OK)
        st = import_list_pack(out, &about, err);
    if (st == OK)
        st = read_names(openmoji.extra, openmoji.extra_len, out->arena, &names, err);
    if (st == OK && pack == &packs[OPENMOJI])
        return add_openmoji(source->words, &names, &openmoji, out, err);
    if (st == OK)
        st = open_pack(source, pack, NULL, out->arena, &files, err);
    return st == OK ? add_fluent3d(source->words, &names, &files, out, err) : st;
}
