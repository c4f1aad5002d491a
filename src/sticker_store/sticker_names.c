/* sticker_names.c: what stickers are called in one language, and what is searched for most: for pages and
 * suggestions. */
#include "db/db_filter.h"
#include "sticker_store/sticker_internal.h"

#include "base/language.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The tags under which words for a reader may be kept: the reader's own, and its primary language. Chinese of Taiwan,
 * Hong Kong and Macau is kept by its script. */
struct reader_tags {
    char own[LANGUAGE_MAX_TAG + 1], primary[LANGUAGE_MAX_TAG + 1];
};

static struct reader_tags reader_tags(const char *tag)
{
    static const char *const traditional[] = {"zh-TW", "zh-HK", "zh-MO"};
    struct reader_tags t = {0};
    size_t len = strcspn(tag, "-");
    for (size_t i = 0; i < sizeof traditional / sizeof *traditional; i++)
        if (strcasecmp(tag, traditional[i]) == 0)
            tag = "zh-Hant";
    for (size_t i = 0; tag[i] && i < LANGUAGE_MAX_TAG; i++)
        t.own[i] = tag[i];
    for (size_t i = 0; i < len && i < LANGUAGE_MAX_TAG; i++)
        t.primary[i] = tag[i];
    return t;
}

#define TITLE_OF(row)                                                                                                  \
    "SELECT w.title FROM stickers s JOIN sticker_words w ON w.sticker = s." row                                        \
    " WHERE s.filename = $1 AND w.language IN ($2, $3) AND w.title <> '' ORDER BY w.language = $2 DESC LIMIT 1"

static enum status one_title(struct db_conn *c, const char *filename, const struct reader_tags *tags, struct arena *a,
                             const char **title, struct error *err)
{
    struct db_rows r;
    *title = NULL;
    db_query(&r, c, TITLE_OF("row"), DB_ARGS(DB_TEXT(filename), DB_TEXT(tags->own), DB_TEXT(tags->primary)), err);
    while (db_next(&r))
        *title = db_text(&r, 0, a);
    return db_end(&r);
}

/* In PostgreSQL all in one round trip. */
static enum status all_titles(struct db_conn *c, const char *const *filenames, size_t n, const struct reader_tags *tags,
                              struct arena *a, const char **titles, struct error *err)
{
    struct db_rows r;
    struct db_bytes *names = arena_array(a, n + 1, sizeof *names);
    if (!names)
        return err_no_memory(err, "%zu titles", n);
    for (size_t i = 0; i < n; i++) {
        names[i] = (struct db_bytes){filenames[i], strlen(filenames[i])};
        titles[i] = NULL;
    }
    db_query(&r, c,
             "SELECT t.place, w.title FROM unnest($1) WITH ORDINALITY t (asked, place)"
             " JOIN stickers s ON s.filename = convert_from(t.asked, 'UTF8')"
             " JOIN sticker_words w ON w.sticker = s.rowno AND w.language IN ($2, $3) AND w.title <> ''"
             " ORDER BY t.place, w.language = $2",
             DB_ARGS(DB_BLOBS(names, n), DB_TEXT(tags->own), DB_TEXT(tags->primary)), err);
    while (db_next(&r)) /* the reader's own tag comes last and stays */
        titles[db_int(&r, 0) - 1] = db_text(&r, 1, a);
    return db_end(&r);
}

