#include "cm.h"

#include "bucket/bucket.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void objects_come_and_go(void **state)
{
    (void)state;
    char dir[64], root[96];
    struct bucket *b;
    struct error err;
    struct buf got;
    bool there;
    int fd;
    uint64_t size;
    tmp_make(dir, sizeof dir);
    snprintf(root, sizeof root, "%s/new/bucket", dir);
    assert_int_equal(bucket_open("s3x://no", &b, &err), ERR_UNSUPPORTED);
    assert_int_equal(bucket_open(root, &b, &err), OK);
    buf_init(&got, 6);
    assert_int_equal(bucket_get(b, "media/a.jpg", &got, &err), ERR_NOT_FOUND);
    assert_int_equal(bucket_put(b, "media/a.jpg", "first", 5, &err), OK);
    assert_int_equal(bucket_put(b, "media/a.jpg", "second", 6, &err), OK);
    assert_int_equal(bucket_get(b, "media/a.jpg", &got, &err), OK);
    assert_string_equal(buf_str(&got), "second");
    assert_int_equal(bucket_get(b, "media/a.jpg", &got, &err), ERR_TOO_LARGE);
    assert_int_equal(bucket_fd(b, "media/a.jpg", &fd, &size, &err), OK);
    assert_int_equal(size, 6);
    close(fd);
    assert_int_equal(bucket_exists(b, "media/a.jpg", &there, &err), OK);
    assert_true(there);
    assert_int_equal(bucket_exists(b, "media", &there, &err), OK);
    assert_false(there);
    assert_int_equal(bucket_delete(b, "media/a.jpg", &err), OK);
    assert_int_equal(bucket_delete(b, "media/a.jpg", &err), OK);
    assert_int_equal(bucket_exists(b, "media/a.jpg", &there, &err), OK);
    assert_false(there);
    buf_free(&got);
    bucket_close(b);
    bucket_close(NULL);
    tmp_remove(dir);
}

static void keys_stay_inside(void **state)
{
    (void)state;
    static const char *const bad[] = {"",        "/etc/passwd", "../x", "a/../b", "a//b", "a/",
                                      ".hidden", "a/.b",        "a\nb", "\xff",   "a/./b"};
    char dir[64], fifo[96], longest[600];
    struct bucket *b;
    struct error err;
    struct buf got;
    tmp_make(dir, sizeof dir);
    assert_int_equal(bucket_open(dir, &b, &err), OK);
    buf_init(&got, 10);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(bucket_put(b, bad[i], "x", 1, &err), ERR_INVALID);
        assert_int_equal(bucket_get(b, bad[i], &got, &err), ERR_INVALID);
        assert_int_equal(bucket_delete(b, bad[i], &err), ERR_INVALID);
    }
    memset(longest, 'a', sizeof longest);
    longest[513] = '\0';
    assert_int_equal(bucket_get(b, longest, &got, &err), ERR_INVALID);
    snprintf(fifo, sizeof fifo, "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(bucket_get(b, "fifo", &got, &err), ERR_NOT_FOUND);
    bucket_close(b);
    tmp_remove(dir);
}

static void many_are_written_and_synced_once(void **state)
{
    (void)state;
    char dir[64], key[300] = "media/", stale[96], fresh[96];
    struct bucket *b;
    struct error err;
    struct buf got;
    bool there;
    tmp_make(dir, sizeof dir);
    assert_int_equal(bucket_open(dir, &b, &err), OK);
    buf_init(&got, 100);
    memset(key + 6, 'n', 255); /* the longest name that a folder holds */
    assert_int_equal(bucket_put_later(b, key, "one", 3, &err), OK);
    assert_int_equal(bucket_put_later(b, "media/b", "two", 3, &err), OK);
    assert_int_equal(bucket_sync(b, &err), OK);
    assert_int_equal(bucket_get(b, key, &got, &err), OK);
    assert_string_equal(buf_str(&got), "one");

    snprintf(stale, sizeof stale, "%s/media/.put-stale", dir);
    snprintf(fresh, sizeof fresh, "%s/media/.put-fresh", dir);
    FILE *f = fopen(stale, "w"), *g = fopen(fresh, "w");
    assert_true(f && g);
    fclose(f);
    fclose(g);
    struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    assert_int_equal(utimensat(AT_FDCWD, stale, long_ago, 0), 0);
    bucket_tidy(b, "media");
    assert_int_not_equal(access(stale, F_OK), 0);
    assert_int_equal(access(fresh, F_OK), 0);
    assert_int_equal(bucket_exists(b, "media/b", &there, &err), OK);
    assert_true(there);
    bucket_tidy(b, "absent");
    buf_free(&got);
    bucket_close(b);
    tmp_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_come_and_go),
        cmocka_unit_test(keys_stay_inside),
        cmocka_unit_test(many_are_written_and_synced_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
