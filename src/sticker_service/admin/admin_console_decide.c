/* admin_console_decide.c: what the form of the search console does: pins and synonyms for the query that is shown. */
#include "base/language.h"
#include "sticker_service/admin/admin.h"
#include "web/html.h"

#include <string.h>

#define URL_MAX 16384

struct decision {
    enum curation_kind kind;
    struct curation_row row;
    bool remove;
    const char *done;
};

/* The synonyms that the term has, and one more. */
static enum status add_to_synonyms(const struct admin_visit *v, struct curation_row *row, struct error *err)
{
    struct curation_row *rows;
    size_t n;
    struct arena *a = v->req->arena;
    enum status st = sticker_store_curation_list(v->service->store, CURATION_SYNONYMS, a, &rows, &n, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (strcmp(rows[i].values[0], row->values[0]) == 0 && strcmp(rows[i].values[1], row->values[1]) == 0) {
            row->values[2] = arena_printf(a, "%s, %s", rows[i].values[2], row->values[2]);
            row->values[3] = rows[i].values[3];
        }
    return st == OK && !row->values[2] ? err_no_memory(err, "synonyms") : st;
}

static enum status read_decision(const struct admin_visit *v, const struct form *form, struct decision *out,
                                 struct error *err)
{
    static const struct {
        const char *button, *position, *done;
    } buttons[] = {{"first", "1", "pinned"}, {"hide", "0", "hidden"}, {"unpin", "0", "removed"}};
    const char *query = admin_field(form, "query");
    const char *language = *admin_field(form, "only") ? admin_field(form, "lang") : "";
    *out = (struct decision){.row = {{query, language, "", "0"}}};
    for (size_t i = 0; i < sizeof buttons / sizeof *buttons && !out->done; i++)
        if (*admin_field(form, buttons[i].button)) {
            out->row.values[2] = admin_field(form, buttons[i].button);
            out->row.values[3] = buttons[i].position;
            out->done = buttons[i].done;
            out->remove = strcmp(buttons[i].button, "unpin") == 0;
        }
    if (!out->done && *admin_field(form, "add")) {
        out->kind = CURATION_SYNONYMS;
        out->row.values[2] = admin_field(form, "synonym");
        out->done = "synonym";
    } else if (!out->done) {
        out->row.values[2] = admin_field(form, "pin");
        out->row.values[3] = admin_field(form, "position");
        out->done = strcmp(out->row.values[3], "0") == 0 ? "hidden" : "pinned";
    }
    enum status st = OK;
    for (int c = 0; c < CURATION_COLUMNS && st == OK; c++)
        st = curation_check(curation_names[out->kind].columns[c], &out->row.values[c], v->req->arena, err);
    if (st == OK && out->kind == CURATION_SYNONYMS)
        st = add_to_synonyms(v, &out->row, err);
    if (st == OK && out->kind == CURATION_SYNONYMS)
        st = curation_check("synonyms", &out->row.values[2], v->req->arena, err);
    return st == OK ? curation_check_row(out->kind, &out->row, v->req->arena, err) : st;
}

/* All pins of the sticker for the query, for whichever language. */
static enum status remove_pins(const struct admin_visit *v, const struct admin_who *who, const struct curation_row *row,
                               struct error *err)
{
    struct pin *pins;
    size_t n;
    enum status st = curation_pins(v->service->curation, row->values[0], v->req->arena, &pins, &n, err);
    for (size_t i = 0; i < n && st == OK; i++)
        if (strcmp(pins[i].sticker, row->values[2]) == 0) {
            struct curation_row one = {{row->values[0], pins[i].language, pins[i].sticker, "0"}};
            st = sticker_store_curation_delete(v->service->store, who, CURATION_PINS, &one, err);
            st = st == ERR_NOT_FOUND ? OK : st; /* somebody else was faster */
        }
    return st;
}

static enum status decide(const struct admin_visit *v, const struct decision *d, struct error *err)
{
    struct admin_who who = {.username = v->session.user.username, .address = v->address};
    struct curation_counts counts;
    enum status st =
        d->remove ? remove_pins(v, &who, &d->row, err)
                  : sticker_store_curation_put(v->service->store, &who, d->kind, &d->row, 1, false, &counts, err);
    curation_changed(v->service->curation);
    return st;
}

/* Can the page be shown for these, which come from a form and not from the page's own URL? */
static bool is_shown(const char *query, const char *lang)
{
    size_t len = strlen(query);
    return query_trim(&query, &len) == OK && (!*lang || language_valid(lang));
}

/* Without the name of the row, which people did not number. */
static const char *message_of(const struct error *err)
{
    const char *colon = strstr(err->message, "]: ");
    return colon ? colon + 3 : err->message;
}

/* Back to the page, which says what was done. */
static void to_console(const struct admin_visit *v, const struct form *form, const char *done)
{
    struct buf to;
    buf_init(&to, URL_MAX);
    buf_puts(&to, "/admin/search/?query=");
    html_url_part(&to, admin_field(form, "query"));
    buf_puts(&to, "&lang=");
    html_url_part(&to, admin_field(form, "lang"));
    buf_printf(&to, "&done=%s", done);
    admin_headers(v->res);
    http_redirect(v->res, 303, to.failed ? "/admin/search/" : buf_str(&to));
    buf_free(&to);
}

void handle_admin_console_decide(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct admin_visit v;
    struct form form;
    struct decision d;
    struct error err;
    if (!admin_visit(ctx, req, res, &v) || !admin_form(&v, 20, &form) || !admin_needs(&v, "stickers", ADMIN_VIEW))
        return;
    enum status st = read_decision(&v, &form, &d, &err);
    const char *table = curation_names[st == OK ? d.kind : CURATION_PINS].list;
    if (!admin_needs(&v, table, ADMIN_ADD) || !admin_needs(&v, table, ADMIN_CHANGE) ||
        (st == OK && d.remove && !admin_needs(&v, table, ADMIN_DELETE)))
        return;
    if (st == OK)
        st = decide(&v, &d, &err);
    if (st == OK)
        to_console(&v, &form, d.done);
    else if (st == ERR_INVALID && is_shown(admin_field(&form, "query"), admin_field(&form, "lang")))
        admin_console_refuse(&v, admin_field(&form, "query"), admin_field(&form, "lang"), message_of(&err));
    else
        admin_fail(&v, &err);
}
