/* Lanes of workers, from the side of whoever has an image.
 *
 * A call takes a free worker of the quick lane, under the mutex, and from then on that worker is its own: it starts
 * the process if there is none, talks to it, and kills it if it is late. It gives the worker back under the mutex. A
 * process serves so many images and is then replaced, so that nothing that an image did to it lasts. What a lane's
 * worker could not finish goes to the heavy lane, in the same way; `known` remembers by the image's hash that it has to
 * go there at once, or cannot be done at all. */
#include "sandbox/sandbox.h"

#include "base/log.h"
#include "base/os.h"
#include "base/pool.h"
#include "base/sanitized.h"
#include "base/utf8.h"
#include "image/ocr.h"
#include "sandbox/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOWER      (SANITIZED ? 2u : 1u)
#define START_MS    (10000u * SLOWER) /* until a new process is ready */
#define HEAVY_QUEUE 4u                /* calls that may wait for the heavy worker */
#define KNOWN       1024u             /* images that are remembered */
#define LOOK_MS     200               /* how often who waits for a worker looks whether it is time to stop */
#define RETRY_US    (300 * 1000000ll) /* after that, what took too long by the clock may be tried again */
#define SHA256_HEX  64

struct lane_limits {
    const char *name;
    unsigned memory_mib, pixels_mib;
    unsigned cpu_ms, wall_ms; /* of an image */
    unsigned images;          /* of a process */
    const char *nice;
};
static const struct lane_limits quick_limits = {
    "quick", SANDBOX_QUICK_MIB, SANDBOX_QUICK_PIXELS_MIB, SANDBOX_QUICK_MS, 10 * SANDBOX_QUICK_MS, 100, "0"};
static const struct lane_limits heavy_limits = {
    "heavy", SANDBOX_HEAVY_MIB, SANDBOX_HEAVY_PIXELS_MIB, SANDBOX_HEAVY_MS, 10 * SANDBOX_HEAVY_MS, 1, "5"};

static const struct lane_limits ocr_limits = {
    "ocr", SANDBOX_OCR_MIB, SANDBOX_OCR_PIXELS_MIB, SANDBOX_OCR_MS, 10 * SANDBOX_OCR_MS, 500, "5"};

struct worker {
    bool busy; /* under the mutex; the rest belongs to whoever made it busy */
    pid_t pid; /* 0: no process */
    int fd;
    unsigned images; /* that it may still serve */
};

struct lane {
    const struct lane_limits *limits;
    char *languages; /* that its workers read; NULL: they do not read */
    struct worker workers[SANDBOX_MAX_QUICK];
    unsigned n, waiting, most_waiting;
    pthread_cond_t freed;
};

enum verdict { UNKNOWN, SLOW, TOO_COMPLEX };

struct known {
    char sha256[SHA256_HEX + 1];
    uint32_t op, side, as; /* of TOO_COMPLEX */
    enum verdict verdict;
    bool late;        /* the clock was against it, not its own work */
    int64_t until_us; /* monotonic */
    char why[200];
};

struct sandbox {
    pthread_mutex_t mutex; /* guards what follows but for what is busy */
    struct lane quick, heavy;
    struct known known[KNOWN]; /* a ring */
    size_t next_known;
    struct sandbox_stats stats;
    _Atomic int64_t stop_us; /* monotonic: when those that are at work have to end; INT64_MAX: nobody stops */
};

/* What somebody wants of an image, and gets. */
struct job {
    const struct sandbox_image *file;
    enum sandbox_op op;
    uint32_t side;
    enum image_kind as;
    struct image_square square;
    struct sandbox_answer answer;
    struct image_film *pixels; /* where they go; or NULL */
    struct buf *made;          /* likewise: a rendition, or words */
    char why[200];             /* of NEEDS_MORE: what it needs more of */
    bool late;                 /* likewise: it was the clock */
    bool no_memory;            /* here, for what the worker made */
};

