"""Sessions, throttling and tokens of the admin's forms: what ends a session, what cookies say, how fast passwords can
be guessed, and that every page and every form asks who is there, what they may do and where they come from."""

import hashlib
import re
import statistics
import time
import urllib.parse

from admin_crawl import VIEWS, contents, crawl, fill, forms_right, right_for, send
from peel_testing import ADMIN_TOKEN, SLOW, main, request
from test_admin import PASSWORD, AdminTest, Visitor

SECOND = 1_000_000
IDLE_S, MOST_S = 600, 6000
STAFF = {"dashboard.view", "queries.view", "scores.view", "documents.view", "documents.change", "stickers.view", "stickers.add", "stickers.change"} | {
    f"{table}.{right}" for table in ("pins", "synonyms") for right in ("view", "add", "change", "delete")
}


class Browser(Visitor):
    """Somebody at an address of their own, behind the proxy that the service trusts."""

    addresses = 0

    def __init__(self, port, address=None):
        super().__init__(port)
        Browser.addresses += 1
        self.address = address or f"192.0.2.{Browser.addresses}"

    def ask(self, method, target, fields=None, **headers):
        return super().ask(method, target, fields, **{"X-Forwarded-For": self.address, **headers})

    def ask_raw(self, method, target, body, kind, **headers):
        cookies = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        answer = request(self.port, method, target, body, {"Content-Type": kind, "Cookie": cookies, **headers})
        answer.text = answer.body.decode()
        return answer


class SessionTest(AdminTest):
    arguments = ("--trusted-proxies", "127.0.0.1", "--session-idle-s", str(IDLE_S), "--session-most-s", str(MOST_S))

    def setUp(self):
        self.admin = Browser(self.port)
        self.assertEqual(self.admin.log_in().status, 303)

    def add_user(self, name, **flags):
        self.admin.get("/admin/users/edit")
        added = self.admin.post("/admin/users/edit", username=name, password=PASSWORD, is_active="1", seen="0", **flags)
        self.assertEqual(added.status, 303, added.text)


def digest(visitor):
    return hashlib.sha256(visitor.cookies["peel_session"].encode()).hexdigest()


