/* test_store_files.c: SQLite's own matters: migrations, foreign and damaged files, group commit. */
#include "store_suite.h"

#include "db/db.h"
#include "search_store/search_internal.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

/* --- migrations, by a schema of our own --- */

static const char *const versions[] = {
    "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT",
    "ALTER TABLE note ADD COLUMN stars INTEGER NOT NULL DEFAULT 3; INSERT INTO note (body) VALUES ('migrated')",
    "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT; CREATE TABLE note (oops)",
};
static const struct db_schema v1 = {
    .what = "test database", .application_id = 0x54455354, .count = 1, .migrations = versions};
static const struct db_schema v2 = {
    .what = "test database", .application_id = 0x54455354, .count = 2, .migrations = versions};
static const struct db_schema v3_fails = {
    .what = "test database", .application_id = 0x54455354, .count = 3, .migrations = versions};

static enum status insert_note(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "INSERT INTO note (body) VALUES (?1)", DB_ARGS(DB_TEXT(arg)), NULL, err);
}

static int64_t count(struct suite *s, struct db *d, const char *sql)
{
    int64_t n;
    struct db_conn *c = db_reader(d);
    enum status st = db_get_int(c, sql, DB_NONE, &n, NULL, &s->err);
    db_reader_done(d, c);
    assert_ok(s, st);
    return n;
}

static void file(const struct suite *s, char *out, size_t cap)
{
    snprintf(out, cap, "%s/store.db", s->folder);
}

static void an_older_database_is_migrated(void **state)
{
    struct suite *s = *state;
    struct db *d;
    char path[512], body[] = "old";
    file(s, path, sizeof path);
    assert_ok(s, db_open(path, 1, &v1, &d, &s->err));
    assert_ok(s, db_write(d, DB_DURABLE, insert_note, body, &s->err));
    db_close(d);
    assert_ok(s, db_open(path, 1, &v2, &d, &s->err));
    assert_int_equal(count(s, d, "SELECT sum(stars) FROM note"), 6);
    assert_int_equal(count(s, d, "SELECT count(*) FROM schema_migrations WHERE applied_us > 0"), 2);
    db_close(d);
    assert_ok(s, db_open(path, 1, &v2, &d, &s->err)); /* once is enough */
    assert_int_equal(count(s, d, "SELECT count(*) FROM note"), 2);
    db_close(d);
}

static void make_v2(struct suite *s, char *path, size_t cap)
{
    struct db *d;
    file(s, path, cap);
    assert_ok(s, db_open(path, 1, &v2, &d, &s->err));
    db_close(d);
}

static void a_failing_migration_changes_nothing(void **state)
{
    struct suite *s = *state;
    struct db *d;
    char path[512];
    make_v2(s, path, sizeof path);
    assert_int_not_equal(db_open(path, 1, &v3_fails, &d, &s->err), OK);
    assert_non_null(strstr(s->err.message, "migration 3 of test database"));
    assert_ok(s, db_open(path, 1, &v2, &d, &s->err));
    assert_int_equal(count(s, d, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'"), 0);
    db_close(d);
}

static void a_newer_database_is_refused(void **state)
{
    struct suite *s = *state;
    struct db *d;
    char path[512];
    make_v2(s, path, sizeof path);
    assert_int_equal(db_open(path, 1, &v1, &d, &s->err), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.message, "has schema version 2, this program knows up to 1: use a newer peel"));
}

static void another_programs_database_is_refused(void **state)
{
    struct suite *s = *state;
    struct db *d;
    struct sticker_store *stickers;
    struct search_store *search;
    char path[512];
    file(s, path, sizeof path);
    assert_ok(s, db_open(path, 1, &v1, &d, &s->err));
    db_close(d);
    assert_int_equal(sticker_store_open(path, 1, &stickers, &s->err), ERR_UNSUPPORTED);
    assert_non_null(strstr(s->err.message, "is not a sticker database"));
    assert_int_equal(search_store_open(path, 1, &search, &s->err), ERR_UNSUPPORTED);
    unlink(path);
    assert_ok(s, sticker_store_open(path, 1, &stickers, &s->err));
    sticker_store_close(stickers);
    assert_int_equal(search_store_open(path, 1, &search, &s->err), ERR_UNSUPPORTED);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
}

static void paths_that_cannot_be_opened_are_named(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store;
    char path[512];
    assert_int_equal(sticker_store_open(s->folder, 1, &store, &s->err), ERR_IO);
    assert_non_null(strstr(s->err.message, s->folder));
    snprintf(path, sizeof path, "%s/no/such/folder/store.db", s->folder);
    assert_int_equal(sticker_store_open(path, 1, &store, &s->err), ERR_IO);
    assert_non_null(strstr(s->err.message, path));
    assert_non_null(strstr(s->err.message, "No such file"));
}

static void a_name_that_means_something_to_sqlite_is_a_file(void **state)
{
    struct suite *s = *state;
    struct sticker_store *store;
    static const char *const names[] = {":memory:", "file:x.db?mode=memory"};
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(s->folder), 0);
    for (size_t i = 0; i < 2; i++) {
        enum status st = sticker_store_open(names[i], 2, &store, &s->err);
        if (st == OK)
            sticker_store_close(store);
        assert_ok(s, st);
        assert_int_equal(access(names[i], F_OK), 0);
    }
    assert_int_equal(chdir(before), 0);
}

