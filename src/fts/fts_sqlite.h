/* fts_sqlite.h: the lexical search on SQLite: BM25 over terms made by text.h, in two FTS5 tables.
 *
 * The first has four columns: title, words, filename (stems) and folded (unstemmed, for prefixes), all as English
 * has them. The second, named after it with "_languages", has what a sticker is called elsewhere: a column per
 * language, and one that repeats the titles of all. So it is known in which language a word matched, English
 * words keep the lengths and frequencies that they would have alone, and a word that languages share is
 * stored once. It holds no text, only the index; "_terms" holds the terms, packed, because FTS5 must be told what
 * it is to forget.
 *
 * An index row's number is FTS_ROW(id, length): the document's own number, and in the low bits how many
 * terms it has in the first table. So ranking needs no look-up per match, and a document's row is found by a range. */
#ifndef PEEL_FTS_FTS_SQLITE_H
#define PEEL_FTS_FTS_SQLITE_H

#include "db/db.h"
#include "db/db_filter.h"
#include "fts/fts_rank.h"

/* How such a table is declared: terms arrive analysed, so the tokenizer only splits at white space; one- to
 * three-letter prefixes have an index of their own. */
#define FTS_COLUMNS "title, words, filename, folded, tokenize = 'ascii', columnsize = 0, prefix = '1 2 3'"

#define FTS_LANGUAGE_COLUMN(code) ", l_" #code
#define FTS_LANGUAGE_COLUMNS      "titles, l_und" LANGUAGE_LIST(FTS_LANGUAGE_COLUMN)
#define FTS_LANGUAGE_VALUE(code)  ", ?"
#define FTS_LANGUAGE_VALUES       "?, ?" LANGUAGE_LIST(FTS_LANGUAGE_VALUE)
#define FTS_LANGUAGES_SCHEMA(fts)                                                                                      \
    "CREATE VIRTUAL TABLE " fts "_languages USING fts5 (" FTS_LANGUAGE_COLUMNS                                         \
    ", tokenize = 'ascii', content = '', columnsize = 0, detail = column);"                                            \
    "CREATE TABLE " fts "_terms (row INTEGER PRIMARY KEY, terms BLOB NOT NULL) STRICT;"

/* The statements on such tables, and on the table that they index. */
struct fts_sqlite {
    const char *totals, *match, *match_filtered, *insert, *there, *remove, *terms, *filename, *last;
    struct {
        const char *match, *match_filtered, *insert, *forget, *packed, *pack, *remove;
    } languages;
};
#define FTS_RANGE "BETWEEN ?1 << 12 AND (?1 << 12) + 4095"
/* Whether the document of a row of `index` passes. */
#define FTS_PASSES(index, documents, id, by)                                                                           \
    " AND EXISTS (SELECT 1 FROM " documents " d " by " WHERE d." id " = " index                                        \
    ".rowid >> 12 AND " DB_PASSES("?3", "?4", "?5") ")"
#define FTS_SQLITE(fts, documents, id, by)                                                                             \
    {                                                                                                                  \
        .totals = "SELECT peel_totals(" fts ", ?1) FROM " fts " LIMIT 1",                                              \
        .match = "SELECT peel_collect(" fts ", ?2) FROM " fts " WHERE " fts " MATCH ?1",                               \
        .match_filtered =                                                                                              \
            "SELECT peel_collect(" fts ", ?2) FROM " fts " WHERE " fts " MATCH ?1" FTS_PASSES(fts, documents, id, by), \
        .insert = "INSERT INTO " fts " (rowid, title, words, filename, folded) VALUES (?1, ?2, ?3, ?4, ?5)",           \
        .there = "SELECT 1 FROM " fts " WHERE rowid " FTS_RANGE,                                                       \
        .remove = "DELETE FROM " fts " WHERE rowid " FTS_RANGE,                                                        \
        .terms = "SELECT title, words, filename, folded FROM " fts " WHERE rowid " FTS_RANGE,                          \
        .filename = "SELECT filename FROM " documents " WHERE " id " = ?1",                                            \
        .last = "SELECT coalesce(max(rowid), 0) >> 12 FROM " fts,                                                      \
        .languages = {                                                                                                 \
            .match = "SELECT peel_collect_languages(" fts "_languages, ?2) FROM " fts "_languages WHERE " fts          \
                     "_languages MATCH ?1",                                                                            \
            .match_filtered = "SELECT peel_collect_languages(" fts "_languages, ?2) FROM " fts "_languages WHERE " fts \
                              "_languages MATCH ?1" FTS_PASSES(fts "_languages", documents, id, by),                   \
            .insert =                                                                                                  \
                "INSERT INTO " fts "_languages (rowid, " FTS_LANGUAGE_COLUMNS ") VALUES (?, " FTS_LANGUAGE_VALUES ")", \
            .forget = "INSERT INTO " fts "_languages (" fts "_languages, rowid, " FTS_LANGUAGE_COLUMNS                 \
                      ") VALUES ('delete', ?, " FTS_LANGUAGE_VALUES ")",                                               \
            .packed = "SELECT row, terms FROM " fts "_terms WHERE row " FTS_RANGE,                                     \
            .pack = "INSERT INTO " fts "_terms (row, terms) VALUES (?1, ?2)",                                          \
            .remove = "DELETE FROM " fts "_terms WHERE row " FTS_RANGE,                                                \
        },                                                                                                             \
    }

/* As in fts.h. */
enum status fts_sqlite_put(struct db_conn *c, const struct fts_sqlite *t, int64_t id, const struct sticker_terms *terms,
                           struct error *err) MUST_CHECK;
enum status fts_sqlite_remove(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct error *err) MUST_CHECK;
enum status fts_sqlite_get(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct arena *a, bool *found,
                           struct sticker_terms *out, struct error *err) MUST_CHECK;
enum status fts_sqlite_search(struct db_conn *c, const struct fts_sqlite *t, const struct term_query *q,
                              const struct sticker_filter *filter, size_t limit, size_t offset, struct arena *a,
                              struct fts_hit **hits, size_t *n, int64_t *total, struct error *err) MUST_CHECK;

/* Makes our functions known to a connection. Returns SQLite's result code. */
struct sqlite3;
int fts_register(struct sqlite3 *handle);

/* --- between fts_sqlite*.c --- */

/* fts_sqlite_languages.c: the second table's half of the three above. `row`: the index row's number. */
enum status fts_languages_put(struct db_conn *c, const struct fts_sqlite *t, int64_t row,
                              const struct sticker_terms *terms, struct error *err) MUST_CHECK;
enum status fts_languages_remove(struct db_conn *c, const struct fts_sqlite *t, int64_t id,
                                 struct error *err) MUST_CHECK;
/* *done: the document has a row of this number already, which has these terms now. */
enum status fts_languages_change(struct db_conn *c, const struct fts_sqlite *t, int64_t row,
                                 const struct sticker_terms *terms, bool *done, struct error *err) MUST_CHECK;
enum status fts_languages_get(struct db_conn *c, const struct fts_sqlite *t, int64_t id, struct arena *a,
                              struct sticker_terms *out, struct error *err) MUST_CHECK;
/* fts_sqlite_match.c: what one pass over a table's matches is for. */
struct fts_pass {
    const struct fts_rank *rank;
    struct fts_collector *into;
};

#endif
