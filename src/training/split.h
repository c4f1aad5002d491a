/* split.h: which part of the data a search belongs to, and which voters are kept for judging: by hashes, so that it is
 * the same in every export, and no search is in two parts. */
#ifndef PEEL_TRAINING_SPLIT_H
#define PEEL_TRAINING_SPLIT_H

#include <stdbool.h>

enum split { SPLIT_TRAIN, SPLIT_DEV, SPLIT_TEST, SPLITS };
extern const char *const split_names[SPLITS]; /* "train", ... */
#define SPLIT_RULE                                                                                                     \
    "the first 8 bytes of SHA-256 of the folded query, as a big-endian number, mod 10: 0 is test, 1 is dev, the "      \
    "others "                                                                                                          \
    "are train"
/* Of a search as text_fold_query has it: 8, 1 and 1 in ten. */
enum split split_of(const char *folded_query);
/* One voter in ten: what they say judges rankings and is not in training sets. `voter`: as the store has it. */
bool split_holds_out(const char *voter);

#endif
