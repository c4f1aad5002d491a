#include "cm.h"

#include "base/os.h"
#include "base/sanitized.h"
#include "sandbox/confine.h"
#include "sandbox/frames.h"
#include "sandbox/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define CORPUS "tests/fuzz/corpus/image"
#define SVG    "<svg xmlns='http://www.w3.org/2000/svg' xmlns:x='http://www.w3.org/1999/xlink' viewBox='0 0 90 90'>"
#define WAIT   60000u

struct file {
    struct buf bytes;
    char sha256[65];
    struct sandbox_image image;
};

static void hash(struct file *f)
{
    os_sha256_hex(buf_str(&f->bytes), f->bytes.len, f->sha256);
    f->image = (struct sandbox_image){buf_str(&f->bytes), f->bytes.len, f->sha256, WAIT};
}

static void read_file(struct file *f, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, CORPUS "/%s", name);
    buf_init(&f->bytes, IMAGE_MAX_BYTES);
    assert_int_equal(os_read_file(path, &f->bytes, NULL), OK);
    hash(f);
}

static void write_svg(struct file *f, const char *text)
{
    buf_init(&f->bytes, 1u << 20);
    buf_puts(&f->bytes, text);
    hash(f);
}

/* Each level draws the one before ten times, each time blurred: slow for minutes. `seed` makes it another one. */
static void write_slow_svg(struct file *f, unsigned seed)
{
    buf_init(&f->bytes, 1u << 20);
    buf_printf(&f->bytes,
               SVG "<!-- %u --><filter id='f'><feGaussianBlur stdDeviation='20'/></filter><g id='a0'>"
                   "<rect width='80' height='80' filter='url(#f)'/></g>",
               seed);
    for (int level = 1; level < 5; level++) {
        buf_printf(&f->bytes, "<g id='a%d'>", level);
        for (int i = 0; i < 10; i++)
            buf_printf(&f->bytes, "<use x:href='#a%d' filter='url(#f)'/>", level - 1);
        buf_puts(&f->bytes, "</g>");
    }
    buf_puts(&f->bytes, "<use x:href='#a4'/></svg>");
    hash(f);
}

static struct sandbox *open_sandbox(unsigned quick)
{
    struct sandbox *s;
    struct error err;
    if (sandbox_open(quick, &s, &err) != OK)
        fail_msg("%s", err.message);
    return s;
}

/* The processes that this one has started, into pids. */
static size_t children(pid_t *pids, size_t cap)
{
    size_t n = 0;
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *e;
    assert_non_null(tasks);
    while ((e = readdir(tasks))) {
        char path[320];
        int pid;
        snprintf(path, sizeof path, "/proc/self/task/%s/children", e->d_name);
        FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "r");
        while (f && n < cap && fscanf(f, "%d", &pid) == 1)
            pids[n++] = pid;
        if (f)
            fclose(f);
    }
    closedir(tasks);
    return n;
}

/* A line of /proc/PID/status in KiB; 0 when the process is gone. */
static unsigned long status_kib(pid_t pid, const char *name)
{
    char path[64], line[256];
    unsigned long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + strlen(name), ": %lu", &kib);
    if (f)
        fclose(f);
    return kib;
}

/* --- what a worker does --- */

