#!/usr/bin/env python3
"""What is stored about people, how long, and how it is erased; and the history that shows tampering, also outside of the
database."""

import json
import os
import re
import socket
import time
import unittest

from peel_testing import STICKERS, System, main, request, wait_until
from test_admin import PASSWORD, Visitor

DAY_US = 86400 * 1_000_000


class PrivacyTest(unittest.TestCase):
    begun = False

    def setUp(self):
        self.system = System()
        self.addCleanup(self.system.close)
        self.system.add(STICKERS)
        self.system.start_search()

    def start(self, *args):
        self.system.start_sticker(*args)
        self.system.wait_indexed()
        self.port = self.system.port
        if not self.begun:  # without the entries of the import and of the first admin
            self.system.sql("DELETE FROM history")
            self.system.sql("UPDATE history_head SET last = 0, hash = '', logged = 0")
            self.begun = True

    def restart(self, *args):
        self.system.sticker.stop()
        self.start(*args)

    def search(self, query):
        answer = request(self.port, "GET", "/api/search/?query=" + query)
        self.assertEqual(answer.status, 200)

    def vote(self, query, voter):
        entry = {"query": query, "positive": ["cat.png"], "voter": voter}
        self.assertEqual(request(self.port, "POST", "/api/feedback/", json.dumps({"feedback": [entry]})).status, 200)

    def queries(self):
        return sorted(q for (q,) in self.system.sql("SELECT query FROM queries"))

    def json_of(self, *args, code=0):
        done = self.system.run(*args, "--json", check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return json.loads(done.stdout)

    def admin(self):
        visitor = Visitor(self.port)
        self.assertEqual(visitor.log_in().status, 303)
        return visitor


class Retention(PrivacyTest):
    def test_what_is_old_goes(self):
        self.start()
        for query in ("cat", "dog", "cake", "car"):
            self.search(query)
        self.vote("cat", "somebody")
        self.admin()
        wait_until(lambda: self.system.sql("SELECT usage FROM queries WHERE query = 'car'") == [(1,)])
        for statement in ("UPDATE queries SET modified_us = modified_us - ? WHERE query <> 'dog'", "UPDATE votes SET modified_us = modified_us - ?",
                          "UPDATE sessions SET seen_us = seen_us - ?", "UPDATE logins SET last_us = last_us - ?"):
            self.system.sql(statement, 401 * DAY_US)
        self.system.sql("UPDATE queries SET modified_us = modified_us + ? WHERE query = 'car'", 312 * DAY_US)  # 89 days ago

        def forgotten(what):
            found = re.search(rf'(?m)^peel_sticker_forgotten_total{{what="{what}"}} (\d+)$', request(self.port, "GET", "/metrics").body.decode())
            return int(found[1])

        self.restart()
        wait_until(lambda: forgotten("sessions") == 1)
        self.assertEqual(self.queries(), ["car", "cat", "dog"], "voted on, or not that old")
        self.assertEqual([forgotten(what) for what in ("queries", "voters", "sessions", "addresses")], [1, 1, 1, 0])
        self.assertEqual(self.system.sql("SELECT count(*) FROM votes"), [(0,)])
        self.assertEqual(self.system.sql("SELECT positives FROM queries WHERE query = 'cat'"), [(1,)], "counted as before")
        self.restart("--query-days", "30")
        wait_until(lambda: forgotten("queries") == 1)
        self.assertEqual(self.queries(), ["cat", "dog"])
        self.restart("--query-days", "0", "--voter-days", "0", "--address-days", "0")
        self.system.sql("UPDATE queries SET modified_us = 1")
        time.sleep(0.5)
        self.assertEqual(self.queries(), ["cat", "dog"], "0 is never")

    def test_addresses_go_and_the_history_stays(self):
        self.start()
        self.admin()
        self.assertEqual(self.system.sql("SELECT count(*) FROM history WHERE address = '127.0.0.1'"), [(1,)])
        self.system.sql("UPDATE history SET at_us = at_us - ?", 0)
        self.restart("--address-days", "1")
        self.assertEqual(self.system.sql("SELECT count(*) FROM history WHERE address <> ''"), [(1,)], "it is of today")
        self.system.sql("UPDATE history_head SET last = 0, hash = ''")
        self.system.sql("UPDATE history SET at_us = at_us - ?", 2 * DAY_US)
        self.system.sql("UPDATE history SET hash = '', username_proof = '', address_proof = '', content_proof = ''")
        self.system.sql("DELETE FROM history_head")  # as if it had been written two days ago
        self.restart("--address-days", "1")
        wait_until(lambda: self.system.sql("SELECT count(*) FROM history WHERE address <> ''") == [(0,)])
        report = self.json_of("audit", "verify")
        self.assertEqual((report["intact"], report["entries"], report["erased_addresses"]), (True, 1, 1))


class Forget(PrivacyTest):
    def test_a_search(self):
        self.start()
        admin = self.admin()
        self.search("my+phone+number")
        self.vote("my phone number", "somebody")
        wait_until(lambda: self.system.sql("SELECT usage FROM queries") == [(1,)])
        ident = self.system.sql("SELECT id FROM queries")[0][0]
        admin.get("/admin/queries/edit?id=" + ident)
        self.assertEqual(admin.post("/admin/queries/edit?id=" + ident, query="my phone number", usage="7", seen="0").status, 303)
        admin.get("/admin/queries/export?format=csv&q=my+phone")
        counts = {"searches": 1, "scores": 1, "votes": 1, "pins": 0, "events": 1, "history": 1}
        self.assertEqual(self.json_of("forget", "my phone number", "--dry-run"), {**counts, "dry_run": True})
        self.assertEqual(self.queries(), ["my phone number"])
        refused = self.system.run("forget", "my phone number", check=False, stdin="")
        self.assertEqual(refused.returncode, 1, "there is nobody to ask")
        self.assertEqual(self.json_of("forget", "my phone number", "--yes"), {**counts, "dry_run": False})
        self.assertEqual(self.queries(), [])
        self.assertNotIn("phone number", str(self.system.sql("SELECT * FROM history")))
        self.assertEqual(self.system.sql("SELECT username, action, model FROM history ORDER BY row DESC LIMIT 1"), [("command line", "forget", "queries")])
        self.assertTrue(self.json_of("audit", "verify")["intact"])
        nothing = self.json_of("forget", "my phone number", "--yes")
        self.assertEqual(nothing["searches"], 0)
        self.assertEqual(self.system.run("forget", check=False).returncode, 2)

    def test_a_voter_and_a_user(self):
        self.start()
        self.search("cat")
        self.vote("cat", "voter 1")
        self.vote("cat", "voter 2")
        self.system.run("user", "create", "nora", "--staff", stdin=PASSWORD + "\n")
        self.assertEqual(Visitor(self.port).log_in("nora").status, 303)
        self.assertEqual(self.json_of("forget", "--voter", "voter 1", "--yes")["votes"], 1)
        self.assertEqual(self.system.sql("SELECT positives FROM scores"), [(1,)])
        self.system.run("user", "delete", "nora")
        said = self.system.run("forget", "--user", "nora", "--yes").stdout
        self.assertIn("history entries 4.", said)
        self.assertNotIn("nora", str(self.system.sql("SELECT * FROM history")))
        self.assertTrue(self.json_of("audit", "verify")["intact"])


class Audit(PrivacyTest):
    def test_tampering_is_named(self):
        self.start()
        for _ in range(5):
            self.admin()
        intact = self.system.run("audit", "verify").stdout
        self.assertIn("The history is intact: 5 entries, 0 faults.", intact)
        self.system.sql("UPDATE history SET username = 'eve' WHERE row = 2")
        self.system.sql("DELETE FROM history WHERE row = 4")
        done = self.system.run("audit", "verify", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Entry 2 was changed.\nEntry 4 was removed.\nThe history was tampered with: 4 entries, 2 faults.", done.stdout)
        report = self.json_of("audit", "verify", code=1)
        self.assertEqual((report["intact"], report["faults"]), (False, ["Entry 2 was changed.", "Entry 4 was removed."]))

    def lines(self, path):
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def test_the_log_outside_has_all_over_restarts_and_rotation(self):
        log = self.system.folder / "audit.json"
        self.start()
        self.admin()  # before there was a log
        self.restart("--audit-log", str(log))
        wait_until(lambda: len(self.lines(log)) == 1)
        self.admin()
        wait_until(lambda: len(self.lines(log)) == 2)
        first = self.lines(log)[1]
        self.assertEqual((first["row"], first["username"], first["action"], first["address"]), (2, "admin", "login", "127.0.0.1"))
        os.rename(log, str(log) + ".1")  # as logrotate does
        self.admin()
        wait_until(lambda: [e["row"] for e in self.lines(log)] == [3])
        self.assertEqual(log.stat().st_mode & 0o777, 0o640)
        wait_until(lambda: self.system.sql("SELECT logged FROM history_head") == [(3,)])  # or it would come twice
        with open(log, "a") as cut:
            cut.write('{"row":4,"at":"20')  # a crash while it wrote
        self.system.sticker.child.kill()
        self.system.sticker.child.wait()
        self.system.run("user", "create", "pia", stdin=PASSWORD + "\n")
        self.start("--audit-log", str(log))
        wait_until(lambda: '"object":"pia"' in log.read_text())
        self.assertEqual([json.loads(line)["row"] for line in log.read_text().splitlines() if line.endswith("}")], [3, 4])

        # Who makes all hashes anew is found by the log.
        report = self.json_of("audit", "verify", "--audit-log", str(log))
        self.assertEqual((report["intact"], report["compared"]), (True, 2))
        self.system.sticker.stop()
        self.system.sql("UPDATE history SET username = 'eve', hash = '' WHERE row = 3")
        self.system.sql("UPDATE history SET hash = '', username_proof = '', address_proof = '', content_proof = ''")
        self.system.sql("DELETE FROM history_head")
        self.assertTrue(self.json_of("audit", "verify")["intact"])
        report = self.json_of("audit", "verify", "--audit-log", str(log), code=1)
        self.assertIn("Entry 3 is another one in the audit log.", report["faults"])

    def test_syslog(self):
        path = str(self.system.folder / "syslog")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taker:
            taker.settimeout(30)
            self.start("--audit-log", f"syslog:{path}")
            self.admin()
            wait_until(lambda: "the audit log is behind the history: cannot reach syslog" in self.system.sticker.log())
            taker.bind(path)  # a syslog that starts later
            line = taker.recv(65536).decode()
            self.assertRegex(line, r"^<86>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d peel\[\d+\]: \{")
            entry = json.loads(line.split(": ", 1)[1])
            self.assertEqual((entry["row"], entry["action"]), (1, "login"))
            self.assertNotIn("after", entry)


if __name__ == "__main__":
    main()
