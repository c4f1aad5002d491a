"""Every page and form of the admin, found by following links as a superuser; shared by the tests that ask something
of all of them."""

import html.parser
import re
import sqlite3
import urllib.parse

from test_admin import PASSWORD

VIEWS = [m + ".view" for m in ("dashboard", "stickers", "documents", "queries", "scores", "users", "groups", "tokens", "sessions", "history")]


class Form:
    def __init__(self, attributes):
        self.post = attributes.get("method") == "post"
        self.action = attributes.get("action", "")
        self.multipart = "multipart" in attributes.get("enctype", "")
        self.fields, self.buttons = [], []  # (name, value)
        self.sends = False  # has a button; a form that only shows something has none

    def key(self):
        return kind_of(self.action), tuple(sorted({name for name, _ in self.fields}))


class Page(html.parser.HTMLParser):
    """The links and forms of a page; of choices all are taken, of rows the first."""

    def __init__(self, text):
        super().__init__()
        self.links, self.forms = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        form = self.forms[-1] if self.forms else None
        name, value = attributes.get("name"), attributes.get("value") or ""
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "form":
            self.forms.append(Form(attributes))
        elif tag == "input" and form and name and attributes.get("type") != "file" and "disabled" not in attributes:
            if name != "id" or name not in dict(form.fields):
                form.fields.append((name, value))
        elif tag == "button" and form:
            form.sends = True
            form.buttons += [(name, value)] if name else []


def kind_of(target):
    """Pages that differ only in which row they show, or how, are of one kind."""
    url = urllib.parse.urlsplit(target)
    return url.path, tuple(sorted(urllib.parse.parse_qs(url.query, keep_blank_values=True)))


def crawl(visitor, more=()):
    """({kind: (target, status, text)}, {key: form}) of all that /admin/ leads to, with what the buttons of lists lead to."""
    waiting, pages, forms = ["/admin/", "/admin/login", *more], {}, {}
    while waiting:
        target = waiting.pop(0)
        if kind_of(target) in pages:
            continue
        answer = visitor.get(target)
        pages[kind_of(target)] = target, answer.status, answer.text
        page = Page(answer.text) if answer.headers["Content-Type"].startswith("text/html") else Page("")
        for link in page.links:
            link = urllib.parse.urljoin(target, link)
            if link.startswith("/admin/"):
                waiting.append(link)
        for form in page.forms:
            if not form.post or form.key() in forms:
                continue
            forms[form.key()] = form
            for name, value in form.buttons:
                if form.action.endswith("/action") and value in ("delete", "edit", "reindex") and "confirmed" not in dict(form.fields):
                    asked = visitor.ask("POST", form.action, [*form.fields, (name, value)])
                    for confirm in Page(asked.text).forms:
                        if confirm.post:
                            forms.setdefault(confirm.key(), confirm)
    return pages, forms


def fill(visitor):
    """One of each thing that a list may show."""
    for target, fields in (
        ("queries", {"query": "crawled cat", "usage": "3"}),
        ("scores", {"query": "crawled cat", "sticker": "cat.png", "positives": "4", "negatives": "1"}),
        ("groups", {"name": "viewers", "permissions": VIEWS}),
        ("users", {"username": "victim", "password": PASSWORD, "is_active": "1"}),
        ("tokens", {"username": "victim", "label": "crawled"}),
    ):
        visitor.get(f"/admin/{target}/edit")
        answer = visitor.post(f"/admin/{target}/edit", seen="0", **fields)
        assert answer.status in (200, 303), answer.text
    visitor.get("/admin/stickers/")
    answer = visitor.post("/admin/stickers/action", action="edit", confirmed="yes", id="cat.png", pack="crawled")
    assert answer.status == 303, answer.text


def send(visitor, form, csrf, **headers):
    """Sends a form as it is, with another token; None: without."""
    fields = [(n, v) for n, v in form.fields if n != "csrf"] + form.buttons[-1:] + ([("csrf", csrf)] if csrf is not None else [])
    if not form.multipart:
        return visitor.ask("POST", form.action, fields, **headers)
    boundary = "b0undary"
    body = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields) + f"--{boundary}--\r\n"
    return visitor.ask_raw("POST", form.action, body, f"multipart/form-data; boundary={boundary}", **headers)


def contents(data):
    """What forms can change, of the database itself."""
    db = sqlite3.connect(f"file:{data}/sticker.db?mode=ro", uri=True, timeout=30)
    tables = ("stickers", "sticker_words", "packs", "imports", "queries", "scores", "users", "groups", "user_groups", "tokens", "history")
    try:
        everything = {t: sorted(map(repr, db.execute(f"SELECT * FROM {t}"))) for t in tables}
        everything["sessions"] = sorted(db.execute("SELECT hash_hex FROM sessions").fetchall())
        return everything
    finally:
        db.close()


def right_for(target, button=""):
    """("stickers", "view"), what somebody needs for a target; None: only to be logged in."""
    url = urllib.parse.urlsplit(target)
    model, _, page = url.path.removeprefix("/admin/").partition("/")
    row = "id=" in url.query
    if model in ("password", "account", "two-factor", "login", "logout"):
        return None
    if not model:
        return "dashboard", "view"
    if model == "search":  # the console
        return "stickers", "view"
    if model in ("experiments", "learning"):  # and pins.change to start or stop one, scores.change to decide on a burst
        return "scores", "view"
    if model == "import":  # and stickers.change to undo one
        return "stickers", "delete" if page.startswith("undo") else "add" if button else "view"
    if page == "undo":
        return "stickers", "change"
    if model in ("packs", "duplicates"):  # and stickers.delete to merge them
        return "stickers", "change" if button else "view"
    if model == "webhooks":
        return model, "change" if button else "view"
    if page == "upload/":
        return model, "add"
    if page == "action":
        return model, {"delete": "delete", "csv": "view", "json": "view"}.get(button, "change")
    if page == "delete":
        return model, "delete"
    if page == "reindex":
        return model, "change"
    if page == "edit" and not row:
        return model, "add"
    return model, "view"


def forms_right(form):
    """The same, for what a form does when it is sent."""
    if form.action == "/admin/import/":
        return "stickers", "add"
    model, right = right_for(form.action, form.buttons[-1][1] if form.buttons else "") or (None, None)
    return model and (model, "change" if right == "view" and re.search(r"/edit\?id=", form.action) else right)
