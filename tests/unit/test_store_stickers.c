/* test_store_stickers.c: the store suite: stickers, their search, users and tokens, the outbox. */
#include "store_suite.h"

#include "sticker_store/sticker_admin.h"
#include "sticker_store/sticker_imports.h"
#include "sticker_store/sticker_internal.h"

static void adds_gets_updates_deletes(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct sticker_words words[] = {{"de", "Katze", NULL}, {"en", "cat, kitten", NULL}};
    struct sticker in = {.filename = "cat.png",
                         .title = "A cat",
                         .pack = "p",
                         .author = "a",
                         .license = "l",
                         .source = "https://example.org/",
                         .rating = RATING_PG_13,
                         .animated = true,
                         .sha256 = "ab",
                         .mime = "image/png",
                         .bytes = 5000000000,
                         .width = 512,
                         .height = 300,
                         .words = words,
                         .n_words = 2};
    struct sticker_terms terms = {.title = "cat", .words = "katz cat kitten", .filename = "cat", .folded = "cat katze"};
    int64_t before = os_now_us();
    assert_ok(s, sticker_store_add(store, &in, &terms, 1, &s->err));

    struct sticker out;
    assert_ok(s, sticker_store_get(store, "cat.png", &s->arena, &out, &s->err));
    assert_int_equal(strlen(out.id), 36);
    assert_string_equal(out.filename, "cat.png");
    assert_string_equal(out.title, "A cat");
    assert_string_equal(out.pack, "p");
    assert_string_equal(out.author, "a");
    assert_string_equal(out.license, "l");
    assert_string_equal(out.source, "https://example.org/");
    assert_int_equal(out.rating, RATING_PG_13);
    assert_true(out.animated);
    assert_string_equal(out.sha256, "ab");
    assert_string_equal(out.mime, "image/png");
    assert_int_equal(out.bytes, 5000000000);
    assert_int_equal(out.width, 512);
    assert_int_equal(out.height, 300);
    assert_int_equal(out.n_words, 2);
    assert_string_equal(out.words[0].language, "de");
    assert_string_equal(out.words[1].words, "cat, kitten");
    assert_true(out.created_us >= before && out.created_us <= os_now_us());

    struct sticker_words changed_words = {"en", "tiger", NULL};
    struct sticker changed = {.filename = "cat.png",
                              .title = "A tiger",
                              .pack = "p2",
                              .author = "a2",
                              .license = "l2",
                              .source = "s2",
                              .rating = RATING_R,
                              .words = &changed_words,
                              .n_words = 1};
    struct sticker_terms changed_terms = {.title = "tiger", .words = "tiger", .filename = "cat", .folded = "tiger"};
    assert_ok(s, sticker_store_update(store, &changed, &changed_terms, &s->err));
    struct sticker after;
    assert_ok(s, sticker_store_get(store, "cat.png", &s->arena, &after, &s->err));
    assert_string_equal(after.id, out.id);
    assert_string_equal(after.title, "A tiger");
    assert_string_equal(after.source, "s2");
    assert_int_equal(after.rating, RATING_R);
    assert_false(after.animated);
    assert_string_equal(after.sha256, "ab");
    assert_int_equal(after.n_words, 1);
    assert_int_equal(after.created_us, out.created_us);
    assert_true(after.modified_us > out.modified_us);

    changed.filename = "dog.png";
    assert_int_equal(sticker_store_update(store, &changed, &changed_terms, &s->err), ERR_NOT_FOUND);
    assert_non_null(strstr(s->err.message, "dog.png"));
    assert_int_equal(sticker_store_delete(store, "dog.png", &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_delete(store, "cat.png", &s->err));
    assert_int_equal(sticker_store_get(store, "cat.png", &s->arena, &out, &s->err), ERR_NOT_FOUND);
    sticker_store_close(store);
}

/* "language: title: words" of each list that the sticker has now, after a change to these lists. */
static const char *words_after(struct suite *s, struct sticker_store *store, const struct sticker_words *words,
                               size_t n)
{
    struct sticker k = {.filename = "cat.png",
                        .title = "A cat",
                        .pack = "p",
                        .author = "a",
                        .license = "l",
                        .source = "",
                        .words = words,
                        .n_words = n};
    struct sticker_terms terms = {.title = "", .words = "", .filename = "cat", .folded = ""};
    struct sticker out;
    const char *all = "";
    assert_ok(s, sticker_store_update(store, &k, &terms, &s->err));
    assert_ok(s, sticker_store_get(store, "cat.png", &s->arena, &out, &s->err));
    for (size_t i = 0; i < out.n_words; i++)
        all =
            arena_printf(&s->arena, "%s%s:%s:%s;", all, out.words[i].language, out.words[i].title, out.words[i].words);
    return all;
}

static int64_t changes_of_words(struct suite *s, struct sticker_store *store)
{
    int64_t n = 0;
    struct db_conn *c = db_reader(store->db);
    assert_ok(s, db_get_int(c, "SELECT value FROM word_changes", DB_NONE, &n, NULL, &s->err));
    db_reader_done(store->db, c);
    return n;
}

static enum status count_changes_of_words(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return db_script(c,
                     "CREATE TABLE word_changes AS SELECT 0 AS value;"
                     "CREATE TRIGGER word_added AFTER INSERT ON sticker_words BEGIN"
                     " UPDATE word_changes SET value = value + 1; END;"
                     "CREATE TRIGGER word_deleted AFTER DELETE ON sticker_words BEGIN"
                     " UPDATE word_changes SET value = value + 1; END;",
                     err);
}

static void writes_only_lists_that_changed(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct sticker_words three[] = {{"de", "Katze, Tier", "Eine Katze"}, {"en", "cat", NULL}, {"fr", "chat", NULL}};
    const char *before = "de:Eine Katze:Katze, Tier;en::cat;fr::chat;";
    suite_add(s, store, "cat.png", "A cat");
    assert_string_equal(words_after(s, store, three, 3), before);
    bool counted = !db_is_postgres_url(s->url);
    if (counted)
        assert_ok(s, sticker_write(store, count_changes_of_words, NULL, &s->err));
    assert_string_equal(words_after(s, store, three, 3), before);
    assert_true(!counted || changes_of_words(s, store) == 0);
    three[1].words = "cat, kitten";
    assert_string_equal(words_after(s, store, three, 3), "de:Eine Katze:Katze, Tier;en::cat, kitten;fr::chat;");
    assert_true(!counted || changes_of_words(s, store) == 2);
    three[0].title = "Die Katze";
    assert_string_equal(words_after(s, store, three, 2), "de:Die Katze:Katze, Tier;en::cat, kitten;");
    struct sticker_words again[] = {{"de", "Katze, Tier", "Die Katze"}, {"de", "Kater", NULL}};
    assert_string_equal(words_after(s, store, again, 2), "de:Die Katze:Katze, Tier, Kater;");
    assert_string_equal(words_after(s, store, again, 2), "de:Die Katze:Katze, Tier, Kater;");
    assert_string_equal(words_after(s, store, again, 0), "");
    sticker_store_close(store);
}

/* FTS5 writes what it has gathered once, at the end: a segment for the import, and not one for each of its stickers. */
static void an_import_writes_its_words_at_once(void **state)
{
    enum { STICKERS = 12 };
    static const struct admin_who ann = {.username = "ann", .address = "", .batch = "b1"};
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct sticker stickers[STICKERS];
    struct admin_change changes[STICKERS];
    struct sticker_words words = {.language = "de", .words = "Katze"};
    struct sticker_terms terms = {.title = "cat", .words = "", .filename = "", .folded = "cat"};
    for (int i = 0; i < STICKERS; i++) {
        stickers[i] = (struct sticker){.filename = arena_printf(&s->arena, "s%d.png", i),
                                       .title = "cat",
                                       .pack = "",
                                       .author = "",
                                       .license = "",
                                       .source = "",
                                       .sha256 = "00",
                                       .mime = "image/png",
                                       .words = &words,
                                       .n_words = 1};
        changes[i] = (struct admin_change){.op = CHANGE_ADD,
                                           .list = "stickers",
                                           .sticker = &stickers[i],
                                           .terms = &terms,
                                           .object = stickers[i].filename,
                                           .before = "",
                                           .after = "{}"};
    }
    size_t written;
    int64_t segments;
    assert_ok(s, sticker_store_import(store, &ann, "a folder", changes, STICKERS, &written, &s->err));
    assert_int_equal(written, STICKERS);
    if (!db_is_postgres_url(s->url)) {
        assert_ok(s, db_read_int(store->db, "SELECT count(DISTINCT segid) FROM stickers_fts_idx", DB_NONE, &segments,
                                 NULL, &s->err));
        assert_int_equal(segments, 1);
    }
    struct store_hit *hits;
    size_t n;
    int64_t total;
    const char *stem = "cat";
    assert_ok(s,
              sticker_store_search(store, ENGLISH(&stem, 1, NULL), NULL, 10, 0, &s->arena, &hits, &n, &total, &s->err));
    assert_int_equal(total, STICKERS);
    sticker_store_close(store);
}

static void a_conflict_adds_nothing(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "b.png", "b");
    struct sticker batch[3] = {{.filename = "a.png"}, {.filename = "b.png"}, {.filename = "c.png"}};
    struct sticker_terms terms[3];
    for (int i = 0; i < 3; i++) {
        batch[i].title = batch[i].pack = batch[i].author = batch[i].license = "";
        batch[i].source = batch[i].sha256 = batch[i].mime = "";
        terms[i] = (struct sticker_terms){"", "", "", "", NULL, 0};
    }
    assert_int_equal(sticker_store_add(store, batch, terms, 3, &s->err), ERR_CONFLICT);
    assert_non_null(strstr(s->err.message, "b.png"));
    int64_t stickers, queries, pending;
    assert_ok(s, sticker_store_count(store, &stickers, &queries, &pending, &s->err));
    assert_int_equal(stickers, 1);
    assert_int_equal(pending, 1);
    batch[1].filename = "../b.png";
    assert_int_equal(sticker_store_add(store, batch, terms, 3, &s->err), ERR_INVALID);
    sticker_store_close(store);
}

