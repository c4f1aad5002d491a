#include "cmd/csv.h"

#include <string.h>

void csv_begin(struct csv *c, const char *text, size_t len, struct arena *arena)
{
    size_t bom = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    *c = (struct csv){.at = text + bom, .end = text + len, .line = 1, .arena = arena};
}

/* A quoted cell, c->at behind its opening quote; on return behind the closing one. */
static enum status quoted(struct csv *c, const char **cell, size_t line, struct error *err)
{
    size_t n = 0;
    for (const char *p = c->at; p < c->end; p++, n++) /* find the end first: the length bounds the copy */
        if (*p == '"' && (p + 1 == c->end || p[1] != '"'))
            break;
        else if (*p == '"')
            p++;
    char *out = arena_alloc(c->arena, n + 1);
    if (!out)
        return err_set(err, ERR_NO_MEMORY, "line %zu: out of memory", line);
    for (size_t i = 0; i < n; i++) {
        if (*c->at == '\n')
            c->line++;
        if (*c->at == '"')
            c->at++;
        out[i] = *c->at++;
    }
    if (c->at >= c->end)
        return err_set(err, ERR_INVALID, "line %zu: a quoted cell never ends", line);
    c->at++;
    if (c->at < c->end && !strchr(",\r\n", *c->at))
        return err_set(err, ERR_INVALID, "line %zu: text after a closing quote", c->line);
    *cell = out;
    return OK;
}

enum status csv_next(struct csv *c, struct csv_record *out, struct error *err)
{
    if (c->at >= c->end)
        return err_set(err, ERR_NOT_FOUND, "no more lines");
    *out = (struct csv_record){.line = c->line};
    for (;;) {
        const char *cell = NULL;
        if (out->n == CSV_MAX_CELLS)
            return err_set(err, ERR_INVALID, "line %zu: more than %d cells", out->line, CSV_MAX_CELLS);
        if (c->at < c->end && *c->at == '"') {
            c->at++;
            enum status st = quoted(c, &cell, out->line, err);
            if (st != OK)
                return st;
        } else {
            const char *start = c->at;
            while (c->at < c->end && *c->at && !strchr(",\r\n", *c->at))
                c->at++;
            cell = arena_strndup(c->arena, start, (size_t)(c->at - start));
            if (!cell)
                return err_set(err, ERR_NO_MEMORY, "line %zu: out of memory", out->line);
        }
        out->cells[out->n++] = cell;
        if (c->at >= c->end)
            return OK;
        if (*c->at == ',') {
            c->at++;
            continue;
        }
        if (*c->at == '\r' && c->at + 1 < c->end && c->at[1] == '\n')
            c->at++;
        if (*c->at != '\n' && *c->at != '\r')
            return err_set(err, ERR_INVALID, "line %zu: NUL", c->line);
        c->at++;
        c->line++;
        return OK;
    }
}
