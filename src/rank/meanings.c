#include "rank/meanings_internal.h"

#include "base/log.h"
#include "base/wide.h"
#include "rank/document_text.h"
#include "text/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_TERMS 512u /* of a document that count */
#define PAGE      1000u
#define NEAR      8 /* ids apart: documents that are read with those between them */

#define MAX_READERS 16 /* of the documents at the start; they wait for each other to put what they have read */

/* Memory for the words of queries; those of most queries are a few thousand. */
#define ALIKE_BYTES        (8u << 20)
#define ALIKE_BYTES_OF_ONE 1024u /* about */

/* --- distinct words --- */

static uint32_t *entry_place(const struct meanings *x, const char *word)
{
    uint32_t at = (uint32_t)XXH3_64bits(word, strlen(word)) & (x->table_size - 1);
    while (x->table[at] && strcmp(x->entries[x->table[at] - 1].word, word) != 0)
        at = (at + 1) & (x->table_size - 1);
    return &x->table[at];
}

uint32_t meanings_entry(const struct meanings *x, const char *word)
{
    return *entry_place(x, word);
}

uint32_t meanings_rank(const struct meanings *x, const char *word, size_t len)
{
    return lexicon_find(x->lexicon, word, len);
}

uint32_t meanings_letters(const char *word, size_t len)
{
    uint32_t set = 0;
    for (size_t i = 0; i < len; i++)
        set |= 1u << (word[i] >= 'a' && word[i] <= 'z' ? word[i] - 'a' : 26);
    return set;
}

static bool grow_vectors(struct word_vectors *v, uint32_t cap)
{
    int32_t *sums = realloc(v->sums, cap * sizeof *sums);
    v->sums = sums ? sums : v->sums;
    float *scales = realloc(v->scales, cap * sizeof *scales);
    v->scales = scales ? scales : v->scales;
    int8_t *codes = realloc(v->codes, (size_t)cap * WORDS_STRIDE);
    v->codes = codes ? codes : v->codes;
    return sums && scales && codes;
}

static void free_vectors(struct word_vectors *v)
{
    free(v->codes);
    free(v->sums);
    free(v->scales);
}

static void chain_stem(struct meanings *x, uint32_t entry)
{
    uint32_t *first = &x->stems[x->entries[entry].stem & (x->table_size - 1)];
    x->entries[entry].next = *first;
    *first = entry + 1;
}

uint32_t meanings_next_of_stem(const struct meanings *x, uint64_t stem, uint32_t entry)
{
    uint32_t at = entry ? x->entries[entry - 1].next : x->stems[stem & (x->table_size - 1)];
    while (at && x->entries[at - 1].stem != stem)
        at = x->entries[at - 1].next;
    return at;
}

/* The tables of words and stems for as many entries. */
static bool make_tables(struct meanings *x, uint32_t cap)
{
    uint32_t size = 4 * cap, *table = calloc(size, sizeof *table), *stems = calloc(size, sizeof *stems);
    if (!table || !stems) {
        free(table);
        free(stems);
        return false;
    }
    free(x->table);
    free(x->stems);
    x->table = table;
    x->stems = stems;
    x->table_size = size;
    for (uint32_t i = 0; i < x->n; i++) {
        *entry_place(x, x->entries[i].word) = i + 1;
        chain_stem(x, i);
    }
    return true;
}

static bool grow_entries(struct meanings *x, uint32_t least)
{
    uint32_t cap = x->cap ? x->cap : 4096;
    while (cap < least)
        cap *= 2;
    struct entry *entries = realloc(x->entries, cap * sizeof *entries);
    x->entries = entries ? entries : x->entries;
    uint32_t *letters = realloc(x->letters, cap * sizeof *letters);
    x->letters = letters ? letters : x->letters;
    if (!entries || !letters || !make_tables(x, cap))
        return false;
    x->cap = cap;
    return true;
}

/* Room for one more word that has a vector. */
static bool grow_known(struct meanings *x)
{
    uint32_t n = x->n_known;
    if (n < MEANINGS_GROUP ? n : n & (n - 1)) /* it grows at 0 and at powers of two; whole groups can be read */
        return true;
    uint32_t cap = n ? 2 * n : MEANINGS_GROUP;
    uint32_t *known = realloc(x->known, cap * sizeof *known);
    x->known = known ? known : x->known;
    return known && grow_vectors(&x->words, cap);
}

