/* model_dir.h: from what the user calls a model to an open one. */
#ifndef PEEL_CMD_MODEL_DIR_H
#define PEEL_CMD_MODEL_DIR_H

#include "base/pool.h"
#include "config/config.h"
#include "model/encoder.h"

#include <limits.h>

/* `id` (NULL: --model) may be a folder, "owner/name" or a folder's name below --models-dir; when nothing is
 * named, the only or first model there. ERR_NOT_FOUND says how to get one. */
enum status model_find(const struct config *cfg, const char *id, char dir[PATH_MAX], struct error *err) MUST_CHECK;

struct model_open {
    char dir[PATH_MAX];
    struct pool *pool;
    struct encoder *encoder;
};
/* Opens it with --precision and --threads. */
enum status model_open(const struct config *cfg, const char *id, struct model_open *out, struct error *err) MUST_CHECK;
void model_close(struct model_open *m);

#endif
