#!/usr/bin/env python3
"""Accounts: tokens that expire, sessions that are listed and ended, passwords that are refused, and two-factor authentication
with codes that this file computes itself (RFC 6238)."""

import base64
import hmac
import html
import pathlib
import re
import struct
import tempfile
import time

from peel_testing import main, request
from test_admin import PASSWORD
from test_admin_sessions import Browser, SessionTest

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1"


def code(secret, step=None):
    step = int(time.time()) // 30 if step is None else step
    mac = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    at = mac[-1] & 15
    return f"{(struct.unpack('>I', mac[at:at + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


PROXY = ("--trusted-proxies", "127.0.0.1")  # each browser has an address of its own


class AccountTest(SessionTest):
    arguments = PROXY

    def add_user(self, name, **flags):
        """A browser in which the new user is logged in."""
        super().add_user(name, **flags)
        visitor = Browser(self.port)
        self.assertEqual(visitor.log_in(name).status, 303)
        return visitor

    def analytics_status(self, key):
        answer = request(self.port, "GET", "/api/analytics/?query=none", headers={"Authorization": "Token " + key})
        return answer.status, answer


class Tokens(AccountTest):
    def test_expiry_in_the_form(self):
        self.admin.get("/admin/tokens/edit")
        for wrong in ("0", "3651", "soon", "-1"):
            answer = self.admin.post("/admin/tokens/edit", username="admin", label="wrong", expires_days=wrong, seen="0")
            self.assertEqual(answer.status, 400, wrong)
        made = self.admin.post("/admin/tokens/edit", username="admin", label="ninety", expires_days="90", seen="0")
        key = re.search(r'<code id="token">([0-9a-f]{40})</code>', made.text)[1]
        days = (self.system.sql("SELECT expires_us FROM tokens WHERE label = 'ninety'")[0][0] / 1e6 - time.time()) / 86400
        self.assertTrue(89.9 < days < 90.1, days)
        self.assertEqual(self.analytics_status(key)[0], 404, "no such query, but let in")
        self.system.sql("UPDATE tokens SET expires_us = ? WHERE label = 'ninety'", 1_700_000_000_000_000)
        status, answer = self.analytics_status(key)
        self.assertEqual((status, answer.headers["WWW-Authenticate"]), (401, "Token"))
        self.assertIn("This token expired on 2023-11-14 at 22:13 UTC. Create a new one.", answer.json()["detail"])
        self.admin.post("/admin/tokens/edit", username="admin", label="for ever", expires_days="", seen="0")
        listed = self.admin.get("/admin/tokens/").text
        self.assertIn("2023-11-14", listed)
        self.assertEqual(self.system.sql("SELECT expires_us FROM tokens WHERE label = 'for ever'"), [(0,)])

    def test_expiry_on_the_command_line(self):
        made = self.system.run("token", "create", "admin", "--label", "short", "--expires", "90d", "--json").stdout
        self.assertRegex(made, r'"expires": "20\d\d-')
        self.assertRegex(self.system.run("token", "list").stdout, r"expires 20\d\d-\d\d-\d\d  short")
        refused = self.system.run("token", "create", "admin", "--expires", "11y", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--expires", refused.stderr)


class Sessions(AccountTest):
    def visitor(self, agent, name="admin"):
        v = Browser(self.port)
        ask = v.ask
        v.ask = lambda method, target, fields=None, **more: ask(method, target, fields, **{"User-Agent": agent, **more})
        self.assertEqual(v.log_in(name).status, 303)
        return v

    def sessions(self, v):
        return re.findall(r"<tr><td[^>]*>([^<]+)</td><td[^>]*>([^<]+)</td>", v.get("/admin/account").text)

    def test_own_sessions_are_listed_and_ended(self):
        self.add_user("dora", is_staff="1")
        here, phone = self.visitor(FIREFOX, "dora"), self.visitor(PHONE, "dora")
        rows = self.sessions(here)
        self.assertIn(("Firefox on Linux", here.address), rows)
        self.assertIn(("Safari on iPhone", phone.address), rows)
        self.assertEqual(len(rows), 3, "and the one of add_user")
        page = here.get("/admin/account").text
        hashes = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
        self.assertEqual(len(hashes), 2)
        (foreign,) = self.system.sql("SELECT hash_hex FROM sessions s JOIN users u ON u.id = s.user_id WHERE u.username = 'admin' LIMIT 1")
        self.assertIn("0 sessions", here.post("/admin/account", session=foreign[0]).text)
        self.assertEqual(self.admin.get("/admin/stickers/").status, 200, "not theirs to end")
        phone_hash = self.system.sql("SELECT hash_hex FROM sessions WHERE browser = 'Safari on iPhone'")[0][0]
        self.assertIn("1 session has been logged out", here.post("/admin/account", session=phone_hash).text)
        self.assertEqual(phone.get("/admin/stickers/").status, 303)
        self.assertIn("1 session has been logged out", here.post("/admin/account", session="others").text)
        self.assertEqual(self.sessions(here), [("Firefox on Linux", here.address)])
        self.assertIn(("delete", "sessions", "dora"), [(e["action"], e["model"], e["object"]) for e in self.history(False)])

    def test_superusers_see_and_end_everybodys(self):
        dora = self.add_user("fred", is_staff="1")
        self.assertEqual(dora.get("/admin/sessions/").status, 403)
        listed = self.admin.get("/admin/sessions/?username=fred").text
        self.assertIn("Unknown browser", listed)
        (ident,) = re.findall(r'name="id" value="([0-9a-f]{64})"', listed)
        self.assertEqual(self.admin.get(f"/admin/sessions/edit?id={ident}").status, 200)
        asked = self.admin.get(f"/admin/sessions/delete?id={ident}")
        fields = {name: html.unescape(value) for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', asked.text)}
        self.assertEqual(self.admin.ask("POST", "/admin/sessions/action", {**fields, "action": "delete", "csrf": self.admin.csrf}).status, 303)
        self.assertEqual(dora.get("/admin/stickers/").status, 303)


class Passwords(AccountTest):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="peel-api-")
        cls.denied = pathlib.Path(cls.folder.name, "denied")
        cls.denied.write_text("shadowfax\ntrustno1\n")
        cls.arguments = (*PROXY, "--password-deny-list", str(cls.denied))
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.folder.cleanup()

    def test_common_passwords_are_refused_everywhere(self):
        self.admin.get("/admin/users/edit")
        for password, why in {"password123": "easy to guess", "gretagreta": "easy to guess", "12345678": "easy to guess",
                              "Shadowfax99": "list of common passwords", "short": "At least 8"}.items():
            answer = self.admin.post("/admin/users/edit", username="greta", password=password, is_active="1", seen="0")
            self.assertEqual(answer.status, 400, password)
            self.assertIn(why, answer.text)
            self.assertNotIn(password, answer.text)
            self.admin.get("/admin/password")
            own = self.admin.post("/admin/password", old=PASSWORD, new=password.replace("greta", "admin"), again=password.replace("greta", "admin"))
            self.assertEqual(own.status, 400, password)
            done = self.system.run("user", "create", "greta", "--password-deny-list", str(self.denied), stdin=password + "\n", check=False)
            self.assertEqual(done.returncode, 1, password)
        self.assertEqual(self.system.sql("SELECT count(*) FROM users WHERE username = 'greta'"), [(0,)])

    def test_a_list_that_is_missing_is_named(self):
        done = self.system.run("user", "create", "ida", "--password-deny-list", "/nonexistent", stdin=PASSWORD + "\n", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent", done.stderr)


class TwoFactorTest(AccountTest):
    def turn_on(self, v):
        page = v.get("/admin/two-factor").text
        secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)[1]
        self.assertIn("<svg class=\"qr\"", page)
        step = int(time.time()) // 30
        answer = v.post("/admin/two-factor", secret=secret, password=PASSWORD, code=code(secret, step - 1))
        self.assertEqual(answer.status, 200, answer.text)
        codes = re.findall(r"<li><code>([a-z0-9-]{19})</code></li>", answer.text)
        self.assertEqual(len(codes), 10)
        return secret, codes, step - 1

    def second(self, v, text):
        return v.post("/admin/login/code", ticket=v.ticket, username=v.name, next="/admin/stickers/", code=text)

    def first(self, name):
        v = Browser(self.port)
        answer = v.log_in(name)
        self.assertEqual(answer.status, 200, answer.text)
        self.assertNotIn("peel_session", v.cookies)
        v.ticket, v.name = re.search(r'name="ticket" value="([^"]+)"', answer.text)[1], name
        return v


class TwoFactor(TwoFactorTest):
    def test_on_used_and_off(self):
        v = self.add_user("hana", is_staff="1")
        other = Browser(self.port)
        other.log_in("hana")
        v.get("/admin/two-factor")
        wrong = v.post("/admin/two-factor", secret="A" * 32, password=PASSWORD, code="000000")
        self.assertEqual(wrong.status, 400)
        self.assertIn("A" * 32, wrong.text, "the secret that was scanned stays")
        secret, codes, step = self.turn_on(v)
        self.assertEqual(other.get("/admin/stickers/").status, 303, "other sessions are ended")
        self.assertEqual(v.get("/admin/stickers/").status, 200)
        stored = self.system.sql("SELECT totp FROM users WHERE username = 'hana'")[0][0]
        self.assertEqual(stored, "plain:" + secret, "there is no key")
        self.assertNotIn(codes[0], str(self.system.sql("SELECT * FROM recovery_codes")))

        w = self.first("hana")
        self.assertEqual(self.second(w, code(secret, step)).status, 401, "the code that turned it on")
        self.assertEqual(self.second(w, code(secret, step - 5)).status, 401, "an old one")
        entered = self.second(w, code(secret, step + 1))
        self.assertEqual((entered.status, entered.headers["Location"]), (303, "/admin/stickers/"))
        self.assertEqual(w.get("/admin/stickers/").status, 200)
        w = self.first("hana")
        self.assertEqual(self.second(w, code(secret, step + 1)).status, 401, "a code counts once")
        self.assertEqual(self.second(w, codes[3].upper().replace("-", " ")).status, 303, "a recovery code")
        w = self.first("hana")
        self.assertEqual(self.second(w, codes[3]).status, 401, "which is used up")
        self.assertIn("9 unused recovery codes", v.get("/admin/two-factor").text)

        v.get("/admin/two-factor")
        self.assertEqual(v.post("/admin/two-factor", password="wrong password", code=codes[4]).status, 400)
        off = v.post("/admin/two-factor", password=PASSWORD, code=codes[4])
        self.assertEqual(off.status, 200, off.text)
        self.assertEqual(Browser(self.port).log_in("hana").status, 303)
        notes = [e["after"] for e in self.history(False) if e["action"] == "two-factor" and e["object"] == "hana"]
        self.assertEqual(sorted(notes), ['{"two_factor":"off"}', '{"two_factor":"on"}'])

    def test_guessing_codes_is_delayed(self):
        v = self.add_user("ines", is_staff="1")
        secret, codes, step = self.turn_on(v)
        w = self.first("ines")
        statuses = [self.second(w, f"{i:06d}").status for i in range(7)]
        self.assertEqual(statuses[:5], [401] * 5)
        self.assertIn(429, statuses)
        self.assertEqual(self.second(w, code(secret, step + 1)).status, 429, "the right one too, for a while")

    def test_a_ticket_is_for_one_form_and_one_user(self):
        v = self.add_user("jana", is_staff="1")
        secret, codes, step = self.turn_on(v)
        w, x = self.first("jana"), Browser(self.port)
        x.get("/admin/login")
        for form in ({"ticket": w.ticket, "username": "jana"}, {"ticket": "", "username": "jana"}, {"ticket": "9999999999." + "0" * 64, "username": "jana"},
                     {"ticket": w.ticket, "username": "admin"}):
            self.assertEqual(x.post("/admin/login/code", next="", code=code(secret, step + 1), **form).status, 403, form)
        self.assertEqual(self.second(w, code(secret, step + 1)).status, 303)

    def test_reset_on_the_command_line(self):
        v = self.add_user("kira", is_staff="1")
        self.turn_on(v)
        self.assertIn("two-factor", self.system.run("user", "list").stdout)
        self.system.run("user", "totp-reset", "kira")
        self.assertEqual(v.get("/admin/stickers/").status, 303)
        self.assertEqual(Browser(self.port).log_in("kira").status, 303)
        self.assertEqual(self.system.run("user", "totp-reset", "nobody", check=False).returncode, 1)


class Encrypted(TwoFactorTest):
    arguments = (*PROXY, "--totp-key", "a key for the tests only")

    def test_the_secret_is_encrypted(self):
        v = self.add_user("lena", is_staff="1")
        self.turn_on(v)
        self.assertTrue(self.system.sql("SELECT totp FROM users WHERE username = 'lena'")[0][0].startswith("box:"))


class Required(AccountTest):
    arguments = (*PROXY, "--require-totp", "--totp-key", "a key for the tests only")

    def test_nothing_else_is_open_before(self):
        for page in ("/admin/", "/admin/stickers/", "/admin/account", "/admin/password", "/admin/stickers/export"):
            answer = self.admin.get(page)
            self.assertEqual((answer.status, answer.headers["Location"]), (303, "/admin/two-factor"), page)
        page = self.admin.get("/admin/two-factor").text
        self.assertIn("requires two-factor", page)
        secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)[1]
        self.assertEqual(self.admin.post("/admin/two-factor", secret=secret, password=PASSWORD, code=code(secret)).status, 200)
        self.assertEqual(self.admin.get("/admin/stickers/").status, 200)
        self.admin.get("/admin/two-factor")
        off = self.admin.post("/admin/two-factor", password=PASSWORD, code=code(secret, int(time.time()) // 30 + 1))
        self.assertEqual(off.status, 400, "it cannot be turned off")


if __name__ == "__main__":
    main()
