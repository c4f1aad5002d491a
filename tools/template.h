/* template.h: what the template compiler knows between reading and writing.
 *
 * template_parse.c turns web/templates/x.html into a struct template (declarations and a tree of
 * nodes); template_emit.c resolves names, follows the HTML around each value and writes C.
 * A host program that lives for a moment: memory is never freed, and the first mistake ends it with
 * "file:line: what was expected and what was found". The language is described in docs/TEMPLATES.md. */
#ifndef PEEL_TOOLS_TEMPLATE_H
#define PEEL_TOOLS_TEMPLATE_H

#include "base/buf.h"
#include "web/plural.h"
#include <stdbool.h>
#include <stddef.h>

enum type_kind { TYPE_TEXT, TYPE_URL, TYPE_INT, TYPE_NUMBER, TYPE_BOOL, TYPE_RAW, TYPE_RECORD, TYPE_LIST };

struct field;
struct type {
    enum type_kind kind;
    struct type *item;        /* LIST: what it holds */
    struct field *fields;     /* RECORD declared in place */
    const char *template_ref; /* RECORD that is another template's parameters; then no fields here */
    const char *c_name;       /* RECORD: "tpl_gallery_results" */
};
struct field {
    const char *name;
    struct type type;
    int line;
    bool used;
    struct field *next;
};

/* "r.author" is {"r", "author"}. */
struct path {
    const char *part[4];
    size_t n;
};
enum operand_kind { OPERAND_PATH, OPERAND_STRING, OPERAND_NUMBER, OPERAND_BOOL };
struct operand {
    enum operand_kind kind;
    struct path path;
    const char *text; /* the string without quotes, the digits, or "true"/"false" */
};
/* One term of a condition; `join` says how it follows the one before: 0, '&' or '|'. */
struct term {
    char join;
    bool negate;
    struct operand left, right;
    const char *op; /* "==", "<", ...; NULL for plain truth */
    struct term *next;
};
struct argument {
    const char *name;
    struct operand value;
    struct argument *next;
};

enum node_kind {
    NODE_LITERAL,
    NODE_PRINT,
    NODE_RAW,
    NODE_ASSET,
    NODE_SAY,
    NODE_IF,
    NODE_FOR,
    NODE_INCLUDE,
    NODE_BLOCK
};
struct node {
    enum node_kind kind;
    int line;
    const char *text;         /* literal text, asset, message, loop variable, included template or block name */
    size_t len;               /* of a literal */
    struct path path;         /* PRINT, RAW, FOR; INCLUDE of one record */
    struct argument *args;    /* INCLUDE and SAY ... with */
    struct term *condition;   /* IF */
    struct node *body, *rest; /* IF, FOR, BLOCK; rest is the else part */
    struct node *next;
};

struct template
{
    const char *file, *name;
    const char *extends; /* NULL for none */
    int extends_line;
    struct template *parent;
    struct field *params;
    struct node *nodes;
    bool emitted; /* its struct has been written */
    bool says;    /* it, or what it includes, has messages: its function takes them as its third parameter */
    struct template *next;
};

_Noreturn void fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *take(size_t bytes); /* zeroed; ends the program when there is none */
char *take_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

struct template *template_parse(const char *file, const char *name, const char *text, size_t len);
struct message {
    const char *key;
    const char *forms[PLURAL_FORMS]; /* one without plural forms has only [PLURAL_OTHER] */
    const char *area;                /* as its catalogue's */
    bool plural;
    int line;
    struct message *next;
};
struct catalogue {
    const char *file, *tag;
    const char *area; /* "admin" of admin.en.ini: for one language, and for templates admin_*; NULL: for all */
    struct message *messages;
    struct catalogue *next;
};

struct catalogue *messages_parse(const char *file, const char *area, const char *tag, const char *text, size_t len);
void messages_check(const struct catalogue *all); /* that they agree with the first */
/* In the first, or in one of an area. */
struct message *messages_find(const struct catalogue *all, const char *key);
bool messages_has_placeholder(const struct message *m, const char *name);
void messages_emit(const struct catalogue *all, struct buf *header, struct buf *source);

/* Checks everything and writes the two files' contents. `static_dir` holds the assets; `messages` may be NULL. */
void template_emit(struct template *all, const char *static_dir, const struct catalogue *messages, struct buf *header,
                   struct buf *source);
void put_c_string(struct buf *out, const char *s, size_t len, int indent); /* quoted */

#endif
