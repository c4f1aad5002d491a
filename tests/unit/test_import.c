#include "cm.h"

#include "base/csv.h"
#include "base/os.h"
#include "image/image.h"
#include "import/import.h"
#include "import/sticker_undo.h"
#include "noise.h"
#include "sandbox/sandbox.h"
#include "text/text.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define COCO "../shared/coco-val2014"

/* A folder to import from, and what it is imported into. */
struct fixture {
    char dir[64], from[96];
    struct sticker_store *store;
    struct bucket *bucket;
    struct pool *pool;
    struct sandbox *sandbox;
    struct arena arena;
    struct import_list list;
};

static void open_target(struct fixture *f)
{
    char path[128];
    struct error err;
    snprintf(path, sizeof path, "%s/sticker.db", f->dir);
    assert_int_equal(sticker_store_open(path, 1, &f->store, &err), OK);
    snprintf(path, sizeof path, "%s/bucket", f->dir);
    assert_int_equal(bucket_open(path, NULL, &f->bucket, &err), OK);
    assert_int_equal(pool_open("test", 2, 1, &f->pool, &err), OK);
    assert_int_equal(sandbox_open(2, &f->sandbox, &err), OK);
    arena_init(&f->arena, 64u << 20);
    import_list_init(&f->list, &f->arena);
}

static void close_target(struct fixture *f)
{
    pool_close(f->pool);
    sandbox_close(f->sandbox);
    bucket_close(f->bucket);
    sticker_store_close(f->store);
    import_list_free(&f->list);
    arena_free(&f->arena);
}

static void setup(struct fixture *f)
{
    tmp_make(f->dir, sizeof f->dir);
    snprintf(f->from, sizeof f->from, "%s/from", f->dir);
    assert_int_equal(mkdir(f->from, 0755), 0);
    open_target(f);
}

static void teardown(struct fixture *f)
{
    close_target(f);
    tmp_remove(f->dir);
}

