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
    struct image pixels = {0};
    struct buf webp;
    struct error err;
    struct sandbox_image file = {.data = "", .wait_ms = 1};
    struct job job = {.file = &file, .op = op, .as = IMAGE_WEBP};
    const struct line line = {line_with(data, size), deadline_in(1000), &nobody_stops};
    buf_init(&webp, IMAGE_MAX_BYTES);
    job.pixels = op == SANDBOX_DECODE ? &pixels : NULL;
    job.rendition = op == SANDBOX_RENDITION || op == SANDBOX_ANIMATION ? &webp : NULL;
    bool taken = receive(&line, &job.answer, sizeof job.answer) == sizeof job.answer && is_sound(&job) &&
                 receive_product(&job, &line, &err);
    if (taken && job.answer.status == OK && job.pixels) {
        unsigned sum = 0;
        size_t n = (size_t)pixels.width * pixels.height * pixels.channels;
        for (size_t i = 0; i < n; i++) /* all of them are there */
            sum += pixels.pixels[i];
        if (!n || sum > n * 255)
            abort();
    }
    if (taken && job.answer.status == OK && job.rendition && image_sniff(webp.data, webp.len) != IMAGE_WEBP)
        abort();
    image_free(&pixels);
    buf_free(&webp);
    close(line.fd);
}

static void check_greeting(const uint8_t *data, size_t size)
{
    static _Atomic int64_t nobody_stops = INT64_MAX;
    struct worker w = {.fd = line_with(data, size)};
    struct error err = {.message = ""};
    if (wait_until_ready(&w, &nobody_stops, &err) == OK ? !size || data[0] : !strstr(err.message, "does not start"))
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
