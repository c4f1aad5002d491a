/* Unigram: of all ways to write a word as pieces, the one whose scores (log probabilities) have the greatest sum,
 * found by Viterbi's algorithm over the bytes; a character that is no piece costs the least score less 10, and
 * neighbours of that kind are one unknown token. In doubles, ties to the path that was found first, as upstream. */
#include "base/utf8.h"
#include "tokenize/kinds.h"
#include "tokenize/pieces.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNKNOWN_PENALTY 10.0
#define NOWHERE         UINT32_MAX
#define ON_STACK        256 /* bytes of a word, below which nothing is allocated */

struct unigram {
    struct pieces *pieces;
    double *scores; /* by id */
    double unk_score;
    int32_t unk_id;
    bool byte_fallback; /* unknown characters as <0x00> to <0xFF>, all of which there are */
    int32_t byte_ids[256];
};

/* The best way to the end of a prefix: its last piece and where that begins. */
struct path {
    double score;
    uint32_t from;
    int32_t id;
};

void unigram_free(struct unigram *u)
{
    if (!u)
        return;
    pieces_free(u->pieces);
    free(u->scores);
    free(u);
}

enum status unigram_build(const struct scored_piece *list, size_t n, int32_t unk_id, bool byte_fallback,
                          struct unigram **out, struct error *err)
{
    *out = NULL;
    if (unk_id < 0 || (size_t)unk_id >= n)
        return err_set(err, ERR_INVALID, "unknown token %d in a vocabulary of %zu pieces", (int)unk_id, n);
    struct unigram *u = calloc(1, sizeof *u);
    struct piece *plain = malloc((n + 1) * sizeof *plain);
    size_t made = 0;
    double least = INFINITY;
    enum status st = OK;
    if (u)
        u->scores = malloc((n + 1) * sizeof *u->scores);
    if (!u || !plain || !u->scores)
        st = err_no_memory(err, "tokenizer");
    for (size_t i = 0; st == OK && i < n; i++) {
        if (!isfinite(list[i].score))
            st = err_set(err, ERR_INVALID, "piece %zu, \"%.*s\": score: expected a finite number", i,
                         (int)(list[i].len < 80 ? list[i].len : 80), list[i].s);
        u->scores[i] = list[i].score;
        least = list[i].score < least ? list[i].score : least;
        if (list[i].plain && (int32_t)i != unk_id)
            plain[made++] = (struct piece){.s = list[i].s, .len = list[i].len, .id = (int32_t)i};
    }
    if (st == OK)
        st = pieces_build(plain, made, &u->pieces, err);
    if (st == OK) {
        u->unk_id = unk_id;
        u->unk_score = least - UNKNOWN_PENALTY;
        u->byte_fallback = byte_fallback;
        for (int b = 0; b < 256; b++) {
            char spelled[8];
            snprintf(spelled, sizeof spelled, "<0x%02X>", (unsigned)b);
            u->byte_ids[b] = pieces_find(u->pieces, spelled, strlen(spelled));
        }
        *out = u;
        u = NULL;
    }
    free(plain);
    unigram_free(u);
    return st;
}

enum status unigram_build_json(const json_t *model, const struct specials *specials, struct unigram **out,
                               struct tokenizer_info *info, struct error *err)
{
    const json_t *vocab = json_object_get(model, "vocab");
    size_t n = json_array_size(vocab);
    bool byte_fallback;
    json_int_t unk_id;
    *out = NULL;
    if (!json_is_array(vocab) || n == 0)
        return err_set(err, ERR_INVALID, "model.vocab: expected an array of [piece, score], found %s",
                       json_is_array(vocab) ? "an empty one" : member_type_name(vocab));
    if (n > PIECES_MAX)
        return err_set(err, ERR_TOO_LARGE, "model.vocab: %zu pieces: at most %u are allowed", n, PIECES_MAX);
    enum status st = member_bool(model, "model", "byte_fallback", false, &byte_fallback, err);
    if (st == OK)
        st = member_int(model, "model", "unk_id", 0, (json_int_t)n - 1, -1, &unk_id, err);
    if (st == OK && unk_id < 0)
        st = err_set(err, ERR_INVALID, "model.unk_id: expected 0 to %zu, found nothing", n - 1);
    if (st != OK)
        return st;
    struct scored_piece *list = calloc(n, sizeof *list);
    if (!list)
        return err_no_memory(err, "tokenizer");
    for (size_t i = 0; st == OK && i < n; i++) {
        const json_t *item = json_array_get(vocab, i), *score = json_array_get(item, 1);
        const char *s = json_string_value(json_array_get(item, 0));
        if (!s || !json_is_number(score) || json_array_size(item) != 2)
            st = err_set(err, ERR_INVALID, "model.vocab[%zu]: expected [piece, score]", i);
        else
            list[i] = (struct scored_piece){
                .s = s, .len = (uint32_t)strlen(s), .score = json_number_value(score), .plain = true};
    }
    for (size_t i = 0; i < specials->n; i++)
        if ((size_t)specials->list[i].id < n)
            list[specials->list[i].id].plain = false;
    if (st == OK)
        st = unigram_build(list, n, (int32_t)unk_id, byte_fallback, out, err);
    free(list);
    info->unk_id = (int32_t)unk_id;
    if (info->vocab_size < n)
        info->vocab_size = n;
    return st;
}

