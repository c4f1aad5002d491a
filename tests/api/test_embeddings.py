#!/usr/bin/env python3
"""POST /v1/embeddings and GET /v1/models, with the client that people have, OpenAI's, and with requests that it would
not send. The models are small random networks: what their vectors mean is nothing."""

import base64
import concurrent.futures
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import sys
import time
import unittest

from peel_testing import ROOT, SLOW, System, main, raw, request, wait_until
from test_model import model_files, text_model_files

sys.path.insert(0, str(ROOT / "tests"))
import python_tools  # noqa: E402

GOLDEN = ROOT / "tests/golden"
BERT, XLMR, DISTIL, TABLE, CLIP = "org/bert", "org/xlmr", "org/distil", "org/table", "org/clip"
MOST = 2048


def add_model(system, name, source, tokenizer):
    folder = pathlib.Path(system.data) / "bucket/models" / name
    shutil.copytree(source, folder)
    shutil.copy(GOLDEN / "token_ids" / tokenizer / "tokenizer.json", folder / "tokenizer.json")
    return folder


def write_model(system, name, files):
    for file, data in files.items():
        path = pathlib.Path(system.data) / "bucket/models" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def start(system, *arguments):
    system.search = system.start_process("search", "search-service", "--search-port", "0", *arguments)
    system.search_port = int(system.search.wait_for(r"listening on \S+ port (\d+)")[1])

    def loaded():
        states = [m["state"] for m in request(system.search_port, "GET", "/api/models").json()["models"]]
        return states and not {"waiting", "loading"} & set(states)

    wait_until(loaded, 60, "models")


def ask(port, **members):
    return request(port, "POST", "/v1/embeddings", json.dumps(members), timeout=120)


def golden_ids(tokenizer):
    """Texts and how many tokens Hugging Face's tokenizers makes of them, start and end included."""
    texts = json.loads((GOLDEN / "token_ids/texts.json").read_text())
    lines = (GOLDEN / "token_ids" / tokenizer / "ids.txt").read_text().splitlines()
    counts = [len(line.split()) for line in lines]
    return [(text, n) for text, n in zip(texts, counts) if text and "\0" not in text and len(text.encode()) <= 8192]


def floats(embedding):
    data = base64.b64decode(embedding, validate=True)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


class Models(unittest.TestCase):
    """One service with a model of each kind, and one that does not load."""

    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        add_model(cls.system, "org--bert", GOLDEN / "bert/bert", "uncased")
        add_model(cls.system, "org--xlmr", GOLDEN / "bert/xlm-roberta", "unigram")
        add_model(cls.system, "org--table", GOLDEN / "static/plain", "unigram")
        write_model(cls.system, "org--distil", text_model_files())
        write_model(cls.system, "org--clip", model_files())
        broken = add_model(cls.system, "org--broken", GOLDEN / "bert/bert", "uncased")
        (broken / "model.safetensors").write_bytes(b"no weights")
        start(cls.system)
        cls.port = cls.system.search_port

    def assert_error(self, answer, status, message, param=None, code=None):
        self.assertIsNotNone(answer, "the connection was closed without an answer")
        self.assertEqual(answer.status, status, answer.body[:300])
        self.assertTrue(answer.headers["Content-Type"].startswith("application/json"), answer.headers["Content-Type"])
        body = answer.json()
        self.assertEqual(list(body), ["error"])
        error = body["error"]
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertIn(message, error["message"])
        self.assertEqual(error["type"], "invalid_request_error" if status < 500 else "server_error")
        self.assertEqual((error["param"], error["code"]), (param, code), error)


