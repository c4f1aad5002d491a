/* assets.h: the static files of web/static, inside the program.
 *
 * Each has a URL that holds a fingerprint of its content, "/static/app.1f3c9a0b2d4e.css", so it may
 * be cached for a year; templates write {{ asset "app.css" }}. Made at build time by tools/embed. */
#ifndef PEEL_WEB_ASSETS_H
#define PEEL_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#define ASSET_CACHE_CONTROL "public, max-age=31536000, immutable"

/* Everything is static. */
struct asset {
    const char *name; /* "app.css" */
    const char *file; /* "app.1f3c9a0b2d4e.css": what follows /static/ */
    const char *type; /* "text/css; charset=utf-8" */
    const char *etag; /* quoted, of the plain content */
    const unsigned char *data;
    size_t len;
    const unsigned char *gzip; /* the same compressed, or NULL where that is not smaller */
    size_t gzip_len;
};

const struct asset *asset_by_file(const char *file); /* by fingerprinted name; NULL if there is none */
const struct asset *asset_by_name(const char *name);

#endif
