/* The bucket: the same tests over a folder and, where PEEL_TEST_S3 names an endpoint (tests/api/test_bucket.py
 * starts one), over a real S3 server behind a proxy that checks signatures and makes the faults that keys ask
 * for: "fault-get-503-2" lets the first two GETs of the object fail. It is one file of more than 600 lines so that the
 * list of tests for both kinds of bucket stands in one place. */
#include "cm.h"

#include "base/os.h"
#include "bucket/bucket.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define CACHE_BYTES (32u << 20)

struct fixture {
    char dir[64], cache[96], url[128];
    struct bucket_s3 s3;
    bool remote;
    struct bucket *b;
};

static void open_at(struct fixture *f)
{
    struct error err;
    assert_int_equal(bucket_open(f->url, &f->s3, &f->b, &err), OK);
}

/* Each test has a prefix of its own. */
static void setup(struct fixture *f, bool remote)
{
    *f = (struct fixture){.remote = remote};
    tmp_make(f->dir, sizeof f->dir);
    snprintf(f->cache, sizeof f->cache, "%s/cache", f->dir);
    f->s3 = (struct bucket_s3){.endpoint = getenv("PEEL_TEST_S3"),
                               .region = "eu-central-1",
                               .access_key = "S3RVER",
                               .secret_key = "S3RVER",
                               .session_token = "token/with+signs==",
                               .cache_dir = f->cache,
                               .cache_bytes = CACHE_BYTES,
                               .timeout_ms = 1000};
    if (remote)
        snprintf(f->url, sizeof f->url, "s3://peel/unit/%s/", strrchr(f->dir, '/') + 1);
    else
        snprintf(f->url, sizeof f->url, "%s/new/bucket", f->dir);
    open_at(f);
}

static void teardown(struct fixture *f)
{
    bucket_close(f->b);
    tmp_remove(f->dir);
}

static void put(struct fixture *f, const char *key, const char *text)
{
    struct error err;
    assert_int_equal(bucket_put(f->b, key, text, strlen(text), &err), OK);
}

static void expect(struct fixture *f, const char *key, const char *text)
{
    struct error err;
    struct buf got;
    buf_init(&got, 1000);
    enum status st = bucket_get(f->b, key, &got, &err);
    if (st != OK)
        print_error("%s\n", err.message);
    assert_int_equal(st, OK);
    assert_string_equal(buf_str(&got), text);
    buf_free(&got);
}

static void each_kind(void (*test)(struct fixture *f))
{
    struct fixture f;
    for (int remote = 0; remote <= (getenv("PEEL_TEST_S3") != NULL); remote++) {
        setup(&f, remote);
        test(&f);
        teardown(&f);
    }
}

/* Tests of S3 alone are skipped without a server. */
static void s3_only(void (*test)(struct fixture *f))
{
    struct fixture f;
    if (!getenv("PEEL_TEST_S3"))
        skip();
    setup(&f, true);
    test(&f);
    teardown(&f);
}

/* --- both kinds --- */

static void come_and_go(struct fixture *f)
{
    struct error err;
    struct buf got;
    bool there;
    int fd;
    uint64_t size;
    char text[8];
    buf_init(&got, 6);
    assert_int_equal(bucket_get(f->b, "media/a.jpg", &got, &err), ERR_NOT_FOUND);
    put(f, "media/a.jpg", "first");
    expect(f, "media/a.jpg", "first");
    put(f, "media/a.jpg", "second");
    assert_int_equal(bucket_get(f->b, "media/a.jpg", &got, &err), OK);
    assert_string_equal(buf_str(&got), "second");
    assert_int_equal(bucket_get(f->b, "media/a.jpg", &got, &err), ERR_TOO_LARGE);
    assert_int_equal(bucket_fd(f->b, "media/a.jpg", &fd, &size, &err), OK);
    assert_int_equal(size, 6);
    assert_int_equal(pread(fd, text, 3, 3), 3);
    assert_memory_equal(text, "ond", 3);
    close(fd);
    assert_int_equal(bucket_exists(f->b, "media/a.jpg", &there, &err), OK);
    assert_true(there);
    assert_int_equal(bucket_exists(f->b, "media", &there, &err), OK);
    assert_false(there);
    assert_int_equal(bucket_delete(f->b, "media/a.jpg", &err), OK);
    assert_int_equal(bucket_delete(f->b, "media/a.jpg", &err), OK);
    assert_int_equal(bucket_exists(f->b, "media/a.jpg", &there, &err), OK);
    assert_false(there);
    buf_reset(&got);
    assert_int_equal(bucket_get(f->b, "media/a.jpg", &got, &err), ERR_NOT_FOUND);
    put(f, "media/empty", "");
    expect(f, "media/empty", "");
    buf_free(&got);
}

