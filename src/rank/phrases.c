#include "rank/phrases_internal.h"

#include "base/buf.h"
#include "base/worker.h"
#include "rank/document_text.h"
#include "text/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_PHRASES 4096u /* of a document, in all languages */
#define MAX_BYTES   300u  /* of a phrase; of a longer one this much counts */

/* --- lists of phrases --- */

static uint32_t *place_of(const struct phrase_list *l, const char *text, size_t len)
{
    uint32_t at = (uint32_t)XXH3_64bits(text, len) & (l->table_size - 1);
    for (; l->table[at]; at = (at + 1) & (l->table_size - 1)) {
        const struct phrase *p = &l->phrases[l->table[at] - 1];
        if (p->len == len && memcmp(p->text, text, len) == 0)
            break;
    }
    return &l->table[at];
}

uint32_t phrases_find(const struct phrase_list *l, const char *text, size_t len)
{
    return l->table_size ? *place_of(l, text, len) : 0;
}

static bool grow_list(const struct phrases *p, struct phrase_list *l)
{
    uint32_t cap = l->cap ? 2 * l->cap : 256, size = 4 * cap;
    struct phrase *phrases = realloc(l->phrases, cap * sizeof *phrases);
    l->phrases = phrases ? phrases : l->phrases;
    int8_t *codes = realloc(l->codes, cap * p->stride);
    l->codes = codes ? codes : l->codes;
    int32_t *sums = realloc(l->sums, cap * sizeof *sums);
    l->sums = sums ? sums : l->sums;
    float *scales = realloc(l->scales, cap * sizeof *scales);
    l->scales = scales ? scales : l->scales;
    uint32_t *table = calloc(size, sizeof *table);
    if (!phrases || !codes || !sums || !scales || !table) {
        free(table);
        return false;
    }
    free(l->table);
    l->table = table;
    l->table_size = size;
    l->cap = cap;
    for (uint32_t i = 0; i < l->n; i++)
        *place_of(l, l->phrases[i].text, l->phrases[i].len) = i + 1;
    return true;
}

/* Frees the numbers of phrases that no document has, where they are half of all; others keep theirs. */
static bool free_unused(struct phrase_list *l)
{
    uint32_t unused = 0;
    for (uint32_t i = 0; i < l->n; i++)
        unused += l->phrases[i].n == 0;
    if (!unused || unused < l->n / 2)
        return false;
    memset(l->table, 0, l->table_size * sizeof *l->table);
    for (uint32_t i = 0; i < l->n; i++) {
        struct phrase *phrase = &l->phrases[i];
        if (phrase->n) {
            *place_of(l, phrase->text, phrase->len) = i + 1;
            continue;
        }
        free(phrase->text);
        free(phrase->documents);
        *phrase = (struct phrase){.cap = l->free};
        l->free = i + 1;
        l->encoded -= l->scales[i] > 0;
        l->scales[i] = 0;
    }
    return true;
}

/* The phrase's number + 1, as a new one if need be; 0: no memory. */
static uint32_t take_phrase(struct phrases *p, struct phrase_list *l, const char *text, size_t len)
{
    if (l->n == l->cap && !l->free && !free_unused(l) && !grow_list(p, l))
        return 0;
    uint32_t *place = place_of(l, text, len);
    if (*place)
        return *place;
    uint32_t number = l->free ? l->free - 1 : l->n, free_next = l->free ? l->phrases[number].cap : 0;
    struct phrase *phrase = &l->phrases[number];
    *phrase = (struct phrase){.text = buf_strndup(text, len), .len = (uint32_t)len, .cap = free_next};
    if (!phrase->text)
        return 0;
    phrase->cap = 0;
    l->n += !l->free;
    l->free = free_next;
    memset(l->codes + number * p->stride, 0, p->stride);
    l->sums[number] = 0;
    l->scales[number] = 0;
    return *place = number + 1;
}

static bool is_pending(const struct phrase_list *l, uint32_t number)
{
    return l->scales[number] == 0 && l->phrases[number].n;
}

static bool add_document(struct phrase_list *l, uint32_t number, uint32_t id)
{
    struct phrase *phrase = &l->phrases[number];
    bool was_pending = is_pending(l, number);
    if (phrase->n == phrase->cap) {
        uint32_t cap = phrase->cap ? 2 * phrase->cap : 2;
        uint32_t *documents = realloc(phrase->documents, cap * sizeof *documents);
        if (!documents)
            return false;
        phrase->documents = documents;
        phrase->cap = cap;
    }
    phrase->documents[phrase->n++] = id;
    if (!was_pending && is_pending(l, number)) { /* new, or back again */
        l->pending++;
        l->next = number < l->next ? number : l->next;
    }
    return true;
}

