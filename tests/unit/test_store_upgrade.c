/* test_store_upgrade.c: databases of every earlier schema become those of now with all their rows; those of later ones
 * are refused; and nobody has changed a migration that was released. */
#include "store_suite.h"

#include "search_store/search_internal.h"
#include "sticker_store/sticker_internal.h"

#include <inttypes.h>

enum { NEVER = 1000 }; /* a version that a kind of database never has */

/* Rows as each version can have them, and how they are found in the newest. */
struct row {
    int sqlite_from, sqlite_below, postgres_from; /* versions; -n: those below n */
    const char *insert, *check;                   /* check: 1 */
};

static const struct row sticker_rows[] = {
    {1, NEVER, 1,
     "INSERT INTO stickers (id, filename, title, pack, author, license, source, sha256, mime, bytes, width, height,"
     " created_us, modified_us) VALUES ('s', 'cat.png', 'Cat', 'p', 'a', 'l', 's', 'ab', 'image/png', 1, 2, 3, 4, 5)",
     "SELECT count(*) FROM stickers WHERE id = 's' AND title = 'Cat' AND sha256 = 'ab' AND height = 3 AND rating = 0"},
    {1, 3, NEVER,
     "INSERT INTO sticker_words (id, sticker_id, language, words, created_us, modified_us)"
     " VALUES ('w', 's', 'de', 'Katze', 1, 1)",
     "SELECT count(*) FROM sticker_words WHERE sticker = 1 AND language = 'de' AND words = 'Katze'"},
    {3, NEVER, 1, "INSERT INTO sticker_words (sticker, language, title, words) VALUES (1, 'fr', 'Chat', 'chaton')",
     "SELECT count(*) FROM sticker_words WHERE sticker = 1 AND title = 'Chat' AND words = 'chaton'"},
    {1, 2, 2, "INSERT INTO queries (id, query, usage, created_us, modified_us) VALUES ('q', 'a cat', 7, 1, 2)",
     "SELECT count(*) FROM queries WHERE id = 'q' AND query = 'a cat' AND usage = 7"},
    {2, NEVER, NEVER,
     "INSERT INTO queries (id, query, usage, created_us, modified_us, row) VALUES ('q', 'a cat', 7, 1, 2, 1)",
     "SELECT count(*) FROM queries WHERE id = 'q' AND query = 'a cat' AND usage = 7"},
    {1, NEVER, 2,
     "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"
     " VALUES ('c', 'q', 's', 3, 1, 1, 2)",
     "SELECT count(*) FROM scores c JOIN stickers s ON s.id = c.sticker_id JOIN queries q ON q.id = c.query_id"
     " WHERE c.positives = 3 AND s.positives = 3 AND q.negatives = 1"},
    {1, NEVER, 3,
     "INSERT INTO users (id, username, password_hash, is_staff, is_superuser, is_active, created_us, modified_us)"
     " VALUES ('u', 'ann', 'hash', 1, 0, 1, 1, 2)",
     "SELECT count(*) FROM users WHERE username = 'ann' AND password_hash = 'hash' AND is_staff = 1"},
    {1, NEVER, 3,
     "INSERT INTO tokens (id, user_id, label, hash_hex, last_used_us, created_us, modified_us)"
     " VALUES ('t', 'u', 'app', 'ff', 1, 1, 1)",
     "SELECT count(*) FROM tokens WHERE user_id = 'u' AND hash_hex = 'ff'"},
    {1, NEVER, 3,
     "INSERT INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
     " VALUES ('gone.png', 'delete', 1, 'why', 2, 3, 4)",
     "SELECT count(*) FROM outbox WHERE filename = 'gone.png' AND op = 'delete' AND last_error = 'why'"},
    {2, NEVER, 3,
     "INSERT INTO groups (id, name, permissions, created_us, modified_us) VALUES ('g', 'editors', 'stickers.view', 1, "
     "1)",
     "SELECT count(*) FROM groups WHERE name = 'editors' AND permissions = 'stickers.view'"},
    {2, NEVER, 3, "INSERT INTO user_groups (user_id, group_id) VALUES ('u', 'g')",
     "SELECT count(*) FROM user_groups WHERE user_id = 'u' AND group_id = 'g'"},
    {2, NEVER, 3,
     "INSERT INTO history (at_us, username, address, action, model, object, before, after)"
     " VALUES (1, 'ann', '::1', 'add', 'stickers', 'cat.png', '', '{}')",
     "SELECT count(*) FROM history WHERE username = 'ann' AND object = 'cat.png' AND after = '{}'"},
    {4, NEVER, NEVER,
     "INSERT INTO days (day, searches, empty, degraded, positives, negatives) VALUES (20000, 5, 1, 0, 3, 1)",
     "SELECT count(*) FROM days WHERE day = 20000 AND searches = 5"},
    {10, NEVER, 8,
     "INSERT INTO votes (voter, query_id, sticker_id, positive, created_us, modified_us) VALUES ('v', 'q', 's', 1, 1, "
     "1)",
     "SELECT count(*) FROM votes WHERE query_id = 'q' AND positive = 1"},
    {11, NEVER, 9,
     "INSERT INTO pins (id, query, language, sticker_id, position, created_us, modified_us)"
     " VALUES ('p', 'cat', '', 's', 1, 1, 1)",
     "SELECT count(*) FROM pins WHERE sticker_id = 's' AND position = 1"},
    {12, NEVER, 10,
     "INSERT INTO trash (id, filename, title, pack, author, license, source, rating, animated, sha256, mime, bytes,"
     " width, height, created_us, modified_us, deleted_us, deleted_by)"
     " VALUES ('x', 'old.png', 'Old', '', '', '', '', 1, 0, 'cd', 'image/png', 1, 2, 3, 4, 5, 6, 'ann')",
     "SELECT count(*) FROM trash WHERE filename = 'old.png' AND sha256 = 'cd'"},
    {17, NEVER, 15, "INSERT INTO sticker_trends (sticker_id, trend) VALUES ('s', 0.5)",
     "SELECT count(*) FROM sticker_trends WHERE sticker_id = 's' AND trend = 0.5 AND length(crowd) = 0"},
    {14, NEVER, NEVER,
     "INSERT INTO events (day, id, search, action, sticker_id, rank, client, at_us, stored_us)"
     " VALUES (20000, x'01', x'02', 1, 's', 4, 'c', 5, 6)",
     "SELECT count(*) FROM events WHERE rank = 4 AND experiment = 0 AND team = 0 AND propensity = 1000000"},
    {20, NEVER, 18,
     "INSERT INTO app_keys (name, hash_hex, per_minute, requests, last_used_us, created_us, modified_us)"
     " VALUES ('shop', 'ff', 60, 7, 1, 1, 1)",
     "SELECT count(*) FROM app_keys WHERE name = 'shop' AND per_minute = 60 AND requests = 7"},
    {21, NEVER, 19, "UPDATE trash SET frames = 3, duration_ms = 200",
     "SELECT count(*) FROM trash WHERE frames = 3 AND duration_ms = 200"},
    {7, NEVER, 5, "UPDATE outbox_turn SET holder = 'x'", "SELECT count(*) FROM outbox_turn WHERE queue = 'search'"},
    {22, NEVER, 20,
     "INSERT INTO webhooks (url, events, secret, created_us, modified_us) VALUES ('https://x', '', 's', 1, 1)",
     "SELECT count(*) FROM webhooks WHERE url = 'https://x' AND disabled = ''"},
    {24, NEVER, 22,
     "INSERT INTO packs (name, title, author, license, source, cover, created_us, modified_us)"
     " VALUES ('p', 'Pets', 'Ann', 'CC0-1.0', '', 'cat.png', 1, 2)",
     "SELECT count(*) FROM packs p JOIN stickers s ON s.pack = p.name AND s.filename = p.cover WHERE p.title = 'Pets'"},
    {24, NEVER, 22, "UPDATE trash SET place = -3", "SELECT count(*) FROM trash WHERE place = -3"},
    {25, NEVER, 23,
     "INSERT INTO imports (batch, username, source, added, changed, at_us) VALUES ('b', 'ann', 'cats.zip', 3, 1, 7)",
     "SELECT count(*) FROM imports WHERE number = 1 AND source = 'cats.zip' AND undone_us = 0"},
    {26, NEVER, 24, "INSERT INTO noted_queries (query) VALUES ('a cat')",
     "SELECT count(*) FROM noted_queries WHERE query = 'a cat'"},
    {29, NEVER, NEVER, "INSERT INTO sticker_looks (sticker, look) VALUES (1, x'07')",
     "SELECT count(*) FROM sticker_looks WHERE sticker = 1 AND length(look) = 1"},
};

