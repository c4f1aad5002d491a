/* sticker_store.h: what StickerService remembers, in SQLite or PostgreSQL. Thread-safe. On SQLite readers use their own
 * connections and writes meet in one group commit. The room holds the tables of StickerService and their SQL; it sees
 * base, db and fts, and nothing of SearchService.
 *
 * Times are microseconds since 1970. Ids are UUIDv7 text. Strings in results live in the arena that
 * was passed. Durability: functions marked DURABLE have reached the disk (fsync) when they return OK;
 * the others survive a crash of the process but perhaps not of the machine. */
#ifndef PEEL_STICKER_STORE_STICKER_STORE_H
#define PEEL_STICKER_STORE_STICKER_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/filename.h"
#include "base/filter.h"
#include "base/status.h"
#include "base/terms.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sticker_store;
/* `url`: a file path for SQLite, or postgresql://... Creates the database and applies migrations; a database newer than
 * this program is refused. `connections`: those that read (1..64), on PostgreSQL all. */
enum status sticker_store_open(const char *url, unsigned connections, struct sticker_store **out,
                               struct error *err) MUST_CHECK;
void sticker_store_close(struct sticker_store *s); /* NULL is fine */
/* The schema's version of the database at `url` and of this program, changing nothing. ERR_UNSUPPORTED: it is none of
 * ours; ERR_CORRUPT: SQLite finds it damaged. */
enum status sticker_store_inspect(const char *url, int64_t *version, int64_t *known, struct error *err) MUST_CHECK;
enum status sticker_store_ping(struct sticker_store *s, struct error *err) MUST_CHECK;
enum status sticker_store_writable(struct sticker_store *s, struct error *err) MUST_CHECK; /* as db_writable */

/* --- stickers --- */
#define STICKER_PLACE_FIRST (-(1 << 22))
#define STICKER_OCR_STAFF   "staff" /* somebody wrote the words, which is final as long as the image stays */
struct sticker {
    const char *id, *filename, *title;
    const char *pack, *author, *license, *source; /* "" when unknown */
    enum rating rating;
    bool animated;             /* as the image file is, unless somebody said otherwise */
    const char *sha256, *mime; /* of the image file; hex */
    int64_t bytes;
    int32_t width, height;
    int32_t place;               /* in its pack: STICKER_PLACE_FIRST and up, below 0; 0: none, after all of those */
    int32_t frames, duration_ms; /* of an animation; 0 frames: it was stored before they were counted */
    const char *ocr_words;       /* what its image says, "good, morning": see image/ocr.h */
    const char *ocr_by;          /* languages that it was read in, "eng+deu"; "": not read; or STICKER_OCR_STAFF */
    const void *look; /* [look_size] what the image looks like, when it is written (sticker_looks.h); never read */
    size_t look_size;
    const struct sticker_words *words; /* by language; an emptied list stays, as a sign that somebody emptied it */
    size_t n_words;
    int64_t created_us, modified_us;
    const char *shown; /* of one from memory: what was written of it (sticker_store_show); else NULL */
};
/* Adds stickers in one transaction, each with an outbox entry. `terms`: as text_sticker_terms makes them, for the
 * degraded search. ERR_CONFLICT names the filename that exists. ids and times are filled by the store. DURABLE. */
enum status sticker_store_add(struct sticker_store *s, const struct sticker *stickers,
                              const struct sticker_terms *terms, size_t n, struct error *err) MUST_CHECK;
/* Replaces title, words and credits of an existing one (not its image) and queues an outbox entry. DURABLE. */
enum status sticker_store_update(struct sticker_store *s, const struct sticker *sticker,
                                 const struct sticker_terms *terms, struct error *err) MUST_CHECK;
/* What was read in the images of stickers, ocr_words and ocr_by, of those that nobody has modified since their
 * modified_us. Where the words are what they were, nobody is told; *changed: of how many they are not. DURABLE. */
enum status sticker_store_ocr(struct sticker_store *s, const struct sticker *stickers,
                              const struct sticker_terms *terms, size_t n, size_t *changed,
                              struct error *err) MUST_CHECK;
/* Moves it to the trash with its words and votes and queues an outbox "delete". ERR_NOT_FOUND. DURABLE. */
enum status sticker_store_delete(struct sticker_store *s, const char *filename, struct error *err) MUST_CHECK;
enum status sticker_store_get(struct sticker_store *s, const char *filename, struct arena *a, struct sticker *out,
                              struct error *err) MUST_CHECK;