static void drop_document(struct phrase_list *l, uint32_t number, uint32_t id)
{
    struct phrase *phrase = &l->phrases[number];
    uint32_t kept = 0;
    bool was_pending = is_pending(l, number);
    for (uint32_t i = 0; i < phrase->n; i++)
        if (phrase->documents[i] != id)
            phrase->documents[kept++] = phrase->documents[i];
    phrase->n = kept;
    l->pending -= was_pending && !is_pending(l, number);
}

/* --- documents --- */

static void drop_owner(struct phrases *p, int64_t id)
{
    struct phrase_owner *o = (size_t)id < p->n_owners ? p->owners[id] : NULL;
    for (uint32_t i = 0; o && i < o->n; i++)
        drop_document(&p->lists[o->refs[i].language], o->refs[i].number, (uint32_t)id);
    free(o);
    if (o) {
        p->owners[id] = NULL;
        p->n_documents--;
    }
}

static bool grow_owners(struct phrases *p, int64_t id)
{
    if ((size_t)id < p->n_owners)
        return true;
    size_t n = 2 * (size_t)id + 1024;
    struct phrase_owner **owners = realloc(p->owners, n * sizeof(struct phrase_owner *));
    if (!owners)
        return false;
    for (size_t i = p->n_owners; i < n; i++)
        owners[i] = NULL;
    p->owners = owners;
    p->n_owners = n;
    return true;
}

/* What document_phrases tells of. */
struct gathered {
    const struct phrases *p;
    struct arena *arena;
    unsigned first; /* the document's first language */
    struct phrase_found {
        unsigned language;
        const char *text;
        size_t len;
    } found[MAX_PHRASES];
    size_t n;
};

static enum status gather(void *ctx, unsigned language, const char *text, size_t len, struct error *err)
{
    struct gathered *g = ctx;
    const char *lower;
    bool known = language == LANGUAGE_OTHER || language_set_has(&g->p->languages, language);
    g->first = g->n ? g->first : language;
    if (g->n == MAX_PHRASES || (!known && language != g->first))
        return OK;
    language = known ? language : LANGUAGE_OTHER; /* a document that has nothing else must do with that */
    enum status st = text_lower(text, len, MAX_BYTES, g->arena, &lower, &len, err);
    if (st != OK || !len)
        return st;
    bool for_all = known && language == g->first && language != LANGUAGE_en && language != LANGUAGE_OTHER;
    g->found[g->n++] = (struct phrase_found){language, lower, len};
    if (for_all && g->n < MAX_PHRASES)
        g->found[g->n++] = (struct phrase_found){LANGUAGE_OTHER, lower, len};
    return OK;
}

static bool put_phrases(struct phrases *p, int64_t id, uint64_t hash, const struct gathered *g)
{
    drop_owner(p, id);
    struct phrase_owner *o = calloc(1, sizeof *o + g->n * sizeof *o->refs);
    if (!o || !grow_owners(p, id)) {
        free(o);
        return false;
    }
    p->owners[id] = o;
    p->n_documents++;
    p->end = (size_t)id < p->end ? p->end : (size_t)id + 1;
    o->first = g->n ? g->found[0].language : LANGUAGE_OTHER; /* the title's */
    for (size_t i = 0; i < g->n; i++) {
        const struct phrase_found *f = &g->found[i];
        struct phrase_list *l = &p->lists[f->language];
        uint32_t number = take_phrase(p, l, f->text, f->len);
        if (!number)
            return false;
        const struct phrase *phrase = &l->phrases[number - 1];
        if (phrase->n && phrase->documents[phrase->n - 1] == (uint32_t)id)
            continue; /* it has it already */
        if (!add_document(l, number - 1, (uint32_t)id))
            return false;
        o->refs[o->n++] = (struct phrase_ref){f->language, number - 1};
    }
    o->hash = hash;
    return true;
}

static bool is_there(struct phrases *p, int64_t id, uint64_t hash)
{
    pthread_rwlock_rdlock(&p->lock);
    bool same = (size_t)id < p->n_owners && p->owners[id] && p->owners[id]->hash == hash;
    pthread_rwlock_unlock(&p->lock);
    return same;
}

