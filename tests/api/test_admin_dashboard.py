"""The admin's dashboard: its numbers, who may see it, hostile text, and SearchService away."""

import html
import os
import re
import signal
import sqlite3
import time

from peel_testing import SLOW, System, main, stop, wait_until
from test_admin import HOSTILE, PASSWORD, AdminTest, Visitor


def panel(page, title):
    return page.split(f"<h2>{title}</h2>")[1].split("</section>")[0]


class Dashboard(AdminTest):
    def add_query(self, text, usage):
        self.admin.get("/admin/queries/edit")
        self.assertEqual(self.admin.post("/admin/queries/edit", query=text, usage=str(usage), seen="0").status, 303)

    def test_numbers_and_hostile_text(self):
        self.add_query(HOSTILE, 900)
        self.add_query("half as much", 450)
        self.admin.get("/admin/scores/edit")
        self.assertEqual(self.admin.post("/admin/scores/edit", query=HOSTILE, sticker="cake.png", positives="0", negatives="7",
                                         seen="0").status, 303)
        page = self.admin.get("/admin/")
        self.assertEqual(page.status, 200)
        self.assertNotIn("<script>alert", page.text)
        self.assertNotIn("style=", page.text)
        used = panel(page.text, "Most used queries")
        self.assertEqual(re.findall(r'<td class="number">(\d+)</td>', used)[:2], ["900", "450"])
        self.assertEqual([int(w) for w in re.findall(r'<rect [^>]*width="(\d+)"', used)[:2]], [300, 150])
        against = panel(page.text, "Most votes against")
        self.assertIn("cake.png", against)
        self.assertIn('<td class="number">7</td>', against)
        self.assertNotIn("cake.png", panel(page.text, "Most votes for"), "no vote for it")
        links = [html.unescape(t) for t in re.findall(r'href="(/admin/(?:queries|scores)/[^"]+)"', page.text)]
        self.assertTrue(links)
        for target in links:
            self.assertEqual(self.admin.get(target).status, 200, target)
        wait_until(lambda: re.search(r'<a href="/admin/documents/">\d+ documents</a>; algorithm', self.admin.get("/admin/").text), what="SearchService's answer")

    def day(self, days=""):
        page = self.admin.get("/admin/" + days)
        self.assertEqual(page.status, 200)
        table = panel(page.text, "Day by day").split("<tbody>")[1]
        return page.text, [[int(n) for n in re.findall(r'<td class="number">(\d+)</td>', row)] for row in table.split("<tr>")[1:]]

    def test_day_by_day(self):
        before = self.day()[1][0]
        self.search("cake")
        for _ in range(2):
            self.assertEqual(self.search("zzyzx qwrtp").json()["total"], 0)
        self.assertEqual(self.get("/?q=zzyzx+qwrtp").status, 200)
        self.assertEqual(self.get("/?part=count&q=zzyzx+qwrtp").status, 204)
        self.feedback({"query": "cake", "positive": ["cat.png"], "negative": ["no such.png"]})
        wanted = [before[0] + 5, before[1] + 4, before[2], before[3] + 1, before[4]]
        wait_until(lambda: self.day()[1][0][0] >= wanted[0], what="the counts")
        page, rows = self.day()
        self.assertEqual(rows[0], wanted)
        self.assertEqual(len(rows), 30)
        self.assertEqual([n for row in rows[1:] for n in row], [0] * 29 * 5)
        self.assertIn("zzyzx qwrtp", panel(page, "Searches without results"))
        self.assertNotIn("cake", panel(page, "Searches without results"))
        self.assertIn('href="/admin/queries/?sort=empty&amp;order=down"', page)
        for days in (7, 90, 365):
            page, rows = self.day(f"?days={days}")
            self.assertEqual(len(rows), days)
            self.assertEqual(rows[0], wanted)
            lines = re.findall(r'<polyline[^>]* points="([^"]+)"|<polyline points="([^"]+)"', page)
            self.assertEqual([len("".join(line).split()) for line in lines], [days] * 4)
            self.assertRegex(page, rf'href="/admin/\?days={days}" aria-current="page"')
        for wrong in ("8", "0", "-7", "366", "x", "7x", "99999999999999999999"):
            self.assertEqual(self.admin.get("/admin/?days=" + wrong).status, 400, wrong)

    def test_an_older_database_is_migrated(self):
        system = System()
        self.addCleanup(system.close)
        system.add({"cat.png": ("Cat", "cat")})
        db = sqlite3.connect(system.data / "sticker.db")
        db.executescript("""
            INSERT INTO queries (id, query, usage, created_us, modified_us, row) VALUES ('q', 'cat', 7, 1, 1, 1);
            DROP INDEX queries_empty; ALTER TABLE queries DROP COLUMN empty; DROP TABLE days;
            DELETE FROM schema_migrations WHERE version >= 4;""")
        system.run("user", "list")
        self.assertEqual(db.execute("SELECT query, usage, empty FROM queries").fetchall(), [("cat", 7, 0)])
        self.assertEqual(db.execute("SELECT count(*) FROM days").fetchone(), (0,))
        self.assertEqual(db.execute("PRAGMA integrity_check").fetchone(), ("ok",))
        db.close()

    def test_who_may_see_it(self):
        def add(name, **flags):
            self.admin.get("/admin/users/edit")
            self.assertEqual(self.admin.post("/admin/users/edit", username=name, password=PASSWORD, is_active="1", seen="0", **flags).status, 303)
            visitor = Visitor(self.port)
            self.assertEqual(visitor.log_in(name).status, 303)
            return visitor

        self.assertEqual(Visitor(self.port).get("/admin/").status, 303)
        self.assertIn("Most used queries", add("staff", is_staff="1").get("/admin/").text)
        for name, rights in (("people", ["users.view"]), ("lookers", ["dashboard.view"])):
            self.admin.get("/admin/groups/edit")
            self.admin.post("/admin/groups/edit", name=name, permissions=rights, seen="0")
        answer = add("helper", groups=self.row_id("groups", "people")).get("/admin/")
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "/admin/users/"))
        looker = add("looker", groups=self.row_id("groups", "lookers")).get("/admin/")
        self.assertEqual(looker.status, 200)
        self.assertNotIn("Most used queries", looker.text, "may not see the list of queries")

    def test_search_service_hangs(self):
        child = self.system.search.child.pid

        def notices():
            began = time.monotonic()
            page = self.admin.get("/admin/")
            self.assertLess(time.monotonic() - began, 1 * SLOW)
            self.assertEqual(page.status, 200)
            return "unreachable" in page.text

        stop(child)
        try:
            wait_until(notices, 5, "a dashboard that says so")
            times = []
            for _ in range(8):  # over more than the second after which it is asked again
                began = time.monotonic()
                self.assertTrue(notices())
                times.append(time.monotonic() - began)
                time.sleep(0.2)
            self.assertLess(max(times), 0.1 * SLOW, "nobody waits for what does not answer")
            before = self.day()[1][0]
            self.assertTrue(self.search("zzyzx").json()["degraded"])
            wait_until(lambda: self.day()[1][0][0] > before[0], what="the count")
            self.assertEqual(self.day()[1][0][:3], [before[0] + 1, before[1], before[2] + 1], "degraded is not empty")
        finally:
            os.kill(child, signal.SIGCONT)
        wait_until(lambda: not notices(), what="a dashboard that sees it again")


if __name__ == "__main__":
    main()
