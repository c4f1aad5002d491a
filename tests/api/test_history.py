#!/usr/bin/env python3
"""What is changed from the command line is in the history: who, what, and nothing that is secret."""

import json
import os
import pwd
import unittest

from peel_testing import System, main, png
from test_admin import Visitor


class CommandLine(unittest.TestCase):
    def test_changes_leave_entries(self):
        system = System()
        self.addCleanup(system.close)
        pictures = system.folder / "pictures"
        pictures.mkdir()
        (pictures / "a.png").write_bytes(png())
        (pictures / "stickers.csv").write_text("filename,title,words,language\na.png,A,one,en\n")
        system.run("import", str(pictures))
        system.run("import", str(pictures))  # changes nothing
        (pictures / "stickers.csv").write_text("filename,title,words,language\na.png,A,two,en\n")
        system.run("import", "--update", str(pictures))
        system.run("reindex", "--all", "--quiet", check=False)
        password = {"PEEL_PASSWORD": "a long password"}
        os.environ.update(password)
        self.addCleanup(lambda: [os.environ.pop(name) for name in password])
        system.run("user", "create", "root", "--superuser")
        system.run("user", "create", "ann", "--analytics")
        system.run("user", "create", "ann", check=False)  # exists
        system.run("user", "passwd", "ann")
        token = json.loads(system.run("token", "create", "root", "--label", "ci", "--json").stdout)["token"]
        system.run("token", "revoke", json.loads(system.run("token", "list", "--json").stdout)[0]["id"])
        system.run("export", "--format", "csv", "--since", "2020-01-01T00:00:00Z")
        system.run("user", "delete", "ann")
        system.run("delete", "a.png", "--yes")

        system.run("user", "create", "reader", "--superuser")
        entries = [e for e in self.history(system) if e["username"] == "command line"]
        found = [(e["action"], e["model"], e["object"]) for e in entries]
        tokens = [f[2] for f in found if f[:2] == ("delete", "tokens")]
        self.assertEqual(found, [("add", "stickers", "a.png"), ("change", "stickers", "a.png"), ("reindex", "stickers", "all stickers"),
                                 ("add", "users", "root"), ("add", "users", "ann"), ("password", "users", "ann"),
                                 ("add", "tokens", "ci"), ("delete", "tokens", *tokens), ("export", "scores", "csv"),
                                 ("delete", "users", "ann"), ("delete", "stickers", "a.png"), ("add", "users", "reader"),
                                 ("add", "users", "admin"), ("add", "tokens", "admin")])  # fmt: skip
        self.assertEqual({e["address"] for e in entries}, {pwd.getpwuid(os.getuid()).pw_name})
        after = {(e["action"], e["object"]): json.loads(e["after"]) for e in entries if e["after"]}
        self.assertEqual(after["add", "root"], {"username": "root", "password": "changed", "is_active": "1", "is_staff": "1",
                                                "is_superuser": "1", "groups": ""})  # fmt: skip
        self.assertEqual(after["add", "ann"]["groups"], "analytics")
        self.assertEqual(after["add", "ci"], {"username": "root", "label": "ci"})
        self.assertEqual(after["export", "csv"], {"since": "2020-01-01T00:00:00Z"})
        text = json.dumps(entries)
        self.assertNotIn("a long password", text)
        self.assertNotIn(token, text)

    def history(self, system):
        """The oldest first, by the admin pages."""
        system.start_search()
        system.start_sticker()
        admin = Visitor(system.port)
        admin.log_in("reader", "a long password")
        return list(reversed(admin.get("/admin/history/export?format=json").json()))


if __name__ == "__main__":
    main()
