#!/usr/bin/env python3
"""A bucket in S3: the unit tests of the bucket over a real server with faults, and both services on one."""

import http.client
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest

from peel_testing import PEEL, ROOT, SLOW, System, main, png, request, wait_until
from s3_testing import ACCESS, BUCKET, S3, SECRET, signature, unavailable
from test_model import Hub, model_files, text_model_files

missing = unavailable()
UNIT = pathlib.Path(PEEL).parent / ("tests/test_bucket" if "build" in PEEL else "build/release/tests/test_bucket")
STAMP, SCOPE = "20130524T000000Z", "20130524/us-east-1/s3/aws4_request"


class Signatures(unittest.TestCase):
    """The proxy's own arithmetic against the examples of the "Amazon S3 API Reference"."""

    def check(self, method, target, payload, expected, **more):
        headers = {"host": "examplebucket.s3.amazonaws.com", "x-amz-content-sha256": payload, "x-amz-date": STAMP, **more}
        found = signature(
            method, target, headers, sorted(headers), payload, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SCOPE, STAMP
        )
        self.assertEqual(found, expected)

    def test_published_examples(self):
        empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        self.check(
            "GET", "/test.txt", empty, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", range="bytes=0-9"
        )
        self.check("GET", "/?lifecycle=", empty, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        self.check(
            "GET", "/?max-keys=2&prefix=J", empty, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        )


def on_small_disk(folder):
    """The words before a command that give it 8 MiB of disk at `folder`; [] where this machine forbids that."""
    for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
        words = [*unshare, "sh", "-c", 'mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@"', folder]
        try:
            if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
                return words
        except OSError:
            break
    return []


@unittest.skipIf(missing, missing)
class Unit(unittest.TestCase):
    def test_suite_over_s3(self):
        s3 = S3()
        small = tempfile.TemporaryDirectory(prefix="peel-small-")
        try:
            self.assertTrue(UNIT.exists(), f"{UNIT} is not built")
            before = on_small_disk(small.name)
            env = {**os.environ, "PEEL_TEST_S3": s3.url, **({"PEEL_TEST_SMALL_DISK": small.name} if before else {})}
            done = subprocess.run([*before, UNIT], env=env, capture_output=True, text=True, timeout=300 * SLOW)
            self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr[-6000:])
            skipped = re.findall(r"\[  SKIPPED \] (\w+)\n", done.stdout + done.stderr)
            self.assertLessEqual(set(skipped), set() if before else {"a_full_disk_is_survived"})
            if not before:
                print("skipped: a_full_disk_is_survived: no mount namespaces here")
            wrong = {problem[1] for _, _, problem in s3.refused}
            self.assertEqual(wrong, {"SignatureDoesNotMatch"}, s3.refused)  # of the test with another secret alone
            self.assertGreater(s3.count("POST", "uploads"), 4)
            self.assertTrue(any(m == "GET" and status == 206 for m, _, status in s3.seen), "no ranged read")
        finally:
            s3.close()
            small.cleanup()


