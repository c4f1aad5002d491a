#include "rank/query_language.h"

#include "base/utf8.h"
#include "text/text.h"

#include <stdbool.h>
#include <string.h>

#define MAX_WORDS 16u /* of a query that are looked at */
#define MAX_BYTES 512u

/* --- scripts --- */

struct range {
    uint32_t first, last;
    unsigned language; /* the one that the script is taken for */
    const char *also;  /* others that are written in it, as codes between blanks */
};
static const struct range scripts[] = {
    {0x0370, 0x03ff, LANGUAGE_el, ""},
    {0x0400, 0x052f, LANGUAGE_ru, " uk be bg mk sr kk ky tg mn cv ba tt "},
    {0x0530, 0x058f, LANGUAGE_hy, ""},
    {0x0590, 0x05ff, LANGUAGE_he, " yi "},
    {0x0600, 0x06ff, LANGUAGE_ar, " fa ur ps sd ug ckb ku pa bgn kk ha "},
    {0x0900, 0x097f, LANGUAGE_hi, " mr ne sa kok mai doi sd "},
    {0x0980, 0x09ff, LANGUAGE_bn, " as mni "},
    {0x0a00, 0x0a7f, LANGUAGE_pa, ""},
    {0x0a80, 0x0aff, LANGUAGE_gu, ""},
    {0x0b00, 0x0b7f, LANGUAGE_or, ""},
    {0x0b80, 0x0bff, LANGUAGE_ta, ""},
    {0x0c00, 0x0c7f, LANGUAGE_te, ""},
    {0x0c80, 0x0cff, LANGUAGE_kn, ""},
    {0x0d00, 0x0d7f, LANGUAGE_ml, ""},
    {0x0d80, 0x0dff, LANGUAGE_si, ""},
    {0x0e00, 0x0e7f, LANGUAGE_th, ""},
    {0x0e80, 0x0eff, LANGUAGE_lo, ""},
    {0x1000, 0x109f, LANGUAGE_my, " shn "},
    {0x10a0, 0x10ff, LANGUAGE_ka, ""},
    {0x1200, 0x139f, LANGUAGE_am, " ti "},
    {0x1780, 0x17ff, LANGUAGE_km, ""},
    {0x3040, 0x30ff, LANGUAGE_ja, ""},
    {0x3400, 0x9fff, LANGUAGE_zh, " ja yue "},
    {0x1100, 0x11ff, LANGUAGE_ko, ""},
    {0xac00, 0xd7af, LANGUAGE_ko, ""},
};

static bool lists(const char *codes, unsigned language)
{
    const char *code = language_code(language), *at = strstr(codes, code);
    size_t n = strlen(code);
    for (; at; at = strstr(at + 1, code))
        if (at > codes && at[-1] == ' ' && at[n] == ' ')
            return true;
    return false;
}

/* Letters of one language among those that share a script. */
static const struct {
    const char *letters;
    unsigned language;
} letters[] = {
    {"іїєґ", LANGUAGE_uk},
    {"ў", LANGUAGE_be},
    {"ђћ", LANGUAGE_sr},
    {"ѓќѕ", LANGUAGE_mk},
    {"әқңғұһ", LANGUAGE_kk},
    {"پچژگ", LANGUAGE_fa},
    {"ٹڈڑےں", LANGUAGE_ur},
    {"ñ¿¡", LANGUAGE_es},
    {"ãõ", LANGUAGE_pt},
    {"ß", LANGUAGE_de},
    {"ğış", LANGUAGE_tr},
    {"łżźąęćńś", LANGUAGE_pl},
    {"ěřů", LANGUAGE_cs},
    {"őű", LANGUAGE_hu},
    {"ățș", LANGUAGE_ro},
    {"œ", LANGUAGE_fr},
    {"đơưạảấầẩậắằặẹẻẽếềểễệịỉọỏốồổỗộớờởợụủứừửữựỳỷỹ", LANGUAGE_vi},
};

/* Small words, and what people write in chats, of languages in Latin letters. One that is English too speaks for both.
 */