/* Many at once, in the order asked; absent ones get filename NULL. Words are left out (n_words 0). */
enum status sticker_store_get_many(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                   struct sticker *out, struct error *err) MUST_CHECK;
/* The same for searches: from memory, where they are. What another process has changed may take that long to show; what
 * this one has, none. */
#define STORE_RECALL_MS 50
enum status sticker_store_recall(struct sticker_store *s, const char *const *filenames, size_t n, struct arena *a,
                                 struct sticker *out, struct error *err) MUST_CHECK;
/* What `show` writes of a sticker is kept with it in memory, so that it is not written anew for each search. To be
 * called before a sticker is recalled. */
typedef void store_show(const void *ctx, const struct sticker *sticker, struct buf *out);
void sticker_store_show(struct sticker_store *s, store_show *show, const void *ctx);
/* Up to `limit` stickers with filename > after ("" for the first page), by filename. */
enum status sticker_store_list(struct sticker_store *s, const char *after, size_t limit, struct arena *a,
                               struct sticker **out, size_t *n, struct error *err) MUST_CHECK;
/* Numbers above STORE_COUNT_FRESH may be ten seconds old. */
#define STORE_COUNT_FRESH 100000
enum status sticker_store_count(struct sticker_store *s, int64_t *stickers, int64_t *queries, int64_t *pending,
                                struct error *err) MUST_CHECK;

/* --- what they are called --- */
/* The title of each sticker in a reader's language (a tag: "pt-BR" also takes one kept as "pt"); NULL where there is
 * none of its own. In the order asked. */
enum status sticker_store_titles(struct sticker_store *s, const char *const *filenames, size_t n, const char *language,
                                 struct arena *a, const char **titles, struct error *err) MUST_CHECK;
/* Titles and words in one language, "" where there are none, of up to `limit` stickers that come after *after (0 at
 * first), which moves on. n is 0 at the end. */
struct sticker_name {
    const char *title, *words;
};
enum status sticker_store_names(struct sticker_store *s, const char *language, int64_t *after, size_t limit,
                                struct arena *a, struct sticker_name **out, size_t *n, struct error *err) MUST_CHECK;
/* The tags of the languages that stickers have words in, in order, of which there may be emptied ones. */
enum status sticker_store_languages(struct sticker_store *s, size_t limit, struct arena *a, const char ***out,
                                    size_t *n, struct error *err) MUST_CHECK;
/* What is said of a pack as a whole, "" where nothing is. */
struct pack_about {
    const char *name; /* as its stickers have it */
    const char *title, *author, *license, *source;
    const char *cover; /* the filename of a sticker */
};
/* Notes this of the packs that nothing is said of yet. */
enum status sticker_store_packs_about(struct sticker_store *s, const struct pack_about *packs, size_t n,
                                      struct error *err) MUST_CHECK;
/* The packs that stickers are in ("" for those in none), the largest first. Reads them all. */
struct pack_row {
    struct pack_about about; /* its title "" where it is the name */
    int64_t modified_us;     /* when that was said, or the order of the stickers changed; 0: never */
    int64_t stickers, animated;
    int64_t positives, negatives; /* votes of its stickers */
    enum rating rating_most;
    const char *cover; /* about.cover if that is in the pack, else one of the mildest rating that it has */
};
enum status sticker_store_packs(struct sticker_store *s, size_t limit, struct arena *a, struct pack_row **out,
                                size_t *n, struct error *err) MUST_CHECK;
/* Who made a pack, and its licences: those of the most stickers first. */
#define PACK_CREDITS 10 /* at most, of each */
struct pack_credits {
    const char *authors[PACK_CREDITS], *licenses[PACK_CREDITS];
    size_t n_authors, n_licenses;
};
/* One pack, all of whose stickers are read. ERR_NOT_FOUND: no sticker is in it. */
enum status sticker_store_pack(struct sticker_store *s, const char *pack, struct arena *a, struct pack_row *out,
                               struct pack_credits *credits, struct error *err) MUST_CHECK;