class Sessions(SessionTest):
    def is_in(self, visitor):
        return visitor.get("/admin/stickers/").status == 200

    def ages(self, visitor, column, seconds):
        self.system.sql(f"UPDATE sessions SET {column} = {column} - ? WHERE hash_hex = ?", seconds * SECOND, digest(visitor))

    def test_idle(self):
        self.ages(self.admin, "seen_us", IDLE_S - 30)
        self.assertTrue(self.is_in(self.admin))
        self.ages(self.admin, "seen_us", IDLE_S - 30)
        self.assertTrue(self.is_in(self.admin), "being here is noted, so that only idle time counts")
        self.admin.get("/admin/queries/edit")
        self.ages(self.admin, "seen_us", IDLE_S + 1)
        late = self.admin.post("/admin/queries/edit", query="too late", usage="1", seen="0")
        self.assertEqual((late.status, late.headers["Location"]), (303, "/admin/login"))
        self.assertFalse(self.is_in(self.admin))
        self.assertEqual(self.system.sql("SELECT count(*) FROM queries WHERE query = 'too late'"), [(0,)])

    def test_absolute(self):
        self.ages(self.admin, "created_us", MOST_S - 30)
        self.assertTrue(self.is_in(self.admin))
        self.ages(self.admin, "created_us", 31)
        self.assertFalse(self.is_in(self.admin), "however busy")

    def test_rotation(self):
        planted = "ab" * 32
        visitor = Browser(self.port)
        visitor.cookies["peel_session"] = planted
        self.assertEqual(visitor.log_in().status, 303)
        self.assertNotEqual(visitor.cookies["peel_session"], planted)
        first = Browser(self.port)
        first.cookies = dict(visitor.cookies)
        self.assertTrue(self.is_in(first))
        self.assertEqual(visitor.log_in().status, 303)
        self.assertFalse(self.is_in(first), "the session before this login")
        self.assertTrue(self.is_in(visitor))
        first.cookies["peel_session"] = planted
        self.assertFalse(self.is_in(first))
        rows = self.system.sql("SELECT hash_hex FROM sessions")
        self.assertIn((digest(visitor),), rows)
        self.assertNotIn(visitor.cookies["peel_session"], str(rows), "the database knows no token")

    def test_the_log_says_who_came_and_what_they_took(self):
        guesser = Browser(self.port)
        self.assertEqual(guesser.log_in("nobody at all", "guessed password").status, 401)
        self.assertEqual(self.admin.get("/admin/queries/export").status, 200)
        taken = {"Authorization": f"Token {ADMIN_TOKEN}", "X-Forwarded-For": "198.51.100.7"}
        self.assertEqual(request(self.port, "GET", "/api/analytics/export?format=csv", headers=taken).status, 200)
        self.admin.get("/admin/password")
        self.assertEqual(self.admin.post("/admin/logout").status, 303)
        log = self.system.sticker.log()
        for line in (
            rf"a login failed, from {guesser.address}\b",
            rf"admin\W+logged in from {self.admin.address}\b",
            rf"admin\W+exports the queries from {self.admin.address}\b",
            r'"admin" exports the feedback with a token from 198\.51\.100\.7\b',
            rf"admin\W+logged out from {self.admin.address}\b",
        ):
            self.assertRegex(log, line)
        for secret in (PASSWORD, "guessed password", ADMIN_TOKEN):
            self.assertNotIn(secret, log)

    def test_logout_and_a_new_password(self):
        self.add_user("mover", is_superuser="1")
        here, there = Browser(self.port), Browser(self.port)
        for visitor in (here, there):
            self.assertEqual(visitor.log_in("mover").status, 303)
        here.get("/admin/password")
        changed = here.post("/admin/password", old=PASSWORD, new="a longer password", again="a longer password")
        self.assertEqual(changed.status, 200)
        self.assertTrue(self.is_in(here))
        self.assertFalse(self.is_in(there), "logged out by the new password")
        self.assertEqual(there.log_in("mover").status, 401, "the old password")
        self.assertEqual(there.log_in("mover", "a longer password").status, 303)
        kept, where = dict(here.cookies), digest(here)
        here.get("/admin/password")
        self.assertEqual(here.post("/admin/logout").status, 303)
        self.assertEqual(self.system.sql("SELECT count(*) FROM sessions WHERE hash_hex = ?", where), [(0,)])
        here.cookies = kept
        self.assertFalse(self.is_in(here), "ended on the server too")
        ident = self.row_id("users", "mover")
        self.assertTrue(self.is_in(there))
        seen = re.search(r'name="seen" value="(\d+)"', self.admin.get("/admin/users/edit?id=" + ident).text)[1]
        self.assertEqual(self.admin.post("/admin/users/edit?id=" + ident, username="mover", seen=seen).status, 303)
        self.assertFalse(self.is_in(there), "not active any more")

    def test_cookies(self):
        for proto, secure in (({}, False), ({"X-Forwarded-Proto": "http"}, False), ({"X-Forwarded-Proto": "https"}, True)):
            visitor = Browser(self.port)
            answers = [visitor.ask("GET", "/admin/login", **proto)]
            fields = {"csrf": visitor.csrf, "username": "admin", "password": PASSWORD, "next": ""}
            answers.append(visitor.ask("POST", "/admin/login", fields, **proto))
            visitor.get("/admin/password")
            answers.append(visitor.ask("POST", "/admin/logout", {"csrf": visitor.csrf}, **proto))
            for answer in answers:
                cookies = answer.headers.get_all("Set-Cookie")
                self.assertTrue(cookies)
                for cookie in cookies:
                    parts = cookie.split("; ")
                    for wanted in ("HttpOnly", "SameSite=Lax", "Path=/admin"):
                        self.assertIn(wanted, parts)
                    self.assertEqual("Secure" in parts, secure, cookie)
            self.assertIn(f"Max-Age={MOST_S}", str(answers[1].headers))
            self.assertIn("Max-Age=0", str(answers[2].headers))


