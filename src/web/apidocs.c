#include "web/apidocs.h"

#include "base/json_in.h"

#include "web/html.h"
#include "web/templates.h"

#include <stdlib.h>
#include <string.h>

typedef struct tpl_docs_groups group;
typedef struct tpl_docs_groups_operations operation;
typedef struct tpl_docs_groups_operations_params param;
typedef struct tpl_docs_groups_operations_answers answer;

struct maker {
    const json_t *root;
    const char *server;
    struct arena *arena;
    bool failed; /* no memory: checked once, at the end */
};

static void *get_array(struct maker *m, size_t count, size_t size)
{
    void *p = count ? arena_array(m->arena, count, size) : NULL;
    if (count && !p)
        m->failed = true;
    return p;
}

/* Moves what was built in `b` to the arena. */
static const char *apidocs_keep(struct maker *m, struct buf *b)
{
    char *s = b->failed ? NULL : arena_strdup(m->arena, buf_str(b));
    if (!s)
        m->failed = true;
    buf_free(b);
    return s;
}

/* Follows {"$ref":"#/components/..."}; anything else is returned as it is. */
static const json_t *deref(const struct maker *m, const json_t *node)
{
    const char *ref = json_string_value(json_object_get(node, "$ref"));
    if (!ref || strncmp(ref, "#/", 2) != 0)
        return node;
    const json_t *at = m->root;
    char part[128];
    for (const char *s = ref + 2; at && *s;) {
        size_t n = strcspn(s, "/");
        if (n >= sizeof part)
            return NULL;
        memcpy(part, s, n);
        part[n] = '\0';
        at = json_object_get(at, part);
        s += n + (s[n] == '/');
    }
    return at;
}

/* Paragraphs are set apart by empty lines. */
static const char *const *paragraphs(struct maker *m, const char *text, size_t *n)
{
    size_t count = *text ? 1 : 0;
    for (const char *s = text; (s = strstr(s, "\n\n")); s += 2)
        count++;
    const char **list = get_array(m, count, sizeof *list);
    *n = 0;
    for (const char *s = text; list && *s;) {
        const char *end = strstr(s, "\n\n");
        size_t len = end ? (size_t)(end - s) : strlen(s);
        list[(*n)++] = arena_strndup(m->arena, s, len);
        s += len + (end ? 2 : 0);
    }
    return list;
}

/* An example as it would be sent: text as it is, anything else as indented JSON. */
static const char *example_text(struct maker *m, const json_t *value)
{
    if (!value)
        return "";
    if (json_is_string(value))
        return json_string_value(value);
    char *json = json_dumps(value, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    char *copy = json ? arena_strdup(m->arena, json) : NULL;
    free(json);
    if (!copy)
        m->failed = true;
    return copy;
}

/* "integer, 1 to 100, default 10" */
static const char *schema_text(struct maker *m, const json_t *schema)
{
    struct buf b;
    buf_init(&b, 4096);
    buf_puts(&b, json_member_text(schema, "type"));
    const json_t *least = json_object_get(schema, "minimum"), *most = json_object_get(schema, "maximum");
    if (least && most)
        buf_printf(&b, ", %lld to %lld", (long long)json_integer_value(least), (long long)json_integer_value(most));
    const json_t *longest = json_object_get(schema, "maxLength");
    if (longest)
        buf_printf(&b, ", up to %lld characters", (long long)json_integer_value(longest));
    size_t i;
    const json_t *choice;
    const char *lead = ": ";
    json_array_foreach(json_object_get(schema, "enum"), i, choice)
    {
        buf_printf(&b, "%s%s", lead, example_text(m, choice));
        lead = ", ";
    }
    const json_t *fallback = json_object_get(schema, "default");
    if (fallback)
        buf_printf(&b, ", default %s", example_text(m, fallback));
    return apidocs_keep(m, &b);
}

static void make_params(struct maker *m, const json_t *op, operation *out)
{
    const json_t *list = json_object_get(op, "parameters");
    param *params = get_array(m, json_array_size(list), sizeof *params);
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        const json_t *p = deref(m, item);
        if (!params || !p)
            return;
        params[i] = (param){.name = json_member_text(p, "name"),
                            .place = json_member_text(p, "in"),
                            .kind = schema_text(m, json_object_get(p, "schema")),
                            .required = json_is_true(json_object_get(p, "required")),
                            .text_shown = json_member_text(p, "description"),
                            .example = example_text(m, json_object_get(p, "example"))};
        out->n_params = i + 1;
    }
    out->params = params;
}

/* The first content type of a body or answer, with its example. */
static const char *content_example(struct maker *m, const json_t *holder, const char **type)
{
    const char *key;
    json_t *media;
    json_object_foreach((json_t *)(uintptr_t)json_object_get(holder, "content"), key, media)
    {
        *type = key;
        return example_text(m, json_object_get(media, "example"));
    }
    *type = "";
    return "";
}

