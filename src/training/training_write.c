/* training_write.c: the files of an export, and the searches that go into them. */
#include "training/training_internal.h"

#include "base/json_in.h"
#include "base/os.h"

#include <string.h>
#include <unistd.h>

/* --- files --- */

enum status training_path(const struct training *t, const char *name, char out[PATH_MAX], struct error *err)
{
    return os_join_path(out, t->cfg.folder, name)
               ? OK
               : err_set(err, ERR_TOO_LARGE, "%.200s/%.200s: the path is too long", t->cfg.folder, name);
}

enum status training_create(const struct training *t, const char *name, struct training_file *out, struct error *err)
{
    out->out = NULL;
    enum status st = training_path(t, name, out->path, err);
    if (st == OK && snprintf(out->part, sizeof out->part, "%s.part", out->path) >= (int)sizeof out->part)
        st = err_set(err, ERR_TOO_LARGE, "%.200s: the path is too long", out->path);
    if (st == OK && !(out->out = fopen(out->part, "we")))
        st = err_errno(err, "%s", out->part);
    return st;
}

enum status training_put(struct training *t, struct training_file *to, struct error *err)
{
    enum status st = buf_status(&t->text, err);
    if (st == OK && t->text.len && fwrite(t->text.data, t->text.len, 1, to->out) != 1)
        st = err_errno(err, "%s", to->part);
    buf_reset(&t->text);
    return st;
}

enum status training_close(struct training_file *f, enum status st, struct error *err)
{
    if (!f->out)
        return st;
    if (st == OK && (fflush(f->out) != 0 || fsync(fileno(f->out)) != 0))
        st = err_errno(err, "%s", f->part);
    if (fclose(f->out) != 0 && st == OK)
        st = err_errno(err, "%s", f->part);
    f->out = NULL;
    if (st == OK)
        return os_place(f->part, f->path, err);
    unlink(f->part);
    return st;
}

enum status training_create_splits(const struct training *t, const char *ending, struct training_file out[SPLITS],
                                   struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < SPLITS; i++)
        out[i].out = NULL;
    for (size_t i = 0; i < SPLITS && st == OK; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", split_names[i], ending);
        st = training_create(t, name, &out[i], err);
    }
    return st;
}

enum status training_close_splits(struct training_file f[SPLITS], enum status st, struct error *err)
{
    for (size_t i = 0; i < SPLITS; i++)
        st = training_close(&f[i], st, err);
    return st;
}

void training_put_column(struct buf *out, const char *s)
{
    for (; *s; s++)
        buf_putc(out, (unsigned char)*s < ' ' || *s == 0x7f ? ' ' : *s);
}

/* --- searches --- */

void training_judge(struct training_item *item)
{
    const struct evidence_sticker *s = item->said;
    item->voted = s->up + s->down > 0;
    item->score =
        ((double)s->up + TRAINING_STRENGTH * TRAINING_PRIOR) / ((double)(s->up + s->down) + TRAINING_STRENGTH);
    if (item->voted)
        item->opinion = s->up > s->down ? OPINION_GOOD : s->up < s->down ? OPINION_BAD : OPINION_NONE;
    else
        item->opinion = s->chosen > 0 ? OPINION_GOOD : s->skipped > 0 ? OPINION_BAD : OPINION_NONE;
}

/* Voted ones by their score, then those that were chosen, or skipped, most often. */
static int best_first(const void *x, const void *y)
{
    static const int order[] = {[OPINION_GOOD] = 0, [OPINION_BAD] = 1, [OPINION_NONE] = 2};
    const struct training_item *a = x, *b = y;
    if (a->opinion != b->opinion)
        return order[a->opinion] - order[b->opinion];
    if (a->voted != b->voted)
        return b->voted - a->voted;
    bool good = a->opinion == OPINION_GOOD;
    double of_a = a->voted ? a->score : (double)(good ? a->said->chosen : -a->said->skipped);
    double of_b = b->voted ? b->score : (double)(good ? b->said->chosen : -b->said->skipped);
    if (of_a < of_b || of_a > of_b)
        return good == (of_a > of_b) ? -1 : 1;
    return strcmp(a->said->name, b->said->name);
}

static bool read_said(const json_t *row, struct evidence_sticker *out)
{
    const char *name = json_string_value(json_array_get(row, 0));
    int64_t numbers[5];
    if (!name || strlen(name) > STICKER_FILENAME_MAX)
        return false;
    for (size_t i = 0; i < 5; i++)
        if (!json_whole_number(json_array_get(row, i + 1), &numbers[i]))
            return false;
    *out = (struct evidence_sticker){
        .up = numbers[0], .down = numbers[1], .chosen = numbers[2], .shown = numbers[3], .skipped = numbers[4]};
    memcpy(out->name, name, strlen(name) + 1);
    return true;
}

