#include "fts/fts_segment.h"

#include "fts/fts_terms.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC         "PeelTrm1" /* to be changed with the way in which documents become terms, or these a file */
#define ORDER         0x01020304u
#define SEGMENT_BLOCK 16u

struct head {
    char magic[8];
    uint32_t order, n_docs, n_sets, zero;
    uint64_t n_blocks, entries; /* bytes of these, which end at a multiple of eight */
    int64_t number, all_words;
    char tag[FTS_TAG_SIZE];
    uint64_t sum; /* of what follows, beginning with that of all members above */
};

/* --- writing --- */

static void put_word(struct buf *out, uint32_t value)
{
    for (; value >= 128; value >>= 7)
        buf_putc(out, (char)(value | 128));
    buf_putc(out, (char)value);
}

void fts_writer_begin(struct fts_writer *w)
{
    *w = (struct fts_writer){.n_sets = 0};
    buf_init(&w->out, SIZE_MAX);
    buf_init(&w->blocks, SIZE_MAX);
    buf_init(&w->postings, SIZE_MAX);
    buf_append(&w->out, &(struct head){.order = ORDER}, sizeof(struct head));
}

void fts_writer_free(struct fts_writer *w)
{
    buf_free(&w->out);
    buf_free(&w->blocks);
    buf_free(&w->postings);
    free(w->sets);
    free(w->table);
}

void fts_writer_posting(struct fts_writer *w, uint32_t slot, uint32_t value)
{
    bool changed = value != w->value;
    put_word(&w->postings, 2 * (slot - w->next) + changed);
    if (changed)
        put_word(&w->postings, value);
    w->next = slot + 1;
    w->value = value;
}

void fts_writer_term(struct fts_writer *w, const char *term, size_t len)
{
    size_t shared = 0, most = len < w->len ? len : w->len;
    if (w->postings.len == 0)
        return;
    if (w->n_entries++ % SEGMENT_BLOCK == 0) {
        uint64_t at = w->out.len - sizeof(struct head);
        buf_append(&w->blocks, &at, sizeof at);
        most = 0;
    }
    while (shared < most && term[shared] == w->term[shared])
        shared++;
    put_word(&w->out, (uint32_t)shared);
    put_word(&w->out, (uint32_t)(len - shared));
    buf_append(&w->out, term + shared, len - shared);
    put_word(&w->out, (uint32_t)w->postings.len);
    buf_append(&w->out, w->postings.data, w->postings.len);
    memcpy(w->term, term, len);
    w->len = len;
    buf_reset(&w->postings);
    w->next = w->value = 0;
}

static uint32_t *set_place(const struct fts_writer *w, const struct language_set *set)
{
    uint32_t mask = 2 * w->cap_sets - 1, at = (uint32_t)XXH3_64bits(set, sizeof *set) & mask;
    while (w->table[at] && memcmp(&w->sets[w->table[at] - 1], set, sizeof *set) != 0)
        at = (at + 1) & mask;
    return &w->table[at];
}

static bool grow_sets(struct fts_writer *w)
{
    uint32_t cap = w->cap_sets ? 2 * w->cap_sets : 64;
    struct language_set *sets = reallocarray(w->sets, cap, sizeof *sets);
    w->sets = sets ? sets : w->sets;
    uint32_t *table = sets ? calloc(cap, 2 * sizeof *table) : NULL;
    if (!table)
        return false;
    free(w->table);
    w->table = table;
    w->cap_sets = cap;
    for (uint32_t i = 0; i < w->n_sets; i++)
        *set_place(w, &w->sets[i]) = i + 1;
    return true;
}

uint32_t fts_writer_set(struct fts_writer *w, const struct language_set *set)
{
    if (w->n_sets == w->cap_sets && !grow_sets(w))
        return UINT32_MAX;
    uint32_t *place = set_place(w, set);
    if (!*place) {
        w->sets[w->n_sets] = *set;
        *place = ++w->n_sets;
    }
    return *place - 1;
}

/* Sets where everything is; data and bytes are known, and long enough for a head. False: it is not as long as it says.
 */
