#include "import/sticker_row.h"

#include "base/json_out.h"
#include "text/text.h"

#define STATE_MAX (1u << 20)

/* {"en":"cat"}: words or titles; a language without a title is left out of these. */
static void put_languages(struct buf *out, const struct sticker *k, bool titles)
{
    const char *comma = "";
    buf_putc(out, '{');
    for (size_t i = 0; i < k->n_words; i++) {
        const struct sticker_words *w = &k->words[i];
        if (titles && !(w->title && *w->title))
            continue;
        buf_puts(out, comma);
        json_put_string(out, w->language);
        buf_putc(out, ':');
        json_put_string(out, titles ? w->title : w->words);
        comma = ",";
    }
    buf_putc(out, '}');
}

const char *sticker_state(const struct sticker *k, struct arena *a)
{
    const char *const lines[][2] = {{"title", k->title},
                                    {"pack", k->pack},
                                    {"author", k->author},
                                    {"license", k->license},
                                    {"source", k->source},
                                    {"rating", rating_name(k->rating)},
                                    {"animated", k->animated ? "1" : "0"}};
    struct buf out;
    buf_init(&out, STATE_MAX);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        buf_printf(&out, "%c\"%s\":", i ? ',' : '{', lines[i][0]);
        json_put_string(&out, lines[i][1] ? lines[i][1] : "");
    }
    buf_puts(&out, ",\"words\":");
    put_languages(&out, k, false);
    buf_puts(&out, ",\"titles\":");
    put_languages(&out, k, true);
    buf_putc(&out, '}');
    const char *text = out.failed ? NULL : arena_strdup(a, buf_str(&out));
    buf_free(&out);
    return text;
}

enum status sticker_row_change(const struct sticker *k, bool is_new, const char *before, int64_t seen_us,
                               struct arena *a, struct admin_change *out, struct error *err)
{
    struct sticker_terms *terms = arena_array(a, 1, sizeof *terms);
    const char *after = sticker_state(k, a);
    if (!terms || !after)
        return err_no_memory(err, "a sticker");
    enum status st = text_sticker_terms(k->title, k->filename, k->words, k->n_words, a, terms, err);
    *out = (struct admin_change){.op = is_new ? CHANGE_ADD : CHANGE_UPDATE,
                                 .list = "stickers",
                                 .id = is_new ? NULL : k->filename,
                                 .seen_us = seen_us,
                                 .sticker = k,
                                 .terms = terms,
                                 .object = k->filename,
                                 .before = before,
                                 .after = after};
    return st;
}

enum status sticker_delete_change(const struct sticker *k, int64_t seen_us, struct arena *a, struct admin_change *out,
                                  struct error *err)
{
    const char *before = sticker_state(k, a);
    *out = (struct admin_change){.op = CHANGE_DELETE,
                                 .list = "stickers",
                                 .id = k->filename,
                                 .seen_us = seen_us,
                                 .object = k->filename,
                                 .before = before,
                                 .after = ""};
    return before ? OK : err_no_memory(err, "a sticker");
}
