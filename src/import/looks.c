/* Finding one is a walk over the keys of all, eight bytes each. For groups, stickers are sorted into a grid by three of
 * these bytes: two that are alike are in the same cell of it, or in neighbours. */
#include "import/looks.h"

#include <stdlib.h>
#include <string.h>

#define PAGE       500u
#define PAGE_ARENA (8u << 20)
#define NAMES_MAX  (1024u << 20) /* bytes */
#define BIN        (IMAGE_LOOK_KEY_DIFFERS + 1)
#define BINS       (255 / BIN + 1) /* to a dimension */
#define CELLS      (BINS * BINS * BINS)

struct looks {
    uint8_t (*keys)[IMAGE_LOOK_KEY]; /* [n] */
    struct looks_one *items;         /* [n] */
    size_t n, cap;
    struct arena names;
};

void looks_free(struct looks *l)
{
    if (!l)
        return;
    arena_free(&l->names);
    free(l->keys);
    free(l->items);
    free(l);
}

size_t looks_count(const struct looks *l)
{
    return l->n;
}

static enum status looks_grow(struct looks *l, struct error *err)
{
    size_t cap = l->cap ? 2 * l->cap : 1024;
    void *keys = realloc(l->keys, cap * sizeof *l->keys);
    if (keys)
        l->keys = keys;
    void *items = realloc(l->items, cap * sizeof *l->items);
    if (items)
        l->items = items;
    if (!keys || !items)
        return err_no_memory(err, "the looks of %zu stickers", cap);
    l->cap = cap;
    return OK;
}

enum status looks_add(struct looks *l, const struct looks_one *one, struct error *err)
{
    enum status st = l->n == l->cap ? looks_grow(l, err) : OK;
    if (st != OK)
        return st;
    l->items[l->n] = *one;
    if (!(l->items[l->n].filename = arena_strdup(&l->names, one->filename)))
        return err_no_memory(err, "the names of %zu stickers", l->n);
    image_look_key(&one->look, l->keys[l->n++]);
    return OK;
}

static enum status add_page(struct looks *l, const struct look_row *rows, size_t n, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < n && st == OK; i++) {
        struct looks_one one = {
            .filename = rows[i].filename, .animated = rows[i].animated, .duration_ms = rows[i].duration_ms};
        memcpy(&one.look, rows[i].look, sizeof one.look);
        st = looks_add(l, &one, err);
    }
    return st;
}

enum status looks_load(struct sticker_store *store, struct looks **out, struct error *err)
{
    struct looks *l = calloc(1, sizeof *l);
    struct look_row *rows;
    struct arena a;
    int64_t after = 0;
    size_t n = 1;
    enum status st = OK;
    *out = NULL;
    if (!l)
        return err_no_memory(err, "the looks of stickers");
    arena_init(&l->names, NAMES_MAX);
    arena_init(&a, PAGE_ARENA);
    while (st == OK && n) {
        arena_reset(&a);
        st = sticker_store_looks(store, sizeof(struct image_look), &after, PAGE, &a, &rows, &n, err);
        if (st == OK)
            st = add_page(l, rows, n, err);
    }
    arena_free(&a);
    if (st == OK)
        *out = l;
    else
        looks_free(l);
    return st;
}

/* --- likeness --- */

/* From the middle of the image on, where most pairs differ already. */
static bool keys_near(const uint8_t a[IMAGE_LOOK_KEY], const uint8_t b[IMAGE_LOOK_KEY])
{
    static const uint8_t order[IMAGE_LOOK_KEY] = {1, 6, 5, 2, 3, 4, 0, 7};
    for (size_t i = 0; i < IMAGE_LOOK_KEY; i++)
        if (abs(a[order[i]] - b[order[i]]) > IMAGE_LOOK_KEY_DIFFERS)
            return false;
    return true;
}

static bool alike(const struct looks_one *a, const struct looks_one *b)
{
    int64_t longer = a->duration_ms > b->duration_ms ? a->duration_ms : b->duration_ms;
    if (a->animated != b->animated || (a->animated && llabs(a->duration_ms - b->duration_ms) * 10 > longer))
        return false;
    return image_looks_alike(&a->look, &b->look);
}

const char *looks_find(const struct looks *l, const struct looks_one *one, size_t *place)
{
    uint8_t key[IMAGE_LOOK_KEY];
    image_look_key(&one->look, key);
    for (size_t i = 0; i < l->n; i++)
        if (keys_near(key, l->keys[i]) && alike(one, &l->items[i])) {
            *place = i;
            return l->items[i].filename;
        }
    return NULL;
}

/* --- groups --- */

struct grouping {
    const struct looks *l;
    size_t *of;                       /* [l->n] one closer to the first of its group, which is its own */
    size_t *start;                    /* [CELLS + 1] where each cell begins in `order` */
    size_t *order;                    /* [l->n] by cell */
    const struct look_pair *not_same; /* [n_not_same] in order */
    size_t n_not_same;
};

static size_t first_of(struct grouping *g, size_t i)
{
    while (g->of[i] != i)
        i = g->of[i] = g->of[g->of[i]];
    return i;
}