static bool find_parts(struct fts_segment *s)
{
    const struct head *h = s->data;
    uint64_t at = sizeof *h + h->entries, left = s->bytes;
    if (h->entries > left || h->entries % 8 || h->n_blocks > left / sizeof *s->blocks ||
        at + h->n_docs * (sizeof *s->ids + sizeof *s->hashes + sizeof *s->words) + h->n_docs % 2 * sizeof *s->words +
                h->n_sets * sizeof *s->sets + (h->n_blocks + 1) * sizeof *s->blocks !=
            left)
        return false;
    const unsigned char *bytes = s->data;
    s->n_docs = h->n_docs;
    s->n_sets = h->n_sets;
    s->n_blocks = h->n_blocks;
    s->all_words = h->all_words;
    s->entries = bytes + sizeof *h;
    s->ids = (const int64_t *)(const void *)(bytes + at);
    s->hashes = (const uint64_t *)(const void *)(s->ids + s->n_docs);
    s->words = (const uint32_t *)(const void *)(s->hashes + s->n_docs);
    s->sets = (const struct language_set *)(const void *)(s->words + s->n_docs + s->n_docs % 2);
    s->blocks = (const uint64_t *)(const void *)(s->sets + s->n_sets);
    return s->blocks[s->n_blocks] <= h->entries;
}

static enum status no_memory(struct error *err)
{
    return err_no_memory(err, "the index of terms");
}

/* The first term of a block; "" where there is none. */
static const char *first_term(const struct fts_segment *s, uint64_t block, size_t *len)
{
    uint64_t begin = s->blocks[block], end = s->blocks[s->n_blocks];
    const unsigned char *at = s->entries + (begin < end ? begin : end), *last = s->entries + end;
    uint32_t shared, n;
    bool ok = fts_read_number(&at, last, &shared) && fts_read_number(&at, last, &n) && n <= (size_t)(last - at);
    *len = ok ? n : 0;
    return ok ? (const char *)at : "";
}

/* The first eight bytes of a term as a number: the greater term never has the lesser one. */
static uint64_t head_of(const char *term, size_t len)
{
    uint64_t head = 0;
    for (size_t i = 0; i < sizeof head; i++)
        head = head << 8 | (i < len ? (unsigned char)term[i] : 0);
    return head;
}

static enum status read_heads(struct fts_segment *s, struct error *err)
{
    s->heads = reallocarray(NULL, s->n_blocks + 1, sizeof *s->heads);
    for (uint64_t i = 0; s->heads && i < s->n_blocks; i++) {
        size_t len;
        const char *term = first_term(s, i, &len);
        s->heads[i] = head_of(term, len);
    }
    return s->heads ? OK : no_memory(err);
}

enum status fts_writer_end(struct fts_writer *w, const int64_t *ids, const uint64_t *hashes, const uint32_t *words,
                           uint32_t n, struct fts_segment **out, struct error *err)
{
    struct buf *b = &w->out;
    uint64_t end = b->len - sizeof(struct head);
    while (b->len % 8)
        buf_putc(b, 0);
    struct head h = {.magic = MAGIC, .order = ORDER, .n_docs = n, .n_sets = w->n_sets};
    h.entries = b->len - sizeof h;
    h.n_blocks = w->blocks.len / sizeof *(*out)->blocks;
    for (uint32_t i = 0; i < n; i++)
        h.all_words += words[i];
    buf_append(b, ids, n * sizeof *ids);
    buf_append(b, hashes, n * sizeof *hashes);
    buf_append(b, words, n * sizeof *words);
    buf_append(b, &(uint32_t){0}, n % 2 * sizeof *words);
    if (w->n_sets)
        buf_append(b, w->sets, w->n_sets * sizeof *w->sets);
    if (w->blocks.len)
        buf_append(b, w->blocks.data, w->blocks.len);
    buf_append(b, &end, sizeof end);
    enum status st = buf_status(b, err);
    if (st == OK && (w->postings.failed || w->blocks.failed))
        st = no_memory(err);
    struct fts_segment *s = *out = st == OK ? calloc(1, sizeof *s) : NULL;
    if (st == OK && !s)
        st = no_memory(err);
    if (st == OK) {
        memcpy(b->data, &h, sizeof h);
        atomic_init(&s->refs, 1);
        s->bytes = b->len;
        void *whole = buf_take(b), *fitted = realloc(whole, s->bytes);
        s->data = fitted ? fitted : whole;
        (void)find_parts(s);
        st = read_heads(s, err);
    }
    if (st != OK) {
        fts_segment_drop(s);
        *out = NULL;
    }
    return st;
}

