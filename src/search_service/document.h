/* document.h: a document as it arrives, from outside and not believed: JSON
 *
 *     {"title":"Cat","words":[{"language":"de","title":"Katze","words":"Katze, Mieze"}],
 *      "sha256":"<hex>","image":"<base64>","pack":"pets","rating":"g","animated":false,"ocr_words":"good, morning"}
 *
 * with every member optional, or an image alone. Errors name the member: "words[1].language must be a
 * string". */
#ifndef PEEL_SEARCH_SERVICE_DOCUMENT_H
#define PEEL_SEARCH_SERVICE_DOCUMENT_H

#include "base/arena.h"
#include "base/status.h"
#include "sandbox/sandbox.h"
#include "search_store/search_store.h"

struct document_in {
    struct document doc;               /* image_sha256 is sha256 */
    const struct sticker_words *words; /* in the arena, as all texts */
    size_t n_words;
    char sha256[65];   /* lower case; "" for a document without an image */
    const void *image; /* what came along; NULL: nothing */
    size_t image_len;
    char *words_json; /* these two are owned */
    unsigned char *decoded;
};

/* `filename` and `body` are borrowed until document_free, which a failed call needs not. */
enum status document_parse(const char *filename, const char *body, size_t len, struct arena *a, struct document_in *out,
                           struct error *err) MUST_CHECK;
/* The image changes, all else stays what it was; before: NULL for a new document. All borrowed. */
enum status document_from_image(const char *filename, const struct document *before, const void *image, size_t len,
                                struct arena *a, struct document_in *out, struct error *err) MUST_CHECK;
void document_free(struct document_in *in); /* a zeroed one too */

/* That what came along is an image, by its headers, and the one that sha256 says; fills sha256. UNAVAILABLE: nobody can
 * look at it just now. */
enum status document_check_image(struct document_in *in, struct sandbox *sandbox, struct error *err) MUST_CHECK;
/* The terms under which it is found. */
enum status document_analyze(const struct document_in *in, struct arena *a, struct sticker_terms *out,
                             struct error *err) MUST_CHECK;

#endif
