/* admin_charts.h: searches and votes by day, as charts and as a table. */
#ifndef PEEL_STICKER_SERVICE_ADMIN_ADMIN_CHARTS_H
#define PEEL_STICKER_SERVICE_ADMIN_ADMIN_CHARTS_H

#include "sticker_service/admin/admin.h"

/* Of the last 7, 30, 90 or 365 days, as the parameter `days` says; else ERR_INVALID. */
enum status dashboard_days(const struct admin_visit *v, struct tpl_admin_dashboard *page, struct error *err) MUST_CHECK;

#endif