static const struct {
    unsigned language;
    const char *words; /* between blanks */
} small[] = {
    {LANGUAGE_es, " de se no me en a y o lo le su ha he esto ese nos la el los las una que qué como cómo estoy está "
                  "tengo muy pero por para con jaja jajaja te quiero mi "
                  "hola gracias buenos buenas noches días feliz hoy mañana amor vamos bien más mucho "},
    {LANGUAGE_pt, " de do da em na no me se o a e é os uma um que não nao você voce estou está tá muito mas por com "
                  "para kkk kkkk rsrs bom boa dia noite "
                  "obrigado obrigada saudade hoje amanhã vamos meu minha eu feliz tô "},
    {LANGUAGE_fr, " de du au aux en on se me a à un ne le la les une des est et je tu il elle nous vous suis c'est "
                  "j'ai pas avec pour dans mdr ptdr bonne "
                  "bon nuit merci bonjour salut demain aujourd'hui mon ma ça trop très aime jour "},
    {LANGUAGE_de, " die den dem im am so da mal hat wieder gleich noch endlich der das und ich du ist nicht ein eine "
                  "mit auf für bin hab habe gute guten gut nacht morgen danke "
                  "bitte schlaf alles geburtstag heute mein dich dir wir zu schön keine "},
    {LANGUAGE_it, " di da la le un se mi si in che il lo gli una che non sono ho è molto ma con per buon buona notte "
                  "buongiorno grazie ciao oggi "
                  "domani mio mia ti amo auguri andiamo "},
    {LANGUAGE_nl,
     " de in het een en ik je niet is met op van voor ben heb goede morgen slaap lekker dank bedankt gefeliciteerd "
     "vandaag mijn wij zijn geen "},
    {LANGUAGE_sv, " och jag det är inte en ett med på för har god natt tack idag imorgon min vi kära grattis "},
    {LANGUAGE_da, " og jeg det er ikke en et med på for har god nat tak idag morgen min vi tillykke "},
    {LANGUAGE_no, " og jeg det er ikke en et med på har god natt takk idag morgen min vi gratulerer "},
    {LANGUAGE_fi, " ja minä sinä on ei hyvää yötä huomenta kiitos tänään huomenna olen paljon onnea "},
    {LANGUAGE_pl,
     " nie jest się na z jestem dobranoc dzień dobry dziękuję dzięki dziś jutro mój kocham cię wszystkiego "
     "najlepszego bardzo jak "},
    {LANGUAGE_cs, " je není se na jsem dobrou noc dobrý den děkuji díky dnes zítra můj miluji všechno nejlepší jak "},
    {LANGUAGE_hu, " nem vagyok egy és jó éjszakát reggelt köszönöm ma holnap szeretlek boldog "},
    {LANGUAGE_ro, " nu este sunt și cu pe pentru noapte bună dimineața mulțumesc azi mâine te iubesc mult "},
    {LANGUAGE_tr, " bir ve ben sen çok değil iyi geceler günaydın teşekkürler bugün yarın seni seviyorum doğum günün "
                  "kutlu olsun "},
    {LANGUAGE_id, " di ke ini itu ya tapi otw nih yang dan aku kamu tidak gak nggak banget selamat malam pagi terima "
                  "kasih hari ini besok cinta ulang "
                  "tahun lagi wkwk wkwkwk "},
    {LANGUAGE_vi, " và tôi bạn không rất chúc ngủ ngon cảm ơn hôm nay mừng sinh nhật yêu em anh "},
};

/* --- evidence --- */

enum { EN_COMMON = 3000, EN_KNOWN = 30000 }; /* ranks of English words by frequency */

struct evidence {
    const struct query_language_ask *ask;
    double of[LANGUAGE_COUNT];
};

static void add_phrases(struct evidence *e, const char *text, size_t len, double weight)
{
    struct language_set in = {0};
    if (!e->ask->phrases)
        return;
    phrases_languages(e->ask->phrases, text, len, &in);
    for (unsigned i = LANGUAGE_OTHER + 1; i < LANGUAGE_COUNT; i++)
        e->of[i] += language_set_has(&in, i) ? weight : 0;
}

