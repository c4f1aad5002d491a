#include "import/sticker_merge.h"

#include "base/json_out.h"
#include "import/sticker_row.h"

#include <string.h>

/* {"into":"cat.png"}, for the history. NULL: no memory. */
static const char *merged_into(const char *kept, struct arena *a)
{
    struct buf out;
    buf_init(&out, 4096);
    buf_puts(&out, "{\"into\":");
    json_put_string(&out, kept);
    buf_putc(&out, '}');
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

/* Gives *kept the words of the others, and fills changes[n], which delete these. */
static enum status take_words(struct sticker_store *store, const char *const *names, size_t n, struct arena *a,
                              struct sticker *kept, bool *changed, struct admin_change *changes, struct error *err)
{
    enum status st = OK;
    *changed = false;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct sticker *other = arena_array(a, 1, sizeof *other);
        bool more = false;
        if (strcmp(names[i], kept->filename) == 0)
            return err_set(err, ERR_INVALID, "\"%s\" cannot be merged into itself", names[i]);
        for (size_t k = 0; k < i; k++)
            if (strcmp(names[i], names[k]) == 0)
                return err_set(err, ERR_INVALID, "\"%s\" is named twice", names[i]);
        st = other ? sticker_store_get(store, names[i], a, other, err) : err_no_memory(err, "a sticker");
        if (st == OK)
            st = sticker_merge_words(other, a, kept, &more, err);
        if (st == OK)
            st = sticker_delete_change(other, other->modified_us, a, &changes[i], err);
        if (st == OK && !(changes[i].after = merged_into(kept->filename, a)))
            st = err_no_memory(err, "the history");
        *changed = *changed || more;
    }
    return st;
}

enum status sticker_merge(struct sticker_store *store, const struct admin_who *who, const char *const *names, size_t n,
                          struct arena *a, struct error *err)
{
    struct admin_change changes[STICKER_MERGE_MAX];
    struct sticker kept;
    bool changed = false;
    if (n < 2 || n > STICKER_MERGE_MAX)
        return err_set(err, ERR_INVALID, "2 to %u stickers can be merged at a time", STICKER_MERGE_MAX);
    enum status st = sticker_store_get(store, names[0], a, &kept, err);
    const char *before = st == OK ? sticker_state(&kept, a) : NULL;
    if (st == OK && !before)
        st = err_no_memory(err, "a sticker");
    if (st == OK)
        st = take_words(store, names + 1, n - 1, a, &kept, &changed, changes, err);
    if (st == OK && changed)
        st = sticker_row_change(&kept, false, before, kept.modified_us, a, &changes[n - 1], err);
    return st == OK ? sticker_store_change(store, who, changes, n - 1 + changed, err) : st;
}