/* How a worker ended with a job. */
enum outcome { ANSWERED, NEEDS_MORE, NOT_STARTED, NOT_FREE, STOPPED };

/* --- processes --- */

static void end_process(struct worker *w, int *status)
{
    int ignored;
    if (!w->pid)
        return;
    kill(w->pid, SIGKILL); /* one that has ended keeps its status */
    close(w->fd);
    while (waitpid(w->pid, status ? status : &ignored, 0) < 0 && errno == EINTR)
        continue;
    w->pid = 0;
}

/* Only what a worker needs: the environment of a service has passwords in it. */
enum { MAX_ENVIRONMENT = 10 };

static void choose_environment(char *out[MAX_ENVIRONMENT])
{
    static const char *const names[] = {"ASAN_OPTIONS=",    "UBSAN_OPTIONS=",   "TSAN_OPTIONS=",   "LD_LIBRARY_PATH=",
                                        "FONTCONFIG_FILE=", "FONTCONFIG_PATH=", "TESSDATA_PREFIX="};
    static char one_thread[] = "RAYON_NUM_THREADS=1", one_more[] = "OMP_THREAD_LIMIT=1"; /* of librsvg, of Tesseract */
    size_t n = 0;
    out[n++] = one_thread;
    out[n++] = one_more;
    for (char **e = environ; *e; e++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strncmp(*e, names[i], strlen(names[i])) == 0 && n < MAX_ENVIRONMENT - 1)
                out[n++] = *e;
    out[n] = NULL;
}

static int spawn(const struct lane *lane, int socket, pid_t *pid)
{
    const struct lane_limits *l = lane->limits;
    char name[32], memory[16], cpu[16], nice[8], *environment[MAX_ENVIRONMENT];
    char *argv[] = {name, memory, cpu, nice, lane->languages, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    snprintf(name, sizeof name, "%s", sandbox_worker_name);
    snprintf(memory, sizeof memory, "%u", l->memory_mib);
    snprintf(cpu, sizeof cpu, "%u", l->images * (l->cpu_ms * SLOWER + 999) / 1000);
    snprintf(nice, sizeof nice, "%s", l->nice);
    choose_environment(environment);
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_adddup2(&files, 0, 1);
    if (!SANITIZED) /* what libraries complain of is for nobody, and comes from the image */
        posix_spawn_file_actions_adddup2(&files, 0, 2);
    posix_spawn_file_actions_adddup2(&files, socket, SANDBOX_SOCKET);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0); /* a terminal's Ctrl-C is for the service */
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    int failed = posix_spawn(pid, "/proc/self/exe", &files, &attributes, argv, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

static int64_t deadline_in(unsigned ms)
{
    return os_monotonic_us() + (int64_t)ms * 1000;
}

/* A connection to a worker, and how long it may take. */
struct line {
    int fd;
    int64_t deadline_us;
    const _Atomic int64_t *stop_us; /* another deadline, which may come closer meanwhile */
};

/* Waits for `events`; false at the deadline. */
static bool wait_for(const struct line *l, short events)
{
    for (;;) {
        int64_t stop_us = atomic_load(l->stop_us), end_us = stop_us < l->deadline_us ? stop_us : l->deadline_us;
        int64_t left_ms = (end_us - os_monotonic_us()) / 1000;
        struct pollfd p = {.fd = l->fd, .events = events};
        int n = left_ms > 0 ? poll(&p, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) : 0;
        if (n > 0)
            return true;
        if (left_ms <= 0 || (n < 0 && errno != EINTR))
            return false;
    }
}

static bool send_all(const struct line *l, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = send(l->fd, (const char *)data + done, len - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            done += (size_t)n;
        else if (n < 0 && errno == EAGAIN ? !wait_for(l, POLLOUT) : errno != EINTR)
            return false;
    }
    return true;
}

/* How many bytes came before the end of the line, or the deadline. */
static size_t receive(const struct line *l, void *data, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = recv(l->fd, (char *)data + done, len - done, MSG_DONTWAIT);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || (errno == EAGAIN ? !wait_for(l, POLLIN) : errno != EINTR))
            break;
    }
    return done;
}