static void write_to(const struct fixture *f, const char *name, const void *data, size_t len)
{
    char path[512];
    FILE *file;
    snprintf(path, sizeof path, "%s/%s", f->from, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    fclose(file);
}

static void write_text(const struct fixture *f, const char *name, const char *text)
{
    write_to(f, name, text, strlen(text));
}

/* A picture of its own for each seed. */
static void write_svg(const struct fixture *f, const char *name, unsigned seed)
{
    char svg[160];
    snprintf(svg, sizeof svg, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><path d='M0 0h%uv9'/></svg>",
             seed);
    write_text(f, name, svg);
}

static void write_webp(const struct fixture *f, const char *name, uint32_t seed)
{
    struct image im = noise(16 + seed, 16, 3);
    struct buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(image_encode_webp(&im, 80, &b, NULL), OK);
    write_to(f, name, b.data, b.len);
    buf_free(&b);
    image_free(&im);
}

/* Finds and imports the folder; counts are those of this run. */
static enum status import_folder(struct fixture *f, struct error *err)
{
    struct import_run run = {.store = f->store, .bucket = f->bucket, .sandbox = f->sandbox, .pool = f->pool};
    import_list_free(&f->list);
    arena_reset(&f->arena);
    import_list_init(&f->list, &f->arena);
    enum status st = import_find(f->from, NULL, NULL, &f->list, err);
    return st == OK ? import_run(&run, &f->list, err) : st;
}

static void expect(struct fixture *f, size_t added, size_t skipped, size_t failed)
{
    struct error err = {0};
    if (import_folder(f, &err) != OK)
        fail_msg("%s", err.message);
    if (f->list.added != added || f->list.skipped != skipped || f->list.failed != failed)
        fail_msg("%zu added, %zu skipped, %zu failed (\"%s\": %s)", f->list.added, f->list.skipped, f->list.failed,
                 f->list.n_failures ? f->list.failures[0].name : "",
                 f->list.n_failures ? f->list.failures[0].reason : "");
}

static void expect_reason(const struct fixture *f, const char *name, const char *reason)
{
    for (size_t i = 0; i < f->list.n_failures; i++)
        if (strstr(f->list.failures[i].name, name) && strstr(f->list.failures[i].reason, reason))
            return;
    for (size_t i = 0; i < f->list.n_failures; i++)
        print_message("%s: %s\n", f->list.failures[i].name, f->list.failures[i].reason);
    fail_msg("no failure of \"%s\" says \"%s\"", name, reason);
}

static struct sticker get(struct fixture *f, const char *filename)
{
    struct sticker s;
    struct error err;
    if (sticker_store_get(f->store, filename, &f->arena, &s, &err) != OK)
        fail_msg("%s", err.message);
    return s;
}

/* --- CSV --- */

static void csv_records(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf"
                               "a,\"b,\"\"c\"\"\"\r\n\r\n\"two\nlines\",\n,\nlast";
    static const char *const want[][2] = {{"a", "b,\"c\""}, {"two\nlines", ""}, {"last", NULL}};
    static const size_t lines[] = {1, 3, 6};
    struct arena a;
    struct csv c;
    const char *fields[CSV_MAX_FIELDS];
    size_t n;
    arena_init(&a, 1 << 20);
    assert_int_equal(csv_open(text, sizeof text - 1, &a, &c, NULL), OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(csv_next(&c, fields, &n, NULL), OK);
        assert_int_equal(n, want[i][1] ? 2 : 1);
        assert_int_equal(c.record_line, lines[i]);
        for (size_t k = 0; k < n; k++)
            assert_string_equal(fields[k], want[i][k]);
    }
    assert_int_equal(csv_next(&c, fields, &n, NULL), OK);
    assert_int_equal(n, 0);
    arena_free(&a);
}

static void csv_mistakes_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        const char *says;
    } cases[] = {
#define TEXT(s) s, sizeof(s) - 1
        {TEXT("a,b\nc,\"d"), "line 2: a quote is never closed"},
        {TEXT("a\n\"b\"c\n"), "line 2: text after"},
        {TEXT("a\nb\"c\n"), "line 2: a quote inside"},
        {TEXT("a\rb\n"), "line 1: a carriage return"},
        {TEXT("a\nb\0c\n"), "line 2: NUL"},
        {TEXT("a\nb\n\x81\n"), "line 3: neither UTF-8 nor Windows-1252"},
        {TEXT("\xff\xfe"
              "a\0\n\0\x3d\xd8x\0"),
         "line 2: neither UTF-8 nor UTF-16LE"},
        {TEXT(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,"), "line 1: more than 32 fields"},
#undef TEXT
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a;
        struct csv c;
        struct error err = {0};
        const char *fields[CSV_MAX_FIELDS];
        size_t n = 1;
        arena_init(&a, 1 << 20);
        enum status st = csv_open(cases[i].text, cases[i].len, &a, &c, &err);
        while (st == OK && n)
            st = csv_next(&c, fields, &n, &err);
        if (st == OK || !strstr(err.message, cases[i].says))
            fail_msg("case %zu: %s \"%s\"", i, status_name(st), err.message);
        arena_free(&a);
    }
}

static void words_come_from_the_csv(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_svg(&f, "a.svg", 1);
    write_svg(&f, "b_the-second.svg", 2);
    write_text(&f, "stickers.csv",
               "Filename,title,words,language,author,rating\r\n"
               "a.svg,\"Cat, asleep\",\"cat; kitten,cat\n\xf0\x9f\x90\xb1\",,Ann,\r\n"
               "a.svg,,\"Katze|K\xc3\xa4tzchen\",de,,PG-13\r\n");
    expect(&f, 2, 0, 0);
    struct sticker a = get(&f, "a.svg"), b = get(&f, "b_the-second.svg");
    assert_string_equal(a.title, "Cat, asleep");
    assert_string_equal(a.author, "Ann");
    assert_int_equal(a.rating, RATING_PG_13);
    assert_int_equal(b.rating, RATING_G);
    assert_int_equal(a.n_words, 2);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(a.words[i].words, strcmp(a.words[i].language, "de") == 0
                                                  ? "Katze, K\xc3\xa4tzchen"
                                                  : "cat, kitten, cat \xf0\x9f\x90\xb1");
    assert_string_equal(b.title, "b the second");
    assert_int_equal(b.n_words, 0);
    assert_string_equal(a.mime, "image/svg+xml");
    teardown(&f);
}

/* The picture says whether it moves, unless the file says otherwise. */
static void what_moves_is_seen_or_said(void **state)
{
    (void)state;
    static const char gif[] = "GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff"
                              ",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0"
                              ",\0\0\0\0\x02\0\x02\0\0\x02\x03\x44\x02\x05\0;";
    struct fixture f;
    setup(&f);
    write_svg(&f, "said.svg", 1);
    write_svg(&f, "still.svg", 2);
    write_to(&f, "seen.gif", gif, sizeof gif - 1);
    write_to(&f, "denied.gif", gif, sizeof gif - 1);
    write_text(&f, "stickers.csv", "filename,animated,rating\nsaid.svg,TRUE,r\nseen.gif,,\ndenied.gif,false,pg\n");
    expect(&f, 4, 0, 0);
    assert_true(get(&f, "said.svg").animated);
    assert_false(get(&f, "still.svg").animated);
    assert_true(get(&f, "seen.gif").animated);
    assert_true(get(&f, "seen.gif").frames == 2 && get(&f, "seen.gif").duration_ms == 200);
    assert_false(get(&f, "denied.gif").animated);
    assert_int_equal(get(&f, "said.svg").rating, RATING_R);
    assert_int_equal(get(&f, "denied.gif").rating, RATING_PG);
    teardown(&f);
}

static void a_table_that_cannot_be_read_stops_its_folder_only(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"stickers.csv", "filename,titel\na.svg,x\n", "line 1: column \"titel\""},
        {"stickers.csv", "filename,filename\na.svg,x\n", "line 1: column \"filename\""},
        {"stickers.csv", "title\nx\n", "line 1: expected the header"},
        {"stickers.csv", "", "line 1: expected the header"},
        {"stickers.csv", "filename,title\na.svg,\x81\n", "line 2: neither UTF-8 nor Windows-1252"},
        {"stickers.json", "[{\"filename\": \"a.svg\"},", "stickers.json: line 1: "},
        {"stickers.json", "{}", "stickers.json: expected an array"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        setup(&f);
        char sub[128];
        snprintf(sub, sizeof sub, "%s/sub", f.from);
        assert_int_equal(mkdir(sub, 0755), 0);
        write_svg(&f, "b.svg", 1);
        write_svg(&f, "sub/a.svg", 2);
        snprintf(sub, sizeof sub, "sub/%s", cases[i].name);
        write_text(&f, sub, cases[i].text);
        expect(&f, 1, 0, 1);
        expect_reason(&f, "/sub", cases[i].says);
        teardown(&f);
    }
}

