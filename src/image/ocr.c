#include "image/ocr.h"

#include "base/utf8.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#define LIBRARY     "libtesseract.so.5"
#define MAX_WORDS   64u /* different ones of a picture */
#define MAX_WORD    48u /* bytes */
#define SURE        80  /* Tesseract's confidence, 0 to 100, of the better of the two sizes */
#define LIKELY      60  /* of the other one */
#define SHORT_SURE  90  /* of both, for a word of two letters, of which there are many in any pattern */
#define NEARLY      225 /* grey levels from there on are nearly white, */
#define NEARLY_NOT  40  /* and up to there nearly black */
#define PIXELS_INCH 300 /* Tesseract wants to be told something */

/* Of Tesseract's C API (capi.h). */
enum { LSTM_ONLY = 1, SPARSE_TEXT = 11, WORD = 3 };
#define CALLS(X)                                                                                                       \
    X(void *, BaseAPICreate, (void))                                                                                   \
    X(void, BaseAPIDelete, (void *))                                                                                   \
    X(int, BaseAPIInit2, (void *, const char *folder, const char *languages, int engine))                              \
    X(char **, BaseAPIGetLoadedLanguagesAsVector, (const void *))                                                      \
    X(void, DeleteTextArray, (char **))                                                                                \
    X(void, BaseAPISetPageSegMode, (void *, int mode))                                                                 \
    X(void, BaseAPISetImage, (void *, const unsigned char *pixels, int width, int height, int bytes, int stride))      \
    X(void, BaseAPISetSourceResolution, (void *, int per_inch))                                                        \
    X(int, BaseAPIRecognize, (void *, void *monitor))                                                                  \
    X(void, BaseAPIClear, (void *))                                                                                    \
    X(void *, BaseAPIGetIterator, (void *))                                                                            \
    X(void, ResultIteratorDelete, (void *))                                                                            \
    X(int, ResultIteratorNext, (void *, int level))                                                                    \
    X(char *, ResultIteratorGetUTF8Text, (const void *, int level))                                                    \
    X(float, ResultIteratorConfidence, (const void *, int level))                                                      \
    X(void, DeleteText, (const char *))

struct ocr {
    void *library, *api;
#define CALL_MEMBER(type, name, parameters) type(*name) parameters;
    CALLS(CALL_MEMBER)
};

enum size { SMALL, LARGE, SIZES };
static const uint32_t sides[SIZES] = {OCR_SIDE / 2, OCR_SIDE};

enum ink { ON_WHITE, ON_BLACK, WHITE_ALONE, BLACK_ALONE, INKS };

struct word {
    char text[MAX_WORD + 1];
    unsigned letters;
    float confidence[SIZES]; /* the best of all inks; 0: not read */
};

struct reading {
    struct word words[MAX_WORDS];
    size_t n;
};

/* --- opening --- */

