/* sticker_admin_lists.c: pages of the admin's lists. sticker_admin.h says how a page stays cheap.
 *
 * A page's statement is put together from the literals in sticker_admin_tables.c; what people typed is only
 * ever bound. It looks like this, on a walk:
 *
 *     SELECT id, sort, row, columns... FROM
 *         (SELECT * FROM (the rows after the cursor along the index, at most LIST_WALK) t WHERE tests LIMIT n) t
 *         joins ORDER BY sort, row
 *
 * and where the matches were collected, the innermost part selects those instead.
 *
 * It is one file because pages, counts and single rows are all put together from the same pieces. */
#include "sticker_store/sticker_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS    48 /* MAX_FILTERS, of which one may need two, a search, a cursor and a limit */
#define MAX_SQL     (32u << 10)
#define MAX_FILTERS 16
#define MAX_CURSOR  8192
#define MAX_VALUES  200
#define MAX_WORDS   16 /* words of a search that count */

struct statement {
    struct buf sql;
    bool postgres;
    struct db_arg args[MAX_ARGS];
    size_t n;
};

struct condition {
    const struct list_filter *filter; /* NULL: the search */
    const char *set;
    const char *value;
    int64_t number;
    int64_t matches; /* at most LIST_MATCHES + 1; -1: unknown */
};

struct asking {
    const struct list_ask *ask;
    const struct list_table *table;
    const struct list_column *sort;
    struct db_conn *conn;
    struct arena *arena;
    const char *match;        /* the search for FTS5 or to_tsquery */
    const char *cursor_value; /* NULL without a cursor */
    int64_t cursor_number, cursor_row;
    bool down; /* along the index, with `backwards` turned in */
    struct condition conditions[MAX_FILTERS + 1];
    size_t n_conditions;
    const struct condition *driver; /* whose matches are collected, or NULL: a walk */
};

/* --- putting statements together --- */

static void statement_init(struct statement *s, const struct db_conn *c)
{
    s->n = 0;
    s->postgres = db_is_postgres(c);
    buf_init(&s->sql, MAX_SQL);
}

static void add_arg(struct statement *s, struct db_arg arg)
{
    assert(s->n < MAX_ARGS);
    s->args[s->n++] = arg;
    buf_printf(&s->sql, "$%zu", s->n);
}

static void add_text(struct statement *s, const char *value)
{
    add_arg(s, (struct db_arg)DB_TEXT(value));
}

static void add_int(struct statement *s, int64_t value)
{
    add_arg(s, (struct db_arg)DB_INT(value));
}

/* A piece of SQL, with what stands for its marks: see sticker_lists.h. */
static void add_piece(struct statement *s, const struct asking *q, const char *sql, const struct condition *c)
{
    for (size_t n; *sql; sql += n + 1) {
        n = strcspn(sql, "$?#&");
        buf_append(&s->sql, sql, n);
        if (!sql[n])
            return;
        if (sql[n] == '#')
            buf_puts(&s->sql, s->postgres ? "rowno" : "rowid");
        else if (sql[n] == '&')
            buf_puts(&s->sql, s->postgres ? "string_agg" : "group_concat");
        else if (sql[n] == '?')
            add_text(s, q->match);
        else if (c->filter && c->filter->number)
            add_int(s, c->number);
        else
            add_text(s, c->value);
    }
}

/* The table as `t`, whose rows have their numbers as rowno. */
static void add_table(struct statement *s, const char *table)
{
    buf_printf(&s->sql, s->postgres ? "%s t" : "(SELECT rowid AS rowno, * FROM %s) t", table);
}

static void add_cursor_value(struct statement *s, const struct asking *q)
{
    if (q->sort->sorts == NUMBER_SORTS)
        add_int(s, q->cursor_number);
    else
        add_text(s, q->cursor_value);
}

static void add_order(struct statement *s, const struct asking *q)
{
    const char *direction = q->down ? " DESC" : "";
    buf_printf(&s->sql, " ORDER BY %s%s, t.rowno%s", q->sort->sql, direction, direction);
}