/* --- of one document --- */

uint64_t fts_terms_hash(const struct sticker_terms *t)
{
    const char *const texts[] = {t->title, t->words, t->filename, t->folded};
    uint64_t hash = 0;
    for (size_t i = 0; i < 4; i++)
        hash = XXH3_64bits_withSeed(texts[i], strlen(texts[i]), hash);
    for (size_t i = 0; i < t->n_languages; i++) {
        const struct language_terms *l = &t->languages[i];
        hash = XXH3_64bits_withSeed(l->title, strlen(l->title), hash + l->language);
        hash = XXH3_64bits_withSeed(l->words, strlen(l->words), hash);
    }
    return hash;
}

static bool put_row(struct fts_writer *w, const struct fts_row *row)
{
    uint32_t value = row->tf;
    if (row->term[0] == 'l') {
        struct language_set set = {{0}};
        for (size_t i = 0; i < row->n_languages; i++)
            language_set_add(&set, row->languages[i]);
        if (row->tf)
            language_set_add(&set, FTS_SEGMENT_TITLED);
        value = fts_writer_set(w, &set);
    }
    fts_writer_posting(w, 0, value);
    fts_writer_term(w, row->term, row->len);
    return value != UINT32_MAX;
}

enum status fts_segment_make(const struct fts_document *doc, struct fts_segment **out, struct error *err)
{
    struct fts_rows rows;
    struct fts_writer w;
    *out = NULL;
    enum status st = fts_rows_make(&rows, doc->terms, err);
    fts_writer_begin(&w);
    for (size_t i = 0; i < rows.n && st == OK; i++)
        st = put_row(&w, &rows.items[i]) ? OK : no_memory(err);
    uint32_t words = rows.words < UINT32_MAX ? (uint32_t)rows.words : UINT32_MAX;
    if (st == OK)
        st = fts_writer_end(&w, &doc->id, &doc->hash, &words, 1, out, err);
    fts_writer_free(&w);
    fts_rows_free(&rows);
    return st;
}

struct fts_segment *fts_segment_hold(struct fts_segment *s)
{
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void fts_segment_drop(struct fts_segment *s)
{
    if (!s || atomic_fetch_sub(&s->refs, 1) > 1)
        return;
    if (s->map.data)
        os_unmap(&s->map);
    else
        free((void *)(uintptr_t)s->data);
    free(s->heads);
    free(s);
}

/* --- files --- */

static uint64_t sum_of(const struct head *h, const void *body, size_t len)
{
    return XXH3_64bits_withSeed(body, len, XXH3_64bits(h, offsetof(struct head, sum)));
}

enum status fts_segment_save(struct fts_segment *s, const char *path, const char tag[FTS_TAG_SIZE], int64_t number,
                             struct error *err)
{
    struct head h;
    unsigned char *all = (unsigned char *)(uintptr_t)s->data; /* nobody else has it yet */
    memcpy(&h, all, sizeof h);
    memcpy(h.tag, tag, sizeof h.tag);
    h.number = number;
    h.sum = sum_of(&h, all + sizeof h, s->bytes - sizeof h);
    memcpy(all, &h, sizeof h);
    return os_write_file(path, all, s->bytes, err);
}

static enum status check_file(struct fts_segment *s, struct error *err)
{
    const struct head *h = s->data;
    if (s->bytes < sizeof *h)
        return err_set(err, ERR_CORRUPT, "%zu bytes are no snapshot", s->bytes);
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || h->order != ORDER)
        return err_set(err, ERR_CONFLICT, "the snapshot is of another program or machine");
    if (!find_parts(s))
        return err_set(err, ERR_CORRUPT, "the snapshot is not as long as it says");
    if (sum_of(h, h + 1, s->bytes - sizeof *h) != h->sum)
        return err_set(err, ERR_CORRUPT, "the snapshot fails its checksum");
    for (uint32_t i = 1; i < s->n_docs; i++)
        if (s->ids[i - 1] >= s->ids[i])
            return err_set(err, ERR_CORRUPT, "document %u of the snapshot is not as it should be", i);
    int64_t words = 0;
    for (uint32_t i = 0; i < s->n_docs; i++)
        words += s->words[i];
    if (words != s->all_words)
        return err_set(err, ERR_CORRUPT, "the snapshot has %lld words, and says %lld", (long long)words,
                       (long long)s->all_words);
    return OK;
}

