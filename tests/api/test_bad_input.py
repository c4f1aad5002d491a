"""Wrong requests: each gets the right 4xx with a message that names the culprit, in the contract's form, and
the service goes on. One row per request; add a row for every new way to be wrong."""

import json
import socket
import time

from peel_testing import ADMIN_TOKEN, SLOW, ServiceTest, main, raw, request

STAFF = {"Authorization": "Token " + ADMIN_TOKEN}
EMPTY, LONG, FEW = "Please provide a query.", "Query is too long.", "at most"
N, DIGIT = "n must be a whole number from 0 to 10^1000", "digit must be a whole number from 0 to 9"


def entry(**members):
    return {"query": "known", **members}


def feedback(*entries):
    return json.dumps({"feedback": entries}).encode()


# (name, method, target, headers, body, status, part of the message)
ROWS = [
    # search: query
    ("no query", "GET", "/api/search/", {}, None, 400, EMPTY),
    ("empty query", "GET", "/api/search/?query=", {}, None, 400, EMPTY),
    ("only a name", "GET", "/api/search/?query", {}, None, 400, EMPTY),
    ("spaces only", "GET", "/api/search/?query=+++", {}, None, 400, EMPTY),
    ("ideographic space only", "GET", "/api/search/?query=%E3%80%80", {}, None, 400, EMPTY),
    ("256 letters", "GET", "/api/search/?query=" + "x" * 256, {}, None, 400, LONG),
    ("256 cats", "GET", "/api/search/?query=" + "%F0%9F%90%B1" * 256, {}, None, 400, LONG),
    ("10,000 letters", "GET", "/api/search/?query=" + "x" * 10000, {}, None, 400, LONG),
    ("a byte that is not UTF-8", "GET", "/api/search/?query=a%FFb", {}, None, 400, "query"),
    ("UTF-8 cut short", "GET", "/api/search/?query=a%C3", {}, None, 400, "query"),
    ("overlong UTF-8", "GET", "/api/search/?query=%C0%AF", {}, None, 400, "query"),
    ("a surrogate", "GET", "/api/search/?query=%ED%A0%80", {}, None, 400, "query"),
    ("beyond Unicode", "GET", "/api/search/?query=%F4%90%80%80", {}, None, 400, "query"),
    ("NUL in a query", "GET", "/api/search/?query=a%00b", {}, None, 400, "query"),
    ("two queries", "GET", "/api/search/?query=a&query=b", {}, None, 400, "query"),
    # search: limit and offset
    ("limit 0", "GET", "/api/search/?query=a&limit=0", {}, None, 400, "limit must be a whole number from 1 to 100"),
    ("limit 101", "GET", "/api/search/?query=a&limit=101", {}, None, 400, "limit must be a whole number from 1 to 100"),
    ("negative limit", "GET", "/api/search/?query=a&limit=-1", {}, None, 400, "limit"),
    ("limit in words", "GET", "/api/search/?query=a&limit=ten", {}, None, 400, "limit"),
    ("fractional limit", "GET", "/api/search/?query=a&limit=1.5", {}, None, 400, "limit"),
    ("empty limit", "GET", "/api/search/?query=a&limit=", {}, None, 400, "limit"),
    ("limit with exponent", "GET", "/api/search/?query=a&limit=1e1", {}, None, 400, "limit"),
    ("hexadecimal limit", "GET", "/api/search/?query=a&limit=0x5", {}, None, 400, "limit"),
    ("limit with a space", "GET", "/api/search/?query=a&limit=%205", {}, None, 400, "limit"),
    ("limit past 64 bits", "GET", "/api/search/?query=a&limit=18446744073709551617", {}, None, 400, "limit"),
    ("two limits", "GET", "/api/search/?query=a&limit=1&limit=2", {}, None, 400, "limit"),
    ("NUL in a limit", "GET", "/api/search/?query=a&limit=5%00", {}, None, 400, "limit"),
    ("SQL in a limit", "GET", "/api/search/?query=a&limit=1;DROP%20TABLE%20sticker", {}, None, 400, "limit"),
    ("negative offset", "GET", "/api/search/?query=a&offset=-1", {}, None, 400, "offset"),
    ("offset in words", "GET", "/api/search/?query=a&offset=far", {}, None, 400, "offset"),
    ("offset past 64 bits", "GET", "/api/search/?query=a&offset=" + "9" * 30, {}, None, 400, "offset"),
    ("two offsets", "GET", "/api/search/?query=a&offset=1&offset=1", {}, None, 400, "offset"),
    # methods and paths
    ("POST to search", "POST", "/api/search/?query=a", {}, b"x", 405, None),
    ("PUT to search", "PUT", "/api/search/", {}, b"x", 405, None),
    ("GET of feedback", "GET", "/api/feedback/", {}, None, 405, None),
    ("DELETE of feedback", "DELETE", "/api/feedback/", {}, None, 405, None),
    ("POST to analytics", "POST", "/api/analytics/", STAFF, b"", 405, None),
    ("POST to the counter", "POST", "/api/counter/?n=1", {}, b"", 405, None),
    ("DELETE of an image", "DELETE", "/media/cat.png", {}, None, 405, None),
    ("PATCH of health", "PATCH", "/healthz", {}, b"", 405, None),
    ("unknown path", "GET", "/api/serach/", {}, None, 404, None),
    ("unknown deep path", "GET", "/a/b/c/d/e/f/g", {}, None, 404, None),
    ("SearchService's own path", "PUT", "/api/documents/cat.png", {}, b"{}", 404, None),
    # feedback: the body as a whole
    ("no body", "POST", "/api/feedback/", {}, b"", 400, "JSON"),
    ("not JSON", "POST", "/api/feedback/", {}, b"query=a&positive=b", 400, "JSON"),
    ("JSON cut short", "POST", "/api/feedback/", {}, b'{"feedback":[{"query":"known"', 400, "JSON"),
    ("rubbish after JSON", "POST", "/api/feedback/", {}, b'{"feedback":[]} x', 400, "JSON"),
    ("an array", "POST", "/api/feedback/", {}, b"[]", 400, "object"),
    ("a string", "POST", "/api/feedback/", {}, b'"feedback"', 400, None),
    ("NaN", "POST", "/api/feedback/", {}, b'{"feedback":NaN}', 400, "JSON"),
    ("UTF-16", "POST", "/api/feedback/", {}, '{"feedback":[]}'.encode("utf-16"), 400, "UTF-8"),
    ("a byte order mark", "POST", "/api/feedback/", {}, b"\xef\xbb\xbf" + feedback(), 400, "JSON"),
    ("nested deeply", "POST", "/api/feedback/", {}, b'{"feedback":' + b"[" * 100000, 400, "JSON"),
    ("nested deeply and closed", "POST", "/api/feedback/", {}, b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, "JSON"),
    ("members twice", "POST", "/api/feedback/", {}, b'{"feedback":[],"feedback":[]}', 400, "JSON"),
    ("a raw NUL", "POST", "/api/feedback/", {}, b'{"feedback":\x00[]}', 400, "JSON"),
    ("a lone surrogate", "POST", "/api/feedback/", {}, b'{"feedback":[{"query":"\\ud800"}]}', 400, "JSON"),
    ("a body of 1 MiB and a byte", "POST", "/api/feedback/", {}, b" " * ((1 << 20) + 1), 413, None),
    ("a body of 20 MiB", "POST", "/api/feedback/", {}, b" " * (20 << 20), 413, None),
    # feedback: members
    ("feedback missing", "POST", "/api/feedback/", {}, b'{"feedbacks":[]}', 400, "feedback is missing"),
    ("feedback an object", "POST", "/api/feedback/", {}, b'{"feedback":{}}', 400, "feedback must be an array"),
    ("feedback null", "POST", "/api/feedback/", {}, b'{"feedback":null}', 400, "feedback must be an array"),
    ("entry a number", "POST", "/api/feedback/", {}, feedback(entry(), 5), 400, "feedback[1] must be an object"),
    ("entry null", "POST", "/api/feedback/", {}, feedback(None), 400, "feedback[0] must be an object"),
    ("no query", "POST", "/api/feedback/", {}, feedback({"positive": []}), 400, "feedback[0].query is missing"),
    ("query a number", "POST", "/api/feedback/", {}, feedback(entry(query=5)), 400, "feedback[0].query must be a string"),
    ("query null", "POST", "/api/feedback/", {}, feedback(entry(query=None)), 400, "feedback[0].query must be a string"),
    ("query empty", "POST", "/api/feedback/", {}, feedback(entry(query=" \u3000")), 400, "feedback[0].query"),
    ("query long", "POST", "/api/feedback/", {}, feedback(entry(query="x" * 256)), 400, "feedback[0].query"),
    ("query with NUL", "POST", "/api/feedback/", {}, feedback(entry(query="a\0b")), 400, "feedback[0].query"),
    ("query not UTF-8", "POST", "/api/feedback/", {}, b'{"feedback":[{"query":"a\xffb"}]}', 400, "feedback[0].query"),
    ("query not UTF-8 behind a backslash", "POST", "/api/feedback/", {}, b'{"feedback":[{"query":"known\\\xff"}]}', 400, "UTF-8"),
    ("positive a string", "POST", "/api/feedback/", {}, feedback(entry(positive="a")), 400, "feedback[0].positive must be an array"),
    ("negative an object", "POST", "/api/feedback/", {}, feedback(entry(negative={})), 400, "feedback[0].negative must be an array"),
    ("negative null", "POST", "/api/feedback/", {}, feedback(entry(negative=None)), 400, "feedback[0].negative must be an array"),
    ("sticker a number", "POST", "/api/feedback/", {}, feedback(entry(), entry(positive=[1])), 400, "feedback[1].positive[0] must be a string"),
    ("sticker null", "POST", "/api/feedback/", {}, feedback(entry(negative=["a", None])), 400, "feedback[0].negative[1] must be a string"),
    ("sticker an array", "POST", "/api/feedback/", {}, feedback(entry(positive=[["a"]])), 400, "feedback[0].positive[0] must be a string"),
    ("sticker empty", "POST", "/api/feedback/", {}, feedback(entry(positive=[""])), 400, "feedback[0].positive[0]"),
    ("sticker of 256 bytes", "POST", "/api/feedback/", {}, feedback(entry(positive=["x" * 256])), 400, "feedback[0].positive[0]"),
    ("sticker with NUL", "POST", "/api/feedback/", {}, feedback(entry(negative=["a\0.png"])), 400, "feedback[0].negative[0]"),
    ("sticker not UTF-8", "POST", "/api/feedback/", {}, b'{"feedback":[{"query":"known","positive":["a","\xc3("]}]}', 400, "feedback[0].positive[1]"),
    ("sticker in both lists", "POST", "/api/feedback/", {}, feedback(entry(positive=["cat.png"], negative=["dog.png", "cat.png"])), 400, "feedback[0].negative[1]"),
    ("sticker twice in one list", "POST", "/api/feedback/", {}, feedback(entry(positive=["cat.png", "cat.png"])), 400, "feedback[0].positive[1]"),
    ("unknown sticker twice", "POST", "/api/feedback/", {}, feedback(entry(negative=["no.png", "no.png"])), 400, "feedback[0].negative[1]"),
    ("voter a number", "POST", "/api/feedback/", {}, feedback(entry(), entry(voter=1)), 400, "feedback[1].voter must be a string"),
    ("voter empty", "POST", "/api/feedback/", {}, feedback(entry(voter="")), 400, "feedback[0].voter must have 1 to 128 characters"),
    ("voter of 129 characters", "POST", "/api/feedback/", {}, feedback(entry(voter="ü" * 129)), 400, "feedback[0].voter must have 1 to 128 characters"),
    ("voter with NUL", "POST", "/api/feedback/", {}, feedback(entry(voter="a\0b")), 400, "feedback[0].voter"),
    ("withdrawn without voter", "POST", "/api/feedback/", {}, feedback(entry(withdrawn=["cat.png"])), 400, "feedback[0].withdrawn needs a voter"),
    ("withdrawn a string", "POST", "/api/feedback/", {}, feedback(entry(voter="v", withdrawn="cat.png")), 400, "feedback[0].withdrawn must be an array"),
    ("withdrawn and positive", "POST", "/api/feedback/", {}, feedback(entry(voter="v", positive=["cat.png"], withdrawn=["cat.png"])), 400, "feedback[0].withdrawn[0]"),
    ("101 entries", "POST", "/api/feedback/", {}, feedback(*[entry()] * 101), 400, FEW),
    ("1,001 stickers", "POST", "/api/feedback/", {}, feedback(entry(positive=[str(i) for i in range(1001)])), 400, FEW),
    ("1,001 stickers in all", "POST", "/api/feedback/", {}, feedback(*[entry(positive=[str(i) for i in range(77)])] * 13), 400, FEW),
    ("query never searched", "POST", "/api/feedback/", {}, feedback(entry(query="never searched")), 404, "Query not found."),
    ("one query never searched", "POST", "/api/feedback/", {}, feedback(entry(positive=["cat.png"]), entry(query="never")), 404, 'Query not found. feedback[1].query "never" was never searched.'),
    ("SQL as query", "POST", "/api/feedback/", {}, feedback(entry(query="known' OR '1'='1")), 404, "Query not found."),
    # analytics and its export
    ("no token", "GET", "/api/analytics/?query=known", {}, None, 401, None),
    ("another scheme", "GET", "/api/analytics/?query=known", {"Authorization": "Bearer " + ADMIN_TOKEN}, None, 401, None),
    ("basic authentication", "GET", "/api/analytics/?query=known", {"Authorization": "Basic YTpi"}, None, 401, None),
    ("empty token", "GET", "/api/analytics/?query=known", {"Authorization": "Token "}, None, 401, None),
    ("unknown token", "GET", "/api/analytics/?query=known", {"Authorization": "Token " + "f" * 40}, None, 401, None),
    ("token in capitals", "GET", "/api/analytics/?query=known", {"Authorization": "Token " + ADMIN_TOKEN.upper()}, None, 401, None),
    ("SQL as token", "GET", "/api/analytics/?query=known", {"Authorization": "Token ' OR 1=1 --"}, None, 401, None),
    ("token of 4,000 bytes", "GET", "/api/analytics/?query=known", {"Authorization": "Token " + "a" * 4000}, None, 401, None),
    ("analytics without query", "GET", "/api/analytics/", STAFF, None, 400, EMPTY),
    ("analytics of a long query", "GET", "/api/analytics/?query=" + "x" * 256, STAFF, None, 400, LONG),
    ("analytics not UTF-8", "GET", "/api/analytics/?query=%ff", STAFF, None, 400, "query"),
    ("analytics of an unknown query", "GET", "/api/analytics/?query=never", STAFF, None, 404, "Query not found."),
    ("export without token", "GET", "/api/analytics/export?format=csv", {}, None, 401, None),
    ("export without format", "GET", "/api/analytics/export", STAFF, None, 400, "format must be csv or ndjson"),
    ("export as xlsx", "GET", "/api/analytics/export?format=xlsx", STAFF, None, 400, "format must be csv or ndjson"),
    ("export in two formats", "GET", "/api/analytics/export?format=csv&format=ndjson", STAFF, None, 400, "format"),
    ("export since words", "GET", "/api/analytics/export?format=csv&since=yesterday", STAFF, None, 400, "since"),
    ("export since month 13", "GET", "/api/analytics/export?format=csv&since=2024-13-01", STAFF, None, 400, "since"),
    ("export since SQL", "GET", "/api/analytics/export?format=csv&since=0%3B%20DROP%20TABLE%20score", STAFF, None, 400, "since"),
    ("export since nothing", "GET", "/api/analytics/export?format=csv&since=", STAFF, None, 400, "since"),
    # counter
    ("no n", "GET", "/api/counter/", {}, None, 400, N),
    ("empty n", "GET", "/api/counter/?n=", {}, None, 400, N),
    ("negative n", "GET", "/api/counter/?n=-1", {}, None, 400, N),
    ("n in words", "GET", "/api/counter/?n=many", {}, None, 400, N),
    ("fractional n", "GET", "/api/counter/?n=1.5", {}, None, 400, N),
    ("n with exponent", "GET", "/api/counter/?n=1e3", {}, None, 400, N),
    ("n with plus", "GET", "/api/counter/?n=%2B5", {}, None, 400, N),
    ("n with spaces", "GET", "/api/counter/?n=+5", {}, None, 400, N),
    ("n with leading zeros", "GET", "/api/counter/?n=007", {}, None, 400, N),
    ("n in Arabic digits", "GET", "/api/counter/?n=%D9%A3", {}, None, 400, N),
    ("n just too large", "GET", "/api/counter/?n=1" + "0" * 999 + "1", {}, None, 400, N),
    ("n far too large", "GET", "/api/counter/?n=" + "9" * 5000, {}, None, 400, N),
    ("NUL in n", "GET", "/api/counter/?n=5%00", {}, None, 400, "n"),
    ("two n", "GET", "/api/counter/?n=1&n=2", {}, None, 400, "n"),
    ("digit 10", "GET", "/api/counter/?n=5&digit=10", {}, None, 400, DIGIT),
    ("negative digit", "GET", "/api/counter/?n=5&digit=-1", {}, None, 400, DIGIT),
    ("digit a letter", "GET", "/api/counter/?n=5&digit=x", {}, None, 400, DIGIT),
    ("empty digit", "GET", "/api/counter/?n=5&digit=", {}, None, 400, DIGIT),
    ("two digits", "GET", "/api/counter/?n=5&digit=1&digit=2", {}, None, 400, "digit"),
    # images
    ("unknown image", "GET", "/media/nope.png", {}, None, 404, None),
    ("image name of 300 bytes", "GET", "/media/" + "a" * 300, {}, None, 404, None),
    ("encoded traversal", "GET", "/media/..%2f..%2fetc%2fpasswd", {}, None, (400, 404), None),
    ("NUL in an image name", "GET", "/media/cat.png%00.jpg", {}, None, (400, 404), None),
    ("image name not UTF-8", "GET", "/media/%ff.png", {}, None, (400, 404), None),
    ("width 0", "GET", "/media/cat.png?w=0", {}, None, 400, "w must be a whole number from 1 to 1024"),
    ("width 1025", "GET", "/media/cat.png?w=1025", {}, None, 400, "w must be"),
    ("width in words", "GET", "/media/cat.png?w=wide", {}, None, 400, "w must be"),
    ("two widths", "GET", "/media/cat.png?w=64&w=128", {}, None, 400, "w"),
    ("version not UTF-8", "GET", "/media/cat.png?v=%ff", {}, None, 400, "v"),
    ("a range beyond the end", "GET", "/media/cat.png", {"Range": "bytes=99999-"}, None, 416, None),
]

