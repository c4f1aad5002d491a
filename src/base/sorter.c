/* sorter.c: an external merge sort. There are at most RUNS runs: when one more is needed, they are merged into one. */
#include "base/sorter.h"

#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUNS        64u
#define FILE_BUFFER (64u << 10)

struct record {
    size_t len;
    const unsigned char *bytes;
};

struct run {
    FILE *file;
    unsigned char *bytes; /* [SORTER_RECORD_MAX], of the record that is next */
    uint32_t len;
    bool ended;
};

struct sorter {
    char *folder;
    unsigned char *memory; /* records from the front; their list grows from the end */
    size_t size, used;
    struct record *list; /* sorted from list[0]; its end is the end of `memory` */
    size_t n;
    size_t at; /* of those read from memory, where there are no runs */
    struct run runs[RUNS];
    size_t n_runs;
    size_t heap[RUNS]; /* numbers of runs, the one with the smallest record on top */
    size_t n_heap;
    bool held; /* the top's record is with the caller */
};

static int compare(const void *a, size_t a_len, const void *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_bytes(const void *x, const void *y)
{
    const struct record *a = x, *b = y;
    return compare(a->bytes, a->len, b->bytes, b->len);
}

static struct record *list_end(const struct sorter *s)
{
    return (struct record *)(void *)(s->memory + s->size);
}

enum status sorter_open(const char *folder, size_t memory, struct sorter **out, struct error *err)
{
    assert(memory >= 2 * SORTER_RECORD_MAX);
    struct sorter *s = *out = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "sorting");
    s->size = memory & ~(sizeof(struct record) - 1);
    s->folder = strdup(folder);
    s->memory = malloc(s->size);
    if (!s->folder || !s->memory) {
        sorter_close(s);
        *out = NULL;
        return err_no_memory(err, "sorting");
    }
    s->list = list_end(s);
    return OK;
}

static void run_close(struct run *r)
{
    if (r->file)
        fclose(r->file);
    free(r->bytes);
    *r = (struct run){0};
}

void sorter_close(struct sorter *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_runs; i++)
        run_close(&s->runs[i]);
    free(s->folder);
    free(s->memory);
    free(s);
}

/* --- runs --- */

static enum status run_open(struct sorter *s, struct run *r, struct error *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/sort-XXXXXX", s->folder) >= (int)sizeof path)
        return err_set(err, ERR_TOO_LARGE, "%.200s: the path is too long", s->folder);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, "%s", path);
    unlink(path);
    *r = (struct run){.file = fdopen(fd, "w+")};
    if (!r->file) {
        close(fd);
        return err_no_memory(err, "sorting");
    }
    (void)setvbuf(r->file, NULL, _IOFBF, FILE_BUFFER);
    return OK;
}

static enum status run_write(struct run *r, const void *bytes, size_t len, struct error *err)
{
    uint32_t n = (uint32_t)len;
    return fwrite(&n, sizeof n, 1, r->file) == 1 && (len == 0 || fwrite(bytes, len, 1, r->file) == 1)
               ? OK
               : err_errno(err, "temporary file for sorting");
}

/* Reads the next record of a run. */
static enum status run_next(struct run *r, struct error *err)
{
    r->ended = fread(&r->len, sizeof r->len, 1, r->file) != 1;
    if (r->ended && ferror(r->file))
        return err_errno(err, "temporary file for sorting");
    if (!r->ended && (r->len > SORTER_RECORD_MAX || (r->len && fread(r->bytes, r->len, 1, r->file) != 1)))
        return err_set(err, ERR_CORRUPT, "a temporary file for sorting has changed");
    return OK;
}

static enum status run_begin(struct run *r, struct error *err)
{
    r->bytes = malloc(SORTER_RECORD_MAX);
    if (!r->bytes)
        return err_no_memory(err, "sorting");
    if (fflush(r->file) != 0 || fseek(r->file, 0, SEEK_SET) != 0)
        return err_errno(err, "temporary file for sorting");
    return run_next(r, err);
}

/* --- merging --- */

