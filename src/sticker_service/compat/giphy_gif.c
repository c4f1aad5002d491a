#include "sticker_service/compat/giphy_gif.h"

#include "base/json_out.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* The renditions that there are, but for videos, which Peel does not make. */
#define NAMED(name) ",\"" name "\":{\"url\":"
static const struct {
    const char *begin;              /* of its object */
    enum { WHOLE, WIDE, HIGH } fit; /* as it is, or scaled to `side` pixels in width or height */
    unsigned side;
    bool still;
    int64_t most; /* bytes of the whole image; beyond that it is scaled to `side` in width */
} renditions[] = {{NAMED("original"), WHOLE, 0, false, 0},
                  {NAMED("original_still"), WHOLE, 512, true, 0},
                  {NAMED("downsized"), WHOLE, 512, false, 2000000},
                  {NAMED("downsized_still"), WHOLE, 512, true, 2000000},
                  {NAMED("downsized_medium"), WHOLE, 512, false, 5000000},
                  {NAMED("downsized_large"), WHOLE, 1024, false, 8000000},
                  {NAMED("fixed_height"), HIGH, 200, false, 0},
                  {NAMED("fixed_height_still"), HIGH, 200, true, 0},
                  {NAMED("fixed_height_downsampled"), HIGH, 200, false, 0},
                  {NAMED("fixed_height_small"), HIGH, 100, false, 0},
                  {NAMED("fixed_height_small_still"), HIGH, 100, true, 0},
                  {NAMED("fixed_width"), WIDE, 200, false, 0},
                  {NAMED("fixed_width_still"), WIDE, 200, true, 0},
                  {NAMED("fixed_width_downsampled"), WIDE, 200, false, 0},
                  {NAMED("fixed_width_small"), WIDE, 100, false, 0},
                  {NAMED("fixed_width_small_still"), WIDE, 100, true, 0},
                  {NAMED("480w_still"), WIDE, 480, true, 0},
                  {NAMED("preview_gif"), WIDE, 100, false, 0},
                  {NAMED("preview_webp"), WIDE, 100, false, 0}};

/* a * b / c, rounded, and at least 1 */
static uint32_t scaled(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t value = ((uint64_t)a * b + c / 2) / (c ? c : 1);
    return value ? (uint32_t)value : 1;
}

static struct compat_image rendition(const struct sticker *k, const struct compat_image *whole, size_t i)
{
    unsigned side = renditions[i].side;
    bool still = renditions[i].still;
    if (renditions[i].fit == WHOLE) {
        bool fits = !(still && k->animated) && (!renditions[i].most || whole->bytes <= renditions[i].most);
        return fits ? *whole : compat_scaled(k, side, true);
    }
    bool high = renditions[i].fit == HIGH;
    uint32_t width = high ? scaled(whole->width, side, whole->height) : side;
    uint32_t height = high ? side : scaled(whole->height, side, whole->width);
    struct compat_image image = compat_scaled(k, width, still);
    image.width = width; /* clients lay them out by what they asked for */
    image.height = height;
    return image;
}

/* Writes a text and then a number; returns the end. */
static char *put_digits(char *to, const char *text, uint64_t n)
{
    char digits[24], *at = digits + sizeof digits;
    size_t len = strlen(text);
    memcpy(to, text, len);
    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    memcpy(to + len, at, (size_t)(digits + sizeof digits - at));
    return to + len + (digits + sizeof digits - at);
}

static void put_images(const struct served_form *form, const struct sticker *k, struct buf *out)
{
    struct compat_addresses addresses;
    struct compat_image whole = compat_whole(k);
    compat_addresses(&addresses, form->sticker.origin, k);
    buf_puts(out, "\"images\":{");
    for (size_t i = 0; i < sizeof renditions / sizeof *renditions; i++) {
        struct compat_image image = rendition(k, &whole, i);
        char sizes[128], *end = sizes;
        end = put_digits(end, ",\"width\":\"", image.width);
        end = put_digits(end, "\",\"height\":\"", image.height);
        end = put_digits(end, "\",\"size\":\"", image.bytes > 0 ? (uint64_t)image.bytes : 0);
        memcpy(end, "\"}", 2);
        buf_puts(out, renditions[i].begin + (i == 0)); /* without a comma */
        compat_put_address(out, &addresses, &image, "");
        buf_append(out, sizes, (size_t)(end + 2 - sizes));
    }
    buf_putc(out, '}');
    buf_free(&addresses.texts);
}

