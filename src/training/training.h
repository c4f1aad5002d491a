/* training.h: what people said of stickers, in the forms in which other programs learn from it.
 *
 * An export is a folder. Its manifest.json is written last: it names the watermark (the number of the last event that
 * was read), the options, and what there is. Until then a folder .unfinished holds what was read from the database, so
 * that the same call after a crash goes on, and makes the files that it would have made. The same watermark and votes
 * make the same bytes. */
#ifndef PEEL_TRAINING_TRAINING_H
#define PEEL_TRAINING_TRAINING_H

#include "base/buf.h"
#include "sticker_store/sticker_store.h"

#define TRAINING_KINDS        "ubi|opensearch|pairs|triplets|ntuples|qrels|webdataset|tsv|imagefolder"
#define TRAINING_MANIFEST     "manifest.json"
#define TRAINING_MAX_SHARD    100000
#define TRAINING_MAX_NEGATIVE 20

struct training_config {
    struct sticker_store *store;
    const char *kind;    /* one of TRAINING_KINDS */
    const char *folder;  /* is made; must be empty, or hold an unfinished export with the same options */
    const char *program; /* "0.2.0", for the manifest */
    int64_t after;       /* only events with numbers above this one */
    int64_t until;       /* and up to this one; 0: all */
    int64_t min_clients; /* only searches of so many */
    int64_t negatives;   /* at most so many triplets for a pair; and so many columns of n-tuples */
    int64_t shard;       /* samples of a WebDataset shard */
    /* Appends a sticker's image as JPEG, PNG or WebP. *extension: "png", static. ERR_NOT_FOUND, _CORRUPT, _TOO_LARGE,
     * _UNSUPPORTED: the sticker is left out. Not needed for the other kinds. */
    enum status (*image)(void *ctx, const struct sticker *sticker, struct buf *out, const char **extension,
                         struct error *err);
    /* Called often; false: stop (ERR_CANCELLED). `done` of `total` searches or samples; total 0: not known. */
    bool (*go_on)(void *ctx, int64_t done, int64_t total);
    void *ctx;
};

bool training_is_kind(const char *kind);
/* *manifest: what manifest.json has; malloc'ed text. ERR_CONFLICT: the folder has an export, or something else. */
enum status training_export(const struct training_config *cfg, char **manifest, struct error *err) MUST_CHECK;

#endif
