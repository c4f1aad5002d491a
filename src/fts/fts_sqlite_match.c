/* fts_sqlite_match.c: one pass over the matches.
 *
 * FTS5's own bm25() walks each term's matches a second time to count them, and looks up every document's
 * length in a table. Here auxiliary functions note, for each match, which terms it has and how weighty;
 * a match has at least one of the terms, so when the pass ends these notes also hold how common each term
 * is, and fts_rank.c computes the scores from them. */
#include "db/sqlite.h"
#include "fts/fts_sqlite.h"

#include <sqlite3.h>

enum { FOLDED = 3 /* the column of unstemmed words */, TITLES = 0, LANGUAGES = 1 /* the first of a language */ };

/* A word counts as often in the title, and in the words, in any language. */
static const double weights[] = {FTS_WEIGHT_TITLE, FTS_WEIGHT_WORDS, FTS_WEIGHT_FILENAME, 1};

static int result(bool ok)
{
    return ok ? SQLITE_OK : SQLITE_NOMEM;
}

static int note_phrase(const Fts5ExtensionApi *api, Fts5Context *fts, const struct fts_pass *pass, int phrase)
{
    Fts5PhraseIter it;
    int column, offset;
    double tf = 0;
    int rc = api->xPhraseFirst(fts, phrase, &it, &column, &offset);
    if (rc != SQLITE_OK)
        return rc;
    for (; column >= 0; api->xPhraseNext(fts, &it, &column, &offset)) {
        if (column <= FOLDED) /* a damaged index may say anything */
            tf += weights[column];
    }
    const struct fts_rank *r = pass->rank;
    int stem = (size_t)phrase < r->n_asked ? r->asked[phrase] : (int)r->n_stems; /* or the prefix */
    return tf > 0 ? result(fts_collect_note(pass->into, stem, tf, false)) : SQLITE_OK;
}

/* Only languages count that have the word in this form: "gat" is a cat in Spanish, but a hole in Dutch. */
static int note_form(const Fts5ExtensionApi *api, Fts5Context *fts, const struct fts_pass *pass, int phrase)
{
    const struct term_query *q = pass->rank->q;
    const struct word_form *form =
        (size_t)phrase < pass->rank->n_forms ? &q->forms[phrase] : NULL; /* NULL: the prefix */
    Fts5PhraseIter it;
    int column;
    bool titled = false, preferred = false;
    unsigned known = 0; /* in how many languages */
    int rc = api->xPhraseFirstColumn(fts, phrase, &it, &column);
    if (rc != SQLITE_OK)
        return rc;
    for (; column >= 0; api->xPhraseNextColumn(fts, &it, &column)) {
        unsigned language = (unsigned)(column - LANGUAGES);
        if (column == TITLES)
            titled = true;
        else if (language < LANGUAGE_COUNT && (!form || language_set_has(&form->in, language))) {
            known++;
            preferred = preferred || language == q->language;
        }
    }
    return known > 0 ? result(fts_collect_note(pass->into, phrase, fts_form_tf(titled, preferred, known), preferred))
                     : SQLITE_OK;
}

typedef int note_fn(const Fts5ExtensionApi *api, Fts5Context *fts, const struct fts_pass *pass, int phrase);

static void collect_match(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_args,
                          sqlite3_value **args, note_fn *note)
{
    const struct fts_pass *pass = n_args == 1 ? sqlite3_value_pointer(args[0], SQLITE_POINTER_TYPE) : NULL;
    int rc = pass ? SQLITE_OK : SQLITE_MISUSE;
    size_t before = pass ? pass->into->n_notes : 0;
    int phrases = api->xPhraseCount(fts);
    for (int i = 0; i < phrases && rc == SQLITE_OK; i++)
        rc = note(api, fts, pass, i);
    sqlite3_int64 row = api->xRowid(fts);
    if (rc == SQLITE_OK && pass->into->n_notes > before)
        rc = result(fts_collect_match(pass->into, row >> FTS_LENGTH_BITS, (double)(row & FTS_MAX_LENGTH)));
    if (rc != SQLITE_OK)
        sqlite3_result_error_code(ctx, rc);
}

/* peel_collect(fts, pass), peel_collect_languages(fts, pass): called by SQLite for each match. */
static void collect_words(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_args,
                          sqlite3_value **args)
{
    collect_match(api, fts, ctx, n_args, args, note_phrase);
}

static void collect_languages(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_args,
                              sqlite3_value **args)
{
    collect_match(api, fts, ctx, n_args, args, note_form);
}

/* peel_totals(fts, struct fts_totals *): called for any one row. */
static void totals(const Fts5ExtensionApi *api, Fts5Context *fts, sqlite3_context *ctx, int n_args,
                   sqlite3_value **args)
{
    struct fts_totals *out = n_args == 1 ? sqlite3_value_pointer(args[0], SQLITE_POINTER_TYPE) : NULL;
    sqlite3_int64 documents = 0, words, all = 0;
    int rc = out ? api->xRowCount(fts, &documents) : SQLITE_MISUSE;
    for (int column = 0; column < FOLDED && rc == SQLITE_OK; column++) {
        rc = api->xColumnTotalSize(fts, column, &words);
        all += words;
    }
    if (rc != SQLITE_OK) {
        sqlite3_result_error_code(ctx, rc);
        return;
    }
    *out = fts_totals_of(documents, all);
}

int fts_register(struct sqlite3 *handle)
{
    fts5_api *api = NULL;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(handle, "SELECT fts5(?1)", -1, &stmt, NULL);
    if (rc == SQLITE_OK && (rc = sqlite3_bind_pointer(stmt, 1, &api, "fts5_api_ptr", NULL)) == SQLITE_OK)
        sqlite3_step(stmt);
    sqlite3_finalize(stmt);
    if (rc != SQLITE_OK || !api)
        return rc != SQLITE_OK ? rc : SQLITE_ERROR;
    rc = api->xCreateFunction(api, "peel_collect", NULL, collect_words, NULL);
    if (rc == SQLITE_OK)
        rc = api->xCreateFunction(api, "peel_collect_languages", NULL, collect_languages, NULL);
    return rc == SQLITE_OK ? api->xCreateFunction(api, "peel_totals", NULL, totals, NULL) : rc;
}