static const struct row search_rows[] = {
    {1, NEVER, 1,
     "INSERT INTO documents (filename, title, words_json, image_sha256, created_us, modified_us)"
     " VALUES ('cat.png', 'Cat', '[]', 'ab', 1, 2)",
     "SELECT count(*) FROM documents WHERE id = 1 AND title = 'Cat' AND image_sha256 = 'ab' AND rating = 0"},
    {1, NEVER, 1, "INSERT INTO models (name, generation, created_us, modified_us) VALUES ('clip', 5, 1, 2)",
     "SELECT count(*) FROM models WHERE id = 1 AND name = 'clip' AND generation IN (5, 6)"},
    {1, NEVER, NEVER,
     "INSERT INTO vectors (model_id, document_id, vector, created_us, modified_us) VALUES (1, 1, X'00112233', 1, 2)",
     "SELECT count(*) FROM vectors WHERE vector = X'00112233'"},
    {1, 5, NEVER, "SELECT 1", "SELECT count(*) FROM vectors WHERE source_sha256 = 'ab'"},
    {1, NEVER, 1,
     "INSERT INTO vector_failures (model_id, document_id, why, created_us, modified_us) VALUES (1, 1, 'torn', 1, 2)",
     "SELECT count(*) FROM vector_failures WHERE why = 'torn'"},
    {1, NEVER, 1, "INSERT INTO settings (key, value, created_us, modified_us) VALUES ('default', 'clip', 1, 2)",
     "SELECT count(*) FROM settings WHERE key = 'default' AND value = 'clip'"},
    {6, 9, NEVER,
     "INSERT INTO documents (id, filename, title, words_json, image_sha256, animated, created_us, modified_us)"
     " VALUES (7, 'walk.gif', 'Walk', '[]', 'cd', 1, 1, 2);"
     "INSERT INTO models (id, name, generation, source, created_us, modified_us) VALUES (7, 'words', 5, 1, 1, 2);"
     "INSERT INTO vectors (model_id, document_id, vector, source_sha256, created_us, modified_us)"
     " SELECT id, 7, X'44556677', 'cd', 1, 2 FROM models",
     "SELECT count(*) FROM vectors WHERE document_id = 7"}, /* that of words; those of images are made again */
    {4, NEVER, 1, "INSERT INTO changes (document_id, generation) VALUES (1, 9)",
     "SELECT count(*) FROM changes WHERE generation = 9"},
    {1, 10, NEVER,
     "INSERT INTO documents_fts (rowid, title, words, filename, folded) VALUES ((1 << 12) + 4, 'cat', 'kitti pet',"
     " 'cat', 'cat kitty')",
     "SELECT count(*) FROM document_terms WHERE document_id = 1 AND title = 'cat' AND words = 'kitti pet'"
     " AND filename = 'cat' AND folded = 'cat kitty'"},
    {2, 10, NEVER, "INSERT INTO documents_fts_terms (row, terms) VALUES ((1 << 12) + 4, x'0102')",
     "SELECT count(*) FROM document_terms WHERE document_id = 1 AND languages = x'0102'"},
    {NEVER, NEVER, -8,
     "INSERT INTO documents_fts_documents (id, terms) VALUES (1, '\\x63617400006e00c3a90005676174006700')",
     "SELECT count(*) FROM document_terms WHERE document_id = 1 AND title = 'cat' AND words = '' AND filename = 'n'"
     " AND folded = 'é' AND languages = '\\x0700008005676174006700'"},
};

