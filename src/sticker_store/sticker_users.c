/* sticker_users.c: who may see the feedback, and their tokens. All changes are durable: a revoked
 * token or an old password must not come back after a power loss. */
#include "sticker_store/sticker_internal.h"

#include "base/json_out.h"
#include "base/os.h"
#include "base/utf8.h"
#include <stdio.h>
#include <string.h>

enum {
    MAX_NAME = 150,                        /* bytes of a user's name or a token's label */
    TOKEN_USE_NOTED_US = 60 * 1000 * 1000, /* last_used_us is exact to this: a read seldom causes a write */
};

static enum status check_name(const char *what, const char *name, size_t least, struct error *err)
{
    size_t len = strlen(name);
    if (len < least || len > MAX_NAME)
        return err_set(err, ERR_INVALID, "a %s has %zu to %d bytes, found %zu", what, least, MAX_NAME, len);
    if (!utf8_valid(name, len) || utf8_has_control(name, len))
        return err_set(err, ERR_INVALID, "a %s must be UTF-8 without control characters", what);
    return OK;
}

static enum status no_user(const char *username, struct error *err)
{
    return err_set(err, ERR_NOT_FOUND, "user \"%s\" does not exist", username);
}

/* --- users --- */

static enum status user_add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct user *u = arg;
    char id[37];
    int64_t added;
    os_uuid7(id);
    enum status st = db_run(c,
                            "INSERT INTO users (id, username, password_hash, is_staff, is_superuser, is_active,"
                            " created_us, modified_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)"
                            " ON CONFLICT (username) DO NOTHING",
                            DB_ARGS(DB_TEXT(id), DB_TEXT(u->username), DB_TEXT(u->password_hash), DB_INT(u->is_staff),
                                    DB_INT(u->is_superuser), DB_INT(u->is_active), DB_INT(os_now_us())),
                            &added, err);
    if (st == OK && added == 0)
        return err_set(err, ERR_CONFLICT, "user \"%s\" exists already", u->username);
    return st;
}

/* Adds the user with an entry in the history, which says what the admin pages say; `group` is "" for none. */
static enum status add_noted(struct sticker_store *s, db_job *job, void *arg, const struct user *u, const char *group,
                             struct error *err)
{
    struct buf after;
    enum status st = check_name("username", u->username, 1, err);
    if (st != OK)
        return st;
    buf_init(&after, 4096);
    buf_puts(&after, "{\"username\":");
    json_put_string(&after, u->username);
    buf_printf(&after, ",\"password\":\"changed\",\"is_active\":\"%d\",\"is_staff\":\"%d\",\"is_superuser\":\"%d\"",
               u->is_active, u->is_staff, u->is_superuser);
    buf_puts(&after, ",\"groups\":");
    json_put_string(&after, group);
    buf_putc(&after, '}');
    st = sticker_write_noted(s, job, arg, CHANGE_ADD, "users", u->username, after.failed ? NULL : buf_str(&after), err);
    buf_free(&after);
    return st;
}

enum status sticker_store_user_add(struct sticker_store *s, const struct user *u, struct error *err)
{
    return add_noted(s, user_add_job, (void *)(uintptr_t)u, u, "", err);
}

struct member_job {
    const struct user *user;
    const char *group, *permissions;
};

static enum status member_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct member_job *job = arg;
    char id[37];
    os_uuid7(id);
    enum status st = user_add_job(c, (void *)(uintptr_t)job->user, err);
    if (st == OK)
        st = db_run(c,
                    "INSERT INTO groups (id, name, permissions, created_us, modified_us) VALUES ($1, $2, $3, $4, $4)"
                    " ON CONFLICT (name) DO NOTHING",
                    DB_ARGS(DB_TEXT(id), DB_TEXT(job->group), DB_TEXT(job->permissions), DB_INT(os_now_us())), NULL,
                    err);
    return st == OK ? db_run(c,
                             "INSERT INTO user_groups (user_id, group_id)"
                             " SELECT u.id, g.id FROM users u, groups g WHERE u.username = $1 AND g.name = $2",
                             DB_ARGS(DB_TEXT(job->user->username), DB_TEXT(job->group)), NULL, err)
                    : st;
}

#define GROUPS_OF(joined, whose)                                                                                       \
    "SELECT coalesce(" joined "(g.permissions, ' '), '') FROM user_groups m JOIN groups g ON g.id = m.group_id"        \
    " JOIN users u ON u.id = m.user_id WHERE " whose " = $1"