/* Its first byte is 0, or begins to say what is wrong. */
static enum status wait_until_ready(struct worker *w, const struct lane *lane, const _Atomic int64_t *stop_us,
                                    struct error *err)
{
    char said[200] = "";
    const struct line line = {w->fd, deadline_in(START_MS), stop_us};
    if (receive(&line, said, 1) == 1 && !said[0])
        return OK;
    if (said[0])
        said[1 + receive(&line, said + 1, sizeof said - 2)] = '\0';
    end_process(w, NULL);
    return err_set(err, ERR_UNAVAILABLE, "a process that %s does not start%s%s",
                   lane->languages ? "reads text in images" : "decodes images", *said ? ": " : "", said);
}

static enum status start_process(struct worker *w, const struct lane *lane, const _Atomic int64_t *stop_us,
                                 struct error *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        err_errno(err, "cannot make a socket for a process that decodes images");
        return ERR_UNAVAILABLE;
    }
    int failed = spawn(lane, ends[1], &w->pid);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        w->pid = 0;
        return err_set(err, ERR_UNAVAILABLE, "cannot start a process that decodes images: %s", strerror(failed));
    }
    w->fd = ends[0];
    w->images = lane->limits->images;
    return wait_until_ready(w, lane, stop_us, err);
}

/* A process that ended while nobody needed it, or has served enough, is replaced. */
static enum status have_process(struct worker *w, const struct lane *lane, const _Atomic int64_t *stop_us,
                                struct error *err)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    if (w->pid && (!w->images || poll(&p, 1, 0) != 0))
        end_process(w, NULL);
    return w->pid ? OK : start_process(w, lane, stop_us, err);
}

/* --- one job --- */

static uint32_t most_frames(enum sandbox_op op)
{
    return op == SANDBOX_FILM ? IMAGE_FILM_FRAMES : 1;
}

/* What the worker says is measured against what was asked. */
static bool is_sound(const struct job *job)
{
    const struct sandbox_answer *a = &job->answer;
    if (a->status > ERR_INTERNAL || a->kind >= IMAGE_KINDS || a->frames > IMAGE_MAX_FRAMES || a->needs_more > 1 ||
        a->duration_ms > IMAGE_MAX_DURATION_MS || memchr(a->why, '\0', sizeof a->why) == NULL)
        return false;
    if (a->status != OK)
        return a->len == 0;
    if (job->op == SANDBOX_WORDS)
        return a->len <= OCR_MAX_BYTES;
    if (job->made)
        return a->len > 0 && a->len <= IMAGE_MAX_BYTES;
    if (!a->width || !a->height || a->width > IMAGE_MAX_SIDE || a->height > IMAGE_MAX_SIDE ||
        (uint64_t)a->width * a->height > IMAGE_MAX_PIXELS)
        return false;
    if (job->pixels)
        return (a->channels == 3 || a->channels == 4) && a->frames >= 1 && a->frames <= most_frames(job->op) &&
               (a->frames == 1 || (uint64_t)a->width * a->height <= IMAGE_FILM_PIXELS) &&
               a->len == (uint64_t)a->width * a->height * a->channels * a->frames;
    return a->len == 0;
}

static bool is_text(const void *bytes, size_t len)
{
    return utf8_valid(bytes, len) && !utf8_has_control(bytes, len);
}

