/* meanings_internal.h: the documents' words, between meanings.c, which keeps them, and the other files. */
#ifndef PEEL_RANK_MEANINGS_INTERNAL_H
#define PEEL_RANK_MEANINGS_INTERNAL_H

#include "base/lru.h"
#include "rank/meanings.h"
#include "text/text.h"
#include "vectors/scan.h"
#include "words/lexicon.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define WORDS_STRIDE 128u /* LEXICON_DIM, filled up for the kernels */

/* A document that has a word, or a word that a document has: twice the slot or the entry, and one more where the title
 * does not have it. */
#define POSTING(place, titled) (2 * (place) + !(titled))
#define POSTING_OF(posting)    ((posting) / 2)
/* How much the word counts there: 1, a little less outside of the title. */
#define POSTING_WEIGHT(posting) ((posting) % 2 ? 0.95f : 1.0f)

/* A distinct word of the documents, or a term of several words. */
struct entry {
    char *word;         /* folded */
    uint64_t stem;      /* hashed */
    uint32_t next;      /* entry + 1 whose stem has the same place in the table; 0: none */
    uint32_t known;     /* its place + 1 among those that the lexicon has a vector of; 0: it has none */
    uint32_t n, cap;    /* documents */
    uint32_t *postings; /* [n] by slot */
};
struct word_vectors { /* the lexicon's, for the kernels; the cosine of two is both scales times the dot product */
    int8_t *codes;    /* [n][WORDS_STRIDE] */
    int32_t *sums;
    float *scales; /* 0: unknown */
};
struct slot {
    int64_t id;         /* 0: free */
    uint64_t hash;      /* of the title and words it was made of; 0: it was taken away */
    uint32_t n, *words; /* [n] postings of entries */
};

/* Slots that a search looks at together: what it notes of them stays in the processor's caches. */
#define MEANINGS_BLOCK 8192u
/* Slots that may be among the best and are compared together, the best first. */
#define MEANINGS_SLOTS 32768u

/* How a document's words are like one word of the query. */
struct likeness {
    float best, sum; /* that of the most alike one, and all of them added up */
};

/* Numbers that are looked at together; a part of MEANINGS_BLOCK. */
#define MEANINGS_GROUP 16u
/* Bit i: v[i] is at least `from`, and less than `below`. Without a branch, which nobody could foretell. */
static inline uint32_t meanings_within(const float v[MEANINGS_GROUP], float from, float below)
{
    static const uint32_t bit[MEANINGS_GROUP] = {1,        1u << 1,  1u << 2,  1u << 3, 1u << 4,  1u << 5,
                                                 1u << 6,  1u << 7,  1u << 8,  1u << 9, 1u << 10, 1u << 11,
                                                 1u << 12, 1u << 13, 1u << 14, 1u << 15};
    uint32_t bits = 0;
    for (size_t i = 0; i < MEANINGS_GROUP; i++)
        bits |= ((v[i] >= from) & (v[i] < below)) ? bit[i] : 0;
    return bits;
}
/* Takes the lowest one out of bits that are not 0. */
static inline uint32_t meanings_next_bit(uint32_t *bits)
{
    uint32_t bit = (uint32_t)__builtin_ctz(*bits);
    *bits &= *bits - 1;
    return bit;
}

/* What one search needs, of the size of a block or of the number of distinct words. */
struct scratch {
    struct scratch *next;
    struct likeness *likeness; /* [MEANINGS_BLOCK] of the block's slots; zeros between words */
    float *scores;             /* [MEANINGS_BLOCK] of these by their words; zeros between blocks */
    uint32_t *slots;           /* [MEANINGS_SLOTS] which may be among the best, */
    float *partial;  /* and their scores without the likeness as a whole, 0..1; a group of less than 0 behind */
    int32_t *dots;   /* [cap_words] products */
    float *alike;    /* [cap_words] of entries; zeros between words */
    uint32_t *words; /* [cap_words] entries that are alike */
    struct meaning_hit *hits; /* [cap_hits] */
    size_t cap_hits;
    uint32_t cap_words, n_slots, n_words;
};

struct meanings {
    pthread_rwlock_t lock;
    struct lexicon *lexicon;
    struct search_store *store;
    const struct scan_kernels *kernels;
    struct entry *entries; /* [n], never removed, as words come back */
    uint32_t *letters;     /* [n] which ones each word has: bit 0 is a, 26 anything else */
    uint32_t *common;      /* [n_common] the same of the most frequent words of the lexicon */
    uint32_t n_common;
    struct word_vectors words; /* [n_known] of entries that the lexicon has a vector of, */
    uint32_t *known;           /* which are these */
    uint32_t n, n_known, cap, n_documents;
    uint32_t *table, *stems, table_size; /* entry + 1 by the hash of its word and of its stem; a power of two */
    struct slot *slots;                  /* sorted by nothing; found by place_of */
    struct word_vectors means;           /* [n_slots], of the documents' words */
    uint32_t n_slots, cap_slots;
    uint32_t *places, places_size; /* slot + 1 by the hash of its id; freed slots stay and are used again */
    atomic_uint_fast64_t changes;  /* of documents, ever */
    uint64_t saved;                /* as many as that were in the snapshot; one thread's, */
    struct search_mark mark;       /* as is that of the snapshot */
    struct lru *alike;             /* which words are alike a word (meanings_alike.c) */
    pthread_mutex_t scratch_lock;
    struct scratch *scratch; /* those that no search uses */
};

/* One that no search uses, large enough for the words of now; NULL: no memory. */
struct scratch *meanings_scratch_take(struct meanings *x);
void meanings_scratch_give(struct meanings *x, struct scratch *m);
void meanings_scratch_close(struct meanings *x);