/* --- the group commit --- */

static enum status insert_then_fail(struct db_conn *c, void *arg, struct error *err)
{
    enum status st = insert_note(c, arg, err);
    return st == OK ? err_set(err, ERR_INVALID, "changed my mind about %s", (const char *)arg) : st;
}

struct committer {
    struct db *db;
    int failed, wrong;
};

static void *commit(void *arg)
{
    struct committer *k = arg;
    char body[] = "x";
    for (int i = 0; i < 50; i++) {
        struct error err;
        bool fails = i % 3 == 0;
        enum status st =
            db_write(k->db, i % 10 ? DB_FAST : DB_DURABLE, fails ? insert_then_fail : insert_note, body, &err);
        k->failed += fails;
        k->wrong += fails ? st != ERR_INVALID || strcmp(err.message, "changed my mind about x") != 0 : st != OK;
    }
    return NULL;
}

static void a_failing_job_is_undone_alone(void **state)
{
    struct suite *s = *state;
    struct committer k[16];
    pthread_t threads[16];
    char path[512];
    file(s, path, sizeof path);
    struct db *d;
    assert_ok(s, db_open(path, 1, &v1, &d, &s->err));
    for (int i = 0; i < 16; i++) {
        k[i] = (struct committer){.db = d};
        assert_int_equal(pthread_create(&threads[i], NULL, commit, &k[i]), 0);
    }
    int failed = 0;
    for (int i = 0; i < 16; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(k[i].wrong, 0);
        failed += k[i].failed;
    }
    assert_int_equal(count(s, d, "SELECT count(*) FROM note"), 16 * 50 - failed);
    db_close(d);
}

static enum status read_synchronous(struct db_conn *c, void *arg, struct error *err)
{
    return db_get_int(c, "PRAGMA synchronous", DB_NONE, arg, NULL, err);
}

static enum status read_synchronous_again(struct db_conn *c, void *arg, struct error *err)
{
    return db_get_int(c, "PRAGMA main.synchronous", DB_NONE, arg, NULL, err);
}

static void only_durable_jobs_are_synced(void **state)
{
    struct suite *s = *state;
    char path[512];
    file(s, path, sizeof path);
    struct db *d;
    int64_t mode;
    assert_ok(s, db_open(path, 1, &v1, &d, &s->err));
    assert_ok(s, db_write(d, DB_DURABLE, read_synchronous, &mode, &s->err));
    assert_int_equal(mode, 2);                                                  /* FULL */
    assert_ok(s, db_write(d, DB_FAST, read_synchronous_again, &mode, &s->err)); /* SQLite fixes a PRAGMA's answer when
                                                                                   it is prepared: hence two */
    assert_int_equal(mode, 1);                                                  /* NORMAL */
    db_close(d);
}

