/* import.h: pictures into the sticker database and the bucket, in three steps: what there is to import
 * (import_find.c for files and folders, with their tables, import_table.h, the lists of other programs, import_lists.c,
 * and archives, import_archive.c; packs.h for packs), the work itself
 * (import_run.c, with import_words.c for keywords of several sources, import_update.c for --update and import_alike.c
 * for pictures that look like stickers), and the command around them (import.c).
 *
 * A batch's files reach the disk before its rows do, and each sticker is a row or is not there: after a
 * crash at any point the same command completes the work. */
#ifndef PEEL_IMPORT_H
#define PEEL_IMPORT_H

#include "base/arena.h"
#include "base/own_folder.h"
#include "base/pool.h"
#include "base/status.h"
#include "bucket/bucket.h"
#include "sticker_store/sticker_admin.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMPORT_MAX_TITLE     1000u         /* bytes */
#define IMPORT_MAX_WORDS     (16u << 10)   /* bytes, of one language */
#define IMPORT_MAX_ITEMS     1000000u      /* per run */
#define IMPORT_MAX_MEMORY    (1024u << 20) /* bytes of names and words */
#define IMPORT_IGNORED_NAMED 5u
#define IMPORT_KEY_SIZE      32u /* bytes of the key of a pack of Signal */

/* What becomes of an item. */
enum import_outcome {
    IMPORT_UNDECIDED,
    IMPORT_NEW,      /* it was added */
    IMPORT_SAME,     /* it was there already */
    IMPORT_CHANGED,  /* ... and was changed, by new words of a pack or by --update */
    IMPORT_OUTDATED, /* ... and stickers.csv says something else than the sticker has */
    IMPORT_REFUSED   /* `why` says for what reason */
};

/* One picture to import. Strings are never NULL but `path`, and live in the list's arena. */
struct import_item {
    const char *path; /* a file to read, or NULL: the bytes are here */
    const void *data;
    size_t len;                        /* bytes; of a file, what it had when it was found */
    const char *filename;              /* its name in Peel */
    struct sticker sticker;            /* what is said of it; what the picture says is not known yet */
    bool title_said, rating_said;      /* in the first row of stickers.csv */
    bool animated_said;                /* also sticker.animated, which else is as the picture is */
    const struct sticker_words *parts; /* [n_parts] of a pack: what sticker.words were merged from */
    size_t n_parts;
    const char *emoji;           /* what it shows, one or several with spaces between them; NULL: not known */
    bool follow;                 /* `path` was given by the operator and may be a symbolic link */
    enum import_outcome outcome; /* set by import_run, as is: */
    const char *why;
    const char *like; /* of a new one: the name of a sticker that looks the same; NULL: none */
};

struct import_failure {
    const char *name, *reason;
};

/* A new picture that looks like a sticker. */
struct import_duplicate {
    const char *name, *like; /* its file, or its name in Peel without one; the sticker's name */
    bool here;               /* which is new in this import itself */
    bool merged;             /* nothing was stored but its words, which the sticker has now */
};

/* What is found, and how it went. */
struct import_list {
    struct arena *arena; /* borrowed */
    struct import_item *items;
    size_t n, cap;
    struct own_folder *unpacked; /* that archives were unpacked into, or NULL; owned */
    const char *unpack_into;     /* set before finding: the folder to make that in; NULL: $TMPDIR */
    const char *hidden;          /* set before finding: a folder that no failure names; may be NULL */
    bool folder_names; /* set before finding: stickers are named after their subfolders too, "cats-happy.png" */
    const unsigned char *pack_key; /* [IMPORT_KEY_SIZE] set before finding: of packs of Signal; NULL: none. Borrowed */
    size_t ignored;                /* files whose names are not those of pictures, and the names of the first of them */
    const char *ignored_names[IMPORT_IGNORED_NAMED];
    size_t added, skipped, failed;
    size_t updated;           /* of those skipped: changed, by new words of a pack or by --update */
    size_t outdated;          /* of those skipped: stickers.csv says something else than the sticker has */
    struct pack_about *packs; /* [n_packs] what was found of packs as a whole */
    size_t n_packs;
    int64_t number;                  /* of the record that the run left (sticker_imports.h), or 0 */
    struct import_failure *failures; /* [n_failures]; fewer than failed when memory is short */
    size_t n_failures, cap_failures;
    size_t merged; /* neither added nor skipped */
    struct import_duplicate *duplicates;
    size_t n_duplicates, cap_duplicates; /* fewer than there are when memory is short */
};

