/* admin_models.h: the one table of what the admin pages look after. A new model is an entry in admin_models.c. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_MODELS_H
#define PEEL_STICKER_SERVICE_ADMIN_MODELS_H

#include <stddef.h>

struct admin_model {
    const char *name;  /* in URLs and permissions: "stickers" */
    const char *title; /* "Stickers" */
    const char *one;   /* "sticker" */
    unsigned rights;   /* what can be done with it at all: enum admin_right */
};

extern const struct admin_model admin_models[];
extern const size_t admin_models_count;
const struct admin_model *admin_model(const char *name); /* NULL if there is none */

#endif
