/* Archives of packs, as they may come from a registry: half of the inputs are the tar inside, as nothing that is
 * changed at random stays compressed well. What is read has the names and sizes that were asked for. */
#include "import/packs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t streamed, whole;

static bool is_wanted(void *ctx, const char *path)
{
    (void)ctx;
    return strcmp(path, "data.json") == 0;
}

static enum status count(void *ctx, const char *path, const char *data, size_t len, struct error *err)
{
    (void)err;
    if (!is_wanted(NULL, path))
        abort();
    for (size_t i = 0; i < len; i++) /* reads all of it */
        *(size_t *)ctx += (size_t)(data[i] != 0) + (data[i] == 0);
    return OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct error err;
    struct pack_files files;
    char path[64], digest[65];
    int fd = memfd_create("archive", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    arena_init(&a, 64u << 20);
    if (pack_unpack(path, "img/", ".svg", "data.json", &a, &files, &err) == OK) {
        for (size_t i = 0; i < files.n; i++)
            if (strchr(files.items[i].name, '/') || (i && strcmp(files.items[i - 1].name, files.items[i].name) > 0))
                abort();
        if (pack_digest(&files, digest, &err) != OK || strlen(digest) != 64)
            abort();
    } else if (!err.message[0]) {
        abort();
    }
    streamed = whole = 0;
    enum status each = pack_each(path, is_wanted, count, &whole, &err);
    enum status stream = pack_stream(path, is_wanted, count, &streamed, &err);
    if (each == OK && (stream != OK || streamed != whole))
        abort();
    arena_free(&a);
    close(fd);
    return 0;
}