static void put_payload(struct buf *out, const char *filename)
{
    buf_putc(out, SERVED_RECEIPT);
    buf_putc(out, '.');
    compat_put_id(out, filename);
}

static void put_ping(const struct served_form *form, const char *name, const char *action, const char *filename,
                     struct buf *out)
{
    buf_printf(out, "\"%s\":{\"url\":\"%s/giphy/v2/pingback_simple?action_type=%s&analytics_response_payload=", name,
               form->sticker.origin, action);
    put_payload(out, filename);
    buf_puts(out, "\"}");
}

/* Who is to be credited. */
static void put_user(const struct sticker *k, struct buf *out)
{
    const char *page = strncmp(k->source, "http", 4) == 0 ? k->source : "";
    buf_puts(out, ",\"user\":{\"avatar_url\":\"\",\"banner_url\":\"\",\"is_verified\":false,\"profile_url\":");
    json_put_string(out, page);
    buf_puts(out, ",\"username\":");
    json_put_string(out, k->author);
    buf_puts(out, ",\"display_name\":");
    json_put_string(out, k->author);
    buf_putc(out, '}');
}

void giphy_put_gif(const struct served_form *form, const struct find_result *r, struct buf *out)
{
    const struct sticker *k = r->sticker;
    const char *type = form->sticker.members & GIPHY_STICKERS ? "sticker" : "gif";
    time_t seconds = (time_t)(k->created_us / 1000000);
    struct tm tm;
    char date[32] = "1970-01-01 00:00:00";
    if (gmtime_r(&seconds, &tm))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &tm);
    buf_printf(out, "{\"type\":\"%s\",\"id\":\"", type);
    compat_put_id(out, k->filename);
    static const char *const pages[] = {"\",\"url\":\"", "\",\"bitly_url\":\"", "\",\"bitly_gif_url\":\"",
                                        "\",\"embed_url\":\""};
    for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
        buf_puts(out, pages[i]);
        buf_puts(out, form->sticker.origin);
        buf_puts(out, "/sticker/");
        compat_put_id(out, k->filename);
    }
    buf_puts(out, "\",\"slug\":\"");
    compat_put_id(out, k->filename);
    buf_puts(out, "\",\"username\":");
    json_put_string(out, k->author);
    buf_puts(out, ",\"source\":");
    json_put_string(out, k->source);
    buf_puts(out, ",\"title\":");
    json_put_string(out, sticker_alt(r));
    buf_puts(out, ",\"alt_text\":");
    json_put_string(out, sticker_alt(r));
    buf_printf(out,
               ",\"rating\":\"%s\",\"content_url\":\"\",\"source_tld\":\"\",\"source_post_url\":\"\",\"is_sticker\":%d,"
               "\"import_datetime\":\"%s\",\"trending_datetime\":\"0000-00-00 00:00:00\",",
               rating_name(k->rating), *type == 's', date);
    put_images(form, k, out);
    if (*k->author)
        put_user(k, out);
    buf_puts(out, ",\"analytics_response_payload\":\"");
    put_payload(out, k->filename);
    buf_puts(out, "\",\"analytics\":{");
    put_ping(form, "onload", "SEEN", k->filename, out);
    buf_putc(out, ',');
    put_ping(form, "onclick", "CLICK", k->filename, out);
    buf_putc(out, ',');
    put_ping(form, "onsent", "SENT", k->filename, out);
    buf_puts(out, "}}");
}

void giphy_put_meta(struct buf *out, const char *response_id)
{
    buf_printf(out, ",\"meta\":{\"status\":200,\"msg\":\"OK\",\"response_id\":\"%s\"}}", response_id);
}

void giphy_write(const struct served_form *form, const struct find_query *query, const struct find_answer *answer,
                 struct buf *out)
{
    static const char receipt[] = {'s', '.', SERVED_RECEIPT, '\0'}; /* never empty: clients take that for no answer */
    bool one = form->sticker.members & GIPHY_ONE;
    buf_puts(out, one && answer->n ? "{\"data\":" : "{\"data\":[");
    for (size_t i = 0; i < answer->n && (i == 0 || !one); i++) {
        buf_puts(out, i ? "," : "");
        giphy_put_gif(form, &answer->results[i], out);
    }
    buf_puts(out, one && answer->n ? "" : "]");
    if (query && !(form->sticker.members & (GIPHY_ONE | GIPHY_UNPAGED)))
        buf_printf(out, ",\"pagination\":{\"total_count\":%lld,\"count\":%zu,\"offset\":%zu}", (long long)answer->total,
                   answer->n, query->offset);
    giphy_put_meta(out, receipt);
}
