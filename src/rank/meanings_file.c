/* The snapshot of the documents' words, so that a start need not analyse every document again. A header, then for each
 * entry the hash of its stem, for each slot a struct file_slot, then the slots' words (postings of entries), the
 * entries' numbers in the lexicon (LEXICON_NONE without a vector), and the entries' words, each with its NUL; native
 * byte order. All else follows from these. The file is a cache: it is not believed unless its checksum, its lexicon and
 * MAGIC are as expected, and whoever loads it compares each document with the store. */
#include "rank/meanings_internal.h"

#include "base/buf.h"
#include "base/os.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* To be changed with the way in which documents are analysed, such as stems (text.h) and what meanings_put adds. */
#define MAGIC "PeelMns2"
#define ORDER 0x01020304u

struct file_header {
    char magic[8];
    uint32_t order, entries, slots, text; /* text: bytes of all words */
    uint64_t words;                       /* of all slots */
    uint64_t lexicon;                     /* its checksum */
    struct search_mark mark;              /* up to which change it is true */
    uint64_t sum;                         /* of what follows, beginning with that of all members above */
};
struct file_slot {
    int64_t id;
    uint64_t hash;
    uint32_t n, zero;
};

static uint64_t sum_of(const struct file_header *h, const void *body, size_t len)
{
    return XXH3_64bits_withSeed(body, len, XXH3_64bits(h, offsetof(struct file_header, sum)));
}

/* --- saving --- */

/* Documents that are gone leave no slot. */
static void put_all(const struct meanings *x, struct file_header *h, struct buf *out)
{
    for (uint32_t i = 0; i < x->n; i++)
        buf_append(out, &x->entries[i].stem, sizeof x->entries[i].stem);
    for (uint32_t i = 0; i < x->n_slots; i++) {
        const struct slot *s = &x->slots[i];
        struct file_slot slot = {.id = s->id, .hash = s->hash, .n = s->n};
        if (s->hash) {
            buf_append(out, &slot, sizeof slot);
            h->slots++;
            h->words += s->n;
        }
    }
    for (uint32_t i = 0; i < x->n_slots; i++)
        if (x->slots[i].hash)
            buf_append(out, x->slots[i].words, x->slots[i].n * sizeof(uint32_t));
    for (uint32_t i = 0; i < x->n; i++) {
        const char *word = x->entries[i].word;
        uint32_t number = x->entries[i].known ? lexicon_find(x->lexicon, word, strlen(word)) : LEXICON_NONE;
        buf_append(out, &number, sizeof number);
        h->text += (uint32_t)strlen(word) + 1;
    }
    for (uint32_t i = 0; i < x->n; i++)
        buf_append(out, x->entries[i].word, strlen(x->entries[i].word) + 1);
}

enum status meanings_save(struct meanings *x, const char *snapshot, int64_t number, struct error *err)
{
    struct file_header h = {.magic = MAGIC, .order = ORDER};
    struct buf out;
    if (!x || (x->saved == atomic_load(&x->changes) && number - x->mark.number < MEANINGS_MANY))
        return OK;
    h.mark = x->mark;
    h.mark.number = number;
    buf_init(&out, SIZE_MAX);
    buf_append(&out, &h, sizeof h);
    pthread_rwlock_rdlock(&x->lock);
    uint64_t changes = atomic_load(&x->changes);
    h.entries = x->n;
    h.lexicon = lexicon_checksum(x->lexicon);
    put_all(x, &h, &out);
    pthread_rwlock_unlock(&x->lock);
    enum status st = buf_status(&out, err);
    if (st == OK)
        st = search_store_mark(x->store, &h.mark, err);
    if (st == OK) {
        h.sum = sum_of(&h, out.data + sizeof h, out.len - sizeof h);
        memcpy(out.data, &h, sizeof h);
        st = os_write_file(snapshot, out.data, out.len, err);
    }
    if (st == OK) {
        x->saved = changes;
        x->mark = h.mark;
    }
    buf_free(&out);
    return st;
}

/* --- loading --- */

/* The file's parts, of the lengths that its header says. */
struct parts {
    struct file_header h;
    const uint64_t *stems;
    const struct file_slot *slots;
    const uint32_t *words, *numbers;
    const char *text;
};

