/* sticker_history.c: the history is a chain: nobody who can write to the database can change, remove or insert an entry
 * unnoticed, unless they also make anew every later hash, which whoever noted one elsewhere then notices.
 *
 * 1. Entries are numbered 1, 2, 3, ... without gaps. history_head has the number and the hash of the last one; whoever
 *    adds an entry holds its row until the transaction ends, so that entries of all processes follow each other.
 * 2. What may have to be erased one day is not in an entry's hash itself, but a commitment to it is: SHA-256 over a
 *    random salt and the value. There are three: the username, the address, and the content (object, before, after).
 *    A proof is the salt and the commitment in hex. Erasing a value also erases its salt, so that nobody can find the
 *    value by trying; the commitment stays, and with it the chain.
 * 3. An entry's hash is SHA-256 over the hash before it ("" for the first), row, at_us, action, model, batch and the
 *    three commitments.
 * 4. What is hashed is a sequence of texts, each written as a netstring ("5:hello,"), numbers in decimal: so no two
 *    different sequences are the same bytes.
 * 5. Entries of a schema without hashes get theirs when a store is opened, in one transaction. */
#include "sticker_store/sticker_history.h"
#include "sticker_store/sticker_imports.h"
#include "sticker_store/sticker_internal.h"

#include "base/os.h"
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define COMMITMENT  64           /* hex digits */
#define SALT        32           /* hex digits, of 128 bits */
#define MAX_HASHED  (16u << 20)  /* bytes of one entry */
#define PAGE        200          /* entries read at once */
#define PAGE_MEMORY (512u << 20) /* an entry has at most 2 MiB of JSON */

/* --- hashes --- */

static void put_text(struct buf *out, const char *s)
{
    buf_printf(out, "%zu:", strlen(s));
    buf_puts(out, s);
    buf_putc(out, ',');
}

static void put_number(struct buf *out, int64_t n)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, n);
    put_text(out, text);
}

/* Frees the buffer. */
static enum status digest(struct buf *b, char out[HISTORY_HASH_SIZE], struct error *err)
{
    enum status st = buf_status(b, err);
    if (st == OK)
        os_sha256_hex(buf_str(b), b->len, out);
    buf_free(b);
    return st;
}

static enum status commit_to(const char *salt, const char *const *values, size_t n, char out[HISTORY_HASH_SIZE],
                             struct error *err)
{
    struct buf b;
    buf_init(&b, MAX_HASHED);
    put_text(&b, salt);
    for (size_t i = 0; i < n; i++)
        put_text(&b, values[i]);
    return digest(&b, out, err);
}

#define PROOF_SIZE (SALT + COMMITMENT + 1)

static enum status make_proof(const char *const *values, size_t n, char proof[PROOF_SIZE], struct error *err)
{
    unsigned char random[SALT / 2];
    os_random(random, sizeof random);
    sodium_bin2hex(proof, SALT + 1, random, sizeof random);
    char commitment[HISTORY_HASH_SIZE];
    enum status st = commit_to(proof, values, n, commitment, err);
    if (st == OK)
        memcpy(proof + SALT, commitment, sizeof commitment);
    return st;
}

/* The part of a proof that stays when its value is erased; "" when it is no proof. */
static const char *commitment_in(const char *proof)
{
    size_t len = strlen(proof);
    return len == SALT + COMMITMENT || len == COMMITMENT ? proof + len - COMMITMENT : "";
}

static bool is_erased(const char *proof)
{
    return strlen(proof) == COMMITMENT;
}

static enum status hash_entry(const struct history_entry *e, const char *previous, char out[HISTORY_HASH_SIZE],
                              struct error *err)
{
    struct buf b;
    buf_init(&b, MAX_HASHED);
    put_text(&b, previous);
    put_number(&b, e->row);
    put_number(&b, e->at_us);
    put_text(&b, e->action);
    put_text(&b, e->model);
    put_text(&b, e->batch);
    put_text(&b, commitment_in(e->username_proof));
    put_text(&b, commitment_in(e->address_proof));
    put_text(&b, commitment_in(e->content_proof));
    return digest(&b, out, err);
}

