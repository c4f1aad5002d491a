/* Walking folders, in the order of names, and joining what their tables say to the pictures. */
#include "base/os.h"
#include "import/import_parts.h"
#include "import/picture.h"
#include "text/text.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define MAX_DEPTH    32
#define PACK_IN_NAME 80u /* bytes */
#define PLACES       (-STICKER_PLACE_FIRST - 1)

void import_list_init(struct import_list *l, struct arena *arena)
{
    *l = (struct import_list){.arena = arena};
}

void import_list_free(struct import_list *l)
{
    own_folder_close(l->unpacked);
    free(l->items);
    free(l->packs);
    free(l->failures);
    free(l->duplicates);
    *l = (struct import_list){0};
}

enum status import_list_add(struct import_list *l, const struct import_item *item, struct error *err)
{
    if (l->n == IMPORT_MAX_ITEMS)
        return err_set(err, ERR_TOO_LARGE, "more than %u pictures: import them in parts", IMPORT_MAX_ITEMS);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct import_item *items = realloc(l->items, cap * sizeof *items);
        if (!items)
            return err_no_memory(err, "%zu pictures", cap);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = *item;
    return OK;
}

/* "a.png" of "/tmp/x/a.png" in "/tmp/x". */
static const char *without_folder(const char *path, const char *folder)
{
    size_t len = folder ? strlen(folder) : 0;
    return len && strncmp(path, folder, len) == 0 && path[len] == '/' ? path + len + 1 : path;
}

const char *import_shown_name(const struct import_list *l, const char *name)
{
    return without_folder(without_folder(name, l->unpacked ? l->unpacked->path : NULL), l->hidden);
}

void import_list_fail(struct import_list *l, const char *name, const char *reason)
{
    char *n = arena_strdup(l->arena, import_shown_name(l, name)), *r = arena_strdup(l->arena, reason);
    l->failed++;
    if (l->n_failures == l->cap_failures) {
        size_t cap = l->cap_failures ? 2 * l->cap_failures : 64;
        struct import_failure *failures = realloc(l->failures, cap * sizeof *failures);
        if (!failures)
            return;
        l->failures = failures;
        l->cap_failures = cap;
    }
    if (n && r)
        l->failures[l->n_failures++] = (struct import_failure){n, r};
}

enum status import_list_pack(struct import_list *l, const struct pack_about *about, struct error *err)
{
    size_t i = 0;
    if (!*about->name)
        return OK;
    while (i < l->n_packs && strcmp(l->packs[i].name, about->name) != 0)
        i++;
    if (i == l->n_packs) {
        struct pack_about *packs = realloc(l->packs, (i + 1) * sizeof *packs);
        if (!packs)
            return err_no_memory(err, "%zu packs", i);
        l->packs = packs;
        l->packs[l->n_packs++] = (struct pack_about){about->name, "", "", "", "", ""};
    }
    const char **to[] = {&l->packs[i].title, &l->packs[i].author, &l->packs[i].license, &l->packs[i].source,
                         &l->packs[i].cover},
               *from[] = {about->title, about->author, about->license, about->source, about->cover};
    for (size_t k = 0; k < sizeof to / sizeof *to; k++)
        if (!**to[k] && from[k])
            *to[k] = from[k];
    if (strcmp(l->packs[i].title, about->name) == 0)
        l->packs[i].title = "";
    return OK;
}

/* --- files and folders --- */

struct walk {
    struct import_list *list;
    bool (*stopped)(void *ctx);
    void *ctx;
    bool in_archive;
    size_t root; /* bytes of the path that was given, and of the slash behind it */
};

/* A folder on the way down. Its table also names what is in the folders below: "sub/b.png". */
struct folder {
    const struct folder *parent;
    size_t len; /* bytes of its path, and of the slash behind it */
    struct import_table table;
};

bool import_has_ending(const char *name, const char *const *endings)
{
    size_t len = strlen(name), n;
    for (; *endings; endings++)
        if (len > (n = strlen(*endings)) && strcasecmp(name + len - n, *endings) == 0)
            return true;
    return false;
}

bool import_is_picture(const char *name)
{
    enum image_kind kind = picture_kind_said(name);
    return kind && kind != IMAGE_LOTTIE; /* .json, which may be anything */
}

