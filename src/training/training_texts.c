/* training_texts.c: searches with the titles of stickers, for models of texts; and judgements.
 *
 * sentence-transformers takes the columns of a row by their order, whatever they are called, so a row has no others:
 * (anchor, positive), (anchor, positive, negative), (anchor, positive, negative_1, ..., negative_n). */
#include "training/training_internal.h"

#include "base/json_out.h"
#include "base/os.h"

#include <string.h>

static bool has_blank(const char *s)
{
    return s[strcspn(s, " \t")] || strstr(s, "\u00a0") || strstr(s, "\u3000");
}

/* Bad stickers whose title is not that of a good one: the same text cannot be both. Returns how many, the worst first.
 */
static size_t hard_negatives(const struct training_query *q, const struct training_item *out[], size_t most)
{
    size_t n = 0;
    for (size_t i = q->n_good; i < q->n_good + q->n_bad && n < most; i++) {
        bool same = !*q->items[i].text;
        for (size_t k = 0; k < q->n_good && !same; k++)
            same = strcmp(q->items[i].text, q->items[k].text) == 0;
        for (size_t k = 0; k < n && !same; k++)
            same = strcmp(q->items[i].text, out[k]->text) == 0;
        if (!same)
            out[n++] = &q->items[i];
    }
    return n;
}

static void put_member(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, "%s\"%s\":", out->len && out->data[out->len - 1] != '\n' ? "," : "{", name);
    json_put_string(out, text);
}

static enum status put_row(struct training *t, const struct training_query *q, const struct training_item *good,
                           const struct training_item *const *bad, size_t n_bad, struct training_file *to,
                           struct error *err)
{
    char name[32] = "negative";
    put_member(&t->text, "anchor", q->query);
    put_member(&t->text, "positive", good->text);
    for (size_t i = 0; i < n_bad; i++) {
        if (n_bad > 1 || strcmp(t->cfg.kind, "ntuples") == 0)
            snprintf(name, sizeof name, "negative_%zu", i + 1);
        put_member(&t->text, name, bad[i]->text);
    }
    buf_puts(&t->text, "}\n");
    t->rows[q->split]++;
    enum status st = training_credit(t, good->sticker, err);
    for (size_t i = 0; i < n_bad && st == OK; i++)
        st = training_credit(t, bad[i]->sticker, err);
    return st == OK ? training_put(t, to, err) : st;
}

static enum status put_query(struct training *t, const struct training_query *q, struct training_file *to,
                             struct error *err)
{
    const struct training_item *bad[TRAINING_MAX_NEGATIVE];
    size_t wanted = (size_t)t->cfg.negatives, n_bad = hard_negatives(q, bad, wanted);
    int64_t before = t->rows[q->split];
    bool pairs = strcmp(t->cfg.kind, "pairs") == 0, tuples = strcmp(t->cfg.kind, "ntuples") == 0;
    enum status st = OK;
    if (tuples && n_bad < wanted)
        return OK;
    for (size_t i = 0; i < q->n_good && st == OK; i++) {
        const struct training_item *good = &q->items[i];
        bool again = false;
        for (size_t k = 0; k < i && !again; k++) /* stickers of several packs have one title */
            again = strcmp(good->text, q->items[k].text) == 0;
        if (!*good->text)
            t->left_out++;
        if (again || !*good->text)
            continue;
        if (pairs || tuples)
            st = put_row(t, q, good, bad, pairs ? 0 : n_bad, to, err);
        for (size_t k = 0; k < n_bad && st == OK && !pairs && !tuples; k++)
            st = put_row(t, q, good, &bad[k], 1, to, err);
    }
    t->queries[q->split] += t->rows[q->split] > before;
    return st;
}

enum status training_write_texts(struct training *t, struct error *err)
{
    struct training_file files[SPLITS];
    struct training_query q;
    bool found = true;
    enum status st = training_create_splits(t, ".jsonl", files, err);
    while (st == OK && (st = training_next(t, &q, &found, err)) == OK && found)
        st = put_query(t, &q, &files[q.split], err);
    return training_close_splits(files, st, err);
}

/* --- TREC --- */

static int grade_of(const struct training_item *item)
{
    return item->opinion != OPINION_GOOD ? 0 : item->voted ? 2 : 1;
}

static enum status put_judgements(struct training *t, const struct training_query *q, struct training_file *topics,
                                  struct training_file *qrels, struct error *err)
{
    char hex[65];
    bool any = false;
    enum status st = OK;
    os_sha256_hex(q->query, strlen(q->query), hex);
    for (size_t i = 0; i < q->n && st == OK; i++) {
        const struct training_item *item = &q->items[i];
        if (i == 0 && grade_of(item) == 0)
            return OK; /* nothing would be right */
        if (item->opinion == OPINION_NONE)
            continue;
        if (has_blank(item->said->name)) {
            t->left_out++;
            continue;
        }
        if (!any && grade_of(item) == 0)
            return OK;
        any = true;
        buf_printf(&t->text, "%.16s 0 %s %d\n", hex, item->said->name, grade_of(item));
        t->rows[q->split]++;
        st = training_credit(t, item->sticker, err);
    }
    if (st == OK)
        st = training_put(t, qrels, err);
    if (st != OK || !any)
        return st;
    t->queries[q->split]++;
    buf_printf(&t->text, "%.16s\t", hex);
    training_put_column(&t->text, q->query);
    buf_putc(&t->text, '\n');
    return training_put(t, topics, err);
}

enum status training_write_qrels(struct training *t, struct error *err)
{
    struct training_file topics[SPLITS], qrels[SPLITS] = {{.out = NULL}};
    struct training_query q;
    bool found = true;
    enum status st = training_create_splits(t, ".topics.tsv", topics, err);
    if (st == OK)
        st = training_create_splits(t, ".qrels", qrels, err);
    while (st == OK && (st = training_next(t, &q, &found, err)) == OK && found)
        st = put_judgements(t, &q, &topics[q.split], &qrels[q.split], err);
    st = training_close_splits(qrels, st, err);
    return training_close_splits(topics, st, err);
}
