#include "web/qr.h"

#include "base/buf.h"

#include <qrencode.h>

#define QUIET          4
#define PATH_MAX_BYTES (1u << 20)

/* Each row's dark modules as bars. */
static void put_row(struct buf *out, const unsigned char *row, int width, int y)
{
    for (int x = 0, end; x < width; x = end) {
        for (end = x + 1; end < width && (row[end] & 1) == (row[x] & 1);)
            end++;
        if (row[x] & 1)
            buf_printf(out, "M%d,%dh%dv1h-%dz", x + QUIET, y + QUIET, end - x, end - x);
    }
}

enum status qr_path(const char *text, struct arena *a, const char **path, int64_t *size, struct error *err)
{
    struct buf out;
    QRcode *code = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
    if (!code)
        return err_set(err, ERR_TOO_LARGE, "the text does not fit into a QR code");
    buf_init(&out, PATH_MAX_BYTES);
    for (int y = 0; y < code->width; y++)
        put_row(&out, code->data + y * code->width, code->width, y);
    *size = code->width + 2 * QUIET;
    QRcode_free(code);
    *path = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return *path ? OK : err_no_memory(err, "a QR code");
}