static void objects_come_and_go(void **state)
{
    (void)state;
    each_kind(come_and_go);
}

static void keys_of_all_kinds(struct fixture *f)
{
    static const char *const good[] = {"a",
                                       "media/sun & rain, 100%.png",
                                       "media/grüße.png",
                                       "a+b=c?d#e",
                                       "a~b/(c)/d!e",
                                       "media/it's *.png",
                                       "%2F",
                                       "猫/🐈.webp"};
    static const char *const bad[] = {"",        "/etc/passwd", "../x", "a/../b", "a//b", "a/",
                                      ".hidden", "a/.b",        "a\nb", "\xff",   "a/./b"};
    char longest[600];
    struct error err;
    struct buf got;
    buf_init(&got, 10);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        put(f, good[i], good[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        expect(f, good[i], good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bucket_put(f->b, bad[i], "x", 1, &err), ERR_INVALID);
        assert_int_equal(bucket_get(f->b, bad[i], &got, &err), ERR_INVALID);
        assert_int_equal(bucket_delete(f->b, bad[i], &err), ERR_INVALID);
    }
    memset(longest, 'a', sizeof longest);
    longest[513] = '\0';
    assert_int_equal(bucket_get(f->b, longest, &got, &err), ERR_INVALID);
    buf_free(&got);
}

static void keys_stay_inside(void **state)
{
    (void)state;
    each_kind(keys_of_all_kinds);
}

struct reader {
    struct bucket *b;
    pthread_t thread;
    size_t read;
};

static void *read_all(void *arg)
{
    struct reader *r = arg;
    for (int i = 0; i < 5; i++) {
        struct buf got;
        buf_init(&got, 1u << 20);
        if (bucket_get(r->b, "media/shared", &got, NULL) == OK && got.len == 300000 && got.data[299999] == 'z')
            r->read++;
        buf_free(&got);
    }
    return NULL;
}

static void many_threads(struct fixture *f)
{
    struct error err;
    struct reader readers[8] = {0};
    char *data = malloc(300000);
    assert_non_null(data);
    memset(data, 'z', 300000);
    assert_int_equal(bucket_put(f->b, "media/shared", data, 300000, &err), OK);
    for (size_t i = 0; i < 8; i++) {
        readers[i].b = f->b;
        assert_int_equal(pthread_create(&readers[i].thread, NULL, read_all, &readers[i]), 0);
    }
    for (size_t i = 0; i < 8; i++) {
        pthread_join(readers[i].thread, NULL);
        assert_int_equal(readers[i].read, 5);
    }
    free(data);
}

static void threads_share_a_bucket(void **state)
{
    (void)state;
    each_kind(many_threads);
}

/* --- the folder --- */

static void many_are_written_and_synced_once(void **state)
{
    (void)state;
    struct fixture f;
    char key[300] = "media/", stale[160], fresh[160], fifo[160];
    struct error err;
    struct bucket *none;
    struct buf got;
    bool there;
    setup(&f, false);
    assert_int_equal(bucket_open("s3x://no", NULL, &none, &err), ERR_UNSUPPORTED);
    assert_int_equal(bucket_open("s3://no-settings", NULL, &none, &err), ERR_UNSUPPORTED);
    memset(key + 6, 'n', 255); /* the longest name that a folder holds */
    assert_int_equal(bucket_put_later(f.b, key, "one", 3, &err), OK);
    assert_int_equal(bucket_put_later(f.b, "media/b", "two", 3, &err), OK);
    assert_int_equal(bucket_sync(f.b, &err), OK);
    expect(&f, key, "one");

    snprintf(stale, sizeof stale, "%s/media/.put-stale", f.url);
    snprintf(fresh, sizeof fresh, "%s/media/.put-fresh", f.url);
    FILE *one = fopen(stale, "w"), *two = fopen(fresh, "w");
    assert_true(one && two);
    fclose(one);
    fclose(two);
    struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, stale, long_ago, 0), 0);
    bucket_tidy(f.b, "media");
    assert_int_not_equal(access(stale, F_OK), 0);
    assert_int_equal(access(fresh, F_OK), 0);
    assert_int_equal(bucket_exists(f.b, "media/b", &there, &err), OK);
    assert_true(there);
    bucket_tidy(f.b, "absent");

    snprintf(fifo, sizeof fifo, "%s/fifo", f.url);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    buf_init(&got, 10);
    assert_int_equal(bucket_get(f.b, "fifo", &got, &err), ERR_NOT_FOUND);
    assert_int_equal(bucket_mirror(f.b, "models", f.cache, NULL, NULL, &err), ERR_UNSUPPORTED);
    buf_free(&got);
    bucket_close(NULL);
    teardown(&f);
}