class Guessing(SessionTest):
    """The delays are looked at by making the last attempt older, not by waiting."""

    def later(self, key, seconds):
        self.system.sql("UPDATE logins SET last_us = last_us - ? WHERE key = ?", seconds * SECOND, key)

    def delays(self, key, attempts, attempt):
        """Retry-After after each failure that counts, from the first that delays on."""
        found = []
        for _ in range(attempts):
            self.assertEqual(attempt(), (401, None))
            self.system.sql("UPDATE logins SET last_us = ? WHERE key = ?", int(time.time() * SECOND), key)  # however slow this machine is
            status, seconds = attempt()
            if status == 429:
                found.append(int(seconds))
                self.later(key, int(seconds))
        return found

    def test_by_account(self):
        self.add_user("guessed", is_staff="1")

        def attempt():  # from ever other addresses
            answer = Browser(self.port).log_in("guessed", "a wrong password")
            return answer.status, answer.headers["Retry-After"]

        key = "account guessed"
        self.assertEqual([attempt() for _ in range(4)], [(401, None)] * 4)
        found = self.delays(key, 8, attempt)
        self.assertEqual(found[:5], [1, 2, 4, 8, 16])
        self.assertEqual(set(found[5:]), {30}, "the owner waits no longer than this")
        self.assertEqual(attempt()[0], 401)
        self.assertEqual(Browser(self.port).log_in("guessed").status, 429, "the right one waits too")
        self.later(key, 30)
        self.assertEqual(Browser(self.port).log_in("guessed").status, 303)
        self.assertEqual(self.system.sql("SELECT failures FROM logins WHERE key = ?", key), [], "forgotten")

    def test_a_device_of_the_owner_is_not_kept_out(self):
        self.add_user("besieged", is_staff="1")
        owner = Browser(self.port)
        self.assertEqual(owner.log_in("besieged").status, 303)
        device = owner.cookies["peel_device"]
        for _ in range(12):
            Browser(self.port).log_in("besieged", "a wrong password")
        self.assertEqual(Browser(self.port).log_in("besieged").status, 429, "a device that nobody knows waits")
        self.assertEqual(owner.log_in("besieged").status, 303)
        forged = Browser(self.port)
        forged.cookies["peel_device"] = device[:-1] + ("0" if device[-1] != "0" else "1")
        self.assertEqual(forged.log_in("besieged").status, 429)
        other = Browser(self.port)
        other.cookies["peel_device"] = device  # of another account
        for _ in range(5):
            other.log_in("guess", "a wrong password")
        stolen = Browser(self.port)
        stolen.cookies["peel_device"] = device
        answers = [stolen.log_in("besieged", "a wrong password").status for _ in range(7)]
        self.assertIn(429, answers, "a device has only so many tries either")

    def test_a_network_is_one_address(self):
        answers = [Browser(self.port, f"2001:db8:77:1::{n:x}").log_in(f"six {n}", "a wrong password").status for n in range(14)]
        self.assertIn(429, answers)
        self.assertEqual(Browser(self.port, "2001:db8:77:2::1").log_in("six", "a wrong password").status, 401)

    def test_a_clock_that_was_ahead_keeps_nobody_out(self):
        day = 86400 * SECOND
        for n in range(6):
            Browser(self.port, "203.0.113.9").log_in("late", f"a wrong password {n}")
        self.system.sql("UPDATE logins SET last_us = last_us + ?", day)
        waiting = Browser(self.port, "203.0.113.10").log_in("late", "a wrong password")
        self.assertIn(waiting.status, (401, 429))
        self.assertLessEqual(int(waiting.headers["Retry-After"] or 0), 30)
        self.system.sql("UPDATE outbox_turn SET holder = 'gone', until_us = until_us + ?", day)
        self.system.sql("UPDATE outbox SET due_us = ?", int(time.time() * SECOND) + day)
        self.assertEqual(self.admin.log_in().status, 303)

    def test_by_address(self):
        address, names = "198.51.100.7", iter(range(1000))

        def attempt():  # ever other names
            answer = Browser(self.port, address).log_in(f"name {next(names)}", "a wrong password")
            return answer.status, answer.headers["Retry-After"]

        self.assertEqual([attempt() for _ in range(9)], [(401, None)] * 9)
        found = self.delays("address " + address, 3, attempt)
        self.assertEqual(found, [1, 2, 4])
        self.assertEqual(Browser(self.port).log_in().status, 303, "others are not delayed")
        self.system.sql("UPDATE logins SET failures = 40 WHERE key = ?", "address " + address)
        self.assertIn(int(attempt()[1] or 0), range(880, 901), "at most a quarter of an hour")

    def test_nobody_learns_which_accounts_there_are(self):
        self.add_user("rightless")
        cases = {"known": ("admin", "a wrong password"), "unknown": ("nobody at all", "a wrong password"), "right, no rights": ("rightless", PASSWORD),
                 "too long": ("n" * 151, "a wrong password")}
        times, answers = {name: [] for name in cases}, {}
        for _ in range(4):
            for case, (name, password) in cases.items():
                visitor = Browser(self.port)
                visitor.get("/admin/login")
                began = time.perf_counter()
                answer = visitor.post("/admin/login", username=name, password=password, next="")
                times[case].append(time.perf_counter() - began)
                shown = re.sub(r"[0-9a-f]{64}", "", answer.text).replace(f'value="{name}"', 'value=""')
                headers = sorted((n, re.sub(r"[0-9a-f]{64}", "", v)) for n, v in answer.headers.items() if n not in ("Date", "X-Request-Id", "Content-Length"))
                answers[case] = answer.status, headers, shown
        self.assertEqual(answers["known"][0], 401)
        for case in cases:
            self.assertEqual(answers[case], answers["known"], case)
            ratio = min(times[case]) / min(times["known"])
            self.assertTrue(0.4 < ratio < 2.5, f"{case}: {ratio:.2f} times as long; {statistics.median(times[case]):.3f} s")


