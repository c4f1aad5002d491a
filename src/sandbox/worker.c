/* The worker: reads a request, does it, answers, until the socket ends. A worker that is out of its time is killed by
 * SIGPROF; one that is out of memory ends itself, or is ended by whoever wanted it.
 *
 * Whatever program links this room (peel, a test, a benchmark) becomes a worker when it is started under the name
 * SANDBOX_WORKER, before its main: so that a service needs to know no path, and its workers are always of its version.
 */
#include "base/sanitized.h"
#include "image/image.h"
#include "image/ocr.h"
#include "sandbox/confine.h"
#include "sandbox/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define KEPT_BYTES  (32 << 20)  /* of memory, from one image to the next, which need not be cleared again */
#define STACK_BYTES (256 << 10) /* of a library's threads, of which rlottie starts as many as there are processors */
#define START_CPU_S 10u         /* beside what its images may take, in all of a worker's life */

#define SMALL_DRAWING 128u /* pixels: a sixty-fourth of those of the widest thumbnail */
#define QUICK_US      5000 /* so that a wide one takes a third of a second */

/* --- the socket --- */

static bool read_exactly(void *to, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(SANDBOX_SOCKET, (char *)to + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool write_exactly(const void *from, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(SANDBOX_SOCKET, (const char *)from + done, len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* --- one request --- */

/* SIGPROF after so much processor time; 0: never. */
static void set_time(unsigned ms)
{
    struct itimerval t = {.it_value = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000}};
    setitimer(ITIMER_PROF, &t, NULL);
}

/* What was done: an image or several, or a file, or words. */
struct product {
    struct image_film film;
    struct buf file;
};

static int64_t used_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

/* Most drawings are drawn small, which proves as much; one that takes long even so, as large as it may be asked for. */
static enum status draw(const void *data, size_t len, bool drawing, uint32_t width, uint32_t height, struct image *out,
                        struct error *err)
{
    int64_t began_us = used_us();
    enum status st = image_decode(data, len, image_thumbnail_side(width, height, SMALL_DRAWING), out, err);
    if (st != OK || !drawing || used_us() - began_us < QUICK_US)
        return st;
    image_free(out);
    return image_decode(data, len, image_thumbnail_side(width, height, IMAGE_WIDEST_THUMBNAIL), out, err);
}

static enum status check_image(const void *data, size_t len, struct sandbox_answer *out, struct error *err)
{
    enum image_kind kind;
    struct image drawn = {0};
    enum status st = image_probe(data, len, &kind, &out->width, &out->height, err);
    if (st == OK)
        st = draw(data, len, image_is_drawing(kind), out->width, out->height, &drawn, err);
    if (st == OK && !image_is_drawing(kind)) { /* a file may say one thing in its head and be another */
        out->width = drawn.width;
        out->height = drawn.height;
    }
    out->kind = kind;
    struct image_motion motion = {.frames = 1};
    if (st == OK && image_is_animated(data, len))
        st = image_check_frames(data, len, &motion, err);
    out->frames = motion.frames;
    out->duration_ms = st == OK ? (uint32_t)motion.duration_ms : 0;
    if (st == OK)
        st = image_look(&drawn, &out->look, err);
    image_free(&drawn);
    return st;
}

static void put_film(const struct image_film *film, enum status st, struct sandbox_answer *out)
{
    out->kind = film->strip.kind;
    if (st != OK)
        return;
    out->frames = film->frames;
    out->width = film->strip.width;
    out->height = film->strip.height / film->frames;
    out->channels = film->strip.channels;
    out->len = (uint64_t)film->strip.width * film->strip.height * film->strip.channels;
}

static struct ocr *reader; /* of a worker that reads text; else NULL */

static enum status read_words(const void *data, size_t len, struct buf *words, struct error *err)
{
    struct image picture;
    if (!reader)
        return err_set(err, ERR_INTERNAL, "this worker does not read text");
    enum status st = image_decode(data, len, OCR_SIDE, &picture, err);
    if (st != OK)
        return st;
    st = ocr_read(reader, &picture, words, err);
    image_free(&picture);
    return st;
}

static enum status do_request(const struct sandbox_request *req, const void *data, struct product *made,
                              struct sandbox_answer *out, struct error *err)
{
    enum image_kind kind;
    uint64_t bytes = 0;
    size_t len = (size_t)req->len;
    enum status st =
        req->op == SANDBOX_PROBE ? OK : image_memory(data, len, req->side, req->op == SANDBOX_FILM, &bytes, err);
    if (st == OK && bytes > (uint64_t)req->pixels_mib << 20) {
        out->needs_more = 1;
        st = err_set(err, ERR_TOO_LARGE, "decoding it takes %llu MiB of memory: at most %u are allowed",
                     (unsigned long long)(bytes + (1u << 20) - 1) >> 20, req->pixels_mib);
    }
    if (st != OK)
        return st;
    switch ((enum sandbox_op)req->op) {
    case SANDBOX_PROBE:
        st = image_probe(data, len, &kind, &out->width, &out->height, err);
        out->kind = kind;
        out->frames = image_motion(data, len).frames;
        if (out->frames > IMAGE_MAX_FRAMES)
            out->frames = IMAGE_MAX_FRAMES;
        return st;
    case SANDBOX_CHECK:
        return check_image(data, len, out, err);
    case SANDBOX_DECODE:
        made->film.frames = 1;
        st = image_decode(data, len, req->side, &made->film.strip, err);
        put_film(&made->film, st, out);
        return st;
    case SANDBOX_FILM:
        st = image_film(data, len, req->side, &made->film, err);
        put_film(&made->film, st, out);
        return st;
    case SANDBOX_RENDITION:
    case SANDBOX_ANIMATION:
        st = (req->op == SANDBOX_RENDITION ? image_rendition : image_animation)(
            data, len, req->side, (enum image_kind)req->as, &made->file, err);
        out->len = st == OK ? made->file.len : 0;
        return st;
    case SANDBOX_SQUARE:
        st = image_square_animation(data, len, &req->square, &made->file, err);
        out->len = st == OK ? made->file.len : 0;
        return st;
    case SANDBOX_WORDS:
        st = read_words(data, len, &made->file, err);
        out->len = st == OK ? made->file.len : 0;
        return st;
    default:
        return err_set(err, ERR_INTERNAL, "a worker was asked for %u", req->op);
    }
}

/* False at the end of the socket, or when nothing can be done about what happened. */
static bool serve_one(void)
{
    struct sandbox_request req;
    struct sandbox_answer out;
    struct product made = {0};
    struct error err = {.message = ""};
    if (!read_exactly(&req, sizeof req) || req.len > IMAGE_MAX_BYTES)
        return false;
    set_time(req.cpu_ms);
    memset(&out, 0, sizeof out);
    buf_init(&made.file, IMAGE_MAX_BYTES);
    void *data = malloc(req.len ? (size_t)req.len : 1);
    if (!data || !read_exactly(data, (size_t)req.len))
        return false;
    out.status = do_request(&req, data, &made, &out, &err);
    set_time(0);
    snprintf(out.why, sizeof out.why, "%.*s", (int)sizeof out.why - 1, err.message);
    bool sent =
        write_exactly(&out, sizeof out) &&
        write_exactly(made.film.strip.pixels ? (void *)made.film.strip.pixels : made.file.data, (size_t)out.len);
    free(data);
    image_free(&made.film.strip);
    buf_free(&made.file);
    return sent;
}

/* --- a worker's life --- */

static void warm_up(void)
{
    static const char svg[] = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'><text y='9'>a</text></svg>";
    struct image im;
    if (image_decode(svg, sizeof svg - 1, 9, &im, NULL) == OK)
        image_free(&im);
}

/* When memory runs short, the system should end workers before services. */
static void be_ended_first(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (write(fd, "500", 3) != 3)
        (void)errno; /* then it is like the others */
    close(fd);
}

static void keep_stacks_small(void)
{
    pthread_attr_t attributes;
    if (SANITIZED || pthread_attr_init(&attributes) != 0) /* whose own data would not fit */
        return;
    if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0)
        (void)pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

/* argv: SANDBOX_WORKER, memory in MiB, processor seconds in all, niceness, and of one that reads text the languages,
 * whose data it loads while it may still open files. */
static int work(char **argv)
{
    struct error err;
    unsigned memory_mib = (unsigned)strtoul(argv[1], NULL, 10), cpu_s = (unsigned)strtoul(argv[2], NULL, 10);
    close_range(SANDBOX_SOCKET + 1, ~0u, 0);
    mallopt(M_ARENA_MAX, 1); /* others take address space, of which there is little */
    mallopt(M_MMAP_THRESHOLD, KEPT_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    keep_stacks_small();
    be_ended_first();
    int nice = (int)strtol(argv[3], NULL, 10);
    if (nice > getpriority(PRIO_PROCESS, 0) && setpriority(PRIO_PROCESS, 0, nice) != 0)
        (void)errno; /* the sandbox around us may forbid it */
    image_prepare();
    if ((argv[4] && ocr_open(argv[4], &reader, &err) != OK) ||
        sandbox_confine(memory_mib, cpu_s + START_CPU_S, warm_up, &err) != OK) {
        dprintf(SANDBOX_SOCKET, "%s", err.message);
        return 1;
    }
    if (!write_exactly("", 1))
        return 1;
    while (serve_one())
        continue;
    return 0;
}

/* glibc hands main's arguments to constructors, too. */
__attribute__((constructor)) static void become_worker(int argc, char **argv)
{
    if ((argc == 4 || argc == 5) && strcmp(argv[0], SANDBOX_WORKER) == 0)
        _exit(work(argv));
}

const char sandbox_worker_name[] = SANDBOX_WORKER;