/* It is named, its picture waits, and the others are imported. */
static void a_wrong_row_stops_its_picture_only(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *says;
    } cases[] = {
        {"stickers.csv", "filename,language\nb.svg,\na.svg,e\n", "line 3: language \"e\""},
        {"stickers.csv", "filename,language\na.svg,en US\n", "line 2: language"},
        {"stickers.csv", "filename,language\na.svg,\na.svg,EN\n", "line 3: it has a row in \"EN\" already, line 2"},
        {"stickers.csv", "filename,rating\na.svg,pg13\n", "line 2: rating \"pg13\": expected g, pg, pg-13 or r"},
        {"stickers.csv", "filename,animated\nb.svg,true\na.svg,maybe\n", "animated \"maybe\": expected true or false"},
        {"stickers.csv", "filename,title\na.svg,\x01\nb.svg,B\n", "line 2: control character in title"},
        {"stickers.csv", "filename,title\na.svg,A,more\nb.svg,B,,\n", "line 2: \"more\" is in a column without a name"},
        {"stickers.json", "[{\"filename\": \"b.svg\"}, {\"filename\": \"a.svg\", \"titel\": \"A\"}]",
         "entry 2: member \"titel\": expected filename"},
        {"stickers.json", "[{\"filename\": \"a.svg\", \"words\": [\"x\", 7]}]",
         "entry 1: words must be a string or an array of strings"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        setup(&f);
        write_svg(&f, "a.svg", 1);
        write_svg(&f, "b.svg", 2);
        write_text(&f, cases[i].name, cases[i].text);
        expect(&f, 1, 0, 1);
        expect_reason(&f, "a.svg", cases[i].says);
        expect_reason(&f, "a.svg", "the picture is left out");
        get(&f, "b.svg");
        teardown(&f);
    }
    struct fixture f;
    setup(&f);
    write_svg(&f, "a.svg", 1);
    write_text(&f, "stickers.csv",
               "filename,title\na.svg,A\nb.svg,B\n../a.svg,C\n,\"nameless\"\nc\"d,x\n\"never closed,x\na.svg,Ä\n");
    write_svg(&f, "x.svg", 1);
    expect(&f, 1, 0, 6);
    expect_reason(&f, "b.svg", "line 3: not found in this folder or below");
    expect_reason(&f, "../a.svg", "line 4: not found");
    expect_reason(&f, f.from, "line 5: filename is empty");
    expect_reason(&f, f.from, "line 6: a quote inside a field");
    expect_reason(&f, f.from, "line 7: a quote is never closed");
    expect_reason(&f, "a.svg", "line 8: it has a row in \"en\" already, line 2");
    teardown(&f);
}

/* As Excel, LibreOffice, Numbers and text editors save it. */
static void tables_are_read_as_programs_write_them(void **state)
{
    (void)state;
#define TEXT(s) s, sizeof(s) - 1
    static const struct {
        const char *name, *text;
        size_t len;
    } cases[] = {
        {"stickers.csv", TEXT("Filename ; title\r\na.svg;\"K\xc3\xa4tzchen, klein\"\r\n;;;\r\n")},
        {"stickers.csv", TEXT("sep=;\r\nfilename;title\r\na.svg;K\xc3\xa4tzchen, klein\r\n")},
        {"stickers.csv", TEXT("filename\ttitle\na.svg\tK\xc3\xa4tzchen, klein\t\t\n\t\n")},
        {"stickers.csv", TEXT(" FILENAME ,title,,\na.svg,\"K\xe4tzchen, klein\"\n,,,\n , \n")},
        {"stickers.csv", TEXT("\xff\xfe"
                              "f\0i\0l\0e\0n\0a\0m\0e\0;\0t\0i\0t\0l\0e\0\n\0a\0.\0s\0v\0g\0;\0K\0\xe4\0"
                              "t\0z\0c\0h\0e\0n\0,\0 \0k\0l\0e\0i\0n\0\n\0")},
        {"stickers.csv", TEXT("\xef\xbb\xbf"
                              "title,filename\n\"Ka\xcc\x88tzchen, klein\",./a.svg\n")},
        {"stickers.csv", TEXT("filename|title|author\na.svg|K\xc3\xa4tzchen, klein\n")},
        {"stickers.json", TEXT("[{\"filename\": \"a.svg\", \"title\": \"K\xc3\xa4tzchen, klein\", \"author\": null}]")},
    };
#undef TEXT
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct fixture f;
        setup(&f);
        write_svg(&f, "a.svg", 1);
        write_to(&f, cases[i].name, cases[i].text, cases[i].len);
        expect(&f, 1, 0, 0);
        const char *title = get(&f, "a.svg").title;
        if (strcmp(title, strstr(cases[i].text, "a\xcc\x88") ? "Ka\xcc\x88tzchen, klein" : "K\xc3\xa4tzchen, klein"))
            fail_msg("case %zu: %s", i, title);
        teardown(&f);
    }
}

