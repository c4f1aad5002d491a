/* packs_download.h: how commands get the archives of packs that are not in the cache. */
#ifndef PEEL_CMD_PACKS_DOWNLOAD_H
#define PEEL_CMD_PACKS_DOWNLOAD_H

#include "import/packs.h"

/* For struct pack_source. */
enum status pack_download(const struct pack_source *source, const struct pack *pack, const char *file, const char *own,
                          struct error *err) MUST_CHECK;
void pack_without(void *ctx, const char *title, const char *why); /* says so on standard error */

#endif
