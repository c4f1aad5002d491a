/* imports.h: what staff send to be imported. It is kept in a temporary folder, read as `peel import` reads it, shown,
 * and stored when they say so; one thing after the other, in a thread that leaves the processor to searches.
 *
 * A staged import belongs to the user who sent it. It goes an hour after it was last looked at, and does not survive a
 * restart; what was stored of it is recorded in the database (sticker_store/sticker_imports.h). */
#ifndef PEEL_STICKER_SERVICE_IMPORTS_H
#define PEEL_STICKER_SERVICE_IMPORTS_H

#include "import/import.h"
#include "sticker_store/sticker_imports.h"
#include <stdatomic.h>

struct sticker_service;
struct imports;

enum staged_state {
    STAGED_READING, /* its files are read; the worker's */
    STAGED_READY,   /* it can be looked at, and stored */
    STAGED_STORING, /* the worker's */
    STAGED_STORED,
    STAGED_UNDOING, /* an earlier import; the worker's */
    STAGED_UNDONE
};
#define STAGED_LEFT 100u /* names of stickers that an undo left */

/* Only the members before `list` are to be looked at while the worker has it. */
struct staged {
    char id[37];
    enum staged_state state;
    char *username, *address, *source;   /* source: names of files, or NULL of an undo */
    atomic_size_t done, total;           /* of what the worker does */
    bool queued;                         /* the worker has not begun */
    struct import_list list;             /* with what became of each item */
    struct error problem;                /* why it was not stored, or not undone; else its code is OK */
    bool without_words;                  /* some sources of the words of emoji are not in the cache */
    size_t found_failed, found_failures; /* in `list`, before anything was stored */
    int64_t number;                      /* of the import that was recorded or undone; 0: none */
    size_t removed, restored, n_left;    /* STAGED_UNDONE */
    const char *left[STAGED_LEFT];
    /* The worker's: */
    bool *leave; /* [list.n] items that are not to be stored */
    bool update;
    struct arena arena;
    char folder[PATH_MAX];
    int64_t used_us; /* monotonic */
};

enum status imports_open(struct sticker_service *s, struct imports **out, struct error *err) MUST_CHECK;
void imports_close(struct imports *im); /* NULL is fine; what is being stored ends with its batch */

struct import_file {
    const char *name; /* as it was sent */
    const char *data; /* [len] */
    size_t len;
};
/* Writes the files down and has them read. ERR_INVALID: a name that is none; ERR_TOO_LARGE: there is no room for them;
 * ERR_CONFLICT: too many imports wait. */
enum status imports_stage(struct imports *im, const struct admin_who *who, const struct import_file *files, size_t n,
                          char id[37], struct error *err) MUST_CHECK;
/* Has an earlier import undone. */
enum status imports_undo(struct imports *im, const struct admin_who *who, int64_t number, char id[37],
                         struct error *err) MUST_CHECK;
/* The user's, or NULL: then nothing is locked. Until imports_release nothing happens to it. */
struct staged *imports_hold(struct imports *im, const char *id, const char *username);
void imports_release(struct imports *im);
/* Of a held one that is ready: has it stored, but for the items of these numbers. ERR_NO_MEMORY. */
enum status imports_store(struct imports *im, struct staged *s, const size_t *leave, size_t n, bool update,
                          struct error *err) MUST_CHECK;
/* Forgets a held one that the worker does not have. */
void imports_discard(struct imports *im, struct staged *s);

#endif
