/* Whatever a SearchService answers, byte for byte: StickerService still answers searches, with results that exist, in
 * time, from its own words if need be. */
#include "served.h"

#include "http/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const uint8_t *said; /* what the peer says to everybody; under the lock */
static size_t said_len;
static int listener;

/* Reads a head, says its piece, and ends the connection. */
static void *be_the_peer(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        char head[65536];
        size_t len = 0;
        ssize_t n = 0;
        if (fd < 0)
            return NULL;
        do
            n = recv(fd, head + len, sizeof head - len, 0);
        while (n > 0 && (len += (size_t)n) < sizeof head && !memmem(head, len, "\r\n\r\n", 4));
        pthread_mutex_lock(&lock);
        (void)!send(fd, said, said_len, MSG_NOSIGNAL | MSG_DONTWAIT);
        pthread_mutex_unlock(&lock);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static uint16_t start(void)
{
    uint16_t port;
    struct error err;
    pthread_t thread;
    served_begin();
    if (http_listen("127.0.0.1", 0, &listener, &port, &err) != OK)
        served_fail(err.message);
    if (pthread_create(&thread, NULL, be_the_peer, NULL) != 0)
        abort();
    pthread_detach(thread);
    return served_stickers(port);
}

static void say(const uint8_t *data, size_t size)
{
    pthread_mutex_lock(&lock);
    said = data;
    said_len = size;
    pthread_mutex_unlock(&lock);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const requests[] = {
        "GET /api/search/?query=cat&limit=3&explain=true HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /sticker/cat.png HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"};
    static uint16_t port;
    static struct buf answer;
    static unsigned runs;
    if (!port) {
        port = start();
        buf_init(&answer, 16u << 20);
    }
    say(data, size);
    unsigned which = runs++ % 8;
    const char *request = requests[which < 3 ? which : 0];
    served_ask(port, request, strlen(request), &answer);
    int status = served_check(&answer, false);
    if (status != 200 && !(which == 2 && status == 503))
        served_fail("a search needs no SearchService");
    say(NULL, 0);
    return 0;
}
