#include "web/messages.h"

#include "web/html.h"
#include "web/plural.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

_Static_assert(PLURAL_FORMS == 6, "messages.h has room for each form");

#define TEXT_MAX 8192 /* bytes of a message that is filled in */

const struct messages *messages_at(size_t i)
{
    return i < messages_count ? &messages_all[i] : NULL;
}

const struct messages *messages_in(const char *tag)
{
    size_t len = strcspn(tag, "-");
    for (size_t i = 0; i < messages_count; i++)
        if (strlen(messages_all[i].tag) == len && strncasecmp(messages_all[i].tag, tag, len) == 0)
            return &messages_all[i];
    return NULL;
}

const char *messages_tag(const struct messages *m)
{
    return m->tag;
}

/* The language that has this message: English, where no other does. */
static const struct messages *one_with(const struct messages *m, enum message key)
{
    return key < MESSAGE_TRANSLATED ? m : &messages_all[0];
}

const char *messages_get(const struct messages *m, enum message key)
{
    return one_with(m, key)->forms[key][PLURAL_OTHER];
}

void messages_number(struct buf *out, const struct messages *m, int64_t n)
{
    const struct plural_rules *rules = plural_rules(m->tag);
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int sign = n < 0;
    bool grouped = rules && (n >= rules->group_from || n <= -rules->group_from);
    for (int i = 0; i < len; i++) {
        if (grouped && i > sign && (len - i) % 3 == 0)
            buf_puts(out, rules->group);
        buf_putc(out, digits[i]);
    }
}

static const struct message_arg *find_arg(const struct message_arg *args, size_t n, const char *name, size_t len)
{
    for (size_t i = 0; i < n; i++)
        if (strlen(args[i].name) == len && memcmp(args[i].name, name, len) == 0)
            return &args[i];
    return NULL;
}

/* The form that {n} takes; messages without forms have one, "other". */
static const char *pattern_of(const struct messages *m, enum message key, const struct message_arg *args, size_t n)
{
    const struct message_arg *count = find_arg(args, n, "n", 1);
    const struct plural_rules *rules = plural_rules(m->tag);
    const char *form = NULL;
    if (count && count->is_number && rules)
        form = m->forms[key][rules->form_of(count->number)];
    return form ? form : m->forms[key][PLURAL_OTHER];
}

/* How a piece of a message is written; `filled`: it stands for a text that was filled in. */
typedef void put_piece(struct buf *out, const char *s, bool filled);

static void put_plain(struct buf *out, const char *s, bool filled)
{
    (void)filled;
    buf_puts(out, s);
}

static void put_value(struct buf *out, const char *s, bool filled)
{
    (void)filled;
    html_text(out, s);
}

static void put_text(struct buf *out, const char *s, bool filled)
{
    buf_puts(out, filled ? "<bdi>" : "");
    html_text(out, s);
    buf_puts(out, filled ? "</bdi>" : "");
}

static void write_message(struct buf *out, const struct messages *m, enum message key, put_piece *put,
                          const struct message_arg *args, size_t n)
{
    m = one_with(m, key);
    for (const char *s = pattern_of(m, key, args, n); *s;) {
        size_t len = strcspn(s, "{");
        char piece[TEXT_MAX];
        snprintf(piece, sizeof piece, "%.*s", (int)len, s);
        put(out, piece, false);
        s += len;
        const char *end = *s ? strchr(s, '}') : NULL;
        if (!end)
            return; /* the build refuses what is never closed */
        const struct message_arg *arg = find_arg(args, n, s + 1, (size_t)(end - s - 1));
        if (arg && arg->is_number)
            messages_number(out, m, arg->number);
        else if (arg)
            put(out, arg->text ? arg->text : "", true);
        s = end + 1;
    }
}

void messages_html(struct buf *out, const struct messages *m, enum message key, enum message_place place,
                   const struct message_arg *args, size_t n)
{
    write_message(out, m, key, place == MESSAGE_IN_TEXT ? put_text : put_value, args, n);
}

const char *messages_text(struct arena *a, const struct messages *m, enum message key, const struct message_arg *args,
                          size_t n)
{
    struct buf b;
    buf_init(&b, TEXT_MAX);
    write_message(&b, m, key, put_plain, args, n);
    const char *text = b.failed ? NULL : arena_strdup(a, buf_str(&b));
    buf_free(&b);
    return text;
}
