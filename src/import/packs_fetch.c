/* Archives in the cache, with their checksums. Whoever may download sets pack_source.download (cmd/packs_download.c).
 */
#include "import/packs.h"

#include "base/os.h"

#include <limits.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#define MAX_ARCHIVE (2ull << 30)

/* OK when the file is there and has the pack's checksum. */
static enum status pack_verify(const char *path, const struct pack *pack, struct error *err)
{
    struct os_map map;
    unsigned char hash[crypto_hash_sha512_BYTES];
    char text[sodium_base64_ENCODED_LEN(crypto_hash_sha512_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    if (map.len > MAX_ARCHIVE)
        st = err_set(err, ERR_TOO_LARGE, "%s has more than %llu bytes", path, MAX_ARCHIVE);
    else {
        crypto_hash_sha512(hash, map.data, map.len);
        sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
        if (strcmp(text, pack->sha512) != 0)
            st = err_set(err, ERR_CORRUPT, "%s: expected sha512 %.16s..., found %.16s...", path, pack->sha512, text);
    }
    os_unmap(&map);
    return st;
}

enum status pack_fetch(const struct pack_source *source, const struct pack *pack, struct arena *a, const char **path,
                       bool *release, struct error *err)
{
    char *folder = arena_printf(a, "%s/packs", source->cache_dir);
    char *file = folder ? arena_printf(a, "%s/%s", folder, pack->archive) : NULL;
    char *own = folder ? arena_printf(a, "%s/%s-%s-release.tar.gz", folder, pack->name, pack->version) : NULL;
    if (!file || !own || strlen(own) >= PATH_MAX)
        return err_set(err, ERR_INVALID, "--cache-dir: the path is too long");
    *path = file;
    *release = false;
    enum status st = pack_verify(file, pack, err);
    if (st == OK)
        return OK;
    if (source->download) {
        st = os_mkdirs(folder, err);
        if (st == OK)
            st = source->download(source, pack, file, own, err);
        if (st != OK)
            return st;
    }
    if (access(own, R_OK) == 0) {
        *release = true;
        *path = own;
        return OK;
    }
    st = pack_verify(file, pack, err);
    if (st == ERR_CORRUPT && source->download)
        unlink(file);
    return st;
}