/* meanings.c, for what is read from a snapshot; false: no memory. Room for as many entries and slots. */
bool meanings_reserve(struct meanings *x, uint32_t entries, uint32_t slots);
/* A new entry, whose word has this number in the lexicon. */
bool meanings_add_entry(struct meanings *x, const char *word, uint64_t stem, uint32_t number);
/* A new slot, which has no words yet and for which there is room; NULL: there is one with this id. */
struct slot *meanings_add_slot(struct meanings *x, int64_t id);
/* Makes what the document in a slot is about as a whole of its words. */
void meanings_put_mean(struct meanings *x, uint32_t slot);
/* The slot of a document + 1; 0: it was never there. */
uint32_t meanings_slot(const struct meanings *x, int64_t id);

#define MEANINGS_MANY 4096 /* changes since a snapshot: comparing all documents with it takes less time */
/* meanings_file.c: the snapshot of an index that has just been opened. ERR_NOT_FOUND: there is none; ERR_CONFLICT: it
 * is of another program or lexicon; ERR_CORRUPT. */
enum status meanings_load(struct meanings *x, const char *path, struct error *err) MUST_CHECK;

/* A word of the documents that means something like a word of the query, or is it. */
struct alike {
    uint32_t entry;
    float score; /* 0..1; 1: the same, by stem */
};
struct alike_list {
    struct alike *items; /* [n], each word once, in the arena */
    uint32_t n;
};
/* meanings_alike.c. By vector, or by relation where that is closer; the WIDEST best. From memory where the word was
 * asked for since the documents last got a new word. */
enum status meanings_alike(const struct meanings *x, const struct text_term *t, struct scratch *m, struct arena *a,
                           struct alike_list *out, struct error *err) MUST_CHECK;
/* What a term of n words is like as a whole: 1 is its own entry + 1 (0: none), then what the relations of `word`
 * (LEXICON_NONE) say; what is like one of its words is only partly like it: "hot dog" is no dog. */
enum status meanings_alike_term(const struct meanings *x, const struct text_term *words, size_t n, uint32_t entry,
                                uint32_t word, struct scratch *m, struct arena *a, struct alike_list *out,
                                struct error *err) MUST_CHECK;
/* Leaves out words that are less alike than others which have enough documents that pass (NULL: all do). */
void meanings_alike_enough(const struct meanings *x, const struct label_test *passing, size_t enough,
                           struct alike_list *list);
#define MEANINGS_MAX_QUERY 32u /* words of a query */

/* A word or term of the query that counts, and the documents' words that are like it. */
struct asked_word {
    struct alike_list alike;
    float weight;
};
/* What the query is about, and its words' weights in total. */
struct subject {
    _Alignas(64) int8_t codes[WORDS_STRIDE];
    float scale, total; /* scale 0: nothing is known of its words */
};
/* meanings_spelling.c: the lexicon's words that may have been meant; false: no memory. */
bool meanings_read_common(struct meanings *x);
/* The query with its misspelled words put right, everything else as it was typed; NULL: nothing is misspelled. In the
 * arena. */
enum status meanings_put_right(const struct meanings *x, const char *text, size_t len, struct arena *a,
                               const char **corrected, struct error *err) MUST_CHECK;
/* meanings_score.c: the hits of meanings_search. */
enum status meanings_best(struct meanings *x, const struct subject *q, const struct asked_word *words, size_t n_words,
                          const struct label_test *passing, size_t most, bool in_order, struct pool *pool,
                          struct scratch *m, struct arena *a, struct meaning_hit **out, size_t *n,
                          struct error *err) MUST_CHECK;

/* The relations of a word, or of the form that dictionaries have: [*n] in the lexicon. */
const uint32_t *meanings_relations(const struct meanings *x, const char *folded, uint32_t word, size_t *n);
/* Counts by step those of n numbers 0..1 that are greater than 0. */
#define MEANINGS_STEPS 1024u
void meanings_count_steps(const float *values, size_t n, uint32_t counts[MEANINGS_STEPS]);
/* The least step of the `most` greatest; 0 when there are no more than that. */
double meanings_least_of(const uint32_t counts[MEANINGS_STEPS], size_t most);
/* The greatest step from which on there are `wanted`; 0 when there are fewer. */
float meanings_step_with(const uint32_t counts[MEANINGS_STEPS], size_t wanted);

/* The words of a term such as "ice cream", which some sticker has as a title or keyword: an entry of its own. */
#define WORDS_MAX_TERM 3u
/* Their folded forms, or stems, with spaces between; NULL: no memory. */
const char *meanings_join(const struct text_term *terms, size_t n, bool stems, struct arena *a);

/* The entry of a folded word or term + 1; 0: no document ever had it. */
uint32_t meanings_entry(const struct meanings *x, const char *word);
/* The next entry with this stem + 1, the first one for 0; 0: there is no other. */
uint32_t meanings_next_of_stem(const struct meanings *x, uint64_t stem, uint32_t entry);
/* A word of the lexicon for the kernels; zeros for LEXICON_NONE. */
float meanings_codes(const struct meanings *x, uint32_t word, int8_t codes[WORDS_STRIDE], int32_t *sum);
/* Unit length as int8, of zeros from LEXICON_DIM on: returns the scale, 0 for a vector of zeros. */
float meanings_quantize(const float v[restrict WORDS_STRIDE], int8_t codes[restrict WORDS_STRIDE], int32_t *sum);
uint32_t meanings_letters(const char *word, size_t len);

#endif
