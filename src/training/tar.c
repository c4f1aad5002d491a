#include "training/tar.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define BLOCK 512u

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type, link[100], magic[6], version[2],
        user[32], group[32], major[8], minor[8], prefix[155], unused[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

static enum status put(FILE *out, const void *data, size_t len, struct error *err)
{
    return len == 0 || fwrite(data, len, 1, out) == 1 ? OK : err_errno(err, "writing an archive");
}

static size_t padding(uint64_t len)
{
    return (BLOCK - len % BLOCK) % BLOCK;
}

enum status tar_add(FILE *out, const char *name, const void *data, size_t len, struct error *err)
{
    static const char zeros[BLOCK];
    struct header h = {.type = '0'};
    unsigned sum = 0;
    size_t name_len = strlen(name);
    assert(name_len > 0 && name_len <= sizeof h.name);
    if (len > 077777777777)
        return err_set(err, ERR_TOO_LARGE, "%.100s has %zu bytes: an archive takes at most 8 GiB", name, len);
    memcpy(h.name, name, name_len);
    memcpy(h.mode, "0000644", 8);
    memcpy(h.uid, "0000000", 8);
    memcpy(h.gid, "0000000", 8);
    snprintf(h.size, sizeof h.size, "%011zo", len);
    memcpy(h.mtime, "00000000000", 12);
    memcpy(h.magic, "ustar", 6);
    memcpy(h.version, "00", 2);
    memset(h.checksum, ' ', sizeof h.checksum); /* as it counts in the sum */
    for (size_t i = 0; i < sizeof h; i++)
        sum += ((const unsigned char *)&h)[i];
    snprintf(h.checksum, sizeof h.checksum, "%06o", sum & 0777777);
    enum status st = put(out, &h, sizeof h, err);
    if (st == OK)
        st = put(out, data, len, err);
    return st == OK ? put(out, zeros, padding(len), err) : st;
}

enum status tar_end(FILE *out, struct error *err)
{
    static const char zeros[2 * BLOCK];
    return put(out, zeros, sizeof zeros, err);
}

enum status tar_count(const char *path, const char *ending, int64_t *n, struct error *err)
{
    struct header h;
    FILE *in = fopen(path, "re");
    size_t end_len = strlen(ending);
    enum status st = in ? OK : err_errno(err, "%s", path);
    *n = 0;
    while (st == OK && fread(&h, sizeof h, 1, in) == 1 && h.name[0]) {
        size_t len = strnlen(h.name, sizeof h.name);
        h.size[sizeof h.size - 1] = '\0';
        uint64_t size = strtoull(h.size, NULL, 8);
        *n += len >= end_len && memcmp(h.name + len - end_len, ending, end_len) == 0;
        if (memcmp(h.magic, "ustar", 6) != 0)
            st = err_set(err, ERR_CORRUPT, "%s is no archive of an export", path);
        else if (fseeko(in, (off_t)(size + padding(size)), SEEK_CUR) != 0)
            st = err_errno(err, "%s", path);
    }
    if (in)
        fclose(in);
    return st;
}
