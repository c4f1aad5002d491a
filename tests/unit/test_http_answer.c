/* The answers that peers send, in pieces of every size. */
#include "cm.h"

#include "http/answer.h"
#include <string.h>

static const struct {
    const char *sent, *body;
    int status; /* 0: it is no answer, or not a whole one */
    bool keeps, head;
} answers[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncat", "cat", 200, true, false},
    {"HTTP/1.1 200\r\ncontent-length:\t3 \r\n\r\ncat", "cat", 200, true, false},
    {"HTTP/1.1 200 OK\nContent-Length: 3\n\ncat", "cat", 200, true, false},
    {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "", 404, true, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\ncat", "cat", 200, true, false},
    {"HTTP/1.1 200 OK\r\nConnection: keep-alive, Close\r\nContent-Length: 3\r\n\r\ncat", "cat", 200, false, false},
    {"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\ncat", "cat", 200, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ncats", "cat", 200, false, false},
    {"HTTP/1.1 200 OK\r\n\r\ncat", "cat", 200, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "", 200, true, true},
    {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, true, false},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "", 304, true, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: "
     "3\r\n\r\ncat",
     "cat", 200, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nca\r\n0A \r\nt 12345678\r\n0\r\nX: y\r\n\r\n",
     "cat 12345678", 200, true, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 99\r\n\r\n1\r\nc\r\n0\r\n\r\n", "c", 200, false,
     false},
    /* what is none */
    {"", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nca", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Le", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\ncats", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\ncat", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\ncat", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\ncat", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nca\r\n0\r\n\r\n", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000000000000000\r\nc", "", 0, false, false},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n", "", 0, false, false},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", 0, false, false},
    {"HTTP/1.1 0200 OK\r\n\r\n", "", 0, false, false},
    {"HTTP/1.1 099 Less\r\n\r\n", "", 0, false, false},
    {"HTTP/2 200\r\n\r\n", "", 0, false, false},
    {"SSH-2.0-OpenSSH_9.2\r\n", "", 0, false, false},
};

static void pieces_of_every_size(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        const char *sent = answers[i].sent;
        for (size_t step = 1; step <= strlen(sent) + 1; step++) {
            struct http_answer a;
            struct buf body;
            struct error err;
            enum status st = OK;
            buf_init(&body, 100);
            http_answer_begin(&a, answers[i].head, &body);
            for (size_t at = 0, len = strlen(sent); at < len && st == OK && !a.done; at += step)
                st = http_answer_take(&a, sent + at, len - at < step ? len - at : step, &err);
            if (st == OK)
                st = http_answer_end(&a, &err);
            assert_int_equal(st, answers[i].status ? OK : ERR_UNAVAILABLE);
            if (st == OK) {
                assert_int_equal(a.status, answers[i].status);
                assert_string_equal(buf_str(&body), answers[i].body);
                if (step > strlen(sent)) /* else what is too much comes later */
                    assert_int_equal(a.keeps, answers[i].keeps);
            }
            buf_free(&body);
        }
    }
}

static void bounds(void **state)
{
    (void)state;
    static const char sized[] = "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n12345678901";
    struct http_answer a;
    struct buf body;
    struct error err;
    buf_init(&body, 10);
    http_answer_begin(&a, false, &body);
    assert_int_equal(http_answer_take(&a, sized, sizeof sized - 1, &err), ERR_TOO_LARGE);
    assert_int_equal(a.status, 200);
    buf_free(&body);
    http_answer_begin(&a, false, &body);
    assert_int_equal(http_answer_take(&a, sized, 17, &err), OK);
    enum status st = OK;
    size_t taken = 0;
    for (; st == OK && taken < (1u << 24); taken += 4)
        st = http_answer_take(&a, taken % 1200 == 1196 ? "\r\nab" : "a: b", 4, &err);
    assert_int_equal(st, ERR_UNAVAILABLE);
    assert_true(taken < (1u << 20));
    buf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces_of_every_size), cmocka_unit_test(bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
