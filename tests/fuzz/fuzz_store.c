/* A damaged database is refused or answers with errors; it never crashes the program. The input is a list of patches,
 * each 3 bytes of offset and one byte to put there, applied to good files of both stores. */
#include "base/os.h"
#include "blank_sticker.h"
#include "search_store/search_store.h"
#include "sticker_store/sticker_store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf good_stickers, good_search;
static char folder[64], path[96];

static const struct language_terms german = {LANGUAGE_de, "katz", "katz miez"};
static const struct word_form form = {.stem = "katz", .in = {{~0ull, ~0ull, ~0ull}}};

static void use_stickers(struct sticker_store *store, struct arena *a, bool make)
{
    struct sticker sticker, *page;
    struct sticker_words words = {"de", "Katze", "Katze"};
    struct store_hit *hits;
    struct score_row *rows;
    struct outbox_item *items;
    struct user user = {.username = "ann", .password_hash = "h"};
    const char *stem = "cat";
    const struct term_query query = {
        .stems = &stem, .n_stems = 1, .prefix = "kit", .prefix_in_all = true, .forms = &form, .n_forms = 1};
    const char *up = "s1.png", **failed;
    struct feedback_entry e = {.query = "cat", .positive = &up, .n_positive = 1};
    int64_t one, two, three;
    size_t n;
    enum status st = OK;
    for (int i = 0; i < (make ? 9 : 1); i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d.png", make ? i : 99);
        sticker = blank_sticker(name);
        sticker.title = "cat";
        sticker.words = &words;
        sticker.n_words = 1;
        st = sticker_store_add(store, &sticker, &(struct sticker_terms){"cat", "kitten", "s", "cat kitten", &german, 1},
                               1, NULL);
    }
    st |= sticker_store_query_ensure(store, make ? "cat" : "dog", NULL);
    st |= sticker_store_feedback(store, &e, 1, a, &failed, &n, NULL);
    st |= sticker_store_user_add(store, &user, NULL);
    st |= sticker_store_get(store, "s1.png", a, &sticker, NULL);
    st |= sticker_store_list(store, "", 100, a, &page, &n, NULL);
    st |= sticker_store_search(store, &query, NULL, 10, 0, a, &hits, &n, &one, NULL);
    st |= sticker_store_count(store, &one, &two, &three, NULL);
    st |= sticker_store_export(store, 0, "", "", 100, a, &rows, &n, NULL);
    st |= sticker_store_outbox_next(store, INT64_MAX, 100, a, &items, &n, NULL);
    st |= make ? OK : sticker_store_delete(store, "s2.png", NULL);
    if (make && st != OK)
        abort();
}

static void use_search(struct search_store *store, struct arena *a, bool make)
{
    struct search_hit *hits;
    struct vector_row *rows;
    struct document *docs;
    float v[4] = {1, 0, 0, 0};
    const char *stem = "cat";
    const struct term_query query = {
        .stems = &stem, .n_stems = 1, .prefix = "kit", .prefix_in_all = true, .forms = &form, .n_forms = 1};
    const char *image = "1", *value;
    int64_t id = 0, total;
    bool changed;
    size_t n;
    enum status st = OK;
    for (int i = 0; i < (make ? 9 : 2); i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d.png", make ? i : i * 98 + 1);
        struct document doc = {.filename = name, .title = "cat", .words_json = "[]", .image_sha256 = "1"};
        st |= search_store_put(store, &doc, &(struct sticker_terms){"cat", "kitten", "s", "cat kitten", &german, 1},
                               &id, &changed, NULL, NULL);
        st |= search_store_vectors_put(store, "m", 4, &id, &image, v, 1, NULL);
    }
    st |= search_store_lexical(store, &query, NULL, 10, 0, true, a, &hits, &n, &total, NULL);
    st |= search_store_vectors_page(store, "m", 4, 0, 100, a, &rows, &n, NULL);
    st |= search_store_unindexed(store, "other", 0, 100, a, &docs, &n, NULL);
    st |= search_store_setting_set(store, "k", "v", NULL);
    st |= search_store_setting_get(store, "k", a, &value, NULL);
    st |= make ? OK : search_store_delete(store, "s2.png", &id, NULL);
    if (make && st != OK)
        abort();
}

static void remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void leave(void)
{
    remove_files();
    rmdir(folder);
}

static void prepare(struct arena *a)
{
    struct sticker_store *stickers;
    struct search_store *search;
    struct error err;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/peel-fuzz-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        abort();
    atexit(leave);
    snprintf(path, sizeof path, "%s/fuzz.db", folder);
    if (sticker_store_open(path, 1, &stickers, &err) != OK)
        abort();
    use_stickers(stickers, a, true);
    sticker_store_close(stickers);
    buf_init(&good_stickers, 16u << 20);
    if (os_read_file(path, &good_stickers, &err) != OK)
        abort();
    remove_files();
    if (search_store_open(path, 1, &search, &err) != OK || search_store_index_open(search, NULL, &err) != OK)
        abort();
    use_search(search, a, true);
    search_store_close(search);
    buf_init(&good_search, 16u << 20);
    if (os_read_file(path, &good_search, &err) != OK)
        abort();
}

static void damage(const struct buf *good, const uint8_t *data, size_t size)
{
    remove_files();
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, good->data, good->len) != (ssize_t)good->len)
        abort();
    for (; size >= 4; data += 4, size -= 4) {
        size_t at = ((size_t)data[0] << 16 | (size_t)data[1] << 8 | data[2]) % good->len;
        if (pwrite(fd, data + 3, 1, (off_t)at) != 1)
            abort();
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error err;
    arena_init(&a, 16u << 20);
    if (!good_stickers.data)
        prepare(&a);
    struct sticker_store *stickers;
    damage(&good_stickers, data, size);
    if (sticker_store_open(path, 1, &stickers, &err) == OK) {
        use_stickers(stickers, &a, false);
        sticker_store_close(stickers);
    }
    arena_reset(&a);
    struct search_store *search;
    damage(&good_search, data, size);
    if (search_store_open(path, 1, &search, &err) == OK) {
        (void)!search_store_index_open(search, NULL, &err);
        use_search(search, &a, false);
        search_store_close(search);
    }
    arena_free(&a);
    return 0;
}
