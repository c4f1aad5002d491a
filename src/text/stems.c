/* Which Snowball stemmer is for which language. A language without one keeps its words as they are; a wrong
 * stemmer would join words that have nothing to do with each other. */
#include "text/text_internal.h"

#include <libstemmer.h>
#include <string.h>

static const struct {
    unsigned language;
    const char *algorithm;
} stemmers[TEXT_STEMMERS] = {
    {LANGUAGE_en, "english"},    {LANGUAGE_ar, "arabic"},    {LANGUAGE_bs, "serbian"},    {LANGUAGE_ca, "catalan"},
    {LANGUAGE_da, "danish"},     {LANGUAGE_de, "german"},    {LANGUAGE_el, "greek"},      {LANGUAGE_es, "spanish"},
    {LANGUAGE_eu, "basque"},     {LANGUAGE_fi, "finnish"},   {LANGUAGE_fr, "french"},     {LANGUAGE_ga, "irish"},
    {LANGUAGE_hi, "hindi"},      {LANGUAGE_hr, "serbian"},   {LANGUAGE_hu, "hungarian"},  {LANGUAGE_hy, "armenian"},
    {LANGUAGE_id, "indonesian"}, {LANGUAGE_it, "italian"},   {LANGUAGE_lt, "lithuanian"}, {LANGUAGE_ne, "nepali"},
    {LANGUAGE_nl, "dutch"},      {LANGUAGE_no, "norwegian"}, {LANGUAGE_pt, "portuguese"}, {LANGUAGE_ro, "romanian"},
    {LANGUAGE_ru, "russian"},    {LANGUAGE_sr, "serbian"},   {LANGUAGE_sv, "swedish"},    {LANGUAGE_ta, "tamil"},
    {LANGUAGE_tr, "turkish"},
};

static unsigned find(unsigned language)
{
    unsigned i = 0;
    while (i < TEXT_STEMMERS && stemmers[i].language != language)
        i++;
    return i;
}

bool text_has_stemmer(unsigned language)
{
    return find(language) < TEXT_STEMMERS;
}

void text_stemmers_free(struct text_stemmers *s)
{
    for (unsigned i = 0; i < TEXT_STEMMERS; i++)
        sb_stemmer_delete(s->of[i]);
}

/* Snowball takes the article off long Arabic words only. */
static const char *without_article(unsigned language, const char *word, size_t *len)
{
    if (language == LANGUAGE_ar && *len >= 8 && strncmp(word, "\xd8\xa7\xd9\x84", 4) == 0) {
        *len -= 4;
        return word + 4;
    }
    return word;
}

/* Folds after stemming, because the algorithms know endings by their accents. */
static void stem(struct sb_stemmer *stemmer, unsigned language, const char *word, size_t len, struct text_stem *out)
{
    word = without_article(language, word, &len);
    const sb_symbol *s = stemmer ? sb_stemmer_stem(stemmer, (const sb_symbol *)word, (int)len) : NULL;
    int stem_len = s ? sb_stemmer_length(stemmer) : 0;
    if (stem_len > 0 && (size_t)stem_len <= TEXT_MAX_FOLDED) {
        word = (const char *)s;
        len = (size_t)stem_len;
    }
    out->len = text_fold(word, len, out->text);
}

size_t text_stems(struct text_stemmers *s, unsigned language, const char *spelled, struct text_stem out[2])
{
    unsigned i = find(language);
    size_t len = strlen(spelled);
    if (i == TEXT_STEMMERS) {
        out[0].len = text_fold(spelled, len, out[0].text);
        return out[0].len > 0;
    }
    if (!s->of[i])
        s->of[i] = sb_stemmer_new(stemmers[i].algorithm, "UTF_8");
    struct text_stem plain = {.len = text_fold(spelled, len, plain.text)};
    stem(s->of[i], language, spelled, len, &out[0]);
    if (!out[0].len)
        return 0;
    if (plain.len == len && memcmp(plain.text, spelled, len) == 0)
        return 1;
    stem(s->of[i], language, plain.text, plain.len, &out[1]);
    bool same = out[0].len == out[1].len && memcmp(out[0].text, out[1].text, out[0].len) == 0;
    return same || !out[1].len ? 1 : 2;
}