static void a_table_names_files_of_folders_below(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    char path[256];
    snprintf(path, sizeof path, "%s/sub", f.from);
    assert_int_equal(mkdir(path, 0755), 0);
    snprintf(path, sizeof path, "%s/sub/deep", f.from);
    assert_int_equal(mkdir(path, 0755), 0);
    write_svg(&f, "sub/b.svg", 1);
    write_svg(&f, "sub/deep/c.svg", 2);
    write_svg(&f, "sub/deep/Cafe\xcc\x81.svg", 3); /* as macOS composes it */
    write_text(&f, "stickers.csv",
               "filename,title\nsub/b.svg,B\nsub\\deep\\c.svg,above\nsub/deep/Caf\xc3\xa9.svg,Coffee\n");
    write_text(&f, "sub/deep/stickers.json",
               "[{\"filename\": \"c.svg\", \"title\": \"C\", \"words\": [\"x\", \"y\"]}]");
    expect(&f, 3, 0, 1);
    expect_reason(&f, "sub/deep/c.svg", "the table of its own folder has it too");
    assert_string_equal(get(&f, "b.svg").title, "B");
    assert_string_equal(get(&f, "c.svg").title, "C");
    assert_string_equal(get(&f, "c.svg").words[0].words, "x, y");
    assert_string_equal(get(&f, "Caf\xc3\xa9.svg").title, "Coffee");
    teardown(&f);
}

/* --- folders, names, content --- */

static void clashes_repeats_and_repairs(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    char path[256];
    struct stat sb;
    snprintf(path, sizeof path, "%s/sub", f.from);
    assert_int_equal(mkdir(path, 0755), 0);
    write_svg(&f, "a.svg", 1);
    write_svg(&f, "sub/a.svg", 2); /* the same name, other content */
    write_svg(&f, "sub/b.svg", 3);
    expect(&f, 2, 0, 1);
    expect_reason(&f, "sub/a.svg", "other content, in this import");
    write_svg(&f, "sub/a.svg", 1); /* now the same content */
    expect(&f, 0, 3, 0);
    write_svg(&f, "a.svg", 4);
    expect(&f, 0, 2, 1);
    expect_reason(&f, "from/a.svg", "other content");
    write_svg(&f, "a.svg", 1);

    /* A file that went missing, or was cut, is written again. */
    snprintf(path, sizeof path, "%s/bucket/media/a.svg", f.dir);
    assert_int_equal(truncate(path, 3), 0);
    expect(&f, 0, 3, 0);
    assert_int_equal(stat(path, &sb), 0);
    assert_true(sb.st_size > 3);
    assert_int_equal(unlink(path), 0);
    expect(&f, 0, 3, 0);
    assert_int_equal(stat(path, &sb), 0);
    teardown(&f);
}

