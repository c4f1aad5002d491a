/* How each source writes down its words.
 *
 * Unicode's CLDR says what each emoji is called, and by which words people look for it, in some 140 languages:
 * annotations/<tag>/annotations.json for single emoji, annotationsDerived/... for sequences, each
 *
 *     {"annotations":{"identity":{...},"annotations":{"🐱":{"default":["cat","face"],"tts":["cat face"]}}}}
 *
 * Copyright Unicode, Inc., Unicode License v3. The keywords of emojilib and the emoticons and shortcodes of emojibase
 * are what chat programs and their users call emoji; both are under the MIT licence.
 *
 * "tears_of_joy" becomes the words "tears of joy"; an emoticon such as ":D" stays as it is. Commas, semicolons and bars
 * separate keywords, so in an emoticon they are written in full width (";)" as "；)"), which searches read as the same
 * sign: NFKC makes one of both. */
#include "import/packs_words.h"

#include "base/buf.h"
#include "base/json_scan.h"
#include "base/utf8.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATORS   ",;|"
#define MAX_HEXCODES 20u /* code points of an emoji */
#define SHRUG        "\xc2\xaf\\_(\xe3\x83\x84)_/\xc2\xaf"
#define CUT_SHRUG    "\xc2\xaf\\" /* what emojilib 4.0.3 has of it */

/* Goes into the object that comes next, to its member of that name, or to the first one. False: there is none. */
static bool enter_member(struct json_scan *s, const char *name)
{
    const char *found;
    for (size_t n = 0; json_scan_next(s, "{}", &n) && (found = json_scan_name(s)) != NULL; json_scan_skip(s))
        if (!name || strcmp(found, name) == 0)
            return true;
    return false;
}

/* The strings of the list that comes next, joined by commas. */
static void join_list(struct json_scan *s, struct buf *out)
{
    const char *text;
    size_t len;
    for (size_t n = 0; json_scan_next(s, "[]", &n) && (text = json_scan_string(s, &len)) != NULL;) {
        buf_puts(out, out->len ? ", " : "");
        buf_puts(out, text);
    }
}

/* {"default":["cat","face"],"tts":["cat face"]} */
static enum status scan_emoji(struct words_reader *r, struct json_scan *s, const char *key, struct error *err)
{
    struct buf title, words;
    const char *name;
    bool titled = false;
    buf_init(&title, WORDS_MAX_TEXT);
    buf_init(&words, WORDS_MAX_TEXT);
    for (size_t n = 0; json_scan_next(s, "{}", &n) && (name = json_scan_name(s)) != NULL;)
        if (strcmp(name, "tts") == 0) {
            titled = true;
            join_list(s, &title);
        } else if (strcmp(name, "default") == 0) {
            join_list(s, &words);
        } else {
            json_scan_skip(s);
        }
    enum status st = OK;
    if (title.failed || words.failed)
        st =
            err_set(err, ERR_CORRUPT, "%s: %s: expected plain words of at most %u bytes", r->path, key, WORDS_MAX_TEXT);
    else if (!s->wrong)
        st = words_add_joined(r, key, titled ? buf_str(&title) : NULL, buf_str(&words), err);
    buf_free(&title);
    buf_free(&words);
    return st;
}

enum status words_scan_cldr(struct words_reader *r, const char *text, size_t len, struct error *err)
{
    struct json_scan s;
    char key[WORDS_MAX_KEY];
    const char *emoji;
    enum status st = OK;
    arena_reset(&r->scratch);
    json_scan_begin(&s, text, len, &r->scratch);
    bool there = enter_member(&s, NULL) && enter_member(&s, "annotations");
    for (size_t n = 0; there && st == OK && json_scan_next(&s, "{}", &n);) {
        arena_reset(&r->scratch);
        if (!(emoji = json_scan_name(&s)))
            break;
        if (words_key(emoji, key))
            st = scan_emoji(r, &s, key, err);
        else
            json_scan_skip(&s);
    }
    if (st == OK && s.wrong)
        st = err_set(err, ERR_CORRUPT, "%s: %s, at byte %zu", r->path, s.wrong, (size_t)(s.at - s.start));
    return st;
}