static void add_past(struct statement *s, const struct asking *q, const char *sort)
{
    buf_printf(&s->sql, "(%s, t.rowno) %s (", sort, q->down ? "<" : ">");
    add_cursor_value(s, q);
    buf_puts(&s->sql, ", ");
    add_int(s, q->cursor_row);
    buf_puts(&s->sql, ")");
}

/* Rows of the table along the sort's index, from the cursor on. */
static void add_walk(struct statement *s, const struct asking *q, int64_t most)
{
    const char *past = q->down ? "<" : ">";
    buf_puts(&s->sql, "SELECT * FROM ");
    if (q->cursor_value && !s->postgres) {
        /* Two arms, because only then does SQLite jump over the rows that sort the same. */
        buf_puts(&s->sql, "(SELECT * FROM ");
        add_table(s, q->table->table);
        buf_printf(&s->sql, " WHERE %s = ", q->sort->sql);
        add_cursor_value(s, q);
        buf_printf(&s->sql, " AND t.rowno %s ", past);
        add_int(s, q->cursor_row);
        buf_printf(&s->sql, " ORDER BY t.rowno%s LIMIT %" PRId64, q->down ? " DESC" : "", most);
        buf_puts(&s->sql, ") UNION ALL SELECT * FROM (SELECT * FROM ");
        add_table(s, q->table->table);
        buf_printf(&s->sql, " WHERE %s %s ", q->sort->sql, past);
        add_cursor_value(s, q);
        add_order(s, q);
        buf_printf(&s->sql, " LIMIT %" PRId64 ")", most);
    } else {
        add_table(s, q->table->table);
        if (q->cursor_value) {
            buf_puts(&s->sql, " WHERE ");
            add_past(s, q, q->sort->sql);
        }
        add_order(s, q);
    }
    if (most != INT64_MAX)
        buf_printf(&s->sql, " LIMIT %" PRId64, most);
}

static void add_collected(struct statement *s, const struct asking *q)
{
    char sort[64];
    buf_puts(&s->sql, "SELECT * FROM ");
    add_table(s, q->table->table);
    buf_puts(&s->sql, " WHERE t.rowno IN (SELECT * FROM (");
    add_piece(s, q, q->driver->set, q->driver);
    buf_printf(&s->sql, ") x LIMIT %d)", LIST_MATCHES);
    if (!q->cursor_value)
        return;
    buf_puts(&s->sql, " AND ");
    snprintf(sort, sizeof sort, "%s%s", s->postgres ? "" : "+", q->sort->sql); /* + keeps SQLite off its index */
    add_past(s, q, sort);
}

static void add_tests(struct statement *s, const struct asking *q)
{
    buf_puts(&s->sql, " WHERE true");
    for (size_t i = 0; i < q->n_conditions; i++) {
        const struct condition *c = &q->conditions[i];
        if (c == q->driver)
            continue;
        if (c->filter) {
            buf_puts(&s->sql, " AND (");
            add_piece(s, q, c->filter->test, c);
            buf_puts(&s->sql, ")");
        } else {
            buf_puts(&s->sql, " AND t.rowno IN (");
            add_piece(s, q, c->set, c);
            buf_puts(&s->sql, ")");
        }
    }
}

static const char *column_sql(const struct list_table *table, const char *name)
{
    for (const struct list_column *c = table->columns; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c->sql;
    assert(!"a column that exists");
    return "";
}

static void add_columns(struct statement *s, const struct list_table *table, const char *const *columns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_puts(&s->sql, i ? ", CAST(" : "CAST(");
        add_piece(s, NULL, column_sql(table, columns[i]), NULL);
        buf_puts(&s->sql, " AS text)");
    }
}

