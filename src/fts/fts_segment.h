/* fts_segment.h: a part of the index of terms (fts_index.h): some documents with their terms, in one piece of memory
 * that never changes, which a file may be mapped to.
 *
 *     | head | entries | ids | hashes | words | language sets | blocks |
 *
 * The documents stand by ascending id; a document's place among them is its slot. An entry is a term with its postings:
 * how many of its first bytes the term before it has, then how many follow, and these; the length of the postings, and
 * these. A posting is 2 * (slots left out since the one before), and 1 more if its value follows because it is another
 * one than the posting's before. The value is the tf of a stem, the number of the set of languages of a term of another
 * language, and 0 of an unstemmed form. Numbers in entries have seven bits a byte, the last byte the top bit clear.
 * Entries are sorted by the bytes of their terms (fts_rows.h); of each SEGMENT_BLOCK of them the first is written whole
 * and found by `blocks`. All else is in the machine's own byte order.
 *
 * A file may say anything: whatever does not fit ends a list, or finds nothing. */
#ifndef PEEL_FTS_FTS_SEGMENT_H
#define PEEL_FTS_FTS_SEGMENT_H

#include "base/language.h"
#include "base/os.h"
#include "fts/fts_rows.h"

#include <stdatomic.h>

/* The bit of a set of languages that says: it is also in a title. */
enum { FTS_SEGMENT_TITLED = 191 };
_Static_assert((int)LANGUAGE_COUNT <= (int)FTS_SEGMENT_TITLED, "a set has a bit for titles besides the languages'");

struct fts_segment {
    atomic_uint refs;
    uint32_t n_docs, n_sets;
    uint64_t n_blocks;
    int64_t all_words; /* of all documents */
    const int64_t *ids;
    const uint64_t *hashes; /* of the document's terms */
    const uint32_t *words;  /* as struct fts_rows has them */
    const struct language_set *sets;
    const uint64_t *blocks;       /* [n_blocks + 1] where each begins in the entries */
    uint64_t *heads;              /* [n_blocks] the beginning of each one's first term, to find it by */
    const unsigned char *entries; /* all of which end at blocks[n_blocks] */
    size_t bytes;                 /* of it all, */
    const void *data;             /* which is malloc'ed, */
    struct os_map map;            /* or mapped */
};

/* What a segment is made of. */
struct fts_document {
    int64_t id;
    uint64_t hash; /* fts_terms_hash */
    const struct sticker_terms *terms;
};
uint64_t fts_terms_hash(const struct sticker_terms *terms);

/* Slots of documents that are gone, a bit each; NULL: none is. */
static inline bool fts_is_dead(const uint64_t *dead, uint32_t slot)
{
    return dead && dead[slot / 64] >> slot % 64 & 1;
}

/* Of one document. */
enum status fts_segment_make(const struct fts_document *doc, struct fts_segment **out, struct error *err) MUST_CHECK;
/* fts_segment_merge.c: of those of others that are not dead; each id is alive in one of them at most. */
struct fts_source {
    const struct fts_segment *segment;
    const uint64_t *dead;
};
enum status fts_segment_merge(const struct fts_source *sources, size_t n, struct fts_segment **out,
                              struct error *err) MUST_CHECK;
struct fts_segment *fts_segment_hold(struct fts_segment *s); /* one reference more */
void fts_segment_drop(struct fts_segment *s);                /* NULL is fine */

/* A file of one segment, with what it is of: a name, and a number. ERR_NOT_FOUND: there is none; ERR_CONFLICT: it is of
 * another program; ERR_CORRUPT. */
#define FTS_TAG_SIZE 40
enum status fts_segment_save(struct fts_segment *s, const char *path, const char tag[FTS_TAG_SIZE], int64_t number,
                             struct error *err) MUST_CHECK;
enum status fts_segment_load(const char *path, struct fts_segment **out, char tag[FTS_TAG_SIZE], int64_t *number,
                             struct error *err) MUST_CHECK;

/* The slot of a document, dead or alive; UINT32_MAX: it has none. */
uint32_t fts_segment_slot(const struct fts_segment *s, int64_t id);

/* Walks the entries from a place on. */
struct fts_entries {
    const unsigned char *at, *end;
    char term[FTS_MAX_TERM + 1];
    size_t len;
    const unsigned char *postings, *postings_end;
    bool held; /* fts_entries_next gives the same once more */
};
/* To the first entry that is not before the term; fts_entries_next then gives it. len 0: to the first of all. */
void fts_entries_seek(const struct fts_segment *s, const char *term, size_t len, struct fts_entries *out);
bool fts_entries_next(struct fts_entries *e);

/* Walks the postings of an entry. */
struct fts_postings {
    const unsigned char *at, *end;
    uint32_t next; /* the least slot that the next one may have */
    uint32_t slot, value;
};
static inline struct fts_postings fts_postings_of(const struct fts_entries *e)
{
    return (struct fts_postings){.at = e->postings, .end = e->postings_end};
}

/* False where the number does not end before `end`, or is greater than UINT32_MAX. */
static inline bool fts_read_number(const unsigned char **at, const unsigned char *end, uint32_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 35; shift += 7) {
        unsigned char byte = *(*at)++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) {
            *out = (uint32_t)value;
            return value <= UINT32_MAX;
        }
    }
    return false;
}

static inline bool fts_postings_next(struct fts_postings *p, uint32_t n_docs)
{
    uint32_t step;
    if (!fts_read_number(&p->at, p->end, &step) || step / 2 >= n_docs - p->next)
        return false;
    p->slot = p->next + step / 2;
    p->next = p->slot + 1;
    return step % 2 == 0 || fts_read_number(&p->at, p->end, &p->value);
}

/* --- writing, between fts_segment*.c --- */

struct fts_writer {
    struct buf out, blocks, postings;
    char term[FTS_MAX_TERM + 1]; /* the last one */
    size_t len;
    uint64_t n_entries;
    uint32_t next, value; /* of the postings */
    struct language_set *sets;
    uint32_t *table, n_sets, cap_sets; /* the table has set + 1 by its hash: twice cap_sets, a power of two */
};
void fts_writer_begin(struct fts_writer *w);
/* By ascending slot, then the term that has them, unless there are none; terms ascend. */
void fts_writer_posting(struct fts_writer *w, uint32_t slot, uint32_t value);
void fts_writer_term(struct fts_writer *w, const char *term, size_t len);
/* The number of a set; UINT32_MAX: no memory. */
uint32_t fts_writer_set(struct fts_writer *w, const struct language_set *set);
/* With the documents, [n] each. The writer is still to be freed. */
enum status fts_writer_end(struct fts_writer *w, const int64_t *ids, const uint64_t *hashes, const uint32_t *words,
                           uint32_t n, struct fts_segment **out, struct error *err) MUST_CHECK;
void fts_writer_free(struct fts_writer *w);

#endif
