"""The admin's dashboard: its numbers, who may see it, hostile text, and SearchService away."""

import html
import os
import re
import signal
import time
import urllib.parse

from peel_testing import SLOW, main, stop, wait_until
from test_admin import HOSTILE, AdminTest, Visitor


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
        used = panel(page.text, "Top queries")
        self.assertEqual(re.findall(r'<td class="number">(\d+)</td>', used)[:2], ["900", "450"])
        self.assertEqual([int(w) for w in re.findall(r'<rect [^>]*width="(\d+)"', used)[:2]], [100, 50])
        finds = panel(page.text, "Worst matches")
        self.assertIn("cake.png", finds)
        self.assertIn('<td class="number">7</td>', finds)
        links = [html.unescape(t) for t in re.findall(r'href="(/admin/(?:queries|scores|stickers)/[^"]+)"', page.text)]
        self.assertTrue(links)
        for target in links:
            self.assertEqual(self.admin.get(target).status, 200, target)
        wait_until(lambda: re.search(r'<a href="/admin/documents/">\d+ documents</a> · algorithm', self.admin.get("/admin/").text), what="SearchService's answer")

    def sums(self):
        """Rows whose votes are not the sum of their scores."""
        return [(table, *row) for table, column in (("stickers", "sticker_id"), ("queries", "query_id")) for row in self.system.sql(
            f"SELECT t.id, t.positives, t.negatives FROM {table} t WHERE (t.positives, t.negatives) IS NOT (SELECT coalesce(sum(s.positives), 0),"
            f" coalesce(sum(s.negatives), 0) FROM scores s WHERE s.{column} = t.id)")]

    def test_votes_are_summed_over_queries_and_stickers(self):
        first, second, third = ("summed one", 1), ("summed two", 1), ("summed three", 1)
        for query in (first, second, third):
            self.add_query(*query)
        for query, sticker, up, down in ((first, "sun & rain, 100%.png", 40, 0), (second, "sun & rain, 100%.png", 30, 1), (third, "sun & rain, 100%.png", 0, 50),
                                         (first, "car.png", 60, 0), (second, "car.png", 0, 30), (second, "dog.png", 1, 45)):
            self.admin.get("/admin/scores/edit")
            self.assertEqual(self.admin.post("/admin/scores/edit", query=query[0], sticker=sticker, positives=str(up), negatives=str(down), seen="0").status, 303)
        self.assertEqual(self.feedback({"query": "summed one", "positive": ["sun & rain, 100%.png", "dog.png"], "negative": ["car.png"]}).status, 200)
        self.assertEqual(self.sums(), [])

        def ranked(title):
            rows = re.findall(r'<tr><td>(?:<img[^>]*>)?<a href="[^"]+">([^<]+)</a>.*?</td><td class="number">(?:<a href="([^"]+)">)?(\d+)<', panel(self.admin.get("/admin/").text, title))
            return [(html.unescape(name), int(count)) for name, _, count in rows], [html.unescape(link) for _, link, _ in rows]

        self.assertEqual(ranked("Best stickers")[0][:3], [("sun & rain, 100%.png", 71), ("car.png", 60), ("dog.png", 2)])
        self.assertEqual(ranked("Worst stickers")[0][:3], [("sun & rain, 100%.png", 51), ("dog.png", 45), ("car.png", 31)])
        queries, links = ranked("Worst queries")
        self.assertEqual(queries[:2], [("summed two", 76), ("summed three", 50)])
        behind = self.admin.get(links[0]).text
        self.assertEqual(re.findall(r'<td class="number"[^>]*>(\d+)</td><td class="number"[^>]*>(\d+)</td>', behind), [("1", "45"), ("0", "30"), ("30", "1")])
        stickers = self.admin.get(ranked("Best stickers")[1][0]).text
        self.assertEqual(re.findall(r'<td class="number"[^>]*>(\d+)</td><td class="number"[^>]*>(\d+)</td>', stickers), [("41", "0"), ("30", "1"), ("0", "50")])
        listed = self.admin.get("/admin/stickers/?sort=positives&order=down").text
        self.assertLess(listed.index("sun &amp; rain, 100%.png"), listed.index("car.png"))
        for model, votes, there, absent in (("stickers", "yes", "car.png", "grüße.png"), ("queries", "yes", "summed two", "half as much")):
            shown = self.admin.get(f"/admin/{model}/?votes={votes}").text
            self.assertIn(f">{there}</a>", shown)
            self.assertNotIn(f">{absent}</a>", shown)

        score = urllib.parse.unquote(re.search(r'href="/admin/scores/edit\?id=([^"&]+)[&"]', behind)[1])
        page = self.admin.get("/admin/scores/edit?id=" + score)
        seen = re.search(r'name="seen" value="(\d+)"', page.text)[1]
        self.assertEqual(self.admin.post("/admin/scores/edit?id=" + score, positives="2", negatives="3", seen=seen).status, 303)
        self.assertEqual(self.sums(), [])
        self.assertEqual(dict(ranked("Worst queries")[0])["summed two"], 34)
        self.admin.get("/admin/scores/")
        self.assertEqual(self.admin.post("/admin/scores/action", action="delete", id=score, confirmed="yes").status, 303)
        self.assertEqual(self.sums(), [])
        self.assertEqual(self.admin.post("/admin/queries/action", action="delete", id=self.row_id("queries", "summed three"), confirmed="yes").status, 303)
        self.assertEqual(self.sums(), [])
        self.assertEqual(self.admin.post("/admin/stickers/action", action="delete", id="car.png", confirmed="yes").status, 303)
        self.assertEqual(self.sums(), [])
        self.assertEqual(dict(ranked("Best stickers")[0])["sun & rain, 100%.png"], 71)

    def day(self, days=""):
        page = self.admin.get("/admin/" + days)
        self.assertEqual(page.status, 200)
        table = panel(page.text, "Searches and votes").split("<tbody>")[1]
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
        self.assertIn('href="/admin/stickers/keywords?query=zzyzx%20qwrtp"', panel(page, "Searches without results"))
        status = panel(page, "System status")
        self.assertRegex(status, r"API searches</th><td class=\"good\"[^>]*>ok</td><td[^>]*>p50 [\d.]+ m?s, p99 [\d.]+ m?s; \d")
        self.assertRegex(status, r"Disk</th><td[^>]*>[a-z ]+</td><td[^>]*>[\d.]+ [MG]B free of [\d.]+ [MG]B; thumbnails take \d+ MB")
        self.assertIn('href="/admin/queries/?sort=empty&amp;order=down"', page)
        for days in (7, 90, 365):
            page, rows = self.day(f"?days={days}")
            self.assertEqual(len(rows), days)
            self.assertEqual(rows[0], wanted)
            charts = re.findall(r'<svg class="chart".*?</svg>', page, re.S)
            lines = [line for chart in charts for line in re.findall(r'<polyline[^>]*points="([^"]+)"', chart)]
            self.assertEqual([len(line.split()) for line in lines], [days] * 4)
            strips = re.findall(r"<g><title>([^<]+)</title><rect", charts[0])
            self.assertEqual(len(strips), days)
            self.assertRegex(strips[-1], rf"^\d{{4}}-\d\d-\d\d: Searches {wanted[0]}, No results {wanted[1]}$")
            self.assertRegex(page, rf"Searches: <b>{wanted[0]}</b>")
            grid = [int(n) for n in re.findall(r'text-anchor="end">(\d+)</text>', charts[0])]
            self.assertEqual(grid[0], 0)
            self.assertGreaterEqual(grid[-1], wanted[0])
            self.assertRegex(page, rf'href="/admin/\?days={days}" aria-current="page"')
        for wrong in ("8", "0", "-7", "366", "x", "7x", "99999999999999999999"):
            self.assertEqual(self.admin.get("/admin/?days=" + wrong).status, 400, wrong)

    def test_who_may_see_it(self):
        self.assertEqual(Visitor(self.port).get("/admin/").status, 303)
        self.assertIn("Top queries", self.add_user("staff", is_staff="1").get("/admin/").text)
        for name, rights in (("people", ["users.view"]), ("lookers", ["dashboard.view"])):
            self.admin.get("/admin/groups/edit")
            self.admin.post("/admin/groups/edit", name=name, permissions=rights, seen="0")
        answer = self.add_user("helper", groups=self.row_id("groups", "people")).get("/admin/")
        self.assertEqual((answer.status, answer.headers["Location"]), (303, "/admin/users/"))
        looker = self.add_user("looker", groups=self.row_id("groups", "lookers")).get("/admin/")
        self.assertEqual(looker.status, 200)
        self.assertNotIn("Top queries", looker.text, "may not see the list of queries")

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
