#!/usr/bin/env python3
"""StickerService's database on a real PostgreSQL: the store suite, a server that goes away while people vote, and two services
that count together."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import unittest

from peel_testing import ADMIN_TOKEN, MODE, PEEL, SLOW, System, main, png, request, wait_until
from postgres_testing import CuttingProxy, PostgresTest, programs


class StickersOnPostgres(PostgresTest):
    def test_store_suite_stickers(self):
        self.unit("test_store_stickers", 10)

    def test_upgrades(self):
        self.unit("test_store_upgrade", 3)

    def test_store_suite_feedback(self):
        self.unit("test_store_feedback", 9)

    def test_store_suite_events(self):
        self.unit("test_store_events", 7)
        self.unit("test_learn", 12)
        self.unit("test_training", 7)
        self.unit("test_store_experiments", 4)
        self.unit("test_store_webhooks", 5)

    def test_store_suite_curation(self):
        self.unit("test_store_curation", 5)

    def test_store_suite_history(self):
        self.unit("test_store_history", 17)

    def test_migrate_and_the_parts_of_an_address(self):
        with tempfile.TemporaryDirectory() as folder:
            secret = pathlib.Path(folder, "secret")
            secret.write_text("s3cr@t/word?\n")
            environment = {**os.environ}
            for which in ("STICKER", "SEARCH"):
                environment |= {f"{which}_DB_HOST": "127.0.0.1", f"{which}_DB_PORT": str(self.server.port), f"{which}_DB_USER": "peel",
                                f"{which}_DB_NAME": f"odd {which}/@?&", f"{which}_DB_PASSWORD_FILE": str(secret)}

            def peel(*words, **more):
                done = subprocess.run([PEEL, *words, "--data", folder + "/data"], capture_output=True, text=True, env={**environment, **more}, timeout=60 * SLOW)
                self.assertNotIn("s3cr", done.stdout + done.stderr)
                return done.returncode, done.stdout or done.stderr

            for _ in range(2):
                self.assertEqual(peel("migrate"), (0, "The sticker database is up to date.\nThe search database is up to date.\n"))
            self.assertEqual(peel("status")[1].splitlines()[0], "0 stickers, 0 queries, 0 changes waiting to be indexed")
            self.assertEqual([f.name for f in pathlib.Path(folder, "data").iterdir()], [], "no file was made instead")
            code, said = peel("migrate", "search", SEARCH_DB_NAME="odd STICKER/@?&")
            self.assertEqual(code, 1, "the other service's database is refused")
            code, said = peel("migrate", "sticker", STICKER_DB_PORT="1")
            self.assertEqual(code, 1)
            self.assertIn("127.0.0.1", said)
            self.assertEqual(peel("migrate", "both")[0], 2)

    @unittest.skipIf(MODE != "release", "its SQL is the same in every build")
    def test_admin_pages(self):
        self.api("test_admin.py", "Models")

    @unittest.skipIf(MODE != "release", "its SQL is the same in every build")
    def test_work_on_the_admin_pages(self):
        for tests in ("Lists", "Forms", "Trash", "Undo", "AllMatching"):
            self.api("test_admin_work.py", tests)

    @unittest.skipIf(MODE != "release", "its SQL is the same in every build")
    def test_feedback_through_a_crash(self):
        self.api("test_sticker_api.py", "FeedbackThroughACrash")

    def api(self, program, tests):
        environment = {**os.environ, "PEEL_TEST_STICKER_DB": self.server.url("{}")}
        done = subprocess.run(
            [sys.executable, pathlib.Path(__file__).with_name(program), tests],
            capture_output=True,
            text=True,
            env=environment,
            timeout=120 * SLOW,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout.splitlines()[-1], r"^[1-9]\d* passed, 0 failed$")

    def system(self, name):
        system = System()
        self.addCleanup(system.close)
        url = self.server.url(name)
        system.run("import", "--sticker-db", url, str(self.pictures(system)))
        return system, url

    def pictures(self, system):
        folder = system.folder / "pictures"
        folder.mkdir()
        for i, name in enumerate(("cat.png", "dog.png", "cake.png")):
            (folder / name).write_bytes(png(8, 8, (i, i, i)))
        rows = ["filename,title,words,language", "cat.png,Cat,cat,en", "dog.png,Dog,dog,en", "cake.png,Cake,cake,en"]
        (folder / "stickers.csv").write_text("\n".join(rows) + "\n")
        return folder

    def votes(self, port, query):
        target = "/api/analytics/?query=" + query
        answer = request(port, "GET", target, headers={"Authorization": f"Token {ADMIN_TOKEN}"})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.body.decode()

    def test_votes_are_exact_with_two_services_and_a_server_that_goes_away(self):
        """Every vote that was acknowledged is there, once; none but those whose answer got lost may be there beside."""
        system, url = self.system("votes")
        ports = [system.start_sticker("--sticker-db", url, search_port=1) for _ in range(2)]
        self.assertEqual(request(ports[0], "GET", "/api/search/?query=cat").status, 200)
        acknowledged, failures, others, stop = [0] * 4, [0] * 4, [], threading.Event()
        names = ["cat.png", "dog.png", "cake.png"]

        def vote(number):
            order = names if number % 2 else names[::-1]
            body = json.dumps({"feedback": [{"query": "cat", "positive": order, "negative": []}]})
            while not stop.is_set():
                try:
                    answer = request(ports[number % 2], "POST", "/api/feedback/", body)
                except OSError:
                    failures[number] += 1
                    continue
                acknowledged[number] += answer.status in (200, 201)
                if answer.status not in (200, 201):
                    failures[number] += 1
                    others.append((answer.status, answer.headers["Retry-After"]))
                    stop.wait(0.05)

        threads = [threading.Thread(target=vote, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        try:
            wait_until(lambda: min(acknowledged) > 10, 20 * SLOW, "votes")
            self.server.stop()
            wait_until(lambda: others, 20 * SLOW, "a vote that is refused")
            self.assertEqual(request(ports[0], "GET", "/readyz").status, 503)
            self.server.start()
            before = list(acknowledged)
            wait_until(lambda: all(a > b + 10 for a, b in zip(acknowledged, before)), 30 * SLOW, "votes again")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual({status for status, _ in others}, {503}, others[:5])
        self.assertTrue(all(after for _, after in others), others[:5])
        metrics = request(ports[0], "GET", "/metrics").body
        self.assertIn(b"peel_sticker_database_up 1", metrics)
        self.assertGreater(int(re.search(rb'peel_sticker_database_errors_total{kind="write"} (\d+)', metrics)[1]), 0)
        text = self.votes(ports[0], "cat")
        counts = [int(n) for n in re.findall(r'"(?:positives|positive|positive_count)": ?(\d+)', text)]
        self.assertEqual(len(counts), 3, text)
        self.assertEqual(len(set(counts)), 1, "a request counts whole or not at all")
        print(f"figures: votes acknowledged {sum(acknowledged)}, stored {counts[0]}, refused {len(others)}")
        self.assertGreaterEqual(counts[0], sum(acknowledged))
        self.assertLessEqual(counts[0], sum(acknowledged) + len(threads))  # one per thread was in flight

    def test_connections_cut_in_the_middle_of_commits(self):
        """Answers to COMMIT get lost, and the server ends connections at any moment: nobody is refused, and two services
        count searches and votes once each."""
        system, url = self.system("cut")
        proxy = CuttingProxy(self.server.port, 0)  # not yet: a service that cannot migrate ends
        self.addCleanup(proxy.close)
        url = url.replace(f":{self.server.port}/", f":{proxy.port}/")
        ports = [system.start_sticker("--sticker-db", url, search_port=1) for _ in range(2)]
        names, stop = ["cat.png", "dog.png", "cake.png"], threading.Event()
        searched, voted, others = [0] * 4, [0] * 4, []
        self.assertEqual(request(ports[0], "GET", "/api/search/?query=cut").status, 200)
        proxy.nth = 7

        def customer(number):
            body = json.dumps({"feedback": [{"query": "cut", "positive": names[:: 1 if number % 2 else -1], "negative": []}]})
            while not stop.is_set():
                found = request(ports[number % 2], "GET", "/api/search/?query=cut")
                answer = request(ports[number % 2], "POST", "/api/feedback/", body)
                searched[number] += found.status == 200
                voted[number] += answer.status == 200
                others.extend((a.status, a.body) for a in (found, answer) if a.status != 200)

        def cut_any():
            command = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'cut' ORDER BY random() LIMIT 1"
            subprocess.run([f"{programs()}/psql", "-qAt", "-c", command, self.server.url("postgres")], check=True, capture_output=True)

        threads = [threading.Thread(target=customer, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(20):
                cut_any()
                stop.wait(0.05)
            wait_until(lambda: proxy.cut >= 20, 30, "cut commits")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        proxy.nth = 0
        self.assertEqual(others, [])

        def counted():
            found = json.loads(self.votes(ports[0], "cut"))
            return found["query"]["usage"], {row["positives"] for row in found["feedback scores"]}

        wanted = sum(searched) + 1, {sum(voted)}
        wait_until(lambda: counted() == wanted, 5, f"{wanted}, found {counted()}")
        print(f"figures: {proxy.cut} of {proxy.commits} commits cut; searches {wanted[0]}, votes {sum(voted)}, all counted once")


if __name__ == "__main__":
    main()
