/* peel audit verify: is the history as it was written? */
#include "cmd/cmd.h"
#include "cmd/verb.h"
#include "sticker_store/sticker_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LISTED 100 /* faults */

/* A line of the audit log. */
struct logged {
    int64_t row;
    char hash[HISTORY_HASH_SIZE];
};

struct audit {
    struct logged *log; /* [n_log], by row */
    size_t n_log, cap, compared;
    int64_t differing;
    json_t *faults;
};

/* --- the audit log --- */

static enum status add_logged(struct audit *a, int64_t row, const char *hash, struct error *err)
{
    if (a->n_log == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 1024;
        struct logged *more = realloc(a->log, cap * sizeof *more);
        if (!more)
            return err_no_memory(err, "the audit log");
        a->log = more;
        a->cap = cap;
    }
    a->log[a->n_log].row = row;
    snprintf(a->log[a->n_log++].hash, sizeof a->log->hash, "%s", hash);
    return OK;
}

static int by_row(const void *x, const void *y)
{
    const struct logged *a = x, *b = y;
    return (a->row > b->row) - (a->row < b->row);
}

/* A line that a crash cut off is passed over: what it was of comes again. */
static enum status read_log(struct audit *a, const char *path, struct error *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    enum status st = OK;
    FILE *f = fopen(path, "re");
    if (!f)
        return err_errno(err, "cannot read %s", path);
    while (st == OK && (len = getline(&line, &cap, f)) > 0) {
        json_t *entry = json_loadb(line, (size_t)len, 0, NULL);
        const char *hash = json_string_value(json_object_get(entry, "hash"));
        if (hash)
            st = add_logged(a, json_integer_value(json_object_get(entry, "row")), hash, err);
        json_decref(entry);
    }
    if (st == OK && ferror(f))
        st = err_errno(err, "cannot read %s", path);
    free(line);
    fclose(f);
    if (a->n_log)
        qsort(a->log, a->n_log, sizeof *a->log, by_row);
    return st;
}

/* --- what is found --- */

static const char *say(const struct history_fault *fault, char text[160])
{
    static const char *const said[] = {
        [HISTORY_CHANGED] = "Entry %" PRId64 " was changed.",
        [HISTORY_UNLINKED] = "Entry %" PRId64 " does not follow from the one before it: one of the two was changed.",
        [HISTORY_ADDED] = "Entry %" PRId64 " was inserted after the end.",
    };
    if (fault->kind == HISTORY_MISSING && fault->last > fault->row)
        snprintf(text, 160, "Entries %" PRId64 " to %" PRId64 " were removed.", fault->row, fault->last);
    else if (fault->kind == HISTORY_MISSING)
        snprintf(text, 160, "Entry %" PRId64 " was removed.", fault->row);
    else
        snprintf(text, 160, said[fault->kind], fault->row);
    return text;
}

static void list_fault(struct audit *a, const char *text)
{
    if (json_array_size(a->faults) < MOST_LISTED)
        json_array_append_new(a->faults, json_string(text));
}

static void hear_fault(void *ctx, const struct history_fault *fault)
{
    char text[160];
    list_fault(ctx, say(fault, text));
}

static void compare_entry(void *ctx, const struct history_entry *e)
{
    struct audit *a = ctx;
    char text[160];
    const struct logged key = {.row = e->row},
                        *found = a->n_log ? bsearch(&key, a->log, a->n_log, sizeof key, by_row) : NULL;
    if (!found)
        return;
    a->compared++;
    if (strcmp(found->hash, e->hash) == 0)
        return;
    a->differing++;
    snprintf(text, sizeof text, "Entry %" PRId64 " is another one in the audit log.", e->row);
    list_fault(a, text);
}

static enum status print_report(const struct verb_call *call, struct audit *a, const struct history_report *r,
                                struct error *err)
{
    int64_t faults = r->faults + a->differing;
    if (config_bool(call->cfg, "json"))
        return cmd_print_json(json_pack("{s:b, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:O}", "intact", faults == 0,
                                        "entries", (json_int_t)r->entries, "last", (json_int_t)r->row, "hash", r->hash,
                                        "erased_users", (json_int_t)r->erased_users, "erased_addresses",
                                        (json_int_t)r->erased_addresses, "erased_texts", (json_int_t)r->erased_texts,
                                        "compared", (json_int_t)a->compared, "n_faults", (json_int_t)faults, "faults",
                                        a->faults),
                              err);
    for (size_t i = 0; i < json_array_size(a->faults); i++)
        printf("%s\n", json_string_value(json_array_get(a->faults, i)));
    printf("%s: %lld entries, %lld faults.", faults ? "The history was tampered with" : "The history is intact",
           (long long)r->entries, (long long)faults);
    if (a->n_log)
        printf(" %zu entries are in the audit log.", a->compared);
    printf("\nErased by retention or `peel forget`: %lld usernames, %lld addresses, %lld texts.\n",
           (long long)r->erased_users, (long long)r->erased_addresses, (long long)r->erased_texts);
    printf("Last entry: %lld, hash %s\n", (long long)r->row, *r->hash ? r->hash : "(none)");
    return OK;
}

static enum status audit_verify(const struct verb_call *call, struct error *err)
{
    struct audit a = {.faults = json_array()};
    struct history_report report;
    const char *log = config_string(call->cfg, "audit-log");
    const struct history_reader reader = {.fault = hear_fault, .entry = compare_entry, .ctx = &a};
    enum status st = *log ? read_log(&a, log, err) : OK;
    if (st == OK)
        st = sticker_store_history_verify(call->store, &reader, &report, err);
    if (st == OK)
        st = print_report(call, &a, &report, err);
    if (st == OK && report.faults + a.differing)
        st = err_set(err, ERR_CORRUPT, "the history is not what was written");
    json_decref(a.faults);
    free(a.log);
    return st;
}

int cmd_audit(const struct config *cfg)
{
    static const struct verb verbs[] = {{"verify", audit_verify}};
    return cmd_verb(cfg, verbs);
}
