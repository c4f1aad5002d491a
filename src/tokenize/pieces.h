/* pieces.h: a vocabulary as a read-only trie over bytes, for the longest or for every piece at a place.
 *
 *     uint32_t node = PIECES_ROOT;
 *     for (size_t i = at; i < len && (node = pieces_step(p, node, s[i])) != PIECES_NONE; i++)
 *         if (pieces_id(p, node) >= 0) ...   // s[at..i] is a piece
 *
 * A walk ends with the last byte that any piece has there, so hostile texts cost no more than the longest piece
 * per place. Thread-safe once built. */
#ifndef PEEL_TOKENIZE_PIECES_H
#define PEEL_TOKENIZE_PIECES_H

#include "base/status.h"
#include <stddef.h>
#include <stdint.h>

#define PIECES_ROOT      0u
#define PIECES_NONE      UINT32_MAX
#define PIECES_MAX       (1u << 20) /* in one vocabulary */
#define PIECES_MAX_BYTES 512        /* of one piece */

struct piece {
    const char *s; /* borrowed; need not end with NUL */
    uint32_t len;  /* 0: left out */
    int32_t id;    /* >= 0; of pieces spelled alike the greatest counts */
};

struct pieces;
/* list: [n], is sorted in place. ERR_TOO_LARGE past the bounds above. */
enum status pieces_build(struct piece *list, size_t n, struct pieces **out, struct error *err) MUST_CHECK;
void pieces_free(struct pieces *p); /* NULL is fine */

uint32_t pieces_step(const struct pieces *p, uint32_t node, char byte); /* PIECES_NONE: no piece goes on so */
int32_t pieces_id(const struct pieces *p, uint32_t node);               /* of the piece that ends here; -1: none */
/* The node after s from `node`, or PIECES_NONE. */
uint32_t pieces_walk(const struct pieces *p, uint32_t node, const char *s, size_t len);
int32_t pieces_find(const struct pieces *p, const char *s, size_t len); /* -1: not a piece */

#endif