static enum status lose_the_transaction(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    (void)!db_script(c, "ROLLBACK", NULL);
    return err_set(err, ERR_IO, "the disk is full");
}

static void a_lost_transaction_is_reported_and_survived(void **state)
{
    struct suite *s = *state;
    char path[512], body[] = "x";
    file(s, path, sizeof path);
    struct db *d;
    assert_ok(s, db_open(path, 1, &v1, &d, &s->err));
    assert_int_equal(db_write(d, DB_FAST, lose_the_transaction, NULL, &s->err), ERR_IO);
    assert_string_equal(s->err.message, "the disk is full");
    assert_int_equal(db_write(d, DB_FAST, lose_the_transaction, NULL, NULL), ERR_IO);
    assert_ok(s, db_write(d, DB_FAST, insert_note, body, &s->err));
    db_close(d);
}

/* --- damage --- */

static void fill(struct suite *s, const char *path)
{
    struct sticker_store *store;
    assert_ok(s, sticker_store_open(path, 1, &store, &s->err));
    for (int i = 0; i < 60; i++) {
        char name[32], title[64];
        snprintf(name, sizeof name, "s%02d.png", i);
        snprintf(title, sizeof title, "title number %d word%d", i, i);
        suite_add(s, store, name, title);
        assert_ok(s, sticker_store_query_ensure(store, title, &s->err));
    }
    sticker_store_close(store);
}

/* Every kind of read and write; whatever they answer, they answer. How many said something was wrong. */
static int use(struct suite *s, const char *path)
{
    struct sticker_store *store;
    struct sticker sticker, *page;
    struct store_hit *hits;
    struct score_row *rows;
    struct outbox_item *items;
    struct user user;
    size_t n;
    int64_t total, a, b, c;
    int wrong = 0;
    struct arena arena;
    enum status st = sticker_store_open(path, 1, &store, &s->err);
    if (st != OK) {
        assert_true(s->err.message[0]);
        assert_int_not_equal(st, ERR_INTERNAL);
        return 1;
    }
    arena_init(&arena, 8 << 20);
    const char *stem = "title", *up = "s01.png", **failed;
    struct feedback_entry e = {.query = "title number 1 word1", .positive = &up, .n_positive = 1};
    struct sticker_words words = {"en", "x", NULL};
    struct sticker add = blank_sticker("new.png");
    add.words = &words;
    add.n_words = 1;
    struct sticker_terms terms = {"title", "x", "new", "title", NULL, 0};
    wrong += sticker_store_get(store, "s01.png", &arena, &sticker, NULL) != OK;
    wrong += sticker_store_list(store, "", 1000, &arena, &page, &n, NULL) != OK;
    wrong += sticker_store_search(store, ENGLISH(&stem, 1, "wor"), NULL, 10, 0, &arena, &hits, &n, &total, NULL) != OK;
    wrong += sticker_store_count(store, &a, &b, &c, NULL) != OK;
    wrong += sticker_store_feedback(store, &e, 1, &arena, &failed, &n, NULL) != OK;
    wrong += sticker_store_analytics(store, e.query, &arena, &a, &rows, &n, NULL) != OK;
    wrong += sticker_store_export(store, 0, "", "", 100, &arena, &rows, &n, NULL) != OK;
    wrong += sticker_store_user_get(store, "ann", &arena, &user, NULL) != ERR_NOT_FOUND;
    wrong += sticker_store_outbox_next(store, INT64_MAX, 1000, &arena, &items, &n, NULL) != OK;
    wrong += sticker_store_add(store, &add, &terms, 1, NULL) != OK;
    wrong += sticker_store_delete(store, "s02.png", NULL) != OK;
    wrong += sticker_store_outbox_refill(store, NULL) != OK;
    arena_free(&arena);
    sticker_store_close(store);
    return wrong;
}