static void make_answers(struct maker *m, const json_t *op, operation *out)
{
    json_t *responses = json_object_get(op, "responses");
    answer *answers = get_array(m, json_object_size(responses), sizeof *answers);
    const char *status;
    json_t *item;
    json_object_foreach(responses, status, item)
    {
        const json_t *r = deref(m, item);
        if (!answers || !r)
            return;
        answer *a = &answers[out->n_answers++];
        *a = (answer){.status = status, .text_shown = json_member_text(r, "description")};
        a->example = content_example(m, r, &a->kind);
    }
    out->answers = answers;
}

/* Inside '...' of a shell a quote is written '\''. */
static void put_shell(struct buf *b, const char *s)
{
    for (; *s; s++)
        if (*s == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *s);
}

static const char *make_curl(struct maker *m, const char *server, const operation *op, const char *body_type)
{
    struct buf b;
    buf_init(&b, 64u << 10);
    buf_puts(&b, "curl '");
    put_shell(&b, server);
    const char *open = strchr(op->path, '{');
    buf_append(&b, op->path, open ? (size_t)(open - op->path) : strlen(op->path));
    const char *separator = "?";
    for (size_t i = 0; i < op->n_params; i++) {
        const param *p = &op->params[i];
        if (strcmp(p->place, "path") == 0) {
            html_url_part(&b, p->example);
        } else if (strcmp(p->place, "query") == 0 && *p->example) {
            buf_printf(&b, "%s%s=", separator, p->name);
            html_url_part(&b, p->example);
            separator = "&";
        }
    }
    buf_putc(&b, '\'');
    if (op->needs_token)
        buf_puts(&b, " \\\n  -H \"Authorization: Token $PEEL_TOKEN\"");
    if (*op->body) {
        buf_printf(&b, " \\\n  -H 'Content-Type: %s' \\\n  -d '", body_type);
        put_shell(&b, op->body);
        buf_putc(&b, '\'');
    }
    return apidocs_keep(m, &b);
}

/* item: what the document says of a path. */
static void make_operation(struct maker *m, const char *path, const char *method, const json_t *item, operation *out)
{
    const json_t *op = json_object_get(item, method);
    const char *elsewhere = json_member_text(json_array_get(json_object_get(item, "servers"), 0), "url");
    char *upper = arena_strdup(m->arena, method);
    if (!upper) {
        m->failed = true;
        return;
    }
    for (char *c = upper; *c; c++)
        if (*c >= 'a' && *c <= 'z')
            *c = (char)(*c - 'a' + 'A');
    *out = (operation){.id = json_member_text(op, "operationId"),
                       .method = upper,
                       .path = path,
                       .summary = json_member_text(op, "summary"),
                       .needs_token = json_array_size(json_object_get(op, "security")) > 0};
    out->paragraphs = paragraphs(m, json_member_text(op, "description"), &out->n_paragraphs);
    make_params(m, op, out);
    const char *body_type;
    out->body = content_example(m, deref(m, json_object_get(op, "requestBody")), &body_type);
    out->curl = make_curl(m, *elsewhere ? elsewhere : m->server, out, body_type);
    make_answers(m, op, out);
}

static bool has_tag(const json_t *op, const char *tag)
{
    size_t i;
    const json_t *name;
    json_array_foreach(json_object_get(op, "tags"), i, name)
    {
        if (json_is_string(name) && strcmp(json_string_value(name), tag) == 0)
            return true;
    }
    return false;
}

static void make_group(struct maker *m, const json_t *tag, group *out)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    json_t *paths = json_object_get(m->root, "paths");
    *out = (group){.name = json_member_text(tag, "name"), .text_shown = json_member_text(tag, "description")};
    operation *ops = get_array(m, json_object_size(paths) * (sizeof methods / sizeof *methods), sizeof *ops);
    const char *path;
    json_t *item;
    json_object_foreach(paths, path, item)
    {
        for (size_t i = 0; ops && i < sizeof methods / sizeof *methods; i++) {
            const json_t *op = json_object_get(item, methods[i]);
            if (op && has_tag(op, out->name))
                make_operation(m, path, methods[i], item, &ops[out->n_operations++]);
        }
    }
    out->operations = ops;
}

enum status apidocs_page(const char *json, size_t len, const char *server, struct arena *a, struct buf *out,
                         struct error *err)
{
    json_error_t where;
    json_t *root = json_loadb(json, len, 0, &where);
    if (!root)
        return err_set(err, ERR_INVALID, "the OpenAPI document is not JSON: %s (line %d)", where.text, where.line);
    struct maker m = {.root = root, .server = server, .arena = a};
    const json_t *info = json_object_get(root, "info"), *tags = json_object_get(root, "tags"), *tag;
    struct tpl_docs page = {.title = json_member_text(info, "title"), .version = json_member_text(info, "version")};
    page.intro = paragraphs(&m, json_member_text(info, "description"), &page.n_intro);
    group *groups = get_array(&m, json_array_size(tags), sizeof *groups);
    size_t i;
    json_array_foreach(tags, i, tag)
    {
        if (groups)
            make_group(&m, tag, &groups[page.n_groups++]);
    }
    page.groups = groups;
    enum status status = m.failed ? err_no_memory(err, "the API's reference") : OK;
    if (status == OK) {
        tpl_docs(out, &page);
        status = buf_status(out, err);
    }
    json_decref(root);
    return status;
}
