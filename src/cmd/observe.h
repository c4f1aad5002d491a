/* observe.h: what the running services say about themselves, for `peel status` and the progress shown by
 * `peel serve`. */
#ifndef PEEL_CMD_OBSERVE_H
#define PEEL_CMD_OBSERVE_H

#include "base/status.h"
#include "config/config.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct observer;
/* URLs without a final slash, copied; NULL: that service is not asked. */
enum status observer_open(const char *sticker_url, const char *search_url, struct observer **out,
                          struct error *err) MUST_CHECK;
void observer_close(struct observer *o); /* NULL is fine */

struct observed {
    json_t *sticker, *search;     /* /readyz of StickerService, /api/status of SearchService; NULL: no answer */
    bool sticker_ready;           /* /readyz said 200 */
    int64_t stickers, pending;    /* as StickerService says; pending: changes waiting to be indexed */
    int64_t documents;            /* as SearchService says */
    int64_t images, images_ahead; /* vectors made, and to be made, over all models */
};
/* Asks both; a service that does not answer within 500 ms leaves its part 0. */
void observer_look(struct observer *o, struct observed *out);
void observed_free(struct observed *seen);

/* "http://127.0.0.1:8000": where a service that listens on `host` can be reached from this machine. */
const char *observe_url(const char *host, unsigned port, struct arena *a);

#endif