static enum status find_parts(const struct os_map *map, uint64_t lexicon, struct parts *p, struct error *err)
{
    if (map->len < sizeof p->h)
        return err_set(err, ERR_CORRUPT, "%zu bytes are no snapshot", map->len);
    memcpy(&p->h, map->data, sizeof p->h);
    const struct file_header *h = &p->h;
    if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || h->order != ORDER || h->lexicon != lexicon)
        return err_set(err, ERR_CONFLICT, "the snapshot is of another program, machine or lexicon");
    const char *body = (const char *)map->data + sizeof *h;
    size_t len = map->len - sizeof *h;
    if (h->words > len / sizeof *p->words || h->entries > UINT32_MAX / 8 || h->slots > UINT32_MAX / 8 ||
        len != h->entries * (sizeof *p->stems + sizeof *p->numbers) + h->slots * sizeof *p->slots +
                   h->words * sizeof *p->words + h->text ||
        (h->text && body[len - 1] != '\0'))
        return err_set(err, ERR_CORRUPT, "the snapshot is not as long as it says");
    if (sum_of(h, body, len) != h->sum)
        return err_set(err, ERR_CORRUPT, "the snapshot fails its checksum");
    p->stems = (const uint64_t *)(const void *)body;
    p->slots = (const struct file_slot *)(const void *)(p->stems + h->entries);
    p->words = (const uint32_t *)(const void *)(p->slots + h->slots);
    p->numbers = p->words + h->words;
    p->text = (const char *)(p->numbers + h->entries);
    return OK;
}

static enum status load_entries(struct meanings *x, const struct parts *p, struct error *err)
{
    const char *word = p->text, *end = p->text + p->h.text;
    for (uint32_t i = 0; i < p->h.entries; i++) {
        if (word == end || meanings_entry(x, word) ||
            (p->numbers[i] != LEXICON_NONE && p->numbers[i] >= lexicon_count(x->lexicon)))
            return err_set(err, ERR_CORRUPT, "word %u of the snapshot is not as it should be", i);
        if (!meanings_add_entry(x, word, p->stems[i], p->numbers[i]))
            return err_no_memory(err, "the documents' words");
        word += strlen(word) + 1;
    }
    return OK;
}

/* Room in each entry for the documents that have it. */
static enum status make_postings(struct meanings *x, const struct parts *p, struct error *err)
{
    for (uint64_t i = 0; i < p->h.words; i++) {
        if (POSTING_OF(p->words[i]) >= x->n)
            return err_set(err, ERR_CORRUPT, "the snapshot has no word %u", POSTING_OF(p->words[i]));
        x->entries[POSTING_OF(p->words[i])].cap++;
    }
    for (uint32_t i = 0; i < x->n; i++) {
        struct entry *e = &x->entries[i];
        if (e->cap && !(e->postings = malloc(e->cap * sizeof *e->postings)))
            return err_no_memory(err, "the documents' words");
    }
    return OK;
}

static enum status load_slots(struct meanings *x, const struct parts *p, struct error *err)
{
    const uint32_t *words = p->words, *end = p->words + p->h.words;
    for (uint32_t i = 0; i < p->h.slots; i++) {
        const struct file_slot *from = &p->slots[i];
        bool valid = from->n <= (size_t)(end - words) && from->hash;
        struct slot *s = valid ? meanings_add_slot(x, from->id) : NULL;
        if (!s)
            return err_set(err, ERR_CORRUPT, "document %u of the snapshot is not as it should be", i);
        if (!(s->words = malloc((from->n + 1u) * sizeof *s->words)))
            return err_no_memory(err, "the documents' words");
        memcpy(s->words, words, from->n * sizeof *s->words);
        s->n = from->n;
        s->hash = from->hash;
        for (uint32_t k = 0; k < s->n; k++) {
            struct entry *e = &x->entries[POSTING_OF(words[k])];
            e->postings[e->n++] = POSTING(i, words[k] % 2 == 0);
        }
        meanings_put_mean(x, i);
        x->n_documents += s->n > 0;
        words += from->n;
    }
    return words == end ? OK : err_set(err, ERR_CORRUPT, "words of the snapshot belong to no document");
}

enum status meanings_load(struct meanings *x, const char *path, struct error *err)
{
    struct os_map map;
    struct parts p = {.stems = NULL};
    enum status st = os_map_file(path, &map, err);
    if (st != OK)
        return st;
    st = find_parts(&map, lexicon_checksum(x->lexicon), &p, err);
    if (st == OK)
        x->mark = p.h.mark;
    if (st == OK && !meanings_reserve(x, p.h.entries, p.h.slots))
        st = err_no_memory(err, "the documents' words");
    if (st == OK)
        st = load_entries(x, &p, err);
    if (st == OK)
        st = make_postings(x, &p, err);
    if (st == OK)
        st = load_slots(x, &p, err);
    os_unmap(&map);
    return st;
}
