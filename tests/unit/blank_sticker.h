/* blank_sticker.h: a sticker whose strings are all empty but its name, for tests that need any one at all. */
#ifndef PEEL_TESTS_BLANK_STICKER_H
#define PEEL_TESTS_BLANK_STICKER_H

#include "sticker_store/sticker_store.h"

static inline struct sticker blank_sticker(const char *filename)
{
    return (struct sticker){.filename = filename,
                            .title = "",
                            .pack = "",
                            .author = "",
                            .license = "",
                            .source = "",
                            .sha256 = "",
                            .mime = ""};
}

#endif