/* Rows by their numbers. */
static void add_numbered(struct statement *s, const struct asking *q)
{
    buf_puts(&s->sql, "SELECT * FROM ");
    add_table(s, q->table->table);
    for (size_t i = 0; i < q->ask->n_numbers; i++)
        buf_printf(&s->sql, "%s%" PRId64, i ? ", " : " WHERE t.rowno IN (", q->ask->numbers[i]);
    buf_puts(&s->sql, ")");
}

static void add_matching(struct statement *s, const struct asking *q)
{
    const struct list_ask *ask = q->ask;
    buf_puts(&s->sql, "SELECT * FROM (");
    if (q->driver)
        add_collected(s, q);
    else
        add_walk(s, q, !q->n_conditions ? db_limit(ask->limit + 1) : ask->thorough ? INT64_MAX : LIST_WALK);
    buf_puts(&s->sql, ") t");
    add_tests(s, q);
    if (q->driver)
        add_order(s, q);
    buf_puts(&s->sql, " LIMIT ");
    add_int(s, db_limit(ask->limit + 1));
}

static void page_statement(struct statement *s, const struct asking *q)
{
    const struct list_ask *ask = q->ask;
    buf_printf(&s->sql, "SELECT CAST(%s AS text), CAST(%s AS text), t.rowno, ", q->table->id, q->sort->sql);
    add_columns(s, q->table, ask->columns, ask->n_columns);
    buf_puts(&s->sql, " FROM (");
    if (ask->numbers)
        add_numbered(s, q);
    else
        add_matching(s, q);
    buf_printf(&s->sql, ") t%s", q->table->joins);
    add_order(s, q);
}

/* --- understanding what is asked --- */

/* "row:value" */
static enum status parse_cursor(struct asking *q, struct error *err)
{
    const char *text = q->ask->cursor;
    char *end;
    if (!*text)
        return OK;
    errno = 0;
    q->cursor_row = strtoll(text, &end, 10);
    if (end == text || *end != ':' || errno || strlen(text) > MAX_CURSOR)
        return err_set(err, ERR_INVALID, "the position in the list is not valid; open the list again");
    q->cursor_value = end + 1;
    q->cursor_number = strtoll(q->cursor_value, &end, 10);
    if (q->sort->sorts == NUMBER_SORTS && (end == q->cursor_value || *end || errno))
        return err_set(err, ERR_INVALID, "the position in the list is not valid; open the list again");
    return OK;
}

static enum status parse_filter(struct asking *q, const struct admin_pair *asked, struct error *err)
{
    const struct list_filter *f = q->table->filters;
    while (f->name && (strcmp(f->name, asked->name) != 0 || (f->value && strcmp(f->value, asked->value) != 0)))
        f++;
    if (!f->name || q->n_conditions == MAX_FILTERS)
        return err_set(err, ERR_INVALID, "\"%.40s\" has no value \"%.80s\"", asked->name, asked->value);
    struct condition *c = &q->conditions[q->n_conditions++];
    *c = (struct condition){.filter = f, .set = f->set, .value = asked->value, .matches = -1};
    if (f->number) {
        char *end;
        errno = 0;
        c->number = strtoll(asked->value, &end, 10);
        if (end == asked->value || *end || errno)
            return err_set(err, ERR_INVALID, "\"%.40s\" must be a number", asked->name);
    }
    return OK;
}

/* Every word begins a word of the row: "cat" * AND "pa" *, or 'cat':* & 'pa':*. For FTS5 stickers have a column for
 * that. Without a word it matches nothing. */