/* Makes the proofs and the hash of an entry that has none. */
struct sealed {
    char username[PROOF_SIZE], address[PROOF_SIZE], content[PROOF_SIZE], hash[HISTORY_HASH_SIZE];
};
static enum status seal(struct history_entry *e, const char *previous, struct sealed *out, struct error *err)
{
    const char *content[] = {e->object, e->before, e->after};
    enum status st = make_proof(&e->username, 1, out->username, err);
    if (st == OK)
        st = make_proof(&e->address, 1, out->address, err);
    if (st == OK)
        st = make_proof(content, 3, out->content, err);
    e->username_proof = out->username;
    e->address_proof = out->address;
    e->content_proof = out->content;
    return st == OK ? hash_entry(e, previous, out->hash, err) : st;
}

/* --- adding --- */

enum status sticker_history_begin(struct db_conn *c, struct error *err)
{
    return db_lock(c, "SELECT 1 FROM history_head FOR UPDATE", err);
}

struct head {
    int64_t last;
    char hash[HISTORY_HASH_SIZE];
};

static enum status read_head(struct db_conn *c, struct head *out, struct error *err)
{
    struct db_rows r;
    *out = (struct head){0};
    db_query(&r, c, "SELECT last, hash FROM history_head", DB_NONE, err);
    while (db_next(&r)) {
        size_t len;
        const void *hash = db_bytes(&r, 1, &len);
        out->last = db_int(&r, 0);
        snprintf(out->hash, sizeof out->hash, "%.*s", (int)(len < COMMITMENT ? len : COMMITMENT), (const char *)hash);
    }
    return db_end(&r);
}

/* It is one row, and SQLite shall know: before an UPDATE of several it writes the words that FTS5 has gathered. */
static enum status move_head(struct db_conn *c, int64_t last, const char *hash, struct error *err)
{
    return db_run(c, "UPDATE history_head SET last = $1, hash = $2 WHERE one = 1", DB_ARGS(DB_INT(last), DB_TEXT(hash)),
                  NULL, err);
}

#define INSERT_ENTRY(row)                                                                                              \
    "INSERT INTO history (" row ", at_us, username, address, action, model, object, before, after, batch, hash,"       \
    " username_proof, address_proof, content_proof)"                                                                   \
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"

static enum status add_entry(struct db_conn *c, struct history_entry *e, struct error *err)
{
    struct head head;
    struct sealed sealed;
    enum status st = sticker_history_begin(c, err);
    if (st == OK)
        st = read_head(c, &head, err);
    e->row = head.last + 1;
    if (st == OK)
        st = seal(e, head.hash, &sealed, err);
    if (st == OK)
        st = db_run(c, db_sql(c, INSERT_ENTRY("row"), INSERT_ENTRY("rowno")),
                    DB_ARGS(DB_INT(e->row), DB_INT(e->at_us), DB_TEXT(e->username), DB_TEXT(e->address),
                            DB_TEXT(e->action), DB_TEXT(e->model), DB_TEXT(e->object), DB_TEXT(e->before),
                            DB_TEXT(e->after), DB_TEXT(e->batch), DB_TEXT(sealed.hash), DB_TEXT(sealed.username),
                            DB_TEXT(sealed.address), DB_TEXT(sealed.content)),
                    NULL, err);
    return st == OK ? move_head(c, e->row, sealed.hash, err) : st;
}

