/* sticker_json.h: a sticker as JSON, the same wherever the API shows one. docs/openapi.json describes its members
 * (Sticker). */
#ifndef PEEL_STICKER_SERVICE_STICKER_JSON_H
#define PEEL_STICKER_SERVICE_STICKER_JSON_H

#include "sticker_service/find.h"
#include <stdint.h>

/* In the order in which they are written. */
#define STICKER_MEMBERS(X)                                                                                             \
    X(filename)                                                                                                        \
    X(rank)                                                                                                            \
    X(score)                                                                                                           \
    X(confidence)                                                                                                      \
    X(pinned)                                                                                                          \
    X(url)                                                                                                             \
    X(thumbnail)                                                                                                       \
    X(title)                                                                                                           \
    X(alt)                                                                                                             \
    X(rating)                                                                                                          \
    X(animated)                                                                                                        \
    X(mime)                                                                                                            \
    X(width)                                                                                                           \
    X(height)                                                                                                          \
    X(frames)                                                                                                          \
    X(duration_ms)                                                                                                     \
    X(author)                                                                                                          \
    X(license)                                                                                                         \
    X(source)                                                                                                          \
    X(pack)

/* How an answer shows stickers. */
struct sticker_form {
    const char *origin; /* before each address: "https://peel.example"; "" for addresses relative to Peel */
    uint32_t members;   /* which ones, a bit for each in the order above */
    const char *lang;   /* of `alt`: a tag, or NULL for English */
    bool usual;         /* all members, and the origin of a request that asks for none: as sticker_json_show has them */
};
/* What is kept of a sticker in memory (sticker_store_show), ctx being the service: its members as most answers have
 * them. */
void sticker_json_show(const void *ctx, const struct sticker *k, struct buf *out);
/* Reads the parameters `fields`, `absolute` and `lang`. ERR_INVALID names the one that is wrong. */
enum status sticker_form_params(const struct sticker_service *s, const struct http_request *req,
                                struct sticker_form *out, struct error *err) MUST_CHECK;
/* "https://peel.example": --public-url, or as the client reached us; "" when the request does not say, NULL without
 * memory. */
const char *service_origin(const struct sticker_service *s, const struct http_request *req);

/* Gives each result its title in the language, where it has one and that is not its own title's, English. */
enum status sticker_localise(struct sticker_service *s, struct find_result *results, size_t n, const char *lang,
                             struct arena *a, struct error *err) MUST_CHECK;

/* Appends one sticker as an object. rank: from 1; 0 for one that was not searched for, which has no score either. */
void sticker_json(const struct sticker_form *form, const struct find_result *result, size_t rank, struct buf *out);
/* Appends a sticker with its keywords, as GET /api/stickers/<filename> answers. */
enum status sticker_json_whole(struct sticker_service *s, const struct sticker_form *form, const struct sticker *k,
                               struct arena *a, struct buf *out, struct error *err) MUST_CHECK;
/* The form of that answer without any parameters. */
struct sticker_form sticker_form_default(const char *origin);
/* Appends "stickers":[filenames...],"results":[...]; ranks are counted from `first`, or left out if that is 0. */
void sticker_json_list(const struct sticker_form *form, const struct find_result *results, size_t n, size_t first,
                       struct buf *out);
/* Appends the address of its image, or of a thumbnail `width` pixels wide, as a JSON string. */
void sticker_json_address(const struct sticker_form *form, const struct sticker *k, unsigned width, struct buf *out);

/* What people call a sticker in a language, else in English, else in the first that there is: one by one, each once, at
 * most `most`. In the arena. */
struct sticker_keywords {
    const char **list;
    size_t n;
    const char *language; /* of them; NULL: there are none */
};
enum status sticker_keywords(const struct sticker *k, const char *lang, size_t most, struct arena *a,
                             struct sticker_keywords *out, struct error *err) MUST_CHECK;
/* What people see where the image is not: the title in the asked language, the title, or the filename. */
const char *sticker_alt(const struct find_result *result);

#endif
