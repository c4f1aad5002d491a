/* What other programs say of the pictures of a folder: JSON files, which differ in where their entries are and in what
 * members are called, but hardly in what they mean; so one reader takes them all:
 *
 * - Telegram Desktop's export, result.json: messages (also of chats.list) with file and sticker_emoji;
 * - Telegram's Bot API: stickers with file_unique_id, file_id and emoji; title;
 * - maunium/stickerpicker: stickers with id, body, url (mxc://) and net.maunium.telegram.sticker.emoticons; title;
 * - Matrix, MSC2545: images by shortcode; pack.display_name, pack.attribution;
 * - WhatsApp's sample apps, contents.json: sticker_packs with name, publisher and stickers (image_file, emojis);
 * - .wastickers and sticker-convert: title.txt, author.txt, and emoji.txt, an object of emoji by name;
 * - Slack: emoji, addresses by name, or "alias:name";
 * - Discord: emojis and stickers with id, name, description and tags;
 * - Mastodon, Pleroma, Misskey: an array or emojis with shortcode, or fileName and emoji.name; files by shortcode;
 * - HeliBoard's proposal: meta.json with a list of files;
 * - LINE, productInfo.meta: titles and authors by language, and numbers of stickers, whose files have names of LINE's
 * own.
 *
 * Which file an entry means is found by trying its names with those that the folder has. */
#include "import/import_parts.h"

#include "base/buf.h"
#include "base/os.h"
#include "base/utf8.h"
#include "import/picture.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <utf8proc.h>

#define LIST_MAX       (64u << 20) /* bytes of a list */
#define NOTE_MAX       4096u       /* of title.txt */
#define ABOUT_MAX      65536u      /* of pack.json */
#define MAX_NAMES      16u         /* of one entry, that are tried */
#define MAX_NESTING    4
#define WEBP_MAX       (2u << 20) /* bytes of a sticker that is looked into for its emoji */
#define WEBP_JSON      (64u << 10)
#define MAX_EMOJI      16u
#define MAUNIUM        "net.maunium.telegram.sticker"
#define LINE           "productInfo.meta"
#define SCRATCH        (8u << 20)
#define LINE_LANGUAGES 32u /* of a title of LINE */

struct lists {
    const char *folder, *name; /* the file that is read */
    struct import_list *list;
    struct import_table *table;
    struct dirent **entries; /* [n] pictures of the folder, by stem */
    int n;
    struct arena a; /* of one entry */
    size_t place;
};

bool import_list_is(const char *filename)
{
    static const char *const endings[] = {".json", NULL};
    return import_has_ending(filename, endings) || strcmp(filename, "title.txt") == 0 ||
           strcmp(filename, "author.txt") == 0 || strcmp(filename, "emoji.txt") == 0 || strcmp(filename, LINE) == 0;
}

/* --- emoji --- */

static bool may_be_emoji(uint32_t cp)
{
    return cp >= 0x1f000 || (cp >= 0x2600 && cp <= 0x27bf) || (cp >= 0x2b00 && cp <= 0x2bff) ||
           (cp >= 0x2190 && cp <= 0x23ff) || cp == 0x203c || cp == 0x2049 || cp == 0xa9 || cp == 0xae;
}

const char *import_emoji_in(const char *text, struct arena *a)
{
    struct buf out;
    size_t left = strlen(text), n = 0;
    utf8proc_int32_t state = 0;
    uint32_t before = 0;
    bool inside = false; /* a cluster that begins as an emoji does */
    buf_init(&out, IMPORT_MAX_TITLE);
    while (left && n <= MAX_EMOJI && utf8_valid(text, left)) {
        uint32_t cp;
        size_t len = utf8_decode(text, left, &cp);
        if (!before || utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)cp, &state)) {
            inside = may_be_emoji(cp);
            if (inside && n++ && n <= MAX_EMOJI)
                buf_putc(&out, ' ');
        }
        if (inside && n <= MAX_EMOJI && !(cp >= 0x1f3fb && cp <= 0x1f3ff))
            buf_append(&out, text, len);
        before = cp;
        text += len;
        left -= len;
    }
    const char *found = out.failed ? "" : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return found;
}