const char *pack_title(const struct pack_about *about);
/* The author said of the pack, else that of most of its stickers, else "". */
const char *pack_author(const struct pack_row *pack, const struct pack_credits *credits);
/* The names of up to `limit` stickers of the pack f->pack that pass the filter, in its order: those that have a place
 * first, then the others as they were added. *after: 0 for the first page; becomes what the next page is asked for by,
 * or 0 when there is none. */
enum status sticker_store_pack_page(struct sticker_store *s, const struct sticker_filter *f, int64_t *after,
                                    size_t limit, struct arena *a, const char ***filenames, size_t *n,
                                    struct error *err) MUST_CHECK;
/* All of them. *stickers: in the arena. */
enum status sticker_store_pack_order(struct sticker_store *s, const char *pack, struct arena *a, const char ***stickers,
                                     size_t *n, struct error *err) MUST_CHECK;
/* When a sticker was last added or changed, or what is said of a pack; 0 without any. What was deleted leaves no trace.
 */
enum status sticker_store_modified(struct sticker_store *s, int64_t *modified_us, struct error *err) MUST_CHECK;

/* The names of up to `limit` stickers that pass the filter, drawn at random, the same ones for the same seed while
 * stickers do not change. `skip`: those that come before them. */
enum status sticker_store_draw(struct sticker_store *s, const struct sticker_filter *filter, uint64_t seed, size_t skip,
                               size_t limit, struct arena *a, const char ***filenames, size_t *n,
                               struct error *err) MUST_CHECK;

/* The degraded search: BM25 over the stored terms (as search_store_lexical), best first, ties by filename.
 * `total`: how many match in all. `filter`: NULL for none. */
struct store_hit {
    const char *filename;
    double score; /* higher is better */
};
enum status sticker_store_search(struct sticker_store *s, const struct term_query *q,
                                 const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                                 struct store_hit **hits, size_t *n, int64_t *total, struct error *err) MUST_CHECK;

/* --- queries and feedback --- */
/* Makes sure the query exists (usage 0); cheap when it does. Visible to other processes on return. */
enum status sticker_store_query_ensure(struct sticker_store *s, const char *query, struct error *err) MUST_CHECK;
#define STORE_CROWD 8 /* different clients of a query that are counted; more are as many */
/* Searches of one query. `empty` of them found nothing though SearchService answered; `degraded` went without it. */
struct query_usage {
    const char *query;
    int64_t searches, empty, degraded;
    int64_t note; /* as sticker_store_queries_note sets it; 0: none */
    /* Of the first clients that searched, as far as they are known: whatever the caller tells them apart by. */
    uint32_t crowd[STORE_CROWD];
    unsigned n_crowd;
};
/* Adds a client to a crowd of n unless it is there, or the crowd is full; returns how many there are then. */
unsigned store_crowd_add(uint32_t crowd[STORE_CROWD], unsigned n, uint32_t client);
/* Notes queries that were searched, which is much cheaper than adding them to those that there are: from then on they
 * exist for everybody, and after a crash. A query may have any number of notes. Sets the rows' notes. */
enum status sticker_store_queries_note(struct sticker_store *s, struct query_usage *rows, size_t n,
                                       struct error *err) MUST_CHECK;
/* Adds all queries that were noted to the others, as far as usage_add has not. */
enum status sticker_store_queries_settle(struct sticker_store *s, struct error *err) MUST_CHECK;
/* Adds them to their queries and to today's totals in one transaction. A query that is missing is created, unless its
 * note is gone: then somebody has deleted it meanwhile, and it stays deleted. */
enum status sticker_store_usage_add(struct sticker_store *s, const struct query_usage *rows, size_t n,
                                    struct error *err) MUST_CHECK;

/* The most popular queries at now_us, the most popular first. The popularity of a query is the number of its searches
 * that found something, each of which counts half as much for every STORE_TREND_US since; at least `least`. At least
 * `clients` different ones (at most STORE_CROWD) searched for each. */
#define STORE_TREND_US (7 * STORE_DAY_US)
enum status sticker_store_popular(struct sticker_store *s, double least, unsigned clients, int64_t now_us, size_t limit,
                                  struct arena *a, const char ***queries, size_t *n, struct error *err) MUST_CHECK;

/* Where a vote or an event comes from, by which learning tells a crowd from one busy person: keyed hashes, positive, 0
 * where nothing is known. */
