/* Which Snowball stemmer is for which language. A language without one keeps its words as they are; a wrong
 * stemmer would join words that have nothing to do with each other. */
#include "text/text_internal.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *algorithm;
    bool not_latin; /* has nothing to say about words in ASCII */
} stemmers[LANGUAGE_COUNT] = {
    [LANGUAGE_en] = {"english", false},    [LANGUAGE_ar] = {"arabic", true},      [LANGUAGE_bs] = {"serbian", false},
    [LANGUAGE_ca] = {"catalan", false},    [LANGUAGE_da] = {"danish", false},     [LANGUAGE_de] = {"german", false},
    [LANGUAGE_el] = {"greek", true},       [LANGUAGE_es] = {"spanish", false},    [LANGUAGE_eu] = {"basque", false},
    [LANGUAGE_fi] = {"finnish", false},    [LANGUAGE_fr] = {"french", false},     [LANGUAGE_ga] = {"irish", false},
    [LANGUAGE_hi] = {"hindi", true},       [LANGUAGE_hr] = {"serbian", false},    [LANGUAGE_hu] = {"hungarian", false},
    [LANGUAGE_hy] = {"armenian", true},    [LANGUAGE_id] = {"indonesian", false}, [LANGUAGE_it] = {"italian", false},
    [LANGUAGE_lt] = {"lithuanian", false}, [LANGUAGE_ne] = {"nepali", true},      [LANGUAGE_nl] = {"dutch", false},
    [LANGUAGE_no] = {"norwegian", false},  [LANGUAGE_pt] = {"portuguese", false}, [LANGUAGE_ro] = {"romanian", false},
    [LANGUAGE_ru] = {"russian", true},     [LANGUAGE_sr] = {"serbian", false},    [LANGUAGE_sv] = {"swedish", false},
    [LANGUAGE_ta] = {"tamil", true},       [LANGUAGE_tr] = {"turkish", false},
};

/* --- the stemmers of a thread: to make them takes longer than to stem the words of a query --- */

struct kept {
    struct sb_stemmer *of[LANGUAGE_COUNT];
};
static _Thread_local struct kept *kept; /* freed by the key, when the thread ends */
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool has_key;

static void free_kept(void *p)
{
    struct kept *k = p;
    for (unsigned i = 0; i < LANGUAGE_COUNT; i++)
        if (k->of[i])
            sb_stemmer_delete(k->of[i]);
    free(k);
    kept = NULL;
}

static void make_key(void)
{
    has_key = pthread_key_create(&key, free_kept) == 0;
}

static bool open_kept(void)
{
    if (kept)
        return true;
    pthread_once(&once, make_key);
    kept = has_key ? calloc(1, sizeof *kept) : NULL;
    if (kept && pthread_setspecific(key, kept) != 0) {
        free(kept);
        kept = NULL;
    }
    return kept != NULL;
}

struct sb_stemmer *text_stemmer(unsigned language)
{
    if (!stemmers[language].algorithm || !open_kept())
        return NULL;
    if (!kept->of[language])
        kept->of[language] = sb_stemmer_new(stemmers[language].algorithm, "UTF_8");
    return kept->of[language];
}

/* --- stems --- */

bool text_is_stem(unsigned language, bool ascii)
{
    return !stemmers[language].algorithm || (stemmers[language].not_latin && ascii);
}

unsigned text_stems_as(unsigned language)
{
    return language == LANGUAGE_hr || language == LANGUAGE_sr ? LANGUAGE_bs : language;
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

/* Folds after stemming, because the algorithms know endings by their accents. False: nothing is left. */
static bool stem(struct sb_stemmer *stemmer, unsigned language, const char *word, size_t len, struct text_stem *out)
{
    word = without_article(language, word, &len);
    const sb_symbol *s = sb_stemmer_stem(stemmer, (const sb_symbol *)word, (int)len);
    int stem_len = s ? sb_stemmer_length(stemmer) : 0;
    if (stem_len > 0 && (size_t)stem_len <= TEXT_MAX_FOLDED) {
        word = (const char *)s;
        len = (size_t)stem_len;
    }
    out->len = text_fold(word, len, out->text);
    return out->len > 0;
}

bool text_stems(unsigned language, const char *spelled, struct text_stem out[2], size_t *n)
{
    size_t len = strlen(spelled);
    if (text_is_stem(language, text_is_ascii(spelled, len))) {
        out[0].len = text_fold(spelled, len, out[0].text);
        *n = out[0].len > 0;
        return true;
    }
    struct sb_stemmer *stemmer = text_stemmer(language);
    struct text_stem plain = {.len = text_fold(spelled, len, plain.text)};
    *n = 0;
    if (!stemmer || !stem(stemmer, language, spelled, len, &out[0]))
        return stemmer != NULL;
    *n = 1;
    if (plain.len == len && memcmp(plain.text, spelled, len) == 0)
        return true;
    bool other = stem(stemmer, language, plain.text, plain.len, &out[1]);
    *n += other && !(out[0].len == out[1].len && memcmp(out[0].text, out[1].text, out[0].len) == 0);
    return true;
}