static bool has_letter(const char *s)
{
    for (size_t left = strlen(s), len; left; s += len, left -= len) {
        uint32_t cp;
        len = utf8_decode(s, left, &cp);
        utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)cp);
        if (kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO)
            return true;
    }
    return false;
}

/* --- which file --- */

static int filter_pictures(const struct dirent *e)
{
    return e->d_name[0] != '.' && import_is_picture(e->d_name);
}

static size_t stem_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot ? (size_t)(dot - name) : strlen(name);
}

static int compare_stems(const char *a, size_t a_len, const char *b, size_t b_len)
{
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int by_stem(const struct dirent **a, const struct dirent **b)
{
    const char *x = (*a)->d_name, *y = (*b)->d_name;
    int order = compare_stems(x, stem_of(x), y, stem_of(y));
    return order ? order : strcmp(x, y);
}

/* The picture of the folder with this name, or this name but for its ending; NULL. */
static const char *find_picture(const struct lists *l, const char *name)
{
    size_t len = import_is_picture(name) ? stem_of(name) : strlen(name);
    int low = 0, high = l->n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        const char *there = l->entries[middle]->d_name;
        if (compare_stems(there, stem_of(there), name, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == l->n || compare_stems(l->entries[low]->d_name, stem_of(l->entries[low]->d_name), name, len) != 0)
        return NULL;
    return l->entries[low]->d_name;
}

/* "stickers/sticker (3).webp" of an export, which lies below. */
static bool is_below(const struct lists *l, const char *name)
{
    char path[PATH_MAX];
    struct stat sb;
    return strchr(name, '/') && name[0] != '/' && !strstr(name, "..") && import_is_picture(name) &&
           snprintf(path, sizeof path, "%s/%s", l->folder, name) < (int)sizeof path && lstat(path, &sb) == 0 &&
           S_ISREG(sb.st_mode);
}

/* --- one entry --- */

struct entry {
    const char *names[MAX_NAMES]; /* what its file may be called */
    size_t n_names;
    struct buf emoji, words;
    const char *title, *author, *license, *said; /* said: its name, if it has no title */
    const char *pack;
};

/* "mxc://example.org/AbC" and "https://example.org/a/b.png?v=1" end in a name. */
static const char *last_part(const char *s, struct arena *a)
{
    if (!strstr(s, "://"))
        return s;
    const char *slash = strrchr(s, '/') + 1;
    return arena_strndup(a, slash, strcspn(slash, "?#"));
}

static void add_name(struct lists *l, struct entry *e, const json_t *value)
{
    char number[32];
    const char *s = json_string_value(value);
    if (json_is_integer(value)) {
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        s = arena_strdup(&l->a, number);
    }
    s = s ? last_part(s, &l->a) : NULL;
    if (s && *s && e->n_names < MAX_NAMES)
        e->names[e->n_names++] = s;
}

/* A string, or an array of them, as "a, b" or "a b". */
static void add_texts(const json_t *value, const char *between, struct buf *out)
{
    size_t n = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        if (s && *s)
            buf_printf(out, "%s%s", out->len ? between : "", s);
    }
}

static void first_text(const json_t *object, const char *const *members, const char **out)
{
    for (size_t i = 0; members[i] && !*out; i++) {
        const char *s = json_string_value(json_object_get(object, members[i]));
        *out = s && *s ? s : NULL;
    }
}

static void read_members(struct lists *l, const json_t *object, struct entry *e)
{
    static const char *const files[] = {"file", "filename",  "fileName", "file_name",      "image_file",
                                        "path", "image",     "url",      "file_unique_id", "file_id",
                                        "id",   "shortcode", "name"};
    static const char *const emoji[] = {"emoji", "emojis", "emoticons", "sticker_emoji"};
    static const char *const words[] = {"keywords", "aliases", "search_terms", "category"};
    static const char *const titles[] = {"title", "body", "description", NULL},
                             *const names[] = {"shortcode", "name", NULL},
                             *const authors[] = {"author", "artist", NULL}, *const licenses[] = {"license", NULL};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        add_name(l, e, json_object_get(object, files[i]));
    for (size_t i = 0; i < sizeof emoji / sizeof *emoji; i++)
        add_texts(json_object_get(object, emoji[i]), " ", &e->emoji);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        add_texts(json_object_get(object, words[i]), ", ", &e->words);
    add_texts(json_object_get(json_object_get(object, MAUNIUM), "emoticons"), " ", &e->emoji);
    add_name(l, e, json_object_get(json_object_get(object, MAUNIUM), "id"));
    const char *tags = json_string_value(json_object_get(object, "tags")); /* of Discord: an emoji or its name */
    add_texts(json_object_get(object, "tags"), ", ", tags && !has_letter(tags) ? &e->emoji : &e->words);
    first_text(object, titles, &e->title);
    first_text(object, names, &e->said);
    first_text(object, authors, &e->author);
    first_text(object, licenses, &e->license);
}

/* Its row, if its file is there and has none yet: an export names a sticker whenever it was sent. */
static enum status add_entry(struct lists *l, struct entry *e, struct error *err)
{
    const char *file = NULL, *values[TABLE_COLUMNS] = {NULL};
    for (size_t i = 0; i < e->n_names && !file; i++)
        file = is_below(l, e->names[i]) ? e->names[i] : find_picture(l, e->names[i]);
    for (size_t i = 0; file && i < l->table->n; i++)
        file = strcmp(l->table->items[i].cells[TABLE_FILENAME], file) == 0 ? NULL : file;
    if (!file)
        return OK;
    if (e->title && !has_letter(e->title)) { /* "😀" as a title says nothing more */
        buf_printf(&e->emoji, " %s", e->title);
        e->title = NULL;
    }
    if (!e->title && e->said && has_letter(e->said))
        e->title = picture_title(e->said, &l->a);
    values[TABLE_FILENAME] = file;
    values[TABLE_TITLE] = e->title;
    values[TABLE_WORDS] = buf_str(&e->words);
    values[TABLE_EMOJI] = buf_str(&e->emoji);
    values[TABLE_AUTHOR] = e->author;
    values[TABLE_LICENSE] = e->license;
    values[TABLE_PACK] = e->pack;
    return import_table_add(l->table, l->list, l->folder, values, ++l->place, err);
}

/* `key`: of an entry in an object, else NULL; a value that is a string names a file, or the emoji in emoji.txt. */
static enum status read_entry(struct lists *l, const char *key, const json_t *value, const char *pack,
                              struct error *err)
{
    struct entry e = {.said = key, .pack = pack};
    const json_t *inner = json_object_get(value, "emoji"); /* of Misskey */
    buf_init(&e.emoji, IMPORT_MAX_TITLE);
    buf_init(&e.words, IMPORT_MAX_WORDS);
    arena_reset(&l->a);
    if (json_is_string(value) && strcmp(l->name, "emoji.txt") == 0)
        add_texts(value, " ", &e.emoji);
    else if (json_is_string(value))
        add_name(l, &e, value);
    if (json_is_object(value))
        read_members(l, value, &e);
    if (json_is_object(inner))
        read_members(l, inner, &e);
    if (key && e.n_names < MAX_NAMES)
        e.names[e.n_names++] = key;
    enum status st = add_entry(l, &e, err);
    buf_free(&e.emoji);
    buf_free(&e.words);
    return st;
}

static enum status read_entries(struct lists *l, const json_t *entries, const char *pack, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < json_array_size(entries) && st == OK; i++)
        st = read_entry(l, NULL, json_array_get(entries, i), pack, err);
    if (json_is_object(entries))
        for (void *at = json_object_iter((json_t *)(uintptr_t)entries); at && st == OK;
             at = json_object_iter_next((json_t *)(uintptr_t)entries, at))
            st = read_entry(l, json_object_iter_key(at), json_object_iter_value(at), pack, err);
    return st;
}

