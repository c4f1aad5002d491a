#!/usr/bin/env python3
"""docs/openapi.json, held against real answers: every member that is answered is described, with its type, and what is
required is there."""

import json
import re
import unittest
import urllib.parse

from peel_testing import ADMIN_TOKEN, ROOT, FakeSearch, ServiceTest, System, main, request

CONTRACT = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def is_a(value, name):
    if name in ("integer", "number"):
        return isinstance(value, int if name == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def mistakes(value, schema, where="$"):
    """What the value has that the schema does not say, or the other way round."""
    while "$ref" in schema:
        at = CONTRACT
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        schema = at
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(is_a(value, name) for name in names):
        return [f"{where} is {value!r}, not {names}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where} is {value!r}, not one of {schema['enum']}")
    if is_a(value, "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{where} is {value}, out of bounds")
    if isinstance(value, str) and not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value)):
        found.append(f"{where} is {value!r}, too short or too long")
    if isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        found.append(f"{where} is {value!r}, not {schema['pattern']}")
    if isinstance(value, dict) and "properties" in schema:
        found += [f"{where}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, member in value.items():
            described = schema["properties"].get(name)
            found += mistakes(member, described, f"{where}.{name}") if described is not None else [f"{where}.{name} is not described"]
    if isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, member in value.items():
            found += mistakes(member, schema["additionalProperties"], f"{where}.{name}")
    if isinstance(value, list) and "items" in schema:
        for i, item in enumerate(value):
            found += mistakes(item, schema["items"], f"{where}[{i}]")
    return found


def described_path(target):
    """The path of the contract that a request's target is of; the one with fewer parameters where two are."""
    path = target.partition("?")[0].rstrip("/")
    fitting = [p for p in CONTRACT["paths"] if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(p)), path)]
    return min(fitting, key=lambda p: p.count("{"), default=None)