enum status fts_segment_load(const char *path, struct fts_segment **out, char tag[FTS_TAG_SIZE], int64_t *number,
                             struct error *err)
{
    struct fts_segment *s = *out = calloc(1, sizeof *s);
    if (!s)
        return no_memory(err);
    atomic_init(&s->refs, 1);
    enum status st = os_map_file(path, &s->map, err);
    s->data = s->map.data;
    s->bytes = st == OK ? s->map.len : 0;
    if (st == OK)
        st = check_file(s, err);
    if (st == OK)
        st = read_heads(s, err);
    if (st == OK) {
        const struct head *h = s->data;
        memcpy(tag, h->tag, sizeof h->tag);
        tag[FTS_TAG_SIZE - 1] = '\0';
        *number = h->number;
        return OK;
    }
    fts_segment_drop(s);
    *out = NULL;
    return st;
}

/* --- reading --- */

uint32_t fts_segment_slot(const struct fts_segment *s, int64_t id)
{
    uint32_t low = 0, high = s->n_docs;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_docs && s->ids[low] == id ? low : UINT32_MAX;
}

static int compare_terms(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* The entries from a block on. */
static void at_block(const struct fts_segment *s, uint64_t block, struct fts_entries *out)
{
    uint64_t begin = s->blocks[block], end = s->blocks[s->n_blocks];
    out->len = 0;
    out->held = false;
    out->at = s->entries + (begin < end ? begin : end);
    out->end = s->entries + end;
}

/* Is the first term of a block before this one, or it? */
static bool begins_before(const struct fts_segment *s, uint64_t block, uint64_t head, const char *term, size_t len)
{
    if (s->heads[block] != head)
        return s->heads[block] < head;
    size_t n;
    const char *first = first_term(s, block, &n);
    return compare_terms(first, n, term, len) <= 0;
}

void fts_entries_seek(const struct fts_segment *s, const char *term, size_t len, struct fts_entries *out)
{
    uint64_t low = 0, high = s->n_blocks; /* the first block that begins behind it */
    uint64_t head = head_of(term, len);
    while (low < high && len) {
        uint64_t middle = low + (high - low) / 2;
        if (begins_before(s, middle, head, term, len))
            low = middle + 1;
        else
            high = middle;
    }
    at_block(s, low ? low - 1 : 0, out);
    while (len && fts_entries_next(out))
        if (compare_terms(out->term, out->len, term, len) >= 0) {
            out->held = true;
            break;
        }
}

bool fts_entries_next(struct fts_entries *e)
{
    uint32_t shared, more, bytes;
    if (e->held)
        return !(e->held = false);
    if (!fts_read_number(&e->at, e->end, &shared) || !fts_read_number(&e->at, e->end, &more) || shared > e->len ||
        more > sizeof e->term - shared || more > (size_t)(e->end - e->at))
        return false;
    memcpy(e->term + shared, e->at, more);
    e->at += more;
    e->len = shared + more;
    if (!fts_read_number(&e->at, e->end, &bytes) || bytes > (size_t)(e->end - e->at))
        return false;
    e->postings = e->at;
    e->postings_end = e->at += bytes;
    return true;
}