static void what_is_no_picture(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    char path[256], longest[300], link_to[256];
    memset(longest, 'n', sizeof longest);
    memcpy(longest + 251, ".svg", 5);
    write_svg(&f, longest, 9); /* 255 bytes */
    write_svg(&f, "good.svg", 1);
    write_svg(&f, ".hidden.svg", 2);
    write_webp(&f, "good.WEBP", 1);
    write_webp(&f, "liar.png", 2);
    write_text(&f, "text.jpg", "hello");
    write_text(&f, "empty.gif", "");
    write_to(&f, "wide.png", "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x75\x30\0\0\0\1\x08\x02\0\0\0\0\0\0\0", 33);
    write_svg(&f, "a\nb.svg", 3);
    write_svg(&f, "\xff.svg", 4);
    write_text(&f, "notes.txt", "left alone");
    snprintf(path, sizeof path, "%s/link.svg", f.from);
    snprintf(link_to, sizeof link_to, "%s/good.svg", f.from);
    assert_int_equal(symlink(link_to, path), 0);
    snprintf(path, sizeof path, "%s/folder", f.from);
    assert_int_equal(symlink("/", path), 0);
    snprintf(path, sizeof path, "%s/fifo.svg", f.from);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/big.jpg", f.from);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(ftruncate(fd, (off_t)IMAGE_MAX_BYTES + 1), 0);
    close(fd);
    expect(&f, 3, 0, 7);
    assert_int_equal(f.list.ignored, 4);
    expect_reason(&f, "liar.png", "image/webp");
    expect_reason(&f, "text.jpg", "not a JPEG, PNG");
    expect_reason(&f, "empty.gif", "empty");
    expect_reason(&f, "wide.png", "30000 x 1");
    expect_reason(&f, "big.jpg", "at most");
    expect_reason(&f, "a\nb.svg", "control");
    expect_reason(&f, "\xff.svg", "UTF-8");

    /* Files that are named are taken as they are named, links too. */
    import_list_free(&f.list);
    import_list_init(&f.list, &f.arena);
    struct import_run run = {.store = f.store, .bucket = f.bucket, .sandbox = f.sandbox};
    snprintf(path, sizeof path, "%s/link.svg", f.from);
    assert_int_equal(import_find(path, NULL, NULL, &f.list, NULL), OK);
    snprintf(path, sizeof path, "%s/notes.txt", f.from);
    assert_int_equal(import_find(path, NULL, NULL, &f.list, NULL), OK);
    snprintf(path, sizeof path, "%s/absent.svg", f.from);
    assert_int_equal(import_find(path, NULL, NULL, &f.list, NULL), OK);
    snprintf(path, sizeof path, "%s/fifo.svg", f.from);
    assert_int_equal(import_find(path, NULL, NULL, &f.list, NULL), OK);
    assert_int_equal(import_run(&run, &f.list, NULL), OK);
    assert_true(f.list.added == 1 && f.list.failed == 3);
    expect_reason(&f, "absent.svg", "No such file");
    expect_reason(&f, "fifo.svg", "neither a file");
    teardown(&f);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void a_stop_loses_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct error err;
    for (unsigned i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u.svg", i);
        write_svg(&f, name, i);
    }
    struct import_run run = {
        .store = f.store, .bucket = f.bucket, .sandbox = f.sandbox, .pool = f.pool, .stopped = always};
    assert_int_equal(import_find(f.from, NULL, NULL, &f.list, &err), OK);
    assert_int_equal(import_run(&run, &f.list, &err), ERR_CANCELLED);
    assert_int_equal(f.list.added, 0);
    expect(&f, 10, 0, 0);
    teardown(&f);
}

/* Deletes the first image that is written, as if the trash were emptied, when the second one is decoded. */
struct deleter {
    const struct fixture *f;
    bool done;
};

static bool delete_one(void *ctx)
{
    struct deleter *d = ctx;
    char path[160];
    for (unsigned i = 0; i < 2 && !d->done; i++) {
        snprintf(path, sizeof path, "%s/bucket/media/%u.svg", d->f->dir, i);
        d->done = unlink(path) == 0;
    }
    return false;
}

static void an_image_that_goes_before_its_row_comes_is_put_again(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    struct error err;
    struct deleter d = {.f = &f};
    write_svg(&f, "0.svg", 0);
    write_svg(&f, "1.svg", 1);
    struct import_run run = {
        .store = f.store, .bucket = f.bucket, .sandbox = f.sandbox, .stopped = delete_one, .ctx = &d};
    assert_int_equal(import_find(f.from, NULL, NULL, &f.list, &err), OK);
    assert_int_equal(import_run(&run, &f.list, &err), OK);
    assert_int_equal(f.list.added, 2);
    assert_true(d.done);
    for (unsigned i = 0; i < 2; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/bucket/media/%u.svg", f.dir, i);
        assert_int_equal(access(path, R_OK), 0);
    }
    teardown(&f);
}

/* --- kill -9 --- */

static int import_in_child(struct fixture *f)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct error err;
        open_target(f);
        _exit(import_folder(f, &err) == OK && !f->list.failed ? 0 : 1);
    }
    return pid;
}

/* Killed again and again, at any point; each row that there is has its whole file. */
static void killed_imports_are_completed(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    close_target(&f);
    for (unsigned i = 0; i < 200; i++) {
        char name[24];
        snprintf(name, sizeof name, "n%03u.svg", i);
        write_svg(&f, name, i);
    }
    int status = -1;
    unsigned kills = 0, wait_us = 2000;
    for (unsigned round = 0; status != 0; round++) {
        pid_t pid = import_in_child(&f);
        assert_true(pid > 0 && round < 60);
        usleep(wait_us);
        wait_us += wait_us / 4;
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(status == 0 || WIFSIGNALED(status));
        kills += WIFSIGNALED(status);

        open_target(&f);
        struct sticker *all;
        size_t n;
        assert_int_equal(sticker_store_list(f.store, "", 1000, &f.arena, &all, &n, NULL), OK);
        for (size_t i = 0; i < n; i++) {
            char key[300], hash[65];
            struct buf b;
            buf_init(&b, 1 << 20);
            snprintf(key, sizeof key, "media/%s", all[i].filename);
            assert_int_equal(bucket_get(f.bucket, key, &b, NULL), OK);
            os_sha256_hex(b.data, b.len, hash);
            assert_string_equal(hash, all[i].sha256);
            buf_free(&b);
        }
        if (status == 0)
            assert_int_equal(n, 200);
        close_target(&f);
    }
    assert_true(kills > 0);
    open_target(&f);
    expect(&f, 0, 200, 0);
    teardown(&f);
}