/* --- S3 --- */

static void settings_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"s3://", "s3://A", "s3://ab", "s3://x_y_z", "s3://good/../bad", "s3://good//bad"};
    struct fixture f;
    struct error err;
    struct bucket *b;
    setup(&f, false);
    f.s3.endpoint = "http://127.0.0.1:1";
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(bucket_open(bad[i], &f.s3, &b, &err), ERR_INVALID);
    struct bucket_s3 wrong = f.s3;
    wrong.secret_key = NULL;
    assert_int_equal(bucket_open("s3://good", &wrong, &b, &err), ERR_INVALID);
    wrong = f.s3;
    wrong.endpoint = "ftp://host";
    assert_int_equal(bucket_open("s3://good", &wrong, &b, &err), ERR_INVALID);
    wrong = f.s3;
    wrong.region = "eu:central";
    assert_int_equal(bucket_open("s3://good", &wrong, &b, &err), ERR_INVALID);
    wrong = f.s3;
    wrong.endpoint = NULL;
    assert_int_equal(bucket_open("s3://dots.do.not.fit", &wrong, &b, &err), ERR_INVALID);
    assert_int_equal(bucket_open("s3://good", &f.s3, &b, &err), OK); /* asks nothing of the store */
    assert_int_equal(bucket_put(b, "a", "x", 1, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "s3://good/a"));
    int64_t start = os_monotonic_us(); /* others need not wait to hear the same */
    assert_int_equal(bucket_put(b, "a", "x", 1, &err), ERR_UNAVAILABLE);
    assert_non_null(strstr(err.message, "left alone"));
    assert_true(os_monotonic_us() - start < 50000);
    bucket_close(b);
    teardown(&f);
}

static void wrong_secret(struct fixture *f)
{
    struct error err;
    put(f, "media/a", "secret");
    bucket_close(f->b);
    f->s3.secret_key = "another";
    open_at(f);
    struct buf got;
    buf_init(&got, 100);
    assert_int_equal(bucket_get(f->b, "media/a", &got, &err), ERR_DENIED);
    assert_non_null(strstr(err.message, "SignatureDoesNotMatch"));
    assert_int_equal(bucket_put(f->b, "media/a", "x", 1, &err), ERR_DENIED);
    buf_free(&got);
}

static void signatures_are_checked(void **state)
{
    (void)state;
    s3_only(wrong_secret);
}

