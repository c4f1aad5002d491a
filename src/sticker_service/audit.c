#include "sticker_service/audit.h"

enum status audit_note(struct sticker_store *s, const char *username, const char *address, enum change_op op,
                       const char *list, const char *object, const char *after, struct error *err)
{
    if (!after)
        return err_no_memory(err, "the history");
    struct admin_who who = {.username = username, .address = address};
    struct admin_change what = {.op = op, .list = list, .object = object, .before = "", .after = after, .done = true};
    return sticker_store_change(s, &who, &what, 1, err);
}