float meanings_codes(const struct meanings *x, uint32_t word, int8_t codes[WORDS_STRIDE], int32_t *sum)
{
    float scale = 0;
    *sum = 0;
    memset(codes, 0, WORDS_STRIDE);
    if (word == LEXICON_NONE)
        return 0;
    memcpy(codes, lexicon_codes(x->lexicon, word, &scale), LEXICON_DIM);
    for (size_t i = 0; i < LEXICON_DIM; i++)
        *sum += codes[i] = codes[i] == -128 ? -127 : codes[i];
    return scale;
}

static float greatest(const float v[WORDS_STRIDE])
{
    enum { LANES = 4 };
    float most[LANES] = {0};
    for (size_t i = 0; i < WORDS_STRIDE; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            most[k] = fabsf(v[i + k]) > most[k] ? fabsf(v[i + k]) : most[k];
    return fmaxf(fmaxf(most[0], most[1]), fmaxf(most[2], most[3]));
}

WIDE float meanings_quantize(const float v[restrict WORDS_STRIDE], int8_t codes[restrict WORDS_STRIDE], int32_t *sum)
{
    float peak = greatest(v), most = peak > 0 ? peak : 1;
    int32_t total = 0, norm = 0;
    for (size_t i = 0; i < WORDS_STRIDE; i++) {
        int32_t code = (int32_t)rintf(v[i] / most * 127);
        codes[i] = (int8_t)code;
        total += code;
        norm += code * code;
    }
    *sum = total;
    return norm > 0 ? 1 / sqrtf((float)norm) : 0;
}

/* The vector of a word, if the lexicon has one. */
static bool add_known(struct meanings *x, uint32_t entry, uint32_t number)
{
    uint32_t n = x->n_known;
    if (number == LEXICON_NONE)
        return true;
    if (!grow_known(x))
        return false;
    float scale = meanings_codes(x, number, x->words.codes + (size_t)n * WORDS_STRIDE, &x->words.sums[n]);
    if (scale <= 0)
        return true;
    x->words.scales[n] = scale;
    x->known[n] = entry;
    x->entries[entry].known = ++x->n_known;
    return true;
}

bool meanings_add_entry(struct meanings *x, const char *word, uint64_t stem, uint32_t number)
{
    if (x->n == x->cap && !grow_entries(x, x->n + 1))
        return false;
    struct entry *e = &x->entries[x->n];
    *e = (struct entry){.word = strdup(word), .stem = stem};
    if (!e->word || !add_known(x, x->n, number)) {
        free(e->word);
        return false;
    }
    x->letters[x->n] = meanings_letters(word, strlen(word));
    chain_stem(x, x->n);
    *entry_place(x, word) = x->n + 1;
    x->n++;
    return true;
}

static struct entry *take_entry(struct meanings *x, const struct text_term *t)
{
    uint32_t at = meanings_entry(x, t->folded);
    if (!at && meanings_add_entry(x, t->folded, XXH3_64bits(t->stem, strlen(t->stem)),
                                  lexicon_find(x->lexicon, t->folded, strlen(t->folded))))
        at = x->n;
    return at ? &x->entries[at - 1] : NULL;
}

/* --- documents --- */

static uint32_t *place_of(const struct meanings *x, int64_t id)
{
    uint32_t at = (uint32_t)XXH3_64bits(&id, sizeof id) & (x->places_size - 1);
    while (x->places[at] && x->slots[x->places[at] - 1].id != id)
        at = (at + 1) & (x->places_size - 1);
    return &x->places[at];
}

uint32_t meanings_slot(const struct meanings *x, int64_t id)
{
    return *place_of(x, id);
}

static bool grow_slots(struct meanings *x, uint32_t least)
{
    uint32_t cap = x->cap_slots ? x->cap_slots : 4096;
    while (cap < least)
        cap *= 2;
    uint32_t size = 4 * cap;
    struct slot *slots = realloc(x->slots, cap * sizeof *slots);
    x->slots = slots ? slots : x->slots;
    uint32_t *places = calloc(size, sizeof *places);
    if (!slots || !places || !grow_vectors(&x->means, cap)) {
        free(places);
        return false;
    }
    free(x->places);
    x->places = places;
    x->places_size = size;
    x->cap_slots = cap;
    for (uint32_t i = 0; i < x->n_slots; i++)
        *place_of(x, x->slots[i].id) = i + 1;
    return true;
}

bool meanings_reserve(struct meanings *x, uint32_t entries, uint32_t slots)
{
    return grow_entries(x, entries) && grow_slots(x, slots);
}

struct slot *meanings_add_slot(struct meanings *x, int64_t id)
{
    uint32_t *place = place_of(x, id);
    if (*place)
        return NULL;
    struct slot *s = &x->slots[x->n_slots];
    *s = (struct slot){.id = id};
    *place = ++x->n_slots;
    return s;
}

/* The document stays in its slot without words: an id is never given to another. */
static void clear_slot(struct meanings *x, uint32_t number)
{
    struct slot *s = &x->slots[number];
    for (uint32_t i = 0; i < s->n; i++) {
        struct entry *e = &x->entries[POSTING_OF(s->words[i])];
        uint32_t kept = 0;
        for (uint32_t k = 0; k < e->n; k++)
            if (POSTING_OF(e->postings[k]) != number)
                e->postings[kept++] = e->postings[k];
        e->n = kept;
    }
    atomic_fetch_add(&x->changes, 1);
    x->n_documents -= s->n > 0;
    s->n = 0;
    s->hash = 0;
}

/* How many of an entry's postings are of slots before `number`. */
static uint32_t postings_before(const struct entry *e, uint32_t number)
{
    uint32_t low = 0, high = e->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (POSTING_OF(e->postings[middle]) < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool add_posting(struct meanings *x, uint32_t number, const struct text_term *t, bool titled)
{
    struct entry *e = take_entry(x, t);
    if (!e)
        return false;
    uint32_t at = postings_before(e, number);
    if (at < e->n && POSTING_OF(e->postings[at]) == number)
        return true;
    if (e->n == e->cap) {
        uint32_t cap = e->cap ? 2 * e->cap : 4;
        uint32_t *postings = realloc(e->postings, cap * sizeof *postings);
        if (!postings)
            return false;
        e->postings = postings;
        e->cap = cap;
    }
    memmove(e->postings + at + 1, e->postings + at, (e->n - at) * sizeof *e->postings);
    e->postings[at] = POSTING(number, titled);
    e->n++;
    x->slots[number].words[x->slots[number].n++] = POSTING((uint32_t)(e - x->entries), titled);
    return true;
}

/* The mean of the words' vectors: what the document is about as a whole. */
WIDE void meanings_put_mean(struct meanings *x, uint32_t number)
{
    float sum[WORDS_STRIDE] = {0};
    const struct slot *s = &x->slots[number];
    for (uint32_t i = 0; i < s->n; i++) {
        uint32_t known = x->entries[POSTING_OF(s->words[i])].known;
        if (!known)
            continue;
        const int8_t *codes = x->words.codes + (size_t)(known - 1) * WORDS_STRIDE;
        float scale = x->words.scales[known - 1];
        for (size_t k = 0; k < WORDS_STRIDE; k++) /* whole vectors of the processor; beyond LEXICON_DIM are zeros */
            sum[k] += scale * codes[k];
    }
    x->means.scales[number] =
        meanings_quantize(sum, x->means.codes + (size_t)number * WORDS_STRIDE, &x->means.sums[number]);
}

static bool put_terms(struct meanings *x, int64_t id, uint64_t hash, const struct text_terms *terms, size_t n_title)
{
    if (x->n_slots == x->cap_slots && !grow_slots(x, x->n_slots + 1))
        return false;
    (void)meanings_add_slot(x, id);
    uint32_t number = meanings_slot(x, id) - 1;
    clear_slot(x, number);
    uint32_t *words = realloc(x->slots[number].words, (terms->count + 1) * sizeof *words);
    if (!words)
        return false;
    x->slots[number].words = words;
    bool ok = true;
    for (size_t i = 0; i < terms->count && ok; i++)
        ok = terms->items[i].is_emoji || add_posting(x, number, &terms->items[i], i < n_title);
    meanings_put_mean(x, number);
    atomic_fetch_add(&x->changes, 1);
    x->slots[number].hash = ok ? hash : 0;
    x->n_documents += x->slots[number].n > 0;
    return ok;
}

const char *meanings_join(const struct text_term *terms, size_t n, bool stems, struct arena *a)
{
    const char *s = stems ? terms[0].stem : terms[0].folded;
    for (size_t i = 1; i < n && s; i++)
        s = arena_printf(a, "%s %s", s, stems ? terms[i].stem : terms[i].folded);
    return s;
}

/* Adds to `all` those phrases, between commas, that are of two words or three. */
static enum status add_phrases(const char *text, size_t len, struct arena *a, struct text_terms *all, struct error *err)
{
    struct text_term *items = arena_array(a, 2 * MAX_TERMS, sizeof *items);
    if (!items)
        return err_no_memory(err, "the documents' words");
    if (all->count)
        memcpy(items, all->items, all->count * sizeof *items);
    all->items = items;
    for (size_t at = 0, n; at < len && all->count < 2 * MAX_TERMS; at += n + 1) {
        struct text_terms phrase;
        n = strcspn(text + at, ",;|:");
        enum status st = text_analyze(text + at, n, WORDS_MAX_TERM + 1, a, &phrase, err);
        if (st != OK)
            return st;
        if (phrase.count < 2 || phrase.count > WORDS_MAX_TERM)
            continue;
        struct text_term *t = &items[all->count++];
        *t = (struct text_term){.folded = meanings_join(phrase.items, phrase.count, false, a),
                                .stem = meanings_join(phrase.items, phrase.count, true, a)};
        if (!t->folded || !t->stem)
            return err_no_memory(err, "the documents' words");
    }
    return OK;
}

/* Adds what is also written together: "icecream" of "ice cream". */
static enum status add_compounds(const char *text, size_t len, struct arena *a, struct text_terms *all,
                                 struct error *err)
{
    struct text_terms more;
    const char *compounds = text_compounds(text, len, TEXT_HYPHENS | TEXT_PHRASES, a);
    if (!compounds)
        return err_no_memory(err, "the documents' words");
    enum status st = text_analyze(compounds, strlen(compounds), MAX_TERMS, a, &more, err);
    struct text_term *items = st == OK ? arena_array(a, all->count + more.count + 1, sizeof *items) : NULL;
    if (!items)
        return st == OK ? err_no_memory(err, "the documents' words") : st;
    if (all->count)
        memcpy(items, all->items, all->count * sizeof *items);
    if (more.count)
        memcpy(items + all->count, more.items, more.count * sizeof *items);
    all->items = items;
    all->count += more.count;
    return OK;
}

/* Of what the words are made of: as the store has it, which can be compared without reading the words. */
static uint64_t words_hash(const char *words_sha256)
{
    return XXH3_64bits(words_sha256, strlen(words_sha256)) | 1;
}

static bool is_there(struct meanings *x, int64_t id, uint64_t hash)
{
    pthread_rwlock_rdlock(&x->lock);
    uint32_t place = *place_of(x, id);
    bool same = place && x->slots[place - 1].hash == hash;
    pthread_rwlock_unlock(&x->lock);
    return same;
}

enum status meanings_put(struct meanings *x, const struct document *doc, struct error *err)
{
    struct arena a;
    struct text_terms title, all;
    const char *text;
    size_t len;
    char sha256[65];
    if (!doc->words_sha256)
        search_store_hash_words(doc->title, doc->words_json, sha256);
    uint64_t hash = words_hash(doc->words_sha256 ? doc->words_sha256 : sha256);
    if (!x || is_there(x, doc->id, hash))
        return OK;
    arena_init(&a, 8u << 20);
    enum status st = document_text(doc, &a, &text, &len, err);
    if (st == OK)
        st = text_analyze(doc->title, strlen(doc->title), MAX_TERMS, &a, &title, err);
    if (st == OK)
        st = text_analyze(text, len, MAX_TERMS, &a, &all, err);
    if (st == OK)
        st = add_phrases(text, len, &a, &all, err);
    if (st == OK)
        st = add_compounds(text, len, &a, &all, err);
    if (st == OK) {
        pthread_rwlock_wrlock(&x->lock);
        if (!put_terms(x, doc->id, hash, &all, title.count))
            st = err_no_memory(err, "the documents' words");
        pthread_rwlock_unlock(&x->lock);
    }
    arena_free(&a);
    return st;
}

void meanings_remove(struct meanings *x, int64_t id)
{
    if (!x)
        return;
    pthread_rwlock_wrlock(&x->lock);
    uint32_t place = x->places_size ? *place_of(x, id) : 0;
    if (place)
        clear_slot(x, place - 1);
    pthread_rwlock_unlock(&x->lock);
}

/* --- opening --- */

/* What the store has that is not, or not so, in memory. */
struct differences {
    struct meanings *x;
    unsigned char *seen; /* [n_slots] */
    int64_t *ids;        /* [n] ascending */
    size_t n, cap;
    uint32_t next; /* the slot behind that of the document before, mostly the next one's */
};

static enum status compare_document(void *ctx, int64_t id, const char *words_sha256, struct error *err)
{
    struct differences *d = ctx;
    bool follows = d->next < d->x->n_slots && d->x->slots[d->next].id == id;
    uint32_t place = follows ? d->next + 1 : meanings_slot(d->x, id);
    if (place)
        d->seen[place - 1] = 1;
    d->next = place;
    if (place && d->x->slots[place - 1].hash == words_hash(words_sha256))
        return OK;
    if (d->n == d->cap) {
        d->cap = d->cap ? 2 * d->cap : 1024;
        int64_t *ids = reallocarray(d->ids, d->cap, sizeof *ids);
        if (!ids)
            return err_no_memory(err, "the documents' words");
        d->ids = ids;
    }
    d->ids[d->n++] = id;
    return OK;
}

/* Reads documents, page by page: neighbours together, as there are few after a snapshot, and all without one. */
static enum status read_documents(struct meanings *x, struct search_store *store, const int64_t *ids, size_t n,
                                  struct error *err)
{
    struct arena a;
    enum status st = OK;
    arena_init(&a, 1u << 30);
    for (size_t at = 0; at < n && st == OK;) {
        struct document *docs;
        size_t run = 1, found;
        while (at + run < n && run < PAGE && ids[at + run] - ids[at + run - 1] < NEAR)
            run++;
        arena_reset(&a);
        st = search_store_documents(store, ids[at] - 1, run, &a, &docs, &found, err);
        for (size_t i = 0; i < found && st == OK; i++)
            st = meanings_put(x, &docs[i], err);
        int64_t last = st == OK && found ? docs[found - 1].id : ids[n - 1];
        while (at < n && ids[at] <= last)
            at++;
    }
    arena_free(&a);
    return st;
}

/* Documents that several threads read. */
struct reading {
    struct meanings *x;
    struct search_store *store;
    const int64_t *ids; /* [n] ascending */
    size_t n;
    atomic_size_t next; /* which no thread has taken yet */
    atomic_bool failed;
};
struct reader {
    struct reading *all;
    enum status st;
    struct error err;
};

static void read_shares(void *arg, size_t i)
{
    struct reader *r = (struct reader *)arg + i;
    struct reading *all = r->all;
    size_t at;
    while (!atomic_load(&all->failed) && (at = atomic_fetch_add(&all->next, PAGE)) < all->n) {
        r->st = read_documents(all->x, all->store, all->ids + at, all->n - at < PAGE ? all->n - at : PAGE, &r->err);
        if (r->st != OK)
            atomic_store(&all->failed, true);
    }
}

static enum status read_many(struct reading *all, unsigned threads, struct error *err)
{
    struct reader readers[MAX_READERS] = {0};
    struct pool *pool = NULL;
    size_t n = 1 + all->n / PAGE;
    n = n < threads ? n : threads;
    n = n < MAX_READERS ? n : MAX_READERS;
    enum status st = OK;
    if (n > 1 && pool_open("words", (unsigned)n - 1, 1, &pool, err) != OK)
        pool = NULL; /* one thread reads all */
    for (size_t i = 0; i < n; i++)
        readers[i].all = all;
    pool_for(pool, n, read_shares, readers);
    pool_close(pool);
    for (size_t i = 0; i < n && st == OK; i++)
        if (readers[i].st != OK)
            st = err_set(err, readers[i].st, "%s", readers[i].err.message);
    return st;
}

/* What changed since a change. */
static enum status read_changes(struct meanings *x, struct search_store *store, int64_t since, struct error *err)
{
    struct arena a;
    enum status st = OK;
    size_t n = PAGE;
    arena_init(&a, 1u << 30);
    while (st == OK && n == PAGE) {
        struct search_change *changes;
        arena_reset(&a);
        st = search_store_changes(store, since, PAGE, &a, &changes, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            if (changes[i].doc.filename)
                st = meanings_put(x, &changes[i].doc, err);
            else
                meanings_remove(x, changes[i].doc.id);
        since = st == OK && n ? changes[n - 1].generation : since;
    }
    arena_free(&a);
    return st;
}

/* Makes what is in memory true, whatever the snapshot was of: what differs is read. */
static enum status compare_all(struct meanings *x, struct search_store *store, unsigned threads, struct error *err)
{
    struct differences d = {.x = x, .seen = calloc(x->n_slots + 1u, 1)};
    uint32_t loaded = x->n_slots;
    enum status st = d.seen ? search_store_word_hashes(store, compare_document, &d, err)
                            : err_no_memory(err, "the documents' words");
    for (uint32_t i = 0; i < loaded && st == OK; i++)
        if (!d.seen[i])
            clear_slot(x, i);
    struct reading all = {.x = x, .store = store, .ids = d.ids, .n = d.n};
    if (st == OK)
        st = read_many(&all, threads, err);
    free(d.seen);
    free(d.ids);
    return st;
}

static enum status make(struct meanings **out, struct error *err)
{
    struct meanings *x = *out = calloc(1, sizeof *x);
    if (!x)
        return err_no_memory(err, "the documents' words");
    pthread_rwlock_init(&x->lock, NULL);
    pthread_mutex_init(&x->scratch_lock, NULL);
    x->kernels = scan_available()[0];
    return lru_open(ALIKE_BYTES, ALIKE_BYTES_OF_ONE, &x->alike, err);
}

static enum status open_empty(const char *path, struct meanings **out, struct error *err)
{
    enum status st = make(out, err);
    if (st == OK)
        st = lexicon_open(path, &(*out)->lexicon, err);
    if (st == OK && (!meanings_read_common(*out) || !meanings_reserve(*out, 1, 1)))
        st = err_no_memory(err, "the documents' words");
    return st;
}

enum status meanings_open(const char *path, struct search_store *store, const char *snapshot, unsigned threads,
                          struct meanings **out, struct error *err)
{
    struct error why;
    enum status st = open_empty(path, out, err),
                loaded = st == OK && snapshot ? meanings_load(*out, snapshot, &why) : OK;
    if (loaded != OK) { /* half of it may be there */
        if (loaded != ERR_NOT_FOUND)
            log_info("reading the documents' words from the database: %s", why.message);
        meanings_close(*out);
        st = open_empty(path, out, err);
    }
    if (st == OK) {
        int64_t since;
        struct meanings *x = *out;
        x->store = store;
        if (loaded == OK && snapshot && search_store_marked(store, &x->mark, &since) && since < MEANINGS_MANY) {
            st = read_changes(x, store, x->mark.number, err);
        } else {
            search_store_mark_new(&x->mark);
            st = compare_all(x, store, threads, err);
        }
    }
    if (st != OK) {
        meanings_close(*out);
        *out = NULL;
    }
    return st;
}

void meanings_close(struct meanings *x)
{
    if (!x)
        return;
    for (uint32_t i = 0; i < x->n; i++) {
        free(x->entries[i].word);
        free(x->entries[i].postings);
    }
    for (uint32_t i = 0; i < x->n_slots; i++)
        free(x->slots[i].words);
    free(x->entries);
    free(x->letters);
    free(x->common);
    free(x->known);
    free(x->stems);
    free_vectors(&x->words);
    free_vectors(&x->means);
    free(x->table);
    free(x->slots);
    free(x->places);
    lexicon_close(x->lexicon);
    lru_close(x->alike);
    meanings_scratch_close(x);
    pthread_rwlock_destroy(&x->lock);
    free(x);
}