class Answers(Models):
    def test_every_kind_of_model(self):
        for model, dim in ((BERT, 20), (XLMR, 32), (DISTIL, 16), (CLIP, 48), (TABLE, None)):
            answer = ask(self.port, model=model, input="the cat sleeps").json()
            self.assertEqual((answer["object"], answer["model"], len(answer["data"])), ("list", model, 1))
            item = answer["data"][0]
            self.assertEqual((item["object"], item["index"], sorted(item)), ("embedding", 0, ["embedding", "index", "object"]))
            self.assertAlmostEqual(math.hypot(*item["embedding"]), 1, places=5)
            self.assertEqual(len(item["embedding"]), dim or len(item["embedding"]))
            self.assertEqual(answer["usage"]["prompt_tokens"], answer["usage"]["total_tokens"])
            folder = pathlib.Path(self.system.data) / "bucket/models" / model.replace("/", "--")
            alone = json.loads(self.system.run("embed", "--model", str(folder), "--text", "the cat sleeps").stdout)
            for a, b in zip(alone, item["embedding"], strict=True):
                self.assertAlmostEqual(a, b, places=6)

    def test_float_and_base64_are_the_same_numbers(self):
        texts = [text for text, _ in golden_ids("uncased")[:100]]
        plain = ask(self.port, model=BERT, input=texts, encoding_format="float").json()
        packed = ask(self.port, model=BERT, input=texts, encoding_format="base64").json()
        self.assertEqual(plain["usage"], packed["usage"])
        for i, (a, b) in enumerate(zip(plain["data"], packed["data"], strict=True)):
            self.assertEqual((a["index"], b["index"]), (i, i))
            as_float32 = list(struct.unpack(f"<{len(a['embedding'])}f", struct.pack(f"<{len(a['embedding'])}f", *a["embedding"])))
            self.assertEqual(as_float32, floats(b["embedding"]))

    def test_a_batch_is_its_texts_in_their_order(self):
        texts = ["a red sofa", "good morning", "a red sofa", "the dog waits", "x"]
        batch = ask(self.port, model=XLMR, input=texts).json()
        self.assertEqual([item["index"] for item in batch["data"]], list(range(len(texts))))
        tokens = 0
        for text, item in zip(texts, batch["data"]):
            one = ask(self.port, model=XLMR, input=[text]).json()
            self.assertEqual(one["data"][0]["embedding"], item["embedding"], text)
            tokens += one["usage"]["prompt_tokens"]
        self.assertEqual(batch["usage"]["prompt_tokens"], tokens)
        self.assertNotEqual(batch["data"][0]["embedding"], batch["data"][1]["embedding"])

    def test_counts_tokens_as_the_tokenizers_of_hugging_face(self):
        """The small BERT reads 40 tokens: of a longer text the rest is cut off, and the answer says so."""
        known = golden_ids("uncased")
        cut = 0
        for at in range(0, len(known), MOST):
            part = known[at : at + MOST]
            answer = ask(self.port, model=BERT, input=[text for text, _ in part], encoding_format="base64").json()
            self.assertEqual(answer["usage"]["total_tokens"], sum(min(n, 40) for _, n in part))
            for (text, n), item in zip(part, answer["data"], strict=True):
                self.assertEqual(item.get("truncated", False), n > 40, text)
            cut += sum(n > 40 for _, n in part)
        self.assertGreater(cut, 1)

    def test_queries_and_documents(self):
        """E5 has "query: " before one and "passage: " before the other, and their tokens count."""
        query = ask(self.port, model=XLMR, input="a cat").json()
        self.assertEqual(ask(self.port, model=XLMR, input="a cat", input_type="query").json(), query)
        document = ask(self.port, model=XLMR, input="a cat", input_type="document").json()
        self.assertNotEqual(document["data"], query["data"])
        plain = {text: n for text, n in golden_ids("unigram")}
        text = next(t for t in plain if 5 < plain[t] < 12)
        with_prefix = ask(self.port, model=XLMR, input=text).json()["usage"]["total_tokens"]
        self.assertGreater(with_prefix, plain[text])
        one = ask(self.port, model=BERT, input="a cat").json()
        self.assertEqual(ask(self.port, model=BERT, input="a cat", input_type="document").json(), one)

    def test_members_that_may_be_null_or_say_nothing(self):
        plain = ask(self.port, model=BERT, input="a cat").json()
        for more in ({"dimensions": 20}, {"dimensions": 20.0}, {"dimensions": None}, {"user": "me"}, {"user": None}, {"encoding_format": None},
                     {"input_type": None}):  # fmt: skip
            self.assertEqual(ask(self.port, model=BERT, input="a cat", **more).json(), plain, more)
        self.assertEqual(ask(self.port, model="org--bert", input="a cat").json(), plain)

    def test_the_most_and_the_longest(self):
        answer = ask(self.port, model=BERT, input=["x"] * MOST, encoding_format="base64").json()
        self.assertEqual((len(answer["data"]), answer["usage"]["total_tokens"]), (MOST, 3 * MOST))
        for model in (BERT, XLMR, DISTIL, CLIP):
            answer = ask(self.port, model=model, input="cat " * 2048).json()
            self.assertTrue(answer["data"][0]["truncated"], model)

    def test_lists_models(self):
        models = request(self.port, "GET", "/v1/models").json()
        self.assertEqual(models["object"], "list")
        self.assertEqual({m["id"] for m in models["data"]}, {BERT, XLMR, DISTIL, TABLE, CLIP, "org/broken"})
        for path in ("org/bert", "org%2Fbert", "org--bert"):
            one = request(self.port, "GET", f"/v1/models/{path}").json()
            self.assertEqual((one["id"], one["object"], one["owned_by"]), (BERT, "model", "org"))
            self.assertLess(abs(one["created"] - time.time()), 3600 * SLOW)
        for path in ("org/none", "none", "org/bert/x"):
            self.assert_error(request(self.port, "GET", f"/v1/models/{path}"), 404, "known: ", "model", "model_not_found")


