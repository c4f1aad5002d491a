/* own_folder.h: a temporary folder that belongs to one process and goes with it: it is locked while its process lives,
 * and whoever makes the next one beside it deletes those that no process holds any more, such as after a crash. */
#ifndef PEEL_BASE_OWN_FOLDER_H
#define PEEL_BASE_OWN_FOLDER_H

#include "base/status.h"
#include <limits.h>

struct own_folder {
    char path[PATH_MAX];
    int lock; /* the folder itself */
};
/* A new folder "peel-import-XXXXXX" in `base`, with mode 0700. */
enum status own_folder_open(const char *base, struct own_folder **out, struct error *err) MUST_CHECK;
/* Deletes it with all that is in it. NULL is fine. */
void own_folder_close(struct own_folder *f);
/* Deletes a file, or a folder with all below it, as far as that is possible; links are not followed. */
void own_folder_remove(const char *path);

#endif
