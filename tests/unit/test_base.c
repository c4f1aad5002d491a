#include "cm.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/deadline.h"
#include "base/evict.h"
#include "base/filter.h"
#include "base/json_in.h"
#include "base/labels.h"
#include "base/metric.h"
#include "base/os.h"
#include "base/own_folder.h"
#include "base/pool.h"
#include "base/select.h"
#include "base/utf8.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void arena_is_bounded(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a, 100000);
    char *s = arena_printf(&a, "%s-%d", "cat", 7);
    assert_string_equal(s, "cat-7");
    assert_null(arena_alloc(&a, 100000));
    assert_null(arena_array(&a, SIZE_MAX / 2, 4));
    assert_null(arena_room(&a, SIZE_MAX / 2, 4));
    assert_null(arena_room(&a, 100000, 1));
    for (size_t i = 0; i < 90; i++) {
        unsigned char *p = arena_alloc(&a, 1001);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        assert_int_equal(p[1000], 0);
        memset(p, 0xff, 1001);
    }
    arena_reset(&a);
    assert_int_equal(a.used, 0);
    char *zeroed = arena_alloc(&a, 64);
    assert_non_null(zeroed);
    assert_int_equal(zeroed[63], 0);
    arena_free(&a);
}

static void buf_failure_is_sticky(void **state)
{
    (void)state;
    struct buf b;
    struct error err;
    buf_init(&b, 10);
    buf_printf(&b, "%d", 12345);
    buf_puts(&b, "67890");
    assert_int_equal(buf_status(&b, &err), OK);
    buf_putc(&b, 'x');
    buf_puts(&b, "");
    assert_int_equal(buf_status(&b, &err), ERR_TOO_LARGE);
    assert_string_equal(err.message, "more than 10 bytes");
    assert_string_equal(buf_str(&b), "1234567890");
    assert_null(buf_take(&b));
    buf_reset(&b);
    char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    free(empty);
    buf_free(&b);
}

static void utf8_rejects_what_rfc3629_rejects(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    static const char good[] = "a\xc2\xa9\xe2\x82\xac\xf0\x9f\x90\xb1\xf4\x8f\xbf\xbf";
    assert_true(utf8_valid(good, strlen(good)));
    assert_int_equal(utf8_count(good, strlen(good)), 5);
    for (uint32_t cp = 1; cp < 0x110000; cp += 7) {
        char enc[4];
        uint32_t back = 0;
        size_t n = utf8_encode(cp, enc);
        if (cp >= 0xd800 && cp <= 0xdfff) {
            assert_int_equal(n, 0);
            continue;
        }
        assert_true(utf8_valid(enc, n));
        assert_int_equal(utf8_decode(enc, n, &back), n);
        assert_int_equal(back, cp);
    }
    const char *s = "\xe3\x80\x80 \t cat park\xc2\xa0\n";
    size_t len = strlen(s);
    utf8_trim(&s, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(s, "cat park", 8);
    assert_true(utf8_has_control("a\x1f", 2));
    assert_true(utf8_has_control("a\xc2\x85", 3));
    assert_false(utf8_has_control(good, strlen(good)));
}

static void times_round_trip(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } good[] = {{"2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"},
                {"2024-02-29", "2024-02-29T00:00:00.000000Z"},
                {"2026-01-31t12:00:00.5+02:00", "2026-01-31T10:00:00.500000Z"},
                {"1969-12-31T23:59:59.25Z", "1969-12-31T23:59:59.250000Z"}};
    static const char *const bad[] = {"",
                                      "2026",
                                      "2026-13-01",
                                      "2025-02-29",
                                      "2026-01-31T",
                                      "2026-01-31T25:00Z",
                                      "2026-01-31T12:00:00.Z",
                                      "2026-01-31T12:00:00Zx",
                                      "yesterday"};
    struct error err;
    int64_t us;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char out[28];
        assert_int_equal(os_parse_time(good[i].in, &us, &err), OK);
        os_format_time(us, out);
        assert_string_equal(out, good[i].out);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(os_parse_time(bad[i], &us, &err), ERR_INVALID);
}

