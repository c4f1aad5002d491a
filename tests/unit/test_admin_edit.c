#include "cm.h"

#include "sticker_service/admin/admin_edit.h"
#include <string.h>

/* The form of a sticker with its fields in another order: every value must still reach its own member. */
static void fields_reach_their_members_in_any_order(void **state)
{
    (void)state;
    struct arena a;
    struct error err;
    struct admin_change change;
    const char *key = NULL;
    struct admin_table backwards = *admin_table_find("stickers");
    arena_init(&a, 4 << 20);
    struct http_request req = {.arena = &a};
    struct admin_visit v = {.req = &req};
    struct edit e = {.table = &backwards, .id = "a.png", .object = "", .seen = "1"};
    while (backwards.fields[e.n].name)
        e.n++;
    for (size_t i = 0; i < e.n; i++) {
        backwards.fields[i] = admin_table_find("stickers")->fields[e.n - 1 - i];
        e.values[i] = backwards.fields[i].kind == FIELD_LINE ? backwards.fields[i].name : "";
    }
    e.sticker = (struct sticker){
        .filename = "a.png", .sha256 = "00", .mime = "image/png", .rating = RATING_PG, .animated = true};
    if (edit_change(&v, &e, "", &key, &change, &err) != OK)
        fail_msg("%s", err.message);
    assert_string_equal(change.sticker->title, "title");
    assert_string_equal(change.sticker->pack, "pack");
    assert_string_equal(change.sticker->author, "author");
    assert_string_equal(change.sticker->license, "license");
    assert_string_equal(change.sticker->source, "source");
    assert_int_equal(change.sticker->rating, RATING_PG); /* left open: as it was, also in the history */
    assert_true(change.sticker->animated);
    assert_non_null(strstr(change.after, "\"rating\":\"pg\""));
    assert_non_null(strstr(change.after, "\"animated\":\"1\""));
    assert_string_equal(change.sticker->sha256, "00");
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(fields_reach_their_members_in_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
