/* sticker_admin_changes.c: what admins change, each change with its history entry in the same transaction. */
#include "sticker_store/sticker_internal.h"

#include "base/os.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct change_job {
    const struct admin_who *who;
    const struct admin_change *changes;
    size_t n;
    struct feedback_once *once; /* NULL: every request counts */
};

static const char *field(const struct admin_change *ch, const char *name) /* NULL: it stays as it is */
{
    for (size_t i = 0; i < ch->n_fields; i++)
        if (strcmp(ch->fields[i].name, name) == 0)
            return ch->fields[i].value;
    return NULL;
}

static int64_t number(const struct admin_change *ch, const char *name)
{
    const char *text = field(ch, name);
    return text ? strtoll(text, NULL, 10) : 0;
}

static enum status taken(const char *what, const char *name, struct error *err)
{
    return err_set(err, ERR_INVALID, "A %s named \"%.100s\" already exists.", what, name);
}

enum status sticker_check_seen(struct db_conn *c, const char *sql, const struct admin_change *ch, struct error *err)
{
    int64_t modified;
    bool found;
    enum status st = db_get_int(c, sql, DB_ARGS(DB_TEXT(ch->id)), &modified, &found, err);
    if (st == OK && !found)
        return err_set(err, ERR_NOT_FOUND, "This page does not exist or was deleted.");
    if (st == OK && ch->seen_us && modified != ch->seen_us)
        return err_set(err, ERR_CONFLICT, "Someone else has changed it in the meantime.");
    return st;
}

/* --- one function per list --- */

static enum status change_sticker(struct db_conn *c, const struct admin_who *who, const struct admin_change *ch,
                                  struct error *err)
{
    enum status st = sticker_alone(c, err);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_ADD) {
        st = sticker_add(c, ch->sticker, ch->terms, err);
        return st == ERR_CONFLICT ? taken("sticker", ch->sticker->filename, err) : st;
    }
    st = sticker_check_seen(c, STICKER_SEEN(c, "stickers", "filename"), ch, err);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_UPDATE)
        return sticker_update(c, ch->sticker, ch->terms, err);
    if (ch->op == CHANGE_DELETE)
        return sticker_delete(c, ch->id, who, err);
    if (ch->op == CHANGE_PICTURE)
        st = sticker_update_image(c, ch->id, ch->sticker, err);
    if (st != OK)
        return st;
    return sticker_outbox_queue(c, ch->op == CHANGE_REINDEX ? "reindex" : "put", ch->id, err);
}

static enum status change_query(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    const char *query = field(ch, "query");
    bool added;
    if (ch->op == CHANGE_ADD) {
        enum status st = sticker_query_add(c, query, number(ch, "usage"), &added, err);
        if (st == OK && !added)
            return taken("query", query, err);
        return st == OK ? sticker_queries_list(c, err) : st;
    }
    enum status st = sticker_check_seen(c, STICKER_SEEN(c, "queries", "id"), ch, err);
    if (st == OK)
        st = sticker_notes_settle(c, err);
    if (st == OK && ch->op == CHANGE_UPDATE) {
        int64_t other;
        bool found;
        st = db_get_int(c, "SELECT 1 FROM queries WHERE query = $1 AND id <> $2",
                        DB_ARGS(DB_TEXT(query), DB_TEXT(ch->id)), &other, &found, err);
        if (st == OK && found)
            return taken("query", query, err);
    }
    if (st == OK)
        st = sticker_query_words_move(c, ch->id, ch->op == CHANGE_DELETE ? NULL : query, err);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_DELETE)
        return db_run(c, "DELETE FROM queries WHERE id = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err);
    return db_run(c, "UPDATE queries SET query = $2, usage = $3, modified_us = $4 WHERE id = $1",
                  DB_ARGS(DB_TEXT(ch->id), DB_TEXT(query), DB_INT(number(ch, "usage")), DB_INT(os_now_us())), NULL,
                  err);
}

/* With the votes of those who say who they are, so that each can vote again. */
static enum status delete_score(struct db_conn *c, const char *id, struct error *err)
{
    enum status st = db_run(c,
                            "DELETE FROM votes WHERE query_id = (SELECT query_id FROM scores WHERE id = $1)"
                            " AND sticker_id = (SELECT sticker_id FROM scores WHERE id = $1)",
                            DB_ARGS(DB_TEXT(id)), NULL, err);
    return st == OK ? db_run(c, "DELETE FROM scores WHERE id = $1", DB_ARGS(DB_TEXT(id)), NULL, err) : st;
}

