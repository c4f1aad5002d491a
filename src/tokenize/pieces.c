/* Nodes lie in the order of their distance from the root, so that the children of one are neighbours, sorted by
 * byte: a step is a binary search among them. */
#include "tokenize/pieces.h"

#include <stdlib.h>
#include <string.h>

struct node {
    uint32_t child; /* the first of them */
    int32_t id;
    uint16_t children;
    unsigned char byte; /* that leads here */
};

struct pieces {
    struct node *nodes;
};

/* The pieces of a node under construction, [first, end) of the sorted list, alike in their first `depth` bytes. */
struct part {
    uint32_t first, end, depth;
};

static int by_spelling(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;
    size_t shorter = x->len < y->len ? x->len : y->len;
    int order = shorter ? memcmp(x->s, y->s, shorter) : 0;
    if (order != 0)
        return order;
    if (x->len != y->len)
        return x->len < y->len ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

/* One for the root and one for each byte that a piece does not share with the one before it. */
static size_t count_nodes(const struct piece *list, size_t n)
{
    size_t count = 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t same = 0;
        while (i > 0 && same < list[i].len && same < list[i - 1].len && list[i].s[same] == list[i - 1].s[same])
            same++;
        count += list[i].len - same;
    }
    return count;
}

static void fill(struct node *nodes, struct part *parts, const struct piece *list, size_t n)
{
    uint32_t made = 1;
    nodes[0].id = -1;
    parts[0] = (struct part){.end = (uint32_t)n};
    for (uint32_t at = 0; at < made; at++) {
        struct part part = parts[at];
        for (; part.first < part.end && list[part.first].len == part.depth; part.first++)
            if (part.depth > 0)
                nodes[at].id = list[part.first].id;
        nodes[at].child = made;
        for (uint32_t i = part.first; i < part.end;) {
            char byte = list[i].s[part.depth];
            uint32_t first = i;
            while (i < part.end && list[i].s[part.depth] == byte)
                i++;
            nodes[made].id = -1;
            nodes[made].byte = (unsigned char)byte;
            nodes[at].children++;
            parts[made++] = (struct part){.first = first, .end = i, .depth = part.depth + 1};
        }
    }
}

void pieces_free(struct pieces *p)
{
    if (!p)
        return;
    free(p->nodes);
    free(p);
}

enum status pieces_build(struct piece *list, size_t n, struct pieces **out, struct error *err)
{
    *out = NULL;
    if (n > PIECES_MAX)
        return err_set(err, ERR_TOO_LARGE, "vocabulary of %zu pieces: at most %u are allowed", n, PIECES_MAX);
    for (size_t i = 0; i < n; i++)
        if (list[i].len > PIECES_MAX_BYTES)
            return err_set(err, ERR_TOO_LARGE, "piece %d has %u bytes: at most %d are allowed", (int)list[i].id,
                           list[i].len, PIECES_MAX_BYTES);
    if (n)
        qsort(list, n, sizeof *list, by_spelling);
    size_t count = count_nodes(list, n);
    struct pieces *p = calloc(1, sizeof *p);
    struct part *parts = malloc(count * sizeof *parts);
    if (p)
        p->nodes = calloc(count, sizeof *p->nodes);
    if (!p || !parts || !p->nodes) {
        free(parts);
        pieces_free(p);
        return err_no_memory(err, "vocabulary");
    }
    fill(p->nodes, parts, list, n);
    free(parts);
    *out = p;
    return OK;
}

uint32_t pieces_step(const struct pieces *p, uint32_t node, char byte)
{
    const struct node *from = &p->nodes[node];
    unsigned char want = (unsigned char)byte;
    uint32_t low = from->child, high = low + from->children;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (p->nodes[mid].byte < want)
            low = mid + 1;
        else
            high = mid;
    }
    return low < from->child + from->children && p->nodes[low].byte == want ? low : PIECES_NONE;
}

int32_t pieces_id(const struct pieces *p, uint32_t node)
{
    return p->nodes[node].id;
}

uint32_t pieces_walk(const struct pieces *p, uint32_t node, const char *s, size_t len)
{
    for (size_t i = 0; i < len && node != PIECES_NONE; i++)
        node = pieces_step(p, node, s[i]);
    return node;
}

int32_t pieces_find(const struct pieces *p, const char *s, size_t len)
{
    uint32_t node = pieces_walk(p, PIECES_ROOT, s, len);
    return node == PIECES_NONE ? -1 : pieces_id(p, node);
}