enum status phrases_put(struct phrases *p, const struct document *doc, struct error *err)
{
    uint64_t hash = document_text_hash(doc);
    if (is_there(p, doc->id, hash))
        return OK;
    if (doc->id < 0 || doc->id > LABELS_MAX_ID)
        return err_set(err, ERR_TOO_LARGE, "document %lld: its id is beyond %lld", (long long)doc->id,
                       (long long)LABELS_MAX_ID);
    struct arena a;
    arena_init(&a, 8u << 20);
    struct gathered *g = arena_alloc(&a, sizeof *g);
    if (!g) {
        arena_free(&a);
        return err_no_memory(err, "the phrases of %s", doc->filename);
    }
    g->p = p;
    g->arena = &a;
    enum status st = document_phrases(doc, gather, g, err);
    if (st == OK) {
        pthread_rwlock_wrlock(&p->lock);
        if (!put_phrases(p, doc->id, hash, g))
            st = err_no_memory(err, "the phrases of %s", doc->filename);
        pthread_rwlock_unlock(&p->lock);
    }
    arena_free(&a);
    return st;
}

void phrases_remove(struct phrases *p, int64_t id)
{
    pthread_rwlock_wrlock(&p->lock);
    drop_owner(p, id);
    pthread_rwlock_unlock(&p->lock);
}

/* --- vectors --- */

/* The list that is encoded next: English, none, then by how much it is searched in, and by its size. */
static struct phrase_list *next_list(struct phrases *p)
{
    struct phrase_list *best = NULL;
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        struct phrase_list *l = &p->lists[i];
        while (l->next < l->n && !is_pending(l, l->next))
            l->next++;
        if (l->next == l->n)
            continue;
        if (i == LANGUAGE_en || i == LANGUAGE_OTHER)
            return l;
        uint64_t asked = atomic_load(&l->asked), most = best ? atomic_load(&best->asked) : 0;
        if (!best || asked > most || (asked == most && l->n > best->n))
            best = l;
    }
    return best;
}

struct pending {
    struct phrases *p;
    struct arena *arena;
    struct phrase_text *out;
    size_t n, most;
};

static bool add_pending(struct pending *w, unsigned language, uint32_t number)
{
    const struct phrase_list *l = &w->p->lists[language];
    if (!is_pending(l, number) || w->n == w->most)
        return true;
    for (size_t i = 0; i < w->n; i++)
        if (w->out[i].language == language && w->out[i].number == number)
            return true;
    const struct phrase *phrase = &l->phrases[number];
    struct phrase_text *t = &w->out[w->n++];
    *t = (struct phrase_text){.language = language, .number = number, .len = phrase->len};
    t->text = arena_strndup(w->arena, phrase->text, phrase->len);
    return t->text != NULL;
}

static bool add_all_pending(struct pending *w)
{
    const struct phrase_list *l = next_list(w->p);
    bool ok = true;
    for (uint32_t i = l ? l->next : 0; l && i < l->n && w->n < w->most && ok; i++)
        ok = add_pending(w, (unsigned)(l - w->p->lists), i);
    return ok;
}

static bool add_pending_of(struct pending *w, int64_t id)
{
    const struct phrase_owner *o = (size_t)id < w->p->n_owners ? w->p->owners[id] : NULL;
    bool ok = true;
    for (uint32_t i = 0; o && i < o->n && ok; i++)
        if (o->refs[i].language == o->first)
            ok = add_pending(w, o->first, o->refs[i].number);
    return ok;
}

enum status phrases_pending(struct phrases *p, const int64_t *of, size_t n_of, size_t most, struct arena *a,
                            struct phrase_text **out, size_t *n, struct error *err)
{
    struct pending w = {.p = p, .arena = a, .most = most, .out = arena_array(a, most, sizeof *w.out)};
    bool ok = w.out != NULL;
    pthread_rwlock_wrlock(&p->lock); /* `next` moves */
    for (size_t i = 0; i < n_of && ok; i++)
        ok = add_pending_of(&w, of[i]);
    if (!n_of && ok)
        ok = add_all_pending(&w);
    pthread_rwlock_unlock(&p->lock);
    *out = w.out;
    *n = w.n;
    return ok ? OK : err_no_memory(err, "%zu phrases", most);
}

