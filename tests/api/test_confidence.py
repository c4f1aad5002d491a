#!/usr/bin/env python3
"""How sure results are that they fit: from a model of sentences through both services, as docs/openapi.json describes it;
and what StickerService makes of a SearchService that says nonsense."""

import json
import pathlib
import unittest
import urllib.parse

from peel_testing import ROOT, FakeSearch, ServiceTest, System, main, request, wait_until
from test_model import text_model_files

SPEC = json.loads((ROOT / "docs/openapi.json").read_text(encoding="utf-8"))
STICKERS = {f"s{i:02}.png": (f"{animal} {place}", f"{animal}, {place}") for i, (animal, place) in enumerate(
    (animal, place) for animal in ("cat", "dog", "horse", "bird") for place in ("park", "house", "rain", "snow"))}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float)}


def violations(value, schema, place="answer"):
    """What of a value its schema does not allow; as much of JSON Schema as the contract uses for answers."""
    if "$ref" in schema:
        schema = SPEC["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    kind = schema.get("type")
    if not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        return [f"{place}: expected {kind}, found {value!r}"]
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{place}: {value!r} is none of {schema['enum']}")
    if kind in ("integer", "number") and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        found.append(f"{place}: {value!r} is out of bounds")
    if kind == "object":
        found += [f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, part in schema.get("properties", {}).items():
            found += violations(value[name], part, f"{place}.{name}") if name in value else []
    if kind == "array":
        for i, item in enumerate(value):
            found += violations(item, schema["items"], f"{place}[{i}]")
    return found


class Confidence(ServiceTest):
    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        for file, data in text_model_files().items():
            path = pathlib.Path(cls.system.data) / "bucket/models/test--words" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        cls.system.add(STICKERS)
        cls.system.start_search()
        cls.system.start_sticker("--search-cache-ms", "0")
        cls.port = cls.system.port
        cls.system.wait_indexed()
        wait_until(cls.encoded, 60, "the vectors of all phrases")

    @classmethod
    def encoded(cls):
        models = request(cls.system.search_port, "GET", "/api/models").json()["models"]
        return [(m["state"], m["indexed"], m["pending"], m["phrases"]["pending"]) for m in models] == [("ready", len(STICKERS), 0, 0)]

    def ask(self, port, **parameters):
        answer = request(port, "GET", "/api/search/?" + urllib.parse.urlencode(parameters))
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def test_it_falls_with_the_rank(self):
        for query in ("cat park", "cat", "happy birthday", "dog in the snow"):
            for port in (self.port, self.system.search_port):
                found = self.ask(port, query=query, limit=100)
                self.assertIn("sentence", found["legs"])
                sure = [result["confidence"] for result in found["results"]]
                self.assertTrue(all(0 <= one <= 1 for one in sure), sure)
                self.assertEqual(sure, sorted(sure, reverse=True))
        first = self.ask(self.port, query="cat park", limit=100)["results"]
        self.assertEqual(first[0]["filename"], "s00.png")
        self.assertEqual(first[0]["confidence"], self.ask(self.system.search_port, query="cat park")["results"][0]["confidence"])

    def test_nothing_is_said_without_a_model(self):
        for algorithm in ("lexical", "words"):
            for result in self.ask(self.system.search_port, query="cat", algorithm=algorithm)["results"]:
                self.assertNotIn("confidence", result)
        for result in self.ask(self.system.search_port, like="s00.png")["results"]:
            self.assertNotIn("confidence", result)

    def test_answers_are_as_described(self):
        schema = SPEC["paths"]["/api/search"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        result = SPEC["components"]["schemas"]["Sticker"]["properties"]
        self.assertEqual((result["confidence"]["minimum"], result["confidence"]["maximum"]), (0, 1))
        for query in ("cat park", "zzyzx", "🐶", "Hündchen"):
            self.assertEqual(violations(self.ask(self.port, query=query), schema), [])
        answer = self.ask(self.port, query="cat park")
        answer["results"][0]["confidence"] = 1.5
        self.assertEqual(len(violations(answer, schema)), 1)

    def test_models_tell_of_their_phrases(self):
        model = request(self.system.search_port, "GET", "/api/models").json()["models"][0]
        self.assertEqual(model["phrases"], {"indexed": len(STICKERS) + 8, "pending": 0})


class Nonsense(ServiceTest):
    @classmethod
    def setUpClass(cls):
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        cls.system.add(STICKERS)
        cls.fake = cls.system.fake = FakeSearch()
        cls.system.start_sticker("--search-cache-ms", "0", search_port=cls.fake.port)
        cls.port = cls.system.port
        cls.system.wait_indexed()

    def test_only_what_can_be_is_passed_on(self):
        for said, passed in ((0.5, 0.5), (1, 1), (0.01, 0.01), (0, None), (-0.5, None), (1.01, None), (7e300, None), ("0.5", None), (None, None),
                             ([1], None), (True, None)):
            self.fake.answer = lambda handler, said=said: (200, {"results": [{"filename": "s00.png", "score": 1, "confidence": said}]})
            found = self.search("anything").json()
            self.assertNotIn("degraded", found)
            self.assertEqual(found["results"][0].get("confidence"), passed, said)


if __name__ == "__main__":
    main()
