/* WebM (https://www.webmproject.org/docs/container/): Matroska (RFC 9559), which is EBML (RFC 8794), with VP9 video. An
 * element is an id, a length and that many bytes, which may be elements again.
 *
 * Segment and clusters are stepped into, as their length may be unknown; what is in them is told apart by its id alone.
 * Everything else is taken as a whole or skipped. All of the file is walked once when it is opened, before anything is
 * decoded. Of the tracks, the first with video counts; sound is left alone. */
#include "image/webm_read.h"

#include "image/image_internal.h"

#include <math.h>
#include <string.h>

enum {
    EBML = 0x1a45dfa3,
    DOC_TYPE = 0x4282,
    SEGMENT = 0x18538067,
    INFO = 0x1549a966,
    TICK_NS = 0x2ad7b1,
    WHOLE_TICKS = 0x4489,
    TRACKS = 0x1654ae6b,
    TRACK = 0xae,
    TRACK_NUMBER = 0xd7,
    TRACK_TYPE = 0x83,
    CODEC = 0x86,
    FRAME_NS = 0x23e383,
    ENCODINGS = 0x6d80,
    VIDEO = 0xe0,
    WIDTH = 0xb0,
    HEIGHT = 0xba,
    CLUSTER = 0x1f43b675,
    CLUSTER_TICKS = 0xe7,
    SIMPLE_BLOCK = 0xa3,
    GROUP = 0xa0,
    BLOCK = 0xa1,
    BLOCK_TICKS = 0x9b,
    ADDITIONS = 0x75a1,
    ADDITION = 0xa6,
    ADDITION_ID = 0xee,
    ADDITION_DATA = 0xa5,
};

#define VIDEO_TRACK   1
#define ALPHA_ID      1 /* of an addition */
#define LACED         0x06
#define USUAL_TICK_NS 1000000u
#define USUAL_GAP_MS  100u

/* --- elements --- */

struct element {
    uint32_t id;
    const uint8_t *data; /* [len] */
    size_t len;
    bool endless; /* its length is unknown; len is what is left */
};

struct walk {
    const uint8_t *data; /* [len] */
    size_t len, at;
};

/* A number of 1 to `longest` bytes, of which the first tells how many; 0 bytes: there is none. `keep`: with the bit
 * that tells. */
static unsigned read_number(const struct walk *w, unsigned longest, bool keep, uint64_t *out)
{
    unsigned n = 1;
    uint8_t first = w->at < w->len ? w->data[w->at] : 0;
    while (n <= longest && !(first & (0x80 >> (n - 1))))
        n++;
    if (n > longest || n > w->len - w->at)
        return 0;
    *out = keep ? first : first & ((0x80u >> (n - 1)) - 1);
    for (unsigned i = 1; i < n; i++)
        *out = *out << 8 | w->data[w->at + i];
    return n;
}

static enum status next_element(struct walk *w, struct element *out, bool *more, struct error *err)
{
    uint64_t id = 0, size = 0;
    *more = w->at < w->len;
    if (!*more)
        return OK;
    unsigned n = read_number(w, 4, true, &id), m;
    w->at += n;
    if (!n || !(m = read_number(w, 8, false, &size)))
        return err_set(err, ERR_CORRUPT, "WebM: broken or cut off at byte %zu", w->at);
    w->at += m;
    *out = (struct element){.id = (uint32_t)id, .data = w->data + w->at};
    out->endless = size == (1ull << 7 * m) - 1;
    if (out->endless ? id != SEGMENT && id != CLUSTER : size > w->len - w->at)
        return err_set(err, ERR_CORRUPT, "WebM: cut off: the element %llx has %llu bytes, of which %zu are there",
                       (unsigned long long)id, (unsigned long long)size, w->len - w->at);
    out->len = out->endless ? w->len - w->at : (size_t)size;
    w->at += out->len;
    return OK;
}

static struct walk inside(const struct element *e)
{
    return (struct walk){e->data, e->len, 0};
}

static uint64_t as_number(const struct element *e)
{
    uint64_t value = 0;
    for (size_t i = 0; i < e->len && e->len <= 8; i++)
        value = value << 8 | e->data[i];
    return value;
}

static double as_float(const struct element *e)
{
    uint64_t bits = as_number(e);
    uint32_t short_bits = (uint32_t)bits;
    double value = 0;
    float short_value = 0;
    memcpy(&value, &bits, sizeof value);
    memcpy(&short_value, &short_bits, sizeof short_value);
    return e->len == 8 ? value : e->len == 4 ? (double)short_value : 0;
}

static bool is_text(const struct element *e, const char *text)
{
    return e->len >= strlen(text) && memcmp(e->data, text, strlen(text)) == 0 &&
           (e->len == strlen(text) || !e->data[strlen(text)]);
}

/* --- the head --- */