static const char *recalled_title(struct suite *s, struct sticker_store *store, const char *filename)
{
    const char *names[] = {filename, "none.png", filename};
    struct sticker out[3];
    assert_ok(s, sticker_store_recall(store, names, 3, &s->arena, out, &s->err));
    assert_null(out[1].filename);
    if (!out[0].filename || !out[2].filename)
        return NULL;
    assert_string_equal(out[0].filename, filename);
    assert_string_equal(out[2].title, out[0].title);
    assert_string_equal(out[0].mime, "image/png");
    assert_string_equal(out[0].license, "l");
    assert_int_equal(out[0].n_words, 0);
    if (out[2].shown)
        assert_string_equal(out[2].shown, out[2].title);
    return out[0].title;
}

static void retitle(struct suite *s, struct sticker_store *store, const char *title)
{
    struct sticker k = {
        .filename = "cat.png", .title = title, .pack = "p", .author = "a", .license = "l", .source = ""};
    struct sticker_terms terms = {.title = "", .words = "", .filename = "cat", .folded = ""};
    assert_ok(s, sticker_store_update(store, &k, &terms, &s->err));
}

static void show_title(const void *ctx, const struct sticker *k, struct buf *out)
{
    assert_non_null(ctx);
    buf_puts(out, k->title);
}

/* Stickers that are kept in memory are as this process left them at once, and as others did a moment later. */
static void recalls_what_is(void **state)
{
    struct suite *s = *state;
    struct sticker_store *ours = suite_stickers(s), *theirs = suite_stickers(s);
    char long_title[6000];
    memset(long_title, 'x', sizeof long_title - 1);
    long_title[sizeof long_title - 1] = '\0';
    const char *const cat = "cat.png";
    struct sticker kept;
    suite_add(s, ours, cat, "cat");
    sticker_store_show(ours, show_title, ours);
    retitle(s, ours, "one");
    for (int i = 0; i < 3; i++)
        assert_string_equal(recalled_title(s, ours, "cat.png"), "one");
    assert_ok(s, sticker_store_recall(ours, &cat, 1, &s->arena, &kept, &s->err));
    assert_string_equal(kept.shown, "one");
    retitle(s, ours, "two");
    assert_string_equal(recalled_title(s, ours, "cat.png"), "two");
    retitle(s, ours, long_title);
    for (int i = 0; i < 2; i++)
        assert_string_equal(recalled_title(s, ours, "cat.png"), long_title);
    retitle(s, ours, "");
    assert_string_equal(recalled_title(s, ours, "cat.png"), "");
    retitle(s, theirs, "three");
    int64_t until = os_monotonic_us() + 10000000;
    while (!*recalled_title(s, ours, "cat.png") && os_monotonic_us() < until)
        usleep(5000);
    assert_string_equal(recalled_title(s, ours, "cat.png"), "three");
    assert_ok(s, sticker_store_delete(theirs, "cat.png", &s->err));
    while (recalled_title(s, ours, "cat.png") && os_monotonic_us() < until)
        usleep(5000);
    assert_null(recalled_title(s, ours, "cat.png"));
    sticker_store_close(theirs);
    sticker_store_close(ours);
}