static enum status read_permissions(struct sticker_store *s, bool by_name, const char *who, struct arena *a,
                                    const char **out, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = "";
    db_query(&r, c,
             by_name ? db_sql(c, GROUPS_OF("group_concat", "u.username"), GROUPS_OF("string_agg", "u.username"))
                     : db_sql(c, GROUPS_OF("group_concat", "u.id"), GROUPS_OF("string_agg", "u.id")),
             DB_ARGS(DB_TEXT(who)), err);
    while (db_next(&r))
        *out = db_text(&r, 0, a);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

enum status sticker_store_user_add_to_group(struct sticker_store *s, const struct user *u, const char *group,
                                            const char *wanted, struct arena *a, const char **permissions,
                                            struct error *err)
{
    struct member_job job = {u, group, wanted};
    enum status st = add_noted(s, member_job, &job, u, group, err);
    return st == OK ? read_permissions(s, true, u->username, a, permissions, err) : st;
}

enum status sticker_store_user_permissions(struct sticker_store *s, const char *user_id, struct arena *a,
                                           const char **out, struct error *err)
{
    return read_permissions(s, false, user_id, a, out, err);
}

#define USER_COLUMNS                                                                                                   \
    "u.id, u.username, u.password_hash, u.is_staff, u.is_superuser, u.is_active, u.created_us, u.modified_us,"         \
    " u.totp, u.totp_step"

static void read_user(struct db_rows *r, struct arena *a, struct user *out)
{
    *out = (struct user){
        .id = db_text(r, 0, a),
        .username = db_text(r, 1, a),
        .password_hash = db_text(r, 2, a),
        .is_staff = db_int(r, 3) != 0,
        .is_superuser = db_int(r, 4) != 0,
        .is_active = db_int(r, 5) != 0,
        .created_us = db_int(r, 6),
        .modified_us = db_int(r, 7),
        .totp = db_text(r, 8, a),
        .totp_step = db_int(r, 9),
    };
}

enum status sticker_store_user_get(struct sticker_store *s, const char *username, struct arena *a, struct user *out,
                                   struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    *out = (struct user){0};
    db_query(&r, c, "SELECT " USER_COLUMNS " FROM users u WHERE u.username = $1", DB_ARGS(DB_TEXT(username)), err);
    while (db_next(&r))
        read_user(&r, a, out);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st == OK && !out->username ? no_user(username, err) : st;
}

struct passwd_job {
    const char *username, *password_hash, *kept_session;
};

static enum status passwd_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct passwd_job *job = arg;
    int64_t changed;
    enum status st =
        db_run(c, "UPDATE users SET password_hash = $2, modified_us = $3 WHERE username = $1",
               DB_ARGS(DB_TEXT(job->username), DB_TEXT(job->password_hash), DB_INT(os_now_us())), &changed, err);
    if (st == OK && changed == 0)
        return no_user(job->username, err);
    if (st == OK) /* who knew the old password is logged out */
        st = db_run(c,
                    "DELETE FROM sessions WHERE user_id = (SELECT id FROM users WHERE username = $1)"
                    " AND hash_hex <> $2",
                    DB_ARGS(DB_TEXT(job->username), DB_TEXT(job->kept_session)), NULL, err);
    return st;
}

enum status sticker_store_user_passwd(struct sticker_store *s, const char *username, const char *password_hash,
                                      const char *kept_session, struct error *err)
{
    struct passwd_job job = {username, password_hash, kept_session};
    return sticker_write_noted(s, passwd_job, &job, CHANGE_PASSWORD, "users", username, "", err);
}

static enum status user_delete_job(struct db_conn *c, void *arg, struct error *err)
{
    int64_t changed; /* the user's tokens go with it (ON DELETE CASCADE) */
    enum status st = db_run(c, "DELETE FROM users WHERE username = $1", DB_ARGS(DB_TEXT(arg)), &changed, err);
    return st == OK && changed == 0 ? no_user(arg, err) : st;
}

enum status sticker_store_user_delete(struct sticker_store *s, const char *username, struct error *err)
{
    return sticker_write_noted(s, user_delete_job, (void *)(uintptr_t)username, CHANGE_DELETE, "users", username, "",
                               err);
}

