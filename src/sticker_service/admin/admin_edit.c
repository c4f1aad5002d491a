/* admin_edit.c: a row as a form has it: read, checked and written with its history. (Its page is admin_edit_page.c,
 * stickers are added by admin_upload.c, and what is done to many is in admin_bulk.c.) */
#include "sticker_service/admin/admin_edit.h"
#include "base/json_out.h"
#include "base/os.h"
#include "base/password.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "sticker_service/auth.h"
#include "text/text.h"

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_JSON          (1u << 20)
#define EXPIRES_MOST_DAYS 3650

/* The list's column for a field; NULL where it has none (a password, a sticker's words). */
static const char *column_of(const struct admin_field *f)
{
    if (f->kind == FIELD_PASSWORD || f->kind == FIELD_WORDS)
        return NULL;
    return edit_same(f->name, "groups") ? "group_ids" : f->name;
}

/* --- as it is --- */

static enum status load_row(const struct admin_visit *v, struct edit *e, struct error *err)
{
    struct arena *a = v->req->arena;
    const char *columns[ADMIN_MAX_FIELDS + 2], **cells;
    size_t n = 0, at = 2;
    columns[n++] = e->table->object;
    columns[n++] = edit_same(e->table->name, "history") ? "at_us" : "modified_us";
    for (size_t i = 0; i < e->n; i++)
        if (column_of(&e->table->fields[i]))
            columns[n++] = column_of(&e->table->fields[i]);
    enum status st = sticker_store_list_row(v->service->store, e->table->name, e->id, columns, n, a, &cells, err);
    if (st != OK)
        return st;
    e->object = cells[0];
    e->seen = cells[1];
    for (size_t i = 0; i < e->n; i++)
        e->before[i] = e->values[i] = column_of(&e->table->fields[i]) ? cells[at++] : "";
    if (!edit_same(e->table->name, "stickers"))
        return OK;
    st = sticker_store_get(v->service->store, e->id, a, &e->sticker, err);
    e->n_words = st == OK ? e->sticker.n_words : 0;
    e->words = arena_array(a, e->n_words + 1, sizeof *e->words);
    if (!e->words)
        return err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n_words; i++)
        e->words[i] = e->sticker.words[i];
    return st;
}

/* Others than superusers look after plain users only, and give no rights: else they could give themselves all. */
static bool may_touch(const struct admin_visit *v, const struct edit *e)
{
    if (v->session.user.is_superuser)
        return true;
    if (edit_same(e->table->name, "groups"))
        return false;
    if (!edit_same(e->table->name, "users") || !*e->id)
        return true;
    for (size_t i = 0; i < e->n; i++)
        if (e->table->fields[i].flags & FIELD_SUPERUSER_ONLY && *e->before[i] && !edit_same(e->before[i], "0"))
            return false;
    return true;
}

enum status edit_row(const struct admin_visit *v, const struct admin_table *table, const char *id, struct edit *e,
                     struct error *err)
{
    *e = (struct edit){.table = table, .id = id, .object = "", .seen = "0"};
    while (table->fields[e->n].name)
        e->n++;
    for (size_t i = 0; i < e->n; i++)
        e->before[i] = e->values[i] = edit_same(table->fields[i].name, "is_active") ? "1" : "";
    enum status st = *id ? load_row(v, e, err) : OK;
    e->touchable = may_touch(v, e);
    return st;
}

enum status edit_start(const struct admin_visit *v, const struct admin_table *table, const char *id, struct edit *e,
                       struct error *err)
{
    enum status st = edit_row(v, table, id, e, err);
    enum admin_right right = *e->id ? ADMIN_CHANGE : ADMIN_ADD;
    bool may = e->touchable && admin_may(v, table->name, right);
    for (size_t i = 0; i < e->n; i++)
        e->fixed[i] = !may || (*e->id && table->fields[i].flags & FIELD_ADD_ONLY) ||
                      (table->fields[i].flags & FIELD_SUPERUSER_ONLY && !v->session.user.is_superuser);
    return st;
}

/* --- as somebody wants it --- */

static void wrong(struct edit *e, size_t i, const char *problem)
{
    e->wrong = true;
    e->problems[i] = problem;
}

