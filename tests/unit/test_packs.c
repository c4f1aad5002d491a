#include "cm.h"

#include "cmd/packs_download.h"
#include "import/import.h"
#include "import/packs_words.h"

#include <archive.h>
#include <archive_entry.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
    const char *path, *data;
    size_t claims; /* size that its header has; 0 = what it is */
};

static void write_archive(const char *path, const struct entry *entries, size_t n)
{
    struct archive *a = archive_write_new();
    assert_int_equal(archive_write_add_filter_gzip(a), ARCHIVE_OK);
    assert_int_equal(archive_write_set_format_pax_restricted(a), ARCHIVE_OK);
    assert_int_equal(archive_write_open_filename(a, path), ARCHIVE_OK);
    for (size_t i = 0; i < n; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, entries[i].path);
        archive_entry_set_filetype(e, entries[i].data ? AE_IFREG : AE_IFLNK);
        archive_entry_set_perm(e, 0644);
        if (entries[i].data)
            archive_entry_set_size(e, (la_int64_t)(entries[i].claims ? entries[i].claims : strlen(entries[i].data)));
        else
            archive_entry_set_symlink(e, "/etc/passwd");
        assert_true(archive_write_header(a, e) >= ARCHIVE_WARN);
        if (entries[i].data)
            assert_true(archive_write_data(a, entries[i].data, strlen(entries[i].data)) >= 0);
        archive_entry_free(e);
    }
    archive_write_free(a);
}

static void wanted_files_are_read(void **state)
{
    (void)state;
    static const struct entry entries[] = {
        {"package/assets/b.webp", "BB", 0},     {"package/assets/a.webp", "A", 0},
        {"package/assets/sub/c.webp", "no", 0}, {"package/assets/.webp", "no", 0},
        {"package/assets/d.png", "no", 0},      {"package/assets/link.webp", NULL, 0},
        {"package/data/list.json", "[1]", 0},   {"/etc/../package/assets/e.webp", "no", 0},
        {"package/../assets/f.webp", "no", 0},  {"assets/g.webp", "no", 0},
    };
    char dir[64], path[96], digest[65], again[65];
    struct arena a;
    struct pack_files files;
    struct error err = {0};
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/p.tgz", dir);
    write_archive(path, entries, sizeof entries / sizeof *entries);
    arena_init(&a, 64u << 20);
    if (pack_unpack(path, "assets/", ".webp", "data/list.json", &a, &files, &err) != OK)
        fail_msg("%s", err.message);
    assert_int_equal(files.n, 2);
    assert_string_equal(files.items[0].name, "a");
    assert_string_equal(files.items[1].name, "b");
    assert_memory_equal(files.items[1].data, "BB", 2);
    assert_int_equal(files.extra_len, 3);
    assert_memory_equal(files.extra, "[1]", 3);
    assert_int_equal(pack_digest(&files, digest, &err), OK);
    memcpy((char *)(uintptr_t)files.items[0].data, "X", 1);
    assert_int_equal(pack_digest(&files, again, &err), OK);
    assert_string_not_equal(digest, again);
    arena_free(&a);
    tmp_remove(dir);
}

static void broken_archives_are_refused(void **state)
{
    (void)state;
    static const struct entry huge[] = {{"package/assets/a.webp", "x", 64u << 20}};
    static const struct entry fine[] = {{"package/assets/a.webp", "some bytes that make it longer", 0}};
    char dir[64], path[96], bytes[4096];
    struct arena a;
    struct pack_files files;
    struct error err = {0};
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/p.tgz", dir);
    arena_init(&a, 64u << 20);
    assert_int_not_equal(pack_unpack(path, "assets/", ".webp", NULL, &a, &files, &err), OK);
    write_archive(path, huge, 1);
    assert_int_equal(pack_unpack(path, "assets/", ".webp", NULL, &a, &files, &err), ERR_TOO_LARGE);
    write_archive(path, fine, 1);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_int_equal(truncate(path, (off_t)(len / 2)), 0);
    assert_int_not_equal(pack_unpack(path, "assets/", ".webp", NULL, &a, &files, &err), OK);
    assert_non_null(strstr(err.message, "p.tgz"));
    f = fopen(path, "w");
    assert_non_null(f);
    fputs("no archive at all, just a text that is long enough to be looked at", f);
    fclose(f);
    assert_int_not_equal(pack_unpack(path, "assets/", ".webp", NULL, &a, &files, &err), OK);
    arena_free(&a);
    tmp_remove(dir);
}

