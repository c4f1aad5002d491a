/* giphy_gif.h: a sticker as GIPHY's object "Gif", and the frame of its answers; private to giphy*.c. */
#ifndef PEEL_STICKER_SERVICE_COMPAT_GIPHY_GIF_H
#define PEEL_STICKER_SERVICE_COMPAT_GIPHY_GIF_H

#include "sticker_service/compat/compat_parts.h"

/* In a form's members: what answers are called, and their shape. */
#define GIPHY_STICKERS 1u /* type "sticker", else "gif" */
#define GIPHY_ONE      2u /* data is one Gif, [] where there is none, else a list with pagination */
#define GIPHY_UNPAGED  4u /* a list without pagination */

/* The form's `write`. An answer's id is its receipt, and in its place `response_id` where there is none. */
void giphy_write(const struct served_form *form, const struct find_query *query, const struct find_answer *answer,
                 struct buf *out);
/* Appends one Gif. */
void giphy_put_gif(const struct served_form *form, const struct find_result *result, struct buf *out);
/* Appends ,"meta":{...}}, the end of an answer. */
void giphy_put_meta(struct buf *out, const char *response_id);

#endif