static void add_word(struct evidence *e, const char *word, size_t len)
{
    char key[64];
    if (len < 1)
        return;
    uint32_t rank = e->ask->words ? meanings_rank(e->ask->words, word, len) : UINT32_MAX;
    if (len > 2) /* shorter ones are codes of countries */
        add_phrases(e, word, len, 1.5);
    if (len + 3 > sizeof key)
        return;
    key[0] = ' ';
    memcpy(key + 1, word, len);
    memcpy(key + 1 + len, " ", 2);
    bool elsewhere = false;
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (strstr(small[i].words, key)) {
            e->of[small[i].language] += 2.5;
            elsewhere = true;
        }
    e->of[LANGUAGE_en] += rank < EN_COMMON && !elsewhere ? 2 : rank < EN_KNOWN ? 1 : 0;
}

static void add_letter(struct evidence *e, uint32_t cp)
{
    char bytes[5] = {0};
    if (cp < 0x80)
        return;
    utf8_encode(cp, bytes);
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++)
        e->of[letters[i].language] += strstr(letters[i].letters, bytes) ? 2 : 0;
    e->of[LANGUAGE_en] -= 1;
}

/* The language of the first letter of a script that few have; LANGUAGE_OTHER: all are Latin, or there are none. */
static unsigned by_script(struct evidence *e, const char *s, size_t len, bool *certain)
{
    unsigned language = LANGUAGE_OTHER;
    for (uint32_t cp; len;) {
        size_t n = utf8_decode(s, len, &cp);
        for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++)
            if (cp >= scripts[i].first && cp <= scripts[i].last && utf8_kind(cp) == UTF8_LETTER) {
                bool hinted = lists(scripts[i].also, e->ask->hint);
                *certain = !*scripts[i].also;
                if (*certain)
                    return scripts[i].language;
                language = hinted ? e->ask->hint : language ? language : scripts[i].language;
            }
        s += n;
        len -= n;
    }
    return language;
}

/* Of the character that begins at s; *n: its bytes. */
static bool is_part_of_word(const char *s, size_t len, size_t *n)
{
    uint32_t cp;
    *n = utf8_decode(s, len, &cp);
    return utf8_kind(cp) != UTF8_OTHER || cp == '\'';
}

static void add_words(struct evidence *e, const char *s, size_t len)
{
    size_t words = 0;
    while (len && words < MAX_WORDS) {
        size_t n = 0, end = 0;
        while (end < len && is_part_of_word(s + end, len - end, &n))
            end += n;
        if (end) {
            const char *apostrophe = memchr(s, '\'', end);
            add_word(e, s, end);
            if (apostrophe) { /* "j'ai", "t'aime": both parts too */
                add_word(e, s, (size_t)(apostrophe - s));
                add_word(e, apostrophe + 1, end - (size_t)(apostrophe - s) - 1);
            }
            words++;
        } else {
            end = n;
        }
        s += end;
        len -= end;
    }
}

unsigned query_language(const struct query_language_ask *ask, struct arena *a)
{
    struct evidence e = {.ask = ask};
    unsigned fallback = ask->hint ? ask->hint : LANGUAGE_en;
    const char *text;
    size_t len;
    bool certain = false;
    if (text_lower(ask->text, ask->len, MAX_BYTES, a, &text, &len, NULL) != OK)
        return fallback;
    unsigned script = by_script(&e, text, len, &certain);
    if (certain)
        return script;
    for (size_t at = 0, n; at < len; at += n) {
        uint32_t cp;
        n = utf8_decode(text + at, len - at, &cp);
        if (utf8_kind(cp) == UTF8_LETTER)
            add_letter(&e, cp);
    }
    if (script) { /* one of several: letters that only one has decide */
        for (unsigned i = LANGUAGE_OTHER + 1; i < LANGUAGE_COUNT; i++)
            if (e.of[i] > e.of[script])
                script = i;
        return script;
    }
    add_words(&e, text, len);
    add_phrases(&e, text, len, 2);
    bool accented = fallback == LANGUAGE_en && e.of[LANGUAGE_en] < 0; /* and nothing else of it is English */
    e.of[fallback] += ask->hint ? 1.5 : 0.75;
    unsigned best = fallback;
    for (unsigned i = LANGUAGE_OTHER + 1; i < LANGUAGE_COUNT; i++)
        if (e.of[i] > e.of[best] + 0.25)
            best = i;
    return best == LANGUAGE_en && accented ? LANGUAGE_OTHER : best;
}