enum status sticker_store_titles(struct sticker_store *s, const char *const *filenames, size_t n, const char *language,
                                 struct arena *a, const char **titles, struct error *err)
{
    struct reader_tags tags = reader_tags(language);
    struct db_conn *c = db_reader(s->db);
    enum status st;
    if (db_is_postgres(c)) {
        st = all_titles(c, filenames, n, &tags, a, titles, err);
    } else if ((st = db_snapshot(c, err)) == OK) {
        for (size_t i = 0; i < n && st == OK; i++)
            st = one_title(c, filenames[i], &tags, a, &titles[i], err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    return st;
}

/* A sticker's own title is English. */
#define NAMES_FROM(row)                                                                                                \
    "SELECT s." row ", CASE WHEN $1 = 'en' THEN s.title ELSE coalesce(w.title, '') END, coalesce(w.words, '')"         \
    " FROM stickers s LEFT JOIN sticker_words w ON w.sticker = s." row " AND w.language = $1 WHERE s." row             \
    " > $2 ORDER BY s." row " LIMIT $3"

enum status sticker_store_names(struct sticker_store *s, const char *language, int64_t *after, size_t limit,
                                struct arena *a, struct sticker_name **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *names = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, db_sql(c, NAMES_FROM("row"), NAMES_FROM("rowno")),
             DB_ARGS(DB_TEXT(language), DB_INT(*after), DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &names, *n, &cap, sizeof(struct sticker_name))) {
        *after = db_int(&r, 0);
        ((struct sticker_name *)names)[(*n)++] =
            (struct sticker_name){.title = db_text(&r, 1, a), .words = db_text(&r, 2, a)};
    }
    *out = names;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

/* From one tag to the next in the index, past the words of each. */
#define LANGUAGES                                                                                                      \
    "WITH RECURSIVE l (tag) AS (SELECT min(language) FROM sticker_words UNION ALL"                                     \
    " SELECT (SELECT min(language) FROM sticker_words WHERE language > tag) FROM l WHERE tag IS NOT NULL)"             \
    " SELECT tag FROM l WHERE tag IS NOT NULL LIMIT $1"

enum status sticker_store_languages(struct sticker_store *s, size_t limit, struct arena *a, const char ***out,
                                    size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *tags = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(&r, c, LANGUAGES, DB_ARGS(DB_INT(db_limit(limit))), err);
    while (db_next(&r) && db_grow(&r, a, &tags, *n, &cap, sizeof(const char *)))
        ((const char **)tags)[(*n)++] = db_text(&r, 0, a);
    *out = tags;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_popular(struct sticker_store *s, double least, unsigned clients, int64_t now_us, size_t limit,
                                  struct arena *a, const char ***queries, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *rows = NULL;
    size_t cap = 0;
    double now = sticker_trend_weight(now_us);
    *n = 0;
    /* A trend above the number of searches is of a clock that ran ahead; a half-life of that is tolerated. */
    db_query(&r, c,
             "SELECT query FROM queries WHERE trend >= $1 AND trend <= (usage - empty) * $2 AND length(crowd) >= $3"
             " ORDER BY trend DESC, query LIMIT $4",
             DB_ARGS(DB_REAL(least * now), DB_REAL(2 * now), DB_INT((int64_t)(clients * sizeof(uint32_t))),
                     DB_INT(db_limit(limit))),
             err);
    while (db_next(&r) && db_grow(&r, a, &rows, *n, &cap, sizeof(const char *)))
        ((const char **)rows)[(*n)++] = db_text(&r, 0, a);
    *queries = rows;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_trending(struct sticker_store *s, const struct sticker_filter *f, unsigned clients,
                                   int64_t now_us, size_t limit, struct arena *a, const char ***filenames, size_t *n,
                                   struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    void *names = NULL;
    size_t cap = 0;
    *n = 0;
    db_query(
        &r, c,
        "SELECT d.filename FROM sticker_trends t JOIN stickers d ON d.id = t.sticker_id WHERE t.trend >= $1"
        " AND " DB_PASSES("$2", "$3", "$4") " AND length(t.crowd) >= $5 ORDER BY t.trend DESC, d.filename LIMIT $6",
        DB_ARGS(DB_REAL(sticker_trend_weight(now_us) / 2), DB_FILTER(f), DB_INT((int64_t)clients * STORE_USE_BYTES),
                DB_INT(db_limit(limit))),
        err);
    while (db_next(&r) && db_grow(&r, a, &names, *n, &cap, sizeof(const char *)))
        ((const char **)names)[(*n)++] = db_text(&r, 0, a);
    *filenames = names;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_modified(struct sticker_store *s, int64_t *modified_us, struct error *err)
{
    bool found;
    struct db_conn *c = db_reader(s->db);
    enum status st = db_get_int(c,
                                "SELECT coalesce(max(m), 0) FROM (SELECT max(modified_us) AS m FROM stickers UNION ALL"
                                " SELECT max(modified_us) FROM packs) x",
                                DB_NONE, modified_us, &found, err);
    db_reader_done(s->db, c);
    return st;
}