enum status ocr_check_languages(const char *languages, struct error *err)
{
    size_t len = strlen(languages);
    bool right = len && len <= OCR_MAX_LANGUAGES && languages[0] != '+' && languages[len - 1] != '+' &&
                 !strstr(languages, "++") &&
                 strspn(languages, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+") == len;
    return right ? OK
                 : err_set(err, ERR_INVALID,
                           "languages of text in pictures: expected Tesseract's names, such as \"eng+deu\", found "
                           "\"%.100s\"",
                           languages);
}

/* Functions and objects have pointers of the same kind, as POSIX says of dlsym. */
static void *find_call(struct ocr *o, const char *name, struct error *err)
{
    void *call = dlsym(o->library, name);
    if (!call)
        err_set(err, ERR_UNSUPPORTED, LIBRARY " has no %s", name);
    return call;
}

static enum status load_library(struct ocr *o, struct error *err)
{
    o->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!o->library)
        return err_set(err, ERR_UNSUPPORTED,
                       "reading text in pictures needs Tesseract, in Debian: apt install libtesseract5 "
                       "tesseract-ocr-eng");
    void *call;
#define CALL_FIND(type, name, parameters)                                                                              \
    if (!(call = find_call(o, "Tess" #name, err)))                                                                     \
        return ERR_UNSUPPORTED;                                                                                        \
    memcpy(&o->name, &call, sizeof call);
    CALLS(CALL_FIND)
    return OK;
}

static bool is_loaded(char *const *loaded, const char *name, size_t len)
{
    for (size_t i = 0; loaded && loaded[i]; i++)
        if (strlen(loaded[i]) == len && memcmp(loaded[i], name, len) == 0)
            return true;
    return false;
}

/* Of several languages Tesseract leaves those out that it cannot load. */
static enum status check_loaded(const char *languages, char *const *loaded, struct error *err)
{
    for (const char *s = languages; *s; s += *s == '+') {
        char package[OCR_MAX_LANGUAGES + 1];
        size_t len = strcspn(s, "+");
        if (!is_loaded(loaded, s, len)) {
            snprintf(package, sizeof package, "%.*s", (int)len, s);
            for (char *p = package; *p; p++)
                *p = (char)(*p == '_' ? '-' : *p);
            return err_set(err, ERR_UNSUPPORTED,
                           "Tesseract has no data for the language \"%.*s\", in Debian: apt install tesseract-ocr-%s",
                           (int)len, s, package);
        }
        s += len;
    }
    return OK;
}

enum status ocr_open(const char *languages, struct ocr **out, struct error *err)
{
    *out = NULL;
    enum status st = ocr_check_languages(languages, err);
    struct ocr *o = st == OK ? calloc(1, sizeof *o) : NULL;
    if (!o)
        return st == OK ? err_no_memory(err, "Tesseract") : st;
    st = load_library(o, err);
    if (st == OK && !(o->api = o->BaseAPICreate()))
        st = err_no_memory(err, "Tesseract");
    if (st == OK) {
        int failed = o->BaseAPIInit2(o->api, NULL, languages, LSTM_ONLY);
        char **loaded = failed ? NULL : o->BaseAPIGetLoadedLanguagesAsVector(o->api);
        st = check_loaded(languages, loaded, err);
        if (loaded)
            o->DeleteTextArray(loaded);
    }
    if (st != OK) {
        ocr_close(o);
        return st;
    }
    o->BaseAPISetPageSegMode(o->api, SPARSE_TEXT);
    *out = o;
    return OK;
}

void ocr_close(struct ocr *o)
{
    if (!o)
        return;
    if (o->api)
        o->BaseAPIDelete(o->api);
    free(o); /* the library stays: its destructors run at the end of the process */
}

/* --- words --- */

/* What was read, without the punctuation around it. False: it is no word. */
static bool make_word(const char *read, struct word *w)
{
    size_t left = strlen(read), len = 0, end = 0;
    *w = (struct word){.letters = 0};
    if (!utf8_valid(read, left))
        return false;
    bool ended = false;
    while (left) {
        uint32_t cp;
        size_t n = utf8_decode(read, left, &cp);
        read += n;
        left -= n;
        cp = cp == 0x2019 ? '\'' : cp;
        enum utf8_kind kind = utf8_kind(cp);
        bool letter = kind == UTF8_LETTER, within = w->letters && (kind == UTF8_MARK || cp == '\'');
        if (!letter && !within) {
            ended = w->letters != 0;
            if (kind == UTF8_NUMBER)
                return false;
            continue;
        }
        if (ended || len + 4 > MAX_WORD) /* "a.b" is not one word, and not two either */
            return false;
        len += utf8_encode((uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), w->text + len);
        w->letters += letter;
        end = letter || kind == UTF8_MARK ? len : end;
    }
    w->text[end] = '\0';
    return w->letters >= 2;
}

static void note_word(struct reading *r, enum size size, const char *read, float confidence)
{
    struct word w;
    size_t i = 0;
    if (!make_word(read, &w))
        return;
    while (i < r->n && strcmp(r->words[i].text, w.text) != 0)
        i++;
    if (i == MAX_WORDS)
        return;
    if (i == r->n)
        r->words[r->n++] = w;
    if (confidence > r->words[i].confidence[size])
        r->words[i].confidence[size] = confidence;
}

static bool word_counts(const struct word *w)
{
    float small = w->confidence[SMALL], large = w->confidence[LARGE];
    float better = small > large ? small : large, worse = small > large ? large : small;
    return w->letters > 2 ? better >= SURE && worse >= LIKELY : worse >= SHORT_SURE;
}

/* --- one reading --- */

static uint8_t grey_of(const uint8_t *p, uint32_t channels, unsigned ground)
{
    unsigned grey = (299u * p[0] + 587u * p[1] + 114u * p[2] + 500u) / 1000u, alpha = channels == 4 ? p[3] : 255;
    return (uint8_t)((grey * alpha + ground * (255 - alpha) + 127) / 255);
}

/* grey: [height][width]. An ink alone becomes black on white. */
static void apply_ink(const struct image *im, enum ink ink, uint8_t *grey)
{
    size_t n = (size_t)im->width * im->height;
    unsigned ground = ink == ON_BLACK || ink == WHITE_ALONE ? 0 : 255;
    for (size_t i = 0; i < n; i++) {
        uint8_t g = grey_of(im->pixels + i * im->channels, im->channels, ground);
        if (ink == WHITE_ALONE)
            g = g >= NEARLY ? 0 : 255;
        else if (ink == BLACK_ALONE)
            g = g <= NEARLY_NOT ? 0 : 255;
        grey[i] = g;
    }
}

static bool has_holes(const struct image *im)
{
    if (im->channels != 4)
        return false;
    for (size_t i = 0; i < (size_t)im->width * im->height; i++)
        if (im->pixels[4 * i + 3] < 255)
            return true;
    return false;
}

static void read_grey(struct ocr *o, const uint8_t *grey, const struct image *im, enum size size, struct reading *r)
{
    o->BaseAPISetImage(o->api, grey, (int)im->width, (int)im->height, 1, (int)im->width);
    o->BaseAPISetSourceResolution(o->api, PIXELS_INCH);
    void *at = o->BaseAPIRecognize(o->api, NULL) == 0 ? o->BaseAPIGetIterator(o->api) : NULL;
    while (at) {
        char *text = o->ResultIteratorGetUTF8Text(at, WORD);
        if (text) {
            note_word(r, size, text, o->ResultIteratorConfidence(at, WORD));
            o->DeleteText(text);
        }
        if (!o->ResultIteratorNext(at, WORD)) {
            o->ResultIteratorDelete(at);
            at = NULL;
        }
    }
    o->BaseAPIClear(o->api);
}

static enum status read_size(struct ocr *o, const struct image *picture, enum size size, struct reading *r,
                             struct error *err)
{
    struct image im;
    uint32_t longer = picture->width > picture->height ? picture->width : picture->height;
    uint32_t width = (uint32_t)((uint64_t)picture->width * sides[size] / longer);
    uint32_t height = (uint32_t)((uint64_t)picture->height * sides[size] / longer);
    enum status st = image_resize(picture, width ? width : 1, height ? height : 1, IMAGE_LANCZOS, &im, err);
    if (st != OK)
        return st;
    uint8_t *grey = malloc((size_t)im.width * im.height);
    if (!grey)
        st = err_no_memory(err, "a picture");
    bool holes = has_holes(&im);
    for (int ink = 0; st == OK && ink < INKS; ink++) {
        if (ink == ON_BLACK && !holes) /* it would be the same again */
            continue;
        apply_ink(&im, (enum ink)ink, grey);
        read_grey(o, grey, &im, size, r);
    }
    free(grey);
    image_free(&im);
    return st;
}

enum status ocr_read(struct ocr *o, const struct image *picture, struct buf *words, struct error *err)
{
    struct reading *r = calloc(1, sizeof *r);
    enum status st = r ? OK : err_no_memory(err, "a picture's words");
    size_t before = words->len;
    for (int size = 0; st == OK && size < SIZES; size++)
        st = read_size(o, picture, (enum size)size, r, err);
    for (size_t i = 0; st == OK && i < r->n; i++) {
        const char *text = r->words[i].text;
        if (!word_counts(&r->words[i]) || words->len - before + strlen(text) + 2 > OCR_MAX_BYTES)
            continue;
        buf_puts(words, words->len > before ? ", " : "");
        buf_puts(words, text);
    }
    free(r);
    return st == OK ? buf_status(words, err) : st;
}