/* Takes what follows the answer. */
static bool receive_product(struct job *job, const struct line *line, struct error *err)
{
    const struct sandbox_answer *a = &job->answer;
    if (!a->len)
        return true;
    uint8_t *bytes = malloc((size_t)a->len);
    if (!bytes) {
        job->answer.status = err_no_memory(err, "an image of %llu bytes", (unsigned long long)a->len);
        job->no_memory = true;
        return false;
    }
    bool whole = receive(line, bytes, (size_t)a->len) == a->len;
    if (whole && job->pixels) {
        job->pixels->frames = a->frames;
        job->pixels->strip = (struct image){.pixels = bytes,
                                            .width = a->width,
                                            .height = a->height * a->frames,
                                            .channels = a->channels,
                                            .kind = (enum image_kind)a->kind};
        return true;
    }
    if (whole)
        whole =
            job->op == SANDBOX_WORDS ? is_text(bytes, (size_t)a->len) : image_sniff(bytes, (size_t)a->len) == job->as;
    if (whole)
        buf_append(job->made, bytes, (size_t)a->len);
    free(bytes);
    return whole;
}

/* A worker that did not answer, or nonsense, is killed. */
static void give_up(struct worker *w, struct job *job)
{
    int status = 0;
    end_process(w, &status);
    int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (job->late || signal == SIGPROF || signal == SIGXCPU)
        snprintf(job->why, sizeof job->why, "it takes too long to decode");
    else if (signal && signal != SIGKILL)
        snprintf(job->why, sizeof job->why, "decoding it takes too much memory, or fails (%s)", strsignal(signal));
    else
        snprintf(job->why, sizeof job->why, "decoding it fails");
}

/* As how many images it counts, in time and in a process's life. */
static unsigned weight_of(enum sandbox_op op)
{
    return op == SANDBOX_ANIMATION || op == SANDBOX_SQUARE || op == SANDBOX_FILM ? 4 : 1;
}

/* ANSWERED: job->answer has the result, and err what is wrong with it. NEEDS_MORE: job->why says of what. */
static enum outcome run_job(struct worker *w, const struct lane *lane, const _Atomic int64_t *stop_us, struct job *job,
                            struct error *err)
{
    const struct lane_limits *l = lane->limits;
    unsigned longer = l->cpu_ms * weight_of(job->op) <= SANDBOX_HEAVY_MS ? weight_of(job->op) : 1;
    unsigned cpu_ms = (job->op == SANDBOX_CHECK ? l->cpu_ms / 2 : l->cpu_ms * longer) * SLOWER;
    struct sandbox_request req = {.op = job->op,
                                  .side = job->side,
                                  .as = job->as,
                                  .square = job->square,
                                  .cpu_ms = cpu_ms,
                                  .pixels_mib = l->pixels_mib,
                                  .len = job->file->len};
    if (have_process(w, lane, stop_us, err) != OK)
        return NOT_STARTED;
    w->images -= w->images < weight_of(job->op) ? w->images : weight_of(job->op);
    const struct line line = {w->fd, deadline_in(l->wall_ms * longer * SLOWER), stop_us};
    bool answered = send_all(&line, &req, sizeof req) && send_all(&line, job->file->data, job->file->len) &&
                    receive(&line, &job->answer, sizeof job->answer) == sizeof job->answer && is_sound(job) &&
                    receive_product(job, &line, err);
    if (!answered) {
        job->late = os_monotonic_us() >= line.deadline_us;
        give_up(w, job);
        if (atomic_load(stop_us) != INT64_MAX) {
            err_set(err, ERR_UNAVAILABLE, "The service is stopping.");
            return STOPPED;
        }
        return job->no_memory ? ANSWERED : NEEDS_MORE;
    }
    if (!job->answer.status)
        return ANSWERED;
    const char *why = job->answer.why;
    snprintf(job->why, sizeof job->why, "%.*s", (int)sizeof job->why - 1,
             is_text(why, strlen(why)) ? why : "the image cannot be decoded");
    err_set(err, (enum status)job->answer.status, "%s", job->why);
    return job->answer.needs_more || job->answer.status == ERR_NO_MEMORY ? NEEDS_MORE : ANSWERED;
}

/* --- lanes --- */

