/* Values that a PostgreSQL server sends, which may be of another version, another schema, or no PostgreSQL: any bytes,
 * in any column, read as each type. postgres.c is included for how it reads them. A byte chooses the length of the
 * next value, 255 is SQL's NULL. */
#include "db/postgres.c" /* NOLINT(bugprone-suspicious-include) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define COLUMNS 3

static void put_value(PGresult *result, int row, int column, const uint8_t **data, size_t *size)
{
    char copy[256];
    size_t len = *size ? **data : 255;
    *data += *size > 0;
    *size -= *size > 0;
    bool null = len == 255;
    len = null ? 0 : len < *size ? len : *size;
    memcpy(copy, *data, len);
    copy[len] = '\0';
    *data += len;
    *size -= len;
    if (!PQsetvalue(result, row, column, null ? NULL : copy, null ? -1 : (int)len))
        abort();
}

static void read_column(struct db_rows *r, int column, struct arena *a)
{
    size_t len, sum = 0, items = 0;
    const unsigned char *bytes = db_bytes(r, column, &len), *item;
    struct pg_items it;
    for (size_t i = 0; bytes && i < len; i++)
        sum += bytes[i];
    const char *text = db_text(r, column, a);
    if (strlen(text) > len || sum > 255 * len || (!bytes && len))
        abort();
    pg_array(&it, r, column);
    for (size_t item_len; pg_item(&it, &item, &item_len); items++)
        for (size_t i = 0; item && i < item_len; i++)
            sum += item[i];
    if (items > len)
        abort();
    /* Numbers fail the read when they are none, so they come last, each in a read of its own. */
    struct error err = {.message = ""};
    struct db_rows number = *r;
    number.err = &err;
    (void)db_int(&number, column);
    if ((number.status == OK) != (err.message[0] == '\0'))
        abort();
    number = *r;
    number.err = &err;
    (void)db_double(&number, column);
    (void)db_int(&number, COLUMNS); /* that there is not */
    if (number.status != ERR_CORRUPT)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct pg_conn conn = {.base = {.driver = &db_postgres, .name = "fuzz"}};
    struct error err;
    PGresAttDesc columns[COLUMNS] = {0};
    char names[COLUMNS][2] = {"a", "b", "c"};
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].name = names[i];
        columns[i].format = 1;
    }
    if (!result || !PQsetResultAttrs(result, COLUMNS, columns))
        abort();
    arena_init(&a, 1u << 20);
    for (int row = 0; size && row < 8; row++)
        for (int i = 0; i < COLUMNS; i++)
            put_value(result, row, i, &data, &size);
    struct db_rows r = {.conn = &conn.base, .set = result, .at = -1, .count = PQntuples(result), .err = &err};
    while (pg_next(&r))
        for (int i = 0; i < COLUMNS; i++)
            read_column(&r, i, &a);
    PQclear(result);
    arena_free(&a);
    return 0;
}