static void photos_are_imported(void **state)
{
    (void)state;
    if (access(COCO, R_OK) != 0) {
        print_message("skipped: %s is absent\n", COCO);
        skip();
    }
    struct fixture f;
    setup(&f);
    struct error err;
    struct import_run run = {.store = f.store, .bucket = f.bucket, .sandbox = f.sandbox, .pool = f.pool};
    assert_int_equal(import_find(COCO, NULL, NULL, &f.list, &err), OK);
    assert_int_equal(import_run(&run, &f.list, &err), OK);
    assert_int_equal(f.list.failed, 0);
    assert_int_equal(f.list.added, 328);
    struct sticker s = get(&f, "COCO_val2014_000000000042.jpg");
    assert_string_equal(s.mime, "image/jpeg");
    assert_true(s.width == 640 && s.height == 478);
    assert_string_equal(s.title, "COCO val2014 000000000042");
    teardown(&f);
}

/* --- words of packs --- */

static const struct sticker_words pack_parts[] = {
    {"en", "cat, Face", ""},
    {"en", "face, pet, CAT", "cat face"},
    {"en", "<3, kitty, \xc3\x84, \xc3\xa4", NULL},
    {"de", "Katze, Gesicht", "Katzengesicht"},
    {"fr", "", "t\xc3\xaate de chat"},
    {"it", "", NULL},
};
#define N_PARTS (sizeof pack_parts / sizeof *pack_parts)

static void words_of_several_sources_become_one_list(void **state)
{
    (void)state;
    const struct sticker_words *out;
    size_t n;
    struct arena a;
    struct error err = {0};
    arena_init(&a, 1u << 20);
    assert_int_equal(import_merge_words(pack_parts, N_PARTS, &a, &out, &n, &err), OK);
    assert_int_equal(n, 3);
    assert_string_equal(out[0].language, "en");
    assert_string_equal(out[0].words, "cat, Face, pet, <3, kitty, \xc3\x84");
    assert_string_equal(out[0].title, "");
    assert_string_equal(out[1].words, "Katze, Gesicht");
    assert_string_equal(out[1].title, "Katzengesicht");
    assert_string_equal(out[2].language, "fr");
    assert_string_equal(out[2].words, "");
    assert_int_equal(import_merge_words(NULL, 0, &a, &out, &n, &err), OK);
    assert_int_equal(n, 0);
    arena_free(&a);
}

/* What is too much is left out, and nothing fails. */
static void merged_words_stay_within_bounds(void **state)
{
    (void)state;
    enum { LISTS = 30, WORDS = 100 };
    struct sticker_words parts[LISTS];
    const struct sticker_words *out;
    size_t n;
    struct arena a;
    struct error err = {0};
    arena_init(&a, 16u << 20);
    for (size_t i = 0; i < LISTS; i++) {
        const char *cell = "";
        for (size_t k = 0; k < WORDS; k++)
            cell = arena_printf(&a, "%s%skeyword %zu of list %zu", cell, k ? ", " : "", k, i);
        parts[i] = (struct sticker_words){.language = "en", .words = cell};
    }
    assert_int_equal(import_merge_words(parts, LISTS, &a, &out, &n, &err), OK);
    assert_int_equal(n, 1);
    assert_true(strlen(out[0].words) <= IMPORT_MAX_WORDS && strlen(out[0].words) > IMPORT_MAX_WORDS - 64);
    assert_non_null(strstr(out[0].words, "keyword 0 of list 1,"));
    arena_free(&a);
}

static void words_that_nobody_changed_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *language, *words;
        bool made;
    } cases[] = {
        {"en", "cat, Face", true},
        {"en", "cat, Face, pet", true},
        {"en", "cat, Face, face, pet, CAT", true}, /* as an earlier version merged */
        {"en", "cat, Face, <3, kitty, \xc3\x84", true},
        {"en", "face, pet, CAT", true},
        {"en", "cat, Face, pet, <3, kitty, \xc3\x84", true},
        {"en", "cat", false},
        {"en", "Face, cat", false},
        {"en", "cat, Face, pet, <3, kitty", false},
        {"en", "cat, Face, mine", false},
        {"en", "", false},
        {"de", "Katze, Gesicht", true},
        {"de", "Katze", false},
        {"fr", "", false},
        {"es", "gato", false},
    };
    struct arena a;
    struct error err = {0};
    arena_init(&a, 1u << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct sticker_words list = {.language = cases[i].language, .words = cases[i].words};
        bool made;
        assert_int_equal(import_made_words(pack_parts, N_PARTS, &list, NULL, &a, &made, &err), OK);
        if (made != cases[i].made)
            fail_msg("\"%s\": %s", list.words, made ? "taken for an import's" : "taken for somebody's");
    }
    arena_free(&a);
}