HOST = b"Host: x\r\n"
POST = b"POST /api/feedback/ HTTP/1.1\r\n" + HOST

# (name, bytes, statuses; None = the connection is closed without an answer)
RAW = [
    ("not HTTP", b"hello there\r\n\r\n", (400, None)),
    ("an unknown method", b"BREW /api/search/ HTTP/1.1\r\n" + HOST + b"\r\n", (405, 501)),
    ("TRACE", b"TRACE /api/search/?query=a HTTP/1.1\r\n" + HOST + b"\r\n", (405, 501)),
    ("no Host", b"GET /healthz HTTP/1.1\r\n\r\n", (400,)),
    ("an unknown version", b"GET /healthz HTTP/9.9\r\n" + HOST + b"\r\n", (400, 505, None)),
    ("a length in words", POST + b"Content-Length: many\r\n\r\n{}", (400,)),
    ("a negative length", POST + b"Content-Length: -5\r\n\r\n{}", (400,)),
    ("a length past 64 bits", POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}", (400, 413)),
    ("a length over the limit", POST + b"Content-Length: 9999999\r\n\r\n{}", (413,)),
    ("a bad chunk size", POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", (400, None)),
    ("chunks over the limit", POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65536 + b"\r\n") * 17 + b"0\r\n\r\n", (413, None)),
    ("a body cut short", POST + b'Content-Length: 100\r\n\r\n{"feedback"', (400, None)),
    ("a header of 200 KiB", b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Long: " + b"a" * 200000 + b"\r\n\r\n", (400, 413, 431, None)),
    ("a path of 200 KiB", b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (400, 413, 414, 431, None)),
    ("a bad percent escape", b"GET /api/search/?query=%zz&limit=0 HTTP/1.1\r\n" + HOST + b"\r\n", (400,)),
    ("dots in a path", b"GET /media/../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", (400, 404)),
]


class BadInput(ServiceTest):
    arguments = ("--request-timeout-s", "2")

    def setUp(self):
        self.assertEqual(self.search("known").status, 200)

    def state(self):
        found = self.analytics("known").json()
        return found["query"]["usage"], found["feedback scores"]

    def test_there_are_enough_rows(self):
        self.assertGreaterEqual(len(ROWS) + len(RAW), 80)

    def test_each_row(self):
        before = self.state()
        for name, method, target, headers, body, status, message in ROWS:
            with self.subTest(name):
                try:
                    answer = request(self.port, method, target, body, headers)
                except (BrokenPipeError, ConnectionResetError):
                    # A server may close on a body it has refused before the client has sent all of it.
                    self.assertEqual(status, 413)
                    continue
                allowed = status if isinstance(status, tuple) else (status,)
                self.assertIn(answer.status, allowed, answer.body[:300])
                self.assert_problem(answer, answer.status, message)
                if status == 405:
                    self.assertTrue(answer.headers["Allow"])
                if status == 401:
                    self.assertEqual(answer.headers["WWW-Authenticate"], "Token")
                self.assertEqual(self.get("/healthz").status, 200)
        self.assertEqual(self.state(), before)

    def test_each_raw_row(self):
        before = self.state()
        for name, data, statuses in RAW:
            with self.subTest(name):
                answer = raw(self.port, data, half_close=True)
                self.assertIn(answer and answer.status, statuses)
                self.assertEqual(self.get("/healthz").status, 200)
        self.assertEqual(self.state(), before)

    def test_slow_senders_are_cut_off_and_hold_up_nobody(self):
        slow = []
        for start in (b"GET /api/sea", POST, POST + b"Content-Length: 50\r\n\r\n{"):
            for _ in range(8):
                s = socket.create_connection(("127.0.0.1", self.port))
                s.sendall(start)
                slow.append(s)
        began = time.monotonic()
        self.assertEqual(self.search("known").status, 200)
        self.assertLess(time.monotonic() - began, 1 * SLOW)
        for s in slow:
            s.settimeout(15 * SLOW)
            with s:
                while s.recv(65536):
                    pass
        self.assertLess(time.monotonic() - began, 14 * SLOW)

    def test_a_request_in_tiny_pieces_is_still_served(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":
                s.sendall(bytes([byte]))
            answer = b""
            while part := s.recv(65536):
                answer += part
        self.assertTrue(answer.startswith(b"HTTP/1.1 200"))

    def test_headers_cannot_be_injected(self):
        answer = raw(self.port, b"GET /api/search/?query=x%0d%0aX-Evil:1 HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0ab\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.status, 200)
        self.assertNotIn("X-Evil", answer.headers)
        self.assertNotIn("%", answer.headers["X-Request-Id"])


if __name__ == "__main__":
    main()