/* Names below localhost are this machine's. */
static void name_in_the_host(struct fixture *f)
{
    char endpoint[64];
    const char *port = strrchr(f->s3.endpoint, ':');
    assert_non_null(port);
    snprintf(endpoint, sizeof endpoint, "http://localhost%s", port);
    put(f, "media/sun & rain", "by path");
    bucket_close(f->b);
    f->s3.endpoint = endpoint;
    f->s3.addressing = "virtual";
    open_at(f);
    expect(f, "media/sun & rain", "by path");
    put(f, "media/sun & rain", "by host");
    bucket_close(f->b);
    f->s3.endpoint = getenv("PEEL_TEST_S3");
    f->s3.addressing = "path";
    open_at(f);
    expect(f, "media/sun & rain", "by host");
}

static void bucket_may_stand_in_the_host(void **state)
{
    (void)state;
    s3_only(name_in_the_host);
}

static void in_parts(struct fixture *f)
{
    static const char *const keys[] = {"plain", "fault-put-503-1", "fault-put-cut-1", "fault-post-503-1",
                                       "fault-complete-lost-1"};
    size_t len = (17u << 20) + 12345;
    struct error err;
    struct buf got;
    char *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 2654435761u >> 24);
    buf_init(&got, len);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        enum status st = bucket_put(f->b, keys[i], data, len, &err);
        if (st != OK)
            print_error("%s: %s\n", keys[i], err.message);
        assert_int_equal(st, OK);
        buf_reset(&got);
        assert_int_equal(bucket_get(f->b, keys[i], &got, &err), OK);
        assert_int_equal(got.len, len);
        assert_memory_equal(got.data, data, len);
    }
    buf_free(&got);
    free(data);
}

static void large_objects_go_in_parts(void **state)
{
    (void)state;
    s3_only(in_parts);
}

static void with_faults(struct fixture *f)
{
    static const char *const keys[] = {"fault-get-503-2",   "fault-get-429-2",    "fault-get-cut-3",
                                       "fault-get-wrong-1", "fault-get-short-1",  "fault-get-etag-1",
                                       "fault-get-slow-1",  "fault-get-drop-2",   "fault-put-503-2",
                                       "fault-put-drop-1",  "fault-put-damage-1", "fault-put-lost-1"};
    size_t len = 400000;
    struct error err;
    struct buf got;
    char *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i % 251);
    buf_init(&got, len);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        enum status st = bucket_put(f->b, keys[i], data, len, &err);
        buf_reset(&got);
        if (st == OK)
            st = bucket_get(f->b, keys[i], &got, &err);
        if (st != OK)
            print_error("%s: %s\n", keys[i], err.message);
        assert_int_equal(st, OK);
        assert_int_equal(got.len, len);
        assert_memory_equal(got.data, data, len);
    }
    static const char *const never_right[] = {"fault-get-wrong-99", "fault-get-short-99", "fault-get-etag-99"};
    for (size_t i = 0; i < sizeof never_right / sizeof *never_right; i++) {
        buf_reset(&got);
        assert_int_equal(bucket_put(f->b, never_right[i], data, len, &err), OK);
        assert_int_equal(bucket_get(f->b, never_right[i], &got, &err), ERR_CORRUPT);
    }
    assert_int_equal(bucket_put(f->b, "fault-get-503-99", data, len, &err), OK);
    assert_int_equal(bucket_get(f->b, "fault-get-503-99", &got, &err), ERR_UNAVAILABLE);
    int64_t start = os_monotonic_us(); /* soon after, one attempt is enough to say so */
    assert_int_equal(bucket_get(f->b, "fault-get-503-99", &got, &err), ERR_UNAVAILABLE);
    assert_true(os_monotonic_us() - start < 1000000);
    buf_free(&got);
    free(data);
}

static void faults_are_survived(void **state)
{
    (void)state;
    s3_only(with_faults);
}

/* Finds the one copy in the cache, and flips a byte of it. */
static int damage(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)sb, (void)ftw;
    if (flag == FTW_F) {
        int fd = open(path, O_RDWR);
        assert_int_equal(pwrite(fd, "X", 1, 2), 1);
        close(fd);
    }
    return 0;
}