struct origin {
    int64_t person;  /* of the client's address and the day */
    int64_t network; /* of the /24 or /48 that the address is in */
    uint32_t client; /* of the address, the same for ever: by it clients of queries and uses of stickers are counted */
    bool vouched;    /* the request had a token, whose owner vouches for the people it tells apart */
};
struct search_row;
struct feedback_entry {
    const char *query;
    const char *const *positive, *const *negative;
    size_t n_positive, n_negative;
    /* Who votes: whatever the caller tells voters apart by; NULL: not known. Of a known voter one vote counts for a
     * sticker and a query: the same again changes nothing, the opposite replaces it, a withdrawn one is taken back.
     * Whose vote it was is forgotten some day (sticker_privacy.h); it stays counted. */
    const char *voter;
    const char *const *withdrawn;
    size_t n_withdrawn;
    /* The search that the votes are for (sticker_events.h): stickers that it did not show count as unknown; or NULL. */
    const struct search_row *search;
    struct origin origin;
    bool logged; /* the votes are in the log of events already */
};
/* One request, one transaction: ERR_NOT_FOUND "Query not found. feedback[1].query ..." names the first entry whose
 * query is unknown, and then nothing counts. Unknown stickers are listed once each in *failed, in the order met.
 * DURABLE. */
enum status sticker_store_feedback(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                   struct arena *a, const char ***failed, size_t *n_failed,
                                   struct error *err) MUST_CHECK;
/* The same for a request that may come again: what counts is kept under `key` for STORE_ONCE_US in the votes' own
 * transaction, and the same body under the same key gets the same answer, from whichever process, and counts no more.
 * What does not count (an unknown query) keeps nothing. ERR_CONFLICT with ONCE_OTHER_BODY: the key came with another
 * body before. `once` may be NULL. */
#define STORE_ONCE_US STORE_DAY_US
struct feedback_once {
    const char *key, *body_sha256; /* anything the caller tells keys and bodies apart by */
    int64_t now_us;
    enum { ONCE_COUNTED, ONCE_REPLAYED, ONCE_OTHER_BODY } was; /* set */
};
enum status sticker_store_feedback_once(struct sticker_store *s, const struct feedback_entry *entries, size_t n,
                                        struct feedback_once *once, struct arena *a, const char ***failed,
                                        size_t *n_failed, struct error *err) MUST_CHECK;

/* The names of the stickers used most at now_us, the most used first, of those that pass the filter. What people do
 * with the results of searches (sticker_events.h) is use: a click once, favourites, copies and up-votes twice, shares
 * three times, each of which counts half as much for every STORE_TREND_US since. Of a client counts what it does first
 * with a sticker on a day, and at least `clients` different ones (at most STORE_CROWD) used each sticker. */
#define STORE_USE_BYTES 8 /* of each of the last clients */
enum status sticker_store_trending(struct sticker_store *s, const struct sticker_filter *filter, unsigned clients,
                                   int64_t now_us, size_t limit, struct arena *a, const char ***filenames, size_t *n,
                                   struct error *err) MUST_CHECK;

/* Totals of a day, as they were written: what is changed or deleted later changes no day. */
#define STORE_DAY_US  INT64_C(86400000000)
#define STORE_HOUR_US (3600 * INT64_C(1000000))
struct day_row {
    int64_t day; /* since 1970-01-01, in UTC: microseconds / STORE_DAY_US */
    int64_t searches, empty, degraded, positives, negatives;
};
/* The days from..to, both included, that have any totals, in order. */
enum status sticker_store_days(struct sticker_store *s, int64_t from, int64_t to, struct arena *a,
                               struct day_row **rows, size_t *n, struct error *err) MUST_CHECK;

/* What a voter said of the stickers of a query, at most `limit`. Nothing when there is no such query. */
struct vote_row {
    const char *filename;
    bool positive;
};
enum status sticker_store_votes(struct sticker_store *s, const char *voter, const char *query, size_t limit,
                                struct arena *a, struct vote_row **rows, size_t *n, struct error *err) MUST_CHECK;

struct score_row {
    const char *query, *sticker;
    const char *sticker_id; /* of exports; else NULL */
    int64_t usage, positives, negatives, created_us, modified_us;
};
/* usage and all scores of one query, by positives - negatives descending, then filename. NOT_FOUND. */
enum status sticker_store_analytics(struct sticker_store *s, const char *query, struct arena *a, int64_t *usage,
                                    struct score_row **rows, size_t *n, struct error *err) MUST_CHECK;
