/* Pieces of text that say more by their signs than by their letters: "+1", "<3", "a+", "!!", ":)", "o_O",
 * "¯\_(ツ)_/¯". Each is a term as a whole, spelled by its code points as an emoji is. */
#include "text/text_internal.h"

#include "base/utf8.h"
#include "text/chars.h"

#include <string.h>
#include <utf8proc.h>

#define MAX_SIGN 28u /* code points of a sign; longer pieces are drawings */

struct sign_piece {
    uint32_t cps[MAX_SIGN];
    size_t n, letters;
};

static bool is_space(uint32_t cp)
{
    return cp <= ' ' || cp == 0x85 || cp == 0xa0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 ||
           cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

static bool is_letter(uint32_t cp)
{
    return chars_is_word(cp);
}

/* Full width as usual, capitals small: ":D" and ":d" are one. */
static uint32_t sign_fold(uint32_t cp)
{
    if (cp >= 0xff01 && cp <= 0xff5e)
        cp -= 0xfee0;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp);
}

/* Bytes up to the end of the piece at s; false: it is too long, or has an emoji, which is a term already. */
static bool read_piece(const char *s, size_t len, size_t *bytes, struct sign_piece *p)
{
    bool fits = true;
    *p = (struct sign_piece){0};
    for (*bytes = 0; *bytes < len;) {
        uint32_t cp;
        size_t n = utf8_decode(s + *bytes, len - *bytes, &cp);
        if (is_space(cp) || cp == ',')
            break;
        fits = fits && p->n < MAX_SIGN && !emoji_sequence(s + *bytes, len - *bytes);
        if (fits && cp != 0xfe0e && cp != 0xfe0f)
            p->cps[p->n++] = sign_fold(cp);
        *bytes += n;
    }
    return fits && p->n > 0;
}

static void remove_at(struct sign_piece *p, size_t at)
{
    p->n--;
    memmove(p->cps + at, p->cps + at + 1, (p->n - at) * sizeof *p->cps);
}

static bool is_eyes(uint32_t cp)
{
    return cp == ':' || cp == ';' || cp == '=' || cp == '8' || cp == 'x';
}

static bool is_mouth(uint32_t cp)
{
    return cp < 0x80 && strchr(")(dpo/\\|[]*", (int)cp);
}

/* One spelling for what is one sign: ":-)", "=)" and ":)))" are ":)", ":+1:" is "+1", "<3!" is "<3", and
 * "!!!!" is "!!". */
static void simplify(struct sign_piece *p)
{
    if (p->n > 2 && p->cps[0] == ':' && p->cps[p->n - 1] == ':') {
        remove_at(p, p->n - 1);
        remove_at(p, 0);
    }
    while (p->n > 2 && strchr(".!?", (int)p->cps[p->n - 1] & 0x7f) && p->cps[p->n - 1] < 0x80 &&
           p->cps[p->n - 1] != p->cps[0])
        p->n--;
    while (p->n > 1 && (p->cps[p->n - 1] == ')' || p->cps[p->n - 1] == '(') && p->cps[p->n - 2] == p->cps[p->n - 1])
        p->n--;
    while (p->n > 2 && p->cps[p->n - 1] == p->cps[p->n - 2] && p->cps[p->n - 2] == p->cps[p->n - 3])
        p->n--;
    if (p->n > 2 && p->cps[1] == '-' && is_eyes(p->cps[0]))
        remove_at(p, 1);
    if (p->n == 2 && p->cps[0] == '=' && is_mouth(p->cps[1]))
        p->cps[0] = ':';
}

/* More signs than letters, or almost. An apostrophe or hyphen between letters belongs to a word. */
static bool is_sign(const struct sign_piece *p)
{
    size_t signs = 0, letters = 0;
    for (size_t i = 0; i < p->n; i++) {
        uint32_t cp = p->cps[i];
        bool inner = i > 0 && i + 1 < p->n && is_letter(p->cps[i - 1]) && is_letter(p->cps[i + 1]);
        if (is_letter(cp))
            letters++;
        else
            signs += !(inner && (cp == '\'' || cp == 0x2019 || cp == '-'));
    }
    return signs > 0 && letters <= signs + 1;
}