static enum status make_match(struct asking *q, struct error *err)
{
    static const struct {
        const char *begin, *and, *end, *escaped;
    } forms[] = {{"\"", " AND ", "\" *", "\""}, {"'", " & ", "':*", "'\\"}};
    bool postgres = db_is_postgres(q->conn), column = !postgres && strcmp(q->table->name, "stickers") == 0;
    struct buf out;
    buf_init(&out, MAX_SQL);
    buf_puts(&out, column ? "folded : (" : "");
    size_t n = q->ask->n_words < MAX_WORDS ? q->ask->n_words : MAX_WORDS;
    for (size_t i = 0; i < n; i++) {
        buf_puts(&out, i ? forms[postgres].and : "");
        buf_puts(&out, forms[postgres].begin);
        for (const char *c = q->ask->words[i]; *c; c++) {
            if (strchr(forms[postgres].escaped, *c))
                buf_putc(&out, *c);
            buf_putc(&out, *c);
        }
        buf_puts(&out, forms[postgres].end);
    }
    buf_puts(&out, n || postgres ? "" : "\"\"");
    buf_puts(&out, column ? ")" : "");
    q->match = out.failed ? NULL : arena_strdup(q->arena, buf_str(&out));
    buf_free(&out);
    return q->match ? OK : err_no_memory(err, "a search");
}

static enum status understand(struct asking *q, struct error *err)
{
    const struct list_ask *ask = q->ask;
    q->table = sticker_list(ask->list);
    for (q->sort = q->table->columns; q->sort->name && strcmp(q->sort->name, ask->sort) != 0;)
        q->sort++;
    assert(q->sort->name && q->sort->sorts != PLAIN);
    q->down = ask->descending != ask->backwards;
    enum status st = parse_cursor(q, err);
    if (st == OK)
        st = make_match(q, err);
    if (ask->numbers)
        return st;
    for (size_t i = 0; i < ask->n_filters && st == OK; i++)
        st = parse_filter(q, &ask->filters[i], err);
    const char *search =
        db_is_postgres(q->conn) && q->table->search_postgres ? q->table->search_postgres : q->table->search;
    if (st == OK && *ask->search)
        q->conditions[q->n_conditions++] = (struct condition){.set = search, .value = ask->search, .matches = -1};
    return st;
}

static enum status count_matches(const struct asking *q, struct condition *c, struct error *err)
{
    struct statement s;
    struct db_rows r;
    statement_init(&s, q->conn);
    buf_puts(&s.sql, "SELECT count(*) FROM (SELECT 1 FROM (");
    add_piece(&s, q, c->set, c);
    buf_printf(&s.sql, ") x LIMIT %d) y", LIST_MATCHES + 1);
    enum status st = buf_status(&s.sql, err);
    if (st == OK) {
        db_query_once(&r, q->conn, s.sql.data, s.args, s.n, err);
        while (db_next(&r))
            c->matches = db_int(&r, 0);
        st = db_end(&r);
    }
    buf_free(&s.sql);
    return st;
}

/* A search is always collected (its words cannot be tested row by row); else the filter with the fewest matches. */
static enum status choose_driver(struct asking *q, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < q->n_conditions && st == OK && !q->ask->thorough; i++) {
        struct condition *c = &q->conditions[i];
        if (c->set)
            st = count_matches(q, c, err);
        if (!c->filter)
            q->driver = c;
        else if (c->matches >= 0 && c->matches <= LIST_MATCHES &&
                 (!q->driver || (q->driver->filter && c->matches < q->driver->matches)))
            q->driver = c;
    }
    return st;
}

/* --- answering --- */

static const char *make_cursor(struct arena *a, const char *value, int64_t row, struct db_rows *r)
{
    const char *cursor = arena_printf(a, "%" PRId64 ":%s", row, value);
    if (!cursor && r->status == OK)
        r->status = err_no_memory(r->err, "a list");
    return cursor ? cursor : "";
}

/* Rows in the order of the statement, and the cursors of the first and the last. */
static enum status read_rows(struct asking *q, struct db_rows *r, struct list_page *out, const char **first,
                             const char **last, bool *more)
{
    const struct list_ask *ask = q->ask;
    void *rows = NULL;
    size_t cap = 0, n = 0;
    while (db_next(r)) {
        *more = n == ask->limit;
        if (*more || !db_grow(r, q->arena, &rows, n, &cap, sizeof *out->rows))
            break;
        const char **cells = arena_array(q->arena, ask->n_columns, sizeof *cells);
        if (!cells) {
            r->status = err_no_memory(r->err, "a list");
            break;
        }
        for (size_t i = 0; i < ask->n_columns; i++)
            cells[i] = db_text(r, (int)i + 3, q->arena);
        ((struct list_row *)rows)[n] = (struct list_row){.id = db_text(r, 0, q->arena), .cells = cells};
        *last = make_cursor(q->arena, db_text(r, 1, q->arena), db_int(r, 2), r);
        if (n++ == 0)
            *first = *last;
    }
    out->rows = rows;
    out->n = n;
    return db_end(r);
}

