/* analyze.h: included before every file that `make analyze` compiles. The analyzer sees one file at a time, so this
 * tells it that the functions that fill an error never return OK. */
#ifndef PEEL_TESTS_ANALYZE_H
#define PEEL_TESTS_ANALYZE_H

#include "base/status.h"

#define err_set(err, code, ...) ((void)err_set(err, code, __VA_ARGS__), (code))
#define err_no_memory(...)      ((void)err_no_memory(__VA_ARGS__), ERR_NO_MEMORY)
#define err_errno(...)          ((void)err_errno(__VA_ARGS__), ERR_IO)
#define err_prefix(...)         ((void)err_prefix(__VA_ARGS__), ERR_INTERNAL)

#endif