# (name, body, part of the message, param)
BAD = [
    ("nothing", "", "not JSON", None),
    ("no JSON", "input=cat", "not JSON", None),
    ("cut short", '{"model":"org/bert","input":"ca', "not JSON", None),
    ("more behind it", '{"model":"org/bert","input":"cat"} x', "not JSON", None),
    ("an array", '["cat"]', "must be a JSON object", None),
    ("a string", '"cat"', "not JSON", None),
    ("null", "null", "not JSON", None),
    ("deep", "[" * 100000, "not JSON", None),
    ("deep input", '{"model":"org/bert","input":' + "[" * 1000 + "]" * 1000 + "}", "token ids", "input"),
    ("a member twice", '{"model":"org/bert","input":"a","input":"b"}', "duplicate", None),
    ("bytes that are not UTF-8", b'{"model":"org/bert","input":"\xff\xfe"}', "not JSON", None),
    ("UTF-8 cut short", b'{"model":"org/bert","input":"caf\xc3"}', "not JSON", None),
    ("overlong UTF-8", b'{"model":"org/bert","input":"\xc0\xaf"}', "not JSON", None),
    ("a surrogate in UTF-8", b'{"model":"org/bert","input":"\xed\xa0\x80"}', "not JSON", None),
    ("half a surrogate pair", '{"model":"org/bert","input":"\\ud83d"}', "not JSON", None),
    ("UTF-16", '{"model":"org/bert","input":"cat"}'.encode("utf-16"), "not JSON", None),
    ("not a number", '{"model":"org/bert","input":"cat","dimensions":NaN}', "not JSON", None),
    ("a huge number", '{"model":"org/bert","input":"cat","dimensions":' + "9" * 400 + "}", "not JSON", None),
    ("a raw NUL", b'{"model":"org/bert","input":"a\0b"}', "not JSON", None),
    ("no model", {"input": "cat"}, "model must be", "model"),
    ("model null", {"model": None, "input": "cat"}, "model must be", "model"),
    ("model a number", {"model": 1, "input": "cat"}, "model must be", "model"),
    ("model an array", {"model": ["org/bert"], "input": "cat"}, "model must be", "model"),
    ("model with a NUL", {"model": "org/bert\0", "input": "cat"}, "model must be", "model"),
    ("no input", {"model": BERT}, "input must be", "input"),
    ("input null", {"model": BERT, "input": None}, "input must be", "input"),
    ("input a number", {"model": BERT, "input": 7}, "input must be", "input"),
    ("input an object", {"model": BERT, "input": {"text": "cat"}}, "input must be", "input"),
    ("no text", {"model": BERT, "input": ""}, "input must not be empty", "input"),
    ("no texts", {"model": BERT, "input": []}, "input must not be empty", "input"),
    ("an empty text", {"model": BERT, "input": ["cat", ""]}, "input[1] must not be empty", "input"),
    ("a null among texts", {"model": BERT, "input": ["cat", "dog", None]}, "input[2] must be a string", "input"),
    ("a boolean among texts", {"model": BERT, "input": [True]}, "input[0] must be a string", "input"),
    ("token ids", {"model": BERT, "input": [2, 41, 3]}, "input[0] is not a text: token ids", "input"),
    ("lists of token ids", {"model": BERT, "input": [[2, 41, 3], [2, 3]]}, "input[0] is not a text: token ids", "input"),
    ("a fraction", {"model": BERT, "input": [1.5]}, "input[0] must be a string", "input"),
    ("NUL", {"model": BERT, "input": ["cat", "a\0b"]}, "input[1] must not contain the character U+0000", "input"),
    ("a long text", {"model": BERT, "input": "x" * 8193}, "input is too long: at most 8192 bytes, found 8193", "input"),
    ("many bytes", {"model": BERT, "input": ["é" * 4097]}, "input[0] is too long", "input"),
    ("many texts", {"model": BERT, "input": ["x"] * (MOST + 1)}, "at most 2048 texts, found 2049", "input"),
    ("many numbers", {"model": BERT, "input": [1] * 100000}, "at most 2048 texts", "input"),
    ("another format", {"model": BERT, "input": "cat", "encoding_format": "hex"}, '"float" or "base64"', "encoding_format"),
    ("a format in capitals", {"model": BERT, "input": "cat", "encoding_format": "Float"}, '"float" or', "encoding_format"),
    ("a format with NUL", {"model": BERT, "input": "cat", "encoding_format": "float\0"}, '"float" or', "encoding_format"),
    ("a format that is a number", {"model": BERT, "input": "cat", "encoding_format": 1}, '"float" or', "encoding_format"),
    ("another type", {"model": BERT, "input": "cat", "input_type": "passage"}, '"query" or "document"', "input_type"),
    ("a type that is an array", {"model": BERT, "input": "cat", "input_type": []}, '"query" or "document"', "input_type"),
    ("fewer dimensions", {"model": BERT, "input": "cat", "dimensions": 10}, "dimensions must be 20", "dimensions"),
    ("more dimensions", {"model": BERT, "input": "cat", "dimensions": 2**62}, "dimensions must be 20", "dimensions"),
    ("no dimensions", {"model": BERT, "input": "cat", "dimensions": 0}, "above 0", "dimensions"),
    ("negative dimensions", {"model": BERT, "input": "cat", "dimensions": -20}, "above 0", "dimensions"),
    ("fractional dimensions", {"model": BERT, "input": "cat", "dimensions": 20.5}, "above 0", "dimensions"),
    ("dimensions in words", {"model": BERT, "input": "cat", "dimensions": "20"}, "above 0", "dimensions"),
    ("a member unknown", {"model": BERT, "input": "cat", "dimension": 20}, '"dimension" is unknown', None),
    ("a long member", {"model": BERT, "input": "cat", "é" * 100000: 1}, "is unknown", None),
    ("nothing that the model knows", {"model": TABLE, "input": ["cat", " "]}, "input[1]: ", "input"),
]  # fmt: skip