static void unknown_packs_and_missing_npm(void **state)
{
    (void)state;
    char dir[64], *path = strdup(getenv("PATH"));
    struct arena a;
    struct import_list list;
    struct error err = {0};
    tmp_make(dir, sizeof dir);
    arena_init(&a, 64u << 20);
    import_list_init(&list, &a);
    struct pack_source source = {.cache_dir = dir, .registry = "bad://127.0.0.1", .download = pack_download};
    assert_int_equal(pack_find(&source, "nonesuch", &list, &err), ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, pack_names()));
    setenv("PATH", "/nonexistent", 1);
    assert_int_not_equal(pack_find(&source, "openmoji", &list, &err), OK);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(list.n, 0);
    import_list_free(&list);
    arena_free(&a);
    tmp_remove(dir);
}

/* --- words of emoji --- */

#define CAT    "\xf0\x9f\x90\xb1"
#define HEART  "\xe2\x9d\xa4"
#define FE0F   "\xef\xb8\x8f"
#define THUMB  "\xf0\x9f\x91\x8d"
#define TONE   "\xf0\x9f\x8f\xbb"
#define SHRUGS "\xf0\x9f\xa4\xb7"

#define EMOJILIB(json)                                                                                                 \
    {                                                                                                                  \
        "package/dist/emoji-en-US.json", json, 0                                                                       \
    }
#define EMOJIBASE(path, json)                                                                                          \
    {                                                                                                                  \
        "package/" path, json, 0                                                                                       \
    }
#define CODES "{}"

struct words_fixture {
    char dir[64], path[96];
    struct arena arena;
    struct emoji_words *words;
};

static void words_setup(struct words_fixture *f)
{
    tmp_make(f->dir, sizeof f->dir);
    snprintf(f->path, sizeof f->path, "%s/p.tgz", f->dir);
    arena_init(&f->arena, 64u << 20);
    f->words = emoji_words_new();
    assert_non_null(f->words);
}

static void words_teardown(struct words_fixture *f)
{
    emoji_words_close(f->words);
    arena_free(&f->arena);
    tmp_remove(f->dir);
}

static void read_words(struct words_fixture *f, const char *npm, const struct entry *entries, size_t n)
{
    struct error err = {0};
    write_archive(f->path, entries, n);
    if (emoji_words_read(f->words, npm, f->path, &f->arena, &err) != OK)
        fail_msg("%s", err.message);
    emoji_words_sort(f->words);
}

/* The lists of an emoji, as "en: cat, kitty | de: Katze". */
static const char *words_of(struct words_fixture *f, const char *emoji)
{
    struct sticker_words *lists;
    size_t n;
    struct error err = {0};
    const char *all = "";
    if (emoji_words_find(f->words, emoji, &f->arena, &lists, &n, &err) != OK)
        fail_msg("%s", err.message);
    for (size_t i = 0; i < n; i++)
        all = arena_printf(&f->arena, "%s%s%s: %s", all, i ? " | " : "", lists[i].language, lists[i].words);
    return all;
}