/* --- one file --- */

static const char *keep_text(struct lists *l, const char *s)
{
    char *kept = arena_strndup(l->list->arena, s, strlen(s) < IMPORT_MAX_TITLE ? strlen(s) : 0);
    size_t len = kept ? strlen(kept) : 0;
    const char *start = kept ? kept : "";
    utf8_trim(&start, &len);
    if (!kept || !utf8_valid(start, len) || utf8_has_control(start, len))
        return "";
    kept[start - kept + (ptrdiff_t)len] = '\0';
    return start;
}

/* The picture of the folder that a list calls its cover; "" where it is none of these. */
static const char *keep_cover(struct lists *l, const char *said)
{
    const char *name = said ? last_part(said, &l->a) : NULL, *there = name ? find_picture(l, name) : NULL;
    const char *kept = there ? arena_strdup(l->list->arena, there) : NULL;
    return kept ? kept : "";
}

/* What an object says of the whole pack, and the lists that are in it. */
static enum status read_object(struct lists *l, const json_t *root, int nesting, struct error *err)
{
    static const char *const lists[] = {"stickers", "emojis", "emoji", "images", "files", "messages", "custom_emojis"};
    static const char *const titles[] = {"title", "display_name", "name", NULL},
                             *const authors[] = {"author", "publisher", "artist", "attribution", NULL},
                             *const licenses[] = {"license", NULL};
    static const char *const covers[] = {"cover", "avatar_url", "tray_image_file", NULL};
    const json_t *parts[] = {root, json_object_get(root, "pack")};
    const char *said[4] = {NULL, NULL, NULL, NULL};
    enum status st = OK;
    for (size_t i = 0; i < 2; i++) {
        first_text(parts[i], titles, &said[0]);
        first_text(parts[i], authors, &said[1]);
        first_text(parts[i], licenses, &said[2]);
        first_text(parts[i], covers, &said[3]);
    }
    if (nesting == 0 && json_object_get(root, "messages")) /* the name of a chat */
        said[0] = NULL;
    const char *pack = said[0] ? keep_text(l, said[0]) : "";
    size_t before = l->table->n;
    for (size_t i = 0; i < sizeof lists / sizeof *lists && st == OK; i++)
        st = read_entries(l, json_object_get(root, lists[i]), pack, err);
    struct pack_about about = {
        .name = pack, .author = said[1] ? keep_text(l, said[1]) : "", .license = said[2] ? keep_text(l, said[2]) : ""};
    if (st == OK && l->table->n > before)
        st = import_list_pack(l->list, &about, err);
    if (l->table->n > before && !*l->table->pack) { /* also for pictures that the list does not name */
        l->table->pack = pack;
        l->table->author = about.author;
        l->table->license = about.license;
        l->table->cover = keep_cover(l, said[3]);
    }
    const json_t *deeper[] = {json_object_get(root, "sticker_packs"),
                              json_object_get(json_object_get(root, "chats"), "list")};
    for (size_t k = 0; k < 2 && nesting < MAX_NESTING; k++)
        for (size_t i = 0; i < json_array_size(deeper[k]) && st == OK; i++)
            st = read_object(l, json_array_get(deeper[k], i), nesting + 1, err);
    return st;
}