/* The cursor after the row that a statement selects, by the sort's value and the row's number; as it was where there is
 * none. Ends the statement. */
static enum status read_cursor(const struct asking *q, struct statement *s, const char **cursor, struct error *err)
{
    struct db_rows r;
    enum status st = buf_status(&s->sql, err);
    if (st == OK) {
        db_query_once(&r, q->conn, s->sql.data, s->args, s->n, err);
        while (db_next(&r))
            *cursor = make_cursor(q->arena, db_text(&r, 0, q->arena), db_int(&r, 1), &r);
        st = db_end(&r);
    }
    buf_free(&s->sql);
    return st;
}

/* Where a walk that looked at all it may ended; "" if the index did. */
static enum status list_walk_end(const struct asking *q, const char **cursor, struct error *err)
{
    struct statement s;
    *cursor = "";
    statement_init(&s, q->conn);
    buf_printf(&s.sql, "SELECT CAST(%s AS text), t.rowno FROM (", q->sort->sql);
    add_walk(&s, q, LIST_WALK);
    buf_printf(&s.sql, ") t LIMIT 1 OFFSET %d", LIST_WALK - 1);
    return read_cursor(q, &s, cursor, err);
}

/* How many there are: exactly up to LIST_MATCHES, of a whole table about as many as its last row's number says, or as
 * the server thinks. */
static enum status find_total(struct asking *q, struct list_page *out, struct error *err)
{
    struct condition whole = {.matches = 0};
    struct db_rows r;
    char sql[128];
    out->total = -1;
    if (q->n_conditions == 1 && q->driver) {
        out->total = q->driver->matches;
        out->cut = out->total > LIST_MATCHES;
        return OK;
    }
    out->cut = q->driver && q->driver->matches > LIST_MATCHES;
    if (q->n_conditions)
        return OK;
    snprintf(sql, sizeof sql, "SELECT # FROM %s", q->table->table);
    whole.set = sql;
    enum status st = count_matches(q, &whole, err);
    out->total = whole.matches;
    if (st != OK || whole.matches <= LIST_MATCHES)
        return st;
    if (db_is_postgres(q->conn))
        snprintf(sql, sizeof sql, "SELECT reltuples::bigint FROM pg_class WHERE oid = '%s'::regclass", q->table->table);
    else
        snprintf(sql, sizeof sql, "SELECT max(rowid) FROM %s", q->table->table);
    db_query_once(&r, q->conn, sql, DB_NONE, err);
    while (db_next(&r))
        out->total = db_int(&r, 0) > LIST_MATCHES ? db_int(&r, 0) : LIST_MATCHES;
    out->about = true;
    return db_end(&r);
}

static void turn(struct list_page *page)
{
    for (size_t i = 0, k = page->n; i + 1 < k; i++) {
        struct list_row row = page->rows[i];
        page->rows[i] = page->rows[--k];
        page->rows[k] = row;
    }
}

