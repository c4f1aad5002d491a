/* Lists of what is to be imported, by strangers: stickers.csv, lists of other programs, archives, and the JSON of packs
 * and of their words. The first byte chooses. What is taken is text that can be stored, or the error says where. */
#include "base/os.h"
#include "base/utf8.h"
#include "import/import.h"
#include "import/packs_words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char folder[64], csv[80], other[80], zip[80], picture[80];

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

static void leave(void)
{
    unlink(csv);
    unlink(other);
    unlink(zip);
    unlink(picture);
    rmdir(folder);
}

static void begin(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/peel-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        abort();
    snprintf(csv, sizeof csv, "%s/stickers.csv", folder);
    snprintf(other, sizeof other, "%s/pack.json", folder);
    snprintf(zip, sizeof zip, "%s/pack.zip", folder);
    snprintf(picture, sizeof picture, "%s/a.png", folder);
    if (os_write_file(picture, "x", 1, NULL) != OK)
        abort();
    atexit(leave);
}

static void check_text(const char *s, size_t most)
{
    if (!s || strlen(s) > most || !utf8_valid(s, strlen(s)) || utf8_has_control(s, strlen(s)))
        abort();
}

/* What is found in the folder where one of these files is. */
static void check_list(const char *path, const uint8_t *data, size_t size, struct arena *a)
{
    struct import_list list;
    struct error err;
    unlink(csv);
    unlink(other);
    unlink(zip);
    if (os_write_file(path, data, size, NULL) != OK)
        abort();
    import_list_init(&list, a);
    if (import_find(folder, never, NULL, &list, &err) == OK)
        for (size_t i = 0; i < list.n; i++) {
            const struct sticker *k = &list.items[i].sticker;
            check_text(k->title, IMPORT_MAX_TITLE);
            check_text(k->author, IMPORT_MAX_TITLE);
            check_text(k->pack, IMPORT_MAX_TITLE);
            for (size_t w = 0; w < k->n_words; w++)
                check_text(k->words[w].words, 4 * IMPORT_MAX_WORDS);
        }
    import_list_free(&list);
}

typedef enum status read_words(struct words_reader *r, json_t *root, struct error *err);

/* `read`: NULL for CLDR's, which are no tree. */
static void check_words(read_words *read, const uint8_t *data, size_t size, struct arena *a)
{
    json_t *root = read ? json_loadb((const char *)data, size, 0, NULL) : NULL;
    struct emoji_words *words = emoji_words_new();
    struct words_reader r = {.words = words, .path = "data.json", .language = "en", .arena = a};
    struct error err = {.message = ""};
    struct sticker_words *found;
    size_t n;
    if (!words)
        abort();
    arena_init(&r.scratch, 1u << 20);
    enum status st = ERR_CORRUPT;
    if (!read)
        st = words_scan_cldr(&r, (const char *)data, size, &err);
    else if (root)
        st = read(&r, root, &err);
    if (st == OK) {
        emoji_words_sort(words);
        if (emoji_words_find(words, "\xf0\x9f\x98\x80", a, &found, &n, &err) == OK)
            for (size_t i = 0; i < n; i++) {
                check_text(found[i].words, IMPORT_MAX_WORDS);
                check_text(found[i].title ? found[i].title : "", IMPORT_MAX_TITLE);
            }
    } else if ((root || !read) && !err.message[0]) {
        abort();
    }
    arena_free(&r.scratch);
    emoji_words_close(words);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static read_words *const readers[] = {NULL, words_read_emojilib, words_read_emoticons, words_read_shortcodes};
    struct arena a;
    if (!*folder)
        begin();
    if (!size)
        return 0;
    arena_init(&a, 16u << 20);
    if (data[0] == 255) { /* the manifest of a Signal pack */
        struct signal_pack pack;
        if (import_signal_manifest(data + 1, size - 1, &a, &pack, NULL) == OK)
            for (size_t i = 0; i < pack.n; i++)
                check_text(pack.stickers[i].emoji, IMPORT_MAX_TITLE);
        arena_free(&a);
        return 0;
    }
    const char *const lists[] = {csv, other, zip};
    unsigned which = data[0] % 7; /* of inputs that were kept: 0 is stickers.csv, 1 to 4 are words */
    if (which == 0 || which > 4)
        check_list(lists[which ? which - 4 : 0], data + 1, size - 1, &a);
    else
        check_words(readers[which - 1], data + 1, size - 1, &a);
    arena_free(&a);
    return 0;
}
