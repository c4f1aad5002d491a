/* bert.h: encoders of texts of BERT's family, in the layouts of transformers and sentence-transformers.
 *
 *     BertModel         Devlin et al. 2019, arXiv:1810.04805   (all-MiniLM-L6-v2, bge-small, multilingual-e5-small)
 *     XLMRobertaModel   Liu et al. 2019, arXiv:1907.11692; Conneau et al. 2020, arXiv:1911.02116   (bge-m3)
 *     DistilBertModel   Sanh et al. 2019, arXiv:1910.01108
 *
 * A layer is x = norm(x + out(attention(x))); x = norm(x + down(gelu(up(x)))). Every token sees every other. What goes
 * in is the token's row, its position's (from 0; XLM-RoBERTa: from pad_token_id + 1) and, where there are any, that of
 * token type 0, normalised. What comes out is pooled and has length 1 (Reimers and Gurevych 2019, arXiv:1908.10084),
 * by the files that sentence-transformers puts beside config.json, all of which may be absent:
 *
 *     modules.json                         Transformer, Pooling, Dense, Normalize, and the folders of the middle two
 *     1_Pooling/config.json                the mean of all tokens [where absent], or the first token's vector
 *     2_Dense/config.json, model.safetensors   a linear layer, then tanh or nothing
 *     sentence_bert_config.json            max_seq_length: longer texts are cut
 *     config_sentence_transformers.json    prompts: what to put before queries and documents. A model of E5 that names
 *                                          none gets "query: " and "passage: "; it is told by its folder's name.
 *
 * The table of tokens, most of a multilingual model, stays mapped and is read by row. */
#ifndef PEEL_MODEL_BERT_H
#define PEEL_MODEL_BERT_H

#include "model/encoder.h"

extern const struct encoder_class bert_encoder;

#endif