/* Whether a file NAME.json is a drawing, and not a list or what else JSON is for. */
static bool is_lottie(const char *path, const char *name, int64_t bytes)
{
    struct buf json;
    if (picture_kind_said(name) != IMAGE_LOTTIE || picture_check_bytes(bytes, NULL) != OK)
        return false;
    buf_init(&json, IMAGE_MAX_BYTES);
    bool is = os_read_file(path, &json, NULL) == OK && image_sniff(buf_str(&json), json.len) == IMAGE_LOTTIE;
    buf_free(&json);
    return is;
}

static void ignore(struct import_list *l, const char *name)
{
    if (l->ignored < IMPORT_IGNORED_NAMED)
        l->ignored_names[l->ignored] = arena_strdup(l->arena, name);
    l->ignored++;
}

static enum status too_much(struct error *err)
{
    return err_set(err, ERR_TOO_LARGE, "too many names and words to hold: import in parts");
}

/* Leaves out lists that say no more than the sticker's title does. */
static void keep_lists(struct sticker *sticker, struct sticker_words *words)
{
    size_t kept = 0;
    for (size_t i = 0; i < sticker->n_words; i++) {
        if (strcmp(words[i].title, sticker->title) == 0 && language_number(words[i].language) == LANGUAGE_en)
            words[i].title = "";
        if (*words[i].words || *words[i].title)
            words[kept++] = words[i];
    }
    sticker->n_words = kept;
}

/* The cells of a picture's first row, and where they are empty those of the next ones. */
static void merge_cells(const struct table_row *rows, size_t n, const char *cells[TABLE_COLUMNS])
{
    for (size_t k = 0; k < TABLE_COLUMNS; k++)
        cells[k] = "";
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < TABLE_COLUMNS; k++)
            cells[k] = *cells[k] ? cells[k] : rows[i].cells[k];
}

/* The picture's rows, *n of them, in the table nearest to it: those of tables further up become failures. *bad: one of
 * them is a failure already, and the picture is left out. */
static enum status find_rows(struct walk *w, const char *path, const struct folder *folder, struct table_row **rows,
                             size_t *n, bool *bad, struct error *err)
{
    *rows = NULL;
    *n = 0;
    *bad = false;
    for (const struct folder *f = folder; f; f = f->parent) {
        size_t found = 0;
        const char *name = f->table.n ? text_composed(path + f->len, w->list->arena) : "";
        if (!name)
            return too_much(err);
        struct table_row *row = import_table_rows(&f->table, name, &found);
        for (size_t i = 0; i < found; i++) {
            row[i].used = true;
            *bad = *bad || (!*n && row[i].bad);
            if (*n && !row[i].bad)
                import_list_fail(w->list, name, "the table of its own folder has it too, and was used instead");
        }
        if (found && !*n) {
            *rows = row;
            *n = found;
        }
    }
    return OK;
}

/* "happy.png", or with folder_names "cats-happy.png" for cats/happy.png. Packs of other programs number their files:
 * "Cats-01.webp". Names of files begin with no dot, those of packs may. NULL: no memory. */
static const char *name_sticker(const struct walk *w, const char *path, const char *pack)
{
    const char *slash = strrchr(path, '/'), *file = w->list->folder_names ? path + w->root : slash ? slash + 1 : path;
    pack += strspn(pack, "./\\ ");
    size_t len = strlen(pack) < PACK_IN_NAME ? strlen(pack) : PACK_IN_NAME;
    while (len && (pack[len] & 0xc0) == 0x80) /* not within a character */
        len--;
    char *name = arena_printf(w->list->arena, "%.*s%s%s", (int)len, pack, len ? "-" : "", file);
    for (char *p = name; p && *p; p++)
        *p = *p == '/' || *p == '\\' ? '-' : *p;
    return name ? text_composed(name, w->list->arena) : NULL;
}

/* What lists of other programs (table; or NULL) say of all pictures of the folder, where they say nothing of this one.
 * Returns its emoji: those of its row, else those in its bytes, else, unless a table of ours has it, those in its name.
 * NULL: no memory. */
static const char *add_defaults(const struct import_table *table, const char *path, bool has_row, struct arena *a,
                                const char *cells[TABLE_COLUMNS])
{
    const char *slash = strrchr(path, '/'), *emoji = import_emoji_in(cells[TABLE_EMOJI], a);
    if (table) {
        cells[TABLE_PACK] = *cells[TABLE_PACK] ? cells[TABLE_PACK] : table->pack;
        cells[TABLE_AUTHOR] = *cells[TABLE_AUTHOR] ? cells[TABLE_AUTHOR] : table->author;
        cells[TABLE_LICENSE] = *cells[TABLE_LICENSE] ? cells[TABLE_LICENSE] : table->license;
    }
    if (emoji && !*emoji && table)
        emoji = import_webp_emoji(path, a);
    bool named = emoji && !*emoji && (table || !has_row);
    return named ? import_emoji_in(slash ? slash + 1 : path, a) : emoji;
}

