#include "sticker_service/admin/admin_tables.h"

#include "sticker_service/admin/admin.h"

#include <string.h>

#define ALL  (ADMIN_VIEW | ADMIN_ADD | ADMIN_CHANGE | ADMIN_DELETE)
#define SHOW COLUMN_LISTED
#define SORT (COLUMN_LISTED | COLUMN_SORTS)
#define DATES(since, until)                                                                                            \
    {"since", since, FILTER_DATE, NULL},                                                                               \
    {                                                                                                                  \
        "until", until, FILTER_DATE, NULL                                                                              \
    }

const struct admin_table admin_tables[] = {
    {
        .name = "stickers",
        .title = "Stickers",
        .one = "sticker",
        .rights = ALL,
        .object = "filename",
        .sort = "modified_us",
        .search = "Title, words or filename",
        .columns = {{"sha256", "Picture", KIND_PICTURE, SHOW},
                    {"filename", "Filename", KIND_TEXT, SORT},
                    {"title", "Title", KIND_TEXT, SORT},
                    {"pack", "Pack", KIND_TEXT, SORT},
                    {"languages", "Languages", KIND_TAGS, SHOW},
                    {"indexed", "Indexed", KIND_YES, SHOW},
                    {"author", "Author", KIND_TEXT, 0},
                    {"license", "Licence", KIND_TEXT, 0},
                    {"source", "Source", KIND_TEXT, 0},
                    {"mime", "Type", KIND_TEXT, 0},
                    {"bytes", "Bytes", KIND_NUMBER, 0},
                    {"width", "Width", KIND_NUMBER, 0},
                    {"height", "Height", KIND_NUMBER, 0},
                    {"words", "Words", KIND_TEXT, 0},
                    {"positives", "Votes for", KIND_NUMBER, SORT},
                    {"negatives", "Votes against", KIND_NUMBER, SORT},
                    {"created_us", "Added", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .filters = {{"pack", "Pack", FILTER_VALUES, NULL},
                    {"language", "Language", FILTER_VALUES, NULL},
                    {"votes", "Votes", FILTER_CHOICE, "yes=With votes|no=Without votes"},
                    {"indexed", "Indexed", FILTER_CHOICE, "no=Not indexed|yes=Indexed"},
                    {"words", "Words", FILTER_CHOICE, "no=Without words|yes=With words"},
                    DATES("Added since", "Added before")},
        .fields = {{"title", "Title", FIELD_LINE, 0, 1000, NULL},
                   {"pack", "Pack", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"author", "Author", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"license", "Licence", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"source", "Source", FIELD_LINE, FIELD_MANY, 1000, "Where it comes from, best a URL"},
                   {"words", "Words", FIELD_WORDS, FIELD_MANY, (16u << 10), "By language, separated by commas"}},
        .upload = "/admin/stickers/upload/",
        .reindexes = true,
    },
    {
        .name = "documents",
        .title = "Documents",
        .one = "document",
        .rights = ADMIN_VIEW | ADMIN_CHANGE,
        .object = "filename",
        .sort = "id",
        .search = "Part of the filename",
        .columns = {{"sha256", "Picture", KIND_PICTURE, SHOW},
                    {"filename", "Filename", KIND_TEXT, SHOW},
                    {"title", "Title", KIND_TEXT, SHOW},
                    {"state", "State", KIND_TEXT, SHOW},
                    {"why", "Why", KIND_TEXT, SHOW},
                    {"model", "Model", KIND_TEXT, 0},
                    {"dim", "Numbers in its vector", KIND_NUMBER, 0},
                    {"id", "Number", KIND_NUMBER, SORT},
                    {"modified_us", "Changed", KIND_TIME, SHOW}},
        .filters = {{"state", "State", FILTER_CHOICE, "indexed=Indexed|pending=Pending|failed=Failed"},
                    {"model", "Model", FILTER_VALUES, NULL}},
        .remote = true,
    },
    {
        .name = "queries",
        .title = "Queries",
        .one = "query",
        .rights = ALL,
        .object = "query",
        .sort = "usage",
        .search = "Words of the query",
        .columns = {{"query", "Query", KIND_TEXT, SORT},
                    {"usage", "Searched", KIND_NUMBER, SORT},
                    {"empty", "Found nothing", KIND_NUMBER, SORT},
                    {"positives", "Votes for", KIND_NUMBER, SORT},
                    {"negatives", "Votes against", KIND_NUMBER, SORT},
                    {"created_us", "First", KIND_TIME, SORT},
                    {"modified_us", "Last", KIND_TIME, SORT}},
        .filters = {{"votes", "Votes", FILTER_CHOICE, "yes=With votes|no=Without votes"},
                    DATES("Last since", "Last before")},
        .fields = {{"query", "Query", FIELD_LINE, FIELD_REQUIRED, 1020, "At most 255 characters"},
                   {"usage", "Searched", FIELD_NUMBER, FIELD_REQUIRED, 0, "How often"}},
    },
    {
        .name = "scores",
        .title = "Scores",
        .one = "score",
        .rights = ALL,
        .object = "sticker",
        .sort = "modified_us",
        .search = "Words of the query",
        .columns = {{"query", "Query", KIND_TEXT, SHOW},
                    {"sticker", "Sticker", KIND_TEXT, SHOW},
                    {"positives", "Fits", KIND_NUMBER, SORT},
                    {"negatives", "Does not", KIND_NUMBER, SORT},
                    {"created_us", "First", KIND_TIME, 0},
                    {"modified_us", "Last", KIND_TIME, SORT}},
        .filters = {{"query", "Query", FILTER_VALUES, NULL},
                    {"sticker", "Sticker", FILTER_VALUES, NULL},
                    {"balance", "Balance", FILTER_CHOICE, "bad=More say no|good=More say yes"},
                    DATES("Last since", "Last before")},
        .fields = {{"query", "Query", FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 1020, NULL},
                   {"sticker", "Sticker", FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 255, "Its filename"},
                   {"positives", "Fits", FIELD_NUMBER, FIELD_REQUIRED, 0, NULL},
                   {"negatives", "Does not", FIELD_NUMBER, FIELD_REQUIRED, 0, NULL}},
    },
    {
        .name = "users",
        .title = "Users",
        .one = "user",
        .rights = ALL,
        .object = "username",
        .sort = "created_us",
        .search = "Beginning of the name",
        .columns = {{"username", "Name", KIND_TEXT, SORT},
                    {"is_active", "Active", KIND_YES, SHOW},
                    {"is_staff", "Staff", KIND_YES, SHOW},
                    {"is_superuser", "Superuser", KIND_YES, SHOW},
                    {"groups", "Groups", KIND_TEXT, SHOW},
                    {"created_us", "Since", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .filters = {{"role", "Role", FILTER_CHOICE, "superuser=Superusers|staff=Staff|plain=Others"},
                    {"active", "Active", FILTER_CHOICE, "yes=Active|no=Not active"}},
        .fields = {{"username", "Name", FIELD_LINE, FIELD_REQUIRED, 150, NULL},
                   {"password", "Password", FIELD_PASSWORD, 0, 1024, "Empty: it stays as it is"},
                   {"is_active", "Active", FIELD_CHECK, 0, 0, "May log in and use tokens"},
                   {"is_staff", "Staff", FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0, "Reads analytics, edits stickers"},
                   {"is_superuser", "Superuser", FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0, "May do everything"},
                   {"groups", "Groups", FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, NULL}},
    },
    {
        .name = "groups",
        .title = "Groups",
        .one = "group",
        .rights = ALL,
        .object = "name",
        .sort = "created_us",
        .search = "Beginning of the name",
        .columns = {{"name", "Name", KIND_TEXT, SORT},
                    {"permissions", "Permissions", KIND_TEXT, SHOW},
                    {"members", "Members", KIND_NUMBER, SHOW},
                    {"created_us", "Since", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .fields = {{"name", "Name", FIELD_LINE, FIELD_REQUIRED, 150, NULL},
                   {"permissions", "Permissions", FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, NULL}},
    },
    {
        .name = "tokens",
        .title = "Tokens",
        .one = "token",
        .rights = ADMIN_VIEW | ADMIN_ADD | ADMIN_DELETE,
        .object = "label",
        .sort = "created_us",
        .search = "Beginning of the user’s name",
        .columns = {{"username", "User", KIND_TEXT, SHOW},
                    {"label", "For", KIND_TEXT, SHOW},
                    {"last_used_us", "Last used", KIND_TIME, SORT},
                    {"created_us", "Made", KIND_TIME, SORT}},
        .fields = {{"username", "User", FIELD_LINE, FIELD_REQUIRED, 150, "Whose rights it has"},
                   {"label", "For", FIELD_LINE, 0, 150, "What will use it"}},
    },
    {
        .name = "history",
        .title = "History",
        .one = "entry",
        .rights = ADMIN_VIEW,
        .object = "object",
        .sort = "at_us",
        .search = "Beginning of what was changed",
        .columns = {{"at_us", "When", KIND_TIME, SORT},
                    {"username", "Who", KIND_TEXT, SORT},
                    {"address", "From", KIND_TEXT, 0},
                    {"action", "Did", KIND_TEXT, SHOW},
                    {"model", "In", KIND_TEXT, SHOW},
                    {"object", "What", KIND_TEXT, SORT},
                    {"before", "Before", KIND_TEXT, 0},
                    {"after", "After", KIND_TEXT, 0}},
        .filters = {{"model", "In", FILTER_CHOICE,
                     "stickers=Stickers|documents=Documents|queries=Queries|scores=Scores|users=Users|groups=Groups"
                     "|tokens=Tokens|history=History"},
                    {"action", "Did", FILTER_CHOICE,
                     "add=add|change=change|delete=delete|reindex=reindex|export=export|login=login|logout=logout"
                     "|password=password"},
                    {"username", "Who", FILTER_VALUES, NULL},
                    DATES("Since", "Before")},
    },
};
const size_t admin_table_count = sizeof admin_tables / sizeof *admin_tables;

const struct admin_table *admin_table_find(const char *name)
{
    for (size_t i = 0; i < admin_table_count; i++)
        if (strcmp(admin_tables[i].name, name) == 0)
            return &admin_tables[i];
    return NULL;
}

bool admin_table_edits_many(const struct admin_table *m)
{
    for (const struct admin_field *f = m->fields; f->name; f++)
        if (f->flags & FIELD_MANY)
            return true;
    return false;
}