static enum status find_page(struct asking *q, struct list_page *out, struct error *err)
{
    struct statement s;
    struct db_rows r;
    const char *first = "", *last = "", *end = "";
    bool more = false;
    assert(!q->ask->numbers || (q->ask->n_numbers && q->ask->n_numbers <= q->ask->limit));
    enum status st = understand(q, err);
    if (st == OK)
        st = choose_driver(q, err);
    if (st != OK)
        return st;
    statement_init(&s, q->conn);
    page_statement(&s, q);
    st = buf_status(&s.sql, err);
    if (st == OK) {
        db_query_once(&r, q->conn, s.sql.data, s.args, s.n, err);
        st = read_rows(q, &r, out, &first, &last, &more);
    }
    buf_free(&s.sql);
    if (st == OK && !more && !q->driver && !q->ask->thorough && q->n_conditions)
        st = list_walk_end(q, &end, err);
    if (st != OK)
        return st;
    out->unfinished = *end;
    const char *on = more ? last : end, *back = q->cursor_value ? first : "";
    if (q->cursor_value && !*back) /* nothing here: from the end of the list one can still turn back */
        back = q->ask->cursor;
    out->next = q->ask->backwards ? back : on;
    out->previous = q->ask->backwards ? on : back;
    if (q->ask->backwards)
        turn(out);
    return q->ask->thorough || q->ask->numbers ? OK : find_total(q, out, err);
}

enum status sticker_store_list_page(struct sticker_store *s, const struct list_ask *ask, struct arena *a,
                                    struct list_page *out, struct error *err)
{
    struct asking q = {.ask = ask, .arena = a, .conn = db_reader(s->db)};
    *out = (struct list_page){.next = "", .previous = "", .total = -1};
    enum status st = db_snapshot(q.conn, err);
    if (st == OK) {
        st = find_page(&q, out, err);
        db_snapshot_end(q.conn);
    }
    db_reader_done(s->db, q.conn);
    return st;
}

static enum status read_numbers(struct db_rows *r, int64_t **numbers, size_t *n, struct error *err)
{
    size_t cap = 0;
    while (db_next(r)) {
        if (*n == cap) {
            cap = cap ? 2 * cap : 1024;
            int64_t *more = reallocarray(*numbers, cap, sizeof *more);
            if (!more) {
                r->status = err_no_memory(err, "%zu rows", cap);
                break;
            }
            *numbers = more;
        }
        (*numbers)[(*n)++] = db_int(r, 0);
    }
    return db_end(r);
}

enum status sticker_store_list_numbers(struct sticker_store *s, const struct list_ask *ask, int64_t **numbers,
                                       size_t *n, struct error *err)
{
    struct arena a;
    struct statement q;
    struct db_rows r;
    struct list_ask all = *ask;
    *numbers = NULL;
    *n = 0;
    all.cursor = "", all.backwards = false;
    arena_init(&a, MAX_SQL);
    struct asking asking = {.ask = &all, .arena = &a, .conn = db_reader(s->db)};
    statement_init(&q, asking.conn);
    enum status st = understand(&asking, err);
    if (st == OK) {
        buf_puts(&q.sql, "SELECT t.rowno FROM ");
        add_table(&q, asking.table->table);
        add_tests(&q, &asking);
        add_order(&q, &asking);
        st = buf_status(&q.sql, err);
    }
    if (st == OK) {
        db_query_once(&r, asking.conn, q.sql.data, q.args, q.n, err);
        st = read_numbers(&r, numbers, n, err);
    }
    db_reader_done(s->db, asking.conn);
    buf_free(&q.sql);
    arena_free(&a);
    if (st != OK) {
        free(*numbers);
        *numbers = NULL;
        *n = 0;
    }
    return st;
}

