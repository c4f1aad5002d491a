/* What a worker that decodes images says, taken over by an image: nothing of it is believed. The first byte chooses
 * what was asked; then its frame follows, and bytes. sandbox.c is included for how it reads them. */
#include "sandbox/sandbox.c" /* NOLINT(bugprone-suspicious-include) */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A socket from which exactly these bytes come. */
static int line_with(const uint8_t *data, size_t size)
{
    int ends[2], most = 1 << 20;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        abort();
    (void)setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &most, sizeof most);
    if (size && send(ends[1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)size)
        abort();
    close(ends[1]);
    return ends[0];
}

static void check_answer(const uint8_t *data, size_t size, unsigned op)
{
    static _Atomic int64_t nobody_stops = INT64_MAX;
    struct image_film film = {0};
    struct buf made;
    struct error err;
    struct sandbox_image file = {.data = "", .wait_ms = 1};
    struct job job = {.file = &file, .op = op, .as = IMAGE_WEBP};
    const struct line line = {line_with(data, size), deadline_in(1000), &nobody_stops};
    buf_init(&made, IMAGE_MAX_BYTES);
    job.pixels = op == SANDBOX_DECODE || op == SANDBOX_FILM ? &film : NULL;
    job.made = op == SANDBOX_PROBE || op == SANDBOX_CHECK || job.pixels ? NULL : &made;
    bool taken = receive(&line, &job.answer, sizeof job.answer) == sizeof job.answer && is_sound(&job) &&
                 receive_product(&job, &line, &err);
    if (taken && job.answer.status == OK && job.pixels) {
        unsigned sum = 0;
        size_t n = (size_t)film.strip.width * film.strip.height * film.strip.channels;
        for (size_t i = 0; i < n; i++) /* all of them are there */
            sum += film.strip.pixels[i];
        if (!n || sum > n * 255 || !film.frames || film.frames > IMAGE_FILM_FRAMES)
            abort();
    }
    if (taken && job.answer.status == OK && job.made && op != SANDBOX_WORDS &&
        image_sniff(made.data, made.len) != IMAGE_WEBP)
        abort();
    image_free(&film.strip);
    buf_free(&made);
    close(line.fd);
}

static void check_greeting(const uint8_t *data, size_t size)
{
    static _Atomic int64_t nobody_stops = INT64_MAX;
    static const struct lane lane;
    struct worker w = {.fd = line_with(data, size)};
    struct error err = {.message = ""};
    if (wait_until_ready(&w, &lane, &nobody_stops, &err) == OK ? !size || data[0]
                                                               : !strstr(err.message, "does not start"))
        abort();
    close(w.fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size || size > 1u << 16)
        return 0;
    unsigned op = data[0] % (SANDBOX_OPS + 1);
    if (op == SANDBOX_OPS)
        check_greeting(data + 1, size - 1);
    else
        check_answer(data + 1, size - 1, op);
    return 0;
}