/* --- LINE --- */

/* Of {"en":"Moon","zh_TW":"..."}: English, else the first there is; "" without any. */
static const char *line_text(struct lists *l, const json_t *texts)
{
    void *first = json_object_iter((json_t *)(uintptr_t)texts);
    const char *text = json_string_value(json_object_get(texts, "en"));
    text = text ? text : json_string_value(json_object_iter_value(first));
    return text ? keep_text(l, text) : "";
}

/* "zh_TW" -> "zh-TW"; false if it is no language. */
static bool line_language(const char *key, char out[LANGUAGE_MAX_TAG + 1])
{
    if (strlen(key) > LANGUAGE_MAX_TAG)
        return false;
    snprintf(out, LANGUAGE_MAX_TAG + 1, "%s", key);
    for (char *c = out; *c; c++)
        *c = *c == '_' ? '-' : *c;
    return language_valid(out);
}

/* The file of a sticker, which moves if it can; NULL: there is none. */
static const char *line_file(struct lists *l, json_int_t id)
{
    static const char *const places[][2] = {{"animation@2x/", "@2x.png"},
                                            {"animation/", "@2x.png"},
                                            {"animation/", ".png"},
                                            {"popup/", "@2x.png"},
                                            {"popup/", ".png"},
                                            {"", "@2x.png"},
                                            {"", ".png"}};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *name = arena_printf(&l->a, "%s%lld%s", places[i][0], (long long)id, places[i][1]);
        if (name && (is_below(l, name) || find_picture(l, name)))
            return name;
    }
    return NULL;
}

