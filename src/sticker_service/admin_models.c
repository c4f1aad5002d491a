#include "sticker_service/admin_models.h"

#include "sticker_service/admin.h"

#include <string.h>

#define ALL (ADMIN_VIEW | ADMIN_ADD | ADMIN_CHANGE | ADMIN_DELETE)

const struct admin_model admin_models[] = {
    {"stickers", "Stickers", "sticker", ALL},
    {"queries", "Queries", "query", ALL},
    {"scores", "Scores", "score", ALL},
    {"documents", "Indexed", "document", ADMIN_VIEW},
    {"users", "Users", "user", ALL},
    {"groups", "Groups", "group", ALL},
    {"tokens", "Tokens", "token", ADMIN_VIEW | ADMIN_ADD | ADMIN_DELETE},
    {"history", "History", "entry", ADMIN_VIEW},
};
const size_t admin_models_count = sizeof admin_models / sizeof *admin_models;

const struct admin_model *admin_model(const char *name)
{
    for (size_t i = 0; i < admin_models_count; i++)
        if (strcmp(admin_models[i].name, name) == 0)
            return &admin_models[i];
    return NULL;
}