/* Emoji with and without U+FE0F are one, those with a skin tone none. */
static void keywords_of_emojilib(void **state)
{
    (void)state;
    static const struct entry archive[] = {
        EMOJILIB("{\"" CAT "\":[\"cat_face\",\"kitty\",\"evil_eye\",\"cat\\u00a0person\",\"ab, cd\",\"kitty\"],"
                 "\"" HEART FE0F "\":[\"red_heart\",\"<3\",\";)\",\":|\"],\"" HEART "\":[\"red_heart\",\"valentines\"],"
                 "\"" THUMB TONE "\":[\"thumbs_up\",\"toned\"],\"" THUMB
                 "\":[\"thumbs_up\",\"+1\",\"-_-\",\"12:30\",\"play/stop\"],"
                 "\"" SHRUGS "\":[\"shrug\",\"\xc2\xaf\\\\\"],\"\":[\"\",\"x\"],\"a\":[]}")};
    struct words_fixture f;
    words_setup(&f);
    read_words(&f, "emojilib", archive, 1);
    assert_string_equal(words_of(&f, CAT), "en: kitty, evil eye, cat person");
    assert_string_equal(words_of(&f, HEART), "en: <3, \xef\xbc\x9b), :\xef\xbd\x9c, valentines");
    assert_string_equal(words_of(&f, HEART FE0F), words_of(&f, HEART));
    assert_string_equal(words_of(&f, THUMB), "en: +1, -_-, 12:30, play/stop");
    assert_string_equal(words_of(&f, THUMB TONE), "");
    assert_string_equal(words_of(&f, SHRUGS), "en: \xc2\xaf\\_(\xe3\x83\x84)_/\xc2\xaf");
    assert_string_equal(words_of(&f, "x"), "");
    words_teardown(&f);
}

static void emoticons_and_shortcodes_of_emojibase(void **state)
{
    (void)state;
    static const struct entry archive[] = {
        EMOJIBASE("en/data.json",
                  "[{\"emoji\":\"" HEART FE0F "\",\"emoticon\":\"<3\",\"tags\":[\"no\"]},"
                  "{\"emoji\":\"" CAT "\",\"emoticon\":[\":3\",\";3\"],\"label\":\"cat\"},{\"emoji\":\"x\"}]"),
        EMOJIBASE("en/shortcodes/emojibase.json", "{\"1F431\":\"cat_face\",\"1F44D-1F3FB\":\"thumbsup_tone1\"}"),
        EMOJIBASE("en/shortcodes/github.json", "{\"1F44D\":[\"+1\",\"thumbsup\"]}"),
        EMOJIBASE("en/shortcodes/joypixels.json", "{\"2764-fe0f\":[\"heart\",\"red_heart\"]}"),
        EMOJIBASE("de/data.json", "not read"),
        EMOJIBASE("ru/shortcodes/emojibase-native.json", "{\"1F431\":\"\xd0\xba\xd0\xbe\xd1\x82_\xd0\xb8\"}"),
        EMOJIBASE("sv/shortcodes/emojibase-native.json", CODES),
    };
    struct words_fixture f;
    words_setup(&f);
    read_words(&f, "emojibase-data", archive, sizeof archive / sizeof *archive);
    assert_string_equal(words_of(&f, CAT), "en: :3, \xef\xbc\x9b"
                                           "3, cat face | ru: \xd0\xba\xd0\xbe\xd1\x82 \xd0\xb8");
    assert_string_equal(words_of(&f, HEART), "en: <3, heart, red heart");
    assert_string_equal(words_of(&f, THUMB), "en: +1, thumbsup");
    words_teardown(&f);
}

/* Lists of one language come in the order of the table, whichever archive was read first. */
static void sources_have_an_order(void **state)
{
    (void)state;
    static const struct entry lib[] = {EMOJILIB("{\"" CAT "\":[\"cat\",\"lib\"]}")};
    static const struct entry cldr[] = {
        {"package/annotations/en/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" CAT "\":{\"default\":[\"cldr\",\"x\"],\"tts\":[\"cat face\"]}}}}", 0},
        {"package/annotations/de/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" CAT "\":{\"default\":[\"Katze\"],\"tts\":[\"Katzengesicht\"]}}}}", 0}};
    struct words_fixture f;
    words_setup(&f);
    read_words(&f, "emojilib", lib, 1);
    read_words(&f, "cldr-annotations-full", cldr, 2);
    assert_string_equal(words_of(&f, CAT), "de: Katze | en: cldr, x | en: lib");
    words_teardown(&f);
}

