/* sticker_schema_sqlite.c: the sticker database's tables in SQLite. */
#include "sticker_store/sticker_internal.h"

/* Votes of the rows of `table`, which scores know by `column`. */
#define SUMMED_VOTES(table, column)                                                                                    \
    "ALTER TABLE " table " ADD COLUMN positives INTEGER NOT NULL DEFAULT 0;"                                           \
    "ALTER TABLE " table " ADD COLUMN negatives INTEGER NOT NULL DEFAULT 0;"                                           \
    "UPDATE " table " SET positives = v.positives, negatives = v.negatives FROM"                                       \
    " (SELECT " column " AS id, sum(positives) AS positives, sum(negatives) AS negatives FROM scores GROUP BY 1) v"    \
    " WHERE v.id = " table ".id;"                                                                                      \
    "CREATE INDEX " table "_positives ON " table " (positives);"                                                       \
    "CREATE INDEX " table "_negatives ON " table " (negatives);"
/* Adds to the votes of one `kind` of the sticker and of the query that the score `row` is of. */
#define SUM_VOTES(kind, change, row)                                                                                   \
    "UPDATE stickers SET " kind " = " kind " " change " WHERE id = " row ".sticker_id;"                                \
    " UPDATE queries SET " kind " = " kind " " change " WHERE id = " row ".query_id;"

/* Counts the changes of a table of curation, whoever makes them. */
#define COUNTED(table, change, name)                                                                                   \
    "CREATE TRIGGER " table "_" name " AFTER " change " ON " table                                                     \
    " BEGIN UPDATE curation_versions SET version = version + 1 WHERE kind = '" table "'; END;"
#define COUNTED_CHANGES(table)                                                                                         \
    COUNTED(table, "INSERT", "added") COUNTED(table, "UPDATE", "changed") COUNTED(table, "DELETE", "deleted")

/* The columns of stickers as of version 27; later ones change with modified_us. */
#define NOT_VOTES                                                                                                      \
    "filename, title, pack, author, license, source, rating, animated, sha256, mime, bytes, width, height, frames,"    \
    " duration_ms, place, created_us, modified_us"