class Contract(ServiceTest):
    def check(self, answer, path, method="get", status=200):
        self.assertEqual(answer.status, status, answer.body)
        described = CONTRACT["paths"][path.rstrip("/")][method]["responses"][str(status)]
        while "$ref" in described:
            described = CONTRACT["components"]["responses"][described["$ref"].rsplit("/", 1)[1]]
        content = described["content"][answer.headers["Content-Type"].split(";")[0]]
        self.assertEqual(mistakes(answer.json(), content["schema"]), [], path)
        if "example" in content:
            self.assertEqual(mistakes(content["example"], content["schema"]), [], f"the example of {path}")

    def test_answers(self):
        token = {"Authorization": f"Token {ADMIN_TOKEN}"}
        self.check(self.search("cat"), "/api/search/")
        self.check(self.search(""), "/api/search/", status=400)
        self.check(self.feedback({"query": "cat", "positive": ["cat.png"], "negative": ["none.png"]}), "/api/feedback/", "post")
        self.check(self.get("/api/analytics/?query=cat", **token), "/api/analytics/")
        self.check(self.get("/api/analytics/?query=cat"), "/api/analytics/", status=401)
        self.check(self.get("/api/analytics/?query=nobody", **token), "/api/analytics/", status=404)
        for kind, row in (("pins", {"query": "cat", "sticker": "dog.png"}), ("synonyms", {"term": "moggy", "synonyms": ["cat"]})):
            send = lambda method, target, body=None, **headers: request(self.port, method, f"/api/{kind}/{target}", body, headers)  # noqa: B023, E731
            self.check(send("POST", "", json.dumps({kind: [row]}), **token), f"/api/{kind}/", "post")
            self.check(send("POST", "", "{}", **token), f"/api/{kind}/", "post", status=400)
            self.check(send("GET", "", **token), f"/api/{kind}/")
            self.check(send("GET", "?format=x", **token), f"/api/{kind}/", status=400)
            self.check(send("GET", ""), f"/api/{kind}/", status=401)
        pinned = self.search("cat")
        self.assertTrue(pinned.json()["results"][0]["pinned"])
        self.check(pinned, "/api/search/")
        self.check(request(self.port, "DELETE", "/api/pins/?query=none&sticker=dog.png", headers=token), "/api/pins/", "delete", status=404)
        self.check(self.get("/api/suggest/?prefix=ca"), "/api/suggest/")
        for name in ("cat.png", "none.png"):
            for path in ("/api/stickers/{filename}", "/api/stickers/{filename}/similar"):
                self.check(self.get(path.replace("{filename}", name)), path, status=200 if name == "cat.png" else 404)
        for path in ("/api/random/", "/api/packs/", "/api/categories/", "/api/trending/"):
            self.check(self.get(path), path)
            self.check(self.get(path + "?absolute=x"), path, status=400)
        self.system.sql("UPDATE stickers SET pack = 'a/b' WHERE filename = 'cat.png'")
        self.check(self.get("/api/packs/a%2Fb/"), "/api/packs/{pack}")
        self.check(self.get("/api/packs/a%2Fb/?cursor=x"), "/api/packs/{pack}", status=400)
        self.check(self.get("/api/packs/none"), "/api/packs/{pack}", status=404)
        self.check(self.get("/api/counter/?digit=7&n=1000"), "/api/counter/")
        self.check(self.get("/readyz"), "/readyz")
        self.check(self.get("/healthz"), "/healthz")
        self.system.run("user", "create", "bob", stdin="another long password\n")
        key = self.system.run("token", "create", "bob").stdout.split()[-1]
        self.check(self.analytics("cat", key), "/api/analytics/", status=403)

    def test_bounds(self):
        """What the schema allows is accepted, and what it does not is refused."""
        at_most, around = "\N{PILE OF POO}" * 255, "\u3000 \t"
        queries = ["", " ", around, "a", around + "a b" + around, at_most, around + at_most + around, at_most + "a"]
        cases = {("/api/search/", "query"): queries, ("/api/suggest/", "prefix"): queries, ("/api/analytics/", "query"): queries,
                 ("/api/analytics/export", "since"): ["", "2026-01-31"], ("/api/counter/", "n"): [-1, 0, 10]}  # fmt: skip
        for (path, name), values in cases.items():
            schema = next(p["schema"] for p in CONTRACT["paths"][path.rstrip("/")]["get"]["parameters"] if p.get("name") == name)
            for value in values:
                target = f"{path}?{urllib.parse.urlencode({name: value, 'format': 'csv'} if name == 'since' else {name: value})}"
                status = self.get(target, Authorization=f"Token {ADMIN_TOKEN}").status
                self.assertEqual(status in (200, 404), not mistakes(value, schema), (target, status))
        self.get("/api/search/?query=known")
        bodies = [{"query": q, "positive": ["cat.png"]} for q in queries] + [{"query": "known", "positive": [""]}]
        for entry in bodies:
            body = {"feedback": [entry]}
            status = request(self.port, "POST", "/api/feedback/", json.dumps(body)).status
            self.assertEqual(status in (200, 404), not mistakes(body, CONTRACT["components"]["schemas"]["Feedback"]), (entry, status))

    def test_all_that_a_search_may_say(self):
        results = [{"filename": "cat.png", "score": 0.5, "confidence": 0.64}]
        fake = FakeSearch()
        self.addCleanup(fake.close)
        fake.answer = lambda handler: (200, {"filenames": ["cat.png"], "results": results, "algorithm": "hybrid", "model": None,
                                             "legs": ["lexical", "words", "sentence", "vector"], "language": "en", "corrected": "cat", "total": 1})  # fmt: skip
        system = System()
        self.addCleanup(system.close)
        system.add({"cat.png": ("Cat", "cat")})
        system.start_sticker(search_port=fake.port)
        answer = request(system.port, "GET", "/api/search/?query=catt")
        self.assertLessEqual({"corrected", "legs"}, set(answer.json()))
        self.assertEqual(answer.json()["results"][0]["confidence"], 0.64)
        self.check(answer, "/api/search/")
        fake.close()
        degraded = request(system.port, "GET", "/api/search/?query=cat")
        self.assertTrue(degraded.json()["degraded"])
        self.check(degraded, "/api/search/")
        self.check(request(system.port, "GET", "/readyz"), "/readyz", status=503)

    def test_the_check_itself(self):
        schema = {"$ref": "#/components/schemas/FeedbackAnswer"}
        self.assertEqual(mistakes({"failed": []}, schema), [])
        for wrong in ({}, {"failed": [1]}, {"failed": [], "more": 1}, []):
            self.assertTrue(mistakes(wrong, schema), wrong)


if __name__ == "__main__":
    main()