/* Imports one picture of a pack whose words come from the first `n` parts. */
static void import_pack(struct fixture *f, size_t n, size_t added, size_t updated)
{
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 9 9'><path d='M0 0h9v9'/></svg>";
    struct import_run run = {.store = f->store, .bucket = f->bucket, .sandbox = f->sandbox, .pool = f->pool};
    struct import_item item = {
        .data = svg,
        .len = sizeof svg - 1,
        .filename = "pack-cat.svg",
        .sticker = {.title = "cat face", .pack = "pack", .author = "", .license = "", .source = ""},
        .parts = pack_parts,
        .n_parts = n};
    struct error err = {0};
    import_list_free(&f->list);
    import_list_init(&f->list, &f->arena);
    assert_int_equal(import_merge_words(item.parts, n, &f->arena, &item.sticker.words, &item.sticker.n_words, &err),
                     OK);
    assert_int_equal(import_list_add(&f->list, &item, &err), OK);
    if (import_run(&run, &f->list, &err) != OK)
        fail_msg("%s", err.message);
    if (f->list.added != added || f->list.updated != updated || f->list.failed)
        fail_msg("%zu parts: %zu added, %zu updated, %zu failed", n, f->list.added, f->list.updated, f->list.failed);
}

static void edit_english(struct fixture *f, const char *words)
{
    struct sticker s = get(f, "pack-cat.svg");
    struct sticker_terms terms;
    struct error err = {0};
    struct sticker_words lists[8];
    assert_in_range(s.n_words, 1, 8);
    memcpy(lists, s.words, s.n_words * sizeof *lists);
    for (size_t i = 0; i < s.n_words; i++)
        if (strcmp(lists[i].language, "en") == 0)
            lists[i].words = words;
    s.words = lists;
    assert_int_equal(text_sticker_terms(s.title, s.filename, NULL, s.words, s.n_words, &f->arena, &terms, &err), OK);
    if (sticker_store_update(f->store, &s, &terms, &err) != OK)
        fail_msg("%s", err.message);
}

static void expect_english(struct fixture *f, const char *words)
{
    struct sticker s = get(f, "pack-cat.svg");
    for (size_t i = 0; i < s.n_words; i++)
        if (strcmp(s.words[i].language, "en") == 0)
            assert_string_equal(s.words[i].words, words);
}

/* Each source adds its words to what an import without it made, but not to what somebody wrote. */
static void a_later_import_adds_words(void **state)
{
    (void)state;
    static const char all[] = "cat, Face, pet, <3, kitty, \xc3\x84";
    struct fixture f;
    setup(&f);
    import_pack(&f, 1, 1, 0);
    expect_english(&f, "cat, Face");
    import_pack(&f, 2, 0, 1);
    expect_english(&f, "cat, Face, pet");
    import_pack(&f, N_PARTS, 0, 1);
    expect_english(&f, all);
    assert_int_equal(get(&f, "pack-cat.svg").n_words, 3);
    import_pack(&f, N_PARTS, 0, 0);
    import_pack(&f, 1, 0, 0); /* a source that cannot be had takes nothing away */
    expect_english(&f, all);
    edit_english(&f, "cat, mine");
    import_pack(&f, N_PARTS, 0, 0);
    expect_english(&f, "cat, mine");
    edit_english(&f, "");
    import_pack(&f, N_PARTS, 0, 0);
    expect_english(&f, "");
    teardown(&f);
}

/* --- undo --- */

static size_t import_as(struct fixture *f, struct admin_who *who, bool update, int64_t *number)
{
    struct import_run run = {.store = f->store,
                             .bucket = f->bucket,
                             .sandbox = f->sandbox,
                             .pool = f->pool,
                             .who = who,
                             .source = "cats",
                             .update = update};
    struct error err = {0};
    import_list_free(&f->list);
    import_list_init(&f->list, &f->arena);
    assert_int_equal(import_find(f->from, NULL, NULL, &f->list, &err), OK);
    if (import_run(&run, &f->list, &err) != OK)
        fail_msg("%s", err.message);
    *number = f->list.number;
    return f->list.added + f->list.updated;
}

static void left_name(void *ctx, const char *filename)
{
    snprintf(ctx, 16, "%s", filename);
}

static void undo(struct fixture *f, int64_t number, size_t removed, size_t restored, const char *left)
{
    char name[16] = "";
    struct admin_who who = {.username = "ann", .address = "", .batch = "undo"};
    struct sticker_undo u = {.store = f->store, .who = &who, .left = left_name, .ctx = name};
    struct import_record r;
    struct error err = {0};
    assert_int_equal(sticker_store_import_get(f->store, number, &f->arena, &r, &err), OK);
    if (sticker_undo_import(&u, &r, &err) != OK)
        fail_msg("%s", err.message);
    assert_string_equal(name, left);
    if (u.removed != removed || u.restored != restored || u.n_left != (*left != 0))
        fail_msg("%zu removed, %zu restored, %zu left", u.removed, u.restored, u.n_left);
    assert_int_equal(sticker_store_import_get(f->store, number, &f->arena, &r, &err), OK);
    assert_true(r.undone_us > 0);
}

