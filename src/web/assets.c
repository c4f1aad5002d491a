#include "web/assets.h"

#include "web/assets_gen.h"

#include <string.h>

const struct asset *asset_by_file(const char *file)
{
    for (size_t i = 0; i < asset_count; i++)
        if (strcmp(asset_table[i].file, file) == 0)
            return &asset_table[i];
    return NULL;
}

const struct asset *asset_by_name(const char *name)
{
    for (size_t i = 0; i < asset_count; i++)
        if (strcmp(asset_table[i].name, name) == 0)
            return &asset_table[i];
    return NULL;
}
