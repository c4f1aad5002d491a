/* ocr.h: reads the words in a picture, with Tesseract (https://github.com/tesseract-ocr/tesseract), which is loaded
 * when it is first needed and need not be installed. For workers of the sandbox only: it gets pixels of strangers.
 *
 * A picture is read in two sizes, and in each size in up to four inks: as it is on white, as it is on black, what is
 * nearly white alone, and what is nearly black alone. A word counts when both sizes have it and Tesseract is sure
 * enough of it; what is read once only is mostly invented. docs/howto/text-in-pictures.md has how well that works. */
#ifndef PEEL_IMAGE_OCR_H
#define PEEL_IMAGE_OCR_H

#include "base/buf.h"
#include "base/status.h"
#include "image/image.h"

#define OCR_MAX_LANGUAGES 100u /* bytes of "eng+deu" */
#define OCR_MAX_BYTES     900u /* of the words of a picture */
#define OCR_SIDE          768u /* of the larger reading, and so of a drawing; in pixels */

/* Names of Tesseract's data files joined by "+". ERR_INVALID: it is no such list. */
enum status ocr_check_languages(const char *languages, struct error *err) MUST_CHECK;

struct ocr;
/* Loads the library and its data files. ERR_UNSUPPORTED names what is not installed. */
enum status ocr_open(const char *languages, struct ocr **out, struct error *err) MUST_CHECK;
void ocr_close(struct ocr *o); /* NULL is fine */
/* Appends the words, in small letters, in the order in which they were first read, joined by ", ". A word has at least
 * two letters, and nothing but letters, marks and apostrophes. */
enum status ocr_read(struct ocr *o, const struct image *picture, struct buf *words, struct error *err) MUST_CHECK;

#endif
