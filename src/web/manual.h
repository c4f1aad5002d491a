/* manual.h: the documentation, inside the program: the Markdown pages of docs/ as HTML, and a search of their sections.
 * Made at build time by tools/manual; src/sticker_service/gallery/gallery_manual.c serves it at /docs/. */
#ifndef PEEL_WEB_MANUAL_H
#define PEEL_WEB_MANUAL_H

#include "base/arena.h"
#include "base/status.h"
#include <stddef.h>

/* Everything is static. */
struct manual_section {
    const char *id, *heading; /* "where-models-come-from", "Where models come from" */
    const char *text;         /* what stands below the heading, without markup, white space as single spaces */
};
struct manual_page {
    const char *name; /* "search-service": what follows /docs/; "" is the index */
    const char *title;
    const char *html; /* with an <h1>; safe: made of our own files by a renderer that escapes everything else */
    const struct manual_section *sections; /* [n_sections]; the first is what stands below the title */
    size_t n_sections;
};
extern const struct manual_page manual_pages[];
extern const size_t manual_count;

const struct manual_page *manual_page_by_name(const char *name); /* NULL if there is none */

struct manual_hit {
    const struct manual_page *page;
    const struct manual_section *section;
    const char *excerpt; /* in the arena: some text around the first word that was found */
};
/* Sections that have every word of the query, in any case, the best first, at most `most`; words in headings count more
 * than words in the text. *out[*n] in the arena. ERR_NO_MEMORY. */
enum status manual_search(const char *query, size_t most, struct arena *a, struct manual_hit **out, size_t *n,
                          struct error *err) MUST_CHECK;

#endif