/* The value of the k-th field of that name; NULL past the last. */
static const char *nth(const struct form *form, const char *name, size_t k)
{
    for (size_t i = 0; i < form->count; i++)
        if (edit_same(form->fields[i].name, name) && k-- == 0)
            return form->fields[i].value;
    return NULL;
}

static bool named(const struct form *form, const char *name, const char *value)
{
    for (size_t i = 0; i < form->count; i++)
        if (edit_same(form->fields[i].name, name) && edit_same(form->fields[i].value, value))
            return true;
    return false;
}

static int by_language(const void *a, const void *b)
{
    return strcmp(((const struct sticker_words *)a)->language, ((const struct sticker_words *)b)->language);
}

static struct sticker_words *words_of(struct sticker_words *words, size_t n, const char *language)
{
    for (size_t i = 0; i < n; i++)
        if (edit_same(words[i].language, language))
            return &words[i];
    return NULL;
}

static void check_words(struct edit *e, size_t field, const struct sticker_words *w)
{
    size_t title = w->title ? strlen(w->title) : 0;
    if (!*w->language)
        wrong(e, field, admin_say(MESSAGE_admin_wrong_language_missing));
    else if (strspn(w->language, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") !=
                 strlen(w->language) ||
             strlen(w->language) > 35)
        wrong(e, field, admin_say(MESSAGE_admin_wrong_language));
    else if (strlen(w->words) > e->table->fields[field].max)
        wrong(e, field, admin_say(MESSAGE_admin_wrong_words_many));
    else if (title > STICKER_LINE_MAX || (title && utf8_has_control(w->title, title)))
        wrong(e, field, admin_say(MESSAGE_admin_wrong_title_long));
}

/* One row of the form: a language with its title and words. Two rows of one language are one. */
static enum status read_language(struct edit *e, size_t field, const char *language, const char *title,
                                 const char *typed, struct arena *a, struct error *err)
{
    const struct sticker_words *before =
        words_of((struct sticker_words *)(uintptr_t)e->sticker.words, e->sticker.n_words, language);
    struct sticker_words *w = words_of(e->words, e->n_words, language);
    const char *normal = text_normalize_words(typed, a);
    if (!normal)
        return err_no_memory(err, "a form");
    if (!title)
        title = before ? before->title : NULL;
    bool empty = !*normal && !(title && *title);
    if (empty && (!*language || (*e->id && !before)))
        return OK;
    if (w && *language) {
        w->words = *w->words && *normal ? arena_printf(a, "%s, %s", w->words, normal) : *normal ? normal : w->words;
        w->words = w->words ? text_normalize_words(w->words, a) : NULL;
        w->title = title && *title ? title : w->title;
        return w->words ? OK : err_no_memory(err, "a form");
    }
    w = &e->words[e->n_words++];
    *w = (struct sticker_words){language, normal, title};
    e->typed[e->n_typed++] = language;
    check_words(e, field, w);
    return OK;
}

/* Rows of a language, its title and words; what is empty in all of them falls away. Languages without a row stay. */
static enum status read_words(const struct form *form, struct edit *e, size_t field, struct arena *a, struct error *err)
{
    const char *language, *typed;
    enum status st = OK;
    e->words = arena_array(a, form->count + e->sticker.n_words + 1, sizeof *e->words);
    e->typed = arena_array(a, form->count + 1, sizeof *e->typed);
    e->n_words = e->n_typed = 0;
    if (!e->words || !e->typed)
        return err_no_memory(err, "a form");
    for (size_t i = 0; st == OK && (language = nth(form, "language", i)) && (typed = nth(form, "words", i)); i++)
        st = read_language(e, field, language, nth(form, "word_title", i), typed, a, err);
    size_t n = e->n_words;
    for (size_t i = 0; i < e->sticker.n_words; i++)
        if (!named(form, "language", e->sticker.words[i].language) &&
            !words_of(e->words, n, e->sticker.words[i].language))
            e->words[e->n_words++] = e->sticker.words[i];
    if (e->n_words)
        qsort(e->words, e->n_words, sizeof *e->words, by_language);
    return st;
}

/* All values of a field, with spaces between. */
static const char *joined(const struct form *form, const char *name, struct arena *a)
{
    const char *out = "";
    for (size_t i = 0; i < form->count && out; i++)
        if (edit_same(form->fields[i].name, name) && !strchr(form->fields[i].value, ' '))
            out = arena_printf(a, "%s%s%s", out, *out ? " " : "", form->fields[i].value);
    return out;
}

bool edit_is_open(const struct edit *e, const struct admin_field *f)
{
    return !*e->id && f->flags & FIELD_MANY && (f->kind == FIELD_CHECK || f->kind == FIELD_RATING);
}

static void check_value(struct edit *e, size_t i)
{
    const struct admin_field *f = &e->table->fields[i];
    const char *value = e->values[i];
    size_t len = strlen(value);
    enum rating rating;
    if (f->flags & FIELD_REQUIRED && !len)
        wrong(e, i, admin_say(MESSAGE_admin_wrong_required));
    else if (f->kind == FIELD_LINE && len > f->max)
        wrong(e, i, admin_say(MESSAGE_admin_wrong_long));
    else if (f->kind == FIELD_LINE && utf8_has_control(value, len))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_control));
    else if (f->kind == FIELD_LINE && edit_same(f->name, "query") && utf8_count(value, len) > 255)
        wrong(e, i, admin_say(MESSAGE_admin_wrong_query_long));
    else if (f->kind == FIELD_NUMBER && len && (len > 15 || strspn(value, "0123456789") != len))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_number));
    else if (f->kind == FIELD_NUMBER && len && edit_same(f->name, "expires_days") &&
             (strtoll(value, NULL, 10) < 1 || strtoll(value, NULL, 10) > EXPIRES_MOST_DAYS))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_days));
    else if (f->kind == FIELD_RATING && len && !rating_parse(value, &rating))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_rating));
    else if (f->kind == FIELD_CHECK && len && !edit_same(value, "0") && !edit_same(value, "1"))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_check));
    else if (f->kind == FIELD_PASSWORD && !len && !*e->id)
        wrong(e, i, admin_say(MESSAGE_admin_wrong_password_missing));
    else if (f->kind == FIELD_PASSWORD && len && (len < SECRET_LEAST_PASSWORD || len > SECRET_MOST_PASSWORD))
        wrong(e, i, admin_say(MESSAGE_admin_wrong_password));
}