static bool before(const struct sorter *s, size_t x, size_t y)
{
    const struct run *a = &s->runs[s->heap[x]], *b = &s->runs[s->heap[y]];
    return compare(a->bytes, a->len, b->bytes, b->len) < 0;
}

static void sift_down(struct sorter *s, size_t at)
{
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < s->n_heap; child++)
            if (before(s, child, least))
                least = child;
        if (least == at)
            return;
        size_t run = s->heap[at];
        s->heap[at] = s->heap[least];
        s->heap[least] = run;
        at = least;
    }
}

static enum status merge_begin(struct sorter *s, struct error *err)
{
    enum status st = OK;
    s->n_heap = 0;
    s->held = false;
    for (size_t i = 0; i < s->n_runs && st == OK; i++) {
        st = run_begin(&s->runs[i], err);
        if (st == OK && !s->runs[i].ended)
            s->heap[s->n_heap++] = i;
    }
    for (size_t i = s->n_heap; i-- > 0 && st == OK;)
        sift_down(s, i);
    return st;
}

static enum status merge_next(struct sorter *s, const void **record, size_t *len, struct error *err)
{
    *record = NULL;
    *len = 0;
    if (s->held) {
        struct run *r = &s->runs[s->heap[0]];
        enum status st = run_next(r, err);
        if (st != OK)
            return st;
        if (r->ended)
            s->heap[0] = s->heap[--s->n_heap];
        sift_down(s, 0);
    }
    s->held = s->n_heap > 0;
    if (s->held) {
        *record = s->runs[s->heap[0]].bytes;
        *len = s->runs[s->heap[0]].len;
    }
    return OK;
}

/* All runs become one. */
static enum status merge_all(struct sorter *s, struct error *err)
{
    struct run whole;
    const void *record;
    size_t len;
    enum status st = run_open(s, &whole, err);
    if (st != OK)
        return st;
    st = merge_begin(s, err);
    while (st == OK && (st = merge_next(s, &record, &len, err)) == OK && record)
        st = run_write(&whole, record, len, err);
    for (size_t i = 0; i < s->n_runs; i++)
        run_close(&s->runs[i]);
    s->n_runs = 1;
    s->runs[0] = whole;
    return st;
}

/* What is in memory becomes a run. */
static enum status spill(struct sorter *s, struct error *err)
{
    enum status st = s->n_runs == RUNS ? merge_all(s, err) : OK;
    if (st == OK)
        st = run_open(s, &s->runs[s->n_runs], err);
    if (st != OK)
        return st;
    struct run *r = &s->runs[s->n_runs++];
    if (s->n)
        qsort(s->list, s->n, sizeof *s->list, by_bytes);
    for (size_t i = 0; i < s->n && st == OK; i++)
        st = run_write(r, s->list[i].bytes, s->list[i].len, err);
    s->n = s->used = 0;
    s->list = list_end(s);
    return st;
}

/* --- its users' --- */

enum status sorter_add(struct sorter *s, const void *record, size_t len, struct error *err)
{
    enum status st = OK;
    if (len > SORTER_RECORD_MAX)
        return err_set(err, ERR_TOO_LARGE, "a record of %zu bytes: expected at most %u", len, SORTER_RECORD_MAX);
    if (s->used + len + (s->n + 1) * sizeof(struct record) > s->size)
        st = spill(s, err);
    if (st != OK)
        return st;
    unsigned char *copy = s->memory + s->used;
    if (len)
        memcpy(copy, record, len);
    *--s->list = (struct record){len, copy};
    s->used += len;
    s->n++;
    return OK;
}

enum status sorter_end(struct sorter *s, struct error *err)
{
    if (!s->n_runs) {
        qsort(s->list, s->n, sizeof *s->list, by_bytes);
        return OK;
    }
    enum status st = s->n ? spill(s, err) : OK;
    return st == OK ? merge_begin(s, err) : st;
}

enum status sorter_next(struct sorter *s, const void **record, size_t *len, struct error *err)
{
    if (s->n_runs)
        return merge_next(s, record, len, err);
    *record = s->at < s->n ? s->list[s->at].bytes : NULL;
    *len = s->at < s->n ? s->list[s->at++].len : 0;
    return OK;
}