static void gets_many_and_lists(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    for (int i = 0; i < 25; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%02d.png", (i * 7) % 25);
        suite_add(s, store, name, "title");
    }
    const char *names[] = {"s20.png", "none.png", "s03.png", "s20.png"};
    struct sticker out[4];
    assert_ok(s, sticker_store_get_many(store, names, 4, &s->arena, out, &s->err));
    assert_string_equal(out[0].filename, "s20.png");
    assert_null(out[1].filename);
    assert_string_equal(out[2].filename, "s03.png");
    assert_string_equal(out[3].filename, "s20.png");
    assert_int_equal(out[0].n_words, 0);

    const char *after = "";
    int seen = 0;
    for (;;) {
        struct sticker *page;
        size_t n;
        assert_ok(s, sticker_store_list(store, after, 10, &s->arena, &page, &n, &s->err));
        if (n == 0)
            break;
        assert_true(n <= 10);
        for (size_t i = 0; i < n; i++, seen++) {
            assert_true(strcmp(after, page[i].filename) < 0);
            assert_int_equal(page[i].n_words, 1);
            after = page[i].filename;
        }
    }
    assert_int_equal(seen, 25);
    sticker_store_close(store);
}

static void an_answer_larger_than_the_arena_is_refused(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%02d.png", i);
        suite_add(s, store, name, "a title that takes some space");
    }
    struct arena small;
    arena_init(&small, 2000);
    struct sticker *page;
    size_t n;
    assert_int_equal(sticker_store_list(store, "", 50, &small, &page, &n, &s->err), ERR_NO_MEMORY);
    const char *stem = "title";
    struct store_hit *hits;
    int64_t total;
    arena_reset(&small);
    assert_int_equal(
        sticker_store_search(store, ENGLISH(&stem, 1, NULL), NULL, 50, 0, &small, &hits, &n, &total, &s->err),
        ERR_NO_MEMORY);
    arena_free(&small);
    assert_ok(s, sticker_store_list(store, "", 50, &s->arena, &page, &n, &s->err));
    assert_int_equal(n, 50);
    sticker_store_close(store);
}

static void text_in_images_is_kept(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct sticker out, in = {.filename = "a.png", .title = "A", .sha256 = "1"};
    const struct sticker_terms none = {"", "", "", "", NULL, 0}, some = {"", "", "a good morn", "", NULL, 0};
    int64_t stickers, queries, pending;
    struct outbox_item *items;
    size_t n;
    assert_ok(s, sticker_store_add(store, &in, &none, 1, &s->err));
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 9, &s->arena, &items, &n, &s->err));
    assert_ok(s, sticker_store_outbox_done(store, &items[0].seq, 1, &s->err));
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &out, &s->err));
    assert_string_equal(out.ocr_by, "");

    int64_t modified = out.modified_us;
    out.ocr_by = "eng";
    assert_ok(s, sticker_store_ocr(store, &out, &none, 1, &n, &s->err)); /* nothing new: nobody is told */
    assert_int_equal(n, 0);
    assert_ok(s, sticker_store_count(store, &stickers, &queries, &pending, &s->err));
    assert_int_equal(pending, 0);
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &out, &s->err));
    assert_string_equal(out.ocr_by, "eng");
    assert_int_equal(out.modified_us, modified);

    out.ocr_words = "good, morning";
    assert_ok(s, sticker_store_ocr(store, &out, &some, 1, &n, &s->err));
    assert_int_equal(n, 1);
    out.ocr_words = "other"; /* as it was before the last change */
    assert_ok(s, sticker_store_ocr(store, &out, &none, 1, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, sticker_store_count(store, &stickers, &queries, &pending, &s->err));
    assert_int_equal(pending, 1);
    assert_ok(s, sticker_store_image_is(store, "a.png", &(struct sticker){.sha256 = "2"}, &s->err));
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &out, &s->err));
    assert_string_equal(out.ocr_words, "good, morning"); /* until the new image is read, */
    assert_string_equal(out.ocr_by, "");                 /* as it shall be */
    sticker_store_close(store);
}