/* What a check box sends: nothing when it is not checked, but a script may say 0. */
static const char *is_checked(const char *value)
{
    return *value && !edit_same(value, "0") ? "1" : "0";
}

/* The values of pins and synonyms are kept as searches look for them. */
static enum status read_curation(struct edit *e, enum curation_kind kind, struct arena *a, struct error *err)
{
    struct curation_row row;
    struct error why;
    for (size_t i = 0; i < e->n; i++) {
        const char *name = e->table->fields[i].name;
        enum status st = e->problems[i] ? OK : curation_check(name, &e->values[i], a, &why);
        if (st == ERR_NO_MEMORY)
            return err_no_memory(err, "a form");
        if (st != OK && !(e->problems[i] = arena_strdup(a, why.message)))
            return err_no_memory(err, "a form");
        e->wrong = e->wrong || st != OK;
        for (int c = 0; c < CURATION_COLUMNS; c++)
            if (edit_same(curation_names[kind].columns[c], name))
                row.values[c] = e->values[i];
    }
    if (!e->wrong && curation_check_row(kind, &row, a, &why) != OK)
        wrong(e, 0, arena_strdup(a, why.message));
    return OK;
}

enum status edit_read(const struct form *form, struct edit *e, struct arena *a, struct error *err)
{
    const char *only = admin_field(form, "only");
    e->seen = admin_field(form, "seen");
    for (size_t i = 0; i < e->n; i++) {
        const struct admin_field *f = &e->table->fields[i];
        if (e->fixed[i] || (*only && !edit_same(only, f->name)) || (f->flags & FIELD_LATER && !nth(form, f->name, 0)))
            continue;
        if (f->kind == FIELD_WORDS) {
            enum status st = read_words(form, e, i, a, err);
            if (st != OK)
                return st;
            continue;
        }
        e->values[i] = f->kind == FIELD_CHOICES                        ? joined(form, f->name, a)
                       : f->kind == FIELD_CHECK && !edit_is_open(e, f) ? is_checked(admin_field(form, f->name))
                                                                       : admin_field(form, f->name);
        if (f->kind == FIELD_RATING && !*e->values[i])
            e->values[i] = e->before[i]; /* the form does not speak of it */
        if (!e->values[i])
            return err_no_memory(err, "a form");
        if (f->kind == FIELD_LINE && edit_same(f->name, "query")) { /* as searches are stored */
            size_t len = strlen(e->values[i]);
            utf8_trim(&e->values[i], &len);
            if (!(e->values[i] = arena_strndup(a, e->values[i], len)))
                return err_no_memory(err, "a form");
        }
        check_value(e, i);
    }
    for (int kind = 0; kind < CURATION_KINDS; kind++)
        if (edit_same(e->table->name, curation_names[kind].list))
            return read_curation(e, (enum curation_kind)kind, a, err);
    return OK;
}