bool phrases_mean(struct phrases *p, int64_t id, float *out)
{
    double norm = 0;
    memset(out, 0, p->dim * sizeof *out);
    pthread_rwlock_rdlock(&p->lock);
    const struct phrase_owner *o = (size_t)id < p->n_owners ? p->owners[id] : NULL;
    for (uint32_t i = 0; o && i < o->n; i++) {
        const struct phrase_list *l = &p->lists[o->refs[i].language];
        float scale = l->scales[o->refs[i].number];
        const int8_t *codes = l->codes + o->refs[i].number * p->stride;
        for (size_t k = 0; k < p->dim && scale > 0 && o->refs[i].language == o->first; k++)
            out[k] += scale * codes[k];
    }
    pthread_rwlock_unlock(&p->lock);
    for (size_t k = 0; k < p->dim; k++)
        norm += (double)out[k] * (double)out[k];
    for (size_t k = 0; k < p->dim && norm > 0; k++)
        out[k] /= (float)sqrt(norm);
    return norm > 0;
}

size_t phrases_code_size(const struct phrases *p)
{
    return p->dim + sizeof(float);
}

void phrases_encode(const struct phrases *p, const float *vector, void *code)
{
    struct coded c = scan_quantize(vector, p->dim, p->dim, code);
    memcpy((char *)code + p->dim, &c.scale, sizeof c.scale);
}

void phrases_set(struct phrases *p, const struct phrase_text *phrase, const void *code)
{
    pthread_rwlock_wrlock(&p->lock);
    struct phrase_list *l = &p->lists[phrase->language];
    uint32_t i = phrase->number;
    float scale = -1;
    bool same = phrases_find(l, phrase->text, phrase->len) == i + 1; /* else nobody has it any more */
    l->pending -= same && is_pending(l, i);
    if (code)
        memcpy(&scale, (const char *)code + p->dim, sizeof scale);
    if (same && l->scales[i] == 0 && code && scale > 0 && scale < 1) {
        memcpy(l->codes + i * p->stride, code, p->dim);
        for (size_t k = 0; k < p->dim; k++)
            l->sums[i] += l->codes[i * p->stride + k];
        l->scales[i] = scale;
        l->encoded++;
    } else if (same && l->scales[i] == 0) {
        l->scales[i] = -1;
    }
    pthread_rwlock_unlock(&p->lock);
}

void phrases_forget(struct phrases *p)
{
    pthread_rwlock_wrlock(&p->lock);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        struct phrase_list *l = &p->lists[i];
        l->encoded = l->pending = l->next = 0;
        for (uint32_t k = 0; k < l->n; k++) {
            l->sums[k] = 0;
            l->scales[k] = 0;
            l->pending += is_pending(l, k);
        }
    }
    pthread_rwlock_unlock(&p->lock);
}

void phrases_languages(struct phrases *p, const char *text, size_t len, struct language_set *out)
{
    pthread_rwlock_rdlock(&p->lock);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        uint32_t number = phrases_find(&p->lists[i], text, len);
        if (number && p->lists[i].phrases[number - 1].n)
            language_set_add(out, i);
    }
    pthread_rwlock_unlock(&p->lock);
}

struct phrases_count phrases_count(struct phrases *p)
{
    struct phrases_count c = {0};
    pthread_rwlock_rdlock(&p->lock);
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        const struct phrase_list *l = &p->lists[i];
        c.encoded += l->encoded;
        c.pending += l->pending;
        c.bytes += l->cap * (p->stride + sizeof *l->phrases + sizeof *l->sums + sizeof *l->scales) +
                   l->table_size * sizeof *l->table;
    }
    pthread_rwlock_unlock(&p->lock);
    return c;
}

/* --- opening and closing --- */

enum status phrases_open(size_t dim, const struct language_set *languages, struct phrases **out, struct error *err)
{
    struct phrases *p = *out = calloc(1, sizeof *p);
    if (!p)
        return err_no_memory(err, "the documents' phrases");
    worker_rwlock_init(&p->lock);
    p->dim = dim;
    p->stride = (dim + SCAN_ALIGN - 1) / SCAN_ALIGN * SCAN_ALIGN;
    p->kernels = scan_available()[0];
    p->languages = *languages;
    return OK;
}

void phrases_close(struct phrases *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++) {
        struct phrase_list *l = &p->lists[i];
        for (uint32_t k = 0; k < l->n; k++) {
            free(l->phrases[k].text);
            free(l->phrases[k].documents);
        }
        free(l->phrases);
        free(l->codes);
        free(l->sums);
        free(l->scales);
        free(l->table);
    }
    for (size_t i = 0; i < p->n_owners; i++)
        free(p->owners[i]);
    free(p->owners);
    pthread_rwlock_destroy(&p->lock);
    free(p);
}