static void workers_do_what_is_done_here(void **state)
{
    (void)state;
    struct sandbox *s = open_sandbox(2);
    DIR *dir = opendir(CORPUS);
    struct dirent *e;
    size_t good = 0;
    assert_non_null(dir);
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        struct file f;
        struct image here, there;
        struct error err = {0}, why = {0};
        struct buf webp[2];
        enum image_kind kind;
        uint32_t w, h;
        struct sandbox_verdict v;
        read_file(&f, e->d_name);
        enum status st = image_decode(f.image.data, f.image.len, 64, &here, &err);
        assert_int_equal(sandbox_decode(s, &f.image, 64, &there, &why), st);
        assert_int_equal(image_probe(f.image.data, f.image.len, &kind, &w, &h, NULL),
                         sandbox_probe(s, &f.image, &v, NULL));
        assert_true(kind == v.kind && w == v.width && h == v.height);
        for (size_t i = 0; i < 2; i++)
            buf_init(&webp[i], IMAGE_MAX_BYTES);
        if (st != OK) {
            assert_string_equal(err.message, why.message);
            assert_null(there.pixels);
        } else {
            assert_true(here.width == there.width && here.height == there.height && here.channels == there.channels &&
                        here.kind == there.kind);
            assert_memory_equal(here.pixels, there.pixels, (size_t)here.width * here.height * here.channels);
            enum image_kind as = IMAGE_JPEG + (enum image_kind)(good % 4);
            assert_int_equal(image_rendition(f.image.data, f.image.len, 64, as, &webp[0], NULL), OK);
            assert_int_equal(sandbox_rendition(s, &f.image, 64, as, &webp[1], NULL), OK);
            assert_int_equal(webp[0].len, webp[1].len);
            assert_memory_equal(webp[0].data, webp[1].data, webp[0].len);
            for (size_t i = 0; i < 2; i++)
                buf_reset(&webp[i]);
            assert_int_equal(image_animation(f.image.data, f.image.len, 64, IMAGE_WEBP, &webp[0], NULL), OK);
            assert_int_equal(sandbox_animation(s, &f.image, 64, IMAGE_WEBP, &webp[1], NULL), OK);
            assert_int_equal(webp[0].len, webp[1].len);
            assert_memory_equal(webp[0].data, webp[1].data, webp[0].len);
            assert_int_equal(sandbox_check(s, &f.image, &v, NULL), OK);
            assert_true(v.kind == here.kind && v.motion.frames == image_motion(f.image.data, f.image.len).frames);
            assert_true(v.width == w && v.height == h);
            good++;
        }
        image_free(&here);
        image_free(&there);
        buf_free(&webp[0]);
        buf_free(&webp[1]);
        buf_free(&f.bytes);
    }
    closedir(dir);
    assert_true(good > 20);
    assert_int_equal(sandbox_stats(s).killed, 0);
    sandbox_close(s);
    assert_int_equal(children((pid_t[4]){0}, 4), 0);
}

/* --- what a worker may not do --- */

static void may_not(const char *what, bool could)
{
    if (could)
        fprintf(stderr, "a confined process could %s\n", what);
    if (could)
        _exit(1);
}