/* Under the mutex: a free worker, which is busy then; NULL if none is in time. */
static struct worker *take_worker(struct sandbox *s, struct lane *lane, unsigned wait_ms)
{
    struct timespec until;
    int64_t until_us = deadline_in(wait_ms);
    until.tv_sec = until_us / 1000000;
    until.tv_nsec = until_us % 1000000 * 1000;
    for (bool late = false;;) {
        for (unsigned i = 0; i < lane->n && atomic_load(&s->stop_us) == INT64_MAX; i++)
            if (!lane->workers[i].busy) {
                lane->workers[i].busy = true;
                return &lane->workers[i];
            }
        if (late || lane->waiting >= lane->most_waiting || atomic_load(&s->stop_us) != INT64_MAX)
            return NULL;
        lane->waiting++;
        late = pthread_cond_timedwait(&lane->freed, &s->mutex, &until) == ETIMEDOUT;
        lane->waiting--;
    }
}

static enum outcome run_in_lane(struct sandbox *s, struct lane *lane, struct job *job, struct error *err)
{
    pthread_mutex_lock(&s->mutex);
    struct worker *w = take_worker(s, lane, job->file->wait_ms);
    s->stats.refused += !w;
    s->stats.images += w && lane == &s->quick;
    s->stats.heavy += w && lane == &s->heavy;
    pthread_mutex_unlock(&s->mutex);
    if (!w) {
        err_set(err, ERR_UNAVAILABLE, "Too many images are being decoded; try again in a moment.");
        return NOT_FREE;
    }
    enum outcome outcome = run_job(w, lane, &s->stop_us, job, err);
    bool died = outcome == NEEDS_MORE && !w->pid;
    if (!w->images) /* ended here, its memory is nobody's while the lane rests */
        end_process(w, NULL);
    pthread_mutex_lock(&s->mutex);
    w->busy = false;
    s->stats.killed += died;
    pthread_cond_signal(&lane->freed);
    pthread_mutex_unlock(&s->mutex);
    return outcome;
}

/* --- what is remembered --- */

/* Under the mutex. */
static struct known *find_known(struct sandbox *s, const struct job *job)
{
    struct known *found = NULL;
    int64_t now = os_monotonic_us();
    for (size_t i = 0; job->file->sha256 && i < KNOWN; i++) {
        struct known *k = &s->known[i];
        if (k->verdict == UNKNOWN || k->until_us <= now || strcmp(k->sha256, job->file->sha256) != 0)
            continue;
        if (k->verdict == TOO_COMPLEX && k->op == job->op && k->side == job->side && k->as == job->as)
            return k;
        if (k->verdict == SLOW)
            found = k;
    }
    return found;
}

static void remember(struct sandbox *s, const struct job *job, enum verdict verdict)
{
    if (!job->file->sha256 || strlen(job->file->sha256) != SHA256_HEX)
        return;
    pthread_mutex_lock(&s->mutex);
    struct known *k = &s->known[s->next_known++ % KNOWN];
    *k = (struct known){.op = job->op,
                        .side = job->side,
                        .as = job->as,
                        .verdict = verdict,
                        .late = job->late,
                        .until_us = job->late ? os_monotonic_us() + RETRY_US : INT64_MAX};
    memcpy(k->sha256, job->file->sha256, SHA256_HEX + 1);
    memcpy(k->why, job->why, sizeof k->why);
    pthread_mutex_unlock(&s->mutex);
}

/* --- jobs, from lane to lane --- */

static enum status too_complex(const struct job *job, struct error *err)
{
    if (job->late) /* its processor time was not over: the machine is busy */
        return err_set(err, ERR_UNAVAILABLE, "This image cannot be decoded just now; try again in some minutes.");
    return err_set(err, ERR_TOO_LARGE, "the image is too complex: %s", job->why);
}

