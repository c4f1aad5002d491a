/* training.c: an export from its beginning to its manifest.
 *
 * 1. The folder is made, with .unfinished in it.
 * 2. What is said of each search is read (evidence.h) and written there, then plan.json, which begins the manifest.
 * With both there, they are what a later call goes on from; nothing of it is read from the database again.
 * 3. The files of the kind are written, each under its name only once it is whole.
 * 4. credits.tsv, manifest.json; .unfinished goes. */
#include "training/training.h"

#include "base/json_in.h"
#include "base/json_out.h"
#include "base/os.h"
#include "training/training_internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ARENA_BYTES (64u << 20)
#define TEXT_BYTES  (8u << 20)
#define LICENSES    256u

static const struct kind {
    const char *name;
    enum evidence_voters voters;
    bool stickers; /* it has stickers' titles or images, so it credits them */
    enum status (*write)(struct training *t, struct error *err);
} kinds[] = {
    {"ubi", EVIDENCE_ALL, false, training_write_ubi},
    {"opensearch", EVIDENCE_ALL, false, training_write_ubi},
    {"pairs", EVIDENCE_TAUGHT, true, training_write_texts},
    {"triplets", EVIDENCE_TAUGHT, true, training_write_texts},
    {"ntuples", EVIDENCE_TAUGHT, true, training_write_texts},
    {"qrels", EVIDENCE_ALL, true, training_write_qrels},
    {"webdataset", EVIDENCE_TAUGHT, true, training_write_webdataset},
    {"tsv", EVIDENCE_TAUGHT, true, training_write_images},
    {"imagefolder", EVIDENCE_TAUGHT, true, training_write_images},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

bool training_is_kind(const char *kind)
{
    return find_kind(kind) != NULL;
}

static enum status state_path(const struct training *t, const char *name, char out[PATH_MAX], struct error *err)
{
    return os_join_path(out, t->state, name) ? OK
                                             : err_set(err, ERR_TOO_LARGE, "%.200s: the path is too long", t->state);
}

/* --- what is read --- */

static void put_query(struct buf *out, const struct evidence_query *q)
{
    buf_puts(out, "{\"query\":");
    json_put_string(out, q->query);
    buf_puts(out, ",\"language\":");
    json_put_string(out, q->language);
    buf_puts(out, ",\"stickers\":[");
    for (size_t i = 0; i < q->n; i++) {
        const struct evidence_sticker *s = &q->stickers[i];
        buf_puts(out, i ? ",[" : "[");
        json_put_string(out, s->name);
        buf_printf(out, ",%lld,%lld,%lld,%lld,%lld]", (long long)s->up, (long long)s->down, (long long)s->chosen,
                   (long long)s->shown, (long long)s->skipped);
    }
    buf_puts(out, "]}\n");
}

struct reading {
    int64_t searches, dropped;
};

static enum status write_evidence(struct training *t, struct evidence *e, struct reading *out, struct error *err)
{
    struct training_file file;
    struct evidence_query q;
    bool found = true;
    *out = (struct reading){0};
    enum status st = training_create(t, TRAINING_UNFINISHED "/evidence", &file, err);
    while (st == OK && (st = evidence_next(e, &q, &found, err)) == OK && found) {
        put_query(&t->text, &q);
        out->searches++;
        out->dropped += q.dropped;
        st = training_put(t, &file, err);
    }
    return training_close(&file, st, err);
}

static json_t *options_json(const struct training *t)
{
    const struct training_config *c = &t->cfg;
    return json_pack("{s:s, s:I, s:I, s:I, s:I}", "format", c->kind, "after", (json_int_t)c->after, "min_clients",
                     (json_int_t)c->min_clients, "negatives", (json_int_t)c->negatives, "shard", (json_int_t)c->shard);
}

/* The plan: what the manifest has before anything is written. */
static json_t *plan_json(const struct training *t, const struct evidence *e, const struct reading *read)
{
    json_t *rankings = json_object();
    const char *name;
    int64_t n;
    for (size_t i = 0; evidence_ranking(e, i, &name, &n); i++)
        json_object_set_new(rankings, name, json_integer(n));
    return json_pack("{s:s, s:o, s:I, s:s, s:{s:f, s:f}, s:s, s:{s:I, s:I, s:I, s:I}, s:o}", "peel", t->cfg.program,
                     "options", options_json(t), "watermark", (json_int_t)t->until, "split", SPLIT_RULE, "smoothing",
                     "prior", TRAINING_PRIOR, "strength", TRAINING_STRENGTH, "held_out_voters",
                     find_kind(t->cfg.kind)->voters == EVIDENCE_TAUGHT ? "one in ten, left out" : "included", "read",
                     "events", (json_int_t)evidence_events(e), "searches", (json_int_t)read->searches,
                     "searches_of_too_few_clients", (json_int_t)evidence_too_few(e), "stickers_beyond_a_thousand",
                     (json_int_t)read->dropped, "rankings", rankings);
}

static enum status write_json(const char *path, const json_t *json, struct error *err)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6)) : NULL;
    if (!text)
        return err_no_memory(err, "%s", path);
    enum status st = os_write_file(path, text, strlen(text), err);
    free(text);
    return st;
}

