/* model_hub.h: gets a checkpoint from a Hugging Face hub (or a mirror) into the models folder.
 *
 * GET {endpoint}/api/models/{id}/revision/{rev}?blobs=true lists files with sizes and checksums; each needed
 * one comes from {endpoint}/{id}/resolve/{commit}/{file}. Everything lands in "<owner>--<name>.part" and the
 * folder is renamed when complete, so a model that is listed is whole. A stopped pull continues. */
#ifndef PEEL_CMD_MODEL_HUB_H
#define PEEL_CMD_MODEL_HUB_H

#include "base/status.h"
#include "model/library.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HUB_ENDPOINT "https://huggingface.co"

struct hub_pull {
    const char *what;       /* "owner/name", or a URL of one ("https://hub/owner/name[/tree/revision]") */
    const char *revision;   /* branch, tag or commit; NULL: "main" or what the URL says */
    const char *endpoint;   /* NULL: HUB_ENDPOINT */
    const char *token;      /* NULL: none */
    const char *models_dir; /* made if absent */
    /* Told the bytes of all files that there are; false stops. */
    bool (*progress)(void *ctx, const char *file, uint64_t done, uint64_t total);
    void *ctx;
};

/* On success `dir_name` names the model's folder below models_dir. When the model is complete already,
 * nothing is asked of the network. ERR_UNSUPPORTED: the repository holds no safetensors. */
enum status hub_pull(const struct hub_pull *p, char dir_name[LIBRARY_MAX_ID], struct error *err) MUST_CHECK;

#endif
