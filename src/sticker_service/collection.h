/* collection.h: what the stickers are as a whole, kept in memory: what they are called, which packs there are, and what
 * people search for most. For suggestions, filters and the start page.
 *
 * A thread reads it from the store, soon after stickers have changed and every few minutes; whoever asks waits for no
 * database. So right after the start, and for a language that was not asked for lately, it is empty: the phrases of
 * sixteen languages are kept, those that were asked for last. All functions are thread-safe. Nothing that strangers
 * type is shown to others unless every word of it is a word of stickers. */
#ifndef PEEL_STICKER_SERVICE_COLLECTION_H
#define PEEL_STICKER_SERVICE_COLLECTION_H

#include "base/arena.h"
#include "base/filter.h"
#include "sticker_store/sticker_store.h"
#include <stddef.h>

struct collection;
/* Queries are shown to others once `query_clients` different clients (1..STORE_CROWD) searched for them. */
enum status collection_open(struct sticker_store *store, unsigned query_clients, struct collection **out,
                            struct error *err) MUST_CHECK;
void collection_close(struct collection *c); /* NULL is fine */

#define COLLECTION_PACKS 100 /* the largest ones */
struct collection_facts {
    struct pack_row *packs; /* the largest first, without the one of no name */
    size_t n_packs;
    bool some_animated, some_still;
    enum rating rating_most;
};
/* In the arena. Zeroed when nothing is known yet, or there is no memory. */
void collection_facts(struct collection *c, struct arena *a, struct collection_facts *out);

enum suggestion_kind { SUGGESTION_QUERY, SUGGESTION_TITLE, SUGGESTION_WORD };
struct suggestion {
    const char *text; /* in the arena */
    enum suggestion_kind kind;
};
#define COLLECTION_SUGGESTIONS 20 /* at most */
/* Titles, words and frequent queries with a word that begins with `prefix`, as it is typed: those that begin with it
 * come first, then what is more frequent. In the language (its tag; NULL: English), of whichever country or script, and
 * after these in English. If there are none, phrases that begin with something one mistake away.
 * Returns how many, at most `limit`. */
size_t collection_suggest(struct collection *c, const char *prefix, const char *language, size_t limit, struct arena *a,
                          struct suggestion *out);
/* The most popular queries (sticker_store_popular), all of whose words are of the language. */
size_t collection_popular(struct collection *c, const char *language, size_t limit, struct arena *a, const char **out);

/* When everything is read (again): at first, soon after stickers have not changed for some seconds, every half minute
 * while they do, and every few minutes in any case. Zeroed at first; the times are monotonic but for the stamp, which
 * is when a sticker was last changed as the store says. */
struct collection_stamp {
    int64_t read_us, changed_us;
    int64_t read_stamp_us, seen_stamp_us;
    bool read;
};
bool collection_is_due(struct collection_stamp *s, int64_t stamp_us, int64_t now_us);
void collection_was_read(struct collection_stamp *s, int64_t stamp_us, int64_t now_us);

#endif