static enum status read_database(struct training *t, struct error *err)
{
    struct evidence_config cfg = {.store = t->cfg.store,
                                  .folder = t->state,
                                  .after = t->cfg.after,
                                  .until = t->cfg.until,
                                  .min_clients = t->cfg.min_clients,
                                  .voters = find_kind(t->cfg.kind)->voters};
    struct evidence *e = NULL;
    struct reading read;
    char path[PATH_MAX];
    int64_t end = 0;
    enum status st = sticker_store_events_end(t->cfg.store, &end, err);
    t->until = cfg.until = st == OK && (!cfg.until || cfg.until > end) ? end : cfg.until;
    if (st == OK)
        st = evidence_open(&cfg, &e, err);
    if (st == OK)
        st = write_evidence(t, e, &read, err);
    if (st == OK && !(t->manifest = plan_json(t, e, &read)))
        st = err_no_memory(err, "the manifest");
    evidence_close(e);
    if (st == OK)
        st = state_path(t, "plan.json", path, err);
    return st == OK ? write_json(path, t->manifest, err) : st;
}

/* --- beginning, or going on --- */

/* Is there anything but what a reading that was broken off has left? */
static enum status check_empty(const struct training *t, struct error *err)
{
    DIR *d = opendir(t->cfg.folder);
    enum status st = d ? OK : err_errno(err, "%s", t->cfg.folder);
    for (struct dirent *e; d && st == OK && (e = readdir(d));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && strcmp(e->d_name, TRAINING_UNFINISHED) != 0)
            st = err_set(err, ERR_CONFLICT, "%s is not empty: choose a new folder", t->cfg.folder);
    if (d)
        closedir(d);
    return st;
}

static enum status read_plan(struct training *t, const char *path, struct error *err)
{
    t->manifest = json_load_file(path, 0, NULL);
    json_t *options = options_json(t);
    enum status st = OK;
    t->until = json_member_int(t->manifest, "watermark");
    if (!json_is_object(t->manifest))
        st = err_set(err, ERR_CORRUPT, "%s is damaged: delete the folder and begin again", path);
    else if (!options)
        st = err_no_memory(err, "the options");
    else if (!json_equal(options, json_object_get(t->manifest, "options")) || (t->cfg.until && t->cfg.until < t->until))
        st = err_set(err, ERR_CONFLICT,
                     "%s has an unfinished export with other options: go on with those, or delete the folder",
                     t->cfg.folder);
    json_decref(options);
    return st;
}

