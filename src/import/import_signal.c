/* Packs of Signal, as its servers keep them: manifest.proto, and the stickers as full/0, full/1, ... (or 0, 1, ...
 * beside it), all encrypted by a key that only the pack's link has. They are decrypted into a folder of the import's
 * own, with a list of the kind that import_lists.c reads, and found there like any other folder.
 *
 * Of the 32 bytes of the pack's key, HKDF-SHA256 (RFC 5869) without a salt and with the info "Sticker Pack" makes 32
 * bytes for AES-256 and 32 for HMAC-SHA256. A file is 16 bytes of IV, AES-CBC with the padding of PKCS #7, and the
 * 32 bytes of the HMAC over both. (https://github.com/signalapp/Signal-Desktop, sticker-creator and ts/Crypto.ts) */
#include "import/import_parts.h"

#include "base/os.h"
#include "base/utf8.h"
#include "image/image.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MANIFEST     "manifest.proto"
#define MANIFEST_MAX (1u << 20)
#define STICKER_MAX  (4u << 20) /* bytes; Signal takes 300 KiB */
#define IV           16u
#define MAC          32u

_Static_assert(IMPORT_KEY_SIZE == 32, "of AES-256");

/* --- the manifest: fields of protocol buffers, of which few are known --- */

struct proto {
    const uint8_t *at, *end;
};