enum status sticker_store_list_row(struct sticker_store *s, const char *list, const char *id,
                                   const char *const *columns, size_t n, struct arena *a, const char ***cells,
                                   struct error *err)
{
    const struct list_table *table = sticker_list(list);
    struct statement q;
    struct db_rows r;
    bool found = false;
    if (!(*cells = arena_array(a, n + 1, sizeof **cells)))
        return err_no_memory(err, "a row");
    struct db_conn *c = db_reader(s->db);
    statement_init(&q, c);
    buf_puts(&q.sql, "SELECT ");
    add_columns(&q, table, columns, n);
    buf_puts(&q.sql, " FROM ");
    add_table(&q, table->table);
    buf_printf(&q.sql, "%s WHERE %s = ", table->joins, table->id);
    if (strcmp(table->id, "t.rowno") == 0)
        add_int(&q, strtoll(id, NULL, 10));
    else
        add_text(&q, id);
    enum status st = buf_status(&q.sql, err);
    if (st == OK) {
        db_query_once(&r, c, q.sql.data, q.args, q.n, err);
        while (db_next(&r)) {
            found = true;
            for (size_t i = 0; i < n; i++)
                (*cells)[i] = db_text(&r, (int)i, a);
        }
        st = db_end(&r);
    }
    db_reader_done(s->db, c);
    buf_free(&q.sql);
    return st == OK && !found ? err_set(err, ERR_NOT_FOUND, "This page does not exist or was deleted.") : st;
}

enum status sticker_store_list_values(struct sticker_store *s, const char *list, const char *filter, struct arena *a,
                                      const char ***out, size_t *n, struct error *err)
{
    const struct list_filter *f = sticker_list(list)->filters;
    struct db_rows r;
    *n = 0;
    while (f->name && strcmp(f->name, filter) != 0)
        f++;
    if (!(*out = arena_array(a, MAX_VALUES, sizeof **out)))
        return err_no_memory(err, "values");
    if (!f->name || !f->values)
        return OK;
    struct db_conn *c = db_reader(s->db);
    db_query(&r, c, f->values, DB_NONE, err);
    while (db_next(&r) && *n < MAX_VALUES)
        (*out)[(*n)++] = db_text(&r, 0, a);
    enum status st = db_end(&r);
    db_reader_done(s->db, c);
    return st;
}

/* --- facets --- */

static bool of_filter(const struct condition *c, const char *name)
{
    return c->filter && strcmp(c->filter->name, name) == 0;
}

static void leave_out(struct asking *q, const char *filter)
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_conditions; i++)
        if (!of_filter(&q->conditions[i], filter))
            q->conditions[n++] = q->conditions[i];
    q->n_conditions = n;
}

/* Counts what is bounded only: the matches of a search or filter, or a table that is no larger. */
static enum status facet_statement(struct asking *q, const struct list_facet_rule *f, struct statement *s, bool *counts,
                                   struct error *err)
{
    int64_t most = f->most ? f->most : LIST_MATCHES;
    struct condition whole = {.matches = 0};
    char sql[128];
    enum status st = choose_driver(q, err);
    if (st == OK && !q->driver) {
        snprintf(sql, sizeof sql, "SELECT # FROM %s", q->table->table);
        whole.set = sql;
        st = count_matches(q, &whole, err);
    }
    int64_t rows = q->driver ? q->driver->matches : whole.matches;
    bool short_way = f->whole && !q->n_conditions && rows <= LIST_MATCHES;
    *counts = st == OK && (rows <= most || short_way);
    if (!*counts)
        return st;
    if (short_way) {
        buf_puts(&s->sql, f->whole);
        return buf_status(&s->sql, err);
    }
    buf_puts(&s->sql, "SELECT CAST(");
    add_piece(s, NULL, f->value, NULL);
    buf_puts(&s->sql, " AS text), count(*) FROM (SELECT * FROM (");
    if (q->driver) {
        add_collected(s, q);
    } else {
        buf_puts(&s->sql, "SELECT * FROM ");
        add_table(s, q->table->table);
    }
    buf_puts(&s->sql, ") t");
    add_tests(s, q);
    buf_printf(&s->sql, ") t%s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT %d", f->joins, MAX_VALUES);
    return buf_status(&s->sql, err);
}

static void read_facets(struct db_rows *r, struct arena *a, struct list_facet *out, size_t *n)
{
    while (db_next(r) && *n < MAX_VALUES) {
        struct list_facet facet = {db_text(r, 0, a), db_int(r, 1)};
        if (*facet.value)
            out[(*n)++] = facet;
    }
}