static void read_listed_user(struct db_rows *r, struct arena *a, void *user)
{
    read_user(r, a, user);
}

enum status sticker_store_user_list(struct sticker_store *s, struct arena *a, struct user **out, size_t *n,
                                    struct error *err)
{
    void *users;
    enum status st = db_read_list(s->db, "SELECT " USER_COLUMNS " FROM users u ORDER BY u.username", DB_NONE,
                                  read_listed_user, sizeof **out, a, &users, n, err);
    *out = users;
    return st;
}

/* --- two-factor authentication --- */

struct totp_job {
    const char *username, *totp;
    int64_t step;
    const char *const *hashes;
    size_t n;
    const char *kept_session;
};

#define OF_USER " user_id = (SELECT id FROM users WHERE username = $1)"

static enum status totp_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct totp_job *job = arg;
    int64_t changed;
    enum status st = db_run(c, "UPDATE users SET totp = $2, totp_step = $3, modified_us = $4 WHERE username = $1",
                            DB_ARGS(DB_TEXT(job->username), DB_TEXT(job->totp), DB_INT(job->step), DB_INT(os_now_us())),
                            &changed, err);
    if (st == OK && changed == 0)
        return no_user(job->username, err);
    if (st == OK)
        st = db_run(c, "DELETE FROM recovery_codes WHERE" OF_USER, DB_ARGS(DB_TEXT(job->username)), NULL, err);
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = db_run(c,
                    "INSERT INTO recovery_codes (hash_hex, user_id) SELECT CAST($2 AS text), id FROM users"
                    " WHERE username = $1",
                    DB_ARGS(DB_TEXT(job->username), DB_TEXT(job->hashes[i])), NULL, err);
    return st == OK ? db_run(c, "DELETE FROM sessions WHERE" OF_USER " AND hash_hex <> $2",
                             DB_ARGS(DB_TEXT(job->username), DB_TEXT(job->kept_session)), NULL, err)
                    : st;
}

enum status sticker_store_totp_set(struct sticker_store *s, const char *username, const char *totp, int64_t step,
                                   const char *const *recovery_hashes, size_t n, const char *kept_session,
                                   struct error *err)
{
    struct totp_job job = {username, totp, step, recovery_hashes, n, kept_session};
    return db_write(s->db, DB_DURABLE, totp_job, &job, err);
}

struct used_job {
    const char *user_id, *hash_hex;
    int64_t step, changed;
};

static enum status step_job(struct db_conn *c, void *arg, struct error *err)
{
    struct used_job *job = arg;
    return db_run(c, "UPDATE users SET totp_step = $2 WHERE id = $1 AND totp_step < $2",
                  DB_ARGS(DB_TEXT(job->user_id), DB_INT(job->step)), &job->changed, err);
}

enum status sticker_store_totp_step(struct sticker_store *s, const char *user_id, int64_t step, bool *fresh,
                                    struct error *err)
{
    struct used_job job = {.user_id = user_id, .step = step};
    enum status st = db_write(s->db, DB_DURABLE, step_job, &job, err);
    *fresh = st == OK && job.changed > 0;
    return st;
}

static enum status recovery_job(struct db_conn *c, void *arg, struct error *err)
{
    struct used_job *job = arg;
    return db_run(c, "DELETE FROM recovery_codes WHERE user_id = $1 AND hash_hex = $2",
                  DB_ARGS(DB_TEXT(job->user_id), DB_TEXT(job->hash_hex)), &job->changed, err);
}

enum status sticker_store_recovery_use(struct sticker_store *s, const char *user_id, const char *hash_hex, bool *found,
                                       struct error *err)
{
    struct used_job job = {.user_id = user_id, .hash_hex = hash_hex};
    enum status st = db_write(s->db, DB_DURABLE, recovery_job, &job, err);
    *found = st == OK && job.changed > 0;
    return st;
}

enum status sticker_store_recovery_left(struct sticker_store *s, const char *user_id, int64_t *left, struct error *err)
{
    return db_read_int(s->db, "SELECT count(*) FROM recovery_codes WHERE user_id = $1", DB_ARGS(DB_TEXT(user_id)), left,
                       NULL, err);
}

/* --- tokens --- */

struct token_job {
    const char *username, *label, *hash_hex;
    int64_t expires_us;
};

