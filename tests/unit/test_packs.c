#include "cm.h"

#include "cmd/packs.h"

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
    struct pack_source source = {.cache_dir = dir, .registry = "bad://127.0.0.1"};
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wanted_files_are_read),
        cmocka_unit_test(broken_archives_are_refused),
        cmocka_unit_test(unknown_packs_and_missing_npm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