enum status sticker_store_list_facet(struct sticker_store *s, const struct list_ask *ask, const char *filter,
                                     struct arena *a, struct list_facet **out, size_t *n, struct error *err)
{
    const struct list_facet_rule *f = sticker_list(ask->list)->facets;
    struct list_ask first = *ask;
    struct db_rows r;
    struct statement q;
    bool counts = false;
    *n = 0;
    while (f && f->filter && strcmp(f->filter, filter) != 0)
        f++;
    if (!(*out = arena_array(a, MAX_VALUES, sizeof **out)))
        return err_no_memory(err, "values");
    if (!f || !f->filter)
        return OK;
    first.cursor = "", first.thorough = false;
    struct asking asking = {.ask = &first, .arena = a, .conn = db_reader(s->db)};
    statement_init(&q, asking.conn);
    enum status st = understand(&asking, err);
    leave_out(&asking, filter);
    if (st == OK)
        st = facet_statement(&asking, f, &q, &counts, err);
    if (st == OK && counts) {
        db_query_once(&r, asking.conn, q.sql.data, q.args, q.n, err);
        read_facets(&r, a, *out, n);
        st = db_end(&r);
    }
    db_reader_done(s->db, asking.conn);
    buf_free(&q.sql);
    return st;
}

/* --- the next one --- */

/* The cursor that a link after the row would have; NULL: there is no such row. */
static enum status row_cursor(struct asking *q, const char *id, const char **cursor, struct error *err)
{
    struct statement s;
    *cursor = NULL;
    statement_init(&s, q->conn);
    buf_printf(&s.sql, "SELECT CAST(%s AS text), t.rowno FROM ", q->sort->sql);
    add_table(&s, q->table->table);
    buf_printf(&s.sql, " WHERE %s = ", q->table->id);
    if (strcmp(q->table->id, "t.rowno") == 0)
        add_int(&s, strtoll(id, NULL, 10));
    else
        add_text(&s, id);
    return read_cursor(q, &s, cursor, err);
}

enum status sticker_store_list_next(struct sticker_store *s, const struct list_ask *ask, const char *id,
                                    struct arena *a, const char **next, struct error *err)
{
    struct list_ask after = *ask;
    struct list_page page = {.next = ""};
    const char *cursor = NULL;
    after.cursor = "", after.backwards = false, after.limit = 1, after.thorough = false;
    struct asking q = {.ask = &after, .arena = a, .conn = db_reader(s->db)};
    enum status st = understand(&q, err);
    if (st == OK)
        st = row_cursor(&q, id, &cursor, err);
    if (st == OK && cursor) {
        after.cursor = cursor;
        q = (struct asking){.ask = &after, .arena = a, .conn = q.conn};
        st = find_page(&q, &page, err);
    }
    db_reader_done(s->db, q.conn);
    *next = st == OK && page.n ? page.rows[0].id : "";
    return st;
}

/* --- what goes along --- */

enum status sticker_store_list_goes(struct sticker_store *s, const char *list, const char *const *ids, size_t n_ids,
                                    struct list_goes out[4], size_t *n, struct error *err)
{
    const struct list_table *table = sticker_list(list);
    enum status st = OK;
    *n = 0;
    struct db_conn *c = db_reader(s->db);
    for (size_t g = 0; g < 4 && table->goes[g].what && st == OK; g++) {
        int64_t sum = 0;
        for (size_t i = 0; i < n_ids && st == OK; i++) {
            struct statement q;
            struct db_rows r;
            statement_init(&q, c);
            add_piece(&q, NULL, table->goes[g].count, &(struct condition){.value = ids[i]});
            db_query_once(&r, c, buf_str(&q.sql), q.args, q.n, err);
            while (db_next(&r))
                sum += db_int(&r, 0);
            st = db_end(&r);
            buf_free(&q.sql);
        }
        if (sum)
            out[(*n)++] = (struct list_goes){table->goes[g].what, sum};
    }
    db_reader_done(s->db, c);
    return st;
}