static void checks_filenames(void **state)
{
    struct suite *s = *state;
    char longest[257];
    memset(longest, 'a', 256);
    longest[256] = '\0';
    static const char *const bad[] = {"",          "a/b",          "/",     "a\\b",        "..",
                                      ".hidden",   "a\nb",         "a\x7f", "\xc2\x85",    "\xff",
                                      "a\xc0\xaf", "\xed\xa0\x80", "x\x01", "\xe2\x80\xa8"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (filename_check(bad[i], &s->err) != ERR_INVALID)
            fail_msg("bad filename %zu was accepted", i);
    assert_int_equal(filename_check(longest, &s->err), ERR_INVALID);
    longest[255] = '\0';
    assert_ok(s, filename_check(longest, &s->err));
    assert_ok(s, filename_check("Katze im Park 🐱 (1).png", &s->err));
    assert_ok(s, filename_check("'; DROP TABLE stickers; --", &s->err));
}

static void find(struct suite *s, struct sticker_store *store, const char *stem, const char *prefix, const char *expect)
{
    struct store_hit *hits;
    size_t n;
    int64_t total;
    char got[256] = "";
    assert_ok(s, sticker_store_search(store, ENGLISH(&stem, stem ? 1 : 0, prefix), NULL, 10, 0, &s->arena, &hits, &n,
                                      &total, &s->err));
    for (size_t i = 0; i < n; i++) {
        strcat(got, i ? " " : "");
        strcat(got, hits[i].filename);
        assert_true(i == 0 || hits[i].score <= hits[i - 1].score);
    }
    assert_string_equal(got, expect);
    assert_int_equal(total, n);
}

static void searches_its_own_words(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    suite_add(s, store, "dog.png", "dog park");
    suite_add(s, store, "category.png", "category");
    suite_add(s, store, "cat.png", "cat park");
    suite_add(s, store, "both.png", "both");
    suite_add(s, store, "other.png", "other");
    suite_add(s, store, "another.png", "other");
    find(s, store, "cat", "cat", "cat.png category.png"); /* whole words before prefixes */
    find(s, store, "cat", NULL, "cat.png");
    find(s, store, "park", NULL, "cat.png dog.png"); /* ties by filename */
    find(s, store, "other", NULL, "another.png other.png");
    find(s, store, NULL, "do", "dog.png");
    find(s, store, NULL, NULL, "");
    find(s, store, "none", "none", "");
    assert_ok(s, sticker_store_delete(store, "cat.png", &s->err));
    find(s, store, "cat", "cat", "category.png");
    sticker_store_close(store);
}

static void users_and_tokens(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct user ann = {.username = "ann", .password_hash = "h1", .is_staff = true, .is_active = true};
    struct user bob = {.username = "bob", .password_hash = "h2", .is_superuser = true};
    assert_ok(s, sticker_store_user_add(store, &bob, &s->err));
    assert_ok(s, sticker_store_user_add(store, &ann, &s->err));
    assert_int_equal(sticker_store_user_add(store, &ann, &s->err), ERR_CONFLICT);
    assert_non_null(strstr(s->err.message, "ann"));
    struct user bad = {.username = "", .password_hash = ""};
    assert_int_equal(sticker_store_user_add(store, &bad, &s->err), ERR_INVALID);
    bad.username = "a\nb";
    assert_int_equal(sticker_store_user_add(store, &bad, &s->err), ERR_INVALID);

    struct user got, *all;
    size_t n;
    assert_ok(s, sticker_store_user_get(store, "ann", &s->arena, &got, &s->err));
    assert_true(got.is_staff && got.is_active && !got.is_superuser);
    assert_string_equal(got.password_hash, "h1");
    assert_int_equal(sticker_store_user_get(store, "eve", &s->arena, &got, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_user_passwd(store, "ann", "h3", "", &s->err));
    assert_int_equal(sticker_store_user_passwd(store, "eve", "h3", "", &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_user_list(store, &s->arena, &all, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(all[0].username, "ann");
    assert_string_equal(all[0].password_hash, "h3");

    assert_ok(s, sticker_store_token_add(store, "ann", "laptop", "aa11", 0, &s->err));
    assert_ok(s, sticker_store_token_add(store, "ann", "", "aa22", 0, &s->err));
    assert_ok(s, sticker_store_token_add(store, "bob", "", "bb11", 0, &s->err));
    assert_int_equal(sticker_store_token_add(store, "eve", "", "ee11", 0, &s->err), ERR_NOT_FOUND);
    assert_int_equal(sticker_store_token_add(store, "bob", "", "aa11", 0, &s->err), ERR_CONFLICT);
    assert_ok(s, sticker_store_token_user(store, "aa11", &s->arena, &got, &s->err));
    assert_string_equal(got.username, "ann");
    assert_int_equal(sticker_store_token_user(store, "zz", &s->arena, &got, &s->err), ERR_NOT_FOUND);
    struct token *tokens;
    assert_ok(s, sticker_store_token_list(store, &s->arena, &tokens, &n, &s->err));
    assert_int_equal(n, 3);
    assert_string_equal(tokens[0].label, "laptop");
    assert_true(tokens[0].last_used_us >= tokens[0].created_us);
    assert_int_equal(tokens[1].last_used_us, 0);
    assert_ok(s, sticker_store_token_revoke(store, tokens[0].id, &s->err));
    assert_int_equal(sticker_store_token_revoke(store, tokens[0].id, &s->err), ERR_NOT_FOUND);
    assert_int_equal(sticker_store_token_user(store, "aa11", &s->arena, &got, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_user_delete(store, "ann", &s->err));
    assert_int_equal(sticker_store_user_delete(store, "ann", &s->err), ERR_NOT_FOUND);
    assert_int_equal(sticker_store_token_user(store, "aa22", &s->arena, &got, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_token_user(store, "bb11", &s->arena, &got, &s->err));
    sticker_store_close(store);
}

static void keys_of_apps(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct app_key *keys;
    size_t n;
    assert_ok(s, sticker_store_app_key_add(store, "shop", "aa", 60, &s->err));
    assert_ok(s, sticker_store_app_key_add(store, "app", "bb", 0, &s->err));
    assert_int_equal(sticker_store_app_key_add(store, "shop", "cc", 0, &s->err), ERR_CONFLICT);
    assert_non_null(strstr(s->err.message, "\"shop\""));
    assert_int_equal(sticker_store_app_key_add(store, "", "dd", 0, &s->err), ERR_INVALID);
    const struct app_key used[] = {{.name = "shop", .requests = 5, .last_used_us = 7}, {.name = "gone", .requests = 1}};
    assert_ok(s, sticker_store_app_key_used(store, used, 2, &s->err));
    assert_ok(s, sticker_store_app_key_used(store, used, 1, &s->err));
    assert_ok(s, sticker_store_app_key_list(store, &s->arena, &keys, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(keys[0].name, "app");
    assert_int_equal(keys[0].requests, 0);
    assert_true(keys[1].requests == 10 && keys[1].last_used_us == 7 && keys[1].per_minute == 60);
    assert_string_equal(keys[1].hash_hex, "aa");
    assert_ok(s, sticker_store_app_key_delete(store, "shop", &s->err));
    assert_int_equal(sticker_store_app_key_delete(store, "shop", &s->err), ERR_NOT_FOUND);
    sticker_store_close(store);
}

static const char *one_op(struct suite *s, struct sticker_store *store, int64_t now_us)
{
    struct outbox_item *items;
    size_t n;
    assert_ok(s, sticker_store_outbox_next(store, now_us, 10, &s->arena, &items, &n, &s->err));
    assert_true(n <= 1);
    return n ? items[0].op : "nothing";
}

static void an_image_that_is_being_replaced_is_looked_at(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    int64_t now = os_now_us(), later = now + 10000000;
    suite_add(s, store, "a.png", "a");
    assert_ok(s, sticker_store_image_begins(store, "a.png", later, &s->err));
    assert_string_equal(one_op(s, store, now), "nothing"); /* the row may still be changed */
    assert_string_equal(one_op(s, store, later), "image");
    assert_ok(s, sticker_store_outbox_refill(store, &s->err)); /* which does not replace it, but is due at once */
    assert_string_equal(one_op(s, store, now), "image");

    struct sticker image = {.sha256 = "33", .mime = "image/gif", .bytes = 9, .width = 3, .height = 2, .animated = true};
    struct sticker found;
    assert_ok(s, sticker_store_image_is(store, "a.png", &image, &s->err));
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &found, &s->err));
    assert_string_equal(found.sha256, "33");
    assert_int_equal(found.bytes, 9);
    assert_string_equal(found.title, "a");
    assert_int_equal(sticker_store_image_is(store, "gone.png", &image, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_delete(store, "a.png", &s->err));
    assert_string_equal(one_op(s, store, now), "delete");
    sticker_store_close(store);
}

static void the_outbox_keeps_the_newest_entry(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct outbox_item *items;
    size_t n;
    suite_add(s, store, "a.png", "a");
    suite_add(s, store, "b.png", "b");
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(items[0].filename, "a.png");
    assert_string_equal(items[0].op, "put");
    int64_t first = items[0].seq, both[] = {items[0].seq, items[1].seq};

    /* a.png changes while its first entry is on its way: done must not tick off the newer one */
    assert_ok(s, sticker_store_delete(store, "a.png", &s->err));
    assert_ok(s, sticker_store_outbox_done(store, both, 2, &s->err));
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(items[0].op, "delete");
    assert_true(items[0].seq > first && items[0].seq > both[1]);

    /* a put, and a refill, leave what is to be encoded anew */
    struct admin_change again = {
        .op = CHANGE_REINDEX, .list = "stickers", .id = "b.png", .object = "b.png", .before = "", .after = ""};
    const struct admin_who who = {.username = "admin", .address = "127.0.0.1"};
    assert_ok(s, sticker_store_change(store, &who, &again, 1, &s->err));
    assert_ok(s, sticker_store_outbox_refill(store, &s->err));
    again.op = CHANGE_PICTURE;
    again.sticker = &(struct sticker){
        .sha256 = "22", .mime = "image/gif", .bytes = 1, .width = 1, .height = 1, .animated = true, .rating = RATING_R};
    assert_ok(s, sticker_store_change(store, &who, &again, 1, &s->err));
    struct sticker now_moves;
    assert_ok(s, sticker_store_get(store, "b.png", &s->arena, &now_moves, &s->err));
    assert_string_equal(now_moves.mime, "image/gif");
    assert_true(now_moves.animated);              /* its image says so, */
    assert_int_equal(now_moves.rating, RATING_G); /* which says nothing of this */
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(items[1].op, "reindex");
    assert_string_equal(items[1].filename, "b.png");
    assert_ok(s, sticker_store_outbox_done(store, &items[1].seq, 1, &s->err));

    int64_t now = os_now_us();
    assert_ok(s, sticker_store_outbox_failed(store, items[0].seq, "503", now + 1000000, &s->err));
    assert_ok(s, sticker_store_outbox_next(store, now, 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(s, sticker_store_outbox_next(store, now + 1000000, 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 1);
    assert_int_equal(items[0].attempts, 1);
    assert_string_equal(items[0].last_error, "503");
    int64_t last = items[0].seq;
    assert_ok(s, sticker_store_outbox_done(store, &last, 1, &s->err));

    /* numbers are not used again, even when the outbox was empty and the store closed */
    sticker_store_close(store);
    store = suite_stickers(s);
    suite_add(s, store, "c.png", "c");
    assert_ok(s, sticker_store_outbox_refill(store, &s->err));
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(items[0].filename, "b.png");
    assert_string_equal(items[1].filename, "c.png");
    assert_true(items[0].seq > last);
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 1, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 1);
    int64_t stickers, queries, pending;
    assert_ok(s, sticker_store_count(store, &stickers, &queries, &pending, &s->err));
    assert_int_equal(pending, 2);
    sticker_store_close(store);
}

static bool turn(struct suite *s, struct sticker_store *store, const char *holder, int64_t for_us)
{
    bool ours;
    assert_ok(s, sticker_store_outbox_turn(store, OUTBOX_SEARCH, holder, for_us, &ours, &s->err));
    return ours;
}

static void one_delivers_at_a_time(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    assert_true(turn(s, store, "a", 60000000));
    assert_false(turn(s, store, "b", 60000000));
    assert_true(turn(s, store, "a", 60000000));
    assert_true(turn(s, store, "a", 0)); /* back */
    assert_true(turn(s, store, "b", 20000));
    assert_false(turn(s, store, "a", 60000000));
    for (int i = 0; i < 500 && !turn(s, store, "a", 60000000); i++) /* b is dead: its turn ends by itself */
        usleep(10000);
    assert_false(turn(s, store, "b", 1));
    assert_true(turn(s, store, "a", 86400000000)); /* a clock that was a day ahead */
    assert_true(turn(s, store, "b", 1));
    sticker_store_close(store);
}

static void tells_its_version_without_a_change(void **state)
{
    struct suite *s = *state;
    int64_t version = 0, known = 0;
    assert_int_not_equal(sticker_store_inspect(s->url, &version, &known, &s->err),
                         OK); /* there is none, and none is made */
    assert_int_not_equal(sticker_store_inspect(s->url, &version, &known, &s->err), OK);
    sticker_store_close(suite_stickers(s));
    assert_ok(s, sticker_store_inspect(s->url, &version, &known, &s->err));
    assert_true(version > 1);
    assert_int_equal(version, known);
    assert_int_equal(search_store_inspect(s->url, &version, &known, &s->err), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.message, "is not a search database"));
}

static void refuses_urls_it_does_not_know(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store;
    struct search_store *search;
    assert_int_equal(sticker_store_open("mysql://secret@host/db", 1, &store, &s->err), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.message, "mysql"));
    assert_null(strstr(s->err.message, "secret"));
    assert_int_equal(search_store_open("mysql://host/db", 1, &search, &s->err), ERR_UNSUPPORTED);
    assert_int_equal(sticker_store_open("", 1, &store, &s->err), ERR_INVALID);
    assert_int_equal(sticker_store_open(s->url, 0, &store, &s->err), ERR_INVALID);
    assert_int_equal(sticker_store_open(s->url, 65, &store, &s->err), ERR_INVALID);
    sticker_store_close(NULL);
    search_store_close(NULL);
}

static void a_search_of_its_own_words_is_filtered(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const char *stem = "cat";
    struct sticker_terms terms[4];
    struct sticker stickers[4];
    for (int i = 0; i < 4; i++) {
        terms[i] = (struct sticker_terms){"cat", "", "", "cat", NULL, 0};
        stickers[i] = (struct sticker){.filename = arena_printf(&s->arena, "%d.png", i),
                                       .title = "cat",
                                       .pack = i % 2 ? "odd" : "even",
                                       .rating = (enum rating)i,
                                       .animated = i < 2};
    }
    assert_ok(s, sticker_store_add(store, stickers, terms, 4, &s->err));
    static const struct {
        struct sticker_filter filter;
        const char *found;
    } cases[] = {{{NULL, RATING_R, ANIMATED_ANY}, "0.png 1.png 2.png 3.png "},
                 {{"odd", RATING_R, ANIMATED_ANY}, "1.png 3.png "},
                 {{"", RATING_PG, ANIMATED_ANY}, "0.png 1.png "},
                 {{"even", RATING_PG_13, ANIMATED_NO}, "2.png "},
                 {{NULL, RATING_R, ANIMATED_YES}, "0.png 1.png "},
                 {{"even", RATING_G, ANIMATED_NO}, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct store_hit *hits;
        size_t n;
        int64_t total;
        char found[100] = "";
        assert_ok(s, sticker_store_search(store, ENGLISH(&stem, 1, NULL), &cases[i].filter, 10, 0, &s->arena, &hits, &n,
                                          &total, &s->err));
        for (size_t k = 0; k < n; k++)
            strcat(strcat(found, hits[k].filename), " ");
        assert_string_equal(found, cases[i].found);
        assert_int_equal(total, n);
    }
    sticker_store_close(store);
}

static enum status add_two_as_before(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    enum status st = OK;
    for (int i = 0; i < 2 && st == OK; i++)
        st = db_run(
            c,
            "INSERT INTO stickers (id, filename, title, pack, author, license, source, sha256, mime, bytes,"
            " width, height, created_us, modified_us) VALUES ($1, $1, '', 'p', '', '', '', '', '', 1, 1, 1, 5, 6)",
            DB_ARGS(DB_TEXT(i ? "b" : "a")), NULL, err);
    return st == OK ? sticker_outbox_queue(c, "reindex", "b", err) : st;
}

/* From the version before ratings: everything is sent to SearchService again, and what waited waits as it did. */
static void older_stickers_are_for_all_and_still(void **state)
{
    struct suite *s = *state;
    struct db_schema before = db_is_postgres_url(s->url) ? sticker_schema_postgres : sticker_schema_sqlite;
    struct db *d;
    struct sticker *page;
    struct outbox_item *items;
    size_t n;
    before.count = db_is_postgres_url(s->url) ? 5 : 7;
    assert_ok(s, db_open(s->url, 1, &before, &d, &s->err));
    assert_ok(s, db_write(d, DB_DURABLE, add_two_as_before, NULL, &s->err));
    db_close(d);
    struct sticker_store *store = suite_stickers(s);
    assert_ok(s, sticker_store_list(store, "", 10, &s->arena, &page, &n, &s->err));
    assert_int_equal(n, 2);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(page[i].pack, "p");
        assert_int_equal(page[i].rating, RATING_G);
        assert_false(page[i].animated);
        assert_int_equal(page[i].modified_us, 6);
    }
    assert_ok(s, sticker_store_outbox_next(store, os_now_us(), 10, &s->arena, &items, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(items[0].filename, "b");
    assert_string_equal(items[0].op, "reindex");
    assert_string_equal(items[1].filename, "a");
    assert_string_equal(items[1].op, "put");
    int64_t oldest;
    assert_ok(s, sticker_store_outbox_oldest(store, &oldest, &s->err));
    assert_true(oldest > os_now_us() - 600000000);
    sticker_store_close(store);
}

/* A sticker with a title and words of its own in each of some languages. */
static void add_named(struct suite *s, struct sticker_store *store, const char *filename, const char *pack,
                      const struct sticker_words *words, size_t n)
{
    struct sticker sticker = blank_sticker(filename);
    sticker.title = filename;
    sticker.pack = pack;
    sticker.words = words;
    sticker.n_words = n;
    sticker.animated = n > 1;
    sticker.rating = n > 1 ? RATING_PG : RATING_G;
    struct sticker_terms terms = {.title = filename, .words = "", .filename = "", .folded = filename};
    assert_ok(s, sticker_store_add(store, &sticker, &terms, 1, &s->err));
}

static void titles_in_the_readers_language(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const struct sticker_words words[] = {{"de", "Katze", "Die Katze"},   {"pt", "gato", "O gato"},
                                          {"pt-PT", "gato", "O gatinho"}, {"zh", "猫", "猫"},
                                          {"zh-Hant", "貓", "貓"},        {"fr", "chat", NULL}};
    add_named(s, store, "cat.png", "a", words, sizeof words / sizeof *words);
    suite_add(s, store, "dog.png", "dog");
    static const struct {
        const char *tag, *title;
    } cases[] = {{"de", "Die Katze"},    {"de-AT", "Die Katze"}, {"pt", "O gato"}, {"pt-BR", "O gato"},
                 {"pt-PT", "O gatinho"}, {"zh", "猫"},           {"zh-TW", "貓"},  {"zh-Hant", "貓"},
                 {"fr", NULL},           {"it", NULL},           {"en", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *names[] = {"dog.png", "cat.png", "none.png", "cat.png"}, *titles[4];
        assert_ok(s, sticker_store_titles(store, names, 4, cases[i].tag, &s->arena, titles, &s->err));
        assert_null(titles[0]);
        assert_null(titles[2]);
        for (size_t k = 1; k < 4; k += 2)
            if (cases[i].title)
                assert_string_equal(titles[k], cases[i].title);
            else
                assert_null(titles[k]);
    }
    sticker_store_close(store);
}

/* Each at most once, all when all are wanted, the same for the same seed, and none that the filter refuses. */
static void stickers_are_drawn(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct sticker_filter all = STICKER_FILTER_NONE, large = all, none = all;
    const char **names, **again;
    size_t n, n_again;
    char name[16];
    large.pack = "large";
    none.pack = "no such pack";
    assert_ok(s, sticker_store_draw(store, &all, 1, 0, 10, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 0);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%02d.png", i);
        add_named(s, store, name, i % 20 == 0 ? "large" : "small", NULL, 0);
    }
    assert_ok(s, sticker_store_draw(store, &all, 7, 0, 20, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 20);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(names[i], names[k]);
    assert_ok(s, sticker_store_draw(store, &all, 7, 5, 15, &s->arena, &again, &n_again, &s->err));
    assert_int_equal(n_again, 15);
    for (size_t i = 0; i < n_again; i++)
        assert_string_equal(again[i], names[i + 5]);
    assert_ok(s, sticker_store_draw(store, &all, 8, 0, 20, &s->arena, &again, &n_again, &s->err));
    bool same = true;
    for (size_t i = 0; i < n; i++)
        same = same && strcmp(again[i], names[i]) == 0;
    assert_false(same);
    assert_ok(s, sticker_store_draw(store, &large, 7, 0, 20, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 2);
    assert_ok(s, sticker_store_draw(store, &none, 7, 0, 20, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 0);
    sticker_store_close(store);
}

static const char *page_of_pack(struct suite *s, struct sticker_store *store, const char *pack, int64_t *after)
{
    struct sticker_filter filter = STICKER_FILTER_NONE;
    const char **page;
    size_t n;
    filter.pack = pack;
    assert_ok(s, sticker_store_pack_page(store, &filter, after, 1, &s->arena, &page, &n, &s->err));
    return n ? page[0] : "";
}

static enum status change_pack(struct suite *s, struct sticker_store *store, const char *pack, int64_t seen,
                               const struct admin_pair *fields, size_t n)
{
    const struct admin_who ann = {.username = "ann", .address = "::1"};
    const struct admin_change change = {.op = CHANGE_UPDATE,
                                        .list = "packs",
                                        .id = pack,
                                        .seen_us = seen,
                                        .fields = fields,
                                        .n_fields = n,
                                        .object = pack,
                                        .before = "",
                                        .after = ""};
    return sticker_store_change(store, &ann, &change, 1, &s->err);
}

static void packs_have_titles_and_an_order(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    struct pack_row pack;
    struct pack_credits by;
    struct sticker k;
    const char **order;
    size_t n;
    int64_t after = 0;
    static const char *const as_added[] = {"a.png", "b.png", "c.png", "d.png"}, *const in_order[] = {"d.png", "a.png",
                                                                                                     "b.png", "c.png"};
    const struct sticker_terms none = {"", "", "", "", NULL, 0};
    for (int i = 0; i < 4; i++)
        add_named(s, store, as_added[i], "pets", NULL, 0);
    assert_ok(s, sticker_store_pack(store, "pets", &s->arena, &pack, &by, &s->err));
    assert_string_equal(pack_title(&pack.about), "pets");
    assert_int_equal(pack.modified_us, 0);
    const struct pack_about known[] = {{"pets", "Pets!", "Ann", "CC0-1.0", "https://a.example", "c.png"},
                                       {"gone", "Gone", "", "", "", ""}};
    assert_ok(s, sticker_store_packs_about(store, known, 2, &s->err));
    assert_ok(s, sticker_store_pack(store, "pets", &s->arena, &pack, &by, &s->err));
    assert_string_equal(pack_title(&pack.about), "Pets!");
    assert_string_equal(pack_author(&pack, &by), "Ann");
    assert_string_equal(pack.cover, "c.png");
    const struct pack_about other = {"pets", "Others", "", "", "", ""};
    assert_ok(s, sticker_store_packs_about(store, &other, 1, &s->err)); /* what is said stays */

    const struct admin_pair fields[] = {{"title", "Tame"},    {"author", "Bob"},    {"cover", "none.png"},
                                        {"sticker", "d.png"}, {"sticker", "a.png"}, {"sticker", "none.png"}};
    assert_int_equal(change_pack(s, store, "pets", 7, fields, 6), ERR_CONFLICT);
    assert_ok(s, change_pack(s, store, "pets", pack.modified_us, fields, 6));
    assert_ok(s, sticker_store_pack(store, "pets", &s->arena, &pack, &by, &s->err));
    assert_string_equal(pack.about.title, "Tame");
    assert_string_equal(pack.about.license, "");
    assert_string_equal(pack.cover, "a.png"); /* the chosen one is not in the pack */
    for (int i = 0; i < 4; i++)
        assert_string_equal(page_of_pack(s, store, "pets", &after), in_order[i]);
    assert_int_equal(after, 0);

    /* A sticker keeps its place when it is changed, and when it comes back from the trash. */
    assert_ok(s, sticker_store_get(store, "d.png", &s->arena, &k, &s->err));
    k.title = "D";
    assert_ok(s, sticker_store_update(store, &k, &none, &s->err));
    assert_ok(s, sticker_store_delete(store, "d.png", &s->err));
    assert_ok(s, sticker_store_trash_get(store, "d.png", &s->arena, &k, &s->err));
    assert_ok(s, sticker_store_change(store, &(struct admin_who){"ann", "::1", NULL},
                                      &(struct admin_change){.op = CHANGE_RESTORE,
                                                             .list = "trash",
                                                             .id = "d.png",
                                                             .sticker = &k,
                                                             .terms = &none,
                                                             .object = "d.png",
                                                             .before = "",
                                                             .after = ""},
                                      1, &s->err));
    assert_ok(s, sticker_store_pack_order(store, "pets", &s->arena, &order, &n, &s->err));
    assert_int_equal(n, 4);
    assert_string_equal(order[0], "d.png");

    /* A pack takes its title along; one that is gone for good is forgotten. */
    assert_ok(s, change_pack(s, store, "pets", 0, &(struct admin_pair){"name", "zoo"}, 1));
    add_named(s, store, "z.png", "zoo", NULL, 0);
    assert_ok(s, sticker_store_pack(store, "zoo", &s->arena, &pack, &by, &s->err));
    assert_string_equal(pack.about.title, "Tame");
    assert_ok(s, sticker_store_delete(store, "z.png", &s->err));
    assert_ok(s, sticker_store_trash_due(store, INT64_MAX, 9, &s->arena, &order, &n, &s->err));
    assert_ok(s, sticker_store_trash_gone(store, "z.png", &s->err));
    add_named(s, store, "y.png", "zoo", NULL, 0);
    assert_ok(s, sticker_store_pack(store, "zoo", &s->arena, &pack, &by, &s->err));
    assert_string_equal(pack_title(&pack.about), "zoo");
    sticker_store_close(store);
}

static void names_packs_and_popular_queries(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    int64_t modified = -1, after = 0;
    struct sticker_name *names;
    struct pack_row *packs;
    const char **popular;
    size_t n;
    assert_ok(s, sticker_store_modified(store, &modified, &s->err));
    assert_int_equal(modified, 0);
    assert_ok(s, sticker_store_packs(store, 10, &s->arena, &packs, &n, &s->err));
    assert_int_equal(n, 0);

    const struct sticker_words words[] = {{"de", "Katze, Kater", "Die Katze"}, {"en", "cat, kitten", NULL}};
    add_named(s, store, "1.png", "small", words, 2);
    add_named(s, store, "2.png", "large", words, 1);
    add_named(s, store, "3.png", "large", NULL, 0);
    assert_ok(s, sticker_store_modified(store, &modified, &s->err));
    assert_true(modified > os_now_us() - 600000000);
    assert_ok(s, sticker_store_names(store, "en", &after, 2, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(names[0].title, "1.png");
    assert_string_equal(names[0].words, "cat, kitten");
    assert_string_equal(names[1].words, "");
    assert_ok(s, sticker_store_names(store, "en", &after, 2, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(names[0].title, "3.png");
    assert_ok(s, sticker_store_names(store, "en", &after, 2, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 0);
    after = 0;
    assert_ok(s, sticker_store_names(store, "de", &after, 9, &s->arena, &names, &n, &s->err));
    assert_int_equal(n, 3);
    assert_string_equal(names[1].title, "Die Katze");
    assert_string_equal(names[1].words, "Katze, Kater");
    assert_string_equal(names[2].title, "");

    assert_ok(s, sticker_store_packs(store, 10, &s->arena, &packs, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(packs[0].about.name, "large");
    assert_int_equal(packs[0].stickers, 2);
    assert_int_equal(packs[0].animated, 0);
    assert_int_equal(packs[0].rating_most, RATING_G);
    assert_string_equal(packs[0].cover, "2.png");
    assert_string_equal(packs[1].about.name, "small");
    assert_int_equal(packs[1].animated, 1);
    assert_int_equal(packs[1].rating_most, RATING_PG);
    assert_ok(s, sticker_store_packs(store, 1, &s->arena, &packs, &n, &s->err));
    assert_int_equal(n, 1);

    struct pack_row pack;
    struct pack_credits credits;
    const char **page;
    struct sticker_filter filter = STICKER_FILTER_NONE;
    filter.pack = "large";
    assert_ok(s, sticker_store_pack(store, "large", &s->arena, &pack, &credits, &s->err));
    assert_string_equal(pack.about.name, "large");
    assert_int_equal(pack.stickers, 2);
    assert_int_equal(pack.positives, 0);
    assert_string_equal(pack.cover, "2.png");
    assert_int_equal(sticker_store_pack(store, "none", &s->arena, &pack, &credits, &s->err), ERR_NOT_FOUND);
    after = 0;
    assert_ok(s, sticker_store_pack_page(store, &filter, &after, 1, &s->arena, &page, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(page[0], "2.png");
    assert_true(after > 0);
    assert_ok(s, sticker_store_pack_page(store, &filter, &after, 1, &s->arena, &page, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(page[0], "3.png");
    assert_int_equal(after, 0);
    filter.animated = ANIMATED_YES;
    assert_ok(s, sticker_store_pack_page(store, &filter, &after, 5, &s->arena, &page, &n, &s->err));
    assert_int_equal(n, 0);

    const struct query_usage searches[] = {{.query = "rare", .searches = 2},
                                           {.query = "cat", .searches = 7, .empty = 1},
                                           {.query = "dog", .searches = 9},
                                           {.query = "nothing", .searches = 50, .empty = 49}};
    assert_ok(s, sticker_store_usage_add(store, searches, 4, &s->err));
    assert_ok(s, sticker_store_popular(store, 2, 0, os_now_us(), 10, &s->arena, &popular, &n, &s->err));
    assert_int_equal(n, 2);
    assert_string_equal(popular[0], "dog");
    assert_string_equal(popular[1], "cat");
    /* A half-life later each counts half: 4.5 and 3. A clock that was ahead is no popularity. */
    assert_ok(s,
              sticker_store_popular(store, 4, 0, os_now_us() + STORE_TREND_US, 10, &s->arena, &popular, &n, &s->err));
    assert_int_equal(n, 1);
    assert_ok(
        s, sticker_store_popular(store, 2, 0, os_now_us() + 3 * STORE_TREND_US, 10, &s->arena, &popular, &n, &s->err));
    assert_int_equal(n, 0);
    assert_ok(
        s, sticker_store_popular(store, 2, 0, os_now_us() - 3 * STORE_TREND_US, 10, &s->arena, &popular, &n, &s->err));
    assert_int_equal(n, 0);
    sticker_store_close(store);
}

/* What was deleted comes back as it was, with words and votes; a new sticker of the name takes its place for good. */
static void the_trash_keeps_what_was_deleted(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const struct admin_who who = {.username = "admin", .address = "127.0.0.1"};
    const char *names[] = {"a.png"}, **failed;
    struct feedback_entry vote = {.query = "an a", .positive = names, .n_positive = 1};
    size_t n;
    suite_add(s, store, "a.png", "apple");
    assert_ok(s, sticker_store_query_ensure(store, "an a", &s->err));
    assert_ok(s, sticker_store_feedback(store, &vote, 1, &s->arena, &failed, &n, &s->err));
    struct sticker before, kept, after;
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &before, &s->err));
    assert_ok(s, sticker_store_delete(store, "a.png", &s->err));
    assert_ok(s, sticker_store_trash_get(store, "a.png", &s->arena, &kept, &s->err));
    assert_int_equal(sticker_store_trash_get(store, "b.png", &s->arena, &after, &s->err), ERR_NOT_FOUND);
    assert_string_equal(kept.title, before.title);
    assert_int_equal(kept.n_words, before.n_words);

    struct sticker_terms terms = {.title = "a", .words = "apple", .filename = "a", .folded = "apple"};
    struct admin_change restore = {.op = CHANGE_RESTORE,
                                   .list = "trash",
                                   .id = "a.png",
                                   .sticker = &kept,
                                   .terms = &terms,
                                   .object = "a.png",
                                   .before = "",
                                   .after = ""};
    assert_ok(s, sticker_store_change(store, &who, &restore, 1, &s->err));
    assert_ok(s, sticker_store_get(store, "a.png", &s->arena, &after, &s->err));
    assert_int_equal(after.created_us, before.created_us);
    assert_int_equal(after.n_words, before.n_words);
    struct score_row *scores;
    int64_t usage;
    assert_ok(s, sticker_store_analytics(store, "an a", &s->arena, &usage, &scores, &n, &s->err));
    assert_int_equal(n, 1);
    assert_int_equal(scores[0].positives, 1);
    assert_int_equal(sticker_store_change(store, &who, &restore, 1, &s->err), ERR_NOT_FOUND);

    assert_ok(s, sticker_store_delete(store, "a.png", &s->err));
    suite_add(s, store, "a.png", "another");
    assert_int_equal(sticker_store_trash_get(store, "a.png", &s->arena, &kept, &s->err), ERR_NOT_FOUND);
    sticker_store_close(store);
}

/* What is due is marked, and cannot be restored; its row goes after its image. */
static void the_trash_is_emptied(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store = suite_stickers(s);
    const struct admin_who who = {.username = "admin", .address = "127.0.0.1"};
    const char **due;
    size_t n;
    struct sticker kept;
    struct sticker_terms terms = {.title = "a", .words = "a", .filename = "a", .folded = "a"};
    for (char name[] = "a.png"; name[0] <= 'c'; name[0]++) {
        suite_add(s, store, name, "word");
        assert_ok(s, sticker_store_delete(store, name, &s->err));
    }
    assert_ok(s, sticker_store_trash_due(store, os_now_us() - 1000000000, 10, &s->arena, &due, &n, &s->err));
    assert_int_equal(n, 0);
    struct admin_change purge = {
        .op = CHANGE_DELETE, .list = "trash", .id = "b.png", .object = "b.png", .before = "", .after = ""};
    assert_ok(s, sticker_store_change(store, &who, &purge, 1, &s->err));
    assert_ok(s, sticker_store_trash_due(store, 0, 10, &s->arena, &due, &n, &s->err));
    assert_int_equal(n, 1);
    assert_string_equal(due[0], "b.png");
    assert_ok(s, sticker_store_trash_get(store, "b.png", &s->arena, &kept, &s->err));
    struct admin_change restore = {.op = CHANGE_RESTORE,
                                   .list = "trash",
                                   .id = "b.png",
                                   .sticker = &kept,
                                   .terms = &terms,
                                   .object = "b.png",
                                   .before = "",
                                   .after = ""};
    assert_int_equal(sticker_store_change(store, &who, &restore, 1, &s->err), ERR_NOT_FOUND);
    assert_ok(s, sticker_store_trash_gone(store, "b.png", &s->err));
    assert_ok(s, sticker_store_trash_gone(store, "c.png", &s->err)); /* not marked: it stays */
    assert_ok(s, sticker_store_trash_due(store, os_now_us() + 1, 10, &s->arena, &due, &n, &s->err));
    assert_int_equal(n, 2);
    sticker_store_close(store);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(adds_gets_updates_deletes),
        T(writes_only_lists_that_changed),
        T(recalls_what_is),
        T(text_in_images_is_kept),
        T(older_stickers_are_for_all_and_still),
        T(a_search_of_its_own_words_is_filtered),
        T(an_import_writes_its_words_at_once),
        T(a_conflict_adds_nothing),
        T(gets_many_and_lists),
        T(an_answer_larger_than_the_arena_is_refused),
        T(checks_filenames),
        T(titles_in_the_readers_language),
        T(stickers_are_drawn),
        T(names_packs_and_popular_queries),
        T(packs_have_titles_and_an_order),
        T(searches_its_own_words),
        T(users_and_tokens),
        T(keys_of_apps),
        T(an_image_that_is_being_replaced_is_looked_at),
        T(the_outbox_keeps_the_newest_entry),
        T(one_delivers_at_a_time),
        T(tells_its_version_without_a_change),
        T(the_trash_keeps_what_was_deleted),
        T(the_trash_is_emptied),
        T(refuses_urls_it_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
