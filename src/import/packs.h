/* packs.h: starter packs of real stickers, from the npm registry at pinned versions and checksums.
 *
 * openmoji: color/svg/<HEXCODE>.svg with titles, words and authors in data/openmoji.json; named
 *   "openmoji-cat-face-1F431.svg"; without the variants in skin tone. CC BY-SA 4.0.
 * fluent3d: assets/<hexcode>.webp, Microsoft's Fluent Emoji in 3D; titles and words come from OpenMoji's data,
 *   joined by code points without U+FE0F; named "fluent3d-cat-face-1F431.webp"; without skin tones and the
 *   flags of countries and regions. MIT.
 * The emoji itself is stored among the words, so that it can be searched for. What each is called in other
 * languages comes from Unicode's CLDR (Unicode License v3); more words in English from there, from emojilib (MIT) and
 * from emojibase (MIT), joined in the same way. */
#ifndef PEEL_IMPORT_PACKS_H
#define PEEL_IMPORT_PACKS_H

#include "import/import.h"

struct pack;
struct pack_source {
    const char *cache_dir;      /* archives are kept in packs/ below */
    const char *registry;       /* base URL asked where the npm command is absent; NULL: the project's release */
    bool (*stopped)(void *ctx); /* as in struct import_run */
    void *ctx;
    const struct emoji_words *words; /* NULL: the packs' own words only */
    /* Downloads a pack's archive to `file`, or the project's own release of it to `own`; NULL: only what is in the
     * cache is used. */
    enum status (*download)(const struct pack_source *source, const struct pack *pack, const char *file,
                            const char *own, struct error *err);
    void (*without)(void *ctx, const char *title, const char *why); /* a source of words is left out; may be NULL */
};

/* Fetches what several sources call each emoji (packs_words.c) unless it is in the cache, and reads it; strings live in
 * `a`, which must outlive it. A source that cannot be had or read is left out, which `without` is told: its words are
 * worth having, but no reason to fail. ERR_CANCELLED, ERR_NO_MEMORY. */
enum status emoji_words_open(const struct pack_source *source, struct arena *a, struct emoji_words **out,
                             struct error *err) MUST_CHECK;
void emoji_words_close(struct emoji_words *w); /* NULL is fine */
/* The lists of an emoji, by language and then in the order of the sources, one of each; *n 0 for one that none knows.
 * Their titles may be NULL. */
enum status emoji_words_find(const struct emoji_words *w, const char *emoji, struct arena *a,
                             struct sticker_words **out, size_t *n, struct error *err) MUST_CHECK;

/* Gives the item its `own` words, and after them what the emoji (one or several, with spaces between them) are called:
 * emoji, parts and sticker.words are set. `more` may be NULL. */
enum status emoji_words_give(const struct emoji_words *more, const char *emoji, const struct sticker_words *own,
                             size_t n_own, struct arena *a, struct import_item *item, struct error *err) MUST_CHECK;
/* The same for all items that an import found with emoji: their titles, too, unless somebody said them. Nothing is
 * fetched when there are none. Errors as emoji_words_open. */
enum status emoji_words_give_all(const struct pack_source *source, struct import_list *list,
                                 struct error *err) MUST_CHECK;

/* Fetches the archive unless it is in the cache with the right checksum, and appends its stickers, whose
 * bytes live in the list's arena. ERR_NOT_FOUND: no such pack; ERR_CORRUPT: wrong checksum. */
enum status pack_find(const struct pack_source *source, const char *name, struct import_list *out,
                      struct error *err) MUST_CHECK;
const char *pack_names(void); /* "openmoji or fluent3d"; static */
bool pack_is_starter(const char *name);

/* --- between packs*.c --- */

struct pack {
    const char *name, *title, *npm, *version, *archive; /* archive: as `npm pack` names it */
    const char *sha512;                                 /* of that, base64, as npm's lock files have it */
    const char *release;                 /* the project's own archive, for where npm is absent; or NULL */
    const char *content;                 /* of a release: pack_unpack's digest, as its archive has none */
    const char *folder, *ending;         /* where pictures are: "assets/", ".webp" */
    const char *license, *author, *home; /* author NULL: from the data file */
};

/* The archive; *path lives in `a`. Its checksum is right, unless it is the *release, whose content is to be
 * compared with pack->content. */
enum status pack_fetch(const struct pack_source *source, const struct pack *pack, struct arena *a, const char **path,
                       bool *release, struct error *err) MUST_CHECK;

struct pack_file {
    const char *name; /* below the folder, without the ending */
    const void *data;
    size_t len;
};
struct pack_files {
    struct pack_file *items; /* sorted by name */
    size_t n;
    const char *extra; /* content of the file asked for by its whole name; NULL if absent */
    size_t extra_len;
};
/* Reads the files `folder`*`ending` (not in folders below) and `extra` (may be NULL) of a tar.gz whose paths
 * all begin with one folder, which is left out; bounded. Memory from `a`. ERR_CORRUPT, ERR_TOO_LARGE. */
enum status pack_unpack(const char *path, const char *folder, const char *ending, const char *extra, struct arena *a,
                        struct pack_files *out, struct error *err) MUST_CHECK;

/* Reads the files that are wanted, one after the other; their paths are without the first folder. */
enum status pack_each(const char *path, bool (*wanted)(void *ctx, const char *path),
                      enum status (*use)(void *ctx, const char *path, const char *data, size_t len, struct error *err),
                      void *ctx, struct error *err) MUST_CHECK;

/* The same for files of any size, in pieces of up to 64 KiB. */
enum status pack_stream(const char *path, bool (*wanted)(void *ctx, const char *path),
                        enum status (*use)(void *ctx, const char *path, const char *data, size_t len,
                                           struct error *err),
                        void *ctx, struct error *err) MUST_CHECK;

/* SHA-256 of the lines "<SHA-256> <name>" of all files and, under the name "", extra. */
enum status pack_digest(const struct pack_files *files, char out[65], struct error *err) MUST_CHECK;

#endif