static enum status token_add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct token_job *job = arg;
    int64_t one, added;
    bool found;
    enum status st =
        db_get_int(c, "SELECT 1 FROM users WHERE username = $1", DB_ARGS(DB_TEXT(job->username)), &one, &found, err);
    if (st != OK)
        return st;
    if (!found)
        return no_user(job->username, err);
    char id[37];
    os_uuid7(id);
    st = db_run(c,
                "INSERT INTO tokens (id, user_id, label, hash_hex, last_used_us, expires_us, created_us, modified_us)"
                " SELECT $1, id, $3, $4, 0, $6, $5, $5 FROM users WHERE username = $2"
                " ON CONFLICT (hash_hex) DO NOTHING",
                DB_ARGS(DB_TEXT(id), DB_TEXT(job->username), DB_TEXT(job->label), DB_TEXT(job->hash_hex),
                        DB_INT(os_now_us()), DB_INT(job->expires_us)),
                &added, err);
    return st == OK && added == 0 ? err_set(err, ERR_CONFLICT, "this token exists already") : st;
}

enum status sticker_store_token_add(struct sticker_store *s, const char *username, const char *label,
                                    const char *hash_hex, int64_t expires_us, struct error *err)
{
    enum status st = check_name("token label", label, 0, err);
    if (st != OK)
        return st;
    struct token_job job = {username, label, hash_hex, expires_us};
    struct buf after;
    buf_init(&after, 4096);
    buf_puts(&after, "{\"username\":");
    json_put_string(&after, username);
    buf_puts(&after, ",\"label\":");
    json_put_string(&after, label);
    buf_putc(&after, '}');
    st = sticker_write_noted(s, token_add_job, &job, CHANGE_ADD, "tokens", label, after.failed ? NULL : buf_str(&after),
                             err);
    buf_free(&after);
    return st;
}

static void read_token(struct db_rows *r, struct arena *a, void *token)
{
    *(struct token *)token = (struct token){
        .id = db_text(r, 0, a),
        .username = db_text(r, 1, a),
        .label = db_text(r, 2, a),
        .hash_hex = db_text(r, 3, a),
        .created_us = db_int(r, 4),
        .last_used_us = db_int(r, 5),
        .expires_us = db_int(r, 6),
    };
}

enum status sticker_store_token_list(struct sticker_store *s, struct arena *a, struct token **out, size_t *n,
                                     struct error *err)
{
    void *tokens;
    enum status st =
        db_read_list(s->db,
                     "SELECT t.id, u.username, t.label, t.hash_hex, t.created_us, t.last_used_us, t.expires_us"
                     " FROM tokens t JOIN users u ON u.id = t.user_id ORDER BY u.username, t.id",
                     DB_NONE, read_token, sizeof **out, a, &tokens, n, err);
    *out = tokens;
    return st;
}

static enum status token_revoke_job(struct db_conn *c, void *arg, struct error *err)
{
    const char *id = arg;
    int64_t changed;
    enum status st = db_run(c, "DELETE FROM tokens WHERE id = $1", DB_ARGS(DB_TEXT(id)), &changed, err);
    return st == OK && changed == 0 ? err_set(err, ERR_NOT_FOUND, "token \"%s\" does not exist", id) : st;
}

enum status sticker_store_token_revoke(struct sticker_store *s, const char *id, struct error *err)
{
    return sticker_write_noted(s, token_revoke_job, (void *)(uintptr_t)id, CHANGE_DELETE, "tokens", id, "", err);
}

static enum status token_used_job(struct db_conn *c, void *arg, struct error *err)
{
    return db_run(c, "UPDATE tokens SET last_used_us = $2, modified_us = $2 WHERE hash_hex = $1",
                  DB_ARGS(DB_TEXT(arg), DB_INT(os_now_us())), NULL, err);
}

