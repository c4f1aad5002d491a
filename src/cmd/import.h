/* import.h: the parts of `peel import`; for cmd/import*.c only.
 *
 *     import_list.c   folders, files and stickers.csv -> a list of what to import
 *     import_pack.c   a pack from the npm registry    -> the same kind of list
 *     import.c        the list -> bucket and sticker database */
#ifndef PEEL_CMD_IMPORT_H
#define PEEL_CMD_IMPORT_H

#include "base/arena.h"
#include "base/status.h"

#include <stddef.h>

#define IMPORT_MAX_ITEMS 1000000u
#define IMPORT_MAX_CSV   (64u << 20)
#define IMPORT_ARENA     (2ull << 30) /* names and words of the longest list */

struct import_item {
    const char *path;     /* of the image file */
    const char *filename; /* the sticker's name */
    const char *title, *words, *language;
    const char *pack, *author, *license, *source;
};

struct import_list {
    struct arena arena; /* holds all strings */
    struct import_item *items;
    size_t n, cap;
    struct import_failure {
        const char *what, *why;
    } * failures;
    size_t n_failures, cap_failures;
};

void import_list_init(struct import_list *l);
void import_list_free(struct import_list *l);
/* Strings are borrowed and must live in the list's arena or longer. */
enum status import_list_add(struct import_list *l, const struct import_item *item, struct error *err) MUST_CHECK;
enum status import_list_fail(struct import_list *l, const char *what, const char *why, struct error *err) MUST_CHECK;

/* Adds a file, or a folder's images with what its stickers.csv (filename,title,words,language) says of
 * them, sub-folders included; links and hidden files are passed over. Files that are no use become failures;
 * an error is only what makes going on pointless. */
enum status import_list_path(struct import_list *l, const char *path, struct error *err) MUST_CHECK;

/* Downloads the pack to `cache` unless it is there, and adds its stickers. */
enum status import_list_pack(struct import_list *l, const char *name, const char *cache, struct error *err) MUST_CHECK;
/* "fluent3d, openmoji" */
const char *import_pack_names(void);

#endif