static void uuids_ascend(void **state)
{
    (void)state;
    char last[37] = "", id[37];
    for (int i = 0; i < 20000; i++) {
        os_uuid7(id);
        assert_true(strcmp(id, last) > 0);
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        memcpy(last, id, sizeof id);
    }
}

static void files_are_replaced_whole(void **state)
{
    (void)state;
    char dir[64], path[128];
    struct error err;
    struct buf b;
    tmp_make(dir, sizeof dir);
    snprintf(path, sizeof path, "%s/a/b", dir);
    assert_int_equal(os_mkdirs(path, &err), OK);
    assert_int_equal(os_mkdirs(path, &err), OK);
    snprintf(path, sizeof path, "%s/a/b/c", dir);
    assert_int_equal(os_write_file(path, "one", 3, &err), OK);
    assert_int_equal(os_write_file(path, "three", 5, &err), OK);
    assert_int_equal(os_mkdirs(path, &err), ERR_CONFLICT);
    buf_init(&b, 5);
    assert_int_equal(os_read_file(path, &b, &err), OK);
    assert_string_equal(buf_str(&b), "three");
    assert_int_equal(os_read_file(path, &b, &err), ERR_TOO_LARGE);
    assert_int_equal(os_read_file("/nowhere/x", &b, &err), ERR_NOT_FOUND);
    struct os_map m;
    assert_int_equal(os_map_file(path, &m, &err), OK);
    assert_memory_equal(m.data, "three", 5);
    os_unmap(&m);
    assert_int_equal(os_map_file(dir, &m, &err), ERR_INVALID);
    buf_free(&b);
    tmp_remove(dir);
}

static void sum_index(void *arg, size_t i)
{
    atomic_fetch_add((atomic_size_t *)arg, i + 1);
}

static void add_one(void *arg)
{
    atomic_fetch_add((atomic_size_t *)arg, 1);
}

static void *many_loops(void *arg)
{
    for (size_t i = 0; i < 500; i++) {
        atomic_size_t sum = 0;
        pool_for(arg, i % 7, sum_index, &sum);
        if (sum != (i % 7) * (i % 7 + 1) / 2)
            return arg;
    }
    return NULL;
}

struct nested {
    struct pool *pool;
    atomic_size_t sum;
};

static void loop_inside(void *arg, size_t i)
{
    struct nested *n = arg;
    (void)i;
    pool_for(n->pool, 10, sum_index, &n->sum);
}

static void pool_loops_inside_a_loop(void **state)
{
    (void)state;
    struct nested n = {.sum = 0};
    struct error err;
    assert_int_equal(pool_open("test", 3, 1, &n.pool, &err), OK);
    assert_int_equal(pool_width(n.pool), 4);
    assert_int_equal(pool_width(NULL), 1);
    pool_for(n.pool, 100, loop_inside, &n);
    assert_int_equal(n.sum, 100 * 55);
    pool_close(n.pool);
}