static enum status read_line(struct training *t, json_t **out, struct error *err)
{
    *out = NULL;
    ssize_t len = getline(&t->line, &t->line_cap, t->evidence);
    if (len < 0)
        return feof(t->evidence) ? OK : err_errno(err, "%s: what was read", t->state);
    *out = json_loadb(t->line, (size_t)len, 0, NULL);
    return *out ? OK : err_set(err, ERR_CORRUPT, "%s is damaged: delete it and begin again", t->state);
}

/* What is known of the search's stickers now. Those that are gone are left out. */
static enum status look_up(struct training *t, struct training_query *q, struct error *err)
{
    const char **names = arena_array(&t->arena, q->n + 1, sizeof *names);
    const char **titles = arena_array(&t->arena, q->n + 1, sizeof *titles);
    struct sticker *stickers = arena_array(&t->arena, q->n + 1, sizeof *stickers);
    size_t kept = 0;
    if (!names || !titles || !stickers)
        return err_no_memory(err, "the stickers of a search");
    for (size_t i = 0; i < q->n; i++)
        names[i] = q->items[i].said->name;
    enum status st = sticker_store_get_many(t->cfg.store, names, q->n, &t->arena, stickers, err);
    if (st == OK)
        st = sticker_store_titles(t->cfg.store, names, q->n, *q->language ? q->language : "en", &t->arena, titles, err);
    for (size_t i = 0; i < q->n && st == OK; i++) {
        struct training_item *item = &q->items[i];
        if (!stickers[i].filename) {
            t->left_out++;
            continue;
        }
        item->sticker = &stickers[i];
        item->text = titles[i] && *titles[i] ? titles[i] : stickers[i].title;
        q->items[kept++] = *item;
    }
    q->n = kept;
    return st;
}

enum status training_rewind(struct training *t, struct error *err)
{
    t->done = 0;
    return fseek(t->evidence, 0, SEEK_SET) == 0 ? OK : err_errno(err, "%s: what was read", t->state);
}

enum status training_next_text(struct training *t, const char **query, struct error *err)
{
    json_t *line;
    arena_reset(&t->arena);
    *query = NULL;
    enum status st = read_line(t, &line, err);
    if (st == OK && line && !(*query = arena_strdup(&t->arena, json_member_text(line, "query"))))
        st = err_no_memory(err, "a search");
    json_decref(line);
    return st;
}

static enum status read_query(struct training *t, const json_t *line, struct training_query *out, struct error *err)
{
    const json_t *rows = json_object_get(line, "stickers");
    size_t n = json_array_size(rows);
    struct evidence_sticker *said = arena_array(&t->arena, n + 1, sizeof *said);
    *out = (struct training_query){.query = arena_strdup(&t->arena, json_member_text(line, "query")),
                                   .language = arena_strdup(&t->arena, json_member_text(line, "language")),
                                   .items = arena_array(&t->arena, n + 1, sizeof *out->items)};
    if (!said || !out->query || !out->language || !out->items)
        return err_no_memory(err, "a search with %zu stickers", n);
    out->split = split_of(out->query);
    for (; out->n < n; out->n++) {
        if (!read_said(json_array_get(rows, out->n), &said[out->n]))
            return err_set(err, ERR_CORRUPT, "%s is damaged: delete it and begin again", t->state);
        out->items[out->n].said = &said[out->n];
    }
    return OK;
}

enum status training_next(struct training *t, struct training_query *out, bool *found, struct error *err)
{
    json_t *line;
    arena_reset(&t->arena);
    enum status st = training_go_on(t, err);
    if (st == OK)
        st = read_line(t, &line, err);
    if (st != OK)
        return st;
    *found = line != NULL;
    if (*found) {
        t->done++;
        st = read_query(t, line, out, err);
        json_decref(line);
        if (st == OK)
            st = look_up(t, out, err);
    }
    for (size_t i = 0; *found && st == OK && i < out->n; i++) {
        training_judge(&out->items[i]);
        out->n_good += out->items[i].opinion == OPINION_GOOD;
        out->n_bad += out->items[i].opinion == OPINION_BAD;
    }
    if (*found && st == OK)
        qsort(out->items, out->n, sizeof *out->items, best_first);
    return st;
}

enum status training_go_on(struct training *t, struct error *err)
{
    return !t->cfg.go_on || t->cfg.go_on(t->cfg.ctx, t->done, t->total)
               ? OK
               : err_set(err, ERR_CANCELLED, "stopped; run the same command again to continue");
}

enum status training_credit(struct training *t, const struct sticker *s, struct error *err)
{
    struct buf record;
    buf_init(&record, SORTER_RECORD_MAX);
    training_put_column(&record, s->filename);
    buf_putc(&record, '\t');
    training_put_column(&record, s->author);
    buf_putc(&record, '\t');
    training_put_column(&record, s->license);
    buf_putc(&record, '\t');
    training_put_column(&record, s->source);
    buf_putc(&record, '\0');
    enum status st = buf_status(&record, err);
    if (st == OK)
        st = sorter_add(t->credits, record.data, record.len, err);
    buf_free(&record);
    return st;
}