static uint64_t total_bytes;

static int add_size(const char *path, const struct stat *sb, int flag, struct FTW *ftw)
{
    (void)path, (void)ftw;
    total_bytes += flag == FTW_F ? (uint64_t)sb->st_size : 0;
    return 0;
}

static void copies(struct fixture *f)
{
    struct error err;
    struct buf got;
    char key[32];
    size_t len = 3u << 20;
    char *data = calloc(1, len);
    assert_non_null(data);
    put(f, "media/a", "content");
    expect(f, "media/a", "content");
    assert_int_equal(nftw(f->cache, damage, 16, FTW_PHYS), 0);
    expect(f, "media/a", "content");
    bucket_close(f->b); /* a copy survives a restart, and is used when the store is gone */
    const char *endpoint = f->s3.endpoint;
    open_at(f);
    expect(f, "media/a", "content");
    buf_init(&got, len);
    for (int i = 0; i < 20; i++) { /* 60 MiB through a cache of 32 */
        snprintf(key, sizeof key, "media/%d", i);
        data[0] = (char)i;
        assert_int_equal(bucket_put(f->b, key, data, len, &err), OK);
        buf_reset(&got);
        assert_int_equal(bucket_get(f->b, key, &got, &err), OK);
        assert_int_equal(got.data[0], i);
        total_bytes = 0;
        assert_int_equal(nftw(f->cache, add_size, 16, FTW_PHYS), 0);
        assert_true(total_bytes <= CACHE_BYTES);
    }
    bucket_close(f->b);
    f->s3.endpoint = endpoint;
    f->s3.cache_bytes = 1u << 20;
    open_at(f); /* a smaller bound holds at once */
    total_bytes = 0;
    assert_int_equal(nftw(f->cache, add_size, 16, FTW_PHYS), 0);
    assert_true(total_bytes <= 1u << 20);
    buf_reset(&got);
    assert_int_equal(bucket_get(f->b, "media/0", &got, &err), ERR_TOO_LARGE);
    buf_free(&got);
    free(data);
}

static void copies_are_checked_and_bounded(void **state)
{
    (void)state;
    s3_only(copies);
}

/* A write that fills what is left of the disk. */
static void fill_disk(const char *path, size_t most)
{
    char chunk[4096] = "x";
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    setvbuf(file, NULL, _IONBF, 0);
    for (size_t n = 0; n < most && fwrite(chunk, 1, sizeof chunk, file) == sizeof chunk; n += sizeof chunk)
        ;
    fclose(file);
}

/* The disk has 8 MiB, the bound of the cache promises 32. */
static void full_disk(struct fixture *f)
{
    struct error err;
    struct buf got;
    char key[32], other[128];
    size_t len = 3u << 20;
    char *data = calloc(1, len);
    assert_non_null(data);
    bucket_close(f->b);
    const char *disk = f->s3.cache_dir = getenv("PEEL_TEST_SMALL_DISK");
    open_at(f);
    buf_init(&got, len);
    for (int i = 0; i < 5; i++) { /* older copies make room */
        snprintf(key, sizeof key, "media/%d", i);
        data[0] = (char)i;
        assert_int_equal(bucket_put(f->b, key, data, len, &err), OK);
        buf_reset(&got);
        assert_int_equal(bucket_get(f->b, key, &got, &err), OK);
        assert_int_equal(got.len, len);
        assert_int_equal(got.data[0], i);
    }
    snprintf(other, sizeof other, "%s/other", disk); /* somebody else takes the rest: copies are still read */
    fill_disk(other, SIZE_MAX);
    buf_reset(&got);
    assert_int_equal(bucket_get(f->b, "media/4", &got, &err), OK);
    assert_int_equal(unlink(other), 0);
    bucket_close(f->b);
    f->s3.cache_bytes = 1; /* empties it */
    open_at(f);
    bucket_close(f->b);
    f->s3.cache_bytes = CACHE_BYTES;
    open_at(f);
    fill_disk(other, 6u << 20); /* no room even without copies: an error that says so, and nothing stays behind */
    buf_reset(&got);
    assert_int_equal(bucket_get(f->b, "media/0", &got, &err), ERR_IO);
    assert_non_null(strstr(err.message, "No space left"));
    total_bytes = 0;
    assert_int_equal(nftw(disk, add_size, 16, FTW_PHYS), 0);
    assert_true(total_bytes <= 6u << 20);
    assert_int_equal(unlink(other), 0);
    assert_int_equal(bucket_get(f->b, "media/0", &got, &err), OK);
    buf_free(&got);
    free(data);
}