static void join(struct grouping *g, size_t a, size_t b)
{
    size_t x = first_of(g, a), y = first_of(g, b);
    g->of[x > y ? x : y] = x > y ? y : x;
}

static int by_names(const void *x, const void *y)
{
    const struct look_pair *a = x, *b = y;
    int order = strcmp(a->first, b->first);
    return order ? order : strcmp(a->second, b->second);
}

static bool are_not_same(const struct grouping *g, const char *a, const char *b)
{
    struct look_pair pair = strcmp(a, b) < 0 ? (struct look_pair){a, b} : (struct look_pair){b, a};
    return g->n_not_same && bsearch(&pair, g->not_same, g->n_not_same, sizeof pair, by_names);
}

static void cell_of(const uint8_t key[IMAGE_LOOK_KEY], int cell[3])
{
    cell[0] = key[1] / BIN; /* of the squares in the middle, which differ most from image to image */
    cell[1] = key[5] / BIN;
    cell[2] = key[2] / BIN;
}

static size_t cell_index(int x, int y, int z)
{
    return ((size_t)x * BINS + (size_t)y) * BINS + (size_t)z;
}

static void sort_into_cells(struct grouping *g)
{
    int c[3];
    for (size_t i = 0; i < g->l->n; i++) {
        cell_of(g->l->keys[i], c);
        g->start[cell_index(c[0], c[1], c[2])]++;
    }
    for (size_t i = 1; i <= CELLS; i++)
        g->start[i] += g->start[i - 1];
    for (size_t i = g->l->n; i-- > 0;) { /* from the back, so that each cell is in order, and starts where it begins */
        cell_of(g->l->keys[i], c);
        g->order[--g->start[cell_index(c[0], c[1], c[2])]] = i;
    }
}

static void compare_with_cell(struct grouping *g, size_t i, size_t cell)
{
    const struct looks *l = g->l;
    for (size_t k = g->start[cell]; k < g->start[cell + 1]; k++) {
        size_t j = g->order[k];
        if (j <= i || !keys_near(l->keys[i], l->keys[j]) || first_of(g, i) == first_of(g, j))
            continue;
        if (alike(&l->items[i], &l->items[j]) && !are_not_same(g, l->items[i].filename, l->items[j].filename))
            join(g, i, j);
    }
}

static void compare_all(struct grouping *g)
{
    for (size_t i = 0; i < g->l->n; i++) {
        int c[3];
        cell_of(g->l->keys[i], c);
        for (int k = 0; k < 27; k++) {
            int x = c[0] + k / 9 - 1, y = c[1] + k / 3 % 3 - 1, z = c[2] + k % 3 - 1;
            if (x >= 0 && y >= 0 && z >= 0 && x < BINS && y < BINS && z < BINS)
                compare_with_cell(g, i, cell_index(x, y, z));
        }
    }
}

/* `order`, which is done with, has the number of each group now, at its first one. */
static enum status list_groups(struct grouping *g, struct arena *a, struct looks_group **out, size_t *n_out,
                               struct error *err)
{
    size_t n = g->l->n, *size = calloc(n + 1, sizeof *size), *number = g->order, groups = 0;
    if (!size)
        return err_no_memory(err, "groups of stickers");
    for (size_t i = 0; i < n; i++)
        size[first_of(g, i)]++;
    for (size_t i = 0; i < n; i++)
        if (size[i] > 1)
            number[i] = groups++;
    struct looks_group *list = arena_array(a, groups + 1, sizeof *list);
    bool whole = list != NULL;
    for (size_t i = 0; i < n && whole; i++) {
        size_t first = first_of(g, i);
        if (size[first] < 2)
            continue;
        struct looks_group *group = &list[number[first]];
        if (first == i)
            *group = (struct looks_group){.filenames = arena_array(a, size[i], sizeof *group->filenames)};
        if ((whole = group->filenames != NULL))
            group->filenames[group->n++] = g->l->items[i].filename;
    }
    free(size);
    *out = list;
    *n_out = whole ? groups : 0;
    return whole ? OK : err_no_memory(err, "groups of stickers");
}

enum status looks_groups(const struct looks *l, struct sticker_store *store, struct arena *a, struct looks_group **out,
                         size_t *n_out, struct error *err)
{
    struct look_pair *pairs;
    struct grouping g = {.l = l};
    *n_out = 0;
    enum status st = sticker_store_not_duplicates(store, a, &pairs, &g.n_not_same, err);
    if (st != OK)
        return st;
    if (g.n_not_same)
        qsort(pairs, g.n_not_same, sizeof *pairs, by_names);
    g.not_same = pairs;
    g.of = calloc(l->n + 1, sizeof *g.of);
    g.order = calloc(l->n + 1, sizeof *g.order);
    g.start = calloc(CELLS + 1, sizeof *g.start);
    if (g.of && g.order && g.start) {
        for (size_t i = 0; i < l->n; i++)
            g.of[i] = i;
        sort_into_cells(&g);
        compare_all(&g);
        st = list_groups(&g, a, out, n_out, err);
    } else {
        st = err_no_memory(err, "groups of %zu stickers", l->n);
    }
    free(g.of);
    free(g.order);
    free(g.start);
    return st;
}
