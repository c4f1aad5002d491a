"""Stickers of a real pack found in the languages that CLDR has words in, through both services."""

import unittest
import urllib.parse

from peel_testing import ServiceTest, System, main, request
from test_import import fetch_packs

CAT, DOG, CAKE, HEART, RAIN = ("1F408", "1F431"), ("1F415", "1F436"), ("1F382",), ("2764",), ("1F327", "2614", "1F302")
QUERIES = {
    "en": {"cat": CAT, "dog": DOG, "birthday": CAKE, "red heart": HEART},
    "es": {"gato": CAT, "perro": DOG, "perros": DOG, "cumpleaños": CAKE, "cumpleanos": CAKE, "lluvia": RAIN},
    "de": {"Katze": CAT, "Hunde": DOG, "Geburtstag": CAKE, "Regen": RAIN},
    "fr": {"chat": CAT, "chien": DOG, "gâteau": CAKE, "GATEAU": CAKE, "pluie": RAIN},
    "pt": {"gato": CAT, "cachorro": DOG, "aniversário": CAKE, "aniversario": CAKE, "chuva": RAIN},
    "ja": {"猫": CAT, "ネコ": CAT, "ねこ": CAT, "犬": DOG, "誕生日": CAKE, "雨": RAIN},
    "zh": {"猫": CAT, "狗": DOG, "生日": CAKE, "红心": HEART, "雨": RAIN},
    "ko": {"고양이": CAT, "강아지": DOG, "생일": CAKE, "비": RAIN, "비구름": RAIN},
    "ar": {"قطة": CAT, "كلب": DOG, "مطر": RAIN},
    "th": {"แมว": CAT, "สุนัข": DOG, "วันเกิด": CAKE},
}


class Languages(ServiceTest):
    @classmethod
    def setUpClass(cls):
        cache = fetch_packs(cls, "@lobehub/fluent-emoji-3d@1.1.0", "openmoji@17.0.0")
        cls.system = System()
        cls.addClassCleanup(cls.system.close)
        done = cls.system.run("import", "--cache-dir", cache, "--pack", "fluent3d")
        if "without the keywords of Unicode CLDR" in done.stderr:
            raise unittest.SkipTest("npm cannot fetch CLDR's annotations")
        cls.system.start_search()
        cls.system.start_sticker()
        cls.port = cls.system.port
        cls.system.wait_indexed()

    def found(self, query, target):
        answer = self.get("/api/search/?query=" + urllib.parse.quote(query) + target)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertNotIn("degraded", answer.json())
        return answer.json()["stickers"]

    def asked_hybrid(self, query, language):
        target = urllib.parse.urlencode({"query": query, "lang": language, "algorithm": "hybrid"})
        return request(self.system.search_port, "GET", "/api/search/?" + target).json()["filenames"]

    def test_each_language_finds(self):
        for language, queries in QUERIES.items():
            for query, codes in queries.items():
                for target in ("", "&lang=" + language):
                    with self.subTest(query=query, target=target):
                        stickers = self.found(query, target)
                        self.assertTrue(any(code in name for name in stickers for code in codes), stickers)

    def test_the_preferred_language_comes_first(self):
        """"Gift" is poison in German, "pain" bread in French."""
        for language, query, code in (("de", "gift", "1F344"), ("fr", "pain", "1F35E")):
            stickers = self.found(query, "&lang=" + language)
            self.assertTrue(any(code in name for name in stickers), stickers)

    def test_words_of_one_family(self):
        """Nothing is called so; what begins alike is found rather than nothing."""
        for language, query, codes in (("de", "Hündchen", DOG), ("es", "abuelita", ("1F475",)), ("de", "Regengüsse", RAIN)):
            stickers = self.asked_hybrid(query, language)
            self.assertTrue(any(code in name for name in stickers for code in codes), stickers)
        self.assertEqual(self.asked_hybrid("qxqxqxqxqx", "de"), [])

    def test_what_is_no_language(self):
        for bad in ("e", "english please", "en_US!", "x" * 40, "%00", "%ff", "../de"):
            answer = self.get("/api/search/?query=cat&lang=" + bad.replace(" ", "+"))
            self.assert_problem(answer, 400)
            self.assertIn("lang", answer.json()["message"])


if __name__ == "__main__":
    main()
