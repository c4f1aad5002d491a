/* The sticker picker for other people's pages, web/static/peel-picker.js: what it says, and a page that shows it. */
#include "sticker_service/gallery/gallery.h"

#include "base/json_out.h"
#include "sticker_service/gallery/gallery_parts.h"
#include "sticker_service/service.h"

#define TEXTS_MAX   (64u << 10)
#define TEXTS_CACHE "public, max-age=3600"

/* Members of "texts", and the messages that they are. */
static const struct {
    const char *name;
    enum message message;
} texts[] = {
    {"label", MESSAGE_picker_label},
    {"search", MESSAGE_search_label},
    {"placeholder", MESSAGE_search_placeholder},
    {"sections", MESSAGE_picker_sections},
    {"categories", MESSAGE_picker_categories},
    {"home", MESSAGE_picker_home},
    {"recent", MESSAGE_picker_recent},
    {"favourites", MESSAGE_favourites},
    {"hint", MESSAGE_picker_hint},
    {"start", MESSAGE_picker_start},
    {"found", MESSAGE_picker_found},
    {"none", MESSAGE_results_none},
    {"noRecent", MESSAGE_picker_no_recent},
    {"noFavourites", MESSAGE_picker_no_favourites},
    {"corrected", MESSAGE_corrected},
    {"degraded", MESSAGE_degraded},
    {"more", MESSAGE_js_more},
    {"unavailable", MESSAGE_js_unavailable},
    {"retry", MESSAGE_js_retry},
    {"suggestions", MESSAGE_js_suggestions},
    {"favourite", MESSAGE_favourite},
    {"favouriteAdded", MESSAGE_js_favourite_added},
    {"favouriteRemoved", MESSAGE_js_favourite_removed},
    {"similar", MESSAGE_similar},
    {"back", MESSAGE_picker_back},
    {"copy", MESSAGE_copy_image},
    {"copied", MESSAGE_js_image_copied},
    {"copyFailed", MESSAGE_js_copy_failed},
};

void handle_picker_texts(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct error err;
    const char *lang;
    if (lang_param(req, &lang, &err) != OK) {
        http_problem_from(res, &err);
        return;
    }
    const struct messages *m = lang ? messages_in(lang) : NULL;
    m = m ? m : messages_at(0);
    struct buf out;
    buf_init(&out, TEXTS_MAX);
    buf_printf(&out, "{\"lang\":\"%s\",\"dir\":\"%s\"", messages_tag(m), messages_get(m, MESSAGE_dir));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        buf_printf(&out, ",\"%s\":", texts[i].name);
        json_put_string(&out, messages_get(m, texts[i].message));
    }
    buf_putc(&out, '}');
    if (buf_status(&out, &err) == OK) {
        http_header_add(res, "Cache-Control", TEXTS_CACHE);
        http_json(res, 200, buf_str(&out), out.len);
    } else {
        http_problem_from(res, &err);
    }
    buf_free(&out);
}

void handle_demo(void *ctx, const struct http_request *req, struct http_response *res)
{
    (void)ctx;
    struct gallery_visit v;
    struct buf html;
    gallery_visit(&v, req, res);
    struct tpl_demo page = {.layout = gallery_layout(&v, gallery_page_title(&v, GALLERY_SAY(&v, demo_title)), "")};
    buf_init(&html, GALLERY_HTML_MAX);
    tpl_demo(&html, &page, v.messages);
    gallery_send(&v, 200, &html);
}