/* A page of the whole feedback with modified >= since_us, by query and then in the order in which stickers were added,
 * after the given query and sticker_id ("" "" for the first page). Keyset: stable and constant-memory for any size. */
enum status sticker_store_export(struct sticker_store *s, int64_t since_us, const char *after_query,
                                 const char *after_sticker_id, size_t limit, struct arena *a, struct score_row **rows,
                                 size_t *n, struct error *err) MUST_CHECK;

/* --- users and tokens --- (hashes are made by the caller) */
struct user {
    const char *id, *username, *password_hash;
    bool is_staff, is_superuser, is_active;
    const char *totp;  /* the secret of two-factor authentication, as the caller keeps it; "" or NULL: it is off */
    int64_t totp_step; /* of the last code that was accepted */
    int64_t created_us, modified_us;
};
struct token {
    const char *id, *username, *label, *hash_hex;
    int64_t created_us, last_used_us, expires_us; /* expires_us 0: never */
};
enum status sticker_store_user_add(struct sticker_store *s, const struct user *u,
                                   struct error *err) MUST_CHECK; /* CONFLICT */
/* The same, and puts the user into the group of this name, which is made with these permissions ("queries.view
 * scores.view") where there is none; *permissions: what the group has. */
enum status sticker_store_user_add_to_group(struct sticker_store *s, const struct user *u, const char *group,
                                            const char *wanted, struct arena *a, const char **permissions,
                                            struct error *err) MUST_CHECK; /* CONFLICT */
/* The permissions of the user's groups, "stickers.view stickers.change"; "" without any. */
enum status sticker_store_user_permissions(struct sticker_store *s, const char *user_id, struct arena *a,
                                           const char **out, struct error *err) MUST_CHECK;
enum status sticker_store_user_get(struct sticker_store *s, const char *username, struct arena *a, struct user *out,
                                   struct error *err) MUST_CHECK;
/* Ends the user's sessions too, but the one with this hash ("": none is kept). DURABLE. */
enum status sticker_store_user_passwd(struct sticker_store *s, const char *username, const char *password_hash,
                                      const char *kept_session, struct error *err) MUST_CHECK;
enum status sticker_store_user_delete(struct sticker_store *s, const char *username, struct error *err) MUST_CHECK;
enum status sticker_store_user_list(struct sticker_store *s, struct arena *a, struct user **out, size_t *n,
                                    struct error *err) MUST_CHECK;
enum status sticker_store_token_add(struct sticker_store *s, const char *username, const char *label,
                                    const char *hash_hex, int64_t expires_us, struct error *err) MUST_CHECK;
enum status sticker_store_token_list(struct sticker_store *s, struct arena *a, struct token **out, size_t *n,
                                     struct error *err) MUST_CHECK;
enum status sticker_store_token_revoke(struct sticker_store *s, const char *id, struct error *err) MUST_CHECK;
/* The user whose unrevoked token hashes to hash_hex. NOT_FOUND; ERR_DENIED: it has expired, and says when. */
enum status sticker_store_token_user(struct sticker_store *s, const char *hash_hex, struct arena *a, struct user *out,
                                     struct error *err) MUST_CHECK;

/* --- keys of apps --- */
struct app_key {
    const char *name, *hash_hex;
    int64_t per_minute; /* requests; 0: any number */
    int64_t requests, last_used_us, created_us;
};
/* CONFLICT: there is one of this name. DURABLE, as is deleting (NOT_FOUND). */
enum status sticker_store_app_key_add(struct sticker_store *s, const char *name, const char *hash_hex,
                                      int64_t per_minute, struct error *err) MUST_CHECK;
enum status sticker_store_app_key_delete(struct sticker_store *s, const char *name, struct error *err) MUST_CHECK;
enum status sticker_store_app_key_list(struct sticker_store *s, struct arena *a, struct app_key **out, size_t *n,
                                       struct error *err) MUST_CHECK;
/* Adds each key's `requests`, made until its last_used_us. Keys that are gone are left out. */
enum status sticker_store_app_key_used(struct sticker_store *s, const struct app_key *keys, size_t n,
                                       struct error *err) MUST_CHECK;

