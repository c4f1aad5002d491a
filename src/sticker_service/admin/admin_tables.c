#include "sticker_service/admin/admin_tables.h"

#include "base/language.h"
#include "sticker_service/admin/admin.h"

#include <stdio.h>
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
        .many = "stickers",
        .rights = ALL,
        .object = "filename",
        .sort = "modified_us",
        .search = "Title, keywords or filename",
        .columns = {{"sha256", "Image", KIND_PICTURE, SHOW},
                    {"filename", "Filename", KIND_TEXT, SORT},
                    {"title", "Title", KIND_TEXT, SORT | COLUMN_INLINE},
                    {"words_en", "Keywords (English)", KIND_TEXT, COLUMN_VIEW | COLUMN_INLINE},
                    {"pack", "Pack", KIND_TEXT, SORT},
                    {"languages", "Languages", KIND_TAGS, SHOW},
                    {"indexed", "Indexed", KIND_YES, SHOW},
                    {"author", "Author", KIND_TEXT, 0},
                    {"license", "Licence", KIND_TEXT, 0},
                    {"source", "Source", KIND_TEXT, 0},
                    {"rating", "Rating", KIND_TEXT, SHOW},
                    {"animated", "Animated", KIND_YES, SHOW},
                    {"mime", "Type", KIND_TEXT, 0},
                    {"bytes", "Bytes", KIND_NUMBER, 0},
                    {"width", "Width", KIND_NUMBER, 0},
                    {"height", "Height", KIND_NUMBER, 0},
                    {"words", "Keywords (all languages)", KIND_TEXT, 0},
                    {"positives", "Upvotes", KIND_NUMBER, SORT},
                    {"negatives", "Downvotes", KIND_NUMBER, SORT},
                    {"created_us", "Added", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .filters = {{"pack", "Pack", FILTER_VALUES, NULL},
                    {"language", "Language", FILTER_VALUES, NULL},
                    {"votes", "Votes", FILTER_CHOICE, "yes=With votes|no=Without votes"},
                    {"indexed", "Indexed", FILTER_CHOICE, "no=Not indexed|yes=Indexed"},
                    {"words", "Keywords", FILTER_CHOICE, "no=Without keywords|yes=With keywords"},
                    {"rating", "Rating", FILTER_CHOICE, "g=g|pg=pg|pg-13=pg-13|r=r"},
                    {"animated", "Animated", FILTER_CHOICE, "yes=Animated|no=Not animated"},
                    DATES("Added since", "Added before")},
        .fields = {{"title", "Title", FIELD_LINE, 0, 1000, NULL},
                   {"pack", "Pack", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"author", "Author", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"license", "Licence", FIELD_LINE, FIELD_MANY, 1000, NULL},
                   {"source", "Source", FIELD_LINE, FIELD_MANY, 1000, "Where the image comes from, preferably a URL"},
                   {"rating", "Rating", FIELD_RATING, FIELD_MANY, 0, "Suitable audience"},
                   {"animated", "Animated", FIELD_CHECK, FIELD_MANY, 0, "The image is animated"},
                   {"words", "Keywords", FIELD_WORDS, FIELD_MANY, (16u << 10), "Separated by commas, by language"}},
        .upload = "/admin/stickers/upload/",
        .reindexes = true,
    },
    {
        .name = "documents",
        .title = "Documents",
        .one = "document",
        .many = "documents",
        .rights = ADMIN_VIEW | ADMIN_CHANGE,
        .object = "filename",
        .sort = "id",
        .search = "Part of the filename",
        .columns = {{"sha256", "Image", KIND_PICTURE, SHOW},
                    {"filename", "Filename", KIND_TEXT, SHOW},
                    {"title", "Title", KIND_TEXT, SHOW},
                    {"state", "State", KIND_TEXT, SHOW},
                    {"why", "Reason", KIND_TEXT, SHOW},
                    {"model", "Model", KIND_TEXT, 0},
                    {"dim", "Vector dimensions", KIND_NUMBER, 0},
                    {"id", "Document ID", KIND_NUMBER, SORT},
                    {"modified_us", "Changed", KIND_TIME, SHOW}},
        .filters = {{"state", "State", FILTER_CHOICE, "indexed=Indexed|pending=Pending|failed=Failed"},
                    {"model", "Model", FILTER_VALUES, NULL}},
        .remote = true,
    },
    {
        .name = "queries",
        .title = "Queries",
        .one = "query",
        .many = "queries",
        .rights = ALL,
        .object = "query",
        .sort = "usage",
        .search = "Words of the query",
        .columns = {{"query", "Query", KIND_TEXT, SORT},
                    {"usage", "Searches", KIND_NUMBER, SORT},
                    {"empty", "No results", KIND_NUMBER, SORT},
                    {"positives", "Upvotes", KIND_NUMBER, SORT},
                    {"negatives", "Downvotes", KIND_NUMBER, SORT},
                    {"created_us", "First seen", KIND_TIME, SORT},
                    {"modified_us", "Last seen", KIND_TIME, SORT}},
        .filters = {{"votes", "Votes", FILTER_CHOICE, "yes=With votes|no=Without votes"},
                    DATES("Seen since", "Seen before")},
        .fields = {{"query", "Query", FIELD_LINE, FIELD_REQUIRED, 1020, "At most 255 characters"},
                   {"usage", "Searches", FIELD_NUMBER, FIELD_REQUIRED, 0, "How many times it was searched"}},
    },
    {
        .name = "scores",
        .title = "Scores",
        .one = "score",
        .many = "scores",
        .rights = ALL,
        .object = "sticker",
        .sort = "modified_us",
        .search = "Words of the query",
        .picture = "sticker",
        .columns = {{"sha256", "Image", KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"query", "Query", KIND_TEXT, SHOW},
                    {"sticker", "Sticker", KIND_TEXT, SHOW},
                    {"positives", "Upvotes", KIND_NUMBER, SORT},
                    {"negatives", "Downvotes", KIND_NUMBER, SORT},
                    {"created_us", "First seen", KIND_TIME, 0},
                    {"modified_us", "Last seen", KIND_TIME, SORT}},
        .filters = {{"query", "Query", FILTER_VALUES, NULL},
                    {"sticker", "Sticker", FILTER_VALUES, NULL},
                    {"balance", "Balance", FILTER_CHOICE, "bad=More downvotes|good=More upvotes"},
                    DATES("Seen since", "Seen before")},
        .fields = {{"query", "Query", FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 1020, NULL},
                   {"sticker", "Sticker", FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 255, "Its filename"},
                   {"positives", "Upvotes", FIELD_NUMBER, FIELD_REQUIRED, 0, NULL},
                   {"negatives", "Downvotes", FIELD_NUMBER, FIELD_REQUIRED, 0, NULL}},
    },
    {
        .name = "pins",
        .title = "Pins",
        .one = "pin",
        .many = "pins",
        .rights = ALL,
        .object = "query",
        .sort = "modified_us",
        .search = "Query (beginning)",
        .columns = {{"query", "Query", KIND_TEXT, SORT},
                    {"language", "Language", KIND_TEXT, SHOW},
                    {"sticker", "Sticker", KIND_TEXT, SHOW},
                    {"position", "Position", KIND_NUMBER, SORT},
                    {"created_us", "Added", KIND_TIME, 0},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .filters = {{"query", "Query", FILTER_VALUES, NULL},
                    {"sticker", "Sticker", FILTER_VALUES, NULL},
                    {"hidden", "Effect", FILTER_CHOICE, "no=Pinned|yes=Hidden"}},
        .fields = {{"query", "Query", FIELD_LINE, FIELD_REQUIRED, 1020, "Case and extra spaces do not matter"},
                   {"language", "Language", FIELD_LINE, 0, LANGUAGE_MAX_TAG,
                    "A tag such as en or pt-BR: only for searches in this language. Empty: for all"},
                   {"sticker", "Sticker", FIELD_LINE, FIELD_REQUIRED, 255, "Its filename"},
                   {"position", "Position", FIELD_NUMBER, FIELD_REQUIRED, 0,
                    "1 is the first place, up to 100. 0 hides the sticker from this search"}},
    },
    {
        .name = "synonyms",
        .title = "Synonyms",
        .one = "synonym",
        .many = "synonyms",
        .rights = ALL,
        .object = "term",
        .sort = "modified_us",
        .search = "Term (beginning)",
        .columns = {{"term", "Term", KIND_TEXT, SORT},
                    {"language", "Language", KIND_TEXT, SHOW},
                    {"synonyms", "Synonyms", KIND_TEXT, SHOW},
                    {"two_way", "Two-way", KIND_YES, SHOW},
                    {"created_us", "Added", KIND_TIME, 0},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .fields = {{"term", "Term", FIELD_LINE, FIELD_REQUIRED, 400, "What people search for; at most 3 words"},
                   {"language", "Language", FIELD_LINE, 0, LANGUAGE_MAX_TAG,
                    "A tag such as en or pt-BR: only in searches in this language. Empty: in all"},
                   {"synonyms", "Synonyms", FIELD_LINE, FIELD_REQUIRED, 2040,
                    "What they shall find as well, separated by commas: at most 20, each of at most 3 words"},
                   {"two_way", "Two-way", FIELD_CHECK, 0, 0, "Each of these words also finds all the others"}},
    },
    {
        .name = "users",
        .title = "Users",
        .one = "user",
        .many = "users",
        .rights = ALL,
        .object = "username",
        .sort = "created_us",
        .search = "Name (beginning)",
        .columns = {{"username", "Username", KIND_TEXT, SORT},
                    {"is_active", "Active", KIND_YES, SHOW},
                    {"is_staff", "Staff", KIND_YES, SHOW},
                    {"is_superuser", "Superuser", KIND_YES, SHOW},
                    {"groups", "Groups", KIND_TEXT, SHOW},
                    {"created_us", "Created", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .filters = {{"role", "Role", FILTER_CHOICE, "superuser=Superusers|staff=Staff|plain=Other users"},
                    {"active", "Active", FILTER_CHOICE, "yes=Active|no=Inactive"}},
        .fields = {{"username", "Username", FIELD_LINE, FIELD_REQUIRED, 150, NULL},
                   {"password", "Password", FIELD_PASSWORD, 0, 1024, "At least 8 characters"},
                   {"is_active", "Active", FIELD_CHECK, 0, 0, "Can log in and use tokens"},
                   {"is_staff", "Staff", FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0, "Can read analytics and edit stickers"},
                   {"is_superuser", "Superuser", FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0, "Can do everything"},
                   {"groups", "Groups", FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, NULL}},
    },
    {
        .name = "groups",
        .title = "Groups",
        .one = "group",
        .many = "groups",
        .rights = ALL,
        .object = "name",
        .sort = "created_us",
        .search = "Name (beginning)",
        .columns = {{"name", "Name", KIND_TEXT, SORT},
                    {"permissions", "Permissions", KIND_TEXT, SHOW},
                    {"members", "Members", KIND_NUMBER, SHOW},
                    {"created_us", "Created", KIND_TIME, SORT},
                    {"modified_us", "Changed", KIND_TIME, SORT}},
        .fields = {{"name", "Name", FIELD_LINE, FIELD_REQUIRED, 150, NULL},
                   {"permissions", "Permissions", FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, NULL}},
    },
    {
        .name = "tokens",
        .title = "Tokens",
        .one = "token",
        .many = "tokens",
        .rights = ADMIN_VIEW | ADMIN_ADD | ADMIN_DELETE,
        .object = "label",
        .sort = "created_us",
        .search = "Username (beginning)",
        .columns = {{"username", "User", KIND_TEXT, SHOW},
                    {"label", "Description", KIND_TEXT, SHOW},
                    {"last_used_us", "Last used", KIND_TIME, SORT},
                    {"created_us", "Created", KIND_TIME, SORT}},
        .fields = {{"username", "User", FIELD_LINE, FIELD_REQUIRED, 150, "The token acts as this user"},
                   {"label", "Description", FIELD_LINE, 0, 150, "For example “iOS app, production”"}},
    },
    {
        .name = "trash",
        .title = "Trash",
        .one = "sticker",
        .many = "stickers",
        .rights = ADMIN_VIEW | ADMIN_CHANGE | ADMIN_DELETE,
        .object = "filename",
        .sort = "deleted_us",
        .search = "Filename (beginning)",
        .columns = {{"sha256", "Image", KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"filename", "Filename", KIND_TEXT, SORT},
                    {"title", "Title", KIND_TEXT, SHOW},
                    {"pack", "Pack", KIND_TEXT, SHOW},
                    {"languages", "Languages", KIND_NUMBER, SHOW},
                    {"votes", "Votes", KIND_NUMBER, SHOW},
                    {"deleted_by", "Deleted by", KIND_TEXT, SHOW},
                    {"deleted_us", "Deleted", KIND_TIME, SORT}},
    },
    {
        .name = "history",
        .title = "History",
        .one = "entry",
        .many = "entries",
        .rights = ADMIN_VIEW,
        .object = "object",
        .sort = "at_us",
        .search = "Object (beginning)",
        .picture = "object",
        .columns = {{"sha256", "Image", KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"at_us", "When", KIND_TIME, SORT},
                    {"username", "User", KIND_TEXT, SORT},
                    {"address", "Address", KIND_TEXT, 0},
                    {"action", "Action", KIND_TEXT, SHOW},
                    {"model", "Type", KIND_TEXT, SHOW},
                    {"object", "Object", KIND_TEXT, SORT},
                    {"before", "Before", KIND_TEXT, 0},
                    {"after", "After", KIND_TEXT, 0}},
        .filters = {{"model", "Type", FILTER_CHOICE,
                     "stickers=Stickers|documents=Documents|queries=Queries|scores=Scores|pins=Pins|synonyms=Synonyms"
                     "|users=Users|groups=Groups|tokens=Tokens|history=History|trash=Trash"},
                    {"action", "Action", FILTER_CHOICE,
                     "add=add|change=change|delete=delete|reindex=reindex|export=export|login=login|logout=logout"
                     "|password=password|restore=restore"},
                    {"username", "User", FILTER_VALUES, NULL},
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

bool admin_table_edits_many(const struct admin_table *table)
{
    for (const struct admin_field *f = table->fields; f->name; f++)
        if (f->flags & FIELD_MANY)
            return true;
    return false;
}

const char *admin_count(const struct admin_table *table, int64_t n, struct arena *a)
{
    const char *number = admin_number(n, a);
    return number ? arena_printf(a, "%s %s", number, n == 1 ? table->one : table->many) : NULL;
}

const char *admin_number(int64_t n, struct arena *a)
{
    char digits[24], out[32], *to = out;
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    for (int i = 0; i < len; i++) {
        if (i && digits[i - 1] != '-' && (len - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return arena_strdup(a, out);
}