class Refusals(Models):
    def post(self, body):
        data = json.dumps(body, ensure_ascii=False).encode() if isinstance(body, dict) else body
        return request(self.port, "POST", "/v1/embeddings", data)

    def test_bad_bodies(self):
        for name, body, message, param in BAD:
            with self.subTest(name):
                self.assert_error(self.post(body), 400, message, param)
        self.assertEqual(ask(self.port, model=BERT, input="cat").status, 200)

    def test_unknown_models(self):
        for model in ("org/none", "", "../bert", "x" * 100000, "text-embedding-3-small", "\n\x7f" + "x" + "é" * 40):
            answer = ask(self.port, model=model, input="cat")
            self.assert_error(answer, 404, '"org/bert"', "model", "model_not_found")
            self.assertLess(len(answer.body), 2000)

    def test_a_model_that_did_not_load(self):
        answer = ask(self.port, model="org/broken", input="cat")
        self.assert_error(answer, 503, "its state is failed: ", "model", "model_not_ready")
        self.assertIn("model.safetensors", answer.json()["error"]["message"])
        self.assertEqual(answer.headers["Retry-After"], "5")

    def test_large_bodies(self):
        head = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4194305\r\n\r\n"
        answer = raw(self.port, head)
        self.assertEqual(answer.status, 413)
        self.assertIn("4194304", answer.json()["message"])
        head = b"POST /v1/embeddings HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n"
        self.assertEqual(raw(self.port, head).status, 413)
        fits = json.dumps({"model": BERT, "input": [[1, 2]] * 400000}).encode()
        self.assert_error(request(self.port, "POST", "/v1/embeddings", fits), 400, "at most 2048 texts", "input")

    def test_methods(self):
        for method in ("GET", "PUT", "DELETE"):
            self.assertEqual(request(self.port, method, "/v1/embeddings").status, 405, method)
        self.assertEqual(request(self.port, "POST", "/v1/models", "").status, 405)

    def test_damaged_bodies(self):
        """A good request with bytes changed, dropped and put in: an answer of 200, 400 or 404 each, in its shape."""
        numbers = random.Random(8118)
        good = json.dumps({"model": BERT, "input": ["a cat", "ein Hund 🐶"], "encoding_format": "float", "dimensions": 20})
        for _ in range(300):
            body = bytearray(good.encode())
            for _ in range(numbers.randint(1, 4)):
                at = numbers.randrange(len(body))
                match numbers.randrange(3):
                    case 0:
                        body[at] = numbers.choice(b'"\\{}[]:,0 \x00\xff\xed\xf0' + bytes(range(32, 127)))
                    case 1:
                        del body[at : at + numbers.randint(1, 5)]
                    case 2:
                        body[at:at] = numbers.randbytes(numbers.randint(1, 3))
            answer = request(self.port, "POST", "/v1/embeddings", bytes(body))
            self.assertIn(answer.status, (200, 400, 404), body)
            self.assertIn("data" if answer.status == 200 else "error", answer.json())