static void a_worker_can_do_nothing_else(void **state)
{
    (void)state;
    if (SANITIZED)
        skip();
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        int before = open("/dev/null", O_RDWR);
        struct error err;
        if (sandbox_confine(32, 5, NULL, &err) != OK) {
            fprintf(stderr, "%s\n", err.message);
            _exit(2);
        }
        may_not("read a file", open("/etc/passwd", O_RDONLY) >= 0);
        may_not("read a file of ours", open("Makefile", O_RDONLY) >= 0);
        may_not("write a file", open("/tmp/peel-confined", O_WRONLY | O_CREAT, 0600) >= 0);
        may_not("remove a file", unlink("/tmp/peel-not-there") == 0 || errno != EPERM);
        may_not("open a socket", socket(AF_INET, SOCK_STREAM, 0) >= 0 || socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
        may_not("send a signal", kill(parent, 0) == 0);
        may_not("start a process", fork() >= 0);
        may_not("run a program", execl("/bin/true", "true", (char *)NULL) >= 0 || errno != EPERM);
        may_not("have much memory", malloc(64u << 20) != NULL);
        void *some = malloc(8u << 20);
        may_not("not have some memory", some == NULL);
        free(some);
        may_not("not write to what is open", write(before, "x", 1) != 1);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void text_is_drawn_with_fonts(void **state)
{
    (void)state;
    struct file f, bare;
    struct image here, there;
    struct sandbox *s = open_sandbox(1);
    write_svg(&f, SVG "<text y='80' font-size='80' font-weight='bold' font-family='serif'>Hg</text></svg>");
    write_svg(&bare, SVG "</svg>");
    assert_int_equal(image_decode(f.image.data, f.image.len, 90, &here, NULL), OK);
    assert_int_equal(sandbox_decode(s, &f.image, 90, &there, NULL), OK);
    assert_memory_equal(here.pixels, there.pixels, 90 * 90 * 4);
    image_free(&here);
    image_free(&there);
    buf_free(&f.bytes);
    buf_free(&bare.bytes);
    sandbox_close(s);
}

/* --- what goes wrong --- */

static void slow_drawings_are_too_complex_and_remembered(void **state)
{
    (void)state;
    struct file f;
    struct buf webp;
    struct error err;
    struct sandbox_verdict v;
    struct sandbox *s = open_sandbox(1);
    buf_init(&webp, 1u << 20);
    write_slow_svg(&f, 1);
    assert_int_equal(sandbox_check(s, &f.image, &v, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "too complex: it takes too long"));
    struct sandbox_stats stats = sandbox_stats(s);
    assert_true(stats.images == 1 && stats.heavy == 1 && stats.killed == 2 && stats.known == 0);
    int64_t began = os_monotonic_us();
    assert_int_equal(sandbox_check(s, &f.image, &v, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "too complex: it takes too long"));
    assert_true(os_monotonic_us() - began < 100000);
    stats = sandbox_stats(s);
    assert_true(stats.images == 1 && stats.known == 1);
    /* Another use of it is another matter, but not for the quick workers. Under sanitizers it would take twice the
     * time, and show them nothing new. */
    if (!SANITIZED) {
        assert_int_equal(sandbox_rendition(s, &f.image, 1024, IMAGE_WEBP, &webp, &err), ERR_TOO_LARGE);
        stats = sandbox_stats(s);
        assert_true(stats.images == 1 && stats.heavy == 2);
    }
    buf_free(&webp);
    buf_free(&f.bytes);
    sandbox_close(s);
}

struct slow_call {
    struct sandbox *s;
    unsigned seed;
    _Atomic enum status st;
};

static void *check_slow(void *arg)
{
    struct slow_call *c = arg;
    struct file f;
    struct sandbox_verdict v;
    write_slow_svg(&f, c->seed);
    f.image.wait_ms = 200;
    c->st = sandbox_check(c->s, &f.image, &v, NULL);
    buf_free(&f.bytes);
    return NULL;
}

/* Eight slow ones at once: one is drawn, four wait for that, and whoever has waited long enough or finds others waiting
 * is told to come again. Others' images go on meanwhile. */
static void a_slow_drawing_delays_nobody(void **state)
{
    (void)state;
    struct file f;
    struct slow_call calls[8];
    pthread_t threads[8];
    struct sandbox *s = open_sandbox(2);
    read_file(&f, "rgba.png");
    for (unsigned i = 0; i < 8; i++) {
        calls[i] = (struct slow_call){s, i, OK};
        assert_int_equal(pthread_create(&threads[i], NULL, check_slow, &calls[i]), 0);
    }
    while (sandbox_stats(s).heavy == 0)
        usleep(10000);
    usleep(2500000); /* until the quick lane has done with all of them, however busy the machine is */
    int64_t began = os_monotonic_us();
    for (int i = 0; i < 20; i++) {
        struct image im;
        assert_int_equal(sandbox_decode(s, &f.image, 64, &im, NULL), OK);
        image_free(&im);
    }
    int64_t took_ms = (os_monotonic_us() - began) / 1000;
    unsigned too_complex = 0, later = 0;
    for (unsigned i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        too_complex += calls[i].st == ERR_TOO_LARGE;
        later += calls[i].st == ERR_UNAVAILABLE;
    }
    assert_true(too_complex >= 1 && too_complex + later == 8);
    if (took_ms > 4000)
        fail_msg("20 small images took %lld ms", (long long)took_ms);
    buf_free(&f.bytes);
    sandbox_close(s);
}

/* The environment that workers keep says that this one lies: it is out of memory, and sends a byte. */
#define LIES "a worker that lies"
__attribute__((constructor(101))) static void lie(int argc, char **argv)
{
    const char *path = getenv("FONTCONFIG_PATH");
    struct sandbox_answer answer = {.status = ERR_NO_MEMORY, .len = 1};
    struct sandbox_request req;
    char piece[4096];
    if (argc != 4 || strcmp(argv[0], SANDBOX_WORKER) != 0 || !path || strcmp(path, LIES) != 0)
        return;
    bool sent = write(SANDBOX_SOCKET, "", 1) == 1 && read(SANDBOX_SOCKET, &req, sizeof req) == sizeof req &&
                write(SANDBOX_SOCKET, &answer, sizeof answer) == sizeof answer;
    while (sent && read(SANDBOX_SOCKET, piece, sizeof piece) > 0)
        continue;
    _exit(0);
}

static void what_a_worker_says_is_not_believed(void **state)
{
    (void)state;
    struct file f;
    struct image im;
    struct error err = {.message = "nobody said anything"};
    struct sandbox *s = open_sandbox(1);
    read_file(&f, "rgba.png");
    setenv("FONTCONFIG_PATH", LIES, 1);
    assert_int_equal(sandbox_decode(s, &f.image, 64, &im, &err), ERR_TOO_LARGE);
    unsetenv("FONTCONFIG_PATH");
    assert_string_equal(err.message, "the image is too complex: decoding it fails");
    assert_int_equal(sandbox_stats(s).killed, 2);
    buf_free(&f.bytes);
    sandbox_close(s);
}

static void a_worker_that_dies_fails_at_most_its_image(void **state)
{
    (void)state;
    struct file f;
    struct image im;
    pid_t pids[4];
    struct sandbox *s = open_sandbox(1);
    read_file(&f, "rgba.png");
    for (int i = 0; i < 5; i++) { /* killed while nobody needs it */
        assert_int_equal(sandbox_decode(s, &f.image, 64, &im, NULL), OK);
        image_free(&im);
        assert_int_equal(children(pids, 4), 1);
        kill(pids[0], SIGKILL);
        siginfo_t dead; /* it stays to be waited for */
        assert_int_equal(waitid(P_PID, (id_t)pids[0], &dead, WEXITED | WNOWAIT), 0);
    }
    struct slow_call slow = {s, 99, OK};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, check_slow, &slow), 0);
    for (int64_t until = os_monotonic_us() + 60000000; sandbox_stats(s).heavy == 0;) {
        assert_true(os_monotonic_us() < until);
        usleep(2000);
    }
    while (sandbox_stats(s).heavy == 1 && slow.st == OK && children(pids, 4) == 0)
        usleep(2000);
    size_t n = children(pids, 4);
    for (size_t i = 0; i < n; i++)
        kill(pids[i], SIGKILL); /* at work */
    pthread_join(thread, NULL);
    assert_true(slow.st == ERR_TOO_LARGE || slow.st == ERR_UNAVAILABLE);
    assert_int_equal(sandbox_decode(s, &f.image, 64, &im, NULL), OK);
    image_free(&im);
    buf_free(&f.bytes);
    sandbox_close(s);
}