/* Of two imports, the second of which changes what the first one added. */
static void an_import_is_undone_but_for_what_was_changed_since(void **state)
{
    (void)state;
    struct admin_who first = {.username = "ann", .address = "", .batch = "one"}, second = first, third = first;
    struct import_record *records;
    struct sticker_terms terms;
    struct fixture f;
    struct error err;
    int64_t one, two, three;
    size_t n;
    setup(&f);
    second.batch = "two";
    third.batch = "three";
    write_svg(&f, "a.svg", 1);
    write_svg(&f, "b.svg", 2);
    write_text(&f, "stickers.csv",
               "filename,title,language,words\na.svg,Ape,pt,macaco\na.svg,Ape,en,monkey\nb.svg,Bee,en,honey\n");
    assert_int_equal(import_as(&f, &first, false, &one), 2);
    write_text(&f, "stickers.csv", "filename,title,language,words\na.svg,Gorilla,de,Affe\nb.svg,,,\n");
    assert_int_equal(import_as(&f, &second, true, &two), 1);
    assert_int_equal(import_as(&f, &third, true, &three), 0);
    assert_true(one == 1 && two == 2 && three == 0);
    assert_int_equal(sticker_store_imports(f.store, 10, &f.arena, &records, &n, &err), OK);
    assert_int_equal(n, 2);
    assert_true(records[0].changed == 1 && records[0].skipped == 2 && records[1].added == 2 && records[1].ended_us);

    undo(&f, two, 0, 1, "");
    struct sticker a = get(&f, "a.svg");
    assert_string_equal(a.title, "Ape");
    assert_int_equal(a.n_words, 2);
    assert_string_equal(a.words[1].words, "macaco");

    struct sticker b = get(&f, "b.svg");
    b.title = "Wasp";
    assert_int_equal(text_sticker_terms(b.title, b.filename, NULL, b.words, b.n_words, &f.arena, &terms, &err), OK);
    assert_int_equal(sticker_store_update(f.store, &b, &terms, &err), OK);
    undo(&f, one, 1, 0, "b.svg");
    assert_int_equal(sticker_store_get(f.store, "a.svg", &f.arena, &a, &err), ERR_NOT_FOUND);
    assert_int_equal(sticker_store_trash_get(f.store, "a.svg", &f.arena, &a, &err), OK);
    undo(&f, one, 0, 0, "b.svg");
    teardown(&f);
}

/* An import that merges changes the same sticker several times. An undo that was broken off has done a part of that. */
static void what_was_changed_twice_is_undone_and_left_once(void **state)
{
    (void)state;
    struct admin_who first = {.username = "ann", .address = "", .batch = "one"}, second = first;
    struct history_entry *entries;
    struct sticker_terms terms;
    struct fixture f;
    struct error err;
    int64_t number;
    size_t n;
    setup(&f);
    second.batch = "two";
    write_svg(&f, "a.svg", 1);
    assert_int_equal(import_as(&f, &first, false, &number), 1);
    for (const char *const *words = (const char *const[]){"ape", "ape, monkey", NULL}; *words; words++) {
        char text[64];
        snprintf(text, sizeof text, "filename,words\na.svg,\"%s\"\n", *words);
        write_text(&f, "stickers.csv", text);
        assert_int_equal(import_as(&f, &second, true, &number), 1);
    }
    assert_int_equal(number, 2);
    assert_int_equal(sticker_store_history_batch(f.store, "two", INT64_MAX, 10, &f.arena, &entries, &n, &err), OK);
    assert_int_equal(n, 2);
    undo(&f, number, 0, 2, "");
    undo(&f, number, 0, 0, ""); /* it is what it was already */

    struct sticker a = get(&f, "a.svg");
    a.title = "Gorilla";
    assert_int_equal(text_sticker_terms(a.title, a.filename, NULL, a.words, a.n_words, &f.arena, &terms, &err), OK);
    assert_int_equal(sticker_store_update(f.store, &a, &terms, &err), OK);
    undo(&f, number, 0, 0, "a.svg");
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_records),
        cmocka_unit_test(csv_mistakes_name_their_line),
        cmocka_unit_test(words_come_from_the_csv),
        cmocka_unit_test(what_moves_is_seen_or_said),
        cmocka_unit_test(a_table_that_cannot_be_read_stops_its_folder_only),
        cmocka_unit_test(a_wrong_row_stops_its_picture_only),
        cmocka_unit_test(tables_are_read_as_programs_write_them),
        cmocka_unit_test(a_table_names_files_of_folders_below),
        cmocka_unit_test(clashes_repeats_and_repairs),
        cmocka_unit_test(what_is_no_picture),
        cmocka_unit_test(a_stop_loses_nothing),
        cmocka_unit_test(an_image_that_goes_before_its_row_comes_is_put_again),
        cmocka_unit_test(killed_imports_are_completed),
        cmocka_unit_test(photos_are_imported),
        cmocka_unit_test(words_of_several_sources_become_one_list),
        cmocka_unit_test(merged_words_stay_within_bounds),
        cmocka_unit_test(words_that_nobody_changed_are_known),
        cmocka_unit_test(a_later_import_adds_words),
        cmocka_unit_test(an_import_is_undone_but_for_what_was_changed_since),
        cmocka_unit_test(what_was_changed_twice_is_undone_and_left_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