class Limits(unittest.TestCase):
    """Requests that are too many or too slow."""

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        add_model(self.system, "org--bert", GOLDEN / "bert/bert", "uncased")

    def many(self, **more):
        return ask(self.system.search_port, model=BERT, input=["a cat sleeps in the sun " * 8] * MOST, **more)

    def test_gives_up_in_time(self):
        start(self.system, "--embeddings-timeout-ms", "1")
        answer = self.many()
        self.assertEqual((answer.status, answer.headers["X-Should-Retry"]), (504, "false"))
        self.assertRegex(answer.json()["error"]["message"], r"^\d+ of 2048 texts were encoded within 1 ms; ask for fewer")
        self.assertNotIn("Retry-After", answer.headers)

    def test_searches_go_on_meanwhile(self):
        """With two workers one of them encodes; what else comes is told to wait, and searches are answered."""
        start(self.system, "--workers", "2", "--threads", "2")
        port = self.system.search_port
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers, searched = [], 0
            running = [pool.submit(self.many, encoding_format="base64") for _ in range(4)]
            while not all(future.done() for future in running):
                self.assertEqual(request(port, "GET", "/api/search/?query=cat&algorithm=lexical").status, 200)
                searched += 1
            answers = [future.result() for future in running]
        self.assertGreater(searched, 0)
        states = sorted(answer.status for answer in answers)
        self.assertEqual(states[0], 200)
        self.assertIn(503, states)
        for answer in answers:
            if answer.status == 503:
                self.assertEqual(answer.json()["error"]["code"], "busy")
                self.assertEqual(answer.headers["Retry-After"], "1")
        self.assertEqual(ask(port, model=BERT, input="cat").status, 200)

    def test_stopping_does_not_wait_for_a_long_request(self):
        """It is told to ask again, in half of the time that requests in flight have."""
        add_model(self.system, "org--xlmr", GOLDEN / "bert/xlm-roberta", "unigram")
        start(self.system, "--shutdown-timeout-ms", "600")
        port = self.system.search_port

        def two_in_flight():
            metrics = request(port, "GET", "/metrics").body.decode()
            return float(re.search(r"(?m)^peel_search_http_requests_in_flight (\S+)", metrics)[1]) >= 2

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            slow = pool.submit(ask, port, model=XLMR, input=["a cat sleeps in the sun " * 80] * MOST)
            wait_until(two_in_flight, 10, "a request for embeddings")
            self.assertEqual(self.system.search.stop(), 0)
            answer = slow.result()
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"), answer.body[:200])
        self.assertIn("is stopping", answer.json()["error"]["message"])