class Tokens(SessionTest):
    def test_only_superusers_make_tokens_for_others(self):
        self.admin.get("/admin/groups/edit")
        made = self.admin.post("/admin/groups/edit", name="token makers", permissions=["tokens.add", "tokens.view"], seen="0")
        self.assertEqual(made.status, 303, made.text)
        self.add_user("maker", groups=self.row_id("groups", "token makers"))
        maker = Browser(self.port)
        self.assertEqual(maker.log_in("maker").status, 303)
        maker.get("/admin/tokens/edit")
        refused = maker.post("/admin/tokens/edit", username="admin", label="mine now", seen="0")
        self.assertNotEqual(refused.status, 303)
        self.assertIn("Only a superuser", refused.text)
        self.assertEqual(self.system.sql("SELECT count(*) FROM tokens WHERE label = 'mine now'"), [(0,)])
        own = maker.post("/admin/tokens/edit", username="maker", label="my own", seen="0")
        self.assertIn(own.status, (200, 303))
        self.assertEqual(self.system.sql("SELECT count(*) FROM tokens WHERE label = 'my own'"), [(1,)])


class Everything(SessionTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        admin = Browser(cls.port)
        assert admin.log_in().status == 303
        fill(admin)
        cls.pages, cls.forms = crawl(admin)

    def test_pages_were_found(self):
        self.assertGreater(len(self.pages), 45)
        self.assertGreater(len(self.forms), 25, list(self.forms))
        for target, status, _ in self.pages.values():
            self.assertEqual(status, 200, target)

    def test_every_form_asks_where_it_comes_from(self):
        other = Browser(self.port)
        self.assertEqual(other.log_in().status, 303)
        other.get("/admin/password")
        self.admin.get("/admin/password")
        before = contents(self.system.data)
        for form in self.forms.values():
            for csrf in (None, "", "0" * 64, other.csrf):
                self.assertEqual(send(self.admin, form, csrf).status, 403, (form.action, csrf))
            for headers in ({"Origin": "https://example.org"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
                self.assertEqual(send(self.admin, form, self.admin.csrf, **headers).status, 403, (form.action, headers))
        self.assertEqual(contents(self.system.data), before)

    def test_every_page_and_form_asks_who_is_there(self):
        for name, flags in (("staffed", {"is_staff": "1"}), ("viewing", {"groups": self.row_id("groups", "viewers")}), ("fallen", {"is_staff": "1"})):
            self.add_user(name, **flags)
        roles = {"nobody": None, "fallen": None, "staffed": STAFF, "viewing": set(VIEWS)}
        visitors = {name: Browser(self.port) for name in roles}
        for name in ("staffed", "viewing", "fallen"):
            self.assertEqual(visitors[name].log_in(name).status, 303)
            visitors[name].get("/admin/password")
        self.system.sql("UPDATE users SET is_staff = 0 WHERE username = 'fallen'")  # a session whose rights were taken away

        for name, rights in roles.items():
            visitor = visitors[name]
            for target, _, _ in self.pages.values():
                if target.startswith("/admin/login"):
                    continue
                answer, needs = visitor.get(target), right_for(target)
                if rights is None:
                    self.assertEqual((answer.status, answer.headers["Location"].split("?")[0]), (303, "/admin/login"), (name, target))
                else:
                    may = needs is None or ".".join(needs) in rights
                    self.assertEqual(answer.status, 200 if may else 403, (name, target))

        before = contents(self.system.data)
        for name, rights in roles.items():
            for form in self.forms.values():
                needs = forms_right(form)
                if not form.sends or not needs or form.action == "/admin/login" or (rights and ".".join(needs) in rights):
                    continue
                answer = send(visitors[name], form, visitors[name].csrf)
                self.assertEqual(answer.status, 303 if rights is None else 403, (name, form.action))
                if rights is None:
                    self.assertTrue(answer.headers["Location"].startswith("/admin/login"), form.action)
        self.assertEqual(contents(self.system.data), before)

    def test_what_is_allowed_is_done(self):
        """Last, by its name: the same forms with the right token, so that the refusals above mean something."""
        last = ("/admin/logout", "/admin/login")
        for form in sorted(self.forms.values(), key=lambda f: (f.action in last, "delete" in str(f.buttons))):
            if form.action == "/admin/login" or not form.sends:
                continue
            self.admin.get("/admin/password")
            answer = send(self.admin, form, self.admin.csrf)
            self.assertIn(answer.status, (200, 303, 400, 404, 409), form.action)
            text = urllib.parse.unquote(form.action)
            self.assertFalse(answer.status == 303 and "/admin/login" in answer.headers["Location"] and form.action != "/admin/logout", text)


if __name__ == "__main__":
    main()