/* Moves behind white space, commas and pieces of letters alone, which most are. */
static void skip_words(const char *s, size_t len, size_t *at)
{
    for (size_t next = *at; next < len;) {
        uint32_t cp;
        next += utf8_decode(s + next, len - next, &cp);
        if (is_space(cp) || cp == ',')
            *at = next;
        else if (!is_letter(cp))
            return;
    }
    *at = len;
}

bool text_next_sign(const char *s, size_t len, size_t *at, struct text_sign *out)
{
    for (;;) {
        struct sign_piece p;
        size_t bytes;
        skip_words(s, len, at);
        if (*at >= len)
            return false;
        bool fits = read_piece(s + *at, len - *at, &bytes, &p);
        out->at = *at;
        out->len = bytes;
        *at += bytes;
        if (!fits)
            continue;
        simplify(&p);
        if (!is_sign(&p))
            continue;
        out->text_len = 0;
        for (size_t i = 0; i < p.n; i++)
            out->text_len += utf8_encode(p.cps[i], out->text + out->text_len);
        out->name_len = emoji_spelled(out->text, out->text_len, out->name);
        return true;
    }
}

/* What people draw with signs, as the emoji that shows it. */
static const struct {
    const char *sign, *emoji;
} drawn[] = {
    {":)", "🙂"},  {":d", "😄"},      {";)", "😉"},  {":(", "🙁"}, {":'(", "😢"},
    {":')", "🥲"}, {":p", "😛"},      {";p", "😜"},  {":o", "😮"},    {":*", "😘"},
    {":|", "😐"},     {":/", "😕"},      {":\\", "😕"}, {":x", "😶"},    {":3", "😺"},
    {"8)", "😎"},     {"b)", "😎"},      {">:(", "😠"}, {">:)", "😈"},   {"o:)", "😇"},
    {"d:", "😧"},     {"<3", "❤"},      {"</3", "💔"}, {"^_^", "😊"},   {"^^", "😊"},
    {"o_o", "😳"},    {"-_-", "😑"},     {"t_t", "😭"}, {";_;", "😭"},   {">_<", "😣"},
    {"\\o/", "🙌"},   {"\\m/", "🤘"}, {"(y)", "👍"}, {"(n)", "👎"},   {"+1", "👍"},
    {"-1", "👎"},     {"x(", "😵"},      {":@", "😡"},  {":$", "😳"},    {"¯\\_(ツ)_/¯", "🤷"},
    {"->", "➡"},     {"<-", "⬅"},      {"!!", "‼"},  {"?!", "⁉"},    {"!?", "⁉"},
};

size_t text_sign_emoji(const struct text_sign *sign, char out[EMOJI_MAX_NAME])
{
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        if (strlen(drawn[i].sign) == sign->text_len && memcmp(drawn[i].sign, sign->text, sign->text_len) == 0)
            return emoji_name(drawn[i].emoji, strlen(drawn[i].emoji), out);
    return 0;
}

char *text_without_signs(const char *s, size_t len, struct arena *arena)
{
    struct text_sign sign;
    char emoji[EMOJI_MAX_NAME], *copy = arena_strndup(arena, s, len);
    for (size_t at = 0; copy && text_next_sign(s, len, &at, &sign);) {
        bool letters = false, has_emoji = text_sign_emoji(&sign, emoji) > 0;
        for (size_t i = 0, n; i < sign.len; i += n) {
            uint32_t cp;
            n = utf8_decode(s + sign.at + i, sign.len - i, &cp);
            letters = letters || is_letter(cp);
        }
        if (letters || has_emoji)
            memset(copy + sign.at, ' ', sign.len);
    }
    return copy;
}