static enum status do_heavy_job(struct sandbox *s, struct job *job, struct error *err)
{
    switch (run_in_lane(s, &s->heavy, job, err)) {
    case ANSWERED:
        return (enum status)job->answer.status;
    case NEEDS_MORE:
        remember(s, job, TOO_COMPLEX);
        log_warn("image %.16s is too complex%s: %s", job->file->sha256 ? job->file->sha256 : "(without a hash)",
                 job->late ? " for a busy machine" : "", job->why);
        return too_complex(job, err);
    default:
        return ERR_UNAVAILABLE;
    }
}

static enum status do_job(struct sandbox *s, struct job *job, struct error *err)
{
    if (job->file->len > IMAGE_MAX_BYTES)
        return err_set(err, ERR_TOO_LARGE, "image of %zu bytes: at most %u are allowed", job->file->len,
                       IMAGE_MAX_BYTES);
    pthread_mutex_lock(&s->mutex);
    struct known *k = find_known(s, job);
    enum verdict verdict = k ? k->verdict : UNKNOWN;
    s->stats.known += verdict == TOO_COMPLEX;
    if (verdict == TOO_COMPLEX) {
        memcpy(job->why, k->why, sizeof job->why);
        job->late = k->late;
    }
    pthread_mutex_unlock(&s->mutex);
    if (verdict == TOO_COMPLEX)
        return too_complex(job, err);
    if (verdict == SLOW)
        return do_heavy_job(s, job, err);
    switch (run_in_lane(s, &s->quick, job, err)) {
    case ANSWERED:
        return (enum status)job->answer.status;
    case NEEDS_MORE:
        if (job->op == SANDBOX_WORDS)
            return too_complex(job, err);
        remember(s, job, SLOW);
        memset(&job->answer, 0, sizeof job->answer);
        job->late = false;
        return do_heavy_job(s, job, err);
    default:
        return ERR_UNAVAILABLE;
    }
}

static enum status judge(struct sandbox *s, const struct sandbox_image *file, enum sandbox_op op,
                         struct sandbox_verdict *out, struct error *err)
{
    struct job job = {.file = file, .op = op};
    enum status st = do_job(s, &job, err);
    const struct sandbox_answer *a = &job.answer;
    *out =
        (struct sandbox_verdict){(enum image_kind)a->kind, a->width, a->height, {a->frames, a->duration_ms}, a->look};
    return st;
}

enum status sandbox_probe(struct sandbox *s, const struct sandbox_image *file, struct sandbox_verdict *out,
                          struct error *err)
{
    return judge(s, file, SANDBOX_PROBE, out, err);
}

enum status sandbox_words(struct sandbox *s, const struct sandbox_image *file, struct buf *out, struct error *err)
{
    struct job job = {.file = file, .op = SANDBOX_WORDS, .made = out};
    enum status st = do_job(s, &job, err);
    return st == OK ? buf_status(out, err) : st;
}

enum status sandbox_check(struct sandbox *s, const struct sandbox_image *file, struct sandbox_verdict *out,
                          struct error *err)
{
    return judge(s, file, SANDBOX_CHECK, out, err);
}

static enum status get_film(struct sandbox *s, const struct sandbox_image *file, enum sandbox_op op, uint32_t svg_side,
                            struct image_film *out, struct error *err)
{
    *out = (struct image_film){0};
    struct job job = {.file = file, .op = op, .side = svg_side, .pixels = out};
    return do_job(s, &job, err);
}

enum status sandbox_decode(struct sandbox *s, const struct sandbox_image *file, uint32_t svg_side, struct image *out,
                           struct error *err)
{
    struct image_film film;
    enum status st = get_film(s, file, SANDBOX_DECODE, svg_side, &film, err);
    *out = film.strip;
    return st;
}

enum status sandbox_film(struct sandbox *s, const struct sandbox_image *file, uint32_t svg_side, struct image_film *out,
                         struct error *err)
{
    return get_film(s, file, SANDBOX_FILM, svg_side, out, err);
}

static enum status make_rendition(struct sandbox *s, struct job *job, struct error *err)
{
    enum status st = do_job(s, job, err);
    return st == OK ? buf_status(job->made, err) : st;
}