static bool take_varint(struct proto *p, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; p->at < p->end && shift < 64; shift += 7) {
        uint8_t byte = *p->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* The next field: a number, or its bytes, which is an empty range for one that has none. False at the end, or where it
 * is none of these: then p->at is not p->end. */
static bool take_field(struct proto *p, uint64_t *field, uint64_t *number, struct proto *bytes)
{
    const uint8_t *start = p->at;
    uint64_t tag, len = 0;
    *number = 0;
    *bytes = (struct proto){p->end, p->end};
    if (p->at == p->end)
        return false;
    bool good = take_varint(p, &tag);
    unsigned type = tag & 7;
    *field = tag >> 3;
    if (good && type == 0)
        good = take_varint(p, number);
    else if (good && type == 2)
        good = take_varint(p, &len);
    else if (good && (type == 1 || type == 5))
        len = type == 1 ? 8 : 4;
    else
        good = false;
    if (!good || len > (uint64_t)(p->end - p->at)) {
        p->at = start;
        return false;
    }
    if (type != 0)
        *bytes = (struct proto){p->at, p->at + len};
    p->at += len;
    return true;
}

/* NULL: no text, or no memory. */
static const char *take_text(const struct proto *bytes, struct arena *a)
{
    size_t len = (size_t)(bytes->end - bytes->at);
    const char *text = (const char *)bytes->at;
    return len <= IMPORT_MAX_TITLE && utf8_valid(text, len) && !utf8_has_control(text, len)
               ? arena_strndup(a, text, len)
               : NULL;
}

static bool read_sticker(struct proto bytes, struct arena *a, struct signal_sticker *out)
{
    uint64_t field, number;
    struct proto part;
    *out = (struct signal_sticker){.emoji = ""};
    while (take_field(&bytes, &field, &number, &part)) {
        if (field == 1)
            out->id = (uint32_t)number;
        else if (field == 2)
            out->emoji = take_text(&part, a);
        if (!out->emoji)
            return false;
    }
    return bytes.at == bytes.end;
}

enum status import_signal_manifest(const void *data, size_t len, struct arena *a, struct signal_pack *out,
                                   struct error *err)
{
    struct proto p = {data, (const uint8_t *)data + len}, part;
    struct signal_sticker one;
    uint64_t field, number;
    *out = (struct signal_pack){.title = "", .author = "", .stickers = arena_array(a, SIGNAL_STICKERS, sizeof one)};
    if (!out->stickers)
        return err_no_memory(err, "a pack");
    bool good = true;
    while (good && take_field(&p, &field, &number, &part)) {
        if (field == 1)
            good = (out->title = take_text(&part, a)) != NULL;
        else if (field == 2)
            good = (out->author = take_text(&part, a)) != NULL;
        else if (field == 3 && (good = read_sticker(part, a, &one)))
            out->cover = one.id, out->has_cover = true;
        else if (field == 4 && out->n == SIGNAL_STICKERS)
            return err_set(err, ERR_TOO_LARGE, "the pack has more than %u stickers", SIGNAL_STICKERS);
        else if (field == 4 && (good = read_sticker(part, a, &one)))
            out->stickers[out->n++] = one;
    }
    return good && p.at == p.end ? OK : err_set(err, ERR_CORRUPT, "it is not the manifest of a pack");
}

/* --- files --- */

bool import_signal_is(const char *folder)
{
    char path[PATH_MAX];
    struct stat sb;
    return snprintf(path, sizeof path, "%s/" MANIFEST, folder) < (int)sizeof path && lstat(path, &sb) == 0 &&
           S_ISREG(sb.st_mode);
}

struct keys {
    uint8_t aes[32], mac[MAC];
};

static bool hmac(const uint8_t key[MAC], const void *data, size_t len, uint8_t out[MAC])
{
    unsigned n = MAC;
    return HMAC(EVP_sha256(), key, MAC, data, len, out, &n) && n == MAC;
}

/* HKDF: extract with a salt of zeros, then expand to two blocks. */
static bool derive_keys(const uint8_t key[IMPORT_KEY_SIZE], struct keys *out)
{
    static const uint8_t salt[MAC];
    static const char info[] = "Sticker Pack";
    uint8_t pseudo[MAC], block[MAC + sizeof info];
    const size_t n = sizeof info - 1;
    memcpy(block, info, n);
    block[n] = 1;
    if (!hmac(salt, key, IMPORT_KEY_SIZE, pseudo) || !hmac(pseudo, block, n + 1, out->aes))
        return false;
    memcpy(block, out->aes, MAC);
    memcpy(block + MAC, info, n);
    block[MAC + n] = 2;
    return hmac(pseudo, block, MAC + n + 1, out->mac);
}

/* In place: *len becomes that of what was encrypted, which begins at data + IV. */
static enum status decrypt(const struct keys *keys, uint8_t *data, size_t *len, struct error *err)
{
    uint8_t mac[MAC];
    int n = 0, last = 0;
    if (*len < IV + 16 + MAC || (*len - MAC) % 16 != 0)
        return err_set(err, ERR_CORRUPT, "it is no encrypted file of a Signal pack");
    size_t signed_len = *len - MAC;
    if (!hmac(keys->mac, data, signed_len, mac) || CRYPTO_memcmp(mac, data + signed_len, MAC) != 0)
        return err_set(err, ERR_DENIED, "it is of another key than --pack-key, or was changed");
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    bool good = c && EVP_DecryptInit_ex(c, EVP_aes_256_cbc(), NULL, keys->aes, data) == 1 &&
                EVP_DecryptUpdate(c, data + IV, &n, data + IV, (int)(signed_len - IV)) == 1 &&
                EVP_DecryptFinal_ex(c, data + IV + n, &last) == 1;
    EVP_CIPHER_CTX_free(c);
    *len = (size_t)(n + last);
    return good ? OK : err_set(err, ERR_CORRUPT, "it cannot be decrypted");
}

/* Reads a file and decrypts it. ERR_NOT_FOUND. */
static enum status read_file(const struct keys *keys, const char *path, size_t most, struct buf *out, const char **data,
                             size_t *len, struct error *err)
{
    struct stat sb;
    buf_reset(out);
    if (lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode))
        return err_set(err, ERR_NOT_FOUND, "it is missing");
    if (sb.st_size > (off_t)most)
        return err_set(err, ERR_TOO_LARGE, "it has more than %zu bytes", most);
    enum status st = os_read_file(path, out, err);
    *len = out->len;
    if (st == OK)
        st = decrypt(keys, (uint8_t *)out->data, len, err);
    *data = st == OK ? buf_str(out) + IV : "";
    return st;
}