/* A row for each language that the pack has a title in, "Moon 3"; English first, as the first is the sticker's own. */
static enum status line_sticker(struct lists *l, const json_t *titles, const char *file, size_t number,
                                struct error *err)
{
    const char *english = json_string_value(json_object_get(titles, "en")), *key;
    char language[LANGUAGE_MAX_TAG + 1];
    size_t n = 0;
    enum status st = OK;
    for (int others = english ? 0 : 1; others < 2; others++)
        for (void *at = json_object_iter((json_t *)(uintptr_t)titles); at && st == OK && n < LINE_LANGUAGES;
             at = json_object_iter_next((json_t *)(uintptr_t)titles, at)) {
            const char *title = json_string_value(json_object_iter_value(at)), *values[TABLE_COLUMNS] = {NULL};
            key = json_object_iter_key(at);
            if (!title || strlen(title) > IMPORT_MAX_TITLE / 2 || !line_language(key, language) ||
                (strcmp(key, "en") != 0) != others)
                continue;
            values[TABLE_FILENAME] = file;
            values[TABLE_TITLE] = arena_printf(&l->a, "%s %zu", title, number);
            values[TABLE_LANGUAGE] = language;
            n++;
            st = import_table_add(l->table, l->list, l->folder, values, ++l->place, err);
        }
    return st;
}

static enum status read_line(struct lists *l, const json_t *root, struct error *err)
{
    const json_t *titles = json_object_get(root, "title"), *stickers = json_object_get(root, "stickers");
    const char *pack = line_text(l, titles);
    enum status st = OK;
    if (!*pack || !json_is_array(stickers))
        return OK;
    l->table->pack = pack;
    l->table->author = line_text(l, json_object_get(root, "author"));
    l->table->complete = true;
    for (size_t i = 0; i < json_array_size(stickers) && st == OK; i++) {
        arena_reset(&l->a);
        const char *file = line_file(l, json_integer_value(json_object_get(json_array_get(stickers, i), "id")));
        st = file ? line_sticker(l, titles, file, i + 1, err) : OK;
    }
    return st;
}

static enum status read_list(struct lists *l, const struct buf *file, struct error *err)
{
    json_t *root = json_loadb(buf_str(file), file->len, 0, NULL); /* no JSON: not one of these lists */
    enum status st = OK;
    if (strcmp(l->name, LINE) == 0)
        st = read_line(l, root, err);
    else if (json_is_array(root) || strcmp(l->name, "emoji.txt") == 0)
        st = read_entries(l, root, NULL, err);
    else if (json_is_object(root))
        st = read_object(l, root, 0, err);
    json_decref(root);
    return st;
}

static enum status read_file(struct lists *l, const char *name, struct error *err)
{
    char path[PATH_MAX];
    struct stat sb;
    struct buf file;
    bool title = strcmp(name, "title.txt") == 0, author = strcmp(name, "author.txt") == 0;
    if (snprintf(path, sizeof path, "%s/%s", l->folder, name) >= (int)sizeof path || lstat(path, &sb) != 0 ||
        !S_ISREG(sb.st_mode) || sb.st_size > (off_t)(title || author ? NOTE_MAX : LIST_MAX))
        return OK;
    buf_init(&file, LIST_MAX);
    l->name = l->table->name = name; /* for failures of rows */
    enum status st = os_read_file(path, &file, err);
    if (st == OK && !title && !author)
        st = read_list(l, &file, err);
    else if (st == OK && title && *buf_str(&file))
        l->table->pack = keep_text(l, buf_str(&file));
    else if (st == OK && author)
        l->table->author = keep_text(l, buf_str(&file));
    if (st == OK && title && *l->table->pack)
        l->table->png_is_icon = true;
    buf_free(&file);
    return st;
}

