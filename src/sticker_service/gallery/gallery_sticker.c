/* One sticker: a large view, its words, whose it is, and what is like it. */
#include "sticker_service/gallery/gallery.h"

#include "base/language.h"
#include "base/utf8.h"
#include "sticker_service/find.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"

#include <string.h>

#define SIMILAR    12
#define WORDS_MAX  32   /* shown */
#define VIEW_WIDTH 1024 /* of the large view, for pictures made of pixels */

static const char *license_url(const char *license)
{
    static const struct {
        const char *name, *url;
    } known[] = {{"CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"},
                 {"CC-BY-SA-4.0", "https://creativecommons.org/licenses/by-sa/4.0/"},
                 {"CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/"},
                 {"CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"},
                 {"CC0-1.0", "https://creativecommons.org/publicdomain/zero/1.0/"},
                 {"MIT", "https://spdx.org/licenses/MIT.html"},
                 {"Apache-2.0", "https://www.apache.org/licenses/LICENSE-2.0"}};
    for (size_t i = 0; license && i < sizeof known / sizeof *known; i++)
        if (strcmp(license, known[i].name) == 0)
            return known[i].url;
    return NULL;
}

/* The list in the reader's language, else the English one, else the first that there is; NULL: no words. */
static const struct sticker_words *words_for(const struct sticker *k, const char *lang)
{
    const struct sticker_words *english = NULL, *first = NULL;
    for (size_t i = 0; i < k->n_words; i++) {
        const struct sticker_words *w = &k->words[i];
        if (!html_is(w->words))
            continue;
        if (lang && language_number(lang) != LANGUAGE_OTHER && language_number(w->language) == language_number(lang))
            return w;
        if (!english && language_number(w->language) == LANGUAGE_en)
            english = w;
        first = first ? first : w;
    }
    return english ? english : first;
}

/* "cat, kitten", one by one, each once. */
static enum status gallery_fill_words(const struct sticker *k, const char *lang, struct arena *a,
                                      struct tpl_sticker *page, struct error *err)
{
    const struct sticker_words *list = words_for(k, lang);
    const char **words = arena_array(a, WORDS_MAX, sizeof *words);
    if (!words)
        return err_no_memory(err, "words");
    for (const char *s = list ? list->words : ""; *s && page->n_words < WORDS_MAX;) {
        size_t len = strcspn(s, ",");
        const char *word = s;
        size_t n = len;
        utf8_trim(&word, &n);
        const char *copy = arena_strndup(a, word, n);
        if (!copy)
            return err_no_memory(err, "words");
        size_t at = 0;
        while (at < page->n_words && strcmp(words[at], copy) != 0)
            at++;
        if (n && at == page->n_words)
            words[page->n_words++] = copy;
        s += len + (s[len] == ',');
    }
    page->words = words;
    page->language = list ? list->language : NULL;
    return OK;
}

/* "SVG" or "WebP, 256 × 256 pixels" */
static const char *picture_kind(struct gallery_texts *t, const struct sticker *k)
{
    static const char *const names[][2] = {{"image/svg+xml", "SVG"},
                                           {"image/png", "PNG"},
                                           {"image/webp", "WebP"},
                                           {"image/jpeg", "JPEG"},
                                           {"image/gif", "GIF"}};
    const char *name = k->mime;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(k->mime, names[i][0]) == 0)
            name = names[i][1];
    if (strcmp(name, "SVG") == 0)
        return name;
    return gallery_kept(t, arena_printf(t->arena, "%s, %d × %d pixels", name, (int)k->width, (int)k->height));
}

static const char *picture_bytes(struct gallery_texts *t, int64_t bytes)
{
    if (bytes < 10000)
        return gallery_kept(t, arena_printf(t->arena, "%.1f kB", (double)bytes / 1000));
    return bytes < 1000000 ? gallery_kept(t, arena_printf(t->arena, "%.0f kB", (double)bytes / 1000))
                           : gallery_kept(t, arena_printf(t->arena, "%.1f MB", (double)bytes / 1e6));
}

/* "More like this" */
static enum status fill_similar(struct sticker_service *s, const struct http_request *req, const struct sticker *k,
                                struct gallery_texts *t, struct tpl_sticker *page, struct error *err)
{
    struct find_answer answer;
    struct tpl_card *cards = arena_array(req->arena, SIMILAR, sizeof *cards);
    if (!cards)
        return err_no_memory(err, "similar stickers");
    enum status status = find_stickers(
        s, req, &(struct find_query){.like = k->filename, .limit = SIMILAR, .filter = STICKER_FILTER_NONE}, &answer,
        err);
    for (size_t i = 0; status == OK && i < answer.n; i++)
        cards[page->n_similar++] = gallery_card(t, answer.results[i].sticker, NULL);
    page->similar = cards;
    return status;
}

static enum status sticker_page(struct sticker_service *s, const struct http_request *req, const char *query,
                                const char *as, struct buf *html, struct error *err)
{
    struct sticker k;
    struct gallery_texts t = {.arena = req->arena};
    enum status status = filename_check(req->path_param, err);
    if (status == OK)
        status = sticker_store_get(s->store, req->path_param, req->arena, &k, err);
    if (status == ERR_INVALID || status == ERR_NOT_FOUND)
        return err_set(err, ERR_NOT_FOUND, "There is no such sticker, or not any more.");
    if (status != OK)
        return status;
    bool drawing = strcmp(k.mime, "image/svg+xml") == 0;
    struct tpl_sticker page = {
        .layout = {.title = gallery_kept(&t, arena_printf(req->arena, "%s" TITLE_SUFFIX, gallery_title(&k))),
                   .query = query},
        .filename = k.filename,
        .name = gallery_title(&k),
        .image = gallery_image(&t, &k, drawing || k.width <= VIEW_WIDTH ? 0 : VIEW_WIDTH),
        .original = gallery_image(&t, &k, 0),
        .back = *query ? gallery_results_url(&t, query, 1) : NULL,
        .author = k.author,
        .license = k.license,
        .license_url = license_url(k.license),
        .source = k.source,
        .source_url = html_is(k.source) && strncmp(k.source, "http", 4) == 0 ? k.source : NULL,
        .pack = k.pack,
        .kind = picture_kind(&t, &k),
        .size = picture_bytes(&t, k.bytes),
        .voted = as,
        .noted = gallery_thanks(as)};
    status = gallery_fill_words(&k, lang_accepted(req), req->arena, &page, err);
    if (status == OK)
        status = fill_similar(s, req, &k, &t, &page, err);
    if (status == OK && t.failed)
        status = err_no_memory(err, "a page");
    if (status == OK)
        tpl_sticker(html, &page);
    return status;
}

void handle_gallery_sticker(void *ctx, const struct http_request *req, struct http_response *res)
{
    struct error err;
    struct buf html;
    const char *query = "", *as = "";
    buf_init(&html, GALLERY_HTML_MAX);
    enum status status = query_or_empty(req, "q", &query, &err);
    if (status == OK)
        status = param_or(req, "as", "", &as, &err);
    if (status == OK)
        status = sticker_page(ctx, req, query, as, &html, &err);
    if (status == OK)
        gallery_send(res, 200, &html);
    else
        gallery_send_error(res, &err, query);
    buf_free(&html);
}