@unittest.skipIf(missing, missing)
class Services(unittest.TestCase):
    def setUp(self):
        self.s3 = S3()
        self.system = System()
        secret = self.system.folder / "secret"
        secret.write_text(SECRET + "\n")
        self.env = {**self.s3.environment(), "AWS_SECRET_ACCESS_KEY": "", "AWS_SECRET_ACCESS_KEY_FILE": str(secret)}
        self.env["PEEL_BUCKET"] = f"s3://{BUCKET}/some/prefix"
        self.env["PEEL_S3_TIMEOUT_MS"] = "1000"
        self.before = {name: os.environ.get(name) for name in self.env}
        os.environ.update(self.env)

    def tearDown(self):
        for name, value in self.before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        try:
            self.system.close()
        finally:
            self.s3.close()

    def store(self, key, data):
        """Puts an object past the proxy."""
        connection = http.client.HTTPConnection("127.0.0.1", self.s3.behind, timeout=30)
        connection.request("PUT", f"/{BUCKET}/some/prefix/{key}", body=data, headers={"x-amz-acl": "private"})
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    def get(self, target, **headers):
        return request(self.system.port, "GET", target, headers=headers)

    def test_everything_from_s3(self):
        for name, data in model_files().items():
            self.store(f"models/small/{name}", data)
        pictures = {"cat.png": ("Cat in a park", "cat"), "sun & rain, 100%.png": ("Sun", "sun")}
        self.system.add(pictures)
        self.assertEqual(self.s3.count("PUT", "/some/prefix/media/cat.png"), 1)
        self.assertFalse((self.system.data / "bucket").exists())
        big = self.system.folder / "big"
        big.mkdir()
        whole = png(900, 300, (10, 200, 30))
        (big / "wide.png").write_bytes(whole)
        self.system.run("import", str(big))

        self.system.start_search()
        self.system.start_sticker()
        self.assertRegex(self.system.search.log(), r"bucket: copied small in ")
        self.system.search.wait_for(r"model small: ready", 60 * SLOW)
        self.system.wait_indexed()

        answer = self.get("/media/wide.png")
        self.assertEqual((answer.status, answer.body), (200, whole))
        answer = self.get("/media/wide.png", Range="bytes=10-19")
        self.assertEqual((answer.status, answer.body), (206, whole[10:20]))
        self.assertEqual(answer.headers["Content-Range"], f"bytes 10-19/{len(whole)}")
        self.assertEqual(self.get("/media/sun%20%26%20rain%2C%20100%25.png").status, 200)
        answer = self.get("/media/wide.png?w=64")
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/webp"))

        def indexed():
            model = request(self.system.search_port, "GET", "/api/models").json()
            return re.search(r'"indexed": ?3\b', str(model).replace("'", '"'))

        wait_until(indexed, 30, "vectors of the images in S3")

        self.s3.down = True
        self.assertEqual(self.get("/media/wide.png").body, whole)
        self.s3.down = False
        self.assertEqual(self.s3.refused, [])
        fetched = [status for method, target, status in self.s3.seen if method == "GET" and "media/wide.png" in target]
        self.assertIn(fetched.count(200), (1, 2), fetched)  # at most once by each of two services
        self.assertIn(304, fetched)

    def test_requests_at_the_same_time_share_a_fetch(self):
        os.environ["PEEL_S3_TIMEOUT_MS"] = "20000"
        self.system.add({"cat.png": ("Cat in a park", "cat")})
        self.system.start_search()
        self.system.start_sticker()
        self.system.wait_indexed()
        before, statuses = self.s3.count("GET", "media/cat.png"), []
        threads = [
            threading.Thread(target=lambda: statuses.append(self.get("/media/cat.png").status)) for _ in range(6)
        ]
        self.s3.hang = True
        for thread in threads:
            thread.start()
        time.sleep(0.5 * SLOW)
        self.s3.hang = False
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 6)
        # one that has begun when the others come, and one for them (more only if some came later than half a second)
        self.assertLessEqual(self.s3.count("GET", "media/cat.png") - before, 3)

    def test_restart_copies_no_model_again(self):
        for name, data in model_files().items():
            self.store(f"models/small/{name}", data)
        self.system.start_search()
        self.system.search.wait_for(r"model small: ready", 60 * SLOW)
        self.assertEqual(self.system.search.stop(), 0)
        fetched = self.s3.count("GET", "models/small/")
        again = self.system.start_process("again", "search-service", "--search-port", "0")
        again.wait_for(r"model small: ready", 60 * SLOW)
        self.assertEqual(self.s3.count("GET", "models/small/"), fetched)
        self.assertEqual(again.stop(), 0)
        self.s3.down = True
        alone = self.system.start_process("alone", "search-service", "--search-port", "0")
        alone.wait_for(r"cannot update the local copies of models", 60 * SLOW)
        alone.wait_for(r"model small: ready", 60 * SLOW)

    def test_a_start_does_not_wait_long_for_a_store_that_hangs(self):
        self.s3.hang = True
        began = time.monotonic()
        self.system.start_search()
        self.assertLess(time.monotonic() - began, 5 * SLOW)
        before = len(self.s3.hung)
        os.environ["PEEL_S3_TIMEOUT_MS"] = "60000"
        waiting = self.system.start_process("waiting", "search-service", "--search-port", "0")
        wait_until(lambda: len(self.s3.hung) > before, 10, "a request that hangs")
        began = time.monotonic()
        self.assertEqual(waiting.stop(), 0)
        self.assertLess(time.monotonic() - began, 5 * SLOW)

    def test_folders_inside_a_model_go_into_the_bucket_and_come_from_it(self):
        hub = Hub(text_model_files())
        self.addCleanup(hub.close)
        self.system.run("model", "pull", "org/small", "--hf-endpoint", f"http://127.0.0.1:{hub.port}")
        puts = [target for method, target, _ in self.s3.seen if method == "PUT"]
        self.assertIn(f"/{BUCKET}/some/prefix/models/org--small/2_Dense/model.safetensors", puts)
        self.assertTrue(puts[-1].endswith("org--small/config.json"), puts)
        other = System()  # another machine
        self.addCleanup(other.close)
        other.start_search()
        other.search.wait_for(r"model org(--|/)small: ready in \S+ s \(\w+, 16 dimensions", 60 * SLOW)

    def test_a_pulled_model_goes_into_the_bucket(self):
        hub = Hub(model_files())
        self.addCleanup(hub.close)
        done = self.system.run("model", "pull", "org/small", "--hf-endpoint", f"http://127.0.0.1:{hub.port}")
        self.assertIn("s3://peel/some/prefix, models/org--small", done.stdout)
        puts = [target for method, target, _ in self.s3.seen if method == "PUT"]
        self.assertIn(f"/{BUCKET}/some/prefix/models/org--small/model.safetensors", puts)
        self.assertTrue(puts[-1].endswith("/config.json"), puts)  # until then it is no model to others
        self.assertIn("org--small", self.system.run("model", "list").stdout)
        other = System()  # another machine
        self.addCleanup(other.close)
        other.start_search()
        other.search.wait_for(r"model org(--|/)small: ready", 60 * SLOW)

    def test_the_lexicon_is_in_the_bucket(self):
        lexicon = (ROOT / "tests" / "fuzz" / "corpus" / "lexicon" / "four").read_bytes()
        lexicon = lexicon[:8] + b"\3" + lexicon[9:]  # the version of today
        cached = self.system.data / "cache" / "words" / "english" / "english.words"
        cached.parent.mkdir(parents=True)
        cached.write_bytes(lexicon)  # as `words pull` leaves it
        self.assertIn("already", self.system.run("words", "pull").stdout)
        self.assertEqual(self.s3.count("PUT", "/some/prefix/words/english/english.words"), 1)
        self.system.run("words", "pull")
        self.assertEqual(self.s3.count("PUT", "/some/prefix/words/english/english.words"), 1)
        other = System()  # another machine
        self.addCleanup(other.close)
        other.start_search()
        self.assertEqual((other.data / "cache" / "words" / "english" / "english.words").read_bytes(), lexicon)
        status = request(other.search_port, "GET", "/api/status").json()
        self.assertEqual(status["algorithm"], "hybrid")

    def test_serve_with_flags(self):
        pictures = {"cat.png": ("Cat in a park", "cat")}
        self.system.add(pictures)
        for name in ("PEEL_BUCKET", "AWS_ENDPOINT_URL"):
            os.environ.pop(name)
        flags = ("--bucket", self.env["PEEL_BUCKET"], "--s3-endpoint", self.s3.url, "--s3-addressing", "path")
        serve = self.system.start_process("serve", "serve", "--port", "0", "--search-port", "0", *flags)
        self.system.port = int(serve.wait_for(r"sticker-service: listening on \S+ port (\d+)")[1])
        self.system.wait_indexed()
        self.assertEqual(self.get("/media/cat.png").status, 200)
        self.assertEqual(self.get("/api/search/?query=cat").status, 200)
        self.assertNotIn(ACCESS, pathlib.Path(f"/proc/{serve.child.pid}/cmdline").read_text())
        os.environ.update(self.env)

    def test_keys_from_an_env_file(self):
        pictures = self.system.folder / "pictures"
        pictures.mkdir()
        (pictures / "a.png").write_bytes(png())
        settings = self.system.folder / "settings"
        settings.write_text("".join(f"{name}={value}\n" for name, value in self.env.items() if value))
        for name in self.env:
            os.environ.pop(name)
        self.system.run("import", str(pictures), "--env-file", str(settings))
        self.assertEqual(self.s3.count("PUT", "/some/prefix/media/a.png"), 1)
        os.environ.update(self.env)

    def test_wrong_secret_and_no_bucket(self):
        os.environ["AWS_SECRET_ACCESS_KEY_FILE"] = ""
        os.environ["AWS_SECRET_ACCESS_KEY"] = "another"
        folder = self.system.folder / "pictures"
        folder.mkdir()
        (folder / "a.png").write_bytes(png())
        done = self.system.run("import", str(folder), check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"s3://peel/some/prefix/media/a.png: expected success, found HTTP 403 SignatureDoesNotMatch")
        self.assertNotIn("another", done.stderr)
        os.environ["AWS_SECRET_ACCESS_KEY"] = SECRET
        done = self.system.run("import", str(folder), "--bucket", "s3://no-such-bucket", check=False)
        self.assertRegex(done.stderr, r"s3://no-such-bucket/media/a.png: expected success, found HTTP 404 NoSuchBucket")


if __name__ == "__main__":
    main()