enum status sandbox_rendition(struct sandbox *s, const struct sandbox_image *file, uint32_t width, enum image_kind as,
                              struct buf *out, struct error *err)
{
    struct job job = {.file = file, .op = SANDBOX_RENDITION, .side = width, .as = as, .made = out};
    return make_rendition(s, &job, err);
}

enum status sandbox_animation(struct sandbox *s, const struct sandbox_image *file, uint32_t width, enum image_kind as,
                              struct buf *out, struct error *err)
{
    struct job job = {.file = file, .op = SANDBOX_ANIMATION, .side = width, .as = as, .made = out};
    return make_rendition(s, &job, err);
}

enum status sandbox_square_animation(struct sandbox *s, const struct sandbox_image *file, const struct image_square *as,
                                     struct buf *out, struct error *err)
{
    struct job job = {
        .file = file, .op = SANDBOX_SQUARE, .side = as->side, .as = IMAGE_WEBP, .square = *as, .made = out};
    return make_rendition(s, &job, err);
}

/* --- opening, closing --- */

static void open_lane(struct lane *lane, const struct lane_limits *limits, unsigned n, unsigned most_waiting)
{
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&lane->freed, &clock);
    pthread_condattr_destroy(&clock);
    lane->limits = limits;
    lane->n = n;
    lane->most_waiting = most_waiting;
}

static void close_lane(struct lane *lane)
{
    for (unsigned i = 0; i < lane->n; i++)
        end_process(&lane->workers[i], NULL);
    free(lane->languages);
    pthread_cond_destroy(&lane->freed);
}

unsigned sandbox_workers_of_machine(void)
{
    enum { MOST = 8 };
    unsigned cores = pool_cores();
    return cores < MOST ? cores : MOST;
}

enum status sandbox_open(unsigned quick, struct sandbox **out, struct error *err)
{
    *out = NULL;
    if (quick < 1 || quick > SANDBOX_MAX_QUICK)
        return err_set(err, ERR_INVALID, "image workers: expected 1 to %u, found %u", SANDBOX_MAX_QUICK, quick);
    struct sandbox *s = calloc(1, sizeof *s);
    if (!s)
        return err_no_memory(err, "image workers");
    atomic_init(&s->stop_us, INT64_MAX);
    pthread_mutex_init(&s->mutex, NULL);
    open_lane(&s->quick, &quick_limits, quick, ~0u);
    open_lane(&s->heavy, &heavy_limits, 1, HEAVY_QUEUE);
    *out = s;
    return OK;
}

enum status sandbox_open_ocr(unsigned workers, const char *languages, struct sandbox **out, struct error *err)
{
    enum status st = ocr_check_languages(languages, err);
    *out = NULL;
    if (st == OK)
        st = sandbox_open(workers, out, err);
    if (st != OK)
        return st;
    struct lane *lane = &(*out)->quick;
    lane->limits = &ocr_limits;
    lane->languages = strdup(languages);
    st = lane->languages ? start_process(&lane->workers[0], lane, &(*out)->stop_us, err)
                         : err_no_memory(err, "image workers");
    if (st != OK) {
        sandbox_close(*out);
        *out = NULL;
    }
    return st;
}

void sandbox_stop(struct sandbox *s, unsigned ms)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->mutex);
    atomic_store(&s->stop_us, deadline_in(ms));
    pthread_cond_broadcast(&s->quick.freed);
    pthread_cond_broadcast(&s->heavy.freed);
    pthread_mutex_unlock(&s->mutex);
}

void sandbox_close(struct sandbox *s)
{
    if (!s)
        return;
    close_lane(&s->quick);
    close_lane(&s->heavy);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

struct sandbox_stats sandbox_stats(struct sandbox *s)
{
    pthread_mutex_lock(&s->mutex);
    struct sandbox_stats stats = s->stats;
    pthread_mutex_unlock(&s->mutex);
    return stats;
}