enum status sticker_note_change(struct db_conn *c, const struct admin_who *who, const struct admin_change *ch,
                                struct error *err)
{
    static const char *const actions[] = {
        [CHANGE_ADD] = "add",         [CHANGE_UPDATE] = "change",  [CHANGE_DELETE] = "delete",
        [CHANGE_REINDEX] = "reindex", [CHANGE_PICTURE] = "change", [CHANGE_RESTORE] = "restore",
        [CHANGE_LOGIN] = "login",     [CHANGE_LOGOUT] = "logout",  [CHANGE_PASSWORD] = "password",
        [CHANGE_EXPORT] = "export",   [CHANGE_FORGET] = "forget",  [CHANGE_TWO_FACTOR] = "two-factor"};
    struct history_entry e = {.at_us = os_now_us(),
                              .username = who->username,
                              .address = who->address,
                              .action = actions[ch->op],
                              .model = ch->list,
                              .object = ch->object,
                              .before = ch->before,
                              .after = ch->after,
                              .batch = who->batch ? who->batch : ""};
    return add_entry(c, &e, err);
}

/* --- reading --- */

#define COLUMNS(row)                                                                                                   \
    row ", at_us, username, address, action, model, object, before, after, batch, hash, username_proof, "              \
        "address_proof, content_proof"
#define AFTER(row) "SELECT " COLUMNS(row) " FROM history WHERE " row " > $1 ORDER BY " row " LIMIT $2"
#define BEFORE(row)                                                                                                    \
    "SELECT " COLUMNS(row) " FROM history WHERE batch = $3 AND batch <> '' AND " row " < $1 ORDER BY " row             \
                           " DESC LIMIT $2"

static void read_entry(struct db_rows *r, struct arena *a, void *item)
{
    *(struct history_entry *)item = (struct history_entry){.row = db_int(r, 0),
                                                           .at_us = db_int(r, 1),
                                                           .username = db_text(r, 2, a),
                                                           .address = db_text(r, 3, a),
                                                           .action = db_text(r, 4, a),
                                                           .model = db_text(r, 5, a),
                                                           .object = db_text(r, 6, a),
                                                           .before = db_text(r, 7, a),
                                                           .after = db_text(r, 8, a),
                                                           .batch = db_text(r, 9, a),
                                                           .hash = db_text(r, 10, a),
                                                           .username_proof = db_text(r, 11, a),
                                                           .address_proof = db_text(r, 12, a),
                                                           .content_proof = db_text(r, 13, a)};
}

static enum status read_after(struct db_conn *c, int64_t row, size_t limit, struct arena *a, struct history_entry **out,
                              size_t *n, struct error *err)
{
    struct db_rows r;
    void *items = NULL;
    size_t cap = 0;
    db_query(&r, c, db_sql(c, AFTER("row"), AFTER("rowno")), DB_ARGS(DB_INT(row), DB_INT(db_limit(limit))), err);
    for (*n = 0; db_next(&r) && db_grow(&r, a, &items, *n, &cap, sizeof **out); ++*n)
        read_entry(&r, a, (struct history_entry *)items + *n);
    *out = items;
    return db_end(&r);
}