struct kind {
    const struct db_schema *sqlite, *postgres;
    const struct row *rows;
    size_t n;
    enum status (*open)(const char *url, struct error *err); /* as the service does: migrates */
};

static enum status open_stickers(const char *url, struct error *err)
{
    struct sticker_store *store = NULL;
    enum status st = sticker_store_open(url, 1, &store, err);
    sticker_store_close(store);
    return st;
}

static enum status open_search(const char *url, struct error *err)
{
    struct search_store *store = NULL;
    enum status st = search_store_open(url, 1, &store, err);
    search_store_close(store);
    return st;
}

static const struct kind kinds[] = {
    {&sticker_schema_sqlite, &sticker_schema_postgres, sticker_rows, sizeof sticker_rows / sizeof *sticker_rows,
     open_stickers},
    {&search_schema_sqlite, &search_schema_postgres, search_rows, sizeof search_rows / sizeof *search_rows,
     open_search},
};

static bool has(const struct row *r, bool postgres, int64_t version)
{
    if (postgres && r->postgres_from < 0)
        return version < -r->postgres_from;
    return postgres ? version >= r->postgres_from : version >= r->sqlite_from && version < r->sqlite_below;
}

static enum status run(struct db_conn *c, void *sql, struct error *err)
{
    return db_script(c, sql, err);
}

