/* env_file.h: .env files, strictly. One KEY=VALUE a line; `export ` before it, blank lines and
 * #-comments are fine. A value is bare (ends at white space + '#'; nothing is special in it),
 * 'single-quoted' (as it stands) or "double-quoted" (\n \t \r \\ \" \$ are escapes). Quoted values
 * end on their line. A key twice, an unknown escape, text after a closing quote, control characters
 * and bytes that are not UTF-8 are refused with the line number. */
#ifndef PEEL_CONFIG_ENV_FILE_H
#define PEEL_CONFIG_ENV_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

#define ENV_FILE_MAX_BYTES (64u << 10)
#define ENV_FILE_MAX_PAIRS 512u

struct env_pair {
    const char *key, *value; /* in the arena */
    unsigned line;           /* from 1 */
};

/* `name` is put before messages ("NAME: line 3: ..."). */
enum status env_file_parse(const char *name, const char *text, size_t len, struct arena *a, struct env_pair **out,
                           size_t *n, struct error *err) MUST_CHECK;
/* Appends a value in double quotes, as env_file_parse reads it. */
void env_file_quote(struct buf *out, const char *value);

#endif