/* Own words first, then those of each emoji; languages stand together, English first. */
static void stickers_get_the_words_of_their_emoji(void **state)
{
    (void)state;
    static const struct entry cldr[] = {
        {"package/annotations/en/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" CAT "\":{\"default\":[\"cat\",\"pet\"],\"tts\":[\"cat face\"]},"
         "\"" HEART "\":{\"default\":[\"love\",\"pet\"],\"tts\":[\"red heart\"]}}}}",
         0},
        {"package/annotations/de/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" HEART "\":{\"default\":[\"Liebe\"],\"tts\":[\"rotes Herz\"]}}}}", 0}};
    static const struct sticker_words own[] = {{.language = "fr", .words = "coeur", .title = "Coeur"},
                                               {.language = "en", .words = "mine, LOVE", .title = ""}};
    struct words_fixture f;
    struct import_item item = {0};
    struct error err;
    words_setup(&f);
    read_words(&f, "cldr-annotations-full", cldr, 2);
    assert_int_equal(emoji_words_give(f.words, HEART FE0F " " CAT " x", own, 2, &f.arena, &item, &err), OK);
    assert_int_equal(item.sticker.n_words, 3);
    assert_string_equal(item.sticker.words[0].language, "en");
    assert_string_equal(item.sticker.words[0].words, "mine, LOVE, pet, cat");
    assert_string_equal(item.sticker.words[1].words, "Liebe");
    assert_string_equal(item.sticker.words[1].title, "rotes Herz");
    assert_string_equal(item.sticker.words[2].words, "coeur");
    assert_string_equal(item.sticker.words[2].title, "Coeur");
    assert_int_equal(emoji_words_give(NULL, CAT, own, 1, &f.arena, &item, &err), OK);
    assert_int_equal(item.sticker.n_words, 1);
    words_teardown(&f);
}

static void broken_words_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *npm, *path, *json, *says;
    } cases[] = {
        {"emojilib", "dist/emoji-en-US.json", "{\"" CAT "\":[\"cat\"", "line 1"},
        {"emojilib", "dist/emoji-en-US.json", "[]", "expected an object"},
        {"emojilib", "dist/emoji-en-US.json", "{\"" CAT "\":[\"cat\",7]}", CAT ": expected plain words"},
        {"emojilib", "dist/emoji-en-US.json", "{\"" CAT "\":{\"a\":1}}", CAT ": expected plain words"},
        {"emojilib", "dist/emoji-en-US.json", "{\"" CAT "\":[\"cat\",\"\\u001b[2J\"]}", CAT ": expected plain words"},
        {"emojilib", "dist/emoji-en-US.json", "{\"" CAT "\":[\"cat\",\"a\xff\"]}", "line 1"},
        {"emojilib", "dist/other.json", "{}", "dist/emoji-en-US.json is missing"},
        {"emojibase-data", "en/data.json", "{}", "expected a list"},
        {"emojibase-data", "en/data.json", "[{\"label\":\"cat\"}]", "[0]: expected an \"emoji\""},
        {"emojibase-data", "en/data.json", "[]", "en/shortcodes/emojibase.json is missing"},
        {"emojibase-data", "en/shortcodes/github.json", "{\"1F431-\":\"cat\"}",
         "expected code points, found \"1F431-\""},
        {"emojibase-data", "en/shortcodes/github.json", "{\"110000\":\"cat\"}", "expected code points"},
        {"emojibase-data", "en/shortcodes/github.json", "{\"\":\"cat\"}", "expected code points"},
        {"cldr-annotations-full", "annotations/en/other.json", "{}", "annotations/*/annotations.json is missing"},
        {"cldr-annotations-full", "annotations/e/annotations.json", "{}", "annotations/*/annotations.json is missing"},
        {"cldr-annotations-full", "annotations/en/annotations.json", "[]", "an object is expected"},
        {"cldr-annotations-full", "annotations/en/annotations.json",
         "{\"annotations\":{\"identity\":[{\"a\":\"}\"},1],\"annotations\":{\"" CAT "\":{\"default\":[7]}}}}",
         "a string is expected, at byte"},
        {"cldr-annotations-full", "annotations/en/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" CAT "\":{\"default\":[\"lost\"]}", "at byte"},
        {"cldr-annotations-full", "annotations/en/annotations.json",
         "{\"annotations\":{\"annotations\":{\"" CAT "\":{\"tts\":[\"\\u001b[2J\"]}}}}", CAT ": expected plain words"},
        {"nonesuch", "x", "{}", "nonesuch"},
    };
    static const struct entry fine[] = {EMOJILIB("{\"" CAT "\":[\"cat\",\"kept\"]}")};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct words_fixture f;
        struct error err = {0};
        char path[128];
        words_setup(&f);
        read_words(&f, "emojilib", fine, 1);
        snprintf(path, sizeof path, "package/%s", cases[i].path);
        const struct entry archive[] = {{path, cases[i].json, 0}};
        write_archive(f.path, archive, 1);
        enum status st = emoji_words_read(f.words, cases[i].npm, f.path, &f.arena, &err);
        if (st == OK || !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s \"%s\"", i, status_name(st), err.message);
        emoji_words_sort(f.words);
        assert_string_equal(words_of(&f, CAT), "en: kept");
        words_teardown(&f);
    }
}