static void make_old(struct suite *s, const struct kind *k, const char *url, int64_t version)
{
    struct db_schema old = db_is_postgres_url(url) ? *k->postgres : *k->sqlite;
    struct db *d;
    old.count = version;
    assert_ok(s, db_open(url, 1, &old, &d, &s->err));
    for (size_t i = 0; i < k->n; i++)
        if (has(&k->rows[i], db_is_postgres_url(url), version))
            assert_ok(s, db_write(d, DB_DURABLE, run, (void *)(uintptr_t)k->rows[i].insert, &s->err));
    db_close(d);
}

static void check_new(struct suite *s, const struct kind *k, const char *url, int64_t version)
{
    struct db *d;
    assert_ok(s, db_open(url, 1, NULL, &d, &s->err));
    for (size_t i = 0; i < k->n; i++) {
        int64_t found;
        if (!has(&k->rows[i], db_is_postgres_url(url), version))
            continue;
        assert_ok(s, db_read_int(d, k->rows[i].check, DB_NONE, &found, NULL, &s->err));
        if (found != 1)
            fail_msg("of version %" PRId64 ": %s: %" PRId64 " rows", version, k->rows[i].check, found);
    }
    db_close(d);
}

static void every_older_database_keeps_its_rows(void **state)
{
    struct suite *s = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];
        int64_t newest = db_is_postgres_url(s->url) ? k->postgres->count : k->sqlite->count;
        for (int64_t version = 1; version <= newest; version++) {
            char url[600];
            snprintf(url, sizeof url, "%s_%zu_%" PRId64, s->url, i, version);
            make_old(s, k, url, version);
            assert_ok(s, k->open(url, &s->err));
            check_new(s, k, url, version);
            assert_ok(s, k->open(url, &s->err)); /* once is enough */
        }
    }
}

static void a_newer_database_is_refused(void **state)
{
    struct suite *s = *state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const struct kind *k = &kinds[i];
        bool postgres = db_is_postgres_url(s->url);
        int64_t newest = postgres ? k->postgres->count : k->sqlite->count;
        char url[600], said[200];
        struct db_schema later = postgres ? *k->postgres : *k->sqlite;
        const char *migrations[64];
        snprintf(url, sizeof url, "%s_later_%zu", s->url, i);
        assert_true(newest < 64);
        for (int64_t v = 0; v < newest; v++)
            migrations[v] = later.migrations[v];
        migrations[newest] = "CREATE TABLE later (x bigint)";
        later.migrations = migrations;
        later.count = newest + 1;
        struct db *d;
        assert_ok(s, db_open(url, 1, &later, &d, &s->err));
        db_close(d);
        assert_int_equal(k->open(url, &s->err), ERR_UNSUPPORTED);
        snprintf(said, sizeof said, "has schema version %" PRId64 ", this program knows up to %" PRId64, newest + 1,
                 newest);
        assert_non_null(strstr(s->err.message, said));
    }
}

/* A database of a release has what its migrations said then: to change one later would leave two kinds of databases. */
static void released_migrations_are_as_released(void **state)
{
    static const struct {
        const struct db_schema *schema;
        size_t count;
        const char *release, *sha256;
    } released[] = {
        {&sticker_schema_sqlite, 7, "0.1.0", "5f2fa8dc798683ebe1bc37591ce6f910e68e17b5965c0094be4ff590d240bb23"},
        {&sticker_schema_postgres, 5, "0.1.0", "977d94cf71208fdd4a8a8b2bc4f6e801bde9ba29c2033771a70e5cf06b678ff8"},
        {&search_schema_sqlite, 5, "0.1.0", "dcf84eec0eed41f1f1f4f5842d2cf7d541e74c096d51fe97ff080ebd77ab24de"},
        {&search_schema_postgres, 3, "0.1.0", "6acc6cc31eb52cc78a7ae9d5d116e810e9ad23da0dad34367ffc6794c60d871b"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof released / sizeof *released; i++) {
        char found[65];
        struct buf all;
        buf_init(&all, 1 << 20);
        for (size_t v = 0; v < released[i].count; v++)
            buf_printf(&all, "%zu: %s\n", v + 1, released[i].schema->migrations[v]);
        os_sha256_hex(buf_str(&all), all.len, found);
        buf_free(&all);
        if (strcmp(found, released[i].sha256) != 0)
            fail_msg("the migrations of the %s that %s was released with have changed (SHA-256 %s)",
                     released[i].schema->what, released[i].release, found);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, suite_setup, suite_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_older_database_keeps_its_rows),
        T(a_newer_database_is_refused),
        cmocka_unit_test(released_migrations_are_as_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
