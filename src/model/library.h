/* library.h: the folder of models, and what makes a folder a model: what all who meet one must agree on.
 *
 * A model "owner/name" lies in the folder "owner--name", in the layout of Hugging Face, whose config.json says what it
 * is. While its files arrive the folder is called "owner--name.part"; it is renamed when it is complete, so that a
 * model that is listed is whole. */
#ifndef PEEL_MODEL_LIBRARY_H
#define PEEL_MODEL_LIBRARY_H

#include "base/status.h"
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define LIBRARY_MAX_ID       128 /* bytes of an id or a folder's name, NUL included */
#define LIBRARY_PART         ".part"
#define LIBRARY_CONFIG       "config.json"
#define LIBRARY_CONFIG_BYTES (1u << 20) /* at most */

struct library_model {
    char folder[LIBRARY_MAX_ID]; /* "owner--name" */
    char id[LIBRARY_MAX_ID];     /* "owner/name" */
    bool incomplete;             /* the folder's name is this one's with LIBRARY_PART behind it */
};
/* What is in `models`, by name; the caller frees *out. A folder that is not there holds nothing. Folders whose names
 * are no ids are logged and passed over. */
enum status library_list(const char *models, struct library_model **out, size_t *n, struct error *err) MUST_CHECK;

/* "owner/name" or "owner--name" to "owner--name". ERR_INVALID unless each part is [A-Za-z0-9][A-Za-z0-9._-]*, or when
 * it is too long. */
enum status library_folder(const char *id, char folder[LIBRARY_MAX_ID], struct error *err) MUST_CHECK;
/* "<models>/<folder><suffix>". ERR_INVALID: that is too long. */
enum status library_path(const char *models, const char *folder, const char *suffix, char out[PATH_MAX],
                         struct error *err) MUST_CHECK;
/* Is there a complete model in this folder? */
bool library_has(const char *models, const char *folder);
/* Does a file of this name, with its folder below the model's, belong to a model? */
bool library_wants(const char *name);
/* 64 hexadecimal digits that change when the files of a model do: its weights are told by their size and first
 * megabyte. */
void library_fingerprint(const char *dir, char out[65]);

#endif