/* full/7, or 7 beside the manifest, becomes 7.png in the other folder; `name` is what it is called there. */
static enum status decrypt_sticker(const struct keys *keys, const char *from, const char *to, uint32_t id,
                                   struct buf *room, char name[32], struct error *err)
{
    static const char *const places[] = {"full/", ""};
    char path[PATH_MAX];
    const char *data;
    size_t len;
    enum status st = ERR_NOT_FOUND;
    for (size_t i = 0; i < 2 && st == ERR_NOT_FOUND; i++)
        st = snprintf(path, sizeof path, "%s/%s%u", from, places[i], id) < (int)sizeof path
                 ? read_file(keys, path, STICKER_MAX, room, &data, &len, err)
                 : err_set(err, ERR_INVALID, "its path is too long");
    enum image_kind kind = st == OK ? image_sniff(data, len) : IMAGE_UNKNOWN;
    if (st == OK && kind != IMAGE_PNG && kind != IMAGE_WEBP && kind != IMAGE_GIF)
        st = err_set(err, ERR_UNSUPPORTED, "it is no PNG, WebP or GIF");
    if (st != OK)
        return st;
    snprintf(name, 32, "%03u.%s", id, image_extension(kind));
    if (snprintf(path, sizeof path, "%s/%s", to, name) >= (int)sizeof path)
        return err_set(err, ERR_INVALID, "its path is too long");
    return os_write_file(path, data, len, err);
}

/* What is wrong with one sticker is a failure of that one. */
static enum status decrypt_all(struct import_list *l, const struct keys *keys, const char *from, const char *to,
                               const struct signal_pack *pack, struct error *err)
{
    struct buf room;
    char path[PATH_MAX], name[32];
    json_t *stickers = json_array(),
           *root = json_pack("{s:s, s:s, s:o}", "title", *pack->title ? pack->title : "Signal", "author", pack->author,
                             "stickers", stickers);
    buf_init(&room, STICKER_MAX);
    for (size_t i = 0; i < pack->n && root; i++) {
        const struct signal_sticker *s = &pack->stickers[i];
        struct error bad;
        if (decrypt_sticker(keys, from, to, s->id, &room, name, &bad) != OK) {
            const char *place = arena_printf(l->arena, "%s/%u", from, s->id);
            import_list_fail(l, place ? place : from, bad.message);
            continue;
        }
        json_array_append_new(stickers, json_pack("{s:s, s:s}", "file", name, "emoji", s->emoji));
        if (pack->has_cover && s->id == pack->cover)
            json_object_set_new(root, "cover", json_string(name));
    }
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    snprintf(path, sizeof path, "%.*s/signal.json", PATH_MAX - 16, to);
    enum status st = text ? os_write_file(path, text, strlen(text), err) : err_no_memory(err, "a pack");
    free(text);
    json_decref(root);
    buf_free(&room);
    return st;
}

enum status import_signal_decrypt(struct import_list *l, const char *path, char folder[PATH_MAX], struct error *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path, *data;
    char manifest[PATH_MAX];
    struct signal_pack pack;
    struct keys keys;
    struct buf file;
    size_t len;
    if (!l->pack_key)
        return err_set(err, ERR_INVALID,
                       "a pack of Signal is encrypted: give its key, the part behind pack_key= in its "
                       "link, as --pack-key");
    if (!derive_keys(l->pack_key, &keys) ||
        snprintf(manifest, sizeof manifest, "%s/" MANIFEST, path) >= (int)sizeof manifest)
        return err_set(err, ERR_INVALID, "the pack cannot be decrypted");
    buf_init(&file, MANIFEST_MAX);
    enum status st = read_file(&keys, manifest, MANIFEST_MAX, &file, &data, &len, err);
    if (st == OK)
        st = import_signal_manifest(data, len, l->arena, &pack, err);
    if (st != OK)
        err_prefix(err, MANIFEST);
    if (st == OK)
        st = import_make_folder(l, name, folder, err);
    if (st == OK)
        st = decrypt_all(l, &keys, path, folder, &pack, err);
    buf_free(&file);
    OPENSSL_cleanse(&keys, sizeof keys);
    return st;
}