static enum status read_info(struct webm_reader *r, const struct element *info, struct error *err)
{
    struct walk w = inside(info);
    struct element e;
    bool more;
    double whole_ticks = 0;
    enum status st;
    while ((st = next_element(&w, &e, &more, err)) == OK && more) {
        if (e.id == TICK_NS)
            r->tick_ms = (double)as_number(&e) / 1e6;
        else if (e.id == WHOLE_TICKS)
            whole_ticks = as_float(&e);
    }
    if (st == OK && r->tick_ms <= 0)
        return err_set(err, ERR_CORRUPT, "WebM: ticks of no length");
    r->whole_ms = whole_ticks > 0 ? whole_ticks * r->tick_ms : 0;
    return st;
}

struct track {
    uint64_t number, type, width, height, frame_ns;
    struct element codec;
    bool encoded;
};

static enum status read_track(const struct element *track, struct track *out, struct error *err)
{
    struct walk w = inside(track);
    struct element e;
    bool more;
    enum status st;
    while ((st = next_element(&w, &e, &more, err)) == OK && more)
        switch (e.id) {
        case TRACK_NUMBER:
            out->number = as_number(&e);
            break;
        case TRACK_TYPE:
            out->type = as_number(&e);
            break;
        case CODEC:
            out->codec = e;
            break;
        case FRAME_NS:
            out->frame_ns = as_number(&e);
            break;
        case ENCODINGS:
            out->encoded = true;
            break;
        case WIDTH:
            out->width = as_number(&e);
            break;
        case HEIGHT:
            out->height = as_number(&e);
            break;
        case VIDEO: /* what is in it is told apart by its id, too */
            w.at -= e.len;
            break;
        default:
            break;
        }
    return st;
}

static enum status take_track(struct webm_reader *r, const struct track *t, struct error *err)
{
    if (!is_text(&t->codec, "V_VP9"))
        return err_set(err, ERR_UNSUPPORTED, "WebM with video that is not VP9: convert it");
    if (t->encoded)
        return err_set(err, ERR_UNSUPPORTED, "WebM with video that is compressed again or encrypted");
    enum status st = image_check_size(t->width, t->height, err);
    if (st != OK)
        return st;
    if (!t->number)
        return err_set(err, ERR_CORRUPT, "WebM: a track without a number");
    r->track = t->number;
    r->width = (uint32_t)t->width;
    r->height = (uint32_t)t->height;
    r->frame_ms = (double)t->frame_ns / 1e6;
    return OK;
}

static enum status read_tracks(struct webm_reader *r, const struct element *tracks, struct error *err)
{
    struct walk w = inside(tracks);
    struct element e;
    bool more;
    enum status st;
    while ((st = next_element(&w, &e, &more, err)) == OK && more && !r->track) {
        struct track t = {0};
        if (e.id == TRACK)
            st = read_track(&e, &t, err);
        if (st == OK && t.type == VIDEO_TRACK)
            st = take_track(r, &t, err);
        if (st != OK)
            return st;
    }
    return st;
}

/* Leaves r->first where the first cluster begins. */
static enum status read_head(struct webm_reader *r, struct error *err)
{
    struct walk w = {r->data, r->len, 0};
    struct element e;
    bool more;
    enum status st;
    for (; (st = next_element(&w, &e, &more, err)) == OK && more && e.id != CLUSTER; r->first = w.at) {
        if (e.id == SEGMENT)
            w.at -= e.len;
        else if (e.id == INFO)
            st = read_info(r, &e, err);
        else if (e.id == TRACKS && !r->track)
            st = read_tracks(r, &e, err);
        if (st != OK)
            return st;
    }
    return st == OK && !r->track ? err_set(err, ERR_UNSUPPORTED, "WebM without video") : st;
}

/* --- frames --- */

/* A block's head is its track, when it is shown after the cluster's beginning, and flags. Another track's is no frame:
 * colour stays NULL. */
static enum status read_block(const struct webm_reader *r, const struct element *block, struct webm_frame *out,
                              struct error *err)
{
    struct walk w = inside(block);
    uint64_t track;
    unsigned n = read_number(&w, 8, false, &track);
    if (!n || block->len < n + 3)
        return err_set(err, ERR_CORRUPT, "WebM: a block of %zu bytes", block->len);
    if (track != r->track)
        return OK;
    const uint8_t *head = block->data + n;
    double at_ms = ((double)r->cluster + (int16_t)(head[0] << 8 | head[1])) * r->tick_ms;
    if (!(at_ms >= 0 && at_ms < 2.0 * IMAGE_MAX_DURATION_MS))
        return err_set(err, ERR_TOO_LARGE, "WebM with a frame at %.0f s: at most %u are allowed", at_ms / 1000,
                       IMAGE_MAX_DURATION_MS / 1000);
    if (head[2] & LACED)
        return err_set(err, ERR_UNSUPPORTED, "WebM with several frames in a block");
    out->at_ms = (uint64_t)llround(at_ms);
    out->colour = head + 3;
    out->colour_len = block->len - n - 3;
    return OK;
}

