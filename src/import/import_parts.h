/* import_parts.h: between the files of import_*.c that find pictures. */
#ifndef PEEL_IMPORT_IMPORT_PARTS_H
#define PEEL_IMPORT_IMPORT_PARTS_H

#include "import/import_table.h"
#include <limits.h>

/* One of these endings, ended by NULL, in capital letters or small, with something before it. */
bool import_has_ending(const char *name, const char *const *endings);
bool import_is_picture(const char *name); /* by its ending */

/* --- import_find.c --- */
/* How reports call a file: those of archives without the folder that they were unpacked into. */
const char *import_shown_name(const struct import_list *l, const char *name);

/* --- import_archive.c --- */
bool import_is_archive(const char *name); /* by its ending: zip, also under other names, and tar */
/* Unpacks the archive into a new folder of the list's own. Files that cannot be taken become failures. ERR_CORRUPT,
 * ERR_TOO_LARGE (a bomb): the rest of the archive was not read. */
enum status import_unpack(struct import_list *l, const char *path, char folder[PATH_MAX], struct error *err) MUST_CHECK;
/* A new folder of the list's own, named like what is unpacked into it, for messages. */
enum status import_make_folder(struct import_list *l, const char *name, char out[PATH_MAX],
                               struct error *err) MUST_CHECK;

/* --- import_signal.c --- */
bool import_signal_is(const char *folder); /* it has an encrypted pack of Signal */
/* Decrypts the pack into a new folder of the list's own, with a list that import_lists_read understands. ERR_INVALID:
 * the list has no key; ERR_DENIED: it has another one; ERR_CORRUPT, ERR_TOO_LARGE, ERR_NOT_FOUND. */
enum status import_signal_decrypt(struct import_list *l, const char *path, char folder[PATH_MAX],
                                  struct error *err) MUST_CHECK;

/* --- import_lists.c: what other programs say of the pictures of a folder, as rows of a table --- */
bool import_list_is(const char *filename); /* a file that may be such a list, or a part of one */
/* Adds a row for each picture of the folder that a list names. Files that are none of these lists are passed over. */
enum status import_lists_read(const char *folder, struct import_list *list, struct import_table *out,
                              struct error *err) MUST_CHECK;
/* What IMPORT_ABOUT, if it is there, says of the pack of a table of our own: an object with "name" and members of
 * struct pack_about. */
enum status import_about_read(const char *folder, struct import_list *list, struct import_table *out,
                              struct error *err) MUST_CHECK;
/* The emoji that WhatsApp's programs put into a WebP file, separated by spaces; "" when there are none. */
const char *import_webp_emoji(const char *path, struct arena *a) MUST_CHECK;
/* The emoji of a text, or in a filename, separated by spaces and without skin tones; "" when there are none, NULL
 * without memory. */
const char *import_emoji_in(const char *text, struct arena *a) MUST_CHECK;

#endif