/* --- two-factor authentication of a user --- (secrets are sealed, and recovery codes hashed, by the caller) */
/* Turns it on, with these codes in the place of older ones, and ends all sessions but the one with this hash. `step` is
 * that of the code by which the user proved to have the secret. totp "": turns it off. NOT_FOUND. DURABLE. */
enum status sticker_store_totp_set(struct sticker_store *s, const char *username, const char *totp, int64_t step,
                                   const char *const *recovery_hashes, size_t n, const char *kept_session,
                                   struct error *err) MUST_CHECK;
/* A code of this step was given: *fresh is false when it, or a later one, was accepted before. DURABLE. */
enum status sticker_store_totp_step(struct sticker_store *s, const char *user_id, int64_t step, bool *fresh,
                                    struct error *err) MUST_CHECK;
/* Uses a recovery code up; *found is false where the user has none with this hash. DURABLE. */
enum status sticker_store_recovery_use(struct sticker_store *s, const char *user_id, const char *hash_hex, bool *found,
                                       struct error *err) MUST_CHECK;
enum status sticker_store_recovery_left(struct sticker_store *s, const char *user_id, int64_t *left,
                                        struct error *err) MUST_CHECK;

/* --- outbox: what SearchService has still to hear --- */
struct outbox_item {
    int64_t seq;
    const char *op; /* "put", "delete", "reindex": a put whose image is to be encoded anew; or "image": the same, after
                       a look whether the sticker's row is of the image that the bucket has */
    const char *filename;
    int attempts;
    const char *last_error;
};
/* The oldest pending items, one per filename (a newer entry for the same sticker replaces an older). */
#define OUTBOX_MAX_DELAY_US                                                                                            \
    (3600 * 1000000ll) /* of a retry: what is due later was put off when the clock was ahead                           \
                        */
enum status sticker_store_outbox_next(struct sticker_store *s, int64_t now_us, size_t limit, struct arena *a,
                                      struct outbox_item **out, size_t *n, struct error *err) MUST_CHECK;
/* Before the image of a sticker is replaced: queues an "image", due later than the change of its row can take, which
 * queues its own in that place. So if nobody lives to change the row, it is found out. DURABLE. */
enum status sticker_store_image_begins(struct sticker_store *s, const char *filename, int64_t due_us,
                                       struct error *err) MUST_CHECK;
/* Sets what the row of a sticker says of its image, of `image` only that. ERR_NOT_FOUND. DURABLE. */
enum status sticker_store_image_is(struct sticker_store *s, const char *filename, const struct sticker *image,
                                   struct error *err) MUST_CHECK;
/* Takes the turn to deliver for `for_us` from now, or keeps it; 0 gives it back. *ours false: another has it. So no two
 * StickerServices on one database tell of a sticker in an order of their own. Who ends without giving it back keeps it
 * until then. Time is the database's. `holder`: any text that is one's own. `queue`: OUTBOX_SEARCH, or OUTBOX_WEBHOOKS
 * for sticker_webhooks.h. */
#define OUTBOX_SEARCH   "search"
#define OUTBOX_WEBHOOKS "webhooks"
enum status sticker_store_outbox_turn(struct sticker_store *s, const char *queue, const char *holder, int64_t for_us,
                                      bool *ours, struct error *err) MUST_CHECK;
/* Forgets entries that were delivered; an entry replaced meanwhile (other seq) stays. */
enum status sticker_store_outbox_done(struct sticker_store *s, const int64_t *seq, size_t n,
                                      struct error *err) MUST_CHECK;
/* Notes a failure; the item is offered again after `retry_us`. */
enum status sticker_store_outbox_failed(struct sticker_store *s, int64_t seq, const char *why, int64_t retry_us,
                                        struct error *err) MUST_CHECK;
/* Queues every sticker again (a new or rebuilt SearchService). */
enum status sticker_store_outbox_refill(struct sticker_store *s, struct error *err) MUST_CHECK;
/* When the oldest entry was queued, microseconds since 1970; 0: there is none. */
enum status sticker_store_outbox_oldest(struct sticker_store *s, int64_t *created_us, struct error *err) MUST_CHECK;

/* Appends how long calls took, as <prefix>_database_duration_seconds. */
void sticker_store_metrics(const struct sticker_store *s, const char *prefix, struct buf *out);

#endif