enum status sticker_store_history_batch(struct sticker_store *s, const char *batch, int64_t before_row, size_t limit,
                                        struct arena *a, struct history_entry **out, size_t *n, struct error *err)
{
    struct db_rows r;
    void *items = NULL;
    size_t cap = 0;
    struct db_conn *c = db_reader(s->db);
    db_query(&r, c, db_sql(c, BEFORE("row"), BEFORE("rowno")),
             DB_ARGS(DB_INT(before_row), DB_INT(db_limit(limit)), DB_TEXT(batch)), err);
    for (*n = 0; db_next(&r) && db_grow(&r, a, &items, *n, &cap, sizeof **out); ++*n)
        read_entry(&r, a, (struct history_entry *)items + *n);
    *out = items;
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

/* --- entries of before --- */

#define SEAL(row)                                                                                                      \
    "UPDATE history SET hash = $2, username_proof = $3, address_proof = $4, content_proof = $5 WHERE " row " = $1"

static enum status seal_old(struct db_conn *c, struct history_entry *e, struct head *head, struct error *err)
{
    struct sealed sealed;
    enum status st = seal(e, head->hash, &sealed, err);
    if (st == OK)
        st = db_run(c, db_sql(c, SEAL("row"), SEAL("rowno")),
                    DB_ARGS(DB_INT(e->row), DB_TEXT(sealed.hash), DB_TEXT(sealed.username), DB_TEXT(sealed.address),
                            DB_TEXT(sealed.content)),
                    NULL, err);
    if (st == OK) {
        head->last = e->row;
        memcpy(head->hash, sealed.hash, sizeof head->hash);
    }
    return st;
}

static enum status anchor_job(struct db_conn *c, void *arg, struct error *err)
{
    struct arena a;
    struct history_entry *page;
    struct head head;
    int64_t added;
    size_t n = PAGE;
    (void)arg;
    enum status st = db_run(c,
                            "INSERT INTO history_head (one, last, hash, logged) VALUES (1, 0, '', 0)"
                            " ON CONFLICT (one) DO NOTHING",
                            DB_NONE, &added, err);
    if (st != OK || !added)
        return st; /* another process was faster */
    arena_init(&a, PAGE_MEMORY);
    head = (struct head){0};
    while (st == OK && n == PAGE) {
        arena_reset(&a);
        st = read_after(c, head.last, PAGE, &a, &page, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            st = seal_old(c, &page[i], &head, err);
    }
    arena_free(&a);
    return st == OK ? move_head(c, head.last, head.hash, err) : st;
}

enum status sticker_history_open(struct sticker_store *s, struct error *err)
{
    int64_t one;
    bool found;
    enum status st = db_read_int(s->db, "SELECT one FROM history_head", DB_NONE, &one, &found, err);
    return st == OK && !found ? db_write(s->db, DB_DURABLE, anchor_job, NULL, err) : st;
}

/* --- verifying --- */

struct verification {
    const struct history_reader *reader;
    struct history_report *report;
    int64_t expected;             /* the row that should come next */
    char hash[HISTORY_HASH_SIZE]; /* as the row before has it */
};

static void tell(struct verification *v, enum history_fault_kind kind, int64_t row, int64_t last)
{
    v->report->faults++;
    v->reader->fault(v->reader->ctx, &(struct history_fault){kind, row, last});
}

/* Is the value what its proof says? One that was erased has the form that erasing leaves. */
static enum status check_proof(const char *proof, const char *const *values, size_t n, bool erased_form,
                               int64_t *erased, bool *fits, struct error *err)
{
    char salt[SALT + 1], commitment[HISTORY_HASH_SIZE];
    if (is_erased(proof)) {
        *erased += 1;
        *fits = *fits && erased_form;
        return OK;
    }
    if (strlen(proof) != SALT + COMMITMENT) {
        *fits = false;
        return OK;
    }
    snprintf(salt, sizeof salt, "%.*s", SALT, proof);
    enum status st = commit_to(salt, values, n, commitment, err);
    *fits = *fits && st == OK && strcmp(commitment, proof + SALT) == 0;
    return st;
}

static enum status check_values(struct verification *v, const struct history_entry *e, bool *fits, struct error *err)
{
    const char *content[] = {e->object, e->before, e->after};
    struct history_report *out = v->report;
    *fits = true;
    enum status st = check_proof(e->username_proof, &e->username, 1,
                                 strncmp(e->username, HISTORY_ERASED_USER, strlen(HISTORY_ERASED_USER)) == 0,
                                 &out->erased_users, fits, err);
    if (st == OK)
        st = check_proof(e->address_proof, &e->address, 1, !*e->address, &out->erased_addresses, fits, err);
    if (st == OK)
        st = check_proof(e->content_proof, content, 3,
                         !*e->before && !*e->after && strcmp(e->object, HISTORY_ERASED) == 0, &out->erased_texts, fits,
                         err);
    return st;
}

static enum status verify_entry(struct verification *v, const struct history_entry *e, struct error *err)
{
    char hash[HISTORY_HASH_SIZE];
    bool fits;
    enum status st = check_values(v, e, &fits, err);
    if (st == OK)
        st = hash_entry(e, v->hash, hash, err);
    if (st != OK)
        return st;
    bool follows = strcmp(hash, e->hash) == 0;
    if (!fits)
        tell(v, HISTORY_CHANGED, e->row, e->row);
    /* The first entries of an old history may have been deleted before there was a chain, which then begins later. */
    if (!follows && e->row > v->expected)
        tell(v, HISTORY_MISSING, v->expected, e->row - 1);
    else if (!follows && fits)
        tell(v, HISTORY_UNLINKED, e->row, e->row);
    v->expected = e->row + 1;
    snprintf(v->hash, sizeof v->hash, "%s", e->hash);
    v->report->entries++;
    v->report->row = e->row;
    if (v->reader->entry)
        v->reader->entry(v->reader->ctx, e);
    return OK;
}

/* What history_head says of the end. */
static void verify_end(struct verification *v, const struct head *head)
{
    if (head->last >= v->expected)
        tell(v, HISTORY_MISSING, v->expected, head->last);
    else if (v->report->row > head->last)
        tell(v, HISTORY_ADDED, head->last + 1, v->report->row);
    else if (strcmp(head->hash, v->hash) != 0)
        tell(v, HISTORY_CHANGED, head->last, head->last);
    memcpy(v->report->hash, v->hash, sizeof v->report->hash);
}

static enum status verify_all(struct db_conn *c, struct verification *v, struct arena *a, struct error *err)
{
    struct history_entry *page;
    struct head head;
    size_t n = PAGE;
    enum status st = read_head(c, &head, err);
    while (st == OK && n == PAGE) {
        arena_reset(a);
        st = read_after(c, v->expected - 1, PAGE, a, &page, &n, err);
        for (size_t i = 0; i < n && st == OK; i++)
            st = verify_entry(v, &page[i], err);
    }
    if (st == OK)
        verify_end(v, &head);
    return st;
}

enum status sticker_store_history_verify(struct sticker_store *s, const struct history_reader *reader,
                                         struct history_report *out, struct error *err)
{
    struct verification v = {.reader = reader, .report = out, .expected = 1};
    struct arena a;
    struct db_conn *c = db_reader(s->db);
    *out = (struct history_report){0};
    arena_init(&a, PAGE_MEMORY);
    enum status st = db_snapshot(c, err);
    if (st == OK) {
        st = verify_all(c, &v, &a, err);
        db_snapshot_end(c);
    }
    db_reader_done(s->db, c);
    arena_free(&a);
    return st;
}

/* --- the audit log --- */

enum status sticker_store_history_unlogged(struct sticker_store *s, size_t limit, struct arena *a, int64_t *logged,
                                           struct history_entry **out, size_t *n, struct error *err)
{
    struct db_conn *c = db_reader(s->db);
    *n = 0;
    enum status st = db_get_int(c, "SELECT logged FROM history_head", DB_NONE, logged, NULL, err);
    if (st == OK)
        st = read_after(c, *logged, limit, a, out, n, err);
    db_reader_done(s->db, c);
    return st;
}

struct logged_job {
    int64_t before, row;
};

static enum status logged_job(struct db_conn *c, void *arg, struct error *err)
{
    const struct logged_job *job = arg;
    return db_run(c, "UPDATE history_head SET logged = $2 WHERE logged = $1",
                  DB_ARGS(DB_INT(job->before), DB_INT(job->row)), NULL, err);
}

enum status sticker_store_history_logged(struct sticker_store *s, int64_t before, int64_t row, struct error *err)
{
    return db_write(s->db, DB_DURABLE, logged_job, &(struct logged_job){before, row}, err);
}