enum status sticker_store_token_user(struct sticker_store *s, const char *hash_hex, struct arena *a, struct user *out,
                                     struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    struct db_rows r;
    int64_t last_used = 0, expires = 0, now = os_now_us();
    *out = (struct user){0};
    db_query(&r, c,
             "SELECT " USER_COLUMNS ", t.last_used_us, t.expires_us FROM tokens t JOIN users u ON u.id = t.user_id"
             " WHERE t.hash_hex = $1",
             DB_ARGS(DB_TEXT(hash_hex)), err);
    while (db_next(&r)) {
        read_user(&r, a, out);
        last_used = db_int(&r, 10);
        expires = db_int(&r, 11);
    }
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    if (st == OK && !out->username)
        return err_set(err, ERR_NOT_FOUND, "unknown token");
    if (st == OK && expires && expires <= now) {
        char when[28];
        os_format_time(expires, when);
        return err_set(err, ERR_DENIED, "This token expired on %.10s at %.5s UTC. Create a new one.", when, when + 11);
    }
    /* When the note cannot be written the token is no less valid. */
    if (st == OK && now - last_used > TOKEN_USE_NOTED_US)
        (void)!db_write(s->db, DB_FAST, token_used_job, (void *)(uintptr_t)hash_hex, NULL);
    return st;
}

/* --- keys of apps --- */

struct app_key_job {
    const struct app_key *keys;
    size_t n;
};

static enum status app_key_add_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct app_key *k = arg;
    int64_t added, now_us = os_now_us();
    enum status st =
        db_run(c,
               "INSERT INTO app_keys (name, hash_hex, per_minute, requests, last_used_us, created_us,"
               " modified_us) VALUES ($1, $2, $3, 0, 0, $4, $4) ON CONFLICT (name) DO NOTHING",
               DB_ARGS(DB_TEXT(k->name), DB_TEXT(k->hash_hex), DB_INT(k->per_minute), DB_INT(now_us)), &added, err);
    return st == OK && !added ? err_set(err, ERR_CONFLICT, "a key named \"%s\" exists already", k->name) : st;
}

enum status sticker_store_app_key_add(struct sticker_store *s, const char *name, const char *hash_hex,
                                      int64_t per_minute, struct error *err)
{
    struct app_key key = {.name = name, .hash_hex = hash_hex, .per_minute = per_minute};
    char after[64];
    enum status st = check_name("name of the key", name, 1, err);
    snprintf(after, sizeof after, "{\"per_minute\":%lld}", (long long)per_minute);
    return st == OK ? sticker_write_noted(s, app_key_add_job, &key, CHANGE_ADD, "app_keys", name, after, err) : st;
}

static enum status app_key_delete_job(struct db_conn *c, void *arg, struct error *err)
{
    const char *name = arg;
    int64_t changed;
    enum status st = db_run(c, "DELETE FROM app_keys WHERE name = $1", DB_ARGS(DB_TEXT(name)), &changed, err);
    return st == OK && !changed ? err_set(err, ERR_NOT_FOUND, "there is no key named \"%s\"", name) : st;
}

enum status sticker_store_app_key_delete(struct sticker_store *s, const char *name, struct error *err)
{
    return sticker_write_noted(s, app_key_delete_job, (void *)(uintptr_t)name, CHANGE_DELETE, "app_keys", name, "",
                               err);
}

static void read_app_key(struct db_rows *r, struct arena *a, void *key)
{
    *(struct app_key *)key = (struct app_key){.name = db_text(r, 0, a),
                                              .hash_hex = db_text(r, 1, a),
                                              .per_minute = db_int(r, 2),
                                              .requests = db_int(r, 3),
                                              .last_used_us = db_int(r, 4),
                                              .created_us = db_int(r, 5)};
}

enum status sticker_store_app_key_list(struct sticker_store *s, struct arena *a, struct app_key **out, size_t *n,
                                       struct error *err)
{
    void *keys;
    enum status st = db_read_list(
        s->db, "SELECT name, hash_hex, per_minute, requests, last_used_us, created_us FROM app_keys ORDER BY name",
        DB_NONE, read_app_key, sizeof **out, a, &keys, n, err);
    *out = keys;
    return st;
}

static enum status app_key_used_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct app_key_job *job = arg;
    enum status st = OK;
    for (size_t i = 0; i < job->n && st == OK; i++)
        st = db_run(
            c, "UPDATE app_keys SET requests = requests + $2, last_used_us = $3, modified_us = $3 WHERE name = $1",
            DB_ARGS(DB_TEXT(job->keys[i].name), DB_INT(job->keys[i].requests), DB_INT(job->keys[i].last_used_us)), NULL,
            err);
    return st;
}

enum status sticker_store_app_key_used(struct sticker_store *s, const struct app_key *keys, size_t n, struct error *err)
{
    return db_write(s->db, DB_FAST, app_key_used_job, &(struct app_key_job){keys, n}, err);
}
