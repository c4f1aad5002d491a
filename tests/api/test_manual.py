#!/usr/bin/env python3
"""The documentation that Peel serves at /docs/: pages, links between them, search, wrong requests."""

import html
import re
import unittest
import urllib.parse

from peel_testing import ROOT, ServiceTest, main

PAGES = {path.stem.lower().replace("_", "-"): path for folder in ("docs", "docs/howto") for path in (ROOT / folder).glob("*.md")}


class Manual(ServiceTest):
    def page(self, target, status=200):
        answer = self.get(target)
        self.assertEqual(answer.status, status, target)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/html"))
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        return answer.body.decode()

    def find(self, query):
        return re.findall(r'<h2><a href="([^"]*)">([^<]*)</a></h2>\s*<p>([^<]*)</p>', self.page("/docs/?" + urllib.parse.urlencode({"q": query})))

    def test_every_page_is_served_and_reached_from_the_index(self):
        index = self.page("/docs/")
        for name, path in PAGES.items():
            title = path.read_text(encoding="utf-8").split("\n")[0].removeprefix("# ").replace("`", "")
            text = self.page("/docs/" + ("" if name == "readme" else name))
            self.assertRegex(text, rf'<h1 id="[^"]+">{re.escape(html.escape(title, False))}</h1>')
            if name != "readme":
                self.assertIn(f'href="/docs/{name}"', index)

    def test_links_lead_to_pages_and_anchors(self):
        pages = {name: self.page("/docs/" + ("" if name == "readme" else name)) for name in [*PAGES, "changelog"]}
        for name, text in pages.items():
            for target, anchor in re.findall(r'<a href="(/docs/[^"#]*)?#([^"]*)"', text):
                to = pages[(target or "/docs/" + name).removeprefix("/docs/") or "readme"] if target or name else text
                self.assertIn(f'id="{html.unescape(anchor)}"', to, f"{name}: {target}#{anchor}")
            for target in re.findall(r'<a href="(/[^"#]*)', text):
                self.assertEqual(self.get(target).status, 200, f"{name}: {target}")
            self.assertNotIn(".md", " ".join(re.findall(r'href="([^"]*)"', text)))
            self.assertNotIn("<!--", text.replace("<!doctype", ""))

    def test_code_and_tables(self):
        text = self.page("/docs/own-stickers")
        self.assertIn('<pre tabindex="0"><code class="language-sh">cp -r docs/howto/sample my-stickers', text)
        self.assertRegex(text, r'<div class="scroll" tabindex="0" role="region" aria-label="Table 1"><table>')
        self.assertIn("&quot;fox, vixen, sly&quot;", text)
        self.assertNotIn("test: services", text)
        options = self.page("/docs/options")
        self.assertIn("<code>peel migrate [sticker|search]</code>", options)
        self.assertNotIn("\\|", options)

    def test_search(self):
        found = self.find("restore backup")
        self.assertTrue(found)
        self.assertIn("Back up and restore", found[0][1])
        for address, _, _ in found:
            page, anchor = address.split("#")
            self.assertIn(f'id="{anchor}"', self.page(page))
        self.assertEqual(self.find("RESTORE Backup"), found)
        self.assertTrue(any("fuchs" in excerpt.lower() or "Rotfuchs" in excerpt for _, _, excerpt in self.find("Rotfuchs")))
        self.assertEqual(self.find("restore qqqxyzzy"), [])
        self.assertIn("No page has all of these words", self.page("/docs/?q=qqqxyzzy"))
        self.assertLessEqual(len(self.find("the")), 30)

    def test_search_of_what_is_odd(self):
        for query in ("<script>alert(1)</script>", "%", "\\", '"', ",,,", "é" * 255, "a " * 100, "ß ſ"):
            text = self.page("/docs/?" + urllib.parse.urlencode({"q": query}))
            self.assertNotIn("<script>alert", text)
        self.page("/docs/?q=" + "a" * 256, 400)
        self.assertIn('value="--cors-origins"', self.page("/docs/?q=--cors-origins"))

    def test_pages_that_do_not_exist(self):
        for name in ("nope", "README", "..%2fREADME", "OPTIONS.md", "%00"):
            self.assertIn(self.get("/docs/" + name).status, (400, 404), name)
        self.assertEqual(self.get("/docs").status, 200)


if __name__ == "__main__":
    main()
