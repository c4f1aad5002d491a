/* What a store or a disk may give the bucket: listings, answers, and copies in the cache. Half of the copies get
 * their trailer put right first, so that what lies behind it is reached. The sources are included for what is
 * private there. */
#include "bucket/bucket_cache.c"   /* NOLINT(bugprone-suspicious-include) */
#include "bucket/bucket_s3_list.c" /* NOLINT(bugprone-suspicious-include) */

#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum status on_key(void *ctx, const char *key, const char *etag, uint64_t size, struct error *err)
{
    size_t *n = ctx;
    (void)size, (void)err;
    if (!bucket_key_valid(key) || strlen(etag) >= BUCKET_MAX_ETAG)
        abort();
    ++*n;
    return OK;
}

static void listing(const uint8_t *data, size_t size)
{
    struct s3 s = {.name = "bucket", .prefix = "p/"};
    struct error err;
    char out[16];
    size_t n = 0;
    char *text = malloc(size + 1); /* its own block, so that reading past the end shows */
    if (!text)
        abort();
    memcpy(text, data, size);
    text[size] = '\0';
    if (s3_xml_text(text, "Code", out, sizeof out) && strlen(out) >= sizeof out)
        abort();
    if (s3_read_page(&s, text, on_key, &n, &err) != OK && err.code != ERR_CORRUPT)
        abort();
    free(text);
}

static void copy_in_cache(const uint8_t *data, size_t size, bool right)
{
    static const char name[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    char etag[BUCKET_MAX_ETAG];
    uint64_t found, made;
    struct error err;
    int fd = memfd_create("copy", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    if (right) {
        snprintf(etag, sizeof etag, "%.*s", (int)(size < 100 ? size : 100), (const char *)data);
        if (write_trailer(fd, "copy", name, etag, &made, &err) != OK || made != size)
            abort();
        if (!read_trailer(fd, name, &found, etag) || found != size)
            abort();
    } else if (read_trailer(fd, name, &found, etag) && found + TRAILER != size) {
        abort();
    }
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1u << 16)
        return 0;
    if (data[0] % 4 < 2)
        listing(data + 1, size - 1);
    else
        copy_in_cache(data + 1, size - 1, data[0] % 4 == 2);
    return 0;
}