static void pool_runs_everything_once(void **state)
{
    (void)state;
    struct pool *p;
    struct error err;
    assert_int_equal(pool_open("test", 0, 1, &p, &err), ERR_INVALID);
    assert_int_equal(pool_open("test", 3, 100, &p, &err), OK);
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        pthread_create(&t[i], NULL, many_loops, p);
    atomic_size_t done = 0;
    size_t accepted = 0;
    for (int i = 0; i < 2000; i++)
        accepted += pool_submit(p, add_one, &done) == OK;
    for (int i = 0; i < 3; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    pool_close(p);
    assert_true(accepted >= 100);
    assert_int_equal(done, accepted);
}

static enum evict_kind evict_kind_of(const char *name, int64_t age_s)
{
    if (strncmp(name, ".new-", 5) == 0)
        return age_s >= 3600 ? EVICT_LEFT_OVER : EVICT_FOREIGN;
    return name[0] == 'f' ? EVICT_COUNTS : EVICT_FOREIGN;
}

static void put_aged_file(const char *dir, const char *name, int64_t age_s, char path[PATH_MAX])
{
    char bytes[100] = "";
    assert_true(os_join_path(path, dir, name));
    assert_int_equal(os_write_file(path, bytes, sizeof bytes, NULL), OK);
    struct timespec times[2] = {{.tv_sec = os_now_us() / 1000000 - age_s}, {.tv_sec = os_now_us() / 1000000 - age_s}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void the_longest_unused_goes_first(void **state)
{
    (void)state;
    static const char *const names[] = {"00/f1", "7f/f2", "ff/f3", "00/other", "00/.new-1", "ff/.new-2"};
    static const int64_t ages[] = {300, 9000, 200, 9999, 10, 4000};
    char dir[64], folder[PATH_MAX], paths[6][PATH_MAX];
    uint64_t bytes;
    tmp_make(dir, sizeof dir);
    for (int i = 0; i < 6; i++) {
        snprintf(folder, sizeof folder, "%s/%.2s", dir, names[i]);
        assert_int_equal(os_mkdirs(folder, NULL), OK);
        put_aged_file(dir, names[i], ages[i], paths[i]);
    }
    assert_false(evict_longest_unused(dir, 300, evict_kind_of, &bytes));
    assert_int_equal(bytes, 300);
    assert_int_not_equal(access(paths[5], F_OK), 0); /* left over */
    int fd = open(paths[1], O_RDONLY);
    evict_touch(fd, os_now_us() / 1000000 - 9000, 3600); /* now f1 is the one */
    close(fd);
    assert_true(evict_longest_unused(dir, 299, evict_kind_of, &bytes));
    assert_int_equal(bytes, 200);
    assert_int_not_equal(access(paths[0], F_OK), 0);
    assert_true(evict_longest_unused(dir, 0, evict_kind_of, &bytes));
    assert_int_equal(bytes, 0);
    assert_int_equal(access(paths[3], F_OK), 0);
    assert_int_equal(access(paths[4], F_OK), 0);
    tmp_remove(dir);
}

static void errors_name_things(void **state)
{
    (void)state;
    struct error err;
    assert_int_equal(err_set(&err, ERR_INVALID, "n must be %d", 3), ERR_INVALID);
    assert_int_equal(err_prefix(&err, "file %s", "a"), ERR_INVALID);
    assert_string_equal(err.message, "file a: n must be 3");
    assert_int_equal(err_set(&err, ERR_IO, "again: %s", err.message), ERR_IO);
    assert_string_equal(err.message, "again: file a: n must be 3");
    for (int i = 0; i < 100; i++)
        err_prefix(&err, "0123456789");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void filters_are_said_by_name(void **state)
{
    (void)state;
    struct error err;
    struct sticker_filter f = STICKER_FILTER_NONE;
    char *long_pack = calloc(1, STICKER_FILTER_PACK_MAX + 2);
    assert_non_null(long_pack);
    assert_true(sticker_filter_is_none(NULL) && sticker_filter_is_none(&f));
    assert_true(sticker_filter_passes(&f, "any", RATING_R, true));
    for (enum rating r = RATING_G; r <= RATING_R; r++) {
        assert_int_equal(sticker_filter_set(&f, "rating", rating_name(r), &err), OK);
        assert_int_equal(f.rating_most, r);
        assert_int_equal(sticker_filter_passes(&f, "", RATING_PG_13, false), r >= RATING_PG_13);
    }
    assert_int_equal(sticker_filter_set(&f, "animated", "false", &err), OK);
    assert_false(sticker_filter_passes(&f, "", RATING_G, true));
    assert_int_equal(sticker_filter_set(&f, "animated", "true", &err), OK);
    assert_true(sticker_filter_passes(&f, "", RATING_G, true));
    assert_int_equal(sticker_filter_set(&f, "pack", "cats", &err), OK);
    assert_false(sticker_filter_passes(&f, "Cats", RATING_G, true));
    assert_true(sticker_filter_passes(&f, "cats", RATING_G, true));
    assert_int_equal(sticker_filter_set(&f, "rating", "PG", &err), ERR_INVALID);
    assert_string_equal(err.message, "rating must be g, pg, pg-13 or r, found \"PG\"");
    assert_int_equal(sticker_filter_set(&f, "animated", "", &err), ERR_INVALID);
    assert_string_equal(err.message, "animated must be true or false, found \"\"");
    memset(long_pack, 'x', STICKER_FILTER_PACK_MAX + 1);
    assert_int_equal(sticker_filter_set(&f, "pack", long_pack, &err), ERR_INVALID);
    assert_string_equal(err.message, "pack must have at most 1000 bytes, found 1001");
    free(long_pack);
}

static void labels_tell_what_passes(void **state)
{
    (void)state;
    struct labels *l;
    struct label_test t;
    struct error err;
    char pack[32];
    assert_int_equal(labels_open(&l, &err), OK);
    labels_test_begin(l, &(struct sticker_filter){.pack = "none", .rating_most = RATING_R}, &t); /* of nothing */
    assert_false(label_passes(&t, 0));
    labels_test_end(&t);
    for (int i = 0; i < 3000; i++) { /* many packs, ids with gaps */
        snprintf(pack, sizeof pack, "pack %d", i % 300);
        assert_int_equal(labels_put(l, 3 * i, pack, (enum rating)(i % 4), i % 2, &err), OK);
    }
    assert_int_equal(labels_put(l, -1, "", RATING_G, false, &err), ERR_TOO_LARGE);
    assert_int_equal(labels_put(l, LABELS_MAX_ID + 1, "", RATING_G, false, &err), ERR_TOO_LARGE);
    for (int p = 0; p < 300; p += 7) {
        snprintf(pack, sizeof pack, "pack %d", p);
        struct sticker_filter f = {.pack = pack, .rating_most = RATING_PG, .animated = ANIMATED_NO};
        labels_test_begin(l, &f, &t);
        for (int id = -1; id < 9200; id++) {
            int i = id / 3;
            bool there = id >= 0 && id % 3 == 0 && i < 3000;
            assert_int_equal(label_passes(&t, id), there && i % 300 == p && i % 4 <= 1 && i % 2 == 0);
        }
        labels_test_end(&t);
    }
    labels_remove(l, 0);
    labels_remove(l, 1 << 30); /* one that was never there */
    labels_test_begin(l, &(struct sticker_filter){.pack = "unheard of", .rating_most = RATING_R}, &t);
    assert_false(label_passes(&t, 3));
    labels_test_end(&t);
    labels_test_begin(l, &(struct sticker_filter){.pack = "", .rating_most = RATING_R}, &t);
    assert_false(label_passes(&t, 0));
    assert_true(label_passes(&t, 3));
    labels_test_end(&t);
    labels_close(l);
}

static void errors_are_whole_characters(void **state)
{
    (void)state;
    struct error err;
    err_set(&err, ERR_INVALID, "found \"%.4s\"", "\xe2\x82\xac\xe2\x82\xac"); /* one and a third */
    assert_string_equal(err.message, "found \"\xe2\x82\xac\"");
    err_set(&err, ERR_INVALID, "%s", "a\xff\xc3\xa9\xf0\x9f\x90");
    assert_string_equal(err.message, "a\xc3\xa9");
}

static void work_ends_at_its_deadline(void **state)
{
    (void)state;
    int fd[2];
    assert_false(deadline_passed());
    deadline_set(os_monotonic_us() + 50000, -1);
    assert_false(deadline_passed());
    usleep(60000);
    assert_true(deadline_passed());
    deadline_clear();
    assert_false(deadline_passed());
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
    deadline_set(0, fd[0]);
    assert_false(deadline_passed());
    assert_int_equal(send(fd[1], "x", 1, 0), 1); /* the next request may be there already */
    assert_false(deadline_passed());
    assert_int_equal(recv(fd[0], &(char){0}, 1, 0), 1);
    close(fd[1]);
    usleep(2000); /* it looks at the socket now and then */
    assert_true(deadline_passed());
    deadline_clear();
    close(fd[0]);
}

static int greatest_first(const void *x, const void *y)
{
    double a = *(const double *)x, b = *(const double *)y;
    return (a < b) - (a > b);
}

static void selects_as_sorting_does(void **state)
{
    (void)state;
    double v[200], sorted[200];
    for (unsigned n = 1, seed = 1; n <= 200; n++)
        for (size_t k = 1; k <= n; k += 1 + n / 9) {
            for (unsigned i = 0; i < n; i++) {
                seed = seed * 1664525u + 1013904223u;
                v[i] = sorted[i] = (double)(seed >> 16) / (n % 3 ? 1 : 10000); /* equal ones, too */
                v[i] = sorted[i] = n % 3 ? v[i] : (double)(int)v[i];
            }
            qsort(sorted, n, sizeof *sorted, greatest_first);
            assert_true(select_greatest(v, n, k) == sorted[k - 1]);
        }
}

static void quantiles_of_times(void **state)
{
    (void)state;
    struct metric_times t = {0};
    assert_int_equal(metric_quantile_us(&t, .5), 0);
    for (int i = 0; i < 99; i++)
        metric_observe(&t, 300); /* between 250 and 500 */
    metric_observe(&t, 60000000);
    assert_int_equal(metric_count(&t), 100);
    assert_in_range(metric_quantile_us(&t, .5), 250, 500);
    assert_in_range(metric_quantile_us(&t, .99), 250, 500);
    assert_int_equal(metric_quantile_us(&t, 1), 10000000); /* the last bound: longer is not told apart */
}

static void whole_numbers_are_one_however_written(void **state)
{
    (void)state;
    int64_t n = 7;
    json_t *list = json_loads("[3, 3.0, 30e-1, -9007199254740992.0, 3.5, 1e300, \"3\", null]", 0, NULL);
    assert_non_null(list);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(json_whole_number(json_array_get(list, i), &n), i < 4);
        assert_int_equal(n, i < 3 ? 3 : -(1ll << 53));
    }
    assert_false(json_whole_number(NULL, &n));
    json_decref(list);
}

/* What a process that was killed leaves goes when the next one makes its own; what is held stays. */
static void a_folder_goes_with_its_process(void **state)
{
    (void)state;
    char dir[64], left[96], file[128];
    struct own_folder *a, *b;
    struct error err;
    tmp_make(dir, sizeof dir);
    snprintf(left, sizeof left, "%s/peel-import-killed", dir);
    snprintf(file, sizeof file, "%s/x", left);
    assert_int_equal(mkdir(left, 0700), 0);
    assert_int_equal(os_write_file(file, "x", 1, &err), OK);
    assert_int_equal(own_folder_open(dir, &a, &err), OK);
    assert_int_equal(access(left, F_OK), -1);
    assert_int_equal(own_folder_open(dir, &b, &err), OK);
    assert_int_equal(access(a->path, F_OK), 0);
    own_folder_close(a);
    own_folder_close(b);
    assert_int_equal(rmdir(dir), 0);
    assert_int_not_equal(own_folder_open(dir, &a, &err), OK);
    assert_non_null(strstr(err.message, dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_ends_at_its_deadline),
        cmocka_unit_test(quantiles_of_times),
        cmocka_unit_test(selects_as_sorting_does),
        cmocka_unit_test(arena_is_bounded),
        cmocka_unit_test(buf_failure_is_sticky),
        cmocka_unit_test(utf8_rejects_what_rfc3629_rejects),
        cmocka_unit_test(times_round_trip),
        cmocka_unit_test(uuids_ascend),
        cmocka_unit_test(files_are_replaced_whole),
        cmocka_unit_test(a_folder_goes_with_its_process),
        cmocka_unit_test(pool_runs_everything_once),
        cmocka_unit_test(pool_loops_inside_a_loop),
        cmocka_unit_test(the_longest_unused_goes_first),
        cmocka_unit_test(errors_name_things),
        cmocka_unit_test(filters_are_said_by_name),
        cmocka_unit_test(labels_tell_what_passes),
        cmocka_unit_test(errors_are_whole_characters),
        cmocka_unit_test(whole_numbers_are_one_however_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