/* The sticker as its form has it, and where the form left it open, the form as the sticker is. */
static void fill_sticker(struct edit *e)
{
    struct sticker *k = &e->sticker;
    const struct {
        const char *field, **member;
    } texts[] = {{"title", &k->title},
                 {"pack", &k->pack},
                 {"author", &k->author},
                 {"license", &k->license},
                 {"source", &k->source}};
    for (size_t i = 0; i < e->n; i++)
        for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
            if (edit_same(e->table->fields[i].name, texts[t].field))
                *texts[t].member = e->values[i];
    for (size_t i = 0; i < e->n; i++)
        if (edit_same(e->table->fields[i].name, "rating")) {
            (void)rating_parse(e->values[i], &k->rating); /* "": as it is */
            e->values[i] = rating_name(k->rating);
        } else if (edit_same(e->table->fields[i].name, "animated")) {
            k->animated = *e->values[i] ? edit_same(e->values[i], "1") : k->animated;
            e->values[i] = k->animated ? "1" : "0";
        } else if (edit_same(e->table->fields[i].name, "ocr_words") &&
                   !edit_same(e->values[i], k->ocr_words ? k->ocr_words : "")) {
            k->ocr_words = e->values[i];
            k->ocr_by = STICKER_OCR_STAFF;
        }
    k->words = e->words;
    k->n_words = e->n_words;
}

const char *edit_json(const struct edit *e, struct arena *a)
{
    struct buf out;
    if (edit_same(e->table->name, "stickers")) {
        struct edit filled = *e;
        fill_sticker(&filled);
        return sticker_state(&filled.sticker, a);
    }
    buf_init(&out, MAX_JSON);
    buf_putc(&out, '{');
    for (size_t i = 0; i < e->n; i++) {
        const struct admin_field *f = &e->table->fields[i];
        buf_printf(&out, "%s\"%s\":", i ? "," : "", f->name);
        json_put_string(&out, f->kind != FIELD_PASSWORD ? e->values[i] : *e->values[i] ? "changed" : "");
    }
    buf_puts(&out, "}");
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

/* Entries of older versions have no titles: those that the sticker has stay. */
static enum status words_from_json(const json_t *words, const json_t *titles, struct edit *e, struct arena *a,
                                   struct error *err)
{
    const char *language;
    const json_t *value;
    struct sticker_words *out = arena_array(a, json_object_size(words) + 1, sizeof *out);
    size_t n = 0;
    if (!out)
        return err_no_memory(err, "a form");
    json_object_foreach((json_t *)(uintptr_t)words, language, value)
    {
        const char *title = json_string_value(json_object_get(titles, language));
        const struct sticker_words *now = words_of(e->words, e->n_words, language);
        const char *words_text = json_string_value(value);
        out[n] = (struct sticker_words){arena_strdup(a, language), arena_strdup(a, words_text ? words_text : ""),
                                        !titles && now ? now->title : arena_strdup(a, title ? title : "")};
        if (!out[n].language || !out[n].words)
            return err_no_memory(err, "a form");
        n++;
    }
    if (n)
        qsort(out, n, sizeof *out, by_language);
    e->words = out;
    e->n_words = n;
    return OK;
}

enum status edit_from_json(const char *text, struct edit *e, struct arena *a, struct error *err)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    enum status st = OK;
    for (size_t i = 0; i < e->n && st == OK; i++) {
        const struct admin_field *f = &e->table->fields[i];
        const json_t *value = json_object_get(json, f->name);
        if (f->kind == FIELD_WORDS && json_is_object(value))
            st = words_from_json(value, json_object_get(json, "titles"), e, a, err);
        else if (!value && f->flags & FIELD_LATER)
            continue;
        else if (f->kind != FIELD_WORDS && json_is_string(value) && f->kind != FIELD_PASSWORD)
            e->values[i] = arena_strdup(a, json_string_value(value));
        else
            st = err_set(err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_cannot_undo));
        if (st == OK && !e->values[i])
            st = err_no_memory(err, "a form");
    }
    json_decref(json);
    return st;
}

