#include "sticker_service/admin/admin_tables.h"

#include "base/language.h"
#include "sticker_service/admin/admin.h"
#include "sticker_service/sticker_write.h"

#include <stdio.h>
#include <string.h>

#define SILENT ADMIN_SILENT
#define ALL    (ADMIN_VIEW | ADMIN_ADD | ADMIN_CHANGE | ADMIN_DELETE)
#define SHOW   COLUMN_LISTED
#define SORT   (COLUMN_LISTED | COLUMN_SORTS)
#define DATES(since, until)                                                                                            \
    {"since", since, FILTER_DATE, NULL},                                                                               \
    {                                                                                                                  \
        "until", until, FILTER_DATE, NULL                                                                              \
    }

/* The choices of filters, each ended by a value NULL. */
static const struct admin_choice votes[] = {
    {"yes", MESSAGE_admin_with_votes}, {"no", MESSAGE_admin_without_votes}, {NULL, SILENT}};
static const struct admin_choice indexed[] = {
    {"no", MESSAGE_admin_not_indexed}, {"yes", MESSAGE_admin_indexed}, {NULL, SILENT}};
static const struct admin_choice with_keywords[] = {
    {"no", MESSAGE_admin_without_keywords}, {"yes", MESSAGE_admin_with_keywords}, {NULL, SILENT}};
static const struct admin_choice ratings[] = {
    {"g", SILENT}, {"pg", SILENT}, {"pg-13", SILENT}, {"r", SILENT}, {NULL, SILENT}};
static const struct admin_choice animations[] = {
    {"yes", MESSAGE_admin_animated}, {"no", MESSAGE_admin_not_animated}, {NULL, SILENT}};
static const struct admin_choice states[] = {{"indexed", MESSAGE_admin_indexed},
                                             {"pending", MESSAGE_admin_pending},
                                             {"failed", MESSAGE_admin_failed},
                                             {NULL, SILENT}};
static const struct admin_choice balances[] = {
    {"bad", MESSAGE_admin_more_downvotes}, {"good", MESSAGE_admin_more_upvotes}, {NULL, SILENT}};
static const struct admin_choice effects[] = {
    {"no", MESSAGE_admin_pinned}, {"yes", MESSAGE_admin_hidden}, {NULL, SILENT}};
static const struct admin_choice roles[] = {{"superuser", MESSAGE_admin_superusers},
                                            {"staff", MESSAGE_admin_staff},
                                            {"plain", MESSAGE_admin_other_users},
                                            {NULL, SILENT}};
static const struct admin_choice active[] = {
    {"yes", MESSAGE_admin_active}, {"no", MESSAGE_admin_inactive}, {NULL, SILENT}};
static const struct admin_choice types[] = {
    {"stickers", MESSAGE_admin_stickers}, {"documents", MESSAGE_admin_documents},
    {"queries", MESSAGE_admin_queries},   {"scores", MESSAGE_admin_scores},
    {"pins", MESSAGE_admin_pins},         {"synonyms", MESSAGE_admin_synonyms},
    {"packs", MESSAGE_admin_packs},       {"experiments", MESSAGE_admin_experiments},
    {"webhooks", MESSAGE_admin_webhooks}, {"users", MESSAGE_admin_users},
    {"groups", MESSAGE_admin_groups},     {"tokens", MESSAGE_admin_tokens},
    {"history", MESSAGE_admin_history},   {"trash", MESSAGE_admin_trash},
    {"sessions", MESSAGE_admin_sessions}, {NULL, SILENT}};
static const struct admin_choice actions[] = {{"add", SILENT},     {"change", SILENT},     {"delete", SILENT},
                                              {"reindex", SILENT}, {"export", SILENT},     {"login", SILENT},
                                              {"logout", SILENT},  {"password", SILENT},   {"restore", SILENT},
                                              {"forget", SILENT},  {"two-factor", SILENT}, {NULL, SILENT}};

