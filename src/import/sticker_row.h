/* sticker_row.h: changes of the rows of stickers, each with an entry in the history: what everybody who writes them has
 * in common. */
#ifndef PEEL_IMPORT_STICKER_ROW_H
#define PEEL_IMPORT_STICKER_ROW_H

#include "sticker_store/sticker_admin.h"

/* Of a sticker, whoever writes it; in bytes. */
#define STICKER_LINE_MAX  1000u       /* a title, its pack or a credit */
#define STICKER_WORDS_MAX (16u << 10) /* the keywords of one language */

/* {"title":"Cat",...,"words":{"en":"cat"},"titles":{"de":"Katze"}}, as the history has a sticker. NULL without memory.
 */
const char *sticker_state(const struct sticker *k, struct arena *a);
/* Makes *k say what such a state says; other members stay. ERR_INVALID: it is none. Strings are in the arena. */
enum status sticker_from_state(const char *state, struct arena *a, struct sticker *k, struct error *err) MUST_CHECK;
/* {"state":"<SHA-256 of the state and of the image>"}: what the history has of a sticker that an import added, which
 * takes little room and is enough to tell whether somebody has changed it since. NULL without memory. */
const char *sticker_digest(const struct sticker *k, struct arena *a);
/* The change that makes a row say this of its sticker, or adds it when it is new. `before`: the state that is replaced,
 * "" for a new one. seen_us: as in struct admin_change. ERR_TOO_LARGE: too many words. The change borrows all of it. */
enum status sticker_row_change(const struct sticker *k, bool is_new, const char *before, int64_t seen_us,
                               struct arena *a, struct admin_change *out, struct error *err) MUST_CHECK;
/* Gives *into the keywords of `from` that it does not have, and whole lists in languages that it has none in; titles
 * that it has stay. What does not fit into STICKER_WORDS_MAX is left out. *changed: whether there were any. In the
 * arena; ERR_NO_MEMORY. */
enum status sticker_merge_words(const struct sticker *from, struct arena *a, struct sticker *into, bool *changed,
                                struct error *err) MUST_CHECK;
/* The change that puts a sticker into the trash. */
enum status sticker_delete_change(const struct sticker *k, int64_t seen_us, struct arena *a, struct admin_change *out,
                                  struct error *err) MUST_CHECK;

#endif
