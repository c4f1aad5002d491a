"""The admin's dashboard: its numbers, who may see it, hostile text, and SearchService away."""

import html
import os
import re
import signal
import time

from peel_testing import SLOW, main, stop, wait_until
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
        self.assertIn("documents, algorithm", page.text)

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
        finally:
            os.kill(child, signal.SIGCONT)


if __name__ == "__main__":
    main()