/* With a sign, without blanks and without anything spelled: ":D", "+1", "12:30", "-_-". */
static bool is_emoticon(const char *s)
{
    bool sign = false, plain = false, letter = false;
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool before = letter;
        letter = isalpha(c) || c >= 0x80;
        if (isspace(c) || (before && letter))
            return false;
        plain = plain || letter || isdigit(c);
        sign = sign || (ispunct(c) && c != '_' && c != '-' && c != '\'');
    }
    return sign || !plain;
}

static const char *emoticon(struct words_reader *r, const char *s)
{
    if (!s[strcspn(s, SEPARATORS)])
        return s;
    size_t len = 0;
    char *out = arena_alloc(&r->scratch, 3 * strlen(s) + 1);
    for (; out && *s; s++)
        if (strchr(SEPARATORS, *s))
            len += utf8_encode(0xff00u + (unsigned char)*s - 0x20, out + len);
        else
            out[len++] = *s;
    return out;
}

/* As it is typed, or as it is spelled; NULL for what the list of keywords has no place for. */
static const char *community_word(struct words_reader *r, const char *s)
{
    if (strcmp(s, CUT_SHRUG) == 0)
        return SHRUG;
    if (is_emoticon(s))
        return emoticon(r, s);
    char *out = s[strcspn(s, SEPARATORS)] ? NULL : arena_strdup(&r->scratch, s), *to = out;
    for (; out && *s; s++) {
        bool unbroken = memcmp(s, "\xc2\xa0", 2) == 0; /* a blank of two bytes */
        *to++ = unbroken || *s == '_' ? ' ' : *s;
        s += unbroken;
    }
    if (out)
        *to = '\0';
    return out;
}

/* The first of each list is the emoji's name, which CLDR has too. */
enum status words_read_emojilib(struct words_reader *r, json_t *root, struct error *err)
{
    json_t *list;
    const char *emoji;
    enum status st = json_is_object(root) ? OK : err_set(err, ERR_CORRUPT, "%s: expected an object", r->path);
    json_object_foreach(root, emoji, list)
    {
        if (json_is_array(list))
            json_array_remove(list, 0);
        if (st == OK)
            st = words_add(r, emoji, NULL, list, community_word, err);
    }
    return st;
}

enum status words_read_emoticons(struct words_reader *r, json_t *root, struct error *err)
{
    json_t *item;
    size_t i;
    enum status st = json_is_array(root) ? OK : err_set(err, ERR_CORRUPT, "%s: expected a list", r->path);
    json_array_foreach(root, i, item)
    {
        const char *emoji = json_string_value(json_object_get(item, "emoji"));
        if (st == OK && !emoji)
            st = err_set(err, ERR_CORRUPT, "%s: [%zu]: expected an \"emoji\"", r->path, i);
        if (st == OK)
            st = words_add(r, emoji, NULL, json_object_get(item, "emoticon"), community_word, err);
    }
    return st;
}

/* "1F44D" -> "👍". False if it is no such thing. */
static bool emoji_of_hex(const char *hex, char out[4 * MAX_HEXCODES + 1])
{
    size_t len = 0;
    for (unsigned i = 0; i < MAX_HEXCODES; i++) {
        size_t digits = strspn(hex, "0123456789abcdefABCDEF");
        size_t n = digits && digits <= 6 ? utf8_encode((uint32_t)strtoul(hex, NULL, 16), out + len) : 0;
        if (!n || (hex[digits] && hex[digits] != '-'))
            return false;
        len += n;
        out[len] = '\0';
        if (!hex[digits])
            return true;
        hex += digits + 1;
    }
    return false;
}

enum status words_read_shortcodes(struct words_reader *r, json_t *root, struct error *err)
{
    char emoji[4 * MAX_HEXCODES + 1];
    json_t *list;
    const char *hexcode;
    enum status st = json_is_object(root) ? OK : err_set(err, ERR_CORRUPT, "%s: expected an object", r->path);
    json_object_foreach(root, hexcode, list)
    {
        if (st == OK && !emoji_of_hex(hexcode, emoji))
            st = err_set(err, ERR_CORRUPT, "%s: expected code points, found \"%.40s\"", r->path, hexcode);
        if (st == OK)
            st = words_add(r, emoji, NULL, list, community_word, err);
    }
    return st;
}