const struct admin_table admin_tables[] = {
    {
        .name = "stickers",
        .title = MESSAGE_admin_stickers,
        .count = MESSAGE_admin_n_stickers,
        .add = MESSAGE_admin_upload,
        .rights = ALL,
        .object = "filename",
        .sort = "modified_us",
        .search = MESSAGE_admin_find_stickers,
        .columns = {{"sha256", MESSAGE_admin_image, KIND_PICTURE, SHOW},
                    {"filename", MESSAGE_admin_filename, KIND_TEXT, SORT},
                    {"title", MESSAGE_admin_title, KIND_TEXT, SORT | COLUMN_INLINE},
                    {"words_en", MESSAGE_admin_keywords_english, KIND_TEXT, COLUMN_VIEW | COLUMN_INLINE},
                    {"pack", MESSAGE_admin_pack, KIND_TEXT, SORT},
                    {"languages", MESSAGE_admin_languages, KIND_TAGS, SHOW},
                    {"indexed", MESSAGE_admin_indexed, KIND_YES, SHOW},
                    {"author", MESSAGE_admin_author, KIND_TEXT, 0},
                    {"license", MESSAGE_admin_licence, KIND_TEXT, 0},
                    {"source", MESSAGE_admin_source, KIND_TEXT, 0},
                    {"rating", MESSAGE_admin_rating, KIND_TEXT, SHOW},
                    {"animated", MESSAGE_admin_animated, KIND_YES, SHOW},
                    {"ocr_words", MESSAGE_admin_ocr_words, KIND_TEXT, 0},
                    {"mime", MESSAGE_admin_type, KIND_TEXT, 0},
                    {"bytes", MESSAGE_admin_bytes, KIND_NUMBER, 0},
                    {"width", MESSAGE_admin_width, KIND_NUMBER, 0},
                    {"height", MESSAGE_admin_height, KIND_NUMBER, 0},
                    {"words", MESSAGE_admin_keywords_everywhere, KIND_TEXT, 0},
                    {"positives", MESSAGE_admin_upvotes, KIND_NUMBER, SORT},
                    {"negatives", MESSAGE_admin_downvotes, KIND_NUMBER, SORT},
                    {"created_us", MESSAGE_admin_added, KIND_TIME, SORT},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SORT}},
        .filters = {{"pack", MESSAGE_admin_pack, FILTER_VALUES, NULL},
                    {"language", MESSAGE_admin_language, FILTER_VALUES, NULL},
                    {"votes", MESSAGE_admin_votes, FILTER_CHOICE, votes},
                    {"indexed", MESSAGE_admin_indexed, FILTER_CHOICE, indexed},
                    {"words", MESSAGE_admin_keywords, FILTER_CHOICE, with_keywords},
                    {"rating", MESSAGE_admin_rating, FILTER_CHOICE, ratings},
                    {"animated", MESSAGE_admin_animated, FILTER_CHOICE, animations},
                    DATES(MESSAGE_admin_added_since, MESSAGE_admin_added_before)},
        .fields = {{"title", MESSAGE_admin_title, FIELD_LINE, 0, STICKER_LINE_MAX, SILENT},
                   {"pack", MESSAGE_admin_pack, FIELD_LINE, FIELD_MANY, STICKER_LINE_MAX, SILENT},
                   {"author", MESSAGE_admin_author, FIELD_LINE, FIELD_MANY, STICKER_LINE_MAX, SILENT},
                   {"license", MESSAGE_admin_licence, FIELD_LINE, FIELD_MANY, STICKER_LINE_MAX, SILENT},
                   {"source", MESSAGE_admin_source, FIELD_LINE, FIELD_MANY, STICKER_LINE_MAX,
                    MESSAGE_admin_help_source},
                   {"rating", MESSAGE_admin_rating, FIELD_RATING, FIELD_MANY, 0, MESSAGE_admin_help_rating},
                   {"animated", MESSAGE_admin_animated, FIELD_CHECK, FIELD_MANY, 0, MESSAGE_admin_help_animated},
                   {"words", MESSAGE_admin_keywords, FIELD_WORDS, FIELD_MANY, STICKER_WORDS_MAX,
                    MESSAGE_admin_help_keywords},
                   {"ocr_words", MESSAGE_admin_ocr_words, FIELD_LINE, FIELD_LATER, STICKER_LINE_MAX,
                    MESSAGE_admin_help_ocr_words}},
        .upload = "/admin/stickers/upload/",
        .reindexes = true,
    },
    {
        .name = "documents",
        .title = MESSAGE_admin_documents,
        .count = MESSAGE_admin_n_documents,
        .add = SILENT,
        .rights = ADMIN_VIEW | ADMIN_CHANGE,
        .object = "filename",
        .sort = "id",
        .search = MESSAGE_admin_find_documents,
        .columns = {{"sha256", MESSAGE_admin_image, KIND_PICTURE, SHOW},
                    {"filename", MESSAGE_admin_filename, KIND_TEXT, SHOW},
                    {"title", MESSAGE_admin_title, KIND_TEXT, SHOW},
                    {"state", MESSAGE_admin_state, KIND_TEXT, SHOW},
                    {"why", MESSAGE_admin_reason, KIND_TEXT, SHOW},
                    {"model", MESSAGE_admin_model, KIND_TEXT, 0},
                    {"dim", MESSAGE_admin_dimensions, KIND_NUMBER, 0},
                    {"id", MESSAGE_admin_document_id, KIND_NUMBER, SORT},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SHOW}},
        .filters = {{"state", MESSAGE_admin_state, FILTER_CHOICE, states},
                    {"model", MESSAGE_admin_model, FILTER_VALUES, NULL}},
        .remote = true,
    },
    {
        .name = "queries",
        .title = MESSAGE_admin_queries,
        .count = MESSAGE_admin_n_queries,
        .add = MESSAGE_admin_add_query,
        .rights = ALL,
        .object = "query",
        .sort = "usage",
        .search = MESSAGE_admin_find_words,
        .columns = {{"query", MESSAGE_admin_query, KIND_TEXT, SORT},
                    {"usage", MESSAGE_admin_searches, KIND_NUMBER, SORT},
                    {"empty", MESSAGE_admin_no_results, KIND_NUMBER, SORT},
                    {"positives", MESSAGE_admin_upvotes, KIND_NUMBER, SORT},
                    {"negatives", MESSAGE_admin_downvotes, KIND_NUMBER, SORT},
                    {"created_us", MESSAGE_admin_first_seen, KIND_TIME, SORT},
                    {"modified_us", MESSAGE_admin_last_seen, KIND_TIME, SORT}},
        .filters = {{"votes", MESSAGE_admin_votes, FILTER_CHOICE, votes},
                    DATES(MESSAGE_admin_seen_since, MESSAGE_admin_seen_before)},
        .fields = {{"query", MESSAGE_admin_query, FIELD_LINE, FIELD_REQUIRED, 1020, MESSAGE_admin_help_query},
                   {"usage", MESSAGE_admin_searches, FIELD_NUMBER, FIELD_REQUIRED, 0, MESSAGE_admin_help_searches}},
    },
    {
        .name = "scores",
        .title = MESSAGE_admin_scores,
        .count = MESSAGE_admin_n_scores,
        .add = MESSAGE_admin_add_score,
        .rights = ALL,
        .object = "sticker",
        .sort = "modified_us",
        .search = MESSAGE_admin_find_words,
        .picture = "sticker",
        .columns = {{"sha256", MESSAGE_admin_image, KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"query", MESSAGE_admin_query, KIND_TEXT, SHOW},
                    {"sticker", MESSAGE_admin_sticker, KIND_TEXT, SHOW},
                    {"positives", MESSAGE_admin_upvotes, KIND_NUMBER, SORT},
                    {"negatives", MESSAGE_admin_downvotes, KIND_NUMBER, SORT},
                    {"created_us", MESSAGE_admin_first_seen, KIND_TIME, 0},
                    {"modified_us", MESSAGE_admin_last_seen, KIND_TIME, SORT}},
        .filters = {{"query", MESSAGE_admin_query, FILTER_VALUES, NULL},
                    {"sticker", MESSAGE_admin_sticker, FILTER_VALUES, NULL},
                    {"balance", MESSAGE_admin_balance, FILTER_CHOICE, balances},
                    DATES(MESSAGE_admin_seen_since, MESSAGE_admin_seen_before)},
        .fields = {{"query", MESSAGE_admin_query, FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 1020, SILENT},
                   {"sticker", MESSAGE_admin_sticker, FIELD_LINE, FIELD_REQUIRED | FIELD_ADD_ONLY, 255,
                    MESSAGE_admin_help_sticker},
                   {"positives", MESSAGE_admin_upvotes, FIELD_NUMBER, FIELD_REQUIRED, 0, SILENT},
                   {"negatives", MESSAGE_admin_downvotes, FIELD_NUMBER, FIELD_REQUIRED, 0, SILENT}},
    },
    {
        .name = "pins",
        .title = MESSAGE_admin_pins,
        .count = MESSAGE_admin_n_pins,
        .add = MESSAGE_admin_add_pin,
        .rights = ALL,
        .object = "query",
        .sort = "modified_us",
        .search = MESSAGE_admin_find_query,
        .columns = {{"query", MESSAGE_admin_query, KIND_TEXT, SORT},
                    {"language", MESSAGE_admin_language, KIND_TEXT, SHOW},
                    {"sticker", MESSAGE_admin_sticker, KIND_TEXT, SHOW},
                    {"position", MESSAGE_admin_position, KIND_NUMBER, SORT},
                    {"created_us", MESSAGE_admin_added, KIND_TIME, 0},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SORT}},
        .filters = {{"query", MESSAGE_admin_query, FILTER_VALUES, NULL},
                    {"sticker", MESSAGE_admin_sticker, FILTER_VALUES, NULL},
                    {"hidden", MESSAGE_admin_effect, FILTER_CHOICE, effects}},
        .fields = {{"query", MESSAGE_admin_query, FIELD_LINE, FIELD_REQUIRED, 1020, MESSAGE_admin_help_pin_query},
                   {"language", MESSAGE_admin_language, FIELD_LINE, 0, LANGUAGE_MAX_TAG,
                    MESSAGE_admin_help_pin_language},
                   {"sticker", MESSAGE_admin_sticker, FIELD_LINE, FIELD_REQUIRED, 255, MESSAGE_admin_help_sticker},
                   {"position", MESSAGE_admin_position, FIELD_NUMBER, FIELD_REQUIRED, 0, MESSAGE_admin_help_position}},
    },
    {
        .name = "synonyms",
        .title = MESSAGE_admin_synonyms,
        .count = MESSAGE_admin_n_synonyms,
        .add = MESSAGE_admin_add_synonym,
        .rights = ALL,
        .object = "term",
        .sort = "modified_us",
        .search = MESSAGE_admin_find_term,
        .columns = {{"term", MESSAGE_admin_term, KIND_TEXT, SORT},
                    {"language", MESSAGE_admin_language, KIND_TEXT, SHOW},
                    {"synonyms", MESSAGE_admin_synonyms, KIND_TEXT, SHOW},
                    {"two_way", MESSAGE_admin_two_way, KIND_YES, SHOW},
                    {"created_us", MESSAGE_admin_added, KIND_TIME, 0},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SORT}},
        .fields = {{"term", MESSAGE_admin_term, FIELD_LINE, FIELD_REQUIRED, 400, MESSAGE_admin_help_term},
                   {"language", MESSAGE_admin_language, FIELD_LINE, 0, LANGUAGE_MAX_TAG,
                    MESSAGE_admin_help_synonym_language},
                   {"synonyms", MESSAGE_admin_synonyms, FIELD_LINE, FIELD_REQUIRED, 2040, MESSAGE_admin_help_synonyms},
                   {"two_way", MESSAGE_admin_two_way, FIELD_CHECK, 0, 0, MESSAGE_admin_help_two_way}},
    },
    {
        .name = "users",
        .title = MESSAGE_admin_users,
        .count = MESSAGE_admin_n_users,
        .add = MESSAGE_admin_add_user,
        .rights = ALL,
        .object = "username",
        .sort = "created_us",
        .search = MESSAGE_admin_find_name,
        .columns = {{"username", MESSAGE_admin_username, KIND_TEXT, SORT},
                    {"is_active", MESSAGE_admin_active, KIND_YES, SHOW},
                    {"is_staff", MESSAGE_admin_staff, KIND_YES, SHOW},
                    {"is_superuser", MESSAGE_admin_superuser, KIND_YES, SHOW},
                    {"groups", MESSAGE_admin_groups, KIND_TEXT, SHOW},
                    {"created_us", MESSAGE_admin_created, KIND_TIME, SORT},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SORT}},
        .filters = {{"role", MESSAGE_admin_role, FILTER_CHOICE, roles},
                    {"active", MESSAGE_admin_active, FILTER_CHOICE, active}},
        .fields = {{"username", MESSAGE_admin_username, FIELD_LINE, FIELD_REQUIRED, 150, SILENT},
                   {"password", MESSAGE_admin_password, FIELD_PASSWORD, 0, 1024, MESSAGE_admin_help_password},
                   {"is_active", MESSAGE_admin_active, FIELD_CHECK, 0, 0, MESSAGE_admin_help_active},
                   {"is_staff", MESSAGE_admin_staff, FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0, MESSAGE_admin_help_staff},
                   {"is_superuser", MESSAGE_admin_superuser, FIELD_CHECK, FIELD_SUPERUSER_ONLY, 0,
                    MESSAGE_admin_help_superuser},
                   {"groups", MESSAGE_admin_groups, FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, SILENT}},
    },
    {
        .name = "groups",
        .title = MESSAGE_admin_groups,
        .count = MESSAGE_admin_n_groups,
        .add = MESSAGE_admin_add_group,
        .rights = ALL,
        .object = "name",
        .sort = "created_us",
        .search = MESSAGE_admin_find_name,
        .columns = {{"name", MESSAGE_admin_name, KIND_TEXT, SORT},
                    {"permissions", MESSAGE_admin_permissions, KIND_TEXT, SHOW},
                    {"members", MESSAGE_admin_members, KIND_NUMBER, SHOW},
                    {"created_us", MESSAGE_admin_created, KIND_TIME, SORT},
                    {"modified_us", MESSAGE_admin_changed, KIND_TIME, SORT}},
        .fields = {{"name", MESSAGE_admin_name, FIELD_LINE, FIELD_REQUIRED, 150, SILENT},
                   {"permissions", MESSAGE_admin_permissions, FIELD_CHOICES, FIELD_SUPERUSER_ONLY, 0, SILENT}},
    },
    {
        .name = "tokens",
        .title = MESSAGE_admin_tokens,
        .count = MESSAGE_admin_n_tokens,
        .add = MESSAGE_admin_add_token,
        .rights = ADMIN_VIEW | ADMIN_ADD | ADMIN_DELETE,
        .object = "label",
        .sort = "created_us",
        .search = MESSAGE_admin_find_username,
        .columns = {{"username", MESSAGE_admin_user, KIND_TEXT, SHOW},
                    {"label", MESSAGE_admin_description, KIND_TEXT, SHOW},
                    {"last_used_us", MESSAGE_admin_last_used, KIND_TIME, SORT},
                    {"expires_us", MESSAGE_admin_expires, KIND_TIME, SHOW},
                    {"created_us", MESSAGE_admin_created, KIND_TIME, SORT}},
        .fields = {{"username", MESSAGE_admin_user, FIELD_LINE, FIELD_REQUIRED, 150, MESSAGE_admin_help_token_user},
                   {"label", MESSAGE_admin_description, FIELD_LINE, 0, 150, MESSAGE_admin_help_description},
                   {"expires_days", MESSAGE_admin_expires_days, FIELD_NUMBER, 0, 0, MESSAGE_admin_help_expires}},
    },
    {
        .name = "sessions",
        .title = MESSAGE_admin_sessions,
        .count = MESSAGE_admin_n_sessions,
        .add = SILENT,
        .rights = ADMIN_VIEW | ADMIN_DELETE,
        .object = "username",
        .sort = "seen_us",
        .search = MESSAGE_admin_find_username,
        .columns = {{"username", MESSAGE_admin_user, KIND_TEXT, SHOW},
                    {"address", MESSAGE_admin_address, KIND_TEXT, SHOW},
                    {"browser", MESSAGE_admin_browser, KIND_TEXT, SHOW},
                    {"seen_us", MESSAGE_admin_last_seen, KIND_TIME, SORT},
                    {"created_us", MESSAGE_admin_logged_in, KIND_TIME, SORT}},
        .filters = {{"username", MESSAGE_admin_user, FILTER_VALUES, NULL}},
    },
    {
        .name = "trash",
        .title = MESSAGE_admin_trash,
        .count = MESSAGE_admin_n_stickers,
        .add = SILENT,
        .rights = ADMIN_VIEW | ADMIN_CHANGE | ADMIN_DELETE,
        .object = "filename",
        .sort = "deleted_us",
        .search = MESSAGE_admin_find_filename,
        .columns = {{"sha256", MESSAGE_admin_image, KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"filename", MESSAGE_admin_filename, KIND_TEXT, SORT},
                    {"title", MESSAGE_admin_title, KIND_TEXT, SHOW},
                    {"pack", MESSAGE_admin_pack, KIND_TEXT, SHOW},
                    {"languages", MESSAGE_admin_languages, KIND_NUMBER, SHOW},
                    {"votes", MESSAGE_admin_votes, KIND_NUMBER, SHOW},
                    {"deleted_by", MESSAGE_admin_deleted_by, KIND_TEXT, SHOW},
                    {"deleted_us", MESSAGE_admin_deleted, KIND_TIME, SORT}},
    },
    {
        .name = "history",
        .title = MESSAGE_admin_history,
        .count = MESSAGE_admin_n_entries,
        .add = SILENT,
        .rights = ADMIN_VIEW,
        .object = "object",
        .sort = "at_us",
        .search = MESSAGE_admin_find_object,
        .picture = "object",
        .columns = {{"sha256", MESSAGE_admin_image, KIND_PICTURE, SHOW | COLUMN_VIEW},
                    {"at_us", MESSAGE_admin_when, KIND_TIME, SORT},
                    {"username", MESSAGE_admin_user, KIND_TEXT, SORT},
                    {"address", MESSAGE_admin_address, KIND_TEXT, 0},
                    {"action", MESSAGE_admin_action, KIND_TEXT, SHOW},
                    {"model", MESSAGE_admin_type, KIND_TEXT, SHOW},
                    {"object", MESSAGE_admin_object, KIND_TEXT, SORT},
                    {"before", MESSAGE_admin_before, KIND_TEXT, 0},
                    {"after", MESSAGE_admin_after, KIND_TEXT, 0}},
        .filters = {{"model", MESSAGE_admin_type, FILTER_CHOICE, types},
                    {"action", MESSAGE_admin_action, FILTER_CHOICE, actions},
                    {"username", MESSAGE_admin_user, FILTER_VALUES, NULL},
                    DATES(MESSAGE_admin_since, MESSAGE_admin_before)},
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
    return admin_say_number(a, table->count, n);
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
