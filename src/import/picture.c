#include "import/picture.h"

#include "base/log.h"
#include "base/os.h"
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define WAIT_MS  30000u     /* for a worker that decodes it */
#define ROW_MAX  (4u << 20) /* with all words */
#define KEY_SIZE (STICKER_FILENAME_MAX + 8)

static void picture_key(const struct picture *p, char key[KEY_SIZE])
{
    snprintf(key, KEY_SIZE, "media/%s", p->filename);
}

enum status picture_check_bytes(int64_t bytes, struct error *err)
{
    if (bytes > IMAGE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "%lld bytes: at most %u are allowed", (long long)bytes, IMAGE_MAX_BYTES);
    return bytes ? OK : err_set(err, ERR_CORRUPT, "the file is empty");
}

enum status picture_begin(const char *filename, const void *data, size_t len, struct picture *out, struct error *err)
{
    *out = (struct picture){.filename = filename, .data = data, .len = len};
    enum status st = filename_check(filename, err);
    if (st == OK)
        st = picture_check_bytes((int64_t)len, err);
    if (st == OK)
        os_sha256_hex(data, len, out->sha256);
    return st;
}

enum status picture_clash(const char *where, struct error *err)
{
    return err_set(err, ERR_CONFLICT, "another image of this name exists, with other content%s", where);
}

enum image_kind picture_kind_said(const char *filename)
{
    static const struct {
        const char *ending;
        enum image_kind kind;
    } endings[] = {{"jpg", IMAGE_JPEG},  {"jpeg", IMAGE_JPEG},        {"jpe", IMAGE_JPEG},    {"jfif", IMAGE_JPEG},
                   {"png", IMAGE_PNG},   {"webp", IMAGE_WEBP},        {"gif", IMAGE_GIF},     {"svg", IMAGE_SVG},
                   {"tgs", IMAGE_TGS},   {"lottie", IMAGE_DOTLOTTIE}, {"json", IMAGE_LOTTIE}, {"avif", IMAGE_AVIF},
                   {"heic", IMAGE_HEIC}, {"heif", IMAGE_HEIC},        {"webm", IMAGE_WEBM}};
    const char *dot = strrchr(filename, '.');
    for (size_t i = 0; dot && dot > filename && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot + 1, endings[i].ending) == 0)
            return endings[i].kind;
    return IMAGE_UNKNOWN;
}

static enum status check_ending(const char *filename, enum image_kind kind, struct error *err)
{
    if (picture_kind_said(filename) == kind)
        return OK;
    return err_set(err, ERR_INVALID, "the content is %s, so the name should end in .%s", image_mime(kind),
                   image_extension(kind));
}

enum status picture_check(struct picture *p, struct sandbox *sandbox, struct error *err)
{
    struct sandbox_image file = {.data = p->data, .len = p->len, .sha256 = p->sha256, .wait_ms = WAIT_MS};
    struct sandbox_verdict found;
    enum status st = sandbox_check(sandbox, &file, &found, err);
    if (st == OK)
        st = check_ending(p->filename, found.kind, err);
    p->kind = found.kind;
    p->width = found.width;
    p->height = found.height;
    p->motion = found.motion;
    p->look = found.look;
    return st;
}

bool picture_is_in(const struct picture *p, struct bucket *bucket)
{
    char key[KEY_SIZE];
    int fd;
    uint64_t size;
    picture_key(p, key);
    if (bucket_fd(bucket, key, &fd, &size, NULL) != OK)
        return false;
    close(fd);
    return size == p->len;
}

enum status picture_put(const struct picture *p, struct bucket *bucket, bool later, struct error *err)
{
    char key[KEY_SIZE];
    picture_key(p, key);
    return later ? bucket_put_later(bucket, key, p->data, p->len, err) : bucket_put(bucket, key, p->data, p->len, err);
}

enum status picture_keep(const struct picture *p, struct bucket *bucket, struct error *err)
{
    char key[KEY_SIZE];
    bool exists;
    picture_key(p, key);
    enum status st = bucket_exists(bucket, key, &exists, err);
    return st == OK && !exists ? picture_put(p, bucket, false, err) : st;
}

static enum status look_at(const char *filename, const struct buf *content, const struct sticker *row,
                           struct sandbox *sandbox, struct sticker_store *store, struct error *err)
{
    struct picture p;
    struct sticker now = *row;
    enum status st = picture_begin(filename, content->data, content->len, &p, err);
    if (st != OK || strcmp(p.sha256, row->sha256) == 0)
        return st;
    st = picture_check(&p, sandbox, err);
    if (st != OK)
        return st;
    picture_describe(&p, &now);
    log_warn("%s was replaced, but the service ended before it could say so; its row is corrected", filename);
    return sticker_store_image_is(store, filename, &now, err);
}

enum status picture_look(const char *filename, struct bucket *bucket, struct sandbox *sandbox,
                         struct sticker_store *store, struct error *err)
{
    char key[KEY_SIZE];
    struct arena a;
    struct buf content;
    struct sticker row;
    arena_init(&a, ROW_MAX);
    buf_init(&content, IMAGE_MAX_BYTES + 1);
    picture_key(&(struct picture){.filename = filename}, key);
    enum status st = sticker_store_get(store, filename, &a, &row, err);
    if (st == OK)
        st = bucket_get(bucket, key, &content, err);
    if (st == OK)
        st = look_at(filename, &content, &row, sandbox, store, err);
    buf_free(&content);
    arena_free(&a);
    return st == ERR_NOT_FOUND ? OK : st;
}

void picture_describe(const struct picture *p, struct sticker *out)
{
    out->filename = p->filename;
    out->sha256 = p->sha256;
    out->mime = image_mime(p->kind);
    out->bytes = (int64_t)p->len;
    out->width = (int32_t)p->width;
    out->height = (int32_t)p->height;
    out->animated = p->motion.frames > 1;
    out->frames = (int32_t)p->motion.frames;
    out->duration_ms = (int32_t)p->motion.duration_ms;
    out->ocr_by = "";
    out->look = &p->look;
    out->look_size = sizeof p->look;
}

const char *picture_title(const char *filename, struct arena *a)
{
    const char *dot = strrchr(filename, '.');
    size_t len = dot && dot != filename ? (size_t)(dot - filename) : strlen(filename);
    char *title = arena_strndup(a, filename, len), *to = title;
    if (!title)
        return NULL;
    for (char *p = title; *p; p++) {
        char c = *p == '_' || *p == '-' ? ' ' : *p;
        if (c != ' ' || (to > title && to[-1] != ' '))
            *to++ = c;
    }
    while (to > title && to[-1] == ' ')
        to--;
    *to = '\0';
    return *title ? title : arena_strdup(a, filename);
}
