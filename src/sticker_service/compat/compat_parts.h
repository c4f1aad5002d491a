/* compat_parts.h: what the translations have in common; private to this room. */
#ifndef PEEL_STICKER_SERVICE_COMPAT_COMPAT_PARTS_H
#define PEEL_STICKER_SERVICE_COMPAT_COMPAT_PARTS_H

#include "sticker_service/compat/compat.h"
#include "sticker_service/discover.h"
#include "sticker_service/served.h"

/* --- parameters: what these services do not know they ignore, and so do we --- */

/* A whole number, moved into [least, most]. ERR_INVALID for what is none. */
enum status compat_int(const struct http_request *req, const char *name, int64_t least, int64_t most, int64_t fallback,
                       int64_t *out, struct error *err) MUST_CHECK;
/* A phrase, trimmed; ERR_INVALID for none, ERR_TOO_LARGE for one of more than `most` characters. */
enum status compat_query(const struct http_request *req, const char *name, size_t most, const char **out,
                         struct error *err) MUST_CHECK;
/* A language such as "en_US" or "pt" as a tag; NULL for one that we do not know, or none. */
enum status compat_lang(const struct http_request *req, const char *name, const char **tag,
                        struct error *err) MUST_CHECK;
/* GIPHY's `rating`, or Tenor's and KLIPY's content filter; anything else lets all ratings through. */
enum status compat_rating(const struct http_request *req, const char *name, enum rating *most,
                          struct error *err) MUST_CHECK;

/* Whatever the client calls the person, by the first of these names (NULL ends them) that the request has; "": none. */
enum status compat_person(const struct http_request *req, const char *const *names, const char **out,
                          struct error *err) MUST_CHECK;

/* --- ids: filenames, written so that clients may put them into paths and lists as they are --- */

void compat_put_id(struct buf *out, const char *filename); /* nothing in it needs to be escaped in JSON */
/* The sticker of an id as a client sends it, escaped or not. ERR_NOT_FOUND. */
enum status compat_sticker(struct sticker_service *s, const struct http_request *req, const char *id,
                           struct sticker *out, struct error *err) MUST_CHECK;
/* The stickers of "a,b", those that are there, at most `most`. */
enum status compat_stickers(struct sticker_service *s, const struct http_request *req, const char *ids, size_t most,
                            struct find_answer *out, struct error *err) MUST_CHECK;

/* --- images --- */

/* How a sticker's image is offered in some size. */
struct compat_image {
    unsigned thumbnail; /* its width as addresses have it; 0: the image as it is */
    bool still;         /* of what moves */
    uint32_t width, height;
    int64_t bytes; /* 0: not known */
};
/* The whole image; a drawing, which chats cannot show, as a picture. */
struct compat_image compat_whole(const struct sticker *k);
/* About `width` pixels wide; `still`: of an animation one picture. An animation that is not wider is whole. */
struct compat_image compat_scaled(const struct sticker *k, unsigned width, bool still);
/* A sticker's addresses, each made once, as answers have many of them. */
#define COMPAT_WIDTHS 6 /* 0, and those of thumbnails */
struct compat_addresses {
    const char *origin;
    const struct sticker *sticker;
    struct buf texts;
    struct compat_address {
        size_t at, len;
    } made[COMPAT_WIDTHS][2]; /* the second: still */
};
void compat_addresses(struct compat_addresses *a, const char *origin,
                      const struct sticker *k); /* then buf_free(&a->texts) */
/* Appends one with its quotes. more: "" or further parameters, each with an & behind it. */
void compat_put_address(struct buf *out, struct compat_addresses *a, const struct compat_image *image,
                        const char *more);

/* --- events --- */

/* What a client says that somebody did with a sticker of a search. */
struct compat_event {
    const char *receipt; /* of the search */
    const char *id;      /* of the sticker */
    const char *person;  /* whatever the client tells people apart by; "" */
    int64_t at_us;       /* 0: now */
    enum event_action action;
};
/* Stores those that can be, as of where the request comes from: events of strangers' receipts, unknown stickers and so
 * on are dropped, as clients do not read the answer. */
enum status compat_events(struct sticker_service *s, const struct http_request *req, const struct compat_event *events,
                          size_t n, struct error *err) MUST_CHECK;
/* The same where a client has no receipt, but says what was searched for: it is an event of that search, with what is
 * tried on the person's searches, if it finds the sticker among its first results. */
enum status compat_event_of_query(struct sticker_service *s, const struct http_request *req, const char *query,
                                  const char *lang, const char *id, const char *person, enum event_action action,
                                  struct error *err) MUST_CHECK;

/* --- answers --- */

/* The HTTP status of an error. */
int compat_status(const struct error *err);
/* Sends what was written, or the error by `refuse`; frees the buffer. */
typedef void compat_refusal(const struct http_request *req, struct http_response *res, int status, const char *why);
compat_refusal tenor_refuse, giphy_refuse, klipy_refuse;
void compat_send(const struct http_request *req, struct http_response *res, enum status st, struct buf *out,
                 const struct error *err, compat_refusal *refuse);
/* As served_search, then sends: one of the two. */
void compat_search(struct sticker_service *s, const struct http_request *req, struct http_response *res,
                   const struct find_query *query, const struct served_form *form, compat_refusal *refuse);
/* An answer that is not of a search: with titles in the language, and written by the same form. */
void compat_list(struct sticker_service *s, const struct http_request *req, struct http_response *res, enum status st,
                 const struct find_query *query, const struct served_form *form, struct find_answer *answer,
                 struct error *err, compat_refusal *refuse);

#endif
