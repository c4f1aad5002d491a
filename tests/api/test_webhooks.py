"""Webhooks: what receivers are told, signed and in order, when they fail, and that no crash loses anything."""

import base64
import hashlib
import hmac
import json
import os
import re
import signal
import time

from peel_testing import ADMIN_TOKEN, FakeSearch, ServiceTest, main, png, request, wait_until
from test_admin import Visitor

TOKEN = {"Authorization": f"Token {ADMIN_TOKEN}"}


class Receiver(FakeSearch):
    """Keeps what it was sent, and answers with `status`."""

    status, body = 204, b""

    def __init__(self):
        super().__init__()
        self.answer = lambda handler: (self.status, self.body)

    def messages(self):
        return [json.loads(body) for _, _, _, body in self.seen]


class Webhooks(ServiceTest):
    arguments = ("--webhook-private",)

    def peel(self, *args, check=True):
        done = self.system.run("webhook", *args, *(("--json",) if check else ()), check=check)
        return json.loads(done.stdout) if check else done.stderr

    def hook(self, *args):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        added = self.peel("add", f"http://127.0.0.1:{receiver.port}/hook?a=b", *args)
        self.addCleanup(lambda: self.peel("remove", str(added["id"]), check=False))
        receiver.id, receiver.secret = str(added["id"]), added["secret"]
        return receiver

    def state(self, receiver):
        return next(w for w in self.peel("list") if str(w["id"]) == receiver.id)

    def error(self, receiver):
        """Of the delivery that waits first."""
        sql = "SELECT error FROM webhook_deliveries WHERE webhook = ? AND delivered_us = 0 ORDER BY seq LIMIT 1"
        return self.system.sql(sql, int(receiver.id))[0][0]

    def write(self, method, filename, body=None, kind="application/json"):
        answer = request(self.port, method, f"/api/stickers/{filename}", body, {**TOKEN, "Content-Type": kind})
        self.assertIn(answer.status, (200, 201, 204), answer.body)

    def put(self, filename):
        self.write("PUT", filename, png(9, 9, os.urandom(3)), "image/png")

    def change(self, title, filename="cat.png"):
        self.write("PATCH", filename, json.dumps({"title": title}))

    def retry_now(self):
        self.system.sql("UPDATE webhooks SET due_us = 0")

    def received(self, receiver, n):
        wait_until(lambda: len(receiver.seen) >= n, 20, f"{n} messages")
        return receiver.messages()

    def test_changes_are_told_signed_and_in_order(self):
        receiver = self.hook()
        self.put("new.png")
        wait_until(lambda: receiver.seen, 10, "the first message")
        as_it_is = self.get("/api/stickers/new.png").json()
        self.change("Renamed", "new.png")
        self.received(receiver, 2)
        self.write("DELETE", "new.png")
        created, changed, removed = self.received(receiver, 3)
        self.assertEqual([m["type"] for m in (created, changed, removed)], ["sticker.created", "sticker.changed", "sticker.removed"])
        self.assertEqual(created["data"], as_it_is)
        self.assertEqual(changed["data"]["title"], "Renamed")
        self.assertEqual(removed["data"], {"filename": "new.png"})
        for method, path, headers, body in receiver.seen:
            headers = {name.lower(): value for name, value in headers.items()}
            self.assertEqual((method, path, headers["content-type"]), ("POST", "/hook?a=b", "application/json"))
            self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
            key = base64.b64decode(receiver.secret.removeprefix("whsec_"), validate=True)
            signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
            mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
            self.assertEqual(headers["webhook-signature"], f"v1,{mac}")
            self.assertRegex(headers["webhook-id"], r"^msg_[0-9a-f-]{36}$")
        self.assertEqual(len({seen[2]["webhook-id"] for seen in receiver.seen}), 3)

    def test_a_webhook_gets_what_it_asked_for(self):
        removals, everything = self.hook("--events", "sticker.removed,votes.held"), self.hook()
        self.put("short.png")
        self.write("DELETE", "short.png")
        self.received(everything, 2)
        self.assertEqual([m["type"] for m in self.received(removals, 1)], ["sticker.removed"])
        self.peel("disable", everything.id)
        self.change("Nobody is told")
        self.peel("enable", everything.id)
        self.assertEqual(self.peel("test", everything.id)["status"], 204)
        self.assertEqual([m["type"] for m in everything.messages()], ["sticker.created", "sticker.removed", "webhook.test"])

    def test_commands(self):
        receiver = self.hook("--events", "sticker.created")
        for args, message in (
            (("add", "ftp://x/"), "expected one such as https://"),
            (("add", "https://user@x/"), "without user and password"),
            (("add", "https://x/#a"), "expected one such as"),
            (("add", "https:///x"), "expected one such as"),
            (("add", "https://x y/"), "expected one such as"),
            (("add", f"http://127.0.0.1:{receiver.port}/hook?a=b"), "exists already"),
            (("add", "https://x/", "--events", "sticker.created,cake"), 'found "cake"'),
            (("add", "https://x/", "--events", "webhook.test"), "events: expected"),
            (("remove", "999"), "there is no webhook 999"),
            (("enable", "x"), "expected the number of a webhook"),
            (("test", "999"), "there is no webhook 999"),
        ):
            self.assertIn(message, self.peel(*args, check=False))
        self.assertEqual(self.state(receiver)["events"], "sticker.created")
        self.assertNotIn("whsec_", json.dumps(self.peel("list")))
        self.peel("disable", receiver.id)
        self.assertIn("is disabled: enable it first", self.peel("test", receiver.id, check=False))
        history = str(self.system.sql("SELECT action, object, after FROM history WHERE model = 'webhooks'"))
        self.assertIn(f"http://127.0.0.1:{receiver.port}/hook?a=b", history)
        self.assertNotIn("whsec_", history)

    def test_what_failed_is_sent_again_in_order(self):
        receiver, other = self.hook(), self.hook()
        receiver.status = 500
        self.change("One")
        wait_until(lambda: self.state(receiver)["failures"] == 1, 10, "a failure")
        self.change("Two")
        self.received(other, 2)
        self.assertEqual(len(receiver.seen), 1, "what is behind a failure waits")
        [(due_us,)] = self.system.sql("SELECT due_us FROM webhooks WHERE id = ?", int(receiver.id))
        self.assertTrue(2 * 10**6 < due_us - time.time() * 10**6 < 7 * 10**6, "the first retry is after some 5 s")
        receiver.status = 200
        self.retry_now()
        self.received(receiver, 3)
        wait_until(lambda: self.state(receiver)["waiting"] == 0, 10, "both delivered")
        ids = [headers["webhook-id"] for _, _, headers, _ in receiver.seen]
        self.assertEqual(ids[0], ids[1], "the same message is sent again")
        self.assertEqual([m["data"]["title"] for m in receiver.messages()][2], "Two")
        self.assertEqual(self.state(receiver)["failures"], 0)
        metrics = self.get("/metrics").body.decode()
        self.assertRegex(metrics, r'peel_sticker_webhook_attempts_total\{result="failed"\} [1-9]')
        self.assertIn('peel_sticker_webhooks{state="enabled"}', metrics)

    def test_it_is_disabled_when_it_is_gone_or_fails_for_too_long(self):
        gone, broken = self.hook(), self.hook()
        gone.status, broken.status = 410, 503
        self.system.sql("UPDATE webhooks SET failures = 18 WHERE id = ?", int(broken.id))
        self.change("Gone")
        for receiver, why in ((gone, "410 Gone"), (broken, "19 attempts in a row failed")):
            wait_until(lambda: why in self.state(receiver)["disabled"], 10, why)
            self.assertEqual(self.state(receiver)["waiting"], 1)
        broken.status = 200
        self.peel("enable", broken.id)
        self.received(broken, 2)
        wait_until(lambda: self.state(broken)["waiting"] == 0, 10, "what waited is delivered")

    def test_answers_are_bounded_and_redirects_are_not_followed(self):
        receiver, elsewhere = self.hook(), self.hook("--events", "votes.held")
        receiver.body = b"x" * 100_000
        self.assertEqual(self.peel("test", receiver.id)["status"], 204)
        receiver.status = 307
        self.assertIn("answered with status 307", self.peel("test", receiver.id, check=False))
        self.assertEqual(len(elsewhere.seen), 0)

    def test_the_admin_page(self):
        receiver = Receiver()
        self.addCleanup(receiver.close)
        admin = Visitor(self.port)
        admin.log_in("admin", "a long password")
        admin.get("/admin/webhooks/")
        url = f"http://127.0.0.1:{receiver.port}/"
        for fields, message in (({"url": "gopher:x"}, "expected one such as https"), ({"url": url}, "Choose at least one event."), ({"url": url, "event": "x&y"}, "events: expected")):
            answer = admin.post("/admin/webhooks/", action="add", **fields)
            self.assertEqual(answer.status, 400)
            self.assertIn(message, answer.text)
        self.assertEqual(admin.post("/admin/webhooks/", action="cake").status, 400)
        added = admin.post("/admin/webhooks/", action="add", url=url, event="sticker.changed")
        secret = re.search(r"whsec_[\w+/]+=*", added.text)[0]
        receiver.id = re.search(rf'id=(\d+)">{url}<', added.text)[1]
        self.addCleanup(lambda: self.peel("remove", receiver.id, check=False))
        self.assertNotIn(secret, admin.get("/admin/webhooks/").text)
        self.assertEqual(admin.post("/admin/webhooks/", action="test", id=receiver.id).status, 303)
        self.received(receiver, 1)
        page = wait_until(lambda: (text := admin.get(f"/admin/webhooks/?id={receiver.id}").text).find("delivered: 204") > 0 and text, 10, "the delivery")
        seq = re.search(r'name="seq" value="(\d+)"', page)[1]
        admin.post("/admin/webhooks/", action="resend", id=receiver.id, seq=seq)
        self.received(receiver, 2)
        self.assertEqual(receiver.seen[0][2]["webhook-id"], receiver.seen[1][2]["webhook-id"])
        admin.post("/admin/webhooks/", action="disable", id=receiver.id)
        self.assertEqual(self.state(receiver)["disabled"], "Switched off.")
        admin.post("/admin/webhooks/", action="enable", id=receiver.id)
        self.assertTrue(self.state(receiver)["enabled"])
        admin.post("/admin/webhooks/", action="remove", id=receiver.id)
        self.assertIn("there is no webhook", self.peel("test", receiver.id, check=False))
        self.assertEqual(admin.post("/admin/webhooks/", action="remove", id=receiver.id).status, 404)

    def test_only_with_the_permission(self):
        self.system.run("user", "create", "staff", "--staff", stdin="a long password\n")
        staff = Visitor(self.port)
        staff.log_in("staff", "a long password")
        self.assertNotIn("/admin/webhooks/", staff.get("/admin/").text)
        self.assertEqual(staff.get("/admin/webhooks/").status, 403)
        self.assertEqual(staff.post("/admin/webhooks/", action="add", url="https://x/", event="sticker.created").status, 403)

    def test_two_services_send_each_message_once(self):
        receiver, port = self.hook(), self.port
        second = self.system.start_sticker(*self.arguments)
        self.system.port = port
        for i in range(12):
            self.port = (port, second)[i % 2]
            self.change(f"Title {i}")
        wait_until(lambda: self.state(receiver)["waiting"] == 0, 20, "all delivered")
        del self.port
        self.assertEqual(len({headers["webhook-id"] for _, _, headers, _ in receiver.seen}), 12)
        self.assertEqual(len(receiver.seen), 12)
        self.system.processes.pop().stop()
        self.system.sticker = self.system.processes[-1]

    def test_z_a_crash_loses_nothing(self):
        receiver = self.hook("--events", "sticker.created,sticker.removed")
        receiver.status = 503
        self.put("crash.png")
        self.system.sticker.child.send_signal(signal.SIGKILL)
        self.system.sticker.child.wait()
        receiver.status = 204
        receiver.seen.clear()
        self.system.run("delete", "crash.png", "--yes")
        self.retry_now()
        type(self).port = self.system.start_sticker()  # private addresses are refused
        wait_until(lambda: "127.0.0.1 is not an address of the public internet" in self.error(receiver), 20, "the refusal")
        self.assertEqual(receiver.seen, [])
        self.system.sticker.stop()
        self.retry_now()
        type(self).port = self.system.start_sticker(*self.arguments)
        created, removed = self.received(receiver, 2)
        self.assertEqual((created["type"], created["data"]), ("sticker.created", {"filename": "crash.png"}))
        self.assertEqual(removed["type"], "sticker.removed")


if __name__ == "__main__":
    main()
