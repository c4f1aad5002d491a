/* store_check.h: what both stores refuse. */
#ifndef PEEL_STORE_STORE_CHECK_H
#define PEEL_STORE_STORE_CHECK_H

#include "base/status.h"

#define STORE_MAX_FILENAME 255 /* bytes */

/* 1..255 bytes of valid UTF-8, no slash, no backslash, no control character, no leading dot. */
enum status store_check_filename(const char *filename, struct error *err) MUST_CHECK;

/* OK for a SQLite file path or a PostgreSQL URL, with 1 to 64 connections; ERR_UNSUPPORTED naming the scheme of
 * anything else; ERR_INVALID. */
enum status store_check_url(const char *url, unsigned connections, struct error *err) MUST_CHECK;

#endif
