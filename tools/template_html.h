/* template_html.h: where in an HTML page a template stands, so that each value is escaped for its place.
 *
 * Only as much of HTML as well-written templates need, and strict where strictness is safety: attribute
 * values are quoted, there are no inline scripts, styles or event handlers (our
 * Content-Security-Policy would refuse them anyway). */
#ifndef PEEL_TOOLS_TEMPLATE_HTML_H
#define PEEL_TOOLS_TEMPLATE_HTML_H

#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>

enum html_where {
    HTML_TEXT,
    HTML_TAG_NAME,
    HTML_IN_TAG,
    HTML_ATTR_NAME,
    HTML_EQUALS,
    HTML_VALUE,
    HTML_COMMENT,
    HTML_RAW
};

struct html {
    enum html_where where;
    char quote;       /* VALUE: the quote that ends it */
    bool is_url;      /* VALUE: of href, src, action, ... */
    bool at_start;    /* VALUE: nothing of it was written yet, on some way that leads here */
    bool closing;     /* TAG_NAME, IN_TAG: of </x> */
    bool keep_space;  /* inside pre or textarea */
    bool fresh;       /* the last thing written was a line break, or nothing was */
    char name[16];    /* of the element or attribute being read, cut to fit */
    char element[16]; /* IN_TAG: whose tag */
};

/* Copies literal template text to `out` and moves `h` along. Indentation is dropped where HTML does not
 * mind. Ends the program (fail) with the line of what it does not accept. */
void html_follow(struct html *h, const char *file, int line, const char *text, size_t len, struct buf *out);
/* To be called before anything but literal text: a half-read name of a tag or attribute is complete. */
void html_settle(struct html *h);
/* Two branches meet: true if a page may go on from either; then *a is where it goes on. */
bool html_merge(struct html *a, const struct html *b);
const char *html_describe(const struct html *h);

#endif