static void offer(struct path *to, double score, uint32_t from, int32_t id)
{
    if (to->from == NOWHERE || score > to->score)
        *to = (struct path){.score = score, .from = from, .id = id};
}

/* paths: [len + 1]; each character's end is reached, so that the last one is. */
static void find_paths(const struct unigram *u, const char *word, size_t len, struct path *paths)
{
    for (size_t i = 0; i <= len; i++)
        paths[i].from = NOWHERE;
    paths[0].score = 0;
    for (size_t at = 0; at < len;) {
        uint32_t cp, node = PIECES_ROOT;
        size_t one = utf8_decode(word + at, len - at, &cp);
        double here = paths[at].score;
        bool alone = false; /* the character itself is a piece */
        for (size_t i = at; i < len; i++) {
            node = pieces_step(u->pieces, node, word[i]);
            if (node == PIECES_NONE)
                break;
            int32_t id = pieces_id(u->pieces, node);
            if (id < 0)
                continue;
            offer(&paths[i + 1], u->scores[id] + here, (uint32_t)at, id);
            alone = alone || i + 1 - at == one;
        }
        if (!alone)
            offer(&paths[at + one], u->unk_score + here, (uint32_t)at, u->unk_id);
        at += one;
    }
}

/* Neighbouring unknown characters: a piece after all (one that costs more than they do), bytes or the unknown token. */
static void put_unknown(const struct unigram *u, const char *s, size_t len, struct id_list *out)
{
    int32_t id = pieces_find(u->pieces, s, len);
    bool bytes = u->byte_fallback && id < 0;
    for (size_t i = 0; bytes && i < len; i++)
        bytes = u->byte_ids[(unsigned char)s[i]] >= 0;
    if (!bytes)
        id_list_add(out, id >= 0 ? id : u->unk_id);
    for (size_t i = 0; bytes && i < len; i++)
        id_list_add(out, u->byte_ids[(unsigned char)s[i]]);
}

enum status unigram_encode(const struct unigram *u, const char *word, size_t len, struct id_list *out,
                           struct error *err)
{
    struct path small[ON_STACK], *paths = small;
    if (len >= ON_STACK)
        paths = malloc((len + 1) * sizeof *paths);
    if (!paths)
        return err_no_memory(err, "tokenizer");
    find_paths(u, word, len, paths);
    /* turn the way back into the way there: paths[from].from becomes where its piece ends */
    uint32_t end = (uint32_t)len;
    int32_t id = paths[len].id;
    for (uint32_t at = paths[len].from, to = end; to > 0;) {
        uint32_t from = paths[at].from;
        int32_t before = paths[at].id;
        paths[at].from = to;
        paths[at].id = id;
        to = at;
        at = from;
        id = before;
    }
    for (uint32_t at = 0; at < end && !id_list_full(out);) {
        uint32_t next = paths[at].from, start = at;
        int32_t known = paths[at].id;
        while (known == u->unk_id && next < end && paths[next].id == u->unk_id)
            next = paths[next].from;
        if (known == u->unk_id)
            put_unknown(u, word + start, next - start, out);
        else
            id_list_add(out, known);
        at = next;
    }
    if (paths != small)
        free(paths);
    return OK;
}