static int filter_lists(const struct dirent *e)
{
    return e->d_name[0] != '.' && import_list_is(e->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void free_entries(struct dirent **entries, int n)
{
    for (int i = 0; i < n; i++)
        free(entries[i]);
    free(entries);
}

/* The icon of a WhatsApp pack is a PNG, its stickers are WebP; elsewhere stickers may be PNG. */
static bool has_webp(const struct lists *l)
{
    int i = 0;
    while (i < l->n && strcasecmp(l->entries[i]->d_name + stem_of(l->entries[i]->d_name), ".webp") != 0)
        i++;
    return i < l->n;
}

enum status import_lists_read(const char *folder, struct import_list *list, struct import_table *out, struct error *err)
{
    struct lists l = {.folder = folder, .list = list, .table = out};
    struct dirent **files = NULL;
    enum status st = OK;
    int n = scandir(folder, &files, filter_lists, by_name);
    if (n <= 0) {
        free(files);
        return OK;
    }
    arena_init(&l.a, SCRATCH);
    l.n = scandir(folder, &l.entries, filter_pictures, by_stem);
    l.n = l.n > 0 ? l.n : 0;
    for (int i = 0; i < n && st == OK; i++)
        st = read_file(&l, files[i]->d_name, err);
    if (st == OK)
        st = import_list_pack(list, &(struct pack_about){.name = out->pack, .author = out->author}, err);
    out->foreign = out->n || *out->pack || *out->author;
    out->png_is_icon = out->png_is_icon && has_webp(&l);
    out->name = out->foreign ? arena_strdup(list->arena, l.name) : "";
    free_entries(files, n);
    free_entries(l.entries, l.n);
    arena_free(&l.a);
    return st == OK && !out->name ? err_no_memory(err, "a list") : st;
}

enum status import_about_read(const char *folder, struct import_list *list, struct import_table *out, struct error *err)
{
    struct lists l = {.folder = folder, .name = IMPORT_ABOUT, .list = list, .table = out};
    char path[PATH_MAX];
    struct buf file;
    struct stat sb;
    if (snprintf(path, sizeof path, "%s/" IMPORT_ABOUT, folder) >= (int)sizeof path || lstat(path, &sb) != 0 ||
        !S_ISREG(sb.st_mode) || sb.st_size > (off_t)ABOUT_MAX)
        return OK;
    buf_init(&file, ABOUT_MAX);
    enum status st = os_read_file(path, &file, err);
    json_t *root = st == OK ? json_loadb(buf_str(&file), file.len, 0, NULL) : NULL;
    static const char *const members[] = {"name", "title", "author", "license", "source", "cover"};
    const char *said[sizeof members / sizeof *members];
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const char *text = json_string_value(json_object_get(root, members[i]));
        said[i] = text ? keep_text(&l, text) : "";
    }
    out->about = *said[0];
    if (st == OK)
        st = import_list_pack(list, &(struct pack_about){said[0], said[1], said[2], said[3], said[4], said[5]}, err);
    json_decref(root);
    buf_free(&file);
    return st;
}

/* --- WebP files of WhatsApp: JSON behind a few bytes of TIFF, in the chunk "EXIF" of the RIFF file --- */

static uint32_t little(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const char *emoji_of_exif(const char *exif, size_t len, struct arena *a)
{
    const char *brace = memchr(exif, '{', len), *found = "";
    json_t *root = brace && len <= WEBP_JSON
                       ? json_loadb(brace, len - (size_t)(brace - exif), JSON_DISABLE_EOF_CHECK, NULL)
                       : NULL;
    struct buf out;
    buf_init(&out, IMPORT_MAX_TITLE);
    add_texts(json_object_get(root, "emojis"), " ", &out);
    if (!out.failed)
        found = import_emoji_in(buf_str(&out), a);
    buf_free(&out);
    json_decref(root);
    return found;
}

const char *import_webp_emoji(const char *path, struct arena *a)
{
    struct buf file;
    struct stat sb;
    const char *found = "";
    if (lstat(path, &sb) != 0 || !S_ISREG(sb.st_mode) || sb.st_size > (off_t)WEBP_MAX)
        return "";
    buf_init(&file, WEBP_MAX);
    if (os_read_file(path, &file, NULL) == OK && file.len > 12 && memcmp(file.data, "RIFF", 4) == 0)
        for (size_t at = 12; at + 8 <= file.len && !*found;) {
            const char *chunk = buf_str(&file) + at;
            size_t size = little((const unsigned char *)chunk + 4);
            if (size > file.len - at - 8)
                break;
            if (memcmp(chunk, "EXIF", 4) == 0)
                found = emoji_of_exif(chunk + 8, size, a);
            if (!found)
                break;
            at += 8 + size + (size & 1);
        }
    buf_free(&file);
    return found;
}