static enum status begin(struct training *t, struct error *err)
{
    char manifest[PATH_MAX], plan[PATH_MAX], evidence[PATH_MAX];
    enum status st = training_path(t, TRAINING_UNFINISHED, t->state, err);
    if (st == OK)
        st = training_path(t, TRAINING_MANIFEST, manifest, err);
    if (st == OK)
        st = state_path(t, "plan.json", plan, err);
    if (st == OK)
        st = state_path(t, "evidence", evidence, err);
    if (st != OK)
        return st;
    if (access(manifest, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "%s has an export already: choose a new folder", t->cfg.folder);
    st = os_mkdirs(t->cfg.folder, err);
    bool goes_on = st == OK && access(plan, F_OK) == 0;
    if (st == OK && !goes_on)
        st = check_empty(t, err);
    if (st == OK && !goes_on)
        st = os_mkdirs(t->state, err);
    if (st == OK)
        st = goes_on ? read_plan(t, plan, err) : read_database(t, err);
    if (st != OK)
        return st;
    t->total = json_member_int(json_object_get(t->manifest, "read"), "searches");
    t->evidence = fopen(evidence, "re");
    return t->evidence ? OK : err_errno(err, "%s", evidence);
}

/* --- ending --- */

static void count_license(json_t *licenses, const char *line)
{
    char name[256];
    for (int i = 0; i < 2; i++) /* the third column */
        line += strcspn(line, "\t") + (line[strcspn(line, "\t")] == '\t');
    snprintf(name, sizeof name, "%.*s", (int)strcspn(line, "\t"), line);
    if (!json_object_get(licenses, name) && json_object_size(licenses) >= LICENSES)
        snprintf(name, sizeof name, "others");
    json_t *n = json_object_get(licenses, name);
    json_object_set_new(licenses, name, json_integer(json_integer_value(n) + 1));
}

/* Each sticker once, in the order of their names. */
static enum status write_credits(struct training *t, json_t *licenses, struct error *err)
{
    struct training_file file;
    const void *record = NULL;
    size_t len;
    char last[STICKER_FILENAME_MAX + 1] = "";
    enum status st = sorter_end(t->credits, err);
    if (st == OK)
        st = training_create(t, "credits.tsv", &file, err);
    if (st != OK)
        return st;
    buf_puts(&t->text, "sticker\tauthor\tlicense\tsource\n");
    while (st == OK && (st = sorter_next(t->credits, &record, &len, err)) == OK && record) {
        size_t name = strcspn(record, "\t");
        if (strncmp(last, record, name) == 0 && last[name] == '\0')
            continue;
        snprintf(last, sizeof last, "%.*s", (int)name, (const char *)record);
        count_license(licenses, record);
        buf_append(&t->text, record, len - 1); /* without its NUL */
        buf_putc(&t->text, '\n');
        st = training_put(t, &file, err);
    }
    if (st == OK)
        st = training_put(t, &file, err);
    return training_close(&file, st, err);
}

static json_t *splits_json(const int64_t n[SPLITS])
{
    json_t *out = json_object();
    for (size_t i = 0; i < SPLITS; i++)
        json_object_set_new(out, split_names[i], json_integer(n[i]));
    return out;
}

static void remove_state(const struct training *t)
{
    char path[PATH_MAX];
    static const char *const files[] = {"evidence", "plan.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (state_path(t, files[i], path, NULL) == OK)
            unlink(path);
    rmdir(t->state);
}

static enum status end(struct training *t, const struct kind *kind, char **text, struct error *err)
{
    char path[PATH_MAX];
    json_t *licenses = json_object();
    enum status st = kind->stickers ? write_credits(t, licenses, err) : OK;
    json_object_set_new(t->manifest, "rows", splits_json(t->rows));
    json_object_set_new(t->manifest, "queries", splits_json(t->queries));
    if (kind->stickers) {
        json_object_set_new(t->manifest, "left_out", json_integer(t->left_out));
        json_object_set(t->manifest, "licenses", licenses);
    }
    json_decref(licenses);
    if (st == OK)
        st = training_path(t, TRAINING_MANIFEST, path, err);
    if (st == OK)
        st = write_json(path, t->manifest, err);
    if (st != OK)
        return st;
    remove_state(t);
    *text = json_dumps(t->manifest, JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    return *text ? OK : err_no_memory(err, "the manifest");
}

enum status training_export(const struct training_config *cfg, char **manifest, struct error *err)
{
    struct training t = {.cfg = *cfg};
    const struct kind *kind = find_kind(cfg->kind);
    *manifest = NULL;
    if (!kind)
        return err_set(err, ERR_INVALID, "format \"%.40s\" is unknown; known: %s", cfg->kind, TRAINING_KINDS);
    arena_init(&t.arena, ARENA_BYTES);
    buf_init(&t.text, TEXT_BYTES);
    enum status st = begin(&t, err);
    if (st == OK)
        st = sorter_open(t.state, 2 * SORTER_RECORD_MAX + (4u << 20), &t.credits, err);
    if (st == OK)
        st = kind->write(&t, err);
    if (st == OK)
        st = end(&t, kind, manifest, err);
    sorter_close(t.credits);
    if (t.evidence)
        fclose(t.evidence);
    free(t.line);
    json_decref(t.manifest);
    buf_free(&t.text);
    arena_free(&t.arena);
    return st;
}