static void words_without_bounds_are_refused(void **state)
{
    (void)state;
    char json[8192];
    struct words_fixture f;
    struct error err = {0};
    words_setup(&f);
    size_t len = (size_t)snprintf(json, sizeof json, "{\"" CAT "\":[\"cat\"");
    for (unsigned i = 0; len < 6000; i++)
        len += (size_t)snprintf(json + len, sizeof json - len, ",\"keyword number %u\"", i);
    snprintf(json + len, sizeof json - len, "]}");
    const struct entry archive[] = {EMOJILIB(json)};
    write_archive(f.path, archive, 1);
    assert_int_equal(emoji_words_read(f.words, "emojilib", f.path, &f.arena, &err), ERR_CORRUPT);
    assert_non_null(strstr(err.message, "at most 4000 bytes"));
    words_teardown(&f);
}

static void codes_of_regions_are_no_words(void **state)
{
    struct arena a;
    (void)state;
    arena_init(&a, 1 << 20);
    const char *isle = "\U0001f1ee\U0001f1f2";
    assert_string_equal(import_words_without_region(isle, "IM, flag, im, isle of man, flag im", &a),
                        "flag, isle of man, flag im");
    assert_string_equal(import_words_without_region(isle, "im", &a), "");
    assert_string_equal(import_words_without_region(isle, "", &a), "");
    assert_string_equal(import_words_without_region("\U0001f408", "IM, cat", &a), "IM, cat");
    assert_string_equal(import_words_without_region("", "IM", &a), "IM");
    assert_string_equal(import_words_without_region(NULL, "IM", &a), "IM");

    /* A list that an earlier import made, with the code in it, is nobody's own. */
    static const struct sticker_words parts[] = {{"en", "IM, flag", NULL}, {"en", "im, isle of man", NULL}};
    static const char *const lists[] = {"IM, flag", "flag, isle of man", "IM, flag, isle of man"};
    struct sticker_words list = {.language = "en"};
    struct error err;
    bool made;
    for (size_t i = 0; i < 3; i++) {
        list.words = lists[i];
        assert_int_equal(import_made_words(parts, 2, &list, isle, &a, &made, &err), OK);
        assert_true(made);
    }
    list.words = "flag, my isle";
    assert_int_equal(import_made_words(parts, 2, &list, isle, &a, &made, &err), OK);
    assert_false(made);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_files_are_read),
        cmocka_unit_test(broken_archives_are_refused),
        cmocka_unit_test(unknown_packs_and_missing_npm),
        cmocka_unit_test(keywords_of_emojilib),
        cmocka_unit_test(emoticons_and_shortcodes_of_emojibase),
        cmocka_unit_test(sources_have_an_order),
        cmocka_unit_test(stickers_get_the_words_of_their_emoji),
        cmocka_unit_test(broken_words_are_refused),
        cmocka_unit_test(codes_of_regions_are_no_words),
        cmocka_unit_test(words_without_bounds_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
