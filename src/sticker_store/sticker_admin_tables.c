/* sticker_admin_tables.c: what the admin's lists are, in SQL. See struct list_table. */
#include "sticker_store/sticker_internal.h"

#include <assert.h>
#include <string.h>

/* Distinct values of an indexed column, one look-up each however many rows there are. */
#define DISTINCT(table, column)                                                                                        \
    "WITH RECURSIVE v (x) AS (SELECT min(" column ") FROM " table " UNION ALL"                                         \
    " SELECT (SELECT min(" column ") FROM " table " WHERE " column " > x) FROM v WHERE x IS NOT NULL)"                 \
    " SELECT x FROM v WHERE x IS NOT NULL AND x <> '' LIMIT 200"
/* Rows with votes, of either kind. What the second half passes over is in the first, so both are as short as the page.
 */
#define VOTED(table)                                                                                                   \
    "SELECT # FROM " table " WHERE positives > 0 UNION ALL"                                                            \
    " SELECT # FROM " table " WHERE negatives > 0 AND positives <= 0"
#define HAS_VOTES "t.positives > 0 OR t.negatives > 0"
#define NO_VOTES  "t.positives <= 0 AND t.negatives <= 0"
/* Names that begin with what was typed. */
#define BEGINS(column) column " >= $ AND " column " < $ || '\U0010ffff'"
#define QUERY_BEGINS   BEGINS("q.query") /* signs are no words, so only this finds them */
/* The texts of `column` that `rows` select, in their order. */
#define JOINED(column, between, rows) "(SELECT &(" column ", '" between "') FROM (SELECT " rows " ORDER BY 1) x)"

#define RATING_NAME "CASE t.rating WHEN 0 THEN 'g' WHEN 1 THEN 'pg' WHEN 2 THEN 'pg-13' ELSE 'r' END"
/* A filter for one value of an indexed number. */
#define IS(name, value, column, number)                                                                                \
    {                                                                                                                  \
        name, value, false, "SELECT # FROM stickers WHERE " column " = " number, "t." column " = " number, NULL        \
    }

/* In PostgreSQL: does the search find f.words? */
#define FOUND "f.words @@ to_tsquery('simple', ?)"

