/* training_internal.h: between the files of src/training that write exports. */
#ifndef PEEL_TRAINING_TRAINING_INTERNAL_H
#define PEEL_TRAINING_TRAINING_INTERNAL_H

#include "base/sorter.h"
#include "training/evidence.h"
#include "training/split.h"
#include "training/training.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#define TRAINING_UNFINISHED ".unfinished"
#define TRAINING_SORT_BYTES (24u << 20)

struct training {
    struct training_config cfg;
    char state[PATH_MAX]; /* the folder .unfinished */
    json_t *manifest;     /* what is known of it so far */
    int64_t until;        /* the watermark */
    int64_t total, done;  /* searches that were read, or samples */
    FILE *evidence;       /* that file, as it is read */
    char *line;           /* of it */
    size_t line_cap;
    struct arena arena; /* of one search */
    struct buf text;    /* what is written next */
    struct sorter *credits;
    int64_t rows[SPLITS], queries[SPLITS];
    int64_t
        left_out; /* stickers: deleted meanwhile, without title or image, or with a name that the form cannot hold */
};

/* --- training_write.c --- */

/* A file of the export: <name>.part until it is closed well. */
struct training_file {
    FILE *out;
    char path[PATH_MAX], part[PATH_MAX];
};
/* `name` may be in a folder below the export's. */
enum status training_path(const struct training *t, const char *name, char out[PATH_MAX], struct error *err) MUST_CHECK;
enum status training_create(const struct training *t, const char *name, struct training_file *out,
                            struct error *err) MUST_CHECK;
/* Writes t->text, and empties it. */
enum status training_put(struct training *t, struct training_file *to, struct error *err) MUST_CHECK;
/* With st OK makes the file durable under its name; otherwise removes it, and returns st. */
enum status training_close(struct training_file *f, enum status st, struct error *err) MUST_CHECK;
/* One file for each split, "train<ending>". */
enum status training_create_splits(const struct training *t, const char *ending, struct training_file out[SPLITS],
                                   struct error *err) MUST_CHECK;
enum status training_close_splits(struct training_file f[SPLITS], enum status st, struct error *err) MUST_CHECK;
/* Text of one line and one column: control characters become spaces. */
void training_put_column(struct buf *out, const char *s);

enum opinion { OPINION_NONE, OPINION_GOOD, OPINION_BAD };
/* A sticker of a search. */
struct training_item {
    struct evidence_sticker *said;
    const struct sticker *sticker;
    const char *text; /* its title in the search's language, or else in English; "" without one */
    enum opinion opinion;
    bool voted;   /* the opinion is from votes; else from what was chosen, or skipped */
    double score; /* the share of up-votes, smoothed */
};
struct training_query {
    const char *query, *language;
    enum split split;
    struct training_item *items; /* good ones first, the best first; then bad ones, the worst first; then others */
    size_t n, n_good, n_bad;
};
#define TRAINING_PRIOR    0.5 /* share of up-votes that is expected of a sticker of which nothing is known, */
#define TRAINING_STRENGTH 5.0 /* as if so many votes had said it */
/* Says whether a sticker is good, by votes if there are any. */
void training_judge(struct training_item *item);

enum status training_rewind(struct training *t, struct error *err) MUST_CHECK;
/* The text of the next search alone, in the arena, which is emptied; NULL at the end. */
enum status training_next_text(struct training *t, const char **query, struct error *err) MUST_CHECK;
/* The next search with its stickers, in the arena, which is emptied; *found is false at the end. */
enum status training_next(struct training *t, struct training_query *out, bool *found, struct error *err) MUST_CHECK;
enum status training_go_on(struct training *t, struct error *err) MUST_CHECK;
/* The sticker is in the export: it is credited. */
enum status training_credit(struct training *t, const struct sticker *s, struct error *err) MUST_CHECK;

/* --- the kinds --- */
enum status training_write_ubi(struct training *t, struct error *err) MUST_CHECK;
enum status training_write_texts(struct training *t, struct error *err) MUST_CHECK; /* pairs, triplets, n-tuples */
enum status training_write_qrels(struct training *t, struct error *err) MUST_CHECK;
enum status training_write_webdataset(struct training *t, struct error *err) MUST_CHECK;
enum status training_write_images(struct training *t, struct error *err) MUST_CHECK; /* TSV, imagefolder */

#endif