/* Ids are UUIDv7 text, times microseconds since 1970. */
static const char *const migrations[] = {
    /* 1 */
    "CREATE TABLE stickers ("
    " row INTEGER PRIMARY KEY," /* what stickers_fts knows it by */
    " id TEXT NOT NULL UNIQUE,"
    " filename TEXT NOT NULL UNIQUE,"
    " title TEXT NOT NULL,"
    " pack TEXT NOT NULL, author TEXT NOT NULL, license TEXT NOT NULL, source TEXT NOT NULL,"
    " sha256 TEXT NOT NULL, mime TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE sticker_words ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " language TEXT NOT NULL, words TEXT NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (sticker_id, language)) STRICT;"

    "CREATE VIRTUAL TABLE stickers_fts USING fts5 (" FTS_COLUMNS ");"

    "CREATE TABLE queries ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " query TEXT NOT NULL UNIQUE,"
    " usage INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE scores ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " query_id TEXT NOT NULL REFERENCES queries (id) ON DELETE CASCADE,"
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " positives INTEGER NOT NULL, negatives INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (query_id, sticker_id)) STRICT;"
    "CREATE INDEX scores_sticker ON scores (sticker_id);"

    "CREATE TABLE users ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " username TEXT NOT NULL UNIQUE,"
    " password_hash TEXT NOT NULL,"
    " is_staff INTEGER NOT NULL, is_superuser INTEGER NOT NULL, is_active INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE tokens ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " label TEXT NOT NULL,"
    " hash_hex TEXT NOT NULL UNIQUE,"
    " last_used_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX tokens_user ON tokens (user_id);"

    "CREATE TABLE outbox ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT," /* never reused: outbox_done must not hit a later entry */
    " filename TEXT NOT NULL UNIQUE,"
    " op TEXT NOT NULL,"
    " attempts INTEGER NOT NULL, last_error TEXT NOT NULL, due_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;",

    /* 2: the admin. An index per column that a list sorts by, so that a page is a short walk along it (its last
     * column is the row number, which breaks ties); a number for each query that the words of all queries are found
     * by; and who may do what, who is logged in, who did what. */
    "CREATE INDEX stickers_title ON stickers (title);"
    "CREATE INDEX stickers_pack ON stickers (pack);"
    "CREATE INDEX stickers_created ON stickers (created_us);"
    "CREATE INDEX stickers_modified ON stickers (modified_us);"
    "CREATE INDEX sticker_words_language ON sticker_words (language);"
    "CREATE INDEX queries_usage ON queries (usage);"
    "CREATE INDEX queries_created ON queries (created_us);"
    "CREATE INDEX queries_modified ON queries (modified_us);"
    "CREATE INDEX scores_positives ON scores (positives);"
    "CREATE INDEX scores_negatives ON scores (negatives);"
    "CREATE INDEX scores_modified ON scores (modified_us);"

    "ALTER TABLE queries ADD COLUMN row INTEGER;" /* unlike SQLite's own row numbers, VACUUM leaves it alone */
    "UPDATE queries SET row = rowid;"
    "CREATE UNIQUE INDEX queries_row ON queries (row);"
    "CREATE VIRTUAL TABLE queries_fts USING fts5 (query, content = '', columnsize = 0, detail = 'none',"
    " tokenize = 'unicode61 remove_diacritics 2');"
    "INSERT INTO queries_fts (rowid, query) SELECT row, query FROM queries;"
    "ALTER TABLE queries ADD COLUMN unlisted INTEGER;" /* 1: its words are not in queries_fts yet */
    "CREATE INDEX queries_unlisted ON queries (row) WHERE unlisted = 1;"

    "CREATE TABLE groups ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " permissions TEXT NOT NULL," /* "stickers.view stickers.change" */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE user_groups ("
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " group_id TEXT NOT NULL REFERENCES groups (id) ON DELETE CASCADE,"
    " PRIMARY KEY (user_id, group_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX user_groups_group ON user_groups (group_id);"
    "CREATE TABLE sessions ("
    " hash_hex TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " address TEXT NOT NULL,"
    " seen_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX sessions_user ON sessions (user_id);"
    "CREATE INDEX sessions_seen ON sessions (seen_us);"
    "CREATE TABLE logins (" /* attempts to log in, by "account NAME" and by "address ADDRESS" */
    " key TEXT NOT NULL PRIMARY KEY,"
    " failures INTEGER NOT NULL, last_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX logins_last ON logins (last_us);"
    "CREATE TABLE history ("
    " row INTEGER PRIMARY KEY,"
    " at_us INTEGER NOT NULL, username TEXT NOT NULL, address TEXT NOT NULL,"
    " action TEXT NOT NULL, model TEXT NOT NULL, object TEXT NOT NULL,"
    " before TEXT NOT NULL, after TEXT NOT NULL) STRICT;"
    "CREATE INDEX history_at ON history (at_us);"
    "CREATE INDEX history_username ON history (username);"
    "CREATE INDEX history_object ON history (object);",

    /* 3: words in many languages. An emoji has some 130 lists of a few words, so rows are lean: no ids and times
     * of their own. Those that are there are sent again, to be found by their languages. */
    FTS_LANGUAGES_SCHEMA("stickers_fts")
    /* clang-format off */
    "CREATE TABLE words_by_language ("
    " sticker INTEGER NOT NULL REFERENCES stickers (row) ON DELETE CASCADE,"
    " language TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL,"
    " PRIMARY KEY (sticker, language)) STRICT, WITHOUT ROWID;"
    "INSERT INTO words_by_language SELECT s.row, w.language, '', w.words"
    " FROM sticker_words w JOIN stickers s ON s.id = w.sticker_id;"
    "DROP TABLE sticker_words;"
    "ALTER TABLE words_by_language RENAME TO sticker_words;"
    "CREATE INDEX sticker_words_language ON sticker_words (language);"
    "INSERT OR REPLACE INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
    " SELECT filename, 'put', 0, '', 0, created_us, created_us FROM stickers WHERE row IN"
    " (SELECT sticker FROM sticker_words WHERE language NOT LIKE 'en%') ORDER BY filename;",
    /* clang-format on */

    /* 4: totals by day, and how often a query found nothing. */
    "CREATE TABLE days ("
    " day INTEGER PRIMARY KEY," /* since 1970, UTC */
    " searches INTEGER NOT NULL, empty INTEGER NOT NULL, degraded INTEGER NOT NULL,"
    " positives INTEGER NOT NULL, negatives INTEGER NOT NULL) STRICT;"
    "ALTER TABLE queries ADD COLUMN empty INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX queries_empty ON queries (empty);",

    /* 5: votes by sticker and by query. Triggers keep them, whoever votes, changes or deletes a score, also by
     * deleting its sticker or query; one for either kind, because a vote is of one kind and each has an index. */
    SUMMED_VOTES("stickers", "sticker_id") SUMMED_VOTES("queries", "query_id")
    /* clang-format off */
    "CREATE TRIGGER scores_add_positives AFTER INSERT ON scores WHEN new.positives <> 0 BEGIN "
    SUM_VOTES("positives", "+ new.positives", "new") " END;"
    "CREATE TRIGGER scores_add_negatives AFTER INSERT ON scores WHEN new.negatives <> 0 BEGIN "
    SUM_VOTES("negatives", "+ new.negatives", "new") " END;"
    "CREATE TRIGGER scores_change_positives AFTER UPDATE OF positives ON scores WHEN new.positives <> old.positives BEGIN "
    SUM_VOTES("positives", "- old.positives + new.positives", "new") " END;"
    "CREATE TRIGGER scores_change_negatives AFTER UPDATE OF negatives ON scores WHEN new.negatives <> old.negatives BEGIN "
    SUM_VOTES("negatives", "- old.negatives + new.negatives", "new") " END;"
    "CREATE TRIGGER scores_delete AFTER DELETE ON scores BEGIN "
    SUM_VOTES("positives", "- old.positives", "old") " " SUM_VOTES("negatives", "- old.negatives", "old") " END;",
    /* clang-format on */

    /* 6: requests that may come again. What was answered follows from the body and a bit for each of its votes. */
    "CREATE TABLE feedback_keys ("
    " key TEXT NOT NULL PRIMARY KEY,"
    " body TEXT NOT NULL,"    /* its SHA-256 */
    " unknown BLOB NOT NULL," /* bit i % 8 of byte i / 8: the sticker of vote i does not exist */
    " created_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX feedback_keys_created ON feedback_keys (created_us);",

    /* 7: which StickerService delivers the outbox now; one row. */
    "CREATE TABLE outbox_turn (holder TEXT NOT NULL, until_us INTEGER NOT NULL) STRICT;"
    "INSERT INTO outbox_turn (holder, until_us) VALUES ('', 0);",

    /* 8: for whom a sticker is (enum rating), and whether it moves. All are sent again, because SearchService filters
     * by these and by the pack, of which it had not heard; what waits in the outbox already will tell it anyway. */
    "ALTER TABLE stickers ADD COLUMN rating INTEGER NOT NULL DEFAULT 0 CHECK (rating BETWEEN 0 AND 3);"
    "ALTER TABLE stickers ADD COLUMN animated INTEGER NOT NULL DEFAULT 0 CHECK (animated IN (0, 1));"
    "CREATE INDEX stickers_rating ON stickers (rating);"
    "CREATE INDEX stickers_animated ON stickers (animated);"
    "INSERT INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
    " SELECT filename, 'put', 0, '', 0, n.us, n.us FROM stickers,"
    " (SELECT strftime('%s', 'now') * 1000000 AS us) n"
    " WHERE filename NOT IN (SELECT filename FROM outbox) ORDER BY filename;",

    /* 9: all are sent again, because words have terms that they did not have: signs, and what is written together. */
    "INSERT INTO outbox (filename, op, attempts, last_error, due_us, created_us, modified_us)"
    " SELECT filename, 'put', 0, '', 0, n.us, n.us FROM stickers,"
    " (SELECT strftime('%s', 'now') * 1000000 AS us) n"
    " WHERE filename NOT IN (SELECT filename FROM outbox) ORDER BY filename;",

    /* 10: who voted how, of those who say who they are: one vote of a voter for a sticker and a query. */
    "CREATE TABLE votes ("
    " voter TEXT NOT NULL," /* its SHA-256 */
    " query_id TEXT NOT NULL REFERENCES queries (id) ON DELETE CASCADE,"
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " positive INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (voter, query_id, sticker_id)) STRICT;"
    "CREATE INDEX votes_query ON votes (query_id);"
    "CREATE INDEX votes_sticker ON votes (sticker_id);",
    /* 11: what staff decide about searches. A pin's position is 0 where it hides the sticker. */
    "CREATE TABLE pins ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " query TEXT NOT NULL,"    /* in small letters, with single spaces */
    " language TEXT NOT NULL," /* "": all */
    " sticker_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " position INTEGER NOT NULL CHECK (position BETWEEN 0 AND 100),"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (query, language, sticker_id)) STRICT;"
    "CREATE INDEX pins_query ON pins (query);"
    "CREATE INDEX pins_sticker ON pins (sticker_id);"
    "CREATE INDEX pins_position ON pins (position);"
    "CREATE INDEX pins_modified ON pins (modified_us);"
    "CREATE TABLE synonyms ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " term TEXT NOT NULL, language TEXT NOT NULL,"
    " synonyms TEXT NOT NULL," /* "dog, puppy" */
    " two_way INTEGER NOT NULL CHECK (two_way IN (0, 1)),"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (term, language)) STRICT;"
    "CREATE INDEX synonyms_term ON synonyms (term);"
    "CREATE INDEX synonyms_modified ON synonyms (modified_us);"
    "CREATE TABLE curation_versions (kind TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL) STRICT;"
    "INSERT INTO curation_versions (kind, version) VALUES ('pins', 0), ('synonyms', 0);" COUNTED_CHANGES("pins")
        COUNTED_CHANGES("synonyms"),

    /* 12: deleted stickers, with their words and votes, until they are restored or the trash is emptied; which history
     * entries were made together; and the lists that somebody saved. */
    "CREATE TABLE trash ("
    " row INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE, filename TEXT NOT NULL UNIQUE, title TEXT NOT NULL,"
    " pack TEXT NOT NULL, author TEXT NOT NULL, license TEXT NOT NULL, source TEXT NOT NULL,"
    " rating INTEGER NOT NULL, animated INTEGER NOT NULL, sha256 TEXT NOT NULL, mime TEXT NOT NULL,"
    " bytes INTEGER NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " deleted_us INTEGER NOT NULL, deleted_by TEXT NOT NULL,"
    " emptied INTEGER NOT NULL DEFAULT 0) STRICT;" /* 1: its image is being deleted, and then the row */
    "CREATE INDEX trash_deleted ON trash (deleted_us);"
    "CREATE TABLE trash_words ("
    " trash INTEGER NOT NULL REFERENCES trash (row) ON DELETE CASCADE,"
    " language TEXT NOT NULL, title TEXT NOT NULL, words TEXT NOT NULL,"
    " PRIMARY KEY (trash, language)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE trash_scores ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " trash INTEGER NOT NULL REFERENCES trash (row) ON DELETE CASCADE,"
    " query_id TEXT NOT NULL REFERENCES queries (id) ON DELETE CASCADE,"
    " positives INTEGER NOT NULL, negatives INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX trash_scores_trash ON trash_scores (trash);"
    "CREATE INDEX trash_scores_query ON trash_scores (query_id);"
    "CREATE TABLE trash_votes ("
    " trash INTEGER NOT NULL REFERENCES trash (row) ON DELETE CASCADE,"
    " voter TEXT NOT NULL,"
    " query_id TEXT NOT NULL REFERENCES queries (id) ON DELETE CASCADE,"
    " positive INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL,"
    " UNIQUE (trash, voter, query_id)) STRICT;"
    "CREATE INDEX trash_votes_query ON trash_votes (query_id);"
    "ALTER TABLE history ADD COLUMN batch TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX history_batch ON history (batch) WHERE batch <> '';"
    "CREATE TABLE saved_views ("
    " id TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,"
    " list TEXT NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL," /* of the list's URL */
    " created_us INTEGER NOT NULL,"
    " UNIQUE (user_id, list, name)) STRICT, WITHOUT ROWID;",

    /* 13: votes of known voters are forgotten by their age. */
    "CREATE INDEX votes_modified ON votes (modified_us);",

    /* 14: the log of what people did with what searches showed them (sticker_events.h), by the day of the search, and
     * the keys by which its receipts are signed. */
    "CREATE TABLE keys ("
    " id INTEGER PRIMARY KEY,"
    " purpose TEXT NOT NULL, secret BLOB NOT NULL, created_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE searches ("
    " rowno INTEGER PRIMARY KEY,"
    " day INTEGER NOT NULL," /* since 1970 */
    " id BLOB NOT NULL,"
    " made_us INTEGER NOT NULL,"
    " query TEXT NOT NULL, language TEXT NOT NULL, ranking TEXT NOT NULL,"
    " shift INTEGER NOT NULL," /* how many stickers come before the first one */
    " shown BLOB NOT NULL,"    /* the last five bytes of each sticker's id */
    " UNIQUE (day, id)) STRICT;"
    "CREATE TABLE events ("
    " rowno INTEGER PRIMARY KEY AUTOINCREMENT,"
    " day INTEGER NOT NULL, id BLOB NOT NULL, search BLOB NOT NULL,"
    " action INTEGER NOT NULL," /* an enum event_action */
    " sticker_id TEXT NOT NULL, rank INTEGER NOT NULL,"
    " client TEXT NOT NULL," /* its keyed hash, or "" */
    " at_us INTEGER NOT NULL, stored_us INTEGER NOT NULL,"
    " UNIQUE (day, id)) STRICT;",

    /* 15: how popular a query is now: see sticker_store_popular. */
    "ALTER TABLE queries ADD COLUMN trend REAL NOT NULL DEFAULT 0;"
    "CREATE INDEX queries_trend ON queries (trend);",

    /* 16: which browser a session is of, when a token expires, two-factor authentication, and the history as a chain:
     * see sticker_history.c, which gives older entries their hashes at the next start. */
    "ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE tokens ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;" /* 0: never */
    "ALTER TABLE users ADD COLUMN totp TEXT NOT NULL DEFAULT '';"          /* the secret, as it is kept; "": off */
    "ALTER TABLE users ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0;"   /* of the last code that was accepted */
    "CREATE TABLE recovery_codes ("
    " hash_hex TEXT NOT NULL PRIMARY KEY,"
    " user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE) STRICT, WITHOUT ROWID;"
    "CREATE INDEX recovery_codes_user ON recovery_codes (user_id);"
    "ALTER TABLE history ADD COLUMN hash TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE history ADD COLUMN username_proof TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE history ADD COLUMN address_proof TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE history ADD COLUMN content_proof TEXT NOT NULL DEFAULT '';"
    "CREATE INDEX history_addressed ON history (at_us) WHERE address <> '';"
    "CREATE TABLE history_head (" /* one row: the last entry, and the last one that the audit log has */
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " last INTEGER NOT NULL, hash TEXT NOT NULL, logged INTEGER NOT NULL) STRICT;",

    /* 17: how many different clients searched for a query (see sticker_store_usage_add), and how much stickers are used
     * now (see sticker_store_trending). */
    "ALTER TABLE queries ADD COLUMN crowd BLOB NOT NULL DEFAULT x'';"
    "CREATE TABLE sticker_trends ("
    " sticker_id TEXT NOT NULL PRIMARY KEY REFERENCES stickers (id) ON DELETE CASCADE,"
    " trend REAL NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX sticker_trends_trend ON sticker_trends (trend);",

    /* 18: experiments (sticker_experiments.h), and what an event's search tried. */
    "CREATE TABLE experiments ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL," /* an enum experiment_kind */
    " ranking_a TEXT NOT NULL, ranking_b TEXT NOT NULL,"
    " share INTEGER NOT NULL," /* percent */
    " started_us INTEGER NOT NULL,"
    " stopped_us INTEGER NOT NULL DEFAULT 0," /* 0: it runs, as at most one does */
    " searches INTEGER NOT NULL DEFAULT 0,"   /* the counts, once it is stopped */
    " people_a INTEGER NOT NULL DEFAULT 0, people_b INTEGER NOT NULL DEFAULT 0,"
    " won_a INTEGER NOT NULL DEFAULT 0, won_b INTEGER NOT NULL DEFAULT 0,"
    " tied INTEGER NOT NULL DEFAULT 0) STRICT;"
    "CREATE UNIQUE INDEX experiments_running ON experiments (stopped_us) WHERE stopped_us = 0;"
    "ALTER TABLE events ADD COLUMN experiment INTEGER NOT NULL DEFAULT 0;"       /* 0: none */
    "ALTER TABLE events ADD COLUMN team INTEGER NOT NULL DEFAULT 0;"             /* an enum team */
    "ALTER TABLE events ADD COLUMN propensity INTEGER NOT NULL DEFAULT 1000000;" /* in millionths */
    "CREATE INDEX events_experiment ON events (experiment) WHERE experiment > 0;",
    /* 19: where events come from, and what was learnt from them: see sticker_learn.h. `query` is one by which votes
     * teach (text_fold_query). */
    "ALTER TABLE events ADD COLUMN person INTEGER NOT NULL DEFAULT 0;"  /* keyed hashes of the address and day, and */
    "ALTER TABLE events ADD COLUMN network INTEGER NOT NULL DEFAULT 0;" /* of the network; 0: not known */
    "ALTER TABLE events ADD COLUMN vouched INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE learning (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE ballots ("
    " rowno INTEGER PRIMARY KEY AUTOINCREMENT,"
    " query TEXT NOT NULL, sticker_id TEXT NOT NULL,"
    " voter INTEGER NOT NULL," /* negative: it is forgotten whose it was */
    " vote INTEGER NOT NULL,"  /* 1 or -1; its weight is in millionths, as are sums of clicks */
    " weight INTEGER NOT NULL, network INTEGER NOT NULL, vouched INTEGER NOT NULL, at_us INTEGER NOT NULL,"
    " UNIQUE (query, sticker_id, voter)) STRICT;"
    "CREATE INDEX ballots_voter ON ballots (voter, at_us);"
    "CREATE INDEX ballots_sticker ON ballots (sticker_id);"
    "CREATE INDEX ballots_known ON ballots (at_us) WHERE voter > 0;"
    "CREATE TABLE clicks ("
    " rowno INTEGER PRIMARY KEY AUTOINCREMENT,"
    " query TEXT NOT NULL, sticker_id TEXT NOT NULL,"
    " seen INTEGER NOT NULL, clicked INTEGER NOT NULL, at_us INTEGER NOT NULL," /* decayed up to then */
    " networks INTEGER NOT NULL,"                                               /* a bit for each, of 63 */
    " UNIQUE (query, sticker_id)) STRICT;"
    "CREATE INDEX clicks_sticker ON clicks (sticker_id);"
    "CREATE TABLE click_ranks (rank INTEGER PRIMARY KEY, seen INTEGER NOT NULL, clicked INTEGER NOT NULL) STRICT;"
    "CREATE TABLE vote_hours ("
    " rowno INTEGER PRIMARY KEY AUTOINCREMENT,"
    " query TEXT NOT NULL, hour INTEGER NOT NULL," /* since 1970 */
    " votes INTEGER NOT NULL,"
    " state INTEGER NOT NULL DEFAULT 0," /* an enum burst_state */
    " usual INTEGER NOT NULL DEFAULT 0," /* when it was held: how many there usually are */
    " UNIQUE (query, hour)) STRICT;"
    "CREATE INDEX vote_hours_state ON vote_hours (state, hour) WHERE state > 0;"
    "CREATE INDEX vote_hours_hour ON vote_hours (hour);"
    "CREATE TABLE lessons ("
    " query TEXT NOT NULL PRIMARY KEY,"
    " due INTEGER NOT NULL," /* counts what was said since the gains were computed */
    " computed_us INTEGER NOT NULL DEFAULT 0, version INTEGER NOT NULL DEFAULT 0,"
    " gains TEXT NOT NULL DEFAULT '',"
    " terms TEXT NOT NULL DEFAULT '') STRICT, WITHOUT ROWID;" /* what it has in common with queries that mean the same
                                                               */
    "CREATE INDEX lessons_terms ON lessons (terms) WHERE terms <> '';"
    "CREATE INDEX lessons_due ON lessons (computed_us) WHERE due > 0;"
    "CREATE INDEX lessons_computed ON lessons (computed_us);"
    "CREATE INDEX lessons_version ON lessons (version);",
    /* 20: keys by which apps are told apart, counted and limited. */
    "CREATE TABLE app_keys ("
    " name TEXT NOT NULL PRIMARY KEY, hash_hex TEXT NOT NULL UNIQUE,"
    " per_minute INTEGER NOT NULL," /* requests; 0: any number */
    " requests INTEGER NOT NULL, last_used_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
    /* 21: how an animation moves; 0 frames: nobody has counted them. */
    "ALTER TABLE stickers ADD COLUMN frames INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE stickers ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trash ADD COLUMN frames INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trash ADD COLUMN duration_ms INTEGER NOT NULL DEFAULT 0;",
    /* 22: webhooks and what is delivered to them: see sticker_webhooks.h. Whose turn it is to deliver, for each kind.
     */
    "CREATE TABLE webhooks ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " url TEXT NOT NULL UNIQUE, events TEXT NOT NULL, secret TEXT NOT NULL,"
    " disabled TEXT NOT NULL DEFAULT ''," /* why; '': it is enabled */
    " failures INTEGER NOT NULL DEFAULT 0, due_us INTEGER NOT NULL DEFAULT 0,"
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT;"
    "CREATE TABLE webhook_deliveries ("
    " seq INTEGER PRIMARY KEY AUTOINCREMENT,"
    " webhook INTEGER NOT NULL, id TEXT NOT NULL, event TEXT NOT NULL, object TEXT NOT NULL, data TEXT NOT NULL,"
    " at_us INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,"
    " error TEXT NOT NULL DEFAULT '',"
    " delivered_us INTEGER NOT NULL DEFAULT 0) STRICT;" /* 0: it waits */
    "CREATE INDEX webhook_deliveries_of ON webhook_deliveries (webhook, seq);"
    "CREATE INDEX webhook_deliveries_waiting ON webhook_deliveries (webhook, seq) WHERE delivered_us = 0;"
    "CREATE INDEX webhook_deliveries_at ON webhook_deliveries (at_us);"
    "ALTER TABLE outbox_turn ADD COLUMN queue TEXT NOT NULL DEFAULT 'search';"
    "INSERT INTO outbox_turn (queue, holder, until_us) VALUES ('webhooks', '', 0);",
    /* 23: the last different clients that used a sticker, and when (see sticker_store_trending). */
    "ALTER TABLE sticker_trends ADD COLUMN crowd BLOB NOT NULL DEFAULT x'';",
    /* 24: what is said of a pack as a whole, and the order of its stickers (see sticker_packs.c). */
    "CREATE TABLE packs ("
    " name TEXT NOT NULL PRIMARY KEY,"
    " title TEXT NOT NULL, author TEXT NOT NULL, license TEXT NOT NULL, source TEXT NOT NULL,"
    " cover TEXT NOT NULL," /* a filename */
    " created_us INTEGER NOT NULL, modified_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "ALTER TABLE stickers ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE trash ADD COLUMN place INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX stickers_place ON stickers (pack, place);",
    /* 25: imports, whose changes are the entries of the history with their batch: see sticker_imports.h. */
    "CREATE TABLE imports ("
    " number INTEGER PRIMARY KEY AUTOINCREMENT,"
    " batch TEXT NOT NULL UNIQUE, username TEXT NOT NULL, source TEXT NOT NULL,"
    " added INTEGER NOT NULL, changed INTEGER NOT NULL,"
    " skipped INTEGER NOT NULL DEFAULT 0, failed INTEGER NOT NULL DEFAULT 0,"
    " at_us INTEGER NOT NULL, ended_us INTEGER NOT NULL DEFAULT 0, undone_us INTEGER NOT NULL DEFAULT 0) STRICT;",
    /* 26: queries that were searched and are not among the others yet (see sticker_noted.c). */
    "CREATE TABLE noted_queries (rowno INTEGER PRIMARY KEY, query TEXT NOT NULL) STRICT;",
    /* 27: how often stickers changed (see sticker_recall.c). Votes do not count. */
    "INSERT INTO curation_versions (kind, version) VALUES ('stickers', 0);" COUNTED("stickers", "INSERT", "added")
        COUNTED("stickers", "UPDATE OF " NOT_VOTES, "changed") COUNTED("stickers", "DELETE", "deleted"),
    /* 28: text in the image, and who read it (see struct sticker). */
    "ALTER TABLE stickers ADD COLUMN ocr_words TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE stickers ADD COLUMN ocr_by TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE trash ADD COLUMN ocr_words TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE trash ADD COLUMN ocr_by TEXT NOT NULL DEFAULT '';",
    /* 29: what images look like, and which stickers are no duplicates though they look alike: see sticker_looks.h. */
    "CREATE TABLE sticker_looks ("
    " sticker INTEGER PRIMARY KEY REFERENCES stickers (row) ON DELETE CASCADE, look BLOB NOT NULL) STRICT;"
    "CREATE TABLE not_duplicates ("
    " first_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE," /* by their filenames */
    " second_id TEXT NOT NULL REFERENCES stickers (id) ON DELETE CASCADE,"
    " PRIMARY KEY (first_id, second_id)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX not_duplicates_second ON not_duplicates (second_id);",
};

const struct db_schema sticker_schema_sqlite = {
    .what = "sticker database",
    .application_id = 0x5065534b, /* "PeSK" */
    .count = sizeof migrations / sizeof *migrations,
    .migrations = migrations,
    .sqlite_functions = fts_register,
};