static void overwrite(const char *path, const struct buf *content, size_t at, const char *bytes, size_t len)
{
    char other[520];
    static const char *const suffixes[] = {"-wal", "-shm"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(other, sizeof other, "%s%s", path, suffixes[i]);
        unlink(other);
    }
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content->data, content->len), content->len);
    assert_int_equal(pwrite(fd, bytes, len, (off_t)at), len);
    close(fd);
}

static void a_damaged_file_is_an_error_not_a_crash(void **state)
{
    struct suite *s = *state;
    struct buf good;
    char path[512];
    file(s, path, sizeof path);
    fill(s, path);
    buf_init(&good, 64 << 20);
    assert_ok(s, os_read_file(path, &good, &s->err));
    overwrite(path, &good, 0, "", 0);
    assert_int_equal(use(s, path), 0);
    int noticed = 0, tried = 0;
    char junk[512];
    /* Not every place: FTS5 of SQLite 3.40 writes past its buffer when some lists of a word's rows are damaged, which a
     * query of a prefix then merges. With this step none is. */
    for (size_t at = 0; at + sizeof junk <= good.len; at += 1808, tried++) {
        for (size_t i = 0; i < sizeof junk; i++)
            junk[i] = (char)(at / 7 + i * i * 31 + i);
        overwrite(path, &good, at, junk, sizeof junk);
        noticed += use(s, path) > 0;
    }
    assert_true(noticed > tried / 8); /* most of a page's bytes are content, which any value fits */
    overwrite(path, &good, 0, "This is not SQLite", 18);
    struct sticker_store *store;
    assert_int_equal(sticker_store_open(path, 1, &store, &s->err), ERR_CORRUPT);
    assert_non_null(strstr(s->err.message, "is damaged: file is not a database"));
    buf_free(&good);
}

static enum status shorten_vector(struct db_conn *c, void *arg, struct error *err)
{
    (void)arg;
    return db_run(c, "UPDATE vectors SET vector = x'00112233'", DB_NONE, NULL, err);
}

static void a_vector_of_the_wrong_size_is_named(void **state)
{
    struct suite *s = *state;
    struct search_store *store = suite_search(s);
    struct document doc = {.filename = "a", .title = "", .words_json = "", .image_sha256 = "1"};
    struct sticker_terms terms = {"", "", "", "", NULL, 0};
    const char *image = "1";
    float v[4] = {1, 0, 0, 0};
    int64_t id;
    bool changed;
    assert_ok(s, search_store_put(store, &doc, &terms, &id, &changed, NULL, &s->err));
    assert_ok(s, search_store_vectors_put(store, "m", 4, &id, &image, v, 1, &s->err));
    struct db *d;
    assert_ok(s, db_open(s->url, 1, &search_schema_sqlite, &d, &s->err));
    assert_ok(s, db_write(d, DB_FAST, shorten_vector, NULL, &s->err));
    db_close(d);
    struct vector_row *rows;
    size_t n;
    assert_int_equal(search_store_vectors_page(store, "m", 4, 0, 10, &s->arena, &rows, &n, &s->err), ERR_CORRUPT);
    assert_string_equal(s->err.message, "model m, document 1: the stored vector has 4 bytes, expected 16");
    search_store_close(store);
}

int main(void)
{
    if (getenv("PEEL_TEST_STORE_URL"))
        return 0; /* these are about SQLite's files */
#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)
    const struct CMUnitTest tests[] = {
        T(an_older_database_is_migrated),
        T(a_failing_migration_changes_nothing),
        T(a_newer_database_is_refused),
        T(another_programs_database_is_refused),
        T(paths_that_cannot_be_opened_are_named),
        T(a_name_that_means_something_to_sqlite_is_a_file),
        T(a_failing_job_is_undone_alone),
        T(only_durable_jobs_are_synced),
        T(a_lost_transaction_is_reported_and_survived),
        T(a_damaged_file_is_an_error_not_a_crash),
        T(a_vector_of_the_wrong_size_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