static void who_waits_is_let_go_when_it_stops(void **state)
{
    (void)state;
    struct file f;
    struct image im;
    struct slow_call slow[3];
    pthread_t threads[3];
    struct sandbox *s = open_sandbox(1);
    read_file(&f, "rgba.png");
    for (unsigned i = 0; i < 3; i++) {
        slow[i] = (struct slow_call){s, 1000 + i, OK};
        assert_int_equal(pthread_create(&threads[i], NULL, check_slow, &slow[i]), 0);
    }
    while (sandbox_stats(s).images == 0)
        usleep(1000);
    int64_t began = os_monotonic_us();
    sandbox_stop(s, 100);
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(slow[i].st, ERR_UNAVAILABLE);
    }
    assert_true(os_monotonic_us() - began < 5000000);
    assert_int_equal(sandbox_decode(s, &f.image, 64, &im, NULL), ERR_UNAVAILABLE);
    sandbox_close(s);
    buf_free(&f.bytes);
}

/* A head that says 8000 x 8000 in a progressive JPEG: its coefficients alone would be 366 MiB. */
static void memory_is_counted_before_it_is_taken(void **state)
{
    (void)state;
    static const unsigned char head[] = {0xff, 0xd8, 0xff, 0xc2, 0,    17, 8, 0x1f, 0x40, 0x1f, 0x40, 3,
                                         1,    0x11, 0,    2,    0x11, 0,  3, 0x11, 0,    0xff, 0xda, 0,
                                         12,   3,    1,    0,    2,    0,  3, 0,    0,    0,    0};
    struct sandbox_image file = {.data = head, .len = sizeof head, .wait_ms = WAIT};
    struct image im;
    struct error err;
    struct sandbox *s = open_sandbox(1);
    assert_int_equal(sandbox_decode(s, &file, 64, &im, &err), ERR_TOO_LARGE);
    assert_non_null(strstr(err.message, "MiB of memory: at most 320 are allowed"));
    assert_int_equal(sandbox_stats(s).killed, 0);
    sandbox_close(s);
}

/* --- 100 at once --- */

struct crowd {
    struct sandbox *s;
    const struct file *large;
    atomic_uint next, finished, wrong;
};