/* The list of another program that the picture is of: of its folder, or of one above that names all stickers below. */
static const struct import_table *foreign_table(const struct folder *folder)
{
    const struct folder *f = folder;
    if (f && f->table.foreign)
        return &f->table;
    while (f && !f->table.complete)
        f = f->parent;
    return f ? &f->table : NULL;
}

static enum status add_file(struct walk *w, const char *path, const struct stat *sb, bool follow,
                            const struct folder *folder, struct error *err)
{
    struct arena *arena = w->list->arena;
    const struct import_table *table = foreign_table(folder);
    const char *filename = name_sticker(w, path, table ? table->pack : ""), *cells[TABLE_COLUMNS];
    struct table_row *rows;
    size_t n;
    bool bad;
    enum status st = find_rows(w, path, folder, &rows, &n, &bad, err);
    if (st != OK || bad || (table && table->complete && !n))
        return st;
    struct sticker_words *words = n ? arena_array(arena, n, sizeof *words) : NULL;
    merge_cells(rows, n, cells);
    const char *emoji = add_defaults(table, path, n > 0, arena, cells);
    struct import_item item = {.path = arena_strdup(arena, path),
                               .filename = filename,
                               .len = (size_t)sb->st_size,
                               .sticker = {.title = cells[TABLE_TITLE],
                                           .pack = cells[TABLE_PACK],
                                           .author = cells[TABLE_AUTHOR],
                                           .license = cells[TABLE_LICENSE],
                                           .source = cells[TABLE_SOURCE],
                                           .animated = strcasecmp(cells[TABLE_ANIMATED], "true") == 0,
                                           .words = words,
                                           .n_words = n},
                               .title_said = n && *rows[0].cells[TABLE_TITLE],
                               .rating_said = *cells[TABLE_RATING],
                               .animated_said = *cells[TABLE_ANIMATED],
                               .emoji = emoji && *emoji ? emoji : NULL,
                               .follow = follow};
    (void)import_table_rating(cells[TABLE_RATING], &item.sticker.rating); /* it was checked with its row */
    if (n) /* the order of the list is that of the pack */
        item.sticker.place = STICKER_PLACE_FIRST + (int32_t)(rows[0].place < PLACES ? rows[0].place : PLACES);
    if (!item.path || !filename || !emoji || (n && !words))
        return too_much(err);
    for (size_t i = 0; i < n; i++)
        words[i] = rows[i].words;
    keep_lists(&item.sticker, words);
    if (!*item.sticker.title)
        item.sticker.title = picture_title(filename, arena);
    if (!item.sticker.title)
        return too_much(err);
    if (table && *table->cover && strcmp(path + folder->len, table->cover) == 0)
        st = import_list_pack(w->list, &(struct pack_about){.name = item.sticker.pack, .cover = filename}, err);
    return st == OK ? import_list_add(w->list, &item, err) : st;
}

static enum status walk_folder(struct walk *w, const char *path, int depth, const struct folder *parent,
                               struct error *err);

/* Like a folder that was given by itself. */
static enum status walk_archive(struct walk *w, const char *path, struct error *err)
{
    char folder[PATH_MAX];
    struct walk inside = *w;
    struct error bad;
    if (w->stopped && w->stopped(w->ctx))
        return err_set(err, ERR_CANCELLED, "stopped");
    if (import_unpack(w->list, path, folder, &bad) != OK) { /* half of a pack is none */
        import_list_fail(w->list, path, bad.message);
        return OK;
    }
    inside.in_archive = true;
    inside.root = strlen(folder) + 1;
    return walk_folder(&inside, folder, 0, NULL, err);
}

