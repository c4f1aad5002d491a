/* receipts.h: what a search answer carries as its "query_id", so that events and votes can tell later which search they
 * belong to, and what it showed. A receipt is signed (HMAC-SHA-256, RFC 2104, cut to 128 bits) and says everything by
 * itself: nothing is stored for a search of which no event comes, and any instance of StickerService can read the
 * receipts of the others, as they share the keys in the database.
 *
 * Its text is base64url (RFC 4648) of
 *     version, 1 byte; number of the key, 4; seconds since 1970, 4; random, 8; what was drafted; signature, 16
 * with numbers little-endian. Version 2 also says what the search tried: rankings of an experiment, or a new sticker;
 * the receipts of other searches have version 1. Keys are replaced every RECEIPT_DAYS days by themselves, and read
 * receipts until the last of theirs has expired. */
#ifndef PEEL_STICKER_SERVICE_RECEIPTS_H
#define PEEL_STICKER_SERVICE_RECEIPTS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "sticker_store/sticker_events.h"
#include <stddef.h>
#include <stdint.h>

#define RECEIPT_MAX       1500              /* bytes of its text */
#define RECEIPT_DAYS      STORE_SEARCH_DAYS /* that it is good for */
#define RECEIPT_DRAFT_MAX 1080              /* bytes: what fits into the text */
#define RECEIPT_SHOWN_MAX 100
#define RECEIPT_WORD_MAX  40 /* bytes of the language's tag and of the ranking's version */

struct receipts;
enum status receipts_open(struct sticker_store *store, struct receipts **out, struct error *err) MUST_CHECK;
void receipts_close(struct receipts *r); /* NULL is fine */

/* What a receipt says of the search: the same for all answers that are alike, as it is kept with them.
 * query: at most 255 code points. ids: the stickers' UUIDs, in their order; those that do not fit any more, which
 * happens with a hundred stickers for a long query, are left out at the end. Appends to out. */
struct receipt_draft {
    const char *query, *language, *ranking;
    size_t offset;
    const char *const *ids;
    size_t n;
    int64_t experiment;         /* 0: none, */
    enum team arm;              /* with people in arms; TEAM_NONE: interleaved, */
    const unsigned char *teams; /* [n], by enum team */
    size_t tried;               /* the rank of a new sticker; 0: none */
    int64_t propensity;         /* its probability to be there, in millionths */
};
void receipt_draft(const struct receipt_draft *draft, struct buf *out);

/* Appends the text of a new receipt, of at most RECEIPT_MAX bytes. */
void receipts_sign(struct receipts *r, const void *draft, size_t len, struct buf *out);
/* Reads a receipt's text; what *out points to lives in the arena. ERR_INVALID, with what a client can be told: it is no
 * receipt, was not made by this installation, or has expired. */
enum status receipts_read(struct receipts *r, const char *text, size_t len, struct arena *a, struct search_row *out,
                          struct error *err) MUST_CHECK;

/* A number that whoever does not have the database's key cannot foretell: the same for the same text, on all instances,
 * and spread evenly. */
uint64_t receipts_draw(struct receipts *r, const char *text);
/* A keyed hash of what a client calls a person, of 64 hexadecimal digits: the same for ever, and of no use to whoever
 * does not have the database's key. Of those whom a token vouches for it is another one, so that nobody without a token
 * can vote as one of them. In the arena; NULL without memory. */
const char *receipts_person(struct receipts *r, const char *id, bool vouched, struct arena *a);

/* A short keyed hash of where a request comes from (client_network), to tell a few clients of one query apart: the same
 * for ever and in all instances. */
uint32_t receipts_client(const struct receipts *r, const char *address);
/* Where a request comes from, by the client's address: keyed hashes of the address with the day, and of its network, a
 * /24 or /48; of IPv6 the address is a /64. Their key is replaced every RECEIPT_DAYS days and then deleted, so that
 * nobody finds the address by trying all that there are. What is no address is not known; `vouched` is left false. */
struct origin receipts_origin(struct receipts *r, const char *address);

#endif