class OpenAI(Models):
    """OpenAI's own client, as people install it."""

    @classmethod
    def setUpClass(cls):
        if missing := python_tools.ensure():
            raise unittest.SkipTest(missing)
        import openai

        cls.openai = openai
        super().setUpClass()
        for name in list(os.environ):
            if name.upper().startswith("OPENAI_") or name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
                del os.environ[name]
        cls.client = openai.OpenAI(base_url=f"http://127.0.0.1:{cls.port}/v1", api_key="any", max_retries=0)
        cls.addClassCleanup(cls.client.close)

    def create(self, **members):
        return self.client.embeddings.create(**{"model": BERT, "input": "a cat", **members})

    def test_embeds(self):
        """The client asks for base64 unless it is told otherwise, and unpacks that."""
        texts = ["a cat", "two dogs wait", "cake"]
        usual, plain = self.create(input=texts), self.create(input=texts, encoding_format="float")
        self.assertEqual((usual.object, usual.model, [d.index for d in usual.data]), ("list", BERT, [0, 1, 2]))
        self.assertEqual(usual.usage, plain.usage)
        for a, b in zip(usual.data, plain.data, strict=True):
            self.assertEqual(len(a.embedding), 20)
            for x, y in zip(a.embedding, b.embedding, strict=True):
                self.assertAlmostEqual(x, y, places=7)
        alone = [self.create(input=text) for text in texts]
        self.assertEqual([one.data[0].embedding for one in alone], [d.embedding for d in usual.data])
        self.assertEqual(sum(one.usage.prompt_tokens for one in alone), usual.usage.total_tokens)

    def test_documents(self):
        query = self.create(model=XLMR)
        document = self.create(model=XLMR, extra_body={"input_type": "document"})
        self.assertNotEqual(query.data[0].embedding, document.data[0].embedding)

    def test_base64_as_it_is(self):
        answer = self.create(encoding_format="base64")
        self.assertEqual(len(base64.b64decode(answer.data[0].embedding)), 4 * 20)

    def test_errors(self):
        with self.assertRaises(self.openai.NotFoundError) as caught:
            self.create(model="text-embedding-3-small")
        error = caught.exception
        self.assertEqual((error.code, error.param, error.type), ("model_not_found", "model", "invalid_request_error"))
        self.assertIn(BERT, error.message)
        for members, param in (
            ({"input": ""}, "input"),
            ({"input": []}, "input"),
            ({"input": [1, 2, 3]}, "input"),
            ({"input": [[1, 2], [3]]}, "input"),
            ({"input": ["x"] * 2049}, "input"),
            ({"input": "x" * 9000}, "input"),
            ({"input": "a\0b"}, "input"),
            ({"dimensions": 7}, "dimensions"),
            ({"encoding_format": "hex"}, "encoding_format"),
            ({"extra_body": {"input_type": "image"}}, "input_type"),
        ):
            with self.assertRaises(self.openai.BadRequestError) as caught:
                self.create(**members)
            self.assertEqual(caught.exception.param, param)
        with self.assertRaises(self.openai.InternalServerError) as caught:
            self.create(model="org/broken")
        self.assertEqual((caught.exception.status_code, caught.exception.code), (503, "model_not_ready"))
        with self.assertRaises(self.openai.APIStatusError) as caught:
            self.create(input=["x" * 8000] * 600)
        self.assertEqual(caught.exception.status_code, 413)

    def test_models(self):
        self.assertIn(BERT, [m.id for m in self.client.models.list()])
        self.assertEqual(self.client.models.retrieve(BERT).owned_by, "org")
        with self.assertRaises(self.openai.NotFoundError):
            self.client.models.retrieve("org/none")

    def test_other_options_of_the_client(self):
        answer = self.create(dimensions=20, user="somebody", extra_headers={"X-Request-Id": "mine-1"})
        self.assertEqual(len(answer.data[0].embedding), 20)
        self.assertEqual(self.client.with_options(max_retries=3).embeddings.create(model=BERT, input="x").usage.total_tokens, 3)

    def test_async_client(self):
        import asyncio

        async def ask_twice():
            async with self.openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{self.port}/v1", api_key="any") as client:
                return [await client.embeddings.create(model=BERT, input=text) for text in ("a cat", "a dog")]

        cat, dog = asyncio.run(ask_twice())
        self.assertEqual(cat.data[0].embedding, self.create(input="a cat").data[0].embedding)
        self.assertNotEqual(cat.data[0].embedding, dog.data[0].embedding)


if __name__ == "__main__":
    main()