enum status edit_change(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                        struct admin_change *out, struct error *err)
{
    struct arena *a = v->req->arena;
    struct admin_pair *fields = arena_array(a, ADMIN_MAX_FIELDS + 1, sizeof *fields);
    char hash[SECRET_HASH_SIZE], token[41], token_hash[65];
    size_t n = 0;
    enum status st = fields ? OK : err_no_memory(err, "a form");
    for (size_t i = 0; i < e->n && st == OK; i++) {
        const struct admin_field *f = &e->table->fields[i];
        if (f->kind == FIELD_PASSWORD && *e->values[i]) {
            st = password_check(e->values[i], e->values[0], v->service->cfg->password_deny_list, err);
            if (st == OK)
                st = secret_hash_password(e->values[i], hash, err);
            fields[n++] = (struct admin_pair){"password_hash", arena_strdup(a, hash)};
        } else if (f->kind != FIELD_PASSWORD && f->kind != FIELD_WORDS) {
            fields[n++] = (struct admin_pair){f->name, e->values[i]};
        }
        if (i == 0 || edit_same(f->name, e->table->object))
            e->object = e->values[i];
    }
    if (st == OK && edit_same(e->table->name, "tokens") && !v->session.user.is_superuser &&
        !edit_same(e->values[0], v->session.user.username))
        st = err_set(err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_token_others));
    if (st == OK && edit_same(e->table->name, "tokens")) {
        int64_t days = strtoll(e->values[e->n - 1], NULL, 10); /* expires_days, the last field; "": it never does */
        fields[n++] = (struct admin_pair){
            "expires_us", arena_printf(a, "%lld", (long long)(days ? os_now_us() + days * STORE_DAY_US : 0))};
        auth_token_new(token);
        auth_token_hash(token, token_hash);
        fields[n++] = (struct admin_pair){"hash_hex", arena_strdup(a, token_hash)};
        *key = arena_strdup(a, token);
    }
    if (st == OK && edit_same(e->table->name, "stickers")) {
        fill_sticker(e);
        st = sticker_row_change(&e->sticker, !*e->id, before, strtoll(e->seen, NULL, 10), a, out, err);
        return st == ERR_TOO_LARGE || st == ERR_INVALID
                   ? err_set(err, ERR_INVALID, "%s", admin_say(MESSAGE_admin_words_many))
                   : st;
    }
    const char *after = edit_json(e, a);
    if (st != OK)
        return st;
    *out = (struct admin_change){.op = *e->id ? CHANGE_UPDATE : CHANGE_ADD,
                                 .list = e->table->name,
                                 .id = *e->id ? e->id : NULL,
                                 .seen_us = strtoll(e->seen, NULL, 10),
                                 .fields = fields,
                                 .n_fields = n,
                                 .object = e->object,
                                 .before = before,
                                 .after = after};
    bool complete = after;
    for (size_t i = 0; i < n; i++)
        complete = complete && fields[i].value;
    return complete ? OK : err_no_memory(err, "a form");
}

void edit_written(const struct admin_visit *v, const struct admin_table *table)
{
    if (table->reindexes)
        outbox_wake(v->service->outbox);
    if (edit_same(table->name, "pins") || edit_same(table->name, "synonyms"))
        curation_changed(v->service->curation);
}

enum status edit_save(const struct admin_visit *v, struct edit *e, const char *before, const char **key,
                      struct error *err)
{
    struct admin_who who = {.username = v->session.user.username, .address = v->address};
    struct admin_change change;
    enum status st = edit_change(v, e, before, key, &change, err);
    if (st == OK)
        st = sticker_store_change(v->service->store, &who, &change, 1, err);
    if (st == OK)
        edit_written(v, e->table);
    return st;
}
