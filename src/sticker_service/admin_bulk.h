/* admin_bulk.h: what is done to the selected rows of a list. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_BULK_H
#define PEEL_STICKER_SERVICE_ADMIN_BULK_H

#include "sticker_service/admin.h"
#include "sticker_service/admin_models.h"

/* Whether rows of the model have anything that can be set for many at once. */
bool admin_edits_many(const struct admin_model *m);

/* admin_export.c: these rows as a file, "csv" or "json"; `ids` live as long as the request. Answers. */
void admin_export_selected(const struct admin_visit *v, const struct admin_model *m, const char *const *ids, size_t n,
                           const char *format);

#endif
