/* static_table.h: texts as the mean of their tokens' rows in one table: no network, a few microseconds a text.
 *
 * The format of model2vec (MinishLab; potion-base-8M, potion-multilingual-128M): config.json with the model_type
 * "model2vec", tokenizer.json, and model.safetensors with
 *
 *     embeddings  [rows, dim]  F32, F16, BF16, F64 or I8
 *     mapping     [vocab]      I64 or I32: the row of each token, where rows are shared; else token i has row i
 *     weights     [vocab]      a factor for each token, or none: they are in the rows
 *
 * As in model2vec, a text is cut after "max_length" tokens (512 where config.json does not say, null: not at all),
 * unknown tokens are left out, as are those that every text begins and ends with, and the rest is averaged. Three
 * things differ: a vector always has length 1, whatever "normalize" says; a control token's name in a text is text; and
 * a text is not cut before it is split (there: after as many characters as "max_length" tokens of median length have,
 * some 3,000).
 *
 * The table stays mapped and is read by row, so that only rows of tokens that occur are in memory. */
#ifndef PEEL_MODEL_STATIC_TABLE_H
#define PEEL_MODEL_STATIC_TABLE_H

#include "model/encoder.h"

extern const struct encoder_class static_table_encoder;

#endif