static const struct list_column sticker_columns[] = {
    {"filename", "t.filename", TEXT_SORTS},
    {"title", "t.title", TEXT_SORTS},
    {"pack", "t.pack", TEXT_SORTS},
    {"author", "t.author", PLAIN},
    {"license", "t.license", PLAIN},
    {"source", "t.source", PLAIN},
    {"rating", RATING_NAME, PLAIN},
    {"animated", "t.animated", PLAIN},
    {"ocr_words", "t.ocr_words", PLAIN},
    {"sha256", "t.sha256", PLAIN},
    {"mime", "t.mime", PLAIN},
    {"bytes", "t.bytes", PLAIN},
    {"width", "t.width", PLAIN},
    {"height", "t.height", PLAIN},
    {"languages", JOINED("language", " ", "language FROM sticker_words w WHERE w.sticker = t.rowno"), PLAIN},
    {"words_en", "(SELECT w.words FROM sticker_words w WHERE w.sticker = t.rowno AND w.language = 'en')", PLAIN},
    {"words", JOINED("list", " | ", "language || ': ' || words AS list FROM sticker_words w WHERE w.sticker = t.rowno"),
     PLAIN},
    {"indexed", "CASE WHEN EXISTS (SELECT 1 FROM outbox o WHERE o.filename = t.filename) THEN 0 ELSE 1 END", PLAIN},
    {"positives", "t.positives", NUMBER_SORTS},
    {"negatives", "t.negatives", NUMBER_SORTS},
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_filter sticker_filters[] = {
    {"pack", NULL, false, "SELECT # FROM stickers WHERE pack = $", "t.pack = $", DISTINCT("stickers", "pack")},
    {"language", NULL, false, "SELECT w.sticker FROM sticker_words w WHERE w.language = $",
     "EXISTS (SELECT 1 FROM sticker_words w WHERE w.sticker = t.rowno AND w.language = $)",
     DISTINCT("sticker_words", "language")},
    {"votes", "yes", false, VOTED("stickers"), HAS_VOTES, NULL},
    {"votes", "no", false, NULL, NO_VOTES, NULL},
    {"indexed", "no", false, "SELECT k.# FROM outbox o JOIN stickers k ON k.filename = o.filename",
     "EXISTS (SELECT 1 FROM outbox o WHERE o.filename = t.filename)", NULL},
    {"indexed", "yes", false, NULL, "NOT EXISTS (SELECT 1 FROM outbox o WHERE o.filename = t.filename)", NULL},
    {"words", "no", false, NULL, "NOT EXISTS (SELECT 1 FROM sticker_words w WHERE w.sticker = t.rowno)", NULL},
    {"words", "yes", false, NULL, "EXISTS (SELECT 1 FROM sticker_words w WHERE w.sticker = t.rowno)", NULL},
    IS("rating", "g", "rating", "0"),
    IS("rating", "pg", "rating", "1"),
    IS("rating", "pg-13", "rating", "2"),
    IS("rating", "r", "rating", "3"),
    IS("animated", "yes", "animated", "1"),
    IS("animated", "no", "animated", "0"),
    {"since", NULL, true, "SELECT # FROM stickers WHERE created_us >= $", "t.created_us >= $", NULL},
    {"until", NULL, true, "SELECT # FROM stickers WHERE created_us < $", "t.created_us < $", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

/* Languages are many to a row, so that few rows can be counted while somebody waits. */
static const struct list_facet_rule sticker_facets[] = {
    {"pack", "t.pack", "", 0, NULL},
    {"language", "w.language", " JOIN sticker_words w ON w.sticker = t.rowno", 500,
     "SELECT language, count(*) FROM sticker_words GROUP BY language ORDER BY 2 DESC, 1 LIMIT 200"},
    {"indexed", "CASE WHEN EXISTS (SELECT 1 FROM outbox o WHERE o.filename = t.filename) THEN 'no' ELSE 'yes' END", "",
     0, NULL},
    {"rating", RATING_NAME, "", 0, NULL},
    {"animated", "CASE t.animated WHEN 0 THEN 'no' ELSE 'yes' END", "", 0, NULL},
    {NULL, NULL, NULL, 0, NULL},
};

static const struct list_column query_columns[] = {
    {"query", "t.query", TEXT_SORTS},
    {"usage", "t.usage", NUMBER_SORTS},
    {"empty", "t.empty", NUMBER_SORTS},
    {"positives", "t.positives", NUMBER_SORTS},
    {"negatives", "t.negatives", NUMBER_SORTS},
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_filter query_filters[] = {
    {"votes", "yes", false, VOTED("queries"), HAS_VOTES, NULL},
    {"votes", "no", false, NULL, NO_VOTES, NULL},
    {"since", NULL, true, "SELECT # FROM queries WHERE modified_us >= $", "t.modified_us >= $", NULL},
    {"until", NULL, true, "SELECT # FROM queries WHERE modified_us < $", "t.modified_us < $", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column score_columns[] = {
    {"sha256", "k.sha256", PLAIN},
    {"query", "q.query", PLAIN},
    {"sticker", "k.filename", PLAIN},
    {"positives", "t.positives", NUMBER_SORTS},
    {"negatives", "t.negatives", NUMBER_SORTS},
    {"created_us", "t.created_us", PLAIN},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_filter score_filters[] = {
    {"query", NULL, false, "SELECT s.# FROM queries q JOIN scores s ON s.query_id = q.id WHERE q.query = $",
     "t.query_id = (SELECT q.id FROM queries q WHERE q.query = $)", NULL},
    {"sticker", NULL, false, "SELECT s.# FROM stickers k JOIN scores s ON s.sticker_id = k.id WHERE k.filename = $",
     "t.sticker_id = (SELECT k.id FROM stickers k WHERE k.filename = $)", NULL},
    {"balance", "bad", false, NULL, "t.negatives > t.positives", NULL},
    {"balance", "good", false, NULL, "t.positives > t.negatives", NULL},
    {"since", NULL, true, "SELECT # FROM scores WHERE modified_us >= $", "t.modified_us >= $", NULL},
    {"until", NULL, true, "SELECT # FROM scores WHERE modified_us < $", "t.modified_us < $", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column user_columns[] = {
    {"username", "t.username", TEXT_SORTS},
    {"is_active", "t.is_active", PLAIN},
    {"is_staff", "t.is_staff", PLAIN},
    {"is_superuser", "t.is_superuser", PLAIN},
    {"groups",
     JOINED("name", ", ", "name FROM user_groups m JOIN groups g ON g.id = m.group_id WHERE m.user_id = t.id"), PLAIN},
    {"group_ids", JOINED("group_id", " ", "group_id FROM user_groups m WHERE m.user_id = t.id"), PLAIN},
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_filter user_filters[] = {
    {"role", "superuser", false, NULL, "t.is_superuser <> 0", NULL},
    {"role", "staff", false, NULL, "t.is_staff <> 0", NULL},
    {"role", "plain", false, NULL, "t.is_staff = 0 AND t.is_superuser = 0", NULL},
    {"active", "yes", false, NULL, "t.is_active <> 0", NULL},
    {"active", "no", false, NULL, "t.is_active = 0", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column group_columns[] = {
    {"name", "t.name", TEXT_SORTS},
    {"permissions", "t.permissions", PLAIN},
    {"members", "(SELECT count(*) FROM user_groups m WHERE m.group_id = t.id)", PLAIN},
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};

static const struct list_column token_columns[] = {
    {"username", "u.username", PLAIN},
    {"label", "t.label", PLAIN},
    {"last_used_us", "t.last_used_us", NUMBER_SORTS},
    {"expires_us", "t.expires_us", PLAIN},
    {"expires_days", "''", PLAIN}, /* as the form has it, for a new one */
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", PLAIN},
    {NULL, NULL, PLAIN},
};
static const struct list_filter token_filters[] = {
    {"username", NULL, false, "SELECT k.# FROM users u JOIN tokens k ON k.user_id = u.id WHERE u.username = $",
     "t.user_id = (SELECT u.id FROM users u WHERE u.username = $)", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column session_columns[] = {
    {"username", "u.username", PLAIN},
    {"address", "t.address", PLAIN},
    {"browser", "t.browser", PLAIN},
    {"seen_us", "t.seen_us", NUMBER_SORTS},
    {"created_us", "t.created_us", NUMBER_SORTS},
    {"modified_us", "t.modified_us", PLAIN},
    {NULL, NULL, PLAIN},
};
static const struct list_filter session_filters[] = {
    {"username", NULL, false, "SELECT k.# FROM users u JOIN sessions k ON k.user_id = u.id WHERE u.username = $",
     "t.user_id = (SELECT u.id FROM users u WHERE u.username = $)", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column history_columns[] = {
    {"at_us", "t.at_us", NUMBER_SORTS},
    {"username", "t.username", TEXT_SORTS},
    {"address", "t.address", PLAIN},
    {"action", "t.action", PLAIN},
    {"model", "t.model", PLAIN},
    {"object", "t.object", TEXT_SORTS},
    {"sha256",
     "CASE WHEN t.model = 'stickers' THEN (SELECT k.sha256 FROM stickers k WHERE k.filename = t.object) ELSE '' END",
     PLAIN},
    {"batch", "t.batch", PLAIN},
    {"before", "t.before", PLAIN},
    {"after", "t.after", PLAIN},
    {NULL, NULL, PLAIN},
};
static const struct list_filter history_filters[] = {
    {"model", NULL, false, NULL, "t.model = $", NULL},
    {"action", NULL, false, NULL, "t.action = $", NULL},
    {"username", NULL, false, "SELECT # FROM history WHERE username = $", "t.username = $",
     DISTINCT("history", "username")},
    {"object", NULL, false, "SELECT # FROM history WHERE object = $", "t.object = $", NULL},
    {"batch", NULL, false, "SELECT # FROM history WHERE batch = $ AND batch <> ''", "t.batch = $", NULL},
    {"since", NULL, true, "SELECT # FROM history WHERE at_us >= $", "t.at_us >= $", NULL},
    {"until", NULL, true, "SELECT # FROM history WHERE at_us < $", "t.at_us < $", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};
static const struct list_column pin_columns[] = {
    {"query", "t.query", TEXT_SORTS},
    {"language", "t.language", PLAIN},
    {"sticker", "k.filename", PLAIN},
    {"position", "t.position", NUMBER_SORTS},
    {"created_us", "t.created_us", PLAIN},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_filter pin_filters[] = {
    {"query", NULL, false, "SELECT # FROM pins WHERE query = $", "t.query = $", DISTINCT("pins", "query")},
    {"sticker", NULL, false, "SELECT p.# FROM stickers k JOIN pins p ON p.sticker_id = k.id WHERE k.filename = $",
     "t.sticker_id = (SELECT k.id FROM stickers k WHERE k.filename = $)", NULL},
    {"hidden", "yes", false, "SELECT # FROM pins WHERE position = 0", "t.position = 0", NULL},
    {"hidden", "no", false, NULL, "t.position > 0", NULL},
    {NULL, NULL, false, NULL, NULL, NULL},
};

static const struct list_column synonym_columns[] = {
    {"term", "t.term", TEXT_SORTS},
    {"language", "t.language", PLAIN},
    {"synonyms", "t.synonyms", PLAIN},
    {"two_way", "t.two_way", PLAIN},
    {"created_us", "t.created_us", PLAIN},
    {"modified_us", "t.modified_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};
static const struct list_column trash_columns[] = {
    {"sha256", "t.sha256", PLAIN},
    {"filename", "t.filename", TEXT_SORTS},
    {"title", "t.title", PLAIN},
    {"pack", "t.pack", PLAIN},
    {"deleted_by", "t.deleted_by", PLAIN},
    {"languages", "(SELECT count(*) FROM trash_words w WHERE w.trash = t.rowno)", PLAIN},
    {"votes", "(SELECT coalesce(sum(s.positives + s.negatives), 0) FROM trash_scores s WHERE s.trash = t.rowno)",
     PLAIN},
    {"modified_us", "t.modified_us", PLAIN},
    {"deleted_us", "t.deleted_us", NUMBER_SORTS},
    {NULL, NULL, PLAIN},
};

static const struct list_filter no_filters[] = {{NULL, NULL, false, NULL, NULL, NULL}};

static const struct list_table tables[] = {
    {
        .name = "stickers",
        .table = "stickers",
        .id = "t.filename",
        .joins = "",
        .search = "SELECT # FROM stickers WHERE filename = $ UNION ALL"
                  " SELECT rowid >> 12 FROM stickers_fts WHERE stickers_fts MATCH ?" /* see FTS_ROW */
                  " AND rowid >> 12 NOT IN (SELECT rowid FROM stickers WHERE filename = $)",
        .search_postgres = "SELECT # FROM stickers WHERE filename = $ UNION ALL"
                           " SELECT f.rowno FROM sticker_search f WHERE " FOUND
                           " AND f.rowno NOT IN (SELECT rowno FROM stickers WHERE filename = $)",
        .columns = sticker_columns,
        .filters = sticker_filters,
        .facets = sticker_facets,
        .goes = {{"scored queries",
                  "SELECT count(*) FROM scores WHERE sticker_id = (SELECT id FROM stickers WHERE filename = $)"},
                 {"votes", "SELECT CAST(coalesce(sum(positives + negatives), 0) AS bigint) FROM scores"
                           " WHERE sticker_id = (SELECT id FROM stickers WHERE filename = $)"},
                 {"pins", "SELECT count(*) FROM pins WHERE sticker_id = (SELECT id FROM stickers WHERE filename = $)"}},
    },
    {
        .name = "queries",
        .table = "queries",
        .id = "t.id",
        .joins = "",
        .search = "SELECT # FROM queries q WHERE " QUERY_BEGINS " UNION ALL"
                  " SELECT q.rowid FROM queries_fts f JOIN queries q ON q.row = f.rowid WHERE queries_fts MATCH ?"
                  " AND NOT (" QUERY_BEGINS ")",
        .search_postgres = "SELECT # FROM queries q WHERE " QUERY_BEGINS " UNION ALL SELECT f.rowno FROM query_search f"
                           " JOIN queries q ON q.rowno = f.rowno WHERE " FOUND " AND NOT (" QUERY_BEGINS ")",
        .columns = query_columns,
        .filters = query_filters,
        .goes = {{"scored stickers", "SELECT count(*) FROM scores WHERE query_id = $"},
                 {"votes",
                  "SELECT CAST(coalesce(sum(positives + negatives), 0) AS bigint) FROM scores WHERE query_id = $"}},
    },
    {
        .name = "scores",
        .table = "scores",
        .id = "t.id",
        .joins = " JOIN queries q ON q.id = t.query_id JOIN stickers k ON k.id = t.sticker_id",
        .search = "SELECT s.# FROM queries q JOIN scores s ON s.query_id = q.id WHERE " QUERY_BEGINS " UNION ALL"
                  " SELECT s.# FROM queries_fts f CROSS JOIN queries q ON q.row = f.rowid"
                  " CROSS JOIN scores s ON s.query_id = q.id WHERE queries_fts MATCH ? AND NOT (" QUERY_BEGINS ")",
        .search_postgres = "SELECT s.# FROM queries q JOIN scores s ON s.query_id = q.id WHERE " QUERY_BEGINS
                           " UNION ALL SELECT s.rowno FROM query_search f JOIN queries q ON q.rowno = f.rowno"
                           " JOIN scores s ON s.query_id = q.id WHERE " FOUND " AND NOT (" QUERY_BEGINS ")",
        .columns = score_columns,
        .filters = score_filters,
        .goes = {{"votes", "SELECT positives + negatives FROM scores WHERE id = $"}},
    },
    {
        .name = "users",
        .table = "users",
        .id = "t.id",
        .joins = "",
        .search = "SELECT # FROM users WHERE " BEGINS("username"),
        .columns = user_columns,
        .filters = user_filters,
        .goes = {{"tokens", "SELECT count(*) FROM tokens WHERE user_id = $"},
                 {"sessions", "SELECT count(*) FROM sessions WHERE user_id = $"}},
    },
    {
        .name = "groups",
        .table = "groups",
        .id = "t.id",
        .joins = "",
        .search = "SELECT # FROM groups WHERE " BEGINS("name"),
        .columns = group_columns,
        .filters = no_filters,
        .goes = {{"memberships", "SELECT count(*) FROM user_groups WHERE group_id = $"}},
    },
    {
        .name = "tokens",
        .table = "tokens",
        .id = "t.id",
        .joins = " JOIN users u ON u.id = t.user_id",
        .search = "SELECT k.# FROM users u JOIN tokens k ON k.user_id = u.id WHERE " BEGINS("u.username"),
        .columns = token_columns,
        .filters = token_filters,
    },
    {
        .name = "sessions",
        .table = "sessions",
        .id = "t.hash_hex",
        .joins = " JOIN users u ON u.id = t.user_id",
        .search = "SELECT k.# FROM users u JOIN sessions k ON k.user_id = u.id WHERE " BEGINS("u.username"),
        .columns = session_columns,
        .filters = session_filters,
    },
    {
        .name = "pins",
        .table = "pins",
        .id = "t.id",
        .joins = " JOIN stickers k ON k.id = t.sticker_id",
        .search = "SELECT # FROM pins WHERE " BEGINS("query"),
        .columns = pin_columns,
        .filters = pin_filters,
    },
    {
        .name = "synonyms",
        .table = "synonyms",
        .id = "t.id",
        .joins = "",
        .search = "SELECT # FROM synonyms WHERE " BEGINS("term"),
        .columns = synonym_columns,
        .filters = no_filters,
    },
    {
        .name = "trash",
        .table = "trash",
        .id = "t.filename",
        .joins = "",
        .search = "SELECT # FROM trash WHERE " BEGINS("filename"),
        .columns = trash_columns,
        .filters = no_filters,
        .goes = {{"votes", "SELECT CAST(coalesce(sum(s.positives + s.negatives), 0) AS bigint) FROM trash t"
                           " JOIN trash_scores s ON s.trash = t.# WHERE t.filename = $"},
                 {"languages",
                  "SELECT count(*) FROM trash t JOIN trash_words w ON w.trash = t.# WHERE t.filename = $"}},
    },
    {
        .name = "history",
        .table = "history",
        .id = "t.rowno",
        .joins = "",
        .search = "SELECT # FROM history WHERE " BEGINS("object"),
        .columns = history_columns,
        .filters = history_filters,
    },
};

const struct list_table *sticker_list(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    assert(!"a list that exists");
    return NULL;
}
