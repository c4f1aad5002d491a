"""Keys of apps: created and deleted by command, counted, limited by key and not by address, and required."""

import json

from peel_testing import ServiceTest, main, request, wait_until


class KeyTest(ServiceTest):
    def create(self, name, *arguments):
        return json.loads(self.system.run("key", "create", name, *arguments, "--json").stdout)["key"]

    def listed(self, name):
        return next((k for k in json.loads(self.system.run("key", "list", "--json").stdout) if k["name"] == name), None)

    def known(self, key):
        """Waits until the service knows it."""
        wait_until(lambda: "app" in (self.ask(key).headers["RateLimit"] or ""), 10, "the new key")

    def ask(self, key, target="/api/suggest/?prefix=ca", **headers):
        return self.get(target, **{"X-Api-Key": key, **headers})


class Keys(KeyTest):
    arguments = ("--rate-limit", "1", "--rate-burst", "20", "--trusted-proxies", "127.0.0.1")

    def test_an_app_is_limited_and_its_clients_are_not(self):
        key = self.create("shop", "--limit", "60")
        self.known(key)
        policy = self.ask(key).headers["RateLimit-Policy"]
        self.assertEqual(policy, '"app";q=60;w=60')
        asked = [self.ask(key, **{"X-Forwarded-For": f"192.0.2.{i}"}) for i in range(70)]
        refused = [a for a in asked if a.status == 429]
        self.assertTrue(30 <= len(asked) - len(refused) <= 63, len(refused))
        self.assert_problem(refused[-1], 429, "Too many requests")
        self.assertGreaterEqual(int(refused[-1].headers["Retry-After"]), 1)
        self.assertTrue(refused[-1].headers["RateLimit"].startswith('"app";r=0'))
        other = self.get("/api/suggest/?prefix=ca", **{"X-Forwarded-For": "198.51.100.1"})
        self.assertTrue(other.headers["RateLimit"].startswith('"client"'))
        metrics = self.get("/metrics").body.decode()
        self.assertRegex(metrics, r'peel_sticker_app_requests_total\{app="shop"\} [67]\d')
        self.assertRegex(metrics, r'peel_sticker_app_limited_total\{app="shop"\} [1-9]')

    def test_keys_are_counted_wherever_they_stand(self):
        key = self.create("plain")
        self.assertEqual(self.listed("plain")["limit"], 0)
        self.assertIsNone(self.listed("plain")["last_used"])
        self.assertNotIn(key, str(self.system.sql("SELECT * FROM app_keys")))
        wait_until(lambda: 'app="plain"' in self.get("/metrics").body.decode(), 10, "the new key")
        client = {"X-Forwarded-For": "198.51.100.2"}
        self.assertTrue(self.ask(key, **client).headers["RateLimit"].startswith('"client"'), "a key without a limit has none of its own")
        self.get(f"/api/search/?query=cat&api_key={key}", **client)
        self.get(f"/api/search/?query=cat&key={key}", **client)  # not a parameter of ours
        wait_until(lambda: self.listed("plain")["requests"] == 2, 10, "the counts")
        self.assertIsNotNone(self.listed("plain")["last_used"])
        self.assertIn("plain", self.system.run("key", "list").stdout)

    def test_names_are_taken_once(self):
        self.create("once")
        again = self.system.run("key", "create", "once", check=False)
        self.assertIn('a key named "once" exists already', again.stderr)
        self.assertIn("there is no key", self.system.run("key", "delete", "never", check=False).stderr)


class Required(KeyTest):
    arguments = ("--require-key",)

    def test_only_apps_with_a_key(self):
        self.assert_problem(self.get("/api/search/?query=cat"), 401, "An API key is needed")
        self.assert_problem(self.ask("nonsense"), 401, "This API key is unknown.")
        self.assert_problem(request(self.port, "POST", "/api/events/", '{"events":[]}'), 401)
        for target in ("/", "/healthz", "/metrics", "/api/openapi.json", "/media/cat.png", "/?q=cat"):
            self.assertEqual(self.get(target).status, 200, target)
        key = self.create("app")
        wait_until(lambda: self.ask(key).status == 200, 10, "the new key")
        self.assertEqual(self.ask(key, "/api/search/?query=cat").json()["stickers"], ["cat.png"])
        self.assertEqual(self.get(f"/api/search/?query=cat&api_key={key}").status, 200)
        for target in ("/tenor/v2/search?q=cat&key=%s", "/giphy/v1/gifs/search?q=cat&api_key=%s", "/klipy/api/v1/%s/gifs/search?q=cat"):
            refused = self.get(target % "nonsense")
            self.assertEqual((refused.status, "A known API key is needed" in refused.body.decode()), (401, True), refused.body)
            self.assertEqual(self.get(target % key).status, 200, target)
        self.system.run("key", "delete", "app")
        wait_until(lambda: self.ask(key).status == 401, 10, "the key's end")


if __name__ == "__main__":
    main()
