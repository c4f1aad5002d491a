/* search_schema_sqlite.c: the search database's tables in SQLite. */
#include "fts/fts.h"
#include "search_store/search_internal.h"

static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE documents ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never reused; documents_fts knows it by this */
    " filename TEXT NOT NULL UNIQUE,"
    " title TEXT NOT NULL, words_json TEXT NOT NULL, image_sha256 TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE VIRTUAL TABLE documents_fts USING fts5 (" FTS_COLUMNS ");"

    "CREATE TABLE models ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " generation INTEGER NOT NULL," /* grows with every change of its vectors */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE vectors ("
    " model_id INTEGER NOT NULL REFERENCES models (id),"
    " document_id INTEGER NOT NULL REFERENCES documents (id),"
    " vector BLOB NOT NULL," /* float32 [dim], little endian */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " PRIMARY KEY (model_id, document_id)) STRICT;"
    "CREATE INDEX vectors_document ON vectors (document_id);"

    "CREATE TABLE vector_failures ("
    " model_id INTEGER NOT NULL REFERENCES models (id),"
    " document_id INTEGER NOT NULL REFERENCES documents (id),"
    " why TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " PRIMARY KEY (model_id, document_id)) STRICT;"
    "CREATE INDEX vector_failures_document ON vector_failures (document_id);"

    "CREATE TABLE settings ("
    " key TEXT NOT NULL PRIMARY KEY,"
    " value TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;",
    /* 2 */
    FTS_LANGUAGES_SCHEMA("documents_fts"),
    /* 3: what lists of documents walk along, without the words, which take most of a row */
    "CREATE INDEX documents_listed ON documents (id, filename, image_sha256);",
    /* 4 */
    "CREATE TABLE changes ("
    " document_id INTEGER PRIMARY KEY," /* also of those that are gone */
    " generation INTEGER NOT NULL) STRICT;"
    "CREATE UNIQUE INDEX changes_generation ON changes (generation);",
    /* 5: what each vector is made of */
    "ALTER TABLE documents ADD COLUMN words_sha256 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE models ADD COLUMN source INTEGER NOT NULL DEFAULT 0;" /* enum search_source */
    "ALTER TABLE vectors ADD COLUMN source_sha256 TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE vector_failures ADD COLUMN source_sha256 TEXT NOT NULL DEFAULT '';"
    "UPDATE vectors SET source_sha256 = (SELECT image_sha256 FROM documents d WHERE d.id = document_id);"
    "UPDATE vector_failures SET source_sha256 = (SELECT image_sha256 FROM documents d WHERE d.id = document_id);"
    "DROP INDEX documents_listed;"
    "CREATE INDEX documents_listed ON documents (id, filename, image_sha256, words_sha256);",
    /* 6: what searches filter by, with an index that has all of it, again without the words */
    "ALTER TABLE documents ADD COLUMN pack TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE documents ADD COLUMN rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 3);"
    "ALTER TABLE documents ADD COLUMN animated INTEGER NOT NULL DEFAULT 0 CHECK (animated IN (0, 1));"
    "CREATE INDEX documents_filtered ON documents (id, rating, animated, pack);",
    /* 7 */
    "CREATE TABLE phrase_vectors ("
    " model_id INTEGER NOT NULL REFERENCES models (id),"
    " phrase TEXT NOT NULL,"
    " code BLOB NOT NULL," /* int8 [dim], and the float32 by which they are multiplied */
    " PRIMARY KEY (model_id, phrase)) STRICT, WITHOUT ROWID;",
    /* 8: what votes taught: see search_store_priors_put */
    "CREATE TABLE priors ("
    " query TEXT NOT NULL, filename TEXT NOT NULL,"
    " gain INTEGER NOT NULL," /* hundredths */
    " by_clicks INTEGER NOT NULL,"
    " PRIMARY KEY (query, filename)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE prior_versions (query TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX prior_versions_version ON prior_versions (version);",
    /* 9: vectors of animations are of several frames now, and made again */
    "UPDATE models SET generation = generation + 1 WHERE source = 0;"
    "DELETE FROM vectors WHERE model_id IN (SELECT id FROM models WHERE source = 0)"
    " AND document_id IN (SELECT id FROM documents WHERE animated = 1);",
    /* 10: terms, of which every process makes its index (search_terms.c), in the place of FTS5's tables */
    "CREATE TABLE document_terms ("
    " document_id INTEGER PRIMARY KEY,"
    " title TEXT NOT NULL, words TEXT NOT NULL, filename TEXT NOT NULL, folded TEXT NOT NULL,"
    " languages BLOB NOT NULL) STRICT;" /* fts_deflate */
    "INSERT INTO document_terms SELECT f.rowid >> 12, f.title, f.words, f.filename, f.folded, coalesce(t.terms, x'')"
    " FROM documents_fts f LEFT JOIN documents_fts_terms t ON t.row = f.rowid;"
    "DROP TABLE documents_fts;"
    "DROP TABLE documents_fts_languages;"
    "DROP TABLE documents_fts_terms;",
    /* 11: text in the image */
    "ALTER TABLE documents ADD COLUMN ocr_words TEXT NOT NULL DEFAULT '';",
};

const struct db_schema search_schema_sqlite = {
    .what = "search database",
    .application_id = 0x50655345, /* "PeSE" */
    .count = sizeof migrations / sizeof *migrations,
    .migrations = migrations,
};