static enum status change_score(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    if (ch->op == CHANGE_ADD) {
        char id[37];
        int64_t changed, one;
        bool found;
        os_uuid7(id);
        enum status st = db_get_int(c, "SELECT 1 FROM queries WHERE query = $1", DB_ARGS(DB_TEXT(field(ch, "query"))),
                                    &one, &found, err);
        if (st == OK && !found)
            return err_set(err, ERR_INVALID, "This query does not exist.");
        if (st == OK)
            st = db_get_int(c, "SELECT 1 FROM stickers WHERE filename = $1", DB_ARGS(DB_TEXT(field(ch, "sticker"))),
                            &one, &found, err);
        if (st == OK && !found)
            return err_set(err, ERR_INVALID, "This sticker does not exist.");
        if (st == OK)
            st = db_run(c,
                        "INSERT INTO scores (id, query_id, sticker_id, positives, negatives, created_us, modified_us)"
                        " SELECT $1, q.id, k.id, $4, $5, $6, $6 FROM queries q, stickers k"
                        " WHERE q.query = $2 AND k.filename = $3 ON CONFLICT (query_id, sticker_id) DO NOTHING",
                        DB_ARGS(DB_TEXT(id), DB_TEXT(field(ch, "query")), DB_TEXT(field(ch, "sticker")),
                                DB_INT(number(ch, "positives")), DB_INT(number(ch, "negatives")), DB_INT(os_now_us())),
                        &changed, err);
        return st == OK && changed == 0 ? taken("score of this query and", field(ch, "sticker"), err) : st;
    }
    enum status st = sticker_check_seen(c, STICKER_SEEN(c, "scores", "id"), ch, err);
    if (st == OK && ch->op == CHANGE_DELETE)
        return delete_score(c, ch->id, err);
    if (st == OK)
        st = db_run(c, "UPDATE scores SET positives = $2, negatives = $3, modified_us = $4 WHERE id = $1",
                    DB_ARGS(DB_TEXT(ch->id), DB_INT(number(ch, "positives")), DB_INT(number(ch, "negatives")),
                            DB_INT(os_now_us())),
                    NULL, err);
    return st;
}

static enum status put_groups(struct db_conn *c, const char *user_id, const char *groups, struct error *err)
{
    enum status st = db_run(c, "DELETE FROM user_groups WHERE user_id = $1", DB_ARGS(DB_TEXT(user_id)), NULL, err);
    for (size_t n; *groups && st == OK; groups += n + (groups[n] == ' ')) {
        char id[37];
        n = strcspn(groups, " ");
        snprintf(id, sizeof id, "%.*s", n < sizeof id ? (int)n : 0, groups);
        st = db_run(c,
                    "INSERT INTO user_groups (user_id, group_id) SELECT $1, id FROM groups WHERE id = $2"
                    " ON CONFLICT DO NOTHING",
                    DB_ARGS(DB_TEXT(user_id), DB_TEXT(id)), NULL, err);
    }
    return st;
}

/* Somebody must be left who may do everything. */
static enum status check_superuser(struct db_conn *c, struct error *err)
{
    int64_t left;
    enum status st = db_get_int(c, "SELECT count(*) FROM users WHERE is_superuser <> 0 AND is_active <> 0", DB_NONE,
                                &left, NULL, err);
    return st == OK && left == 0
               ? err_set(err, ERR_INVALID, "This is the last active superuser. Make another user a superuser first.")
               : st;
}