static void write_layers(struct file *f, unsigned seed)
{
    buf_init(&f->bytes, 1u << 20);
    buf_printf(&f->bytes, SVG "<!-- %u -->", seed);
    for (int i = 0; i < 200; i++)
        buf_puts(&f->bytes, "<g opacity='.9'>");
    buf_puts(&f->bytes, "<rect width='9' height='9'/>");
    for (int i = 0; i < 200; i++)
        buf_puts(&f->bytes, "</g>");
    buf_puts(&f->bytes, "</svg>");
    hash(f);
}

static void *one_of_many(void *arg)
{
    struct crowd *c = arg;
    unsigned i = atomic_fetch_add(&c->next, 1);
    struct file f = {.image = {0}};
    struct buf webp;
    struct sandbox_verdict v;
    if (i % 4 == 0)
        write_slow_svg(&f, i);
    else if (i % 4 == 1)
        write_layers(&f, i);
    struct sandbox_image image = i % 4 < 2 ? f.image : c->large->image;
    image.wait_ms = 200;
    image.sha256 = NULL;
    buf_init(&webp, IMAGE_MAX_BYTES);
    enum status st = i % 4 == 2 ? sandbox_check(c->s, &image, &v, NULL)
                                : sandbox_rendition(c->s, &image, 1024, IMAGE_WEBP, &webp, NULL);
    if (st != OK && st != ERR_TOO_LARGE && st != ERR_UNAVAILABLE)
        atomic_fetch_add(&c->wrong, 1);
    buf_free(&webp);
    buf_free(&f.bytes);
    atomic_fetch_add(&c->finished, 1);
    return NULL;
}

/* Drawings that take for ever, drawings that take all memory, and images of 36 million pixels. */
static void a_hundred_at_once_stay_within_bounds(void **state)
{
    (void)state;
    enum { CALLS = SANITIZED ? 4 : 100 }; /* whose memory says nothing, and which are slow */
    struct image flat = {.width = 6000, .height = 6000, .channels = 3, .pixels = calloc((size_t)6000 * 6000, 3)};
    struct file large;
    struct crowd c = {.s = open_sandbox(2), .large = &large};
    pthread_t threads[CALLS];
    pid_t pids[16];
    unsigned long before = status_kib(getpid(), "VmRSS"), most_here = 0, most_there = 0;
    buf_init(&large.bytes, IMAGE_MAX_BYTES);
    assert_int_equal(image_encode_webp(&flat, 10, &large.bytes, NULL), OK);
    image_free(&flat);
    hash(&large);
    for (int i = 0; i < CALLS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, one_of_many, &c), 0);
    while (atomic_load(&c.finished) < CALLS) {
        unsigned long there = 0, here = status_kib(getpid(), "VmRSS");
        size_t n = children(pids, 16);
        for (size_t i = 0; i < n; i++)
            there += status_kib(pids[i], "VmRSS");
        most_here = here > most_here ? here : most_here;
        most_there = there > most_there ? there : most_there;
        assert_true(n <= 3);
        usleep(10000);
    }
    for (int i = 0; i < CALLS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&c.wrong), 0);
    print_message("%d hostile images: here %lu MiB more, all workers %lu MiB\n", CALLS,
                  most_here > before ? (most_here - before) / 1024 : 0, most_there / 1024);
    if (!SANITIZED) {
        assert_true(most_here < before + 64 * 1024);
        assert_true(most_there < (2 * SANDBOX_QUICK_MIB + SANDBOX_HEAVY_MIB + 3 * 32) * 1024ul);
    }
    buf_free(&large.bytes);
    sandbox_close(c.s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_do_what_is_done_here),
        cmocka_unit_test(a_worker_can_do_nothing_else),
        cmocka_unit_test(text_is_drawn_with_fonts),
        cmocka_unit_test(slow_drawings_are_too_complex_and_remembered),
        cmocka_unit_test(a_slow_drawing_delays_nobody),
        cmocka_unit_test(what_a_worker_says_is_not_believed),
        cmocka_unit_test(a_worker_that_dies_fails_at_most_its_image),
        cmocka_unit_test(who_waits_is_let_go_when_it_stops),
        cmocka_unit_test(memory_is_counted_before_it_is_taken),
        cmocka_unit_test(a_hundred_at_once_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