void import_list_init(struct import_list *l, struct arena *arena);
void import_list_free(struct import_list *l); /* also deletes what was unpacked */
/* Copies the item (not its strings). ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum status import_list_add(struct import_list *l, const struct import_item *item, struct error *err) MUST_CHECK;
void import_list_fail(struct import_list *l, const char *name, const char *reason); /* copies both */
/* What is known of the pack about->name: adds to what was said before where that is "". Strings live as long as the
 * list. ERR_NO_MEMORY. */
enum status import_list_pack(struct import_list *l, const struct pack_about *about, struct error *err) MUST_CHECK;

/* Appends what is at `path`: a picture, or a folder or archive with all below it, where symbolic links and hidden
 * files are left out and tables (import_table.h) give titles and words, also those of other programs. What is wrong
 * with a file or folder becomes a failure; errors are what makes going on pointless. `stopped` as in struct import_run.
 */
enum status import_find(const char *path, bool (*stopped)(void *ctx), void *ctx, struct import_list *out,
                        struct error *err) MUST_CHECK;

/* The decrypted manifest of a pack of Signal (import_signal.c); strings and stickers are in the arena. ERR_CORRUPT,
 * ERR_TOO_LARGE, ERR_NO_MEMORY. */
#define SIGNAL_STICKERS 1000u /* Signal makes packs of 200 at most */
struct signal_sticker {
    uint32_t id;
    const char *emoji;
};
struct signal_pack {
    const char *title, *author;
    uint32_t cover; /* its id, if has_cover */
    bool has_cover;
    struct signal_sticker *stickers;
    size_t n;
};
enum status import_signal_manifest(const void *data, size_t len, struct arena *a, struct signal_pack *out,
                                   struct error *err) MUST_CHECK;

/* Makes one list for each language out of the lists of several sources (as text_normalize_words leaves them), of which
 * those of one language stand together: the keywords in their order, each once without regard to case, and the first
 * title. Keywords that do not fit into IMPORT_MAX_WORDS are left out. */
enum status import_merge_words(const struct sticker_words *parts, size_t n, struct arena *a,
                               const struct sticker_words **out, size_t *n_out, struct error *err) MUST_CHECK;
/* Whether the list, which is not empty, may be what an import made of some of these parts: nobody has changed it.
 * Earlier imports left the code of a flag's own region in it. emoji: NULL is fine. */
enum status import_made_words(const struct sticker_words *parts, size_t n, const struct sticker_words *list,
                              const char *emoji, struct arena *a, bool *out, struct error *err) MUST_CHECK;
/* Keywords of an emoji, "a, b", without the code of its own region where it is a flag, "IM" of the Isle of Man's: many
 * codes are little words, am, is, it, my, no, so. In the arena; NULL: no memory. */
const char *import_words_without_region(const char *emoji, const char *words, struct arena *a) MUST_CHECK;

/* Changes *s, which is there already, to what stickers.csv says of it (import_update.c); *changed: whether that differs
 * from what it had. New lists are in the arena. ERR_NO_MEMORY. */
enum status import_update_sticker(const struct import_item *item, struct arena *a, struct sticker *s, bool *changed,
                                  struct error *err) MUST_CHECK;

struct import_run {
    struct sticker_store *store;
    struct bucket *bucket;
    struct sandbox *sandbox;     /* decodes the images */
    struct pool *pool;           /* NULL: one thread */
    const struct admin_who *who; /* for the history; with a batch it is recorded (sticker_imports.h). NULL: nobody */
    const char *source;          /* where from, for that record */
    bool merge_duplicates;       /* what looks like a sticker gives it its words, and is not stored */
    bool update;                 /* also change stickers that are there to what stickers.csv says */
    bool dry;                    /* change nothing: only find out what would become of each item */
    struct sandbox *ocr;         /* reads text in the pictures of files that are new; NULL: nobody does */
    const char *ocr_languages;   /* which it reads; NULL: none */
    bool (*stopped)(void *ctx);  /* asked often, from any thread; what was begun is finished */
    void (*progress)(void *ctx, size_t done, size_t total); /* from the calling thread */
    void *ctx;
};
/* Imports the items of the list and counts in it what became of them. ERR_CANCELLED when stopped; other
 * errors are about the store or the bucket, and end the run. */
enum status import_run(const struct import_run *run, struct import_list *list, struct error *err) MUST_CHECK;
/* The same on all processors, with workers of its own: run->sandbox and run->pool are not looked at. */
enum status import_run_wide(const struct import_run *run, struct import_list *list, struct error *err) MUST_CHECK;
/* Two imports at once would write each other's files, and an undo would miss what a running import adds after it: *fd,
 * to be closed, is the only one in the data folder.
 * ERR_CONFLICT: there is another. */
enum status import_lock(const char *data, int *fd, struct error *err) MUST_CHECK;

#endif