static enum status update_user(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    const char *hash = field(ch, "password_hash");
    int64_t same;
    bool found;
    enum status st = db_get_int(c, "SELECT 1 FROM users WHERE username = $1 AND id <> $2",
                                DB_ARGS(DB_TEXT(field(ch, "username")), DB_TEXT(ch->id)), &same, &found, err);
    if (st == OK && found)
        return taken("user", field(ch, "username"), err);
    if (st == OK)
        st = db_run(c,
                    "UPDATE users SET username = $2, is_active = $3, is_staff = $4, is_superuser = $5, modified_us = $6"
                    " WHERE id = $1",
                    DB_ARGS(DB_TEXT(ch->id), DB_TEXT(field(ch, "username")), DB_INT(number(ch, "is_active")),
                            DB_INT(number(ch, "is_staff")), DB_INT(number(ch, "is_superuser")), DB_INT(os_now_us())),
                    NULL, err);
    if (st == OK && hash)
        st = db_run(c, "UPDATE users SET password_hash = $2 WHERE id = $1", DB_ARGS(DB_TEXT(ch->id), DB_TEXT(hash)),
                    NULL, err);
    if (st == OK && hash)
        st = db_run(c, "DELETE FROM sessions WHERE user_id = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err);
    return st;
}

static enum status change_user(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    char id[37];
    /* One after the other, or two could take each other's rights and leave nobody. */
    enum status st = db_lock(c, "LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE", err);
    if (st != OK)
        return st;
    if (ch->op == CHANGE_ADD) {
        int64_t added;
        os_uuid7(id);
        st = db_run(c,
                    "INSERT INTO users (id, username, password_hash, is_active, is_staff, is_superuser,"
                    " created_us, modified_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
                    " ON CONFLICT (username) DO NOTHING",
                    DB_ARGS(DB_TEXT(id), DB_TEXT(field(ch, "username")), DB_TEXT(field(ch, "password_hash")),
                            DB_INT(number(ch, "is_active")), DB_INT(number(ch, "is_staff")),
                            DB_INT(number(ch, "is_superuser")), DB_INT(os_now_us())),
                    &added, err);
        if (st == OK && added == 0)
            return taken("user", field(ch, "username"), err);
    } else {
        snprintf(id, sizeof id, "%s", ch->id);
        st = sticker_check_seen(c, STICKER_SEEN(c, "users", "id"), ch, err);
        if (st == OK && ch->op == CHANGE_DELETE)
            st = db_run(c, "DELETE FROM users WHERE id = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err);
        else if (st == OK)
            st = update_user(c, ch, err);
    }
    if (st == OK && ch->op != CHANGE_DELETE && field(ch, "groups"))
        st = put_groups(c, id, field(ch, "groups"), err);
    return st == OK ? check_superuser(c, err) : st;
}

static enum status change_group(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    int64_t changed;
    if (ch->op == CHANGE_ADD) {
        char id[37];
        os_uuid7(id);
        enum status st = db_run(
            c,
            "INSERT INTO groups (id, name, permissions, created_us, modified_us)"
            " VALUES ($1, $2, $3, $4, $4) ON CONFLICT (name) DO NOTHING",
            DB_ARGS(DB_TEXT(id), DB_TEXT(field(ch, "name")), DB_TEXT(field(ch, "permissions")), DB_INT(os_now_us())),
            &changed, err);
        return st == OK && changed == 0 ? taken("group", field(ch, "name"), err) : st;
    }
    enum status st = sticker_check_seen(c, STICKER_SEEN(c, "groups", "id"), ch, err);
    if (st == OK && ch->op == CHANGE_DELETE)
        return db_run(c, "DELETE FROM groups WHERE id = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err);
    if (st == OK)
        st = db_run(c,
                    "UPDATE groups SET name = $2, permissions = $3, modified_us = $4 WHERE id = $1"
                    " AND NOT EXISTS (SELECT 1 FROM groups WHERE name = $2 AND id <> $1)",
                    DB_ARGS(DB_TEXT(ch->id), DB_TEXT(field(ch, "name")), DB_TEXT(field(ch, "permissions")),
                            DB_INT(os_now_us())),
                    &changed, err);
    else
        return st;
    return st == OK && changed == 0 ? taken("group", field(ch, "name"), err) : st;
}

static enum status change_token(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    if (ch->op == CHANGE_ADD) {
        char id[37];
        int64_t added;
        os_uuid7(id);
        enum status st = db_run(
            c,
            "INSERT INTO tokens (id, user_id, label, hash_hex, last_used_us, expires_us, created_us, modified_us)"
            " SELECT $1, id, $3, $4, 0, $6, $5, $5 FROM users WHERE username = $2",
            DB_ARGS(DB_TEXT(id), DB_TEXT(field(ch, "username")), DB_TEXT(field(ch, "label")),
                    DB_TEXT(field(ch, "hash_hex")), DB_INT(os_now_us()), DB_INT(number(ch, "expires_us"))),
            &added, err);
        return st == OK && added == 0 ? err_set(err, ERR_INVALID, "This user does not exist.") : st;
    }
    enum status st = sticker_check_seen(c, STICKER_SEEN(c, "tokens", "id"), ch, err);
    return st == OK ? db_run(c, "DELETE FROM tokens WHERE id = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err) : st;
}

/* A session can only be ended. */
static enum status change_session(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    if (ch->op != CHANGE_DELETE)
        return err_set(err, ERR_INVALID, "A session can only be ended.");
    return db_run(c, "DELETE FROM sessions WHERE hash_hex = $1", DB_ARGS(DB_TEXT(ch->id)), NULL, err);
}

/* Restoring a sticker, or deleting it for good: its image goes after the transaction, see sticker_trash.c. */
static enum status change_trash(struct db_conn *c, const struct admin_change *ch, struct error *err)
{
    int64_t changed;
    enum status st = sticker_alone(c, err);
    if (st == OK && ch->op == CHANGE_RESTORE) {
        st = sticker_trash_restore(c, ch->sticker, ch->terms, err);
        return st == ERR_CONFLICT ? taken("sticker", ch->sticker->filename, err) : st;
    }
    if (st == OK && ch->op != CHANGE_DELETE)
        return err_set(err, ERR_INVALID, "What is in the trash can only be restored or deleted.");
    if (st == OK)
        st = db_run(c, "UPDATE trash SET emptied = 1 WHERE filename = $1", DB_ARGS(DB_TEXT(ch->id)), &changed, err);
    return st == OK && !changed ? err_set(err, ERR_NOT_FOUND, "\"%s\" is no longer in the trash.", ch->id) : st;
}

/* --- all of them --- */

enum status sticker_note(struct db_conn *c, const struct admin_who *who, enum change_op op, const char *list,
                         const char *object, const char *after, struct error *err)
{
    struct admin_change what = {.op = op, .list = list, .object = object, .before = "", .after = after};
    return who ? sticker_note_change(c, who, &what, err) : OK;
}

struct noted_job {
    db_job *job;
    void *arg;
    const struct admin_who *who;
    enum change_op op;
    const char *list, *object, *after;
};

static enum status noted_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct noted_job *n = arg;
    enum status st = n->job(c, n->arg, err);
    return st == OK ? sticker_note(c, n->who, n->op, n->list, n->object, n->after, err) : st;
}

enum status sticker_write_noted(struct sticker_store *s, db_job *job, void *arg, enum change_op op, const char *list,
                                const char *object, const char *after, struct error *err)
{
    struct noted_job noted = {job, arg, s->who, op, list, object, after};
    return after ? db_write(s->db, DB_DURABLE, noted_job, &noted, err) : err_no_memory(err, "the history");
}

void sticker_store_act_as(struct sticker_store *s, const struct admin_who *who)
{
    s->who = who;
}

static enum status change_job(struct db_conn *c, void *arg, struct error *err)
{
    static const struct {
        const char *list;
        enum status (*change)(struct db_conn *c, const struct admin_change *ch, struct error *err);
    } lists[] = {
        {"queries", change_query},     {"scores", change_score},          {"users", change_user},
        {"groups", change_group},      {"tokens", change_token},          {"sessions", change_session},
        {"trash", change_trash},       {"pins", sticker_change_curation}, {"synonyms", sticker_change_curation},
        {"packs", sticker_change_pack}};
    const struct change_job *job = arg;
    bool ours = true;
    enum status st = job->once ? sticker_once_begin(c, job->once, &ours, err) : OK;
    if (st != OK || !ours)
        return st;
    st = sticker_history_begin(c, err);
    for (size_t i = 0; i < job->n && st == OK; i++) {
        const struct admin_change *ch = &job->changes[i];
        bool changes = !ch->done && ch->op < CHANGE_LOGIN, sticker = changes && strcmp(ch->list, "stickers") == 0;
        size_t k = 0;
        while (changes && !sticker && strcmp(lists[k].list, ch->list) != 0)
            k++;
        if (changes)
            st = sticker ? change_sticker(c, job->who, ch, err) : lists[k].change(c, ch, err);
        if (st == OK)
            st = sticker_note_change(c, job->who, ch, err);
    }
    return st;
}

enum status sticker_store_change_once(struct sticker_store *s, const struct admin_who *who,
                                      const struct admin_change *changes, size_t n, struct feedback_once *once,
                                      struct error *err)
{
    return sticker_write(s, change_job, &(struct change_job){who, changes, n, once}, err);
}

enum status sticker_store_change(struct sticker_store *s, const struct admin_who *who,
                                 const struct admin_change *changes, size_t n, struct error *err)
{
    return sticker_store_change_once(s, who, changes, n, NULL, err);
}