static void a_full_disk_is_survived(void **state)
{
    (void)state;
    if (!getenv("PEEL_TEST_SMALL_DISK"))
        skip();
    s3_only(full_disk);
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static void read_file(struct fixture *f, const char *name, char out[32])
{
    char path[200];
    struct buf got;
    buf_init(&got, 31);
    snprintf(path, sizeof path, "%s/models/%s", f->dir, name);
    out[0] = '\0';
    if (os_read_file(path, &got, NULL) == OK)
        snprintf(out, 32, "%s", buf_str(&got));
    buf_free(&got);
}

static void models(struct fixture *f)
{
    struct error err;
    char dir[96], text[32];
    snprintf(dir, sizeof dir, "%s/models", f->dir);
    put(f, "models/one/config.json", "{}");
    put(f, "models/one/model.safetensors", "weights");
    put(f, "models/one/notes & so on.txt", "notes");
    put(f, "models/one-more/config.json", "{1}");
    put(f, "models/no-model/readme", "x");
    put(f, "models/one/deeper/file", "x");
    put(f, "models/one/much/deeper/file", "x");
    assert_int_equal(bucket_mirror(f->b, "models", dir, always, NULL, &err), ERR_CANCELLED);
    read_file(f, "one/config.json", text);
    assert_string_equal(text, "");
    for (int i = 0; i < 2; i++) {
        enum status st = bucket_mirror(f->b, "models", dir, NULL, NULL, &err);
        if (st != OK)
            print_error("%s\n", err.message);
        assert_int_equal(st, OK);
        read_file(f, "one/model.safetensors", text);
        assert_string_equal(text, "weights");
        read_file(f, "one/notes & so on.txt", text);
        assert_string_equal(text, "notes");
        read_file(f, "one-more/config.json", text);
        assert_string_equal(text, "{1}");
        read_file(f, "no-model/readme", text);
        assert_string_equal(text, "");
        read_file(f, "one/deeper/file", text);
        assert_string_equal(text, "x");
        read_file(f, "one/much/deeper/file", text);
        assert_string_equal(text, "");
    }
    put(f, "models/one/model.safetensors", "changed");
    assert_int_equal(bucket_delete(f->b, "models/one/notes & so on.txt", &err), OK);
    assert_int_equal(bucket_mirror(f->b, "models", dir, NULL, NULL, &err), OK);
    read_file(f, "one/model.safetensors", text);
    assert_string_equal(text, "changed");
    read_file(f, "one/notes & so on.txt", text);
    assert_string_equal(text, "");
}

static void models_become_folders(void **state)
{
    (void)state;
    s3_only(models);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_and_go),          cmocka_unit_test(keys_stay_inside),
        cmocka_unit_test(threads_share_a_bucket),       cmocka_unit_test(many_are_written_and_synced_once),
        cmocka_unit_test(settings_are_checked),         cmocka_unit_test(signatures_are_checked),
        cmocka_unit_test(bucket_may_stand_in_the_host), cmocka_unit_test(large_objects_go_in_parts),
        cmocka_unit_test(faults_are_survived),          cmocka_unit_test(copies_are_checked_and_bounded),
        cmocka_unit_test(a_full_disk_is_survived),      cmocka_unit_test(models_become_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