static enum status read_addition(const struct element *addition, struct webm_frame *out, struct error *err)
{
    struct walk w = inside(addition);
    struct element e, content = {0};
    bool more;
    uint64_t id = ALPHA_ID;
    enum status st;
    while ((st = next_element(&w, &e, &more, err)) == OK && more) {
        if (e.id == ADDITION_ID)
            id = as_number(&e);
        else if (e.id == ADDITION_DATA)
            content = e;
    }
    if (st == OK && id == ALPHA_ID && content.len) {
        out->alpha = content.data;
        out->alpha_len = content.len;
    }
    return st;
}

static enum status read_group(const struct webm_reader *r, const struct element *group, struct webm_frame *out,
                              struct error *err)
{
    struct walk w = inside(group);
    struct element e;
    bool more;
    enum status st;
    while ((st = next_element(&w, &e, &more, err)) == OK && more) {
        if (e.id == BLOCK)
            st = read_block(r, &e, out, err);
        else if (e.id == BLOCK_TICKS)
            out->lasts_ms = (uint64_t)fmin(round((double)as_number(&e) * r->tick_ms), IMAGE_MAX_DURATION_MS + 1.0);
        else if (e.id == ADDITIONS)
            w.at -= e.len; /* and so its parts come next */
        else if (e.id == ADDITION)
            st = read_addition(&e, out, err);
        if (st != OK)
            return st;
    }
    return st;
}

/* The next frame's data and when it is shown; how long, only if the file says so. */
static enum status read_frame(struct webm_reader *r, struct webm_frame *out, bool *more, struct error *err)
{
    struct walk w = {r->data, r->len, r->at};
    struct element e;
    enum status st = OK;
    *out = (struct webm_frame){0};
    while (!out->colour && (st = next_element(&w, &e, more, err)) == OK && *more) {
        if (e.id == CLUSTER || e.id == SEGMENT)
            w.at -= e.len;
        else if (e.id == CLUSTER_TICKS)
            r->cluster = as_number(&e);
        else if (e.id == SIMPLE_BLOCK)
            st = read_block(r, &e, out, err);
        else if (e.id == GROUP)
            st = read_group(r, &e, out, err);
        if (st != OK)
            return st;
    }
    r->at = w.at;
    return st;
}

/* How long a frame is shown after which no other comes. */
static double last_ms(const struct webm_reader *r, const struct webm_frame *f)
{
    if (f->lasts_ms)
        return (double)f->lasts_ms;
    if (r->frame_ms > 0)
        return r->frame_ms;
    if (r->whole_ms > (double)f->at_ms)
        return r->whole_ms - (double)f->at_ms;
    return r->gap_ms ? (double)r->gap_ms : USUAL_GAP_MS;
}

enum status webm_next(struct webm_reader *r, struct webm_frame *out, bool *more, struct error *err)
{
    *more = r->has_ahead;
    *out = r->ahead;
    if (!*more)
        return OK;
    enum status st = read_frame(r, &r->ahead, &r->has_ahead, err);
    if (st != OK)
        return st;
    if (r->has_ahead && r->ahead.at_ms < out->at_ms)
        return err_set(err, ERR_CORRUPT, "WebM: the frame of %llu ms comes after that of %llu ms",
                       (unsigned long long)r->ahead.at_ms, (unsigned long long)out->at_ms);
    if (r->has_ahead)
        r->gap_ms = r->ahead.at_ms - out->at_ms;
    double lasts_ms = r->has_ahead ? (double)r->gap_ms : last_ms(r, out);
    out->lasts_ms = (uint64_t)fmax(1, round(fmin(lasts_ms, IMAGE_MAX_DURATION_MS + 1.0)));
    return OK;
}

static enum status rewind_frames(struct webm_reader *r, struct error *err)
{
    r->at = r->first;
    r->cluster = r->gap_ms = 0;
    return read_frame(r, &r->ahead, &r->has_ahead, err);
}

enum status webm_open(const uint8_t *data, size_t len, struct webm_reader *out, struct error *err)
{
    struct webm_frame f;
    bool more = true;
    *out = (struct webm_reader){.data = data, .len = len, .tick_ms = USUAL_TICK_NS / 1e6};
    enum status st = read_head(out, err);
    if (st == OK)
        st = rewind_frames(out, err);
    while (st == OK && (st = webm_next(out, &f, &more, err)) == OK && more) {
        if (++out->frames > IMAGE_MAX_FRAMES)
            return err_set(err, ERR_TOO_LARGE, "WebM of more than %u frames", IMAGE_MAX_FRAMES);
        out->duration_ms += f.lasts_ms;
    }
    if (st == OK && !out->frames)
        return err_set(err, ERR_CORRUPT, "WebM without a frame");
    return st == OK ? rewind_frames(out, err) : st;
}

bool image_is_webm(const uint8_t *data, size_t len)
{
    struct walk w = {data, len, 0};
    struct element e;
    bool more;
    if (next_element(&w, &e, &more, NULL) != OK || !more || e.id != EBML)
        return false;
    for (w = inside(&e); next_element(&w, &e, &more, NULL) == OK && more;)
        if (e.id == DOC_TYPE)
            return is_text(&e, "webm");
    return false;
}