/* One entry of a folder. What is wrong with it becomes a failure; errors are about the whole run. */
static enum status walk_entry(struct walk *w, const char *path, const char *name, int depth,
                              const struct folder *folder, struct error *err)
{
    char entry[PATH_MAX];
    struct stat sb;
    if (name[0] == '.' || import_table_is(name))
        return OK;
    if (snprintf(entry, sizeof entry, "%s/%s", path, name) >= (int)sizeof entry) {
        import_list_fail(w->list, name, "its path is too long");
        return OK;
    }
    if (lstat(entry, &sb) != 0) {
        import_list_fail(w->list, entry, strerror(errno));
        return OK;
    }
    if (S_ISDIR(sb.st_mode))
        return walk_folder(w, entry, depth + 1, folder, err);
    bool icon = folder->table.png_is_icon && picture_kind_said(name) == IMAGE_PNG;
    if (S_ISREG(sb.st_mode) && (import_is_picture(name) || is_lottie(entry, name, sb.st_size)) && !icon)
        return add_file(w, entry, &sb, false, folder, err);
    if (S_ISREG(sb.st_mode) && import_is_archive(name) && !w->in_archive)
        return walk_archive(w, entry, err);
    bool about = folder->table.about && strcmp(name, IMPORT_ABOUT) == 0;
    if (!about && (!folder->table.foreign || !import_list_is(name))) /* a list was read already */
        ignore(w->list, entry + w->root);
    return OK;
}

/* Whatever the locale, so that runs are alike everywhere. */
static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void report_unused(struct walk *w, const struct import_table *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct table_row *r = &t->items[i];
        if (r->used || r->bad)
            continue;
        const char *reason = arena_printf(w->list->arena, "%s: %s: not found in this folder or below", t->name,
                                          import_table_place(t, r, w->list->arena));
        import_list_fail(w->list, r->cells[TABLE_FILENAME], reason ? reason : "not found");
    }
}

/* Like a folder that was given by itself. */
static enum status walk_signal(struct walk *w, const char *path, struct error *err)
{
    char folder[PATH_MAX];
    struct walk inside = *w;
    struct error bad;
    if (import_signal_decrypt(w->list, path, folder, &bad) != OK) {
        import_list_fail(w->list, path, bad.message);
        return OK;
    }
    inside.root = strlen(folder) + 1;
    return walk_folder(&inside, folder, 0, NULL, err);
}

static enum status walk_folder(struct walk *w, const char *path, int depth, const struct folder *parent,
                               struct error *err)
{
    struct dirent **entries = NULL;
    struct folder here = {.parent = parent, .len = strlen(path) + 1};
    struct error bad;
    if (w->stopped && w->stopped(w->ctx))
        return err_set(err, ERR_CANCELLED, "stopped");
    if (depth > MAX_DEPTH) {
        import_list_fail(w->list, path, "folders are nested too deeply");
        return OK;
    }
    if (import_signal_is(path))
        return walk_signal(w, path, err);
    enum status st = import_table_read(path, w->list, &here.table, &bad);
    if (st != OK) { /* pictures without their words would be of little use */
        import_list_fail(w->list, path, bad.message);
        return OK;
    }
    int n = scandir(path, &entries, NULL, by_bytes);
    if (n < 0)
        import_list_fail(w->list, path, strerror(errno));
    for (int i = 0; i < n; i++) {
        if (st == OK)
            st = walk_entry(w, path, entries[i]->d_name, depth, &here, err);
        free(entries[i]);
    }
    free(entries);
    if (st == OK)
        report_unused(w, &here.table);
    import_table_free(&here.table);
    return st;
}

enum status import_find(const char *path, bool (*stopped)(void *ctx), void *ctx, struct import_list *out,
                        struct error *err)
{
    struct walk w = {.list = out, .stopped = stopped, .ctx = ctx};
    struct stat sb;
    char clean[PATH_MAX];
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    int why = 0;
    if (snprintf(clean, sizeof clean, "%.*s", (int)len, path) >= (int)sizeof clean)
        why = ENAMETOOLONG;
    else if (stat(clean, &sb) != 0)
        why = errno;
    if (why) {
        import_list_fail(out, path, strerror(why));
        return OK;
    }
    if (S_ISDIR(sb.st_mode)) {
        w.root = len + 1;
        return walk_folder(&w, clean, 0, NULL, err);
    }
    if (!S_ISREG(sb.st_mode)) {
        import_list_fail(out, clean, "neither a file nor a folder");
        return OK;
    }
    if (import_is_archive(clean))
        return walk_archive(&w, clean, err);
    const char *slash = strrchr(clean, '/');
    w.root = slash ? (size_t)(slash + 1 - clean) : 0;
    return add_file(&w, clean, &sb, true, NULL, err);
}
