/* packs_words.h: what each emoji is called, and by which words people look for it, as several sources say.
 *
 * A source is an archive of the npm registry at a pinned version and checksum, of which some JSON files are read
 * (packs_words.c has the table). Every file names emoji and their words in one language; how, its reader knows
 * (packs_words_read.c). Emoji are joined without U+FE0F; those with a skin tone, which no pack has, are
 * passed over. */
#ifndef PEEL_IMPORT_PACKS_WORDS_H
#define PEEL_IMPORT_PACKS_WORDS_H

#include "import/packs.h"

#include <jansson.h>

/* --- the table, which emoji_words_open fills: --- */

struct emoji_words *emoji_words_new(void) MUST_CHECK; /* empty; NULL when there is no memory */
/* Adds what an archive of the source of that name in npm has, all or nothing of it. Whoever looks words up sorts them
 * before. ERR_NOT_FOUND: no such source; ERR_CORRUPT: a file that is missing or is not as expected. */
enum status emoji_words_read(struct emoji_words *w, const char *npm, const char *path, struct arena *a,
                             struct error *err) MUST_CHECK;
void emoji_words_sort(struct emoji_words *w);

/* What is being read. */
struct words_reader {
    struct emoji_words *words;
    unsigned source;      /* its place in the table */
    const char *path;     /* of the file, for errors */
    const char *language; /* tag; lives as long as the words */
    struct arena *arena, scratch;
};

#define WORDS_MAX_KEY 64u /* bytes of an emoji, with its NUL */
/* The emoji without U+FE0F; false for a sequence with a skin tone, and for what is too long to be an emoji. */
bool words_key(const char *emoji, char out[WORDS_MAX_KEY]);
/* Adds to what the emoji of that key is called: keywords joined by commas, and its title or NULL. ERR_CORRUPT: not
 * plain text. */
enum status words_add_joined(struct words_reader *r, const char *key, const char *title, const char *words,
                             struct error *err) MUST_CHECK;
/* Adds the strings of a list (a string by itself is a list of one; NULL is none) to what the emoji is called, and its
 * title, which may be NULL. `clean`, unless NULL, makes a keyword of what the source has: it returns a string in
 * r->scratch or `s` itself, or NULL for what is to be left out. ERR_CORRUPT: not plain text, or too long. */
enum status words_add(struct words_reader *r, const char *emoji, const json_t *title, const json_t *list,
                      const char *(*clean)(struct words_reader *r, const char *s), struct error *err) MUST_CHECK;

#define WORDS_MAX_TEXT 4000u /* bytes of the keywords that one file has for one emoji */

/* --- readers of one file: --- */

/* Of the text: CLDR's files are large, and mostly of sequences with a skin tone. */
enum status words_scan_cldr(struct words_reader *r, const char *text, size_t len, struct error *err) MUST_CHECK;
/* {"<emoji>":["name_of_it","keyword",...]} */
enum status words_read_emojilib(struct words_reader *r, json_t *root, struct error *err) MUST_CHECK;
/* [{"emoji":"<emoji>","emoticon":":D" or [":p",":P"],...}]: only that */
enum status words_read_emoticons(struct words_reader *r, json_t *root, struct error *err) MUST_CHECK;
/* {"<HEXCODE>":"joy" or ["joy","tears_of_joy"]} */
enum status words_read_shortcodes(struct words_reader *r, json_t *root, struct error *err) MUST_CHECK;

#endif
