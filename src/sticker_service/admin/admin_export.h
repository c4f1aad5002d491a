/* admin_export.h: rows of a list as a file. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_EXPORT_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_EXPORT_H

#include "sticker_service/admin/admin.h"
#include "sticker_service/admin/admin_tables.h"

/* Answers with these rows as a file, "csv" or "json"; `ids` live as long as the request. */
void admin_export_selected(const struct admin_visit *v, const struct admin_table *table, const char *const *ids,
                           size_t n, const char *format);

#endif
